/* txn.c - carries out one transaction inside the batch's commit: key, rows, judge, writes.
 *
 *     1. Is the key known? Then the answer of then, and nothing else happens.
 *     2. Load the rows that were asked for.
 *     3. The judge looks and decides.
 *     4. Write what it left: rows, journal, the key and its answer.
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
    *copy = (struct txn_copy){ .payment = txn->payment,
                               .operation = txn->operation,
                               .attempt = txn->attempt,
                               .parent = txn->parent,
                               .write_payment = txn->write_payment,
                               .write_operation = txn->write_operation,
                               .write_attempt = txn->write_attempt,
                               .write_parent = txn->write_parent,
                               .event_count = txn->event_count,
                               .answer_status = txn->answer_status,
                               .answer_body = txn->answer_body };
    ENSURE(txn->event_count <= STORE_EVENTS_MAX);
    memcpy(copy->events, txn->events, txn->event_count * sizeof txn->events[0]);
}

void txn_copy_restore(const struct txn_copy *copy, struct store_txn *txn)
{
    txn->payment = copy->payment;
    txn->operation = copy->operation;
    txn->attempt = copy->attempt;
    txn->parent = copy->parent;
    txn->write_payment = copy->write_payment;
    txn->write_operation = copy->write_operation;
    txn->write_attempt = copy->write_attempt;
    txn->write_parent = copy->write_parent;
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

static enum status txn_load(struct store *store, struct store_txn *txn)
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
    return STATUS_OK;
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
        txn->payment.channel,        txn->payment.reference, txn->payment.facts_json,
        txn->payment.outcome_json,   txn->payment.refs,      txn->operation.facts_json,
        txn->operation.outcome_json, txn->attempt.channel,   txn->attempt.refs,
        txn->attempt.outcome_json,   txn->parent.channel,    txn->parent.refs,
        txn->parent.outcome_json,    txn->answer_body,
    };
    bool fit = texts_fit(texts, COUNT_OF(texts));
    for (size_t i = 0; i < txn->event_count; i++)
        fit = fit && txn->events[i].kind.len <= TEXT_BYTES_MAX &&
              txn->events[i].data_json.len <= TEXT_BYTES_MAX;
    return fit;
}

/* What a judge may leave behind; checked before anything is written. */
static enum status txn_check(struct store *store, const struct store_txn *txn)
{
    if (txn->event_count > STORE_EVENTS_MAX)
        return txn_fault(store, "the judge left too many events");
    if (!write_is_valid(txn->write_payment) || !write_is_valid(txn->write_operation) ||
        !write_is_valid(txn->write_attempt) || !write_is_valid(txn->write_parent))
        return txn_fault(store, "the judge left a write mark that is none");
    if (!txn_texts_fit(txn))
        return txn_fault(store, "a text is too long");
    if ((txn->load_payment != 0 && txn->payment.id != txn->load_payment) ||
        (txn->load_operation != 0 && txn->operation.id != txn->load_operation) ||
        (txn->load_attempt != 0 && txn->attempt.id != txn->load_attempt) ||
        (txn->load_parent != 0 && txn->parent.id != txn->load_parent))
        return txn_fault(store, "the judge changed the id of a row that was loaded");
    return STATUS_OK;
}

static enum status txn_write(struct store *store, struct store_txn *txn)
{
    struct db *db = store->db;
    TRY(db_payment_write(db, txn->write_payment, &txn->payment));
    TRY(db_operation_write(db, txn->write_operation, &txn->operation));
    TRY(db_attempt_write(db, txn->write_attempt, &txn->attempt));
    TRY(db_attempt_write(db, txn->write_parent, &txn->parent));
    for (size_t i = 0; i < txn->event_count; i++) {
        txn->events[i].seq = store->marks.journal_seq + 1;
        TRY(db_event_append(db, &txn->events[i]));
        store->marks.journal_seq++;
    }
    if (txn->write_payment == STORE_INSERT)
        store->payments_waiting++;
    return STATUS_OK;
}

/* --- the whole --------------------------------------------------------------------------- */

static enum status txn_committed(struct store *store, struct store_txn *txn, uint64_t hash,
                                 bool *wrote)
{
    TRY(txn_check(store, txn));
    *wrote = true;
    TRY(txn_write(store, txn));
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
    enum status status = txn_load(store, txn);
    if (status == STATUS_NOT_FOUND) {
        txn->result = STORE_NO_PAYMENT;
        return STATUS_OK;
    }
    TRY(status);
    status = txn->judge != NULL ? txn->judge(txn, txn->arg) : STATUS_OK;
    if (status == STATUS_OK)
        return txn_committed(store, txn, hash, wrote);
    if (status == STATUS_REFUSED)
        return txn_refused(store, txn, hash, wrote);
    return txn_fault(store, "the judge failed");
}
