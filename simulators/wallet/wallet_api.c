/* wallet_api.c - requests of merchants (docs/rails/qr-wire.md): who asks, what is asked, was it
 * asked before; then the books decide. A table of routes; each answers by itself. */
#include "wallet_int.h"

#include "base/ensure.h"

#define ARENA_BYTES (4u << 20)

struct call {
    struct wallet *w;
    size_t merchant;
    const struct sim_request *request;
    struct view rest; /* of the path, behind the route's prefix */
    struct arena arena;
    struct asked asked;
    struct sim_answer *answer;
    struct json_out out;
};

/* --- answers ----------------------------------------------------------------------------- */
static void fail(struct call *c, int http_status, const char *word, const char *sentence)
{
    c->answer->http_status = http_status;
    c->w->refused_requests++;
    json_open_object(&c->out, NULL);
    json_put_text(&c->out, "error", view_text(word));
    json_put_text(&c->out, "message", view_text(sentence));
    json_close_object(&c->out);
}

static void not_found(struct call *c)
{
    fail(c, 404, "not_found", "there is no such thing");
}

static void answer_deal(struct call *c, int http_status, const struct deal *d)
{
    c->answer->http_status = http_status;
    c->answer->amount_minor = d->amount_minor;
    wallet_write_deal(&c->out, NULL, d);
}

/* 201, 202, 402 by the state of a payment or charge. */
static void answer_settled(struct call *c, const struct deal *d)
{
    answer_deal(c, d->state == DEAL_PAID ? 201 : d->state == DEAL_OPEN ? 202 : 402, d);
}

static void answer_refund(struct call *c, int http_status, const struct refund *r)
{
    c->answer->http_status = http_status;
    c->answer->amount_minor = r->amount_minor;
    wallet_write_refund(&c->out, NULL, r);
}

static void answer_refunded(struct call *c, const struct refund *r)
{
    answer_refund(c, r->state == REFUND_DONE ? 201 : r->state == REFUND_OPEN ? 202 : 402, r);
}

static bool read_body(struct call *c, unsigned what)
{
    const char *sentence = "";
    const char *word = asked_read(c->request->body, what, &c->arena, &c->asked, &sentence);
    if (word == NULL) {
        c->answer->amount_minor = c->asked.amount_minor;
        return true;
    }
    fail(c, 400, word, sentence);
    return false;
}

static void copy_text(struct view from, char *to, size_t room)
{
    ENSURE(view_to_text(from, to, room) == STATUS_OK); /* asked_read has looked at the length */
}

/* What an order, payment and charge have in common. */
static struct deal deal_asked(struct call *c, enum deal_kind kind)
{
    struct deal d = { .kind = kind,
                      .state = DEAL_OPEN,
                      .merchant = c->merchant,
                      .currency = c->asked.currency,
                      .amount_minor = c->asked.amount_minor,
                      .expires_us = INT64_MAX,
                      .fingerprint = c->asked.fingerprint };
    copy_text(c->asked.order_id, d.order_id, sizeof d.order_id);
    copy_text(c->asked.reference, d.reference, sizeof d.reference);
    d.code = arena_text(&c->arena, c->asked.code);
    d.notice_url = arena_text(&c->arena, c->asked.notice_url);
    ENSURE(d.code != NULL && d.notice_url != NULL);
    return d;
}

/* The code says the same as the request. */
static const char *code_differs(struct call *c, struct deal *d)
{
    const char *why = "";
    if (memchr(d->code, 0, c->asked.code.len) != NULL ||
        merchant_code_read(view_text(d->code), &d->read, &why) != STATUS_OK)
        return "the code cannot be read as a merchant-presented code";
    if (d->read.currency != c->asked.currency)
        return "the code's currency is another one";
    if (d->read.amount_minor >= 0 && d->read.amount_minor != c->asked.amount_minor)
        return "the code's amount is another one";
    return NULL;
}

