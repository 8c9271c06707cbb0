/* SPDX-License-Identifier: Apache-2.0
 *
 * test_card.c - the card adapter under many runs: answers cut and flipped at every byte, output
 * rooms of every size, inputs that go away, steps out of turn. What a single run says byte by byte
 * stands in adapters/card/transcripts. Test card numbers from published ranges.
 *
 * The host here signs with a hash of the bytes, so that a changed byte changes the signature as it
 * would with a real MAC.
 */
#include "card_int.h"
#include "kits/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 4200u
#define ROWS 32u

struct rooms {
    struct rg_out out;
    uint8_t *memory[16];
    unsigned count;
};

/* Which room is made small; the rest are as large as anybody needs. */
enum small_room {
    SMALL_NONE,
    SMALL_BYTES,
    SMALL_CORRELATION,
    SMALL_SIGN_KEY,
    SMALL_REFS_TEXT,
    SMALL_REFS_ROWS,
    SMALL_GRANTS,
    SMALL_REFERENCE,
    SMALL_RAIL_CODE,
    SMALL_MESSAGE,
    SMALL_DIAGNOSIS,
    SMALL_EXTRA,
    SMALL_COUNT,
};

static struct rg_buffer room_of(struct rooms *r, enum small_room which, enum small_room small,
                                uint64_t size)
{
    uint64_t room = which == small ? size : ROOM;
    uint8_t *memory = malloc(room > 0 ? room : 1);
    assert_non_null(memory);
    r->memory[r->count++] = memory;
    return (struct rg_buffer){ memory, room, 0, 0, 0 };
}

static void open_rooms(struct rooms *r, enum small_room small, uint64_t size)
{
    memset(r, 0, sizeof *r);
    r->out.size = sizeof r->out;
    r->out.bytes = room_of(r, SMALL_BYTES, small, size);
    r->out.correlation = room_of(r, SMALL_CORRELATION, small, size);
    r->out.sign_key = room_of(r, SMALL_SIGN_KEY, small, size);
    r->out.reference = room_of(r, SMALL_REFERENCE, small, size);
    r->out.rail_code = room_of(r, SMALL_RAIL_CODE, small, size);
    r->out.message = room_of(r, SMALL_MESSAGE, small, size);
    r->out.diagnosis = room_of(r, SMALL_DIAGNOSIS, small, size);
    r->out.refs.text = room_of(r, SMALL_REFS_TEXT, small, size);
    r->out.grants.text = room_of(r, SMALL_GRANTS, small, size);
    r->out.extra.text = room_of(r, SMALL_EXTRA, small, size);
    struct rg_table *tables[] = { &r->out.refs, &r->out.grants, &r->out.extra };
    for (unsigned i = 0; i < 3; i++) {
        tables[i]->room = i == 0 && small == SMALL_REFS_ROWS ? size : ROWS;
        tables[i]->rows = calloc(tables[i]->room + 1, sizeof(struct rg_named));
        assert_non_null(tables[i]->rows);
        r->memory[r->count++] = (uint8_t *)tables[i]->rows;
    }
}

static void close_rooms(struct rooms *r)
{
    for (unsigned i = 0; i < r->count; i++)
        free(r->memory[i]);
}

static uint32_t any_overflow(const struct rg_out *out)
{
    return out->bytes.overflow | out->correlation.overflow | out->sign_key.overflow |
           out->refs.text.overflow | out->grants.text.overflow | out->reference.overflow |
           out->rail_code.overflow | out->message.overflow | out->diagnosis.overflow |
           out->extra.text.overflow;
}

/* --- a channel ------------------------------------------------------------------------------- */

