/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_cpm.c - reading and checking consumer-presented codes, see qr_codes.h.
 *
 * Base64, then BER-TLV: 85 first, application templates 61, common templates 62, transparent
 * templates 63 and 64 inside them (EMVCo CPM 1.1 section 4). The objects' positions are turned back
 * into letters of the base64 text, so that a person who looks at that text can find them.
 */
#include "qr_codes_int.h"

#include "kits/text.h"
#include "kits/tlv.h"

uint32_t qr_base64_read(struct rg_bytes text, uint8_t *room, uint64_t size, uint64_t *len)
{
    uint64_t out = 0;
    uint32_t bits = 0, held = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint32_t value = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
                         : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 26
                         : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 52
                         : c == '+'             ? 62
                         : c == '/'             ? 63
                                                : 64;
        if (value == 64) {
            /* Padding: one or two '=' that end a group of four, and no bits left over. */
            uint32_t good = c == '=' && i + 2 >= text.len && i % 4 >= 2 && text.len % 4 == 0 &&
                            text.ptr[text.len - 1] == '=' && held == 0;
            *len = good ? out : i;
            return good;
        }
        held = held << 6 | value;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (out >= size) {
            *len = i;
            return 0;
        }
        room[out++] = (uint8_t)(held >> bits);
        held &= (1u << bits) - 1u;
    }
    *len = text.len % 4 == 0 ? out : text.len;
    return text.len % 4 == 0;
}

/* Letter of the base64 text that holds the first bits of byte `at`. */
static uint64_t letter_of(uint64_t at)
{
    return at / 3 * 4 + at % 3;
}

static void say_byte(struct qr_code *code, uint32_t kind, int32_t parent, uint32_t tag,
                     const uint8_t *at, uint64_t len)
{
    uint64_t begin = (uint64_t)(at - code->decoded);
    uint64_t from = letter_of(begin), to = letter_of(begin + len);
    qr_say(code, kind, parent, tag, from, from, len > 0 ? to - from : 0);
}

/* The objects of one level, added behind what is there. */
static uint32_t cut_level(struct qr_code *code, struct rg_bytes bytes, int32_t parent,
                          uint32_t depth)
{
    struct tlv_reader in = tlv_reader(bytes.ptr, bytes.len);
    struct tlv_object object;
    enum tlv_result result;
    while ((result = tlv_next(&in, &object)) == TLV_OK) {
        uint64_t begin = letter_of((uint64_t)(object.value - code->decoded));
        if (code->count >= QR_OBJECTS_MAX) {
            say_byte(code, QR_FOUND_TOO_MANY, parent, QR_NO_TAG, object.value, 0);
            return 0;
        }
        code->objects[code->count++] = (struct qr_object){
            .tag = object.tag,
            .depth = depth,
            .parent = parent,
            .value = { object.value, object.len },
            .letters = object.len,
            .at_byte = begin,
            .at_letter = begin,
        };
    }
    if (result != TLV_END)
        say_byte(code, QR_FOUND_BER, parent, QR_NO_TAG, bytes.ptr + in.at, 0);
    return result == TLV_END;
}

static const struct qr_object *child(const struct qr_code *code, uint32_t parent, uint32_t tag)
{
    for (uint32_t i = parent + 1; i < code->count; i++)
        if (code->objects[i].parent == (int32_t)parent && code->objects[i].tag == tag)
            return &code->objects[i];
    return NULL;
}

/* Track 2 equivalent data: up to 19 digits, the separator D, the rest; F only as the last nibble.
 */
