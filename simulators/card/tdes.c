/* tdes.c - see tdes.h.
 *
 * OpenSSL 3 offers single DES through EVP in the legacy provider only; through the default
 * provider it can be had as triple DES with three equal keys, which was measured at 17 us for the
 * MAC of a 400 byte message against 6 us for libcrypto's DES functions. The simulator shares the
 * machine with the gateway in measurements, so it uses those functions although they are marked as
 * deprecated.
 */
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include "tdes.h"

#include "base/ensure.h"

#include <openssl/des.h>

_Static_assert(sizeof(DES_key_schedule) <= sizeof(((struct tdes_key *)0)->left),
               "a key schedule fits its place");

static DES_key_schedule *left_of(const struct tdes_key *key)
{
    return (DES_key_schedule *)(uintptr_t)key->left; /* libcrypto does not write to it */
}

static DES_key_schedule *right_of(const struct tdes_key *key)
{
    return (DES_key_schedule *)(uintptr_t)key->right;
}

void tdes_key_set(struct tdes_key *key, const uint8_t bytes[TDES_KEY_SIZE])
{
    DES_cblock half;
    memset(key, 0, sizeof *key);
    memcpy(key->bytes, bytes, TDES_KEY_SIZE);
    memcpy(half, bytes, sizeof half);
    DES_set_key_unchecked(&half, left_of(key));
    memcpy(half, bytes + 8, sizeof half);
    DES_set_key_unchecked(&half, right_of(key));
}

static void crypt_block(const struct tdes_key *key, const uint8_t *in, uint8_t *out, int encrypt)
{
    DES_cblock a, b;
    memcpy(a, in, sizeof a);
    DES_ecb3_encrypt(&a, &b, left_of(key), right_of(key), left_of(key), encrypt);
    memcpy(out, b, sizeof b);
}

void tdes_encrypt(const struct tdes_key *key, const uint8_t in[TDES_BLOCK], uint8_t out[TDES_BLOCK])
{
    crypt_block(key, in, out, DES_ENCRYPT);
}

void tdes_decrypt(const struct tdes_key *key, const uint8_t in[TDES_BLOCK], uint8_t out[TDES_BLOCK])
{
    crypt_block(key, in, out, DES_DECRYPT);
}

void tdes_check_value(const struct tdes_key *key, uint8_t out[3])
{
    uint8_t block[TDES_BLOCK] = { 0 };
    tdes_encrypt(key, block, block);
    memcpy(out, block, 3);
}

void tdes_odd_parity(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned ones = (unsigned)__builtin_popcount(bytes[i] & 0xfeu);
        bytes[i] = (uint8_t)((bytes[i] & 0xfeu) | (ones % 2 == 0 ? 1u : 0u));
    }
}

void tdes_retail_mac(const struct tdes_key *key, enum mac_padding padding, struct view data,
                     uint8_t out[TDES_BLOCK])
{
    ENSURE(padding == MAC_PADDING_ZEROS || padding == MAC_PADDING_BIT);
    uint8_t chain[TDES_BLOCK] = { 0 };
    uint8_t last[TDES_BLOCK] = { 0 };
    uint8_t discard[512];
    size_t whole = data.len / TDES_BLOCK * TDES_BLOCK;
    size_t rest = data.len - whole;
    for (size_t at = 0; at < whole; at += sizeof discard) {
        size_t piece = whole - at < sizeof discard ? whole - at : sizeof discard;
        /* The function leaves the last block of output in `chain`. */
        DES_ncbc_encrypt(data.ptr + at, discard, (long)piece, left_of(key), &chain, DES_ENCRYPT);
    }
    if (rest > 0 || padding == MAC_PADDING_BIT || data.len == 0) {
        if (rest > 0)
            memcpy(last, data.ptr + whole, rest);
        if (padding == MAC_PADDING_BIT)
            last[rest] = 0x80;
        DES_ncbc_encrypt(last, discard, TDES_BLOCK, left_of(key), &chain, DES_ENCRYPT);
    }
    DES_cblock block, result;
    memcpy(block, chain, sizeof block);
    DES_ecb_encrypt(&block, &result, right_of(key), DES_DECRYPT);
    DES_ecb_encrypt(&result, &block, left_of(key), DES_ENCRYPT);
    memcpy(out, block, TDES_BLOCK);
}
