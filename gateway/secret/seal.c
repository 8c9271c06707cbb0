/* seal.c - AES-256-GCM around what is stored: version 1, nonce 12 bytes, cipher text, tag 16 bytes.
 *
 * Nonces are random: with 96 bits, 2^32 seals under one key keep a repeat below one in 2^32
 * (NIST SP 800-38D section 8.3). The context (whose secret this is) is authenticated, not stored,
 * so a sealed value that was moved to another row does not open. */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret_int.h"

#include <assert.h>

#define VERSION   1u
#define NONCE_LEN 12
#define TAG_LEN   16
#define PLAIN_MAX (16u << 20) /* far over anything that is sealed, far under INT_MAX */

static_assert(SECRET_SEAL_OVERHEAD == 1 + NONCE_LEN + TAG_LEN, "the header tells callers");

/* Room for `len` bytes at the writer's end, not taken yet; NULL (and latched) when there is none.
 */
static uint8_t *room_for(struct writer *out, size_t len)
{
    if (out->overflow || len > out->room - out->len) {
        out->overflow = true;
        return NULL;
    }
    return out->ptr + out->len;
}

static bool add_context(EVP_CIPHER_CTX *ctx, struct view context)
{
    int len = 0;
    return context.len == 0 ||
           EVP_CipherUpdate(ctx, NULL, &len, context.ptr, (int)context.len) == 1;
}

enum status secret_seal(struct secret_key *key, struct view context, struct view plain,
                        struct writer *out)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    if (key->kind != SECRET_SEAL)
        return STATUS_UNSUPPORTED;
    if (plain.len > PLAIN_MAX || context.len > PLAIN_MAX)
        return STATUS_RANGE;
    uint8_t *at = room_for(out, plain.len + SECRET_SEAL_OVERHEAD);
    if (at == NULL)
        return STATUS_FULL;
    uint8_t *nonce = at + 1, *text = nonce + NONCE_LEN;
    int len = 0, rest = 0;
    at[0] = VERSION;
    loop_random(key->loop, nonce, NONCE_LEN);
    bool done = EVP_EncryptInit_ex2(key->encrypt, NULL, NULL, nonce, NULL) == 1 &&
                add_context(key->encrypt, context);
    if (plain.len > 0)
        done = done && EVP_EncryptUpdate(key->encrypt, text, &len, plain.ptr, (int)plain.len) == 1;
    done = done && EVP_EncryptFinal_ex(key->encrypt, text + len, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(key->encrypt, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + plain.len) == 1;
    if (!done)
        return STATUS_NO_MEMORY;
    out->len += plain.len + SECRET_SEAL_OVERHEAD;
    return STATUS_OK;
}

enum status secret_unseal(struct secret_key *key, struct view context, struct view sealed,
                          struct writer *out)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    if (key->kind != SECRET_SEAL)
        return STATUS_UNSUPPORTED;
    if (sealed.len < SECRET_SEAL_OVERHEAD || sealed.ptr[0] != VERSION ||
        sealed.len > PLAIN_MAX + SECRET_SEAL_OVERHEAD || context.len > PLAIN_MAX)
        return STATUS_MISMATCH;
    size_t plain_len = sealed.len - SECRET_SEAL_OVERHEAD;
    uint8_t *at = room_for(out, plain_len);
    if (at == NULL)
        return STATUS_FULL;
    const uint8_t *nonce = sealed.ptr + 1, *text = nonce + NONCE_LEN;
    uint8_t tag[TAG_LEN], none[1];
    int len = 0, rest = 0;
    memcpy(tag, text + plain_len, TAG_LEN); /* the ctrl takes a non-const pointer */
    bool done = EVP_DecryptInit_ex2(key->decrypt, NULL, NULL, nonce, NULL) == 1 &&
                add_context(key->decrypt, context);
    if (plain_len > 0)
        done = done && EVP_DecryptUpdate(key->decrypt, at, &len, text, (int)plain_len) == 1;
    done = done && EVP_CIPHER_CTX_ctrl(key->decrypt, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
           EVP_DecryptFinal_ex(key->decrypt, none, &rest) == 1;
    if (!done) { /* what was decrypted before the tag was looked at must not be seen by anybody */
        vault_wipe(at, plain_len);
        return STATUS_MISMATCH;
    }
    out->len += plain_len;
    return STATUS_OK;
}
