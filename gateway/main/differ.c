/* differ.c - `railgate diff` and `railgate backtest`: what another version of a profile would
 * change, in words and in recorded payments.
 *
 * A version is named by a file, by a region (the one that the configuration holds), or by
 * region@version (of the history in the records).
 *
 * backtest decides every recorded payment twice, by the profile that the configuration holds and by
 * the new one, from the same facts: those that were recorded with the payment. So what is compared
 * is the text of the profiles and nothing else. What it cannot know it says: sums and counts over
 * other payments, and accounts that were recorded masked.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "main/deciding.h"
#include "main/paint.h"
#include "main/policy.h"
#include "main/replace.h"
#include "payment/render.h"

#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)256 * 1024)
#define OUT_BYTES      ((size_t)1024 * 1024)
#define GROUPS_MAX     64
#define EXAMPLES_MAX   3

/* --- versions -------------------------------------------------------------------------------- */

struct versions {
    const char *command, *config;
    struct settings *settings;
    struct cli_store cli; /* opened when the history is asked for */
    bool cli_open;
    struct arena arena;
};

static bool is_file(const char *name)
{
    return strchr(name, '/') != NULL || strcmp(name, "-") == 0 || access(name, R_OK) == 0;
}

static bool from_history(struct versions *v, const char *name, struct view *text)
{
    const char *at = strchr(name, '@');
    struct view region = view_of(name, (size_t)(at - name)), version = view_text(at + 1);
    if (!v->cli_open && !cli_store_open(&v->cli, v->config, true))
        return false;
    v->cli_open = true;
    struct store_read read = { .more = true };
    for (int64_t after = 0; read.more;) {
        read = (struct store_read){
            .question = STORE_PROFILES, .arena = &v->arena, .region = region, .after = after
        };
        if (cli_ask(&v->cli, &read) != STATUS_OK) {
            fprintf(stderr, "railgate %s: the history cannot be read: %s\n", v->command,
                    status_text(read.result));
            return false;
        }
        for (size_t i = 0; i < read.count; i++) {
            after = read.profiles[i].seq;
            if (view_equal(read.profiles[i].version, version)) {
                *text = read.profiles[i].text;
                return true;
            }
        }
        read.more = read.more && read.count > 0;
    }
    fprintf(stderr,
            "railgate %s: no version `%s` was ever in force; see railgate profile history\n",
            v->command, name);
    return false;
}

/* NULL: said on stderr. compiled may be NULL. */
static const struct region_settings *version_of(struct versions *v, const char *name,
                                                struct profile **compiled)
{
    struct view text = VIEW_EMPTY;
    struct region_settings *region = NULL;
    struct findings findings;
    const struct region_settings *known = NULL;
    if (is_file(name)) {
        enum status status = file_read(name, FILE_BYTES_MAX, &v->arena, &text);
        if (status != STATUS_OK) {
            fprintf(stderr, "railgate %s: %s cannot be read: %s\n", v->command, name,
                    status_text(status));
            return NULL;
        }
    } else if (strchr(name, '@') != NULL) {
        if (!from_history(v, name, &text))
            return NULL;
    } else if ((known = settings_region(v->settings, view_text(name))) == NULL) {
        fprintf(stderr, "railgate %s: `%s` is neither a file nor a region of %s\n", v->command,
                name, v->settings->folder);
        return NULL;
    }
    if (known != NULL && compiled == NULL)
        return known;
    if (known != NULL)
        text = known->text;
    findings_init(&findings);
    enum status status = policy_compile_text(v->settings, text, known != NULL ? known->file : name,
                                             &v->arena, &findings, &region, compiled);
    if (status != STATUS_OK)
        cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    return status == STATUS_OK ? region : NULL;
}

static bool versions_open(struct versions *v, const char *command, const char *config)
{
    *v = (struct versions){ .command = command, .config = config };
    arena_init(&v->arena, (size_t)256 * 1024 * 1024);
    v->settings = cli_settings_load(config);
    return v->settings != NULL;
}

static void versions_close(struct versions *v)
{
    if (v->cli_open)
        cli_store_close(&v->cli);
    arena_reset(&v->arena);
    settings_free(v->settings);
}

/* --- diff ------------------------------------------------------------------------------------ */

static void print_changes(struct view lines)
{
    struct paint paint = paint_for(stdout);
    while (lines.len > 0) {
        size_t end = view_find(lines, '\n');
        struct view line = view_slice(lines, 0, end);
        char text[128];
        struct writer w = writer_over(text, sizeof text - 1);
        writer_view(&w, view_slice(line, 0, 120));
        text[w.len] = '\0';
        enum colour colour = strstr(text, ": added") != NULL     ? COLOUR_GREEN
                             : strstr(text, ": removed") != NULL ? COLOUR_RED
                                                                 : COLOUR_YELLOW;
        printf("%s", paint_begin(&paint, colour));
        print_safe(stdout, line);
        printf("%s\n", paint_end(&paint));
        lines = view_slice(lines, end + 1, lines.len);
    }
}

