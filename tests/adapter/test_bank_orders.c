/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bank_orders.c - what the bank adapter sends, for every scheme, against the official schemas,
 * and what it refuses to send, with the reason code. Names and accounts are the well-known examples
 * of the standards.
 */
#include "test_bank_bench.h"

static struct bench b;

static void creditor(const char *iban)
{
    bench_detail(&b, "direction", "send");
    bench_detail(&b, "creditor_name", "Anna Beispiel");
    bench_detail(&b, "creditor_iban", iban);
}

static void sends(unsigned parts, const char *const *pieces)
{
    uint32_t step = bench_begin(&b);
    bench_expect(&b, step, RG_STEP_SEND, 0, "");
    assert_int_equal(b.out.http_method, RG_HTTP_POST);
    assert_true(bench_is(&b.out.path, "/messages"));
    for (; *pieces != NULL; pieces++)
        assert_true(bench_has(&b.out.bytes, *pieces));
    bench_validate(&b, parts);
}

static void refused(const char *code)
{
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_REJECTED, code);
    assert_true(b.out.message.len > 0);
}

/* --- schemes --------------------------------------------------------------------------------- */

static void sepa_as_customer(void **state)
{
    (void)state;
    for (int version = 0; version < 2; version++) {
        assert_int_equal(bench_configure(&b, version ? SEPA ";pain_version=03" : SEPA), -1);
        bench_command(&b, RG_OP_SALE, 1250, "EUR");
        creditor("fr14 2004 1010 0505 0001 3M02 606");
        bench_detail(&b, "creditor_bic", "BNPAFRPP");
        bench_detail(&b, "creditor_country", "FR");
        bench_detail(&b, "creditor_address", "Rue 1\n75001 Paris");
        bench_detail(&b, "description", "Order 4711 (part)");
        bench_detail(&b, "purpose", "GDDS");
        sends(1, (const char *const[]){ version ? "pain.001.001.03" : "pain.001.001.09",
                                        "<EndToEndId>RGE", "<IBAN>FR1420041010050500013M02606<",
                                        "<InstdAmt Ccy=\"EUR\">12.50<", "<Cd>SEPA</Cd>",
                                        "<ChrgBr>SLEV<", "<Ustrd>Order 4711 (part)<",
                                        "<CtrlSum>12.50<", NULL });
        assert_non_null(rg_find(b.out.refs.rows, b.out.refs.count, "message"));
        assert_non_null(rg_find(b.out.headers.rows, b.out.headers.count, "x-notice-url"));
    }
}

static void sepa_instant(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, SEPA), -1);
    bench_command(&b, RG_OP_SALE, 1, "EUR");
    creditor("DE75512108001245126199");
    bench_detail(&b, "speed", "instant");
    bench_detail(&b, "structured_reference", "RF18539007547034");
    sends(1, (const char *const[]){ "<LclInstrm><Cd>INST<", "<Cd>SCOR<", "<Ref>RF18539007547034<",
                                    NULL });
    bench_command(&b, RG_OP_SALE, 1, "EUR");
    creditor("DE75512108001245126199");
    bench_detail(&b, "scheme", "sepa_inst");
    sends(1, (const char *const[]){ "<LclInstrm><Cd>INST<", NULL });
    bench_command(&b, RG_OP_SALE, 1, "EUR");
    creditor("DE75512108001245126199");
    bench_detail(&b, "scheme", "pix");
    refused("FF03");
}

static void swiss_with_qr_reference(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, SWISS), -1);
    bench_command(&b, RG_OP_SALE, 199995, "CHF");
    creditor("CH4431999123000889012");
    bench_detail(&b, "structured_reference", "210000000003139471430009017");
    bench_detail(&b, "description", "Für die Müller & Söhne <AG>");
    sends(1, (const char *const[]){ "<Prtry>QRR<", "<Nm>Z\xC3\xBCri Shop<",
                                    "M\xC3\xBCller &amp; S\xC3\xB6hne &lt;AG&gt;", NULL });
    /* The coupling of QR-IBAN and QR reference, both ways, and the check digit. */
    bench_command(&b, RG_OP_SALE, 100, "CHF");
    creditor("CH4431999123000889012");
    refused("CH16");
    bench_command(&b, RG_OP_SALE, 100, "CHF");
    creditor("CH9300762011623852957");
    bench_detail(&b, "structured_reference", "210000000003139471430009017");
    refused("CH16");
    bench_command(&b, RG_OP_SALE, 100, "CHF");
    creditor("CH4431999123000889012");
    bench_detail(&b, "structured_reference", "210000000003139471430009018");
    refused("CH16");
}

