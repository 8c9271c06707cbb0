/* test_judge_hold.c - new payments and their sums, and payments that wait for a person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

#define WAIT_US   600000000
#define REVIEW_US 86400000000

/* A payment of 100.00 EUR that is about to be recorded, with one sum of a calendar day. */
struct fresh {
    struct rows rows;
    struct ruling ruling;
    struct reservation day;
};

static void fresh_open(struct fresh *f, enum verdict rules, enum verdict sum, int64_t max,
                       int64_t spent)
{
    static const uint8_t sealed[] = { 0, 1, 2, 3 };
    rows_open(&f->rows, OPERATION_SALE, ATTEMPT_SENDING);
    f->day = (struct reservation){ .kind = RESERVE_PERIOD,
                                   .rule = "limit.day",
                                   .source = "own",
                                   .counter = "limit.day",
                                   .amount_max = max,
                                   .amount_from = -1,
                                   .verdict = sum,
                                   .counts = true,
                                   .window = SETTINGS_WINDOW_DAY,
                                   .per = SETTINGS_PER_PAYER,
                                   .text = "" };
    f->ruling = (struct ruling){ .verdict = rules,
                                 .challenged = rules == VERDICT_CHALLENGE,
                                 .region = VIEW("eu"),
                                 .head = VIEW("\"profile\":\"eu\""),
                                 .reservations = &f->day,
                                 .reservation_count = 1,
                                 .authenticate_for_us = WAIT_US,
                                 .review_for_us = REVIEW_US,
                                 .wrong_max = 3,
                                 .methods = VIEW("code assertion"),
                                 .held = view_of(sealed, sizeof sealed) };
    f->ruling.decision_json = ruling_members(&f->rows.arena, &f->ruling, rules, VIEW_EMPTY);
    f->rows.work.change.ruling = &f->ruling;
    f->rows.work.change.request_json = VIEW("\"a\":1");
    f->rows.work.change.created_json = f->ruling.decision_json;
    f->rows.txn.payment.facts_json = VIEW("\"a\":1,\"decision\":{}");
    f->rows.txn.attempt = (struct attempt_row){ 0 };
    f->rows.txn.payment.refs = VIEW_EMPTY;
    f->rows.txn.spend_count = 1;
    f->rows.txn.spends[0] =
        (struct store_spend){ .kind = STORE_SPEND_PERIOD, .amount = ASKED, .spent = spent };
}

static bool text_has(struct view text, const char *part)
{
    for (size_t i = 0; i + strlen(part) <= text.len; i++)
        if (view_is(view_slice(text, i, strlen(part)), part))
            return true;
    return false;
}

static void test_fits(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_ALLOW, VERDICT_DENY, 3 * ASKED, 2 * ASKED);
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), 0,
                "payment.created attempt.sending");
    assert_true(f.rows.txn.spends[0].write);
    assert_int_equal(f.rows.txn.write_attempt, STORE_INSERT);
    assert_int_equal(f.rows.txn.write_held, 0);
    rows_close(&f.rows);
}

static void test_one_more_is_denied(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_ALLOW, VERDICT_DENY, 3 * ASKED, 2 * ASKED + 1);
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), JUDGE_DENIED,
                "payment.created payment.failed");
    assert_false(f.rows.txn.spends[0].write);
    assert_int_not_equal(f.rows.txn.write_attempt, STORE_INSERT);
    assert_int_equal(f.rows.txn.answer_status, 201);
    assert_true(text_has(f.rows.txn.payment.facts_json, "\"result\":\"deny\""));
    assert_true(text_has(f.rows.txn.payment.facts_json, "limit.day"));
    rows_close(&f.rows);
}

static void test_too_many_rows_is_denied(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_ALLOW, VERDICT_REVIEW, 3 * ASKED, 0);
    f.rows.txn.spends[0].too_many = true;
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), JUDGE_DENIED,
                "payment.created payment.failed");
    rows_close(&f.rows);
}

static void test_held_for_the_payer(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_CHALLENGE, VERDICT_DENY, 3 * ASKED, 0);
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), JUDGE_HELD,
                "payment.created payment.requires_action");
    assert_int_equal(f.rows.txn.answer_status, 202);
    assert_int_equal(f.rows.txn.held.kind, HELD_AUTHENTICATE);
    assert_int_equal(f.rows.txn.write_held, STORE_INSERT);
    assert_int_not_equal(f.rows.txn.write_attempt, STORE_INSERT);
    assert_true(f.rows.txn.spends[0].write);
    assert_true(text_has(f.rows.txn.answer_body, "\"methods\":[\"code\",\"assertion\"]"));
    rows_close(&f.rows);
}

