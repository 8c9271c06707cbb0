/* another_day.c - to be preloaded (LD_PRELOAD): for a program and all that it starts, the wall
 * clock and the times of files are TEST_DAY_SHIFT_S seconds ahead. Clocks that only go on are left
 * alone, so every wait takes as long as ever. A story that knows the day of its writing fails with
 * it.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static time_t shift_s;

typedef int clock_fn(clockid_t, struct timespec *);
typedef int stat_fn(const char *restrict, struct stat *restrict);
typedef int fstat_fn(int, struct stat *);
typedef int fstatat_fn(int, const char *restrict, struct stat *restrict, int);
typedef int statx_fn(int, const char *restrict, int, unsigned, struct statx *restrict);
typedef int utimensat_fn(int, const char *, const struct timespec *, int);
typedef int futimens_fn(int, const struct timespec *);

static struct {
    clock_fn *clock_gettime;
    stat_fn *stat, *lstat;
    fstat_fn *fstat;
    fstatat_fn *fstatat;
    statx_fn *statx;
    utimensat_fn *utimensat;
    futimens_fn *futimens;
} real;

static void find(void *function, const char *name)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
    if (*(void **)function == NULL)
        abort();
}

__attribute__((constructor)) static void begin(void)
{
    if (real.clock_gettime != NULL)
        return;
    const char *text = getenv("TEST_DAY_SHIFT_S");
    shift_s = text != NULL ? (time_t)strtoll(text, NULL, 10) : 0;
    find(&real.stat, "stat");
    find(&real.lstat, "lstat");
    find(&real.fstat, "fstat");
    find(&real.fstatat, "fstatat");
    find(&real.statx, "statx");
    find(&real.utimensat, "utimensat");
    find(&real.futimens, "futimens");
    find(&real.clock_gettime, "clock_gettime");
}

/* --- the clock ------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *at)
{
    begin(); /* other libraries' constructors may come before ours */
    int result = real.clock_gettime(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += shift_s;
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    *at = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* --- files ----------------------------------------------------------------------------------- */

static int ahead(int result, struct stat *file)
{
    if (result == 0) {
        file->st_atim.tv_sec += shift_s;
        file->st_mtim.tv_sec += shift_s;
        file->st_ctim.tv_sec += shift_s;
    }
    return result;
}

int stat(const char *restrict path, struct stat *restrict file)
{
    begin();
    return ahead(real.stat(path, file), file);
}

int lstat(const char *restrict path, struct stat *restrict file)
{
    begin();
    return ahead(real.lstat(path, file), file);
}

int fstat(int fd, struct stat *file)
{
    begin();
    return ahead(real.fstat(fd, file), file);
}

int fstatat(int fd, const char *restrict path, struct stat *restrict file, int flags)
{
    begin();
    return ahead(real.fstatat(fd, path, file, flags), file);
}

/* Where these are names of their own, their struct is the same. */
int stat64(const char *restrict path, struct stat64 *restrict file)
{
    return stat(path, (struct stat *)file);
}

int lstat64(const char *restrict path, struct stat64 *restrict file)
{
    return lstat(path, (struct stat *)file);
}

int fstat64(int fd, struct stat64 *file)
{
    return fstat(fd, (struct stat *)file);
}

int fstatat64(int fd, const char *restrict path, struct stat64 *restrict file, int flags)
{
    return fstatat(fd, path, (struct stat *)file, flags);
}

int statx(int fd, const char *restrict path, int flags, unsigned mask, struct statx *restrict file)
{
    begin();
    int result = real.statx(fd, path, flags, mask, file);
    if (result == 0) {
        file->stx_atime.tv_sec += shift_s;
        file->stx_mtime.tv_sec += shift_s;
        file->stx_ctime.tv_sec += shift_s;
    }
    return result;
}

/* The two times as the disk gets them. */
static const struct timespec *back(const struct timespec *times, struct timespec out[2])
{
    for (int i = 0; times != NULL && i < 2; i++) {
        out[i] = times[i];
        if (times[i].tv_nsec != UTIME_NOW && times[i].tv_nsec != UTIME_OMIT)
            out[i].tv_sec -= shift_s;
    }
    return times != NULL ? out : NULL;
}

int utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
    struct timespec out[2];
    begin();
    return real.utimensat(fd, path, back(times, out), flags);
}

int futimens(int fd, const struct timespec times[2])
{
    struct timespec out[2];
    begin();
    return real.futimens(fd, back(times, out));
}
