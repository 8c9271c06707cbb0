/* test_cases.c - x.tests.yaml: the test cases of a profile as written, and mistakes in them. */
#include "folder.h"

static const char good[] =
    "region: default\n"
    "cases:\n"
    "  - name: low value, exactly at 30 EUR\n" /* 3 */
    "    at: 2026-03-01T12:00:00Z\n"
    "    facts: { rail: card, amount: 30.00 EUR, entry: manual, payer.id: p1, "
    "payer.kyc_tier: 007, pin: no }\n"
    "    spent: { low_value: { amount: 70.00 EUR, count: 4 }, "
    "tier.1.day: { amount: 5 EUR } }\n"
    "    expect: allow\n"
    "    because: [low_value, region.rails]\n"
    "    not: [pix_night]\n"
    "  - name: too much\n" /* 10 */
    "    facts:\n"
    "      amount: 30.01 EUR\n"
    "      payer.name: \"no\"\n"
    "    expect: review\n";

static void cases_are_read(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/default.tests.yaml", good);
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(f.findings.warnings, 1); /* no channel; nothing is ignored */
    assert_int_equal(f.settings->regions_count, 1);
    assert_int_equal(f.settings->tests_count, 1);
    const struct region_tests *tests = &f.settings->tests[0];
    assert_string_equal(tests->region, "default");
    assert_int_equal(tests->line, 1);
    assert_int_equal(tests->count, 2);
    const struct test_case *one = &tests->cases[0], *two = &tests->cases[1];
    assert_string_equal(one->name, "low value, exactly at 30 EUR");
    assert_true(one->at_us == INT64_C(1772366400000000));
    assert_int_equal(one->line, 3);
    assert_int_equal(one->column, 5);
    assert_int_equal(one->facts_count, 6);
    assert_string_equal(one->facts[1].name, "amount");
    assert_string_equal(one->facts[1].value, "30.00 EUR");
    assert_string_equal(one->facts[3].name, "payer.id");
    assert_int_equal(one->facts[3].line, 5);
    assert_int_equal(one->facts[3].column, 70);
    assert_string_equal(one->facts[4].value, "007");
    assert_string_equal(one->facts[5].value, "no");
    assert_int_equal(one->spent_count, 2);
    assert_string_equal(one->spent[0].id, "low_value");
    assert_int_equal(one->spent[0].minor, 7000);
    assert_int_equal(one->spent[0].count, 4);
    assert_string_equal(one->spent[1].id, "tier.1.day");
    assert_int_equal(one->spent[1].minor, 500);
    assert_int_equal(one->spent[1].count, 0);
    assert_int_equal(one->spent[1].line, 6);
    assert_int_equal(one->expect, VERDICT_ALLOW);
    assert_int_equal(one->because.count, 2);
    assert_string_equal(one->because.items[1], "region.rails");
    assert_string_equal(one->unless.items[0], "pix_night");
    assert_int_equal(two->at_us, 0);
    assert_int_equal(two->expect, VERDICT_REVIEW);
    assert_int_equal(two->spent_count, 0);
    assert_int_equal(two->line, 10);
    assert_string_equal(two->facts[1].value, "no");
    folder_drop(&f);
}

