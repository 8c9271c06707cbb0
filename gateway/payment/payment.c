/* payment.c - the way of a payment, from top to bottom in the order in which it happens. Reading
 * down is following the money.
 *
 *     lookup     is a request with this key running? (finished ones are found inside `record`)
 *     decide     compliance: allow, challenge, review or deny, and why    (decide.c)
 *     pick       route: which channels, best first, and why    (pick.c)
 *     record     ONE commit: payment, key, attempt in SENDING, journal; or the answer given before.
 *                A challenge or review ends here, held: nothing is sent before somebody says so
 *                (hold.c)
 *     exchange   the adapter's message goes out    (attempt.c)
 *     settle     ONE commit: state, refs, sums, journal, the answer    (what_follows.c)
 *     answer     the bytes that were committed    (work.c)
 *
 * Captures, cancels and refunds take the same way; instead of decide and pick they load the
 * payment, and `record` spends its sums. What `record` holds was encoded before: the refs that a
 * reversal needs are on disk before a byte leaves. If the power fails between any two lines,
 * start-up finds the attempt in SENDING and treats it as unknown (room.c).
 */
#include "payment/payment_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define WAIT_GRACE_US (1 * LOOP_US_PER_S)

static void step_create(struct work *work);
static void step_load(struct work *work);

/* --- lookup ------------------------------------------------------------------------------------
 */

void give_up(struct work *work, enum problem problem, struct view detail)
{
    review_done_fn *reviewed = work->reviewed;
    work->room->stats.refused++;
    work->reviewed = NULL;
    if (reviewed != NULL)
        reviewed(work->reviewed_arg,
                 problem == PROBLEM_NO_ACTION || problem == PROBLEM_NOT_FOUND ? STATUS_NOT_FOUND
                                                                              : STATUS_BUSY,
                 detail);
    work_answer_problem(work, problem, detail);
    work_finish(work);
}

/* Refused for what is configured now; nothing is recorded and the key stays free. But the request
 * may have been carried out when the gateway was configured otherwise: then the answer of then is
 * given. Only the store knows the key. */
void refuse_unless_known(struct work *work, enum problem problem, struct view detail)
{
    work_begin_change(work, CHANGE_NOTHING);
    work->change.problem = problem;
    work->change.problem_detail = arena_copy(&work->txn_arena, detail);
    work->txn.idem_key = work->idem_key;
    memcpy(work->txn.idem_mac, work->idem_mac, sizeof work->idem_mac);
    work->step = WORK_RECORD;
    work_commit(work, after_record);
}

void give_up_for(struct work *work, enum status why)
{
    bool starved = why == STATUS_NO_MEMORY;
    give_up(work, starved ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL,
            starved ? VIEW("Memory is out. " DID_NOTHING) : VIEW_EMPTY);
}

static enum status idem_id_of(struct payments *room, struct work *work)
{
    uint8_t bytes[8 + STORE_IDEM_KEY_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    size_t len;
    writer_u64_be(&w, (uint64_t)work->merchant);
    writer_view(&w, work->idem_key);
    TRY(writer_status(&w));
    return secret_mac(room->idem, writer_done(&w), work->idem_id, &len);
}

static void step_lookup(struct work *work)
{
    struct payments *room = work->room;
    if (!room->ready || room->stopping) {
        give_up(work, PROBLEM_STARTING, VIEW(DID_NOTHING));
        return;
    }
    enum status known = idem_id_of(room, work);
    if (known != STATUS_OK) {
        give_up_for(work, known);
        return;
    }
    const struct work *first = map_get(room->in_flight, view_of(work->idem_id, IDEM_ID_LEN));
    if (first != NULL) {
        /* Until it is recorded, `first` may itself be the one that uses another request's key. */
        bool owns = first->step > WORK_RECORD;
        bool wait = !owns || memcmp(first->idem_mac, work->idem_mac, sizeof work->idem_mac) == 0;
        give_up(work, wait ? PROBLEM_IDEMPOTENCY_KEY_RUNNING : PROBLEM_IDEMPOTENCY_KEY_REUSED,
                wait ? VIEW("Wait for its answer, or repeat the request later.")
                     : VIEW("Use a new key for a new request."));
        return;
    }
    if (map_put(room->in_flight, view_of(work->idem_id, IDEM_ID_LEN), work) != STATUS_OK) {
        give_up(work, PROBLEM_OVERLOADED, VIEW(DID_NOTHING));
        return;
    }
    work->key_in_flight = true;
    if (work->request->confirm)
        step_confirm(work);
    else if (work->kind == OPERATION_SALE || work->kind == OPERATION_AUTHORISE)
        step_create(work);
    else
        step_load(work);
}

struct payment_request *payment_request_new(struct payments *room)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (room->work_count >= works_max(room, WORK_OF_LATER))
        return NULL;
    struct payment_request *request = calloc(1, sizeof *request);
    if (request != NULL)
        arena_init(&request->arena, REQUEST_ARENA_MAX);
    return request;
}

