/* jose.c - signing and checking for jose.h; keys and base64url are in jose_key.c. */
#include "jose.h"

#include "json/json_read.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>

#include <stdlib.h>

/* --- ES256: RFC 6979 over P-256 and SHA-256 ------------------------------------------------- */
static void hmac(uint8_t key[32], const uint8_t *a, size_t a_len, uint8_t out[32])
{
    unsigned len = 32;
    HMAC(EVP_sha256(), key, 32, a, a_len, out, &len);
}

/* The next k of the generator of section 3.2; `seed` is x || h(m), NULL after the first. */
static void next_nonce(uint8_t k[32], uint8_t v[32], const uint8_t *seed)
{
    uint8_t mix[32 + 1 + 64];
    for (int round = 0; round < (seed != NULL ? 2 : 1); round++) {
        memcpy(mix, v, 32);
        mix[32] = (uint8_t)round;
        if (seed != NULL)
            memcpy(mix + 33, seed, 64);
        hmac(k, mix, seed != NULL ? sizeof mix : 33, k);
        hmac(k, v, 32, v);
    }
    explicit_bzero(mix, sizeof mix);
}

/* s = (h + r d) / k mod n; false when r or s would be zero. */
static bool sign_with(const EC_GROUP *group, BN_CTX *bn, const uint8_t nonce[32],
                      const uint8_t secret[32], const uint8_t hash[32], uint8_t out[64])
{
    BN_CTX_start(bn);
    const BIGNUM *n = EC_GROUP_get0_order(group);
    BIGNUM *k = BN_CTX_get(bn), *d = BN_CTX_get(bn), *h = BN_CTX_get(bn), *r = BN_CTX_get(bn);
    BIGNUM *s = BN_CTX_get(bn);
    EC_POINT *point = EC_POINT_new(group);
    bool good = s != NULL && point != NULL && BN_bin2bn(nonce, 32, k) != NULL &&
                BN_bin2bn(secret, 32, d) != NULL && BN_bin2bn(hash, 32, h) != NULL &&
                !BN_is_zero(k) && BN_cmp(k, n) < 0 &&
                EC_POINT_mul(group, point, k, NULL, NULL, bn) == 1 &&
                EC_POINT_get_affine_coordinates(group, point, r, NULL, bn) == 1 &&
                BN_nnmod(r, r, n, bn) == 1 && BN_mod_mul(s, r, d, n, bn) == 1 &&
                BN_mod_add(s, s, h, n, bn) == 1 && BN_mod_inverse(k, k, n, bn) != NULL &&
                BN_mod_mul(s, s, k, n, bn) == 1 && !BN_is_zero(r) && !BN_is_zero(s) &&
                BN_bn2binpad(r, out, 32) == 32 && BN_bn2binpad(s, out + 32, 32) == 32;
    EC_POINT_clear_free(point);
    BN_CTX_end(bn);
    return good;
}

static bool es256_sign(const struct jose_key *key, struct view message, uint8_t out[64])
{
    uint8_t hash[32], seed[64], k[32] = { 0 }, v[32];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_CTX *bn = BN_CTX_secure_new();
    bool good = false;
    memset(v, 1, sizeof v);
    SHA256(message.ptr, message.len, hash);
    BIGNUM *h = BN_bin2bn(hash, 32, NULL); /* bits2octets: below the order */
    if (group != NULL && bn != NULL && h != NULL &&
        BN_nnmod(h, h, EC_GROUP_get0_order(group), bn) == 1 &&
        BN_bn2binpad(h, seed + 32, 32) == 32) {
        memcpy(seed, key->secret, 32);
        next_nonce(k, v, seed);
        hmac(k, v, 32, v);
        for (int tries = 0; tries < 8 && !good; tries++) {
            good = sign_with(group, bn, v, key->secret, hash, out);
            if (!good) {
                next_nonce(k, v, NULL);
                hmac(k, v, 32, v);
            }
        }
    }
    BN_free(h);
    BN_CTX_free(bn);
    EC_GROUP_free(group);
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(k, sizeof k);
    explicit_bzero(v, sizeof v);
    return good;
}

static bool sign(const struct jose_key *key, struct view message, uint8_t out[64])
{
    size_t len = 64;
    if (key->alg == JOSE_ES256)
        return es256_sign(key, message, out);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(context, out, &len, message.ptr, message.len) == 1 && len == 64;
    EVP_MD_CTX_free(context);
    return good;
}

