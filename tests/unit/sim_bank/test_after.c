/* test_after.c - stories of what comes after a payment: inquiries, recalls, returns, money that
 * comes in, statements. */
#include "customer.h"

#include "base/ensure.h"

static void pay(struct customer *c, const char *msg_id, const char *id, const char *amount)
{
    customer_post(
        c, pain_001(c, &(struct order){ .msg_id = msg_id, .end_to_end_id = id, .amount = amount }));
}

/* --- pacs.028 ------------------------------------------------------------------------------- */
static void an_inquiry_tells_what_became_of_it(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "91.03"); /* silent */
    customer_post(c, pacs_028(c, "Q1", "E1"));
    assert_int_equal(c->http_status, 200);
    assert_answer(c, "ACSC", "");
    assert_string_equal(answer_has(c, "OrgnlMsgId"), "M1");
    assert_string_equal(answer_has(c, "OrgnlMsgNmId"), "pain.001.001.09");
    assert_string_equal(answer_has(c, "IntrBkSttlmAmt"), "91.03");
    pay(c, "M2", "E2", "91.04"); /* silent, never booked */
    customer_post(c, pacs_028(c, "Q2", "E2"));
    assert_answer(c, "ACSP", "");
    assert_non_null(
        customer_command(c, "/settle", "{\"end_to_end_id\":\"E2\",\"result\":\"book\"}"));
    customer_post(c, pacs_028(c, "Q2", "E2")); /* the same question, another truth */
    assert_answer(c, "ACSC", "");
    pay(c, "M3", "E3", "90.06");
    customer_post(c, pacs_028(c, "Q3", "E3"));
    assert_answer(c, "RJCT", "AC06");
    customer_post(c, pacs_028(c, "Q4", "NEVERSEEN"));
    assert_answer(c, "RJCT", "NOOR");
    assert_string_equal(answer_has(c, "OrgnlEndToEndId"), "NEVERSEEN");
}

static void an_inquiry_may_be_answered_by_notice_or_not_at_all(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"inquiry\":\"notice\",\"unknown_transaction\":\"silent\"}");
    pay(c, "M1", "E1", "1.00");
    customer_post(c, pacs_028(c, "Q1", "E1"));
    assert_int_equal(c->http_status, 202);
    assert_int_equal(c->notice_count, 1);
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSC");
    customer_post(c, pacs_028(c, "Q2", "NEVERSEEN"));
    assert_int_equal(c->http_status, 202);
    assert_int_equal(c->notice_count, 1);
}

/* --- camt.056 ------------------------------------------------------------------------------- */
static void a_recall_before_booking_stops_the_payment(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"booking\":\"delayed\"}");
    pay(c, "M1", "E1", "12.50");
    customer_post(c, camt_056(c, "R1", "E1", "12.50"));
    assert_string_equal(answer_has(c, "Conf"), "CNCL");
    assert_string_equal(answer_has(c, "TxCxlSts"), "ACCR");
    assert_string_equal(answer_has(c, "CxlStsId"), "X-R1");
    customer_wait(c, 60000);
    assert_int_equal(moved(c, CREDITOR, "EUR"), 0);
    assert_int_equal(c->notice_count, 0);
    customer_post(c, pacs_028(c, "Q1", "E1"));
    assert_answer(c, "CANC", "");
}

static void a_recall_that_is_accepted_brings_the_money_back(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "12.50");
    customer_post(c, camt_056(c, "R1", "E1", "12.50"));
    assert_string_equal(answer_has(c, "Conf"), "CNCL");
    assert_int_equal(c->notice_count, 1);
    assert_string_equal(notice_type(c, 0), "camt.054.001.08");
    assert_string_equal(notice_has(c, 0, "CdtDbtInd"), "CRDT");
    assert_string_equal(notice_has(c, 0, "EndToEndId"), "E1");
    assert_int_equal(moved(c, DEBTOR, "EUR"), 0);
    customer_post(c, camt_056(c, "R2", "E1", "12.50"));
    assert_string_equal(answer_has(c, "Conf"), "RJCR");
    assert_non_null(strstr((char *)c->body, "<Cd>ARDT</Cd>"));
    assert_true(balanced(c));
}

static void recalls_that_are_refused(void **state)
{
    struct customer *c = *state;
    customer_post(c, camt_056(c, "R0", "NEVERSEEN", "1.00"));
    assert_string_equal(answer_has(c, "Conf"), "RJCR");
    assert_string_equal(answer_has(c, "Cd"), "NOOR");
    customer_set(c, "{\"recall\":\"LEGL\"}");
    pay(c, "M1", "E1", "12.50");
    customer_post(c, camt_056(c, "R1", "E1", "12.50"));
    assert_string_equal(answer_has(c, "Cd"), "LEGL");
    pay(c, "M2", "E2", "92.02"); /* the amount says more than the setting */
    customer_post(c, camt_056(c, "R2", "E2", "92.02"));
    assert_string_equal(answer_has(c, "Cd"), "NOAS");
    pay(c, "M3", "E3", "92.07");
    customer_post(c, camt_056(c, "R3", "E3", "92.07"));
    assert_int_equal(c->http_status, 202);
    customer_wait(c, 100000);
    assert_int_equal(c->notice_count, 0);
}

