/* wallet_book.c - see wallet_book.h. Money moves in one function, move(), and nowhere else; every
 * move is an entry. Deals and refunds never go away (until book_clear), so pointers to them stay.
 */
#include "wallet_book.h"

#include "base/ensure.h"
#include "base/map.h"

#include <stdlib.h>

#define BOOK_MAGIC  0x77626f6bu
#define INDEX_ROOM  65536                  /* order_ids and refund_ids; more are refused (FULL) */
#define ENTRIES_MAX (2 * WALLET_DEALS_MAX) /* a deal is booked once, a refund too */

struct book {
    uint32_t magic;
    struct book_events events;
    uint64_t seed;
    struct wallet_merchant merchants[WALLET_MERCHANTS_MAX];
    struct wallet_phone phones[WALLET_PHONES_MAX];
    struct deal **deals;
    struct refund **refunds;
    struct entry *entries;
    size_t deal_count, refund_count, entry_count;
    size_t deal_room, refund_room, entry_room;
    struct map *by_id; /* "o", "r": kind, merchant, id */
    struct map *by_code;
    struct wallet_totals totals;
};

const char *deal_kind_name(enum deal_kind kind)
{
    static const char *const NAMES[] = { "", "order", "static", "payment", "charge" };
    return NAMES[kind];
}

const char *deal_state_name(enum deal_state state)
{
    static const char *const NAMES[] = { "", "open", "paid", "canceled", "expired", "declined" };
    return NAMES[state];
}

const char *refund_state_name(enum refund_state state)
{
    static const char *const NAMES[] = { "", "open", "done", "declined" };
    return NAMES[state];
}

const char *entry_kind_name(enum entry_kind kind)
{
    static const char *const NAMES[] = { "", "paid", "charge", "payment", "refund" };
    return NAMES[kind];
}

/* --- open and close ---------------------------------------------------------------------- */
static void fill_merchants(struct book *b)
{
    static const struct {
        const char *id;
        int64_t float_minor;
        const char *key;
    } ROWS[] = {
#define MERCHANT(id, float_minor, key) { id, float_minor, key },
#include "merchants.def"
#undef MERCHANT
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct wallet_merchant *m = &b->merchants[i];
        ENSURE(view_to_text(view_text(ROWS[i].id), m->id, sizeof m->id) == STATUS_OK);
        ENSURE(hex_decode(view_text(ROWS[i].key), m->key, sizeof m->key, &m->key_len) == STATUS_OK);
        m->opening_minor = ROWS[i].float_minor;
    }
}

static void fill_phones(struct book *b)
{
    static const struct wallet_phone ROWS[] = {
#define PHONE(phone_name, balance, does)                                                           \
    { .name = phone_name, .habit = HABIT_##does, .opening_minor = balance },
#include "phones.def"
#undef PHONE
    };
    memset(b->phones, 0, sizeof b->phones);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        b->phones[i] = ROWS[i];
        b->phones[i].balance_minor = ROWS[i].opening_minor;
    }
}

static bool open_maps(struct book *b)
{
    b->by_id = map_open(INDEX_ROOM, b->seed);
    b->by_code = map_open(INDEX_ROOM, b->seed + 1);
    return b->by_id != NULL && b->by_code != NULL;
}

static void close_maps(struct book *b)
{
    if (b->by_id != NULL)
        map_close(b->by_id);
    if (b->by_code != NULL)
        map_close(b->by_code);
}

struct book *book_open(const struct book_events *events, uint64_t seed)
{
    struct book *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->magic = BOOK_MAGIC;
    b->events = *events;
    b->seed = seed;
    fill_merchants(b);
    if (!open_maps(b)) {
        book_close(b);
        return NULL;
    }
    fill_phones(b);
    for (size_t i = 0; i < WALLET_MERCHANTS_MAX; i++)
        b->merchants[i].float_minor = b->merchants[i].opening_minor;
    return b;
}