/* Known already: answers, and true. */
static bool answered_before(struct call *c, enum deal_kind kind)
{
    struct deal *known = book_deal(c->w->book, c->merchant, c->asked.order_id);
    if (known == NULL)
        return false;
    if (known->kind != kind || known->fingerprint != c->asked.fingerprint)
        fail(c, 409, "order_id_reused", "this order_id was used with another content");
    else if (kind == DEAL_ORDER)
        answer_deal(c, 200, known);
    else
        answer_settled(c, known);
    return true;
}

/* --- orders ------------------------------------------------------------------------------ */
static void post_order(struct call *c)
{
    struct wallet *w = c->w;
    struct deal *order = NULL;
    if (!read_body(c, ASKED_ORDER) || answered_before(c, DEAL_ORDER))
        return;
    struct deal d = deal_asked(c, DEAL_ORDER);
    const char *differs = code_differs(c, &d);
    if (differs == NULL && !d.read.dynamic)
        differs = "an order needs a dynamic code (01 is 12)";
    if (differs == NULL && memmem(c->asked.code.ptr, c->asked.code.len, c->asked.reference.ptr,
                                  c->asked.reference.len) == NULL)
        differs = "the reference does not stand in the code";
    if (differs != NULL) {
        fail(c, 400, "bad_code", differs);
        return;
    }
    if (book_order_of_code(w->book, c->asked.code) != NULL) {
        fail(c, 409, "code_reused", "another order has this code");
        return;
    }
    if (c->asked.expires_at_s != INT64_MAX) {
        d.expires_us = c->asked.expires_at_s * 1000000;
        if (d.expires_us <= wallet_wall_us(w)) {
            fail(c, 400, "expired", "expires_at has passed");
            return;
        }
    }
    if (book_add_deal(w->book, &d, &order) != STATUS_OK) {
        fail(c, 503, "full", "no more orders can be kept");
        return;
    }
    if (order->expires_us != INT64_MAX)
        wallet_job_add(w, &(struct job){ .at_us = order->expires_us - w->config.wall_offset_us,
                                         .kind = JOB_EXPIRE,
                                         .deal = order });
    wallet_order_magic(w, order);
    answer_deal(c, 201, order);
}

static struct deal *find_deal(struct call *c, struct view id, enum deal_kind kind)
{
    struct deal *d = book_deal(c->w->book, c->merchant, id);
    return d != NULL && d->kind == kind ? d : NULL;
}

static void get_deal(struct call *c, enum deal_kind kind)
{
    struct deal *d = find_deal(c, c->rest, kind);
    if (d == NULL)
        not_found(c);
    else
        answer_deal(c, 200, d);
}

static void get_order(struct call *c)
{
    get_deal(c, DEAL_ORDER);
}

static void cancel_order(struct call *c)
{
    struct view id = view_slice(c->rest, 0, view_find(c->rest, '/'));
    struct deal *d = find_deal(c, id, DEAL_ORDER);
    if (d == NULL || !view_is(view_slice(c->rest, id.len, c->rest.len), "/cancel")) {
        not_found(c);
        return;
    }
    if (d->state == DEAL_PAID) {
        c->answer->amount_minor = d->amount_minor;
        fail(c, 409, "already_paid", "the order is paid");
        return;
    }
    if (d->state == DEAL_OPEN)
        book_cancel(c->w->book, d);
    answer_deal(c, 200, d); /* an expired one cannot be paid either, and stays expired */
}

static void get_reference(struct call *c)
{
    size_t position = 0;
    json_open_object(&c->out, NULL);
    json_open_array(&c->out, "payments");
    for (struct deal *d; (d = book_next_deal(c->w->book, &position)) != NULL;) {
        if (d->kind != DEAL_STATIC || d->merchant != c->merchant)
            continue;
        for (size_t i = 0; i < d->read.reference_count; i++)
            if (view_equal(d->read.references[i], c->rest)) {
                wallet_write_deal(&c->out, NULL, d);
                break;
            }
    }
    json_close_array(&c->out);
    json_close_object(&c->out);
}

