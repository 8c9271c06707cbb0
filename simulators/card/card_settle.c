/* card_settle.c - the settlement file (docs/rails/settlement.md): a line for every message that
 * moved money, in the order in which they first came. Holds, and what gives them back, move none.
 */
#include "host_int.h"

#include "settle/settle_text.h"

#include <stdlib.h>

#define INVENTED_PAN "411111******1111"

struct card_settle {
    const struct card_host *h;
    struct settle_window window; /* wall */
    struct settle_param params[1];
    uint64_t number, last;
    char key[CARD_IDENTITY_SIZE + 3]; /* "stan/transmitted/terminal" of the line at hand */
    struct card_entry invented;
    char like[3];    /* ISO 4217 number of the line before, for an invented one */
    int64_t like_us; /* and when it was booked, wall; 0: there was none */
};

static struct view field_of(const struct card_identity *id, size_t at, size_t len)
{
    return view_trim(view_of(id->text + at, len));
}
static struct view stan_of(const struct card_identity *id)
{
    return field_of(id, 0, 6);
}
static struct view transmitted_of(const struct card_identity *id)
{
    return field_of(id, 6, 10);
}
static struct view terminal_of(const struct card_identity *id)
{
    return field_of(id, 16, 8);
}

static int64_t booked_wall_us(const struct card_host *h, const struct card_entry *e)
{
    return e->booked_us + h->config.wall_offset_us;
}

/* A hold moves nothing, nor does its end. */
static bool moves_money(const struct card_entry *e)
{
    enum card_entry_kind kind = e->kind == CARD_ENTRY_REVERSAL ? e->parent_kind : e->kind;
    return e->booked > 0 && e->approved_minor > 0 && kind != CARD_ENTRY_AUTHORISATION;
}

static bool leaves_merchant(const struct card_entry *e)
{
    if (e->kind == CARD_ENTRY_REVERSAL)
        return e->parent_kind != CARD_ENTRY_REFUND;
    return e->kind == CARD_ENTRY_REFUND;
}

static void fill_line(struct card_settle *s, const struct card_entry *e, struct settle_line *line)
{
    struct writer w = writer_over(s->key, sizeof s->key);
    writer_view(&w, stan_of(&e->id));
    writer_u8(&w, '/');
    writer_view(&w, transmitted_of(&e->id));
    writer_u8(&w, '/');
    writer_view(&w, terminal_of(&e->id));
    line->names[0] = writer_done(&w);
    line->names[1] = stan_of(&e->id);
    line->names[2] = view_trim(view_text(e->rrn));
    line->debit = leaves_merchant(e);
    line->record = e;
}

static enum settle_next card_settle_next(void *state, struct settle_line *line)
{
    struct card_settle *s = state;
    struct view terminal = view_text(s->params[0].value);
    for (; s->number <= s->last; s->number++) {
        const struct card_entry *e = card_ledger_get(s->h->ledger, s->number);
        if (e == NULL)
            return SETTLE_LOST; /* forgotten while we were reading */
        if (!moves_money(e) || !settle_within(&s->window, booked_wall_us(s->h, e)) ||
            (terminal.len > 0 && !view_equal(terminal, terminal_of(&e->id))))
            continue;
        s->number++;
        line->amount_minor = e->approved_minor;
        memcpy(s->like, e->currency, sizeof s->like);
        s->like_us = booked_wall_us(s->h, e);
        fill_line(s, e, line);
        return SETTLE_LINE;
    }
    return SETTLE_DONE;
}

static void card_settle_invent(void *state, uint64_t dice, struct settle_line *line)
{
    struct card_settle *s = state;
    struct card_entry *e = &s->invented;
    char text[CARD_IDENTITY_SIZE];
    int64_t wall_us = s->like_us > 0 ? s->like_us : s->window.to_us - 1;
    struct view terminal = view_text(s->params[0].value);
    struct writer id = writer_over(text, sizeof text), rrn = writer_over(e->rrn, 12);
    struct writer auth = writer_over(e->auth_code, 6);
    *e = (struct card_entry){
        .kind = CARD_ENTRY_SALE, .mti = "0200", .response = "00", .processing_code = "000000"
    };
    e->booked_us = wall_us - s->h->config.wall_offset_us;
    writer_u64_padded(&id, dice % 1000000, 6);
    settle_month_to_second(&id, wall_us);
    writer_view(&id, view_slice(terminal.len > 0 ? terminal : VIEW("SIMTERM1"), 0, 8));
    while (id.len < sizeof text)
        writer_u8(&id, ' ');
    memcpy(e->id.text, text, sizeof text);
    writer_u64_padded(&rrn, dice % 1000000000000, 12);
    writer_u64_padded(&auth, dice / 1000000 % 1000000, 6);
    memcpy(e->currency, s->like, sizeof s->like);
    memcpy(e->merchant, "SIMMERCHANT", 12);
    fill_line(s, e, line);
}

/* --- text --------------------------------------------------------------------------------- */
static void put_currency(struct settle_csv *csv, const char *de49)
{
    static const struct {
        const char *letters;
        unsigned number;
    } ROWS[] = {
#define CURRENCY(letters, number) { letters, number },
#include "currencies.def"
#undef CURRENCY
    };
    unsigned number = 0;
    for (const char *c = de49; *c >= '0' && *c <= '9'; c++)
        number = number * 10 + (unsigned)(*c - '0');
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        if (ROWS[i].number == number) {
            settle_csv_text(csv, view_text(ROWS[i].letters));
            return;
        }
    settle_csv_text(csv, view_text(de49));
}