void payment_request_drop(struct payments *room, struct payment_request *request)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (request == NULL)
        return;
    arena_reset(&request->arena);
    free(request);
}

void payment_submit(struct payments *room, struct payment_request **request,
                    payment_answer_fn *answer, void *arg)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    struct payment_request *r = *request;
    *request = NULL;
    room->stats.submitted++;
    if (r->confirm)
        r->verb = OPERATION_SALE; /* of the payment's first operation; which, its row says */
    bool first = !r->confirm && (r->verb == OPERATION_SALE || r->verb == OPERATION_AUTHORISE);
    struct work *work = work_new(room, first ? WORK_OF_NEW : WORK_OF_LATER);
    if (work == NULL) {
        uint8_t body[512];
        struct writer w = writer_over(body, sizeof body);
        problem_write(&w, PROBLEM_OVERLOADED, VIEW(DID_NOTHING), NULL, 0);
        payment_request_drop(room, r);
        answer(arg, problem_status(PROBLEM_OVERLOADED), writer_done(&w), false);
        return;
    }
    work->request = r;
    work->answer = answer;
    work->answer_arg = arg;
    room->waiting++;
    work->asked_us = loop_now_us(room->o.loop);
    work->wait_us = r->wait_us;
    work->merchant = r->merchant;
    work->kind = r->verb;
    work->payment = r->payment;
    work->currency = r->amount.currency;
    work->details = r->details;
    work->region = r->region;
    work->idem_key = arena_copy(&work->keep, r->idem_key);
    memcpy(work->idem_mac, r->idem_mac, sizeof work->idem_mac);
    step_lookup(work);
}

/* --- decide, pick, record: a new payment -------------------------------------------------------
 */

/* Everything of the payment and its first operation that does not depend on the channel. */
static void fill_rows(struct work *work)
{
    const struct payment_request *r = work->request;
    struct view request = work->ruling->request_json;
    struct store_txn *txn = &work->txn;
    int64_t now_us = work->change.now_us;
    struct flow_sums sums = { .amount = r->amount.minor };
    int64_t amount = r->amount.minor;
    enum payment_status status = PAYMENT_PROCESSING;
    ENSURE(flow_begin(&status, &sums, work->kind, &amount) == FLOW_ALLOWED);
    txn->payment = (struct payment_row){
        .id = work->payment,
        .merchant = work->merchant,
        .status = status,
        .capture = r->capture,
        .kind = r->kind,
        .rail = r->rail,
        .amount = r->amount.minor,
        .capturing = sums.capturing,
        .created_us = now_us,
        .updated_us = now_us,
        .reference = r->reference,
        .facts_json = arena_format(&work->txn_arena, "%.*s%s%.*s", (int)request.len,
                                   (const char *)request.ptr, request.len > 0 ? "," : "",
                                   (int)work->ruling->decision_json.len,
                                   (const char *)work->ruling->decision_json.ptr),
    };
    memcpy(txn->payment.currency, r->amount.currency->code, sizeof txn->payment.currency);
    txn->operation = (struct operation_row){ .id = work->operation,
                                             .payment = work->payment,
                                             .merchant = work->merchant,
                                             .kind = work->kind,
                                             .status = OPERATION_STATUS_PENDING,
                                             .amount = r->amount.minor,
                                             .created_us = now_us,
                                             .updated_us = now_us };
    txn->idem_key = work->idem_key;
    memcpy(txn->idem_mac, work->idem_mac, sizeof txn->idem_mac);
    work->change.ruling = work->ruling;
    work->change.request_json = request;
    work->change.created_json = work->ruling->decision_json;
}

