/* judge.c - what a commit does to the rows: pure functions, run on the store's thread inside the
 * transaction, on rows freshly loaded. One function per kind of change; the sums are spent here and
 * nowhere else (flow.h).
 *
 * Every change appends to the journal: "payment.*" and "operation.*" say what became of the money,
 * "attempt.*" what was said on a channel. Data is redacted at the source: refs that are sensitive
 * never come here.
 */
#include "payment/judge_int.h"

#include "base/ensure.h"
#include "domain/id_json.h"

#define EVENT_BYTES 1024 /* of an event, beside the parts that are spliced in */

/* --- journal -------------------------------------------------------------------------------- */

struct event_writer {
    struct writer w;
    struct json_out j;
};

static bool event_open(struct store_txn *txn, const struct change *c, struct event_writer *e)
{
    size_t size = EVENT_BYTES + c->outcome_json.len + c->public_refs.len + c->channel.len +
                  c->created_json.len +
                  6 * (c->reason.len + c->rail_code.len); /* an escape takes six letters */
    uint8_t *room = arena_alloc(txn->arena, size);
    if (room == NULL)
        return false;
    e->w = writer_over(room, size);
    json_out_init(&e->j, &e->w);
    json_open_object(&e->j, NULL);
    return true;
}

static enum status event_close(struct store_txn *txn, struct event_writer *e, const char *kind,
                               int64_t now_us)
{
    json_close_object(&e->j);
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    if (e->w.overflow)
        return STATUS_FULL;
    arena_trim(txn->arena, e->w.ptr, e->w.len);
    txn->events[txn->event_count++] = (struct event_row){ .time_us = now_us,
                                                          .merchant = txn->payment.merchant,
                                                          .payment = txn->payment.id,
                                                          .kind = view_text(kind),
                                                          .data_json = writer_done(&e->w) };
    return STATUS_OK;
}

/* What an attempt said or heard. */
enum status judge_event_attempt(struct store_txn *txn, const struct change *c,
                                const struct attempt_row *row, const char *kind)
{
    struct event_writer e;
    if (!event_open(txn, c, &e))
        return STATUS_NO_MEMORY;
    json_put_id(&e.j, "attempt", ID_ATTEMPT, row->id);
    json_put_text(&e.j, "operation", view_text(operation_word(row->verb)));
    json_put_text(&e.j, "state", view_text(attempt_state_word(row->state)));
    json_put_text_if(&e.j, "channel", row->channel);
    json_put_i64(&e.j, "amount", row->amount);
    if (row->parent != 0)
        json_put_id(&e.j, "of_attempt", ID_ATTEMPT, row->parent);
    if (row->tries > 1)
        json_put_i64(&e.j, "tries", row->tries);
    json_put_text_if(&e.j, "code", c->rail_code);
    if (c->latency_us > 0)
        json_put_i64(&e.j, "latency_us", c->latency_us);
    json_put_text_if(&e.j, "reason", c->reason);
    if (c->public_refs.len > 0) {
        json_open_object(&e.j, "refs");
        json_put_raw(&e.j, NULL, c->public_refs);
        json_close_object(&e.j);
    }
    return event_close(txn, &e, kind, c->now_us);
}

enum status judge_event_payment(struct store_txn *txn, const struct change *c, const char *kind)
{
    const struct payment_row *p = &txn->payment;
    struct event_writer e;
    if (!event_open(txn, c, &e))
        return STATUS_NO_MEMORY;
    json_put_text(&e.j, "status", view_text(payment_status_word(p->status)));
    json_put_i64(&e.j, "amount", p->amount);
    json_put_text(&e.j, "currency", view_text(p->currency));
    json_put_i64(&e.j, "authorized", p->authorized);
    json_put_i64(&e.j, "captured", p->captured);
    json_put_i64(&e.j, "refunded", p->refunded);
    if (c->outcome_json.len > 0)
        json_put_raw(&e.j, NULL, c->outcome_json);
    if (c->created_json.len > 0)
        json_put_raw(&e.j, NULL, c->created_json);
    return event_close(txn, &e, kind, c->now_us);
}

