/* read_ofac.c - the OFAC SDN list in its legacy CSV set.
 *
 *     sdn.csv   ent_num, SDN_Name, SDN_Type, Program, Title, Call_Sign, Vess_type, Tonnage, GRT,
 *               Vess_flag, Vess_owner, Remarks
 *     alt.csv   ent_num, alt_num, alt_type, alt_name, alt_remarks
 *     add.csv   ent_num, add_num, address, city/state/zip, country, add_remarks
 *
 * No header; `-0-` is nothing; the last line is a lone 0x1A. The remarks hold, between semicolons,
 * `DOB 12 Mar 1970`, `alt. DOB 1971`, `DOB circa 1968`, `DOB 1968 to 1970`, `nationality
 * Ruritania`, and weak aliases as `a.k.a. 'NAME'`. In alt.csv an alias is weak when it stands in
 * quotation marks of its own or its type or remarks say so. The three files belong together: rows
 * of alt.csv and add.csv that name an entry that sdn.csv has not are counted as skipped.
 */
#include "screening/read_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define CIRCA_YEARS 3

/* Which entry has a number: sorted once sdn.csv was read. */
struct numbered {
    uint64_t *rows; /* ent_num in the upper half, our number in the lower */
    size_t count, room;
};

struct ofac {
    struct reading *r;
    struct lines *lines;
    struct numbered numbers;
    struct view fields[READ_FIELDS_MAX];
    size_t count;
    uint8_t room[3 * READ_LINE_MAX];
};

typedef enum status row_reader(struct ofac *o, uint32_t number);

static struct view field(const struct ofac *o, size_t at)
{
    return at < o->count && !view_is(o->fields[at], "-0-") ? o->fields[at] : VIEW_EMPTY;
}

static bool contains(struct view text, struct view part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (view_equal_nocase(view_slice(text, i, part.len), part))
            return true;
    return false;
}

/* --- sdn.csv --------------------------------------------------------------------------------- */

static enum status number_add(struct numbered *n, uint32_t number, uint32_t entry)
{
    if (n->count == n->room) {
        size_t room = n->room > 0 ? 2 * n->room : 1024;
        uint64_t *grown = realloc(n->rows, room * sizeof *grown);
        if (grown == NULL)
            return STATUS_NO_MEMORY;
        n->rows = grown;
        n->room = room;
    }
    n->rows[n->count++] = (uint64_t)number << 32 | entry;
    return STATUS_OK;
}

/* "12 Mar 1970", "Mar 1970", "1970", "circa 1968", "1968 to 1970" */
static enum status read_birth(struct ofac *o, struct view text)
{
    int16_t years[2] = { 0, 0 };
    size_t count = 0;
    for (size_t i = 0; i + 4 <= text.len && count < 2; i++) {
        bool begins = i == 0 || text.ptr[i - 1] == ' ';
        int16_t year = begins ? read_year(view_slice(text, i, 5)) : 0;
        if (year > 0)
            years[count++] = year;
    }
    if (count == 0) {
        read_skip(o->r, o->lines->name, o->lines->line, "a date of birth has no year");
        return STATUS_OK;
    }
    int16_t wide = contains(text, VIEW("circa")) ? CIRCA_YEARS : 0;
    int16_t other = count == 2 && years[1] >= years[0] ? years[1] : years[0];
    return book_birth(o->r->book, (struct book_birth){ .from_year = (int16_t)(years[0] - wide),
                                                       .to_year = (int16_t)(other + wide) });
}

static enum status read_remark(struct ofac *o, uint32_t entry, struct view part)
{
    struct reading *r = o->r;
    if (view_starts_with(part, VIEW("alt. ")))
        part = view_slice(part, 5, part.len);
    if (view_starts_with(part, VIEW("DOB ")))
        return read_birth(o, view_slice(part, 4, part.len));
    if (view_starts_with(part, VIEW("nationality ")))
        book_country(r->book, entry, view_trim(view_slice(part, 12, part.len)));
    if (view_starts_with(part, VIEW("a.k.a. "))) {
        enum status s =
            book_name(r->book, entry, view_slice(part, 7, part.len), NAME_ALIAS | NAME_WEAK);
        return s == STATUS_MALFORMED ? STATUS_OK : s;
    }
    return STATUS_OK;
}

static enum status read_remarks(struct ofac *o, uint32_t entry, struct view remarks)
{
    while (remarks.len > 0) {
        size_t end = view_find(remarks, ';');
        struct view part = view_trim(view_slice(remarks, 0, end));
        if (part.len > 0 && part.ptr[part.len - 1] == '.')
            part.len--;
        TRY(read_remark(o, entry, part));
        remarks = view_slice(remarks, end + 1, remarks.len);
    }
    return STATUS_OK;
}

