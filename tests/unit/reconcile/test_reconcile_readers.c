/* test_reconcile_readers.c - records of the four counterparts: what is whole is read, line by line
 * and under the right names; what is cut, altered, or was made to hurt is refused with its place.
 */
#include "reconcile/reconcile_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define LINES_MAX 16

struct taken {
    char name[NAME_MAX_BYTES + 1], original[NAME_MAX_BYTES + 1];
    enum role role;
    bool beside;
    uint32_t of;
    int64_t amount_minor, at_us;
    char currency[4];
    uint64_t line;
    const char *what;
    char from[40], to[40];
};
struct reading {
    struct record record;
    struct taken lines[LINES_MAX];
    size_t count;
    char why_room[512];
    struct writer why;
};

static enum status take(const struct record_line *line, void *arg)
{
    struct reading *r = arg;
    struct taken *out = &r->lines[r->count++ % LINES_MAX];
    *out = (struct taken){ .role = line->role,
                           .beside = line->beside,
                           .of = line->of,
                           .amount_minor = line->amount_minor,
                           .at_us = line->at_us,
                           .line = line->line,
                           .what = line->what };
    memcpy(out->currency, line->currency, sizeof out->currency);
    assert_int_equal(view_to_text(line->name, out->name, sizeof out->name), STATUS_OK);
    assert_int_equal(view_to_text(line->from, out->from, sizeof out->from), STATUS_OK);
    assert_int_equal(view_to_text(line->to, out->to, sizeof out->to), STATUS_OK);
    assert_int_equal(view_to_text(line->original, out->original, sizeof out->original), STATUS_OK);
    return STATUS_OK;
}

static enum status read_bytes(enum status (*reader)(struct record *), struct view bytes,
                              struct reading *r)
{
    uint8_t *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    *r = (struct reading){ .record = { .path = "day", .take = take } };
    r->why = writer_over(r->why_room, sizeof r->why_room - 1);
    r->record.why = &r->why;
    r->record.arg = r;
    r->record.file = fmemopen(copy, bytes.len > 0 ? bytes.len : 1, "rb");
    assert_non_null(r->record.file);
    if (bytes.len == 0)
        (void)getc(r->record.file);
    enum status status = reader(&r->record);
    assert_int_equal(fclose(r->record.file), 0);
    free(copy);
    if (status != STATUS_OK)
        assert_true(r->why.len > 0);
    return status;
}

static enum status read_text(enum status (*reader)(struct record *), const char *text,
                             struct reading *r)
{
    return read_bytes(reader, view_text(text), r);
}

static void refused(enum status (*reader)(struct record *), const char *text, enum status status,
                    const char *why)
{
    struct reading r;
    enum status got = read_text(reader, text, &r);
    if (got != status || strstr(r.why_room, why) == NULL)
        fail_msg("%s: %s; wanted %s: %s", status_name(got), r.why_room, status_name(status), why);
}

/* body, then `end` in which %s is the SHA-256 of body. */
static char *with_digest(const char *body, const char *end)
{
    static char text[65536];
    uint8_t digest[SECRET_SHA256_SIZE];
    char hex[65];
    struct writer w = writer_over(hex, sizeof hex);
    assert_int_equal(secret_sha256(view_text(body), digest), STATUS_OK);
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    const char *mark = strstr(end, "%s");
    assert_non_null(mark);
    (void)snprintf(text, sizeof text, "%s%.*s%s%s", body, (int)(mark - end), end, hex, mark + 2);
    return text;
}

/* --- card --------------------------------------------------------------------------------------
 */

#define CARD_HEAD                                                                                  \
    "record,direction,mti,processing_code,stan,transmitted,rrn,terminal,merchant,local_date,"      \
    "local_time,booked_at,approval_code,response,amount_minor,requested_minor,currency,pan,"       \
    "original_mti,original_stan,original_transmitted\n"
#define CARD_SALE                                                                                  \
    "SALE,C,0200,000000,000017,1122183000,632618000017,SIMTERM1,\"SHOP, \"\"ONE\"\"\",1122,"       \
    "193000,2026-11-22T18:30:00.113Z,000042,00,1250,1250,EUR,411111******1111,,,\n"
#define CARD_REVERSAL                                                                              \
    "REVERSAL,D,0420,000000,000018,1122183001,632618000017,SIMTERM1,SHOP,1122,193000,"             \
    "2026-11-22T18:30:01.020Z,,00,1250,1250,EUR,411111******1111,0200,000017,1122183000\n"

