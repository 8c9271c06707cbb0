/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bank_answers.c - what the bank adapter makes of answers: statuses, refusals, duplicates,
 * answers about something else; inquiry, recall and refund built from refs alone, against the
 * official schemas; signatures and tokens; broken answers, which are never a refusal.
 */
#include "test_bank_bench.h"

static struct bench b;
static char text[8192];

#define NS "urn:iso:std:iso:20022:tech:xsd:"

/* References of ATTEMPT_1 as this channel writes them. */
static const char *id(char kind)
{
    static char ids[4][40];
    static unsigned next;
    char *room = ids[next++ % 4];
    struct rg_buffer out = { (uint8_t *)room, 36, 0, 0, 0 };
    uint64_t attempt = 0;
    assert_true(attempt_read(text_of(ATTEMPT_1), &attempt));
    bank_put_id(&b.bank, kind, &b.command, attempt, &out);
    room[out.len] = '\0';
    return room;
}

static const char *pain_002(const char *message, const char *end_to_end, const char *status,
                            const char *reason)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "pain.002.001.10'><CstmrPmtStsRpt><GrpHdr><MsgId>B1</MsgId>"
             "<CreDtTm>2026-11-22T13:14:16Z</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>%s"
             "</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInfAndSts>"
             "<OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>%s"
             "</OrgnlEndToEndId><TxSts>%s</TxSts>%s%s%s<OrgnlTxRef><Amt><InstdAmt Ccy='EUR'>12.5"
             "</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt>"
             "</Document>",
             message, end_to_end, status, reason[0] ? "<StsRsnInf><Rsn><Cd>" : "", reason,
             reason[0] ? "</Cd></Rsn></StsRsnInf>" : "");
    return text;
}

static const char *pacs_002(const char *message, const char *end_to_end, const char *status,
                            const char *reason)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "pacs.002.001.12'><FIToFIPmtStsRpt><GrpHdr><MsgId>B1</MsgId>"
             "</GrpHdr><TxInfAndSts><OrgnlGrpInf><OrgnlMsgId>%s</OrgnlMsgId><OrgnlMsgNmId>x"
             "</OrgnlMsgNmId></OrgnlGrpInf><OrgnlEndToEndId>%s</OrgnlEndToEndId><TxSts>%s</TxSts>"
             "%s%s%s</TxInfAndSts></FIToFIPmtStsRpt></Document>",
             message, end_to_end, status, reason[0] ? "<StsRsnInf><Rsn><Cd>" : "", reason,
             reason[0] ? "</Cd></Rsn></StsRsnInf>" : "");
    return text;
}

static const char *camt_029(const char *case_id, const char *status, const char *reason)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "camt.029.001.09'><RsltnOfInvstgtn><Assgnmt><Id>B2</Id>"
             "</Assgnmt><RslvdCase><Id>%s</Id></RslvdCase><Sts><Conf>%s</Conf></Sts><CxlDtls>"
             "<TxInfAndSts><TxCxlSts>%s</TxCxlSts>%s%s%s</TxInfAndSts></CxlDtls></RsltnOfInvstgtn>"
             "</Document>",
             case_id, status, status, reason[0] ? "<CxlStsRsnInf><Rsn><Cd>" : "", reason,
             reason[0] ? "</Cd></Rsn></CxlStsRsnInf>" : "");
    return text;
}

/* A sale that has been sent; its refs are kept for what follows. */
static void sale(const char *settings, uint32_t repeat)
{
    assert_int_equal(bench_configure(&b, settings), -1);
    bench_command(&b, RG_OP_SALE, 1250, "EUR");
    b.command.repeat = repeat;
    bench_detail(&b, "creditor_name", "Anna Beispiel");
    bench_detail(&b, "creditor_iban", "DE75512108001245126199");
    bench_detail(&b, "creditor_bic", "BNPAFRPP");
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
}

static void follow(uint32_t operation, int64_t minor)
{
    static struct rg_out sent;
    sent = b.out;
    bench_command(&b, operation, minor, "EUR");
    bench_keep_refs(&b, &sent.refs);
    b.command.attempt_id = text_of(ATTEMPT_2);
}

/* --- answers to an order ---------------------------------------------------------------------- */

