/* row.c - the .def files as tables, and filling a section's struct from a map.
 *
 * A path like "limits.depth" is a key inside a map `limits:`. While walking the map, a key is a
 * row, a group (some row begins with it), an extra that the loader reads itself, or unknown.
 * Unknown keys are errors: a setting that has no effect is worse than one that is refused.
 */
#include "settings/row_int.h"

#include "base/ensure.h"

#include <stdio.h>

#define PATH_MAX_BYTES 128
#define NAMES_MAX      96

#define SETTING(type_, member_, path_, fallback_, min_, max_, unit_, choices_, secret_, sentence_) \
    { .type = SETTING_##type_,                                                                     \
      .offset = offsetof(struct SECTION, member_),                                                 \
      .path = (path_),                                                                             \
      .fallback = (fallback_),                                                                     \
      .min = (min_),                                                                               \
      .max = (max_),                                                                               \
      .unit = (unit_),                                                                             \
      .choices = (choices_),                                                                       \
      .secret = (secret_) != 0,                                                                    \
      .sentence = (sentence_) },

#define SECTION settings
static const struct setting_row gateway_rows[] = {
#include "settings/gateway.def"
};
#undef SECTION
#define SECTION key_settings
static const struct setting_row key_rows[] = {
#include "settings/key.def"
};
#undef SECTION
#define SECTION channel_settings
static const struct setting_row channel_rows[] = {
#include "settings/channel.def"
};
#undef SECTION
#define SECTION region_settings
static const struct setting_row region_rows[] = {
#include "settings/region.def"
};
#undef SECTION
#define SECTION maximum_settings
static const struct setting_row maximum_rows[] = {
#include "settings/maximum.def"
};
#undef SECTION

static const char *const none[] = { NULL };
static const char *const gateway_extras[] = { "keys", NULL };
static const char *const channel_extras[] = { "settings", NULL };
static const char *const region_extras[] = { "payment_max", NULL };
static const char *const region_later[] = { "extends", "kyc",          "authentication",
                                            "windows", "cross_border", "screening",
                                            "data",    "rules",        "shadow",
                                            NULL };

const struct setting_section section_gateway = { "gateway.yaml", gateway_rows,
                                                 COUNT_OF(gateway_rows), gateway_extras, none };
const struct setting_section section_key = { "gateway.yaml, each of `keys`", key_rows,
                                             COUNT_OF(key_rows), none, none };
const struct setting_section section_channel = { "channels/*.yaml", channel_rows,
                                                 COUNT_OF(channel_rows), channel_extras, none };
const struct setting_section section_region = { "regions/*.yaml", region_rows,
                                                COUNT_OF(region_rows), region_extras,
                                                region_later };
const struct setting_section section_maximum = { "regions/*.yaml, each of `payment_max`",
                                                 maximum_rows, COUNT_OF(maximum_rows), none, none };

void reader_complain(const struct reader *reader, uint32_t line, uint32_t column, const char *id,
                     const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    finding_add(reader->findings, FINDING_ERROR, reader->file, line, column, id, "%s", message);
}

const struct setting_row *section_row(const struct setting_section *section, size_t offset,
                                      size_t *index)
{
    for (size_t i = 0; i < section->count; i++) {
        if (section->rows[i].offset == offset) {
            *index = i;
            return &section->rows[i];
        }
    }
    ENSURE(!"a member without a row");
    return NULL;
}

/* --- walking a map ------------------------------------------------------------------------- */

struct walk {
    const struct reader *reader;
    const struct setting_section *section;
    void *base;
    uint32_t *from;
    bool *seen;
};

static const struct setting_row *row_find(const struct setting_section *section, const char *path,
                                          size_t *index)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->rows[i].path, path) == 0) {
            *index = i;
            return &section->rows[i];
        }
    }
    return NULL;
}

/* Does a row begin with "path."? */
static bool is_group(const struct setting_section *section, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < section->count; i++) {
        if (strncmp(section->rows[i].path, path, len) == 0 && section->rows[i].path[len] == '.')
            return true;
    }
    return false;
}

static bool is_one_of(const char *const *names, struct view name)
{
    for (; *names != NULL; names++) {
        if (view_is(name, *names))
            return true;
    }
    return false;
}

/* The names that could stand where the unknown one stands; and, failing those, the full path of a
 * row whose last part is that name, written at the wrong level. */
