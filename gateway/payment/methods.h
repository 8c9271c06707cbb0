/* methods.h - what can be used here and now, best first, with the reason.
 *
 * A question without a payment: nothing is recorded and nothing is sent. Called on the loop's
 * thread.
 */
#ifndef PAYMENT_METHODS_H
#define PAYMENT_METHODS_H

#include "base/json_out.h"
#include "payment/payment.h"

struct methods_question {
    struct money amount; /* minor 0: no amount is asked for; the currency must be there */
    struct view region;  /* empty: the default */
    struct view details; /* refs.h set of what is known of the method, e.g. payer_country */
};

/* Writes the member "data": an array with an entry for each channel of each rail. */
void payments_methods(struct payments *payments, const struct methods_question *question,
                      struct json_out *j);

#endif
