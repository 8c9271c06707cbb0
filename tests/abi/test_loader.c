/* From a file to an adapter: what the loader takes, and every reason for which it must not.
 * Each refusal names the file. The files are copies in a folder of this test's own. */
#include "base/ensure.h"
#include "channel/loader.h"

#include "../support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PLAIN ABI_OBJECTS "/abi_plain.so"

struct fixture {
    char folder[SCRATCH_MAX];
    char path[SCRATCH_FILE_MAX]; /* folder/adapter.so: a copy of the plain one */
    char text[1024];
    struct loaded_adapter *adapter;
};

static void copy_file(const char *from, const char *to)
{
    static uint8_t buffer[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t got; (got = read(in, buffer, sizeof buffer)) > 0;)
        assert_int_equal(write(out, buffer, (size_t)got), got);
    close(in);
    close(out);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){ 0 };
    scratch_folder(f.folder, "abi");
    snprintf(f.path, sizeof f.path, "%s/adapter.so", f.folder);
    copy_file(PLAIN, f.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    adapter_unload(&f->adapter);
    assert_int_equal(chmod(f->folder, 0700), 0);
    if (unlink(f->path) != 0)
        assert_true(errno == ENOENT || rmdir(f->path) == 0);
    assert_int_equal(rmdir(f->folder), 0);
    return 0;
}

static enum status load_pinned(struct fixture *f, const char *path, const char *pin)
{
    adapter_unload(&f->adapter);
    struct writer why = writer_over(f->text, sizeof f->text);
    enum status status = adapter_load(path, pin, &f->adapter, &why);
    assert_int_equal(writer_terminate(&why), STATUS_OK);
    if (status == STATUS_OK) {
        assert_non_null(f->adapter);
        assert_int_equal(why.len, 0);
    } else {
        assert_null(f->adapter);
        assert_int_equal(strncmp(f->text, path, strlen(path)), 0); /* names the file */
        assert_true(strlen(f->text) > strlen(path) + 4);           /* and a reason */
        assert_null(strchr(f->text, '\n'));
    }
    return status;
}

static enum status load(struct fixture *f, const char *path)
{
    return load_pinned(f, path, NULL);
}

#define assert_says(f, words) assert_non_null(strstr((f)->text, (words)))

static void a_plain_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, f->path), STATUS_OK);
    const struct rg_adapter *api = &f->adapter->api;
    assert_string_equal(api->id, "variant");
    assert_string_equal(f->adapter->path, f->path);
    assert_int_equal(api->settings_count, 2);
    assert_string_equal(adapter_setting(f->adapter, 1)->name, "second");
    assert_null(adapter_setting(f->adapter, 2));
    assert_string_equal(adapter_ability(f->adapter, 1)->currencies, "EUR USD");
    assert_null(adapter_ability(f->adapter, 2));
    assert_ptr_equal(adapter_ability_of(f->adapter, RG_OP_REFUND), adapter_ability(f->adapter, 1));
    assert_null(adapter_ability_of(f->adapter, RG_OP_CAPTURE));
    struct rg_command command = { .size = sizeof command, .amount_minor = 12 };
    struct rg_out out = { .size = sizeof out };
    assert_int_equal(api->begin(NULL, NULL, &command, &out), RG_STEP_DONE);
    assert_int_equal(out.amount_minor, 12);
}

static void an_older_shorter_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, ABI_OBJECTS "/abi_shorter.so"), STATUS_OK);
    assert_null(f->adapter->api.notice); /* in the file there are numbers at this place */
    assert_null(f->adapter->api.extension);
    assert_non_null(f->adapter->api.begin);
}

static void a_newer_longer_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, ABI_OBJECTS "/abi_newer.so"), STATUS_OK);
    assert_int_equal(f->adapter->api.abi_minor, 7);
    /* rows are stepped over by their own size, or the second would be the tail of the first */
    assert_string_equal(adapter_setting(f->adapter, 0)->name, "first");
    assert_string_equal(adapter_setting(f->adapter, 1)->name, "second");
    assert_string_equal(adapter_setting(f->adapter, 1)->unit, "pieces");
    assert_int_equal(adapter_ability(f->adapter, 1)->operation, RG_OP_REFUND);
    assert_int_equal(adapter_ability(f->adapter, 1)->amount_minor_max, 500);
    /* an operation of the future is there, without the flags that we do not know */
    assert_int_equal(adapter_ability(f->adapter, 2)->operation, 77);
    assert_int_equal(adapter_ability(f->adapter, 2)->flags, RG_ABLE_REPEAT);
    assert_string_equal(f->adapter->api.settings[1].name, "second"); /* our own table */
}

static void the_null_adapters(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "null", "null_http", "null_local" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[512];
        snprintf(path, sizeof path, ADAPTERS "/%s.so", names[i]);
        assert_int_equal(load(f, path), STATUS_OK);
        assert_string_equal(f->adapter->api.id, names[i]);
        if (i == 1) { /* has none */
            assert_null(f->adapter->api.extension);
            continue;
        }
        assert_non_null(f->adapter->api.extension("null.codes", 1));
        assert_null(f->adapter->api.extension("null.codes", 2));
        assert_null(f->adapter->api.extension("something else", 1));
    }
}

