/* screen.h - names of a payment on sanctions lists: who is looked up, and what is told of a hit. */
#ifndef PAYMENT_SCREEN_H
#define PAYMENT_SCREEN_H

#include "payment/payment.h"

struct screened_party {
    struct screening_hit hits[SCREENING_HITS_MAX];
    size_t count;
};
struct screened {
    uint32_t looked_up; /* names */
    struct screened_party payer, payee;
};

/* Looks the names up that the profile wants looked up, and sets the facts that come of it
 * (facts->lists, PAYER_LISTED, PAYEE_LISTED). facts->wall_us must be set. The hits live as long as
 * the policy. On the loop's thread, or by command-line tools. */
void policy_look_up(const struct policy *policy, const struct profile *profile,
                    struct compliance_facts *facts, struct screened *out);
/* "hits":[{party, list, entry, name, score, reason}...] into the arena; empty without a hit. For
 * operators only: a merchant who knows might tell the person. */
struct view screened_members(struct arena *arena, const struct screened *screened);

#endif
