/* settings.h - the configuration as typed, immutable values; every setting is one row.
 *
 *     config/gateway.yaml        gateway.def, and lists `keys:`, `lists:`, `issuers:`, `merchants:`
 *     config/channels/x.yaml     channel.def, and the adapter's own values under `settings:`
 *     config/regions/x.yaml      region.def, and lists of limit.def, tier.def, ...
 *                                (struct region_settings)
 *     config/regions/x.tests.yaml  its test cases (struct region_tests)
 *
 * The .def rows make the structs below, the parser, the checks, `settings_show` and the manual
 * (`settings_describe`). Read them for name, default, range and meaning.
 *
 * Rules for files: UTF-8, at most 256 KiB (*.tests.yaml: 1 MiB), depth 16; one document; no
 * anchors, aliases, tags or directives; no key twice; unknown keys are errors. A relative path in
 * any of the files is relative to the folder that holds gateway.yaml; in the structs every path is
 * absolute, or "" when not given.
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

/* Conditions over facts, as written; compliance/ compiles them and complains at their place. */
struct settings_clause {
    const char *text;
    uint32_t line, column;
};
struct settings_clauses {
    const struct settings_clause *items;
    size_t count;
};
struct settings_moneys {
    const struct money *items;
    size_t count;
};
/* Seconds since local midnight: from included, until not. from > until goes over midnight; given
 * false: always. */
