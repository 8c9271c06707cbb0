/* differences.c - `railgate reconcile list`, `show`, `differences` and `resolve`: what was
 * compared, what was found, and a person's word on it. Lists go page by page and print as they go.
 */
#include "main/reconcile_int.h"

#include "base/ensure.h"
#include "domain/id_json.h"
#include "domain/money.h"
#include "domain/time.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define OBJECT_ROOM 32768 /* texts are bounded where they are written */

static void put_difference(struct json_out *j, const struct difference_row *row)
{
    json_put_id_if(j, "id", ID_DIFFERENCE, row->id);
    reconcile_put_difference(j, row);
    json_put_text(j, "status",
                  row->status == DIFFERENCE_STATUS_OPEN ? VIEW("open") : VIEW("resolved"));
    json_put_id_if(j, "merchant", ID_MERCHANT, row->merchant);
    json_put_time(j, "created", row->created_us);
    if (row->status == DIFFERENCE_STATUS_OPEN)
        return;
    json_put_time(j, "resolved", row->resolved_us);
    json_put_text(j, "by", row->by);
    json_put_text(j, "why", row->why);
    json_put_text_if(j, "evidence", row->evidence);
}

void difference_print_json(const struct difference_row *row)
{
    uint8_t room[OBJECT_ROOM];
    struct writer w = writer_over(room, sizeof room);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put_difference(&j, row);
    json_close_object(&j);
    ENSURE(!w.overflow); /* texts are bounded where they are written: six letters for each byte */
    cli_print(writer_done(&w));
}

/* --- listing ------------------------------------------------------------------------------------
 */

static const char *state_word(enum reconciliation_state state)
{
    return state == RECONCILIATION_FINISHED    ? "finished"
           : state == RECONCILIATION_ABANDONED ? "abandoned"
                                               : "writing";
}

static void time_text(int64_t us, char out[40])
{
    struct writer w = writer_over(out, 40);
    time_format(&w, us);
    IGNORE_STATUS(writer_terminate(&w)); /* it has 24 letters */
}

/* To the minute, which is as near as a period is given. */
static void minute_text(int64_t us, char out[40])
{
    char text[40];
    time_text(us, text);
    (void)snprintf(out, 40, "%.16sZ", text);
}

static void print_row(const struct reconciliation_row *row)
{
    char id[ID_TEXT_MAX], from[40], until[40];
    minute_text(row->from_us, from);
    minute_text(row->until_us, until);
    printf("%-18s %-17s %-17s %10lld %11lld\n    ", id_format(ID_RECONCILIATION, row->id, id), from,
           until, (long long)row->lines, (long long)row->differences);
    print_safe(stdout, row->channel);
    printf(", ");
    print_safe(stdout, row->format);
    printf(", ");
    print_safe(stdout, row->file);
    printf("%s%s\n", row->state == RECONCILIATION_FINISHED ? "" : ": ",
           row->state == RECONCILIATION_FINISHED ? "" : state_word(row->state));
}

static void put_row(struct json_out *j, const struct reconciliation_row *row)
{
    json_put_id_if(j, "id", ID_RECONCILIATION, row->id);
    json_put_text(j, "state", view_text(state_word(row->state)));
    json_put_text(j, "channel", row->channel);
    json_put_text(j, "format", row->format);
    json_put_text(j, "file", row->file);
    json_put_text(j, "sha256", row->file_hash);
    json_put_time(j, "from", row->from_us);
    json_put_time(j, "until", row->until_us);
    json_put_time(j, "started", row->started_us);
    if (row->finished_us != 0)
        json_put_time(j, "finished", row->finished_us);
    json_put_i64(j, "lines", row->lines);
    json_put_i64(j, "differences", row->differences);
    if (row->summary_json.len > 0)
        json_put_raw(j, "summary", row->summary_json);
}

/* One object; false: it has no room. */
static bool print_json_row(const struct reconciliation_row *row, struct arena *arena)
{
    size_t size =
        4096 + 6 * (row->channel.len + row->format.len + row->file.len) + row->summary_json.len;
    uint8_t *room = arena_alloc(arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put_row(&j, row);
    json_close_object(&j);
    if (!w.overflow)
        cli_print(writer_done(&w));
    return !w.overflow;
}

static enum status list_reconciliations(struct cli_store *cli, bool json)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_read read = { .more = true };
    int64_t after = 0, printed = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && read.more) {
        arena_reset(&arena);
        read = (struct store_read){ .question = STORE_RECONCILIATIONS,
                                    .arena = &arena,
                                    .after = after };
        status = cli_ask(cli, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++, printed++) {
            const struct reconciliation_row *row = &read.reconciliations[i];
            after = row->id;
            if (!json) {
                print_row(row);
                continue;
            }
            cli_print(printed > 0 ? VIEW(",\n") : VIEW_EMPTY);
            if (!print_json_row(row, &arena))
                status = STATUS_NO_MEMORY;
        }
    }
    arena_reset(&arena);
    return status;
}

