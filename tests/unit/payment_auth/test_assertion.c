/* test_assertion.c - assertions of issuers: right ones, each claim wrong once, and hostile texts.
 *
 * Keys: RFC 8032 section 7.1 (tests 1 and 2) and RFC 6979 appendix A.2.5. base64url: RFC 7515
 * appendix C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "domain/ids.h"
#include "jws_maker.h"
#include "payment/authenticate_int.h"

#define NOW_S   INT64_C(1700000000)
#define NOW_US  (NOW_S * 1000000)
#define PAYMENT INT64_C(4711)
#define ROOM    8192

#define ED_SEED   "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define ED_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define ED_SEED_2 "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
#define EC_SCALAR "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
#define EC_POINT                                                                                   \
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"                           \
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"

#define EDDSA "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"1\"}"
#define ES256 "{\"alg\":\"ES256\"}"
/* `%s` is the payment's id. */
#define CLAIMS                                                                                     \
    "{\"iss\":\"https://id.example\",\"aud\":\"railgate\",\"iat\":1699999990,\"exp\":1700000290,"  \
    "\"sub\":\"cus_1\",\"payment\":\"%s\",\"amount\":1250,\"currency\":\"EUR\","                   \
    "\"payee\":\"shop_1\"}"

struct fixture {
    struct loop *loop;
    struct secrets *secrets;
    struct issuer_settings issuers[3];
    struct settings settings;
    struct authentication_of of;
    char claims[1024];
    char text[ROOM]; /* the assertion */
    char why[512];
};

static void put(struct fixture *f, const char *name, enum secret_kind kind, const char *hex)
{
    char text[256];
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(secret_put_hex(f->secrets, name, kind, view_text(hex), &why), STATUS_OK);
}

static int set_up(void **state)
{
    static struct fixture f;
    char payment[ID_TEXT_MAX];
    f = (struct fixture){ .settings.authentication_code_key = "" };
    f.loop = loop_open_virtual(7, NOW_US);
    assert_int_equal(secrets_open(&f.secrets, f.loop), STATUS_OK);
    put(&f, "ed", SECRET_SIGN_ED25519, ED_SEED);
    put(&f, "ed-public", SECRET_VERIFY_ED25519, ED_PUBLIC);
    put(&f, "ed-stranger", SECRET_SIGN_ED25519, ED_SEED_2);
    put(&f, "ec", SECRET_SIGN_ES256, EC_SCALAR);
    put(&f, "ec-public", SECRET_VERIFY_ES256, EC_POINT);
    f.issuers[0] = (struct issuer_settings){ .name = "https://id.example",
                                             .key = "ed-public",
                                             .audience = "railgate" };
    f.issuers[1] = (struct issuer_settings){ .name = "https://bank.example",
                                             .key = "ec-public",
                                             .audience = "shop" };
    f.issuers[2] = (struct issuer_settings){ .name = "https://lost.example",
                                             .key = "gone",
                                             .audience = "railgate" };
    f.settings.issuers = f.issuers;
    f.settings.issuers_count = COUNT_OF(f.issuers);
    f.of = (struct authentication_of){ .payment = PAYMENT,
                                       .payer = VIEW("cus_1"),
                                       .amount = { .minor = 1250 },
                                       .payee = VIEW("shop_1") };
    assert_int_equal(currency_by_code(VIEW("EUR"), &f.of.amount.currency), STATUS_OK);
    struct writer w = writer_over(f.claims, sizeof f.claims);
    writer_format(&w, CLAIMS, id_format(ID_PAYMENT, PAYMENT, payment));
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    secrets_close(f->secrets);
    loop_close(f->loop);
    return 0;
}

static enum authentication_result check(struct fixture *f, const char *text, int64_t wall_us)
{
    struct writer why = writer_over(f->why, sizeof f->why);
    enum authentication_result result = authentication_assertion_check(
        f->secrets, &f->settings, &f->of, view_text(text), wall_us, &why);
    assert_int_equal(why.len > 0, result != AUTHENTICATION_RIGHT);
    assert_int_equal(writer_terminate(&why), STATUS_OK);
    return result;
}

static void make(struct fixture *f, const char *key, const char *header, const char *claims)
{
    struct writer w = writer_over(f->text, sizeof f->text);
    jws_make(&w, secret_find(f->secrets, key), header, claims);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
}

/* The claims with `from`, which must be in them, replaced by `to`. */
static const char *changed(struct fixture *f, const char *from, const char *to)
{
    static char out[2048];
    char *at = strstr(f->claims, from);
    assert_non_null(at);
    struct writer w = writer_over(out, sizeof out);
    writer_bytes(&w, f->claims, (size_t)(at - f->claims));
    writer_text(&w, to);
    writer_text(&w, at + strlen(from));
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    return out;
}

