/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_request.c - a command to what is asked of the provider (docs/rails/qr-wire.md).
 *
 * A sale is one of four: a dynamic code is registered as an order and then shown; a static code is
 * shown without asking anybody; a scanned merchant-presented code is paid; a consumer-presented one
 * is charged. A scanned code is read and held against the command before anything leaves.
 */
#include "qr_int.h"

#include "kits/attempt.h"

static const char *const kind_names[] = { [KIND_ORDER] = "order",
                                          [KIND_STATIC] = "static",
                                          [KIND_PAYMENT] = "payment",
                                          [KIND_CHARGE] = "charge",
                                          [KIND_REFUND] = "refund" };

static struct rg_bytes row(const struct rg_named *rows, uint64_t count, const char *name)
{
    const struct rg_named *found = rg_find(rows, count, name);
    return found != NULL ? found->value : (struct rg_bytes){ NULL, 0 };
}

static struct rg_bytes detail(const struct rg_command *c, const char *name)
{
    return row(c->details, c->details_count, name);
}

static struct rg_bytes ref(const struct rg_command *c, const char *name)
{
    return row(c->refs, c->refs_count, name);
}

static uint32_t keep(struct rg_bytes value, uint8_t *room, uint64_t size, uint64_t *len)
{
    struct rg_buffer b = { room, size, 0, 0, 0 };
    rg_put_bytes(&b, value);
    *len = b.len;
    return b.overflow == 0;
}

static void set_path(struct qr_exchange *x, uint32_t method, const char *before, struct rg_bytes id,
                     const char *after)
{
    struct rg_buffer b = { x->path, sizeof x->path, 0, 0, 0 };
    rg_put_text(&b, before);
    rg_put_bytes(&b, id);
    rg_put_text(&b, after);
    x->path_len = b.len; /* ids have at most QR_ID_MAX bytes: it always fits */
    x->method = method;
}

static struct rg_buffer open_body(struct qr_exchange *x)
{
    struct rg_buffer b = { x->body, sizeof x->body, 0, 0, 0 };
    jl_open(&b, NULL);
    return b;
}

static void put_money(const struct qr_exchange *x, struct rg_buffer *b)
{
    uint8_t text[32];
    struct rg_buffer amount = { text, sizeof text, 0, 0, 0 };
    qr_amount_put(&amount, x->amount_minor, x->exponent);
    jl_put_text(b, "amount", (struct rg_bytes){ text, amount.len });
    jl_put_text(b, "currency", text_slice(text_of(x->currency_code), 0, 3));
}

static uint32_t close_body(struct qr_exchange *x, const struct rg_command *c, struct rg_buffer *b,
                           struct rg_out *out)
{
    if (c->notice_url.len > 0)
        jl_put_text(b, "notice_url", c->notice_url);
    jl_close(b);
    x->body_len = b->len;
    return b->overflow == 0 ? 0 : qr_fail(x, out, "the request does not fit");
}

/* --- codes that we show ----------------------------------------------------------------------- */

static const char *make_code(const struct qr_instance *qr, struct qr_exchange *x,
                             const struct rg_command *c, uint32_t dynamic, struct rg_out *out)
{
    uint64_t number = 0;
    if (!attempt_read(c->attempt_id, &number))
        return "the attempt's id is not one";
    struct rg_buffer reference = { x->reference, sizeof x->reference, 0, 0, 0 };
    qr_reference_put(&reference, x->scheme, number);
    x->reference_len = reference.len;
    struct qr_make make = {
        .scheme = x->scheme,
        .dynamic = dynamic,
        .currency = c->currency_number,
        .exponent = c->currency_exponent,
        .amount_minor = c->amount_minor,
        .name = qr->name,
        .city = qr->city,
        .category = qr->category,
        .country = qr->country,
        .postcode = qr->postcode,
        .language = qr->language,
        .language_name = qr->language_name,
        .language_city = qr->language_city,
        .reference = { x->reference, reference.len },
        .created_unix_s = x->time_s,
        .expires_unix_s = x->expires_s > 0 ? x->time_s + x->expires_s : 0,
        .values = qr->values,
        .values_count = qr->values_count,
    };
    struct rg_buffer code = { x->payload, sizeof x->payload, 0, 0, 0 };
    if (!qr_make(&make, &code, &out->diagnosis))
        return "";
    x->payload_len = code.len;
    qr_mpm_read((struct rg_bytes){ x->payload, code.len }, QR_STRICT, &x->code);
    qr_scheme_check(&x->code, x->scheme, x->scheme->first, 0);
    if (x->code.errors == 0)
        return NULL;
    rg_put_text(&out->diagnosis, "the code that the settings make is not valid: ");
    for (uint32_t i = 0; i < x->code.findings_count; i++)
        if (x->code.findings[i].weight == QR_ERROR) {
            rg_put_text(&out->diagnosis, qr_finding_text(x->code.findings[i].kind));
            rg_put_text(&out->diagnosis, ", at ");
            return x->code.findings[i].path;
        }
    return "";
}

