/* test_judge_change.c - changes that a work wants when a notice was quicker, when a cancel and the
 * operation it cancels end in the wrong order, and when what was closed had been paid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

static struct view refs_of(struct rows *rows, const char *name)
{
    uint8_t row[64];
    struct writer w = writer_over(row, sizeof row);
    refs_put(&w, view_text(name), VIEW("1"), 0);
    return arena_copy(&rows->arena, writer_done(&w));
}

/* --- a cancel and what it cancels
 * ------------------------------------------------------------------ */

/* Encoded while the first operation ran, as a cancel of all of it; judged after that was approved.
 */
static void test_cancel_begun_too_late(void **state)
{
    (void)state;
    const enum operation firsts[] = { OPERATION_SALE, OPERATION_AUTHORISE };
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        struct rows rows;
        rows_open(&rows, firsts[i], ATTEMPT_APPROVED);
        rows.work.kind = OPERATION_CANCEL;
        rows.work.operation = 33;
        rows.work.subject =
            (struct try){ .attempt = 34, .verb = OPERATION_CANCEL, .original = ASKED, .tries = 1 };
        ASSERT_REFUSED(&rows, rows_change(&rows, CHANGE_BEGIN, 0), 0);
        assert_int_equal(rows.txn.answer_status, 409);
        assert_int_equal(rows.txn.payment.releasing, 0);
        rows_close(&rows);
    }
}

static void cancel_runs(struct rows *rows)
{
    rows_open(rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_later(rows, OPERATION_CANCEL, 0);
}

static void test_cancel_approved(void **state)
{
    (void)state;
    struct rows rows;
    cancel_runs(&rows);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_SETTLE, OUTCOME_APPROVED), 0,
                "attempt.approved cancel.succeeded payment.canceled");
    assert_true(view_equal(rows.txn.payment.outcome_json, rows.work.change.canceled_json));
    rows_close(&rows);
}

static void test_cancel_approved_after_paid(void **state)
{
    (void)state;
    struct rows rows;
    cancel_runs(&rows);
    rows.txn.payment.status = PAYMENT_SUCCEEDED; /* by a notice */
    rows.txn.payment.authorized = rows.txn.payment.captured = ASKED;
    rows.txn.payment.capturing = 0;
    rows.work.change.want_answer = true;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_SETTLE, OUTCOME_APPROVED), JUDGE_CONFLICT,
                "attempt.approved cancel.failed attempt.conflict");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_FAILED);
    assert_int_equal(rows.txn.payment.status, PAYMENT_SUCCEEDED);
    assert_int_equal(rows.txn.payment.captured, ASKED);
    assert_int_equal(rows.txn.answer_status, 200); /* whoever asked is told how it stands */
    rows_close(&rows);
}

static void test_cancel_refused(void **state)
{
    (void)state;
    struct rows rows;
    cancel_runs(&rows);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_SETTLE, OUTCOME_DECLINED), 0,
                "attempt.declined cancel.failed");
    assert_int_equal(rows.txn.payment.status, PAYMENT_REQUIRES_ACTION);
    assert_int_equal(rows.txn.payment.capturing, ASKED);
    rows_close(&rows);
}

/* The answer to what was canceled comes last. */
static void test_answer_after_canceled(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows.txn.payment.status = PAYMENT_CANCELED;
    rows.txn.payment.capturing = 0;
    struct rows paid = rows;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_SETTLE, OUTCOME_DECLINED), 0, "attempt.declined");
    assert_int_equal(rows.txn.payment.status, PAYMENT_CANCELED);
    assert_int_equal(rows.txn.operation.status, OPERATION_STATUS_FAILED);
    paid.work.room = &paid.room;
    ASSERT_SAID(&paid, rows_change(&paid, CHANGE_SETTLE, OUTCOME_APPROVED), JUDGE_CONFLICT,
                "attempt.approved attempt.conflict");
    assert_int_equal(paid.txn.attempt.state, ATTEMPT_CONFLICT);
    assert_int_equal(paid.txn.payment.captured, 0);
    rows_close(&rows);
}

/* --- overtaken by a notice
 * ------------------------------------------------------------------------- */

/* Does what the work has heard contradict what a notice has settled? */
static bool contradicts(enum change_kind kind, enum outcome outcome, bool moved)
{
    switch (kind) {
    case CHANGE_SETTLE:
    case CHANGE_FOUND:
        if (outcome == OUTCOME_PENDING || outcome == OUTCOME_NOT_FOUND)
            return false;
        return (outcome == OUTCOME_APPROVED) != moved;
    case CHANGE_UNDONE:
    case CHANGE_ELSEWHERE: return moved;
    case CHANGE_CONFLICT: return true;
    default: return false;
    }
}

