/* test_store_results.c - what can come of a transaction: each result, the judge's rights and
 * limits, sums under contention, replays, and a batch with a member that breaks. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static void open_memory(struct fixture *f)
{
    fixture_open(f, "results", NULL);
}

static void a_new_payment_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    struct request r;
    request_new_payment(&r, 5, 1000, 9007199254740993);
    r.txn.payment.reference = VIEW("order \xC3\xA9 1");
    r.txn.payment.outcome_json = VIEW("{\"a\":1}");
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    assert_int_equal(r.txn.events[0].seq, 1);
    assert_int_equal(r.txn.events[1].seq, 2);
    request_fini(&r);

    struct request again;
    request_init(&again, 5);
    again.txn.load_payment = 1000;
    again.txn.load_operation = 1001;
    again.txn.load_attempt = 1002;
    assert_int_equal(request_run(&f, &again), STORE_COMMITTED);
    const struct payment_row *p = &again.txn.payment;
    assert_int_equal(p->amount, 9007199254740993);
    assert_int_equal(p->status, PAYMENT_PROCESSING);
    assert_string_equal(p->currency, "EUR");
    assert_true(view_is(p->reference, "order \xC3\xA9 1"));
    assert_true(view_is(p->outcome_json, "{\"a\":1}"));
    assert_int_equal(p->refs.len, 6);
    assert_int_equal(p->refs.ptr[1], 1);
    assert_int_equal(again.txn.operation.kind, OPERATION_AUTHORISE);
    assert_int_equal(again.txn.operation.facts_json.len, 0);
    assert_int_equal(again.txn.attempt.state, ATTEMPT_SENDING);
    assert_int_equal(again.txn.attempt.trace, 123456);
    assert_int_equal(again.txn.attempt.random[3], 255);
    request_fini(&again);
    assert_int_equal(journal_length(&f), 2);
    fixture_close(&f);
}

static enum status approve(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->payment.status = PAYMENT_AUTHORIZED;
    txn->payment.authorized = txn->payment.amount;
    txn->payment.outcome_json = VIEW("{\"code\":\"00\"}");
    txn->attempt.state = ATTEMPT_APPROVED;
    txn->attempt.tries++;
    txn->operation.status = OPERATION_STATUS_SUCCEEDED;
    txn->write_payment = txn->write_operation = txn->write_attempt = STORE_UPDATE;
    txn->events[txn->event_count++] = (struct event_row){ .kind = VIEW("payment.authorized"),
                                                          .merchant = txn->payment.merchant,
                                                          .payment = txn->payment.id };
    return STATUS_OK;
}

static void settle_init(struct request *r, int64_t merchant, int64_t payment)
{
    request_init(r, merchant);
    r->txn.load_payment = payment;
    r->txn.load_operation = payment + 1;
    r->txn.load_attempt = payment + 2;
    r->txn.judge = approve;
}

static void a_judge_updates_what_was_loaded(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct request r;
    settle_init(&r, 5, 1000);
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    struct payment_row row;
    assert_true(payment_exists(&f, 1000, &row));
    assert_int_equal(row.status, PAYMENT_AUTHORIZED);
    assert_int_equal(row.authorized, 1000);
    assert_int_equal(row.created_us, START_WALL_US);
    assert_int_equal(journal_length(&f), 3);
    fixture_close(&f);
}

static enum status two_endpoints_at_most(struct store_txn *txn, void *arg)
{
    (void)arg;
    if (txn->endpoint_count < 2)
        return STATUS_OK;
    txn->answer_status = 0;
    return STATUS_REFUSED;
}

static void endpoint_init(struct request *r, int64_t merchant, int64_t id, const char *key)
{
    request_init(r, merchant);
    request_key(r, key, 1);
    request_answer(r, 201, "made");
    r->txn.judge = two_endpoints_at_most;
    r->txn.write_endpoint = STORE_INSERT;
    r->txn.endpoint = (struct endpoint_row){ .id = id,
                                             .merchant = merchant,
                                             .status = ENDPOINT_ENABLED,
                                             .url = VIEW("https://shop.example/"),
                                             .kinds = VIEW("*"),
                                             .secret = VIEW("sealed") };
}

/* All in one batch, and counted one after another all the same. */
static void endpoints_are_counted_where_they_are_made(void **state)
{
    (void)state;
    static const enum store_result results[] = { STORE_COMMITTED, STORE_COMMITTED, STORE_REFUSED,
                                                 STORE_COMMITTED, STORE_REFUSED };
    static const int64_t merchants[] = { 5, 5, 5, 6, 5 };
    static const char *const keys[] = { "a", "b", "c", "a", "d" };
    struct fixture f;
    struct request r[COUNT_OF(results)];
    open_memory(&f);
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        endpoint_init(&r[i], merchants[i], (int64_t)(100 + i), keys[i]);
        request_submit(&f, &r[i]);
    }
    fixture_settle(&f);
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        assert_int_equal(r[i].txn.result, results[i]);
        request_fini(&r[i]);
    }
    int64_t payment;
    assert_int_equal(probe_key(&f, 5, "b", 1, &payment), STORE_REPLAY);
    assert_int_equal(probe_key(&f, 5, "c", 1, &payment), STORE_COMMITTED); /* free */
    fixture_close(&f);
}

