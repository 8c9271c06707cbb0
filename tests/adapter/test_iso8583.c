/* SPDX-License-Identifier: Apache-2.0
 *
 * test_iso8583.c - the ISO 8583 kit. Test card numbers from published ranges.
 *
 * Expected bytes are written out by hand from the rules in docs/rails/card-wire.md; the rest holds
 * packing and unpacking against each other and against cuts, flips and small rooms.
 */
#include "kits/hex.h"
#include "kits/iso8583.h"

#include <railgate/writer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum iso_builtin builtins[] = { ISO87_ASCII, ISO87_BCD, ISO87_BINARY };

static struct iso_packaging packaging_of(enum iso_builtin which)
{
    struct iso_packaging p;
    iso_packaging_init(&p, which);
    return p;
}

static struct iso_message sample(void)
{
    struct iso_message m;
    iso_message_init(&m, "0200");
    iso_set_text(&m, 2, "4111111111111111");
    iso_set_number(&m, 4, 1000);
    iso_set_number(&m, 22, 51);
    iso_set_text(&m, 28, "D00000150");
    iso_set_text(&m, 32, "12345");
    iso_set_text(&m, 35, "4111111111111111=3012201");
    iso_set_text(&m, 41, "T1");
    iso_set(&m, 52, "\x04\x12\x74\xED\xCB\xA9\x87\x6F", 8);
    iso_set(&m, 55, "\x9F\x36\x02\x00\x1C", 5);
    return m;
}

static enum iso_result unpack_copy(const struct iso_packaging *p, const uint8_t *bytes, size_t len,
                                   struct iso_message *m)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum iso_result result = iso_unpack(p, copy, len, m);
    free(copy);
    return result;
}

