/* figure_int.h - the figures of region profiles: text to value and back. Pure; no places, no
 * findings.
 *
 * Each reader returns NULL and sets *out, or a sentence that completes "`x` is not ..." (made in
 * `room`, FIGURE_ROOM bytes, where it has something of its own to say); *out is then untouched.
 */
#ifndef SETTINGS_FIGURE_INT_H
#define SETTINGS_FIGURE_INT_H

#include "settings/settings.h"

#define FIGURE_ROOM 160

/* "30.00 EUR", "30 EUR", "500 JPY": at most as many decimals as the currency has, 0 or more. */
const char *figure_money(struct view text, struct money *out, char room[FIGURE_ROOM]);
/* "0.13%" is 1300 parts per million; at most four decimals, 0% to 100%. */
const char *figure_percent(struct view text, int64_t *ppm);
/* "5y" is 1826 days (365.25 each, rounded down), "400d". At least one day. */
const char *figure_years(struct view text, int64_t days_max, int64_t *days, char room[FIGURE_ROOM]);
/* "20:00-06:00"; 24:00 only as the end. */
const char *figure_hours(struct view text, struct settings_hours *out);
/* "24h", "30d", or a word of the calendar. */
const char *figure_window(struct view text, struct settings_window *out, char room[FIGURE_ROOM]);

/* As they could stand in the file. Money has all decimals of its currency. */
void figure_percent_write(struct writer *w, int64_t ppm);
void figure_years_write(struct writer *w, int64_t days);
void figure_hours_write(struct writer *w, const struct settings_hours *hours);
void figure_window_write(struct writer *w, const struct settings_window *window);

#endif