static uint32_t build_present(const struct qr_instance *qr, struct qr_exchange *x,
                              const struct rg_command *c, struct rg_out *out)
{
    struct rg_bytes scheme = detail(c, "scheme"), type = detail(c, "code_type");
    struct rg_bytes expires = detail(c, "expires_in");
    uint32_t dynamic = type.len == 0 || text_is(type, "dynamic");
    uint64_t seconds = 0;
    if (!dynamic && !text_is(type, "static"))
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "code_type",
                         "the code type must be dynamic or static");
    if (expires.len > 0 && (!text_number(expires, 31622400, &seconds) || seconds == 0))
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "expires_in",
                         "expires_in must be a number of seconds");
    x->scheme = scheme.len == 0 ? qr->scheme : qr_scheme_named(&qr->schemes, scheme);
    /* The account fields of the settings are those of the channel's scheme. */
    if (x->scheme != qr->scheme)
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "scheme",
                         "this channel does not make codes of that scheme");
    /* A static code stands on paper: it ends only when the merchant says so. */
    x->expires_s = seconds > 0 ? (int64_t)seconds : dynamic ? qr->expires_s : 0;
    x->kind = dynamic ? KIND_ORDER : KIND_STATIC;
    const char *wrong = make_code(qr, x, c, dynamic, out);
    if (wrong != NULL)
        return qr_fail(x, out, wrong);
    if (!dynamic) {
        out->amount_minor = -1; /* nobody was asked */
        return qr_shown(x, out);
    }
    struct rg_buffer b = open_body(x);
    jl_put_text(&b, "order_id", qr_id(x));
    jl_put_text(&b, "reference", (struct rg_bytes){ x->reference, x->reference_len });
    put_money(x, &b);
    jl_put_text(&b, "code", (struct rg_bytes){ x->payload, x->payload_len });
    jl_put_integer(&b, "expires_at", x->time_s + x->expires_s);
    set_path(x, RG_HTTP_POST, "/v1/orders", (struct rg_bytes){ NULL, 0 }, "");
    return close_body(x, c, &b, out);
}

uint32_t qr_shown(const struct qr_exchange *x, struct rg_out *out)
{
    out->outcome = RG_OUTCOME_PENDING;
    out->action = RG_ACTION_SHOW_CODE;
    out->expires_in_s = (uint32_t)x->expires_s;
    rg_table_put(&out->action_values, "payload", x->payload, x->payload_len, 0);
    rg_table_put(&out->action_values, "reference", x->reference, x->reference_len, 0);
    rg_table_put(&out->action_values, "scheme", x->scheme->name.ptr, x->scheme->name.len, 0);
    if (x->kind == KIND_STATIC)
        qr_put_refs(x, &out->refs);
    return RG_STEP_DONE;
}

/* --- codes that were scanned ------------------------------------------------------------------ */

/* "the checksum does not fit ... (63, letter 210)": where, never with which value. */
static uint32_t refuse_code(struct qr_exchange *x, struct rg_out *out)
{
    const struct qr_finding *f = &x->code.findings[0];
    for (uint32_t i = 0; i < x->code.findings_count && f->weight != QR_ERROR; i++)
        f = &x->code.findings[i];
    rg_put_text(&out->message, qr_finding_text(f->kind));
    rg_put_text(&out->message, " (");
    if (f->path[0] != '\0') {
        rg_put_text(&out->message, f->path);
        rg_put_text(&out->message, ", ");
    }
    rg_put_text(&out->message, "letter ");
    uint64_t letter = f->at_letter + 1;
    rg_put_digits(&out->message, letter,
                  letter < 10     ? 1
                  : letter < 100  ? 2
                  : letter < 1000 ? 3
                                  : 4);
    rg_put_text(&out->message, ")");
    return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "code", "");
}

