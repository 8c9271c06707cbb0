/* what_follows.c - an exchange has ended: settle it, or find out what became of it.
 *
 * follow_attempt (channel/follow.h) decides; this file carries out. Everything that is sent again
 * or undone is recorded first, like the first time:
 *
 *     SETTLE     commit the outcome, answer whoever waits
 *     ELSEWHERE  certainly not sent: an attempt on the next channel, or it failed
 *     REPEAT     unknown, booked once however often it comes: the same message again, after a while
 *     REVERSE    unknown and cannot be asked: a reversal, stored and forwarded until answered
 *     INQUIRE    unknown and can be asked
 *     WAIT       the final word comes later
 *     PARK, CONFLICT   a person decides; nothing is sent any more
 */
#include "payment/payment_int.h"

#include "base/ensure.h"

#define TRACE_RETRY_US (50 * LOOP_US_PER_MS)
#define ASK_SELDOM_US  (900 * LOOP_US_PER_S)

static void load_all(struct work *work);
static void park(struct work *work, const struct exchange_result *result, enum change_kind kind,
                 const char *reason);

static const struct channel_settings *settings_of(const struct work *work)
{
    return channel_settings_of(work->subject.channel);
}

/* --- facts --------------------------------------------------------------------------------------
 */

/* began_us: monotonic, when the try whose outcome is judged began; not later than it did. */
static void facts_fill(const struct work *work, const struct try *try, int64_t began_us,
                       struct follow_facts *facts)
{
    struct channel_ability ability, of_subject;
    channel_ability(try->channel, try->verb, &ability);
    channel_ability(work->subject.channel, work->subject.verb, &of_subject);
    bool first = try->verb == OPERATION_SALE || try->verb == OPERATION_AUTHORISE;
    int64_t age_us = try_age_us(work, &work->subject);
    int64_t age_at_start_us = began_us - work->subject.since_us;
    bool has_end = work->pending && work->expires_us != 0;
    /* What waits for a person is not old before its time is over. */
    if (has_end && work->expires_us > work->subject.time_us)
        age_us = -left_to_act_us(work);
    bool inquiry = try->verb == OPERATION_INQUIRE;
    facts->verb = try->verb;
    facts->tries = try->tries;
    facts->can_inquire =
        inquiry || (try->verb == OPERATION_REVERSE ? of_subject.inquire : ability.inquire);
    facts->can_reverse = inquiry ? of_subject.reverse : ability.reverse;
    /* A ledger is asked for its own record: what is not in it is nowhere, also when it was accepted
     * once (a node drops what lost a race). Elsewhere the service that is asked may lag behind. */
    facts->accepted = work->pending && channel_rail(try->channel) != RAIL_CBDC;
    facts->expired = has_end && left_to_act_us(work) <= 0;
    /* The first operation's message holds card data, which is not kept: it can be repeated only as
     * long as the request is in memory. */
    facts->can_repeat = ability.repeat && (!first || work->request != NULL);
    facts->window_passed = age_at_start_us > of_subject.deadline_us + of_subject.late_window_us;
    facts->over_age = age_us > settings_of(work)->reversal_max_age_us;
}

/* --- later --------------------------------------------------------------------------------------
 */

static void later_retry(struct timer *timer, void *arg)
{
    (void)timer;
    retry_now(arg);
}

/* Asking about what is accepted is no hurry: a transfer may take a day. */
static int64_t ask_again_us(const struct work *work)
{
    int64_t every_us = try_age_us(work, &work->subject) / 8;
    int64_t least_us = settings_of(work)->reversal_retry_every_us;
    if (every_us > ASK_SELDOM_US)
        every_us = ASK_SELDOM_US;
    if (every_us < least_us)
        every_us = least_us;
    int64_t left_us = work->expires_us != 0 ? left_to_act_us(work) : 0;
    return left_us > 0 && left_us < every_us ? left_us : every_us;
}

static void retry_later(struct work *work)
{
    work->step = WORK_WAIT;
    work->later.fire = later_retry;
    const struct try *try = work_try(work);
    bool soon = try->tries <= 1;
    if (work->pending && try->verb == OPERATION_INQUIRE)
        timer_start(&work->later, ask_again_us(work));
    else
        timer_start(&work->later, soon ? settings_of(work)->reversal_first_delay_us
                                       : settings_of(work)->reversal_retry_every_us);
}

