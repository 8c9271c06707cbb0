/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_mpm.c - reading and checking merchant-presented codes, see qr_codes.h.
 *
 * cut() walks one level: id, length, value by letters. Templates are cut right after the object
 * that holds them; whether a value of 80-99 or 62.50-99 is a template is tried and taken back when
 * it is not. Then check_*() look at what was cut, one function for a group of ids, each finding
 * once.
 */
#include "qr_codes_int.h"

#include "kits/hex.h"
#include "kits/text.h"

#define TAG_CRC 63u

uint32_t qr_crc(struct rg_bytes bytes)
{
    uint32_t crc = 0xFFFF;
    for (uint64_t i = 0; i < bytes.len; i++) {
        crc ^= (uint32_t)bytes.ptr[i] << 8;
        for (uint32_t bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u) != 0 ? (crc << 1 ^ 0x1021u) & 0xFFFFu : crc << 1 & 0xFFFFu;
    }
    return crc;
}

/* --- cutting -----------------------------------------------------------------------------------
 */

/* A place in the text, in bytes and letters. */
struct place {
    uint64_t byte, letter;
};

struct level {
    struct qr_code *code;
    struct rg_bytes bytes; /* of this level */
    struct place begin;    /* of this level, in the whole text */
    int32_t parent;
    uint32_t depth;
    uint32_t quiet; /* 1: only trying, say nothing */
};

static uint32_t say_at(const struct level *l, uint32_t kind, struct place at, uint64_t letters,
                       uint32_t tag)
{
    /* An account of another scheme that is raw text says nothing about the accounts beside it. */
    if (l->parent >= 0 && l->code->objects[l->parent].tag <= 51)
        kind = QR_FOUND_TEMPLATE;
    if (!l->quiet)
        qr_say(l->code, kind, l->parent, tag, at.byte, at.letter, letters);
    return 0;
}

/* Two digits at the front of `rest`, 0..99; 100 when they are none. */
static uint32_t two_digits(struct rg_bytes rest)
{
    if (rest.len < 2 || !text_digits(text_slice(rest, 0, 2)))
        return 100;
    return (uint32_t)(rest.ptr[0] - '0') * 10 + (uint32_t)(rest.ptr[1] - '0');
}

/* The first `letters` letters of `rest`, in bytes; UINT64_MAX when it ends before. */
static uint64_t bytes_of_letters(struct rg_bytes rest, uint64_t letters)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < letters; i++) {
        if (at >= rest.len)
            return UINT64_MAX;
        at += text_letter(text_slice(rest, at, 4)); /* the text was checked: never 0 */
    }
    return at;
}

/* One object at `at` (counted from the level's begin). 1, or 0 when it cannot be cut. */
static uint32_t cut_one(struct level *l, struct place *at)
{
    struct place here = { l->begin.byte + at->byte, l->begin.letter + at->letter };
    struct rg_bytes rest = text_slice(l->bytes, at->byte, l->bytes.len);
    uint32_t tag = two_digits(rest), length = two_digits(text_slice(rest, 2, 2));
    if (tag > 99)
        return say_at(l, QR_FOUND_ID, here, 2, QR_NO_TAG);
    if (length > 99)
        return say_at(l, QR_FOUND_LENGTH, (struct place){ here.byte + 2, here.letter + 2 }, 2, tag);
    rest = text_slice(rest, 4, rest.len);
    uint64_t size = bytes_of_letters(rest, length);
    if (size == UINT64_MAX) {
        uint32_t good;
        return say_at(l, QR_FOUND_CUT_SHORT, here, 4 + text_letters(rest, &good), tag);
    }
    if (l->code->count >= QR_OBJECTS_MAX)
        return say_at(l, QR_FOUND_TOO_MANY, here, 0, QR_NO_TAG);
    l->code->objects[l->code->count++] = (struct qr_object){
        .tag = tag,
        .depth = l->depth,
        .parent = l->parent,
        .value = text_slice(rest, 0, size),
        .letters = length,
        .at_byte = here.byte,
        .at_letter = here.letter,
    };
    at->byte += 4 + size;
    at->letter += 4 + length;
    return 1;
}