static size_t from_hex(const char *text, uint8_t *room, size_t size)
{
    assert_int_equal(hex_read((const uint8_t *)text, strlen(text), room, size), 1);
    return strlen(text) / 2;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void packs_ascii(void **state)
{
    (void)state;
    struct iso_packaging p = packaging_of(ISO87_ASCII);
    struct iso_message m = sample();
    uint8_t room[512];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    static const char wanted[] = "0200"
                                 "5000041120801200" /* 2 4 22 28 32 35 41 52 55 */
                                 "164111111111111111"
                                 "000000001000"
                                 "051"
                                 "D00000150"
                                 "0512345"
                                 "244111111111111111=3012201"
                                 "T1      "
                                 "041274EDCBA9876F"
                                 "0059F3602001C";
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    assert_int_equal(out.len, strlen(wanted));
    assert_memory_equal(room, wanted, out.len);
}

static void packs_bcd(void **state)
{
    (void)state;
    struct iso_packaging p = packaging_of(ISO87_BCD);
    struct iso_message m = sample();
    uint8_t room[512];
    uint8_t wanted[512];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    size_t len = from_hex("0200"
                          "5000041120801200"
                          "164111111111111111"
                          "000000001000"
                          "0051"
                          "4400000150"
                          "05012345"
                          "244111111111111111D3012201"
                          "5431202020202020"
                          "041274EDCBA9876F"
                          "00059F3602001C",
                          wanted, sizeof wanted);
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    assert_int_equal(out.len, len);
    assert_memory_equal(room, wanted, len);
    /* An odd track 2 is padded with F on the right. */
    iso_message_init(&m, "0200");
    iso_set_text(&m, 35, "411111111111=3012201");
    iso_set_text(&m, 36, "123");
    out.len = 0;
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    len = from_hex("0200"
                   "0000000030000000"
                   "20411111111111D3012201"
                   "00030123",
                   wanted, sizeof wanted);
    assert_int_equal(out.len, len);
    assert_memory_equal(room, wanted, len);
    iso_message_init(&m, "0200");
    iso_set_text(&m, 35, "4111111111111=3012201");
    out.len = 0;
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    len = from_hex("0200"
                   "0000000020000000"
                   "214111111111111D3012201F",
                   wanted, sizeof wanted);
    assert_int_equal(out.len, len);
    assert_memory_equal(room, wanted, len);
}

static void packs_binary(void **state)
{
    (void)state;
    struct iso_packaging p = packaging_of(ISO87_BINARY);
    struct iso_message m;
    uint8_t room[512];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    static const uint8_t wanted[] = { '0', '8',  '0',  '0', 0x80, 0,    0,   0,   0,
                                      0,   0x12, 0x00, 4,   0,    0,    0,   0,   0,
                                      0,   0,    1,    2,   3,    4,    5,   6,   7,
                                      8,   '0',  '0',  '2', 0xFE, 0xFF, '3', '0', '1' };
    iso_message_init(&m, "0800");
    iso_set(&m, 52, "\1\2\3\4\5\6\7\10", 8);
    iso_set(&m, 55, "\xFE\xFF", 2);
    iso_set_number(&m, 70, 301);
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    assert_int_equal(out.len, sizeof wanted);
    assert_memory_equal(room, wanted, sizeof wanted);
}

/* --- there and back -------------------------------------------------------------------------- */

/* A message with every field that a packaging has, each with its longest value. */
static void fill_all(const struct iso_packaging *p, struct iso_message *m, unsigned from,
                     unsigned to)
{
    uint8_t value[999];
    iso_message_init(m, "0200");
    for (unsigned n = from; n <= to; n++) {
        const struct iso_row *row = &p->rows[n];
        if (row->length == 0)
            continue;
        for (unsigned i = 0; i < row->max; i++)
            value[i] = row->content == ISO_B ? (uint8_t)(i * 37) : (uint8_t)('0' + (i + n) % 10);
        if (row->content == ISO_XN)
            value[0] = n % 2 == 0 ? 'C' : 'D';
        iso_set(m, n, value, row->max);
    }
}

static void every_field_goes_there_and_back(void **state)
{
    (void)state;
    static const unsigned spans[][2] = { { 2, 55 },    { 56, 58 },   { 59, 61 },   { 62, 104 },
                                         { 105, 107 }, { 108, 110 }, { 111, 113 }, { 114, 116 },
                                         { 117, 119 }, { 120, 122 }, { 123, 125 }, { 126, 128 } };
    for (unsigned b = 0; b < 3; b++) {
        struct iso_packaging p = packaging_of(builtins[b]);
        unsigned seen = 0;
        for (unsigned s = 0; s < sizeof spans / sizeof spans[0]; s++) {
            static struct iso_message m, back;
            uint8_t room[2 * ISO_MESSAGE_MAX];
            struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
            fill_all(&p, &m, spans[s][0], spans[s][1]);
            if (spans[s][0] == 2) { /* the long ones on their own: a message has a maximum */
                iso_message_init(&m, "0200");
                static struct iso_message whole;
                fill_all(&p, &whole, 2, 55);
                for (unsigned n = 2; n <= 55; n++)
                    if (n != 46 && n != 47)
                        iso_set(&m, n, iso_get(&whole, n).ptr, iso_get(&whole, n).len);
                seen += 2;
            }
            assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
            assert_int_equal(unpack_copy(&p, room, out.len, &back), ISO_OK);
            for (unsigned n = 2; n <= ISO_FIELD_MAX; n++) {
                struct rg_bytes a = iso_get(&m, n);
                struct rg_bytes z = iso_get(&back, n);
                assert_int_equal(a.len, z.len);
                assert_int_equal(a.ptr == NULL, z.ptr == NULL);
                if (a.ptr != NULL) {
                    assert_memory_equal(a.ptr, z.ptr, a.len);
                    seen++;
                }
            }
        }
        assert_int_equal(seen, 126);
    }
}

static void cuts_and_additions_are_refused(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 3; b++) {
        struct iso_packaging p = packaging_of(builtins[b]);
        struct iso_message m = sample();
        struct iso_message back;
        uint8_t room[512];
        struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
        iso_set_number(&m, 70, 1);
        assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(unpack_copy(&p, room, len, &back), ISO_TRUNCATED);
        assert_int_equal(unpack_copy(&p, room, out.len, &back), ISO_OK);
        room[out.len] = '0';
        assert_int_equal(unpack_copy(&p, room, out.len + 1, &back), ISO_TRAILING);
        assert_int_equal(unpack_copy(&p, room, 0, &back), ISO_TRUNCATED);
    }
}

