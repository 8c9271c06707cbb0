/* bank_settle.c - camt.053 and camt.054 of one account in one currency, over any time and of any
 * length (docs/rails/settlement.md). No envelope, no signature: it is a file, not a message.
 *
 * The head has the sums, so the entries are walked through twice and never gathered. OPBD is what
 * the books say; CLBD is OPBD and the entries as they are written, so that a record with a fault is
 * formally right. */
#include "bank_int.h"

#include "settle/settle_text.h"

#include <stdlib.h>

#define ACCOUNT_DEFAULT "DE21990000010000000000"

enum { PARAM_ACCOUNT, PARAM_CURRENCY, PARAM_FORMAT, PARAMS };

struct bank_settle {
    struct bank *b;
    struct settle_window window;
    struct settle_param params[PARAMS];
    bool statement; /* camt.053, else camt.054 */
    uint32_t account;
    int currency;
    size_t at, last; /* entries taken, entries there were */
    int64_t opening_minor, wall_us;
    char id[36];
    char booking[32];               /* NtryRef of the line at hand */
    struct bank_paper paper;        /* what is open */
    const struct bank_entry *model; /* the line before: what an invented one looks like */
    struct bank_entry invented;
};

static bool changes(const struct bank_settle *s, const struct bank_entry *e)
{
    return e->bookings > 0 && (e->credit == s->account) != (e->debit == s->account) &&
           strcmp(e->currency, currency_code(s->currency)) == 0;
}

static void fill_names(struct bank_settle *s, const struct bank_entry *e, struct settle_line *line)
{
    struct writer w = writer_over(s->booking, sizeof s->booking);
    writer_u8(&w, 'A');
    writer_u64_padded(&w, e->number, 15);
    line->names[0] = writer_done(&w);
    line->names[1] = view_text(e->end_to_end_id);
    line->names[2] = view_text(e->tx_id);
    line->names[3] = view_text(e->uetr);
    line->names[4] = view_text(e->reference);
    line->debit = e->debit == s->account;
    line->record = e;
}

static enum settle_next bank_settle_next(void *state, struct settle_line *line)
{
    struct bank_settle *s = state;
    while (s->at < s->last) {
        const struct bank_entry *e = s->b->entries[s->at++];
        if (!changes(s, e) || !settle_within(&s->window, e->booked_us))
            continue;
        line->amount_minor = e->amount_minor;
        s->model = e;
        fill_names(s, e, line);
        return SETTLE_LINE;
    }
    return SETTLE_DONE;
}

static void bank_settle_rewind(void *state)
{
    struct bank_settle *s = state;
    s->at = 0;
    s->model = NULL;
}

static void put_alike(char *out, size_t room, const char *model, uint64_t dice)
{
    struct writer w = writer_over(out, room - 1);
    settle_alike(&w, view_text(model), dice);
    out[w.len] = '\0';
}

static void bank_settle_invent(void *state, uint64_t dice, struct settle_line *line)
{
    static const struct bank_entry NOTHING = { .end_to_end_id = "RGE0000000000000" };
    struct bank_settle *s = state;
    const struct bank_entry *like = s->model != NULL ? s->model : &NOTHING;
    struct bank_entry *e = &s->invented;
    *e = (struct bank_entry){ .number = 900000000000000 + dice % 1000000000,
                              .kind = KIND_TRANSFER,
                              .state = STATE_BOOKED,
                              .bookings = 1,
                              .booked_us =
                                  like->booked_us > 0 ? like->booked_us : s->window.to_us - 1,
                              .debit = s->account,
                              .credit = BANK_CLEARING };
    if (s->account == BANK_CLEARING)
        e->credit = BANK_PARTICIPANT;
    BANK_COPY(e->currency, view_text(currency_code(s->currency)));
    put_alike(e->end_to_end_id, sizeof e->end_to_end_id, like->end_to_end_id, dice);
    put_alike(e->instr_id, sizeof e->instr_id, like->instr_id, dice);
    put_alike(e->tx_id, sizeof e->tx_id, like->tx_id, dice);
    put_alike(e->msg_id, sizeof e->msg_id, like->msg_id, dice);
    put_alike(e->uetr, sizeof e->uetr, like->uetr, dice);
    if (!uetr_valid(view_text(e->uetr)))
        e->uetr[0] = '\0';
    BANK_COPY(e->creditor, VIEW("Nobody"));
    fill_names(s, e, line);
}

/* --- text --------------------------------------------------------------------------------- */
static void put_sum(struct bank_settle *s, const char *element, int64_t sum_minor)
{
    uint8_t text[32];
    struct writer w = writer_over(text, sizeof text);
    money_write(&w, sum_minor, currency_code(s->currency));
    xml_leaf(&s->paper.x, element, writer_done(&w));
}

static void put_count(struct bank_settle *s, const char *element, uint64_t count, int64_t sum_minor)
{
    uint8_t text[24];
    struct writer w = writer_over(text, sizeof text);
    writer_u64_text(&w, count);
    xml_open(&s->paper.x, element);
    xml_leaf(&s->paper.x, "NbOfNtries", writer_done(&w));
    put_sum(s, "Sum", sum_minor);
}

