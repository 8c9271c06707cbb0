/* test_api_create.c - the JSON of each method becomes rows for the adapter and facts for the
 * answer.
 *
 * Test card numbers from published ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_int.h"
#include "base/ensure.h"
#include "domain/refs.h"

typedef void read_fn(struct fields *f, const struct json_node *node, struct writer *details,
                     struct json_out *facts);

struct scene {
    struct arena arena;
    struct fields f;
    const struct json_node *root;
    struct view details;
    char facts[4096];
};

static void read_with(struct scene *s, read_fn *read, const char *json)
{
    *s = (struct scene){ .f.arena = &s->arena };
    arena_init(&s->arena, (size_t)1024 * 1024);
    struct json_error error;
    assert_int_equal(json_read(view_text(json), NULL, &s->arena, &s->root, &error), STATUS_OK);
    uint8_t *room = arena_alloc(&s->arena, 8192);
    struct writer details = writer_over(room, 8192);
    struct writer w = writer_over(s->facts, sizeof s->facts - 1);
    struct json_out facts;
    json_out_init(&facts, &w);
    json_open_object(&facts, NULL);
    read(&s->f, s->root, &details, &facts);
    json_close_object(&facts);
    assert_false(details.overflow);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    s->details = writer_done(&details);
    assert_int_equal(refs_check(s->details), STATUS_OK);
}

static void end(struct scene *s)
{
    arena_reset(&s->arena);
}

static void detail_is(const struct scene *s, const char *name, const char *value)
{
    struct view found = refs_find(s->details, name);
    if (!view_is(found, value))
        fail_msg("%s is `%.*s`, not `%s`", name, (int)found.len, (const char *)found.ptr, value);
}

static uint32_t flags_of(const struct scene *s, const char *name)
{
    struct cursor c = cursor_over(s->details);
    struct ref row;
    bool broken;
    while (refs_next(&c, &row, &broken)) {
        if (view_is(row.name, name))
            return row.flags;
    }
    fail_msg("there is no row %s", name);
    return 0;
}

/* Is there an error with this code at this place? */
static void error_is(const struct scene *s, const char *pointer, const char *code)
{
    for (size_t i = 0; i < s->f.count; i++) {
        if (view_is(s->f.errors[i].pointer, pointer) && strcmp(s->f.errors[i].code, code) == 0)
            return;
    }
    for (size_t i = 0; i < s->f.count; i++)
        print_message("%.*s %s\n", (int)s->f.errors[i].pointer.len,
                      (const char *)s->f.errors[i].pointer.ptr, s->f.errors[i].code);
    fail_msg("no error %s at %s", code, pointer);
}

static void refused(read_fn *read, const char *json, const char *pointer, const char *code)
{
    struct scene s;
    read_with(&s, read, json);
    error_is(&s, pointer, code);
    end(&s);
}

/* --- qr ------------------------------------------------------------------------------------ */

