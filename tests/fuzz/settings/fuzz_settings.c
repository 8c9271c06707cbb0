/* fuzz_settings.c - any bytes as a configuration file: findings, never a crash or a hang. The first
 * byte says which kind of file it is: 'c' channel, 'r' region, 'e' region that may extend one named
 * `base`, 't' test cases of a profile, else gateway.yaml. */
#include "base/ensure.h"
#include "settings/load_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base_profile[] =
    "region: base\nversion: 1\neffective_from: 2026-01-01\nrails: [card]\n"
    "limits: [{id: one, max: 1 EUR}]\nrules: [{id: two, then: deny}]\n"
    "kyc: {tiers: [{tier: 1, single: 1 EUR}]}\ndata: {mask: [{fact: payer.name}]}\n";

static void region_sane(const struct region_settings *region)
{
    ENSURE(region->effective_from_us > 0);
    for (size_t i = 0; i < region->limits_count; i++) {
        const struct limit_settings *limit = &region->limits[i];
        ENSURE(name_fine(view_text(limit->id)) && limit->line > 0 && limit->file != NULL);
        ENSURE((limit->per == SETTINGS_PER_PAYMENT) ==
               (limit->window.kind == SETTINGS_WINDOW_NONE));
        for (size_t k = 0; k < limit->max.count; k++)
            ENSURE(limit->max.items[k].minor >= 0 && limit->max.items[k].currency != NULL);
        for (size_t k = 0; k < limit->when.count; k++)
            ENSURE(limit->when.items[k].text[0] != '\0' && limit->when.items[k].line > 0);
    }
    /* Whatever was read can be shown. */
    static char text[1 << 20];
    for (size_t i = 0; i < section_region.count; i++) {
        const struct setting_row *row = &section_region.rows[i];
        struct writer w = writer_over(text, sizeof text);
        value_show(&w, row, (const char *)region + row->offset);
        ENSURE(!w.overflow);
    }
}

static enum status extended_read(struct view bytes, struct arena *arena, struct findings *findings)
{
    const struct reader reader = {
        .arena = arena, .findings = findings, .file = "base.yaml", .folder = "/config"
    };
    struct region_settings base = { .file = "" }, region = { .file = "" };
    struct view base_bytes = view_of(base_profile, sizeof base_profile - 1);
    enum status s = region_read(&reader, base_bytes, &base);
    if (s != STATUS_OK)
        return s;
    ENSURE(findings->errors == 0);
    const struct settings settings = { .folder = "/config", .regions = &base, .regions_count = 1 };
    s = settings_region_read(&settings, bytes, "fuzz.yaml", arena, findings, &region);
    ENSURE((s == STATUS_OK) <= (findings->errors == 0));
    if (s == STATUS_OK)
        region_sane(&region);
    return s == STATUS_MALFORMED ? STATUS_OK : s;
}

static void tests_sane(const struct region_tests *tests)
{
    for (size_t i = 0; i < tests->count; i++) {
        const struct test_case *one = &tests->cases[i];
        ENSURE(one->line > 0 && verdict_valid(one->expect));
        for (size_t k = 0; k < one->facts_count; k++)
            ENSURE(id_fine(view_text(one->facts[k].name)) && one->facts[k].value[0] != '\0');
        for (size_t k = 0; k < one->spent_count; k++)
            ENSURE(one->spent[k].minor >= 0 && one->spent[k].count >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct findings findings;
    if (size < 1)
        return 0;
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    findings_init(&findings);
    const struct reader reader = {
        .arena = &arena, .findings = &findings, .file = "fuzz.yaml", .folder = "/config"
    };
    struct view bytes = view_of(data + 1, size - 1);
    enum status s;
    if (data[0] == 'c') {
        struct channel_settings channel = { .file = "" };
        s = channel_read(&reader, bytes, &channel);
        for (size_t i = 0; s == STATUS_OK && i < channel.settings_count; i++)
            ENSURE(strlen(channel.settings[i].name) > 0 && channel.settings[i].text != NULL);
    } else if (data[0] == 'r') {
        struct region_settings region = { .file = "" };
        s = region_read(&reader, bytes, &region);
        if (s == STATUS_OK && findings.errors == 0)
            region_sane(&region);
    } else if (data[0] == 'e') {
        s = extended_read(bytes, &arena, &findings);
    } else if (data[0] == 't') {
        struct region_tests tests = { .file = "" };
        s = tests_read(&reader, bytes, &tests);
        if (s == STATUS_OK && findings.errors == 0)
            tests_sane(&tests);
    } else {
        struct settings settings = { .file = "" };
        s = gateway_read(&reader, bytes, &settings);
        ENSURE(s != STATUS_OK || (settings.limit_depth >= 4 && settings.limit_depth <= 64));
    }
    ENSURE(s == STATUS_OK || s == STATUS_NO_MEMORY);
    ENSURE(findings.count + findings.dropped == findings.errors + findings.warnings);
    findings_clear(&findings);
    arena_reset(&arena);
    return 0;
}