static uint32_t is_track2(struct rg_bytes value)
{
    uint64_t separator = 0, nibbles = value.len * 2;
    for (uint64_t i = 0; i < nibbles; i++) {
        uint32_t nibble = (uint32_t)value.ptr[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u;
        if (nibble == 13 && separator == 0)
            separator = i;
        else if (nibble > 9 && !(nibble == 15 && i + 1 == nibbles))
            return 0;
    }
    return separator >= 8 && separator <= 19;
}

static uint32_t is_card_number(struct rg_bytes value)
{
    uint32_t filler = 0;
    for (uint64_t i = 0; i < value.len * 2; i++) {
        uint32_t nibble = (uint32_t)value.ptr[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u;
        if (nibble > 9 && nibble != 15)
            return 0;
        if (filler > 0 && nibble != 15)
            return 0;
        filler += nibble == 15;
    }
    return value.len * 2 >= 8 + filler;
}

static uint32_t printable(struct rg_bytes value)
{
    for (uint64_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] == 0x7F)
            return 0;
    return 1;
}

/* EMV Book 3 annex A, the objects that a code may have. */
static uint32_t has_good_form(const struct qr_object *o)
{
    static const struct {
        uint32_t tag, min, max;
    } rows[] = {
        { 0x4F, 5, 16 },   { 0x50, 1, 16 },  { 0x57, 5, 19 },    { 0x5A, 4, 10 },
        { 0x5F20, 2, 26 }, { 0x5F2D, 2, 8 }, { 0x82, 2, 2 },     { 0x9F08, 2, 2 },
        { 0x9F10, 1, 32 }, { 0x9F19, 6, 6 }, { 0x9F24, 29, 29 }, { 0x9F25, 2, 2 },
        { 0x9F26, 8, 8 },  { 0x9F27, 1, 1 }, { 0x9F36, 2, 2 },   { 0x9F37, 4, 4 },
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].tag == o->tag && (o->value.len < rows[i].min || o->value.len > rows[i].max))
            return 0;
    switch (o->tag) {
    case 0x57: return is_track2(o->value);
    case 0x5A: return is_card_number(o->value);
    case 0x50:
    case 0x5F20: return printable(o->value);
    case 0x5F2D: return o->value.len % 2 == 0 && printable(o->value);
    default: return 1;
    }
}

static void check_application(struct qr_code *code, uint32_t index)
{
    const struct qr_object *application = &code->objects[index];
    const struct qr_object *aid = child(code, index, 0x4F);
    if (aid == NULL || !has_good_form(aid))
        say_byte(code, QR_FOUND_CPM_AID, (int32_t)index, aid != NULL ? 0x4F : QR_NO_TAG,
                 aid != NULL ? aid->value.ptr : application->value.ptr,
                 aid != NULL ? aid->value.len : application->value.len);
    if (child(code, index, 0x57) == NULL && child(code, index, 0x5A) == NULL &&
        child(code, index, 0x63) == NULL)
        say_byte(code, QR_FOUND_CPM_ACCOUNT, -1, 0x61, application->value.ptr,
                 application->value.len);
}

static void check_objects(struct qr_code *code)
{
    uint32_t applications = 0;
    for (uint32_t i = 0; i < code->count; i++) {
        const struct qr_object *o = &code->objects[i];
        if (o->tag != 0x4F && !has_good_form(o))
            say_byte(code, QR_FOUND_CPM_VALUE, o->parent, o->tag, o->value.ptr, o->value.len);
        if (o->depth == 0 && o->tag == 0x61) {
            applications++;
            check_application(code, i);
        }
        for (uint32_t k = 0; k < i; k++)
            if (code->objects[k].parent == o->parent && code->objects[k].tag == o->tag &&
                o->tag != 0x61) {
                say_byte(code, QR_FOUND_DUPLICATE, o->parent, o->tag, o->value.ptr, o->value.len);
                break;
            }
    }
    if (applications == 0)
        qr_say(code, QR_FOUND_CPM_APPLICATION, -1, 0x61, code->text.len, code->text.len, 0);
}

void qr_cpm_read(struct rg_bytes text, uint32_t mode, struct qr_code *out)
{
    uint64_t letters = qr_open(out, QR_CONSUMER, text, mode), len = 0;
    if (letters == 0)
        return;
    if (letters > QR_LETTERS_MAX)
        qr_say(out, QR_FOUND_OVER_512, -1, QR_NO_TAG, text.len, letters, 0);
    if (!qr_base64_read(text, out->decoded, QR_DECODED_MAX, &len)) {
        qr_say(out, QR_FOUND_BASE64, -1, QR_NO_TAG, len, len, len < letters ? 1 : 0);
        return;
    }
    out->decoded_len = len;
    uint32_t whole = cut_level(out, (struct rg_bytes){ out->decoded, len }, -1, 0);
    if (out->count == 0 || out->objects[0].tag != 0x85 || !text_is(out->objects[0].value, "CPV01"))
        qr_say(out, QR_FOUND_CPM_VERSION, -1, 0x85, 0, 0, 0);
    /* 61, 62 and what is transparent hold objects; they are cut while they are met. */
    for (uint32_t i = 0; whole && i < out->count; i++) {
        struct qr_object *o = &out->objects[i];
        uint32_t template = o->tag >= 0x61 && o->tag <= 0x64;
        if (!template || o->depth >= 2 || o->value.len == 0)
            continue;
        /* What is transparent (63, 64) need not be objects. */
        if (o->tag >= 0x63 && tlv_check(o->value.ptr, o->value.len, 2) != TLV_OK)
            continue;
        o->template = 1;
        whole = cut_level(out, o->value, (int32_t)i, o->depth + 1);
    }
    if (whole)
        check_objects(out);
}
