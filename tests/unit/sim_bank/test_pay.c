/* test_pay.c - stories of payments: what is sent, what the bank says, what its books say then. */
#include "customer.h"

#include "base/ensure.h"

#include <stdio.h>

static void a_customer_pays(void **state)
{
    struct customer *c = *state;
    customer_post(c,
                  pain_001(c, &(struct order){ .uetr = "8a562c67-ca16-48ba-b074-65581be6f001" }));
    assert_int_equal(c->http_status, 200);
    assert_string_equal(answer_has(c, "OrgnlMsgId"), "M1");
    assert_string_equal(answer_has(c, "OrgnlMsgNmId"), "pain.001.001.09");
    assert_string_equal(answer_has(c, "OrgnlEndToEndId"), "E1");
    assert_string_equal(answer_has(c, "OrgnlUETR"), "8a562c67-ca16-48ba-b074-65581be6f001");
    assert_string_equal(answer_has(c, "InstdAmt"), "12.50");
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, DEBTOR, "EUR"), -1250);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    assert_int_equal(c->notice_count, 0);
    assert_true(balanced(c));
}

static void a_participant_pays(void **state)
{
    struct customer *c = *state;
    c->enveloped = true;
    customer_post(c, pacs_008(c, &(struct order){ .creditor = "FR1420041010050500013M02606" }));
    assert_answer(c, "ACSC", "");
    assert_string_equal(answer_has(c, "OrgnlTxId"), "E1");
    assert_string_equal(answer_has(c, "MsgDefIdr"), "pacs.002.001.10"); /* enveloped too */
    assert_int_equal(moved(c, "PARTICIPANT", "EUR"), -1250);
    assert_int_equal(moved(c, "FR1420041010050500013M02606", "EUR"), 1250);
}

static void the_old_version_pays_too(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ .version = "03" }));
    assert_answer(c, "ACSC", "");
    assert_string_equal(answer_has(c, "OrgnlMsgNmId"), "pain.001.001.03");
}

static void by_notice_it_says_acsp_then_acsc(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"answer\":\"notice\",\"notify_debits\":true}");
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_int_equal(c->http_status, 202);
    assert_int_equal(c->body_len, 0);
    assert_int_equal(c->notice_count, 3);
    assert_string_equal(notice_type(c, 0), "pain.002.001.10");
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSP");
    assert_string_equal(notice_has(c, 1, "TxSts"), "ACSC");
    assert_string_equal(notice_type(c, 2), "camt.054.001.08");
    assert_string_equal(notice_has(c, 2, "CdtDbtInd"), "DBIT");
    assert_string_equal(c->notices[2].url, "http://127.0.0.1:1/notices/bank");
}

static void it_books_later(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"booking\":\"delayed\",\"delay_ms\":5000}");
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_answer(c, "ACSP", "");
    customer_wait(c, 4999);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 0);
    customer_wait(c, 1);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    assert_int_equal(c->notice_count, 1);
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSC");

    customer_set(c, "{\"booking\":\"schedule\",\"schedule_s\":3600}"); /* it is 12:00:05 */
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M2", .end_to_end_id = "E2" }));
    assert_answer(c, "ACSP", "");
    customer_wait(c, 3594999);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    customer_wait(c, 1);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 2500);

    customer_set(c, "{\"booking\":\"instant\"}");
    customer_post(
        c, pain_001(
               c, &(struct order){ .msg_id = "M3", .end_to_end_id = "E3", .date = "2026-11-24" }));
    assert_answer(c, "ACSP", ""); /* on the day that was asked for */
    customer_wait(c, 35 * 3600 * 1000);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 3750);
    assert_true(balanced(c));
}

static void the_same_message_twice_books_once(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    char first[65536];
    snprintf(first, sizeof first, "%.*s", (int)c->body_len, (const char *)c->body);
    c->now_us += 1000000;
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    assert_int_equal(c->http_status, 200);
    assert_true(view_is(view_of(c->body, c->body_len), first));
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    /* built again, with another time: still the same message */
    char *again = c->text;
    pain_001(c, &(struct order){ 0 });
    memcpy(strstr(again, "T12:00:00Z"), "T12:00:09Z", 10);
    customer_post(c, again);
    assert_true(view_is(view_of(c->body, c->body_len), first));
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
}

