/* book_store.c - where the ledger of cbdc_book.h is kept: wallets, entries and their index, the
 * locks that wait for their expiry; and how the books are added up. */
#include "book_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* --- tiers ----------------------------------------------------------------------------------- */
static const struct {
    const char *word;
    struct cbdc_limits limits;
} TIERS[] = {
#define TIER(name, word, holding, single, day) { word, { holding, single, day } },
#include "tiers.def"
#undef TIER
};

const char *cbdc_tier_name(enum cbdc_tier tier)
{
    return TIERS[tier].word;
}
struct cbdc_limits cbdc_tier_limits(enum cbdc_tier tier)
{
    return TIERS[tier].limits;
}
enum status cbdc_tier_of(struct view word, enum cbdc_tier *tier)
{
    for (unsigned i = 0; i < COUNT_OF(TIERS); i++)
        if (view_is(word, TIERS[i].word)) {
            *tier = (enum cbdc_tier)i;
            return STATUS_OK;
        }
    return STATUS_NOT_FOUND;
}

/* --- wallets --------------------------------------------------------------------------------- */
static bool is_word(struct view text, size_t longest, const char *more)
{
    if (text.len < 1 || text.len > longest)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(more, c)))
            return false;
    }
    return true;
}

static bool is_wallet(struct view name)
{
    return name.len > 2 && view_starts_with(name, VIEW("w_")) &&
           is_word(name, CBDC_WALLET_MAX, "_");
}

bool cbdc_is_purpose(struct view text)
{
    return is_word(text, CBDC_PURPOSE_MAX, "_");
}

/* A key of `names`; a map's key has 64 bytes, an alias with its prefix up to 70: the prefix is '@'.
 */
static struct view name_key(struct view name, uint8_t room[static CBDC_ALIAS_MAX + 1])
{
    if (!view_starts_with(name, VIEW("alias:")))
        return name;
    struct view alias = view_slice(name, 6, name.len);
    if (alias.len == 0 || alias.len >= MAP_KEY_MAX)
        return VIEW_EMPTY;
    room[0] = '@';
    memcpy(room + 1, alias.ptr, alias.len);
    return view_of(room, alias.len + 1);
}

uint32_t cbdc_wallet_find(const struct cbdc_books *b, struct view name)
{
    uint8_t room[CBDC_ALIAS_MAX + 1];
    struct view key = name_key(name, room);
    if (key.len == 0 || key.len > MAP_KEY_MAX)
        return CBDC_NO_WALLET;
    uintptr_t found = (uintptr_t)map_get(b->names, key);
    return found > 0 ? (uint32_t)(found - 1) : CBDC_NO_WALLET;
}

struct cbdc_wallet *cbdc_wallet_at(struct cbdc_books *b, uint32_t wallet)
{
    ENSURE(wallet < b->wallet_count);
    return &b->wallets[wallet];
}

uint32_t cbdc_wallet_count(const struct cbdc_books *b)
{
    return b->wallet_count;
}

int64_t cbdc_wallet_spent(const struct cbdc_books *b, const struct cbdc_wallet *w)
{
    return w->spent_day == b->day ? w->spent_minor : 0;
}

static bool is_alias(struct view alias)
{
    for (size_t i = 0; i < alias.len; i++) {
        char c = (char)alias.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr("+@._-", c)))
            return false;
    }
    return alias.len < CBDC_ALIAS_MAX;
}

static bool wallet_room(struct cbdc_books *b)
{
    if (b->wallet_count < b->wallet_room)
        return true;
    if (b->wallet_room >= CBDC_WALLETS_MAX)
        return false;
    uint32_t room = b->wallet_room > 0 ? 2 * b->wallet_room : 64;
    void *wallets = realloc(b->wallets, room * sizeof *b->wallets);
    if (wallets == NULL)
        return false;
    b->wallets = wallets;
    b->wallet_room = room;
    return true;
}

