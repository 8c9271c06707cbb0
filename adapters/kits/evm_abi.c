/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_abi.c - see evm_abi.h. Arithmetic is schoolbook on eight limbs of 32 bits.
 */
#include "kits/evm_abi.h"

#include "kits/hex.h"
#include "kits/text.h"

#define LIMBS 8u

/* --- arithmetic ------------------------------------------------------------------------------ */

struct evm_word evm_word_of(uint64_t value)
{
    return (struct evm_word){ { (uint32_t)value, (uint32_t)(value >> 32) } };
}

uint32_t evm_add(struct evm_word *word, const struct evm_word *more)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < LIMBS; i++) {
        carry += (uint64_t)word->limb[i] + more->limb[i];
        word->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return carry == 0;
}

uint32_t evm_subtract(struct evm_word *word, const struct evm_word *less)
{
    uint64_t borrow = 0;
    for (unsigned i = 0; i < LIMBS; i++) {
        uint64_t take = (uint64_t)less->limb[i] + borrow;
        borrow = word->limb[i] < take;
        word->limb[i] = (uint32_t)(word->limb[i] - take);
    }
    return borrow == 0;
}

int evm_compare(const struct evm_word *a, const struct evm_word *b)
{
    for (unsigned i = LIMBS; i > 0; i--)
        if (a->limb[i - 1] != b->limb[i - 1])
            return a->limb[i - 1] < b->limb[i - 1] ? -1 : 1;
    return 0;
}

uint32_t evm_is_zero(const struct evm_word *word)
{
    struct evm_word zero = { { 0 } };
    return evm_compare(word, &zero) == 0;
}

uint32_t evm_scale_up(struct evm_word *word, uint32_t digits)
{
    uint64_t carry = 0;
    for (; digits > 0 && carry == 0; digits--)
        for (unsigned i = 0; i < LIMBS; i++) {
            carry += (uint64_t)word->limb[i] * 10;
            word->limb[i] = (uint32_t)carry;
            carry >>= 32;
        }
    return carry == 0;
}

uint32_t evm_scale_down(struct evm_word *word, uint32_t digits)
{
    uint32_t exact = 1;
    for (; digits > 0; digits--) {
        uint64_t rest = 0;
        for (unsigned i = LIMBS; i > 0; i--) {
            rest = rest << 32 | word->limb[i - 1];
            word->limb[i - 1] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        exact = exact && rest == 0;
    }
    return exact;
}

uint32_t evm_word_i64(const struct evm_word *word, int64_t *value)
{
    struct evm_word most = evm_word_of(INT64_MAX);
    if (evm_compare(word, &most) > 0)
        return 0;
    *value = (int64_t)((uint64_t)word->limb[1] << 32 | word->limb[0]);
    return 1;
}

/* --- text to values -------------------------------------------------------------------------- */

uint32_t evm_read_data(struct rg_bytes text, uint8_t *out, uint64_t len)
{
    return text_starts(text, "0x") && text.len == 2 + 2 * len &&
           hex_read(text.ptr + 2, 2 * len, out, len);
}

uint32_t evm_read_address(struct rg_bytes text, struct evm_address *out)
{
    return evm_read_data(text, out->bytes, sizeof out->bytes);
}

uint32_t evm_read_padded_address(struct rg_bytes text, struct evm_address *out)
{
    uint8_t bytes[32], any = 0;
    if (!evm_read_data(text, bytes, sizeof bytes))
        return 0;
    for (unsigned i = 0; i < 12; i++)
        any |= bytes[i];
    for (unsigned i = 0; i < 20; i++)
        out->bytes[i] = bytes[12 + i];
    return any == 0;
}

static struct evm_word word_from(const uint8_t bytes[32])
{
    struct evm_word word;
    for (unsigned i = 0; i < LIMBS; i++) {
        const uint8_t *at = bytes + 28 - 4 * i;
        word.limb[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    return word;
}

uint32_t evm_read_word(struct rg_bytes text, struct evm_word *out)
{
    uint8_t bytes[32];
    if (!evm_read_data(text, bytes, sizeof bytes))
        return 0;
    *out = word_from(bytes);
    return 1;
}

uint32_t evm_read_quantity(struct rg_bytes text, uint64_t *out)
{
    uint64_t value = 0;
    if (!text_starts(text, "0x") || text.len < 3 || text.len > 18 ||
        (text.len > 3 && text.ptr[2] == '0'))
        return 0;
    for (uint64_t i = 2; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0)
            return 0;
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    return 1;
}

/* A word of the DATA's hexadecimal digits that is small enough to be a length or place. */
static uint32_t small_at(struct rg_bytes digits, uint64_t at, uint64_t max, uint64_t *value)
{
    uint8_t bytes[32];
    int64_t number = 0;
    if (at > digits.len || digits.len - at < 64 || !hex_read(digits.ptr + at, 64, bytes, 32))
        return 0;
    struct evm_word word = word_from(bytes);
    if (!evm_word_i64(&word, &number) || (uint64_t)number > max)
        return 0;
    *value = (uint64_t)number;
    return 1;
}

uint32_t evm_read_reason(struct rg_bytes text, uint8_t *room, uint64_t size, uint64_t *len)
{
    uint64_t offset = 0, count = 0;
    *len = 0;
    if (!text_starts(text, "0x08c379a0"))
        return 0;
    struct rg_bytes digits = text_slice(text, 10, text.len);
    if (!small_at(digits, 0, digits.len / 2, &offset) ||
        !small_at(digits, 2 * offset, digits.len / 2, &count) ||
        count > (digits.len - 2 * offset - 64) / 2)
        return 0;
    uint64_t take = count < size ? count : size;
    if (!hex_read(digits.ptr + 2 * offset + 64, 2 * take, room, size))
        return 0;
    *len = take;
    return 1;
}

/* --- values to text -------------------------------------------------------------------------- */

void evm_put_data(struct rg_buffer *b, struct rg_bytes bytes)
{
    rg_put_text(b, "0x");
    rg_put_hex(b, bytes);
}

void evm_put_address(struct rg_buffer *b, const struct evm_address *address)
{
    evm_put_data(b, (struct rg_bytes){ address->bytes, sizeof address->bytes });
}

void evm_put_quantity(struct rg_buffer *b, uint64_t value)
{
    unsigned shift = 60;
    while (shift > 0 && value >> shift == 0)
        shift -= 4;
    rg_put_text(b, "0x");
    for (;; shift -= 4) {
        rg_put_u8(b, (uint8_t) "0123456789abcdef"[value >> shift & 15]);
        if (shift == 0)
            return;
    }
}

static void put_u32(struct rg_buffer *b, uint32_t value)
{
    uint8_t bytes[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                         (uint8_t)value };
    rg_put_hex(b, (struct rg_bytes){ bytes, sizeof bytes });
}

void evm_put_call(struct rg_buffer *b, uint32_t selector, const struct evm_address *address,
                  const struct evm_word *number)
{
    static const uint8_t zeros[12];
    rg_put_text(b, "0x");
    put_u32(b, selector);
    rg_put_hex(b, (struct rg_bytes){ zeros, sizeof zeros });
    rg_put_hex(b, (struct rg_bytes){ address->bytes, sizeof address->bytes });
    for (unsigned i = LIMBS; i > 0; i--)
        put_u32(b, number->limb[i - 1]);
}
