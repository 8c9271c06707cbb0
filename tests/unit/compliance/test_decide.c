/* test_decide.c - the profile as a whole, tiers, limits and counters: both sides of every figure.
 */
#include "profile_fixture.h"

#include "compliance/zone.h"

/* --- the profile as a whole ---------------------------------------------------------------- */

static void a_permissive_profile_allows(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    const struct decision *d = fixture_amount(&f, INT64_MAX, "EUR");
    assert_int_equal(d->verdict, VERDICT_ALLOW);
    assert_int_equal(d->reason_count + d->reservation_count + d->report_count, 0);
    assert_string_equal(d->profile, "eu");
    assert_string_equal(d->version, "7");
    assert_string_equal(d->content_hash, "00112233445566778899aabbccddeeff");
    assert_string_equal(d->exemption, "");
    assert_int_equal(d->wrong_max, 5);
    fixture_end(&f);
}

static void without_a_profile_it_is_denied(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    compliance_decide(NULL, &f.facts, NULL, &f.decision);
    assert_int_equal(f.decision.verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "region.none"));
    assert_string_equal(f.decision.profile, "");
    fixture_end(&f);
}

static void it_holds_from_and_until(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.effective_from_us = NOON;
    f.region.effective_until_us = NOON + DAY;
    f.facts.wall_us = NOON - 1;
    assert_non_null(reason_of(fixture_decide(&f), "region.effective_from"));
    assert_int_equal(f.decision.verdict, VERDICT_DENY);
    f.facts.wall_us = NOON;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.facts.wall_us = NOON + DAY - 1;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.facts.wall_us = NOON + DAY;
    assert_non_null(reason_of(fixture_decide(&f), "region.effective_until"));
    assert_int_equal(f.decision.verdict, VERDICT_DENY);
    fixture_end(&f);
}

static void rails_currencies_and_abstract(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.rails = LIST("card", "qr");
    f.region.currencies = LIST("EUR");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    assert_non_null(reason_of(fixture_amount(&f, 1, "USD"), "region.currencies"));
    assert_int_equal(f.decision.verdict, VERDICT_DENY);
    facts_start(&f.facts, RAIL_BANK, PAYMENT_KIND_PURCHASE, money_of(1, "USD"), NOON);
    assert_int_equal(fixture_decide(&f)->reason_count, 2); /* each is recorded */
    assert_non_null(reason_of(&f.decision, "region.rails"));
    f.region.abstract = true;
    assert_non_null(reason_of(fixture_decide(&f), "region.abstract"));
    fixture_end(&f);
}

static void records_must_live_where_they_may(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.data_residency = LIST("IN");
    assert_non_null(reason_of(fixture_decide(&f), "data.residency")); /* not configured */
    f.facts.store_country = VIEW("SG");
    assert_non_null(reason_of(fixture_decide(&f), "data.residency"));
    assert_int_equal(f.decision.verdict, VERDICT_DENY);
    f.facts.store_country = VIEW("IN");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    assert_int_equal(f.decision.residency.count, 1);
    fixture_end(&f);
}

/* --- limits -------------------------------------------------------------------------------- */

static void a_payment_at_and_over_a_figure(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct limit_settings limit = limit_row("single");
    f.region.limits = &limit;
    f.region.limits_count = 1;
    limit.max = MONEYS(money_of(10000, "EUR"), money_of(500, "JPY"));
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_DENY);
    assert_string_equal(reason_of(&f.decision, "limit.single")->text,
                        "100.01 EUR is over 100.00 EUR for limit single");
    assert_string_equal(reason_of(&f.decision, "limit.single")->source, "a law");
    assert_int_equal(fixture_amount(&f, 500, "JPY")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 501, "JPY")->verdict, VERDICT_DENY);
    assert_int_equal(fixture_amount(&f, 1000000, "USD")->verdict, VERDICT_ALLOW); /* not named */

    limit.max = (struct settings_moneys){ 0 };
    limit.from = MONEYS(money_of(10000, "EUR"));
    limit.then = SETTINGS_THEN_REVIEW;
    assert_int_equal(fixture_amount(&f, 9999, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->verdict, VERDICT_REVIEW);
    assert_int_equal(f.decision.valid_for_us, 7 * DAY);

    limit.from = (struct settings_moneys){ 0 };
    limit.min = MONEYS(money_of(100, "EUR"));
    limit.then = SETTINGS_THEN_CHALLENGE;
    assert_int_equal(fixture_amount(&f, 100, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 99, "EUR")->verdict, VERDICT_CHALLENGE);
    assert_int_equal(f.decision.valid_for_us, INT64_C(600000000));
    assert_false(f.decision.authentication_needed);
    /* A payer who is authenticated has met the challenge. */
    facts_flag(&f.facts, FACT_AUTHENTICATED, true);
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    assert_non_null(reason_of(&f.decision, "limit.single"));
    facts_flag(&f.facts, FACT_AUTHENTICATED, false);

    limit.min = (struct settings_moneys){ 0 };
    limit.max = MONEYS(money_of(10000, "EUR"));
    limit.then = SETTINGS_THEN_LAST;
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->report_count, 0);
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_ALLOW);
    assert_true(reported(&f.decision, "limit.single"));
    assert_int_equal(f.decision.reason_count, 0);

    limit.rails = LIST("qr");
    limit.then = SETTINGS_THEN_DENY;
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

