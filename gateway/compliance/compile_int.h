/* compile_int.h - what the parts of compiling share. */
#ifndef COMPLIANCE_COMPILE_INT_H
#define COMPLIANCE_COMPILE_INT_H

#include "compliance/compliance_int.h"

#define RAILS_ALL                                                                                  \
    (RAIL_BIT(RAIL_CARD) | RAIL_BIT(RAIL_QR) | RAIL_BIT(RAIL_BANK) | RAIL_BIT(RAIL_CBDC))
#define LISTS_COMPARED_MAX 32

struct compiler {
    const struct region_settings *region;
    const struct settings *settings; /* may be NULL: nothing is known of gateway.yaml */
    struct arena *arena;
    struct findings *findings;
    struct profile *profile;
};

/* The rows of region.def by number, for the line of each. */
enum region_setting {
#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    REGION_##member,
#include "settings/region.def"
#undef SETTING
};
/* Where a setting of the profile was written, which may be in one that it extends; the first line
 * of its own file when it was not. */
uint32_t region_line(const struct region_settings *region, enum region_setting setting);
const char *region_file(const struct region_settings *region, enum region_setting setting);

/* False when one is none. All when the list is empty. */
bool rails_read(const struct settings_list *rails, uint32_t *out);

/* tiers, limits, exemptions, corridors, fields, rules. NO_MEMORY only. */
enum status compile_lists(const struct compiler *c);
/* Figures to verify, entries without a source. */
void warn_figures(const struct compiler *c);

#endif
