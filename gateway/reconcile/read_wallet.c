/* read_wallet.c - the bill of a wallet provider: CSV, a line for every payment and refund.
 *
 * A payment is named by the merchant's number of it, which is the attempt; that of a static code,
 * which anybody may scan again, by the reference in the code. How it was paid says which way its
 * money went: to the merchant, or from the merchant to another one. A refund has a number of its
 * own, and stands beside under that of the payment: when we undid a payment ourselves, that
 * explains it.
 *
 *     TRAILER,<lines>,<payments_minor>,<refunds_minor>,<fees_minor>,<sha256>
 */
#include "reconcile/reconcile_int.h"

// clang-format off
#define COLUMNS(X)                                                            \
    X(TYPE, "type") X(TRADE_TYPE, "trade_type") X(ORDER_NO, "order_no")       \
    X(REFUND_NO, "refund_no")                                                 \
    X(REFERENCE, "reference") X(TRADE_NO, "trade_no") X(AMOUNT, "amount")     \
    X(CURRENCY, "currency") X(FEE, "fee") X(BOOKED_AT, "booked_at")
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
    int64_t lines, payments, refunds, fees;
};

static enum status read_money(struct record_csv *csv, struct record_line *line, int64_t *fee)
{
    unsigned exponent;
    if (record_currency(record_csv_field(csv, COLUMN_CURRENCY), line->currency, &exponent) !=
        STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`currency` is no currency");
    if (record_decimal(record_csv_field(csv, COLUMN_AMOUNT), exponent, true, &line->amount_minor) !=
        STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED,
                                 "`amount` has not the digits of its currency");
    if (record_decimal(record_csv_field(csv, COLUMN_FEE), exponent, true, fee) != STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`fee` has not the digits of its currency");
    if (reconcile_time(record_csv_field(csv, COLUMN_BOOKED_AT), &line->at_us) != STATUS_OK)
        return record_csv_refuse(csv, STATUS_MALFORMED, "`booked_at` is no time");
    return STATUS_OK;
}

/* The name of a payment; on a refund's line, of the one that is refunded. */
static struct view payment_name(const struct record_csv *csv, struct writer *w)
{
    struct view order = record_csv_field(csv, COLUMN_ORDER_NO),
                reference = record_csv_field(csv, COLUMN_REFERENCE);
    if (order.len > 0) {
        writer_view(w, order);
    } else if (reference.len > 0) {
        writer_text(w, "reference ");
        writer_view(w, reference);
    } else { /* nobody's; there must be something to find it by */
        writer_text(w, "trade_no ");
        writer_view(w, record_csv_field(csv, COLUMN_TRADE_NO));
    }
    return w->overflow ? VIEW_EMPTY : writer_done(w);
}

/* A code that we show, or that a consumer shows us, pays us; one of another merchant is paid by us.
 */
uint32_t record_wallet_way(struct view word)
{
    if (view_is(word, "order") || view_is(word, "static") || view_is(word, "charge"))
        return OF_RECEIVED;
    return view_is(word, "payment") ? OF_PAID : 0;
}

static enum status hand_out_payment(struct record *r, struct record_csv *csv,
                                    struct record_line *line, uint32_t way)
{
    uint8_t room[NAME_MAX_BYTES];
    struct writer w = writer_over(room, sizeof room);
    line->what = "PAYMENT";
    line->of = OF(SALE) | way;
    line->name = payment_name(csv, &w);
    return record_hand_out(r, line);
}

static enum status hand_out_refund(struct record *r, struct record_csv *csv,
                                   struct record_line *line, uint32_t way)
{
    struct view order = record_csv_field(csv, COLUMN_ORDER_NO);
    uint8_t room[NAME_MAX_BYTES];
    struct writer w = writer_over(room, sizeof room);
    line->what = "REFUND";
    line->of = OF(REFUND);
    line->name = record_csv_field(csv, COLUMN_REFUND_NO);
    line->original = payment_name(csv, &w);
    if (line->original.len == 0)
        return record_csv_refuse(csv, STATUS_RANGE, "what names the refunded payment is too long");
    TRY(record_hand_out(r, line));
    if (order.len == 0)
        return STATUS_OK;
    line->name = order;
    line->of = OF(SALE) | way;
    line->role = ROLE_BACK;
    line->beside = true;
    return record_hand_out(r, line);
}

static enum status read_row(struct record *r, struct record_csv *csv, void *arg)
{
    struct totals *totals = arg;
    struct view type = record_csv_field(csv, COLUMN_TYPE);
    struct record_line line = { .line = csv->lines->number, .role = ROLE_FORWARD };
    int64_t fee = 0;
    bool refund = view_is(type, "REFUND");
    if (!refund && !view_is(type, "PAYMENT"))
        return record_csv_refuse(csv, STATUS_MALFORMED, "`type` is neither PAYMENT nor REFUND");
    uint32_t way = record_wallet_way(record_csv_field(csv, COLUMN_TRADE_TYPE));
    if (way == 0)
        return record_csv_refuse(csv, STATUS_MALFORMED,
                                 "`trade_type` is not order, static, payment or charge");
    TRY(read_money(csv, &line, &fee));
    totals->lines++;
    totals->fees = record_add(totals->fees, refund ? -fee : fee);
    if (refund)
        totals->refunds = record_add(totals->refunds, line.amount_minor);
    else
        totals->payments = record_add(totals->payments, line.amount_minor);
    return refund ? hand_out_refund(r, csv, &line, way) : hand_out_payment(r, csv, &line, way);
}

static enum status read_trailer(struct record *r, struct record_csv *csv, void *arg)
{
    const struct totals *totals = arg;
    (void)r;
    if (csv->count != 6)
        return record_csv_refuse(csv, STATUS_MALFORMED, "the trailer has not six fields");
    TRY(record_csv_total(csv, 1, totals->lines, "lines"));
    TRY(record_csv_total(csv, 2, totals->payments, "payments"));
    TRY(record_csv_total(csv, 3, totals->refunds, "refunds"));
    TRY(record_csv_total(csv, 4, totals->fees, "fees"));
    return record_csv_digest(csv, 5);
}

enum status record_read_wallet(struct record *r)
{
    struct totals totals = { 0 };
    r->format = "wallet settlement";
    return record_csv_read(r, column_names, COLUMN_COUNT, read_row, read_trailer, &totals);
}
