/* http_parse.c - llhttp behind a small door, and the judgement on a head.
 *
 * llhttp 8.1 is lenient in places; here is what is refused on top of it and of the guard:
 *     framing   Content-Length twice, not plain digits, or together with Transfer-Encoding;
 *               Transfer-Encoding other than exactly one `chunked`; either parser seeing the
 *               message end elsewhere than the other
 *     request   Host missing (1.1) or doubled or odd; a target that is not a path ("absolute-form"
 *               would carry a second host, CONNECT and "*" have no meaning here); an Expect that
 *               is not 100-continue
 * Upgrade is ignored, as RFC 9110 7.8 allows: the answer is an ordinary one.
 */
#include "wire/http_parse.h"

#include "base/ensure.h"

#include <llhttp.h>

#include <stdlib.h>

#define HTTP_PARSE_MAGIC 0x48545450u

struct http_parse {
    uint32_t magic;
    enum http_side side;
    llhttp_t llhttp;
    llhttp_settings_t settings;
    http_body_fn *body;
    void *arg;
    /* while a head is read */
    const uint8_t *base;
    struct http_message *out;
    bool for_head, too_many, headers_complete, close, complete;
};

/* --- llhttp's callbacks ------------------------------------------------------------------ */
static struct http_span span_of(const struct http_parse *parse, const char *at, size_t len)
{
    return (struct http_span){ .at = (uint32_t)((const uint8_t *)at - parse->base),
                               .len = (uint32_t)len };
}

static int on_name(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parse *parse = llhttp->data;
    if (parse->out == NULL) /* a trailer: bounded by the guard, and ignored */
        return 0;
    if (parse->out->header_count >= HTTP_HEADERS_MAX) {
        parse->too_many = true;
        return -1;
    }
    parse->out->headers[parse->out->header_count].name = span_of(parse, at, len);
    parse->out->headers[parse->out->header_count].value = (struct http_span){ 0 };
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parse *parse = llhttp->data;
    if (parse->out == NULL)
        return 0;
    struct http_span *value = &parse->out->headers[parse->out->header_count].value;
    struct http_span more = span_of(parse, at, len);
    if (value->len == 0)
        *value = more;
    else if (more.at == value->at + value->len)
        value->len += more.len;
    else
        return -1; /* a value in two pieces would be a folded line, which the guard refused */
    return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct http_parse *parse = llhttp->data;
    if (parse->out != NULL)
        parse->out->header_count++;
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parse *parse = llhttp->data;
    parse->headers_complete = true;
    /* Now or never: at the end of a message, which may be this byte, llhttp forgets its flags. */
    parse->close = (llhttp->flags & F_CONNECTION_CLOSE) != 0;
    llhttp->upgrade = 0; /* never another protocol; see above */
    return parse->for_head ? 1 : 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parse *parse = llhttp->data;
    parse->body(parse->arg, view_of(at, len));
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parse *parse = llhttp->data;
    parse->complete = true;
    return 0;
}

struct http_parse *http_parse_open(enum http_side side, http_body_fn *body, void *arg)
{
    struct http_parse *parse = calloc(1, sizeof *parse);
    if (parse == NULL)
        return NULL;
    parse->magic = HTTP_PARSE_MAGIC;
    parse->side = side;
    parse->body = body;
    parse->arg = arg;
    llhttp_settings_init(&parse->settings);
    parse->settings.on_header_field = on_name;
    parse->settings.on_header_value = on_value;
    parse->settings.on_header_value_complete = on_value_complete;
    parse->settings.on_headers_complete = on_headers_complete;
    parse->settings.on_body = on_body;
    parse->settings.on_message_complete = on_message_complete;
    return parse;
}

void http_parse_close(struct http_parse *parse)
{
    if (parse == NULL)
        return;
    ENSURE_MAGIC(parse, HTTP_PARSE_MAGIC);
    parse->magic = 0;
    free(parse);
}

/* --- judgement --------------------------------------------------------------------------- */
static bool refuse(struct http_refusal *refusal, int http_status, const char *code,
                   const char *detail)
{
    *refusal = (struct http_refusal){ .http_status = http_status, .code = code, .detail = detail };
    return false;
}

static bool malformed(struct http_refusal *refusal, const char *detail)
{
    return refuse(refusal, 400, "malformed_request", detail);
}

struct view http_message_header(const struct http_message *message, const uint8_t *head,
                                const char *name, size_t *count)
{
    struct view wanted = view_text(name), found = VIEW_EMPTY;
    size_t matches = 0;
    for (uint32_t i = 0; i < message->header_count; i++) {
        struct http_span span = message->headers[i].name;
        if (span.len != wanted.len || !view_equal_nocase(view_of(head + span.at, span.len), wanted))
            continue;
        struct http_span value = message->headers[i].value;
        if (matches++ == 0)
            found = view_trim(view_of(head + value.at, value.len));
        if (count == NULL)
            break;
    }
    if (count != NULL)
        *count = matches;
    return found;
}

