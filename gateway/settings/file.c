/* file.c - what each kind of file means beyond its rows: lists of sections, and values that must
 * agree.
 */
#include "settings/load_int.h"

#include "base/ensure.h"
#include "base/map.h"

/* Line of a row's value: where it was given, or the file's first line. */
#define LINE_OF(section, type, member, from)                                                       \
    line_of((section), offsetof(struct type, member), (from))

static uint32_t line_of(const struct setting_section *section, size_t offset, const uint32_t *from)
{
    size_t index = 0;
    (void)section_row(section, offset, &index);
    return from[index] > 0 ? from[index] : 1;
}

static const struct yaml_node *entry_find(const struct yaml_node *map, const char *key)
{
    if (map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_node *entry = map->first; entry != NULL; entry = entry->next) {
        if (view_is(entry->key, key))
            return entry;
    }
    return NULL;
}

/* The entry if it is a list; NULL when absent or not one (a finding says so). */
static const struct yaml_node *list_find(const struct reader *reader, const struct yaml_node *map,
                                         const char *key)
{
    const struct yaml_node *list = entry_find(map, key);
    if (list == NULL || list->kind == YAML_LIST)
        return list;
    reader_complain(reader, list->line, list->column, "settings.type",
                    "`%s` is a list; begin each entry with `- `", key);
    return NULL;
}

static bool given(const char *text)
{
    return text[0] != '\0';
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
    const struct yaml_node *list = list_find(reader, map, "keys");
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
}

enum status gateway_read(const struct reader *reader, struct view bytes, struct settings *out)
{
    struct yaml_node *root = NULL;
    enum status s = yaml_read(reader->arena, bytes, reader->file, reader->findings, &root);
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
    const struct yaml_node *group = entry_find(map, "settings");
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
    if (yaml_read(reader->arena, bytes, reader->file, reader->findings, &root) == STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    out->file = reader->file;
    if (root == NULL)
        return STATUS_OK;
    TRY(section_read(reader, &section_channel, root, out, &out->from));
    TRY(raw_settings_read(reader, root, out));
    channel_check(reader, out);
    return STATUS_OK;
}

/* --- regions ------------------------------------------------------------------------------- */

static bool list_has(const struct settings_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

static void maximum_check(const struct reader *reader, const struct yaml_node *item,
                          const struct region_settings *region, size_t index)
{
    const struct maximum_settings *maximum = &region->maximums[index];
    const struct currency *currency;
    if (!given(maximum->currency))
        return; /* said already: it is missing or wrong */
    if (currency_by_code(view_text(maximum->currency), &currency) != STATUS_OK)
        reader_complain(reader, item->line, item->column, "settings.currency",
                        "`payment_max`: `%s` is not an ISO 4217 code like EUR", maximum->currency);
    else if (region->currencies.count > 0 && !list_has(&region->currencies, maximum->currency))
        finding_add(reader->findings, FINDING_WARNING, reader->file, item->line, item->column,
                    "settings.no_effect",
                    "`payment_max` for %s has no effect: `currencies` does not allow it",
                    maximum->currency);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(region->maximums[i].currency, maximum->currency) == 0)
            reader_complain(reader, item->line, item->column, "settings.twice",
                            "`payment_max` for %s is given twice; remove one", maximum->currency);
    }
}

static enum status maximums_read(const struct reader *reader, const struct yaml_node *map,
                                 struct region_settings *out)
{
    const struct yaml_node *list = list_find(reader, map, "payment_max");
    if (list == NULL || list->count == 0)
        return STATUS_OK;
    if (list->count > 256) {
        reader_complain(reader, list->line, list->column, "settings.range",
                        "`payment_max` has %zu entries; at most 256 are allowed", list->count);
        return STATUS_OK;
    }
    struct maximum_settings *maximums = arena_alloc(reader->arena, list->count * sizeof *maximums);
    if (maximums == NULL)
        return STATUS_NO_MEMORY;
    out->maximums = maximums;
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        struct maximum_settings *maximum = &maximums[out->maximums_count];
        TRY(section_read(reader, &section_maximum, item, maximum, &maximum->from));
        maximum_check(reader, item, out, out->maximums_count);
        out->maximums_count++;
    }
    return STATUS_OK;
}

