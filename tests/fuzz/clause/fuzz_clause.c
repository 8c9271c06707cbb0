/* fuzz_clause.c - any lines as the conditions of a rule (and, by the first letter, any bytes as a
 * zone file): findings or a profile that decides, never a crash. 'z' zone file, else one condition
 * a line. */
#include "base/ensure.h"
#include "compliance/compliance_int.h"
#include "compliance/zone_int.h"

#define LINES_MAX 20
#define NOON      INT64_C(1795348800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void zone(struct view bytes, struct arena *arena)
{
    struct zone zone;
    if (zone_file_read(bytes, arena, &zone) != STATUS_OK)
        return;
    ENSURE(zone.count > 0);
    for (int64_t at = 0; at < 70; at++) {
        int64_t us = at * INT64_C(29797271) * 1000000;
        int64_t start = zone_period_start_us(&zone, SETTINGS_WINDOW_YEAR, us);
        ENSURE(start <= us + INT64_C(172800000000));
        ENSURE(zone_second_of_day(&zone, us) >= 0 && zone_second_of_day(&zone, us) < 86400);
    }
}

static size_t lines_take(struct view rest, struct arena *arena, struct settings_clause *out)
{
    size_t count = 0;
    while (rest.len > 0 && count < LINES_MAX) {
        size_t end = view_find(rest, '\n');
        const char *text = arena_text(arena, view_slice(rest, 0, end));
        if (text == NULL)
            break;
        out[count] =
            (struct settings_clause){ .text = text, .line = (uint32_t)count + 1, .column = 1 };
        count++;
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    return count;
}

static void conditions(struct view bytes, struct arena *arena, struct findings *findings)
{
    struct settings_clause clauses[LINES_MAX];
    struct rule_settings rule = { .id = "a",
                                  .then = SETTINGS_THEN_DENY,
                                  .reason = "",
                                  .source = "",
                                  .file = "x.yaml",
                                  .line = 1,
                                  .column = 1 };
    struct region_settings region = { .region = "x",
                                      .version = "1",
                                      .time_zone = "UTC",
                                      .kyc_without_tier = SETTINGS_ALLOW,
                                      .cross_border_other = SETTINGS_ALLOW,
                                      .cross_border_unknown = SETTINGS_ALLOW,
                                      .file = "x.yaml",
                                      .rules = &rule,
                                      .rules_count = 1 };
    rule.when = (struct settings_clauses){ clauses, lines_take(bytes, arena, clauses) };
    struct profile *profile;
    enum status s = compliance_compile(&region, NULL, arena, findings, &profile);
    ENSURE((s == STATUS_OK) == (profile != NULL));
    ENSURE(s == STATUS_OK || s == STATUS_NO_MEMORY || findings->errors > 0);
    if (s != STATUS_OK)
        return;
    struct money amount = { .minor = 5000 };
    if (currency_by_code(VIEW("EUR"), &amount.currency) != STATUS_OK)
        return;
    struct compliance_facts facts;
    struct decision decision;
    facts_start(&facts, RAIL_CARD, PAYMENT_KIND_PURCHASE, amount, NOON);
    facts_text(&facts, FACT_PAYER_BIRTH_DATE, bytes);
    facts_text(&facts, FACT_PAYER_COUNTRY, bytes);
    facts_text(&facts, FACT_SCHEME, bytes);
    compliance_decide(profile, &facts, NULL, &decision);
    ENSURE(decision.verdict == VERDICT_ALLOW || decision.reason_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct findings findings;
    struct arena arena;
    if (size < 1)
        return 0;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    findings_init(&findings);
    if (data[0] == 'z')
        zone(view_of(data + 1, size - 1), &arena);
    else
        conditions(view_of(data, size), &arena, &findings);
    findings_clear(&findings);
    arena_reset(&arena);
    return 0;
}
