/* hold_kept.c - what is kept of a held payment, and how it becomes a request again.
 *
 * What going on needs is sealed into the held row: the method's details, who the payer is, which
 * counters begin anew. Card data is not: it is never written to disk, stays in vault memory
 * (`kept`), and a card payment that waits does not outlive a restart: its confirmation ends it, and
 * nothing was sent.
 */
#include "payment/hold_int.h"

#include "payment/facts.h"

#define KEPT_MAX     8192 /* held card payments in memory */
#define KEPT_OF_ONE  1024 /* of one merchant */
#define HOLD_VERSION 1

/* --- what is sealed -----------------------------------------------------------------------------
 */

static struct view payment_key(const int64_t *id)
{
    return view_of(id, sizeof *id);
}

static struct view seal_context(const int64_t *payment, uint8_t out[16])
{
    struct writer w = writer_over(out, 16);
    writer_text(&w, "held");
    writer_u64_be(&w, (uint64_t)*payment);
    return writer_done(&w);
}

static void put_part(struct writer *w, struct view part)
{
    writer_u16_be(w, (uint16_t)part.len);
    writer_view(w, part);
}

static bool may_be_held(const struct ruling *ruling)
{
    if (ruling->verdict == VERDICT_CHALLENGE || ruling->verdict == VERDICT_REVIEW)
        return true;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum verdict verdict = ruling->reservations[i].verdict;
        if (verdict == VERDICT_CHALLENGE || verdict == VERDICT_REVIEW)
            return true;
    }
    return false;
}

/* Counters that begin anew when the payer is authenticated: those the decision names, and the one
 * whose exemption is used up. */
static void put_resets(struct work *work, struct writer *w)
{
    const struct ruling *ruling = work->ruling;
    uint8_t count = 0;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum reservation_kind kind = ruling->reservations[i].kind;
        count += kind == RESERVE_RESET || kind == RESERVE_SINCE_AUTHENTICATION;
    }
    writer_u8(w, count);
    decide_spends(work); /* for their keys; the change is begun anew before it is committed */
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum reservation_kind kind = ruling->reservations[i].kind;
        if (kind == RESERVE_RESET || kind == RESERVE_SINCE_AUTHENTICATION)
            writer_bytes(w, work->txn.spends[i].key, sizeof work->txn.spends[i].key);
    }
}

/* There is room for the card data of one more that waits; no merchant takes it all. */
static bool may_keep(const struct work *work)
{
    size_t position = 0, own = 0;
    struct view key;
    void *value;
    while (map_next(work->room->kept, &position, &key, &value))
        own += ((const struct payment_request *)value)->merchant == work->merchant;
    return own < KEPT_OF_ONE && map_count(work->room->kept) < KEPT_MAX;
}