static void a_card_file_is_read(void **state)
{
    (void)state;
    struct reading r;
    assert_int_equal(
        read_text(record_read_card,
                  with_digest(CARD_HEAD CARD_SALE CARD_REVERSAL, "TRAILER,2,1250,1250,%s\n"), &r),
        STATUS_OK);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.record.lines, 2);
    assert_string_equal(r.lines[0].name, "000017/1122183000/SIMTERM1");
    assert_string_equal(r.lines[1].name, "000017/1122183000/SIMTERM1"); /* what it reverses */
    assert_int_equal(r.lines[0].role, ROLE_FORWARD);
    assert_int_equal(r.lines[1].role, ROLE_BACK);
    assert_int_equal(r.lines[0].of, OF(SALE));
    assert_int_equal(r.lines[1].of, OF(SALE) | OF(CAPTURE));
    assert_int_equal(r.lines[0].amount_minor, 1250);
    assert_string_equal(r.lines[0].currency, "EUR");
    assert_int_equal(r.lines[0].line, 2);
    int64_t at_us = 0;
    assert_int_equal(reconcile_time(VIEW("2026-11-22T18:30:00.113Z"), &at_us), STATUS_OK);
    assert_int_equal(r.lines[0].at_us, at_us);
    assert_int_equal(r.record.first_us, at_us);
    assert_int_equal(r.record.last_us, at_us + 907000);
    assert_string_equal(r.lines[0].original, "");
    assert_string_equal(r.lines[1].original, ""); /* it is its name */
    assert_int_equal(
        read_text(record_read_card,
                  with_digest(CARD_HEAD
                              "REFUND,D,0200,200000,000019,1122183002,632618000017,SIMTERM1,SHOP,"
                              "1122,193000,2026-11-22T18:30:01.020Z,,00,50,50,EUR,"
                              "411111******1111,0200,000017,1122183000\n",
                              "TRAILER,1,0,50,%s\n"),
                  &r),
        STATUS_OK);
    assert_string_equal(r.lines[0].name, "000019/1122183002/SIMTERM1");
    assert_string_equal(r.lines[0].original, "000017/1122183000");
}

static void a_card_file_that_is_not_whole(void **state)
{
    (void)state;
    enum status (*const card)(struct record *) = record_read_card;
    refused(card, "", STATUS_SHORT, "empty");
    refused(card, CARD_HEAD, STATUS_SHORT, "without a trailer");
    refused(card, CARD_HEAD CARD_SALE, STATUS_SHORT, "day:3: the file ends without a trailer");
    refused(card, CARD_HEAD "SALE,C,02", STATUS_SHORT, "ends within a line");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,2,1250,0,%s\n"), STATUS_MISMATCH,
            "2 for lines, and the file has 1");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1251,0,%s\n"), STATUS_MISMATCH,
            "credits");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,1,%s\n"), STATUS_MISMATCH,
            "debits");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,%s\n"), STATUS_MALFORMED,
            "five fields");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,0,%s"), STATUS_SHORT,
            "ends within a line");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,0,0%s\n"), STATUS_MISMATCH,
            "SHA-256");
    refused(card, with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,0,%s\n" CARD_SALE),
            STATUS_MALFORMED, "behind the trailer");
    /* Altered: the sums agree, the bytes do not. */
    char *text = with_digest(CARD_HEAD CARD_SALE, "TRAILER,1,1250,0,%s\n");
    *strstr(text, "SIMTERM1") = 'X';
    refused(card, text, STATUS_MISMATCH, "SHA-256");
}

static void a_card_line_that_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        { "SALE,C", "SALT,C", "`record`" },
        { "SALE,C", "SALE,X", "`direction`" },
        { "SALE,C", "SALE,D", "`direction` is not that" },
        { "SALE,C", "REFUND,C", "`direction` is not that" },
        { ",000017,", ",00001a,", "trace number" },
        { ",000017,", ",17,", "trace number" },
        { ",1122183000,", ",112218300,", "trace number" },
        { ",SIMTERM1,", ",,", "terminal" },
        { ",1250,1250,", ",12.5,1250,", "`amount_minor`" },
        { ",1250,1250,", ",0,1250,", "not above zero" },
        { ",1250,1250,", ",-5,1250,", "not above zero" },
        { ",1250,1250,", ",99999999999999999999,1250,", "`amount_minor`" },
        { ",EUR,", ",eur,", "`currency`" },
        { "2026-11-22T18:30:00.113Z", "2026-02-30T18:30:00Z", "`booked_at`" },
        { "2026-11-22T18:30:00.113Z", "yesterday", "`booked_at`" },
        { "\"SHOP, \"\"ONE\"\"\"", "\"SHOP", "not closed" },
        { "\"SHOP, \"\"ONE\"\"\"", "\"SHOP\"x", "behind closing" },
        { "\"SHOP, \"\"ONE\"\"\"", "SH\"OP", "inside a field" },
        { ",,,\n", ",,\n", "as many columns" },
        { ",,,\n", ",,,,\n", "as many columns" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2048];
        const char *good = CARD_HEAD CARD_SALE, *sale = strstr(good, "\nSALE"),
                   *at = strstr(sale, cases[i].from);
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                       at + strlen(cases[i].from));
        struct reading r;
        assert_int_not_equal(read_text(record_read_card, text, &r), STATUS_OK);
        assert_int_equal(r.count, 0);
        if (strstr(r.why_room, cases[i].why) == NULL || strstr(r.why_room, "day:2: ") == NULL)
            fail_msg("case %zu: %s", i, r.why_room);
    }
    refused(record_read_card, "type,trade_type\n", STATUS_MALFORMED, "no column `record`");
    refused(record_read_card, "record,record,direction\n", STATUS_MALFORMED, "the same name");
}

