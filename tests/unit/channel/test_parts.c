/* test_parts.c - the circuit by itself: when it opens, what may try, what closes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/channel_int.h"

static void test_opens_after_failures_in_a_row(void **state)
{
    (void)state;
    struct circuit c;
    circuit_init(&c, 3, 100);
    assert_false(circuit_failed(&c, 10));
    assert_false(circuit_failed(&c, 11));
    assert_false(circuit_answered(&c)); /* breaks the row */
    assert_false(circuit_failed(&c, 12));
    assert_false(circuit_failed(&c, 13));
    assert_true(circuit_allows(&c, 13));
    assert_true(circuit_failed(&c, 14));
    assert_false(circuit_allows(&c, 14));
    assert_false(circuit_allows(&c, 113));
    assert_true(circuit_is_open(&c));
}

static void test_half_open_lets_one_try(void **state)
{
    (void)state;
    struct circuit c;
    circuit_init(&c, 1, 100);
    assert_true(circuit_failed(&c, 10));
    assert_true(circuit_allows(&c, 110));
    circuit_started(&c, 110);
    assert_false(circuit_allows(&c, 111)); /* one is trying */
    assert_false(circuit_failed(&c, 120)); /* it failed: open again, no news */
    assert_false(circuit_allows(&c, 219));
    assert_true(circuit_allows(&c, 220));
    circuit_started(&c, 220);
    assert_true(circuit_answered(&c));
    assert_true(circuit_allows(&c, 221));
    assert_false(circuit_is_open(&c));
}

static void test_a_probe_that_is_dropped_leaves_nothing_stuck(void **state)
{
    (void)state;
    struct circuit c;
    circuit_init(&c, 1, 100);
    (void)circuit_failed(&c, 10);
    circuit_started(&c, 110); /* and nothing is heard of it */
    assert_true(circuit_allows(&c, 210));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_after_failures_in_a_row),
        cmocka_unit_test(test_half_open_lets_one_try),
        cmocka_unit_test(test_a_probe_that_is_dropped_leaves_nothing_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
