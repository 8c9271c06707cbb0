/* csv.c - rows with named columns and a trailer (RFC 4180). A field may stand in quotes; a quoted
 * field does not go on over the end of a line, which no settlement file needs.
 *
 * The trailer makes the file whole: without it, or with anything behind it, nothing is believed.
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"

#include <stdlib.h>

enum status record_csv_refuse(const struct record_csv *csv, enum status status, const char *what)
{
    return record_refuse(csv->lines->record, status, csv->lines->number, what);
}

/* One field from *at on; behind it *at stands at the comma or at the end. */
static enum status take_field(struct record_csv *csv, struct view text, size_t *at, size_t *used,
                              struct view *out)
{
    if (*at >= text.len || text.ptr[*at] != '"') {
        size_t end = *at + view_find(view_slice(text, *at, text.len), ',');
        *out = view_slice(text, *at, end - *at);
        *at = end;
        return view_find(*out, '"') == out->len
                   ? STATUS_OK
                   : record_csv_refuse(csv, STATUS_MALFORMED, "a quotation mark inside a field");
    }
    uint8_t *to = csv->room + *used;
    size_t len = 0;
    for (++*at; *at < text.len; ++*at) {
        if (text.ptr[*at] == '"') {
            if (*at + 1 >= text.len || text.ptr[*at + 1] != '"')
                break;
            ++*at; /* two are one */
        }
        to[len++] = text.ptr[*at]; /* fits: never more than the line has */
    }
    if (*at >= text.len)
        return record_csv_refuse(csv, STATUS_SHORT, "quotation marks are not closed");
    ++*at;
    *used += len;
    *out = view_of(to, len);
    return *at >= text.len || text.ptr[*at] == ','
               ? STATUS_OK
               : record_csv_refuse(csv, STATUS_MALFORMED,
                                   "text stands behind closing quotation marks");
}

static enum status split(struct record_csv *csv)
{
    struct view text = csv->lines->text;
    size_t at = 0, used = 0;
    csv->count = 0;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r') /* CRLF, as RFC 4180 has it */
        text.len--;
    for (;;) {
        if (csv->count == CSV_COLUMNS_MAX)
            return record_csv_refuse(csv, STATUS_RANGE, "the row has too many columns");
        TRY(take_field(csv, text, &at, &used, &csv->fields[csv->count]));
        csv->count++;
        if (at >= text.len)
            return STATUS_OK;
        at++;
    }
}

static enum status read_head(struct record_csv *csv, const char *const *columns, size_t count)
{
    TRY(split(csv));
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < csv->count; at++) {
            if (!view_is(csv->fields[at], columns[i]))
                continue;
            if (csv->place[i] != 0)
                return record_csv_refuse(csv, STATUS_MALFORMED, "two columns have the same name");
            csv->place[i] = (uint8_t)(at + 1);
        }
        if (csv->place[i] == 0) {
            char what[120];
            (void)snprintf(what, sizeof what,
                           "this is no such record: the first line has no column `%s`", columns[i]);
            return record_csv_refuse(csv, STATUS_MALFORMED, what);
        }
    }
    return STATUS_OK;
}

enum status record_csv_open(struct record_csv **out, struct record *record,
                            const char *const *columns, size_t count)
{
    ENSURE(count <= CSV_COLUMNS_MAX);
    *out = NULL;
    struct record_csv *csv = calloc(1, sizeof *csv);
    if (csv == NULL)
        return STATUS_NO_MEMORY;
    enum status status = record_lines_open(&csv->lines, record);
    if (status == STATUS_OK) {
        status = record_lines_next(csv->lines);
        if (status == STATUS_NOT_FOUND)
            status = record_refuse(record, STATUS_SHORT, 0, "it is empty");
    }
    if (status == STATUS_OK)
        status = read_head(csv, columns, count);
    if (status != STATUS_OK) {
        record_csv_close(csv);
        return status;
    }
    csv->trailer = false;
    *out = csv;
    return STATUS_OK;
}

enum status record_csv_next(struct record_csv *csv)
{
    bool was_trailer = csv->trailer;
    size_t columns = csv->count;
    enum status status = record_lines_next(csv->lines);
    if (status == STATUS_NOT_FOUND && !was_trailer)
        return record_csv_refuse(csv, STATUS_SHORT, "the file ends without a trailer: it is cut");
    if (status != STATUS_OK)
        return status;
    if (was_trailer)
        return record_csv_refuse(csv, STATUS_MALFORMED, "something stands behind the trailer");
    if (!csv->lines->ended)
        return record_csv_refuse(csv, STATUS_SHORT, "the file ends within a line: it is cut");
    TRY(split(csv));
    csv->trailer = view_is(csv->fields[0], "TRAILER");
    if (!csv->trailer && csv->count != columns)
        return record_csv_refuse(csv, STATUS_MALFORMED,
                                 "the row has not as many columns as the first line");
    return STATUS_OK;
}

struct view record_csv_field(const struct record_csv *csv, size_t column)
{
    size_t place = csv->place[column];
    return place > 0 && place <= csv->count ? csv->fields[place - 1] : VIEW_EMPTY;
}

enum status record_csv_total(const struct record_csv *csv, size_t at, int64_t counted,
                             const char *what)
{
    int64_t said = 0;
    char sentence[200];
    if (at >= csv->count || view_to_i64(csv->fields[at], &said) != STATUS_OK) {
        (void)snprintf(sentence, sizeof sentence, "the trailer has no number of %s", what);
        return record_csv_refuse(csv, STATUS_MALFORMED, sentence);
    }
    if (said == counted)
        return STATUS_OK;
    (void)snprintf(sentence, sizeof sentence,
                   "the trailer says %lld for %s, and the file has %lld: it is not whole",
                   (long long)said, what, (long long)counted);
    return record_csv_refuse(csv, STATUS_MISMATCH, sentence);
}

void record_csv_close(struct record_csv *csv)
{
    if (csv == NULL)
        return;
    record_lines_close(csv->lines);
    free(csv);
}

enum status record_csv_digest(const struct record_csv *csv, size_t at)
{
    return record_digest_is(csv->lines, csv->fields[at])
               ? STATUS_OK
               : record_csv_refuse(csv, STATUS_MISMATCH,
                                   "the SHA-256 of the trailer is not that of the file");
}

enum status record_csv_read(struct record *record, const char *const *columns, size_t count,
                            record_csv_line_fn *row, record_csv_line_fn *trailer, void *totals)
{
    struct record_csv *csv = NULL;
    enum status status = record_csv_open(&csv, record, columns, count);
    while (status == STATUS_OK) {
        status = record_csv_next(csv);
        if (status == STATUS_OK)
            status = (csv->trailer ? trailer : row)(record, csv, totals);
    }
    record_csv_close(csv);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