/* Whatever a flipped bit does, what is read writes back as the same bytes: one message, one
 * spelling. */
static void flips_never_make_a_second_spelling(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 3; b++) {
        struct iso_packaging p = packaging_of(builtins[b]);
        struct iso_message m = sample();
        struct iso_message back;
        uint8_t room[512];
        uint8_t again[2048];
        struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
        unsigned read = 0;
        assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
        for (size_t i = 0; i < out.len; i++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                room[i] ^= (uint8_t)flip;
                if (unpack_copy(&p, room, out.len, &back) == ISO_OK) {
                    struct rg_buffer second = { again, sizeof again, 0, 0, 0 };
                    back.error = 0;
                    assert_int_equal(iso_pack(&p, &back, &second), ISO_OK);
                    assert_int_equal(second.len, out.len);
                    assert_memory_equal(again, room, out.len);
                    read++;
                }
                room[i] ^= (uint8_t)flip;
            }
        }
        assert_true(read > 100);
    }
}

static void small_rooms_latch(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 3; b++) {
        struct iso_packaging p = packaging_of(builtins[b]);
        struct iso_message m = sample();
        uint8_t room[512];
        struct rg_buffer whole = { room, sizeof room, 0, 0, 0 };
        assert_int_equal(iso_pack(&p, &m, &whole), ISO_OK);
        for (size_t size = 0; size < whole.len; size++) {
            uint8_t *exact = malloc(size > 0 ? size : 1);
            struct rg_buffer out = { exact, size, 0, 0, 0 };
            assert_int_equal(iso_pack(&p, &m, &out), ISO_NO_ROOM);
            assert_int_equal(out.overflow, 1);
            free(exact);
        }
    }
}

/* --- refusals -------------------------------------------------------------------------------- */

