/* http_server.c - HTTP/1.1 connections: bytes become requests, one after the other.
 *
 * The life of a connection is a loop through four states (enum http_state):
 *     HEAD     bytes gather until the guard has seen the whole head; llhttp reads it; it is judged
 *     BODY     by Content-Length or by chunks, decoded in place behind the head
 *     RUNNING  the handler has the request; it may answer at once or much later
 *     OVER     the last answer was given (an error, Connection: close); input is thrown away
 * Everything that can go wrong ends in http_refuse: exactly one answer, then an orderly close, and
 * nothing of what still comes is read as a request.
 *
 * Pipelining: while a request runs, at most one more read is kept (`ahead`), then reading stops
 * until the answer was given. A client that does not read its answers is not read from either.
 *
 * Time: one timer per connection with a deadline that is moved without touching the timer's heap;
 * the timer looks at the deadline when it fires and sleeps on if it is early.
 */
#include "wire/http_server_int.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdlib.h>

#define IN_FIRST_BYTES 4096u
#define IN_KEEP_BYTES  16384u
/* Above this many bytes of answers unread by the client, the next request has to wait. */
#define OUT_SLOW_BYTES (256u * 1024)
#define OUT_MAX_BYTES  ((size_t)8 << 20)

/* --- time -------------------------------------------------------------------------------- */
static void set_deadline(struct http_request *request, int64_t in_us)
{
    request->deadline_us = loop_now_us(request->server->loop) + in_us;
    if (!timer_is_armed(&request->deadline) || request->deadline.due_us > request->deadline_us)
        timer_start(&request->deadline, in_us);
}

static void no_deadline(struct http_request *request)
{
    request->deadline_us = INT64_MAX; /* the timer fires for nothing and is not started again */
}

static void on_deadline(struct timer *timer, void *arg)
{
    struct http_request *request = arg;
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    if (request->deadline_us == INT64_MAX || request->conn == NULL)
        return;
    int64_t left_us = request->deadline_us - loop_now_us(request->server->loop);
    if (left_us > 0) {
        timer_start(timer, left_us);
        return;
    }
    no_deadline(request);
    if (request->state == HTTP_HEAD && request->len == 0)
        conn_close(request->conn); /* idle: nothing was asked, so nothing is answered */
    else if (request->state == HTTP_HEAD)
        http_refuse(request, 408, "request_timeout", "the head did not arrive in time");
    else if (request->state == HTTP_BODY)
        http_refuse(request, 408, "request_timeout", "the body did not arrive in time");
}

/* --- memory ------------------------------------------------------------------------------ */
static void request_free(struct http_request *request)
{
    struct http_server *server = request->server;
    timer_stop(&request->deadline);
    if (request->next.queued)
        loop_forget(server->loop, &request->next);
    if (request->state == HTTP_RUNNING)
        server->running--;
    server->conns--;
    list_remove(&request->link);
    http_parse_close(request->parse);
    vault_free(request->in);
    vault_free(request->ahead);
    request->magic = 0;
    free(request);
}

static bool in_append(struct http_request *request, struct view bytes)
{
    if (request->room - request->len < bytes.len) {
        size_t room = request->room == 0 ? IN_FIRST_BYTES : request->room;
        while (room - request->len < bytes.len)
            room *= 2;
        uint8_t *in = vault_realloc(request->in, room);
        if (in == NULL)
            return false;
        request->in = in;
        request->room = room;
    }
    memcpy(request->in + request->len, bytes.ptr, bytes.len);
    request->len += bytes.len;
    return true;
}

/* Forgets the request that was answered; what follows it moves to the front. */
static void start_over(struct http_request *request)
{
    size_t left = request->len - request->raw_at;
    if (left > 0)
        memmove(request->in, request->in + request->raw_at, left);
    if (left == 0 && request->room > IN_KEEP_BYTES) {
        vault_free(request->in);
        request->in = NULL;
        request->room = 0;
    } else if (request->in != NULL) {
        vault_wipe(request->in + left, request->len - left);
    }
    request->len = left;
    request->head_len = request->body_len = request->raw_at = 0;
    request->context = NULL;
    request->state = HTTP_HEAD;
    http_guard_start(&request->guard, HTTP_OF_REQUEST);
}

