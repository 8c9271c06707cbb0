/* resolve.c - a person's word about an attempt that is parked or in conflict: first the judge,
 * which is pure, then the way there.
 *
 *     its operation    the word is       what happens
 *     is pending       any               the operation and the payment end with it (flow_end)
 *     has succeeded    approved          only the attempt: that is what the books say
 *     has failed       declined,
 *                      reversed          only the attempt
 *     has succeeded    declined,
 *                      reversed          refused: nobody's word takes back what merchants were
 *     has failed       approved          told; money must move once more (a refund, or back at the
 *                                        channel)
 *     went on with     declined,
 *     another attempt  reversed          only the attempt: the operation is the other one's
 *                      approved          refused: it would have been paid twice
 *
 * What reversed or asked about the attempt and was parked with it is closed in the same commit.
 *
 * The way there reads the attempts of the payment before the commit, for two things that do not
 * change any more: whether the operation went on with another attempt (nothing is sent for this one
 * while it waits for a person), and which remedy was parked with it.
 */
#include "payment/resolve.h"

#include "payment/judge_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define RESOLVED_BYTES 1024 /* of the event, beside texts */

enum status resolve_as_parse(struct view text, enum resolve_as *out)
{
    static const char *const words[] = { [RESOLVE_APPROVED] = "approved",
                                         [RESOLVE_DECLINED] = "declined",
                                         [RESOLVE_REVERSED] = "reversed" };
    for (size_t i = RESOLVE_APPROVED; i < COUNT_OF(words); i++)
        if (view_is(text, words[i])) {
            *out = (enum resolve_as)i;
            return STATUS_OK;
        }
    return STATUS_NOT_FOUND;
}

/* --- the judge -------------------------------------------------------------------------------- */

static enum status refuse(struct store_txn *txn, const char *text)
{
    return judge_problem(txn, PROBLEM_WRONG_STATUS, view_text(text));
}

static bool waits_for_a_person(enum attempt_state state)
{
    return state == ATTEMPT_PARKED || state == ATTEMPT_CONFLICT;
}

/* A cancel of what was running: all of it or nothing, it has no amount of its own. */
static bool is_of_first(const struct attempt_row *row)
{
    return row->verb == OPERATION_CANCEL && row->amount == 0;
}

/* What is approved of what was asked. */
static enum status amount_of(struct store_txn *txn, const struct resolve_change *r, int64_t *out)
{
    const struct attempt_row *row = &txn->attempt;
    int64_t asked = is_of_first(row) ? row->original : row->amount;
    *out = row->amount;
    if (r->amount_minor == 0 || r->amount_minor == asked)
        return STATUS_OK;
    if (r->as != RESOLVE_APPROVED)
        return judge_problem(txn, PROBLEM_INVALID_FIELD,
                             VIEW("An amount can only be given with approved: otherwise no money "
                                  "moved."));
    if (r->amount_minor < 0 || r->amount_minor > asked)
        return judge_problem(
            txn, PROBLEM_INVALID_FIELD,
            arena_format(txn->arena,
                         "The amount %lld is over what was asked, %lld (minor units of %s). What "
                         "is beyond it must be given back at the channel.",
                         (long long)r->amount_minor, (long long)asked, row->currency));
    if (row->verb == OPERATION_CANCEL)
        return judge_problem(txn, PROBLEM_INVALID_FIELD,
                             VIEW("A cancel gives back all that is left, never a part of it."));
    *out = r->amount_minor;
    return STATUS_OK;
}

static enum flow_end end_of(enum resolve_as as)
{
    return as == RESOLVE_APPROVED   ? FLOW_END_APPROVED
           : as == RESOLVE_REVERSED ? FLOW_END_REVERSED
                                    : FLOW_END_FAILED;
}

