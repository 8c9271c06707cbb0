/* test_store_faults.c - a disk that fails at the n-th write, truncation or flush, for n = 1, 2, 3,
 * ... until a run meets no failure any more. After each: what was reported committed is there after
 * a power failure, what was reported failed is not, the journal has no gap, and the store goes on.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault_vfs.h"

#define PAYMENTS 24

static struct request requests[PAYMENTS];
static char keys[PAYMENTS][24];

static void spend(struct request *r)
{
    static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD };
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        r->txn.spends[i] = (struct store_spend){ .kind = kinds[i],
                                                 .key = { 1 },
                                                 .window_us = 1000,
                                                 .start_us = START_WALL_US,
                                                 .amount = 1,
                                                 .write = true };
    r->txn.spend_count = COUNT_OF(kinds);
    r->txn.spend_now_us = START_WALL_US;
}

/* Batches of six under keys of their own. A memory index of eight makes the store index as it goes.
 */
static void pay_batches(struct fixture *f, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct request *r = &requests[i];
        request_new_payment(r, 5, 1000 * (int64_t)(i + 1), 100);
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        request_key(r, keys[i], 7);
        spend(r);
        request_submit(f, r);
        if (i % 6 == 5 || i + 1 == to)
            fixture_settle(f);
    }
}

/* Counters tell the number of payments that are there. */
static void check_spent(struct fixture *f, int64_t count)
{
    struct request r = { 0 };
    spend(&r);
    struct question q;
    question_init(&q, STORE_SPENT);
    q.read.spends = r.txn.spends;
    q.read.spend_count = r.txn.spend_count;
    q.read.spend_now_us = START_WALL_US;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    for (size_t i = 0; i < q.read.count; i++)
        assert_int_equal(r.txn.spends[i].count, count);
    question_fini(&q);
}

static int64_t check_reported(struct fixture *f, size_t to)
{
    int64_t committed = 0;
    for (size_t i = 0; i < to; i++) {
        const struct request *r = &requests[i];
        bool kept = r->txn.result == STORE_COMMITTED;
        assert_true(kept || r->txn.result == STORE_FAILED);
        assert_true(kept || r->txn.why.len > 0);
        assert_true(payment_exists(f, 1000 * (int64_t)(i + 1), NULL) == kept);
        if (kept) {
            int64_t payment;
            assert_int_equal(probe_key(f, 5, keys[i], 7, &payment), STORE_REPLAY);
            assert_int_equal(payment, 1000 * (int64_t)(i + 1));
        }
        committed += kept;
    }
    assert_int_equal(journal_length(f), 2 * committed);
    check_spent(f, committed);
    return committed;
}

static void forget_requests(size_t to)
{
    for (size_t i = 0; i < to; i++)
        request_fini(&requests[i]);
}

/* false: the n-th operation did not happen any more. */
static bool run_with_fault(int nth, enum fault_kind kind, enum fault_span span)
{
    struct fixture f;
    const struct store_options options = { .recent_keys_max = 8, .batch_max = 6 };
    fixture_open(&f, NULL, &options);
    fault_vfs_arm(nth, kind, span);
    pay_batches(&f, 0, 12);
    int failures = fault_vfs_failures();
    fault_vfs_arm(0, kind, span);
    /* The disk is well again: the same store goes on. */
    pay_batches(&f, 12, PAYMENTS);
    for (size_t i = 12; i < PAYMENTS; i++)
        assert_int_equal(requests[i].txn.result, STORE_COMMITTED);
    char path[sizeof f.path];
    memcpy(path, f.path, sizeof path);
    struct store *running;
    fixture_copy_files(&f, &running);
    fixture_reopen(&f);
    int64_t committed = check_reported(&f, PAYMENTS);
    fixture_close_store(&f);
    f.store = running;
    assert_int_equal(check_reported(&f, PAYMENTS), committed);
    /* Questions, too, saw only what is there. */
    forget_requests(PAYMENTS);
    fixture_close(&f);
    return failures > 0;
}

static void every_failing_operation(enum fault_kind kind, enum fault_span span)
{
    int nth = 1;
    while (run_with_fault(nth, kind, span))
        nth++;
    print_message("%d operations failed in turn\n", nth - 1);
    assert_true(nth > 10);
}

static void a_single_failure_anywhere(void **state)
{
    (void)state;
    every_failing_operation(FAULT_IO, FAULT_ONCE);
}

static void a_disk_that_stays_broken(void **state)
{
    (void)state;
    every_failing_operation(FAULT_IO, FAULT_LASTING);
}

static void a_disk_that_is_full(void **state)
{
    (void)state;
    every_failing_operation(FAULT_DISK_FULL, FAULT_LASTING);
}

