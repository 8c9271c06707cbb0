/* file.c - what gateway.yaml and channel files mean beyond their rows: lists of sections, and
 * values that must agree. Region profiles: region.c.
 */
#include "settings/load_int.h"

#include "base/ensure.h"

#include <stdio.h>

uint32_t line_of(const struct setting_section *section, size_t offset, const uint32_t *from)
{
    size_t index = 0;
    (void)section_row(section, offset, &index);
    return from[index] > 0 ? from[index] : 1;
}

const char *near_name(struct view written, const char *const *names, size_t count, char room[96])
{
    const char *near = finding_did_you_mean(written, names, count);
    room[0] = '\0';
    if (near != NULL)
        (void)snprintf(room, 96, "; did you mean `%s`?", near);
    return room;
}

/* --- gateway.yaml -------------------------------------------------------------------------- */

static void key_check(const struct reader *reader, const struct key_settings *keys, size_t index,
                      int mode)
{
    const struct key_settings *key = &keys[index];
    int sources = given(key->file) + given(key->hex_file) + given(key->test_value);
    if (sources != 1)
        reader_complain(reader, key->line, 1, "settings.key_source",
                        "key `%s` has %d sources; give exactly one of file, hex_file, test_value",
                        key->name, sources);
    if (given(key->test_value) && mode != SETTINGS_SANDBOX)
        reader_complain(reader, key->line, 1, "settings.test_key",
                        "key `%s` is a test_value, which is refused in mode live; put the key in a "
                        "file",
                        key->name);
    for (size_t i = 0; i < index && given(key->name); i++) {
        if (strcmp(keys[i].name, key->name) == 0)
            reader_complain(reader, key->line, 1, "settings.name_twice",
                            "a key named `%s` stands in line %u already; rename one", key->name,
                            keys[i].line);
    }
}

static enum status keys_read(const struct reader *reader, const struct yaml_node *map,
                             struct settings *out)
{
    const struct yaml_node *list = list_find(reader, map, "keys", REGION_LIST_ENTRIES_MAX);
    if (list == NULL || list->count == 0)
        return STATUS_OK;
    struct key_settings *keys = arena_alloc(reader->arena, list->count * sizeof *keys);
    if (keys == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        struct key_settings *key = &keys[count];
        TRY(section_read(reader, &section_key, item, key, &key->from));
        key->line = item->line;
        key_check(reader, keys, count, out->mode);
        count++;
    }
    out->keys = keys;
    out->keys_count = count;
    return STATUS_OK;
}

static void name_once(const struct reader *reader, const char *what, const char *name,
                      const char *other, uint32_t line, uint32_t other_line)
{
    if (given(name) && strcmp(name, other) == 0)
        reader_complain(reader, line, 1, "settings.name_twice",
                        "%s named `%s` stands in line %u already; rename one", what, name,
                        other_line);
}

static enum status lists_read(const struct reader *reader, const struct yaml_node *map,
                              struct settings *out)
{
    const struct yaml_node *node = list_find(reader, map, "lists", REGION_LIST_ENTRIES_MAX);
    if (node == NULL || node->count == 0)
        return STATUS_OK;
    struct list_settings *lists = arena_alloc(reader->arena, node->count * sizeof *lists);
    if (lists == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next, count++) {
        TRY(section_read(reader, &section_list, item, &lists[count], &lists[count].from));
        lists[count].line = item->line;
        for (size_t i = 0; i < count; i++)
            name_once(reader, "a list", lists[count].name, lists[i].name, item->line,
                      lists[i].line);
    }
    out->lists = lists;
    out->lists_count = count;
    return STATUS_OK;
}

static enum status issuers_read(const struct reader *reader, const struct yaml_node *map,
                                struct settings *out)
{
    const struct yaml_node *node = list_find(reader, map, "issuers", REGION_LIST_ENTRIES_MAX);
    if (node == NULL || node->count == 0)
        return STATUS_OK;
    struct issuer_settings *issuers = arena_alloc(reader->arena, node->count * sizeof *issuers);
    if (issuers == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next, count++) {
        TRY(section_read(reader, &section_issuer, item, &issuers[count], &issuers[count].from));
        issuers[count].line = item->line;
        for (size_t i = 0; i < count; i++)
            name_once(reader, "an issuer", issuers[count].name, issuers[i].name, item->line,
                      issuers[i].line);
    }
    out->issuers = issuers;
    out->issuers_count = count;
    return STATUS_OK;
}

