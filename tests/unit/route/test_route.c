/* test_route.c - which channel, and why not the others. Test card numbers from published ranges
 * only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/ensure.h"
#include "domain/refs.h"
#include "route/route.h"

static const char *const only_eur[] = { "EUR" };
static const char *const only_eu[] = { "eu" };

static struct channel_settings channel_of(const char *name, int64_t basis_points, int64_t fixed)
{
    return (struct channel_settings){ .name = name,
                                      .rail = RAIL_CARD,
                                      .cost_basis_points = basis_points,
                                      .cost_fixed_minor = fixed };
}

static struct route_candidate candidate_of(const struct channel_settings *settings)
{
    return (struct route_candidate){
        .settings = settings, .able = true, .healthy = true, .in_flight_max = 10
    };
}

static struct route_question question_of(int64_t minor, const char *code)
{
    struct route_question q = { .operation = OPERATION_SALE,
                                .rail = RAIL_CARD,
                                .amount.minor = minor,
                                .details_are = ROUTE_DETAILS_ALL };
    assert_int_equal(currency_by_code(view_text(code), &q.amount.currency), STATUS_OK);
    return q;
}

static void the_cheaper_channel_for_this_amount_is_first(void **state)
{
    (void)state;
    struct channel_settings share = channel_of("share", 100, 0), fixed = channel_of("fixed", 0, 50);
    struct route_candidate candidates[] = { candidate_of(&fixed), candidate_of(&share) };
    struct route_question q = question_of(1000, "EUR");
    struct route route;
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.usable, 2);
    assert_int_equal(route.rows[0].index, 1); /* 10 against 50 */
    assert_int_equal(route.rows[0].cost_minor, 10);
    assert_string_equal(route.rows[0].reason, "costs 10 minor units, 0 of 10 in flight");
    q.amount.minor = 100000;
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.rows[0].index, 0); /* 1000 against 50 */
    q.amount.minor = 4999; /* 49.99 is rounded up to 50: equal cost, then fewer in flight */
    candidates[0].in_flight = 1;
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.rows[0].cost_minor, 50);
    assert_int_equal(route.rows[0].index, 1);
    candidates[1].in_flight = 1; /* then the name */
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.rows[0].index, 0);
    assert_int_equal(route_nearest(&route), ROUTE_USABLE);
}

/* One candidate that has one thing against it. */
static void assert_refused(const struct route_question *q, struct route_candidate c,
                           enum route_why why, bool passes)
{
    struct route route;
    route_pick(q, &c, 1, &route);
    assert_int_equal(route.usable, 0);
    assert_int_equal(route.count, 1);
    assert_int_equal(route.rows[0].why, why);
    assert_true(strlen(route.rows[0].reason) > 0);
    assert_int_equal(route_nearest(&route), why);
    assert_int_equal(route_why_passes(why), passes);
    assert_true(strlen(route_why_word(why)) > 0);
}

