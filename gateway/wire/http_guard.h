/* http_guard.h - the byte-level second opinion on HTTP/1.1 framing (RFC 9112), before llhttp.
 *
 * Request smuggling lives where two parsers read the same bytes differently. The guard knows only
 * the framing grammar, in its narrowest form, and refuses every byte that is not in it; llhttp then
 * says what the message means, and both must agree on where it ends. The guard refuses, among
 * others: bare CR, bare LF, control bytes, blanks round a header's name, folded lines, empty lines
 * before a message, chunk extensions, chunk sizes of more than eight digits.
 *
 * It is fed piece by piece and remembers where it is; no byte is looked at twice.
 */
#ifndef WIRE_HTTP_GUARD_H
#define WIRE_HTTP_GUARD_H

#include "base/bytes.h"

enum http_side { HTTP_OF_REQUEST = 1, HTTP_OF_ANSWER };

enum guard_verdict { GUARD_MORE = 1, GUARD_END, GUARD_BAD };

/* Why a message is refused: what the client is told. Texts are constants. */
struct http_refusal {
    int http_status;
    const char *code, *detail;
};

struct http_guard {
    enum http_side side;
    uint8_t state;
    uint8_t digits;      /* of a chunk size so far */
    uint32_t method_len; /* request line, offsets from its first byte */
    uint32_t target_at, target_len;
    uint8_t major, minor;
    uint32_t at;         /* bytes of the head, or of the trailers, so far */
    uint32_t lines;      /* header or trailer lines so far */
    uint64_t chunk_left; /* bytes of this chunk still to come */
    uint64_t body_len;   /* bytes declared by chunk sizes so far */
    size_t head_max, target_max, lines_max;
    uint64_t body_max;
    struct http_refusal refusal; /* after GUARD_BAD */
};

/* For a new message; the limits are kept. */
void http_guard_start(struct http_guard *guard, enum http_side side);
/* Looks at `bytes`; *taken: how many belong to the head (all of them unless END or BAD). */
enum guard_verdict http_guard_head(struct http_guard *guard, struct view bytes, size_t *taken);
/* After the head, when the body is chunked: framing, data and trailers. */
void http_guard_start_chunks(struct http_guard *guard);
enum guard_verdict http_guard_chunks(struct http_guard *guard, struct view bytes, size_t *taken);

#endif