enum status judge_event_operation(struct store_txn *txn, const struct change *c)
{
    const struct operation_row *o = &txn->operation;
    struct event_writer e;
    if (!event_open(txn, c, &e))
        return STATUS_NO_MEMORY;
    json_put_id(&e.j, "operation", operation_id_kind(o->kind), o->id);
    json_put_text(&e.j, "kind", view_text(operation_word(o->kind)));
    json_put_text(&e.j, "status", view_text(operation_status_word(o->status)));
    json_put_i64(&e.j, "amount", o->amount);
    char kind[64];
    struct writer w = writer_over(kind, sizeof kind);
    writer_format(&w, "%s.%s", operation_word(o->kind), operation_status_word(o->status));
    TRY(writer_terminate(&w));
    struct view name = arena_copy(txn->arena, writer_done(&w));
    TRY(event_close(txn, &e, "operation", c->now_us));
    txn->events[txn->event_count - 1].kind = name;
    return STATUS_OK;
}

/* "payment.authorized", "payment.failed", ...: the status is the event's name. */
enum status judge_event_status(struct store_txn *txn, const struct change *c)
{
    char kind[64];
    struct writer w = writer_over(kind, sizeof kind);
    writer_format(&w, "payment.%s", payment_status_word(txn->payment.status));
    TRY(writer_terminate(&w));
    struct view name = arena_copy(txn->arena, writer_done(&w));
    TRY(judge_event_payment(txn, c, "payment"));
    txn->events[txn->event_count - 1].kind = name;
    return STATUS_OK;
}

/* --- sums ----------------------------------------------------------------------------------- */

void judge_sums_to(struct payment_row *row, const struct flow_sums *sums)
{
    row->authorized = sums->authorized;
    row->capturing = sums->capturing;
    row->captured = sums->captured;
    row->releasing = sums->releasing;
    row->released = sums->released;
    row->refunding = sums->refunding;
    row->refunded = sums->refunded;
}

/* --- the answer ------------------------------------------------------------------------------ */

enum status judge_render(struct store_txn *txn, enum operation kind)
{
    size_t size = 1536 + txn->payment.facts_json.len + txn->payment.outcome_json.len +
                  6 * txn->payment.reference.len + txn->operation.facts_json.len +
                  txn->operation.outcome_json.len;
    uint8_t *room = arena_alloc(txn->arena, size);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, size);
    struct json_out j;
    json_out_init(&j, &w);
    bool created = kind != OPERATION_CAPTURE && kind != OPERATION_CANCEL;
    bool settled = txn->operation.status != OPERATION_STATUS_PENDING;
    if (kind == OPERATION_REFUND)
        render_operation(&j, NULL, &txn->operation, txn->payment.currency);
    else if (created)
        render_payment(&j, NULL, &txn->payment);
    else
        render_payment_after(&j, NULL, &txn->payment, &txn->operation);
    TRY(writer_status(&w));
    arena_trim(txn->arena, room, w.len);
    txn->answer_body = writer_done(&w);
    txn->answer_status = !settled ? 202 : created ? 201 : 200;
    return STATUS_OK;
}

enum status judge_problem(struct store_txn *txn, enum problem problem, struct view detail)
{
    uint8_t *room = arena_alloc(txn->arena, 2048);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, 2048);
    problem_write(&w, problem, detail, NULL, 0);
    TRY(writer_status(&w));
    txn->answer_body = writer_done(&w);
    txn->answer_status = (uint32_t)problem_status(problem);
    return STATUS_REFUSED;
}

enum status judge_answer(struct store_txn *txn, void *arg)
{
    const struct answering *a = arg;
    TRY(judge_render(txn, txn->operation.kind));
    if (a->work->confirming && txn->answer_status == 201)
        txn->answer_status = 200; /* the payment was created by an earlier request */
    return STATUS_OK;
}

/* Nothing of it moved and nothing will: what it had spent of limits is free again. */
void judge_release(struct store_txn *txn)
{
    enum payment_status status = txn->payment.status;
    if (txn->payment.captured == 0 && txn->payment.spends.len > 0 &&
        (status == PAYMENT_FAILED || status == PAYMENT_REVERSED || status == PAYMENT_CANCELED))
        txn->spends_release = true;
}

/* Who was authenticated by the method itself (chip and PIN) was so if the channel approves. */
static void reset_sums(struct store_txn *txn)
{
    for (size_t i = 0; i < txn->spend_count; i++)
        txn->spends[i].write = txn->spends[i].kind == STORE_SPEND_RESET;
}

