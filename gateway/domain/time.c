/* time.c - the proleptic Gregorian calendar by arithmetic, no tables and no time zone state.
 *
 * Days are counted in eras of 400 years (146097 days) that begin on 1 March, so that the leap day
 * is the last day of a year and needs no case of its own.
 */
#include "domain/time.h"

#define US_PER_SECOND   INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA    INT64_C(146097)
#define DAYS_TO_1970    INT64_C(719468) /* from 0000-03-01 */
#define OFFSET_MAX      (14 * 60)       /* the largest in use: +14:00 */

/* Division that rounds down, so that times before 1970 work. */
static int64_t divide_down(int64_t a, int64_t b, int64_t *rest)
{
    int64_t quotient = a / b, remainder = a % b;
    if (remainder < 0) {
        remainder += b;
        quotient--;
    }
    *rest = remainder;
    return quotient;
}

void civil_from_us(int64_t wall_us, int32_t offset_minutes, struct civil *out)
{
    int64_t us, second_of_day, day_of_era;
    int64_t seconds = divide_down(wall_us, US_PER_SECOND, &us) + (int64_t)offset_minutes * 60;
    int64_t days = divide_down(seconds, SECONDS_PER_DAY, &second_of_day) + DAYS_TO_1970;
    int64_t era = divide_down(days, DAYS_PER_ERA, &day_of_era);
    /* Leap days before this day: one per 4 years (1461 days), none per 100 (36524), one per 400. */
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    /* Months from March: 153 days in every five of them. */
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int32_t)(era * 400 + year_of_era + (out->month <= 2 ? 1 : 0));
    out->hour = (int32_t)(second_of_day / 3600);
    out->minute = (int32_t)(second_of_day / 60 % 60);
    out->second = (int32_t)(second_of_day % 60);
    out->microsecond = (int32_t)us;
}

int64_t civil_to_us(const struct civil *c)
{
    int64_t year = (int64_t)c->year - (c->month <= 2 ? 1 : 0);
    int64_t month_from_march = c->month > 2 ? (int64_t)c->month - 3 : (int64_t)c->month + 9;
    int64_t year_of_era;
    int64_t era = divide_down(year, 400, &year_of_era);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)c->day - 1;
    int64_t day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t seconds = (era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970) * SECONDS_PER_DAY +
                      (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
    int64_t us;
    /* A year that no 64-bit microsecond can reach ends at the nearest that one can. */
    if (__builtin_mul_overflow(seconds, US_PER_SECOND, &us) ||
        __builtin_add_overflow(us, (int64_t)c->microsecond, &us))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return us;
}

void time_format(struct writer *w, int64_t wall_us)
{
    struct civil c;
    civil_from_us(wall_us, 0, &c);
    if (c.year < 0 || c.year > 9999) { /* RFC 3339 has four digits */
        w->overflow = true;
        return;
    }
    writer_u64_padded(w, (uint64_t)c.year, 4);
    writer_text(w, "-");
    writer_u64_padded(w, (uint64_t)c.month, 2);
    writer_text(w, "-");
    writer_u64_padded(w, (uint64_t)c.day, 2);
    writer_text(w, "T");
    writer_u64_padded(w, (uint64_t)c.hour, 2);
    writer_text(w, ":");
    writer_u64_padded(w, (uint64_t)c.minute, 2);
    writer_text(w, ":");
    writer_u64_padded(w, (uint64_t)c.second, 2);
    writer_text(w, ".");
    writer_u64_padded(w, (uint64_t)c.microsecond / 1000, 3);
    writer_text(w, "Z");
}

enum status offset_parse(struct view text, int32_t *minutes)
{
    if (view_is(text, "Z")) {
        *minutes = 0;
        return STATUS_OK;
    }
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' ||
        !view_is_digits(view_slice(text, 1, 2)) || !view_is_digits(view_slice(text, 4, 2)))
        return STATUS_MALFORMED;
    int32_t hour = (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0');
    int32_t minute = (text.ptr[4] - '0') * 10 + (text.ptr[5] - '0');
    if (minute > 59)
        return STATUS_MALFORMED;
    int32_t all = hour * 60 + minute;
    if (all > OFFSET_MAX)
        return STATUS_RANGE;
    *minutes = text.ptr[0] == '-' ? -all : all;
    return STATUS_OK;
}
