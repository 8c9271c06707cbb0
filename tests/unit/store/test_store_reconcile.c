/* test_store_reconcile.c - reconciliations: their differences are seen all at once or not at all,
 * the journal has no gap, a difference is resolved once; and the sorting of more than memory holds.
 */
#include "store_fixture.h"

#include "store/store_sort.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define REC 5000
#define DIF 6000

static const struct difference_row found = { .reconciliation = REC,
                                             .kind = DIFFERENCE_MISSING_THERE,
                                             .status = DIFFERENCE_STATUS_OPEN,
                                             .attempt = 1002,
                                             .payment = 1000,
                                             .merchant = 5,
                                             .here_minor = 700,
                                             .created_us = START_WALL_US,
                                             .currency = "EUR",
                                             .channel = VIEW("card_demo"),
                                             .identity = VIEW("000123/1122183000/TERM1"),
                                             .here = VIEW("sale approved") };

static void begin(struct fixture *f)
{
    struct request r;
    request_init(&r, 0);
    r.txn.reconciliation = (struct reconciliation_row){ .id = REC,
                                                        .state = RECONCILIATION_WRITING,
                                                        .started_us = START_WALL_US,
                                                        .lines = 3,
                                                        .channel = VIEW("card_demo"),
                                                        .format = VIEW("card"),
                                                        .file = VIEW("day.csv"),
                                                        .file_hash = VIEW("00ff") };
    r.txn.write_reconciliation = STORE_INSERT;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

/* `count` differences from `first` on, an event for each. */
static void add(struct fixture *f, int64_t first, size_t count)
{
    struct difference_row rows[STORE_DIFFERENCES_MAX];
    struct request r;
    request_init(&r, 0);
    for (size_t i = 0; i < count; i++) {
        rows[i] = found;
        rows[i].id = first + (int64_t)i;
        r.txn.events[i] = (struct event_row){ .time_us = START_WALL_US,
                                              .payment = 1000,
                                              .kind = VIEW("reconciliation.difference"),
                                              .data_json = VIEW("{}") };
    }
    r.txn.event_count = r.txn.difference_count = count;
    r.txn.differences = rows;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

static void end(struct fixture *f, enum reconciliation_state state)
{
    struct request r;
    request_init(&r, 0);
    r.txn.reconciliation = (struct reconciliation_row){ .id = REC,
                                                        .state = state,
                                                        .finished_us = START_WALL_US + 1,
                                                        .differences = 13,
                                                        .summary_json = VIEW("{\"matched\":1}") };
    r.txn.write_reconciliation = STORE_UPDATE;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

static size_t count_of(struct fixture *f, int64_t reconciliation, bool open_only)
{
    size_t count = 0;
    int64_t after = 0;
    bool more = true;
    while (more) {
        struct question q;
        question_init(&q, STORE_DIFFERENCES);
        q.read.reconciliation = reconciliation;
        q.read.open_only = open_only;
        q.read.after = after;
        q.read.limit = 5;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        for (size_t i = 0; i < q.read.count; i++) {
            assert_true(q.read.differences[i].id > after);
            after = q.read.differences[i].id;
        }
        count += q.read.count;
        more = q.read.more;
        question_fini(&q);
    }
    return count;
}

static int64_t open_count(struct fixture *f)
{
    struct question q;
    question_init(&q, STORE_DIFFERENCES_OPEN);
    assert_int_equal(question_run(f, &q), STATUS_OK);
    int64_t count = q.read.open_count;
    assert_int_equal(q.read.open_since_us, count > 0 ? START_WALL_US : 0);
    question_fini(&q);
    return count;
}

static void differences_are_seen_all_at_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "reconcile_whole", NULL);
    begin(&f);
    add(&f, DIF, 12);
    add(&f, DIF + 12, 1);
    assert_int_equal(count_of(&f, REC, false), 0);
    assert_int_equal(count_of(&f, 0, false), 0);
    assert_int_equal(count_of(&f, 0, true), 0);
    assert_int_equal(open_count(&f), 0);
    end(&f, RECONCILIATION_FINISHED);
    assert_int_equal(count_of(&f, REC, false), 13);
    assert_int_equal(count_of(&f, REC + 1, false), 0);
    assert_int_equal(count_of(&f, REC, true), 13);
    assert_int_equal(count_of(&f, 0, false), 13);
    assert_int_equal(count_of(&f, 0, true), 13);
    assert_int_equal(open_count(&f), 13);
    assert_int_equal(journal_length(&f), 13);
    fixture_close(&f);
}

static void open_ones_are_counted_page_by_page(void **state)
{
    (void)state;
    struct fixture f;
    struct question q;
    fixture_open(&f, "reconcile_pages", NULL);
    begin(&f);
    for (int64_t i = 0; i < 50; i++)
        add(&f, DIF + 12 * i, 12);
    question_init(&q, STORE_DIFFERENCES_OPEN);
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.open_count, 0); /* looked at, and not shown yet */
    assert_true(q.read.more && q.read.looked == STORE_LOOK_MAX);
    end(&f, RECONCILIATION_FINISHED);
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.open_count, STORE_LOOK_MAX);
    assert_true(q.read.more && q.read.through == DIF + STORE_LOOK_MAX - 1);
    q.read.after = q.read.through;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.open_count, 600 - STORE_LOOK_MAX);
    assert_int_equal(q.read.open_since_us, START_WALL_US);
    assert_false(q.read.more);
    question_fini(&q);
    fixture_close(&f);
}

