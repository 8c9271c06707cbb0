/* http_answer.c - what the server says: answers, refusals; and the getters of a request.
 *
 * An answer is composed in place in the connection's out-buffer: head and body are written once and
 * leave with everything else of the turn. Header values from the handler with a line end in them
 * would split the answer in two; they are ours, so that is a broken promise, not an input.
 */
#include "wire/http_server_int.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <stdio.h>
#include <time.h>

#define HTTP_REASON_LIST(X)                                                                        \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(204, "No Content")                                                                           \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(417, "Expectation Failed")                                                                   \
    X(422, "Unprocessable Content")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")

const char *http_reason(int http_status)
{
    switch (http_status) {
#define X(code, text)                                                                              \
    case code: return text;
        HTTP_REASON_LIST(X)
#undef X
    default: return "Unknown";
    }
}

/* --- answers ----------------------------------------------------------------------------- */
/* RFC 9110 5.6.7, formatted once a second. */
static const char *date_text(struct http_server *server)
{
    int64_t now_s = loop_wall_us(server->loop) / LOOP_US_PER_S;
    if (now_s == server->date_s)
        return server->date_text;
    time_t at = (time_t)now_s;
    struct tm parts;
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    ENSURE(gmtime_r(&at, &parts) != NULL);
    (void)snprintf(server->date_text, sizeof server->date_text,
                   "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday,
                   months[parts.tm_mon], (parts.tm_year + 1900) % 10000, parts.tm_hour,
                   parts.tm_min, parts.tm_sec);
    server->date_s = now_s;
    return server->date_text;
}

static bool has_line_end(struct view text)
{
    return view_find(text, '\r') < text.len || view_find(text, '\n') < text.len;
}

static size_t answer_room(const char *content_type, const struct http_header *headers,
                          size_t header_count, struct view body)
{
    size_t room = 256 + body.len + (content_type != NULL ? strlen(content_type) : 0);
    for (size_t i = 0; i < header_count; i++)
        room += headers[i].name.len + headers[i].value.len + 4;
    return room;
}

static void write_head(struct writer *w, struct http_server *server, int http_status,
                       const char *content_type, bool keep_alive)
{
    writer_text(w, "HTTP/1.1 ");
    writer_u64_text(w, (uint64_t)http_status);
    writer_u8(w, ' ');
    writer_text(w, http_reason(http_status));
    writer_text(w, "\r\nDate: ");
    writer_text(w, date_text(server));
    if (content_type != NULL) {
        writer_text(w, "\r\nContent-Type: ");
        writer_text(w, content_type);
    }
    if (!keep_alive)
        writer_text(w, "\r\nConnection: close");
}

bool http_write_answer(struct http_request *request, int http_status, const char *content_type,
                       const struct http_header *headers, size_t header_count, struct view body,
                       bool keep_alive)
{
    if (request->conn == NULL)
        return false;
    bool no_body = http_status == 204 || http_status == 304;
    size_t room = answer_room(content_type, headers, header_count, body);
    uint8_t *to = conn_room(request->conn, room);
    if (to == NULL)
        return false;
    struct writer w = writer_over(to, room);
    write_head(&w, request->server, http_status, content_type, keep_alive);
    for (size_t i = 0; i < header_count; i++) {
        ENSURE(!has_line_end(headers[i].name) && !has_line_end(headers[i].value));
        writer_text(&w, "\r\n");
        writer_view(&w, headers[i].name);
        writer_text(&w, ": ");
        writer_view(&w, headers[i].value);
    }
    if (!no_body) {
        writer_text(&w, "\r\nContent-Length: ");
        writer_u64_text(&w, body.len);
    }
    writer_text(&w, "\r\n\r\n");
    /* HEAD: the head of what GET would say (RFC 9110 9.3.2). */
    if (!no_body && !view_is(http_method(request), "HEAD"))
        writer_view(&w, body);
    ENSURE(!w.overflow);
    conn_took(request->conn, w.len);
    return true;
}

