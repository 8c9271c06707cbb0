/* codes.c - see codes.h.
 *
 * Merchant-presented codes are ID (2 digits), length (2 digits, in characters), value; the checksum
 * 63 is the last and runs over the bytes of everything before its value. A phone is strict about
 * what it needs to pay (format, checksum, currency, amount) and does not care about the rest. */
#include "codes.h"

#include "base/ensure.h"

static const struct wallet_currency CURRENCIES[] = {
#define CURRENCY(code, number, digits) { code, number, digits },
#include "currencies.def"
#undef CURRENCY
};

const struct wallet_currency *currency_named(struct view code)
{
    for (size_t i = 0; i < COUNT_OF(CURRENCIES); i++)
        if (view_is(code, CURRENCIES[i].code))
            return &CURRENCIES[i];
    return NULL;
}

const struct wallet_currency *currency_numbered(unsigned number)
{
    for (size_t i = 0; i < COUNT_OF(CURRENCIES); i++)
        if (CURRENCIES[i].number == number)
            return &CURRENCIES[i];
    return NULL;
}

/* --- amounts ----------------------------------------------------------------------------- */
static enum status read_amount(struct view text, unsigned digits, bool exact, int64_t *out)
{
    size_t point = view_find(text, '.');
    struct view whole = view_slice(text, 0, point);
    struct view part = view_slice(text, point + 1, text.len);
    uint64_t value = 0;
    if (!view_is_digits(whole) || whole.len > 12 || part.len > digits)
        return STATUS_MALFORMED;
    if (part.len > 0 && !view_is_digits(part))
        return STATUS_MALFORMED;
    if (exact && (part.len != digits || (digits == 0 && point < text.len) ||
                  (whole.len > 1 && whole.ptr[0] == '0')))
        return STATUS_MALFORMED;
    for (size_t i = 0; i < whole.len; i++)
        value = value * 10 + (uint64_t)(whole.ptr[i] - '0');
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(i < part.len ? part.ptr[i] - '0' : 0);
    if (value == 0)
        return STATUS_RANGE;
    *out = (int64_t)value;
    return STATUS_OK;
}

enum status amount_read(struct view text, const struct wallet_currency *currency,
                        int64_t *amount_minor)
{
    return read_amount(text, currency->digits, true, amount_minor);
}

enum status amount_read_loose(struct view text, const struct wallet_currency *currency,
                              int64_t *amount_minor)
{
    return read_amount(text, currency->digits, false, amount_minor);
}

void amount_write(struct writer *w, const struct wallet_currency *currency, int64_t amount_minor)
{
    int64_t unit = 1;
    for (unsigned i = 0; i < currency->digits; i++)
        unit *= 10;
    writer_i64_text(w, amount_minor / unit);
    if (currency->digits > 0) {
        writer_text(w, ".");
        writer_u64_padded(w, (uint64_t)(amount_minor % unit), currency->digits);
    }
}

/* --- merchant-presented ------------------------------------------------------------------ */
uint16_t code_crc(struct view bytes)
{
    uint16_t crc = 0xffff; /* CRC-16 of ISO/IEC 13239: polynomial 1021, start FFFF */
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bool top = ((crc >> 15) ^ (bytes.ptr[i] >> (7 - bit) & 1)) & 1;
            crc = (uint16_t)(crc << 1 ^ (top ? 0x1021 : 0));
        }
    return crc;
}

struct element {
    unsigned id;
    struct view value;
};

/* Bytes that the first `count` characters of UTF-8 text take; SHORT when there are fewer. */
static enum status characters(struct view text, size_t count, size_t *bytes)
{
    size_t at = 0;
    while (count > 0 && at < text.len) {
        at++;
        while (at < text.len && (text.ptr[at] & 0xc0) == 0x80)
            at++;
        count--;
    }
    *bytes = at;
    return count == 0 ? STATUS_OK : STATUS_SHORT;
}

static enum status next_element(struct view *rest, struct element *out)
{
    struct view head = view_slice(*rest, 0, 4), body = view_slice(*rest, 4, rest->len);
    size_t bytes = 0;
    if (head.len < 4 || !view_is_digits(head))
        return STATUS_MALFORMED;
    out->id = (unsigned)(head.ptr[0] - '0') * 10 + (unsigned)(head.ptr[1] - '0');
    TRY(characters(body, (size_t)(head.ptr[2] - '0') * 10 + (size_t)(head.ptr[3] - '0'), &bytes));
    out->value = view_slice(body, 0, bytes);
    *rest = view_slice(body, bytes, body.len);
    return STATUS_OK;
}

/* Empty when the template has no such element, or cannot be read. */
static struct view inside(struct view template, unsigned id)
{
    struct element e;
    while (template.len > 0 && next_element(&template, &e) == STATUS_OK)
        if (e.id == id)
            return e.value;
    return VIEW_EMPTY;
}

