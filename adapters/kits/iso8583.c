/* SPDX-License-Identifier: Apache-2.0
 *
 * iso8583.c - packing and unpacking, see iso8583.h.
 *
 * A message on the line is MTI, bitmap, then the fields in rising order, each with its length if it
 * has one. Nothing separates fields, so one wrong length makes nonsense of all that follows: every
 * length is held against the row's maximum and every character against the row's content, and the
 * last field must end exactly where the message ends.
 *
 * Reading is strict where two spellings could mean one message (hex is upper-case, pad nibbles have
 * one value), because a MAC or a comparison downstream would otherwise see a difference that the
 * reader did not, or the reverse.
 *
 * Values of a message lie one after the other in m->text; a value is an offset and a length. BCD
 * grows to twice its size there, which is why ISO_TEXT_MAX is twice ISO_MESSAGE_MAX.
 */
#include "kits/iso8583.h"

#include "kits/hex.h"
#include <railgate/writer.h>
#include <string.h>

#define BITMAP_BYTES 8u

/* --- values ---------------------------------------------------------------------------------- */

static uint32_t is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint32_t content_allows(uint8_t content, uint8_t c, uint64_t position)
{
    switch (content) {
    case ISO_N: return is_digit(c);
    case ISO_XN: return position == 0 ? c == 'C' || c == 'D' : is_digit(c);
    case ISO_Z: return is_digit(c) || c == '=';
    /* The space is not alphanumeric by the letter, but short references are padded with it. */
    case ISO_AN: return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ';
    case ISO_ANS: return c >= 0x20 && c <= 0x7E;
    case ISO_B: return 1;
    default: return 0;
    }
}

static void latch(struct iso_message *m, unsigned number, enum iso_result error)
{
    if (m->error != 0)
        return;
    m->error = (uint8_t)error;
    m->error_field = (uint8_t)number;
}

void iso_message_init(struct iso_message *m, const char *mti)
{
    memset(m, 0, offsetof(struct iso_message, text)); /* text is read as far as it is written */
    for (unsigned i = 0; i < 4; i++) {
        if (!is_digit((uint8_t)mti[i])) {
            latch(m, 0, ISO_BAD_MTI);
            return;
        }
        m->mti[i] = mti[i];
    }
}

/* Room for a value of len bytes, or NULL. */
static uint8_t *value_room(struct iso_message *m, unsigned number, uint64_t len)
{
    if (len > ISO_TEXT_MAX - m->text_len)
        return NULL;
    struct iso_value *value = &m->values[number];
    value->at = m->text_len;
    value->len = (uint16_t)len;
    value->present = 1;
    m->text_len = (uint16_t)(m->text_len + len);
    return m->text + value->at;
}

void iso_set(struct iso_message *m, unsigned number, const void *bytes, uint64_t len)
{
    if (number < 2 || number > ISO_FIELD_MAX || number == 65) {
        latch(m, 0, ISO_UNKNOWN_FIELD);
        return;
    }
    if (m->values[number].present != 0) {
        latch(m, number, ISO_BAD_CONTENT);
        return;
    }
    uint8_t *room = value_room(m, number, len);
    if (room == NULL)
        latch(m, number, ISO_NO_ROOM);
    else if (len > 0)
        memcpy(room, bytes, len);
}

void iso_set_text(struct iso_message *m, unsigned number, const char *text)
{
    iso_set(m, number, text, strlen(text));
}

void iso_set_number(struct iso_message *m, unsigned number, uint64_t value)
{
    uint8_t digits[20];
    unsigned at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    iso_set(m, number, digits + at, sizeof digits - at);
}

struct rg_bytes iso_get(const struct iso_message *m, unsigned number)
{
    if (number > ISO_FIELD_MAX || m->values[number].present == 0)
        return (struct rg_bytes){ 0 };
    return (struct rg_bytes){ m->text + m->values[number].at, m->values[number].len };
}