static enum authentication_result check_changed(struct fixture *f, const char *from, const char *to)
{
    make(f, "ed", EDDSA, changed(f, from, to));
    return check(f, f->text, NOW_US);
}

static void right_ones_are_right(void **state)
{
    struct fixture *f = *state;
    make(f, "ed", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
    make(f, "ed", "{\"alg\":\"EdDSA\"}", f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
    assert_int_equal(check_changed(f, "\"railgate\"", "[\"other\",\"railgate\"]"),
                     AUTHENTICATION_RIGHT);
    assert_int_equal(check_changed(f, "{\"iss\"", "{\"jti\":\"x\",\"amr\":[\"pin\"],\"iss\""),
                     AUTHENTICATION_RIGHT);
    assert_int_equal(check_changed(f, "{\"iss\"", "{\"nbf\":1700000060,\"iss\""),
                     AUTHENTICATION_RIGHT);
    char both[1024]; /* an ES256 issuer, with its own audience */
    (void)snprintf(both, sizeof both, "%s", changed(f, "id.example", "bank.example"));
    (void)snprintf(f->claims, sizeof f->claims, "%s", both);
    make(f, "ec", ES256, changed(f, "railgate", "shop"));
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
}

static void a_payment_without_payee(void **state)
{
    struct fixture *f = *state;
    f->of.payee = VIEW_EMPTY;
    make(f, "ed", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_OTHER);
    assert_int_equal(check_changed(f, ",\"payee\":\"shop_1\"", ""), AUTHENTICATION_RIGHT);
    assert_int_equal(check_changed(f, "\"shop_1\"", "\"\""), AUTHENTICATION_RIGHT);
}

static void each_claim_wrong_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *from, *to;
        enum authentication_result expect;
    } rows[] = {
        { "https://id.example", "https://evil.example", AUTHENTICATION_WRONG },
        { "https://id.example", "https://bank.example", AUTHENTICATION_WRONG }, /* another's key */
        { "https://id.example", "https://lost.example", AUTHENTICATION_IMPOSSIBLE },
        { "\"iss\":\"https://id.example\",", "", AUTHENTICATION_WRONG },
        { "\"iss\":\"https://id.example\"", "\"iss\":[\"https://id.example\"]",
          AUTHENTICATION_WRONG },
        { "\"railgate\"", "\"railgat\"", AUTHENTICATION_OTHER },
        { "\"railgate\"", "[]", AUTHENTICATION_OTHER },
        { "\"railgate\"", "[\"other\"]", AUTHENTICATION_OTHER },
        { "\"railgate\"", "[\"railgate\",1]", AUTHENTICATION_OTHER },
        { "\"railgate\"", "null", AUTHENTICATION_OTHER },
        { "\"aud\":\"railgate\",", "", AUTHENTICATION_OTHER },
        { "\"cus_1\"", "\"cus_2\"", AUTHENTICATION_OTHER },
        { "\"cus_1\"", "\"cus_1\\u0000\"", AUTHENTICATION_OTHER },
        { "\"cus_1\"", "1", AUTHENTICATION_WRONG },
        { "\"sub\":\"cus_1\",", "", AUTHENTICATION_WRONG },
        { "\"payment\":\"pay_", "\"payment\":\"ref_", AUTHENTICATION_OTHER },
        { "\"payment\":\"pay_0", "\"payment\":\"pay_1", AUTHENTICATION_OTHER },
        { "1250", "1251", AUTHENTICATION_OTHER },
        { "1250", "-1250", AUTHENTICATION_OTHER },
        { "1250", "1250.0", AUTHENTICATION_WRONG },
        { "1250", "125e1", AUTHENTICATION_WRONG },
        { "1250", "\"1250\"", AUTHENTICATION_WRONG },
        { "1250", "18446744073709552866", AUTHENTICATION_WRONG },
        { "\"amount\":1250,", "", AUTHENTICATION_WRONG },
        { "\"EUR\"", "\"USD\"", AUTHENTICATION_OTHER },
        { "\"EUR\"", "\"eur\"", AUTHENTICATION_OTHER },
        { "\"EUR\"", "978", AUTHENTICATION_WRONG },
        { "\"currency\":\"EUR\",", "", AUTHENTICATION_WRONG },
        { "\"shop_1\"", "\"shop_2\"", AUTHENTICATION_OTHER },
        { "\"shop_1\"", "\"\"", AUTHENTICATION_OTHER },
        { ",\"payee\":\"shop_1\"", "", AUTHENTICATION_OTHER },
        { "\"shop_1\"", "null", AUTHENTICATION_WRONG },
        { "\"iat\":1699999990,", "", AUTHENTICATION_WRONG },
        { "1699999990", "1699999990.5", AUTHENTICATION_WRONG },
        { "1699999990", "-1", AUTHENTICATION_WRONG },
        { "\"exp\":1700000290,", "", AUTHENTICATION_WRONG },
        { "1700000290", "1699999990", AUTHENTICATION_WRONG }, /* not after iat */
        { "{\"iss\"", "{\"nbf\":\"now\",\"iss\"", AUTHENTICATION_WRONG },
        { "{\"iss\"", "{\"nbf\":1700000061,\"iss\"", AUTHENTICATION_LATE },
        { "\"amount\":1250", "\"amount\":1250,\"amount\":1250", AUTHENTICATION_WRONG },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum authentication_result result = check_changed(f, rows[i].from, rows[i].to);
        if (result != rows[i].expect)
            fail_msg("%s -> %s: %d, not %d (%s)", rows[i].from, rows[i].to, (int)result,
                     (int)rows[i].expect, f->why);
    }
}

