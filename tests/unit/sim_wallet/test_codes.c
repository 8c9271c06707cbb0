/* test_codes.c - the provider's own reader of codes. The merchant-presented codes of GOOD are
 * strings found in public sources (the first is the example in the EMVCo specification). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wallet/codes.h"

static void public_codes_are_read(void **state)
{
    static const struct {
        const char *text, *currency;
        int64_t amount_minor;
        bool dynamic;
        const char *reference;
    } GOOD[] = {
        { "00020101021229300012D156000000000510A93FO3230Q31280012D156000000010308123456785204411158"
          "02C"
          "N5914BEST "
          "TRANSPORT6007BEIJING64200002ZH0104最佳运输0202北京540523.7253031565502016233030412"
          "340603***0708A60086670902ME91320016A0112233449988770708123456786304A13A",
          "CNY", 2372, true, NULL },
        { "00020101021126530012hk.com.hkicl0433FPS_Identifier_CRC201D@ird.gov."
          "hk5204000053033445404198"
          "95802HK5902NA6002HK63042767",
          "HKD", 198900, false, NULL },
        { "00020101021127750012com.p2pqrpay0111PAPHPHM1XXX0208999644030411099859039430513+"
          "639985903943"
          "5204601653036085405390.85802PH5912PayMaya User6011Mandaluyong63049025",
          "PHP", 39080, false, NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        struct merchant_code code;
        const char *why = "";
        if (merchant_code_read(view_text(GOOD[i].text), &code, &why) != STATUS_OK)
            fail_msg("%zu: %s", i, why);
        assert_string_equal(code.currency->code, GOOD[i].currency);
        assert_int_equal(code.amount_minor, GOOD[i].amount_minor);
        assert_int_equal(code.dynamic, GOOD[i].dynamic);
        /* Every change of one character is noticed. */
        char broken[1024];
        for (size_t at = 0; at < strlen(GOOD[i].text); at++) {
            strcpy(broken, GOOD[i].text);
            broken[at] ^= 1;
            assert_int_not_equal(merchant_code_read(view_text(broken), &code, &why), STATUS_OK);
        }
        for (size_t len = 0; len < strlen(GOOD[i].text); len++)
            assert_int_not_equal(merchant_code_read(view_of(GOOD[i].text, len), &code, &why),
                                 STATUS_OK);
    }
}

static const char *read_with_sum(const char *body, struct merchant_code *code)
{
    static char text[2048];
    const char *why = "ok";
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, body);
    writer_text(&w, "6304");
    writer_format(&w, "%04X", code_crc(writer_done(&w)));
    if (merchant_code_read(writer_done(&w), code, &why) == STATUS_OK)
        return "ok";
    return why;
}

static void what_a_phone_refuses(void **state)
{
    struct merchant_code code;
    (void)state;
#define HEAD "0002010102122908000400AB"
    assert_string_equal(read_with_sum(HEAD "5303978540512.505802DE", &code), "ok");
    assert_int_equal(code.amount_minor, 1250);
    assert_string_equal(read_with_sum(HEAD "53039785802DE", &code), "ok");
    assert_int_equal(code.amount_minor, -1);
    assert_string_equal(read_with_sum(HEAD "5303392540412.5", &code), "amount");
    assert_string_equal(read_with_sum(HEAD "530397854040.00", &code), "amount");
    assert_string_equal(read_with_sum(HEAD "5303999", &code), "currency");
    assert_string_equal(read_with_sum(HEAD "5802DE", &code), "currency");
    assert_string_equal(read_with_sum(HEAD "53039785303978", &code), "twice");
    assert_string_equal(read_with_sum(HEAD "530397859", &code), "length");
    assert_string_equal(read_with_sum("0002010102125303978", &code), "missing_account");
    assert_string_equal(read_with_sum("0002010102132908000400AB5303978", &code), "initiation");
    assert_string_equal(read_with_sum("0102122908000400AB5303978", &code), "format");
}

