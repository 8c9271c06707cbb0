/* test_emv.c - keys, MACs, cryptograms and PIN arithmetic against published numbers.
 *
 * Origin of the vectors: knovichikhin/pyemv and knovichikhin/psec (MIT), run results; key, card
 * number and data are theirs. 1234567890123456 is their made-up card number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "card/emv.h"

struct bytes {
    uint8_t at[512];
    size_t len;
};

static struct bytes hex(const char *text)
{
    struct bytes b = { .len = 0 };
    assert_int_equal(hex_decode(view_text(text), b.at, sizeof b.at, &b.len), STATUS_OK);
    return b;
}

static void assert_hex(const uint8_t *got, const char *expected)
{
    struct bytes e = hex(expected);
    assert_memory_equal(got, e.at, e.len);
}

static void key_of(const char *text, struct tdes_key *key)
{
    struct bytes b = hex(text);
    assert_int_equal(b.len, TDES_KEY_SIZE);
    tdes_key_set(key, b.at);
}

static void triple_des(void **state)
{
    (void)state;
    struct tdes_key key;
    uint8_t out[8];
    key_of("0123456789ABCDEFFEDCBA9876543210", &key);
    tdes_encrypt(&key, hex("1122334455667788").at, out);
    assert_hex(out, "3EB3B72576BBBE83");
    tdes_decrypt(&key, out, out);
    assert_hex(out, "1122334455667788");
}

static void retail_mac(void **state)
{
    (void)state;
    struct tdes_key key;
    uint8_t out[8];
    key_of("AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB", &key);
    tdes_retail_mac(&key, MAC_PADDING_ZEROS, VIEW("hello world"), out);
    assert_hex(out, "78DA3D3DEB48FD4D");
    tdes_retail_mac(&key, MAC_PADDING_BIT, VIEW("hello world"), out);
    assert_hex(out, "2BC2D9EDE0CF31F6");
}

/* A message longer than the function's own piece size chains over the border: the MAC over n blocks
 * is what block-by-block chaining gives. */
static void retail_mac_over_long_data(void **state)
{
    (void)state;
    struct tdes_key key, single;
    uint8_t data[1100], chain[8] = { 0 }, out[8];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    key_of("0123456789ABCDEFFEDCBA9876543210", &key);
    key_of("0123456789ABCDEF0123456789ABCDEF", &single); /* equal halves: single DES */
    for (size_t at = 0; at < sizeof data; at += 8) {
        for (size_t i = 0; i < 8; i++)
            chain[i] ^= at + i < sizeof data ? data[at + i] : 0;
        tdes_encrypt(&single, chain, chain);
    }
    tdes_key_set(&single, hex("FEDCBA9876543210FEDCBA9876543210").at);
    tdes_decrypt(&single, chain, chain);
    tdes_key_set(&single, hex("0123456789ABCDEF0123456789ABCDEF").at);
    tdes_encrypt(&single, chain, chain);
    tdes_retail_mac(&key, MAC_PADDING_ZEROS, view_of(data, sizeof data), out);
    assert_memory_equal(out, chain, 8);
}

static void master_key(struct tdes_key *mk)
{
    struct tdes_key imk;
    uint8_t kcv[3];
    key_of("0123456789ABCDEFFEDCBA9876543210", &imk);
    emv_master_key(&imk, VIEW("1234567890123456"), 0, mk);
    tdes_check_value(mk, kcv);
    assert_hex(kcv, "BAB0");
}

static struct bytes chip_data(const char *iad_tlv, const char *arqc)
{
    char text[512];
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, "9F02060000000040009F03060000000000009F1A0201249505800004800000"
                    "5F2A0201249A031911059C01019F370452BF4585820218009F3602001C9F270180");
    writer_text(&w, iad_tlv);
    writer_text(&w, "9F2608");
    writer_text(&w, arqc);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    return hex(text);
}

static void cvn10(void **state)
{
    (void)state;
    struct tdes_key mk;
    struct emv_data data;
    uint8_t out[EMV_ISSUER_DATA_MAX];
    master_key(&mk);
    struct bytes tlv = chip_data("9F100706010A03A06010", "29CCA15AE665FA2E");
    assert_int_equal(emv_read(view_of(tlv.at, tlv.len), &data), STATUS_OK);
    assert_int_equal(emv_verify(&mk, &data), EMV_GOOD);
    assert_int_equal(emv_atc(&data), 0x001c);
    assert_int_equal(emv_issuer_data(&mk, &data, "00", out), 10);
    assert_hex(out, "28993816AFAE4AEB3030");
    tlv.at[tlv.len - 1] ^= 1;
    assert_int_equal(emv_verify(&mk, &data), EMV_WRONG_ARQC);
}

static void cvn18(void **state)
{
    (void)state;
    struct tdes_key mk, sk;
    struct emv_data data;
    uint8_t out[8], kcv[3];
    master_key(&mk);
    struct bytes tlv = chip_data("9F100706011203A0B800", "7A788EA6B8A3E733");
    assert_int_equal(emv_read(view_of(tlv.at, tlv.len), &data), STATUS_OK);
    assert_int_equal(emv_verify(&mk, &data), EMV_GOOD);
    emv_session_key(&mk, data.atc.ptr, &sk);
    tdes_check_value(&sk, kcv);
    assert_hex(kcv, "22C8");
    emv_arpc_2(&sk, data.arqc, view_of("\0\0\0\0", 4), out);
    assert_hex(out, "9AF514C1");
}

static void chip_data_that_is_not_whole(void **state)
{
    (void)state;
    struct tdes_key mk;
    struct emv_data data;
    master_key(&mk);
    struct bytes tlv = chip_data("9F100706010A03A06010", "29CCA15AE665FA2E");
    unsigned good = 0;
    for (size_t len = 0; len < tlv.len; len++) {
        if (emv_read(view_of(tlv.at, len), &data) != STATUS_OK)
            continue;
        assert_int_not_equal(emv_verify(&mk, &data), EMV_GOOD);
        good++;
    }
    /* Cut between two objects, or before the filler byte behind 95: readable, but incomplete. */
    assert_int_equal(good, 14);
    tlv = chip_data("9F100706010B03A06010", "29CCA15AE665FA2E");
    assert_int_equal(emv_read(view_of(tlv.at, tlv.len), &data), STATUS_OK);
    assert_int_equal(emv_verify(&mk, &data), EMV_UNKNOWN_CVN);
    tlv = chip_data("9F100706010A03A060109F370401020304", "29CCA15AE665FA2E");
    assert_int_equal(emv_read(view_of(tlv.at, tlv.len), &data), STATUS_EXISTS);
    tlv = hex("9F2607AABBCCDDEEFF00");
    assert_int_equal(emv_read(view_of(tlv.at, tlv.len), &data), STATUS_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triple_des),
        cmocka_unit_test(retail_mac),
        cmocka_unit_test(retail_mac_over_long_data),
        cmocka_unit_test(cvn10),
        cmocka_unit_test(cvn18),
        cmocka_unit_test(chip_data_that_is_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