static void a_payment_of_another_merchant_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct request r;
    settle_init(&r, 6, 1000);
    assert_int_equal(request_run(&f, &r), STORE_NO_PAYMENT);
    request_fini(&r);
    settle_init(&r, 5, 1001);
    assert_int_equal(request_run(&f, &r), STORE_NO_PAYMENT);
    request_fini(&r);
    settle_init(&r, 0, 1000);
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    fixture_close(&f);
}

static enum status refuse(struct store_txn *txn, void *arg)
{
    if (arg != NULL) {
        txn->answer_status = 422;
        txn->answer_body = VIEW("{\"no\":true}");
    }
    txn->write_payment = STORE_UPDATE;
    txn->payment.status = PAYMENT_FAILED;
    txn->event_count = 1;
    txn->events[0] = (struct event_row){ .kind = VIEW("never") };
    return STATUS_REFUSED;
}

static void a_refusal_writes_nothing_but_its_answer(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct request r;
    settle_init(&r, 5, 1000);
    r.txn.judge = refuse;
    request_key(&r, "silent", 1);
    assert_int_equal(request_run(&f, &r), STORE_REFUSED);
    request_fini(&r);
    /* No answer, no record: the key is free. */
    settle_init(&r, 5, 1000);
    r.txn.judge = refuse;
    r.txn.arg = &f;
    request_key(&r, "silent", 2);
    assert_int_equal(request_run(&f, &r), STORE_REFUSED);
    request_fini(&r);
    /* With an answer, the same request gets it again. */
    settle_init(&r, 5, 1000);
    r.txn.judge = refuse;
    request_key(&r, "silent", 2);
    assert_int_equal(request_run(&f, &r), STORE_REPLAY);
    assert_int_equal(r.txn.answer_status, 422);
    assert_true(view_is(r.txn.answer_body, "{\"no\":true}"));
    assert_int_equal(r.txn.payment.id, 1000);
    request_fini(&r);
    struct payment_row row;
    assert_true(payment_exists(&f, 1000, &row));
    assert_int_equal(row.status, PAYMENT_PROCESSING);
    assert_int_equal(journal_length(&f), 2);
    fixture_close(&f);
}

static void a_key_is_replayed_or_reused(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    struct request r;
    request_new_payment(&r, 5, 1000, 10);
    request_key(&r, "key-1", 1);
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    /* Still running: known, without an answer. */
    request_new_payment(&r, 5, 2000, 10);
    request_key(&r, "key-1", 1);
    assert_int_equal(request_run(&f, &r), STORE_REPLAY);
    assert_int_equal(r.txn.answer_status, 0);
    assert_int_equal(r.txn.payment.id, 1000);
    assert_int_equal(r.txn.operation.id, 1001);
    request_fini(&r);
    /* The second commit of the first request brings the answer; the first answer stands. */
    for (int i = 0; i < 2; i++) {
        settle_init(&r, 5, 1000);
        request_key(&r, "key-1", 1);
        r.txn.idem_answer_only = true;
        request_answer(&r, 201, i == 0 ? "first" : "second");
        assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
        request_fini(&r);
    }
    request_new_payment(&r, 5, 2000, 10);
    request_key(&r, "key-1", 1);
    assert_int_equal(request_run(&f, &r), STORE_REPLAY);
    assert_int_equal(r.txn.answer_status, 201);
    assert_true(view_is(r.txn.answer_body, "first"));
    request_fini(&r);
    assert_int_equal(probe_key(&f, 5, "key-1", 2, NULL), STORE_KEY_REUSED);
    /* Another merchant's key of the same name is another key. */
    request_new_payment(&r, 6, 2000, 10);
    request_key(&r, "key-1", 2);
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    /* An answer for a key whose body differs is our own mistake: nothing of it is written. */
    int64_t before = journal_length(&f);
    settle_init(&r, 5, 1000);
    request_key(&r, "key-1", 9);
    r.txn.idem_answer_only = true;
    request_answer(&r, 201, "wrong");
    assert_int_equal(request_run(&f, &r), STORE_FAILED);
    assert_true(r.txn.why.len > 0);
    request_fini(&r);
    assert_int_equal(journal_length(&f), before);
    fixture_close(&f);
}

