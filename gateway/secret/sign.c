/* sign.c - keys whose halves live in two places (Ed25519, ES256), and tokens.
 *
 * Whatever a pair came from, PEM or hexadecimal, it passes through its raw form (seed or scalar,
 * public key or point), so there is one way in and every check is made once: OpenSSL refuses a
 * point that is not on the curve, and a scalar of 0 or of at least the group's order is refused
 * here.
 *
 * ES256 signatures travel as r and s of 32 bytes each (RFC 7518, section 3.4); OpenSSL speaks DER,
 * so they are taken apart and put together here.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "secret_int.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define HALF 32 /* r, s, a scalar, a coordinate */

bool secret_is_pair(enum secret_kind kind)
{
    return kind >= SECRET_SIGN_ED25519 && kind <= SECRET_VERIFY_ES256;
}

static bool signs(enum secret_kind kind)
{
    return kind == SECRET_SIGN_ED25519 || kind == SECRET_SIGN_ES256;
}

static bool is_ed25519(enum secret_kind kind)
{
    return kind == SECRET_SIGN_ED25519 || kind == SECRET_VERIFY_ED25519;
}

/* --- raw bytes to a pair --------------------------------------------------------------------- */

enum status secret_prepare_ed25519(struct secret_key *key, struct view bytes)
{
    key->pair = signs(key->kind)
                    ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes.ptr, bytes.len)
                    : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes.ptr, bytes.len);
    return key->pair != NULL ? STATUS_OK : STATUS_MALFORMED;
}

/* The uncompressed point of a scalar. False when the scalar is not from 1 to the order less 1. */
static bool point_of(const BIGNUM *scalar, uint8_t out[1 + 2 * HALF])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    bool fine =
        point != NULL && !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0 &&
        EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, 1 + 2 * HALF, NULL) ==
            1 + 2 * HALF;
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return fine;
}

enum status secret_prepare_es256(struct secret_key *key, struct view bytes)
{
    uint8_t point[1 + 2 * HALF];
    BIGNUM *scalar = signs(key->kind) ? BN_secure_new() : NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool fine = build != NULL && ctx != NULL;
    if (fine && signs(key->kind))
        fine = scalar != NULL && BN_bin2bn(bytes.ptr, (int)bytes.len, scalar) != NULL &&
               point_of(scalar, point) &&
               OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1;
    else if (fine)
        memcpy(point, bytes.ptr, sizeof point);
    fine =
        fine &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1 &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key->pair,
                          signs(key->kind) ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) == 1;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(scalar);
    return fine ? STATUS_OK : STATUS_MALFORMED;
}

/* --- PEM to raw bytes ------------------------------------------------------------------------ */

/* A key with a passphrase is refused: nobody is there to type it. */
static int no_passphrase(char *text, int room, int writing, void *arg)
{
    (void)text, (void)room, (void)writing, (void)arg;
    return -1;
}

static bool is_p256(const EVP_PKEY *pair)
{
    char group[32] = "";
    size_t len = 0;
    return EVP_PKEY_is_a(pair, "EC") == 1 &&
           EVP_PKEY_get_utf8_string_param(pair, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                          &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool es256_raw(const EVP_PKEY *pair, enum secret_kind kind, uint8_t out[65], size_t *len)
{
    BIGNUM *scalar = NULL;
    if (kind == SECRET_SIGN_ES256) {
        bool fine = EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
                    BN_bn2binpad(scalar, out, HALF) == HALF;
        BN_clear_free(scalar);
        *len = HALF;
        return fine;
    }
    uint8_t compressed[65];
    if (EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, compressed,
                                        sizeof compressed, len) != 1)
        return false;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    bool fine = point != NULL && EC_POINT_oct2point(group, point, compressed, *len, NULL) == 1;
    *len =
        fine ? EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, 65, NULL) : 0;
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return *len == 65;
}

