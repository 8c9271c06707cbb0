/* test_store_lists.c - questions: cursors, filters, owners, limits; counters; API keys. The lists
 * of a merchant are asked while the lasting indexes hold nothing, a part, and all. */
#include "store_fixture.h"

#include <stdlib.h>

/* More than the store leaves unindexed, so that its idle hours build an index. */
#define MANY 1500

static struct view reference_of(struct arena *arena, int64_t i)
{
    return arena_format(arena, "ref-%d", (int)(i % 50));
}

/* Payment i (from 1) has id 10 i, merchant 1 or 2 in turn, and one of 50 references. */
static void pay_many(struct fixture *f, int64_t from, int64_t to)
{
    struct request *r = calloc(100, sizeof *r);
    assert_non_null(r);
    while (from <= to) {
        size_t count = 0;
        for (; count < 100 && from <= to; count++, from++) {
            request_new_payment(&r[count], 1 + from % 2, 10 * from, 100);
            r[count].txn.payment.reference = reference_of(&r[count].arena, from);
            if (from % 10 == 0)
                r[count].txn.payment.status = PAYMENT_FAILED;
            request_submit(f, &r[count]);
        }
        fixture_settle(f);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(r[i].txn.result, STORE_COMMITTED);
            request_fini(&r[i]);
        }
    }
    free(r);
}

/* Walks all pages; checks order, owner and filters; gives the number of rows. */
static int64_t walk_payments(struct fixture *f, int64_t merchant, enum payment_status status,
                             const char *reference, uint32_t limit)
{
    int64_t seen = 0, last = INT64_MAX, through = 0;
    bool more = true;
    while (more) {
        struct question q;
        question_init(&q, STORE_PAYMENTS);
        q.read.merchant = merchant;
        q.read.status = status;
        q.read.reference = view_text(reference);
        q.read.limit = limit;
        q.read.after = through;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        assert_true(q.read.count <= (limit == 0 ? STORE_PAGE_MAX : limit));
        assert_true(merchant == 0 || q.read.looked <= STORE_LOOK_MAX);
        assert_true(q.read.looked >= q.read.count);
        assert_true(!q.read.more || through == 0 || q.read.through < through);
        for (size_t i = 0; i < q.read.count; i++) {
            const struct payment_row *row = &q.read.payments[i];
            assert_true(row->id < last);
            last = row->id;
            assert_true(merchant == 0 || row->merchant == merchant);
            assert_true(status == 0 || row->status == status);
            assert_true(reference == NULL || view_is(row->reference, reference));
        }
        seen += (int64_t)q.read.count;
        more = q.read.more;
        through = q.read.through;
        assert_true(seen == 0 || through <= last);
        question_fini(&q);
    }
    return seen;
}

static void check_lists(struct fixture *f, int64_t payments)
{
    assert_int_equal(walk_payments(f, 0, 0, NULL, 0), payments);
    assert_int_equal(walk_payments(f, 1, 0, NULL, 7), payments / 2);
    assert_int_equal(walk_payments(f, 2, 0, NULL, 100), payments / 2);
    assert_int_equal(walk_payments(f, 3, 0, NULL, 0), 0);
    assert_int_equal(walk_payments(f, 1, PAYMENT_FAILED, NULL, 0), payments / 10);
    assert_int_equal(walk_payments(f, 1, 0, "ref-8", 3), payments / 50);
    assert_int_equal(walk_payments(f, 2, 0, "ref-8", 3), 0);
    assert_int_equal(walk_payments(f, 1, PAYMENT_FAILED, "ref-10", 2), payments / 50);
    assert_int_equal(walk_payments(f, 0, 0, "ref-9", 0), payments / 50);
    assert_int_equal(walk_payments(f, 1, 0, "ref-none", 0), 0);
}

static int64_t walk_events(struct fixture *f, int64_t merchant)
{
    int64_t seen = 0, last = 0;
    bool more = true;
    while (more) {
        struct question q;
        question_init(&q, STORE_EVENTS);
        q.read.merchant = merchant;
        q.read.after = last;
        q.read.limit = 33;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        for (size_t i = 0; i < q.read.count; i++) {
            assert_true(q.read.events[i].seq > last);
            last = q.read.events[i].seq;
            assert_int_equal(q.read.events[i].merchant, merchant);
        }
        seen += (int64_t)q.read.count;
        more = q.read.more;
        question_fini(&q);
    }
    return seen;
}

