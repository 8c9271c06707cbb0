/* judge_rows.c - see judge_rows.h. The rows stand in for what the store loads: a judgement that is
 * not OK is undone, as the store writes nothing then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_rows.h"

#define SHOWN    "\"outcome\":{\"result\":\"pending\"},\"next_action\":{\"type\":\"show_code\"}"
#define SAID     "\"outcome\":{\"result\":\"said\"}"
#define CONFLICT "\"outcome\":{\"result\":\"unknown\",\"conflict\":true}"
#define RESOLVED "\"outcome\":{\"code\":\"resolved\"}"
#define CANCELED "\"outcome\":{\"code\":\"canceled\"}"

static bool approved(enum attempt_state state)
{
    return state == ATTEMPT_APPROVED;
}

static bool ended(enum attempt_state state)
{
    return judge_is_settled(state) && state != ATTEMPT_CONFLICT;
}

static enum payment_status status_of(enum operation first, enum attempt_state state)
{
    if (approved(state))
        return first == OPERATION_SALE ? PAYMENT_SUCCEEDED : PAYMENT_AUTHORIZED;
    if (state == ATTEMPT_REVERSED)
        return PAYMENT_REVERSED;
    if (ended(state))
        return PAYMENT_FAILED;
    return state == ATTEMPT_PENDING ? PAYMENT_REQUIRES_ACTION : PAYMENT_PROCESSING;
}

void rows_add_ref(struct rows *rows, const char *name, const char *value)
{
    uint8_t row[512];
    struct writer w = writer_over(row, sizeof row);
    refs_put(&w, view_text(name), view_text(value), 0);
    rows->txn.attempt.refs = refs_join(&rows->arena, rows->txn.attempt.refs, writer_done(&w));
}

bool rows_has_ref(struct view refs, const char *name, const char *value)
{
    struct cursor c = cursor_over(refs);
    struct ref row;
    bool broken = false, found = false;
    while (refs_next(&c, &row, &broken))
        found = found || (view_is(row.name, name) && view_is(row.value, value));
    assert_false(broken);
    return found;
}

void rows_open(struct rows *rows, enum operation first, enum attempt_state state)
{
    memset(rows, 0, sizeof *rows);
    arena_init(&rows->arena, (size_t)1024 * 1024);
    bool sale = first == OPERATION_SALE, is_ended = ended(state);
    struct store_txn *txn = &rows->txn;
    txn->arena = &rows->arena;
    txn->payment = (struct payment_row){ .id = 16,
                                         .merchant = 1,
                                         .status = status_of(first, state),
                                         .capture = sale ? CAPTURE_AUTOMATIC : CAPTURE_MANUAL,
                                         .kind = PAYMENT_KIND_PURCHASE,
                                         .rail = RAIL_BANK,
                                         .currency = "EUR",
                                         .amount = ASKED,
                                         .authorized = approved(state) ? ASKED : 0,
                                         .captured = approved(state) && sale ? ASKED : 0,
                                         .capturing = !is_ended && sale ? ASKED : 0,
                                         .channel = VIEW("bank"),
                                         .outcome_json = VIEW(SHOWN) };
    txn->operation =
        (struct operation_row){ .id = 17,
                                .payment = 16,
                                .merchant = 1,
                                .kind = first,
                                .status = !is_ended         ? OPERATION_STATUS_PENDING
                                          : approved(state) ? OPERATION_STATUS_SUCCEEDED
                                                            : OPERATION_STATUS_FAILED,
                                .amount = ASKED };
    txn->attempt = (struct attempt_row){ .id = 18,
                                         .payment = 16,
                                         .operation = 17,
                                         .merchant = 1,
                                         .verb = first,
                                         .state = state,
                                         .amount = ASKED,
                                         .currency = "EUR",
                                         .channel = VIEW("bank"),
                                         .tries = 1 };
    rows_add_ref(rows, "sent", "E2E-1");
    txn->payment.refs = txn->attempt.refs;
    struct work *work = &rows->work;
    work->magic = WORK_MAGIC;
    work->room = &rows->room;
    work->kind = first;
    work->merchant = 1;
    work->payment = 16;
    work->operation = 17;
    work->subject = (struct try){ .attempt = 18, .verb = first, .amount = ASKED, .tries = 1 };
    assert_int_equal(currency_by_code(VIEW("EUR"), &work->currency), STATUS_OK);
}

void rows_close(struct rows *rows)
{
    arena_reset(&rows->arena);
}

void rows_later(struct rows *rows, enum operation kind, int64_t amount)
{
    struct store_txn *txn = &rows->txn;
    struct flow_sums sums = payment_sums(&txn->payment);
    int64_t taken = amount;
    assert_int_equal(flow_begin(&txn->payment.status, &sums, kind, &taken), FLOW_ALLOWED);
    judge_sums_to(&txn->payment, &sums);
    txn->operation = (struct operation_row){ .id = 33,
                                             .payment = 16,
                                             .merchant = 1,
                                             .kind = kind,
                                             .status = OPERATION_STATUS_PENDING,
                                             .amount = taken };
    txn->attempt.id = 34;
    txn->attempt.operation = 33;
    txn->attempt.verb = kind;
    txn->attempt.state = ATTEMPT_PENDING;
    txn->attempt.amount = taken;
    txn->attempt.original = ASKED;
    txn->attempt.refs = VIEW_EMPTY;
    rows_add_ref(rows, "sent", "E2E-2");
    rows->work.kind = kind;
    rows->work.operation = 33;
    rows->work.subject = (struct try){ .attempt = 34, .verb = kind, .amount = taken, .tries = 1 };
}

void rows_remedy(struct rows *rows, enum operation verb)
{
    struct store_txn *txn = &rows->txn;
    txn->parent = txn->attempt;
    if (verb == OPERATION_REVERSE && !judge_is_settled(txn->parent.state))
        txn->parent.state = ATTEMPT_REVERSING;
    txn->attempt.id = 50;
    txn->attempt.parent = txn->parent.id;
    txn->attempt.verb = verb;
    txn->attempt.state = ATTEMPT_SENDING;
    rows->work.on_remedy = true;
    rows->work.remedy = (struct try){ .attempt = 50, .verb = verb, .amount = ASKED, .tries = 1 };
}

/* --- judging ------------------------------------------------------------------------------------
 */