static void lines_without_end(void **state)
{
    (void)state;
    size_t size = 4 * RECORD_LINE_MAX;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'a', size);
    struct reading r;
    enum status (*const readers[])(struct record *) = { record_read_card, record_read_wallet,
                                                        record_read_ledger };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_bytes(readers[i], view_of(bytes, size), &r), STATUS_RANGE);
        assert_non_null(strstr(r.why_room, "16 KiB"));
    }
    memset(bytes, ',', size);
    assert_int_equal(read_bytes(record_read_card, view_of(bytes, 1000), &r), STATUS_RANGE);
    assert_non_null(strstr(r.why_room, "too many columns"));
    memset(bytes, 0, size);
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(read_bytes(readers[i], view_of(bytes, 1000), &r), STATUS_OK);
    free(bytes);
}

/* --- wallet ------------------------------------------------------------------------------------
 */

#define WALLET_HEAD                                                                                \
    "type,trade_type,trade_no,order_no,refund_trade_no,refund_no,merchant,reference,state,amount," \
    "currency,fee,booked_at,note\n"

static void a_wallet_file_is_read(void **state)
{
    (void)state;
    struct reading r;
    const char *body = WALLET_HEAD
        "PAYMENT,order,wp_1,att_1,,,m,att_1,paid,12.50,EUR,0.08,2026-11-22T18:30:00.113Z,\n"
        "REFUND,order,wp_1,att_1,wr_1,att_2,m,att_1,done,2.50,EUR,0.02,2026-11-22T18:31:00.500Z,\n"
        "PAYMENT,static,wp_2,,,,m,REF7,paid,1250,JPY,0,2026-11-22T18:32:00.000Z,\n"
        "PAYMENT,payment,wp_3,att_3,,,n,att_3,paid,0.01,EUR,0.00,2026-11-22T18:33:00.000Z,\n";
    assert_int_equal(
        read_text(record_read_wallet, with_digest(body, "TRAILER,4,2501,250,6,%s\n"), &r),
        STATUS_OK);
    assert_int_equal(r.record.lines, 4);
    assert_int_equal(r.count, 5); /* the refund also beside, under what it refunds */
    assert_string_equal(r.lines[0].name, "att_1");
    assert_string_equal(r.lines[1].name, "att_2");
    assert_int_equal(r.lines[0].of, OF(SALE) | OF_RECEIVED);
    assert_int_equal(r.lines[1].of, OF(REFUND));
    assert_int_equal(r.lines[2].of, OF(SALE) | OF_RECEIVED);
    assert_int_equal(r.lines[4].of, OF(SALE) | OF_PAID);
    assert_false(r.lines[1].beside);
    assert_string_equal(r.lines[1].original, "att_1");
    assert_string_equal(r.lines[0].original, "");
    assert_string_equal(r.lines[2].name, "att_1");
    assert_true(r.lines[2].beside);
    assert_int_equal(r.lines[2].role, ROLE_BACK);
    assert_string_equal(r.lines[3].name, "reference REF7");
    assert_int_equal(r.lines[3].amount_minor, 1250);
    refused(record_read_wallet, with_digest(body, "TRAILER,4,2501,250,7,%s\n"), STATUS_MISMATCH,
            "fees");
    refused(record_read_wallet,
            WALLET_HEAD "PAYMENT,order,w,a,,,m,a,paid,12.5,EUR,0.08,2026-11-22T18:30:00Z,\n",
            STATUS_MALFORMED, "day:2: `amount`");
    refused(record_read_wallet,
            WALLET_HEAD "PAYMENT,gift,w,a,,,m,a,paid,12.50,EUR,0.08,2026-11-22T18:30:00Z,\n",
            STATUS_MALFORMED, "day:2: `trade_type`");
    refused(record_read_wallet,
            WALLET_HEAD "REFUND,order,w,a,,,m,a,done,12.50,EUR,0.08,2026-11-22T18:30:00Z,\n",
            STATUS_MALFORMED, "what names the line");
}