static void record_denied(struct work *work, bool denied, struct view reason)
{
    work_begin_change(work, CHANGE_DENY);
    struct exchange_result result = {
        .outcome = denied ? OUTCOME_REJECTED : OUTCOME_NOT_SENT,
        .category = denied ? CATEGORY_RESTRICTED : CATEGORY_UNAVAILABLE,
        .rail_code = denied ? VIEW("denied_by_profile") : VIEW("no_channel_ready"),
        .message = reason,
    };
    work->change.outcome_json = outcome_members(&work->txn_arena, &result, NULL, VIEW_EMPTY);
    fill_rows(work);
    work->change.want_answer = true;
    work_commit(work, after_record);
}

/* The message is encoded before it is recorded, unless somebody must say yes first. */
static bool encode_first(struct work *work)
{
    uint8_t text[512];
    struct writer detail = writer_over(text, sizeof text);
    work->subject = (struct try){ .verb = work->kind,
                                  .channel = work->candidates[0],
                                  .amount = work->request->amount.minor };
    work->candidate_next = 1;
    enum status encoded = try_prepare(work, &work->subject, work->details, VIEW_EMPTY, &detail);
    if (encoded == STATUS_BUSY)
        refuse_unless_known(work, PROBLEM_OVERLOADED,
                            VIEW("The channel has no trace number free. Nothing was done."));
    else if (encoded == STATUS_NO_MEMORY)
        give_up_for(work, encoded);
    else if (encoded != STATUS_OK)
        refuse_unless_known(work, PROBLEM_NOT_ENCODABLE, writer_done(&detail));
    return encoded == STATUS_OK;
}

static void step_record(struct work *work)
{
    bool goes_out = work->ruling->verdict == VERDICT_ALLOW;
    if (goes_out && !encode_first(work))
        return;
    enum status sealed = hold_seal(work);
    if (sealed == STATUS_BUSY) {
        refuse_unless_known(work, PROBLEM_OVERLOADED,
                            VIEW("Too many card payments wait to be confirmed. Nothing was done."));
        return;
    }
    if (sealed != STATUS_OK) {
        give_up_for(work, sealed);
        return;
    }
    work_begin_change(work, CHANGE_CREATE);
    enum status told = goes_out ? try_to_change(work, &work->subject) : STATUS_OK;
    if (told != STATUS_OK) {
        give_up_for(work, told);
        return;
    }
    fill_rows(work);
    decide_spends(work);
    work->txn.payment.channel = work->change.channel;
    work->change.payment_refs = work->change.sealed_refs;
    work->step = WORK_RECORD;
    step_at(work->room, "before_record");
    work_commit(work, after_record);
}

static void step_create(struct work *work)
{
    struct payments *room = work->room;
    uint8_t text[512];
    struct writer detail = writer_over(text, sizeof text);
    enum status decided = decide_request(work);
    if (decided != STATUS_OK) {
        give_up_for(work, decided);
        return;
    }
    bool denied = work->ruling->verdict == VERDICT_DENY;
    struct view reason = work->ruling->reason;
    enum problem problem = denied ? PROBLEM_NONE : pick_channels(work, &reason, &detail);
    if (problem != PROBLEM_NONE) {
        refuse_unless_known(work, problem, writer_done(&detail));
        return;
    }
    int64_t now_us = loop_wall_us(room->o.loop);
    work->payment = id_next(&room->ids, now_us);
    work->operation = id_next(&room->ids, now_us);
    if (denied || work->candidate_count == 0)
        record_denied(work, denied, reason);
    else
        step_record(work);
}

/* --- load, record: capture, cancel, refund ------------------------------------------------------
 */

/* The key may be one that was answered: only the commit knows. So what is wrong with the request
 * goes into the commit too, and is kept as the answer. */
