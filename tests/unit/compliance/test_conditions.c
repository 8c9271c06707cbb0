/* test_conditions.c - conditions over facts: what they mean, what is none, and what can never hold.
 */
#include "profile_fixture.h"

/* A rule that denies when the conditions hold; what it says of the facts. */
static enum verdict asks(struct fixture *f, const char *one, const char *two)
{
    struct settings_clause clauses[2] = { CLAUSE(one), CLAUSE(two) };
    struct rule_settings rule = rule_row("asked", SETTINGS_THEN_DENY);
    rule.when = (struct settings_clauses){ clauses, two != NULL ? 2 : 1 };
    f->region.rules = &rule;
    f->region.rules_count = 1;
    const struct decision *d = fixture_decide(f);
    f->region.rules_count = 0;
    if (reason_of(d, "fact.missing") != NULL) {
        assert_int_equal(d->verdict, VERDICT_DENY);
        assert_null(reason_of(d, "rule.asked"));
        return VERDICT_REVIEW; /* stands for: unknown */
    }
    assert_int_equal(d->reason_count, reason_of(d, "rule.asked") != NULL ? 1 : 0);
    return d->verdict;
}
#define HOLDS   VERDICT_DENY
#define FALSE_  VERDICT_ALLOW
#define UNKNOWN VERDICT_REVIEW

static void every_kind_of_condition(void **state)
{
    (void)state;
    static const struct {
        const char *clause;
        enum verdict expect;
    } rows[] = {
        { "rail=card", HOLDS },
        { "rail=qr", FALSE_ },
        { "rail=qr|card", HOLDS },
        { "rail!=qr", HOLDS },
        { "rail!=qr|card", FALSE_ },
        { "kind=purchase", HOLDS },
        { "currency=EUR", HOLDS },
        { "currency=USD", FALSE_ },
        /* amount is 50.00 EUR */
        { "amount>50.00 EUR", FALSE_ },
        { "amount>49.99 EUR", HOLDS },
        { "amount>=50.00 EUR", HOLDS },
        { "amount>=50.01 EUR", FALSE_ },
        { "amount<50.00 EUR", FALSE_ },
        { "amount<50.01 EUR", HOLDS },
        { "amount<=50.00 EUR", HOLDS },
        { "amount<=49.99 EUR", FALSE_ },
        { "amount=50 EUR", HOLDS },
        { "amount=1.00 USD|50.00 EUR", HOLDS },
        { "amount!=50.00 EUR", FALSE_ },
        { "amount!=49.00 EUR", HOLDS },
        { " amount > 49.99 EUR ", HOLDS },
        /* another currency: false, whatever the operator */
        { "amount>0.01 USD", FALSE_ },
        { "amount<1000000.00 USD", FALSE_ },
        { "amount=50.00 USD", FALSE_ },
        { "amount!=50.00 USD", FALSE_ },
        /* numbers */
        { "payer.kyc_tier<3", HOLDS },
        { "payer.kyc_tier<2", FALSE_ },
        { "payer.kyc_tier=1|2", HOLDS },
        { "payer.kyc_tier!=1|2", FALSE_ },
        { "payee.kyc_tier<3", UNKNOWN },
        { "payee.kyc_tier!=3", UNKNOWN },
        { "payee.kyc_tier missing", HOLDS },
        { "payer.kyc_tier missing", FALSE_ },
        { "payer.kyc_tier given", HOLDS },
        { "payee.kyc_tier given", FALSE_ },
        /* texts that begin with something */
        { "card.first6=4*", HOLDS },
        { "card.first6=5*|51*", FALSE_ },
        { "card.first6!=4*", FALSE_ },
        { "card.first6=4", FALSE_ },
        /* absent: only != and missing hold */
        { "scheme=pix", FALSE_ },
        { "scheme!=pix", HOLDS },
        { "scheme missing", HOLDS },
        { "payer.country!=DE|FR", UNKNOWN },
        { "payee.country=DE|FR", HOLDS },
        { "payee.country!=DE|FR", FALSE_ },
        /* what holds when nothing is said */
        { "initiator=payer", HOLDS },
        { "initiator!=payer", FALSE_ },
        { "initiator missing", HOLDS },
        { "cash=no", HOLDS },
        { "cash=yes", FALSE_ },
        { "authenticated=no", HOLDS },
        { "pin=yes", FALSE_ },
        /* dates; 18 years old on NOON's day, in UTC */
        { "payer.birth_date>2000-01-01", HOLDS },
        { "payer.birth_date<=2008-11-22", HOLDS },
        { "payer.birth_date<2008-11-22", FALSE_ },
        { "payer.birth_date=2008-11-22", HOLDS },
        { "payer.age>=18", HOLDS },
        { "payer.age<18", FALSE_ },
        { "payer.age given", HOLDS },
    };
    struct fixture f;
    fixture_start(&f);
    fixture_fact(&f, "payer.kyc_tier", "2");
    fixture_fact(&f, "card.first6", "411111"); /* of a published test range */
    fixture_fact(&f, "payee.country", "FR");
    fixture_fact(&f, "payer.birth_date", "2008-11-22");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum verdict got = asks(&f, rows[i].clause, NULL);
        if (got != rows[i].expect)
            fail_msg("%s: %s", rows[i].clause, verdict_word(got));
    }
    fixture_end(&f);
}

