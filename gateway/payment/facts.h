/* facts.h - what a request says, as facts for compliance/.
 *
 * One reader for three sources that have the same shape: a merchant's request, a payment as it is
 * recorded (and rendered), and the file that `railgate explain` is given.
 */
#ifndef PAYMENT_FACTS_H
#define PAYMENT_FACTS_H

#include "compliance/compliance.h"
#include "json/json_read.h"

/* Fills everything that the tree says; what it does not say stays missing, what has the wrong type
 * is left out (the API has refused it before). Values are views into the tree. facts: after
 * facts_start. Facts that are derived from others (cross_border, payer.age, merchant, screening)
 * are compliance's or the payment room's. For cards payer.account is not set here: it needs a key.
 * Called on the loop's thread, or by command-line tools. */
void facts_read(const struct json_node *root, struct compliance_facts *facts);
/* rail, kind and amount of the same tree, then facts_start and facts_read. MALFORMED with a
 * sentence when one of the three cannot be read. */
enum status facts_of_payment(const struct json_node *root, int64_t wall_us,
                             struct compliance_facts *facts, struct writer *why);

/* Whom a payment is bound to when it must be confirmed (authenticate.h): payer.id, else the
 * account; payee.id, else the account, else the name. Empty when none is known. Views into the
 * facts. */
struct view facts_bound_payer(const struct compliance_facts *facts);
struct view facts_bound_payee(const struct compliance_facts *facts);

#endif