static struct rg_bytes text_of(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

static struct card_instance channel(const struct rg_adapter *adapter, int packaging, int framing,
                                    uint32_t with_keys)
{
    static struct card_instance card;
    struct rg_value values[SET_COUNT] = { 0 };
    char why[256];
    struct rg_diag diag = { sizeof diag, 0, 0, { (uint8_t *)why, sizeof why, 0, 0, 0 } };
    static const char *const texts[SET_COUNT] = {
        [SET_PACKAGING] = "x",
        [SET_FRAMING] = "x",
        [SET_TPDU] = "6000010002",
        [SET_TERMINAL_ID] = "TERM0001",
        [SET_MERCHANT_ID] = "MERCHANT1",
        [SET_MERCHANT_NAME_LOCATION] = "Test Shop",
        [SET_MERCHANT_CATEGORY] = "5411",
        [SET_ACQUIRER_ID] = "123456",
        [SET_FORWARDING_ID] = "99",
        [SET_COUNTRY] = "250",
        [SET_POS_CAPABILITY] = "pin",
        [SET_POS_CONDITION] = "0",
        [SET_MAC_KEY] = "host_mac",
        [SET_ZONE_KEY] = "host_zone",
    };
    for (unsigned i = 0; i < SET_COUNT; i++) {
        if (texts[i] == NULL || (with_keys == 0 && i >= SET_MAC_KEY))
            continue;
        values[i].present = 1;
        values[i].text = text_of(texts[i]);
        values[i].number = strtol(texts[i], NULL, 10);
    }
    values[SET_PACKAGING].number = packaging;
    values[SET_FRAMING].number = framing;
    assert_int_equal(adapter->configure(&card, values, &diag), 1);
    return card;
}

struct given {
    struct rg_command command;
    struct rg_named details[8];
};

static void add_detail(struct given *g, const char *name, const char *value)
{
    g->details[g->command.details_count++] =
        (struct rg_named){ text_of(name), text_of(value), 0, 0 };
}

/* A sale with a chip card; on the heap, so that it can be taken away. */
static struct given *chip_sale(int64_t amount_minor)
{
    struct given *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->command.size = sizeof g->command;
    g->command.operation = RG_OP_SALE;
    g->command.amount_minor = amount_minor;
    g->command.currency_number = 978;
    g->command.currency_exponent = 2;
    g->command.trace = 42;
    g->command.utc = (struct rg_civil){ 2026, 11, 22, 13, 14, 15 };
    g->command.local = (struct rg_civil){ 2026, 11, 22, 14, 14, 15 };
    g->command.details = g->details;
    add_detail(g, "entry", "chip");
    add_detail(g, "track2", "4111111111111111D30122010000012345");
    add_detail(g, "emv",
               "9F36020001"
               "9F2608A1B2C3D4E5F60718");
    add_detail(g, "pin_block", "041274EDCBA9876F");
    return g;
}

/* FNV-1a; not a MAC, but it covers every byte. */
static void hash(const uint8_t *bytes, uint64_t len, uint8_t mac[8])
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (uint64_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    for (unsigned i = 0; i < 8; i++)
        mac[i] = (uint8_t)(sum >> 8 * i);
}

static uint32_t resume_with(const struct rg_adapter *adapter, const struct card_instance *card,
                            void *exchange, uint32_t kind, const uint8_t *bytes, uint64_t len,
                            struct rooms *r)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    struct rg_event event = { .size = sizeof event, .kind = kind, .bytes = { copy, len } };
    uint32_t step = adapter->resume(card, exchange, &event, &r->out);
    free(copy);
    return step;
}

/* Begins and carries on until the request is sent (or something else happens). */
static uint32_t to_sent(const struct rg_adapter *adapter, const struct card_instance *card,
                        struct card_exchange *x, struct given *g, struct rooms *r)
{
    open_rooms(r, SMALL_NONE, 0);
    uint32_t step = adapter->begin(card, x, &g->command, &r->out);
    memset(g, 0xA5, sizeof *g); /* nothing of the command may be needed again */
    free(g);
    if (step != RG_STEP_SIGN)
        return step;
    uint8_t mac[8];
    hash(r->out.bytes.ptr, r->out.bytes.len, mac);
    close_rooms(r);
    open_rooms(r, SMALL_NONE, 0);
    return resume_with(adapter, card, x, RG_EVENT_SIGNED, mac, sizeof mac, r);
}

/* Gives an answer, and the signature if one is asked for; the last step. */
static uint32_t answer(const struct rg_adapter *adapter, const struct card_instance *card,
                       struct card_exchange *x, const uint8_t *bytes, uint64_t len, struct rooms *r)
{
    open_rooms(r, SMALL_NONE, 0);
    uint32_t step = resume_with(adapter, card, x, RG_EVENT_REPLY, bytes, len, r);
    if (step != RG_STEP_SIGN)
        return step;
    uint8_t mac[8];
    hash(r->out.bytes.ptr, r->out.bytes.len, mac);
    close_rooms(r);
    open_rooms(r, SMALL_NONE, 0);
    return resume_with(adapter, card, x, RG_EVENT_SIGNED, mac, sizeof mac, r);
}

/* The answer of a card host to the request in x: approved, framed, with a MAC if the channel has.
 */
