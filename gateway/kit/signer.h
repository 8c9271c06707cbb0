/* signer.h - the keys of a transcript: what SIGN and VERIFY ask for is computed, not made up.
 *
 *     key mac_key hmac_sha256 "a secret of 16 bytes or more"
 *
 * Names are setting rows of type KEY. Kinds are those of gateway/secret. Single-threaded. */
#ifndef KIT_SIGNER_H
#define KIT_SIGNER_H

#include "base/bytes.h"

struct signer;

enum status signer_open(struct signer **out);
void signer_close(struct signer *signer); /* may be NULL */
/* NOT_FOUND: no such kind; RANGE: not a length that the kind has; EXISTS. */
enum status signer_key(struct signer *signer, struct view name, struct view kind,
                       struct view bytes);
/* NOT_FOUND: the transcript has no key of that name. */
enum status signer_sign(struct signer *signer, struct view name, struct view bytes,
                        struct writer *out);
/* NOT_FOUND as above; MISMATCH: not the signature. */
enum status signer_verify(struct signer *signer, struct view name, struct view bytes,
                          struct view signature);

#endif
