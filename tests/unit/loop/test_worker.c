/* test_worker.c - batches: everything queued at once, in order, done on the loop's thread. */
#include "base/ensure.h"
#include "loop/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct bench; /* one test's world */

struct numbered_job {
    struct job job;
    struct bench *bench;
    int number;
    int ran, done;
};

struct bench {
    struct loop *loop;
    struct worker *worker;
    int next_to_run, next_to_be_done, stop_after;
    int batches, batch_largest, idle_calls;
    bool gate; /* the first batch waits until the test says go */
    sem_t go, started;
    pthread_t loop_thread, run_thread;
};

static void run_batch(void *ctx, struct job *first, size_t count)
{
    struct bench *bench = ctx;
    bench->run_thread = pthread_self();
    if (bench->gate && bench->batches == 0) {
        sem_post(&bench->started);
        sem_wait(&bench->go);
    }
    bench->batches++;
    if ((int)count > bench->batch_largest)
        bench->batch_largest = (int)count;
    size_t seen = 0;
    for (struct job *job = first; job != NULL; job = job->next, seen++) {
        struct numbered_job *numbered = CONTAINER_OF(job, struct numbered_job, job);
        ENSURE(numbered->number == bench->next_to_run);
        bench->next_to_run++;
        numbered->ran++;
    }
    ENSURE(seen == count);
}

static void job_done(struct job *job)
{
    struct numbered_job *numbered = CONTAINER_OF(job, struct numbered_job, job);
    struct bench *bench = numbered->bench;
    assert_int_equal(numbered->ran, 1);
    assert_int_equal(numbered->number, bench->next_to_be_done);
    assert_true(pthread_equal(pthread_self(), bench->loop_thread));
    bench->next_to_be_done++;
    numbered->done++;
    if (bench->next_to_be_done == bench->stop_after)
        loop_stop(bench->loop);
}

static struct numbered_job *make_jobs(struct bench *bench, int count)
{
    struct numbered_job *jobs = calloc((size_t)count, sizeof *jobs);
    for (int i = 0; i < count; i++)
        jobs[i] = (struct numbered_job){ .job = { .done = job_done }, .bench = bench, .number = i };
    return jobs;
}

static void bench_open(struct bench *bench, struct loop *loop, size_t queue_max, size_t batch_max,
                       bool (*idle)(void *))
{
    bench->loop = loop;
    bench->loop_thread = pthread_self();
    sem_init(&bench->go, 0, 0);
    sem_init(&bench->started, 0, 0);
    struct worker_options options = { .name = "a name longer than the kernel takes",
                                      .run = run_batch,
                                      .ctx = bench,
                                      .queue_max = queue_max,
                                      .batch_max = batch_max,
                                      .idle = idle,
                                      .virtual_batch_us_min = 100,
                                      .virtual_batch_us_max = 1000 };
    assert_int_equal(worker_open(&bench->worker, loop, &options), STATUS_OK);
}

static void bench_close(struct bench *bench)
{
    worker_close(bench->worker);
    loop_close(bench->loop);
    sem_destroy(&bench->go);
    sem_destroy(&bench->started);
}

struct late_submit {
    struct task task, let_go;
    struct bench *bench;
    struct numbered_job *jobs;
    int from, to;
};

/* Lets the held batch go; deferred after the hand-over of the rest. */
static void let_go(struct task *task)
{
    sem_post(&CONTAINER_OF(task, struct late_submit, let_go)->bench->go);
}

/* While the first batch is held, the rest queues up: it must come as one batch. */
static void submit_rest(struct task *task)
{
    struct late_submit *late = CONTAINER_OF(task, struct late_submit, task);
    struct bench *bench = late->bench;
    sem_wait(&bench->started);
    for (int i = late->from; i < late->to; i++)
        assert_int_equal(worker_submit(bench->worker, &late->jobs[i].job), STATUS_OK);
    loop_defer(bench->loop, &late->let_go);
}

static void test_what_queues_up_shares_one_batch(void **state)
{
    (void)state;
    enum { JOBS = 101 };
    struct bench bench = { .gate = true, .stop_after = JOBS };
    bench_open(&bench, loop_open_real(), 1000, 1000, NULL);
    struct numbered_job *jobs = make_jobs(&bench, JOBS);
    struct late_submit late = { .task = { .run = submit_rest },
                                .let_go = { .run = let_go },
                                .bench = &bench,
                                .jobs = jobs,
                                .from = 1,
                                .to = JOBS };
    assert_int_equal(worker_submit(bench.worker, &jobs[0].job), STATUS_OK);
    loop_defer(bench.loop, &late.task); /* after the hand-over of the first */
    loop_run(bench.loop);
    assert_int_equal(bench.batches, 2);
    assert_int_equal(bench.batch_largest, JOBS - 1);
    assert_int_equal(worker_pending(bench.worker), 0);
    assert_false(pthread_equal(bench.run_thread, bench.loop_thread));
    bench_close(&bench);
    free(jobs);
}

