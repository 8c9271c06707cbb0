/* test_route.c - which channel, and why not the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
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
                                .amount.minor = minor };
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
        cmocka_unit_test(when_none_is_usable_the_nearest_reason_is_told),
        cmocka_unit_test(the_order_does_not_depend_on_the_order_of_the_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