static bool of_remedy(enum change_kind kind)
{
    return kind == CHANGE_UNDONE || kind == CHANGE_FOUND || kind == CHANGE_CLOSE;
}

static void overtaken(enum change_kind kind, enum outcome outcome, enum attempt_state known)
{
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, known);
    rows_add_ref(&rows, HEARD_ROW, "A");
    struct flow_sums before = payment_sums(&rows.txn.payment);
    enum payment_status status = rows.txn.payment.status;
    if (of_remedy(kind))
        rows_remedy(&rows, kind == CHANGE_UNDONE ? OPERATION_REVERSE : OPERATION_INQUIRE);
    if (kind == CHANGE_ELSEWHERE || kind == CHANGE_REMEDY)
        rows.txn.parent = rows.txn.attempt;
    rows.work.on_remedy = of_remedy(kind) || kind == CHANGE_REMEDY;
    rows.work.change.sealed_refs = refs_of(&rows, "answered");
    rows.work.change.payment_refs = refs_of(&rows, "answered");
    rows.work.change.want_answer = true;
    assert_int_equal(rows_change(&rows, kind, outcome), STATUS_OK);
    bool against =
        known != ATTEMPT_CONFLICT && contradicts(kind, outcome, known == ATTEMPT_APPROVED);
    assert_int_equal(rows.txn.said, against ? JUDGE_CONTRADICTED : JUDGE_OVERTAKEN);
    bool parent = of_remedy(kind) || kind == CHANGE_ELSEWHERE || kind == CHANGE_REMEDY;
    const struct attempt_row *subject = parent ? &rows.txn.parent : &rows.txn.attempt;
    assert_int_equal(subject->state, against ? ATTEMPT_CONFLICT : known);
    /* Nothing of it happens: no money, no new row, nothing to send. */
    struct flow_sums after = payment_sums(&rows.txn.payment);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(rows.txn.payment.status, status);
    assert_int_not_equal(rows.txn.write_attempt, STORE_INSERT);
    assert_int_equal(rows.txn.write_operation, 0);
    assert_int_not_equal(rows.txn.answer_status, 0);
    if (of_remedy(kind)) /* it is over: not taken up at the next start */
        assert_true(rows.txn.attempt.state == ATTEMPT_OVERTAKEN ||
                    judge_is_settled(rows.txn.attempt.state));
    if (kind == CHANGE_SETTLE) {
        assert_true(rows_has_ref(rows.txn.attempt.refs, "answered", "1"));
        assert_true(rows_has_ref(rows.txn.attempt.refs, HEARD_ROW, "A"));
        assert_true(rows_has_ref(rows.txn.payment.refs, "answered", "1"));
    }
    rows_close(&rows);
}

static void test_overtaken(void **state)
{
    (void)state;
    const enum attempt_state settled[] = { ATTEMPT_APPROVED,  ATTEMPT_DECLINED, ATTEMPT_REJECTED,
                                           ATTEMPT_NOT_FOUND, ATTEMPT_NOT_SENT, ATTEMPT_REVERSED,
                                           ATTEMPT_CONFLICT };
    const enum outcome finals[] = { OUTCOME_APPROVED, OUTCOME_DECLINED, OUTCOME_REJECTED,
                                    OUTCOME_NOT_FOUND };
    for (size_t i = 0; i < COUNT_OF(settled); i++) {
        for (int outcome = OUTCOME_APPROVED; outcome <= OUTCOME_UNKNOWN; outcome++)
            for (int kind = CHANGE_SETTLE; kind <= CHANGE_CLOSE; kind++) {
                if (kind == CHANGE_UNDONE || kind == CHANGE_FOUND)
                    continue; /* below: they have final outcomes only */
                overtaken((enum change_kind)kind, (enum outcome)outcome, settled[i]);
            }
        for (size_t j = 0; j < COUNT_OF(finals); j++)
            overtaken(CHANGE_FOUND, finals[j], settled[i]);
        overtaken(CHANGE_UNDONE, OUTCOME_APPROVED, settled[i]);
        overtaken(CHANGE_UNDONE, OUTCOME_NOT_FOUND, settled[i]);
    }
}

/* --- remedies
 * --------------------------------------------------------------------------------------- */

static void closing(struct rows *rows, bool paid)
{
    rows_open(rows, OPERATION_SALE, ATTEMPT_PENDING);
    if (paid)
        rows_add_ref(rows, HEARD_ROW, "A"); /* a notice, kept while it was being closed */
    rows_remedy(rows, OPERATION_REVERSE);
    rows->work.change.expired = true;
    rows->work.change.conflict_json = VIEW("\"outcome\":{\"conflict\":true}");
}

