/* SPDX-License-Identifier: Apache-2.0
 *
 * test_iso20022.c - the kits of the bank rail: XML from outside and what is refused of it; amounts,
 * currencies and account numbers; every official sample that is a message we read
 * (RAILGATE_ISO20022_DIR; 'skipped' where it names no folder).
 */
#include "kits/account.h"
#include "kits/iso20022.h"
#include "kits/text.h"
#include "kits/xml_in.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- XML ------------------------------------------------------------------------------------- */

struct seen {
    char text[256];
    unsigned opened;
};

static uint32_t on_open(void *arg, const struct xml_in_element *element,
                        const struct xml_in_attribute *attributes, uint64_t count)
{
    struct seen *seen = arg;
    (void)element;
    (void)attributes;
    (void)count;
    seen->opened++;
    return 1;
}

static uint32_t on_close(void *arg, const struct xml_in_element *element, uint32_t leaf,
                         struct rg_bytes text)
{
    struct seen *seen = arg;
    if (leaf != 0 && text.len + strlen(seen->text) + 8 < sizeof seen->text)
        snprintf(seen->text + strlen(seen->text), 256 - strlen(seen->text), "%.*s=%.*s;",
                 (int)element->name.len, element->name.ptr, (int)text.len, text.ptr);
    return 1;
}

static const char *read_xml(const char *bytes, size_t len, struct seen *seen)
{
    /* An exact-size copy, so that a read past the end is seen. */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memset(seen, 0, sizeof *seen);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    const char *why = xml_in_read((struct rg_bytes){ copy, len },
                                  &(struct xml_in_events){ seen, on_open, on_close });
    free(copy);
    return why;
}

static void xml_that_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *leaves;
    } rows[] = {
        { "<a/>", "a=;" },
        { "\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?><a> x </a>", "a=x;" },
        { "<?xml version=\"1.0\" encoding=\"US-ASCII\" standalone='yes'?>\n<a>1</a>\n", "a=1;" },
        { "<a>A<!-- c -->B<?p i?><![CDATA[<C>&x;]]>&lt;&#65;&#xE9;</a>", "a=AB<C>&x;<A\xC3\xA9;" },
        { "<!-- <!DOCTYPE no> --><?x <!DOCTYPE?><a><![CDATA[<!DOCTYPE b>]]></a>",
          "a=<!DOCTYPE b>;" },
        { "<a>out<b>in</b>side<b/></a>", "b=in;b=;" },
        { "<x:a xmlns:x='u'><x:b c='1' x:c='2'>t</x:b></x:a>", "b=t;" },
    };
    struct seen seen;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(read_xml(rows[i].xml, strlen(rows[i].xml), &seen));
        assert_string_equal(seen.text, rows[i].leaves);
    }
}

static void refused(const char *xml, size_t len, const char *words)
{
    struct seen seen;
    const char *why = read_xml(xml, len, &seen);
    assert_non_null(why);
    if (strstr(why, words) == NULL)
        fail_msg("\"%s\" has no \"%s\"", why, words);
}

static void xml_that_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *words;
    } rows[] = {
        { "", "no XML" },
        { "<!DOCTYPE a><a/>", "DOCTYPE" },
        { "<?xml version='1.0'?><!-- x --> <!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "DOCTYPE" },
        { "<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>", "DOCTYPE" },
        { "<!doctype a><a/>", "DOCTYPE" },
        { "<a>&b;</a>", "entity" },
        { "<a b='&c;'/>", "entity" },
        { "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>", "not UTF-8" },
        { "<?xml version='1.0' encoding='UTF-16'?><a/>", "not UTF-8" },
        { "<?xml version='1.0' encoding='IBM037'?><a/>", "not UTF-8" },
        { "<a>\xE9</a>", "not UTF-8" },
        { "<a>\xED\xA0\x80</a>", "not UTF-8" },
        { "<a>\x01</a>", "well-formed" },
        { "<a>&#0;</a>", "well-formed" },
        { "<a><b></a></b>", "well-formed" },
        { "<a/><b/>", "well-formed" },
        { "<a/>x", "well-formed" },
        { "<a b='1' b='2'/>", "well-formed" },
        { "<a><!DOCTYPE b></a>", "well-formed" },
        { "<a>", "well-formed" },
        { "x", "well-formed" },
        { "<x:a/>", "prefix" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i].xml, strlen(rows[i].xml), rows[i].words);
    refused("\xFF\xFE<\0a\0/\0>\0", 10, "UTF-16");
    refused("\xFE\xFF\0<\0a\0/\0>", 10, "UTF-16");
    refused("<a>\0</a>", 8, "zero byte");
}

