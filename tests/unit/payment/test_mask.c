/* test_mask.c - what a profile masks, for whom, wherever the value stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payment/mask.h"

static const char *const merchant_only[] = { "merchant" };
static const char *const operator_only[] = { "operator" };

static const struct mask_settings masks[] = {
    { .fact = "payer.account", .shown_to = { merchant_only, 1 } },
    { .fact = "payer.email", .shown_to = { NULL, 0 } }, /* no fact: a member; for both */
    { .fact = "payee.account", .shown_to = { operator_only, 1 } },
};
static const struct region_settings region = { .masks = masks, .masks_count = 3 };

#define MEMBERS                                                                                    \
    "\"method\":{\"bank\":{\"debtor\":{\"iban\":\"DE75512108001245126199\"}}},"                    \
    "\"payer\":{\"email\":\"a@b.example\",\"name\":\"DE\"},"                                       \
    "\"payee\":{\"account\":\"FR7630006000011234567890189\"},\"note\":\"to "                       \
    "DE75512108001245126199 soon\",\"n\":9007199254740993"

static void masked_as(const char *role, const char *expected)
{
    struct arena arena;
    struct view out;
    struct compliance_facts facts = { 0 };
    arena_init(&arena, (size_t)1024 * 1024);
    facts_text(&facts, FACT_PAYER_ACCOUNT, VIEW("DE75512108001245126199"));
    facts_text(&facts, FACT_PAYEE_ACCOUNT, VIEW("FR7630006000011234567890189"));
    assert_int_equal(masked_members(&region, role, &facts, &arena, VIEW(MEMBERS), &out), STATUS_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.ptr, expected, out.len);
    arena_reset(&arena);
}

static void test_for_merchants(void **state)
{
    (void)state;
    masked_as("merchant", "\"method\":{\"bank\":{\"debtor\":{\"iban\":\"****6199\"}}},"
                          "\"payer\":{\"email\":\"****mple\",\"name\":\"DE\"},"
                          "\"payee\":{\"account\":\"FR7630006000011234567890189\"},"
                          "\"note\":\"****soon\",\"n\":9007199254740993");
}

static void test_for_operators(void **state)
{
    (void)state;
    masked_as("operator",
              "\"method\":{\"bank\":{\"debtor\":{\"iban\":\"DE75512108001245126199\"}}},"
              "\"payer\":{\"email\":\"****mple\",\"name\":\"DE\"},"
              "\"payee\":{\"account\":\"****0189\"},"
              "\"note\":\"to DE75512108001245126199 soon\",\"n\":9007199254740993");
}

static void test_nothing_to_mask(void **state)
{
    (void)state;
    const struct region_settings bare = { .masks_count = 0 };
    struct arena arena;
    struct view out;
    arena_init(&arena, 4096);
    assert_int_equal(masked_members(&bare, "merchant", NULL, &arena, VIEW("\"a\":1"), &out),
                     STATUS_OK);
    assert_true(view_is(out, "\"a\":1"));
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_for_merchants),
        cmocka_unit_test(test_for_operators),
        cmocka_unit_test(test_nothing_to_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