static void each_condition_has_its_reason(void **state)
{
    (void)state;
    struct channel_settings settings = channel_of("a", 0, 0);
    struct route_question q = question_of(1000, "USD"), asked = q;
    struct route_candidate fine = candidate_of(&settings), c = fine;
    struct route route;
    route_pick(&q, &c, 1, &route);
    assert_int_equal(route.usable, 1);

    asked.only = VIEW("b");
    assert_refused(&asked, fine, ROUTE_NOT_ASKED, false);
    asked = q;
    asked.except = VIEW("b|a");
    assert_refused(&asked, fine, ROUTE_TRIED, true);
    asked.except = VIEW("aa|ab"); /* names are compared whole */
    route_pick(&asked, &fine, 1, &route);
    assert_int_equal(route.usable, 1);
    asked = q;
    asked.rail = RAIL_BANK;
    assert_refused(&asked, fine, ROUTE_WRONG_RAIL, false);
    c.able = false;
    assert_refused(&q, c, ROUTE_NOT_ABLE, false);
    c = fine;
    c.amount_minor_max = 999;
    assert_refused(&q, c, ROUTE_OVER_AMOUNT, false);
    c.amount_minor_max = 1000;
    route_pick(&q, &c, 1, &route);
    assert_int_equal(route.usable, 1);
    c = fine;
    c.circuit_open = true;
    assert_refused(&q, c, ROUTE_CIRCUIT_OPEN, true);
    c.probe = true; /* its pause is over */
    route_pick(&q, &c, 1, &route);
    assert_int_equal(route.usable, 1);
    settings.amount_min_minor = 1001;
    assert_refused(&q, fine, ROUTE_UNDER_AMOUNT, false);
    settings.amount_min_minor = 1000;
    settings.amount_max_minor = 1000;
    route_pick(&q, &fine, 1, &route);
    assert_int_equal(route.usable, 1);
    settings.amount_max_minor = 999;
    assert_refused(&q, fine, ROUTE_OVER_AMOUNT, false);
    settings.amount_min_minor = settings.amount_max_minor = 0;
    c = fine;
    c.healthy = false;
    assert_refused(&q, c, ROUTE_NOT_HEALTHY, true);
    c = fine;
    c.in_flight = 10;
    assert_refused(&q, c, ROUTE_NO_ROOM, true);

    settings.currencies = (struct settings_list){ only_eur, 1 };
    assert_refused(&q, fine, ROUTE_WRONG_CURRENCY, false);
    settings.currencies.count = 0;
    settings.regions = (struct settings_list){ only_eu, 1 };
    asked = q;
    asked.region = VIEW("us");
    assert_refused(&asked, fine, ROUTE_WRONG_REGION, false);
    asked.region = VIEW("eu");
    route_pick(&asked, &fine, 1, &route);
    assert_int_equal(route.usable, 1);
}

static void a_later_operation_goes_where_the_payment_is(void **state)
{
    (void)state;
    struct channel_settings cheap = channel_of("cheap", 0, 0), dear = channel_of("dear", 500, 100);
    struct route_candidate candidates[] = { candidate_of(&cheap), candidate_of(&dear) };
    struct route_question q = question_of(1000, "USD");
    struct route route;
    q.operation = OPERATION_REFUND;
    q.only = VIEW("dear");
    /* A restriction that came after the payment began does not strand its refund. */
    dear.currencies = (struct settings_list){ only_eur, 1 };
    dear.regions = (struct settings_list){ only_eu, 1 };
    q.region = VIEW("us");
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.usable, 1);
    assert_int_equal(route.rows[0].index, 1);
    assert_int_equal(route.rows[1].why, ROUTE_NOT_ASKED);
    q.only = VIEW("gone");
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route.usable, 0);
    assert_int_equal(route_nearest(&route), ROUTE_NOT_ASKED);
}