static void card_settle_head(void *state, const struct settle_sums *sums, struct writer *w)
{
    (void)state;
    (void)sums;
    writer_text(w, "record,direction,mti,processing_code,stan,transmitted,rrn,terminal,merchant,"
                   "local_date,local_time,booked_at,approval_code,response,amount_minor,"
                   "requested_minor,currency,pan,original_mti,original_stan,"
                   "original_transmitted\n");
}

static void put_pan(struct settle_csv *csv, const struct card_entry *e)
{
    uint8_t masked[CARD_PAN_MAX];
    struct writer pan = writer_over(masked, sizeof masked);
    card_mask_pan(&pan, view_text(e->pan));
    settle_csv_text(csv, e->pan[0] != '\0' ? writer_done(&pan) : VIEW(INVENTED_PAN));
}

static void card_settle_line(void *state, const struct settle_line *line, struct writer *w)
{
    static const char *const RECORDS[] = { "", "", "SALE", "CAPTURE", "REFUND", "REVERSAL" };
    const struct card_settle *s = state;
    const struct card_entry *e = line->record;
    struct settle_csv csv = { .w = w };
    bool with_original = e->original.text[0] != '\0';
    settle_csv_text(&csv, view_text(RECORDS[e->kind]));
    settle_csv_text(&csv, line->debit ? VIEW("D") : VIEW("C"));
    settle_csv_text(&csv, view_text(e->mti));
    settle_csv_text(&csv, view_text(e->processing_code));
    settle_csv_text(&csv, stan_of(&e->id));
    settle_csv_text(&csv, transmitted_of(&e->id));
    settle_csv_text(&csv, view_trim(view_text(e->rrn)));
    settle_csv_text(&csv, terminal_of(&e->id));
    settle_csv_text(&csv, view_trim(view_text(e->merchant)));
    settle_csv_text(&csv, view_text(e->local_date));
    settle_csv_text(&csv, view_text(e->local_time));
    settle_csv_time(&csv, booked_wall_us(s->h, e));
    settle_csv_text(&csv, view_text(e->auth_code));
    settle_csv_text(&csv, view_text(e->response));
    settle_csv_i64(&csv, line->amount_minor);
    settle_csv_i64(&csv, e->amount_minor > 0 ? e->amount_minor : line->amount_minor);
    put_currency(&csv, e->currency);
    put_pan(&csv, e);
    settle_csv_text(&csv, view_text(with_original ? e->original_mti : ""));
    settle_csv_text(&csv, with_original ? stan_of(&e->original) : VIEW_EMPTY);
    settle_csv_text(&csv, with_original ? transmitted_of(&e->original) : VIEW_EMPTY);
    settle_csv_end(&csv);
}

static void card_settle_tail(void *state, const struct settle_sums *sums, struct view sha256,
                             struct writer *w)
{
    struct settle_csv csv = { .w = w };
    (void)state;
    settle_csv_text(&csv, VIEW("TRAILER"));
    settle_csv_i64(&csv, (int64_t)sums->lines);
    settle_csv_i64(&csv, sums->credit_minor);
    settle_csv_i64(&csv, sums->debit_minor);
    settle_csv_text(&csv, sha256);
    settle_csv_end(&csv);
}

/* --- the door ----------------------------------------------------------------------------- */
/* What was forgotten would be missing without anybody noticing. */
static enum status nothing_forgotten(const struct card_settle *s, struct writer *why)
{
    const struct card_entry *oldest =
        card_ledger_get(s->h->ledger, card_ledger_first(s->h->ledger));
    if (card_ledger_forgotten(s->h->ledger) == 0 ||
        (oldest != NULL && oldest->at_us + s->h->config.wall_offset_us < s->window.from_us))
        return STATUS_OK;
    writer_format(why, "%llu entries of that time are forgotten; see --ledger-entries",
                  (unsigned long long)card_ledger_forgotten(s->h->ledger));
    return STATUS_REFUSED;
}

enum status card_host_settlement(struct card_host *h, struct view query, int64_t now_us,
                                 struct settlement **out, struct writer *why)
{
    struct card_settle *s = calloc(1, sizeof *s);
    enum status status = s != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    *out = NULL;
    if (status == STATUS_OK) {
        *s = (struct card_settle){ .h = h,
                                   .params = { { .name = "terminal" } },
                                   .number = card_ledger_first(h->ledger),
                                   .last = card_ledger_last(h->ledger),
                                   .like = "978" };
        status = settle_query(query, s->params, COUNT_OF(s->params),
                              now_us + h->config.wall_offset_us, &s->window, why);
    }
    if (status == STATUS_OK)
        status = nothing_forgotten(s, why);
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    const struct settle_source source = { .content_type = "text/csv; charset=utf-8",
                                          .state = s,
                                          .next = card_settle_next,
                                          .invent = card_settle_invent,
                                          .head = card_settle_head,
                                          .line = card_settle_line,
                                          .tail = card_settle_tail,
                                          .close = free };
    *out = settlement_open(&source, &h->knobs.settlement, &h->books);
    return *out != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}
