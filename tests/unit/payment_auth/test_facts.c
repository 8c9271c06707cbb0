/* test_facts.c - a request, a recorded payment and a file for `explain` say the same.
 *
 * Test card numbers from published ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "payment/facts.h"

#define NOW_US INT64_C(1700000000000000)

struct scene {
    struct arena arena;
    struct compliance_facts facts;
    enum status status;
    char why[256];
};

static void read_json(struct scene *s, const char *json)
{
    const struct json_node *root = NULL;
    *s = (struct scene){ .status = STATUS_OK };
    arena_init(&s->arena, (size_t)256 * 1024);
    assert_int_equal(json_read(view_text(json), NULL, &s->arena, &root, NULL), STATUS_OK);
    struct writer why = writer_over(s->why, sizeof s->why);
    s->status = facts_of_payment(root, NOW_US, &s->facts, &why);
    assert_int_equal(writer_terminate(&why), STATUS_OK);
    assert_int_equal(why.len > 0, s->status != STATUS_OK);
}

static void end(struct scene *s)
{
    arena_reset(&s->arena);
}

static void is(const struct scene *s, const char *name, const char *value)
{
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    enum fact fact = fact_by_name(view_text(name));
    assert_int_not_equal(fact, FACT_NONE);
    facts_write(&w, &s->facts, fact);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    if (strcmp(text, value) != 0)
        fail_msg("%s is `%s`, not `%s`", name, text, value);
}

static void not_given(const struct scene *s, const char *name)
{
    assert_false(s->facts.values[fact_by_name(view_text(name))].given);
}

#define AMOUNT "\"amount\":{\"value\":1250,\"currency\":\"EUR\"}"

static void everything_about_a_card(void **state)
{
    (void)state;
    struct scene s;
    read_json(
        &s,
        "{" AMOUNT ",\"kind\":\"bill\",\"capture\":\"manual\",\"purpose\":\"GDDS\","
        "\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"contactless\",\"emv\":\"9F\","
        "\"track2\":\"4242424242424242=30121011234500000\",\"pin_block\":\"0123456789ABCDEF\"}},"
        "\"payer\":{\"id\":\"c1\",\"name\":\"N\",\"country\":\"DE\",\"type\":\"person\","
        "\"kyc_tier\":2,\"address\":\"A\",\"birth_date\":\"1999-12-31\",\"national_id\":\"X1\","
        "\"account\":\"not for cards\"},"
        "\"payee\":{\"id\":\"s1\",\"name\":\"S\",\"country\":\"FR\",\"type\":\"business\","
        "\"kyc_tier\":0,\"address\":\"B\",\"account\":\"FR1\",\"mcc\":\"5411\","
        "\"balance\":{\"value\":0,\"currency\":\"EUR\"}},"
        "\"device\":{\"id\":\"d1\",\"registered\":true},\"risk\":\"high\","
        "\"initiator\":\"merchant\",\"cash\":true}");
    assert_int_equal(s.status, STATUS_OK);
    static const char *const rows[][2] = {
        { "rail", "card" },
        { "kind", "bill" },
        { "amount", "12.50 EUR" },
        { "currency", "EUR" },
        { "capture", "manual" },
        { "purpose", "GDDS" },
        { "initiator", "merchant" },
        { "cash", "yes" },
        { "risk", "high" },
        { "authenticated", "yes" },
        { "payer.id", "c1" },
        { "payer.name", "N" },
        { "payer.country", "DE" },
        { "payer.type", "person" },
        { "payer.kyc_tier", "2" },
        { "payer.account", "-" },
        { "payer.address", "A" },
        { "payer.birth_date", "1999-12-31" },
        { "payer.age", "-" },
        { "payer.national_id", "X1" },
        { "payee.id", "s1" },
        { "payee.name", "S" },
        { "payee.country", "FR" },
        { "payee.type", "business" },
        { "payee.kyc_tier", "0" },
        { "payee.account", "FR1" },
        { "payee.address", "B" },
        { "payee.balance", "0" },
        { "payee.mcc", "5411" },
        { "device.id", "d1" },
        { "device.registered", "yes" },
        { "entry", "contactless" },
        { "pin", "yes" },
        { "card.first6", "424242" },
        { "mode", "-" },
        { "scheme", "-" },
        { "merchant", "-" },
        { "cross_border", "-" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        is(&s, rows[i][0], rows[i][1]);
    end(&s);
}

static void what_is_not_said_is_missing(void **state)
{
    (void)state;
    struct scene s;
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"manual\","
                  "\"pan\":\"4111111111111111\"}}}");
    assert_int_equal(s.status, STATUS_OK);
    is(&s, "kind", "purchase");
    is(&s, "capture", "automatic");
    is(&s, "authenticated", "no");
    is(&s, "pin", "no");
    is(&s, "card.first6", "411111");
    static const char *const missing[] = {
        "initiator",         "cash",           "risk",      "payer.id",      "payer.name",
        "payer.country",     "payer.kyc_tier", "payee.mcc", "payee.balance", "device.id",
        "device.registered", "purpose"
    };
    for (size_t i = 0; i < COUNT_OF(missing); i++)
        not_given(&s, missing[i]);
    end(&s);
}

/* As render_payment shows it. */
static void a_recorded_card_payment(void **state)
{
    (void)state;
    struct scene s;
    read_json(&s,
              "{\"id\":\"pay_0000000000001\",\"status\":\"succeeded\"," AMOUNT
              ",\"captured\":1250,\"kind\":\"purchase\",\"capture\":\"automatic\","
              "\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"chip\",\"first6\":\"411111\","
              "\"last4\":\"1111\",\"pin\":true}},\"outcome\":null,\"next_action\":null}");
    assert_int_equal(s.status, STATUS_OK);
    is(&s, "entry", "chip");
    is(&s, "pin", "yes");
    is(&s, "authenticated", "yes");
    is(&s, "card.first6", "411111");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"stripe\","
                  "\"first6\":\"411111\",\"last4\":\"1111\",\"pin\":true}}}");
    is(&s, "pin", "yes");
    is(&s, "authenticated", "no"); /* a stripe can be copied */
    end(&s);
}