static void bad_bytes_are_named(void **state)
{
    (void)state;
    static const struct {
        enum iso_builtin packaging;
        const char *text; /* ASCII, or hex for the binary ones */
        enum iso_result result;
        unsigned field;
    } rows[] = {
        { ISO87_ASCII, "02X0", ISO_BAD_MTI, 0 },
        { ISO87_ASCII, "02004000000000000g00", ISO_BAD_BITMAP, 0 },
        { ISO87_ASCII, "0200400000000000000a", ISO_BAD_BITMAP, 0 }, /* lower case */
        { ISO87_ASCII, "020080000000000000008000000000000000", ISO_UNKNOWN_FIELD, 65 },
        { ISO87_ASCII, "02004000000000000000204111", ISO_BAD_LENGTH, 2 }, /* over 19 */
        { ISO87_ASCII, "020040000000000000001X4111", ISO_BAD_LENGTH, 2 },
        { ISO87_ASCII, "02004000000000000000044X11", ISO_BAD_CONTENT, 2 },
        { ISO87_ASCII, "02000000000000001000041274edcba9876f", ISO_BAD_CONTENT, 52 },
        { ISO87_ASCII, "02000000001000000000A00000150", ISO_BAD_CONTENT, 28 },
        { ISO87_BCD, "02A0", ISO_BAD_MTI, 0 },
        { ISO87_BCD, "020040000000000000002A", ISO_BAD_LENGTH, 2 },
        { ISO87_BCD, "020040000000000000000341A1", ISO_BAD_CONTENT, 2 },  /* pad 4 */
        { ISO87_BCD, "020040000000000000000301A1", ISO_BAD_CONTENT, 2 },  /* digit A */
        { ISO87_BCD, "0200000000002000000003123E", ISO_BAD_CONTENT, 35 }, /* pad E */
        { ISO87_BCD, "02000000000000000200100000", ISO_BAD_LENGTH, 55 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct iso_packaging p = packaging_of(rows[i].packaging);
        struct iso_message m;
        uint8_t bytes[256];
        size_t len = strlen(rows[i].text);
        if (rows[i].packaging == ISO87_ASCII)
            memcpy(bytes, rows[i].text, len);
        else
            len = from_hex(rows[i].text, bytes, sizeof bytes);
        enum iso_result result = unpack_copy(&p, bytes, len, &m);
        if (result != rows[i].result || m.error_field != rows[i].field)
            printf("row %zu: %s\n", i, rows[i].text);
        assert_int_equal(result, rows[i].result);
        assert_int_equal(m.error_field, rows[i].field);
        /* The field that could not be read is not there. */
        assert_null(iso_get(&m, rows[i].field).ptr);
    }
}

static void setters_latch(void **state)
{
    (void)state;
    struct iso_packaging p = packaging_of(ISO87_ASCII);
    uint8_t room[64];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    struct iso_message m;
    iso_message_init(&m, "02A0");
    assert_int_equal(iso_pack(&p, &m, &out), ISO_BAD_MTI);
    static const unsigned no_fields[] = { 0, 1, 65, 129 };
    for (unsigned i = 0; i < 4; i++) {
        iso_message_init(&m, "0200");
        iso_set_text(&m, no_fields[i], "1");
        assert_int_equal(iso_pack(&p, &m, &out), ISO_UNKNOWN_FIELD);
    }
    iso_message_init(&m, "0200");
    iso_set_text(&m, 3, "000000");
    iso_set_text(&m, 3, "000000");
    assert_int_equal(iso_pack(&p, &m, &out), ISO_BAD_CONTENT);
    assert_int_equal(m.error_field, 3);
    iso_message_init(&m, "0200");
    iso_set_number(&m, 4, UINT64_C(1000000000000));
    assert_int_equal(iso_pack(&p, &m, &out), ISO_BAD_LENGTH);
    iso_message_init(&m, "0200");
    iso_set(&m, 52, "1234567", 7); /* b is never padded */
    assert_int_equal(iso_pack(&p, &m, &out), ISO_BAD_LENGTH);
    static uint8_t large[ISO_TEXT_MAX + 1];
    iso_message_init(&m, "0200");
    iso_set(&m, 48, large, sizeof large);
    assert_int_equal(iso_pack(&p, &m, &out), ISO_NO_ROOM);
}

/* --- the MAC field --------------------------------------------------------------------------- */

static void mac_field_moves_with_the_secondary_bitmap(void **state)
{
    (void)state;
    const uint8_t mac[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    for (unsigned b = 0; b < 3; b++) {
        for (unsigned secondary = 0; secondary < 2; secondary++) {
            struct iso_packaging p = packaging_of(builtins[b]);
            struct iso_message m = sample();
            struct iso_message back;
            uint8_t room[512];
            struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
            if (secondary != 0)
                iso_set_number(&m, 90, 1);
            assert_int_equal(iso_pack_before_mac(&p, &m, &out), ISO_OK);
            uint64_t covered = out.len;
            /* The bitmap shows the field already: the MAC covers that. */
            assert_int_equal(unpack_copy(&p, room, covered, &back), ISO_TRUNCATED);
            assert_int_equal(back.error_field, secondary != 0 ? 128 : 64);
            assert_int_equal(iso_pack_mac(&p, &m, mac, &out), ISO_OK);
            assert_int_equal(out.len, covered + (builtins[b] == ISO87_ASCII ? 16 : 8));
            assert_int_equal(unpack_copy(&p, room, out.len, &back), ISO_OK);
            assert_int_equal(back.mac_at, covered);
            assert_memory_equal(iso_get(&back, secondary != 0 ? 128 : 64).ptr, mac, 8);
        }
    }
    struct iso_packaging p = packaging_of(ISO87_ASCII);
    struct iso_message m = sample();
    uint8_t room[512];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    iso_set(&m, 64, mac, 8);
    assert_int_equal(iso_pack_before_mac(&p, &m, &out), ISO_BAD_CONTENT);
}

/* --- overrides ------------------------------------------------------------------------------- */

static uint32_t override(struct iso_packaging *p, const char *rows, char *why)
{
    struct rg_buffer out = { (uint8_t *)why, 255, 0, 0, 0 };
    uint32_t good =
        iso_packaging_override(p, (struct rg_bytes){ (const uint8_t *)rows, strlen(rows) }, &out);
    why[out.len] = '\0';
    return good;
}

static void overrides_replace_rows(void **state)
{
    (void)state;
    struct iso_packaging p = packaging_of(ISO87_BCD);
    char why[256];
    assert_int_equal(
        override(&p,
                 " 48 llvar ans 40 ascii binary;;\n55 lllvar b 255 ascii\n49 fixed an 3 ascii ;",
                 why),
        1);
    assert_int_equal(p.rows[48].length, ISO_LLVAR);
    assert_int_equal(p.rows[48].length_encoding, ISO_BINARY);
    assert_int_equal(p.rows[55].encoding, ISO_ASCII);
    assert_int_equal(p.rows[55].length_encoding, ISO_BCD);
    assert_int_equal(p.rows[49].content, ISO_AN);
    struct iso_message m;
    uint8_t room[128];
    uint8_t wanted[128];
    struct rg_buffer out = { room, sizeof room, 0, 0, 0 };
    iso_message_init(&m, "0200");
    iso_set_text(&m, 48, "AB");
    iso_set_text(&m, 49, "EUR");
    iso_set(&m, 55, "\x9F\x36\x00", 3);
    assert_int_equal(iso_pack(&p, &m, &out), ISO_OK);
    size_t len = from_hex("0200"
                          "0000000000018200"
                          "024142"
                          "455552"
                          "0003394633363030",
                          wanted, sizeof wanted);
    assert_int_equal(out.len, len);
    assert_memory_equal(room, wanted, len);
}

static void bad_overrides_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *rows;
        const char *why;
    } rows[] = {
        { "48", "row 1 needs" },
        { "49 fixed n 3 ascii; 48 lllvar ans 999 ascii bcd more", "row 2 needs" },
        { "1 fixed b 8 binary", "field number" },
        { "65 fixed b 1 binary", "field number" },
        { "129 fixed b 1 binary", "field number" },
        { "48 lvar ans 9 ascii", "length kind" },
        { "48 llvar text 9 ascii", "content" },
        { "48 llvar ans 0 ascii", "maximum" },
        { "48 llvar ans 9x ascii", "maximum" },
        { "48 llvar ans 100 ascii", "length digits" },
        { "48 llvar ans 9 ebcdic", "encoding" },
        { "48 llvar ans 9 bcd", "only be ascii" },
        { "4 fixed n 12 binary", "digits" },
        { "55 lllvar b 9 bcd", "binary content" },
        { "64 fixed b 4 binary", "MAC field" },
        { "128 llvar b 8 binary", "MAC field" },
        { "28 fixed x+n 1 ascii", "sign" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct iso_packaging p = packaging_of(ISO87_ASCII);
        char why[256];
        assert_int_equal(override(&p, rows[i].rows, why), 0);
        if (strstr(why, rows[i].why) == NULL)
            printf("%s: %s\n", rows[i].rows, why);
        assert_non_null(strstr(why, rows[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_ascii),
        cmocka_unit_test(packs_bcd),
        cmocka_unit_test(packs_binary),
        cmocka_unit_test(every_field_goes_there_and_back),
        cmocka_unit_test(cuts_and_additions_are_refused),
        cmocka_unit_test(flips_never_make_a_second_spelling),
        cmocka_unit_test(small_rooms_latch),
        cmocka_unit_test(bad_bytes_are_named),
        cmocka_unit_test(setters_latch),
        cmocka_unit_test(mac_field_moves_with_the_secondary_bitmap),
        cmocka_unit_test(overrides_replace_rows),
        cmocka_unit_test(bad_overrides_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
