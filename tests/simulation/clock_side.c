/* clock_side.c - the gateway's wall clock, and its jumps. Counterparts have clocks of their own.
 *
 * Ages are told by the monotonic clock, and by the wall clock only over a restart, since they
 * outlive the process. So there are two kinds of runs in which it jumps:
 *
 *     down    while the gateway is down; then whatever goes by an age may come sooner or later, and
 *             no counterpart books late: a request may hang in the network for half a minute, and
 *             with inquiries a jump of a late window forward, meanwhile, makes "not found" the last
 *             word on what is still on its way
 *     moving  while it runs, every few seconds, further than any deadline and late window; then it
 *             is never started again, and everything must be as if the clock were right, but for
 *             what people are told in dates (how long a yes is waited for)
 *
 * At the end a moving clock goes to the first or the last of all times that it had, and stays
 * right. Since dates tell nothing then, the journal is read every few seconds from there on: when
 * an event was heard of is known by the loop's clock.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdlib.h>

#define CLOCK_SIDE_MAGIC       0x434c4f43u
#define DOWN_CARD_S            1800
#define DOWN_HTTP_S            20
#define MOVING_CARD_S          1800
#define MOVING_HTTP_S          200 /* signatures are good for 300 s, and notices take their time */
#define MOVING_PERCENT         6   /* of runs; the gateway does not crash in these */
#define MOVING_PERCENT_NETWORK 50  /* of runs in which it never does */
#define MOVING_LEAST_US        (LOOP_US_PER_S / 2)
#define MOVING_MOST_US         (20 * LOOP_US_PER_S)
#define JUMPS_ROOM_FIRST       64

/* From then on, by the loop's clock, the wall clock has shown so much more. */
struct epoch {
    int64_t from_us, ahead_us;
};

struct clock_side {
    uint32_t magic;
    struct world *world;
    struct dice dice;
    struct timer jump;
    int64_t offset_us, offset_min_us, offset_max_us; /* from where it was at first */
    /* The reader of the journal. */
    struct timer look;
    struct arena arena;
    struct store_read read;
    bool reading;
    int64_t *heard_us; /* of the events 1, 2, 3, ..., by the loop's clock */
    size_t heard_count, heard_room;
    struct epoch *epochs;
    size_t count, room;
};

static void note(struct clock_side *side)
{
    struct loop *loop = side->world->loop;
    if (side->count == side->room) {
        side->room = side->room > 0 ? 2 * side->room : JUMPS_ROOM_FIRST;
        side->epochs = realloc(side->epochs, side->room * sizeof *side->epochs);
        ENSURE(side->epochs != NULL);
    }
    side->epochs[side->count++] =
        (struct epoch){ loop_now_us(loop), loop_wall_us(loop) - loop_now_us(loop) };
}

static void jump_to(struct clock_side *side, int64_t offset_us)
{
    rules_side_jump(side->world->rules, offset_us - side->offset_us);
    world_fault(side->world, FAULT_CLOCK_JUMP, "gateway", 1);
    side->offset_us = offset_us;
    if (offset_us > side->offset_max_us)
        side->offset_max_us = offset_us;
    if (offset_us < side->offset_min_us)
        side->offset_min_us = offset_us;
    note(side);
}

static bool only_cards(const struct clock_side *side)
{
    return side->world->options->rails == 1u << RAIL_CARD;
}

void clock_side_sleeps(struct clock_side *side)
{
    struct dice *dice = &side->world->dice;
    int64_t most_s = only_cards(side) ? DOWN_CARD_S : DOWN_HTTP_S;
    if (side->world->clock_jumps && dice_percent(dice, 30))
        jump_to(side, dice_between(dice, -most_s, most_s) * LOOP_US_PER_S);
}

static void jump(struct timer *timer, void *arg)
{
    struct clock_side *side = arg;
    ENSURE_MAGIC(side, CLOCK_SIDE_MAGIC);
    int64_t most_s = only_cards(side) ? MOVING_CARD_S : MOVING_HTTP_S;
    jump_to(side, dice_between(&side->dice, -most_s, most_s) * LOOP_US_PER_S);
    timer_start(timer, dice_between(&side->dice, MOVING_LEAST_US, MOVING_MOST_US));
}

