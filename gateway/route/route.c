/* route.c - sorting candidates: first why each may not be used, then the order of those that may.
 *
 * `why_not` is the table of conditions, in the order of enum route_why: what never passes first
 * (the merchant must change something), then what passes with time. The first that applies is the
 * reason.
 */
#include "route/route.h"

#include "base/ensure.h"

#include <stdio.h>

static const char *const why_words[] = {
    [ROUTE_USABLE] = "usable",
    [ROUTE_NOT_ASKED] = "not_asked",
    [ROUTE_TRIED] = "tried",
    [ROUTE_WRONG_RAIL] = "wrong_rail",
    [ROUTE_WRONG_REGION] = "wrong_region",
    [ROUTE_WRONG_CURRENCY] = "wrong_currency",
    [ROUTE_NOT_ABLE] = "not_able",
    [ROUTE_OVER_AMOUNT] = "over_amount",
    [ROUTE_CIRCUIT_OPEN] = "circuit_open",
    [ROUTE_NOT_HEALTHY] = "not_healthy",
    [ROUTE_NO_ROOM] = "no_room",
};

const char *route_why_word(enum route_why why)
{
    ENSURE(why >= ROUTE_USABLE && why <= ROUTE_NO_ROOM);
    return why_words[why];
}

bool route_why_passes(enum route_why why)
{
    return why == ROUTE_TRIED || why == ROUTE_CIRCUIT_OPEN || why == ROUTE_NOT_HEALTHY ||
           why == ROUTE_NO_ROOM;
}

/* --- conditions ---------------------------------------------------------------------------- */

/* An empty list allows everything. */
static bool list_allows(const struct settings_list *list, struct view text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (view_is(text, list->items[i]))
            return true;
    }
    return list->count == 0;
}

/* Is `name` one of "a|b|c"? */
static bool names_have(struct view names, struct view name)
{
    while (names.len > 0) {
        size_t len = view_find(names, '|');
        if (view_equal(view_slice(names, 0, len), name))
            return true;
        names = view_slice(names, len + 1, SIZE_MAX);
    }
    return false;
}

static enum route_why why_not(const struct route_question *q, const struct route_candidate *c)
{
    struct view name = view_text(c->settings->name);
    if (q->only.len > 0 && !view_equal(q->only, name))
        return ROUTE_NOT_ASKED;
    if (c->settings->rail != (int)q->rail)
        return ROUTE_WRONG_RAIL;
    /* Where the payment is already, region and currency were right when it began: a setting changed
     * since must not strand its capture or refund. */
    if (q->only.len == 0 && q->region.len > 0 && !list_allows(&c->settings->regions, q->region))
        return ROUTE_WRONG_REGION;
    if (q->only.len == 0 &&
        !list_allows(&c->settings->currencies, view_text(q->amount.currency->code)))
        return ROUTE_WRONG_CURRENCY;
    if (!c->able)
        return ROUTE_NOT_ABLE;
    if (c->amount_minor_max > 0 && q->amount.minor > c->amount_minor_max)
        return ROUTE_OVER_AMOUNT;
    if (names_have(q->except, name))
        return ROUTE_TRIED;
    if (c->circuit_open)
        return ROUTE_CIRCUIT_OPEN;
    if (!c->healthy)
        return ROUTE_NOT_HEALTHY;
    if (c->in_flight >= c->in_flight_max)
        return ROUTE_NO_ROOM;
    return ROUTE_USABLE;
}

/* Basis points of the amount rounded up, plus the fixed part; the largest number where that does
 * not fit. */
static int64_t cost_of(const struct channel_settings *settings, int64_t amount_minor)
{
    __int128 share = (__int128)amount_minor * settings->cost_basis_points;
    __int128 cost = (share + 9999) / 10000 + settings->cost_fixed_minor;
    return cost > INT64_MAX ? INT64_MAX : (int64_t)cost;
}