/* --- bytes become a request -------------------------------------------------------------- */
static void on_body(void *arg, struct view bytes)
{
    struct http_request *request = arg;
    /* Chunk framing between the pieces is squeezed out; plain bodies lie where they belong. */
    uint8_t *to = request->in + request->head_len + request->body_len;
    if (to != bytes.ptr)
        memmove(to, bytes.ptr, bytes.len);
    request->body_len += bytes.len;
}

static void run(struct http_request *request)
{
    struct http_server *server = request->server;
    no_deadline(request);
    request->state = HTTP_RUNNING;
    server->running++;
    server->options.handler(request, server->options.arg);
}

static void refuse_with(struct http_request *request, const struct http_refusal *refusal)
{
    http_refuse(request, refusal->http_status, refusal->code, refusal->detail);
}

/* The head is complete and in one piece: judge it and decide how the body comes. */
static void take_head(struct http_request *request)
{
    struct http_message *message = &request->message;
    struct http_refusal refusal;
    struct view head = view_of(request->in, request->head_len);
    if (!http_parse_head(request->parse, head, &request->guard, false, message, &refusal)) {
        refuse_with(request, &refusal);
        return;
    }
    if (message->has_length && message->length > request->guard.body_max) {
        http_refuse(request, 413, "body_too_large", "the body is larger than the limit");
        return;
    }
    if (!message->chunked && message->length == 0) {
        run(request);
        return;
    }
    request->state = HTTP_BODY;
    if (message->chunked)
        http_guard_start_chunks(&request->guard);
    set_deadline(request, request->server->options.limits.body_timeout_us);
    if (message->expects_continue && request->len == request->head_len)
        IGNORE_STATUS(conn_write(request->conn, VIEW("HTTP/1.1 100 Continue\r\n\r\n")));
}

/* True when the state moved on. */
static bool process_head(struct http_request *request)
{
    size_t taken = 0;
    if (request->raw_at == request->len)
        return false;
    if (request->raw_at == 0)
        set_deadline(request, request->server->options.limits.header_timeout_us);
    struct view raw = view_of(request->in + request->raw_at, request->len - request->raw_at);
    enum guard_verdict verdict = http_guard_head(&request->guard, raw, &taken);
    request->raw_at += taken;
    if (verdict == GUARD_BAD) {
        refuse_with(request, &request->guard.refusal);
    } else if (verdict == GUARD_END) {
        request->head_len = request->raw_at;
        take_head(request);
    }
    return verdict == GUARD_END;
}

/* Which of the waiting bytes belong to the body; *over: they are its last. False: refused. */
static bool delimit_body(struct http_request *request, size_t *taken, bool *over)
{
    struct view raw = view_of(request->in + request->raw_at, request->len - request->raw_at);
    if (!request->message.chunked) {
        uint64_t missing = request->message.length - request->body_len;
        *taken = raw.len < missing ? raw.len : (size_t)missing;
        *over = raw.len >= missing;
        return true;
    }
    enum guard_verdict verdict = http_guard_chunks(&request->guard, raw, taken);
    *over = verdict == GUARD_END;
    if (verdict == GUARD_BAD)
        refuse_with(request, &request->guard.refusal);
    return verdict != GUARD_BAD;
}

static bool process_body(struct http_request *request)
{
    size_t taken = 0;
    bool over = false;
    if (!delimit_body(request, &taken, &over))
        return false;
    struct view part = view_of(request->in + request->raw_at, taken);
    if (!http_parse_body(request->parse, part) || http_parse_complete(request->parse) != over) {
        http_refuse(request, 400, "malformed_request", "the body's framing cannot be read");
        return false;
    }
    request->raw_at += taken;
    if (over) {
        run(request);
        return true;
    }
    /* All that came is decoded: forget the chunk framing, so that the buffer stays small. */
    request->len = request->raw_at = request->head_len + request->body_len;
    return false;
}

static void process(struct http_request *request)
{
    if (request->processing)
        return;
    request->processing = true;
    for (bool on = true; on && request->conn != NULL;) {
        on = false;
        if (request->state == HTTP_HEAD && conn_out_pending(request->conn) <= OUT_SLOW_BYTES)
            on = process_head(request);
        else if (request->state == HTTP_BODY)
            on = process_body(request);
    }
    request->processing = false;
    if (request->input_ended && request->conn != NULL && request->state != HTTP_RUNNING &&
        request->state != HTTP_OVER) {
        if (request->len == 0)
            conn_close(request->conn);
        else if (request->raw_at == request->len)
            http_refuse(request, 400, "malformed_request", "the request ends too early");
    }
}

