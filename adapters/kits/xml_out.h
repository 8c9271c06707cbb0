/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/xml_out.h - writes XML: elements, escaped texts, amounts. Overflow latches in the buffer.
 * The order of elements is the caller's: an ISO 20022 schema is a sequence, so is the code that
 * writes one.
 *
 * Texts are UTF-8 that was checked before; what XML cannot carry at all (control characters, bytes
 * that are not UTF-8) latches overflow instead of making a broken message.
 */
#ifndef KITS_XML_OUT_H
#define KITS_XML_OUT_H

#include "kits/text.h"
#include <railgate/writer.h>

/* <name> and </name>; `name` may carry attributes in xml_out_open, as literal text. */
static inline void xml_out_open(struct rg_buffer *b, const char *name)
{
    rg_put_u8(b, '<');
    rg_put_text(b, name);
    rg_put_u8(b, '>');
}

static inline void xml_out_close(struct rg_buffer *b, const char *name)
{
    rg_put_text(b, "</");
    rg_put_text(b, name);
    rg_put_u8(b, '>');
}

static inline void xml_out_text(struct rg_buffer *b, struct rg_bytes text)
{
    while (text.len > 0 && b->overflow == 0) {
        uint32_t letter = text_letter(text);
        uint8_t c = text.ptr[0];
        if (letter == 0 || c == 0x7F || (c < 0x20 && c != '\t' && c != '\n') ||
            (letter == 3 && c == 0xEF && text.ptr[1] == 0xBF && text.ptr[2] >= 0xBE)) {
            b->overflow = 1;
            return;
        }
        if (c == '&')
            rg_put_text(b, "&amp;");
        else if (c == '<')
            rg_put_text(b, "&lt;");
        else if (c == '>')
            rg_put_text(b, "&gt;");
        else
            rg_put(b, text.ptr, letter);
        text = text_slice(text, letter, text.len);
    }
}

/* <name>text</name>; nothing at all when the text is empty: optional elements are not written
 * empty.
 */
static inline void xml_out_leaf(struct rg_buffer *b, const char *name, struct rg_bytes text)
{
    if (text.len == 0)
        return;
    xml_out_open(b, name);
    xml_out_text(b, text);
    xml_out_close(b, name);
}

static inline void xml_out_literal(struct rg_buffer *b, const char *name, const char *text)
{
    xml_out_leaf(b, name, text_of(text));
}

/* "12.50"; minor is not negative, exponent 0..4. */
static inline void xml_out_decimal(struct rg_buffer *b, int64_t minor, uint32_t exponent)
{
    uint64_t scale = 1;
    for (uint32_t i = 0; i < exponent; i++)
        scale *= 10;
    if (minor < 0 || exponent > 4) {
        b->overflow = 1;
        return;
    }
    uint64_t whole = (uint64_t)minor / scale;
    unsigned digits = 1;
    for (uint64_t rest = whole; rest >= 10; rest /= 10)
        digits++;
    rg_put_digits(b, whole, digits);
    if (exponent > 0) {
        rg_put_u8(b, '.');
        rg_put_digits(b, (uint64_t)minor % scale, exponent);
    }
}

#endif
