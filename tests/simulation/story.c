/* story.c - what one merchant wants of one payment: make it, look at it, capture, cancel, refund in
 * parts, sometimes too much, sometimes two at once, sometimes the same twice. How a payment of a
 * rail is made, and what its payer does meanwhile, is in story_qr.c, story_bank.c and story_cbdc.c.
 *
 * Test card numbers are from published ranges (the card host's table of test cards).
 *
 * A story holds one thing at a time, except where two requests go out together on purpose: two
 * captures that fit only one by one, or the same request on two connections. Between two rounds it
 * looks at the payment (GET) and decides from what it sees. It ends when nothing more can be done
 * or its rounds are over.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOKS_MAX  70   /* about three hours */
#define AMOUNT_MAX 8999 /* above begin the card host's magic amounts */

static const char *const cards[] = {
    "4111111111111111", "4242424242424242", "5555555555554444",
    "378282246310005",  "4012888888881881", "5105105105105100",
    "4000000000000002", "4000000000009995", "4000000000000119",
};
#define CARDS_GOOD 5

/* Amounts with a meaning: declines, a half approval, and trouble of the card host. */
static const int64_t magic[] = { 9051, 9005, 9010, 9101, 9102, 9103,
                                 9104, 9107, 9108, 9109, 9110, 9111,
                                 9112, 9113, 9121, 9122, 9123, CARD_AMOUNT_ANSWERED_WRONG };
#define MAGIC_PEACEFUL 3

static void story_next(struct timer *timer, void *arg);
static void ask_done(struct ask *ask);

/* --- asks --------------------------------------------------------------------------------------
 */

struct ask *story_ask(struct story *story, enum operation verb)
{
    struct ask *ask = calloc(1, sizeof *ask);
    ENSURE(ask != NULL && story->ask_count < STORY_ASKS_MAX);
    ask_init(ask, story, verb);
    ask->done = ask_done;
    story->asks[story->ask_count++] = ask;
    /* Keys of different merchants are equal on purpose: a key counts only for its merchant. */
    (void)snprintf(ask->key, sizeof ask->key, "k%u.%zu", story->number / MERCHANTS_COUNT,
                   story->ask_count);
    return ask;
}

static void launch(struct ask *ask)
{
    ask->story->running++;
    ask_start(ask);
}

/* Sometimes the same request goes out on two connections at once. */
void story_launch(struct ask *ask)
{
    if (ask->verb <= OPERATION_SALE)
        story_hold_parties(ask);
    launch(ask);
    if (!dice_percent(&ask->story->dice, 8) || ask->world->options->plant == PLANT_NEW_KEY)
        return;
    struct ask *twin = story_ask(ask->story, ask->verb);
    memcpy(twin->key, ask->key, sizeof twin->key);
    memcpy(twin->path, ask->path, sizeof twin->path);
    memcpy(twin->body, ask->body, sizeof twin->body);
    twin->twin = ask;
    launch(twin);
}

/* --- create ------------------------------------------------------------------------------------
 */

int64_t story_amount(struct story *story, const int64_t *with_meaning, size_t count,
                     size_t peaceful_count)
{
    bool peaceful = story->world->options->faults == FAULTS_NONE;
    if (dice_percent(&story->dice, 12))
        story->amount = with_meaning[dice_below(&story->dice, peaceful ? peaceful_count : count)];
    else
        story->amount = dice_between(&story->dice, 1, AMOUNT_MAX);
    return story->amount;
}