enum status cbdc_wallet_add(struct cbdc_books *b, struct view name, struct view alias,
                            enum cbdc_tier tier, int64_t opening_minor, uint32_t *wallet)
{
    int64_t issued_minor = 0;
    uint8_t room[CBDC_ALIAS_MAX + 1] = { '@' };
    if (!is_wallet(name) || !is_alias(alias))
        return STATUS_MALFORMED;
    if (opening_minor < 0 || opening_minor > TIERS[tier].limits.holding_minor ||
        __builtin_add_overflow(b->issued_minor, opening_minor, &issued_minor))
        return STATUS_RANGE;
    if (!wallet_room(b))
        return STATUS_FULL;
    if (alias.len > 0)
        memcpy(room + 1, alias.ptr, alias.len);
    struct view key = view_of(room, alias.len + 1);
    if (map_get(b->names, name) != NULL || (alias.len > 0 && map_get(b->names, key) != NULL))
        return STATUS_EXISTS;
    void *index = (void *)((uintptr_t)b->wallet_count + 1);
    TRY(map_put(b->names, name, index));
    if (alias.len > 0)
        TRY(map_put(b->names, key, index));
    struct cbdc_wallet *w = &b->wallets[b->wallet_count];
    *w = (struct cbdc_wallet){ .tier = tier,
                               .opening_minor = opening_minor,
                               .balance_minor = opening_minor };
    TRY(view_to_text(name, w->name, sizeof w->name));
    TRY(view_to_text(alias, w->alias, sizeof w->alias));
    b->issued_minor = issued_minor;
    b->opening_minor += opening_minor;
    *wallet = b->wallet_count++;
    return STATUS_OK;
}

enum status cbdc_wallet_allow(struct cbdc_wallet *w, struct view purpose)
{
    if (!cbdc_is_purpose(purpose))
        return STATUS_MALFORMED;
    for (unsigned i = 0; i < w->purpose_count; i++)
        if (view_is(purpose, w->purposes[i]))
            return STATUS_OK;
    if (w->purpose_count == CBDC_PURPOSES_MAX)
        return STATUS_FULL;
    return view_to_text(purpose, w->purposes[w->purpose_count++], sizeof w->purposes[0]);
}

static enum status add_start(struct cbdc_books *b, const char *name, const char *alias,
                             enum cbdc_tier tier, int64_t opening_minor, bool blocked,
                             const char *purposes)
{
    uint32_t wallet = 0;
    struct view rest = view_text(purposes);
    TRY(cbdc_wallet_add(b, view_text(name), view_text(alias), tier, opening_minor, &wallet));
    b->wallets[wallet].blocked = blocked;
    while (rest.len > 0) {
        size_t end = view_find(rest, ' ');
        TRY(cbdc_wallet_allow(&b->wallets[wallet], view_slice(rest, 0, end)));
        rest = view_slice(rest, end + 1, rest.len);
    }
    return STATUS_OK;
}

/* --- entries --------------------------------------------------------------------------------- */
static uint64_t *head_of(const struct cbdc_books *b, const char *id)
{
    return &b->heads[siphash(b->seed, 1, view_text(id)) & (2 * b->entry_room - 1)];
}

static void chain(struct cbdc_books *b, struct cbdc_entry *e)
{
    uint64_t *head = head_of(b, e->id);
    e->next = *head;
    *head = e->number;
}

/* Entries, their chains and the heap grow together, so that booking needs no memory after this. */
static bool entry_room(struct cbdc_books *b)
{
    if (b->entry_count < b->entry_room)
        return true;
    if (b->entry_room >= CBDC_ENTRIES_MAX)
        return false;
    uint64_t room = b->entry_room > 0 ? 2 * b->entry_room : 256;
    void *heads = calloc(2 * room, sizeof *b->heads);
    void *heap = heads != NULL ? realloc(b->heap, room * sizeof *b->heap) : NULL;
    if (heap != NULL)
        b->heap = heap;
    void *entries = heap != NULL ? realloc(b->entries, room * sizeof *b->entries) : NULL;
    if (entries == NULL) {
        free(heads);
        return false;
    }
    free(b->heads);
    b->heads = heads;
    b->entries = entries;
    b->entry_room = room;
    for (uint64_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].kind != CBDC_EXPIRE)
            chain(b, &b->entries[i]);
    return true;
}

