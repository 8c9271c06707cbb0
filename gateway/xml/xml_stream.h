/* xml_stream.h - the host's one way to read XML: a file, element by element, with everything
 * locked down. No tree is built, so a file of any length takes the same memory.
 *
 * The bytes are hostile. The reading ends, and says where and why, at
 *
 *     a DOCTYPE                         REFUSED    so there are no entities beside the five of XML
 *     elements nested over DEPTH_MAX    RANGE
 *     a tag, comment, processing instruction or CDATA section longer than about TAG_MAX; more than
 *     ATTRIBUTES_MAX attributes, or declared namespaces, in a tag (libxml2 takes time by the
 *     square)                           RANGE
 *     more bytes than the rules allow   FULL
 *     a file that cannot be read        IO
 *     what is not well-formed, an entity that is not declared, bytes that are not of the declared
 *     encoding, a file that is cut off  MALFORMED
 *
 * Nothing is ever fetched: no file, no network, no XInclude. Any encoding that libxml2 knows is
 * taken (a published list may be ISO-8859-1); what is handed out is UTF-8 always.
 *
 * A file is told as it is read: what follows may still be refused. Only when xml_stream() has said
 * OK was the whole of it well-formed; keep nothing before that, or be able to take it back.
 *
 *     static const struct view words[] = { VIEW("Document"), VIEW("Amt") };
 *     enum { EL_OTHER = XML_OTHER, EL_DOCUMENT, EL_AMT };
 *     struct xml_rules rules = { .words = words, .word_count = COUNT_OF(words), .text_max = 140,
 *                                .bytes_max = UINT64_MAX, .open = on_open, .close = on_close };
 *     enum status s = xml_stream(file, &rules, reader, &refusal);
 *
 * The adapters have a door of their own (adapters/kits/xml_in.h): they know nothing of the host.
 * Libxml2 is included by xml_stream.c alone.
 */
#ifndef XML_XML_STREAM_H
#define XML_XML_STREAM_H

#include "base/bytes.h"

#include <stdio.h>

#define XML_DEPTH_MAX      32
#define XML_TAG_MAX        131072 /* bytes */
#define XML_ATTRIBUTES_MAX 64
#define XML_TEXT_MAX       1024
#define XML_WORDS_MAX      250

/* An element's number when its name is none of the rules' words; words[i] has XML_OTHER + 1 + i. */
#define XML_OTHER 1

struct xml_attributes;

/* Where the reading is. A handler may keep the pointer as long as the reading lasts; what it points
 * to changes from call to call. */
struct xml_place {
    size_t depth;                /* of the element at hand; 1: the outermost */
    uint8_t path[XML_DEPTH_MAX]; /* the numbers of the open elements, the outermost first */
    uint64_t line;               /* of the file, from 1; libxml2 counts no further than 2^31 */
    /* When it opens: during the call. */
    struct view space; /* its namespace; empty: none */
    const struct xml_attributes *attributes;
    /* When it closes, during the call: what stood in it, behind the last element inside if there
     * was one. Without the blanks before it; of that the first text_max bytes, and then without
     * blanks at the end. CDATA is text. */
    struct view text;
    bool text_cut; /* there was more */
};

/* Anything but OK ends the reading, and is what xml_stream() returns. */
typedef enum status xml_handler_fn(void *arg, const struct xml_place *place);

struct xml_rules {
    const struct view *words; /* local names of elements */
    size_t word_count;        /* up to XML_WORDS_MAX */
    size_t text_max;          /* bytes of a text; up to XML_TEXT_MAX */
    uint64_t bytes_max;       /* of the file; UINT64_MAX: any */
    const char *too_large;    /* the sentence for more; NULL when bytes_max is UINT64_MAX */
    xml_handler_fn *open, *close;
};

/* Why a file was not read to its end. The sentence is ours and quotes nothing of the file. */
struct xml_refusal {
    const char *what; /* NULL: a handler ended it and knows why, or memory is out */
    uint64_t line;    /* of the file, from 1; 0: not known */
};

/* Reads `file` from where it is to its end; the caller closes it. Blocks; any thread. `arg` is for
 * the handlers. OK; the statuses above with *refusal; what a handler said; NO_MEMORY. */
enum status xml_stream(FILE *file, const struct xml_rules *rules, void *arg,
                       struct xml_refusal *refusal);

/* The attribute of this name, which is in no namespace; false: there is none. The value lives as
 * long as the call; an `&amp;` in it is told as "&#38;", libxml2's way. */
bool xml_attribute_value(const struct xml_attributes *attributes, struct view name,
                         struct view *out);

#endif
