/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/evm_abi.h - the coding of Ethereum contract calls and of the values in JSON-RPC, as far as
 * an ERC-20 token needs it. Pure; no memory of its own.
 *
 *     word      an unsigned integer of 256 bits, limb[0] the lowest; arithmetic says when it does
 *               not fit, and never wraps
 *     address   20 bytes
 *     text      JSON-RPC writes DATA as "0x" and two lower-case hexadecimal digits a byte, and
 *               QUANTITY as "0x" and as few digits as it needs. Digits in upper case are read too
 *
 * Selectors are the first four bytes of the Keccak-256 of a function's signature; they are written
 * out here, and tests/scenario/cbdc_evm.py computes them again.
 */
#ifndef KITS_EVM_ABI_H
#define KITS_EVM_ABI_H

#include <railgate/writer.h>

#define EVM_SELECTOR_TRANSFER 0xa9059cbbu /* transfer(address,uint256) */
#define EVM_SELECTOR_MINT     0x40c10f19u /* mint(address,uint256) */
#define EVM_SELECTOR_BURN     0x9dc29facu /* burn(address,uint256) */
#define EVM_SELECTOR_DECIMALS 0x313ce567u /* decimals() */
#define EVM_SELECTOR_ERROR    0x08c379a0u /* Error(string), what a revert carries */
/* Transfer(address,address,uint256), topic 0 of the event. */
#define EVM_TOPIC_TRANSFER "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

struct evm_word {
    uint32_t limb[8];
};

struct evm_address {
    uint8_t bytes[20];
};

/* --- arithmetic; 1, or 0 when the result does not fit (then *word is not to be used) --------- */
struct evm_word evm_word_of(uint64_t value);
uint32_t evm_add(struct evm_word *word, const struct evm_word *more);
/* word must not be less. */
uint32_t evm_subtract(struct evm_word *word, const struct evm_word *less);
/* -1, 0, 1 */
int evm_compare(const struct evm_word *a, const struct evm_word *b);
uint32_t evm_is_zero(const struct evm_word *word);
/* Times ten to the power of `digits`. */
uint32_t evm_scale_up(struct evm_word *word, uint32_t digits);
/* Divided by that; returns 1 when nothing is left over, 0 when it was cut off. */
uint32_t evm_scale_down(struct evm_word *word, uint32_t digits);
/* 1 and the number when it is at most INT64_MAX. */
uint32_t evm_word_i64(const struct evm_word *word, int64_t *value);

/* --- text to values; 1, or 0 when it is not exactly that -------------------------------------- */
uint32_t evm_read_address(struct rg_bytes text, struct evm_address *out);
/* An address as a word: twelve zero bytes in front (topics of an event). */
uint32_t evm_read_padded_address(struct rg_bytes text, struct evm_address *out);
/* DATA of exactly 32 bytes. */
uint32_t evm_read_word(struct rg_bytes text, struct evm_word *out);
uint32_t evm_read_quantity(struct rg_bytes text, uint64_t *out);
/* DATA of exactly `len` bytes. */
uint32_t evm_read_data(struct rg_bytes text, uint8_t *out, uint64_t len);
/* The text in the DATA of a revert, Error(string): at most `size` bytes of it; 0 when it is none.
 */
uint32_t evm_read_reason(struct rg_bytes text, uint8_t *room, uint64_t size, uint64_t *len);

static inline uint32_t evm_same(const struct evm_address *a, const struct evm_address *b)
{
    return rg_same((struct rg_bytes){ a->bytes, 20 }, (struct rg_bytes){ b->bytes, 20 });
}

static inline uint32_t evm_is_nobody(const struct evm_address *a)
{
    struct evm_address nobody = { { 0 } };
    return evm_same(a, &nobody);
}

/* --- values to text ------------------------------------------------------------------------- */
void evm_put_data(struct rg_buffer *b, struct rg_bytes bytes);
void evm_put_address(struct rg_buffer *b, const struct evm_address *address);
void evm_put_quantity(struct rg_buffer *b, uint64_t value);
/* "0x", selector, address and number: a call of f(address,uint256), DATA without its end so that
 * more can follow. */
void evm_put_call(struct rg_buffer *b, uint32_t selector, const struct evm_address *address,
                  const struct evm_word *number);

#endif