static void add_reference(struct merchant_code *out, struct view reference)
{
    if (reference.len == 0 || reference.len > CODE_REFERENCE_MAX || view_is(reference, "***") ||
        out->reference_count == CODE_REFERENCES_MAX)
        return;
    for (size_t i = 0; i < out->reference_count; i++)
        if (view_equal(out->references[i], reference))
            return;
    out->references[out->reference_count++] = reference;
}

/* Where the schemes put what the payee recognises a payment by: Pix 62-05, others 62-01 before
 * 62-05; a PromptPay bill 30-02 and 30-03; VietQR 62-08. */
static void find_references(struct merchant_code *out, const struct view *values)
{
    struct view more = values[62];
    bool pix = view_equal_nocase(inside(values[26], 0), VIEW("br.gov.bcb.pix"));
    if (pix)
        add_reference(out, inside(more, 5));
    add_reference(out, inside(more, 1));
    add_reference(out, inside(more, 5));
    if (view_is(inside(values[30], 0), "A000000677010112")) {
        add_reference(out, inside(values[30], 2));
        add_reference(out, inside(values[30], 3));
    }
    add_reference(out, inside(more, 8));
}

static enum status bad(const char **why, const char *word)
{
    *why = word;
    return STATUS_MALFORMED;
}

static bool checksum_fits(struct view text)
{
    uint8_t sum[2];
    size_t len = 0;
    if (text.len < 8 || !view_starts_with(view_slice(text, text.len - 8, 8), VIEW("6304")) ||
        hex_decode(view_slice(text, text.len - 4, 4), sum, sizeof sum, &len) != STATUS_OK)
        return false;
    return code_crc(view_slice(text, 0, text.len - 4)) == (sum[0] << 8 | sum[1]);
}

enum status merchant_code_read(struct view text, struct merchant_code *out, const char **why)
{
    struct view values[100] = { 0 }, rest = text;
    bool seen[100] = { false };
    bool account = false;
    uint64_t number = 0;
    *out = (struct merchant_code){ .amount_minor = -1 };
    if (text.len > CODE_TEXT_MAX || !view_is_utf8(text))
        return bad(why, "text");
    if (!view_starts_with(text, VIEW("000201")))
        return bad(why, "format");
    if (!checksum_fits(text))
        return bad(why, "crc");
    while (rest.len > 0) {
        struct element e;
        if (next_element(&rest, &e) != STATUS_OK)
            return bad(why, "length");
        if (seen[e.id])
            return bad(why, "twice");
        seen[e.id] = true;
        values[e.id] = e.value;
        account = account || (e.id >= 2 && e.id <= 51 && e.value.len > 0);
    }
    if (!seen[63] || values[63].len != 4)
        return bad(why, "crc");
    if (!account)
        return bad(why, "missing_account");
    if (seen[1] && !view_is(values[1], "11") && !view_is(values[1], "12"))
        return bad(why, "initiation");
    if (values[53].len != 3 || !view_is_digits(values[53]))
        return bad(why, "currency");
    for (size_t i = 0; i < 3; i++)
        number = number * 10 + (uint64_t)(values[53].ptr[i] - '0');
    if ((out->currency = currency_numbered((unsigned)number)) == NULL)
        return bad(why, "currency");
    if (seen[54] && (values[54].len > 13 ||
                     amount_read_loose(values[54], out->currency, &out->amount_minor) != STATUS_OK))
        return bad(why, "amount");
    out->dynamic = view_is(values[1], "12");
    out->name = values[59];
    find_references(out, values);
    return STATUS_OK;
}

/* --- consumer-presented ------------------------------------------------------------------ */
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static enum status base64_read(struct view text, struct writer *w)
{
    if (text.len == 0 || text.len % 4 != 0)
        return STATUS_MALFORMED;
    size_t padding = text.ptr[text.len - 1] != '=' ? 0 : text.ptr[text.len - 2] != '=' ? 1 : 2;
    for (size_t at = 0; at < text.len; at += 4) {
        uint32_t word = 0;
        size_t keep = at + 4 == text.len ? 3 - padding : 3;
        for (size_t i = 0; i < 4; i++) {
            uint8_t c = text.ptr[at + i];
            const char *found = memchr(BASE64, c, 64);
            if (found == NULL && !(c == '=' && i > keep))
                return STATUS_MALFORMED;
            word = word << 6 | (found != NULL ? (uint32_t)(found - BASE64) : 0);
        }
        if ((word & (0xffffffu >> (8 * keep)) & 0xffffff) != 0)
            return STATUS_MALFORMED; /* bits that belong to nothing */
        for (size_t i = 0; i < keep; i++)
            writer_u8(w, (uint8_t)(word >> (16 - 8 * i)));
    }
    return writer_status(w);
}

