/* test_book.c - stories of money: what is asked, what the host answers, what the books say then.
 * Card numbers are test card numbers from published ranges. */
#include "gateway.h"

#include "base/ensure.h"
#include "card/emv.h"

#define VISA    "4111111111111111"
#define PREPAID "5105105105105100" /* 100.00 on it */

static int start(void **state)
{
    static struct gateway g;
    gateway_open(&g, ISO_ASCII, FRAMING_LEN2);
    gateway_sign_on(&g);
    *state = &g;
    return 0;
}

static int stop(void **state)
{
    gateway_close(*state);
    return 0;
}

static int64_t spent(struct gateway *g, const char *pan)
{
    const struct card_account *a = gateway_account(g, pan);
    return a->opening_minor - a->balance_minor;
}

static void sale(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 1250);
    gateway_expect(g, &m, "00");
    assert_int_equal(iso_msg_get(&g->answer, 38).len, 6);
    assert_true(view_equal(iso_msg_get(&g->answer, 4), iso_msg_get(&m, 4)));
    assert_false(iso_msg_has(&g->answer, 2));
    assert_int_equal(spent(g, VISA), 1250);
    const struct card_entry *e = gateway_entry(g, 1);
    assert_int_equal(e->kind, CARD_ENTRY_SALE);
    assert_int_equal(e->state, CARD_STATE_BOOKED);
    assert_int_equal(e->booked, 1);
}

static void the_same_in_every_packaging(void **state)
{
    (void)state;
    for (int p = ISO_ASCII; p <= ISO_BINARY; p++) {
        for (int f = FRAMING_LEN2; f <= FRAMING_ASCII4; f++) {
            struct gateway g;
            struct iso_msg m;
            gateway_open(&g, (enum iso_packaging)p, (enum iso_framing)f);
            gateway_sign_on(&g);
            gateway_build(&g, &m, "0100", "378282246310005", 777);
            iso_msg_put(&m, 35, VIEW("378282246310005=2812101"));
            gateway_expect(&g, &m, "00");
            assert_int_equal(gateway_account(&g, "378282246310005")->held_minor, 777);
            gateway_close(&g);
        }
    }
}

/* 0100, then captures up to the amount and not beyond, then refunds of a capture. */
static void captures_and_refunds(void **state)
{
    struct gateway *g = *state;
    struct iso_msg auth, cap, cap2, ref;
    gateway_build(g, &auth, "0100", VISA, 10000);
    gateway_expect(g, &auth, "00");
    gateway_build(g, &cap, "0220", VISA, 6000);
    gateway_refer(&cap, &auth);
    gateway_expect(g, &cap, "00");
    gateway_build(g, &cap2, "0220", VISA, 4001);
    gateway_refer(&cap2, &auth);
    gateway_expect(g, &cap2, "13");
    gateway_build(g, &cap2, "0220", VISA, 4000);
    gateway_refer(&cap2, &auth);
    gateway_expect(g, &cap2, "00");
    assert_int_equal(spent(g, VISA), 10000);
    assert_int_equal(gateway_account(g, VISA)->held_minor, 0);

    gateway_build(g, &ref, "0200", VISA, 6001);
    iso_msg_put(&ref, 3, VIEW("200000"));
    gateway_refer(&ref, &cap);
    gateway_expect(g, &ref, "13");
    gateway_build(g, &ref, "0200", VISA, 6000);
    iso_msg_put(&ref, 3, VIEW("200000"));
    gateway_refer(&ref, &cap);
    gateway_expect(g, &ref, "00");
    /* The authorisation has 4000 left to refund. */
    gateway_build(g, &ref, "0200", VISA, 4001);
    iso_msg_put(&ref, 3, VIEW("200000"));
    gateway_refer(&ref, &auth);
    gateway_expect(g, &ref, "13");
    gateway_build(g, &ref, "0200", VISA, 4000);
    iso_msg_put(&ref, 3, VIEW("200000"));
    gateway_refer(&ref, &auth);
    gateway_expect(g, &ref, "00");
    assert_int_equal(spent(g, VISA), 0);
    assert_int_equal(card_ledger_sums(card_host_ledger(g->host))->charged_minor, 0);
}

