/* http_client.c - one request, one answer, on kept connections.
 *
 * A call is composed completely when it is made, waits for a link (a connection), is written in one
 * piece, and ends when its answer is complete, its time is over or its link breaks. Nothing is ever
 * sent twice by itself: whether a request may be repeated is decided by those who know what it
 * moves. `bytes_may_have_left` tells them what they need for that.
 *
 * A link serves one call at a time and is kept afterwards if the answer allows it, but not idle for
 * ever: a request that meets the other side's closing is one of which nobody knows. Answers are
 * read with the same guard and parser as requests: an odd one breaks the link (MALFORMED).
 */
#include "wire/http_client.h"
#include "wire/conn_int.h"
#include "wire/http_parse.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdlib.h>

#define CLIENT_MAGIC       0x48434c49u
#define CALL_MAGIC         0x4843414cu
#define LINK_MAGIC         0x484c4e4bu
#define WAITING_MAX        1024
#define CONNS_DEFAULT      16
#define ANSWER_MAX_DEFAULT ((size_t)1 << 20)
#define CONNECT_US_DEFAULT (5 * LOOP_US_PER_S)
#define HEAD_MAX           ((size_t)32 << 10)
#define REQUEST_MAX        ((size_t)16 << 20)

enum link_state { LINK_CONNECTING = 1, LINK_IDLE, LINK_HEAD, LINK_BODY, LINK_OVER };

#define INTERIM_MAX 8

struct link {
    uint32_t magic;
    enum link_state state;
    struct http_client *client;
    struct list item;
    struct conn *conn;
    struct http_call *call;
    struct timer idle; /* armed while it is idle */
    struct http_guard guard;
    struct http_message message;
    struct http_parse *parse;
    uint8_t *in; /* as in a server's request: head, decoded body, raw rest */
    size_t room, len, head_len, body_len, raw_at;
    uint32_t interim; /* answers 1xx before the one that counts */
};

struct http_call {
    uint32_t magic;
    struct http_client *client;
    struct list item; /* in client->waiting while it has no link */
    struct link *link;
    uint8_t *request; /* vault; NULL once written */
    size_t request_len;
    bool is_head, sent;
    struct timer deadline;
    int64_t timeout_us;
    bool paused;
    http_done_fn *done;
    http_piece_fn *piece; /* NULL: the answer is given as a whole */
    void *arg;
};

struct http_client {
    uint32_t magic;
    struct wire *wire;
    struct loop *loop;
    struct http_client_options options;
    struct list links, waiting;
    size_t link_count, waiting_count;
    struct task assign; /* deferred: give waiting calls to links */
};

/* --- calls ------------------------------------------------------------------------------- */
static void call_free(struct http_call *call)
{
    timer_stop(&call->deadline);
    if (list_linked(&call->item)) {
        list_remove(&call->item);
        call->client->waiting_count--;
    }
    if (call->link != NULL)
        call->link->call = NULL;
    vault_free(call->request);
    call->magic = 0;
    free(call);
}

static void call_failed(struct http_call *call, enum status why)
{
    struct http_answer answer = { .status = why, .bytes_may_have_left = call->sent };
    http_done_fn *done = call->done;
    void *arg = call->arg;
    call_free(call);
    done(arg, &answer);
}

static void link_break(struct link *link)
{
    timer_stop(&link->idle);
    link->state = LINK_OVER;
    if (link->conn != NULL)
        conn_abort(link->conn);
}

static void on_call_deadline(struct timer *timer, void *arg)
{
    struct http_call *call = arg;
    ENSURE_MAGIC(call, CALL_MAGIC);
    (void)timer;
    if (call->link != NULL)
        link_break(
            call->link); /* its answer may still come and would be taken for the next one's */
    call_failed(call, STATUS_TIMEOUT);
}

/* --- links ------------------------------------------------------------------------------- */
static void link_start_over(struct link *link, enum link_state state)
{
    vault_wipe(link->in, link->len);
    link->len = link->head_len = link->body_len = link->raw_at = 0;
    link->interim = 0;
    http_guard_start(&link->guard, HTTP_OF_ANSWER);
    link->state = state;
    if (state == LINK_IDLE && link->client->options.idle_max_us > 0)
        timer_start(&link->idle, link->client->options.idle_max_us);
    else
        timer_stop(&link->idle);
}

