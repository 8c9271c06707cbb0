/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_finding.c - findings of the QR kit, and masking of what may be a card number.
 */
#include "qr_codes_int.h"

#include "kits/text.h"

static const struct {
    const char *name;
    uint32_t strict, lenient;
    const char *text;
} rows[QR_FINDING_KINDS] = {
    [QR_FINDING_NONE] = { "NONE", QR_WARNING, QR_WARNING, "nothing" },
#define QR_FINDING(name, strict, lenient, text)                                                    \
    [QR_FOUND_##name] = { #name, QR_##strict, QR_##lenient, text },
#include "kits/qr_findings.def"
#undef QR_FINDING
};

const char *qr_finding_name(uint32_t kind)
{
    return rows[kind < QR_FINDING_KINDS ? kind : QR_FINDING_NONE].name;
}

const char *qr_finding_text(uint32_t kind)
{
    return rows[kind < QR_FINDING_KINDS ? kind : QR_FINDING_NONE].text;
}

static void put_tag(struct rg_buffer *b, const struct qr_code *code, uint32_t tag)
{
    if (code->presented == QR_MERCHANT) {
        rg_put_digits(b, tag, 2);
        return;
    }
    uint32_t begun = 0;
    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t nibble = tag >> shift & 15u;
        begun |= nibble != 0 || shift == 4;
        if (begun)
            rg_put_u8(b, (uint8_t) "0123456789ABCDEF"[nibble]);
    }
}

/* "62.50.00": the templates from the top down, then the tag. What does not fit is left out. */
static void put_path(struct qr_finding *finding, const struct qr_code *code, int32_t parent,
                     uint32_t tag)
{
    int32_t up[4];
    uint32_t count = 0;
    struct rg_buffer b = { (uint8_t *)finding->path, QR_PATH_MAX - 1, 0, 0, 0 };
    for (; parent >= 0 && count < 4; parent = code->objects[parent].parent)
        up[count++] = parent;
    while (count > 0) {
        put_tag(&b, code, code->objects[up[--count]].tag);
        if (count > 0 || tag != QR_NO_TAG)
            rg_put_u8(&b, '.');
    }
    if (tag != QR_NO_TAG)
        put_tag(&b, code, tag);
}

void qr_say(struct qr_code *code, uint32_t kind, int32_t parent, uint32_t tag, uint64_t at_byte,
            uint64_t at_letter, uint64_t letters)
{
    uint32_t weight = code->mode == QR_STRICT ? rows[kind].strict : rows[kind].lenient;
    code->errors += weight == QR_ERROR;
    code->warnings += weight == QR_WARNING;
    if (code->findings_count >= QR_FINDINGS_MAX)
        return;
    struct qr_finding *finding = &code->findings[code->findings_count++];
    *finding = (struct qr_finding){ .kind = kind,
                                    .weight = weight,
                                    .at_byte = at_byte,
                                    .at_letter = at_letter,
                                    .letters = letters };
    put_path(finding, code, parent, tag);
}

uint64_t qr_open(struct qr_code *out, uint32_t presented, struct rg_bytes text, uint32_t mode)
{
    uint64_t letters = 0, at = 0;
    for (uint64_t i = 0; i < sizeof *out; i++)
        ((uint8_t *)out)[i] = 0;
    out->presented = presented;
    out->mode = mode;
    out->text = text;
    if (text.len == 0)
        qr_say(out, QR_FOUND_EMPTY, -1, QR_NO_TAG, 0, 0, 0);
    if (text.len > QR_TEXT_MAX) {
        qr_say(out, QR_FOUND_TOO_LONG, -1, QR_NO_TAG, 0, 0, 0);
        return 0;
    }
    for (; at < text.len; letters++) {
        uint32_t len = text_letter(text_slice(text, at, 4));
        if (len == 0) {
            qr_say(out, QR_FOUND_NOT_UTF8, -1, QR_NO_TAG, at, letters, 1);
            return 0;
        }
        at += len;
    }
    return letters;
}

