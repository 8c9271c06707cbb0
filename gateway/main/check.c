/* check.c - `railgate check`: everything that serve would find wrong, all of it at once, without
 * touching network, database or keys' files more than reading.
 *
 *     settings_load      every file: rows, types, ranges, places
 *     policy_open        profiles: facts, conditions, time zones, rules that can never fire
 *     compliance_test    the test cases of the profiles
 *     lists              loaded? fresh?
 *     dry_open           keys, channels and certificates, as serve opens them
 *
 * Warnings alone are no reason to fail a build: exit 0.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "main/dry.h"
#include "main/paint.h"
#include "main/policy.h"

#include <stdlib.h>
#include <time.h>

#define OUT_BYTES ((size_t)4 * 1024 * 1024)

struct check {
    const char *config;
    bool show, json, quiet, verify_all;
    struct settings *settings;
    struct policy *policy;
    struct findings findings, verify;
    struct dry dry;
    struct arena arena;
    struct writer out;    /* lines of keys and channels */
    size_t *cases, *good; /* per region of settings: test cases, and those that passed */
    bool unreadable;
};

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * LOOP_US_PER_S + now.tv_nsec / 1000;
}

/* --- profiles -------------------------------------------------------------------------------- */

/* A tests file speaks of the profile in force, or of the shadow of that name when there is only
 * one. */
static size_t region_index(const struct settings *settings, const char *name)
{
    size_t found = settings->regions_count;
    for (size_t i = 0; i < settings->regions_count; i++) {
        if (strcmp(settings->regions[i].region, name) != 0)
            continue;
        if (!settings->regions[i].shadow)
            return i;
        found = i;
    }
    return found;
}

static const struct profile *compiled(const struct policy *policy,
                                      const struct region_settings *region)
{
    for (size_t i = 0; i < policy->profile_count; i++)
        if (profile_settings(policy->profiles[i]) == region)
            return policy->profiles[i];
    for (size_t i = 0; i < policy->shadow_count; i++)
        if (profile_settings(policy->shadows[i]) == region)
            return policy->shadows[i];
    return NULL;
}

static void run_cases(struct check *check)
{
    const struct settings *s = check->settings;
    for (size_t i = 0; i < s->tests_count; i++) {
        const struct region_tests *tests = &s->tests[i];
        size_t at = region_index(s, tests->region);
        if (at == s->regions_count)
            continue; /* settings_load has said so */
        const struct profile *profile = compiled(check->policy, &s->regions[at]);
        if (profile == NULL)
            continue;
        check->cases[at] += tests->count;
        check->good[at] += compliance_test(profile, tests, s, &check->findings);
    }
}

static bool no_cases(const struct check *check, size_t index)
{
    return check->cases[index] == 0 && !check->settings->regions[index].abstract;
}

static void check_profiles(struct check *check)
{
    const struct settings *s = check->settings;
    check->cases = arena_alloc(&check->arena, (s->regions_count + 1) * sizeof(size_t));
    check->good = arena_alloc(&check->arena, (s->regions_count + 1) * sizeof(size_t));
    if (check->cases == NULL || check->good == NULL)
        return;
    if (policy_open(s, &check->findings, &check->verify, &check->policy) != STATUS_OK) {
        if (check->findings.errors == 0)
            finding_add(&check->findings, FINDING_ERROR, s->file, 0, 0, "check.memory",
                        "the profiles could not be prepared: memory is out");
        return;
    }
    run_cases(check);
    policy_check_lists(check->policy, s, now_us(), &check->findings);
}

/* --- output ---------------------------------------------------------------------------------- */

static void print_findings(const struct check *check, const struct findings *findings)
{
    struct paint paint = paint_for(stdout);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        bool error = row->severity == FINDING_ERROR;
        if (!error && check->quiet)
            continue;
        printf("%s", paint_begin(&paint, COLOUR_BOLD));
        if (row->file[0] != '\0')
            print_safe(stdout, view_text(row->file));
        if (row->line > 0)
            printf(":%u:%u", row->line, row->column);
        printf("%s: %s%s:%s ", paint_end(&paint),
               paint_begin(&paint, error ? COLOUR_RED : COLOUR_YELLOW), error ? "error" : "warning",
               paint_end(&paint));
        print_safe(stdout, view_text(row->message));
        printf(" %s[%s]%s\n", paint_begin(&paint, COLOUR_DIM), row->id, paint_end(&paint));
    }
    if (findings->dropped > 0)
        printf("%zu more are not shown\n", findings->dropped);
}