static bool overtaken(const struct work *work)
{
    return work->txn.result == STORE_COMMITTED &&
           (work->txn.said == JUDGE_OVERTAKEN || work->txn.said == JUDGE_CONTRADICTED);
}

static void after_retry(struct work *work)
{
    if (overtaken(work))
        work_finish(work); /* known meanwhile: not sent */
    else if (work->txn.result == STORE_COMMITTED)
        step_exchange(work);
    else {
        work_try(work)->tries--; /* not recorded: not sent, and no try */
        retry_later(work);
    }
}

void retry_now(struct work *work)
{
    ENSURE_MAGIC(work, WORK_MAGIC);
    struct try *try = work_try(work);
    if (!channel_ready(try->channel)) {
        retry_later(work);
        return;
    }
    uint8_t text[512];
    struct writer why = writer_over(text, sizeof text);
    struct view refs = try->verb == OPERATION_REVERSE || try->verb == OPERATION_INQUIRE
                           ? work->subject.refs
                           : work->payment_refs;
    try->tries++;
    if (try_prepare(work, try, work->details, refs, &why) != STATUS_OK) {
        LOG(work->room->o.log, LOG_ERROR, "payment.retry_not_encodable",
            LOG_VIEW("why", writer_done(&why)));
        try->tries--;
        retry_later(work);
        return;
    }
    work_begin_change(work, CHANGE_RETRY);
    load_all(work);
    if (try_to_change(work, try) != STATUS_OK) {
        try->tries--;
        retry_later(work);
        return;
    }
    work_commit(work, after_retry);
}

/* --- settle -------------------------------------------------------------------------------------
 */

static void count(struct work *work, enum outcome outcome)
{
    struct payments_stats *stats = &work->room->stats;
    stats->approved += outcome == OUTCOME_APPROVED;
    stats->declined += outcome == OUTCOME_DECLINED || outcome == OUTCOME_REJECTED;
    stats->not_sent += outcome == OUTCOME_NOT_SENT;
}

static void load_all(struct work *work)
{
    work->txn.load_payment = work->payment;
    work->txn.load_operation = work->operation;
    work->txn.load_attempt = work_try(work)->attempt;
    if (work->on_remedy)
        work->txn.load_parent = work->subject.attempt;
}

static void commit_again(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->commit_waits = false;
    work_commit_again(work);
}

void work_commit_later(struct work *work)
{
    if (work->cut_short) {
        work_resume_later(work);
        return;
    }
    work->step = WORK_WAIT;
    work->commit_waits = true;
    work->later.fire = commit_again;
    timer_start(&work->later, LOOP_US_PER_S);
    work_answer_overdue(work);
}

static void after_settle(struct work *work)
{
    struct store_txn *txn = &work->txn;
    if (txn->result != STORE_COMMITTED) {
        /* The outcome is known to us only: keep it, so that the merchant's wait ends with what is
         * known, never with a guess. */
        LOG(work->room->o.log, LOG_ERROR, "payment.settle_failed", LOG_VIEW("why", txn->why));
        work_commit_later(work);
        return;
    }
    step_at(work->room, "after_settle");
    if (txn->answer_status != 0 && work->change.want_answer)
        work_answer(work, (int)txn->answer_status, txn->answer_body, false);
    if (work->change.kind == CHANGE_SETTLE && work->change.outcome == OUTCOME_PENDING &&
        !overtaken(work)) {
        pending_wait(work);
        return;
    }
    if (work->kind == OPERATION_CANCEL && txn->payment.status == PAYMENT_CANCELED) {
        struct work *first = work_first_of(work->room, work->payment);
        if (first != NULL)
            pending_canceled(first);
    } else if (work->kind == OPERATION_CANCEL && work->change.outcome != OUTCOME_APPROVED) {
        struct work *first = work_first_of(work->room, work->payment);
        if (first != NULL)
            pending_look_now(first); /* why not? Somebody may have paid */
    }
    work_finish(work);
}

const struct exchange_result canceled_result = {
    .outcome = OUTCOME_DECLINED,
    .category = CATEGORY_NONE,
    .rail_code = { (const uint8_t *)"canceled", 8 },
    .message = { (const uint8_t *)"Canceled before it was paid. No money moved.", 44 },
};

