/* xml_stream.c - see xml_stream.h. libxml2's push parser, fed in chunks, with its SAX2 events.
 *
 * The handlers are a struct of our own, so that what is not named in it (entity declarations,
 * external subsets, input sources) does not exist for the parser. internalSubset is what a DOCTYPE
 * calls, whatever stands in it. Of errors we want no more than that there is one: libxml2's
 * sentence may quote the file.
 *
 * Libxml2 tells of a tag when it has seen its end, and compares each attribute with all before it.
 * What it holds back between two chunks has a limit therefore, and so has the number of attributes:
 * the first tag that has too many is the last.
 */
#include "xml/xml_stream.h"

#include "base/ensure.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>

#define CHUNK 16384

struct xml_attributes {
    const xmlChar **rows; /* five pointers each: name, prefix, namespace, value from, value to */
    size_t count;
};

struct xml_stream {
    const struct xml_rules *rules;
    void *arg;
    struct xml_refusal *refusal;
    xmlParserCtxtPtr parser;
    enum status status; /* OK until something ends the reading */
    bool has_root;
    struct xml_place place;
    size_t text_len;
    bool text_cut;
    uint8_t text[XML_TEXT_MAX];
};

static uint64_t stream_line(const struct xml_stream *x)
{
    int line = xmlSAX2GetLineNumber(x->parser);
    return line > 0 ? (uint64_t)line : 0;
}

static void stream_end(struct xml_stream *x, enum status status)
{
    x->status = status;
    xmlStopParser(x->parser);
}

static void stream_refuse(struct xml_stream *x, enum status status, const char *what)
{
    if (x->status != STATUS_OK)
        return;
    *x->refusal = (struct xml_refusal){ .what = what, .line = stream_line(x) };
    stream_end(x, status);
}

static void stream_tell(struct xml_stream *x, xml_handler_fn *handler)
{
    x->place.line = stream_line(x);
    enum status status = handler(x->arg, &x->place);
    if (status != STATUS_OK)
        stream_end(x, status);
}

static void stream_text_begin(struct xml_stream *x)
{
    x->text_len = 0;
    x->text_cut = false;
}

/* --- libxml2's events ------------------------------------------------------------------------ */

static uint8_t stream_word(const struct xml_rules *rules, const xmlChar *name)
{
    struct view word = view_text((const char *)name);
    for (size_t i = 0; i < rules->word_count; i++)
        if (view_equal(rules->words[i], word))
            return (uint8_t)(XML_OTHER + 1 + i);
    return XML_OTHER;
}

static void on_open(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *space,
                    int spaces, const xmlChar **declared, int count, int defaulted,
                    const xmlChar **rows)
{
    struct xml_stream *x = arg;
    (void)prefix, (void)declared, (void)defaulted;
    if (x->status != STATUS_OK)
        return;
    if (x->place.depth == XML_DEPTH_MAX) {
        stream_refuse(x, STATUS_RANGE, "the XML is nested too deeply");
        return;
    }
    if (count < 0 || count > XML_ATTRIBUTES_MAX || spaces < 0 || spaces > XML_ATTRIBUTES_MAX) {
        stream_refuse(x, STATUS_RANGE, "an element of the XML has too many attributes");
        return;
    }
    struct xml_attributes attributes = { rows, (size_t)count };
    x->has_root = true;
    x->place.path[x->place.depth++] = stream_word(x->rules, name);
    stream_text_begin(x);
    x->place.space = view_text((const char *)space);
    x->place.attributes = &attributes;
    stream_tell(x, x->rules->open);
    x->place.space = VIEW_EMPTY;
    x->place.attributes = NULL;
}

