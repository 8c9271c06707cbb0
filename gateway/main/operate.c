/* operate.c - what an operator asks of a running gateway: `railgate reload`, `profile`, `review`.
 *
 * All but `profile history` speak over the gateway's socket; history reads the records, so it works
 * whether a gateway runs or not.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "domain/time.h"
#include "main/admin_client.h"
#include "main/paint.h"
#include "json/json_read.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)32 * 1024 * 1024)

/* Asks the gateway; answers an exit code when that is all there is to say. */
static int ask_gateway(const char *command, const char *config, const char *method,
                       const char *path, struct view body, struct arena *arena,
                       struct admin_answer *answer)
{
    struct settings *settings = cli_gateway_load(config);
    if (settings == NULL)
        return EXIT_COULD_NOT;
    enum status status = admin_request(settings->admin_socket, method, path, body, arena, answer);
    if (status != STATUS_OK)
        admin_complain(command, settings->admin_socket, status);
    settings_free(settings);
    if (status != STATUS_OK)
        return EXIT_COULD_NOT;
    return answer->http_status < 400 ? EXIT_GOOD : EXIT_FINDINGS;
}

static struct view text_at(const struct json_node *node, const char *name)
{
    struct view text = VIEW_EMPTY;
    IGNORE_STATUS(json_text(json_member(node, name), &text));
    return text;
}

static const struct json_node *answer_tree(const struct admin_answer *answer, struct arena *arena)
{
    const struct json_node *root = NULL;
    struct json_limits limits = { .bytes_max = (size_t)4 * 1024 * 1024,
                                  .nodes_max = 262144,
                                  .depth_max = 24 };
    if (json_read(answer->body, &limits, arena, &root, NULL) != STATUS_OK)
        return NULL;
    return root;
}

/* --- reload, rollback ------------------------------------------------------------------------ */

static void print_list(const struct json_node *row)
{
    int64_t entries = 0, days = 0;
    bool usable = false;
    IGNORE_STATUS(json_i64(json_member(row, "entries"), &entries));
    IGNORE_STATUS(json_i64(json_member(row, "days_old"), &days));
    IGNORE_STATUS(json_bool(json_member(row, "usable"), &usable));
    printf("  list ");
    print_safe(stdout, text_at(row, "list"));
    printf(": %lld entries, %lld days old%s\n", (long long)entries, (long long)days,
           usable ? "" : "; IT MAY NOT BE USED: payments that need it are denied");
}

static void print_reloaded(const struct json_node *root)
{
    const struct json_node *regions = json_member(root, "regions");
    const struct json_node *restart = json_member(root, "needs_restart");
    printf("reloaded\n");
    for (const struct json_node *row = regions != NULL ? regions->first : NULL; row != NULL;
         row = row->next) {
        struct view region = text_at(row, "region"), old = text_at(row, "old"),
                    new = text_at(row, "new");
        printf("  ");
        print_safe(stdout, region);
        if (json_member(row, "shadow") != NULL)
            printf(" (shadow)");
        printf("  ");
        print_safe(stdout, old.len > 0 ? old : VIEW("(new)"));
        printf(" -> ");
        print_safe(stdout, new.len > 0 ? new : VIEW("(removed)"));
        printf("%s\n", old.len > 0 && view_equal(old, new)
                           ? ", with other words: give it a new version"
                           : "");
    }
    if (regions == NULL || regions->first == NULL)
        printf("  no profile has changed\n");
    if (text_at(root, "kept").len > 0) {
        printf("  what the file held before: ");
        print_safe(stdout, text_at(root, "kept"));
        printf("\n");
    }
    const struct json_node *lists = json_member(root, "lists");
    for (const struct json_node *row = lists != NULL ? lists->first : NULL; row != NULL;
         row = row->next)
        print_list(row);
    for (const struct json_node *row = restart != NULL ? restart->first : NULL; row != NULL;
         row = row->next) {
        printf("  needs a restart: ");
        print_safe(stdout, row->text);
        printf("\n");
    }
}

static int finish_reload(const char *command, int code, bool json,
                         const struct admin_answer *answer, struct arena *arena)
{
    if (code == EXIT_COULD_NOT)
        return code;
    const struct json_node *root = answer_tree(answer, arena);
    if (json) {
        cli_print(answer->body);
        cli_print(VIEW("\n"));
    } else if (code == EXIT_GOOD && root != NULL) {
        print_reloaded(root);
    } else {
        admin_print_problem(command, answer, arena);
    }
    return code;
}

