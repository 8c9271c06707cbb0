/* tls_context_int.h - shared by tls.c and tls_session.c, the only files of wire/ that see OpenSSL.
 */
#ifndef WIRE_TLS_CONTEXT_INT_H
#define WIRE_TLS_CONTEXT_INT_H

#include <openssl/ssl.h>

#define TLS_CONTEXT_MAGIC 0x544c5343u

struct tls_context {
    uint32_t magic;
    SSL_CTX *ssl;
    char server_name[256]; /* client: "" means the host connected to */
};

#endif
