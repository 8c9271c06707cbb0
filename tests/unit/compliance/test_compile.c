/* test_compile.c - what is wrong with a profile, each with its place; what only warns. */
#include "profile_fixture.h"

static const struct finding *only_error(struct fixture *f, const char *id, uint32_t line)
{
    assert_int_equal(fixture_compile(f), STATUS_MALFORMED);
    assert_null(f->profile);
    const struct finding *finding = finding_of(&f->findings, id);
    if (finding == NULL)
        fail_msg("%s: found %s", id, f->findings.count > 0 ? f->findings.rows[0].id : "nothing");
    assert_int_equal(f->findings.errors, 1);
    assert_int_equal(finding->severity, FINDING_ERROR);
    assert_int_equal(finding->line, line);
    assert_string_equal(finding->file, "eu.yaml");
    return finding;
}

static bool warns(struct fixture *f, const char *id, const char *says)
{
    assert_int_equal(fixture_compile(f), STATUS_OK);
    assert_non_null(f->profile);
    assert_int_equal(f->findings.errors, 0);
    const struct finding *finding = finding_of(&f->findings, id);
    if (finding != NULL && strstr(finding->message, says) == NULL)
        fail_msg("%s: %s", id, finding->message);
    if (finding != NULL) {
        assert_int_equal(finding->severity, FINDING_WARNING);
        assert_true(finding->line > 0 && finding->column > 0);
    }
    return finding != NULL;
}

static void a_zone_that_there_is_not(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    uint32_t from[200] = { 0 };
    for (size_t i = 0; i < COUNT_OF(from); i++)
        from[i] = (uint32_t)i + 1;
    f.region.from = from;
    f.region.time_zone = "Europe/Berlim";
    enum {
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    AT_##member,
#include "settings/region.def"
#undef SETTING
    };
    assert_non_null(
        strstr(only_error(&f, "profile.time_zone", AT_time_zone + 1)->message, "`Europe/Berlim`"));
    f.region.time_zone = "../../etc/passwd";
    (void)only_error(&f, "profile.time_zone", AT_time_zone + 1);
    fixture_end(&f);
}

static void a_time_of_no_length(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.effective_until_us = f.region.effective_from_us;
    (void)only_error(&f, "profile.effective", 1);
    f.region.effective_until_us = f.region.effective_from_us + 1;
    assert_int_equal(fixture_compile(&f), STATUS_OK);
    struct limit_settings limit = limit_row("night");
    limit.max = MONEYS(money_of(1, "EUR"));
    limit.hours = (struct settings_hours){ 3600, 3600, true };
    f.region.limits = &limit;
    f.region.limits_count = 1;
    assert_int_equal(only_error(&f, "profile.hours", 20)->column, 5);
    f.region.limits_count = 0;
    struct rule_settings rule = rule_row("night", SETTINGS_THEN_DENY);
    rule.hours = limit.hours;
    f.region.rules = &rule;
    f.region.rules_count = 1;
    (void)only_error(&f, "profile.hours", 20);
    fixture_end(&f);
}

static void limits_that_mean_nothing(void **state)
{
    (void)state;
    const struct settings_window day = { SETTINGS_WINDOW_DAY, 0 };
    struct money money = money_of(100, "EUR");
    const struct settings_moneys some = { &money, 1 };
    struct limit_settings rows[6];
    const char *const says[] = { "no figure",    "each payment by itself", "has a count",
                                 "how far back", "min is for single",      "no length" };
    for (size_t i = 0; i < 6; i++)
        rows[i] = limit_row("odd");
    rows[1].max = some;
    rows[1].window = day;
    rows[2].count = 3;
    rows[3].max = some;
    rows[3].per = SETTINGS_PER_PAYER;
    rows[4].min = some;
    rows[4].per = SETTINGS_PER_PAYER;
    rows[4].window = day;
    rows[5].max = some;
    rows[5].per = SETTINGS_PER_PAYER;
    rows[5].window = (struct settings_window){ SETTINGS_WINDOW_SLIDING, 0 };
    for (size_t i = 0; i < 6; i++) {
        struct fixture f;
        fixture_start(&f);
        f.region.limits = &rows[i];
        f.region.limits_count = 1;
        assert_non_null(strstr(only_error(&f, "profile.limit", 20)->message, says[i]));
        fixture_end(&f);
    }
}

