/* test_border.c - corridors, purpose, fields that travel along, and screening. */
#include "profile_fixture.h"

static void countries(struct fixture *f, const char *payer, const char *payee)
{
    f->facts.values[FACT_PAYER_COUNTRY].given = false;
    f->facts.values[FACT_PAYEE_COUNTRY].given = false;
    if (payer[0] != '\0')
        fixture_fact(f, "payer.country", payer);
    if (payee[0] != '\0')
        fixture_fact(f, "payee.country", payee);
}

static enum verdict between(struct fixture *f, const char *payer, const char *payee)
{
    countries(f, payer, payee);
    return fixture_decide(f)->verdict;
}

static void what_crosses_the_border(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.countries = LIST("DE", "FR");
    f.region.cross_border_other = SETTINGS_REVIEW;
    f.region.cross_border_unknown = SETTINGS_CHALLENGE;
    assert_int_equal(between(&f, "DE", "FR"), VERDICT_ALLOW);
    assert_int_equal(between(&f, "DE", "US"), VERDICT_REVIEW);
    assert_non_null(reason_of(&f.decision, "cross_border.other"));
    assert_int_equal(between(&f, "US", "US"), VERDICT_ALLOW); /* the same country */
    assert_int_equal(between(&f, "US", "CA"), VERDICT_REVIEW);
    assert_int_equal(between(&f, "DE", ""), VERDICT_CHALLENGE);
    assert_non_null(reason_of(&f.decision, "cross_border.unknown"));
    assert_int_equal(between(&f, "", "DE"), VERDICT_CHALLENGE);
    f.region.cross_border_domestic = LIST("DE"); /* goes before `countries` */
    assert_int_equal(between(&f, "DE", "FR"), VERDICT_REVIEW);
    fixture_end(&f);
}

static void corridors(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct corridor_settings rows[] = { corridor_row("to_us", SETTINGS_ALLOW),
                                        corridor_row("all", SETTINGS_CHALLENGE),
                                        corridor_row("us_again", SETTINGS_CHALLENGE),
                                        corridor_row("kp", SETTINGS_DENY) };
    rows[0].to = LIST("US");
    rows[1].from = LIST("DE");
    rows[1].to = LIST("US", "CA");
    rows[2].to = LIST("US");
    rows[3].from = LIST("KP");
    rows[3].reason = "Sanctions.";
    f.region.countries = LIST("DE");
    f.region.cross_border_other = SETTINGS_REVIEW;
    f.region.corridors = rows;
    f.region.corridors_count = 1;
    assert_int_equal(between(&f, "DE", "US"), VERDICT_ALLOW);
    assert_int_equal(reason_of(&f.decision, "corridor.to_us")->verdict, VERDICT_ALLOW);
    f.region.corridors_count = 4;
    assert_int_equal(between(&f, "DE", "US"),
                     VERDICT_CHALLENGE); /* the strictest, of those the first */
    assert_int_equal(f.decision.reason_count, 1);
    assert_non_null(reason_of(&f.decision, "corridor.all"));
    assert_int_equal(between(&f, "DE", "CA"), VERDICT_CHALLENGE);
    assert_int_equal(between(&f, "DE", "BR"), VERDICT_REVIEW); /* other */
    assert_int_equal(between(&f, "KP", "DE"), VERDICT_DENY);
    assert_string_equal(reason_of(&f.decision, "corridor.kp")->text,
                        "a payment from KP to DE. Sanctions.");
    /* The payee's country is not known; that the payer's is KP is. */
    assert_int_equal(between(&f, "KP", ""), VERDICT_DENY);
    assert_int_equal(between(&f, "", "KP"), VERDICT_ALLOW);
    rows[3].rails = LIST("bank");
    assert_int_equal(between(&f, "KP", "DE"), VERDICT_REVIEW);
    fixture_end(&f);
}

static void the_purpose(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.cross_border_purpose_required = true;
    assert_int_equal(between(&f, "DE", "US"), VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "cross_border.purpose"));
    assert_int_equal(between(&f, "DE", "DE"), VERDICT_ALLOW);
    fixture_fact(&f, "purpose", "GDDS");
    assert_int_equal(between(&f, "DE", "US"), VERDICT_ALLOW);
    fixture_end(&f);
}