static void reason_write(struct route_row *row, const struct route_question *q,
                         const struct route_candidate *c)
{
    char *out = row->reason;
    size_t room = sizeof row->reason;
    switch (row->why) {
    case ROUTE_USABLE:
        (void)snprintf(out, room, "costs %lld minor units, %u of %u in flight",
                       (long long)row->cost_minor, c->in_flight, c->in_flight_max);
        break;
    case ROUTE_NOT_ASKED: (void)snprintf(out, room, "the payment is on another channel"); break;
    case ROUTE_TRIED: (void)snprintf(out, room, "was tried and did not send"); break;
    case ROUTE_WRONG_RAIL: (void)snprintf(out, room, "serves another rail"); break;
    case ROUTE_WRONG_REGION:
        (void)snprintf(out, room, "does not serve region %.*s",
                       (int)(q->region.len < 32 ? q->region.len : 32), (const char *)q->region.ptr);
        break;
    case ROUTE_WRONG_CURRENCY:
        (void)snprintf(out, room, "does not take %s", q->amount.currency->code);
        break;
    case ROUTE_NOT_ABLE:
        (void)snprintf(out, room, "its adapter cannot %s in %s", operation_word(q->operation),
                       q->amount.currency->code);
        break;
    case ROUTE_OVER_AMOUNT:
        (void)snprintf(out, room, "carries at most %lld minor units",
                       (long long)c->amount_minor_max);
        break;
    case ROUTE_CIRCUIT_OPEN:
        (void)snprintf(out, room, "is passed over after too many failures");
        break;
    case ROUTE_NOT_HEALTHY: (void)snprintf(out, room, "has no link that is ready"); break;
    case ROUTE_NO_ROOM:
        (void)snprintf(out, room, "has %u exchanges in flight, its most", c->in_flight);
        break;
    }
}

/* --- order --------------------------------------------------------------------------------- */

static bool before(const struct route_row *a, const struct route_row *b,
                   const struct route_candidate *candidates)
{
    if ((a->why == ROUTE_USABLE) != (b->why == ROUTE_USABLE))
        return a->why == ROUTE_USABLE;
    if (a->why == ROUTE_USABLE) {
        const struct route_candidate *x = &candidates[a->index], *y = &candidates[b->index];
        if (a->cost_minor != b->cost_minor)
            return a->cost_minor < b->cost_minor;
        if (x->in_flight != y->in_flight)
            return x->in_flight < y->in_flight;
    }
    int names = strcmp(candidates[a->index].settings->name, candidates[b->index].settings->name);
    return names != 0 ? names < 0 : a->index < b->index;
}

void route_pick(const struct route_question *question, const struct route_candidate *candidates,
                size_t count, struct route *out)
{
    ENSURE(count <= ROUTE_CANDIDATES_MAX);
    ENSURE(question->amount.currency != NULL);
    out->count = 0;
    out->usable = 0;
    for (size_t i = 0; i < count; i++) {
        const struct route_candidate *c = &candidates[i];
        struct route_row row = { .index = i, .why = why_not(question, c) };
        row.cost_minor = cost_of(c->settings, question->amount.minor);
        reason_write(&row, question, c);
        out->usable += row.why == ROUTE_USABLE ? 1 : 0;
        /* Insertion: there are a handful of channels, at most 64. */
        size_t at = out->count++;
        for (; at > 0 && before(&row, &out->rows[at - 1], candidates); at--)
            out->rows[at] = out->rows[at - 1];
        out->rows[at] = row;
    }
}

enum route_why route_nearest(const struct route *route)
{
    enum route_why nearest = route->count > 0 ? ROUTE_NOT_ASKED : ROUTE_WRONG_RAIL;
    if (route->usable > 0)
        return ROUTE_USABLE;
    for (size_t i = 0; i < route->count; i++) {
        if (route->rows[i].why > nearest)
            nearest = route->rows[i].why;
    }
    return nearest;
}
