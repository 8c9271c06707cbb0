/* key.c - one key: bytes in, prepared contexts out; the bytes themselves are not kept.
 *
 * Each kind is a row of `kinds`: its word, the lengths it allows, and the function that prepares
 * it. OpenSSL 3 keeps single DES in its legacy provider, which a hardened machine does not load. So
 * the retail MAC's chain uses the older functions for it, which are in the library itself, and
 * where those are gone DES-EDE3 with the same key three times, which is the same at three times the
 * cost.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret_int.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

enum { DECRYPT = 0, ENCRYPT = 1 };

/* A context with its key set and padding off; *out stays NULL when OpenSSL refuses. */
static enum status prepare_cipher(EVP_CIPHER_CTX **out, const char *cipher_name, const uint8_t *key,
                                  int direction)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, cipher_name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = cipher != NULL && ctx != NULL;
    if (done) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        done = EVP_CipherInit_ex2(ctx, cipher, key, NULL, direction, NULL) == 1 &&
               EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
    }
    EVP_CIPHER_free(cipher); /* the context holds its own reference */
    if (!done) {
        EVP_CIPHER_CTX_free(ctx);
        return STATUS_NO_MEMORY;
    }
    *out = ctx;
    return STATUS_OK;
}

static enum status prepare_mac(EVP_MAC_CTX **out, const char *mac_name, const char *param_name,
                               const char *param, struct view bytes)
{
    char value[32];
    TRY(view_to_text(view_text(param), value, sizeof value));
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(param_name, value, 0),
                            OSSL_PARAM_construct_end() };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, mac_name, NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (ctx == NULL || EVP_MAC_init(ctx, bytes.ptr, bytes.len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return STATUS_NO_MEMORY;
    }
    *out = ctx;
    return STATUS_OK;
}

/* --- check value ----------------------------------------------------------------------------- */

static enum status take_check_value(struct secret_key *key, const char *cipher_name,
                                    const uint8_t *bytes)
{
    static const uint8_t zeros[16];
    uint8_t block[16];
    int len = 0;
    EVP_CIPHER_CTX *ctx = NULL;
    TRY(prepare_cipher(&ctx, cipher_name, bytes, ENCRYPT));
    int block_len = EVP_CIPHER_CTX_get_block_size(ctx);
    int done = block_len <= 16 && EVP_EncryptUpdate(ctx, block, &len, zeros, block_len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!done)
        return STATUS_NO_MEMORY;
    memcpy(key->check_value, block, sizeof key->check_value);
    return STATUS_OK;
}

/* --- one function per kind ------------------------------------------------------------------- */

/* 16 bytes are K1 K2 K1, 24 are K1 K2 K3. */
static void spread_tdes(struct view bytes, uint8_t out[24])
{
    memcpy(out, bytes.ptr, bytes.len);
    if (bytes.len == 16)
        memcpy(out + 16, bytes.ptr, DES_BLOCK);
}

static enum status prepare_retail(struct secret_key *key, struct view bytes)
{
    uint8_t k1[24], spread[24];
    for (size_t i = 0; i < 3; i++)
        memcpy(k1 + i * DES_BLOCK, bytes.ptr, DES_BLOCK);
    spread_tdes(bytes, spread);
#ifdef SECRET_SINGLE_DES
    DES_set_key_unchecked((const_DES_cblock *)k1, &key->single); /* parity bits do not matter */
    enum status status = STATUS_OK;
#else
    enum status status = prepare_cipher(&key->chain, "DES-EDE3-CBC", k1, ENCRYPT);
#endif
    if (status == STATUS_OK)
        status = prepare_cipher(&key->last, "DES-EDE3-ECB", spread, ENCRYPT);
    if (status == STATUS_OK)
        status = take_check_value(key, "DES-EDE3-ECB", spread);
    vault_wipe(k1, sizeof k1);
    vault_wipe(spread, sizeof spread);
    return status;
}

static enum status prepare_wrap_tdes(struct secret_key *key, struct view bytes)
{
    uint8_t spread[24];
    spread_tdes(bytes, spread);
    enum status status = prepare_cipher(&key->decrypt, "DES-EDE3-ECB", spread, DECRYPT);
    if (status == STATUS_OK)
        status = take_check_value(key, "DES-EDE3-ECB", spread);
    vault_wipe(spread, sizeof spread);
    return status;
}

