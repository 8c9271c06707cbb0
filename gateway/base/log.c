/* log.c - JSON log lines, and the filter that keeps card numbers out of them.
 *
 * A line is built in a fixed buffer on the stack. A text field is cut after FIELD_BYTES; a field
 * that the line has no room for is left out and "truncated":true says so: a line is always whole
 * JSON. It leaves with one write(2), which the kernel does not mix with another's on a file opened
 * for appending, nor on a pipe up to its atomic size. A pipe whose reader does not read would stop
 * the thread that writes, and with it all payments: while it is full, lines are lost instead.
 *
 * The filter sees the whole text before anything is cut, so a cut never hides half of a number from
 * it. Digits form groups, divided by blanks and dashes. Each row of neighbouring groups with 12 to
 * 19 digits together is tried, so that a count or a date beside a card number does not save it from
 * the Luhn check. A group of over 19 digits is no amount and no identifier of ours (those have
 * letters), but may well be a message dump with a card number inside: masked without a question.
 */
#include "log.h"

#include "ensure.h"
#include "json_out.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define LINE_BYTES  4096 /* PIPE_BUF: up to here a pipe does not mix two lines */
#define CLOSE_BYTES 32   /* kept for "truncated":true, the bracket and the line's end */
#define FIELD_BYTES 1024
#define DIGITS_MIN  12
#define DIGITS_MAX  19
#define CLEAR_FIRST 6
#define CLEAR_LAST  4

static const struct {
    enum log_level level;
    const char *name;
} level_names[] = {
    { LOG_DEBUG, "debug" },
    { LOG_INFO, "info" },
    { LOG_WARN, "warn" },
    { LOG_ERROR, "error" },
};

static const char *level_name(enum log_level level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (level_names[i].level == level)
            return level_names[i].name;
    return "none";
}

enum status log_level_parse(struct view text, enum log_level *out)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (view_equal_nocase(text, view_text(level_names[i].name))) {
            *out = level_names[i].level;
            return STATUS_OK;
        }
    return STATUS_NOT_FOUND;
}

/* --- the filter ---------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_divider(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '-';
}

/* The longest card number that starts with the group at `at`: its end, or `at` when there is none.
 * *digits: how many digits it has. */
static size_t card_number_end(struct view text, size_t at, size_t *digits)
{
    uint8_t number[DIGITS_MAX];
    size_t count = 0, end = at;
    for (size_t i = at; i < text.len; i++) {
        if (is_divider(text.ptr[i]))
            continue;
        if (!is_digit(text.ptr[i]) || count == DIGITS_MAX)
            break;
        number[count++] = text.ptr[i];
        bool group_ends = i + 1 == text.len || !is_digit(text.ptr[i + 1]);
        if (group_ends && count >= DIGITS_MIN && luhn_valid(view_of(number, count))) {
            end = i + 1;
            *digits = count;
        }
    }
    return end;
}

static size_t group_end(struct view text, size_t at)
{
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at;
}

/* Stars over the digits of text[at..end) but the first six and the last four, as far as room goes.
 */
static void mask(struct view text, size_t at, size_t end, size_t digits, uint8_t *to, size_t room)
{
    for (size_t seen = 0; at < end && at < room; at++) {
        if (!is_digit(text.ptr[at]))
            continue;
        if (seen >= CLEAR_FIRST && seen < digits - CLEAR_LAST)
            to[at] = '*';
        seen++;
    }
}

/* Copies text to `to`, at most `room` bytes of it; decides over the whole text. Numbers that
 * overlap are all masked: each only adds stars. */
static size_t redact(struct view text, uint8_t *to, size_t room)
{
    size_t len = text.len < room ? text.len : room;
    if (len > 0)
        memcpy(to, text.ptr, len);
    for (size_t at = 0; at < len;) {
        if (!is_digit(text.ptr[at])) {
            at++;
            continue;
        }
        size_t digits = 0;
        size_t end = card_number_end(text, at, &digits);
        mask(text, at, end, digits, to, len);
        end = group_end(text, at);
        if (end - at > DIGITS_MAX)
            mask(text, at, end, end - at, to, len);
        at = end;
    }
    return len;
}

void redact_text(struct writer *out, struct view text)
{
    if (out->overflow || text.len > out->room - out->len) {
        out->overflow = true;
        return;
    }
    out->len += redact(text, out->ptr + out->len, text.len);
}

struct view redact_copy(struct arena *arena, struct view text)
{
    if (text.len == 0)
        return VIEW_EMPTY;
    uint8_t *room = arena_alloc(arena, text.len);
    return room != NULL ? view_of(room, redact(text, room, text.len)) : VIEW("...");
}

/* --- lines --------------------------------------------------------------------------------- */

static void put_text_field(struct json_out *j, const struct log_field *field)
{
    uint8_t clean[FIELD_BYTES];
    size_t len = redact(field->text, clean, sizeof clean);
    /* A cut inside a UTF-8 sequence goes back to its start. */
    if (len < field->text.len)
        while (len > 0 && (field->text.ptr[len] & 0xC0) == 0x80)
            len--;
    json_put_text(j, field->name, view_of(clean, len));
}

static void put_field(struct json_out *j, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_TEXT: put_text_field(j, field); break;
    case LOG_KIND_INT: json_put_i64(j, field->name, field->number); break;
    case LOG_KIND_STATUS:
        json_put_text(j, field->name, view_text(status_name((enum status)field->number)));
        break;
    }
}

static void write_line(int fd, struct view line)
{
    ssize_t done;
    /* A pipe with room has room for PIPE_BUF bytes, which is a whole line. Files always have. */
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    if (poll(&room, 1, 0) == 0)
        return;
    do {
        done = write(fd, line.ptr, line.len);
    } while (done < 0 && errno == EINTR);
    /* A log that cannot be written has nobody to tell; the payment goes on. */
}

void log_write(const struct log *log, enum log_level level, const char *id,
               const struct log_field *fields, size_t count)
{
    if (log == NULL || log->fd < 0 || level < log->level)
        return;
    uint8_t buffer[LINE_BYTES];
    struct writer w = writer_over(buffer, sizeof buffer - CLOSE_BYTES);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    if (log->wall_us != NULL)
        json_put_time(&j, "time", log->wall_us(log->clock));
    json_put_text(&j, "level", view_text(level_name(level)));
    json_put_text(&j, "id", view_text(id));
    ENSURE(!w.overflow); /* ids are ours and short */

    bool truncated = false;
    for (size_t i = 0; i < count; i++) {
        struct writer before = w;
        put_field(&j, &fields[i]);
        if (w.overflow) {
            w = before;
            truncated = true;
        }
    }
    w.room = sizeof buffer;
    if (truncated)
        json_put_bool(&j, "truncated", true);
    json_close_object(&j);
    writer_u8(&w, '\n');
    ENSURE(!w.overflow);
    write_line(log->fd, writer_done(&w));
}
