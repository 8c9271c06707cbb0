/* jose.h - signatures as the wire wants them: JWS with detached payload (RFC 7515 appendix F) and
 * compact JWT (RFC 7519), EdDSA over Ed25519 (RFC 8037) or ES256 (RFC 7518). OpenSSL does the
 * curves; ES256 signs with the deterministic nonce of RFC 6979, so that equal inputs give equal
 * bytes.
 */
#ifndef SIM_BANK_JOSE_H
#define SIM_BANK_JOSE_H

#include "base/bytes.h"

#define JOSE_TEXT_MAX 4096 /* of a header value or a token */

enum jose_alg { JOSE_EDDSA = 1, JOSE_ES256 };

struct jose_key {
    enum jose_alg alg;  /* 0: none */
    void *pkey;         /* EVP_PKEY */
    uint8_t secret[32]; /* private keys: seed or scalar */
};

const char *jose_alg_name(enum jose_alg alg);

/* `text`: PEM, or base64url of the raw key (private: 32 bytes; public: 32 bytes Ed25519, or 64
 * bytes x and y of P-256). `alg` says which curve raw private bytes belong to. MALFORMED,
 * UNSUPPORTED. */
enum status jose_key_private(struct jose_key *key, struct view text, enum jose_alg alg);
enum status jose_key_public(struct jose_key *key, struct view text);
void jose_key_fini(struct jose_key *key);

void base64url_write(struct writer *w, struct view bytes);
/* Strict: no padding, no foreign letters, no stray bits. FULL when `room` is small. */
enum status base64url_read(struct view text, uint8_t *out, size_t room, size_t *len);

/* Writes "<protected>..<signature>" with {"alg","kid","iat"}. REFUSED: the library failed. */
enum status jose_sign_detached(const struct jose_key *key, const char *kid, int64_t iat_s,
                               struct view body, struct writer *out);
/* Writes "<header>.<payload>.<signature>". For tests and for whoever plays the other side. */
enum status jose_sign_token(const struct jose_key *key, const char *kid, struct view payload,
                            struct writer *out);

/* What stands in a header of a JWS. */
struct jose_header {
    enum jose_alg alg;
    char kid[64];
    int64_t iat_s; /* -1: none */
};
/* `text` is "<protected>..<signature>"; the key of the header's alg among `keys` must have made it.
 * `kid` empty: any. MALFORMED, MISMATCH (alg, kid), REFUSED (signature). */
enum status jose_verify_detached(const struct jose_key *keys, size_t count, const char *kid,
                                 struct view text, struct view body, struct jose_header *header);
/* The payload of a compact JWS in `out`. */
enum status jose_verify_token(const struct jose_key *keys, size_t count, const char *kid,
                              struct view text, struct writer *out);

#endif
