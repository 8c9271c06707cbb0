/* iso_msg.c - see iso_msg.h.
 *
 * One table row per element, made from iso_fields.def; take_* read a piece of the wire in one of
 * the packagings and append its canonical form to the store, put_* do the reverse. Everything from
 * outside is checked for its class of characters: a letter where digits belong is MALFORMED, and so
 * is a BCD nibble above 9, a non-zero filler nibble and a control character in text.
 */
#include "iso_msg.h"

#include "base/ensure.h"

enum kind { KIND_NONE = 0, KIND_N, KIND_X, KIND_T, KIND_Z, KIND_B };
enum length { LENGTH_NONE = 0, LENGTH_FIXED, LENGTH_LL, LENGTH_LLL };

struct spec {
    uint8_t kind;
    uint8_t length;
    uint16_t max;
};

static const struct spec SPECS[ISO_FIELD_MAX + 1] = {
#define FIELD(number, k, l, m) [number] = { .kind = KIND_##k, .length = LENGTH_##l, .max = (m) },
#include "iso_fields.def"
#undef FIELD
};

void iso_msg_init(struct iso_msg *m, const char *mti)
{
    ENSURE(strlen(mti) == 4);
    memcpy(m->mti, mti, 5);
    m->overflow = false;
    m->used = 0;
    m->present[0] = m->present[1] = 0;
}

bool iso_msg_has(const struct iso_msg *m, unsigned number)
{
    ENSURE(number >= 1 && number <= ISO_FIELD_MAX);
    return (m->present[(number - 1) / 64] >> ((number - 1) % 64)) & 1u;
}

struct view iso_msg_get(const struct iso_msg *m, unsigned number)
{
    if (!iso_msg_has(m, number))
        return VIEW_EMPTY;
    return view_of(m->store + m->field[number].at, m->field[number].len);
}

void iso_msg_remove(struct iso_msg *m, unsigned number)
{
    ENSURE(number >= 1 && number <= ISO_FIELD_MAX);
    m->present[(number - 1) / 64] &= ~(1ull << ((number - 1) % 64));
}

/* Room for an element at the end of the store; NULL when it is full. */
static uint8_t *store_room(struct iso_msg *m, unsigned number, size_t len)
{
    if (len > (size_t)ISO_STORE_SIZE - m->used)
        return NULL;
    uint8_t *at = m->store + m->used;
    m->field[number].at = m->used;
    m->field[number].len = (uint16_t)len;
    m->used = (uint16_t)(m->used + len);
    m->present[(number - 1) / 64] |= 1ull << ((number - 1) % 64);
    return at;
}

void iso_msg_put(struct iso_msg *m, unsigned number, struct view value)
{
    ENSURE(number >= 2 && number <= ISO_FIELD_MAX && SPECS[number].kind != KIND_NONE);
    const struct spec *s = &SPECS[number];
    size_t len = s->length == LENGTH_FIXED ? s->max : value.len;
    uint8_t *at = value.len <= s->max && len > 0 ? store_room(m, number, len) : NULL;
    if (at == NULL) {
        m->overflow = true;
        return;
    }
    size_t fill = len - value.len;
    bool left = s->kind == KIND_N;
    memset(left ? at : at + value.len, left ? '0' : ' ', fill);
    if (value.len > 0)
        memcpy(left ? at + fill : at, value.ptr, value.len);
}

void iso_msg_put_number(struct iso_msg *m, unsigned number, uint64_t value)
{
    uint8_t text[20];
    struct writer w = writer_over(text, sizeof text);
    writer_u64_text(&w, value);
    iso_msg_put(m, number, writer_done(&w));
}

/* --- reading ----------------------------------------------------------------------------- */
static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool text_fits(enum kind kind, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = p[i];
        bool ok = true;
        switch (kind) {
        case KIND_N: ok = is_digit(c); break;
        case KIND_X: ok = i == 0 ? c == 'C' || c == 'D' : is_digit(c); break;
        case KIND_Z: ok = is_digit(c) || c == '=' || c == 'D'; break;
        default: ok = c >= 0x20 && c <= 0x7e; break;
        }
        if (!ok)
            return false;
    }
    return true;
}

