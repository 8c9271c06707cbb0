/* wallet_settle.c - the bill (docs/rails/settlement.md): a line for every payment and every refund.
 * The fee is told, not booked: the provider keeps it from the payout, which is not played here. */
#include "wallet_int.h"

#include "base/ensure.h"
#include "settle/settle_text.h"

#include <stdlib.h>

#define FEE_BP_WHOLE 10000

_Static_assert(CODE_REFERENCE_MAX >= WALLET_ID_MAX, "an order's number is a reference");

struct wallet_settle {
    const struct wallet *w;
    struct settle_window window;
    struct settle_param params[1];
    size_t merchant; /* WALLET_MERCHANTS_MAX: all */
    uint64_t number; /* of the next entry */
    uint64_t last;
    int64_t fees_minor;
    char trade_no[32], refund_trade_no[32]; /* of the line at hand */
    struct entry entry;                     /* of the line at hand; the book's own may move */
    int64_t model_us;                       /* when the line before was booked; 0: there is none */
    const struct deal *model;               /* of the line before: what an invented one is like */
    struct deal deal;                       /* of an invented line */
};

static struct view name_number(char text[32], const char *prefix, uint32_t number)
{
    struct writer w = writer_over(text, 31);
    writer_format(&w, "%s%08u", prefix, number);
    text[w.len] = '\0';
    return writer_done(&w);
}

static void fill_names(struct wallet_settle *s, const struct entry *e, struct settle_line *line)
{
    struct view trade_no = name_number(s->trade_no, "wp_", e->deal->number);
    s->refund_trade_no[0] = '\0';
    line->debit = e->refund != NULL;
    line->record = e;
    if (e->refund != NULL) {
        line->names[0] = name_number(s->refund_trade_no, "wr_", e->refund->number);
        line->names[1] = view_text(e->refund->refund_id);
        return;
    }
    line->names[0] = trade_no;
    line->names[1] = view_text(e->deal->order_id);
    if (e->deal->order_id[0] == '\0')
        line->names[2] = view_text(e->deal->reference);
}

static enum settle_next wallet_settle_next(void *state, struct settle_line *line)
{
    struct wallet_settle *s = state;
    while (s->number <= s->last) {
        const struct entry *e = book_entry(s->w->book, s->number++);
        ENSURE(e != NULL);
        if (!settle_within(&s->window, e->at_us) ||
            (s->merchant < WALLET_MERCHANTS_MAX && e->deal->merchant != s->merchant))
            continue;
        line->amount_minor = e->amount_minor;
        s->entry = *e;
        s->model = e->deal;
        s->model_us = e->at_us;
        fill_names(s, &s->entry, line);
        return SETTLE_LINE;
    }
    return SETTLE_DONE;
}

static void put_alike(char *out, size_t room, const char *model, uint64_t dice)
{
    struct writer w = writer_over(out, room - 1);
    settle_alike(&w, view_text(model), dice);
    out[w.len] = '\0';
}

static void wallet_settle_invent(void *state, uint64_t dice, struct settle_line *line)
{
    struct wallet_settle *s = state;
    const struct deal *model = s->model;
    const char *order_id =
        model != NULL && model->order_id[0] != '\0' ? model->order_id : "order00";
    s->entry = (struct entry){ .kind = ENTRY_PAID,
                               .deal = &s->deal,
                               .at_us = s->model_us > 0 ? s->model_us : s->window.to_us - 1 };
    s->deal =
        (struct deal){ .kind = DEAL_ORDER,
                       .state = DEAL_PAID,
                       .number = (uint32_t)(90000000 + dice % 10000000),
                       .merchant = s->merchant < WALLET_MERCHANTS_MAX ? s->merchant : 0,
                       .currency = model != NULL ? model->currency : currency_named(VIEW("EUR")) };
    put_alike(s->deal.order_id, sizeof s->deal.order_id, order_id, dice);
    memcpy(s->deal.reference, s->deal.order_id, sizeof s->deal.order_id);
    fill_names(s, &s->entry, line);
}

/* --- text --------------------------------------------------------------------------------- */
static void wallet_settle_head(void *state, const struct settle_sums *sums, struct writer *w)
{
    (void)state;
    (void)sums;
    writer_text(w, "type,trade_type,trade_no,order_no,refund_trade_no,refund_no,merchant,reference,"
                   "state,amount,currency,fee,booked_at,note\n");
}