/* Would the sums hold? As judge_end_operation will have it, but with a sentence. */
static enum status check_end(struct store_txn *txn, const struct resolve_change *r,
                             int64_t approved)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status;
    enum operation kind = txn->operation.kind;
    bool first = kind == OPERATION_SALE || kind == OPERATION_AUTHORISE;
    if (first && !flow_first_runs(status, &sums)) /* ended by a cancel */
        return r->as != RESOLVE_APPROVED
                   ? STATUS_OK
                   : refuse(txn, "The payment has ended without this attempt, and the merchant was "
                                 "told so. Give the money back at the channel and resolve it as "
                                 "reversed.");
    if (flow_end(&status, &sums, kind, txn->payment.capture, txn->attempt.amount, approved,
                 end_of(r->as)) == STATUS_OK)
        return STATUS_OK;
    sums = payment_sums(&txn->payment);
    return judge_problem(
        txn, PROBLEM_WRONG_STATUS,
        arena_format(txn->arena,
                     "The sums of the payment do not hold with that: it is %s; asked %lld, "
                     "authorized %lld, captured %lld, released %lld, refunded %lld (minor units of "
                     "%s), and this %s is about %lld.",
                     payment_status_word(txn->payment.status), (long long)sums.amount,
                     (long long)sums.authorized, (long long)sums.captured, (long long)sums.released,
                     (long long)sums.refunded, txn->payment.currency, operation_word(kind),
                     (long long)txn->attempt.amount));
}

/* Its operation has ended: the word may only say the same. */
static enum status check_ended(struct store_txn *txn, const struct resolve_change *r,
                               int64_t approved)
{
    bool succeeded = txn->operation.status == OPERATION_STATUS_SUCCEEDED;
    if (succeeded && r->as != RESOLVE_APPROVED)
        return refuse(txn, "Its operation has succeeded, and the merchant was told so. Resolve it "
                           "as approved; if money has to go back, refund it.");
    if (!succeeded && r->as == RESOLVE_APPROVED)
        return refuse(txn, "Its operation has failed, and the merchant was told so. Give the money "
                           "back at the channel and resolve it as reversed.");
    if (succeeded && !is_of_first(&txn->attempt) && approved != txn->operation.amount)
        return judge_problem(
            txn, PROBLEM_INVALID_FIELD,
            arena_format(txn->arena,
                         "Its operation has succeeded with %lld (minor units of %s), and the "
                         "merchant was told so.",
                         (long long)txn->operation.amount, txn->payment.currency));
    return STATUS_OK;
}

static enum status check(struct store_txn *txn, const struct resolve_change *r, int64_t *approved)
{
    const struct attempt_row *row = &txn->attempt;
    char id[ID_TEXT_MAX];
    if (row->parent != 0)
        return judge_problem(txn, PROBLEM_WRONG_STATUS,
                             arena_format(txn->arena,
                                          "This attempt only serves another one. Resolve %s.",
                                          id_format(ID_ATTEMPT, row->parent, id)));
    if (!waits_for_a_person(row->state))
        return judge_problem(
            txn, PROBLEM_WRONG_STATUS,
            arena_format(txn->arena,
                         "The attempt is %s. Only what is parked or in conflict is resolved by a "
                         "person.",
                         attempt_state_word(row->state)));
    TRY(amount_of(txn, r, approved));
    if (r->superseded)
        return r->as != RESOLVE_APPROVED
                   ? STATUS_OK
                   : refuse(txn, "The operation went on with another attempt. What moved through "
                                 "this one must be given back at the channel; then resolve it as "
                                 "reversed.");
    return txn->operation.status == OPERATION_STATUS_PENDING ? check_end(txn, r, *approved)
                                                             : check_ended(txn, r, *approved);
}

