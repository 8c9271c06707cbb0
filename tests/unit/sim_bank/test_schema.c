/* test_schema.c - against the official schemas, with libxml2: everything the bank writes is valid,
 * and the bank's own reading of what it receives says what the schema says.
 *
 * RAILGATE_ISO20022_DIR names a folder with xsd/<message>.xsd in it; without it the tests are
 * skipped.
 */
#include "customer.h"

#include "bank/iso_check.h"
#include "base/ensure.h"

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

#include <stdio.h>
#include <stdlib.h>

static const char *folder;
static xmlSchemaPtr schemas[32];
static char schema_names[32][64];
static size_t seen_count;

static void quiet(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

static xmlSchemaPtr schema_of(const char *name)
{
    size_t i = 0;
    char path[1024];
    for (; i < 32 && schemas[i] != NULL; i++)
        if (strcmp(schema_names[i], name) == 0)
            return schemas[i];
    assert_true(i < 32);
    snprintf(path, sizeof path, "%s/xsd/%s.xsd", folder, name);
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(path);
    assert_non_null(parser);
    schemas[i] = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    if (schemas[i] == NULL)
        fail_msg("no schema %s", path);
    snprintf(schema_names[i], sizeof schema_names[i], "%s", name);
    return schemas[i];
}

/* Whether the element (a Document or AppHdr) is valid under the schema of its own namespace. */
static bool element_valid(xmlNodePtr element, char *why, size_t room)
{
    const char *ns = (const char *)element->ns->href;
    xmlDocPtr doc = xmlNewDoc((const xmlChar *)"1.0");
    xmlDocSetRootElement(doc, xmlDocCopyNode(element, doc, 1));
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema_of(ns + strlen(ISO_NAMESPACE)));
    xmlSchemaSetValidErrors(valid, quiet, quiet, NULL);
    bool good = xmlSchemaValidateDoc(valid, doc) == 0;
    const xmlError *error = xmlGetLastError();
    snprintf(why, room, "%s", good || error == NULL ? "" : error->message);
    xmlSchemaFreeValidCtxt(valid);
    xmlFreeDoc(doc);
    return good;
}

static xmlNodePtr find(xmlNodePtr node, const char *name)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (strcmp((const char *)node->name, name) == 0)
            return node;
        xmlNodePtr inside = find(node->children, name);
        if (inside != NULL)
            return inside;
    }
    return NULL;
}

static void must_be_valid(struct view body)
{
    xmlDocPtr doc = xmlReadMemory((const char *)body.ptr, (int)body.len, "x.xml", NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    char why[512];
    assert_non_null(doc);
    for (int i = 0; i < 2; i++) {
        xmlNodePtr element = find(xmlDocGetRootElement(doc), i == 0 ? "Document" : "AppHdr");
        assert_true(element != NULL || i == 1);
        if (element != NULL && !element_valid(element, why, sizeof why))
            fail_msg("%s: %.*s", why, (int)body.len, (const char *)body.ptr);
    }
    seen_count++;
    xmlFreeDoc(doc);
}

static bool skipped(void)
{
    folder = getenv("RAILGATE_ISO20022_DIR");
    if (folder != NULL && folder[0] != '\0')
        return false;
    print_message("skipped: RAILGATE_ISO20022_DIR does not name the official schemas\n");
    return true;
}

static void say_everything(struct customer *c)
{
    static const char *const amounts[] = { "1.00",  "90.04", "90.67", "91.01", "91.05", "91.06",
                                           "91.08", "91.09", "91.11", "91.12", "92.04", "92.05" };
    char id[8], msg[8];
    for (size_t i = 0; i < COUNT_OF(amounts); i++) {
        struct order o = { .msg_id = msg,
                           .end_to_end_id = id,
                           .amount = amounts[i],
                           .remittance = "<RmtInf><Ustrd>for &lt;you&gt;</Ustrd><Strd><CdtrRefInf>"
                                         "<Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>",
                           .uetr = NULL };
        for (int kind = 0; kind < 2; kind++) {
            snprintf(id, sizeof id, "E%zu-%d", i, kind);
            snprintf(msg, sizeof msg, "M%zu-%d", i, kind);
            customer_post(c, kind == 0 ? pain_001(c, &o) : pacs_008(c, &o));
            customer_wait(c, 3000);
            snprintf(msg, sizeof msg, "Q%zu-%d", i, kind);
            customer_post(c, pacs_028(c, msg, id));
            snprintf(msg, sizeof msg, "R%zu-%d", i, kind);
            customer_post(c, camt_056(c, msg, id, amounts[i]));
            customer_wait(c, 3000);
        }
    }
    customer_post(c, pacs_028(c, "QX", "NEVERSEEN"));
    customer_post(c, camt_056(c, "RX", "NEVERSEEN", "1.00"));
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "MX", .count = "7" }));
    customer_post(c, pain_001(c, &(struct order){ .msg_id = "M0-0", .amount = "3.00" }));
    customer_post(c, "<x/>");
    customer_command(c, "/credit",
                     "{\"amount\":\"5.00\",\"currency\":\"EUR\",\"end_to_end_id\":\"IN1\","
                     "\"reference\":\"210000000003139471430009017\",\"remittance\":\"a & b\","
                     "\"debtor\":\"D\xC3\xBCrr\",\"debtor_account\":\"990000000001\"}");
    customer_command(c, "/credit",
                     "{\"amount\":\"5.00\",\"currency\":\"EUR\",\"as\":\"pacs.008\"}");
    customer_post(c, pacs_004(c, "B1", "RET1", "IN1", "2.00"));
    customer_post(c, pacs_004(c, "B2", "RET2", "IN1", "9.00"));
    customer_command(c, "/statement", "{}");
    customer_command(c, "/statement", "{\"account\":\"990000000001\",\"currency\":\"USD\"}");
}

