/* preload.h - what libraries for LD_PRELOAD share: finding the real function, and a wall clock that
 * is somewhere else. Included by one source of a library, which says in moved_us() how far the
 * clock is ahead. Clocks that only go on are left alone, so every wait takes as long as ever.
 */
#ifndef TESTS_SUPPORT_PRELOAD_H
#define TESTS_SUPPORT_PRELOAD_H

#include <dlfcn.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define PUBLIC __attribute__((visibility("default")))

/* The real one, found once for each function. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL)                                                                              \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* --- the clock --------------------------------------------------------------------------- */

#define US_PER_S INT64_C(1000000)

/* Microseconds; negative: the clock is behind. */
static int64_t moved_us(void);

PUBLIC int clock_gettime(clockid_t clock, struct timespec *to)
{
    REAL(clock_gettime);
    int code = real(clock, to);
    int64_t more_us = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? moved_us() : 0;
    if (code != 0 || more_us == 0)
        return code;
    int64_t ns = to->tv_nsec + more_us % US_PER_S * 1000;
    int64_t carry = ns < 0 ? -1 : ns >= US_PER_S * 1000 ? 1 : 0;
    to->tv_sec += more_us / US_PER_S + carry;
    to->tv_nsec = ns - carry * US_PER_S * 1000;
    return code;
}

PUBLIC int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    (void)zone;
    struct timespec at;
    if (clock_gettime(CLOCK_REALTIME, &at) != 0)
        return -1;
    *to = (struct timeval){ .tv_sec = at.tv_sec, .tv_usec = at.tv_nsec / 1000 };
    return 0;
}

PUBLIC time_t time(time_t *to)
{
    struct timespec at = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &at);
    if (to != NULL)
        *to = at.tv_sec;
    return at.tv_sec;
}

#endif