static void print_regions(struct check *check)
{
    const struct settings *s = check->settings;
    struct paint paint = paint_for(stdout);
    struct table table;
    table_begin(&table, &check->arena, &paint, 8);
    static const char *const head[] = { "REGION", "VERSION", "EXTENDS", "RULES",
                                        "LIMITS", "TIERS",   "CASES",   "TO VERIFY" };
    for (size_t i = 0; i < COUNT_OF(head); i++)
        table_cell(&table, "%s", head[i]);
    for (size_t i = 0; i < s->regions_count; i++) {
        const struct region_settings *r = &s->regions[i];
        table_cell(&table, "%s%s", r->region,
                   r->shadow     ? " (shadow)"
                   : r->abstract ? " (abstract)"
                                 : "");
        table_cell(&table, "%s", r->version);
        table_cell(&table, "%s", r->extends[0] != '\0' ? r->extends : "-");
        table_cell(&table, "%zu",
                   r->rules_count + r->corridors_count + r->fields_count + r->exemptions_count);
        table_cell(&table, "%zu", r->limits_count);
        table_cell(&table, "%zu", r->tiers_count);
        if (no_cases(check, i))
            table_cell(&table, "none");
        else
            table_cell(&table, "%zu/%zu", check->good[i], check->cases[i]);
        table_cell(&table, "%zu", policy_unverified(r));
    }
    if (s->regions_count > 0) {
        printf("\n");
        table_print(&table, stdout);
        printf("\n");
    }
}

static size_t warnings_of(const struct check *check)
{
    return check->findings.warnings + check->verify.warnings;
}

static size_t errors_of(const struct check *check)
{
    return check->findings.errors + check->verify.errors + check->dry.errors;
}

static int code_of(const struct check *check)
{
    if (check->unreadable)
        return EXIT_COULD_NOT;
    return errors_of(check) > 0 ? EXIT_FINDINGS : EXIT_GOOD;
}

static void print_verify(struct check *check)
{
    size_t figures = check->verify.warnings; /* one that is inherited counts once */
    if (check->verify_all)
        print_findings(check, &check->verify);
    else if (figures > 0 && !check->quiet)
        printf("%zu figure%s still to be verified against %s source; --verify lists them\n",
               figures, figures == 1 ? "" : "s", figures == 1 ? "its" : "their");
}

static void print_text(struct check *check)
{
    size_t errors = errors_of(check), warnings = warnings_of(check);
    const struct settings *s = check->settings;
    print_findings(check, &check->findings);
    cli_print(writer_done(&check->out));
    if (s != NULL && !check->quiet)
        print_regions(check);
    if (s != NULL)
        print_verify(check);
    if (check->show && s != NULL) {
        check->out.len = 0;
        settings_show(&check->out, s);
        cli_print(writer_done(&check->out));
    }
    if (errors > 0 || s == NULL) {
        printf("%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
               warnings == 1 ? "" : "s");
        return;
    }
    size_t channels = channels_count(check->dry.channels);
    printf("%s is good: %zu channel%s, %zu region%s, %zu warning%s\n", s->folder, channels,
           channels == 1 ? "" : "s", s->regions_count, s->regions_count == 1 ? "" : "s", warnings,
           warnings == 1 ? "" : "s");
}

static void put_findings(struct json_out *j, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        json_open_object(j, NULL);
        json_put_text(j, "file", view_text(row->file));
        json_put_i64(j, "line", row->line);
        json_put_i64(j, "column", row->column);
        json_put_text(j, "severity",
                      row->severity == FINDING_ERROR ? VIEW("error") : VIEW("warning"));
        json_put_text(j, "id", view_text(row->id));
        json_put_text(j, "message", view_text(row->message));
        json_close_object(j);
    }
}

static void put_regions(struct json_out *j, const struct check *check)
{
    for (size_t i = 0; i < check->settings->regions_count; i++) {
        const struct region_settings *r = &check->settings->regions[i];
        json_open_object(j, NULL);
        json_put_text(j, "region", view_text(r->region));
        json_put_text(j, "version", view_text(r->version));
        json_put_text_if(j, "extends", view_text(r->extends));
        json_put_text(j, "content_hash", view_text(r->content_hash));
        json_put_bool(j, "abstract", r->abstract);
        json_put_bool(j, "shadow", r->shadow);
        json_put_i64(j, "rules", (int64_t)r->rules_count);
        json_put_i64(j, "limits", (int64_t)r->limits_count);
        json_put_i64(j, "tiers", (int64_t)r->tiers_count);
        json_put_i64(j, "exemptions", (int64_t)r->exemptions_count);
        json_put_i64(j, "corridors", (int64_t)r->corridors_count);
        json_put_i64(j, "fields", (int64_t)r->fields_count);
        json_put_i64(j, "cases", (int64_t)check->cases[i]);
        json_put_i64(j, "cases_passed", (int64_t)check->good[i]);
        json_put_i64(j, "to_verify", (int64_t)policy_unverified(r));
        json_close_object(j);
    }
}

