/* pending.c - accepted by the channel, and the final word comes later: a code is shown to a person,
 * a transfer is on its way through a clearing system.
 *
 * The work stays, without a request and without an exchange, and waits for whatever comes first:
 *
 *     a notice    settles the attempt in a commit of its own (heard.c) and tells the work here
 *     time        what was shown has expired, or the channel's own time is over: the work asks
 *     a hint      an unsigned notice: the work asks at once
 *     a cancel    of the merchant ends the first operation
 *
 * A merchant that said how long to wait gets the answer when the final word comes or that time is
 * over; others were answered 202 when the attempt became pending. If the gateway stops, the attempt
 * is on disk as pending, with the time at which it expires, and becomes such a work again.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"

#define LOOK_SOONEST_US (100 * LOOP_US_PER_MS)
/* What was shown may be used in its last moment, and the channel's clock is not ours. */
#define EXPIRY_GRACE_US (2 * LOOP_US_PER_S)

static struct view payment_key(const int64_t *id)
{
    return view_of(id, sizeof *id);
}

static void look(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    follow_pending(work, false);
}

/* How long until the work should look by itself; negative: since when. */
static int64_t look_in_us(const struct work *work)
{
    if (work->expires_us != 0)
        return left_to_act_us(work) + EXPIRY_GRACE_US;
    struct channel_ability ability;
    channel_ability(work->subject.channel, work->subject.verb, &ability);
    return ability.deadline_us + ability.late_window_us + LOOP_US_PER_MS -
           try_age_us(work, &work->subject);
}

void pending_wait(struct work *work)
{
    struct payments *room = work->room;
    bool first = work->kind == OPERATION_SALE || work->kind == OPERATION_AUTHORISE;
    bool again = work->pending && work->step == WORK_WAIT;
    int64_t wait_us = look_in_us(work);
    if (again && wait_us < channel_settings_of(work->subject.channel)->reversal_retry_every_us)
        wait_us = channel_settings_of(work->subject.channel)->reversal_retry_every_us;
    work->pending = true;
    work->step = WORK_WAIT;
    work_forget_request(work);
    if (first && !work->known_as_first)
        work->known_as_first =
            map_put(room->first_of, payment_key(&work->payment), work) == STATUS_OK;
    work->later.fire = look;
    timer_start(&work->later, wait_us > LOOK_SOONEST_US ? wait_us : LOOK_SOONEST_US);
}

static bool only_waits(const struct work *work)
{
    return work->step == WORK_WAIT && !work->committing && work->exchange == NULL &&
           !work->commit_waits;
}

bool pending_may_cancel(const struct work *first)
{
    return first != NULL && first->pending &&
           !(first->on_remedy && first->remedy.verb == OPERATION_REVERSE);
}

void pending_look_now(struct work *work)
{
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!work->pending || !only_waits(work))
        return; /* it is asking already */
    if (!work->on_remedy)
        follow_pending(work, true);
    else if (work->remedy.verb == OPERATION_INQUIRE)
        timer_start(&work->later, 0);
}

static void remedy_closed(struct work *work)
{
    if (work->txn.result == STORE_FAILED)
        work_commit_later(work);
    else
        work_finish(work);
}

void work_overtaken(struct work *work)
{
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (work->committing || work->commit_waits)
        return; /* its judge meets what is recorded now */
    if (work->exchange != NULL) {
        work_answer_now(work); /* what the exchange brings meets the record as well */
        return;
    }
    if (work->step != WORK_WAIT)
        return;
    timer_stop(&work->later);
    if (!work->on_remedy) {
        work_finish(work);
        return;
    }
    work_begin_change(work, CHANGE_CLOSE);
    work->change.try = work->remedy;
    work->change.reason = VIEW("a notice brought the answer");
    work->txn.load_payment = work->payment;
    work->txn.load_operation = work->operation;
    work->txn.load_attempt = work->remedy.attempt;
    work->txn.load_parent = work->subject.attempt;
    work_commit(work, remedy_closed);
}

void pending_canceled(struct work *work)
{
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!only_waits(work))
        return; /* what it is asking says the same */
    if (work->on_remedy) {
        timer_start(&work->later, 0);
        return;
    }
    timer_stop(&work->later);
    settle_canceled(work);
}