static void settle(struct work *work, const struct exchange_result *result, enum change_kind kind,
                   const char *reason)
{
    work->step = WORK_SETTLE;
    work_begin_change(work, kind);
    work->change.reason = view_text(reason);
    struct view refs = VIEW_EMPTY;
    arena_retry(&work->keep);
    if (result->outcome == OUTCOME_PENDING && !work->on_remedy) /* an inquiry may need them */
        refs = refs_join(&work->keep, work->subject.refs, result->refs);
    if (work->keep.starved || result_to_change(work, work_try(work), result) != STATUS_OK) {
        LOG(work->room->o.log, LOG_ERROR, "payment.settle_no_memory",
            LOG_INT("payment", work->payment));
        work_resume_later(work); /* the record is open, and what was said has to be found out */
        return;
    }
    if (refs.len > 0)
        work->subject.refs = refs;
    if (kind == CHANGE_UNDONE) {
        /* What the reversal was answered is the attempt's; merchants are told what became of
         * theirs. */
        struct exchange_result undone = { .outcome = OUTCOME_DECLINED,
                                          .category = CATEGORY_UNAVAILABLE,
                                          .rail_code = VIEW("reversed"),
                                          .message =
                                              VIEW("No answer came in time, and the attempt was "
                                                   "undone. No money moved.") };
        struct exchange_result contradiction = { .outcome = OUTCOME_UNKNOWN,
                                                 .conflict = true,
                                                 .category = CATEGORY_OTHER };
        work->change.conflict_json = outcome_members(
            &work->txn_arena, &contradiction, channel_name(work->subject.channel), VIEW_EMPTY);
        if (work->pending && work->expires_us != 0) {
            work->change.expired = true;
            undone.rail_code = VIEW("expired");
            undone.message = VIEW("Nobody paid before it expired. No money moved.");
        }
        work->change.outcome_json = outcome_members(
            &work->txn_arena, &undone, channel_name(work->subject.channel), VIEW_EMPTY);
    }
    if (work->kind == OPERATION_CANCEL)
        work->change.canceled_json = outcome_members(
            &work->txn_arena, &canceled_result, channel_name(work->subject.channel), VIEW_EMPTY);
    if (kind == CHANGE_SETTLE)
        count(work, result->outcome);
    work->room->stats.reversed += kind == CHANGE_UNDONE;
    load_all(work);
    if (result->outcome == OUTCOME_APPROVED && (kind == CHANGE_SETTLE || kind == CHANGE_FOUND))
        hold_resets_later(work);
    step_at(work->room, "before_settle");
    bool waits_on =
        kind == CHANGE_SETTLE && result->outcome == OUTCOME_PENDING && work->wait_us > 0;
    work->change.want_answer = work->answer != NULL && !work->answering && !waits_on;
    work_commit(work, after_settle);
}

void settle_canceled(struct work *work)
{
    settle(work, &canceled_result, CHANGE_SETTLE, "canceled by the merchant");
}

/* --- unknown: repeat or wait ---------------------------------------------------------------------
 */

static void after_unknown(struct work *work)
{
    /* A failed commit changes nothing: the attempt stays in SENDING, which is unknown as well. */
    if (overtaken(work))
        work_finish(work);
    else
        retry_later(work);
}

static void unknown_then_retry(struct work *work, const struct exchange_result *result,
                               const char *reason)
{
    if (work->on_remedy || work->subject.tries > 1) {
        retry_later(work);
        return;
    }
    work_begin_change(work, CHANGE_UNKNOWN);
    work->change.reason = view_text(reason);
    if (result_to_change(work, &work->subject, result) != STATUS_OK) {
        retry_later(work);
        return;
    }
    work->change.public_refs = VIEW_EMPTY;
    work->change.next_us = work->change.now_us + settings_of(work)->reversal_first_delay_us;
    load_all(work);
    work_commit(work, after_unknown);
}

/* --- reverse, inquire
 * ------------------------------------------------------------------------------ */

