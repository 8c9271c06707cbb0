/* tls.c - TLS contexts: certificates, versions, ciphers, who must be verified.
 *
 * Decisions, one place:
 *     versions      1.2 at least, 1.3 preferred; no renegotiation, no compression
 *     ciphers       1.2: forward secrecy and AEAD only; 1.3: OpenSSL's own list
 *     resumption    none: connections are kept alive instead, and a ticket key is one more secret
 *     verification  a client always verifies chain and name; a server with ca_path demands a client
 *                   certificate that this CA signed
 */
#include "wire/tls.h"
#include "wire/tls_context_int.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <stdlib.h>

/* --- memory ------------------------------------------------------------------------------ */
static void *vault_for_ssl(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size > 0 ? vault_alloc(size) : NULL;
}

static void *vault_again_for_ssl(void *block, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (block == NULL)
        return size > 0 ? vault_alloc(size) : NULL;
    if (size == 0) {
        vault_free(block);
        return NULL;
    }
    return vault_realloc(block, size);
}

static void vault_back_from_ssl(void *block, const char *file, int line)
{
    (void)file, (void)line;
    vault_free(block);
}

enum status wire_init_process(void)
{
    return CRYPTO_set_mem_functions(vault_for_ssl, vault_again_for_ssl, vault_back_from_ssl) == 1
               ? STATUS_OK
               : STATUS_UNSUPPORTED;
}

/* --- contexts ---------------------------------------------------------------------------- */
/* Why the system refused, if it did (that comes first), else the last reason OpenSSL gave: names of
 * files and formats, never key material. */
static enum status explain(struct writer *why, const char *what, const char *path)
{
    char reason[160] = "unknown reason";
    unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
    if (ERR_SYSTEM_ERROR(first))
        (void)snprintf(reason, sizeof reason, "%s", strerror(ERR_GET_REASON(first)));
    else if (last != 0)
        ERR_error_string_n(last, reason, sizeof reason);
    ERR_clear_error();
    writer_format(why, "%s %s: %s", what, path != NULL ? path : "", reason);
    return STATUS_TLS;
}

static enum status context_new(const SSL_METHOD *method, const struct tls_options *options,
                               struct tls_context **out, struct writer *why)
{
    *out = NULL;
    if (options->min_version != 0 && options->min_version != 12 && options->min_version != 13) {
        writer_format(why, "TLS version %u is not 12 or 13", options->min_version);
        return STATUS_RANGE;
    }
    ERR_clear_error(); /* explain() tells the first one */
    struct tls_context *context = calloc(1, sizeof *context);
    SSL_CTX *ssl = context != NULL ? SSL_CTX_new(method) : NULL;
    if (ssl == NULL) {
        free(context);
        return explain(why, "cannot make a TLS context", NULL);
    }
    context->magic = TLS_CONTEXT_MAGIC;
    context->ssl = ssl;
    int lowest = options->min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    ENSURE(SSL_CTX_set_min_proto_version(ssl, lowest) == 1);
    ENSURE(SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    *out = context;
    return STATUS_OK;
}

static enum status load_identity(SSL_CTX *ssl, const struct tls_options *options,
                                 struct writer *why)
{
    if (SSL_CTX_use_certificate_chain_file(ssl, options->certificate_path) != 1)
        return explain(why, "cannot load the certificate", options->certificate_path);
    if (SSL_CTX_use_PrivateKey_file(ssl, options->key_path, SSL_FILETYPE_PEM) != 1)
        return explain(why, "cannot load the private key", options->key_path);
    if (SSL_CTX_check_private_key(ssl) != 1)
        return explain(why, "the private key does not belong to the certificate",
                       options->key_path);
    return STATUS_OK;
}

static enum status load_trust(SSL_CTX *ssl, const struct tls_options *options, struct writer *why)
{
    if (options->ca_path == NULL)
        return SSL_CTX_set_default_verify_paths(ssl) == 1
                   ? STATUS_OK
                   : explain(why, "cannot load the system's certificates", NULL);
    if (SSL_CTX_load_verify_file(ssl, options->ca_path) != 1)
        return explain(why, "cannot load the CA certificates", options->ca_path);
    return STATUS_OK;
}

static enum status server_setup(SSL_CTX *ssl, const struct tls_options *options, struct writer *why)
{
    if (options->certificate_path == NULL || options->key_path == NULL) {
        writer_text(why, "a TLS server needs a certificate and its key");
        return STATUS_NOT_FOUND;
    }
    TRY(load_identity(ssl, options, why));
    if (options->ca_path == NULL)
        return STATUS_OK;
    TRY(load_trust(ssl, options, why));
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->ca_path);
    if (names == NULL)
        return explain(why, "cannot read the names of the CA certificates", options->ca_path);
    SSL_CTX_set_client_CA_list(ssl, names);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return STATUS_OK;
}

static enum status client_setup(struct tls_context *context, const struct tls_options *options,
                                struct writer *why)
{
    if (options->certificate_path != NULL) {
        if (options->key_path == NULL) {
            writer_text(why, "a TLS client certificate needs its key");
            return STATUS_NOT_FOUND;
        }
        TRY(load_identity(context->ssl, options, why));
    }
    TRY(load_trust(context->ssl, options, why));
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    struct view name = view_text(options->server_name);
    if (view_to_text(name, context->server_name, sizeof context->server_name) != STATUS_OK) {
        writer_text(why, "the server name is too long");
        return STATUS_RANGE;
    }
    return STATUS_OK;
}

enum status tls_open_server(const struct tls_options *options, struct tls_context **out,
                            struct writer *why)
{
    TRY(context_new(TLS_server_method(), options, out, why));
    enum status status = server_setup((*out)->ssl, options, why);
    if (status != STATUS_OK) {
        tls_close(*out);
        *out = NULL;
    }
    return status;
}

enum status tls_open_client(const struct tls_options *options, struct tls_context **out,
                            struct writer *why)
{
    TRY(context_new(TLS_client_method(), options, out, why));
    enum status status = client_setup(*out, options, why);
    if (status != STATUS_OK) {
        tls_close(*out);
        *out = NULL;
    }
    return status;
}

void tls_close(struct tls_context *context)
{
    if (context == NULL)
        return;
    ENSURE_MAGIC(context, TLS_CONTEXT_MAGIC);
    SSL_CTX_free(context->ssl);
    context->magic = 0;
    free(context);
}