/* A level without its templates: 1 when it could be cut to its end. */
static uint32_t cut_level(struct level *l)
{
    struct place at = { 0, 0 };
    while (at.byte < l->bytes.len)
        if (!cut_one(l, &at))
            return 0;
    return 1;
}

/* Reads the value of an object as objects, behind all that were read so far. 1, or 0 with nothing
 * added. */
static uint32_t cut_template(struct qr_code *code, uint32_t index, uint32_t quiet)
{
    struct qr_object *object = &code->objects[index];
    uint32_t before = code->count;
    struct level l = { .code = code,
                       .bytes = object->value,
                       .begin = { object->at_byte + 4, object->at_letter + 4 },
                       .parent = (int32_t)index,
                       .depth = object->depth + 1,
                       .quiet = quiet };
    if (!cut_level(&l)) {
        code->count = before;
        return 0;
    }
    object->template = 1;
    return 1;
}

/* --- looking --------------------------------------------------------------------------------- */

const struct qr_object *qr_top(const struct qr_code *code, uint32_t tag)
{
    for (uint32_t i = 0; i < code->count; i++)
        if (code->objects[i].depth == 0 && code->objects[i].tag == tag)
            return &code->objects[i];
    return NULL;
}

static const struct qr_object *child(const struct qr_code *code, uint32_t parent, uint32_t tag)
{
    for (uint32_t i = parent + 1; i < code->count; i++)
        if (code->objects[i].parent == (int32_t)parent && code->objects[i].tag == tag)
            return &code->objects[i];
    return NULL;
}

uint32_t qr_mpm_value(const struct qr_code *code, const char *path, struct rg_bytes *out)
{
    struct rg_bytes ids = text_of(path), level = code->text;
    for (;;) {
        uint32_t wanted = two_digits(ids), tag = 100, length;
        do {
            tag = two_digits(level);
            length = two_digits(text_slice(level, 2, 2));
            struct rg_bytes rest = text_slice(level, 4, level.len);
            uint64_t size = tag > 99 || length > 99 ? UINT64_MAX : bytes_of_letters(rest, length);
            *out = (struct rg_bytes){ NULL, 0 };
            if (size == UINT64_MAX)
                return 0;
            *out = text_slice(rest, 0, size);
            level = text_slice(rest, size, rest.len);
        } while (tag != wanted);
        if (ids.len < 5)
            return 1;
        level = *out;
        ids = text_slice(ids, 3, ids.len);
    }
}

/* --- checking -------------------------------------------------------------------------------- */

static void say_value(struct qr_code *code, const struct qr_object *o, uint32_t kind)
{
    qr_say(code, kind, o->parent, o->tag, o->at_byte + 4, o->at_letter + 4, o->letters);
}

static void say_missing(struct qr_code *code, uint32_t kind, uint32_t tag)
{
    uint32_t good;
    qr_say(code, kind, -1, tag, code->text.len, text_letters(code->text, &good), 0);
}

static void check_duplicates(struct qr_code *code)
{
    for (uint32_t i = 0; i < code->count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct qr_object *a = &code->objects[k], *b = &code->objects[i];
            if (a->tag != b->tag || a->parent != b->parent)
                continue;
            qr_say(code, QR_FOUND_DUPLICATE, b->parent, b->tag, b->at_byte, b->at_letter,
                   4 + b->letters);
            break;
        }
}

static uint32_t is_country(struct rg_bytes text)
{
    return text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' && text.ptr[1] >= 'A' &&
           text.ptr[1] <= 'Z';
}

static uint32_t is_amount(struct rg_bytes text)
{
    uint64_t dot = 0;
    while (dot < text.len && text.ptr[dot] != '.')
        dot++;
    struct rg_bytes decimals = text_slice(text, dot + 1, text.len);
    return text.len <= 13 && text_digits(text_slice(text, 0, dot)) &&
           (decimals.len == 0 || text_digits(decimals));
}

static uint32_t is_zero(struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '0' && text.ptr[i] != '.')
            return 0;
    return 1;
}

