/* test_settings.c - configuration as an operator writes it: in a folder of files, with mistakes. */
#include "folder.h"

/* --- what is right ------------------------------------------------------------------------- */

static void defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbox\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    const struct settings *s = f.settings;
    assert_int_equal(s->mode, SETTINGS_SANDBOX);
    assert_string_equal(s->api_listen, "127.0.0.1:8080");
    assert_string_equal(s->api_tls_certificate, "");
    assert_int_equal(s->limit_body_bytes, 65536);
    assert_int_equal(s->limit_header_time_us, 5000000);
    assert_int_equal(s->store_idempotency_days, 7);
    assert_int_equal(s->log_level, LOG_INFO); /* the row's choices are those of enum log_level */
    assert_int_equal(s->core_dumps, SETTINGS_CORE_OFF);
    assert_int_equal(s->store_path[0], '/');
    assert_text_has(s->store_path, "/../var/railgate.db");
    assert_int_equal(f.findings.warnings, 1); /* no channel */
    assert_finding(&f, "settings.no_channel", "gateway.yaml", 0, 0);
    assert_non_null(settings_region(s, VIEW_EMPTY));
    assert_null(settings_region(s, VIEW("eu")));
    folder_drop(&f);
}

static const char gateway_full[] = "mode: sandbox\n"
                                   "region: eu\n"
                                   "api:\n"
                                   "  listen: \"[::1]:0\"\n"
                                   "  tls: {certificate: tls/a.pem, key: /etc/a.key}\n"
                                   "ops: {listen: localhost:9}\n"
                                   "store: {idempotency_days: 30}\n"
                                   "limits:\n"
                                   "  body_bytes: 128KiB\n"
                                   "  header_time: 1500ms\n"
                                   "  wait_max: 5m\n"
                                   "log: {level: debug}\n"
                                   "keys:\n"
                                   "  - name: mac\n"
                                   "    kind: retail_mac\n"
                                   "    test_value: 0123456789abcdeffedcba9876543210\n"
                                   "  - {name: kek, kind: wrap_tdes, hex_file: keys/kek.hex}\n";
static const char channel_full[] = "name: card_demo\n"
                                   "adapter: ../build/card.so\n"
                                   "rail: card\n"
                                   "endpoints: [127.0.0.1:8583, 'host.example:443']\n"
                                   "links: 2\n"
                                   "regions: [eu]\n"
                                   "currencies: [EUR, JPY]\n"
                                   "cost: {basis_points: 25, fixed_minor: 5}\n"
                                   "deadline: 15s\n"
                                   "sign_on: no\n"
                                   "time_offset: \"+05:30\"\n"
                                   "tls: {use: yes, ca: ca.pem, min_version: 1.3}\n"
                                   "settings:\n"
                                   "  terminal_id: TERM0001\n"
                                   "  mac_key: mac\n"
                                   "  zeros: 007\n";
static const char region_full[] = "region: eu\n"
                                  "version: \"2026-11\"\n"
                                  "effective_from: 2026-01-01\n"
                                  "effective_until: 2027-01-01T12:00:00Z\n"
                                  "countries: [DE, FR]\n"
                                  "rails: [card]\n"
                                  "currencies: [EUR]\n"
                                  "limits:\n"
                                  "  - {id: most, max: 90071992547409.93 EUR}\n";

