/* SPDX-License-Identifier: Apache-2.0
 *
 * null_http.c - an adapter for an HTTP channel that does not exist: every corner of the HTTP part
 * of the interface, in one page. docs/adapter-developer.md shows parts of it.
 *
 * The protocol, in full. A body is lines "name=value", each ended by LF, in the order given here;
 * values are printable ASCII. An order is called by our attempt's name, so whatever the other side
 * says names the attempt by itself.
 *
 *     POST /token                       client time proof         200 token lifetime
 *     GET /quotes/CURRENCY              -                         200 quote
 *     POST /orders                      order quote amount        201 order state amount currency
 *                                       currency notice           402 the same, state=refused
 *     GET /orders/ORDER                 -                         200 as above; 404
 *     DELETE /orders/ORDER              -                         200 as above, state=closed
 *     PUT /orders/ORDER/refunds/REFUND  amount currency           200 order state amount currency
 *
 *     state      paid, open, refused, closed (it can never be paid any more), returned
 *     currency   ISO 4217 number, 3 digits; amount in minor units
 *     proof      hexadecimal HMAC-SHA256 of "CLIENT TIME" under the client's key; TIME in seconds
 *     headers    authorization: Bearer TOKEN, idempotency-key: ATTEMPT, and with the setting `sign`
 *                null-signature: hexadecimal HMAC-SHA256 of "METHOD PATH" LF and the body
 *     notice     POST to the notice address with path /orders: one or more groups of order, state,
 *                amount, currency; null-signature as above. Without a signature it is a hint.
 *
 * An order that is open is paid by a person who scans a code: the text of `code_layout` with the
 * order's name in the place of its '*'.
 */
#include <railgate/adapter.h>
#include <railgate/writer.h>

#define BODY_MAX   2048u
#define AMOUNT_MAX 999999999999ll
#define NAME_MAX   64u

enum { ROW_CLIENT, ROW_CLIENT_KEY, ROW_NOTICE_KEY, ROW_SIGN, ROW_CODE_LAYOUT, ROW_EXPIRES };

static const struct rg_setting settings[] = {
    [ROW_CLIENT] = { .size = sizeof(struct rg_setting),
                     .name = "client",
                     .type = RG_SETTING_TEXT,
                     .required = 1,
                     .min = 1,
                     .max = 32,
                     .sentence = "Our name with the other side." },
    [ROW_CLIENT_KEY] = { .size = sizeof(struct rg_setting),
                         .name = "client_key",
                         .type = RG_SETTING_KEY,
                         .required = 1,
                         .secret = 1,
                         .sentence = "Key that proves our name and signs requests." },
    [ROW_NOTICE_KEY] = { .size = sizeof(struct rg_setting),
                         .name = "notice_key",
                         .type = RG_SETTING_KEY,
                         .required = 1,
                         .secret = 1,
                         .sentence = "Key with which the other side signs its notices." },
    [ROW_SIGN] = { .size = sizeof(struct rg_setting),
                   .name = "sign",
                   .type = RG_SETTING_FLAG,
                   .fallback = "yes",
                   .sentence = "Whether requests are signed." },
    [ROW_CODE_LAYOUT] = { .size = sizeof(struct rg_setting),
                          .name = "code_layout",
                          .type = RG_SETTING_FILE,
                          .required = 1,
                          .min = 1,
                          .max = 512,
                          .sentence = "File with the text of a code; '*' is the order's name." },
    [ROW_EXPIRES] = { .size = sizeof(struct rg_setting),
                      .name = "code_expires_s",
                      .type = RG_SETTING_NUMBER,
                      .fallback = "900",
                      .min = 30,
                      .max = 86400,
                      .unit = "s",
                      .sentence = "How long a code may be paid." },
};

#define ABILITY(op, able, money)                                                                   \
    {                                                                                              \
        .size = sizeof(struct rg_ability), .operation = RG_OP_##op, .flags = (able),               \
        .late_window_ms = 60000, .deadline_ms = 10000, .amount_minor_max = (money)                 \
    }
static const struct rg_ability abilities[] = {
    ABILITY(SALE, RG_ABLE_REPEAT | RG_ABLE_INQUIRE, AMOUNT_MAX),
    ABILITY(CANCEL, RG_ABLE_REPEAT | RG_ABLE_INQUIRE, AMOUNT_MAX),
    ABILITY(REFUND, RG_ABLE_REPEAT | RG_ABLE_PARTIAL, AMOUNT_MAX),
    ABILITY(INQUIRE, RG_ABLE_REPEAT, 0),
    ABILITY(TOKEN, RG_ABLE_REPEAT, 0),
};