static void statuses_become_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *status, *reason, *settings;
        uint32_t outcome, category;
        const char *code;
    } rows[] = {
        { "RCVD", "", SEPA, RG_OUTCOME_PENDING, 0, "RCVD" },
        { "ACTC", "", SEPA, RG_OUTCOME_PENDING, 0, "ACTC" },
        { "ACSP", "", SEPA, RG_OUTCOME_PENDING, 0, "ACSP" },
        { "ACSP", "", SEPA ";acsp_is_final=yes", RG_OUTCOME_APPROVED, 0, "ACSP" },
        { "PART", "", SEPA, RG_OUTCOME_PENDING, 0, "PART" },
        { "ACSC", "", SEPA, RG_OUTCOME_APPROVED, 0, "ACSC" },
        { "ACCC", "", SEPA, RG_OUTCOME_APPROVED, 0, "ACCC" },
        { "RJCT", "AC04", SEPA, RG_OUTCOME_DECLINED, RG_CATEGORY_RESTRICTED, "AC04" },
        { "RJCT", "AM04", SEPA, RG_OUTCOME_DECLINED, RG_CATEGORY_FUNDS, "AM04" },
        { "RJCT", "ZZ99", SEPA, RG_OUTCOME_DECLINED, RG_CATEGORY_OTHER, "ZZ99" },
        { "RJCT", "", SEPA, RG_OUTCOME_DECLINED, RG_CATEGORY_OTHER, "RJCT" },
        { "CANC", "", SEPA, RG_OUTCOME_DECLINED, RG_CATEGORY_OTHER, "CANC" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sale(rows[i].settings, 0);
        uint32_t step =
            bench_reply(&b, 200, pain_002(id('M'), id('E'), rows[i].status, rows[i].reason));
        bench_expect(&b, step, RG_STEP_DONE, rows[i].outcome, rows[i].code);
        assert_int_equal(b.out.category, rows[i].category);
        assert_true(b.out.amount_minor == 1250);
        assert_int_equal(b.out.currency_number, 978);
    }
}

static void what_says_nothing_refuses_nothing(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
    } rows[] = {
        { 500, "" }, { 503, "<a/>" },    { 401, "" }, { 404, "not found" },
        { 302, "" }, { 200, "<html/>" }, { 429, "" }, { 400, "{\"error\":1}" },
        { 204, "" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sale(SEPA, 0);
        bench_expect(&b, bench_reply(&b, rows[i].status, rows[i].body), RG_STEP_FAIL, 0, "");
        assert_true(b.out.diagnosis.len > 0);
    }
    sale(SEPA, 0);
    bench_expect(&b, bench_reply(&b, 202, ""), RG_STEP_DONE, RG_OUTCOME_PENDING, "");
    sale(SEPA,
         0); /* another message, another payment, a word that is no status, a foreign currency */
    bench_expect(&b, bench_reply(&b, 200, pain_002("X", id('E'), "RJCT", "AC04")), RG_STEP_FAIL, 0,
                 "");
    sale(SEPA, 0);
    bench_expect(&b, bench_reply(&b, 200, pain_002(id('M'), "X", "ACSC", "")), RG_STEP_FAIL, 0, "");
    sale(SEPA, 0); /* settled, and refused */
    bench_expect(&b, bench_reply(&b, 400, pain_002(id('M'), id('E'), "ACSC", "")), RG_STEP_FAIL, 0,
                 "");
    sale(SEPA, 0);
    bench_expect(&b, bench_reply(&b, 200, pain_002(id('M'), id('E'), "OKAY", "")), RG_STEP_FAIL, 0,
                 "");
    sale(SEPA, 0);
    bench_expect(&b, bench_reply(&b, 200, camt_029(id('M'), "CNCL", "")), RG_STEP_FAIL, 0, "");
}

static void a_duplicate_refuses_only_the_first_sending(void **state)
{
    (void)state;
    static const char *const codes[] = { "AM05", "DU01", "RF01" };
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t repeat = 0; repeat < 2; repeat++) {
            sale(SEPA, repeat);
            uint32_t step = bench_reply(&b, 200, pain_002(id('M'), id('E'), "RJCT", codes[i]));
            bench_expect(&b, step, RG_STEP_DONE,
                         repeat == 0 ? RG_OUTCOME_DECLINED : RG_OUTCOME_PENDING, codes[i]);
        }
}

static void a_message_that_is_rejected(void **state)
{
    (void)state;
    static const char admi[] =
        "<Document xmlns='" NS "admi.002.001.01'><admi.002.001.01><RltdRef><Ref>%s</Ref></RltdRef>"
        "<Rsn><RjctgPtyRsn>FF01</RjctgPtyRsn></Rsn></admi.002.001.01></Document>";
    for (unsigned i = 0; i < 3; i++) {
        sale(SEPA, i == 2);
        snprintf(text, sizeof text, admi, i == 1 ? "SOMETHING" : id('M'));
        bench_expect(&b, bench_reply(&b, 400, text), i == 1 ? RG_STEP_FAIL : RG_STEP_DONE,
                     i == 0 ? RG_OUTCOME_REJECTED : RG_OUTCOME_PENDING, i == 0 ? "FF01" : "");
    }
}

