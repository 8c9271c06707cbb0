/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/hex.h - hexadecimal text and bytes. Writing is upper-case. Reading is upper-case only with
 * hex_digit_upper(), for wires where two spellings of one message would defeat a comparison, and
 * either case with hex_digit(), for what people and terminals type.
 */
#ifndef KITS_HEX_H
#define KITS_HEX_H

#include <stdint.h>

/* 0..15, or -1. */
static inline int hex_digit_upper(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static inline int hex_digit(uint8_t c)
{
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : hex_digit_upper(c);
}

static inline uint8_t hex_letter(unsigned nibble)
{
    return (uint8_t)("0123456789ABCDEF"[nibble & 15u]);
}

/* text of `len` hex digits to len / 2 bytes; 1, or 0 when it is odd, too long for `room`, or has
 * another character. */
static inline uint32_t hex_read(const uint8_t *text, uint64_t len, uint8_t *bytes, uint64_t room)
{
    if (len % 2 != 0 || len / 2 > room)
        return 0;
    for (uint64_t i = 0; i < len / 2; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

/* 2 * len characters. */
static inline void hex_write(const uint8_t *bytes, uint64_t len, uint8_t *text)
{
    for (uint64_t i = 0; i < len; i++) {
        text[2 * i] = hex_letter(bytes[i] >> 4);
        text[2 * i + 1] = hex_letter(bytes[i]);
    }
}

#endif