uint32_t iso_get_number(const struct iso_message *m, unsigned number, uint64_t *value)
{
    struct rg_bytes text = iso_get(m, number);
    if (text.len < 1 || text.len > 18)
        return 0;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return 0;
        sum = sum * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *value = sum;
    return 1;
}

/* --- packing --------------------------------------------------------------------------------- */

/* Digits and '=' to nibbles. One pad nibble on the left (n, x+n) or F on the right (z). */
static void put_nibbles(struct rg_buffer *out, const uint8_t *text, uint64_t len,
                        uint32_t pad_right)
{
    uint64_t odd = len % 2;
    for (uint64_t i = 0; i < len + odd; i += 2) {
        uint8_t pair = 0;
        for (unsigned half = 0; half < 2; half++) {
            uint64_t at = i + half;
            uint8_t nibble;
            if (odd != 0 && pad_right == 0)
                nibble = at == 0 ? 0 : (uint8_t)(text[at - 1] == '=' ? 0xD : text[at - 1] - '0');
            else if (at == len)
                nibble = 0xF;
            else
                nibble = (uint8_t)(text[at] == '=' ? 0xD : text[at] - '0');
            pair = (uint8_t)(pair << 4 | nibble);
        }
        rg_put_u8(out, pair);
    }
}

static void put_length(const struct iso_row *row, uint64_t len, struct rg_buffer *out)
{
    unsigned digits = row->length == ISO_LLVAR ? 2 : 3;
    switch (row->length_encoding) {
    case ISO_ASCII: rg_put_digits(out, len, digits); break;
    case ISO_BCD:
        if (digits == 3)
            rg_put_u8(out, (uint8_t)(len / 100));
        rg_put_u8(out, (uint8_t)((len / 10 % 10) << 4 | len % 10));
        break;
    default:
        if (digits == 3)
            rg_put_u8(out, (uint8_t)(len >> 8));
        rg_put_u8(out, (uint8_t)len);
        break;
    }
}

static void put_content(const struct iso_row *row, const uint8_t *value, uint64_t len,
                        struct rg_buffer *out)
{
    if (row->content == ISO_B && row->encoding == ISO_ASCII) {
        for (uint64_t i = 0; i < len; i++) {
            rg_put_u8(out, hex_letter(value[i] >> 4));
            rg_put_u8(out, hex_letter(value[i]));
        }
    } else if (row->encoding == ISO_BCD && row->content == ISO_XN) {
        rg_put_u8(out, value[0]);
        put_nibbles(out, value + 1, len - 1, 0);
    } else if (row->encoding == ISO_BCD) {
        put_nibbles(out, value, len, row->content == ISO_Z);
    } else {
        rg_put(out, value, len);
    }
}

static enum iso_result pack_field(const struct iso_row *row, const uint8_t *value, uint64_t len,
                                  struct rg_buffer *out)
{
    uint8_t padded[999];
    if (row->length == 0)
        return ISO_UNKNOWN_FIELD;
    if (len > row->max || row->max > sizeof padded)
        return ISO_BAD_LENGTH;
    for (uint64_t i = 0; i < len; i++)
        if (!content_allows(row->content, value[i], i))
            return ISO_BAD_CONTENT;
    if (row->length != ISO_FIXED) {
        /* x+n as BCD has a sign byte even when nothing follows it. */
        if (row->content == ISO_XN && len == 0)
            return ISO_BAD_LENGTH;
        put_length(row, len, out);
    } else if (len < row->max) {
        uint64_t gap = row->max - len;
        switch (row->content) {
        case ISO_N:
            memset(padded, '0', gap);
            memcpy(padded + gap, value, len);
            break;
        case ISO_AN:
        case ISO_ANS:
            memcpy(padded, value, len);
            memset(padded + len, ' ', gap);
            break;
        default: return ISO_BAD_LENGTH;
        }
        value = padded;
        len = row->max;
    }
    put_content(row, value, len, out);
    return ISO_OK;
}

