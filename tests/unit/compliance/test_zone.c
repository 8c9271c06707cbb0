/* test_zone.c - local time, against a table that python's zoneinfo made once; files that are slim,
 * fat, broken or somewhere else. */
#include "profile_fixture.h"

#include "../../support/scratch.h"

#include "compliance/zone_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct offset_row {
    const char *zone;
    int64_t at_s;
    int32_t offset_s;
};
static const struct offset_row offsets[] = {
#define OFFSET(zone, at, offset) { zone, at, offset },
#define START(zone, kind, at, start)
#include "zone_rows.def"
#undef OFFSET
#undef START
};
struct start_row {
    const char *zone;
    enum settings_window_kind kind;
    int64_t at_s, start_s;
};
static const struct start_row starts[] = {
#define OFFSET(zone, at, offset)
#define START(zone, kind, at, start) { zone, SETTINGS_WINDOW_##kind, at, start },
#include "zone_rows.def"
#undef OFFSET
#undef START
};

static void offsets_are_those_of_the_table(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    const struct zone *zone = NULL;
    const char *name = "";
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        const struct offset_row *row = &offsets[i];
        if (strcmp(name, row->zone) != 0)
            assert_int_equal(zone_load(row->zone, &arena, &zone), STATUS_OK);
        name = row->zone;
        int32_t got = zone_offset_s(zone, row->at_s * 1000000);
        if (got != row->offset_s)
            fail_msg("%s at %lld: %d, not %d", name, (long long)row->at_s, got, row->offset_s);
        /* The last microsecond of that second is still in it. */
        assert_int_equal(zone_offset_s(zone, row->at_s * 1000000 + 999999), row->offset_s);
        int64_t local = row->at_s + row->offset_s;
        assert_int_equal(zone_second_of_day(zone, row->at_s * 1000000),
                         ((local % 86400) + 86400) % 86400);
    }
    arena_reset(&arena);
}

static void periods_begin_where_the_table_says(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, (size_t)16 * 1024 * 1024);
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        const struct start_row *row = &starts[i];
        const struct zone *zone;
        assert_int_equal(zone_load(row->zone, &arena, &zone), STATUS_OK);
        int64_t got = zone_period_start_us(zone, row->kind, row->at_s * 1000000 + 500000);
        if (got != row->start_s * 1000000)
            fail_msg("%s, kind %d, at %lld: %lld, not %lld", row->zone, (int)row->kind,
                     (long long)row->at_s, (long long)(got / 1000000), (long long)row->start_s);
    }
    arena_reset(&arena);
}

static void a_day_that_begins_at_one_o_clock(void **state)
{
    (void)state;
    struct arena arena;
    const struct zone *zone;
    arena_init(&arena, (size_t)1024 * 1024);
    /* Havana, 2026-03-08: 00:00 becomes 01:00 at 05:00 UTC. */
    assert_int_equal(zone_load("America/Havana", &arena, &zone), STATUS_OK);
    int64_t jump = INT64_C(1772946000000000);
    assert_int_equal(zone_second_of_day(zone, jump - 1), 86399);
    assert_int_equal(zone_second_of_day(zone, jump), 3600);
    assert_int_equal(zone_period_start_us(zone, SETTINGS_WINDOW_DAY, jump), jump);
    assert_int_equal(zone_period_start_us(zone, SETTINGS_WINDOW_DAY, jump + 20 * HOUR), jump);
    assert_int_equal(zone_period_start_us(zone, SETTINGS_WINDOW_DAY, jump - 1), jump - 24 * HOUR);
    arena_reset(&arena);
}

static void hours_are_what_the_clock_on_the_wall_shows(void **state)
{
    (void)state;
    struct arena arena;
    const struct zone *zone;
    arena_init(&arena, (size_t)1024 * 1024);
    const struct settings_hours night = { 20 * 3600, 6 * 3600, true };
    const struct settings_hours early = { 2 * 3600, 3 * 3600, true };
    /* Sao Paulo, 2026-11-22: 20:00 is 23:00 UTC. */
    assert_int_equal(zone_load("America/Sao_Paulo", &arena, &zone), STATUS_OK);
    int64_t eight = NOON + 11 * HOUR;
    assert_false(zone_in_hours(zone, &night, eight - 1));
    assert_true(zone_in_hours(zone, &night, eight));
    assert_true(zone_in_hours(zone, &night, eight + 10 * HOUR - 1));
    assert_false(zone_in_hours(zone, &night, eight + 10 * HOUR));
    assert_true(zone_in_hours(zone, &(struct settings_hours){ 0 }, eight));
    /* Berlin, 2026-10-25: 02:00 to 03:00 comes twice, from 00:00 UTC and from 01:00 UTC. */
    assert_int_equal(zone_load("Europe/Berlin", &arena, &zone), STATUS_OK);
    int64_t twice = INT64_C(1792886400000000);
    assert_false(zone_in_hours(zone, &early, twice - 1));
    assert_true(zone_in_hours(zone, &early, twice));
    assert_true(zone_in_hours(zone, &early, twice + HOUR));
    assert_true(zone_in_hours(zone, &early, twice + 2 * HOUR - 1));
    assert_false(zone_in_hours(zone, &early, twice + 2 * HOUR));
    /* Berlin, 2026-03-29: that hour does not come at all. */
    int64_t never = INT64_C(1774746000000000); /* 01:00 UTC */
    assert_false(zone_in_hours(zone, &early, never - 1));
    assert_false(zone_in_hours(zone, &early, never));
    arena_reset(&arena);
}

