/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tlv.c - the BER-TLV kit: what it reads, what it refuses, and that it never reads too far.
 */
#include "kits/tlv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 9F26 (8), then filler, then 70 { 82 (2), 9F36 (2) }, then DF8101 (1). */
static const uint8_t sample[] = { 0x9F, 0x26, 0x08, 1,    2,    3,    4,    5,    6,    7,
                                  8,    0x00, 0x00, 0x70, 0x09, 0x82, 0x02, 0x18, 0x00, 0x9F,
                                  0x36, 0x02, 0,    0x1C, 0xDF, 0x81, 0x01, 0x01, 0x42 };

static enum tlv_result check_copy(const uint8_t *bytes, size_t len, unsigned depth)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum tlv_result result = tlv_check(copy, len, depth);
    free(copy);
    return result;
}

static void objects_come_in_order(void **state)
{
    (void)state;
    struct tlv_reader in = tlv_reader(sample, sizeof sample);
    struct tlv_object object;
    assert_int_equal(tlv_next(&in, &object), TLV_OK);
    assert_int_equal(object.tag, 0x9F26);
    assert_int_equal(object.len, 8);
    assert_int_equal(object.constructed, 0);
    assert_int_equal(tlv_next(&in, &object), TLV_OK);
    assert_int_equal(object.tag, 0x70);
    assert_int_equal(object.constructed, 1);
    assert_int_equal(object.len, 9);
    assert_int_equal(tlv_next(&in, &object), TLV_OK);
    assert_int_equal(object.tag, 0xDF8101);
    assert_int_equal(object.value[0], 0x42);
    assert_int_equal(tlv_next(&in, &object), TLV_END);
    assert_int_equal(tlv_find(sample, sizeof sample, 0x9F36, &object), TLV_END); /* not on top */
    assert_int_equal(tlv_find(sample, sizeof sample, 0xDF8101, &object), TLV_OK);
}

static void every_cut_is_seen(void **state)
{
    (void)state;
    /* A cut between two objects leaves a well-formed beginning; every other cut must not pass. */
    for (size_t len = 0; len <= sizeof sample; len++) {
        uint32_t whole = len == 0 || (len >= 11 && len <= 13) || len == 24 || len == 29;
        enum tlv_result result = check_copy(sample, len, 4);
        assert_int_equal(result, whole ? TLV_OK : TLV_TRUNCATED);
    }
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        enum tlv_result result;
    } rows[] = {
        { { 0x5A, 0x80, 0x00, 0x00 }, 4, TLV_BAD_LENGTH },             /* indefinite */
        { { 0x5A, 0x81, 0x01, 0x41 }, 4, TLV_BAD_LENGTH },             /* 81 below 80 */
        { { 0x5A, 0x82, 0x00, 0x01, 0x41 }, 5, TLV_BAD_LENGTH },       /* 82 below 100 */
        { { 0x5A, 0x83, 0x00, 0x00, 0x01, 0x41 }, 6, TLV_BAD_LENGTH }, /* three bytes */
        { { 0x9F, 0x80, 0x01, 0x00 }, 4, TLV_BAD_TAG },                /* leading zero group */
        { { 0x9F, 0x81, 0x82, 0x83, 0x01, 0x00 }, 6, TLV_BAD_TAG },    /* five bytes */
        { { 0x9F, 0x81, 0x82, 0x03, 0x00 }, 5, TLV_OK },               /* four */
        { { 0x9F }, 1, TLV_TRUNCATED },
        { { 0x5A }, 1, TLV_TRUNCATED },
        { { 0x5A, 0x82, 0x01 }, 3, TLV_TRUNCATED },
        { { 0x5A, 0x02, 0x41 }, 3, TLV_TRUNCATED },
        { { 0xFF, 0xFF }, 2, TLV_TRUNCATED },                   /* FF is not filler */
        { { 0x70, 0x03, 0x82, 0x02, 0x00 }, 5, TLV_TRUNCATED }, /* runs out of its template */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(check_copy(rows[i].bytes, rows[i].len, 4), rows[i].result);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    const uint8_t nested[] = { 0x70, 0x06, 0x71, 0x04, 0x72, 0x02, 0x82, 0x00 };
    assert_int_equal(check_copy(nested, sizeof nested, 4), TLV_OK);
    assert_int_equal(check_copy(nested, sizeof nested, 3), TLV_TOO_DEEP);
    assert_int_equal(check_copy(nested, sizeof nested, 0), TLV_TOO_DEEP);
    assert_int_equal(check_copy(nested, sizeof nested, TLV_DEPTH_MAX + 1), TLV_TOO_DEEP);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const uint32_t tags[] = { 0x5A, 0x9F26, 0xDF8101, 0x9F818203, 0x70 };
    static const uint64_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535 };
    static uint8_t value[65535];
    static uint8_t room[65560];
    for (size_t t = 0; t < sizeof tags / sizeof tags[0]; t++) {
        for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++) {
            struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
            struct tlv_object object;
            tlv_put(&out, tags[t], value, lengths[n]);
            assert_int_equal(out.overflow, 0);
            assert_int_equal(tlv_find(room, out.len, tags[t], &object), TLV_OK);
            assert_int_equal(object.len, lengths[n]);
            assert_ptr_equal(object.value + object.len, room + out.len);
            /* One byte less room latches. */
            struct rg_buffer small = { room, out.len - 1, 0, 0, 0 };
            tlv_put(&small, tags[t], value, lengths[n]);
            assert_int_equal(small.overflow, 1);
        }
    }
    static const uint32_t no_tags[] = { 0, 0x9F, 0x5A5A, 0x9F8001 };
    for (size_t t = 0; t < sizeof no_tags / sizeof no_tags[0]; t++) {
        struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
        tlv_put(&out, no_tags[t], value, 1);
        assert_int_equal(out.overflow, 1);
    }
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    tlv_put(&out, 0x5A, value, 65536);
    assert_int_equal(out.overflow, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_in_order),       cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(other_spellings_are_refused), cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