static void abandoned_ones_show_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "reconcile_abandoned", NULL);
    begin(&f);
    add(&f, DIF, 3);
    end(&f, RECONCILIATION_ABANDONED);
    assert_int_equal(count_of(&f, 0, false), 0);
    assert_int_equal(open_count(&f), 0);
    struct request r;
    request_init(&r, 0);
    r.txn.load_difference = DIF;
    assert_int_equal(request_run(&f, &r), STORE_NO_PAYMENT);
    request_fini(&r);
    fixture_close(&f);
}

static enum status judge_resolve(struct store_txn *txn, void *arg)
{
    (void)arg;
    if (txn->difference.status != DIFFERENCE_STATUS_OPEN)
        return STATUS_REFUSED;
    txn->difference.status = DIFFERENCE_STATUS_RESOLVED;
    txn->difference.resolved_us = START_WALL_US + 5;
    txn->difference.by = VIEW("ops");
    txn->difference.why = VIEW("booked a day late");
    txn->write_difference = STORE_UPDATE;
    return STATUS_OK;
}

static void a_difference_is_resolved_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    begin(&f);
    add(&f, DIF, 2);
    end(&f, RECONCILIATION_FINISHED);
    for (int time = 0; time < 2; time++) {
        struct request r;
        request_init(&r, 0);
        r.txn.load_difference = DIF + 1;
        r.txn.judge = judge_resolve;
        assert_int_equal(request_run(&f, &r), time == 0 ? STORE_COMMITTED : STORE_REFUSED);
        request_fini(&r);
    }
    assert_int_equal(open_count(&f), 1);
    fixture_close_store(&f);
    fixture_reopen(&f);
    assert_true(store_last_id(f.store) >= DIF + 1);
    struct question q;
    question_init(&q, STORE_DIFFERENCES);
    q.read.difference = DIF + 1;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 1);
    const struct difference_row *row = q.read.differences;
    assert_int_equal(row->status, DIFFERENCE_STATUS_RESOLVED);
    assert_int_equal(row->kind, DIFFERENCE_MISSING_THERE);
    assert_int_equal(row->here_minor, 700);
    assert_true(view_is(row->by, "ops") && view_is(row->why, "booked a day late"));
    assert_true(view_is(row->identity, "000123/1122183000/TERM1"));
    assert_string_equal(row->currency, "EUR");
    question_fini(&q);
    assert_int_equal(count_of(&f, REC, true), 1);
    assert_int_equal(count_of(&f, REC, false), 2);
    fixture_close(&f);
}

static void a_file_is_found_by_its_hash(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "reconcile_hash", NULL);
    begin(&f);
    end(&f, RECONCILIATION_FINISHED);
    const char *const hashes[] = { "00ff", "00fe", "" };
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        struct question q;
        question_init(&q, STORE_RECONCILIATIONS);
        q.read.file_hash = view_text(hashes[i]);
        assert_int_equal(question_run(&f, &q), STATUS_OK);
        assert_int_equal(q.read.count, i == 1 ? 0 : 1);
        if (q.read.count > 0) {
            assert_int_equal(q.read.reconciliations[0].state, RECONCILIATION_FINISHED);
            assert_int_equal(q.read.reconciliations[0].lines, 3);
            assert_true(view_is(q.read.reconciliations[0].summary_json, "{\"matched\":1}"));
        }
        question_fini(&q);
    }
    fixture_close(&f);
}