/* `count` nibbles; an odd count has its filler in front (digits) or behind (track 2). */
static enum status take_nibbles(struct cursor *in, size_t count, bool track, uint8_t *out)
{
    struct view raw;
    TRY(cursor_take(in, (count + 1) / 2, &raw));
    size_t skip = count % 2 == 1 && !track ? 1 : 0;
    for (size_t i = 0; i < raw.len * 2; i++) {
        uint8_t nibble = i % 2 == 0 ? raw.ptr[i / 2] >> 4 : raw.ptr[i / 2] & 0x0f;
        if (i < skip || i >= count + skip) {
            if (nibble != (track ? 0x0f : 0x00))
                return STATUS_MALFORMED;
            continue;
        }
        if (nibble <= 9)
            out[i - skip] = (uint8_t)('0' + nibble);
        else if (track && nibble == 0x0d)
            out[i - skip] = '=';
        else
            return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

static enum status take_length(struct cursor *in, enum iso_packaging p, unsigned digits,
                               size_t *out)
{
    uint8_t text[4];
    if (p == ISO_BCD) {
        TRY(take_nibbles(in, digits, false, text));
    } else {
        struct view raw;
        TRY(cursor_take(in, digits, &raw));
        if (!text_fits(KIND_N, raw.ptr, digits))
            return STATUS_MALFORMED;
        memcpy(text, raw.ptr, digits);
    }
    *out = 0;
    for (unsigned i = 0; i < digits; i++)
        *out = *out * 10 + (size_t)(text[i] - '0');
    return STATUS_OK;
}

static enum status take_binary(struct cursor *in, enum iso_packaging p, size_t len, uint8_t *out)
{
    struct view raw;
    if (p != ISO_ASCII) {
        TRY(cursor_take(in, len, &raw));
        memcpy(out, raw.ptr, len);
        return STATUS_OK;
    }
    size_t written = 0;
    TRY(cursor_take(in, len * 2, &raw));
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] >= 'a') /* the contract knows upper case only */
            return STATUS_MALFORMED;
    return hex_decode(raw, out, len, &written);
}

static enum status take_field(struct cursor *in, enum iso_packaging p, struct iso_msg *m,
                              unsigned number)
{
    const struct spec *s = &SPECS[number];
    size_t len = s->max;
    if (s->kind == KIND_NONE)
        return STATUS_UNSUPPORTED;
    if (s->length != LENGTH_FIXED)
        TRY(take_length(in, p, s->length == LENGTH_LL ? 2 : 3, &len));
    if (len == 0 || len > s->max)
        return STATUS_RANGE;
    if (len > cursor_left(in) * 2) /* cheaper than room in the store that is never filled */
        return STATUS_SHORT;
    uint8_t *at = store_room(m, number, len);
    if (at == NULL)
        return STATUS_FULL;
    if (s->kind == KIND_B)
        return take_binary(in, p, len, at);
    if (p == ISO_BCD && (s->kind == KIND_N || s->kind == KIND_Z))
        return take_nibbles(in, len, s->kind == KIND_Z, at);
    if (p == ISO_BCD && s->kind == KIND_X) {
        TRY(cursor_u8(in, at));
        TRY(take_nibbles(in, len - 1, false, at + 1));
    } else {
        struct view raw;
        TRY(cursor_take(in, len, &raw));
        memcpy(at, raw.ptr, len);
    }
    if (!text_fits(s->kind, at, len))
        return STATUS_MALFORMED;
    for (size_t i = 0; s->kind == KIND_Z && i < len; i++)
        at[i] = at[i] == 'D' ? '=' : at[i];
    return STATUS_OK;
}

static enum status take_bitmap(struct cursor *in, enum iso_packaging p, uint64_t *bits)
{
    uint8_t raw[8];
    TRY(take_binary(in, p, 8, raw));
    *bits = 0;
    for (unsigned i = 0; i < 64; i++)
        if ((raw[i / 8] >> (7 - i % 8)) & 1)
            *bits |= 1ull << i;
    return STATUS_OK;
}

enum status iso_msg_decode(struct view bytes, enum iso_packaging p, struct iso_msg *out,
                           unsigned *field_at_fault, size_t *mac_at)
{
    struct cursor in = cursor_over(bytes);
    uint64_t bits[2] = { 0, 0 };
    iso_msg_init(out, "0000");
    out->mti[0] = '\0';
    *field_at_fault = 0;
    *mac_at = bytes.len;
    uint8_t mti[4];
    if (p == ISO_BCD) {
        TRY(take_nibbles(&in, 4, false, mti));
    } else {
        struct view raw;
        TRY(cursor_take(&in, 4, &raw));
        memcpy(mti, raw.ptr, 4);
    }
    if (!text_fits(KIND_N, mti, 4))
        return STATUS_MALFORMED;
    memcpy(out->mti, mti, 4);
    *field_at_fault = 1;
    TRY(take_bitmap(&in, p, &bits[0]));
    bool secondary = bits[0] & 1u;
    if (secondary)
        TRY(take_bitmap(&in, p, &bits[1]));
    unsigned mac_field = secondary ? 128 : 64;
    for (unsigned n = 2; n <= (secondary ? 128u : 64u); n++) {
        if (!((bits[(n - 1) / 64] >> ((n - 1) % 64)) & 1u))
            continue;
        *field_at_fault = n;
        if (n == mac_field)
            *mac_at = in.taken;
        enum status s = take_field(&in, p, out, n);
        if (s != STATUS_OK) {
            if (SPECS[n].kind != KIND_NONE)
                iso_msg_remove(out, n);
            return s;
        }
    }
    return cursor_left(&in) == 0 ? STATUS_OK : STATUS_MALFORMED;
}