static void everything_given_is_read(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, gateway_full);
    file_write(&f, "channels/b.yaml", channel_full);
    file_write(&f, "channels/a.yaml.example", "not: read\n");
    file_write(&f, "regions/eu.yaml", region_full);
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(f.findings.count, 0);
    const struct settings *s = f.settings;
    char expected[SCRATCH_FILE_MAX];
    assert_string_equal(s->api_listen, "[::1]:0");
    snprintf(expected, sizeof expected, "%s/tls/a.pem", f.path);
    assert_string_equal(s->api_tls_certificate, expected);
    assert_string_equal(s->api_tls_key, "/etc/a.key");
    assert_int_equal(s->limit_body_bytes, 131072);
    assert_int_equal(s->limit_header_time_us, 1500000);
    assert_int_equal(s->limit_wait_us, 300000000);
    assert_int_equal(s->log_level, LOG_DEBUG);
    assert_int_equal(s->keys_count, 2);
    assert_string_equal(s->keys[0].test_value, "0123456789abcdeffedcba9876543210");
    assert_string_equal(s->keys[1].kind, "wrap_tdes");
    snprintf(expected, sizeof expected, "%s/keys/kek.hex", f.path);
    assert_string_equal(s->keys[1].hex_file, expected);

    assert_int_equal(s->channels_count, 1);
    const struct channel_settings *c = settings_channel(s, VIEW("card_demo"));
    assert_ptr_equal(c, &s->channels[0]);
    snprintf(expected, sizeof expected, "%s/../build/card.so", f.path);
    assert_string_equal(c->adapter, expected);
    assert_int_equal(c->rail, RAIL_CARD); /* the row's choices are those of enum rail */
    assert_int_equal(c->endpoints.count, 2);
    assert_string_equal(c->endpoints.items[1], "host.example:443");
    assert_int_equal(c->currencies.count, 2);
    assert_int_equal(c->cost_basis_points, 25);
    assert_int_equal(c->deadline_us, 15000000);
    assert_false(c->sign_on);
    assert_true(c->tls_use);
    assert_int_equal(c->tls_min_version, 13);
    assert_int_equal(c->time_offset_minutes, 330);
    assert_int_equal(c->reversal_max_age_us, INT64_C(86400000000));
    assert_int_equal(c->settings_count, 3);
    assert_string_equal(c->settings[2].name, "zeros");
    assert_string_equal(c->settings[2].text, "007");
    assert_int_equal(c->settings[2].line, 16);
    assert_int_equal(c->settings[2].column, 3);
    assert_int_equal(c->settings[2].value_column, 10);

    const struct region_settings *r = settings_region(s, VIEW_EMPTY);
    assert_string_equal(r->region, "eu");
    assert_string_equal(r->version, "2026-11");
    assert_true(r->effective_from_us == INT64_C(1767225600000000));
    assert_true(r->effective_until_us == INT64_C(1798804800000000));
    assert_int_equal(r->limits_count, 1);
    assert_int_equal(r->limits[0].max.count, 1);
    assert_true(r->limits[0].max.items[0].minor == INT64_C(9007199254740993));
    assert_int_equal(strlen(r->content_hash), 32);
    folder_drop(&f);
}

static void rails_of_the_rows_are_those_of_the_glossary(void **state)
{
    (void)state;
    size_t index = 0;
    const struct setting_row *row =
        section_row(&section_channel, offsetof(struct channel_settings, rail), &index);
    char words[64];
    struct writer w = writer_over(words, sizeof words);
    for (int rail = 1; rail_valid(rail); rail++) {
        writer_text(&w, rail > 1 ? "|" : "");
        writer_text(&w, rail_word((enum rail)rail));
    }
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_string_equal(row->choices, words);
}

static void a_file_may_be_named_instead_of_the_folder(void **state)
{
    (void)state;
    struct folder f;
    char path[SCRATCH_FILE_MAX];
    folder_make(&f, "mode: live\n");
    file_write(&f, "other.yaml", "mode: sandbox\n");
    snprintf(path, sizeof path, "%s/other.yaml", f.path);
    assert_int_equal(settings_load(path, &f.settings, &f.findings), STATUS_OK);
    assert_int_equal(f.settings->mode, SETTINGS_SANDBOX);
    assert_string_equal(f.settings->file, path);
    assert_string_equal(f.settings->folder, f.path);
    folder_drop(&f);
}

