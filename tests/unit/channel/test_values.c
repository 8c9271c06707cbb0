/* test_values.c - the adapter's own settings of a channel file: all mistakes at once, with their
 * place. */
#include "channel_fixture.h"
#include "tiny_adapter.h"

#include "channel/channel_int.h"

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
    assert_says(&f, "card_test.yaml:5:10: setting 'mode' must be one of plain|fancy");
    assert_says(&f, "card_test.yaml:6:10: setting 'number' must be a whole number from 1 to 99 ms");
    assert_says(&f, "card_test.yaml:7:10: setting 'mac_key' names a key that is not in the list");
    assert_says(&f, "card_test.yaml:8:10: setting 'loud' must be yes or no");
    assert_says(&f, "setting 'terminal' of adapter tiny is missing");
    assert_says(&f, "card_test.yaml:9:10: adapter tiny has no setting 'terminl'; did you mean "
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
        assert_says(&f, "card_test.yaml:6:10:");
        fixture_close(&f);
    }
}

static void test_text_has_a_length(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "123456789", 4) };
    assert_false(OPEN(&f, 0));
    assert_says(&f, "card_test.yaml:4:10: setting 'terminal' must have 2 to 8 bytes, it has 9");
    fixture_close(&f);
}

static void test_adapter_refuses_with_its_row(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "T1", 4), RAW("number", "13", 6) };
    assert_false(OPEN(&f, 0));
    assert_says(&f, "card_test.yaml:6:10: setting 'number': 13 is not liked");
    fixture_close(&f);
}

static void test_http_is_refused_clearly(void **state)
{
    (void)state;
    struct fixture f;
    const struct raw_setting raw[] = { RAW("terminal", "T1", 4) };
    assert_false(OPEN(&f, .entry = tiny_http_adapter));
    assert_says(&f, "works over HTTP, which this version cannot drive yet");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_all_mistakes_at_once),
        cmocka_unit_test(test_number_must_be_exact),
        cmocka_unit_test(test_text_has_a_length),
        cmocka_unit_test(test_adapter_refuses_with_its_row),
        cmocka_unit_test(test_http_is_refused_clearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