/* "0.01" to "99.99". */
static uint32_t is_percentage(struct rg_bytes text)
{
    uint64_t whole = 0;
    while (whole < text.len && text.ptr[whole] != '.')
        whole++;
    return text.len <= 5 && whole <= 2 && is_amount(text) && !is_zero(text);
}

static void check_crc(struct qr_code *code)
{
    const struct qr_object *o = qr_top(code, TAG_CRC);
    if (o == NULL) {
        say_missing(code, QR_FOUND_MISSING_CRC, TAG_CRC);
        return;
    }
    code->crc = qr_crc(text_slice(code->text, 0, o->at_byte + 4));
    uint32_t said = 0, lower = 0;
    for (uint64_t i = 0; i < o->value.len && o->value.len == 4; i++) {
        int digit = hex_digit(o->value.ptr[i]);
        lower |= o->value.ptr[i] >= 'a';
        said = digit < 0 ? 0x10000u : said << 4 | (uint32_t)digit;
    }
    if (o->at_byte + 4 + o->value.len != code->text.len)
        say_value(code, o, QR_FOUND_CRC_NOT_LAST);
    if (o->value.len != 4 || said > 0xFFFFu)
        say_value(code, o, QR_FOUND_CRC_FORM);
    else if (said != code->crc)
        say_value(code, o, QR_FOUND_CRC_BAD);
    else if (lower)
        say_value(code, o, QR_FOUND_CRC_LOWER);
}

/* Of the template at `index`: 00 must be there. */
static void check_guid(struct qr_code *code, uint32_t index)
{
    const struct qr_object *guid = child(code, index, 0);
    if (guid == NULL)
        say_value(code, &code->objects[index], QR_FOUND_TEMPLATE);
    else if (guid->letters > 32)
        say_value(code, guid, QR_FOUND_GUID_LONG);
}

static void check_language(struct qr_code *code, uint32_t index)
{
    const struct qr_object *language = child(code, index, 0), *name = child(code, index, 1);
    const struct qr_object *city = child(code, index, 2);
    if (language == NULL || language->letters != 2 || name == NULL || name->letters > 25 ||
        (city != NULL && city->letters > 15))
        say_value(code, &code->objects[index], QR_FOUND_LANGUAGE);
}

/* Templates are cut while they are met: what is added stands behind and is met later. */
static void check_templates(struct qr_code *code)
{
    for (uint32_t i = 0; i < code->count; i++) {
        const struct qr_object *o = &code->objects[i];
        uint32_t in_62 = o->parent >= 0 && o->depth == 1 && code->objects[o->parent].tag == 62 &&
                         code->objects[o->parent].depth == 0;
        if (o->depth == 0 && o->tag >= 26 && o->tag <= 51) {
            if (cut_template(code, i, 0))
                check_guid(code, i);
        } else if (o->depth == 0 && (o->tag == 62 || o->tag == 64)) {
            if (cut_template(code, i, 0) && o->tag == 64)
                check_language(code, i);
        } else if ((o->depth == 0 && o->tag >= 80) || (in_62 && o->tag >= 50)) {
            uint32_t before = code->count;
            if (cut_template(code, i, 1) && child(code, i, 0) == NULL) {
                code->count = before; /* raw text that happens to look like objects */
                code->objects[i].template = 0;
            }
        } else if (in_62 && o->letters > 25) {
            say_value(code, o, QR_FOUND_FIELD_LONG);
        } else if (o->depth == 0 && o->tag >= 65 && o->tag <= 79) {
            say_value(code, o, QR_FOUND_RESERVED);
        }
        if (o->letters == 0 && o->depth <= 1)
            qr_say(code, QR_FOUND_EMPTY_VALUE, o->parent, o->tag, o->at_byte, o->at_letter, 4);
    }
}