int reconcile_command_list(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print a JSON array.", NULL, &json },
    };
    const struct usage usage = { .command = "reconcile list",
                                 .sentence = "Lists what was reconciled, newest first.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    if (json)
        cli_print(VIEW("["));
    else
        printf("%-18s %-17s %-17s %10s %11s\n", "ID", "FROM", "TO", "LINES", "DIFFERENCES");
    enum status status = list_reconciliations(&cli, json);
    if (json)
        cli_print(VIEW("]\n"));
    if (status != STATUS_OK)
        fprintf(stderr, "railgate reconcile list: the records cannot be read\n");
    cli_store_close(&cli);
    return status == STATUS_OK ? EXIT_GOOD : EXIT_COULD_NOT;
}

/* All differences that a question asks for; *printed counts them. */
static enum status list_differences(struct cli_store *cli, int64_t reconciliation, bool open_only,
                                    bool json, int64_t *printed)
{
    struct paint paint = paint_for(stdout);
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_read read = { .more = true };
    int64_t after = 0;
    enum status status = STATUS_OK;
    *printed = 0;
    while (status == STATUS_OK && read.more) {
        arena_reset(&arena);
        read = (struct store_read){ .question = STORE_DIFFERENCES,
                                    .arena = &arena,
                                    .reconciliation = reconciliation,
                                    .open_only = open_only,
                                    .after = after };
        status = cli_ask(cli, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++, ++*printed) {
            after = read.differences[i].id;
            if (json) {
                cli_print(*printed > 0 ? VIEW(",\n") : VIEW_EMPTY);
                difference_print_json(&read.differences[i]);
                continue;
            }
            if (*printed > 0)
                printf("\n");
            difference_print(stdout, &paint, &read.differences[i]);
            if (reconciliation == 0)
                difference_print_found(stdout, &read.differences[i]);
        }
    }
    arena_reset(&arena);
    return status;
}

static enum status any_open(struct cli_store *cli, bool *any)
{
    struct arena arena;
    arena_init(&arena, 4096); /* it is a count: no rows come */
    struct store_read read = { .more = true };
    enum status status = STATUS_OK;
    while (status == STATUS_OK && read.more && read.open_count == 0) {
        read = (struct store_read){ .question = STORE_DIFFERENCES_OPEN,
                                    .arena = &arena,
                                    .after = read.through };
        status = cli_ask(cli, &read);
    }
    *any = read.open_count > 0;
    arena_reset(&arena);
    return status;
}

int reconcile_command_differences(int argc, char **argv)
{
    const char *config = "config";
    bool json = false, open = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "open", NULL, "Only those that nobody resolved.", NULL, &open },
        { "json", NULL, "Print a JSON array.", NULL, &json },
    };
    const struct usage usage = { .command = "reconcile differences",
                                 .sentence = "Lists the differences of all reconciliations, oldest "
                                             "first. Exit 1 when one is open.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    int64_t printed;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    if (json)
        cli_print(VIEW("["));
    enum status status = list_differences(&cli, 0, open, json, &printed);
    if (json)
        cli_print(VIEW("]\n"));
    else if (status == STATUS_OK && printed == 0)
        printf("no difference%s\n", open ? " is open" : "");
    bool still = false;
    if (status == STATUS_OK)
        status = any_open(&cli, &still);
    if (status != STATUS_OK)
        fprintf(stderr, "railgate reconcile differences: the records cannot be read\n");
    cli_store_close(&cli);
    return status != STATUS_OK ? EXIT_COULD_NOT : still ? EXIT_FINDINGS : EXIT_GOOD;
}

/* --- one ----------------------------------------------------------------------------------------
 */

static enum status show_text(struct cli_store *cli, const struct reconciliation_row *row,
                             struct arena *arena)
{
    struct reconcile_report *report = arena_alloc(arena, sizeof *report);
    struct paint paint = paint_for(stdout);
    char id[ID_TEXT_MAX], finished[40];
    int64_t printed = 0;
    if (report == NULL)
        return STATUS_NO_MEMORY;
    time_text(row->finished_us, finished);
    printf("%s, %s%s%s\n\n", id_format(ID_RECONCILIATION, row->id, id), state_word(row->state),
           row->finished_us != 0 ? " " : "", row->finished_us != 0 ? finished : "");
    if (!reconcile_read_report(row, arena, report)) {
        printf("channel   ");
        print_safe(stdout, row->channel);
        printf("\nrecord    ");
        print_safe(stdout, row->file);
        printf("\n\nit was never finished: nothing of it counts; reconcile the record again\n");
        return STATUS_OK;
    }
    reconcile_print_report(&paint, row->channel, row->file, report);
    printf("\n");
    TRY(list_differences(cli, row->id, false, false, &printed));
    if (printed == 0)
        printf("%s\n", reconcile_good_word(report));
    else
        reconcile_print_how();
    return STATUS_OK;
}