static void ids_are_given_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rules[3] = { rule_row("a", SETTINGS_THEN_REVIEW),
                                      rule_row("b", SETTINGS_THEN_REVIEW),
                                      rule_row("a", SETTINGS_THEN_DENY) };
    rules[2].line = 44;
    f.region.rules = rules;
    f.region.rules_count = 3;
    assert_non_null(strstr(only_error(&f, "profile.id_twice", 44)->message, "line 20"));
    f.region.rules_count = 0;
    struct exemption_settings exemptions[2] = { exemption_row("x"), exemption_row("x") };
    exemptions[0].count = 3; /* is evaluated after the other one */
    f.region.authentication_required = true;
    f.region.exemptions = exemptions;
    f.region.exemptions_count = 2;
    (void)only_error(&f, "profile.id_twice", 20);
    f.region.exemptions_count = 0;
    struct tier_settings tiers[3] = { tier_row(1), tier_row(1), tier_row(1) };
    tiers[0].when = WHEN(CLAUSE("scheme=a"));
    tiers[2].line = 33;
    f.region.tiers = tiers;
    f.region.tiers_count = 2;
    assert_int_equal(fixture_compile(&f), STATUS_OK); /* other conditions */
    f.region.tiers_count = 3;
    (void)only_error(&f, "profile.id_twice", 33);
    fixture_end(&f);
}

static void lists_that_the_gateway_does_not_have(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    const struct list_settings lists[] = { { .name = "ofac" }, { .name = "un" } };
    f.region.screening_lists = LIST("ofca", "un");
    f.settings.lists = lists;
    f.settings.lists_count = 2;
    assert_non_null(
        strstr(only_error(&f, "profile.unknown_list", 1)->message, "did you mean `ofac`?"));
    f.region.screening_lists = LIST("ofac", "un");
    assert_int_equal(fixture_compile(&f), STATUS_OK);
    assert_int_equal(f.findings.count, 0);
    assert_true(profile_screens(f.profile, RAIL_CARD));
    f.region.screening_rails = LIST("qr");
    assert_int_equal(fixture_compile(&f), STATUS_OK);
    assert_false(profile_screens(f.profile, RAIL_CARD));
    assert_true(profile_screens(f.profile, RAIL_QR));
    assert_ptr_equal(profile_settings(f.profile), &f.region);
    fixture_end(&f);
}

static void facts_of_masks_and_fields(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct mask_settings mask = {
        .fact = "payer.acount", .source = "", .file = "eu.yaml", .line = 70, .column = 3
    };
    f.region.masks = &mask;
    f.region.masks_count = 1;
    assert_non_null(strstr(only_error(&f, "profile.unknown_fact", 70)->message, "payer.account"));
    mask.fact = "payer.account";
    mask.shown_to = LIST("operator", "bank");
    (void)only_error(&f, "profile.role", 70);
    f.region.masks_count = 0;
    struct field_settings field = field_row("travel");
    f.region.fields = &field;
    f.region.fields_count = 1;
    (void)only_error(&f, "profile.field", 20);
    field.needs = WHEN(CLAUSE("payer.name"), CLAUSE("payer.adress|payer.birth_date"));
    const struct finding *finding = only_error(&f, "profile.unknown_fact", 7);
    assert_non_null(strstr(finding->message, "payer.address"));
    assert_int_equal(finding->column, 13);
    fixture_end(&f);
}

static void everything_at_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rule = rule_row("a", SETTINGS_THEN_DENY);
    struct limit_settings limit = limit_row("b");
    rule.when = WHEN(CLAUSE("nothing=1"), CLAUSE("rail=wire"));
    f.region.rules = &rule;
    f.region.rules_count = 1;
    f.region.limits = &limit;
    f.region.limits_count = 1;
    f.region.time_zone = "Mars/Olympus";
    assert_int_equal(fixture_compile(&f), STATUS_MALFORMED);
    assert_int_equal(f.findings.errors, 4);
    fixture_end(&f);
}

/* --- warnings ------------------------------------------------------------------------------ */

