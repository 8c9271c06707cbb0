/* heard.c - notices: what a channel says unasked becomes a commit of its own.
 *
 * The judge (judge_notice.c) decides on the rows as they are; here the parts of the change are
 * prepared, and whoever is affected is told afterwards: a merchant that waits gets the answer, a
 * work that was about to ask or to send again stops.
 *
 * A notice that is not verified is a hint: if its attempt is pending and a work waits for it, the
 * work asks at once (not more often than once a second for one attempt), and nothing else happens.
 *
 * Money that came back (RETURN) or came in (CREDIT) is recognised by the channel's own reference,
 * with the store's idempotency: the same notice again changes nothing.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define HINT_EVERY_US (1 * LOOP_US_PER_S)
#define NOTED_BYTES   2048

struct heard {
    struct list link;
    struct payments *room;
    struct channel *channel;
    int64_t attempt;
    const struct notice_entry *entry; /* lives until done */
    struct notice_entry own;          /* the entry, when it turns out to be about our refund */
    bool alarming;                    /* what is noted is money that somebody must give back */
    bool noting; /* the second commit: what changes nothing goes to the journal */
    struct arena arena;
    struct change change;
    struct store_txn txn;
    payment_notice_done_fn *done;
    void *arg;
};

/* --- who listens --------------------------------------------------------------------------------
 */

static struct view number_key(const int64_t *number)
{
    return view_of(number, sizeof *number);
}

void work_listen(struct work *work)
{
    work_deafen(work);
    /* Should there be no place, the notice finds nobody; it is recorded all the same, and the work
     * meets the record. */
    work->known_to_notices =
        map_put(work->room->by_attempt, number_key(&work->subject.attempt), work) == STATUS_OK;
}

void work_deafen(struct work *work)
{
    if (work->known_to_notices)
        (void)map_take(work->room->by_attempt, number_key(&work->subject.attempt));
    work->known_to_notices = false;
}

struct work *work_first_of(struct payments *room, int64_t payment)
{
    return map_get(room->first_of, number_key(&payment));
}

/* --- recorded -----------------------------------------------------------------------------------
 */

static void heard_free(struct heard *heard)
{
    list_remove(&heard->link);
    arena_reset(&heard->arena);
    free(heard);
}

static void tell(struct heard *heard)
{
    struct payments *room = heard->room;
    const struct store_txn *txn = &heard->txn;
    char id[ID_TEXT_MAX];
    if (txn->said == JUDGE_COVERED)
        LOG(room->o.log, LOG_WARN, "payment.return_covered",
            LOG_TEXT("payment", id_format(ID_PAYMENT, txn->payment.id, id)),
            LOG_INT("amount", heard->change.heard_amount),
            LOG_TEXT("reason", "money came back that a refund of ours has accounted for"));
    if (txn->said == JUDGE_CONFLICT) {
        room->stats.conflicts++;
        LOG(room->o.log, LOG_ERROR, "payment.conflict",
            LOG_TEXT("payment", id_format(ID_PAYMENT, txn->payment.id, id)),
            LOG_TEXT("reason", "a notice of the channel contradicts what is recorded"));
    }
    if (txn->said == JUDGE_SETTLED && heard->change.heard_about != NOTICE_RETURN) {
        room->stats.approved += heard->change.outcome == OUTCOME_APPROVED;
        room->stats.declined += heard->change.outcome != OUTCOME_APPROVED;
    }
    struct work *work = map_get(room->by_attempt, number_key(&heard->attempt));
    if (work != NULL && (txn->said == JUDGE_SETTLED || txn->said == JUDGE_CONFLICT))
        work_overtaken(work);
    if (txn->said == JUDGE_SETTLED && txn->operation.kind == OPERATION_CANCEL &&
        txn->payment.status == PAYMENT_CANCELED) {
        struct work *first = work_first_of(room, txn->payment.id);
        if (first != NULL)
            pending_canceled(first);
    }
}

/* --- the change ---------------------------------------------------------------------------------
 */

static struct view why_of(const struct payments *room, int64_t attempt,
                          const struct channel *channel)
{
    const struct work *work = map_get(room->by_attempt, number_key(&attempt));
    for (size_t i = 0; work != NULL && i < work->candidate_count; i++)
        if (work->candidates[i] == channel)
            return work->candidate_why[i];
    return VIEW_EMPTY;
}

