/* profile_fixture.c - see profile_fixture.h. */
#include "profile_fixture.h"

struct money money_of(int64_t minor, const char *code)
{
    struct money money = { .minor = minor };
    assert_int_equal(currency_by_code(view_text(code), &money.currency), STATUS_OK);
    return money;
}

#define ROW_PLACE .source = "a law", .file = "eu.yaml", .line = 20, .column = 5

struct limit_settings limit_row(const char *id)
{
    return (struct limit_settings){
        .id = id, .per = SETTINGS_PER_PAYMENT, .then = SETTINGS_THEN_DENY, .reason = "", ROW_PLACE
    };
}

struct tier_settings tier_row(int64_t tier)
{
    return (struct tier_settings){ .tier = tier, .name = "", ROW_PLACE };
}

struct exemption_settings exemption_row(const char *id)
{
    return (struct exemption_settings){
        .id = id, .per = SETTINGS_EXEMPTION_PER_PAYER, .fraud_rate_max_ppm = 1000000, ROW_PLACE
    };
}

struct corridor_settings corridor_row(const char *id, enum settings_verdict then)
{
    return (struct corridor_settings){ .id = id, .then = (int)then, .reason = "", ROW_PLACE };
}

struct field_settings field_row(const char *id)
{
    return (struct field_settings){
        .id = id, .scope = SETTINGS_CROSS_BORDER, .then = SETTINGS_THEN_DENY, ROW_PLACE
    };
}

struct rule_settings rule_row(const char *id, int then)
{
    return (struct rule_settings){ .id = id, .then = then, .reason = "", ROW_PLACE };
}

struct region_settings region_row(void)
{
    return (struct region_settings){ .region = "eu",
                                     .version = "7",
                                     .effective_from_us = NOON - DAY,
                                     .extends = "",
                                     .owner = "",
                                     .source = "a law",
                                     .time_zone = "UTC",
                                     .kyc_without_tier = SETTINGS_ALLOW,
                                     .kyc_source = "",
                                     .authentication_fraud_rate_ppm = 1000000,
                                     .authentication_valid_for_us = 10 * 60 * INT64_C(1000000),
                                     .authentication_wrong_max = 5,
                                     .authentication_source = "",
                                     .cross_border_other = SETTINGS_ALLOW,
                                     .cross_border_unknown = SETTINGS_ALLOW,
                                     .cross_border_source = "",
                                     .screening_threshold = 90,
                                     .screening_payer = true,
                                     .screening_payee = true,
                                     .screening_hit = SETTINGS_REVIEW,
                                     .screening_nameless = SETTINGS_ALLOW,
                                     .screening_source = "",
                                     .data_source = "",
                                     .review_valid_for_us = 7 * DAY,
                                     .file = "eu.yaml",
                                     .content_hash = "00112233445566778899aabbccddeeff" };
}

void fixture_start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, (size_t)4 * 1024 * 1024);
    findings_init(&f->findings);
    f->settings.store_country = "";
    f->region = region_row();
    facts_start(&f->facts, RAIL_CARD, PAYMENT_KIND_PURCHASE, money_of(5000, "EUR"), NOON);
}

void fixture_end(struct fixture *f)
{
    findings_clear(&f->findings);
    arena_reset(&f->arena);
}

enum status fixture_compile(struct fixture *f)
{
    findings_clear(&f->findings);
    return compliance_compile(&f->region, &f->settings, &f->arena, &f->findings, &f->profile);
}

const struct decision *fixture_decide(struct fixture *f)
{
    if (fixture_compile(f) != STATUS_OK) {
        for (size_t i = 0; i < f->findings.count; i++)
            print_error("%s\n", f->findings.rows[i].message);
        fail();
    }
    compliance_decide(f->profile, &f->facts, NULL, &f->decision);
    return &f->decision;
}

const struct decision *fixture_amount(struct fixture *f, int64_t minor, const char *code)
{
    f->facts.amount = money_of(minor, code);
    f->facts.values[FACT_AMOUNT].number = minor;
    facts_text(&f->facts, FACT_CURRENCY, view_text(code));
    return fixture_decide(f);
}

void fixture_fact(struct fixture *f, const char *name, const char *value)
{
    char why[200];
    struct writer w = writer_over(why, sizeof why);
    if (!facts_parse(&f->facts, view_text(name), view_text(value), &w))
        fail_msg("%.*s", (int)w.len, why);
}

const struct decision_reason *reason_of(const struct decision *decision, const char *rule)
{
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (strcmp(decision->reasons[i].rule, rule) == 0)
            return &decision->reasons[i];
    }
    return NULL;
}

const struct reservation *reservation_of(const struct decision *decision, const char *rule)
{
    for (size_t i = 0; i < decision->reservation_count; i++) {
        if (strcmp(decision->reservations[i].rule, rule) == 0)
            return &decision->reservations[i];
    }
    return NULL;
}

bool reported(const struct decision *decision, const char *rule)
{
    for (size_t i = 0; i < decision->report_count; i++) {
        if (strcmp(decision->reports[i].rule, rule) == 0)
            return true;
    }
    return false;
}

const struct finding *finding_of(const struct findings *findings, const char *id)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->rows[i].id, id) == 0)
            return &findings->rows[i];
    }
    return NULL;
}
