/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bank_notices.c - what the bank adapter makes of messages that come unasked: whose they are,
 * what they settle, several in one, the same movement told twice, and whose signature stands on
 * them.
 */
#include "test_bank_bench.h"

static struct bench b;
static char text[16384];

#define NS "urn:iso:std:iso:20022:tech:xsd:"

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

static const char *structured(void)
{
    static char room[40];
    struct rg_buffer out = { (uint8_t *)room, 36, 0, 0, 0 };
    uint64_t attempt = 0;
    assert_true(attempt_read(text_of(ATTEMPT_1), &attempt));
    bank_put_reference(&b.bank, attempt, &out);
    room[out.len] = '\0';
    return room;
}

static void open_channel(const char *settings)
{
    assert_int_equal(bench_configure(&b, settings), -1);
    bench_command(&b, RG_OP_SALE, 1250, "EUR");
}

static void expect(const char *body, uint32_t index, uint32_t about, uint32_t outcome,
                   const char *attempt)
{
    uint32_t answer = bench_notice(&b, body, index, "", 1);
    if (answer != RG_NOTICE_DONE)
        print_message("diagnosis: %.*s\n", (int)b.notice.diagnosis.len, b.notice.diagnosis.ptr);
    assert_int_equal(answer, RG_NOTICE_DONE);
    if (about != b.notice.about)
        print_message("message: %.*s\n", (int)b.notice.message.len, b.notice.message.ptr);
    assert_int_equal(b.notice.about, about);
    assert_int_equal(b.notice.outcome, outcome);
    assert_true(bench_is(&b.notice.attempt_id, attempt));
}

/* --- statuses -------------------------------------------------------------------------------- */

static const char *status(const char *message, const char *kind, const char *end_to_end,
                          const char *word, const char *reason)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "pacs.002.001.10'><FIToFIPmtStsRpt><GrpHdr><MsgId>B1</MsgId>"
             "</GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>%s</OrgnlMsgId><OrgnlMsgNmId>%s"
             "</OrgnlMsgNmId></OrgnlGrpInfAndSts><TxInfAndSts><OrgnlEndToEndId>%s"
             "</OrgnlEndToEndId><TxSts>%s</TxSts><StsRsnInf><Rsn><Cd>%s</Cd></Rsn></StsRsnInf>"
             "</TxInfAndSts></FIToFIPmtStsRpt></Document>",
             message, kind, end_to_end, word, reason);
    return text;
}

static void statuses(void **state)
{
    (void)state;
    static const char *const settings[] = { SEPA, FEDNOW, PIX, BETWEEN_BANKS };
    for (unsigned i = 0; i < 4; i++) {
        open_channel(settings[i]);
        expect(status(id('M'), "pacs.008.001.08", id('E'), "ACSC", ""), 0, RG_ABOUT_STATUS,
               RG_OUTCOME_APPROVED, ATTEMPT_1);
        expect(status(id('M'), "pacs.008.001.08", id('E'), "RJCT", "AC04"), 0, RG_ABOUT_STATUS,
               RG_OUTCOME_DECLINED, ATTEMPT_1);
        assert_int_equal(b.notice.category, RG_CATEGORY_RESTRICTED);
        expect(status("", "", id('E'), "ACCC", ""), 0, RG_ABOUT_STATUS, RG_OUTCOME_APPROVED,
               ATTEMPT_1);
        /* A duplicate may answer a repetition: it refuses nothing. */
        expect(status(id('M'), "pacs.008.001.08", id('E'), "RJCT", "AM05"), 0, RG_ABOUT_STATUS,
               RG_OUTCOME_PENDING, ATTEMPT_1);
        expect(status("THEIRS", "pacs.008.001.08", "NOTPROVIDED", "ACSC", ""), 0, RG_ABOUT_LINK, 0,
               "");
        expect(status(id('M'), "pacs.028.001.03", id('E'), "RJCT", "FF01"), 0, RG_ABOUT_LINK, 0,
               "");
        expect(status(id('M'), "pacs.008.001.08", id('E'), "RJCT", "NOOR"), 0, RG_ABOUT_LINK, 0,
               "");
    }
    open_channel(SEPA); /* two attempts in one status: nothing is believed */
    assert_int_equal(
        bench_notice(&b, status(id('M'), "pain.001.001.09", "RGE0000000000001", "ACSC", ""), 0, "",
                     0),
        RG_NOTICE_BROKEN);
}

