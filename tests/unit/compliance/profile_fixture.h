/* profile_fixture.h - profiles as an operator would mean them, put together by hand, and what a
 * payment gets from them. */
#ifndef PROFILE_FIXTURE_H
#define PROFILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "compliance/compliance.h"

#define NOON INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z, a Sunday */
#define HOUR INT64_C(3600000000)
#define DAY  (24 * HOUR)

/* Lists as the settings room makes them; their items live as long as the block
 * that they stand in. */
#define LIST(...)                                                                                  \
    ((struct settings_list){ (const char *const[]){ __VA_ARGS__ },                                 \
                             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) })
#define CLAUSE(text_) ((struct settings_clause){ .text = (text_), .line = 7, .column = 13 })
#define WHEN(...)                                                                                  \
    ((struct settings_clauses){ (const struct settings_clause[]){ __VA_ARGS__ },                   \
                                sizeof((const struct settings_clause[]){ __VA_ARGS__ }) /          \
                                    sizeof(struct settings_clause) })
#define MONEYS(...)                                                                                \
    ((struct settings_moneys){ (const struct money[]){ __VA_ARGS__ },                              \
                               sizeof((const struct money[]){ __VA_ARGS__ }) /                     \
                                   sizeof(struct money) })
struct money money_of(int64_t minor, const char *code);

/* A row with all texts empty and the defaults of its .def file. */
struct limit_settings limit_row(const char *id);
struct tier_settings tier_row(int64_t tier);
struct exemption_settings exemption_row(const char *id);
struct corridor_settings corridor_row(const char *id, enum settings_verdict then);
struct field_settings field_row(const char *id);
struct rule_settings rule_row(const char *id, int then);
struct region_settings region_row(void);

struct fixture {
    struct arena arena;
    struct findings findings;
    struct settings settings;
    struct region_settings region;
    struct profile *profile;
    struct compliance_facts facts;
    struct decision decision;
};
/* A permissive region of card payments of 50.00 EUR, in force since the day before NOON. */
void fixture_start(struct fixture *f);
void fixture_end(struct fixture *f);
/* Compiles; the findings are kept. */
enum status fixture_compile(struct fixture *f);
/* Compiles without a complaint and decides. */
const struct decision *fixture_decide(struct fixture *f);
/* The same with that amount. */
const struct decision *fixture_amount(struct fixture *f, int64_t minor, const char *code);
void fixture_fact(struct fixture *f, const char *name, const char *value);

const struct decision_reason *reason_of(const struct decision *decision, const char *rule);
const struct reservation *reservation_of(const struct decision *decision, const char *rule);
bool reported(const struct decision *decision, const char *rule);
/* The first finding of that id, or NULL. */
const struct finding *finding_of(const struct findings *findings, const char *id);

#endif
