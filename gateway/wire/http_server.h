/* http_server.h - HTTP/1.1 in (RFC 9112), strict: what is ambiguous is refused, never guessed.
 *
 * Both Content-Length and Transfer-Encoding, obs-fold, bare CR or LF, odd chunk sizes, missing or
 * doubled Host, unknown transfer codings, over-long parts: one error answer with `Connection:
 * close` (or just a close when no answer would be safe), and never a second response. Pipelined
 * requests are handled one after the other.
 *
 * The handler is called on the loop's thread when a request is complete. It must answer exactly
 * once, now or later, with http_respond. Request memory (vault) lives until then. If the client
 * went away meanwhile, http_respond still must be called and just frees.
 */
#ifndef WIRE_HTTP_SERVER_H
#define WIRE_HTTP_SERVER_H

#include "wire/conn.h"

#include "base/log.h"

#define HTTP_HEADERS_MAX 64

struct http_server;
struct http_request; /* opaque; see the getters */

struct http_limits {
    size_t
        header_bytes_max; /* request line and headers; default 16 KiB -> 431 (414 for the target) */
    size_t target_bytes_max; /* default 8 KiB */
    size_t body_bytes_max;   /* default 64 KiB -> 413 */
    int64_t
        header_timeout_us;   /* from first byte (or accept) to end of headers; default 5 s -> 408 */
    int64_t body_timeout_us; /* default 10 s -> 408 */
    int64_t idle_timeout_us; /* keep-alive; default 75 s -> close */
    size_t conns_max;        /* default 4096 */
    uint32_t requests_per_conn_max; /* default 0: no limit */
    bool give_way; /* at conns_max the connection that was there longest without a whole request
                      gives its place to a new one; else the new one is closed */
};

struct http_header {
    struct view name; /* as sent; compare with view_equal_nocase */
    struct view value;
};

typedef void http_handler_fn(struct http_request *request, void *arg);
/* Builds the body of an answer that the server gives by itself (400, 408, 413, ...); may be NULL.
 * Writes a problem document into `body`; content type is application/problem+json. */
typedef void http_refusal_fn(void *arg, int http_status, const char *code, const char *detail,
                             struct writer *body);

struct http_server_options {
    struct endpoint at;
    struct tls_context *tls;
    struct http_limits limits; /* zero members take the default */
    http_handler_fn *handler;
    http_refusal_fn *refusal;
    void *arg;
    const struct log *log;
    const void *owner;
};

enum status http_server_open(struct http_server **out, struct wire *wire, struct loop *loop,
                             const struct http_server_options *options);
const struct endpoint *http_server_endpoint(const struct http_server *server);
/* Stops accepting; idle connections are closed; running requests may still be answered. */
void http_server_drain(struct http_server *server);
/* Connections open, requests being handled. */
size_t http_server_conns(const struct http_server *server);
size_t http_server_running(const struct http_server *server);
/* Closes everything; requests still running must not be answered afterwards. */
void http_server_close(struct http_server *server);

/* --- a request; views live until http_respond ------------------------------------------- */
struct view http_method(const struct http_request *request); /* "POST" */
struct view
http_path(const struct http_request *request); /* "/v1/payments", without query, not decoded */
struct view http_query(const struct http_request *request); /* without '?', may be empty */
struct view http_body(const struct http_request *request);
/* First header of that name (any case) or an empty view; count of them via http_header_count. */
struct view http_header(const struct http_request *request, const char *name);
size_t http_header_count(const struct http_request *request, const char *name);
/* All headers, in the order in which they came; index below the count. */
size_t http_headers_count(const struct http_request *request);
struct http_header http_header_at(const struct http_request *request, size_t index);
const char *http_peer(const struct http_request *request);
/* A place for the handler's own pointer. */
void http_set_context(struct http_request *request, void *context);
void *http_context(const struct http_request *request);
/* True once the client is gone (an answer would reach nobody). */
bool http_client_gone(const struct http_request *request);

/* Answers. headers: extra ones, without Content-Length, Connection, Date. body is copied. */
void http_respond(struct http_request *request, int http_status, const char *content_type,
                  const struct http_header *headers, size_t header_count, struct view body);

/* An answer without an end of its own (server-sent events): the head now, then pieces, then
 * http_stream_end, which closes the connection and frees the request like http_respond. A client
 * that went away is seen by http_client_gone. */
void http_stream_start(struct http_request *request, int http_status, const char *content_type,
                       const struct http_header *headers, size_t header_count);
/* FULL: the client does not read; nothing of it was taken. CLOSED: it is gone. */
enum status http_stream_write(struct http_request *request, struct view bytes);
/* Bytes written that the client has not read yet. */
size_t http_stream_pending(const struct http_request *request);
void http_stream_end(struct http_request *request);
/* The same, but what the client has not read yet is dropped with the connection. */
void http_stream_drop(struct http_request *request);

/* Are the names of a query, as they were sent, all of `known` (with a blank between them), and each
 * there once? Else *out is the first that is not. */
enum http_query_names { HTTP_NAMES_GOOD = 1, HTTP_NAME_UNKNOWN, HTTP_NAME_TWICE };
enum http_query_names http_query_names(struct view query, const char *known, struct view *out);
/* Percent-decodes one value of a query (`name=`); NOT_FOUND when absent, MALFORMED, FULL. */
enum status http_query_value(struct view query, const char *name, struct writer *out);
const char *http_reason(int http_status);

#endif
