/* zone_rule.c - the rule at the end of a zone file: a POSIX TZ string with the extension of RFC
 * 9636, 3.3.1 (hours from -167 to 167).
 *
 *     CET-1CEST,M3.5.0,M10.5.0/3          <-03>3<-02>,M3.5.0/-2,M10.5.0/-1        IST-5:30
 *
 * Offsets count to the west there; here, as everywhere else, to the east.
 */
#include "compliance/zone_int.h"
#include "domain/time.h"

#define SECONDS_PER_DAY 86400
#define TIME_HOURS_MAX  167

static bool take(struct cursor *c, uint8_t letter)
{
    if (cursor_left(c) == 0 || c->ptr[c->taken] != letter)
        return false;
    c->taken++;
    return true;
}

static uint8_t peek(const struct cursor *c)
{
    return cursor_left(c) > 0 ? c->ptr[c->taken] : 0;
}

static enum status number(struct cursor *c, int32_t min, int32_t max, int32_t *out)
{
    int32_t value = 0;
    size_t digits = 0;
    while (peek(c) >= '0' && peek(c) <= '9' && digits < 4) {
        value = value * 10 + (peek(c) - '0');
        c->taken++;
        digits++;
    }
    if (digits == 0 || value < min || value > max)
        return STATUS_MALFORMED;
    *out = value;
    return STATUS_OK;
}

/* Three letters or more, or anything between < and >. */
static enum status name(struct cursor *c)
{
    size_t letters = 0;
    bool quoted = take(c, '<');
    for (;; letters++) {
        uint8_t l = peek(c);
        bool letter = (l >= 'A' && l <= 'Z') || (l >= 'a' && l <= 'z');
        bool other = quoted && ((l >= '0' && l <= '9') || l == '+' || l == '-');
        if (!letter && !other)
            break;
        c->taken++;
    }
    if (letters < 3 || (quoted && !take(c, '>')))
        return STATUS_MALFORMED;
    return STATUS_OK;
}

/* [+-]hh[:mm[:ss]] */
static enum status time_read(struct cursor *c, int32_t hours_max, int32_t *out)
{
    int32_t hours, minutes = 0, seconds = 0;
    bool minus = take(c, '-');
    if (!minus)
        (void)take(c, '+');
    TRY(number(c, 0, hours_max, &hours));
    if (take(c, ':')) {
        TRY(number(c, 0, 59, &minutes));
        if (take(c, ':'))
            TRY(number(c, 0, 59, &seconds));
    }
    int32_t all = hours * 3600 + minutes * 60 + seconds;
    *out = minus ? -all : all;
    return STATUS_OK;
}

/* ,date[/time] */
static enum status day_read(struct cursor *c, struct zone_day *out)
{
    if (!take(c, ','))
        return STATUS_MALFORMED;
    *out = (struct zone_day){ .time_s = 2 * 3600 };
    if (take(c, 'M')) {
        out->kind = ZONE_DAY_WEEKDAY;
        TRY(number(c, 1, 12, &out->month));
        if (!take(c, '.'))
            return STATUS_MALFORMED;
        TRY(number(c, 1, 5, &out->week));
        if (!take(c, '.'))
            return STATUS_MALFORMED;
        TRY(number(c, 0, 6, &out->weekday));
    } else if (take(c, 'J')) {
        out->kind = ZONE_DAY_JULIAN;
        TRY(number(c, 1, 365, &out->day));
    } else {
        out->kind = ZONE_DAY_OF_YEAR;
        TRY(number(c, 0, 365, &out->day));
    }
    if (take(c, '/'))
        TRY(time_read(c, TIME_HOURS_MAX, &out->time_s));
    return STATUS_OK;
}

enum status zone_rule_read(struct view text, struct zone_rule *out)
{
    struct cursor c = cursor_over(text);
    int32_t west;
    *out = (struct zone_rule){ 0 };
    TRY(name(&c));
    TRY(time_read(&c, 24, &west));
    out->standard_s = -west;
    if (cursor_left(&c) == 0)
        return STATUS_OK;
    TRY(name(&c));
    out->has_summer = true;
    out->summer_s = out->standard_s + 3600;
    if (peek(&c) != ',') {
        TRY(time_read(&c, 24, &west));
        out->summer_s = -west;
    }
    /* What POSIX leaves to the system when no days are given is not guessed. */
    TRY(day_read(&c, &out->begin));
    TRY(day_read(&c, &out->end));
    return cursor_left(&c) == 0 ? STATUS_OK : STATUS_MALFORMED;
}

/* --- the days of a year -------------------------------------------------------------------- */

/* Days since 1970. */
static int64_t day_number(int32_t year, int32_t month, int32_t day)
{
    const struct civil c = { .year = year, .month = month, .day = day };
    return civil_to_us(&c) / 1000000 / SECONDS_PER_DAY; /* not before 1969: whole days either way */
}

static bool leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t weekday_number(const struct zone_day *day, int32_t year)
{
    int64_t first = day_number(year, day->month, 1);
    int64_t next =
        day->month == 12 ? day_number(year + 1, 1, 1) : day_number(year, day->month + 1, 1);
    int64_t weekday_of_first = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t at = first + (day->weekday - weekday_of_first + 7) % 7 + (int64_t)(day->week - 1) * 7;
    return at < next ? at : at - 7;
}

/* Local seconds since 1970. */
static int64_t local_s(const struct zone_day *day, int32_t year)
{
    int64_t at;
    if (day->kind == ZONE_DAY_WEEKDAY) {
        at = weekday_number(day, year);
    } else {
        at = day_number(year, 1, 1) + day->day;
        if (day->kind == ZONE_DAY_JULIAN) /* J60 is 1 March in every year */
            at += leap(year) && day->day >= 60 ? 0 : -1;
    }
    return at * SECONDS_PER_DAY + day->time_s;
}

void zone_rule_steps(const struct zone_rule *rule, int32_t year, struct zone_step out[2])
{
    out[0] = (struct zone_step){ local_s(&rule->begin, year) - rule->standard_s, rule->summer_s };
    out[1] = (struct zone_step){ local_s(&rule->end, year) - rule->summer_s, rule->standard_s };
}
