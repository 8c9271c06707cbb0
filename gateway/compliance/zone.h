/* zone.h - local time of an IANA time zone, without the C library's global state.
 *
 * A zone is read once from the system's files (TZif, RFC 8536; $TZDIR or /usr/share/zoneinfo) into
 * a table of transitions from 1970 to 2100, so that asking is a binary search. Pure after that; may
 * be read from every thread.
 */
#ifndef COMPLIANCE_ZONE_H
#define COMPLIANCE_ZONE_H

#include "base/arena.h"
#include "settings/settings.h"

struct zone;

/* NOT_FOUND: no such zone (or a name that is a path); MALFORMED: the file cannot be read. "UTC"
 * needs no file. Blocks. Lives in the arena. */
enum status zone_load(const char *name, struct arena *arena, const struct zone **out);
/* Offset from UTC in force at that moment, seconds. */
int32_t zone_offset_s(const struct zone *zone, int64_t wall_us);
/* Seconds since local midnight as a clock on the wall shows them, 0..86399. */
int32_t zone_second_of_day(const struct zone *zone, int64_t wall_us);
/* The first moment of the local day, week (Monday), month or year that holds wall_us. In a zone
 * that springs forward at midnight, that is the first moment after the gap. */
int64_t zone_period_start_us(const struct zone *zone, enum settings_window_kind kind,
                             int64_t wall_us);
/* Is it inside the hours, as the clock on the wall shows? An hour that comes twice is inside twice.
 */
bool zone_in_hours(const struct zone *zone, const struct settings_hours *hours, int64_t wall_us);

#endif