static void after_remedy(struct work *work)
{
    if (overtaken(work)) {
        work_finish(work); /* known meanwhile: nothing to find out */
        return;
    }
    if (work->txn.result == STORE_COMMITTED) {
        step_at(work->room, "reversal_recorded");
        step_exchange(work);
        return;
    }
    LOG(work->room->o.log, LOG_ERROR, "payment.record_failed", LOG_VIEW("why", work->txn.why));
    work_commit_later(work); /* not recorded: not sent */
}

static void remedy_again(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    remedy_start(work, work->remedy.verb, "the outcome is unknown");
}

void remedy_start(struct work *work, enum operation verb, const char *reason)
{
    uint8_t text[512];
    struct writer why = writer_over(text, sizeof text);
    work->remedy = (struct try){ .verb = verb,
                                 .channel = work->subject.channel,
                                 .amount = work->subject.amount,
                                 .original = work->subject.amount };
    if (work->subject.amount == 0) /* a cancel of what was running is about all of it */
        work->remedy.original = work->subject.original;
    work->later.fire = remedy_again;
    enum status encoded = try_prepare(work, &work->remedy, VIEW_EMPTY, work->subject.refs, &why);
    if (encoded != STATUS_OK) {
        LOG(work->room->o.log, LOG_ERROR, "payment.remedy_not_encodable",
            LOG_STATUS("status", encoded), LOG_VIEW("why", writer_done(&why)));
        if (encoded == STATUS_REFUSED || encoded == STATUS_UNSUPPORTED) {
            struct exchange_result stuck = { .outcome = OUTCOME_UNKNOWN };
            park(work, &stuck, CHANGE_PARK, "what would resolve it cannot be encoded");
            return;
        }
        work->step = WORK_WAIT;
        timer_start(&work->later, encoded == STATUS_BUSY ? TRACE_RETRY_US : 10 * LOOP_US_PER_S);
        return;
    }
    work_begin_change(work, CHANGE_REMEDY);
    work->change.reason = view_text(reason);
    if (try_to_change(work, &work->remedy) != STATUS_OK) {
        timer_start(&work->later, LOOP_US_PER_S);
        return;
    }
    struct exchange_result unknown = { .outcome = OUTCOME_UNKNOWN,
                                       .diagnosis =
                                           VIEW("No readable answer in time. Do not ship, do not "
                                                "pay again: the outcome is being resolved.") };
    if (work->pending) {
        unknown.outcome = OUTCOME_PENDING;
        unknown.rail_code = VIEW("expired");
        unknown.diagnosis = VIEW("Its time is over; it is being closed, so that nobody can pay it "
                                 "any more.");
    }
    work->change.outcome_json = outcome_members(&work->txn_arena, &unknown,
                                                channel_name(work->subject.channel), VIEW_EMPTY);
    if (work->txn_arena.overflow) {
        timer_start(&work->later, LOOP_US_PER_S);
        return;
    }
    work->on_remedy = true;
    load_all(work);
    work->txn.load_attempt = 0; /* the remedy is new */
    work_commit(work, after_remedy);
}

/* --- not sent: elsewhere
 * ---------------------------------------------------------------------------- */

static void after_elsewhere(struct work *work)
{
    if (overtaken(work)) {
        work_finish(work);
        return;
    }
    if (work->txn.result == STORE_COMMITTED) {
        work_deafen(work);
        work->subject = work->change.try;
        step_exchange(work);
        return;
    }
    /* The new attempt is not recorded, so it must not be sent, and the old one certainly was not:
     * nothing has happened. */
    LOG(work->room->o.log, LOG_ERROR, "payment.record_failed", LOG_VIEW("why", work->txn.why));
    struct exchange_result failed = {
        .outcome = OUTCOME_NOT_SENT,
        .category = CATEGORY_UNAVAILABLE,
        .diagnosis =
            VIEW("Nothing was sent: an attempt on another channel could not be recorded.")
    };
    settle(work, &failed, CHANGE_SETTLE, "certainly no byte has left");
}