static void base64_write(struct writer *w, struct view bytes)
{
    for (size_t at = 0; at < bytes.len; at += 3) {
        uint32_t word = 0;
        for (size_t i = 0; i < 3; i++)
            word = word << 8 | (at + i < bytes.len ? bytes.ptr[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            writer_u8(w, at + i > bytes.len ? '=' : (uint8_t)BASE64[word >> (18 - 6 * i) & 63]);
    }
}

static enum status next_tlv(struct cursor *c, uint32_t *tag, struct view *value)
{
    uint8_t byte = 0;
    size_t len = 0;
    TRY(cursor_u8(c, &byte));
    *tag = byte;
    if ((byte & 0x1f) == 0x1f) {
        TRY(cursor_u8(c, &byte));
        *tag = *tag << 8 | byte;
        if (byte & 0x80)
            return STATUS_MALFORMED; /* tags of three bytes are not in codes */
    }
    TRY(cursor_u8(c, &byte));
    len = byte;
    if (byte == 0x81) {
        TRY(cursor_u8(c, &byte));
        len = byte;
    } else if (byte >= 0x80) {
        return STATUS_MALFORMED;
    }
    return cursor_take(c, len, value);
}

/* Digits up to the padding F or the separator D of track 2. */
static bool take_token(struct view bytes, struct consumer_code *out)
{
    struct writer w = writer_over(out->token, sizeof out->token - 1);
    for (size_t i = 0; i < bytes.len * 2; i++) {
        unsigned digit = i % 2 == 0 ? bytes.ptr[i / 2] >> 4 : bytes.ptr[i / 2] & 15u;
        if (digit == 15 || digit == 13)
            break;
        if (digit > 9)
            return false;
        writer_u8(&w, (uint8_t)('0' + digit));
    }
    return writer_terminate(&w) == STATUS_OK && w.len >= 8;
}

/* An application (61) or the data common to all (62). */
static enum status read_template(struct view template, struct consumer_code *out, bool *identified,
                                 bool *token)
{
    struct cursor c = cursor_over(template);
    struct view value;
    uint32_t tag = 0;
    while (cursor_left(&c) > 0) {
        TRY(next_tlv(&c, &tag, &value));
        if (tag == 0x4f && value.len >= 5 && value.len <= 16)
            *identified = true;
        if ((tag == 0x5a || tag == 0x57) && !*token)
            *token = take_token(value, out);
    }
    return STATUS_OK;
}

enum status consumer_code_read(struct view base64, struct consumer_code *out, const char **why)
{
    uint8_t bytes[CODE_TEXT_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct view value, application = VIEW_EMPTY, shared = VIEW_EMPTY;
    uint32_t tag = 0;
    bool identified = false, token = false;
    if (base64_read(base64, &w) != STATUS_OK)
        return bad(why, "base64");
    struct cursor c = cursor_over(writer_done(&w));
    if (next_tlv(&c, &tag, &value) != STATUS_OK || tag != 0x85 || !view_is(value, "CPV01"))
        return bad(why, "format");
    while (cursor_left(&c) > 0) {
        if (next_tlv(&c, &tag, &value) != STATUS_OK)
            return bad(why, "length");
        if (tag == 0x61 && application.len == 0)
            application = value; /* the first one is the phone's favourite */
        if (tag == 0x62 && shared.len == 0)
            shared = value;
    }
    if (read_template(application, out, &identified, &token) != STATUS_OK ||
        read_template(shared, out, &(bool){ false }, &token) != STATUS_OK)
        return bad(why, "length");
    if (!identified)
        return bad(why, "missing_4f");
    return token ? STATUS_OK : bad(why, "missing_5a");
}

void consumer_code_write(struct writer *w, const char *token)
{
    uint8_t bytes[128], digits[32];
    struct writer b = writer_over(bytes, sizeof bytes), d = writer_over(digits, sizeof digits);
    size_t len = strlen(token), half = (len + 1) / 2;
    static const uint8_t AID[] = { 0xa0, 0x00, 0x00, 0x99, 0x99, 0x01 };
    writer_text(&b, "\x85\x05"
                    "CPV01");
    writer_u8(&d, 0x4f);
    writer_u8(&d, sizeof AID);
    writer_bytes(&d, AID, sizeof AID);
    writer_u8(&d, 0x5a);
    writer_u8(&d, (uint8_t)half);
    for (size_t i = 0; i < half; i++)
        writer_u8(&d, (uint8_t)((token[2 * i] - '0') << 4 |
                                (2 * i + 1 < len ? token[2 * i + 1] - '0' : 15)));
    writer_u8(&b, 0x61);
    writer_u8(&b, (uint8_t)d.len);
    writer_view(&b, writer_done(&d));
    if (d.overflow)
        b.overflow = true;
    base64_write(w, writer_done(&b));
}
