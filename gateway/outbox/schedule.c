/* schedule.c - whose turn it is.
 *
 * At most webhooks.connections deliveries run at once. Endpoints that have something to deliver
 * stand in one of two lanes: those that failed or were slow the last time stand in the slow one,
 * and get at most half of the places together. So a thousand receivers that never answer delay each
 * other, and nobody else. And who turns out to be slow only now gives its place to others after
 * SLOW_US, while its delivery goes on (it lingers): so many have room that they cannot all be.
 *
 * An endpoint has one delivery at a time. It keeps its place (and its connection) for the next
 * event only while nobody else wants one.
 */
#include "outbox_int.h"

#include <stdlib.h>

static size_t places(const struct outbox *outbox)
{
    return (size_t)outbox->o.settings->webhooks_connections;
}

static bool all_taken(const struct outbox *outbox)
{
    return outbox->work_count - outbox->lingering >= places(outbox) ||
           outbox->work_count >= (1 + LINGER_TIMES) * places(outbox);
}

static void on_linger(struct timer *timer, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    (void)timer;
    if (work->slow || work->lingers) /* the slow lane has its own bound */
        return;
    work->lingers = true;
    work->outbox->lingering++;
    loop_defer(work->outbox->o.loop, &work->outbox->pick);
}

static struct target *take_next(struct outbox *outbox)
{
    if (all_taken(outbox))
        return NULL;
    struct list *item = NULL;
    bool room = outbox->slow_work_count < places(outbox) / 2;
    /* Turn about, so that a full quick lane does not starve the slow one's half. */
    bool slow_first = room && outbox->slow_work_count < outbox->work_count / 4;
    if (slow_first)
        item = list_take_first(&outbox->slow);
    if (item == NULL)
        item = list_take_first(&outbox->quick);
    if (item == NULL && room)
        item = list_take_first(&outbox->slow);
    return item != NULL ? CONTAINER_OF(item, struct target, link) : NULL;
}

bool schedule_wanted(const struct outbox *outbox)
{
    return all_taken(outbox) && (!list_empty(&outbox->quick) || !list_empty(&outbox->slow));
}

static void on_pick(struct task *task)
{
    struct outbox *outbox = CONTAINER_OF(task, struct outbox, pick);
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    struct target *target;
    while (!outbox->stopping && (target = take_next(outbox)) != NULL) {
        ENSURE_MAGIC(target, TARGET_MAGIC);
        struct work *work = calloc(1, sizeof *work);
        if (work == NULL) {
            target_wait(target, TROUBLE_US);
            return;
        }
        work->magic = WORK_MAGIC;
        work->outbox = outbox;
        work->target = target;
        work->slow = target->slow;
        timer_init(&work->linger, outbox->o.loop, on_linger, work);
        timer_start(&work->linger, SLOW_US);
        arena_init(&work->arena, WORK_ARENA_BYTES);
        list_append(&outbox->works, &work->link);
        outbox->work_count++;
        outbox->slow_work_count += work->slow;
        target->state = TARGET_WORKING;
        work_begin(work);
    }
}

void schedule_init(struct outbox *outbox)
{
    list_init(&outbox->quick);
    list_init(&outbox->slow);
    list_init(&outbox->works);
    outbox->pick.run = on_pick;
}

void target_wait(struct target *target, int64_t delay_us)
{
    list_remove(&target->link);
    target->state = TARGET_WAITING;
    if (!target->outbox->stopping)
        timer_start(&target->timer, delay_us);
}

void target_settle(struct target *target)
{
    struct outbox *outbox = target->outbox;
    ENSURE(target->state != TARGET_WORKING);
    timer_stop(&target->timer);
    list_remove(&target->link);
    target->state = TARGET_IDLE;
    if (target->row.status != ENDPOINT_ENABLED) {
        target->state = TARGET_OFF;
        return;
    }
    if (!target_pending(target))
        target->pending_since_us = 0;
    int64_t left_us = target->row.next_us - loop_wall_us(outbox->o.loop);
    if (target->row.next_us != 0 && left_us > 0) {
        /* Not longer than the longest pause, wherever the clock was set to. */
        int64_t most = webhook_backoff_us(INT32_MAX, outbox->o.settings->webhooks_first_retry_us);
        target_wait(target, left_us < most + most / 4 ? left_us : most);
        return;
    }
    if (!target_pending(target) && !target->progress && target->unrecorded.event == 0)
        return;
    target->state = TARGET_READY;
    list_append(target->slow ? &outbox->slow : &outbox->quick, &target->link);
    loop_defer(outbox->o.loop, &outbox->pick);
}

void target_wake(struct target *target, int64_t seq, int64_t event_us)
{
    /* Nothing waited, so everything before this event was looked at and is not for it: the delivery
     * finds it at once. */
    if (!target_pending(target) && target->scan_from < seq - 1)
        target->scan_from = seq - 1;
    if (seq > target->pending_to)
        target->pending_to = seq;
    if (target->pending_since_us == 0)
        target->pending_since_us = event_us;
    if (target->state == TARGET_IDLE)
        target_settle(target);
}

void work_free(struct work *work)
{
    struct outbox *outbox = work->outbox;
    ENSURE(!work->lent);
    loop_forget(outbox->o.loop, &work->answered);
    list_remove(&work->link);
    outbox->work_count--;
    outbox->lingering -= work->lingers;
    timer_stop(&work->linger);
    outbox->slow_work_count -= work->slow;
    if (outbox->abandoned)
        http_client_abandon(work->client);
    else
        http_client_close(work->client); /* its call, if any, is done with CANCELED */
    arena_reset(&work->arena);
    work->magic = 0;
    free(work);
}

void work_release(struct work *work)
{
    struct outbox *outbox = work->outbox;
    struct target *target = work->target;
    work->target = NULL;
    work_free(work);
    ENSURE(target->state == TARGET_WORKING);
    target->state = TARGET_IDLE;
    loop_defer(outbox->o.loop, &outbox->pick);
    if (outbox->stopping)
        return;
    if (target->gone) {
        target_remove(target);
        return;
    }
    if (!target->stale) {
        target_settle(target);
        return;
    }
    /* Nothing more goes out by the old row: it waits until the new one is applied. */
    int64_t id = target->row.id;
    target->stale = false;
    target->state = TARGET_WAITING;
    outbox_read_row(outbox, id);
}
