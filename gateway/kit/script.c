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

/* --- lines ----------------------------------------------------------------------------------- */

/* The line that is being collected. */
struct collected {
    struct script_line line;
    uint8_t *text; /* verb and continuations are joined here, in place: never longer than before */
    size_t len;
    size_t ends[SCRIPT_PARTS_MAX]; /* of each part in text */
};

static enum status add_line(struct script *script, struct collected *c)
{
    struct cursor rest = cursor_over(view_of(c->text, c->len));
    struct script_line *line = &c->line;
    line->verb = script_word(&rest);
    if (line->verb.len == 0)
        return line->has_body ? STATUS_MALFORMED : STATUS_OK;
    if (script->count == SCRIPT_LINES_MAX)
        return STATUS_FULL;
    line->rest = view_trim(cursor_rest(&rest));
    size_t from = rest.taken;
    for (size_t i = 0; i < line->parts_count; i++) {
        size_t to = c->ends[i] > from ? c->ends[i] : from;
        line->parts[i] = view_trim(view_of(c->text + from, to - from));
        from = to;
    }
    script->lines[script->count++] = *line;
    return STATUS_OK;
}

/* A first line or a continuation goes behind what was collected. */
static enum status collect(struct collected *c, struct view line)
{
    if (c->line.parts_count == SCRIPT_PARTS_MAX)
        return STATUS_FULL;
    if (line.len > 0)
        memmove(c->text + c->len, line.ptr, line.len);
    c->len += line.len;
    c->ends[c->line.parts_count++] = c->len;
    return STATUS_OK;
}

/* --- bodies ---------------------------------------------------------------------------------- */

static void drop_blanks_of_json(struct view text, struct writer *out)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (quoted && c == '\\' && i + 1 < text.len) {
            writer_bytes(out, text.ptr + i++, 2);
            continue;
        }
        if (c == '"')
            quoted = !quoted;
        if (quoted || (!is_blank(c) && c != '\n' && c != '\r'))
            writer_u8(out, c);
    }
}

static void join_lines_of_xml(struct view text, struct writer *out)
{
    for (struct view rest = text; rest.len > 0;) {
        size_t end = view_find(rest, '\n');
        writer_view(out, view_trim(view_slice(rest, 0, end)));
        rest = view_slice(rest, end + 1, rest.len);
    }
}

/* `text` begins behind the line "<<<"; *taken: how much of it the body and its ">>>" are. */
static enum status take_body(struct script *script, struct collected *c, struct view how,
                             struct view text, size_t *taken, unsigned *lines)
{
    size_t at = 0;
    for (;;) {
        if (at >= text.len)
            return STATUS_SHORT; /* never closed */
        size_t end = at + view_find(view_slice(text, at, text.len), '\n');
        (*lines)++;
        if (view_is(view_trim(view_slice(text, at, end - at)), ">>>")) {
            *taken = end < text.len ? end + 1 : end;
            break;
        }
        at = end + 1;
    }
    struct view body = view_slice(text, 0, at > 0 ? at - 1 : 0);
    uint8_t *room = arena_alloc(&script->arena, body.len + 1);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer out = writer_over(room, body.len + 1);
    if (view_is(how, "json"))
        drop_blanks_of_json(body, &out);
    else if (view_is(how, "xml"))
        join_lines_of_xml(body, &out);
    else if (how.len == 0)
        writer_view(&out, body);
    else
        return STATUS_NOT_FOUND;
    if (c->line.has_body)
        return STATUS_EXISTS;
    c->line.body = writer_done(&out);
    c->line.has_body = true;
    return STATUS_OK;
}