static uint64_t good_answer(const struct card_instance *card, const struct card_exchange *x,
                            uint8_t room[ROOM])
{
    static const unsigned echoed[] = { 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49 };
    struct iso_message request, m;
    uint8_t packed[ISO_MESSAGE_MAX];
    struct rg_buffer body = { packed, sizeof packed, 0, 0, 0 };
    struct rg_buffer frame = { room, ROOM, 0, 0, 0 };
    assert_int_equal(iso_unpack(&card->packaging, x->message, x->message_len, &request), ISO_OK);
    iso_message_init(&m, x->shape->mti_answer);
    for (unsigned i = 0; i < sizeof echoed / sizeof echoed[0]; i++) {
        struct rg_bytes value = iso_get(&request, echoed[i]);
        iso_set(&m, echoed[i], value.ptr, value.len);
    }
    iso_set_text(&m, 38, "ABC123");
    iso_set_text(&m, 39, "00");
    iso_set(&m, 55, "\x8A\x02\x30\x30", 4);
    if (card->has_mac_key != 0) {
        uint8_t mac[8];
        assert_int_equal(iso_pack_before_mac(&card->packaging, &m, &body), ISO_OK);
        hash(packed, body.len, mac);
        assert_int_equal(iso_pack_mac(&card->packaging, &m, mac, &body), ISO_OK);
    } else {
        assert_int_equal(iso_pack(&card->packaging, &m, &body), ISO_OK);
    }
    card_put_header(card, card->tpdu, body.len, &frame);
    rg_put(&frame, packed, body.len);
    return frame.len;
}

/* --- tests ----------------------------------------------------------------------------------- */

static struct card_exchange sent;
static struct card_exchange trial;

static void ready(const struct rg_adapter *adapter, const struct card_instance *card)
{
    struct rooms r;
    assert_int_equal(to_sent(adapter, card, &sent, chip_sale(1000), &r), RG_STEP_SEND);
    close_rooms(&r);
}

static void a_good_answer_is_approved_on_every_line(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    for (int packaging = 0; packaging < 3; packaging++) {
        for (int framing = 0; framing < 3; framing++) {
            for (uint32_t keys = 0; keys < 2; keys++) {
                struct card_instance card = channel(adapter, packaging, framing, keys);
                uint8_t bytes[ROOM];
                struct rooms r;
                ready(adapter, &card);
                uint64_t len = good_answer(&card, &sent, bytes);
                assert_int_equal(answer(adapter, &card, &sent, bytes, len, &r), RG_STEP_DONE);
                assert_int_equal(r.out.outcome, RG_OUTCOME_APPROVED);
                assert_int_equal(r.out.amount_minor, 1000);
                assert_int_equal(r.out.currency_number, 978);
                assert_int_equal(any_overflow(&r.out), 0);
                close_rooms(&r);
                /* A step after DONE is refused. */
                open_rooms(&r, SMALL_NONE, 0);
                assert_int_equal(resume_with(adapter, &card, &sent, RG_EVENT_REPLY, bytes, len, &r),
                                 RG_STEP_FAIL);
                close_rooms(&r);
            }
        }
    }
}

static void no_cut_answer_is_approved(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    for (int packaging = 0; packaging < 3; packaging++) {
        struct card_instance card = channel(adapter, packaging, 0, 1);
        uint8_t bytes[ROOM];
        ready(adapter, &card);
        uint64_t len = good_answer(&card, &sent, bytes);
        for (uint64_t cut = 0; cut < len; cut++) {
            /* As it is, and with a length that agrees. */
            for (unsigned agrees = 0; agrees < (cut >= 2 ? 2u : 1u); agrees++) {
                struct rooms r;
                uint8_t head[2] = { bytes[0], bytes[1] };
                if (agrees != 0) {
                    bytes[0] = (uint8_t)((cut - 2) >> 8);
                    bytes[1] = (uint8_t)(cut - 2);
                }
                trial = sent;
                assert_int_equal(answer(adapter, &card, &trial, bytes, cut, &r), RG_STEP_FAIL);
                assert_true(r.out.diagnosis.len > 0);
                close_rooms(&r);
                memcpy(bytes, head, 2);
                /* frame() needs more, and says how much once it can. */
                struct rg_bytes in = { bytes, cut };
                uint8_t key[64];
                struct rg_frame frame = { .size = sizeof frame,
                                          .correlation = { key, sizeof key, 0, 0, 0 } };
                assert_int_equal(adapter->frame(&card, &in, &frame), RG_FRAME_NEED);
                assert_int_equal(frame.length, cut < 2 ? 0 : len);
            }
        }
    }
}

