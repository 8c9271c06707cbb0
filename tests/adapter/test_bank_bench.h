/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bank_bench.h - what the tests of the bank adapter have in common: a channel from
 * "name=value" words, a command with details, output rooms, and libxml2's own schema validation.
 *
 * The official schemas are not part of this tree. Where RAILGATE_ISO20022_DIR names a folder with
 * xsd/ and samples/, messages are held against them; where not, the test says 'skipped'.
 */
#ifndef TEST_BANK_BENCH_H
#define TEST_BANK_BENCH_H

#include "bank_int.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BENCH_ROOM 65536u
#define BENCH_ROWS 32u
#define ATTEMPT_1  "att_0123456789abc"
#define ATTEMPT_2  "att_0123456789abd"

struct bench {
    const struct rg_adapter *adapter;
    struct bank_instance bank;
    struct bank_exchange x;
    struct rg_command command;
    struct rg_named details[32];
    struct rg_named refs_in[64];
    struct rg_out out;
    struct rg_named rows[5][BENCH_ROWS];
    uint8_t rooms[14][BENCH_ROOM];
    struct rg_notice_out notice;
    struct rg_named notice_rows[BENCH_ROWS];
    uint8_t notice_rooms[10][BENCH_ROOM * 2];
};

static inline struct rg_buffer bench_room(uint8_t *room, uint64_t size)
{
    return (struct rg_buffer){ room, size, 0, 0, 0 };
}

