/* compliance_int.h - the room's own: a profile as it is compiled, and one evaluation of it.
 *
 * fact.c: names, values. clause.c: conditions, read. holds.c: conditions, answered. compile*.c:
 * settings -> struct profile. never.c: what can never fire. decide*.c: struct evaluation ->
 * decision. text.c: sentences. zone*.c: local time. test_cases.c: x.tests.yaml.
 */
#ifndef COMPLIANCE_COMPLIANCE_INT_H
#define COMPLIANCE_COMPLIANCE_INT_H

#include "compliance/compliance.h"
#include "compliance/zone.h"

#define CLAUSES_MAX       16 /* per rule */
#define CLAUSE_VALUES_MAX 256
#define RAIL_BIT(rail)    (UINT32_C(1) << (rail))

/* --- conditions ---------------------------------------------------------------------------- */

enum clause_operator {
    CLAUSE_EQUAL = 1,
    CLAUSE_NOT_EQUAL,
    CLAUSE_GREATER,
    CLAUSE_GREATER_EQUAL,
    CLAUSE_LESS,
    CLAUSE_LESS_EQUAL,
    CLAUSE_MISSING,
    CLAUSE_GIVEN,
};
struct clause_value {
    struct view text;                /* TEXT, COUNTRY, WORD, DATE */
    bool prefix;                     /* TEXT: begins with */
    int64_t number;                  /* NUMBER; FLAG: 1 or 0; MONEY: minor units */
    const struct currency *currency; /* MONEY */
};
struct clause {
    enum fact fact;
    enum clause_operator op;
    const struct clause_value *values;
    uint32_t count; /* one when the operator compares sizes; 0: MISSING, GIVEN */
    const struct settings_clause *written;
};
struct clauses {
    const struct clause *items;
    size_t count;
};
/* What a payment needs at least one of. */
struct need {
    const enum fact *facts;
    size_t count;
};

/* Reads what must hold. Complaints go to `findings` at their place; NO_MEMORY only. */
enum status clauses_read(const struct settings_clauses *written, const char *file,
                         struct arena *arena, struct findings *findings, struct clauses *out);
enum status needs_read(const struct settings_clauses *written, const char *file,
                       struct arena *arena, struct findings *findings, const struct need **out,
                       size_t *count);
/* The nearest name of a fact, or NULL. */
const char *fact_near(struct view written);
/* The choice of `choices` ("a|b|c") that this is, as a view into them; empty: none. */
struct view choice_find(const char *choices, struct view word);
/* "12.50 EUR": at most as many decimals as the currency has. MALFORMED, NOT_FOUND (no such
 * currency), RANGE. */
enum status fact_money_read(struct view text, struct money *out);
bool date_valid(struct view text);
bool country_valid(struct view text);

/* --- a compiled profile -------------------------------------------------------------------- */

struct country_set {
    uint64_t bits[11]; /* 26 * 26 pairs of letters */
    bool any;          /* the setting was left out */
};
bool country_set_has(const struct country_set *set, struct view code);
void country_set_fill(struct country_set *set, const struct settings_list *codes);

/* What all rules have. */
struct rule_head {
    const char *id; /* "limit.pix_night" */
    const char *source;
    enum verdict verdict;
    uint32_t rails; /* RAIL_BIT of each */
    bool report;    /* when it fires: only a report */
    bool verify;
    struct clauses when;
};
struct limit_rule {
    struct rule_head head;
    const struct limit_settings *s;
    bool any_currency; /* only counts */
    enum fact subject; /* FACT_NONE: per payment */
};
struct tier_rule {
    struct rule_head head;
    const struct tier_settings *s;
    const char *counter_day, *counter_month, *counter_year;
};
struct exemption_rule {
    struct rule_head head;
    const struct exemption_settings *s;
    bool counts;
    enum fact subject;
};
struct corridor_rule {
    struct rule_head head;
    const struct corridor_settings *s;
    struct country_set from, to;
};
struct field_rule {
    struct rule_head head;
    const struct field_settings *s;
    const struct need *needs;
    size_t needs_count;
};
struct extra_rule {
    struct rule_head head;
    const struct rule_settings *s;
};

