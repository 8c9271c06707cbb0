/* story_hold.c - whom a payment names, so that the figures of the profile are about somebody, and
 * what payers do when they must say yes first.
 *
 * A few payers, accounts, devices and payees are named again and again. Payers' names are those of
 * each merchant; accounts and cards are the same at all of them.
 *
 * A payer who is asked says a right code, a wrong one, an old one, one for another amount, an
 * assertion that is right or is not, two right ones at once; cancels; or says nothing. What is not
 * right must never be taken.
 */
#include "sim.h"

#include "base/ensure.h"

#include <stdio.h>

#define STEP_US (30 * LOOP_US_PER_S) /* of a code */

enum said {
    SAID_RIGHT = 1, /* may come late all the same */
    SAID_OLD,  /* was right some minutes ago; with a clock that is set back it may be so again */
    SAID_NEVER /* must not be taken */
};

/* --- whom it names -----------------------------------------------------------------------------
 */

static bool body_text(const struct ask *ask, const char *before, char *out, size_t room)
{
    const char *at = strstr(ask->body, before);
    out[0] = '\0';
    if (at == NULL)
        return false;
    at += strlen(before);
    size_t len = strcspn(at, "\"");
    ENSURE(len < room);
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

static void choose(struct story *story, const struct ask *create)
{
    struct story_hold *h = &story->hold;
    struct dice *dice = &story->dice;
    unsigned risk = (unsigned)dice_below(dice, 100);
    bool sent = story->rail == RAIL_BANK && !story->receives;
    h->risk = risk < 36 ? "high" : risk < 48 ? "medium" : risk < 60 ? "low" : "";
    h->watched = dice_percent(dice, 7);
    h->gambling = dice_percent(dice, 2);
    h->nobody = dice_percent(dice, 12);
    if (dice_percent(dice, 80))
        (void)snprintf(h->payer, sizeof h->payer, "p%u", (unsigned)dice_below(dice, 5));
    if (dice_percent(dice, 45))
        (void)snprintf(h->device, sizeof h->device, "d%u", (unsigned)dice_below(dice, 4));
    if (sent || dice_percent(dice, 35))
        (void)snprintf(h->payee, sizeof h->payee, "t%u", (unsigned)dice_below(dice, 4));
    if (story->rail == RAIL_CARD)
        (void)body_text(create, "\"pan\":\"", h->account, sizeof h->account);
    else if (story->rail == RAIL_CBDC)
        (void)body_text(create, "\"wallet\":\"", h->account, sizeof h->account);
    else if (dice_percent(dice, 40))
        (void)snprintf(h->account, sizeof h->account, "acc-%u", (unsigned)dice_below(dice, 6));
}

void story_hold_parties(struct ask *create)
{
    struct story *story = create->story;
    const struct story_hold *h = &story->hold;
    if (!rules_side_on(story->world->rules))
        return;
    choose(story, create);
    size_t len = strlen(create->body);
    ENSURE(len > 0 && create->body[len - 1] == '}');
    struct writer w = writer_over(create->body + len - 1, sizeof create->body - len);
    const char *comma = "";
    writer_text(&w, ",\"payer\":{");
    if (h->payer[0] != '\0') {
        writer_format(&w, "\"id\":\"%s\"", h->payer);
        comma = ",";
    }
    if (story->rail != RAIL_CARD && story->rail != RAIL_CBDC && h->account[0] != '\0') {
        writer_format(&w, "%s\"account\":\"%s\"", comma, h->account);
        comma = ",";
    }
    writer_format(&w, "%s\"country\":\"%s\"}", comma, h->watched ? "KP" : "BR");
    if (h->payee[0] != '\0' || h->gambling)
        writer_format(&w, ",\"payee\":{\"mcc\":\"%s\"%s%s%s}", h->gambling ? "7995" : "5999",
                      h->payee[0] != '\0' ? ",\"id\":\"" : "", h->payee,
                      h->payee[0] != '\0' ? "\"" : "");
    if (h->device[0] != '\0')
        writer_format(&w, ",\"device\":{\"id\":\"%s\"}", h->device);
    if (h->risk[0] != '\0')
        writer_format(&w, ",\"risk\":\"%s\"", h->risk);
    writer_text(&w, "}");
    ENSURE(!w.overflow);
    create->body[len - 1 + w.len] = '\0';
}

/* --- what the payer says -----------------------------------------------------------------------
 */

/* False: this payer is known by a card only, of which no device knows. */
static bool bound(const struct story *story, struct authentication_of *of)
{
    const struct story_hold *h = &story->hold;
    const char *payer = h->payer[0] != '\0' ? h->payer : story->rail != RAIL_CARD ? h->account : "";
    *of = (struct authentication_of){ .merchant = story->merchant->id,
                                      .payment = story->payment,
                                      .payer = view_text(payer),
                                      .amount = { .minor = story->amount },
                                      .payee = view_text(h->payee) };
    ENSURE(currency_by_code(view_text(story->currency), &of->amount.currency) == STATUS_OK);
    return payer[0] != '\0';
}

static void put_base64url(struct writer *w, struct view bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)bytes.ptr[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes.ptr[i + 2] : 0;
        for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++)
            writer_u8(w, (uint8_t)letters[bits >> (18 - 6 * k) & 63]);
    }
}

