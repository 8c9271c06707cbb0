/* test_history.c - versions of profiles are recorded although the disk fails for a while; somebody
 * is told when it fails for long, or when a version can never be recorded.
 */
#include "main/history.h"

#include "../store/fault_vfs.h"
#include "../store/store_fixture.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct fixture f;
    struct history *history;
    struct log log;
    struct region_settings regions[2];
    struct settings settings;
    bool done;
    enum status status;
    int64_t asked_us;
};

static void open_world(struct world *w)
{
    *w = (struct world){ .log = { .fd = -1, .level = LOG_ERROR } };
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    fixture_open(&w->f, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(w->regions); i++) {
        w->regions[i].region = i == 0 ? "eu" : "uk";
        w->regions[i].version = "1";
        w->regions[i].text = VIEW("region: x");
        memset(w->regions[i].content_hash, '0', sizeof w->regions[i].content_hash - 1);
    }
    w->settings.regions = w->regions;
    w->settings.regions_count = COUNT_OF(w->regions);
    assert_int_equal(history_open(&w->history, w->f.store, w->f.loop, &w->log), STATUS_OK);
}

static void close_world(struct world *w)
{
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    history_stop(w->history);
    fixture_close_store(&w->f);
    history_close(w->history);
    fixture_close(&w->f);
}

static void on_done(void *arg, enum status status)
{
    struct world *w = arg;
    assert_false(w->done);
    w->done = true;
    w->status = status;
}

static void record(struct world *w)
{
    w->done = false;
    w->asked_us = loop_now_us(w->f.loop);
    history_record(w->history, &w->settings, "test", on_done, w);
    assert_false(w->done);
}

/* How long it took. */
static int64_t ends(struct world *w, enum status status)
{
    while (!w->done)
        assert_true(loop_step(w->f.loop, INT64_MAX));
    assert_int_equal(w->status, status);
    return loop_now_us(w->f.loop) - w->asked_us;
}

static size_t recorded(struct world *w, const char *region)
{
    struct question q;
    question_init(&q, STORE_PROFILES);
    q.read.region = view_text(region);
    assert_int_equal(question_run(&w->f, &q), STATUS_OK);
    size_t count = q.read.count;
    question_fini(&q);
    return count;
}

static void each_version_is_recorded_once(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    record(&w);
    assert_true(ends(&w, STATUS_OK) < LOOP_US_PER_S);
    record(&w);
    (void)ends(&w, STATUS_OK);
    assert_int_equal(recorded(&w, "eu"), 1);
    assert_int_equal(recorded(&w, "uk"), 1);
    close_world(&w);
}

static void what_the_store_refuses_is_told_at_once(void **state)
{
    (void)state;
    struct world w;
    struct store_stats before, after;
    char *large = calloc(1, (size_t)2 << 20);
    assert_non_null(large);
    open_world(&w);
    w.regions[1].text = view_of(large, (size_t)2 << 20);
    store_stats(w.f.store, &before);
    record(&w);
    assert_true(ends(&w, STATUS_MALFORMED) < LOOP_US_PER_S);
    store_stats(w.f.store, &after);
    assert_int_equal(after.failed - before.failed, 1);
    assert_int_equal(recorded(&w, "uk"), 0);
    w.regions[1].text = VIEW("region: uk");
    record(&w);
    (void)ends(&w, STATUS_OK);
    assert_int_equal(recorded(&w, "eu"), 1);
    assert_int_equal(recorded(&w, "uk"), 1);
    close_world(&w);
    free(large);
}

static void a_disk_that_stays_full_is_told(void **state)
{
    (void)state;
    struct world w;
    struct store_stats before, after;
    open_world(&w);
    store_stats(w.f.store, &before);
    fault_vfs_arm(1, FAULT_DISK_FULL, FAULT_LASTING);
    record(&w);
    int64_t took_us = ends(&w, STATUS_IO);
    store_stats(w.f.store, &after);
    assert_in_range(took_us, 20 * LOOP_US_PER_S, 30 * LOOP_US_PER_S);
    assert_int_equal(after.failed - before.failed, HISTORY_TRIES_MAX);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    record(&w);
    assert_true(ends(&w, STATUS_OK) < LOOP_US_PER_S);
    assert_int_equal(recorded(&w, "uk"), 1);
    close_world(&w);
}

static void a_disk_that_is_full_for_a_while_is_waited_for(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    fault_vfs_arm(1, FAULT_DISK_FULL, FAULT_LASTING);
    record(&w);
    int64_t full_us = 5 * LOOP_US_PER_S;
    while (loop_step(w.f.loop, w.asked_us + full_us))
        assert_false(w.done);
    fault_vfs_arm(0, FAULT_IO, FAULT_ONCE);
    assert_in_range(ends(&w, STATUS_OK), full_us, 3 * full_us);
    assert_int_equal(recorded(&w, "eu"), 1);
    close_world(&w);
}

static void nobody_is_told_after_a_stop(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    fault_vfs_arm(1, FAULT_DISK_FULL, FAULT_LASTING);
    record(&w);
    while (loop_step(w.f.loop, w.asked_us + LOOP_US_PER_S))
        assert_false(w.done);
    close_world(&w);
    assert_false(w.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_is_recorded_once),
        cmocka_unit_test(what_the_store_refuses_is_told_at_once),
        cmocka_unit_test(a_disk_that_stays_full_is_told),
        cmocka_unit_test(a_disk_that_is_full_for_a_while_is_waited_for),
        cmocka_unit_test(nobody_is_told_after_a_stop),
    };
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
