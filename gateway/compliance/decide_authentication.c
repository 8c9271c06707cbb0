/* decide_authentication.c - must the payer be authenticated strongly, or does an exemption hold?
 *
 * Exemptions without counters are tried first, then those with; the first that holds is used, and
 * one with counters reserves: when they are used up, the commit says challenge. What has to be
 * known for an exemption and is not makes it not hold; nothing is denied for it.
 *
 * An authentication lets the counters of all exemptions of the rail begin anew (RESERVE_RESET).
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

/* Why it does not hold, or NULL. */
static const char *exemption_fails(const struct evaluation *e, const struct exemption_rule *rule)
{
    const struct exemption_settings *s = rule->s;
    const struct money amount = e->facts->amount;
    enum fact missing = FACT_NONE;
    if ((rule->head.rails & e->rail_bit) == 0)
        return "other rail";
    const struct money *max = moneys_find(&s->max, amount.currency);
    if (s->max.count > 0 && (max == NULL || amount.minor > max->minor))
        return max == NULL ? "other currency" : "over max";
    if (s->total.count > 0 && moneys_find(&s->total, amount.currency) == NULL)
        return "other currency";
    if (e->profile->s->authentication_fraud_rate_ppm > s->fraud_rate_max_ppm)
        return "fraud rate too high";
    if (clauses_hold(e, &rule->head.when, &missing) != KLEENE_TRUE)
        return missing != FACT_NONE ? "a fact is missing" : "a condition does not hold";
    if (rule->counts && !evaluation_fact(e, rule->subject)->given)
        return "nobody to count for";
    return NULL;
}

static void saw(struct evaluation *e, const struct exemption_rule *rule, enum rule_state state,
                const char *why)
{
    if (e->watch == NULL)
        return;
    const struct exemption_settings *s = rule->s;
    const struct money *max = moneys_find(&s->max, e->facts->amount.currency);
    const struct money *total = moneys_find(&s->total, e->facts->amount.currency);
    struct text text;
    text_start(&text);
    if (max != NULL) {
        text_put(&text, "max ");
        text_money(&text, max->minor, max->currency);
    }
    if (total != NULL) {
        text_put(&text, text.w.len > 0 ? ", total " : "total ");
        text_money(&text, total->minor, total->currency);
    }
    if (s->count > 0)
        text_format(&text, "%scount %lld", text.w.len > 0 ? ", " : "", (long long)s->count);
    if (s->fraud_rate_max_ppm < 1000000)
        text_percent(&text, text.w.len > 0 ? ", fraud rate at most " : "fraud rate at most ",
                     s->fraud_rate_max_ppm);
    if (why != NULL)
        text_format(&text, "%s%s", text.w.len > 0 ? ": " : "", why);
    evaluation_saw(e, "authentication", &rule->head, state, VERDICT_ALLOW, &text);
}

static enum settings_per per_of(const struct exemption_rule *rule)
{
    return rule->subject == FACT_PAYER_ACCOUNT ? SETTINGS_PER_ACCOUNT : SETTINGS_PER_PAYER;
}

static void exemption_reserve(struct evaluation *e, const struct exemption_rule *rule)
{
    struct reservation *r = evaluation_reserve(e);
    if (r == NULL)
        return;
    const struct money *total = moneys_find(&rule->s->total, e->facts->amount.currency);
    r->kind = RESERVE_SINCE_AUTHENTICATION;
    r->rule = rule->head.id;
    r->source = rule->head.source;
    r->counter = rule->head.id;
    r->subject = evaluation_fact(e, rule->subject)->text;
    r->per = per_of(rule);
    r->amount_max = total != NULL ? total->minor : -1;
    r->count_max = rule->s->count;
    r->verdict = VERDICT_CHALLENGE;
}

