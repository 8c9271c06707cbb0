/* diff.c - what changes between two versions of a region profile, from the rows: see settings.h.
 *
 * Values are compared as they are shown, so that a row of any type needs nothing here. An entry of
 * a list is found again by its key: its `id`, or, where there is none, what it is about (tier,
 * fact, rails, when). Should two entries have the same key, the first is compared with the first,
 * the second with the second.
 */
#include "settings/row_int.h"

#include "base/ensure.h"

#define SHOWN_MAX                                                                                  \
    4096 /* bytes of one value; a longer one is cut and then compared as far as that */
#define KEY_MAX 512

struct shown {
    char text[SHOWN_MAX];
    size_t len;
};

static void show(struct shown *out, const struct setting_row *row, const void *base)
{
    struct writer w = writer_over(out->text, sizeof out->text);
    value_show(&w, row, (const char *)base + row->offset);
    out->len = w.len;
    /* In a sentence a list of one is that one, and an empty list is nothing. */
    bool list = w.len >= 2 && out->text[0] == '[' && out->text[w.len - 1] == ']';
    if (list && view_find(writer_done(&w), ',') == w.len) {
        memmove(out->text, out->text + 1, w.len - 2);
        out->len = w.len - 2;
    }
}

static struct view shown_view(const struct shown *shown)
{
    return shown->len > 0 ? view_of(shown->text, shown->len) : VIEW("(none)");
}

/* --- entries --------------------------------------------------------------------------------- */

static const char *const key_paths[] = { "tier", "fact", "rails", "when" };

static bool in_key(const struct setting_section *section, const struct setting_row *row)
{
    bool has_id = strcmp(section->rows[0].path, "id") == 0;
    if (has_id)
        return row == &section->rows[0];
    for (size_t i = 0; i < COUNT_OF(key_paths); i++)
        if (strcmp(row->path, key_paths[i]) == 0)
            return true;
    return false;
}

static void key_write(struct writer *w, const struct setting_section *section, const void *entry)
{
    for (size_t i = 0; i < section->count; i++) {
        struct shown value;
        if (!in_key(section, &section->rows[i]))
            continue;
        show(&value, &section->rows[i], entry);
        if (value.len == 0)
            continue;
        if (w->len > 0)
            writer_u8(w, ' ');
        writer_bytes(w, value.text, value.len);
    }
}

static const char *entries_of(const struct region_settings *region, const struct region_list *list,
                              size_t *count)
{
    const char *base = (const char *)region;
    memcpy(count, base + list->count, sizeof *count);
    const char *items = NULL;
    memcpy(&items, base + list->items, sizeof items);
    return items;
}

/* The nth entry with this key; NULL when there are fewer. */
static const char *entry_with(const struct region_settings *region, const struct region_list *list,
                              struct view key, size_t nth)
{
    size_t count = 0;
    const char *items = entries_of(region, list, &count);
    for (size_t i = 0; i < count; i++) {
        char room[KEY_MAX];
        struct writer w = writer_over(room, sizeof room);
        key_write(&w, list->section, items + i * list->size);
        if (view_equal(writer_done(&w), key) && nth-- == 0)
            return items + i * list->size;
    }
    return NULL;
}

/* How many entries before this one have the same key. */
static size_t nth_of(const char *items, size_t index, const struct region_list *list,
                     struct view key)
{
    size_t nth = 0;
    for (size_t i = 0; i < index; i++) {
        char room[KEY_MAX];
        struct writer w = writer_over(room, sizeof room);
        key_write(&w, list->section, items + i * list->size);
        nth += view_equal(writer_done(&w), key);
    }
    return nth;
}

/* "kyc.tiers" -> "tier" */
static void word_write(struct writer *w, const struct region_list *list)
{
    struct view word = view_text(list->path);
    size_t dot = view_find(word, '.');
    if (dot < word.len)
        word = view_slice(word, dot + 1, word.len);
    if (word.len > 0 && word.ptr[word.len - 1] == 's')
        word.len--;
    writer_view(w, word);
}

static void name_write(struct writer *w, const struct region_list *list, struct view key)
{
    word_write(w, list);
    writer_text(w, " ");
    writer_view(w, key);
    writer_text(w, ": ");
}

static void entry_diff(struct writer *w, const struct region_list *list, struct view key,
                       const char *old, const char *new)
{
    for (size_t i = 0; i < list->section->count; i++) {
        const struct setting_row *row = &list->section->rows[i];
        struct shown before, after;
        show(&before, row, old);
        show(&after, row, new);
        if (view_equal(shown_view(&before), shown_view(&after)))
            continue;
        name_write(w, list, key);
        writer_text(w, row->path);
        writer_text(w, " ");
        writer_view(w, shown_view(&before));
        writer_text(w, " -> ");
        writer_view(w, shown_view(&after));
        writer_text(w, "\n");
    }
}

/* What was given of it: "(max 100.00 EUR, then deny)". */
static void entry_summary(struct writer *w, const struct region_list *list, const char *entry)
{
    bool any = false;
    for (size_t i = 0; i < list->section->count; i++) {
        const struct setting_row *row = &list->section->rows[i];
        struct shown value;
        show(&value, row, entry);
        if (in_key(list->section, row) || value.len == 0 ||
            (row->fallback != NULL && view_is(shown_view(&value), row->fallback)))
            continue;
        writer_text(w, any ? ", " : " (");
        writer_text(w, row->path);
        writer_text(w, " ");
        writer_view(w, shown_view(&value));
        any = true;
    }
    writer_text(w, any ? ")\n" : "\n");
}

static void list_diff(struct writer *w, const struct region_list *list,
                      const struct region_settings *old, const struct region_settings *new)
{
    size_t old_count = 0, new_count = 0;
    const char *before = entries_of(old, list, &old_count);
    const char *after = entries_of(new, list, &new_count);
    for (size_t i = 0; i < new_count; i++) {
        const char *entry = after + i * list->size;
        char room[KEY_MAX];
        struct writer key = writer_over(room, sizeof room);
        key_write(&key, list->section, entry);
        const char *was =
            entry_with(old, list, writer_done(&key), nth_of(after, i, list, writer_done(&key)));
        if (was != NULL) {
            entry_diff(w, list, writer_done(&key), was, entry);
        } else {
            name_write(w, list, writer_done(&key));
            writer_text(w, "added");
            entry_summary(w, list, entry);
        }
    }
    for (size_t i = 0; i < old_count; i++) {
        const char *entry = before + i * list->size;
        char room[KEY_MAX];
        struct writer key = writer_over(room, sizeof room);
        key_write(&key, list->section, entry);
        if (entry_with(new, list, writer_done(&key), nth_of(before, i, list, writer_done(&key))) !=
            NULL)
            continue;
        name_write(w, list, writer_done(&key));
        writer_text(w, "removed");
        entry_summary(w, list, entry);
    }
}

void settings_region_diff(struct writer *w, const struct region_settings *old,
                          const struct region_settings *new)
{
    for (size_t i = 0; i < section_region.count; i++) {
        const struct setting_row *row = &section_region.rows[i];
        struct shown before, after;
        show(&before, row, old);
        show(&after, row, new);
        if (view_equal(shown_view(&before), shown_view(&after)))
            continue;
        writer_text(w, row->path);
        writer_text(w, ": ");
        writer_view(w, shown_view(&before));
        writer_text(w, " -> ");
        writer_view(w, shown_view(&after));
        writer_text(w, "\n");
    }
    for (size_t i = 0; i < REGION_LISTS; i++)
        list_diff(w, &region_lists[i], old, new);
}