static bool elsewhere(struct work *work, const struct exchange_result *result)
{
    if (work->on_remedy || work->details.len == 0)
        return false;
    while (work->candidate_next < work->candidate_count) {
        struct try next = { .verb = work->kind,
                            .channel = work->candidates[work->candidate_next++],
                            .amount = work->subject.amount };
        uint8_t text[512];
        struct writer why = writer_over(text, sizeof text);
        if (try_prepare(work, &next, work->details, VIEW_EMPTY, &why) != STATUS_OK)
            continue;
        work_begin_change(work, CHANGE_ELSEWHERE);
        if (try_to_change(work, &next) != STATUS_OK)
            return false;
        work->change.reason = arena_copy(&work->txn_arena, result->diagnosis);
        work->change.payment_refs = work->change.sealed_refs;
        work->txn.load_payment = work->payment;
        work->txn.load_operation = work->operation;
        work->txn.load_parent = work->subject.attempt;
        work_commit(work, after_elsewhere);
        return true;
    }
    return false;
}

/* --- park
 * --------------------------------------------------------------------------------------------- */

static void park(struct work *work, const struct exchange_result *result, enum change_kind kind,
                 const char *reason)
{
    struct payments_stats *stats = &work->room->stats;
    stats->parked += kind == CHANGE_PARK;
    stats->conflicts += kind == CHANGE_CONFLICT;
    char id[ID_TEXT_MAX];
    LOG(work->room->o.log, LOG_ERROR, kind == CHANGE_PARK ? "payment.parked" : "payment.conflict",
        LOG_TEXT("payment", id_format(ID_PAYMENT, work->payment, id)), LOG_TEXT("reason", reason));
    struct exchange_result parked = *result;
    if (kind == CHANGE_PARK) {
        parked.outcome = OUTCOME_UNKNOWN;
        parked.category = CATEGORY_OTHER;
        parked.message = VIEW("What became of it is not known. Do not ship, do not pay again: a "
                              "person looks at it.");
    }
    settle(work, &parked, kind, reason);
}

/* --- another remedy than the one before ----------------------------------------------------------
 */

/* True when there is something next. What could not be recorded is recorded later: nothing else can
 * be, either, and a remedy that is left open counts as one that nobody has an answer to. */
static bool closed(struct work *work)
{
    if (overtaken(work)) {
        work_finish(work);
        return false;
    }
    if (work->txn.result != STORE_COMMITTED) {
        LOG(work->room->o.log, LOG_ERROR, "payment.record_failed", LOG_VIEW("why", work->txn.why));
        work_commit_later(work);
        return false;
    }
    work->on_remedy = false;
    return true;
}

static void reverse_next(struct work *work)
{
    if (closed(work))
        remedy_start(work, OPERATION_REVERSE, "asking did not settle it");
}

static void inquire_later(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    remedy_start(work, OPERATION_INQUIRE, "it could not be undone");
}

/* Not at once: the other side may say "open" and refuse to close it for a while. */
static void inquire_next(struct work *work)
{
    if (!closed(work))
        return;
    work->step = WORK_WAIT;
    work->later.fire = inquire_later;
    timer_start(&work->later, ask_again_us(work));
}

static void wait_next(struct work *work)
{
    if (!closed(work))
        return;
    work->pending = true;
    work->step = WORK_WAIT;
    pending_wait(work);
}

/* The remedy is over: its row gets what was heard before anything else is recorded. */
static void close_then(struct work *work, const struct exchange_result *result, const char *reason,
                       void (*next)(struct work *work))
{
    work_begin_change(work, CHANGE_CLOSE);
    work->change.try = work->remedy;
    work->change.outcome = result->outcome;
    work->change.reason = view_text(reason);
    if (next == wait_next) {
        work->change.subject_pending = true;
        work->change.outcome_json =
            outcome_members(&work->txn_arena, result, channel_name(work->subject.channel),
                            route_why(work, work->subject.channel));
    }
    load_all(work);
    work_commit(work, next);
}

/* An inquiry says that the other side is still at it. True: the subject waits, as one that was
 * accepted; else the same inquiry again after a while. */
static bool goes_back_to_waiting(const struct work *work, const struct exchange_result *result)
{
    if (!work->on_remedy || work->remedy.verb != OPERATION_INQUIRE ||
        result->outcome != OUTCOME_PENDING)
        return false;
    return !work->pending || (work->expires_us != 0 && left_to_act_us(work) > 0);
}

/* --- the decision
 * --------------------------------------------------------------------------------------- */