enum status secret_pem_read(struct view text, enum secret_kind kind, uint8_t out[65], size_t *len)
{
    *len = 0;
    BIO *bio = text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
    if (bio == NULL)
        return STATUS_NO_MEMORY;
    EVP_PKEY *pair = signs(kind) ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                                 : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (pair == NULL)
        return STATUS_NOT_FOUND;
    enum status status = STATUS_MISMATCH;
    if (is_ed25519(kind) && EVP_PKEY_is_a(pair, "ED25519") == 1) {
        *len = HALF;
        bool fine = signs(kind) ? EVP_PKEY_get_raw_private_key(pair, out, len) == 1
                                : EVP_PKEY_get_raw_public_key(pair, out, len) == 1;
        status = fine ? STATUS_OK : STATUS_NOT_FOUND;
    } else if (!is_ed25519(kind) && is_p256(pair)) {
        status = es256_raw(pair, kind, out, len) ? STATUS_OK : STATUS_NOT_FOUND;
    }
    EVP_PKEY_free(pair);
    return status;
}

/* --- sign and verify ------------------------------------------------------------------------- */

static bool raw_of_der(const uint8_t *der, size_t der_len, uint8_t out[2 * HALF])
{
    const uint8_t *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    bool fine = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, HALF) == HALF &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + HALF, HALF) == HALF;
    ECDSA_SIG_free(sig);
    return fine;
}

enum status secret_pair_sign(struct secret_key *key, struct view bytes,
                             uint8_t out[SECRET_SIGNATURE_MAX])
{
    uint8_t der[80];
    bool es256 = key->kind == SECRET_SIGN_ES256;
    size_t len = es256 ? sizeof der : SECRET_SIGNATURE_MAX;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fine = ctx != NULL &&
                EVP_DigestSignInit_ex(ctx, NULL, es256 ? "SHA256" : NULL, NULL, NULL, key->pair,
                                      NULL) == 1 &&
                EVP_DigestSign(ctx, es256 ? der : out, &len, bytes.ptr, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    fine = fine && (es256 ? raw_of_der(der, len, out) : len == SECRET_SIGNATURE_MAX);
    return fine ? STATUS_OK : STATUS_NO_MEMORY;
}

/* NULL when memory is out. Release with OPENSSL_free. */
static uint8_t *der_of_raw(const uint8_t raw[2 * HALF], size_t *len)
{
    uint8_t *der = NULL;
    BIGNUM *r = BN_bin2bn(raw, HALF, NULL), *s = BN_bin2bn(raw + HALF, HALF, NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int der_len = 0;
    if (r != NULL && s != NULL && sig != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        der_len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    *len = der_len > 0 ? (size_t)der_len : 0;
    return der_len > 0 ? der : NULL;
}

enum status secret_pair_verify(struct secret_key *key, struct view bytes, struct view signature)
{
    if (signature.len != SECRET_SIGNATURE_MAX)
        return STATUS_MISMATCH;
    bool es256 = key->kind == SECRET_VERIFY_ES256;
    size_t len = signature.len;
    uint8_t *der = es256 ? der_of_raw(signature.ptr, &len) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || (es256 && der == NULL)) {
        EVP_MD_CTX_free(ctx);
        OPENSSL_free(der);
        return STATUS_NO_MEMORY;
    }
    bool begun = EVP_DigestVerifyInit_ex(ctx, NULL, es256 ? "SHA256" : NULL, NULL, NULL, key->pair,
                                         NULL) == 1;
    bool right =
        begun && EVP_DigestVerify(ctx, es256 ? der : signature.ptr, len, bytes.ptr, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return right ? STATUS_OK : begun ? STATUS_MISMATCH : STATUS_NO_MEMORY;
}

/* --- tokens ---------------------------------------------------------------------------------- */

enum status secret_prepare_token(struct secret_key *key, struct view bytes)
{
    for (size_t i = 0; i < bytes.len; i++) /* it goes into a header: nothing may end the line */
        if (bytes.ptr[i] < 0x20 || bytes.ptr[i] > 0x7e)
            return STATUS_MALFORMED;
    key->token = vault_alloc(bytes.len);
    if (key->token == NULL)
        return STATUS_NO_MEMORY;
    memcpy(key->token, bytes.ptr, bytes.len);
    key->token_len = bytes.len;
    return STATUS_OK;
}

enum status secret_token_put(const struct secret_key *key, struct writer *out)
{
    ENSURE_MAGIC(key, KEY_MAGIC);
    if (key->kind != SECRET_TOKEN)
        return STATUS_UNSUPPORTED;
    writer_bytes(out, key->token, key->token_len);
    return writer_status(out);
}