/* Takes in what came while the last request ran, and reads on. */
static void go_on(struct http_request *request)
{
    if (request->state != HTTP_HEAD || request->conn == NULL)
        return;
    if (request->ahead != NULL) {
        bool ok = in_append(request, view_of(request->ahead, request->ahead_len));
        vault_free(request->ahead);
        request->ahead = NULL;
        request->ahead_len = 0;
        if (!ok) {
            conn_abort(request->conn);
            return;
        }
    }
    process(request);
    if (request->paused && request->ahead == NULL && request->conn != NULL &&
        conn_out_pending(request->conn) <= OUT_SLOW_BYTES) {
        request->paused = false;
        conn_resume(request->conn);
    }
}

static void on_next(struct task *task)
{
    struct http_request *request = CONTAINER_OF(task, struct http_request, next);
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    go_on(request);
}

void http_request_answered(struct http_request *request, bool keep_alive)
{
    struct http_server *server = request->server;
    if (request->state == HTTP_RUNNING)
        server->running--;
    if (request->conn == NULL) {
        request->state = HTTP_OVER;
        request_free(request);
        return;
    }
    request->handled++;
    if (!keep_alive) {
        request->state = HTTP_OVER;
        no_deadline(request);
        if (request->in != NULL)
            vault_wipe(request->in, request->len);
        request->len = 0;
        conn_close(request->conn);
        return;
    }
    start_over(request);
    set_deadline(request, server->options.limits.idle_timeout_us);
    /* Inside process() the loop there goes on by itself. */
    if (request->len > 0 || request->ahead != NULL || request->input_ended)
        loop_defer(server->loop, &request->next);
}

/* --- events of the connection ------------------------------------------------------------ */
static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct http_request *request = arg;
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    if (request->state == HTTP_OVER)
        return;
    bool wait = request->state == HTTP_RUNNING || request->ahead != NULL ||
                (request->state == HTTP_HEAD && conn_out_pending(conn) > OUT_SLOW_BYTES);
    if (!wait) {
        if (in_append(request, bytes))
            process(request);
        else
            conn_abort(conn);
        return;
    }
    /* Reading may have been stopped with a piece under way: room for all of it. */
    uint8_t *ahead = vault_realloc(request->ahead, request->ahead_len + bytes.len);
    if (ahead == NULL) {
        conn_abort(conn);
        return;
    }
    memcpy(ahead + request->ahead_len, bytes.ptr, bytes.len);
    request->ahead = ahead;
    request->ahead_len += bytes.len;
    request->paused = true;
    conn_pause(conn);
}

static void on_ended(struct conn *conn, void *arg)
{
    struct http_request *request = arg;
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    (void)conn;
    request->input_ended = true;
    if (request->state != HTTP_RUNNING)
        loop_defer(request->server->loop, &request->next);
}

static void on_drained(struct conn *conn, void *arg)
{
    struct http_request *request = arg;
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    (void)conn;
    if (request->paused || request->raw_at < request->len)
        go_on(request);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct http_request *request = arg;
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    (void)conn, (void)why;
    request->conn = NULL;
    if (request->state != HTTP_RUNNING)
        request_free(request);
}

static const struct conn_events request_events = {
    .bytes = on_bytes, .ended = on_ended, .drained = on_drained, .closed = on_closed
};

/* --- the server -------------------------------------------------------------------------- */

/* Accepted beyond the limit, so that they can take the place of another. */
#define CONNS_SPARE 64

/* Everything is taken: the connection that has been there longest without a whole request gives its
 * place. Who sends a request within a few turns is never the longest for long; who only holds a
 * connection is. False: all are being served. */
