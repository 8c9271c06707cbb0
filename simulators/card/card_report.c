/* card_report.c - the host's books, settings and counters as JSON, for the control port. */
#include "host_int.h"

#define ACCOUNT_JSON_MAX 512

const struct card_ledger *card_host_ledger(const struct card_host *h)
{
    return h->ledger;
}

const struct card_accounts *card_host_accounts(const struct card_host *h)
{
    return &h->accounts;
}

void card_host_write_knobs(const struct card_host *h, struct json_out *j, int64_t now_us)
{
    int64_t down_ms = !card_host_is_down(h, now_us)   ? 0
                      : h->down_until_us == INT64_MAX ? -1
                                                      : (h->down_until_us - now_us + 999) / 1000;
    card_knobs_write(&h->knobs, j, down_ms);
}

static void write_totals(const struct card_totals *t, struct json_out *j)
{
    json_open_object(j, "totals");
    json_put_i64(j, "authorisations", t->authorisations);
    json_put_i64(j, "sales", t->sales);
    json_put_i64(j, "captures", t->captures);
    json_put_i64(j, "refunds", t->refunds);
    json_put_i64(j, "reversals", t->reversals);
    json_put_i64(j, "declined", t->declined);
    json_put_i64(j, "authorised_minor", t->authorised_minor);
    json_put_i64(j, "sold_minor", t->sold_minor);
    json_put_i64(j, "captured_minor", t->captured_minor);
    json_put_i64(j, "refunded_minor", t->refunded_minor);
    json_put_i64(j, "reversed_minor", t->reversed_minor);
    json_put_i64(j, "charged_minor", t->charged_minor);
    json_put_i64(j, "held_minor", t->held_minor);
    json_put_i64(j, "arrivals_again", t->arrivals_again);
    json_put_i64(j, "booked_more_than_once", t->booked_more_than_once);
    json_close_object(j);
}

static void write_accounts(const struct card_accounts *a, struct json_out *j)
{
    json_open_array(j, "accounts");
    for (size_t i = 0; i < a->count; i++) {
        const struct card_account *c = &a->all[i];
        uint8_t masked[CARD_PAN_MAX];
        struct writer pan = writer_over(masked, sizeof masked);
        card_mask_pan(&pan, view_text(c->pan));
        json_open_object(j, NULL);
        json_put_text(j, "pan", writer_done(&pan));
        json_put_i64(j, "opening_minor", c->opening_minor);
        json_put_i64(j, "balance_minor", c->balance_minor);
        json_put_i64(j, "held_minor", c->held_minor);
        json_put_text(j, "note", view_text(c->note));
        json_close_object(j);
    }
    json_close_array(j);
}

static size_t entries_from(const struct card_host *h, uint64_t *from, size_t limit)
{
    size_t count = 0;
    if (*from < card_ledger_first(h->ledger))
        *from = card_ledger_first(h->ledger);
    while (count < limit && card_ledger_get(h->ledger, *from + count) != NULL)
        count++;
    return count;
}

size_t card_host_ledger_room(const struct card_host *h, uint64_t from, size_t limit)
{
    return 4096 + h->accounts.count * ACCOUNT_JSON_MAX +
           entries_from(h, &from, limit) * CARD_ENTRY_JSON_MAX;
}

void card_host_write_ledger(const struct card_host *h, struct json_out *j, uint64_t from,
                            size_t limit)
{
    size_t count = entries_from(h, &from, limit);
    json_open_object(j, NULL);
    write_totals(card_ledger_sums(h->ledger), j);
    write_accounts(&h->accounts, j);
    json_put_i64(j, "forgotten", (int64_t)card_ledger_forgotten(h->ledger));
    json_open_array(j, "entries");
    for (size_t i = 0; i < count; i++)
        card_entry_write(j, card_ledger_get(h->ledger, from + i));
    json_close_array(j);
    if (card_ledger_get(h->ledger, from + count) != NULL)
        json_put_i64(j, "next", (int64_t)(from + count));
    else
        json_put_null(j, "next");
    json_close_object(j);
}

void card_host_write_stats(const struct card_host *h, struct json_out *j)
{
    json_open_object(j, NULL);
#define X(name) json_put_i64(j, #name, (int64_t)h->stats.name);
    CARD_STATS(X)
#undef X
    json_put_i64(j, "answers_waiting", (int64_t)h->heap_len);
    json_open_array(j, "links");
    for (size_t i = 0; i < CARD_LINKS_MAX; i++) {
        const struct card_link *l = &h->links[i];
        if (l->id == 0)
            continue;
        json_open_object(j, NULL);
        json_put_i64(j, "link", (int64_t)l->id);
        json_put_bool(j, "signed_on", l->signed_on);
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}
