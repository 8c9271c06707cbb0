/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_answer.c - what the provider answered, as an outcome.
 *
 * The rule: only a readable answer about the very order, payment, charge or refund that was asked
 * about says anything. Everything else is FAIL, and the host finds out by inquiry. A refusal (4xx
 * with an error) is final, but for three: 409 with a reused id says that something is booked under
 * it; 401 to a repetition says nothing about the first sending; 408, 425 and 429 ask to come again.
 *
 * The provider of a charge got a code with a card number in it, and may repeat that in any text of
 * its own: none of them goes on unmasked. Only its number of the payment stays whole, in the refs,
 * and is marked as secret there when it had to be masked elsewhere.
 */
#include "qr_int.h"

static uint32_t settle(struct qr_exchange *x, struct rg_out *out, uint32_t outcome)
{
    x->stage = STAGE_OVER;
    out->outcome = outcome;
    if (x->operation == RG_OP_SALE)
        qr_put_scanned(x, &out->extra);
    return RG_STEP_DONE;
}

/* Amount and currency as the provider says them. 0: not readable. */
static uint32_t take_money(const struct jl_value *entry, const struct qr_exchange *x,
                           struct rg_out *out)
{
    uint32_t number = 0, exponent = 0;
    struct rg_bytes currency = jl_plain(entry, "currency");
    if (text_is(currency, x->currency_code)) {
        number = x->currency;
        exponent = x->exponent;
    } else if (!qr_currency_of(currency, &number, &exponent)) {
        return 0;
    }
    out->currency_number = number;
    return qr_amount_read(qr_amount_of(entry), exponent, &out->amount_minor);
}

void qr_put_provider(struct rg_bytes id, const struct qr_code *sent, struct rg_buffer *reference,
                     struct rg_table *refs)
{
    uint32_t secret = qr_put_told(reference, id, sent);
    rg_table_put(refs, "provider_id", id.ptr, id.len, secret ? RG_NAMED_SENSITIVE : 0);
}

void qr_put_word(struct rg_bytes word, const struct qr_code *sent, struct rg_buffer *rail_code)
{
    uint8_t text[QR_TOLD_MAX];
    struct rg_buffer masked = { text, sizeof text, 0, 0, 0 };
    if (!qr_plain_id(word))
        return;
    (void)qr_put_told(&masked, word, sent); /* before it is cut: half a number is not seen as one */
    rg_put_bytes(rail_code, text_slice((struct rg_bytes){ text, masked.len }, 0, 32));
}

static void take_refusal(const struct qr_exchange *x, struct rg_out *out, struct rg_bytes word)
{
    const struct qr_reason *reason = qr_reason_of(word);
    out->category = reason->category;
    qr_put_word(word, &x->code, &out->rail_code);
    rg_put_text(&out->message, reason->message);
}

/* A cancel, or a reversal of an order: what was asked for is that nobody can pay it any more. */
static uint32_t closes(const struct qr_exchange *x)
{
    return x->operation == RG_OP_CANCEL || (x->operation == RG_OP_REVERSE && x->kind == KIND_ORDER);
}

/* An order, payment, charge or refund about which the answer speaks. */
static uint32_t on_entry(struct qr_exchange *x, const struct jl_value *entry, struct rg_out *out)
{
    struct rg_bytes state = jl_plain(entry, "state"), reason = jl_plain(entry, "reason");
    struct rg_bytes provider = jl_plain(entry, "provider_id"), payer = jl_plain(entry, "payer");
    uint32_t outcome = qr_outcome_of(state);
    if (outcome == 0 || !take_money(entry, x, out))
        return qr_fail(x, out, "the answer's state, amount or currency cannot be read");
    if (qr_plain_id(provider))
        qr_put_provider(provider, &x->code, &out->reference, &out->refs);
    if (payer.len > 0 && payer.len <= QR_ID_MAX) {
        uint8_t text[QR_TOLD_MAX];
        struct rg_buffer masked = { text, sizeof text, 0, 0, 0 };
        (void)qr_put_told(&masked, payer, &x->code);
        rg_table_put(&out->extra, "payer", text, masked.len, 0);
    }
    if (outcome == RG_OUTCOME_DECLINED)
        take_refusal(x, out, reason.len > 0 ? reason : state);
    else
        rg_put_bytes(&out->rail_code, state);
    if (closes(x)) {
        if (outcome == RG_OUTCOME_PENDING)
            return qr_fail(x, out, "the order is still open after it was canceled");
        uint32_t gone = outcome == RG_OUTCOME_DECLINED;
        out->category = gone ? RG_CATEGORY_NONE : RG_CATEGORY_REQUEST;
        return settle(x, out, gone ? RG_OUTCOME_APPROVED : RG_OUTCOME_DECLINED);
    }
    if (x->operation == RG_OP_SALE && x->kind == KIND_ORDER && outcome == RG_OUTCOME_PENDING)
        (void)qr_shown(x, out);
    return settle(x, out, outcome);
}