static void on_idle_over(struct timer *timer, void *arg)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    (void)timer;
    if (link->state != LINK_IDLE || link->call != NULL)
        return;
    link->state = LINK_OVER;
    conn_close(link->conn);
}

static void link_free(struct link *link)
{
    timer_stop(&link->idle);
    list_remove(&link->item);
    link->client->link_count--;
    http_parse_close(link->parse);
    vault_free(link->in);
    link->magic = 0;
    free(link);
}

static void link_send(struct link *link)
{
    struct http_call *call = link->call;
    link_start_over(link, LINK_HEAD);
    link->guard.body_max =
        call->piece != NULL ? UINT64_MAX : link->client->options.answer_bytes_max;
    enum status status = conn_write(link->conn, view_of(call->request, call->request_len));
    if (status != STATUS_OK) {
        link_break(link);
        call_failed(call, status);
        return;
    }
    call->sent = true;
    vault_free(call->request);
    call->request = NULL;
}

static void answer_give(struct link *link, bool whole)
{
    struct http_call *call = link->call;
    struct http_message *message = &link->message;
    struct http_header headers[HTTP_HEADERS_MAX];
    for (uint32_t i = 0; i < message->header_count; i++) {
        struct http_span name = message->headers[i].name, value = message->headers[i].value;
        headers[i].name = view_of(link->in + name.at, name.len);
        headers[i].value = view_trim(view_of(link->in + value.at, value.len));
    }
    struct http_answer answer = { .status = STATUS_OK,
                                  .bytes_may_have_left = true,
                                  .http_status = message->http_status,
                                  .headers = headers,
                                  .header_count = message->header_count,
                                  .body = view_of(link->in + link->head_len, link->body_len) };
    http_done_fn *done = call->done;
    void *arg = call->arg;
    bool framed = message->chunked || message->has_length || message->bodyless;
    bool keep = whole && message->keep_alive && framed && link->raw_at == link->len &&
                !link->client->options.one_call_each;
    call_free(call);
    /* The link stays busy while the answer's views are used. */
    done(arg, &answer);
    if (!keep) {
        link->state = LINK_OVER;
        conn_close(link->conn);
        return;
    }
    link_start_over(link, LINK_IDLE);
    loop_defer(link->client->loop, &link->client->assign);
}

static void answer_complete(struct link *link)
{
    answer_give(link, true);
}

static void link_failed(struct link *link, enum status why)
{
    struct http_call *call = link->call;
    link_break(link);
    if (call != NULL)
        call_failed(call, why);
}

/* The head was read, and its body cannot be. */
static void body_failed(struct link *link, enum status why)
{
    if (link->client->options.cut_answers)
        answer_give(link, false);
    else
        link_failed(link, why);
}

static void give_piece(struct link *link, struct view bytes)
{
    struct http_call *call = link->call;
    if (!call->paused)
        timer_start(&call->deadline, call->timeout_us);
    call->piece(call->arg, link->message.http_status, bytes);
}

static void on_answer_body(void *arg, struct view bytes)
{
    struct link *link = arg;
    if (link->call->piece != NULL) {
        give_piece(link, bytes);
        return;
    }
    uint8_t *to = link->in + link->head_len + link->body_len;
    if (to != bytes.ptr)
        memmove(to, bytes.ptr, bytes.len);
    link->body_len += bytes.len;
}

/* True when the state moved on. */
static bool read_head(struct link *link)
{
    size_t taken = 0;
    struct http_refusal refusal;
    struct view raw = view_of(link->in + link->raw_at, link->len - link->raw_at);
    enum guard_verdict verdict = http_guard_head(&link->guard, raw, &taken);
    link->raw_at += taken;
    if (verdict == GUARD_MORE)
        return false;
    link->head_len = link->raw_at;
    if (verdict == GUARD_BAD ||
        !http_parse_head(link->parse, view_of(link->in, link->head_len), &link->guard,
                         link->call->is_head, &link->message, &refusal)) {
        link_failed(link, STATUS_MALFORMED);
        return false;
    }
    if (link->message.http_status / 100 == 1) { /* interim: the real answer follows */
        if (++link->interim > INTERIM_MAX) {
            link_failed(link, STATUS_MALFORMED);
            return false;
        }
        size_t left = link->len - link->raw_at;
        memmove(link->in, link->in + link->raw_at, left);
        link->len = left;
        link->head_len = link->raw_at = 0;
        http_guard_start(&link->guard, HTTP_OF_ANSWER);
        return left > 0;
    }
    if (link->call->piece == NULL && link->message.has_length && !link->message.bodyless &&
        link->message.length > link->client->options.answer_bytes_max) {
        body_failed(link, STATUS_FULL);
        return false;
    }
    link->state = LINK_BODY;
    if (link->message.chunked)
        http_guard_start_chunks(&link->guard);
    if (link->call->piece != NULL)
        give_piece(link, VIEW_EMPTY);
    return true;
}

