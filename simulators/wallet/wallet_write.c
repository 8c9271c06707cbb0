/* wallet_write.c - orders, payments, charges and refunds as JSON, and the notices about them. */
#include "wallet_int.h"

#include "base/ensure.h"

static void put_amount(struct json_out *j, const char *key, const struct wallet_currency *currency,
                       int64_t amount_minor)
{
    uint8_t text[32];
    struct writer w = writer_over(text, sizeof text);
    amount_write(&w, currency, amount_minor);
    json_put_text(j, key, writer_done(&w));
}

static void put_number(struct json_out *j, const char *prefix, uint32_t number)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    writer_format(&w, "%s%08u", prefix, number);
    json_put_text(j, "provider_id", writer_done(&w));
}

void wallet_write_deal(struct json_out *j, const char *key, const struct deal *d)
{
    json_open_object(j, key);
    json_put_text(j, "order_id", view_text(d->order_id));
    put_number(j, "wp_", d->number);
    json_put_text(j, "reference", view_text(d->reference));
    json_put_text(j, "state", view_text(deal_state_name(d->state)));
    put_amount(j, "amount", d->currency, d->amount_minor);
    if (d->state == DEAL_PAID)
        put_amount(j, "paid_amount", d->currency, d->paid_minor);
    json_put_text(j, "currency", view_text(d->currency->code));
    if (d->phone != NULL && d->state == DEAL_PAID) {
        char masked[16];
        struct writer w = writer_over(masked, sizeof masked);
        size_t len = strlen(d->phone->name);
        writer_text(&w, "***");
        writer_text(&w, d->phone->name + (len > 3 ? len - 3 : 0));
        json_put_text(j, "payer", writer_done(&w));
    }
    if (d->state == DEAL_PAID)
        json_put_i64(j, "paid_at", d->paid_us / 1000000);
    if (d->reason != NULL)
        json_put_text(j, "reason", view_text(d->reason));
    json_close_object(j);
}

void wallet_write_refund(struct json_out *j, const char *key, const struct refund *r)
{
    json_open_object(j, key);
    json_put_text(j, "refund_id", view_text(r->refund_id));
    json_put_text(j, "order_id", view_text(r->deal->order_id));
    put_number(j, "wr_", r->number);
    json_put_text(j, "state", view_text(refund_state_name(r->state)));
    put_amount(j, "amount", r->deal->currency, r->amount_minor);
    json_put_text(j, "currency", view_text(r->deal->currency->code));
    if (r->reason != NULL)
        json_put_text(j, "reason", view_text(r->reason));
    json_close_object(j);
}

/* --- notices ----------------------------------------------------------------------------- */
static struct view path_of(struct view url)
{
    for (size_t i = 0; i + 2 < url.len; i++)
        if (memcmp(url.ptr + i, "://", 3) == 0) {
            struct view rest = view_slice(url, i + 3, url.len);
            struct view path = view_slice(rest, view_find(rest, '/'), rest.len);
            return path.len > 0 ? path : VIEW("/");
        }
    return VIEW("/");
}

static void tell(struct wallet *w, const char *type, const struct deal *deal,
                 const struct refund *refund)
{
    uint8_t body[4096], headers[1024];
    struct writer b = writer_over(body, sizeof body), h = writer_over(headers, sizeof headers);
    struct json_out j;
    struct view url = view_text(refund != NULL ? refund->notice_url : deal->notice_url);
    struct wallet_merchant *m =
        book_merchant(w->book, refund != NULL ? refund->merchant : deal->merchant);
    if (url.len == 0)
        return;
    json_out_init(&j, &b);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", view_text(type));
    if (refund != NULL)
        wallet_write_refund(&j, "data", refund);
    else
        wallet_write_deal(&j, "data", deal);
    json_close_object(&j);
    writer_format(&h, "content-type: application/json\nx-merchant: %s\nx-signature: ", m->id);
    wallet_sign(&h, m, wallet_wall_us(w) / 1000000, VIEW("POST"), path_of(url), writer_done(&b));
    writer_text(&h, "\n");
    ENSURE(!b.overflow && !h.overflow);
    struct sim_notice notice = {
        .url = url, .headers = writer_done(&h), .body = writer_done(&b), .tag = ++w->notice_count
    };
    w->config.send(w->config.send_arg, &notice);
}

void wallet_tell_as(struct wallet *w, const char *type, const struct deal *deal)
{
    tell(w, type, deal, NULL);
}

void wallet_tell_deal(void *arg, const struct deal *deal)
{
    struct wallet *w = arg;
    char type[32];
    struct writer t = writer_over(type, sizeof type);
    ENSURE_MAGIC(w, WALLET_MAGIC);
    /* For the merchant a static code's payment is an order that nobody placed. */
    writer_text(&t, deal->kind == DEAL_STATIC ? "order" : deal_kind_name(deal->kind));
    writer_text(&t, ".");
    writer_text(&t, deal_state_name(deal->state));
    ENSURE(writer_terminate(&t) == STATUS_OK);
    tell(w, type, deal, NULL);
}

void wallet_tell_refund(void *arg, const struct refund *refund)
{
    struct wallet *w = arg;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    tell(w, refund->state == REFUND_DONE ? "refund.done" : "refund.declined", refund->deal, refund);
}
