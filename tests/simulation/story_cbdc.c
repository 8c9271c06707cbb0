/* story_cbdc.c - CBDC: a payer's wallet pays at once, or money is locked and released in parts.
 *
 * Most payers can pay; some are over a limit, blocked or empty. Locks end in time or long after.
 * Amounts with a meaning are the ledger's (docs/rails/cbdc-simulator.md).
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>

static const int64_t magic[] = { 9001, 9002, 9003, 9004, 9005, 9007, 9021,
                                 9020, 9022, 9023, 9024, 9025, 9026, 9027 };
#define PEACEFUL 7

static const char *const payers[] = { "w_basic",   "w_standard", "w_empty",
                                      "w_blocked", "w_brim",     "w_nobody" };

bool cbdc_answers_another(int64_t amount)
{
    return amount == 9022 || amount == 9023;
}

void story_cbdc_create(struct story *story)
{
    struct dice *dice = &story->dice;
    bool manual = story->manual = dice_percent(dice, 50);
    struct ask *ask = story_ask(story, manual ? OPERATION_AUTHORISE : OPERATION_SALE);
    char expires[48] = "";
    memcpy(story->currency, "EUR", sizeof story->currency);
    (void)story_amount(story, magic, COUNT_OF(magic), PEACEFUL);
    if (cbdc_answers_another(story->amount))
        story->excuses |= EXCUSE_AMOUNT;
    if (dice_percent(dice, 5))
        story->amount += 10000; /* over what w_basic may pay at once */
    const char *payer =
        dice_percent(dice, 80) ? "w_full" : payers[dice_below(dice, COUNT_OF(payers))];
    (void)snprintf(story->other, sizeof story->other, "%s", payer);
    if (manual && dice_percent(dice, 40)) {
        story->lock_expires = true;
        (void)snprintf(expires, sizeof expires, ",\"expires_in\":%lld",
                       (long long)dice_between(dice, 10, 600));
    }
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments");
    (void)snprintf(ask->body, sizeof ask->body,
                   "{\"amount\":{\"value\":%lld,\"currency\":\"EUR\"},\"capture\":\"%s\","
                   "\"reference\":\"story-%u\",\"method\":{\"type\":\"cbdc\",\"cbdc\":{"
                   "\"payer\":{\"wallet\":\"%s\"}%s}}}",
                   (long long)story->amount, manual ? "manual" : "automatic", story->number, payer,
                   expires);
    story_launch(ask);
}
