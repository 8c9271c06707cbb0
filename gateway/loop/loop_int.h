/* loop_int.h - what the files of this room know of each other.
 *
 * A `struct loop` is the shared core (timer heap, posted and deferred tasks); the real and the
 * virtual loop embed it as their first member and add what drives it.
 */
#ifndef LOOP_LOOP_INT_H
#define LOOP_LOOP_INT_H

#include "loop/loop.h"

#include <pthread.h>

#define LOOP_MAGIC  0x4c4f4f50u
#define TIMER_MAGIC 0x54494d45u

/* Deferred tasks may defer again; after so many rounds input gets its turn first. */
#define LOOP_DEFER_ROUNDS_MAX 16

/* Singly linked, first in first out. `last` is meaningful only while `first` is not NULL. */
struct task_queue {
    struct task *first, *last;
};

struct loop {
    uint32_t magic;
    enum loop_kind kind;
    bool stop;

    struct timer **heap; /* 1-based; heap[0] is unused so that index 0 can mean "not armed" */
    uint32_t heap_count, heap_room;
    uint64_t timer_order;

    struct task_queue deferred;
    struct task round_end; /* marks the end of a round in `deferred`; never runs */

    pthread_mutex_t lock; /* guards the two below, which other threads touch */
    struct task_queue posted;
    bool asleep; /* the loop is, or is about to be, in the kernel: whoever posts must wake it */
};

/* Core, used by both kinds. */
bool loop_core_init(struct loop *loop, enum loop_kind kind);
void loop_core_fini(struct loop *loop);
/* Moves everything posted in front of the deferred tasks; true when there was something. Clears
 * `asleep`. */
bool loop_take_posted(struct loop *loop);
/* Runs deferred tasks, and what they defer, at most LOOP_DEFER_ROUNDS_MAX rounds. */
bool loop_run_deferred(struct loop *loop);

/* Heap. */
struct timer *timers_first(const struct loop *loop); /* NULL when none is armed */
void timer_fire(struct timer *timer);                /* stops it, then calls its function */
void timers_run_due(struct loop *loop, int64_t now_us);

/* The real kind. */
int64_t loop_real_now_us(void);
int64_t loop_real_wall_us(void);
void loop_real_random(struct loop *loop, void *out, size_t len);
void loop_real_run(struct loop *loop);
void loop_real_wake(struct loop *loop);
void loop_real_close(struct loop *loop);

/* The virtual kind. */
int64_t loop_virtual_now_us(const struct loop *loop);
int64_t loop_virtual_wall_us(const struct loop *loop);
void loop_virtual_random(struct loop *loop, void *out, size_t len);
void loop_virtual_run(struct loop *loop);
void loop_virtual_close(struct loop *loop);

#endif
