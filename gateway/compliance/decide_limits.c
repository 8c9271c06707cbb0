/* decide_limits.c - `limits:`: figures for single payments at once, sums and counts as
 * reservations.
 *
 * A limit is about a payment of its rails, in a currency that it names (any, when it only counts),
 * inside its hours, for which its conditions hold.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

/* The figures of a limit in the payment's currency. */
struct figures {
    const struct money *max, *from, *min;
};

static bool about_it(const struct evaluation *e, const struct limit_rule *rule,
                     struct figures *figures)
{
    const struct limit_settings *s = rule->s;
    if ((rule->head.rails & e->rail_bit) == 0)
        return false;
    figures->max = moneys_find(&s->max, e->facts->amount.currency);
    figures->from = moneys_find(&s->from, e->facts->amount.currency);
    figures->min = moneys_find(&s->min, e->facts->amount.currency);
    if (!rule->any_currency && figures->max == NULL && figures->from == NULL &&
        figures->min == NULL)
        return false;
    return hours_hold(&s->hours, e->second_of_day);
}

static void put_figure(struct text *text, const char *name, const struct money *money)
{
    if (money == NULL)
        return;
    text_put(text, text->w.len > 0 ? ", " : "");
    text_put(text, name);
    text_money(text, money->minor, money->currency);
}

static void saw(struct evaluation *e, const struct limit_rule *rule, const struct figures *figures,
                enum rule_state state)
{
    if (e->watch == NULL)
        return;
    const struct limit_settings *s = rule->s;
    struct text text;
    text_start(&text);
    if (s->window.kind != SETTINGS_WINDOW_NONE) {
        text_put(&text, "window ");
        text_window(&text, s->window.kind, s->window.us);
        text_format(&text, " per %s", per_word((enum settings_per)s->per));
    }
    put_figure(&text, "max ", figures->max);
    put_figure(&text, "from ", figures->from);
    put_figure(&text, "min ", figures->min);
    if (s->count > 0)
        text_format(&text, ", count %lld", (long long)s->count);
    if (s->hours.given) {
        text_put(&text, text.w.len > 0 ? ", " : "");
        text_hours(&text, &s->hours);
    }
    evaluation_saw(e, "limits", &rule->head, state, rule->head.verdict, &text);
}

/* "1000.01 BRL is over 1000.00 BRL for limit pix_night, 20:00-06:00 America/Sao_Paulo" */
static void fired_text(struct evaluation *e, const struct limit_rule *rule, const char *words,
                       const struct money *figure, struct text *text)
{
    const struct limit_settings *s = rule->s;
    text_start(text);
    text_money(text, e->facts->amount.minor, e->facts->amount.currency);
    text_put(text, words);
    text_money(text, figure->minor, figure->currency);
    text_format(text, " for limit %s", s->id);
    if (s->hours.given) {
        text_put(text, ", ");
        text_hours(text, &s->hours);
        text_format(text, " %s", e->profile->s->time_zone);
    }
    text_reason(text, s->reason);
}

static void decide_single(struct evaluation *e, const struct limit_rule *rule,
                          const struct figures *f)
{
    int64_t amount = e->facts->amount.minor;
    const char *words = NULL;
    const struct money *figure = NULL;
    if (f->max != NULL && amount > f->max->minor) {
        words = " is over ";
        figure = f->max;
    } else if (f->from != NULL && amount >= f->from->minor) {
        words = " reaches ";
        figure = f->from;
    } else if (f->min != NULL && amount < f->min->minor) {
        words = " is under ";
        figure = f->min;
    }
    if (words == NULL && e->watch == NULL)
        return;
    enum fact missing = FACT_NONE;
    enum kleene holds = clauses_hold(e, &rule->head.when, &missing);
    if (holds == KLEENE_FALSE) {
        saw(e, rule, f, RULE_NOT_ABOUT_IT);
        return;
    }
    if (words == NULL) {
        saw(e, rule, f, RULE_NOT_FIRED);
        return;
    }
    if (holds == KLEENE_UNKNOWN) {
        if (!rule->head.report)
            evaluation_missing(e, rule->head.id, rule->head.source, missing);
        saw(e, rule, f, RULE_UNKNOWN);
        return;
    }
    struct text text;
    fired_text(e, rule, words, figure, &text);
    if (rule->head.report)
        evaluation_report(e, &rule->head, &text);
    else
        evaluation_say(e, rule->head.id, rule->head.verdict, rule->head.source, &text);
    saw(e, rule, f, RULE_FIRED);
}

static void reserve(struct evaluation *e, const struct limit_rule *rule, const struct figures *f,
                    struct view subject)
{
    const struct limit_settings *s = rule->s;
    struct reservation *r = evaluation_reserve(e);
    if (r == NULL)
        return;
    r->rule = rule->head.id;
    r->source = rule->head.source;
    r->counter = rule->head.id;
    r->subject = subject;
    r->per = (enum settings_per)s->per;
    r->window = s->window.kind;
    if (s->window.kind == SETTINGS_WINDOW_SLIDING) {
        r->kind = RESERVE_SLIDING;
        r->window_us = s->window.us;
    } else {
        r->kind = RESERVE_PERIOD;
        r->start_us = zone_period_start_us(e->profile->zone, s->window.kind, e->facts->wall_us);
    }
    r->amount_max = f->max != NULL ? f->max->minor : -1;
    r->amount_from = f->from != NULL ? f->from->minor : -1;
    r->count_max = s->count;
    r->verdict = evaluation_verdict(e, rule->head.verdict);
    r->report = rule->head.report;
    r->text = s->reason != NULL ? s->reason : "";
}

static void decide_sum(struct evaluation *e, const struct limit_rule *rule, const struct figures *f)
{
    enum fact missing = FACT_NONE;
    enum kleene holds = clauses_hold(e, &rule->head.when, &missing);
    if (holds == KLEENE_FALSE) {
        saw(e, rule, f, RULE_NOT_ABOUT_IT);
        return;
    }
    const struct fact_value *subject = evaluation_fact(e, rule->subject);
    if (holds == KLEENE_TRUE && !subject->given)
        missing = rule->subject;
    if (missing != FACT_NONE) {
        if (!rule->head.report)
            evaluation_missing(e, rule->head.id, rule->head.source, missing);
        saw(e, rule, f, RULE_UNKNOWN);
        return;
    }
    reserve(e, rule, f, subject->text);
    saw(e, rule, f, RULE_RESERVES);
}

void decide_limits(struct evaluation *e)
{
    const struct profile *p = e->profile;
    for (size_t i = 0; i < p->limits_count; i++) {
        const struct limit_rule *rule = &p->limits[i];
        struct figures figures = { 0 };
        if (!about_it(e, rule, &figures))
            saw(e, rule, &figures, RULE_NOT_ABOUT_IT);
        else if (rule->subject == FACT_NONE)
            decide_single(e, rule, &figures);
        else
            decide_sum(e, rule, &figures);
    }
}
