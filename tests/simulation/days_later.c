/* days_later.c - a week after everything was over: idempotency keys are forgotten, and not before.
 *
 * The gateway's wall clock goes forward, which is all that a key's age goes by. Only keys of the
 * lasting index are forgotten, and they are moved there when a thousand wait: so many requests are
 * made first, refused ones mostly, each with a key of its own.
 *     not yet   a minute before the first key is old enough: every request once more, and the
 *               answers must be those from before
 *     then      a minute after the last one is: what was asked for under a key is carried out as a
 *               new request, whatever was answered then; a payment is made anew
 *     and       that answer is kept in turn, and given to the next repeat, also after a crash in
 *               between; another request under the key is refused
 * It comes when all has been checked, since payments that are made anew would be strange to those
 * checks. Not every run has it, and none in which the clock jumps anyway.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS_PERCENT   25
#define FILL_COUNT     1100 /* more than wait before they are indexed */
#define FILL_TOGETHER  16
#define REPEATED_MAX   24
#define DAY_US         (24 * 3600 * LOOP_US_PER_S)
#define ANSWERS_MAX_US (3600 * LOOP_US_PER_S)

struct later {
    struct world *world;
    struct dice dice;
    struct ask fill[FILL_TOGETHER];
    unsigned filled;
    struct repeated {
        const struct ask *first;
        struct ask again, other;
    } repeated[REPEATED_MAX];
    size_t count;
    size_t running;
};

/* --- waiting ------------------------------------------------------------------------------------
 */

static void ask_ended(struct ask *ask)
{
    (*(size_t *)ask->arg)--;
}

static void ask_go(struct later *later, struct ask *ask)
{
    ask->done = ask_ended;
    ask->arg = &later->running;
    later->running++;
    ask_start(ask);
}

static void wait_for_answers(struct later *later)
{
    struct world *world = later->world;
    int64_t until_us = loop_now_us(world->loop) + ANSWERS_MAX_US;
    while (later->running > 0)
        if (!loop_step(world->loop, until_us)) {
            wrong(world, 0, "days later %zu requests get no answer", later->running);
            return;
        }
}

static void forward_to(struct world *world, int64_t wall_us)
{
    int64_t by_us = wall_us - loop_wall_us(world->loop);
    if (by_us > 0)
        rules_side_jump(world->rules, by_us);
}

/* --- a thousand keys ----------------------------------------------------------------------------
 */

static struct story *some_story(struct later *later)
{
    struct world *world = later->world;
    for (uint32_t i = 0; i < world->options->payments; i++)
        if (world->stories[i].payment != 0)
            return &world->stories[i];
    return NULL;
}

static void fill_one(struct later *later, struct ask *ask, struct story *story)
{
    ask_init(ask, story, OPERATION_CANCEL);
    (void)snprintf(ask->key, sizeof ask->key, "fill-%u", ++later->filled);
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments/%s/cancel", story->payment_text);
    (void)snprintf(ask->body, sizeof ask->body, "{\"reference\":\"%s\"}", ask->key);
    ask_go(later, ask);
}

static void fill(struct later *later, struct story *story)
{
    for (unsigned i = 0; i < FILL_COUNT / FILL_TOGETHER; i++) {
        for (size_t k = 0; k < FILL_TOGETHER; k++)
            fill_one(later, &later->fill[k], story);
        wait_for_answers(later);
        for (size_t k = 0; k < FILL_TOGETHER; k++)
            ask_fini(&later->fill[k]);
    }
    world_pass(later->world, LOOP_US_PER_S); /* the indexes are built when nothing else is to do */
}

/* --- requests of then ---------------------------------------------------------------------------
 */

/* One of its key, and carried out then. */
static bool may_repeat(const struct story *story, const struct ask *ask)
{
    if (ask->status == 0 || ask->running || ask->twin != NULL || ask->verb > OPERATION_REFUND)
        return false;
    for (size_t i = 0; story->asks[i] != ask; i++)
        if (strcmp(story->asks[i]->key, ask->key) == 0)
            return false;
    return true;
}

static void choose(struct later *later)
{
    struct world *world = later->world;
    uint32_t step = 1 + world->options->payments / REPEATED_MAX;
    for (uint32_t n = 0; n < world->options->payments && later->count < REPEATED_MAX; n += step) {
        struct story *story = &world->stories[n];
        size_t which = story->ask_count > 0 ? dice_below(&later->dice, story->ask_count) : 0;
        if (which < story->ask_count && !may_repeat(story, story->asks[which]))
            which = 0;
        if (which >= story->ask_count || !may_repeat(story, story->asks[which]))
            continue;
        struct repeated *r = &later->repeated[later->count++];
        r->first = story->asks[which];
        ask_init(&r->again, story, r->first->verb);
        ask_init(&r->other, story, r->first->verb);
        memcpy(r->again.key, r->first->key, sizeof r->again.key);
        memcpy(r->again.path, r->first->path, sizeof r->again.path);
        memcpy(r->again.body, r->first->body, sizeof r->again.body);
        memcpy(r->other.key, r->first->key, sizeof r->other.key);
        memcpy(r->other.path, r->first->path, sizeof r->other.path);
        (void)snprintf(r->other.body, sizeof r->other.body, "%.*s,\"metadata\":{\"later\":\"x\"}}",
                       (int)strlen(r->first->body) - 1, r->first->body);
    }
}

