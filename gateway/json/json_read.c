/* json_read.c - yajl's events to a tree. The only file that includes yajl.
 *
 * yajl walks the text and calls us for each value and each name; we hang a node under the container
 * that is open. What yajl is not strict about is done here:
 *   - UTF-8 is checked over the whole text first (yajl lets overlong forms and surrogates pass);
 *   - vertical tab and form feed are refused anywhere (yajl takes them for blanks);
 *   - a lone \ud800 is refused (yajl makes it a question mark);
 *   - depth, nodes and bytes are bounded; a name that is there already is refused.
 *
 * Where a token is: yajl does not say, but between two events lie only blanks, commas and colons,
 * so the next token starts at the first other byte after the last one. A string that has no escape
 * comes as a pointer into the text and is borrowed; one that has is decoded in yajl's buffer and
 * copied into the arena.
 *
 * Names twice: the first SMALL_OBJECT names of an object are compared as they come; an object that
 * grows larger has its names sorted once, when it closes. So n hostile names cost n log n, without
 * a hash that would need a secret.
 *
 * Memory: yajl does not check what its allocator gives it, so an allocator that is out of memory
 * must not return: it jumps back to json_read. All that is left behind lies in the caller's arena.
 */
#include "json_int.h"

#include "base/ensure.h"

#include <setjmp.h>
#include <yajl/yajl_parse.h>

#define SMALL_OBJECT 16

struct reader {
    struct view text;
    struct json_limits limits;
    struct arena *arena;
    struct json_error *error;
    enum status status; /* OK until something is refused */
    size_t at;          /* one past the last token */
    size_t nodes;
    size_t depth; /* open containers */
    struct json_node *root;
    struct json_node *open[JSON_DEPTH_MAX];
    struct json_node *last[JSON_DEPTH_MAX]; /* newest child of each */
    bool key_waits;                         /* a name was read, its value was not */
    struct view key;
    size_t key_offset;
    jmp_buf out_of_memory;
};

/* --- errors -------------------------------------------------------------------------------- */

/* The pointer of what is being read now. A name that does not fit ends it. */
static void write_place(const struct reader *r, struct json_error *error)
{
    struct writer w = writer_over(error->pointer, sizeof error->pointer - 1);
    for (size_t level = 0; level < r->depth; level++) {
        size_t before = w.len;
        bool innermost = level + 1 == r->depth;
        if (r->open[level]->kind == JSON_ARRAY)
            json_pointer_index(&w, r->open[level]->count - (innermost ? 0 : 1));
        else if (!innermost)
            json_pointer_name(&w, r->open[level + 1]->key);
        else if (r->key_waits)
            json_pointer_name(&w, r->key);
        if (w.overflow) {
            w.len = before;
            break;
        }
    }
    error->pointer_len = w.len;
    error->pointer[w.len] = '\0';
}

/* Records the first thing that went wrong; returns 0, which makes yajl stop. */
static int refuse(struct reader *r, enum status status, size_t offset, const char *message)
{
    if (r->status != STATUS_OK)
        return 0;
    r->status = status;
    if (r->error == NULL)
        return 0;
    *r->error = (struct json_error){ .status = status, .offset = offset };
    write_place(r, r->error);
    struct writer w = writer_over(r->error->message, sizeof r->error->message - 1);
    writer_text(&w, message);
    r->error->message[w.len] = '\0';
    return 0;
}

/* --- memory for yajl ------------------------------------------------------------------------ */

/* In front of each block, because the arena does not remember sizes. */
struct yajl_block {
    size_t size;
    size_t reserved;
};

static void *give(void *context, size_t size)
{
    struct reader *r = context;
    struct yajl_block *block =
        size <= SIZE_MAX - sizeof *block ? arena_alloc(r->arena, sizeof *block + size) : NULL;
    if (block == NULL)
        longjmp(r->out_of_memory, 1);
    block->size = size;
    return block + 1;
}

static void *give_more(void *context, void *old, size_t size)
{
    if (old == NULL)
        return give(context, size);
    const struct yajl_block *block = (struct yajl_block *)old - 1;
    if (size <= block->size)
        return old;
    void *more = give(context, size);
    memcpy(more, old, block->size);
    return more;
}

static void take_back(void *context, void *block)
{
    (void)context; /* the arena takes all back at once */
    (void)block;
}

/* --- tree ---------------------------------------------------------------------------------- */

static size_t token_start(const struct reader *r)
{
    size_t at = r->at;
    while (at < r->text.len && memchr(" \t\r\n,:", r->text.ptr[at], 6) != NULL)
        at++;
    return at;
}

