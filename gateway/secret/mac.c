/* mac.c - MAC, HMAC and their comparison, on contexts that key.c prepared.
 *
 * The retail MAC (ISO/IEC 9797-1 algorithm 3, ANSI X9.19) is DES-CBC under K1 over all blocks, and
 * for the last block then decrypt under K2, encrypt under K1. Those three steps on the last block
 * are TDES-EDE under K1, K2, K1 of (last block xor chain), which is how it is written here. */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret_int.h"

#define CHUNK 256 /* bytes of cipher text thrown away at a time; a multiple of DES_BLOCK */

/* CBC over whole blocks; `chain` is the last cipher block, zeros before the first. */
#ifdef SECRET_SINGLE_DES
static bool chain_blocks(struct secret_key *key, const uint8_t *ptr, size_t len,
                         uint8_t chain[DES_BLOCK])
{
    DES_cblock zeros = { 0 };
    ENSURE(len <= LONG_MAX && len % DES_BLOCK == 0);
    if (len > 0)
        (void)DES_cbc_cksum(ptr, (DES_cblock *)chain, (long)len, &key->single, &zeros);
    return true;
}
#else
static bool chain_blocks(struct secret_key *key, const uint8_t *ptr, size_t len,
                         uint8_t chain[DES_BLOCK])
{
    uint8_t scratch[CHUNK];
    static const uint8_t zeros[DES_BLOCK];
    if (len == 0)
        return true;
    if (EVP_EncryptInit_ex2(key->chain, NULL, NULL, zeros, NULL) != 1)
        return false;
    while (len > 0) {
        int part = len < CHUNK ? (int)len : CHUNK;
        int out = 0;
        if (EVP_EncryptUpdate(key->chain, scratch, &out, ptr, part) != 1 || out != part)
            return false;
        memcpy(chain, scratch + part - DES_BLOCK, DES_BLOCK);
        ptr += part;
        len -= (size_t)part;
    }
    return true;
}
#endif

/* The last block with its padding: method 1 adds zeros as needed (an empty message is one block of
 * zeros), method 2 always adds 80 and then zeros. Returns how many bytes stand before it. */
static size_t last_block(enum secret_kind kind, struct view bytes, uint8_t last[DES_BLOCK])
{
    memset(last, 0, DES_BLOCK);
    size_t tail = bytes.len % DES_BLOCK;
    if (kind == SECRET_RETAIL_MAC && tail == 0 && bytes.len > 0)
        tail = DES_BLOCK;
    size_t before = bytes.len - tail;
    if (tail > 0)
        memcpy(last, bytes.ptr + before, tail);
    if (kind == SECRET_RETAIL_MAC_PAD2)
        last[tail] = 0x80;
    return before;
}

static enum status retail_mac(struct secret_key *key, struct view bytes, uint8_t out[DES_BLOCK])
{
    uint8_t last[DES_BLOCK], chain[DES_BLOCK] = { 0 };
    int len = 0;
    size_t before = last_block(key->kind, bytes, last);
    bool done = chain_blocks(key, bytes.ptr, before, chain);
    for (size_t i = 0; i < DES_BLOCK; i++)
        last[i] ^= chain[i];
    done =
        done && EVP_EncryptUpdate(key->last, out, &len, last, DES_BLOCK) == 1 && len == DES_BLOCK;
    vault_wipe(last, sizeof last);
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status evp_mac(struct secret_key *key, struct view bytes, uint8_t out[SECRET_MAC_MAX])
{
    size_t len = 0;
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(key->mac, bytes.ptr, bytes.len) != 1 ||
        EVP_MAC_final(key->mac, out, &len, SECRET_MAC_MAX) != 1)
        return STATUS_NO_MEMORY;
    return STATUS_OK;
}

enum status secret_mac(struct secret_key *key, struct view bytes, uint8_t out[SECRET_MAC_MAX],
                       size_t *len)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    *len = 0;
    switch (key->kind) {
    case SECRET_RETAIL_MAC:
    case SECRET_RETAIL_MAC_PAD2: TRY(retail_mac(key, bytes, out)); break;
    case SECRET_AES_CMAC:
    case SECRET_HMAC_SHA256: TRY(evp_mac(key, bytes, out)); break;
    default: return STATUS_UNSUPPORTED;
    }
    *len = key->kind == SECRET_HMAC_SHA256 ? 32 : 8;
    return STATUS_OK;
}

enum status secret_derive(struct secret_key *key, struct view label, struct secret_key **out)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    *out = NULL;
    if (key->kind != SECRET_HMAC_SHA256)
        return STATUS_UNSUPPORTED;
    uint8_t bytes[SECRET_MAC_MAX];
    size_t len = 0;
    enum status status = secret_mac(key, label, bytes, &len);
    if (status == STATUS_OK)
        status = secret_key_open(key->loop, SECRET_HMAC_SHA256, view_of(bytes, len), out);
    vault_wipe(bytes, sizeof bytes);
    return status;
}

enum status secret_sign(struct secret_key *key, struct view bytes,
                        uint8_t out[SECRET_SIGNATURE_MAX], size_t *len)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    _Static_assert(SECRET_MAC_MAX <= SECRET_SIGNATURE_MAX, "a MAC fits where a signature does");
    if (key->kind != SECRET_SIGN_ED25519 && key->kind != SECRET_SIGN_ES256)
        return secret_mac(key, bytes, out, len);
    *len = 0;
    TRY(secret_pair_sign(key, bytes, out));
    *len = SECRET_SIGNATURE_MAX;
    return STATUS_OK;
}

enum status secret_verify(struct secret_key *key, struct view bytes, struct view signature)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    if (key->kind == SECRET_VERIFY_ED25519 || key->kind == SECRET_VERIFY_ES256)
        return secret_pair_verify(key, bytes, signature);
    uint8_t expected[SECRET_MAC_MAX];
    size_t len = 0;
    TRY(secret_mac(key, bytes, expected, &len));
    bool equal = view_equal_constant_time(view_of(expected, len), signature);
    vault_wipe(expected, sizeof expected);
    return equal ? STATUS_OK : STATUS_MISMATCH;
}
