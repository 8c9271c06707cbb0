/* secret.h - keys by name: MAC, verify, seal, keyed hash. The bytes of a key never leave this room.
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
};
/* "retail_mac", "retail_mac_pad2", "aes_cmac", "hmac_sha256", "wrap_tdes", "wrap_aes", "seal" */
enum status secret_kind_parse(struct view word, enum secret_kind *out);

/* seed of nothing: nonces come from the loop's randomness (repeatable on a virtual loop). */
enum status secrets_open(struct secrets **out, struct loop *loop);
void secrets_close(struct secrets *secrets);

/* Adds a key; EXISTS for a second of that name, RANGE for a length the kind does not have. */
enum status secret_put(struct secrets *secrets, const char *name, enum secret_kind kind,
                       struct view bytes);
/* Reads hexadecimal (white space ignored) from a file that nobody but its owner may read or write
 * (else DENIED). `why`: one sentence for people. */
enum status secret_put_file(struct secrets *secrets, const char *name, enum secret_kind kind,
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
 * HMAC. */
enum status secret_check_value(struct secret_key *key, uint8_t out[3]);

/* MAC or HMAC of bytes; *len is set to 8 or 32. */
enum status secret_mac(struct secret_key *key, struct view bytes, uint8_t out[SECRET_MAC_MAX],
                       size_t *len);
/* MISMATCH when it is not the MAC (constant time). */
enum status secret_verify(struct secret_key *key, struct view bytes, struct view mac);
/* A key that lives beside the table: unwrapped from `wrapped` with `wrapping`. kcv: empty or 3
 * bytes that must match (else MISMATCH). Release with secret_key_close. */
enum status secret_unwrap(struct secret_key *wrapping, enum secret_kind kind, struct view wrapped,
                          struct view kcv, struct secret_key **out);
void secret_key_close(struct secret_key *key);

/* Sealed = version 1, nonce, ciphertext, tag; bound to `context` (e.g. the attempt id and name). */
enum status secret_seal(struct secret_key *key, struct view context, struct view plain,
                        struct writer *out);
/* MISMATCH when key, context or bytes are not those that were sealed. `out` should be vault memory.
 */
enum status secret_unseal(struct secret_key *key, struct view context, struct view sealed,
                          struct writer *out);

#endif
