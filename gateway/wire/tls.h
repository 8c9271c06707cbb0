/* tls.h - TLS for both sides, on OpenSSL 3. One context per listener or channel, shared by its
 * connections; loaded once, constant afterwards. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "base/bytes.h"

struct tls_context;

struct tls_options {
    const char *certificate_path; /* PEM chain; required for a server, optional for a client */
    const char *key_path;         /* PEM */
    const char *ca_path;          /* PEM file: who may sign the peer; client NULL: system store.
                                     Server: set = client certificates are required */
    const char
        *server_name;     /* client: name to verify and send as SNI; NULL: the host connected to */
    uint32_t min_version; /* 12 or 13; 0: 12. TLS on an in-memory wire: UNSUPPORTED */
};

/* Makes OpenSSL take its memory from the vault (wiped, absent from core dumps). To be called once
 * by main, before anything else touches OpenSSL; UNSUPPORTED when that is too late. Process-wide.
 */
enum status wire_init_process(void);

/* `why` gets one sentence for people when the status is not OK (file, reason). Called at start or
 * reload, on the loading thread. */
enum status tls_open_server(const struct tls_options *options, struct tls_context **out,
                            struct writer *why);
enum status tls_open_client(const struct tls_options *options, struct tls_context **out,
                            struct writer *why);
void tls_close(struct tls_context *context);

#endif
