/* test_api_confirm.c - the body of a confirmation. */
#include "body_read.h"

#include "base/ensure.h"

static void read_body(struct body *b, struct payment_request *r, const char *json)
{
    *r = (struct payment_request){ .payment = 1 };
    arena_init(&r->arena, (size_t)64 * 1024);
    body_open(b, json);
    read_confirm(&b->f, b->root, r);
}

static void a_code_or_an_assertion(void **state)
{
    (void)state;
    struct body b;
    struct payment_request r;
    static const char *const codes[] = { "123456", "1234567", "00000000" };
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        char json[128];
        struct writer w = writer_over(json, sizeof json);
        writer_format(&w, "{\"authentication\":{\"type\":\"code\",\"code\":\"%s\"}}", codes[i]);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        read_body(&b, &r, json);
        assert_int_equal(b.f.count, 0);
        memset(json, 'z', sizeof json); /* what was borrowed is gone */
        body_close(&b);
        assert_true(r.confirm);
        assert_true(view_is(r.confirm_code, codes[i]));
        assert_int_equal(r.confirm_assertion.len, 0);
        arena_reset(&r.arena);
    }
    read_body(&b, &r,
              "{\"authentication\":{\"assertion\":\"e30.e-_0.AA\",\"type\":\"assertion\"}}");
    assert_int_equal(b.f.count, 0);
    body_close(&b);
    assert_true(r.confirm);
    assert_true(view_is(r.confirm_assertion, "e30.e-_0.AA"));
    assert_int_equal(r.confirm_code.len, 0);
    arena_reset(&r.arena);
}

static void assertion_of(size_t len, struct body *b, struct payment_request *r)
{
    static char json[8192];
    struct writer w = writer_over(json, sizeof json);
    writer_text(&w, "{\"authentication\":{\"type\":\"assertion\",\"assertion\":\"");
    for (size_t i = 0; i < len; i++)
        writer_text(&w, "A");
    writer_text(&w, "\"}}");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    read_body(b, r, json);
}

static void assertions_have_at_most_4096_bytes(void **state)
{
    (void)state;
    struct body b;
    struct payment_request r;
    assertion_of(4096, &b, &r);
    assert_int_equal(b.f.count, 0);
    assert_int_equal(r.confirm_assertion.len, 4096);
    body_close(&b);
    arena_reset(&r.arena);
    assertion_of(4097, &b, &r);
    body_error_is(&b, "/authentication/assertion", "wrong_length");
    body_close(&b);
    arena_reset(&r.arena);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        { "{}", "/authentication", "required" },
        { "{\"authentication\":null}", "/authentication", "not_an_object" },
        { "{\"authentication\":\"12345678\"}", "/authentication", "not_an_object" },
        { "{\"authentication\":{}}", "/authentication/type", "required" },
        { "{\"authentication\":{\"type\":\"pin\"}}", "/authentication/type", "unknown_value" },
        { "{\"authentication\":{\"type\":1}}", "/authentication/type", "not_a_text" },
        { "{\"authentication\":{\"type\":\"code\"}}", "/authentication/code", "required" },
        { "{\"authentication\":{\"type\":\"assertion\"}}", "/authentication/assertion",
          "required" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":12345678}}", "/authentication/code",
          "not_a_text" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"12345\"}}", "/authentication/code",
          "wrong_length" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"123456789\"}}", "/authentication/code",
          "wrong_length" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"1234 678\"}}", "/authentication/code",
          "wrong_letters" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"12345678\",\"assertion\":\"a\"}}",
          "/authentication/assertion", "contradiction" },
        { "{\"authentication\":{\"type\":\"assertion\",\"code\":\"12345678\",\"assertion\":\"a\"}}",
          "/authentication/code", "contradiction" },
        { "{\"authentication\":{\"type\":\"assertion\",\"assertion\":\"a.b.c=\"}}",
          "/authentication/assertion", "wrong_letters" },
        { "{\"authentication\":{\"type\":\"assertion\",\"assertion\":\"a.b\\u0000\"}}",
          "/authentication/assertion", "control_character" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"12345678\",\"x\":1}}",
          "/authentication/x", "unknown_field" },
        { "{\"authentication\":{\"type\":\"code\",\"code\":\"12345678\"},\"amount\":1}", "/amount",
          "unknown_field" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct body b;
        struct payment_request r;
        read_body(&b, &r, rows[i][0]);
        body_error_is(&b, rows[i][1], rows[i][2]);
        for (size_t k = 0; k < b.f.count; k++) { /* no error says what was sent */
            struct view detail = b.f.errors[k].detail;
            for (size_t at = 0; at + 5 <= detail.len; at++)
                assert_memory_not_equal(detail.ptr + at, "12345", 5);
        }
        body_close(&b);
        arena_reset(&r.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_or_an_assertion),
        cmocka_unit_test(assertions_have_at_most_4096_bytes),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