static void forget(struct book *b)
{
    for (size_t i = 0; i < b->deal_count; i++) {
        free(b->deals[i]->code);
        free(b->deals[i]->notice_url);
        free(b->deals[i]);
    }
    for (size_t i = 0; i < b->refund_count; i++) {
        free(b->refunds[i]->notice_url);
        free(b->refunds[i]);
    }
    b->deal_count = b->refund_count = b->entry_count = 0;
    b->totals = (struct wallet_totals){ 0 };
}

void book_clear(struct book *b)
{
    ENSURE_MAGIC(b, BOOK_MAGIC);
    forget(b);
    close_maps(b);
    ENSURE(open_maps(b));
    fill_phones(b);
    for (size_t i = 0; i < WALLET_MERCHANTS_MAX; i++)
        b->merchants[i].float_minor = b->merchants[i].opening_minor;
}

void book_close(struct book *b)
{
    if (b == NULL)
        return;
    ENSURE_MAGIC(b, BOOK_MAGIC);
    forget(b);
    close_maps(b);
    free(b->deals);
    free(b->refunds);
    free(b->entries);
    free(b);
}

/* --- merchants and phones ---------------------------------------------------------------- */
struct wallet_merchant *book_merchant(struct book *b, size_t index)
{
    return index < WALLET_MERCHANTS_MAX && b->merchants[index].id[0] != '\0' ? &b->merchants[index]
                                                                             : NULL;
}

size_t book_merchant_named(const struct book *b, struct view id)
{
    for (size_t i = 0; id.len > 0 && i < WALLET_MERCHANTS_MAX; i++)
        if (view_is(id, b->merchants[i].id))
            return i;
    return WALLET_MERCHANTS_MAX;
}

enum status book_set_key(struct book *b, struct view id, struct view key)
{
    size_t at = book_merchant_named(b, id);
    if (id.len == 0 || key.len == 0 || key.len > WALLET_KEY_MAX)
        return STATUS_RANGE;
    for (size_t i = 0; at == WALLET_MERCHANTS_MAX && i < WALLET_MERCHANTS_MAX; i++)
        if (b->merchants[i].id[0] == '\0') {
            TRY(view_to_text(id, b->merchants[i].id, sizeof b->merchants[i].id));
            b->merchants[i].opening_minor = b->merchants[i].float_minor =
                b->merchants[0].opening_minor;
            at = i;
        }
    if (at == WALLET_MERCHANTS_MAX)
        return STATUS_FULL;
    memcpy(b->merchants[at].key, key.ptr, key.len);
    b->merchants[at].key_len = key.len;
    return STATUS_OK;
}

struct wallet_phone *book_phone(struct book *b, size_t index)
{
    return index < WALLET_PHONES_MAX && b->phones[index].name[0] != '\0' ? &b->phones[index] : NULL;
}

struct wallet_phone *book_phone_named(struct book *b, struct view name)
{
    struct wallet_phone *phone = NULL;
    for (size_t i = 0; (phone = book_phone(b, i)) != NULL; i++)
        if (view_is(name, phone->name))
            return phone;
    return NULL;
}

enum status book_set_balance(struct book *b, struct view name, int64_t balance_minor)
{
    struct wallet_phone *phone = book_phone_named(b, name);
    if (phone == NULL)
        return STATUS_NOT_FOUND;
    phone->opening_minor += balance_minor - phone->balance_minor;
    phone->balance_minor = balance_minor;
    return STATUS_OK;
}

/* --- finding ----------------------------------------------------------------------------- */
static struct view id_key(uint8_t room[static MAP_KEY_MAX], char kind, size_t merchant,
                          struct view id)
{
    struct writer w = writer_over(room, MAP_KEY_MAX);
    writer_u8(&w, (uint8_t)kind);
    writer_u8(&w, (uint8_t)('A' + merchant));
    writer_view(&w, view_slice(id, 0, WALLET_ID_MAX));
    return writer_done(&w);
}