static void a_repeat_is_answered_and_not_booked(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, auth, again;
    gateway_build(g, &m, "0200", VISA, 500);
    gateway_expect(g, &m, "00");
    uint8_t code[6];
    memcpy(code, iso_msg_get(&g->answer, 38).ptr, 6);
    gateway_expect(g, &m, "00");
    assert_memory_equal(code, iso_msg_get(&g->answer, 38).ptr, 6);
    assert_int_equal(spent(g, VISA), 500);
    assert_int_equal(gateway_entry(g, 1)->arrivals, 2);
    assert_int_equal(gateway_entry(g, 1)->booked, 1);

    gateway_build(g, &auth, "0100", VISA, 1000);
    gateway_expect(g, &auth, "00");
    gateway_build(g, &again, "0220", VISA, 300);
    gateway_refer(&again, &auth);
    gateway_expect(g, &again, "00");
    memcpy(again.mti, "0221", 5);
    gateway_expect(g, &again, "00");
    assert_int_equal(spent(g, VISA), 800);
    gateway_set(g, "{\"settings\":{\"repeat_answer\":\"94\"}}");
    gateway_expect(g, &again, "94");
    assert_int_equal(spent(g, VISA), 800);
    /* The same STAN with another amount is no repeat. */
    gateway_set(g, "{\"settings\":{\"repeat_answer\":\"same\"}}");
    iso_msg_put_number(&again, 4, 301);
    gateway_expect(g, &again, "94");
    assert_int_equal(spent(g, VISA), 800);
}

static void reversal_gives_back_once(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, rev, rev2;
    gateway_build(g, &m, "0200", VISA, 900);
    gateway_expect(g, &m, "00");
    gateway_build(g, &rev, "0420", VISA, 900);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g, VISA), 0);
    memcpy(rev.mti, "0421", 5);
    gateway_expect(g, &rev, "00");
    gateway_build(g, &rev2, "0400", VISA, 900);
    gateway_refer(&rev2, &m);
    gateway_expect(g, &rev2, "00");
    assert_int_equal(spent(g, VISA), 0);
    assert_int_equal(gateway_entry(g, 1)->state, CARD_STATE_REVERSED);
    assert_int_equal(gateway_entry(g, 1)->reversals, 1);
    assert_int_equal(gateway_entry(g, 3)->state, CARD_STATE_NO_EFFECT);
}

static void reversal_before_its_original(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, rev;
    gateway_build(g, &m, "0200", VISA, 900);
    gateway_build(g, &rev, "0420", VISA, 900);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "25");
    gateway_expect(g, &m, "94");
    assert_int_equal(spent(g, VISA), 0);
    gateway_expect(g, &m, "94");
    memcpy(rev.mti, "0421", 5);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g, VISA), 0);
}

/* A host that books late originals all the same: the repeated reversal then finds it. */
static void late_original_is_booked_when_told(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, rev;
    gateway_set(g, "{\"settings\":{\"late_original\":\"book\"}}");
    gateway_build(g, &m, "0200", VISA, 900);
    gateway_build(g, &rev, "0420", VISA, 900);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "25");
    gateway_expect(g, &m, "00");
    assert_int_equal(spent(g, VISA), 900);
    memcpy(rev.mti, "0421", 5);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g, VISA), 0);
}

/* 100.00 held, 30.00 captured, the rest cancelled: the example of card-wire.md. */
static void cancel_of_a_part(void **state)
{
    struct gateway *g = *state;
    struct iso_msg auth, cap, cancel;
    gateway_build(g, &auth, "0100", VISA, 10000);
    gateway_expect(g, &auth, "00");
    gateway_build(g, &cap, "0220", VISA, 3000);
    gateway_refer(&cap, &auth);
    gateway_expect(g, &cap, "00");
    gateway_build(g, &cancel, "0400", VISA, 10000);
    gateway_refer(&cancel, &auth);
    gateway_expect(g, &cancel, "12"); /* not all of it */
    gateway_build(g, &cancel, "0400", VISA, 10000);
    gateway_refer(&cancel, &auth);
    iso_msg_put(&cancel, 95, VIEW("000000003000000000000000C00000000C00000000"));
    gateway_expect(g, &cancel, "00");
    assert_int_equal(gateway_account(g, VISA)->held_minor, 0);
    assert_int_equal(spent(g, VISA), 3000);
    gateway_build(g, &cap, "0220", VISA, 1);
    gateway_refer(&cap, &auth);
    gateway_expect(g, &cap, "13");
}

static void reversal_of_a_capture_and_of_a_refund(void **state)
{
    struct gateway *g = *state;
    struct iso_msg auth, cap, ref, rev;
    gateway_build(g, &auth, "0100", VISA, 1000);
    gateway_expect(g, &auth, "00");
    gateway_build(g, &cap, "0220", VISA, 1000);
    gateway_refer(&cap, &auth);
    gateway_expect(g, &cap, "00");
    gateway_build(g, &ref, "0200", VISA, 400);
    iso_msg_put(&ref, 3, VIEW("200000"));
    gateway_refer(&ref, &cap);
    gateway_expect(g, &ref, "00");
    gateway_build(g, &rev, "0420", VISA, 1000);
    gateway_refer(&rev, &cap);
    gateway_expect(g, &rev, "12"); /* a part was refunded */
    gateway_build(g, &rev, "0420", VISA, 400);
    gateway_refer(&rev, &ref);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g, VISA), 1000);
    gateway_build(g, &rev, "0420", VISA, 1000);
    gateway_refer(&rev, &cap);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g, VISA), 0);
    assert_int_equal(gateway_account(g, VISA)->held_minor, 1000);
}