/* --- payments and charges ---------------------------------------------------------------- */
/* Adds it and lets the books, or a magic amount, decide. */
static void settle(struct call *c, const struct deal *from, const char *reason)
{
    struct wallet *w = c->w;
    struct deal *d = NULL;
    if (book_add_deal(w->book, from, &d) != STATUS_OK) {
        fail(c, 503, "full", "no more payments can be kept");
        return;
    }
    if (reason != NULL || !wallet_settle_magic(w, d->amount_minor, d, NULL, &reason)) {
        reason = book_settle(w->book, d, reason, wallet_wall_us(w));
        if (reason != NULL)
            w->refused_requests++;
    }
    answer_settled(c, d);
}

static void post_payment(struct call *c)
{
    struct wallet *w = c->w;
    if (!read_body(c, ASKED_PAYMENT) || answered_before(c, DEAL_PAYMENT))
        return;
    struct deal d = deal_asked(c, DEAL_PAYMENT);
    const char *differs = code_differs(c, &d), *reason = NULL;
    if (differs != NULL) {
        fail(c, 400, "bad_code", differs);
        return;
    }
    if (d.read.reference_count > 0)
        copy_text(d.read.references[0], d.reference, sizeof d.reference);
    if (d.read.dynamic && book_code_was_paid(w->book, c->asked.code))
        reason = "already_paid";
    const struct deal *order = book_order_of_code(w->book, c->asked.code);
    if (order != NULL)
        reason = "own_order"; /* a code of one of our own shops: for phones to pay */
    settle(c, &d, reason);
}

static void get_payment(struct call *c)
{
    get_deal(c, DEAL_PAYMENT);
}

static void post_charge(struct call *c)
{
    struct wallet *w = c->w;
    struct consumer_code code;
    const char *why = "", *reason = NULL;
    if (!read_body(c, ASKED_PAYMENT) || answered_before(c, DEAL_CHARGE))
        return;
    struct deal d = deal_asked(c, DEAL_CHARGE);
    if (consumer_code_read(c->asked.code, &code, &why) != STATUS_OK) {
        fail(c, 400, "bad_code", "the code cannot be read as a consumer-presented code");
        return;
    }
    d.phone = wallet_shown_by(w, code.token, &reason);
    if (book_code_was_paid(w->book, c->asked.code))
        reason = "code_used";
    settle(c, &d, reason);
}

static void get_charge(struct call *c)
{
    get_deal(c, DEAL_CHARGE);
}

/* --- refunds ----------------------------------------------------------------------------- */
/* By order_id; payments of static codes, which have none, by the provider's number. */
static struct deal *deal_to_refund(struct call *c)
{
    struct deal *d = book_deal(c->w->book, c->merchant, c->asked.order_id);
    uint64_t number = 0;
    struct view digits = view_slice(c->asked.order_id, 3, c->asked.order_id.len);
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = view_slice(digits, 1, digits.len);
    if (d == NULL && view_starts_with(c->asked.order_id, VIEW("wp_")) &&
        view_to_u64(digits, UINT32_MAX, &number) == STATUS_OK)
        d = book_deal_numbered(c->w->book, (uint32_t)number);
    return d != NULL && d->merchant == c->merchant ? d : NULL;
}