void http_respond(struct http_request *request, int http_status, const char *content_type,
                  const struct http_header *headers, size_t header_count, struct view body)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    ENSURE(request->state == HTTP_RUNNING); /* exactly once */
    ENSURE(http_status >= 200 && http_status <= 599);
    const struct http_server *server = request->server;
    uint32_t max = server->options.limits.requests_per_conn_max;
    bool keep_alive = request->message.keep_alive && !server->draining &&
                      (max == 0 || request->handled + 1 < max);
    if (request->conn != NULL && !http_write_answer(request, http_status, content_type, headers,
                                                    header_count, body, keep_alive)) {
        /* Half an answer would be read as a whole one by somebody: none at all is safer. */
        keep_alive = false;
        conn_abort(request->conn);
    }
    http_request_answered(request, keep_alive);
}

void http_stream_start(struct http_request *request, int http_status, const char *content_type,
                       const struct http_header *headers, size_t header_count)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    ENSURE(request->state == HTTP_RUNNING);
    size_t room = answer_room(content_type, headers, header_count, VIEW_EMPTY);
    uint8_t *to = request->conn != NULL ? conn_room(request->conn, room) : NULL;
    if (to == NULL)
        return; /* the first write says CLOSED or FULL */
    struct writer w = writer_over(to, room);
    /* Delimited by the end of the connection (RFC 9112 6.3, rule 8). */
    write_head(&w, request->server, http_status, content_type, false);
    for (size_t i = 0; i < header_count; i++) {
        ENSURE(!has_line_end(headers[i].name) && !has_line_end(headers[i].value));
        writer_text(&w, "\r\n");
        writer_view(&w, headers[i].name);
        writer_text(&w, ": ");
        writer_view(&w, headers[i].value);
    }
    writer_text(&w, "\r\n\r\n");
    ENSURE(!w.overflow);
    conn_took(request->conn, w.len);
}

enum status http_stream_write(struct http_request *request, struct view bytes)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    ENSURE(request->state == HTTP_RUNNING);
    return request->conn != NULL ? conn_write(request->conn, bytes) : STATUS_CLOSED;
}

size_t http_stream_pending(const struct http_request *request)
{
    return request->conn != NULL ? conn_out_pending(request->conn) : 0;
}

void http_stream_end(struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    ENSURE(request->state == HTTP_RUNNING);
    http_request_answered(request, false);
}

void http_stream_drop(struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    if (request->conn != NULL)
        conn_abort(request->conn);
    http_stream_end(request);
}

/* What the server says by itself when nobody gave it words: RFC 9457. */
static void default_problem(struct writer *w, int http_status, const char *code, const char *detail)
{
    struct json_out json;
    json_out_init(&json, w);
    json_open_object(&json, NULL);
    json_put_text(&json, "type", VIEW("about:blank"));
    json_put_text(&json, "title", view_text(http_reason(http_status)));
    json_put_i64(&json, "status", http_status);
    json_put_text(&json, "code", view_text(code));
    json_put_text(&json, "detail", view_text(detail));
    json_close_object(&json);
}

void http_refuse(struct http_request *request, int http_status, const char *code,
                 const char *detail)
{
    const struct http_server_options *options = &request->server->options;
    uint8_t text[2048];
    struct writer body = writer_over(text, sizeof text);
    if (request->state == HTTP_OVER || request->conn == NULL)
        return;
    if (options->refusal != NULL)
        options->refusal(options->arg, http_status, code, detail, &body);
    else
        default_problem(&body, http_status, code, detail);
    if (options->log != NULL)
        LOG(options->log, LOG_INFO, "http.refused", LOG_INT("status", http_status),
            LOG_TEXT("code", code), LOG_TEXT("detail", detail),
            LOG_TEXT("peer", conn_peer(request->conn)));
    if (body.overflow)
        body.len = 0;
    if (!http_write_answer(request, http_status, "application/problem+json", NULL, 0,
                           writer_done(&body), false))
        conn_abort(request->conn);
    http_request_answered(request, false);
}

