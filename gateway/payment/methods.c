/* methods.c - the channels as a merchant may choose among them: the same two questions as for a
 * payment (compliance/ and route/), asked for every rail, and what each channel is able to do.
 *
 * Fields of the method are not known yet, so a channel whose `takes` asks for one of them stays
 * usable; its modes and schemes show what it takes.
 */
#include "payment/methods.h"

#include "base/ensure.h"
#include "compliance/compliance.h"
#include "payment/candidates_int.h"
#include "payment/payment_int.h"
#include "settings/condition.h"

/* What the profile says of a rail, currency and amount. Who pays is not known yet: a fact that is
 * missing now, a name that nobody looked up, is no reason against a rail. */
static void decide_rail(const struct payments *room, const struct methods_question *q,
                        enum rail rail, struct decision *out)
{
    const struct profile *profile = policy_profile(room->policy, q->region);
    struct compliance_facts facts;
    facts_start(&facts, rail, PAYMENT_KIND_PURCHASE, q->amount, loop_wall_us(room->o.loop));
    facts.lists = LISTS_FINE;
    facts.store_country = view_text(room->o.settings->store_country);
    compliance_decide(profile, &facts, NULL, out);
    size_t kept = 0;
    out->verdict = VERDICT_ALLOW;
    for (size_t i = 0; i < out->reason_count; i++) {
        const struct decision_reason *reason = &out->reasons[i];
        if (strcmp(reason->rule, "fact.missing") == 0 || strncmp(reason->rule, "field.", 6) == 0)
            continue;
        if (reason->verdict > out->verdict)
            out->verdict = reason->verdict;
        out->reasons[kept++] = *reason;
    }
    out->reason_count = kept;
}

/* A channel as it stands for the question. */
struct offer {
    const struct channel *channel;
    enum rail rail;
    enum verdict verdict;
    struct route_row row;
    bool usable;
};

static bool offer_before(const struct offer *a, const struct offer *b)
{
    if (a->usable != b->usable)
        return a->usable;
    if (a->row.cost_minor != b->row.cost_minor)
        return a->row.cost_minor < b->row.cost_minor;
    return strcmp(channel_name(a->channel), channel_name(b->channel)) < 0;
}

/* All channels of all rails, best first; decisions[rail] gets what compliance says of each rail. */
static size_t offers_of(struct payments *room, const struct methods_question *q, struct view region,
                        struct offer *offers, struct decision *decisions)
{
    struct route_candidate candidates[ROUTE_CANDIDATES_MAX];
    struct route route;
    size_t count = 0;
    size_t channels =
        candidates_of(room->o.channels, OPERATION_SALE, q->amount.currency->code, candidates);
    for (enum rail rail = RAIL_CARD; rail_valid(rail); rail++) {
        decide_rail(room, q, rail, &decisions[rail]);
        struct route_question question = { .operation = OPERATION_SALE,
                                           .rail = rail,
                                           .amount = q->amount,
                                           .region = region,
                                           .details_are = ROUTE_DETAILS_SOME,
                                           .details = q->details };
        route_pick(&question, candidates, channels, &route);
        for (size_t i = 0; i < route.count; i++) {
            if (route.rows[i].why == ROUTE_WRONG_RAIL)
                continue;
            struct offer offer = { .channel = channels_at(room->o.channels, route.rows[i].index),
                                   .rail = rail,
                                   .verdict = decisions[rail].verdict,
                                   .row = route.rows[i] };
            offer.usable = offer.verdict != VERDICT_DENY && offer.row.why == ROUTE_USABLE;
            size_t at = count++;
            for (; at > 0 && offer_before(&offer, &offers[at - 1]); at--)
                offers[at] = offers[at - 1];
            offers[at] = offer;
        }
    }
    return count;
}

/* The words that `takes` and the settings of the channel leave of a list; all of it when they say
 * nothing about the field. */
static void put_words(struct json_out *j, const char *key, const struct channel_settings *s,
                      const char *field, const char *const *words, size_t count)
{
    json_open_array(j, key);
    for (size_t i = 0; i < count; i++) {
        bool taken = true;
        for (size_t k = 0; k < s->takes.count && taken; k++) {
            struct condition condition;
            if (condition_split(view_text(s->takes.items[k]), &condition) &&
                view_is(condition.field, field))
                taken = condition_matches(&condition, view_text(words[i]), true);
        }
        if (taken)
            json_put_text(j, NULL, view_text(words[i]));
    }
    json_close_array(j);
}

