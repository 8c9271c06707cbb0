/* test_judge_notice.c - the table at the top of judge_notice.c, cell by cell, and what surrounds
 * it: wrong money, money twice, money of another amount, and answers that come late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

static const enum attempt_state open_states[] = { ATTEMPT_SENDING, ATTEMPT_UNKNOWN, ATTEMPT_PENDING,
                                                  ATTEMPT_PARKED };
static const enum attempt_state moneyless[] = { ATTEMPT_DECLINED, ATTEMPT_REJECTED,
                                                ATTEMPT_NOT_FOUND, ATTEMPT_NOT_SENT,
                                                ATTEMPT_REVERSED };
static const enum outcome refusals[] = { OUTCOME_DECLINED, OUTCOME_REJECTED };

#define EACH(item, list) for (size_t item = 0; item < COUNT_OF(list); item++)

static void hear(struct rows *rows, enum outcome outcome, const char *reference)
{
    rows_hear(rows, NOTICE_STATUS, outcome, outcome == OUTCOME_APPROVED ? ASKED : -1, reference);
}

/* --- the table ----------------------------------------------------------------------------------
 */

static void test_open_is_settled(void **state)
{
    (void)state;
    EACH(i, open_states)
    {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, open_states[i]);
        hear(&rows, OUTCOME_APPROVED, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.approved payment.succeeded");
        assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
        assert_int_equal(rows.txn.payment.captured, ASKED);
        assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_SUCCEEDED);
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
        assert_true(rows_has_ref(rows.txn.attempt.refs, "heard", "R-1"));
        assert_true(rows_has_ref(rows.txn.payment.refs, "heard", "R-1"));
        assert_true(rows_has_ref(rows.txn.payment.refs, "sent", "E2E-1"));
        rows_close(&rows);
        EACH(j, refusals)
        {
            rows_open(&rows, OPERATION_AUTHORISE, open_states[i]);
            hear(&rows, refusals[j], "A");
            ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                        "attempt.declined payment.failed");
            assert_int_equal(rows.txn.attempt.state, judge_state_of(refusals[j]));
            assert_int_equal(rows.txn.payment.status, PAYMENT_FAILED);
            assert_int_equal(rows.txn.payment.authorized, 0);
            rows_close(&rows);
        }
    }
}

/* "Accepted" is nothing new, whatever is known. */
static void test_pending_changes_nothing(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_PARKED; known++) {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, (enum attempt_state)known);
        hear(&rows, OUTCOME_PENDING, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
        assert_int_equal(rows.txn.write_attempt, 0);
        assert_int_equal(rows.txn.attempt.state, known);
        rows_close(&rows);
    }
}

static void test_approved_and_then_refused(void **state)
{
    (void)state;
    EACH(i, refusals)
    {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
        hear(&rows, refusals[i], "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
        assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
        assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED); /* a person decides */
        assert_int_equal(rows.txn.payment.captured, ASKED);
        rows_close(&rows);
    }
}

static void test_ended_without_money(void **state)
{
    (void)state;
    EACH(i, moneyless)
    {
        struct rows rows;
        EACH(j, refusals)
        {
            rows_open(&rows, OPERATION_SALE, moneyless[i]);
            hear(&rows, refusals[j], "A");
            ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
            assert_int_equal(rows.txn.attempt.state, moneyless[i]);
            rows_close(&rows);
        }
        rows_open(&rows, OPERATION_SALE, moneyless[i]);
        enum payment_status before = rows.txn.payment.status;
        hear(&rows, OUTCOME_APPROVED, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
        assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
        assert_int_equal(rows.txn.payment.status, before);
        assert_int_equal(rows.txn.payment.captured, 0);
        rows_close(&rows);
    }
}

/* Being undone, or before a person already: kept, once for each reference. */
static void test_kept(void **state)
{
    (void)state;
    const enum attempt_state keeping[] = { ATTEMPT_REVERSING, ATTEMPT_CONFLICT };
    EACH(i, keeping)
    {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, keeping[i]);
        hear(&rows, OUTCOME_APPROVED, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "attempt.late_answer");
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
        hear(&rows, OUTCOME_APPROVED, "B");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "attempt.late_answer");
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "B"));
        hear(&rows, OUTCOME_DECLINED, "");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "attempt.late_answer");
        assert_int_equal(rows.txn.attempt.state, keeping[i]);
        assert_int_equal(rows.txn.payment.status, PAYMENT_PROCESSING);
        rows_close(&rows);
    }
}

/* --- what it is not about ------------------------------------------------------------------------
 */