static void record_operation(struct work *work)
{
    struct payment_request *r = work->request;
    work->txn.idem_key = work->idem_key;
    memcpy(work->txn.idem_mac, work->idem_mac, sizeof work->txn.idem_mac);
    work->txn.load_payment = work->payment;
    work->change.operation_json = r->operation_json;
    work->step = WORK_RECORD;
    step_at(work->room, "before_record");
    work_commit(work, after_record);
}

void refuse_operation(struct work *work, enum flow_refusal refusal, enum problem problem,
                      struct view detail, int64_t asked)
{
    work_begin_change(work, CHANGE_BEGIN);
    work->change.refusal = refusal;
    work->change.problem = problem;
    work->change.problem_detail = arena_copy(&work->txn_arena, detail);
    work->change.begun_minor = asked;
    record_operation(work);
}

static void step_encode(struct work *work, const struct payment_row *row)
{
    struct payments *room = work->room;
    struct payment_request *r = work->request;
    if (r->currency.len > 0 && !view_is(r->currency, row->currency)) {
        work_begin_change(work, CHANGE_BEGIN);
        work->change.currency_mismatch = true;
        record_operation(work);
        return;
    }
    struct flow_sums sums = payment_sums(row);
    enum payment_status status = row->status;
    int64_t amount = r->amount_minor;
    bool of_first = work->kind == OPERATION_CANCEL && flow_first_runs(status, &sums);
    enum flow_refusal refusal = flow_begin(&status, &sums, work->kind, &amount);
    if (refusal == FLOW_ALLOWED && of_first && work_first_of(room, row->id) == NULL) {
        step_cancel_held(work, row);
        return;
    }
    if (refusal == FLOW_ALLOWED && of_first && !pending_may_cancel(work_first_of(room, row->id)))
        refusal = FLOW_OPERATION_RUNNING; /* its answer is not there yet, or it is being closed */
    if (refusal != FLOW_ALLOWED) {
        refuse_operation(work, refusal, PROBLEM_NONE, VIEW_EMPTY, r->amount_minor);
        return;
    }
    struct channel *channel = channels_find(room->o.channels, row->channel);
    uint8_t text[512];
    struct writer detail = writer_over(text, sizeof text);
    if (channel == NULL ||
        currency_by_code(view_text(row->currency), &work->currency) != STATUS_OK) {
        refuse_unless_known(work, PROBLEM_METHOD_NOT_AVAILABLE,
                            VIEW("The payment's channel is not configured any more."));
        return;
    }
    enum status unsealed =
        refs_unseal(room->seal, row->id, row->refs, &work->keep, &work->payment_refs);
    if (unsealed == STATUS_NO_MEMORY) {
        give_up_for(work, unsealed);
        return;
    }
    if (unsealed != STATUS_OK) {
        refuse_unless_known(work, PROBLEM_INTERNAL,
                            unsealed == STATUS_MISMATCH
                                ? VIEW("The payment's references cannot be opened: the host key is "
                                       "not the one they were sealed with.")
                                : VIEW("The payment's references cannot be read."));
        return;
    }
    int64_t now_us = loop_wall_us(room->o.loop);
    work->operation = id_next(&room->ids, now_us);
    work->subject = (struct try){ .verb = work->kind,
                                  .channel = channel,
                                  .amount = amount,
                                  .original = of_first ? row->amount : row->authorized };
    enum status encoded =
        try_prepare(work, &work->subject, VIEW_EMPTY, work->payment_refs, &detail);
    if (encoded == STATUS_BUSY) {
        refuse_unless_known(work, PROBLEM_OVERLOADED,
                            VIEW("The channel has no trace number free. Nothing was done."));
        return;
    }
    if (encoded == STATUS_NO_MEMORY) {
        give_up_for(work, encoded);
        return;
    }
    if (encoded != STATUS_OK) {
        refuse_operation(work, 0, PROBLEM_NOT_ENCODABLE, writer_done(&detail), amount);
        return;
    }
    work_begin_change(work, CHANGE_BEGIN);
    enum status told = try_to_change(work, &work->subject);
    if (told != STATUS_OK) {
        give_up_for(work, told);
        return;
    }
    record_operation(work);
}

