/* request.c - a message on its way: from the adapter's workspace into the exchange, and, over HTTP,
 * from there into a request whose slots are filled.
 *
 * request_take is the only way by which bytes of an adapter's get out. What it copies is checked
 * here: a framed message has a correlation key, a request has a method, a path and headers that can
 * neither end their line nor say anything about the connection, whose framing is ours. A slot names
 * a grant or a KEY setting of kind token; whether there is one is known before anything leaves.
 *
 * The exchange keeps the request without the slots' bytes: the same request can be filled again
 * with a new token, and a token lives no longer than the call that writes it out.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "base/vault.h"

/* --- HTTP: is it as it must be? -------------------------------------------------------------- */

static bool is_visible(struct rg_bytes text, uint8_t lowest)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] < lowest || text.ptr[i] > 0x7e)
            return false;
    return true;
}

static bool header_is_ours(struct rg_bytes name)
{
    static const char *const ours[] = { "host", "content-length", "connection", "transfer-encoding",
                                        "expect" };
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (view_is(view_of(name.ptr, (size_t)name.len), ours[i]))
            return true;
    return false;
}

/* A slot's value: prefix, zero byte, name. */
static bool slot_split(struct view value, struct view *prefix, struct view *name)
{
    size_t zero = view_find(value, 0);
    *prefix = view_slice(value, 0, zero);
    *name = view_slice(value, zero + 1, value.len);
    return zero < value.len;
}

/* The key of a KEY setting; NULL with *known false when there is no such setting. */
static struct secret_key *key_of(const struct channel *channel, struct view name, bool *known)
{
    uint64_t row = UINT64_MAX;
    struct secret_key *key = link_key(NULL, channel, name, &row);
    *known = row != UINT64_MAX;
    return key;
}

static const char *slot_wrong(const struct exchange *exchange, struct view value)
{
    struct view prefix, name;
    bool known;
    const struct channel *channel = exchange->channel;
    if (!slot_split(value, &prefix, &name) ||
        !is_visible((struct rg_bytes){ prefix.ptr, prefix.len }, ' ') ||
        !row_name_fits((struct rg_bytes){ name.ptr, name.len }))
        return "a slot of the adapter's is not a prefix, a zero byte and a name";
    const struct secret_key *key = key_of(channel, name, &known);
    if (known && key == NULL)
        return "the adapter wants a key in a header that is not configured";
    if (known && secret_kind_of(key) != SECRET_TOKEN)
        return "the adapter wants a key in a header that is not of kind token";
    if (!known && channel_ability_row(channel, RG_OP_TOKEN) == NULL)
        return "the adapter wants a token in a header, but cannot fetch any";
    if (!known && exchange->for_token)
        return "the adapter wants a token in the request that fetches tokens";
    return NULL;
}

static const char *header_wrong(const struct exchange *exchange, const struct rg_named *row)
{
    if (header_is_ours(row->name))
        return "the adapter sets a header that is the host's";
    if ((row->flags & RG_NAMED_SLOT) != 0)
        return slot_wrong(exchange, view_of(row->value.ptr, (size_t)row->value.len));
    return is_visible(row->value, ' ') ? NULL : "a header of the adapter's is not printable ASCII";
}

static const char *http_wrong(const struct exchange *exchange, const struct rg_out *o)
{
    bool has_type = rg_find(o->headers.rows, o->headers.count, "content-type") != NULL;
    bool may_be_empty = o->http_method == RG_HTTP_GET || o->http_method == RG_HTTP_DELETE;
    struct rg_bytes path = { o->path.ptr, o->path.len };
    if (o->http_method < RG_HTTP_GET || o->http_method > RG_HTTP_PATCH)
        return "the adapter's request has no method that exists";
    if (path.len == 0 || path.ptr[0] != '/' || !is_visible(path, '!') ||
        view_find(view_of(path.ptr, (size_t)path.len), '#') < path.len)
        return "the path of the adapter's request is not '/' and visible ASCII without '#'";
    if (o->bytes.len == 0 && !may_be_empty && has_type) /* without one it means to have no body */
        return "the adapter sends an empty message";
    if (o->expects_reply != 1)
        return "the adapter expects no reply, but a request always has an answer";
    const char *wrong = NULL;
    for (uint64_t i = 0; i < o->headers.count && wrong == NULL; i++)
        wrong = header_wrong(exchange, &o->headers.rows[i]);
    return wrong;
}

static const char *framed_wrong(const struct rg_out *o)
{
    if (o->bytes.len == 0)
        return "the adapter sends an empty message";
    if (o->expects_reply != 1 && o->expects_reply != 2)
        return "the adapter does not say whether it expects a reply";
    if (o->expects_reply == 1 && o->correlation.len == 0)
        return "the adapter gives no correlation key for its message";
    return NULL;
}

/* --- taking it ------------------------------------------------------------------------------- */

/* Numbers of flags are the same on both sides: refs.h carries a request's headers as they are. */
_Static_assert(REF_SENSITIVE == RG_NAMED_SENSITIVE && REF_SEALED == RG_NAMED_SLOT,
               "a row of headers keeps its flags in a set");

