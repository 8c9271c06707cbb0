/* test_cases.c - the cases of x.tests.yaml: facts -> the decision that is expected, counters
 * included.
 *
 * A case gives its facts by name and text, as a merchant's request would. Two names are not facts:
 * `store.country` (where records live) and `lists: missing|stale` (what became of the sanctions
 * lists, which are fine otherwise). `spent` says what the counters hold before.
 *
 * The word in `expect` is the strictest of the decision and of what its counters say. `because` and
 * `not` name rules as they are told ("limit.pix_night") or by their own id ("pix_night").
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

struct run {
    const struct profile *profile;
    const struct region_tests *tests;
    const struct test_case *test;
    struct findings *findings;
    struct compliance_facts facts;
    struct decision decision;
    enum verdict verdict;
    enum verdict counters[DECISION_RESERVATIONS_MAX]; /* what each says */
    bool reported[DECISION_RESERVATIONS_MAX];
};

#define COMPLAIN(run, line, column, ...)                                                           \
    finding_add((run)->findings, FINDING_ERROR,                                                    \
                (run)->tests->file != NULL ? (run)->tests->file : "", (line), (column),            \
                "profile.test", __VA_ARGS__)

/* --- facts --------------------------------------------------------------------------------- */

static bool lists_parse(struct view value, enum list_state *out)
{
    if (view_is(value, "fine"))
        *out = LISTS_FINE;
    else if (view_is(value, "missing"))
        *out = LISTS_MISSING;
    else if (view_is(value, "stale"))
        *out = LISTS_STALE;
    else
        return false;
    return true;
}

static bool fact_take(struct run *run, const struct test_fact *fact)
{
    struct view name = view_text(fact->name), value = view_text(fact->value);
    char why[200];
    struct writer w = writer_over(why, sizeof why);
    if (view_is(name, "store.country")) {
        run->facts.store_country = value;
        return true;
    }
    if (view_is(name, "lists")) {
        if (lists_parse(value, &run->facts.lists))
            return true;
        COMPLAIN(run, fact->line, fact->column, "lists is one of fine|missing|stale");
        return false;
    }
    if (facts_parse(&run->facts, name, value, &w))
        return true;
    COMPLAIN(run, fact->line, fact->column, "%.*s", (int)w.len, why);
    return false;
}

static bool facts_take(struct run *run)
{
    const struct test_case *test = run->test;
    bool good = true;
    run->facts =
        (struct compliance_facts){ .wall_us = test->at_us != 0 ? test->at_us
                                                               : run->profile->s->effective_from_us,
                                   .kind = PAYMENT_KIND_PURCHASE,
                                   .lists = LISTS_FINE };
    facts_text(&run->facts, FACT_KIND, view_text(payment_kind_word(PAYMENT_KIND_PURCHASE)));
    for (size_t i = 0; i < test->facts_count; i++)
        good = fact_take(run, &test->facts[i]) && good;
    if (good && (!rail_valid(run->facts.rail) || run->facts.amount.currency == NULL)) {
        COMPLAIN(run, test->line, test->column, "%s: a case needs the facts rail and amount",
                 test->name);
        good = false;
    }
    return good;
}

/* --- what the counters say ----------------------------------------------------------------- */

/* "limit.pix_night" is meant by itself and by "pix_night". */
static bool is_meant(const char *rule, const char *written)
{
    if (strcmp(rule, written) == 0)
        return true;
    const char *point = strchr(rule, '.');
    return point != NULL && strcmp(point + 1, written) == 0;
}

static const struct test_spent *spent_find(const struct test_case *test, const char *rule)
{
    for (size_t i = 0; i < test->spent_count; i++) {
        if (is_meant(rule, test->spent[i].id))
            return &test->spent[i];
    }
    return NULL;
}

static void counters_judge(struct run *run)
{
    const struct decision *decision = &run->decision;
    run->verdict = decision->verdict;
    for (size_t i = 0; i < decision->reservation_count; i++) {
        const struct reservation *r = &decision->reservations[i];
        const struct test_spent *spent = spent_find(run->test, r->rule);
        run->counters[i] =
            reservation_judge(r, run->facts.amount.minor, spent != NULL ? spent->minor : 0,
                              spent != NULL ? spent->count : 0, &run->reported[i]);
        if (run->counters[i] > run->verdict)
            run->verdict = run->counters[i];
    }
}

/* A counter that the profile does not have is a mistake in the case, even when it asks for nothing
 * now. */
