/* read_lines.c - see read_int.h: lines, values between commas, years and times.
 *
 * A file is read as a stream, one line of at most 64 KiB at a time. A line that is not UTF-8 is
 * taken for Windows-1252, by itself: lists have been seen with both.
 */
#include "screening/read_int.h"

#include "base/ensure.h"

#include <stdlib.h>

struct lines *lines_open(FILE *file, const char *name)
{
    struct lines *l = malloc(sizeof *l);
    if (l == NULL)
        return NULL;
    l->file = file;
    l->name = name;
    l->line = 0;
    l->bytes = 0;
    l->ended = true;
    l->last = false;
    return l;
}

enum status lines_next(struct lines *l)
{
    size_t len = 0;
    bool long_line = false;
    int c;
    while ((c = getc_unlocked(l->file)) != EOF && c != '\n') {
        if (++l->bytes > READ_FILE_MAX)
            return STATUS_FULL;
        if (len < READ_LINE_MAX)
            l->raw[len++] = (uint8_t)c;
        else
            long_line = true;
    }
    if (ferror(l->file))
        return STATUS_IO;
    if (c == EOF && len == 0)
        return STATUS_SHORT;
    l->bytes++;
    l->line++;
    l->ended = c == '\n';
    int next = l->ended ? getc_unlocked(l->file) : EOF;
    l->last = next == EOF || ungetc(next, l->file) == EOF;
    if (long_line)
        return STATUS_RANGE;
    while (len > 0 && l->raw[len - 1] == '\r')
        len--;
    l->text = view_of(l->raw, len);
    if (l->line == 1 && view_starts_with(l->text, VIEW("\xEF\xBB\xBF")))
        l->text = view_slice(l->text, 3, len);
    if (!view_is_utf8(l->text)) {
        struct writer w = writer_over(l->utf8, sizeof l->utf8);
        letters_from_1252(l->text, &w);
        ENSURE(!w.overflow);
        l->text = writer_done(&w);
    }
    return STATUS_OK;
}

/* One value; *at stands behind it, on the comma or the end. */
static enum status field_take(struct view line, size_t *at, struct writer *out, struct view *field)
{
    size_t from = out->len, i = *at;
    while (i < line.len && line.ptr[i] == ' ')
        i++;
    if (i < line.len && line.ptr[i] == '"') {
        for (i++;; i++) {
            if (i >= line.len)
                return STATUS_SHORT;
            if (line.ptr[i] != '"')
                writer_u8(out, line.ptr[i]);
            else if (i + 1 < line.len && line.ptr[i + 1] == '"')
                writer_u8(out, line.ptr[i++]);
            else
                break;
        }
        for (i++; i < line.len && line.ptr[i] == ' ';)
            i++;
        if (i < line.len && line.ptr[i] != ',')
            return STATUS_MALFORMED;
    } else {
        while (i < line.len && line.ptr[i] != ',')
            writer_u8(out, line.ptr[i++]);
    }
    *at = i;
    *field = view_trim(view_of(out->ptr + from, out->len - from));
    return writer_status(out);
}

enum status fields_split(struct view line, uint8_t *room, size_t room_size,
                         struct view fields[READ_FIELDS_MAX], size_t *count)
{
    struct writer out = writer_over(room, room_size);
    size_t at = 0;
    *count = 0;
    for (;;) {
        if (*count >= READ_FIELDS_MAX)
            return STATUS_FULL;
        TRY(field_take(line, &at, &out, &fields[*count]));
        ++*count;
        if (at >= line.len)
            return STATUS_OK;
        at++;
    }
}

/* --- what went wrong ------------------------------------------------------------------------- */

static void say(struct reading *r, const char *file, uint64_t line, const char *what)
{
    if (line > 0)
        snprintf(r->list->why, sizeof r->list->why, "%s:%llu: %s", file, (unsigned long long)line,
                 what);
    else
        snprintf(r->list->why, sizeof r->list->why, "%s: %s", file, what);
}

void read_skip(struct reading *r, const char *file, uint64_t line, const char *what)
{
    if (r->list->skipped++ == 0)
        say(r, file, line, what);
}

enum status read_refuse(struct reading *r, enum status status, const char *file, uint64_t line,
                        const char *what)
{
    say(r, file, line, what);
    return status;
}

enum status read_book_full(struct reading *r, const char *file, uint64_t line)
{
    return read_refuse(r, STATUS_FULL, file, line,
                       "too many entries or names for all lists together (200000 and 1000000)");
}

/* --- years and times ------------------------------------------------------------------------- */

int16_t read_year(struct view text)
{
    uint64_t year;
    struct view digits = view_slice(text, 0, 4);
    if (digits.len < 4 || (text.len > 4 && view_is_digits(view_slice(text, 4, 1))) ||
        view_to_u64(digits, 2999, &year) != STATUS_OK || year < 1000)
        return 0;
    return (int16_t)year;
}

static bool number_at(struct view text, size_t at, size_t len, int64_t least, int64_t most,
                      int64_t *out)
{
    *out = 0;
    if (!view_is_digits(view_slice(text, at, len)) || at + len > text.len)
        return false;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + (text.ptr[at + i] - '0');
    return *out >= least && *out <= most;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar: years begin in March, so that the leap
 * day is the last one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

enum status read_time(struct view text, int64_t *out_us)
{
    int64_t year, month, day, hour = 0, minute = 0, second = 0, offset_hour = 0, offset_minute = 0;
    text = view_trim(text);
    if (!number_at(text, 0, 4, 1970, 2999, &year) || !number_at(text, 5, 2, 1, 12, &month) ||
        !number_at(text, 8, 2, 1, 31, &day) || text.ptr[4] != '-' || text.ptr[7] != '-')
        return STATUS_MALFORMED;
    if (days_of(year, month, day) >= days_of(month < 12 ? year : year + 1, month % 12 + 1, 1))
        return STATUS_MALFORMED;
    int64_t sign = 0;
    if (text.len > 10) {
        if ((text.ptr[10] != 'T' && text.ptr[10] != ' ') || !number_at(text, 11, 2, 0, 23, &hour) ||
            !number_at(text, 14, 2, 0, 59, &minute) || !number_at(text, 17, 2, 0, 60, &second) ||
            text.ptr[13] != ':' || text.ptr[16] != ':')
            return STATUS_MALFORMED;
        size_t at = 19;
        if (at < text.len && text.ptr[at] == '.')
            for (at++; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';)
                at++;
        struct view zone = view_slice(text, at, text.len);
        if (zone.len == 6 && (zone.ptr[0] == '+' || zone.ptr[0] == '-') && zone.ptr[3] == ':' &&
            number_at(zone, 1, 2, 0, 23, &offset_hour) &&
            number_at(zone, 4, 2, 0, 59, &offset_minute))
            sign = zone.ptr[0] == '+' ? 1 : -1;
        else if (zone.len > 0 && !view_is(zone, "Z"))
            return STATUS_MALFORMED;
    }
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
                      sign * (offset_hour * 3600 + offset_minute * 60);
    *out_us = seconds * 1000000;
    return STATUS_OK;
}