static void keys_are_found_after_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    struct request r;
    request_new_payment(&r, 5, 1000, 10);
    request_key(&r, "key-1", 7);
    request_answer(&r, 201, "body");
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    fixture_close_store(&f);
    fixture_reopen(&f);
    assert_int_equal(store_last_id(f.store), 1002);
    request_new_payment(&r, 5, 2000, 10);
    request_key(&r, "key-1", 7);
    assert_int_equal(request_run(&f, &r), STORE_REPLAY);
    assert_int_equal(r.txn.answer_status, 201);
    assert_true(view_is(r.txn.answer_body, "body"));
    request_fini(&r);
    fixture_close(&f);
}

static void the_second_of_two_equal_keys_in_a_batch_sees_the_first(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    struct request a, b;
    request_new_payment(&a, 5, 1000, 10);
    request_key(&a, "k", 1);
    request_new_payment(&b, 5, 2000, 10);
    request_key(&b, "k", 1);
    request_submit(&f, &a);
    request_submit(&f, &b);
    fixture_settle(&f);
    struct store_stats stats;
    store_stats(f.store, &stats);
    assert_int_equal(stats.batch_max, 2);
    assert_int_equal(stats.commits, 1);
    assert_int_equal(a.txn.result, STORE_COMMITTED);
    assert_int_equal(b.txn.result, STORE_REPLAY);
    assert_int_equal(b.txn.payment.id, 1000);
    request_fini(&a);
    request_fini(&b);
    assert_false(payment_exists(&f, 2000, NULL));
    fixture_close(&f);
}

/* Refunds of 300 of a captured 1000: three fit. */
static enum status refund_300(struct store_txn *txn, void *arg)
{
    (void)arg;
    if (txn->payment.refunding + 300 > txn->payment.amount)
        return STATUS_REFUSED;
    txn->payment.refunding += 300;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

static void sums_are_safe_within_a_batch(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct request r[20];
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        request_init(&r[i], 5);
        r[i].txn.load_payment = 1000;
        r[i].txn.judge = refund_300;
        request_submit(&f, &r[i]);
    }
    fixture_settle(&f);
    size_t committed = 0, refused = 0;
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        committed += r[i].txn.result == STORE_COMMITTED;
        refused += r[i].txn.result == STORE_REFUSED;
        request_fini(&r[i]);
    }
    assert_int_equal(committed, 3);
    assert_int_equal(refused, 17);
    struct payment_row row;
    assert_true(payment_exists(&f, 1000, &row));
    assert_int_equal(row.refunding, 900);
    fixture_close(&f);
}

static enum status misbehave(struct store_txn *txn, void *arg)
{
    switch (*(int *)arg) {
    case 0: return STATUS_IO;
    case 1: txn->event_count = STORE_EVENTS_MAX + 1; break;
    case 2: txn->payment.id++; break;
    case 3: txn->write_payment = (enum store_write)9; break;
    case 4: /* after a row was written already: an attempt that exists */
        txn->write_attempt = STORE_INSERT;
        break;
    case 5:
        txn->payment.captured = -1;
        txn->event_count = 1;
        break;
    case 6:
        txn->events[0] = (struct event_row){ .time_us = 1 }; /* no kind */
        txn->event_count = 1;
        break;
    case 7: txn->write_parent = STORE_UPDATE; break; /* of nothing */
    default: txn->operation.facts_json.len = (size_t)2 << 20; break;
    }
    txn->payment.authorized = 77;
    if (*(int *)arg != 3)
        txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}
enum { MISBEHAVIOURS = 9 };