static void times_to_the_second(void **state)
{
    struct fixture *f = *state;
    make(f, "ed", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, INT64_C(1700000290) * 1000000 - 1), AUTHENTICATION_RIGHT);
    assert_int_equal(check(f, f->text, INT64_C(1700000290) * 1000000), AUTHENTICATION_LATE);
    assert_int_equal(check(f, f->text, INT64_C(1699999930) * 1000000), AUTHENTICATION_RIGHT);
    assert_int_equal(check(f, f->text, INT64_C(1699999930) * 1000000 - 1), AUTHENTICATION_LATE);
    /* exp at most ten minutes after iat */
    assert_int_equal(check_changed(f, "1700000290", "1700000590"), AUTHENTICATION_RIGHT);
    assert_int_equal(check_changed(f, "1700000290", "1700000591"), AUTHENTICATION_WRONG);
    assert_int_equal(check_changed(f, "1700000290", "9223372036854775807"), AUTHENTICATION_WRONG);
}

static void headers(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "{}",
        "[]",
        "\"EdDSA\"",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":\"ES256\"}", /* the key is Ed25519 */
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"eddsa\"}",
        "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\"}",
        "{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"EdDSA\",\"b64\":false}",
        "{\"alg\":\"EdDSA\",\"jwk\":{}}",
        "{\"alg\":\"EdDSA\",\"jku\":\"https://evil.example\"}",
        "{\"alg\":\"EdDSA\",\"typ\":1}",
        "{\"alg\":\"EdDSA\",\"kid\":null}",
        "{\"alg\":\"EdDSA\"} x",
        "{\"alg\":\"EdDSA\"",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        make(f, "ed", wrong[i], f->claims);
        if (check(f, f->text, NOW_US) != AUTHENTICATION_WRONG)
            fail_msg("taken with the header %s", wrong[i]);
    }
    make(f, "ec", ES256, f->claims); /* right alg for that key, but the issuer has another key */
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    make(f, "ec", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
}

static void signatures(void **state)
{
    struct fixture *f = *state;
    make(f, "ed-stranger", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    make(f, "ed", EDDSA, f->claims);
    size_t len = strlen(f->text);
    for (size_t i = 0; i < len; i++) { /* every letter matters, the dots as well */
        char was = f->text[i];
        f->text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
        f->text[i] = was;
    }
    for (size_t cut = 0; cut < len; cut++) {
        char was = f->text[cut];
        f->text[cut] = '\0';
        assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
        f->text[cut] = was;
    }
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
    *strrchr(f->text, '.') = '\0'; /* no third part */
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    memcpy(f->text + strlen(f->text), ".", 2); /* an empty one, as with alg none */
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
}

static void only_one_text_says_the_same(void **state)
{
    struct fixture *f = *state;
    static const char *const after[] = {
        "=", "==", "\n", "\r\n", " ", ".", ".AAAA", "A", "+", "%3D"
    };
    make(f, "ed", EDDSA, f->claims);
    size_t len = strlen(f->text);
    for (size_t i = 0; i < COUNT_OF(after); i++) {
        memcpy(f->text + len, after[i], strlen(after[i]) + 1);
        assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    }
    /* 64 bytes are 86 letters, of whose last only two bits count. */
    f->text[len] = '\0';
    f->text[len - 1] = (char)(f->text[len - 1] + 1);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    f->text[len - 1] = (char)(f->text[len - 1] - 1);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
}

static void hostile_texts(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "A.A.A",
        "e30.e30.",
        "e30.e30.e30",
        ".e30.AAAA",
        "e30..AAAA",
        "\x80.\xff.\x01",
        "eyJhbGciOiJub25lIn0.e30.",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(check(f, texts[i], NOW_US), AUTHENTICATION_WRONG);
    static char large[ROOM];
    memset(large, 'A', sizeof large - 1);
    assert_int_equal(check(f, large, NOW_US), AUTHENTICATION_WRONG);
    /* Deep and wide claims within the length that is taken, well signed all the same. */
    struct writer w = writer_over(large, 3000);
    writer_text(&w, "{\"iss\":\"https://id.example\",\"x\":");
    for (int i = 0; i < 400; i++)
        writer_text(&w, "[");
    for (int i = 0; i < 400; i++)
        writer_text(&w, "]");
    writer_text(&w, "}");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    make(f, "ed", EDDSA, large);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    w = writer_over(large, 3000);
    writer_text(&w, "{\"iss\":\"https://id.example\",\"aud\":[\"railgate\"");
    for (int i = 0; i < 1000; i++)
        writer_text(&w, ",1");
    writer_text(&w, "]}");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    make(f, "ed", EDDSA, large);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
    /* Longer than 4096 bytes, and right but for that. */
    char padding[3200];
    memset(padding, 'x', sizeof padding);
    static char claims[4096];
    w = writer_over(claims, sizeof claims);
    writer_view(&w, view_slice(view_text(f->claims), 0, strlen(f->claims) - 1));
    writer_text(&w, ",\"x\":\"");
    writer_bytes(&w, padding, sizeof padding);
    writer_text(&w, "\"}");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    make(f, "ed", EDDSA, claims);
    assert_true(strlen(f->text) > 4096);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_WRONG);
}