static enum status merchants_read(const struct reader *reader, const struct yaml_node *map,
                                  struct settings *out)
{
    const struct yaml_node *node = list_find(reader, map, "merchants", REGION_LIST_ENTRIES_MAX);
    if (node == NULL || node->count == 0)
        return STATUS_OK;
    struct merchant_settings *merchants =
        arena_alloc(reader->arena, node->count * sizeof *merchants);
    if (merchants == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next, count++) {
        struct merchant_settings *m = &merchants[count];
        TRY(section_read(reader, &section_merchant, item, m, &m->from));
        m->line = item->line;
        if (m->merchant[0] != '\0' && strncmp(m->merchant, "mer_", 4) != 0)
            reader_complain(reader, item->line, item->column, "settings.type",
                            "`merchants.merchant`: `%s` is not a merchant's id (mer_...)",
                            m->merchant);
        for (size_t i = 0; i < count; i++)
            name_once(reader, "a merchant", m->merchant, merchants[i].merchant, item->line,
                      merchants[i].line);
    }
    out->merchants = merchants;
    out->merchants_count = count;
    return STATUS_OK;
}

/* A key that is named must be there and be of a kind that can do it. */
static void key_wanted(const struct reader *reader, const struct settings *s, const char *path,
                       const char *name, const char *kinds, uint32_t line)
{
    const char *names[REGION_LIST_ENTRIES_MAX];
    char room[96];
    if (!given(name))
        return;
    for (size_t i = 0; i < s->keys_count; i++) {
        names[i] = s->keys[i].name;
        if (strcmp(names[i], name) != 0)
            continue;
        if (given(s->keys[i].kind) && strstr(kinds, s->keys[i].kind) == NULL)
            reader_complain(reader, line, 1, "settings.key_kind",
                            "`%s`: the key `%s` is a %s; this needs %s", path, name,
                            s->keys[i].kind, kinds);
        return;
    }
    reader_complain(reader, line, 1, "settings.no_such_key",
                    "`%s`: there is no key `%s` in `keys`%s Correct the name or add the key", path,
                    name, near_name(view_text(name), names, s->keys_count, room));
}

static void gateway_check(const struct reader *reader, const struct settings *s)
{
    if (given(s->api_tls_certificate) != given(s->api_tls_key))
        reader_complain(reader, LINE_OF(&section_gateway, settings, api_tls_certificate, s->from),
                        1, "settings.tls_pair",
                        "`api.tls.certificate` and `api.tls.key` belong together; give both or "
                        "none");
    if (given(s->api_tls_client_ca) && !given(s->api_tls_certificate))
        reader_complain(reader, LINE_OF(&section_gateway, settings, api_tls_client_ca, s->from), 1,
                        "settings.tls_pair",
                        "`api.tls.client_ca` asks merchants for certificates, but TLS is off; give "
                        "`api.tls.certificate` and `api.tls.key` too");
    struct view api = view_text(s->api_listen);
    bool port_zero = api.len > 2 && view_is(view_slice(api, api.len - 2, 2), ":0");
    if (strcmp(s->api_listen, s->ops_listen) == 0 && !port_zero)
        reader_complain(reader, LINE_OF(&section_gateway, settings, ops_listen, s->from), 1,
                        "settings.same_address",
                        "`ops.listen` and `api.listen` are the same address; give each its own");
    key_wanted(reader, s, "authentication.code_key", s->authentication_code_key, "hmac_sha256",
               LINE_OF(&section_gateway, settings, authentication_code_key, s->from));
    for (size_t i = 0; i < s->issuers_count; i++)
        key_wanted(reader, s, "issuers.key", s->issuers[i].key, "verify_ed25519 or verify_es256",
                   LINE_OF(&section_issuer, issuer_settings, key, s->issuers[i].from));
}