/* Payments that carried the reference of a static code. Anybody can pay it, and any amount: the
 * first that paid what was asked for is the one. */
static uint32_t on_payments(struct qr_exchange *x, const struct jl_value *root, struct rg_out *out)
{
    struct jl_value payments, entry;
    uint32_t seen = 0;
    if (!jl_member(root, "payments", &payments) || payments.kind != JL_ARRAY)
        return qr_fail(x, out, "the answer holds no list of payments");
    for (struct jl_list list = jl_list_of(&payments); jl_next(&list, &entry);) {
        struct rg_bytes reference = { x->reference, x->reference_len };
        if (!text_same(jl_plain(&entry, "reference"), reference))
            return qr_fail(x, out, "the answer is about another reference");
        if (++seen > QR_PAYMENTS_MAX)
            return qr_fail(x, out, "the answer has more payments than are looked at");
        if (!text_is(jl_plain(&entry, "state"), "paid"))
            continue;
        if (!take_money(&entry, x, out))
            return qr_fail(x, out, "a payment's amount or currency cannot be read");
        if (out->amount_minor == x->amount_minor && out->currency_number == x->currency)
            return on_entry(x, &entry, out);
    }
    out->amount_minor = -1;
    out->currency_number = 0;
    return settle(x, out, RG_OUTCOME_PENDING); /* it can be paid as long as it hangs somewhere */
}

static uint32_t on_good(struct qr_exchange *x, const struct jl_value *root, struct rg_out *out)
{
    if (x->kind == KIND_STATIC)
        return on_payments(x, root, out);
    const char *name = x->kind == KIND_REFUND ? "refund_id" : "order_id";
    if (!text_same(jl_plain(root, name), qr_id(x)))
        return qr_fail(x, out, "the answer is about something else");
    return on_entry(x, root, out);
}

static uint32_t on_refusal(struct qr_exchange *x, const struct jl_value *root, uint32_t http_status,
                           struct rg_out *out)
{
    struct rg_bytes error = jl_plain(root, "error"), reason = jl_plain(root, "reason");
    struct rg_bytes state = jl_plain(root, "state");
    uint32_t inquiry = x->operation == RG_OP_INQUIRE;
    out->amount_minor = -1;
    if (http_status == 402 && !inquiry && state.len > 0)
        return closes(x) || qr_outcome_of(state) == RG_OUTCOME_DECLINED
                   ? on_good(x, root, out)
                   : qr_fail(x, out, "a refusal with the state of what was not refused");
    if (error.len == 0)
        return qr_fail(x, out, "the refusal has no error");
    if (inquiry) {
        if (http_status != 404)
            return qr_fail(x, out, "the inquiry was refused");
        return settle(x, out, RG_OUTCOME_NOT_FOUND);
    }
    /* Nothing to undo: it never came, or it came to nothing. */
    if (x->operation == RG_OP_REVERSE &&
        (http_status == 404 || (http_status == 402 && text_is(error, "not_paid"))))
        return settle(x, out, RG_OUTCOME_NOT_FOUND);
    if (http_status == 409 && closes(x) && text_is(error, "already_paid")) {
        take_refusal(x, out, error);
        return settle(x, out, RG_OUTCOME_DECLINED);
    }
    if (http_status == 409 || http_status == 408 || http_status == 425 || http_status == 429)
        return qr_fail(x, out, "the answer does not say what became of it");
    if (http_status == 401 && x->repeat > 0)
        return qr_fail(x, out, "the repetition was refused, which says nothing of the first");
    take_refusal(x, out, reason.len > 0 ? reason : error);
    if (http_status != 402 && out->category == RG_CATEGORY_OTHER)
        out->category = RG_CATEGORY_REQUEST;
    return settle(x, out, http_status == 402 ? RG_OUTCOME_DECLINED : RG_OUTCOME_REJECTED);
}

uint32_t qr_answer(struct qr_exchange *x, const struct rg_event *event, struct rg_out *out)
{
    struct jl_value root;
    uint32_t good = event->http_status >= 200 && event->http_status <= 202;
    if (!good && (event->http_status < 400 || event->http_status >= 500))
        return qr_fail(x, out, "the provider could not answer");
    if (!jl_read(event->bytes, &root) || root.kind != JL_OBJECT)
        return qr_fail(x, out, "the answer is not a JSON object");
    if (good)
        return on_good(x, &root, out);
    return on_refusal(x, &root, event->http_status, out);
}