/* --- changes ---------------------------------------------------------------------------------- */

void judge_attempt_from(struct attempt_row *row, const struct work *work, const struct change *c,
                        const struct try *try, int64_t parent)
{
    *row = (struct attempt_row){ .id = try->attempt,
                                 .payment = work->payment,
                                 .operation = work->operation,
                                 .merchant = work->merchant,
                                 .verb = try->verb,
                                 .state = ATTEMPT_SENDING,
                                 .parent = parent,
                                 .amount = try->amount,
                                 .original = try->original,
                                 .channel = c->channel,
                                 .trace = try->trace,
                                 .time_us = try->time_us,
                                 .tries = try->tries,
                                 .created_us = c->now_us,
                                 .updated_us = c->now_us,
                                 .refs = c->sealed_refs };
    memcpy(row->currency, work->currency->code, sizeof row->currency);
    memcpy(row->random, try->random, sizeof row->random);
}

static enum problem problem_of(enum flow_refusal refusal)
{
    switch (refusal) {
    case FLOW_OVER_CAPTURABLE: return PROBLEM_AMOUNT_EXCEEDS_CAPTURABLE;
    case FLOW_OVER_REFUNDABLE: return PROBLEM_AMOUNT_EXCEEDS_REFUNDABLE;
    case FLOW_NOTHING_LEFT: return PROBLEM_NOTHING_LEFT;
    case FLOW_OPERATION_RUNNING: return PROBLEM_OPERATION_RUNNING;
    default: return PROBLEM_WRONG_STATUS;
    }
}

static struct view refusal_detail(struct store_txn *txn, const struct flow_sums *sums,
                                  enum flow_refusal refusal, int64_t asked)
{
    return arena_format(txn->arena,
                        "%s The payment is %s; asked: %lld, capturable: %lld, refundable: %lld "
                        "(minor units of %s).",
                        flow_refusal_text(refusal), payment_status_word(txn->payment.status),
                        (long long)asked, (long long)flow_capturable(sums),
                        (long long)flow_refundable(sums), txn->payment.currency);
}

/* Refused as the payment was when it was read; as it is now there may be a better reason. */
static enum flow_refusal refusal_now(const struct store_txn *txn, const struct work *work,
                                     const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status;
    int64_t amount = c->begun_minor;
    enum flow_refusal now = flow_begin(&status, &sums, work->kind, &amount);
    return now != FLOW_ALLOWED ? now : c->refusal;
}

/* Capture, cancel, refund: the one place where sums are spent. */
static enum status judge_begin(struct store_txn *txn, const struct work *work,
                               const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    if (c->currency_mismatch)
        return judge_problem(
            txn, PROBLEM_CURRENCY_MISMATCH,
            arena_format(txn->arena, "The payment is in %s.", txn->payment.currency));
    if (c->problem != PROBLEM_NONE)
        return judge_problem(txn, c->problem, c->problem_detail);
    if (c->refusal != 0) {
        enum flow_refusal now = refusal_now(txn, work, c);
        return judge_problem(txn, problem_of(now), refusal_detail(txn, &sums, now, c->begun_minor));
    }
    int64_t amount = c->try.amount;
    enum payment_status status = txn->payment.status;
    enum flow_refusal refusal = flow_begin(&status, &sums, work->kind, &amount);
    if (refusal != FLOW_ALLOWED)
        return judge_problem(txn, problem_of(refusal),
                             refusal_detail(txn, &sums, refusal, c->try.amount));
    if (amount != c->try.amount) /* a cancel of what was running, which has ended meanwhile */
        return judge_problem(txn, PROBLEM_OPERATION_RUNNING,
                             refusal_detail(txn, &sums, FLOW_OPERATION_RUNNING, c->try.amount));
    txn->payment.status = status;
    judge_sums_to(&txn->payment, &sums);
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    txn->write_operation = STORE_INSERT;
    txn->operation = (struct operation_row){ .id = work->operation,
                                             .payment = work->payment,
                                             .merchant = work->merchant,
                                             .kind = work->kind,
                                             .status = OPERATION_STATUS_PENDING,
                                             .amount = amount,
                                             .created_us = c->now_us,
                                             .updated_us = c->now_us,
                                             .facts_json = c->operation_json };
    TRY(judge_event_operation(txn, c));
    txn->write_attempt = STORE_INSERT;
    judge_attempt_from(&txn->attempt, work, c, &c->try, 0);
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

enum attempt_state judge_state_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_APPROVED: return ATTEMPT_APPROVED;
    case OUTCOME_DECLINED: return ATTEMPT_DECLINED;
    case OUTCOME_PENDING: return ATTEMPT_PENDING;
    case OUTCOME_REJECTED: return ATTEMPT_REJECTED;
    case OUTCOME_NOT_FOUND: return ATTEMPT_NOT_FOUND;
    case OUTCOME_NOT_SENT: return ATTEMPT_NOT_SENT;
    default: return ATTEMPT_UNKNOWN;
    }
}