static void duplicates(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ 0 }));
    customer_post(c, pain_001(c, &(struct order){ .amount = "13.00" }));
    assert_string_equal(answer_has(c, "GrpSts"), "RJCT");
    assert_string_equal(answer_has(c, "Cd"), "DU01");
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M2" }));
    assert_answer(c, "RJCT", "AM05");
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M3", .amount = "13.00" }));
    assert_answer(c, "RJCT", "RF01");
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    customer_post(c, pacs_028(c, "Q1", "E1")); /* the duplicates do not hide it */
    assert_answer(c, "ACSC", "");
    /* what was refused may be tried again */
    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M4", .end_to_end_id = "E4", .creditor = CLOSED }));
    assert_answer(c, "RJCT", "AC04");
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M5", .end_to_end_id = "E4" }));
    assert_answer(c, "ACSC", "");
}

static void what_is_refused(void **state)
{
    struct customer *c = *state;
    static const struct {
        const char *code, *settings;
        bool group;
        struct order order;
    } cases[] = {
        { "AC01", NULL, false, { .creditor = "DE91990000010000000002" } }, /* mod 97 */
        { "AC01", NULL, false, { .creditor = "DE69990000010000000009" } }, /* ours, not there */
        { "AC01", NULL, false, { .debtor = "DE75512108001245126199" } },
        { "AC01",
          "{\"unknown_creditor\":\"reject\"}",
          false,
          { .creditor = "DE75512108001245126199" } },
        { "AC04", NULL, false, { .creditor = CLOSED } },
        { "AC06", NULL, false, { .creditor = "DE53990000010000000006" } },
        { "AM04", NULL, false, { .debtor = "DE37990000010000000003" } },
        { "AM04", NULL, false, { .amount = "1000000.01" } },
        { "AM02", "{\"maximum_minor\":1000}", false, { .amount = "10.01" } },
        { "AM01", NULL, false, { .amount = "0.00" } },
        { "AM12", NULL, false, { .amount = "1.005" } },
        { "AM12", NULL, false, { .amount = "100.5", .currency = "JPY" } },
        { "AM03", NULL, false, { .currency = "XTS" } },
        { "AM03", NULL, false, { .creditor = "DE26990000010000000007", .currency = "USD" } },
        { "AM03", "{\"scheme\":\"sepa\"}", false, { .currency = "USD" } },
        { "AM18", NULL, true, { .count = "2" } },
        { "AM10", NULL, true, { .sum = "12.51" } },
        { "RC01", NULL, false, { .creditor_bic = "NOBIC" } },
        { "AGNT", NULL, false, { .creditor_bic = "DEUTDEFFXXX" } },
        { "DT01", NULL, false, { .date = "2026-11-01" } },
        { "DT01", NULL, false, { .date = "2028-01-01" } },
        { "TM01", "{\"cut_off_s\":36000}", false, { 0 } },
        { "RR04", NULL, false, { .creditor_name = "Sanctioned Party" } },
        { "RR04", NULL, false, { .creditor = "DE80990000010000000005" } },
        { "RR10", NULL, false, { .end_to_end_id = "E/1/" } },
        { "RR10", "{\"charset\":\"sepa\"}", false, { .creditor_name = "M\xC3\xBCller" } },
        { "RR10",
          "{\"scheme\":\"swiss\"}",
          false,
          { .creditor_name = "\xD0\x9C", .currency = "CHF" } },
        { "CH21", "{\"uetr_required\":true}", false, { 0 } },
        { "CH16",
          NULL,
          false,
          { .remittance =
                "<RmtInf><Strd><CdtrRefInf><Ref>RF19539007547034</Ref></CdtrRefInf></Strd>"
                "</RmtInf>" } },
        { "CH16",
          "{\"scheme\":\"swiss\"}",
          false,
          { .creditor = "CH4431999123000889012", .currency = "CHF" } },
        { "CH16", "{\"scheme\":\"sepa\"}", false, { .bearer = "SHAR" } },
        { "FF05", "{\"scheme\":\"sepa_inst\"}", false, { 0 } },
        { "FF03",
          "{\"scheme\":\"sepa\"}",
          false,
          { .type_info = "<PmtTpInf><SvcLvl><Cd>URGP</Cd></SvcLvl></PmtTpInf>" } },
        { "AC01", "{\"scheme\":\"sepa\"}", false, { .creditor = "990000000002" } },
        { "AM03", "{\"scheme\":\"uk_fps\"}", false, { 0 } },
        { "AC01", NULL, false, { .amount = "90.01" } }, /* magic */
        { "ED05", NULL, false, { .amount = "190.55" } },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        customer_stop(state);
        customer_start(state);
        c = *state;
        if (cases[i].settings != NULL)
            customer_set(c, cases[i].settings);
        customer_post(c, pain_001(c, &cases[i].order));
        if (c->http_status != 200 || strcmp(answer_has(c, "Cd"), cases[i].code) != 0)
            fail_msg("case %zu: %s, but: %.*s", i, cases[i].code, (int)c->body_len,
                     (const char *)c->body);
        assert_string_equal(answer_has(c, cases[i].group ? "GrpSts" : "TxSts"), "RJCT");
        assert_int_equal(moved(c, DEBTOR, "EUR"), 0);
    }
}

