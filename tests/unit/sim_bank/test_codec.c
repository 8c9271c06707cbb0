/* test_codec.c - the small parts of the bank against numbers from their standards: amounts, dates,
 * account numbers, XML, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bank/jose.h"
#include "bank/money.h"
#include "bank/xml_in.h"
#include "bank/xml_out.h"
#include "base/ensure.h"

static void amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *currency;
        enum status status;
        int64_t minor;
    } cases[] = {
        { "12.50", "EUR", STATUS_OK, 1250 },   { "12.5", "EUR", STATUS_OK, 1250 },
        { "12", "EUR", STATUS_OK, 1200 },      { "0.01", "EUR", STATUS_OK, 1 },
        { "100", "JPY", STATUS_OK, 100 },      { "1.234", "KWD", STATUS_OK, 1234 },
        { "0", "EUR", STATUS_OK, 0 },          { "12.505", "EUR", STATUS_RANGE, 0 },
        { "100.0", "JPY", STATUS_RANGE, 0 },   { "12.", "EUR", STATUS_MALFORMED, 0 },
        { ".5", "EUR", STATUS_MALFORMED, 0 },  { "1,5", "EUR", STATUS_MALFORMED, 0 },
        { "-1", "EUR", STATUS_MALFORMED, 0 },  { "", "EUR", STATUS_MALFORMED, 0 },
        { "1", "XXX", STATUS_UNSUPPORTED, 0 }, { "9999999999999999999", "EUR", STATUS_RANGE, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t minor = 0;
        assert_int_equal(money_read(view_text(cases[i].text), view_text(cases[i].currency), &minor),
                         cases[i].status);
        assert_int_equal(minor, cases[i].minor);
    }
    char text[64];
    struct writer w = writer_over(text, sizeof text);
    money_write(&w, 1205, "EUR");
    money_write(&w, 7, "JPY");
    money_write(&w, 1, "KWD");
    assert_true(view_is(writer_done(&w), "12.0570.001"));
}

static void dates_go_there_and_back(void **state)
{
    (void)state;
    static const char *const good[] = { "1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z",
                                        "2026-11-22T12:00:00.000Z", "2100-03-01T00:00:00.001Z",
                                        "2026-12-31T00:00:00.000Z" };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t wall_us = 0;
        char text[64];
        struct writer w = writer_over(text, sizeof text);
        assert_int_equal(wall_read(view_text(good[i]), &wall_us), STATUS_OK);
        wall_write(&w, wall_us, false);
        assert_true(view_is(writer_done(&w), good[i]));
    }
    int64_t a = 0, b = 0;
    assert_int_equal(wall_read(VIEW("2026-11-22T13:00:00+01:00"), &a), STATUS_OK);
    assert_int_equal(wall_read(VIEW("2026-11-22T12:00:00Z"), &b), STATUS_OK);
    assert_int_equal(a, b);
    assert_int_equal(a, INT64_C(1795348800000000));
    static const char *const bad[] = { "2026-02-29",
                                       "2026-13-01",
                                       "2026-11-22T24:00:00Z",
                                       "2026-11-22T12:00",
                                       "26-11-22",
                                       "2026-11-22x",
                                       "" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(wall_read(view_text(bad[i]), &a), STATUS_MALFORMED);
}

static void account_numbers(void **state)
{
    (void)state;
    assert_true(iban_valid(VIEW("DE89370400440532013000")));
    assert_true(iban_valid(VIEW("NO9386011117947")));
    assert_true(iban_valid(VIEW("GB29NWBK60161331926819")));
    assert_false(iban_valid(VIEW("DE89370400440532013001")));
    assert_false(iban_valid(VIEW("DE8937040044053201300"))); /* one digit short */
    assert_false(iban_valid(VIEW("de89370400440532013000")));
    assert_true(iban_is_qr(VIEW("CH4431999123000889012")));
    assert_false(iban_is_qr(VIEW("CH9300762011623852957")));
    assert_true(qr_reference_valid(VIEW("210000000003139471430009017")));
    assert_false(qr_reference_valid(VIEW("210000000003139471430009018")));
    assert_true(creditor_reference_valid(VIEW("RF18539007547034")));
    assert_false(creditor_reference_valid(VIEW("RF19539007547034")));
    assert_true(bic_valid(VIEW("DEUTDEFF")) && bic_valid(VIEW("DEUTDEFF500")));
    assert_false(bic_valid(VIEW("DEUTDEFF5")) || bic_valid(VIEW("DEUT1EFF")));
    assert_true(uetr_valid(VIEW("8a562c67-ca16-48ba-b074-65581be6f001")));
    assert_false(uetr_valid(VIEW("8A562C67-CA16-48BA-B074-65581BE6F001")));
    assert_false(uetr_valid(VIEW("8a562c67-ca16-58ba-b074-65581be6f001")));
}

