/* tls_session.h - one TLS connection without a socket: ciphertext in, ciphertext out.
 *
 * The wire feeds what came from the network and takes what must go there; OpenSSL sees memory only.
 * Failures leave an alert in the output, so take and send it before closing.
 */
#ifndef WIRE_TLS_SESSION_H
#define WIRE_TLS_SESSION_H

#include "wire/tls.h"

struct tls_session;

enum tls_side { TLS_SERVER = 1, TLS_CLIENT };
enum tls_step {
    TLS_STEP_DONE = 1, /* handshake finished, or bytes were read */
    TLS_STEP_MORE,     /* needs more input */
    TLS_STEP_ENDED,    /* close_notify: the peer will send no more */
    TLS_STEP_FAILED
};

/* host: name or IP literal connected to (client); used for SNI and verification unless the context
 * names another. */
enum status tls_session_open(struct tls_session **out, struct tls_context *context,
                             enum tls_side side, const char *host);
void tls_session_close(struct tls_session *session);
enum status tls_session_feed(struct tls_session *session, struct view ciphertext);
enum tls_step tls_session_handshake(struct tls_session *session);
enum tls_step tls_session_read(struct tls_session *session, uint8_t *out, size_t room, size_t *len);
/* TLS when the session is broken. */
enum status tls_session_write(struct tls_session *session, struct view plain);
/* Puts close_notify into the output. */
void tls_session_end(struct tls_session *session);
size_t tls_session_output(const struct tls_session *session);
size_t tls_session_take(struct tls_session *session, uint8_t *out, size_t room);
/* "TLSv1.3"; "" before the handshake is done. */
const char *tls_session_version(const struct tls_session *session);
/* Common name of the verified peer certificate, "" when there is none. */
const char *tls_session_peer_name(const struct tls_session *session);

#endif
