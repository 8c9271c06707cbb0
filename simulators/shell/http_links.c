/* http_links.c - connections of gateways; see http_shell.h.
 *
 * http_server.h cannot misbehave, and a simulator must: close without an answer, cut one, reset. So
 * requests are read here, with the same guard and parser. A link has one request at a time; what
 * comes meanwhile waits behind it in the buffer:
 *
 *     HEAD -> BODY -> ANSWERING -> HEAD ...      OVER: nothing more is read
 *
 * A request's id tells the link's place and a serial number, so an answer that comes when the
 * connection is gone finds nobody. */
#include "http_shell.h"

#include "base/ensure.h"
#include "wire/http_parse.h"

#include <stdlib.h>

#define HEAD_MAX 32768
#define IN_MAX   ((size_t)HEAD_MAX + 2 * SIM_HTTP_BODY_MAX)
#define OUT_MAX  (4 * SIM_HTTP_BODY_MAX)

enum link_state { LINK_HEAD = 1, LINK_BODY, LINK_ANSWERING, LINK_OVER };

struct http_link {
    struct http_shell *shell;
    struct conn *conn;
    enum link_state state;
    size_t place;
    uint64_t id; /* of the request that is answered now */
    bool keep_alive;
    struct http_guard guard;
    struct http_message message;
    struct http_parse *parse;
    uint8_t *in; /* head, decoded body, raw rest */
    size_t room, len, head_len, body_len, raw_at;
};

/* --- bytes become a request -------------------------------------------------------------- */
static void start_over(struct http_link *link)
{
    size_t used = link->raw_at;
    if (link->len > used)
        memmove(link->in, link->in + used, link->len - used);
    link->len -= used;
    link->head_len = link->body_len = link->raw_at = 0;
    link->state = LINK_HEAD;
    http_guard_start(&link->guard, HTTP_OF_REQUEST);
}

static void on_body(void *arg, struct view bytes)
{
    struct http_link *link = arg;
    uint8_t *to = link->in + link->head_len + link->body_len;
    if (to != bytes.ptr)
        memmove(to, bytes.ptr, bytes.len);
    link->body_len += bytes.len;
}

static void refuse(struct http_link *link, const struct http_refusal *refusal)
{
    uint8_t text[512];
    struct writer w = writer_over(text, sizeof text);
    writer_format(&w, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                  refusal->http_status, http_reason(refusal->http_status));
    LOG(&link->shell->log, LOG_INFO, "http.refused", LOG_INT("status", refusal->http_status),
        LOG_TEXT("code", refusal->code));
    link->state = LINK_OVER;
    IGNORE_STATUS(conn_write(link->conn, writer_done(&w))); /* it is closed anyway */
    conn_close(link->conn);
}

static void refuse_plain(struct http_link *link, int http_status, const char *code)
{
    refuse(link, &(struct http_refusal){ .http_status = http_status, .code = code, .detail = "" });
}

/* "name: value\n" lines, names in lower case; false: more than there is room for. */
static bool write_headers(const struct http_link *link, struct writer *w)
{
    for (uint32_t i = 0; i < link->message.header_count; i++) {
        struct http_span name = link->message.headers[i].name;
        struct http_span value = link->message.headers[i].value;
        for (uint32_t at = 0; at < name.len; at++) {
            uint8_t c = link->in[name.at + at];
            writer_u8(w, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
        }
        writer_text(w, ": ");
        writer_view(w, view_trim(view_of(link->in + value.at, value.len)));
        writer_text(w, "\n");
    }
    return writer_status(w) == STATUS_OK;
}

static void run(struct http_link *link)
{
    struct http_shell *shell = link->shell;
    uint8_t headers[SIM_HTTP_HEADERS_MAX];
    struct writer w = writer_over(headers, sizeof headers);
    if (!write_headers(link, &w)) {
        refuse_plain(link, 431, "headers_too_large");
        return;
    }
    struct sim_request request = {
        .method = view_of(link->in, link->guard.method_len),
        .target = view_of(link->in + link->guard.target_at, link->guard.target_len),
        .headers = writer_done(&w),
        .body = view_of(link->in + link->head_len, link->body_len),
    };
    link->state = LINK_ANSWERING;
    link->keep_alive = link->message.keep_alive;
    link->id = ++shell->request_serial * HTTP_LINKS_MAX + link->place;
    http_host_request(shell->host, link->id, &request, loop_now_us(shell->loop));
    http_shell_pump(shell);
}

static bool process_head(struct http_link *link)
{
    size_t taken = 0;
    struct http_refusal refusal;
    struct view raw = view_of(link->in + link->raw_at, link->len - link->raw_at);
    if (raw.len == 0)
        return false;
    enum guard_verdict verdict = http_guard_head(&link->guard, raw, &taken);
    link->raw_at += taken;
    if (verdict == GUARD_BAD)
        refuse(link, &link->guard.refusal);
    if (verdict != GUARD_END)
        return false;
    link->head_len = link->raw_at;
    if (!http_parse_head(link->parse, view_of(link->in, link->head_len), &link->guard, false,
                         &link->message, &refusal)) {
        refuse(link, &refusal);
        return false;
    }
    if (link->message.has_length && link->message.length > SIM_HTTP_BODY_MAX) {
        refuse_plain(link, 413, "body_too_large");
        return false;
    }
    if (!link->message.chunked && link->message.length == 0) {
        run(link);
        return false;
    }
    link->state = LINK_BODY;
    if (link->message.chunked)
        http_guard_start_chunks(&link->guard);
    if (link->message.expects_continue && link->len == link->head_len)
        IGNORE_STATUS(conn_write(link->conn, VIEW("HTTP/1.1 100 Continue\r\n\r\n")));
    return true;
}

static void process_body(struct http_link *link)
{
    struct view raw = view_of(link->in + link->raw_at, link->len - link->raw_at);
    size_t taken = 0;
    bool over = false;
    if (link->message.chunked) {
        enum guard_verdict verdict = http_guard_chunks(&link->guard, raw, &taken);
        if (verdict == GUARD_BAD) {
            refuse(link, &link->guard.refusal);
            return;
        }
        over = verdict == GUARD_END;
    } else {
        uint64_t missing = link->message.length - link->body_len;
        taken = raw.len < missing ? raw.len : (size_t)missing;
        over = raw.len >= missing;
    }
    if (!http_parse_body(link->parse, view_of(raw.ptr, taken)) ||
        http_parse_complete(link->parse) != over) {
        refuse_plain(link, 400, "malformed_request");
        return;
    }
    link->raw_at += taken;
    if (over)
        run(link);
}

static void process(struct http_link *link)
{
    if (link->state == LINK_HEAD && !process_head(link))
        return;
    if (link->state == LINK_BODY)
        process_body(link);
}

/* --- events of the connection ------------------------------------------------------------ */
static void link_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct http_link *link = arg;
    ENSURE_MAGIC(link->shell, HTTP_SHELL_MAGIC);
    if (link->state == LINK_OVER)
        return;
    if (bytes.len > IN_MAX - link->len) {
        conn_abort(conn);
        return;
    }
    if (link->len + bytes.len > link->room) {
        size_t room = link->room * 2 + bytes.len;
        uint8_t *in = realloc(link->in, room);
        if (in == NULL) {
            conn_abort(conn);
            return;
        }
        link->in = in;
        link->room = room;
    }
    memcpy(link->in + link->len, bytes.ptr, bytes.len);
    link->len += bytes.len;
    if (link->state == LINK_ANSWERING)
        conn_pause(conn);
    else
        process(link);
}