static void schemes_between_participants(void **state)
{
    struct customer *c = *state;
    static const char pix_id[] = "E00038166202611221200abcdefghijk";
    static const struct {
        const char *settings, *code;
        struct order order;
    } cases[] = {
        { "sepa", "FF03", { 0 } },
        { "sepa", "", { .type_info = "<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>" } },
        { "sepa", "CH16", { .settlement = "<SttlmMtd>INDA</SttlmMtd>" } },
        { "sepa_inst",
          "FF05",
          { .type_info = "<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>" } },
        { "sepa_inst",
          "",
          { .type_info = "<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl><LclInstrm><Cd>INST</Cd>"
                         "</LclInstrm></PmtTpInf>" } },
        { "uk_fps",
          "",
          { .currency = "GBP",
            .creditor = "GB69SIMB99000100000001",
            .creditor_bic = "SIMBGB2LXXX" } },
        { "uk_fps", "AM02", { .currency = "GBP", .amount = "1000000.01" } },
        { "fednow", "CH16", { .currency = "USD", .creditor = "990000000002" } },
        { "fednow",
          "FF05",
          { .currency = "USD",
            .creditor = "990000000002",
            .settlement = "<SttlmMtd>CLRG</SttlmMtd><ClrSys><Cd>FDN</Cd></ClrSys>" } },
        { "fednow",
          "",
          { .currency = "USD",
            .creditor = "990000000002",
            .settlement = "<SttlmMtd>CLRG</SttlmMtd><ClrSys><Cd>FDN</Cd></ClrSys>",
            .type_info = "<PmtTpInf><LclInstrm><Prtry>FDNA</Prtry></LclInstrm></PmtTpInf>" } },
        { "pix", "FF02", { .currency = "BRL", .creditor = "0001000002" } },
        { "pix",
          "FF08",
          { .currency = "BRL",
            .creditor = "0001000002",
            .msg_id = "M00038166aaaaaaaaaaaaaaaaaaaaaaa" } },
        { "pix",
          "",
          { .currency = "BRL",
            .creditor = "0001000002",
            .end_to_end_id = pix_id,
            .tx_id = "T1",
            .msg_id = "M00038166aaaaaaaaaaaaaaaaaaaaaaa" } },
        { "swiss",
          "",
          { .currency = "CHF",
            .creditor = "CH1299001000000000001",
            .creditor_bic = "SIMBCHZZXXX" } },
        { "generic",
          "AGNT",
          { .extra_group = "", .creditor_bic = "DEUTDEFF", .creditor = CREDITOR } },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char settings[128];
        customer_stop(state);
        customer_start(state);
        c = *state;
        snprintf(settings, sizeof settings, "{\"scheme\":\"%s\"}", cases[i].settings);
        customer_set(c, settings);
        customer_post(c, pacs_008(c, &cases[i].order));
        if (strcmp(answer_has(c, "Cd"), cases[i].code) != 0 ||
            strcmp(answer_has(c, "TxSts"), cases[i].code[0] != '\0' ? "RJCT" : "ACSC") != 0)
            fail_msg("case %zu: %s, but: %.*s", i, cases[i].code, (int)c->body_len,
                     (const char *)c->body);
    }
}