/* A node for the token at `offset`, hung under the open container. NULL: refused. */
static struct json_node *add_node(struct reader *r, enum json_kind kind, size_t offset, size_t len)
{
    if (r->nodes == r->limits.nodes_max) {
        (void)refuse(r, STATUS_FULL, offset, "The JSON text has too many values.");
        return NULL;
    }
    struct json_node *node = ARENA_NEW(r->arena, struct json_node);
    if (node == NULL)
        longjmp(r->out_of_memory, 1);
    r->nodes++;
    node->kind = kind;
    node->offset = (uint32_t)offset;
    node->end = (uint32_t)(offset + len);
    r->at = offset + len;
    if (r->depth == 0) {
        r->root = node;
        return node;
    }
    struct json_node *parent = r->open[r->depth - 1];
    struct json_node *last = r->last[r->depth - 1];
    node->parent = parent;
    if (parent->kind == JSON_OBJECT) {
        node->key = r->key;
        node->key_offset = (uint32_t)r->key_offset;
        r->key_waits = false;
    }
    if (last == NULL)
        parent->first = node;
    else
        last->next = node;
    r->last[r->depth - 1] = node;
    parent->count++;
    return node;
}

static int add_literal(struct reader *r, enum json_kind kind, size_t len)
{
    return add_node(r, kind, token_start(r), len) != NULL;
}

static int open_container(struct reader *r, enum json_kind kind)
{
    size_t offset = token_start(r);
    if (r->depth == r->limits.depth_max)
        return refuse(r, STATUS_FULL, offset, "The JSON text is nested too deeply.");
    struct json_node *node = add_node(r, kind, offset, 1);
    if (node == NULL)
        return 0;
    r->open[r->depth] = node;
    r->last[r->depth] = NULL;
    r->depth++;
    return 1;
}

static struct json_node *close_container(struct reader *r)
{
    ENSURE(r->depth > 0);
    struct json_node *node = r->open[r->depth - 1];
    r->at = token_start(r) + 1;
    node->end = (uint32_t)r->at;
    return node;
}

/* --- names twice --------------------------------------------------------------------------- */

static int compare_keys(const struct json_node *a, const struct json_node *b)
{
    if (a->key.len != b->key.len)
        return a->key.len < b->key.len ? -1 : 1;
    return a->key.len > 0 ? memcmp(a->key.ptr, b->key.ptr, a->key.len) : 0;
}

/* Takes `count` > 0 members off *rest and returns them sorted by name, linked by `sorted`; equal
 * names stay in the order of the text. As deep as the logarithm of count. */
static struct json_node *sort_members(struct json_node **rest, uint32_t count)
{
    if (count == 1) {
        struct json_node *only = *rest;
        *rest = only->next;
        only->sorted = NULL;
        return only;
    }
    struct json_node *a = sort_members(rest, count / 2);
    struct json_node *b = sort_members(rest, count - count / 2);
    struct json_node *merged = NULL, **tail = &merged;
    while (a != NULL && b != NULL) {
        struct json_node **less = compare_keys(a, b) <= 0 ? &a : &b;
        *tail = *less;
        tail = &(*less)->sorted;
        *less = (*less)->sorted;
    }
    *tail = a != NULL ? a : b;
    return merged;
}

static int refuse_twice(struct reader *r, struct view key, size_t offset)
{
    r->key = key;
    r->key_waits = true; /* the pointer names the member */
    return refuse(r, STATUS_EXISTS, offset, "An object has the same name twice.");
}

static int check_large_object(struct reader *r, struct json_node *object)
{
    struct json_node *rest = object->first;
    const struct json_node *twice = NULL;
    const struct json_node *member = sort_members(&rest, object->count);
    for (; member->sorted != NULL; member = member->sorted)
        if (compare_keys(member, member->sorted) == 0 &&
            (twice == NULL || member->sorted->offset < twice->offset))
            twice = member->sorted;
    return twice == NULL ? 1 : refuse_twice(r, twice->key, twice->key_offset);
}

/* --- strings ------------------------------------------------------------------------------- */