static void a_recall_may_take_its_time(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"recall_answer\":\"notice\"}");
    pay(c, "M1", "E1", "92.05");
    customer_post(c, camt_056(c, "R1", "E1", "92.05"));
    assert_int_equal(c->http_status, 202);
    assert_string_equal(notice_has(c, 0, "Conf"), "PDCR");
    assert_int_equal(c->notice_count, 1);
    customer_wait(c, 2000);
    assert_int_equal(c->notice_count, 3);
    assert_string_equal(notice_has(c, 1, "Conf"), "CNCL");
    assert_string_equal(notice_type(c, 2), "camt.054.001.08");
    pay(c, "M2", "E2", "92.06");
    customer_forget(c);
    customer_post(c, camt_056(c, "R2", "E2", "92.06"));
    customer_wait(c, 2000);
    assert_string_equal(notice_has(c, 1, "Conf"), "RJCR");
    assert_string_equal(notice_has(c, 1, "Cd"), "CUST");
}

/* --- returns -------------------------------------------------------------------------------- */
static void the_beneficiary_bank_returns_a_payment(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "12.50");
    assert_non_null(customer_command(
        c, "/return", "{\"end_to_end_id\":\"E1\",\"amount\":\"2.50\",\"reason\":\"MD06\"}"));
    assert_string_equal(notice_type(c, 0), "camt.054.001.08");
    assert_non_null(strstr(c->notices[0].body, "<RtrInf><Rsn><Cd>MD06</Cd></Rsn></RtrInf>"));
    assert_string_equal(notice_has(c, 0, "Amt"), "2.50");
    assert_int_equal(moved(c, DEBTOR, "EUR"), -1000);
    assert_null(customer_command(c, "/return", "{\"end_to_end_id\":\"E1\",\"amount\":1001}"));
    assert_non_null(customer_command(c, "/return", "{\"end_to_end_id\":\"E1\"}"));
    assert_int_equal(moved(c, DEBTOR, "EUR"), 0);
    assert_null(customer_command(c, "/return", "{\"end_to_end_id\":\"E1\"}"));

    customer_forget(c);
    customer_post(c, pacs_008(c, &(struct order){
                                     .msg_id = "M2", .end_to_end_id = "E2", .amount = "91.11" }));
    assert_answer(c, "ACSC", ""); /* magic: comes back by itself */
    customer_wait(c, 2000);
    assert_string_equal(notice_type(c, 0), "pacs.004.001.09");
    assert_string_equal(notice_has(c, 0, "OrgnlEndToEndId"), "E2");
    assert_string_equal(notice_has(c, 0, "RtrdIntrBkSttlmAmt"), "91.11");
    assert_int_equal(moved(c, "PARTICIPANT", "EUR"), 0);
    assert_true(balanced(c));
}

static void money_comes_in_and_is_refunded(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"notice_url\":\"http://127.0.0.1:1/n\"}");
    assert_non_null(customer_command(
        c, "/credit",
        "{\"account\":\"" DEBTOR "\",\"amount\":\"20.00\",\"currency\":\"EUR\",\"reference\":"
        "\"RF18539007547034\",\"end_to_end_id\":\"IN1\",\"debtor\":\"Anna & Co\","
        "\"debtor_account\":\"" CREDITOR "\"}"));
    assert_string_equal(notice_type(c, 0), "camt.054.001.08");
    assert_string_equal(c->notices[0].url, "http://127.0.0.1:1/n");
    assert_string_equal(notice_has(c, 0, "Ref"), "RF18539007547034");
    assert_non_null(strstr(c->notices[0].body, "Anna &amp; Co"));
    assert_int_equal(moved(c, DEBTOR, "EUR"), 2000);

    customer_post(c, pacs_004(c, "B1", "RET1", "IN1", "15.00"));
    assert_answer(c, "ACSC", "");
    assert_string_equal(answer_has(c, "OrgnlTxId"), "RET1");
    customer_post(c, pacs_004(c, "B1", "RET1", "IN1", "15.00")); /* the same message */
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, DEBTOR, "EUR"), 500);
    customer_post(c, pacs_004(c, "B2", "RET1", "IN1", "1.00"));
    assert_answer(c, "RJCT", "AM05");
    customer_post(c, pacs_004(c, "B3", "RET3", "IN1", "5.01"));
    assert_answer(c, "RJCT", "AM09");
    customer_post(c, pacs_004(c, "B4", "RET4", "NEVERSEEN", "5.00"));
    assert_answer(c, "RJCT", "NOOR");
    customer_post(c, pacs_004(c, "B5", "RET5", "IN1", "5.00"));
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, DEBTOR, "EUR"), 0);
    assert_true(balanced(c));
}

static void a_return_is_not_returned(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "12.50");
    assert_non_null(customer_command(c, "/return", "{\"end_to_end_id\":\"E1\"}"));
    customer_post(c, pacs_004(c, "B1", "RET1", "E1", "12.50"));
    assert_answer(c, "RJCT", "AG13");
}