static void references_best_first(void **state)
{
    struct merchant_code code;
    (void)state;
    assert_string_equal(read_with_sum(HEAD "530397862180103BIL0503TXI0800", &code), "ok");
    assert_int_equal(code.reference_count, 2);
    assert_true(view_is(code.references[0], "BIL"));
    assert_true(view_is(code.references[1], "TXI"));
    assert_string_equal(
        read_with_sum("00020126180014BR.GOV.BCB.PIX530398662140103BIL0503TXI", &code), "ok");
    assert_true(view_is(code.references[0], "TXI"));
    assert_string_equal(read_with_sum(HEAD "530397862070503***", &code), "ok");
    assert_int_equal(code.reference_count, 0);
    assert_string_equal(
        read_with_sum("00020101021130300016A00000067701011202061234565303764", &code), "ok");
    assert_true(view_is(code.references[0], "123456"));
}

static void amounts(void **state)
{
    const struct wallet_currency *eur = currency_named(VIEW("EUR"));
    const struct wallet_currency *jpy = currency_named(VIEW("JPY"));
    const struct wallet_currency *kwd = currency_named(VIEW("KWD"));
    static const char *const BAD[] = { "",      "0.00",  "12.5",  "12",    "12.500",
                                       "-1.00", "+1.00", " 1.00", "01.00", "1,00",
                                       ".50",   "1.",    "1e2",   "1.0x",  "1234567890123.00" };
    uint8_t text[32];
    struct writer w = writer_over(text, sizeof text);
    int64_t amount = 0;
    (void)state;
    assert_int_equal(amount_read(VIEW("12.50"), eur, &amount), STATUS_OK);
    assert_int_equal(amount, 1250);
    assert_int_equal(amount_read(VIEW("0.01"), eur, &amount), STATUS_OK);
    assert_int_equal(amount, 1);
    assert_int_equal(amount_read(VIEW("100"), jpy, &amount), STATUS_OK);
    assert_int_equal(amount, 100);
    assert_int_not_equal(amount_read(VIEW("100."), jpy, &amount), STATUS_OK);
    assert_int_equal(amount_read(VIEW("1.005"), kwd, &amount), STATUS_OK);
    assert_int_equal(amount, 1005);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (amount_read(view_text(BAD[i]), eur, &amount) == STATUS_OK)
            fail_msg("'%s' was read", BAD[i]);
    amount_write(&w, kwd, 1005);
    writer_text(&w, " ");
    amount_write(&w, jpy, 7);
    writer_text(&w, " ");
    amount_write(&w, eur, 3);
    assert_true(view_is(writer_done(&w), "1.005 7 0.03"));
}

static void consumer_codes(void **state)
{
    static const char *const BAD[] = { "",
                                       "hQVDUFYwMQ",       /* no multiple of four */
                                       "hQVDUFYwMQ==",     /* nothing in it */
                                       "hQVDUFYwMR==",     /* bits that belong to nothing */
                                       "hQVDUFYwMmEA",     /* CPV02 */
                                       "hQVDUFYwMWEF",     /* longer than it is */
                                       "hQVDUFYwMWEDTwGg", /* no 5A, and 4F too short */
                                       "====",
                                       "hQVD\nUFYwMQ==" };
    uint8_t text[256];
    struct consumer_code code;
    const char *why = "";
    (void)state;
    for (size_t digits = 8; digits <= 19; digits++) {
        struct writer w = writer_over(text, sizeof text);
        char token[20] = { 0 };
        for (size_t i = 0; i < digits; i++)
            token[i] = (char)('0' + (i * 7 + 9) % 10);
        consumer_code_write(&w, token);
        if (consumer_code_read(writer_done(&w), &code, &why) != STATUS_OK)
            fail_msg("%s: %s", token, why);
        assert_string_equal(code.token, token);
        for (size_t len = 0; len < w.len; len++)
            assert_int_not_equal(consumer_code_read(view_of(text, len), &code, &why), STATUS_OK);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (consumer_code_read(view_text(BAD[i]), &code, &why) == STATUS_OK)
            fail_msg("'%s' was read", BAD[i]);
    /* 85 CPV01, 61 {4F}, 62 {5A 99 12 34 56}: the token is among the data common to all */
    assert_int_equal(consumer_code_read(VIEW("hQVDUFYwMWEITwagAACZmQFiBloEmRI0Vg=="), &code, &why),
                     STATUS_OK);
    assert_string_equal(code.token, "99123456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_codes_are_read), cmocka_unit_test(what_a_phone_refuses),
        cmocka_unit_test(references_best_first), cmocka_unit_test(amounts),
        cmocka_unit_test(consumer_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
