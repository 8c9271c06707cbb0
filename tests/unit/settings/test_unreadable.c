/* test_unreadable.c - a disk that fails in the middle of a load: one after another, each look at a
 * folder or file fails, until a load passes without the failure. A load that met it has no
 * configuration to give, and says where and why: half of the regions would be none of the rest, and
 * a profile whose test cases are not seen would pass them all.
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define CALLS_MAX 200 /* more than one load makes */

static struct {
    unsigned calls, fails; /* the n-th from now on; 0: none */
    const char *failed;    /* NULL: it was not reached */
} disk;

static bool fails(const char *name)
{
    if (disk.fails == 0 || ++disk.calls != disk.fails)
        return false;
    disk.failed = name;
    errno = EIO;
    return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out);
ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

int __wrap_open(const char *path, int flags, ...)
{
    assert_int_equal(flags & O_CREAT, 0);
    return fails("open") ? -1 : __real_open(path, flags);
}

int __wrap_fstat(int fd, struct stat *out)
{
    return fails("fstat") ? -1 : __real_fstat(fd, out);
}

ssize_t __wrap_read(int fd, void *to, size_t size)
{
    return fails("read") ? -1 : __real_read(fd, to, size);
}

DIR *__wrap_opendir(const char *path)
{
    return fails("opendir") ? NULL : __real_opendir(path);
}

struct dirent *__wrap_readdir(DIR *dir)
{
    return fails("readdir") ? NULL : __real_readdir(dir);
}

static const char channel[] = "name: card_demo\nadapter: ../build/card.so\nrail: card\n"
                              "endpoints: [127.0.0.1:8583]\n";
static const char other_region[] = "region: eu\nversion: \"1\"\neffective_from: 2026-01-01\n";
static const char cases[] = "region: default\ncases:\n  - name: any\n"
                            "    facts: {rail: card, amount: 30.00 EUR}\n    expect: allow\n";

static void whole(const struct settings *s)
{
    assert_int_equal(s->channels_count, 1);
    assert_int_equal(s->regions_count, 2);
    assert_int_equal(s->tests_count, 1);
    assert_int_equal(s->tests[0].count, 1);
}

static void said(const struct folder *f)
{
    static char text[16384];
    struct writer w = writer_over(text, sizeof text);
    if (f->status != STATUS_MALFORMED)
        fail_msg("loaded, although call %u failed: %s", disk.fails, disk.failed);
    findings_write(&w, &f->findings);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_int_equal(f->findings.errors, 1);
    if (strcmp(disk.failed, "fstat") != 0)
        assert_text_has(text, strerror(EIO));
    assert_text_has(text, f->path);
}

static void what_cannot_be_read_to_its_end_is_not_loaded(void **state)
{
    (void)state;
    struct folder f;
    unsigned folders = 0, entries = 0, reads = 0;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "channels/card.yaml", channel);
    file_write(&f, "regions/eu.yaml", other_region);
    file_write(&f, "regions/default.tests.yaml", cases);
    do {
        settings_free(f.settings);
        findings_clear(&f.findings);
        findings_init(&f.findings);
        disk.calls = 0;
        disk.fails++;
        disk.failed = NULL;
        folder_load(&f);
        if (disk.failed == NULL)
            break;
        folders += strcmp(disk.failed, "opendir") == 0;
        entries += strcmp(disk.failed, "readdir") == 0;
        reads += strcmp(disk.failed, "read") == 0;
        said(&f);
    } while (disk.fails < CALLS_MAX);
    disk.fails = 0;
    assert_null(disk.failed);
    assert_int_equal(f.status, STATUS_OK);
    whole(f.settings);
    assert_int_equal(folders, 3);         /* channels, regions, and the regions' test cases */
    assert_int_equal(entries, 4 + 6 + 6); /* "." and ".." as well, and the end of each */
    assert_int_equal(reads, 2 * 5);       /* of each file: what is in it, and its end */
    folder_drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read_to_its_end_is_not_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
