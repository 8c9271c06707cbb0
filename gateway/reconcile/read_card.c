/* read_card.c - the settlement file of a card host: CSV, a line for every message that moved money.
 *
 * A sale, capture or refund is named by its trace number, time and terminal. A reversal stands
 * under the name of what it reverses: with that it cancels out.
 *
 *     TRAILER,<lines>,<credit_minor>,<debit_minor>,<sha256>
 */
#include "reconcile/reconcile_int.h"

// clang-format off
#define COLUMNS(X)                                                            \
    X(RECORD, "record") X(DIRECTION, "direction") X(STAN, "stan")             \
    X(TRANSMITTED, "transmitted") X(TERMINAL, "terminal")                     \
    X(BOOKED_AT, "booked_at") X(AMOUNT, "amount_minor") X(CURRENCY, "currency") \
    X(ORIGINAL_STAN, "original_stan") X(ORIGINAL_TRANSMITTED, "original_transmitted")
// clang-format on

enum column {
#define X(name, text) COLUMN_##name,
    COLUMNS(X)
#undef X
        COLUMN_COUNT
};
static const char *const column_names[] = {
#define X(name, text) text,
    COLUMNS(X)
#undef X
};

struct totals {
    int64_t lines, credit, debit;
};

/* What a line is, and what it tells of by the direction of its money. */
struct kind {
    const char *word;
    uint32_t credit, debit;
};
static const struct kind kinds[] = {
    { "SALE", OF(SALE), 0 },
    { "CAPTURE", OF(CAPTURE), 0 },
    { "REFUND", 0, OF(REFUND) },
    { "REVERSAL", OF(REFUND), OF(SALE) | OF(CAPTURE) },
};

static const struct kind *kind_of(struct view record)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (view_is(record, kinds[i].word))
            return &kinds[i];
    return NULL;
}

/* Digits of exactly that many places. */
static bool digits_are(struct view text, size_t count)
{
    return text.len == count && view_is_digits(text);
}

/* The message that a capture or refund is about; empty: it is about none, or does not say. */
static struct view original_of(const struct record_csv *csv, struct writer *w)
{
    struct view stan = record_csv_field(csv, COLUMN_ORIGINAL_STAN),
                time = record_csv_field(csv, COLUMN_ORIGINAL_TRANSMITTED);
    if (stan.len == 0 && time.len == 0)
        return VIEW_EMPTY;
    writer_view(w, view_slice(stan, 0, 16));
    writer_u8(w, '/');
    writer_view(w, view_slice(time, 0, 16));
    return writer_done(w);
}

static enum status read_row(struct record *r, struct record_csv *csv, void *arg)
{
    struct totals *totals = arg;
    const struct view direction = record_csv_field(csv, COLUMN_DIRECTION),
                      terminal = view_trim(record_csv_field(csv, COLUMN_TERMINAL));
    struct record_line line = { .line = csv->lines->number, .role = ROLE_FORWARD };
    unsigned exponent;
    bool credit = view_is(direction, "C");
    const struct kind *kind = kind_of(record_csv_field(csv, COLUMN_RECORD));
    if (kind == NULL)
        return record_csv_refuse(csv, STATUS_MALFORMED,
                                 "`record` is not SALE, CAPTURE, REFUND or REVERSAL");
    if (!credit && !view_is(direction, "D"))
        return record_csv_refuse(csv, STATUS_MALFORMED, "`direction` is neither C nor D");
    line.what = kind->word;
    line.of = credit ? kind->credit : kind->debit;
    if (line.of == 0)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`direction` is not that of its `record`");
    bool reversal = strcmp(line.what, "REVERSAL") == 0;
    struct view stan = record_csv_field(csv, reversal ? COLUMN_ORIGINAL_STAN : COLUMN_STAN),
                time = record_csv_field(csv, reversal ? COLUMN_ORIGINAL_TRANSMITTED
                                                      : COLUMN_TRANSMITTED);
    if (!digits_are(stan, 6) || !digits_are(time, 10) || terminal.len == 0 || terminal.len > 16)
        return record_csv_refuse(csv, STATUS_MALFORMED,
                                 "trace number, time or terminal are not as they must be");
    if (view_to_i64(record_csv_field(csv, COLUMN_AMOUNT), &line.amount_minor) != STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`amount_minor` is no number");
    if (record_currency(record_csv_field(csv, COLUMN_CURRENCY), line.currency, &exponent) !=
        STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`currency` is no currency");
    if (reconcile_time(record_csv_field(csv, COLUMN_BOOKED_AT), &line.at_us) != STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`booked_at` is no time");
    char name[64], original[64];
    struct writer w = writer_over(name, sizeof name), o = writer_over(original, sizeof original);
    writer_view(&w, stan);
    writer_u8(&w, '/');
    writer_view(&w, time);
    writer_u8(&w, '/');
    writer_view(&w, terminal);
    line.name = writer_done(&w);
    if (!reversal)
        line.original = original_of(csv, &o);
    line.role = reversal ? ROLE_BACK : ROLE_FORWARD;
    totals->lines++;
    if (credit)
        totals->credit = record_add(totals->credit, line.amount_minor);
    else
        totals->debit = record_add(totals->debit, line.amount_minor);
    return record_hand_out(r, &line);
}

static enum status read_trailer(struct record *r, struct record_csv *csv, void *arg)
{
    const struct totals *totals = arg;
    (void)r;
    if (csv->count != 5)
        return record_csv_refuse(csv, STATUS_MALFORMED, "the trailer has not five fields");
    TRY(record_csv_total(csv, 1, totals->lines, "lines"));
    TRY(record_csv_total(csv, 2, totals->credit, "credits"));
    TRY(record_csv_total(csv, 3, totals->debit, "debits"));
    return record_csv_digest(csv, 4);
}

enum status record_read_card(struct record *r)
{
    struct totals totals = { 0 };
    r->format = "card settlement";
    return record_csv_read(r, column_names, COLUMN_COUNT, read_row, read_trailer, &totals);
}
