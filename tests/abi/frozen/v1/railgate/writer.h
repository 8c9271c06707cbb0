/* SPDX-License-Identifier: Apache-2.0
 *
 * railgate/writer.h - inline writers into the host's rooms. Overflow latches: write all, then look
 * at buffer.overflow once (the host looks as well and treats an overflow as FAIL).
 */
#ifndef RAILGATE_WRITER_H
#define RAILGATE_WRITER_H

#include <railgate/adapter.h>

static inline void rg_put(struct rg_buffer *b, const void *bytes, uint64_t len)
{
    if (b->overflow != 0 || len > b->room - b->len) {
        b->overflow = 1;
        return;
    }
    for (uint64_t i = 0; i < len; i++)
        b->ptr[b->len + i] = ((const uint8_t *)bytes)[i];
    b->len += len;
}

static inline void rg_put_u8(struct rg_buffer *b, uint8_t value)
{
    rg_put(b, &value, 1);
}

static inline void rg_put_bytes(struct rg_buffer *b, struct rg_bytes bytes)
{
    rg_put(b, bytes.ptr, bytes.len);
}

static inline void rg_put_text(struct rg_buffer *b, const char *text)
{
    uint64_t len = 0;
    while (text[len] != '\0')
        len++;
    rg_put(b, text, len);
}

