/* cbdc_book.c - see cbdc_book.h. Each kind of operation is one function of `check` and one of
 * `move`: the first only looks and says FINE or why not, the second only moves and cannot fail. */
#include "book_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* --- words --------------------------------------------------------------------------------- */
static const struct {
    int http;
    const char *word, *sentence;
} REFUSALS[] = {
    { 0, "", "" },
    { 200, "", "" },
#define REFUSAL(name, http, word, sentence) { http, word, sentence },
#include "refusals.def"
#undef REFUSAL
};
_Static_assert(COUNT_OF(REFUSALS) == CBDC_REFUSAL_COUNT, "refusals.def");

int cbdc_refusal_http(enum cbdc_refusal refusal)
{
    return REFUSALS[refusal].http;
}
const char *cbdc_refusal_word(enum cbdc_refusal refusal)
{
    return REFUSALS[refusal].word;
}
const char *cbdc_refusal_sentence(enum cbdc_refusal refusal)
{
    return REFUSALS[refusal].sentence;
}

const char *cbdc_kind_name(enum cbdc_kind kind)
{
    static const char *const NAMES[] = { "none",   "transfer", "lock",   "release",
                                         "cancel", "issue",    "redeem", "expire" };
    return NAMES[kind <= CBDC_EXPIRE ? kind : 0];
}
const char *cbdc_state_name(enum cbdc_state state)
{
    static const char *const NAMES[] = { "none",     "declined", "settled", "locked",
                                         "released", "canceled", "expired" };
    return NAMES[state <= CBDC_EXPIRED ? state : 0];
}

/* --- what is said no to --------------------------------------------------------------------- */
static bool allows(const struct cbdc_wallet *w, struct view purpose)
{
    if (purpose.len == 0)
        return true;
    for (unsigned i = 0; i < w->purpose_count; i++)
        if (view_is(purpose, w->purposes[i]))
            return true;
    return false;
}

/* What is locked of a wallet counts as held, so that it can always come back. */
static bool may_hold(const struct cbdc_wallet *w, int64_t amount_minor)
{
    int64_t limit = cbdc_tier_limits(w->tier).holding_minor;
    return limit == NO_LIMIT || amount_minor <= limit - w->balance_minor - w->locked_minor;
}

static enum cbdc_refusal may_pay(const struct cbdc_books *b, const struct cbdc_wallet *w,
                                 int64_t amount_minor)
{
    struct cbdc_limits limits = cbdc_tier_limits(w->tier);
    if (amount_minor > limits.single_minor)
        return CBDC_SINGLE_LIMIT;
    if (limits.day_minor != NO_LIMIT && amount_minor > limits.day_minor - cbdc_wallet_spent(b, w))
        return CBDC_DAY_LIMIT;
    return amount_minor > w->balance_minor ? CBDC_INSUFFICIENT_FUNDS : CBDC_FINE;
}

/* TRANSFER and LOCK. */
static enum cbdc_refusal check_payment(struct cbdc_books *b, const struct cbdc_ask *ask,
                                       uint32_t from, uint32_t to)
{
    if (from == CBDC_NO_WALLET || to == CBDC_NO_WALLET)
        return CBDC_UNKNOWN_WALLET;
    const struct cbdc_wallet *payer = cbdc_wallet_at(b, from), *payee = cbdc_wallet_at(b, to);
    if (payer->blocked || payee->blocked)
        return CBDC_WALLET_BLOCKED;
    if (from == to)
        return CBDC_SAME_WALLET;
    if (!allows(payee, ask->purpose))
        return CBDC_WRONG_PURPOSE;
    enum cbdc_refusal refusal = may_pay(b, payer, ask->amount_minor);
    if (refusal != CBDC_FINE)
        return refusal;
    return ask->kind == CBDC_TRANSFER && !may_hold(payee, ask->amount_minor) ? CBDC_HOLDING_LIMIT
                                                                             : CBDC_FINE;
}

static enum cbdc_refusal check_release(struct cbdc_books *b, const struct cbdc_ask *ask,
                                       const struct cbdc_entry *lock)
{
    const struct cbdc_wallet *payee = cbdc_wallet_at(b, lock->to);
    if (lock->state == CBDC_EXPIRED)
        return CBDC_LOCK_EXPIRED;
    if (lock->locked_minor == 0)
        return CBDC_NOTHING_LOCKED;
    if (ask->amount_minor > lock->locked_minor)
        return CBDC_OVER_LOCKED;
    if (payee->blocked)
        return CBDC_WALLET_BLOCKED;
    if (!allows(payee, view_text(lock->purpose)))
        return CBDC_WRONG_PURPOSE;
    return may_hold(payee, ask->amount_minor) ? CBDC_FINE : CBDC_HOLDING_LIMIT;
}

