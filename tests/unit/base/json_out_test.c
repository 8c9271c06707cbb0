/* json_out_test.c - the JSON writer: commas, escapes, times, and every possible lack of room. */
#include "base/ensure.h"
#include "base/json_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char whole[] = "{\"text\":\"a\\\"b\\\\c\\n\\u0001\xE2\x82\xAC\",\"n\":-5,\"yes\":true,"
                            "\"no\":false,\"none\":null,\"list\":[1,[],{},\"x\"],"
                            "\"raw\":{\"a\":1},\"empty\":\"\","
                            "\"at\":\"1970-01-01T00:00:00.000Z\"}";

static void write_whole(struct writer *w)
{
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_text(&j, "text", VIEW("a\"b\\c\n\x01\xE2\x82\xAC"));
    json_put_i64(&j, "n", -5);
    json_put_bool(&j, "yes", true);
    json_put_bool(&j, "no", false);
    json_put_null(&j, "none");
    json_open_array(&j, "list");
    json_put_i64(&j, NULL, 1);
    json_open_array(&j, NULL);
    json_close_array(&j);
    json_open_object(&j, NULL);
    json_close_object(&j);
    json_put_text(&j, NULL, VIEW("x"));
    json_close_array(&j);
    json_put_raw(&j, "raw", VIEW("{\"a\":1}"));
    json_put_text_if(&j, "left_out", VIEW_EMPTY);
    json_put_text(&j, "empty", VIEW_EMPTY);
    json_put_time(&j, "at", 0);
    json_close_object(&j);
}

static void test_whole(void **state)
{
    (void)state;
    char out[512];
    struct writer w = writer_over(out, sizeof out);
    write_whole(&w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(out, whole);
}

static void test_every_room(void **state)
{
    (void)state;
    size_t enough = sizeof whole - 1;
    for (size_t room = 0; room <= enough; room++) {
        char out[512];
        memset(out, '#', sizeof out);
        struct writer w = writer_over(out, room);
        write_whole(&w);
        assert_int_equal(w.overflow, room < enough);
        assert_int_equal(out[room], '#');
    }
}

static void check_text(struct view value, const char *expected)
{
    char out[256];
    struct writer w = writer_over(out, sizeof out);
    struct json_out j;
    json_out_init(&j, &w);
    json_put_text(&j, NULL, value);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(out, expected);
}

static void test_text(void **state)
{
    (void)state;
    check_text(VIEW("\0\x1F\x7F/"), "\"\\u0000\\u001f\x7F/\"");
    check_text(VIEW("\r\t"), "\"\\r\\t\"");
    check_text(VIEW("\xF0\x9F\x98\x80"), "\"\xF0\x9F\x98\x80\"");
    check_text(VIEW("a\xFF"
                    "b"),
               "\"a\xEF\xBF\xBD"
               "b\"");
    /* Control characters beyond ASCII, and the first that is none. */
    check_text(VIEW("\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0"), "\"\\u0080\\u009b\\u009f\xC2\xA0\"");
    check_text(VIEW("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""); /* cut off */
    check_text(VIEW("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""); /* overlong */
    check_text(VIEW("\xE2\x82\xE2\x82\xAC"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xE2\x82\xAC\"");
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_us;
        const char *expected;
    } rows[] = {
        { 0, "\"1970-01-01T00:00:00.000Z\"" },
        { -1, "\"1969-12-31T23:59:59.999Z\"" },
        { INT64_C(951782400000000), "\"2000-02-29T00:00:00.000Z\"" },
        { INT64_C(951868800000000), "\"2000-03-01T00:00:00.000Z\"" },
        { INT64_C(1700000000123999), "\"2023-11-14T22:13:20.123Z\"" },
        { INT64_C(1709251199999999), "\"2024-02-29T23:59:59.999Z\"" },
        { INT64_C(4107542400000000), "\"2100-03-01T00:00:00.000Z\"" }, /* 2100 has no leap day */
        { INT64_C(253402300799999999), "\"9999-12-31T23:59:59.999Z\"" },
        { INT64_C(253402300800000000), "null" },
        { INT64_C(-62167219200000000), "\"0000-01-01T00:00:00.000Z\"" },
        { INT64_C(-62167219200000001), "null" },
        { INT64_MAX, "null" },
        { INT64_MIN, "null" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[64];
        struct writer w = writer_over(out, sizeof out);
        struct json_out j;
        json_out_init(&j, &w);
        json_put_time(&j, NULL, rows[i].wall_us);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        assert_string_equal(out, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_every_room),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