/* Test card numbers from published ranges. */
static void the_details_of_the_method_decide(void **state)
{
    (void)state;
    static const struct {
        const char *takes, *field, *value; /* value NULL: the payment does not have the field */
        bool usable;
    } cases[] = {
        { "scheme=pix|promptpay", "scheme", "promptpay", true },
        { "scheme=pix|promptpay", "scheme", "pixel", false },
        { "scheme=pix|promptpay", "scheme", NULL, false },
        { "scheme=pix|-", "scheme", NULL, true },
        { "scheme=-", "scheme", "pix", false },
        { "pan=4*|51*", "pan", "4111111111111111", true },
        { "pan=4*|51*", "pan", "5555555555554444", false },
        { "pan=4*", "track2", "4242424242424242=3012101", true },
        { "pan=51*", "track2", "4242424242424242=3012101", false },
        { "payee_country=*", "payee_country", "DE", true },
        { "payee_country=*", "payee_country", NULL, false },
    };
    struct channel_settings settings = channel_of("a", 0, 0);
    struct route_candidate c = candidate_of(&settings);
    struct route route;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t room[256];
        struct writer w = writer_over(room, sizeof room);
        if (cases[i].value != NULL)
            refs_put(&w, view_text(cases[i].field), view_text(cases[i].value), REF_SENSITIVE);
        settings.takes = (struct settings_list){ &cases[i].takes, 1 };
        struct route_question q = question_of(1000, "EUR");
        q.details = writer_done(&w);
        route_pick(&q, &c, 1, &route);
        assert_int_equal(route.usable, cases[i].usable);
        if (cases[i].usable)
            continue;
        assert_int_equal(route.rows[0].why, ROUTE_WRONG_DETAILS);
        assert_false(route_why_passes(ROUTE_WRONG_DETAILS));
        char field[40];
        snprintf(field, sizeof field, "`%.*s`", (int)strcspn(cases[i].takes, "="), cases[i].takes);
        assert_non_null(strstr(route.rows[0].reason, field));
        if (cases[i].value != NULL)
            assert_null(strstr(route.rows[0].reason, cases[i].value));
        q.only = VIEW("a"); /* where the payment is already */
        route_pick(&q, &c, 1, &route);
        assert_int_equal(route.usable, 1);
        q.only = VIEW_EMPTY; /* before there is a payment, what is missing may still come */
        q.details_are = ROUTE_DETAILS_SOME;
        route_pick(&q, &c, 1, &route);
        assert_int_equal(route.usable, cases[i].value == NULL);
    }
}

static void all_conditions_must_hold(void **state)
{
    (void)state;
    static const char *const takes[] = { "mode=present", "scheme=pix" };
    struct channel_settings settings = channel_of("a", 0, 0);
    struct route_candidate c = candidate_of(&settings);
    struct route route;
    uint8_t room[256];
    struct writer w = writer_over(room, sizeof room);
    settings.takes = (struct settings_list){ takes, 2 };
    refs_put(&w, VIEW("mode"), VIEW("present"), 0);
    refs_put(&w, VIEW("scheme"), VIEW("fps"), 0);
    struct route_question q = question_of(1000, "EUR");
    q.details = writer_done(&w);
    route_pick(&q, &c, 1, &route);
    assert_int_equal(route.rows[0].why, ROUTE_WRONG_DETAILS);
    assert_string_equal(route.rows[0].reason, "does not take payments with this `scheme`");
    refs_put(&w, VIEW("scheme"), VIEW("pix"), 0); /* the later row counts */
    q.details = writer_done(&w);
    route_pick(&q, &c, 1, &route);
    assert_int_equal(route.usable, 1);
}