static struct view one_ref(struct rows *rows, const char *name, const char *value)
{
    uint8_t row[256];
    struct writer w = writer_over(row, sizeof row);
    refs_put(&w, view_text(name), view_text(value), 0);
    return arena_copy(&rows->arena, writer_done(&w));
}

void rows_hear(struct rows *rows, enum notice_about about, enum outcome outcome, int64_t amount,
               const char *reference)
{
    rows->change = (struct change){ .now_us = 5,
                                    .heard_about = about,
                                    .outcome = outcome,
                                    .heard_amount = amount,
                                    .heard_currency = amount == -1 ? 0 : 978,
                                    .channel = VIEW("bank"),
                                    .heard_reference = view_text(reference),
                                    .sealed_refs = one_ref(rows, "heard", "R-1"),
                                    .outcome_json = VIEW(SAID),
                                    .conflict_json = VIEW(CONFLICT),
                                    .canceled_json = VIEW(CANCELED),
                                    .new_operation = 77,
                                    .reason = VIEW("the channel said so by itself") };
}

static bool all_of(struct view before, struct view after)
{
    struct cursor c = cursor_over(before);
    struct ref row;
    bool broken = false;
    while (refs_next(&c, &row, &broken)) {
        char name[REFS_NAME_MAX + 1], value[REFS_VALUE_MAX + 1];
        assert_int_equal(view_to_text(row.name, name, sizeof name), STATUS_OK);
        assert_int_equal(view_to_text(row.value, value, sizeof value), STATUS_OK);
        if (!rows_has_ref(after, name, value))
            return false;
    }
    return !broken;
}