static void post_refund(struct call *c)
{
    struct wallet *w = c->w;
    const char *reason = NULL;
    struct refund *r = NULL;
    if (!read_body(c, ASKED_REFUND))
        return;
    struct refund *known = book_refund(w->book, c->merchant, c->asked.refund_id);
    if (known != NULL && known->fingerprint == c->asked.fingerprint) {
        answer_refunded(c, known);
        return;
    }
    if (known != NULL) {
        fail(c, 409, "refund_id_reused", "this refund_id was used with another content");
        return;
    }
    struct refund from = { .state = REFUND_OPEN,
                           .merchant = c->merchant,
                           .deal = deal_to_refund(c),
                           .amount_minor = c->asked.amount_minor,
                           .fingerprint = c->asked.fingerprint };
    if (from.deal == NULL) {
        not_found(c);
        return;
    }
    if (from.deal->currency != c->asked.currency) {
        fail(c, 400, "currency", "it was paid in another currency");
        return;
    }
    copy_text(c->asked.refund_id, from.refund_id, sizeof from.refund_id);
    from.notice_url = arena_text(&c->arena, c->asked.notice_url);
    ENSURE(from.notice_url != NULL);
    if (book_add_refund(w->book, &from, &r) != STATUS_OK) {
        fail(c, 503, "full", "no more refunds can be kept");
        return;
    }
    reason = book_refund_refusal(w->book, r);
    if (reason != NULL || !wallet_settle_magic(w, r->amount_minor, NULL, r, &reason))
        book_settle_refund(w->book, r, reason, wallet_wall_us(w));
    answer_refunded(c, r);
}

static void get_refund(struct call *c)
{
    struct refund *r = book_refund(c->w->book, c->merchant, c->rest);
    if (r == NULL)
        not_found(c);
    else
        answer_refund(c, 200, r);
}

/* --- who and what ------------------------------------------------------------------------ */
static bool who(struct call *c)
{
    struct wallet *w = c->w;
    const char *word = "merchant";
    c->merchant = book_merchant_named(w->book, sim_header(c->request->headers, "x-merchant"));
    if (c->merchant < WALLET_MERCHANTS_MAX)
        word = wallet_check(book_merchant(w->book, c->merchant),
                            sim_header(c->request->headers, "x-signature"),
                            wallet_wall_us(w) / 1000000, w->settings.signature_window_s,
                            c->request->method, c->request->target, c->request->body);
    if (word == NULL)
        return true;
    w->bad_signatures++;
    fail(c, 401, word,
         view_is(view_text(word), "timestamp")
             ? "the signature's time is too far from ours"
             : "merchant or signature is unknown, absent or wrong");
    return false;
}

static const struct {
    const char *method, *path;
    bool prefix; /* more follows */
    void (*run)(struct call *c);
} ROUTES[] = {
    { "POST", "/v1/orders", false, post_order },
    { "GET", "/v1/orders/", true, get_order },
    { "POST", "/v1/orders/", true, cancel_order },
    { "GET", "/v1/references/", true, get_reference },
    { "POST", "/v1/payments", false, post_payment },
    { "GET", "/v1/payments/", true, get_payment },
    { "POST", "/v1/charges", false, post_charge },
    { "GET", "/v1/charges/", true, get_charge },
    { "POST", "/v1/refunds", false, post_refund },
    { "GET", "/v1/refunds/", true, get_refund },
};

static void dispatch(struct call *c)
{
    struct view target = c->request->target;
    bool path_known = false;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        struct view path = view_text(ROUTES[i].path);
        if (ROUTES[i].prefix ? !view_starts_with(target, path) || target.len == path.len
                             : !view_equal(target, path))
            continue;
        path_known = true;
        if (view_is(c->request->method, ROUTES[i].method)) {
            c->rest = view_slice(target, path.len, target.len);
            ROUTES[i].run(c);
            return;
        }
    }
    if (path_known)
        fail(c, 405, "method", "this path does not know the method");
    else
        not_found(c);
}

void wallet_request(void *brain, const struct sim_request *request, int64_t now_us,
                    struct sim_answer *answer)
{
    struct wallet *w = brain;
    struct call c = { .w = w, .request = request, .answer = answer };
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    arena_init(&c.arena, ARENA_BYTES);
    json_out_init(&c.out, &answer->body);
    writer_text(&answer->headers, "content-type: application/json\n");
    if (who(&c))
        dispatch(&c);
    arena_reset(&c.arena);
}
