/* schema.c - JSON Schema of a region profile, from the rows: what editors complete and check with.
 *
 * It describes a profile as YAML 1.2 reads it (`yes` is a text, 5 a number). It is as strict as
 * rows can say: currencies and conditions are known to `railgate check` only.
 */
#include "settings/row_int.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <stdio.h>

#define PATTERN_NAME     "^[a-z][a-z0-9_-]{0,31}$"
#define PATTERN_MONEY    "^(0|[1-9][0-9]*)([.][0-9]+)? [A-Z]{3}$"
#define PATTERN_TIME     "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"
#define PATTERN_DURATION "^(0|[1-9][0-9]*)(us|ms|s|m|h|d)$"
#define PATTERN_PERCENT  "^((0|[1-9][0-9]?)([.][0-9]{1,4})?|100([.]0{1,4})?)%$"
#define PATTERN_YEARS    "^[1-9][0-9]*[yd]$"
#define PATTERN_HOURS    "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
#define PATTERN_WINDOW   "^([1-9][0-9]*[mhd]|day|week|month|year)$"
#define PATTERN_COUNTRY  "^[A-Z]{2}$"
#define PATTERN_CURRENCY "^[A-Z]{3}$"
#define PATTERN_SIZE     "^(0|[1-9][0-9]*)(KiB|MiB|GiB)?$"
#define PATTERN_ID       "^[a-z0-9_-]+([.][a-z0-9_-]+)*$"

static void put(struct json_out *j, const char *key, const char *text)
{
    json_put_text(j, key, view_text(text));
}

static void choices_put(struct json_out *j, const char *choices)
{
    json_open_array(j, "enum");
    while (*choices != '\0') {
        size_t len = strcspn(choices, "|");
        json_put_text(j, NULL, view_of(choices, len));
        choices += len + (choices[len] == '|' ? 1 : 0);
    }
    json_close_array(j);
}

static void rails_put(struct json_out *j)
{
    json_open_array(j, "enum");
    for (int rail = 1; rail_valid(rail); rail++)
        put(j, NULL, rail_word((enum rail)rail));
    json_close_array(j);
}

static const char *pattern_of(enum setting_type type)
{
    switch (type) {
    case SETTING_NAME:
    case SETTING_TEXTS: return PATTERN_NAME;
    case SETTING_IDS: return PATTERN_ID;
    case SETTING_BYTES: return PATTERN_SIZE;
    case SETTING_DURATION: return PATTERN_DURATION;
    case SETTING_TIME: return PATTERN_TIME;
    case SETTING_COUNTRY:
    case SETTING_COUNTRIES: return PATTERN_COUNTRY;
    case SETTING_CURRENCIES: return PATTERN_CURRENCY;
    case SETTING_PERCENT: return PATTERN_PERCENT;
    case SETTING_YEARS: return PATTERN_YEARS;
    case SETTING_HOURS: return PATTERN_HOURS;
    case SETTING_WINDOW: return PATTERN_WINDOW;
    case SETTING_MONEYS: return PATTERN_MONEY;
    default: return NULL;
    }
}

/* What one value of the row is like, inside an open object. */
static void single_put(struct json_out *j, const struct setting_row *row)
{
    const char *pattern = pattern_of(row->type);
    if (row->choices != NULL) {
        choices_put(j, row->choices);
    } else if (row->type == SETTING_RAILS) {
        rails_put(j);
    } else if (row->type == SETTING_FLAG) {
        choices_put(j, "yes|no");
    } else if (row->type == SETTING_NUMBER) {
        put(j, "type", "integer");
        json_put_i64(j, "minimum", row->min);
        json_put_i64(j, "maximum", row->max);
    } else if (pattern != NULL) {
        put(j, "type", "string");
        put(j, "pattern", pattern);
    } else if (row->type == SETTING_TEXT) {
        /* An unquoted 1 is a number to YAML and a text to railgate. */
        json_open_array(j, "type");
        put(j, NULL, "string");
        put(j, NULL, "number");
        json_close_array(j);
        json_put_i64(j, "minLength", row->min);
        json_put_i64(j, "maxLength", row->max); /* in letters, where railgate counts bytes */
    } else {
        put(j, "type", "string");
        json_put_i64(j, "minLength", 1);
    }
}

