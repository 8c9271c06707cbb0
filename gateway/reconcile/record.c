/* record.c - what the readers of all formats stand on: lines and their digest, numbers, times, and
 * saying what is wrong and where. Everything in a record is somebody else's: nothing of it is
 * repeated in a message, only its place.
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <stdlib.h>

#define TIME_YEAR_MIN 1970
#define TIME_YEAR_MAX 2200

enum status record_refuse(const struct record *r, enum status status, uint64_t line,
                          const char *what)
{
    if (r->why->len > 0) /* the first reason counts */
        return status;
    if (line > 0)
        writer_format(r->why, "%s:%llu: %s", r->path, (unsigned long long)line, what);
    else
        writer_format(r->why, "%s: %s", r->path, what);
    return status;
}

static bool name_is_good(struct view name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || !view_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || name.ptr[i] == 0x7F)
            return false;
    return true;
}

void record_count(struct record *r, int64_t at_us)
{
    r->first_us = r->lines == 0 || at_us < r->first_us ? at_us : r->first_us;
    r->last_us = r->lines == 0 || at_us > r->last_us ? at_us : r->last_us;
    r->lines++;
}

enum status record_hand_out(struct record *r, const struct record_line *line)
{
    if (!name_is_good(line->name))
        return record_refuse(r, STATUS_MALFORMED, line->line,
                             "what names the line is empty, too long, or no text");
    if (line->amount_minor <= 0)
        return record_refuse(r, STATUS_MALFORMED, line->line, "the amount is not above zero");
    if (!line->beside)
        record_count(r, line->at_us);
    return r->take(line, r->arg);
}

int64_t record_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : -INT64_MAX;
    return sum > -INT64_MAX ? sum : -INT64_MAX; /* so that it can be turned round */
}

/* --- numbers and times -------------------------------------------------------------------------
 */

enum status record_currency(struct view text, char out[4], unsigned *exponent)
{
    const struct currency *known = NULL;
    if (text.len != 3)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < 3; i++)
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
            return STATUS_MALFORMED;
    *exponent = currency_by_code(text, &known) == STATUS_OK ? known->exponent : 2;
    return view_to_text(text, out, 4);
}

enum status record_decimal(struct view text, unsigned exponent, bool exact, int64_t *out_minor)
{
    size_t point = view_find(text, '.');
    struct view whole = view_slice(text, 0, point), part = view_slice(text, point + 1, text.len);
    bool has_point = point < text.len;
    if (!view_is_digits(whole) || (has_point && !view_is_digits(part)))
        return STATUS_MALFORMED;
    if (exact && part.len != exponent)
        return STATUS_MALFORMED;
    int64_t minor = 0;
    size_t digits = whole.len + exponent;
    for (size_t i = 0; i < digits; i++) {
        size_t in_part = i - whole.len;
        uint8_t c = i < whole.len ? whole.ptr[i] : in_part < part.len ? part.ptr[in_part] : '0';
        if (__builtin_mul_overflow(minor, 10, &minor) ||
            __builtin_add_overflow(minor, c - '0', &minor))
            return STATUS_RANGE;
    }
    for (size_t i = exponent; i < part.len; i++)
        if (part.ptr[i] != '0')
            return STATUS_MALFORMED;
    *out_minor = minor;
    return STATUS_OK;
}

/* `digits` of them from *at on. */
static bool take_number(struct view text, size_t *at, size_t digits, int32_t *out)
{
    struct view part = view_slice(text, *at, digits);
    uint64_t number = 0;
    if (part.len != digits || !view_is_digits(part))
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(part.ptr[i] - '0');
    *at += digits;
    *out = (int32_t)number;
    return true;
}

static bool take_letter(struct view text, size_t *at, uint8_t letter)
{
    if (*at >= text.len || text.ptr[*at] != letter)
        return false;
    ++*at;
    return true;
}

static bool date_is_good(const struct civil *c)
{
    static const int32_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (c->year < TIME_YEAR_MIN || c->year > TIME_YEAR_MAX || c->month < 1 || c->month > 12)
        return false;
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    return c->day >= 1 && c->day <= days[c->month - 1] + (leap && c->month == 2 ? 1 : 0);
}

