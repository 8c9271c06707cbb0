/* settle_text.c - see settle_text.h. */
#include "settle_text.h"

#define DAY_S       INT64_C(86400)
#define ALIKE_LAST  16u /* letters that are replaced */
#define ALIKE_FIRST 4u  /* bytes that stay: what kind of name it is */

/* --- times -------------------------------------------------------------------------------- */
struct date {
    int64_t year;
    unsigned month, day;
};

/* Days since 1970 and back; years as if they began in March, so that the leap day is the last. */
static int64_t days_of(struct date d)
{
    int64_t year = d.year - (d.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (unsigned)((5 * of_year + 2) / 153);
    struct date d = { .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
                      .month = month < 10 ? month + 3 : month - 9 };
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}

/* `digits` decimal digits, then `after` unless that is 0. */
static enum status take_digits(struct cursor *c, unsigned digits, uint8_t after, unsigned *out)
{
    struct view text;
    uint64_t value = 0;
    uint8_t byte;
    TRY(cursor_take(c, digits, &text));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return STATUS_MALFORMED;
        value = value * 10 + (text.ptr[i] - '0');
    }
    *out = (unsigned)value;
    if (after == 0)
        return STATUS_OK;
    TRY(cursor_u8(c, &byte));
    return byte == after ? STATUS_OK : STATUS_MALFORMED;
}

static enum status take_time(struct cursor *c, int64_t *us)
{
    unsigned hour, minute, second, ms = 0;
    uint8_t byte;
    TRY(take_digits(c, 2, ':', &hour));
    TRY(take_digits(c, 2, ':', &minute));
    TRY(take_digits(c, 2, 0, &second));
    TRY(cursor_u8(c, &byte));
    if (byte == '.') {
        TRY(take_digits(c, 3, 0, &ms));
        TRY(cursor_u8(c, &byte));
    }
    if (byte != 'Z' || cursor_left(c) > 0 || hour > 23 || minute > 59 || second > 59)
        return STATUS_MALFORMED;
    *us = ((int64_t)(hour * 60 + minute) * 60 + second) * 1000000 + (int64_t)ms * 1000;
    return STATUS_OK;
}

static enum status read_time(struct view text, int64_t *wall_us)
{
    struct cursor c = cursor_over(text);
    unsigned year, month, day;
    int64_t of_day_us = 0;
    uint8_t byte;
    TRY(take_digits(&c, 4, '-', &year));
    TRY(take_digits(&c, 2, '-', &month));
    TRY(take_digits(&c, 2, 0, &day));
    struct date date = { year, month, day };
    if (month < 1 || month > 12 || day < 1 || date_of(days_of(date)).day != day)
        return STATUS_MALFORMED;
    if (cursor_left(&c) > 0) {
        TRY(cursor_u8(&c, &byte));
        if (byte != 'T')
            return STATUS_MALFORMED;
        TRY(take_time(&c, &of_day_us));
    }
    *wall_us = days_of(date) * DAY_S * 1000000 + of_day_us;
    return STATUS_OK;
}

enum status settle_time_read(struct view text, int64_t *wall_us)
{
    return read_time(text, wall_us) == STATUS_OK ? STATUS_OK : STATUS_MALFORMED;
}

void settle_time_write(struct writer *w, int64_t wall_us)
{
    struct date d = date_of(wall_us / (DAY_S * 1000000));
    uint64_t ms = (uint64_t)(wall_us / 1000 % (DAY_S * 1000));
    writer_u64_padded(w, (uint64_t)d.year, 4);
    writer_u8(w, '-');
    writer_u64_padded(w, d.month, 2);
    writer_u8(w, '-');
    writer_u64_padded(w, d.day, 2);
    writer_u8(w, 'T');
    writer_u64_padded(w, ms / 3600000, 2);
    writer_u8(w, ':');
    writer_u64_padded(w, ms / 60000 % 60, 2);
    writer_u8(w, ':');
    writer_u64_padded(w, ms / 1000 % 60, 2);
    writer_u8(w, '.');
    writer_u64_padded(w, ms % 1000, 3);
    writer_u8(w, 'Z');
}

void settle_month_to_second(struct writer *w, int64_t wall_us)
{
    struct date d = date_of(wall_us / (DAY_S * 1000000));
    uint64_t s = (uint64_t)(wall_us / 1000000 % DAY_S);
    writer_u64_padded(w, d.month, 2);
    writer_u64_padded(w, d.day, 2);
    writer_u64_padded(w, s / 3600, 2);
    writer_u64_padded(w, s / 60 % 60, 2);
    writer_u64_padded(w, s % 60, 2);
}

/* --- queries ------------------------------------------------------------------------------ */
/* With %XX and '+' taken back. */
static enum status decode(struct view text, char out[SETTLE_VALUE_MAX + 1])
{
    size_t len = 0, got = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        if (byte == '%') {
            TRY(hex_decode(view_slice(text, i + 1, 2), &byte, 1, &got));
            if (got != 1)
                return STATUS_MALFORMED;
            i += 2;
        }
        if (len == SETTLE_VALUE_MAX || byte < ' ')
            return STATUS_MALFORMED;
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return STATUS_OK;
}

