/* settle_text.h - what records are made of: windows of time and other parameters of a request,
 * times, CSV, and made-up names that look like real ones. */
#ifndef SIM_SETTLE_SETTLE_TEXT_H
#define SIM_SETTLE_SETTLE_TEXT_H

#include "base/bytes.h"

#define SETTLE_VALUE_MAX  64
#define SETTLE_PARAMS_MAX 3

/* [from_us, to_us): microseconds since 1970. */
struct settle_window {
    int64_t from_us, to_us;
};
static inline bool settle_within(const struct settle_window *window, int64_t at_us)
{
    return at_us >= window->from_us && at_us < window->to_us;
}

/* A parameter of the counterpart's own: its name and, when the request has it, its value. */
struct settle_param {
    const char *name;
    char value[SETTLE_VALUE_MAX + 1]; /* "": absent */
};

/* Reads "from=..&to=..&name=.." (percent-encoding allowed). from: at first 1970; to: `wall_us`,
 * which is still in it, when absent or later. MALFORMED: `why` has a sentence. */
enum status settle_query(struct view query, struct settle_param *params, size_t count,
                         int64_t wall_us, struct settle_window *window, struct writer *why);

/* 2026-11-22 or 2026-11-22T18:30:00[.123]Z to microseconds since 1970. MALFORMED. */
enum status settle_time_read(struct view text, int64_t *wall_us);
/* 2026-11-22T18:30:00.123Z */
void settle_time_write(struct writer *w, int64_t wall_us);
/* MMDDhhmmss, UTC */
void settle_month_to_second(struct writer *w, int64_t wall_us);

/* One field of a line (RFC 4180); a comma before it unless it is the first. */
struct settle_csv {
    struct writer *w;
    bool comma;
};
void settle_csv_text(struct settle_csv *csv, struct view text);
void settle_csv_i64(struct settle_csv *csv, int64_t value);
void settle_csv_time(struct settle_csv *csv, int64_t wall_us);
/* LF; the next field is a first one again. */
void settle_csv_end(struct settle_csv *csv);

/* `model` with its last letters and digits (16 at most, not the first four bytes) replaced by
 * others of their kind. */
void settle_alike(struct writer *w, struct view model, uint64_t dice);

#endif
