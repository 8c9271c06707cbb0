/* test_statement.c - camt.053 and camt.054 as files: entries, balances, sums, windows; long ones.
 * That they are valid is for test_schema.c and the stories. */
#include "customer.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

struct reading {
    char *text;
    size_t len, room;
    char why[256];
};

static const char *file_of(struct customer *c, const char *query, const char *faults)
{
    static struct reading r;
    static uint64_t books;
    struct writer why = writer_over(r.why, sizeof r.why);
    struct settle_source source;
    struct settle_faults wrong = { 0 };
    static uint8_t piece[2 * SETTLE_PIECE_MAX];
    r.len = 0;
    if (faults != NULL) {
        const struct json_node *root = NULL;
        assert_int_equal(json_read(view_text(faults), NULL, &c->arena, &root, NULL), STATUS_OK);
        assert_int_equal(settle_faults_read(&wrong, root, &why), STATUS_OK);
    }
    if (bank_brain.settlement(c->bank, view_text(query), c->now_us, &source, &why) != STATUS_OK) {
        assert_true(why.len > 0);
        return NULL;
    }
    struct settlement *s = settlement_open(&source, &wrong, &books);
    assert_non_null(s);
    for (bool more = true; more;) {
        struct writer w = writer_over(piece, sizeof piece);
        more = settlement_read(s, &w);
        if (r.len + w.len + 1 > r.room)
            r.text = realloc(r.text, r.room = (r.len + w.len + 1) * 2);
        memcpy(r.text + r.len, piece, w.len);
        r.len += w.len;
    }
    settlement_close(s);
    r.text[r.len] = '\0';
    return r.text;
}

static void has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text != NULL ? text : "nothing");
}

static size_t entries(const char *text)
{
    size_t count = 0;
    for (; (text = strstr(text, "<Ntry>")) != NULL; text++)
        count++;
    return count;
}

static void what_was_booked(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ .end_to_end_id = "E1", .amount = "12.50" }));
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M2",
                                                  .end_to_end_id = "E2",
                                                  .creditor = CLOSED })); /* refused */
    assert_non_null(
        customer_command(c, "/credit",
                         "{\"amount\":\"45.00\",\"currency\":\"EUR\",\"account\":\"" DEBTOR
                         "\",\"end_to_end_id\":\"THEIRS\",\"reference\":\"RF18539007547034\"}"));
    assert_non_null(customer_command(c, "/return",
                                     "{\"end_to_end_id\":\"E1\",\"amount\":\"2.50\",\"reason\":"
                                     "\"AC04\"}"));
    const char *text = file_of(c, "", NULL);
    assert_int_equal(entries(text), 3);
    has(text, "camt.053.001.08\"><BkToCstmrStmt>");
    has(text, "<IBAN>" DEBTOR "</IBAN></Id><Ccy>EUR</Ccy>");
    has(text, "<NtryRef>A000000000000001</NtryRef><Amt Ccy=\"EUR\">12.50</Amt><CdtDbtInd>DBIT");
    has(text, "<EndToEndId>E1</EndToEndId>");
    has(text, "<EndToEndId>THEIRS</EndToEndId>");
    has(text, "<Ref>RF18539007547034</Ref>");
    has(text, "<SubFmlyCd>RRTN</SubFmlyCd>");
    has(text, "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    has(text, "<TtlNtries><NbOfNtries>3</NbOfNtries><Sum>60.00</Sum><TtlNetNtry><Amt>35.00</Amt>"
              "<CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>");
    has(text, "<TtlCdtNtries><NbOfNtries>2</NbOfNtries><Sum>47.50</Sum></TtlCdtNtries>");
    has(text, "<TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>12.50</Sum></TtlDbtNtries>");
    has(text, "OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">1000000.00</Amt>");
    has(text, "CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">1000035.00</Amt>");
    assert_null(strstr(text, ">E2<"));
    text = file_of(c, "format=camt.054", NULL);
    assert_int_equal(entries(text), 3);
    has(text, "camt.054.001.08\"><BkToCstmrDbtCdtNtfctn>");
    assert_null(strstr(text, "<Bal>"));
    assert_int_equal(entries(file_of(c, "account=" CREDITOR, NULL)), 2);
    assert_int_equal(entries(file_of(c, "currency=GBP", NULL)), 0);
    assert_null(file_of(c, "account=DE00", NULL));
    assert_null(file_of(c, "currency=ABC", NULL));
    assert_null(file_of(c, "format=pdf", NULL));
    assert_null(file_of(c, "client=1", NULL));
}

static void balances_of_a_window(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ .end_to_end_id = "E1", .amount = "12.50" }));
    customer_wait(c, 60000);
    customer_post(
        c, pain_001(c, &(struct order){ .msg_id = "M2", .end_to_end_id = "E2", .amount = "1.00" }));
    customer_wait(c, 60000);
    customer_post(
        c, pain_001(c, &(struct order){ .msg_id = "M3", .end_to_end_id = "E3", .amount = "0.10" }));
    const char *text = file_of(c, "from=2026-11-22T12:00:59Z&to=2026-11-22T12:01:59Z", NULL);
    assert_int_equal(entries(text), 1);
    has(text, "<EndToEndId>E2<");
    has(text, "OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999987.50</Amt>");
    has(text, "CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999986.50</Amt>");
    has(text, "<FrDtTm>2026-11-22T12:00:59.000Z</FrDtTm><ToDtTm>2026-11-22T12:01:59.000Z</ToDtTm>");
}

