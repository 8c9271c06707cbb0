/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_in.c - see xml_in.h. Two gates:
 *
 *     look()      our own eyes on the bytes, before libxml2 sees one: size, zero bytes, UTF-8, byte
 *                 order marks, the encoding of the declaration, `<!DOCTYPE` anywhere in the prolog
 *     handlers    libxml2's events, with a limit each; internalSubset refuses a DOCTYPE once more
 *
 * The handlers are a struct of our own, so that what is not named in it (entity declarations,
 * external subsets, input sources) does not exist for the parser. Bytes are pushed in chunks: a
 * limit that is reached ends the work there and not at the end of the message.
 */
#include "kits/xml_in.h"
#include "kits/text.h"

#include <libxml/parser.h>
#include <string.h>

#define CHUNK 16384u

struct xml_in {
    const struct xml_in_events *events;
    xmlParserCtxtPtr parser;
    const char *why;
    uint64_t depth;
    uint64_t elements;
    uint64_t text_seen; /* bytes of the text that is being read, kept or not */
    uint64_t text_kept;
    uint32_t leaf; /* no element has ended inside the one that is open */
    uint8_t text[XML_IN_TEXT_KEPT];
};

static void refuse(struct xml_in *in, const char *why)
{
    if (in->why == NULL)
        in->why = why;
    xmlStopParser(in->parser);
}

static struct rg_bytes view_of(const xmlChar *text)
{
    return (struct rg_bytes){ text, text != NULL ? strlen((const char *)text) : 0 };
}

/* --- libxml2's events ------------------------------------------------------------------------ */

static void on_open(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *namespace,
                    int namespaces, const xmlChar **declared, int count, int defaulted,
                    const xmlChar **attributes)
{
    struct xml_in *in = arg;
    struct xml_in_attribute rows[XML_IN_ATTRIBUTES_MAX];
    uint64_t rows_count = 0;
    (void)prefix;
    (void)declared;
    (void)defaulted;
    if (in->why != NULL)
        return;
    if (++in->depth > XML_IN_DEPTH_MAX) {
        refuse(in, "the XML is nested too deeply");
        return;
    }
    if (++in->elements > XML_IN_ELEMENTS_MAX) {
        refuse(in, "the XML has too many elements");
        return;
    }
    if (count < 0 || (unsigned)count > XML_IN_ATTRIBUTES_MAX || namespaces < 0 ||
        (unsigned)namespaces > XML_IN_ATTRIBUTES_MAX) {
        refuse(in, "an element of the XML has too many attributes");
        return;
    }
    for (int i = 0; i < count; i++) {
        const xmlChar **row = attributes + (size_t)i * 5; /* name, prefix, namespace, from, to */
        if (row[2] == NULL)
            rows[rows_count++] =
                (struct xml_in_attribute){ view_of(row[0]),
                                           { row[3], (uint64_t)(row[4] - row[3]) } };
    }
    in->text_seen = in->text_kept = 0;
    in->leaf = 1;
    struct xml_in_element element = { view_of(name), view_of(namespace), in->depth };
    if (in->events->open(in->events->arg, &element, rows, rows_count) == 0)
        refuse(in, "the message was refused by its reader");
}

static uint32_t is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void on_close(void *arg, const xmlChar *name, const xmlChar *prefix,
                     const xmlChar *namespace)
{
    struct xml_in *in = arg;
    (void)prefix;
    if (in->why != NULL)
        return;
    struct rg_bytes text = { in->text, in->leaf != 0 ? in->text_kept : 0 };
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    struct xml_in_element element = { view_of(name), view_of(namespace), in->depth };
    if (in->events->close(in->events->arg, &element, in->leaf, text) == 0)
        refuse(in, "the message was refused by its reader");
    in->text_seen = in->text_kept = 0;
    in->leaf = 0;
    in->depth--;
}