static void print_changes_json(const struct region_settings *old, const struct region_settings *new,
                               struct view lines, struct arena *arena)
{
    size_t room = 4096 + 6 * lines.len;
    char *text = arena_alloc(arena, room);
    struct writer w = writer_over(text, text != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "region", view_text(new->region));
    json_put_text(&j, "old", view_text(old->version));
    json_put_text(&j, "new", view_text(new->version));
    json_open_array(&j, "changes");
    while (lines.len > 0) {
        size_t end = view_find(lines, '\n');
        json_put_text(&j, NULL, view_slice(lines, 0, end));
        lines = view_slice(lines, end + 1, lines.len);
    }
    json_close_array(&j);
    json_close_object(&j);
    writer_text(&w, "\n");
    cli_print(writer_done(&w));
}

static int diff_with(struct versions *v, const char *old_name, const char *new_name, bool json)
{
    const struct region_settings *old = version_of(v, old_name, NULL);
    const struct region_settings *new = version_of(v, new_name, NULL);
    char *text = arena_alloc(&v->arena, OUT_BYTES);
    if (old == NULL || new == NULL || text == NULL)
        return EXIT_COULD_NOT;
    struct writer w = writer_over(text, OUT_BYTES);
    settings_region_diff(&w, old, new);
    if (json)
        print_changes_json(old, new, writer_done(&w), &v->arena);
    else if (w.len == 0)
        printf("nothing changes: all values are the same\n");
    else
        print_changes(writer_done(&w));
    return w.len == 0 ? EXIT_GOOD : EXIT_FINDINGS;
}

int command_diff(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = {
        .command = "diff",
        .sentence = "Says in words what changes from one version of a region profile to another.",
        .more = "OLD and NEW are each a file, a region (as configured), or region@version (of the "
                "history).\nExit code: 0 nothing changes, 1 something does.",
        .arguments = "OLD NEW",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 2
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 2) {
        fprintf(stderr, "railgate diff: give two versions: OLD NEW. See railgate diff --help.\n");
        return EXIT_COULD_NOT;
    }
    struct versions v;
    int code =
        versions_open(&v, "diff", config) ? diff_with(&v, argv[1], argv[2], json) : EXIT_COULD_NOT;
    versions_close(&v);
    return code;
}

/* --- backtest -------------------------------------------------------------------------------- */

struct group {
    enum verdict was, would_be;
    const char *rule; /* "limit.single", or "no reason" */
    size_t count;
    int64_t examples[EXAMPLES_MAX];
    const char *text; /* of the first */
};

struct backtest {
    struct versions v;
    struct policy *policy;
    const struct profile *now;
    struct profile *then;
    const char *region;
    int64_t since_us;
    size_t seen, other_region, unreadable, otherwise, counted;
    struct group groups[GROUPS_MAX];
    size_t group_count;
    bool more_groups;
};

/* The reason that decides: the strictest one of the stricter of both decisions. */
static const struct decision_reason *deciding_reason(const struct decision *was,
                                                     const struct decision *would_be)
{
    const struct decision *side = would_be->verdict != VERDICT_ALLOW ? would_be : was;
    for (size_t i = 0; i < side->reason_count; i++)
        if (side->reasons[i].verdict == side->verdict)
            return &side->reasons[i];
    return NULL;
}

static void count_difference(struct backtest *b, int64_t id, const struct decision *was,
                             const struct decision *would_be)
{
    const struct decision_reason *reason = deciding_reason(was, would_be);
    const char *rule = reason != NULL ? reason->rule : "authentication";
    b->otherwise++;
    for (size_t i = 0; i < b->group_count; i++) {
        struct group *group = &b->groups[i];
        if (group->was != was->verdict || group->would_be != would_be->verdict ||
            strcmp(group->rule, rule) != 0)
            continue;
        if (group->count < EXAMPLES_MAX)
            group->examples[group->count] = id;
        group->count++;
        return;
    }
    if (b->group_count == GROUPS_MAX) {
        b->more_groups = true;
        return;
    }
    const char *text = reason != NULL ? arena_text(&b->v.arena, view_text(reason->text)) : "";
    b->groups[b->group_count++] = (struct group){ .was = was->verdict,
                                                  .would_be = would_be->verdict,
                                                  .rule = rule,
                                                  .count = 1,
                                                  .examples = { id },
                                                  .text = text != NULL ? text : "" };
}

