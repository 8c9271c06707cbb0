/* loop.c - the core that the real and the virtual loop share: tasks, and the choice between them.
 *
 * A turn is, on both kinds: input (or the next due thing), posted tasks, due timers, and at its end
 * the deferred tasks. Posted tasks come from anywhere and sit behind a mutex; deferred ones belong
 * to the loop's thread and cost two stores. A post wakes the loop only if it sleeps: under load
 * neither side makes a system call.
 */
#include "loop/loop_int.h"

#include "base/ensure.h"

#include <stdlib.h>

/* --- queues ------------------------------------------------------------------------------ */
static void queue_append(struct task_queue *queue, struct task *task)
{
    task->next = NULL;
    task->queued = true;
    if (queue->first == NULL)
        queue->first = task;
    else
        queue->last->next = task;
    queue->last = task;
}

static struct task *queue_take(struct task_queue *queue)
{
    struct task *task = queue->first;
    queue->first = task->next;
    task->next = NULL;
    task->queued = false;
    return task;
}

static bool queue_remove(struct task_queue *queue, struct task *task)
{
    struct task *before = NULL;
    for (struct task *at = queue->first; at != NULL; before = at, at = at->next) {
        if (at != task)
            continue;
        if (before == NULL)
            queue->first = at->next;
        else
            before->next = at->next;
        if (queue->last == at)
            queue->last = before;
        at->next = NULL;
        at->queued = false;
        return true;
    }
    return false;
}

/* --- core -------------------------------------------------------------------------------- */
bool loop_core_init(struct loop *loop, enum loop_kind kind)
{
    *loop = (struct loop){ .magic = LOOP_MAGIC, .kind = kind };
    return pthread_mutex_init(&loop->lock, NULL) == 0;
}

void loop_core_fini(struct loop *loop)
{
    ENSURE(loop->heap_count == 0);
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    loop->heap = NULL;
    loop->magic = 0;
}

void loop_post(struct loop *loop, struct task *task)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(task != NULL && task->run != NULL);
    pthread_mutex_lock(&loop->lock);
    ENSURE(!task->queued);
    queue_append(&loop->posted, task);
    bool wake = loop->asleep;
    loop->asleep = false;
    pthread_mutex_unlock(&loop->lock);
    if (wake)
        loop_real_wake(loop);
}

void loop_defer(struct loop *loop, struct task *task)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(task != NULL && task->run != NULL);
    if (!task->queued)
        queue_append(&loop->deferred, task);
}

/* Posted tasks go in front of the deferred ones and run with them: what they cause to be written is
 * still written in this turn, and a task waits in one queue only, where loop_forget finds it. */
bool loop_take_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct task_queue taken = loop->posted;
    loop->posted.first = loop->posted.last = NULL;
    loop->asleep = false;
    pthread_mutex_unlock(&loop->lock);
    if (taken.first == NULL)
        return false;
    taken.last->next = loop->deferred.first;
    if (loop->deferred.first == NULL)
        loop->deferred.last = taken.last;
    loop->deferred.first = taken.first;
    return true;
}

bool loop_run_deferred(struct loop *loop)
{
    bool any = false;
    for (int round = 0; round < LOOP_DEFER_ROUNDS_MAX && loop->deferred.first != NULL; round++) {
        /* A round ends where it found the end of the queue. */
        queue_append(&loop->deferred, &loop->round_end);
        for (struct task *task; (task = queue_take(&loop->deferred)) != &loop->round_end;) {
            any = true;
            task->run(task);
        }
    }
    return any;
}

void loop_forget(struct loop *loop, struct task *task)
{
    pthread_mutex_lock(&loop->lock);
    bool found = queue_remove(&loop->posted, task);
    pthread_mutex_unlock(&loop->lock);
    if (!found)
        (void)queue_remove(&loop->deferred, task);
}

/* --- one interface, two kinds ------------------------------------------------------------ */
enum loop_kind loop_kind_of(const struct loop *loop)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    return loop->kind;
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->kind == LOOP_REAL ? loop_real_now_us() : loop_virtual_now_us(loop);
}

int64_t loop_wall_us(const struct loop *loop)
{
    return loop->kind == LOOP_REAL ? loop_real_wall_us() : loop_virtual_wall_us(loop);
}

void loop_random(struct loop *loop, void *out, size_t len)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    if (loop->kind == LOOP_REAL)
        loop_real_random(loop, out, len);
    else
        loop_virtual_random(loop, out, len);
}

uint64_t loop_random_u64(struct loop *loop)
{
    uint64_t value = 0;
    loop_random(loop, &value, sizeof value);
    return value;
}

void loop_run(struct loop *loop)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    if (loop->kind == LOOP_REAL)
        loop_real_run(loop);
    else
        loop_virtual_run(loop);
    loop->stop = false; /* here, not above: a stop asked for before the run counts */
}

void loop_stop(struct loop *loop)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    loop->stop = true;
}

void loop_close(struct loop *loop)
{
    if (loop == NULL)
        return;
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    if (loop->kind == LOOP_REAL)
        loop_real_close(loop);
    else
        loop_virtual_close(loop);
}