static bool make_room(struct http_server *server)
{
    for (struct list *at = server->requests.next; at != &server->requests; at = at->next) {
        struct http_request *request = CONTAINER_OF(at, struct http_request, link);
        if ((request->state != HTTP_HEAD && request->state != HTTP_BODY) || request->conn == NULL)
            continue;
        request->state = HTTP_OVER;
        conn_abort(request->conn);
        return true;
    }
    return false;
}

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    struct http_server *server = arg;
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    (void)listener;
    const bool full = server->conns >= server->options.limits.conns_max;
    if (full && (!server->options.limits.give_way || !make_room(server))) {
        conn_abort(conn);
        return;
    }
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        conn_abort(conn);
        return;
    }
    request->parse = http_parse_open(HTTP_OF_REQUEST, on_body, request);
    if (request->parse == NULL) {
        free(request);
        conn_abort(conn);
        return;
    }
    const struct http_limits *limits = &server->options.limits;
    request->magic = HTTP_REQUEST_MAGIC;
    request->server = server;
    request->conn = conn;
    request->guard.head_max = limits->header_bytes_max;
    request->guard.target_max = limits->target_bytes_max;
    request->guard.lines_max = HTTP_HEADERS_MAX;
    request->guard.body_max = limits->body_bytes_max;
    request->next.run = on_next;
    timer_init(&request->deadline, server->loop, on_deadline, request);
    list_append(&server->requests, &request->link);
    server->conns++;
    start_over(request);
    set_deadline(request, limits->header_timeout_us);
    conn_set_events(conn, &request_events, request);
}

static void fill_limits(struct http_limits *limits)
{
#define LIMIT_DEFAULT(member, value)                                                               \
    if (limits->member == 0)                                                                       \
    limits->member = (value)
    LIMIT_DEFAULT(header_bytes_max, (size_t)16 << 10);
    LIMIT_DEFAULT(target_bytes_max, (size_t)8 << 10);
    LIMIT_DEFAULT(body_bytes_max, (size_t)64 << 10);
    LIMIT_DEFAULT(header_timeout_us, 5 * LOOP_US_PER_S);
    LIMIT_DEFAULT(body_timeout_us, 10 * LOOP_US_PER_S);
    LIMIT_DEFAULT(idle_timeout_us, 75 * LOOP_US_PER_S);
    LIMIT_DEFAULT(conns_max, 4096);
#undef LIMIT_DEFAULT
    if (limits->target_bytes_max > limits->header_bytes_max)
        limits->target_bytes_max = limits->header_bytes_max;
}

enum status http_server_open(struct http_server **out, struct wire *wire, struct loop *loop,
                             const struct http_server_options *options)
{
    ENSURE(options->handler != NULL);
    *out = NULL;
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return STATUS_NO_MEMORY;
    server->magic = HTTP_SERVER_MAGIC;
    server->loop = loop;
    server->options = *options;
    server->date_s = -1;
    fill_limits(&server->options.limits);
    list_init(&server->requests);
    struct listen_options listen = { .accept = on_accept,
                                     .arg = server,
                                     .tls = options->tls,
                                     .conns_max =
                                         server->options.limits.conns_max +
                                         (server->options.limits.give_way ? CONNS_SPARE : 0),
                                     .out_max = OUT_MAX_BYTES,
                                     .owner = options->owner };
    enum status status = listen_open(wire, &options->at, &listen, &server->listener);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    server->at = *listener_endpoint(server->listener);
    *out = server;
    return STATUS_OK;
}

const struct endpoint *http_server_endpoint(const struct http_server *server)
{
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    return &server->at;
}

size_t http_server_conns(const struct http_server *server)
{
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    return server->conns;
}

size_t http_server_running(const struct http_server *server)
{
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    return server->running;
}

void http_server_drain(struct http_server *server)
{
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    if (server->draining)
        return;
    server->draining = true;
    listen_close(server->listener);
    server->listener = NULL;
    for (struct list *at = server->requests.next; at != &server->requests; at = at->next) {
        struct http_request *request = CONTAINER_OF(at, struct http_request, link);
        if (request->state == HTTP_HEAD && request->len == 0 && request->conn != NULL)
            conn_close(request->conn);
    }
}

static void on_orphan_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn, (void)arg, (void)bytes;
}

static void on_orphan_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn, (void)arg, (void)why;
}

/* Connections that outlive their server: what was answered still goes out, nobody is told. */
static const struct conn_events orphan_events = { .bytes = on_orphan_bytes,
                                                  .closed = on_orphan_closed };

void http_server_close(struct http_server *server)
{
    if (server == NULL)
        return;
    ENSURE_MAGIC(server, HTTP_SERVER_MAGIC);
    listen_close(server->listener);
    while (!list_empty(&server->requests)) {
        struct http_request *request =
            CONTAINER_OF(server->requests.next, struct http_request, link);
        if (request->conn != NULL) {
            conn_set_events(request->conn, &orphan_events, NULL);
            conn_close(request->conn);
        }
        request_free(request);
    }
    server->magic = 0;
    free(server);
}