static void wrong_types_are_left_out(void **state)
{
    (void)state;
    struct scene s;
    read_json(
        &s, "{" AMOUNT ",\"capture\":1,\"risk\":\"none\",\"initiator\":true,\"cash\":\"yes\","
            "\"purpose\":{},\"device\":[],\"payer\":{\"id\":1,\"country\":\"de\","
            "\"type\":\"robot\",\"kyc_tier\":\"2\",\"birth_date\":\"2026-02-30\"},"
            "\"payee\":{\"mcc\":\"54a1\",\"kyc_tier\":10,"
            "\"balance\":{\"value\":1,\"currency\":\"USD\"}},"
            "\"method\":{\"type\":\"card\",\"card\":{\"entry\":\"wish\",\"first6\":\"4x1111\"}}}");
    assert_int_equal(s.status, STATUS_OK);
    static const char *const missing[] = {
        "capture",          "risk",      "initiator",      "cash",          "purpose",
        "device.id",        "payer.id",  "payer.country",  "payer.type",    "payer.kyc_tier",
        "payer.birth_date", "payee.mcc", "payee.kyc_tier", "payee.balance", "entry",
        "card.first6"
    };
    for (size_t i = 0; i < COUNT_OF(missing); i++)
        not_given(&s, missing[i]);
    end(&s);
    read_json(&s,
              "{" AMOUNT ",\"payer\":3,\"payee\":null,\"method\":{\"type\":\"bank\",\"bank\":7}}");
    assert_int_equal(s.status, STATUS_OK);
    end(&s);
}

static void bank_transfers(void **state)
{
    (void)state;
    struct scene s;
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"bank\",\"bank\":{\"scheme\":\"sct\","
                  "\"speed\":\"instant\",\"debtor\":{\"iban\":\"DE1\",\"name\":\"D\","
                  "\"country\":\"DE\"},\"creditor\":{\"account\":\"42\",\"name\":\"C\","
                  "\"country\":\"FR\",\"address\":\"Rue\"}}},"
                  "\"payer\":{\"name\":\"P\",\"account\":\"other\"},"
                  "\"payee\":{\"account\":\"other\"}}");
    is(&s, "direction", "send"); /* when nothing is said */
    is(&s, "scheme", "sct");
    is(&s, "speed", "instant");
    is(&s, "payer.account", "DE1");
    is(&s, "payee.account", "42");
    is(&s, "payer.name", "D"); /* what goes out, not what is said beside it */
    is(&s, "payer.country", "DE");
    is(&s, "payee.name", "C");
    is(&s, "payee.country", "FR");
    is(&s, "payee.address", "Rue");
    is(&s, "mode", "-");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"bank\",\"bank\":{\"direction\":\"receive\","
                  "\"debtor\":{\"iban\":\"DE1\"}}},\"payer\":{\"alias\":\"a\"}}");
    is(&s, "direction", "receive");
    is(&s, "payer.account", "a");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"bank\",\"bank\":{\"direction\":\"send\","
                  "\"creditor\":{\"alias\":\"...1111\"}}},\"payer\":{\"account\":\"77\"}}");
    is(&s, "payee.account", "...1111"); /* as it is recorded */
    is(&s, "payer.account", "77");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"bank\",\"bank\":{\"creditor\":"
                  "{\"alias\":\"+55\"}}},\"payee\":{\"account\":\"42\",\"alias\":\"+66\"}}");
    is(&s, "payee.account", "42"); /* the order names both, and money goes to the account */
    end(&s);
}

