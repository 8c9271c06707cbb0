/* zone_int.h - a zone as a table, and the rule that goes on where a file's table ends. */
#ifndef COMPLIANCE_ZONE_INT_H
#define COMPLIANCE_ZONE_INT_H

#include "compliance/zone.h"

#define ZONE_YEAR_FIRST 1970
#define ZONE_YEAR_LAST  2100
#define ZONE_OFFSET_MAX (26 * 3600) /* RFC 9636, 3.2: offsets are less than 26 hours */

/* From at_s on the offset holds. */
struct zone_step {
    int64_t at_s; /* since 1970, UTC */
    int32_t offset_s;
};
#define ZONE_MAGIC UINT32_C(0x5a4f4e45)
struct zone {
    uint32_t magic;
    const struct zone_step *steps; /* ascending; the first holds from for ever */
    size_t count;                  /* 1 or more */
};

/* POSIX TZ: when one of the two offsets begins, each year. */
enum zone_day_kind {
    ZONE_DAY_JULIAN = 1, /* Jn: 1..365, 29 February is not counted */
    ZONE_DAY_OF_YEAR,    /* n: 0..365 */
    ZONE_DAY_WEEKDAY,    /* Mm.w.d */
};
struct zone_day {
    enum zone_day_kind kind;
    int32_t day, month, week, weekday; /* weekday 0: Sunday; week 5: the last */
    int32_t time_s;                    /* local, of the offset before; -167 to 167 hours */
};
struct zone_rule {
    int32_t standard_s, summer_s; /* east of Greenwich */
    bool has_summer;
    struct zone_day begin, end; /* of summer_s */
};

/* MALFORMED. */
enum status zone_rule_read(struct view text, struct zone_rule *out);
/* The two steps of a year, in no order. Only with has_summer. */
void zone_rule_steps(const struct zone_rule *rule, int32_t year, struct zone_step out[2]);

/* TZif, versions 1 to 4 (RFC 9636): the steps from 1970 to 2100. MALFORMED, NO_MEMORY. */
enum status zone_file_read(struct view bytes, struct arena *arena, struct zone *out);

#endif