static void a_merchants_lists_are_whole_whatever_is_indexed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    pay_many(&f, 1, 200); /* nothing is indexed */
    check_lists(&f, 200);
    assert_int_equal(walk_events(&f, 1), 200);
    pay_many(&f, 201, MANY); /* a part is */
    check_lists(&f, MANY);
    assert_int_equal(walk_events(&f, 1), MANY);
    pay_many(&f, MANY + 1, 3 * MANY);
    check_lists(&f, 3 * MANY);
    assert_int_equal(walk_events(&f, 2), 3 * MANY);
    /* One whose id lies below what is indexed, as when two loops hand out ids. */
    struct request late;
    request_new_payment(&late, 1, 15, 100);
    late.txn.payment.reference = VIEW("late");
    assert_int_equal(request_run(&f, &late), STORE_COMMITTED);
    request_fini(&late);
    assert_int_equal(walk_payments(&f, 1, 0, "late", 0), 1);
    assert_int_equal(walk_payments(&f, 1, 0, NULL, 0), 3 * MANY / 2 + 1);
    assert_int_equal(journal_length(&f), 6 * MANY + 2);
    fixture_close(&f);
}

/* One page of events of a kind; gives how many they are. */
static size_t page_of_kind(struct fixture *f, int64_t merchant, const char *kind, int64_t after,
                           struct store_read *out)
{
    struct question q;
    question_init(&q, STORE_EVENTS);
    q.read.merchant = merchant;
    q.read.event_kind = view_text(kind);
    q.read.after = after;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    for (size_t i = 0; i < q.read.count; i++)
        assert_true(q.read.events[i].seq > after && q.read.events[i].seq <= q.read.through);
    *out = q.read;
    question_fini(&q);
    return out->count;
}

/* Pages until there is no more; gives how many events fit, and the pages. */
static size_t walk_kind(struct fixture *f, int64_t merchant, const char *kind, size_t *pages)
{
    struct store_read read = { .more = true };
    size_t seen = 0;
    for (*pages = 0; read.more; ++*pages) {
        int64_t after = read.through;
        seen += page_of_kind(f, merchant, kind, after, &read);
        assert_true(read.through > after);
        assert_true(read.looked <=
                    STORE_LOOK_MAX + (size_t)(read.journal_seq - read.journal_indexed));
        assert_true(!read.more || read.looked <= STORE_LOOK_MAX || read.count == STORE_PAGE_MAX);
    }
    assert_int_equal(read.through, read.journal_seq);
    return seen;
}

/* A filter that nothing fits is the dearest: each question ends after a bounded number of rows, and
 * says where the next one goes on. */
static void what_one_question_looks_at_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct store_read read;
    struct store_stats stats;
    size_t pages;
    fixture_open(&f, "lists", NULL);
    pay_many(&f, 1, 2 * MANY);
    assert_int_equal(walk_payments(&f, 1, PAYMENT_REVERSED, NULL, 20), 0);
    assert_int_equal(walk_payments(&f, 1, PAYMENT_FAILED, NULL, 20), 2 * MANY / 10);
    assert_int_equal(walk_kind(&f, 1, "no.such", &pages), 0);
    assert_true(pages >= 2);
    assert_int_equal(walk_kind(&f, 1, "payment.*", &pages), MANY);
    assert_int_equal(walk_kind(&f, 1, "attempt.sending", &pages), MANY);
    store_stats(f.store, &stats);
    /* What has no index yet comes on top; there may be as many of those in this test. */
    assert_true(stats.looked_max >= STORE_LOOK_MAX && stats.looked > stats.looked_max);
    /* From where a search has ended, only what came since is looked at. */
    int64_t end = journal_length(&f);
    pay_many(&f, 2 * MANY + 1, 2 * MANY + 2);
    assert_int_equal(page_of_kind(&f, 1, "no.such", end, &read), 0);
    assert_true(!read.more && read.through == end + 4);
    assert_int_equal(read.looked, end >= read.journal_indexed ? 4 : 2);
    /* One who has nothing looks at nothing but what has no index yet, wherever it begins. */
    assert_int_equal(page_of_kind(&f, 3, "", 0, &read), 0);
    assert_true(!read.more && read.through == end + 4);
    assert_int_equal(read.looked, read.journal_seq - read.journal_indexed);
    fixture_close(&f);
}

static size_t ask(struct fixture *f, struct question *q, int64_t merchant, int64_t payment)
{
    q->read.merchant = merchant;
    q->read.payment = payment;
    assert_int_equal(question_run(f, q), STATUS_OK);
    return q->read.count;
}