static void put_lines(struct json_out *j, struct view lines)
{
    while (lines.len > 0) {
        size_t end = view_find(lines, '\n');
        if (end > 0)
            json_put_text(j, NULL, view_slice(lines, 0, end));
        lines = view_slice(lines, end + 1, lines.len);
    }
}

static bool print_json(struct check *check)
{
    char *text = malloc(OUT_BYTES);
    struct writer w = writer_over(text, text != NULL ? OUT_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "result",
                  errors_of(check) > 0 || check->settings == NULL ? VIEW("findings")
                                                                  : VIEW("good"));
    json_put_i64(&j, "errors", (int64_t)errors_of(check));
    json_put_i64(&j, "warnings", (int64_t)warnings_of(check));
    json_open_array(&j, "findings");
    put_findings(&j, &check->findings);
    if (check->verify_all)
        put_findings(&j, &check->verify);
    json_close_array(&j);
    json_open_array(&j, "channel_errors");
    put_lines(&j, writer_done(&check->out));
    json_close_array(&j);
    json_open_array(&j, "regions");
    if (check->settings != NULL && check->cases != NULL)
        put_regions(&j, check);
    json_close_array(&j);
    json_put_i64(&j, "channels",
                 check->dry.channels != NULL ? (int64_t)channels_count(check->dry.channels) : 0);
    json_close_object(&j);
    writer_text(&w, "\n");
    bool good = !w.overflow;
    if (good)
        cli_print(writer_done(&w));
    free(text);
    return good;
}

/* --- the command ----------------------------------------------------------------------------- */

static int run_check(struct check *check)
{
    enum status loaded = settings_load(check->config, &check->settings, &check->findings);
    check->unreadable = check->findings.count > 0 && check->findings.rows[0].line == 0 &&
                        check->findings.errors == 1 &&
                        strcmp(check->findings.rows[0].id, "settings.file") == 0 &&
                        loaded != STATUS_OK;
    check->unreadable = check->unreadable || loaded == STATUS_NO_MEMORY;
    if (loaded == STATUS_OK) {
        check_profiles(check);
        if (check->cases == NULL || check->good == NULL ||
            dry_open(&check->dry, check->settings, &check->out) != STATUS_OK) {
            fprintf(stderr, "railgate check: memory is out\n");
            return EXIT_COULD_NOT;
        }
        dry_open_tls(&check->dry, &check->out);
    }
    if (!check->json)
        print_text(check);
    else if (!print_json(check))
        return EXIT_COULD_NOT;
    return code_of(check);
}

int command_check(int argc, char **argv)
{
    struct check check = { .config = "config" };
    const struct option_row rows[] = {
        OPTION_CONFIG(&check.config),
        { "quiet", NULL, "Only errors and the last line.", NULL, &check.quiet },
        { "verify", NULL, "Also list every figure that still has to be verified.", NULL,
          &check.verify_all },
        { "show", NULL, "Also print every setting that is in force, and where it comes from.", NULL,
          &check.show },
        { "json", NULL, "Print one JSON object.", NULL, &check.json },
    };
    const struct usage usage = {
        .command = "check",
        .sentence =
            "Checks the configuration, runs the test cases of its region profiles, looks at "
            "sanctions lists\nand opens the adapters that it names. No network.",
        .arguments = "[DIR]",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count == 1)
        check.config = argv[1];
    char *text = malloc(OUT_BYTES);
    if (text == NULL)
        return EXIT_COULD_NOT;
    check.out = writer_over(text, OUT_BYTES);
    arena_init(&check.arena, (size_t)16 * 1024 * 1024);
    findings_init(&check.findings);
    findings_init(&check.verify);
    int code = run_check(&check);
    dry_close(&check.dry);
    policy_free(check.policy);
    findings_clear(&check.findings);
    findings_clear(&check.verify);
    arena_reset(&check.arena);
    settings_free(check.settings);
    free(text);
    return code;
}
