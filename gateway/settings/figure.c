/* figure.c - amounts, percentages, periods, hours and windows of region profiles.
 *
 * All figures are exact: an amount becomes minor units, a percentage parts per million, by shifting
 * digits, never by way of a binary fraction. A figure that would have to be rounded is refused: the
 * operator who writes 30.005 EUR means something that cannot be enforced.
 */
#include "settings/figure_int.h"

#include "base/ensure.h"

#include <stdio.h>

#define MINUTE_US INT64_C(60000000)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)
#define DAY_S     (24 * 60 * 60)

/* "12.5" with `decimals` 2 is 1250. MALFORMED, RANGE; FULL when there are more decimals than that.
 */
static enum status decimal_read(struct view text, unsigned decimals, int64_t *out)
{
    size_t dot = view_find(text, '.');
    struct view whole = view_slice(text, 0, dot), part = view_slice(text, dot + 1, SIZE_MAX);
    uint64_t number = 0;
    int64_t all = 0;
    if (dot < text.len && !view_is_digits(part))
        return STATUS_MALFORMED;
    TRY(view_to_u64(whole, INT64_MAX, &number));
    if (part.len > decimals)
        return STATUS_FULL;
    all = (int64_t)number;
    for (size_t i = 0; i < decimals; i++) {
        int64_t digit = i < part.len ? part.ptr[i] - '0' : 0;
        if (__builtin_mul_overflow(all, 10, &all) || __builtin_add_overflow(all, digit, &all))
            return STATUS_RANGE;
    }
    *out = all;
    return STATUS_OK;
}

/* --- money --------------------------------------------------------------------------------- */

/* 1,000.00 or 1 000.00 or 1'000.00 */
static bool has_separators(struct view number)
{
    for (size_t i = 0; i < number.len; i++) {
        uint8_t c = number.ptr[i];
        if (c == ',' || c == '\'' || c == '_' || c == ' ' || c >= 0x80)
            return true;
    }
    /* 1.000.00 */
    struct view part = view_slice(number, view_find(number, '.') + 1, SIZE_MAX);
    return view_find(part, '.') < part.len;
}

const char *figure_money(struct view text, struct money *out, char room[FIGURE_ROOM])
{
    static const char expected[] = "an amount and its currency like 30.00 EUR";
    const struct currency *currency = NULL;
    int64_t minor = 0;
    size_t blank = text.len;
    while (blank > 0 && text.ptr[blank - 1] != ' ')
        blank--;
    if (blank < 2)
        return expected;
    struct view number = view_slice(text, 0, blank - 1), code = view_slice(text, blank, SIZE_MAX);
    if (currency_by_code(code, &currency) != STATUS_OK)
        return code.len == 3 && number.ptr[0] >= '0' && number.ptr[0] <= '9'
                   ? "an amount in a currency of ISO 4217, like 30.00 EUR"
                   : expected;
    if (number.ptr[0] == '-')
        return "an amount of 0 or more";
    if (number.ptr[0] >= '0' && number.ptr[0] <= '9' && has_separators(number))
        return "written plainly: an amount has no thousands separators and a point before its "
               "decimals, like 1000.00 EUR";
    enum status s = decimal_read(number, currency->exponent, &minor);
    if (s == STATUS_FULL && currency->exponent == 0)
        (void)snprintf(room, FIGURE_ROOM, "exact: %s has no decimals", currency->code);
    else if (s == STATUS_FULL)
        (void)snprintf(room, FIGURE_ROOM, "exact: %s has %u decimals, so write at most %u",
                       currency->code, currency->exponent, currency->exponent);
    else if (s == STATUS_RANGE)
        return "an amount that fits in 64 bits";
    else if (s != STATUS_OK)
        return expected;
    else
        *out = (struct money){ .minor = minor, .currency = currency };
    return s == STATUS_OK ? NULL : room;
}

/* --- percentages, years -------------------------------------------------------------------- */

const char *figure_percent(struct view text, int64_t *ppm)
{
    static const char expected[] =
        "a percentage of 0% to 100% with at most four decimals, like 0.13%";
    int64_t number = 0;
    if (text.len < 2 || text.ptr[text.len - 1] != '%' ||
        decimal_read(view_slice(text, 0, text.len - 1), 4, &number) != STATUS_OK ||
        number > 1000000)
        return expected;
    *ppm = number;
    return NULL;
}

void figure_percent_write(struct writer *w, int64_t ppm)
{
    int64_t part = ppm % 10000;
    unsigned decimals = 4;
    writer_i64_text(w, ppm / 10000);
    for (; decimals > 0 && part % 10 == 0; decimals--)
        part /= 10;
    if (decimals > 0) {
        writer_text(w, ".");
        writer_u64_padded(w, (uint64_t)part, decimals);
    }
    writer_text(w, "%");
}

static int64_t days_of_years(int64_t years)
{
    return years * 1461 / 4;
}