static void put_decimal(struct settle_csv *csv, const struct wallet_currency *currency,
                        int64_t amount_minor)
{
    uint8_t text[32];
    struct writer w = writer_over(text, sizeof text);
    amount_write(&w, currency, amount_minor);
    settle_csv_text(csv, writer_done(&w));
}

static void wallet_settle_line(void *state, const struct settle_line *line, struct writer *w)
{
    static const char *const TRADES[] = { "", "order", "static", "payment", "charge" };
    struct wallet_settle *s = state;
    const struct entry *e = line->record;
    const struct deal *deal = e->deal;
    struct settle_csv csv = { .w = w };
    /* Half a unit is rounded up; an amount of 10^15 times 10^4 still fits. */
    int64_t fee_minor =
        (line->amount_minor * s->w->settings.fee_bp + FEE_BP_WHOLE / 2) / FEE_BP_WHOLE;
    s->fees_minor += line->debit ? -fee_minor : fee_minor;
    settle_csv_text(&csv, line->debit ? VIEW("REFUND") : VIEW("PAYMENT"));
    settle_csv_text(&csv, view_text(TRADES[deal->kind]));
    settle_csv_text(&csv, view_text(s->trade_no));
    settle_csv_text(&csv, view_text(deal->order_id));
    settle_csv_text(&csv, view_text(s->refund_trade_no));
    settle_csv_text(&csv, view_text(line->debit ? e->refund->refund_id : ""));
    settle_csv_text(&csv, view_text(book_merchant(s->w->book, deal->merchant)->id));
    settle_csv_text(&csv, view_text(deal->reference));
    settle_csv_text(&csv, line->debit ? VIEW("done") : VIEW("paid"));
    put_decimal(&csv, deal->currency, line->amount_minor);
    settle_csv_text(&csv, view_text(deal->currency->code));
    put_decimal(&csv, deal->currency, fee_minor);
    settle_csv_time(&csv, e->at_us);
    settle_csv_text(&csv, e->wrong ? VIEW("after_its_end") : VIEW_EMPTY);
    settle_csv_end(&csv);
}

static void wallet_settle_tail(void *state, const struct settle_sums *sums, struct view sha256,
                               struct writer *w)
{
    const struct wallet_settle *s = state;
    struct settle_csv csv = { .w = w };
    settle_csv_text(&csv, VIEW("TRAILER"));
    settle_csv_i64(&csv, (int64_t)sums->lines);
    settle_csv_i64(&csv, sums->credit_minor);
    settle_csv_i64(&csv, sums->debit_minor);
    settle_csv_i64(&csv, s->fees_minor);
    settle_csv_text(&csv, sha256);
    settle_csv_end(&csv);
}

/* --- the door ----------------------------------------------------------------------------- */
static enum status read_bill_query(struct wallet_settle *s, struct view query, struct writer *why)
{
    struct view merchant;
    TRY(settle_query(query, s->params, COUNT_OF(s->params), wallet_wall_us(s->w), &s->window, why));
    merchant = view_text(s->params[0].value);
    s->merchant = WALLET_MERCHANTS_MAX;
    if (merchant.len == 0)
        return STATUS_OK;
    s->merchant = book_merchant_named(s->w->book, merchant);
    if (s->merchant < WALLET_MERCHANTS_MAX)
        return STATUS_OK;
    writer_text(why, "merchant: no such merchant");
    return STATUS_REFUSED;
}

enum status wallet_settlement(void *brain, struct view query, int64_t now_us,
                              struct settle_source *out, struct writer *why)
{
    struct wallet *w = brain;
    struct wallet_settle *s = calloc(1, sizeof *s);
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    if (s == NULL)
        return STATUS_NO_MEMORY;
    *s = (struct wallet_settle){
        .w = w, .params = { { .name = "merchant" } }, .number = 1, .last = book_entry_count(w->book)
    };
    enum status status = read_bill_query(s, query, why);
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    *out = (struct settle_source){ .content_type = "text/csv; charset=utf-8",
                                   .state = s,
                                   .next = wallet_settle_next,
                                   .invent = wallet_settle_invent,
                                   .head = wallet_settle_head,
                                   .line = wallet_settle_line,
                                   .tail = wallet_settle_tail,
                                   .close = free };
    return STATUS_OK;
}