static inline void bench_rooms(struct bench *b)
{
    struct rg_out *out = &b->out;
    struct rg_buffer *const buffers[] = { &out->bytes,
                                          &out->sign_key,
                                          &out->reference,
                                          &out->rail_code,
                                          &out->message,
                                          &out->diagnosis,
                                          &out->correlation,
                                          &out->path,
                                          &out->refs.text,
                                          &out->grants.text,
                                          &out->extra.text,
                                          &out->headers.text,
                                          &out->action_values.text };
    struct rg_table *const tables[] = { &out->refs, &out->grants, &out->extra, &out->headers,
                                        &out->action_values };
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    for (unsigned i = 0; i < 5; i++) {
        tables[i]->rows = b->rows[i];
        tables[i]->room = BENCH_ROWS;
    }
    for (unsigned i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        *buffers[i] = bench_room(b->rooms[i], BENCH_ROOM);
}

/* --- a channel ------------------------------------------------------------------------------- */

static inline void bench_value(const struct rg_setting *row, const char *text,
                               struct rg_value *value)
{
    value->present = 1;
    value->text = text_of(text);
    if (row->type == RG_SETTING_NUMBER)
        value->number = strtoll(text, NULL, 10);
    if (row->type == RG_SETTING_FLAG)
        value->number = strcmp(text, "yes") == 0;
    if (row->type != RG_SETTING_CHOICE)
        return;
    const char *at = row->choices;
    for (int64_t i = 0;; i++) {
        size_t len = strcspn(at, "|");
        if (len == strlen(text) && strncmp(at, text, len) == 0) {
            value->number = i;
            return;
        }
        if (at[len] == '\0')
            fail_msg("no choice %s of %s", text, row->name);
        at += len + 1;
    }
}

/* "scheme=sepa;iban=..." over the defaults; the row that was refused, or -1 when it loaded. */
static inline int64_t bench_configure(struct bench *b, const char *settings)
{
    static struct rg_value values[SET_COUNT];
    static char copy[4096];
    char why[256];
    struct rg_diag diag = { sizeof diag, 0xffffffff, 0, { (uint8_t *)why, sizeof why, 0, 0, 0 } };
    char *rest = copy;
    memset(values, 0, sizeof values);
    b->adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    assert_non_null(b->adapter);
    for (unsigned i = 0; i < SET_COUNT; i++)
        if (bank_settings[i].fallback != NULL)
            bench_value(&bank_settings[i], bank_settings[i].fallback, &values[i]);
    assert_true(strlen(settings) < sizeof copy);
    strcpy(copy, settings);
    for (char *word; (word = strsep(&rest, ";")) != NULL;) {
        char *value = strchr(word, '=');
        unsigned i = 0;
        if (value == NULL)
            continue;
        *value++ = '\0';
        while (i < SET_COUNT && strcmp(bank_settings[i].name, word) != 0)
            i++;
        assert_true(i < SET_COUNT);
        bench_value(&bank_settings[i], value, &values[i]);
    }
    return b->adapter->configure(&b->bank, values, &diag) == 1 ? -1 : (int64_t)diag.row;
}

#define SEPA  "scheme=sepa;name=Muster Shop;iban=DE89 3704 0044 0532 0130 00;bic=COBADEFFXXX"
#define SWISS "scheme=swiss;name=Züri Shop;iban=CH9300762011623852957;bic=UBSWCHZH80A"
#define FEDNOW                                                                                     \
    "scheme=fednow;name=Shop Inc;account=12345678901;member=111111111;to_member=021150706"
#define PIX                                                                                        \
    "scheme=pix;name=Loja;account=000123456;account_type=CACC;party_id=12345678000195;"            \
    "member=12345678;to_member=00038166"
#define UK            "scheme=uk_fps;name=Shop Ltd;account=12345678;member=123456"
#define GENERIC       "scheme=generic;name=Shop;iban=DE89370400440532013000;bic=COBADEFFXXX"
#define BETWEEN_BANKS GENERIC ";initiation=participant;to_bic=DEUTDEFF"

/* --- a command ------------------------------------------------------------------------------- */

static inline void bench_detail(struct bench *b, const char *name, const char *value)
{
    b->details[b->command.details_count++] =
        (struct rg_named){ text_of(name), text_of(value), 0, 0 };
}

static inline void bench_command(struct bench *b, uint32_t operation, int64_t minor,
                                 const char *currency)
{
    uint32_t number = 0, exponent = 0;
    assert_true(iso_currency(currency, &number, &exponent));
    b->command = (struct rg_command){
        .size = sizeof b->command,
        .operation = operation,
        .amount_minor = minor,
        .original_minor = minor,
        .currency_number = number,
        .currency_exponent = exponent,
        .trace = 7,
        .time_unix_us = INT64_C(1795353255000000),
        .utc = { 2026, 11, 22, 13, 14, 15 },
        .local = { 2026, 11, 22, 14, 14, 15 },
        .random = { 1, 2, 3, 4, 5, 6, 255, 8, 255, 10, 11, 12, 13, 14, 15, 16 },
        .attempt_id = text_of(ATTEMPT_1),
        .details = b->details,
        .refs = b->refs_in,
        .notice_url = text_of("https://127.0.0.1:9/notices/bank"),
        .now_unix_us = INT64_C(1795353255000000),
    };
    memcpy(b->command.currency_code, currency, 4);
}

/* Refs that an earlier step handed back become those of the next command; their text is copied. */
static inline void bench_keep_refs(struct bench *b, const struct rg_table *refs)
{
    static uint8_t texts[1 << 16];
    static uint64_t used;
    if (used > sizeof texts / 2)
        used = 0;
    for (uint64_t i = 0; i < refs->count; i++) {
        struct rg_named *row = &b->refs_in[b->command.refs_count++];
        *row = refs->rows[i];
        memcpy(texts + used, row->name.ptr, row->name.len);
        row->name.ptr = texts + used;
        used += row->name.len;
        memcpy(texts + used, row->value.ptr, row->value.len);
        row->value.ptr = texts + used;
        used += row->value.len;
    }
}

static inline uint32_t bench_begin(struct bench *b)
{
    memset(&b->x, 0, sizeof b->x);
    bench_rooms(b);
    return b->adapter->begin(&b->bank, &b->x, &b->command, &b->out);
}

static inline uint32_t bench_reply(struct bench *b, uint32_t status, const char *body)
{
    struct rg_event event = { sizeof event, RG_EVENT_REPLY, status, text_of(body), { NULL, 0 } };
    bench_rooms(b);
    return b->adapter->resume(&b->bank, &b->x, &event, &b->out);
}

/* 1 when the buffer holds exactly this text. */
static inline int bench_is(const struct rg_buffer *buffer, const char *text)
{
    struct rg_bytes bytes = { buffer->ptr, buffer->len };
    if (text_is(bytes, text))
        return 1;
    print_message("is \"%.*s\", not \"%s\"\n", (int)buffer->len, buffer->ptr, text);
    return 0;
}

static inline int bench_has(const struct rg_buffer *buffer, const char *text)
{
    if (memmem(buffer->ptr, buffer->len, text, strlen(text)) != NULL)
        return 1;
    print_message("\"%.*s\" has no \"%s\"\n", (int)buffer->len, buffer->ptr, text);
    return 0;
}

static inline void bench_expect(struct bench *b, uint32_t step, uint32_t want, uint32_t outcome,
                                const char *code)
{
    if (step != want)
        print_message("diagnosis: %.*s\n", (int)b->out.diagnosis.len, b->out.diagnosis.ptr);
    assert_int_equal(step, want);
    if (want != RG_STEP_DONE)
        return;
    assert_int_equal(b->out.outcome, outcome);
    assert_true(bench_is(&b->out.rail_code, code));
}

/* --- schemas --------------------------------------------------------------------------------- */

/* The folder with xsd/ and samples/, or NULL; says so once. */
static inline const char *bench_iso_folder(void)
{
    static int told;
    const char *folder = getenv("RAILGATE_ISO20022_DIR");
    if ((folder == NULL || folder[0] == '\0') && told++ == 0)
        print_message("skipped: RAILGATE_ISO20022_DIR names no folder with the official schemas\n");
    return folder != NULL && folder[0] != '\0' ? folder : NULL;
}

static inline void bench_tell(void *arg, xmlErrorPtr error)
{
    (void)arg;
    print_message("schema: %s", error->message);
}

/* Holds one element (Document, AppHdr) against the schema of its namespace. */
static inline void bench_validate_node(const char *folder, xmlNodePtr node)
{
    char path[1024];
    const char *name = strrchr((const char *)node->ns->href, ':');
    assert_non_null(name);
    snprintf(path, sizeof path, "%s/xsd/%s.xsd", folder, name + 1);
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(path);
    xmlSchemaPtr schema = xmlSchemaParse(parser);
    assert_non_null(schema);
    xmlDocPtr alone = xmlNewDoc((const xmlChar *)"1.0");
    xmlDocSetRootElement(alone, xmlDocCopyNode(node, alone, 1));
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
    xmlSchemaSetValidStructuredErrors(valid, bench_tell, NULL);
    assert_int_equal(xmlSchemaValidateDoc(valid, alone), 0);
    xmlSchemaFreeValidCtxt(valid);
    xmlFreeDoc(alone);
    xmlSchemaFree(schema);
    xmlSchemaFreeParserCtxt(parser);
}

static inline unsigned bench_validate_tree(const char *folder, xmlNodePtr node)
{
    unsigned found = 0;
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (strcmp((const char *)node->name, "Document") == 0 ||
            strcmp((const char *)node->name, "AppHdr") == 0) {
            bench_validate_node(folder, node);
            found++;
        } else {
            found += bench_validate_tree(folder, node->children);
        }
    }
    return found;
}

