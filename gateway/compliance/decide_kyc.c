/* decide_kyc.c - what payers of this tier may do, and how much the payee may hold.
 *
 * Sums are per payer and per scope (rails and conditions of the entry), whatever the tier: who is
 * moved to another tier keeps what was spent.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

static void decide_without_tier(struct evaluation *e)
{
    const struct region_settings *s = e->profile->s;
    enum verdict verdict = (enum verdict)s->kyc_without_tier;
    bool fires = verdict > VERDICT_ALLOW;
    if (fires) {
        struct text text;
        text_start(&text);
        text_put(&text, "the payer has no kyc_tier");
        evaluation_say(e, "kyc.without_tier", verdict, s->kyc_source, &text);
    }
    evaluation_saw_plain(e, "kyc", "kyc.without_tier", fires ? RULE_FIRED : RULE_NOT_FIRED, verdict,
                         s->kyc_source, "");
}

/* --- one entry ----------------------------------------------------------------------------- */

static void decide_single(struct evaluation *e, const struct tier_rule *rule)
{
    const struct money *single = moneys_find(&rule->s->single, e->facts->amount.currency);
    if (single == NULL || e->facts->amount.minor <= single->minor)
        return;
    struct text text;
    text_start(&text);
    text_money(&text, e->facts->amount.minor, e->facts->amount.currency);
    text_put(&text, " is over ");
    text_money(&text, single->minor, single->currency);
    text_format(&text, ", the largest payment of tier %d", (int)rule->s->tier);
    evaluation_say(e, "kyc.tier_single", VERDICT_DENY, rule->head.source, &text);
}

static void reserve(struct evaluation *e, const struct tier_rule *rule, const char *id,
                    const char *counter, enum settings_window_kind window, int64_t max)
{
    const struct fact_value *payer = evaluation_fact(e, FACT_PAYER_ID);
    if (!payer->given) {
        evaluation_missing(e, id, rule->head.source, FACT_PAYER_ID);
        return;
    }
    struct reservation *r = evaluation_reserve(e);
    if (r == NULL)
        return;
    r->kind = RESERVE_PERIOD;
    r->rule = id;
    r->source = rule->head.source;
    r->counter = counter;
    r->subject = payer->text;
    r->per = SETTINGS_PER_PAYER;
    r->window = window;
    r->start_us = zone_period_start_us(e->profile->zone, window, e->facts->wall_us);
    r->amount_max = max;
    r->verdict = VERDICT_DENY;
}

static bool decide_sums(struct evaluation *e, const struct tier_rule *rule)
{
    const struct tier_settings *s = rule->s;
    const struct {
        const struct settings_moneys *max;
        const char *id, *counter;
        enum settings_window_kind window;
    } sums[] = {
        { &s->day, "kyc.tier_day", rule->counter_day, SETTINGS_WINDOW_DAY },
        { &s->month, "kyc.tier_month", rule->counter_month, SETTINGS_WINDOW_MONTH },
        { &s->year, "kyc.tier_year", rule->counter_year, SETTINGS_WINDOW_YEAR },
    };
    bool any = false;
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        const struct money *max = moneys_find(sums[i].max, e->facts->amount.currency);
        if (max == NULL)
            continue;
        reserve(e, rule, sums[i].id, sums[i].counter, sums[i].window, max->minor);
        any = true;
    }
    return any;
}

static void saw(struct evaluation *e, const struct tier_rule *rule, enum rule_state state)
{
    if (e->watch == NULL)
        return;
    const struct tier_settings *s = rule->s;
    const struct {
        const char *name;
        const struct settings_moneys *moneys;
    } figures[] = { { "single", &s->single },
                    { "day", &s->day },
                    { "month", &s->month },
                    { "year", &s->year },
                    { "balance", &s->balance } };
    struct text text;
    text_start(&text);
    text_format(&text, "tier %d", (int)s->tier);
    for (size_t i = 0; i < COUNT_OF(figures); i++) {
        const struct money *money = moneys_find(figures[i].moneys, e->facts->amount.currency);
        if (money == NULL)
            continue;
        text_format(&text, ", %s ", figures[i].name);
        text_money(&text, money->minor, money->currency);
    }
    evaluation_saw(e, "kyc", &rule->head, state, VERDICT_DENY, &text);
}

/* Does the entry say something about this payment? Its amounts come first: an entry without one in
 * the payment's currency needs no fact. */