/* The same books as files of every account, with lines that are wrong. */
static void write_files(struct customer *c)
{
    static const char *const queries[] = { "",
                                           "format=camt.054",
                                           ("account=" CREDITOR),
                                           "account=PARTICIPANT&currency=USD",
                                           "account=990000000001&currency=USD&to=2026-11-23",
                                           "account=PARTICIPANT&format=camt.054" };
    static const struct settle_faults wrong = {
        .count = 2,
        .rules = { { .fault = SETTLE_INVENT, .amount_minor = 1 },
                   { .fault = SETTLE_REPEAT, .has_line = true, .line = 2 } },
    };
    static uint8_t text[1 << 20];
    uint64_t books = 0;
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct settle_source source;
        struct writer w = writer_over(text, sizeof text), why = writer_over(text, sizeof text);
        assert_int_equal(
            bank_brain.settlement(c->bank, view_text(queries[i]), c->now_us, &source, &why),
            STATUS_OK);
        struct settlement *s = settlement_open(&source, i % 2 == 0 ? &wrong : NULL, &books);
        assert_non_null(s);
        assert_false(settlement_read(s, &w)); /* all of it */
        settlement_close(s);
        must_be_valid(writer_done(&w));
    }
}

static void everything_it_writes_is_valid(void **state)
{
    struct customer *c = *state;
    static const char *const settings[] = {
        "{\"notify_debits\":true}",
        ("{\"answer\":\"notice\",\"envelope\":\"always\",\"inquiry\":\"notice\","
         "\"recall_answer\":\"notice\",\"notify_debits\":true}"),
        "{\"connection\":\"participant\",\"scheme\":\"fednow\",\"envelope\":\"always\"}",
        "{\"connection\":\"participant\",\"scheme\":\"pix\",\"recall\":\"pending_accept\"}",
        "{\"connection\":\"participant\",\"scheme\":\"sepa_inst\",\"booking\":\"delayed\"}",
        "{\"scheme\":\"swiss\",\"booking\":\"schedule\",\"schedule_s\":2}",
    };
    if (skipped())
        return;
    size_t before = seen_count;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        customer_stop(state);
        customer_start(state);
        c = *state;
        c->sees = must_be_valid;
        customer_set(c, settings[i]);
        say_everything(c);
        write_files(c);
        assert_true(balanced(c));
    }
    print_message("%zu messages of the bank are valid\n", seen_count - before);
    assert_true(seen_count - before > 300);
}

/* --- our own reading ------------------------------------------------------------------------ */
static bool we_take(struct customer *c, const char *xml, char *why, size_t room)
{
    const struct xml_node *root = NULL;
    struct xml_error error;
    struct arena arena;
    struct writer w = writer_over(why, room - 1);
    arena_init(&arena, 1 << 22);
    (void)c;
    assert_int_equal(xml_read(view_text(xml), &arena, &root, &error), STATUS_OK);
    const struct iso_message *kind = iso_message_of(root);
    assert_non_null(kind);
    bool good = iso_check(kind, root, &w) == STATUS_OK;
    why[w.len] = '\0';
    arena_reset(&arena);
    return good;
}

/* The n-th element below `node`; NULL when there are not so many. */
static xmlNodePtr nth(xmlNodePtr node, int *n)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if ((*n)-- == 0)
            return node;
        xmlNodePtr inside = nth(node->children, n);
        if (inside != NULL)
            return inside;
    }
    return NULL;
}