/* --- ledger ------------------------------------------------------------------------------------
 */

#define LOCK                                                                                       \
    "{\"seq\":4,\"kind\":\"lock\",\"id\":\"att_1\",\"client\":\"c\",\"from\":\"w_a\",\"to\":"      \
    "\"w_m\",\"amount\":\"1250\",\"currency\":\"EUR\",\"state\":\"expired\",\"lock\":null,"        \
    "\"time\":\"2026-11-22T18:30:00.113Z\"}\n"
#define EXPIRE                                                                                     \
    "{\"seq\":9,\"kind\":\"expire\",\"id\":\"att_1\",\"client\":\"c\",\"from\":null,\"to\":null,"  \
    "\"amount\":\"1250\",\"currency\":\"EUR\",\"state\":\"expired\",\"lock\":\"att_1\",\"time\":"  \
    "\"2026-11-22T19:30:00.000Z\"}\n"

static void a_ledger_is_read(void **state)
{
    (void)state;
    struct reading r;
    enum status (*const ledger)(struct record *) = record_read_ledger;
    const char *end = "{\"summary\":true,\"count\":2,\"first\":4,\"last\":9,\"sum\":\"2500\","
                      "\"sha256\":\"%s\"}\n";
    assert_int_equal(read_text(ledger, with_digest(LOCK EXPIRE, end), &r), STATUS_OK);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.record.lines, 2);
    assert_string_equal(r.lines[0].name, "att_1");
    assert_int_equal(r.lines[0].of, record_ledger_kind(VIEW("lock")) | OF(AUTHORISE));
    assert_string_equal(r.lines[0].from, "w_a");
    assert_string_equal(r.lines[0].to, "w_m");
    assert_string_equal(r.lines[1].to, "");
    assert_false(r.lines[0].beside);
    assert_true(r.lines[1].beside);
    assert_int_equal(r.lines[1].role, ROLE_BACK);
    /* An expiry is the first line of a day, and has a time. */
    int64_t first_us = r.record.first_us, last_us = r.record.last_us;
    assert_true(first_us > 0 && first_us < last_us);
    assert_int_equal(read_text(ledger,
                               with_digest(EXPIRE LOCK, "{\"summary\":true,\"count\":2,\"first\":9,"
                                                        "\"last\":4,\"sum\":\"2500\","
                                                        "\"sha256\":\"%s\"}\n"),
                               &r),
                     STATUS_OK);
    assert_int_equal(r.record.first_us, first_us);
    assert_int_equal(r.record.last_us, last_us);
    assert_int_equal(read_text(ledger,
                               with_digest("", "{\"summary\":true,\"count\":0,\"first\":null,"
                                               "\"last\":null,\"sum\":\"0\",\"sha256\":\"%s\"}\n"),
                               &r),
                     STATUS_OK);
    refused(ledger, LOCK EXPIRE, STATUS_SHORT, "without a summary");
    refused(ledger, "", STATUS_SHORT, "without a summary");
    refused(ledger, with_digest(LOCK, end), STATUS_MISMATCH, "counts other entries");
    refused(ledger, with_digest(EXPIRE LOCK, end), STATUS_MISMATCH, "another first or last");
    refused(ledger, "{\"seq\":\"1\"}\n", STATUS_MALFORMED, "day:1: `seq`");
    refused(ledger, "{\"seq\":1,\"kind\":\"gift\"}\n", STATUS_MALFORMED, "all of its members");
    refused(ledger,
            "{\"seq\":4,\"kind\":\"lock\",\"id\":\"att_1\",\"from\":7,\"to\":null,\"amount\":\"1\","
            "\"currency\":\"EUR\",\"time\":\"2026-11-22T18:30:00Z\"}\n",
            STATUS_MALFORMED, "day:1: `from` or `to`");
    refused(ledger, "[1]\n", STATUS_MALFORMED, "no JSON object");
    refused(ledger, "{\"seq\":1\n", STATUS_MALFORMED, "no JSON object");
    refused(ledger, "{\"seq\":1,\"seq\":2}\n", STATUS_MALFORMED, "no JSON object");
    refused(ledger, "{\"a\":[[[[[[[[1]]]]]]]]}\n", STATUS_MALFORMED, "no JSON object");
    char *text = with_digest(LOCK EXPIRE, end);
    *strstr(text, "w_m") = 'v';
    refused(ledger, text, STATUS_MISMATCH, "SHA-256");
}

