/* http_guard.c - two small state machines: one over the head, one over a chunked body.
 *
 * Each byte either moves the machine along or makes it refuse; there is no state in which a byte is
 * "probably fine". Header and trailer lines share their states.
 */
#include "wire/http_guard.h"

#include "base/ensure.h"

#define METHOD_BYTES_MAX  24u
#define CHUNK_DIGITS_MAX  8u
#define TRAILER_BYTES_MAX 4096u
#define TRAILER_LINES_MAX 16u

enum guard_state {
    /* request line */
    AT_METHOD = 1,
    AT_TARGET,
    /* status line */
    AT_STATUS_SPACE,
    AT_STATUS_CODE,
    AT_REASON,
    /* version, eight bytes, in both; `digits` counts */
    AT_VERSION,
    AT_LINE_CR, /* the request line is over, CR must come */
    AT_LINE_LF,
    /* header or trailer lines */
    AT_FIELD_START,
    AT_FIELD_NAME,
    AT_FIELD_VALUE,
    AT_FIELD_LF,
    AT_END_LF,
    /* chunks */
    AT_CHUNK_SIZE,
    AT_CHUNK_LF,
    AT_CHUNK_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_OVER
};

/* RFC 9110 5.6.2 */
static const bool is_token[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};
/* RFC 9110 5.5: visible, blank, tab, obs-text. */
static const bool is_value[256] = { ['\t'] = true, [' ' ... '~'] = true, [0x80 ... 0xff] = true };

static enum guard_verdict bad(struct http_guard *guard, int http_status, const char *code,
                              const char *detail)
{
    guard->refusal =
        (struct http_refusal){ .http_status = http_status, .code = code, .detail = detail };
    guard->state = AT_OVER;
    return GUARD_BAD;
}

static enum guard_verdict malformed(struct http_guard *guard, const char *detail)
{
    return bad(guard, 400, "malformed_request", detail);
}

void http_guard_start(struct http_guard *guard, enum http_side side)
{
    ENSURE(guard->head_max > 0 && guard->target_max > 0 && guard->lines_max > 0);
    guard->side = side;
    guard->state = side == HTTP_OF_REQUEST ? AT_METHOD : AT_VERSION;
    guard->digits = 0;
    guard->method_len = guard->target_at = guard->target_len = 0;
    guard->major = guard->minor = 0;
    guard->at = guard->lines = 0;
    guard->chunk_left = guard->body_len = 0;
}

void http_guard_start_chunks(struct http_guard *guard)
{
    guard->state = AT_CHUNK_SIZE;
    guard->digits = 0;
    guard->at = guard->lines = 0;
    guard->chunk_left = guard->body_len = 0;
}

/* --- first line -------------------------------------------------------------------------- */
static enum guard_verdict version_byte(struct http_guard *guard, uint8_t byte)
{
    static const char form[] = "HTTP/d.d";
    char expected = form[guard->digits];
    bool digit = byte >= '0' && byte <= '9';
    if (expected == 'd' ? !digit : byte != (uint8_t)expected)
        return malformed(guard, "the HTTP version is not of the form HTTP/1.1");
    if (guard->digits == 5)
        guard->major = byte - '0';
    if (guard->digits == 7)
        guard->minor = byte - '0';
    if (++guard->digits < sizeof form - 1)
        return GUARD_MORE;
    if (guard->major != 1 || guard->minor > 1)
        return bad(guard, 505, "http_version_not_supported", "only HTTP/1.1 is spoken here");
    guard->digits = 0;
    guard->state = guard->side == HTTP_OF_REQUEST ? AT_LINE_CR : AT_STATUS_SPACE;
    return GUARD_MORE;
}