static void all_mistakes_of_cases(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(
        &f, "regions/x.tests.yaml",
        "region: [default]\n"                                                             /* 1 */
        "cases:\n"                                                                        /* 2 */
        "  - {name: a, facts: {amount: 1 EUR}, expect: alow}\n"                           /* 3 */
        "  - {name: a, facts: {amount: 1 EUR}, expect: deny}\n"                           /* 4 */
        "  - {name: b, facts: {amount: 1 EUR}, exepct: deny}\n"                           /* 5 */
        "  - {name: c, expect: deny}\n"                                                   /* 6 */
        "  - {name: d, facts: [amount], expect: deny}\n"                                  /* 7 */
        "  - {name: e, facts: {Payer: x, a: ~, payer: {id: 1}}, expect: deny}\n"          /* 8 */
        "  - {name: f, facts: {rail: card}, expect: deny, spent: {a: {amount: 1 EUR}}}\n" /* 9 */
        "  - {name: g, facts: {amount: 1 EUR}, expect: deny, spent: {a: {amount: 1 USD}}}\n"
        "  - {name: h, facts: {amount: 1 EUR}, expect: deny, spent: {a: {amount: 1}}}\n" /* 11 */
        "  - {name: i, facts: {amount: 1 EUR}, expect: deny, spent: {a: {cuont: 1}}}\n"  /* 12 */
        "  - {name: j, facts: {amount: 1 EUR}, expect: deny, spent: {a: {count: -1}}}\n" /* 13 */
        "  - {name: k, facts: {amount: 1 EUR}, expect: deny, spent: {a: 1 EUR}}\n"       /* 14 */
        "  - {name: l, facts: {amount: 1 EUR}, expect: deny, because: [A], not: n}\n"    /* 15 */
        "  - {name: m, facts: {amount: 1 EUR}, expect: deny, at: noon}\n"                /* 16 */
        "  - {name: n, facts: {amount: 1 EUR, amount: 2 EUR}, expect: deny}\n"           /* 17 */
        "  - no case\n"                                                                  /* 18 */
        "case: []\n");                                                                   /* 19 */
    folder_load(&f);
    assert_finding(&f, "settings.type", "x.tests.yaml", 1, 9);
    assert_text_has(assert_finding(&f, "settings.choice", "x.tests.yaml", 3, 47)->message,
                    "did you mean `allow`?");
    assert_text_has(assert_finding(&f, "settings.name_twice", "x.tests.yaml", 4, 5)->message,
                    "line 3");
    assert_text_has(assert_finding(&f, "settings.unknown_key", "x.tests.yaml", 5, 39)->message,
                    "did you mean `expect`?");
    assert_finding(&f, "settings.missing", "x.tests.yaml", 5, 5);
    assert_finding(&f, "settings.missing", "x.tests.yaml", 6, 5);
    assert_finding(&f, "settings.not_a_group", "x.tests.yaml", 7, 22);
    assert_finding(&f, "settings.type", "x.tests.yaml", 8, 23);
    assert_finding(&f, "settings.no_value", "x.tests.yaml", 8, 36);
    assert_text_has(assert_finding(&f, "settings.type", "x.tests.yaml", 8, 46)->message,
                    "groups in groups");
    assert_text_has(assert_finding(&f, "settings.currency", "x.tests.yaml", 9, 70)->message,
                    "no `amount`");
    assert_text_has(assert_finding(&f, "settings.currency", "x.tests.yaml", 10, 73)->message,
                    "which is EUR");
    assert_finding(&f, "settings.amount", "x.tests.yaml", 11, 73);
    assert_text_has(assert_finding(&f, "settings.unknown_key", "x.tests.yaml", 12, 65)->message,
                    "did you mean `count`?");
    assert_finding(&f, "settings.type", "x.tests.yaml", 13, 72);
    assert_finding(&f, "settings.not_a_group", "x.tests.yaml", 14, 64);
    assert_finding(&f, "settings.type", "x.tests.yaml", 15, 63);
    assert_finding(&f, "settings.type", "x.tests.yaml", 15, 72);
    assert_finding(&f, "settings.type", "x.tests.yaml", 16, 57);
    assert_finding(&f, "settings.duplicate_key", "x.tests.yaml", 17, 38);
    assert_finding(&f, "settings.not_a_map", "x.tests.yaml", 18, 5);
    assert_text_has(assert_finding(&f, "settings.unknown_key", "x.tests.yaml", 19, 1)->message,
                    "did you mean `cases`?");
    assert_int_equal(f.findings.count, 22);
    folder_drop(&f);
}

static void the_profile_of_the_cases_must_be_there(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/a.tests.yaml", "# one line more\nregion: defualt\ncases: []\n");
    folder_load(&f);
    assert_text_has(assert_finding(&f, "settings.no_such_region", "a.tests.yaml", 2, 1)->message,
                    "did you mean `default`?");
    settings_free(f.settings);
    findings_clear(&f.findings);
    file_write(&f, "regions/a.tests.yaml", "region: default\n");
    folder_load(&f);
    assert_finding(&f, "settings.missing", "a.tests.yaml", 1, 1);
    folder_drop(&f);
}

/* 400 cases of 16 facts fit; what is larger than a megabyte does not. A profile keeps its 256 KiB.
 */
static void many_cases_fit(void **state)
{
    (void)state;
    static char text[1200000];
    struct writer w = writer_over(text, sizeof text);
    struct folder f;
    writer_text(&w, "region: default\ncases:\n");
    for (int i = 0; i < 400; i++) {
        writer_format(&w, "  - name: \"%d\"\n    facts:\n      amount: %d.00 EUR\n", i, i);
        for (int k = 0; k < 15; k++)
            writer_format(&w, "      some.fact_%d: value number %d of a case that says much\n", k,
                          k);
        writer_text(&w, "    spent: {a: {amount: 1 EUR, count: 1}, b: {amount: 1 EUR, count: 1}}\n"
                        "    because: [a, b, c]\n    not: [d, e, f]\n    expect: allow\n");
    }
    size_t len = w.len;
    assert_true(len > YAML_BYTES_MAX && len < YAML_TESTS_BYTES_MAX);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "regions/default.tests.yaml", text);
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(f.settings->tests[0].count, 400);
    assert_int_equal(f.settings->tests[0].cases[399].facts_count, 16);
    settings_free(f.settings);
    file_write(&f, "regions/big.yaml", text);
    folder_load(&f);
    assert_finding(&f, "settings.file_too_large", "big.yaml", 0, 0);
    assert_int_equal(f.findings.errors, 1);
    findings_clear(&f.findings);
    memset(text + len, '#', YAML_TESTS_BYTES_MAX + 1 - len);
    text[YAML_TESTS_BYTES_MAX + 1] = '\0';
    file_write(&f, "regions/big.yaml", REGION);
    file_write(&f, "regions/default.tests.yaml", text);
    folder_load(&f);
    assert_finding(&f, "settings.file_too_large", "default.tests.yaml", 0, 0);
    folder_drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_read),
        cmocka_unit_test(all_mistakes_of_cases),
        cmocka_unit_test(the_profile_of_the_cases_must_be_there),
        cmocka_unit_test(many_cases_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