static void put_summary(struct bank_settle *s, const struct settle_sums *sums)
{
    struct xml_out *x = &s->paper.x;
    int64_t net_minor = sums->credit_minor - sums->debit_minor;
    xml_open(x, "TxsSummry");
    put_count(s, "TtlNtries", sums->lines, sums->credit_minor + sums->debit_minor);
    xml_open(x, "TtlNetNtry");
    put_sum(s, "Amt", net_minor < 0 ? -net_minor : net_minor);
    xml_leaf_text(x, "CdtDbtInd", net_minor < 0 ? "DBIT" : "CRDT");
    xml_close_to(x, x->depth - 2);
    put_count(s, "TtlCdtNtries", sums->credits, sums->credit_minor);
    xml_close(x);
    put_count(s, "TtlDbtNtries", sums->debits, sums->debit_minor);
    xml_close_to(x, x->depth - 2);
}

static void bank_settle_head(void *state, const struct settle_sums *sums, struct writer *w)
{
    struct bank_settle *s = state;
    struct xml_out *x = &s->paper.x;
    const char *code = currency_code(s->currency);
    xml_out_init(x, w);
    writer_text(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml_open_ns(x, "Document",
                s->statement ? ISO_NAMESPACE "camt.053.001.08" : ISO_NAMESPACE "camt.054.001.08");
    xml_open(x, s->statement ? "BkToCstmrStmt" : "BkToCstmrDbtCdtNtfctn");
    bank_put_group_header(x, s->id, s->wall_us);
    xml_open(x, s->statement ? "Stmt" : "Ntfctn");
    xml_leaf_text(x, "Id", s->id);
    xml_time(x, "CreDtTm", s->wall_us);
    xml_open(x, "FrToDt");
    xml_time(x, "FrDtTm", s->window.from_us);
    xml_time(x, "ToDtTm", s->window.to_us);
    xml_close(x);
    bank_put_account_of(s->b, x, s->account, code);
    if (s->statement) {
        bank_put_balance(x, "OPBD", s->opening_minor, code, s->window.from_us);
        bank_put_balance(x, "CLBD", s->opening_minor + sums->credit_minor - sums->debit_minor, code,
                         s->window.to_us - 1);
    }
    put_summary(s, sums);
    writer_text(w, "\n");
}

static void bank_settle_line(void *state, const struct settle_line *line, struct writer *w)
{
    struct bank_settle *s = state;
    s->paper.x.w = w;
    bank_put_entry(&s->paper.x, line->record, line->debit, line->amount_minor);
    writer_text(w, "\n");
}

static void bank_settle_tail(void *state, const struct settle_sums *sums, struct view sha256,
                             struct writer *w)
{
    struct bank_settle *s = state;
    (void)sums;
    (void)sha256; /* XML says itself where it ends */
    s->paper.x.w = w;
    xml_close_to(&s->paper.x, 0);
    writer_text(w, "\n");
}

/* --- the door ----------------------------------------------------------------------------- */
/* What was on the account before the first entry of the window: today's balance, less all since. */
static int64_t opening_of(const struct bank_settle *s)
{
    int64_t minor = s->b->accounts[s->account].balance_minor[s->currency];
    for (size_t i = 0; i < s->last; i++) {
        const struct bank_entry *e = s->b->entries[i];
        if (changes(s, e) && e->booked_us >= s->window.from_us)
            minor -= e->credit == s->account ? e->amount_minor : -e->amount_minor;
    }
    return minor;
}

static enum status read_statement_query(struct bank_settle *s, struct view query,
                                        struct writer *why)
{
    TRY(settle_query(query, s->params, PARAMS, s->wall_us, &s->window, why));
    struct view account = view_text(s->params[PARAM_ACCOUNT].value);
    struct view currency = view_text(s->params[PARAM_CURRENCY].value);
    struct view format = view_text(s->params[PARAM_FORMAT].value);
    s->account = bank_account_find(s->b, account.len > 0 ? account : VIEW(ACCOUNT_DEFAULT));
    s->currency = bank_currency(currency.len > 0 ? currency : VIEW("EUR"));
    s->statement = format.len == 0 || view_is(format, "camt.053");
    if (s->account == BANK_NONE || s->currency < 0) {
        writer_text(why, "no such account, or no such currency");
        return STATUS_REFUSED;
    }
    if (!s->statement && !view_is(format, "camt.054")) {
        writer_text(why, "format: camt.053 or camt.054");
        return STATUS_REFUSED;
    }
    return STATUS_OK;
}

enum status bank_settlement(void *brain, struct view query, int64_t now_us,
                            struct settle_source *out, struct writer *why)
{
    struct bank *b = brain;
    struct bank_settle *s = calloc(1, sizeof *s);
    if (s == NULL)
        return STATUS_NO_MEMORY;
    *s = (struct bank_settle){
        .b = b,
        .params = { { .name = "account" }, { .name = "currency" }, { .name = "format" } },
        .last = b->entry_count,
        .wall_us = bank_wall(b, now_us)
    };
    enum status status = read_statement_query(s, query, why);
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    s->opening_minor = opening_of(s);
    bank_new_id(b, s->id, 'M', s->wall_us);
    *out = (struct settle_source){ .content_type = "application/xml; charset=utf-8",
                                   .sums_first = true,
                                   .state = s,
                                   .next = bank_settle_next,
                                   .invent = bank_settle_invent,
                                   .rewind = bank_settle_rewind,
                                   .head = bank_settle_head,
                                   .line = bank_settle_line,
                                   .tail = bank_settle_tail,
                                   .close = free };
    return STATUS_OK;
}