static const char *meant(const struct walk *walk, const char *prefix, struct view key, char *room,
                         size_t room_size)
{
    char parts[NAMES_MAX][40];
    const char *names[NAMES_MAX];
    size_t count = 0, prefix_len = strlen(prefix);
    for (size_t i = 0; i < walk->section->count && count < NAMES_MAX; i++) {
        const char *path = walk->section->rows[i].path;
        if (strncmp(path, prefix, prefix_len) != 0)
            continue;
        size_t len = strcspn(path + prefix_len, ".");
        if (len >= sizeof parts[0])
            continue;
        memcpy(parts[count], path + prefix_len, len);
        parts[count][len] = '\0';
        names[count] = parts[count];
        count++;
    }
    for (const char *const *extra = walk->section->extras;
         prefix_len == 0 && *extra != NULL && count < NAMES_MAX; extra++)
        names[count++] = *extra;
    const char *near = finding_did_you_mean(key, names, count);
    if (near != NULL) {
        (void)snprintf(room, room_size, "%s%s", prefix, near);
        return room;
    }
    for (size_t i = 0; i < walk->section->count; i++) {
        const char *path = walk->section->rows[i].path;
        const char *dot = strrchr(path, '.');
        if (view_is(key, dot != NULL ? dot + 1 : path))
            return path;
    }
    return NULL;
}

static void unknown_key(const struct walk *walk, const char *prefix, const struct yaml_node *entry)
{
    char room[PATH_MAX_BYTES];
    int len = (int)(entry->key.len < 64 ? entry->key.len : 64);
    if (prefix[0] == '\0' && is_one_of(walk->section->later, entry->key)) {
        reader_complain(walk->reader, entry->key_line, entry->key_column,
                        "settings.section_unsupported",
                        "`%.*s` is not supported by this version, and rules that are not evaluated "
                        "must not be written down as if they were; remove the section",
                        len, (const char *)entry->key.ptr);
        return;
    }
    const char *near = meant(walk, prefix, entry->key, room, sizeof room);
    reader_complain(walk->reader, entry->key_line, entry->key_column, "settings.unknown_key",
                    "there is no setting `%s%.*s`%s%s%s Correct or remove it", prefix, len,
                    (const char *)entry->key.ptr, near != NULL ? "; did you mean `" : "",
                    near != NULL ? near : "", near != NULL ? "`?" : ".");
}

static void walk_map(struct walk *walk, const char *prefix, const struct yaml_node *map)
{
    for (const struct yaml_node *entry = map->first; entry != NULL; entry = entry->next) {
        char path[PATH_MAX_BYTES];
        size_t index = 0;
        /* "limits.depth" as one key would be a second way to say the same. */
        bool fits = view_find(entry->key, '.') == entry->key.len && entry->key.len > 0 &&
                    strlen(prefix) + entry->key.len + 2 <= sizeof path;
        if (!fits) {
            unknown_key(walk, prefix, entry);
            continue;
        }
        (void)snprintf(path, sizeof path, "%s%.*s", prefix, (int)entry->key.len,
                       (const char *)entry->key.ptr);
        const struct setting_row *row = row_find(walk->section, path, &index);
        if (row != NULL) {
            walk->seen[index] = true;
            walk->from[index] = entry->key_line;
            (void)value_read(walk->reader, row, entry, (char *)walk->base + row->offset);
        } else if (is_group(walk->section, path)) {
            if (entry->kind == YAML_MAP) {
                strcat(path, "."); /* there is room: see `fits` */
                walk_map(walk, path, entry);
            } else {
                reader_complain(walk->reader, entry->line, entry->column, "settings.not_a_group",
                                "`%s` is a group of settings; write them indented below it", path);
            }
        } else if (prefix[0] != '\0' || !is_one_of(walk->section->extras, entry->key)) {
            unknown_key(walk, prefix, entry);
        }
    }
}

enum status section_read(const struct reader *reader, const struct setting_section *section,
                         const struct yaml_node *map, void *base, const uint32_t **from)
{
    struct walk walk = { .reader = reader, .section = section, .base = base };
    walk.from = arena_alloc(reader->arena, section->count * sizeof *walk.from);
    walk.seen = arena_alloc(reader->arena, section->count * sizeof *walk.seen);
    if (walk.from == NULL || walk.seen == NULL)
        return STATUS_NO_MEMORY;
    *from = walk.from;
    /* Defaults first: a value that is wrong leaves the default, so later checks find sane values.
     */
    for (size_t i = 0; i < section->count; i++) {
        const struct setting_row *row = &section->rows[i];
        if (!value_default(reader, row, (char *)base + row->offset))
            return STATUS_NO_MEMORY;
    }
    if (map->kind == YAML_MAP)
        walk_map(&walk, "", map);
    else
        reader_complain(reader, map->line, map->column, "settings.not_a_map",
                        "expected `name: value` lines (%s)", section->title);
    for (size_t i = 0; i < section->count && map->kind == YAML_MAP; i++) {
        if (section->rows[i].fallback == NULL && !walk.seen[i])
            reader_complain(reader, map->line, map->column, "settings.missing",
                            "`%s` is missing: %s Add it", section->rows[i].path,
                            section->rows[i].sentence);
    }
    return reader->arena->overflow ? STATUS_NO_MEMORY : STATUS_OK;
}