static enum status show(struct cli_store *cli, int64_t id, bool json, struct arena *arena)
{
    struct store_read read = { .question = STORE_RECONCILIATIONS,
                               .arena = arena,
                               .reconciliation = id };
    int64_t printed;
    TRY(cli_ask(cli, &read));
    if (read.count == 0)
        return STATUS_NOT_FOUND;
    const struct reconciliation_row *row = &read.reconciliations[0];
    if (json) {
        cli_print(VIEW("{\"reconciliation\":"));
        if (!print_json_row(row, arena))
            return STATUS_NO_MEMORY;
        cli_print(VIEW(",\n\"differences\":["));
        TRY(list_differences(cli, id, false, true, &printed));
        cli_print(VIEW("]}\n"));
        return STATUS_OK;
    }
    return show_text(cli, row, arena);
}

int reconcile_command_show(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    int64_t id = 0;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = { .command = "reconcile show",
                                 .sentence = "Shows a reconciliation with all of its differences.",
                                 .arguments = "ID",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 1 };
    int count;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || id_parse(ID_RECONCILIATION, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate reconcile show: give the id (rec_...) that `railgate reconcile "
                        "list` shows\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    enum status status = show(&cli, id, json, &arena);
    if (status != STATUS_OK)
        fprintf(stderr, "railgate reconcile show: %s\n",
                status == STATUS_NOT_FOUND ? "there is no such reconciliation"
                                           : "the records cannot be read");
    arena_reset(&arena);
    cli_store_close(&cli);
    return status == STATUS_OK          ? EXIT_GOOD
           : status == STATUS_NOT_FOUND ? EXIT_FINDINGS
                                        : EXIT_COULD_NOT;
}

/* --- resolve ------------------------------------------------------------------------------------
 */

static int resolve(struct cli_store *cli, struct reconcile_resolution *resolution, bool json)
{
    char text[1024], id[ID_TEXT_MAX];
    struct writer why = writer_over(text, sizeof text);
    struct difference_row row;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    resolution->now_us = loop_wall_us(cli->loop);
    enum status status = reconcile_resolve(cli->loop, cli->store, &arena, resolution, &row, &why);
    if (status == STATUS_REFUSED) {
        fprintf(stderr, "railgate reconcile resolve: it is resolved already, by ");
        print_safe(stderr, row.by);
        fprintf(stderr, ": ");
        print_safe(stderr, row.why);
        fprintf(stderr, "\n");
    } else if (status != STATUS_OK) {
        fprintf(stderr, "railgate reconcile resolve: %.*s\n", (int)why.len, text);
    } else if (json) {
        difference_print_json(&row);
        cli_print(VIEW("\n"));
    } else {
        printf("%s is resolved\n", id_format(ID_DIFFERENCE, row.id, id));
    }
    arena_reset(&arena);
    return status == STATUS_OK                                      ? EXIT_GOOD
           : status == STATUS_NOT_FOUND || status == STATUS_REFUSED ? EXIT_FINDINGS
                                                                    : EXIT_COULD_NOT;
}

int reconcile_command_resolve(int argc, char **argv)
{
    const char *config = "config", *by = "", *why = "", *evidence = "";
    bool json = false;
    struct reconcile_resolution resolution = { 0 };
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "by", "WHO", "Who explains it; stands in the journal.", &by, NULL },
        { "why", "TEXT", "The explanation; stands in the journal.", &why, NULL },
        { "evidence", "TEXT", "What shows it: a letter, a later record, a ticket.", &evidence,
          NULL },
        { "json", NULL, "Print the difference as JSON.", NULL, &json },
    };
    const struct usage usage = {
        .command = "reconcile resolve",
        .sentence = "Marks a difference as resolved, with an event. It moves no money and settles "
                    "no attempt:\nthat is `railgate attempt resolve`.",
        .arguments = "DIFFERENCE --by WHO --why TEXT",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 ||
        id_parse(ID_DIFFERENCE, view_text(argv[1]), &resolution.difference) != STATUS_OK) {
        fprintf(stderr, "railgate reconcile resolve: give the id (dif_...) that `railgate "
                        "reconcile differences` shows\n");
        return EXIT_COULD_NOT;
    }
    resolution.by = view_trim(view_text(by));
    resolution.why = view_trim(view_text(why));
    resolution.evidence = view_trim(view_text(evidence));
    if (resolution.by.len == 0 || resolution.why.len == 0 || !view_is_utf8(resolution.by) ||
        !view_is_utf8(resolution.why) || !view_is_utf8(resolution.evidence)) {
        fprintf(stderr, "railgate reconcile resolve: give --by and --why, as text (UTF-8)\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_to_write(&cli, cli_gateway_load(config)))
        return EXIT_COULD_NOT;
    int code = resolve(&cli, &resolution, json);
    cli_store_close(&cli);
    return code;
}
