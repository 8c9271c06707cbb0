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

void print_safe(FILE *to, struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        fputc(text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ? '?' : text.ptr[i], to);
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