static void figures_to_verify_and_without_a_source(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct limit_settings limit = limit_row("day");
    limit.max = MONEYS(money_of(1, "EUR"));
    f.region.limits = &limit;
    f.region.limits_count = 1;
    assert_int_equal(fixture_compile(&f), STATUS_OK);
    assert_int_equal(f.findings.count, 0);
    limit.verify = true;
    assert_true(warns(&f, "profile.verify", "limit.day still has to be verified (source: a law)"));
    assert_int_equal(f.findings.warnings, 1);
    limit.source = "";
    assert_true(warns(&f, "profile.verify", "(source: none)"));
    assert_true(warns(&f, "profile.no_source", "limit.day"));
    /* Of an entry that is only taken over, the other profile warns. */
    limit.file = "base.yaml";
    assert_false(warns(&f, "profile.verify", ""));
    assert_int_equal(f.findings.count, 0);
    f.region.data_verify = true;
    assert_true(warns(&f, "profile.verify", "data still has to be verified"));
    fixture_end(&f);
}

static void records_that_may_not_live_here(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.data_residency = LIST("IN");
    assert_true(warns(&f, "profile.residency", "not given"));
    f.settings.store_country = "SG";
    assert_true(warns(&f, "profile.residency", "is SG"));
    f.settings.store_country = "IN";
    assert_false(warns(&f, "profile.residency", ""));
    fixture_end(&f);
}

static void what_the_profile_does_not_allow(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    f.region.rails = LIST("card");
    f.region.currencies = LIST("EUR");
    f.region.countries = LIST("DE", "FR");
    struct limit_settings limit = limit_row("day");
    limit.max = MONEYS(money_of(1, "EUR"), money_of(5, "USD"));
    f.region.limits = &limit;
    f.region.limits_count = 1;
    assert_true(warns(&f, "profile.never_fires", "0.05 USD: the profile does not allow USD"));
    assert_int_equal(f.findings.warnings, 1);
    limit.max.count = 1;
    assert_false(warns(&f, "profile.never_fires", ""));
    limit.rails = LIST("qr", "bank");
    assert_true(warns(&f, "profile.never_fires", "none of its rails"));
    limit.file = "base.yaml";
    assert_false(warns(&f, "profile.never_fires", ""));
    f.region.limits_count = 0;

    struct corridor_settings corridor = corridor_row("home", SETTINGS_DENY);
    f.region.corridors = &corridor;
    f.region.corridors_count = 1;
    assert_false(warns(&f, "profile.never_fires", ""));
    corridor.from = LIST("DE");
    corridor.to = LIST("DE", "FR");
    assert_true(warns(&f, "profile.never_fires", "no border between its countries"));
    corridor.to = LIST("DE", "US");
    assert_false(warns(&f, "profile.never_fires", ""));
    f.region.corridors_count = 0;

    struct field_settings field = field_row("travel");
    field.needs = WHEN(CLAUSE("payer.name"));
    field.when = WHEN(CLAUSE("cross_border=no"));
    f.region.fields = &field;
    f.region.fields_count = 1;
    assert_true(warns(&f, "profile.never_fires", "`cross_border=no`"));
    field.scope = SETTINGS_ANY_SCOPE;
    assert_false(warns(&f, "profile.never_fires", ""));
    f.region.fields_count = 0;

    struct tier_settings tier = tier_row(1);
    tier.day = MONEYS(money_of(1, "CNY"));
    f.region.tiers = &tier;
    f.region.tiers_count = 1;
    assert_true(warns(&f, "profile.never_fires", "does not allow CNY"));
    fixture_end(&f);
}

static void exemptions_that_never_hold(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct exemption_settings exemption = exemption_row("tra");
    f.region.exemptions = &exemption;
    f.region.exemptions_count = 1;
    assert_true(warns(&f, "profile.never_fires", "authentication.required is no"));
    f.region.authentication_required = true;
    assert_false(warns(&f, "profile.never_fires", ""));
    exemption.fraud_rate_max_ppm = 1300;
    f.region.authentication_fraud_rate_ppm = 1301;
    assert_true(warns(&f, "profile.never_fires", "fraud_rate_max is below"));
    f.region.authentication_fraud_rate_ppm = 1300;
    assert_false(warns(&f, "profile.never_fires", ""));
    f.region.authentication_rails = LIST("card");
    exemption.rails = LIST("bank");
    assert_true(warns(&f, "profile.never_fires", "needed on none of its rails"));
    f.region.exemptions_count = 0;
    f.region.rails = LIST("bank");
    assert_true(warns(&f, "profile.never_fires", "authentication is never needed"));
    fixture_end(&f);
}

