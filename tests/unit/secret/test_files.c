/* Key files: who may read them, what they may hold; the host key is made once and then kept. */
#include "base/ensure.h"
#include "secret/digest.h"
#include "secret/secret.h"

#include "../../support/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    char folder[SCRATCH_MAX];
    char path[SCRATCH_FILE_MAX];
    char why_text[512];
    struct writer why;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.loop = loop_open_virtual(7, 1700000000000000);
    scratch_folder(f.folder, "secret");
    snprintf(f.path, sizeof f.path, "%s/key", f.folder);
    f.why = writer_over(f.why_text, sizeof f.why_text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0); /* nothing else was left behind */
    loop_close(f->loop);
    return 0;
}

static void write_file(const char *path, const void *bytes, size_t len, unsigned mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static enum status put(struct fixture *f, struct secrets *secrets, const char *name)
{
    f->why = writer_over(f->why_text, sizeof f->why_text);
    enum status status = secret_put_file(secrets, name, SECRET_RETAIL_MAC, f->path, &f->why);
    if (status != STATUS_OK) { /* a failure names the file */
        assert_int_equal(writer_terminate(&f->why), STATUS_OK);
        assert_non_null(strstr(f->why_text, f->path));
    }
    return status;
}

static void hexadecimal_with_white_space(void **state)
{
    struct fixture *f = *state;
    struct secrets *s;
    const char *text = "AAAAAAAA aaaaaaaa\r\n\tBBBB BBBB BBBB BBBB\n\n";
    write_file(f->path, text, strlen(text), 0600);
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    assert_int_equal(put(f, s, "mac"), STATUS_OK);
    uint8_t mac[SECRET_MAC_MAX];
    size_t len;
    assert_int_equal(secret_mac(secret_find(s, "mac"), VIEW("hello world"), mac, &len), STATUS_OK);
    assert_memory_equal(mac, "\x78\xDA\x3D\x3D\xEB\x48\xFD\x4D", 8);
    assert_int_equal(put(f, s, "mac"), STATUS_EXISTS);
    secrets_close(s);
}

static void others_must_not_read(void **state)
{
    struct fixture *f = *state;
    struct secrets *s;
    const char *text = "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB";
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    for (unsigned mode = 0; mode < 0100; mode++) {
        write_file(f->path, text, strlen(text), 0600 | mode);
        char name[16];
        snprintf(name, sizeof name, "k%o", mode);
        assert_int_equal(put(f, s, name), mode == 0 ? STATUS_OK : STATUS_DENIED);
    }
    write_file(f->path, text, strlen(text), 0400);
    assert_int_equal(put(f, s, "read_only"), STATUS_OK);
    if (geteuid() == 0) {
        assert_int_equal(chown(f->path, 12345, 0), 0);
        assert_int_equal(put(f, s, "foreign"), STATUS_DENIED);
    }
    unlink(f->path);
    assert_int_equal(put(f, s, "absent"), STATUS_NOT_FOUND);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(put(f, s, "folder"), STATUS_DENIED);
    assert_int_equal(rmdir(f->path), 0);
    secrets_close(s);
}

static void wrong_contents(void **state)
{
    struct fixture *f = *state;
    struct secrets *s;
    static char long_text[5000];
    memset(long_text, 'A', sizeof long_text);
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    write_file(f->path, "AAA", 3, 0600);
    assert_int_equal(put(f, s, "odd"), STATUS_MALFORMED);
    write_file(f->path, "not hex!", 8, 0600);
    assert_int_equal(put(f, s, "letters"), STATUS_MALFORMED);
    write_file(f->path, "AAAA", 4, 0600);
    assert_int_equal(put(f, s, "short"), STATUS_RANGE);
    write_file(f->path, "", 0, 0600);
    assert_int_equal(put(f, s, "empty"), STATUS_RANGE);
    write_file(f->path, long_text, sizeof long_text, 0600);
    assert_int_equal(put(f, s, "long"), STATUS_RANGE);
    secrets_close(s);
}

static void host_mac(struct fixture *f, const char *name, uint8_t out[SECRET_MAC_MAX])
{
    struct secrets *s;
    size_t len;
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    assert_int_equal(secret_open_host_key(s, f->path, &f->why), STATUS_OK);
    assert_non_null(secret_find(s, "host.seal"));
    assert_int_equal(secret_mac(secret_find(s, name), VIEW("x"), out, &len), STATUS_OK);
    assert_int_equal(len, 32);
    secrets_close(s);
}

static void host_key_is_made_once(void **state)
{
    struct fixture *f = *state;
    uint8_t first[SECRET_MAC_MAX], second[SECRET_MAC_MAX], other[SECRET_MAC_MAX];
    struct stat info;
    host_mac(f, "host.api_keys", first);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_size, 32);
    host_mac(f, "host.api_keys", second);
    assert_memory_equal(first, second, 32); /* the same file, the same key */
    host_mac(f, "host.idempotency", other);
    assert_memory_not_equal(first, other, 32); /* each label has its own */
    unlink(f->path);
    host_mac(f, "host.api_keys", second);
    assert_memory_not_equal(first, second, 32);
}

static void host_key_from_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[32] = { 1, 2, 3 }, a[SECRET_MAC_MAX], b[SECRET_MAC_MAX];
    size_t len;
    struct secrets *s;
    write_file(f->path, bytes, sizeof bytes, 0600);
    host_mac(f, "host.api_keys", a);
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    assert_int_equal(secret_set_host_key(s, view_of(bytes, 31)), STATUS_RANGE);
    assert_int_equal(secret_set_host_key(s, view_of(bytes, 32)), STATUS_OK);
    assert_int_equal(secret_mac(secret_find(s, "host.api_keys"), VIEW("x"), b, &len), STATUS_OK);
    assert_memory_equal(a, b, 32);
    secrets_close(s);
}

static void host_key_that_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct secrets *s;
    uint8_t bytes[33] = { 0 };
    assert_int_equal(secrets_open(&s, f->loop), STATUS_OK);
    write_file(f->path, bytes, 31, 0600);
    assert_int_equal(secret_open_host_key(s, f->path, &f->why), STATUS_RANGE);
    write_file(f->path, bytes, 33, 0600);
    assert_int_equal(secret_open_host_key(s, f->path, &f->why), STATUS_RANGE);
    write_file(f->path, bytes, 32, 0640);
    assert_int_equal(secret_open_host_key(s, f->path, &f->why), STATUS_DENIED);
    assert_int_equal(secret_open_host_key(s, "/nonexistent/folder/key", &f->why), STATUS_IO);
    secrets_close(s);
}

static void digest_of_a_file(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[50000];
    uint8_t a[SECRET_SHA256_SIZE], b[SECRET_SHA256_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    write_file(f->path, bytes, sizeof bytes, 0600);
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(lseek(fd, 10, SEEK_SET), 10);
    assert_int_equal(secret_sha256(view_of(bytes, sizeof bytes), a), STATUS_OK);
    assert_int_equal(secret_sha256_fd(fd, sizeof bytes, b), STATUS_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(secret_sha256_fd(fd, sizeof bytes - 1, b), STATUS_RANGE);
    close(fd);
    assert_int_equal(secret_sha256_fd(-1, 10, b), STATUS_IO);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(hexadecimal_with_white_space),
        STORY(others_must_not_read),
        STORY(wrong_contents),
        STORY(host_key_is_made_once),
        STORY(host_key_from_bytes),
        STORY(host_key_that_is_wrong),
        STORY(digest_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