static struct view code_key(uint8_t room[static MAP_KEY_MAX], struct view code)
{
    struct writer w = writer_over(room, MAP_KEY_MAX);
    writer_u64_be(&w, siphash(1, 2, code));
    writer_u64_be(&w, siphash(3, 4, code));
    return writer_done(&w);
}

struct deal *book_deal(struct book *b, size_t merchant, struct view order_id)
{
    uint8_t room[MAP_KEY_MAX];
    return order_id.len == 0 || order_id.len > WALLET_ID_MAX
               ? NULL
               : map_get(b->by_id, id_key(room, 'o', merchant, order_id));
}

struct deal *book_deal_numbered(struct book *b, uint32_t number)
{
    return number >= 1 && number <= b->deal_count ? b->deals[number - 1] : NULL;
}

struct refund *book_refund(struct book *b, size_t merchant, struct view refund_id)
{
    uint8_t room[MAP_KEY_MAX];
    return refund_id.len == 0 || refund_id.len > WALLET_ID_MAX
               ? NULL
               : map_get(b->by_id, id_key(room, 'r', merchant, refund_id));
}

struct deal *book_order_of_code(struct book *b, struct view code)
{
    uint8_t room[MAP_KEY_MAX];
    return map_get(b->by_code, code_key(room, code));
}

struct deal *book_next_deal(const struct book *b, size_t *position)
{
    return *position < b->deal_count ? b->deals[(*position)++] : NULL;
}

bool book_code_was_paid(const struct book *b, struct view code)
{
    for (size_t i = 0; i < b->deal_count; i++) {
        const struct deal *d = b->deals[i];
        bool uses = (d->kind == DEAL_PAYMENT && d->read.dynamic) || d->kind == DEAL_CHARGE;
        if (uses && (d->state == DEAL_PAID || d->state == DEAL_OPEN) && view_is(code, d->code))
            return true;
    }
    return false;
}

/* --- adding ------------------------------------------------------------------------------ */
static bool grow(void **array, size_t *room, size_t count, size_t item, size_t max)
{
    if (count < *room)
        return true;
    size_t wanted = *room > 0 ? *room * 2 : 256;
    void *larger = wanted <= max ? realloc(*array, wanted * item) : NULL;
    if (larger == NULL)
        return false;
    *array = larger;
    *room = wanted;
    return true;
}

enum status book_add_deal(struct book *b, const struct deal *from, struct deal **out)
{
    uint8_t room[MAP_KEY_MAX];
    ENSURE_MAGIC(b, BOOK_MAGIC);
    struct view id = view_text(from->order_id);
    if (id.len > 0 && map_get(b->by_id, id_key(room, 'o', from->merchant, id)) != NULL)
        return STATUS_EXISTS;
    if (!grow((void **)&b->deals, &b->deal_room, b->deal_count, sizeof(struct deal *),
              WALLET_DEALS_MAX))
        return STATUS_FULL;
    struct deal *d = malloc(sizeof *d);
    ENSURE(d != NULL);
    *d = *from;
    d->number = (uint32_t)b->deal_count + 1;
    d->code = strdup(from->code != NULL ? from->code : "");
    d->notice_url = strdup(from->notice_url != NULL ? from->notice_url : "");
    ENSURE(d->code != NULL && d->notice_url != NULL);
    for (size_t i = 0; i < d->read.reference_count; i++) /* into the copy of the code */
        d->read.references[i].ptr =
            (uint8_t *)d->code + (from->read.references[i].ptr - (const uint8_t *)from->code);
    d->read.name = VIEW_EMPTY;
    enum status s = STATUS_OK;
    if (id.len > 0)
        s = map_put(b->by_id, id_key(room, 'o', from->merchant, id), d);
    if (s != STATUS_OK) {
        free(d->code);
        free(d->notice_url);
        free(d);
        return s;
    }
    if (d->kind == DEAL_ORDER)
        IGNORE_STATUS(map_put(b->by_code, code_key(room, view_text(d->code)), d)); /* the first */
    b->deals[b->deal_count++] = d;
    *out = d;
    return STATUS_OK;
}