/* head, then `piece` `times` times, then tail. */
static void repeated(const char *head, const char *piece, size_t times, const char *tail,
                     const char *words)
{
    size_t len = strlen(head) + strlen(piece) * times + strlen(tail);
    char *xml = malloc(len + 1), *at = xml;
    struct seen seen;
    assert_non_null(xml);
    at = stpcpy(at, head);
    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, piece);
    strcpy(at, tail);
    const char *why = read_xml(xml, len, &seen);
    if (words == NULL)
        assert_null(why);
    else if (why == NULL || strstr(why, words) == NULL)
        fail_msg("%zu times %s: %s", times, piece, why != NULL ? why : "read");
    free(xml);
}

static void xml_has_limits(void **state)
{
    (void)state;
    repeated("", "<a>", XML_IN_DEPTH_MAX + 1, "", "deep");
    repeated("<a>", "<b/>", XML_IN_ELEMENTS_MAX - 1, "</a>", NULL);
    repeated("<a>", "<b/>", XML_IN_ELEMENTS_MAX, "</a>", "elements");
    repeated("<a>", "x", XML_IN_TEXT_MAX, "</a>", NULL);
    repeated("<a>", "x", XML_IN_TEXT_MAX + 1, "</a>", "text");
    repeated("<a>", " ", XML_IN_SIZE_MAX, "</a>", "too long");
    repeated(
        "<a x1='1' x2='1' x3='1' x4='1' x5='1' x6='1' x7='1' x8='1' x9='1' xa='1' xb='1' xc='1' "
        "xd='1' xe='1' xf='1' xg='1'",
        " xh='1'", 0, "/>", NULL);
    repeated(
        "<a x1='1' x2='1' x3='1' x4='1' x5='1' x6='1' x7='1' x8='1' x9='1' xa='1' xb='1' xc='1' "
        "xd='1' xe='1' xf='1' xg='1'",
        " xh='1'", 1, "/>", "attributes");
}

/* --- messages -------------------------------------------------------------------------------- */

#define NS "urn:iso:std:iso:20022:tech:xsd:"

static void messages_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *words;
    } rows[] = {
        { "<a/>", "no message" },
        { "<FIToFIPmtStsRpt/>", "no message" },
        { "<FIToFIPmtStsRpt xmlns='" NS "pain.002.001.10'/>", "no message" },
        { "<e><Document xmlns='" NS "pacs.002.001.10'><FIToFIPmtStsRpt/></Document>"
          "<Document xmlns='" NS "pacs.002.001.10'><FIToFIPmtStsRpt/></Document></e>",
          "several" },
        { "<e><AppHdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr></AppHdr>"
          "<Document xmlns='" NS "pacs.002.001.10'><FIToFIPmtStsRpt/></Document></e>",
          "header" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct iso_message m;
        const char *why = iso_read(text_of(rows[i].xml), 0, &m);
        assert_non_null(why);
        if (strstr(why, rows[i].words) == NULL)
            fail_msg("\"%s\" has no \"%s\"", why, rows[i].words);
    }
}

static void a_message_inside_a_message_is_not_one(void **state)
{
    (void)state;
    static const char xml[] =
        "<FIToFIPmtStsRpt xmlns='" NS
        "pacs.002.001.10'><TxInfAndSts><TxSts>RJCT</TxSts><SplmtryData>"
        "<Envlp><FIToFIPmtStsRpt><TxInfAndSts><TxSts>ACSC</TxSts></TxInfAndSts></FIToFIPmtStsRpt>"
        "</Envlp></SplmtryData></TxInfAndSts></FIToFIPmtStsRpt>";
    struct iso_message m;
    assert_null(iso_read(text_of(xml), 0, &m));
    assert_int_equal(m.items, 1);
    assert_string_equal(m.item.status, "RJCT");
}

/* --- all at once ------------------------------------------------------------------------------ */

