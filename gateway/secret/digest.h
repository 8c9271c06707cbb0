/* digest.h - SHA-256 (FIPS 180-4) for rooms that may not include OpenSSL: file pins, fingerprints.
 *
 * No key is involved; what needs one is in secret.h. Any thread.
 */
#ifndef SECRET_DIGEST_H
#define SECRET_DIGEST_H

#include "base/bytes.h"

#define SECRET_SHA256_SIZE 32

/* Digest of bytes in memory. */
enum status secret_sha256(struct view bytes, uint8_t out[SECRET_SHA256_SIZE]);
/* Digest of the file behind `fd`, read with pread from its start to its end: the descriptor's own
 * position neither matters nor moves. `size_max` bounds the work (RANGE when the file is longer).
 * IO when it cannot be read. */
enum status secret_sha256_fd(int fd, uint64_t size_max, uint8_t out[SECRET_SHA256_SIZE]);

/* The digest of bytes that come piece by piece: open, add ..., done (may be asked for while more is
 * to come: of what was added so far), close. */
struct secret_digest;
enum status secret_digest_open(struct secret_digest **out);
enum status secret_digest_add(struct secret_digest *digest, struct view bytes);
enum status secret_digest_done(const struct secret_digest *digest, uint8_t out[SECRET_SHA256_SIZE]);
/* NULL is allowed. */
void secret_digest_close(struct secret_digest *digest);

#endif
