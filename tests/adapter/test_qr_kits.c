/* SPDX-License-Identifier: Apache-2.0
 *
 * test_qr_kits.c - consumer-presented codes, transfers, masking, amounts, schemes files and small
 * JSON. Card numbers are test numbers from published ranges; IBANs and references are the published
 * examples of their standards.
 */
#include "kits/json_lite.h"
#include "kits/qr_schemes.h"
#include "kits/qr_transfer.h"
#include "kits/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct qr_code code;

/* --- consumer-presented ------------------------------------------------------------------------
 */

/* 85 CPV01, 61 { 4F A0000000031010, 57 4111111111111111D301220112345000 }. */
static const char cpm[] = "hQVDUFYwMWEbTwegAAAAAxAQVxBBEREREREREdMBIgESNFAA";

static void a_consumer_code_is_read(void **state)
{
    (void)state;
    qr_cpm_read(text_of(cpm), QR_STRICT, &code);
    assert_int_equal(code.errors, 0);
    assert_int_equal(code.warnings, 0);
    assert_int_equal(code.count, 4);
    assert_int_equal(code.objects[2].tag, 0x4F);
    assert_int_equal(code.objects[3].tag, 0x57);
    assert_true(qr_object_secret(&code, &code.objects[3]));
    uint8_t room[100];
    struct rg_buffer shown = { room, sizeof room, 0, 0, 0 };
    qr_put_masked_code(&shown, &code);
    assert_int_equal(shown.len, sizeof cpm - 1);
    assert_memory_equal(room, "hQVDUFYw****", 12);
}

static void a_broken_consumer_code_says_where(void **state)
{
    (void)state;
    char text[sizeof cpm];
    for (size_t len = 0; len + 1 < sizeof cpm; len++) {
        qr_cpm_read((struct rg_bytes){ (const uint8_t *)cpm, len }, QR_LENIENT, &code);
        assert_int_not_equal(code.errors, 0);
    }
    (void)memcpy(text, cpm, sizeof cpm);
    text[10] = '*';
    qr_cpm_read(text_of(text), QR_LENIENT, &code);
    assert_int_equal(code.findings[0].kind, QR_FOUND_BASE64);
    assert_int_equal(code.findings[0].at_letter, 10);
    (void)memcpy(text, cpm, sizeof cpm);
    text[3] = 'E'; /* 85 05 "B": another version */
    qr_cpm_read(text_of(text), QR_LENIENT, &code);
    assert_int_equal(code.findings[0].kind, QR_FOUND_CPM_VERSION);
    qr_cpm_read(text_of("hQVDUFYwMQ=="), QR_LENIENT, &code); /* no application */
    assert_int_equal(code.findings[0].kind, QR_FOUND_CPM_APPLICATION);
    qr_cpm_read(text_of("hQVDUFYwMR=="), QR_LENIENT, &code); /* bits left over */
    assert_int_equal(code.findings[0].kind, QR_FOUND_BASE64);
}

/* --- transfers ---------------------------------------------------------------------------------
 */

static const char epc[] =
    "BCD\n002\n1\nSCT\n\nRed Cross\nBE72000000001616\nEUR1.5\nCHAR\n\nUrgency fund";
static const char spc[] =
    "SPC\n0200\n1\nCH4431999123000889012\nS\nMuster AG\nWeg\n1\n8000\nBern\nCH\n"
    "\n\n\n\n\n\n\n1949.75\nCHF\nS\nPia\nWeg\n2\n9400\nRorschach\nCH\nQRR\n"
    "210000000003139471430009017\nBill\nEPD\n//S1/10";

