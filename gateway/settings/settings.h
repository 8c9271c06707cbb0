/* settings.h - the configuration as typed, immutable values; every setting is one row.
 *
 *     config/gateway.yaml        gateway.def, and a list `keys:` of key.def
 *     config/channels/x.yaml     channel.def, and the adapter's own values under `settings:`
 *     config/regions/x.yaml      region.def, and a list `payment_max:` of maximum.def
 *
 * The .def rows make the structs below, the parser, the checks, `settings_show` and the manual
 * (`settings_describe`). Read them for name, default, range and meaning.
 *
 * Rules for files: UTF-8, at most 256 KiB, depth 16; one document; no anchors, aliases, tags or
 * directives; no key twice; unknown keys are errors. A relative path in any of the files is
 * relative to the folder that holds gateway.yaml; in the structs every path is absolute, or "" when
 * not given.
 *
 * settings_load blocks (files); call it at start or on a worker. The result never changes and may
 * be read from every thread. It lives in vault memory, because test keys may be in it.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "domain/money.h"
#include "domain/words.h"
#include "settings/finding.h"

struct settings_list {
    const char *const *items;
    size_t count;
};

/* What a row of each type becomes in the struct. No text is ever NULL. */
#define SETTING_C_TEXT     const char * /* min..max bytes; "" when not given */
#define SETTING_C_NAME     const char * /* [a-z][a-z0-9_-]{0,31} */
#define SETTING_C_HEX      const char * /* min..max digits; "" when not given */
#define SETTING_C_PATH     const char * /* absolute; "" when not given */
#define SETTING_C_ENDPOINT const char * /* "host:port", "[::1]:0"; checked; "" when not given */
#define SETTING_C_WORD     const char * /* one of the choices, as text */
#define SETTING_C_NUMBER   int64_t
#define SETTING_C_BYTES    int64_t /* 4096, 64KiB, 2MiB, 1GiB */
#define SETTING_C_DURATION                                                                         \
    int64_t /* microseconds; 500us, 250ms, 10s, 5m, 1h, 7d; never a bare number */
#define SETTING_C_OFFSET int32_t /* minutes; Z, +02:00 */
#define SETTING_C_TIME                                                                             \
    int64_t /* microseconds since 1970; 2026-01-31 or 2026-01-31T12:00:00Z; 0: not given */
#define SETTING_C_FLAG        bool    /* yes | no */
#define SETTING_C_CHOICE      int     /* position in choices, from 1; never 0 */
#define SETTING_C_TLS_VERSION int64_t /* "1.2" is 12, "1.3" is 13 */
#define SETTING_C_TEXTS       struct settings_list
#define SETTING_C_ENDPOINTS   struct settings_list
#define SETTING_C_CURRENCIES  struct settings_list /* ISO 4217 codes */
#define SETTING_C_RAILS       struct settings_list /* words of enum rail */
#define SETTING_C_COUNTRIES   struct settings_list /* two upper-case letters */
#define SETTING_C_CONDITIONS  struct settings_list /* settings/condition.h */

#define SETTING(type, member, path, fallback, min, max, unit, choices, secret, sentence)           \
    SETTING_C_##type member;

/* The choices of CHOICE rows, as numbers; `rail` takes those of enum rail, `log_level` those of
 * enum log_level. */
enum settings_mode { SETTINGS_SANDBOX = 1, SETTINGS_LIVE };
enum settings_core_dumps { SETTINGS_CORE_OFF = 1, SETTINGS_CORE_ON };

/* A key for channels to MAC, unwrap or seal with. Exactly one of file, hex_file, test_value is
 * given; test_value (hexadecimal) only in mode sandbox. */
struct key_settings {
#include "settings/key.def"
    uint32_t line;        /* in gateway.yaml */
    const uint32_t *from; /* per row: its line; 0: default */
};

/* A value for the adapter, as written; the channel room checks it against the adapter's rows. */
struct raw_setting {
    const char *name;
    const char *text; /* the scalar; yes, 12, abc */
    const char *file;
    uint32_t line, column; /* of the name */
    uint32_t value_line, value_column;
};

struct channel_settings {
#include "settings/channel.def"
    const char *file; /* that it was read from */
    const uint32_t *from;
    const struct raw_setting *settings; /* in the order of the file; names are unique */
    size_t settings_count;
};

struct maximum_settings {
#include "settings/maximum.def"
    const uint32_t *from;
};

struct region_settings {
#include "settings/region.def"
    const char *file;
    const uint32_t *from;
    const struct maximum_settings *maximums; /* payment_max: at most one per currency */
    size_t maximums_count;
    /* 32 hexadecimal digits over the bytes of the file. It tells versions apart; it does not
     * withstand someone who looks for two files with the same hash (that needs secret/). */
    char content_hash[33];
};

struct settings {
#include "settings/gateway.def"
    const uint32_t *from;
    const char *file;   /* gateway.yaml, absolute */
    const char *folder; /* that holds it, absolute */
    const struct key_settings *keys;
    size_t keys_count;
    const struct channel_settings *channels; /* sorted by file name */
    size_t channels_count;
    const struct region_settings *regions; /* sorted by file name */
    size_t regions_count;
    struct arena arena; /* all of the above */
};
#undef SETTING

/* path: a folder that holds gateway.yaml, or the file itself. Everything wrong goes to `findings`
 * (initialised by the caller; sorted by place), also what is wrong in the other files. OK and *out
 * set when there was no error (warnings may be); else MALFORMED, or NO_MEMORY, with *out NULL. */
enum status settings_load(const char *path, struct settings **out, struct findings *findings);
/* Wipes and frees. NULL is allowed. */
void settings_free(struct settings *settings);

/* NULL when there is none of that name. */
const struct channel_settings *settings_channel(const struct settings *settings, struct view name);
/* An empty name: the default region (row `region`). */
const struct region_settings *settings_region(const struct settings *settings, struct view name);

/* The table of all rows for the manual, Markdown: name, type, default, range, sentence. */
void settings_describe(struct writer *w);
/* What is in force: "api.listen = 127.0.0.1:8080    # default" or "# gateway.yaml:4" a line, file
 * by file. Secret values are shown as "(secret)". */
void settings_show(struct writer *w, const struct settings *settings);

#endif