static void what_belongs_to_a_payment_is_listed_for_its_merchant_only(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    pay(&f, 5, 1000, "a");
    pay(&f, 5, 2000, "b");
    static const enum store_question questions[] = { STORE_ONE_PAYMENT, STORE_OPERATIONS,
                                                     STORE_ATTEMPTS, STORE_EVENTS_OF_PAYMENT };
    static const size_t counts[] = { 1, 1, 1, 2 };
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        struct question q;
        question_init(&q, questions[i]);
        assert_int_equal(ask(&f, &q, 5, 2000), counts[i]);
        question_fini(&q);
        question_init(&q, questions[i]);
        assert_int_equal(ask(&f, &q, 0, 2000), counts[i]);
        question_fini(&q);
        question_init(&q, questions[i]);
        q.read.merchant = 6;
        q.read.payment = 2000;
        assert_int_equal(question_run(&f, &q), STATUS_NOT_FOUND);
        assert_int_equal(q.read.count, 0);
        question_fini(&q);
    }
    struct question q;
    question_init(&q, STORE_OPERATIONS);
    q.read.kind = OPERATION_REFUND;
    assert_int_equal(ask(&f, &q, 5, 2000), 0);
    question_fini(&q);
    question_init(&q, STORE_EVENTS_OF_PAYMENT);
    q.read.after = 3;
    assert_int_equal(ask(&f, &q, 5, 2000), 1);
    assert_int_equal(q.read.events[0].seq, 4);
    assert_true(view_is(q.read.events[0].kind, "attempt.sending"));
    question_fini(&q);
    fixture_close(&f);
}

/* What operators alone may know of a payment, e.g. what its names were found in. */
static void events_of_no_merchant_are_for_operators(void **state)
{
    (void)state;
    struct fixture f;
    struct request r;
    fixture_open(&f, "lists", NULL);
    request_new_payment(&r, 5, 1000, 1000);
    request_key(&r, "a", 7);
    r.txn.events[0].merchant = 0;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    struct question q;
    question_init(&q, STORE_EVENTS_OF_PAYMENT);
    assert_int_equal(ask(&f, &q, 5, 1000), 1);
    assert_true(view_is(q.read.events[0].kind, "attempt.sending"));
    question_fini(&q);
    question_init(&q, STORE_EVENTS_OF_PAYMENT);
    assert_int_equal(ask(&f, &q, 0, 1000), 2);
    question_fini(&q);
    fixture_close(&f);
}

static enum status set_state(struct store_txn *txn, void *arg)
{
    txn->attempt.state = *(enum attempt_state *)arg;
    txn->write_attempt = STORE_UPDATE;
    return STATUS_OK;
}

static void open_attempts_are_those_whose_end_is_not_known(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    for (enum attempt_state s = ATTEMPT_SENDING; attempt_state_valid(s); s++) {
        pay(&f, 5, 1000 * (int64_t)s, (char[]){ (char)('a' + (int)s), '\0' });
        struct request r;
        request_init(&r, 5);
        r.txn.load_attempt = 1000 * (int64_t)s + 2;
        r.txn.judge = set_state;
        r.txn.arg = &s;
        assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
        request_fini(&r);
    }
    struct question q;
    question_init(&q, STORE_ATTEMPTS_OPEN);
    q.read.limit = 3;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 3);
    assert_true(q.read.more);
    assert_int_equal(q.read.attempts[0].state, ATTEMPT_SENDING);
    assert_int_equal(q.read.attempts[1].state, ATTEMPT_PENDING);
    assert_int_equal(q.read.attempts[2].state, ATTEMPT_UNKNOWN);
    int64_t last = q.read.attempts[2].id;
    question_fini(&q);
    question_init(&q, STORE_ATTEMPTS_OPEN);
    q.read.after = last;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 1);
    assert_false(q.read.more);
    assert_int_equal(q.read.attempts[0].state, ATTEMPT_REVERSING);
    question_fini(&q);
    fixture_close(&f);
}