static void test_batch_max_and_queue_max(void **state)
{
    (void)state;
    struct bench bench = { .stop_after = 10 };
    bench_open(&bench, loop_open_real(), 10, 4, NULL);
    struct numbered_job *jobs = make_jobs(&bench, 11);
    for (int i = 0; i < 10; i++)
        assert_int_equal(worker_submit(bench.worker, &jobs[i].job), STATUS_OK);
    assert_int_equal(worker_submit(bench.worker, &jobs[10].job), STATUS_BUSY);
    loop_run(bench.loop);
    assert_int_equal(bench.batch_largest, 4);
    assert_int_equal(bench.batches, 3);
    bench_close(&bench);
    free(jobs);
}

static void test_close_runs_what_is_queued(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct bench bench = { 0 };
        bench_open(&bench, kind == 0 ? loop_open_real() : loop_open_virtual(3, 0), 100, 8, NULL);
        struct numbered_job *jobs = make_jobs(&bench, 20);
        for (int i = 0; i < 20; i++)
            assert_int_equal(worker_submit(bench.worker, &jobs[i].job), STATUS_OK);
        bench_close(&bench);
        assert_int_equal(bench.next_to_be_done, 20);
        free(jobs);
    }
}

struct stream {
    struct bench *bench;
    struct numbered_job *jobs;
    struct timer timer;
    int next, total;
};

static void feed(struct timer *timer, void *arg)
{
    struct stream *stream = arg;
    for (int i = 0; i < 7 && stream->next < stream->total; i++) {
        if (worker_submit(stream->bench->worker, &stream->jobs[stream->next].job) != STATUS_OK)
            break;
        stream->next++;
    }
    if (stream->next < stream->total)
        timer_start(timer, 20);
}

/* Many small submissions against the thread; for ThreadSanitizer above all. */
static void test_stream_of_jobs(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        enum { JOBS = 5000 };
        struct bench bench = { .stop_after = JOBS };
        bench_open(&bench, kind == 0 ? loop_open_real() : loop_open_virtual(9, 0), 64, 16, NULL);
        struct stream stream = { .bench = &bench, .jobs = make_jobs(&bench, JOBS), .total = JOBS };
        timer_init(&stream.timer, bench.loop, feed, &stream);
        timer_start(&stream.timer, 0);
        loop_run(bench.loop);
        assert_int_equal(bench.next_to_be_done, JOBS);
        assert_true(bench.batch_largest <= 16);
        bench_close(&bench);
        free(stream.jobs);
    }
}

static bool count_idle(void *ctx)
{
    struct bench *bench = ctx;
    return ++bench->idle_calls % 3 != 0;
}

static void test_idle_follows_a_batch(void **state)
{
    (void)state;
    struct bench bench = { .stop_after = 1 };
    bench_open(&bench, loop_open_virtual(1, 0), 8, 8, count_idle);
    struct numbered_job *jobs = make_jobs(&bench, 1);
    assert_int_equal(worker_submit(bench.worker, &jobs[0].job), STATUS_OK);
    loop_run(bench.loop);
    assert_int_equal(bench.idle_calls, 3);
    bench_close(&bench);

    struct bench real = { .stop_after = 1 };
    bench_open(&real, loop_open_real(), 8, 8, count_idle);
    jobs[0] = (struct numbered_job){ .job = { .done = job_done }, .bench = &real };
    assert_int_equal(worker_submit(real.worker, &jobs[0].job), STATUS_OK);
    loop_run(real.loop);
    bench_close(&real); /* joins; only then may idle_calls be read */
    assert_true(real.idle_calls <= 3);
    free(jobs);
}

/* A crash may fall before a batch ran, or after it ran and before anybody was told. */
static void test_abandon_forgets(void **state)
{
    (void)state;
    bool saw_ran_untold = false, saw_not_run = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bench bench = { 0 };
        bench_open(&bench, loop_open_virtual(seed, 0), 8, 8, NULL);
        struct numbered_job *jobs = make_jobs(&bench, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(worker_submit(bench.worker, &jobs[i].job), STATUS_OK);
        int64_t until = loop_now_us(bench.loop) + 300;
        while (loop_step(bench.loop, until)) {
        }
        worker_abandon(bench.worker);
        int done = bench.next_to_be_done;
        loop_run(bench.loop);
        assert_int_equal(bench.next_to_be_done, done);
        assert_int_equal(worker_pending(bench.worker), 0);
        saw_not_run = saw_not_run || jobs[0].ran == 0;
        saw_ran_untold = saw_ran_untold || (jobs[0].ran == 1 && jobs[0].done == 0);
        bench_close(&bench);
        free(jobs);
    }
    assert_true(saw_not_run);
    assert_true(saw_ran_untold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_queues_up_shares_one_batch),
        cmocka_unit_test(test_batch_max_and_queue_max),
        cmocka_unit_test(test_close_runs_what_is_queued),
        cmocka_unit_test(test_stream_of_jobs),
        cmocka_unit_test(test_idle_follows_a_batch),
        cmocka_unit_test(test_abandon_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