static void read_body(struct link *link)
{
    const struct http_message *message = &link->message;
    size_t taken = link->len - link->raw_at; /* without framing: until the connection ends */
    bool over = false;
    if (message->bodyless || (message->has_length && !message->chunked)) {
        uint64_t missing = message->bodyless ? 0 : message->length - link->body_len;
        over = taken >= missing;
        taken = over ? (size_t)missing : taken;
    } else if (message->chunked) {
        struct view raw = view_of(link->in + link->raw_at, taken);
        enum guard_verdict verdict = http_guard_chunks(&link->guard, raw, &taken);
        over = verdict == GUARD_END;
        if (verdict == GUARD_BAD) {
            body_failed(link, STATUS_MALFORMED);
            return;
        }
    }
    if (!message->chunked && taken > link->client->options.answer_bytes_max - link->body_len) {
        body_failed(link, STATUS_FULL); /* until the connection ends, and it does not */
        return;
    }
    if (!http_parse_body(link->parse, view_of(link->in + link->raw_at, taken))) {
        body_failed(link, STATUS_MALFORMED);
        return;
    }
    link->raw_at += taken;
    if (over)
        answer_complete(link);
    else
        link->len = link->raw_at = link->head_len + link->body_len;
}

static bool in_append(struct link *link, struct view bytes)
{
    size_t max = link->client->options.answer_bytes_max + HEAD_MAX;
    if (bytes.len > max || link->len > max - bytes.len)
        return false;
    if (link->room - link->len < bytes.len) {
        size_t room = link->room == 0 ? 4096 : link->room;
        while (room - link->len < bytes.len)
            room *= 2;
        uint8_t *in = vault_realloc(link->in, room);
        if (in == NULL)
            return false;
        link->in = in;
        link->room = room;
    }
    memcpy(link->in + link->len, bytes.ptr, bytes.len);
    link->len += bytes.len;
    return true;
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    (void)conn;
    if (link->state == LINK_OVER)
        return;
    if (link->call == NULL) { /* an answer that nobody asked for, or whose call was cancelled */
        link_break(link);
        return;
    }
    bool cut = false;
    if (link->client->options.cut_answers) { /* of a flood only what there is room for */
        size_t room = link->client->options.answer_bytes_max + HEAD_MAX - link->len;
        cut = bytes.len > room;
        bytes = view_slice(bytes, 0, room);
    }
    if (!in_append(link, bytes)) {
        link_failed(link, STATUS_FULL);
        return;
    }
    while (link->state == LINK_HEAD && read_head(link)) {
    }
    if (link->state == LINK_BODY)
        read_body(link);
    if (cut && link->state == LINK_BODY)
        body_failed(link, STATUS_FULL);
    else if (cut && link->state == LINK_HEAD)
        link_failed(link, STATUS_FULL);
}

static void on_opened(struct conn *conn, void *arg)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    (void)conn;
    link_start_over(link, LINK_IDLE);
    if (link->call != NULL)
        link_send(link);
    else
        loop_defer(link->client->loop, &link->client->assign);
}

static void on_ended(struct conn *conn, void *arg)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    const struct http_message *message = &link->message;
    bool until_end = link->state == LINK_BODY && !message->chunked && !message->has_length;
    if (until_end && link->call != NULL)
        answer_complete(link);
    timer_stop(&link->idle);
    link->state = LINK_OVER;
    conn_close_why(conn, STATUS_CLOSED);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    (void)conn;
    struct http_client *client = link->client;
    struct http_call *call = link->call;
    link->conn = NULL;
    if (call != NULL)
        call_failed(call, why == STATUS_OK ? STATUS_CLOSED : why);
    link_free(link);
    if (client->waiting_count > 0)
        loop_defer(client->loop, &client->assign);
}

static const struct conn_events link_events = {
    .opened = on_opened, .bytes = on_bytes, .ended = on_ended, .closed = on_closed
};

