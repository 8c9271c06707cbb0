/* judge_int.h - what the judges share: pure functions on rows of a transaction, on the store's
 * thread. judge.c has the changes that a work wants, judge_notice.c what channels say by
 * themselves.
 */
#ifndef PAYMENT_JUDGE_INT_H
#define PAYMENT_JUDGE_INT_H

#include "payment/payment_int.h"
#include "payment/resolve.h"

/* The attempt's outcome is known (or contradicted): nothing more is sent for it. */
bool judge_is_settled(enum attempt_state state);
enum attempt_state judge_state_of(enum outcome outcome);
/* Appends to the journal. what: "attempt.sending". */
enum status judge_event_attempt(struct store_txn *txn, const struct change *c,
                                const struct attempt_row *row, const char *what);
/* "payment.<status>" with the payment's sums and outcome. */
enum status judge_event_status(struct store_txn *txn, const struct change *c);
/* "<kind>.<status>" of txn->operation. */
enum status judge_event_operation(struct store_txn *txn, const struct change *c);
/* The operation ends: sums, status, outcome of payment and operation. `row`: the attempt that ended
 * it; it becomes a conflict when the payment was ended otherwise before. */
enum status judge_end_operation(struct store_txn *txn, const struct change *c,
                                struct attempt_row *row, enum flow_end end);
/* The operation is accepted or unknown: what merchants see of it until it ends. A payment for which
 * nobody shall act any more (`requires_action` before) gets the event "payment.processing". */
enum status judge_show(struct store_txn *txn, const struct change *c);
enum status judge_render(struct store_txn *txn, enum operation kind);
/* "payment.created" and the like, with the parts that the change carries. */
enum status judge_event_payment(struct store_txn *txn, const struct change *c, const char *kind);
/* A row for the try, in SENDING. */
void judge_attempt_from(struct attempt_row *row, const struct work *work, const struct change *c,
                        const struct try *try, int64_t parent);
/* The problem becomes the answer for the key; REFUSED. */
enum status judge_problem(struct store_txn *txn, enum problem problem, struct view detail);
/* Gives back what the payment has spent of limits, when it ended without money. */
void judge_release(struct store_txn *txn);
/* A person's word (resolve.c). */
struct resolve_change {
    struct change change; /* time and outcome members */
    enum resolve_as as;
    int64_t amount_minor; /* 0: all of it */
    struct view by, why, evidence;
    bool superseded; /* the operation went on with a later attempt */
    /* Of the way there; the judge does not look at them. */
    struct attempt_row subject;
    int64_t remedy; /* what was parked with it; 0: nothing */
};
/* load_attempt, load_of_attempt; load_parent: the remedy. arg: struct resolve_change. REFUSED: the
 * answer is the problem. */
store_judge_fn judge_resolve;
void judge_sums_to(struct payment_row *row, const struct flow_sums *sums);

#endif