static uint32_t fault_of(const char *text, const char *from, const char *to)
{
    static char changed[2000];
    struct qr_transfer t;
    struct qr_transfer_fault fault;
    const char *at = from[0] != '\0' ? strstr(text, from) : text;
    assert_non_null(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    return qr_transfer_read(text_of(changed), &t, &fault) ? 0 : fault.kind;
}

static void transfers_are_read(void **state)
{
    (void)state;
    struct qr_transfer t;
    struct qr_transfer_fault fault;
    assert_true(qr_transfer_read(text_of(epc), &t, &fault));
    assert_int_equal(t.amount_minor, 150);
    assert_true(text_is(t.message, "Urgency fund") && text_is(t.purpose, "CHAR"));
    assert_true(qr_transfer_read(text_of(spc), &t, &fault));
    assert_int_equal(t.amount_minor, 194975);
    assert_int_equal(t.reference_kind, QR_REFERENCE_QRR);
    assert_string_equal(t.currency, "CHF");
    assert_true(text_is(t.creditor.town, "Bern") && text_is(t.debtor.town, "Rorschach"));
    assert_true(text_is(t.bill_information, "//S1/10"));
}

static void faults_of_transfers_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *from, *to;
        uint32_t fault;
    } rows[] = {
        { epc, "", "", 0 },
        { epc, "BE72", "BE73", QR_TRANSFER_IBAN },
        { epc, "EUR1.5", "EUR0", QR_TRANSFER_AMOUNT },
        { epc, "EUR1.5", "EUR1.555", QR_TRANSFER_AMOUNT },
        { epc, "EUR1.5", "EUR1000000000", QR_TRANSFER_AMOUNT },
        { epc, "EUR1.5", "", 0 },
        { epc, "EUR1.5", "USD1", QR_TRANSFER_CURRENCY },
        { epc, "002", "001", QR_TRANSFER_BIC },
        { epc, "SCT\n\n", "SCT\nBPOTBEB1\n", 0 },
        { epc, "CHAR\n\n", "CHAR\nRF18539007547034\n", QR_TRANSFER_TWO_REFERENCES },
        { epc, "CHAR\n\nUrgency fund", "CHAR\nRF18539007547034", 0 },
        { epc, "CHAR\n\nUrgency fund", "CHAR\nRF19539007547034", QR_TRANSFER_REFERENCE },
        { epc, "\n1\n", "\n9\n", QR_TRANSFER_CODING },
        { epc, "002\n1", "002\r\n1", QR_TRANSFER_LINE_ENDS },
        { spc, "CH4431999123000889012", "CH9300762011623852957", QR_TRANSFER_QR_IBAN },
        { spc, "QRR", "NON", QR_TRANSFER_QR_IBAN },
        { spc, "9017", "9018", QR_TRANSFER_REFERENCE },
        { spc, "1949.75", "1949.7", QR_TRANSFER_AMOUNT },
        { spc, "EPD", "EPX", QR_TRANSFER_TRAILER },
        { spc, "\nMuster AG", "\n", QR_TRANSFER_NAME },
        { spc, "Muster", "M\xE2\x82\xBFster", QR_TRANSFER_LETTERS },
        { spc, "CH\n\n", "CH\nS\n", QR_TRANSFER_ULTIMATE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fault_of(rows[i].text, rows[i].from, rows[i].to) != rows[i].fault)
            fail_msg("row %zu is fault %u", i, fault_of(rows[i].text, rows[i].from, rows[i].to));
}

static void check_digits(void **state)
{
    (void)state;
    uint8_t rf[25];
    assert_true(iban_valid(text_of("DE89370400440532013000")));
    assert_true(iban_valid(text_of("GB82WEST12345698765432")));
    assert_false(iban_valid(text_of("GB82WEST1234569876543")));
    assert_false(iban_valid(text_of("DE8937040044053201300")));
    assert_false(iban_valid(text_of("de89370400440532013000")));
    assert_true(iban_is_qr(text_of("CH4431999123000889012")));
    assert_false(iban_is_qr(text_of("CH9300762011623852957")));
    assert_int_equal(reference_rf_make(text_of("539007547034"), rf), 16);
    assert_memory_equal(rf, "RF18539007547034", 16);
    assert_true(reference_qrr_valid(text_of("210000000003139471430009017")));
    assert_true(bic_valid(text_of("DEUTDEFF500")) && !bic_valid(text_of("DEUTDEFF50")));
}

/* --- amounts, masking, schemes ------------------------------------------------------------------
 */

static void amounts_are_exact(void **state)
{
    (void)state;
    int64_t minor = 0;
    assert_true(qr_amount_read(text_of("12.5"), 2, &minor));
    assert_int_equal(minor, 1250);
    assert_true(qr_amount_read(text_of("12.500"), 2, &minor) && minor == 1250);
    assert_false(qr_amount_read(text_of("12.505"), 2, &minor));
    assert_true(qr_amount_read(text_of("98."), 0, &minor) && minor == 98);
    assert_false(qr_amount_read(text_of(".5"), 2, &minor));
    assert_false(qr_amount_read(text_of("1e3"), 2, &minor));
    assert_true(qr_amount_read(text_of("92233720368547758.07"), 2, &minor) && minor == INT64_MAX);
    assert_false(qr_amount_read(text_of("92233720368547758.08"), 2, &minor));
}