int command_reload(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print the gateway's answer as JSON.", NULL, &json },
    };
    const struct usage usage = {
        .command = "reload",
        .sentence = "Loads region profiles and sanctions lists anew into the running gateway (like "
                    "SIGHUP).\nPayments go on; when anything is wrong, nothing changes.",
        .more = "Exit code: 0 reloaded, 1 nothing was, 2 no gateway answers.",
        .arguments = "",
        .options = rows,
        .option_count = COUNT_OF(rows)
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct arena arena;
    struct admin_answer answer = { 0 };
    arena_init(&arena, ARENA_BYTES);
    int code = ask_gateway("reload", config, "POST", "/reload", VIEW_EMPTY, &arena, &answer);
    code = finish_reload("reload", code, json, &answer, &arena);
    arena_reset(&arena);
    return code;
}

static int profile_rollback(int argc, char **argv)
{
    const char *config = "config", *by = NULL;
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "by", "NAME", "Who asks for it; stands in the journal.", &by, NULL },
        { "json", NULL, "Print the gateway's answer as JSON.", NULL, &json },
    };
    const struct usage usage = {
        .command = "profile rollback",
        .sentence =
            "Writes an older version of a profile back into its file and reloads. SEQ is the "
            "number that\n`railgate profile history` shows; the version before the one in "
            "force when left out.",
        .more = "Words of the file that were never in force stay beside it, as "
                "FILE.kept-TIME; a file that cannot be\nread is not written over.",
        .arguments = "REGION [SEQ] --by NAME",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 2
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    uint64_t seq = 0;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count < 1 || by == NULL ||
        (count == 2 &&
         (view_to_u64(view_text(argv[2]), INT64_MAX, &seq) != STATUS_OK || seq == 0))) {
        fprintf(stderr,
                "railgate profile rollback: give a region, perhaps a number of its history, "
                "and --by NAME.\n");
        return EXIT_COULD_NOT;
    }
    struct arena arena;
    struct admin_answer answer = { 0 };
    uint8_t body[1024];
    char path[128];
    struct writer w = writer_over(body, sizeof body);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    if (seq != 0)
        json_put_i64(&j, "seq", (int64_t)seq);
    json_put_text(&j, "by", view_text(by));
    json_close_object(&j);
    if (w.overflow) {
        fprintf(stderr, "railgate profile rollback: --by takes a name, and this is too long.\n");
        return EXIT_COULD_NOT;
    }
    if (strspn(argv[1], "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(argv[1]) ||
        snprintf(path, sizeof path, "/profiles/%s/rollback", argv[1]) >= (int)sizeof path) {
        fprintf(stderr, "railgate profile rollback: there is no such region\n");
        return EXIT_FINDINGS;
    }
    arena_init(&arena, ARENA_BYTES);
    int code =
        ask_gateway("profile rollback", config, "POST", path, writer_done(&w), &arena, &answer);
    code = finish_reload("profile rollback", code, json, &answer, &arena);
    arena_reset(&arena);
    return code;
}

/* --- history --------------------------------------------------------------------------------- */

static void put_version(struct json_out *j, const struct profile_row *row)
{
    json_open_object(j, NULL);
    json_put_i64(j, "seq", row->seq);
    json_put_time(j, "at", row->at_us);
    json_put_text(j, "region", row->region);
    json_put_text(j, "version", row->version);
    json_put_text(j, "content_hash", row->content_hash);
    json_put_text(j, "by", row->by);
    json_close_object(j);
}

struct history {
    bool json;
    struct arena arena; /* of the table; a page holds whole profiles, and goes */
    struct table table;
    size_t total;
};