/* Pix at night: 20:00 to 06:00 in Sao Paulo, first second included, last not. */
static void hours_in_the_regions_own_zone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct limit_settings limit = limit_row("pix_night");
    limit.hours = (struct settings_hours){ 20 * 3600, 6 * 3600, true };
    limit.max = MONEYS(money_of(100000, "BRL"));
    limit.reason = "Nights are calmer.";
    f.region.time_zone = "America/Sao_Paulo";
    f.region.limits = &limit;
    f.region.limits_count = 1;
    int64_t eight = NOON + 11 * HOUR; /* 23:00 UTC */
    f.facts.wall_us = eight - 1;
    assert_int_equal(fixture_amount(&f, 100001, "BRL")->verdict, VERDICT_ALLOW);
    f.facts.wall_us = eight;
    assert_int_equal(fixture_amount(&f, 100001, "BRL")->verdict, VERDICT_DENY);
    assert_string_equal(reason_of(&f.decision, "limit.pix_night")->text,
                        "1000.01 BRL is over 1000.00 BRL for limit pix_night, 20:00-06:00 "
                        "America/Sao_Paulo. Nights are calmer.");
    assert_int_equal(fixture_amount(&f, 100000, "BRL")->verdict, VERDICT_ALLOW);
    f.facts.wall_us = eight + 10 * HOUR - 1;
    assert_int_equal(fixture_amount(&f, 100001, "BRL")->verdict, VERDICT_DENY);
    f.facts.wall_us = eight + 10 * HOUR;
    assert_int_equal(fixture_amount(&f, 100001, "BRL")->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void a_limit_that_needs_a_missing_fact(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct limit_settings limit = limit_row("single");
    limit.max = MONEYS(money_of(10000, "EUR"));
    limit.when = WHEN(CLAUSE("payer.type=person"));
    f.region.limits = &limit;
    f.region.limits_count = 1;
    /* The figure is one of its conditions: an amount that it does not touch needs no fact. */
    assert_int_equal(fixture_amount(&f, 10000, "EUR")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_DENY);
    assert_string_equal(reason_of(&f.decision, "fact.missing")->text,
                        "fact missing: payer.type, which limit.single needs");
    fixture_fact(&f, "payer.type", "business");
    assert_int_equal(fixture_amount(&f, 10001, "EUR")->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void sums_become_reservations(void **state)
{
    (void)state;
    static const struct {
        enum settings_per per;
        const char *fact;
    } subjects[] = {
        { SETTINGS_PER_PAYER, "payer.id" },        { SETTINGS_PER_PAYEE, "payee.id" },
        { SETTINGS_PER_ACCOUNT, "payer.account" }, { SETTINGS_PER_DEVICE, "device.id" },
        { SETTINGS_PER_MERCHANT, "merchant" },
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        struct fixture f;
        fixture_start(&f);
        struct limit_settings limit = limit_row("sum");
        limit.per = (int)subjects[i].per;
        limit.window = (struct settings_window){ SETTINGS_WINDOW_SLIDING, DAY };
        limit.max = MONEYS(money_of(20000, "EUR"));
        limit.count = 3;
        f.region.limits = &limit;
        f.region.limits_count = 1;
        /* Nobody to count for. */
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
        assert_non_null(reason_of(&f.decision, "fact.missing"));
        limit.then = SETTINGS_THEN_LAST; /* who only reports is silent then */
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
        assert_int_equal(f.decision.reservation_count, 0);
        limit.then = SETTINGS_THEN_REVIEW;
        fixture_fact(&f, subjects[i].fact, "someone");
        assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
        const struct reservation *r = reservation_of(&f.decision, "limit.sum");
        assert_non_null(r);
        assert_int_equal(r->kind, RESERVE_SLIDING);
        assert_int_equal(r->window_us, DAY);
        assert_int_equal(r->per, subjects[i].per);
        assert_true(view_is(r->subject, "someone"));
        assert_string_equal(r->counter, "limit.sum");
        assert_int_equal(r->amount_max, 20000);
        assert_int_equal(r->amount_from, -1);
        assert_int_equal(r->count_max, 3);
        assert_int_equal(r->verdict, VERDICT_REVIEW);
        assert_true(r->counts);
        assert_false(r->report);
        /* Another currency is not its business. */
        assert_int_equal(fixture_amount(&f, 1, "USD")->reservation_count, 0);
        fixture_end(&f);
    }
}

/* A month in Berlin begins at 23:00 UTC in winter and at 22:00 in summer. */
static void periods_begin_at_local_midnight(void **state)
{
    (void)state;
    static const struct {
        enum settings_window_kind kind;
        int64_t at_us, start_us;
    } rows[] = {
        { SETTINGS_WINDOW_DAY, NOON, INT64_C(1795302000000000) },   /* 2026-11-21T23:00Z */
        { SETTINGS_WINDOW_WEEK, NOON, INT64_C(1794783600000000) },  /* 2026-11-15T23:00Z, Monday */
        { SETTINGS_WINDOW_MONTH, NOON, INT64_C(1793487600000000) }, /* 2026-10-31T23:00Z */
        { SETTINGS_WINDOW_YEAR, NOON, INT64_C(1767222000000000) },  /* 2025-12-31T23:00Z */
        { SETTINGS_WINDOW_MONTH, INT64_C(1782900000000000),
          INT64_C(1782856800000000) }, /* July: 2026-06-30T22:00Z */
        { SETTINGS_WINDOW_DAY, INT64_C(1774749600000000),
          INT64_C(1774738800000000) }, /* 2026-03-29T02:00Z, a day of 23 hours */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_start(&f);
        struct limit_settings limit = limit_row("sum");
        limit.per = SETTINGS_PER_PAYER;
        limit.window = (struct settings_window){ rows[i].kind, 0 };
        limit.max = MONEYS(money_of(20000, "EUR"));
        f.region.time_zone = "Europe/Berlin";
        f.region.effective_from_us = 1;
        f.region.limits = &limit;
        f.region.limits_count = 1;
        f.facts.wall_us = rows[i].at_us;
        fixture_fact(&f, "payer.id", "p1");
        const struct reservation *r = reservation_of(fixture_decide(&f), "limit.sum");
        assert_non_null(r);
        assert_int_equal(r->kind, RESERVE_PERIOD);
        assert_int_equal(r->start_us, rows[i].start_us);
        fixture_end(&f);
    }
}

static void what_a_counter_says(void **state)
{
    (void)state;
    bool reports;
    struct reservation r = { .kind = RESERVE_PERIOD,
                             .window = SETTINGS_WINDOW_DAY,
                             .per = SETTINGS_PER_PAYER,
                             .amount_max = 20000,
                             .amount_from = -1,
                             .verdict = VERDICT_DENY,
                             .text = "" };
    assert_int_equal(reservation_judge(&r, 100, 19900, 0, &reports), VERDICT_ALLOW);
    assert_int_equal(reservation_judge(&r, 101, 19900, 0, &reports), VERDICT_DENY);
    assert_int_equal(reservation_judge(&r, INT64_MAX, INT64_MAX, 0, &reports), VERDICT_DENY);
    assert_false(reports);
    r.amount_max = -1;
    r.amount_from = 20000;
    assert_int_equal(reservation_judge(&r, 99, 19900, 0, &reports), VERDICT_ALLOW);
    assert_int_equal(reservation_judge(&r, 100, 19900, 0, &reports), VERDICT_DENY);
    r.amount_from = -1;
    r.count_max = 5;
    assert_int_equal(reservation_judge(&r, 1, 0, 4, &reports), VERDICT_ALLOW);
    assert_int_equal(reservation_judge(&r, 1, 0, 5, &reports), VERDICT_DENY);
    assert_int_equal(reservation_judge(&r, 1, 0, INT64_MAX, &reports), VERDICT_DENY);
    r.count_max = 0; /* nothing is limited */
    assert_int_equal(reservation_judge(&r, INT64_MAX, INT64_MAX, INT64_MAX, &reports),
                     VERDICT_ALLOW);
    /* A report only by the payment that crosses. */
    r.amount_max = 20000;
    r.verdict = VERDICT_ALLOW;
    r.report = true;
    assert_int_equal(reservation_judge(&r, 100, 19900, 0, &reports), VERDICT_ALLOW);
    assert_false(reports);
    assert_int_equal(reservation_judge(&r, 101, 19900, 0, &reports), VERDICT_ALLOW);
    assert_true(reports);
    assert_int_equal(reservation_judge(&r, 101, 20001, 0, &reports), VERDICT_ALLOW);
    assert_false(reports);
    r.kind = RESERVE_RESET;
    assert_int_equal(reservation_judge(&r, 101, 19900, 0, &reports), VERDICT_ALLOW);
    assert_false(reports);
}

static void counters_have_sentences(void **state)
{
    (void)state;
    char text[DECISION_TEXT_MAX];
    struct money amount = money_of(100, "BRL");
    struct reservation r = { .kind = RESERVE_PERIOD,
                             .window = SETTINGS_WINDOW_DAY,
                             .per = SETTINGS_PER_PAYER,
                             .amount_max = 20000,
                             .amount_from = -1,
                             .verdict = VERDICT_DENY,
                             .text = "Because" };
    reservation_text(&r, amount, 20000, 0, text);
    assert_string_equal(text, "With this payment the payer's sum of the day is 201.00 BRL, over "
                              "200.00 BRL. Because");
    reservation_text(&r, amount, 0, 0, text);
    assert_string_equal(text,
                        "With this payment the payer's sum of the day is 1.00 BRL, at most 200.00 "
                        "BRL");
    r.kind = RESERVE_SLIDING;
    r.window = SETTINGS_WINDOW_SLIDING;
    r.window_us = 30 * DAY;
    r.per = SETTINGS_PER_DEVICE;
    r.amount_max = -1;
    r.amount_from = 20000;
    reservation_text(&r, amount, 19900, 0, text);
    assert_string_equal(text,
                        "With this payment the device's sum of the last 30 days is 200.00 BRL, "
                        "reaches 200.00 BRL. Because");
    r.amount_from = -1;
    r.count_max = 5;
    r.window_us = DAY;
    reservation_text(&r, amount, 0, 5, text);
    assert_string_equal(text, "With this payment the device's number of payments of the last 24 "
                              "hours is 6, over 5. Because");
    r.kind = RESERVE_SINCE_AUTHENTICATION;
    r.per = SETTINGS_PER_ACCOUNT;
    r.text = "";
    reservation_text(&r, amount, 0, 5, text);
    /* Of an account never how much: it is counted at all merchants, and each of them reads this. */
    assert_string_equal(text, "With this payment the account's number of payments since the last "
                              "authentication is over 5");
    r.count_max = 0;
    r.amount_max = 10000;
    reservation_text(&r, amount, 123456, 5, text);
    assert_null(strstr(text, "1235.56"));
    assert_non_null(strstr(text, "is over 100.00 BRL"));
}

/* --- tiers --------------------------------------------------------------------------------- */

static void tiers(struct fixture *f, struct tier_settings rows[2])
{
    static struct money single, day, month, year, balance, day_more;
    single = money_of(200000, "CNY");
    day = money_of(500000, "CNY");
    month = money_of(1000000, "CNY");
    year = money_of(5000000, "CNY");
    balance = money_of(1000000, "CNY");
    day_more = money_of(10000000, "CNY");
    static const char *const rails[] = { "cbdc" };
    rows[0] = tier_row(0);
    rows[0].rails = (struct settings_list){ rails, 1 };
    rows[0].single = (struct settings_moneys){ &single, 1 };
    rows[0].day = (struct settings_moneys){ &day, 1 };
    rows[0].month = (struct settings_moneys){ &month, 1 };
    rows[0].year = (struct settings_moneys){ &year, 1 };
    rows[0].balance = (struct settings_moneys){ &balance, 1 };
    rows[1] = tier_row(1);
    rows[1].rails = (struct settings_list){ rails, 1 };
    rows[1].day = (struct settings_moneys){ &day_more, 1 };
    f->region.tiers = rows;
    f->region.tiers_count = 2;
    f->region.time_zone = "Asia/Shanghai";
    facts_start(&f->facts, RAIL_CBDC, PAYMENT_KIND_PURCHASE, money_of(200000, "CNY"), NOON);
    fixture_fact(f, "payer.id", "p1");
    fixture_fact(f, "payer.kyc_tier", "0");
}

static void a_tier_and_its_figures(void **state)
{
    (void)state;
    struct fixture f;
    struct tier_settings rows[2];
    fixture_start(&f);
    tiers(&f, rows);
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    assert_int_equal(f.decision.reservation_count, 3);
    const struct reservation *day = reservation_of(&f.decision, "kyc.tier_day");
    assert_int_equal(day->amount_max, 500000);
    assert_int_equal(day->verdict, VERDICT_DENY);
    assert_int_equal(day->start_us, INT64_C(1795276800000000)); /* midnight in Shanghai */
    assert_int_equal(reservation_of(&f.decision, "kyc.tier_month")->amount_max, 1000000);
    assert_int_equal(reservation_of(&f.decision, "kyc.tier_year")->amount_max, 5000000);
    char counter[64];
    assert_int_equal(view_to_text(view_text(day->counter), counter, sizeof counter), STATUS_OK);
    assert_int_equal(fixture_amount(&f, 200001, "CNY")->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "kyc.tier_single"));
    /* Who is moved to another tier keeps what was spent. */
    fixture_fact(&f, "payer.kyc_tier", "1");
    assert_int_equal(fixture_amount(&f, 200001, "CNY")->verdict, VERDICT_ALLOW);
    day = reservation_of(&f.decision, "kyc.tier_day");
    assert_int_equal(day->amount_max, 10000000);
    assert_string_equal(day->counter, counter);
    /* A tier without an entry for the rail. */
    fixture_fact(&f, "payer.kyc_tier", "2");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "kyc.tier"));
    /* On another rail there are no tiers at all. */
    f.facts.rail = RAIL_CARD;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

static void payers_without_a_tier(void **state)
{
    (void)state;
    static const enum settings_verdict verdicts[] = { SETTINGS_ALLOW, SETTINGS_CHALLENGE,
                                                      SETTINGS_REVIEW, SETTINGS_DENY };
    struct fixture f;
    struct tier_settings rows[2];
    fixture_start(&f);
    tiers(&f, rows);
    f.facts.values[FACT_PAYER_KYC_TIER].given = false;
    for (size_t i = 0; i < 4; i++) {
        f.region.kyc_without_tier = (int)verdicts[i];
        assert_int_equal(fixture_decide(&f)->verdict, (enum verdict)verdicts[i]);
        assert_int_equal(reason_of(&f.decision, "kyc.without_tier") != NULL, i > 0);
        assert_int_equal(f.decision.reservation_count, 0);
    }
    f.region.kyc_without_tier = SETTINGS_ALLOW;
    fixture_fact(&f, "payer.kyc_tier", "0");
    f.facts.values[FACT_PAYER_ID].given = false; /* nobody to count for */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_int_equal(f.decision.reason_count, 1);
    assert_non_null(reason_of(&f.decision, "fact.missing"));
    fixture_end(&f);
}

static void what_may_be_held(void **state)
{
    (void)state;
    struct fixture f;
    struct tier_settings rows[2];
    fixture_start(&f);
    tiers(&f, rows);
    fixture_fact(&f, "payer.kyc_tier", "1");
    fixture_fact(&f, "kind", "top_up");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY); /* the payee's tier is not known */
    fixture_fact(&f, "payee.kyc_tier", "0");
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY); /* nor the balance */
    fixture_fact(&f, "payee.balance", "800000");
    assert_int_equal(fixture_amount(&f, 200000, "CNY")->verdict, VERDICT_ALLOW);
    assert_int_equal(fixture_amount(&f, 200001, "CNY")->verdict, VERDICT_DENY);
    assert_string_equal(
        reason_of(&f.decision, "kyc.tier_balance")->text,
        "with this payment the payee would hold 10000.01 CNY, over 10000.00 CNY for "
        "tier 0");
    fixture_fact(&f, "payee.balance", "9223372036854775807");
    assert_int_equal(fixture_amount(&f, 1, "CNY")->verdict, VERDICT_DENY);
    fixture_fact(&f, "payee.kyc_tier", "1"); /* no figure */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_fact(&f, "payee.kyc_tier", "0");
    fixture_fact(&f, "kind", "purchase"); /* fills no wallet */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    fixture_end(&f);
}

