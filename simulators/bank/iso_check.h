/* iso_check.h - which messages this bank receives, and whether one is formally right: elements,
 * their order and number, the form of their texts. */
#ifndef SIM_BANK_ISO_CHECK_H
#define SIM_BANK_ISO_CHECK_H

#include "xml_in.h"

#define ISO_NAMESPACE "urn:iso:std:iso:20022:tech:xsd:"

enum iso_kind { ISO_PAIN_001 = 1, ISO_PACS_008, ISO_PACS_004, ISO_PACS_028, ISO_CAMT_056 };

struct iso_message {
    const char *name; /* "pacs.008.001.08" */
    enum iso_kind kind;
    const char *element, *type;
};

/* By the namespace of its Document; NULL: not a message that this bank takes. */
const struct iso_message *iso_message_of(const struct xml_node *document);
/* MALFORMED with a sentence in `why`. */
enum status iso_check(const struct iso_message *kind, const struct xml_node *document,
                      struct writer *why);

#endif
