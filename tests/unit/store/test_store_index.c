/* test_store_index.c - idempotency keys between memory and the lasting index: a crash at any stage
 * changes no answer, a small memory index is no limit, purging takes what is old and nothing else.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

static const char *key_of(int64_t i, char out[32])
{
    snprintf(out, 32, "key-%d", (int)i);
    return out;
}

/* Payments number from..to (ids 10 i), each under a key of its own, in batches of `batch`. */
static void pay_keys(struct fixture *f, int64_t from, int64_t to, size_t batch)
{
    struct request *r = calloc(batch, sizeof *r);
    char(*keys)[32] = calloc(batch, sizeof *keys);
    assert_true(r != NULL && keys != NULL);
    while (from <= to) {
        size_t count = 0;
        for (; count < batch && from <= to; count++, from++) {
            request_new_payment(&r[count], 5, 10 * from, 100);
            request_key(&r[count], key_of(from, keys[count]), 7);
            request_submit(f, &r[count]);
        }
        fixture_settle(f);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(r[i].txn.result, STORE_COMMITTED);
            request_fini(&r[i]);
        }
    }
    free(keys);
    free(r);
}

/* Every key of 1..n is known with its payment, and no other is. */
static void check_keys(struct fixture *f, int64_t n)
{
    char key[32];
    for (int64_t i = 1; i <= n; i++) {
        int64_t payment = 0;
        assert_int_equal(probe_key(f, 5, key_of(i, key), 7, &payment), STORE_REPLAY);
        assert_int_equal(payment, 10 * i);
    }
    assert_int_equal(probe_key(f, 5, key_of(1, key), 8, NULL), STORE_KEY_REUSED);
}

static int64_t number(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

/* The files as they lie, opened by another store: what a power failure at this moment leaves. */
static void check_after_power_failure(struct fixture *f, int64_t n)
{
    char path[sizeof f->path];
    memcpy(path, f->path, sizeof path);
    struct store *running;
    fixture_copy_files(f, &running);
    fixture_reopen(f);
    check_keys(f, n);
    assert_int_equal(journal_length(f), 2 * n);
    fixture_close_store(f);
    f->store = running;
    memcpy(f->path, path, sizeof path);
}

static void a_crash_between_commit_and_index_changes_no_answer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    /* Stage 1: committed, nothing indexed. */
    pay_keys(&f, 1, 300, 100);
    assert_int_equal(number(f.path, "SELECT keys_indexed FROM meta"), 0);
    check_after_power_failure(&f, 300);
    /* Stage 2: the first ones are indexed, later ones are not. */
    pay_keys(&f, 301, 1100, 100);
    pay_keys(&f, 1101, 1150, 10);
    int64_t indexed = number(f.path, "SELECT keys_indexed FROM meta");
    assert_true(indexed >= 1024 && indexed < 1150);
    assert_int_equal(number(f.path, "SELECT count(*) FROM idem_lookup"), indexed);
    check_after_power_failure(&f, 1150);
    check_keys(&f, 1150);
    /* Stage 3: a virtual crash while a batch ran and nobody was told. */
    struct request r;
    char key[32];
    request_new_payment(&r, 5, 10 * 1151, 100);
    request_key(&r, key_of(1151, key), 7);
    request_submit(&f, &r);
    struct store_stats stats = { 0 };
    uint64_t commits = 0;
    store_stats(f.store, &stats);
    for (commits = stats.commits; stats.commits == commits; store_stats(f.store, &stats))
        assert_true(loop_step(f.loop, INT64_MAX));
    assert_false(r.done);
    fixture_crash(&f);
    request_fini(&r);
    fixture_reopen(&f);
    check_keys(&f, 1151);
    fixture_close(&f);
}

static void what_was_not_committed_is_forgotten(void **state)
{
    (void)state;
    struct store_keeper *keeper;
    assert_int_equal(store_keeper_open(&keeper, "memory:crash"), STATUS_OK);
    struct fixture f;
    fixture_open(&f, "crash", NULL);
    pay(&f, 5, 1000, "kept");
    struct request r;
    request_new_payment(&r, 5, 2000, 100);
    request_key(&r, "lost", 7);
    request_submit(&f, &r);
    fixture_crash(&f);
    request_fini(&r);
    fixture_reopen(&f);
    assert_int_equal(store_last_id(f.store), 1002);
    assert_true(payment_exists(&f, 1000, NULL));
    assert_false(payment_exists(&f, 2000, NULL));
    assert_int_equal(journal_length(&f), 2);
    assert_int_equal(probe_key(&f, 5, "kept", 7, NULL), STORE_REPLAY);
    pay(&f, 5, 2000, "lost");
    assert_int_equal(journal_length(&f), 4);
    fixture_close(&f);
    /* Nobody holds it any more: gone. */
    store_keeper_close(keeper);
    fixture_open(&f, "crash", NULL);
    assert_int_equal(store_last_id(f.store), 0);
    fixture_close(&f);
}