static void the_content_hash_follows_the_content(void **state)
{
    (void)state;
    struct folder f;
    char before[33];
    folder_make(&f, "mode: live\n");
    folder_load(&f);
    memcpy(before, f.settings->regions[0].content_hash, sizeof before);
    settings_free(f.settings);
    folder_load(&f);
    assert_string_equal(f.settings->regions[0].content_hash, before);
    settings_free(f.settings);
    file_write(&f, "regions/default.yaml", REGION "# changed\n");
    folder_load(&f);
    assert_string_not_equal(f.settings->regions[0].content_hash, before);
    folder_drop(&f);
}

static void the_shipped_configuration_loads(void **state)
{
    (void)state;
    struct findings findings;
    struct settings *settings = NULL;
    findings_init(&findings);
    enum status s = settings_load(PROJECT_FOLDER "/config", &settings, &findings);
    static char text[65536];
    struct writer w = writer_over(text, sizeof text);
    findings_write(&w, &findings);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    if (s != STATUS_OK)
        print_error("%s", text);
    settings_free(settings);
    findings_clear(&findings);
    assert_int_equal(s, STATUS_OK);

    /* The example, as if it had been copied to card.yaml. */
    struct folder f;
    static char example[8192];
    FILE *file = fopen(PROJECT_FOLDER "/config/channels/card.yaml.example", "rb");
    assert_non_null(file);
    size_t len = fread(example, 1, sizeof example - 1, file);
    fclose(file);
    assert_true(len > 0 && len < sizeof example - 1);
    folder_make(&f, "mode: sandbox\n");
    file_write(&f, "channels/card.yaml", example);
    folder_load(&f);
    assert_int_equal(f.findings.count, 0);
    assert_int_equal(f.settings->channels_count, 1);
    folder_drop(&f);
}

/* --- what is wrong ------------------------------------------------------------------------- */

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "mode: sandbxo\n"               /* 1 */
                    "api:\n"                        /* 2 */
                    "  listne: 127.0.0.1:1\n"       /* 3 */
                    "  tls: {certificate: a.pem}\n" /* 4 */
                    "limits:\n"                     /* 5 */
                    "  body_bytes: 64KB\n"          /* 6 */
                    "  depth: 1000\n"               /* 7 */
                    "  header_time: 5\n"            /* 8 */
                    "  body_time:\n"                /* 9 */
                    "  depth: 12\n"                 /* 10 */
                    "store: var\n"                  /* 11 */
                    "header_bytes: 4KiB\n"          /* 12 */
                    "ops.listen: 127.0.0.1:1\n"     /* 13 */
                    "core_dumps: [off]\n");         /* 14 */
    file_write(&f, "channels/x.yaml",
               "name: X\nadapter: a.so\nrail: crad\nlinks: 0\nendpoints: [a, 'b:1', 'c:70000']\n"
               "currencies: EUR\ntls: {ca: a.pem}\nsign_on: true\nsha256: 12\n");
    file_write(&f, "regions/y.yaml",
               "region: y\nversion: 1\neffective_from: 2026-02-30\n"
               "payment_max: []\ncurrencies: [EUR, EUU, EUR]\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_MALFORMED);
    const struct finding *row;
    row = assert_finding(&f, "settings.choice", "gateway.yaml", 1, 7);
    assert_text_has(row->message, "did you mean `sandbox`?");
    row = assert_finding(&f, "settings.unknown_key", "gateway.yaml", 3, 3);
    assert_text_has(row->message, "did you mean `api.listen`?");
    assert_finding(&f, "settings.tls_pair", "gateway.yaml", 4, 1);
    row = assert_finding(&f, "settings.type", "gateway.yaml", 6, 15);
    assert_text_has(row->message, "64KiB");
    row = assert_finding(&f, "settings.range", "gateway.yaml", 7, 10);
    assert_text_has(row->message, "4 to 64");
    row = assert_finding(&f, "settings.type", "gateway.yaml", 8, 16);
    assert_text_has(row->message, "with its unit");
    assert_finding(&f, "settings.no_value", "gateway.yaml", 9, 3);
    row = assert_finding(&f, "settings.duplicate_key", "gateway.yaml", 10, 3);
    assert_text_has(row->message, "line 7");
    assert_finding(&f, "settings.not_a_group", "gateway.yaml", 11, 8);
    row = assert_finding(&f, "settings.unknown_key", "gateway.yaml", 12, 1);
    assert_text_has(row->message, "did you mean `limits.header_bytes`?"); /* at the wrong level */
    assert_finding(&f, "settings.unknown_key", "gateway.yaml", 13, 1);
    assert_finding(&f, "settings.type", "gateway.yaml", 14, 13);
    assert_finding(&f, "settings.type", "channels/x.yaml", 1, 7);
    row = assert_finding(&f, "settings.choice", "channels/x.yaml", 3, 7);
    assert_text_has(row->message, "did you mean `card`?");
    assert_finding(&f, "settings.range", "channels/x.yaml", 4, 8);
    assert_finding(&f, "settings.type", "channels/x.yaml", 5, 13);
    assert_finding(&f, "settings.type", "channels/x.yaml", 5, 23);
    assert_finding(&f, "settings.type", "channels/x.yaml", 6, 13);
    assert_finding(&f, "settings.tls_unused", "channels/x.yaml", 7, 1);
    assert_finding(&f, "settings.type", "channels/x.yaml", 8, 10);
    assert_finding(&f, "settings.type", "channels/x.yaml", 9, 9);
    assert_finding(&f, "settings.range", "regions/y.yaml", 3, 17);
    assert_finding(&f, "settings.unknown_key", "regions/y.yaml", 4, 1);
    assert_finding(&f, "settings.currency", "regions/y.yaml", 5, 19);
    assert_finding(&f, "settings.twice", "regions/y.yaml", 5, 24);
    assert_int_equal(f.findings.count, 25); /* and nothing besides */
    folder_drop(&f);
}

