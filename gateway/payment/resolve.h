/* resolve.h - a person says what became of an attempt that is parked or in conflict.
 *
 * The attempt, its operation and the payment end in one commit, as if the channel had said it; who
 * said it, why and with which evidence goes to the journal ("attempt.resolved"). A notice that
 * comes afterwards is compared with it as with any outcome.
 *
 * Refused, with a sentence, is whatever would make the books false: another state, an amount over
 * what was asked, an end of a payment that has ended otherwise already.
 */
#ifndef PAYMENT_RESOLVE_H
#define PAYMENT_RESOLVE_H

#include "payment/payment.h"

enum resolve_as {
    RESOLVE_APPROVED = 1, /* the channel has done it */
    RESOLVE_DECLINED,     /* the channel has not done it, and will not */
    RESOLVE_REVERSED,     /* it was done and undone, by whomever */
};
/* NOT_FOUND for another word. */
enum status resolve_as_parse(struct view text, enum resolve_as *out);

struct resolution {
    int64_t attempt;
    enum resolve_as as;
    int64_t amount_minor; /* APPROVED: what was approved, at most what was asked; 0: all of it */
    struct view by, why;  /* must be given; for the journal; copied */
    struct view
        evidence; /* the channel's own reference, a line of a statement, ...; may be empty */
};
/* Called once, possibly from inside. body: {"attempt":...,"state":...,"payment":{...}}, or a
 * problem when http_status is 400 or more; valid during the call. */
typedef void resolve_done_fn(void *arg, int http_status, struct view body);
/* On the loop's thread. */
void payments_resolve(struct payments *payments, const struct resolution *resolution,
                      resolve_done_fn *done, void *arg);

#endif