/* All nine pairs of Kleene's table for "and". */
static void false_beats_unknown_beats_true(void **state)
{
    (void)state;
    static const char *const clauses[] = { "rail=qr", "payer.country=DE", "rail=card" };
    static const enum verdict values[] = { FALSE_, UNKNOWN, HOLDS };
    struct fixture f;
    fixture_start(&f);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(asks(&f, clauses[i], clauses[j]), values[i < j ? i : j]);
    }
    fixture_end(&f);
}

static void the_day_before_the_birthday(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    fixture_fact(&f, "payer.birth_date", "2008-11-23");
    assert_int_equal(asks(&f, "payer.age>=18", NULL), FALSE_);
    assert_int_equal(asks(&f, "payer.age=17", NULL), HOLDS);
    /* It is the 23rd already where the profile lives. */
    f.region.time_zone = "Pacific/Kiritimati";
    assert_int_equal(asks(&f, "payer.age>=18", NULL), HOLDS);
    f.region.time_zone = "UTC";
    /* What the payer's own age is not known from. */
    facts_text(&f.facts, FACT_PAYER_BIRTH_DATE, VIEW("2008-13-01"));
    assert_int_equal(asks(&f, "payer.age>=18", NULL), UNKNOWN);
    assert_int_equal(asks(&f, "payer.birth_date<2010-01-01", NULL), UNKNOWN);
    facts_text(&f.facts, FACT_PAYER_BIRTH_DATE, VIEW("2030-01-01"));
    assert_int_equal(asks(&f, "payer.age<18", NULL), UNKNOWN);
    fixture_end(&f);
}

static void a_missing_fact_does_not_matter_to_those_who_allow(void **state)
{
    (void)state;
    static const int thens[] = { SETTINGS_THEN_LAST, SETTINGS_THEN_RULE_REPORT };
    struct fixture f;
    fixture_start(&f);
    for (size_t i = 0; i < 2; i++) {
        struct rule_settings rule = rule_row("soft", thens[i]);
        rule.when = WHEN(CLAUSE("payer.country=DE"));
        f.region.rules = &rule;
        f.region.rules_count = 1;
        const struct decision *d = fixture_decide(&f);
        assert_int_equal(d->verdict, VERDICT_ALLOW);
        assert_int_equal(d->reason_count + d->report_count, 0);
    }
    fixture_end(&f);
}

