/* test_answers.c - what an adapter says is believed only where it fits. */
#include "channel_fixture.h"

#include "tiny_adapter.h"

static const struct raw_setting raw[] = {
    { .name = "terminal", .text = "T1", .file = "f", .line = 1, .column = 1 },
    { .name = "mac_key", .text = "mac", .file = "f", .line = 1, .column = 1 },
};

static void open_ready(struct fixture *f)
{
    assert_true(fixture_open(f, &(struct fixture_plan){ .raw = raw, .raw_count = 2 }));
    f_until_ready(f);
}

struct answer_case {
    enum operation operation;
    const char *answer;
    enum outcome outcome;
    bool conflict;
    int64_t amount;
    enum category category;
};

static void test_answers(void **state)
{
    (void)state;
    /* All commands are for 10.00, and so are their originals. */
    static const struct answer_case cases[] = {
        { OPERATION_AUTHORISE, "A", OUTCOME_APPROVED, false, 1000, CATEGORY_NONE },
        { OPERATION_AUTHORISE, "a1000", OUTCOME_APPROVED, false, 1000, CATEGORY_NONE },
        { OPERATION_AUTHORISE, "a400", OUTCOME_APPROVED, false, 400, CATEGORY_NONE },
        { OPERATION_AUTHORISE, "a0", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER },
        { OPERATION_AUTHORISE, "a1001", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER },
        { OPERATION_CAPTURE, "a400", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER }, /* not able */
        { OPERATION_REVERSE, "a1000", OUTCOME_APPROVED, false, 1000, CATEGORY_NONE },
        { OPERATION_REVERSE, "a999", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER },
        { OPERATION_AUTHORISE, "D", OUTCOME_DECLINED, false, 0, CATEGORY_FUNDS },
        { OPERATION_AUTHORISE, "d1000", OUTCOME_DECLINED, false, 0, CATEGORY_FUNDS },
        { OPERATION_AUTHORISE, "d0", OUTCOME_DECLINED, false, 0, CATEGORY_FUNDS },
        { OPERATION_AUTHORISE, "d999", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER },
        { OPERATION_AUTHORISE, "c978", OUTCOME_APPROVED, false, 1000, CATEGORY_NONE },
        { OPERATION_AUTHORISE, "c840", OUTCOME_UNKNOWN, true, 0, CATEGORY_OTHER },
        { OPERATION_AUTHORISE, "P", OUTCOME_PENDING, false, 0, CATEGORY_NONE },
        { OPERATION_REVERSE, "N", OUTCOME_NOT_FOUND, false, 0, CATEGORY_OTHER },
        { OPERATION_AUTHORISE, "N", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "C", OUTCOME_DECLINED, false, 0, CATEGORY_OTHER },
        /* Nonsense. */
        { OPERATION_AUTHORISE, "0", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "6", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "9", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "-", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "7", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "O", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "L", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "S", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
        { OPERATION_AUTHORISE, "?", OUTCOME_UNKNOWN, false, 0, CATEGORY_UNAVAILABLE },
    };
    struct fixture f;
    open_ready(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct answer_case *k = &cases[i];
        struct call *c = f_call(&f, k->operation, 1000, "");
        f_run(&f, 5);
        f_answer(&f, i, k->answer);
        f_run(&f, 5);
        print_message("%s %s -> %s\n", operation_word(k->operation), k->answer,
                      outcome_word(c->result.outcome));
        assert_int_equal(c->done, 1);
        assert_int_equal(c->result.outcome, k->outcome);
        assert_int_equal(c->result.conflict, k->conflict);
        assert_int_equal(c->result.amount_minor, k->amount);
        assert_int_equal(c->result.category, k->category);
        assert_int_equal(c->diagnosis[0] != '\0', k->outcome == OUTCOME_UNKNOWN);
        if (k->answer[0] == 'S')
            assert_string_equal(c->diagnosis, "the adapter takes more steps than it declared");
    }
    assert_int_equal(f_health(&f).links_ready, 1); /* none of it broke the link */
    fixture_close(&f);
}

static void test_nonsense_before_sending_is_refused(void **state)
{
    (void)state;
    static const char *const mistakes[] = { "step", "overflow", "length", "pointer", "count",
                                            "name", "row",      "key",    "empty" };
    struct fixture f;
    open_ready(&f);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct call *c;
        assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 1, mistakes[i]), STATUS_REFUSED);
        assert_true(strlen(f.why) > 0);
        assert_null(c->exchange);
    }
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 0);
    fixture_close(&f);
}

static void test_the_adapters_own_words_are_redacted(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    struct call *c;
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 1, "fail"), STATUS_REFUSED);
    assert_non_null(strstr(f.why, "is too long"));
    assert_null(strstr(f.why, "4111 1111 1111 1111")); /* a published test card number */
    fixture_close(&f);
}

static void test_a_second_message_of_one_exchange(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 1000, "");
    f_run(&f, 5);
    f_answer(&f, 0, "2");
    f_run(&f, 5);
    assert_int_equal(c->done, 0);
    assert_int_equal(f.frames_count, 2);
    assert_memory_equal(f.frames[1].text, "Q91", 3);
    f_answer(&f, 1, "A");
    f_run(&f, 5);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_nonsense_before_sending_is_refused),
        cmocka_unit_test(test_the_adapters_own_words_are_redacted),
        cmocka_unit_test(test_a_second_message_of_one_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