static void loaded(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->committing = false;
    if (work->room->stopping) {
        work->answer = NULL;
        work_finish(work);
        return;
    }
    if (read->result == STATUS_NOT_FOUND)
        give_up(work, PROBLEM_NOT_FOUND, VIEW("There is no payment with this id."));
    else if (read->result != STATUS_OK)
        give_up(work, PROBLEM_STORE_FAILED, VIEW(DID_NOTHING));
    else
        step_encode(work, &read->payments[0]);
}

static void step_load(struct work *work)
{
    work->step = WORK_LOAD;
    work->read = (struct store_read){ .question = STORE_ONE_PAYMENT,
                                      .arena = &work->keep,
                                      .merchant = work->merchant,
                                      .payment = work->payment,
                                      .done = loaded,
                                      .arg = work };
    work->committing = true; /* the store holds our memory until loaded() */
    if (store_ask(work->room->o.store, &work->read) != STATUS_OK) {
        work->committing = false;
        give_up(work, PROBLEM_OVERLOADED, VIEW(DID_NOTHING));
    }
}

/* --- after record: send, or say what was said before --------------------------------------------
 */

/* The key is known, but its first request had no answer yet when the power failed: what is known
 * now becomes the answer. */
static void join_first(struct work *work)
{
    work->payment = work->txn.payment.id;
    work->operation = work->txn.operation.id;
    work_finish(work);
}

static void start_waiting(struct work *work)
{
    int64_t wait_us = work->wait_us >= 0
                          ? work->wait_us
                          : channel_wait_us(work->subject.channel, work->subject.verb);
    timer_start(&work->wait, work->asked_us + wait_us - loop_now_us(work->room->o.loop));
}

void after_record(struct work *work)
{
    struct store_txn *txn = &work->txn;
    switch (txn->result) {
    case STORE_COMMITTED:
        for (size_t i = 0; i < txn->event_count; i++)
            work->room->stats.reports += view_is(txn->events[i].kind, "compliance.report");
        if (txn->said == JUDGE_HELD)
            hold_begun(work);
        if (txn->answer_status != 0) { /* denied or held: it ends here */
            work->room->stats.denied +=
                txn->said == JUDGE_DENIED || work->change.kind == CHANGE_DENY;
            work->room->stats.limits_fired += txn->said == JUDGE_DENIED;
            work_answer(work, (int)txn->answer_status, txn->answer_body, false);
            work_finish(work);
            return;
        }
        step_at(work->room, "after_record");
        start_waiting(work);
        step_exchange(work);
        return;
    case STORE_REFUSED:
        if (work->change.kind == CHANGE_NOTHING) {
            give_up(work, work->change.problem, work->change.problem_detail);
            return;
        }
        if (work->reviewed != NULL) {
            give_up(work, PROBLEM_NO_ACTION, VIEW("The payment does not wait for a review."));
            return;
        }
        work->room->stats.refused++;
        work_answer(work, (int)txn->answer_status, txn->answer_body, false);
        work_finish(work);
        return;
    case STORE_REPLAY:
        if (txn->answer_status == 0) {
            join_first(work);
            return;
        }
        work_answer(work, (int)txn->answer_status, txn->answer_body, true);
        work_finish(work);
        return;
    case STORE_KEY_REUSED:
        give_up(work, PROBLEM_IDEMPOTENCY_KEY_REUSED, VIEW("Use a new key for a new request."));
        return;
    case STORE_NO_PAYMENT:
        if (work->hold != NULL) {
            give_up(work, PROBLEM_NO_ACTION,
                    work->confirming ? VIEW("The payment does not wait to be confirmed.")
                                     : VIEW("The payment does not wait any more."));
            return;
        }
        give_up(work, PROBLEM_NOT_FOUND, VIEW("There is no payment with this id."));
        return;
    case STORE_FAILED: break;
    }
    LOG(work->room->o.log, LOG_ERROR, "payment.record_failed", LOG_VIEW("why", txn->why));
    give_up(work, PROBLEM_STORE_FAILED, VIEW(DID_NOTHING));
}

int64_t channel_wait_us(const struct channel *channel, enum operation verb)
{
    struct channel_ability ability;
    channel_ability(channel, verb, &ability);
    return ability.deadline_us + WAIT_GRACE_US;
}