static void fednow_as_participant(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, FEDNOW), -1);
    bench_command(&b, RG_OP_SALE, 5174, "USD");
    bench_detail(&b, "creditor_name", "Individual B");
    bench_detail(&b, "creditor_account", "55555555555");
    bench_detail(&b, "creditor_agent", "222222222");
    sends(2, (const char *const[]){ "<FedNowIncoming xmlns=\"urn:fednow:incoming:v001\">",
                                    "head.001.001.02", "<MsgDefIdr>pacs.008.001.08<",
                                    "<MsgId>20261122111111111RGM", "<Cd>FDN<", "<Prtry>FDNA<",
                                    "<Cd>USABA</Cd></ClrSysId><MmbId>222222222<",
                                    "<UETR>01020304-0506-4f08-bf0a-0b0c0d0e0f10<", NULL });
    bench_command(&b, RG_OP_SALE, 5174, "USD");
    bench_detail(&b, "creditor_name", "Individual B");
    bench_detail(&b, "creditor_account", "55555555555");
    bench_detail(&b, "creditor_agent", "22222222");
    refused("RC10");
}

static void pix_as_participant(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, PIX), -1);
    bench_command(&b, RG_OP_SALE, 1000, "BRL");
    bench_detail(&b, "creditor_name", "Fulano");
    bench_detail(&b, "creditor_account", "98765432");
    bench_detail(&b, "creditor_agent", "87654321");
    bench_detail(&b, "creditor_alias", "fulano@example.com");
    bench_detail(&b, "payee_id", "12345678909");
    sends(2, (const char *const[]){ "<EndToEndId>E12345678202611221314", "<MsgId>M12345678",
                                    "<CreDtTm>2026-11-22T13:14:15.000Z<", "<Prtry>PAGPRI<",
                                    "<Prtry>DICT<", "<InstrPrty>HIGH<", "<Id>12345678909<", NULL });
    assert_null(memmem(b.out.bytes.ptr, b.out.bytes.len, "Fulano", 6));
    assert_int_equal(strlen(b.x.self.end_to_end), 32);
    assert_int_equal(strlen(b.x.self.message), 32);
}

static void uk_and_generic(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, UK), -1);
    bench_command(&b, RG_OP_SALE, 100, "GBP");
    bench_detail(&b, "creditor_name", "Ann Other");
    bench_detail(&b, "payee_account", "87654321");
    bench_detail(&b, "creditor_agent", "654321");
    sends(1, (const char *const[]){ "<Cd>GBDSC</Cd></ClrSysId><MmbId>654321<",
                                    "<Othr><Id>87654321<", NULL });
    assert_int_equal(bench_configure(&b, BETWEEN_BANKS ";header=head_01"), -1);
    bench_command(&b, RG_OP_SALE, 12345, "KWD");
    bench_detail(&b, "creditor_name", "\xD0\x98\xD0\xB2\xD0\xB0\xD0\xBD");
    bench_detail(&b, "creditor_iban", "GB82WEST12345698765432");
    bench_detail(&b, "creditor_bic", "WESTGB2L");
    bench_detail(&b, "debtor_name", "A Customer");
    bench_detail(&b, "debtor_iban", "DE75512108001245126199");
    sends(2, (const char *const[]){ "head.001.001.01", "Ccy=\"KWD\">12.345<", "<Nm>A Customer<",
                                    NULL });
    assert_int_equal(bench_configure(&b, GENERIC), -1);
    bench_command(&b, RG_OP_SALE, 500, "JPY");
    creditor("GB82WEST12345698765432");
    sends(1, (const char *const[]){ "Ccy=\"JPY\">500<", NULL });
}

/* --- rules ----------------------------------------------------------------------------------- */

static void rules_have_reason_codes(void **state)
{
    (void)state;
    static const char long_name[] = "123456789012345678901234567890123456789012345678901234567890"
                                    "12345678901";
    static const struct {
        int64_t minor;
        const char *currency, *code, *name, *value;
    } rows[] = {
        { 0, "EUR", "AM01", "x", "" },
        { 100, "USD", "AM03", "x", "" },
        { INT64_C(100000000000), "EUR", "AM02", "x", "" },
        { 100, "EUR", "AC01", "creditor_iban", "DE75512108001245126198" },
        { 100, "EUR", "AC01", "creditor_iban", "DE7551210800124512619" },
        { 100, "EUR", "AC01", "creditor_iban", "" },
        { 100, "EUR", "RC01", "creditor_bic", "BNPAFRP" },
        { 100, "EUR", "RR03", "creditor_name", "" },
        { 100, "EUR", "RR10", "creditor_name", "M\xC3\xBCller" },
        { 100, "EUR", "CH16", "creditor_name", long_name },
        { 100, "EUR", "RR10", "description", "5 % off" },
        { 100, "EUR", "CH16", "structured_reference", "RF19539007547034" },
        { 100, "EUR", "CH16", "structured_reference", "/A" },
        { 100, "EUR", "CH16", "structured_reference", "A//B" },
        { 100, "EUR", "DT01", "execution_date", "2026-02-29" },
        { 100, "EUR", "BE04", "creditor_country", "de" },
        { 100, "EUR", "AC02", "debtor_iban", "DE75512108001245126199" },
        { 100, "EUR", "FF03", "direction", "sideways" },
        { 100, "EUR", "FF03", "scheme", "fednow" },
        { 100, "EUR", "CH16", "code", "BCD\n002\n1\nSCT\n\nName\nDE75512108001245126198\nEUR1" },
        { 100, "EUR", "AM09", "code", "BCD\n002\n1\nSCT\n\nName\nDE75512108001245126199\nEUR2" },
    };
    assert_int_equal(bench_configure(&b, SEPA), -1);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_command(&b, RG_OP_SALE, rows[i].minor, rows[i].currency);
        bench_detail(&b, rows[i].name, rows[i].value); /* the first of a name counts */
        creditor("DE75512108001245126199");
        print_message("%s %s\n", rows[i].code, rows[i].name);
        refused(rows[i].code);
    }
}