static uint32_t check_merchant_code(const struct qr_instance *qr, struct qr_exchange *x,
                                    struct rg_out *out)
{
    struct rg_bytes currency;
    uint32_t account = 0;
    uint64_t number = 0;
    int64_t amount = 0;
    x->scheme = qr_scheme_of(&qr->schemes, &x->code, &account);
    if (x->scheme != NULL)
        qr_scheme_check(&x->code, x->scheme, account, x->time_s);
    if (x->code.errors > 0)
        return refuse_code(x, out);
    /* Three digits may begin with zeros. */
    if (qr_mpm_value(&x->code, "53", &currency))
        for (uint64_t i = 0; i < currency.len; i++)
            number = number * 10 + (uint64_t)(currency.ptr[i] - '0');
    if (number != x->currency)
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "currency",
                         "the code asks for another currency");
    uint32_t said = qr_mpm_amount(&x->code, x->exponent, &amount);
    if (said == 2)
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "amount",
                         "what the code asks for cannot be told in this currency, or has a fee in "
                         "percent");
    if (said == 1 && amount != x->amount_minor)
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "amount",
                         "the code asks for another amount");
    return 0;
}

static uint32_t build_scan(const struct qr_instance *qr, struct qr_exchange *x,
                           const struct rg_command *c, struct rg_out *out)
{
    struct rg_bytes code = detail(c, "code"), format = detail(c, "format");
    uint32_t consumer = text_is(format, "cpm");
    if (!consumer && format.len > 0 && !text_is(format, "mpm"))
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "format",
                         "the format must be mpm or cpm");
    x->kind = consumer ? KIND_CHARGE : KIND_PAYMENT;
    if (!keep(code, x->payload, sizeof x->payload, &x->payload_len))
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "code",
                         "the code is too long to be one");
    struct rg_bytes text = { x->payload, x->payload_len };
    uint32_t end = 0;
    if (consumer) {
        qr_cpm_read(text, qr->scan_mode, &x->code);
        end = x->code.errors > 0 ? refuse_code(x, out) : 0;
    } else {
        qr_mpm_read(text, qr->scan_mode, &x->code);
        end = check_merchant_code(qr, x, out);
    }
    if (end != 0)
        return end;
    struct rg_buffer b = open_body(x);
    jl_put_text(&b, "order_id", qr_id(x));
    jl_put_text(&b, "code", text);
    put_money(x, &b);
    set_path(x, RG_HTTP_POST, consumer ? "/v1/charges" : "/v1/payments",
             (struct rg_bytes){ NULL, 0 }, "");
    return close_body(x, c, &b, out);
}

void qr_put_scanned(const struct qr_exchange *x, struct rg_table *extra)
{
    static const struct {
        const char *path, *name;
    } rows[] = { { "59", "merchant_name" },
                 { "60", "merchant_city" },
                 { "58", "merchant_country" } };
    if (x->kind != KIND_PAYMENT || x->code.presented != QR_MERCHANT)
        return;
    if (x->scheme != NULL)
        rg_table_put(extra, "scheme", x->scheme->name.ptr, x->scheme->name.len, 0);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rg_bytes value;
        uint8_t text[QR_TOLD_MAX]; /* 99 letters of 4 bytes at most */
        struct rg_buffer masked = { text, sizeof text, 0, 0, 0 };
        if (!qr_mpm_value(&x->code, rows[i].path, &value) || value.len == 0)
            continue;
        (void)qr_put_told(&masked, value, NULL);
        rg_table_put(extra, rows[i].name, text, masked.len, 0);
    }
}

/* --- what refers to an attempt ---------------------------------------------------------------- */

/* kind, id and reference from the refs: 1, or 0 when they are not ours. */
static uint32_t take_refs(struct qr_exchange *x, const struct rg_command *c)
{
    struct rg_bytes kind = ref(c, "kind"), id = ref(c, "order_id");
    x->kind = 0;
    for (uint32_t i = KIND_ORDER; i <= KIND_REFUND; i++)
        if (text_is(kind, kind_names[i]))
            x->kind = i;
    if (x->kind == KIND_REFUND)
        id = ref(c, "refund_id");
    /* The provider knows the payment of a static code only by its own id, once it has told us. */
    if (x->kind == KIND_STATIC)
        id = ref(c, "provider_id");
    if (!keep(id, x->id, sizeof x->id, &x->id_len) ||
        !keep(ref(c, "reference"), x->reference, sizeof x->reference, &x->reference_len))
        return 0;
    if (x->kind == KIND_STATIC)
        return qr_plain_id((struct rg_bytes){ x->reference, x->reference_len }) &&
               (x->id_len == 0 || qr_plain_id(qr_id(x)));
    return x->kind != 0 && qr_plain_id(qr_id(x));
}

static uint32_t build_inquire(struct qr_exchange *x, const struct rg_command *c)
{
    static const char *const paths[] = { [KIND_ORDER] = "/v1/orders/",
                                         [KIND_STATIC] = "/v1/references/",
                                         [KIND_PAYMENT] = "/v1/payments/",
                                         [KIND_CHARGE] = "/v1/charges/",
                                         [KIND_REFUND] = "/v1/refunds/" };
    x->amount_minor = c->original_minor;
    set_path(x, RG_HTTP_GET, paths[x->kind],
             x->kind == KIND_STATIC ? (struct rg_bytes){ x->reference, x->reference_len }
                                    : qr_id(x),
             "");
    return 0;
}

