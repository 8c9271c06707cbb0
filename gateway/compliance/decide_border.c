/* decide_border.c - `cross_border`: corridors, the purpose, and fields that have to travel along.
 *
 * Whether a payment crosses the border follows from the countries (decide.c). When one of them is
 * not known, `cross_border.unknown` says what happens; a corridor that names only the side that is
 * known, and that is not domestic, holds all the same.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

static void saw(struct evaluation *e, const struct rule_head *head, enum rule_state state)
{
    if (e->watch != NULL)
        evaluation_saw(e, "cross_border", head, state, head->verdict, NULL);
}

static void section(struct evaluation *e, const char *rule, enum verdict verdict, const char *words)
{
    const char *source = e->profile->s->cross_border_source;
    bool fires = verdict > VERDICT_ALLOW;
    if (fires) {
        struct text text;
        text_start(&text);
        text_put(&text, words);
        evaluation_say(e, rule, verdict, source, &text);
    }
    evaluation_saw_plain(e, "cross_border", rule, fires ? RULE_FIRED : RULE_NOT_FIRED, verdict,
                         source, "");
}

/* --- corridors ----------------------------------------------------------------------------- */

static bool side_fits(const struct country_set *set, const struct fact_value *country)
{
    return set->any || (country->given && country_set_has(set, country->text));
}

static bool corridor_fits(const struct evaluation *e, const struct corridor_rule *rule)
{
    return (rule->head.rails & e->rail_bit) != 0 &&
           side_fits(&rule->from, evaluation_fact(e, FACT_PAYER_COUNTRY)) &&
           side_fits(&rule->to, evaluation_fact(e, FACT_PAYEE_COUNTRY));
}

/* The strictest of all that match; of equally strict ones the first. */
static const struct corridor_rule *corridor_find(struct evaluation *e)
{
    const struct profile *p = e->profile;
    const struct corridor_rule *found = NULL;
    for (size_t i = 0; i < p->corridors_count; i++) {
        const struct corridor_rule *rule = &p->corridors[i];
        if (!corridor_fits(e, rule)) {
            saw(e, &rule->head, RULE_NOT_ABOUT_IT);
            continue;
        }
        saw(e, &rule->head, RULE_FIRED);
        if (found == NULL || rule->head.verdict > found->head.verdict)
            found = rule;
    }
    return found;
}

static const char *country_shown(const struct fact_value *country, char out[3])
{
    if (!country->given || view_to_text(country->text, out, 3) != STATUS_OK)
        return "?";
    return out;
}

static void corridor_say(struct evaluation *e, const struct corridor_rule *rule)
{
    char from[3], to[3];
    struct text text;
    text_start(&text);
    text_format(&text, "a payment from %s to %s",
                country_shown(evaluation_fact(e, FACT_PAYER_COUNTRY), from),
                country_shown(evaluation_fact(e, FACT_PAYEE_COUNTRY), to));
    text_reason(&text, rule->s->reason);
    evaluation_say(e, rule->head.id, rule->head.verdict, rule->head.source, &text);
}

static void decide_crossing(struct evaluation *e)
{
    const struct region_settings *s = e->profile->s;
    const struct corridor_rule *corridor = corridor_find(e);
    if (corridor != NULL)
        corridor_say(e, corridor);
    else
        section(e, "cross_border.other", (enum verdict)s->cross_border_other,
                "no corridor names this payment across the border");
    bool wants = s->cross_border_purpose_required && !evaluation_fact(e, FACT_PURPOSE)->given;
    if (s->cross_border_purpose_required)
        section(e, "cross_border.purpose", wants ? VERDICT_DENY : VERDICT_ALLOW,
                "a payment across the border needs a purpose");
}