static void decide_again(struct backtest *b, const struct payment_row *row, struct arena *arena)
{
    size_t room = 8192 + row->facts_json.len + row->outcome_json.len;
    char *text = arena_alloc(arena, room), sentence[256];
    struct writer w = writer_over(text, text != NULL ? room : 0);
    struct writer why = writer_over(sentence, sizeof sentence);
    struct json_out j;
    const struct json_node *root = NULL;
    struct compliance_facts facts;
    struct view region = VIEW_EMPTY;
    struct decision was, would_be;
    struct screened screened;
    struct json_limits limits = { .bytes_max = room, .nodes_max = 16384, .depth_max = 24 };
    json_out_init(&j, &w);
    render_payment(&j, NULL, row);
    if (w.overflow || json_read(writer_done(&w), &limits, arena, &root, NULL) != STATUS_OK ||
        deciding_facts(root, b->v.settings, row->created_us, &facts, &why) != STATUS_OK) {
        b->unreadable++;
        return;
    }
    IGNORE_STATUS(json_text(json_member(json_member(root, "decision"), "profile"), &region));
    if (!view_equal_nocase(region, view_text(b->region))) {
        b->other_region++;
        return;
    }
    b->seen++;
    policy_look_up(b->policy, b->now, &facts, &screened);
    compliance_decide(b->now, &facts, NULL, &was);
    policy_look_up(b->policy, b->then, &facts, &screened);
    compliance_decide(b->then, &facts, NULL, &would_be);
    b->counted += would_be.reservation_count > 0;
    if (was.verdict != would_be.verdict)
        count_difference(b, row->id, &was, &would_be);
}

static bool read_payments(struct backtest *b)
{
    struct arena arena;
    struct store_read read = { .more = true };
    bool good = true, recent = true;
    arena_init(&arena, (size_t)64 * 1024 * 1024);
    for (int64_t after = 0; good && recent && read.more;) {
        arena_reset(&arena);
        read = (struct store_read){ .question = STORE_PAYMENTS, .arena = &arena, .after = after };
        good = cli_ask(&b->v.cli, &read) == STATUS_OK;
        for (size_t i = 0; good && recent && i < read.count; i++) {
            recent = read.payments[i].created_us >= b->since_us;
            if (recent)
                decide_again(b, &read.payments[i], &arena);
            after = read.payments[i].id;
        }
        read.more = read.more && read.count > 0;
    }
    if (!good)
        fprintf(stderr, "railgate backtest: the records cannot be read: %s\n",
                status_text(read.result));
    arena_reset(&arena);
    return good;
}

static const char *const unknown_text =
    "Not known here: sums and counts over other payments (each is taken to fit), accounts and "
    "numbers "
    "that are\nrecorded masked or not at all, and lists as they were then (today's are used). Both "
    "profiles are taken as in\nforce at every payment's time.";

static void print_backtest(const struct backtest *b, const struct region_settings *new)
{
    struct paint paint = paint_for(stdout);
    printf("%zu payment%s of %s, %s -> %s: %s%zu would be decided otherwise%s\n", b->seen,
           b->seen == 1 ? "" : "s", b->region, profile_settings(b->now)->version, new->version,
           paint_begin(&paint, b->otherwise > 0 ? COLOUR_YELLOW : COLOUR_GREEN), b->otherwise,
           paint_end(&paint));
    for (size_t i = 0; i < b->group_count; i++) {
        const struct group *group = &b->groups[i];
        printf("\n  %zu  %s -> %s%s%s by %s\n", group->count, verdict_word(group->was),
               paint_begin(&paint, colour_of_verdict(group->would_be)),
               verdict_word(group->would_be), paint_end(&paint), group->rule);
        if (group->text[0] != '\0') {
            printf("     e.g. ");
            print_safe(stdout, view_text(group->text));
            printf("\n");
        }
        printf("    ");
        for (size_t k = 0; k < EXAMPLES_MAX && k < group->count; k++) {
            char id[ID_TEXT_MAX];
            printf(" %s", id_format(ID_PAYMENT, group->examples[k], id));
        }
        printf("\n");
    }
    if (b->more_groups)
        printf("\nfurther reasons are not shown\n");
    printf("\n");
    if (b->counted > 0)
        printf("%zu of them would also be counted against limits.\n", b->counted);
    if (b->unreadable > 0)
        printf("%zu payments could not be read as requests and are left out.\n", b->unreadable);
    printf("%s\n", unknown_text);
}

