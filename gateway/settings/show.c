/* show.c - rows for the manual, and the values that are in force. */
#include "settings/row_int.h"

#include "base/ensure.h"

static const struct setting_section *const sections[] = {
    &section_gateway,  &section_key,     &section_list,      &section_issuer,
    &section_merchant, &section_channel, &section_region,    &section_limit,
    &section_rule,     &section_tier,    &section_exemption, &section_corridor,
    &section_field,    &section_mask,    &section_tests,     &section_case,
};

static const char *type_word(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT: return "text";
    case SETTING_NAME: return "name";
    case SETTING_HEX: return "hexadecimal";
    case SETTING_PATH: return "path";
    case SETTING_ENDPOINT: return "address";
    case SETTING_WORD:
    case SETTING_CHOICE:
    case SETTING_TLS_VERSION: return "choice";
    case SETTING_NUMBER: return "number";
    case SETTING_BYTES: return "size";
    case SETTING_DURATION: return "time";
    case SETTING_OFFSET: return "UTC offset";
    case SETTING_TIME: return "date";
    case SETTING_FLAG: return "yes/no";
    case SETTING_TEXTS: return "list of names";
    case SETTING_ENDPOINTS: return "list of addresses";
    case SETTING_CURRENCIES: return "list of currencies";
    case SETTING_RAILS: return "list of rails";
    case SETTING_COUNTRIES: return "list of countries";
    case SETTING_CONDITIONS:
    case SETTING_CLAUSES: return "list of conditions";
    case SETTING_IDS: return "list of ids";
    case SETTING_MONEYS: return "list of amounts";
    case SETTING_COUNTRY: return "country";
    case SETTING_PERCENT: return "percentage";
    case SETTING_YEARS: return "years or days";
    case SETTING_HOURS: return "hours";
    case SETTING_WINDOW: return "window";
    }
    return "?";
}

/* "1KiB to 1MiB", "sandbox, live", "up to 16": what may be given. */
static void range_write(struct writer *w, const struct setting_row *row)
{
    struct setting_row plain = *row;
    plain.secret = false;
    if (row->choices != NULL) {
        for (const char *at = row->choices; *at != '\0'; at++)
            writer_text(w, *at == '|' ? ", " : (const char[2]){ *at, '\0' });
    } else if (row->type == SETTING_NUMBER || row->type == SETTING_BYTES ||
               row->type == SETTING_DURATION || row->type == SETTING_PERCENT) {
        value_show(w, &plain, &row->min);
        writer_text(w, " to ");
        value_show(w, &plain, &row->max);
        if (row->type == SETTING_NUMBER && row->unit != NULL) {
            writer_text(w, " ");
            writer_text(w, row->unit);
        }
    } else if (row->max > 0) {
        if (row->min > 0 && row->min < row->max) {
            writer_i64_text(w, row->min);
            writer_text(w, " to ");
        } else if (row->min < row->max) {
            writer_text(w, "up to ");
        }
        writer_i64_text(w, row->max);
        writer_text(w, " ");
        writer_text(w, row->unit != NULL ? row->unit : "");
    }
}

void settings_describe(struct writer *w)
{
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        writer_text(w, i > 0 ? "\n## " : "## ");
        writer_text(w, sections[i]->title);
        writer_text(w, "\n\n| name | type | default | range | meaning |\n|---|---|---|---|---|\n");
        for (size_t k = 0; k < sections[i]->count; k++) {
            const struct setting_row *row = &sections[i]->rows[k];
            writer_text(w, "| `");
            writer_text(w, row->path);
            writer_text(w, "` | ");
            writer_text(w, type_word(row->type));
            writer_text(w, row->secret ? ", secret | " : " | ");
            writer_text(w, row->fallback == NULL ? "(required)" : row->fallback);
            writer_text(w, " | ");
            range_write(w, row);
            writer_text(w, " | ");
            writer_text(w, row->sentence);
            writer_text(w, " |\n");
        }
    }
}

/* files: per row, the file that its line is in; NULL: all in `file`. */
static void section_show(struct writer *w, const struct setting_section *section, const void *base,
                         const uint32_t *from, const char *file, const char *const *files,
                         const char *prefix)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct setting_row *row = &section->rows[i];
        writer_text(w, prefix);
        writer_text(w, row->path);
        writer_text(w, " = ");
        value_show(w, row, (const char *)base + row->offset);
        writer_text(w, "    # ");
        if (from[i] == 0) {
            writer_text(w, "default\n");
            continue;
        }
        writer_text(w, files != NULL && files[i] != NULL ? files[i] : file);
        writer_text(w, ":");
        writer_u64_text(w, from[i]);
        writer_text(w, "\n");
    }
}

static void region_show(struct writer *w, const struct region_settings *region)
{
    section_show(w, &section_region, region, region->from, region->file, region->given_in, "");
    for (size_t i = 0; i < REGION_LISTS; i++) {
        const struct region_list *list = &region_lists[i];
        char prefix[64];
        struct writer p = writer_over(prefix, sizeof prefix);
        const char *entries;
        size_t count;
        writer_text(&p, list->path);
        writer_text(&p, ".");
        ENSURE(writer_terminate(&p) == STATUS_OK);
        memcpy(&entries, (const char *)region + list->items, sizeof entries);
        memcpy(&count, (const char *)region + list->count, sizeof count);
        for (size_t k = 0; k < count; k++) {
            const char *entry = entries + k * list->size, *file;
            const uint32_t *given;
            memcpy(&file, entry + list->file, sizeof file);
            memcpy(&given, entry + list->given, sizeof given);
            section_show(w, list->section, entry, given, file, NULL, prefix);
        }
    }
}

void settings_show(struct writer *w, const struct settings *settings)
{
    section_show(w, &section_gateway, settings, settings->from, "gateway.yaml", NULL, "");
    for (size_t i = 0; i < settings->keys_count; i++)
        section_show(w, &section_key, &settings->keys[i], settings->keys[i].from, "gateway.yaml",
                     NULL, "keys.");
    for (size_t i = 0; i < settings->lists_count; i++)
        section_show(w, &section_list, &settings->lists[i], settings->lists[i].from, "gateway.yaml",
                     NULL, "lists.");
    for (size_t i = 0; i < settings->issuers_count; i++)
        section_show(w, &section_issuer, &settings->issuers[i], settings->issuers[i].from,
                     "gateway.yaml", NULL, "issuers.");
    for (size_t i = 0; i < settings->merchants_count; i++)
        section_show(w, &section_merchant, &settings->merchants[i], settings->merchants[i].from,
                     "gateway.yaml", NULL, "merchants.");
    for (size_t i = 0; i < settings->channels_count; i++) {
        const struct channel_settings *c = &settings->channels[i];
        writer_text(w, "\n");
        section_show(w, &section_channel, c, c->from, c->file, NULL, "");
        /* Whether one of these is secret only the adapter knows: none is shown here. */
        for (size_t k = 0; k < c->settings_count; k++) {
            writer_text(w, "settings.");
            writer_text(w, c->settings[k].name);
            writer_text(w, "    # ");
            writer_text(w, c->settings[k].file);
            writer_text(w, ":");
            writer_u64_text(w, c->settings[k].line);
            writer_text(w, "\n");
        }
    }
    for (size_t i = 0; i < settings->regions_count; i++) {
        writer_text(w, "\n");
        region_show(w, &settings->regions[i]);
    }
}