/* --- files --------------------------------------------------------------------------------- */

/* A slim file: no times, one type, and the rule. */
static struct view slim(struct writer *w, uint8_t version, int32_t offset, const char *rule)
{
    for (int block = 0; block < 2; block++) {
        writer_text(w, "TZif");
        writer_u8(w, version);
        for (int i = 0; i < 15; i++)
            writer_u8(w, 0);
        for (int i = 0; i < 3; i++)
            writer_u32_be(w, 0);
        writer_u32_be(w, 0);
        writer_u32_be(w, 1);
        writer_u32_be(w, 4);
        writer_u32_be(w, (uint32_t)offset);
        writer_u8(w, 0);
        writer_u8(w, 0);
        writer_bytes(w, "XYZ", 4);
    }
    writer_text(w, "\n");
    writer_text(w, rule);
    writer_text(w, "\n");
    return writer_done(w);
}

static enum status read_slim(struct arena *arena, const char *rule, struct zone *out)
{
    uint8_t bytes[512];
    struct writer w = writer_over(bytes, sizeof bytes);
    return zone_file_read(slim(&w, '3', 3600, rule), arena, out);
}

static void a_rule_alone_makes_the_same_zone(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *rule;
        int64_t since_s; /* the rule holds from then on */
    } rules[] = {
        { "Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1735689600) },
        { "America/New_York", "EST5EDT,M3.2.0,M11.1.0", INT64_C(1735689600) },
        { "America/Havana", "CST5CDT,M3.2.0/0,M11.1.0/1", INT64_C(1735689600) },
        { "Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1735689600) },
        { "Asia/Kolkata", "IST-5:30", INT64_C(1735689600) },
        { "America/Sao_Paulo", "<-03>3", INT64_C(1735689600) },
    };
    struct arena arena;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    size_t compared = 0;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone zone;
        assert_int_equal(read_slim(&arena, rules[i].rule, &zone), STATUS_OK);
        for (size_t j = 0; j < COUNT_OF(offsets); j++) {
            if (strcmp(offsets[j].zone, rules[i].zone) != 0 || offsets[j].at_s < rules[i].since_s)
                continue;
            assert_int_equal(zone_offset_s(&zone, offsets[j].at_s * 1000000), offsets[j].offset_s);
            compared++;
        }
    }
    assert_true(compared > 40);
    arena_reset(&arena);
}

static void rules_of_every_form(void **state)
{
    (void)state;
    struct zone_rule rule;
    struct zone_step two[2];
    /* Jn: 60 is 1 March in every year; n: 59 is 29 February in a leap year. */
    assert_int_equal(zone_rule_read(VIEW("AAA0BBB,J60/0,59/0"), &rule), STATUS_OK);
    zone_rule_steps(&rule, 2028, two);
    assert_int_equal(two[0].at_s, INT64_C(1835481600));        /* 2028-03-01 */
    assert_int_equal(two[1].at_s, INT64_C(1835395200) - 3600); /* 2028-02-29, on summer time */
    zone_rule_steps(&rule, 2027, two);
    assert_int_equal(two[0].at_s, INT64_C(1803859200)); /* 2027-03-01 */
    assert_int_equal(two[1].at_s, INT64_C(1803859200) - 3600);
    /* Hours outside the day: Nuuk changes on the eve. */
    assert_int_equal(zone_rule_read(VIEW("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"), &rule), STATUS_OK);
    zone_rule_steps(&rule, 2026, two);
    assert_int_equal(two[0].at_s, INT64_C(1774746000)); /* 2026-03-29T01:00Z */
    assert_int_equal(zone_rule_read(VIEW("AAA0BBB,M3.5.0/167,M10.5.0/-167"), &rule), STATUS_OK);
    /* Winter time that is the smaller one (Ireland). */
    assert_int_equal(zone_rule_read(VIEW("IST-1GMT0,M10.5.0,M3.5.0/1"), &rule), STATUS_OK);
    assert_int_equal(rule.standard_s, 3600);
    assert_int_equal(rule.summer_s, 0);

    struct arena arena;
    struct zone zone;
    arena_init(&arena, (size_t)1024 * 1024);
    /* Summer all year: the two moments fall together and summer wins. */
    assert_int_equal(read_slim(&arena, "EST5EDT,0/0,J365/25", &zone), STATUS_OK);
    for (int64_t at = INT64_C(1767225600); at < INT64_C(1798848000); at += 43200)
        assert_int_equal(zone_offset_s(&zone, at * 1000000), -4 * 3600);
    arena_reset(&arena);
}