/* --- rules, and when there is no room ------------------------------------------------------ */

static void the_strictest_wins_and_all_are_recorded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rows[] = { rule_row("a", SETTINGS_THEN_LAST),
                                    rule_row("b", SETTINGS_THEN_CHALLENGE),
                                    rule_row("c", SETTINGS_THEN_REVIEW),
                                    rule_row("d", SETTINGS_THEN_DENY),
                                    rule_row("e", SETTINGS_THEN_RULE_REPORT) };
    static const enum verdict verdicts[] = { VERDICT_ALLOW, VERDICT_CHALLENGE, VERDICT_REVIEW,
                                             VERDICT_DENY, VERDICT_DENY };
    rows[3].reason = "No.";
    f.region.rules = rows;
    for (size_t i = 0; i < 5; i++) {
        f.region.rules_count = i + 1;
        assert_int_equal(fixture_decide(&f)->verdict, verdicts[i]);
        assert_int_equal(f.decision.reason_count, i < 4 ? i + 1 : 4);
    }
    assert_string_equal(reason_of(&f.decision, "rule.d")->text, "No.");
    assert_int_equal(reason_of(&f.decision, "rule.b")->verdict, VERDICT_CHALLENGE);
    assert_true(reported(&f.decision, "rule.e"));
    rows[3].hours = (struct settings_hours){ 13 * 3600, 14 * 3600, true }; /* it is 12:00 */
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_REVIEW);
    fixture_end(&f);
}

