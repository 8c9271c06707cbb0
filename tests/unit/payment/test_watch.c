/* test_watch.c - attempts in trouble are counted as they come and go, and the alert begins and ends
 * with them, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "payment/watch.h"

#include <stdio.h>
#include <unistd.h>

#define START_US 1700000000000000LL
#define MINUTE   (60 * LOOP_US_PER_S)

struct bench {
    struct loop *loop;
    struct watch *watch;
    struct log log;
    int pipe[2];
};

static void bench_open(struct bench *b, int64_t age_us, int64_t count)
{
    *b = (struct bench){ 0 };
    b->loop = loop_open_virtual(1, START_US);
    assert_non_null(b->loop);
    assert_int_equal(pipe(b->pipe), 0);
    b->log = (struct log){ .fd = b->pipe[1], .level = LOG_WARN };
    b->watch = watch_open(&(struct watch_options){
        .loop = b->loop, .log = &b->log, .unknown_age_us = age_us, .unknown_count = count });
    assert_non_null(b->watch);
}

static void bench_close(struct bench *b)
{
    watch_close(b->watch);
    loop_close(b->loop);
    (void)close(b->pipe[0]);
    (void)close(b->pipe[1]);
}

static void pass_time(struct bench *b, int64_t us)
{
    int64_t until_us = loop_now_us(b->loop) + us;
    while (loop_step(b->loop, until_us))
        ;
}

/* Lines since the last call that hold this text. */
static size_t lines_with(struct bench *b, const char *part)
{
    static char text[65536];
    size_t count = 0;
    assert_int_equal(write(b->pipe[1], "\n", 1), 1); /* so that reading does not wait */
    ssize_t len = read(b->pipe[0], text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static struct attempt_row attempt(struct bench *b, int64_t id, enum attempt_state state,
                                  const char *channel, const char *currency, int64_t amount)
{
    struct attempt_row row = { .id = id,
                               .verb = OPERATION_SALE,
                               .state = state,
                               .amount = amount,
                               .channel = view_text(channel),
                               .tries = 1,
                               .created_us = loop_wall_us(b->loop),
                               .updated_us = loop_wall_us(b->loop) };
    memcpy(row.currency, currency, 4);
    return row;
}

static void assert_sum(const struct bench *b, enum watch_class class, const char *channel,
                       const char *currency, uint64_t count, int64_t amount, int64_t oldest_us)
{
    for (size_t i = 0; i < watch_sum_count(b->watch); i++) {
        const struct watch_sum *sum = watch_sum_at(b->watch, i);
        if (sum->class != class || strcmp(sum->channel, channel) != 0 ||
            strcmp(sum->currency, currency) != 0)
            continue;
        assert_int_equal(sum->count, count);
        assert_int_equal(sum->amount, amount);
        assert_int_equal(sum->oldest_us, oldest_us);
        return;
    }
    assert_int_equal(count, 0);
}

static void test_what_is_watched(void **state)
{
    (void)state;
    static const enum watch_class expected[] = {
        [ATTEMPT_UNKNOWN] = WATCH_UNKNOWN, [ATTEMPT_REVERSING] = WATCH_UNKNOWN,
        [ATTEMPT_PARKED] = WATCH_PARKED,   [ATTEMPT_CONFLICT] = WATCH_CONFLICT,
        [ATTEMPT_OVERTAKEN] = 0,
    };
    struct attempt_row row = { .id = 1, .tries = 1, .created_us = 10, .updated_us = 20 };
    for (int s = ATTEMPT_SENDING; s <= ATTEMPT_OVERTAKEN; s++) {
        row.state = (enum attempt_state)s;
        assert_int_equal(watch_class_of(&row), expected[s]);
        row.parent = 7; /* it serves another one, which is watched itself */
        assert_int_equal(watch_class_of(&row), 0);
        row.parent = 0;
    }
    row.state = ATTEMPT_SENDING;
    row.tries = 2; /* the first try had no answer */
    assert_int_equal(watch_class_of(&row), WATCH_UNKNOWN);
    assert_int_equal(watch_since_us(&row), 10);
    row.state = ATTEMPT_PARKED;
    assert_int_equal(watch_since_us(&row), 20);
    row.state = ATTEMPT_REVERSING;
    assert_int_equal(watch_since_us(&row), 10);
    row.next_us = 15; /* was shown to a person until then */
    assert_int_equal(watch_since_us(&row), 15);
    row.next_us = 90;
    assert_int_equal(watch_since_us(&row), 20);
    row = (struct attempt_row){ .verb = OPERATION_CANCEL, .original = 500 };
    assert_int_equal(watch_amount(&row), 500);
    row.amount = 300;
    assert_int_equal(watch_amount(&row), 300);
}

static void test_counts_come_and_go(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 0, 1000000);
    int64_t first_us = loop_wall_us(b.loop);
    struct attempt_row one = attempt(&b, 1, ATTEMPT_UNKNOWN, "card", "EUR", 100);
    pass_time(&b, MINUTE);
    int64_t second_us = loop_wall_us(b.loop);
    struct attempt_row two = attempt(&b, 2, ATTEMPT_UNKNOWN, "card", "EUR", 50);
    struct attempt_row three = attempt(&b, 3, ATTEMPT_REVERSING, "card", "JPY", 7);
    struct attempt_row four = attempt(&b, 4, ATTEMPT_UNKNOWN, "bank", "EUR", 9);
    watch_note(b.watch, &two); /* in any order, and more than once */
    watch_note(b.watch, &one);
    watch_note(b.watch, &three);
    watch_note(b.watch, &four);
    watch_note(b.watch, &one);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 2, 150, first_us);
    assert_sum(&b, WATCH_UNKNOWN, "card", "JPY", 1, 7, second_us);
    assert_sum(&b, WATCH_UNKNOWN, "bank", "EUR", 1, 9, second_us);
    one.state = ATTEMPT_PARKED;
    one.updated_us = second_us;
    watch_note(b.watch, &one);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 1, 50, second_us);
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 1, 100, second_us);
    one.state = ATTEMPT_APPROVED;
    two.state = ATTEMPT_DECLINED;
    watch_note(b.watch, &one);
    watch_note(b.watch, &two);
    watch_note(b.watch, &two);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 0, 0, 0);
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 0, 0, 0);
    bench_close(&b);
}

