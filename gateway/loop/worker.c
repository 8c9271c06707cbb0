/* worker.c - one thread that runs whatever is queued as one batch.
 *
 * The way of a job:
 *     staged    submitted in this turn; belongs to the loop's thread, no lock
 *     queued    handed over at the end of the turn, all staged jobs under one lock and with at most
 *               one wake (none when the thread is busy: it looks again before it sleeps)
 *     running   the thread took everything queued, up to batch_max, and runs it without the lock
 *     finished  the whole batch goes back under one lock and with one post to the loop
 *     done      the loop calls job->done
 * So ten payments that are ready in one turn cost one wake and share one batch, and while a batch
 * waits for the disk, the next one gathers.
 *
 * On a virtual loop there is no thread. A batch gets a duration and, within it, the moment at which
 * it runs, both from the loop's dice; its jobs are done at the end of the duration. A crash in
 * between (worker_abandon) leaves exactly what a machine would leave: on disk, and nobody was told.
 */
#include "loop/loop_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define WORKER_MAGIC 0x574f524bu
/* Virtual: how often `idle` is called after a batch at most, as there is no thread to go on. */
#define WORKER_IDLE_ROUNDS_MAX 64

struct job_queue {
    struct job *first, *last;
    size_t count;
};

struct worker {
    uint32_t magic;
    struct loop *loop;
    struct worker_options options;

    /* Loop's thread only. */
    struct job_queue staged;
    size_t pending;
    struct task hand_over; /* deferred: staged -> queued */

    /* Both threads, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job_queue queued, finished;
    struct task collect; /* posted: finished -> done */
    bool collecting, sleeping, closing;
    bool threaded;
    pthread_t thread;

    /* Virtual only. */
    struct timer run_at, done_at;
    struct job_queue running;
    int64_t rest_us; /* from running to done */
};

static void jobs_append(struct job_queue *queue, struct job_queue *more)
{
    if (more->first == NULL)
        return;
    if (queue->first == NULL)
        queue->first = more->first;
    else
        queue->last->next = more->first;
    queue->last = more->last;
    queue->count += more->count;
    *more = (struct job_queue){ 0 };
}

static struct job_queue jobs_take(struct job_queue *queue, size_t max)
{
    if (queue->count <= max) {
        struct job_queue all = *queue;
        *queue = (struct job_queue){ 0 };
        return all;
    }
    struct job_queue part = { .first = queue->first, .last = queue->first, .count = max };
    for (size_t i = 1; i < max; i++)
        part.last = part.last->next;
    queue->first = part.last->next;
    queue->count -= max;
    part.last->next = NULL;
    return part;
}

static void jobs_done(struct worker *worker, struct job_queue *batch)
{
    struct job *next;
    for (struct job *job = batch->first; job != NULL; job = next) {
        next = job->next;
        job->next = NULL;
        ENSURE(worker->pending > 0);
        worker->pending--;
        job->done(job); /* may free the job or submit it again */
    }
    *batch = (struct job_queue){ 0 };
}

