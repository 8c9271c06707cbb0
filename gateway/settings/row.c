/* row.c - filling a section's struct from a map.
 *
 * A path like "limits.depth" is a key inside a map `limits:`. While walking the map, a key is a
 * row, a group (some row begins with it), an extra that the loader reads itself, or unknown.
 * Unknown keys are errors: a setting that has no effect is worse than one that is refused.
 */
#include "settings/row_int.h"

#include "base/ensure.h"

#include <stdio.h>

#define PATH_MAX_BYTES 128
#define NAMES_MAX      160

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

static bool is_extra(const struct setting_section *section, const char *path)
{
    for (const char *const *extra = section->extras; *extra != NULL; extra++) {
        if (strcmp(*extra, path) == 0)
            return true;
    }
    return false;
}

const struct yaml_node *node_find(const struct yaml_node *map, const char *path)
{
    size_t len = strcspn(path, ".");
    if (map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_node *entry = map->first; entry != NULL; entry = entry->next) {
        if (view_equal(entry->key, view_of(path, len)))
            return path[len] == '.' ? node_find(entry, path + len + 1) : entry;
    }
    return NULL;
}

const struct yaml_node *list_find(const struct reader *reader, const struct yaml_node *map,
                                  const char *path, size_t entries_max)
{
    const struct yaml_node *list = node_find(map, path);
    if (list == NULL)
        return NULL;
    if (list->kind != YAML_LIST) {
        reader_complain(reader, list->line, list->column, "settings.type",
                        "`%s` is a list; begin each entry with `- `", path);
        return NULL;
    }
    if (list->count > entries_max) {
        reader_complain(reader, list->line, list->column, "settings.range",
                        "`%s` has %zu entries; at most %zu are allowed", path, list->count,
                        entries_max);
        return NULL;
    }
    return list;
}

/* The part of `path` behind `prefix`, up to the next dot, into `names`. */
static void name_take(const char *path, const char *prefix, char part[40], const char **names,
                      size_t *count)
{
    size_t prefix_len = strlen(prefix), len = 0;
    if (*count == NAMES_MAX || strncmp(path, prefix, prefix_len) != 0)
        return;
    len = strcspn(path + prefix_len, ".");
    if (len >= 40)
        return;
    memcpy(part, path + prefix_len, len);
    part[len] = '\0';
    names[(*count)++] = part;
}

/* The names that could stand where the unknown one stands; and, failing those, the full path of a
 * row whose last part is that name, written at the wrong level. */
static const char *meant(const struct walk *walk, const char *prefix, struct view key, char *room,
                         size_t room_size)
{
    char parts[NAMES_MAX][40];
    const char *names[NAMES_MAX];
    const struct setting_section *section = walk->section;
    size_t count = 0;
    for (size_t i = 0; i < section->count && count < NAMES_MAX; i++)
        name_take(section->rows[i].path, prefix, parts[count], names, &count);
    for (size_t i = 0; section->extras[i] != NULL && count < NAMES_MAX; i++)
        name_take(section->extras[i], prefix, parts[count], names, &count);
    const char *near = finding_did_you_mean(key, names, count);
    if (near != NULL) {
        (void)snprintf(room, room_size, "%s%s", prefix, near);
        return room;
    }
    for (size_t i = 0; i < section->count; i++) {
        const char *path = section->rows[i].path;
        const char *dot = strrchr(path, '.');
        if (view_is(key, dot != NULL ? dot + 1 : path))
            return path;
    }
    for (const char *const *extra = section->extras; *extra != NULL; extra++) {
        const char *dot = strrchr(*extra, '.');
        if (view_is(key, dot != NULL ? dot + 1 : *extra))
            return *extra;
    }
    return NULL;
}

static void unknown_key(const struct walk *walk, const char *prefix, const struct yaml_node *entry)
{
    char room[PATH_MAX_BYTES];
    int len = (int)(entry->key.len < 64 ? entry->key.len : 64);
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
        } else if (!is_extra(walk->section, path)) {
            unknown_key(walk, prefix, entry);
        }
    }
}

enum status section_read(const struct reader *reader, const struct setting_section *section,
                         const struct yaml_node *map, void *base, const uint32_t **from)
{
    struct walk walk = { .reader = reader, .section = section, .base = base };
    walk.from = arena_alloc(reader->arena, section->count * sizeof *walk.from);
    walk.seen = arena_alloc(reader->scratch != NULL ? reader->scratch : reader->arena,
                            section->count * sizeof *walk.seen);
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
