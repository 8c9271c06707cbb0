/* route.h - which channel carries an operation: a pure function from candidates to an order.
 *
 * A candidate is usable when it is able to carry out the operation and serves the rail, the region,
 * the currency, the details of the method and the amount, is healthy, its circuit is closed (or may
 * be probed: one exchange after the pause) and it has room in flight. Usable ones come first, best
 * first: cheaper for this amount, then fewer in flight, then by name; the others follow with the
 * reason why not, so that the whole choice can be shown. The same input gives the same order.
 *
 * A later operation (capture, cancel, refund) must go where the payment is: set `only`.
 *
 * Called on the loop's thread. No I/O, no clock, no allocation.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "domain/money.h"
#include "domain/words.h"
#include "settings/settings.h"

#define ROUTE_CANDIDATES_MAX 64
#define ROUTE_REASON_MAX     96
#define ROUTE_WHY_MAX        512 /* of route_explain */

/* What is known of the method when the question is asked. */
enum route_details {
    ROUTE_DETAILS_ALL = 1, /* a payment: a field that is not there is absent */
    ROUTE_DETAILS_SOME,    /* no payment yet: a field that is not there may become anything */
};

struct route_question {
    enum operation operation;
    enum rail rail;
    struct money amount;
    struct view region; /* name of the region profile; empty: not looked at */
    struct view only;   /* name of the one channel that may be used; empty: any */
    struct view except; /* names separated by '|' that were tried and did not send; empty: none */
    enum route_details details_are; /* not looked at with `only` */
    struct view details;            /* refs.h set of the method's fields; what `takes` is about */
};

/* What the caller knows of one channel now. */
struct route_candidate {
    const struct channel_settings *settings; /* name, rail, regions, currencies, cost */
    bool able;                /* the adapter can carry out the operation in this currency */
    int64_t amount_minor_max; /* the protocol's largest amount; 0: not limited */
    bool healthy;             /* a link is ready (or it needs none) */
    bool circuit_open;
    bool probe; /* circuit_open, but its pause is over and no exchange is trying it: one may */
    uint32_t in_flight, in_flight_max;
};

enum route_why {
    ROUTE_USABLE = 1,
    ROUTE_NOT_ASKED, /* another channel is prescribed */
    ROUTE_WRONG_RAIL,
    ROUTE_WRONG_REGION,
    ROUTE_WRONG_CURRENCY,
    ROUTE_WRONG_DETAILS, /* a condition of `takes` does not hold */
    ROUTE_NOT_ABLE,
    ROUTE_UNDER_AMOUNT, /* less than the channel's setting allows */
    ROUTE_OVER_AMOUNT,  /* more than the setting allows or the protocol can carry: the merchant must
                           change it */
    ROUTE_TRIED, /* named in `except`. This and the next three pass with time: answer 503, not
                    422 */
    ROUTE_CIRCUIT_OPEN,
    ROUTE_NOT_HEALTHY,
    ROUTE_NO_ROOM,
};

struct route_row {
    size_t index; /* of the candidate */
    enum route_why why;
    int64_t cost_minor;            /* for this amount, rounded up */
    char reason[ROUTE_REASON_MAX]; /* a sentence for people */
};

struct route {
    struct route_row rows[ROUTE_CANDIDATES_MAX]; /* usable ones first, best first */
    size_t count;
    size_t usable;
};

/* count over ROUTE_CANDIDATES_MAX is our mistake (ENSURE). */
void route_pick(const struct route_question *question, const struct route_candidate *candidates,
                size_t count, struct route *out);
/* Why the usable row `at` (0: the best) carries the payment and which better-priced channels of the
 * rail were passed over, in one sentence for people: "the cheapest of 2 that can: costs 25 minor
 * units, 0 of 512 in flight; card_a is passed over: circuit open". Never shows a value of a detail.
 * Writes at most ROUTE_WHY_MAX bytes. */
void route_explain(const struct route *route, const struct route_question *question,
                   const struct route_candidate *candidates, size_t at, struct writer *out);
/* Stable word: "wrong_currency". */
const char *route_why_word(enum route_why why);
/* USABLE when one is; else the reason that comes nearest to it (the last in the order of enum
 * route_why among the rows: one that passes wins), or ROUTE_WRONG_RAIL when there is no candidate
 * at all. */
enum route_why route_nearest(const struct route *route);
/* The first row with the reason that route_nearest tells; NULL when there is no row. */
const struct route_row *route_nearest_row(const struct route *route);
/* True when waiting may help: TRIED, CIRCUIT_OPEN, NOT_HEALTHY, NO_ROOM. */
bool route_why_passes(enum route_why why);

#endif
