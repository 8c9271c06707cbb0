/* row_int.h - the rows of the .def files as data, and what is done by row: reading, defaults,
 * showing.
 */
#ifndef SETTINGS_ROW_INT_H
#define SETTINGS_ROW_INT_H

#include "settings/settings.h"
#include "settings/yaml_int.h"

enum setting_type {
    SETTING_TEXT = 1,
    SETTING_NAME,
    SETTING_HEX,
    SETTING_PATH,
    SETTING_ENDPOINT,
    SETTING_WORD,
    SETTING_NUMBER,
    SETTING_BYTES,
    SETTING_DURATION,
    SETTING_OFFSET,
    SETTING_TIME,
    SETTING_FLAG,
    SETTING_CHOICE,
    SETTING_TLS_VERSION,
    SETTING_COUNTRY,
    SETTING_PERCENT,
    SETTING_YEARS,
    SETTING_HOURS,
    SETTING_WINDOW,
    SETTING_TEXTS, /* from here on: lists */
    SETTING_ENDPOINTS,
    SETTING_CURRENCIES,
    SETTING_RAILS,
    SETTING_COUNTRIES,
    SETTING_CONDITIONS,
    SETTING_IDS, /* names of rules in test cases: as TEXTS, with dots allowed */
    SETTING_CLAUSES,
    SETTING_MONEYS,
};

struct setting_row {
    enum setting_type type;
    size_t offset; /* of the member in the section's struct */
    const char *path;
    const char *fallback; /* NULL: must be given; "": may be left out */
    int64_t min, max;
    const char *unit, *choices;
    bool secret;
    const char *sentence;
};

/* One .def file. */
struct setting_section {
    const char *title; /* "gateway.yaml" */
    const struct setting_row *rows;
    size_t count;
    const char *const *extras; /* paths beside the rows that the loader reads itself; NULL-ended */
};

extern const struct setting_section section_gateway, section_key, section_list, section_issuer,
    section_merchant, section_channel, section_region, section_limit, section_tier,
    section_exemption, section_corridor, section_field, section_mask, section_rule, section_tests,
    section_case;

/* One of the lists of a region profile: where it stands in the file, and where its entries are
 * kept. */
struct region_list {
    const char *path; /* "kyc.tiers" */
    const struct setting_section *section;
    size_t size;                      /* of an entry */
    size_t items, count;              /* offsets in struct region_settings */
    size_t file, line, column, given; /* offsets in an entry */
    enum { REGION_LIST_BY_ID = 1, REGION_LIST_AS_A_WHOLE, REGION_LIST_APPENDED } extended;
};
#define REGION_LISTS 7
extern const struct region_list region_lists[REGION_LISTS];
#define REGION_LIST_ENTRIES_MAX 512

/* What reading a file needs to know. */
struct reader {
    struct arena *arena;
    struct findings *findings;
    const char *file;      /* for findings */
    const char *folder;    /* absolute; relative paths begin here */
    struct arena *scratch; /* for what only reading needs; NULL: it goes into `arena` too */
};

void reader_complain(const struct reader *reader, uint32_t line, uint32_t column, const char *id,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Fills `base` (the section's struct, zeroed) from a map; defaults where nothing is given. *from
 * gets one line per row. Everything wrong goes to findings; the member then keeps its default or
 * zero. NO_MEMORY only. */
enum status section_read(const struct reader *reader, const struct setting_section *section,
                         const struct yaml_node *map, void *base, const uint32_t **from);
/* Entry of a map by its path ("kyc.tiers"); NULL when there is none. */
const struct yaml_node *node_find(const struct yaml_node *map, const char *path);
/* The same if it is a list; NULL when absent or not one (a finding says so). */
const struct yaml_node *list_find(const struct reader *reader, const struct yaml_node *map,
                                  const char *path, size_t entries_max);
/* The row of a section by its member's offset. */
const struct setting_row *section_row(const struct setting_section *section, size_t offset,
                                      size_t *index);

/* Reads one value into the member. False when it is not what the row wants (a finding says why) or
 * memory is out (the arena has latched it). */
bool value_read(const struct reader *reader, const struct setting_row *row,
                const struct yaml_node *node, void *member);
/* The default into the member; "" and lists give an empty one. */
bool value_default(const struct reader *reader, const struct setting_row *row, void *member);
/* As it could stand in the file; secret values as "(secret)". */
void value_show(struct writer *w, const struct setting_row *row, const void *member);
/* Bytes of a row's member. */
size_t value_size(enum setting_type type);
/* `~`, `null` or nothing behind the colon. */
bool value_absent(const struct yaml_node *node);
/* A name as rows of type NAME want it. */
bool name_fine(struct view text);
/* Such names with dots between them: "limit.night", at most 64 bytes. */
bool id_fine(struct view text);

#endif