static void test_of_another_channel(void **state)
{
    (void)state;
    EACH(i, open_states)
    {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, open_states[i]);
        hear(&rows, OUTCOME_APPROVED, "A");
        rows.change.channel = VIEW("wallet");
        ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_NOT_OURS);
        rows.change.heard_about = NOTICE_RETURN;
        ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_NOT_OURS);
        rows_close(&rows);
    }
}

/* What a reversal or inquiry said comes as its answer. */
static void test_of_a_remedy(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_UNKNOWN);
    rows.txn.attempt.parent = 12;
    rows.txn.attempt.verb = OPERATION_INQUIRE;
    hear(&rows, OUTCOME_APPROVED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    assert_int_equal(rows.txn.payment.captured, 0);
    rows_close(&rows);
}

/* --- other money ---------------------------------------------------------------------------------
 */

static void assert_other_money(enum attempt_state known, int64_t amount, uint32_t currency)
{
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, known);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, amount, "A");
    rows.change.heard_currency = currency;
    bool asked_to_act = rows.txn.payment.status == PAYMENT_REQUIRES_ACTION;
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT,
                asked_to_act ? "attempt.conflict payment.processing" : "attempt.conflict");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.payment.captured, 0);
    assert_int_equal(rows.txn.payment.status, PAYMENT_PROCESSING);
    /* Nobody shall act any more, and merchants see that a person must look. */
    assert_true(view_equal(rows.txn.payment.outcome_json, rows.change.conflict_json));
    assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
    rows_close(&rows);
}

static void test_other_money_is_never_approved(void **state)
{
    (void)state;
    EACH(i, open_states)
    {
        assert_other_money(open_states[i], ASKED + 1, 978);
        assert_other_money(open_states[i], ASKED - 1, 978);
        assert_other_money(open_states[i], 0, 978);
        assert_other_money(open_states[i], INT64_MAX, 978);
        assert_other_money(open_states[i], ASKED, 840);
        assert_other_money(open_states[i], ASKED, 1); /* no currency at all */
        assert_other_money(open_states[i], -1, 840);
    }
}

static void test_money_that_is_not_said(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, -1, "");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.approved payment.succeeded");
    assert_int_equal(rows.txn.payment.captured, ASKED);
    rows_close(&rows);
}

/* A refusal that names some amount is a refusal. */
static void test_refused_with_another_amount(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_DECLINED, 1, "");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.declined payment.failed");
    rows_close(&rows);
}

/* --- approved again ------------------------------------------------------------------------------
 */

static void test_approved_again(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows_add_ref(&rows, HEARD_ROW, "A");
    hear(&rows, OUTCOME_APPROVED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    hear(&rows, OUTCOME_APPROVED, ""); /* without a reference nobody can tell it apart */
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    hear(&rows, OUTCOME_APPROVED, "B");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    /* Another amount, under another reference: as much money that nobody asked for. */
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED - 1, "C");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    /* Under the same reference it contradicts what was said before. */
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED - 1, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    assert_int_equal(rows.txn.payment.captured, ASKED);
    rows_close(&rows);
}

/* Approved by an answer that gave no reference: the first one heard is taken for it. */
static void test_approved_without_reference(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    hear(&rows, OUTCOME_APPROVED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    assert_int_equal(rows.txn.write_attempt, STORE_UPDATE);
    assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
    hear(&rows, OUTCOME_APPROVED, "B");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    rows_close(&rows);
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, ASKED + 1, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    rows_close(&rows);
}

/* A notice settles it under "-"; one with a reference is other money then, or the same: told. */
static void test_settled_without_reference(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    hear(&rows, OUTCOME_APPROVED, "");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.approved payment.succeeded");
    hear(&rows, OUTCOME_APPROVED, "");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    hear(&rows, OUTCOME_APPROVED, "A");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    rows_close(&rows);
}

/* Kept to 128 bytes; what is longer is still recognised. */
static void test_long_reference(void **state)
{
    (void)state;
    char longer[301];
    memset(longer, 'x', 300);
    longer[300] = 0;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    hear(&rows, OUTCOME_APPROVED, longer);
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.approved payment.succeeded");
    hear(&rows, OUTCOME_APPROVED, longer);
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    rows_close(&rows);
    rows_open(&rows, OPERATION_SALE, ATTEMPT_REVERSING);
    hear(&rows, OUTCOME_APPROVED, longer);
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "attempt.late_answer");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    rows_close(&rows);
}

/* --- money towards an attempt
 * ---------------------------------------------------------------------- */

