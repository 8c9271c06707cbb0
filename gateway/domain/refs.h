/* refs.h - named values that a channel needs later (trace number, RRN, end-to-end id, ...).
 *
 * A set is a flat run of rows in one buffer, as it is stored: flags u8, name length u8, value
 * length u16 big-endian, name, value. Sensitive values are sealed before they enter a set that is
 * stored.
 */
#ifndef DOMAIN_REFS_H
#define DOMAIN_REFS_H

#include "base/bytes.h"

#define REFS_ROWS_MAX  64
#define REFS_NAME_MAX  32
#define REFS_VALUE_MAX 2048

#define REF_SENSITIVE 1u /* secret: sealed when stored, never logged, never answered */
#define REF_SEALED    2u /* the value in this set is sealed */

struct ref {
    uint32_t flags;
    struct view name;
    struct view value;
};

void refs_put(struct writer *w, struct view name, struct view value, uint32_t flags);
/* Reads the next row; false at the end. MALFORMED sets *broken. */
bool refs_next(struct cursor *c, struct ref *out, bool *broken);
/* The value of the last row with this name (later rows override), or an empty view. */
struct view refs_find(struct view set, const char *name);
enum status refs_check(struct view set);

#endif
