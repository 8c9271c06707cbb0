/* due.c - whether the record at hand must tell of an attempt of ours, or another one may. Pure.
 *
 * Between an attempt's beginning and its end, each give or take the tolerance, lies the moment of
 * its booking: its window.
 *
 *     window                                        nothing in this record
 *     within the period                             missing: DUE_NOW
 *     across an end of it, for the first time       carried over: DUE_LATER
 *     across an end, and an earlier record had it   judged there: DUE_NOT
 *     not near the period                           another record's: DUE_NOT
 *
 * What was carried over is missing as soon as the records around its window were seen. "Had it"
 * needs no mark on each attempt: whoever compares a record judges everything whose window touches
 * its period, or carries it over. So what is neither carried nor new was judged.
 *
 * An attempt whose outcome is not known has a window without end.
 */
#include "reconcile/reconcile_int.h"

bool reconcile_is_stuck(const struct here *here)
{
    return here->state == ATTEMPT_PARKED || here->state == ATTEMPT_CONFLICT ||
           here->state == ATTEMPT_UNKNOWN;
}

static bool is_open(const struct here *here)
{
    return here->state == ATTEMPT_SENDING || here->state == ATTEMPT_PENDING ||
           here->state == ATTEMPT_REVERSING;
}

/* Without the tolerance. One that is stuck stays so until a person has spoken: its beginning
 * counts, or it would be in nobody's period. */
static int64_t ended_us(const struct here *here)
{
    if (is_open(here))
        return INT64_MAX;
    return reconcile_is_stuck(here) ? here->created_us : here->updated_us;
}

static bool touches(const struct span *span, const struct here *here)
{
    return here->created_us < span->until_us && ended_us(here) >= span->from_us;
}

/* What a comparison of the period looks at. */
static struct span sight(const struct period *p)
{
    int64_t until_us = record_add(p->until_us, p->tolerance_us);
    return (struct span){ record_add(p->from_us, -p->tolerance_us),
                          p->now_us != 0 && p->now_us < until_us ? p->now_us : until_us };
}

/* No gap between the records that were seen, this one among them, from one time to the other. */
static bool seen_without_gap(const struct period *p, int64_t from_us, int64_t until_us)
{
    struct span own = sight(p);
    for (int64_t at_us = from_us, next_us = at_us;; at_us = next_us) {
        if (own.from_us <= at_us && own.until_us > next_us)
            next_us = own.until_us;
        for (size_t i = 0; i < p->seen_count; i++)
            if (p->seen[i].from_us <= at_us && p->seen[i].until_us > next_us)
                next_us = p->seen[i].until_us;
        if (next_us >= until_us)
            return true;
        if (next_us == at_us)
            return false;
    }
}

/* All records that could tell of it were seen. One that was left out holds it up, but not for
 * ever. What was seen reaches over each end by the tolerance; the gap must be looked for beyond
 * that, but not before the first record or behind the last. */
static bool is_overdue(const struct here *here, const struct period *p, const struct span *window)
{
    struct span known =
        p->known.until_us != 0 ? p->known : (struct span){ p->from_us, p->until_us };
    if (window->from_us < known.from_us || window->until_us > known.until_us)
        return false;
    int64_t from_us = record_add(window->from_us, -p->tolerance_us),
            until_us = record_add(window->until_us, p->tolerance_us);
    return seen_without_gap(p, from_us > known.from_us ? from_us : known.from_us,
                            until_us < known.until_us ? until_us : known.until_us) ||
           record_add(ended_us(here), p->lookback_us) < p->from_us;
}

enum due reconcile_due(const struct here *here, const struct period *p)
{
    struct span window = { record_add(here->created_us, -p->tolerance_us),
                           record_add(ended_us(here), p->tolerance_us) };
    if (window.from_us >= p->from_us && window.until_us < p->until_us)
        return DUE_NOW;
    if (here->carried != 0)
        return is_overdue(here, p, &window) ? DUE_NOW : DUE_LATER;
    struct span own = sight(p);
    if (!touches(&own, here))
        return DUE_NOT;
    for (size_t i = 0; i < p->seen_count; i++)
        if (touches(&p->seen[i], here))
            return DUE_NOT;
    return DUE_LATER;
}
