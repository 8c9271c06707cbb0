/* test_api_party.c - payer, payee, device and circumstances: what is taken, shown and refused.
 *
 * Test card numbers from published ranges. */
#include "body_read.h"

#include "base/ensure.h"
#include "domain/refs.h"

struct scene {
    struct body body;
    char facts[4096];
    struct view details;
};

enum paid_by { BY_CARD = 1, BY_BANK };

static void read_all(struct scene *s, const char *json, enum paid_by by)
{
    const struct currency *euro = NULL;
    struct json_out facts;
    body_open(&s->body, json);
    uint8_t *room = arena_alloc(&s->body.arena, 8192);
    struct writer details = writer_over(room, 8192);
    struct writer w = writer_over(s->facts, sizeof s->facts - 1);
    assert_int_equal(currency_by_code(VIEW("EUR"), &euro), STATUS_OK);
    json_out_init(&facts, &w);
    json_open_object(&facts, NULL);
    read_payer(&s->body.f, s->body.root, by == BY_CARD ? NULL : &details, &facts);
    read_payee(&s->body.f, s->body.root, euro, by == BY_CARD ? NULL : &details, &facts);
    read_circumstances(&s->body.f, s->body.root, &facts);
    json_close_object(&facts);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_false(details.overflow);
    s->details = writer_done(&details);
}

static void taken(const char *json)
{
    struct scene s;
    read_all(&s, json, BY_CARD);
    for (size_t i = 0; i < s.body.f.count; i++)
        print_message("%.*s %s\n", (int)s.body.f.errors[i].pointer.len,
                      (const char *)s.body.f.errors[i].pointer.ptr, s.body.f.errors[i].code);
    assert_int_equal(s.body.f.count, 0);
    body_close(&s.body);
}

static void refused(const char *json, const char *pointer, const char *code)
{
    struct scene s;
    read_all(&s, json, BY_CARD);
    body_error_is(&s.body, pointer, code);
    body_close(&s.body);
}

static void all_of_it_is_shown(void **state)
{
    (void)state;
    static const char json[] =
        "{\"payer\":{\"id\":\"c\",\"name\":\"N\",\"type\":\"person\",\"country\":\"DE\","
        "\"kyc_tier\":2,\"birth_date\":\"1955-02-28\",\"national_id\":\"L01X00T47\"},"
        "\"payee\":{\"type\":\"business\",\"national_id\":\"7\",\"account\":\"1\",\"mcc\":\"5411\","
        "\"balance\":{\"value\":0,\"currency\":\"EUR\"}},"
        "\"device\":{\"id\":\"d-1\",\"registered\":false},\"risk\":\"low\","
        "\"initiator\":\"payer\",\"cash\":false}";
    struct scene s;
    read_all(&s, json, BY_BANK);
    assert_int_equal(s.body.f.count, 0);
    assert_string_equal(s.facts, json);
    /* The channel hears nothing of what is only for the decision. */
    struct cursor c = cursor_over(s.details);
    struct ref row;
    bool broken = false;
    size_t rows = 0;
    for (; refs_next(&c, &row, &broken); rows++)
        assert_true(view_is(row.name, "payer_id") || view_is(row.name, "payer_name") ||
                    view_is(row.name, "payer_country") || view_is(row.name, "payee_account"));
    assert_false(broken);
    assert_int_equal(rows, 4);
    body_close(&s.body);
}

static void values_at_their_edges(void **state)
{
    (void)state;
    char json[512], text[200];
    memset(text, 'x', sizeof text);
    static const struct {
        const char *before, *after, *pointer;
        int most;
    } rows[] = {
        { "{\"payer\":{\"national_id\":\"", "\"}}", "/payer/national_id", 64 },
        { "{\"device\":{\"id\":\"", "\"}}", "/device/id", 128 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int len = 0; len <= rows[i].most + 1; len++) {
            struct writer w = writer_over(json, sizeof json);
            writer_text(&w, rows[i].before);
            writer_bytes(&w, text, (size_t)len);
            writer_text(&w, rows[i].after);
            assert_int_equal(writer_terminate(&w), STATUS_OK);
            if (len >= 1 && len <= rows[i].most)
                taken(json);
            else
                refused(json, rows[i].pointer, "wrong_length");
        }
    }
    taken("{\"payer\":{\"birth_date\":\"2000-02-29\"}}");
    taken("{\"payer\":{\"birth_date\":\"1904-02-29\"}}");
    taken("{\"payer\":{\"birth_date\":\"1900-01-01\"}}");
    taken("{\"payee\":{\"balance\":{\"value\":9223372036854775807,\"currency\":\"EUR\"}}}");
    taken("{\"payee\":{\"mcc\":\"0000\"}}");
    taken("{\"payer\":{},\"payee\":{}}");
}