static void more_than_a_decision_has_room_for(void **state)
{
    (void)state;
    static struct rule_settings rules[40];
    static struct limit_settings limits[40];
    static char names[40][8];
    struct fixture f;
    fixture_start(&f);
    for (size_t i = 0; i < 40; i++) {
        struct writer w = writer_over(names[i], sizeof names[i]);
        writer_format(&w, "r%zu", i);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        rules[i] = rule_row(names[i], SETTINGS_THEN_LAST);
        limits[i] = limit_row(names[i]);
        limits[i].per = SETTINGS_PER_PAYER;
        limits[i].window = (struct settings_window){ SETTINGS_WINDOW_DAY, 0 };
        limits[i].count = 5;
    }
    fixture_fact(&f, "payer.id", "p1");
    f.region.rules = rules;
    f.region.rules_count = DECISION_REASONS_MAX;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.region.rules_count = 40;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_int_equal(f.decision.reason_count, DECISION_REASONS_MAX);
    assert_non_null(reason_of(&f.decision, "evaluation.limit"));
    for (size_t i = 0; i < 40; i++)
        rules[i].then = SETTINGS_THEN_RULE_REPORT;
    f.region.rules_count = DECISION_REPORTS_MAX;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.region.rules_count = DECISION_REPORTS_MAX + 1;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "evaluation.limit"));
    f.region.rules_count = 0;
    f.region.limits = limits;
    f.region.limits_count = DECISION_RESERVATIONS_MAX;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_ALLOW);
    f.region.limits_count = DECISION_RESERVATIONS_MAX + 1;
    assert_int_equal(fixture_decide(&f)->verdict, VERDICT_DENY);
    assert_non_null(reason_of(&f.decision, "evaluation.limit"));
    assert_int_equal(f.decision.reservation_count, DECISION_RESERVATIONS_MAX);
    fixture_end(&f);
}

