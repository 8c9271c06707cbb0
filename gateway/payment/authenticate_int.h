/* authenticate_int.h - the parts of authenticate.c that have published test vectors. */
#ifndef PAYMENT_AUTHENTICATE_INT_H
#define PAYMENT_AUTHENTICATE_INT_H

#include "payment/authenticate.h"

/* RFC 6238 with HMAC-SHA-256, 8 digits: what `key` (hmac_sha256) gives for a step (seconds since
 * 1970 / 30). */
enum status totp_code(struct secret_key *key, uint64_t step,
                      char out[AUTHENTICATION_CODE_DIGITS + 1]);
/* RFC 4648, 5, as RFC 7515 has it: no padding, no line ends, no bits that say nothing. MALFORMED,
 * FULL. */
enum status base64url_decode(struct view text, struct writer *out);

#endif