/* --- when an event was heard of ----------------------------------------------------------------
 */

static void events_read(struct store_read *read, void *arg)
{
    struct clock_side *side = arg;
    ENSURE_MAGIC(side, CLOCK_SIDE_MAGIC);
    side->reading = false;
    size_t count = read->result == STATUS_OK ? read->count : 0;
    while (side->heard_count + count > side->heard_room) {
        side->heard_room = side->heard_room > 0 ? 2 * side->heard_room : 1024;
        side->heard_us = realloc(side->heard_us, side->heard_room * sizeof *side->heard_us);
        ENSURE(side->heard_us != NULL);
    }
    for (size_t i = 0; i < count; i++)
        side->heard_us[side->heard_count++] = loop_now_us(side->world->loop);
    arena_reset(&side->arena);
    if (read->result == STATUS_OK && read->more)
        timer_start(&side->look, 0);
}

static void look(struct timer *timer, void *arg)
{
    struct clock_side *side = arg;
    struct world *world = side->world;
    ENSURE_MAGIC(side, CLOCK_SIDE_MAGIC);
    timer_start(timer, CLOCK_LOOK_US);
    if (world->gateway == NULL || world->life != LIFE_UP || side->reading)
        return;
    side->read = (struct store_read){ .question = STORE_EVENTS,
                                      .arena = &side->arena,
                                      .after = (int64_t)side->heard_count,
                                      .done = events_read,
                                      .arg = side };
    side->reading = store_ask(gateway_store(world->gateway), &side->read) == STATUS_OK;
}

int64_t clock_side_heard_us(const struct clock_side *side, int64_t seq)
{
    return seq >= 1 && (uint64_t)seq <= side->heard_count ? side->heard_us[seq - 1] : -1;
}

/* --- a run -------------------------------------------------------------------------------------
 */

bool clock_side_may_move(struct clock_side *side)
{
    bool never_crashes = side->world->options->faults == FAULTS_NETWORK;
    return dice_percent(&side->dice, never_crashes ? MOVING_PERCENT_NETWORK : MOVING_PERCENT);
}

void clock_side_trouble(struct clock_side *side)
{
    if (side->world->clock_moves)
        timer_start(&side->jump, dice_between(&side->dice, 0, MOVING_MOST_US));
}

void clock_side_calm(struct clock_side *side)
{
    timer_stop(&side->jump);
    if (!side->world->clock_moves)
        return;
    jump_to(side, dice_percent(&side->dice, 30) ? side->offset_max_us : side->offset_min_us);
    timer_start(&side->look, 0);
}

int64_t clock_side_loop_us(const struct clock_side *side, int64_t wall_us, bool last)
{
    int64_t found_us = -1;
    for (size_t i = 0; i < side->count; i++) {
        const struct epoch *epoch = &side->epochs[i];
        int64_t until_us = i + 1 < side->count ? side->epochs[i + 1].from_us : INT64_MAX;
        int64_t at_us = wall_us - epoch->ahead_us;
        if (at_us >= epoch->from_us && at_us <= until_us && (last || found_us == -1))
            found_us = at_us;
    }
    return found_us;
}

int64_t clock_side_ahead_us(const struct clock_side *side)
{
    return side->offset_max_us;
}

enum status clock_side_open(struct clock_side **out, struct world *world)
{
    struct clock_side *side = *out = calloc(1, sizeof *side);
    if (side == NULL)
        return STATUS_NO_MEMORY;
    side->magic = CLOCK_SIDE_MAGIC;
    side->world = world;
    side->dice.state = world->options->seed ^ 0xc10c;
    timer_init(&side->jump, world->loop, jump, side);
    timer_init(&side->look, world->loop, look, side);
    arena_init(&side->arena, (size_t)16 * 1024 * 1024);
    note(side);
    return STATUS_OK;
}

void clock_side_stop(struct clock_side *side)
{
    timer_stop(&side->jump);
    timer_stop(&side->look);
}

void clock_side_close(struct clock_side *side)
{
    if (side == NULL)
        return;
    clock_side_stop(side);
    arena_reset(&side->arena);
    free(side->heard_us);
    free(side->epochs);
    side->magic = 0;
    free(side);
}
