/* test_resolve.c - a person's word about what is parked or in conflict: every verb both ways, every
 * refusal, and what comes afterwards. The card number in here is from a published test range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

static const enum attempt_state waiting[] = { ATTEMPT_PARKED, ATTEMPT_CONFLICT };
static const enum resolve_as moneyless[] = { RESOLVE_DECLINED, RESOLVE_REVERSED };

#define EACH(item, list) for (size_t item = 0; item < COUNT_OF(list); item++)

static enum attempt_state state_after(enum resolve_as as)
{
    return as == RESOLVE_APPROVED   ? ATTEMPT_APPROVED
           : as == RESOLVE_DECLINED ? ATTEMPT_DECLINED
                                    : ATTEMPT_REVERSED;
}

/* The first operation waits for a person; its operation has not ended. */
static void first_waits(struct rows *rows, enum operation first, enum attempt_state state)
{
    rows_open(rows, first, ATTEMPT_UNKNOWN);
    rows->txn.attempt.state = state;
}

/* A capture, cancel or refund of `amount` waits for a person. */
static void later_waits(struct rows *rows, enum operation kind, int64_t amount,
                        enum attempt_state state)
{
    rows_open(rows, kind == OPERATION_REFUND ? OPERATION_SALE : OPERATION_AUTHORISE,
              ATTEMPT_APPROVED);
    rows_later(rows, kind, amount);
    rows->txn.attempt.state = state;
}

static void assert_refused(struct rows *rows, enum status verdict, uint32_t http, const char *part)
{
    char body[2048];
    assert_int_equal(verdict, STATUS_REFUSED);
    assert_int_equal(rows->txn.answer_status, http);
    assert_int_equal(view_to_text(rows->txn.answer_body, body, sizeof body), STATUS_OK);
    if (strstr(body, part) == NULL)
        fail_msg("\"%s\" is not in %s", part, body);
}

static void assert_event_has(const struct rows *rows, size_t nth, const char *part)
{
    char text[2048];
    assert_true(nth < rows->txn.event_count);
    assert_int_equal(view_to_text(rows->txn.events[nth].data_json, text, sizeof text), STATUS_OK);
    if (strstr(text, part) == NULL)
        fail_msg("%s is not in %s", part, text);
}

/* --- every verb, both ways -------------------------------------------------------------------- */

static void test_sale(void **state)
{
    (void)state;
    EACH(i, waiting)
    {
        struct rows rows;
        first_waits(&rows, OPERATION_SALE, waiting[i]);
        ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED,
                    "attempt.resolved payment.succeeded");
        assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
        assert_int_equal(rows.txn.attempt.updated_us, 9);
        assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED);
        assert_int_equal(rows.txn.payment.captured, ASKED);
        assert_int_equal(rows.txn.payment.capturing, 0);
        assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_SUCCEEDED);
        assert_true(view_is(rows.txn.payment.outcome_json, "\"outcome\":{\"code\":\"resolved\"}"));
        assert_event_has(&rows, 0, "\"state\":\"approved\"");
        assert_event_has(&rows, 0,
                         waiting[i] == ATTEMPT_PARKED ? "\"before\":\"parked\""
                                                      : "\"before\":\"conflict\"");
        assert_event_has(&rows, 0, "\"by\":\"Ops One\",\"why\":\"the bank said so\"}");
        rows_close(&rows);
        EACH(j, moneyless)
        {
            first_waits(&rows, OPERATION_SALE, waiting[i]);
            rows.txn.payment.spends = VIEW("spent");
            bool reversed = moneyless[j] == RESOLVE_REVERSED;
            ASSERT_SAID(&rows, rows_resolve(&rows, moneyless[j], 0), JUDGE_SETTLED,
                        reversed ? "attempt.resolved payment.reversed"
                                 : "attempt.resolved payment.failed");
            assert_int_equal(rows.txn.attempt.state, state_after(moneyless[j]));
            assert_int_equal(rows.txn.payment.status, reversed ? PAYMENT_REVERSED : PAYMENT_FAILED);
            assert_int_equal(rows.txn.payment.captured + rows.txn.payment.capturing, 0);
            assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_FAILED);
            assert_true(rows.txn.spends_release); /* nothing moved: limits are given back */
            rows_close(&rows);
        }
    }
}