static enum status parse(const char *text, struct arena *arena, const struct xml_node **root)
{
    struct xml_error error;
    arena_init(arena, 1 << 20);
    return xml_read(view_text(text), arena, root, &error);
}

static void xml_reads_what_it_should(void **state)
{
    (void)state;
    struct arena arena;
    const struct xml_node *root = NULL;
    assert_int_equal(
        parse("<?xml version='1.0' encoding='utf-8'?><!-- c --><e:a xmlns:e='urn:e'>\n"
              "<b xmlns='urn:b' Ccy=\"E&amp;R\">x &lt;&#65;&#x20AC;<![CDATA[<&]]>\r\ny</b><e:c/>"
              "</e:a> ",
              &arena, &root),
        STATUS_OK);
    assert_true(view_is(root->name, "a") && view_is(root->ns, "urn:e"));
    const struct xml_node *b = xml_at(root, "b");
    assert_true(view_is(b->ns, "urn:b") && view_is(b->text, "x <A\xE2\x82\xAC<&\ny"));
    assert_true(view_is(xml_attribute(b, "Ccy"), "E&R"));
    assert_ptr_equal(xml_find(root, "c", "urn:e"), b->next);
    assert_null(xml_find(root, "c", "urn:b"));
    arena_reset(&arena);
}

static void xml_refuses_what_it_should(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a x=1/>",
        "<a x='1' x='2'/>",
        "<a x='1'y='2'/>",
        "<e:a/>",
        "<a e:x='1'/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<a>&x;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>& </a>",
        "<a><?pi?></a>",
        "<?xml version='1.0' encoding='latin1'?><a/>",
        "<?xml version='1.1'?><a/>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a>\x01</a>",
        "<a>\xFF</a>",
        "<a x='<'/>",
        "<a:b:c xmlns:a='u'/>",
        "<a xmlns:e=''/>",
        "</a>",
        "<a/>x",
        "<a><![CDATA[</a>",
        "<1a/>",
        "< a/>",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct arena arena;
        const struct xml_node *root = NULL;
        if (parse(bad[i], &arena, &root) == STATUS_OK)
            fail_msg("taken: %s", bad[i]);
        arena_reset(&arena);
    }
    char deep[1024] = "";
    for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
        strcat(deep, "<a>");
    struct arena arena;
    const struct xml_node *root = NULL;
    assert_int_equal(parse(deep, &arena, &root), STATUS_FULL);
    arena_reset(&arena);
}