/* Four hexadecimal digits at `at`; yajl has made sure that they are. */
static uint32_t escape_code(struct view text, size_t at)
{
    uint8_t bytes[2] = { 0 };
    size_t len;
    IGNORE_STATUS(hex_decode(view_slice(text, at, 4), bytes, sizeof bytes, &len));
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Walks the string that opens at `offset` to one past its closing quote. False: half a surrogate
 * pair, at *end. */
static bool walk_escapes(struct view text, size_t offset, size_t *end)
{
    size_t at = offset + 1;
    while (at < text.len && text.ptr[at] != '"') {
        *end = at;
        if (text.ptr[at] != '\\') {
            at++;
            continue;
        }
        if (at + 1 >= text.len || text.ptr[at + 1] != 'u') {
            at += 2;
            continue;
        }
        uint32_t code = escape_code(text, at + 2);
        at += 6;
        if (code >= 0xDC00 && code <= 0xDFFF)
            return false;
        if (code < 0xD800 || code > 0xDBFF)
            continue;
        if (!view_starts_with(view_slice(text, at, text.len), VIEW("\\u")))
            return false;
        code = escape_code(text, at + 2);
        if (code < 0xDC00 || code > 0xDFFF)
            return false;
        at += 6;
    }
    *end = at + 1;
    return true;
}

/* The string that yajl just read: a view that lasts, and where it stands. False: refused. */
static bool take_string(struct reader *r, const unsigned char *ptr, size_t len, struct view *out,
                        size_t *offset, size_t *end)
{
    *offset = token_start(r);
    if (len > 0 && ptr == r->text.ptr + *offset + 1) {
        *out = view_of(ptr, len);
        *end = *offset + len + 2;
        return true;
    }
    if (!walk_escapes(r->text, *offset, end)) {
        (void)refuse(r, STATUS_MALFORMED, *end,
                     "A \\u escape in a string is half of a surrogate pair.");
        return false;
    }
    *out = VIEW_EMPTY;
    if (len > 0) {
        *out = arena_copy(r->arena, view_of(ptr, len));
        if (out->len == 0)
            longjmp(r->out_of_memory, 1);
    }
    return true;
}

/* --- yajl's events -------------------------------------------------------------------------- */

static int on_null(void *context)
{
    return add_literal(context, JSON_NULL, 4);
}

static int on_boolean(void *context, int value)
{
    return value ? add_literal(context, JSON_TRUE, 4) : add_literal(context, JSON_FALSE, 5);
}

static int on_number(void *context, const char *ptr, size_t len)
{
    struct reader *r = context;
    (void)ptr; /* may be yajl's copy; the text holds the same bytes */
    struct json_node *node = add_node(r, JSON_NUMBER, token_start(r), len);
    if (node == NULL)
        return 0;
    node->text = view_slice(r->text, node->offset, len);
    return 1;
}

static int on_string(void *context, const unsigned char *ptr, size_t len)
{
    struct reader *r = context;
    struct view text;
    size_t offset, end;
    if (!take_string(r, ptr, len, &text, &offset, &end))
        return 0;
    struct json_node *node = add_node(r, JSON_TEXT, offset, end - offset);
    if (node == NULL)
        return 0;
    node->text = text;
    node->has_nul = view_find(text, 0) < text.len;
    return 1;
}

static int on_key(void *context, const unsigned char *ptr, size_t len)
{
    struct reader *r = context;
    ENSURE(r->depth > 0);
    struct view key;
    size_t offset, end;
    if (!take_string(r, ptr, len, &key, &offset, &end))
        return 0;
    const struct json_node *object = r->open[r->depth - 1];
    if (object->count < SMALL_OBJECT)
        for (JSON_EACH(member, object))
            if (view_equal(member->key, key))
                return refuse_twice(r, key, offset);
    r->key = key;
    r->key_offset = offset;
    r->key_waits = true;
    r->at = end;
    return 1;
}

static int on_open_object(void *context)
{
    return open_container(context, JSON_OBJECT);
}

static int on_open_array(void *context)
{
    return open_container(context, JSON_ARRAY);
}

static int on_close_object(void *context)
{
    struct reader *r = context;
    struct json_node *object = close_container(r);
    if (object->count > SMALL_OBJECT && !check_large_object(r, object))
        return 0;
    r->depth--;
    return 1;
}

static int on_close_array(void *context)
{
    struct reader *r = context;
    (void)close_container(r);
    r->depth--;
    return 1;
}

static const yajl_callbacks events = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close_object,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close_array,
};

/* --- reading ------------------------------------------------------------------------------- */

/* Index of the first byte that starts no well-formed UTF-8 sequence. */
static size_t utf8_prefix(struct view text)
{
    size_t at = 0, len = 1;
    while (at < text.len && len <= 4) {
        bool whole = len <= text.len - at && view_is_utf8(view_slice(text, at, len));
        at += whole ? len : 0;
        len = whole ? 1 : len + 1;
    }
    return at;
}

