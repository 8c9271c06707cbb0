/* time.h - civil time from microseconds since 1970, without the C library's time zone state. */
#ifndef DOMAIN_TIME_H
#define DOMAIN_TIME_H

#include "base/bytes.h"

struct civil {
    int32_t year, month, day, hour, minute, second, microsecond;
};

/* UTC, or shifted by a fixed offset in minutes. */
void civil_from_us(int64_t wall_us, int32_t offset_minutes, struct civil *out);
int64_t civil_to_us(const struct civil *c);
/* "2026-11-22T13:00:00.123Z" */
void time_format(struct writer *w, int64_t wall_us);
/* "+02:00", "Z", "-05:30" -> minutes. */
enum status offset_parse(struct view text, int32_t *minutes);

#endif