static void card_numbers_are_masked(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = { { "4111111111111111", "411111******1111" },
                 { "pay 4111111111111111 now", "pay 411111******1111 now" },
                 { "4111111111111112", "4111111111111112" },
                 { "12345", "12345" } };
    for (size_t i = 0; i < 4; i++) {
        uint8_t room[64];
        struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
        qr_put_masked(&b, text_of(rows[i].in), 0);
        assert_int_equal(b.len, strlen(rows[i].out));
        assert_memory_equal(room, rows[i].out, b.len);
    }
    /* In a code: a scheme's own number, and a card number that is no code at all. */
    uint8_t room[128];
    struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
    qr_mpm_read(text_of("00020102164111111111111112"), QR_LENIENT, &code);
    qr_put_masked_code(&b, &code);
    assert_memory_equal(room, "0002010216411111******1112", b.len);
    b.len = 0;
    qr_mpm_read(text_of("4111111111111112"), QR_LENIENT, &code);
    assert_int_equal(code.count, 0);
    qr_put_masked_code(&b, &code);
    assert_memory_equal(room, "411111******1112", b.len);
}

static void told(const char *in, const struct qr_code *sent, const char *out)
{
    uint8_t room[QR_TOLD_MAX];
    struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
    uint32_t changed = qr_put_told(&b, text_of(in), sent);
    if (b.overflow != 0 || !text_is((struct rg_bytes){ room, b.len }, out))
        fail_msg("'%s' is told as '%.*s', not '%s'", in, (int)b.len, (const char *)room, out);
    assert_int_equal(changed, strcmp(in, out) != 0);
}

static void what_others_say_is_masked(void **state)
{
    (void)state;
    told("", NULL, "");
    told("4000056655665556", NULL, "400005******5556");
    told("x4000056655665556y", NULL, "x400005******5556y");
    told("4000-0566 5566-5556", NULL, "4000-05** ****-5556");
    told("3782 822463 10005", NULL, "3782 82**** *0005");
    told("12 4000056655665556 35", NULL, "12 400005******5556 35");
    told("no 7, 4000 0566 5566 5556", NULL, "no 7, 4000 05** **** 5556");
    told("1 4000 0566 5566 5556 2", NULL, "1 4000 05** **** 5556 2");
    told("4000056655665557", NULL, "4000056655665557");           /* check digit */
    told("400005665566555600000", NULL, "400005665566555600000"); /* too long for a card */
    told("4000.0566.5566.5556", NULL, "4000.0566.5566.5556");     /* not how cards are written... */
    told("wp_20260102", NULL, "wp_20260102");
    /* ... but of a number that was sent away it does not matter. */
    qr_cpm_read(text_of(cpm), QR_STRICT, &code);
    told("4111.1111.1111.1111", &code, "4111.11**.****.1111");
    told("041111111111111112345", &code, "0411111******11112345");
    told("4111 a 1111 b 1111 1111", &code, "4111 a 1111 b 1111 1111");
    told("4111111111111112", &code, "4111111111111112");
    told("xBBERERERx", &code, "(not shown)");
    told("4000056655665556", &code, "400005******5556");
    qr_mpm_read(text_of("00020102164111111111111112"), QR_LENIENT, &code);
    told("00020102164111111111111112", &code, "00020102164111111111111112");
    char large[QR_TOLD_MAX + 2];
    (void)memset(large, 'a', sizeof large);
    large[QR_TOLD_MAX + 1] = '\0';
    told(large, NULL, "(not shown)");
}