/* --- what follows ----------------------------------------------------------------------------- */

static void inquiries(void **state)
{
    (void)state;
    static const struct {
        const char *status, *reason;
        uint32_t repeat, step, outcome;
    } rows[] = {
        { "ACSC", "", 0, RG_STEP_DONE, RG_OUTCOME_APPROVED },
        { "ACSP", "", 0, RG_STEP_DONE, RG_OUTCOME_PENDING },
        { "RJCT", "AC04", 0, RG_STEP_DONE, RG_OUTCOME_DECLINED },
        { "RJCT", "NOOR", 0, RG_STEP_DONE, RG_OUTCOME_NOT_FOUND },
        { "RJCT", "AM05", 0, RG_STEP_DONE, RG_OUTCOME_DECLINED },
        { "RJCT", "AM05", 1, RG_STEP_DONE, RG_OUTCOME_PENDING },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sale(BETWEEN_BANKS, rows[i].repeat);
        follow(RG_OP_INQUIRE, 0);
        bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
        bench_validate(&b, 1);
        assert_true(bench_has(&b.out.bytes, "<OrgnlMsgNmId>pacs.008.001.08<"));
        assert_true(bench_has(&b.out.bytes, id('E')));
        uint32_t step =
            bench_reply(&b, 200, pacs_002(id('M'), id('E'), rows[i].status, rows[i].reason));
        bench_expect(&b, step, rows[i].step, rows[i].outcome,
                     rows[i].reason[0] ? rows[i].reason : rows[i].status);
    }
    /* 404 without a word about the payment is none; neither is a refusal of the inquiry itself. */
    sale(BETWEEN_BANKS, 0);
    follow(RG_OP_INQUIRE, 0);
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_expect(&b, bench_reply(&b, 404, ""), RG_STEP_FAIL, 0, "");
    sale(BETWEEN_BANKS, 0);
    follow(RG_OP_INQUIRE, 0);
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_expect(&b,
                 bench_reply(&b, 200, pacs_002(b.x.self.message, "NOTPROVIDED", "RJCT", "FF01")),
                 RG_STEP_FAIL, 0, "");
    sale(SEPA ";inquiry=no", 0);
    follow(RG_OP_INQUIRE, 0);
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_PENDING, "");
}

static void recalls(void **state)
{
    (void)state;
    static const struct {
        const char *status, *reason;
        uint32_t outcome;
        const char *code;
    } rows[] = {
        { "CNCL", "", RG_OUTCOME_APPROVED, "CNCL" },
        { "PDCR", "", RG_OUTCOME_PENDING, "PDCR" },
        { "RJCR", "ARDT", RG_OUTCOME_DECLINED, "ARDT" },
        { "RJCR", "NOOR", RG_OUTCOME_DECLINED, "NOOR" },
    };
    for (unsigned k = 0; k < 2 * sizeof rows / sizeof rows[0]; k++) {
        unsigned i = k / 2, refund = k % 2;
        sale(i % 2 == 0 ? SEPA : BETWEEN_BANKS, 0);
        follow(refund ? RG_OP_REFUND : RG_OP_CANCEL, 1250);
        if (!refund)
            b.command.amount_minor = 0; /* of what is pending: nothing is reserved yet */
        bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
        bench_validate(&b, 1);
        assert_true(bench_has(&b.out.bytes, "<OrgnlIntrBkSttlmAmt Ccy=\"EUR\">12.50<"));
        static char case_id[36];
        memcpy(case_id, b.x.self.message, sizeof case_id);
        bench_expect(&b, bench_reply(&b, 200, camt_029(case_id, rows[i].status, rows[i].reason)),
                     RG_STEP_DONE, rows[i].outcome, rows[i].code);
        assert_true(b.out.amount_minor == (refund ? -1 : 1250));
    }
    /* A recall can be asked about; the answer is again a camt.029. */
    sale(BETWEEN_BANKS, 0);
    follow(RG_OP_REFUND, 1250);
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    static char recall_id[36];
    memcpy(recall_id, b.x.self.message, sizeof recall_id);
    follow(RG_OP_INQUIRE, 0);
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_validate(&b, 1);
    assert_true(bench_has(&b.out.bytes, "<OrgnlMsgNmId>camt.056.001.08<"));
    bench_expect(&b, bench_reply(&b, 200, camt_029(recall_id, "CNCL", "")), RG_STEP_DONE,
                 RG_OUTCOME_APPROVED, "CNCL");
    /* A status about the recall: accepted for processing is not yet the money. */
    sale(SEPA, 0);
    follow(RG_OP_CANCEL, 1250);
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_expect(&b, bench_reply(&b, 200, pacs_002(b.x.self.message, id('E'), "ACSC", "")),
                 RG_STEP_DONE, RG_OUTCOME_PENDING, "ACSC");
}

