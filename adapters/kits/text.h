/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/text.h - small questions about borrowed bytes: equal, digits, a number, a letter of UTF-8.
 * Pure, nothing is taken, nothing is zero-terminated.
 */
#ifndef KITS_TEXT_H
#define KITS_TEXT_H

#include <railgate/adapter.h>

static inline struct rg_bytes text_of(const char *literal)
{
    uint64_t len = 0;
    while (literal[len] != '\0')
        len++;
    return (struct rg_bytes){ (const uint8_t *)literal, len };
}

/* The part from `from` on, at most `len` bytes; clamps. */
static inline struct rg_bytes text_slice(struct rg_bytes text, uint64_t from, uint64_t len)
{
    if (from >= text.len)
        return (struct rg_bytes){ NULL, 0 };
    return (struct rg_bytes){ text.ptr + from, len < text.len - from ? len : text.len - from };
}

static inline uint32_t text_same(struct rg_bytes a, struct rg_bytes b)
{
    if (a.len != b.len)
        return 0;
    for (uint64_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i])
            return 0;
    return 1;
}

static inline uint32_t text_is(struct rg_bytes a, const char *literal)
{
    return text_same(a, text_of(literal));
}

static inline uint8_t text_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* ASCII case is ignored. */
static inline uint32_t text_same_nocase(struct rg_bytes a, struct rg_bytes b)
{
    if (a.len != b.len)
        return 0;
    for (uint64_t i = 0; i < a.len; i++)
        if (text_lower(a.ptr[i]) != text_lower(b.ptr[i]))
            return 0;
    return 1;
}

static inline uint32_t text_starts(struct rg_bytes a, const char *prefix)
{
    struct rg_bytes p = text_of(prefix);
    return a.len >= p.len && text_same((struct rg_bytes){ a.ptr, p.len }, p);
}

/* At least one byte, and all are ASCII digits. */
static inline uint32_t text_digits(struct rg_bytes a)
{
    for (uint64_t i = 0; i < a.len; i++)
        if (a.ptr[i] < '0' || a.ptr[i] > '9')
            return 0;
    return a.len > 0;
}

/* Exact decimal, no sign, no leading zeros except "0", at most `max`: 1, else 0. */
static inline uint32_t text_number(struct rg_bytes a, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (!text_digits(a) || (a.len > 1 && a.ptr[0] == '0'))
        return 0;
    for (uint64_t i = 0; i < a.len; i++) {
        uint64_t digit = (uint64_t)(a.ptr[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
}

/* Length in bytes of the letter at the front (1..4), 0 when it is not well-formed UTF-8 (RFC 3629).
 */
static inline uint32_t text_letter(struct rg_bytes a)
{
    if (a.len < 1)
        return 0;
    uint8_t c = a.ptr[0];
    if (c < 0x80)
        return 1;
    uint32_t len = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 ? 4 : 0;
    if (len == 0 || c > 0xF4 || a.len < len)
        return 0;
    for (uint32_t i = 1; i < len; i++)
        if ((a.ptr[i] & 0xC0u) != 0x80u)
            return 0;
    uint8_t second = a.ptr[1];
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
        (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F))
        return 0;
    return len;
}

/* Letters (code points) of a text; 0 with *good 0 when it is not UTF-8. */
static inline uint64_t text_letters(struct rg_bytes a, uint32_t *good)
{
    uint64_t letters = 0;
    *good = 1;
    while (a.len > 0) {
        uint32_t len = text_letter(a);
        if (len == 0) {
            *good = 0;
            return 0;
        }
        a.ptr += len;
        a.len -= len;
        letters++;
    }
    return letters;
}

#endif
