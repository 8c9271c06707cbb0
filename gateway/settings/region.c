/* region.c - a region profile: its rows, its lists, and what `extends` brings.
 *
 * Reading one file (region_read) gives what the profile says itself. When all files are there,
 * regions_extend goes from the extended ones to those that extend them and fills in what is not
 * said; afterwards a profile is complete, and nobody else needs to know about `extends`. The lists
 * are handled by the table region_lists (section.c): an entry is bytes of a known size whose file,
 * line and rows stand at known offsets.
 */
#include "settings/load_int.h"

#include "base/ensure.h"
#include "base/map.h"

#include <stdio.h>

#define EXTENDS_MAX 4

/* --- entries by table ---------------------------------------------------------------------- */

static void *entries_of(const struct region_settings *region, const struct region_list *list,
                        size_t *count)
{
    void *items;
    memcpy(&items, (const char *)region + list->items, sizeof items);
    memcpy(count, (const char *)region + list->count, sizeof *count);
    return items;
}

static void entries_set(struct region_settings *region, const struct region_list *list,
                        const void *items, size_t count)
{
    memcpy((char *)region + list->items, &items, sizeof items);
    memcpy((char *)region + list->count, &count, sizeof count);
}

static const char *entry_id(const struct region_list *list, const void *entry)
{
    const char *id;
    ENSURE(list->extended == REGION_LIST_BY_ID);
    memcpy(&id, (const char *)entry + list->section->rows[0].offset, sizeof id);
    return id;
}

static void entry_place(const struct region_list *list, const void *entry, const char **file,
                        uint32_t *line, uint32_t *column)
{
    memcpy(file, (const char *)entry + list->file, sizeof *file);
    memcpy(line, (const char *)entry + list->line, sizeof *line);
    memcpy(column, (const char *)entry + list->column, sizeof *column);
}

/* --- what entries must be like -------------------------------------------------------------- */

/* The line of a row of an entry, column 1; the entry's own place when the row was not given. */
#define ENTRY_COMPLAIN(reader, section, type, entry, member, id, ...)                              \
    entry_complain((reader), &(section), offsetof(struct type, member), (entry)->given,            \
                   (entry)->line, (entry)->column, (id), __VA_ARGS__)

static void entry_complain(const struct reader *reader, const struct setting_section *section,
                           size_t offset, const uint32_t *rows, uint32_t line, uint32_t column,
                           const char *id, const char *message)
{
    size_t index = 0;
    (void)section_row(section, offset, &index);
    bool known = rows[index] > 0;
    reader_complain(reader, known ? rows[index] : line, known && rows[index] != line ? 1 : column,
                    id, "%s", message);
}

/* Was it written down? Also when its value was wrong: what follows from that is not told again. */
#define ENTRY_HAS(section, type, entry, member)                                                    \
    row_given(&(section), offsetof(struct type, member), (entry)->given)

static bool row_given(const struct setting_section *section, size_t offset, const uint32_t *rows)
{
    size_t index = 0;
    (void)section_row(section, offset, &index);
    return rows[index] > 0;
}

static void limit_check(const struct reader *reader, const struct limit_settings *limit)
{
    bool single = limit->per == SETTINGS_PER_PAYMENT;
    bool windowed = ENTRY_HAS(section_limit, limit_settings, limit, window);
    if (single && windowed)
        ENTRY_COMPLAIN(reader, section_limit, limit_settings, limit, window, "settings.limit",
                       "`window` sums payments, but `per` is payment: each is looked at by itself; "
                       "say per whom (payer, account, ...) or remove `window`");
    if (!single && !windowed)
        ENTRY_COMPLAIN(reader, section_limit, limit_settings, limit, per, "settings.limit",
                       "`per` sums payments, but there is no `window`; say how far back, e.g. "
                       "`window: 24h` or `window: day`");
    if (!single && limit->min.count > 0)
        ENTRY_COMPLAIN(reader, section_limit, limit_settings, limit, min, "settings.limit",
                       "`min` is about a single payment; use it only with per: payment");
    if (single && limit->count > 0)
        ENTRY_COMPLAIN(reader, section_limit, limit_settings, limit, count, "settings.limit",
                       "`count` needs `per` (payer, account, ...) and `window`");
    bool wrong = ENTRY_HAS(section_limit, limit_settings, limit, max) && limit->max.count == 0;
    wrong =
        wrong || (ENTRY_HAS(section_limit, limit_settings, limit, from) && limit->from.count == 0);
    wrong =
        wrong || (ENTRY_HAS(section_limit, limit_settings, limit, min) && limit->min.count == 0);
    if (limit->max.count == 0 && limit->from.count == 0 && limit->min.count == 0 &&
        limit->count == 0 && !wrong)
        reader_complain(reader, limit->line, limit->column, "settings.limit",
                        "the limit `%s` limits nothing; give at least one of max, from, min, count",
                        limit->id);
}

