/* test_codec.c - the simulator's ISO 8583 codec: messages written out by hand, every truncation,
 * framings. Card numbers are test card numbers from published ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "card/iso_frame.h"
#include "card/iso_msg.h"

static void build(struct iso_msg *m)
{
    iso_msg_init(m, "0200");
    iso_msg_put(m, 2, VIEW("4111111111111111"));
    iso_msg_put(m, 3, VIEW("000000"));
    iso_msg_put_number(m, 4, 1250);
    iso_msg_put(m, 11, VIEW("000042"));
    iso_msg_put(m, 22, VIEW("051"));
    iso_msg_put(m, 35, VIEW("4111111111111111=2812101"));
    iso_msg_put(m, 41, VIEW("T1"));
    iso_msg_put(m, 55, view_of("\x9f\x36\x02\x00\x1c", 5));
    iso_msg_put(m, 64, view_of("\1\2\3\4\5\6\7\x08", 8));
    assert_false(m->overflow);
}

/* Bits 2 3 4 11 22 35 41 55 64: 70 20 04 00 20 80 02 01. */
static const char ASCII_TEXT[] = "0200"
                                 "7020040020800201"
                                 "164111111111111111"
                                 "000000"
                                 "000000001250"
                                 "000042"
                                 "051"
                                 "244111111111111111=2812101"
                                 "T1      "
                                 "0059F3602001C"
                                 "0102030405060708";
static const char BCD_HEX[] = "0200"
                              "7020040020800201"
                              "164111111111111111"
                              "000000"
                              "000000001250"
                              "000042"
                              "0051"
                              "244111111111111111D2812101"
                              "5431202020202020"
                              "00059F3602001C"
                              "0102030405060708";

static void ascii_is_what_the_contract_says(void **state)
{
    (void)state;
    struct iso_msg m, back;
    uint8_t out[512];
    size_t mac_at = 0;
    unsigned fault;
    build(&m);
    struct writer w = writer_over(out, sizeof out);
    assert_int_equal(iso_msg_encode(&m, ISO_ASCII, &w, &mac_at), STATUS_OK);
    assert_int_equal(w.len, strlen(ASCII_TEXT));
    assert_memory_equal(out, ASCII_TEXT, w.len);
    assert_int_equal(mac_at, w.len - 16);
    assert_int_equal(iso_msg_decode(writer_done(&w), ISO_ASCII, &back, &fault, &mac_at), STATUS_OK);
    assert_int_equal(mac_at, w.len - 16);
    assert_true(view_is(iso_msg_get(&back, 41), "T1      "));
    assert_int_equal(iso_msg_get(&back, 55).len, 5);
    assert_false(iso_msg_has(&back, 7));
}

static void bcd_is_what_the_contract_says(void **state)
{
    (void)state;
    struct iso_msg m, back;
    uint8_t out[512], expected[512];
    size_t mac_at = 0, expected_len = 0;
    unsigned fault;
    build(&m);
    struct writer w = writer_over(out, sizeof out);
    assert_int_equal(iso_msg_encode(&m, ISO_BCD, &w, &mac_at), STATUS_OK);
    assert_int_equal(hex_decode(view_text(BCD_HEX), expected, sizeof expected, &expected_len),
                     STATUS_OK);
    assert_int_equal(w.len, expected_len);
    assert_memory_equal(out, expected, expected_len);
    assert_int_equal(iso_msg_decode(writer_done(&w), ISO_BCD, &back, &fault, &mac_at), STATUS_OK);
    assert_true(view_is(iso_msg_get(&back, 22), "051"));
    assert_true(view_is(iso_msg_get(&back, 35), "4111111111111111=2812101"));
}

/* Odd digits: 15-digit PAN gets a nibble 0 in front, track 2 of odd length a nibble F behind. */
static void bcd_odd_lengths(void **state)
{
    (void)state;
    struct iso_msg m;
    size_t mac_at;
    unsigned fault;
    uint8_t bytes[64];
    size_t len = 0;
    assert_int_equal(hex_decode(VIEW("0100400000002000000015037828224631000515378282246310005F"),
                                bytes, sizeof bytes, &len),
                     STATUS_OK);
    assert_int_equal(iso_msg_decode(view_of(bytes, len), ISO_BCD, &m, &fault, &mac_at), STATUS_OK);
    assert_true(view_is(iso_msg_get(&m, 2), "378282246310005"));
    assert_true(view_is(iso_msg_get(&m, 35), "378282246310005"));
    bytes[len - 1] = 0x50; /* filler must be F */
    assert_int_not_equal(iso_msg_decode(view_of(bytes, len), ISO_BCD, &m, &fault, &mac_at),
                         STATUS_OK);
    assert_int_equal(fault, 35);
    bytes[len - 1] = 0x5f;
    bytes[11] = 0x13; /* filler of a number must be 0 */
    assert_int_equal(iso_msg_decode(view_of(bytes, len), ISO_BCD, &m, &fault, &mac_at),
                     STATUS_MALFORMED);
    assert_int_equal(fault, 2);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (int p = ISO_ASCII; p <= ISO_BINARY; p++) {
        struct iso_msg m, back;
        uint8_t out[512];
        size_t mac_at;
        unsigned fault;
        build(&m);
        iso_msg_put(&m, 90, VIEW("020000004211221330000000000012300000000000"));
        iso_msg_remove(&m, 64);
        iso_msg_put(&m, 128, view_of("\1\2\3\4\5\6\7\x08", 8));
        struct writer w = writer_over(out, sizeof out);
        assert_int_equal(iso_msg_encode(&m, (enum iso_packaging)p, &w, &mac_at), STATUS_OK);
        for (size_t len = 0; len <= w.len + 1; len++) {
            uint8_t *copy = malloc(len > 0 ? len : 1); /* exact size: a sanitizer sees over-reads */
            assert_non_null(copy);
            memset(copy, '0', len);
            memcpy(copy, out, len < w.len ? len : w.len);
            enum status s =
                iso_msg_decode(view_of(copy, len), (enum iso_packaging)p, &back, &fault, &mac_at);
            assert_int_equal(s == STATUS_OK, len == w.len);
            free(copy);
        }
    }
}