static enum guard_verdict request_line_byte(struct http_guard *guard, uint8_t byte)
{
    if (guard->state == AT_METHOD) {
        if (byte == ' ' && guard->at > 0) {
            guard->method_len = guard->at;
            guard->target_at = guard->at + 1;
            guard->state = AT_TARGET;
            return GUARD_MORE;
        }
        if (!is_token[byte])
            return malformed(guard, "the method is not a token followed by one blank");
        if (guard->at >= METHOD_BYTES_MAX)
            return bad(guard, 501, "method_not_implemented", "the method is not known");
        return GUARD_MORE;
    }
    if (byte == ' ' && guard->at > guard->target_at) {
        guard->target_len = guard->at - guard->target_at;
        guard->state = AT_VERSION;
        return GUARD_MORE;
    }
    if (byte <= ' ' || byte >= 0x7f)
        return malformed(guard, "the request target has a byte that is not allowed, or no version");
    if (guard->at - guard->target_at >= guard->target_max)
        return bad(guard, 414, "target_too_long", "the request target is too long");
    return GUARD_MORE;
}

static enum guard_verdict status_line_byte(struct http_guard *guard, uint8_t byte)
{
    switch (guard->state) {
    case AT_STATUS_SPACE:
        if (byte != ' ')
            return malformed(guard, "no blank after the version");
        guard->state = AT_STATUS_CODE;
        return GUARD_MORE;
    case AT_STATUS_CODE:
        if (guard->digits < 3 && byte >= '0' && byte <= '9') {
            guard->digits++;
            return GUARD_MORE;
        }
        if (guard->digits != 3 || (byte != ' ' && byte != '\r'))
            return malformed(guard, "the status code is not three digits");
        guard->state = byte == '\r' ? AT_LINE_LF : AT_REASON;
        return GUARD_MORE;
    default:
        if (byte == '\r')
            guard->state = AT_LINE_LF;
        else if (!is_value[byte])
            return malformed(guard, "control byte in the reason");
        return GUARD_MORE;
    }
}

/* --- header and trailer lines ------------------------------------------------------------ */
static enum guard_verdict field_byte(struct http_guard *guard, uint8_t byte)
{
    switch (guard->state) {
    case AT_FIELD_START:
        if (byte == '\r') {
            guard->state = AT_END_LF;
            return GUARD_MORE;
        }
        if (byte == ' ' || byte == '\t')
            return malformed(guard, "folded header lines are not accepted");
        if (++guard->lines > guard->lines_max)
            return bad(guard, 431, "headers_too_large", "too many header lines");
        if (!is_token[byte])
            return malformed(guard, "a header name has a byte that is not allowed");
        guard->state = AT_FIELD_NAME;
        return GUARD_MORE;
    case AT_FIELD_NAME:
        if (byte == ':')
            guard->state = AT_FIELD_VALUE;
        else if (!is_token[byte])
            return malformed(guard, "a header name is not a token directly followed by a colon");
        return GUARD_MORE;
    case AT_FIELD_VALUE:
        if (byte == '\r')
            guard->state = AT_FIELD_LF;
        else if (!is_value[byte])
            return malformed(guard, "control byte or bare line feed in a header value");
        return GUARD_MORE;
    case AT_FIELD_LF:
        if (byte != '\n')
            return malformed(guard, "carriage return without line feed");
        guard->state = AT_FIELD_START;
        return GUARD_MORE;
    default: /* AT_END_LF */
        if (byte != '\n')
            return malformed(guard, "carriage return without line feed");
        guard->state = AT_OVER;
        return GUARD_END;
    }
}

static enum guard_verdict head_byte(struct http_guard *guard, uint8_t byte)
{
    switch (guard->state) {
    case AT_METHOD:
    case AT_TARGET: return request_line_byte(guard, byte);
    case AT_VERSION: return version_byte(guard, byte);
    case AT_STATUS_SPACE:
    case AT_STATUS_CODE:
    case AT_REASON: return status_line_byte(guard, byte);
    case AT_LINE_CR:
        if (byte != '\r')
            return malformed(guard, "the request line does not end after the version");
        guard->state = AT_LINE_LF;
        return GUARD_MORE;
    case AT_LINE_LF:
        if (byte != '\n')
            return malformed(guard, "carriage return without line feed");
        guard->state = AT_FIELD_START;
        return GUARD_MORE;
    default: return field_byte(guard, byte);
    }
}