static void story_card_create(struct story *story)
{
    struct dice *dice = &story->dice;
    bool manual = story->manual = dice_percent(dice, 60);
    struct ask *ask = story_ask(story, manual ? OPERATION_AUTHORISE : OPERATION_SALE);
    size_t kinds = dice_percent(dice, 85) ? CARDS_GOOD : COUNT_OF(cards);
    memcpy(story->currency, dice_percent(dice, 70) ? "EUR" : "USD", sizeof story->currency);
    const char *card = cards[dice_below(dice, kinds)];
    int64_t amount = story_amount(story, magic, COUNT_OF(magic), MAGIC_PEACEFUL);
    (void)snprintf(story->other, sizeof story->other, "%s", card);
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments");
    (void)snprintf(ask->body, sizeof ask->body,
                   "{\"amount\":{\"value\":%lld,\"currency\":\"%s\"},\"capture\":\"%s\","
                   "\"reference\":\"story-%u\",\"method\":{\"type\":\"card\",\"card\":{"
                   "\"entry\":\"manual\",\"pan\":\"%s\",\"expiry\":\"3012\"}}}",
                   (long long)amount, story->currency, manual ? "manual" : "automatic",
                   story->number, card);
    story_launch(ask);
}

static void story_create(struct story *story)
{
    switch (story->rail) {
    case RAIL_CARD: story_card_create(story); break;
    case RAIL_QR: story_qr_create(story); break;
    case RAIL_BANK: story_bank_create(story); break;
    case RAIL_CBDC: story_cbdc_create(story); break;
    }
}

static void created(struct story *story, struct ask *ask)
{
    char id[ID_TEXT_MAX];
    int64_t number = 0;
    if ((ask->status != 201 && ask->status != 202) || !ask_text(ask, "id", id, sizeof id) ||
        id_parse(ID_PAYMENT, view_text(id), &number) != STATUS_OK) {
        wrong(story->world, 0, "create of story %u was answered %d %s", story->number, ask->status,
              ask->answer);
        return;
    }
    if (story->payment != 0) { /* the twin */
        if (story->payment != number)
            wrong(story->world, number, "story %u was given two payments", story->number);
        return;
    }
    story->payment = number;
    memcpy(story->payment_text, id, sizeof story->payment_text);
    if (!ask_text(ask, "status", story->told, sizeof story->told))
        wrong(story->world, number, "an answer without status: %s", ask->answer);
}

/* --- operations --------------------------------------------------------------------------------
 */

/* A part that has a meaning for a counterpart by accident (docs/rails, amounts with a meaning):
 * what follows from that belongs to the whole payment, and is chosen there. */
static bool has_meaning(const struct story *story, int64_t part)
{
    return part >= 9000 && part < 9300 && part != story->amount;
}

/* Empty: all that is left. */
static void put_amount(struct story *story, int64_t left, char *out, size_t room)
{
    struct dice *dice = &story->dice;
    unsigned throw = (unsigned)dice_below(dice, 100);
    int64_t value = throw < 10                ? left + dice_between(dice, 1, 100) /* too much */
                    : throw < 25 || left <= 1 ? left
                                              : dice_between(dice, 1, left);
    bool whole = throw >= 75 && value <= left && !has_meaning(story, left);
    if (has_meaning(story, value))
        value -= 300;
    out[0] = '\0';
    if (!whole)
        (void)snprintf(out, room, "\"amount\":{\"value\":%lld,\"currency\":\"%s\"},",
                       (long long)(value > 0 ? value : 1), story->currency);
}

static void story_operation(struct story *story, enum operation verb, int64_t left)
{
    static const char *const paths[] = { [OPERATION_CAPTURE] = "capture",
                                         [OPERATION_CANCEL] = "cancel",
                                         [OPERATION_REFUND] = "refunds" };
    struct ask *ask = story_ask(story, verb);
    char amount[80] = "";
    if (verb != OPERATION_CANCEL)
        put_amount(story, left, amount, sizeof amount);
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments/%s/%s", story->payment_text,
                   paths[verb]);
    (void)snprintf(ask->body, sizeof ask->body, "{%s\"reference\":\"%s\"}", amount, ask->key);
    story_launch(ask);
}

void story_cancel(struct story *story)
{
    story->canceled = true;
    story_operation(story, OPERATION_CANCEL, 0);
}