static void a_long_reason_is_cut_at_a_letter(void **state)
{
    (void)state;
    static char reason[401];
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rule = rule_row("long", SETTINGS_THEN_DENY);
    for (size_t i = 0; i < 400; i += 2)
        memcpy(reason + i, "\xc3\xbc", 2);
    rule.reason = reason;
    f.region.rules = &rule;
    f.region.rules_count = 1;
    const char *text = reason_of(fixture_decide(&f), "rule.long")->text;
    assert_int_equal(strlen(text), 198);
    assert_true(view_is_utf8(view_text(text)));
    fixture_end(&f);
}

/* --- who watches --------------------------------------------------------------------------- */

struct watcher {
    size_t count;
    enum rule_state state;
    char rule[40], figure[100], facts[100];
};
static void watch(void *arg, const struct rule_seen *seen)
{
    struct watcher *w = arg;
    w->count++;
    if (strcmp(seen->section, "limits") != 0)
        return;
    w->state = seen->state;
    assert_int_equal(view_to_text(view_text(seen->rule), w->rule, sizeof w->rule), STATUS_OK);
    assert_int_equal(view_to_text(view_text(seen->figure), w->figure, sizeof w->figure), STATUS_OK);
    assert_int_equal(view_to_text(view_text(seen->facts), w->facts, sizeof w->facts), STATUS_OK);
}

