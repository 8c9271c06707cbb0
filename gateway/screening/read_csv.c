/* read_csv.c - the plain list: what an operator can write by hand or export.
 *
 *     # published: 2026-11-01
 *     id,name,aliases,country,birth_date,type
 *     X-1,"Name, Given",Other Name;Third Name,ZZ,1970-03-12,individual
 *
 * The header names the columns, in any order; others are ignored; `name` must be there. Aliases are
 * separated by semicolons; an alias in quotation marks of its own is a weak one. Several dates of
 * birth likewise. type: individual (when left out), or anything else for what is not a person.
 */
#include "screening/read_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define FILE_NAME "list"

enum column {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_ALIASES,
    COLUMN_COUNTRY,
    COLUMN_BIRTH,
    COLUMN_TYPE,
    COLUMNS
};

struct plain {
    struct reading *r;
    struct lines *lines;
    bool has_header;
    size_t columns[COLUMNS]; /* place of a column, plus one */
    struct view fields[READ_FIELDS_MAX];
    size_t count;
    uint8_t room[3 * READ_LINE_MAX];
};

static void read_comment(struct plain *p)
{
    struct view text = view_trim(view_slice(p->lines->text, 1, READ_LINE_MAX * 3));
    int64_t time_us;
    if (p->has_header || !view_starts_with(text, VIEW("published:")))
        return;
    if (read_time(view_slice(text, 10, text.len), &time_us) == STATUS_OK)
        p->r->list->published_us = time_us;
    else
        read_skip(p->r, p->lines->name, p->lines->line, "the date of publication is no date");
}

static enum status read_header(struct plain *p)
{
    static const char *const names[COLUMNS] = { "id",      "name",       "aliases",
                                                "country", "birth_date", "type" };
    for (size_t f = 0; f < p->count; f++)
        for (size_t c = 0; c < COLUMNS; c++)
            if (view_equal_nocase(p->fields[f], view_text(names[c])) && p->columns[c] == 0)
                p->columns[c] = f + 1;
    p->has_header = true;
    return p->columns[COLUMN_NAME] > 0
               ? STATUS_OK
               : read_refuse(p->r, STATUS_MALFORMED, p->lines->name, p->lines->line,
                             "the first line must name the columns, and one of them is `name`");
}

static struct view column_of(const struct plain *p, enum column column)
{
    size_t place = p->columns[column];
    return place > 0 && place <= p->count ? p->fields[place - 1] : VIEW_EMPTY;
}

/* Takes the part up to the next semicolon off the front. */
static struct view part_take(struct view *rest)
{
    size_t end = view_find(*rest, ';');
    struct view part = view_trim(view_slice(*rest, 0, end));
    *rest = view_slice(*rest, end + 1, rest->len);
    return part;
}

static enum status read_row(struct plain *p)
{
    struct reading *r = p->r;
    struct view name = column_of(p, COLUMN_NAME), type = column_of(p, COLUMN_TYPE);
    struct view aliases = column_of(p, COLUMN_ALIASES), births = column_of(p, COLUMN_BIRTH);
    struct view id = column_of(p, COLUMN_ID);
    bool person = type.len == 0 || view_equal_nocase(type, VIEW("individual")) ||
                  view_equal_nocase(type, VIEW("person"));
    char line_id[24];
    if (id.len == 0) {
        int len =
            snprintf(line_id, sizeof line_id, "line %llu", (unsigned long long)p->lines->line);
        id = view_of(line_id, (size_t)len);
    }
    struct book_mark mark = book_mark(r->book);
    uint32_t entry;
    enum status s =
        names_book_entry(r->book, r->list_number, person ? ENTRY_PERSON : ENTRY_ENTITY, id, &entry);
    if (s == STATUS_OK)
        s = book_name(r->book, entry, name, 0);
    while (s == STATUS_OK && aliases.len > 0) {
        struct view alias = part_take(&aliases);
        bool weak = alias.len > 1 && (alias.ptr[0] == '"' || alias.ptr[0] == '\'');
        if (alias.len == 0)
            continue;
        s = book_name(r->book, entry, alias, NAME_ALIAS | (weak ? NAME_WEAK : 0));
        if (s == STATUS_MALFORMED) { /* an alias without a letter costs the alias, not the entry */
            read_skip(r, p->lines->name, p->lines->line, "an alias has no letter in it");
            s = STATUS_OK;
        }
    }
    while (s == STATUS_OK && births.len > 0) {
        struct view birth = part_take(&births);
        int16_t year = read_year(birth);
        if (year > 0)
            s = book_birth(r->book, (struct book_birth){ .from_year = year, .to_year = year });
        else if (birth.len > 0)
            read_skip(r, p->lines->name, p->lines->line, "the date of birth is no date");
    }
    if (s == STATUS_OK)
        book_country(r->book, entry, column_of(p, COLUMN_COUNTRY));
    if (s == STATUS_MALFORMED) {
        book_rewind(r->book, mark);
        read_skip(r, p->lines->name, p->lines->line, "the row has no name");
        return STATUS_OK;
    }
    return s == STATUS_FULL ? read_book_full(r, p->lines->name, p->lines->line) : s;
}

static enum status read_line(struct plain *p)
{
    struct lines *l = p->lines;
    if (l->text.len == 0)
        return STATUS_OK;
    if (l->text.ptr[0] == '#') {
        read_comment(p);
        return STATUS_OK;
    }
    enum status s = fields_split(l->text, p->room, sizeof p->room, p->fields, &p->count);
    if (s == STATUS_SHORT && l->last)
        return read_refuse(p->r, STATUS_SHORT, l->name, l->line,
                           "the file ends within quotation marks: it is not complete");
    if (s == STATUS_OK && !p->has_header)
        return read_header(p);
    if (s == STATUS_OK && !l->ended && p->count < p->columns[COLUMN_NAME])
        return read_refuse(p->r, STATUS_SHORT, l->name, l->line,
                           "the file ends within a row: it is not complete");
    if (s == STATUS_OK)
        return read_row(p);
    read_skip(p->r, l->name, l->line,
              s == STATUS_SHORT  ? "quotation marks are not closed"
              : s == STATUS_FULL ? "the row has too many columns"
                                 : "text stands behind closing quotation marks");
    return STATUS_OK;
}

enum status read_csv(struct reading *r, FILE *file)
{
    struct plain *p = calloc(1, sizeof *p);
    struct lines *lines = lines_open(file, r->file);
    enum status s = p != NULL && lines != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    while (s == STATUS_OK) {
        p->r = r;
        p->lines = lines;
        s = lines_next(lines);
        if (s == STATUS_OK) {
            s = read_line(p);
        } else if (s == STATUS_RANGE) {
            read_skip(r, lines->name, lines->line, "the line is longer than 64 KiB");
            s = STATUS_OK;
        } else if (s == STATUS_SHORT) {
            s = STATUS_OK;
            break;
        } else {
            s = read_refuse(r, s, lines->name, lines->line,
                            s == STATUS_FULL ? "the file is larger than 256 MiB"
                                             : "the file cannot be read");
        }
    }
    free(lines);
    free(p);
    return s;
}
