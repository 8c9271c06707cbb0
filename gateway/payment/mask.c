/* mask.c - see mask.h.
 *
 * A fact may stand in several members (payer.account is method.bank.debtor_iban, or payer.account,
 * or method.qr.payer_alias). So not members are masked but values: what the fact is of this payment
 * is looked up, and every text that equals it, or holds it whole, is masked, wherever it stands.
 */
#include "payment/mask.h"

#include "base/ensure.h"
#include "base/json_out.h"

#define TAIL_SHOWN 4

static bool is_for(const struct mask_settings *mask, const char *role)
{
    for (size_t i = 0; i < mask->shown_to.count; i++)
        if (strcmp(mask->shown_to.items[i], role) == 0)
            return true;
    return mask->shown_to.count == 0;
}

bool masks_any(const struct region_settings *region, const char *role)
{
    for (size_t i = 0; i < region->masks_count; i++)
        if (is_for(&region->masks[i], role))
            return true;
    return false;
}

static void add_value(struct masks *masks, struct view value)
{
    if (value.len == 0 || masks->count == MASKED_VALUES_MAX)
        return;
    masks->values[masks->count++] = value;
}

/* "payer.email" when it is no fact: the member of that path. */
static struct view member_value(const struct json_node *root, struct view path)
{
    const struct json_node *at = root;
    struct view text = VIEW_EMPTY;
    while (at != NULL && path.len > 0) {
        char name[65];
        size_t dot = view_find(path, '.');
        if (view_to_text(view_slice(path, 0, dot), name, sizeof name) != STATUS_OK)
            return VIEW_EMPTY;
        at = json_member(at, name);
        path = view_slice(path, dot + 1, path.len);
    }
    IGNORE_STATUS(json_text(at, &text));
    return text;
}

void masks_take(struct masks *masks, const struct region_settings *region, const char *role,
                const struct json_node *root, const struct compliance_facts *facts)
{
    for (size_t i = 0; i < region->masks_count; i++) {
        const struct mask_settings *mask = &region->masks[i];
        enum fact fact = fact_by_name(view_text(mask->fact));
        if (!is_for(mask, role))
            continue;
        if (fact != FACT_NONE && facts != NULL && facts->values[fact].given)
            add_value(masks, facts->values[fact].text);
        add_value(masks, member_value(root, view_text(mask->fact)));
    }
}

/* UTF-8: letters, not bytes, are left over. */
static void put_masked(struct json_out *j, const char *key, struct view value, struct arena *arena)
{
    size_t letters = 0, from = value.len;
    while (from > 0 && letters < TAIL_SHOWN) {
        from--;
        letters += (value.ptr[from] & 0xc0) != 0x80;
    }
    bool all = from == 0; /* four or fewer: nothing may be left */
    struct view tail = all ? VIEW_EMPTY : view_slice(value, from, value.len);
    struct view text = arena_format(arena, "****%.*s", (int)tail.len, (const char *)tail.ptr);
    json_put_text(j, key, text.len > 0 ? text : VIEW("****"));
}

static bool holds(struct view text, struct view value)
{
    for (size_t i = 0; i + value.len <= text.len; i++)
        if (memcmp(text.ptr + i, value.ptr, value.len) == 0)
            return true;
    return false;
}

/* A short value may be part of a word by chance; it must be the whole text. */
static bool is_masked(const struct masks *masks, struct view text)
{
    for (size_t i = 0; i < masks->count; i++)
        if (view_equal(text, masks->values[i]) ||
            (masks->values[i].len >= 8 && holds(text, masks->values[i])))
            return true;
    return false;
}

static void copy_node(const struct masks *masks, const struct json_node *node, struct view text,
                      struct json_out *j, struct arena *arena)
{
    char *key = node->parent != NULL && node->parent->kind == JSON_OBJECT
                    ? arena_text(arena, node->key)
                    : NULL;
    if (node->kind == JSON_OBJECT)
        json_open_object(j, key);
    else if (node->kind == JSON_ARRAY)
        json_open_array(j, key);
    for (const struct json_node *at = node->first; at != NULL; at = at->next)
        copy_node(masks, at, text, j, arena); /* the reader bounds the depth */
    if (node->kind == JSON_OBJECT)
        json_close_object(j);
    else if (node->kind == JSON_ARRAY)
        json_close_array(j);
    else if (node->kind == JSON_TEXT && is_masked(masks, node->text))
        put_masked(j, key, node->text, arena);
    else
        json_put_raw(j, key, json_raw(node, text));
}

static enum status read_tree(struct view json, struct arena *arena, const struct json_node **root)
{
    struct json_limits limits = { .bytes_max = json.len + 1, .nodes_max = 65536, .depth_max = 20 };
    return json_read(json, &limits, arena, root, NULL);
}

static enum status write_tree(const struct masks *masks, const struct json_node *root,
                              struct view json, struct arena *arena, struct view *out)
{
    size_t room = json.len + 64 * (masks->count + 1) + 1024;
    uint8_t *bytes = arena_alloc(arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    copy_node(masks, root, json, &j, arena);
    *out = writer_done(&w);
    return w.overflow || arena->overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status masked_json(const struct masks *masks, struct view json, struct arena *arena,
                        struct view *out)
{
    const struct json_node *root = NULL;
    TRY(read_tree(json, arena, &root));
    return write_tree(masks, root, json, arena, out);
}

enum status masked_members(const struct region_settings *region, const char *role,
                           const struct compliance_facts *facts, struct arena *arena,
                           struct view members, struct view *out)
{
    const struct json_node *root = NULL;
    struct masks masks = { 0 };
    *out = members;
    if (members.len == 0 || !masks_any(region, role))
        return STATUS_OK;
    struct view object = arena_format(arena, "{%.*s}", (int)members.len, (const char *)members.ptr);
    if (object.len == 0)
        return STATUS_NO_MEMORY;
    TRY(read_tree(object, arena, &root));
    masks_take(&masks, region, role, root, facts);
    TRY(write_tree(&masks, root, object, arena, &object));
    *out = view_slice(object, 1, object.len - 2);
    return STATUS_OK;
}
