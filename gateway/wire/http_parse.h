/* http_parse.h - what an HTTP/1.1 message means, by llhttp; the only door to that library.
 *
 * The guard (http_guard.h) has found the end of the head; http_parse_head reads the whole head at
 * once, so that every name and value lies in one piece. They are kept as offsets from the head's
 * first byte: the buffer may move while the body arrives.
 */
#ifndef WIRE_HTTP_PARSE_H
#define WIRE_HTTP_PARSE_H

#include "wire/http_guard.h"
#include "wire/http_server.h"

struct http_span {
    uint32_t at, len;
};

struct http_message {
    int http_status; /* of an answer */
    bool keep_alive;
    bool http_1_0;
    bool chunked;
    bool has_length;
    bool expects_continue;
    bool bodyless;   /* answer that has no body whatever its headers say */
    uint64_t length; /* Content-Length, when has_length */
    uint32_t header_count;
    struct {
        struct http_span name, value;
    } headers[HTTP_HEADERS_MAX];
};

struct http_parse; /* one per connection */

/* Called with decoded bytes of the body; they lie inside the view given to http_parse_body. */
typedef void http_body_fn(void *arg, struct view bytes);

struct http_parse *http_parse_open(enum http_side side, http_body_fn *body, void *arg);
void http_parse_close(struct http_parse *parse);
/* Reads one head and judges it. False: refused, *refusal says why. for_head: the answer to HEAD. */
bool http_parse_head(struct http_parse *parse, struct view head, const struct http_guard *guard,
                     bool for_head, struct http_message *out, struct http_refusal *refusal);
/* More bytes of the body, as the guard or the length delimits them; false when llhttp disagrees. */
bool http_parse_body(struct http_parse *parse, struct view bytes);
/* llhttp too has seen the message's end. */
bool http_parse_complete(const struct http_parse *parse);

/* First header of that name, or an empty view; *count (may be NULL) how many there are. */
struct view http_message_header(const struct http_message *message, const uint8_t *head,
                                const char *name, size_t *count);

#endif