static bool text_acceptable(struct reader *r)
{
    if (r->text.len > r->limits.bytes_max)
        return refuse(r, STATUS_FULL, r->limits.bytes_max, "The JSON text is too long.");
    if (!view_is_utf8(r->text))
        return refuse(r, STATUS_MALFORMED, utf8_prefix(r->text), "The JSON text is not UTF-8.");
    if (view_starts_with(r->text, VIEW("\xEF\xBB\xBF")))
        return refuse(r, STATUS_MALFORMED, 0, "The JSON text starts with a byte order mark.");
    size_t stray = view_find(r->text, '\v');
    stray = stray < r->text.len ? stray : view_find(r->text, '\f');
    if (stray < r->text.len)
        return refuse(r, STATUS_MALFORMED, stray, "The JSON text holds a control character.");
    return true;
}

/* What yajl says about a text that it did not like; without the text itself (verbose is off). */
static void refuse_syntax(struct reader *r, yajl_handle parser)
{
    /* yajl stands one past the byte it did not like; what is at fault is the token around it. */
    size_t offset = yajl_get_bytes_consumed(parser);
    offset = offset > 0 ? offset - 1 : 0;
    size_t start = token_start(r);
    offset = start < offset ? start : offset;
    const unsigned char *why = yajl_get_error(parser, 0, r->text.ptr, r->text.len);
    struct view reason = view_trim(view_text((const char *)why));
    while (reason.len > 0 && reason.ptr[reason.len - 1] == '.')
        reason.len--;
    char message[128];
    struct writer w = writer_over(message, sizeof message);
    writer_text(&w, "The text is not JSON: ");
    writer_view(&w, view_slice(reason, 0, 90));
    writer_text(&w, ".");
    ENSURE(writer_terminate(&w) == STATUS_OK);
    (void)refuse(r, STATUS_MALFORMED, offset, message);
}

static void parse(struct reader *r)
{
    yajl_alloc_funcs memory = { .malloc = give, .realloc = give_more, .free = take_back, .ctx = r };
    /* yajl's defaults are strict: no comments, no bytes after the value, one value, a whole value.
     * Its own check of UTF-8 is off, because ours has been made. The parser is not freed: it lies
     * in the arena. */
    yajl_handle parser = yajl_alloc(&events, &memory, r);
    if (yajl_config(parser, yajl_dont_validate_strings, 1) == 0)
        longjmp(r->out_of_memory, 1);
    yajl_status said = yajl_parse(parser, r->text.ptr, r->text.len);
    if (said == yajl_status_error)
        refuse_syntax(r, parser);
    if (said != yajl_status_ok)
        return;
    said = yajl_complete_parse(parser);
    if (said != yajl_status_error)
        return;
    /* Only now does yajl see the end of a number or word that stands last in the text. */
    if (r->root != NULL && r->depth == 0)
        (void)refuse(r, STATUS_MALFORMED, token_start(r), "Bytes follow the JSON value.");
    else
        (void)refuse(r, STATUS_SHORT, r->text.len, "The JSON text ends too early.");
}

/* A function of its own, so that what changes between setjmp and longjmp is not local to it. */
static void parse_in_arena(struct reader *r)
{
    if (setjmp(r->out_of_memory) == 0)
        parse(r);
    else
        (void)refuse(r, STATUS_NO_MEMORY, r->at, "There is no memory left to read the JSON text.");
}

enum status json_read(struct view text, const struct json_limits *limits, struct arena *arena,
                      const struct json_node **root, struct json_error *error)
{
    struct reader r;
    /* Not one initialiser: it would clear the stacks and the jump buffer for each text. */
    r.text = text;
    r.limits = limits != NULL ? *limits : JSON_LIMITS_DEFAULT;
    r.arena = arena;
    r.error = error;
    r.status = STATUS_OK;
    r.at = r.nodes = r.depth = r.key_offset = 0;
    r.root = NULL;
    r.key_waits = false;
    r.key = VIEW_EMPTY;
    ENSURE(r.limits.depth_max >= 1 && r.limits.depth_max <= JSON_DEPTH_MAX);
    ENSURE(r.limits.bytes_max < UINT32_MAX);

    if (!text_acceptable(&r))
        return r.status;
    parse_in_arena(&r);
    if (r.status == STATUS_OK) {
        ENSURE(r.root != NULL && r.depth == 0);
        *root = r.root;
    }
    return r.status;
}