/* One wrong gateway.yaml, one finding. */
static void assert_refused(const char *gateway, const char *id, uint32_t line, uint32_t column)
{
    struct folder f;
    folder_make(&f, gateway);
    folder_load(&f);
    assert_finding(&f, id, "gateway.yaml", line, column);
    assert_int_equal(f.findings.errors, 1);
    folder_drop(&f);
}

static void yaml_beyond_plain_values_is_refused(void **state)
{
    (void)state;
    assert_refused("mode: &a live\n", "settings.anchor", 1, 10);
    assert_refused("mode: !!str live\n", "settings.tag", 1, 13);
    assert_refused("mode: live\n---\nmode: live\n", "settings.second_document", 2, 1);
    assert_refused("%YAML 1.2\n---\nmode: live\n", "settings.directive", 1, 1);
    assert_refused("mode: \"li\\0ve\"\n", "settings.bad_byte", 1, 7);
    assert_refused("mode: live\nregion: \x01\n", "settings.bad_byte", 2, 9);
    assert_refused("mode: l\xc3\xa4\xff\n", "settings.bad_byte", 1, 9);
    assert_refused("? [a]\n: b\n", "settings.complex_key", 1, 3);
    assert_refused("a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "settings.too_deep", 1, 19);
    assert_refused("", "settings.empty_file", 1, 1);
    assert_refused("# nothing\n", "settings.empty_file", 1, 1);
    assert_refused("- mode\n", "settings.not_a_map", 1, 1);
    assert_refused("mode: live\nmode: live\n", "settings.duplicate_key", 2, 1);
    assert_refused("mode: ~\n", "settings.no_value", 1, 7);
    assert_refused("store: {path: \"a\\nb\"}\n", "settings.type", 1, 15); /* two lines */
    struct folder f;
    folder_make(&f, "mode: {live\nregion: [\n");
    folder_load(&f);
    assert_int_equal(f.findings.errors, 1);
    assert_string_equal(f.findings.rows[0].id, "settings.yaml_syntax");
    assert_true(f.findings.rows[0].line > 0);
    folder_drop(&f);
    folder_make(&f, "mode: *a\n"); /* the library itself may refuse it first: there is no anchor */
    folder_load(&f);
    assert_int_equal(f.findings.errors, 1);
    folder_drop(&f);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct folder f;
    char *text = malloc(YAML_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, '#', YAML_BYTES_MAX + 1);
    text[YAML_BYTES_MAX + 1] = '\0';
    folder_make(&f, text);
    folder_load(&f);
    assert_finding(&f, "settings.file_too_large", "gateway.yaml", 0, 0);
    folder_drop(&f);
    free(text);
}

static void keys_have_one_source_and_test_values_stay_in_the_sandbox(void **state)
{
    (void)state;
    assert_refused("mode: live\nkeys:\n  - {name: a, kind: seal, test_value: 0011223344556677}\n",
                   "settings.test_key", 3, 1);
    assert_refused("keys:\n  - {name: a, kind: seal}\n", "settings.key_source", 2, 1);
    assert_refused("keys:\n  - {name: a, kind: seal, file: x, hex_file: y}\n",
                   "settings.key_source", 2, 1);
    assert_refused(
        "keys:\n  - {name: a, kind: seal, file: x}\n  - {name: a, kind: seal, file: y}\n",
        "settings.name_twice", 3, 1);
    assert_refused("keys: {name: a}\n", "settings.type", 1, 7);

    /* A secret that is wrong is not shown, neither in findings nor in what is in force. */
    struct folder f;
    static char text[65536];
    struct writer w = writer_over(text, sizeof text);
    folder_make(&f, "keys:\n  - {name: a, kind: seal, test_value: DEADBEEFDEADBEEG}\n");
    folder_load(&f);
    findings_write(&w, &f.findings);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_text_has(text, "not shown");
    assert_null(strstr(text, "DEADBEEF"));
    folder_drop(&f);
    folder_make(&f, "keys:\n  - {name: a, kind: seal, test_value: deadbeefdeadbeef}\n");
    folder_load(&f);
    assert_int_equal(f.status, STATUS_OK);
    w = writer_over(text, sizeof text);
    settings_show(&w, f.settings);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_text_has(text, "keys.test_value = (secret)    # gateway.yaml:2");
    assert_null(strstr(text, "deadbeef"));
    folder_drop(&f);
}

static void what_only_the_whole_shows(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "region: defualt\n");
    file_write(&f, "channels/a.yaml", "name: a\nadapter: x.so\nrail: qr\nregions: [defaul]\n");
    file_write(&f, "channels/b.yaml", "rail: qr\nadapter: x.so\nname: a\n");
    file_write(&f, "channels/c.yml", "name: c\n");
    file_write(&f, "regions/z.yaml", REGION);
    file_write(&f, "regions/eu.tests.yaml", "region: defalt\ncases: []\n");
    file_write(&f, "regions/w.yml", "region: w\n");
    folder_load(&f);
    assert_text_has(assert_finding(&f, "settings.no_such_region", "gateway.yaml", 1, 1)->message,
                    "did you mean `default`?");
    assert_finding(&f, "settings.no_such_region", "channels/a.yaml", 4, 1);
    assert_finding(&f, "settings.name_twice", "channels/b.yaml", 3, 1);
    assert_finding(&f, "settings.name_twice", "regions/z.yaml", 1, 1);
    assert_text_has(
        assert_finding(&f, "settings.no_such_region", "regions/eu.tests.yaml", 1, 1)->message,
        "did you mean `default`?");
    assert_finding(&f, "settings.file_ignored", "channels", 0, 0);
    assert_finding(&f, "settings.file_ignored", "regions", 0, 0);
    assert_int_equal(f.findings.errors, 5);
    folder_drop(&f);
}