static void fields_check(const struct reader *reader, const struct region_settings *region)
{
    for (size_t i = 0; i < region->fields_count; i++) {
        const struct field_settings *field = &region->fields[i];
        if (!ENTRY_HAS(section_field, field_settings, field, needs))
            reader_complain(reader, field->line, field->column, "settings.no_needs",
                            "`cross_border.fields`: `%s` asks for nothing; name the facts in "
                            "`needs`, e.g. [payer.name]",
                            field->id);
    }
}

/* Reasons name entries by their ids: one name space for all lists. `region` is what one file says,
 * or the merged whole; in that the later entry may be of an extended file, so each tells its own.
 */
static void ids_check(const struct region_settings *region, struct findings *findings)
{
    for (size_t a = 0; a < REGION_LISTS; a++) {
        const struct region_list *list = &region_lists[a];
        size_t count = 0;
        const char *entries = entries_of(region, list, &count);
        for (size_t i = 0; i < count && list->extended == REGION_LIST_BY_ID; i++) {
            const void *entry = entries + i * list->size;
            const char *id = entry_id(list, entry), *file, *other_file;
            uint32_t line, column, other_line, other_column;
            for (size_t b = 0; b <= a && given(id); b++) {
                const struct region_list *before = &region_lists[b];
                size_t others_count = 0;
                const char *others = entries_of(region, before, &others_count);
                if (b == a)
                    others_count = i;
                for (size_t k = 0; k < others_count && before->extended == REGION_LIST_BY_ID; k++) {
                    const void *other = others + k * before->size;
                    if (strcmp(entry_id(before, other), id) != 0)
                        continue;
                    entry_place(list, entry, &file, &line, &column);
                    entry_place(before, other, &other_file, &other_line, &other_column);
                    /* The one further down in its file, or that of the file that extends. */
                    bool own = strcmp(file, region->file) == 0;
                    if (strcmp(file, other_file) == 0 ? line >= other_line : own)
                        finding_add(findings, FINDING_ERROR, file, line, column,
                                    "settings.id_twice",
                                    "the id `%s` is used in %s:%u already (`%s`); reasons name "
                                    "entries by their ids, so each needs its own",
                                    id, other_file, other_line, before->path);
                    else
                        finding_add(findings, FINDING_ERROR, other_file, other_line, other_column,
                                    "settings.id_twice",
                                    "the id `%s` is used in %s:%u already (`%s`); reasons name "
                                    "entries by their ids, so each needs its own",
                                    id, file, line, list->path);
                }
            }
        }
    }
}

/* --- reading one file ----------------------------------------------------------------------- */

static enum status entries_read(const struct reader *reader, const struct yaml_node *root,
                                const struct region_list *list, struct region_settings *out)
{
    const struct yaml_node *node = list_find(reader, root, list->path, REGION_LIST_ENTRIES_MAX);
    if (node == NULL || node->count == 0)
        return STATUS_OK;
    char *entries = arena_alloc(reader->arena, node->count * list->size);
    if (entries == NULL)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next, count++) {
        char *entry = entries + count * list->size;
        const uint32_t *rows = NULL;
        TRY(section_read(reader, list->section, item, entry, &rows));
        memcpy(entry + list->given, &rows, sizeof rows);
        memcpy(entry + list->file, &reader->file, sizeof reader->file);
        memcpy(entry + list->line, &item->line, sizeof item->line);
        memcpy(entry + list->column, &item->column, sizeof item->column);
    }
    entries_set(out, list, entries, count);
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

static enum status given_in_fill(const struct reader *reader, struct region_settings *out)
{
    const char **files = arena_alloc(reader->arena, section_region.count * sizeof *files);
    if (files == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < section_region.count; i++)
        files[i] = out->from[i] > 0 ? reader->file : NULL;
    out->given_in = files;
    return STATUS_OK;
}