enum status book_add_refund(struct book *b, const struct refund *from, struct refund **out)
{
    uint8_t room[MAP_KEY_MAX];
    struct view id = view_text(from->refund_id);
    ENSURE(id.len > 0);
    if (!grow((void **)&b->refunds, &b->refund_room, b->refund_count, sizeof(struct refund *),
              WALLET_DEALS_MAX))
        return STATUS_FULL;
    struct refund *r = malloc(sizeof *r);
    ENSURE(r != NULL);
    *r = *from;
    r->number = (uint32_t)b->refund_count + 1;
    r->notice_url = strdup(from->notice_url != NULL ? from->notice_url : "");
    ENSURE(r->notice_url != NULL);
    enum status s = map_put(b->by_id, id_key(room, 'r', from->merchant, id), r);
    if (s != STATUS_OK) {
        free(r->notice_url);
        free(r);
        return s;
    }
    if (r->state == REFUND_OPEN)
        r->deal->refunded_minor += r->amount_minor; /* set aside */
    b->refunds[b->refund_count++] = r;
    *out = r;
    return STATUS_OK;
}

/* --- money ------------------------------------------------------------------------------- */
static void move(struct book *b, enum entry_kind kind, const struct deal *deal,
                 const struct refund *refund, int64_t amount_minor, bool wrong, int64_t wall_us)
{
    /* What a merchant gains of it; the phone on the other side, if it is one of ours, loses it. */
    int64_t gain_minor = deal->kind == DEAL_PAYMENT ? -amount_minor : amount_minor;
    if (kind == ENTRY_REFUND)
        gain_minor = -gain_minor;
    b->merchants[deal->merchant].float_minor += gain_minor;
    if (deal->phone != NULL)
        deal->phone->balance_minor -= gain_minor;
    switch (kind) {
    case ENTRY_PAID: b->totals.paid_minor += amount_minor; break;
    case ENTRY_CHARGE: b->totals.charged_minor += amount_minor; break;
    case ENTRY_PAYMENT: b->totals.payments_minor += amount_minor; break;
    case ENTRY_REFUND: b->totals.refunded_minor += amount_minor; break;
    }
    ENSURE(grow((void **)&b->entries, &b->entry_room, b->entry_count, sizeof(struct entry),
                ENTRIES_MAX));
    b->entries[b->entry_count++] = (struct entry){ .kind = kind,
                                                   .deal = deal,
                                                   .refund = refund,
                                                   .amount_minor = amount_minor,
                                                   .at_us = wall_us,
                                                   .wrong = wrong };
}

static const char *phone_refusal(const struct wallet_phone *phone, int64_t amount_minor)
{
    if (phone->habit == HABIT_BLOCKED)
        return "wallet_blocked";
    if (phone->habit == HABIT_DECLINED)
        return "declined_by_issuer";
    return amount_minor > phone->balance_minor ? "insufficient_funds" : NULL;
}

const char *book_phone_refusal(struct book *b, const struct wallet_phone *phone,
                               int64_t amount_minor)
{
    const char *why = phone_refusal(phone, amount_minor);
    if (why != NULL)
        b->totals.refused++;
    return why;
}

const char *book_pay(struct book *b, struct deal *deal, struct wallet_phone *phone,
                     int64_t amount_minor, bool late, int64_t wall_us)
{
    const char *why = NULL;
    ENSURE_MAGIC(b, BOOK_MAGIC);
    ENSURE(deal->kind == DEAL_ORDER || deal->kind == DEAL_STATIC);
    if (deal->state == DEAL_PAID)
        why = "already_paid";
    else if (deal->state != DEAL_OPEN && !late)
        why = deal_state_name(deal->state);
    else
        why = phone_refusal(phone, amount_minor);
    if (why != NULL) {
        b->totals.refused++;
        return why;
    }
    bool wrong = deal->state != DEAL_OPEN;
    deal->state = DEAL_PAID;
    deal->phone = phone;
    deal->paid_minor = amount_minor;
    deal->paid_us = wall_us;
    move(b, ENTRY_PAID, deal, NULL, amount_minor, wrong, wall_us);
    b->events.deal(b->events.arg, deal);
    return NULL;
}

