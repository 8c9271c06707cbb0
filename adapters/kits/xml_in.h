/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/xml_in.h - reads XML from outside, element by element, with everything locked down.
 *
 * libxml2 does the parsing (SAX2, push); no tree is built. Refused, each with its own sentence:
 * more than XML_IN_SIZE_MAX bytes; any encoding but UTF-8 (said by a byte order mark, by the
 * declaration, or shown by the bytes themselves); zero bytes; a DOCTYPE, so there are no entities
 * beside the five of XML itself; nesting over XML_IN_DEPTH_MAX; more than XML_IN_ATTRIBUTES_MAX
 * attributes or namespace declarations in one element; texts over XML_IN_TEXT_MAX; more than
 * XML_IN_ELEMENTS_MAX elements; undeclared prefixes; whatever is not well-formed. Nothing is ever
 * fetched: no file, no network, no XInclude. A message that is refused half way has been told half
 * way: keep nothing of it.
 *
 * CDATA sections are text. Comments and processing instructions are skipped, also inside a text.
 *
 * Memory: libxml2 allocates in proportion to the longest name and text, never to the message; what
 * is kept here is struct xml_in, on the caller's stack. Any thread; libxml2 guards its own start.
 */
#ifndef KITS_XML_IN_H
#define KITS_XML_IN_H

#include <railgate/adapter.h>

#define XML_IN_SIZE_MAX       (1024u * 1024u)
#define XML_IN_DEPTH_MAX      32u
#define XML_IN_ATTRIBUTES_MAX 16u
#define XML_IN_ELEMENTS_MAX   65536u
#define XML_IN_TAG_MAX        8192u          /* bytes from `<` to `>` */
#define XML_IN_TEXT_MAX       (128u * 1024u) /* of one element; admi.002 carries a whole message */
#define XML_IN_TEXT_KEPT      2048u          /* of it, what close() gets */

struct xml_in_attribute {
    struct rg_bytes name; /* local name; attributes that have a namespace are left out */
    struct rg_bytes value;
};

struct xml_in_element {
    struct rg_bytes name;      /* local name */
    struct rg_bytes namespace; /* empty: none */
    uint64_t depth;            /* 1: the outermost */
};

struct xml_in_events {
    void *arg;
    /* An element begins. 0 refuses the message: then `why` has said so. Views live during the call.
     */
    uint32_t (*open)(void *arg, const struct xml_in_element *element,
                     const struct xml_in_attribute *attributes, uint64_t count);
    /* It ends. `text`: what stood in it when it had no elements inside, without blanks at the ends;
     * its first XML_IN_TEXT_KEPT bytes, cut at a letter. `leaf`: 1 when it had none inside. */
    uint32_t (*close)(void *arg, const struct xml_in_element *element, uint32_t leaf,
                      struct rg_bytes text);
};

/* Reads the whole message. NULL when it was good; else a sentence that says what is wrong, without
 * anything of the message in it ("the message was refused by its reader" when open or close gave
 * 0).
 */
const char *xml_in_read(struct rg_bytes bytes, const struct xml_in_events *events);

/* Prepares libxml2; may be called often. Call it where threads do not run yet, if there is such a
 * place (configure()). */
void xml_in_start(void);

#endif