static bool is_first(const struct store_txn *txn)
{
    return txn->operation.kind == OPERATION_SALE || txn->operation.kind == OPERATION_AUTHORISE;
}

/* An outcome is written once: the first operation's is the payment's, a later one's its own. */
static struct view *outcome_of(struct store_txn *txn)
{
    return is_first(txn) ? &txn->payment.outcome_json : &txn->operation.outcome_json;
}

/* What ended the operation contradicts what had ended the payment before. */
static enum status end_contradicted(struct store_txn *txn, const struct change *c,
                                    struct attempt_row *row)
{
    row->state = ATTEMPT_CONFLICT;
    txn->said = JUDGE_CONFLICT;
    txn->write_operation = STORE_UPDATE;
    txn->operation.status = OPERATION_STATUS_FAILED;
    txn->operation.updated_us = c->now_us;
    if (!is_first(txn))
        TRY(judge_event_operation(txn, c));
    TRY(judge_event_attempt(txn, c, row, "attempt.conflict"));
    return c->want_answer ? judge_render(txn, txn->operation.kind) : STATUS_OK;
}

enum status judge_end_operation(struct store_txn *txn, const struct change *c,
                                struct attempt_row *row, enum flow_end end)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status;
    enum payment_status before = status;
    enum operation kind = txn->operation.kind;
    if (txn->operation.status != OPERATION_STATUS_PENDING) /* ended already: a repeat came first */
        return c->want_answer ? judge_render(txn, kind) : STATUS_OK;
    bool first = is_first(txn);
    bool canceled = first && !flow_first_runs(status, &sums); /* a cancel has ended the payment */
    if (canceled && end == FLOW_END_APPROVED)
        return end_contradicted(txn, c, row);
    enum status ended = canceled ? STATUS_OK
                                 : flow_end(&status, &sums, kind, txn->payment.capture,
                                            c->begun_minor, c->approved_minor, end);
    if (ended == STATUS_MISMATCH && kind == OPERATION_CANCEL)
        return end_contradicted(txn, c, row); /* what it canceled was approved meanwhile */
    TRY(ended);
    txn->payment.status = status;
    judge_sums_to(&txn->payment, &sums);
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    if (first && c->payment_refs.len > 0)
        txn->payment.refs = c->payment_refs;
    txn->write_operation = STORE_UPDATE;
    txn->operation.status =
        end == FLOW_END_APPROVED ? OPERATION_STATUS_SUCCEEDED : OPERATION_STATUS_FAILED;
    if (end == FLOW_END_APPROVED)
        txn->operation.amount = c->approved_minor;
    txn->operation.updated_us = c->now_us;
    if (!canceled)
        *outcome_of(txn) = c->outcome_json;
    if (kind == OPERATION_CANCEL && c->begun_minor == 0 && status != before)
        txn->payment.outcome_json = c->canceled_json;
    judge_release(txn);
    if (end == FLOW_END_APPROVED && first)
        reset_sums(txn);
    if (!first)
        TRY(judge_event_operation(txn, c));
    if ((first && !canceled) || status != before)
        TRY(judge_event_status(txn, c));
    return c->want_answer ? judge_render(txn, kind) : STATUS_OK;
}

enum status judge_show(struct store_txn *txn, const struct change *c)
{
    *outcome_of(txn) = c->outcome_json;
    txn->operation.updated_us = c->now_us;
    txn->write_operation = STORE_UPDATE;
    if (!is_first(txn))
        return STATUS_OK;
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    if (txn->payment.status != PAYMENT_REQUIRES_ACTION || c->requires_action)
        return STATUS_OK;
    txn->payment.status = PAYMENT_PROCESSING; /* nobody shall act any more */
    return judge_event_status(txn, c);
}

