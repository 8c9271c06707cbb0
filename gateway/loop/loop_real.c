/* loop_real.c - the loop on libuv and the machine's clocks.
 *
 * A turn (turn()): decide whether there is anything that must not wait; if not, say so under the
 * lock (`asleep`) and sleep in libuv until input, a post or the first timer; then posted tasks, due
 * timers (input once more before one that is long overdue), deferred tasks. libuv carries one
 * timer (`alarm`) and one async handle (`wake`), whatever the number of ours: timers of a payment
 * cost no libuv call at all.
 *
 * libuv counts milliseconds, our timers microseconds; the sleep is rounded up, so a timer never
 * fires early and up to a millisecond late.
 */
#include "loop/loop_int.h"
#include "loop/loop_uv.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct loop_real {
    struct loop core; /* first: a struct loop of kind REAL is one of these */
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t alarm;
    size_t dice_left;
    uint8_t dice[512];
};

static struct loop_real *real_of(struct loop *loop)
{
    ENSURE_MAGIC(loop, LOOP_MAGIC);
    ENSURE(loop->kind == LOOP_REAL);
    return (struct loop_real *)loop;
}

/* Being woken is all they do; the turn looks at everything afterwards. */
static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

/* uv_run looks at timers before it polls: an alarm that is due by then fires, no timer is left, and
 * the poll would wait for ever. A stopped loop polls without waiting. */
static void on_alarm(uv_timer_t *alarm)
{
    uv_stop(alarm->loop);
}

struct loop *loop_open_real(void)
{
    struct loop_real *real = calloc(1, sizeof *real);
    if (real == NULL)
        return NULL;
    if (!loop_core_init(&real->core, LOOP_REAL))
        goto core_failed;
    if (uv_loop_init(&real->uv) != 0)
        goto uv_failed;
    if (uv_async_init(&real->uv, &real->wake, on_wake) != 0)
        goto async_failed;
    ENSURE(uv_timer_init(&real->uv, &real->alarm) == 0);
    return &real->core;

async_failed:
    (void)uv_loop_close(&real->uv);
uv_failed:
    loop_core_fini(&real->core);
core_failed:
    free(real);
    return NULL;
}

void loop_real_close(struct loop *loop)
{
    struct loop_real *real = real_of(loop);
    uv_close((uv_handle_t *)&real->wake, NULL);
    uv_close((uv_handle_t *)&real->alarm, NULL);
    while (uv_run(&real->uv, UV_RUN_DEFAULT) != 0) {
    }
    /* Somebody's handle still open means that a wire was not closed before its loop. */
    ENSURE(uv_loop_close(&real->uv) == 0);
    loop_core_fini(loop);
    free(real);
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec at;
    ENSURE(clock_gettime(clock, &at) == 0);
    return (int64_t)at.tv_sec * LOOP_US_PER_S + at.tv_nsec / 1000;
}

int64_t loop_real_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t loop_real_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static void dice_read(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);
        ENSURE(got > 0 || errno == EINTR); /* nothing may go on with predictable dice */
        if (got > 0) {
            out += got;
            len -= (size_t)got;
        }
    }
}

void loop_real_random(struct loop *loop, void *out, size_t len)
{
    struct loop_real *real = real_of(loop);
    if (len > sizeof real->dice / 4) {
        dice_read(out, len);
        return;
    }
    if (real->dice_left < len) {
        dice_read(real->dice, sizeof real->dice);
        real->dice_left = sizeof real->dice;
    }
    real->dice_left -= len;
    memcpy(out, real->dice + real->dice_left, len);
    explicit_bzero(real->dice + real->dice_left, len);
}

void loop_real_wake(struct loop *loop)
{
    ENSURE(uv_async_send(&real_of(loop)->wake) == 0);
}

/* How long the turn may sleep: 0 not at all, -1 until woken, else microseconds. */
static int64_t sleep_us(const struct loop *loop)
{
    if (loop->stop || loop->deferred.first != NULL)
        return 0;
    const struct timer *first = timers_first(loop);
    if (first == NULL)
        return -1;
    int64_t left_us = first->due_us - loop_real_now_us();
    return left_us > 0 ? left_us : 0;
}

/* A thread that was stopped (by a signal, or as its machine slept) or starved finds timers long
 * overdue, and libuv does not poll again after a poll that was interrupted. What has come in the
 * meantime is read before a timer says that it has not come. */
#define OVERDUE_US (10 * LOOP_US_PER_MS)

static bool is_overdue(const struct loop *loop)
{
    const struct timer *first = timers_first(loop);
    return first != NULL && loop_real_now_us() - first->due_us > OVERDUE_US;
}

static void turn(struct loop_real *real, bool may_wait)
{
    struct loop *loop = &real->core;
    int64_t wait_us = may_wait ? sleep_us(loop) : 0;
    bool sleep = false;
    if (wait_us != 0) {
        /* From here on a post makes the libuv call return; before, we see it ourselves. */
        pthread_mutex_lock(&loop->lock);
        sleep = loop->posted.first == NULL;
        loop->asleep = sleep;
        pthread_mutex_unlock(&loop->lock);
    }
    if (sleep)
        vault_wipe_registers(); /* what was moved last must not wait in them for a core dump */
    if (sleep && wait_us > 0) {
        uv_update_time(&real->uv);
        uint64_t wait_ms = (uint64_t)((wait_us + LOOP_US_PER_MS - 1) / LOOP_US_PER_MS);
        ENSURE(uv_timer_start(&real->alarm, on_alarm, wait_ms, 0) == 0);
    } else if (uv_is_active((uv_handle_t *)&real->alarm)) {
        ENSURE(uv_timer_stop(&real->alarm) == 0);
    }
    (void)uv_run(&real->uv, sleep ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    if (is_overdue(loop))
        (void)uv_run(&real->uv, UV_RUN_NOWAIT);
    (void)loop_take_posted(loop);
    if (timers_first(loop) != NULL)
        timers_run_due(loop, loop_real_now_us());
    (void)loop_run_deferred(loop);
}

void loop_real_run(struct loop *loop)
{
    struct loop_real *real = real_of(loop);
    while (!loop->stop)
        turn(real, true);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &real_of(loop)->uv;
}

void loop_uv_turn(struct loop *loop, bool may_wait)
{
    turn(real_of(loop), may_wait);
}