static enum status link_open(struct http_client *client, struct link **out)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return STATUS_NO_MEMORY;
    link->magic = LINK_MAGIC;
    link->state = LINK_CONNECTING;
    link->client = client;
    timer_init(&link->idle, client->loop, on_idle_over, link);
    link->guard.head_max = HEAD_MAX;
    link->guard.target_max = HEAD_MAX;
    link->guard.lines_max = HTTP_HEADERS_MAX;
    link->guard.body_max = client->options.answer_bytes_max;
    link->parse = http_parse_open(HTTP_OF_ANSWER, on_answer_body, link);
    struct conn_options options = { .events = &link_events,
                                    .arg = link,
                                    .tls = client->options.tls,
                                    .connect_timeout_us = client->options.connect_timeout_us,
                                    .out_max = REQUEST_MAX,
                                    .owner = client->options.owner,
                                    .allowed = client->options.allowed,
                                    .name_servers = client->options.name_servers };
    enum status status = link->parse == NULL ? STATUS_NO_MEMORY
                                             : conn_connect(client->wire, &client->options.to,
                                                            &options, &link->conn);
    if (status != STATUS_OK) {
        http_parse_close(link->parse);
        free(link);
        return status;
    }
    list_append(&client->links, &link->item);
    client->link_count++;
    *out = link;
    return STATUS_OK;
}

static struct link *idle_link(struct http_client *client)
{
    for (struct list *at = client->links.next; at != &client->links; at = at->next) {
        struct link *link = CONTAINER_OF(at, struct link, item);
        bool free_soon = link->state == LINK_IDLE || link->state == LINK_CONNECTING;
        if (free_soon && link->call == NULL)
            return link;
    }
    return NULL;
}

static void assign_waiting(struct task *task)
{
    struct http_client *client = CONTAINER_OF(task, struct http_client, assign);
    ENSURE_MAGIC(client, CLIENT_MAGIC);
    while (!list_empty(&client->waiting)) {
        struct http_call *call = CONTAINER_OF(client->waiting.next, struct http_call, item);
        struct link *link = idle_link(client);
        if (link == NULL && client->link_count >= client->options.conns_max)
            return; /* the next free link defers us again */
        list_remove(&call->item);
        client->waiting_count--;
        enum status status = link != NULL ? STATUS_OK : link_open(client, &link);
        if (status != STATUS_OK) {
            call_failed(call, status);
            continue;
        }
        link->call = call;
        call->link = link;
        if (link->state == LINK_IDLE)
            link_send(link);
    }
}

/* --- interface --------------------------------------------------------------------------- */
enum status http_client_open(struct http_client **out, struct wire *wire, struct loop *loop,
                             const struct http_client_options *options)
{
    *out = NULL;
    struct http_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return STATUS_NO_MEMORY;
    client->magic = CLIENT_MAGIC;
    client->wire = wire;
    client->loop = loop;
    client->options = *options;
    if (client->options.conns_max == 0)
        client->options.conns_max = CONNS_DEFAULT;
    if (client->options.answer_bytes_max == 0)
        client->options.answer_bytes_max = ANSWER_MAX_DEFAULT;
    if (client->options.connect_timeout_us == 0)
        client->options.connect_timeout_us = CONNECT_US_DEFAULT;
    client->assign.run = assign_waiting;
    list_init(&client->links);
    list_init(&client->waiting);
    *out = client;
    return STATUS_OK;
}

static void on_orphan_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn, (void)arg, (void)bytes;
}

static void on_orphan_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn, (void)arg, (void)why;
}

static const struct conn_events orphan_events = { .bytes = on_orphan_bytes,
                                                  .closed = on_orphan_closed };

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    ENSURE_MAGIC(client, CLIENT_MAGIC);
    while (!list_empty(&client->links)) {
        struct link *link = CONTAINER_OF(client->links.next, struct link, item);
        if (link->conn != NULL) {
            conn_set_events(link->conn, &orphan_events, NULL);
            conn_close(link->conn);
        }
        struct http_call *call = link->call;
        link_free(link);
        if (call != NULL) {
            call->link = NULL;
            call_failed(call, STATUS_CANCELED);
        }
    }
    while (!list_empty(&client->waiting))
        call_failed(CONTAINER_OF(client->waiting.next, struct http_call, item), STATUS_CANCELED);
    loop_forget(client->loop, &client->assign);
    client->magic = 0;
    free(client);
}