static void fill_status(struct heard *heard, const struct notice_entry *entry)
{
    struct change *c = &heard->change;
    const char *channel = channel_name(heard->channel);
    struct view why = why_of(heard->room, entry->attempt_id, heard->channel);
    struct exchange_result result = { .outcome = entry->outcome,
                                      .category = entry->category,
                                      .rail_code = entry->rail_code,
                                      .message = entry->message,
                                      .reference = entry->reference };
    c->outcome = entry->outcome;
    c->heard_reference = reference_to_keep(heard->room->idem, &heard->arena, entry->reference);
    c->outcome_json = outcome_members(&heard->arena, &result, channel, why);
    struct exchange_result contradiction = { .outcome = OUTCOME_UNKNOWN,
                                             .conflict = true,
                                             .category = CATEGORY_OTHER,
                                             .rail_code = entry->rail_code };
    c->conflict_json = outcome_members(&heard->arena, &contradiction, channel, why);
    c->canceled_json = outcome_members(&heard->arena, &canceled_result, channel, why);
}

/* What becomes of the refund that a return is; or of the event that is only noted. */
static struct view noted_json(struct heard *heard, const struct notice_entry *entry, bool members)
{
    uint8_t *bytes = arena_alloc(&heard->arena, NOTED_BYTES);
    if (bytes == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(bytes, NOTED_BYTES);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    if (members) {
        json_put_text(&j, "initiator", VIEW("channel"));
    } else {
        json_put_text(&j, "channel", view_text(channel_name(heard->channel)));
        json_put_i64(&j, "amount", entry->amount_minor);
        const struct currency *currency = NULL;
        if (currency_by_number(entry->currency_number, &currency) == STATUS_OK)
            json_put_text(&j, "currency", view_text(currency->code));
    }
    put_shown(&j, "rail_reference", entry->reference);
    put_shown(&j, "code", entry->rail_code);
    json_put_text_if(&j, "reason", entry->message);
    json_close_object(&j);
    if (w.overflow)
        return members ? VIEW_EMPTY : VIEW("{}");
    return members ? view_of(bytes + 1, w.len - 2) : writer_done(&w);
}

/* The channel's own reference of a movement is its idempotency key: the same again is known. What
 * is only noted has a key of its own for each content, so that nothing that differs is lost. */
static enum status fill_key(struct heard *heard, const struct notice_entry *entry)
{
    struct store_txn *txn = &heard->txn;
    uint8_t said[512], digest[SECRET_MAC_MAX];
    size_t len = 0;
    struct writer w = writer_over(said, sizeof said);
    struct view reference =
        view_slice(entry->reference, 0, entry->reference.len < 128 ? entry->reference.len : 128);
    writer_format(&w, "%s/%d/%zu/", channel_name(heard->channel), (int)entry->about, reference.len);
    writer_view(&w, reference);
    if (heard->noting) {
        writer_format(&w, "/%lld/%u/%lld/", (long long)entry->amount_minor, entry->currency_number,
                      (long long)entry->attempt_id);
        writer_view(&w, heard->change.noted_kind);
    }
    TRY(writer_status(&w));
    TRY(secret_mac(heard->room->idem, writer_done(&w), digest, &len));
    uint8_t *text = arena_alloc(&heard->arena, 64);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    struct writer key = writer_over(text, 64);
    writer_text(&key, "notice:");
    for (size_t i = 0; i < 24; i++)
        writer_format(&key, "%02x", digest[i]);
    txn->idem_key = writer_done(&key);
    writer_format(&w, "|%lld/%u/%lld", (long long)entry->amount_minor, entry->currency_number,
                  (long long)entry->attempt_id);
    TRY(writer_status(&w));
    return secret_mac(heard->room->idem, writer_done(&w), txn->idem_mac, &len);
}

/* Sensitive values are sealed, bound to the payment; which one that is only a living work knows.
 * For an attempt that nobody waits for any more they are of no use. */
static enum status fill_refs(struct heard *heard, const struct notice_entry *entry)
{
    struct payments *room = heard->room;
    const struct work *work = map_get(room->by_attempt, number_key(&entry->attempt_id));
    if (work != NULL)
        return refs_seal(room->seal, work->payment, entry->refs, &heard->arena,
                         &heard->change.sealed_refs);
    uint8_t *bytes = arena_alloc(&heard->arena, entry->refs.len);
    struct writer w = writer_over(bytes, bytes != NULL ? entry->refs.len : 0);
    struct cursor rows = cursor_over(entry->refs);
    struct ref row;
    bool broken = false;
    while (refs_next(&rows, &row, &broken))
        if ((row.flags & REF_SENSITIVE) == 0)
            refs_put(&w, row.name, row.value, row.flags);
    heard->change.sealed_refs = writer_done(&w);
    return heard->arena.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

static void recorded(struct store_txn *txn, void *arg);

static enum status fill(struct heard *heard, const struct notice_entry *entry)
{
    struct payments *room = heard->room;
    struct change *c = &heard->change;
    bool ours = entry->attempt_id != 0 && !heard->noting;
    *c = (struct change){ .now_us = loop_wall_us(room->o.loop),
                          .heard_about = entry->about,
                          .heard_amount = entry->amount_minor,
                          .heard_currency = entry->currency_number,
                          .channel = view_text(channel_name(heard->channel)),
                          .rail_code = entry->rail_code,
                          .noted_kind = entry->about == NOTICE_CREDIT ? VIEW("channel.credit")
                                                                      : VIEW("channel.notice"),
                          .reason = VIEW("the channel said so by itself") };
    heard->txn = (struct store_txn){ .arena = &heard->arena,
                                     .judge = ours ? judge_notice : judge_noted,
                                     .done = recorded,
                                     .arg = c,
                                     .load_attempt = ours ? entry->attempt_id : 0,
                                     .load_of_attempt = ours };
    if (!ours || entry->about == NOTICE_RETURN)
        TRY(fill_key(heard, entry));
    if (!ours) {
        c->operation_json = noted_json(heard, entry, false);
        return STATUS_OK;
    }
    c->public_refs = refs_members(&heard->arena, entry->refs);
    fill_status(heard, entry);
    if (entry->about == NOTICE_RETURN) {
        c->new_operation = id_next(&room->ids, c->now_us);
        c->operation_json = noted_json(heard, entry, true);
        return STATUS_OK;
    }
    return fill_refs(heard, entry);
}

/* --- recorded -----------------------------------------------------------------------------------
 */

/* What was heard changes nothing of a payment; it goes to the journal, once. */
static enum status note(struct heard *heard, const char *kind, int64_t attempt)
{
    struct payments *room = heard->room;
    heard->noting = true;
    arena_reset(&heard->arena);
    TRY(fill(heard, heard->entry));
    heard->change.noted_kind = view_text(kind);
    heard->txn.load_attempt = attempt;
    TRY(fill_key(heard, heard->entry));
    return store_commit(room->o.store, &heard->txn);
}

/* Money came back while a refund of ours, of just that amount, is accepted and not final: that is
 * its end. False: there is none such. */
static bool is_our_refund(struct heard *heard)
{
    struct payments *room = heard->room;
    int64_t payment = heard->txn.payment.id;
    for (struct list *at = room->works.next; at != &room->works; at = at->next) {
        const struct work *work = CONTAINER_OF(at, struct work, link);
        if (work->payment != payment || work->kind != OPERATION_REFUND || !work->pending ||
            work->subject.amount != heard->entry->amount_minor)
            continue;
        const struct notice_entry *returned = heard->entry;
        heard->own = *returned;
        heard->own.about = NOTICE_STATUS;
        heard->own.outcome = OUTCOME_APPROVED;
        heard->own.attempt_id = heard->attempt = work->subject.attempt;
        heard->entry = &heard->own;
        arena_reset(&heard->arena);
        /* Under the key of the return: told again it is known, and counts nothing twice. */
        return fill(heard, heard->entry) == STATUS_OK && fill_key(heard, returned) == STATUS_OK &&
               store_commit(room->o.store, &heard->txn) == STATUS_OK;
    }
    return false;
}

/* For the first time: a repeated notice alarms nobody again. */
static void tell_noted(struct heard *heard)
{
    struct payments *room = heard->room;
    char id[ID_TEXT_MAX];
    room->stats.conflicts += heard->alarming;
    LOG(room->o.log, LOG_ERROR, "payment.notice_noted",
        LOG_TEXT("channel", channel_name(heard->channel)), LOG_VIEW("as", heard->change.noted_kind),
        LOG_TEXT("attempt", heard->attempt != 0 ? id_format(ID_ATTEMPT, heard->attempt, id) : ""),
        LOG_INT("amount", heard->entry->amount_minor),
        LOG_TEXT("what_to_do", "a person must find out whose money it is"));
}

/* The journal's word for what is only noted; NULL: nothing is to be noted. */
static const char *noted_as(const struct heard *heard)
{
    const struct store_txn *txn = &heard->txn;
    if (heard->noting)
        return NULL;
    if (txn->result == STORE_NO_PAYMENT)
        return heard->entry->about == NOTICE_CREDIT ? "channel.credit" : "channel.notice";
    if (txn->result == STORE_KEY_REUSED)
        return "channel.contradiction";
    if (txn->result != STORE_REFUSED)
        return NULL;
    switch (txn->said) {
    case JUDGE_NOT_OURS: return "channel.notice";
    case JUDGE_PAID_AGAIN: return "payment.paid_again";
    case JUDGE_OTHER_AMOUNT: return "payment.paid_other_amount";
    default: return NULL;
    }
}

static void recorded(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    struct heard *heard = CONTAINER_OF(change, struct heard, change);
    struct payments *room = heard->room;
    enum status status = STATUS_OK;
    watch_commit(room->watch, txn);
    const char *kind = noted_as(heard);
    if (kind != NULL && !room->stopping) {
        bool of_payment = txn->said == JUDGE_PAID_AGAIN || txn->said == JUDGE_OTHER_AMOUNT;
        heard->alarming = txn->result == STORE_KEY_REUSED || of_payment;
        status = note(heard, kind, of_payment ? heard->attempt : 0);
        if (status == STATUS_OK)
            return; /* the second commit comes back here */
    } else if (txn->result == STORE_FAILED || kind != NULL) {
        LOG(room->o.log, LOG_ERROR, "payment.notice_not_recorded", LOG_VIEW("why", txn->why));
        status = STATUS_IO;
    } else if (txn->result == STORE_REFUSED && txn->said == JUDGE_TOO_EARLY) {
        if (!room->stopping && is_our_refund(heard))
            return; /* the second commit comes back here */
        struct work *work = map_get(room->by_attempt, number_key(&heard->attempt));
        status = STATUS_BUSY;
        if (work != NULL && !room->stopping)
            pending_look_now(work);
    } else if (txn->result == STORE_COMMITTED && !room->stopping) {
        if (heard->noting)
            tell_noted(heard);
        else
            tell(heard);
    }
    heard->done(heard->arg, status);
    heard_free(heard);
}

/* --- in -----------------------------------------------------------------------------------------
 */

static void hint(struct payments *room, const struct channel *channel,
                 const struct notice_entry *entry)
{
    struct work *work = map_get(room->by_attempt, number_key(&entry->attempt_id));
    int64_t now_us = loop_now_us(room->o.loop);
    room->stats.hints++;
    if (work == NULL || work->subject.channel != channel ||
        (work->hinted_us != 0 && now_us - work->hinted_us < HINT_EVERY_US))
        return;
    work->hinted_us = now_us;
    pending_look_now(work);
}

void payment_notice(struct payments *room, struct channel *channel,
                    const struct notice_entry *entry, payment_notice_done_fn *done, void *arg)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (!room->ready || room->stopping) {
        done(arg, STATUS_BUSY);
        return;
    }
    if (entry->about == NOTICE_LINK) {
        done(arg, STATUS_OK);
        return;
    }
    if (!entry->verified) {
        hint(room, channel, entry);
        done(arg, STATUS_OK);
        return;
    }
    room->stats.notices++;
    if (entry->attempt_id == 0 && entry->reference.len == 0) {
        LOG(room->o.log, LOG_WARN, "payment.notice_not_ours",
            LOG_TEXT("channel", channel_name(channel)),
            LOG_TEXT("reason", "it names neither an attempt nor a reference"));
        done(arg, STATUS_OK);
        return;
    }
    struct heard *heard = calloc(1, sizeof *heard);
    if (heard == NULL) {
        done(arg, STATUS_NO_MEMORY);
        return;
    }
    heard->room = room;
    heard->channel = channel;
    heard->attempt = entry->attempt_id;
    heard->entry = entry;
    heard->done = done;
    heard->arg = arg;
    list_append(&room->heards, &heard->link);
    arena_init(&heard->arena, TXN_ARENA_MAX);
    enum status status = fill(heard, entry);
    if (status == STATUS_OK)
        status = store_commit(room->o.store, &heard->txn);
    if (status != STATUS_OK) {
        heard_free(heard);
        done(arg, status);
        return;
    }
    step_at(room, "notice_heard");
}

void heards_forget(struct payments *room)
{
    struct list *item;
    while ((item = list_take_first(&room->heards)) != NULL) {
        struct heard *heard = CONTAINER_OF(item, struct heard, link);
        arena_reset(&heard->arena);
        free(heard);
    }
}