static void a_refund_that_is_refused_later_is_free_again(void **state)
{
    struct customer *c = *state;
    assert_non_null(customer_command(
        c, "/credit", "{\"amount\":9102,\"currency\":\"EUR\",\"end_to_end_id\":\"IN1\"}"));
    customer_post(c, pacs_004(c, "B1", "RET1", "IN1", "91.02")); /* pending, then rejected */
    assert_answer(c, "ACSP", "");
    customer_post(c, pacs_004(c, "B2", "RET2", "IN1", "10.00"));
    assert_answer(c, "RJCT", "AM09");
    customer_wait(c, 2000);
    customer_post(c, pacs_004(c, "B3", "RET3", "IN1", "10.00"));
    assert_answer(c, "ACSC", "");
    customer_post(c, pacs_028(c, "Q1", "NONE"));
    assert_answer(c, "RJCT", "NOOR");
}

static void a_participant_gets_a_pacs_008(void **state)
{
    struct customer *c = *state;
    customer_set(c, "{\"connection\":\"participant\",\"notice_url\":\"http://127.0.0.1:1/n\"}");
    assert_non_null(customer_command(c, "/credit",
                                     "{\"amount\":\"20.00\",\"currency\":\"EUR\",\"account\":"
                                     "\"DE89370400440532013000\",\"end_to_end_id\":\"IN1\"}"));
    assert_string_equal(notice_type(c, 0), "pacs.008.001.08");
    assert_string_equal(notice_has(c, 0, "EndToEndId"), "IN1");
    assert_int_equal(moved(c, "PARTICIPANT", "EUR"), 2000);
    customer_post(c, pacs_004(c, "B1", "RET1", "IN1", "20.00"));
    assert_answer(c, "ACSC", "");
    assert_int_equal(moved(c, "PARTICIPANT", "EUR"), 0);
}

/* --- commands ------------------------------------------------------------------------------- */
static void a_statement_adds_up(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "12.50");
    customer_wait(c, 24 * 3600 * 1000); /* the next day */
    pain_001(c,
             &(struct order){
                 .msg_id = "M2", .end_to_end_id = "E2", .amount = "2.00", .date = "2026-11-23" });
    customer_post(c, c->text);
    assert_answer(c, "ACSC", "");
    const char *answer = customer_command(c, "/statement", "{\"account\":\"" DEBTOR "\"}");
    assert_non_null(answer);
    assert_string_equal(notice_type(c, 0), "camt.053.001.08");
    const char *body = c->notices[0].body;
    assert_non_null(strstr(body, "<Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999987.50</Amt>"));
    assert_non_null(strstr(body, "<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999985.50</Amt>"));
    assert_non_null(strstr(body, "<EndToEndId>E2</EndToEndId>"));
    assert_null(strstr(body, "<EndToEndId>E1</EndToEndId>"));
    assert_non_null(customer_command(c, "/statement", "{\"date\":\"2026-11-22\"}"));
    body = c->notices[1].body;
    assert_non_null(
        strstr(body, "<Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">1000000.00</Amt>"));
    assert_non_null(strstr(body, "<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999987.50</Amt>"));
}

static void a_test_decides_a_pending_payment(void **state)
{
    struct customer *c = *state;
    pay(c, "M1", "E1", "91.04");
    assert_non_null(
        customer_command(c, "/settle", "{\"end_to_end_id\":\"E1\",\"result\":\"book\"}"));
    assert_string_equal(notice_has(c, 0, "TxSts"), "ACSC");
    assert_null(customer_command(c, "/settle", "{\"end_to_end_id\":\"E1\",\"result\":\"book\"}"));
    assert_non_null(customer_command(
        c, "/status", "{\"end_to_end_id\":\"E1\",\"status\":\"RJCT\",\"reason\":\"MS03\"}"));
    assert_string_equal(notice_has(c, 1, "TxSts"), "RJCT");
    assert_non_null(customer_command(c, "/accounts",
                                     "{\"account\":\"NL91ABNA0417164301\",\"state\":\"closed\"}"));
    assert_null(customer_command(c, "/accounts", "{\"account\":\"NL91ABNA0417164301\"}"));
    assert_null(customer_command(c, "/nothing", "{}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, customer_start, customer_stop)
        STORY(an_inquiry_tells_what_became_of_it),
        STORY(an_inquiry_may_be_answered_by_notice_or_not_at_all),
        STORY(a_recall_before_booking_stops_the_payment),
        STORY(a_recall_that_is_accepted_brings_the_money_back),
        STORY(recalls_that_are_refused),
        STORY(a_recall_may_take_its_time),
        STORY(the_beneficiary_bank_returns_a_payment),
        STORY(money_comes_in_and_is_refunded),
        STORY(a_return_is_not_returned),
        STORY(a_refund_that_is_refused_later_is_free_again),
        STORY(a_participant_gets_a_pacs_008),
        STORY(a_statement_adds_up),
        STORY(a_test_decides_a_pending_payment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