static void what_is_not_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned fault;
    } BAD[] = {
        { "02x04000000000000000"
          "041111",
          0 },
        { "0200400000000000000g"
          "041111",
          1 },
        { "0200400000000000000a"
          "041111",
          1 }, /* lower-case bitmap */
        { "02004000000000000000"
          "00",
          2 }, /* length 0 */
        { "02004000000000000000"
          "2041111111111111111111",
          2 }, /* over the maximum */
        { "02004000000000000000"
          "0411x1",
          2 },
        { "02000000000000000200"
          "0014",
          55 }, /* half a byte */
        { "02000000000000000200"
          "0019f",
          55 }, /* lower-case */
        { "02000000000000000200"
          "256"
          "41",
          55 },
        { "02000000000000800000"
          "T1\x01     ",
          41 },
        { "0200C000000000000000"
          "8000000000000000",
          2 }, /* ends too early */
        { "02008000000000000000"
          "8000000000000000",
          65 }, /* a third bitmap */
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct iso_msg m;
        size_t mac_at;
        unsigned fault = 999;
        assert_int_not_equal(iso_msg_decode(view_text(BAD[i].text), ISO_ASCII, &m, &fault, &mac_at),
                             STATUS_OK);
        assert_int_equal(fault, BAD[i].fault);
    }
}

static void put_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct iso_msg m;
    iso_msg_init(&m, "0210");
    iso_msg_put(&m, 39, VIEW("000"));
    assert_true(m.overflow);
    iso_msg_init(&m, "0210");
    iso_msg_put(&m, 55, VIEW_EMPTY);
    assert_true(m.overflow);
}

static void framings(void **state)
{
    (void)state;
    static const enum iso_framing ALL[] = { FRAMING_LEN2, FRAMING_LEN2_TPDU, FRAMING_ASCII4 };
    uint8_t out[64];
    struct view payload, tpdu;
    size_t used;
    for (size_t i = 0; i < COUNT_OF(ALL); i++) {
        struct writer w = writer_over(out, sizeof out);
        iso_frame_header(ALL[i], 14, view_of("\x60\1\2\3\4", 5), &w);
        writer_text(&w, "payload-bytes!tail");
        size_t whole = w.len - 4;
        for (size_t len = 0; len < whole; len++)
            assert_int_equal(iso_frame_next(ALL[i], view_of(out, len), &payload, &tpdu, &used),
                             STATUS_SHORT);
        assert_int_equal(iso_frame_next(ALL[i], writer_done(&w), &payload, &tpdu, &used),
                         STATUS_OK);
        assert_int_equal(used, whole);
        assert_true(view_is(payload, "payload-bytes!"));
        if (ALL[i] == FRAMING_LEN2_TPDU)
            assert_true(view_equal(tpdu, view_of("\x60\3\4\1\2", 5)));
        else
            assert_int_equal(tpdu.len, 0);
    }
    assert_int_equal(iso_frame_next(FRAMING_LEN2, view_of("\0\0", 2), &payload, &tpdu, &used),
                     STATUS_MALFORMED);
    assert_int_equal(iso_frame_next(FRAMING_LEN2, view_of("\x10\1", 2), &payload, &tpdu, &used),
                     STATUS_MALFORMED);
    assert_int_equal(iso_frame_next(FRAMING_ASCII4, VIEW("00x4"), &payload, &tpdu, &used),
                     STATUS_MALFORMED);
    assert_int_equal(
        iso_frame_next(FRAMING_LEN2_TPDU, view_of("\0\x20\x61", 3), &payload, &tpdu, &used),
        STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_is_what_the_contract_says),
        cmocka_unit_test(bcd_is_what_the_contract_says),
        cmocka_unit_test(bcd_odd_lengths),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_is_not_accepted),
        cmocka_unit_test(put_refuses_what_does_not_fit),
        cmocka_unit_test(framings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