/* Two files loaded at once are two objects, and the second is not the first by mistake. */
static void several_at_once(void **state)
{
    struct fixture *f = *state;
    struct loaded_adapter *a = NULL, *b = NULL, *c = NULL;
    struct writer why = writer_over(f->text, sizeof f->text);
    assert_int_equal(adapter_load(f->path, NULL, &a, &why), STATUS_OK);
    assert_int_equal(adapter_load(ADAPTERS "/null.so", NULL, &b, &why), STATUS_OK);
    assert_string_equal(b->api.id, "null");
    adapter_unload(&a);
    assert_null(a);
    assert_int_equal(adapter_load(ADAPTERS "/null_local.so", NULL, &c, &why), STATUS_OK);
    assert_string_equal(c->api.id, "null_local");
    assert_string_equal(b->api.id, "null"); /* its strings are still there */
    assert_int_equal(adapter_load(ADAPTERS "/null.so", NULL, &a, &why), STATUS_OK);
    assert_string_equal(a->api.id, "null");
    adapter_unload(&a);
    adapter_unload(&b);
    adapter_unload(&c);
    adapter_unload(&c);
}

static void the_path(void **state)
{
    struct fixture *f = *state;
    char path[1200];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(load(f, "adapter.so"), STATUS_RANGE);
    assert_int_equal(load(f, "./adapter.so"), STATUS_RANGE);
    assert_int_equal(load(f, ""), STATUS_RANGE);
    assert_int_equal(load(f, "/nonexistent/adapter.so"), STATUS_IO);
    struct writer why = writer_over(f->text, sizeof f->text);
    assert_int_equal(adapter_load(path, NULL, &f->adapter, &why), STATUS_RANGE);
    unlink(f->path);
    assert_int_equal(load(f, f->path), STATUS_NOT_FOUND);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(load(f, f->path), STATUS_DENIED);
    assert_says(f, "regular file");
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0); /* must not hang */
    assert_int_equal(load(f, f->path), STATUS_DENIED);
    unlink(f->path);
    assert_int_equal(symlink(PLAIN, f->path), 0);
    assert_int_equal(load(f, f->path), STATUS_DENIED);
    assert_says(f, "symbolic link");
}

static void who_may_have_written_it(void **state)
{
    struct fixture *f = *state;
    for (unsigned mode = 0; mode < 0100; mode++) {
        assert_int_equal(chmod(f->path, 0600 | mode), 0);
        assert_int_equal(load(f, f->path), (mode & 022) != 0 ? STATUS_DENIED : STATUS_OK);
    }
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(chmod(f->folder, 0777), 0);
    assert_int_equal(load(f, f->path), STATUS_DENIED);
    assert_says(f, "folder");
    assert_int_equal(chmod(f->folder, 01777), 0);
    assert_int_equal(load(f, f->path), STATUS_OK);
    if (geteuid() != 0) {
        print_message("skipped: only root can give a file to somebody else\n");
        return;
    }
    assert_int_equal(chown(f->path, 12345, 0), 0);
    assert_int_equal(load(f, f->path), STATUS_DENIED);
    assert_says(f, "12345");
}

static void the_pin(void **state)
{
    struct fixture *f = *state;
    char pin[65];
    assert_int_equal(load(f, f->path), STATUS_OK);
    struct writer hex = writer_over(pin, sizeof pin);
    writer_hex_lower(&hex, view_of(f->adapter->sha256, 32));
    assert_int_equal(writer_terminate(&hex), STATUS_OK);
    assert_int_equal(load_pinned(f, f->path, pin), STATUS_OK);
    for (size_t i = 0; i < 64; i++) {
        char kept = pin[i];
        pin[i] = kept == '0' ? '1' : '0';
        assert_int_equal(load_pinned(f, f->path, pin), STATUS_MISMATCH);
        pin[i] = kept;
    }
    assert_int_equal(load_pinned(f, f->path, ""), STATUS_MALFORMED);
    assert_int_equal(load_pinned(f, f->path, "abc"), STATUS_MALFORMED);
    pin[62] = '\0';
    assert_int_equal(load_pinned(f, f->path, pin), STATUS_MALFORMED);
    pin[62] = 'x';
    assert_int_equal(load_pinned(f, f->path, pin), STATUS_MALFORMED);
    /* one byte more in the file, which the dynamic linker would not mind */
    adapter_unload(&f->adapter);
    char right[65];
    hex = writer_over(right, sizeof right);
    assert_int_equal(load(f, f->path), STATUS_OK);
    writer_hex_lower(&hex, view_of(f->adapter->sha256, 32));
    assert_int_equal(writer_terminate(&hex), STATUS_OK);
    adapter_unload(&f->adapter);
    int fd = open(f->path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(load_pinned(f, f->path, right), STATUS_MISMATCH);
    assert_int_equal(load(f, f->path), STATUS_OK);
}

static void not_an_adapter(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, ABI_OBJECTS "/abi_no_entry.so"), STATUS_MALFORMED);
    assert_says(f, RG_ADAPTER_ENTRY);
    assert_int_equal(load(f, ABI_OBJECTS "/abi_refuses.so"), STATUS_UNSUPPORTED);
    int fd = open(f->path, O_WRONLY | O_TRUNC);
    assert_int_equal(load(f, f->path), STATUS_RANGE); /* empty */
    assert_int_equal(write(fd, "#!/bin/sh\necho no\n", 18), 18);
    close(fd);
    assert_int_equal(load(f, f->path), STATUS_MALFORMED);
    assert_null(strstr(f->text, "/proc/self/fd")); /* people know the file by its path */
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(a_plain_one),
        STORY(an_older_shorter_one),
        STORY(a_newer_longer_one),
        STORY(the_null_adapters),
        STORY(several_at_once),
        STORY(the_path),
        STORY(who_may_have_written_it),
        STORY(the_pin),
        STORY(not_an_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
