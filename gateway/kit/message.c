/* message.c - HTTP messages of a transcript: read, held against what the adapter sends, and shown
 * in the words of a transcript, so that what was seen can be pasted into one.
 *
 * A header value may hold {slot NAME}, which is how a token or a key looks before the host puts its
 * bytes there, and {sign KEY FORMAT BYTES}, a signature under a key of the transcript. */
#include "conformance_int.h"

static const char *const methods[] = { "?", "GET", "POST", "PUT", "DELETE", "PATCH" };
#define METHODS_COUNT (sizeof methods / sizeof methods[0])

uint32_t message_method(struct view word)
{
    for (uint32_t i = 1; i < METHODS_COUNT; i++)
        if (view_is(word, methods[i]))
            return i;
    return 0;
}

const char *message_method_word(uint32_t method)
{
    return methods[method < METHODS_COUNT ? method : 0];
}

/* --- reading --------------------------------------------------------------------------------- */

/* "KEY FORMAT BYTES" */
static enum status put_signature(struct run *run, struct view text, struct view body,
                                 struct writer *out)
{
    size_t size = text.len + 4 * body.len + 64;
    uint8_t *room = arena_alloc(&run->arena, size), signature[256];
    struct cursor rest = cursor_over(text);
    struct view key = script_word(&rest), format = script_word(&rest);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, size), s = writer_over(signature, sizeof signature);
    TRY(script_bytes(cursor_rest(&rest), body, &w));
    struct view bytes = writer_done(&w);
    TRY(signer_sign(run->signer, key, bytes, &s));
    if (view_is(format, "hex"))
        writer_hex_lower(out, writer_done(&s));
    else if (view_is(format, "HEX"))
        writer_hex_upper(out, writer_done(&s));
    else if (view_is(format, "base64"))
        script_put_base64(writer_done(&s), SCRIPT_BASE64, out);
    else if (view_is(format, "base64url"))
        script_put_base64(writer_done(&s), SCRIPT_BASE64_URL, out);
    else
        return STATUS_NOT_FOUND;
    return STATUS_OK;
}

enum status message_value(struct run *run, struct view text, struct view body, struct writer *out,
                          bool *slot)
{
    *slot = false;
    for (size_t i = 0; i < text.len;) {
        struct view rest = view_slice(text, i, text.len);
        bool is_slot = view_starts_with(rest, VIEW("{slot "));
        if (!is_slot && !view_starts_with(rest, VIEW("{sign "))) {
            writer_u8(out, text.ptr[i++]);
            continue;
        }
        size_t end = view_find(rest, '}');
        if (end == rest.len)
            return STATUS_MALFORMED;
        struct view inside = view_trim(view_slice(rest, 6, end - 6));
        if (is_slot) {
            writer_u8(out, 0);
            writer_view(out, inside);
            *slot = true;
        } else {
            TRY(put_signature(run, inside, body, out));
        }
        i += end + 1;
    }
    return writer_status(out);
}

/* "name: value" */
static bool split_header(struct view text, struct view *name, struct view *value)
{
    size_t at = view_find(text, ':');
    if (at == 0 || at == text.len)
        return false;
    *name = view_slice(text, 0, at);
    *value = view_trim(view_slice(text, at + 1, text.len));
    return true;
}

enum status message_headers(struct run *run, const struct script_line *line, struct view body,
                            struct view *out)
{
    uint8_t *room = arena_alloc(&run->arena, 65536);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, 65536);
    for (size_t i = 1; i < line->parts_count; i++) {
        struct view name, value;
        bool slot = false;
        if (!split_header(line->parts[i], &name, &value))
            return STATUS_MALFORMED;
        writer_view(&w, name);
        writer_text(&w, ": ");
        TRY(message_value(run, value, body, &w, &slot));
        writer_u8(&w, '\n');
    }
    *out = writer_done(&w);
    arena_trim(&run->arena, room, w.len);
    return writer_status(&w);
}

/* --- showing --------------------------------------------------------------------------------- */