/* ISSUE and REDEEM. */
static enum cbdc_refusal check_supply(struct cbdc_books *b, const struct cbdc_ask *ask,
                                      uint32_t wallet)
{
    int64_t sum = 0;
    if (wallet == CBDC_NO_WALLET)
        return CBDC_UNKNOWN_WALLET;
    const struct cbdc_wallet *w = cbdc_wallet_at(b, wallet);
    if (w->blocked)
        return CBDC_WALLET_BLOCKED;
    if (ask->kind == CBDC_REDEEM)
        return ask->amount_minor > w->balance_minor ? CBDC_INSUFFICIENT_FUNDS : CBDC_FINE;
    if (__builtin_add_overflow(b->issued_minor, ask->amount_minor, &sum))
        return CBDC_SUPPLY_LIMIT;
    return may_hold(w, ask->amount_minor) ? CBDC_FINE : CBDC_HOLDING_LIMIT;
}

/* --- what moves ------------------------------------------------------------------------------ */
static void spend(struct cbdc_books *b, struct cbdc_wallet *w, int64_t amount_minor)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(cbdc_wallet_spent(b, w), amount_minor, &sum))
        sum = INT64_MAX; /* only where there is no limit for a day */
    w->spent_minor = sum;
    w->spent_day = b->day;
}

static void move_lock(struct cbdc_books *b, struct cbdc_entry *e)
{
    struct cbdc_wallet *payer = cbdc_wallet_at(b, e->from);
    spend(b, payer, e->amount_minor);
    payer->balance_minor -= e->amount_minor;
    payer->locked_minor += e->amount_minor;
    e->locked_minor = e->amount_minor;
    e->state = CBDC_LOCKED;
    cbdc_watch(b, e);
}

static void move_release(struct cbdc_books *b, struct cbdc_entry *e, struct cbdc_entry *lock)
{
    cbdc_wallet_at(b, lock->from)->locked_minor -= e->amount_minor;
    cbdc_wallet_at(b, lock->to)->balance_minor += e->amount_minor;
    lock->locked_minor -= e->amount_minor;
    lock->released_minor += e->amount_minor;
    e->locked_minor = lock->locked_minor;
    if (lock->locked_minor == 0)
        lock->state = CBDC_RELEASED;
}

/* CANCEL and EXPIRE. */
static void give_back(struct cbdc_books *b, struct cbdc_entry *e, struct cbdc_entry *lock,
                      enum cbdc_state end)
{
    struct cbdc_wallet *payer = cbdc_wallet_at(b, lock->from);
    e->amount_minor = lock->locked_minor;
    payer->locked_minor -= e->amount_minor;
    payer->balance_minor += e->amount_minor;
    int64_t spent_minor = cbdc_wallet_spent(b, payer);
    if (lock->day == b->day && spent_minor >= e->amount_minor)
        payer->spent_minor = spent_minor - e->amount_minor;
    lock->locked_minor = 0;
    lock->state = end;
    e->state = end;
}

static void move(struct cbdc_books *b, struct cbdc_entry *e, struct cbdc_entry *lock)
{
    struct cbdc_wallet *from = e->from != CBDC_NO_WALLET ? cbdc_wallet_at(b, e->from) : NULL;
    struct cbdc_wallet *to = e->to != CBDC_NO_WALLET ? cbdc_wallet_at(b, e->to) : NULL;
    e->state = CBDC_SETTLED;
    switch (e->kind) {
    case CBDC_TRANSFER:
        ENSURE(from != NULL && to != NULL);
        spend(b, from, e->amount_minor);
        from->balance_minor -= e->amount_minor;
        to->balance_minor += e->amount_minor;
        break;
    case CBDC_LOCK: move_lock(b, e); break;
    case CBDC_RELEASE:
    case CBDC_CANCEL:
    case CBDC_EXPIRE:
        ENSURE(lock != NULL);
        if (e->kind == CBDC_RELEASE)
            move_release(b, e, lock);
        else
            give_back(b, e, lock, e->kind == CBDC_CANCEL ? CBDC_CANCELED : CBDC_EXPIRED);
        break;
    case CBDC_ISSUE:
        ENSURE(to != NULL);
        b->issued_minor += e->amount_minor;
        to->balance_minor += e->amount_minor;
        break;
    case CBDC_REDEEM:
        ENSURE(from != NULL);
        b->redeemed_minor += e->amount_minor;
        from->balance_minor -= e->amount_minor;
        break;
    }
}