static void what_the_issuer_refuses(void **state)
{
    struct gateway *g = *state;
    static const struct {
        const char *pan;
        int64_t amount_minor;
        unsigned field;
        const char *value, *code;
    } CASES[] = {
        { "4111111111111112", 100, 0, NULL, "14" }, /* check digit */
        { "8888888888888888", 100, 0, NULL, "15" }, /* no scheme */
        { "4444333322221111", 100, 0, NULL, "14" }, /* not one of ours */
        { VISA, 100, 14, "2610", "54" },
        { VISA, 100, 14, "2611", "00" },
        { VISA, 100, 48, "9203123", "00" },
        { VISA, 100, 48, "9203124", "82" },
        { VISA, 100, 48, "92", "30" },
        { VISA, 9051, 0, NULL, "51" },
        { VISA, 1909051, 0, NULL, "51" },
        { VISA, 9005, 0, NULL, "05" },
        { VISA, 9099, 0, NULL, "00" }, /* not in the table */
        { "4012888888881881", 50000, 0, NULL, "00" },
        { "4012888888881881", 50001, 0, NULL, "61" },
        { PREPAID, 10001, 0, NULL, "51" },
        { PREPAID, 10000, 0, NULL, "00" },
        { PREPAID, 1, 0, NULL, "51" },
        { "4000000000000069", 100, 0, NULL, "54" },
        { VISA, 0, 0, NULL, "13" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct iso_msg m;
        gateway_build(g, &m, "0100", CASES[i].pan, CASES[i].amount_minor);
        if (CASES[i].field != 0)
            iso_msg_put(&m, CASES[i].field, view_text(CASES[i].value));
        gateway_expect(g, &m, CASES[i].code);
    }
}

static void partial_approval(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 9010);
    gateway_expect(g, &m, "10");
    assert_true(view_is(iso_msg_get(&g->answer, 4), "000000004505"));
    assert_int_equal(spent(g, VISA), 4505);
}

/* PIN block format 0 under the test PIN key: three wrong ones block the PIN, not the card. */
static void pins(void **state)
{
    struct gateway *g = *state;
    static const uint8_t PIN_KEY[16] = { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                         0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22 };
    /* 04 1234 FF.. and 04 1235 FF.. xor 0000 111111111111 */
    static const uint8_t RIGHT[8] = { 0x04, 0x12, 0x25, 0xee, 0xee, 0xee, 0xee, 0xee };
    static const uint8_t WRONG[8] = { 0x04, 0x12, 0x24, 0xee, 0xee, 0xee, 0xee, 0xee };
    struct tdes_key key;
    uint8_t block[8];
    tdes_key_set(&key, PIN_KEY);
    static const struct {
        const uint8_t *clear;
        const char *code;
    } ROUNDS[] = { { RIGHT, "00" }, { WRONG, "55" }, { RIGHT, "00" }, { WRONG, "55" },
                   { WRONG, "55" }, { WRONG, "75" }, { RIGHT, "75" } };
    for (size_t i = 0; i < COUNT_OF(ROUNDS); i++) {
        struct iso_msg m;
        gateway_build(g, &m, "0200", VISA, 100);
        tdes_encrypt(&key, ROUNDS[i].clear, block);
        iso_msg_put(&m, 52, view_of(block, 8));
        gateway_expect(g, &m, ROUNDS[i].code);
    }
    struct iso_msg m;
    gateway_build(g, &m, "0200", "4242424242424242", 100);
    iso_msg_put(&m, 52, view_of("whatever", 8));
    gateway_expect(g, &m, "86");
}