enum status region_read(const struct reader *reader, struct view bytes, struct region_settings *out)
{
    struct yaml_node *root = NULL;
    struct arena *tree = reader->scratch != NULL ? reader->scratch : reader->arena;
    if (yaml_read(tree, bytes, YAML_ROOM_SETTINGS, reader->file, reader->findings, &root) ==
        STATUS_NO_MEMORY)
        return STATUS_NO_MEMORY;
    out->file = reader->file;
    out->text = arena_copy(reader->arena, bytes);
    if (out->text.len != bytes.len)
        return STATUS_NO_MEMORY;
    content_hash(bytes, out->content_hash);
    if (root == NULL)
        return STATUS_OK;
    TRY(section_read(reader, &section_region, root, out, &out->from));
    TRY(given_in_fill(reader, out));
    for (size_t i = 0; i < REGION_LISTS; i++)
        TRY(entries_read(reader, root, &region_lists[i], out));
    for (size_t i = 0; i < out->limits_count; i++)
        limit_check(reader, &out->limits[i]);
    fields_check(reader, out);
    ids_check(out, reader->findings);
    if (out->effective_until_us != 0 && out->effective_until_us <= out->effective_from_us)
        reader_complain(
            reader, LINE_OF(&section_region, region_settings, effective_until_us, out->from), 1,
            "settings.range", "`effective_until` is not after `effective_from`; correct one");
    return STATUS_OK;
}

/* --- extending ------------------------------------------------------------------------------ */

/* What is said of one profile only. */
static bool never_taken_over(size_t offset)
{
    static const size_t own[] = {
        offsetof(struct region_settings, region),
        offsetof(struct region_settings, version),
        offsetof(struct region_settings, effective_from_us),
        offsetof(struct region_settings, effective_until_us),
        offsetof(struct region_settings, extends),
        offsetof(struct region_settings, abstract),
        offsetof(struct region_settings, shadow),
        offsetof(struct region_settings, owner),
    };
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (own[i] == offset)
            return true;
    }
    return false;
}

static enum status rows_extend(struct arena *arena, const struct region_settings *base,
                               struct region_settings *region)
{
    size_t count = section_region.count;
    uint32_t *from = arena_alloc(arena, count * sizeof *from);
    const char **given_in = arena_alloc(arena, count * sizeof *given_in);
    if (from == NULL || given_in == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct setting_row *row = &section_region.rows[i];
        from[i] = region->from[i];
        given_in[i] = region->given_in[i];
        if (from[i] > 0 || base->from[i] == 0 || never_taken_over(row->offset))
            continue;
        memcpy((char *)region + row->offset, (const char *)base + row->offset,
               value_size(row->type));
        from[i] = base->from[i];
        given_in[i] = base->given_in[i];
    }
    region->from = from;
    region->given_in = given_in;
    return STATUS_OK;
}

/* The place of the entry with that id, or `count`. */
static size_t entry_index(const struct region_list *list, const char *entries, size_t count,
                          const char *id)
{
    size_t at = 0;
    while (at < count && strcmp(entry_id(list, entries + at * list->size), id) != 0)
        at++;
    return at;
}

static enum status list_extend(struct arena *arena, const struct region_list *list,
                               const struct region_settings *base, struct region_settings *region)
{
    size_t base_count = 0, own_count = 0;
    const char *theirs = entries_of(base, list, &base_count);
    const char *own = entries_of(region, list, &own_count);
    if (base_count == 0 || (list->extended == REGION_LIST_AS_A_WHOLE && own_count > 0))
        return STATUS_OK;
    char *all = arena_alloc(arena, (base_count + own_count) * list->size);
    if (all == NULL)
        return STATUS_NO_MEMORY;
    size_t count = base_count;
    memcpy(all, theirs, base_count * list->size);
    for (size_t i = 0; i < own_count; i++) {
        const char *entry = own + i * list->size;
        size_t at = count;
        if (list->extended == REGION_LIST_BY_ID)
            at = entry_index(list, all, base_count, entry_id(list, entry));
        if (at == base_count)
            at = count;
        count += at == count ? 1 : 0;
        memcpy(all + at * list->size, entry, list->size);
    }
    entries_set(region, list, all, count);
    return STATUS_OK;
}

/* `base` is complete already. */
static enum status region_extend(struct arena *arena, const struct region_settings *base,
                                 struct region_settings *region, struct findings *findings)
{
    TRY(rows_extend(arena, base, region));
    for (size_t i = 0; i < REGION_LISTS; i++)
        TRY(list_extend(arena, &region_lists[i], base, region));
    ids_check(region, findings);
    struct view both = arena_format(arena, "%s%s", region->content_hash, base->content_hash);
    if (both.len == 0)
        return STATUS_NO_MEMORY;
    content_hash(both, region->content_hash);
    return STATUS_OK;
}