static struct iso_rows rows_room;

/* One reading into rows says of every item what a reading for that item alone says. */
static uint64_t same_both_ways(struct rg_bytes bytes)
{
    struct iso_message one, row;
    memset(&rows_room, 0, sizeof rows_room);
    const char *why = iso_rows_read(bytes, ISO_ROWS_MAX, ISO_ALL_ROWS, &rows_room);
    assert_true((why == NULL) == (iso_read(bytes, 0, &one) == NULL));
    if (why != NULL) {
        assert_int_equal(rows_room.read, 0);
        return 0;
    }
    assert_int_equal(rows_room.count, one.items);
    for (uint64_t i = 0; i <= rows_room.count; i++) {
        assert_null(iso_read(bytes, i, &one));
        iso_rows_get(&rows_room, i, &row);
        assert_memory_equal(&one, &row, sizeof one);
    }
    return rows_room.count;
}

#define PACS_002(inside)                                                                           \
    "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10'><FIToFIPmtStsRpt>"           \
    "<GrpHdr><MsgId>B1</MsgId></GrpHdr>" inside "</FIToFIPmtStsRpt></Document>"
#define CAMT_054(inside)                                                                           \
    "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.08'><BkToCstmrDbtCdtNtfctn>"     \
    "<GrpHdr><MsgId>N</MsgId></GrpHdr><Ntfctn>" inside                                             \
    "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
#define NTRY(inside)                                                                               \
    "<Ntry><Amt Ccy='EUR'>9.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"           \
    "<AcctSvcrRef>S</AcctSvcrRef>" inside "</Ntry>"
#define DTLS(e2e) "<TxDtls><Refs><EndToEndId>" e2e "</EndToEndId></Refs></TxDtls>"

static void rows_say_what_single_readings_say(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        uint64_t items;
    } cases[] = {
        { PACS_002("<OrgnlGrpInfAndSts><OrgnlMsgId>M</OrgnlMsgId><GrpSts>RJCT</GrpSts><StsRsnInf>"
                   "<Rsn><Cd>FF01</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts>"),
          1 },
        { PACS_002("<OrgnlGrpInfAndSts><OrgnlMsgId>M</OrgnlMsgId><GrpSts>PART</GrpSts><StsRsnInf>"
                   "<Rsn><Cd>NARR</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts><TxInfAndSts>"
                   "<OrgnlEndToEndId>A</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>"
                   "<TxInfAndSts><OrgnlEndToEndId>B</OrgnlEndToEndId></TxInfAndSts>"),
          2 },
        { CAMT_054(""), 0 },
        { CAMT_054(NTRY("") NTRY("<NtryDtls>" DTLS("A") "</NtryDtls>")
                       NTRY("<NtryDtls>" DTLS("B") DTLS("C") DTLS("D") "</NtryDtls>") NTRY("")),
          6 },
        { CAMT_054(NTRY("")) "<a/>", 0 },
        { "<!DOCTYPE a>" CAMT_054(NTRY("")), 0 },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(same_both_ways(text_of(cases[i].xml)), cases[i].items);
}

static void rows_have_an_end(void **state)
{
    (void)state;
    static const char xml[] =
        CAMT_054(NTRY("") NTRY("<NtryDtls>" DTLS("B") DTLS("C") DTLS("D") "</NtryDtls>") NTRY(""));
    struct iso_message m;
    for (uint32_t most = 1; most < 5; most++) {
        memset(&rows_room, 0, sizeof rows_room);
        assert_non_null(iso_rows_read(text_of(xml), most, ISO_ALL_ROWS, &rows_room));
        memset(&rows_room, 0, sizeof rows_room);
        assert_null(iso_rows_read(text_of(xml), most, ISO_FIRST_ROWS, &rows_room));
        assert_int_equal(rows_room.count, most);
        iso_rows_get(&rows_room, most - 1, &m); /* what stands around a detail is known */
        assert_string_equal(m.item.direction, "CRDT");
        assert_string_equal(m.message_id, "N");
        iso_rows_get(&rows_room, most, &m);
        assert_string_equal(m.item.direction, "");
    }
    memset(&rows_room, 0, sizeof rows_room);
    assert_null(iso_rows_read(text_of(xml), 5, ISO_ALL_ROWS, &rows_room));
    /* What stands behind the first rows is not looked at; what stands before them is. */
    static const char open_end[] =
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.08'>"
        "<BkToCstmrDbtCdtNtfctn><Ntfctn>" NTRY("") "<broken";
    memset(&rows_room, 0, sizeof rows_room);
    assert_null(iso_rows_read(text_of(open_end), 1, ISO_FIRST_ROWS, &rows_room));
    memset(&rows_room, 0, sizeof rows_room);
    assert_non_null(iso_rows_read(text_of(open_end), 2, ISO_FIRST_ROWS, &rows_room));
}