static const char *settle_refusal(const struct book *b, const struct deal *deal)
{
    if (deal->phone != NULL)
        return phone_refusal(deal->phone, deal->amount_minor);
    return deal->amount_minor > b->merchants[deal->merchant].float_minor ? "insufficient_funds"
                                                                         : NULL;
}

const char *book_settle(struct book *b, struct deal *deal, const char *reason, int64_t wall_us)
{
    ENSURE_MAGIC(b, BOOK_MAGIC);
    ENSURE(deal->kind == DEAL_PAYMENT || deal->kind == DEAL_CHARGE);
    ENSURE(deal->state == DEAL_OPEN);
    if (reason == NULL)
        reason = settle_refusal(b, deal);
    if (reason != NULL) {
        b->totals.refused++;
        deal->state = DEAL_DECLINED;
        deal->reason = reason;
        return reason;
    }
    deal->state = DEAL_PAID;
    deal->paid_minor = deal->amount_minor;
    deal->paid_us = wall_us;
    move(b, deal->kind == DEAL_PAYMENT ? ENTRY_PAYMENT : ENTRY_CHARGE, deal, NULL,
         deal->amount_minor, false, wall_us);
    return NULL;
}

void book_cancel(struct book *b, struct deal *deal)
{
    (void)b;
    ENSURE(deal->kind == DEAL_ORDER && deal->state == DEAL_OPEN);
    deal->state = DEAL_CANCELED;
}

void book_expire(struct book *b, struct deal *deal)
{
    ENSURE(deal->kind == DEAL_ORDER && deal->state == DEAL_OPEN);
    deal->state = DEAL_EXPIRED;
    b->events.deal(b->events.arg, deal);
}

/* --- refunds ----------------------------------------------------------------------------- */
const char *book_refund_refusal(const struct book *b, const struct refund *refund)
{
    const struct deal *d = refund->deal;
    int64_t aside_minor = refund->state == REFUND_OPEN ? refund->amount_minor : 0;
    if (d->state != DEAL_PAID)
        return "not_paid";
    if (refund->amount_minor > d->paid_minor - (d->refunded_minor - aside_minor))
        return "over_paid";
    if (d->phone != NULL && d->phone->habit == HABIT_CLOSED)
        return "account_closed";
    if (d->kind != DEAL_PAYMENT && refund->amount_minor > b->merchants[d->merchant].float_minor)
        return "insufficient_float";
    return NULL;
}

void book_settle_refund(struct book *b, struct refund *refund, const char *reason, int64_t wall_us)
{
    ENSURE_MAGIC(b, BOOK_MAGIC);
    ENSURE(refund->state == REFUND_OPEN);
    if (reason == NULL)
        reason = book_refund_refusal(b, refund);
    if (reason != NULL) {
        refund->deal->refunded_minor -= refund->amount_minor;
        refund->state = REFUND_DECLINED;
        refund->reason = reason;
        return;
    }
    refund->state = REFUND_DONE;
    move(b, ENTRY_REFUND, refund->deal, refund, refund->amount_minor, false, wall_us);
}

const struct wallet_totals *book_totals(const struct book *b)
{
    return &b->totals;
}

const struct entry *book_entry(const struct book *b, uint64_t number)
{
    return number >= 1 && number <= b->entry_count ? &b->entries[number - 1] : NULL;
}

uint64_t book_entry_count(const struct book *b)
{
    return b->entry_count;
}