static enum status print_version_json(const struct history *h, const struct profile_row *row,
                                      struct arena *page)
{
    size_t size = 1024 + 6 * (row->region.len + row->version.len + row->content_hash.len +
                              row->by.len); /* an escape takes six letters */
    uint8_t *room = arena_alloc(page, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    put_version(&j, row);
    TRY(writer_status(&w));
    cli_print(h->total > 0 ? VIEW(",") : VIEW("["));
    cli_print(writer_done(&w));
    return STATUS_OK;
}

static void add_version(struct history *h, const struct profile_row *row)
{
    char at[40];
    struct writer w = writer_over(at, sizeof at - 1);
    time_format(&w, row->at_us);
    at[w.len] = '\0';
    table_cell(&h->table, "%lld", (long long)row->seq);
    table_cell(&h->table, "%s", at);
    table_cell(&h->table, "%.*s%s", (int)row->version.len, (const char *)row->version.ptr,
               h->total == 0 ? " (in force)" : "");
    table_cell(&h->table, "%.*s", 12, (const char *)row->content_hash.ptr);
    table_cell(&h->table, "%.*s", (int)row->by.len, (const char *)row->by.ptr);
}

static enum status each_version(struct cli_store *cli, struct history *h, struct view region)
{
    struct arena page;
    struct store_read read = { .question = STORE_PROFILES, .arena = &page, .region = region };
    enum status status;
    arena_init(&page, ARENA_BYTES);
    do {
        status = cli_ask_page(cli, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++, h->total++) {
            if (h->json)
                status = print_version_json(h, &read.profiles[i], &page);
            else
                add_version(h, &read.profiles[i]);
        }
    } while (status == STATUS_OK && read.more);
    arena_reset(&page);
    return status;
}

static enum status print_history(struct cli_store *cli, struct view region, bool json,
                                 size_t *total)
{
    static const char *const head[] = { "SEQ", "SINCE", "VERSION", "HASH", "BY" };
    struct paint paint = paint_for(stdout);
    struct history h = { .json = json };
    arena_init(&h.arena, ARENA_BYTES);
    table_begin(&h.table, &h.arena, &paint, COUNT_OF(head));
    for (size_t i = 0; i < COUNT_OF(head); i++)
        table_cell(&h.table, "%s", head[i]);
    enum status status = each_version(cli, &h, region);
    *total = h.total;
    if (status == STATUS_OK && h.total > 0 && json)
        cli_print(VIEW("]\n"));
    else if (status == STATUS_OK && h.total > 0)
        table_print(&h.table, stdout);
    arena_reset(&h.arena);
    return status;
}

static int profile_history(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print a JSON array.", NULL, &json },
    };
    const struct usage usage = { .command = "profile history",
                                 .sentence = "Lists the versions of a profile that were in force, "
                                             "newest first.",
                                 .arguments = "REGION",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 1 };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1) {
        fprintf(stderr, "railgate profile history: give the name of a region.\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    size_t total = 0;
    enum status status = print_history(&cli, view_text(argv[1]), json, &total);
    if (status != STATUS_OK)
        fprintf(stderr, "railgate profile history: %s\n", status_text(status));
    else if (total == 0)
        fprintf(stderr, "railgate profile history: no version of `%s` was ever in force\n",
                argv[1]);
    cli_store_close(&cli);
    return status != STATUS_OK ? EXIT_COULD_NOT : total == 0 ? EXIT_FINDINGS : EXIT_GOOD;
}

int command_profile(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "history") == 0)
        return profile_history(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "rollback") == 0)
        return profile_rollback(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr,
            "usage: railgate profile history REGION | rollback REGION [SEQ] --by NAME [OPTIONS]\n\n"
            "Versions of region profiles. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}

/* --- review ---------------------------------------------------------------------------------- */

static void review_cells(struct table *table, const struct json_node *row)
{
    const struct json_node *payment = json_member(row, "payment");
    const struct json_node *amount = json_member(payment, "amount");
    const struct json_node *reasons = json_member(json_member(payment, "decision"), "reasons");
    struct view id = text_at(payment, "id"), until = text_at(row, "until"),
                currency = text_at(amount, "currency"), reason = VIEW_EMPTY;
    int64_t minor = 0;
    char money[64];
    struct writer w = writer_over(money, sizeof money - 1);
    struct money sum = { 0 };
    IGNORE_STATUS(json_i64(json_member(amount, "value"), &minor));
    if (currency_by_code(currency, &sum.currency) == STATUS_OK) {
        sum.minor = minor;
        money_format(&w, sum);
    }
    money[w.len] = '\0';
    /* The reason that asks for the review, not one that only went on record. */
    for (const struct json_node *at = reasons != NULL ? reasons->first : NULL; at != NULL;
         at = at->next)
        if (reason.len == 0 || view_is(text_at(at, "result"), "review"))
            reason = text_at(at, "text");
    table_cell(table, "%.*s", (int)id.len, (const char *)id.ptr);
    table_cell(table, "%.*s", (int)until.len, (const char *)until.ptr);
    table_cell(table, "%s", money);
    table_cell(table, "%.*s", (int)reason.len, (const char *)reason.ptr);
}

static void print_reviews(const struct json_node *root, struct arena *arena)
{
    const struct json_node *data = json_member(root, "data");
    struct paint paint = paint_for(stdout);
    struct table table;
    if (data == NULL || data->first == NULL) {
        printf("no payment waits for a review\n");
        return;
    }
    table_begin(&table, arena, &paint, 4);
    static const char *const head[] = { "PAYMENT", "UNTIL", "AMOUNT", "REASON" };
    for (size_t i = 0; i < COUNT_OF(head); i++)
        table_cell(&table, "%s", head[i]);
    for (JSON_EACH(row, data))
        review_cells(&table, row);
    table_print(&table, stdout);
    struct view next = text_at(root, "next");
    if (next.len > 0)
        printf("more: --after %.*s\n", (int)next.len, (const char *)next.ptr);
}

static int review_list(int argc, char **argv)
{
    const char *config = "config", *after = NULL;
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "after", "PAYMENT", "Only those that came after this one.", &after, NULL },
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = { .command = "review list",
                                 .sentence = "Lists payments that wait for a person, oldest first.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    int64_t id = 0;
    char path[96];
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (after != NULL && id_parse(ID_PAYMENT, view_text(after), &id) != STATUS_OK) {
        fprintf(stderr, "railgate review list: --after takes a payment's id (pay_...).\n");
        return EXIT_COULD_NOT;
    }
    (void)snprintf(path, sizeof path, "/reviews%s%s", after != NULL ? "?after=" : "",
                   after != NULL ? after : "");
    struct arena arena;
    struct admin_answer answer = { 0 };
    arena_init(&arena, ARENA_BYTES);
    int code = ask_gateway("review list", config, "GET", path, VIEW_EMPTY, &arena, &answer);
    const struct json_node *root = code == EXIT_GOOD ? answer_tree(&answer, &arena) : NULL;
    if (code == EXIT_FINDINGS)
        admin_print_problem("review list", &answer, &arena);
    else if (code == EXIT_GOOD && json) {
        cli_print(answer.body);
        cli_print(VIEW("\n"));
    } else if (root != NULL)
        print_reviews(root, &arena);
    arena_reset(&arena);
    return code;
}

/* What came of the word, as the gateway says it: an approved payment may have to wait for its
 * payer, or have failed because its time was over or its card data is gone. */
static void print_reviewed(const char *payment, struct view text)
{
    printf("%s: ", payment);
    print_safe(stdout, text.len > 0 ? text : VIEW("Recorded."));
    printf("\n");
}

static int review_decide(int argc, char **argv, const char *word)
{
    const char *config = "config", *by = NULL, *why = NULL;
    bool json = false;
    char command[32], path[96];
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "by", "NAME", "Who decides; stands in the journal.", &by, NULL },
        { "why", "TEXT", "The reason; stands in the journal.", &why, NULL },
        { "json", NULL, "Print the gateway's answer as JSON.", NULL, &json },
    };
    (void)snprintf(command, sizeof command, "review %s", word);
    bool approve = strcmp(word, "approve") == 0;
    const struct usage usage = { .command = command,
                                 .sentence = approve
                                                 ? "Lets a payment that waits for a review go on."
                                                 : "Lets a payment that waits for a review fail.",
                                 .more = approve
                                             ? "Exit code: 0 it goes on, or waits for its payer; "
                                               "1 it has failed, or waits for no review."
                                             : NULL,
                                 .arguments = "PAYMENT --by NAME --why TEXT",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 1 };
    int count;
    int64_t id = 0;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || by == NULL || why == NULL ||
        id_parse(ID_PAYMENT, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate %s: give a payment's id (pay_...), --by NAME and --why TEXT.\n",
                command);
        return EXIT_COULD_NOT;
    }
    struct arena arena;
    struct admin_answer answer = { 0 };
    arena_init(&arena, ARENA_BYTES);
    size_t room = 1024 + 6 * (strlen(by) + strlen(why));
    uint8_t *body = arena_alloc(&arena, room);
    struct writer w = writer_over(body, body != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "by", view_text(by));
    json_put_text(&j, "why", view_text(why));
    json_close_object(&j);
    (void)snprintf(path, sizeof path, "/reviews/%s/%s", argv[1], word);
    int code = ask_gateway(command, config, "POST", path, writer_done(&w), &arena, &answer);
    const struct json_node *root = code == EXIT_GOOD ? answer_tree(&answer, &arena) : NULL;
    if (code != EXIT_COULD_NOT && json) {
        cli_print(answer.body);
        cli_print(VIEW("\n"));
    } else if (code == EXIT_GOOD)
        print_reviewed(argv[1], text_at(root, "text"));
    else if (code == EXIT_FINDINGS)
        admin_print_problem(command, &answer, &arena);
    if (view_is(text_at(root, "result"), "failed")) /* it was to go on */
        code = EXIT_FINDINGS;
    arena_reset(&arena);
    return code;
}

int command_review(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return review_list(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "approve") == 0 || strcmp(argv[1], "reject") == 0))
        return review_decide(argc - 1, argv + 1, argv[1]);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr,
            "usage: railgate review list | approve PAYMENT | reject PAYMENT [OPTIONS]\n\n"
            "Payments that wait for a person. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
