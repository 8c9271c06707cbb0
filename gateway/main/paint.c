/* paint.c - see paint.h. */
#include "main/paint.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct paint paint_for(FILE *to)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    return (struct paint){ .on = isatty(fileno(to)) == 1 &&
                                 (no_color == NULL || no_color[0] == '\0') &&
                                 (term == NULL || strcmp(term, "dumb") != 0) };
}

const char *paint_begin(const struct paint *paint, enum colour colour)
{
    if (!paint->on)
        return "";
    switch (colour) {
    case COLOUR_RED: return "\033[31m";
    case COLOUR_GREEN: return "\033[32m";
    case COLOUR_YELLOW: return "\033[33m";
    case COLOUR_BLUE: return "\033[34m";
    case COLOUR_DIM: return "\033[2m";
    case COLOUR_BOLD: return "\033[1m";
    }
    return "";
}

const char *paint_end(const struct paint *paint)
{
    return paint->on ? "\033[0m" : "";
}

enum colour colour_of_verdict(enum verdict verdict)
{
    return verdict == VERDICT_ALLOW  ? COLOUR_GREEN
           : verdict == VERDICT_DENY ? COLOUR_RED
                                     : COLOUR_YELLOW;
}

/* --- tables ---------------------------------------------------------------------------------- */

void table_begin(struct table *table, struct arena *arena, const struct paint *paint,
                 size_t columns)
{
    *table = (struct table){ .arena = arena, .paint = paint, .columns = columns };
}

void table_cell(struct table *table, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (table->count == table->room) {
        size_t room = table->room == 0 ? 128 : 2 * table->room;
        const char **cells = arena_alloc(table->arena, room * sizeof *cells);
        if (cells == NULL)
            return;
        if (table->count > 0)
            memcpy(cells, table->cells, table->count * sizeof *cells);
        table->cells = cells;
        table->room = room;
    }
    const char *copy = arena_text(table->arena, view_text(text));
    table->cells[table->count++] = copy != NULL ? copy : "";
}

/* Letters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* How many bytes from `at` on a terminal might obey: control characters (C0, DEL, C1 as UTF-8), and
 * what turns the order of letters around (U+061C, U+200E/F, U+202A..2E, U+2066..69) or ends a line
 * (U+2028/9), with which a text can look like another. 0: none. */
static size_t obeyed_at(struct view text, size_t at)
{
    const uint8_t *c = text.ptr + at;
    size_t left = text.len - at;
    if (c[0] < 0x20 || c[0] == 0x7f)
        return 1;
    if (left >= 2 &&
        ((c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) || (c[0] == 0xD8 && c[1] == 0x9C)))
        return 2;
    if (left < 3 || c[0] != 0xE2)
        return 0;
    bool turns =
        (c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE))) ||
        (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
    return turns ? 3 : 0;
}

/* Length of the UTF-8 letter at `at`; 0: none begins there. A lone byte 0x80..0x9F is a control
 * character to terminals that do not speak UTF-8. */
static size_t letter_at(struct view text, size_t at)
{
    uint8_t c = text.ptr[at];
    size_t len = c < 0x80                ? 1
                 : c >= 0xC2 && c < 0xE0 ? 2
                 : c >= 0xE0 && c < 0xF0 ? 3
                 : c >= 0xF0 && c < 0xF5 ? 4
                                         : 0;
    if (len == 0 || len > text.len - at)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((text.ptr[at + i] & 0xC0) != 0x80)
            return 0;
    return len;
}

void print_safe(FILE *to, struct view text)
{
    for (size_t at = 0; at < text.len;) {
        size_t obeyed = obeyed_at(text, at), len = letter_at(text, at);
        if (obeyed > 0 || len == 0) {
            fputc('?', to);
            at += obeyed > 0 ? obeyed : 1;
        } else {
            (void)fwrite(text.ptr + at, 1, len, to);
            at += len;
        }
    }
}

void table_print(const struct table *table, FILE *to)
{
    size_t widths[TABLE_COLUMNS_MAX] = { 0 };
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns, width = width_of(table->cells[i]);
        widths[column] = width > widths[column] ? width : widths[column];
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        if (column == 0 && i < table->columns)
            fputs(paint_begin(table->paint, COLOUR_BOLD), to);
        print_safe(to, view_text(table->cells[i]));
        for (size_t k = width_of(table->cells[i]); !last && k < widths[column] + 2; k++)
            fputc(' ', to);
        if (last)
            fprintf(to, "%s\n", i < table->columns ? paint_end(table->paint) : "");
    }
}
