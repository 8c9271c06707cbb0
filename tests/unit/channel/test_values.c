/* test_values.c - the adapter's own settings of a channel file: all mistakes at once, with their
 * place. */
#include "channel_fixture.h"
#include "tiny_adapter.h"
#include "web_adapter.h"
#include "web_fixture.h"

#include "../../support/scratch.h"

#include "channel/channel_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RAW(n, t, l)                                                                               \
    {                                                                                              \
        .name = (n), .text = (t), .file = "card_test.yaml", .line = (l), .column = 3,              \
        .value_line = (l), .value_column = 10                                                      \
    }
#define OPEN(f, ...)                                                                               \
    fixture_open((f), &(struct fixture_plan){                                                      \
                          .raw = raw, .raw_count = sizeof raw / sizeof raw[0], __VA_ARGS__ })

static void assert_says(const struct fixture *f, const char *text)
{
    if (strstr(f->why, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, f->why);
}

static void test_values_and_defaults(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "T1", 4), RAW("mode", "fancy", 5),
                                       RAW("mac_key", "mac", 6), RAW("loud", "yes", 7) };
    assert_true(OPEN(&f, 0));
    const struct rg_value *v = f.channel->values.rows;
    assert_int_equal(v[0].present, 1);
    assert_memory_equal(v[0].text.ptr, "mac", 3);
    assert_int_equal(v[1].present, 0);
    assert_int_equal(v[2].number, 1);
    assert_int_equal(v[3].present, 1); /* the default */
    assert_int_equal(v[3].number, 7);
    assert_memory_equal(v[4].text.ptr, "T1", 2);
    assert_int_equal(v[5].number, 1);
    fixture_close(&f);
}

static void test_all_mistakes_at_once(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("mode", "fancier", 5), RAW("number", "100", 6),
                                       RAW("mac_key", "nokey", 7), RAW("loud", "maybe", 8),
                                       RAW("terminl", "T1", 9) };
    assert_false(OPEN(&f, 0));
    assert_says(&f, "card_test.yaml:5:10: error: setting 'mode' must be one of plain|fancy");
    assert_says(
        &f, "card_test.yaml:6:10: error: setting 'number' must be a whole number from 1 to 99 ms");
    assert_says(
        &f, "card_test.yaml:7:10: error: setting 'mac_key' names a key that is not in the list");
    assert_says(&f, "card_test.yaml:8:10: error: setting 'loud' must be yes or no");
    assert_says(&f, "setting 'terminal' of adapter tiny is missing");
    assert_says(&f,
                "card_test.yaml:9:10: error: adapter tiny has no setting 'terminl'; did you mean "
                "'terminal'?");
    assert_int_equal(channels_count(f.channels), 0);
    fixture_close(&f);
}

static void test_number_must_be_exact(void **state)
{
    (void)state;
    const char *wrong[] = { "0", "1e1", " 7", "07", "", "9999999999999999999999", "-1", "7.0" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fixture f;
        const struct raw_setting raw[] = { RAW("terminal", "T1", 4), RAW("number", wrong[i], 6) };
        assert_false(OPEN(&f, 0));
        assert_says(&f, "card_test.yaml:6:10: error:");
        fixture_close(&f);
    }
}

static void test_text_has_a_length(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "123456789", 4) };
    assert_false(OPEN(&f, 0));
    assert_says(&f,
                "card_test.yaml:4:10: error: setting 'terminal' must have 2 to 8 bytes, it has 9");
    fixture_close(&f);
}

static void test_adapter_refuses_with_its_row(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "T1", 4), RAW("number", "13", 6) };
    assert_false(OPEN(&f, 0));
    assert_says(&f, "card_test.yaml:6:10: error: setting 'number': 13 is not liked");
    fixture_close(&f);
}

static void test_http_needs_an_endpoint(void **state)
{
    (void)state;
    struct web w;
    assert_false(web_open(&w, &(struct web_plan){ .endpoints = -1 }));
    assert_non_null(strstr(w.why, "'endpoints' is missing; say where the other side listens"));
    web_close(&w);
}

/* --- files that settings name ---------------------------------------------------------------- */

struct letter {
    char folder[SCRATCH_MAX];
    char why[1000];
    bool present;
    char text[128];
    uint64_t len;
};

/* Opens a channel whose setting `letter` is `path`; in `folder` there is a file "letter". */
static bool open_letter(struct letter *l, const char *path, const char *content, size_t len)
{
    scratch_folder(l->folder, "values");
    char file[SCRATCH_FILE_MAX];
    (void)snprintf(file, sizeof file, "%s/letter", l->folder);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(content, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
    const struct raw_setting raw[] = { RAW("letter", path[0] == '=' ? file : path, 4) };
    struct web w;
    bool opened = web_open(
        &w, &(struct web_plan){ .servers = 1, .raw = raw, .raw_count = 1, .folder = l->folder });
    memcpy(l->why, w.why, sizeof l->why);
    if (opened) {
        const struct rg_value *value = &w.channel->values.rows[WEB_LETTER];
        l->len = value->text.len;
        assert_true(l->len < sizeof l->text);
        memcpy(l->text, value->text.ptr, (size_t)l->len + 1);
    }
    web_close(&w);
    unlink(file);
    assert_int_equal(rmdir(l->folder), 0);
    return opened;
}

static void test_file_is_read(void **state)
{
    (void)state;
    struct letter l;
    assert_true(open_letter(&l, "letter", "Dear bank\n", 10)); /* beside gateway.yaml */
    assert_string_equal(l.text, "Dear bank\n");
    assert_true(open_letter(&l, "=", "x\0y", 3)); /* an absolute path; any bytes */
    assert_int_equal(l.len, 3);
    assert_memory_equal(l.text, "x\0y", 4);
}

static void test_file_that_cannot_be(void **state)
{
    (void)state;
    char big[102];
    memset(big, 'x', sizeof big);
    static const struct {
        const char *path, *says;
        size_t len;
    } rows[] = {
        { "nowhere", "/nowhere cannot be opened: No such file or directory", 0 },
        { "../letter/", "cannot be opened", 0 },
        { ".", "is not a regular file", 0 },
        { "/dev/null", "is not a regular file", 0 },
        { "", "setting 'letter' must be a file name", 0 },
        { "letter", "must have 0 to 100 bytes, it has 101", 101 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct letter l;
        assert_false(open_letter(&l, rows[i].path, big, rows[i].len));
        if (strstr(l.why, rows[i].says) == NULL ||
            strstr(l.why, "card_test.yaml:4:10: error: setting 'letter'") == NULL)
            fail_msg("'%s' is not in:\n%s", rows[i].says, l.why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_all_mistakes_at_once),
        cmocka_unit_test(test_number_must_be_exact),
        cmocka_unit_test(test_text_has_a_length),
        cmocka_unit_test(test_adapter_refuses_with_its_row),
        cmocka_unit_test(test_http_needs_an_endpoint),
        cmocka_unit_test(test_file_is_read),
        cmocka_unit_test(test_file_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
