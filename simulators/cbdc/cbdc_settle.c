/* cbdc_settle.c - the ledger as JSON Lines (docs/rails/settlement.md): an object for every entry
 * that was booked, and a summary at the end. */
#include "cbdc_int.h"

#include "base/ensure.h"
#include "settle/settle_text.h"

#include <stdlib.h>

struct cbdc_settle {
    struct cbdc *c;
    struct settle_window window;
    struct settle_param params[1];
    uint64_t number, last; /* of the next entry, of the last one */
    uint64_t model;        /* of the line before: what an invented one looks like; 0 none */
    uint64_t first_told, last_told; /* seq of the lines written; 0 none */
    int64_t sum_minor;
    struct cbdc_entry invented;
};

static const char *wallet_told(struct cbdc_settle *s, uint32_t wallet)
{
    return wallet != CBDC_NO_WALLET ? cbdc_wallet_at(s->c->books, wallet)->name : NULL;
}

static void fill_entry(const struct cbdc_entry *e, struct settle_line *line)
{
    line->names[0] = view_text(e->id);
    line->record = e;
}

static enum settle_next cbdc_settle_next(void *state, struct settle_line *line)
{
    struct cbdc_settle *s = state;
    struct view client = view_text(s->params[0].value);
    while (s->number <= s->last) {
        const struct cbdc_entry *e = cbdc_entry_at(s->c->books, s->number++);
        ENSURE(e != NULL);
        if (e->state == CBDC_DECLINED || !settle_within(&s->window, e->at_us) ||
            (client.len > 0 && !view_is(client, e->client)))
            continue;
        line->amount_minor = e->amount_minor;
        s->model = e->number;
        fill_entry(e, line);
        return SETTLE_LINE;
    }
    return SETTLE_DONE;
}

static void cbdc_settle_invent(void *state, uint64_t dice, struct settle_line *line)
{
    struct cbdc_settle *s = state;
    struct cbdc_entry *e = &s->invented;
    const struct cbdc_entry *like = s->model > 0 ? cbdc_entry_at(s->c->books, s->model) : NULL;
    struct writer w = writer_over(e->id, sizeof e->id - 1);
    *e = (struct cbdc_entry){ .kind = CBDC_TRANSFER,
                              .state = CBDC_SETTLED,
                              .from = like != NULL ? like->from : 0,
                              .to = like != NULL ? like->to : cbdc_wallet_count(s->c->books) - 1,
                              .at_us = like != NULL ? like->at_us : s->window.to_us - 1 };
    settle_alike(&w, like != NULL ? view_text(like->id) : VIEW("transfer00"), dice);
    if (like != NULL)
        memcpy(e->client, like->client, sizeof e->client);
    else
        memcpy(e->client, s->c->clients[0].name, sizeof e->client);
    fill_entry(e, line);
}

/* --- text --------------------------------------------------------------------------------- */
static void cbdc_settle_head(void *state, const struct settle_sums *sums, struct writer *w)
{
    (void)state;
    (void)sums;
    (void)w;
}

static void put_or_null(struct json_out *j, const char *name, const char *text)
{
    if (text != NULL)
        json_put_text(j, name, view_text(text));
    else
        json_put_null(j, name);
}

static void put_digits(struct json_out *j, const char *name, int64_t value)
{
    uint8_t text[24];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, value);
    json_put_text(j, name, writer_done(&w));
}

static void put_when(struct json_out *j, const char *name, int64_t wall_us)
{
    uint8_t text[32];
    struct writer w = writer_over(text, sizeof text);
    settle_time_write(&w, wall_us);
    json_put_text(j, name, writer_done(&w));
}

static void cbdc_settle_line(void *state, const struct settle_line *line, struct writer *w)
{
    struct cbdc_settle *s = state;
    /* Entries may have moved since they were handed out. */
    bool made_up = line->record == &s->invented;
    const struct cbdc_entry *e = made_up ? &s->invented : cbdc_entry_at(s->c->books, s->model);
    struct json_out j;
    /* A line that comes twice, or that nobody made, has a number of its own: they rise. */
    uint64_t seq = e->number > s->last_told ? e->number : s->last_told + 1;
    s->first_told = s->first_told > 0 ? s->first_told : seq;
    s->last_told = seq;
    s->sum_minor += line->amount_minor;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_i64(&j, "seq", (int64_t)seq);
    json_put_text(&j, "kind", view_text(cbdc_kind_name(e->kind)));
    json_put_text(&j, "id", view_text(e->id));
    json_put_text(&j, "client", view_text(e->client));
    put_or_null(&j, "from", wallet_told(s, e->from));
    put_or_null(&j, "to", wallet_told(s, e->to));
    put_digits(&j, "amount", line->amount_minor);
    json_put_text(&j, "currency", view_text(s->c->settings.currency));
    json_put_text(&j, "state", view_text(cbdc_state_name(e->state)));
    put_or_null(&j, "lock", e->lock > 0 ? cbdc_entry_at(s->c->books, e->lock)->id : NULL);
    put_when(&j, "time", e->at_us);
    json_close_object(&j);
    writer_u8(w, '\n');
}

static void put_seq(struct json_out *j, const char *name, uint64_t seq)
{
    if (seq > 0)
        json_put_i64(j, name, (int64_t)seq);
    else
        json_put_null(j, name);
}

static void cbdc_settle_tail(void *state, const struct settle_sums *sums, struct view sha256,
                             struct writer *w)
{
    const struct cbdc_settle *s = state;
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_bool(&j, "summary", true);
    json_put_i64(&j, "count", (int64_t)sums->lines);
    put_seq(&j, "first", s->first_told);
    put_seq(&j, "last", s->last_told);
    put_digits(&j, "sum", s->sum_minor);
    json_put_text(&j, "sha256", sha256);
    json_close_object(&j);
    writer_u8(w, '\n');
}

/* --- the door ----------------------------------------------------------------------------- */
enum status cbdc_settlement(void *brain, struct view query, int64_t now_us,
                            struct settle_source *out, struct writer *why)
{
    struct cbdc *c = brain;
    struct cbdc_settle *s = calloc(1, sizeof *s);
    ENSURE_MAGIC(c, CBDC_MAGIC);
    if (s == NULL)
        return STATUS_NO_MEMORY;
    cbdc_advance(c, now_us);
    *s = (struct cbdc_settle){
        .c = c, .params = { { .name = "client" } }, .number = 1, .last = cbdc_entry_count(c->books)
    };
    enum status status = settle_query(query, s->params, COUNT_OF(s->params),
                                      cbdc_wall_us(c, now_us), &s->window, why);
    if (status != STATUS_OK) {
        free(s);
        return status;
    }
    *out = (struct settle_source){ .content_type = "application/x-ndjson",
                                   .state = s,
                                   .next = cbdc_settle_next,
                                   .invent = cbdc_settle_invent,
                                   .head = cbdc_settle_head,
                                   .line = cbdc_settle_line,
                                   .tail = cbdc_settle_tail,
                                   .close = free };
    return STATUS_OK;
}
