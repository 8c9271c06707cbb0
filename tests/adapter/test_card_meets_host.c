/* SPDX-License-Identifier: Apache-2.0
 *
 * test_card_meets_host.c - the loadable card adapter and the brain of the card host simulator, face
 * to face. The two share no code, so this is where a misreading of docs/rails/card-wire.md by one
 * of them shows. For each packaging and framing: sign-on, echo, key change (the new key counts from
 * then on), then the life of a payment, with the simulator's ledger as the judge. Test card numbers
 * from published ranges.
 */
#include "card/card_host.h"
#include "card/tdes.h"

#include <dlfcn.h>
#include <railgate/adapter.h>
#include <railgate/writer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 4200u
#define ROWS 32u
#define LINK 1u
#define NOW  INT64_C(1000000)
/* 2026-11-22T13:14:15Z less NOW, microseconds. */
#define WALL (INT64_C(1795353255) * 1000000 - NOW)

struct outcome {
    uint32_t step;
    uint32_t outcome;
    int64_t amount_minor;
    char code[3];
    char diagnosis[128];
};

struct meeting {
    const struct rg_adapter *adapter;
    void *instance;
    void *exchange;
    struct card_host *host;
    struct tdes_key mac_key;
    uint32_t trace;
    struct rg_named refs[2 * ROWS]; /* of the last payment: what was stored */
    uint64_t refs_count;
    uint8_t refs_text[4 * ROOM];
    uint64_t refs_text_len;
};

