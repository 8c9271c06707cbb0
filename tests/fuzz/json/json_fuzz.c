/* json_fuzz.c - the JSON reader under hostile bytes.
 *
 * Beside not crashing, what is read must hold together: every node's bytes lie inside its
 * parent's, its pointer leads back to it, its strings are UTF-8, its names are unique; reading a
 * part again by itself gives the same kind of value; and an error points into the text.
 */
#include "base/arena.h"
#include "base/ensure.h"
#include "base/vault.h"
#include "json/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const struct json_node *root, const struct json_node *node, struct view text)
{
    struct view raw = json_raw(node, text);
    ENSURE(node->offset < node->end && node->end <= text.len);
    ENSURE(view_equal(raw, view_trim(raw)));
    ENSURE(view_is_utf8(node->text) && view_is_utf8(node->key));
    if (node->parent != NULL)
        ENSURE(node->offset > node->parent->offset && node->end < node->parent->end);

    uint8_t room[8192];
    struct writer w = writer_over(room, sizeof room);
    json_pointer(&w, node);
    if (!w.overflow)
        ENSURE(json_find(root, writer_done(&w)) == node);

    int64_t number;
    struct view string;
    bool flag;
    int fits = (json_i64(node, &number) != STATUS_MISMATCH) +
               (json_text(node, &string) == STATUS_OK) + (json_bool(node, &flag) == STATUS_OK);
    ENSURE(fits <= 1);

    uint32_t count = 0;
    for (JSON_EACH(child, node)) {
        ENSURE(child->parent == node);
        ENSURE(child->next == NULL || child->next->offset > child->end);
        for (JSON_EACH(other, node))
            ENSURE(node->kind != JSON_OBJECT || other == child ||
                   !view_equal(other->key, child->key));
        check_node(root, child, text);
        count++;
    }
    ENSURE(count == node->count);
}

static void check_part(const struct json_node *part, struct view text,
                       const struct json_limits *limits)
{
    struct arena arena;
    const struct json_node *again;
    arena_init(&arena, (size_t)4 << 20);
    ENSURE(json_read(json_raw(part, text), limits, &arena, &again, NULL) == STATUS_OK);
    ENSURE(again->kind == part->kind && again->count == part->count);
    ENSURE(view_equal(again->text, part->text));
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_limits limits = { .bytes_max = 16384, .nodes_max = 256, .depth_max = 8 };
    struct view text = view_of(data, size);
    /* The arena may be too small as well: the first byte chooses. */
    struct arena arena;
    arena_init(&arena, size > 0 && data[0] == ' ' ? 64 * size : (size_t)4 << 20);
    const struct json_node *root = NULL;
    struct json_error error = { 0 };
    enum status status = json_read(text, &limits, &arena, &root, &error);
    if (status == STATUS_OK) {
        check_node(root, root, text);
        check_part(root, text, &limits);
        if (root->first != NULL)
            check_part(root->first, text, &limits);
    } else {
        ENSURE(root == NULL && error.status == status && error.offset <= size);
        ENSURE(error.pointer_len <= JSON_POINTER_MAX && error.message[0] != '\0');
    }
    arena_reset(&arena);
    ENSURE(vault_in_use() == 0);
    return 0;
}
