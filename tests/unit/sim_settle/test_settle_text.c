/* test_settle_text.c - times, parameters, CSV and made-up names of records. */
#include "settle/settle_text.h"

#include "base/ensure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOON_US INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z, by the command date */

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: none */
    } ROWS[] = {
        { "2026-11-22T12:00:00Z", NOON_US },
        { "2026-11-22T12:00:00.250Z", NOON_US + 250000 },
        { "2026-11-22", NOON_US - INT64_C(43200000000) },
        { "1970-01-01", 0 },
        { "2024-02-29", INT64_C(1709164800000000) },
        { "2025-02-29", -1 },
        { "2000-02-29", INT64_C(951782400000000) },
        { "2100-02-29", -1 },
        { "2026-13-01", -1 },
        { "2026-00-10", -1 },
        { "2026-11-00", -1 },
        { "2026-11-31", -1 },
        { "2026-11-22T24:00:00Z", -1 },
        { "2026-11-22T12:60:00Z", -1 },
        { "2026-11-22T12:00:00", -1 },
        { "2026-11-22T12:00:00.25Z", -1 },
        { "2026-11-22T12:00:00Z ", -1 },
        { "2026-11-22 12:00:00Z", -1 },
        { "2026-1-22", -1 },
        { "", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        int64_t us = -1;
        bool good = settle_time_read(view_text(ROWS[i].text), &us) == STATUS_OK;
        if (good != (ROWS[i].us >= 0) || (good && us != ROWS[i].us))
            fail_msg("%s: %lld", ROWS[i].text, (long long)us);
    }
    for (int64_t day = 0; day < 60000; day += 17) { /* and back, past the leap days */
        char text[32];
        struct writer w = writer_over(text, sizeof text);
        int64_t us = 0, wanted = day * INT64_C(86400000000) + 123000;
        settle_time_write(&w, wanted);
        assert_int_equal(settle_time_read(writer_done(&w), &us), STATUS_OK);
        assert_int_equal(us, wanted);
    }
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    settle_month_to_second(&w, NOON_US + 1999999);
    assert_true(view_is(writer_done(&w), "1122120001"));
}

static enum status ask(const char *query, struct settle_param *params, size_t count,
                       struct settle_window *window)
{
    char text[256];
    struct writer why = writer_over(text, sizeof text);
    enum status s = settle_query(view_text(query), params, count, NOON_US, window, &why);
    assert_true((s == STATUS_OK) == (why.len == 0));
    return s;
}

static void parameters(void **state)
{
    static const char *const BAD[] = {
        "from=x",          "from=",    "from=2026-11-22&from=2026-11-22",
        "oops=1",          "from",     "account=%4",
        "account=%zz",     "account=", "account=%00",
        "&from=2026-11-22"
    };
    struct settle_param params[1] = { { .name = "account" } };
    struct settle_window window;
    (void)state;
    assert_int_equal(ask("", params, 1, &window), STATUS_OK);
    assert_int_equal(window.from_us, 0);
    assert_true(settle_within(&window, NOON_US) && !settle_within(&window, NOON_US + 1));
    assert_string_equal(params[0].value, "");
    assert_int_equal(ask("to=2026-11-22&account=DE%2012+3", params, 1, &window), STATUS_OK);
    assert_string_equal(params[0].value, "DE 12 3");
    assert_int_equal(window.to_us, NOON_US - INT64_C(43200000000));
    assert_int_equal(ask("from=2026-11-22T12:00:00Z&to=2099-01-01", params, 0, &window), STATUS_OK);
    assert_int_equal(window.from_us, NOON_US);
    assert_int_equal(window.to_us, NOON_US + 1); /* not what is still to come */
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (ask(BAD[i], params, 1, &window) != STATUS_MALFORMED)
            fail_msg("taken: %s", BAD[i]);
}

static void csv(void **state)
{
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    struct settle_csv line = { .w = &w };
    (void)state;
    settle_csv_text(&line, VIEW("plain"));
    settle_csv_text(&line, VIEW_EMPTY);
    settle_csv_text(&line, VIEW("a,b"));
    settle_csv_text(&line, VIEW("say \"x\""));
    settle_csv_i64(&line, -5);
    settle_csv_time(&line, 0);
    settle_csv_end(&line);
    settle_csv_text(&line, VIEW_EMPTY);
    settle_csv_text(&line, VIEW("next\nline"));
    settle_csv_end(&line);
    assert_true(view_is(writer_done(&w), "plain,,\"a,b\",\"say \"\"x\"\"\",-5,"
                                         "1970-01-01T00:00:00.000Z\n,\"next\nline\"\n"));
}

static void names_alike(void **state)
{
    static const char *const MODELS[] = { "att_06fzb3n9k2m4q", "RGE0C5K9A1B2D3E4",
                                          "eb6305c9-1f7f-49de-aed0-16487c27b42d", "order00" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MODELS); i++) {
        char text[2][64];
        struct view model = view_text(MODELS[i]);
        for (unsigned k = 0; k < 2; k++) {
            struct writer w = writer_over(text[k], sizeof text[k]);
            settle_alike(&w, model, 0x123456789abcdef0u);
            assert_int_equal(w.len, model.len);
        }
        assert_memory_equal(text[0], text[1], model.len);
        assert_memory_equal(text[0], model.ptr, 4); /* what kind of name it is */
        assert_memory_not_equal(text[0], model.ptr, model.len);
        for (size_t c = 0; c < model.len; c++)
            assert_int_equal(text[0][c] == '-' || text[0][c] == '_',
                             model.ptr[c] == '-' || model.ptr[c] == '_');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(parameters),
        cmocka_unit_test(csv),
        cmocka_unit_test(names_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