/* RFC 8037 appendix A.4 signs this payload with this key. */
static void a_signature_of_the_standard(void **state)
{
    (void)state;
    struct jose_key public_key[2] = { { .alg = (enum jose_alg)0 } };
    struct jose_header header;
    assert_int_equal(
        jose_key_public(&public_key[0], VIEW("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
        STATUS_OK);
    assert_int_equal(jose_verify_detached(
                         public_key, 2, "",
                         VIEW("eyJhbGciOiJFZERTQSJ9..hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6"
                              "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
                         VIEW("Example of Ed25519 signing"), &header),
                     STATUS_OK);
    assert_int_equal(header.alg, JOSE_EDDSA);
    assert_int_equal(jose_verify_detached(
                         public_key, 2, "",
                         VIEW("eyJhbGciOiJFZERTQSJ9..hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6"
                              "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
                         VIEW("example of Ed25519 signing"), &header),
                     STATUS_REFUSED);
    jose_key_fini(&public_key[0]);
}

static void signatures_go_there_and_back(void **state)
{
    (void)state;
    static const struct {
        enum jose_alg alg;
        const char *secret, *open;
    } keys[] = {
        { JOSE_EDDSA, "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
          "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw" },
        { JOSE_ES256, "ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE",
          "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A_4QCLi8maQa6elWKLxk8vGyDC1-"
          "n1F3o8KU1EYimQ" },
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct jose_key secret, open[2] = { { .alg = (enum jose_alg)0 } };
        struct jose_header header;
        char text[1024], again[1024];
        struct writer w = writer_over(text, sizeof text), v = writer_over(again, sizeof again);
        assert_int_equal(jose_key_private(&secret, view_text(keys[i].secret), keys[i].alg),
                         STATUS_OK);
        assert_int_equal(jose_key_public(&open[1], view_text(keys[i].open)), STATUS_OK);
        assert_int_equal(jose_sign_detached(&secret, "k1", 1234, VIEW("<a/>"), &w), STATUS_OK);
        assert_int_equal(jose_sign_detached(&secret, "k1", 1234, VIEW("<a/>"), &v), STATUS_OK);
        assert_true(view_equal(writer_done(&w), writer_done(&v))); /* nothing random */
        assert_int_equal(
            jose_verify_detached(open, 2, "k1", writer_done(&w), VIEW("<a/>"), &header), STATUS_OK);
        assert_int_equal(header.iat_s, 1234);
        assert_int_equal(
            jose_verify_detached(open, 2, "k2", writer_done(&w), VIEW("<a/>"), &header),
            STATUS_MISMATCH);
        assert_int_equal(
            jose_verify_detached(open, 2, "k1", writer_done(&w), VIEW("<a/> "), &header),
            STATUS_REFUSED);
        jose_key_fini(&secret);
        jose_key_fini(&open[1]);
    }
}

/* The same keys as PEM (PKCS #8, SPKI). */
static void keys_come_as_pem_too(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "-----BEGIN PRIVATE KEY-----\n"
          "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
          "-----END PRIVATE KEY-----\n",
          "-----BEGIN PUBLIC KEY-----\n"
          "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
          "-----END PUBLIC KEY-----\n" },
        { "-----BEGIN PRIVATE KEY-----\n"
          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgya+p2EW6dRZrXCFX\n"
          "Z7HWk05Qw9s26JsSe4piKxIPZyGhRANCAARg/tS6JVqdMclh63TGNW1owEm4kjth\n"
          "+mzmaWIuYPKftnkD/hAIuLyZpBrp6VYovGTy8bIMLX6fUXejwpTURiKZ\n"
          "-----END PRIVATE KEY-----\n",
          "-----BEGIN PUBLIC KEY-----\n"
          "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
          "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
          "-----END PUBLIC KEY-----\n" },
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct jose_key secret, open;
        struct jose_header header;
        char text[1024];
        struct writer w = writer_over(text, sizeof text);
        assert_int_equal(jose_key_private(&secret, view_text(pairs[i][0]), JOSE_EDDSA), STATUS_OK);
        assert_int_equal(jose_key_public(&open, view_text(pairs[i][1])), STATUS_OK);
        assert_int_equal(secret.alg, i == 0 ? JOSE_EDDSA : JOSE_ES256);
        assert_int_equal(jose_sign_detached(&secret, "k", 1, VIEW("x"), &w), STATUS_OK);
        assert_int_equal(jose_verify_detached(&open, 1, "", writer_done(&w), VIEW("x"), &header),
                         STATUS_OK);
        jose_key_fini(&secret);
        jose_key_fini(&open);
    }
    struct jose_key none;
    assert_int_equal(jose_key_public(&none, VIEW("-----BEGIN PUBLIC KEY-----\nAAAA\n")),
                     STATUS_MALFORMED);
    assert_int_equal(jose_key_private(&none, VIEW("AAAA"), JOSE_EDDSA), STATUS_MALFORMED);
}

static void base64url_is_strict(void **state)
{
    (void)state;
    uint8_t out[8];
    size_t len;
    assert_int_equal(base64url_read(VIEW("-_8"), out, sizeof out, &len), STATUS_OK);
    assert_int_equal(len, 2);
    assert_int_equal(base64url_read(VIEW("-_9"), out, sizeof out, &len), STATUS_MALFORMED);
    assert_int_equal(base64url_read(VIEW("+/8"), out, sizeof out, &len), STATUS_MALFORMED);
    assert_int_equal(base64url_read(VIEW("-_8="), out, sizeof out, &len), STATUS_MALFORMED);
    assert_int_equal(base64url_read(VIEW("AAAAA"), out, sizeof out, &len), STATUS_MALFORMED);
}

static void writing_escapes(void **state)
{
    (void)state;
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    struct xml_out x;
    xml_out_init(&x, &w);
    xml_open(&x, "a");
    xml_leaf(&x, "b", VIEW("<&>\r"));
    xml_leaf_if(&x, "c", VIEW_EMPTY);
    xml_amount(&x, "d", 1250, "EUR");
    xml_close_to(&x, 0);
    assert_true(
        view_is(writer_done(&w), "<a><b>&lt;&amp;&gt;&#13;</b><d Ccy=\"EUR\">12.50</d></a>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts),
        cmocka_unit_test(dates_go_there_and_back),
        cmocka_unit_test(account_numbers),
        cmocka_unit_test(xml_reads_what_it_should),
        cmocka_unit_test(xml_refuses_what_it_should),
        cmocka_unit_test(a_signature_of_the_standard),
        cmocka_unit_test(signatures_go_there_and_back),
        cmocka_unit_test(keys_come_as_pem_too),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(writing_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