static void magic(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ .amount = "91.01" })); /* pending then booked */
    assert_answer(c, "ACSP", "");
    customer_wait(c, 2000);
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSC");
    assert_int_equal(moved(c, CREDITOR, "EUR"), 9101);
    customer_forget(c);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M2", .end_to_end_id = "E2", .amount = "91.02" }));
    assert_answer(c, "ACSP", ""); /* pending then rejected */
    customer_wait(c, 2000);
    assert_string_equal(notice_has(c, 0, "TxSts"), "RJCT");
    assert_string_equal(notice_has(c, 0, "Cd"), "AC04");
    assert_int_equal(moved(c, CREDITOR, "EUR"), 9101);
    customer_forget(c);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M3", .end_to_end_id = "E3", .amount = "91.03" }));
    customer_wait(c, 100000); /* silent, but booked */
    assert_int_equal(c->http_status, 202);
    assert_int_equal(c->notice_count, 0);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 9101 + 9103);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M5", .end_to_end_id = "E5", .amount = "91.05" }));
    assert_answer(c, "ACSC", ""); /* and then says the contrary */
    customer_wait(c, 2000);
    assert_string_equal(notice_has(c, 0, "TxSts"), "RJCT");
    customer_forget(c);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M6", .end_to_end_id = "E6", .amount = "91.06" }));
    assert_int_equal(c->notice_count, 4); /* ACSP, ACSP, ACSC, ACSC */
    assert_string_equal(notice_has(c, 3, "TxSts"), "ACSC");
    customer_forget(c);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M7", .end_to_end_id = "E7", .amount = "91.07" }));
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSC");
    assert_string_equal(notice_has(c, 1, "TxSts"), "ACSP");
    customer_forget(c);

    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M8", .end_to_end_id = "E8", .amount = "91.08" }));
    assert_string_equal(answer_has(c, "InstdAmt"), "91.09");
    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M10", .end_to_end_id = "E10", .amount = "91.10" }));
    assert_int_equal(c->delay_us, 2000000);
    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M12", .end_to_end_id = "E12", .amount = "91.12" }));
    assert_string_equal(notice_has(c, 1, "OrgnlEndToEndId"), "NOBODYSENTTHIS");
    customer_forget(c);

    int64_t before = moved(c, CREDITOR, "EUR"); /* 503, nothing booked; then on its merits */
    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M13", .end_to_end_id = "E13", .amount = "91.13" }));
    assert_int_equal(c->http_status, 503);
    assert_int_equal(moved(c, CREDITOR, "EUR"), before);
    customer_post(c, pain_001(c, &(struct order){
                                     .msg_id = "M13", .end_to_end_id = "E13", .amount = "91.13" }));
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, CREDITOR, "EUR"), before + 9113);
    for (int i = 0; i < 2; i++) { /* 503 though booked, then the answer */
        customer_post(c, pain_001(c, &(struct order){ .msg_id = "M14",
                                                      .end_to_end_id = "E14",
                                                      .amount = "91.14" }));
        assert_int_equal(c->http_status, i == 0 ? 503 : 200);
        assert_int_equal(moved(c, CREDITOR, "EUR"), before + 9113 + 9114);
    }
    assert_answer(c, "ACSC", "");
    assert_true(balanced(c));
}

static void many_in_one_message(void **state)
{
    struct customer *c = *state;
    static const char another[] =
        "<CdtTrfTxInf><PmtId><EndToEndId>E2</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"EUR\">1.00"
        "</InstdAmt></Amt><Cdtr><Nm>C</Nm></Cdtr><CdtrAcct><Id><IBAN>" CLOSED
        "</IBAN></Id></CdtrAcct></CdtTrfTxInf>";
    customer_post(c,
                  pain_001(c, &(struct order){ .count = "2", .sum = "13.5", .extra_tx = another }));
    assert_answer(c, "ACSC", "AC04"); /* the first one and the second one's reason */
    assert_int_equal(moved(c, CREDITOR, "EUR"), 1250);
    assert_int_equal(moved(c, DEBTOR, "EUR"), -1250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, customer_start, customer_stop)
        STORY(a_customer_pays),
        STORY(a_participant_pays),
        STORY(the_old_version_pays_too),
        STORY(by_notice_it_says_acsp_then_acsc),
        STORY(it_books_later),
        STORY(the_same_message_twice_books_once),
        STORY(duplicates),
        STORY(what_is_refused),
        STORY(schemes_between_participants),
        STORY(magic),
        STORY(many_in_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