enum status hold_seal(struct work *work)
{
    struct ruling *ruling = work->ruling;
    const struct payment_request *r = work->request;
    const struct compliance_facts *facts = r->facts;
    if (!may_be_held(ruling))
        return STATUS_OK;
    bool card = r->rail == RAIL_CARD;
    if (card && !may_keep(work))
        return STATUS_BUSY;
    size_t size = 2048 + r->details.len;
    uint8_t *plain = arena_alloc(&work->keep, size);
    uint8_t *sealed = arena_alloc(&work->keep, 1 + size + SECRET_SEAL_OVERHEAD);
    if (plain == NULL || sealed == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(plain, size);
    writer_u8(&w, HOLD_VERSION);
    writer_u64_be(&w, (uint64_t)work->operation);
    writer_u64_be(&w, (uint64_t)ruling->authenticate_for_us);
    writer_u64_be(&w, (uint64_t)ruling->wrong_max);
    writer_u8(&w, facts->values[FACT_AUTHENTICATED].given &&
                      facts->values[FACT_AUTHENTICATED].number != 0);
    put_part(&w, ruling->region);
    put_part(&w, facts_bound_payer(facts));
    put_part(&w, facts_bound_payee(facts));
    put_part(&w, ruling->methods);
    put_resets(work, &w);
    put_part(&w, card ? VIEW_EMPTY : r->details);
    TRY(writer_status(&w));
    sealed[0] = 0;
    struct writer s = writer_over(sealed + 1, size + SECRET_SEAL_OVERHEAD);
    uint8_t context[16];
    TRY(secret_seal(work->room->seal, seal_context(&work->payment, context), writer_done(&w), &s));
    ruling->held = view_of(sealed, 1 + s.len);
    return STATUS_OK;
}

static enum status take_part(struct cursor *c, struct view *out)
{
    uint16_t len = 0;
    TRY(cursor_u16_be(c, &len));
    return cursor_take(c, len, out);
}

static enum status take_number(struct cursor *c, int64_t *out)
{
    uint64_t number = 0;
    TRY(cursor_u64_be(c, &number));
    *out = (int64_t)number;
    return STATUS_OK;
}

static enum status hold_read(struct cursor *c, struct hold *hold)
{
    uint8_t version = 0, authenticated = 0, count = 0;
    TRY(cursor_u8(c, &version));
    if (version != HOLD_VERSION)
        return STATUS_UNSUPPORTED;
    TRY(take_number(c, &hold->operation));
    TRY(take_number(c, &hold->authenticate_for_us));
    TRY(take_number(c, &hold->wrong_max));
    TRY(cursor_u8(c, &authenticated));
    hold->authenticated = authenticated != 0;
    TRY(take_part(c, &hold->region));
    TRY(take_part(c, &hold->payer));
    TRY(take_part(c, &hold->payee));
    TRY(take_part(c, &hold->methods));
    TRY(cursor_u8(c, &count));
    if (count > HOLD_RESETS_MAX)
        return STATUS_MALFORMED;
    hold->reset_count = count;
    for (size_t i = 0; i < count; i++) {
        struct view key;
        TRY(cursor_take(c, sizeof hold->resets[i], &key));
        memcpy(hold->resets[i], key.ptr, key.len);
    }
    return take_part(c, &hold->details);
}

enum status hold_open(struct work *work, const struct payment_row *row, const struct held_row *held)
{
    struct hold *hold = ARENA_NEW(&work->keep, struct hold);
    uint8_t *plain = arena_alloc(&work->keep, held->data.len + 1);
    uint8_t context[16];
    if (hold == NULL || plain == NULL)
        return STATUS_NO_MEMORY;
    if (held->data.len < 1)
        return STATUS_MALFORMED;
    struct writer w = writer_over(plain, held->data.len);
    work->payment = row->id;
    work->merchant = row->merchant;
    TRY(secret_unseal(work->room->seal, seal_context(&work->payment, context),
                      view_slice(held->data, 1, SIZE_MAX), &w));
    struct cursor c = cursor_over(writer_done(&w));
    TRY(hold_read(&c, hold));
    hold->challenge_next = held->data.ptr[0] == 1;
    TRY(currency_by_code(view_text(row->currency), &work->currency));
    work->hold = hold;
    work->held = *held;
    work->wrong_max = hold->wrong_max;
    work->operation = hold->operation;
    work->region = hold->region;
    work->kind = row->capture == CAPTURE_MANUAL ? OPERATION_AUTHORISE : OPERATION_SALE;
    return STATUS_OK;
}

/* --- card data in memory ------------------------------------------------------------------------
 */

void hold_begun(struct work *work)
{
    struct payments *room = work->room;
    struct payment_request *r = work->request;
    hold_one_more(room);
    if (work->txn.held.kind == HELD_REVIEW)
        room->stats.reviewed++;
    else
        room->stats.challenged++;
    if (r == NULL || r->rail != RAIL_CARD)
        return;
    /* Without room it cannot go on later, and says so then. */
    if (map_put(room->kept, payment_key(&work->payment), r) == STATUS_OK) {
        work->request = NULL;
        work->details = VIEW_EMPTY;
    }
}

void hold_forget_kept(struct payments *room, int64_t payment)
{
    struct payment_request *kept = map_take(room->kept, payment_key(&payment));
    if (kept != NULL)
        payment_request_drop(room, kept);
}

void hold_put_back(struct work *work)
{
    struct payment_request *r = work->request;
    if (r == NULL || r->rail != RAIL_CARD || r->confirm)
        return;
    if (map_put(work->room->kept, payment_key(&work->payment), r) == STATUS_OK) {
        work->request = NULL;
        work->details = VIEW_EMPTY;
    }
}

enum status hold_kept_open(struct payments *room)
{
    room->kept = map_open(KEPT_MAX, loop_random_u64(room->o.loop));
    return room->kept != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void hold_kept_close(struct payments *room)
{
    size_t position = 0;
    struct view key;
    void *value;
    if (room->kept != NULL) {
        while (map_next(room->kept, &position, &key, &value))
            payment_request_drop(room, value);
        map_close(room->kept);
    }
    room->kept = NULL;
}

/* --- going on ----------------------------------------------------------------------------------
 */

bool hold_request_again(struct work *work, const struct payment_row *row)
{
    struct payments *room = work->room;
    if (row->rail == RAIL_CARD) {
        struct payment_request *kept = map_take(room->kept, payment_key(&work->payment));
        if (kept == NULL)
            return false;
        work_forget_request(work);
        work->request = kept;
    } else {
        struct payment_request *r = work->request;
        if (r == NULL)
            r = work->request = payment_request_new(room);
        if (r == NULL)
            return false;
        r->rail = row->rail;
        r->kind = row->kind;
        r->capture = row->capture;
        r->amount = (struct money){ row->amount, work->currency };
        r->details = work->hold->details;
    }
    work->details = work->request->details;
    return true;
}

void hold_resets_to_txn(struct work *work)
{
    const struct hold *hold = work->hold;
    work->txn.spend_count = hold->reset_count;
    work->txn.spend_now_us = work->change.now_us;
    for (size_t i = 0; i < hold->reset_count; i++) {
        work->txn.spends[i] = (struct store_spend){ .kind = STORE_SPEND_RESET };
        memcpy(work->txn.spends[i].key, hold->resets[i], sizeof hold->resets[i]);
    }
}

void hold_resets_later(struct work *work)
{
    if (work->ruling != NULL)
        decide_resets_later(work);
    else if (work->hold != NULL && work->held.kind == HELD_REVIEW && work->hold->authenticated)
        hold_resets_to_txn(work);
}
