/* secret_int.h - what the files of this room know of each other.
 *
 *   secret.c   the table of names, files, the host key
 *   key.c      one key: its prepared contexts, made and closed; check value; unwrap
 *   mac.c      MAC, HMAC, verify
 *   sign.c     key pairs: PEM and raw bytes, sign, verify; tokens
 *   seal.c     seal and unseal
 *   digest.c   SHA-256, HKDF, and the guard: no key table involved
 */
#ifndef SECRET_SECRET_INT_H
#define SECRET_SECRET_INT_H

#include "secret/secret.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* single DES, see key.c */
#include <openssl/des.h>
#include <openssl/evp.h>

#if !defined(OPENSSL_NO_DES) && !defined(OPENSSL_NO_DEPRECATED_3_0)
#define SECRET_SINGLE_DES 1
#endif

#define SECRETS_MAGIC   0x53435354u
#define KEY_MAGIC       0x534b4559u
#define SECRET_KEYS_MAX 1024
#define DES_BLOCK       8

struct secret_key {
    uint32_t magic;
    enum secret_kind kind;
    struct loop *loop; /* its dice */
    struct secret_key *next;
    char name[SECRET_NAME_MAX + 1]; /* "" for one beside the table */
    uint8_t check_value[3];

    /* Prepared once; which of them is set depends on the kind. */
#ifdef SECRET_SINGLE_DES
    DES_key_schedule single; /* retail MAC: DES under K1; wiped with the key */
#endif
    EVP_CIPHER_CTX *chain;   /* the same as DES-EDE3-CBC, when there is no single DES */
    EVP_CIPHER_CTX *last;    /* retail MAC: TDES-ECB under K1, K2, K1, for the last block */
    EVP_CIPHER_CTX *encrypt; /* seal */
    EVP_CIPHER_CTX *decrypt; /* seal, wrap */
    EVP_MAC_CTX *mac;        /* CMAC, HMAC */
    EVP_PKEY *pair;          /* sign_*: both halves; verify_*: the public one */
    uint8_t *token;          /* vault memory */
    size_t token_len;
};

/* sign.c: one of the four kinds of signature, or a token. */
bool secret_is_pair(enum secret_kind kind);
enum status secret_prepare_ed25519(struct secret_key *key, struct view bytes);
enum status secret_prepare_es256(struct secret_key *key, struct view bytes);
enum status secret_prepare_token(struct secret_key *key, struct view bytes);
enum status secret_pair_sign(struct secret_key *key, struct view bytes,
                             uint8_t out[SECRET_SIGNATURE_MAX]);
enum status secret_pair_verify(struct secret_key *key, struct view bytes, struct view signature);
/* The raw bytes (seed, scalar, public key or point) of the first PEM block of the right sort:
 * *len <= 65. NOT_FOUND when there is none, MISMATCH when it is a key of another algorithm. */
enum status secret_pem_read(struct view text, enum secret_kind kind, uint8_t out[65], size_t *len);

/* Makes a key that is in no table. RANGE for a length that the kind does not have. */
enum status secret_key_open(struct loop *loop, enum secret_kind kind, struct view bytes,
                            struct secret_key **out);

/* HKDF-SHA256, RFC 5869; out_len <= 255 * 32. */
enum status secret_hkdf(struct view key, struct view salt, struct view info, uint8_t *out,
                        size_t out_len);

#endif
