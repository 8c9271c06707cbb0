/* test_judge_return.c - money that came back by itself: a refund nobody asked for, booked once, and
 * never more than there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

static void back(struct rows *rows, int64_t amount, const char *reference)
{
    rows_hear(rows, NOTICE_RETURN, OUTCOME_APPROVED, amount, reference);
    rows->change.operation_json = VIEW("\"initiator\":\"channel\"");
}

static void test_returned(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    back(&rows, 4000, "RTR-1");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                "attempt.returned refund.succeeded payment.partially_refunded");
    assert_int_equal(rows.txn.write_operation, STORE_INSERT);
    assert_int_equal(rows.txn.operation.id, 77);
    assert_int_equal(rows.txn.operation.kind, OPERATION_REFUND);
    assert_int_equal(rows.txn.operation.amount, 4000);
    assert_int_equal(rows.txn.payment.refunded, 4000);
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    assert_true(rows_has_ref(rows.txn.attempt.refs, "return_reference", "RTR-1"));
    /* The same one again, and as the channel's later statement has it. */
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    back(&rows, 4000, "RTR-2");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.returned refund.succeeded");
    back(&rows, 4000, "RTR-1");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    back(&rows, 2000, "RTR-3");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                "attempt.returned refund.succeeded payment.refunded");
    assert_int_equal(rows.txn.payment.refunded, ASKED);
    rows_close(&rows);
}

static void test_long_reference_once(void **state)
{
    (void)state;
    char longer[201];
    memset(longer, 'x', 200);
    longer[200] = 0;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    back(&rows, 1000, longer);
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                "attempt.returned refund.succeeded payment.partially_refunded");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    rows_close(&rows);
}

static void assert_unexpected(struct rows *rows, const char *event)
{
    struct flow_sums before = payment_sums(&rows->txn.payment);
    ASSERT_SAID(rows, rows_notice(rows), JUDGE_CONFLICT, event);
    struct flow_sums after = payment_sums(&rows->txn.payment);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(rows->txn.write_payment, 0);
    assert_int_equal(rows->txn.write_operation, 0);
}

static void test_more_than_is_left(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    back(&rows, ASKED + 1, "RTR-1");
    assert_unexpected(&rows, "attempt.return_unexpected");
    back(&rows, INT64_MAX, "RTR-2");
    assert_unexpected(&rows, "attempt.return_unexpected");
    rows_close(&rows);
}

/* A refund of ours has given it back already; the channel tells of the same money. */
static void test_covered(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows.txn.payment.refunded = 8000;
    rows.txn.payment.status = PAYMENT_PARTIALLY_REFUNDED;
    back(&rows, 8000, "RTR-1");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_COVERED, "attempt.return_covered");
    assert_int_equal(rows.txn.payment.refunded, 8000);
    assert_true(rows_has_ref(rows.txn.attempt.refs, "return_reference", "RTR-1"));
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    back(&rows, 8001, "RTR-2"); /* no refund accounts for it */
    assert_unexpected(&rows, "attempt.return_unexpected");
    rows_close(&rows);
}

/* Which of the two it is can only be told when the refund has ended. */
static void test_while_a_refund_runs(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows.txn.payment.refunding = 4000;
    back(&rows, 4000, "RTR-1");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_TOO_EARLY);
    back(&rows, 1, "RTR-2");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_TOO_EARLY);
    rows.txn.payment.refunding = 0; /* it was declined */
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                "attempt.returned refund.succeeded payment.partially_refunded");
    rows_close(&rows);
}

static void test_before_the_outcome(void **state)
{
    (void)state;
    const enum attempt_state early[] = { ATTEMPT_SENDING, ATTEMPT_UNKNOWN, ATTEMPT_PENDING,
                                         ATTEMPT_REVERSING };
    const enum attempt_state odd[] = { ATTEMPT_DECLINED, ATTEMPT_REJECTED, ATTEMPT_NOT_FOUND,
                                       ATTEMPT_NOT_SENT, ATTEMPT_REVERSED, ATTEMPT_CONFLICT,
                                       ATTEMPT_PARKED };
    struct rows rows;
    for (size_t i = 0; i < COUNT_OF(early); i++) {
        rows_open(&rows, OPERATION_SALE, early[i]);
        back(&rows, ASKED, "RTR-1");
        ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_TOO_EARLY);
        rows_close(&rows);
    }
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        rows_open(&rows, OPERATION_SALE, odd[i]);
        back(&rows, ASKED, "RTR-1");
        assert_unexpected(&rows, "attempt.return_unexpected");
        assert_int_equal(rows.txn.attempt.state, odd[i]);
        rows_close(&rows);
    }
}

static void test_of_another_currency(void **state)
{
    (void)state;
    const uint32_t numbers[] = { 840, 0, 1, 978 + 65536 };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
        back(&rows, ASKED, "RTR-1");
        rows.change.heard_currency = numbers[i];
        assert_unexpected(&rows, "attempt.return_unexpected");
        rows_close(&rows);
    }
}

/* Only what took money can give it back: a refund that bounced is not a refund more. */
static void test_of_what_took_nothing(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows_later(&rows, OPERATION_REFUND, 4000);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 4000, "A");
    assert_int_equal(rows_notice(&rows), STATUS_OK);
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    back(&rows, 4000, "RTR-1");
    assert_unexpected(&rows, "attempt.return_unexpected");
    rows_close(&rows);
    rows_open(&rows, OPERATION_AUTHORISE, ATTEMPT_APPROVED);
    rows_later(&rows, OPERATION_CANCEL, ASKED);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED, "A");
    assert_int_equal(rows_notice(&rows), STATUS_OK);
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    back(&rows, ASKED, "RTR-1");
    assert_unexpected(&rows, "attempt.return_unexpected");
    rows_close(&rows);
}

static void test_of_a_capture(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_AUTHORISE, ATTEMPT_APPROVED);
    rows_later(&rows, OPERATION_CAPTURE, 6000);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 6000, "A");
    assert_int_equal(rows_notice(&rows), STATUS_OK);
    back(&rows, 6001, "RTR-1"); /* more than was taken */
    assert_unexpected(&rows, "attempt.return_unexpected");
    back(&rows, 6000, "RTR-1");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.returned refund.succeeded");
    assert_int_equal(rows.txn.payment.refunded, 6000);
    assert_int_equal(rows.txn.payment.status, PAYMENT_AUTHORIZED); /* 40.00 may still be taken */
    rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returned),
        cmocka_unit_test(test_long_reference_once),
        cmocka_unit_test(test_more_than_is_left),
        cmocka_unit_test(test_covered),
        cmocka_unit_test(test_while_a_refund_runs),
        cmocka_unit_test(test_before_the_outcome),
        cmocka_unit_test(test_of_another_currency),
        cmocka_unit_test(test_of_what_took_nothing),
        cmocka_unit_test(test_of_a_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
