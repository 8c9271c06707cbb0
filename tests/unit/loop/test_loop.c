/* test_loop.c - timers, tasks, the virtual clock, determinism; the real loop across threads. */
#include "base/ensure.h"
#include "loop/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What happened, in order. */
struct trace {
    int count;
    int seen[4096];
};

static void note(struct trace *trace, int what)
{
    assert_true(trace->count < (int)COUNT_OF(trace->seen));
    trace->seen[trace->count++] = what;
}

struct named_timer {
    struct timer timer;
    struct trace *trace;
    int name;
};

static void on_named(struct timer *timer, void *arg)
{
    struct named_timer *named = arg;
    assert_ptr_equal(timer, &named->timer);
    assert_false(timer_is_armed(timer));
    note(named->trace, named->name);
}

static void test_timers_fire_in_order_of_time_then_of_start(void **state)
{
    (void)state;
    struct loop *loop = loop_open_virtual(1, 0);
    struct trace trace = { 0 };
    static const int64_t delays[] = { 30, 10, 20, 10, 0, 30, -5 };
    static const int expected[] = { 4, 6, 1, 3, 2, 0, 5 };
    struct named_timer timers[COUNT_OF(delays)];
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        timers[i] = (struct named_timer){ .trace = &trace, .name = (int)i };
        timer_init(&timers[i].timer, loop, on_named, &timers[i]);
        timer_start(&timers[i].timer, delays[i]);
    }
    loop_run(loop);
    assert_int_equal(trace.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(trace.seen[i], expected[i]);
    loop_close(loop);
}

/* A thousand timers, started, restarted and stopped at random: the heap against a plain array. */
static void test_heap_agrees_with_a_plain_model(void **state)
{
    (void)state;
    enum { TIMERS = 1000, MOVES = 20000 };
    struct loop *loop = loop_open_virtual(7, 0);
    struct trace trace = { 0 };
    struct named_timer *timers = calloc(TIMERS, sizeof *timers);
    int64_t due[TIMERS] = { 0 }; /* 0: stopped */
    for (int i = 0; i < TIMERS; i++) {
        timers[i] = (struct named_timer){ .trace = &trace, .name = i };
        timer_init(&timers[i].timer, loop, on_named, &timers[i]);
    }
    for (int move = 0; move < MOVES; move++) {
        int i = (int)(loop_random_u64(loop) % TIMERS);
        if (loop_random_u64(loop) % 3 == 0) {
            timer_stop(&timers[i].timer);
            due[i] = 0;
        } else {
            int64_t delay = (int64_t)(loop_random_u64(loop) % 5000);
            timer_start(&timers[i].timer, delay);
            due[i] = loop_now_us(loop) + delay;
        }
    }
    int armed = 0;
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(timer_is_armed(&timers[i].timer), due[i] != 0);
        armed += due[i] != 0;
    }
    int64_t before = 0;
    for (int fired = 0; fired < armed; fired++) {
        assert_true(loop_step(loop, INT64_MAX));
        int which = trace.seen[fired];
        assert_int_equal(due[which], loop_now_us(loop));
        assert_true(due[which] >= before);
        before = due[which];
        due[which] = 0;
    }
    assert_false(loop_step(loop, INT64_MAX));
    free(timers);
    loop_close(loop);
}

static void test_step_stops_at_until(void **state)
{
    (void)state;
    struct loop *loop = loop_open_virtual(1, 5 * LOOP_US_PER_S);
    struct trace trace = { 0 };
    struct named_timer timer = { .trace = &trace, .name = 1 };
    int64_t start = loop_now_us(loop);
    timer_init(&timer.timer, loop, on_named, &timer);
    timer_start(&timer.timer, 1000);
    assert_false(loop_step(loop, start + 999));
    assert_int_equal(loop_now_us(loop), start + 999);
    assert_int_equal(loop_wall_us(loop), 5 * LOOP_US_PER_S + 999);
    loop_shift_wall(loop, -LOOP_US_PER_S);
    assert_int_equal(loop_wall_us(loop), 4 * LOOP_US_PER_S + 999);
    assert_int_equal(loop_now_us(loop), start + 999);
    assert_int_equal(trace.count, 0);
    assert_true(loop_step(loop, start + 1000));
    assert_int_equal(trace.count, 1);
    loop_close(loop);
}

struct named_task {
    struct task task;
    struct loop *loop;
    struct trace *trace;
    int name;
    struct named_task *defers;
};

static void run_named(struct task *task)
{
    struct named_task *named = CONTAINER_OF(task, struct named_task, task);
    note(named->trace, named->name);
    if (named->defers != NULL)
        loop_defer(named->loop, &named->defers->task);
}

static struct named_task named_task(struct loop *loop, struct trace *trace, int name,
                                    struct named_task *defers)
{
    return (struct named_task){
        .task = { .run = run_named }, .loop = loop, .trace = trace, .name = name, .defers = defers
    };
}

