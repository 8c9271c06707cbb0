/* attempt.c - trying something on a channel: encode, describe for the record, send. */
#include "payment/payment_int.h"

#include "base/ensure.h"

enum status try_prepare(struct work *work, struct try *try, struct view details, struct view refs,
                        struct writer *why)
{
    struct payments *room = work->room;
    if (try->attempt == 0) {
        int64_t now_us = loop_wall_us(room->o.loop);
        TRY(channel_trace(try->channel, &try->trace));
        try->attempt = id_next(&room->ids, now_us);
        try->time_us = now_us;
        try->since_us = loop_now_us(room->o.loop);
        try->tries = 1;
        loop_random(room->o.loop, try->random, sizeof try->random);
    }
    struct exchange_command command = { .operation = try->verb,
                                        .repeat = try->tries - 1,
                                        .amount_minor = try->amount,
                                        .original_minor = try->original,
                                        .currency = work->currency,
                                        .trace = try->trace,
                                        .time_us = try->time_us,
                                        .attempt_id = try->attempt,
                                        .payment_id = work->payment,
                                        .details = details,
                                        .refs = refs };
    memcpy(command.random, try->random, sizeof command.random);
    exchange_drop(work->exchange);
    work->exchange = NULL;
    enum status encoded = exchange_prepare(try->channel, &command, &work->exchange, why);
    loop_defer(room->o.loop, &room->scrub);
    TRY(encoded);
    /* A repeat says the same: a copy for each of thousands would use up the work's memory. */
    struct view said = exchange_refs(work->exchange);
    if (!view_equal(try->refs, said))
        try->refs = arena_copy(&work->keep, said);
    if (view_equal(try->refs, said))
        return STATUS_OK;
    arena_retry(&work->keep);
    return STATUS_NO_MEMORY;
}

int64_t try_age_us(const struct work *work, const struct try *try)
{
    return loop_now_us(work->room->o.loop) - try->since_us;
}

int64_t left_to_act_us(const struct work *work)
{
    return work->expires_us - work->subject.time_us - try_age_us(work, &work->subject);
}

enum status try_to_change(struct work *work, const struct try *try)
{
    struct change *c = &work->change;
    c->try = *try;
    c->channel = view_text(channel_name(try->channel));
    c->public_refs = refs_members(&work->txn_arena, try->refs);
    TRY(refs_seal(work->room->seal, work->payment, try->refs, &work->txn_arena, &c->sealed_refs));
    return work->txn_arena.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

struct view route_why(const struct work *work, const struct channel *channel)
{
    for (size_t i = 0; i < work->candidate_count; i++)
        if (work->candidates[i] == channel)
            return work->candidate_why[i];
    return VIEW_EMPTY;
}

/* The set, and under which reference of the channel's it was approved; cards have no notices. */
static struct view with_heard(struct work *work, struct view set,
                              const struct exchange_result *result)
{
    /* A masked one (it looked like a card number) would be another than its notice brings. */
    if (result->outcome != OUTCOME_APPROVED || result->reference.len == 0 ||
        view_find(result->reference, '*') < result->reference.len ||
        channel_rail(work->subject.channel) == RAIL_CARD)
        return set;
    uint8_t row[4 + sizeof HEARD_ROW + 128];
    struct writer w = writer_over(row, sizeof row);
    refs_put_heard(&w, reference_to_keep(work->room->idem, &work->txn_arena, result->reference));
    return refs_join(&work->txn_arena, set, writer_done(&w));
}

enum status result_to_change(struct work *work, const struct try *try,
                             const struct exchange_result *result)
{
    struct change *c = &work->change;
    c->outcome = result->outcome;
    c->approved_minor = result->amount_minor > 0 ? result->amount_minor : try->amount;
    c->begun_minor = work->subject.amount;
    c->rail_code = arena_copy(&work->txn_arena, result->rail_code);
    c->latency_us = result->latency_us;
    const char *channel = channel_name(try->channel);
    bool first = work->kind == OPERATION_SALE || work->kind == OPERATION_AUTHORISE;
    c->requires_action =
        first && !work->on_remedy && result->outcome == OUTCOME_PENDING && result->action != 0;
    if (result->outcome == OUTCOME_PENDING && !work->on_remedy && result->expires_in_s > 0)
        work->expires_us = try->time_us + (int64_t)result->expires_in_s * LOOP_US_PER_S;
    if (result->outcome == OUTCOME_PENDING && !work->on_remedy)
        c->next_us = work->expires_us;
    c->outcome_json =
        c->requires_action
            ? action_members(&work->txn_arena, result, channel, route_why(work, try->channel),
                             work->payment, work->expires_us)
            : outcome_members(&work->txn_arena, result, channel, route_why(work, try->channel));
    struct view joined = refs_join(&work->txn_arena, try->refs, result->refs);
    if (!work->on_remedy)
        joined = with_heard(work, joined, result);
    c->public_refs = refs_members(&work->txn_arena, result->refs);
    TRY(refs_seal(work->room->seal, work->payment, joined, &work->txn_arena, &c->sealed_refs));
    if (first && !work->on_remedy) {
        c->payment_refs = c->sealed_refs;
    } else if (first && work->remedy.verb == OPERATION_INQUIRE && result->refs.len > 0) {
        /* What was found may name what a capture or refund will need. */
        struct view found = refs_join(&work->txn_arena, work->subject.refs, result->refs);
        TRY(refs_seal(work->room->seal, work->payment, found, &work->txn_arena, &c->payment_refs));
    }
    if (work->on_remedy && work->remedy.verb == OPERATION_INQUIRE) {
        struct view found = refs_join(&work->txn_arena, work->subject.refs, result->refs);
        TRY(refs_seal(work->room->seal, work->payment, with_heard(work, found, result),
                      &work->txn_arena, &c->subject_refs));
    }
    return work->txn_arena.overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

static void step_sent(struct work *work)
{
    if (!work->sent_step_due)
        return;
    work->sent_step_due = false;
    step_at(work->room, work->on_remedy ? "reversal_sent" : "after_send");
}

static void exchange_done(struct exchange *exchange, void *arg,
                          const struct exchange_result *result)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    ENSURE(exchange == work->exchange);
    timer_stop(&work->later);
    step_sent(work);       /* answered sooner than the timer */
    work->exchange = NULL; /* the result's views live in it until this function returns */
    after_exchange(work, result);
    exchange_drop(exchange);
}

/* The bytes go out at the end of this loop turn, so "sent" is a little later. */
static void sent(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    step_sent(work);
}

void step_exchange(struct work *work)
{
    work->step = WORK_EXCHANGE;
    work->started_us = loop_now_us(work->room->o.loop);
    if (!work->on_remedy)
        work_listen(work); /* a notice may be faster than the answer */
    work->sent_step_due = work->room->o.step != NULL;
    if (work->sent_step_due) {
        work->later.fire = sent;
        timer_start(&work->later, 2 * LOOP_US_PER_MS);
    }
    exchange_start(work->exchange, 0, exchange_done, work);
}