/* Two keyed hashes of 64 bits side by side; what it is good for: settings.h. */
static void content_hash(struct view bytes, char out[33])
{
    struct writer w = writer_over(out, 33);
    uint8_t halves[16];
    struct writer h = writer_over(halves, sizeof halves);
    writer_u64_be(&h, siphash(0x7261696c67617465u, 1, bytes));
    writer_u64_be(&h, siphash(0x7261696c67617465u, 2, bytes));
    writer_hex_lower(&w, writer_done(&h));
    ENSURE(writer_terminate(&w) == STATUS_OK);
}

enum status region_read(const struct reader *reader, struct view bytes, struct region_settings *out)
{
    struct yaml_node *root = NULL;
    if (yaml_read(reader->arena, bytes, reader->file, reader->findings, &root) == STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    out->file = reader->file;
    content_hash(bytes, out->content_hash);
    if (root == NULL)
        return STATUS_OK;
    TRY(section_read(reader, &section_region, root, out, &out->from));
    TRY(maximums_read(reader, root, out));
    if (out->effective_until_us != 0 && out->effective_until_us <= out->effective_from_us)
        reader_complain(
            reader, LINE_OF(&section_region, region_settings, effective_until_us, out->from), 1,
            "settings.range", "`effective_until` is not after `effective_from`; correct one");
    return STATUS_OK;
}

/* --- all together -------------------------------------------------------------------------- */

static void region_named(const struct settings *s, struct findings *findings, const char *file,
                         uint32_t line, const char *name)
{
    const char *names[256];
    size_t count = 0;
    if (settings_region(s, view_text(name)) != NULL)
        return;
    for (; count < s->regions_count && count < COUNT_OF(names); count++)
        names[count] = s->regions[count].region;
    const char *near = finding_did_you_mean(view_text(name), names, count);
    finding_add(findings, FINDING_ERROR, file, line, 1, "settings.no_such_region",
                "there is no region profile `%s`%s%s%s; correct the name or add the profile", name,
                near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                near != NULL ? "`?" : "");
}

void settings_cross_check(const struct settings *s, const char *file, struct findings *findings)
{
    for (size_t i = 0; i < s->channels_count; i++) {
        const struct channel_settings *c = &s->channels[i];
        for (size_t k = 0; k < i && given(c->name); k++) {
            if (strcmp(s->channels[k].name, c->name) == 0)
                finding_add(findings, FINDING_ERROR, c->file,
                            LINE_OF(&section_channel, channel_settings, name, c->from), 1,
                            "settings.name_twice",
                            "a channel named `%s` is in %s already; rename one", c->name,
                            s->channels[k].file);
        }
        for (size_t k = 0; k < c->regions.count; k++)
            region_named(s, findings, c->file,
                         LINE_OF(&section_channel, channel_settings, regions, c->from),
                         c->regions.items[k]);
    }
    for (size_t i = 0; i < s->regions_count; i++) {
        const struct region_settings *r = &s->regions[i];
        for (size_t k = 0; k < i && given(r->region); k++) {
            if (strcmp(s->regions[k].region, r->region) == 0)
                finding_add(findings, FINDING_ERROR, r->file,
                            LINE_OF(&section_region, region_settings, region, r->from), 1,
                            "settings.name_twice",
                            "a region profile named `%s` is in %s already; rename one", r->region,
                            s->regions[k].file);
        }
    }
    region_named(s, findings, file, LINE_OF(&section_gateway, settings, region, s->from),
                 s->region);
    if (s->channels_count == 0)
        finding_add(findings, FINDING_WARNING, file, 0, 0, "settings.no_channel",
                    "no channel is configured: every payment will be refused; add a file to %s",
                    s->channels_folder);
}