static void recalls_and_rejects(void **state)
{
    (void)state;
    open_channel(SEPA);
    snprintf(text, sizeof text,
             "<Document xmlns='" NS
             "camt.029.001.09'><RsltnOfInvstgtn><Assgnmt><Id>B</Id></Assgnmt>"
             "<Sts><Conf>RJCR</Conf></Sts><CxlDtls><TxInfAndSts><RslvdCase><Id>%s</Id></RslvdCase>"
             "<OrgnlEndToEndId>%s</OrgnlEndToEndId><TxCxlSts>RJCR</TxCxlSts><CxlStsRsnInf><Rsn><Cd>"
             "CUST</Cd></Rsn></CxlStsRsnInf></TxInfAndSts></CxlDtls></RsltnOfInvstgtn></Document>",
             id('C'), id('E'));
    expect(text, 0, RG_ABOUT_STATUS, RG_OUTCOME_DECLINED, ATTEMPT_1);
    assert_true(bench_is(&b.notice.rail_code, "CUST"));
    for (unsigned i = 0; i < 2; i++) { /* only the recall of a refund has an amount */
        snprintf(text, sizeof text,
                 "<Document xmlns='" NS "camt.029.001.09'><RsltnOfInvstgtn><RslvdCase><Id>%s</Id>"
                 "</RslvdCase><Sts><Conf>CNCL</Conf></Sts><CxlDtls><TxInfAndSts><TxCxlSts>ACCR"
                 "</TxCxlSts><OrgnlIntrBkSttlmAmt Ccy='EUR'>12.50</OrgnlIntrBkSttlmAmt>"
                 "</TxInfAndSts></CxlDtls></RsltnOfInvstgtn></Document>",
                 id(i == 0 ? 'C' : 'B'));
        expect(text, 0, RG_ABOUT_STATUS, RG_OUTCOME_APPROVED, ATTEMPT_1);
        assert_true(b.notice.amount_minor == (i == 0 ? -1 : 1250));
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(
            text, sizeof text,
            "<Document xmlns='" NS "admi.002.001.01'><admi.002.001.01><RltdRef><Ref>%s</Ref>"
            "</RltdRef><Rsn><RjctgPtyRsn>T505</RjctgPtyRsn></Rsn></admi.002.001.01></Document>",
            id(i == 0 ? 'M' : 'S'));
        expect(text, 0, i == 0 ? RG_ABOUT_STATUS : RG_ABOUT_LINK, i == 0 ? RG_OUTCOME_REJECTED : 0,
               i == 0 ? ATTEMPT_1 : "");
    }
}

/* --- money ----------------------------------------------------------------------------------- */

static const char *return_message(const char *end_to_end)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "pacs.004.001.10'><PmtRtr><GrpHdr><MsgId>R1</MsgId></GrpHdr>"
             "<TxInf><RtrId>RTR-7</RtrId><OrgnlEndToEndId>%s</OrgnlEndToEndId>"
             "<RtrdIntrBkSttlmAmt Ccy='EUR'>12.50</RtrdIntrBkSttlmAmt><RtrRsnInf><Rsn><Cd>AC04</Cd>"
             "</Rsn></RtrRsnInf></TxInf></PmtRtr></Document>",
             end_to_end);
    return text;
}