/* What the exchange is about to send, against the official schemas. `parts`: 2 with a header. */
static inline void bench_validate(struct bench *b, unsigned parts)
{
    const char *folder = bench_iso_folder();
    assert_true(b->x.body_len > 0);
    if (folder == NULL)
        return;
    xmlDocPtr doc = xmlReadMemory((const char *)b->x.body, (int)b->x.body_len, "sent.xml", NULL,
                                  XML_PARSE_NONET);
    assert_non_null(doc);
    assert_int_equal(bench_validate_tree(folder, xmlDocGetRootElement(doc)), parts);
    xmlFreeDoc(doc);
}

/* --- notices --------------------------------------------------------------------------------- */

/* `memory`: NULL for a fresh one, zeroed as the host's is before the first call for a message. */
static inline uint32_t bench_notice_kept(struct bench *b, const char *body, uint32_t index,
                                         const char *headers, uint32_t verified, void *memory)
{
    static struct iso_rows fresh;
    if (memory == NULL)
        memory = memset(&fresh, 0, sizeof fresh);
    struct rg_notice in = { .size = sizeof in,
                            .verified = verified,
                            .bytes = text_of(body),
                            .headers = text_of(headers),
                            .utc = { 2026, 11, 22, 13, 14, 15 },
                            .time_unix_us = INT64_C(1795353255000000),
                            .index = index,
                            .http_method = RG_HTTP_POST,
                            .memory = memory };
    struct rg_notice_out *out = &b->notice;
    struct rg_buffer *const buffers[] = { &out->bytes,     &out->signature, &out->sign_key,
                                          &out->reference, &out->rail_code, &out->attempt_id,
                                          &out->message,   &out->diagnosis, &out->acknowledgement,
                                          &out->refs.text };
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    out->refs.rows = b->notice_rows;
    out->refs.room = BENCH_ROWS;
    for (unsigned i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        *buffers[i] = bench_room(b->notice_rooms[i], sizeof b->notice_rooms[i]);
    return b->adapter->notice(&b->bank, &in, out);
}

static inline uint32_t bench_notice(struct bench *b, const char *body, uint32_t index,
                                    const char *headers, uint32_t verified)
{
    return bench_notice_kept(b, body, index, headers, verified, NULL);
}

#endif