static uint32_t build_cancel(struct qr_exchange *x, const struct rg_command *c, struct rg_out *out)
{
    /* Nobody can take a printed code off the wall. We stop expecting money for this payment; what
     * is paid with the code all the same comes as a notice that contradicts this, and a person
     * looks. */
    if (x->kind == KIND_STATIC) {
        (void)qr_refuse(x, out, RG_OUTCOME_APPROVED, RG_CATEGORY_NONE, "withdrawn",
                        "no payment of the static code is expected any more");
        out->amount_minor = c->original_minor;
        out->currency_number = c->currency_number;
        return RG_STEP_DONE;
    }
    if (x->kind != KIND_ORDER)
        return qr_refuse(x, out, RG_OUTCOME_DECLINED, RG_CATEGORY_REQUEST, "cancel",
                         "only a code that is shown can be canceled");
    set_path(x, RG_HTTP_POST, "/v1/orders/", qr_id(x), "/cancel");
    return 0;
}

static uint32_t build_refund(struct qr_exchange *x, const struct rg_command *c, struct rg_out *out)
{
    uint8_t order[QR_ID_MAX];
    uint64_t order_len = 0;
    if (x->kind == KIND_REFUND || x->id_len == 0 ||
        !keep(qr_id(x), order, sizeof order, &order_len))
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "refund",
                         "the provider has not said which payment it was");
    x->kind = KIND_REFUND;
    if (!keep(c->attempt_id, x->id, sizeof x->id, &x->id_len))
        return qr_fail(x, out, "the attempt's id is too long");
    struct rg_buffer b = open_body(x);
    jl_put_text(&b, "refund_id", qr_id(x));
    jl_put_text(&b, "order_id", (struct rg_bytes){ order, order_len });
    put_money(x, &b);
    set_path(x, RG_HTTP_POST, "/v1/refunds", (struct rg_bytes){ NULL, 0 }, "");
    return close_body(x, c, &b, out);
}

/* Undone: an order is closed, what was paid or charged is given back. */
static uint32_t build_reverse(struct qr_exchange *x, const struct rg_command *c, struct rg_out *out)
{
    if (x->kind == KIND_ORDER || x->kind == KIND_STATIC)
        return build_cancel(x, c, out);
    x->amount_minor = c->original_minor;
    return build_refund(x, c, out);
}

void qr_put_refs(const struct qr_exchange *x, struct rg_table *refs)
{
    rg_table_put_text(refs, "kind", kind_names[x->kind]);
    rg_table_put(refs, x->kind == KIND_REFUND ? "refund_id" : "order_id", x->id, x->id_len, 0);
    if (x->reference_len > 0)
        rg_table_put(refs, "reference", x->reference, x->reference_len, 0);
}

uint32_t qr_build(const struct qr_instance *qr, struct qr_exchange *x,
                  const struct rg_command *command, struct rg_out *out)
{
    struct rg_bytes mode = detail(command, "mode");
    for (uint32_t i = 0; i < 4; i++)
        x->currency_code[i] = command->currency_code[i];
    x->currency_code[3] = '\0';
    x->operation = command->operation;
    x->repeat = command->repeat;
    x->currency = command->currency_number;
    x->exponent = command->currency_exponent;
    x->amount_minor = command->amount_minor;
    x->time_s = command->time_unix_us / 1000000;
    x->now_s = command->now_unix_us / 1000000;
    if (command->operation == RG_OP_SALE) {
        if (!keep(command->attempt_id, x->id, sizeof x->id, &x->id_len) || !qr_plain_id(qr_id(x)))
            return qr_fail(x, out, "the attempt's id is not one");
        if (text_is(mode, "present") || mode.len == 0)
            return build_present(qr, x, command, out);
        if (text_is(mode, "scan"))
            return build_scan(qr, x, command, out);
        return qr_refuse(x, out, RG_OUTCOME_REJECTED, RG_CATEGORY_REQUEST, "mode",
                         "the mode must be present or scan");
    }
    if (!take_refs(x, command))
        return qr_fail(x, out, "the refs of the attempt are not this adapter's");
    switch (command->operation) {
    case RG_OP_INQUIRE: return build_inquire(x, command);
    case RG_OP_CANCEL: return build_cancel(x, command, out);
    case RG_OP_REFUND: return build_refund(x, command, out);
    case RG_OP_REVERSE: return build_reverse(x, command, out);
    default: return qr_fail(x, out, "this operation is not known here");
    }
}