/* Nothing is sent: a wait ends, and of a payment that the bank does not know nothing can be undone.
 */
static void reversals(void **state)
{
    (void)state;
    sale(SEPA, 0);
    follow(RG_OP_REVERSE, 1250);
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_NOT_FOUND, "");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(bench_configure(&b, SEPA), -1);
        bench_command(&b, i == 0 ? RG_OP_REVERSE : RG_OP_CANCEL, 0, "EUR");
        b.command.original_minor = 1250;
        b.refs_in[b.command.refs_count++] =
            (struct rg_named){ text_of("what"), text_of("receive"), 0, 0 };
        bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_APPROVED, "");
        assert_true(b.out.amount_minor == 1250);
        assert_int_equal(b.out.currency_number, 978);
        assert_true(bench_has(&b.out.message, "must be sent back"));
    }
    /* Refs are kept before a byte leaves: an attempt without has sent nothing. */
    assert_int_equal(bench_configure(&b, SEPA), -1);
    bench_command(&b, RG_OP_INQUIRE, 0, "EUR");
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_NOT_FOUND, "");
}

static void pix_has_no_recall(void **state)
{
    (void)state;
    assert_int_equal(bench_configure(&b, PIX), -1);
    bench_command(&b, RG_OP_SALE, 1250, "BRL");
    bench_detail(&b, "creditor_account", "1");
    bench_detail(&b, "creditor_agent", "87654321");
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    follow(RG_OP_CANCEL, 1250);
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_DECLINED, "");
}

static void ref(const char *name, const char *value)
{
    b.refs_in[b.command.refs_count++] = (struct rg_named){ text_of(name), text_of(value), 0, 0 };
}

static void refunds(void **state)
{
    (void)state;
    /* To a customer's bank: a new transfer to where it came from. */
    assert_int_equal(bench_configure(&b, SEPA), -1);
    bench_command(&b, RG_OP_REFUND, 250, "EUR");
    ref("what", "receive");
    ref("reference", "RF18539007547034");
    ref("debtor_name", "Anna Beispiel");
    ref("debtor_account", "DE75512108001245126199");
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_validate(&b, 1);
    assert_true(bench_has(&b.out.bytes, "<Ustrd>Refund RF18539007547034<"));
    bench_command(&b, RG_OP_REFUND, 250, "EUR");
    ref("what", "receive");
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_REJECTED, "AC01");
    /* Between banks: a return. */
    assert_int_equal(bench_configure(&b, BETWEEN_BANKS), -1);
    bench_command(&b, RG_OP_REFUND, 250, "EUR");
    ref("what", "receive");
    ref("amount", "12.50");
    ref("currency", "EUR");
    ref("in_message", "THEIRS1");
    ref("in_kind", "pacs.008.001.08");
    ref("in_end_to_end", "E2E-THEIRS");
    ref("in_date", "2026-11-21");
    bench_expect(&b, bench_begin(&b), RG_STEP_SEND, 0, "");
    bench_validate(&b, 1);
    assert_true(bench_has(&b.out.bytes, "<RtrdIntrBkSttlmAmt Ccy=\"EUR\">2.50<"));
    bench_expect(&b, bench_reply(&b, 200, pacs_002(b.x.self.message, "E2E-THEIRS", "ACSC", "")),
                 RG_STEP_DONE, RG_OUTCOME_APPROVED, "ACSC");
    sale(SEPA, 0); /* what was sent is recalled, as a whole */
    follow(RG_OP_REFUND, 250);
    b.command.original_minor = 1250;
    bench_expect(&b, bench_begin(&b), RG_STEP_DONE, RG_OUTCOME_REJECTED, "AM09");
}

/* --- signatures and tokens ---------------------------------------------------------------------
 */