enum change {
    CHANGE_REMOVE = 1,
    CHANGE_REPEAT,
    CHANGE_MOVE,
    CHANGE_EMPTY,
    CHANGE_WORD,
    CHANGE_LONG,
    CHANGE_NAME,
    CHANGE_END
};

static void change(xmlNodePtr node, enum change how)
{
    char text[160];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    switch (how) {
    case CHANGE_REMOVE:
        xmlUnlinkNode(node);
        xmlFreeNode(node);
        break;
    case CHANGE_REPEAT: xmlAddNextSibling(node, xmlCopyNode(node, 1)); break;
    case CHANGE_MOVE:
        if (node->next != NULL)
            xmlAddNextSibling(node->next, node);
        break;
    case CHANGE_EMPTY: xmlNodeSetContent(node, (const xmlChar *)""); break;
    case CHANGE_WORD: xmlNodeSetContent(node, (const xmlChar *)"?"); break;
    case CHANGE_LONG: xmlNodeSetContent(node, (const xmlChar *)text); break;
    default: xmlNodeSetName(node, (const xmlChar *)"Nonsense"); break;
    }
}

/* A wrong BIC or IBAN has reason codes of its own, so that our reading lets it pass. */
static bool ours_alone(xmlNodePtr node)
{
    const char *name = (const char *)node->name;
    return strcmp(name, "BICFI") == 0 || strcmp(name, "BIC") == 0 || strcmp(name, "IBAN") == 0;
}

static size_t compare_changes(struct customer *c, const char *xml)
{
    size_t compared = 0;
    for (int how = CHANGE_REMOVE; how < CHANGE_END; how++) {
        for (int n = 0;; n++, compared++) {
            xmlDocPtr doc = xmlReadMemory(xml, (int)strlen(xml), "x.xml", NULL, XML_PARSE_NONET);
            int left = n;
            xmlNodePtr node = nth(xmlDocGetRootElement(doc)->children, &left);
            if (node == NULL) {
                xmlFreeDoc(doc);
                break;
            }
            bool skip = ours_alone(node) && how != CHANGE_REMOVE && how != CHANGE_REPEAT;
            change(node, (enum change)how);
            xmlChar *text = NULL;
            int len = 0;
            char theirs[512], mine[512];
            xmlDocDumpMemory(doc, &text, &len);
            bool they = element_valid(xmlDocGetRootElement(doc), theirs, sizeof theirs);
            bool we = we_take(c, (const char *)text, mine, sizeof mine);
            if (they != we && !skip)
                fail_msg("schema: %s we: %s in: %s", theirs, mine, (const char *)text);
            xmlFree(text);
            xmlFreeDoc(doc);
        }
    }
    return compared;
}

static void our_reading_agrees_with_the_schemas(void **state)
{
    struct customer *c = *state;
    if (skipped())
        return;
    struct order o = { .uetr = "8a562c67-ca16-48ba-b074-65581be6f001",
                       .bearer = "SLEV",
                       .remittance = "<RmtInf><Ustrd>x</Ustrd><Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>"
                                     "SCOR</Cd></CdOrPrtry></Tp><Ref>RF18539007547034</Ref>"
                                     "</CdtrRefInf></Strd></RmtInf>",
                       .type_info = "<PmtTpInf><InstrPrty>HIGH</InstrPrty><SvcLvl><Cd>SEPA</Cd>"
                                    "</SvcLvl><LclInstrm><Cd>INST</Cd></LclInstrm></PmtTpInf>" };
    struct order old = o;
    old.version = "03";
    old.uetr = NULL;
    char why[512];
    size_t compared = 0;
    for (int i = 0; i < 6; i++) {
        const char *xml = i == 0   ? pain_001(c, &o)
                          : i == 1 ? pain_001(c, &old)
                          : i == 2 ? pacs_008(c, &o)
                          : i == 3 ? pacs_004(c, "B1", "R1", "E1", "1.00")
                          : i == 4 ? pacs_028(c, "Q1", "E1")
                                   : camt_056(c, "R1", "E1", "1.00");
        char *kept = arena_text(&c->arena, view_text(xml));
        must_be_valid(view_text(kept));
        if (!we_take(c, kept, why, sizeof why))
            fail_msg("%s", why);
        compared += compare_changes(c, kept);
    }
    print_message("%zu changed messages: schema and bank agree\n", compared);
    assert_true(compared > 500);
}

static int finish(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(schemas); i++)
        if (schemas[i] != NULL)
            xmlSchemaFree(schemas[i]);
    xmlCleanupParser();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, customer_start, customer_stop)
        STORY(everything_it_writes_is_valid),
        STORY(our_reading_agrees_with_the_schemas),
    };
    xmlSetGenericErrorFunc(NULL, quiet);
    return cmocka_run_group_tests(tests, NULL, finish);
}