static void files_that_are_not_there(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f, "channels: nowhere\nregions: gateway.yaml\n");
    folder_load(&f);
    assert_finding(&f, "settings.folder", "nowhere", 0, 0);
    assert_finding(&f, "settings.folder", "gateway.yaml", 0, 0);
    settings_free(f.settings);
    findings_clear(&f.findings);
    assert_int_equal(settings_load("/nowhere/at/all", &f.settings, &f.findings), STATUS_MALFORMED);
    assert_string_equal(f.findings.rows[0].id, "settings.file");
    assert_null(f.settings);
    folder_drop(&f);
}

static void names_near_by_are_found(void **state)
{
    (void)state;
    static const char *const names[] = { "listen", "limits", "per_day", "rail" };
    assert_string_equal(finding_did_you_mean(VIEW("lsiten"), names, 4), "listen");
    assert_string_equal(finding_did_you_mean(VIEW("per-day"), names, 4), "per_day");
    assert_string_equal(finding_did_you_mean(VIEW("rails"), names, 4), "rail");
    assert_null(finding_did_you_mean(VIEW("certificate"), names, 4));
    assert_null(finding_did_you_mean(VIEW(""), names, 4));
    char many[200];
    memset(many, 'x', sizeof many);
    assert_null(finding_did_you_mean(view_of(many, sizeof many), names, 4));
}