static void what_is_no_condition(void **state)
{
    (void)state;
    static const struct {
        const char *clause, *id, *says;
    } rows[] = {
        { "payer.contry=DE", "profile.unknown_fact", "did you mean `payer.country`?" },
        { "somewhere=DE", "profile.unknown_fact", "there is no fact `somewhere`" },
        { "=DE", "profile.clause", "is no condition" },
        { "", "profile.clause", "is no condition" },
        { "rail", "profile.clause", "after `rail` comes one of" },
        { "rail~card", "profile.clause", "after `rail` comes one of" },
        { "rail=crd", "profile.clause_value", "did you mean `card`?" },
        { "rail=wires", "profile.clause_value", "it is one of card|qr|bank|cbdc" },
        { "rail>card", "profile.clause", "has no size" },
        { "rail=", "profile.clause_value", "a value of rail is missing" },
        { "rail=card|", "profile.clause_value", "a value of rail is missing" },
        { "amount>100", "profile.clause_value", "write it like 12.50 EUR" },
        { "amount>100.00 EUX", "profile.clause_value", "no such currency" },
        { "amount>100.001 EUR", "profile.clause_value", "is no amount" },
        { "amount>1.00 EUR|2.00 EUR", "profile.clause", "takes one value" },
        { "amount>99999999999999999999.00 EUR", "profile.clause_value", "is no amount" },
        { "payer.country=Germany", "profile.clause_value", "two upper-case letters" },
        { "payer.country=de", "profile.clause_value", "two upper-case letters" },
        { "payer.kyc_tier<two", "profile.clause_value", "is a whole number" },
        { "cash=true", "profile.clause_value", "is yes or no" },
        { "payer.birth_date<1.1.2000", "profile.clause_value", "YYYY-MM-DD" },
        { "payer.birth_date<2001-02-29", "profile.clause_value", "YYYY-MM-DD" },
        { "scheme=*", "profile.clause_value", "write `scheme given`" },
        { "scheme=p*x", "profile.clause_value", "only stand at the end" },
        { "currency=EUX", "profile.clause_value", "no currency" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_start(&f);
        struct settings_clause clause = CLAUSE(rows[i].clause);
        struct rule_settings rule = rule_row("wrong", SETTINGS_THEN_DENY);
        rule.when = (struct settings_clauses){ &clause, 1 };
        f.region.rules = &rule;
        f.region.rules_count = 1;
        assert_int_equal(fixture_compile(&f), STATUS_MALFORMED);
        assert_null(f.profile);
        const struct finding *finding = finding_of(&f.findings, rows[i].id);
        if (finding == NULL || strstr(finding->message, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].clause,
                     f.findings.count > 0 ? f.findings.rows[0].message : "nothing found");
        assert_string_equal(finding->file, "eu.yaml");
        assert_int_equal(finding->line, 7);
        assert_int_equal(finding->column, 13);
        fixture_end(&f);
    }
}

static void seventeen_conditions_are_one_too_many(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct settings_clause clauses[17];
    for (size_t i = 0; i < 17; i++)
        clauses[i] = CLAUSE("rail=card");
    clauses[16].line = 99;
    struct rule_settings rule = rule_row("long", SETTINGS_THEN_DENY);
    f.region.rules = &rule;
    f.region.rules_count = 1;
    rule.when = (struct settings_clauses){ clauses, 16 };
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    rule.when.count = 17;
    assert_int_equal(fixture_compile(&f), STATUS_MALFORMED);
    assert_int_equal(finding_of(&f.findings, "profile.clause")->line, 99);
    fixture_end(&f);
}

/* --- what can never hold ------------------------------------------------------------------- */

static bool never_fires(const char *one, const char *two)
{
    struct fixture f;
    fixture_start(&f);
    struct settings_clause clauses[2] = { CLAUSE(one), CLAUSE(two) };
    clauses[1].line = 8;
    struct rule_settings rule = rule_row("odd", SETTINGS_THEN_DENY);
    rule.when = (struct settings_clauses){ clauses, two != NULL ? 2 : 1 };
    f.region.rules = &rule;
    f.region.rules_count = 1;
    f.region.rails = LIST("card", "bank");
    f.region.currencies = LIST("EUR", "JPY");
    assert_int_equal(fixture_compile(&f), STATUS_OK);
    const struct finding *finding = finding_of(&f.findings, "profile.never_fires");
    bool found = finding != NULL;
    if (found) {
        assert_int_equal(finding->severity, FINDING_WARNING);
        assert_int_equal(finding->line, two != NULL ? 8 : 7);
        assert_int_equal(finding->column, 13);
        assert_non_null(strstr(finding->message, one));
    }
    assert_int_equal(f.findings.count, found ? 1 : 0);
    fixture_end(&f);
    return found;
}

static void conditions_that_contradict_each_other(void **state)
{
    (void)state;
    static const char *const never[][2] = {
        { "scheme=pix", "scheme=fast" },
        { "scheme=pix", "scheme!=pix|fast" },
        { "card.first6=4*", "card.first6=5*" },
        { "card.first6=41*", "card.first6!=4*" },
        { "payer.country=DE|FR", "payer.country=IT" },
        { "kind=purchase", "kind!=purchase" },
        { "kind!=purchase|top_up", "kind!=transfer|payout|bill" },
        { "amount>100.00 EUR", "amount<=100.00 EUR" },
        { "amount>100.00 EUR", "amount<100.01 EUR" },
        { "amount>100.00 EUR", "amount>100 JPY" },
        { "amount<0.00 EUR", NULL },
        { "payer.kyc_tier>2", "payer.kyc_tier=1|2" },
        { "payer.kyc_tier>2", "payer.kyc_tier<3" },
        { "payer.birth_date>=2001-01-01", "payer.birth_date<2001-01-01" },
        { "payer.address missing", "payer.address given" },
        { "payer.country missing", "payer.country=DE" },
        { "payer.country missing", "payer.country!=DE" },
        { "cash=yes", "cash=no" },
        { "cash!=yes", "cash!=no" },
        { "rail=qr", NULL },
        { "rail!=card|bank", NULL },
        { "currency=USD", NULL },
        { "amount>10.00 USD", NULL },
    };
    static const char *const may[][2] = {
        { "scheme=pix|fast", "scheme=fast" },
        { "scheme!=pix", "scheme!=fast" },
        { "scheme missing", "scheme!=fast" },
        { "card.first6=4*", "card.first6=411*" },
        { "card.first6=4*", "card.first6!=411*" },
        { "amount>100.00 EUR", "amount<100.02 EUR" },
        { "amount>=100.00 EUR", "amount<=100.00 EUR" },
        { "amount!=100.00 EUR", NULL },
        { "payer.kyc_tier>2", "payer.kyc_tier!=3" },
        { "payer.birth_date>2000-12-31", "payer.birth_date<2001-01-02" },
        { "kind!=purchase|top_up", "kind!=transfer" },
        { "initiator missing", "initiator=payer" },
        { "payer.country!=DE", "payer.country!=FR" },
        { "rail=qr|card", NULL },
        { "currency=USD|EUR", NULL },
        { "entry!=chip|stripe", "entry!=manual|contactless|fallback" }, /* on other rails */
    };
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        if (!never_fires(never[i][0], never[i][1]))
            fail_msg("not found: %s, %s", never[i][0], never[i][1] != NULL ? never[i][1] : "");
    }
    for (size_t i = 0; i < COUNT_OF(may); i++) {
        if (never_fires(may[i][0], may[i][1]))
            fail_msg("found: %s, %s", may[i][0], may[i][1] != NULL ? may[i][1] : "");
    }
}

