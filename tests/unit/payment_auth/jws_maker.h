/* jws_maker.h - what an issuer does: claims become a compact JWS. For tests. */
#ifndef JWS_MAKER_H
#define JWS_MAKER_H

#include "secret/secret.h"

/* base64url without padding (RFC 7515, 2). */
void base64url_write(struct writer *out, struct view bytes);
/* header.payload.signature; `key` signs (sign_ed25519, sign_es256). */
void jws_make(struct writer *out, struct secret_key *key, const char *header, const char *claims);

#endif