/* --- bank --------------------------------------------------------------------------------------
 */

#define CAMT(version, reports)                                                                     \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:"    \
    "xsd:" version "\"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>" reports                  \
    "</BkToCstmrStmt></Document>\n"
#define REPORT(entries, count, sum)                                                                \
    "<Stmt><Id>1</Id><FrToDt><FrDtTm>2026-11-22T00:00:00Z</FrDtTm><ToDtTm>2026-11-23T00:00:00Z"    \
    "</ToDtTm></FrToDt><Acct><Id><IBAN>DE21990000010000000000</IBAN></Id><Ccy>EUR</Ccy></Acct>"    \
    "<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">100.00</Amt>"              \
    "<CdtDbtInd>CRDT</CdtDbtInd></Bal><TxsSummry><TtlNtries><NbOfNtries>" count                    \
    "</NbOfNtries><Sum>" sum "</Sum></TtlNtries></TxsSummry>" entries "</Stmt>"
#define ENTRY(amount, direction, family, details)                                                  \
    "<Ntry><Amt Ccy=\"EUR\">" amount "</Amt><CdtDbtInd>" direction "</CdtDbtInd><Sts><Cd>BOOK"     \
    "</Cd></Sts><BookgDt><DtTm>2026-11-22T18:30:00.113Z</DtTm></BookgDt><AcctSvcrRef>A1"           \
    "</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>" family               \
    "</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>" details "</NtryDtls></Ntry>\n"
#define TX(refs, more) "<TxDtls><Refs>" refs "</Refs><Amt Ccy=\"EUR\">12.50</Amt>" more "</TxDtls>"
#define SENT           ENTRY("12.50", "DBIT", "ESCT", TX("<EndToEndId>RGE1</EndToEndId>", ""))

static void a_statement_is_read(void **state)
{
    (void)state;
    struct reading r;
    const char *text =
        CAMT("camt.053.001.08", REPORT(SENT ENTRY("12.50", "CRDT", "ESCT",
                                                  TX("<EndToEndId>THEIRS</EndToEndId>",
                                                     "<RmtInf><Strd><CdtrRefInf><Ref>RF18X</Ref>"
                                                     "</CdtrRefInf></Strd></RmtInf>"))
                                           ENTRY("12.50", "CRDT", "RRTN",
                                                 TX("<EndToEndId>RGE1</EndToEndId>",
                                                    "<RtrInf><Rsn><Cd>FOCR</Cd></Rsn></RtrInf>"))
                                               ENTRY("12.50", "DBIT", "RRTN",
                                                     TX("<EndToEndId>THEIRS</EndToEndId>"
                                                        "<TxId>RGR2</TxId>",
                                                        "")),
                                       "4", "50.00"));
    assert_int_equal(read_text(record_read_camt, text, &r), STATUS_OK);
    static const struct {
        const char *name, *what;
        enum role role;
    } expected[] = {
        { "EndToEndId RGE1", "DBIT", ROLE_FORWARD },
        { "reference RF18X", "CRDT", ROLE_FORWARD },
        { "EndToEndId RGE1", "CRDT return", ROLE_BACK },
        { "TxId RGR2", "DBIT return", ROLE_FORWARD },
    };
    assert_int_equal(r.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(r.lines[i].name, expected[i].name);
        assert_string_equal(r.lines[i].what, expected[i].what);
        assert_int_equal(r.lines[i].role, expected[i].role);
        assert_int_equal(r.lines[i].of, OF_ANY);
        assert_int_equal(r.lines[i].amount_minor, 1250);
    }
    /* Two statements, the second of an hour without entries: it does not make the period small. */
    assert_int_equal(
        read_text(record_read_camt,
                  CAMT("camt.053.001.08",
                       REPORT(SENT, "1", "12.50") "<Stmt><FrToDt><FrDtTm>2026-11-22T"
                                                  "05:00:00Z</FrDtTm><ToDtTm>2026-11-22T06:00:00Z</"
                                                  "ToDtTm></FrToDt></Stmt>"),
                  &r),
        STATUS_OK);
    assert_int_equal(r.record.until_us - r.record.from_us, INT64_C(86400000000));
    refused(record_read_camt,
            CAMT("camt.053.001.08",
                 "<Stmt><StmtPgntn><PgNb>1</PgNb><LastPgInd>0</LastPgInd></StmtPgntn></Stmt>"),
            STATUS_UNSUPPORTED, "goes on in another message");
    struct reading other; /* money came in under the name of a payment that was sent */
    assert_int_equal(
        read_text(record_read_camt,
                  CAMT("camt.053.001.08", REPORT(ENTRY("12.50", "CRDT", "ESCT",
                                                       TX("<EndToEndId>RGE1</EndToEndId>", "")),
                                                 "1", "12.50")),
                  &other),
        STATUS_OK);
    assert_string_equal(other.lines[0].name, "EndToEndId RGE1");
    assert_int_equal(other.lines[0].of, 0);
    assert_string_equal(r.record.currency, "EUR");
    assert_string_equal(r.record.format, "camt.053");
    assert_int_equal(r.record.until_us - r.record.from_us, INT64_C(86400000000));
    assert_int_equal(
        read_text(record_read_camt, CAMT("camt.054.001.04", REPORT(SENT, "1", "12.5")), &r),
        STATUS_OK);
    assert_string_equal(r.record.format, "camt.054");
    /* Blanks do not push a name out. */
#define BLANKS "                                                                    "
    assert_int_equal(
        read_text(
            record_read_camt,
            CAMT("camt.053.001.08",
                 REPORT(ENTRY("12.50", "DBIT", "ESCT",
                              TX("<EndToEndId>" BLANKS BLANKS BLANKS "RGE1</EndToEndId>", "")),
                        "1", "12.50")),
            &r),
        STATUS_OK);
    assert_string_equal(r.lines[0].name, "EndToEndId RGE1");
}