static bool exempt(struct evaluation *e)
{
    const struct profile *p = e->profile;
    for (size_t i = 0; i < p->exemptions_count; i++) {
        const struct exemption_rule *rule = &p->exemptions[i];
        const char *why = exemption_fails(e, rule);
        if (why != NULL) {
            saw(e, rule, RULE_NOT_ABOUT_IT, why);
            continue;
        }
        if (rule->counts)
            exemption_reserve(e, rule);
        e->out->exemption = rule->head.id;
        saw(e, rule, rule->counts ? RULE_RESERVES : RULE_FIRED, NULL);
        return true;
    }
    return false;
}

void decide_authentication(struct evaluation *e)
{
    static const char id[] = "authentication.required";
    const struct profile *p = e->profile;
    const char *source = p->s->authentication_source;
    enum fact missing = FACT_NONE;
    if ((p->authentication_rails & e->rail_bit) == 0)
        return;
    if (e->authenticated) {
        evaluation_saw_plain(e, "authentication", id, RULE_NOT_FIRED, VERDICT_CHALLENGE, source,
                             "the payer is authenticated");
        return;
    }
    enum kleene holds = clauses_hold(e, &p->authentication_when, &missing);
    if (holds == KLEENE_FALSE) {
        evaluation_saw_plain(e, "authentication", id, RULE_NOT_ABOUT_IT, VERDICT_CHALLENGE, source,
                             "");
        return;
    }
    if (holds == KLEENE_UNKNOWN) {
        evaluation_missing(e, id, source, missing);
        evaluation_saw_plain(e, "authentication", id, RULE_UNKNOWN, VERDICT_CHALLENGE, source, "");
        return;
    }
    if (exempt(e)) {
        evaluation_saw_plain(e, "authentication", id, RULE_NOT_FIRED, VERDICT_CHALLENGE, source,
                             "an exemption holds");
        return;
    }
    struct text text;
    text_start(&text);
    text_put(&text, "strong authentication of the payer is needed; no exemption holds");
    e->out->authentication_needed = true;
    evaluation_say(e, id, VERDICT_CHALLENGE, source, &text);
    evaluation_saw_plain(e, "authentication", id, RULE_FIRED, VERDICT_CHALLENGE, source, "");
}

/* Another rule challenges a payment that an exemption with counters let through: the payer is going
 * to be authenticated, so the exemption is not used and nothing is counted for it. */
static void exemption_drop(struct decision *out)
{
    for (size_t i = 0; i < out->reservation_count; i++) {
        if (out->reservations[i].kind != RESERVE_SINCE_AUTHENTICATION)
            continue;
        out->reservation_count--;
        memmove(&out->reservations[i], &out->reservations[i + 1],
                (out->reservation_count - i) * sizeof out->reservations[0]);
        out->exemption = "";
        return; /* there is at most one */
    }
}

void decide_resets(struct evaluation *e)
{
    const struct profile *p = e->profile;
    if (!e->authenticated && e->out->verdict != VERDICT_CHALLENGE)
        return;
    exemption_drop(e->out);
    for (size_t i = 0; i < p->exemptions_count; i++) {
        const struct exemption_rule *rule = &p->exemptions[i];
        const struct fact_value *subject = evaluation_fact(e, rule->subject);
        const struct currency *currency = e->facts->amount.currency;
        /* A sum in this currency can only be there when its figures name the currency. */
        if (!rule->counts || (rule->head.rails & e->rail_bit) == 0 || !subject->given ||
            (rule->s->max.count > 0 && moneys_find(&rule->s->max, currency) == NULL) ||
            (rule->s->total.count > 0 && moneys_find(&rule->s->total, currency) == NULL))
            continue;
        struct reservation *r = evaluation_reserve(e);
        if (r == NULL)
            return;
        r->kind = RESERVE_RESET;
        r->rule = rule->head.id;
        r->source = rule->head.source;
        r->counter = rule->head.id;
        r->subject = subject->text;
        r->per = per_of(rule);
        r->counts = false;
    }
}