static void test_approved_keeps_what_was_spent(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    rows.txn.payment.spends = VIEW("spent");
    assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 0), STATUS_OK);
    assert_false(rows.txn.spends_release);
    rows_close(&rows);
}

static void test_authorise(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_AUTHORISE, ATTEMPT_PARKED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED,
                "attempt.resolved payment.authorized");
    assert_int_equal(rows.txn.payment.authorized, ASKED);
    assert_int_equal(rows.txn.payment.captured, 0);
    rows_close(&rows);
    first_waits(&rows, OPERATION_AUTHORISE, ATTEMPT_CONFLICT);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_DECLINED, 0), JUDGE_SETTLED,
                "attempt.resolved payment.failed");
    assert_int_equal(rows.txn.payment.authorized, 0);
    rows_close(&rows);
}

static void test_capture(void **state)
{
    (void)state;
    struct rows rows;
    later_waits(&rows, OPERATION_CAPTURE, 4000, ATTEMPT_PARKED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED,
                "attempt.resolved capture.succeeded");
    assert_int_equal(rows.txn.payment.captured, 4000);
    assert_int_equal(rows.txn.payment.capturing, 0);
    assert_int_equal(rows.txn.payment.status, PAYMENT_AUTHORIZED);
    rows_close(&rows);
    later_waits(&rows, OPERATION_CAPTURE, 4000, ATTEMPT_CONFLICT);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_REVERSED, 0), JUDGE_SETTLED,
                "attempt.resolved capture.failed");
    assert_int_equal(rows.txn.payment.captured + rows.txn.payment.capturing, 0);
    rows_close(&rows);
}

static void test_cancel(void **state)
{
    (void)state;
    struct rows rows;
    later_waits(&rows, OPERATION_CANCEL, 0, ATTEMPT_PARKED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED,
                "attempt.resolved cancel.succeeded payment.canceled");
    assert_int_equal(rows.txn.payment.released, ASKED);
    assert_true(rows.txn.payment.spends.len == 0);
    rows_close(&rows);
    later_waits(&rows, OPERATION_CANCEL, 0, ATTEMPT_PARKED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_DECLINED, 0), JUDGE_SETTLED,
                "attempt.resolved cancel.failed");
    assert_int_equal(rows.txn.payment.released + rows.txn.payment.releasing, 0);
    assert_int_equal(rows.txn.payment.status, PAYMENT_AUTHORIZED);
    rows_close(&rows);
    later_waits(&rows, OPERATION_CANCEL, 0, ATTEMPT_PARKED);
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 100), 422, "never a part");
    rows_close(&rows);
}

/* A cancel of what was running has no amount of its own. */
static void test_cancel_of_what_was_running(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_later(&rows, OPERATION_CANCEL, 0);
    assert_int_equal(rows.txn.attempt.amount, 0);
    rows.txn.attempt.state = ATTEMPT_PARKED;
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, ASKED), JUDGE_SETTLED,
                "attempt.resolved cancel.succeeded payment.canceled");
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    assert_int_equal(rows.txn.payment.capturing, 0);
    rows_close(&rows);

    /* What it was to cancel was approved meanwhile. */
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_later(&rows, OPERATION_CANCEL, 0);
    rows.txn.attempt.state = ATTEMPT_PARKED;
    rows.txn.payment.status = PAYMENT_SUCCEEDED;
    rows.txn.payment.authorized = rows.txn.payment.captured = ASKED;
    rows.txn.payment.capturing = 0;
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), 409, "do not hold");
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_DECLINED, 0), JUDGE_SETTLED,
                "attempt.resolved cancel.failed");
    assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED);
    rows_close(&rows);
}