static enum status read_sdn(struct ofac *o, uint32_t number)
{
    struct reading *r = o->r;
    bool person = view_equal_nocase(field(o, 2), VIEW("individual"));
    struct book_mark mark = book_mark(r->book);
    uint32_t entry;
    TRY(names_book_entry(r->book, r->list_number, person ? ENTRY_PERSON : ENTRY_ENTITY,
                         o->fields[0], &entry));
    enum status s = book_name(r->book, entry, field(o, 1), 0);
    if (s == STATUS_MALFORMED) {
        book_rewind(r->book, mark);
        read_skip(r, o->lines->name, o->lines->line, "the row has no name");
        return STATUS_OK;
    }
    TRY(s);
    TRY(number_add(&o->numbers, number, entry));
    return read_remarks(o, entry, field(o, 11));
}

/* --- alt.csv and add.csv --------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

/* BOOK_NONE: sdn.csv has no such entry. */
static uint32_t entry_of(const struct numbered *n, uint32_t number)
{
    size_t from = 0, to = n->count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (n->rows[middle] >> 32 < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from < n->count && n->rows[from] >> 32 == number ? (uint32_t)n->rows[from] : BOOK_NONE;
}

static enum status read_alt(struct ofac *o, uint32_t number)
{
    struct view name = field(o, 3);
    uint32_t entry = entry_of(&o->numbers, number);
    if (entry == BOOK_NONE) {
        read_skip(o->r, o->lines->name, o->lines->line, "sdn.csv has no entry of that number");
        return STATUS_OK;
    }
    bool weak = contains(field(o, 2), VIEW("weak")) || contains(field(o, 4), VIEW("weak")) ||
                (name.len > 1 && (name.ptr[0] == '"' || name.ptr[0] == '\''));
    enum status s = book_name(o->r->book, entry, name, NAME_ALIAS | (weak ? NAME_WEAK : 0));
    if (s != STATUS_MALFORMED)
        return s;
    read_skip(o->r, o->lines->name, o->lines->line, "the row has no name");
    return STATUS_OK;
}

static enum status read_add(struct ofac *o, uint32_t number)
{
    uint32_t entry = entry_of(&o->numbers, number);
    if (entry == BOOK_NONE)
        read_skip(o->r, o->lines->name, o->lines->line, "sdn.csv has no entry of that number");
    else
        book_country(o->r->book, entry, field(o, 4));
    return STATUS_OK;
}

/* --- a file ---------------------------------------------------------------------------------- */

static enum status read_row(struct ofac *o, size_t columns, row_reader *row)
{
    struct lines *l = o->lines;
    uint64_t number = 0;
    if (l->text.len == 0 || l->text.ptr[0] == 0x1A)
        return STATUS_OK;
    enum status s = fields_split(l->text, o->room, sizeof o->room, o->fields, &o->count);
    if (s == STATUS_SHORT && l->last)
        return read_refuse(o->r, STATUS_SHORT, l->name, l->line,
                           "the file ends within quotation marks: it is not complete");
    if (s == STATUS_OK && o->count < columns && !l->ended)
        return read_refuse(o->r, STATUS_SHORT, l->name, l->line,
                           "the file ends within a row: it is not complete");
    if (s != STATUS_OK || o->count < columns ||
        view_to_u64(o->fields[0], UINT32_MAX, &number) != STATUS_OK) {
        read_skip(o->r, l->name, l->line,
                  s == STATUS_SHORT    ? "quotation marks are not closed"
                  : s != STATUS_OK     ? "the row is not comma-separated values"
                  : o->count < columns ? "the row has too few columns"
                                       : "the entry's number is no number");
        return STATUS_OK;
    }
    s = row(o, (uint32_t)number);
    return s == STATUS_FULL ? read_book_full(o->r, l->name, l->line) : s;
}

static enum status read_file(struct ofac *o, FILE *file, const char *name, size_t columns,
                             row_reader *row)
{
    struct lines *l = lines_open(file, name);
    enum status s = l != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    while (s == STATUS_OK) {
        o->lines = l;
        s = lines_next(l);
        if (s == STATUS_OK) {
            s = read_row(o, columns, row);
        } else if (s == STATUS_RANGE) {
            read_skip(o->r, name, l->line, "the line is longer than 64 KiB");
            s = STATUS_OK;
        } else if (s == STATUS_SHORT) {
            s = STATUS_OK;
            break;
        } else {
            s = read_refuse(o->r, s, name, l->line,
                            s == STATUS_FULL ? "the file is larger than 256 MiB"
                                             : "the file cannot be read");
        }
    }
    free(l);
    return s;
}

static enum status read_three(struct ofac *o, FILE *sdn, FILE *alt, FILE *add)
{
    TRY(read_file(o, sdn, "sdn.csv", 12, read_sdn));
    if (o->numbers.count > 0)
        qsort(o->numbers.rows, o->numbers.count, sizeof *o->numbers.rows, by_number);
    TRY(read_file(o, alt, "alt.csv", 4, read_alt));
    return read_file(o, add, "add.csv", 5, read_add);
}

enum status read_ofac(struct reading *r, FILE *sdn, FILE *alt, FILE *add)
{
    struct ofac *o = calloc(1, sizeof *o);
    if (o == NULL)
        return STATUS_NO_MEMORY;
    o->r = r;
    enum status s = read_three(o, sdn, alt, add);
    free(o->numbers.rows);
    free(o);
    return s;
}
