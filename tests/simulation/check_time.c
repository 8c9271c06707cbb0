/* check_time.c - once faults have stopped, everything comes to its end within the time that
 * settings and profile give it, each operation by itself.
 *
 * The time of an operation, from its beginning or, if that was earlier, from the moment when
 * nothing disturbs any more:
 *
 *     waiting for a yes      authentication.valid_for, review.valid_for, and the next look at those
 *                            whose time is over; only when the decision asked for one
 *     waiting for a payer    how long a code may be scanned, or a transfer is waited for
 *     on the rail            one deadline for the message, the channel's late window, one deadline
 *                            for the last word (inquiry, reversal), and the pauses between; about
 *                            what was accepted the gateway asks seldom, after an eighth of its age
 *
 * What was left to a person has no end of its own.
 *
 * Times are those of the wall clock that the records have. Where it jumped while the gateway was
 * down, an end before the calm may be stamped later than the calm began, so such a run is only held
 * to its end as a whole (world.c). Where it moves while the gateway runs, it is told by the events
 * and when they were heard of (clock_side.c), but for payments that waited for a yes, whose time
 * goes by the wall clock.
 *
 * Nor may it come to an end too soon: what is shown to a payer is closed only when its time is
 * over, by the loop's clock (clock_side_loop_us), wherever the wall clock was meanwhile.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_US      (5 * LOOP_US_PER_S)    /* at what waits too long (payment/hold_overdue.c) */
#define RECONNECT_US (10 * LOOP_US_PER_S)   /* links that were lost come back */
#define CODE_US      (900 * LOOP_US_PER_S)  /* code_expires_s of the QR adapter */
#define FOREVER_US   (3600 * LOOP_US_PER_S) /* reversal.max_age: it never ends by itself */
#define TRANSFER_US  (300 * LOOP_US_PER_S)  /* receive_expires_s of channels/bank_a.yaml */
#define SELDOM_US    (900 * LOOP_US_PER_S)  /* payment/what_follows.c: the longest such pause */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* On the slowest of the rail's channels. */
static int64_t on_the_rail_us(const struct world *world, enum rail rail, enum operation verb)
{
    struct channels *channels = gateway_channels(world->gateway);
    int64_t most_us = 0;
    for (size_t i = 0; i < channels_count(channels); i++) {
        struct channel *channel = channels_at(channels, i);
        const struct channel_settings *s = channel_settings_of(channel);
        struct channel_ability ability;
        if ((enum rail)s->rail != rail)
            continue;
        channel_ability(channel, verb, &ability);
        int64_t us = 2 * ability.deadline_us + ability.late_window_us + s->reversal_first_delay_us +
                     s->reversal_retry_every_us + RECONNECT_US;
        most_us = larger(most_us, us);
    }
    return most_us;
}

/* A pause that may have begun just before the calm. No card host accepts first and answers later.
 */
static int64_t next_asking_us(const struct payment_row *p, int64_t age_us)
{
    if (p->rail == RAIL_CARD)
        return 0;
    return age_us / 8 < SELDOM_US ? age_us / 8 : SELDOM_US;
}

