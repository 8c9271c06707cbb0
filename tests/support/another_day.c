/* another_day.c - to be preloaded (LD_PRELOAD): for a program and all that it starts, the wall
 * clock and the times of files are TEST_DAY_SHIFT_S seconds ahead. Clocks that only go on are left
 * alone, so every wait takes as long as ever. A story that knows the day of its writing fails with
 * it.
 */
#include "preload.h"

#include <stdlib.h>
#include <sys/stat.h>

static int64_t shift_s;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("TEST_DAY_SHIFT_S");
    shift_s = text != NULL ? strtoll(text, NULL, 10) : 0;
}

static int64_t moved_us(void)
{
    return shift_s * US_PER_S;
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

PUBLIC int stat(const char *restrict path, struct stat *restrict file)
{
    REAL(stat);
    return ahead(real(path, file), file);
}

PUBLIC int lstat(const char *restrict path, struct stat *restrict file)
{
    REAL(lstat);
    return ahead(real(path, file), file);
}

PUBLIC int fstat(int fd, struct stat *file)
{
    REAL(fstat);
    return ahead(real(fd, file), file);
}

PUBLIC int fstatat(int fd, const char *restrict path, struct stat *restrict file, int flags)
{
    REAL(fstatat);
    return ahead(real(fd, path, file, flags), file);
}

/* Where these are names of their own, their struct is the same. */
PUBLIC int stat64(const char *restrict path, struct stat64 *restrict file)
{
    return stat(path, (struct stat *)file);
}

PUBLIC int lstat64(const char *restrict path, struct stat64 *restrict file)
{
    return lstat(path, (struct stat *)file);
}

PUBLIC int fstat64(int fd, struct stat64 *file)
{
    return fstat(fd, (struct stat *)file);
}

PUBLIC int fstatat64(int fd, const char *restrict path, struct stat64 *restrict file, int flags)
{
    return fstatat(fd, path, (struct stat *)file, flags);
}

PUBLIC int statx(int fd, const char *restrict path, int flags, unsigned mask,
                 struct statx *restrict file)
{
    REAL(statx);
    int result = real(fd, path, flags, mask, file);
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

PUBLIC int utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
    struct timespec out[2];
    REAL(utimensat);
    return real(fd, path, back(times, out), flags);
}

PUBLIC int futimens(int fd, const struct timespec times[2])
{
    struct timespec out[2];
    REAL(futimens);
    return real(fd, back(times, out));
}