struct cbdc_entry *cbdc_entry_new(struct cbdc_books *b)
{
    if (!entry_room(b))
        return NULL;
    struct cbdc_entry *e = &b->entries[b->entry_count++];
    memset(e, 0, sizeof *e);
    e->number = b->entry_count;
    return e;
}

void cbdc_index(struct cbdc_books *b, struct cbdc_entry *e)
{
    chain(b, e);
}

uint64_t cbdc_entry_count(const struct cbdc_books *b)
{
    return b->entry_count;
}

struct cbdc_entry *cbdc_entry_at(struct cbdc_books *b, uint64_t number)
{
    return number >= 1 && number <= b->entry_count ? &b->entries[number - 1] : NULL;
}

struct cbdc_entry *cbdc_find(struct cbdc_books *b, struct view client, struct view id)
{
    char text[CBDC_ID_MAX + 1];
    if (b->entry_count == 0 || view_to_text(id, text, sizeof text) != STATUS_OK)
        return NULL;
    for (struct cbdc_entry *e = cbdc_entry_at(b, *head_of(b, text)); e != NULL;
         e = cbdc_entry_at(b, e->next))
        if (strcmp(e->id, text) == 0 && view_is(client, e->client))
            return e;
    return NULL;
}

struct cbdc_entry *cbdc_find_lock(struct cbdc_books *b, struct view releaser, struct view id)
{
    char text[CBDC_ID_MAX + 1];
    struct cbdc_entry *other = NULL;
    if (b->entry_count == 0 || view_to_text(id, text, sizeof text) != STATUS_OK)
        return NULL;
    for (struct cbdc_entry *e = cbdc_entry_at(b, *head_of(b, text)); e != NULL;
         e = cbdc_entry_at(b, e->next)) {
        if (e->kind != CBDC_LOCK || e->refusal != CBDC_FINE || strcmp(e->id, text) != 0)
            continue;
        if (view_is(releaser, e->releaser))
            return e;
        other = e;
    }
    return other;
}

/* --- expiry ---------------------------------------------------------------------------------- */
static bool earlier(const struct cbdc_books *b, size_t i, size_t k)
{
    return b->heap[i].at_us < b->heap[k].at_us ||
           (b->heap[i].at_us == b->heap[k].at_us && b->heap[i].lock < b->heap[k].lock);
}

static void swap(struct cbdc_books *b, size_t i, size_t k)
{
    struct cbdc_expiry kept = b->heap[i];
    b->heap[i] = b->heap[k];
    b->heap[k] = kept;
}