/* "AES-128-ECB" and the like. */
static enum status aes_name(char out[32], const char *mode, size_t key_len)
{
    struct writer w = writer_over(out, 32);
    writer_format(&w, "AES-%u-%s", (unsigned)key_len * 8, mode);
    return writer_terminate(&w);
}

static enum status prepare_wrap_aes(struct secret_key *key, struct view bytes)
{
    char wrap[32], ecb[32];
    TRY(aes_name(wrap, "WRAP", bytes.len));
    TRY(aes_name(ecb, "ECB", bytes.len));
    TRY(prepare_cipher(&key->decrypt, wrap, bytes.ptr, DECRYPT));
    return take_check_value(key, ecb, bytes.ptr);
}

static enum status prepare_cmac(struct secret_key *key, struct view bytes)
{
    char cbc[32], ecb[32];
    TRY(aes_name(cbc, "CBC", bytes.len));
    TRY(aes_name(ecb, "ECB", bytes.len));
    TRY(prepare_mac(&key->mac, "CMAC", OSSL_MAC_PARAM_CIPHER, cbc, bytes));
    return take_check_value(key, ecb, bytes.ptr);
}

static enum status prepare_hmac(struct secret_key *key, struct view bytes)
{
    return prepare_mac(&key->mac, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256", bytes);
}

static enum status prepare_seal(struct secret_key *key, struct view bytes)
{
    TRY(prepare_cipher(&key->encrypt, "AES-256-GCM", bytes.ptr, ENCRYPT));
    TRY(prepare_cipher(&key->decrypt, "AES-256-GCM", bytes.ptr, DECRYPT));
    return take_check_value(key, "AES-256-ECB", bytes.ptr);
}

static const struct kind_row {
    enum secret_kind kind;
    const char *word;
    size_t len_min, len_max, len_step; /* bytes */
    enum status (*prepare)(struct secret_key *key, struct view bytes);
    bool has_check_value;
} kinds[] = {
    { SECRET_RETAIL_MAC, "retail_mac", 16, 16, 8, prepare_retail, true },
    { SECRET_RETAIL_MAC_PAD2, "retail_mac_pad2", 16, 16, 8, prepare_retail, true },
    { SECRET_AES_CMAC, "aes_cmac", 16, 32, 8, prepare_cmac, true },
    { SECRET_HMAC_SHA256, "hmac_sha256", 16, 128, 1, prepare_hmac, false },
    { SECRET_WRAP_TDES, "wrap_tdes", 16, 24, 8, prepare_wrap_tdes, true },
    { SECRET_WRAP_AES, "wrap_aes", 16, 32, 8, prepare_wrap_aes, true },
    { SECRET_SEAL, "seal", 32, 32, 1, prepare_seal, true },
    { SECRET_TOKEN, "token", 1, SECRET_TOKEN_MAX, 1, secret_prepare_token, false },
    { SECRET_SIGN_ED25519, "sign_ed25519", 32, 32, 1, secret_prepare_ed25519, false },
    { SECRET_VERIFY_ED25519, "verify_ed25519", 32, 32, 1, secret_prepare_ed25519, false },
    { SECRET_SIGN_ES256, "sign_es256", 32, 32, 1, secret_prepare_es256, false },
    { SECRET_VERIFY_ES256, "verify_es256", 65, 65, 1, secret_prepare_es256, false },
};

static const struct kind_row *kind_row(enum secret_kind kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

enum status secret_kind_parse(struct view word, enum secret_kind *out)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (view_is(word, kinds[i].word)) {
            *out = kinds[i].kind;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* --- life ------------------------------------------------------------------------------------ */

enum status secret_key_open(struct loop *loop, enum secret_kind kind, struct view bytes,
                            struct secret_key **out)
{
    const struct kind_row *row = kind_row(kind);
    ENSURE(row != NULL);
    *out = NULL;
    if (bytes.len < row->len_min || bytes.len > row->len_max || bytes.len % row->len_step != 0)
        return STATUS_RANGE;
    struct secret_key *key = vault_alloc(sizeof *key);
    if (key == NULL)
        return STATUS_NO_MEMORY;
    key->magic = KEY_MAGIC;
    key->kind = kind;
    key->loop = loop;
    enum status status = row->prepare(key, bytes);
    if (status != STATUS_OK) {
        secret_key_close(key);
        return status;
    }
    *out = key;
    return STATUS_OK;
}

void secret_key_close(struct secret_key *key)
{
    if (key == NULL)
        return;
    ENSURE_MAGIC(key, KEY_MAGIC);
    EVP_CIPHER_CTX_free(key->chain);
    EVP_CIPHER_CTX_free(key->last);
    EVP_CIPHER_CTX_free(key->encrypt);
    EVP_CIPHER_CTX_free(key->decrypt);
    EVP_MAC_CTX_free(key->mac);
    EVP_PKEY_free(key->pair);
    vault_free(key->token);
    vault_free(key);
}

enum secret_kind secret_kind_of(const struct secret_key *key)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    return key->kind;
}

enum status secret_check_value(struct secret_key *key, uint8_t out[3])
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    if (!kind_row(key->kind)->has_check_value)
        return STATUS_UNSUPPORTED;
    memcpy(out, key->check_value, sizeof key->check_value);
    return STATUS_OK;
}

/* --- unwrap ---------------------------------------------------------------------------------- */

/* Decrypts into `plain` (64 bytes). MISMATCH when AES key wrap finds its integrity value broken. */
static enum status decrypt_wrapped(struct secret_key *wrapping, struct view wrapped, uint8_t *plain,
                                   size_t *plain_len)
{
    int len = 0;
    if (wrapping->kind == SECRET_WRAP_TDES && (wrapped.len < 16 || wrapped.len > 32))
        return STATUS_RANGE;
    if (wrapping->kind == SECRET_WRAP_AES && (wrapped.len < 24 || wrapped.len > 40))
        return STATUS_RANGE;
    if (wrapped.len % 8 != 0)
        return STATUS_RANGE;
    if (EVP_DecryptInit_ex2(wrapping->decrypt, NULL, NULL, NULL, NULL) != 1 ||
        EVP_DecryptUpdate(wrapping->decrypt, plain, &len, wrapped.ptr, (int)wrapped.len) != 1 ||
        len < 1)
        return STATUS_MISMATCH;
    *plain_len = (size_t)len;
    return STATUS_OK;
}

enum status secret_unwrap(struct secret_key *wrapping, enum secret_kind kind, struct view wrapped,
                          struct view kcv, struct secret_key **out)
{
    ENSURE_MAGIC(wrapping, KEY_MAGIC);
    *out = NULL;
    if (wrapping->kind != SECRET_WRAP_TDES && wrapping->kind != SECRET_WRAP_AES)
        return STATUS_UNSUPPORTED;
    if (kcv.len != 0 && kcv.len != 3)
        return STATUS_RANGE;
    uint8_t plain[64];
    size_t plain_len = 0;
    struct secret_key *key = NULL;
    enum status status = decrypt_wrapped(wrapping, wrapped, plain, &plain_len);
    if (status == STATUS_OK)
        status = secret_key_open(wrapping->loop, kind, view_of(plain, plain_len), &key);
    vault_wipe(plain, sizeof plain);
    TRY(status);
    /* What has no check value cannot match one that came with it. */
    if (kcv.len == 3 && (!kind_row(kind)->has_check_value ||
                         !view_equal_constant_time(kcv, view_of(key->check_value, 3)))) {
        secret_key_close(key);
        return STATUS_MISMATCH;
    }
    *out = key;
    return STATUS_OK;
}

enum status secret_unseal_key(struct secret_key *seal, struct view context, struct view sealed,
                              enum secret_kind kind, struct secret_key **out)
{
    uint8_t plain[256];
    struct writer w = writer_over(plain, sizeof plain);
    *out = NULL;
    enum status status = secret_unseal(seal, context, sealed, &w);
    if (status == STATUS_OK)
        status = secret_key_open(seal->loop, kind, writer_done(&w), out);
    vault_wipe(plain, sizeof plain);
    return status;
}
