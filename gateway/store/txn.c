/* txn.c - carries out one transaction inside the batch's commit: key, rows, judge, writes.
 *
 *     1. Is the key known? Then the answer of then, and nothing else happens.
 *     2. Load the rows that were asked for, and the sums of the counters (spends.c).
 *     3. The judge looks and decides.
 *     4. Write what it left: spends, rows, journal, the key and its answer.
 *
 * Whatever breaks is either this request's own fault (its changes are taken back, the others go on)
 * or the back end's (IO: the whole batch stops). Outcomes that are no fault (replay, refusal, no
 * such payment) are results and OK here.
 */
#include "store_int.h"

#include <stdio.h>

/* Of one text; far above what an API takes, far below what the back end could not bind. */
#define TEXT_BYTES_MAX ((size_t)1 << 20)

static enum status txn_fault(struct store *store, const char *why)
{
    snprintf(store->why, sizeof store->why, "%s", why);
    return STATUS_MALFORMED;
}

void txn_copy_save(struct txn_copy *copy, const struct store_txn *txn)
{
    /* Member by member: the arrays are large, and mostly empty. */
    copy->payment = txn->payment;
    copy->operation = txn->operation;
    copy->attempt = txn->attempt;
    copy->parent = txn->parent;
    copy->first = txn->first;
    copy->held = txn->held;
    copy->profile = txn->profile;
    copy->write_payment = txn->write_payment;
    copy->write_operation = txn->write_operation;
    copy->write_attempt = txn->write_attempt;
    copy->write_parent = txn->write_parent;
    copy->write_first = txn->write_first;
    copy->write_held = txn->write_held;
    copy->write_profile = txn->write_profile;
    copy->endpoint = txn->endpoint;
    copy->write_endpoint = txn->write_endpoint;
    copy->delivery = txn->delivery;
    copy->write_delivery = txn->write_delivery;
    copy->reconciliation = txn->reconciliation;
    copy->write_reconciliation = txn->write_reconciliation;
    copy->difference = txn->difference;
    copy->write_difference = txn->write_difference;
    copy->spends_release = txn->spends_release;
    copy->answer_status = txn->answer_status;
    copy->answer_body = txn->answer_body;
    ENSURE(txn->event_count <= STORE_EVENTS_MAX && txn->spend_count <= STORE_SPENDS_MAX);
    copy->event_count = txn->event_count;
    memcpy(copy->events, txn->events, txn->event_count * sizeof txn->events[0]);
    copy->spend_count = txn->spend_count;
    memcpy(copy->spends, txn->spends, txn->spend_count * sizeof txn->spends[0]);
}

void txn_copy_restore(const struct txn_copy *copy, struct store_txn *txn)
{
    txn->payment = copy->payment;
    txn->operation = copy->operation;
    txn->attempt = copy->attempt;
    txn->parent = copy->parent;
    txn->first = copy->first;
    txn->held = copy->held;
    txn->profile = copy->profile;
    txn->write_payment = copy->write_payment;
    txn->write_operation = copy->write_operation;
    txn->write_attempt = copy->write_attempt;
    txn->write_parent = copy->write_parent;
    txn->write_first = copy->write_first;
    txn->write_held = copy->write_held;
    txn->write_profile = copy->write_profile;
    txn->endpoint = copy->endpoint;
    txn->write_endpoint = copy->write_endpoint;
    txn->delivery = copy->delivery;
    txn->write_delivery = copy->write_delivery;
    txn->reconciliation = copy->reconciliation;
    txn->write_reconciliation = copy->write_reconciliation;
    txn->difference = copy->difference;
    txn->write_difference = copy->write_difference;
    txn->spends_release = copy->spends_release;
    txn->spend_count = copy->spend_count;
    memcpy(txn->spends, copy->spends, copy->spend_count * sizeof txn->spends[0]);
    txn->event_count = copy->event_count;
    txn->answer_status = copy->answer_status;
    txn->answer_body = copy->answer_body;
    txn->said = 0;
    memcpy(txn->events, copy->events, copy->event_count * sizeof txn->events[0]);
}