static void findings_are_bounded(void **state)
{
    (void)state;
    struct findings findings;
    findings_init(&findings);
    for (int i = 0; i < FINDINGS_MAX + 50; i++)
        finding_add(&findings, FINDING_ERROR, "f", 1, 1, "x.y", "number %d", i);
    assert_int_equal(findings.count, FINDINGS_MAX);
    assert_int_equal(findings.dropped, 50);
    assert_int_equal(findings.errors, FINDINGS_MAX + 50);
    static char text[65536];
    struct writer w = writer_over(text, sizeof text);
    findings_write(&w, &findings);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    assert_text_has(text, "f:1:1: error: number 0 [x.y]\n");
    assert_text_has(text, "... and 50 more\n");
    findings_clear(&findings);
}

static void every_row_is_described(void **state)
{
    (void)state;
    static char text[65536];
    struct writer w = writer_over(text, sizeof text);
    settings_describe(&w);
    assert_int_equal(writer_terminate(&w), STATUS_OK);
    static const struct setting_section *const sections[] = {
        &section_gateway,  &section_key,   &section_list, &section_issuer, &section_channel,
        &section_region,   &section_limit, &section_rule, &section_tier,   &section_exemption,
        &section_corridor, &section_field, &section_mask, &section_tests,  &section_case,
    };
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        for (size_t k = 0; k < sections[i]->count; k++) {
            const struct setting_row *row = &sections[i]->rows[k];
            char line[256];
            snprintf(line, sizeof line, "| `%s` | ", row->path);
            assert_text_has(text, line);
            assert_text_has(text, row->sentence);
            assert_int_equal(row->sentence[strlen(row->sentence) - 1], '.');
        }
    }
    assert_text_has(text, "| `limits.body_bytes` | size | 64KiB | 1KiB to 1MiB | ");
    assert_text_has(text, "| `mode` | choice | sandbox | sandbox, live | ");
    assert_text_has(text, "| `adapter` | path | (required) | ");
    assert_text_has(text, "| `max` | list of amounts |  | up to 32 amounts | ");
    assert_text_has(text, "| `fraud_rate_max` | percentage | 100% | 0% to 100% | ");
    assert_text_has(text, "| `for` | list of names |  | merchant, operator | ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nothing_is_given),
        cmocka_unit_test(everything_given_is_read),
        cmocka_unit_test(rails_of_the_rows_are_those_of_the_glossary),
        cmocka_unit_test(a_file_may_be_named_instead_of_the_folder),
        cmocka_unit_test(the_content_hash_follows_the_content),
        cmocka_unit_test(the_shipped_configuration_loads),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(yaml_beyond_plain_values_is_refused),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
        cmocka_unit_test(keys_have_one_source_and_test_values_stay_in_the_sandbox),
        cmocka_unit_test(what_only_the_whole_shows),
        cmocka_unit_test(files_that_are_not_there),
        cmocka_unit_test(names_near_by_are_found),
        cmocka_unit_test(findings_are_bounded),
        cmocka_unit_test(every_row_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