static void array_put(struct json_out *j, const struct setting_row *row)
{
    put(j, "type", "array");
    json_put_i64(j, "maxItems", row->max);
    json_put_bool(j, "uniqueItems", true);
    json_open_object(j, "items");
    single_put(j, row);
    json_close_object(j);
}

static void row_put(struct json_out *j, const struct setting_row *row, const char *name)
{
    json_open_object(j, name);
    put(j, "description", row->sentence);
    if (row->type == SETTING_CLAUSES || row->type == SETTING_MONEYS) {
        json_open_array(j, "anyOf");
        json_open_object(j, NULL);
        single_put(j, row);
        json_close_object(j);
        json_open_object(j, NULL);
        array_put(j, row);
        json_close_object(j);
        json_close_array(j);
    } else if (row->type >= SETTING_TEXTS) {
        array_put(j, row);
    } else {
        single_put(j, row);
        if (row->type == SETTING_NUMBER && row->fallback != NULL)
            json_put_raw(j, "default", view_text(row->fallback));
        else
            json_put_text_if(j, "default", view_text(row->fallback));
    }
    json_close_object(j);
}

/* --- objects -------------------------------------------------------------------------------- */

/* The part of `path` behind `prefix` when it goes no deeper; its length in *len. */
static bool stands_in(const char *path, const char *prefix, size_t *len, bool *deeper)
{
    size_t prefix_len = strlen(prefix);
    if (strncmp(path, prefix, prefix_len) != 0)
        return false;
    *len = strcspn(path + prefix_len, ".");
    *deeper = path[prefix_len + *len] == '.';
    return true;
}

static void object_put(struct json_out *j, const struct setting_section *section,
                       const char *prefix);

static void list_put(struct json_out *j, const struct region_list *list, const char *name)
{
    json_open_object(j, name);
    put(j, "type", "array");
    json_put_i64(j, "maxItems", REGION_LIST_ENTRIES_MAX);
    json_open_object(j, "items");
    object_put(j, list->section, "");
    json_close_object(j);
    json_close_object(j);
}

/* A group is written when its first row comes up. */
static bool is_first_of_group(const struct setting_section *section, size_t index, size_t len)
{
    for (size_t i = 0; i < index; i++) {
        if (strncmp(section->rows[i].path, section->rows[index].path, len) == 0)
            return false;
    }
    return true;
}

static void properties_put(struct json_out *j, const struct setting_section *section,
                           const char *prefix)
{
    size_t prefix_len = strlen(prefix), len = 0;
    bool deeper = false;
    for (size_t i = 0; i < section->count; i++) {
        const char *path = section->rows[i].path;
        if (!stands_in(path, prefix, &len, &deeper))
            continue;
        if (!deeper) {
            row_put(j, &section->rows[i], path + prefix_len);
        } else if (is_first_of_group(section, i, prefix_len + len + 1)) {
            char inner[64], name[64];
            (void)snprintf(inner, sizeof inner, "%.*s", (int)(prefix_len + len + 1), path);
            (void)snprintf(name, sizeof name, "%.*s", (int)len, path + prefix_len);
            json_open_object(j, name);
            object_put(j, section, inner);
            json_close_object(j);
        }
    }
    for (size_t i = 0; section == &section_region && i < REGION_LISTS; i++) {
        if (stands_in(region_lists[i].path, prefix, &len, &deeper) && !deeper)
            list_put(j, &region_lists[i], region_lists[i].path + prefix_len);
    }
}

/* The members of an object schema, inside an open object. Nothing recurses deeper than paths have
 * dots. */
static void object_put(struct json_out *j, const struct setting_section *section,
                       const char *prefix)
{
    size_t len = 0;
    bool deeper = false;
    put(j, "type", "object");
    json_put_bool(j, "additionalProperties", false);
    json_open_array(j, "required");
    for (size_t i = 0; i < section->count; i++) {
        const struct setting_row *row = &section->rows[i];
        if (row->fallback == NULL && stands_in(row->path, prefix, &len, &deeper) && !deeper)
            put(j, NULL, row->path + strlen(prefix));
    }
    json_close_array(j);
    json_open_object(j, "properties");
    properties_put(j, section, prefix);
    json_close_object(j);
}

void settings_region_schema(struct writer *w)
{
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    put(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    put(&j, "title", "railgate region profile");
    object_put(&j, &section_region, "");
    json_close_object(&j);
    writer_text(w, "\n");
}