static void test_more_than_there_were_places_for(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 0, 1000000);
    for (int64_t id = 1; id <= 5000; id++) {
        struct attempt_row row = attempt(&b, id, ATTEMPT_PARKED, "card", "EUR", 2);
        row.updated_us = START_US + 5000 - id; /* the other way round */
        watch_note(b.watch, &row);
    }
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 5000, 10000, START_US);
    for (int64_t id = 1; id <= 4999; id++) {
        struct attempt_row row = attempt(&b, id, ATTEMPT_APPROVED, "card", "EUR", 2);
        watch_note(b.watch, &row);
    }
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 1, 2, START_US);
    bench_close(&b);
}

static void test_sums_saturate(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 0, 1000000);
    struct attempt_row one = attempt(&b, 1, ATTEMPT_PARKED, "card", "EUR", INT64_MAX);
    struct attempt_row two = attempt(&b, 2, ATTEMPT_PARKED, "card", "EUR", 5);
    watch_note(b.watch, &one);
    watch_note(b.watch, &two);
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 2, INT64_MAX, START_US);
    two.state = ATTEMPT_APPROVED;
    watch_note(b.watch, &two);
    assert_sum(&b, WATCH_PARKED, "card", "EUR", 1, INT64_MAX, START_US);
    bench_close(&b);
}

