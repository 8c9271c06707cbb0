/* bytes_test.c - status, views, cursors, writers, lists. */
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_status_names(void **state)
{
    (void)state;
    assert_int_equal(STATUS_OK, 1);
    assert_string_equal(status_name(STATUS_OK), "OK");
    assert_string_equal(status_name(STATUS_CANCELED), "CANCELED");
    assert_string_equal(status_text(STATUS_FULL), "a fixed limit is reached");
    /* Zeroed memory and numbers from nowhere have a name too, and it is never OK's. */
    assert_string_equal(status_name(STATUS_INVALID), "INVALID");
    assert_string_equal(status_name((enum status)9999), "INVALID");
    assert_string_equal(status_name((enum status) - 1), "INVALID");
}

static void test_views(void **state)
{
    (void)state;
    assert_true(view_equal(VIEW_EMPTY, VIEW("")));
    assert_true(view_is(VIEW("abc"), "abc"));
    assert_false(view_is(VIEW("abc"), "abd"));
    assert_false(view_is(VIEW("abc"), "ab"));
    assert_true(view_is(VIEW_EMPTY, ""));
    assert_true(view_equal_nocase(VIEW("Content-Length"), VIEW("content-LENGTH")));
    assert_false(view_equal_nocase(VIEW("a@"), VIEW("a`"))); /* 0x40 and 0x60 are no letters */
    assert_true(view_starts_with(VIEW("abc"), VIEW("ab")));
    assert_true(view_starts_with(VIEW("abc"), VIEW_EMPTY));
    assert_false(view_starts_with(VIEW("ab"), VIEW("abc")));
    assert_true(view_is(view_slice(VIEW("abcdef"), 2, 3), "cde"));
    assert_true(view_is(view_slice(VIEW("abcdef"), 4, SIZE_MAX), "ef"));
    assert_int_equal(view_slice(VIEW("abc"), 3, 1).len, 0);
    assert_int_equal(view_slice(VIEW("abc"), SIZE_MAX, SIZE_MAX).len, 0);
    assert_int_equal(view_find(VIEW("a=b=c"), '='), 1);
    assert_int_equal(view_find(VIEW("abc"), '='), 3);
    assert_int_equal(view_find(VIEW_EMPTY, '='), 0);
    assert_true(view_is(view_trim(VIEW(" \t a b\r\n")), "a b"));
    assert_int_equal(view_trim(VIEW("  ")).len, 0);
    assert_true(view_is_digits(VIEW("0123456789")));
    assert_false(view_is_digits(VIEW_EMPTY));
    assert_false(view_is_digits(VIEW("12:")));
    assert_false(view_is_digits(VIEW("/12")));
    assert_true(view_equal_constant_time(VIEW("secret"), VIEW("secret")));
    assert_false(view_equal_constant_time(VIEW("secret"), VIEW("secres")));
    assert_false(view_equal_constant_time(VIEW("Secret"), VIEW("secret")));
    assert_false(view_equal_constant_time(VIEW("secret"), VIEW("secre")));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        bool good;
    } rows[] = {
        { VIEW_EMPTY, true },
        { VIEW("plain text that is longer than eight bytes"), true },
        { VIEW("\xC2\x80 \xDF\xBF"), true },
        { VIEW("\xE0\xA0\x80 \xEF\xBF\xBF"), true },
        { VIEW("\xED\x9F\xBF \xEE\x80\x80"), true }, /* both sides of the surrogates */
        { VIEW("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"), true },
        { VIEW("eight by\xE2\x82\xAC"), true },
        { VIEW("\x80"), false },             /* continuation without a start */
        { VIEW("\xC0\xAF"), false },         /* overlong slash */
        { VIEW("\xC1\xBF"), false },         /* overlong */
        { VIEW("\xE0\x9F\xBF"), false },     /* overlong */
        { VIEW("\xF0\x8F\xBF\xBF"), false }, /* overlong */
        { VIEW("\xED\xA0\x80"), false },     /* U+D800 */
        { VIEW("\xED\xBF\xBF"), false },     /* U+DFFF */
        { VIEW("\xF4\x90\x80\x80"), false }, /* U+110000 */
        { VIEW("\xF5\x80\x80\x80"), false },
        { VIEW("\xFF"), false },
        { VIEW("\xC2"), false },
        { VIEW("12345678\xE2\x82"), false },
        { VIEW("\xE2\x28\xA1"), false },
        { VIEW("\xF0\x90\x80\x28"), false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (view_is_utf8(rows[i].text) != rows[i].good)
            fail_msg("row %zu", i);
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t s = 7;
    assert_int_equal(view_to_u64(VIEW("0"), UINT64_MAX, &u), STATUS_OK);
    assert_true(u == 0);
    assert_int_equal(view_to_u64(VIEW("18446744073709551615"), UINT64_MAX, &u), STATUS_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(view_to_u64(VIEW("18446744073709551616"), UINT64_MAX, &u), STATUS_RANGE);
    assert_int_equal(view_to_u64(VIEW("99999999999999999999"), UINT64_MAX, &u), STATUS_RANGE);
    assert_int_equal(view_to_u64(VIEW("256"), 255, &u), STATUS_RANGE);
    static const char *const not_numbers[] = { "",   "-",   "+1",   "-0",  "01",  "00", " 1",
                                               "1 ", "1e2", "10.0", "0x1", "--1", "-01" };
    for (size_t i = 0; i < COUNT_OF(not_numbers); i++) {
        assert_int_equal(view_to_u64(view_text(not_numbers[i]), UINT64_MAX, &u), STATUS_MALFORMED);
        assert_int_equal(view_to_i64(view_text(not_numbers[i]), &s), STATUS_MALFORMED);
    }
    assert_int_equal(view_to_i64(VIEW("9007199254740993"), &s), STATUS_OK);
    assert_true(s == INT64_C(9007199254740993));
    assert_int_equal(view_to_i64(VIEW("9223372036854775807"), &s), STATUS_OK);
    assert_true(s == INT64_MAX);
    assert_int_equal(view_to_i64(VIEW("9223372036854775808"), &s), STATUS_RANGE);
    assert_int_equal(view_to_i64(VIEW("-9223372036854775808"), &s), STATUS_OK);
    assert_true(s == INT64_MIN);
    assert_int_equal(view_to_i64(VIEW("-9223372036854775809"), &s), STATUS_RANGE);
    assert_int_equal(view_to_i64(VIEW("-1"), &s), STATUS_OK);
    assert_true(s == -1);
}

static void test_to_text(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(view_to_text(VIEW("abc"), out, sizeof out), STATUS_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(view_to_text(VIEW("abcd"), out, sizeof out), STATUS_FULL);
    assert_string_equal(out, "");
    assert_int_equal(view_to_text(VIEW_EMPTY, out, sizeof out), STATUS_OK);
    assert_int_equal(view_to_text(VIEW_EMPTY, out, 0), STATUS_FULL);
}

static void test_cursor(void **state)
{
    (void)state;
    struct cursor c =
        cursor_over(VIEW("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"));
    uint8_t a;
    uint16_t b;
    uint32_t d;
    uint64_t e;
    assert_int_equal(cursor_u8(&c, &a), STATUS_OK);
    assert_int_equal(cursor_u16_be(&c, &b), STATUS_OK);
    assert_int_equal(cursor_u32_be(&c, &d), STATUS_OK);
    assert_int_equal(cursor_u64_be(&c, &e), STATUS_OK);
    assert_int_equal(a, 1);
    assert_int_equal(b, 0x0203);
    assert_int_equal(d, 0x04050607);
    assert_true(e == UINT64_C(0x08090A0B0C0D0E0F));
    assert_int_equal(cursor_left(&c), 0);
    assert_int_equal(cursor_rest(&c).len, 0);
    assert_int_equal(cursor_u8(&c, &a), STATUS_SHORT);

    /* A read past the end takes nothing. */
    struct view rest;
    c = cursor_over(VIEW("abc"));
    assert_int_equal(cursor_u32_be(&c, &d), STATUS_SHORT);
    assert_int_equal(cursor_take(&c, 4, &rest), STATUS_SHORT);
    assert_int_equal(cursor_take(&c, SIZE_MAX, &rest), STATUS_SHORT);
    assert_int_equal(cursor_left(&c), 3);
    assert_int_equal(cursor_take(&c, 3, &rest), STATUS_OK);
    assert_true(view_is(rest, "abc"));
    c = cursor_over(VIEW_EMPTY);
    assert_int_equal(cursor_take(&c, 0, &rest), STATUS_OK);
}

static void test_writer(void **state)
{
    (void)state;
    uint8_t room[64];
    struct writer w = writer_over(room, sizeof room);
    writer_u8(&w, 'a');
    writer_u16_be(&w, 0x6263);
    writer_u32_be(&w, 0x64656667);
    writer_u64_be(&w, UINT64_C(0x68696A6B6C6D6E6F));
    writer_i64_text(&w, INT64_MIN);
    writer_u8(&w, ' ');
    writer_u64_text(&w, UINT64_MAX);
    assert_int_equal(writer_status(&w), STATUS_OK);
    assert_true(view_is(writer_done(&w), "abcdefghijklmno-9223372036854775808 "
                                         "18446744073709551615"));

    w = writer_over(room, sizeof room);
    writer_i64_text(&w, 0);
    writer_i64_text(&w, -1);
    writer_u64_padded(&w, 42, 6);
    writer_u64_padded(&w, 999, 3);
    writer_hex_upper(&w, VIEW("\x0A\xFF"));
    writer_hex_lower(&w, VIEW("\x0A\xFF"));
    writer_format(&w, "%s=%d", "x", 5);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal((char *)room, "0-10000429990AFF0affx=5");
    writer_u64_padded(&w, 1000, 3);
    assert_int_equal(writer_status(&w), STATUS_FULL);
}

/* Every writer, with every room from nothing to enough: all of a value or none of it, and what
 * overflowed once stays overflowed. */
static void test_writer_overflow(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 8; room++) {
        for (int what = 0; what < 7; what++) {
            uint8_t bytes[16];
            memset(bytes, 0xEE, sizeof bytes);
            struct writer w = writer_over(bytes, room);
            size_t size = 4;
            switch (what) {
            case 0: writer_text(&w, "abcd"); break;
            case 1: writer_u32_be(&w, 1); break;
            case 2: writer_u64_text(&w, 1234); break;
            case 3: writer_u64_padded(&w, 12, 4); break;
            case 4: writer_hex_lower(&w, VIEW("ab")); break;
            case 5: writer_i64_text(&w, -123); break;
            default:
                writer_format(&w, "%s", "abc");
                assert_int_equal(w.overflow, room < 4);
                continue;
            }
            assert_int_equal(w.overflow, room < size);
            assert_int_equal(w.len, room < size ? 0 : size);
            assert_int_equal(bytes[room], 0xEE);
            if (w.overflow) {
                writer_text(&w, "");
                writer_u8(&w, 'x');
                assert_true(w.overflow);
                assert_int_equal(w.len, 0);
            }
        }
    }
    uint8_t one[1];
    struct writer w = writer_over(one, 1);
    writer_u8(&w, 'x');
    assert_int_equal(writer_status(&w), STATUS_OK);
    assert_int_equal(writer_terminate(&w), STATUS_FULL);
}

static void test_hex_and_luhn(void **state)
{
    (void)state;
    uint8_t out[4];
    size_t len = 9;
    assert_int_equal(hex_decode(VIEW("00fFA9"), out, sizeof out, &len), STATUS_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(out, "\x00\xFF\xA9", 3);
    assert_int_equal(hex_decode(VIEW_EMPTY, out, sizeof out, &len), STATUS_OK);
    assert_int_equal(hex_decode(VIEW("abc"), out, sizeof out, &len), STATUS_MALFORMED);
    assert_int_equal(hex_decode(VIEW("0g"), out, sizeof out, &len), STATUS_MALFORMED);
    assert_int_equal(hex_decode(VIEW("0001020304"), out, sizeof out, &len), STATUS_FULL);

    /* ISO/IEC 7812-1's own kind of example, not a card: 7992739871 with check digit 3. */
    assert_true(luhn_valid(VIEW("79927398713")));
    for (char check = '0'; check <= '9'; check++) {
        char digits[] = "7992739871?";
        digits[10] = check;
        assert_int_equal(luhn_valid(view_text(digits)), check == '3');
    }
    assert_false(luhn_valid(VIEW_EMPTY));
    assert_false(luhn_valid(VIEW("7992739871 3")));
}

static void test_list(void **state)
{
    (void)state;
    struct item {
        int number;
        struct list link;
    } items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_take_first(&head));
    list_remove(&items[0].link); /* in no list: nothing happens */
    for (size_t i = 0; i < COUNT_OF(items); i++)
        list_append(&head, &items[i].link);
    list_remove(&items[1].link);
    assert_false(list_linked(&items[1].link));
    assert_int_equal(CONTAINER_OF(list_take_first(&head), struct item, link)->number, 1);
    assert_int_equal(CONTAINER_OF(list_take_first(&head), struct item, link)->number, 3);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_names), cmocka_unit_test(test_views),
        cmocka_unit_test(test_utf8),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_to_text),      cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_writer),       cmocka_unit_test(test_writer_overflow),
        cmocka_unit_test(test_hex_and_luhn), cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