/* --- masking --------------------------------------------------------------------------------- */

static uint32_t luhn(const uint8_t *digits, uint64_t len)
{
    uint32_t sum = 0;
    for (uint64_t i = 0; i < len; i++) {
        uint32_t digit = (uint32_t)(digits[len - 1 - i] - '0') * (i % 2 == 0 ? 1u : 2u);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

/* Runs are taken whole: windows inside of long runs would hit Luhn by chance nearly everywhere. */
void qr_put_masked(struct rg_buffer *b, struct rg_bytes text, uint32_t all)
{
    for (uint64_t i = 0; i < text.len;) {
        uint64_t run = 0;
        while (i + run < text.len && text.ptr[i + run] >= '0' && text.ptr[i + run] <= '9')
            run++;
        uint32_t secret = run >= 12 && (all || (run <= 19 && luhn(text.ptr + i, run)));
        for (uint64_t k = 0; k < run; k++)
            rg_put_u8(b, secret && k >= 6 && k + 4 < run ? '*' : text.ptr[i + k]);
        if (run == 0)
            rg_put_u8(b, text.ptr[i++]);
        i += run;
    }
}

/* --- what others say ---------------------------------------------------------------------------
 */

#define PAN_MAX   19u
#define ECHO_MIN  8u /* letters of base64: six bytes, which is more than first six and last four */
#define GAP_MAX   3u
#define NOT_SHOWN "(not shown)"

/* The digits of a text, and where they stand. */
struct told {
    struct rg_bytes text;
    uint8_t digit[QR_TOLD_MAX];
    uint16_t at[QR_TOLD_MAX];
    uint64_t count;
    uint8_t hidden[QR_TOLD_MAX]; /* by place in the text */
};

static void find_digits(struct told *told)
{
    for (uint64_t i = 0; i < told->text.len; i++)
        if (told->text.ptr[i] >= '0' && told->text.ptr[i] <= '9') {
            told->digit[told->count] = told->text.ptr[i];
            told->at[told->count++] = (uint16_t)i;
        }
}

static uint32_t hide(struct told *told, uint64_t first, uint64_t count)
{
    for (uint64_t i = count >= 13 ? 6 : 0; i + 4 < count; i++)
        told->hidden[told->at[first + i]] = 1;
    return 1;
}

/* Does the digit follow the one before at once, or behind one blank or hyphen? */
static uint32_t is_apart(const struct told *told, uint64_t digit)
{
    if (digit == 0 || digit >= told->count)
        return 2;
    uint64_t gap = told->at[digit] - told->at[digit - 1] - 1u;
    uint8_t between = told->text.ptr[told->at[digit] - 1];
    return gap == 0 ? 0 : gap == 1 && (between == ' ' || between == '-') ? 1 : 2;
}

/* From the start of a group to the end of a group. */
static uint32_t hide_look_alikes(struct told *told)
{
    uint32_t found = 0;
    for (uint64_t first = 0; first < told->count; first++)
        for (uint64_t end = first + 1; is_apart(told, first) != 0 && end - first <= PAN_MAX;
             end++) {
            uint32_t apart = is_apart(told, end);
            if (end - first >= 13 && apart != 0 && luhn(told->digit + first, end - first))
                found |= hide(told, first, end - first);
            if (apart == 2)
                break;
        }
    return found;
}

/* Digits of 5A (padded with F) and of 57 (up to its separator D). */
static uint64_t pan_of(const struct qr_object *o, uint8_t pan[PAN_MAX])
{
    uint64_t len = 0;
    for (; len < PAN_MAX && len < o->value.len * 2; len++) {
        uint32_t nibble = (uint32_t)o->value.ptr[len / 2] >> (len % 2 == 0 ? 4 : 0) & 15u;
        if (nibble > 9)
            break;
        pan[len] = (uint8_t)('0' + nibble);
    }
    return len;
}

static uint32_t stands_at(const struct told *told, uint64_t first, const uint8_t *pan, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) {
        if (told->digit[first + i] != pan[i])
            return 0;
        uint64_t from = i > 0 ? told->at[first + i - 1] + 1u : told->at[first];
        if (told->at[first + i] - from > GAP_MAX)
            return 0;
        for (uint64_t k = from; k < told->at[first + i]; k++)
            if (text_lower(told->text.ptr[k]) >= 'a' && text_lower(told->text.ptr[k]) <= 'z')
                return 0;
    }
    return 1;
}

static uint32_t hide_pans(struct told *told, const struct qr_code *sent)
{
    uint32_t found = 0;
    uint8_t pan[PAN_MAX];
    for (uint32_t i = 0; i < sent->count; i++) {
        const struct qr_object *o = &sent->objects[i];
        uint64_t len = o->tag == 0x57 || o->tag == 0x5A ? pan_of(o, pan) : 0;
        for (uint64_t first = 0; len >= 8 && first + len <= told->count; first++)
            if (stands_at(told, first, pan, len))
                found |= hide(told, first, len);
    }
    return found;
}

static uint32_t repeats_code(struct rg_bytes text, struct rg_bytes code)
{
    for (uint64_t i = 0; i + ECHO_MIN <= text.len; i++)
        for (uint64_t k = 0; k + ECHO_MIN <= code.len; k++)
            if (text_same(text_slice(text, i, ECHO_MIN), text_slice(code, k, ECHO_MIN)))
                return 1;
    return 0;
}

uint32_t qr_put_told(struct rg_buffer *b, struct rg_bytes text, const struct qr_code *sent)
{
    struct told told = { .text = text };
    uint32_t consumer = sent != NULL && sent->presented == QR_CONSUMER;
    if (text.len > QR_TOLD_MAX || (consumer && repeats_code(text, sent->text))) {
        rg_put_text(b, NOT_SHOWN);
        return 1;
    }
    find_digits(&told);
    uint32_t found = hide_look_alikes(&told);
    if (consumer)
        found |= hide_pans(&told, sent);
    for (uint64_t i = 0; i < text.len; i++)
        rg_put_u8(b, told.hidden[i] ? '*' : text.ptr[i]);
    return found;
}

uint32_t qr_object_secret(const struct qr_code *code, const struct qr_object *object)
{
    if (code->presented == QR_CONSUMER)
        return object->tag == 0x57 || object->tag == 0x5A || object->tag == 0x9F25 ||
               object->tag == 0x5F24;
    return object->depth == 0 && object->tag >= 2 && object->tag <= 25;
}

void qr_put_masked_code(struct rg_buffer *b, const struct qr_code *code)
{
    uint64_t at = 0;
    if (code->presented == QR_CONSUMER) {
        for (; at < code->text.len; at++)
            rg_put_u8(b, at < 8 ? code->text.ptr[at] : '*');
        return;
    }
    /* Values of objects without objects in them, in the order of the text: templates are listed
     * before what is in them, but their children stand behind all objects of the level above. */
    while (at < code->text.len) {
        const struct qr_object *next = NULL;
        for (uint32_t i = 0; i < code->count; i++) {
            const struct qr_object *o = &code->objects[i];
            if (!o->template && o->value.len > 0 && o->at_byte >= at &&
                (next == NULL || o->at_byte < next->at_byte))
                next = o;
        }
        if (next == NULL)
            break;
        uint64_t begin = (uint64_t)(next->value.ptr - code->text.ptr);
        rg_put_bytes(b, text_slice(code->text, at, begin - at));
        qr_put_masked(b, next->value, qr_object_secret(code, next));
        at = begin + next->value.len;
    }
    /* What could not be cut, if anything. */
    qr_put_masked(b, text_slice(code->text, at, code->text.len), 1);
}