/* Joins continued lines in place: the text is ours, and a joined line is never longer. */
static enum status split(struct script *script, uint8_t *text, size_t len)
{
    struct collected c = { .text = text };
    unsigned number = 0;
    for (size_t at = 0; at < len;) {
        size_t end = at + view_find(view_of(text + at, len - at), '\n');
        struct view line = without_comment(view_of(text + at, end - at));
        number++;
        script->reading = number;
        bool continues = at == end || is_blank(text[at]);
        if (!continues) {
            TRY(add_line(script, &c));
            c = (struct collected){ .text = text + at, .line = { .number = number } };
        }
        struct view mark = view_trim(line);
        at = end + 1;
        if (continues && view_starts_with(mark, VIEW("<<<"))) {
            size_t taken = 0;
            TRY(take_body(script, &c, view_trim(view_slice(mark, 3, mark.len)),
                          at < len ? view_of(text + at, len - at) : VIEW_EMPTY, &taken, &number));
            at += taken;
        } else if (mark.len > 0) {
            TRY(collect(&c, line));
        }
    }
    return add_line(script, &c);
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
    arena_init(&script->arena, 4 * SCRIPT_FILE_MAX + SCRIPT_LINES_MAX * sizeof *script->lines);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        writer_format(why, "%s: cannot be opened: %s", path, strerror(errno));
        return STATUS_NOT_FOUND;
    }
    enum status status = read_file(script, file);
    fclose(file);
    if (status != STATUS_OK)
        writer_format(why, "%s:%u: cannot be read: %s", path, script->reading, status_text(status));
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

void script_put_base64(struct view bytes, enum script_base64 kind, struct writer *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *letters = kind == SCRIPT_BASE64 ? plain : url;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.ptr[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.ptr[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            if (k <= left)
                writer_u8(out, (uint8_t)letters[group >> (18 - 6 * k) & 63]);
            else if (kind == SCRIPT_BASE64)
                writer_u8(out, '=');
        }
    }
}

/* "text" or 'text' at the front of `rest`. */
static enum status quoted(struct cursor *rest, struct writer *out)
{
    uint8_t quote = rest->ptr[rest->taken++];
    struct view left = cursor_rest(rest), text = VIEW_EMPTY;
    size_t end = view_find(left, quote);
    if (end == left.len)
        return STATUS_MALFORMED;
    TRY(cursor_take(rest, end, &text));
    writer_view(out, text);
    rest->taken++;
    return STATUS_OK;
}

/* len2 or ascii4: the length of what follows is known only after that was written. */
static enum status with_length(struct view kind, struct cursor *rest, struct view body,
                               struct writer *out)
{
    size_t head = view_is(kind, "len2") ? 2 : 4;
    size_t at = out->len;
    writer_bytes(out, "\0\0\0\0", head);
    TRY(script_bytes(cursor_rest(rest), body, out));
    rest->taken = rest->len;
    size_t len = out->len - at - head;
    struct writer w = writer_over(out->ptr + at, head);
    if (head == 2)
        writer_u16_be(&w, (uint16_t)len);
    else
        writer_u64_padded(&w, len, 4);
    return writer_status(&w);
}

enum status script_bytes(struct view text, struct view body, struct writer *out)
{
    struct cursor rest = cursor_over(text);
    for (;;) {
        while (cursor_left(&rest) > 0 && is_blank(rest.ptr[rest.taken]))
            rest.taken++;
        if (cursor_left(&rest) == 0)
            return writer_status(out);
        if (rest.ptr[rest.taken] == '"' || rest.ptr[rest.taken] == '\'') {
            TRY(quoted(&rest, out));
            continue;
        }
        struct view word = script_word(&rest);
        if (view_is(word, "len2") || view_is(word, "ascii4")) {
            TRY(with_length(word, &rest, body, out));
        } else if (view_is(word, "body")) {
            writer_view(out, body);
        } else if (view_is(word, "body64")) {
            script_put_base64(body, SCRIPT_BASE64_URL, out);
        } else {
            size_t len = 0;
            TRY(hex_decode(word, out->ptr + out->len, out->room - out->len, &len));
            out->len += len;
        }
    }
}