static void put_headers(struct writer *w, const struct rg_table *headers)
{
    for (uint64_t i = 0; i < headers->count; i++) {
        const struct rg_named *row = &headers->rows[i];
        refs_put(w, view_of(row->name.ptr, (size_t)row->name.len),
                 view_of(row->value.ptr, (size_t)row->value.len), row->flags);
    }
}

const char *request_take(struct exchange *exchange)
{
    const struct channel *channel = exchange->channel;
    const struct rg_out *o = &channel->set->workspace->out;
    bool http = channel_is_http(channel);
    const char *wrong = http ? http_wrong(exchange, o) : framed_wrong(o);
    size_t refs_len = table_set_len(&o->refs);
    if (o->bytes.len > channel->api->request_max)
        wrong = "the adapter's message is longer than it declared";
    else if (wrong == NULL && exchange->bytes_left && refs_len != 0)
        wrong = "the adapter adds refs to a second message; they cannot be stored before it leaves";
    if (wrong != NULL)
        return wrong;
    size_t message_len = (size_t)o->bytes.len, path_len = http ? (size_t)o->path.len : 0;
    size_t headers_len = http ? table_set_len(&o->headers) : 0;
    size_t len = message_len + refs_len + path_len + headers_len;
    uint8_t *block = vault_alloc(len);
    if (block == NULL) {
        exchange->starved = true;
        return "memory is out";
    }
    struct writer w = writer_over(block, len);
    writer_bytes(&w, o->bytes.ptr, message_len);
    table_put_set(&w, &o->refs);
    if (http) {
        writer_bytes(&w, o->path.ptr, path_len);
        put_headers(&w, &o->headers);
    }
    ENSURE(!w.overflow && w.len == len);
    vault_free(exchange->block);
    exchange->block = block;
    exchange->message_len = message_len;
    exchange->refs_len = refs_len;
    exchange->path_len = path_len;
    exchange->headers_len = headers_len;
    exchange->http_method = o->http_method;
    exchange->expects_reply = o->expects_reply;
    exchange->correlation_len = (size_t)o->correlation.len;
    memcpy(exchange->correlation, o->correlation.ptr, exchange->correlation_len);
    return NULL;
}

/* --- HTTP: sending it ------------------------------------------------------------------------ */

struct view request_path(const struct exchange *exchange)
{
    return view_of(exchange->block + exchange->message_len + exchange->refs_len,
                   exchange->path_len);
}

static struct cursor headers_of(const struct exchange *exchange)
{
    struct view path = request_path(exchange);
    return cursor_over(view_of(path.ptr + path.len, exchange->headers_len));
}

const char *request_method_word(const struct exchange *exchange)
{
    switch (exchange->http_method) {
    case RG_HTTP_GET: return "GET";
    case RG_HTTP_POST: return "POST";
    case RG_HTTP_PUT: return "PUT";
    case RG_HTTP_DELETE: return "DELETE";
    default: ENSURE(exchange->http_method == RG_HTTP_PATCH); return "PATCH";
    }
}

bool request_needs_token(const struct exchange *exchange)
{
    struct cursor c = headers_of(exchange);
    struct ref row;
    bool broken, known = true;
    while (known && refs_next(&c, &row, &broken)) {
        struct view prefix, name;
        if ((row.flags & RG_NAMED_SLOT) != 0 && slot_split(row.value, &prefix, &name))
            (void)key_of(exchange->channel, name, &known);
    }
    return !known;
}

size_t request_filled_max(const struct exchange *exchange)
{
    struct cursor c = headers_of(exchange);
    struct ref row;
    bool broken;
    size_t max = 0;
    while (refs_next(&c, &row, &broken))
        if ((row.flags & RG_NAMED_SLOT) != 0)
            max += row.value.len + SECRET_TOKEN_MAX;
    return max;
}

static bool slot_fill(struct exchange *exchange, struct view value, struct writer *room)
{
    struct view prefix, name;
    bool known;
    ENSURE(slot_split(value, &prefix, &name));
    const struct secret_key *key = key_of(exchange->channel, name, &known);
    writer_view(room, prefix);
    if (known)
        return key != NULL && secret_token_put(key, room) == STATUS_OK;
    struct view grant = token_find(exchange->channel, name);
    writer_view(room, grant);
    exchange->token_generation = exchange->channel->tokens.generation;
    return grant.len > 0 && !room->overflow;
}

bool request_fill(struct exchange *exchange, struct writer *room,
                  struct http_header out[HEADER_ROWS_MAX], size_t *count)
{
    struct cursor c = headers_of(exchange);
    struct ref row;
    bool broken;
    *count = 0;
    exchange->token_generation = 0;
    while (refs_next(&c, &row, &broken)) {
        ENSURE(*count < HEADER_ROWS_MAX);
        struct view value = row.value;
        if ((row.flags & RG_NAMED_SLOT) != 0) {
            size_t at = room->len;
            if (!slot_fill(exchange, row.value, room))
                return false;
            value = view_of(room->ptr + at, room->len - at);
        }
        out[(*count)++] = (struct http_header){ .name = row.name, .value = value };
    }
    ENSURE(!broken);
    return true;
}