static void test_credit_of_another_amount(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_PARKED; known++) {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, (enum attempt_state)known);
        rows_hear(&rows, NOTICE_CREDIT, OUTCOME_APPROVED, ASKED - 1, "A");
        enum judge_said said = known == ATTEMPT_APPROVED ? JUDGE_PAID_AGAIN : JUDGE_OTHER_AMOUNT;
        ASSERT_REFUSED(&rows, rows_notice(&rows), said);
        rows_hear(&rows, NOTICE_CREDIT, OUTCOME_APPROVED, ASKED, "B");
        rows.change.heard_currency = 840;
        ASSERT_REFUSED(&rows, rows_notice(&rows), said);
        assert_int_equal(rows.txn.attempt.state, known); /* who is awaited may still pay */
        rows_close(&rows);
    }
}

static void test_credit_of_the_amount(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_hear(&rows, NOTICE_CREDIT, OUTCOME_APPROVED, ASKED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.approved payment.succeeded");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_REPEATED, "");
    rows_hear(&rows, NOTICE_CREDIT, OUTCOME_APPROVED, ASKED, "B");
    ASSERT_REFUSED(&rows, rows_notice(&rows), JUDGE_PAID_AGAIN);
    rows_close(&rows);
    EACH(i, moneyless)
    {
        rows_open(&rows, OPERATION_SALE, moneyless[i]);
        rows_hear(&rows, NOTICE_CREDIT, OUTCOME_APPROVED, ASKED, "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
        rows_close(&rows);
    }
}

/* --- later operations
 * ------------------------------------------------------------------------------ */

static void test_refund_by_notice(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    rows_later(&rows, OPERATION_REFUND, 4000);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 4000, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                "attempt.approved refund.succeeded payment.partially_refunded");
    assert_int_equal(rows.txn.payment.refunded, 4000);
    assert_int_equal(rows.txn.payment.refunding, 0);
    /* The payment keeps its own references and outcome. */
    assert_false(rows_has_ref(rows.txn.payment.refs, "heard", "R-1"));
    rows_later(&rows, OPERATION_REFUND, 6000);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_DECLINED, -1, "");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED, "attempt.declined refund.failed");
    assert_int_equal(rows.txn.payment.refunded, 4000);
    assert_int_equal(rows.txn.payment.refunding, 0);
    rows_later(&rows, OPERATION_REFUND, 6000);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 5999, "B");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    assert_int_equal(rows.txn.payment.refunding, 6000); /* spent until a person says so */
    rows_close(&rows);
}

static void test_cancel_of_what_runs(void **state)
{
    (void)state;
    const int64_t amounts[] = { -1, ASKED };
    EACH(i, amounts)
    {
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
        rows_later(&rows, OPERATION_CANCEL, 0);
        rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, amounts[i], "A");
        ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_SETTLED,
                    "attempt.approved cancel.succeeded payment.canceled");
        assert_true(view_equal(rows.txn.payment.outcome_json, rows.change.canceled_json));
        assert_int_equal(rows.txn.payment.capturing, 0);
        rows_close(&rows);
    }
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_later(&rows, OPERATION_CANCEL, 0);
    rows_hear(&rows, NOTICE_STATUS, OUTCOME_APPROVED, 1, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.conflict");
    assert_int_equal(rows.txn.payment.status, PAYMENT_REQUIRES_ACTION);
    rows_close(&rows);
}

/* The cancel has ended the payment, and then somebody has paid. */
static void test_paid_after_canceled(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows.txn.payment.status = PAYMENT_CANCELED;
    rows.txn.payment.capturing = 0;
    hear(&rows, OUTCOME_APPROVED, "A");
    ASSERT_SAID(&rows, rows_notice(&rows), JUDGE_CONFLICT, "attempt.approved attempt.conflict");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    assert_int_equal(rows.txn.payment.captured, 0);
    assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
    rows_close(&rows);
}

/* --- late answers, notes
 * ---------------------------------------------------------------------------- */

static void test_late(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_PARKED; known++) {
        bool contradicted = false;
        EACH(i, moneyless) contradicted = contradicted || moneyless[i] == (enum attempt_state)known;
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, (enum attempt_state)known);
        hear(&rows, OUTCOME_DECLINED, "");
        assert_int_equal(rows_late(&rows), STATUS_OK);
        assert_string_equal(rows_events(&rows), "attempt.late_answer");
        assert_int_equal(rows.txn.attempt.state, known);
        hear(&rows, OUTCOME_APPROVED, "");
        assert_int_equal(rows_late(&rows), STATUS_OK);
        assert_string_equal(rows_events(&rows),
                            contradicted ? "attempt.conflict" : "attempt.late_answer");
        assert_int_equal(rows.txn.attempt.state, contradicted ? ATTEMPT_CONFLICT : known);
        assert_int_equal(rows.txn.write_payment, 0);
        rows_close(&rows);
    }
    struct rows rows; /* of a reversal: what it undid is undone */
    rows_open(&rows, OPERATION_SALE, ATTEMPT_DECLINED);
    rows.txn.attempt.parent = 12;
    hear(&rows, OUTCOME_APPROVED, "");
    assert_int_equal(rows_late(&rows), STATUS_OK);
    assert_string_equal(rows_events(&rows), "attempt.late_answer");
    rows_close(&rows);
}

