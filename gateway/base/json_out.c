/* json_out.c - a bounded JSON writer.
 *
 * Whatever bytes come in as text, JSON that is valid and UTF-8 goes out: what must be escaped is,
 * the control characters of U+0080 to U+009F too (a terminal that shows a log obeys them), and each
 * byte that is no part of a well-formed sequence becomes U+FFFD. Structure is the caller's promise
 * (ENSURE); room is not, and latches in the writer.
 */
#include "json_out.h"

#include "ensure.h"

#define US_PER_S  UINT64_C(1000000)
#define S_PER_DAY 86400

void json_out_init(struct json_out *j, struct writer *w)
{
    *j = (struct json_out){ .w = w };
}

/* Bytes of text from `at` on that can be copied as they are. */
static size_t plain_run(struct view text, size_t at)
{
    size_t from = at;
    while (at < text.len) {
        uint8_t c = text.ptr[at];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
        at++;
    }
    return at - from;
}

static void put_control(struct writer *w, uint8_t c)
{
    switch (c) {
    case '"': writer_text(w, "\\\""); break;
    case '\\': writer_text(w, "\\\\"); break;
    case '\n': writer_text(w, "\\n"); break;
    case '\r': writer_text(w, "\\r"); break;
    case '\t': writer_text(w, "\\t"); break;
    default:
        writer_text(w, "\\u00");
        writer_hex_lower(w, view_of(&c, 1));
        break;
    }
}

/* A sequence of two to four bytes at `at`, or one bad byte; returns how many were dealt with. */
static size_t put_beyond_ascii(struct writer *w, struct view text, size_t at)
{
    if (text.len - at >= 2 && text.ptr[at] == 0xC2 && text.ptr[at + 1] >= 0x80 &&
        text.ptr[at + 1] < 0xA0) {
        put_control(w, text.ptr[at + 1]); /* U+0080 is C2 80 */
        return 2;
    }
    for (size_t len = 2; len <= 4 && len <= text.len - at; len++) {
        struct view sequence = view_slice(text, at, len);
        if (view_is_utf8(sequence)) {
            writer_view(w, sequence);
            return len;
        }
    }
    writer_text(w, "\xEF\xBF\xBD");
    return 1;
}

static void put_string(struct writer *w, struct view text)
{
    writer_u8(w, '"');
    for (size_t at = 0; at < text.len && !w->overflow;) {
        size_t run = plain_run(text, at);
        if (run > 0) {
            writer_bytes(w, text.ptr + at, run);
            at += run;
        } else if (text.ptr[at] < 0x80) {
            put_control(w, text.ptr[at++]);
        } else {
            at += put_beyond_ascii(w, text, at);
        }
    }
    writer_u8(w, '"');
}

/* The comma and the key that come before a value. */
static void put_before(struct json_out *j, const char *key)
{
    if (j->comma[j->depth])
        writer_u8(j->w, ',');
    j->comma[j->depth] = true;
    if (key == NULL)
        return;
    put_string(j->w, view_text(key));
    writer_u8(j->w, ':');
}

static void open_level(struct json_out *j, const char *key, uint8_t bracket)
{
    ENSURE(j->depth < JSON_OUT_DEPTH_MAX);
    put_before(j, key);
    writer_u8(j->w, bracket);
    j->comma[++j->depth] = false;
}

static void close_level(struct json_out *j, uint8_t bracket)
{
    ENSURE(j->depth > 0);
    j->depth--;
    writer_u8(j->w, bracket);
}

void json_open_object(struct json_out *j, const char *key)
{
    open_level(j, key, '{');
}

void json_close_object(struct json_out *j)
{
    close_level(j, '}');
}

void json_open_array(struct json_out *j, const char *key)
{
    open_level(j, key, '[');
}

void json_close_array(struct json_out *j)
{
    close_level(j, ']');
}

void json_put_text(struct json_out *j, const char *key, struct view value)
{
    put_before(j, key);
    put_string(j->w, value);
}

void json_put_text_if(struct json_out *j, const char *key, struct view value)
{
    if (value.len > 0)
        json_put_text(j, key, value);
}

void json_put_i64(struct json_out *j, const char *key, int64_t value)
{
    put_before(j, key);
    writer_i64_text(j->w, value);
}

void json_put_bool(struct json_out *j, const char *key, bool value)
{
    put_before(j, key);
    writer_text(j->w, value ? "true" : "false");
}

void json_put_null(struct json_out *j, const char *key)
{
    put_before(j, key);
    writer_text(j->w, "null");
}

void json_put_raw(struct json_out *j, const char *key, struct view value)
{
    put_before(j, key);
    writer_view(j->w, value);
}

/* Proleptic Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that
 * the leap day is the last of its year; 400 years are 146,097 days. (Not gmtime_r: the C library
 * takes a process-wide lock there, and every answer carries times.) */
static void civil_date(int64_t day, int64_t *year, unsigned *month, unsigned *day_of_month)
{
    int64_t since_0 = day + 719468; /* from 0000-03-01 */
    int64_t era = (since_0 >= 0 ? since_0 : since_0 - 146096) / 146097;
    unsigned in_era = (unsigned)(since_0 - era * 146097);
    unsigned year_in_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    unsigned from_march = (5 * in_year + 2) / 153;
    *day_of_month = in_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = (int64_t)year_in_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void json_put_time(struct json_out *j, const char *key, int64_t wall_us)
{
    int64_t day_us = (int64_t)(S_PER_DAY * US_PER_S);
    int64_t day = wall_us / day_us;
    int64_t rest_us = wall_us % day_us;
    if (rest_us < 0) {
        rest_us += day_us;
        day--;
    }
    int64_t year;
    unsigned month, day_of_month;
    civil_date(day, &year, &month, &day_of_month);
    if (year < 0 || year > 9999) { /* RFC 3339 has four digits of year */
        json_put_null(j, key);
        return;
    }
    uint64_t s = (uint64_t)rest_us / US_PER_S;
    put_before(j, key);
    writer_u8(j->w, '"');
    writer_u64_padded(j->w, (uint64_t)year, 4);
    writer_u8(j->w, '-');
    writer_u64_padded(j->w, month, 2);
    writer_u8(j->w, '-');
    writer_u64_padded(j->w, day_of_month, 2);
    writer_u8(j->w, 'T');
    writer_u64_padded(j->w, s / 3600, 2);
    writer_u8(j->w, ':');
    writer_u64_padded(j->w, s / 60 % 60, 2);
    writer_u8(j->w, ':');
    writer_u64_padded(j->w, s % 60, 2);
    writer_u8(j->w, '.');
    writer_u64_padded(j->w, (uint64_t)rest_us % US_PER_S / 1000, 3);
    writer_text(j->w, "Z\"");
}
