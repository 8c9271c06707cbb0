/* timer.c - one binary heap per loop.
 *
 * heap[1] is the timer due first; the children of i are 2i and 2i+1. Each timer knows its place, so
 * stopping one from the middle is a sift and no search. Equal due times are ordered by a counter
 * taken at the start, which makes the order of firing the order of starting, on both kinds of loop.
 *
 * The array grows by doubling and never shrinks: eight bytes per timer armed at once.
 */
#include "loop/loop_int.h"

#include "base/ensure.h"

#include <stdlib.h>

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void heap_place(struct loop *loop, uint32_t index, struct timer *timer)
{
    loop->heap[index] = timer;
    timer->heap_index = index;
}

static void heap_sift_up(struct loop *loop, uint32_t index, struct timer *timer)
{
    while (index > 1 && timer_before(timer, loop->heap[index / 2])) {
        heap_place(loop, index, loop->heap[index / 2]);
        index /= 2;
    }
    heap_place(loop, index, timer);
}

static void heap_sift_down(struct loop *loop, uint32_t index, struct timer *timer)
{
    for (;;) {
        uint32_t child = index * 2;
        if (child > loop->heap_count)
            break;
        if (child < loop->heap_count && timer_before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!timer_before(loop->heap[child], timer))
            break;
        heap_place(loop, index, loop->heap[child]);
        index = child;
    }
    heap_place(loop, index, timer);
}

static void heap_grow(struct loop *loop)
{
    uint32_t room = loop->heap_room == 0 ? 64 : loop->heap_room * 2;
    ENSURE(room > loop->heap_room);
    struct timer **heap = realloc(loop->heap, (size_t)room * sizeof *heap);
    /* A deadline that is silently not kept would be worse than stopping here: recovery at the next
     * start resolves what was in flight. */
    ENSURE(heap != NULL);
    loop->heap = heap;
    loop->heap_room = room;
}

void timer_init(struct timer *timer, struct loop *loop, timer_fn *fire, void *arg)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(fire != NULL);
    *timer = (struct timer){ .magic = TIMER_MAGIC, .loop = loop, .fire = fire, .arg = arg };
}

void timer_start(struct timer *timer, int64_t delay_us)
{
    ENSURE_MAGIC(timer, TIMER_MAGIC);
    struct loop *loop = timer->loop;
    timer_stop(timer);
    int64_t now_us = loop_now_us(loop);
    if (delay_us < 0)
        delay_us = 0;
    timer->due_us = delay_us > INT64_MAX - now_us ? INT64_MAX : now_us + delay_us;
    timer->order = ++loop->timer_order;
    if (loop->heap_count + 1 >= loop->heap_room)
        heap_grow(loop);
    heap_sift_up(loop, ++loop->heap_count, timer);
}

void timer_stop(struct timer *timer)
{
    ENSURE_MAGIC(timer, TIMER_MAGIC);
    uint32_t index = timer->heap_index;
    if (index == 0)
        return;
    struct loop *loop = timer->loop;
    ENSURE(index <= loop->heap_count && loop->heap[index] == timer);
    struct timer *last = loop->heap[loop->heap_count--];
    timer->heap_index = 0;
    if (last == timer)
        return;
    if (index > 1 && timer_before(last, loop->heap[index / 2]))
        heap_sift_up(loop, index, last);
    else
        heap_sift_down(loop, index, last);
}

bool timer_is_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

struct timer *timers_first(const struct loop *loop)
{
    return loop->heap_count > 0 ? loop->heap[1] : NULL;
}

void timer_fire(struct timer *timer)
{
    timer_stop(timer);
    timer->fire(timer, timer->arg);
}

void timers_run_due(struct loop *loop, int64_t now_us)
{
    /* A timer started from within waits for the next turn, however short its delay: otherwise a
     * timer that restarts itself would keep input from ever being read. */
    uint64_t order_max = loop->timer_order;
    for (;;) {
        struct timer *first = timers_first(loop);
        if (first == NULL || first->due_us > now_us || first->order > order_max)
            return;
        timer_fire(first);
    }
}
