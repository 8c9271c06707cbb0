/* raw_http.c - see raw_http.h. */
#include "raw_http.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

/* --- server side ------------------------------------------------------------------------- */
static void answer(struct raw *raw, struct http_request *request)
{
    char body[64];
    int len = snprintf(body, sizeof body, "call %d", raw->calls);
    http_respond(request, 200, "text/plain", NULL, 0, view_of(body, (size_t)len));
}

static void on_later(struct timer *timer, void *arg)
{
    struct raw *raw = arg;
    (void)timer;
    struct http_request *request = raw->held;
    raw->held = NULL;
    answer(raw, request);
}

static void on_request(struct http_request *request, void *arg)
{
    struct raw *raw = arg;
    struct view method = http_method(request), path = http_path(request);
    struct view query = http_query(request), body = http_body(request);
    raw->calls++;
    raw->body_len = body.len;
    (void)snprintf(raw->last, sizeof raw->last, "%.*s %.*s|%.*s|%.*s", (int)method.len,
                   (const char *)method.ptr, (int)path.len, (const char *)path.ptr, (int)query.len,
                   (const char *)query.ptr, (int)(body.len < 100 ? body.len : 100),
                   body.len > 0 ? (const char *)body.ptr : "");
    if (raw->answering == RAW_AT_ONCE) {
        answer(raw, request);
        return;
    }
    ENSURE(raw->held == NULL); /* one request at a time on one connection */
    raw->held = request;
    if (raw->answering == RAW_LATER)
        timer_start(&raw->later, 500);
}

void raw_open(struct raw *raw, enum raw_kind kind, uint64_t seed)
{
    struct http_limits limits = raw->limits;
    enum raw_answering answering = raw->answering;
    memset(raw, 0, sizeof *raw);
    raw->limits = limits;
    raw->answering = answering != 0 ? answering : RAW_AT_ONCE;
    raw->kind = kind;
    struct http_server_options options = { .limits = limits, .handler = on_request, .arg = raw };
    if (kind == RAW_MEMORY) {
        struct memory_faults faults = { .delay_us_min = 10, .delay_us_max = 20 };
        raw->loop = loop_open_virtual(seed, 1700000000 * LOOP_US_PER_S);
        ENSURE(wire_open_memory(&raw->wire, raw->loop, &faults) == STATUS_OK);
        ENSURE(endpoint_parse(VIEW("server:80"), &options.at) == STATUS_OK);
    } else {
        raw->loop = loop_open_real();
        ENSURE(wire_open_real(&raw->wire, raw->loop) == STATUS_OK);
        ENSURE(endpoint_parse(VIEW("127.0.0.1:0"), &options.at) == STATUS_OK);
    }
    timer_init(&raw->later, raw->loop, on_later, raw);
    ENSURE(http_server_open(&raw->server, raw->wire, raw->loop, &options) == STATUS_OK);
}

void raw_close(struct raw *raw)
{
    timer_stop(&raw->later);
    http_server_close(raw->server);
    wire_close(raw->wire);
    loop_close(raw->loop);
}

/* --- client side ------------------------------------------------------------------------- */
static void on_opened(struct conn *conn, void *arg)
{
    struct raw *raw = arg;
    (void)conn;
    raw->opened = true;
    loop_stop(raw->loop);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct raw *raw = arg;
    (void)conn;
    ENSURE(bytes.len <= sizeof raw->reply - raw->reply_len);
    memcpy(raw->reply + raw->reply_len, bytes.ptr, bytes.len);
    raw->reply_len += bytes.len;
    if (raw->stop_at_len > 0 && raw->reply_len >= raw->stop_at_len)
        loop_stop(raw->loop);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct raw *raw = arg;
    (void)conn;
    raw->conn = NULL;
    raw->closed = true;
    raw->why = why;
    loop_stop(raw->loop);
}

static const struct conn_events client_events = { .opened = on_opened,
                                                  .bytes = on_bytes,
                                                  .closed = on_closed };

/* A test that hangs is stopped by its runner; a virtual one by this. */
static void run_while(struct raw *raw, bool (*going)(const struct raw *raw))
{
    int64_t until_us = loop_now_us(raw->loop) + 200 * LOOP_US_PER_S;
    while (going(raw)) {
        if (raw->kind == RAW_REAL)
            loop_run(raw->loop);
        else if (!loop_step(raw->loop, until_us))
            return;
    }
}

static bool connecting(const struct raw *raw)
{
    return !raw->opened && !raw->closed;
}

static bool is_open(const struct raw *raw)
{
    return !raw->closed;
}

static bool waiting_for_reply(const struct raw *raw)
{
    return !raw->closed && raw->reply_len < raw->stop_at_len;
}

void raw_connect(struct raw *raw)
{
    struct conn_options options = { .events = &client_events, .arg = raw };
    raw->opened = raw->closed = false;
    raw->reply_len = raw->stop_at_len = 0;
    ENSURE(conn_connect(raw->wire, http_server_endpoint(raw->server), &options, &raw->conn) ==
           STATUS_OK);
    run_while(raw, connecting);
}

void raw_send(struct raw *raw, struct view bytes)
{
    /* The server may have closed already; that is for the test to see in the reply. */
    if (raw->conn != NULL)
        IGNORE_STATUS(conn_write(raw->conn, bytes));
}

void raw_pass(struct raw *raw, int64_t us)
{
    ENSURE(raw->kind == RAW_MEMORY);
    int64_t until_us = loop_now_us(raw->loop) + us;
    while (loop_step(raw->loop, until_us)) {
    }
}

void raw_until_closed(struct raw *raw)
{
    run_while(raw, is_open);
}

void raw_until_reply(struct raw *raw, size_t len)
{
    raw->stop_at_len = len;
    run_while(raw, waiting_for_reply);
}

/* --- reading ----------------------------------------------------------------------------- */
static size_t find(struct view in, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at + len <= in.len; at++) {
        if (memcmp(in.ptr + at, text, len) == 0)
            return at;
    }
    return in.len;
}

int raw_answers(const struct raw *raw, int *statuses, int max)
{
    struct view left = view_of(raw->reply, raw->reply_len);
    int count = 0;
    for (; left.len > 0; count++) {
        size_t head_len = find(left, "\r\n\r\n") + 4;
        uint64_t status = 0, length = 0;
        if (!view_starts_with(left, VIEW("HTTP/1.1 ")) || head_len > left.len ||
            view_to_u64(view_slice(left, 9, 3), 599, &status) != STATUS_OK)
            return -1;
        struct view head = view_slice(left, 0, head_len);
        size_t at = find(head, "\r\nContent-Length: ");
        if (status == 100) {
            length = 0;
        } else {
            struct view value = view_slice(head, at + 18, head.len);
            value = view_slice(value, 0, view_find(value, '\r'));
            if (view_to_u64(value, sizeof raw->reply, &length) != STATUS_OK)
                return -1;
        }
        if (head_len + length > left.len)
            return -1;
        if (statuses != NULL && count < max)
            statuses[count] = (int)status;
        left = view_slice(left, head_len + (size_t)length, left.len);
    }
    return count;
}