/* A statement without Acct/Ccy: an opening balance, an entry, the sum of both, by their own Ccy. */
static const char *statement_in(const char *attribute, const char *opening, const char *amount,
                                const char *closing, const char *sum)
{
    static char text[4096];
    (void)snprintf(
        text, sizeof text,
        CAMT("camt.053.001.08",
             "<Stmt><Id>1</Id><Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>"
             "<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt%s>%s</Amt>"
             "<CdtDbtInd>CRDT</CdtDbtInd></Bal><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>"
             "<Amt%s>%s</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal><TxsSummry><TtlNtries><NbOfNtries>1"
             "</NbOfNtries><Sum>%s</Sum></TtlNtries></TxsSummry><Ntry><Amt%s>%s</Amt>"
             "<CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-22</Dt>"
             "</BookgDt><AcctSvcrRef>A1</AcctSvcrRef></Ntry></Stmt>"),
        attribute, opening, attribute, closing, sum, attribute, amount);
    return text;
}

static void amounts_go_by_their_own_currency(void **state)
{
    (void)state;
    static const struct {
        const char *attribute, *opening, *amount, *closing, *sum, *currency;
        int64_t minor;
    } cases[] = {
        { " Ccy=\"EUR\"", "100.00", "12.50", "112.50", "12.5", "EUR", 1250 },
        { " Ccy=\"JPY\"", "100", "1250", "1350", "1250", "JPY", 1250 },
        { " Ccy=\"JPY\"", "100.00", "1250.0", "1350", "1250.00", "JPY", 1250 },
        { " Ccy=\"KWD\"", "0.125", "1.250", "1.375", "1.25", "KWD", 1250 },
    };
    struct reading r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum status status =
            read_text(record_read_camt,
                      statement_in(cases[i].attribute, cases[i].opening, cases[i].amount,
                                   cases[i].closing, cases[i].sum),
                      &r);
        if (status != STATUS_OK)
            fail_msg("%zu: %s", i, r.why_room);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.lines[0].amount_minor, cases[i].minor);
        assert_string_equal(r.lines[0].currency, cases[i].currency);
        assert_string_equal(r.record.currency, cases[i].currency); /* the account's, then */
    }
    enum status (*const camt)(struct record *) = record_read_camt;
    refused(camt, statement_in("", "100.00", "12.50", "112.50", "12.50"), STATUS_MALFORMED,
            "an amount has no currency (Ccy)");
    refused(camt, statement_in(" Ccy=\"JPY\"", "100", "12.5", "112.5", "12.5"), STATUS_MALFORMED,
            "none of its currency");
    refused(camt, statement_in(" Ccy=\"KWD\"", "0.125", "1.250", "1.374", "1.25"), STATUS_MISMATCH,
            "closing balance");
    refused(camt, statement_in(" Ccy=\"JPY\"", "100", "1250", "1350", "12.50"), STATUS_MISMATCH,
            "another sum");
    refused(camt, CAMT("camt.053.001.08", REPORT("<Ntry><Amt>12.50</Amt></Ntry>", "1", "12.50")),
            STATUS_MALFORMED, "an amount has no currency (Ccy)");
    refused(camt,
            CAMT("camt.053.001.08",
                 REPORT(ENTRY("12.50", "DBIT", "ESCT", "<TxDtls><Amt>12.50</Amt></TxDtls>"), "1",
                        "12.50")),
            STATUS_MALFORMED, "an amount has no currency (Ccy)");
    refused(camt,
            CAMT("camt.053.001.08",
                 REPORT("<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"JPY\">100"
                        "</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>",
                        "0", "0")),
            STATUS_MISMATCH, "not in the account's currency");
}