static void broken_rules_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "C",
        "CE-1",
        "CET",
        "CET-25",
        "CET-1:60",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,J366,J5",
        "CET-1CEST,366,5",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0x",
        "<CET-1",
        "<a>-1",
        "CET-1CEST,M3.5.0,M10.5.0/",
        "CET--1",
        "CET-99999999999999999999",
    };
    struct zone_rule rule;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        if (zone_rule_read(view_text(broken[i]), &rule) != STATUS_MALFORMED)
            fail_msg("taken: %s", broken[i]);
    }
}

/* Every prefix and every changed byte of two real files, one fat and one slim: read or refused, no
 * harm. */
static void hostile_bytes_are_harmless(void **state)
{
    (void)state;
    static uint8_t bytes[8192], changed[8192];
    struct writer w = writer_over(bytes, sizeof bytes);
    size_t lens[2], taken = 0, refused = 0;
    slim(&w, '2', 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
    lens[0] = w.len;
    FILE *file = fopen("/usr/share/zoneinfo/America/Sao_Paulo", "rb");
    if (file == NULL)
        skip();
    for (int which = 0; which < 2; which++) {
        if (which == 1)
            lens[1] = fread(bytes, 1, sizeof bytes, file);
        for (size_t i = 0; i < lens[which]; i++) {
            static const uint8_t values[] = { 0x00, 0x7f, 0x80, 0xff };
            for (size_t v = 0; v < COUNT_OF(values) + 1; v++) {
                struct arena arena;
                struct zone zone;
                arena_init(&arena, (size_t)1024 * 1024);
                memcpy(changed, bytes, lens[which]);
                size_t len = lens[which];
                if (v < COUNT_OF(values))
                    changed[i] = values[v];
                else
                    len = i;
                enum status s = zone_file_read(view_of(changed, len), &arena, &zone);
                assert_true(s == STATUS_OK || s == STATUS_MALFORMED);
                if (s == STATUS_OK) {
                    (void)zone_period_start_us(&zone, SETTINGS_WINDOW_YEAR, NOON);
                    (void)zone_period_start_us(&zone, SETTINGS_WINDOW_DAY, INT64_C(0));
                    taken++;
                } else {
                    refused++;
                }
                arena_reset(&arena);
            }
        }
    }
    fclose(file);
    assert_true(taken > 0 && refused > 0);
}

static void names_that_are_paths_are_no_zones(void **state)
{
    (void)state;
    static const char *const names[] = { "",
                                         "/etc/passwd",
                                         "../zoneinfo/UTC",
                                         "Europe/..",
                                         "Europe//Berlin",
                                         "Europe/",
                                         "America",
                                         "Europe/Berlim",
                                         "Europe/Berlin ",
                                         "Europe\\Berlin",
                                         "posixrules\n",
                                         "./UTC" };
    struct arena arena;
    const struct zone *zone;
    arena_init(&arena, (size_t)1024 * 1024);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(zone_load(names[i], &arena, &zone), STATUS_NOT_FOUND);
    assert_int_equal(zone_load("tzdata.zi", &arena, &zone), STATUS_NOT_FOUND); /* no such letter */
    if (access("/usr/share/zoneinfo/leapseconds", R_OK) == 0) /* a file that is no zone */
        assert_int_equal(zone_load("leapseconds", &arena, &zone), STATUS_MALFORMED);
    if (access("/usr/share/zoneinfo/right/UTC", R_OK) == 0) /* with leap seconds */
        assert_int_equal(zone_load("right/UTC", &arena, &zone), STATUS_MALFORMED);
    arena_reset(&arena);
}

static void the_folder_can_be_another(void **state)
{
    (void)state;
    char folder[SCRATCH_MAX], path[SCRATCH_FILE_MAX];
    uint8_t bytes[512];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct arena arena;
    const struct zone *zone;
    arena_init(&arena, (size_t)1024 * 1024);
    scratch_folder(folder, "zone");
    (void)snprintf(path, sizeof path, "%s/Mine", folder);
    struct view file = slim(&w, '2', 7 * 3600, "<+07>-7");
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file.ptr, 1, file.len, out), file.len);
    fclose(out);
    assert_int_equal(setenv("TZDIR", folder, 1), 0);
    assert_int_equal(zone_load("Mine", &arena, &zone), STATUS_OK);
    assert_int_equal(zone_offset_s(zone, NOON), 7 * 3600);
    assert_int_equal(zone_load("Europe/Berlin", &arena, &zone), STATUS_NOT_FOUND);
    assert_int_equal(zone_load("UTC", &arena, &zone), STATUS_OK); /* needs no file */
    assert_int_equal(unsetenv("TZDIR"), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_table),
        cmocka_unit_test(periods_begin_where_the_table_says),
        cmocka_unit_test(a_day_that_begins_at_one_o_clock),
        cmocka_unit_test(hours_are_what_the_clock_on_the_wall_shows),
        cmocka_unit_test(a_rule_alone_makes_the_same_zone),
        cmocka_unit_test(rules_of_every_form),
        cmocka_unit_test(broken_rules_are_refused),
        cmocka_unit_test(hostile_bytes_are_harmless),
        cmocka_unit_test(names_that_are_paths_are_no_zones),
        cmocka_unit_test(the_folder_can_be_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
