/* paint.h - colours for people at a terminal, and nothing for everybody else.
 *
 * On when the stream is a terminal, TERM is not "dumb" and NO_COLOR is not set (no-color.org).
 */
#ifndef MAIN_PAINT_H
#define MAIN_PAINT_H

#include "base/arena.h"
#include "domain/words.h"

#include <stdio.h>

enum colour { COLOUR_RED = 1, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_BLUE, COLOUR_DIM, COLOUR_BOLD };

struct paint {
    bool on;
};
struct paint paint_for(FILE *to);
/* Escape sequences to print before and after; "" when off. */
const char *paint_begin(const struct paint *paint, enum colour colour);
const char *paint_end(const struct paint *paint);
enum colour colour_of_verdict(enum verdict verdict);

/* Rows of cells, each column as wide as its widest cell; the first row is the head. A cell is
 * printed without bytes that would speak to the terminal. */
#define TABLE_COLUMNS_MAX 12
struct table {
    struct arena *arena;
    const struct paint *paint;
    size_t columns, count, room;
    const char **cells;
};
void table_begin(struct table *table, struct arena *arena, const struct paint *paint,
                 size_t columns);
/* printf-style; columns cells make a row. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, FILE *to);

/* Text of others for a terminal: control characters become '?'. */
void print_safe(FILE *to, struct view text);

#endif
