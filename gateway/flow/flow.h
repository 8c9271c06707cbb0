/* flow.h - the life cycle of a payment as a pure table: (state, event) -> (state, sums, reasons).
 *
 * Money of one payment, in minor units:
 *     amount      what the merchant asked for
 *     authorized  what the channel approved (may be less: partial approval)
 *     capturing   asked of the channel, not answered yet        captured   taken
 *     releasing   being given back unused                       released   given back unused
 *     refunding   asked of the channel, not answered yet        refunded   given back after capture
 * Always: captured + capturing + released + releasing <= authorized,
 *         refunded + refunding <= captured.
 *
 * A first operation may be accepted and not yet final (a code is shown, a transfer is on its way).
 * Until it is, a cancel is about that operation as a whole: it takes no sums, its amount is 0.
 *
 * An operation is *begun* (its amount moves to the -ing column, inside the commit that records it)
 * and *ended* (approved: to the -ed column; else back). A sale begins with capturing = amount. The
 * functions run on the store's thread inside the commit that spends the sums: they are pure.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "domain/money.h"
#include "domain/words.h"

struct flow_sums {
    int64_t amount, authorized, capturing, captured, releasing, released, refunding, refunded;
};

enum flow_refusal {
    FLOW_ALLOWED = 1,
    FLOW_WRONG_STATUS,      /* this operation is not possible in this status */
    FLOW_OVER_CAPTURABLE,   /* more than what is authorized and not yet captured or released */
    FLOW_OVER_REFUNDABLE,   /* more than what is captured and not yet refunded */
    FLOW_NOTHING_LEFT,      /* nothing to cancel or capture or refund */
    FLOW_OPERATION_RUNNING, /* cancel while a capture or another cancel is not answered yet */
};
/* Stable word for the API ("amount_exceeds_capturable"), and a sentence for people. */
const char *flow_refusal_code(enum flow_refusal refusal);
const char *flow_refusal_text(enum flow_refusal refusal);

/* May `operation` begin, for `amount_minor` (0: all that is left; set on return)? When
 * FLOW_ALLOWED, sums and status are changed accordingly. */
enum flow_refusal flow_begin(enum payment_status *status, struct flow_sums *sums,
                             enum operation operation, int64_t *amount_minor);

/* What became of an operation that was begun. */
enum flow_end {
    FLOW_END_APPROVED = 1, /* approved_minor of it (<= begun amount) */
    FLOW_END_FAILED,       /* declined, rejected, not sent: nothing moved */
    FLOW_END_REVERSED,     /* was unknown, has been undone */
};
/* Changes sums and status. begun_minor: what flow_begin took. MISMATCH when the sums do not hold (a
 * bug or a broken row): nothing is changed. */
enum status flow_end(enum payment_status *status, struct flow_sums *sums, enum operation operation,
                     enum capture_mode mode, int64_t begun_minor, int64_t approved_minor,
                     enum flow_end end);

/* The first operation goes on only when a person acts. MISMATCH unless it is running. */
enum status flow_act(enum payment_status *status, const struct flow_sums *sums);
/* The first operation is not answered finally yet. */
bool flow_first_runs(enum payment_status status, const struct flow_sums *sums);

/* Still to be captured / refunded. */
int64_t flow_capturable(const struct flow_sums *sums);
int64_t flow_refundable(const struct flow_sums *sums);
/* No event can change it without a new request of the merchant. */
bool flow_is_final(enum payment_status status);
/* The invariants above; for checks after every change and in simulation. */
bool flow_sums_hold(const struct flow_sums *sums);

#endif