/* A batch: one entry, several transactions, each a line; and one that was not booked. */
static void entries_with_several_transactions(void **state)
{
    (void)state;
    struct reading r;
#define BATCH(amount)                                                                              \
    ENTRY(amount, "DBIT", "ESCT",                                                                  \
          TX("<EndToEndId>A</EndToEndId>", "") TX("<EndToEndId>B</EndToEndId>", ""))
#define PENDING_ENTRY                                                                              \
    "<Ntry><Amt Ccy=\"EUR\">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>"
    assert_int_equal(
        read_text(record_read_camt,
                  CAMT("camt.053.001.08", REPORT(BATCH("25.00") PENDING_ENTRY, "2", "26.00")), &r),
        STATUS_OK);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.lines[1].name, "EndToEndId B");
    refused(record_read_camt, CAMT("camt.053.001.08", REPORT(BATCH("25.01"), "1", "25.01")),
            STATUS_MISMATCH, "not its amount");
}

static void a_statement_that_is_not_whole(void **state)
{
    (void)state;
    enum status (*const camt)(struct record *) = record_read_camt;
    const char *good = CAMT("camt.053.001.08", REPORT(SENT, "1", "12.50"));
    struct reading r;
    for (size_t cut = 0; cut + 2 < strlen(good); cut++) /* the last LF may be missing */
        assert_int_not_equal(read_bytes(camt, view_of(good, cut), &r), STATUS_OK);
    refused(camt, CAMT("camt.053.001.08", REPORT(SENT, "2", "12.50")), STATUS_MISMATCH,
            "counts other entries");
    refused(camt, CAMT("camt.053.001.08", REPORT(SENT, "1", "12.51")), STATUS_MISMATCH,
            "another sum");
    refused(camt,
            CAMT("camt.053.001.08",
                 REPORT(SENT "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">"
                             "100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>",
                        "1", "12.50")),
            STATUS_MISMATCH, "closing balance");
    refused(camt, CAMT("camt.053.001.08", ""), STATUS_MALFORMED, "no statement in it");
    refused(camt, CAMT("camt.052.001.08", REPORT(SENT, "1", "12.50")), STATUS_MALFORMED,
            "no camt.053");
    refused(camt, CAMT("pain.001.001.09", ""), STATUS_MALFORMED, "no camt.053");
    refused(camt,
            CAMT("camt.053.001.08", REPORT("<StmtPgntn><LastPgInd>false</LastPgInd>"
                                           "</StmtPgntn>",
                                           "0", "0")),
            STATUS_UNSUPPORTED, "another message");
#define PAGED(last)                                                                                \
    "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"><BkToCstmrStmt><GrpHdr>"   \
    "<MsgId>M1</MsgId><MsgPgntn><PgNb>1</PgNb><LastPgInd>" last                                    \
    "</LastPgInd></MsgPgntn></GrpHdr>" REPORT(SENT, "1", "12.50") "</BkToCstmrStmt></Document>\n"
    refused(camt, PAGED("false"), STATUS_UNSUPPORTED, "another message");
    assert_int_equal(read_text(camt, PAGED("true"), &r), STATUS_OK);
    /* That it is booked is needed when its transaction is read; it would be passed over. */
    refused(camt,
            CAMT("camt.053.001.08",
                 REPORT("<Ntry><Amt Ccy=\"EUR\">12.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><BookgDt><Dt>"
                        "2026-11-22</Dt></BookgDt><NtryDtls>" TX("<EndToEndId>RGE1</EndToEndId>",
                                                                 "") "</NtryDtls><Sts><Cd>BOOK"
                                                                     "</Cd></Sts></Ntry>",
                        "1", "12.50")),
            STATUS_MALFORMED, "behind its transactions");
    refused(camt, "no XML", STATUS_MALFORMED, "well-formed");
}