static void what_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        { "{\"payer\":{\"type\":\"robot\"}}", "/payer/type", "unknown_value" },
        { "{\"payer\":{\"type\":true}}", "/payer/type", "not_a_text" },
        { "{\"payer\":{\"national_id\":12}}", "/payer/national_id", "not_a_text" },
        { "{\"payer\":{\"national_id\":\"a\\nb\"}}", "/payer/national_id", "control_character" },
        { "{\"payer\":{\"national_id\":\"4111111111111111\"}}", "/payer/national_id",
          "card_number" },
        { "{\"payer\":{\"mcc\":\"5411\"}}", "/payer/mcc", "unknown_field" },
        { "{\"payer\":{\"balance\":{\"value\":1,\"currency\":\"EUR\"}}}", "/payer/balance",
          "unknown_field" },
        { "{\"payer\":{\"birth_date\":\"1999-02-29\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1900-02-29\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1899-12-31\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1999-00-10\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1999-13-10\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1999-04-31\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"1999/04/30\"}}", "/payer/birth_date", "wrong_date" },
        { "{\"payer\":{\"birth_date\":\"99-04-30\"}}", "/payer/birth_date", "wrong_length" },
        { "{\"payee\":{\"mcc\":\"541\"}}", "/payee/mcc", "wrong_length" },
        { "{\"payee\":{\"mcc\":\"54111\"}}", "/payee/mcc", "wrong_length" },
        { "{\"payee\":{\"mcc\":\"541a\"}}", "/payee/mcc", "wrong_letters" },
        { "{\"payee\":{\"mcc\":5411}}", "/payee/mcc", "not_a_text" },
        { "{\"payee\":{\"balance\":10}}", "/payee/balance", "not_an_object" },
        { "{\"payee\":{\"balance\":{\"value\":-1,\"currency\":\"EUR\"}}}", "/payee/balance/value",
          "not_positive" },
        { "{\"payee\":{\"balance\":{\"value\":1.5,\"currency\":\"EUR\"}}}", "/payee/balance/value",
          "not_an_integer" },
        { "{\"payee\":{\"balance\":{\"value\":1,\"currency\":\"USD\"}}}", "/payee/balance/currency",
          "contradiction" },
        { "{\"payee\":{\"balance\":{\"value\":1}}}", "/payee/balance/currency", "required" },
        { "{\"payee\":{\"balance\":{\"currency\":\"EUR\"}}}", "/payee/balance/value", "required" },
        { "{\"payee\":{\"balance\":{\"value\":1,\"currency\":\"EUR\",\"x\":1}}}",
          "/payee/balance/x", "unknown_field" },
        { "{\"device\":{}}", "/device/id", "required" },
        { "{\"device\":\"d\"}", "/device", "not_an_object" },
        { "{\"device\":{\"id\":\"d\",\"registered\":\"yes\"}}", "/device/registered",
          "not_a_flag" },
        { "{\"device\":{\"id\":\"d\",\"registered\":1}}", "/device/registered", "not_a_flag" },
        { "{\"device\":{\"id\":\"4111111111111111\"}}", "/device/id", "card_number" },
        { "{\"device\":{\"id\":\"d\",\"os\":\"x\"}}", "/device/os", "unknown_field" },
        { "{\"risk\":\"none\"}", "/risk", "unknown_value" },
        { "{\"risk\":1}", "/risk", "not_a_text" },
        { "{\"initiator\":\"bank\"}", "/initiator", "unknown_value" },
        { "{\"cash\":\"no\"}", "/cash", "not_a_flag" },
        { "{\"cash\":null}", "/cash", "not_a_flag" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refused(rows[i][0], rows[i][1], rows[i][2]);
}

static void all_errors_are_told_at_once(void **state)
{
    (void)state;
    struct scene s;
    read_all(&s,
             "{\"payer\":{\"type\":\"x\",\"kyc_tier\":10},\"payee\":{\"mcc\":\"x\",\"y\":1},"
             "\"device\":{\"registered\":0},\"risk\":\"x\",\"initiator\":\"x\",\"cash\":0}",
             BY_CARD);
    body_error_is(&s.body, "/payer/type", "unknown_value");
    body_error_is(&s.body, "/payer/kyc_tier", "out_of_range");
    body_error_is(&s.body, "/payee/mcc", "wrong_length");
    body_error_is(&s.body, "/payee/y", "unknown_field");
    body_error_is(&s.body, "/device/id", "required");
    body_error_is(&s.body, "/device/registered", "not_a_flag");
    body_error_is(&s.body, "/risk", "unknown_value");
    body_error_is(&s.body, "/initiator", "unknown_value");
    body_error_is(&s.body, "/cash", "not_a_flag");
    assert_int_equal(s.body.f.count, 9);
    body_close(&s.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_shown),
        cmocka_unit_test(values_at_their_edges),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(all_errors_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