static void test_tasks_run_once_posted_first_deferred_last(void **state)
{
    (void)state;
    struct loop *loop = loop_open_virtual(1, 0);
    struct trace trace = { 0 };
    struct named_task later = named_task(loop, &trace, 3, NULL);
    struct named_task posted = named_task(loop, &trace, 1, &later);
    struct named_task deferred = named_task(loop, &trace, 2, NULL);
    struct named_task forgotten = named_task(loop, &trace, 9, NULL);
    struct named_task forgotten_post = named_task(loop, &trace, 9, NULL);
    loop_defer(loop, &deferred.task);
    loop_defer(loop, &deferred.task); /* stays where it is */
    loop_defer(loop, &forgotten.task);
    loop_post(loop, &posted.task);
    loop_post(loop, &forgotten_post.task);
    loop_forget(loop, &forgotten.task);
    loop_forget(loop, &forgotten_post.task);
    loop_run(loop);
    assert_int_equal(trace.count, 3);
    assert_int_equal(trace.seen[0], 1);
    assert_int_equal(trace.seen[1], 2);
    assert_int_equal(trace.seen[2], 3);
    assert_false(forgotten.task.queued || forgotten_post.task.queued);
    loop_close(loop);
}

/* --- determinism ------------------------------------------------------------------------- */
struct walk {
    struct loop *loop;
    struct timer timers[8];
    uint64_t hash;
    int left;
};

static void on_walk(struct timer *timer, void *arg)
{
    struct walk *walk = arg;
    uint64_t which = (uint64_t)(timer - walk->timers);
    walk->hash = (walk->hash ^ (uint64_t)loop_now_us(walk->loop) ^ which) * 0x100000001b3u;
    if (--walk->left > 0)
        timer_start(&walk->timers[loop_random_u64(walk->loop) % 8],
                    (int64_t)(loop_random_u64(walk->loop) % 1000));
}

static uint64_t walk_hash(uint64_t seed)
{
    struct walk walk = { .loop = loop_open_virtual(seed, 0), .left = 2000 };
    for (int i = 0; i < 8; i++) {
        timer_init(&walk.timers[i], walk.loop, on_walk, &walk);
        timer_start(&walk.timers[i], (int64_t)(loop_random_u64(walk.loop) % 1000));
    }
    loop_run(walk.loop);
    loop_close(walk.loop);
    return walk.hash;
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    assert_true(walk_hash(42) == walk_hash(42));
    assert_true(walk_hash(42) != walk_hash(43));
}

/* --- the real loop ----------------------------------------------------------------------- */
enum { POSTERS = 4, POSTS = 2000 };

struct counting_task {
    struct task task;
    struct loop *loop;
    int *count;
};

static void run_counting(struct task *task)
{
    struct counting_task *counting = CONTAINER_OF(task, struct counting_task, task);
    if (++*counting->count == POSTERS * POSTS)
        loop_stop(counting->loop);
}

static void *post_many(void *arg)
{
    struct counting_task *tasks = arg;
    for (int i = 0; i < POSTS; i++)
        loop_post(tasks[i].loop, &tasks[i].task);
    return NULL;
}

static void test_posts_from_threads_all_arrive(void **state)
{
    (void)state;
    struct loop *loop = loop_open_real();
    assert_non_null(loop);
    int count = 0;
    struct counting_task *tasks = calloc((size_t)POSTERS * POSTS, sizeof *tasks);
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS * POSTS; i++)
        tasks[i] = (struct counting_task){ .task = { .run = run_counting },
                                           .loop = loop,
                                           .count = &count };
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &tasks[i * POSTS]), 0);
    loop_run(loop);
    assert_int_equal(count, POSTERS * POSTS);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_close(loop);
    free(tasks);
}

static void on_stop(struct timer *timer, void *arg)
{
    (void)arg;
    loop_stop(timer->loop);
}

static void test_real_timer_never_fires_early(void **state)
{
    (void)state;
    struct loop *loop = loop_open_real();
    struct timer timer;
    timer_init(&timer, loop, on_stop, NULL);
    int64_t start = loop_now_us(loop);
    timer_start(&timer, 3500);
    loop_run(loop);
    assert_true(loop_now_us(loop) - start >= 3500);
    loop_close(loop);
}

static void test_stop_before_run_counts(void **state)
{
    (void)state;
    struct loop *loop = loop_open_real();
    loop_stop(loop);
    loop_run(loop); /* would sleep for ever otherwise */
    loop_close(loop);
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    struct loop *loop = loop_open_real();
    uint8_t a[300], b[300];
    assert_true(loop_random_u64(loop) != loop_random_u64(loop));
    loop_random(loop, a, sizeof a);
    loop_random(loop, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    loop_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order_of_time_then_of_start),
        cmocka_unit_test(test_heap_agrees_with_a_plain_model),
        cmocka_unit_test(test_step_stops_at_until),
        cmocka_unit_test(test_tasks_run_once_posted_first_deferred_last),
        cmocka_unit_test(test_same_seed_same_run),
        cmocka_unit_test(test_posts_from_threads_all_arrive),
        cmocka_unit_test(test_real_timer_never_fires_early),
        cmocka_unit_test(test_stop_before_run_counts),
        cmocka_unit_test(test_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