/* An approval of another amount is no approval; but whatever ended, a person must know. */
static void test_late_and_of_another_amount(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_PARKED; known++) {
        bool ended = judge_is_settled((enum attempt_state)known) && known != ATTEMPT_CONFLICT;
        struct rows rows;
        rows_open(&rows, OPERATION_SALE, (enum attempt_state)known);
        hear(&rows, OUTCOME_UNKNOWN, "");
        assert_int_equal(rows_late(&rows), STATUS_OK);
        assert_string_equal(rows_events(&rows), "attempt.late_answer");
        rows.change.contradicted = true;
        assert_int_equal(rows_late(&rows), STATUS_OK);
        assert_string_equal(rows_events(&rows), ended ? "attempt.conflict" : "attempt.late_answer");
        assert_int_equal(rows.txn.attempt.state, ended ? ATTEMPT_CONFLICT : known);
        assert_int_equal(rows.txn.write_payment, 0);
        rows_close(&rows);
    }
}

static void test_noted(void **state)
{
    (void)state;
    struct store_txn txn = { 0 };
    struct change c = { .now_us = 7,
                        .noted_kind = VIEW("channel.credit"),
                        .operation_json = VIEW("{\"amount\":1}") };
    assert_int_equal(judge_noted(&txn, &c), STATUS_OK);
    assert_int_equal(txn.event_count, 1);
    assert_true(view_is(txn.events[0].kind, "channel.credit"));
    assert_true(view_is(txn.events[0].data_json, "{\"amount\":1}"));
    assert_int_equal(txn.events[0].payment, 0);
    assert_int_equal(txn.write_attempt, 0);
    struct rows rows; /* about a payment: its timeline shows it, its rows stay */
    rows_open(&rows, OPERATION_SALE, ATTEMPT_APPROVED);
    c.noted_kind = VIEW("payment.paid_again");
    assert_int_equal(judge_noted(&rows.txn, &c), STATUS_OK);
    assert_int_equal(rows.txn.events[0].payment, 16);
    assert_int_equal(rows.txn.events[0].merchant, 1);
    assert_int_equal(rows.txn.write_payment + rows.txn.write_attempt, 0);
    rows_close(&rows);
}

/* Every notice twice on every state, and another one after it: sums and references hold
 * (judge_rows.c), and the second changes no state. */
static void test_twice_is_once(void **state)
{
    (void)state;
    for (int known = ATTEMPT_SENDING; known <= ATTEMPT_PARKED; known++)
        for (int outcome = OUTCOME_APPROVED; outcome <= OUTCOME_REJECTED; outcome++)
            for (int about = NOTICE_STATUS; about <= NOTICE_CREDIT; about++) {
                struct rows rows;
                rows_open(&rows, OPERATION_AUTHORISE, (enum attempt_state)known);
                rows_hear(&rows, (enum notice_about)about, (enum outcome)outcome, ASKED, "A");
                (void)rows_notice(&rows);
                enum attempt_state after = rows.txn.attempt.state;
                enum payment_status status = rows.txn.payment.status;
                if (about == NOTICE_RETURN)
                    rows.change.new_operation = 78;
                (void)rows_notice(&rows);
                assert_int_equal(rows.txn.attempt.state, after);
                assert_int_equal(rows.txn.payment.status, status);
                rows_close(&rows);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_is_settled),
        cmocka_unit_test(test_pending_changes_nothing),
        cmocka_unit_test(test_approved_and_then_refused),
        cmocka_unit_test(test_ended_without_money),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_of_another_channel),
        cmocka_unit_test(test_of_a_remedy),
        cmocka_unit_test(test_other_money_is_never_approved),
        cmocka_unit_test(test_money_that_is_not_said),
        cmocka_unit_test(test_refused_with_another_amount),
        cmocka_unit_test(test_approved_again),
        cmocka_unit_test(test_approved_without_reference),
        cmocka_unit_test(test_settled_without_reference),
        cmocka_unit_test(test_long_reference),
        cmocka_unit_test(test_credit_of_another_amount),
        cmocka_unit_test(test_credit_of_the_amount),
        cmocka_unit_test(test_refund_by_notice),
        cmocka_unit_test(test_cancel_of_what_runs),
        cmocka_unit_test(test_paid_after_canceled),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_and_of_another_amount),
        cmocka_unit_test(test_noted),
        cmocka_unit_test(test_twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
