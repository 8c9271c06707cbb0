/* describe.h - tells people what an adapter is: `railgate adapter list`, and the manual. */
#ifndef KIT_DESCRIBE_H
#define KIT_DESCRIBE_H

#include "channel/loader.h"

#include <stdio.h>

/* Id, version, ABI, rail, transport, limits, SHA-256, the table of settings and the table of
 * abilities, as text. Nothing secret is in an adapter, so nothing is left out. */
void adapter_describe(const struct loaded_adapter *adapter, FILE *out);
/* One line: id, version, rail, transport, path. */
void adapter_describe_short(const struct loaded_adapter *adapter, FILE *out);

#endif