static void why_is(const struct route *route, const struct route_question *q,
                   const struct route_candidate *candidates, size_t at, const char *text)
{
    char room[ROUTE_WHY_MAX + 1];
    struct writer w = writer_over(room, ROUTE_WHY_MAX);
    route_explain(route, q, candidates, at, &w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(room, text);
}

static void the_choice_is_explained(void **state)
{
    (void)state;
    struct channel_settings a = channel_of("a", 0, 10), b = channel_of("b", 0, 20),
                            c = channel_of("c", 0, 30);
    struct route_candidate candidates[] = { candidate_of(&a), candidate_of(&b), candidate_of(&c) };
    struct route_question q = question_of(1000, "EUR");
    struct route route;
    route_pick(&q, candidates, 3, &route);
    why_is(&route, &q, candidates, 0,
           "the cheapest of 3 that can: costs 10 minor units, 0 of 10 in flight");
    why_is(&route, &q, candidates, 1,
           "next after a, which did not send: costs 20 minor units, 0 of 10 in flight");
    candidates[0].circuit_open = true;
    candidates[2].healthy = false; /* dearer: nobody asks why */
    route_pick(&q, candidates, 3, &route);
    why_is(&route, &q, candidates, 0,
           "the only one that can: costs 20 minor units, 0 of 10 in flight; a is passed over: "
           "circuit open");
    candidates[0].probe = true;
    route_pick(&q, candidates, 3, &route);
    why_is(&route, &q, candidates, 0,
           "the cheapest of 2 that can: costs 10 minor units, 0 of 10 in flight, is tried again "
           "after a pause");
    b.cost_fixed_minor = 10;
    candidates[0].circuit_open = candidates[0].probe = false;
    candidates[1].in_flight = 1;
    route_pick(&q, candidates, 3, &route);
    why_is(&route, &q, candidates, 0,
           "as cheap as b and less busy: costs 10 minor units, 0 of 10 in flight");
    b.currencies = (struct settings_list){ only_eur, 1 };
    a.regions = (struct settings_list){ only_eu, 1 };
    q.region = VIEW("us");
    route_pick(&q, candidates, 3, &route);
    why_is(&route, &q, candidates, 0,
           "the only one that can: costs 10 minor units, 1 of 10 in flight; a is passed over: does "
           "not serve region us");
}

static void when_none_is_usable_the_nearest_reason_is_told(void **state)
{
    (void)state;
    struct channel_settings a = channel_of("a", 0, 0), b = channel_of("b", 0, 0);
    struct route_candidate candidates[] = { candidate_of(&b), candidate_of(&a) };
    struct route_question q = question_of(1000, "EUR");
    struct route route;
    candidates[0].healthy = false;
    candidates[1].able = false;
    route_pick(&q, candidates, 2, &route);
    assert_int_equal(route_nearest(&route), ROUTE_NOT_HEALTHY);
    assert_int_equal(route.rows[0].index, 1); /* by name */
    route_pick(&q, candidates, 0, &route);
    assert_int_equal(route.count, 0);
    assert_int_equal(route_nearest(&route), ROUTE_WRONG_RAIL);
}

static void the_order_does_not_depend_on_the_order_of_the_candidates(void **state)
{
    (void)state;
    static char names[ROUTE_CANDIDATES_MAX][8];
    static struct channel_settings settings[ROUTE_CANDIDATES_MAX];
    static struct route_candidate candidates[ROUTE_CANDIDATES_MAX], turned[ROUTE_CANDIDATES_MAX];
    static struct route first, second;
    struct route_question q = question_of(INT64_MAX, "EUR"); /* costs must not wrap */
    for (size_t i = 0; i < ROUTE_CANDIDATES_MAX; i++) {
        names[i][0] = (char)('a' + i % 26);
        names[i][1] = (char)('a' + i / 26);
        settings[i] = channel_of(names[i], (int64_t)(i * 7 % 5) * 2500, (int64_t)(i % 3));
        candidates[i] = candidate_of(&settings[i]);
        candidates[i].in_flight = (uint32_t)(i * 5 % 11);
        candidates[i].healthy = i % 4 != 0;
    }
    for (size_t i = 0; i < ROUTE_CANDIDATES_MAX; i++)
        turned[i] = candidates[ROUTE_CANDIDATES_MAX - 1 - i];
    route_pick(&q, candidates, ROUTE_CANDIDATES_MAX, &first);
    route_pick(&q, turned, ROUTE_CANDIDATES_MAX, &second);
    assert_int_equal(first.usable, second.usable);
    for (size_t i = 0; i < ROUTE_CANDIDATES_MAX; i++) {
        assert_ptr_equal(candidates[first.rows[i].index].settings,
                         turned[second.rows[i].index].settings);
        assert_true(first.rows[i].cost_minor >= 0);
        assert_int_equal(first.rows[i].why == ROUTE_USABLE, i < first.usable);
        if (i > 0 && i < first.usable)
            assert_true(first.rows[i - 1].cost_minor <= first.rows[i].cost_minor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cheaper_channel_for_this_amount_is_first),
        cmocka_unit_test(each_condition_has_its_reason),
        cmocka_unit_test(a_later_operation_goes_where_the_payment_is),
        cmocka_unit_test(the_details_of_the_method_decide),
        cmocka_unit_test(all_conditions_must_hold),
        cmocka_unit_test(the_choice_is_explained),
        cmocka_unit_test(when_none_is_usable_the_nearest_reason_is_told),
        cmocka_unit_test(the_order_does_not_depend_on_the_order_of_the_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