static void check_fee(struct qr_code *code)
{
    const struct qr_object *tip = qr_top(code, 55), *fixed = qr_top(code, 56);
    const struct qr_object *percentage = qr_top(code, 57);
    uint32_t kind = tip != NULL && tip->value.len == 2 ? two_digits(tip->value) : 0;
    if (tip != NULL && (kind < 1 || kind > 3))
        say_value(code, tip, QR_FOUND_TIP);
    if (fixed != NULL && !is_amount(fixed->value))
        say_value(code, fixed, QR_FOUND_FEE);
    if (percentage != NULL && !is_percentage(percentage->value))
        say_value(code, percentage, QR_FOUND_FEE);
    if ((fixed != NULL) != (kind == 2) || (percentage != NULL) != (kind == 3)) {
        const struct qr_object *o = tip != NULL ? tip : fixed != NULL ? fixed : percentage;
        say_value(code, o, QR_FOUND_TIP_VALUE);
    }
}

static void check_money(struct qr_code *code)
{
    const struct qr_object *currency = qr_top(code, 53), *amount = qr_top(code, 54);
    if (currency == NULL)
        say_missing(code, QR_FOUND_MISSING_CURRENCY, 53);
    else if (currency->value.len != 3 || !text_digits(currency->value))
        say_value(code, currency, QR_FOUND_CURRENCY);
    if (amount != NULL && !is_amount(amount->value))
        say_value(code, amount, QR_FOUND_AMOUNT);
    else if (amount != NULL && is_zero(amount->value))
        say_value(code, amount, QR_FOUND_AMOUNT_ZERO);
    check_fee(code);
}

static void check_merchant(struct qr_code *code)
{
    static const struct {
        uint32_t tag, max, kind;
    } texts[] = { { 59, 25, QR_FOUND_NAME_LONG },
                  { 60, 15, QR_FOUND_CITY_LONG },
                  { 61, 10, QR_FOUND_POSTCODE_LONG } };
    static const uint32_t mandatory[] = { 52, 58, 59, 60 };
    const struct qr_object *category = qr_top(code, 52), *country = qr_top(code, 58);
    uint32_t accounts = 0;
    for (uint32_t i = 0; i < code->count; i++)
        accounts +=
            code->objects[i].depth == 0 && code->objects[i].tag >= 2 && code->objects[i].tag <= 51;
    if (accounts == 0)
        say_missing(code, QR_FOUND_MISSING_ACCOUNT, QR_NO_TAG);
    for (uint32_t i = 0; i < 4; i++)
        if (qr_top(code, mandatory[i]) == NULL)
            say_missing(code, QR_FOUND_MISSING, mandatory[i]);
    if (category != NULL && (category->value.len != 4 || !text_digits(category->value)))
        say_value(code, category, QR_FOUND_CATEGORY);
    if (country != NULL && !is_country(country->value))
        say_value(code, country, QR_FOUND_COUNTRY);
    for (uint32_t i = 0; i < 3; i++) {
        const struct qr_object *o = qr_top(code, texts[i].tag);
        if (o != NULL && o->letters > texts[i].max)
            say_value(code, o, texts[i].kind);
    }
}

static void check_front(struct qr_code *code)
{
    const struct qr_object *first = &code->objects[0], *initiation = qr_top(code, 1);
    if (code->count > 0 && !text_is(first->value, "01"))
        say_value(code, first, QR_FOUND_VERSION);
    if (initiation != NULL && !text_is(initiation->value, "11") &&
        !text_is(initiation->value, "12"))
        say_value(code, initiation, QR_FOUND_INITIATION);
}

void qr_mpm_read(struct rg_bytes text, uint32_t mode, struct qr_code *out)
{
    uint64_t letters = qr_open(out, QR_MERCHANT, text, mode);
    if (letters == 0)
        return;
    if (!text_starts(text, "00")) { /* no code at all: what its objects would be says nothing */
        qr_say(out, QR_FOUND_FIRST, -1, 0, 0, 0, 2);
        return;
    }
    if (letters > QR_LETTERS_MAX)
        qr_say(out, QR_FOUND_OVER_512, -1, QR_NO_TAG, text.len, letters, 0);
    struct level top = { .code = out, .bytes = text, .parent = -1 };
    uint32_t whole = cut_level(&top);
    check_front(out);
    check_templates(out);
    check_duplicates(out);
    if (!whole)
        return; /* what is missing may stand behind the place where cutting ended */
    check_crc(out);
    check_merchant(out);
    check_money(out);
}
