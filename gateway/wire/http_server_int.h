/* http_server_int.h - the server's two files share this.
 *
 *     http_server.c   connections: bytes in, limits, time-outs, one request after the other
 *     http_answer.c   what goes out: answers and refusals; the getters of a request
 *
 * A `struct http_request` is a connection with its one current request: the memory is used again
 * for the next request, so a request costs no allocation. It outlives its connection while the
 * handler still owes an answer.
 */
#ifndef WIRE_HTTP_SERVER_INT_H
#define WIRE_HTTP_SERVER_INT_H

#include "wire/conn_int.h"
#include "wire/http_parse.h"

#define HTTP_SERVER_MAGIC  0x48535256u
#define HTTP_REQUEST_MAGIC 0x48524551u

enum http_state {
    HTTP_HEAD = 1,
    HTTP_BODY,
    HTTP_RUNNING, /* the handler has it */
    HTTP_OVER     /* the last answer was given; whatever comes is thrown away */
};

struct http_server {
    uint32_t magic;
    struct loop *loop;
    struct http_server_options options;
    struct listener *listener;
    struct endpoint at;
    struct list requests; /* one per connection */
    size_t conns, running;
    bool draining;
    int64_t date_s; /* what date_text says */
    char date_text[32];
};

struct http_request {
    uint32_t magic;
    enum http_state state;
    struct http_server *server;
    struct list link;
    struct conn *conn; /* NULL: the client is gone */
    void *context;
    uint32_t handled; /* requests answered on this connection */
    bool processing;  /* process() is on the stack */
    bool input_ended; /* the client has half-closed */
    bool paused;

    /* in[0, head_len) the head; in[head_len, head_len + body_len) the body, decoded in place;
     * in[raw_at, len) bytes not looked at yet. The buffer may move until the request runs. */
    uint8_t *in;
    size_t room, len;
    size_t head_len, body_len, raw_at;
    uint8_t *ahead; /* what came while the request runs: one read at most, then reading stops */
    size_t ahead_len;

    struct http_guard guard;
    struct http_message message;
    struct http_parse *parse;

    struct timer deadline;
    int64_t deadline_us; /* the timer may be armed for earlier; it then looks here and goes on */
    struct task next;    /* deferred: go on with pipelined bytes */
};

static inline struct view http_head_part(const struct http_request *request, struct http_span span)
{
    return view_of(request->in + span.at, span.len);
}

/* http_server.c: the answer is written; what now. */
void http_request_answered(struct http_request *request, bool keep_alive);
/* http_answer.c: one error answer, then close. */
void http_refuse(struct http_request *request, int http_status, const char *code,
                 const char *detail);
/* Writes one answer into the connection's out-buffer; false: it did not fit or nobody is there. */
bool http_write_answer(struct http_request *request, int http_status, const char *content_type,
                       const struct http_header *headers, size_t header_count, struct view body,
                       bool keep_alive);

#endif