const char *figure_years(struct view text, int64_t days_max, int64_t *days, char room[FIGURE_ROOM])
{
    uint64_t number = 0;
    uint8_t unit = text.len > 1 ? text.ptr[text.len - 1] : 0;
    enum status s = view_to_u64(view_slice(text, 0, text.len - (text.len > 0)), 100000, &number);
    int64_t all = unit == 'y' ? days_of_years((int64_t)number) : (int64_t)number;
    if (s == STATUS_OK && (unit == 'y' || unit == 'd') && all >= 1 && all <= days_max) {
        *days = all;
        return NULL;
    }
    (void)snprintf(room, FIGURE_ROOM, "a time in years or days like 5y or 400d, 1d to %lldd",
                   (long long)days_max);
    return room;
}

void figure_years_write(struct writer *w, int64_t days)
{
    int64_t years = (days * 4 + 1460) / 1461;
    if (days == 0)
        return;
    bool whole = days_of_years(years) == days;
    writer_i64_text(w, whole ? years : days);
    writer_text(w, whole ? "y" : "d");
}

/* --- hours, windows ------------------------------------------------------------------------ */

/* "20:00" in seconds, or -1. */
static int32_t clock_read(struct view text)
{
    if (text.len != 5 || text.ptr[2] != ':' || !view_is_digits(view_slice(text, 0, 2)) ||
        !view_is_digits(view_slice(text, 3, 2)))
        return -1;
    int32_t hour = (text.ptr[0] - '0') * 10 + (text.ptr[1] - '0');
    int32_t minute = (text.ptr[3] - '0') * 10 + (text.ptr[4] - '0');
    if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
        return -1;
    return (hour * 60 + minute) * 60;
}

const char *figure_hours(struct view text, struct settings_hours *out)
{
    int32_t from = clock_read(view_slice(text, 0, 5));
    int32_t until = clock_read(view_slice(text, 6, SIZE_MAX));
    if (text.len != 11 || text.ptr[5] != '-' || from < 0 || until < 0 || from == DAY_S)
        return "hours like 20:00-06:00 (00:00 to 23:59; the end may be 24:00)";
    if (from == until)
        return "a period: its ends are equal; leave it out for always";
    *out = (struct settings_hours){ .from_s = from, .until_s = until, .given = true };
    return NULL;
}

static void clock_write(struct writer *w, int32_t seconds)
{
    writer_u64_padded(w, (uint64_t)(seconds / 3600), 2);
    writer_text(w, ":");
    writer_u64_padded(w, (uint64_t)(seconds / 60 % 60), 2);
}

void figure_hours_write(struct writer *w, const struct settings_hours *hours)
{
    if (!hours->given)
        return;
    clock_write(w, hours->from_s);
    writer_text(w, "-");
    clock_write(w, hours->until_s);
}

static const char *const calendar[] = { "day", "week", "month", "year" };
_Static_assert(SETTINGS_WINDOW_YEAR == SETTINGS_WINDOW_DAY + (int)COUNT_OF(calendar) - 1,
               "a word for each period of the calendar");

const char *figure_window(struct view text, struct settings_window *out, char room[FIGURE_ROOM])
{
    static const struct {
        uint8_t letter;
        int64_t us;
    } units[] = { { 'm', MINUTE_US }, { 'h', HOUR_US }, { 'd', DAY_US } };
    for (size_t i = 0; i < COUNT_OF(calendar); i++) {
        if (view_is(text, calendar[i])) {
            *out = (struct settings_window){ .kind = SETTINGS_WINDOW_DAY + (int)i, .us = 0 };
            return NULL;
        }
    }
    uint64_t number = 0;
    bool digits = text.len > 1 &&
                  view_to_u64(view_slice(text, 0, text.len - 1), 1000000, &number) == STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(units) && digits; i++) {
        int64_t us = (int64_t)number * units[i].us;
        if (text.ptr[text.len - 1] != units[i].letter)
            continue;
        if (us < MINUTE_US || us > 366 * DAY_US)
            return "a window of 1m to 366d";
        *out = (struct settings_window){ .kind = SETTINGS_WINDOW_SLIDING, .us = us };
        return NULL;
    }
    const char *near = finding_did_you_mean(text, calendar, COUNT_OF(calendar));
    (void)snprintf(room, FIGURE_ROOM,
                   "a window: 1h, 24h, 30d and the like, or one of day, week, month, year%s%s%s",
                   near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                   near != NULL ? "`?" : "");
    return room;
}

void figure_window_write(struct writer *w, const struct settings_window *window)
{
    int64_t us = window->us;
    if (window->kind >= SETTINGS_WINDOW_DAY)
        writer_text(w, calendar[window->kind - SETTINGS_WINDOW_DAY]);
    if (window->kind != SETTINGS_WINDOW_SLIDING)
        return;
    int64_t unit = us % DAY_US == 0 ? DAY_US : us % HOUR_US == 0 ? HOUR_US : MINUTE_US;
    writer_i64_text(w, us / unit);
    writer_text(w, unit == DAY_US ? "d" : unit == HOUR_US ? "h" : "m");
}