static void signed_and_with_a_token(void **state)
{
    (void)state;
    uint8_t raw[64];
    memset(raw, 0xAB, sizeof raw);
    struct rg_event event = { sizeof event, RG_EVENT_SIGNED, 0, { raw, sizeof raw }, { NULL, 0 } };
    assert_int_equal(bench_configure(&b, SEPA ";sign_key=ours;sign_key_id=k1;token=yes;"
                                              "client_id=shop;token_audience=https://bank/token"),
                     -1);
    bench_command(&b, RG_OP_SALE, 1250, "EUR");
    bench_detail(&b, "creditor_name", "Anna Beispiel");
    bench_detail(&b, "creditor_iban", "DE75512108001245126199");
    bench_expect(&b, bench_begin(&b), RG_STEP_SIGN, 0, "");
    assert_true(bench_is(&b.out.sign_key, "sign_key"));
    /* {"alg":"EdDSA","kid":"k1","iat":1795353255} */
    assert_true(
        bench_has(&b.out.bytes, "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIiwiaWF0IjoxNzk1MzUzMjU1fQ."));
    bench_rooms(&b);
    bench_expect(&b, b.adapter->resume(&b.bank, &b.x, &event, &b.out), RG_STEP_SEND, 0, "");
    const struct rg_named *row =
        rg_find(b.out.headers.rows, b.out.headers.count, "x-jws-signature");
    assert_non_null(row);
    assert_true(text_starts(row->value, "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIiwiaWF0IjoxNzk1MzUzMjU1fQ"
                                        "..q6urq6ur"));
    row = rg_find(b.out.headers.rows, b.out.headers.count, "authorization");
    assert_non_null(row);
    assert_int_equal(row->flags, RG_NAMED_SLOT);
    assert_memory_equal(row->value.ptr, "Bearer \0access_token", 20);

    bench_command(&b, RG_OP_TOKEN, 0, "EUR");
    b.command.attempt_id = text_of("lnk_000007");
    bench_expect(&b, bench_begin(&b), RG_STEP_SIGN, 0, "");
    bench_rooms(&b);
    bench_expect(&b, b.adapter->resume(&b.bank, &b.x, &event, &b.out), RG_STEP_SEND, 0, "");
    assert_true(bench_is(&b.out.path, "/oauth2/token"));
    assert_true(bench_has(&b.out.bytes, "&client_assertion=eyJ"));
    bench_expect(&b,
                 bench_reply(&b, 200,
                             "{\"access_token\":\"T0ken\",\"token_type\":\"Bearer\","
                             "\"expires_in\":300}"),
                 RG_STEP_DONE, RG_OUTCOME_APPROVED, "");
    assert_int_equal(b.out.grants_lifetime_s, 300);
    assert_int_equal(b.out.grants.rows[0].flags, RG_NAMED_SENSITIVE);
    static const char negative[] = "{\"access_token\":\"a\",\"token_type\":\"Bearer\","
                                   "\"expires_in\":-1}";
    static const char *const bad[] = { "{}", "{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}",
                                       "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
                                       negative };
    for (unsigned i = 0; i < 4; i++) {
        bench_expect(&b, bench_begin(&b), RG_STEP_SIGN, 0, "");
        bench_rooms(&b);
        (void)b.adapter->resume(&b.bank, &b.x, &event, &b.out);
        bench_expect(&b, bench_reply(&b, 200, bad[i]), RG_STEP_FAIL, 0, "");
    }
}

/* --- hard times ------------------------------------------------------------------------------- */

static void broken_answers_never_refuse(void **state)
{
    (void)state;
    static char good[4096], cut[4096];
    sale(SEPA, 0);
    strcpy(good, pain_002(id('M'), id('E'), "RJCT", "AC04"));
    size_t len = strlen(good);
    for (size_t i = 0; i < len; i++) {
        sale(SEPA, 0);
        memcpy(cut, good, i);
        cut[i] = '\0';
        uint32_t step = bench_reply(&b, 200, cut);
        assert_true(step == RG_STEP_FAIL || b.out.outcome == RG_OUTCOME_PENDING); /* empty: taken */
    }
    for (size_t i = 0; i < len; i++) {
        sale(SEPA, 0);
        strcpy(cut, good);
        cut[i] ^= 0x04;
        uint32_t step = bench_reply(&b, 200, cut);
        assert_true(step == RG_STEP_FAIL || step == RG_STEP_DONE);
        assert_true(step != RG_STEP_DONE || b.out.outcome != RG_OUTCOME_APPROVED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_become_outcomes),
        cmocka_unit_test(what_says_nothing_refuses_nothing),
        cmocka_unit_test(a_duplicate_refuses_only_the_first_sending),
        cmocka_unit_test(a_message_that_is_rejected),
        cmocka_unit_test(inquiries),
        cmocka_unit_test(recalls),
        cmocka_unit_test(reversals),
        cmocka_unit_test(pix_has_no_recall),
        cmocka_unit_test(refunds),
        cmocka_unit_test(signed_and_with_a_token),
        cmocka_unit_test(broken_answers_never_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