/* --- writing ----------------------------------------------------------------------------- */
static uint8_t nibble_of(uint8_t c)
{
    return c == '=' ? 0x0d : (uint8_t)((c - '0') & 0x0f);
}

static void put_nibbles(struct writer *w, struct view text, bool track)
{
    size_t i = 0;
    if (text.len % 2 == 1 && !track)
        writer_u8(w, nibble_of(text.ptr[i++]));
    for (; i < text.len; i += 2) {
        uint8_t low = i + 1 < text.len ? nibble_of(text.ptr[i + 1]) : 0x0f;
        writer_u8(w, (uint8_t)(nibble_of(text.ptr[i]) << 4 | low));
    }
}

static void put_digits(struct writer *w, enum iso_packaging p, uint64_t value, unsigned digits)
{
    uint8_t text[8];
    struct writer t = writer_over(text, sizeof text);
    writer_u64_padded(&t, value, digits);
    if (p == ISO_BCD)
        put_nibbles(w, writer_done(&t), false);
    else
        writer_view(w, writer_done(&t));
}

static void put_binary(struct writer *w, enum iso_packaging p, struct view bytes)
{
    if (p == ISO_ASCII)
        writer_hex_upper(w, bytes);
    else
        writer_view(w, bytes);
}

static void put_field(struct writer *w, enum iso_packaging p, unsigned number, struct view value)
{
    const struct spec *s = &SPECS[number];
    if (s->length != LENGTH_FIXED)
        put_digits(w, p, value.len, s->length == LENGTH_LL ? 2 : 3);
    if (s->kind == KIND_B) {
        put_binary(w, p, value);
    } else if (p == ISO_BCD && (s->kind == KIND_N || s->kind == KIND_Z)) {
        put_nibbles(w, value, s->kind == KIND_Z);
    } else if (p == ISO_BCD && s->kind == KIND_X) {
        writer_u8(w, value.ptr[0]);
        put_nibbles(w, view_slice(value, 1, value.len), false);
    } else {
        writer_view(w, value);
    }
}

static void put_bitmap(struct writer *w, enum iso_packaging p, uint64_t bits)
{
    uint8_t raw[8] = { 0 };
    for (unsigned i = 0; i < 64; i++)
        if ((bits >> i) & 1)
            raw[i / 8] |= (uint8_t)(0x80 >> (i % 8));
    put_binary(w, p, view_of(raw, sizeof raw));
}

enum status iso_msg_encode(const struct iso_msg *m, enum iso_packaging p, struct writer *w,
                           size_t *mac_at)
{
    size_t start = w->len;
    bool secondary = m->present[1] != 0;
    if (m->overflow)
        return STATUS_FULL;
    if (p == ISO_BCD)
        put_nibbles(w, view_of(m->mti, 4), false);
    else
        writer_bytes(w, m->mti, 4);
    put_bitmap(w, p, secondary ? m->present[0] | 1u : m->present[0] & ~1ull);
    if (secondary)
        put_bitmap(w, p, m->present[1]);
    bool mac_seen = false;
    for (unsigned n = 2; n <= (secondary ? 128u : 64u); n++) {
        if (!iso_msg_has(m, n))
            continue;
        if (n == (secondary ? 128u : 64u)) {
            *mac_at = w->len - start;
            mac_seen = true;
        }
        put_field(w, p, n, iso_msg_get(m, n));
    }
    if (!mac_seen)
        *mac_at = w->len - start;
    return writer_status(w);
}

enum status iso_packaging_parse(struct view text, enum iso_packaging *out)
{
    static const char *const NAMES[] = {
        [ISO_ASCII] = "iso87-ascii", [ISO_BCD] = "iso87-bcd", [ISO_BINARY] = "iso87-binary"
    };
    for (unsigned i = ISO_ASCII; i <= ISO_BINARY; i++) {
        if (view_is(text, NAMES[i])) {
            *out = (enum iso_packaging)i;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}
