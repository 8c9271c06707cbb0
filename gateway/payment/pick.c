/* pick.c - on which channel? Asks route/, which is pure, and writes down what it said. */
#include "payment/candidates_int.h"
#include "payment/payment_int.h"

#include "base/ensure.h"
#include "route/route.h"

/* A channel's circuit that was open for its time may be probed, by one exchange: in_flight counts
 * from the moment that an exchange is prepared, so a second payment sees the first. */
size_t candidates_of(struct channels *channels, enum operation operation, const char code[4],
                     struct route_candidate out[ROUTE_CANDIDATES_MAX])
{
    size_t count = channels_count(channels);
    if (count > ROUTE_CANDIDATES_MAX)
        count = ROUTE_CANDIDATES_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct channel *channel = channels_at(channels, i);
        struct channel_ability ability;
        struct channel_health health;
        channel_ability(channel, operation, &ability);
        channel_health(channel, &health);
        out[i] = (struct route_candidate){
            .settings = channel_settings_of(channel),
            .able = ability.able && channel_takes_currency(channel, operation, code),
            .amount_minor_max = ability.amount_minor_max,
            .healthy = channel_ready(channel) || health.circuit_open ||
                       health.in_flight >= health.in_flight_max,
            .circuit_open = health.circuit_open,
            .probe = health.circuit_open && channel_ready(channel) && health.in_flight == 0,
            .in_flight = health.in_flight,
            .in_flight_max = health.in_flight_max,
        };
    }
    return count;
}

/* No channel is usable, but one only lacks a link at this moment: exchange_start waits for it a
 * little, so a short break costs a second and not a payment. */
static void take_those_without_link(struct work *work, const struct route *route)
{
    for (size_t i = 0; i < route->count && work->candidate_count < CHANNELS_TRIED_MAX; i++) {
        const struct route_row *row = &route->rows[i];
        if (row->why != ROUTE_NOT_HEALTHY)
            continue;
        work->candidates[work->candidate_count] = channels_at(work->room->o.channels, row->index);
        work->candidate_why[work->candidate_count++] =
            VIEW("no channel had a link that was ready; this one was waited for");
    }
}

static enum problem problem_of(const struct route *route, const struct work *work,
                               struct writer *detail)
{
    enum route_why why = route_nearest(route);
    if (why == ROUTE_NO_ROOM) {
        writer_text(detail,
                    "The channel has as many exchanges in flight as it may. Nothing was done.");
        return PROBLEM_OVERLOADED;
    }
    if (route_why_passes(why))
        return PROBLEM_NONE;
    const struct route_row *row = route_nearest_row(route);
    const char *rail = rail_word(work->request->rail);
    const char *name =
        row != NULL ? channel_name(channels_at(work->room->o.channels, row->index)) : "";
    if (why == ROUTE_OVER_AMOUNT || why == ROUTE_UNDER_AMOUNT) {
        writer_format(detail, "/amount/value is %lld. The amount was read exactly; channel %s %s.",
                      (long long)work->request->amount.minor, name, row->reason);
        return PROBLEM_AMOUNT_NOT_POSSIBLE;
    }
    if (why == ROUTE_NOT_ABLE && work->kind == OPERATION_AUTHORISE)
        writer_format(
            detail,
            "`capture: manual` is not possible here, use `capture: automatic`: no channel of rail "
            "%s can hold money in %s",
            rail, work->currency->code);
    else
        writer_format(detail, "No channel takes %s in %s", rail, work->currency->code);
    if (why == ROUTE_WRONG_RAIL)
        writer_text(detail, ": no channel of this rail is configured.");
    else
        writer_format(detail, ": channel %s %s.", name, row->reason);
    return PROBLEM_METHOD_NOT_AVAILABLE;
}

enum problem pick_channels(struct work *work, struct view *reason, struct writer *detail)
{
    struct route_candidate candidates[ROUTE_CANDIDATES_MAX];
    struct channels *channels = work->room->o.channels;
    size_t count = candidates_of(channels, work->kind, work->currency->code, candidates);
    struct route_question question = { .operation = work->kind,
                                       .rail = work->request->rail,
                                       .amount = work->request->amount,
                                       .details_are = ROUTE_DETAILS_ALL,
                                       .details = work->details,
                                       .region = work->ruling != NULL ? work->ruling->region
                                                                      : work->region };
    struct route route;
    route_pick(&question, candidates, count, &route);
    for (size_t i = 0; i < route.usable && i < CHANNELS_TRIED_MAX; i++) {
        uint8_t text[ROUTE_WHY_MAX];
        struct writer why = writer_over(text, sizeof text);
        route_explain(&route, &question, candidates, i, &why);
        work->candidates[i] = channels_at(channels, route.rows[i].index);
        work->candidate_why[i] = arena_copy(&work->keep, writer_done(&why));
        work->candidate_count++;
    }
    if (work->candidate_count == 0)
        take_those_without_link(work, &route);
    if (work->candidate_count > 0)
        return PROBLEM_NONE;
    *reason = VIEW("No channel is configured.");
    const struct route_row *nearest = route_nearest_row(&route);
    if (nearest != NULL)
        *reason =
            arena_format(&work->keep, "Nothing was sent: channel %s %s.",
                         channel_name(channels_at(channels, nearest->index)), nearest->reason);
    return problem_of(&route, work, detail);
}
