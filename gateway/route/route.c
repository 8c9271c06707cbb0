/* route.c - sorting candidates: first why each may not be used, then the order of those that may.
 *
 * `why_not` is the table of conditions, in the order of enum route_why: what never passes first
 * (the merchant must change something), then what passes with time. The first that applies is the
 * reason.
 */
#include "route/route.h"

#include "base/ensure.h"
#include "domain/refs.h"
#include "settings/condition.h"

#include <stdio.h>

static const char *const why_words[] = {
    [ROUTE_USABLE] = "usable",
    [ROUTE_NOT_ASKED] = "not_asked",
    [ROUTE_TRIED] = "tried",
    [ROUTE_WRONG_RAIL] = "wrong_rail",
    [ROUTE_WRONG_REGION] = "wrong_region",
    [ROUTE_WRONG_CURRENCY] = "wrong_currency",
    [ROUTE_WRONG_DETAILS] = "wrong_details",
    [ROUTE_NOT_ABLE] = "not_able",
    [ROUTE_UNDER_AMOUNT] = "under_amount",
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

/* The value of a field of the method; false when the payment does not have it. The card number is
 * looked for in track 2 as well (ISO/IEC 7813: it ends at '=' or 'D'). */
static bool detail_find(struct view details, struct view field, struct view *value)
{
    char name[REFS_NAME_MAX + 1];
    if (view_to_text(field, name, sizeof name) != STATUS_OK)
        return false;
    *value = refs_find(details, name);
    if (value->len == 0 && view_is(field, "pan")) {
        struct view track2 = refs_find(details, "track2");
        size_t end = 0;
        while (end < track2.len && track2.ptr[end] >= '0' && track2.ptr[end] <= '9')
            end++;
        *value = view_slice(track2, 0, end);
    }
    return value->len > 0;
}

/* The field of the first condition of `takes` that does not hold, or an empty view. */
static struct view wrong_detail(const struct route_question *q, const struct channel_settings *s)
{
    for (size_t i = 0; i < s->takes.count; i++) {
        struct condition condition;
        struct view value = VIEW_EMPTY;
        if (!condition_split(view_text(s->takes.items[i]), &condition))
            continue; /* settings/ lets none of these through */
        bool present = detail_find(q->details, condition.field, &value);
        if (!present && q->details_are == ROUTE_DETAILS_SOME)
            continue;
        if (!condition_matches(&condition, value, present))
            return condition.field;
    }
    return VIEW_EMPTY;
}

/* Setting and protocol together; 0: not limited. The setting is for new payments only. */
static int64_t amount_max(const struct route_question *q, const struct route_candidate *c)
{
    int64_t own = q->only.len == 0 ? c->settings->amount_max_minor : 0;
    if (own == 0 || (c->amount_minor_max > 0 && c->amount_minor_max < own))
        return c->amount_minor_max;
    return own;
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
    if (q->only.len == 0 && wrong_detail(q, c->settings).len > 0)
        return ROUTE_WRONG_DETAILS;
    if (!c->able)
        return ROUTE_NOT_ABLE;
    if (q->only.len == 0 && q->amount.minor > 0 && q->amount.minor < c->settings->amount_min_minor)
        return ROUTE_UNDER_AMOUNT;
    if (amount_max(q, c) > 0 && q->amount.minor > amount_max(q, c))
        return ROUTE_OVER_AMOUNT;
    if (names_have(q->except, name))
        return ROUTE_TRIED;
    if (c->circuit_open && !c->probe)
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
        (void)snprintf(out, room, "costs %lld minor units, %u of %u in flight%s",
                       (long long)row->cost_minor, c->in_flight, c->in_flight_max,
                       c->circuit_open ? ", is tried again after a pause" : "");
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
    case ROUTE_WRONG_DETAILS: {
        struct view field = wrong_detail(q, c->settings);
        (void)snprintf(out, room, "does not take payments with this `%.*s`", (int)field.len,
                       (const char *)field.ptr);
        break;
    }
    case ROUTE_NOT_ABLE:
        (void)snprintf(out, room, "cannot %s in %s", operation_word(q->operation),
                       q->amount.currency->code);
        break;
    case ROUTE_UNDER_AMOUNT:
        (void)snprintf(out, room, "carries at least %lld minor units",
                       (long long)c->settings->amount_min_minor);
        break;
    case ROUTE_OVER_AMOUNT:
        (void)snprintf(out, room, "carries at most %lld minor units", (long long)amount_max(q, c));
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
    ENSURE(question->only.len > 0 || question->details_are == ROUTE_DETAILS_ALL ||
           question->details_are == ROUTE_DETAILS_SOME);
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

const struct route_row *route_nearest_row(const struct route *route)
{
    enum route_why nearest = route_nearest(route);
    for (size_t i = 0; i < route->count; i++) {
        if (route->rows[i].why == nearest)
            return &route->rows[i];
    }
    return NULL;
}

/* --- the explanation ------------------------------------------------------------------------- */

/* A row that was passed over although it is of the rail and not dearer than the chosen one. */
static bool passed_over(const struct route *route, size_t at, size_t other,
                        const struct route_candidate *candidates)
{
    const struct route_row *row = &route->rows[other];
    if (row->why == ROUTE_USABLE || row->why == ROUTE_WRONG_RAIL || row->why == ROUTE_NOT_ASKED)
        return false;
    if (row->cost_minor != route->rows[at].cost_minor)
        return row->cost_minor < route->rows[at].cost_minor;
    return strcmp(candidates[row->index].settings->name,
                  candidates[route->rows[at].index].settings->name) < 0;
}

/* In a few words; the whole sentence where the words would say too little. */
static const char *short_reason(const struct route_row *row)
{
    switch (row->why) {
    case ROUTE_CIRCUIT_OPEN: return "circuit open";
    case ROUTE_NOT_HEALTHY: return "no link is ready";
    case ROUTE_NO_ROOM: return "no room in flight";
    default: return row->reason;
    }
}

static void write_place(const struct route *route, const struct route_candidate *candidates,
                        size_t at, struct writer *w)
{
    const struct route_row *row = &route->rows[at];
    if (at > 0) {
        writer_format(w, "next after %s, which did not send: ",
                      candidates[route->rows[at - 1].index].settings->name);
    } else if (route->usable == 1) {
        writer_text(w, "the only one that can: ");
    } else if (route->rows[1].cost_minor > row->cost_minor) {
        writer_format(w, "the cheapest of %zu that can: ", route->usable);
    } else {
        const struct route_candidate *next = &candidates[route->rows[1].index];
        bool busier = next->in_flight > candidates[row->index].in_flight;
        writer_format(w, "as cheap as %s and %s: ", next->settings->name,
                      busier ? "less busy" : "first by name");
    }
    writer_text(w, row->reason);
}

#define PASSED_OVER_SHOWN 2

void route_explain(const struct route *route, const struct route_question *question,
                   const struct route_candidate *candidates, size_t at, struct writer *out)
{
    ENSURE(at < route->usable);
    char text[ROUTE_WHY_MAX + 1];
    struct writer w = writer_over(text, sizeof text);
    size_t shown = 0, more = 0;
    if (question->only.len > 0) { /* there was nothing to choose */
        writer_text(out, "the payment is on this channel");
        return;
    }
    write_place(route, candidates, at, &w);
    for (size_t i = route->usable; i < route->count; i++) {
        const struct route_row *row = &route->rows[i];
        if (!passed_over(route, at, i, candidates))
            continue;
        if (shown == PASSED_OVER_SHOWN) {
            more++;
            continue;
        }
        shown++;
        writer_format(&w, "; %s is passed over: %s", candidates[row->index].settings->name,
                      short_reason(row));
    }
    if (more > 0)
        writer_format(&w, "; and %zu more", more);
    /* The figures are bounded: 2 names of 32, 3 reasons of 96, and the words between. */
    ENSURE(!w.overflow);
    writer_view(out, writer_done(&w));
}