/* As if it had never been asked for. */
static void check_anew(const struct repeated *r)
{
    const struct ask *ask = &r->again;
    struct world *world = ask->world;
    char id[ID_TEXT_MAX];
    bool create = ask->verb <= OPERATION_SALE;
    world_tally(world, "days later: %s %d, then %d", create ? "a payment" : "an operation",
                r->first->status, ask->status);
    if (create && (ask->status / 100 != 2 || !ask_text(ask, "id", id, sizeof id)))
        wrong(world, ask->story->payment, "days later %s %s was answered %d %s", ask->path,
              ask->key, ask->status, ask->answer);
    else if (create && strcmp(id, ask->story->payment_text) == 0)
        wrong(world, ask->story->payment, "days later the key %s is known, and its answer too",
              ask->key);
    else if (ask->status / 100 != 2 && ask->status != 409 && ask->status != 422)
        wrong(world, ask->story->payment, "days later %s %s was answered %d %s", ask->path,
              ask->key, ask->status, ask->answer);
}

static void check_other(const struct repeated *r)
{
    const struct ask *ask = &r->other;
    char code[64];
    if (ask->status != 422 || !ask_text(ask, "code", code, sizeof code) ||
        strcmp(code, "idempotency_key_reused") != 0)
        wrong(ask->world, ask->story->payment,
              "days later the key %s with another body was answered %d %s", ask->key, ask->status,
              ask->answer);
}

static void repeat(struct later *later)
{
    for (size_t i = 0; i < later->count; i++)
        ask_go(later, &later->repeated[i].again);
    wait_for_answers(later);
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static bool takes_part(struct later *later)
{
    struct world *world = later->world;
    const struct settings *s = &world->settings;
    return dice_percent(&later->dice, RUNS_PERCENT) && world->wrongs == 0 &&
           world->options->plant == PLANT_NOTHING && !world_clock_wrong(world) &&
           s->limit_requests_per_second_per_key == 0 &&
           s->limit_payments_in_flight > (int64_t)world->options->payments;
}

static void days_pass(struct later *later, struct story *story)
{
    struct world *world = later->world;
    int64_t keep_us = world->settings.store_idempotency_days * DAY_US;
    bool crashes = world->crashes > 0 && dice_percent(&later->dice, 50);
    fill(later, story);
    int64_t last_us = loop_wall_us(world->loop);
    forward_to(world, world->began_wall_us + keep_us - 60 * LOOP_US_PER_S);
    world_replay(world);
    forward_to(world, last_us + keep_us + 61 * LOOP_US_PER_S);
    fill_one(later, &later->fill[0], story); /* upkeep comes behind a commit */
    wait_for_answers(later);
    ask_fini(&later->fill[0]);
    if (crashes) /* perhaps in the middle of it */
        world_crash(world, dice_between(&later->dice, 0, 20000));
    world_pass(world, 30 * LOOP_US_PER_S);
    fill_one(later, &later->fill[0], story);
    wait_for_answers(later);
    ask_fini(&later->fill[0]);
    world_pass(world, LOOP_US_PER_S);
    choose(later);
    repeat(later);
    for (size_t i = 0; i < later->count; i++)
        check_anew(&later->repeated[i]);
    if (crashes)
        world_crash(world, dice_between(&later->dice, 0, 20000));
    repeat(later); /* the answers must be the same: ask.c */
    for (size_t i = 0; i < later->count; i++)
        ask_go(later, &later->repeated[i].other);
    wait_for_answers(later);
    for (size_t i = 0; i < later->count; i++)
        check_other(&later->repeated[i]);
    world_tally(world, "days later: it was %s", crashes ? "with crashes" : "without crashes");
}

void days_later(struct world *world)
{
    struct later *later = calloc(1, sizeof *later);
    ENSURE(later != NULL);
    later->world = world;
    later->dice.state = world->options->seed ^ 0xda75;
    struct story *story = some_story(later);
    if (takes_part(later) && story != NULL)
        days_pass(later, story);
    for (size_t i = 0; i < later->count; i++) {
        ask_fini(&later->repeated[i].again);
        ask_fini(&later->repeated[i].other);
    }
    free(later);
}