static enum status journal(struct store_txn *txn, const struct resolve_change *r,
                           enum attempt_state before, int64_t asked)
{
    const struct attempt_row *row = &txn->attempt;
    /* A card number does not enter the journal, whoever typed it. */
    struct view by = redact_copy(txn->arena, r->by), why = redact_copy(txn->arena, r->why),
                evidence = redact_copy(txn->arena, r->evidence);
    size_t size = RESOLVED_BYTES + row->channel.len + 6 * (by.len + why.len + evidence.len);
    uint8_t *room = arena_alloc(txn->arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    char id[ID_TEXT_MAX];
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "attempt", view_text(id_format(ID_ATTEMPT, row->id, id)));
    json_put_text(&j, "operation", view_text(operation_word(row->verb)));
    json_put_text(&j, "state", view_text(attempt_state_word(row->state)));
    json_put_text(&j, "before", view_text(attempt_state_word(before)));
    json_put_text_if(&j, "channel", row->channel);
    json_put_i64(&j, "amount", row->amount);
    if (asked != row->amount)
        json_put_i64(&j, "asked", asked);
    json_put_text(&j, "by", by);
    json_put_text(&j, "why", why);
    json_put_text_if(&j, "evidence", evidence);
    json_close_object(&j);
    if (w.overflow)
        return STATUS_NO_MEMORY;
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    txn->events[txn->event_count++] = (struct event_row){ .time_us = r->change.now_us,
                                                          .merchant = row->merchant,
                                                          .payment = row->payment,
                                                          .kind = VIEW("attempt.resolved"),
                                                          .data_json = writer_done(&w) };
    return STATUS_OK;
}

enum status judge_resolve(struct store_txn *txn, void *arg)
{
    const struct resolve_change *r = arg;
    struct change c = r->change;
    struct attempt_row *row = &txn->attempt;
    enum attempt_state before = row->state;
    int64_t asked = row->amount;
    TRY(check(txn, r, &c.approved_minor));
    txn->said = JUDGE_SETTLED;
    c.begun_minor = asked;
    txn->write_attempt = STORE_UPDATE;
    row->state = r->as == RESOLVE_APPROVED   ? ATTEMPT_APPROVED
                 : r->as == RESOLVE_DECLINED ? ATTEMPT_DECLINED
                                             : ATTEMPT_REVERSED;
    row->amount = r->as == RESOLVE_APPROVED ? c.approved_minor : asked; /* what notices will say */
    row->updated_us = c.now_us;
    row->next_us = 0;
    if (txn->load_parent != 0 && txn->parent.parent == row->id &&
        waits_for_a_person(txn->parent.state)) {
        txn->write_parent = STORE_UPDATE;
        txn->parent.state = ATTEMPT_OVERTAKEN;
        txn->parent.updated_us = c.now_us;
        txn->parent.next_us = 0;
    }
    TRY(journal(txn, r, before, asked));
    c.reason = VIEW("a person has settled what it was about");
    if (txn->write_parent == STORE_UPDATE)
        TRY(judge_event_attempt(txn, &c, &txn->parent, "attempt.overtaken"));
    if (r->superseded || txn->operation.status != OPERATION_STATUS_PENDING)
        return STATUS_OK;
    return judge_end_operation(txn, &c, row, end_of(r->as));
}

/* --- the way there ---------------------------------------------------------------------------- */

struct resolving {
    struct list link;
    struct payments *room;
    struct arena arena;
    struct store_read read;
    struct resolve_change change;
    struct store_txn txn;
    int64_t attempt;
    resolve_done_fn *done;
    void *arg;
};

static void resolving_free(struct resolving *r)
{
    list_remove(&r->link);
    arena_reset(&r->arena);
    free(r);
}

static void give(struct resolving *r, int http_status, struct view body)
{
    resolve_done_fn *done = r->done;
    void *arg = r->arg;
    done(arg, http_status, body);
    resolving_free(r);
}

static void give_problem(struct resolving *r, enum problem problem, const char *detail)
{
    uint8_t body[1024];
    struct writer w = writer_over(body, sizeof body);
    problem_write(&w, problem, view_text(detail), NULL, 0);
    give(r, problem_status(problem), w.overflow ? VIEW("{}") : writer_done(&w));
}