static unsigned mac_field(const struct iso_message *m)
{
    if (m->secondary != 0)
        return 128;
    for (unsigned n = 66; n <= ISO_FIELD_MAX; n++)
        if (m->values[n].present != 0)
            return 128;
    return 64;
}

static void put_head(const struct iso_packaging *packaging, const struct iso_message *m,
                     unsigned mac_number, struct rg_buffer *out)
{
    uint8_t bitmap[2 * BITMAP_BYTES] = { 0 };
    uint64_t len = mac_field(m) == 128 ? 2 * BITMAP_BYTES : BITMAP_BYTES;
    if (len > BITMAP_BYTES)
        bitmap[0] = 0x80;
    for (unsigned n = 2; n <= ISO_FIELD_MAX; n++)
        if (m->values[n].present != 0 || n == mac_number)
            bitmap[(n - 1) / 8] |= (uint8_t)(0x80u >> (n - 1) % 8);
    if (packaging->mti_encoding == ISO_BCD)
        put_nibbles(out, (const uint8_t *)m->mti, 4, 0);
    else
        rg_put(out, m->mti, 4);
    if (packaging->bitmap_encoding == ISO_BINARY) {
        rg_put(out, bitmap, len);
        return;
    }
    uint8_t text[4 * BITMAP_BYTES];
    hex_write(bitmap, len, text);
    rg_put(out, text, 2 * len);
}

static enum iso_result pack(const struct iso_packaging *packaging, struct iso_message *m,
                            unsigned mac_number, struct rg_buffer *out)
{
    if (m->error != 0)
        return (enum iso_result)m->error;
    put_head(packaging, m, mac_number, out);
    for (unsigned n = 2; n <= ISO_FIELD_MAX; n++) {
        if (m->values[n].present == 0)
            continue;
        struct rg_bytes value = iso_get(m, n);
        enum iso_result result = pack_field(&packaging->rows[n], value.ptr, value.len, out);
        if (result != ISO_OK) {
            m->error_field = (uint8_t)n;
            return result;
        }
    }
    m->error_field = 0;
    return out->overflow != 0 ? ISO_NO_ROOM : ISO_OK;
}

enum iso_result iso_pack(const struct iso_packaging *packaging, struct iso_message *m,
                         struct rg_buffer *out)
{
    return pack(packaging, m, 0, out);
}

enum iso_result iso_pack_before_mac(const struct iso_packaging *packaging, struct iso_message *m,
                                    struct rg_buffer *out)
{
    /* A MAC that is there already, in either place, is a mistake of the caller's. */
    for (unsigned n = 64; n <= ISO_FIELD_MAX; n += 64) {
        if (m->values[n].present != 0) {
            m->error_field = (uint8_t)n;
            return ISO_BAD_CONTENT;
        }
    }
    return pack(packaging, m, mac_field(m), out);
}

enum iso_result iso_pack_mac(const struct iso_packaging *packaging, const struct iso_message *m,
                             const uint8_t mac[8], struct rg_buffer *out)
{
    enum iso_result result = pack_field(&packaging->rows[mac_field(m)], mac, 8, out);
    if (result == ISO_OK && out->overflow != 0)
        return ISO_NO_ROOM;
    return result;
}

/* --- unpacking ------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *bytes;
    uint64_t len;
    uint64_t at;
};

/* The next `count` bytes, or NULL at the end. */
static const uint8_t *take(struct reader *in, uint64_t count)
{
    if (count > in->len - in->at)
        return NULL;
    const uint8_t *bytes = in->bytes + in->at;
    in->at += count;
    return bytes;
}

