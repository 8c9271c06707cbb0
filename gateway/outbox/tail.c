/* tail.c - reads the journal as it grows, once for all endpoints, and wakes those that an event is
 * for. What waits for one is then read by its own delivery, from its own cursor.
 *
 * The store tells when this process has appended; what others write (the command line) is found by
 * looking once a second. On a virtual loop nobody else writes, and a timer without an end would
 * keep time from ever standing still.
 */
#include "outbox_int.h"

static void tail_page(struct store_read *read, void *arg);

static void tail_ask(struct outbox *outbox)
{
    if (outbox->stopping || outbox->target_count == 0)
        return;
    if (outbox->tail_reading) {
        outbox->tail_again = true;
        return;
    }
    arena_reset(&outbox->tail_arena);
    outbox->tail_read = (struct store_read){ .question = STORE_EVENTS,
                                             .arena = &outbox->tail_arena,
                                             .after = outbox->tail,
                                             .done = tail_page,
                                             .arg = outbox };
    outbox->tail_again = false;
    outbox->tail_reading = true;
    if (store_ask(outbox->o.store, &outbox->tail_read) != STATUS_OK) {
        outbox->tail_reading = false;
        timer_start(&outbox->look, TROUBLE_US);
    }
}

static void event_came(struct outbox *outbox, const struct event_row *event)
{
    if (!webhook_event_leaves(event->kind, event->merchant))
        return;
    /* Whom these are for stands in their data; the delivery looks. */
    bool addressed = view_is(event->kind, KIND_TEST) || view_is(event->kind, KIND_RESEND);
    struct target *at = target_of_merchant(outbox, event->merchant);
    for (; at != NULL; at = at->next_of_merchant) {
        if (at->row.merchant != event->merchant || event->seq <= at->scan_from ||
            at->state == TARGET_OFF) /* it will be looked at from its cursor on */
            continue;
        if (addressed || webhook_kinds_match(at->row.kinds, event->kind)) {
            target_wake(at, event->seq, event->time_us);
        } else if (++at->skipped >= PROGRESS_EVENTS && at->state == TARGET_IDLE) {
            at->progress = true;
            target_settle(at);
        }
    }
}

static void tail_page(struct store_read *read, void *arg)
{
    struct outbox *outbox = arg;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    outbox->tail_reading = false;
    if (outbox->stopping)
        return;
    if (read->result != STATUS_OK) {
        timer_start(&outbox->look, TROUBLE_US);
        return;
    }
    for (size_t i = 0; i < read->count; i++) {
        outbox->tail = read->events[i].seq;
        event_came(outbox, &read->events[i]);
    }
    if (read->more || outbox->tail_again)
        tail_ask(outbox);
}

static void on_grew(void *arg, const struct event_row *events, size_t count)
{
    struct outbox *outbox = arg;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    (void)events, (void)count; /* it reads all, what other processes wrote too */
    tail_ask(outbox);
}

static void on_look(struct timer *timer, void *arg)
{
    struct outbox *outbox = arg;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    if (loop_kind_of(outbox->o.loop) == LOOP_REAL)
        timer_start(timer, LOOK_EVERY_US);
    outbox_read_missed(outbox);
    tail_ask(outbox);
}

void tail_look(struct outbox *outbox)
{
    if (!timer_is_armed(&outbox->look))
        on_look(&outbox->look, outbox);
    else
        tail_ask(outbox);
}

void tail_start(struct outbox *outbox)
{
    timer_init(&outbox->look, outbox->o.loop, on_look, outbox);
    arena_init(&outbox->tail_arena, WORK_ARENA_BYTES);
    outbox->watch = (struct store_watch){ .grew = on_grew, .arg = outbox };
    store_watch(outbox->o.store, &outbox->watch);
}

void tail_stop(struct outbox *outbox)
{
    timer_stop(&outbox->look);
    store_unwatch(outbox->o.store, &outbox->watch);
}