static enum status refuse_param(struct writer *why, struct view name, const char *sentence)
{
    writer_view(why, view_slice(name, 0, 40));
    writer_text(why, ": ");
    writer_text(why, sentence);
    return STATUS_MALFORMED;
}

static enum status take_param(struct view pair, struct settle_param *all, size_t count,
                              struct writer *why)
{
    struct view name = view_slice(pair, 0, view_find(pair, '='));
    for (size_t i = 0; i < count; i++) {
        if (!view_is(name, all[i].name))
            continue;
        if (all[i].value[0] != '\0')
            return refuse_param(why, name, "comes twice");
        if (decode(view_slice(pair, name.len + 1, pair.len), all[i].value) != STATUS_OK ||
            all[i].value[0] == '\0')
            return refuse_param(why, name, "is empty, too long or wrongly encoded");
        return STATUS_OK;
    }
    return refuse_param(why, name, "is not a parameter of this record");
}

static enum status take_bound(const struct settle_param *param, int64_t *us, struct writer *why)
{
    if (param->value[0] == '\0' || settle_time_read(view_text(param->value), us) == STATUS_OK)
        return STATUS_OK;
    return refuse_param(why, view_text(param->name),
                        "is a date or a time in UTC: 2026-11-22 or 2026-11-22T18:30:00Z");
}

enum status settle_query(struct view query, struct settle_param *params, size_t count,
                         int64_t wall_us, struct settle_window *window, struct writer *why)
{
    struct settle_param all[2 + SETTLE_PARAMS_MAX] = { { .name = "from" }, { .name = "to" } };
    for (size_t i = 0; i < count; i++)
        all[2 + i].name = params[i].name;
    while (query.len > 0) {
        size_t end = view_find(query, '&');
        TRY(take_param(view_slice(query, 0, end), all, 2 + count, why));
        query = view_slice(query, end + 1, query.len);
    }
    *window = (struct settle_window){ 0, INT64_MAX };
    TRY(take_bound(&all[0], &window->from_us, why));
    TRY(take_bound(&all[1], &window->to_us, why));
    if (window->from_us < 0)
        window->from_us = 0;
    if (window->to_us > wall_us)
        window->to_us = wall_us + 1;
    for (size_t i = 0; i < count; i++)
        params[i] = all[2 + i];
    return STATUS_OK;
}

/* --- CSV ---------------------------------------------------------------------------------- */
static void begin_field(struct settle_csv *csv)
{
    if (csv->comma)
        writer_u8(csv->w, ',');
    csv->comma = true;
}

void settle_csv_text(struct settle_csv *csv, struct view text)
{
    bool quoted = false;
    begin_field(csv);
    for (size_t i = 0; i < text.len; i++)
        quoted |=
            text.ptr[i] == ',' || text.ptr[i] == '"' || text.ptr[i] == '\r' || text.ptr[i] == '\n';
    if (!quoted) {
        writer_view(csv->w, text);
        return;
    }
    writer_u8(csv->w, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            writer_u8(csv->w, '"');
        writer_u8(csv->w, text.ptr[i]);
    }
    writer_u8(csv->w, '"');
}

void settle_csv_i64(struct settle_csv *csv, int64_t value)
{
    begin_field(csv);
    writer_i64_text(csv->w, value);
}

void settle_csv_time(struct settle_csv *csv, int64_t wall_us)
{
    begin_field(csv);
    settle_time_write(csv->w, wall_us);
}

void settle_csv_end(struct settle_csv *csv)
{
    writer_u8(csv->w, '\n');
    csv->comma = false;
}

/* --- made-up names ------------------------------------------------------------------------ */
static uint8_t alike(uint8_t byte, unsigned die)
{
    if (byte >= '0' && byte <= '9')
        return (uint8_t)('0' + die % 10);
    if (byte >= 'a' && byte <= 'z')
        return (uint8_t)('a' + die % 6); /* hexadecimal stays so */
    if (byte >= 'A' && byte <= 'Z')
        return (uint8_t)('A' + die % 6);
    return byte;
}

void settle_alike(struct writer *w, struct view model, uint64_t dice)
{
    size_t first = model.len > ALIKE_LAST ? model.len - ALIKE_LAST : 0;
    if (first < ALIKE_FIRST)
        first = ALIKE_FIRST;
    for (size_t i = 0; i < model.len; i++) {
        bool stays = i < first && model.len > ALIKE_FIRST;
        unsigned die = (unsigned)(dice >> i % 16 * 4 & 15u) + (unsigned)(dice >> 32 & 15u);
        writer_u8(w, stays ? model.ptr[i] : alike(model.ptr[i], die));
    }
}
