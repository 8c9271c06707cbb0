/* bank_book.c - accounts, entries, and the messages that were answered.
 *
 * Every booking takes from one account and gives to another; who has no account here stands behind
 * CLEARING, so the sum over all accounts never changes. Entries are never removed
 * (BANK_ENTRIES_MAX, then the bank is closed); chains by EndToEndId, TxId and UETR find them, the
 * newest first.
 */
#include "bank_int.h"

#include "base/map.h"

#include <stdlib.h>

#define OPENING_MINOR 100000000

static const struct {
    const char *id, *bic, *name, *currencies;
    enum account_state state;
    unsigned magic;
} ACCOUNTS[] = {
#define ACCOUNT(id, bic, name, currencies, state, magic)                                           \
    { id, bic, name, currencies, ACCOUNT_##state, magic },
#include "bank_accounts.def"
#undef ACCOUNT
};

void bank_copy(char *out, size_t room, struct view text)
{
    size_t len = text.len < room ? text.len : room - 1;
    while (len < text.len && len > 0 && (text.ptr[len] & 0xC0) == 0x80)
        len--;
    if (len > 0)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

/* splitmix64: the seed is all there is to it. */
uint64_t bank_random(struct bank *b)
{
    uint64_t z = b->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* --- accounts ------------------------------------------------------------------------------- */
int bank_currency(struct view currency)
{
    return currency_index(currency);
}

static uint64_t currencies_of(const char *words)
{
    uint64_t set = strcmp(words, "ALL") == 0 ? UINT64_MAX : 0;
    for (struct view rest = view_text(words); rest.len > 0 && set != UINT64_MAX;) {
        size_t len = view_find(rest, '|');
        int at = currency_index(view_slice(rest, 0, len));
        set |= at >= 0 ? UINT64_C(1) << at : 0;
        rest = view_slice(rest, len + 1, rest.len);
    }
    return set;
}

uint32_t bank_account_find(const struct bank *b, struct view id)
{
    for (uint32_t i = 0; i < b->account_count; i++)
        if (view_is(id, b->accounts[i].id))
            return i;
    return BANK_NONE;
}

struct bank_account *bank_account_add(struct bank *b, struct view id, struct view bic,
                                      struct view name, uint64_t currencies,
                                      enum account_state state, unsigned magic,
                                      int64_t opening_minor)
{
    if (b->account_count == BANK_ACCOUNTS_MAX)
        return NULL;
    struct bank_account *a = &b->accounts[b->account_count++];
    *a = (struct bank_account){ .state = state, .magic = magic, .currencies = currencies };
    BANK_COPY(a->id, id);
    BANK_COPY(a->bic, bic);
    BANK_COPY(a->name, name);
    for (int i = 0; i < BANK_CURRENCIES; i++)
        if (currencies >> i & 1)
            a->opening_minor[i] = a->balance_minor[i] = opening_minor;
    return a;
}

bool bank_account_takes(const struct bank_account *a, struct view currency)
{
    int at = currency_index(currency);
    return at >= 0 && (a->currencies >> at & 1) != 0;
}

/* --- life ----------------------------------------------------------------------------------- */
void bank_books_clear(struct bank *b)
{
    for (size_t i = 0; i < b->entry_count; i++)
        free(b->entries[i]);
    for (size_t i = 0; i < b->seen_count && i < BANK_SEEN_MAX; i++) {
        free(b->seen[i].body);
        b->seen[i] = (struct bank_seen){ .http_status = 0 };
    }
    b->entry_count = b->seen_count = b->plan_len = b->token_count = 0;
    memset(b->by_end_to_end, 0, BANK_BUCKETS * sizeof(uint64_t));
    memset(b->by_tx, 0, BANK_BUCKETS * sizeof(uint64_t));
    memset(b->by_uetr, 0, BANK_BUCKETS * sizeof(uint64_t));
    memset(b->by_msg, 0, BANK_BUCKETS * sizeof(uint32_t));
    memset(b->tokens, 0, sizeof b->tokens);
    memset(&b->stats, 0, sizeof b->stats);
    b->account_count = 0;
    b->order = 0;
    b->next_id = 1;
    b->random = b->config.seed;
    bank_account_add(b, VIEW("CLEARING"), VIEW_EMPTY, VIEW("Outside"), UINT64_MAX, ACCOUNT_OPEN, 0,
                     0)
        ->inside = true;
    bank_account_add(b, VIEW("PARTICIPANT"), VIEW_EMPTY, VIEW("Participant"), UINT64_MAX,
                     ACCOUNT_OPEN, 0, OPENING_MINOR * INT64_C(1000));
    for (size_t i = 0; i < COUNT_OF(ACCOUNTS); i++)
        bank_account_add(b, view_text(ACCOUNTS[i].id), view_text(ACCOUNTS[i].bic),
                         view_text(ACCOUNTS[i].name), currencies_of(ACCOUNTS[i].currencies),
                         ACCOUNTS[i].state, ACCOUNTS[i].magic,
                         ACCOUNTS[i].state == ACCOUNT_POOR ? 100 : OPENING_MINOR);
}

enum status bank_books_open(struct bank *b)
{
    b->accounts = calloc(BANK_ACCOUNTS_MAX, sizeof *b->accounts);
    b->seen = calloc(BANK_SEEN_MAX, sizeof *b->seen);
    b->by_end_to_end = calloc(BANK_BUCKETS, sizeof(uint64_t));
    b->by_tx = calloc(BANK_BUCKETS, sizeof(uint64_t));
    b->by_uetr = calloc(BANK_BUCKETS, sizeof(uint64_t));
    b->by_msg = calloc(BANK_BUCKETS, sizeof(uint32_t));
    if (b->accounts == NULL || b->seen == NULL || b->by_end_to_end == NULL || b->by_tx == NULL ||
        b->by_uetr == NULL || b->by_msg == NULL)
        return STATUS_NO_MEMORY;
    bank_books_clear(b);
    return STATUS_OK;
}

void bank_books_close(struct bank *b)
{
    for (size_t i = 0; i < b->entry_count; i++)
        free(b->entries[i]);
    for (size_t i = 0; i < b->seen_count && i < BANK_SEEN_MAX; i++)
        free(b->seen[i].body);
    free(b->entries);
    free(b->accounts);
    free(b->seen);
    free(b->by_end_to_end);
    free(b->by_tx);
    free(b->by_uetr);
    free(b->by_msg);
}

/* --- entries -------------------------------------------------------------------------------- */
struct bank_entry *bank_entry_new(struct bank *b, enum bank_kind kind, int64_t wall_us)
{
    if (b->entry_count == BANK_ENTRIES_MAX)
        return NULL;
    if (b->entry_count == b->entry_room) {
        size_t room = b->entry_room > 0 ? b->entry_room * 2 : 256;
        struct bank_entry **more = realloc(b->entries, room * sizeof(struct bank_entry *));
        if (more == NULL)
            return NULL;
        b->entries = more;
        b->entry_room = room;
    }
    struct bank_entry *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    b->entries[b->entry_count++] = e;
    e->number = b->entry_count;
    e->kind = kind;
    e->state = STATE_REJECTED; /* until something better is decided */
    e->at_us = wall_us;
    e->debit = e->credit = BANK_CLEARING;
    e->msg_name = "";
    return e;
}

static size_t bucket(const char *text)
{
    return siphash(0x62616E6B, 1, view_text(text)) % BANK_BUCKETS;
}

static void chain(uint64_t *heads, const char *id, uint64_t number, uint64_t *next)
{
    if (id[0] == '\0')
        return;
    uint64_t *head = &heads[bucket(id)];
    *next = *head;
    *head = number;
}

void bank_entry_index(struct bank *b, struct bank_entry *e)
{
    chain(b->by_end_to_end, e->end_to_end_id, e->number, &e->same_end_to_end);
    chain(b->by_tx, e->tx_id, e->number, &e->same_tx);
    chain(b->by_uetr, e->uetr, e->number, &e->same_uetr);
}

struct bank_entry *bank_entry_get(const struct bank *b, uint64_t number)
{
    return number > 0 && number <= b->entry_count ? b->entries[number - 1] : NULL;
}

/* One that was refused counts only when there is no other: a duplicate that was turned away must
 * not hide the payment that it repeats. */
static void better(struct bank_entry **found, struct bank_entry *e)
{
    if (*found == NULL || ((*found)->state == STATE_REJECTED && e->state != STATE_REJECTED))
        *found = e;
}

struct bank_entry *bank_entry_find(const struct bank *b, struct view end_to_end_id,
                                   struct view tx_id, struct view uetr, unsigned kinds)
{
    char text[40];
    struct bank_entry *e, *found = NULL;
    if (uetr.len > 0 && view_to_text(uetr, text, sizeof text) == STATUS_OK)
        for (e = bank_entry_get(b, b->by_uetr[bucket(text)]); e != NULL;
             e = bank_entry_get(b, e->same_uetr))
            if (strcmp(e->uetr, text) == 0 && (kinds >> e->kind & 1))
                better(&found, e);
    if (found == NULL && tx_id.len > 0 && view_to_text(tx_id, text, sizeof text) == STATUS_OK)
        for (e = bank_entry_get(b, b->by_tx[bucket(text)]); e != NULL;
             e = bank_entry_get(b, e->same_tx))
            if (strcmp(e->tx_id, text) == 0 && (kinds >> e->kind & 1))
                better(&found, e);
    if (found == NULL && end_to_end_id.len > 0 && !view_is(end_to_end_id, "NOTPROVIDED") &&
        view_to_text(end_to_end_id, text, sizeof text) == STATUS_OK)
        for (e = bank_entry_get(b, b->by_end_to_end[bucket(text)]); e != NULL;
             e = bank_entry_get(b, e->same_end_to_end))
            if (strcmp(e->end_to_end_id, text) == 0 && (kinds >> e->kind & 1))
                better(&found, e);
    return found;
}

bool bank_entry_has_funds(const struct bank *b, const struct bank_entry *e)
{
    const struct bank_account *a = &b->accounts[e->debit];
    int at = currency_index(view_text(e->currency));
    return a->inside || (at >= 0 && a->balance_minor[at] >= e->amount_minor);
}

void bank_entry_book(struct bank *b, struct bank_entry *e, int64_t wall_us)
{
    int at = currency_index(view_text(e->currency));
    ENSURE(at >= 0 && e->bookings == 0 && e->amount_minor > 0);
    struct bank_account *from = &b->accounts[e->debit], *to = &b->accounts[e->credit];
    from->balance_minor[at] -= e->amount_minor;
    from->debits_minor[at] += e->amount_minor;
    to->balance_minor[at] += e->amount_minor;
    to->credits_minor[at] += e->amount_minor;
    e->bookings++;
    e->state = STATE_BOOKED;
    e->booked_us = wall_us;
}

bool bank_books_balanced(const struct bank *b)
{
    for (int c = 0; c < BANK_CURRENCIES; c++) {
        int64_t debits = 0, credits = 0;
        for (uint32_t i = 0; i < b->account_count; i++) {
            const struct bank_account *a = &b->accounts[i];
            debits += a->debits_minor[c];
            credits += a->credits_minor[c];
            if (a->balance_minor[c] !=
                a->opening_minor[c] + a->credits_minor[c] - a->debits_minor[c])
                return false;
        }
        if (debits != credits)
            return false;
    }
    return true;
}

/* --- messages that were answered ------------------------------------------------------------ */
static uint32_t *seen_head(struct bank *b, const char *msg_id)
{
    return &b->by_msg[bucket(msg_id)];
}

struct bank_seen *bank_seen_find(struct bank *b, struct view msg_id)
{
    char text[36];
    BANK_COPY(text, msg_id);
    for (uint32_t i = *seen_head(b, text); i != 0; i = b->seen[i - 1].next)
        if (strcmp(b->seen[i - 1].msg_id, text) == 0)
            return &b->seen[i - 1];
    return NULL;
}

struct bank_seen *bank_seen_add(struct bank *b, struct view msg_id)
{
    uint32_t place = (uint32_t)(b->seen_count++ % BANK_SEEN_MAX);
    struct bank_seen *s = &b->seen[place];
    if (s->http_status != 0) { /* the oldest makes room */
        b->stats.forgotten++;
        uint32_t *link = seen_head(b, s->msg_id);
        while (*link != 0 && *link != place + 1)
            link = &b->seen[*link - 1].next;
        if (*link != 0)
            *link = s->next;
        free(s->body);
    }
    *s = (struct bank_seen){ .http_status = 200 };
    BANK_COPY(s->msg_id, msg_id);
    uint32_t *head = seen_head(b, s->msg_id);
    s->next = *head;
    *head = place + 1;
    return s;
}