static void no_flipped_answer_is_approved(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    for (int packaging = 0; packaging < 3; packaging++) {
        struct card_instance card = channel(adapter, packaging, 1, 1);
        uint8_t bytes[ROOM];
        ready(adapter, &card);
        uint64_t len = good_answer(&card, &sent, bytes);
        for (uint64_t at = 0; at < len; at++) {
            for (unsigned flip = 1; flip < 256; flip += flip < 8 ? 1 : 7) {
                struct rooms r;
                bytes[at] ^= (uint8_t)flip;
                trial = sent;
                uint32_t step = answer(adapter, &card, &trial, bytes, len, &r);
                bytes[at] ^= (uint8_t)flip;
                assert_int_equal(step, RG_STEP_FAIL);
                close_rooms(&r);
            }
        }
    }
}

/* Without a MAC a flip may well be believed, but it must not crash and must be one of the outcomes.
 */
static void flips_without_a_mac_do_no_harm(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    struct card_instance card = channel(adapter, 1, 2, 0);
    uint8_t bytes[ROOM];
    ready(adapter, &card);
    uint64_t len = good_answer(&card, &sent, bytes);
    for (uint64_t at = 0; at < len; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct rooms r;
            bytes[at] ^= (uint8_t)flip;
            trial = sent;
            uint32_t step = answer(adapter, &card, &trial, bytes, len, &r);
            bytes[at] ^= (uint8_t)flip;
            if (step == RG_STEP_DONE)
                assert_in_range(r.out.outcome, RG_OUTCOME_APPROVED, RG_OUTCOME_NOT_FOUND);
            else
                assert_int_equal(step, RG_STEP_FAIL);
            close_rooms(&r);
        }
    }
}

/* Every room at every size up to enough, in each of the steps. Either it was enough, or the step is
 * FAIL or a room has latched. */
static void small_rooms_are_noticed(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    struct card_instance card = channel(adapter, 0, 0, 1);
    for (unsigned small = SMALL_BYTES; small < SMALL_COUNT; small++) {
        for (uint64_t size = 0; size < 600; size++) {
            struct rooms r;
            uint8_t mac[8];
            uint8_t bytes[ROOM];
            struct given *g = chip_sale(1000);
            open_rooms(&r, (enum small_room)small, size);
            uint32_t step = adapter->begin(&card, &trial, &g->command, &r.out);
            free(g);
            if (step == RG_STEP_SIGN) {
                hash(r.out.bytes.ptr, r.out.bytes.len, mac);
                assert_int_equal(any_overflow(&r.out), 0);
                close_rooms(&r);
                open_rooms(&r, (enum small_room)small, size);
                step = resume_with(adapter, &card, &trial, RG_EVENT_SIGNED, mac, 8, &r);
            }
            if (step == RG_STEP_SEND) {
                assert_int_equal(any_overflow(&r.out), 0);
                close_rooms(&r);
                uint64_t len = good_answer(&card, &trial, bytes);
                open_rooms(&r, (enum small_room)small, size);
                step = resume_with(adapter, &card, &trial, RG_EVENT_REPLY, bytes, len, &r);
            }
            if (step == RG_STEP_SIGN) {
                hash(r.out.bytes.ptr, r.out.bytes.len, mac);
                close_rooms(&r);
                open_rooms(&r, (enum small_room)small, size);
                step = resume_with(adapter, &card, &trial, RG_EVENT_SIGNED, mac, 8, &r);
            }
            assert_true(step == RG_STEP_FAIL ||
                        (step == RG_STEP_DONE && any_overflow(&r.out) == 0));
            close_rooms(&r);
        }
    }
}

static void amounts_have_their_ends(void **state)
{
    (void)state;
    static const struct {
        int64_t amount_minor;
        uint32_t step;
    } rows[] = {
        { INT64_MIN, RG_STEP_FAIL },
        { -1, RG_STEP_FAIL },
        { 0, RG_STEP_FAIL },
        { 1, RG_STEP_SEND },
        { INT64_C(999999999999), RG_STEP_SEND },
        { INT64_C(1000000000000), RG_STEP_FAIL },
        { INT64_C(9007199254740993), RG_STEP_FAIL },
        { INT64_MAX, RG_STEP_FAIL },
    };
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    struct card_instance card = channel(adapter, 1, 0, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t exponent = 0; exponent <= 4; exponent++) {
            struct rooms r;
            struct given *g = chip_sale(rows[i].amount_minor);
            g->command.currency_exponent = exponent;
            assert_int_equal(to_sent(adapter, &card, &trial, g, &r), rows[i].step);
            close_rooms(&r);
        }
    }
}