static bool verify(const struct jose_key *key, struct view message, const uint8_t signature[64])
{
    uint8_t der[80], *end = der;
    const uint8_t *bytes = signature;
    size_t len = 64;
    if (key->alg == JOSE_ES256) {
        ECDSA_SIG *pair = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
        if (pair == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
            ECDSA_SIG_free(pair);
            BN_free(r);
            BN_free(s);
            return false;
        }
        int written = i2d_ECDSA_SIG(pair, &end);
        ECDSA_SIG_free(pair);
        if (written <= 0)
            return false;
        bytes = der;
        len = (size_t)written;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *md = key->alg == JOSE_ES256 ? EVP_sha256() : NULL;
    bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, md, NULL, key->pkey) == 1 &&
                EVP_DigestVerify(context, bytes, len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* --- JWS ------------------------------------------------------------------------------------ */
/* "<header>.<base64url of payload>", to be freed; VIEW_EMPTY when memory is out. */
static struct writer signing_input(struct view header, struct view payload)
{
    size_t room = header.len + 2 + (payload.len + 2) / 3 * 4;
    void *place = malloc(room);
    struct writer w = writer_over(place, place != NULL ? room : 0);
    writer_view(&w, header);
    writer_u8(&w, '.');
    base64url_write(&w, payload);
    return w;
}

static enum status sign_over(const struct jose_key *key, struct view header, struct view payload,
                             bool detached, struct writer *out)
{
    uint8_t text[512], signature[64];
    struct writer encoded = writer_over(text, sizeof text);
    base64url_write(&encoded, header);
    struct writer input = signing_input(writer_done(&encoded), payload);
    bool good = !input.overflow && !encoded.overflow && sign(key, writer_done(&input), signature);
    writer_view(out, detached ? writer_done(&encoded) : writer_done(&input));
    writer_text(out, detached ? ".." : ".");
    base64url_write(out, view_of(signature, good ? sizeof signature : 0));
    free(input.ptr);
    return good ? writer_status(out) : STATUS_REFUSED;
}

enum status jose_sign_detached(const struct jose_key *key, const char *kid, int64_t iat_s,
                               struct view body, struct writer *out)
{
    uint8_t text[256];
    struct writer header = writer_over(text, sizeof text);
    writer_format(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"iat\":%lld}", jose_alg_name(key->alg),
                  kid, (long long)iat_s);
    TRY(writer_status(&header));
    return sign_over(key, writer_done(&header), body, true, out);
}

enum status jose_sign_token(const struct jose_key *key, const char *kid, struct view payload,
                            struct writer *out)
{
    uint8_t text[256];
    struct writer header = writer_over(text, sizeof text);
    writer_format(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                  jose_alg_name(key->alg), kid);
    TRY(writer_status(&header));
    return sign_over(key, writer_done(&header), payload, false, out);
}

static enum status read_header(struct view encoded, struct jose_header *header)
{
    uint8_t text[1024];
    size_t len;
    struct view value;
    TRY(base64url_read(encoded, text, sizeof text, &len));
    struct arena arena;
    arena_init(&arena, (size_t)256 * 1024);
    const struct json_node *root = NULL;
    enum status s = json_read(view_of(text, len), NULL, &arena, &root, NULL);
    *header = (struct jose_header){ .iat_s = -1 };
    if (s == STATUS_OK && json_member(root, "crit") != NULL)
        s = STATUS_UNSUPPORTED;
    if (s == STATUS_OK)
        s = json_text(json_member(root, "alg"), &value);
    if (s == STATUS_OK) {
        header->alg = view_is(value, "EdDSA")   ? JOSE_EDDSA
                      : view_is(value, "ES256") ? JOSE_ES256
                                                : (enum jose_alg)0;
        if (json_text(json_member(root, "kid"), &value) == STATUS_OK)
            s = view_to_text(value, header->kid, sizeof header->kid);
        if (json_i64(json_member(root, "iat"), &header->iat_s) != STATUS_OK)
            header->iat_s = -1;
    }
    arena_reset(&arena);
    return s == STATUS_OK ? STATUS_OK : STATUS_MALFORMED;
}

static enum status verify_over(const struct jose_key *keys, size_t count, const char *kid,
                               struct view header_text, struct view payload, struct view signature,
                               struct jose_header *header)
{
    uint8_t raw[64];
    size_t len;
    TRY(read_header(header_text, header));
    TRY(base64url_read(signature, raw, sizeof raw, &len));
    if (len != 64)
        return STATUS_MALFORMED;
    if (kid[0] != '\0' && strcmp(kid, header->kid) != 0)
        return STATUS_MISMATCH;
    struct writer input = signing_input(header_text, payload);
    enum status s = STATUS_MISMATCH;
    for (size_t i = 0; i < count && s != STATUS_OK; i++)
        if (keys[i].alg == header->alg && keys[i].pkey != NULL)
            s = !input.overflow && verify(&keys[i], writer_done(&input), raw) ? STATUS_OK
                                                                              : STATUS_REFUSED;
    free(input.ptr);
    return s;
}

enum status jose_verify_detached(const struct jose_key *keys, size_t count, const char *kid,
                                 struct view text, struct view body, struct jose_header *header)
{
    size_t dot = view_find(text, '.');
    struct view rest = view_slice(text, dot + 1, text.len);
    if (dot == text.len || !view_starts_with(rest, VIEW(".")))
        return STATUS_MALFORMED;
    return verify_over(keys, count, kid, view_slice(text, 0, dot), body,
                       view_slice(rest, 1, rest.len), header);
}

enum status jose_verify_token(const struct jose_key *keys, size_t count, const char *kid,
                              struct view text, struct writer *out)
{
    size_t dot = view_find(text, '.');
    struct view rest = view_slice(text, dot + 1, text.len);
    size_t second = view_find(rest, '.');
    struct jose_header header;
    size_t len;
    if (text.len > JOSE_TEXT_MAX || dot == text.len || second == rest.len)
        return STATUS_MALFORMED;
    TRY(base64url_read(view_slice(rest, 0, second), out->ptr, out->room, &len));
    out->len = len;
    return verify_over(keys, count, kid, view_slice(text, 0, dot), view_of(out->ptr, len),
                       view_slice(rest, second + 1, rest.len), &header);
}