/* Whether a refusal is one that this request may meet. */
static bool refusal_fits(const struct ask *ask, const char *code)
{
    static const char *const capture[] = { "amount_exceeds_capturable", "nothing_left",
                                           "wrong_status", NULL };
    static const char *const cancel[] = { "operation_running", "nothing_left", "wrong_status",
                                          NULL };
    static const char *const refund[] = { "amount_exceeds_refundable", "nothing_left",
                                          "wrong_status", NULL };
    const char *const *codes = ask->verb == OPERATION_CAPTURE  ? capture
                               : ask->verb == OPERATION_CANCEL ? cancel
                                                               : refund;
    for (; *codes != NULL; codes++)
        if (strcmp(*codes, code) == 0)
            return true;
    return false;
}

static void operated(struct story *story, struct ask *ask)
{
    char code[64];
    if (ask->status >= 200 && ask->status < 300)
        return;
    if ((ask->status != 409 && ask->status != 422) || !ask_text(ask, "code", code, sizeof code) ||
        !refusal_fits(ask, code))
        wrong(story->world, story->payment, "%s %s was answered %d %s", ask->path, ask->key,
              ask->status, ask->answer);
}

/* --- the same key again ------------------------------------------------------------------------
 */

static void probe_done(struct ask *ask)
{
    struct story *story = ask->story;
    char code[64];
    if (ask->status != 422 || !ask_text(ask, "code", code, sizeof code) ||
        strcmp(code, "idempotency_key_reused") != 0)
        wrong(story->world, story->payment, "a used key with another body was answered %d %s",
              ask->status, ask->answer);
    if (--story->running == 0)
        timer_start(&story->timer, 0);
}

/* Another request under the same key. */
static void probe(struct ask *first)
{
    struct ask *ask = story_ask(first->story, first->verb);
    memcpy(ask->key, first->key, sizeof ask->key);
    memcpy(ask->path, first->path, sizeof ask->path);
    (void)snprintf(ask->body, sizeof ask->body, "%.*s,\"metadata\":{\"probe\":\"x\"}}",
                   (int)strlen(first->body) - 1, first->body);
    ask->twin = NULL;
    ask->done = probe_done;
    launch(ask);
}

static void ask_done(struct ask *ask)
{
    struct story *story = ask->story;
    if (!ask->replaying) {
        if (ask->verb <= OPERATION_SALE)
            created(story, ask);
        else
            operated(story, ask);
        if (!story->done && ask->twin == NULL && story->ask_count + 8 < STORY_ASKS_MAX) {
            if (dice_percent(&story->dice, 8))
                probe(ask);
            if (dice_percent(&story->dice, 15))
                launch(ask); /* a repeat after the answer */
        }
    }
    if (--story->running == 0 && !story->done)
        timer_start(&story->timer, dice_between(&story->dice, 0, 5 * LOOP_US_PER_S));
}

/* --- looking and deciding ----------------------------------------------------------------------
 */

static void story_end(struct story *story)
{
    story->done = true;
    story->world->stories_done++;
}

static void story_round(struct story *story, const char *status)
{
    struct dice *dice = &story->dice;
    int64_t capturable = 0, refundable = 0;
    (void)ask_number(&story->look, "capturable", &capturable);
    (void)ask_number(&story->look, "refundable", &refundable);
    bool authorized = strcmp(status, "authorized") == 0;
    bool more = story->ask_count + 12 < STORY_ASKS_MAX && story->rounds_left > 0;
    if (!more || (!authorized && refundable == 0 && !dice_percent(dice, 30))) {
        story_end(story);
        return;
    }
    story->rounds_left--;
    unsigned together = dice_percent(dice, 20) ? 2 : 1;
    for (unsigned i = 0; i < together; i++) {
        unsigned throw = (unsigned)dice_below(dice, 100);
        if (authorized && throw < 55)
            story_operation(story, OPERATION_CAPTURE, capturable);
        else if (authorized && (throw < 75 || refundable == 0))
            story_operation(story, OPERATION_CANCEL, 0);
        else
            story_operation(story, OPERATION_REFUND, refundable);
    }
}

