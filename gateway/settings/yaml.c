/* yaml.c - libfyaml's events to a tree of nodes.
 *
 * Events and not libfyaml's own documents: so limits hold while reading, aliases are never resolved
 * (no bomb), and duplicate keys are reported with both places. Bytes are checked before the library
 * sees them: UTF-8, no control characters, not too many.
 */
#include "settings/yaml_int.h"

#include "base/ensure.h"

#include <libfyaml.h>

struct reading {
    struct arena *arena;
    struct findings *findings;
    const char *file;
    struct yaml_node *open[YAML_DEPTH_MAX + 1]; /* containers that are being filled */
    size_t depth;
    struct yaml_node *pending; /* entry of the innermost map whose key was read, value not yet */
    struct yaml_node *root;
    size_t nodes, documents;
    size_t bytes_max, nodes_max;
    size_t errors_before;
};

static void complain(struct reading *r, uint32_t line, uint32_t column, const char *id,
                     const char *message)
{
    finding_add(r->findings, FINDING_ERROR, r->file, line, column, id, "%s", message);
}

/* --- bytes before parsing ------------------------------------------------------------------ */

/* Position of the first byte that may not stand in a configuration file, or len. */
static size_t first_bad_byte(struct view bytes)
{
    size_t at = 0;
    /* A lead byte decides how long its sequence is; the sequence itself is checked by view_is_utf8.
     */
    while (at < bytes.len) {
        uint8_t c = bytes.ptr[at];
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return at;
        if (len > bytes.len - at || !view_is_utf8(view_slice(bytes, at, len)))
            return at;
        at += len;
    }
    return at;
}

