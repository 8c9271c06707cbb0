/* card_ledger.c - see card_ledger.h.
 *
 * A ring of entries taken at once (untouched pages cost nothing), and three hash tables of chain
 * heads with twice as many places: by own identity, by retrieval reference, by identity of the
 * original. Chains hold entry numbers; a number that fell out of the ring is unlinked when its
 * place is taken again.
 */
#include "card_ledger.h"

#include "base/ensure.h"
#include "base/map.h"

#include <stdlib.h>

enum chain { CHAIN_ID = 0, CHAIN_RRN, CHAIN_ORIGINAL, CHAINS };

struct card_ledger {
    struct card_entry *ring;
    uint64_t *heads[CHAINS];
    uint64_t seed;
    uint64_t last;      /* number of the newest entry */
    size_t entries_max; /* a power of two */
    struct card_totals totals;
};

struct card_ledger *card_ledger_open(size_t entries_max, uint64_t seed)
{
    struct card_ledger *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    size_t wanted = entries_max > 0 ? entries_max : CARD_LEDGER_ENTRIES_DEFAULT;
    l->entries_max = 16;
    while (l->entries_max < wanted)
        l->entries_max *= 2;
    l->seed = seed;
    l->ring = calloc(l->entries_max, sizeof *l->ring);
    bool ok = l->ring != NULL;
    for (unsigned c = 0; c < CHAINS; c++) {
        l->heads[c] = calloc(l->entries_max * 2, sizeof *l->heads[c]);
        ok = ok && l->heads[c] != NULL;
    }
    if (!ok) {
        card_ledger_close(l);
        return NULL;
    }
    return l;
}

void card_ledger_close(struct card_ledger *l)
{
    if (l == NULL)
        return;
    for (unsigned c = 0; c < CHAINS; c++)
        free(l->heads[c]);
    free(l->ring);
    free(l);
}

void card_ledger_clear(struct card_ledger *l)
{
    memset(l->ring, 0, l->entries_max * sizeof *l->ring);
    for (unsigned c = 0; c < CHAINS; c++)
        memset(l->heads[c], 0, l->entries_max * 2 * sizeof *l->heads[c]);
    l->last = 0;
    l->totals = (struct card_totals){ 0 };
}

struct card_entry *card_ledger_change(struct card_ledger *l, uint64_t number)
{
    struct card_entry *e = &l->ring[number & (l->entries_max - 1)];
    return number != 0 && e->number == number ? e : NULL;
}

const struct card_entry *card_ledger_get(const struct card_ledger *l, uint64_t number)
{
    const struct card_entry *e = &l->ring[number & (l->entries_max - 1)];
    return number != 0 && e->number == number ? e : NULL;
}

uint64_t card_ledger_last(const struct card_ledger *l)
{
    return l->last;
}

uint64_t card_ledger_first(const struct card_ledger *l)
{
    return card_ledger_forgotten(l) + 1;
}

uint64_t card_ledger_forgotten(const struct card_ledger *l)
{
    return l->last > l->entries_max ? l->last - l->entries_max : 0;
}

struct card_totals *card_ledger_totals(struct card_ledger *l)
{
    return &l->totals;
}

const struct card_totals *card_ledger_sums(const struct card_ledger *l)
{
    return &l->totals;
}

/* --- chains ------------------------------------------------------------------------------ */
static uint64_t *next_of(struct card_entry *e, enum chain c)
{
    return c == CHAIN_ID ? &e->next_by_id : c == CHAIN_RRN ? &e->next_by_rrn : &e->next_by_original;
}

static uint64_t *head_of(struct card_ledger *l, enum chain c, struct view key)
{
    return &l->heads[c][siphash(l->seed, (uint64_t)c, key) & (l->entries_max * 2 - 1)];
}

static struct view key_of(const struct card_entry *e, enum chain c)
{
    if (c == CHAIN_RRN)
        return view_text(e->rrn);
    const struct card_identity *id = c == CHAIN_ID ? &e->id : &e->original;
    return id->text[0] != '\0' ? view_of(id->text, sizeof id->text) : VIEW_EMPTY;
}

static void chain_in(struct card_ledger *l, struct card_entry *e, enum chain c)
{
    struct view key = key_of(e, c);
    if (key.len == 0)
        return;
    uint64_t *head = head_of(l, c, key);
    *next_of(e, c) = *head;
    *head = e->number;
}

static void chain_out(struct card_ledger *l, struct card_entry *e, enum chain c)
{
    struct view key = key_of(e, c);
    if (key.len == 0)
        return;
    uint64_t *at = head_of(l, c, key);
    while (*at != e->number) {
        struct card_entry *other = card_ledger_change(l, *at);
        ENSURE(other != NULL); /* the oldest is at the end of its chain */
        at = next_of(other, c);
    }
    *at = *next_of(e, c);
}

struct card_entry *card_ledger_add(struct card_ledger *l, const struct card_identity *id)
{
    uint64_t number = ++l->last;
    struct card_entry *e = &l->ring[number & (l->entries_max - 1)];
    for (unsigned c = 0; e->number != 0 && c < CHAINS; c++)
        chain_out(l, e, (enum chain)c);
    memset(e, 0, sizeof *e);
    e->number = number;
    e->id = *id;
    e->arrivals = 1;
    chain_in(l, e, CHAIN_ID);
    return e;
}