static void give_resolved(struct resolving *r)
{
    const struct payment_row *row = &r->txn.payment;
    size_t size = 2048 + row->facts_json.len + row->outcome_json.len + 6 * row->reference.len;
    uint8_t *room = arena_alloc(&r->arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    char id[ID_TEXT_MAX];
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "attempt", view_text(id_format(ID_ATTEMPT, r->attempt, id)));
    json_put_text(&j, "state", view_text(attempt_state_word(r->txn.attempt.state)));
    render_payment(&j, "payment", row);
    json_close_object(&j);
    give(r, 200, w.overflow ? VIEW("{}") : writer_done(&w)); /* it is recorded, shown or not */
}

/* Works that wait for what is known now. */
static void tell_works(struct resolving *r)
{
    struct payments *room = r->room;
    const struct store_txn *txn = &r->txn;
    struct work *work = map_get(room->by_attempt, view_of(&r->attempt, sizeof r->attempt));
    if (work != NULL)
        work_overtaken(work);
    if (txn->operation.kind == OPERATION_CANCEL && txn->payment.status == PAYMENT_CANCELED) {
        struct work *first = work_first_of(room, txn->payment.id);
        if (first != NULL)
            pending_canceled(first);
    }
}

static void resolved(struct store_txn *txn, void *arg)
{
    struct resolve_change *change = arg;
    struct resolving *r = CONTAINER_OF(change, struct resolving, change);
    struct payments *room = r->room;
    char id[ID_TEXT_MAX];
    watch_commit(room->watch, txn);
    switch (txn->result) {
    case STORE_COMMITTED:
        step_at(room, "after_resolve");
        room->stats.resolved++;
        LOG(room->o.log, LOG_INFO, "payment.resolved",
            LOG_TEXT("attempt", id_format(ID_ATTEMPT, r->attempt, id)),
            LOG_TEXT("state", attempt_state_word(txn->attempt.state)),
            LOG_VIEW("by", r->change.by));
        if (!room->stopping)
            tell_works(r);
        give_resolved(r);
        return;
    case STORE_REFUSED: give(r, (int)txn->answer_status, txn->answer_body); return;
    case STORE_NO_PAYMENT: give_problem(r, PROBLEM_NOT_FOUND, "There is no such attempt."); return;
    default: break;
    }
    LOG(room->o.log, LOG_ERROR, "payment.resolve_failed", LOG_VIEW("why", txn->why));
    give_problem(r, PROBLEM_STORE_FAILED, DID_NOTHING);
}

/* What merchants see; who and why they see in the timeline. */
static void fill_outcomes(struct resolving *r, const char *channel)
{
    struct change *c = &r->change.change;
    bool approved = r->change.as == RESOLVE_APPROVED;
    struct exchange_result result = {
        .outcome = approved ? OUTCOME_APPROVED : OUTCOME_DECLINED,
        .category = approved ? CATEGORY_NONE : CATEGORY_OTHER,
        .rail_code = VIEW("resolved"),
        .message = approved ? VIEW("Its outcome was unknown. A person found out that it went "
                                   "through.")
                            : VIEW("Its outcome was unknown. A person found out that no money "
                                   "moved."),
    };
    c->outcome = result.outcome;
    c->outcome_json = outcome_members(&r->arena, &result, channel, VIEW_EMPTY);
    c->canceled_json = outcome_members(&r->arena, &canceled_result, channel, VIEW_EMPTY);
}

static void commit(struct resolving *r, const struct attempt_row *subject, int64_t remedy)
{
    char channel[64];
    if (view_to_text(subject->channel, channel, sizeof channel) != STATUS_OK)
        channel[0] = '\0';
    r->change.change.now_us = loop_wall_us(r->room->o.loop);
    fill_outcomes(r, channel);
    r->txn = (struct store_txn){ .arena = &r->arena,
                                 .judge = judge_resolve,
                                 .done = resolved,
                                 .arg = &r->change,
                                 .load_attempt = r->attempt,
                                 .load_of_attempt = true,
                                 .load_parent = remedy };
    if (r->arena.overflow) {
        give_problem(r, PROBLEM_INTERNAL, "There is no memory for it. " DID_NOTHING);
        return;
    }
    step_at(r->room, "before_resolve");
    if (store_commit(r->room->o.store, &r->txn) != STATUS_OK)
        give_problem(r, PROBLEM_OVERLOADED, "The store is busy. " DID_NOTHING);
}