static bool bytes_fine(struct reading *r, struct view bytes)
{
    if (bytes.len > r->bytes_max) {
        finding_add(r->findings, FINDING_ERROR, r->file, 0, 0, "settings.file_too_large",
                    "the file is too large; at most %zu bytes are read", r->bytes_max);
        return false;
    }
    size_t bad = first_bad_byte(bytes);
    if (bad == bytes.len)
        return true;
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < bad; i++) {
        if (bytes.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if ((bytes.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    finding_add(r->findings, FINDING_ERROR, r->file, line, column, "settings.bad_byte",
                "the byte 0x%02x is not UTF-8 text; save the file as UTF-8 without control "
                "characters",
                bytes.ptr[bad]);
    return false;
}

/* --- nodes --------------------------------------------------------------------------------- */

static struct yaml_node *node_new(struct reading *r, enum yaml_kind kind, uint32_t line,
                                  uint32_t column)
{
    if (++r->nodes > r->nodes_max) {
        complain(r, line, column, "settings.too_many_nodes",
                 "the file has too many values; split it or remove some");
        return NULL;
    }
    struct yaml_node *node = ARENA_NEW(r->arena, struct yaml_node);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->line = line;
    node->column = column;
    return node;
}

static void append(struct yaml_node *container, struct yaml_node *node)
{
    if (container->last != NULL)
        container->last->next = node;
    else
        container->first = node;
    container->last = node;
    container->count++;
}

/* Puts a finished node, or a container that begins, where it belongs. A map's entry carries its key
 * already: it is the pending node, and takes the new node's value over. Returns where it is kept.
 */
static struct yaml_node *place(struct reading *r, struct yaml_node *node)
{
    if (r->depth == 0) {
        r->root = node;
        return node;
    }
    struct yaml_node *container = r->open[r->depth - 1];
    if (container->kind == YAML_LIST) {
        append(container, node);
        return node;
    }
    struct yaml_node *entry = r->pending;
    ENSURE(entry != NULL);
    entry->kind = node->kind;
    entry->plain = node->plain;
    entry->text = node->text;
    /* The library has no place for a value that is not there: its key's is the next best. */
    bool absent = node->kind == YAML_SCALAR && node->plain && node->text.len == 0;
    entry->line = absent ? entry->key_line : node->line;
    entry->column = absent ? entry->key_column : node->column;
    r->pending = NULL;
    return entry;
}

static bool wants_key(const struct reading *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == YAML_MAP && r->pending == NULL;
}

static enum status key_read(struct reading *r, struct view text, uint32_t line, uint32_t column)
{
    struct yaml_node *map = r->open[r->depth - 1];
    if (map->count == YAML_KEYS_MAX) {
        complain(r, line, column, "settings.too_many_nodes",
                 "more than 2000 keys in one group; nothing here needs that");
        return STATUS_MALFORMED;
    }
    struct yaml_node *entry = node_new(r, YAML_SCALAR, line, column);
    if (entry == NULL)
        return STATUS_FULL;
    entry->key = text;
    entry->key_line = line;
    entry->key_column = column;
    r->pending = entry;
    for (const struct yaml_node *other = map->first; other != NULL; other = other->next) {
        if (view_equal(other->key, text)) {
            finding_add(r->findings, FINDING_ERROR, r->file, line, column, "settings.duplicate_key",
                        "`%.*s` is given twice, first in line %u; remove one of the two",
                        (int)(text.len < 64 ? text.len : 64), (const char *)text.ptr,
                        other->key_line);
            return STATUS_OK; /* read on, the entry is left out */
        }
    }
    append(map, entry);
    return STATUS_OK;
}

/* --- events -------------------------------------------------------------------------------- */

static void position_of(struct fy_event *event, uint32_t *line, uint32_t *column)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    *line = mark != NULL && mark->line >= 0 ? (uint32_t)mark->line + 1 : 1;
    *column = mark != NULL && mark->column >= 0 ? (uint32_t)mark->column + 1 : 1;
    /* The library's mark of a quoted text is behind the quote; people look for the quote. */
    if (event->type == FYET_SCALAR && event->scalar.value != NULL && *column > 1) {
        enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
        if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
            *column -= 1;
    }
}

/* Walks a scalar's text piece by piece, into `out` unless that is NULL; *len is set to its length.
 * (The library's fy_token_get_text loses memory with texts of many lines.) */
static enum status text_pieces(struct fy_token *token, char *out, size_t room, size_t *len)
{
    int error = 0;
    struct fy_token_iter *iter = fy_token_iter_create(token);
    const struct fy_iter_chunk *piece = NULL;
    *len = 0;
    if (iter == NULL)
        return STATUS_NO_MEMORY;
    while ((piece = fy_token_iter_chunk_next(iter, piece, &error)) != NULL) {
        if (out != NULL && piece->len > room - *len)
            break;
        if (out != NULL && piece->len > 0)
            memcpy(out + *len, piece->str, piece->len);
        *len += piece->len;
    }
    fy_token_iter_destroy(iter);
    return error == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status scalar_read(struct reading *r, struct fy_event *event, uint32_t line,
                               uint32_t column)
{
    struct fy_token *token = event->scalar.value;
    size_t len = 0, again = 0;
    if (token != NULL)
        TRY(text_pieces(token, NULL, 0, &len));
    char *kept = arena_alloc(r->arena, len + 1); /* zeroed: ends with a zero byte */
    if (kept == NULL)
        return STATUS_NO_MEMORY;
    if (token != NULL)
        TRY(text_pieces(token, kept, len, &again));
    if (again != len) /* the library told two different things */
        return STATUS_NO_MEMORY;
    struct view copy = view_of(kept, len);
    /* "\0" and the like: what the bytes of the file cannot hold, escapes must not bring in. */
    if (!view_is_utf8(copy) || first_bad_byte(copy) < copy.len ||
        view_find(copy, '\r') < copy.len) {
        complain(r, line, column, "settings.bad_byte",
                 "this text holds a control character; remove its escape");
        return STATUS_MALFORMED;
    }
    if (wants_key(r))
        return key_read(r, copy, line, column);
    struct yaml_node *node = node_new(r, YAML_SCALAR, line, column);
    if (node == NULL)
        return STATUS_FULL;
    node->text = copy;
    node->plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    (void)place(r, node);
    return STATUS_OK;
}

static enum status container_begin(struct reading *r, enum yaml_kind kind, uint32_t line,
                                   uint32_t column)
{
    if (wants_key(r)) {
        complain(r, line, column, "settings.complex_key", "a key must be a plain name");
        return STATUS_MALFORMED;
    }
    if (r->depth == YAML_DEPTH_MAX) {
        complain(r, line, column, "settings.too_deep",
                 "values are nested more than 16 levels deep; nothing here needs that");
        return STATUS_MALFORMED;
    }
    struct yaml_node *node = node_new(r, kind, line, column);
    if (node == NULL)
        return STATUS_FULL;
    r->open[r->depth] = place(r, node);
    r->depth++;
    return STATUS_OK;
}

static bool decorated(struct reading *r, struct fy_event *event, uint32_t line, uint32_t column)
{
    if (fy_event_get_anchor_token(event) != NULL) {
        complain(r, line, column, "settings.anchor",
                 "anchors (&name) are not used in configuration files; write the value out");
        return true;
    }
    if (fy_event_get_tag_token(event) != NULL) {
        complain(r, line, column, "settings.tag",
                 "tags (!name) are not used in configuration files; remove the tag");
        return true;
    }
    return false;
}

static enum status event_take(struct reading *r, struct fy_event *event)
{
    uint32_t line, column;
    position_of(event, &line, &column);
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (++r->documents > 1) {
            complain(r, line, column, "settings.second_document",
                     "a second document begins here (---); a file holds one");
            return STATUS_MALFORMED;
        }
        return STATUS_OK;
    case FYET_ALIAS:
        complain(r, line, column, "settings.alias",
                 "aliases (*name) are not used in configuration files; write the value out");
        return STATUS_MALFORMED;
    case FYET_SCALAR:
        return decorated(r, event, line, column) ? STATUS_MALFORMED
                                                 : scalar_read(r, event, line, column);
    case FYET_MAPPING_START:
    case FYET_SEQUENCE_START:
        if (decorated(r, event, line, column))
            return STATUS_MALFORMED;
        return container_begin(r, event->type == FYET_MAPPING_START ? YAML_MAP : YAML_LIST, line,
                               column);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        ENSURE(r->depth > 0);
        r->depth--;
        return STATUS_OK;
    default: return STATUS_OK; /* stream and document ends say nothing */
    }
}

/* --- reading ------------------------------------------------------------------------------- */

/* What the library says, with its place. */
static void syntax_errors(struct reading *r, struct fy_diag *diag)
{
    void *position = NULL;
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &position);
    if (error == NULL) {
        complain(r, 1, 1, "settings.yaml_syntax",
                 "it cannot be read to its end, and the library does not say why: memory is out, "
                 "or this is not YAML");
        return;
    }
    /* The first tells the cause; the others are what it led to. */
    finding_add(r->findings, FINDING_ERROR, r->file, error->line > 0 ? (uint32_t)error->line : 1,
                error->column > 0 ? (uint32_t)error->column : 1, "settings.yaml_syntax",
                "this is not YAML: %s", error->msg != NULL ? error->msg : "syntax error");
}

static enum status events_read(struct reading *r, struct fy_parser *parser, struct fy_diag *diag)
{
    for (;;) {
        struct fy_event *event = fy_parser_parse(parser);
        if (event == NULL) { /* what ends as it should ends with an event */
            syntax_errors(r, diag);
            return STATUS_MALFORMED;
        }
        bool end = event->type == FYET_STREAM_END;
        enum status s = event_take(r, event);
        fy_parser_event_free(parser, event);
        if (s != STATUS_OK || end)
            return s;
    }
}

/* A line that begins with % before the document: the only place where directives may stand. */
static bool directive_found(struct reading *r, struct view bytes)
{
    uint32_t line = 1;
    for (size_t at = 0; at < bytes.len; line++) {
        struct view rest = view_slice(bytes, at, SIZE_MAX);
        if (rest.ptr[0] == '%') {
            complain(
                r, line, 1, "settings.directive",
                "directives (%YAML, %TAG) are not used in configuration files; remove the line");
            return true;
        }
        if (rest.ptr[0] != '#' && rest.ptr[0] != '\n' && rest.ptr[0] != '\r')
            return false;
        at += view_find(rest, '\n') + 1;
    }
    return false;
}

enum status yaml_read(struct arena *arena, struct view bytes, enum yaml_room room, const char *file,
                      struct findings *findings, struct yaml_node **out)
{
    bool tests = room == YAML_ROOM_TESTS;
    struct reading r = { .arena = arena,
                         .findings = findings,
                         .file = file,
                         .errors_before = findings->errors,
                         .bytes_max = tests ? YAML_TESTS_BYTES_MAX : YAML_BYTES_MAX,
                         .nodes_max = tests ? YAML_TESTS_NODES_MAX : YAML_NODES_MAX };
    *out = NULL;
    if (!bytes_fine(&r, bytes) || directive_found(&r, bytes))
        return STATUS_MALFORMED;
    const struct fy_diag_cfg quiet = { .level = FYET_ERROR, .module_mask = ~0u };
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (diag == NULL)
        return STATUS_NO_MEMORY;
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg cfg = {
        .search_path = "",
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = diag,
    };
    enum status s = STATUS_NO_MEMORY;
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (parser != NULL) {
        const char *text = bytes.len > 0 ? (const char *)bytes.ptr : "";
        if (fy_parser_set_string(parser, text, bytes.len) == 0)
            s = events_read(&r, parser, diag);
        fy_parser_destroy(parser);
    }
    fy_diag_destroy(diag);
    if (s == STATUS_OK && r.root == NULL) {
        complain(&r, 1, 1, "settings.empty_file", "the file is empty");
        s = STATUS_MALFORMED;
    }
    if (s == STATUS_NO_MEMORY || arena->overflow)
        return STATUS_NO_MEMORY;
    /* A key given twice leaves a readable tree: the rest of the file can still be checked. */
    if (s == STATUS_OK)
        *out = r.root;
    return findings->errors > r.errors_before ? STATUS_MALFORMED : s;
}