static void decide_tier(struct evaluation *e, const struct tier_rule *rule)
{
    const struct currency *currency = e->facts->amount.currency;
    const struct tier_settings *s = rule->s;
    const struct money *single = moneys_find(&s->single, currency);
    bool over = single != NULL && e->facts->amount.minor > single->minor;
    bool sums = moneys_find(&s->day, currency) != NULL ||
                moneys_find(&s->month, currency) != NULL || moneys_find(&s->year, currency) != NULL;
    if (!over && !sums && e->watch == NULL)
        return;
    enum fact missing = FACT_NONE;
    enum kleene holds = clauses_hold(e, &rule->head.when, &missing);
    if (holds == KLEENE_FALSE || (single == NULL && !sums)) {
        saw(e, rule, RULE_NOT_ABOUT_IT);
        return;
    }
    if (!over && !sums) {
        saw(e, rule, RULE_NOT_FIRED);
        return;
    }
    if (holds == KLEENE_UNKNOWN) {
        evaluation_missing(e, rule->head.id, rule->head.source, missing);
        saw(e, rule, RULE_UNKNOWN);
        return;
    }
    decide_single(e, rule);
    sums = decide_sums(e, rule);
    saw(e, rule, over ? RULE_FIRED : (sums ? RULE_RESERVES : RULE_NOT_FIRED));
}

/* --- what may be held ---------------------------------------------------------------------- */

static bool fills_a_wallet(enum payment_kind kind)
{
    return kind == PAYMENT_KIND_TOP_UP || kind == PAYMENT_KIND_TRANSFER ||
           kind == PAYMENT_KIND_PAYOUT;
}

static void balance_text(struct evaluation *e, const struct tier_rule *rule, int64_t sum,
                         const struct money *most)
{
    struct text text;
    text_start(&text);
    text_put(&text, "with this payment the payee would hold ");
    text_money(&text, sum, most->currency);
    text_put(&text, ", over ");
    text_money(&text, most->minor, most->currency);
    text_format(&text, " for tier %d", (int)rule->s->tier);
    evaluation_say(e, "kyc.tier_balance", VERDICT_DENY, rule->head.source, &text);
}

static void decide_balance(struct evaluation *e, const struct tier_rule *rule)
{
    const struct money *most = moneys_find(&rule->s->balance, e->facts->amount.currency);
    const struct fact_value *tier = evaluation_fact(e, FACT_PAYEE_KYC_TIER);
    const struct fact_value *balance = evaluation_fact(e, FACT_PAYEE_BALANCE);
    enum fact missing = FACT_NONE;
    if (most == NULL || (tier->given && tier->number != rule->s->tier))
        return;
    enum kleene holds = clauses_hold(e, &rule->head.when, &missing);
    if (holds == KLEENE_FALSE)
        return;
    if (!tier->given)
        missing = FACT_PAYEE_KYC_TIER;
    else if (!balance->given)
        missing = FACT_PAYEE_BALANCE;
    if (missing != FACT_NONE) {
        evaluation_missing(e, "kyc.tier_balance", rule->head.source, missing);
        evaluation_saw_plain(e, "kyc", "kyc.tier_balance", RULE_UNKNOWN, VERDICT_DENY,
                             rule->head.source, "");
        return;
    }
    int64_t sum;
    if (money_add(balance->number, e->facts->amount.minor, &sum) != STATUS_OK)
        sum = INT64_MAX;
    bool over = sum > most->minor;
    if (over)
        balance_text(e, rule, sum, most);
    if (e->watch == NULL)
        return;
    struct text figure;
    text_start(&figure);
    text_format(&figure, "tier %d, balance ", (int)rule->s->tier);
    text_money(&figure, most->minor, most->currency);
    evaluation_saw_plain(e, "kyc", "kyc.tier_balance", over ? RULE_FIRED : RULE_NOT_FIRED,
                         VERDICT_DENY, rule->head.source, text_done(&figure));
}

/* --- all of it ----------------------------------------------------------------------------- */

static void no_entry(struct evaluation *e, int64_t tier)
{
    struct text text;
    text_start(&text);
    text_format(&text, "tier %lld has no entry for rail %s", (long long)tier,
                rail_word(e->facts->rail));
    evaluation_say(e, "kyc.tier", VERDICT_DENY, e->profile->s->kyc_source, &text);
    evaluation_saw_plain(e, "kyc", "kyc.tier", RULE_FIRED, VERDICT_DENY, e->profile->s->kyc_source,
                         "no entry for this rail");
}

void decide_kyc(struct evaluation *e)
{
    const struct profile *p = e->profile;
    const struct fact_value *payer = evaluation_fact(e, FACT_PAYER_KYC_TIER);
    if (!payer->given)
        decide_without_tier(e);
    if ((p->tier_rails & e->rail_bit) == 0)
        return;
    bool found = false, fills = fills_a_wallet(e->facts->kind);
    for (size_t i = 0; i < p->tiers_count; i++) {
        const struct tier_rule *rule = &p->tiers[i];
        if ((rule->head.rails & e->rail_bit) == 0)
            continue;
        if (payer->given && payer->number == rule->s->tier) {
            found = true;
            decide_tier(e, rule);
        }
        if (fills)
            decide_balance(e, rule);
    }
    if (payer->given && !found)
        no_entry(e, payer->number);
}