enum guard_verdict http_guard_head(struct http_guard *guard, struct view bytes, size_t *taken)
{
    ENSURE(guard->state != AT_OVER);
    for (size_t i = 0; i < bytes.len; i++) {
        enum guard_verdict verdict = GUARD_MORE;
        /* Most bytes are inside a value: the short way. */
        if (guard->state != AT_FIELD_VALUE || !is_value[bytes.ptr[i]])
            verdict = head_byte(guard, bytes.ptr[i]);
        guard->at++;
        if (verdict == GUARD_MORE && guard->at >= guard->head_max)
            verdict = bad(guard, 431, "headers_too_large", "the request's head is too large");
        if (verdict != GUARD_MORE) {
            *taken = i + 1;
            return verdict;
        }
    }
    *taken = bytes.len;
    return GUARD_MORE;
}

/* --- chunks ------------------------------------------------------------------------------ */
static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

static enum guard_verdict chunk_size_byte(struct http_guard *guard, uint8_t byte)
{
    int value = hex_value(byte);
    if (value >= 0) {
        if (++guard->digits > CHUNK_DIGITS_MAX)
            return malformed(guard, "a chunk size has more than eight digits");
        guard->chunk_left = guard->chunk_left * 16 + (unsigned)value;
        return GUARD_MORE;
    }
    if (byte != '\r' || guard->digits == 0)
        return malformed(guard, "a chunk size is not hexadecimal digits and nothing else");
    guard->body_len += guard->chunk_left;
    if (guard->body_len > guard->body_max)
        return bad(guard, 413, "body_too_large", "the body is larger than the limit");
    guard->state = AT_CHUNK_LF;
    return GUARD_MORE;
}

static enum guard_verdict chunk_byte(struct http_guard *guard, uint8_t byte)
{
    switch (guard->state) {
    case AT_CHUNK_SIZE: return chunk_size_byte(guard, byte);
    case AT_CHUNK_LF:
        if (byte != '\n')
            return malformed(guard, "a chunk size line does not end in CR LF");
        guard->digits = 0;
        guard->state = guard->chunk_left > 0 ? AT_CHUNK_DATA : AT_FIELD_START;
        return GUARD_MORE;
    case AT_DATA_CR:
        if (byte != '\r')
            return malformed(guard, "a chunk is longer than its size says");
        guard->state = AT_DATA_LF;
        return GUARD_MORE;
    case AT_DATA_LF:
        if (byte != '\n')
            return malformed(guard, "a chunk does not end in CR LF");
        guard->state = AT_CHUNK_SIZE;
        return GUARD_MORE;
    default:
        if (++guard->at > TRAILER_BYTES_MAX || guard->lines > TRAILER_LINES_MAX)
            return bad(guard, 431, "headers_too_large", "the trailers are too large");
        return field_byte(guard, byte);
    }
}

enum guard_verdict http_guard_chunks(struct http_guard *guard, struct view bytes, size_t *taken)
{
    ENSURE(guard->state != AT_OVER);
    for (size_t i = 0; i < bytes.len;) {
        if (guard->state == AT_CHUNK_DATA) {
            size_t part = bytes.len - i < guard->chunk_left ? bytes.len - i : guard->chunk_left;
            guard->chunk_left -= part;
            i += part;
            if (guard->chunk_left == 0)
                guard->state = AT_DATA_CR;
            continue;
        }
        enum guard_verdict verdict = chunk_byte(guard, bytes.ptr[i++]);
        if (verdict != GUARD_MORE) {
            *taken = i;
            return verdict;
        }
    }
    *taken = bytes.len;
    return GUARD_MORE;
}