static void a_broken_member_does_not_break_its_batch(void **state)
{
    (void)state;
    for (int how = 0; how < MISBEHAVIOURS; how++) {
        struct fixture f;
        open_memory(&f);
        pay(&f, 5, 1000, "k");
        struct request good[4], bad;
        for (size_t i = 0; i < COUNT_OF(good); i++) {
            request_new_payment(&good[i], 5, 2000 + 10 * (int64_t)i, 10);
            char *key = arena_text(&good[i].arena, view_of(&"abcd"[i], 1));
            request_key(&good[i], key, 1);
        }
        settle_init(&bad, 5, 1000);
        bad.txn.judge = misbehave;
        bad.txn.arg = &how;
        request_key(&bad, "bad", 1);
        struct question q;
        question_init(&q, STORE_ONE_PAYMENT);
        q.read.payment = 1000;
        request_submit(&f, &good[0]);
        request_submit(&f, &good[1]);
        request_submit(&f, &bad);
        request_submit(&f, &good[2]);
        assert_int_equal(store_ask(f.store, &q.read), STATUS_OK);
        request_submit(&f, &good[3]);
        fixture_settle(&f);
        assert_int_equal(bad.txn.result, STORE_FAILED);
        assert_true(bad.txn.why.len > 0);
        assert_int_equal(q.read.result, STATUS_OK);
        assert_int_equal(q.read.payments[0].authorized, 0);
        question_fini(&q);
        request_fini(&bad);
        for (size_t i = 0; i < COUNT_OF(good); i++) {
            assert_int_equal(good[i].txn.result, STORE_COMMITTED);
            assert_int_equal(good[i].txn.events[0].seq, 3 + 2 * i);
            request_fini(&good[i]);
            assert_true(payment_exists(&f, 2000 + 10 * (int64_t)i, NULL));
        }
        assert_int_equal(journal_length(&f), 10);
        /* What broke left no key; what did not break left its own. */
        assert_int_equal(probe_key(&f, 5, "c", 2, NULL), STORE_KEY_REUSED);
        assert_int_equal(probe_key(&f, 5, "bad", 2, NULL), STORE_COMMITTED);
        fixture_close(&f);
    }
}

struct calls {
    int count;
    int64_t seen_authorized[4];
};

/* Counts on an insert of the caller's own row: what it left in the first pass must be gone. */
static enum status count_calls(struct store_txn *txn, void *arg)
{
    struct calls *calls = arg;
    calls->seen_authorized[calls->count++] = txn->payment.authorized;
    txn->payment.authorized += 1;
    txn->events[txn->event_count++] = (struct event_row){ .kind = VIEW("judged") };
    txn->answer_status = 201;
    return STATUS_OK;
}

static void a_repeated_judge_gets_the_callers_rows_again(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct calls calls = { 0 };
    struct request own, bad;
    request_new_payment(&own, 5, 2000, 10);
    own.txn.judge = count_calls;
    own.txn.arg = &calls;
    request_new_payment(&bad, 5, 1000, 10); /* that id is taken */
    request_submit(&f, &own);
    request_submit(&f, &bad);
    fixture_settle(&f);
    assert_int_equal(own.txn.result, STORE_COMMITTED);
    assert_int_equal(bad.txn.result, STORE_FAILED);
    assert_int_equal(calls.count, 2);
    assert_int_equal(calls.seen_authorized[1], 0);
    assert_int_equal(own.txn.event_count, 3);
    request_fini(&own);
    request_fini(&bad);
    struct payment_row row;
    assert_true(payment_exists(&f, 2000, &row));
    assert_int_equal(row.authorized, 1);
    assert_int_equal(journal_length(&f), 5);
    fixture_close(&f);
}

static void a_request_without_memory_fails_alone(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    pay(&f, 5, 1000, "k");
    struct request small, good;
    settle_init(&small, 5, 1000);
    arena_init(&small.arena, 16);
    request_new_payment(&good, 5, 2000, 10);
    request_submit(&f, &good);
    request_submit(&f, &small);
    fixture_settle(&f);
    assert_int_equal(small.txn.result, STORE_FAILED);
    assert_true(small.txn.why.len > 0);
    assert_int_equal(good.txn.result, STORE_COMMITTED);
    request_fini(&small);
    request_fini(&good);
    fixture_close(&f);
}

static void a_full_queue_says_busy(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "results", &(struct store_options){ .queue_max = 2 });
    struct request r[3];
    for (size_t i = 0; i < 3; i++) {
        request_new_payment(&r[i], 5, 1000 + 10 * (int64_t)i, 10);
        assert_int_equal(store_commit(f.store, &r[i].txn), i < 2 ? STATUS_OK : STATUS_BUSY);
    }
    assert_int_equal(store_pending(f.store), 2);
    fixture_settle(&f);
    assert_int_equal(store_pending(f.store), 0);
    assert_false(r[2].done);
    for (size_t i = 0; i < 3; i++)
        request_fini(&r[i]);
    fixture_close(&f);
}

