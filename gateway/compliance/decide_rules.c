/* decide_rules.c - screening, and the rules that a profile adds in words of its own. */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

#include <stdio.h>

/* --- screening ----------------------------------------------------------------------------- */

static void screening_say(struct evaluation *e, const char *rule, enum verdict verdict,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
static void screening_say(struct evaluation *e, const char *rule, enum verdict verdict,
                          const char *format, ...)
{
    char piece[160];
    struct text text;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    text_start(&text);
    text_put(&text, piece);
    const char *source = e->profile->s->screening_source;
    evaluation_say(e, rule, verdict, source, &text);
    evaluation_saw_plain(e, "screening", rule, RULE_FIRED, verdict, source, "");
}

/* One party that the profile has looked up. */
static void decide_party(struct evaluation *e, const char *rule, const char *who, enum fact name,
                         enum fact listed)
{
    const struct region_settings *s = e->profile->s;
    const struct fact_value *score = evaluation_fact(e, listed);
    char figure[48];
    struct writer w = writer_over(figure, sizeof figure);
    if (score->given && score->number >= s->screening_threshold) {
        /* Merchants read it. A score would tell them how far a spelling is from passing; operators
         * find it in the event compliance.screening and in explain. */
        screening_say(e, rule, (enum verdict)s->screening_hit,
                      "the name of the %s resembles one on a list", who);
        return;
    }
    if (!evaluation_fact(e, name)->given) {
        if ((enum verdict)s->screening_nameless > VERDICT_ALLOW)
            screening_say(e, "screening.nameless", (enum verdict)s->screening_nameless,
                          "the %s has no name that could be looked up", who);
        return;
    }
    if (e->watch == NULL)
        return;
    writer_format(&w, "threshold %lld", (long long)s->screening_threshold);
    figure[w.overflow ? 0 : w.len] = '\0';
    evaluation_saw_plain(e, "screening", rule, RULE_NOT_FIRED, (enum verdict)s->screening_hit,
                         s->screening_source, figure);
}

static bool anyone_to_ask(const struct evaluation *e)
{
    const struct region_settings *s = e->profile->s;
    return (s->screening_payer && evaluation_fact(e, FACT_PAYER_NAME)->given) ||
           (s->screening_payee && evaluation_fact(e, FACT_PAYEE_NAME)->given);
}

/* What is wrong with the lists, or NULL. Nobody needs to have looked when there was nobody to look
 * up. */
static const char *lists_fail(const struct evaluation *e)
{
    switch (e->facts->lists) {
    case LISTS_FINE: return NULL;
    case LISTS_STALE:
        return "a sanctions list that is needed is older than it may be, or dated ahead";
    case LISTS_MISSING: return "a sanctions list that is needed is not there";
    case LISTS_NOT_ASKED: break;
    }
    return anyone_to_ask(e) ? "the names were not looked up in the sanctions lists" : NULL;
}

void decide_screening(struct evaluation *e)
{
    const struct region_settings *s = e->profile->s;
    if ((e->profile->screening_rails & e->rail_bit) == 0)
        return;
    const char *why = lists_fail(e);
    if (why != NULL)
        screening_say(e, "screening.lists", VERDICT_DENY, "%s", why);
    else
        evaluation_saw_plain(e, "screening", "screening.lists", RULE_NOT_FIRED, VERDICT_DENY,
                             s->screening_source, "");
    if (s->screening_payer)
        decide_party(e, "screening.payer", "payer", FACT_PAYER_NAME, FACT_PAYER_LISTED);
    if (s->screening_payee)
        decide_party(e, "screening.payee", "payee", FACT_PAYEE_NAME, FACT_PAYEE_LISTED);
}

/* --- rules --------------------------------------------------------------------------------- */

static void saw(struct evaluation *e, const struct extra_rule *rule, enum rule_state state)
{
    if (e->watch == NULL)
        return;
    struct text text;
    text_start(&text);
    if (rule->s->hours.given)
        text_hours(&text, &rule->s->hours);
    evaluation_saw(e, "rules", &rule->head, state, rule->head.verdict, &text);
}

static void fired(struct evaluation *e, const struct extra_rule *rule)
{
    const struct rule_head *head = &rule->head;
    struct text text;
    text_start(&text);
    if (rule->s->reason != NULL && rule->s->reason[0] != '\0')
        text_put(&text, rule->s->reason);
    else
        text_format(&text, "the conditions of rule %s hold", rule->s->id);
    if (head->report)
        evaluation_report(e, head, &text);
    else
        evaluation_say(e, head->id, head->verdict, head->source, &text);
}

void decide_rules(struct evaluation *e)
{
    const struct profile *p = e->profile;
    for (size_t i = 0; i < p->rules_count; i++) {
        const struct extra_rule *rule = &p->rules[i];
        enum fact missing = FACT_NONE;
        enum kleene holds = KLEENE_FALSE;
        if ((rule->head.rails & e->rail_bit) != 0 && hours_hold(&rule->s->hours, e->second_of_day))
            holds = clauses_hold(e, &rule->head.when, &missing);
        if (holds == KLEENE_FALSE) {
            saw(e, rule, RULE_NOT_ABOUT_IT);
        } else if (holds == KLEENE_UNKNOWN) {
            /* Who only allows or reports does not fire without what it asks for. */
            if (rule->head.verdict > VERDICT_ALLOW)
                evaluation_missing(e, rule->head.id, rule->head.source, missing);
            saw(e, rule, RULE_UNKNOWN);
        } else {
            fired(e, rule);
            saw(e, rule, RULE_FIRED);
        }
    }
}
