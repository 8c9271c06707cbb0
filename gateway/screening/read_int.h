/* read_int.h - the three formats, and the lines that two of them are made of.
 *
 * A reader puts what it reads into the book and counts it in the list. It returns OK, NO_MEMORY, or
 * another status with the reason in list->why: then the caller takes back what was put in. A row
 * that cannot be read is counted and passed over.
 */
#ifndef SCREENING_READ_INT_H
#define SCREENING_READ_INT_H

#include "screening/book_int.h"

#include <stdio.h>

#define READ_FILE_MAX   ((uint64_t)256 << 20)
#define READ_LINE_MAX   ((size_t)64 << 10)
#define READ_FIELDS_MAX 64

struct reading {
    struct book *book;
    struct screening_list *list;
    uint8_t list_number;
    const char *file; /* name for sentences; ofac uses its own three */
};

enum status read_csv(struct reading *r, FILE *file);
enum status read_ofac(struct reading *r, FILE *sdn, FILE *alt, FILE *add);
enum status read_un_xml(struct reading *r, FILE *file);

/* --- lines ----------------------------------------------------------------------------------- */
struct lines {
    FILE *file;
    const char *name; /* of the file, for sentences */
    uint64_t line;    /* number of the line in `text` */
    uint64_t bytes;
    struct view text; /* of the line, UTF-8, without its end */
    bool ended;       /* the line had an end */
    bool last;        /* nothing follows it */
    uint8_t raw[READ_LINE_MAX + 1];
    uint8_t utf8[3 * READ_LINE_MAX]; /* what was Windows-1252 */
};
/* On the heap; NULL: no memory. */
struct lines *lines_open(FILE *file, const char *name);
/* OK; SHORT at the end; RANGE: the line is too long and was passed over; FULL: the file is too
 * large; IO. */
enum status lines_next(struct lines *l);
/* Splits a line of comma-separated values (RFC 4180, but a value does not go over the end of a
 * line: one stray quote would take the rows after it with it). Values live in `room` of room_size
 * bytes. SHORT: the line ends within a quoted value; MALFORMED; FULL: too many values. */
enum status fields_split(struct view line, uint8_t *room, size_t room_size,
                         struct view fields[READ_FIELDS_MAX], size_t *count);

/* Counts a row that could not be read; the first one's place goes into `why`. */
void read_skip(struct reading *r, const char *file, uint64_t line, const char *what);
/* Puts the reason into `why` and returns the status. */
enum status read_refuse(struct reading *r, enum status status, const char *file, uint64_t line,
                        const char *what);
/* What names_book_entry and book_name say, as it concerns the list: FULL refuses it. */
enum status read_book_full(struct reading *r, const char *file, uint64_t line);

/* 0: there is none. */
int16_t read_year(struct view text);
/* "2026-11-01", then perhaps "T10:11:12", a fraction that is dropped, and Z or an offset. */
enum status read_time(struct view text, int64_t *out_us);

#endif
