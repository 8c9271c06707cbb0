/* loop.h - the only clock, the only timers, the only dice; and the way across threads.
 *
 * A `struct loop` is one thread's world. Two kinds exist behind one interface:
 *     real      on libuv; time is the machine's
 *     virtual   time jumps to the next thing that is due; everything that happens is decided by one
 *               seed, so a run can be repeated exactly. Worker jobs run on the same thread.
 *
 * Order of calls: loop_open_*; use; loop_run (real) or loop_step (virtual) until done; loop_close.
 * All functions are for the loop's own thread, except loop_post.
 *
 * Timers live in one heap per loop, so starting and stopping one costs no system call, and a
 * stopped timer never fires. A fired timer is stopped before its function is called and may be
 * started again from within.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/bytes.h"

#define LOOP_US_PER_MS 1000LL
#define LOOP_US_PER_S  1000000LL

struct loop;

enum loop_kind { LOOP_REAL = 1, LOOP_VIRTUAL };

/* NULL when memory or descriptors are out. */
struct loop *loop_open_real(void);
/* start_wall_us: what loop_wall_us says at the start, microseconds since 1970. */
struct loop *loop_open_virtual(uint64_t seed, int64_t start_wall_us);
/* Timers must be stopped and workers, wires closed before. */
void loop_close(struct loop *loop);
enum loop_kind loop_kind_of(const struct loop *loop);

/* Monotonic, microseconds; starts anywhere. Real: read anew at each call (about 25 ns). */
int64_t loop_now_us(const struct loop *loop);
/* Wall clock, microseconds since 1970 UTC; may jump. Suitable for records, never for durations. */
int64_t loop_wall_us(const struct loop *loop);
/* Random bytes: getrandom(2) (buffered) when real, the seed's stream when virtual. */
void loop_random(struct loop *loop, void *out, size_t len);
uint64_t loop_random_u64(struct loop *loop);

/* Runs until loop_stop (real). On a virtual loop: until nothing is due any more or loop_stop. */
void loop_run(struct loop *loop);
/* Makes loop_run return after the current turn; before loop_run: after its first turn or sooner. */
void loop_stop(struct loop *loop);
/* Virtual only: lets the next due thing happen and moves time to it; false when nothing is due.
 * until_us: nothing due later than this (monotonic) is run; time then stands at until_us. */
bool loop_step(struct loop *loop, int64_t until_us);
/* Virtual only: moves the wall clock (not the monotonic one), for tests of clock jumps. */
void loop_shift_wall(struct loop *loop, int64_t by_us);

/* --- timers ------------------------------------------------------------------------------ */
struct timer;
typedef void timer_fn(struct timer *timer, void *arg);
struct timer {
    uint32_t magic;
    uint32_t heap_index; /* 0: not armed */
    struct loop *loop;
    timer_fn *fire;
    void *arg;
    int64_t due_us;
    uint64_t order; /* equal due times fire in the order in which they were started */
};
void timer_init(struct timer *timer, struct loop *loop, timer_fn *fire, void *arg);
/* (Re)starts; delay_us < 0 counts as 0. */
void timer_start(struct timer *timer, int64_t delay_us);
/* Safe when not armed. */
void timer_stop(struct timer *timer);
bool timer_is_armed(const struct timer *timer);

/* --- tasks ------------------------------------------------------------------------------- */
struct task;
typedef void task_fn(struct task *task);
struct task {
    struct task *next;
    task_fn *run;
    bool queued;
};
/* Runs `task` once on the loop's thread, soon. The only function that other threads may call.
 * Many posts wake the loop once. The task must not be posted again before it ran. */
void loop_post(struct loop *loop, struct task *task);
/* Same thread only: runs `task` at the end of this turn, after all input of the turn was handled.
 * Used to write once per connection per turn. A task already deferred stays where it is. */
void loop_defer(struct loop *loop, struct task *task);
/* Same thread only: takes back a task that was posted or deferred and did not run yet; before
 * freeing the memory it lives in. Harmless for one that is not queued. */
void loop_forget(struct loop *loop, struct task *task);

/* --- workers ----------------------------------------------------------------------------- */
/* One thread that takes *everything* queued at once and runs it as a batch (a commit blocks on
 * fsync; what is queued meanwhile shares the next one). On a virtual loop a batch runs on the
 * loop's own thread at a time the seed decides, and is done a little later, so a crash can fall
 * between. */
struct worker;
struct job;
typedef void job_done_fn(struct job *job);
struct job {
    struct job *next;
    job_done_fn *done; /* called on the loop's thread after the batch ran */
};
/* On the worker's thread: runs the jobs of the list (at most batch_max), in order. */
typedef void worker_run_fn(void *ctx, struct job *first, size_t count);
struct worker_options {
    const char *name;
    worker_run_fn *run;
    void *ctx;
    size_t queue_max; /* jobs submitted and not yet done; beyond: worker_submit says BUSY */
    size_t batch_max; /* jobs in one batch */
    /* Called on the worker's thread when it has been idle after a batch (may be NULL):
     * housekeeping. Returns true when there is more to do; it is called again unless jobs arrived.
     */
    bool (*idle)(void *ctx);
    int64_t virtual_batch_us_min, virtual_batch_us_max; /* virtual: how long a batch takes */
};
enum status worker_open(struct worker **out, struct loop *loop,
                        const struct worker_options *options);
enum status worker_submit(struct worker *worker, struct job *job);
/* Jobs submitted and not yet done. */
size_t worker_pending(const struct worker *worker);
/* Runs what is queued to its end, calls the done functions, joins, frees. */
void worker_close(struct worker *worker);
/* Virtual only: forgets what has not run, as a crash would, without calling done functions; a batch
 * that ran and whose done functions were not yet called is forgotten as well (it *is* on disk).
 * The worker is then empty and must still be closed. */
void worker_abandon(struct worker *worker);

#endif