static void returns(void **state)
{
    (void)state;
    open_channel(BETWEEN_BANKS);
    expect(return_message(id('E')), 0, RG_ABOUT_RETURN, RG_OUTCOME_APPROVED, ATTEMPT_1);
    assert_true(b.notice.amount_minor == 1250);
    assert_true(bench_is(&b.notice.reference, "RTR-7"));
    expect(return_message("THEIRS"), 0, RG_ABOUT_LINK, 0, "");
}

static const char *transfer_in(const char *reference)
{
    snprintf(text, sizeof text,
             "<Document xmlns='" NS "pacs.008.001.08'><FIToFICstmrCdtTrf><GrpHdr><MsgId>IN1</MsgId>"
             "</GrpHdr><CdtTrfTxInf><PmtId><EndToEndId>E2E9</EndToEndId><TxId>TX9</TxId></PmtId>"
             "<IntrBkSttlmAmt Ccy='EUR'>12.50</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-22"
             "</IntrBkSttlmDt><Dbtr><Nm>Anna</Nm></Dbtr><DbtrAcct><Id><IBAN>DE75512108001245126199"
             "</IBAN></Id></DbtrAcct><RmtInf><Strd><CdtrRefInf><Ref>%s</Ref></CdtrRefInf></Strd>"
             "</RmtInf></CdtTrfTxInf></FIToFICstmrCdtTrf></Document>",
             reference);
    return text;
}

static void transfers_that_come_in(void **state)
{
    (void)state;
    open_channel(BETWEEN_BANKS);
    expect(transfer_in(structured()), 0, RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, ATTEMPT_1);
    assert_true(b.notice.amount_minor == 1250 && b.notice.currency_number == 978);
    const struct rg_table *refs = &b.notice.refs;
    assert_true(text_is(rg_find(refs->rows, refs->count, "in_message")->value, "IN1"));
    assert_true(text_is(rg_find(refs->rows, refs->count, "debtor_account")->value,
                        "DE75512108001245126199"));
    expect(transfer_in("RF18539007547034"), 0, RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, "");
    assert_true(bench_is(&b.notice.reference, "TX9"));
}

/* One TxDtls; `more` stands behind its references. */
static void entry(char *out, size_t room, const char *direction, const char *reversal,
                  const char *sts, const char *servicer, const char *end_to_end, const char *more)
{
    size_t len = strlen(out);
    snprintf(
        out + len, room - len,
        "<Ntry><Amt Ccy='EUR'>12.50</Amt><CdtDbtInd>%s</CdtDbtInd>%s<Sts><Cd>%s</Cd></Sts>"
        "<AcctSvcrRef>%s</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>%s</EndToEndId></Refs>"
        "%s</TxDtls></NtryDtls></Ntry>",
        direction, reversal[0] ? "<RvslInd>true</RvslInd>" : "", sts, servicer, end_to_end, more);
}

