/* bank_ledger.c - the books and counters as JSON. */
#include "bank_int.h"

#define ENTRY_BYTES        1600
#define ACCOUNT_BYTES      700
#define LEDGER_ENTRIES_MAX 8000

static const char *kind_name(enum bank_kind kind)
{
    static const char *const names[] = { "", "transfer", "return", "credit", "recall" };
    return names[kind];
}

static const char *state_name(enum bank_state state)
{
    static const char *const names[] = { "", "pending", "booked", "rejected" };
    return names[state];
}

static void write_totals(const struct bank *b, struct json_out *out)
{
    int64_t count[5][4] = { { 0 } }, twice = 0;
    int64_t sum_minor[5][BANK_CURRENCIES] = { { 0 } };
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct bank_entry *e = b->entries[i];
        int at = bank_currency(view_text(e->currency));
        count[e->kind][e->state]++;
        twice += e->bookings > 1;
        if (e->bookings > 0 && at >= 0)
            sum_minor[e->kind][at] += e->amount_minor;
    }
    json_open_object(out, "totals");
    json_put_i64(out, "entries", (int64_t)b->entry_count);
    json_put_i64(out, "booked_more_than_once", twice);
    json_put_bool(out, "balanced", bank_books_balanced(b));
    for (int k = KIND_TRANSFER; k <= KIND_RECALL; k++) {
        json_open_object(out, kind_name((enum bank_kind)k));
        for (int s = STATE_PENDING; s <= STATE_REJECTED; s++)
            json_put_i64(out, state_name((enum bank_state)s), count[k][s]);
        json_open_object(out, "booked_minor");
        for (int c = 0; c < BANK_CURRENCIES; c++)
            if (sum_minor[k][c] != 0)
                json_put_i64(out, currency_code(c), sum_minor[k][c]);
        json_close_object(out);
        json_close_object(out);
    }
    json_close_object(out);
}

static void write_account(struct json_out *out, const struct bank_account *a)
{
    static const char *const states[] = { "", "open", "open", "closed", "blocked" };
    json_open_object(out, NULL);
    json_put_text(out, "account", view_text(a->id));
    json_put_text(out, "name", view_text(a->name));
    json_put_text(out, "state", view_text(states[a->state]));
    json_open_object(out, "moved"); /* only where money moved */
    for (int c = 0; c < BANK_CURRENCIES; c++) {
        if (a->debits_minor[c] == 0 && a->credits_minor[c] == 0)
            continue;
        json_open_object(out, currency_code(c));
        json_put_i64(out, "opening_minor", a->opening_minor[c]);
        json_put_i64(out, "debits_minor", a->debits_minor[c]);
        json_put_i64(out, "credits_minor", a->credits_minor[c]);
        json_put_i64(out, "balance_minor", a->balance_minor[c]);
        json_close_object(out);
    }
    json_close_object(out);
    json_close_object(out);
}

static void write_entry(const struct bank *b, struct json_out *out, const struct bank_entry *e)
{
    json_open_object(out, NULL);
    json_put_i64(out, "number", (int64_t)e->number);
    json_put_text(out, "kind", view_text(kind_name(e->kind)));
    json_put_text(out, "id", view_text(e->end_to_end_id));
    json_put_text_if(out, "instr_id", view_text(e->instr_id));
    json_put_text_if(out, "tx_id", view_text(e->tx_id));
    json_put_text_if(out, "uetr", view_text(e->uetr));
    json_put_text_if(out, "msg_id", view_text(e->msg_id));
    json_put_text_if(out, "message", view_text(e->msg_name));
    json_put_text_if(out, "reference", view_text(e->reference));
    json_put_i64(out, "amount_minor", e->amount_minor);
    json_put_i64(out, "returned_minor", e->returned_minor);
    json_put_text(out, "currency", view_text(e->currency));
    json_put_text(out, "debit", view_text(b->accounts[e->debit].id));
    json_put_text(out, "credit", view_text(b->accounts[e->credit].id));
    json_put_text_if(out, "debtor_account", view_text(e->debtor_account));
    json_put_text_if(out, "creditor_account", view_text(e->creditor_account));
    json_put_text(out, "state", view_text(state_name(e->state)));
    json_put_i64(out, "booked", e->bookings);
    json_put_text_if(out, "reason", view_text(e->reason));
    if (e->original != 0)
        json_put_i64(out, "original", (int64_t)e->original);
    json_put_time(out, "time", e->at_us);
    json_close_object(out);
}

static size_t entries_from(const struct bank *b, uint64_t from, size_t limit)
{
    size_t first = from > 0 ? (size_t)from - 1 : 0;
    size_t there = first < b->entry_count ? b->entry_count - first : 0;
    size_t most = limit < LEDGER_ENTRIES_MAX ? limit : LEDGER_ENTRIES_MAX;
    return there < most ? there : most;
}

void bank_write_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit)
{
    const struct bank *b = brain;
    size_t first = from > 0 ? (size_t)from - 1 : 0, count = entries_from(b, from, limit);
    json_open_object(out, NULL);
    write_totals(b, out);
    json_open_array(out, "accounts");
    for (uint32_t i = 0; i < b->account_count; i++)
        write_account(out, &b->accounts[i]);
    json_close_array(out);
    json_open_array(out, "entries");
    for (size_t i = first; i < first + count; i++)
        write_entry(b, out, b->entries[i]);
    json_close_array(out);
    if (first + count < b->entry_count && count > 0)
        json_put_i64(out, "next", (int64_t)(first + count) + 1);
    else
        json_put_null(out, "next");
    json_close_object(out);
}

size_t bank_ledger_room(const void *brain, uint64_t from, size_t limit)
{
    const struct bank *b = brain;
    size_t moved = 0;
    for (uint32_t i = 0; i < b->account_count; i++)
        for (int c = 0; c < BANK_CURRENCIES; c++)
            moved += b->accounts[i].debits_minor[c] != 0 || b->accounts[i].credits_minor[c] != 0;
    return 16384 + b->account_count * ACCOUNT_BYTES + moved * 200 +
           entries_from(b, from, limit) * ENTRY_BYTES;
}

void bank_write_stats(const void *brain, struct json_out *out)
{
    const struct bank *b = brain;
#define X(name) json_put_i64(out, #name, (int64_t)b->stats.name);
    BANK_STATS(X)
#undef X
    json_put_i64(out, "planned", (int64_t)b->plan_len);
}
