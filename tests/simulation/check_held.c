/* check_held.c - what waits for a yes is judged by the version of the profile that decided it,
 * whichever is in force by now: how long it waits, and how many wrong results it takes.
 *
 *     a yes comes before that time is over, and "too late" not before
 *     each wrong result is counted and leaves one less; with the last one the payment has failed,
 *     and not sooner
 *
 * Times are those of the events. What waits goes by the wall clock as well, so a clock that jumps
 * changes nothing here.
 */
#include "rules.h"
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

static bool has(struct view text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static int64_t number_after(struct view text, const char *name)
{
    char digits[24];
    const uint8_t *at = text.len > 0 ? memmem(text.ptr, text.len, name, strlen(name)) : NULL;
    if (at == NULL)
        return -1;
    at += strlen(name);
    struct view rest = view_of(at, text.len - (size_t)(at - text.ptr));
    if (view_to_text(view_slice(rest, 0, strspn((const char *)rest.ptr, "0123456789")), digits,
                     sizeof digits) != STATUS_OK)
        return -1;
    return strtoll(digits, NULL, 10);
}

/* Of whose yes it is about, at that moment. */
static void in_time(struct world *world, const struct held_seen *seen, const struct event_row *e,
                    bool payer, bool too_late)
{
    int64_t from_us = payer ? seen->payer_from_us : seen->operator_from_us;
    int64_t for_us =
        payer ? seen->profile->authentication_valid_for_us : seen->profile->review_valid_for_us;
    bool late = e->time_us >= from_us + for_us;
    if (from_us == 0)
        wrong(world, e->payment, "%.*s, and nothing waits for it", (int)e->kind.len,
              (const char *)e->kind.ptr);
    else if (late != too_late)
        wrong(world, e->payment,
              "%.*s %s after %lld ms: by its version (%s) %s is waited for for %lld",
              (int)e->kind.len, (const char *)e->kind.ptr, too_late ? "as too late" : "as in time",
              (long long)(e->time_us - from_us) / LOOP_US_PER_MS, seen->profile->version,
              payer ? "a payer" : "an operator", (long long)for_us / LOOP_US_PER_MS);
    world_tally(world, "held: a yes of %s %s", payer ? "a payer" : "an operator",
                too_late ? "that was too late" : "in time");
}

static void was_wrong(struct world *world, struct held_seen *seen, const struct event_row *e)
{
    int64_t left = number_after(e->data_json, "\"left\":");
    int64_t due = seen->profile->authentication_wrong_max - ++seen->wrongs;
    if (left != (due > 0 ? due : 0))
        wrong(world, e->payment,
              "after %lld wrong results %lld are left; its version (%s) takes %lld",
              (long long)seen->wrongs, (long long)left, seen->profile->version,
              (long long)seen->profile->authentication_wrong_max);
}

static void failed(struct world *world, const struct held_seen *seen, const struct event_row *e)
{
    bool last = seen->wrongs > 0 && seen->wrongs >= seen->profile->authentication_wrong_max;
    bool so = has(e->data_json, "\"code\":\"authentication_failed\"");
    if (has(e->data_json, "\"code\":\"authentication_expired\""))
        in_time(world, seen, e, true, true);
    else if (has(e->data_json, "\"code\":\"review_expired\""))
        in_time(world, seen, e, false, true);
    else if (so && !last)
        wrong(world, e->payment,
              "it has failed after %lld wrong results; its version (%s) takes %lld",
              (long long)seen->wrongs, seen->profile->version,
              (long long)seen->profile->authentication_wrong_max);
}

void held_check_event(struct world *world, struct held_seen *seen, const struct event_row *e)
{
    if (seen->profile == NULL) /* which was said */
        return;
    if (view_is(e->kind, "payment.review_required"))
        seen->operator_from_us = e->time_us;
    else if (view_is(e->kind, "payment.requires_action") &&
             has(e->data_json, "\"code\":\"authentication_required\"")) {
        seen->payer_from_us = e->time_us;
        seen->wrongs = 0;
    } else if (view_is(e->kind, "payment.confirmed"))
        in_time(world, seen, e, true, false);
    else if (view_is(e->kind, "compliance.review_approved"))
        in_time(world, seen, e, false, false);
    else if (view_is(e->kind, "payment.authentication_wrong"))
        was_wrong(world, seen, e);
    else if (view_is(e->kind, "payment.failed"))
        failed(world, seen, e);
}
