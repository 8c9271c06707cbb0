/* SPDX-License-Identifier: Apache-2.0
 *
 * iso20022.c - see iso20022.h. Elements come from xml_in one after the other:
 *
 *     outside      waiting for AppHdr and for the root of a message that we know
 *     in AppHdr    only MsgDefIdr and BizMsgIdr right below it; a signature in there is of no
 *                  matter
 *     in the root  the path below the root is kept as text; a leaf is looked up by the level it
 *                  is on
 *
 * Three items are filled side by side: what stands in the group, in the outer element that is open,
 * and in the inner one. When an item ends it becomes a row: the places of its texts in the text
 * room. At the end of its outer element and of the message, the places that it does not have itself
 * are filled with those from further out. Rows are kept from `first` on, `most` of them; others are
 * counted.
 */
#include "kits/iso20022.h"
#include "kits/text.h"
#include "kits/xml_in.h"

#include <stddef.h>
#include <string.h>

#define NAMESPACE "urn:iso:std:iso:20022:tech:xsd:"
#define PATH_MAX  512u

enum level { LEVEL_GROUP = 1, LEVEL_OUTER, LEVEL_INNER };
enum use { USE_REF = 1, USE_TEXT };

struct message_row {
    uint32_t kind;
    const char *root, *name, *outer, *inner;
};
struct take_row {
    uint32_t kind;
    uint32_t level;
    const char *path;
    uint16_t at, room; /* of the field in struct iso_item */
    uint32_t use;
};