void http_client_abandon(struct http_client *client)
{
    if (client == NULL)
        return;
    ENSURE_MAGIC(client, CLIENT_MAGIC);
    while (!list_empty(&client->links)) {
        struct link *link = CONTAINER_OF(client->links.next, struct link, item);
        if (link->call != NULL)
            call_free(link->call);
        link_free(link);
    }
    while (!list_empty(&client->waiting))
        call_free(CONTAINER_OF(client->waiting.next, struct http_call, item));
    loop_forget(client->loop, &client->assign);
    client->magic = 0;
    free(client);
}

size_t http_client_conns(const struct http_client *client)
{
    ENSURE_MAGIC(client, CLIENT_MAGIC);
    return client->link_count;
}

static bool is_clean(struct view text, uint8_t lowest)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < lowest || text.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

static void compose(struct writer *w, const struct http_client *client, const char *method,
                    struct view path, const struct http_header *headers, size_t header_count,
                    struct view body)
{
    writer_text(w, method);
    writer_u8(w, ' ');
    writer_view(w, path);
    writer_text(w, " HTTP/1.1\r\nHost: ");
    endpoint_format(w, &client->options.to);
    if (client->options.one_call_each)
        writer_text(w, "\r\nConnection: close");
    for (size_t i = 0; i < header_count; i++) {
        writer_text(w, "\r\n");
        writer_view(w, headers[i].name);
        writer_text(w, ": ");
        writer_view(w, headers[i].value);
    }
    bool has_body =
        strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    if (body.len > 0 || has_body) {
        writer_text(w, "\r\nContent-Length: ");
        writer_u64_text(w, body.len);
    }
    writer_text(w, "\r\n\r\n");
    writer_view(w, body);
}

enum status http_call(struct http_client *client, const char *method, struct view path,
                      const struct http_header *headers, size_t header_count, struct view body,
                      int64_t timeout_us, http_done_fn *done, void *arg, struct http_call **out)
{
    ENSURE_MAGIC(client, CLIENT_MAGIC);
    if (out != NULL)
        *out = NULL;
    size_t room = 400 + strlen(method) + path.len + body.len;
    bool clean = path.len > 0 && is_clean(path, '!');
    for (size_t i = 0; i < header_count; i++) {
        room += headers[i].name.len + headers[i].value.len + 4;
        clean = clean && is_clean(headers[i].name, '!') && is_clean(headers[i].value, ' ');
    }
    if (!clean)
        return STATUS_MALFORMED;
    if (room > REQUEST_MAX)
        return STATUS_FULL;
    if (client->waiting_count >= WAITING_MAX)
        return STATUS_BUSY;
    struct http_call *call = calloc(1, sizeof *call);
    uint8_t *request = vault_alloc(room);
    if (call == NULL || request == NULL) {
        free(call);
        vault_free(request);
        return STATUS_NO_MEMORY;
    }
    struct writer w = writer_over(request, room);
    compose(&w, client, method, path, headers, header_count, body);
    ENSURE(!w.overflow);
    *call = (struct http_call){ .magic = CALL_MAGIC,
                                .client = client,
                                .request = request,
                                .request_len = w.len,
                                .is_head = strcmp(method, "HEAD") == 0,
                                .timeout_us = timeout_us,
                                .done = done,
                                .arg = arg };
    timer_init(&call->deadline, client->loop, on_call_deadline, call);
    timer_start(&call->deadline, timeout_us);
    list_append(&client->waiting, &call->item);
    client->waiting_count++;
    loop_defer(client->loop, &client->assign);
    if (out != NULL)
        *out = call;
    return STATUS_OK;
}

void http_call_stream(struct http_call *call, http_piece_fn *piece)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    ENSURE(!call->sent && call->link == NULL);
    call->piece = piece;
}

void http_call_pause(struct http_call *call)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    ENSURE(call->piece != NULL);
    if (call->paused || call->link == NULL)
        return;
    call->paused = true;
    timer_stop(&call->deadline);
    conn_pause(call->link->conn);
}

void http_call_resume(struct http_call *call)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    if (!call->paused)
        return;
    call->paused = false;
    timer_start(&call->deadline, call->timeout_us);
    if (call->link != NULL)
        conn_resume(call->link->conn);
}

bool http_call_may_have_left(const struct http_call *call)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    return call->sent;
}

void http_call_cancel(struct http_call *call)
{
    if (call == NULL)
        return;
    ENSURE_MAGIC(call, CALL_MAGIC);
    if (call->link != NULL && call->sent)
        link_break(call->link);
    call_free(call);
}
