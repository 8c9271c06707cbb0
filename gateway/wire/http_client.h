/* http_client.h - HTTP/1.1 out: one request, one answer, on pooled keep-alive connections.
 *
 * Used towards channels, for command-line tools and tests. Bounded like the server. The
 * done function is called exactly once on the loop's thread, unless http_call_cancel came first.
 */
#ifndef WIRE_HTTP_CLIENT_H
#define WIRE_HTTP_CLIENT_H

#include "wire/http_server.h"

struct http_client;
struct http_call;

struct http_answer {
    enum status status;       /* OK: an HTTP answer was received; else why not */
    bool bytes_may_have_left; /* false: certainly not a byte of the request was written */
    int http_status;
    const struct http_header *headers;
    size_t header_count;
    struct view body; /* all views live during the call of done only */
};
typedef void http_done_fn(void *arg, const struct http_answer *answer);

struct http_client_options {
    struct endpoint to;
    struct tls_context *tls;
    size_t conns_max;           /* default 16 */
    size_t answer_bytes_max;    /* default 1 MiB */
    int64_t connect_timeout_us; /* default 5 s */
    int64_t idle_max_us;        /* an idle connection is closed after it; 0: never. Should be less
                                   than the other side's, or a request may meet its closing */
    bool one_call_each;         /* a connection for each call, and the other side is told so */
    const void *owner;
    address_allowed_fn *allowed; /* conn.h; NULL: all */
    const char *name_servers; /* conn.h; NULL: the system is asked. Lives as long as the client */
    bool cut_answers;         /* an answer whose body is larger than answer_bytes_max, or breaks its
                                 framing, is given with what came of it (for those who only want its
                                 status); its connection is closed. Else: FULL, MALFORMED */
};
enum status http_client_open(struct http_client **out, struct wire *wire, struct loop *loop,
                             const struct http_client_options *options);
/* Calls still open are done with CANCELED. Not from within a done function. NULL is allowed. */
void http_client_close(struct http_client *client);
/* Simulated crash, after wire_crash: frees everything, touches no connection, calls nobody; calls
 * are gone. NULL is allowed. */
void http_client_abandon(struct http_client *client);
/* Connections it has now, open or being opened. */
size_t http_client_conns(const struct http_client *client);
/* method, path, headers and body are copied. BUSY when conns_max calls are running and 1024 wait.
 */
enum status http_call(struct http_client *client, const char *method, struct view path,
                      const struct http_header *headers, size_t header_count, struct view body,
                      int64_t timeout_us, http_done_fn *done, void *arg, struct http_call **out);
/* For an answer without an end (server-sent events): it is given piece by piece as it comes, from
 * any length, and done gets an empty body when it is over. `piece` is called once with no bytes
 * when the head was read; it must not cancel the call or close the client. timeout_us of the call
 * is then the longest silence. To be called in the turn in which the call was made. */
typedef void http_piece_fn(void *arg, int http_status, struct view bytes);
void http_call_stream(struct http_call *call, http_piece_fn *piece);
/* Reads no more of such an answer until resume (what was read already is still given); silence is
 * then no failure. Also from within piece. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);
/* False: certainly not a byte of the request was written yet. */
bool http_call_may_have_left(const struct http_call *call);
/* After this, done is not called. The connection is closed if the request was written. */
void http_call_cancel(struct http_call *call);

#endif