static bool is_blank(xmlChar c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Blanks in front are not kept, so that they cannot push the text out. */
static void on_text(void *arg, const xmlChar *text, int len)
{
    struct xml_stream *x = arg;
    if (x->status != STATUS_OK || x->place.depth == 0 || len < 0)
        return;
    size_t size = (size_t)len;
    while (x->text_len == 0 && size > 0 && is_blank(*text)) {
        text++;
        size--;
    }
    if (size > x->rules->text_max - x->text_len) {
        x->text_cut = true;
        size = x->rules->text_max - x->text_len;
    }
    memcpy(x->text + x->text_len, text, size);
    x->text_len += size;
}

static void on_close(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
    struct xml_stream *x = arg;
    (void)name, (void)prefix, (void)space;
    if (x->status != STATUS_OK || x->place.depth == 0)
        return;
    x->place.text = view_trim(view_of(x->text, x->text_len));
    x->place.text_cut = x->text_cut;
    stream_tell(x, x->rules->close);
    x->place.text = VIEW_EMPTY;
    x->place.text_cut = false;
    x->place.depth--;
    stream_text_begin(x);
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stream_refuse(arg, STATUS_REFUSED, "a DOCTYPE is not accepted");
}

/* The five entities of XML itself are libxml2's own; others do not exist. */
static xmlEntityPtr on_entity(void *arg, const xmlChar *name)
{
    (void)arg;
    return xmlGetPredefinedEntity(name);
}

static void on_error(void *arg, xmlErrorPtr error)
{
    (void)arg, (void)error;
}

/* --- the file -------------------------------------------------------------------------------- */

/* What libxml2 was given and has not told of yet. */
static size_t held_back(const struct xml_stream *x)
{
    const xmlParserInput *input = x->parser->input;
    return input != NULL ? (size_t)(input->end - input->cur) : 0;
}

static enum status stream_parse(struct xml_stream *x, FILE *file)
{
    char chunk[CHUNK];
    uint64_t total = 0;
    int result = 0;
    size_t len = sizeof chunk;
    while (result == 0 && x->status == STATUS_OK && len == sizeof chunk) {
        len = fread(chunk, 1, sizeof chunk, file);
        total += len;
        if (total > x->rules->bytes_max)
            stream_refuse(x, STATUS_FULL, x->rules->too_large);
        else if (len > 0)
            result = xmlParseChunk(x->parser, chunk, (int)len, 0);
        if (result == 0 && x->status == STATUS_OK && held_back(x) > XML_TAG_MAX)
            stream_refuse(x, STATUS_RANGE, "a tag, comment or section of the XML is too long");
    }
    if (ferror(file))
        stream_refuse(x, STATUS_IO, "the file cannot be read");
    if (result == 0 && x->status == STATUS_OK)
        result = xmlParseChunk(x->parser, NULL, 0, 1);
    if (x->status != STATUS_OK)
        return x->status;
    if (result == XML_ERR_NO_MEMORY)
        return STATUS_NO_MEMORY;
    if (result != 0 || x->parser->wellFormed == 0 || x->place.depth != 0 || !x->has_root)
        stream_refuse(x, STATUS_MALFORMED, "the XML is not well-formed or not complete");
    return x->status;
}

enum status xml_stream(FILE *file, const struct xml_rules *rules, void *arg,
                       struct xml_refusal *refusal)
{
    ENSURE(rules->word_count <= XML_WORDS_MAX && rules->text_max <= XML_TEXT_MAX);
    ENSURE(rules->bytes_max == UINT64_MAX || rules->too_large != NULL);
    struct xml_stream x = { .rules = rules, .arg = arg, .refusal = refusal, .status = STATUS_OK };
    xmlSAXHandler handlers;
    memset(&handlers, 0, sizeof handlers);
    handlers.initialized = XML_SAX2_MAGIC;
    handlers.startElementNs = on_open;
    handlers.endElementNs = on_close;
    handlers.characters = on_text;
    handlers.cdataBlock = on_text;
    handlers.internalSubset = on_doctype;
    handlers.getEntity = on_entity;
    handlers.serror = on_error;
    *refusal = (struct xml_refusal){ .what = NULL };
    xmlInitParser();
    x.parser = xmlCreatePushParserCtxt(&handlers, &x, NULL, 0, NULL);
    if (x.parser == NULL)
        return STATUS_NO_MEMORY;
    (void)xmlCtxtUseOptions(x.parser, XML_PARSE_NONET | XML_PARSE_NOXINCNODE);
    enum status status = stream_parse(&x, file);
    xmlFreeParserCtxt(x.parser);
    return status;
}

bool xml_attribute_value(const struct xml_attributes *attributes, struct view name,
                         struct view *out)
{
    for (size_t i = 0; attributes != NULL && i < attributes->count; i++) {
        const xmlChar **row = attributes->rows + 5 * i;
        if (row[2] != NULL || !view_equal(view_text((const char *)row[0]), name))
            continue;
        *out = view_of(row[3], (size_t)(row[4] - row[3]));
        return true;
    }
    return false;
}