/* The fraction of a second: any digits; those behind the sixth are dropped. */
static bool take_fraction(struct view text, size_t *at, int32_t *microsecond)
{
    int32_t scale = 100000;
    size_t from = *at;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9') {
        *microsecond += (text.ptr[*at] - '0') * scale;
        scale /= 10;
        ++*at;
    }
    return *at > from && *at - from <= 9;
}

enum status reconcile_time(struct view text, int64_t *out_us)
{
    struct civil c = { 0 };
    size_t at = 0;
    int32_t offset = 0;
    if (!take_number(text, &at, 4, &c.year) || !take_letter(text, &at, '-') ||
        !take_number(text, &at, 2, &c.month) || !take_letter(text, &at, '-') ||
        !take_number(text, &at, 2, &c.day) || !date_is_good(&c))
        return STATUS_MALFORMED;
    if (at < text.len) {
        if (!take_letter(text, &at, 'T') || !take_number(text, &at, 2, &c.hour) ||
            !take_letter(text, &at, ':') || !take_number(text, &at, 2, &c.minute) ||
            !take_letter(text, &at, ':') || !take_number(text, &at, 2, &c.second) || c.hour > 23 ||
            c.minute > 59 || c.second > 60)
            return STATUS_MALFORMED;
        if (take_letter(text, &at, '.') && !take_fraction(text, &at, &c.microsecond))
            return STATUS_MALFORMED;
        struct view zone = view_slice(text, at, text.len);
        if (zone.len > 0 && offset_parse(zone, &offset) != STATUS_OK)
            return STATUS_MALFORMED;
    }
    *out_us = civil_to_us(&c) - (int64_t)offset * 60 * LOOP_US_PER_S;
    return STATUS_OK;
}

/* --- lines -------------------------------------------------------------------------------------
 */

enum status record_lines_open(struct record_lines **out, struct record *record)
{
    *out = NULL;
    struct record_lines *lines = calloc(1, sizeof *lines);
    if (lines == NULL)
        return STATUS_NO_MEMORY;
    lines->record = record;
    enum status status = secret_digest_open(&lines->digest);
    if (status != STATUS_OK) {
        free(lines);
        return status;
    }
    *out = lines;
    return STATUS_OK;
}

void record_lines_close(struct record_lines *lines)
{
    if (lines == NULL)
        return;
    secret_digest_close(lines->digest);
    free(lines);
}

/* Up to and with the LF; the end of the file ends a line as well. */
static enum status gather(struct record_lines *l)
{
    size_t len = 0;
    int c = EOF;
    l->ended = false;
    while (len < RECORD_LINE_MAX && (c = getc_unlocked(l->record->file)) != EOF) {
        if (c == '\n') {
            l->ended = true;
            break;
        }
        l->room[len++] = (uint8_t)c;
    }
    if (c == EOF && ferror(l->record->file))
        return record_refuse(l->record, STATUS_IO, l->number, "it cannot be read");
    if (len == RECORD_LINE_MAX)
        return record_refuse(l->record, STATUS_RANGE, l->number, "the line is longer than 16 KiB");
    if (len == 0 && !l->ended)
        return STATUS_NOT_FOUND;
    l->text = view_of(l->room, len);
    return STATUS_OK;
}

enum status record_lines_next(struct record_lines *lines)
{
    if (lines->number > 0) {
        TRY(secret_digest_add(lines->digest, lines->text));
        if (lines->ended)
            TRY(secret_digest_add(lines->digest, VIEW("\n")));
    }
    lines->text = VIEW_EMPTY;
    lines->number++;
    if (lines->record->lines > RECORD_LINES_MAX)
        return record_refuse(lines->record, STATUS_RANGE, lines->number,
                             "the record has more than 100,000,000 lines");
    return gather(lines);
}

bool record_digest_is(const struct record_lines *lines, struct view hex)
{
    uint8_t digest[SECRET_SHA256_SIZE], text[2 * SECRET_SHA256_SIZE];
    struct writer w = writer_over(text, sizeof text);
    if (secret_digest_done(lines->digest, digest) != STATUS_OK)
        return false;
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    return view_equal(writer_done(&w), hex);
}
