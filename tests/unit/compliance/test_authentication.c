/* test_authentication.c - strong authentication and its exemptions, with the figures of RTS
 * 2018/389: low value 30/100/5 (Art. 16), contactless 50/150/5 (Art. 11), transaction risk 0.13 %
 * to 100 EUR (Art. 18).
 */
#include "profile_fixture.h"

static struct money thirty, hundred, fifty, hundred_fifty;

static void eu(struct fixture *f, struct exemption_settings rows[3])
{
    thirty = money_of(3000, "EUR");
    hundred = money_of(10000, "EUR");
    fifty = money_of(5000, "EUR");
    hundred_fifty = money_of(15000, "EUR");
    static const struct settings_clause remote = { "entry=manual", 7, 13 };
    static const struct settings_clause near_by = { "entry=contactless", 7, 13 };
    rows[0] = exemption_row("low_value");
    rows[0].when = (struct settings_clauses){ &remote, 1 };
    rows[0].max = (struct settings_moneys){ &thirty, 1 };
    rows[0].total = (struct settings_moneys){ &hundred, 1 };
    rows[0].count = 5;
    rows[1] = exemption_row("contactless");
    rows[1].per = SETTINGS_EXEMPTION_PER_ACCOUNT;
    rows[1].when = (struct settings_clauses){ &near_by, 1 };
    rows[1].max = (struct settings_moneys){ &fifty, 1 };
    rows[1].total = (struct settings_moneys){ &hundred_fifty, 1 };
    rows[1].count = 5;
    rows[2] = exemption_row("tra_100");
    rows[2].when = (struct settings_clauses){ &remote, 1 };
    rows[2].max = (struct settings_moneys){ &hundred, 1 };
    rows[2].fraud_rate_max_ppm = 1300;
    fixture_start(f);
    f->region.authentication_required = true;
    f->region.exemptions = rows;
    f->region.exemptions_count = 3;
    fixture_fact(f, "payer.id", "p1");
    fixture_fact(f, "payer.account", "a1");
    fixture_fact(f, "entry", "manual");
}

static void needed_unless_something_exempts(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    eu(&f, rows);
    assert_int_equal(fixture_amount(&f, 3000, "EUR")->verdict, VERDICT_ALLOW);
    assert_string_equal(f.decision.exemption, "exemption.low_value");
    assert_false(f.decision.authentication_needed);
    assert_int_equal(fixture_amount(&f, 3001, "EUR")->verdict, VERDICT_CHALLENGE);
    assert_string_equal(f.decision.exemption, "");
    assert_true(f.decision.authentication_needed);
    assert_non_null(reason_of(&f.decision, "authentication.required"));
    /* Another currency is not exempt. */
    assert_int_equal(fixture_amount(&f, 1, "USD")->verdict, VERDICT_CHALLENGE);
    /* Who is not known has no counters, and so no exemption that needs them. */
    f.facts.values[FACT_PAYER_ID].given = false;
    assert_int_equal(fixture_amount(&f, 3000, "EUR")->verdict, VERDICT_CHALLENGE);
    fixture_end(&f);
}

static void where_it_is_needed(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    eu(&f, rows);
    (void)fixture_amount(&f, 3001, "EUR");
    f.region.authentication_when = WHEN(CLAUSE("initiator=payer"));
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_CHALLENGE); /* when nothing is said */
    fixture_fact(&f, "initiator", "merchant");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.region.authentication_when = WHEN(CLAUSE("payer.country=DE"));
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "fact.missing"));
    f.region.authentication_when.count = 0;
    f.region.authentication_rails = LIST("bank", "card");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_CHALLENGE);
    f.region.authentication_rails = LIST("bank");
    rows[0].rails = rows[1].rails = rows[2].rails = LIST("bank");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void counters_since_the_last_authentication(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    bool reports;
    eu(&f, rows);
    const struct reservation *r =
        reservation_of(fixture_amount(&f, 3000, "EUR"), "exemption.low_value");
    assert_non_null(r);
    assert_int_equal(f.decision.reservation_count, 1);
    assert_int_equal(r->kind, RESERVE_SINCE_AUTHENTICATION);
    assert_true(view_is(r->subject, "p1"));
    assert_int_equal(r->amount_max, 10000);
    assert_int_equal(r->count_max, 5);
    assert_int_equal(reservation_judge(r, 3000, 7000, 4, &reports), VERDICT_ALLOW);
    assert_int_equal(reservation_judge(r, 3000, 7001, 4, &reports), VERDICT_CHALLENGE);
    assert_int_equal(reservation_judge(r, 1, 0, 5, &reports), VERDICT_CHALLENGE);
    fixture_fact(&f, "entry", "contactless");
    r = reservation_of(fixture_amount(&f, 5000, "EUR"), "exemption.contactless");
    assert_int_equal(r->per, SETTINGS_PER_ACCOUNT);
    assert_true(view_is(r->subject, "a1"));
    assert_int_equal(r->amount_max, 15000);
    assert_int_equal(fixture_amount(&f, 5001, "EUR")->verdict, VERDICT_CHALLENGE);
    fixture_end(&f);
}