static void put_assertion(struct story *story, const struct authentication_of *of, int64_t at_us,
                          struct writer *w)
{
    char claims[512];
    uint8_t signature[64];
    struct writer c = writer_over(claims, sizeof claims);
    long long at_s = (long long)(at_us / LOOP_US_PER_S);
    writer_format(&c,
                  "{\"iss\":\"https://issuer.example\",\"aud\":\"railgate\",\"iat\":%lld,"
                  "\"exp\":%lld,\"sub\":\"%.*s\",\"payment\":\"%s\",\"amount\":%lld,"
                  "\"currency\":\"%s\",\"payee\":\"%.*s\"}",
                  at_s, at_s + 300, (int)of->payer.len, (const char *)of->payer.ptr,
                  story->payment_text, (long long)of->amount.minor, of->amount.currency->code,
                  (int)of->payee.len, (const char *)of->payee.ptr);
    size_t from = w->len;
    put_base64url(w, VIEW("{\"alg\":\"EdDSA\"}"));
    writer_text(w, ".");
    put_base64url(w, writer_done(&c));
    rules_side_sign(story->world->rules, view_of(w->ptr + from, w->len - from), signature);
    writer_text(w, ".");
    put_base64url(w, view_of(signature, sizeof signature));
}

static bool taken(const struct ask *ask)
{
    return ask->status >= 200 && ask->status < 300;
}

static void judge(const struct ask *ask, enum said said)
{
    static const char *const codes[] = { "authentication_wrong", "authentication_late",
                                         "no_action_required", "operation_running" };
    struct world *world = ask->world;
    char code[64];
    (void)ask_text(ask, "code", code, sizeof code);
    world_tally(world, "confirm %s %d %s",
                said == SAID_RIGHT ? "right"
                : said == SAID_OLD ? "old"
                                   : "wrong",
                ask->status, taken(ask) ? "" : code);
    if (taken(ask) && (said == SAID_NEVER || (said == SAID_OLD && !world_clock_wrong(world))))
        wrong(world, ask->story->payment, "what is not right was taken: %s", ask->body);
    bool known = taken(ask);
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        known = known || strcmp(code, codes[i]) == 0;
    if (!known)
        wrong(world, ask->story->payment, "%s %s was answered %d %s", ask->path, ask->key,
              ask->status, ask->answer);
}

static void confirmed(struct ask *ask)
{
    struct story *story = ask->story;
    if (!ask->replaying) {
        judge(ask, (enum said)ask->mark);
        if (!story->done && dice_percent(&story->dice, 15)) { /* a repeat after the answer */
            story->running++;
            ask_start(ask);
        }
    }
    if (--story->running == 0 && !story->done)
        timer_start(&story->timer, dice_between(&story->dice, 0, 5 * LOOP_US_PER_S));
}

static void confirm(struct story *story, const struct authentication_of *of, bool by_code,
                    int64_t at_us, enum said said)
{
    struct ask *ask = story_ask(story, OPERATION_REVERSE); /* none of a merchant's verbs */
    char code[AUTHENTICATION_CODE_DIGITS + 1] = "";
    struct writer w = writer_over(ask->body, sizeof ask->body - 1);
    ask->done = confirmed;
    ask->mark = (int)said;
    (void)snprintf(ask->path, sizeof ask->path, "/v1/payments/%s/confirm", story->payment_text);
    writer_format(&w, "{\"authentication\":{\"type\":\"%s\",\"%s\":\"",
                  by_code ? "code" : "assertion", by_code ? "code" : "assertion");
    if (by_code) {
        ENSURE(rules_side_code(story->world->rules, of, at_us, code));
        writer_text(&w, code);
    } else {
        put_assertion(story, of, at_us, &w);
    }
    writer_text(&w, "\"}}");
    ENSURE(!w.overflow);
    ask->body[w.len] = '\0';
    story->hold.said_yes = story->hold.said_yes || said != SAID_NEVER;
    story->running++;
    ask_start(ask);
    rules_side_hurts(story->world, &story->dice, 8, 8000);
}

bool story_hold_meets(struct story *story)
{
    struct dice *dice = &story->dice;
    struct authentication_of of, other;
    char type[32];
    if (!ask_action(&story->look, "type", type, sizeof type) || strcmp(type, "authenticate") != 0)
        return false;
    unsigned throw = (unsigned)dice_below(dice, 100);
    int64_t now_us = loop_wall_us(story->world->loop);
    int64_t old_us = now_us - dice_between(dice, 3, 9) * STEP_US;
    if (story->hold.nobody || !bound(story, &of) || story->ask_count + 14 > STORY_ASKS_MAX)
        return true;
    other = of;
    other.amount.minor += dice_percent(dice, 50) ? 1 : -story->amount / 2 - 1;
    if (throw < 40) {
        confirm(story, &of, true, now_us, SAID_RIGHT);
    } else if (throw < 58) {
        confirm(story, &of, false, now_us, SAID_RIGHT);
    } else if (throw < 64) {
        confirm(story, &of, true, now_us, SAID_RIGHT);
        confirm(story, &of, dice_percent(dice, 50), now_us, SAID_RIGHT);
    } else if (throw < 72) {
        confirm(story, &other, true, now_us, SAID_NEVER);
    } else if (throw < 78) {
        confirm(story, &other, false, now_us, SAID_NEVER);
    } else if (throw < 84) {
        confirm(story, &of, true, old_us, SAID_OLD);
    } else if (throw < 88) {
        confirm(story, &of, false, now_us - 900 * LOOP_US_PER_S, SAID_OLD);
    } else if (throw < 92 && !story->canceled) {
        story_cancel(story);
        rules_side_hurts(story->world, dice, 30, 6000);
    } /* else it takes a while */
    return true;
}