static enum iso_result take_mti(const struct iso_packaging *packaging, struct reader *in,
                                struct iso_message *m)
{
    uint8_t mti[4];
    const uint8_t *bytes = take(in, packaging->mti_encoding == ISO_BCD ? 2 : 4);
    if (bytes == NULL)
        return ISO_TRUNCATED;
    for (unsigned i = 0; i < 4; i++) {
        if (packaging->mti_encoding == ISO_BCD)
            mti[i] = (uint8_t)('0' + (i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15));
        else
            mti[i] = bytes[i];
        if (!is_digit(mti[i]))
            return ISO_BAD_MTI;
    }
    memcpy(m->mti, mti, 4);
    return ISO_OK;
}

static enum iso_result take_bitmap_half(const struct iso_packaging *packaging, struct reader *in,
                                        uint8_t *half)
{
    if (packaging->bitmap_encoding == ISO_BINARY) {
        const uint8_t *bytes = take(in, BITMAP_BYTES);
        if (bytes == NULL)
            return ISO_TRUNCATED;
        memcpy(half, bytes, BITMAP_BYTES);
        return ISO_OK;
    }
    const uint8_t *text = take(in, 2 * BITMAP_BYTES);
    if (text == NULL)
        return ISO_TRUNCATED;
    for (unsigned i = 0; i < BITMAP_BYTES; i++) {
        int high = hex_digit_upper(text[2 * i]);
        int low = hex_digit_upper(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ISO_BAD_BITMAP;
        half[i] = (uint8_t)(high << 4 | low);
    }
    return ISO_OK;
}

static enum iso_result take_length(const struct iso_row *row, struct reader *in, uint64_t *len)
{
    if (row->length == ISO_FIXED) {
        *len = row->max;
        return ISO_OK;
    }
    unsigned digits = row->length == ISO_LLVAR ? 2 : 3;
    unsigned count = row->length_encoding == ISO_ASCII ? digits : digits - 1;
    const uint8_t *bytes = take(in, count);
    if (bytes == NULL)
        return ISO_TRUNCATED;
    *len = 0;
    for (unsigned i = 0; i < count; i++) {
        if (row->length_encoding == ISO_BINARY) {
            *len = *len << 8 | bytes[i];
        } else if (row->length_encoding == ISO_BCD) {
            if (bytes[i] >> 4 > 9 || (bytes[i] & 15) > 9)
                return ISO_BAD_LENGTH;
            *len = *len * 100 + (uint64_t)(bytes[i] >> 4) * 10 + (bytes[i] & 15u);
        } else {
            if (!is_digit(bytes[i]))
                return ISO_BAD_LENGTH;
            *len = *len * 10 + (uint64_t)(bytes[i] - '0');
        }
    }
    if (*len > row->max || (row->content == ISO_XN && *len == 0))
        return ISO_BAD_LENGTH;
    return ISO_OK;
}

static enum iso_result take_hex(struct reader *in, uint64_t len, uint8_t *room)
{
    const uint8_t *text = take(in, 2 * len);
    if (text == NULL)
        return ISO_TRUNCATED;
    for (uint64_t i = 0; i < len; i++) {
        int high = hex_digit_upper(text[2 * i]);
        int low = hex_digit_upper(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ISO_BAD_CONTENT;
        room[i] = (uint8_t)(high << 4 | low);
    }
    return ISO_OK;
}

static enum iso_result take_nibbles(struct reader *in, uint64_t len, uint32_t pad_right,
                                    uint8_t *room)
{
    uint64_t odd = len % 2;
    const uint8_t *bytes = take(in, (len + odd) / 2);
    if (bytes == NULL)
        return ISO_TRUNCATED;
    for (uint64_t i = 0; i < len + odd; i++) {
        uint8_t nibble = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;
        if (odd != 0 && pad_right == 0 && i == 0) {
            if (nibble != 0)
                return ISO_BAD_CONTENT;
        } else if (odd != 0 && pad_right != 0 && i == len) {
            if (nibble != 0xF)
                return ISO_BAD_CONTENT;
        } else if (nibble > 9 && !(pad_right != 0 && nibble == 0xD)) {
            return ISO_BAD_CONTENT;
        } else {
            *room++ = (uint8_t)(nibble == 0xD ? '=' : '0' + nibble);
        }
    }
    return ISO_OK;
}

static enum iso_result take_content(const struct iso_row *row, struct reader *in, uint64_t len,
                                    uint8_t *room)
{
    if (row->content == ISO_B && row->encoding == ISO_ASCII)
        return take_hex(in, len, room);
    if (row->encoding == ISO_BCD && row->content == ISO_XN) {
        const uint8_t *sign = take(in, 1);
        if (sign == NULL)
            return ISO_TRUNCATED;
        room[0] = *sign;
        return take_nibbles(in, len - 1, 0, room + 1);
    }
    if (row->encoding == ISO_BCD)
        return take_nibbles(in, len, row->content == ISO_Z, room);
    const uint8_t *bytes = take(in, len);
    if (bytes == NULL)
        return ISO_TRUNCATED;
    if (len > 0)
        memcpy(room, bytes, len);
    return ISO_OK;
}

static enum iso_result unpack_field(const struct iso_row *row, struct reader *in,
                                    struct iso_message *m, unsigned number)
{
    if (row->length == 0)
        return ISO_UNKNOWN_FIELD;
    uint64_t len = 0;
    enum iso_result result = take_length(row, in, &len);
    if (result != ISO_OK)
        return result;
    uint8_t *room = value_room(m, number, len);
    if (room == NULL)
        return ISO_NO_ROOM;
    result = take_content(row, in, len, room);
    for (uint64_t i = 0; result == ISO_OK && i < len; i++)
        if (!content_allows(row->content, room[i], i))
            result = ISO_BAD_CONTENT;
    /* A field that could not be read is not there. */
    if (result != ISO_OK)
        m->values[number].present = 0;
    return result;
}

enum iso_result iso_unpack(const struct iso_packaging *packaging, const uint8_t *bytes,
                           uint64_t len, struct iso_message *m)
{
    uint8_t bitmap[2 * BITMAP_BYTES] = { 0 };
    struct reader in = { bytes, len, 0 };
    memset(m, 0, offsetof(struct iso_message, text)); /* text is read as far as it is written */
    if (len > ISO_MESSAGE_MAX)
        return ISO_NO_ROOM;
    enum iso_result result = take_mti(packaging, &in, m);
    if (result == ISO_OK)
        result = take_bitmap_half(packaging, &in, bitmap);
    if (result != ISO_OK)
        return result;
    m->secondary = (bitmap[0] & 0x80) != 0;
    if (m->secondary != 0) {
        result = take_bitmap_half(packaging, &in, bitmap + BITMAP_BYTES);
        if (result != ISO_OK)
            return result;
    }
    for (unsigned n = 2; n <= ISO_FIELD_MAX; n++) {
        if ((bitmap[(n - 1) / 8] & (0x80u >> (n - 1) % 8)) == 0)
            continue;
        if (n == (m->secondary != 0 ? 128u : 64u))
            m->mac_at = (uint32_t)in.at;
        result = unpack_field(&packaging->rows[n], &in, m, n);
        if (result != ISO_OK) {
            m->error_field = (uint8_t)n;
            return result;
        }
    }
    return in.at == in.len ? ISO_OK : ISO_TRAILING;
}

const char *iso_result_text(enum iso_result result)
{
    switch (result) {
    case ISO_OK: return "is well formed";
    case ISO_TRUNCATED: return "ends inside a field";
    case ISO_TRAILING: return "has bytes after the last field";
    case ISO_BAD_MTI: return "does not begin with a message type";
    case ISO_BAD_BITMAP: return "has a bitmap that is not hexadecimal";
    case ISO_UNKNOWN_FIELD: return "has a field that the packaging does not have";
    case ISO_BAD_LENGTH: return "has a field of a length that is not allowed";
    case ISO_BAD_CONTENT: return "has a field with a character that is not allowed";
    case ISO_NO_ROOM: return "is too long";
    }
    return "is not understood";
}