/* Also CDATA. Leading blanks of a long text are not kept, so that they cannot push it out. */
static void on_text(void *arg, const xmlChar *text, int len)
{
    struct xml_in *in = arg;
    if (in->why != NULL || len <= 0 || in->depth == 0)
        return;
    struct rg_bytes rest = { text, (uint64_t)len };
    in->text_seen += rest.len;
    if (in->text_seen > XML_IN_TEXT_MAX) {
        refuse(in, "a text in the XML is too long");
        return;
    }
    while (in->text_kept == 0 && rest.len > 0 && is_blank(rest.ptr[0])) {
        rest.ptr++;
        rest.len--;
    }
    while (rest.len > 0 && in->text_kept < XML_IN_TEXT_KEPT) {
        uint32_t letter = text_letter(rest);
        if (letter == 0 || letter > XML_IN_TEXT_KEPT - in->text_kept)
            break;
        memcpy(in->text + in->text_kept, rest.ptr, letter);
        in->text_kept += letter;
        rest.ptr += letter;
        rest.len -= letter;
    }
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *public_id,
                       const xmlChar *system_id)
{
    (void)name;
    (void)public_id;
    (void)system_id;
    refuse(arg, "the XML has a DOCTYPE");
}

/* An entity beside the five of XML itself; those never get here. */
static xmlEntityPtr on_entity(void *arg, const xmlChar *name)
{
    (void)name;
    refuse(arg, "the XML uses an entity");
    return NULL;
}

static void on_error(void *arg, xmlErrorPtr error)
{
    (void)arg; /* what it says may hold a piece of the message; wellFormed says enough */
    (void)error;
}

/* --- before libxml2 -------------------------------------------------------------------------- */

static uint64_t find(struct rg_bytes text, uint64_t from, const char *what)
{
    for (uint64_t i = from; i < text.len; i++)
        if (text_starts(text_slice(text, i, text.len), what))
            return i;
    return text.len;
}

/* `<?xml ... encoding="..." ?>` at the front: only UTF-8, which US-ASCII is a part of. */
static const char *look_at_declaration(struct rg_bytes text)
{
    if (!text_starts(text, "<?xml") || text.len < 6 || !is_blank(text.ptr[5]))
        return NULL; /* none: UTF-8 */
    struct rg_bytes declaration = text_slice(text, 0, find(text, 0, "?>"));
    uint64_t at = find(declaration, 0, "encoding");
    if (at == declaration.len)
        return NULL;
    at += 8;
    while (at < declaration.len && (is_blank(declaration.ptr[at]) || declaration.ptr[at] == '='))
        at++;
    uint64_t end = at + 1;
    while (end < declaration.len && declaration.ptr[end] != declaration.ptr[at])
        end++;
    struct rg_bytes name = at < declaration.len ? text_slice(declaration, at + 1, end - at - 1)
                                                : (struct rg_bytes){ NULL, 0 };
    return text_same_nocase(name, text_of("utf-8")) || text_same_nocase(name, text_of("us-ascii"))
               ? NULL
               : "the XML declares an encoding that is not UTF-8";
}

/* What may stand before the first element: blanks, comments, processing instructions. `<!` that is
 * no comment can only be a DOCTYPE. Behind the first element no DOCTYPE is possible: there libxml2
 * finds it not well-formed. */
static const char *look_at_prolog(struct rg_bytes text)
{
    uint64_t at = 0;
    while (at < text.len) {
        struct rg_bytes rest = text_slice(text, at, text.len);
        if (is_blank(rest.ptr[0]))
            at++;
        else if (text_starts(rest, "<!--"))
            at = find(text, at + 4, "-->") + 3;
        else if (text_starts(rest, "<?"))
            at = find(text, at + 2, "?>") + 2;
        else
            return text_starts(rest, "<!") ? "the XML has a DOCTYPE" : NULL;
    }
    return NULL;
}

/* Where the tag that begins at `at` ends: behind its `>` that stands in no quotes. */
static uint64_t tag_end(struct rg_bytes text, uint64_t at)
{
    uint8_t quote = 0;
    for (uint64_t i = at + 1; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i + 1;
        if (i - at > XML_IN_TAG_MAX)
            return text.len + 1;
    }
    return text.len;
}

/* libxml2 reads a whole tag before it tells of it, and takes time by the square of its attributes.
 */