static void a_small_memory_index_is_no_limit(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, &(struct store_options){ .recent_keys_max = 8, .batch_max = 4 });
    pay_keys(&f, 1, 200, 50);
    check_keys(&f, 200);
    fixture_close_store(&f);
    fixture_reopen(&f);
    check_keys(&f, 200);
    /* Many that are not indexed meet a memory index that has become small. */
    fixture_close_store(&f);
    f.options = (struct store_options){ 0 };
    fixture_reopen(&f);
    pay_keys(&f, 201, 700, 250);
    fixture_close_store(&f);
    f.options = (struct store_options){ .recent_keys_max = 8, .batch_max = 4 };
    fixture_reopen(&f);
    check_keys(&f, 700);
    fixture_close(&f);
}

static void old_keys_are_purged_with_all_that_belongs_to_them(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL,
                 &(struct store_options){
                     .idem_keep_us = 3600 * LOOP_US_PER_S, .recent_keys_max = 8, .batch_max = 4 });
    struct request r;
    request_new_payment(&r, 5, 5, 100);
    request_key(&r, "answered", 7);
    request_answer(&r, 201, "yes");
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    pay_keys(&f, 1, 600, 100);
    assert_int_equal(number(f.path, "SELECT count(*) FROM answers"), 1);
    loop_shift_wall(f.loop, 3000 * LOOP_US_PER_S);
    pay_keys(&f, 601, 700, 100);
    check_keys(&f, 700);
    loop_shift_wall(f.loop, 1000 * LOOP_US_PER_S);
    pay_keys(&f, 701, 720, 20); /* the first 601 are older than an hour now */
    assert_int_equal(number(f.path, "SELECT count(*) FROM answers"), 0);
    assert_int_equal(number(f.path, "SELECT min(seq) FROM idem"), 602);
    assert_int_equal(number(f.path, "SELECT count(*) FROM idem_lookup WHERE seq < 602"), 0);
    assert_int_equal(probe_key(&f, 5, "key-601", 7, NULL), STORE_REPLAY);
    assert_int_equal(probe_key(&f, 5, "key-600", 8, NULL), STORE_COMMITTED);
    /* All purged, then a restart: row numbers go on, nothing is mixed up. */
    loop_shift_wall(f.loop, 9000 * LOOP_US_PER_S);
    pay_keys(&f, 801, 804, 4);
    int64_t last = number(f.path, "SELECT max(seq) FROM idem");
    fixture_close_store(&f);
    number(f.path, "UPDATE meta SET keys_indexed = (SELECT max(seq) FROM idem) RETURNING 1");
    number(f.path, "DELETE FROM idem RETURNING 1");
    fixture_reopen(&f);
    pay(&f, 5, 90000, "next");
    assert_int_equal(number(f.path, "SELECT max(seq) FROM idem"), last + 1);
    assert_int_equal(probe_key(&f, 5, "next", 7, NULL), STORE_REPLAY);
    fixture_close(&f);
}

/* A command beside the gateway opens the store as well, and knows nothing of how long keys live. */
static void only_who_is_told_how_long_forgets_keys(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, &(struct store_options){ .recent_keys_max = 8, .batch_max = 4 });
    pay_keys(&f, 1, 600, 100);
    loop_shift_wall(f.loop, 400 * 86400 * LOOP_US_PER_S);
    pay_keys(&f, 601, 620, 20);
    check_keys(&f, 620);
    fixture_close_store(&f);
    f.options.idem_keep_us = 3600 * LOOP_US_PER_S;
    fixture_reopen(&f);
    pay_keys(&f, 621, 640, 20);
    assert_int_equal(probe_key(&f, 5, "key-600", 7, NULL), STORE_COMMITTED);
    fixture_close(&f);
}

/* The answer for a purged key must not keep the outcome from being written. */
static void a_settlement_outlives_its_key(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "index", NULL);
    struct request r;
    request_new_payment(&r, 5, 1000, 100);
    request_key(&r, "never recorded", 7);
    r.txn.idem_answer_only = true;
    request_answer(&r, 201, "late");
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    assert_true(payment_exists(&f, 1000, NULL));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_between_commit_and_index_changes_no_answer),
        cmocka_unit_test(what_was_not_committed_is_forgotten),
        cmocka_unit_test(a_small_memory_index_is_no_limit),
        cmocka_unit_test(old_keys_are_purged_with_all_that_belongs_to_them),
        cmocka_unit_test(only_who_is_told_how_long_forgets_keys),
        cmocka_unit_test(a_settlement_outlives_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