static void schemes_files_say_which_line(void **state)
{
    (void)state;
    static struct qr_schemes schemes;
    static const struct {
        const char *text, *begin;
    } rows[] = { { "", "line 0: there is no scheme" },
                 { "# x\ntitle a\n", "line 2: a file begins" },
                 { "scheme a\ncolour red\n", "line 2: this word" },
                 { "scheme a\naccount 25 26 x\n", "line 2: an account" },
                 { "scheme a\nscheme b\n", "line 2: the scheme above" },
                 { "scheme a\naccount 26 26 x\nfield 1 k text 1 2 required\n", "line 3: a path" },
                 { "scheme a\naccount 26 26 x y\n", "line 2: there is more" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[200];
        struct rg_buffer why = { room, sizeof room, 0, 0, 0 };
        assert_false(qr_schemes_read(text_of(rows[i].text), &schemes, &why));
        if (why.len < strlen(rows[i].begin) || memcmp(room, rows[i].begin, strlen(rows[i].begin)))
            fail_msg("'%.*s', not '%s'", (int)why.len, (const char *)room, rows[i].begin);
    }
    uint8_t room[200];
    struct rg_buffer why = { room, sizeof room, 0, 0, 0 };
    assert_true(qr_schemes_read(qr_schemes_builtin(), &schemes, &why));
    assert_true(schemes.count >= 13);
}

/* --- small JSON ---------------------------------------------------------------------------------
 */

static void json_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = { "{}",
                                        " [1, -0.5e+3, \"\\u00e9\", true, null] ",
                                        "0",
                                        "-1",
                                        "{\"a\":{\"b\":[{\"c\":\"\"}]},\"d\":\"\xC3\xA9\"}",
                                        "[[[[[[[[1]]]]]]]]",
                                        "\"\\ud83d\\ude00\"" };
    static const char *const bad[] = { "",
                                       "{",
                                       "[1,]",
                                       "{\"a\":1,}",
                                       "{\"a\":1,\"a\":2}",
                                       "01",
                                       "1.",
                                       "+1",
                                       "nul",
                                       "\"\\x\"",
                                       "\"\x01\"",
                                       "\"\xC3\"",
                                       "{} {}",
                                       "{\"a\\u0062\":1}",
                                       "\"\\u0000\"",
                                       "\"\\ud800\"",
                                       "{a:1}",
                                       "[[[[[[[[[1]]]]]]]]]",
                                       "[1 2]",
                                       "'a'",
                                       "[\"a\":1]",
                                       "{\"a\",1}" };
    struct jl_value value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!jl_read(text_of(good[i]), &value))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (jl_read(text_of(bad[i]), &value))
            fail_msg("taken: %s", bad[i]);
}

static void json_is_read_and_written(void **state)
{
    (void)state;
    uint8_t room[200], text[20];
    uint64_t len = 0;
    int64_t number = 0;
    struct jl_value root, value;
    struct rg_buffer b = { room, sizeof room, 0, 0, 0 };
    jl_open(&b, NULL);
    jl_put_literal(&b, "a", "x\"\n");
    jl_put_integer(&b, "n", INT64_MIN);
    jl_open_array(&b, "list");
    jl_put_flag(&b, NULL, 1);
    jl_put_integer(&b, NULL, 7);
    jl_close_array(&b);
    jl_close(&b);
    assert_int_equal(b.overflow, 0);
    assert_memory_equal(
        room, "{\"a\":\"x\\\"\\u000a\",\"n\":-9223372036854775808,\"list\":[true,7]}", b.len);
    assert_true(jl_read((struct rg_bytes){ room, b.len }, &root));
    assert_true(jl_member(&root, "a", &value) && jl_text(&value, text, sizeof text, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(text, "x\"\n", 3);
    assert_int_equal(jl_plain(&root, "a").len, 0); /* has escapes */
    assert_true(jl_member(&root, "n", &value) && jl_integer(&value, &number));
    assert_true(number == INT64_MIN);
    assert_true(jl_member(&root, "list", &value) && jl_element(&value, 1, &value));
    assert_int_equal(value.integer, 7);
    assert_false(jl_member(&root, "list2", &value));
    assert_true(jl_read(text_of("9223372036854775808"), &value) && value.kind == JL_NUMBER);
    assert_false(jl_integer(&value, &number));
}

static void elements_come_one_after_the_other(void **state)
{
    (void)state;
    static const char *const texts[] = { "[]",        " [ ] ",
                                         "[1]",       "[ 1 , [2, 3] ,{\"a\":[4]}, \"],\" ]",
                                         "{\"a\":1}", "7" };
    static const uint64_t counts[] = { 0, 0, 1, 4, 0, 0 };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct jl_value root, next, same;
        uint64_t count = 0;
        assert_true(jl_read(text_of(texts[i]), &root));
        struct jl_list list = jl_list_of(&root);
        for (; jl_next(&list, &next); count++) {
            assert_true(jl_element(&root, count, &same));
            assert_int_equal(next.kind, same.kind);
            assert_ptr_equal(next.raw.ptr, same.raw.ptr);
            assert_int_equal(next.raw.len, same.raw.len);
        }
        assert_int_equal(count, counts[i]);
        assert_int_equal(next.kind, 0);
        assert_false(jl_next(&list, &next));
        assert_false(jl_element(&root, count, &same));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumer_code_is_read),
        cmocka_unit_test(a_broken_consumer_code_says_where),
        cmocka_unit_test(transfers_are_read),
        cmocka_unit_test(faults_of_transfers_have_names),
        cmocka_unit_test(check_digits),
        cmocka_unit_test(amounts_are_exact),
        cmocka_unit_test(card_numbers_are_masked),
        cmocka_unit_test(what_others_say_is_masked),
        cmocka_unit_test(schemes_files_say_which_line),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(json_is_read_and_written),
        cmocka_unit_test(elements_come_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