static struct rg_bytes text_of(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

/* --- the adapter's side ---------------------------------------------------------------------- */

static void configure(struct meeting *m, const char *packaging, int64_t packaging_index,
                      const char *framing, int64_t framing_index)
{
    static const struct {
        const char *name, *text;
    } given[] = {
        { "tpdu", "6000010002" },
        { "terminal_id", "TERM0001" },
        { "merchant_id", "MERCHANT1" },
        { "merchant_name_location", "Test Shop" },
        { "merchant_category", "5411" },
        { "acquirer_id", "123456" },
        { "country", "250" },
        { "pos_capability", "pin" },
        { "pos_condition", "0" },
        { "mac_key", "host_mac" },
        { "zone_key", "host_zone" },
    };
    struct rg_value values[64] = { 0 };
    char why[256] = { 0 };
    struct rg_diag diag = { sizeof diag, 0, 0, { (uint8_t *)why, sizeof why - 1, 0, 0, 0 } };
    for (uint64_t i = 0; i < m->adapter->settings_count; i++) {
        const char *name = m->adapter->settings[i].name;
        if (strcmp(name, "packaging") == 0)
            values[i] = (struct rg_value){ 1, 0, packaging_index, text_of(packaging) };
        if (strcmp(name, "framing") == 0)
            values[i] = (struct rg_value){ 1, 0, framing_index, text_of(framing) };
        for (size_t k = 0; k < sizeof given / sizeof given[0]; k++)
            if (strcmp(name, given[k].name) == 0)
                values[i] = (struct rg_value){ 1, 0, strtol(given[k].text, NULL, 10),
                                               text_of(given[k].text) };
    }
    assert_int_equal(m->adapter->configure(m->instance, values, &diag), 1);
}

struct rooms {
    struct rg_out out;
    uint8_t bytes[ROOM], correlation[64], sign_key[64], reference[64], code[16], message[256];
    uint8_t diagnosis[512], refs_text[2048], grants_text[512], extra_text[1024];
    struct rg_named refs[ROWS], grants[ROWS], extra[ROWS];
};

static void open_rooms(struct rooms *r)
{
    memset(r, 0, sizeof *r);
    r->out.size = sizeof r->out;
    r->out.bytes = (struct rg_buffer){ r->bytes, sizeof r->bytes, 0, 0, 0 };
    r->out.correlation = (struct rg_buffer){ r->correlation, sizeof r->correlation, 0, 0, 0 };
    r->out.sign_key = (struct rg_buffer){ r->sign_key, sizeof r->sign_key, 0, 0, 0 };
    r->out.reference = (struct rg_buffer){ r->reference, sizeof r->reference, 0, 0, 0 };
    r->out.rail_code = (struct rg_buffer){ r->code, sizeof r->code, 0, 0, 0 };
    r->out.message = (struct rg_buffer){ r->message, sizeof r->message, 0, 0, 0 };
    r->out.diagnosis = (struct rg_buffer){ r->diagnosis, sizeof r->diagnosis - 1, 0, 0, 0 };
    r->out.refs = (struct rg_table){ r->refs, ROWS, 0, { r->refs_text, 2048, 0, 0, 0 } };
    r->out.grants = (struct rg_table){ r->grants, ROWS, 0, { r->grants_text, 512, 0, 0, 0 } };
    r->out.extra = (struct rg_table){ r->extra, ROWS, 0, { r->extra_text, 1024, 0, 0, 0 } };
}

static void keep_refs(struct meeting *m, const struct rg_table *table)
{
    for (uint64_t i = 0; i < table->count; i++) {
        struct rg_named row = table->rows[i];
        struct rg_bytes *parts[] = { &row.name, &row.value };
        for (unsigned k = 0; k < 2; k++) {
            assert_true(m->refs_text_len + parts[k]->len <= sizeof m->refs_text);
            uint8_t *copy = m->refs_text + m->refs_text_len;
            memcpy(copy, parts[k]->ptr, parts[k]->len);
            m->refs_text_len += parts[k]->len;
            parts[k]->ptr = copy;
        }
        m->refs[m->refs_count++] = row;
    }
}

/* The one key change of this test: unwrap, compare the check value, use it. */
static void take_grant(struct meeting *m, const struct rg_table *grants)
{
    static const uint8_t zone_bytes[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF,
                                          0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10 };
    struct tdes_key zone;
    uint8_t fresh[16], kcv[3];
    const struct rg_named *row = rg_find(grants->rows, grants->count, "mac_key");
    if (row == NULL)
        return;
    assert_int_equal(row->value.len, 9 + 1 + 3 + 16);
    assert_memory_equal(row->value.ptr, "zone_key\0\3", 10);
    tdes_key_set(&zone, zone_bytes);
    tdes_decrypt(&zone, row->value.ptr + 13, fresh);
    tdes_decrypt(&zone, row->value.ptr + 21, fresh + 8);
    tdes_key_set(&m->mac_key, fresh);
    tdes_check_value(&m->mac_key, kcv);
    assert_memory_equal(kcv, row->value.ptr + 10, 3);
}

/* --- an exchange ----------------------------------------------------------------------------- */

/* Gives bytes to the host and takes its one answer; 0 when it has none. */
static uint64_t host_answer(struct meeting *m, const struct rg_buffer *sent, uint8_t room[ROOM])
{
    struct card_action action;
    uint64_t len = 0;
    card_host_receive(m->host, LINK, view_of(sent->ptr, (size_t)sent->len), NOW);
    while (card_host_take(m->host, NOW, &action)) {
        assert_int_equal(action.kind, CARD_ACTION_SEND);
        assert_int_equal(len, 0);
        assert_true(action.bytes.len <= ROOM);
        memcpy(room, action.bytes.ptr, action.bytes.len);
        len = action.bytes.len;
    }
    return len;
}

static void check_frame(struct meeting *m, const uint8_t *bytes, uint64_t len,
                        const struct rg_buffer *sent_key)
{
    uint8_t key[64];
    struct rg_frame frame = { .size = sizeof frame, .correlation = { key, sizeof key, 0, 0, 0 } };
    struct rg_bytes in = { bytes, len };
    assert_int_equal(m->adapter->frame(m->instance, &in, &frame), RG_FRAME_COMPLETE);
    assert_int_equal(frame.kind, RG_FRAME_REPLY);
    assert_int_equal(frame.length, len);
    assert_int_equal(frame.correlation.len, sent_key->len);
    assert_memory_equal(key, sent_key->ptr, sent_key->len);
}

static struct outcome carry_out(struct meeting *m, const struct rg_command *command)
{
    static struct rooms r;
    uint8_t mac[8];
    uint8_t answer[ROOM];
    struct outcome result = { 0 };
    uint32_t keep = command->operation < RG_OP_CAPTURE; /* what later operations refer to */
    memset(m->exchange, 0, m->adapter->exchange_size);
    open_rooms(&r);
    uint32_t step = m->adapter->begin(m->instance, m->exchange, command, &r.out);
    for (unsigned steps = 0; steps < m->adapter->steps_max; steps++) {
        struct rg_event event = { .size = sizeof event };
        if (step == RG_STEP_SIGN) {
            tdes_retail_mac(&m->mac_key, MAC_PADDING_ZEROS,
                            view_of(r.out.bytes.ptr, (size_t)r.out.bytes.len), mac);
            event.kind = RG_EVENT_SIGNED;
            event.bytes = (struct rg_bytes){ mac, sizeof mac };
        } else if (step == RG_STEP_SEND) {
            if (keep != 0) {
                m->refs_count = 0;
                m->refs_text_len = 0;
                keep_refs(m, &r.out.refs);
            }
            event.kind = RG_EVENT_REPLY;
            event.bytes = (struct rg_bytes){ answer, host_answer(m, &r.out.bytes, answer) };
            if (event.bytes.len == 0)
                return (struct outcome){ .step = RG_STEP_SEND };
            check_frame(m, answer, event.bytes.len, &r.out.correlation);
        } else {
            break;
        }
        open_rooms(&r);
        step = m->adapter->resume(m->instance, m->exchange, &event, &r.out);
    }
    take_grant(m, &r.out.grants);
    if (keep != 0 && step == RG_STEP_DONE)
        keep_refs(m, &r.out.refs);
    result = (struct outcome){ .step = step,
                               .outcome = r.out.outcome,
                               .amount_minor = r.out.amount_minor };
    memcpy(result.code, r.code, 2);
    memcpy(result.diagnosis, r.diagnosis, sizeof result.diagnosis - 1);
    return result;
}

static struct rg_command command_of(struct meeting *m, uint32_t operation, int64_t amount_minor,
                                    int64_t original_minor)
{
    static const struct rg_named details[] = {
        { { (const uint8_t *)"entry", 5 }, { (const uint8_t *)"manual", 6 }, 0, 0 },
        { { (const uint8_t *)"pan", 3 }, { (const uint8_t *)"4111111111111111", 16 }, 0, 0 },
        { { (const uint8_t *)"expiry", 6 }, { (const uint8_t *)"3012", 4 }, 0, 0 },
    };
    struct rg_command c = { .size = sizeof c,
                            .operation = operation,
                            .amount_minor = amount_minor,
                            .original_minor = original_minor,
                            .trace = ++m->trace,
                            .utc = { 2026, 11, 22, 13, 14, 15 },
                            .local = { 2026, 11, 22, 14, 14, 15 } };
    if (operation < RG_OP_SIGN_ON) {
        c.currency_number = 978;
        c.currency_exponent = 2;
    }
    if (operation < RG_OP_CAPTURE) {
        c.details = details;
        c.details_count = 3;
    } else if (operation < RG_OP_SIGN_ON) {
        c.refs = m->refs;
        c.refs_count = m->refs_count;
    }
    return c;
}

static void expect(struct meeting *m, uint32_t operation, int64_t amount_minor,
                   int64_t original_minor, uint32_t outcome, const char *code)
{
    struct rg_command c = command_of(m, operation, amount_minor, original_minor);
    struct outcome o = carry_out(m, &c);
    if (o.step == RG_STEP_FAIL)
        print_message("failed: %s\n", o.diagnosis);
    assert_int_equal(o.step, RG_STEP_DONE);
    assert_int_equal(o.outcome, outcome);
    assert_string_equal(o.code, code);
    if (operation < RG_OP_SIGN_ON && outcome == RG_OUTCOME_APPROVED)
        assert_int_equal(o.amount_minor, amount_minor);
}

/* --- the story ------------------------------------------------------------------------------- */

static void link_is_made_ready(struct meeting *m)
{
    /* Before sign-on nothing is booked. */
    expect(m, RG_OP_SALE, 1000, 0, RG_OUTCOME_DECLINED, "91");
    expect(m, RG_OP_SIGN_ON, 0, 0, RG_OUTCOME_APPROVED, "00");
    expect(m, RG_OP_ECHO, 0, 0, RG_OUTCOME_APPROVED, "00");
    expect(m, RG_OP_SALE, 1000, 0, RG_OUTCOME_APPROVED, "00");
    struct tdes_key before = m->mac_key;
    expect(m, RG_OP_KEY_CHANGE, 0, 0, RG_OUTCOME_APPROVED, "00");
    assert_memory_not_equal(before.bytes, m->mac_key.bytes, sizeof before.bytes);
}

static void money_moves(struct meeting *m, const struct card_totals *t)
{
    expect(m, RG_OP_AUTHORISE, 10000, 0, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->held_minor, 10000);
    expect(m, RG_OP_CAPTURE, 3000, 10000, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->captured_minor, 3000);
    /* The same capture again, as if its answer had been lost: booked once. */
    struct rg_command again = command_of(m, RG_OP_CAPTURE, 3000, 10000);
    again.trace = --m->trace;
    again.repeat = 1;
    assert_int_equal(carry_out(m, &again).outcome, RG_OUTCOME_APPROVED);
    assert_int_equal(t->captured_minor, 3000);
    expect(m, RG_OP_CANCEL, 7000, 10000, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->held_minor, 0);
    expect(m, RG_OP_REFUND, 1000, 3000, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->refunded_minor, 1000);
    expect(m, RG_OP_REFUND, 2001, 3000, RG_OUTCOME_DECLINED, "13");
}

static void what_is_unknown_is_undone(struct meeting *m, const struct card_totals *t)
{
    /* Booked, but the answer is lost: the reversal is built from what was stored before sending. */
    struct rg_command lost = command_of(m, RG_OP_SALE, 19102, 0);
    int64_t before = t->charged_minor;
    assert_int_equal(carry_out(m, &lost).step, RG_STEP_SEND);
    assert_int_equal(t->charged_minor, before + 19102);
    expect(m, RG_OP_REVERSE, 19102, 19102, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->charged_minor, before);
    /* Never arrived: no such original, and nothing moves. */
    lost = command_of(m, RG_OP_SALE, 19101, 0);
    assert_int_equal(carry_out(m, &lost).step, RG_STEP_SEND);
    expect(m, RG_OP_REVERSE, 19101, 19101, RG_OUTCOME_NOT_FOUND, "25");
    assert_int_equal(t->charged_minor, before);
    assert_int_equal(t->booked_more_than_once, 0);
}

static void answers_say_what_they_mean(struct meeting *m, const struct card_totals *t)
{
    expect(m, RG_OP_SALE, 19051, 0, RG_OUTCOME_DECLINED, "51");
    struct rg_command partial = command_of(m, RG_OP_AUTHORISE, 19010, 0);
    struct outcome o = carry_out(m, &partial);
    assert_int_equal(o.outcome, RG_OUTCOME_APPROVED);
    assert_int_equal(o.amount_minor, 9505);
    assert_int_equal(t->held_minor, 9505);
    expect(m, RG_OP_CANCEL, 9505, 9505, RG_OUTCOME_APPROVED, "00");
    assert_int_equal(t->held_minor, 0);
    /* A wrong MAC and a garbled answer are not believed. */
    struct rg_command bad = command_of(m, RG_OP_SALE, 19107, 0);
    assert_int_equal(carry_out(m, &bad).step, RG_STEP_FAIL);
    expect(m, RG_OP_REVERSE, 19107, 19107, RG_OUTCOME_APPROVED, "00");
    expect(m, RG_OP_SIGN_OFF, 0, 0, RG_OUTCOME_APPROVED, "00");
}

/* The host's own wish for a new key is understood and acknowledged. */
static void the_host_may_ask(struct meeting *m)
{
    struct card_action action;
    uint8_t came[ROOM], back[ROOM];
    static struct rooms r;
    assert_int_equal(card_host_send(m->host, view_text("101"), 0, NOW), STATUS_OK);
    assert_true(card_host_take(m->host, NOW, &action));
    memcpy(came, action.bytes.ptr, action.bytes.len);
    struct rg_notice in = { .size = sizeof in, .bytes = { came, action.bytes.len } };
    struct rg_notice_out out = { .size = sizeof out,
                                 .acknowledgement = { back, sizeof back, 0, 0, 0 } };
    open_rooms(&r);
    out.refs = r.out.refs;
    assert_int_equal(m->adapter->notice(m->instance, &in, &out), RG_NOTICE_DONE);
    const struct rg_named *row = rg_find(out.refs.rows, out.refs.count, "link");
    assert_non_null(row);
    assert_memory_equal(row->value.ptr, "key_change", 10);
    card_host_receive(m->host, LINK, view_of(back, (size_t)out.acknowledgement.len), NOW);
    assert_false(card_host_take(m->host, NOW, &action)); /* an acknowledgement is not answered */
}

static void they_understand_each_other(void **state)
{
    (void)state;
    static const char *const packagings[] = { "iso87-ascii", "iso87-bcd", "iso87-binary" };
    static const char *const framings[] = { "len2", "len2_tpdu", "ascii4" };
    static struct meeting m;
    void *object = dlopen(CARD_ADAPTER, RTLD_NOW | RTLD_LOCAL);
    const struct rg_adapter *(*entry)(uint32_t) = NULL;
    assert_non_null(object);
    *(void **)&entry = dlsym(object, RG_ADAPTER_ENTRY);
    assert_non_null(entry);
    for (unsigned p = 0; p < 3; p++) {
        for (unsigned f = 0; f < 3; f++) {
            uint8_t key[16];
            memset(key, 0xAA, 8);
            memset(key + 8, 0xBB, 8);
            memset(&m, 0, sizeof m);
            m.adapter = entry(RG_ABI_MAJOR << 16);
            assert_non_null(m.adapter);
            m.instance = calloc(1, m.adapter->instance_size);
            m.exchange = calloc(1, m.adapter->exchange_size);
            tdes_key_set(&m.mac_key, key);
            configure(&m, packagings[p], p, framings[f], f);
            struct card_config config = { .seed = 7, .wall_offset_us = WALL };
            assert_int_equal(iso_packaging_parse(view_text(packagings[p]), &config.packaging),
                             STATUS_OK);
            assert_int_equal(iso_framing_parse(view_text(framings[f]), &config.framing), STATUS_OK);
            m.host = card_host_open(&config);
            assert_non_null(m.host);
            assert_int_equal(card_host_link_open(m.host, LINK, NOW), STATUS_OK);
            const struct card_totals *t = card_ledger_sums(card_host_ledger(m.host));
            link_is_made_ready(&m);
            money_moves(&m, t);
            what_is_unknown_is_undone(&m, t);
            answers_say_what_they_mean(&m, t);
            the_host_may_ask(&m);
            card_host_close(m.host);
            free(m.instance);
            free(m.exchange);
        }
    }
    dlclose(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(they_understand_each_other) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