/* Decimal, left-padded with zeros to `digits` (1..20); latches when the value needs more. */
static inline void rg_put_digits(struct rg_buffer *b, uint64_t value, unsigned digits)
{
    uint8_t text[20];
    if (digits < 1 || digits > sizeof text) {
        b->overflow = 1;
        return;
    }
    for (unsigned i = digits; i > 0; i--) {
        text[i - 1] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    if (value != 0) {
        b->overflow = 1;
        return;
    }
    rg_put(b, text, digits);
}

/* Decimal, as short as it is, with a minus sign when it has one. */
static inline void rg_put_i64(struct rg_buffer *b, int64_t value)
{
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint8_t text[20];
    unsigned at = sizeof text;
    do {
        text[--at] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        rg_put_u8(b, '-');
    rg_put(b, text + at, sizeof text - at);
}

/* Hexadecimal in lower case. */
static inline void rg_put_hex(struct rg_buffer *b, struct rg_bytes bytes)
{
    for (uint64_t i = 0; i < bytes.len; i++) {
        rg_put_u8(b, (uint8_t) "0123456789abcdef"[bytes.ptr[i] >> 4]);
        rg_put_u8(b, (uint8_t) "0123456789abcdef"[bytes.ptr[i] & 15]);
    }
}

/* The bytes of hexadecimal text in either case; 1, or 0 when it is none (or empty). */
static inline uint32_t rg_put_unhex(struct rg_buffer *b, struct rg_bytes text)
{
    uint8_t byte = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint8_t digit = 16;
        if (c >= '0' && c <= '9')
            digit = (uint8_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            digit = (uint8_t)((c | 0x20) - 'a' + 10);
        if (digit > 15)
            return 0;
        byte = (uint8_t)(byte << 4 | digit);
        if (i % 2 == 1)
            rg_put_u8(b, byte);
    }
    return text.len > 0 && text.len % 2 == 0 ? 1 : 0;
}

/* Exact decimal digits up to `max`: 1, or 0 for anything else. */
static inline uint32_t rg_number(struct rg_bytes digits, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (uint64_t i = 0; i < digits.len; i++) {
        uint64_t digit = (uint64_t)digits.ptr[i] - '0';
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9' || value > (UINT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return digits.len > 0 && value <= max ? 1 : 0;
}

/* The same bytes? */
static inline uint32_t rg_same(struct rg_bytes a, struct rg_bytes b)
{
    for (uint64_t i = 0; a.len == b.len && i < a.len; i++)
        if (a.ptr[i] != b.ptr[i])
            return 0;
    return a.len == b.len ? 1 : 0;
}

/* Adds a row; latches t->text.overflow when rows or room run out. */
static inline void rg_table_put(struct rg_table *t, const char *name, const void *value,
                                uint64_t len, uint32_t flags)
{
    if (t->count >= t->room || t->text.overflow != 0) {
        t->text.overflow = 1;
        return;
    }
    uint64_t name_at = t->text.len;
    rg_put_text(&t->text, name);
    uint64_t value_at = t->text.len;
    rg_put(&t->text, value, len);
    if (t->text.overflow != 0)
        return;
    struct rg_named *row = &t->rows[t->count++];
    row->name.ptr = t->text.ptr + name_at;
    row->name.len = value_at - name_at;
    row->value.ptr = t->text.ptr + value_at;
    row->value.len = len;
    row->flags = flags;
    row->reserved = 0;
}

static inline void rg_table_put_text(struct rg_table *t, const char *name, const char *value)
{
    uint64_t len = 0;
    while (value[len] != '\0')
        len++;
    rg_table_put(t, name, value, len, 0);
}

/* --- HTTP ---------------------------------------------------------------------------------- */

/* A header of the request; the name in lower case. */
static inline void rg_header_bytes(struct rg_out *out, const char *name, struct rg_bytes value)
{
    rg_table_put(&out->headers, name, value.ptr, value.len, 0);
}

static inline void rg_header(struct rg_out *out, const char *name, const char *value)
{
    rg_table_put_text(&out->headers, name, value);
}

/* A header whose end the host fills in: `slot` names a granted token, or a KEY setting of kind
 * token. rg_header_slot(out, "authorization", "Bearer ", "token") */
static inline void rg_header_slot(struct rg_out *out, const char *name, const char *prefix,
                                  const char *slot)
{
    uint8_t value[160];
    struct rg_buffer b = { value, sizeof value, 0, 0, 0 };
    rg_put_text(&b, prefix);
    rg_put_u8(&b, 0);
    rg_put_text(&b, slot);
    if (b.overflow != 0) {
        out->headers.text.overflow = 1;
        return;
    }
    rg_table_put(&out->headers, name, value, b.len, RG_NAMED_SLOT);
}

/* The value of a header in "name: value\n" lines (event.headers, notice.headers), name in lower
 * case. The first of several; empty when there is none. */
static inline struct rg_bytes rg_header_value(struct rg_bytes headers, const char *name)
{
    struct rg_bytes none = { NULL, 0 };
    for (uint64_t start = 0, end; start < headers.len; start = end + 1) {
        uint64_t k = 0;
        for (end = start; end < headers.len && headers.ptr[end] != '\n';)
            end++;
        while (name[k] != '\0' && start + k < end && headers.ptr[start + k] == (uint8_t)name[k])
            k++;
        uint64_t value = start + k + 2;
        if (name[k] == '\0' && value <= end && headers.ptr[start + k] == ':' &&
            headers.ptr[start + k + 1] == ' ') {
            struct rg_bytes found = { headers.ptr + value, end - value };
            return found;
        }
    }
    return none;
}

/* A key that came wrapped under another; kcv_len is 0 or 3. name and wrapped_by are setting rows of
 * type KEY. */
static inline void rg_table_put_wrapped_key(struct rg_table *grants, const char *name,
                                            const char *wrapped_by, const uint8_t *wrapped,
                                            uint64_t wrapped_len, const uint8_t *kcv,
                                            uint64_t kcv_len)
{
    uint8_t value[160];
    struct rg_buffer b = { value, sizeof value, 0, 0, 0 };
    rg_put_text(&b, wrapped_by);
    rg_put_u8(&b, 0);
    rg_put_u8(&b, (uint8_t)kcv_len);
    rg_put(&b, kcv, kcv_len);
    rg_put(&b, wrapped, wrapped_len);
    if (b.overflow != 0) {
        grants->text.overflow = 1;
        return;
    }
    rg_table_put(grants, name, value, b.len, RG_NAMED_SENSITIVE);
}

/* --- reading ------------------------------------------------------------------------------- */

/* The row with this name, or NULL. */
static inline const struct rg_named *rg_find(const struct rg_named *rows, uint64_t count,
                                             const char *name)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = 0;
        while (k < rows[i].name.len && name[k] != '\0' && rows[i].name.ptr[k] == (uint8_t)name[k])
            k++;
        if (k == rows[i].name.len && name[k] == '\0')
            return &rows[i];
    }
    return NULL;
}

/* The value of the row with this name; empty when there is none. */
static inline struct rg_bytes rg_named_view(const struct rg_named *rows, uint64_t count,
                                            const char *name)
{
    const struct rg_named *row = rg_find(rows, count, name);
    struct rg_bytes none = { NULL, 0 };
    return row != NULL ? row->value : none;
}

#endif