static const struct region_settings *active_find(const struct region_settings *regions,
                                                 size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!regions[i].shadow && strcmp(regions[i].region, name) == 0)
            return &regions[i];
    }
    return NULL;
}

static void extends_complain(const struct region_settings *region, struct findings *findings,
                             const char *id, const char *what, const char *end)
{
    finding_add(findings, FINDING_ERROR, region->file,
                LINE_OF(&section_region, region_settings, extends, region->from), 1, id,
                "`extends`: %s%s", what, end);
}

static void base_missing(const struct region_settings *region,
                         const struct region_settings *regions, size_t count,
                         struct findings *findings)
{
    const char *names[REGION_LIST_ENTRIES_MAX];
    char room[96], what[96];
    size_t names_count = 0;
    for (size_t i = 0; i < count && names_count < COUNT_OF(names); i++) {
        if (!regions[i].shadow && strcmp(regions[i].region, region->region) != 0)
            names[names_count++] = regions[i].region;
    }
    (void)snprintf(what, sizeof what, "there is no region profile `%s`", region->extends);
    extends_complain(region, findings, "settings.no_such_region", what,
                     near_name(view_text(region->extends), names, names_count, room));
}

/* Is the chain from `region` upwards finite, complete and short? A circle is told by those that are
 * in it, not by those that lead into it. */
static bool chain_fine(const struct region_settings *region, const struct region_settings *regions,
                       size_t count, struct findings *findings)
{
    const struct region_settings *at = region;
    size_t steps = 0;
    for (; steps <= count && given(at->extends); steps++) {
        const struct region_settings *base = active_find(regions, count, at->extends);
        if (base == NULL) {
            if (at == region)
                base_missing(region, regions, count, findings);
            return false;
        }
        /* By name: a profile that is read on its own stands for the one that is in force. */
        if (!region->shadow && strcmp(base->region, region->region) == 0) {
            extends_complain(region, findings, "settings.circle",
                             "the profile extends itself, by way of others or directly; break the "
                             "circle",
                             "");
            return false;
        }
        at = base;
    }
    if (given(at->extends))
        return false;
    if (steps > EXTENDS_MAX)
        extends_complain(region, findings, "settings.too_deep",
                         "more than 4 profiles stand above this one; extend one that is nearer to "
                         "the top",
                         "");
    return steps <= EXTENDS_MAX;
}

enum status regions_extend(struct arena *arena, struct region_settings *regions, size_t count,
                           struct findings *findings)
{
    bool fine = true;
    for (size_t i = 0; i < count; i++)
        fine = chain_fine(&regions[i], regions, count, findings) && fine;
    if (!fine)
        return STATUS_OK;
    bool *done = arena_alloc(arena, (count + 1) * sizeof *done);
    if (done == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        done[i] = !given(regions[i].extends);
    /* The top first; each round completes one level. What is wrong there would be told again below.
     */
    size_t errors = findings->errors;
    for (int level = 0; level < EXTENDS_MAX && findings->errors == errors; level++) {
        for (size_t i = 0; i < count; i++) {
            if (done[i])
                continue;
            const struct region_settings *base = active_find(regions, count, regions[i].extends);
            ENSURE(base != NULL);
            if (!done[base - regions])
                continue;
            TRY(region_extend(arena, base, &regions[i], findings));
            done[i] = true;
        }
    }
    return STATUS_OK;
}

enum status settings_region_read(const struct settings *settings, struct view bytes,
                                 const char *file, struct arena *arena, struct findings *findings,
                                 struct region_settings *out)
{
    size_t errors = findings->errors;
    const char *kept = arena_text(arena, view_text(file));
    struct reader reader = {
        .arena = arena, .findings = findings, .file = kept, .folder = settings->folder
    };
    memset(out, 0, sizeof *out);
    if (kept == NULL)
        return STATUS_NO_MEMORY;
    TRY(region_read(&reader, bytes, out));
    if (findings->errors > errors)
        return STATUS_MALFORMED;
    if (given(out->extends) &&
        chain_fine(out, settings->regions, settings->regions_count, findings)) {
        const struct region_settings *base =
            active_find(settings->regions, settings->regions_count, out->extends);
        ENSURE(base != NULL);
        TRY(region_extend(arena, base, out, findings));
    }
    if (findings->errors == errors)
        region_cross_check(settings, out, findings);
    return findings->errors > errors ? STATUS_MALFORMED : STATUS_OK;
}
