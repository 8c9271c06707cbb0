/* test_compliance.c - decisions over profiles that stand in the tests as an operator would mean
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "compliance/compliance.h"

#define NOON INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */
#define DAY  INT64_C(86400000000)

static struct compliance_facts facts_of(enum rail rail, int64_t minor, const char *code)
{
    struct compliance_facts facts = {
        .rail = rail, .kind = PAYMENT_KIND_PURCHASE, .amount.minor = minor, .wall_us = NOON
    };
    assert_int_equal(currency_by_code(view_text(code), &facts.amount.currency), STATUS_OK);
    return facts;
}

static struct region_settings permissive(void)
{
    return (struct region_settings){ .region = "default",
                                     .version = "7",
                                     .effective_from_us = NOON - DAY,
                                     .content_hash = "00112233445566778899aabbccddeeff" };
}

static const struct decision_reason *reason_of(const struct decision *decision, const char *rule)
{
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (strcmp(decision->reasons[i].rule, rule) == 0)
            return &decision->reasons[i];
    }
    return NULL;
}

static void a_permissive_profile_allows(void **state)
{
    (void)state;
    struct region_settings profile = permissive();
    struct compliance_facts facts = facts_of(RAIL_CARD, INT64_MAX, "EUR");
    struct decision decision;
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_ALLOW);
    assert_int_equal(decision.reason_count, 0);
    assert_string_equal(decision.profile, "default");
    assert_string_equal(decision.version, "7");
    assert_string_equal(decision.content_hash, "00112233445566778899aabbccddeeff");
}

static void without_a_profile_it_is_denied(void **state)
{
    (void)state;
    struct compliance_facts facts = facts_of(RAIL_CARD, 1, "EUR");
    struct decision decision;
    compliance_decide(NULL, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.reason_count, 1);
    assert_string_equal(decision.reasons[0].rule, "region.none");
    assert_string_equal(decision.profile, "");
}

static void a_profile_holds_from_its_first_moment_to_its_last(void **state)
{
    (void)state;
    struct region_settings profile = permissive();
    struct compliance_facts facts = facts_of(RAIL_CARD, 1, "EUR");
    struct decision decision;
    profile.effective_from_us = NOON;
    profile.effective_until_us = NOON + DAY;
    static const struct {
        int64_t wall_us;
        enum verdict verdict;
        const char *rule;
    } moments[] = {
        { INT64_MIN, VERDICT_DENY, "region.effective_from" },
        { NOON - 1, VERDICT_DENY, "region.effective_from" },
        { NOON, VERDICT_ALLOW, NULL },
        { NOON + DAY - 1, VERDICT_ALLOW, NULL },
        { NOON + DAY, VERDICT_DENY, "region.effective_until" },
        { INT64_MAX, VERDICT_DENY, "region.effective_until" },
    };
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        facts.wall_us = moments[i].wall_us;
        compliance_decide(&profile, &facts, &decision);
        assert_int_equal(decision.verdict, moments[i].verdict);
        assert_int_equal(decision.reason_count, moments[i].rule != NULL ? 1 : 0);
        if (moments[i].rule != NULL)
            assert_string_equal(decision.reasons[0].rule, moments[i].rule);
    }
    facts.wall_us = NOON - 1;
    compliance_decide(&profile, &facts, &decision);
    assert_string_equal(decision.reasons[0].text,
                        "Profile default version 7 is not in force before "
                        "2026-11-22T12:00:00.000Z.");
}

static void every_rule_that_fires_is_told(void **state)
{
    (void)state;
    static const char *const rails[] = { "card" };
    static const char *const currencies[] = { "EUR", "KWD" };
    static const struct maximum_settings maximums[] = { { .currency = "EUR", .minor = 5000 },
                                                        { .currency = "USD", .minor = 100 } };
    struct region_settings profile = permissive();
    struct decision decision;
    profile.rails = (struct settings_list){ rails, COUNT_OF(rails) };
    profile.currencies = (struct settings_list){ currencies, COUNT_OF(currencies) };
    profile.maximums = maximums;
    profile.maximums_count = COUNT_OF(maximums);

    struct compliance_facts facts = facts_of(RAIL_CARD, 5000, "EUR");
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_ALLOW); /* the maximum itself is allowed */
    facts.amount.minor = 5001;
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.reason_count, 1);
    assert_string_equal(decision.reasons[0].rule, "region.payment_max");
    assert_string_equal(decision.reasons[0].text,
                        "50.01 EUR is more than the largest payment in region default, 50.00 EUR.");
    facts = facts_of(RAIL_CARD, INT64_MAX, "KWD"); /* no maximum for this one */
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_ALLOW);
    facts = facts_of(RAIL_QR, 101, "USD");
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.reason_count, 3);
    assert_non_null(reason_of(&decision, "region.rails"));
    assert_non_null(reason_of(&decision, "region.currencies"));
    assert_non_null(reason_of(&decision, "region.payment_max"));
    assert_string_equal(reason_of(&decision, "region.rails")->text,
                        "Rail qr is not allowed in region default.");
}

static void reasons_stay_within_their_room(void **state)
{
    (void)state;
    /* More entries than reasons: a profile that settings/ would refuse must do no harm here. */
    static struct maximum_settings maximums[40];
    struct region_settings profile = permissive();
    struct decision decision;
    for (size_t i = 0; i < COUNT_OF(maximums); i++)
        maximums[i] = (struct maximum_settings){ .currency = "EUR", .minor = 1 };
    profile.maximums = maximums;
    profile.maximums_count = COUNT_OF(maximums);
    profile.region = "a_name_of_thirty_two_characters_";
    struct compliance_facts facts = facts_of(RAIL_CARD, INT64_MAX, "EUR");
    compliance_decide(&profile, &facts, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.reason_count, DECISION_REASONS_MAX);
    for (size_t i = 0; i < decision.reason_count; i++)
        assert_true(memchr(decision.reasons[i].text, '\0', DECISION_TEXT_MAX) != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permissive_profile_allows),
        cmocka_unit_test(without_a_profile_it_is_denied),
        cmocka_unit_test(a_profile_holds_from_its_first_moment_to_its_last),
        cmocka_unit_test(every_rule_that_fires_is_told),
        cmocka_unit_test(reasons_stay_within_their_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