/* The rules would challenge, a sum asks for a person: the payer is asked after the person. */
static void test_review_and_challenge(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_CHALLENGE, VERDICT_REVIEW, ASKED - 1, 0);
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), JUDGE_HELD,
                "payment.created payment.review_required");
    assert_int_equal(f.rows.txn.held.kind, HELD_REVIEW);
    assert_int_equal(f.rows.txn.held.data.ptr[0], 1);
    assert_int_equal(f.rows.txn.payment.status, PAYMENT_PROCESSING);
    rows_close(&f.rows);
}

/* An exemption that is used up asks the payer, and is not used. */
static void test_exemption_used_up(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_ALLOW, VERDICT_CHALLENGE, ASKED, 1);
    f.day.kind = RESERVE_SINCE_AUTHENTICATION;
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), JUDGE_HELD,
                "payment.created payment.requires_action");
    assert_false(f.rows.txn.spends[0].write);
    rows_close(&f.rows);
    fresh_open(&f, VERDICT_ALLOW, VERDICT_CHALLENGE, ASKED, 0);
    f.day.kind = RESERVE_SINCE_AUTHENTICATION;
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), 0,
                "payment.created attempt.sending");
    assert_true(f.rows.txn.spends[0].write);
    rows_close(&f.rows);
}

/* --- held
 * ------------------------------------------------------------------------------------------ */

static void held_open(struct rows *rows, enum held_kind kind)
{
    rows_open(rows, OPERATION_SALE, ATTEMPT_SENDING);
    if (kind == HELD_AUTHENTICATE)
        rows->txn.payment.status = PAYMENT_REQUIRES_ACTION;
    rows->txn.held = (struct held_row){ .payment = rows->txn.payment.id,
                                        .merchant = rows->txn.payment.merchant,
                                        .kind = kind,
                                        .until_us = 1 };
    rows->txn.payment.spends = VIEW("something");
    rows->work.wrong_max = 3;
    rows->work.change.held_kind = kind;
    rows->work.change.outcome_json = VIEW("\"outcome\":{\"result\":\"rejected\"}");
    rows->txn.attempt = (struct attempt_row){ 0 };
    rows->txn.payment.refs = VIEW_EMPTY;
}

static void test_confirmed(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_AUTHENTICATE);
    rows.txn.spend_count = 1;
    rows.txn.spends[0] = (struct store_spend){ .kind = STORE_SPEND_RESET };
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_RESUME, 0), 0,
                "payment.confirmed payment.processing attempt.sending");
    assert_int_equal(rows.txn.write_held, STORE_DELETE);
    assert_int_equal(rows.txn.payment.status, PAYMENT_PROCESSING);
    assert_true(rows.txn.spends[0].write);
    assert_false(rows.txn.spends_release);
    rows_close(&rows);
}

/* Chip and PIN: the host has not said yet whether the PIN was right. */
static void test_reset_waits_for_the_approval(void **state)
{
    (void)state;
    struct fresh f;
    fresh_open(&f, VERDICT_ALLOW, VERDICT_ALLOW, 3 * ASKED, 0);
    f.day.kind = RESERVE_RESET;
    f.rows.txn.spends[0] = (struct store_spend){ .kind = STORE_SPEND_RESET };
    ASSERT_SAID(&f.rows, rows_change(&f.rows, CHANGE_CREATE, 0), 0,
                "payment.created attempt.sending");
    assert_false(f.rows.txn.spends[0].write);
    rows_close(&f.rows);
    for (int approved = 0; approved < 2; approved++) {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, ATTEMPT_SENDING);
        rows.txn.spend_count = 1;
        rows.txn.spends[0] = (struct store_spend){ .kind = STORE_SPEND_RESET };
        rows.work.change.begun_minor = rows.work.change.approved_minor = ASKED;
        assert_int_equal(
            rows_change(&rows, CHANGE_SETTLE, approved ? OUTCOME_APPROVED : OUTCOME_DECLINED),
            STATUS_OK);
        assert_int_equal(rows.txn.write_payment, STORE_UPDATE);
        assert_int_equal(rows.txn.spends[0].write, approved);
        rows_close(&rows);
    }
}

