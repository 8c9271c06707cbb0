/* SPDX-License-Identifier: Apache-2.0
 *
 * iso8583_packaging.c - built-in packagings and their overrides, see iso8583.h.
 *
 * iso8583_fields.def says what a field is (kind, content, maximum); a flavour says how each content
 * is written. The built-in packagings are the product of the two. An override replaces one row of
 * the result, after the checks that keep the codec's promises: lengths fit their digits, an
 * encoding fits its content, the MAC fields stay what the MAC rule needs.
 */
#include "kits/iso8583.h"

#include <railgate/writer.h>
#include <string.h>

struct field_row {
    uint8_t number;
    uint8_t length;
    uint8_t content;
    uint16_t max;
};

static const struct field_row fields[] = {
#define FIELD(number, length, content, max, origin, name)                                          \
    { number, ISO_##length, ISO_##content, max },
#include "kits/iso8583_fields.def"
#undef FIELD
};

struct flavour {
    uint8_t mti, bitmap, length, digits, binary;
};

static const struct flavour flavours[] = {
    [ISO87_ASCII] = { ISO_ASCII, ISO_ASCII, ISO_ASCII, ISO_ASCII, ISO_ASCII },
    [ISO87_BCD] = { ISO_BCD, ISO_BINARY, ISO_BCD, ISO_BCD, ISO_BINARY },
    [ISO87_BINARY] = { ISO_ASCII, ISO_BINARY, ISO_ASCII, ISO_ASCII, ISO_BINARY },
};

void iso_packaging_init(struct iso_packaging *packaging, enum iso_builtin which)
{
    const struct flavour *flavour = &flavours[which];
    memset(packaging, 0, sizeof *packaging);
    packaging->mti_encoding = flavour->mti;
    packaging->bitmap_encoding = flavour->bitmap;
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct iso_row *row = &packaging->rows[fields[i].number];
        row->length = fields[i].length;
        row->content = fields[i].content;
        row->max = fields[i].max;
        row->length_encoding = flavour->length;
        switch (row->content) {
        case ISO_N:
        case ISO_Z:
        case ISO_XN: row->encoding = flavour->digits; break;
        case ISO_B: row->encoding = flavour->binary; break;
        default: row->encoding = ISO_ASCII; break;
        }
    }
}

/* --- overrides ------------------------------------------------------------------------------- */

struct word {
    const char *text;
    uint8_t value;
};

static const struct word length_words[] = {
    { "fixed", ISO_FIXED }, { "llvar", ISO_LLVAR }, { "lllvar", ISO_LLLVAR }, { NULL, 0 }
};
static const struct word content_words[] = { { "n", ISO_N }, { "an", ISO_AN }, { "ans", ISO_ANS },
                                             { "b", ISO_B }, { "z", ISO_Z },   { "x+n", ISO_XN },
                                             { NULL, 0 } };
static const struct word encoding_words[] = {
    { "ascii", ISO_ASCII }, { "bcd", ISO_BCD }, { "binary", ISO_BINARY }, { NULL, 0 }
};

/* 0 when there is no such word. */
static uint8_t word_value(const struct word *words, struct rg_bytes text)
{
    for (; words->text != NULL; words++)
        if (strlen(words->text) == text.len && memcmp(words->text, text.ptr, text.len) == 0)
            return words->value;
    return 0;
}

/* 1..999, or 0. */
static unsigned number_value(struct rg_bytes text)
{
    unsigned value = 0;
    if (text.len < 1 || text.len > 3)
        return 0;
    for (uint64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return value;
}

/* What is wrong with a row, or NULL. */
static const char *row_fault(unsigned number, const struct iso_row *row)
{
    if (row->max > (row->length == ISO_LLVAR ? 99 : 999))
        return "has a maximum that its length digits cannot say";
    if (row->content == ISO_XN && row->max < 2)
        return "needs a sign and at least one digit";
    switch (row->content) {
    case ISO_B:
        if (row->encoding == ISO_BCD)
            return "is binary content and cannot be bcd; use ascii (hex text) or binary";
        break;
    case ISO_N:
    case ISO_Z:
    case ISO_XN:
        if (row->encoding == ISO_BINARY)
            return "is digits and cannot be binary; use ascii or bcd";
        break;
    default:
        if (row->encoding != ISO_ASCII)
            return "is text and can only be ascii";
        break;
    }
    if (number % 64 == 0 && (row->content != ISO_B || row->length != ISO_FIXED || row->max != 8))
        return "is the MAC field and must stay fixed b 8";
    return NULL;
}

#define WORDS_MAX 6u

/* Splits at blanks; the number of words, or WORDS_MAX + 1 when there are too many. */
static unsigned split_words(const uint8_t *text, uint64_t len, struct rg_bytes words[WORDS_MAX])
{
    unsigned count = 0;
    for (uint64_t i = 0; i < len;) {
        if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r') {
            i++;
            continue;
        }
        uint64_t start = i;
        while (i < len && text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            i++;
        if (count == WORDS_MAX)
            return WORDS_MAX + 1;
        words[count++] = (struct rg_bytes){ text + start, i - start };
    }
    return count;
}

static const char *override_row(struct iso_packaging *packaging, const struct rg_bytes *words,
                                unsigned count)
{
    if (count < 5 || count > WORDS_MAX)
        return "needs: number, fixed|llvar|lllvar, n|an|ans|b|z|x+n, maximum, ascii|bcd|binary";
    unsigned number = number_value(words[0]);
    if (number < 2 || number > ISO_FIELD_MAX || number == 65)
        return "has a field number that is not 2 to 64 or 66 to 128";
    struct iso_row row = packaging->rows[number];
    row.length = word_value(length_words, words[1]);
    row.content = word_value(content_words, words[2]);
    row.max = (uint16_t)number_value(words[3]);
    row.encoding = word_value(encoding_words, words[4]);
    if (count == 6)
        row.length_encoding = word_value(encoding_words, words[5]);
    if (row.length == 0)
        return "has a length kind that is not fixed, llvar or lllvar";
    if (row.content == 0)
        return "has a content that is not n, an, ans, b, z or x+n";
    if (row.max == 0)
        return "has a maximum that is not 1 to 999";
    if (row.encoding == 0 || row.length_encoding == 0)
        return "has an encoding that is not ascii, bcd or binary";
    const char *fault = row_fault(number, &row);
    if (fault == NULL)
        packaging->rows[number] = row;
    return fault;
}

uint32_t iso_packaging_override(struct iso_packaging *packaging, struct rg_bytes rows,
                                struct rg_buffer *why)
{
    unsigned row_number = 0;
    for (uint64_t at = 0; at < rows.len;) {
        uint64_t end = at;
        while (end < rows.len && rows.ptr[end] != ';' && rows.ptr[end] != '\n')
            end++;
        struct rg_bytes words[WORDS_MAX];
        unsigned count = split_words(rows.ptr + at, end - at, words);
        at = end + 1;
        if (count == 0)
            continue;
        row_number++;
        const char *fault = override_row(packaging, words, count);
        if (fault == NULL)
            continue;
        rg_put_text(why, "row ");
        rg_put_digits(why, row_number, row_number < 10 ? 1 : row_number < 100 ? 2 : 5);
        rg_put_text(why, " ");
        rg_put_text(why, fault);
        return 0;
    }
    return 1;
}
