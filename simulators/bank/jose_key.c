/* jose_key.c - keys and base64url for jose.h. */
#include "jose.h"

#include "base/ensure.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_write(struct writer *w, struct view bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)bytes.ptr[i] << 16;
        v |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        v |= left > 2 ? bytes.ptr[i + 2] : 0;
        writer_u8(w, (uint8_t)LETTERS[v >> 18]);
        writer_u8(w, (uint8_t)LETTERS[v >> 12 & 63]);
        if (left > 1)
            writer_u8(w, (uint8_t)LETTERS[v >> 6 & 63]);
        if (left > 2)
            writer_u8(w, (uint8_t)LETTERS[v & 63]);
    }
}

enum status base64url_read(struct view text, uint8_t *out, size_t room, size_t *len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    *len = 0;
    if (text.len % 4 == 1)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] != 0 ? strchr(LETTERS, text.ptr[i]) : NULL;
        if (at == NULL)
            return STATUS_MALFORMED;
        bits = bits << 6 | (uint32_t)(at - LETTERS);
        held += 6;
        if (held >= 8) {
            if (*len == room)
                return STATUS_FULL;
            held -= 8;
            out[(*len)++] = (uint8_t)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    return bits == 0 ? STATUS_OK : STATUS_MALFORMED;
}

const char *jose_alg_name(enum jose_alg alg)
{
    return alg == JOSE_ES256 ? "ES256" : "EdDSA";
}

/* Uncompressed point of secret * G. */
static bool point_of(const uint8_t secret[32], uint8_t out[65])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *d = BN_bin2bn(secret, 32, NULL);
    bool good =
        point != NULL && d != NULL && !BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
        EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, 65, NULL) == 65;
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return good;
}

/* secret NULL: a public key. */
static EVP_PKEY *p256_key(const uint8_t point[65], const uint8_t *secret)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *d = secret != NULL ? BN_bin2bn(secret, 32, NULL) : NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (build != NULL && context != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 65) == 1 &&
        (d == NULL || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1))
        params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, secret != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(d);
    return pkey;
}

static enum status from_pem(struct jose_key *key, struct view text, bool secret)
{
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio == NULL)
        return STATUS_NO_MEMORY;
    EVP_PKEY *pkey = secret ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                            : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (pkey == NULL)
        return STATUS_MALFORMED;
    key->pkey = pkey;
    char group[32];
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519) {
        size_t len = sizeof key->secret;
        key->alg = JOSE_EDDSA;
        if (!secret || EVP_PKEY_get_raw_private_key(pkey, key->secret, &len) == 1)
            return STATUS_OK;
    } else if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
               EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                              NULL) == 1 &&
               strcmp(group, "prime256v1") == 0) {
        BIGNUM *d = NULL;
        key->alg = JOSE_ES256;
        bool good = !secret || (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
                                BN_bn2binpad(d, key->secret, 32) == 32);
        BN_clear_free(d);
        if (good)
            return STATUS_OK;
    }
    jose_key_fini(key);
    return STATUS_UNSUPPORTED;
}

enum status jose_key_private(struct jose_key *key, struct view text, enum jose_alg alg)
{
    uint8_t point[65];
    size_t len;
    *key = (struct jose_key){ .alg = (enum jose_alg)0 };
    if (text.len > JOSE_TEXT_MAX)
        return STATUS_MALFORMED;
    if (view_starts_with(text, VIEW("-----BEGIN")))
        return from_pem(key, text, true);
    TRY(base64url_read(text, key->secret, sizeof key->secret, &len));
    if (len != 32)
        return STATUS_MALFORMED;
    if (alg == JOSE_EDDSA)
        key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->secret, 32);
    else if (point_of(key->secret, point))
        key->pkey = p256_key(point, key->secret);
    key->alg = alg;
    return key->pkey != NULL ? STATUS_OK : STATUS_MALFORMED;
}

enum status jose_key_public(struct jose_key *key, struct view text)
{
    uint8_t raw[65] = { 4 };
    size_t len;
    *key = (struct jose_key){ .alg = (enum jose_alg)0 };
    if (text.len > JOSE_TEXT_MAX)
        return STATUS_MALFORMED;
    if (view_starts_with(text, VIEW("-----BEGIN")))
        return from_pem(key, text, false);
    TRY(base64url_read(text, raw + 1, 64, &len));
    if (len != 32 && len != 64)
        return STATUS_MALFORMED;
    key->alg = len == 32 ? JOSE_EDDSA : JOSE_ES256;
    key->pkey = len == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw + 1, 32)
                          : p256_key(raw, NULL);
    return key->pkey != NULL ? STATUS_OK : STATUS_MALFORMED;
}

void jose_key_fini(struct jose_key *key)
{
    EVP_PKEY_free(key->pkey);
    explicit_bzero(key, sizeof *key);
}
