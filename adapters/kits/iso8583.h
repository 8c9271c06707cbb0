/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/iso8583.h - an ISO 8583:1987 codec whose packaging is data.
 *
 * A packaging says how the MTI, the bitmap and each field look on the line. Start from a built-in
 * one (iso_packaging_init), replace single rows by text (iso_packaging_override), then pack and
 * unpack with it. A message holds values in one plain form whatever the packaging:
 *     n, an, ans  ASCII text       x+n  sign 'C' or 'D', then ASCII digits
 *     z           ASCII, '='       b    bytes
 *
 *     struct iso_message m;
 *     iso_message_init(&m, "0100");
 *     iso_set_number(&m, 4, 1000);
 *     iso_set_text(&m, 41, "TERM0001");
 *     result = iso_pack(&packaging, &m, &out);
 *
 * Everything here is pure: no memory is taken, no global changes, any thread may call. Setters
 * latch: a value that cannot be held is remembered and iso_pack() reports it, so an encoder of
 * forty fields reads like the specification. iso_unpack() accepts exactly one whole message and
 * nothing around it.
 */
#ifndef KITS_ISO8583_H
#define KITS_ISO8583_H

#include <railgate/adapter.h>
#include <stddef.h>
#include <stdint.h>

enum iso_length {
    ISO_FIXED = 1,
    ISO_LLVAR,
    ISO_LLLVAR,
};

enum iso_content {
    ISO_N = 1,
    ISO_AN,
    ISO_ANS,
    ISO_B,
    ISO_Z,
    ISO_XN,
};

enum iso_encoding {
    ISO_ASCII = 1, /* b: upper-case hex text */
    ISO_BCD,       /* n, z, x+n and lengths only */
    ISO_BINARY,    /* b and lengths only */
};

/* What pack and unpack answer. ISO_OK is 1; nothing else is success. */
enum iso_result {
    ISO_OK = 1,
    ISO_TRUNCATED,     /* the message ends inside a field */
    ISO_TRAILING,      /* bytes after the last field */
    ISO_BAD_MTI,       /* not four digits */
    ISO_BAD_BITMAP,    /* not hex */
    ISO_UNKNOWN_FIELD, /* the bitmap shows a field that the packaging does not have */
    ISO_BAD_LENGTH,    /* not digits, or over the maximum of the field */
    ISO_BAD_CONTENT,   /* a byte, digit or pad that the content does not allow */
    ISO_NO_ROOM,       /* the value store or the room for the output is used up */
};

#define ISO_FIELD_MAX   128u
#define ISO_MESSAGE_MAX 4096u /* bytes of a packed message */
#define ISO_TEXT_MAX    8192u /* BCD doubles when it becomes text */

struct iso_row {
    uint8_t length;          /* enum iso_length; 0: the packaging has no such field */
    uint8_t content;         /* enum iso_content */
    uint8_t encoding;        /* enum iso_encoding */
    uint8_t length_encoding; /* enum iso_encoding; LLVAR and LLLVAR only */
    uint16_t max;            /* digits or characters; b: bytes; x+n: with the sign */
};

struct iso_packaging {
    uint8_t mti_encoding;    /* ISO_ASCII or ISO_BCD */
    uint8_t bitmap_encoding; /* ISO_ASCII or ISO_BINARY */
    struct iso_row rows[ISO_FIELD_MAX + 1];
};

enum iso_builtin {
    ISO87_ASCII = 1,
    ISO87_BCD,
    ISO87_BINARY,
};

struct iso_value {
    uint16_t at;
    uint16_t len;
    uint8_t present; /* 1 or 0 */
};

struct iso_message {
    char mti[5]; /* four digits and a zero byte */
    /* After iso_unpack(): 1 when there was a secondary bitmap. */
    uint8_t secondary;
    /* The field that an error is about; 0 for MTI, bitmap and trailing bytes. */
    uint8_t error_field;
    uint8_t error; /* latched enum iso_result of the setters; 0 none */
    uint16_t text_len;
    /* After iso_unpack(): offset of the first byte of the MAC field in the message, 0 when it has
     * none. The bytes before it are what the MAC covers. */
    uint32_t mac_at;
    struct iso_value values[ISO_FIELD_MAX + 1];
    uint8_t text[ISO_TEXT_MAX];
};

/* Fills *packaging with a built-in one. */
void iso_packaging_init(struct iso_packaging *packaging, enum iso_builtin which);

/* Replaces rows by text: "48 lllvar ans 999 ascii; 55 lllvar b 255 binary bcd", i.e. number, kind
 * (fixed, llvar, lllvar), content (n, an, ans, b, z, x+n), maximum, encoding (ascii, bcd, binary)
 * and, if it differs from the row's, the encoding of the length. Rows are separated by ';' or
 * newline. Fields 64 and 128 stay fixed, b, 8. Returns 1, or 0 with one sentence in *why that
 * quotes the row's number (1, 2, ...); *packaging is then half changed. */
uint32_t iso_packaging_override(struct iso_packaging *packaging, struct rg_bytes rows,
                                struct rg_buffer *why);

/* Starts an empty message; mti is four digits. */
void iso_message_init(struct iso_message *m, const char *mti);

/* Set field `number` (2..128, not 65); the value is copied. A field set twice latches
 * ISO_BAD_CONTENT. A shorter value of a fixed field is padded when packed: n with zeros on the
 * left, an and ans with spaces on the right; b, z and x+n must fit exactly. */
void iso_set(struct iso_message *m, unsigned number, const void *bytes, uint64_t len);
void iso_set_text(struct iso_message *m, unsigned number, const char *text);
void iso_set_number(struct iso_message *m, unsigned number, uint64_t value);

/* The value of a field; ptr NULL and len 0 when it is not there. Lives as long as *m. */
struct rg_bytes iso_get(const struct iso_message *m, unsigned number);
/* 1 when the field is present and reads as digits that fit; then *value is set. */
uint32_t iso_get_number(const struct iso_message *m, unsigned number, uint64_t *value);

/* Appends the packed message to *out. */
enum iso_result iso_pack(const struct iso_packaging *packaging, struct iso_message *m,
                         struct rg_buffer *out);
/* The same for a message that will carry a MAC: the bitmap shows field 64 (128 when a secondary
 * bitmap exists) and everything before that field is written. What was written is what the MAC
 * covers; iso_pack_mac() then adds the field itself. */
enum iso_result iso_pack_before_mac(const struct iso_packaging *packaging, struct iso_message *m,
                                    struct rg_buffer *out);
enum iso_result iso_pack_mac(const struct iso_packaging *packaging, const struct iso_message *m,
                             const uint8_t mac[8], struct rg_buffer *out);

/* Reads one whole message. On any other answer than ISO_OK, *m holds the MTI (if that was good) and
 * the fields before m->error_field, and must not be trusted for more than correlation. */
enum iso_result iso_unpack(const struct iso_packaging *packaging, const uint8_t *bytes,
                           uint64_t len, struct iso_message *m);

/* One short phrase for a result: "ends inside a field". */
const char *iso_result_text(enum iso_result result);

#endif