static void put_modes(struct json_out *j, const struct channel_settings *s)
{
    static const char *const entries[] = { "manual", "stripe", "chip", "contactless", "fallback" };
    static const char *const modes[] = { "present", "scan" };
    static const char *const directions[] = { "send", "receive" };
    static const char *const actions[] = { "transfer", "issue", "redeem" };
    switch ((enum rail)s->rail) {
    case RAIL_CARD: put_words(j, "modes", s, "entry", entries, COUNT_OF(entries)); break;
    case RAIL_QR: put_words(j, "modes", s, "mode", modes, COUNT_OF(modes)); break;
    case RAIL_BANK: put_words(j, "modes", s, "direction", directions, COUNT_OF(directions)); break;
    case RAIL_CBDC: put_words(j, "modes", s, "action", actions, COUNT_OF(actions)); break;
    }
}

/* Names of schemes: the channel's own (its adapter's setting `scheme`) and those of `takes`. */
static void put_schemes(struct json_out *j, const struct channel_settings *s)
{
    json_open_array(j, "schemes");
    struct view own = VIEW_EMPTY;
    for (size_t i = 0; i < s->settings_count; i++) {
        if (strcmp(s->settings[i].name, "scheme") == 0)
            own = view_text(s->settings[i].text);
    }
    if (own.len > 0)
        json_put_text(j, NULL, own);
    for (size_t k = 0; k < s->takes.count; k++) {
        struct condition condition;
        if (!condition_split(view_text(s->takes.items[k]), &condition) ||
            !view_is(condition.field, "scheme"))
            continue;
        for (struct view rest = condition.patterns; rest.len > 0;) {
            size_t len = view_find(rest, '|');
            struct view word = view_slice(rest, 0, len);
            rest = view_slice(rest, len + 1, SIZE_MAX);
            if (!view_equal(word, own) && !view_is(word, "-"))
                json_put_text(j, NULL, word);
        }
    }
    json_close_array(j);
}

static void put_ability(struct json_out *j, const char *key, const struct channel *channel,
                        enum operation operation, const char code[4])
{
    struct channel_ability ability;
    channel_ability(channel, operation, &ability);
    bool able = ability.able && channel_takes_currency(channel, operation, code);
    json_open_object(j, key);
    json_put_bool(j, "able", able);
    json_put_bool(j, "partial", able && ability.partial);
    json_close_object(j);
}

static void put_offer(struct json_out *j, const struct methods_question *q,
                      const struct offer *offer, const struct decision *decision)
{
    const struct channel_settings *s = channel_settings_of(offer->channel);
    const char *code = q->amount.currency->code;
    struct channel_ability hold;
    channel_ability(offer->channel, OPERATION_AUTHORISE, &hold);
    json_open_object(j, NULL);
    json_put_text(j, "type", view_text(rail_word(offer->rail)));
    json_put_text(j, "channel", view_text(channel_name(offer->channel)));
    json_put_bool(j, "usable", offer->usable);
    bool denied = offer->verdict == VERDICT_DENY;
    json_put_text(j, "reason", view_text(denied ? "decision" : route_why_word(offer->row.why)));
    json_put_text(j, "why",
                  view_text(denied && decision->reason_count > 0 ? decision->reasons[0].text
                                                                 : offer->row.reason));
    json_put_text(j, "decision", view_text(verdict_word(offer->verdict)));
    json_open_object(j, "cost");
    json_put_i64(j, "value", offer->row.cost_minor);
    json_put_text(j, "currency", view_text(code));
    json_close_object(j);
    put_modes(j, s);
    put_schemes(j, s);
    json_put_bool(j, "manual_capture",
                  hold.able && channel_takes_currency(offer->channel, OPERATION_AUTHORISE, code));
    put_ability(j, "capture", offer->channel, OPERATION_CAPTURE, code);
    put_ability(j, "cancel", offer->channel, OPERATION_CANCEL, code);
    put_ability(j, "refund", offer->channel, OPERATION_REFUND, code);
    json_close_object(j);
}

void payments_methods(struct payments *room, const struct methods_question *question,
                      struct json_out *j)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    ENSURE(question->amount.currency != NULL);
    struct offer offers[ROUTE_CANDIDATES_MAX];
    struct decision decisions[RAIL_CBDC + 1];
    const struct profile *profile = policy_profile(room->policy, question->region);
    size_t count = offers_of(room, question,
                             view_text(profile != NULL ? profile_settings(profile)->region : ""),
                             offers, decisions);
    json_open_array(j, "data");
    for (size_t i = 0; i < count; i++)
        put_offer(j, question, &offers[i], &decisions[offers[i].rail]);
    json_close_array(j);
}