static size_t chip(struct iso_msg *m, uint16_t atc, bool right)
{
    static const uint8_t HEAD[] = {
        0x9f, 0x02, 6,    0,    0,    0,    0,    0x01, 0x00, 0x9f, 0x03, 6, 0, 0,    0,    0, 0,
        0,    0x9f, 0x1a, 2,    2,    0x80, 0x95, 5,    0,    0,    0,    0, 0, 0x5f, 0x2a, 2, 0x09,
        0x78, 0x9a, 3,    0x26, 0x11, 0x22, 0x9c, 1,    0,    0x9f, 0x37, 4, 1, 2,    3,    4, 0x82,
        2,    0x18, 0,    0x9f, 0x10, 7,    6,    1,    0x0a, 3,    0xa0, 0, 0, 0x9f, 0x36, 2
    };
    static const uint8_t IMK[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                     0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
    struct tdes_key imk, mk;
    struct emv_data data;
    uint8_t tlv[128], arqc[8];
    struct writer w = writer_over(tlv, sizeof tlv);
    writer_bytes(&w, HEAD, sizeof HEAD);
    writer_u16_be(&w, atc);
    tdes_key_set(&imk, IMK);
    emv_master_key(&imk, VIEW(VISA), 1, &mk);
    assert_int_equal(emv_read(writer_done(&w), &data), STATUS_OK);
    assert_int_equal(emv_arqc(&mk, &data, arqc), EMV_GOOD);
    arqc[7] ^= right ? 0 : 1;
    writer_bytes(&w, "\x9f\x26\x08", 3);
    writer_bytes(&w, arqc, 8);
    iso_msg_put(m, 23, VIEW("001"));
    iso_msg_put(m, 55, writer_done(&w));
    return w.len;
}

static void chip_cards(void **state)
{
    struct gateway *g = *state;
    static const struct {
        uint16_t atc;
        bool right;
        const char *code;
    } ROUNDS[] = { { 10, true, "00" }, { 10, true, "59" },  { 12, true, "00" },
                   { 11, true, "00" }, { 11, true, "59" },  { 13, false, "82" },
                   { 13, true, "00" }, { 200, true, "00" }, { 100, true, "59" } };
    for (size_t i = 0; i < COUNT_OF(ROUNDS); i++) {
        struct iso_msg m;
        gateway_build(g, &m, "0200", VISA, 100);
        (void)chip(&m, ROUNDS[i].atc, ROUNDS[i].right);
        gateway_expect(g, &m, ROUNDS[i].code);
        struct view de55 = iso_msg_get(&g->answer, 55);
        if (!ROUNDS[i].right) {
            assert_int_equal(de55.len, 0);
            continue;
        }
        /* 91: ARPC and response code; 8A: response code */
        assert_int_equal(de55.len, 16);
        assert_int_equal(de55.ptr[0], 0x91);
        assert_memory_equal(de55.ptr + 10, ROUNDS[i].code, 2);
        assert_memory_equal(de55.ptr + 12, "\x8a\x02", 2);
        assert_memory_equal(de55.ptr + 14, ROUNDS[i].code, 2);
    }
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 100);
    iso_msg_put(&m, 55, view_of("\x9f\x26\x08\x01", 4));
    gateway_expect(g, &m, "30");
}

/* The ledger holds 64: what was forgotten is unknown, totals go on. */
static void a_full_ledger_forgets_the_oldest(void **state)
{
    struct gateway *g = *state;
    struct iso_msg first, m, rev;
    gateway_build(g, &first, "0200", VISA, 100);
    gateway_expect(g, &first, "00");
    for (unsigned i = 0; i < 200; i++) {
        gateway_build(g, &m, "0200", VISA, 100);
        gateway_expect(g, &m, "00");
    }
    const struct card_ledger *l = card_host_ledger(g->host);
    assert_int_equal(card_ledger_forgotten(l), 201 - 64);
    assert_null(card_ledger_get(l, 1));
    assert_int_equal(card_ledger_sums(l)->sales, 201);
    gateway_build(g, &rev, "0420", VISA, 100);
    gateway_refer(&rev, &first);
    gateway_expect(g, &rev, "25");
    gateway_build(g, &rev, "0420", VISA, 100);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "00");
    /* The original is the very entry that the reversal pushes out. */
    const struct card_entry *oldest = card_ledger_get(l, card_ledger_first(l));
    gateway_build(g, &m, "0200", VISA, 100);
    iso_msg_put(&m, 11, view_of(oldest->id.text, 6));
    gateway_build(g, &rev, "0420", VISA, 100);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "25");
    assert_int_equal(spent(g, VISA), 20000);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(sale),
        cmocka_unit_test(the_same_in_every_packaging),
        STORY(captures_and_refunds),
        STORY(a_repeat_is_answered_and_not_booked),
        STORY(reversal_gives_back_once),
        STORY(reversal_before_its_original),
        STORY(late_original_is_booked_when_told),
        STORY(cancel_of_a_part),
        STORY(reversal_of_a_capture_and_of_a_refund),
        STORY(what_the_issuer_refuses),
        STORY(partial_approval),
        STORY(pins),
        STORY(chip_cards),
        STORY(a_full_ledger_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
