/* test_cases.c - x.tests.yaml: cases that hold, and what is said of those that do not. */
#include "profile_fixture.h"

#define FACT_(name_, value_)                                                                       \
    {                                                                                              \
        .name = (name_), .value = (value_), .line = 12, .column = 9                                \
    }

struct story {
    struct fixture f;
    struct exemption_settings exemption;
    struct limit_settings limits[2];
    struct tier_settings tier;
    struct money thirty, hundred, thousand;
};

static void story_start(struct story *s)
{
    fixture_start(&s->f);
    s->thirty = money_of(3000, "EUR");
    s->hundred = money_of(10000, "EUR");
    s->thousand = money_of(100000, "EUR");
    s->exemption = exemption_row("low_value");
    s->exemption.max = (struct settings_moneys){ &s->thirty, 1 };
    s->exemption.total = (struct settings_moneys){ &s->hundred, 1 };
    s->exemption.count = 5;
    s->limits[0] = limit_row("single");
    s->limits[0].max = (struct settings_moneys){ &s->thousand, 1 };
    s->limits[1] = limit_row("big_day");
    s->limits[1].per = SETTINGS_PER_PAYER;
    s->limits[1].window = (struct settings_window){ SETTINGS_WINDOW_DAY, 0 };
    s->limits[1].max = (struct settings_moneys){ &s->thousand, 1 };
    s->limits[1].then = SETTINGS_THEN_LAST;
    s->tier = tier_row(1);
    s->tier.day = (struct settings_moneys){ &s->hundred, 1 };
    s->f.region.authentication_required = true;
    s->f.region.exemptions = &s->exemption;
    s->f.region.exemptions_count = 1;
    s->f.region.limits = s->limits;
    s->f.region.limits_count = 2;
    s->f.region.tiers = &s->tier;
    s->f.region.tiers_count = 1;
    assert_int_equal(fixture_compile(&s->f), STATUS_OK);
}

static size_t run(struct story *s, const struct test_case *cases, size_t count)
{
    const struct region_tests tests = {
        .file = "eu.tests.yaml", .region = "eu", .cases = cases, .count = count
    };
    findings_clear(&s->f.findings);
    return compliance_test(s->f.profile, &tests, &s->f.settings, &s->f.findings);
}

static const struct test_fact low[] = { FACT_("rail", "card"), FACT_("amount", "30.00 EUR"),
                                        FACT_("payer.id", "p1") };

static void cases_that_hold(void **state)
{
    (void)state;
    static const struct test_fact tiered[] = { FACT_("rail", "card"), FACT_("amount", "30.00 EUR"),
                                               FACT_("payer.id", "p1"),
                                               FACT_("payer.kyc_tier", "1") };
    static const struct test_fact large[] = { FACT_("rail", "card"), FACT_("amount", "1000.01 EUR"),
                                              FACT_("payer.id", "p1"),
                                              FACT_("authenticated", "yes") };
    static const struct test_spent nearly[] = { { "low_value", 7000, 4, 14, 5 } };
    static const struct test_spent over[] = { { "exemption.low_value", 7001, 4, 14, 5 } };
    static const struct test_spent day[] = { { "tier_day", 7000, 0, 14, 5 } };
    static const struct test_spent day_over[] = { { "tier_day", 7001, 0, 14, 5 } };
    static const struct test_spent crosses[] = { { "big_day", 97001, 9, 14, 5 } };
    static const struct test_spent crossed[] = { { "big_day", 100001, 9, 14, 5 } };
    const struct settings_list low_value = LIST("low_value");
    struct story s;
    story_start(&s);
    const struct test_case cases[] = {
        { .name = "a",
          .facts = low,
          .facts_count = 3,
          .expect = VERDICT_ALLOW,
          .because = low_value,
          .unless = LIST("single", "big_day") },
        { .name = "b",
          .facts = low,
          .facts_count = 3,
          .spent = nearly,
          .spent_count = 1,
          .expect = VERDICT_ALLOW,
          .because = LIST("exemption.low_value") },
        { .name = "c",
          .facts = low,
          .facts_count = 3,
          .spent = over,
          .spent_count = 1,
          .expect = VERDICT_CHALLENGE },
        { .name = "d",
          .facts = tiered,
          .facts_count = 4,
          .spent = day,
          .spent_count = 1,
          .expect = VERDICT_ALLOW,
          .unless = LIST("tier_day") },
        { .name = "e",
          .facts = tiered,
          .facts_count = 4,
          .spent = day_over,
          .spent_count = 1,
          .expect = VERDICT_DENY,
          .because = LIST("tier_day") },
        { .name = "f",
          .facts = low,
          .facts_count = 3,
          .spent = crosses,
          .spent_count = 1,
          .expect = VERDICT_ALLOW,
          .because = LIST("big_day") },
        { .name = "g",
          .facts = low,
          .facts_count = 3,
          .spent = crossed,
          .spent_count = 1,
          .expect = VERDICT_ALLOW,
          .unless = LIST("big_day") },
        { .name = "h",
          .facts = large,
          .facts_count = 4,
          .expect = VERDICT_DENY,
          .because = LIST("limit.single", "big_day") },
        { .name = "i",
          .at_us = NOON - 2 * DAY,
          .facts = low,
          .facts_count = 3,
          .expect = VERDICT_DENY,
          .because = LIST("effective_from") },
    };
    size_t passed = run(&s, cases, COUNT_OF(cases));
    for (size_t i = 0; i < s.f.findings.count; i++)
        print_error("%s\n", s.f.findings.rows[i].message);
    assert_int_equal(passed, COUNT_OF(cases));
    assert_int_equal(s.f.findings.count, 0);
    fixture_end(&s.f);
}