/* Attempts of these states, in the order of their ids, page by page of two. */
static void assert_unsettled(struct fixture *f, uint32_t states, const enum attempt_state *expected,
                             size_t count)
{
    int64_t after = 0;
    size_t seen = 0;
    for (bool more = true; more;) {
        struct question q;
        question_init(&q, STORE_ATTEMPTS_UNSETTLED);
        q.read.states = states;
        q.read.after = after;
        q.read.limit = 2;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        more = q.read.more;
        for (size_t i = 0; i < q.read.count; i++, seen++) {
            assert_true(seen < count && q.read.attempts[i].id > after);
            assert_int_equal(q.read.attempts[i].state, expected[seen]);
            after = q.read.attempts[i].id;
        }
        question_fini(&q);
    }
    assert_int_equal(seen, count);
}

static enum status set_parent(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->attempt.parent = 7;
    txn->write_attempt = STORE_UPDATE;
    return STATUS_OK;
}

static void unsettled_attempts_are_listed_by_state(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    /* Backwards, so that those that wait for a person are older than those that are open. */
    for (int s = ATTEMPT_OVERTAKEN, n = 1; s >= ATTEMPT_SENDING; s--, n++) {
        enum attempt_state as = (enum attempt_state)s;
        pay(&f, 5, 1000 * n, (char[]){ (char)('a' + n), '\0' });
        struct request r;
        request_init(&r, 5);
        r.txn.load_attempt = 1000 * n + 2;
        r.txn.judge = set_state;
        r.txn.arg = &as;
        assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
        request_fini(&r);
    }
    static const enum attempt_state all[] = { ATTEMPT_PARKED,  ATTEMPT_CONFLICT, ATTEMPT_REVERSING,
                                              ATTEMPT_UNKNOWN, ATTEMPT_PENDING,  ATTEMPT_SENDING };
    assert_unsettled(&f, 0, all, 6);
    assert_unsettled(&f, 1u << ATTEMPT_PARKED | 1u << ATTEMPT_CONFLICT, all, 2);
    assert_unsettled(&f, 1u << ATTEMPT_REVERSING | 1u << ATTEMPT_UNKNOWN | 1u << ATTEMPT_APPROVED,
                     all + 2, 2);
    assert_unsettled(&f, 1u << ATTEMPT_CONFLICT | 1u << ATTEMPT_REVERSING, all + 1, 2);
    static const enum attempt_state none[] = { ATTEMPT_APPROVED };
    assert_unsettled(&f, 1u << ATTEMPT_APPROVED, none, 0);
    /* What undoes or asks about another one is that one's business. */
    struct request r;
    request_init(&r, 5);
    r.txn.load_attempt = 2002; /* the parked one */
    r.txn.judge = set_parent;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    assert_unsettled(&f, 0, all + 1, 5);
    fixture_close(&f);
}

static void one_attempt_is_found_by_its_id(void **state)
{
    (void)state;
    struct fixture f;
    struct question q;
    fixture_open(&f, "lists", NULL);
    pay(&f, 5, 1000, "a");
    question_init(&q, STORE_ONE_ATTEMPT);
    q.read.attempt = 1002;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 1);
    assert_int_equal(q.read.attempts[0].id, 1002);
    assert_int_equal(q.read.attempts[0].payment, 1000);
    q.read.merchant = 6;
    assert_int_equal(question_run(&f, &q), STATUS_NOT_FOUND);
    assert_int_equal(q.read.count, 0);
    q.read.merchant = 0;
    q.read.attempt = 1000; /* a payment */
    assert_int_equal(question_run(&f, &q), STATUS_NOT_FOUND);
    question_fini(&q);
    fixture_close(&f);
}

static void a_question_sees_what_was_submitted_before_it(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    struct request r;
    struct question before, after;
    question_init(&before, STORE_ONE_PAYMENT);
    question_init(&after, STORE_ONE_PAYMENT);
    before.read.payment = after.read.payment = 1000;
    request_new_payment(&r, 5, 1000, 10);
    assert_int_equal(store_ask(f.store, &before.read), STATUS_OK);
    request_submit(&f, &r);
    assert_int_equal(store_ask(f.store, &after.read), STATUS_OK);
    fixture_settle(&f);
    assert_int_equal(before.read.result, STATUS_NOT_FOUND);
    assert_int_equal(after.read.result, STATUS_OK);
    question_fini(&before);
    question_fini(&after);
    request_fini(&r);
    fixture_close(&f);
}