/* Somebody else has to do something first. What is paid by a person, or hangs at a bank, may take
 * long: who looks often at first and seldom later sees the same. */
static void story_waits(struct story *story, const char *status)
{
    struct dice *dice = &story->dice;
    bool shown = strcmp(status, "requires_action") == 0;
    int64_t times = story->looks < 20 ? 1 : story->looks < 40 ? 10 : 60;
    story->looks++;
    timer_start(&story->timer, times * dice_between(dice, LOOP_US_PER_S, 9 * LOOP_US_PER_S));
    if (shown && story_hold_meets(story))
        return;
    if (shown && !story->acted) {
        story->acted = true;
        (void)ask_action(&story->look, "payload", story->payload, sizeof story->payload);
        (void)ask_action(&story->look, "reference", story->code_reference,
                         sizeof story->code_reference);
        if (story->rail == RAIL_QR)
            story_qr_act(story);
        else
            story_bank_act(story);
    } else if (!story->canceled && story->rail != RAIL_CARD && story->rail != RAIL_CBDC &&
               story->ask_count + 12 < STORY_ASKS_MAX && dice_percent(dice, shown ? 2 : 6)) {
        story_cancel(story);
    }
}

static void looked(struct ask *ask)
{
    struct story *story = ask->story;
    char status[24];
    if (ask->status != 200 || !ask_text(ask, "status", status, sizeof status)) {
        wrong(story->world, story->payment, "GET %s was answered %d %s", ask->path, ask->status,
              ask->answer);
        story_end(story);
        return;
    }
    if (strcmp(status, "processing") != 0 && strcmp(status, "requires_action") != 0)
        story_round(story, status);
    else if (story->looks > LOOKS_MAX) /* a person has it; the checks ask why */
        story_end(story);
    else
        story_waits(story, status);
}

static void story_next(struct timer *timer, void *arg)
{
    struct story *story = arg;
    (void)timer;
    ENSURE_MAGIC(story, STORY_MAGIC);
    if (story->done || story->running > 0)
        return;
    if (story->ask_count == 0) {
        story_create(story);
        return;
    }
    if (story->payment == 0) { /* noted as wrong already */
        story_end(story);
        return;
    }
    (void)snprintf(story->look.path, sizeof story->look.path, "/v1/payments/%s",
                   story->payment_text);
    ask_start(&story->look);
}

/* --- life --------------------------------------------------------------------------------------
 */

void story_open(struct story *story, struct world *world, uint32_t number, int64_t start_us)
{
    *story = (struct story){ .magic = STORY_MAGIC,
                             .world = world,
                             .merchant = &world->merchants[number % MERCHANTS_COUNT],
                             .number = number,
                             .dice = { world->options->seed * 1000003 + number } };
    story->rounds_left = (unsigned)dice_below(&story->dice, 6);
    do
        story->rail = (enum rail)dice_between(&story->dice, RAIL_CARD, RAIL_CBDC);
    while (!world_has(world, story->rail));
    timer_init(&story->timer, world->loop, story_next, story);
    ask_init(&story->look, story, OPERATION_INQUIRE);
    story->look.done = looked;
    timer_start(&story->timer, start_us);
}

void story_close(struct story *story)
{
    timer_stop(&story->timer);
    ask_fini(&story->look);
    for (size_t i = 0; i < story->ask_count; i++) {
        ask_fini(story->asks[i]);
        free(story->asks[i]);
    }
    story->magic = 0;
}

void story_replay(struct story *story)
{
    for (size_t i = 0; i < story->ask_count; i++)
        if (story->asks[i]->status != 0 && !story->asks[i]->running)
            launch(story->asks[i]);
}