static void screening_that_never_happens(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    const struct list_settings lists[] = { { .name = "un" } };
    f.settings.lists = lists;
    f.settings.lists_count = 1;
    f.region.screening_lists = LIST("un");
    f.region.screening_payer = f.region.screening_payee = false;
    assert_true(warns(&f, "profile.never_fires", "neither payer nor payee"));
    f.region.screening_payer = true;
    assert_false(warns(&f, "profile.never_fires", ""));
    f.region.screening_rails = LIST("qr");
    f.region.rails = LIST("card");
    assert_true(warns(&f, "profile.never_fires", "screening never happens"));
    fixture_end(&f);
}

static void a_rule_that_says_nothing_new(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rules[2] = { rule_row("first", SETTINGS_THEN_REVIEW),
                                      rule_row("second", SETTINGS_THEN_CHALLENGE) };
    rules[0].when = WHEN(CLAUSE("scheme=a|b"), CLAUSE("payer.country=DE"));
    rules[1].when = WHEN(CLAUSE("payer.country=DE"), CLAUSE("scheme=b|a"));
    rules[1].line = 30;
    f.region.rules = rules;
    f.region.rules_count = 2;
    assert_true(warns(&f, "profile.never_fires", "rule.first has the same conditions"));
    assert_int_equal(finding_of(&f.findings, "profile.never_fires")->line, 30);
    rules[1].then = SETTINGS_THEN_DENY; /* stricter */
    assert_false(warns(&f, "profile.never_fires", ""));
    rules[1].then = SETTINGS_THEN_RULE_REPORT; /* something else */
    assert_false(warns(&f, "profile.never_fires", ""));
    rules[1].then = SETTINGS_THEN_REVIEW;
    rules[1].hours = (struct settings_hours){ 0, 3600, true };
    assert_false(warns(&f, "profile.never_fires", ""));
    rules[1].hours.given = false;
    rules[1].rails = LIST("card");
    assert_false(warns(&f, "profile.never_fires", ""));
    fixture_end(&f);
}

static void memory_that_runs_out(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f);
    struct rule_settings rule = rule_row("a", SETTINGS_THEN_DENY);
    rule.when = WHEN(CLAUSE("payer.country=DE|FR"));
    struct limit_settings limit = limit_row("b");
    limit.max = MONEYS(money_of(1, "EUR"));
    f.region.time_zone = "Europe/Berlin";
    f.region.rules = &rule;
    f.region.rules_count = 1;
    f.region.limits = &limit;
    f.region.limits_count = 1;
    size_t none = 0;
    enum status s = STATUS_NO_MEMORY;
    for (size_t limit_bytes = 64; s != STATUS_OK; limit_bytes += 64) {
        struct arena arena;
        arena_init(&arena, limit_bytes);
        s = compliance_compile(&f.region, &f.settings, &arena, &f.findings, &f.profile);
        assert_true(s == STATUS_OK || s == STATUS_NO_MEMORY);
        assert_int_equal(f.profile != NULL, s == STATUS_OK);
        none += s == STATUS_NO_MEMORY;
        arena_reset(&arena);
        assert_int_equal(f.findings.count, 0);
    }
    assert_true(none > 10);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_that_there_is_not),
        cmocka_unit_test(a_time_of_no_length),
        cmocka_unit_test(limits_that_mean_nothing),
        cmocka_unit_test(ids_are_given_once),
        cmocka_unit_test(lists_that_the_gateway_does_not_have),
        cmocka_unit_test(facts_of_masks_and_fields),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(figures_to_verify_and_without_a_source),
        cmocka_unit_test(records_that_may_not_live_here),
        cmocka_unit_test(what_the_profile_does_not_allow),
        cmocka_unit_test(exemptions_that_never_hold),
        cmocka_unit_test(screening_that_never_happens),
        cmocka_unit_test(a_rule_that_says_nothing_new),
        cmocka_unit_test(memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
