/* bank_plan.c - what is due later: a heap by time, equal times in the order of planning. */
#include "bank_int.h"

#include <stdlib.h>

static bool before(const struct bank_event *a, const struct bank_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct bank_event *a, struct bank_event *b)
{
    struct bank_event c = *a;
    *a = *b;
    *b = c;
}

void bank_plan_add(struct bank *b, enum bank_event_kind kind, uint64_t entry, const char *status,
                   const char *reason, int64_t at_us)
{
    if (b->plan_len == b->plan_room) {
        size_t room = b->plan_room > 0 ? b->plan_room * 2 : 64;
        struct bank_event *more = realloc(b->plan, room * sizeof *more);
        if (more == NULL)
            return; /* it stays pending; an inquiry says so */
        b->plan = more;
        b->plan_room = room;
    }
    struct bank_event *e = &b->plan[b->plan_len];
    *e = (struct bank_event){ .at_us = at_us, .order = b->order++, .kind = kind, .entry = entry };
    BANK_COPY(e->status, view_text(status));
    BANK_COPY(e->reason, view_text(reason));
    for (size_t i = b->plan_len++; i > 0 && before(&b->plan[i], &b->plan[(i - 1) / 2]);
         i = (i - 1) / 2)
        swap(&b->plan[i], &b->plan[(i - 1) / 2]);
}

static struct bank_event take(struct bank *b)
{
    struct bank_event first = b->plan[0];
    b->plan[0] = b->plan[--b->plan_len];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < b->plan_len; child++)
            if (before(&b->plan[child], &b->plan[least]))
                least = child;
        if (least == i)
            return first;
        swap(&b->plan[i], &b->plan[least]);
        i = least;
    }
}

static void happen(struct bank *b, const struct bank_event *event, int64_t now_us)
{
    struct bank_entry *e = bank_entry_get(b, event->entry);
    ENSURE(e != NULL);
    switch (event->kind) {
    case EVENT_BOOK:
        if (e->state != STATE_PENDING)
            return; /* recalled in the meantime */
        if (event->reason[0] == '\0') {
            bank_book_now(b, e, now_us, true);
            return;
        }
        bank_refuse(b, e, event->reason);
        bank_say_status(b, e, "RJCT", e->reason, now_us);
        return;
    case EVENT_STATUS: bank_say_status(b, e, event->status, event->reason, now_us); return;
    case EVENT_RECALL: bank_after_recall_end(b, e, event->reason, now_us); return;
    case EVENT_RETURN:
        if (e->state == STATE_BOOKED && e->returned_minor == 0)
            (void)bank_give_back(b, e, e->amount_minor, event->reason, now_us);
        return;
    }
}

void bank_plan_run(struct bank *b, int64_t now_us)
{
    while (b->plan_len > 0 && b->plan[0].at_us <= now_us) {
        struct bank_event event = take(b);
        happen(b, &event, now_us);
    }
}

int64_t bank_plan_next_us(const struct bank *b)
{
    return b->plan_len > 0 ? b->plan[0].at_us : INT64_MAX;
}

int64_t bank_plan_due(const struct bank *b, const struct bank_entry *e, int64_t now_us)
{
    const struct bank_settings *s = &b->settings;
    int64_t due_us = now_us;
    if (bank_is(s, "booking", "delayed"))
        due_us += s->delay_ms * 1000;
    if (bank_is(s, "booking", "schedule") && !e->instant) { /* the next full turn of the clock */
        int64_t turn_us = s->schedule_s * 1000000, wall_us = bank_wall(b, now_us);
        due_us += turn_us - wall_us % turn_us;
    }
    int64_t execute_us = e->execute_us - b->config.wall_offset_us;
    return e->execute_us > 0 && execute_us > due_us ? execute_us : due_us;
}
