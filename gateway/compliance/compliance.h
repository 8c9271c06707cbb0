/* compliance.h - may this payment be made? A pure function from (profile, facts) to a decision.
 *
 * Fail closed: no profile, or one that is not in force at the payment's time, is deny with that
 * reason. The strictest rule wins (deny > review > challenge > allow); every rule that fired is
 * recorded, not only the first. What a profile does not mention is allowed.
 *
 * Evaluated in this version: allowed rails, allowed currencies, per-payment maximum by currency.
 * Cumulative windows, kyc tiers, authentication, corridors, screening and typed rules come later;
 * a profile that uses them does not load (settings/), so none is silently passed over.
 *
 * Called before anything is recorded, on the loop's thread. No I/O, no clock, no allocation.
 */
#ifndef COMPLIANCE_COMPLIANCE_H
#define COMPLIANCE_COMPLIANCE_H

#include "domain/money.h"
#include "domain/words.h"
#include "settings/settings.h"

#define DECISION_REASONS_MAX 8
#define DECISION_TEXT_MAX    160

struct compliance_facts {
    enum rail rail;
    enum payment_kind kind;
    struct money amount;
    int64_t wall_us; /* when the payment is decided */
};

struct decision_reason {
    const char *rule;             /* constant: "region.currency" */
    enum verdict verdict;         /* what this rule alone says */
    char text[DECISION_TEXT_MAX]; /* a sentence for people, UTF-8, with the figures compared */
};

struct decision {
    enum verdict verdict;
    const char *profile; /* region name; "" when there is none. This and the next two live as
                            long as the settings */
    const char *version;
    const char *content_hash;
    size_t reason_count; /* 0 with verdict ALLOW: nothing spoke against it */
    struct decision_reason reasons[DECISION_REASONS_MAX];
};

/* profile: settings_region(...); NULL when none matched. */
void compliance_decide(const struct region_settings *profile, const struct compliance_facts *facts,
                       struct decision *out);

#endif