void cbdc_watch(struct cbdc_books *b, const struct cbdc_entry *lock)
{
    ENSURE(b->heap_count < b->entry_room);
    size_t at = b->heap_count++;
    b->heap[at] = (struct cbdc_expiry){ .at_us = lock->expires_us, .lock = lock->number };
    for (; at > 0 && earlier(b, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(b, at, (at - 1) / 2);
}

static void drop_first(struct cbdc_books *b)
{
    b->heap[0] = b->heap[--b->heap_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < b->heap_count && earlier(b, child, least))
                least = child;
        if (least == at)
            return;
        swap(b, at, least);
        at = least;
    }
}

void cbdc_expire_due(struct cbdc_books *b, int64_t now_us)
{
    while (b->heap_count > 0 && b->heap[0].at_us <= now_us) {
        struct cbdc_entry *lock = cbdc_entry_at(b, b->heap[0].lock);
        /* Full books cannot say that it expired, so it does not. */
        if (lock->locked_minor > 0 && !cbdc_expire(b, lock, now_us))
            return;
        drop_first(b);
    }
}

int64_t cbdc_next_expiry_us(const struct cbdc_books *b)
{
    if (b->heap_count == 0 || b->entry_count >= CBDC_ENTRIES_MAX)
        return INT64_MAX;
    return b->heap[0].at_us;
}

void cbdc_next_day(struct cbdc_books *b)
{
    b->day++;
}
uint64_t cbdc_day(const struct cbdc_books *b)
{
    return b->day;
}

/* --- life --------------------------------------------------------------------------------------
 */
static enum status fill(struct cbdc_books *b)
{
#define WALLET(name, alias, tier, balance, blocked, purposes)                                      \
    TRY(add_start(b, name, alias, CBDC_TIER_##tier, balance, blocked, purposes));
#include "wallets.def"
#undef WALLET
    return STATUS_OK;
}

struct cbdc_books *cbdc_books_open(uint64_t seed)
{
    struct cbdc_books *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->seed = seed;
    b->day = 1;
    b->names = map_open(2 * CBDC_WALLETS_MAX, seed);
    if (b->names == NULL || fill(b) != STATUS_OK) {
        cbdc_books_close(b);
        return NULL;
    }
    return b;
}

void cbdc_books_close(struct cbdc_books *b)
{
    if (b == NULL)
        return;
    if (b->names != NULL)
        map_close(b->names);
    free(b->wallets);
    free(b->entries);
    free(b->heads);
    free(b->heap);
    free(b);
}

/* --- adding up ---------------------------------------------------------------------------------
 */
struct cbdc_sums cbdc_add_up(struct cbdc_books *b)
{
    struct cbdc_sums s = { .opening_minor = b->opening_minor,
                           .issued_minor = b->issued_minor,
                           .redeemed_minor = b->redeemed_minor };
    for (uint32_t i = 0; i < b->wallet_count; i++) {
        ENSURE(b->wallets[i].balance_minor >= 0 && b->wallets[i].locked_minor >= 0);
        s.balances_minor += b->wallets[i].balance_minor;
        s.locked_minor += b->wallets[i].locked_minor;
    }
    for (uint64_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].kind == CBDC_LOCK)
            s.locks_minor += b->entries[i].locked_minor;
    return s;
}

bool cbdc_balanced(const struct cbdc_sums *s)
{
    return s->issued_minor - s->redeemed_minor == s->balances_minor + s->locked_minor &&
           s->locked_minor == s->locks_minor;
}

bool cbdc_replay(struct cbdc_books *b)
{
    int64_t(*at)[2] = calloc(b->wallet_count, sizeof *at); /* balance, locked */
    bool same = at != NULL;
    for (uint32_t i = 0; same && i < b->wallet_count; i++)
        at[i][0] = b->wallets[i].opening_minor;
    for (uint64_t i = 0; same && i < b->entry_count; i++) {
        const struct cbdc_entry *e = &b->entries[i];
        const struct cbdc_entry *lock = e->lock > 0 ? &b->entries[e->lock - 1] : NULL;
        if (e->refusal != CBDC_FINE)
            continue;
        if (e->kind == CBDC_TRANSFER || e->kind == CBDC_LOCK || e->kind == CBDC_REDEEM)
            at[e->from][0] -= e->amount_minor;
        if (e->kind == CBDC_LOCK)
            at[e->from][1] += e->amount_minor;
        else if (e->to != CBDC_NO_WALLET)
            at[e->to][0] += e->amount_minor;
        if (lock != NULL)
            at[lock->from][1] -= e->amount_minor;
    }
    for (uint32_t i = 0; same && i < b->wallet_count; i++)
        same = at[i][0] == b->wallets[i].balance_minor && at[i][1] == b->wallets[i].locked_minor;
    free(at);
    return same;
}