static void a_code_to_show(void **state)
{
    (void)state;
    struct scene s;
    read_with(&s, read_qr, "{\"mode\":\"present\",\"scheme\":\"pix\",\"expires_in\":900}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "mode", "present");
    detail_is(&s, "scheme", "pix");
    detail_is(&s, "code_type", "dynamic");
    detail_is(&s, "expires_in", "900");
    assert_string_equal(s.facts,
                        "{\"mode\":\"present\",\"scheme\":\"pix\",\"code_type\":\"dynamic\","
                        "\"expires_in\":900}");
    end(&s);
    refused(read_qr, "{}", "/mode", "required");
    refused(read_qr, "{\"mode\":\"present\",\"code\":\"x\"}", "/code", "wrong_mode");
    refused(read_qr, "{\"mode\":\"present\",\"expires_in\":9}", "/expires_in", "out_of_range");
    refused(read_qr, "{\"mode\":\"present\",\"expires_in\":\"90\"}", "/expires_in",
            "not_an_integer");
    refused(read_qr, "{\"mode\":\"present\",\"scheme\":\"Pix\"}", "/scheme", "wrong_letters");
    refused(read_qr, "{\"mode\":\"present\",\"scheme\":\"4000000000009995\"}", "/scheme",
            "card_number");
    refused(read_qr, "{\"mode\":\"present\",\"scheme\":\"4000-0000-0000-9995\"}", "/scheme",
            "card_number");
    refused(read_qr, "{\"mode\":\"present\",\"surprise\":1}", "/surprise", "unknown_field");
    refused(read_qr, "{\"mode\":\"show\"}", "/mode", "unknown_value");
}

static void a_scanned_code(void **state)
{
    (void)state;
    struct scene s;
    read_with(&s, read_qr, "{\"mode\":\"scan\",\"code\":\"000201010212\"}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "format", "mpm");
    detail_is(&s, "code", "000201010212");
    assert_int_equal(flags_of(&s, "code"), 0);
    assert_string_equal(s.facts, "{\"mode\":\"scan\",\"format\":\"mpm\"}");
    end(&s);
    /* The beginning of any consumer-presented code: 85 05 "CPV01" 61 ... */
    read_with(&s, read_qr, "{\"mode\":\"scan\",\"code\":\"hQVDUFYwMWETTwegAAAA\"}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "format", "cpm");
    assert_int_equal(flags_of(&s, "code"), REF_SENSITIVE);
    assert_string_equal(s.facts, "{\"mode\":\"scan\",\"format\":\"cpm\"}");
    end(&s);
    refused(read_qr, "{\"mode\":\"scan\"}", "/code", "required");
    refused(read_qr, "{\"mode\":\"scan\",\"code\":\"hello\"}", "/code", "unknown_code");
    refused(read_qr, "{\"mode\":\"scan\",\"code\":\"hello!\",\"format\":\"cpm\"}", "/code",
            "wrong_letters");
    refused(read_qr, "{\"mode\":\"scan\",\"code\":\"0002\",\"scheme\":\"pix\"}", "/scheme",
            "wrong_mode");
    refused(read_qr, "{\"mode\":\"scan\",\"code\":\"00\\u0001\"}", "/code", "control_character");
}

static void a_scanned_order_goes_by_bank(void **state)
{
    (void)state;
    struct scene s;
    read_with(
        &s, read_qr_bank,
        "{\"mode\":\"scan\",\"code\":\"BCD\\n002\\n1\\nSCT\\n\\nFranz\\nDE71110220330123456789\"}");
    assert_int_equal(s.f.count, 0);
    assert_string_equal(bank_code(s.root), "epc069-12");
    detail_is(&s, "direction", "send");
    detail_is(&s, "code", "BCD\n002\n1\nSCT\n\nFranz\nDE71110220330123456789");
    assert_string_equal(s.facts, "{\"direction\":\"send\",\"scanned\":\"epc069-12\"}");
    end(&s);
    read_with(&s, read_qr_bank, "{\"mode\":\"scan\",\"code\":\"SPC\\r\\n0200\\r\\n1\"}");
    assert_string_equal(bank_code(s.root), "swiss-qr-bill");
    assert_int_equal(s.f.count, 0);
    end(&s);
    refused(read_qr_bank, "{\"mode\":\"scan\",\"code\":\"SPC\\n0200\",\"format\":\"mpm\"}",
            "/format", "contradiction");
    read_with(&s, read_qr, "{\"mode\":\"scan\",\"code\":\"SPCX\"}");
    assert_null(bank_code(s.root));
    end(&s);
}

/* --- bank ---------------------------------------------------------------------------------- */

static void a_transfer_that_is_sent(void **state)
{
    (void)state;
    struct scene s;
    read_with(
        &s, read_bank,
        "{\"direction\":\"send\",\"speed\":\"instant\",\"creditor\":{\"name\":\"J\xc3\xb6rg\","
        "\"iban\":\"DE75 5121 0800 1245 1261 99\",\"bic\":\"SOGEDEFFXXX\",\"country\":\"DE\"},"
        "\"structured_reference\":\"RF18 5390 0754 7034\",\"execution_date\":\"2028-02-29\"}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "direction", "send");
    detail_is(&s, "speed", "instant");
    detail_is(&s, "creditor_name", "J\xc3\xb6rg");
    detail_is(&s, "creditor_iban", "DE75512108001245126199");
    detail_is(&s, "creditor_bic", "SOGEDEFFXXX");
    detail_is(&s, "structured_reference", "RF18539007547034");
    detail_is(&s, "execution_date", "2028-02-29");
    assert_non_null(strstr(s.facts, "\"iban\":\"DE75512108001245126199\""));
    end(&s);
    refused(read_bank, "{\"direction\":\"send\"}", "/creditor", "required");
    refused(read_bank, "{\"direction\":\"send\",\"creditor\":{\"name\":\"A\"}}", "/creditor/iban",
            "required");
    refused(read_bank,
            "{\"direction\":\"send\",\"creditor\":{\"iban\":\"de75512108001245126199\"}}",
            "/creditor/iban", "wrong_letters");
    refused(read_bank,
            "{\"direction\":\"send\",\"creditor\":{\"iban\":\"DEX5512108001245126199\"}}",
            "/creditor/iban", "wrong_iban");
    refused(read_bank, "{\"direction\":\"receive\",\"creditor\":{\"bic\":\"SOGEDEFFX\"}}",
            "/creditor/bic", "wrong_bic");
    refused(read_bank, "{\"direction\":\"receive\",\"execution_date\":\"2026-02-29\"}",
            "/execution_date", "wrong_date");
    refused(read_bank, "{\"direction\":\"receive\",\"execution_date\":\"26-02-2026\"}",
            "/execution_date", "wrong_date");
    refused(read_bank, "{\"direction\":\"receive\",\"debtor\":{\"country\":\"de\"}}",
            "/debtor/country", "wrong_letters");
}

static void all_errors_are_told_at_once(void **state)
{
    (void)state;
    struct scene s;
    read_with(&s, read_bank,
              "{\"direction\":\"up\",\"speed\":\"fast\",\"debtor\":{\"iban\":1,\"x\":2}}");
    error_is(&s, "/direction", "unknown_value");
    error_is(&s, "/speed", "unknown_value");
    error_is(&s, "/debtor/iban", "not_a_text");
    error_is(&s, "/debtor/x", "unknown_field");
    assert_int_equal(s.f.count, 4);
    end(&s);
}

static void digits_that_are_a_fields_nature_are_taken_but_not_shown(void **state)
{
    (void)state;
    struct scene s;
    read_with(&s, read_bank,
              "{\"direction\":\"send\",\"creditor\":{\"account\":\"4111111111111111\"}}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "creditor_account", "4111111111111111");
    assert_int_equal(flags_of(&s, "creditor_account"), REF_SENSITIVE);
    assert_null(strstr(s.facts, "4111111111111111"));
    assert_non_null(strstr(s.facts, "\"account\":\"...1111\""));
    end(&s);
    refused(read_bank,
            "{\"direction\":\"send\",\"creditor\":{\"alias\":\"a\",\"name\":\"4111111111111111\"}}",
            "/creditor/name", "card_number");
}

static void lengths_count_characters(void **state)
{
    (void)state;
    char json[1024];
    struct scene s;
    struct writer w = writer_over(json, sizeof json);
    writer_text(&w, "{\"direction\":\"receive\",\"creditor\":{\"name\":\"");
    for (int i = 0; i < 140; i++)
        writer_text(&w, "\xe3\x81\x82");
    writer_text(&w, "\"}}");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    read_with(&s, read_bank, json);
    assert_int_equal(s.f.count, 0);
    assert_int_equal(refs_find(s.details, "creditor_name").len, 420);
    end(&s);
}

/* --- cbdc ---------------------------------------------------------------------------------- */

static void a_transfer_between_wallets(void **state)
{
    (void)state;
    struct scene s;
    read_with(
        &s, read_cbdc,
        "{\"action\":\"transfer\",\"payer\":{\"wallet\":\"w_1\"},\"payee\":{\"alias\":\"+491711\"},"
        "\"lock_purpose\":\"food\",\"expires_in\":86400}");
    assert_int_equal(s.f.count, 0);
    detail_is(&s, "action", "transfer");
    detail_is(&s, "payer_wallet", "w_1");
    detail_is(&s, "payee_alias", "+491711");
    detail_is(&s, "lock_purpose", "food");
    detail_is(&s, "expires_in", "86400");
    end(&s);
    refused(read_cbdc, "{\"action\":\"transfer\"}", "/payee", "required");
    refused(read_cbdc, "{\"action\":\"issue\",\"payer\":{\"wallet\":\"w\"}}", "/payer",
            "contradiction");
    refused(read_cbdc, "{\"action\":\"redeem\",\"payee\":{\"wallet\":\"w\"}}", "/payee",
            "contradiction");
    refused(read_cbdc, "{\"action\":\"issue\",\"payee\":{\"wallet\":\"w\",\"alias\":\"a\"}}",
            "/payee/alias", "contradiction");
    refused(read_cbdc, "{\"action\":\"issue\",\"payee\":{}}", "/payee/wallet", "required");
}

/* --- the code that is shown ------------------------------------------------------------------ */

static void the_payload_is_found_until_it_expires(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, (size_t)256 * 1024);
    int64_t at_us = INT64_C(1700000000) * 1000000; /* 2023-11-14T22:13:20Z */
    struct view stored =
        VIEW("\"outcome\":{\"result\":\"pending\"},\"next_action\":{\"type\":\"show_code\","
             "\"payload\":\"0002\\\"01\",\"expires\":\"2023-11-14T22:13:20.001Z\"}");
    assert_true(view_is(code_of(&arena, stored, at_us), "0002\"01"));
    assert_int_equal(code_of(&arena, stored, at_us + 1000).len, 0);
    assert_true(view_is(
        code_of(&arena, VIEW("\"next_action\":{\"type\":\"show_code\",\"payload\":\"x\"}"), at_us),
        "x"));
    assert_int_equal(
        code_of(&arena, VIEW("\"next_action\":{\"type\":\"redirect\",\"payload\":\"x\"}"), at_us)
            .len,
        0);
    assert_int_equal(code_of(&arena, VIEW("\"next_action\":null"), at_us).len, 0);
    assert_int_equal(code_of(&arena, VIEW("\"outcome\":{}"), at_us).len, 0);
    assert_int_equal(code_of(&arena, VIEW_EMPTY, at_us).len, 0);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_to_show),
        cmocka_unit_test(a_scanned_code),
        cmocka_unit_test(a_scanned_order_goes_by_bank),
        cmocka_unit_test(a_transfer_that_is_sent),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(digits_that_are_a_fields_nature_are_taken_but_not_shown),
        cmocka_unit_test(lengths_count_characters),
        cmocka_unit_test(a_transfer_between_wallets),
        cmocka_unit_test(the_payload_is_found_until_it_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