static void test_refund(void **state)
{
    (void)state;
    struct rows rows;
    later_waits(&rows, OPERATION_REFUND, 3000, ATTEMPT_CONFLICT);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED,
                "attempt.resolved refund.succeeded payment.partially_refunded");
    assert_int_equal(rows.txn.payment.refunded, 3000);
    rows_close(&rows);
    later_waits(&rows, OPERATION_REFUND, 3000, ATTEMPT_PARKED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_DECLINED, 0), JUDGE_SETTLED,
                "attempt.resolved refund.failed");
    assert_int_equal(rows.txn.payment.refunded + rows.txn.payment.refunding, 0);
    assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED);
    rows_close(&rows);
}

/* --- amounts ---------------------------------------------------------------------------------- */

static void test_a_part_was_approved(void **state)
{
    (void)state;
    static const enum operation kinds[] = { OPERATION_SALE, OPERATION_AUTHORISE, OPERATION_CAPTURE,
                                            OPERATION_REFUND };
    EACH(i, kinds)
    {
        struct rows rows;
        bool first = kinds[i] == OPERATION_SALE || kinds[i] == OPERATION_AUTHORISE;
        if (first)
            first_waits(&rows, kinds[i], ATTEMPT_CONFLICT);
        else
            later_waits(&rows, kinds[i], ASKED, ATTEMPT_CONFLICT);
        assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 6000), STATUS_OK);
        const struct payment_row *p = &rows.txn.payment;
        assert_int_equal(rows.txn.operation.amount, 6000);
        assert_int_equal(rows.txn.attempt.amount, 6000);
        assert_int_equal(kinds[i] == OPERATION_REFUND      ? p->refunded
                         : kinds[i] == OPERATION_AUTHORISE ? p->authorized
                                                           : p->captured,
                         6000);
        assert_int_equal(p->capturing + p->refunding, 0);
        assert_event_has(&rows, 0, "\"amount\":6000,\"asked\":10000");
        rows_close(&rows);
    }
}

static void test_wrong_amounts(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, ASKED + 1), 422,
                   "over what was asked, 10000");
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, INT64_MAX), 422, "over");
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, -1), 422, "over");
    EACH(i, moneyless)
    {
        assert_refused(&rows, rows_resolve(&rows, moneyless[i], 500), 422, "only be given with");
    }
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_PARKED);
    rows_close(&rows);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void test_only_what_waits(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_OVERTAKEN; known++) {
        if (known == ATTEMPT_PARKED || known == ATTEMPT_CONFLICT)
            continue;
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, (enum attempt_state)known);
        for (int as = RESOLVE_APPROVED; as <= RESOLVE_REVERSED; as++)
            assert_refused(&rows, rows_resolve(&rows, (enum resolve_as)as, 0), 409,
                           attempt_state_word((enum attempt_state)known));
        assert_int_equal(rows.txn.attempt.state, known);
        rows_close(&rows);
    }
}

static void test_not_what_serves_another_one(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    rows.txn.attempt.parent = 12;
    char id[ID_TEXT_MAX];
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), 409,
                   id_format(ID_ATTEMPT, 12, id));
    rows_close(&rows);
}

/* Merchants were told: the word may only say the same. */
static void test_its_operation_has_ended(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows.txn.attempt.state = ATTEMPT_CONFLICT;
    EACH(i, moneyless)
    {
        assert_refused(&rows, rows_resolve(&rows, moneyless[i], 0), 409, "has succeeded");
    }
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 6000), 422, "succeeded with 10000");
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED, "attempt.resolved");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    assert_int_equal(rows.txn.write_payment, 0);
    assert_int_equal(rows.txn.payment.captured, ASKED);
    rows_close(&rows);
    rows_open(&rows, OPERATION_SALE, ATTEMPT_REVERSED);
    rows.txn.attempt.state = ATTEMPT_CONFLICT;
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), 409, "has failed");
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_REVERSED, 0), JUDGE_SETTLED, "attempt.resolved");
    assert_int_equal(rows.txn.payment.status, PAYMENT_REVERSED);
    assert_int_equal(rows.txn.write_payment, 0);
    rows_close(&rows);
}