static void ask(struct resolving *r, enum store_question question, int64_t payment, int64_t after,
                void (*done)(struct store_read *read, void *arg))
{
    r->read = (struct store_read){ .question = question,
                                   .arena = &r->arena,
                                   .attempt = r->attempt,
                                   .payment = payment,
                                   .after = after,
                                   .done = done,
                                   .arg = r };
    if (store_ask(r->room->o.store, &r->read) != STATUS_OK)
        give_problem(r, PROBLEM_OVERLOADED, "The store is busy. " DID_NOTHING);
}

/* Later attempts of the same operation, oldest first. */
static void others_read(struct store_read *read, void *arg)
{
    struct resolving *r = arg;
    const struct attempt_row *subject = &r->change.subject;
    if (r->room->stopping || read->result != STATUS_OK) {
        give_problem(r, r->room->stopping ? PROBLEM_STARTING : PROBLEM_STORE_FAILED, DID_NOTHING);
        return;
    }
    int64_t last = subject->id;
    for (size_t i = 0; i < read->count; i++) {
        const struct attempt_row *row = &read->attempts[i];
        last = row->id;
        if (row->parent == subject->id && waits_for_a_person(row->state))
            r->change.remedy = row->id;
        else if (row->parent == 0 && row->operation == subject->operation)
            r->change.superseded = true;
    }
    if (read->more)
        ask(r, STORE_ATTEMPTS, subject->payment, last, others_read);
    else
        commit(r, subject, r->change.remedy);
}

static void subject_read(struct store_read *read, void *arg)
{
    struct resolving *r = arg;
    if (read->result == STATUS_NOT_FOUND)
        give_problem(r, PROBLEM_NOT_FOUND, "There is no such attempt.");
    else if (r->room->stopping || read->result != STATUS_OK)
        give_problem(r, r->room->stopping ? PROBLEM_STARTING : PROBLEM_STORE_FAILED, DID_NOTHING);
    else {
        r->change.subject = read->attempts[0];
        ask(r, STORE_ATTEMPTS, read->attempts[0].payment, r->attempt, others_read);
    }
}

void payments_resolve(struct payments *room, const struct resolution *resolution,
                      resolve_done_fn *done, void *arg)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    ENSURE(resolution->as >= RESOLVE_APPROVED && resolution->as <= RESOLVE_REVERSED);
    struct resolving *r = room->ready && !room->stopping ? calloc(1, sizeof *r) : NULL;
    if (r == NULL) {
        uint8_t body[512];
        struct writer w = writer_over(body, sizeof body);
        problem_write(&w, PROBLEM_STARTING, VIEW(DID_NOTHING), NULL, 0);
        done(arg, problem_status(PROBLEM_STARTING), writer_done(&w));
        return;
    }
    r->room = room;
    r->done = done;
    r->arg = arg;
    r->attempt = resolution->attempt;
    arena_init(&r->arena, (size_t)4 * 1024 * 1024);
    list_append(&room->resolvings, &r->link);
    r->change = (struct resolve_change){ .as = resolution->as,
                                         .amount_minor = resolution->amount_minor,
                                         .by = arena_copy(&r->arena, resolution->by),
                                         .why = arena_copy(&r->arena, resolution->why),
                                         .evidence = arena_copy(&r->arena, resolution->evidence) };
    ask(r, STORE_ONE_ATTEMPT, 0, 0, subject_read);
}

void resolvings_forget(struct payments *room)
{
    struct list *item;
    while ((item = list_take_first(&room->resolvings)) != NULL) {
        struct resolving *r = CONTAINER_OF(item, struct resolving, link);
        arena_reset(&r->arena);
        free(r);
    }
}