#define PROFILE_MAGIC UINT32_C(0x52475046)
struct profile {
    uint32_t magic;
    const struct region_settings *s;
    const struct zone *zone;
    uint32_t rails, authentication_rails, screening_rails;
    uint32_t tier_rails; /* rails for which there are tiers */
    const struct currency *const *currencies;
    size_t currencies_count; /* 0: all */
    struct country_set domestic, residency;
    struct clauses authentication_when;
    struct tier_rule *tiers;
    struct limit_rule *limits;
    struct exemption_rule *exemptions; /* those without counters first */
    struct corridor_rule *corridors;
    struct field_rule *fields;
    struct extra_rule *rules;
    size_t tiers_count, limits_count, exemptions_count, corridors_count, fields_count, rules_count;
};

/* Rules that can never fire, as warnings. */
void never_find(const struct profile *profile, struct findings *findings);
/* Is an entry of this file the profile's own, not one of a profile that it extends? */
bool entry_is_own(const struct region_settings *region, const char *file);
/* The amount in this currency, or NULL. */
const struct money *moneys_find(const struct settings_moneys *moneys,
                                const struct currency *currency);

/* --- an evaluation ------------------------------------------------------------------------- */

enum kleene { KLEENE_FALSE = 1, KLEENE_UNKNOWN, KLEENE_TRUE };

struct evaluation {
    const struct profile *profile;
    const struct compliance_facts *facts;
    const struct compliance_watch *watch;
    struct decision *out;
    uint32_t rail_bit;
    bool authenticated;
    int32_t second_of_day;
    struct fact_value cross_border, payer_age, initiator, cash, authenticated_value;
    uint64_t missing_told; /* facts whose absence is among the reasons; bit: enum fact */
    bool overflow;         /* evaluation.limit is among the reasons */
};

/* The fact with what is derived here and what holds when nothing is said. */
const struct fact_value *evaluation_fact(const struct evaluation *e, enum fact fact);
/* *missing: a fact that made it unknown. */
enum kleene clauses_hold(const struct evaluation *e, const struct clauses *clauses,
                         enum fact *missing);
/* Of the rule: rail, conditions, hours (may be NULL). */
bool hours_hold(const struct settings_hours *hours, int32_t second_of_day);

/* A text that grows to TEXT_ROOM and is cut to fit, at a letter. */
#define TEXT_ROOM 900
struct text {
    struct writer w;
    uint8_t bytes[TEXT_ROOM];
};
void text_start(struct text *text);
void text_put(struct text *text, const char *words);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_money(struct text *text, int64_t minor, const struct currency *currency);
/* The words and 0.13%. */
void text_percent(struct text *text, const char *words, int64_t ppm);
void text_number(struct text *text, int64_t number);
void text_hours(struct text *text, const struct settings_hours *hours);
/* "24 h", "30 days", "day" */
void text_window(struct text *text, enum settings_window_kind kind, int64_t us);
/* ". REASON" when there is one. */
void text_reason(struct text *text, const char *reason);
/* Cut at a letter, zero-terminated. */
void text_cut(const struct text *text, char out[DECISION_TEXT_MAX]);
/* The whole, zero-terminated; valid as long as the text. */
const char *text_done(struct text *text);
const char *per_word(enum settings_per per);

/* The verdict of a rule for this payment: a challenge of an authenticated payer is met. */
enum verdict evaluation_verdict(const struct evaluation *e, enum verdict verdict);
/* Adds a reason and makes the decision as strict; no room: evaluation.limit. The text is cut. */
void evaluation_say(struct evaluation *e, const char *rule, enum verdict verdict,
                    const char *source, const struct text *text);
void evaluation_report(struct evaluation *e, const struct rule_head *head, const struct text *text);
/* A fact that `rule` needs is missing: deny. */
void evaluation_missing(struct evaluation *e, const char *rule, const char *source, enum fact fact);
/* The next reservation to be filled (zeroed), or NULL: no room, evaluation.limit was said. */
struct reservation *evaluation_reserve(struct evaluation *e);

/* For explain; only called when e->watch is there. figure may be NULL. */
void evaluation_saw(struct evaluation *e, const char *section, const struct rule_head *head,
                    enum rule_state state, enum verdict verdict, struct text *figure);
/* The same for a rule that is no entry of a list. */
void evaluation_saw_plain(struct evaluation *e, const char *section, const char *rule,
                          enum rule_state state, enum verdict verdict, const char *source,
                          const char *figure);

void decide_kyc(struct evaluation *e);
void decide_limits(struct evaluation *e);
void decide_authentication(struct evaluation *e);
/* At the end, when the verdict is known. */
void decide_resets(struct evaluation *e);
void decide_cross_border(struct evaluation *e);
void decide_screening(struct evaluation *e);
void decide_rules(struct evaluation *e);

#endif