/* TFR 2023/1113: above 1000 EUR more has to travel along. */
static void fields_from_a_threshold_on(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct field_settings field = field_row("travel");
    field.over = MONEYS(money_of(100000, "EUR"));
    field.needs = WHEN(CLAUSE("payer.name"), CLAUSE("payer.address|payer.birth_date"));
    f.region.fields = &field;
    f.region.fields_count = 1;
    countries(&f, "DE", "US");
    assert_int_equal(fixture_amount(&f, 100000, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 100001, "EUR")->verdict, VERDICT_DENY);
    assert_string_equal(reason_of(&f.decision, "field.travel")->text,
                        "missing: payer.name, payer.address or payer.birth_date; field.travel "
                        "needs it for 1000.01 EUR");
    fixture_fact(&f, "payer.name", "Ann Example");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    fixture_fact(&f, "payer.birth_date", "1970-01-01"); /* one of the two is enough */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.facts.values[FACT_PAYER_NAME].given = false;
    assert_int_equal(fixture_amount(&f, 100001, "USD")->verdict, VERDICT_ALLOW); /* not named */

    field.over = (struct settings_moneys){ 0 };
    field.from = MONEYS(money_of(100000, "EUR"));
    field.then = SETTINGS_THEN_REVIEW;
    assert_int_equal(fixture_amount(&f, 99999, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 100000, "EUR")->verdict, VERDICT_REVIEW);
    field.from = (struct settings_moneys){ 0 };
    assert_int_equal(fixture_amount(&f, 1, "JPY")->verdict, VERDICT_REVIEW); /* any amount */

    field.when = WHEN(CLAUSE("payee.type=business"));
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "fact.missing"));
    fixture_fact(&f, "payee.type", "person");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void fields_at_home_and_abroad(void **state)
{
    (void)state;
    static const struct {
        enum settings_scope scope;
        const char *payee;
        enum verdict expect;
    } rows[] = {
        { SETTINGS_CROSS_BORDER, "US", VERDICT_DENY },
        { SETTINGS_CROSS_BORDER, "DE", VERDICT_ALLOW },
        { SETTINGS_CROSS_BORDER, "", VERDICT_DENY },
        { SETTINGS_DOMESTIC, "US", VERDICT_ALLOW },
        { SETTINGS_DOMESTIC, "DE", VERDICT_DENY },
        { SETTINGS_DOMESTIC, "", VERDICT_ALLOW },
        { SETTINGS_ANY_SCOPE, "US", VERDICT_DENY },
        { SETTINGS_ANY_SCOPE, "DE", VERDICT_DENY },
        { SETTINGS_ANY_SCOPE, "", VERDICT_DENY },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_start(&f);
        struct field_settings field = field_row("travel");
        field.needs = WHEN(CLAUSE("payer.name"));
        field.scope = (int)rows[i].scope;
        f.region.fields = &field;
        f.region.fields_count = 1;
        assert_int_equal(between(&f, "DE", rows[i].payee), rows[i].expect);
        fixture_end(&f);
    }
}

/* --- screening ----------------------------------------------------------------------------- */

static void screened(struct fixture *f)
{
    static const struct list_settings lists[] = { { .name = "un" } };
    static const char *const names[] = { "un" };
    fixture_start(f);
    f->settings.lists = lists;
    f->settings.lists_count = 1;
    f->region.screening_lists = (struct settings_list){ names, 1 };
    f->facts.lists = LISTS_FINE;
}

static void a_missing_or_stale_list_is_no_pass(void **state)
{
    (void)state;
    struct fixture f;
    screened(&f);
    fixture_fact(&f, "payer.name", "Ann Example");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    static const enum list_state states[] = { LISTS_MISSING, LISTS_STALE, LISTS_NOT_ASKED };
    for (size_t i = 0; i < 3; i++) {
        f.facts.lists = states[i];
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
        assert_non_null(reason_of(&f.decision, "screening.lists"));
    }
    f.facts.values[FACT_PAYER_NAME].given = false; /* there was nobody to look up */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.facts.lists = LISTS_STALE;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    f.region.screening_rails = LIST("qr");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void a_score_at_and_under_the_threshold(void **state)
{
    (void)state;
    static const char *const facts[][2] = { { "payer.name", "payer.listed" },
                                            { "payee.name", "payee.listed" } };
    static const char *const rules[] = { "screening.payer", "screening.payee" };
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        screened(&f);
        fixture_fact(&f, facts[i][0], "Ann Example");
        fixture_fact(&f, facts[i][1], "89");
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
        fixture_fact(&f, facts[i][1], "90");
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_REVIEW);
        assert_non_null(reason_of(&f.decision, rules[i]));
        f.region.screening_hit = SETTINGS_DENY;
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
        f.region.screening_payer = i != 0; /* this party is not looked up */
        f.region.screening_payee = i != 1;
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
        fixture_end(&f);
    }
}

static void parties_without_a_name(void **state)
{
    (void)state;
    struct fixture f;
    screened(&f);
    f.region.screening_payee = false;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.region.screening_nameless = SETTINGS_DENY;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "screening.nameless"));
    fixture_fact(&f, "payer.name", "Ann Example");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_crosses_the_border),
        cmocka_unit_test(corridors),
        cmocka_unit_test(the_purpose),
        cmocka_unit_test(fields_from_a_threshold_on),
        cmocka_unit_test(fields_at_home_and_abroad),
        cmocka_unit_test(a_missing_or_stale_list_is_no_pass),
        cmocka_unit_test(a_score_at_and_under_the_threshold),
        cmocka_unit_test(parties_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