static void faults_leave_it_formally_right(void **state)
{
    struct customer *c = *state;
    customer_post(c, pain_001(c, &(struct order){ .end_to_end_id = "E1", .amount = "12.50" }));
    customer_post(
        c, pain_001(c, &(struct order){ .msg_id = "M2", .end_to_end_id = "E2", .amount = "1.00" }));
    const char *text = file_of(c, "",
                               "{\"faults\":[{\"fault\":\"omit\",\"id\":\"E1\"},"
                               "{\"fault\":\"amount\",\"id\":\"E2\",\"by_minor\":25},"
                               "{\"fault\":\"invent\",\"line\":2,\"amount_minor\":300}]}");
    assert_int_equal(entries(text), 2);
    has(text, "<TtlDbtNtries><NbOfNtries>2</NbOfNtries><Sum>4.25</Sum></TtlDbtNtries>");
    has(text, "CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">999995.75</Amt>");
    has(text, "<EndToEndId>E2</EndToEndId>");
    text = file_of(c, "", "{\"faults\":[{\"fault\":\"trailer\"}]}");
    has(text, "<TtlNtries><NbOfNtries>3<");
    assert_int_equal(entries(text), 2);
    text = file_of(c, "", "{\"faults\":[{\"fault\":\"truncate\",\"line\":1}]}");
    assert_null(strstr(text, "</Document>"));
}

static void a_long_one(void **state)
{
    struct customer *c = *state;
    enum { MANY = 3000 }; /* far more than fits one message */
    for (unsigned i = 0; i < MANY; i++)
        assert_non_null(customer_command(
            c, "/credit", "{\"amount\":1,\"currency\":\"EUR\",\"account\":\"" DEBTOR "\"}"));
    const char *text = file_of(c, "", NULL);
    assert_int_equal(entries(text), MANY);
    has(text, "<NbOfNtries>3000</NbOfNtries><Sum>30.00</Sum>");
    has(text, "</Stmt></BkToCstmrStmt></Document>\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_booked, customer_start, customer_stop),
        cmocka_unit_test_setup_teardown(balances_of_a_window, customer_start, customer_stop),
        cmocka_unit_test_setup_teardown(faults_leave_it_formally_right, customer_start,
                                        customer_stop),
        cmocka_unit_test_setup_teardown(a_long_one, customer_start, customer_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