static void show_value(FILE *out, const struct rg_named *row)
{
    for (uint64_t i = 0; i < row->value.len; i++) {
        bool name = (row->flags & RG_NAMED_SLOT) != 0 && row->value.ptr[i] == 0;
        if (name) {
            fprintf(out, "{slot %.*s}", (int)(row->value.len - i - 1),
                    (const char *)row->value.ptr + i + 1);
            return;
        }
        fputc(row->value.ptr[i], out);
    }
}

static void show_seen(struct run *run)
{
    const struct rg_out *seen = &run->host.step.out;
    FILE *out = run->options->report;
    fprintf(out, "%s:%u: seen was\n%s %.*s\n", run->where, run->line,
            message_method_word(seen->http_method), (int)seen->path.len,
            (const char *)seen->path.ptr);
    for (uint64_t i = 0; i < seen->headers.count; i++) {
        const struct rg_named *row = &seen->headers.rows[i];
        fprintf(out, "  %.*s: ", (int)row->name.len, (const char *)row->name.ptr);
        show_value(out, row);
        fputc('\n', out);
    }
    if (seen->bytes.len > 0)
        fprintf(out, "  <<<\n%.*s\n>>>\n", (int)seen->bytes.len, (const char *)seen->bytes.ptr);
}

/* --- comparing ------------------------------------------------------------------------------- */

/* The row with this name whose place in `used` is free. */
static const struct rg_named *find_header(const struct rg_table *table, struct view name,
                                          uint64_t *used)
{
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &table->rows[i];
        if ((*used >> i & 1) != 0 || !view_equal(view_of(row->name.ptr, row->name.len), name))
            continue;
        *used |= 1ull << i;
        return row;
    }
    return NULL;
}

static void expect_header(struct run *run, struct view part, struct view body, uint64_t *used)
{
    uint8_t text[4096];
    struct writer w = writer_over(text, sizeof text);
    struct view name, value;
    bool slot = false;
    if (!split_header(part, &name, &value) ||
        message_value(run, value, body, &w, &slot) != STATUS_OK) {
        check_fail(run, CHECK_EXPECTED, "the expected header cannot be read: %.*s", (int)part.len,
                   (const char *)part.ptr);
        return;
    }
    const struct rg_named *row = find_header(&run->host.step.out.headers, name, used);
    if (row == NULL)
        check_fail(run, CHECK_EXPECTED, "there is no header %.*s", (int)name.len,
                   (const char *)name.ptr);
    else if (slot != ((row->flags & RG_NAMED_SLOT) != 0) ||
             !view_equal(view_of(row->value.ptr, row->value.len), writer_done(&w)))
        check_fail(run, CHECK_EXPECTED, "header %.*s differs", (int)name.len,
                   (const char *)name.ptr);
}

void message_expect(struct run *run, const struct script_line *line, struct view method)
{
    const struct rg_out *seen = &run->host.step.out;
    uint64_t failures = run->findings[CHECK_EXPECTED].failures, used = 0;
    struct cursor rest = cursor_over(line->parts[0]);
    bool more = false; /* "..." : other headers may be there too */
    (void)script_word(&rest);
    (void)script_word(&rest);
    expect_equal(run, "the method", view_text(message_method_word(seen->http_method)), method);
    expect_equal(run, "the path", buffer_view(&seen->path), view_trim(cursor_rest(&rest)));
    for (size_t i = 1; i < line->parts_count; i++) {
        if (view_is(line->parts[i], "..."))
            more = true;
        else
            expect_header(run, line->parts[i], line->body, &used);
    }
    for (uint64_t i = 0; i < seen->headers.count && !more; i++)
        if ((used >> i & 1) == 0)
            check_fail(run, CHECK_EXPECTED, "header %.*s is not expected",
                       (int)seen->headers.rows[i].name.len,
                       (const char *)seen->headers.rows[i].name.ptr);
    expect_bytes(run, "the body", buffer_view(&seen->bytes), line->body);
    if (run->findings[CHECK_EXPECTED].failures != failures)
        show_seen(run);
}
