/* tls_session.c - one TLS connection on memory BIOs.
 *
 * `in` holds ciphertext that came and OpenSSL has not read, `out` what it wants sent. Neither ever
 * blocks, so SSL_ERROR_WANT_READ means exactly "feed me more". OpenSSL's error queue is cleared
 * before each call: a stale entry would make a later result read wrongly.
 */
#include "wire/tls_session.h"
#include "wire/tls_context_int.h"

#include "base/ensure.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>

#define TLS_SESSION_MAGIC 0x544c5353u

struct tls_session {
    uint32_t magic;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool open;
    bool end_sent;
    char peer_name[128];
};

static bool is_address(const char *host)
{
    unsigned char buffer[16];
    return inet_pton(AF_INET, host, buffer) == 1 || inet_pton(AF_INET6, host, buffer) == 1;
}

/* Whom the certificate must name, as subjectAltName: what stands in the subject was checked by
 * nobody in particular (RFC 9525 2). An address is never sent as SNI (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum status tls_session_open(struct tls_session **out, struct tls_context *context,
                             enum tls_side side, const char *host)
{
    ENSURE_MAGIC(context, TLS_CONTEXT_MAGIC);
    *out = NULL;
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return STATUS_NO_MEMORY;
    session->magic = TLS_SESSION_MAGIC;
    session->ssl = SSL_new(context->ssl);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    if (session->ssl == NULL || session->in == NULL || session->out == NULL) {
        BIO_free(session->in);
        BIO_free(session->out);
        SSL_free(session->ssl);
        free(session);
        ERR_clear_error();
        return STATUS_NO_MEMORY;
    }
    SSL_set_bio(session->ssl, session->in, session->out);
    if (side == TLS_SERVER) {
        SSL_set_accept_state(session->ssl);
    } else {
        SSL_set_connect_state(session->ssl);
        bool fixed = context->server_name[0] != 0;
        if (!expect_host(session->ssl, fixed ? context->server_name : host)) {
            tls_session_close(session);
            return STATUS_TLS;
        }
    }
    *out = session;
    return STATUS_OK;
}

void tls_session_close(struct tls_session *session)
{
    if (session == NULL)
        return;
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    SSL_free(session->ssl);
    session->magic = 0;
    free(session);
}

enum status tls_session_feed(struct tls_session *session, struct view ciphertext)
{
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    ENSURE(ciphertext.len <= INT_MAX);
    if (ciphertext.len == 0)
        return STATUS_OK;
    int taken = BIO_write(session->in, ciphertext.ptr, (int)ciphertext.len);
    return taken == (int)ciphertext.len ? STATUS_OK : STATUS_NO_MEMORY;
}

/* The subject's common name, for a certificate that was verified. */
static void note_peer(struct tls_session *session)
{
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    if (certificate == NULL || SSL_get_verify_result(session->ssl) != X509_V_OK)
        return;
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (X509_NAME_get_text_by_NID(subject, NID_commonName, session->peer_name,
                                  sizeof session->peer_name) < 0)
        session->peer_name[0] = 0;
}

enum tls_step tls_session_handshake(struct tls_session *session)
{
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        session->open = true;
        note_peer(session);
        return TLS_STEP_DONE;
    }
    bool more = SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return more ? TLS_STEP_MORE : TLS_STEP_FAILED;
}

enum tls_step tls_session_read(struct tls_session *session, uint8_t *out, size_t room, size_t *len)
{
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, out, room, len);
    if (result == 1)
        return TLS_STEP_DONE;
    *len = 0;
    int error = SSL_get_error(session->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ)
        return TLS_STEP_MORE;
    return error == SSL_ERROR_ZERO_RETURN ? TLS_STEP_ENDED : TLS_STEP_FAILED;
}

enum status tls_session_write(struct tls_session *session, struct view plain)
{
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    size_t written = 0;
    if (plain.len == 0)
        return STATUS_OK;
    ERR_clear_error();
    bool ok = SSL_write_ex(session->ssl, plain.ptr, plain.len, &written) == 1;
    ERR_clear_error();
    /* A memory BIO takes everything, so a partial write does not exist here. */
    return ok && written == plain.len ? STATUS_OK : STATUS_TLS;
}

void tls_session_end(struct tls_session *session)
{
    ENSURE_MAGIC(session, TLS_SESSION_MAGIC);
    if (session->end_sent || !session->open)
        return;
    session->end_sent = true;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl); /* the peer's own close_notify shows when reading */
    ERR_clear_error();
}

size_t tls_session_output(const struct tls_session *session)
{
    return BIO_ctrl_pending(session->out);
}

size_t tls_session_take(struct tls_session *session, uint8_t *out, size_t room)
{
    ENSURE(room <= INT_MAX);
    int taken = BIO_read(session->out, out, (int)room);
    return taken > 0 ? (size_t)taken : 0;
}

const char *tls_session_version(const struct tls_session *session)
{
    return session->open ? SSL_get_version(session->ssl) : "";
}

const char *tls_session_peer_name(const struct tls_session *session)
{
    return session->peer_name;
}