static bool print_backtest_json(struct backtest *b, const struct region_settings *new)
{
    char *text = arena_alloc(&b->v.arena, OUT_BYTES);
    struct writer w = writer_over(text, text != NULL ? OUT_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "region", view_text(b->region));
    json_put_text(&j, "old", view_text(profile_settings(b->now)->version));
    json_put_text(&j, "new", view_text(new->version));
    json_put_i64(&j, "payments", (int64_t)b->seen);
    json_put_i64(&j, "of_other_regions", (int64_t)b->other_region);
    json_put_i64(&j, "unreadable", (int64_t)b->unreadable);
    json_put_i64(&j, "otherwise", (int64_t)b->otherwise);
    json_put_i64(&j, "counted", (int64_t)b->counted);
    json_open_array(&j, "groups");
    for (size_t i = 0; i < b->group_count; i++) {
        const struct group *group = &b->groups[i];
        json_open_object(&j, NULL);
        json_put_text(&j, "was", view_text(verdict_word(group->was)));
        json_put_text(&j, "would_be", view_text(verdict_word(group->would_be)));
        json_put_text(&j, "rule", view_text(group->rule));
        json_put_text(&j, "text", view_text(group->text));
        json_put_i64(&j, "count", (int64_t)group->count);
        json_open_array(&j, "examples");
        for (size_t k = 0; k < EXAMPLES_MAX && k < group->count; k++) {
            char id[ID_TEXT_MAX];
            json_put_text(&j, NULL, view_text(id_format(ID_PAYMENT, group->examples[k], id)));
        }
        json_close_array(&j);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_put_text(&j, "not_known", view_text(unknown_text));
    json_close_object(&j);
    writer_text(&w, "\n");
    cli_print(writer_done(&w));
    return !w.overflow;
}

/* In force always: a backtest asks what the rules say, not since when. */
static bool compile_timeless(struct backtest *b, const struct region_settings *region,
                             struct profile **out)
{
    struct region_settings *copy = ARENA_NEW(&b->v.arena, struct region_settings);
    struct findings findings;
    if (copy == NULL)
        return false;
    *copy = *region;
    copy->effective_from_us = 0;
    copy->effective_until_us = 0;
    findings_init(&findings);
    enum status status = compliance_compile(copy, b->v.settings, &b->v.arena, &findings, out);
    if (status != STATUS_OK)
        cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    return status == STATUS_OK;
}

static int backtest_with(struct backtest *b, const char *name, bool json)
{
    const struct region_settings *new = version_of(&b->v, name, NULL);
    struct findings findings;
    struct profile *now = NULL;
    if (new == NULL)
        return EXIT_COULD_NOT;
    if (b->region == NULL)
        b->region = new->region;
    const struct region_settings *known = settings_region(b->v.settings, view_text(b->region));
    if (known == NULL) {
        fprintf(stderr,
                "railgate backtest: there is no region `%s` to compare with; --region names "
                "one.\n",
                b->region);
        return EXIT_COULD_NOT;
    }
    b->region = known->region;
    findings_init(&findings);
    enum status status = policy_open(b->v.settings, &findings, NULL, &b->policy);
    if (status != STATUS_OK)
        cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    if (status != STATUS_OK || !compile_timeless(b, known, &now) ||
        !compile_timeless(b, new, &b->then))
        return EXIT_COULD_NOT;
    b->now = now;
    if (!b->v.cli_open && !cli_store_open(&b->v.cli, b->v.config, true))
        return EXIT_COULD_NOT;
    b->v.cli_open = true;
    if (!read_payments(b))
        return EXIT_COULD_NOT;
    if (!json)
        print_backtest(b, new);
    else if (!print_backtest_json(b, new))
        return EXIT_COULD_NOT;
    return b->otherwise > 0 ? EXIT_FINDINGS : EXIT_GOOD;
}

int command_backtest(int argc, char **argv)
{
    struct backtest *b = calloc(1, sizeof *b);
    const char *config = "config", *since = "30d", *region = NULL;
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "since", "DURATION", "How far back: 90m, 12h, 30d. Default: 30d", &since, NULL },
        { "region", "NAME", "Payments of this region. Default: the one that NEW is for", &region,
          NULL },
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = {
        .command = "backtest",
        .sentence =
            "Decides recorded payments again, by the profile as configured and by a new one, "
            "and tells which\nwould come out otherwise.",
        .more = "NEW is a file, or region@version of the history. Exit code: 0 none would, 1 some.",
        .arguments = "NEW",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count, code = EXIT_COULD_NOT;
    int64_t age_us = 0;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read == OPTIONS_HELP)
        code = EXIT_GOOD;
    else if (read == OPTIONS_GO && count != 1)
        fprintf(stderr, "railgate backtest: give one profile, a file or region@version.\n");
    else if (read == OPTIONS_GO && (!cli_read_duration(since, 36600, &age_us) || age_us == 0))
        fprintf(stderr, "railgate backtest: --since takes a duration such as 90m, 12h or 30d.\n");
    else if (read == OPTIONS_GO && b != NULL) {
        if (versions_open(&b->v, "backtest", config)) {
            b->region = region;
            b->since_us = deciding_now() - age_us;
            code = backtest_with(b, argv[1], json);
        }
        policy_free(b->policy);
        versions_close(&b->v);
    }
    free(b);
    return code;
}