static void a_counter_never_gives_a_number_twice(void **state)
{
    (void)state;
    struct fixture f;
    struct store_keeper *keeper;
    assert_int_equal(store_keeper_open(&keeper, "memory:counters"), STATUS_OK);
    fixture_open(&f, "counters", NULL);
    assert_int_equal(take_counter(&f, "trace:a", 100), 1);
    assert_int_equal(take_counter(&f, "trace:b", 5), 1);
    assert_int_equal(take_counter(&f, "trace:a", 1), 101);
    fixture_crash(&f);
    fixture_reopen(&f);
    assert_int_equal(take_counter(&f, "trace:a", 1), 102);
    assert_int_equal(take_counter(&f, "trace:b", 1), 6);
    fixture_close(&f);
    store_keeper_close(keeper);
}

static void on_counter(struct store_counter *counter, void *arg)
{
    (void)arg;
    counter->arg = NULL;
}

static void a_counter_that_is_used_up_says_so(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    assert_int_equal(take_counter(&f, "c", INT64_MAX - 10), 1);
    static const uint64_t counts[] = { 0, 100, UINT64_MAX };
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct store_counter c = { .name = "c", .count = counts[i], .done = on_counter, .arg = &f };
        assert_int_equal(store_counter_take(f.store, &c), STATUS_OK);
        fixture_settle(&f);
        assert_null(c.arg);
        assert_int_equal(c.status, STATUS_RANGE);
    }
    assert_int_equal(take_counter(&f, "c", 2), INT64_MAX - 9);
    fixture_close(&f);
}

static void on_key(struct store_key_change *change, void *arg)
{
    (void)change;
    *(bool *)arg = true;
}

static enum status change_key(struct fixture *f, struct store_key_change change)
{
    bool done = false;
    change.done = on_key;
    change.arg = &done;
    assert_int_equal(store_key_put(f->store, &change), STATUS_OK);
    fixture_settle(f);
    assert_true(done);
    return change.result;
}

static void api_keys_are_put_found_and_revoked(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "lists", NULL);
    struct store_key_change put = { .row = { .id = 7,
                                             .merchant = 5,
                                             .hash = { 1, 2 },
                                             .live = true,
                                             .scopes = UINT32_MAX,
                                             .rate_per_s = 50,
                                             .created_us = 9,
                                             .name = VIEW("till") } };
    assert_int_equal(change_key(&f, put), STATUS_OK);
    assert_int_equal(change_key(&f, put), STATUS_EXISTS);
    put.row.id = 8; /* the same secret */
    assert_int_equal(change_key(&f, put), STATUS_EXISTS);
    put.row.hash[0] = 9;
    put.row.merchant = 6;
    put.row.live = false;
    assert_int_equal(change_key(&f, put), STATUS_OK);
    struct question q;
    question_init(&q, STORE_KEY_BY_HASH);
    memcpy(q.read.key_hash, (uint8_t[]){ 1, 2 }, 2);
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.keys[0].id, 7);
    assert_true(q.read.keys[0].live);
    assert_int_equal(q.read.keys[0].scopes, UINT32_MAX);
    assert_int_equal(q.read.keys[0].revoked_us, 0);
    assert_true(view_is(q.read.keys[0].name, "till"));
    q.read.key_hash[5] = 1;
    assert_int_equal(question_run(&f, &q), STATUS_NOT_FOUND);
    question_fini(&q);
    assert_int_equal(
        change_key(
            &f, (struct store_key_change){ .revoke = true, .row = { .id = 7, .revoked_us = 77 } }),
        STATUS_OK);
    assert_int_equal(
        change_key(
            &f, (struct store_key_change){ .revoke = true, .row = { .id = 70, .revoked_us = 77 } }),
        STATUS_NOT_FOUND);
    question_init(&q, STORE_KEYS);
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 2);
    assert_int_equal(q.read.keys[0].revoked_us, 77);
    q.read.merchant = 6;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 1);
    question_fini(&q);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merchants_lists_are_whole_whatever_is_indexed),
        cmocka_unit_test(what_one_question_looks_at_is_bounded),
        cmocka_unit_test(what_belongs_to_a_payment_is_listed_for_its_merchant_only),
        cmocka_unit_test(events_of_no_merchant_are_for_operators),
        cmocka_unit_test(open_attempts_are_those_whose_end_is_not_known),
        cmocka_unit_test(unsettled_attempts_are_listed_by_state),
        cmocka_unit_test(one_attempt_is_found_by_its_id),
        cmocka_unit_test(a_question_sees_what_was_submitted_before_it),
        cmocka_unit_test(a_counter_never_gives_a_number_twice),
        cmocka_unit_test(a_counter_that_is_used_up_says_so),
        cmocka_unit_test(api_keys_are_put_found_and_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
