/* loop_virtual.c - the loop whose time jumps, for simulation and for tests without sleeping.
 *
 * Nothing here reads a clock or the machine's dice. A step lets exactly one thing happen: posted or
 * deferred tasks that wait (they are due now), else the first timer, to whose due time the clock
 * moves. Since timers of equal due time keep the order of their starts, and every random choice
 * comes from one stream (SplitMix64 under the seed), the same seed gives the same run, event for
 * event.
 */
#include "loop/loop_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* Where the monotonic clock starts: not zero, so that a forgotten time stands out. */
#define VIRTUAL_START_US (1000 * LOOP_US_PER_S)

struct loop_virtual {
    struct loop core; /* first: a struct loop of kind VIRTUAL is one of these */
    int64_t now_us;
    int64_t wall_offset_us; /* wall = now + offset */
    uint64_t dice;
};

static struct loop_virtual *virtual_of(struct loop *loop)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(loop->kind == LOOP_VIRTUAL);
    return (struct loop_virtual *)loop;
}

struct loop *loop_open_virtual(uint64_t seed, int64_t start_wall_us)
{
    struct loop_virtual *virtual = calloc(1, sizeof *virtual);
    if (virtual == NULL)
        return NULL;
    if (!loop_core_init(&virtual->core, LOOP_VIRTUAL)) {
        free(virtual);
        return NULL;
    }
    virtual->now_us = VIRTUAL_START_US;
    virtual->wall_offset_us = start_wall_us - VIRTUAL_START_US;
    virtual->dice = seed;
    return &virtual->core;
}

void loop_virtual_close(struct loop *loop)
{
    struct loop_virtual *virtual = virtual_of(loop);
    loop_core_fini(loop);
    free(virtual);
}

int64_t loop_virtual_now_us(const struct loop *loop)
{
    return ((const struct loop_virtual *)loop)->now_us;
}

int64_t loop_virtual_wall_us(const struct loop *loop)
{
    const struct loop_virtual *virtual = (const struct loop_virtual *)loop;
    return virtual->now_us + virtual->wall_offset_us;
}

void loop_shift_wall(struct loop *loop, int64_t by_us)
{
    virtual_of(loop)->wall_offset_us += by_us;
}

/* SplitMix64 (Steele, Lea, Flood 2014): small, fast, and every seed is a good one. */
static uint64_t dice_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

void loop_virtual_random(struct loop *loop, void *out, size_t len)
{
    struct loop_virtual *virtual = virtual_of(loop);
    for (uint8_t *at = out; len > 0;) {
        uint64_t value = dice_next(&virtual->dice);
        size_t part = len < sizeof value ? len : sizeof value;
        memcpy(at, &value, part);
        at += part;
        len -= part;
    }
}

bool loop_step(struct loop *loop, int64_t until_us)
{
    struct loop_virtual *virtual = virtual_of(loop);
    bool posted = loop_take_posted(loop);
    if (loop_run_deferred(loop) || posted)
        return true;
    struct timer *first = timers_first(loop);
    if (first == NULL || first->due_us > until_us) {
        if (until_us != INT64_MAX && until_us > virtual->now_us)
            virtual->now_us = until_us;
        return false;
    }
    if (first->due_us > virtual->now_us)
        virtual->now_us = first->due_us;
    timer_fire(first);
    (void)loop_run_deferred(loop);
    return true;
}

void loop_virtual_run(struct loop *loop)
{
    while (!loop->stop && loop_step(loop, INT64_MAX)) {
    }
}