static void test_forgone(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_AUTHENTICATE);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_FORGO, 0), 0, "payment.failed");
    assert_int_equal(rows.txn.payment.capturing, 0);
    assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_FAILED);
    assert_true(rows.txn.spends_release);
    assert_int_equal(rows.txn.write_held, STORE_DELETE);
    rows_close(&rows);
}

static void test_wrong_until_it_fails(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_AUTHENTICATE);
    for (int i = 1; i <= 2; i++) {
        rows.work.change.answer_problem = PROBLEM_AUTHENTICATION_WRONG;
        ASSERT_SAID(&rows, rows_change(&rows, CHANGE_WRONG, 0), 0, "payment.authentication_wrong");
        assert_int_equal(rows.txn.held.wrong, i);
        assert_int_equal(rows.txn.write_held, STORE_UPDATE);
        assert_int_equal(rows.txn.answer_status, 422);
        assert_int_equal(rows.txn.payment.status, PAYMENT_REQUIRES_ACTION);
    }
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_WRONG, 0), 0,
                "payment.authentication_wrong payment.failed");
    assert_int_equal(rows.txn.write_held, STORE_DELETE);
    assert_true(rows.txn.spends_release);
    rows_close(&rows);
}

static void test_asked_of_the_other(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_AUTHENTICATE);
    rows.txn.held.kind = HELD_REVIEW; /* as it was read it waited for the payer */
    ASSERT_REFUSED(&rows, rows_change(&rows, CHANGE_RESUME, 0), 0);
    assert_int_equal(rows.txn.answer_status, 409);
    rows_close(&rows);
}

static void test_operator_then_payer(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_REVIEW);
    rows.work.change.until_us = 77;
    rows.work.change.told_json = VIEW("\"by\":\"Ops One\",\"why\":\"like H-1 of the list\"");
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_REHOLD, 0), 0,
                "compliance.review_approved payment.review_approved payment.requires_action");
    /* Who said so and why is told to no merchant. */
    assert_int_equal(rows.txn.events[0].merchant, 0);
    assert_int_equal(rows.txn.events[1].merchant, rows.txn.payment.merchant);
    assert_true(view_equal(rows.txn.events[1].data_json, VIEW("{}")));
    assert_int_equal(rows.txn.held.kind, HELD_AUTHENTICATE);
    assert_int_equal(rows.txn.held.until_us, 77);
    assert_int_equal(rows.txn.write_held, STORE_UPDATE);
    rows_close(&rows);
}

static void test_canceled_while_held(void **state)
{
    (void)state;
    struct rows rows;
    held_open(&rows, HELD_AUTHENTICATE);
    rows.work.kind = OPERATION_CANCEL;
    rows.work.operation = 33;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_CANCEL_HELD, 0), 0,
                "cancel.succeeded payment.canceled");
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    assert_int_equal(rows.txn.payment.capturing, 0);
    assert_int_equal(rows.txn.answer_status, 200);
    assert_true(rows.txn.spends_release);
    /* The operation that was held ends in the same commit. */
    assert_int_equal(rows.txn.write_first, STORE_UPDATE);
    assert_int_equal(rows.txn.first.status, OPERATION_STATUS_FAILED);
    rows_close(&rows);
    /* As it was read it waited for an operator, who has said yes meanwhile. */
    held_open(&rows, HELD_AUTHENTICATE);
    rows.work.change.held_kind = HELD_REVIEW;
    rows.work.kind = OPERATION_CANCEL;
    rows.work.operation = 33;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_CANCEL_HELD, 0), 0,
                "cancel.succeeded payment.canceled");
    rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_one_more_is_denied),
        cmocka_unit_test(test_too_many_rows_is_denied),
        cmocka_unit_test(test_held_for_the_payer),
        cmocka_unit_test(test_review_and_challenge),
        cmocka_unit_test(test_exemption_used_up),
        cmocka_unit_test(test_confirmed),
        cmocka_unit_test(test_reset_waits_for_the_approval),
        cmocka_unit_test(test_forgone),
        cmocka_unit_test(test_wrong_until_it_fails),
        cmocka_unit_test(test_asked_of_the_other),
        cmocka_unit_test(test_operator_then_payer),
        cmocka_unit_test(test_canceled_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