static const struct message_row message_rows[] = {
#define MESSAGE(kind, root, name, outer, inner) { ISO_##kind, root, name, outer, inner },
#define TAKE(kind, level, path, field, use)
#include "iso20022_paths.def"
#undef MESSAGE
#undef TAKE
};
static const struct take_row take_rows[] = {
#define MESSAGE(kind, root, name, outer, inner)
#define TAKE(kind, level, path, field, use)                                                        \
    { ISO_##kind,                                                                                  \
      LEVEL_##level,                                                                               \
      path,                                                                                        \
      offsetof(struct iso_item, field),                                                            \
      sizeof((struct iso_item *)NULL)->field,                                                      \
      USE_##use },
#include "iso20022_paths.def"
#undef MESSAGE
#undef TAKE
};

/* Where rows and their texts are put. */
struct sink {
    struct iso_row *rows;
    char *text;
    uint64_t first, most; /* items first .. first + most - 1 are kept */
    uint32_t text_room, text_len;
    uint32_t count;
};

struct reader {
    struct iso_message *out;
    struct sink *sink;
    enum iso_extent extent;        /* 0: all are counted, those beyond `most` not kept */
    const struct message_row *row; /* of the root that is or was open */
    const char *why;
    uint32_t enough;                   /* ISO_FIRST_ROWS: nothing more is wanted */
    uint64_t root_depth, header_depth; /* 0: not inside */
    uint64_t outer_depth, inner_depth;
    uint64_t inner_in_outer;
    uint32_t of_outer; /* first row of the outer element that is open */
    uint64_t path_len;
    char path[PATH_MAX]; /* below the root, "OrgnlGrpInfAndSts/OrgnlMsgId" */
    char currency[4];    /* Ccy of the element that is open */
    struct iso_item group, outer, inner;
};

/* --- texts ----------------------------------------------------------------------------------- */

static void keep(char *field, uint64_t room, struct rg_bytes text, uint32_t use)
{
    if (field[0] != '\0' || text.len == 0 || (use == USE_REF && text.len >= room))
        return;
    uint64_t len = 0;
    for (uint32_t letter; len < text.len; len += letter) {
        letter = text_letter(text_slice(text, len, text.len));
        if (letter == 0 || len + letter >= room)
            break;
    }
    memcpy(field, text.ptr, len);
    field[len] = '\0';
}

/* --- rows ------------------------------------------------------------------------------------- */

static uint32_t stop(struct reader *r, const char *why)
{
    r->why = why;
    return 0;
}

/* Puts a text into the room, once and for all rows that have it. Place 0 is "not told". */
static uint32_t place(struct reader *r, const char *text)
{
    struct sink *sink = r->sink;
    uint32_t len = (uint32_t)strlen(text) + 1;
    if (len == 1)
        return 0;
    if (sink->text_len == 0)
        sink->text_len = 1;
    if (len > sink->text_room - sink->text_len) {
        (void)stop(r, "the texts of the message are too long together");
        return 0;
    }
    uint32_t at = sink->text_len;
    memcpy(sink->text + at, text, len);
    sink->text_len += len;
    return at;
}

static void row_of(struct reader *r, const struct iso_item *item, struct iso_row *row)
{
#define FIELD(name, longest) row->at[ISO_FIELD_##name] = place(r, item->name);
    ISO_FIELDS(FIELD)
#undef FIELD
}

/* What `row` does not say is as further out; but a reason belongs to the status beside it, and an
 * amount to what it stands in. */
static void inherit(struct iso_row *row, const struct iso_row *from, uint32_t with_amount)
{
    const struct iso_row before = *row;
    uint32_t own_status = row->at[ISO_FIELD_status] != 0;
    for (uint32_t i = 0; i < ISO_FIELD_COUNT; i++)
        if (row->at[i] == 0)
            row->at[i] = from->at[i];
    if (own_status) {
        row->at[ISO_FIELD_reason] = before.at[ISO_FIELD_reason];
        row->at[ISO_FIELD_reason_text] = before.at[ISO_FIELD_reason_text];
    }
    if (before.at[ISO_FIELD_amount] != 0 || !with_amount) {
        row->at[ISO_FIELD_amount] = before.at[ISO_FIELD_amount];
        row->at[ISO_FIELD_currency] = before.at[ISO_FIELD_currency];
    }
}

/* --- items ----------------------------------------------------------------------------------- */

static uint32_t end_of_item(struct reader *r, const struct iso_item *item, enum level level)
{
    struct sink *sink = r->sink;
    uint64_t index = r->out->items;
    if (index >= sink->first + sink->most && r->extent == ISO_ALL_ROWS)
        return stop(r, "the message tells of more payments than one may");
    r->out->items++;
    if (index < sink->first || index >= sink->first + sink->most)
        return 1;
    struct iso_row *row = &sink->rows[sink->count++];
    row_of(r, item, row);
    row->ordinal = level == LEVEL_INNER ? (uint32_t)r->inner_in_outer : 0;
    row->own_shared = 0;
    return r->why == NULL;
}

static uint32_t end_of_outer(struct reader *r)
{
    struct sink *sink = r->sink;
    uint32_t good = 1, several = r->inner_in_outer > 1;
    if (r->inner_in_outer == 0)
        good = end_of_item(r, &r->outer, LEVEL_OUTER);
    else if (r->of_outer < sink->count) {
        struct iso_row outer = { .ordinal = 0 };
        row_of(r, &r->outer, &outer);
        for (uint32_t i = r->of_outer; i < sink->count; i++) {
            sink->rows[i].own_shared = several && sink->rows[i].at[ISO_FIELD_own] == 0;
            inherit(&sink->rows[i], &outer, several == 0);
        }
    }
    r->of_outer = sink->count;
    memset(&r->outer, 0, sizeof r->outer);
    r->inner_in_outer = 0;
    return good && r->why == NULL;
}

static uint32_t is_booking(uint32_t kind)
{
    return kind == ISO_CAMT_053 || kind == ISO_CAMT_054;
}

static uint32_t is_status(uint32_t kind)
{
    return kind == ISO_PAIN_002 || kind == ISO_PACS_002 || kind == ISO_CAMT_029 ||
           kind == ISO_ADMI_002;
}

static uint32_t end_of_message(struct reader *r)
{
    struct sink *sink = r->sink;
    if (r->out->items == 0 && is_status(r->out->kind))
        (void)end_of_item(r, &r->group, LEVEL_GROUP);
    if (sink->count > 0 && !is_booking(r->out->kind)) {
        struct iso_row group = { .ordinal = 0 };
        row_of(r, &r->group, &group);
        for (uint32_t i = 0; i < sink->count; i++)
            inherit(&sink->rows[i], &group, 1);
    }
    return r->why == NULL;
}

static uint32_t has_enough(const struct reader *r)
{
    return r->extent == ISO_FIRST_ROWS && r->sink->count == r->sink->most;
}

/* What is told of an entry as a whole stands before its details, and what is told of the message
 * before its items: the rows there are have it. */
static uint32_t end_early(struct reader *r)
{
    if (r->outer_depth != 0)
        (void)end_of_outer(r);
    (void)end_of_message(r);
    r->enough = 1;
    return 0;
}

/* --- elements -------------------------------------------------------------------------------- */

static uint32_t found_root(struct reader *r, const struct xml_in_element *element)
{
    if (!text_starts(element->namespace, NAMESPACE))
        return 1;
    struct rg_bytes definition =
        text_slice(element->namespace, sizeof NAMESPACE - 1, element->namespace.len);
    for (uint64_t i = 0; i < sizeof message_rows / sizeof message_rows[0]; i++) {
        const struct message_row *row = &message_rows[i];
        uint32_t same = row->kind == ISO_ADMI_002 ? text_starts(element->name, row->name)
                                                  : text_is(element->name, row->root);
        if (!same || !text_starts(definition, row->name))
            continue;
        if (r->row != NULL)
            return stop(r, "there are several messages in one");
        r->row = row;
        r->root_depth = element->depth;
        r->out->kind = row->kind;
        keep(r->out->definition, sizeof r->out->definition, definition, USE_REF);
    }
    return 1;
}

/* Appends to the path; a path that is too long is no path that we look for. */
static void path_down(struct reader *r, struct rg_bytes name)
{
    if (r->path_len + name.len + 2 > PATH_MAX) {
        r->path_len += name.len + (r->path_len > 0); /* path_up takes as much away again */
        return;
    }
    if (r->path_len > 0)
        r->path[r->path_len] = '/';
    memcpy(r->path + r->path_len + (r->path_len > 0), name.ptr, name.len);
    r->path_len += name.len + (r->path_len > 0);
}

static void path_up(struct reader *r, uint64_t depth, struct rg_bytes name)
{
    r->path_len -= depth == r->root_depth + 1 ? name.len : name.len + 1;
}

static uint32_t path_is(const struct reader *r, const char *path)
{
    return r->path_len < PATH_MAX - 1 &&
           text_is((struct rg_bytes){ (const uint8_t *)r->path, r->path_len }, path);
}

static uint32_t on_open(void *arg, const struct xml_in_element *element,
                        const struct xml_in_attribute *attributes, uint64_t count)
{
    struct reader *r = arg;
    r->currency[0] = '\0';
    for (uint64_t i = 0; i < count; i++)
        if (text_is(attributes[i].name, "Ccy"))
            keep(r->currency, sizeof r->currency, attributes[i].value, USE_REF);
    if (r->header_depth != 0)
        return 1;
    if (r->root_depth == 0) {
        if (text_is(element->name, "AppHdr")) {
            if (r->out->header_definition[0] != '\0' || r->out->message_id[0] != '\0')
                return stop(r, "there are several headers in one message");
            r->header_depth = element->depth;
            return 1;
        }
        return found_root(r, element);
    }
    path_down(r, element->name);
    if (r->outer_depth == 0 && r->row->outer[0] != '\0' && path_is(r, r->row->outer))
        r->outer_depth = element->depth;
    else if (r->inner_depth == 0 && r->row->inner[0] != '\0' && path_is(r, r->row->inner))
        r->inner_depth = element->depth;
    return 1;
}

/* The header's BizMsgIdr serves until the message's own id comes. */
static void leaf_of_header(struct reader *r, const struct xml_in_element *element,
                           struct rg_bytes text)
{
    if (element->depth != r->header_depth + 1)
        return;
    if (text_is(element->name, "MsgDefIdr"))
        keep(r->out->header_definition, sizeof r->out->header_definition, text, USE_REF);
    if (text_is(element->name, "BizMsgIdr"))
        keep(r->out->message_id, sizeof r->out->message_id, text, USE_REF);
}

static void leaf_of_message(struct reader *r, struct rg_bytes text)
{
    if (r->path_len >= PATH_MAX - 1)
        return;
    uint32_t level = r->inner_depth != 0   ? LEVEL_INNER
                     : r->outer_depth != 0 ? LEVEL_OUTER
                                           : LEVEL_GROUP;
    struct iso_item *item = level == LEVEL_INNER   ? &r->inner
                            : level == LEVEL_OUTER ? &r->outer
                                                   : &r->group;
    const char *base = level == LEVEL_INNER   ? r->row->inner
                       : level == LEVEL_OUTER ? r->row->outer
                                              : "";
    uint64_t skip = strlen(base) + (base[0] != '\0');
    struct rg_bytes path =
        text_slice((struct rg_bytes){ (const uint8_t *)r->path, r->path_len }, skip, r->path_len);
    if (level == LEVEL_GROUP && (path_is(r, "GrpHdr/MsgId") || path_is(r, "Assgnmt/Id"))) {
        r->out->message_id[0] = '\0';
        keep(r->out->message_id, sizeof r->out->message_id, text, USE_REF);
        return;
    }
    for (uint64_t i = 0; i < sizeof take_rows / sizeof take_rows[0]; i++) {
        const struct take_row *row = &take_rows[i];
        if (row->kind != r->row->kind || row->level != level || !text_is(path, row->path))
            continue;
        char *field = (char *)item + row->at;
        if (field == item->amount && field[0] == '\0')
            memcpy(item->currency, r->currency, sizeof item->currency);
        keep(field, row->room, text, row->use);
        return;
    }
}

static uint32_t on_close(void *arg, const struct xml_in_element *element, uint32_t leaf,
                         struct rg_bytes text)
{
    struct reader *r = arg;
    if (r->header_depth != 0) {
        if (leaf != 0)
            leaf_of_header(r, element, text);
        if (element->depth == r->header_depth)
            r->header_depth = 0;
        return 1;
    }
    if (r->root_depth == 0)
        return 1;
    if (element->depth == r->root_depth) {
        r->root_depth = 0;
        return end_of_message(r);
    }
    if (leaf != 0)
        leaf_of_message(r, text);
    if (element->depth == r->inner_depth) {
        r->inner_in_outer++;
        if (!end_of_item(r, &r->inner, LEVEL_INNER))
            return 0;
        memset(&r->inner, 0, sizeof r->inner);
        r->inner_depth = 0;
        if (has_enough(r))
            return end_early(r);
    } else if (element->depth == r->outer_depth) {
        if (!end_of_outer(r))
            return 0;
        r->outer_depth = 0;
        if (has_enough(r))
            return end_early(r);
    }
    path_up(r, element->depth, element->name);
    return 1;
}

static const char *read(struct rg_bytes bytes, struct sink *sink, enum iso_extent extent,
                        struct iso_message *out)
{
    struct reader r;
    memset(&r, 0, sizeof r);
    memset(out, 0, sizeof *out);
    r.out = out;
    r.sink = sink;
    r.extent = extent;
    const char *why = xml_in_read(
        bytes, &(struct xml_in_events){ .arg = &r, .open = on_open, .close = on_close });
    if (r.why != NULL)
        return r.why;
    if (why != NULL && r.enough == 0)
        return why;
    if (r.row == NULL)
        return "there is no message in it that is known";
    if (out->header_definition[0] != '\0' && strcmp(out->header_definition, out->definition) != 0)
        return "the header names another message than its body";
    return NULL;
}

static void item_of(const struct iso_row *row, const char *text, struct iso_message *out)
{
#define FIELD(name, longest)                                                                       \
    if (row->at[ISO_FIELD_##name] != 0)                                                            \
        memcpy(out->item.name, text + row->at[ISO_FIELD_##name],                                   \
               strlen(text + row->at[ISO_FIELD_##name]) + 1);
    ISO_FIELDS(FIELD)
#undef FIELD
    out->ordinal = row->ordinal;
    out->own_shared = row->own_shared;
}

const char *iso_read(struct rg_bytes bytes, uint64_t index, struct iso_message *out)
{
    struct iso_row row = { 0 };
    char text[3 * sizeof(struct iso_item)]; /* of the item, of what is around it, of the group */
    struct sink sink = {
        .rows = &row, .text = text, .first = index, .most = 1, .text_room = sizeof text
    };
    const char *why = read(bytes, &sink, 0, out);
    if (why == NULL && sink.count > 0)
        item_of(&row, text, out);
    return why;
}

const char *iso_rows_read(struct rg_bytes bytes, uint32_t most, enum iso_extent extent,
                          struct iso_rows *rows)
{
    struct sink sink = { .rows = rows->rows,
                         .text = rows->text,
                         .most = most < ISO_ROWS_MAX ? most : ISO_ROWS_MAX,
                         .text_room = sizeof rows->text };
    const char *why = read(bytes, &sink, extent, &rows->message);
    rows->count = sink.count;
    rows->text_len = sink.text_len;
    rows->read = why == NULL;
    return why;
}

void iso_rows_get(const struct iso_rows *rows, uint64_t index, struct iso_message *out)
{
    *out = rows->message;
    if (index < rows->count)
        item_of(&rows->rows[index], rows->text, out);
}

/* --- amounts --------------------------------------------------------------------------------- */

uint32_t iso_amount(const char *text, uint32_t exponent, int64_t *minor)
{
    uint64_t value = 0;
    uint32_t digits = 0, fraction = 0, point = 0;
    if (exponent > 5)
        return 0;
    for (; *text != '\0'; text++) {
        if (*text == '.' && point == 0) {
            point = 1;
            continue;
        }
        if (*text < '0' || *text > '9' || ++digits > 23)
            return 0;
        uint64_t digit = (uint64_t)(*text - '0');
        if (point != 0 && fraction == exponent) {
            if (digit != 0)
                return 0; /* smaller than the currency's smallest unit */
            continue;
        }
        fraction += point;
        if (value > (INT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    for (; fraction < exponent; fraction++) {
        if (value > INT64_MAX / 10)
            return 0;
        value *= 10;
    }
    *minor = (int64_t)value;
    return digits > 0;
}

uint32_t iso_currency(const char *code, uint32_t *number, uint32_t *exponent)
{
    static const struct {
        char code[4];
        uint16_t number;
        uint8_t exponent;
    } rows[] = {
#define ISO4217(code, number, exponent) { code, number, exponent },
#include "iso4217.def"
#undef ISO4217
    };
    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].code, code) == 0) {
            *number = rows[i].number;
            *exponent = rows[i].exponent;
            return 1;
        }
    return 0;
}