static void operations_that_are_not_able_fail(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    struct card_instance card = channel(adapter, 0, 0, 1);
    for (uint32_t operation = 0; operation < 20; operation++) {
        uint32_t able = 0;
        for (uint64_t i = 0; i < adapter->abilities_count; i++)
            if (adapter->abilities[i].operation == operation)
                able = 1;
        assert_int_equal(able, card_shape_of(operation) != NULL);
        if (able != 0)
            continue;
        struct rooms r;
        struct given *g = chip_sale(1000);
        g->command.operation = operation;
        assert_int_equal(to_sent(adapter, &card, &trial, g, &r), RG_STEP_FAIL);
        close_rooms(&r);
    }
    assert_null(rg_adapter_get((RG_ABI_MAJOR + 1) << 16));
}

static void an_exchange_that_was_not_begun_fails(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    struct card_instance card = channel(adapter, 0, 0, 1);
    struct card_instance zero = { 0 };
    struct rooms r;
    memset(&trial, 0, sizeof trial);
    open_rooms(&r, SMALL_NONE, 0);
    assert_int_equal(resume_with(adapter, &card, &trial, RG_EVENT_REPLY, NULL, 0, &r),
                     RG_STEP_FAIL);
    close_rooms(&r);
    open_rooms(&r, SMALL_NONE, 0);
    struct given *g = chip_sale(1000);
    assert_int_equal(adapter->begin(&zero, &trial, &g->command, &r.out), RG_STEP_FAIL);
    free(g);
    close_rooms(&r);
}

/* What may read as "the money moved" is a closed list; it must not grow by accident. */
static void approvals_are_a_closed_list(void **state)
{
    (void)state;
    static const char approvals[] = "00 08 11 16 85 ";
    const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *a = letters; *a != '\0'; a++) {
        for (const char *b = letters; *b != '\0'; b++) {
            const char text[] = { *a, *b, ' ', '\0' };
            const struct card_code *code =
                card_code_of((struct rg_bytes){ (const uint8_t *)text, 2 });
            uint32_t approved = strstr(approvals, text) != NULL;
            assert_int_equal(code->request == VERDICT_APPROVED, approved);
            assert_int_equal(code->capture == VERDICT_APPROVED, approved);
            assert_int_equal(code->reversal == VERDICT_APPROVED, approved);
            assert_int_equal(code->request == VERDICT_PARTIAL, strcmp(text, "10 ") == 0);
            assert_int_not_equal(code->capture, VERDICT_PARTIAL);
            assert_int_not_equal(code->reversal, VERDICT_PARTIAL);
            assert_int_equal(code->category == RG_CATEGORY_NONE,
                             approved || strcmp(text, "10 ") == 0);
            if (code->code[0] == '\0') {
                assert_int_equal(code->request, VERDICT_DECLINED);
                assert_int_equal(code->capture, VERDICT_OPEN);
                assert_int_equal(code->reversal, VERDICT_OPEN);
            }
        }
    }
}

static void settings_and_limits_hold(void **state)
{
    (void)state;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16 | RG_ABI_MINOR);
    assert_int_equal(adapter->magic, RG_ABI_MAGIC);
    assert_true(adapter->settings_count <= 64 && adapter->abilities_count <= 16);
    assert_true(adapter->instance_size <= 1u << 20 && adapter->exchange_size <= 64u << 10);
    for (uint64_t i = 0; i < adapter->settings_count; i++) {
        assert_int_equal(adapter->settings[i].size, sizeof(struct rg_setting));
        assert_non_null(adapter->settings[i].name);
        assert_non_null(adapter->settings[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_is_approved_on_every_line),
        cmocka_unit_test(no_cut_answer_is_approved),
        cmocka_unit_test(no_flipped_answer_is_approved),
        cmocka_unit_test(flips_without_a_mac_do_no_harm),
        cmocka_unit_test(small_rooms_are_noticed),
        cmocka_unit_test(amounts_have_their_ends),
        cmocka_unit_test(operations_that_are_not_able_fail),
        cmocka_unit_test(an_exchange_that_was_not_begun_fails),
        cmocka_unit_test(approvals_are_a_closed_list),
        cmocka_unit_test(settings_and_limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