static void test_the_payment_was_canceled_meanwhile(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_CONFLICT);
    rows.txn.payment.status = PAYMENT_CANCELED;
    rows.txn.payment.capturing = 0;
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), 409, "ended without");
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_REVERSED, 0), JUDGE_SETTLED, "attempt.resolved");
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_FAILED);
    rows_close(&rows);
}

/* The operation is another attempt's: it may be running, or have ended. */
static void test_the_operation_went_on(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_CONFLICT);
    rows.resolve.superseded = true;
    assert_refused(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), 409, "another attempt");
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_REVERSED, 0), JUDGE_SETTLED, "attempt.resolved");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_REVERSED);
    assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_PENDING);
    assert_int_equal(rows.txn.payment.status, PAYMENT_PROCESSING);
    rows_close(&rows);
}

static void test_sums_that_do_not_hold(void **state)
{
    (void)state;
    struct rows rows;
    later_waits(&rows, OPERATION_REFUND, 3000, ATTEMPT_PARKED);
    rows.txn.attempt.amount = 5000; /* more than is being refunded */
    for (int as = RESOLVE_APPROVED; as <= RESOLVE_REVERSED; as++)
        assert_refused(&rows, rows_resolve(&rows, (enum resolve_as)as, 0), 409, "do not hold");
    rows_close(&rows);
}

/* --- what stands beside it, what comes after it ----------------------------------------------- */

static void test_the_remedy_is_closed_with_it(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    rows.txn.parent = rows.txn.attempt;
    rows.txn.parent.id = 50;
    rows.txn.parent.parent = rows.txn.attempt.id;
    rows.txn.parent.verb = OPERATION_REVERSE;
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_REVERSED, 0), JUDGE_SETTLED,
                "attempt.resolved attempt.overtaken payment.reversed");
    assert_int_equal(rows.txn.write_parent, STORE_UPDATE);
    assert_int_equal(rows.txn.parent.state, ATTEMPT_OVERTAKEN);
    rows_close(&rows);
    /* One that has ended, or serves another attempt, is left alone. */
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    rows.txn.parent = rows.txn.attempt;
    rows.txn.parent.id = 50;
    rows.txn.parent.parent = 999;
    assert_int_equal(rows_resolve(&rows, RESOLVE_REVERSED, 0), STATUS_OK);
    assert_int_equal(rows.txn.write_parent, 0);
    rows_close(&rows);
}

static void test_a_second_word(void **state)
{
    (void)state;
    for (int first = RESOLVE_APPROVED; first <= RESOLVE_REVERSED; first++) {
        struct rows rows;
        first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
        assert_int_equal(rows_resolve(&rows, (enum resolve_as)first, 0), STATUS_OK);
        for (int second = RESOLVE_APPROVED; second <= RESOLVE_REVERSED; second++)
            assert_refused(&rows, rows_resolve(&rows, (enum resolve_as)second, 0), 409,
                           "Only what is parked or in conflict");
        rows_close(&rows);
    }
}

/* A notice is compared with it as with any outcome. */
static void test_a_notice_that_comes_afterwards(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 0), STATUS_OK);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_DECLINED, -1, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED);
    ASSERT_SAID(&rows, rows_resolve(&rows, RESOLVE_APPROVED, 0), JUDGE_SETTLED, "attempt.resolved");
    rows_close(&rows);
    EACH(i, moneyless)
    {
        first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
        assert_int_equal(rows_resolve(&rows, moneyless[i], 0), STATUS_OK);
        rows_hear(&rows, NOTICE_STATUS, OUTCOME_DECLINED, -1, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
        rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
        assert_int_equal(rows.txn.payment.captured, 0);
        rows_close(&rows);
    }
    /* Of a part: the notice must tell of that part. */
    first_waits(&rows, OPERATION_SALE, ATTEMPT_CONFLICT);
    assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 6000), STATUS_OK);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 6000, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    rows_close(&rows);
    first_waits(&rows, OPERATION_SALE, ATTEMPT_CONFLICT);
    assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 6000), STATUS_OK);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    rows_close(&rows);
}

