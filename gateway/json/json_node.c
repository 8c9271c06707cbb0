/* json_node.c - looking at a tree that json_read made. Knows nothing of the parser. */
#include "json_int.h"

/* --- finding ------------------------------------------------------------------------------- */

static const struct json_node *member_named(const struct json_node *object, struct view name)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (JSON_EACH(member, object))
        if (view_equal(member->key, name))
            return member;
    return NULL;
}

const struct json_node *json_member(const struct json_node *object, const char *name)
{
    return member_named(object, view_text(name));
}

const struct json_node *json_element(const struct json_node *array, uint32_t index)
{
    if (array == NULL || array->kind != JSON_ARRAY || index >= array->count)
        return NULL;
    const struct json_node *element = array->first;
    while (element != NULL && index-- > 0)
        element = element->next;
    return element;
}

/* Whether a token of a pointer stands for this name: ~0 is ~, ~1 is /. */
static bool token_names(struct view token, struct view name)
{
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        uint8_t c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                return false;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        if (at == name.len || name.ptr[at] != c)
            return false;
    }
    return at == name.len;
}

static const struct json_node *step(const struct json_node *node, struct view token)
{
    uint64_t index;
    if (node->kind == JSON_ARRAY)
        return view_to_u64(token, UINT32_MAX, &index) == STATUS_OK
                   ? json_element(node, (uint32_t)index)
                   : NULL;
    for (JSON_EACH(member, node))
        if (token_names(token, member->key))
            return member;
    return NULL;
}

const struct json_node *json_find(const struct json_node *root, struct view pointer)
{
    while (root != NULL && pointer.len > 0) {
        if (pointer.ptr[0] != '/')
            return NULL;
        pointer = view_slice(pointer, 1, pointer.len);
        size_t len = view_find(pointer, '/');
        root = step(root, view_slice(pointer, 0, len));
        pointer = view_slice(pointer, len, pointer.len);
    }
    return root;
}

const struct json_node *json_unknown(const struct json_node *object, const char *const *known,
                                     size_t known_count, const struct json_node *after)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    const struct json_node *member = after != NULL ? after->next : object->first;
    for (; member != NULL; member = member->next) {
        size_t i = 0;
        while (i < known_count && !view_is(member->key, known[i]))
            i++;
        if (i == known_count)
            return member;
    }
    return NULL;
}

/* --- values -------------------------------------------------------------------------------- */

enum status json_i64(const struct json_node *node, int64_t *out)
{
    if (node == NULL)
        return STATUS_NOT_FOUND;
    if (node->kind != JSON_NUMBER)
        return STATUS_MISMATCH;
    return view_to_i64(node->text, out);
}

enum status json_text(const struct json_node *node, struct view *out)
{
    if (node == NULL)
        return STATUS_NOT_FOUND;
    if (node->kind != JSON_TEXT)
        return STATUS_MISMATCH;
    *out = node->text;
    return STATUS_OK;
}

enum status json_bool(const struct json_node *node, bool *out)
{
    if (node == NULL)
        return STATUS_NOT_FOUND;
    if (node->kind != JSON_TRUE && node->kind != JSON_FALSE)
        return STATUS_MISMATCH;
    *out = node->kind == JSON_TRUE;
    return STATUS_OK;
}

struct view json_raw(const struct json_node *node, struct view text)
{
    return view_slice(text, node->offset, node->end - node->offset);
}

/* --- pointers ------------------------------------------------------------------------------ */

void json_pointer_name(struct writer *out, struct view name)
{
    writer_u8(out, '/');
    for (size_t i = 0; i < name.len && !out->overflow; i++) {
        if (name.ptr[i] == '~')
            writer_text(out, "~0");
        else if (name.ptr[i] == '/')
            writer_text(out, "~1");
        else
            writer_u8(out, name.ptr[i]);
    }
}

void json_pointer_index(struct writer *out, uint32_t index)
{
    writer_u8(out, '/');
    writer_u64_text(out, index);
}

void json_pointer(struct writer *out, const struct json_node *node)
{
    /* From the node up, then written from the root down; the reader keeps depth in bounds. */
    const struct json_node *way[JSON_DEPTH_MAX + 1];
    size_t steps = 0;
    for (; node->parent != NULL && steps < JSON_DEPTH_MAX + 1; node = node->parent)
        way[steps++] = node;
    while (steps-- > 0) {
        const struct json_node *parent = way[steps]->parent;
        if (parent->kind == JSON_OBJECT) {
            json_pointer_name(out, way[steps]->key);
            continue;
        }
        uint32_t index = 0;
        for (const struct json_node *e = parent->first; e != way[steps]; e = e->next)
            index++;
        json_pointer_index(out, index);
    }
}