static void hostile_xml(void **state)
{
    (void)state;
    enum status (*const camt)(struct record *) = record_read_camt;
    refused(camt,
            "<!DOCTYPE Document [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>"
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">&b;</Document>",
            STATUS_REFUSED, "DOCTYPE");
    refused(camt,
            "<!DOCTYPE Document SYSTEM \"file:///etc/passwd\">"
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"/>",
            STATUS_REFUSED, "DOCTYPE");
    refused(camt, CAMT("camt.053.001.08", REPORT("&undefined;", "0", "0")), STATUS_MALFORMED, "");
    refused(camt, CAMT("camt.053.001.08", REPORT("<Acct>" SENT "</Acct>", "0", "0")),
            STATUS_MALFORMED, "where none may");
    refused(camt, CAMT("camt.053.001.08", REPORT(TX("", ""), "0", "0")), STATUS_MALFORMED,
            "where none may");
    char text[8192];
    struct writer w = writer_over(text, sizeof text - 1);
    writer_text(&w, "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">"
                    "<BkToCstmrStmt>");
    for (int i = 0; i < 64; i++)
        writer_text(&w, "<a>");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    refused(camt, text, STATUS_RANGE, "nested too deeply");
    w = writer_over(text, sizeof text - 1);
    writer_text(&w, "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">"
                    "<BkToCstmrStmt><Stmt><Ntry><NtryDtls><TxDtls><Refs><EndToEndId>");
    for (int i = 0; i < 1000; i++)
        writer_u8(&w, 'A');
    writer_text(&w, "</EndToEndId>");
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    refused(camt, text, STATUS_RANGE, "longer than the standard allows");
    refused(camt,
            CAMT("camt.053.001.08",
                 REPORT(ENTRY("99999999999999999999.00", "DBIT", "ESCT", ""), "1", "1")),
            STATUS_MALFORMED, "none of its currency");
    refused(camt, CAMT("camt.053.001.08", REPORT(ENTRY("1.001", "DBIT", "ESCT", ""), "1", "1")),
            STATUS_MALFORMED, "none of its currency");
    refused(camt, CAMT("camt.053.001.08", REPORT(ENTRY("1.00", "BOTH", "ESCT", ""), "1", "1")),
            STATUS_MALFORMED, "CdtDbtInd");
}

/* --- small readings ----------------------------------------------------------------------------
 */

static void times_and_amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } times[] = {
        { "1970-01-01", 0 },
        { "1970-01-02T00:00:00Z", INT64_C(86400000000) },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1970-01-01T00:00:00.25Z", 250000 },
        { "1970-01-01T00:00:00.123456789Z", 123456 },
        { "1969-12-31", -1 },
        { "1970-13-01", -1 },
        { "1970-01-01T24:00:00Z", -1 },
        { "1970-01-01 00:00:00", -1 },
        { "1970-01-01T00:00:00.Z", -1 },
        { "1970-01-01T00:00:00Zx", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t us = -1;
        enum status status = reconcile_time(view_text(times[i].text), &us);
        assert_int_equal(status, times[i].us < 0 ? STATUS_MALFORMED : STATUS_OK);
        assert_int_equal(us, times[i].us);
    }
    int64_t minor;
    assert_int_equal(record_decimal(VIEW("12.50"), 2, true, &minor), STATUS_OK);
    assert_int_equal(minor, 1250);
    assert_int_equal(record_decimal(VIEW("12.5"), 2, true, &minor), STATUS_MALFORMED);
    assert_int_equal(record_decimal(VIEW("12.5"), 2, false, &minor), STATUS_OK);
    assert_int_equal(minor, 1250);
    assert_int_equal(record_decimal(VIEW("12.5000"), 2, false, &minor), STATUS_OK);
    assert_int_equal(record_decimal(VIEW("12.5001"), 2, false, &minor), STATUS_MALFORMED);
    assert_int_equal(record_decimal(VIEW("12"), 0, true, &minor), STATUS_OK);
    assert_int_equal(record_decimal(VIEW("-1.00"), 2, true, &minor), STATUS_MALFORMED);
    assert_int_equal(record_decimal(VIEW("92233720368547758.08"), 2, true, &minor), STATUS_RANGE);
    assert_int_equal(record_decimal(VIEW("92233720368547758.07"), 2, true, &minor), STATUS_OK);
    assert_int_equal(minor, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_file_is_read),
        cmocka_unit_test(a_card_file_that_is_not_whole),
        cmocka_unit_test(a_card_line_that_is_none),
        cmocka_unit_test(lines_without_end),
        cmocka_unit_test(a_wallet_file_is_read),
        cmocka_unit_test(a_ledger_is_read),
        cmocka_unit_test(a_statement_is_read),
        cmocka_unit_test(amounts_go_by_their_own_currency),
        cmocka_unit_test(entries_with_several_transactions),
        cmocka_unit_test(a_statement_that_is_not_whole),
        cmocka_unit_test(hostile_xml),
        cmocka_unit_test(times_and_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