static void those_without_counters_come_first(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    eu(&f, rows);
    f.region.authentication_fraud_rate_ppm = 1300;
    assert_int_equal(fixture_amount(&f, 3000, "EUR")->verdict, VERDICT_ALLOW);
    assert_string_equal(f.decision.exemption, "exemption.tra_100");
    assert_int_equal(f.decision.reservation_count, 0);
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_CHALLENGE);
    f.region.authentication_fraud_rate_ppm = 1301;
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->verdict, VERDICT_CHALLENGE);
    assert_string_equal(fixture_amount(&f, 3000, "EUR")->exemption, "exemption.low_value");
    /* Without a fact that it asks for, an exemption does not hold; nothing is denied for it. */
    rows[0].when = WHEN(CLAUSE("payer.country=DE"));
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_CHALLENGE);
    assert_null(reason_of(&f.decision, "fact.missing"));
    fixture_end(&f);
}

static size_t resets(const struct decision *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->reservation_count; i++) {
        count += d->reservations[i].kind == RESERVE_RESET;
        assert_true(d->reservations[i].kind == RESERVE_RESET);
        assert_false(d->reservations[i].counts);
    }
    return count;
}

static void an_authentication_begins_anew(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    eu(&f, rows);
    facts_flag(&f.facts, FACT_AUTHENTICATED, true);
    assert_int_equal(fixture_amount(&f, 100000, "EUR")->verdict, VERDICT_ALLOW);
    assert_false(f.decision.authentication_needed);
    assert_int_equal(resets(&f.decision), 2);
    assert_true(view_is(reservation_of(&f.decision, "exemption.low_value")->subject, "p1"));
    assert_true(view_is(reservation_of(&f.decision, "exemption.contactless")->subject, "a1"));
    rows[1].rails = LIST("bank");
    assert_int_equal(resets(fixture_decide(&f)), 1); /* only of this rail */
    rows[1].rails.count = 0;
    /* Challenged: carried out when the payer was authenticated. */
    facts_flag(&f.facts, FACT_AUTHENTICATED, false);
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_CHALLENGE);
    assert_int_equal(resets(&f.decision), 2);
    /* No currency of theirs. */
    assert_int_equal(resets(fixture_amount(&f, 1, "USD")), 0);
    fixture_end(&f);
}

/* An exemption lets it through, another rule challenges: the payer is authenticated all the same,
 * and nothing is counted for the exemption. */
static void a_challenge_by_another_rule(void **state)
{
    (void)state;
    struct fixture f;
    struct exemption_settings rows[3];
    struct rule_settings rule = rule_row("odd", SETTINGS_THEN_CHALLENGE);
    eu(&f, rows);
    f.region.rules = &rule;
    f.region.rules_count = 1;
    assert_int_equal(fixture_amount(&f, 3000, "EUR")->verdict, VERDICT_CHALLENGE);
    assert_false(f.decision.authentication_needed);
    assert_string_equal(f.decision.exemption, "");
    assert_int_equal(resets(&f.decision), 2);
    facts_flag(&f.facts, FACT_AUTHENTICATED, true);
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    assert_int_equal(reason_of(&f.decision, "rule.odd")->verdict, VERDICT_ALLOW);
    /* A review is not met by it. */
    rule.then = SETTINGS_THEN_REVIEW;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_REVIEW);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needed_unless_something_exempts),
        cmocka_unit_test(where_it_is_needed),
        cmocka_unit_test(counters_since_the_last_authentication),
        cmocka_unit_test(those_without_counters_come_first),
        cmocka_unit_test(an_authentication_begins_anew),
        cmocka_unit_test(a_challenge_by_another_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