static void a_key_of_the_greatest_length_works(void **state)
{
    (void)state;
    struct fixture f;
    open_memory(&f);
    char key[STORE_IDEM_KEY_MAX + 2];
    memset(key, 'x', sizeof key);
    key[STORE_IDEM_KEY_MAX] = '\0';
    pay(&f, 5, 1000, key);
    assert_int_equal(probe_key(&f, 5, key, 7, NULL), STORE_REPLAY);
    key[STORE_IDEM_KEY_MAX] = 'x';
    key[STORE_IDEM_KEY_MAX + 1] = '\0';
    assert_int_equal(probe_key(&f, 5, key, 7, NULL), STORE_FAILED);
    fixture_close(&f);
}

/* Puts an event of this kind into the journal; its position, or 0 when that failed. */
static int64_t put_event(struct fixture *f, int64_t merchant, const char *kind, int64_t at_us)
{
    struct request r;
    request_init(&r, merchant);
    r.txn.events[r.txn.event_count++] = (struct event_row){
        .time_us = at_us, .merchant = merchant, .kind = view_text(kind), .data_json = VIEW("{}")
    };
    enum store_result result = request_run(f, &r);
    int64_t seq = r.txn.events[0].seq;
    request_fini(&r);
    return result == STORE_COMMITTED ? seq : 0;
}

static void after_a_restored_backup_no_position_is_given_twice(void **state)
{
    (void)state;
    struct fixture f;
    int64_t first = START_WALL_US / 1000 << 20;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 1000, "before");
    assert_int_equal(put_event(&f, 5, STORE_RESTORED, START_WALL_US), 3); /* not the merchants' */
    assert_int_equal(put_event(&f, 0, STORE_RESTORED, START_WALL_US), first);
    pay(&f, 5, 2000, "after"); /* first + 1, first + 2 */
    assert_int_equal(put_event(&f, 0, "other", START_WALL_US), first + 3);
    assert_int_equal(put_event(&f, 0, STORE_RESTORED, START_WALL_US), 0); /* the clock stands */
    assert_int_equal(put_event(&f, 0, STORE_RESTORED, START_WALL_US + 1000), first + (1 << 20));
    fixture_close_store(&f);
    fixture_reopen(&f); /* it is no gap */
    struct question q;
    question_init(&q, STORE_EVENTS);
    q.read.merchant = 5;
    q.read.after = 2;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 3);
    assert_false(q.read.more);
    assert_int_equal(q.read.events[0].seq, 3);
    assert_int_equal(q.read.events[2].seq, first + 2);
    question_fini(&q);
    fixture_close(&f);
}

/* A question of the same batch, before the store has had time for its indexes: one page reaches
 * over the jump. */
static void a_page_of_events_reaches_over_a_restored_backup(void **state)
{
    (void)state;
    struct fixture f;
    struct request restored, after;
    struct question q;
    open_memory(&f);
    pay(&f, 5, 1000, "before");
    request_init(&restored, 0);
    restored.txn.events[restored.txn.event_count++] = (struct event_row){
        .time_us = START_WALL_US, .kind = VIEW(STORE_RESTORED), .data_json = VIEW("{}")
    };
    request_init(&after, 5);
    request_new_payment(&after, 5, 2000, 100);
    question_init(&q, STORE_EVENTS);
    q.read.merchant = 5;
    request_submit(&f, &restored);
    request_submit(&f, &after);
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 4);
    assert_false(q.read.more);
    assert_int_equal(q.read.events[3].seq, (START_WALL_US / 1000 << 20) + 2);
    question_fini(&q);
    fixture_settle(&f);
    request_fini(&restored);
    request_fini(&after);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_payment_is_read_back_as_it_was_written),
        cmocka_unit_test(a_judge_updates_what_was_loaded),
        cmocka_unit_test(a_payment_of_another_merchant_is_not_there),
        cmocka_unit_test(a_refusal_writes_nothing_but_its_answer),
        cmocka_unit_test(a_key_is_replayed_or_reused),
        cmocka_unit_test(keys_are_found_after_a_restart),
        cmocka_unit_test(the_second_of_two_equal_keys_in_a_batch_sees_the_first),
        cmocka_unit_test(sums_are_safe_within_a_batch),
        cmocka_unit_test(a_broken_member_does_not_break_its_batch),
        cmocka_unit_test(a_repeated_judge_gets_the_callers_rows_again),
        cmocka_unit_test(a_request_without_memory_fails_alone),
        cmocka_unit_test(endpoints_are_counted_where_they_are_made),
        cmocka_unit_test(a_full_queue_says_busy),
        cmocka_unit_test(a_key_of_the_greatest_length_works),
        cmocka_unit_test(after_a_restored_backup_no_position_is_given_twice),
        cmocka_unit_test(a_page_of_events_reaches_over_a_restored_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