/* The flush of a commit fails, and the power at once afterwards: what was reported failed stays so,
 * because the store has written over it. */
static void a_failed_flush_cannot_come_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 500, "before");
    fault_vfs_arm_flush(1, FAULT_ONCE);
    pay_batches(&f, 0, 6);
    assert_int_equal(fault_vfs_failures(), 1);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(requests[i].txn.result, STORE_FAILED);
    struct store *running;
    fixture_copy_files(&f, &running);
    fixture_reopen(&f);
    assert_true(payment_exists(&f, 500, NULL));
    for (size_t i = 0; i < 6; i++)
        assert_false(payment_exists(&f, 1000 * (int64_t)(i + 1), NULL));
    assert_int_equal(journal_length(&f), 2);
    store_close(running);
    forget_requests(6);
    fixture_close(&f);
}

/* While the disk stays broken, nobody can know; then that is what is said. */
static void a_lasting_failure_admits_its_doubt(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 500, "before");
    fault_vfs_arm_flush(1, FAULT_LASTING);
    pay_batches(&f, 0, 2);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(requests[i].txn.result, STORE_FAILED);
        char why[300];
        assert_int_equal(view_to_text(requests[i].txn.why, why, sizeof why), STATUS_OK);
        assert_non_null(strstr(why, "after a crash it may be found committed"));
    }
    struct store_stats stats;
    store_stats(f.store, &stats);
    assert_int_equal(stats.failed, 2);
    assert_true(payment_exists(&f, 500, NULL));
    forget_requests(2);
    fixture_close(&f);
}

/* What a killed process left in the log may be in the system's memory only: it is made to last
 * before the store is used, and when that cannot be done the store is not opened. */
static void what_is_found_at_the_start_is_flushed(void **state)
{
    (void)state;
    struct fixture f;
    struct store *killed;
    fixture_open(&f, NULL, NULL);
    pay(&f, 5, 500, "before");
    fixture_copy_files(&f, &killed); /* its log holds all of it */
    fault_vfs_arm_flush(1, FAULT_LASTING);
    assert_int_equal(fixture_try_reopen(&f), STATUS_IO);
    assert_true(fault_vfs_failures() > 0);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    fixture_reopen(&f);
    assert_true(payment_exists(&f, 500, NULL));
    store_close(killed);
    fixture_close(&f);
}

/* A flush that failed in the killed process may have left bytes that can be seen and are on no
 * disk, and no later flush will write them: so all of the log is written again. */
static void what_is_found_at_the_start_is_written_again(void **state)
{
    (void)state;
    struct fixture f;
    struct store *killed;
    fixture_open(&f, NULL, NULL);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    for (int64_t i = 1; i <= 40; i++) {
        char key[24];
        snprintf(key, sizeof key, "k%lld", (long long)i);
        pay(&f, 5, 500 * i, key);
    }
    int64_t log = fault_vfs_log_flushed();
    assert_true(log > 100000);
    fixture_copy_files(&f, &killed);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    fixture_reopen(&f);
    assert_true(fault_vfs_log_flushed() >= log);
    assert_true(payment_exists(&f, 20000, NULL));
    store_close(killed);
    fixture_close(&f);
}

/* Opening is made of writes as well. */
static void a_store_that_could_not_be_opened_can_be_later(void **state)
{
    (void)state;
    int nth = 1;
    for (bool failed = true; failed; nth++) {
        struct fixture f;
        fixture_open(&f, NULL, NULL);
        fixture_close_store(&f);
        f.path[strlen(f.path) - 4] = '7'; /* another file of the folder, which is not there yet */
        fault_vfs_arm(nth, FAULT_IO, FAULT_LASTING);
        enum status status = fixture_try_reopen(&f);
        failed = fault_vfs_failures() > 0;
        fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
        if (status == STATUS_OK)
            fixture_close_store(&f);
        else
            assert_true(failed && f.why[0] != '\0');
        fixture_reopen(&f);
        pay(&f, 5, 1000, "k");
        assert_int_equal(journal_length(&f), 2);
        fixture_close(&f);
    }
    assert_true(nth > 5);
}

static int install(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_failure_anywhere),
        cmocka_unit_test(a_disk_that_stays_broken),
        cmocka_unit_test(a_disk_that_is_full),
        cmocka_unit_test(a_failed_flush_cannot_come_back),
        cmocka_unit_test(a_lasting_failure_admits_its_doubt),
        cmocka_unit_test(what_is_found_at_the_start_is_flushed),
        cmocka_unit_test(what_is_found_at_the_start_is_written_again),
        cmocka_unit_test(a_store_that_could_not_be_opened_can_be_later),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