static bool spent_known(const struct run *run, const char *id)
{
    const struct profile *p = run->profile;
    static const char *const tiers[] = { "kyc.tier_day", "kyc.tier_month", "kyc.tier_year" };
    for (size_t i = 0; i < p->limits_count; i++) {
        if (p->limits[i].subject != FACT_NONE && is_meant(p->limits[i].head.id, id))
            return true;
    }
    for (size_t i = 0; i < p->exemptions_count; i++) {
        if (p->exemptions[i].counts && is_meant(p->exemptions[i].head.id, id))
            return true;
    }
    for (size_t i = 0; i < COUNT_OF(tiers); i++) {
        if (p->tiers_count > 0 && is_meant(tiers[i], id))
            return true;
    }
    return false;
}

static bool spent_check(const struct run *run)
{
    bool good = true;
    for (size_t i = 0; i < run->test->spent_count; i++) {
        const struct test_spent *spent = &run->test->spent[i];
        if (spent_known(run, spent->id))
            continue;
        COMPLAIN(run, spent->line, spent->column, "%s: the profile counts nothing under `%s`",
                 run->test->name, spent->id);
        good = false;
    }
    return good;
}

/* --- what is expected ---------------------------------------------------------------------- */

/* Has the rule fired: as a reason, as a counter, as a report, or as the exemption that was used? */
static bool fired(const struct run *run, const char *written)
{
    const struct decision *d = &run->decision;
    bool exempt = is_meant(d->exemption, written) && d->exemption[0] != '\0';
    for (size_t i = 0; i < d->reason_count; i++) {
        if (is_meant(d->reasons[i].rule, written))
            return true;
    }
    for (size_t i = 0; i < d->report_count; i++) {
        if (is_meant(d->reports[i].rule, written))
            return true;
    }
    for (size_t i = 0; i < d->reservation_count; i++) {
        if (!is_meant(d->reservations[i].rule, written))
            continue;
        if (run->counters[i] > VERDICT_ALLOW || run->reported[i])
            return true;
    }
    return exempt;
}

/* "deny: limit.pix_night (1000.01 BRL is over ...); ..." as far as there is room. */
static void decided_write(const struct run *run, struct text *text)
{
    const struct decision *d = &run->decision;
    text_start(text);
    text_put(text, verdict_word(run->verdict));
    const char *between = ": ";
    for (size_t i = 0; i < d->reason_count; i++, between = "; ")
        text_format(text, "%s%s (%s)", between, d->reasons[i].rule, d->reasons[i].text);
    for (size_t i = 0; i < d->reservation_count; i++) {
        const struct reservation *r = &d->reservations[i];
        if (run->counters[i] == VERDICT_ALLOW && !run->reported[i])
            continue;
        char sentence[DECISION_TEXT_MAX];
        const struct test_spent *spent = spent_find(run->test, r->rule);
        reservation_text(r, run->facts.amount, spent != NULL ? spent->minor : 0,
                         spent != NULL ? spent->count : 0, sentence);
        text_format(text, "%s%s (%s)", between, r->rule, sentence);
        between = "; ";
    }
    for (size_t i = 0; i < d->report_count; i++, between = "; ")
        text_format(text, "%s%s reports", between, d->reports[i].rule);
    if (d->exemption[0] != '\0')
        text_format(text, "%s%s is used", between, d->exemption);
}

static bool expectations_check(const struct run *run)
{
    const struct test_case *test = run->test;
    struct text decided;
    bool good = true;
    decided_write(run, &decided);
    if (run->verdict != test->expect) {
        COMPLAIN(run, test->line, test->column, "%s: expected %s, decided %s", test->name,
                 verdict_word(test->expect), text_done(&decided));
        good = false;
    }
    for (size_t i = 0; i < test->because.count; i++) {
        if (fired(run, test->because.items[i]))
            continue;
        COMPLAIN(run, test->line, test->column, "%s: not because of `%s`; decided %s", test->name,
                 test->because.items[i], text_done(&decided));
        good = false;
    }
    for (size_t i = 0; i < test->unless.count; i++) {
        if (!fired(run, test->unless.items[i]))
            continue;
        COMPLAIN(run, test->line, test->column, "%s: `%s` should not have fired; decided %s",
                 test->name, test->unless.items[i], text_done(&decided));
        good = false;
    }
    return good;
}

size_t compliance_test(const struct profile *profile, const struct region_tests *tests,
                       const struct settings *settings, struct findings *findings)
{
    size_t passed = 0;
    ENSURE_MAGIC(profile, PROFILE_MAGIC);
    for (size_t i = 0; i < tests->count; i++) {
        struct run run = {
            .profile = profile, .tests = tests, .test = &tests->cases[i], .findings = findings
        };
        bool good = facts_take(&run);
        good = spent_check(&run) && good;
        if (!good)
            continue;
        if (run.facts.store_country.len == 0 && settings != NULL)
            run.facts.store_country = view_text(settings->store_country);
        compliance_decide(profile, &run.facts, NULL, &run.decision);
        counters_judge(&run);
        if (expectations_check(&run))
            passed++;
    }
    return passed;
}