static void bookings(void **state)
{
    (void)state;
    static char strd[300];
    open_channel(SEPA);
    snprintf(strd, sizeof strd,
             "<RmtInf><Strd><CdtrRefInf><Ref>%s</Ref></CdtrRefInf></Strd></RmtInf>", structured());
    static char body[16384];
    strcpy(body, "<Document xmlns='" NS "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>N1"
                 "</MsgId></GrpHdr><Ntfctn><Id>1</Id>");
    entry(body, sizeof body, "CRDT", "", "BOOK", "S0", "NOTPROVIDED", strd);
    entry(body, sizeof body, "CRDT", "", "BOOK", "S1", structured(), "");
    entry(body, sizeof body, "CRDT", "", "BOOK", "S2", "SOMEBODY", "");
    entry(body, sizeof body, "DBIT", "", "BOOK", "S3", id('E'), "");
    entry(body, sizeof body, "CRDT", "", "BOOK", "S4", id('E'),
          "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    entry(body, sizeof body, "CRDT", "R", "BOOK", "S5", id('E'), "");
    entry(body, sizeof body, "DBIT", "", "PDNG", "S6", id('E'), "");
    entry(body, sizeof body, "DBIT", "", "BOOK", "S7", "RENT", "");
    entry(body, sizeof body, "DBIT", "R", "BOOK", "S8", "NOTPROVIDED", strd);
    strcat(body, "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>");
    static const struct {
        uint32_t about, outcome;
        const char *attempt, *reference;
    } rows[] = {
        { RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, ATTEMPT_1, "S0" },
        { RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, ATTEMPT_1, "S1" },
        { RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, "", "S2" },
        { RG_ABOUT_STATUS, RG_OUTCOME_APPROVED, ATTEMPT_1, "RGE00AI0DK9R3E5O" },
        { RG_ABOUT_RETURN, RG_OUTCOME_APPROVED, ATTEMPT_1, "return of " ATTEMPT_1 },
        { RG_ABOUT_RETURN, RG_OUTCOME_APPROVED, ATTEMPT_1, "return of " ATTEMPT_1 },
        { RG_ABOUT_LINK, 0, "", "" },
        { RG_ABOUT_LINK, 0, "", "" },
        { RG_ABOUT_RETURN, RG_OUTCOME_APPROVED, ATTEMPT_1, "return of " ATTEMPT_1 },
    };
    for (uint32_t i = 0; i < 9; i++) {
        expect(body, i, rows[i].about, rows[i].outcome, rows[i].attempt);
        assert_true(bench_is(&b.notice.reference, rows[i].reference));
        assert_int_equal(b.notice.more, i < 8);
        if (rows[i].about != RG_ABOUT_LINK)
            assert_true(b.notice.amount_minor == 1250);
    }
    expect(body, 9, RG_ABOUT_LINK, 0, "");
    assert_int_equal(b.notice.more, 0);
    expect(return_message(id('E')), 0, RG_ABOUT_RETURN, RG_OUTCOME_APPROVED, ATTEMPT_1);
    assert_true(
        bench_is(&b.notice.reference, "return of " ATTEMPT_1)); /* told twice: one movement */
}

static void qr_references_come_back(void **state)
{
    (void)state;
    static char body[8192], strd[300];
    open_channel(SWISS ";receive_iban=CH4431999123000889012;receive_reference=qrr");
    strcpy(body, "<Document xmlns='" NS "camt.053.001.08'><BkToCstmrStmt><Stmt><Id>1</Id>");
    snprintf(strd, sizeof strd,
             "<RmtInf><Strd><CdtrRefInf><Ref>%s</Ref></CdtrRefInf></Strd></RmtInf>", structured());
    entry(body, sizeof body, "CRDT", "", "BOOK", "S0", "NOTPROVIDED", strd);
    entry(body, sizeof body, "CRDT", "", "BOOK", "S1", "NOTPROVIDED",
          "<RmtInf><Strd><CdtrRefInf><Ref>210000000003139471430009017</Ref></CdtrRefInf></Strd>"
          "</RmtInf>");
    strcat(body, "</Stmt></BkToCstmrStmt></Document>");
    expect(body, 0, RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, ATTEMPT_1);
    expect(body, 1, RG_ABOUT_CREDIT, RG_OUTCOME_APPROVED, "");
}

static void nothing_is_guessed(void **state)
{
    (void)state;
    open_channel(SEPA);
    static const char *const broken[] = {
        "",
        "{}",
        "<!DOCTYPE a><a/>",
        "<Document xmlns='" NS "camt.054.001.08'/>",
        "<Document xmlns='" NS
        "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><Ntfctn><Ntry><CdtDbtInd>CRDT"
        "</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts></Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>",
        "<Document xmlns='" NS
        "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><Ntfctn><Ntry><Amt Ccy='EUR'>"
        "1.001</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts></Ntry></Ntfctn>"
        "</BkToCstmrDbtCdtNtfctn></Document>",
        "<Document xmlns='" NS
        "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><Ntfctn><Ntry><Amt Ccy='XXX'>"
        "1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts></Ntry></Ntfctn>"
        "</BkToCstmrDbtCdtNtfctn></Document>",
    };
    for (unsigned i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(bench_notice(&b, broken[i], 0, "", 0), RG_NOTICE_BROKEN);
        assert_true(b.notice.diagnosis.len > 0);
    }
    expect("<Document xmlns='" NS "camt.054.001.08'><BkToCstmrDbtCdtNtfctn/></Document>", 0,
           RG_ABOUT_LINK, 0, "");
}

/* --- one reading for all entries ---------------------------------------------------------------
 */

static struct iso_rows kept;

static const char *credits(unsigned count)
{
    static char body[1 << 20];
    strcpy(body, "<Document xmlns='" NS "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><Ntfctn>");
    size_t len = strlen(body);
    for (unsigned i = 0; i < count; i++)
        len +=
            (size_t)snprintf(body + len, sizeof body - len,
                             "<Ntry><Amt Ccy='EUR'>1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>"
                             "BOOK</Cd></Sts><AcctSvcrRef>Q%u</AcctSvcrRef></Ntry>",
                             i);
    snprintf(body + len, sizeof body - len, "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>");
    return body;
}

static void many_entries_are_read_once(void **state)
{
    (void)state;
    char name[16];
    open_channel(SEPA);
    const char *body = credits(ISO_ROWS_MAX);
    memset(&kept, 0, sizeof kept);
    for (uint32_t i = 0; i < ISO_ROWS_MAX; i++) {
        /* After the first entry the message is not looked at any more. */
        const char *shown = i == 0 ? body : "";
        assert_int_equal(bench_notice_kept(&b, shown, i, "", 1, &kept), RG_NOTICE_DONE);
        snprintf(name, sizeof name, "Q%u", i);
        assert_true(bench_is(&b.notice.reference, name));
        assert_int_equal(b.notice.more, i + 1 < ISO_ROWS_MAX);
    }
    memset(&kept, 0, sizeof kept); /* at any index zeroed memory is filled */
    assert_int_equal(bench_notice_kept(&b, body, 4000, "", 1, &kept), RG_NOTICE_DONE);
    assert_true(bench_is(&b.notice.reference, "Q4000"));
    assert_int_equal(bench_notice(&b, credits(ISO_ROWS_MAX + 1), 0, "", 1), RG_NOTICE_BROKEN);
    assert_true(bench_is(&b.notice.diagnosis, "the message tells of more payments than one may"));
    /* Of an unsigned one only the beginning. */
    memset(&kept, 0, sizeof kept);
    assert_int_equal(bench_notice_kept(&b, credits(1000), 0, "", 0, &kept), RG_NOTICE_DONE);
    assert_int_equal(kept.count, BANK_HINTS_MAX);
    assert_int_equal(b.notice.more, 1);
    assert_int_equal(bench_notice_kept(&b, "", BANK_HINTS_MAX - 1, "", 0, &kept), RG_NOTICE_DONE);
    assert_int_equal(b.notice.more, 0);
}

/* A refund that was a transfer and comes back did not reach the payer. */
static void refunds_that_come_back(void **state)
{
    (void)state;
    static char body[4096];
    open_channel(SEPA);
    strcpy(body, "<Document xmlns='" NS "camt.054.001.08'><BkToCstmrDbtCdtNtfctn><Ntfctn>");
    entry(body, sizeof body, "DBIT", "", "BOOK", "S1", id('F'), "");
    entry(body, sizeof body, "CRDT", "", "BOOK", "S2", id('F'),
          "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    strcat(body, "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>");
    expect(body, 0, RG_ABOUT_STATUS, RG_OUTCOME_APPROVED, ATTEMPT_1);
    expect(body, 1, RG_ABOUT_STATUS, RG_OUTCOME_DECLINED, ATTEMPT_1);
    assert_true(bench_is(&b.notice.rail_code, "AC04"));
}

/* --- signatures ------------------------------------------------------------------------------- */

static uint32_t with_signature(const char *protected_json, unsigned signature_len,
                               uint32_t verified)
{
    static char headers[2048];
    uint8_t raw[80];
    struct rg_buffer out = { (uint8_t *)headers, sizeof headers - 1, 0, 0, 0 };
    memset(raw, 7, sizeof raw);
    rg_put_text(&out, "content-type: application/xml\nx-jws-signature: ");
    bank_put_base64url(&out, text_of(protected_json));
    rg_put_text(&out, "..");
    bank_put_base64url(&out, (struct rg_bytes){ raw, signature_len });
    rg_put_text(&out, "\n");
    headers[out.len] = '\0';
    return bench_notice(&b, status(id('M'), "pain.001.001.09", id('E'), "ACSC", ""), 0, headers,
                        verified);
}

static void signatures(void **state)
{
    (void)state;
    static const char good[] = "{\"alg\":\"EdDSA\",\"kid\":\"bank1\",\"iat\":1795353200}";
    static const char *const bad[] = {
        "{\"alg\":\"none\",\"kid\":\"bank1\",\"iat\":1795353200}",
        "{\"alg\":\"ES256\",\"kid\":\"bank1\",\"iat\":1795353200}",
        "{\"alg\":\"EdDSA\",\"kid\":\"other\",\"iat\":1795353200}",
        "{\"alg\":\"EdDSA\",\"kid\":\"bank1\",\"iat\":1795352000}",
        "{\"alg\":\"EdDSA\",\"kid\":\"bank1\",\"iat\":1795354000}",
        "{\"alg\":\"EdDSA\",\"kid\":\"bank1\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"bank1\",\"iat\":1795353200,\"crit\":[\"b64\"]}",
        "not json",
    };
    open_channel(SEPA ";bank_key=theirs;bank_key_id=bank1");
    assert_int_equal(with_signature(good, 64, 0), RG_NOTICE_VERIFY);
    assert_true(bench_is(&b.notice.sign_key, "bank_key"));
    assert_int_equal(b.notice.signature.len, 64);
    static char want[4096];
    struct rg_buffer out = { (uint8_t *)want, sizeof want, 0, 0, 0 };
    bank_put_base64url(&out, text_of(good));
    rg_put_text(&out, ".");
    bank_put_base64url(&out, text_of(text));
    assert_int_equal(out.len, b.notice.bytes.len);
    assert_memory_equal(want, b.notice.bytes.ptr, out.len);
    assert_int_equal(with_signature(good, 64, 1), RG_NOTICE_DONE);
    assert_int_equal(b.notice.outcome, RG_OUTCOME_APPROVED);
    assert_int_equal(with_signature(good, 63, 0), RG_NOTICE_BROKEN);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(with_signature(bad[i], 64, 0), RG_NOTICE_BROKEN);
    /* Without one it is a hint: answered without VERIFY. */
    assert_int_equal(bench_notice(&b, text, 0, "content-type: application/xml\n", 0),
                     RG_NOTICE_DONE);
    /* A small room is never overrun, and never believed. */
    struct rg_notice in = { .size = sizeof in,
                            .bytes = text_of(text),
                            .http_method = RG_HTTP_POST,
                            .memory = memset(&kept, 0, sizeof kept) };
    struct rg_notice_out none;
    memset(&none, 0, sizeof none);
    (void)b.adapter->notice(&b.bank, &in, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(recalls_and_rejects),
        cmocka_unit_test(returns),
        cmocka_unit_test(transfers_that_come_in),
        cmocka_unit_test(bookings),
        cmocka_unit_test(qr_references_come_back),
        cmocka_unit_test(nothing_is_guessed),
        cmocka_unit_test(many_entries_are_read_once),
        cmocka_unit_test(refunds_that_come_back),
        cmocka_unit_test(signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
