/* bytes.h - views, cursors and writers: how bytes travel in this code.
 *
 * A `struct view` borrows bytes; it never owns and is not zero-terminated. A cursor reads a view
 * from front to back; reading past the end is a status. A writer appends to a fixed buffer;
 * overflow latches, so an encoder writes forty fields and checks once at the end. No `char *`
 * enters or leaves a codec.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define VIEW_EMPTY ((struct view){ .ptr = NULL, .len = 0 })
/* A view of a string literal, without its zero byte. */
#define VIEW(literal)                                                                              \
    ((struct view){ .ptr = (const uint8_t *)("" literal), .len = sizeof(literal) - 1 })

static inline struct view view_of(const void *ptr, size_t len)
{
    return (struct view){ .ptr = (const uint8_t *)ptr, .len = len };
}
/* `text` is zero-terminated or NULL (an empty view). */
static inline struct view view_text(const char *text)
{
    return view_of(text, text != NULL ? strlen(text) : 0);
}
static inline bool view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool view_is(struct view a, const char *text)
{
    return view_equal(a, view_text(text));
}
/* ASCII case is ignored; for protocol names only. */
bool view_equal_nocase(struct view a, struct view b);
bool view_starts_with(struct view a, struct view prefix);
/* The part from `from` on, at most `len` bytes; clamps, never fails. */
struct view view_slice(struct view a, size_t from, size_t len);
/* Index of the first `byte`, or a.len. */
size_t view_find(struct view a, uint8_t byte);
/* Without ASCII blanks at both ends. */
struct view view_trim(struct view a);
/* True when every byte is an ASCII digit and len > 0. */
bool view_is_digits(struct view a);
/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool view_is_utf8(struct view a);
/* Exact decimal, no sign, no blanks, no leading zeros except "0": else MALFORMED; RANGE over `max`.
 */
enum status view_to_u64(struct view a, uint64_t max, uint64_t *out);
/* The same with a leading '-' allowed; "-0" is MALFORMED. */
enum status view_to_i64(struct view a, int64_t *out);
/* Copies into a zero-terminated array; FULL when it does not fit (out is then ""). */
enum status view_to_text(struct view a, char *out, size_t room);
/* Time does not depend on where the difference is (only on len). */
bool view_equal_constant_time(struct view a, struct view b);

/* --- cursor ------------------------------------------------------------------------------ */
struct cursor {
    const uint8_t *ptr;
    size_t len;   /* of all */
    size_t taken; /* so far */
};

static inline struct cursor cursor_over(struct view bytes)
{
    return (struct cursor){ .ptr = bytes.ptr, .len = bytes.len, .taken = 0 };
}
static inline size_t cursor_left(const struct cursor *c)
{
    return c->len - c->taken;
}
static inline enum status cursor_take(struct cursor *c, size_t len, struct view *out)
{
    if (len > cursor_left(c))
        return STATUS_SHORT;
    *out = view_of(len > 0 ? c->ptr + c->taken : NULL, len);
    c->taken += len;
    return STATUS_OK;
}
static inline enum status cursor_u8(struct cursor *c, uint8_t *out)
{
    if (cursor_left(c) < 1)
        return STATUS_SHORT;
    *out = c->ptr[c->taken++];
    return STATUS_OK;
}
enum status cursor_u16_be(struct cursor *c, uint16_t *out);
enum status cursor_u32_be(struct cursor *c, uint32_t *out);
enum status cursor_u64_be(struct cursor *c, uint64_t *out);
static inline struct view cursor_rest(const struct cursor *c)
{
    return view_of(cursor_left(c) > 0 ? c->ptr + c->taken : NULL, cursor_left(c));
}

/* --- writer ------------------------------------------------------------------------------ */
struct writer {
    uint8_t *ptr;
    size_t room;
    size_t len;
    bool overflow; /* latched: set once, stays; then nothing more is written */
};

static inline struct writer writer_over(void *ptr, size_t room)
{
    return (struct writer){ .ptr = (uint8_t *)ptr, .room = room, .len = 0, .overflow = false };
}
void writer_bytes(struct writer *w, const void *ptr, size_t len);
static inline void writer_view(struct writer *w, struct view v)
{
    writer_bytes(w, v.ptr, v.len);
}
static inline void writer_text(struct writer *w, const char *text)
{
    writer_bytes(w, text, strlen(text));
}
void writer_u8(struct writer *w, uint8_t value);
void writer_u16_be(struct writer *w, uint16_t value);
void writer_u32_be(struct writer *w, uint32_t value);
void writer_u64_be(struct writer *w, uint64_t value);
/* Decimal text. */
void writer_i64_text(struct writer *w, int64_t value);
void writer_u64_text(struct writer *w, uint64_t value);
/* Decimal, left-padded with zeros to `digits`; latches overflow when the value needs more. */
void writer_u64_padded(struct writer *w, uint64_t value, unsigned digits);
/* Hexadecimal of bytes; upper or lower case letters. */
void writer_hex_upper(struct writer *w, struct view bytes);
void writer_hex_lower(struct writer *w, struct view bytes);
/* printf-style, for messages to people; latches when it does not fit (vsnprintf needs one byte more
 * than the text). */
void writer_format(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline struct view writer_done(const struct writer *w)
{
    return view_of(w->ptr, w->len);
}
static inline enum status writer_status(const struct writer *w)
{
    return w->overflow ? STATUS_FULL : STATUS_OK;
}
/* Writes a closing zero byte (not counted in len) so that ptr can be read as text. */
enum status writer_terminate(struct writer *w);

/* Hexadecimal text to bytes: MALFORMED on odd length or a foreign letter, FULL when out is small.
 */
enum status hex_decode(struct view text, uint8_t *out, size_t room, size_t *out_len);

/* True when the digits pass the Luhn check (ISO/IEC 7812-1 Annex B). */
bool luhn_valid(struct view digits);

#endif
