/* mask.h - what a profile masks (`data.mask`) shows its last four characters only.
 *
 * For merchants values are masked before they are recorded; for operators when they are shown.
 * Pure; everything lives in the arena that is given.
 */
#ifndef PAYMENT_MASK_H
#define PAYMENT_MASK_H

#include "compliance/compliance.h"
#include "json/json_read.h"

#define MASKED_VALUES_MAX 32

struct masks {
    struct view values[MASKED_VALUES_MAX]; /* whatever equals one of them is masked */
    size_t count;
};

/* role: "merchant" or "operator". */
bool masks_any(const struct region_settings *region, const char *role);
/* What of this payment is masked. root: the payment or its facts; facts: NULL when they cannot be
 * read. */
void masks_take(struct masks *masks, const struct region_settings *region, const char *role,
                const struct json_node *root, const struct compliance_facts *facts);
/* JSON of the payment, masked. MALFORMED, NO_MEMORY. */
enum status masked_json(const struct masks *masks, struct view json, struct arena *arena,
                        struct view *out);
/* Members without braces around them; the same view when nothing is to be masked. */
enum status masked_members(const struct region_settings *region, const char *role,
                           const struct compliance_facts *facts, struct arena *arena,
                           struct view members, struct view *out);

#endif