static bool says(struct view text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static int64_t for_a_yes_us(const struct world *world, const struct payment_row *p)
{
    int64_t most_us = 0;
    if (!says(p->facts_json, "\"decision\":{\"result\":\"challenge\"") &&
        !says(p->facts_json, "\"decision\":{\"result\":\"review\""))
        return 0;
    for (int i = RULES_NORMAL; i < RULES_BROKEN_FORM; i++) {
        const struct region_settings *r =
            rulebook_region(world->options->rules, (enum rules_text)i);
        int64_t us = r->authentication_valid_for_us;
        if (says(p->facts_json, "\"decision\":{\"result\":\"review\""))
            us += r->review_valid_for_us + LOOK_US;
        char version[64];
        (void)snprintf(version, sizeof version, "\"version\":\"%s\"", r->version);
        if (says(p->facts_json, version))
            most_us = larger(most_us, us + LOOK_US);
    }
    return most_us;
}

static int64_t shown_for_us(const struct story *story)
{
    const char *expires = strstr(story->asks[0]->body, "\"expires_in\":");
    if (story->receives)
        return TRANSFER_US;
    if (story->rail != RAIL_QR)
        return 0;
    return expires != NULL ? strtoll(expires + 13, NULL, 10) * LOOP_US_PER_S : CODE_US;
}

static int64_t for_a_payer_us(const struct story *story)
{
    return (story->excuses & EXCUSE_FOREVER) != 0 ? FOREVER_US : shown_for_us(story);
}

/* The counterpart is told a date, by a clock that may have been ahead of its own. */
static int64_t told_later_us(const struct world *world, const struct story *story)
{
    return world->clock_moves && shown_for_us(story) > 0 ? clock_side_ahead_us(world->clock) : 0;
}

/* Over a restart an age is that of the wall clock: where that jumped meanwhile, it may be wrong. */
void check_not_too_soon(struct world *world, const struct story *story, int64_t *sent_us,
                        const struct event_row *e)
{
    bool sale = says(e->data_json, "\"operation\":\"sale\"");
    if (world->clock_jumps)
        return;
    if (sale && view_is(e->kind, "attempt.sending") && !says(e->data_json, "\"tries\":"))
        *sent_us = clock_side_loop_us(world->clock, e->time_us, false);
    if (!sale || !says(e->data_json, "acted in time"))
        return;
    int64_t after_us = clock_side_loop_us(world->clock, e->time_us, true) - *sent_us;
    world_tally(world, "%s: closed when its time was over", rail_word(story->rail));
    if (after_us < shown_for_us(story))
        wrong(world, e->payment, "it is closed after %lld s, and could be paid for %lld s",
              (long long)(after_us / LOOP_US_PER_S),
              (long long)(shown_for_us(story) / LOOP_US_PER_S));
}

/* Between the event of that stamp, the first of this payment, and the last one of the other. */
static int64_t took_by_events_us(struct world *world, const struct payment_row *p,
                                 const struct operation_row *o)
{
    int64_t from_us = -1, until_us = -1, after = 0;
    bool more = true;
    while (more) {
        struct arena arena;
        arena_init(&arena, (size_t)16 * 1024 * 1024);
        struct store_read page = {
            .question = STORE_EVENTS_OF_PAYMENT, .arena = &arena, .payment = p->id, .after = after
        };
        ENSURE(world_read(world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            const struct event_row *e = &page.events[i];
            after = e->seq;
            if (from_us == -1 && e->time_us == o->created_us)
                from_us = clock_side_heard_us(world->clock, e->seq);
            if (e->time_us == o->updated_us)
                until_us = clock_side_heard_us(world->clock, e->seq);
        }
        more = page.more;
        arena_reset(&arena);
    }
    return from_us != -1 && until_us != -1 ? until_us - from_us - CLOCK_LOOK_US : 0;
}

void check_in_time(struct world *world, const struct story *story, const struct payment_row *p,
                   const struct operation_row *ops, size_t count)
{
    int64_t calm_us = rules_side_calm_us(world->rules);
    for (size_t i = 0; i < count; i++) {
        const struct operation_row *o = &ops[i];
        bool first = o->kind == OPERATION_AUTHORISE || o->kind == OPERATION_SALE;
        int64_t took_us = o->updated_us - larger(o->created_us, calm_us);
        int64_t age_us = o->updated_us - o->created_us;
        if (world->clock_moves && for_a_yes_us(world, p) == 0) {
            took_us = took_by_events_us(world, p, o);
            /* What began in the calm is no older than it took; at once is told as less than 0. */
            age_us = larger(took_us, 0) +
                     larger(clock_side_heard_us(world->clock, 1) -
                                clock_side_loop_us(world->clock, o->created_us, false),
                            0);
        }
        int64_t most_us = on_the_rail_us(world, p->rail, o->kind) + next_asking_us(p, age_us);
        if (first)
            most_us += for_a_yes_us(world, p) + for_a_payer_us(story) + told_later_us(world, story);
        if (took_us > 0)
            world_tally(world, "%s %s ended in the calm", rail_word(p->rail),
                        operation_word(o->kind));
        bool excused = world->clock_jumps || (world->clock_moves && for_a_yes_us(world, p) > 0);
        if (took_us > most_us && excused)
            world_tally(world, "excused: ended by a clock that jumped");
        else if (took_us > most_us)
            wrong(world, p->id, "%s %s took %lld s in the calm, and may take %lld s",
                  operation_word(o->kind), operation_status_word(o->status),
                  (long long)(took_us / LOOP_US_PER_S), (long long)(most_us / LOOP_US_PER_S));
    }
}
