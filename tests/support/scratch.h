/* scratch.h - where the tests and the benches put their temporary folders and files.
 *
 * Below $TMPDIR, or /tmp when that is not set or empty, under names that begin with "railgate-".
 * Who makes one removes it when it passes: .ci/run gives each run a TMPDIR of its own and fails
 * when something is left in it.
 *
 * A folder that cannot be made ends the program with 1 and a sentence that says which and why,
 * because what came later would fail somewhere puzzling.
 *
 *     char folder[SCRATCH_MAX], file[SCRATCH_FILE_MAX];
 *     scratch_folder(folder, "store");
 *     (void)snprintf(file, sizeof file, "%s/0.db", folder);
 *     scratch_remove(folder);
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_MAX      256 /* bytes of a folder's path with its end: TMPDIR may have some 220 */
#define SCRATCH_FILE_MAX 320 /* of a path within: a name of up to 62 bytes more */

_Noreturn static inline void scratch_end(const char *path, const char *why)
{
    fprintf(stderr, "%s: no place for temporary files: %s (see TMPDIR)\n", path, why);
    exit(1);
}

/* BASE/railgate-NAME-XXXXXX; base NULL: TMPDIR, else /tmp. */
static inline void scratch_name(char out[static SCRATCH_MAX], const char *base, const char *name)
{
    if (base == NULL)
        base = getenv("TMPDIR");
    if (base == NULL || base[0] == '\0')
        base = "/tmp";
    int len = snprintf(out, SCRATCH_MAX, "%s/railgate-%s-XXXXXX", base, name);
    if (len < 0 || len >= SCRATCH_MAX)
        scratch_end(base, "the path is too long");
}

/* A folder that only its owner may enter, in `base`. */
static inline void scratch_folder_in(char out[static SCRATCH_MAX], const char *base,
                                     const char *name)
{
    scratch_name(out, base, name);
    if (mkdtemp(out) == NULL)
        scratch_end(out, strerror(errno));
}

static inline void scratch_folder(char out[static SCRATCH_MAX], const char *name)
{
    scratch_folder_in(out, NULL, name);
}

/* An empty file that only its owner may read. Gives its descriptor. */
static inline int scratch_file(char out[static SCRATCH_MAX], const char *name)
{
    scratch_name(out, NULL, name);
    int fd = mkstemp(out);
    if (fd < 0)
        scratch_end(out, strerror(errno));
    return fd;
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

/* The folder with all that is in it; ends the program when something stays. */
static inline void scratch_remove(const char *folder)
{
    if (nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "%s: cannot be removed: %s\n", folder, strerror(errno));
        exit(1);
    }
}

#endif