/* --- facts by name and text ---------------------------------------------------------------- */

static void facts_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *shown;
    } rows[] = {
        { "payer.country", "DE", "DE" },
        { "payer.kyc_tier", "2", "2" },
        { "amount", "100.5 EUR", "100.50 EUR" },
        { "amount", "100 JPY", "100 JPY" },
        { "amount", "0.005 KWD", "0.005 KWD" },
        { "cash", "yes", "yes" },
        { "rail", "qr", "qr" },
        { "payer.name", "Ann Example", "Ann Example" },
        { "payer.birth_date", "1970-02-28", "1970-02-28" },
        { "kind", "top_up", "top_up" },
    };
    struct compliance_facts facts;
    char text[100];
    facts_start(&facts, RAIL_CARD, PAYMENT_KIND_PURCHASE, money_of(1, "EUR"), NOON);
    struct writer empty = writer_over(text, sizeof text);
    facts_write(&empty, &facts, FACT_PAYER_NAME);
    assert_true(view_is(writer_done(&empty), "-"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct writer why = writer_over(text, sizeof text);
        assert_true(facts_parse(&facts, view_text(rows[i].name), view_text(rows[i].value), &why));
        struct writer w = writer_over(text, sizeof text);
        facts_write(&w, &facts, fact_by_name(view_text(rows[i].name)));
        assert_true(view_is(writer_done(&w), rows[i].shown));
    }
    assert_int_equal(facts.rail, RAIL_QR);
    assert_int_equal(facts.kind, PAYMENT_KIND_TOP_UP);
    assert_int_equal(facts.amount.minor, 5);
    assert_string_equal(facts.amount.currency->code, "KWD");
    assert_true(view_is(facts.values[FACT_CURRENCY].text, "KWD"));
}

static void facts_that_are_none_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } rows[] = {
        { "payer.contry", "DE", "did you mean payer.country?" },
        { "payer.country", "Germany", "two upper-case letters" },
        { "payer.kyc_tier", "low", "whole number" },
        { "rail", "wire", "card|qr|bank|cbdc" },
        { "cash", "maybe", "yes or no" },
        { "amount", "5", "12.50 EUR" },
        { "amount", "-5.00 EUR", "12.50 EUR" },
        { "currency", "XXZ", "ISO 4217" },
        { "payer.birth_date", "yesterday", "YYYY-MM-DD" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct compliance_facts facts;
        char text[200];
        struct writer why = writer_over(text, sizeof text);
        facts_start(&facts, RAIL_CARD, PAYMENT_KIND_PURCHASE, money_of(1, "EUR"), NOON);
        assert_false(facts_parse(&facts, view_text(rows[i].name), view_text(rows[i].value), &why));
        assert_int_equal(writer_terminate(&why), STATUS_OK);
        if (strstr(text, rows[i].says) == NULL)
            fail_msg("%s=%s: %s", rows[i].name, rows[i].value, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_condition),
        cmocka_unit_test(false_beats_unknown_beats_true),
        cmocka_unit_test(the_day_before_the_birthday),
        cmocka_unit_test(a_missing_fact_does_not_matter_to_those_who_allow),
        cmocka_unit_test(what_is_no_condition),
        cmocka_unit_test(seventeen_conditions_are_one_too_many),
        cmocka_unit_test(conditions_that_contradict_each_other),
        cmocka_unit_test(facts_are_read_and_written),
        cmocka_unit_test(facts_that_are_none_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