/* Accepted; the final word comes later. Sums stay reserved. */
static enum status settle_pending(struct store_txn *txn, const struct work *work,
                                  const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status before = txn->payment.status;
    txn->attempt.next_us = c->next_us;
    TRY(judge_show(txn, c));
    if (is_first(txn)) {
        if (c->payment_refs.len > 0)
            txn->payment.refs = c->payment_refs;
        if (c->requires_action)
            TRY(flow_act(&txn->payment.status, &sums));
        if (c->requires_action && txn->payment.status != before)
            TRY(judge_event_status(txn, c));
    }
    return c->want_answer ? judge_render(txn, work->kind) : STATUS_OK;
}

static enum status judge_settle(struct store_txn *txn, const struct work *work,
                                const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = judge_state_of(c->outcome);
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    if (c->sealed_refs.len > 0)
        txn->attempt.refs = c->sealed_refs;
    char kind[48];
    struct writer w = writer_over(kind, sizeof kind);
    writer_format(&w, "attempt.%s", attempt_state_word(txn->attempt.state));
    TRY(writer_terminate(&w));
    struct view name = arena_copy(txn->arena, writer_done(&w));
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt"));
    txn->events[txn->event_count - 1].kind = name;
    if (c->outcome == OUTCOME_PENDING)
        return settle_pending(txn, work, c);
    return judge_end_operation(txn, c, &txn->attempt,
                               c->outcome == OUTCOME_APPROVED ? FLOW_END_APPROVED
                                                              : FLOW_END_FAILED);
}