/* How many attempts of a channel a list has, and in how many pages. */
static int64_t attempts_in(struct fixture *f, struct view channel, int64_t after, int64_t before_us,
                           size_t *pages)
{
    int64_t count = 0;
    bool more = true;
    for (*pages = 0; more; ++*pages) {
        struct question q;
        question_init(&q, STORE_ATTEMPTS_OF_CHANNEL);
        q.read.channel = channel;
        q.read.after = after;
        q.read.before_us = before_us;
        assert_int_equal(question_run(f, &q), STATUS_OK);
        for (size_t i = 0; i < q.read.count; i++, count++) {
            const struct channel_attempt_row *row = &q.read.channel_attempts[i];
            assert_true(row->attempt.id > after);
            assert_int_equal(row->approved, 1000);
            assert_int_equal(row->refunded, 0);
            after = row->attempt.id;
        }
        more = q.read.more;
        assert_true(!more || q.read.through >= after);
        after = q.read.through;
        question_fini(&q);
    }
    return count;
}

static void attempts_of_a_channel(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "reconcile_attempts", NULL);
    for (int64_t i = 0; i < STORE_LOOK_MAX + 100; i++)
        pay(&f, 5, 1000 + 10 * i, NULL);
    size_t pages;
    assert_int_equal(attempts_in(&f, VIEW("card_demo"), 2001, 0, &pages), STORE_LOOK_MAX);
    assert_int_equal(attempts_in(&f, VIEW("card_demo"), 0, START_WALL_US + 1, &pages),
                     STORE_LOOK_MAX + 100);
    /* Whatever their ids; and what does not fit is passed over in pieces. */
    assert_int_equal(attempts_in(&f, VIEW("card_demo"), 0, START_WALL_US, &pages), 0);
    assert_int_equal(pages, 2);
    assert_int_equal(attempts_in(&f, VIEW("another"), 0, 0, &pages), 0);
    assert_int_equal(pages, 2);
    fixture_close(&f);
}

static void rows_come_in_the_order_of_keys(void **state)
{
    (void)state;
    enum { ROWS = 30000 };
    struct store_sort *sort;
    assert_int_equal(store_sort_open(&sort), STATUS_OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        char key[16];
        uint32_t number = i * 7919 % (ROWS / 2); /* each key twice */
        int len = snprintf(key, sizeof key, "%06u", number);
        int64_t order = i < ROWS / 2 ? 2 : 1;
        assert_int_equal(
            store_sort_put(sort, view_of(key, (size_t)len), order, view_of(&order, sizeof order)),
            STATUS_OK);
    }
    uint8_t large[STORE_SORT_PAYLOAD_MAX + 1] = { 0 };
    assert_int_equal(store_sort_put(sort, VIEW_EMPTY, 1, VIEW_EMPTY), STATUS_RANGE);
    assert_int_equal(store_sort_put(sort, VIEW("k"), 1, view_of(large, sizeof large)),
                     STATUS_RANGE);
    assert_int_equal(store_sort_turn(sort), STATUS_OK);
    struct view key, payload;
    for (uint32_t i = 0; i < ROWS; i++) {
        char expected[16];
        int64_t order;
        (void)snprintf(expected, sizeof expected, "%06u", i / 2);
        assert_int_equal(store_sort_next(sort, &key, &payload), STATUS_OK);
        assert_true(view_is(key, expected));
        assert_int_equal(payload.len, sizeof order);
        memcpy(&order, payload.ptr, sizeof order);
        assert_int_equal(order, 1 + i % 2);
    }
    assert_int_equal(store_sort_next(sort, &key, &payload), STATUS_NOT_FOUND);
    store_sort_close(sort);
}

/* No row is lost without a word when the folder takes no more. */
static void a_file_that_cannot_grow(void **state)
{
    (void)state;
    struct rlimit before, small;
    struct store_sort *sort = NULL;
    uint8_t payload[STORE_SORT_PAYLOAD_MAX] = { 0 }, key[8] = { 0 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)1024 * 1024;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status = store_sort_open(&sort);
    for (int64_t i = 0; i < 40000 && status == STATUS_OK; i++) {
        memcpy(key, &i, sizeof i);
        status =
            store_sort_put(sort, view_of(key, sizeof key), i, view_of(payload, sizeof payload));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_IO);
    assert_true(view_starts_with(store_sort_why(sort), VIEW("the temporary file for sorting")));
    store_sort_close(sort);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_seen_all_at_once),
        cmocka_unit_test(open_ones_are_counted_page_by_page),
        cmocka_unit_test(abandoned_ones_show_nothing),
        cmocka_unit_test(a_difference_is_resolved_once),
        cmocka_unit_test(a_file_is_found_by_its_hash),
        cmocka_unit_test(attempts_of_a_channel),
        cmocka_unit_test(rows_come_in_the_order_of_keys),
        cmocka_unit_test(a_file_that_cannot_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
