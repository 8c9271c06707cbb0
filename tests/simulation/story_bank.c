/* story_bank.c - bank: a merchant sends money, or waits for somebody's transfer with a reference.
 *
 * What becomes of a transfer that is sent is in its amount (simulators/bank/bank_magic.def). The
 * payer of one that is awaited pays soon, late, the wrong amount, twice, or never.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>

/* Refused; pending, then booked or refused; then what needs trouble, and what ends with a person.
 */
static const int64_t sent_magic[] = { 9001, 9004, 9034, 9055, 9067, 9101, 9102, 9106,
                                      9107, 9110, 9113, 9114, 9103, 9112, 9105, 9104,
                                      9108, 9109, 9111, 9201, 9204, 9205, 9206, 9207 };
#define SENT_PEACEFUL 14
#define PAYER         "DE91990000010000000001" /* of what comes in */

static const char *const creditors[] = { "DE91990000010000000001", "DE64990000010000000002",
                                         "DE26990000010000000007", "DE89370400440532013000",
                                         "DE10990000010000000004" /* closed */ };

static unsigned excuses_of(int64_t amount)
{
    switch (amount) {
    case 9104: return EXCUSE_FOREVER;
    case 9105: return EXCUSE_CONTRADICTION;
    case 9108:
    case 9109: return EXCUSE_AMOUNT;
    case 9111: return EXCUSE_RETURNED;
    default: return 0;
    }
}

static void create_send(struct story *story, struct ask *ask)
{
    struct dice *dice = &story->dice;
    (void)story_amount(story, sent_magic, COUNT_OF(sent_magic), SENT_PEACEFUL);
    story->excuses |= excuses_of(story->amount);
    const char *speed = dice_percent(dice, 50) ? "instant" : "normal";
    const char *to = creditors[dice_percent(dice, 60) ? 0 : dice_below(dice, COUNT_OF(creditors))];
    (void)snprintf(story->other, sizeof story->other, "%s", to);
    (void)snprintf(
        ask->body, sizeof ask->body,
        "{\"amount\":{\"value\":%lld,\"currency\":\"EUR\"},\"reference\":\"story-%u\","
        "\"method\":{\"type\":\"bank\",\"bank\":{\"direction\":\"send\",\"speed\":\"%s\","
        "\"creditor\":{\"name\":\"Some Body\",\"iban\":\"%s\"}}}}",
        (long long)story->amount, story->number, speed, to);
}

static void create_receive(struct story *story, struct ask *ask)
{
    story->receives = true;
    (void)snprintf(story->other, sizeof story->other, "%s", PAYER);
    story->amount = dice_between(&story->dice, 100, 8999);
    (void)snprintf(ask->body, sizeof ask->body,
                   "{\"amount\":{\"value\":%lld,\"currency\":\"EUR\"},\"reference\":\"story-%u\","
                   "\"method\":{\"type\":\"bank\",\"bank\":{\"direction\":\"receive\"}}}",
                   (long long)story->amount, story->number);
}

void story_bank_create(struct story *story)
{
    struct ask *ask = story_ask(story, OPERATION_SALE);
    memcpy(story->currency, "EUR", sizeof story->currency);
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments");
    if (dice_percent(&story->dice, 35))
        create_receive(story, ask);
    else
        create_send(story, ask);
    story_launch(ask);
}

static void credit(struct story *story, int64_t amount)
{
    char body[400], answer[600];
    (void)snprintf(body, sizeof body,
                   "{\"amount\":%lld,\"currency\":\"EUR\",\"reference\":\"%s\",\"debtor\":"
                   "\"Customer One\",\"debtor_account\":\"" PAYER "\","
                   "\"account\":\"DE21990000010000000000\"}",
                   (long long)amount, story->code_reference);
    (void)http_side_command(story->world->sides[RAIL_BANK], "/credit", body, answer, sizeof answer);
}

void story_bank_act(struct story *story)
{
    struct dice *dice = &story->dice;
    unsigned throw = (unsigned)dice_below(dice, 100);
    if (!story->receives || story->code_reference[0] == '\0')
        return;
    if (throw < 65) {
        credit(story, story->amount);
    } else if (throw < 73) {
        story->excuses |= EXCUSE_AMOUNT;
        credit(story, story->amount + dice_between(dice, 1, 600));
    } else if (throw < 79) {
        story->excuses |= EXCUSE_TWICE;
        credit(story, story->amount);
        credit(story, story->amount);
    } else if (throw < 90) {
        if (dice_percent(dice, 50)) {
            story->excuses |= EXCUSE_LATE; /* the two cross */
            credit(story, story->amount);
        }
        story_cancel(story);
    } else {
        story->excuses |= EXCUSE_FOREVER; /* nobody pays, and a bank cannot be asked who will */
    }
}