/* --- the key ----------------------------------------------------------------------------- */

/* NOT_FOUND: the key is new. */
static enum status idem_find(struct store *store, const struct store_txn *txn, uint64_t hash,
                             struct idem_row *out)
{
    uint32_t position = 0;
    int64_t seq;
    while (recent_find(store->recent, hash, &position, &seq)) {
        enum status status = db_idem_match(store->db, seq, txn->merchant, txn->idem_key, out);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    if (store->marks.keys_indexed == 0)
        return STATUS_NOT_FOUND;
    return db_idem_lookup(store->db, hash, txn->merchant, txn->idem_key, out);
}

/* The key was seen before: what was answered then, or that it was another request. */
static enum status idem_replay(struct store *store, struct store_txn *txn,
                               const struct idem_row *known)
{
    if (memcmp(known->mac, txn->idem_mac, sizeof known->mac) != 0) {
        txn->result = STORE_KEY_REUSED;
        return STATUS_OK;
    }
    txn->result = STORE_REPLAY;
    txn->payment.id = known->payment;
    txn->operation.id = known->operation;
    return db_answer_load(store->db, known->seq, txn->arena, &txn->answer_status,
                          &txn->answer_body);
}

static enum status idem_record(struct store *store, struct store_txn *txn, uint64_t hash,
                               int64_t payment, int64_t operation)
{
    struct idem_row row = { .seq = store->marks.idem_seq + 1,
                            .merchant = txn->merchant,
                            .key = txn->idem_key,
                            .payment = payment,
                            .operation = operation,
                            .created_us = loop_wall_us(store->loop) };
    memcpy(row.mac, txn->idem_mac, sizeof row.mac);
    TRY(db_idem_append(store->db, &row));
    recent_add(store->recent, hash, row.seq);
    store->marks.idem_seq = row.seq;
    if (txn->answer_status == 0)
        return STATUS_OK;
    return db_answer_append(store->db, row.seq, txn->answer_status, txn->answer_body);
}

/* The answer for a key that an earlier commit of the same request recorded. A key that was purged
 * meanwhile must not keep the outcome of a payment from being written: then there is no answer. */
static enum status idem_answer(struct store *store, struct store_txn *txn, uint64_t hash)
{
    if (txn->answer_status == 0)
        return STATUS_OK;
    struct idem_row known;
    enum status status = idem_find(store, txn, hash, &known);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    if (memcmp(known.mac, txn->idem_mac, sizeof known.mac) != 0)
        return txn_fault(store, "the answer belongs to another request of the same key");
    return db_answer_append(store->db, known.seq, txn->answer_status, txn->answer_body);
}

/* --- rows -------------------------------------------------------------------------------- */

static enum status txn_load(struct store *store, struct store_txn *txn,
                            struct spends_before *before)
{
    struct db *db = store->db;
    if (txn->load_payment != 0)
        TRY(db_payment_load(db, txn->load_payment, txn->merchant, txn->arena, &txn->payment));
    if (txn->load_operation != 0)
        TRY(db_operation_load(db, txn->load_operation, txn->merchant, txn->arena, &txn->operation));
    if (txn->load_attempt != 0)
        TRY(db_attempt_load(db, txn->load_attempt, txn->merchant, txn->arena, &txn->attempt));
    if (txn->load_of_attempt) {
        const struct attempt_row *of = &txn->attempt;
        TRY(db_payment_load(db, of->payment, txn->merchant, txn->arena, &txn->payment));
        TRY(db_operation_load(db, of->operation, txn->merchant, txn->arena, &txn->operation));
    }
    if (txn->load_parent != 0)
        TRY(db_attempt_load(db, txn->load_parent, txn->merchant, txn->arena, &txn->parent));
    if (txn->load_first != 0)
        TRY(db_operation_load(db, txn->load_first, txn->merchant, txn->arena, &txn->first));
    if (txn->load_held != 0)
        TRY(db_held_load(db, txn->load_held, txn->merchant, txn->arena, &txn->held));
    if (txn->load_endpoint != 0)
        TRY(db_endpoint_load(db, txn->load_endpoint, txn->merchant, txn->arena, &txn->endpoint));
    if (txn->write_endpoint == STORE_INSERT)
        TRY(db_endpoint_count(db, txn->merchant, &txn->endpoint_count));
    if (txn->load_difference != 0)
        TRY(db_difference_load(db, txn->load_difference, txn->arena, &txn->difference));
    txn->journal_seq = store->marks.journal_seq;
    if (txn->load_payment != 0 || txn->load_of_attempt)
        *before = (struct spends_before){ .loaded = true,
                                          .payment = txn->payment.id,
                                          .marks = txn->payment.spends };
    if (txn->spend_count == 0)
        return STATUS_OK;
    const char *wrong = spends_wrong(txn->spends, txn->spend_count, txn->spend_now_us);
    if (wrong != NULL)
        return txn_fault(store, wrong);
    enum status status = spends_fill(db, txn->spends, txn->spend_count, txn->spend_now_us, before);
    return status == STATUS_MALFORMED ? txn_fault(store, "what the payment spent cannot be read")
                                      : status;
}

static bool write_is_valid(enum store_write write)
{
    return write == 0 || write == STORE_KEEP || write == STORE_INSERT || write == STORE_UPDATE;
}

static bool texts_fit(const struct view *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (texts[i].len > TEXT_BYTES_MAX)
            return false;
    return true;
}

static bool txn_texts_fit(const struct store_txn *txn)
{
    const struct view texts[] = {
        txn->payment.channel,
        txn->payment.reference,
        txn->payment.facts_json,
        txn->payment.outcome_json,
        txn->payment.refs,
        txn->operation.facts_json,
        txn->operation.outcome_json,
        txn->attempt.channel,
        txn->attempt.refs,
        txn->attempt.outcome_json,
        txn->parent.channel,
        txn->parent.refs,
        txn->parent.outcome_json,
        txn->first.facts_json,
        txn->first.outcome_json,
        txn->answer_body,
        txn->held.data,
        txn->profile.region,
        txn->profile.version,
        txn->profile.content_hash,
        txn->profile.text,
        txn->profile.by,
        txn->endpoint.url,
        txn->endpoint.kinds,
        txn->endpoint.description,
        txn->endpoint.secret,
        txn->endpoint.old_secret,
        txn->endpoint.why,
        txn->delivery.result,
    };
    bool fit = texts_fit(texts, COUNT_OF(texts));
    const struct reconciliation_row *rec = &txn->reconciliation;
    const struct view of_comparison[] = {
        rec->channel,      rec->format,        rec->file,           rec->file_hash,
        rec->summary_json, txn->difference.by, txn->difference.why, txn->difference.evidence,
    };
    fit = fit && texts_fit(of_comparison, COUNT_OF(of_comparison));
    for (size_t i = 0; i < txn->difference_count; i++) {
        const struct difference_row *d = &txn->differences[i];
        const struct view found[] = { d->channel, d->identity, d->here, d->there };
        fit = fit && texts_fit(found, COUNT_OF(found));
    }
    for (size_t i = 0; i < txn->event_count; i++)
        fit = fit && txn->events[i].kind.len <= TEXT_BYTES_MAX &&
              txn->events[i].data_json.len <= TEXT_BYTES_MAX;
    return fit;
}

/* What was spent must be found again when it is to be given back: on the payment's row. */
static enum status txn_check_spends(struct store *store, const struct store_txn *txn,
                                    const struct spends_before *before)
{
    if (txn->spend_count > STORE_SPENDS_MAX)
        return txn_fault(store, "the judge left too many spends");
    if (txn->spends_release && !before->loaded && txn->write_payment == STORE_UPDATE)
        return txn_fault(store, "a payment that was not loaded cannot give back what it spent");
    if (!spends_any(txn, before))
        return STATUS_OK;
    const char *wrong = spends_wrong(txn->spends, txn->spend_count, txn->spend_now_us);
    if (wrong != NULL)
        return txn_fault(store, wrong);
    if (before->loaded ? txn->write_payment != STORE_UPDATE : txn->write_payment != STORE_INSERT)
        return txn_fault(store, "spends change, and their payment is not written");
    if (before->loaded && txn->payment.id != before->payment)
        return txn_fault(store, "the judge changed the id of a payment that spends");
    return STATUS_OK;
}

/* What a judge may leave behind; checked before anything is written. */
static enum status txn_check(struct store *store, const struct store_txn *txn,
                             const struct spends_before *before)
{
    if (txn->arena->overflow) /* a text may be empty for want of room: half a record is none */
        return txn_fault(store, "the request's memory is full");
    if (txn->event_count > STORE_EVENTS_MAX)
        return txn_fault(store, "the judge left too many events");
    if (!write_is_valid(txn->write_payment) || !write_is_valid(txn->write_operation) ||
        !write_is_valid(txn->write_attempt) || !write_is_valid(txn->write_parent) ||
        !write_is_valid(txn->write_first) ||
        (txn->write_held != STORE_DELETE && !write_is_valid(txn->write_held)) ||
        txn->write_profile == STORE_UPDATE || !write_is_valid(txn->write_profile) ||
        (txn->write_endpoint != STORE_DELETE && !write_is_valid(txn->write_endpoint)) ||
        txn->write_delivery == STORE_UPDATE || !write_is_valid(txn->write_delivery) ||
        !write_is_valid(txn->write_reconciliation) || txn->write_difference == STORE_INSERT ||
        !write_is_valid(txn->write_difference))
        return txn_fault(store, "the judge left a write mark that is none");
    if (!txn_texts_fit(txn))
        return txn_fault(store, "a text is too long");
    if ((txn->load_payment != 0 && txn->payment.id != txn->load_payment) ||
        (txn->load_operation != 0 && txn->operation.id != txn->load_operation) ||
        (txn->load_attempt != 0 && txn->attempt.id != txn->load_attempt) ||
        (txn->load_parent != 0 && txn->parent.id != txn->load_parent) ||
        (txn->load_first != 0 && txn->first.id != txn->load_first) ||
        (txn->load_held != 0 && txn->held.payment != txn->load_held) ||
        (txn->load_endpoint != 0 && txn->endpoint.id != txn->load_endpoint) ||
        (txn->load_difference != 0 && txn->difference.id != txn->load_difference))
        return txn_fault(store, "the judge changed the id of a row that was loaded");
    return txn_check_spends(store, txn, before);
}

/* See STORE_RESTORED. Behind the index of events no question expects a gap (list_new_events), so
 * all is indexed up to this one. */
static enum status txn_append_restored(struct store *store, struct event_row *event)
{
    struct id_source ids;
    id_source_init(&ids, store->marks.journal_seq);
    event->seq = id_next(&ids, event->time_us);
    if (event->seq == store->marks.journal_seq + 1)
        return txn_fault(store, "the journal goes on by the time, and the clock is before its last "
                                "position: set the clock");
    TRY(db_event_append(store->db, event));
    store->marks.journal_seq = event->seq;
    return upkeep_index_events(store);
}

static enum status txn_append(struct store *store, struct event_row *event)
{
    if (event->merchant == 0 && view_is(event->kind, STORE_RESTORED))
        return txn_append_restored(store, event);
    event->seq = store->marks.journal_seq + 1;
    TRY(db_event_append(store->db, event));
    store->marks.journal_seq++;
    return STATUS_OK;
}

static enum status txn_write(struct store *store, struct store_txn *txn,
                             const struct spends_before *before)
{
    struct db *db = store->db;
    bool with_spends;
    enum status status = spends_settle(db, txn, before, &with_spends);
    if (status == STATUS_RANGE)
        snprintf(store->why, sizeof store->why, "there is no room for what was spent");
    if (status == STATUS_MALFORMED && store->why[0] == '\0')
        snprintf(store->why, sizeof store->why, "what the payment spent cannot be read or written");
    TRY(status);
    TRY(db_payment_write(db, txn->write_payment, with_spends, &txn->payment));
    TRY(db_operation_write(db, txn->write_operation, &txn->operation));
    TRY(db_operation_write(db, txn->write_first, &txn->first));
    TRY(db_attempt_write(db, txn->write_attempt, &txn->attempt));
    TRY(db_attempt_write(db, txn->write_parent, &txn->parent));
    TRY(db_held_write(db, txn->write_held, &txn->held));
    if (txn->write_profile == STORE_INSERT)
        TRY(db_profile_insert(db, &txn->profile));
    TRY(db_endpoint_write(db, txn->write_endpoint, &txn->endpoint));
    if (txn->write_delivery == STORE_INSERT)
        TRY(db_delivery_insert(db, &txn->delivery));
    TRY(db_reconciliation_write(db, txn->write_reconciliation, &txn->reconciliation));
    for (size_t i = 0; i < txn->difference_count; i++)
        TRY(db_difference_write(db, STORE_INSERT, &txn->differences[i]));
    for (size_t i = 0; i < txn->carried_count; i++)
        TRY(db_carried_write(db, &txn->carried[i]));
    TRY(db_difference_write(db, txn->write_difference, &txn->difference));
    for (size_t i = 0; i < txn->event_count; i++)
        TRY(txn_append(store, &txn->events[i]));
    if (txn->write_payment == STORE_INSERT)
        store->payments_waiting++;
    return STATUS_OK;
}

/* --- the whole --------------------------------------------------------------------------- */

static enum status txn_committed(struct store *store, struct store_txn *txn, uint64_t hash,
                                 const struct spends_before *before, bool *wrote)
{
    TRY(txn_check(store, txn, before));
    *wrote = true;
    TRY(txn_write(store, txn, before));
    txn->result = STORE_COMMITTED;
    if (txn->idem_key.len == 0)
        return STATUS_OK;
    if (txn->idem_answer_only)
        return idem_answer(store, txn, hash);
    return idem_record(store, txn, hash, txn->payment.id, txn->operation.id);
}

static enum status txn_refused(struct store *store, struct store_txn *txn, uint64_t hash,
                               bool *wrote)
{
    txn->result = STORE_REFUSED;
    if (txn->idem_key.len == 0 || txn->answer_status == 0)
        return STATUS_OK;
    *wrote = true;
    if (txn->idem_answer_only)
        return idem_answer(store, txn, hash);
    /* Only rows that exist may be named. */
    return idem_record(store, txn, hash, txn->load_payment, txn->load_operation);
}

enum status txn_run(struct store *store, struct store_txn *txn, bool *wrote)
{
    *wrote = false;
    store->why[0] = '\0';
    txn->result = STORE_FAILED;
    txn->own_fault = false;
    txn->why = VIEW_EMPTY;
    uint64_t hash = 0;
    if (txn->idem_key.len > STORE_IDEM_KEY_MAX)
        return txn_fault(store, "the idempotency key is too long");
    if (txn->idem_key.len > 0) {
        hash = lookup_hash(store->hash_key, txn->merchant, txn->idem_key);
        if (!txn->idem_answer_only) {
            struct idem_row known;
            enum status status = idem_find(store, txn, hash, &known);
            if (status == STATUS_OK)
                return idem_replay(store, txn, &known);
            if (status != STATUS_NOT_FOUND)
                return status;
        }
    }
    struct spends_before before = { 0 };
    enum status status = txn_load(store, txn, &before);
    if (status == STATUS_NOT_FOUND) {
        txn->result = STORE_NO_PAYMENT;
        return STATUS_OK;
    }
    TRY(status);
    status = txn->judge != NULL ? txn->judge(txn, txn->arg) : STATUS_OK;
    if (status == STATUS_OK)
        return txn_committed(store, txn, hash, &before, wrote);
    if (status == STATUS_REFUSED)
        return txn_refused(store, txn, hash, wrote);
    return txn_fault(store, "the judge failed");
}