/* Whatever a work still hears of it meets what the person has said. */
static void test_a_work_that_comes_afterwards(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_CONFLICT);
    assert_int_equal(rows_resolve(&rows, RESOLVE_REVERSED, 0), STATUS_OK);
    assert_int_equal(rows_change(&rows, CHANGE_SETTLE, OUTCOME_APPROVED), STATUS_OK);
    assert_int_equal(rows.txn.said, JUDGE_CONTRADICTED);
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.payment.status, PAYMENT_REVERSED);
    rows_close(&rows);
}

static void test_no_card_number_enters_the_journal(void **state)
{
    (void)state;
    struct rows rows;
    first_waits(&rows, OPERATION_SALE, ATTEMPT_PARKED);
    rows.resolve.why = VIEW("card 4111 1111 1111 1111 was seen");
    rows.resolve.by = VIEW("4111111111111111 1000 EUR");
    rows.resolve.evidence = VIEW("RRN 123456789012, card 4111 1111 1111 1111 12/28");
    assert_int_equal(rows_resolve(&rows, RESOLVE_APPROVED, 0), STATUS_OK);
    char text[2048];
    assert_int_equal(view_to_text(rows.txn.events[0].data_json, text, sizeof text), STATUS_OK);
    assert_null(strstr(text, "1111 1111"));
    assert_null(strstr(text, "11111111"));
    assert_non_null(strstr(text, "was seen"));
    assert_non_null(strstr(text, "RRN 123456789012, card 4111 11** **** 1111 12/28"));
    assert_non_null(strstr(text, "411111******1111 1000 EUR"));
    rows_close(&rows);
}

static void test_words(void **state)
{
    (void)state;
    enum resolve_as as;
    assert_int_equal(resolve_as_parse(VIEW("approved"), &as), STATUS_OK);
    assert_int_equal(as, RESOLVE_APPROVED);
    assert_int_equal(resolve_as_parse(VIEW("reversed"), &as), STATUS_OK);
    assert_int_equal(as, RESOLVE_REVERSED);
    assert_int_equal(resolve_as_parse(VIEW("declined"), &as), STATUS_OK);
    assert_int_equal(as, RESOLVE_DECLINED);
    assert_int_equal(resolve_as_parse(VIEW("parked"), &as), STATUS_NOT_FOUND);
    assert_int_equal(resolve_as_parse(VIEW_EMPTY, &as), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sale),
        cmocka_unit_test(test_approved_keeps_what_was_spent),
        cmocka_unit_test(test_authorise),
        cmocka_unit_test(test_capture),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_of_what_was_running),
        cmocka_unit_test(test_refund),
        cmocka_unit_test(test_a_part_was_approved),
        cmocka_unit_test(test_wrong_amounts),
        cmocka_unit_test(test_only_what_waits),
        cmocka_unit_test(test_not_what_serves_another_one),
        cmocka_unit_test(test_its_operation_has_ended),
        cmocka_unit_test(test_the_payment_was_canceled_meanwhile),
        cmocka_unit_test(test_the_operation_went_on),
        cmocka_unit_test(test_sums_that_do_not_hold),
        cmocka_unit_test(test_the_remedy_is_closed_with_it),
        cmocka_unit_test(test_a_second_word),
        cmocka_unit_test(test_a_notice_that_comes_afterwards),
        cmocka_unit_test(test_a_work_that_comes_afterwards),
        cmocka_unit_test(test_no_card_number_enters_the_journal),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