static const char *look_at_tags(struct rg_bytes text)
{
    for (uint64_t at = 0; at < text.len;) {
        struct rg_bytes rest = text_slice(text, at, text.len);
        if (rest.ptr[0] != '<')
            at++;
        else if (text_starts(rest, "<!--"))
            at = find(text, at + 4, "-->") + 3;
        else if (text_starts(rest, "<![CDATA["))
            at = find(text, at + 9, "]]>") + 3;
        else if (text_starts(rest, "<?"))
            at = find(text, at + 2, "?>") + 2;
        else
            at = tag_end(text, at);
        if (at == text.len + 1 && rest.ptr[0] == '<' && !text_starts(rest, "<!") &&
            !text_starts(rest, "<?"))
            return "a tag of the XML is too long";
    }
    return NULL;
}

static const char *look(struct rg_bytes *bytes)
{
    if (bytes->len > XML_IN_SIZE_MAX)
        return "the XML is too long";
    if (bytes->len >= 2 && ((bytes->ptr[0] == 0xFE && bytes->ptr[1] == 0xFF) ||
                            (bytes->ptr[0] == 0xFF && bytes->ptr[1] == 0xFE)))
        return "the XML is in UTF-16; only UTF-8 is read";
    if (bytes->len >= 3 && memcmp(bytes->ptr, "\xEF\xBB\xBF", 3) == 0)
        *bytes = text_slice(*bytes, 3, bytes->len);
    for (uint64_t i = 0; i < bytes->len; i++)
        if (bytes->ptr[i] == 0)
            return "the XML has a zero byte (UTF-16 is not read)";
    const char *why = look_at_declaration(*bytes);
    if (why != NULL)
        return why;
    for (struct rg_bytes rest = *bytes; rest.len > 0;) {
        uint32_t letter = text_letter(rest);
        if (letter == 0)
            return "the XML is not UTF-8";
        rest = text_slice(rest, letter, rest.len);
    }
    why = look_at_prolog(*bytes);
    return why != NULL ? why : look_at_tags(*bytes);
}

/* --- the whole ------------------------------------------------------------------------------- */

void xml_in_start(void)
{
    xmlInitParser();
}

const char *xml_in_read(struct rg_bytes bytes, const struct xml_in_events *events)
{
    struct xml_in in = { .events = events };
    const char *why = look(&bytes);
    if (why != NULL)
        return why;
    if (bytes.len == 0)
        return "there is no XML";
    xmlSAXHandler handlers;
    memset(&handlers, 0, sizeof handlers);
    handlers.initialized = XML_SAX2_MAGIC;
    handlers.startElementNs = on_open;
    handlers.endElementNs = on_close;
    handlers.characters = on_text;
    handlers.ignorableWhitespace = on_text;
    handlers.cdataBlock = on_text;
    handlers.internalSubset = on_doctype;
    handlers.getEntity = on_entity;
    handlers.serror = on_error;
    xml_in_start();
    in.parser = xmlCreatePushParserCtxt(&handlers, &in, NULL, 0, NULL);
    if (in.parser == NULL)
        return "there is no memory for reading XML";
    (void)xmlCtxtUseOptions(in.parser, XML_PARSE_NONET | XML_PARSE_NOXINCNODE);
    int result = 0;
    for (uint64_t at = 0; at < bytes.len && result == 0 && in.why == NULL; at += CHUNK) {
        uint64_t len = bytes.len - at < CHUNK ? bytes.len - at : CHUNK;
        result = xmlParseChunk(in.parser, (const char *)bytes.ptr + at, (int)len, 0);
    }
    if (result == 0 && in.why == NULL)
        result = xmlParseChunk(in.parser, NULL, 0, 1);
    if (in.why == NULL && in.parser->nsWellFormed == 0)
        in.why = "the XML uses a prefix that it does not declare";
    if (in.why == NULL && (result != 0 || in.parser->wellFormed == 0 || in.depth != 0))
        in.why = "the XML is not well-formed";
    xmlFreeParserCtxt(in.parser);
    return in.why;
}