static void test_closed_because_nobody_paid(void **state)
{
    (void)state;
    struct rows rows;
    closing(&rows, false);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_UNDONE, OUTCOME_APPROVED), 0,
                "attempt.reversed payment.failed");
    assert_int_equal(rows.txn.parent.state, ATTEMPT_REVERSED);
    rows_close(&rows);
}

static void test_closed_although_paid(void **state)
{
    (void)state;
    struct rows rows;
    closing(&rows, true);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_UNDONE, OUTCOME_APPROVED), JUDGE_CONFLICT,
                "attempt.reversed attempt.conflict payment.processing");
    assert_int_equal(rows.txn.parent.state, ATTEMPT_CONFLICT);
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_APPROVED);
    assert_int_equal(rows.txn.payment.status, PAYMENT_PROCESSING); /* nobody may pay any more */
    assert_int_equal(rows.txn.payment.capturing, ASKED);
    assert_true(view_equal(rows.txn.payment.outcome_json, rows.work.change.conflict_json));
    rows_close(&rows);
}

/* Undone because the outcome was unknown: that it had been approved before is no contradiction. */
static void test_undone_although_approved(void **state)
{
    (void)state;
    struct rows rows;
    closing(&rows, true);
    rows.work.change.expired = false;
    rows.txn.payment.status = PAYMENT_PROCESSING;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_UNDONE, OUTCOME_APPROVED), 0,
                "attempt.reversed payment.reversed");
    assert_int_equal(rows.txn.payment.capturing, 0);
    rows_close(&rows);
}

/* It would not be closed; asked why, the other side says that it is paid. */
static void test_found_paid(void **state)
{
    (void)state;
    struct rows rows;
    closing(&rows, true);
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_CLOSE, OUTCOME_DECLINED), 0, "attempt.closed");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_DECLINED);
    assert_int_equal(rows.txn.parent.state, ATTEMPT_REVERSING);
    rows.txn.attempt = rows.txn.parent;
    rows_remedy(&rows, OPERATION_INQUIRE);
    rows.work.change.subject_refs =
        refs_join(&rows.arena, rows.txn.parent.refs, refs_of(&rows, "found"));
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_FOUND, OUTCOME_APPROVED), 0,
                "attempt.found payment.succeeded");
    assert_int_equal(rows.txn.parent.state, ATTEMPT_APPROVED);
    assert_true(rows_has_ref(rows.txn.parent.refs, "found", "1"));
    assert_true(rows_has_ref(rows.txn.parent.refs, HEARD_ROW, "A"));
    assert_int_equal(rows.txn.payment.captured, ASKED);
    rows_close(&rows);
}

/* Nothing was heard of it, and an inquiry says that it is accepted: it waits from now on. */
static void test_unknown_is_found_pending(void **state)
{
    (void)state;
    struct rows rows;
    rows_open(&rows, OPERATION_SALE, ATTEMPT_UNKNOWN);
    rows_remedy(&rows, OPERATION_INQUIRE);
    rows.work.change.subject_pending = true;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_CLOSE, OUTCOME_PENDING), 0, "attempt.closed");
    assert_int_equal(rows.txn.attempt.state, ATTEMPT_OVERTAKEN); /* or it would be open for ever */
    assert_int_equal(rows.txn.parent.state, ATTEMPT_PENDING);
    assert_int_equal(rows.txn.write_parent, STORE_UPDATE);
    assert_true(view_equal(rows.txn.payment.outcome_json, rows.work.change.outcome_json));
    rows_close(&rows);
    /* One that waits for a person keeps what is shown. */
    rows_open(&rows, OPERATION_SALE, ATTEMPT_PENDING);
    rows_remedy(&rows, OPERATION_INQUIRE);
    rows.work.change.subject_pending = true;
    ASSERT_SAID(&rows, rows_change(&rows, CHANGE_CLOSE, OUTCOME_PENDING), 0, "attempt.closed");
    assert_int_equal(rows.txn.payment.status, PAYMENT_REQUIRES_ACTION);
    assert_int_equal(rows.txn.write_parent, 0);
    rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_begun_too_late),
        cmocka_unit_test(test_cancel_approved),
        cmocka_unit_test(test_cancel_approved_after_paid),
        cmocka_unit_test(test_cancel_refused),
        cmocka_unit_test(test_answer_after_canceled),
        cmocka_unit_test(test_overtaken),
        cmocka_unit_test(test_closed_because_nobody_paid),
        cmocka_unit_test(test_closed_although_paid),
        cmocka_unit_test(test_undone_although_approved),
        cmocka_unit_test(test_found_paid),
        cmocka_unit_test(test_unknown_is_found_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
