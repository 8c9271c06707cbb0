/* wallet_ledger.c - the books as JSON, for those who compare them with the gateway's. */
#include "wallet_int.h"

#include "base/ensure.h"

#define ENTRY_ROOM 1200 /* bytes of one entry, with every letter of its reference escaped */
#define REST_ROOM  32768

static void write_totals(const struct wallet *w, struct json_out *out)
{
    const struct wallet_totals *t = book_totals(w->book);
    int64_t states[DEAL_DECLINED + 1] = { 0 };
    size_t position = 0;
    for (struct deal *d; (d = book_next_deal(w->book, &position)) != NULL;)
        if (d->kind == DEAL_ORDER)
            states[d->state]++;
    json_open_object(out, "totals");
    json_put_i64(out, "paid_minor", t->paid_minor);
    json_put_i64(out, "charged_minor", t->charged_minor);
    json_put_i64(out, "payments_minor", t->payments_minor);
    json_put_i64(out, "refunded_minor", t->refunded_minor);
    json_put_i64(out, "refused", (int64_t)t->refused);
    json_open_object(out, "orders");
    for (unsigned s = DEAL_OPEN; s <= DEAL_EXPIRED; s++)
        json_put_i64(out, deal_state_name((enum deal_state)s), states[s]);
    json_close_object(out);
    json_close_object(out);
}

static void write_account(struct json_out *out, const char *kind, const char *name,
                          int64_t opening_minor, int64_t balance_minor)
{
    json_open_object(out, NULL);
    json_put_text(out, kind, view_text(name));
    json_put_i64(out, "opening_minor", opening_minor);
    json_put_i64(out, "balance_minor", balance_minor);
    json_close_object(out);
}

static void write_accounts(const struct wallet *w, struct json_out *out)
{
    const struct wallet_merchant *m;
    const struct wallet_phone *p;
    json_open_array(out, "accounts");
    for (size_t i = 0; (m = book_merchant(w->book, i)) != NULL; i++)
        write_account(out, "merchant", m->id, m->opening_minor, m->float_minor);
    for (size_t i = 0; (p = book_phone(w->book, i)) != NULL; i++)
        write_account(out, "phone", p->name, p->opening_minor, p->balance_minor);
    json_close_array(out);
}

static void write_entry(const struct wallet *w, struct json_out *out, uint64_t number,
                        const struct entry *e)
{
    char provider_id[32];
    struct writer p = writer_over(provider_id, sizeof provider_id);
    writer_format(&p, e->refund != NULL ? "wr_%08u" : "wp_%08u",
                  e->refund != NULL ? e->refund->number : e->deal->number);
    json_open_object(out, NULL);
    json_put_i64(out, "number", (int64_t)number);
    json_put_text(out, "kind", view_text(entry_kind_name(e->kind)));
    json_put_text(out, "id",
                  view_text(e->refund != NULL ? e->refund->refund_id : e->deal->order_id));
    if (e->refund != NULL)
        json_put_text(out, "order_id", view_text(e->deal->order_id));
    json_put_text(out, "provider_id", writer_done(&p));
    json_put_text(out, "merchant", view_text(book_merchant(w->book, e->deal->merchant)->id));
    json_put_text(out, "reference", view_text(e->deal->reference));
    json_put_i64(out, "amount_minor", e->amount_minor);
    json_put_text(out, "currency", view_text(e->deal->currency->code));
    json_put_text(out, "state", e->refund != NULL ? VIEW("done") : VIEW("paid"));
    if (e->deal->phone != NULL)
        json_put_text(out, "phone", view_text(e->deal->phone->name));
    if (e->wrong)
        json_put_bool(out, "after_its_end", true);
    json_put_time(out, "time", e->at_us);
    json_close_object(out);
}

void wallet_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit)
{
    const struct wallet *w = brain;
    const struct entry *e = NULL;
    uint64_t number = from > 0 ? from : 1;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    json_open_object(out, NULL);
    write_totals(w, out);
    write_accounts(w, out);
    json_open_array(out, "entries");
    for (size_t i = 0; i < limit && (e = book_entry(w->book, number)) != NULL; i++)
        write_entry(w, out, number++, e);
    json_close_array(out);
    if (book_entry(w->book, number) != NULL)
        json_put_i64(out, "next", (int64_t)number);
    else
        json_put_null(out, "next");
    json_close_object(out);
}

size_t wallet_ledger_room(const void *brain, uint64_t from, size_t limit)
{
    const struct wallet *w = brain;
    size_t count = 0;
    uint64_t number = from > 0 ? from : 1;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    while (count < limit && book_entry(w->book, number + count) != NULL)
        count++;
    return REST_ROOM + count * ENTRY_ROOM;
}

void wallet_write_stats(const void *brain, struct json_out *out)
{
    const struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    json_put_i64(out, "scans", (int64_t)w->scans);
    json_put_i64(out, "requests_refused", (int64_t)w->refused_requests);
    json_put_i64(out, "bad_signatures", (int64_t)w->bad_signatures);
    json_put_i64(out, "codes_shown", (int64_t)w->shown_count);
    json_put_i64(out, "notices_told", (int64_t)w->notice_count);
    json_put_i64(out, "jobs_waiting", (int64_t)w->job_count);
}