/* RFC 9112 6.3, without its indulgences. */
static bool judge_framing(const struct http_parse *parse, const uint8_t *head,
                          struct http_message *out, struct http_refusal *refusal)
{
    size_t lengths = 0, codings = 0;
    struct view length = http_message_header(out, head, "content-length", &lengths);
    struct view coding = http_message_header(out, head, "transfer-encoding", &codings);
    if (lengths > 0 && codings > 0)
        return malformed(refusal, "both Content-Length and Transfer-Encoding");
    if (lengths > 1 || codings > 1)
        return malformed(refusal, "Content-Length or Transfer-Encoding twice");
    if (codings == 1) {
        if (out->http_1_0)
            return malformed(refusal, "Transfer-Encoding in HTTP/1.0");
        if (!view_equal_nocase(coding, VIEW("chunked")))
            return malformed(refusal, "a transfer coding other than chunked");
        out->chunked = true;
    }
    if (lengths == 1) {
        /* "007" is digits, but a peer might read it as octal: plain decimal only. */
        if (view_to_u64(length, UINT64_MAX / 2, &out->length) != STATUS_OK)
            return malformed(refusal, "Content-Length is not a plain decimal number");
        out->has_length = true;
    }
    bool body = out->chunked || (out->has_length && out->length > 0);
    if (!parse->for_head && parse->side == HTTP_OF_REQUEST && body == parse->complete)
        return malformed(refusal, "it is unclear where the body ends");
    return true;
}

static bool is_host_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr(".-_:[]%~", byte) != NULL);
}

static bool judge_host(const uint8_t *head, const struct http_message *message,
                       struct http_refusal *refusal)
{
    size_t hosts = 0;
    struct view host = http_message_header(message, head, "host", &hosts);
    if (hosts > 1)
        return malformed(refusal, "more than one Host");
    if (hosts == 0)
        return message->http_1_0 || malformed(refusal, "no Host");
    if (host.len == 0)
        return malformed(refusal, "Host is empty");
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_byte(host.ptr[i]))
            return malformed(refusal, "Host has a byte that is not allowed");
    }
    return true;
}

static bool judge_target(const uint8_t *head, const struct http_guard *guard,
                         struct http_refusal *refusal)
{
    struct view method = view_of(head, guard->method_len);
    struct view target = view_of(head + guard->target_at, guard->target_len);
    if (view_is(method, "CONNECT"))
        return refuse(refusal, 405, "method_not_allowed", "this is not a proxy");
    if (target.len == 0 || target.ptr[0] != '/')
        return malformed(refusal, "the request target is not a path");
    if (view_find(target, '#') < target.len)
        return malformed(refusal, "the request target has a fragment");
    return true;
}

static bool judge_request(const uint8_t *head, const struct http_guard *guard,
                          struct http_message *out, struct http_refusal *refusal)
{
    size_t expects = 0;
    struct view expect = http_message_header(out, head, "expect", &expects);
    if (!judge_target(head, guard, refusal) || !judge_host(head, out, refusal))
        return false;
    if (expects > 0 && !out->http_1_0) {
        if (expects > 1 || !view_equal_nocase(expect, VIEW("100-continue")))
            return refuse(refusal, 417, "expectation_failed", "only 100-continue can be expected");
        out->expects_continue = true;
    }
    return true;
}

/* llhttp knows a list of methods; a well-formed one that is not in it is "not implemented". */
static bool refuse_unread(const struct http_parse *parse, struct http_refusal *refusal)
{
    if (parse->too_many)
        return refuse(refusal, 431, "headers_too_large", "too many header lines");
    if (llhttp_get_errno(&parse->llhttp) == HPE_INVALID_METHOD)
        return refuse(refusal, 501, "method_not_implemented", "the method is not known");
    return malformed(refusal, "the request's head cannot be read");
}

bool http_parse_head(struct http_parse *parse, struct view head, const struct http_guard *guard,
                     bool for_head, struct http_message *out, struct http_refusal *refusal)
{
    ENSURE_MAGIC(parse, HTTP_PARSE_MAGIC);
    bool request = parse->side == HTTP_OF_REQUEST;
    llhttp_init(&parse->llhttp, request ? HTTP_REQUEST : HTTP_RESPONSE, &parse->settings);
    parse->llhttp.data = parse;
    parse->base = head.ptr;
    parse->out = out;
    parse->for_head = for_head;
    parse->too_many = parse->headers_complete = parse->close = parse->complete = false;
    out->http_status = 0;
    out->header_count = 0;
    out->keep_alive = out->chunked = out->has_length = out->expects_continue = false;
    out->length = 0;
    out->http_1_0 = guard->minor == 0;
    llhttp_errno_t error = llhttp_execute(&parse->llhttp, (const char *)head.ptr, head.len);
    parse->out = NULL; /* what follows are trailers */
    if (error != HPE_OK || !parse->headers_complete || out->header_count != guard->lines)
        return refuse_unread(parse, refusal);
    out->http_status = parse->llhttp.status_code;
    out->bodyless = !request && (for_head || out->http_status / 100 == 1 ||
                                 out->http_status == 204 || out->http_status == 304);
    /* RFC 9112 9.3; HTTP/1.0 clients get one answer per connection. */
    out->keep_alive = !out->http_1_0 && !parse->close;
    if (!judge_framing(parse, head.ptr, out, refusal))
        return false;
    return !request || judge_request(head.ptr, guard, out, refusal);
}

bool http_parse_body(struct http_parse *parse, struct view bytes)
{
    ENSURE_MAGIC(parse, HTTP_PARSE_MAGIC);
    if (bytes.len == 0)
        return true;
    if (parse->complete)
        return false;
    return llhttp_execute(&parse->llhttp, (const char *)bytes.ptr, bytes.len) == HPE_OK;
}

bool http_parse_complete(const struct http_parse *parse)
{
    return parse->complete;
}