static void official_samples_are_read(void **state)
{
    (void)state;
    static const char *const not_ours[] = { "pacs.009", "pacs009", "pain_001", "International" };
    const char *folder = getenv("RAILGATE_ISO20022_DIR");
    static uint8_t bytes[1 << 20];
    char path[1024];
    unsigned read = 0;
    if (folder == NULL || folder[0] == '\0') {
        print_message("skipped: RAILGATE_ISO20022_DIR names no folder with the official samples\n");
        return;
    }
    snprintf(path, sizeof path, "%s/samples", folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct iso_message m;
        uint32_t ours = strstr(entry->d_name, ".xml") != NULL;
        for (unsigned i = 0; i < 4; i++)
            ours = ours && strstr(entry->d_name, not_ours[i]) == NULL;
        if (!ours)
            continue;
        snprintf(path, sizeof path, "%s/samples/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t len = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        for (uint64_t i = 0, items = 1; i < items; i++) {
            if (i == 0)
                (void)same_both_ways((struct rg_bytes){ bytes, len });
            const char *why = iso_read((struct rg_bytes){ bytes, len }, i, &m);
            if (why != NULL)
                fail_msg("%s: %s", entry->d_name, why);
            assert_true(m.kind >= ISO_PAIN_002 && m.kind < ISO_KIND_END);
            uint32_t money = m.kind == ISO_CAMT_053 || m.kind == ISO_CAMT_054 ||
                             m.kind == ISO_PACS_008 || m.kind == ISO_PACS_004;
            uint32_t number, exponent;
            int64_t minor;
            if (money) {
                assert_true(iso_currency(m.item.currency, &number, &exponent));
                assert_true(iso_amount(m.item.amount, exponent, &minor));
            } else {
                assert_true(m.item.status[0] != '\0' || m.item.reason[0] != '\0');
            }
            items = m.items;
        }
        read++;
    }
    closedir(dir);
    print_message("%u samples read\n", read);
    assert_true(read >= 13);
}

static void *read_often(void *arg)
{
    static const char xml[] = "<FIToFIPmtStsRpt xmlns='" NS
                              "pacs.002.001.10'><TxInfAndSts><TxSts>ACSC</TxSts></TxInfAndSts>"
                              "</FIToFIPmtStsRpt>";
    unsigned *good = arg;
    for (unsigned i = 0; i < 200; i++) {
        struct iso_message m;
        *good += iso_read(text_of(i % 2 ? xml : "<a>&b;</a>"), 0, &m) == NULL;
    }
    return NULL;
}

static void several_threads_read(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned good[4] = { 0 };
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &good[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 100);
    }
}

/* --- values ---------------------------------------------------------------------------------- */

static void amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t exponent, good;
        int64_t minor;
    } rows[] = {
        { "12.50", 2, 1, 1250 },
        { "12.5", 2, 1, 1250 },
        { "12", 2, 1, 1200 },
        { "12.500", 2, 1, 1250 },
        { "12.505", 2, 0, 0 },
        { "12.345", 3, 1, 12345 },
        { "500", 0, 1, 500 },
        { "500.0", 0, 1, 500 },
        { "500.5", 0, 0, 0 },
        { "0", 2, 1, 0 },
        { ".5", 2, 1, 50 },
        { "5.", 2, 1, 500 },
        { "", 2, 0, 0 },
        { ".", 2, 0, 0 },
        { "-1", 2, 0, 0 },
        { "+1", 2, 0, 0 },
        { "1,5", 2, 0, 0 },
        { "1.5.0", 2, 0, 0 },
        { " 1", 2, 0, 0 },
        { "1e3", 2, 0, 0 },
        { "92233720368547758.08", 2, 0, 0 },
        { "92233720368547758.07", 2, 1, INT64_MAX },
        { "100000000000000000000", 2, 0, 0 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t minor = -7;
        uint32_t good = iso_amount(rows[i].text, rows[i].exponent, &minor);
        if (good != rows[i].good || (good && minor != rows[i].minor))
            fail_msg("%s", rows[i].text);
    }
}