static void test_a_commit_tells_what_it_wrote(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 0, 1000000);
    struct store_txn txn = { .result = STORE_FAILED,
                             .attempt = attempt(&b, 1, ATTEMPT_UNKNOWN, "card", "EUR", 1),
                             .parent = attempt(&b, 2, ATTEMPT_UNKNOWN, "card", "EUR", 1),
                             .write_attempt = STORE_UPDATE,
                             .write_parent = STORE_UPDATE };
    watch_commit(b.watch, &txn);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 0, 0, 0);
    txn.result = STORE_COMMITTED;
    watch_commit(b.watch, &txn);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 2, 2, START_US);
    txn.attempt.state = txn.parent.state = ATTEMPT_REVERSED;
    txn.write_parent = STORE_KEEP;
    watch_commit(b.watch, &txn);
    assert_sum(&b, WATCH_UNKNOWN, "card", "EUR", 1, 1, START_US);
    bench_close(&b);
}

static void test_the_alert_of_many(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 0, 2);
    struct attempt_row rows[3];
    for (int64_t i = 0; i < 3; i++) {
        assert_false(watch_alert_is_on(b.watch, WATCH_ALERT_COUNT));
        rows[i] = attempt(&b, i + 1, ATTEMPT_UNKNOWN, "card", "EUR", 1);
        watch_note(b.watch, &rows[i]);
    }
    assert_true(watch_alert_is_on(b.watch, WATCH_ALERT_COUNT));
    assert_false(watch_alert_is_on(b.watch, WATCH_ALERT_AGE));
    assert_int_equal(lines_with(&b, "\"begun\""), 1);
    /* Around the threshold: one line, not one each time. */
    for (int i = 0; i < 5; i++) {
        rows[2].state = ATTEMPT_REVERSED;
        watch_note(b.watch, &rows[2]);
        pass_time(&b, LOOP_US_PER_S);
        rows[2].state = ATTEMPT_UNKNOWN;
        watch_note(b.watch, &rows[2]);
    }
    assert_true(watch_alert_is_on(b.watch, WATCH_ALERT_COUNT));
    assert_int_equal(lines_with(&b, "unknown_alert"), 0);
    rows[2].state = ATTEMPT_REVERSED;
    watch_note(b.watch, &rows[2]);
    pass_time(&b, 11 * LOOP_US_PER_S);
    assert_false(watch_alert_is_on(b.watch, WATCH_ALERT_COUNT));
    assert_int_equal(lines_with(&b, "\"over\""), 1);
    bench_close(&b);
}

static void test_the_alert_of_old_ones(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 5 * MINUTE, 1000);
    struct attempt_row one = attempt(&b, 1, ATTEMPT_UNKNOWN, "card", "EUR", 1);
    struct attempt_row parked = attempt(&b, 2, ATTEMPT_PARKED, "card", "EUR", 1);
    watch_note(b.watch, &one);
    watch_note(b.watch, &parked);
    pass_time(&b, 5 * MINUTE - LOOP_US_PER_S);
    assert_false(watch_alert_is_on(b.watch, WATCH_ALERT_AGE));
    pass_time(&b, 2 * LOOP_US_PER_S);
    assert_true(watch_alert_is_on(b.watch, WATCH_ALERT_AGE));
    assert_int_equal(lines_with(&b, "\"unknown_age\""), 1);
    pass_time(&b, 60 * MINUTE);
    assert_int_equal(lines_with(&b, "unknown_alert"), 0);
    one.state = ATTEMPT_APPROVED;
    watch_note(b.watch, &one);
    pass_time(&b, 11 * LOOP_US_PER_S);
    assert_false(watch_alert_is_on(b.watch, WATCH_ALERT_AGE)); /* parked ones are not unknown */
    assert_int_equal(lines_with(&b, "\"over\""), 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_watched),
        cmocka_unit_test(test_counts_come_and_go),
        cmocka_unit_test(test_more_than_there_were_places_for),
        cmocka_unit_test(test_sums_saturate),
        cmocka_unit_test(test_a_commit_tells_what_it_wrote),
        cmocka_unit_test(test_the_alert_of_many),
        cmocka_unit_test(test_the_alert_of_old_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