enum status gateway_read(const struct reader *reader, struct view bytes, struct settings *out)
{
    struct yaml_node *root = NULL;
    enum status s =
        yaml_read(reader->arena, bytes, YAML_ROOM_SETTINGS, reader->file, reader->findings, &root);
    if (s == STATUS_NO_MEMORY)
        return s;
    /* Without a tree the defaults are still needed: the other files are looked for by them. */
    struct yaml_node nothing = { .kind = YAML_MAP, .line = 1, .column = 1 };
    bool readable = root != NULL;
    if (!readable)
        root = &nothing;
    TRY(section_read(reader, &section_gateway, root, out, &out->from));
    if (!readable)
        return STATUS_OK;
    TRY(keys_read(reader, root, out));
    TRY(lists_read(reader, root, out));
    TRY(issuers_read(reader, root, out));
    TRY(merchants_read(reader, root, out));
    gateway_check(reader, out);
    return STATUS_OK;
}

/* --- channels ------------------------------------------------------------------------------ */

static bool raw_name_fine(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return name.len >= 1 && name.len <= 32;
}

static enum status raw_settings_read(const struct reader *reader, const struct yaml_node *map,
                                     struct channel_settings *out)
{
    const struct yaml_node *group = node_find(map, "settings");
    if (group == NULL)
        return STATUS_OK;
    if (group->kind != YAML_MAP) {
        reader_complain(reader, group->line, group->column, "settings.not_a_group",
                        "`settings` is a group of the adapter's settings; write them indented "
                        "below it");
        return STATUS_OK;
    }
    struct raw_setting *rows = arena_alloc(reader->arena, (group->count + 1) * sizeof *rows);
    if (rows == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *entry = group->first; entry != NULL; entry = entry->next) {
        if (!raw_name_fine(entry->key)) {
            reader_complain(reader, entry->key_line, entry->key_column, "settings.type",
                            "a setting of an adapter has a name of small letters, digits and _, at "
                            "most 32");
            continue;
        }
        if (entry->kind != YAML_SCALAR) {
            reader_complain(reader, entry->line, entry->column, "settings.type",
                            "`settings.%s` is a single value", (const char *)entry->key.ptr);
            continue;
        }
        rows[count++] = (struct raw_setting){
            .name = (const char *)entry->key.ptr,
            .text = (const char *)entry->text.ptr,
            .file = reader->file,
            .line = entry->key_line,
            .column = entry->key_column,
            .value_line = entry->line,
            .value_column = entry->column,
        };
    }
    out->settings = rows;
    out->settings_count = count;
    return STATUS_OK;
}

static void channel_check(const struct reader *reader, const struct channel_settings *c)
{
    for (size_t i = 0; i < section_channel.count && !c->tls_use; i++) {
        const char *path = section_channel.rows[i].path;
        if (c->from[i] == 0 || strncmp(path, "tls.", 4) != 0 || strcmp(path, "tls.use") == 0)
            continue;
        reader_complain(reader, c->from[i], 1, "settings.tls_unused",
                        "`%s` is given, but `tls.use` is no; set it to yes or remove this", path);
    }
    if (given(c->tls_certificate) != given(c->tls_key))
        reader_complain(reader,
                        LINE_OF(&section_channel, channel_settings, tls_certificate, c->from), 1,
                        "settings.tls_pair",
                        "`tls.certificate` and `tls.key` belong together; give both or none");
    if (c->amount_max_minor > 0 && c->amount_min_minor > c->amount_max_minor)
        reader_complain(reader,
                        LINE_OF(&section_channel, channel_settings, amount_min_minor, c->from), 1,
                        "settings.range",
                        "`amount.min_minor` is larger than `amount.max_minor`: no payment fits");
}

enum status channel_read(const struct reader *reader, struct view bytes,
                         struct channel_settings *out)
{
    struct yaml_node *root = NULL;
    if (yaml_read(reader->arena, bytes, YAML_ROOM_SETTINGS, reader->file, reader->findings,
                  &root) == STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    out->file = reader->file;
    if (root == NULL)
        return STATUS_OK;
    TRY(section_read(reader, &section_channel, root, out, &out->from));
    TRY(raw_settings_read(reader, root, out));
    channel_check(reader, out);
    return STATUS_OK;
}