static void base64url(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    assert_int_equal(base64url_decode(VIEW("A-z_4ME"), &w), STATUS_OK);
    static const uint8_t expected[] = { 3, 236, 255, 224, 193 };
    assert_true(view_equal(writer_done(&w), view_of(expected, sizeof expected)));
    static const char *const wrong[] = { "A",  "AAAAA", "AA=", "AA==", "A+AA", "A/AA",
                                         "AB", "AAB",   "A A", "AA\n", "AA.A" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        w = writer_over(bytes, sizeof bytes);
        assert_int_equal(base64url_decode(view_text(wrong[i]), &w), STATUS_MALFORMED);
    }
    w = writer_over(bytes, 2);
    assert_int_equal(base64url_decode(VIEW("AAAA"), &w), STATUS_FULL);
    for (size_t len = 0; len < 48; len++) { /* there and back */
        uint8_t in[48], text[80];
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)(i * 151 + len * 7);
        struct writer t = writer_over(text, sizeof text);
        base64url_write(&t, view_of(in, len));
        w = writer_over(bytes, sizeof bytes);
        assert_int_equal(base64url_decode(writer_done(&t), &w), STATUS_OK);
        assert_true(view_equal(writer_done(&w), view_of(in, len)));
    }
}

static void an_issuer_may_have_two_keys(void **state)
{
    struct fixture *f = *state;
    f->issuers[1] = f->issuers[0];
    f->issuers[0].key = "ec-public"; /* the older one */
    make(f, "ed", EDDSA, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
    make(f, "ec", ES256, f->claims);
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_RIGHT);
}

static void when_it_is_impossible(void **state)
{
    struct fixture *f = *state;
    make(f, "ed", EDDSA, f->claims);
    f->of.payer = VIEW_EMPTY;
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_IMPOSSIBLE);
    f->of.payer = VIEW("cus_1");
    f->settings.issuers_count = 0;
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_IMPOSSIBLE);
    f->settings.issuers_count = 1;
    f->issuers[0].key = "ed"; /* signs; that is not what the key of an issuer is for */
    assert_int_equal(check(f, f->text, NOW_US), AUTHENTICATION_IMPOSSIBLE);
}

static void methods_are(struct fixture *f, const char *expected)
{
    char text[64];
    struct writer w = writer_over(text, sizeof text);
    authentication_methods(f->secrets, &f->settings, &w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(text, expected);
}

static void methods_that_can_be_used(void **state)
{
    struct fixture *f = *state;
    methods_are(f, "assertion");
    assert_int_equal(secret_put(f->secrets, "codes", SECRET_HMAC_SHA256, VIEW("0123456789abcdef")),
                     STATUS_OK);
    f->settings.authentication_code_key = "codes";
    methods_are(f, "code assertion");
    f->settings.issuers = &f->issuers[2]; /* its key is not there */
    f->settings.issuers_count = 1;
    methods_are(f, "code");
    f->settings.authentication_code_key = "ed";
    methods_are(f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url),
        cmocka_unit_test_setup_teardown(right_ones_are_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_payment_without_payee, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_claim_wrong_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_to_the_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signatures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_text_says_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_issuer_may_have_two_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_it_is_impossible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(methods_that_can_be_used, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
