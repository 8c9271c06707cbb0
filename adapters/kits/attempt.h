/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/attempt.h - the name of an attempt in the letters that a channel allows, and back.
 *
 * command.attempt_id is "att_" and 13 letters of Crockford's base 32 (lower case, no i, l, o, u): a
 * positive 63-bit number. A channel's own reference (txid, EndToEndId, structured creditor
 * reference) holds that number in fixed width, so that a notice names its attempt by itself:
 *
 *     ATTEMPT_BASE36   13 letters, 0-9 A-Z
 *     ATTEMPT_BASE62   11 letters, 0-9 A-Z a-z
 *     ATTEMPT_DIGITS   19 digits
 *
 * Reading is strict: exact width, exact letters, a number from 1 to 2^63 - 1.
 */
#ifndef KITS_ATTEMPT_H
#define KITS_ATTEMPT_H

#include <railgate/writer.h>

#define ATTEMPT_TEXT_LEN   17 /* "att_" and 13 letters */
#define ATTEMPT_BASE36_LEN 13
#define ATTEMPT_BASE62_LEN 11
#define ATTEMPT_DIGITS_LEN 19

#define ATTEMPT_CROCKFORD "0123456789abcdefghjkmnpqrstvwxyz"
#define ATTEMPT_BASE62    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The first `base` letters of `letters` are the digits. 1, or 0 when the text is not such a number.
 */
static inline uint32_t attempt_number_of(const uint8_t *text, uint64_t len, const char *letters,
                                         uint64_t base, uint64_t *number)
{
    uint64_t value = 0;
    for (uint64_t i = 0; i < len; i++) {
        uint64_t digit = 0;
        while (digit < base && (uint8_t)letters[digit] != text[i])
            digit++;
        if (digit == base || value > (INT64_MAX - digit) / base)
            return 0;
        value = value * base + digit;
    }
    *number = value;
    return value > 0 ? 1 : 0;
}

static inline void attempt_put_number(struct rg_buffer *b, uint64_t number, const char *letters,
                                      uint64_t base, unsigned width)
{
    uint8_t text[32];
    for (unsigned i = width; i > 0; i--) {
        text[i - 1] = (uint8_t)letters[number % base];
        number /= base;
    }
    rg_put(b, text, width);
}

/* "att_..." to its number; 1, or 0 when it is none. */
static inline uint32_t attempt_read(struct rg_bytes text, uint64_t *number)
{
    return text.len == ATTEMPT_TEXT_LEN && text.ptr[0] == 'a' && text.ptr[1] == 't' &&
                   text.ptr[2] == 't' && text.ptr[3] == '_'
               ? attempt_number_of(text.ptr + 4, 13, ATTEMPT_CROCKFORD, 32, number)
               : 0;
}

static inline void attempt_put(struct rg_buffer *b, uint64_t number)
{
    rg_put_text(b, "att_");
    attempt_put_number(b, number, ATTEMPT_CROCKFORD, 32, 13);
}

static inline void attempt_put_base36(struct rg_buffer *b, uint64_t number)
{
    attempt_put_number(b, number, ATTEMPT_BASE62, 36, ATTEMPT_BASE36_LEN);
}

static inline uint32_t attempt_read_base36(struct rg_bytes text, uint64_t *number)
{
    return text.len == ATTEMPT_BASE36_LEN
               ? attempt_number_of(text.ptr, text.len, ATTEMPT_BASE62, 36, number)
               : 0;
}

static inline void attempt_put_base62(struct rg_buffer *b, uint64_t number)
{
    attempt_put_number(b, number, ATTEMPT_BASE62, 62, ATTEMPT_BASE62_LEN);
}

static inline uint32_t attempt_read_base62(struct rg_bytes text, uint64_t *number)
{
    return text.len == ATTEMPT_BASE62_LEN
               ? attempt_number_of(text.ptr, text.len, ATTEMPT_BASE62, 62, number)
               : 0;
}

static inline void attempt_put_digits(struct rg_buffer *b, uint64_t number)
{
    attempt_put_number(b, number, ATTEMPT_BASE62, 10, ATTEMPT_DIGITS_LEN);
}

static inline uint32_t attempt_read_digits(struct rg_bytes text, uint64_t *number)
{
    return text.len == ATTEMPT_DIGITS_LEN
               ? attempt_number_of(text.ptr, text.len, ATTEMPT_BASE62, 10, number)
               : 0;
}

#endif