struct instance { /* constant after configure(); its texts live as long */
    struct rg_bytes client, layout;
    uint64_t star; /* where the order's name goes */
    uint32_t sign, expires_s;
};

/* Zero is the memory that the host gave: not begun. */
enum { AT_SIGN = 1, AT_TOKEN, AT_QUOTE, AT_ORDER, AT_END };

struct exchange {
    uint32_t at, operation, method;
    uint32_t currency;
    int64_t amount;
    int64_t time_s;
    uint8_t order[NAME_MAX], attempt[NAME_MAX], path[256], notice[512], body[BODY_MAX];
    uint64_t order_len, attempt_len, path_len, notice_len, body_len;
};

static uint32_t fail(struct rg_out *out, const char *reason)
{
    rg_put_text(&out->diagnosis, reason);
    return RG_STEP_FAIL;
}

static uint32_t configure(void *memory, const struct rg_value *values, struct rg_diag *diag)
{
    struct instance *instance = memory;
    instance->client = values[ROW_CLIENT].text;
    instance->layout = values[ROW_CODE_LAYOUT].text; /* what the file holds, not its name */
    instance->sign = values[ROW_SIGN].number == 1;
    instance->expires_s = (uint32_t)values[ROW_EXPIRES].number;
    while (instance->star < instance->layout.len && instance->layout.ptr[instance->star] != '*')
        instance->star++;
    if (instance->star < instance->layout.len)
        return 1;
    diag->row = ROW_CODE_LAYOUT;
    rg_put_text(&diag->text, "the layout has no '*' for the order's name");
    return 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

static void put_line(struct rg_buffer *b, const char *name, struct rg_bytes value)
{
    rg_put_text(b, name);
    rg_put_u8(b, '=');
    rg_put_bytes(b, value);
    rg_put_u8(b, '\n');
}

static void put_number_line(struct rg_buffer *b, const char *name, int64_t value)
{
    rg_put_text(b, name);
    rg_put_u8(b, '=');
    rg_put_i64(b, value);
    rg_put_u8(b, '\n');
}

/* Takes "name=value\n" from the front of *rest. Strict: 0 for anything else. */
static uint32_t take_line(struct rg_bytes *rest, const char *name, struct rg_bytes *value)
{
    uint64_t at = 0, end;
    while (at < rest->len && name[at] != '\0' && rest->ptr[at] == (uint8_t)name[at])
        at++;
    if (name[at] != '\0' || at >= rest->len || rest->ptr[at++] != '=')
        return 0;
    for (end = at; end < rest->len && rest->ptr[end] >= 0x20 && rest->ptr[end] < 0x7f;)
        end++;
    if (end == at || end >= rest->len || rest->ptr[end] != '\n')
        return 0;
    *value = (struct rg_bytes){ rest->ptr + at, end - at };
    *rest = (struct rg_bytes){ rest->ptr + end + 1, rest->len - end - 1 };
    return 1;
}

static uint32_t is(struct rg_bytes a, const char *text)
{
    uint64_t i = 0;
    while (i < a.len && text[i] != '\0' && a.ptr[i] == (uint8_t)text[i])
        i++;
    return i == a.len && text[i] == '\0';
}

/* What the other side says of an order. */
struct order {
    struct rg_bytes name, state;
    uint64_t amount, currency;
};

static uint32_t take_order(struct rg_bytes *rest, struct order *order)
{
    struct rg_bytes amount, currency;
    return take_line(rest, "order", &order->name) != 0 && order->name.len <= NAME_MAX &&
           take_line(rest, "state", &order->state) != 0 &&
           take_line(rest, "amount", &amount) != 0 && take_line(rest, "currency", &currency) != 0 &&
           currency.len == 3 && rg_number(amount, (uint64_t)AMOUNT_MAX, &order->amount) != 0 &&
           rg_number(currency, 999, &order->currency) != 0;
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *const methods[] = { "", "GET", "POST", "PUT", "DELETE" };

static uint32_t send(struct exchange *exchange, const uint8_t *signature, uint64_t signature_len,
                     struct rg_out *out)
{
    uint8_t hex[128];
    struct rg_buffer text = { hex, sizeof hex, 0, 0, 0 };
    out->http_method = exchange->method;
    rg_put(&out->path, exchange->path, exchange->path_len);
    rg_put(&out->bytes, exchange->body, exchange->body_len);
    if (exchange->operation != RG_OP_TOKEN) {
        /* We never see the token: the host puts its bytes behind the prefix. */
        rg_header_slot(out, "authorization", "Bearer ", "token");
        rg_header_bytes(out, "idempotency-key",
                        (struct rg_bytes){ exchange->attempt, exchange->attempt_len });
        if (exchange->method != RG_HTTP_POST) /* of a sale they went out with its first request */
            rg_table_put(&out->refs, "order", exchange->order, exchange->order_len, 0);
    }
    if (exchange->body_len > 0)
        rg_header(out, "content-type", "text/plain");
    if (signature_len > 0) {
        rg_put_hex(&text, (struct rg_bytes){ signature, signature_len });
        rg_header_bytes(out, "null-signature", (struct rg_bytes){ hex, text.len });
        out->headers.text.overflow |= text.overflow;
    }
    out->expects_reply = 1;
    exchange->at = exchange->operation == RG_OP_TOKEN                            ? AT_TOKEN
                   : exchange->method == RG_HTTP_GET && exchange->at == AT_QUOTE ? AT_QUOTE
                                                                                 : AT_ORDER;
    return RG_STEP_SEND;
}

/* Signed requests take one more step: the host has the key. */
static uint32_t sign_or_send(const struct instance *instance, struct exchange *exchange,
                             struct rg_out *out)
{
    if (instance->sign == 0)
        return send(exchange, NULL, 0, out);
    rg_put_text(&out->bytes, methods[exchange->method]);
    rg_put_u8(&out->bytes, ' ');
    rg_put(&out->bytes, exchange->path, exchange->path_len);
    rg_put_u8(&out->bytes, '\n');
    rg_put(&out->bytes, exchange->body, exchange->body_len);
    rg_put_text(&out->sign_key, "client_key");
    exchange->at = AT_SIGN;
    return RG_STEP_SIGN;
}

/* "/orders/ORDER", and what the operation is about. */
static uint32_t order_path(struct exchange *exchange, uint32_t method, const char *tail)
{
    struct rg_buffer path = { exchange->path, sizeof exchange->path, 0, 0, 0 };
    exchange->method = method;
    rg_put_text(&path, "/orders");
    if (method != RG_HTTP_POST) {
        rg_put_u8(&path, '/');
        rg_put(&path, exchange->order, exchange->order_len);
    }
    rg_put_text(&path, tail);
    if (method == RG_HTTP_PUT)
        rg_put(&path, exchange->attempt, exchange->attempt_len);
    exchange->path_len = path.len;
    return path.overflow == 0;
}

static uint32_t begin_token(const struct instance *instance, struct exchange *exchange,
                            struct rg_out *out)
{
    rg_put_bytes(&out->bytes, instance->client);
    rg_put_u8(&out->bytes, ' ');
    rg_put_i64(&out->bytes, exchange->time_s);
    rg_put_text(&out->sign_key, "client_key");
    exchange->at = AT_SIGN;
    return RG_STEP_SIGN;
}

/* The first of two requests of a sale: nothing has moved yet, and the refs go out with it. */
static uint32_t begin_sale(struct exchange *exchange, const struct rg_command *command,
                           struct rg_out *out)
{
    struct rg_buffer path = { exchange->path, sizeof exchange->path, 0, 0, 0 };
    struct rg_buffer notice = { exchange->notice, sizeof exchange->notice, 0, 0, 0 };
    rg_put_text(&path, "/quotes/");
    rg_put_digits(&path, exchange->currency, 3);
    rg_put_bytes(&notice, command->notice_url);
    if (path.overflow != 0 || notice.overflow != 0)
        return fail(out, "the currency or the notice address does not fit");
    exchange->path_len = path.len;
    exchange->notice_len = notice.len;
    exchange->method = RG_HTTP_GET;
    exchange->at = AT_QUOTE;
    return send(exchange, NULL, 0, out);
}

static uint32_t keep_name(uint8_t *room, uint64_t *len, struct rg_bytes name)
{
    for (uint64_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i]; /* it becomes a part of a path */
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-')
            return 0;
    }
    struct rg_buffer b = { room, NAME_MAX, 0, 0, 0 };
    rg_put_bytes(&b, name);
    *len = b.len;
    return b.overflow == 0 && name.len > 0;
}

static uint32_t begin(const void *memory, void *state, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct instance *instance = memory;
    struct exchange *exchange = state;
    const struct rg_named *order = rg_find(command->refs, command->refs_count, "order");
    exchange->operation = command->operation;
    exchange->amount = command->amount_minor;
    exchange->currency = command->currency_number;
    exchange->time_s = command->time_unix_us / 1000000;
    if (keep_name(exchange->attempt, &exchange->attempt_len, command->attempt_id) == 0)
        return fail(out, "the attempt's name cannot stand in a path");
    if (command->operation == RG_OP_TOKEN)
        return begin_token(instance, exchange, out);
    if (command->operation == RG_OP_SALE)
        order = NULL;
    else if (order == NULL)
        return fail(out, "the refs of the attempt it refers to are missing");
    if (keep_name(exchange->order, &exchange->order_len,
                  order != NULL ? order->value : command->attempt_id) == 0)
        return fail(out, "the order's name cannot stand in a path");
    if (command->amount_minor < 0 || command->amount_minor > AMOUNT_MAX)
        return fail(out, "the amount does not fit 12 digits");
    struct rg_buffer body = { exchange->body, BODY_MAX, 0, 0, 0 };
    switch (command->operation) {
    case RG_OP_SALE: return begin_sale(exchange, command, out);
    case RG_OP_INQUIRE: (void)order_path(exchange, RG_HTTP_GET, ""); break;
    case RG_OP_CANCEL: (void)order_path(exchange, RG_HTTP_DELETE, ""); break;
    case RG_OP_REFUND:
        (void)order_path(exchange, RG_HTTP_PUT, "/refunds/");
        put_number_line(&body, "amount", command->amount_minor);
        put_number_line(&body, "currency", command->currency_number);
        break;
    default: return fail(out, "this operation is not known");
    }
    exchange->body_len = body.len;
    return sign_or_send(instance, exchange, out);
}

/* --- replies --------------------------------------------------------------------------------- */

static uint32_t token_request(const struct instance *instance, struct exchange *exchange,
                              struct rg_bytes proof, struct rg_out *out)
{
    uint8_t hex[128];
    struct rg_buffer body = { exchange->body, BODY_MAX, 0, 0, 0 };
    struct rg_buffer text = { hex, sizeof hex, 0, 0, 0 };
    struct rg_buffer path = { exchange->path, sizeof exchange->path, 0, 0, 0 };
    rg_put_hex(&text, proof);
    put_line(&body, "client", instance->client);
    put_number_line(&body, "time", exchange->time_s);
    put_line(&body, "proof", (struct rg_bytes){ hex, text.len });
    rg_put_text(&path, "/token");
    if (body.overflow != 0 || text.overflow != 0)
        return fail(out, "the proof does not fit");
    exchange->body_len = body.len;
    exchange->path_len = path.len;
    exchange->method = RG_HTTP_POST;
    return send(exchange, NULL, 0, out);
}

static uint32_t on_token(const struct rg_event *event, struct rg_out *out)
{
    struct rg_bytes rest = event->bytes, token, lifetime;
    uint64_t seconds;
    if (event->http_status != 200 || take_line(&rest, "token", &token) == 0 ||
        take_line(&rest, "lifetime", &lifetime) == 0 || rest.len != 0 ||
        rg_number(lifetime, 31536000, &seconds) == 0)
        return fail(out, "the answer holds no token");
    out->outcome = RG_OUTCOME_APPROVED;
    out->amount_minor = -1;
    out->grants_lifetime_s = (uint32_t)seconds;
    rg_table_put(&out->grants, "token", token.ptr, token.len, RG_NAMED_SENSITIVE);
    return RG_STEP_DONE;
}

/* The second request of a sale. */
static uint32_t on_quote(const struct instance *instance, struct exchange *exchange,
                         const struct rg_event *event, struct rg_out *out)
{
    struct rg_buffer body = { exchange->body, BODY_MAX, 0, 0, 0 };
    struct rg_bytes rest = event->bytes, quote;
    if (event->http_status != 200 || take_line(&rest, "quote", &quote) == 0 || rest.len != 0)
        return fail(out, "the answer holds no quote");
    put_line(&body, "order", (struct rg_bytes){ exchange->order, exchange->order_len });
    put_line(&body, "quote", quote);
    put_number_line(&body, "amount", exchange->amount);
    put_number_line(&body, "currency", exchange->currency);
    if (exchange->notice_len > 0)
        put_line(&body, "notice", (struct rg_bytes){ exchange->notice, exchange->notice_len });
    if (body.overflow != 0 || order_path(exchange, RG_HTTP_POST, "") == 0)
        return fail(out, "the order does not fit");
    exchange->body_len = body.len;
    exchange->at = AT_ORDER;
    return sign_or_send(instance, exchange, out);
}

static uint32_t pending(const struct instance *instance, const struct exchange *exchange,
                        struct rg_out *out)
{
    uint8_t payload[512 + NAME_MAX];
    struct rg_buffer code = { payload, sizeof payload, 0, 0, 0 };
    out->outcome = RG_OUTCOME_PENDING;
    rg_put_text(&out->message, "Waiting for the payer.");
    if (exchange->operation != RG_OP_SALE)
        return RG_STEP_DONE;
    rg_put(&code, instance->layout.ptr, instance->star);
    rg_put(&code, exchange->order, exchange->order_len);
    rg_put(&code, instance->layout.ptr + instance->star + 1,
           instance->layout.len - instance->star - 1);
    out->action = RG_ACTION_SHOW_CODE;
    out->expires_in_s = instance->expires_s;
    rg_table_put(&out->action_values, "payload", payload, code.len, 0);
    return RG_STEP_DONE;
}

static uint32_t settled(struct rg_out *out, uint32_t outcome, uint32_t category,
                        const char *message)
{
    out->outcome = outcome;
    out->category = category;
    rg_put_text(&out->message, message);
    return RG_STEP_DONE;
}

static uint32_t on_order(const struct instance *instance, const struct exchange *exchange,
                         const struct rg_event *event, struct rg_out *out)
{
    struct rg_bytes rest = event->bytes;
    struct order order;
    uint32_t status = event->http_status, operation = exchange->operation;
    if (operation == RG_OP_INQUIRE && status == 404 && rest.len == 0) {
        out->amount_minor = -1;
        return settled(out, RG_OUTCOME_NOT_FOUND, RG_CATEGORY_NONE, "There is no such order.");
    }
    /* 5xx, a redirection, a refused token: nothing was said of the order. */
    if (status != 200 && status != 201 && status != 402)
        return fail(out, "an answer with this status says nothing of the order");
    if (take_order(&rest, &order) == 0 || rest.len != 0)
        return fail(out, "the answer is not an order of the protocol");
    if (rg_same(order.name, (struct rg_bytes){ exchange->order, exchange->order_len }) == 0)
        return fail(out, "the answer is about another order");
    out->amount_minor = (int64_t)order.amount; /* reported; the host compares */
    out->currency_number = (uint32_t)order.currency;
    rg_put_bytes(&out->rail_code, order.state);
    rg_put_bytes(&out->reference, order.name);
    if (is(order.state, "refused"))
        return settled(out, RG_OUTCOME_DECLINED, RG_CATEGORY_OTHER, "The payer refused.");
    if (status == 402)
        return fail(out, "a status of refusal with another state");
    if (operation == RG_OP_CANCEL) {
        if (is(order.state, "closed"))
            return settled(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, "It cannot be paid now.");
        return is(order.state, "paid")
                   ? settled(out, RG_OUTCOME_DECLINED, RG_CATEGORY_REQUEST, "Too late: it is paid.")
                   : fail(out, "this state answers no cancel");
    }
    if (operation == RG_OP_REFUND)
        return is(order.state, "returned")
                   ? settled(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, "Returned.")
                   : fail(out, "this state answers no refund");
    if (is(order.state, "paid") || is(order.state, "returned"))
        return settled(out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, "Paid.");
    if (is(order.state, "closed"))
        return settled(out, RG_OUTCOME_DECLINED, RG_CATEGORY_OTHER, "Closed without payment.");
    return is(order.state, "open") ? pending(instance, exchange, out)
                                   : fail(out, "the state is not known");
}

static uint32_t resume(const void *memory, void *state, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct instance *instance = memory;
    struct exchange *exchange = state;
    uint32_t at = exchange->at;
    exchange->at = AT_END;
    if (event->kind == RG_EVENT_SIGNED && at == AT_SIGN && event->bytes.len > 0)
        return exchange->operation == RG_OP_TOKEN
                   ? token_request(instance, exchange, event->bytes, out)
                   : send(exchange, event->bytes.ptr, event->bytes.len, out);
    if (event->kind != RG_EVENT_REPLY)
        return fail(out, "this event was not expected here");
    switch (at) {
    case AT_TOKEN: return on_token(event, out);
    case AT_QUOTE: return on_quote(instance, exchange, event, out);
    case AT_ORDER: return on_order(instance, exchange, event, out);
    default: return fail(out, "this event was not expected here");
    }
}

/* --- notices --------------------------------------------------------------------------------- */

static uint32_t broken(struct rg_notice_out *out, const char *reason)
{
    rg_put_text(&out->diagnosis, reason);
    return RG_NOTICE_BROKEN;
}

/* The signature covers method, path and body. The host verifies it and calls again. */
static uint32_t ask_to_verify(const struct rg_notice *in, struct rg_bytes hex,
                              struct rg_notice_out *out)
{
    if (rg_put_unhex(&out->signature, hex) == 0)
        return broken(out, "the signature is not hexadecimal");
    rg_put_text(&out->bytes, methods[in->http_method]);
    rg_put_u8(&out->bytes, ' ');
    rg_put_bytes(&out->bytes, in->path);
    rg_put_u8(&out->bytes, '\n');
    rg_put_bytes(&out->bytes, in->bytes);
    rg_put_text(&out->sign_key, "notice_key");
    return RG_NOTICE_VERIFY;
}

static uint32_t say_entry(const struct order *order, struct rg_notice_out *out)
{
    out->amount_minor = (int64_t)order->amount;
    out->currency_number = (uint32_t)order->currency;
    out->about = RG_ABOUT_STATUS;
    rg_put_bytes(&out->rail_code, order->state);
    rg_put_bytes(&out->attempt_id, order->name); /* an order has the name of our attempt */
    rg_put_bytes(&out->reference, order->name);
    if (is(order->state, "paid")) {
        out->outcome = RG_OUTCOME_APPROVED;
        rg_put_text(&out->message, "Paid.");
    } else if (is(order->state, "refused") || is(order->state, "closed")) {
        out->outcome = RG_OUTCOME_DECLINED;
        out->category = RG_CATEGORY_OTHER;
        rg_put_text(&out->message, "Refused.");
    } else if (is(order->state, "returned")) {
        out->about = RG_ABOUT_RETURN;
        rg_put_text(&out->reference, ".return"); /* the movement's own name */
    } else {
        return broken(out, "the state is not known");
    }
    return RG_NOTICE_DONE;
}

static uint32_t notice(const void *memory, const struct rg_notice *in, struct rg_notice_out *out)
{
    struct rg_bytes rest = in->bytes, hex;
    struct order order, entry = { 0 };
    uint32_t count = 0;
    (void)memory;
    if (in->http_method != RG_HTTP_POST || is(in->path, "/orders") == 0)
        return broken(out, "nothing is told at this address");
    /* All of it is read each time: half a message is none. */
    do {
        if (take_order(&rest, &order) == 0)
            return broken(out, "not a list of orders");
        if (count++ == in->index)
            entry = order;
    } while (rest.len > 0);
    if (in->index >= count)
        return broken(out, "there is no such entry");
    hex = rg_header_value(in->headers, "null-signature");
    if (hex.len > 0 && in->verified == 0)
        return ask_to_verify(in, hex, out);
    out->more = in->index + 1 < count;
    out->ack_status = 202;
    rg_put_text(&out->ack_type, "text/plain");
    rg_put_text(&out->acknowledgement, "taken=");
    rg_put_i64(&out->acknowledgement, count);
    rg_put_u8(&out->acknowledgement, '\n');
    return say_entry(&entry, out);
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "null_http",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "qr",
    .settings = settings,
    .settings_count = sizeof settings / sizeof settings[0],
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct instance),
    .exchange_size = sizeof(struct exchange),
    .request_max = BODY_MAX,
    .answer_max = BODY_MAX,
    .steps_max = 4, /* begin SEND, resume SIGN, resume SEND, resume DONE */
    .configure = configure,
    .begin = begin,
    .resume = resume,
    .notice = notice,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