static enum status judged(struct rows *rows, store_judge_fn *judge, void *arg)
{
    struct store_txn *txn = &rows->txn, before = *txn;
    struct flow_sums sums = payment_sums(&txn->payment);
    assert_true(flow_sums_hold(&sums));
    txn->said = 0;
    txn->event_count = 0;
    txn->answer_status = 0;
    txn->write_payment = txn->write_operation = txn->write_attempt = txn->write_parent = 0;
    txn->write_held = 0;
    txn->spends_release = false;
    enum status status = judge(txn, arg);
    assert_true(status == STATUS_OK || status == STATUS_REFUSED);
    if (status == STATUS_REFUSED) {
        uint32_t said = txn->said, answer_status = txn->answer_status;
        struct view body = txn->answer_body;
        assert_int_equal(txn->event_count, 0);
        *txn = before;
        txn->event_count = 0;
        txn->said = said;
        txn->answer_status = answer_status;
        txn->answer_body = body;
        return status;
    }
    sums = payment_sums(&txn->payment);
    assert_true(flow_sums_hold(&sums));
    bool fresh = txn->write_attempt == STORE_INSERT;
    assert_true(fresh || all_of(before.attempt.refs, txn->attempt.refs));
    assert_true(all_of(before.parent.refs, txn->parent.refs));
    assert_true(all_of(before.payment.refs, txn->payment.refs));
    /* A row that was changed is written. */
    assert_true(txn->write_attempt != 0 || before.attempt.state == txn->attempt.state);
    assert_true(txn->write_parent != 0 || before.parent.state == txn->parent.state);
    assert_true(txn->write_payment != 0 || before.payment.status == txn->payment.status);
    assert_true(txn->write_operation != 0 || before.operation.status == txn->operation.status);
    assert_true(txn->event_count <= STORE_EVENTS_MAX);
    return status;
}

enum status rows_notice(struct rows *rows)
{
    return judged(rows, judge_notice, &rows->change);
}

enum status rows_resolve(struct rows *rows, enum resolve_as as, int64_t amount)
{
    struct resolve_change *r = &rows->resolve;
    r->change = (struct change){ .now_us = 9,
                                 .outcome_json = VIEW(RESOLVED),
                                 .canceled_json = VIEW(CANCELED) };
    r->as = as;
    r->amount_minor = amount;
    if (r->by.len == 0)
        r->by = VIEW("Ops One");
    if (r->why.len == 0)
        r->why = VIEW("the bank said so");
    rows->txn.load_parent = rows->txn.parent.id;
    return judged(rows, judge_resolve, r);
}

enum status rows_late(struct rows *rows)
{
    return judged(rows, judge_late, &rows->change);
}

enum status rows_change(struct rows *rows, enum change_kind kind, enum outcome outcome)
{
    struct change *c = &rows->work.change;
    struct try *try = rows->work.on_remedy ? &rows->work.remedy : &rows->work.subject;
    c->kind = kind;
    c->now_us = 6;
    c->try = *try;
    c->outcome = outcome;
    c->begun_minor = rows->work.subject.amount;
    c->approved_minor = c->begun_minor;
    c->channel = VIEW("bank");
    if (c->outcome_json.len == 0)
        c->outcome_json = VIEW(SAID);
    c->canceled_json = VIEW(CANCELED);
    return judged(rows, judge_change, &rows->work);
}

const char *rows_events(const struct rows *rows)
{
    static _Thread_local char text[512];
    struct writer w = writer_over(text, sizeof text);
    for (size_t i = 0; i < rows->txn.event_count; i++) {
        writer_text(&w, i > 0 ? " " : "");
        writer_view(&w, rows->txn.events[i].kind);
    }
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    return text;
}