struct settings_hours {
    int32_t from_s, until_s;
    bool given;
};
enum settings_window_kind {
    SETTINGS_WINDOW_NONE = 0, /* not given */
    SETTINGS_WINDOW_SLIDING,  /* the last `us` microseconds */
    SETTINGS_WINDOW_DAY,      /* of the calendar, in the profile's time zone */
    SETTINGS_WINDOW_WEEK,     /* from Monday */
    SETTINGS_WINDOW_MONTH,
    SETTINGS_WINDOW_YEAR,
};
struct settings_window {
    enum settings_window_kind kind;
    int64_t us; /* SLIDING: one minute to 366 days */
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
#define SETTING_C_COUNTRY     const char *         /* two upper-case letters; "" when not given */
#define SETTING_C_CLAUSES     struct settings_clauses
#define SETTING_C_MONEYS                                                                           \
    struct settings_moneys        /* "30.00 EUR" or a list; at most one per currency */
#define SETTING_C_PERCENT int64_t /* "0.13%" is 1300: parts per million, exact */
#define SETTING_C_YEARS   int64_t /* days; "5y" is 1826, "400d"; 0: not given */
#define SETTING_C_HOURS   struct settings_hours  /* "20:00-06:00" */
#define SETTING_C_WINDOW  struct settings_window /* "24h", "30d", "day", "week", "month", "year" */

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

/* --- a region profile ---------------------------------------------------------------------- */

/* The choices, as numbers. Rows have them in one of two orders; see the .def files. */
enum settings_verdict { SETTINGS_ALLOW = 1, SETTINGS_CHALLENGE, SETTINGS_REVIEW, SETTINGS_DENY };
enum settings_then {
    SETTINGS_THEN_DENY = 1,
    SETTINGS_THEN_REVIEW,
    SETTINGS_THEN_CHALLENGE,
    SETTINGS_THEN_LAST,        /* limit.def: report; rule.def: allow */
    SETTINGS_THEN_RULE_REPORT, /* rule.def only */
};
enum settings_per {
    SETTINGS_PER_PAYMENT = 1,
    SETTINGS_PER_PAYER,
    SETTINGS_PER_PAYEE,
    SETTINGS_PER_ACCOUNT,
    SETTINGS_PER_DEVICE,
    SETTINGS_PER_MERCHANT,
};
enum settings_exemption_per { SETTINGS_EXEMPTION_PER_PAYER = 1, SETTINGS_EXEMPTION_PER_ACCOUNT };
enum settings_scope { SETTINGS_CROSS_BORDER = 1, SETTINGS_DOMESTIC, SETTINGS_ANY_SCOPE };

/* Where an entry of a list was written; the profile that extends another has entries of both files.
 */
#define SETTINGS_PLACE                                                                             \
    const char *file;                                                                              \
    uint32_t line, column;                                                                         \
    const uint32_t *given /* per row: its line; 0: default */

struct limit_settings {
#include "settings/limit.def"
    SETTINGS_PLACE;
};
struct tier_settings {
#include "settings/tier.def"
    SETTINGS_PLACE;
};
struct exemption_settings {
#include "settings/exemption.def"
    SETTINGS_PLACE;
};
struct corridor_settings {
#include "settings/corridor.def"
    SETTINGS_PLACE;
};
struct field_settings {
#include "settings/field.def"
    SETTINGS_PLACE;
};
struct mask_settings {
#include "settings/mask.def"
    SETTINGS_PLACE;
};
struct rule_settings {
#include "settings/rule.def"
    SETTINGS_PLACE;
};

/* A profile as it holds: what it says itself, and where it says nothing, what the profile that it
 * extends says. Of lists, all entries of the extended one come first, each replaced by an own entry
 * with the same id; own `kyc.tiers` replace the extended ones as a whole. effective_*, version,
 * owner, region, abstract and shadow are never taken over. Extending goes at most 4 deep and not in
 * a circle. */
struct region_settings {
#include "settings/region.def"
    const char *file;
    const uint32_t *from;        /* per row: its line in given_in[row] */
    const char *const *given_in; /* per row: the file, this one or an extended one; NULL: default */
    const struct limit_settings *limits;
    size_t limits_count;
    const struct tier_settings *tiers; /* kyc.tiers */
    size_t tiers_count;
    const struct exemption_settings *exemptions; /* authentication.exemptions */
    size_t exemptions_count;
    const struct corridor_settings *corridors; /* cross_border.corridors */
    size_t corridors_count;
    const struct field_settings *fields; /* cross_border.fields */
    size_t fields_count;
    const struct mask_settings *masks; /* data.mask */
    size_t masks_count;
    const struct rule_settings *rules;
    size_t rules_count;
    struct view text; /* the file's bytes, for the history of versions */
    /* 32 hexadecimal digits over the bytes of the file and of those it extends. It tells versions
     * apart; it does not withstand someone who looks for two files with the same hash (that needs
     * secret/). */
    char content_hash[33];
};

/* --- x.tests.yaml: cases that `railgate check` runs -------------------------------------------
 *     region: eu
 *     cases:
 *       - name: low value, exactly at 30 EUR
 *         at: 2026-03-01T12:00:00Z                # default: the profile's effective_from
 *         facts: { rail: card, amount: 30.00 EUR, entry: manual, payer.id: p1 }
 *         spent: { low_value: { amount: 70.00 EUR, count: 4 } }   # by id of limit, tier, exemption
 *         expect: allow                           # the decision, counters included
 *         because: [low_value]                    # ids that must be among the reasons, exemptions
 *                                                 # and reports
 *         not: [pix_night]                        # ids that must not
 */
struct test_fact {
    const char *name, *value; /* "payer.country", "DE" */
    uint32_t line, column;
};
struct test_spent {
    const char *id;
    int64_t minor; /* in the currency of the case's amount */
    int64_t count;
    uint32_t line, column;
};
struct test_case {
    const char *name;
    int64_t at_us; /* 0: the profile's effective_from */
    const struct test_fact *facts;
    size_t facts_count;
    const struct test_spent *spent;
    size_t spent_count;
    enum verdict expect;
    struct settings_list because, unless;
    uint32_t line, column;
};
struct region_tests {
    const char *file;
    const char *region;
    uint32_t line; /* of `region` */
    const struct test_case *cases;
    size_t count;
};

struct list_settings {
#include "settings/list.def"
    uint32_t line; /* in gateway.yaml */
    const uint32_t *from;
};
struct issuer_settings {
#include "settings/issuer.def"
    uint32_t line;
    const uint32_t *from;
};

struct merchant_settings {
#include "settings/merchant.def"
    uint32_t line;
    const uint32_t *from;
};

struct settings {
#include "settings/gateway.def"
    const uint32_t *from;
    const char *file;   /* gateway.yaml, absolute */
    const char *folder; /* that holds it, absolute */
    const struct key_settings *keys;
    size_t keys_count;
    const struct list_settings *lists;
    size_t lists_count;
    const struct issuer_settings *issuers;
    size_t issuers_count;
    const struct merchant_settings *merchants;
    size_t merchants_count;
    const struct channel_settings *channels; /* sorted by file name */
    size_t channels_count;
    const struct region_settings *regions; /* sorted by file name */
    size_t regions_count;
    const struct region_tests *tests; /* sorted by file name */
    size_t tests_count;
    struct arena arena; /* all of the above */
};
#undef SETTING

/* path: a folder that holds gateway.yaml, or the file itself. Everything wrong goes to `findings`
 * (initialised by the caller; sorted by place), also what is wrong in the other files. OK and *out
 * set when there was no error (warnings may be); else MALFORMED, or NO_MEMORY, which is a finding
 * too, with *out NULL. */
enum status settings_load(const char *path, struct settings **out, struct findings *findings);
/* Only gateway.yaml; there are no channels, regions and tests. For commands that only want to know
 * where a gateway listens or keeps its records, also while a profile on disk is broken. */
enum status settings_load_gateway(const char *path, struct settings **out,
                                  struct findings *findings);
/* Wipes and frees. NULL is allowed. */
void settings_free(struct settings *settings);

/* NULL when there is none of that name. */
const struct channel_settings *settings_channel(const struct settings *settings, struct view name);
/* An empty name: the default region (row `region`). Letters are compared without regard to case.
 * Never one with `shadow`. */
const struct region_settings *settings_region(const struct settings *settings, struct view name);

/* One profile from bytes that are in no folder (rollback, diff, backtest); `settings` gives what it
 * may extend. file: for findings. The result lives in `arena`. MALFORMED, NO_MEMORY. */
enum status settings_region_read(const struct settings *settings, struct view bytes,
                                 const char *file, struct arena *arena, struct findings *findings,
                                 struct region_settings *out);

/* JSON Schema (draft 2020-12) of a region profile, from the rows: every key with type, range,
 * choices and its sentence; unknown keys refused. */
void settings_region_schema(struct writer *w);

/* What changes from one version of a profile to another, a line each, in the order of the rows:
 *     version: 1 -> 2
 *     limit pix_night: max 1000.00 BRL -> 1500.00 BRL
 *     rule gambling: added (when payee.mcc=7995, then deny)
 * Entries are matched by their id; tiers and masks, which have none, by what they are about.
 * Nothing is written when all values are the same. */
void settings_region_diff(struct writer *w, const struct region_settings *old,
                          const struct region_settings *new);

/* The table of all rows for the manual, Markdown: name, type, default, range, sentence. */
void settings_describe(struct writer *w);
/* What is in force: "api.listen = 127.0.0.1:8080    # default" or "# gateway.yaml:4" a line, file
 * by file. Secret values are shown as "(secret)". */
void settings_show(struct writer *w, const struct settings *settings);

#endif