/* `parent` is the attempt that was not sent, `attempt` the next one. */
static enum status judge_elsewhere(struct store_txn *txn, const struct work *work,
                                   const struct change *c)
{
    txn->write_parent = STORE_UPDATE;
    txn->parent.state = ATTEMPT_NOT_SENT;
    txn->parent.updated_us = c->now_us;
    struct change about_parent = *c;
    about_parent.public_refs = VIEW_EMPTY; /* they are the next attempt's */
    TRY(judge_event_attempt(txn, &about_parent, &txn->parent, "attempt.not_sent"));
    txn->write_payment = STORE_UPDATE;
    txn->payment.channel = c->channel;
    txn->payment.refs = c->payment_refs;
    txn->payment.updated_us = c->now_us;
    txn->write_attempt = STORE_INSERT;
    judge_attempt_from(&txn->attempt, work, c, &c->try, 0);
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

static enum status judge_unknown(struct store_txn *txn, const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = ATTEMPT_UNKNOWN;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = c->next_us;
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.unknown"));
    return judge_show(txn, c);
}

/* `parent` is the subject, `attempt` the new reversal or inquiry. */
static enum status judge_remedy(struct store_txn *txn, const struct work *work,
                                const struct change *c)
{
    txn->write_parent = STORE_UPDATE;
    bool pending = txn->parent.state == ATTEMPT_PENDING; /* accepted: what is shown stays true */
    if (c->try.verb == OPERATION_REVERSE)
        txn->parent.state = ATTEMPT_REVERSING;
    else if (!pending)
        txn->parent.state = ATTEMPT_UNKNOWN;
    txn->parent.updated_us = c->now_us;
    struct change about_parent = *c;
    about_parent.public_refs = VIEW_EMPTY; /* they are the remedy's */
    TRY(judge_event_attempt(txn, &about_parent, &txn->parent,
                            pending ? "attempt.pending" : "attempt.unknown"));
    if (c->outcome_json.len > 0 && (!pending || c->try.verb == OPERATION_REVERSE))
        TRY(judge_show(txn, c));
    txn->write_attempt = STORE_INSERT;
    judge_attempt_from(&txn->attempt, work, c, &c->try, work->subject.attempt);
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

static enum status judge_retry(struct store_txn *txn, const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = ATTEMPT_SENDING;
    txn->attempt.tries = c->try.tries;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0; /* now */
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

/* The reversal was accepted (or the other side never had the original): nothing was charged. */
static enum status judge_undone(struct store_txn *txn, const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = judge_state_of(c->outcome);
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    txn->write_parent = STORE_UPDATE;
    bool paid = c->expired && refs_find(txn->parent.refs, HEARD_ROW).len > 0;
    txn->parent.state = paid ? ATTEMPT_CONFLICT : ATTEMPT_REVERSED;
    txn->parent.updated_us = c->now_us;
    if (paid) { /* closed because nobody had paid, and a notice has said that somebody did */
        struct change contradicted = *c;
        contradicted.outcome_json = c->conflict_json;
        txn->said = JUDGE_CONFLICT;
        TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.reversed"));
        TRY(judge_event_attempt(txn, c, &txn->parent, "attempt.conflict"));
        return judge_show(txn, &contradicted);
    }
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.reversed"));
    return judge_end_operation(txn, c, &txn->parent,
                               c->expired ? FLOW_END_FAILED : FLOW_END_REVERSED);
}

/* An inquiry's outcome is the subject's. */
static enum status judge_found(struct store_txn *txn, const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = judge_state_of(c->outcome);
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    txn->write_parent = STORE_UPDATE;
    txn->parent.state = judge_state_of(c->outcome);
    txn->parent.updated_us = c->now_us;
    txn->parent.next_us = 0;
    if (c->subject_refs.len > 0)
        txn->parent.refs = c->subject_refs;
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.found"));
    return judge_end_operation(
        txn, c, &txn->parent, c->outcome == OUTCOME_APPROVED ? FLOW_END_APPROVED : FLOW_END_FAILED);
}

static enum status judge_park(struct store_txn *txn, const struct work *work,
                              const struct change *c)
{
    bool conflict = c->kind == CHANGE_CONFLICT;
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = conflict ? ATTEMPT_CONFLICT : ATTEMPT_PARKED;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    if (work->on_remedy) { /* nothing is sent for the subject either, until a person says so */
        txn->write_parent = STORE_UPDATE;
        txn->parent.state = txn->attempt.state;
        txn->parent.updated_us = c->now_us;
    }
    TRY(judge_event_attempt(txn, c, &txn->attempt,
                            conflict ? "attempt.conflict" : "attempt.parked"));
    return judge_show(txn, c);
}

/* An inquiry or reversal after which something else is tried. */
static enum status judge_close(struct store_txn *txn, const struct change *c)
{
    txn->write_attempt = STORE_UPDATE;
    /* Pending would count as open, and be taken up again at the next start. */
    bool final = c->outcome != 0 && c->outcome != OUTCOME_PENDING;
    txn->attempt.state = final ? judge_state_of(c->outcome) : ATTEMPT_OVERTAKEN;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.closed"));
    if (!c->subject_pending || txn->parent.state == ATTEMPT_PENDING)
        return STATUS_OK;
    txn->write_parent = STORE_UPDATE;
    txn->parent.state = ATTEMPT_PENDING;
    txn->parent.updated_us = c->now_us;
    txn->parent.next_us = 0;
    return judge_show(txn, c);
}

/* --- overtaken by a notice ---------------------------------------------------------------------
 */

bool judge_is_settled(enum attempt_state state)
{
    switch (state) {
    case ATTEMPT_APPROVED:
    case ATTEMPT_DECLINED:
    case ATTEMPT_REJECTED:
    case ATTEMPT_NOT_FOUND:
    case ATTEMPT_NOT_SENT:
    case ATTEMPT_REVERSED:
    case ATTEMPT_CONFLICT: return true;
    default: return false;
    }
}

static bool begins_subject(enum change_kind kind)
{
    return kind == CHANGE_CREATE || kind == CHANGE_DENY || kind == CHANGE_BEGIN ||
           kind == CHANGE_NOTHING || (kind >= CHANGE_RESUME && kind <= CHANGE_CANCEL_HELD);
}

/* The attempt that moves money, as it is now. */
static struct attempt_row *subject_of(struct store_txn *txn, const struct work *work,
                                      const struct change *c)
{
    return c->kind == CHANGE_ELSEWHERE || work->on_remedy ? &txn->parent : &txn->attempt;
}

/* Does what the work has heard contradict what is known of its subject? */
static bool contradicts(const struct change *c, enum attempt_state known)
{
    bool moved = known == ATTEMPT_APPROVED;
    switch (c->kind) {
    case CHANGE_SETTLE:
    case CHANGE_FOUND:
        if (c->outcome == OUTCOME_PENDING || c->outcome == OUTCOME_NOT_FOUND)
            return false;
        return (c->outcome == OUTCOME_APPROVED) != moved;
    case CHANGE_UNDONE: /* undone or never sent, after it was said to have gone through */
    case CHANGE_ELSEWHERE: return moved;
    case CHANGE_CONFLICT: return true;
    default: return false;
    }
}

/* The subject was settled by a notice while the work was about to do something else. Nothing of
 * that happens; what was heard is kept, and if it contradicts the notice a person must look. */
static enum status judge_overtaken(struct store_txn *txn, const struct work *work,
                                   const struct change *c)
{
    struct attempt_row *subject = subject_of(txn, work, c);
    bool remedy = work->on_remedy && c->kind != CHANGE_REMEDY;
    bool conflict = subject->state != ATTEMPT_CONFLICT && contradicts(c, subject->state);
    txn->said = conflict ? JUDGE_CONTRADICTED : JUDGE_OVERTAKEN;
    if (remedy) {
        bool said = c->kind == CHANGE_FOUND || c->kind == CHANGE_UNDONE;
        txn->write_attempt = STORE_UPDATE;
        txn->attempt.state = said ? judge_state_of(c->outcome) : ATTEMPT_OVERTAKEN;
        txn->attempt.updated_us = c->now_us;
        txn->attempt.next_us = 0;
        TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.overtaken"));
    } else if (c->kind == CHANGE_SETTLE && c->sealed_refs.len > 0) {
        txn->write_attempt = STORE_UPDATE; /* beside what the notice has brought */
        txn->attempt.refs = refs_join(txn->arena, txn->attempt.refs, c->sealed_refs);
        txn->attempt.updated_us = c->now_us;
    }
    if (!remedy && is_first(txn) && c->payment_refs.len > 0 && c->kind == CHANGE_SETTLE) {
        txn->payment.refs = refs_join(txn->arena, txn->payment.refs, c->payment_refs);
        txn->write_payment = STORE_UPDATE;
    }
    if (conflict) {
        subject->state = ATTEMPT_CONFLICT;
        subject->updated_us = c->now_us;
        if (subject == &txn->parent)
            txn->write_parent = STORE_UPDATE;
        else
            txn->write_attempt = STORE_UPDATE;
        TRY(judge_event_attempt(txn, c, subject, "attempt.conflict"));
    }
    return c->want_answer ? judge_render(txn, work->kind) : STATUS_OK;
}

/* --- all changes -------------------------------------------------------------------------------
 */

static enum status judged(struct store_txn *txn, const struct work *work, const struct change *c)
{
    if (!begins_subject(c->kind) && judge_is_settled(subject_of(txn, work, c)->state))
        return judge_overtaken(txn, work, c);
    switch (c->kind) {
    case CHANGE_CREATE: return judge_create(txn, work, c);
    case CHANGE_DENY: return judge_deny(txn, work, c);
    case CHANGE_BEGIN: return judge_begin(txn, work, c);
    case CHANGE_SETTLE: return judge_settle(txn, work, c);
    case CHANGE_ELSEWHERE: return judge_elsewhere(txn, work, c);
    case CHANGE_UNKNOWN: return judge_unknown(txn, c);
    case CHANGE_REMEDY: return judge_remedy(txn, work, c);
    case CHANGE_RETRY: return judge_retry(txn, c);
    case CHANGE_UNDONE: return judge_undone(txn, c);
    case CHANGE_FOUND: return judge_found(txn, c);
    case CHANGE_PARK:
    case CHANGE_CONFLICT: return judge_park(txn, work, c);
    case CHANGE_CLOSE: return judge_close(txn, c);
    case CHANGE_RESUME:
    case CHANGE_FORGO:
    case CHANGE_REHOLD:
    case CHANGE_WRONG:
    case CHANGE_CANCEL_HELD: return judge_held(txn, work, c);
    case CHANGE_NOTHING: return STATUS_REFUSED; /* without an answer: nothing is kept */
    }
    return STATUS_REFUSED;
}

enum status judge_change(struct store_txn *txn, void *arg)
{
    const struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    enum status status = judged(txn, work, &work->change);
    if (work->confirming && txn->answer_status == 201)
        txn->answer_status = 200; /* the payment was created by an earlier request */
    return status;
}