static void codes(void **state)
{
    (void)state;
    struct scene s;
    read_json(&s,
              "{" AMOUNT ",\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"present\","
              "\"scheme\":\"pix\"}},\"payer\":{\"alias\":\"+55\"},\"payee\":{\"account\":\"1\"}}");
    is(&s, "rail", "qr");
    is(&s, "mode", "present");
    is(&s, "scheme", "pix");
    is(&s, "payer.account", "+55");
    is(&s, "payee.account", "1");
    is(&s, "direction", "-");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"scan\",\"code\":"
                  "\"000201\"}},\"payer\":{\"account\":\"1\",\"alias\":\"2\"}}");
    is(&s, "rail", "qr");
    is(&s, "mode", "scan");
    is(&s, "payer.account", "1");
    end(&s);
}

static void scanned_orders_for_a_bank(void **state)
{
    (void)state;
    struct scene s;
    read_json(
        &s, "{" AMOUNT ",\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"scan\",\"code\":"
            "\"BCD\\r\\n002\\r\\n1\\r\\nSCT\\r\\n\\r\\nFranz\\r\\nDE71110220330123456789\\r\\n\"}},"
            "\"payee\":{\"name\":\"somebody else\",\"account\":\"elsewhere\"},"
            "\"payer\":{\"account\":\"mine\"}}");
    assert_int_equal(s.facts.rail, RAIL_BANK);
    is(&s, "rail", "bank");
    is(&s, "direction", "send");
    is(&s, "mode", "-");
    is(&s, "payee.name", "Franz"); /* money goes there, whatever the request says */
    is(&s, "payee.account", "DE71110220330123456789");
    is(&s, "payer.account", "mine");
    end(&s);
    read_json(
        &s, "{" AMOUNT ",\"method\":{\"type\":\"qr\",\"qr\":{\"mode\":\"scan\",\"code\":"
            "\"SPC\\n0200\\n1\\nCH4431999123000889012\\nS\\nMax\\nWeg\\n1\\n8000\\nZ\\nCH\\n\"}}}");
    is(&s, "rail", "bank");
    is(&s, "payee.name", "Max");
    is(&s, "payee.account", "CH4431999123000889012");
    is(&s, "payee.country", "CH");
    end(&s);
    /* As it is recorded: the code is not kept. */
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"bank\",\"bank\":{\"direction\":\"send\","
                  "\"scanned\":\"epc069-12\"}}}");
    is(&s, "rail", "bank");
    is(&s, "payee.account", "-");
    end(&s);
    read_json(&s,
              "{" AMOUNT ",\"method\":{\"type\":\"qr\",\"qr\":{\"code\":\"BCD\\n\"}}}"); /* cut */
    is(&s, "rail", "bank");
    is(&s, "payee.account", "-");
    end(&s);
}

static void central_bank_money(void **state)
{
    (void)state;
    struct scene s;
    read_json(&s,
              "{" AMOUNT ",\"method\":{\"type\":\"cbdc\",\"cbdc\":{\"payer\":{\"wallet\":\"w1\"},"
              "\"payee\":{\"alias\":\"a2\"}}},\"payer\":{\"account\":\"x\"},\"payee\":{"
              "\"account\":\"y\"}}");
    is(&s, "action", "transfer");
    is(&s, "payer.account", "w1");
    is(&s, "payee.account", "a2");
    end(&s);
    read_json(&s, "{" AMOUNT ",\"method\":{\"type\":\"cbdc\",\"cbdc\":{\"action\":\"issue\"}},"
                  "\"payee\":{\"account\":\"y\"}}");
    is(&s, "action", "issue");
    is(&s, "payer.account", "-");
    is(&s, "payee.account", "y");
    end(&s);
}

static void what_cannot_be_decided_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *json, *place;
    } rows[] = {
        { "{}", "/amount/value" },
        { "[]", "/amount/value" },
        { "null", "/amount/value" },
        { "{\"amount\":{\"value\":0,\"currency\":\"EUR\"}}", "/amount/value" },
        { "{\"amount\":{\"value\":1.5,\"currency\":\"EUR\"}}", "/amount/value" },
        { "{\"amount\":{\"value\":1,\"currency\":\"eur\"}}", "/amount/currency" },
        { "{" AMOUNT "}", "/method/type" },
        { "{" AMOUNT ",\"method\":{\"type\":\"cash\"}}", "/method/type" },
        { "{" AMOUNT ",\"kind\":\"gift\",\"method\":{\"type\":\"card\"}}", "/kind" },
        { "{" AMOUNT ",\"kind\":3,\"method\":{\"type\":\"card\"}}", "/kind" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scene s;
        read_json(&s, rows[i].json);
        assert_int_equal(s.status, STATUS_MALFORMED);
        assert_memory_equal(s.why, rows[i].place, strlen(rows[i].place));
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_about_a_card),
        cmocka_unit_test(what_is_not_said_is_missing),
        cmocka_unit_test(a_recorded_card_payment),
        cmocka_unit_test(wrong_types_are_left_out),
        cmocka_unit_test(bank_transfers),
        cmocka_unit_test(codes),
        cmocka_unit_test(scanned_orders_for_a_bank),
        cmocka_unit_test(central_bank_money),
        cmocka_unit_test(what_cannot_be_decided_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
