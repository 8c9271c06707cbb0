/* secret.h - keys by name: MAC, sign, verify, seal, keyed hash. The bytes of a key never leave this
 * room; the one exception is a token, whose bytes are meant to be said (secret_token_put).
 *
 * A `struct secrets` is the table of named keys, loaded at start from the sources that the settings
 * name. Contexts are prepared once per key (preparing costs three times the MAC itself). All
 * functions on the loop's thread that owns the table; each loop has its own. An HSM may stand
 * behind the same door later; then the calls that take a done function become slow, so none may be
 * assumed to be quick.
 *
 * Key memory is vault memory: wiped, absent from core dumps.
 */
#ifndef SECRET_SECRET_H
#define SECRET_SECRET_H

#include "base/bytes.h"
#include "loop/loop.h"

#define SECRET_NAME_MAX      64
#define SECRET_MAC_MAX       32
#define SECRET_SIGNATURE_MAX 64
#define SECRET_TOKEN_MAX     4096
#define SECRET_SEAL_OVERHEAD 29 /* version 1, nonce 12, tag 16 */

struct secrets;
struct secret_key; /* a handle; lives as long as the table, or until replaced */

enum secret_kind {
    SECRET_RETAIL_MAC =
        1, /* ISO 9797-1 algorithm 3, 2-key TDES, padding method 1 (zeros): 8 bytes */
    SECRET_RETAIL_MAC_PAD2, /* the same with padding method 2 (80 00...) */
    SECRET_AES_CMAC,        /* NIST SP 800-38B, AES-128/192/256, cut to 8 bytes */
    SECRET_HMAC_SHA256,     /* 32 bytes */
    SECRET_WRAP_TDES,       /* wraps other keys: TDES-ECB, 2- or 3-key */
    SECRET_WRAP_AES,        /* wraps other keys: AES key wrap, RFC 3394 */
    SECRET_SEAL,            /* AES-256-GCM, seals what is stored */
    SECRET_TOKEN,        /* 1..4096 visible ASCII characters that prove who we are by being said */
    SECRET_SIGN_ED25519, /* RFC 8032, pure: 64 bytes. Key: seed of 32 bytes */
    SECRET_VERIFY_ED25519, /* the other side's; public key of 32 bytes */
    SECRET_SIGN_ES256,     /* ECDSA P-256 with SHA-256, raw r and s: 64 bytes. Key: scalar, 32 */
    SECRET_VERIFY_ES256,   /* the other side's; public point, uncompressed, 65 bytes */
};
/* "retail_mac", "retail_mac_pad2", "aes_cmac", "hmac_sha256", "wrap_tdes", "wrap_aes", "seal",
 * "token", "sign_ed25519", "verify_ed25519", "sign_es256", "verify_es256" */
enum status secret_kind_parse(struct view word, enum secret_kind *out);

/* seed of nothing: nonces come from the loop's randomness (repeatable on a virtual loop). */
enum status secrets_open(struct secrets **out, struct loop *loop);
void secrets_close(struct secrets *secrets);

/* Adds a key; EXISTS for a second of that name, RANGE for a length the kind does not have,
 * MALFORMED for a point that is not on the curve, a scalar out of range, a token that is no text.
 */
enum status secret_put(struct secrets *secrets, const char *name, enum secret_kind kind,
                       struct view bytes);
/* The same from hexadecimal text (white space ignored). `why`: one sentence for people, also below.
 */
enum status secret_put_hex(struct secrets *secrets, const char *name, enum secret_kind kind,
                           struct view text, struct writer *why);
/* Reads a file that nobody but its owner may read or write (else DENIED; one with a public key, of
 * verify_*, may be read). What it holds goes by the kind: a token as it is (blanks at both ends are
 * not part of it); PEM for sign_* (private key) and verify_* (public key); hexadecimal for the
 * others, and for these when there is no PEM in it. */
enum status secret_put_file(struct secrets *secrets, const char *name, enum secret_kind kind,
                            const char *path, struct writer *why);
/* The same, but hexadecimal whatever the kind. */
enum status secret_put_hex_file(struct secrets *secrets, const char *name, enum secret_kind kind,
                                const char *path, struct writer *why);
/* The host key: read from `path`, created with 32 random bytes and mode 0600 when absent (written,
 * flushed, renamed). From it come the keys "host.api_keys", "host.idempotency" (HMAC) and
 * "host.seal" (AES-GCM), each derived with HKDF-SHA256 and its own label. */
enum status secret_open_host_key(struct secrets *secrets, const char *path, struct writer *why);
/* The same keys from given bytes (simulation, tests). */
enum status secret_set_host_key(struct secrets *secrets, struct view bytes32);

/* NULL when there is none of that name. */
struct secret_key *secret_find(struct secrets *secrets, const char *name);
enum secret_kind secret_kind_of(const struct secret_key *key);
/* First 3 bytes of what encrypting zeros gives (KCV); for people and key exchange. UNSUPPORTED for
 * HMAC, tokens and signatures. */
enum status secret_check_value(struct secret_key *key, uint8_t out[3]);

/* MAC or HMAC of bytes; *len is set to 8 or 32. */
enum status secret_mac(struct secret_key *key, struct view bytes, uint8_t out[SECRET_MAC_MAX],
                       size_t *len);
/* Signs with whatever the key is for: a MAC, HMAC or (sign_*) signature; *len is set to 8, 32
 * or 64. UNSUPPORTED for the other kinds. ES256 takes its dice from OpenSSL, so two signatures of
 * the same bytes differ, on a virtual loop too. */
enum status secret_sign(struct secret_key *key, struct view bytes,
                        uint8_t out[SECRET_SIGNATURE_MAX], size_t *len);
/* MISMATCH when it is not the MAC (constant time) or, with a verify_* key, not the signature of
 * these bytes. UNSUPPORTED for the other kinds, sign_* among them. */
enum status secret_verify(struct secret_key *key, struct view bytes, struct view signature);
/* Writes a token's bytes: into the header it is for, in vault memory, and nowhere else. UNSUPPORTED
 * for every other kind: no other key can be had in this way. FULL when it does not fit. */
enum status secret_token_put(const struct secret_key *key, struct writer *out);
/* A key that lives beside the table: unwrapped from `wrapped` with `wrapping`. kcv: empty or 3
 * bytes that must match (else MISMATCH). Release with secret_key_close. */
enum status secret_unwrap(struct secret_key *wrapping, enum secret_kind kind, struct view wrapped,
                          struct view kcv, struct secret_key **out);
void secret_key_close(struct secret_key *key);
/* A key that lives beside the table: HMAC_SHA256 with the bytes HMAC(key, label). UNSUPPORTED when
 * `key` is of another kind. Release with secret_key_close. */
enum status secret_derive(struct secret_key *key, struct view label, struct secret_key **out);

/* Sealed = version 1, nonce, ciphertext, tag; bound to `context` (e.g. the attempt id and name). */
enum status secret_seal(struct secret_key *key, struct view context, struct view plain,
                        struct writer *out);
/* MISMATCH when key, context or bytes are not those that were sealed. `out` should be vault memory.
 */
enum status secret_unseal(struct secret_key *key, struct view context, struct view sealed,
                          struct writer *out);

/* The same, as a key that lives beside the table: its bytes are seen by nobody. Also RANGE for a
 * length that the kind does not have. Release with secret_key_close. */
enum status secret_unseal_key(struct secret_key *seal, struct view context, struct view sealed,
                              enum secret_kind kind, struct secret_key **out);

#endif
