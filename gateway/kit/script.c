/* script.c - reads a transcript into lines, and its BYTES into bytes. Interface: script.h. */
#include "kit/script.h"

#include <errno.h>
#include <stdio.h>

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* Without a comment: '#' at the start or after a blank, outside of quotes. */
static struct view without_comment(struct view line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '"')
            quoted = !quoted;
        if (line.ptr[i] == '#' && !quoted && (i == 0 || is_blank(line.ptr[i - 1])))
            return view_slice(line, 0, i);
    }
    return line;
}

static enum status add_line(struct script *script, unsigned number, struct view text)
{
    struct cursor rest = cursor_over(text);
    struct view verb = script_word(&rest);
    if (verb.len == 0)
        return STATUS_OK;
    if (script->count == SCRIPT_LINES_MAX)
        return STATUS_FULL;
    script->lines[script->count++] = (struct script_line){ .number = number,
                                                           .verb = verb,
                                                           .rest = view_trim(cursor_rest(&rest)) };
    return STATUS_OK;
}

/* Joins continued lines in place: the text is ours, and a joined line is never longer. */
static enum status split(struct script *script, uint8_t *text, size_t len)
{
    unsigned number = 0, first = 0;
    size_t from = 0, to = 0; /* the line being collected is text[from .. to) */
    for (size_t at = 0; at < len;) {
        size_t end = at + view_find(view_of(text + at, len - at), '\n');
        struct view line = without_comment(view_of(text + at, end - at));
        number++;
        if (at < end && !is_blank(text[at])) {
            TRY(add_line(script, first, view_of(text + from, to - from)));
            from = to = at;
            first = number;
        }
        memmove(text + to, line.ptr, line.len);
        to += line.len;
        at = end + 1;
    }
    return add_line(script, first, view_of(text + from, to - from));
}

static enum status read_file(struct script *script, FILE *file)
{
    uint8_t *text = arena_alloc(&script->arena, SCRIPT_FILE_MAX);
    script->lines = arena_alloc(&script->arena, SCRIPT_LINES_MAX * sizeof *script->lines);
    if (text == NULL || script->lines == NULL)
        return STATUS_NO_MEMORY;
    size_t len = fread(text, 1, SCRIPT_FILE_MAX, file);
    if (len == SCRIPT_FILE_MAX)
        return STATUS_RANGE;
    return split(script, text, len);
}

enum status script_open(struct script *script, const char *path, struct writer *why)
{
    *script = (struct script){ .path = path };
    arena_init(&script->arena, 2 * SCRIPT_FILE_MAX + SCRIPT_LINES_MAX * sizeof *script->lines);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        writer_format(why, "%s: cannot be opened: %s", path, strerror(errno));
        return STATUS_NOT_FOUND;
    }
    enum status status = read_file(script, file);
    fclose(file);
    if (status != STATUS_OK)
        writer_format(why, "%s: cannot be read: %s", path, status_text(status));
    return status;
}

void script_close(struct script *script)
{
    arena_reset(&script->arena);
}

struct view script_word(struct cursor *rest)
{
    while (cursor_left(rest) > 0 && is_blank(rest->ptr[rest->taken]))
        rest->taken++;
    size_t from = rest->taken;
    while (cursor_left(rest) > 0 && !is_blank(rest->ptr[rest->taken]))
        rest->taken++;
    if (rest->taken == from)
        return VIEW_EMPTY;
    return view_of(rest->ptr + from, rest->taken - from);
}

/* "text" at the front of `rest`. */
static enum status quoted(struct cursor *rest, struct writer *out)
{
    rest->taken++;
    struct view left = cursor_rest(rest), text = VIEW_EMPTY;
    size_t end = view_find(left, '"');
    if (end == left.len)
        return STATUS_MALFORMED;
    TRY(cursor_take(rest, end, &text));
    writer_view(out, text);
    rest->taken++;
    return STATUS_OK;
}

/* len2 or ascii4: the length of what follows is known only after that was written. */
static enum status with_length(struct view kind, struct cursor *rest, struct writer *out)
{
    size_t head = view_is(kind, "len2") ? 2 : 4;
    size_t at = out->len;
    writer_bytes(out, "\0\0\0\0", head);
    TRY(script_bytes(cursor_rest(rest), out));
    rest->taken = rest->len;
    size_t len = out->len - at - head;
    struct writer w = writer_over(out->ptr + at, head);
    if (head == 2)
        writer_u16_be(&w, (uint16_t)len);
    else
        writer_u64_padded(&w, len, 4);
    return writer_status(&w);
}

enum status script_bytes(struct view text, struct writer *out)
{
    struct cursor rest = cursor_over(text);
    for (;;) {
        while (cursor_left(&rest) > 0 && is_blank(rest.ptr[rest.taken]))
            rest.taken++;
        if (cursor_left(&rest) == 0)
            return writer_status(out);
        if (rest.ptr[rest.taken] == '"') {
            TRY(quoted(&rest, out));
            continue;
        }
        struct view word = script_word(&rest);
        if (view_is(word, "len2") || view_is(word, "ascii4")) {
            TRY(with_length(word, &rest, out));
            continue;
        }
        size_t len = 0;
        TRY(hex_decode(word, out->ptr + out->len, out->room - out->len, &len));
        out->len += len;
    }
}