static void one_that_fails(struct story *s, const struct test_case *test, uint32_t line,
                           const char *says)
{
    assert_int_equal(run(s, test, 1), 0);
    assert_true(s->f.findings.count >= 1);
    const struct finding *finding = &s->f.findings.rows[0];
    assert_string_equal(finding->id, "profile.test");
    assert_int_equal(finding->severity, FINDING_ERROR);
    assert_string_equal(finding->file, "eu.tests.yaml");
    assert_int_equal(finding->line, line);
    if (strstr(finding->message, says) == NULL)
        fail_msg("%s", finding->message);
}

static void cases_that_do_not_hold(void **state)
{
    (void)state;
    struct story s;
    story_start(&s);
    struct test_case test = { .name = "low value",
                              .facts = low,
                              .facts_count = 3,
                              .expect = VERDICT_DENY,
                              .line = 5,
                              .column = 5 };
    one_that_fails(&s, &test, 5,
                   "low value: expected deny, decided allow: exemption.low_value is used");
    test.expect = VERDICT_ALLOW;
    test.because = LIST("single");
    one_that_fails(&s, &test, 5, "not because of `single`");
    test.because.count = 0;
    test.unless = LIST("low_value");
    one_that_fails(&s, &test, 5, "`low_value` should not have fired");
    test.unless.count = 0;
    assert_int_equal(run(&s, &test, 1), 1);
    const struct test_spent unknown = { "low_valeu", 1, 1, 17, 5 };
    test.spent = &unknown;
    test.spent_count = 1;
    one_that_fails(&s, &test, 17, "counts nothing under `low_valeu`");
    const struct test_spent single = { "single", 1, 1, 18, 5 };
    test.spent = &single;
    one_that_fails(&s, &test, 18, "counts nothing under `single`");
    test.spent_count = 0;
    const struct test_fact typo[] = { FACT_("rail", "card"), FACT_("payer.contry", "DE") };
    test.facts = typo;
    test.facts_count = 2;
    one_that_fails(&s, &test, 12, "did you mean payer.country?");
    test.facts_count = 1;
    one_that_fails(&s, &test, 5, "needs the facts rail and amount");
    const struct test_fact lists[] = { FACT_("lists", "old") };
    test.facts = lists;
    one_that_fails(&s, &test, 12, "fine|missing|stale");
    fixture_end(&s.f);
}

static void lists_and_where_records_live(void **state)
{
    (void)state;
    struct story s;
    story_start(&s);
    const struct list_settings lists[] = { { .name = "un" } };
    static const struct test_fact at_home[] = {
        FACT_("rail", "card"),        FACT_("amount", "1.00 EUR"),
        FACT_("payer.id", "p1"),      FACT_("payer.name", "Ann Example"),
        FACT_("store.country", "DE"), FACT_("lists", "stale")
    };
    s.f.settings.lists = lists;
    s.f.settings.lists_count = 1;
    s.f.region.screening_lists = LIST("un");
    s.f.region.data_residency = LIST("DE");
    assert_int_equal(fixture_compile(&s.f), STATUS_OK);
    const struct test_case cases[] = {
        { .name = "a", .facts = at_home, .facts_count = 5, .expect = VERDICT_ALLOW },
        { .name = "b",
          .facts = at_home,
          .facts_count = 4,
          .expect = VERDICT_DENY,
          .because = LIST("data.residency", "residency") },
        { .name = "c",
          .facts = at_home,
          .facts_count = 6,
          .expect = VERDICT_DENY,
          .because = LIST("screening.lists") },
    };
    assert_int_equal(run(&s, cases, 3), 3);
    s.f.settings.store_country = "DE"; /* of gateway.yaml, when the case does not say */
    assert_int_equal(run(&s, cases, 3), 2);
    fixture_end(&s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_that_hold),
        cmocka_unit_test(cases_that_do_not_hold),
        cmocka_unit_test(lists_and_where_records_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