static void currencies(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        uint32_t number, exponent;
    } rows[] = {
#define ISO4217(code, number, exponent) { code, number, exponent },
#include "kits/iso4217.def"
#undef ISO4217
    };
    uint32_t number, exponent;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(i == 0 || strcmp(rows[i - 1].code, rows[i].code) < 0);
        for (unsigned k = 0; k < i; k++)
            assert_true(rows[k].number != rows[i].number);
        assert_true(iso_currency(rows[i].code, &number, &exponent));
        assert_true(number == rows[i].number && exponent == rows[i].exponent);
    }
    assert_false(iso_currency("XXX", &number, &exponent));
    assert_false(iso_currency("eur", &number, &exponent));
}

static void accounts(void **state)
{
    (void)state;
    /* Examples of the IBAN registry. */
    static const char *const good[] = {
        "AD1200012030200359100100",
        "BE68539007547034",
        "BR1800360305000010009795493C1",
        "CH9300762011623852957",
        "DE89370400440532013000",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "MT84MALT011000012345MTLCAST001S",
        "NO9386011117947",
        "SA0380000000608010167519",
        "LC55HEMM000100010012001200023015",
    };
    uint8_t iban[ACCOUNT_IBAN_MAX];
    uint64_t len;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        char other[40];
        assert_true(account_iban_valid(text_of(good[i])));
        for (size_t k = 0; k < strlen(good[i]); k++) { /* no single digit may differ */
            strcpy(other, good[i]);
            other[k] = other[k] == '1' ? '2' : '1';
            assert_false(account_iban_valid(text_of(other)));
        }
        strcpy(other, good[i]);
        other[strlen(other) - 1] = '\0';
        assert_false(account_iban_valid(text_of(other)));
    }
    assert_true(account_iban_read(text_of("de89 3704 0044 0532 0130 00"), iban, &len));
    assert_int_equal(len, 22);
    assert_false(account_iban_read(text_of("ZZ68539007547034"), iban, &len));
    assert_false(account_iban_valid(text_of("de89370400440532013000")));
}

static void names_of_transactions(void **state)
{
    (void)state;
    uint8_t random[16], room[40] = { 0 };
    for (unsigned i = 0; i < 256; i++) {
        struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
        memset(random, (int)i, sizeof random);
        account_put_uetr(&out, random);
        assert_true(account_uetr_valid((struct rg_bytes){ out.ptr, out.len }));
    }
    assert_true(account_uetr_valid(text_of("8a562c67-ca16-48ba-b074-65581be6f011")));
    assert_false(account_uetr_valid(text_of("8A562c67-ca16-48ba-b074-65581be6f011")));
    assert_false(account_uetr_valid(text_of("8a562c67-ca16-18ba-b074-65581be6f011")));
    assert_false(account_uetr_valid(text_of("8a562c67-ca16-48ba-c074-65581be6f011")));
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    account_put_qrr(&out, text_of("21000000000313947143000901"));
    assert_true(text_is((struct rg_bytes){ out.ptr, out.len }, "210000000003139471430009017"));
    account_put_qrr(&out, text_of("123"));
    assert_true(out.overflow != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xml_that_is_read),
        cmocka_unit_test(xml_that_is_refused),
        cmocka_unit_test(xml_has_limits),
        cmocka_unit_test(messages_that_are_refused),
        cmocka_unit_test(a_message_inside_a_message_is_not_one),
        cmocka_unit_test(rows_say_what_single_readings_say),
        cmocka_unit_test(rows_have_an_end),
        cmocka_unit_test(official_samples_are_read),
        cmocka_unit_test(several_threads_read),
        cmocka_unit_test(amounts),
        cmocka_unit_test(currencies),
        cmocka_unit_test(accounts),
        cmocka_unit_test(names_of_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