/* --- getters ----------------------------------------------------------------------------- */
struct view http_method(const struct http_request *request)
{
    return view_of(request->in, request->guard.method_len);
}

static struct view target_of(const struct http_request *request)
{
    return view_of(request->in + request->guard.target_at, request->guard.target_len);
}

struct view http_path(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    struct view target = target_of(request);
    return view_slice(target, 0, view_find(target, '?'));
}

struct view http_query(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    struct view target = target_of(request);
    return view_slice(target, view_find(target, '?') + 1, target.len);
}

struct view http_body(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return view_of(request->in + request->head_len, request->body_len);
}

struct view http_header(const struct http_request *request, const char *name)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return http_message_header(&request->message, request->in, name, NULL);
}

size_t http_header_count(const struct http_request *request, const char *name)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    size_t count = 0;
    (void)http_message_header(&request->message, request->in, name, &count);
    return count;
}

size_t http_headers_count(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return request->message.header_count;
}

struct http_header http_header_at(const struct http_request *request, size_t index)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    ENSURE(index < request->message.header_count);
    const struct http_message *message = &request->message;
    return (struct http_header){ .name = http_head_part(request, message->headers[index].name),
                                 .value = http_head_part(request, message->headers[index].value) };
}

const char *http_peer(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return request->conn != NULL ? conn_peer(request->conn) : "";
}

void http_set_context(struct http_request *request, void *context)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    request->context = context;
}

void *http_context(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return request->context;
}

bool http_client_gone(const struct http_request *request)
{
    ENSURE_MAGIC(request, HTTP_REQUEST_MAGIC);
    return request->conn == NULL;
}

/* --- queries ----------------------------------------------------------------------------- */
static enum status percent_decode(struct view text, struct writer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        size_t len = 0;
        if (byte == '+')
            byte = ' ';
        if (byte == '%') {
            if (hex_decode(view_slice(text, i + 1, 2), &byte, 1, &len) != STATUS_OK || len != 1)
                return STATUS_MALFORMED;
            i += 2;
        }
        writer_u8(out, byte);
    }
    return writer_status(out);
}

/* Takes one `name=value` off the query; *name and *value as they were sent. */
static void query_take(struct view *query, struct view *name, struct view *value)
{
    size_t end = view_find(*query, '&');
    struct view pair = view_slice(*query, 0, end);
    size_t equals = view_find(pair, '=');
    *query = view_slice(*query, end + 1, query->len);
    *name = view_slice(pair, 0, equals);
    *value = view_slice(pair, equals + 1, pair.len);
}

static bool is_word_of(const char *words, struct view wanted)
{
    for (struct view rest = view_text(words); rest.len > 0;) {
        size_t end = view_find(rest, ' ');
        if (view_equal(view_slice(rest, 0, end), wanted))
            return true;
        rest = view_slice(rest, end + 1, rest.len);
    }
    return false;
}

enum http_query_names http_query_names(struct view query, const char *known, struct view *out)
{
    struct view rest = query, value;
    while (rest.len > 0) {
        const uint8_t *at = rest.ptr;
        query_take(&rest, out, &value);
        if (out->len == 0 && value.len == 0) /* nothing, between or behind '&' */
            continue;
        if (!is_word_of(known, *out))
            return HTTP_NAME_UNKNOWN;
        struct view before = view_slice(query, 0, (size_t)(at - query.ptr)), name;
        while (before.len > 0) {
            query_take(&before, &name, &value);
            if (view_equal(name, *out))
                return HTTP_NAME_TWICE;
        }
    }
    *out = VIEW_EMPTY;
    return HTTP_NAMES_GOOD;
}

enum status http_query_value(struct view query, const char *name, struct writer *out)
{
    struct view wanted = view_text(name), found, value;
    while (query.len > 0) {
        query_take(&query, &found, &value);
        if (view_equal(found, wanted))
            return percent_decode(value, out);
    }
    return STATUS_NOT_FOUND;
}
