/* bytes.c - views, cursors and writers: the parts that are more than one line.
 *
 * Nothing here allocates, and nothing trusts a length that it did not compare first. A writer that
 * has overflowed keeps what it held, so that a caller may still log how far it came; it never
 * writes a part of a value.
 */
#include "bytes.h"

#include <stdio.h>

/* --- views ------------------------------------------------------------------------------- */

static uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool view_equal_nocase(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool view_starts_with(struct view a, struct view prefix)
{
    return a.len >= prefix.len && view_equal(view_slice(a, 0, prefix.len), prefix);
}

struct view view_slice(struct view a, size_t from, size_t len)
{
    if (from >= a.len)
        return VIEW_EMPTY;
    size_t left = a.len - from;
    return view_of(a.ptr + from, len < left ? len : left);
}

size_t view_find(struct view a, uint8_t byte)
{
    if (a.len == 0)
        return 0;
    const uint8_t *at = memchr(a.ptr, byte, a.len);
    return at != NULL ? (size_t)(at - a.ptr) : a.len;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view view_trim(struct view a)
{
    while (a.len > 0 && is_blank(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && is_blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

bool view_is_digits(struct view a)
{
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] < '0' || a.ptr[i] > '9')
            return false;
    return a.len > 0;
}

/* Length of the well-formed UTF-8 sequence at ptr, 0 when there is none (RFC 3629, section 4). */
static size_t utf8_sequence(const uint8_t *ptr, size_t left)
{
    uint8_t lead = ptr[0];
    uint8_t low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t len;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2) /* a continuation byte, or an overlong form of ASCII */
        return 0;
    if (lead < 0xE0) {
        len = 2;
    } else if (lead < 0xF0) {
        len = 3;
        if (lead == 0xE0)
            low = 0xA0; /* below: overlong */
        if (lead == 0xED)
            high = 0x9F; /* above: surrogates */
    } else if (lead < 0xF5) {
        len = 4;
        if (lead == 0xF0)
            low = 0x90; /* below: overlong */
        if (lead == 0xF4)
            high = 0x8F; /* above: over U+10FFFF */
    } else {
        return 0;
    }
    if (left < len || ptr[1] < low || ptr[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((ptr[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool view_is_utf8(struct view a)
{
    size_t at = 0;
    while (at < a.len) {
        /* Most text is ASCII: eight bytes at a time. */
        uint64_t eight;
        while (a.len - at >= sizeof eight) {
            memcpy(&eight, a.ptr + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) != 0)
                break;
            at += sizeof eight;
        }
        if (at == a.len)
            break;
        size_t len = utf8_sequence(a.ptr + at, a.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

enum status view_to_u64(struct view a, uint64_t max, uint64_t *out)
{
    if (!view_is_digits(a) || (a.len > 1 && a.ptr[0] == '0'))
        return STATUS_MALFORMED;
    uint64_t value = 0;
    for (size_t i = 0; i < a.len; i++) {
        uint64_t digit = (uint64_t)(a.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return STATUS_RANGE;
        value = value * 10 + digit;
    }
    if (value > max)
        return STATUS_RANGE;
    *out = value;
    return STATUS_OK;
}

enum status view_to_i64(struct view a, int64_t *out)
{
    bool negative = a.len > 0 && a.ptr[0] == '-';
    uint64_t max = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value;
    TRY(view_to_u64(negative ? view_slice(a, 1, a.len) : a, max, &value));
    if (negative && value == 0)
        return STATUS_MALFORMED;
    /* value - 1 first: the negation of INT64_MIN has no int64. */
    *out = negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return STATUS_OK;
}

enum status view_to_text(struct view a, char *out, size_t room)
{
    if (room == 0)
        return STATUS_FULL;
    out[0] = '\0';
    if (a.len >= room)
        return STATUS_FULL;
    if (a.len > 0)
        memcpy(out, a.ptr, a.len);
    out[a.len] = '\0';
    return STATUS_OK;
}

bool view_equal_constant_time(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    /* volatile: the compiler may not leave the loop at the first difference. */
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

/* --- cursor ------------------------------------------------------------------------------ */

static enum status cursor_big_endian(struct cursor *c, size_t len, uint64_t *out)
{
    struct view bytes;
    TRY(cursor_take(c, len, &bytes));
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes.ptr[i];
    *out = value;
    return STATUS_OK;
}

enum status cursor_u16_be(struct cursor *c, uint16_t *out)
{
    uint64_t value;
    TRY(cursor_big_endian(c, 2, &value));
    *out = (uint16_t)value;
    return STATUS_OK;
}

enum status cursor_u32_be(struct cursor *c, uint32_t *out)
{
    uint64_t value;
    TRY(cursor_big_endian(c, 4, &value));
    *out = (uint32_t)value;
    return STATUS_OK;
}

enum status cursor_u64_be(struct cursor *c, uint64_t *out)
{
    return cursor_big_endian(c, 8, out);
}

/* --- writer ------------------------------------------------------------------------------ */

void writer_bytes(struct writer *w, const void *ptr, size_t len)
{
    if (w->overflow || len > w->room - w->len) {
        w->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(w->ptr + w->len, ptr, len);
    w->len += len;
}

/* Brackets, commas and quotes come one by one: no call for each. */
void writer_u8(struct writer *w, uint8_t value)
{
    if (w->overflow || w->len == w->room)
        w->overflow = true;
    else
        w->ptr[w->len++] = value;
}

static void writer_big_endian(struct writer *w, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    writer_bytes(w, bytes, len);
}

void writer_u16_be(struct writer *w, uint16_t value)
{
    writer_big_endian(w, value, 2);
}

void writer_u32_be(struct writer *w, uint32_t value)
{
    writer_big_endian(w, value, 4);
}

void writer_u64_be(struct writer *w, uint64_t value)
{
    writer_big_endian(w, value, 8);
}

/* Decimal digits of value, right-aligned in text; returns where they start. */
static size_t decimal(uint64_t value, char text[static 20])
{
    size_t at = 20;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return at;
}

void writer_u64_text(struct writer *w, uint64_t value)
{
    char text[20];
    size_t at = decimal(value, text);
    writer_bytes(w, text + at, sizeof text - at);
}

void writer_i64_text(struct writer *w, int64_t value)
{
    char text[21];
    uint64_t size = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
    size_t at = 1 + decimal(size, text + 1);
    if (value < 0)
        text[--at] = '-';
    writer_bytes(w, text + at, sizeof text - at);
}

void writer_u64_padded(struct writer *w, uint64_t value, unsigned digits)
{
    char text[20];
    size_t len = sizeof text - decimal(value, text);
    if (len > digits || w->overflow || digits > w->room - w->len) {
        w->overflow = true;
        return;
    }
    memset(w->ptr + w->len, '0', digits - len);
    memcpy(w->ptr + w->len + (digits - len), text + (sizeof text - len), len);
    w->len += digits;
}

static void writer_hex(struct writer *w, struct view bytes, const char *letters)
{
    if (w->overflow || bytes.len > (w->room - w->len) / 2) {
        w->overflow = true;
        return;
    }
    uint8_t *to = w->ptr + w->len;
    for (size_t i = 0; i < bytes.len; i++) {
        *to++ = (uint8_t)letters[bytes.ptr[i] >> 4];
        *to++ = (uint8_t)letters[bytes.ptr[i] & 15];
    }
    w->len += 2 * bytes.len;
}

void writer_hex_upper(struct writer *w, struct view bytes)
{
    writer_hex(w, bytes, "0123456789ABCDEF");
}

void writer_hex_lower(struct writer *w, struct view bytes)
{
    writer_hex(w, bytes, "0123456789abcdef");
}

void writer_format(struct writer *w, const char *format, ...)
{
    if (w->overflow || w->room == w->len) {
        w->overflow = true;
        return;
    }
    va_list args;
    va_start(args, format);
    int len = vsnprintf((char *)w->ptr + w->len, w->room - w->len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= w->room - w->len)
        w->overflow = true;
    else
        w->len += (size_t)len;
}

enum status writer_terminate(struct writer *w)
{
    if (w->overflow || w->len == w->room) {
        w->overflow = true;
        return STATUS_FULL;
    }
    w->ptr[w->len] = '\0';
    return STATUS_OK;
}

/* --- hexadecimal and Luhn ------------------------------------------------------------------ */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum status hex_decode(struct view text, uint8_t *out, size_t room, size_t *out_len)
{
    if (text.len % 2 != 0)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < text.len; i++)
        if (hex_digit(text.ptr[i]) < 0)
            return STATUS_MALFORMED;
    if (text.len / 2 > room)
        return STATUS_FULL;
    for (size_t i = 0; i < text.len / 2; i++)
        out[i] = (uint8_t)(hex_digit(text.ptr[2 * i]) << 4 | hex_digit(text.ptr[2 * i + 1]));
    *out_len = text.len / 2;
    return STATUS_OK;
}

bool luhn_valid(struct view digits)
{
    if (!view_is_digits(digits))
        return false;
    unsigned sum = 0;
    bool twice = false; /* every second digit, counted from the check digit */
    for (size_t i = digits.len; i-- > 0; twice = !twice) {
        unsigned digit = (unsigned)(digits.ptr[i] - '0') * (twice ? 2 : 1);
        sum = (sum + digit / 10 + digit % 10) % 10;
    }
    return sum == 0;
}