static void link_closed(struct conn *conn, void *arg, enum status why)
{
    struct http_link *link = arg;
    struct http_shell *shell = link->shell;
    (void)conn;
    (void)why;
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    shell->links[link->place] = NULL;
    http_parse_close(link->parse);
    free(link->in);
    free(link);
}

static const struct conn_events LINK_EVENTS = { .bytes = link_bytes, .closed = link_closed };

void http_link_accepted(struct listener *listener, void *arg, struct conn *conn)
{
    struct http_shell *shell = arg;
    size_t place = 0;
    (void)listener;
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    while (place < HTTP_LINKS_MAX && shell->links[place] != NULL)
        place++;
    struct http_link *link = place < HTTP_LINKS_MAX ? calloc(1, sizeof *link) : NULL;
    if (link != NULL)
        link->parse = http_parse_open(HTTP_OF_REQUEST, on_body, link);
    if (link == NULL || link->parse == NULL) {
        free(link);
        conn_abort(conn);
        return;
    }
    link->shell = shell;
    link->conn = conn;
    link->place = place;
    link->guard = (struct http_guard){ .head_max = HEAD_MAX,
                                       .target_max = SIM_HTTP_URL_MAX,
                                       .lines_max = HTTP_HEADERS_MAX,
                                       .body_max = SIM_HTTP_BODY_MAX };
    start_over(link);
    shell->links[place] = link;
    conn_set_events(conn, &LINK_EVENTS, link);
}

/* --- an answer becomes bytes ------------------------------------------------------------- */
static bool write_answer(struct http_link *link, const struct http_host_action *action)
{
    size_t room = 1024 + 2 * action->headers.len + action->body.len;
    uint8_t *text = malloc(room);
    struct writer w = writer_over(text, text != NULL ? room : 0);
    struct view headers = action->headers, body = action->body;
    writer_format(&w, "HTTP/1.1 %d %s\r\n", action->http_status, http_reason(action->http_status));
    while (headers.len > 0) {
        size_t end = view_find(headers, '\n');
        writer_view(&w, view_slice(headers, 0, end));
        writer_text(&w, "\r\n");
        headers = view_slice(headers, end + 1, headers.len);
    }
    writer_format(&w, "Content-Length: %zu\r\n%s\r\n", body.len,
                  link->keep_alive ? "" : "Connection: close\r\n");
    /* A cut answer promises all of it. */
    writer_view(&w, action->how == HTTP_HOST_CUT ? view_slice(body, 0, action->cut_bytes) : body);
    bool ok =
        writer_status(&w) == STATUS_OK && conn_write(link->conn, writer_done(&w)) == STATUS_OK;
    free(text);
    return ok;
}

void http_link_answer(struct http_shell *shell, const struct http_host_action *action)
{
    struct http_link *link = shell->links[action->id % HTTP_LINKS_MAX];
    if (link == NULL || link->id != action->id || link->state != LINK_ANSWERING)
        return; /* gone meanwhile */
    if (action->how == HTTP_HOST_WHOLE && link->keep_alive && write_answer(link, action)) {
        conn_resume(link->conn);
        start_over(link);
        process(link);
        return;
    }
    link->state = LINK_OVER;
    switch (action->how) {
    case HTTP_HOST_WHOLE:
        if (!link->keep_alive && !write_answer(link, action))
            conn_abort(link->conn);
        else
            conn_close(link->conn);
        break;
    case HTTP_HOST_CUT:
        IGNORE_STATUS(write_answer(link, action) ? STATUS_OK : STATUS_FULL); /* cut even more */
        conn_close(link->conn);
        break;
    case HTTP_HOST_CLOSE: conn_close(link->conn); break;
    case HTTP_HOST_HALF_CLOSE: conn_half_close(link->conn); break;
    case HTTP_HOST_RESET: conn_abort(link->conn); break;
    }
}
