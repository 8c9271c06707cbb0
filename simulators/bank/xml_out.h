/* xml_out.h - writing XML into a struct writer: open, close, leaf. Overflow latches in the writer.
 *
 * Names are literals of ours that live as long as the writing; text is escaped. One line of code
 * per element, so that the code of a message reads like its schema.
 */
#ifndef SIM_BANK_XML_OUT_H
#define SIM_BANK_XML_OUT_H

#include "base/bytes.h"

#define XML_OUT_DEPTH_MAX 24

struct xml_out {
    struct writer *w;
    const char *open[XML_OUT_DEPTH_MAX];
    unsigned depth;
};

void xml_out_init(struct xml_out *x, struct writer *w);
void xml_open(struct xml_out *x, const char *name);
void xml_open_ns(struct xml_out *x, const char *name, const char *ns);
void xml_close(struct xml_out *x);
/* Closes until `depth` elements are open. */
void xml_close_to(struct xml_out *x, unsigned depth);
void xml_leaf(struct xml_out *x, const char *name, struct view text);
void xml_leaf_text(struct xml_out *x, const char *name, const char *text);
/* Nothing when the text is empty. */
void xml_leaf_if(struct xml_out *x, const char *name, struct view text);
void xml_leaf_if_text(struct xml_out *x, const char *name, const char *text);
/* Nested: xml_path(x, "Rsn/Cd", code) writes <Rsn><Cd>code</Cd></Rsn>. Path is a literal. */
void xml_path(struct xml_out *x, const char *outer, const char *inner, const char *text);
/* <name Ccy="EUR">12.50</name> */
void xml_amount(struct xml_out *x, const char *name, int64_t amount_minor, const char *currency);
/* 2026-11-22T12:00:00.000Z and 2026-11-22 */
void xml_time(struct xml_out *x, const char *name, int64_t wall_us);
void xml_date(struct xml_out *x, const char *name, int64_t wall_us);

#endif
