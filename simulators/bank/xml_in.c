/* xml_in.c - see xml_in.h. One pass over the bytes, the open element is where we are in the tree,
 * so depth costs no stack. Text goes into the arena only where it has entities or several pieces.
 */
#include "xml_in.h"

struct reader {
    struct view text;
    size_t at;
    struct arena *arena;
    struct xml_error *error;
    struct xml_node *open; /* innermost open element; NULL outside the root */
    struct xml_node *root;
    unsigned depth, nodes;
};

static enum status bad_at(struct reader *r, enum status status, size_t offset, const char *message)
{
    *r->error = (struct xml_error){ .offset = offset, .message = message };
    return status;
}

static enum status bad(struct reader *r, const char *message)
{
    return bad_at(r, STATUS_MALFORMED, r->at, message);
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int peek(const struct reader *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : -1;
}

static bool next_is(const struct reader *r, struct view token)
{
    return view_starts_with(view_slice(r->text, r->at, token.len), token);
}

static bool take(struct reader *r, struct view token)
{
    bool there = next_is(r, token);
    r->at += there ? token.len : 0;
    return there;
}

static bool skip_blanks(struct reader *r)
{
    size_t from = r->at;
    while (r->at < r->text.len && blank(r->text.ptr[r->at]))
        r->at++;
    return r->at > from;
}

static bool name_start(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
}

/* A qualified name: at most one colon, something on both sides of it. */
static enum status take_name(struct reader *r, struct view *prefix, struct view *local)
{
    size_t from = r->at, colon = 0;
    *prefix = VIEW_EMPTY;
    if (!name_start(peek(r)))
        return bad(r, "a name is expected");
    for (int c; (c = peek(r)) >= 0; r->at++) {
        if (c == ':') {
            if (colon > 0)
                return bad(r, "a name has two colons");
            colon = r->at;
            *prefix = view_slice(r->text, from, colon - from);
            r->at++;
            if (!name_start(peek(r)))
                return bad(r, "a name is expected after the colon");
            continue;
        }
        if (!name_start(c) && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            break;
    }
    size_t start = colon > 0 ? colon + 1 : from;
    *local = view_slice(r->text, start, r->at - start);
    return STATUS_OK;
}

/* --- character data ------------------------------------------------------------------------ */
static bool char_allowed(uint32_t c)
{
    return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xD7FF) ||
           (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

static void put_utf8(struct writer *w, uint32_t c)
{
    if (c < 0x80) {
        writer_u8(w, (uint8_t)c);
    } else if (c < 0x800) {
        writer_u8(w, (uint8_t)(0xC0 | c >> 6));
        writer_u8(w, (uint8_t)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        writer_u8(w, (uint8_t)(0xE0 | c >> 12));
        writer_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        writer_u8(w, (uint8_t)(0x80 | (c & 0x3F)));
    } else {
        writer_u8(w, (uint8_t)(0xF0 | c >> 18));
        writer_u8(w, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
        writer_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        writer_u8(w, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

/* `body` is what stands between & and ; */
static bool put_entity(struct writer *w, struct view body)
{
    static const struct {
        const char *name;
        uint8_t value;
    } named[] = { { "lt", '<' }, { "gt", '>' }, { "amp", '&' }, { "apos", '\'' }, { "quot", '"' } };
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (view_is(body, named[i].name)) {
            writer_u8(w, named[i].value);
            return true;
        }
    }
    bool hex = view_starts_with(body, VIEW("#x"));
    if (!view_starts_with(body, VIEW("#")) || body.len > 9)
        return false;
    struct view digits = view_slice(body, hex ? 2 : 1, body.len);
    uint32_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        uint8_t c = digits.ptr[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 99;
        if (digit >= (hex ? 16u : 10u))
            return false;
        value = value * (hex ? 16 : 10) + digit;
        if (value > 0x10FFFF)
            return false;
    }
    if (digits.len == 0 || !char_allowed(value))
        return false;
    put_utf8(w, value);
    return true;
}

/* Resolves entities and line ends of text[from, to); appends to `out`, which may hold text. */
static enum status resolve(struct reader *r, size_t from, size_t to, bool attribute, bool raw,
                           struct view *out)
{
    struct view piece = view_slice(r->text, from, to - from);
    bool plain = out->len == 0;
    for (size_t i = 0; i < piece.len && plain; i++)
        plain = piece.ptr[i] != '\r' && (raw || piece.ptr[i] != '&') &&
                !(attribute && blank(piece.ptr[i]) && piece.ptr[i] != ' ');
    if (plain) {
        *out = piece;
        return STATUS_OK;
    }
    size_t room = out->len + piece.len;
    void *place = arena_alloc(r->arena, room);
    if (place == NULL)
        return bad_at(r, STATUS_NO_MEMORY, from, "out of memory");
    struct writer w = writer_over(place, room);
    writer_view(&w, *out);
    for (size_t i = 0; i < piece.len; i++) {
        uint8_t c = piece.ptr[i];
        if (c == '&' && !raw) {
            struct view rest = view_slice(piece, i + 1, 10);
            size_t len = view_find(rest, ';');
            if (len == rest.len || !put_entity(&w, view_slice(rest, 0, len)))
                return bad_at(r, STATUS_MALFORMED, from + i, "an entity is not known");
            i += len + 1;
        } else if (c == '\r') {
            if (i + 1 >= piece.len || piece.ptr[i + 1] != '\n')
                writer_u8(&w, attribute ? ' ' : '\n');
        } else {
            writer_u8(&w, attribute && blank(c) ? ' ' : c);
        }
    }
    arena_trim(r->arena, place, w.len);
    *out = writer_done(&w);
    return STATUS_OK;
}

static enum status no_control_letters(struct reader *r)
{
    for (size_t i = 0; i < r->text.len; i++) {
        const uint8_t *c = r->text.ptr + i;
        if ((*c < 0x20 && !blank(*c)) ||
            (*c == 0xEF && i + 2 < r->text.len && c[1] == 0xBF && (c[2] == 0xBE || c[2] == 0xBF)))
            return bad_at(r, STATUS_MALFORMED, i, "a letter that XML does not allow");
    }
    return STATUS_OK;
}

/* --- tags ---------------------------------------------------------------------------------- */
static struct view namespace_of(const struct xml_node *node, struct view prefix, bool *known)
{
    *known = true;
    if (view_is(prefix, "xml"))
        return VIEW("http://www.w3.org/XML/1998/namespace");
    for (; node != NULL; node = node->parent) {
        for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next) {
            bool is_default = view_is(a->name, "xmlns");
            struct view declared = view_slice(a->name, 6, a->name.len);
            if (prefix.len == 0
                    ? is_default
                    : view_starts_with(a->name, VIEW("xmlns:")) && view_equal(declared, prefix))
                return a->value;
        }
    }
    *known = prefix.len == 0;
    return VIEW_EMPTY;
}

static enum status take_attribute(struct reader *r, struct xml_node *node, unsigned *count)
{
    struct view prefix, local;
    size_t from = r->at;
    TRY(take_name(r, &prefix, &local));
    struct view name = view_slice(r->text, from, r->at - from);
    if (++*count > XML_ATTRIBUTES_MAX)
        return bad_at(r, STATUS_FULL, from, "an element has too many attributes");
    struct xml_attribute **end = &node->attributes;
    for (; *end != NULL; end = &(*end)->next)
        if (view_equal((*end)->name, name))
            return bad_at(r, STATUS_MALFORMED, from, "an attribute stands twice");
    skip_blanks(r);
    if (!take(r, VIEW("=")))
        return bad(r, "'=' is expected");
    skip_blanks(r);
    int quote = peek(r);
    if (quote != '"' && quote != '\'')
        return bad(r, "a quoted value is expected");
    size_t start = ++r->at;
    while (peek(r) >= 0 && peek(r) != quote && peek(r) != '<')
        r->at++;
    if (peek(r) != quote)
        return bad(r, "an attribute does not end");
    struct xml_attribute *a = ARENA_NEW(r->arena, struct xml_attribute);
    if (a == NULL)
        return bad_at(r, STATUS_NO_MEMORY, from, "out of memory");
    *a = (struct xml_attribute){ .name = name, .value = VIEW_EMPTY, .next = NULL };
    *end = a;
    TRY(resolve(r, start, r->at++, true, false, &a->value));
    if (view_starts_with(name, VIEW("xmlns:")) && a->value.len == 0)
        return bad_at(r, STATUS_MALFORMED, from, "a prefix is bound to nothing");
    return STATUS_OK;
}

static enum status open_tag(struct reader *r)
{
    size_t from = r->at++;
    if (r->open == NULL && r->root != NULL)
        return bad_at(r, STATUS_MALFORMED, from, "a second root element");
    if (++r->nodes > XML_NODES_MAX)
        return bad_at(r, STATUS_FULL, from, "too many elements");
    if (++r->depth > XML_DEPTH_MAX)
        return bad_at(r, STATUS_FULL, from, "elements are nested too deeply");
    struct xml_node *node = ARENA_NEW(r->arena, struct xml_node);
    if (node == NULL)
        return bad_at(r, STATUS_NO_MEMORY, from, "out of memory");
    node->offset = from;
    node->parent = r->open;
    TRY(take_name(r, &node->prefix, &node->name));
    for (unsigned count = 0;;) {
        bool gap = skip_blanks(r);
        if (next_is(r, VIEW("/>")) || next_is(r, VIEW(">")))
            break;
        if (!gap)
            return bad(r, "a blank is expected");
        TRY(take_attribute(r, node, &count));
    }
    bool known;
    node->ns = namespace_of(node, node->prefix, &known);
    for (const struct xml_attribute *a = node->attributes; a != NULL && known; a = a->next) {
        size_t colon = view_find(a->name, ':');
        if (colon < a->name.len && !view_starts_with(a->name, VIEW("xmlns:")))
            (void)namespace_of(node, view_slice(a->name, 0, colon), &known);
    }
    if (!known)
        return bad_at(r, STATUS_MALFORMED, from, "a prefix is not declared");
    if (r->open == NULL)
        r->root = node;
    else if (r->open->last == NULL)
        r->open->first = r->open->last = node;
    else
        r->open->last = r->open->last->next = node;
    if (take(r, VIEW("/>"))) {
        r->depth--;
        return STATUS_OK;
    }
    r->at++; /* '>' */
    r->open = node;
    return STATUS_OK;
}

static enum status close_tag(struct reader *r)
{
    struct view prefix, local;
    size_t from = r->at;
    r->at += 2;
    TRY(take_name(r, &prefix, &local));
    skip_blanks(r);
    if (!take(r, VIEW(">")))
        return bad(r, "'>' is expected");
    if (r->open == NULL || !view_equal(local, r->open->name) ||
        !view_equal(prefix, r->open->prefix))
        return bad_at(r, STATUS_MALFORMED, from, "an end tag does not match");
    r->open = (struct xml_node *)(uintptr_t)r->open->parent;
    r->depth--;
    return STATUS_OK;
}

/* The end of what began at r->at: index of `end`, or the text's length. */
static size_t find(const struct reader *r, size_t from, struct view end)
{
    const uint8_t *found = from < r->text.len
                               ? memmem(r->text.ptr + from, r->text.len - from, end.ptr, end.len)
                               : NULL;
    return found != NULL ? (size_t)(found - r->text.ptr) : r->text.len;
}

static enum status comment(struct reader *r)
{
    size_t end = find(r, r->at + 4, VIEW("--"));
    if (!view_is(view_slice(r->text, end, 3), "-->"))
        return bad(r, "a comment does not end");
    r->at = end + 3;
    return STATUS_OK;
}

static enum status cdata(struct reader *r)
{
    size_t from = r->at + 9, end = find(r, from, VIEW("]]>"));
    if (r->open == NULL || end == r->text.len)
        return bad(r, "CDATA has no place here or no end");
    r->at = end + 3;
    return resolve(r, from, end, false, true, &r->open->text);
}

static enum status characters(struct reader *r)
{
    size_t from = r->at;
    while (peek(r) >= 0 && peek(r) != '<')
        r->at++;
    struct view piece = view_slice(r->text, from, r->at - from);
    if (r->open == NULL)
        return view_trim(piece).len == 0 ? STATUS_OK : bad(r, "text outside the root element");
    if (find(r, from, VIEW("]]>")) < r->at)
        return bad(r, "']]>' has no place in text");
    return resolve(r, from, r->at, false, false, &r->open->text);
}

/* <?xml version="1.0" encoding="UTF-8" standalone="yes"?> */
static enum status declaration(struct reader *r)
{
    if (!next_is(r, VIEW("<?xml")) || !blank(view_slice(r->text, 5, 1).len ? r->text.ptr[5] : 0))
        return STATUS_OK;
    r->at = 5;
    struct xml_node scratch = { .first = NULL };
    unsigned count = 0;
    while (skip_blanks(r) && !next_is(r, VIEW("?>")))
        TRY(take_attribute(r, &scratch, &count));
    if (!take(r, VIEW("?>")))
        return bad(r, "the XML declaration does not end");
    struct view encoding = xml_attribute(&scratch, "encoding");
    if (!view_is(xml_attribute(&scratch, "version"), "1.0") ||
        (encoding.len > 0 && !view_equal_nocase(encoding, VIEW("UTF-8"))))
        return bad_at(r, STATUS_MALFORMED, 0, "only XML 1.0 in UTF-8");
    return STATUS_OK;
}

enum status xml_read(struct view text, struct arena *arena, const struct xml_node **root,
                     struct xml_error *error)
{
    struct reader reader = { .text = text, .arena = arena, .error = error };
    struct reader *r = &reader;
    *root = NULL;
    if (!view_is_utf8(text))
        return bad(r, "not UTF-8");
    TRY(no_control_letters(r));
    TRY(declaration(r));
    while (r->at < text.len) {
        if (next_is(r, VIEW("<!--")))
            TRY(comment(r));
        else if (next_is(r, VIEW("<![CDATA[")))
            TRY(cdata(r));
        else if (next_is(r, VIEW("<!")) || next_is(r, VIEW("<?")))
            return bad(r, "declarations and instructions are not accepted");
        else if (next_is(r, VIEW("</")))
            TRY(close_tag(r));
        else if (next_is(r, VIEW("<")))
            TRY(open_tag(r));
        else
            TRY(characters(r));
    }
    if (r->root == NULL || r->open != NULL)
        return bad(r, "the document ends too early");
    *root = r->root;
    return STATUS_OK;
}
