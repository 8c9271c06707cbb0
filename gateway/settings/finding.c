/* finding.c - the list of what is wrong, and the search for what was probably meant.
 *
 * "Did you mean" counts the fewest single-letter changes (insert, delete, replace, swap neighbours)
 * between the written name and each known one; a third of the length, at least one and at most
 * three, counts as a typo.
 */
#include "settings/finding.h"

#include "base/ensure.h"

#include <stdio.h>

#define MEMORY_MAX        ((size_t)256 * 1024)
#define MESSAGE_MAX       500
#define NAME_MAX_COMPARED 48

void findings_init(struct findings *findings)
{
    memset(findings, 0, sizeof *findings);
    arena_init(&findings->arena, MEMORY_MAX);
}

void findings_clear(struct findings *findings)
{
    arena_reset(&findings->arena);
    findings_init(findings);
}

/* Consecutive findings are mostly about one file: its name is kept once. */
static const char *file_keep(struct findings *findings, const char *file)
{
    if (findings->count > 0) {
        const char *last = findings->rows[findings->count - 1].file;
        if (strcmp(last, file) == 0)
            return last;
    }
    return arena_text(&findings->arena, view_text(file));
}

void finding_add(struct findings *findings, enum finding_severity severity, const char *file,
                 uint32_t line, uint32_t column, const char *id, const char *format, ...)
{
    ENSURE(severity == FINDING_ERROR || severity == FINDING_WARNING);
    if (severity == FINDING_ERROR)
        findings->errors++;
    else
        findings->warnings++;
    if (findings->count == FINDINGS_MAX) {
        findings->dropped++;
        return;
    }
    char message[MESSAGE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const char *kept_file = file_keep(findings, file);
    const char *kept = arena_text(&findings->arena, view_text(len < 0 ? "?" : message));
    if (kept_file == NULL || kept == NULL) {
        findings->dropped++;
        return;
    }
    findings->rows[findings->count++] = (struct finding){
        .file = kept_file,
        .line = line,
        .column = line > 0 ? column : 0,
        .severity = severity,
        .id = id,
        .message = kept,
    };
}

void findings_write(struct writer *w, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        if (row->file[0] != '\0') {
            writer_text(w, row->file);
            writer_text(w, ":");
        }
        if (row->line > 0) {
            writer_u64_text(w, row->line);
            writer_text(w, ":");
            writer_u64_text(w, row->column);
            writer_text(w, ":");
        }
        if (row->file[0] != '\0')
            writer_text(w, " ");
        writer_text(w, row->severity == FINDING_ERROR ? "error: " : "warning: ");
        writer_text(w, row->message);
        writer_text(w, " [");
        writer_text(w, row->id);
        writer_text(w, "]\n");
    }
    if (findings->dropped > 0) {
        writer_text(w, "... and ");
        writer_u64_text(w, findings->dropped);
        writer_text(w, " more\n");
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; both at most NAME_MAX_COMPARED. */
static size_t distance(struct view a, struct view b)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    size_t *older = rows[0], *old = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.len; j++) {
        older[j] = 0;
        old[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replace = old[j - 1] + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            now[j] = smaller(replace, smaller(old[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = smaller(now[j], older[j - 2] + 1);
        }
        size_t *reused = older;
        older = old;
        old = now;
        now = reused;
    }
    return old[b.len];
}

const char *finding_did_you_mean(struct view written, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (written.len == 0 || written.len > NAME_MAX_COMPARED)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct view name = view_text(names[i]);
        if (name.len == 0 || name.len > NAME_MAX_COMPARED)
            continue;
        size_t allowed = (name.len > written.len ? name.len : written.len) / 3;
        allowed = allowed < 1 ? 1 : smaller(allowed, 3);
        size_t d = distance(written, name);
        if (d <= allowed && d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
