/* json_int.h - what the two files of this room share. */
#ifndef JSON_JSON_INT_H
#define JSON_JSON_INT_H

#include "json_read.h"

/* Writes "/" and the name, with ~0 and ~1 (RFC 6901, section 3). */
void json_pointer_name(struct writer *out, struct view name);
/* Writes "/" and the index. */
void json_pointer_index(struct writer *out, uint32_t index);

#endif