/* --- the thread -------------------------------------------------------------------------- */
static void give_back(struct worker *worker, struct job_queue *batch)
{
    jobs_append(&worker->finished, batch);
    if (worker->collecting)
        return;
    worker->collecting = true;
    loop_post(worker->loop, &worker->collect);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    bool housekeeping = false;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        if (worker->queued.first != NULL) {
            struct job_queue batch = jobs_take(&worker->queued, worker->options.batch_max);
            pthread_mutex_unlock(&worker->lock);
            worker->options.run(worker->options.ctx, batch.first, batch.count);
            pthread_mutex_lock(&worker->lock);
            give_back(worker, &batch);
            housekeeping = worker->options.idle != NULL;
        } else if (worker->closing) {
            break;
        } else if (housekeeping) {
            pthread_mutex_unlock(&worker->lock);
            housekeeping = worker->options.idle(worker->options.ctx);
            pthread_mutex_lock(&worker->lock);
        } else {
            worker->sleeping = true;
            pthread_cond_wait(&worker->more, &worker->lock);
            worker->sleeping = false;
        }
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static void collect(struct task *task)
{
    struct worker *worker = CONTAINER_OF(task, struct worker, collect);
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    pthread_mutex_lock(&worker->lock);
    struct job_queue finished = jobs_take(&worker->finished, SIZE_MAX);
    worker->collecting = false;
    pthread_mutex_unlock(&worker->lock);
    jobs_done(worker, &finished);
}

static void hand_over_real(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    jobs_append(&worker->queued, &worker->staged);
    bool wake = worker->sleeping;
    worker->sleeping = false; /* one signal is enough until it has woken */
    pthread_mutex_unlock(&worker->lock);
    if (wake)
        pthread_cond_signal(&worker->more);
}

/* --- virtual ----------------------------------------------------------------------------- */
static int64_t random_up_to(struct loop *loop, int64_t max)
{
    return max <= 0 ? 0 : (int64_t)(loop_random_u64(loop) % ((uint64_t)max + 1));
}

static bool virtual_busy(const struct worker *worker)
{
    return timer_is_armed(&worker->run_at) || timer_is_armed(&worker->done_at);
}

static void hand_over_virtual(struct worker *worker)
{
    jobs_append(&worker->queued, &worker->staged);
    if (worker->queued.first == NULL || virtual_busy(worker))
        return;
    const struct worker_options *options = &worker->options;
    int64_t takes_us =
        options->virtual_batch_us_min +
        random_up_to(worker->loop, options->virtual_batch_us_max - options->virtual_batch_us_min);
    int64_t run_us = random_up_to(worker->loop, takes_us);
    worker->rest_us = takes_us - run_us;
    timer_start(&worker->run_at, run_us);
}

static void on_virtual_run(struct timer *timer, void *arg)
{
    struct worker *worker = arg;
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    (void)timer;
    worker->running = jobs_take(&worker->queued, worker->options.batch_max);
    worker->options.run(worker->options.ctx, worker->running.first, worker->running.count);
    timer_start(&worker->done_at, worker->rest_us);
}

static void on_virtual_done(struct timer *timer, void *arg)
{
    struct worker *worker = arg;
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    (void)timer;
    struct job_queue batch = worker->running;
    worker->running = (struct job_queue){ 0 };
    if (worker->options.idle != NULL && worker->queued.first == NULL) {
        int rounds = 0;
        while (worker->options.idle(worker->options.ctx) && ++rounds < WORKER_IDLE_ROUNDS_MAX) {
        }
    }
    jobs_done(worker, &batch);
    hand_over_virtual(worker);
}

/* --- interface --------------------------------------------------------------------------- */
static void hand_over(struct task *task)
{
    struct worker *worker = CONTAINER_OF(task, struct worker, hand_over);
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    if (worker->threaded)
        hand_over_real(worker);
    else
        hand_over_virtual(worker);
}

static enum status start_thread(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        return STATUS_NO_MEMORY;
    worker->threaded = true;
    if (worker->options.name != NULL) {
        char name[16] = { 0 }; /* the kernel's limit; a longer name would be refused, not cut */
        struct view part = view_slice(view_text(worker->options.name), 0, sizeof name - 1);
        memcpy(name, part.ptr, part.len);
        (void)pthread_setname_np(worker->thread, name);
    }
    return STATUS_OK;
}

enum status worker_open(struct worker **out, struct loop *loop,
                        const struct worker_options *options)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(options->run != NULL && options->batch_max > 0 && options->queue_max > 0);
    ENSURE(options->virtual_batch_us_min >= 0);
    *out = NULL;
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return STATUS_NO_MEMORY;
    worker->magic = WORKER_MAGIC;
    worker->loop = loop;
    worker->options = *options;
    worker->hand_over.run = hand_over;
    worker->collect.run = collect;
    timer_init(&worker->run_at, loop, on_virtual_run, worker);
    timer_init(&worker->done_at, loop, on_virtual_done, worker);
    if (pthread_mutex_init(&worker->lock, NULL) != 0)
        goto lock_failed;
    if (pthread_cond_init(&worker->more, NULL) != 0)
        goto cond_failed;
    if (loop->kind == LOOP_REAL && start_thread(worker) != STATUS_OK)
        goto thread_failed;
    *out = worker;
    return STATUS_OK;

thread_failed:
    pthread_cond_destroy(&worker->more);
cond_failed:
    pthread_mutex_destroy(&worker->lock);
lock_failed:
    free(worker);
    return STATUS_NO_MEMORY;
}

enum status worker_submit(struct worker *worker, struct job *job)
{
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    ENSURE(job != NULL && job->done != NULL);
    if (worker->pending >= worker->options.queue_max)
        return STATUS_BUSY;
    worker->pending++;
    job->next = NULL;
    jobs_append(&worker->staged, &(struct job_queue){ .first = job, .last = job, .count = 1 });
    loop_defer(worker->loop, &worker->hand_over);
    return STATUS_OK;
}

size_t worker_pending(const struct worker *worker)
{
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    return worker->pending;
}

/* What is left runs here and now; done functions may submit more, hence the loop around. */
static void finish_virtual(struct worker *worker)
{
    timer_stop(&worker->run_at);
    timer_stop(&worker->done_at);
    jobs_done(worker, &worker->running);
    for (;;) {
        jobs_append(&worker->queued, &worker->staged);
        struct job_queue batch = jobs_take(&worker->queued, worker->options.batch_max);
        if (batch.first == NULL)
            return;
        worker->options.run(worker->options.ctx, batch.first, batch.count);
        jobs_done(worker, &batch);
    }
}

static void finish_real(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    jobs_append(&worker->queued, &worker->staged);
    worker->closing = true;
    pthread_mutex_unlock(&worker->lock);
    pthread_cond_signal(&worker->more);
    ENSURE(pthread_join(worker->thread, NULL) == 0);
    /* The thread is gone: what its last jobs' done functions submit runs on this one. */
    jobs_done(worker, &worker->finished);
    finish_virtual(worker);
}

void worker_close(struct worker *worker)
{
    if (worker == NULL)
        return;
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    if (worker->threaded)
        finish_real(worker);
    else
        finish_virtual(worker);
    ENSURE(worker->pending == 0);
    loop_forget(worker->loop, &worker->hand_over);
    loop_forget(worker->loop, &worker->collect);
    pthread_cond_destroy(&worker->more);
    pthread_mutex_destroy(&worker->lock);
    worker->magic = 0;
    free(worker);
}

void worker_abandon(struct worker *worker)
{
    ENSURE_MAGIC(worker, WORKER_MAGIC);
    ENSURE(!worker->threaded);
    timer_stop(&worker->run_at);
    timer_stop(&worker->done_at);
    loop_forget(worker->loop, &worker->hand_over);
    worker->staged = worker->queued = worker->running = (struct job_queue){ 0 };
    worker->pending = 0;
}