static void whoever_watches_sees_every_rule(void **state)
{
    (void)state;
    struct fixture f;
    struct watcher w = { 0 };
    const struct compliance_watch watcher = { watch, &w };
    fixture_start(&f);
    struct limit_settings limit = limit_row("day");
    limit.max = MONEYS(money_of(20000, "EUR"));
    limit.when = WHEN(CLAUSE("payer.type=person"), CLAUSE("cross_border=no"));
    f.region.limits = &limit;
    f.region.limits_count = 1;
    fixture_fact(&f, "payer.country", "DE");
    fixture_fact(&f, "payee.country", "DE");
    fixture_fact(&f, "payer.type", "person");
    static const struct {
        int64_t minor;
        const char *type;
        enum rule_state state;
    } rows[] = { { 20000, "person", RULE_NOT_FIRED },
                 { 20001, "person", RULE_FIRED },
                 { 20001, "business", RULE_NOT_ABOUT_IT },
                 { 20001, "", RULE_UNKNOWN } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].type[0] != '\0')
            fixture_fact(&f, "payer.type", rows[i].type);
        else
            f.facts.values[FACT_PAYER_TYPE].given = false;
        (void)fixture_amount(&f, rows[i].minor, "EUR");
        struct decision quiet = f.decision;
        compliance_decide(f.profile, &f.facts, &watcher, &f.decision);
        assert_memory_equal(&quiet, &f.decision, sizeof quiet); /* watching changes nothing */
        assert_int_equal(w.state, rows[i].state);
        assert_string_equal(w.rule, "limit.day");
        assert_string_equal(w.figure, "max 200.00 EUR");
    }
    assert_string_equal(w.facts, "amount=200.01 EUR payer.type=- cross_border=no");
    limit.per = SETTINGS_PER_PAYER;
    limit.window = (struct settings_window){ SETTINGS_WINDOW_DAY, 0 };
    limit.when.count = 0;
    fixture_fact(&f, "payer.id", "p1");
    (void)fixture_decide(&f);
    compliance_decide(f.profile, &f.facts, &watcher, &f.decision);
    assert_int_equal(w.state, RULE_RESERVES);
    assert_string_equal(w.figure, "window day per payer, max 200.00 EUR");
    assert_true(w.count > 20);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permissive_profile_allows),
        cmocka_unit_test(without_a_profile_it_is_denied),
        cmocka_unit_test(it_holds_from_and_until),
        cmocka_unit_test(rails_currencies_and_abstract),
        cmocka_unit_test(records_must_live_where_they_may),
        cmocka_unit_test(a_payment_at_and_over_a_figure),
        cmocka_unit_test(hours_in_the_regions_own_zone),
        cmocka_unit_test(a_limit_that_needs_a_missing_fact),
        cmocka_unit_test(sums_become_reservations),
        cmocka_unit_test(periods_begin_at_local_midnight),
        cmocka_unit_test(what_a_counter_says),
        cmocka_unit_test(counters_have_sentences),
        cmocka_unit_test(a_tier_and_its_figures),
        cmocka_unit_test(payers_without_a_tier),
        cmocka_unit_test(what_may_be_held),
        cmocka_unit_test(the_strictest_wins_and_all_are_recorded),
        cmocka_unit_test(more_than_a_decision_has_room_for),
        cmocka_unit_test(a_long_reason_is_cut_at_a_letter),
        cmocka_unit_test(whoever_watches_sees_every_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