static void codes_fill_the_creditor(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, SEPA), -1);
    bench_command(&b, RG_OP_SALE, 100, "EUR");
    bench_detail(&b, "code",
                 "BCD\n002\n1\nSCT\nBFSWDE33BER\nWikimedia\nDE75512108001245126199\nEUR1\n"
                 "CHAR\n\nDonation");
    sends(1, (const char *const[]){ "<Nm>Wikimedia<", "<BICFI>BFSWDE33BER<", "<Cd>CHAR<",
                                    "<Ustrd>Donation<", NULL });
}

static void channels_that_cannot_pay_do_not_load(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, "scheme=sepa;name=x"), SET_IBAN);
    assert_int_equal(bench_configure(&b, "scheme=sepa;name=x;iban=DE88370400440532013000"),
                     SET_IBAN);
    assert_int_equal(bench_configure(&b, SEPA ";initiation=participant"), SET_INITIATION);
    assert_int_equal(bench_configure(&b, SEPA ";header=head_02"), SET_HEADER);
    assert_int_equal(bench_configure(&b, "scheme=fednow;name=x;account=1;member=1"), SET_MEMBER);
    assert_int_equal(bench_configure(&b, GENERIC ";initiation=participant"), SET_TO_MEMBER);
    assert_int_equal(bench_configure(&b, SEPA ";bic=COBADEF"), SET_BIC);
    assert_int_equal(bench_configure(&b, SWISS ";receive_reference=qrr"), SET_RECEIVE_REFERENCE);
    assert_int_equal(bench_configure(&b, SWISS ";receive_iban=CH4431999123000889012"),
                     SET_RECEIVE_REFERENCE);
    assert_int_equal(bench_configure(&b, SEPA ";sign_key=k"), SET_SIGN_KEY_ID);
    assert_int_equal(bench_configure(&b, SEPA ";token=yes"), SET_SIGN_KEY);
    assert_int_equal(bench_configure(&b, SEPA ";amount_max=99999999999999"), SET_AMOUNT_MAX);
    assert_int_equal(bench_configure(&b, SEPA ";path=messages"), SET_PATH);
}

static void receiving_tells_the_payer_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *start, *type;
        size_t len;
    } rows[] = {
        { SWISS, "RF", "SCOR", 19 },
        { SWISS ";receive_iban=CH44 3199 9123 0008 8901 2;receive_reference=qrr", "7246310", "QRR",
          27 },
    };
    for (unsigned i = 0; i < 2; i++) {
        uint64_t attempt = 0, read = 0;
        assert_int_equal(bench_configure(&b, rows[i].settings), -1);
        bench_command(&b, RG_OP_SALE, 1250, "CHF");
        bench_detail(&b, "direction", "receive");
        bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_PENDING, "");
        assert_int_equal(b.out.action, RG_ACTION_TRANSFER);
        assert_int_equal(b.out.expires_in_s, 1209600);
        const struct rg_table *values = &b.out.action_values;
        const struct rg_named *reference = rg_find(values->rows, values->count, "reference");
        assert_non_null(reference);
        assert_int_equal(reference->value.len, rows[i].len);
        assert_true(text_starts(reference->value, rows[i].start));
        assert_true(i == 0 ? reference_rf_valid(reference->value)
                           : reference_qrr_valid(reference->value));
        assert_true(bank_read_reference(&b.bank, reference->value, &read));
        assert_true(attempt_read(text_of(ATTEMPT_1), &attempt));
        assert_true(attempt == read);
        assert_true(text_is(rg_find(values->rows, values->count, "amount")->value, "12.50"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sepa_as_customer),
        cmocka_unit_test(sepa_instant),
        cmocka_unit_test(swiss_with_qr_reference),
        cmocka_unit_test(fednow_as_participant),
        cmocka_unit_test(pix_as_participant),
        cmocka_unit_test(uk_and_generic),
        cmocka_unit_test(rules_have_reason_codes),
        cmocka_unit_test(codes_fill_the_creditor),
        cmocka_unit_test(channels_that_cannot_pay_do_not_load),
        cmocka_unit_test(receiving_tells_the_payer_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
