/* xml_in.h - a small strict XML 1.0 reader: bounded text to bounded tree.
 *
 *     struct xml_error error;
 *     const struct xml_node *root;
 *     if (xml_read(body, &arena, &root, &error) != STATUS_OK) ... error.offset, error.message
 *     xml_text_at(document, "FIToFICstmrCdtTrf/GrpHdr/MsgId")
 *
 * Stricter than the standard where a message of money has no business: UTF-8 only, no DOCTYPE, no
 * processing instructions, only the five named entities and character references, at most
 * XML_DEPTH_MAX deep and XML_NODES_MAX elements. Namespaces are resolved. Nothing is ever fetched.
 */
#ifndef SIM_BANK_XML_IN_H
#define SIM_BANK_XML_IN_H

#include "base/arena.h"
#include "base/bytes.h"

#define XML_DEPTH_MAX      40
#define XML_NODES_MAX      20000
#define XML_ATTRIBUTES_MAX 16 /* of one element, namespace declarations included */

struct xml_attribute {
    struct view name; /* as written, with its prefix */
    struct view value;
    struct xml_attribute *next;
};

struct xml_node {
    struct view name; /* without prefix */
    struct view ns;   /* empty: none */
    struct view text; /* all character data directly inside, entities resolved */
    struct xml_attribute *attributes;
    const struct xml_node *parent;
    struct xml_node *first, *last, *next;
    size_t offset; /* of the '<' */
    struct view prefix;
};

struct xml_error {
    size_t offset;
    const char *message;
};

/* Views borrow from `text` where they can; the rest is in `arena`. MALFORMED, FULL (a limit),
 * NO_MEMORY. `error` is written on failure. */
enum status xml_read(struct view text, struct arena *arena, const struct xml_node **root,
                     struct xml_error *error);

/* First child of that local name; NULL when absent or `node` is NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* The next sibling of the same name; NULL at the end. */
const struct xml_node *xml_again(const struct xml_node *node);
/* Along a path of local names, first of each: "GrpHdr/MsgId". NULL when a step is absent. */
const struct xml_node *xml_at(const struct xml_node *node, const char *path);
/* Its text; empty when absent. */
struct view xml_text_at(const struct xml_node *node, const char *path);
struct view xml_attribute(const struct xml_node *node, const char *name);
/* The first element in document order, `node` included, of that local name whose namespace begins
 * with `ns`. NULL when there is none. */
const struct xml_node *xml_find(const struct xml_node *node, const char *name, const char *ns);
/* The element after `node` in document order below `top`; NULL at the end. */
const struct xml_node *xml_walk(const struct xml_node *node, const struct xml_node *top);

#endif