void card_ledger_index(struct card_ledger *l, struct card_entry *e)
{
    chain_in(l, e, CHAIN_RRN);
    chain_in(l, e, CHAIN_ORIGINAL);
}

static bool same_family(const char *a, const char *b)
{
    return a[1] == b[1] && a[2] == b[2];
}

struct card_entry *card_ledger_find(struct card_ledger *l, const struct card_identity *id,
                                    const char *mti)
{
    uint64_t n = *head_of(l, CHAIN_ID, view_of(id->text, sizeof id->text));
    for (struct card_entry *e; (e = card_ledger_change(l, n)) != NULL; n = e->next_by_id)
        if (memcmp(e->id.text, id->text, sizeof id->text) == 0 && same_family(e->mti, mti))
            return e;
    return NULL;
}

struct card_entry *card_ledger_find_rrn(struct card_ledger *l, enum card_entry_kind kind,
                                        struct view rrn, struct view pan)
{
    uint64_t n = *head_of(l, CHAIN_RRN, rrn);
    for (struct card_entry *e; (e = card_ledger_change(l, n)) != NULL; n = e->next_by_rrn)
        if (e->kind == kind && view_is(rrn, e->rrn) && view_is(pan, e->pan))
            return e;
    return NULL;
}

struct card_entry *card_ledger_find_early_reversal(struct card_ledger *l,
                                                   const struct card_identity *id, const char *mti)
{
    uint64_t n = *head_of(l, CHAIN_ORIGINAL, view_of(id->text, sizeof id->text));
    for (struct card_entry *e; (e = card_ledger_change(l, n)) != NULL; n = e->next_by_original)
        if (e->kind == CARD_ENTRY_REVERSAL && e->state == CARD_STATE_NO_ORIGINAL &&
            memcmp(e->original.text, id->text, sizeof id->text) == 0 &&
            same_family(e->original_mti, mti))
            return e;
    return NULL;
}

/* --- for people -------------------------------------------------------------------------- */
const char *card_entry_kind_name(enum card_entry_kind kind)
{
    static const char *const NAMES[] = { "none",    "authorisation", "sale",
                                         "capture", "refund",        "reversal" };
    return NAMES[kind <= CARD_ENTRY_REVERSAL ? kind : 0];
}

const char *card_entry_state_name(enum card_entry_state state)
{
    static const char *const NAMES[] = { "none",     "declined",    "booked",
                                         "reversed", "no_original", "no_effect" };
    return NAMES[state <= CARD_STATE_NO_EFFECT ? state : 0];
}

static void write_identity(struct json_out *j, const char *stan, const char *sent,
                           const char *terminal, const struct card_identity *id)
{
    json_put_text(j, stan, view_of(id->text, 6));
    json_put_text(j, sent, view_of(id->text + 6, 10));
    if (terminal != NULL)
        json_put_text(j, terminal, view_trim(view_of(id->text + 16, 8)));
}

void card_entry_write(struct json_out *j, const struct card_entry *e)
{
    uint8_t masked[CARD_PAN_MAX];
    struct writer pan = writer_over(masked, sizeof masked);
    card_mask_pan(&pan, view_text(e->pan));
    json_open_object(j, NULL);
    json_put_i64(j, "number", (int64_t)e->number);
    json_put_text(j, "kind", view_text(card_entry_kind_name(e->kind)));
    json_put_text(j, "state", view_text(card_entry_state_name(e->state)));
    json_put_text(j, "mti", view_text(e->mti));
    write_identity(j, "stan", "transmitted", "terminal", &e->id);
    json_put_text(j, "rrn", view_trim(view_text(e->rrn)));
    json_put_text(j, "merchant", view_trim(view_text(e->merchant)));
    json_put_text(j, "pan", writer_done(&pan));
    json_put_text(j, "response", view_text(e->response));
    json_put_text(j, "auth_code", view_text(e->auth_code));
    json_put_text(j, "currency", view_text(e->currency));
    json_put_i64(j, "amount_minor", e->amount_minor);
    json_put_i64(j, "approved_minor", e->approved_minor);
    json_put_i64(j, "captured_minor", e->captured_minor);
    json_put_i64(j, "refunded_minor", e->refunded_minor);
    json_put_i64(j, "reversed_minor", e->reversed_minor);
    json_put_i64(j, "booked", e->booked);
    json_put_i64(j, "arrivals", e->arrivals);
    json_put_i64(j, "reversals", e->reversals);
    json_put_i64(j, "parent", (int64_t)e->parent);
    if (e->original.text[0] != '\0') {
        json_put_text(j, "original_mti", view_text(e->original_mti));
        write_identity(j, "original_stan", "original_transmitted", NULL, &e->original);
    }
    json_put_i64(j, "link", (int64_t)e->link);
    json_put_i64(j, "at_us", e->at_us);
    json_close_object(j);
}