static void decide_unknown(struct evaluation *e)
{
    const struct profile *p = e->profile;
    section(e, "cross_border.unknown", (enum verdict)p->s->cross_border_unknown,
            "the country of payer or payee is not known");
    const struct fact_value *payer = evaluation_fact(e, FACT_PAYER_COUNTRY);
    const struct fact_value *payee = evaluation_fact(e, FACT_PAYEE_COUNTRY);
    const struct fact_value *known = payer->given ? payer : payee;
    if (!known->given || country_set_has(&p->domestic, known->text))
        return;
    const struct corridor_rule *corridor = NULL;
    for (size_t i = 0; i < p->corridors_count; i++) {
        const struct corridor_rule *rule = &p->corridors[i];
        bool names_known = payer->given ? !rule->from.any : !rule->to.any;
        if (names_known && corridor_fits(e, rule) &&
            (corridor == NULL || rule->head.verdict > corridor->head.verdict))
            corridor = rule;
    }
    if (corridor == NULL)
        return;
    corridor_say(e, corridor);
    saw(e, &corridor->head, RULE_FIRED);
}

/* --- fields -------------------------------------------------------------------------------- */

/* Does the amount reach what the entry is about? Any amount, when it names none. */
static bool reaches(const struct evaluation *e, const struct field_settings *s)
{
    const struct money amount = e->facts->amount;
    const struct money *from = moneys_find(&s->from, amount.currency);
    const struct money *over = moneys_find(&s->over, amount.currency);
    if (s->from.count + s->over.count == 0)
        return true;
    return (from != NULL && amount.minor >= from->minor) ||
           (over != NULL && amount.minor > over->minor);
}

static bool in_scope(const struct evaluation *e, const struct field_settings *s)
{
    bool domestic = e->cross_border.given && e->cross_border.number == 0;
    return s->scope == SETTINGS_ANY_SCOPE || (s->scope == SETTINGS_DOMESTIC) == domestic;
}

static bool need_met(const struct evaluation *e, const struct need *need)
{
    for (size_t i = 0; i < need->count; i++) {
        if (evaluation_fact(e, need->facts[i])->given)
            return true;
    }
    return false;
}

static bool needs_met(const struct evaluation *e, const struct field_rule *rule)
{
    for (size_t i = 0; i < rule->needs_count; i++) {
        if (!need_met(e, &rule->needs[i]))
            return false;
    }
    return true;
}

static void needs_say(struct evaluation *e, const struct field_rule *rule)
{
    struct text text;
    text_start(&text);
    const char *between = "missing: ";
    for (size_t i = 0; i < rule->needs_count; i++) {
        const struct need *need = &rule->needs[i];
        if (need_met(e, need))
            continue;
        for (size_t j = 0; j < need->count; j++) {
            text_put(&text, between);
            text_put(&text, fact_row(need->facts[j])->name);
            between = " or ";
        }
        between = ", ";
    }
    text_format(&text, "; %s needs it for ", rule->head.id);
    text_money(&text, e->facts->amount.minor, e->facts->amount.currency);
    evaluation_say(e, rule->head.id, rule->head.verdict, rule->head.source, &text);
}

static void decide_field(struct evaluation *e, const struct field_rule *rule)
{
    enum fact missing = FACT_NONE;
    if ((rule->head.rails & e->rail_bit) == 0 || !in_scope(e, rule->s) || !reaches(e, rule->s)) {
        saw(e, &rule->head, RULE_NOT_ABOUT_IT);
        return;
    }
    bool met = needs_met(e, rule);
    if (met && e->watch == NULL)
        return;
    enum kleene holds = clauses_hold(e, &rule->head.when, &missing);
    if (holds == KLEENE_FALSE) {
        saw(e, &rule->head, RULE_NOT_ABOUT_IT);
    } else if (met) {
        saw(e, &rule->head, RULE_NOT_FIRED);
    } else if (holds == KLEENE_UNKNOWN) {
        evaluation_missing(e, rule->head.id, rule->head.source, missing);
        saw(e, &rule->head, RULE_UNKNOWN);
    } else {
        needs_say(e, rule);
        saw(e, &rule->head, RULE_FIRED);
    }
}

void decide_cross_border(struct evaluation *e)
{
    const struct profile *p = e->profile;
    if (!e->cross_border.given)
        decide_unknown(e);
    else if (e->cross_border.number != 0)
        decide_crossing(e);
    for (size_t i = 0; i < p->fields_count; i++)
        decide_field(e, &p->fields[i]);
}