/* --- booking --------------------------------------------------------------------------------- */
static void copy(char *out, size_t room, struct view text)
{
    /* Whoever asks has looked at lengths already; a text that is too long is not what we know. */
    if (view_to_text(text, out, room) != STATUS_OK)
        out[0] = '\0';
}

static struct cbdc_entry *enter(struct cbdc_books *b, const struct cbdc_ask *ask, int64_t now_us)
{
    struct cbdc_entry *e = cbdc_entry_new(b);
    if (e == NULL)
        return NULL;
    e->kind = ask->kind;
    e->refusal = CBDC_FINE;
    copy(e->client, sizeof e->client, ask->client);
    copy(e->id, sizeof e->id, ask->id);
    copy(e->releaser, sizeof e->releaser, ask->releaser);
    copy(e->purpose, sizeof e->purpose, ask->purpose);
    memcpy(e->content, ask->content, sizeof e->content);
    e->amount_minor = ask->amount_minor;
    e->expires_us = ask->expires_us;
    e->at_us = now_us;
    e->day = b->day;
    e->arrivals = 1;
    return e;
}

static enum cbdc_refusal check(struct cbdc_books *b, const struct cbdc_ask *ask, uint32_t from,
                               uint32_t to, const struct cbdc_entry *lock)
{
    switch (ask->kind) {
    case CBDC_TRANSFER:
    case CBDC_LOCK: return check_payment(b, ask, from, to);
    case CBDC_RELEASE: return check_release(b, ask, lock);
    case CBDC_CANCEL: return lock->locked_minor > 0 ? CBDC_FINE : CBDC_NOTHING_LOCKED;
    case CBDC_ISSUE: return check_supply(b, ask, to);
    case CBDC_REDEEM: return check_supply(b, ask, from);
    case CBDC_EXPIRE: break;
    }
    return CBDC_MALFORMED; /* nobody asks for it */
}

enum cbdc_refusal cbdc_book(struct cbdc_books *b, const struct cbdc_ask *ask, int64_t now_us,
                            struct cbdc_entry **entry)
{
    struct cbdc_entry *lock = NULL;
    uint64_t lock_number = 0;
    uint32_t from = ask->kind != CBDC_ISSUE ? cbdc_wallet_find(b, ask->from) : CBDC_NO_WALLET;
    uint32_t to = ask->kind != CBDC_REDEEM ? cbdc_wallet_find(b, ask->to) : CBDC_NO_WALLET;
    *entry = NULL;
    cbdc_expire_due(b, now_us);
    if (ask->kind == CBDC_RELEASE || ask->kind == CBDC_CANCEL) {
        lock = cbdc_find_lock(b, ask->client, ask->lock);
        if (lock == NULL)
            return CBDC_NOT_FOUND;
        if (!view_is(ask->client, lock->releaser))
            return CBDC_NOT_RELEASER;
        lock_number = lock->number;
        from = ask->kind == CBDC_RELEASE ? lock->from : CBDC_NO_WALLET;
        to = ask->kind == CBDC_RELEASE ? lock->to : lock->from;
    }
    enum cbdc_refusal refusal = ask->wish != CBDC_FINE ? ask->wish : check(b, ask, from, to, lock);
    struct cbdc_entry *e = enter(b, ask, now_us);
    if (e == NULL)
        return CBDC_UNAVAILABLE;
    if (lock != NULL)
        lock = cbdc_entry_at(b, lock_number); /* entries may have moved */
    e->from = from;
    e->to = to;
    e->lock = lock_number;
    e->refusal = refusal;
    e->state = CBDC_DECLINED;
    if (refusal == CBDC_FINE)
        move(b, e, lock);
    cbdc_index(b, e);
    *entry = e;
    return refusal;
}

bool cbdc_expire(struct cbdc_books *b, struct cbdc_entry *lock, int64_t now_us)
{
    if (lock->kind != CBDC_LOCK || lock->locked_minor == 0)
        return false;
    uint64_t number = lock->number;
    struct cbdc_entry *e = cbdc_entry_new(b);
    if (e == NULL)
        return false; /* the books are full: nothing moves any more */
    lock = cbdc_entry_at(b, number);
    e->kind = CBDC_EXPIRE;
    e->refusal = CBDC_FINE;
    memcpy(e->client, lock->client, sizeof e->client);
    memcpy(e->id, lock->id, sizeof e->id);
    e->from = CBDC_NO_WALLET;
    e->to = lock->from;
    e->lock = number;
    e->at_us = now_us;
    e->day = b->day;
    move(b, e, lock); /* not indexed: the id is the lock's */
    return true;
}