static void carry_out(struct work *work, enum follow follow, const struct exchange_result *result,
                      const char *reason)
{
    struct exchange_result failed;
    switch (follow) {
    case FOLLOW_SETTLE:
        if (!work->on_remedy)
            settle(work, result, CHANGE_SETTLE, NULL);
        else
            settle(work, result,
                   work->remedy.verb == OPERATION_REVERSE ? CHANGE_UNDONE : CHANGE_FOUND, reason);
        return;
    case FOLLOW_ELSEWHERE:
        if (elsewhere(work, result))
            return;
        failed = *result;
        failed.outcome = OUTCOME_NOT_SENT;
        failed.category = CATEGORY_UNAVAILABLE;
        settle(work, &failed, work->on_remedy ? CHANGE_FOUND : CHANGE_SETTLE, reason);
        return;
    case FOLLOW_REPEAT: unknown_then_retry(work, result, reason); return;
    case FOLLOW_REVERSE:
        if (work->on_remedy)
            close_then(work, result, reason, reverse_next);
        else
            remedy_start(work, OPERATION_REVERSE, reason);
        return;
    case FOLLOW_INQUIRE:
        if (work->on_remedy && work->remedy.verb == OPERATION_INQUIRE)
            retry_later(work); /* the same inquiry again */
        else if (work->on_remedy)
            close_then(work, result, reason, inquire_next);
        else
            remedy_start(work, OPERATION_INQUIRE, reason);
        return;
    case FOLLOW_WAIT:
        if (goes_back_to_waiting(work, result))
            close_then(work, result, reason, wait_next);
        else if (work->on_remedy)
            retry_later(work);
        else
            settle(work, result, CHANGE_SETTLE, reason);
        return;
    case FOLLOW_PARK: park(work, result, CHANGE_PARK, reason); return;
    case FOLLOW_CONFLICT: park(work, result, CHANGE_CONFLICT, reason); return;
    }
}

void after_exchange(struct work *work, const struct exchange_result *result)
{
    struct follow_facts facts = { .outcome = result->outcome, .conflict = result->conflict };
    const char *reason = "";
    step_at(work->room, "after_exchange");
    facts_fill(work, work_try(work), work->started_us, &facts);
    enum follow follow = follow_attempt(&facts, &reason);
    work->room->stats.unknown += result->outcome == OUTCOME_UNKNOWN && !work->on_remedy;
    bool needs_request = follow == FOLLOW_REPEAT || follow == FOLLOW_ELSEWHERE;
    if (!needs_request)
        work_forget_request(work);
    carry_out(work, follow, result, reason);
}

void resume_open(struct work *work)
{
    const struct try *try = work_try(work);
    struct exchange_result result = { .outcome = OUTCOME_UNKNOWN,
                                      .amount_minor = try->amount,
                                      .diagnosis =
                                          work->recovered
                                              ? VIEW("The gateway was restarted before an answer "
                                                     "came.")
                                              : VIEW("The answer could not be kept: memory was "
                                                     "out.") };
    struct follow_facts facts = { .outcome = OUTCOME_UNKNOWN, .recovered = true };
    const char *reason = "";
    if (work->pending && !work->on_remedy) {
        pending_wait(work);
        return;
    }
    facts_fill(work, try, try->since_us, &facts); /* when it was begun last is not known */
    enum follow follow = follow_attempt(&facts, &reason);
    carry_out(work, follow, &result, reason);
}

void follow_pending(struct work *work, bool hinted)
{
    struct exchange_result result = { .outcome = OUTCOME_PENDING,
                                      .diagnosis = VIEW("Accepted long ago, and no final answer "
                                                        "came. Do not ship, do not pay again.") };
    struct follow_facts facts = { .outcome = OUTCOME_PENDING };
    const char *reason = "an unsigned notice says that there is news";
    facts_fill(work, &work->subject, loop_now_us(work->room->o.loop), &facts);
    /* Never given up without having asked once. */
    bool ask = facts.can_inquire && (facts.over_age ? work->remedy.attempt == 0 : hinted);
    enum follow follow = ask ? FOLLOW_INQUIRE : follow_attempt(&facts, &reason);
    if (follow == FOLLOW_WAIT)
        pending_wait(work);
    else
        carry_out(work, follow, &result, reason);
}
