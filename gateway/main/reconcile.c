/* reconcile.c - `railgate reconcile`: compares our attempts on a channel with the counterpart's own
 * record, prints what was compared, the sums, and what differs. What it has to say stands in the
 * journal as well (reconcile/); main/differences.c shows and resolves it, main/reconcile_text.c
 * writes for people.
 *
 * It reads and writes the database beside the running gateway, as `railgate keys` does.
 */
#include "main/reconcile_int.h"

#include "base/ensure.h"
#include "domain/time.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMAND      "reconcile"
#define PRINTED_MAX  200 /* differences; the records and --json have all */
#define SUMMARY_ROOM ((size_t)256 * 1024)

struct wanted {
    const char *config, *channel, *file, *from, *to, *tolerance, *lookback;
    bool dry_run, again, force, json;
};

struct printing {
    const struct wanted *wanted;
    struct paint paint;
    bool shows_progress;
    bool in_progress_line;
    int64_t printed;
    const struct reconcile_report *report;
};

/* --- while it runs -----------------------------------------------------------------------------
 */

static void clear_progress(struct printing *p)
{
    if (p->in_progress_line)
        fputs("\r\033[K", stderr);
    p->in_progress_line = false;
}

static void on_progress(enum reconcile_phase phase, int64_t count, void *arg)
{
    static const char *const words[] = { [RECONCILE_READING] = "lines read",
                                         [RECONCILE_COLLECTING] = "attempts collected",
                                         [RECONCILE_COMPARING] = "rows compared" };
    struct printing *p = arg;
    if (!p->shows_progress || count == 0)
        return;
    fprintf(stderr, "\r\033[K%lld %s", (long long)count, words[phase]);
    p->in_progress_line = true;
}

static void on_found(const struct difference_row *row, void *arg)
{
    struct printing *p = arg;
    clear_progress(p);
    p->printed++;
    if (p->wanted->json) {
        cli_print(p->printed > 1 ? VIEW(",\n") : VIEW("{\"found\":["));
        difference_print_json(row);
        return;
    }
    if (p->printed == 1) /* all is counted when the first one is told */
        reconcile_print_report(&p->paint, view_text(p->wanted->channel), view_text(p->wanted->file),
                               p->report);
    if (p->printed > PRINTED_MAX)
        return;
    printf("\n");
    difference_print(stdout, &p->paint, row);
}

/* --- the summary -------------------------------------------------------------------------------
 */

static void print_end(const struct printing *p)
{
    const struct reconcile_report *report = p->report;
    char id[ID_TEXT_MAX];
    if (p->printed == 0)
        reconcile_print_report(&p->paint, view_text(p->wanted->channel), view_text(p->wanted->file),
                               report);
    if (p->printed > PRINTED_MAX)
        printf("\n... and %lld more\n", (long long)p->printed - PRINTED_MAX);
    if (report->id == 0)
        printf("\nnothing was written: it was a dry run\n");
    else
        printf("\n%s: %s\n", id_format(ID_RECONCILIATION, report->id, id),
               p->printed > 0 ? "it is in the records, and in the journal"
                              : reconcile_good_word(report));
    if (report->id != 0 && p->printed > 0)
        reconcile_print_how();
}

static void put_members(struct json_out *j, const struct wanted *w,
                        const struct reconcile_report *report)
{
    char id[ID_TEXT_MAX];
    if (report->id != 0)
        json_put_text(j, "reconciliation", view_text(id_format(ID_RECONCILIATION, report->id, id)));
    if (report->known != 0)
        json_put_text(j, "known", view_text(id_format(ID_RECONCILIATION, report->known, id)));
    json_put_text(j, "channel", view_text(w->channel));
    json_put_text(j, "file", view_text(w->file));
    json_put_text(j, "sha256", view_text(report->file_hash));
    json_put_bool(j, "dry_run", w->dry_run);
    if (report->until_us == 0) /* nothing was compared */
        return;
    json_put_text(j, "format", view_text(report->format));
    json_put_time(j, "from", report->from_us);
    json_put_time(j, "until", report->until_us);
    json_open_object(j, "summary");
    reconcile_put_summary(j, report);
    json_close_object(j);
}

/* {"found":[...],members}: the array is out by then. */
static bool print_json_end(const struct wanted *w, const struct reconcile_report *report,
                           bool begun)
{
    uint8_t *room = malloc(SUMMARY_ROOM);
    struct writer out = writer_over(room, room != NULL ? SUMMARY_ROOM : 0);
    struct json_out j;
    json_out_init(&j, &out);
    json_open_object(&j, NULL);
    put_members(&j, w, report);
    json_close_object(&j);
    writer_text(&out, "\n");
    bool good = !out.overflow;
    cli_print(begun ? VIEW("],") : VIEW("{\"found\":[],"));
    if (good)
        cli_print(view_slice(writer_done(&out), 1, out.len));
    free(room);
    return good;
}

/* --- running -----------------------------------------------------------------------------------
 */

static int known_already(const struct wanted *w, const struct reconcile_report *report)
{
    char id[ID_TEXT_MAX];
    int code = report->known_open ? EXIT_FINDINGS : EXIT_GOOD;
    if (w->json)
        return print_json_end(w, report, false) ? code : EXIT_COULD_NOT;
    printf("this very file was reconciled before: %s\n%ssee railgate reconcile show %s; --again "
           "compares it again\n",
           id_format(ID_RECONCILIATION, report->known, id),
           report->known_open ? "differences that it found are still open\n" : "", id);
    return code;
}

static int run(struct cli_store *cli, const struct wanted *w, const struct reconcile_options *asked)
{
    char text[2048];
    struct writer why = writer_over(text, sizeof text);
    struct printing printing = { .wanted = w,
                                 .paint = paint_for(stdout),
                                 .shows_progress = isatty(STDERR_FILENO) == 1 };
    struct reconcile_report *report = calloc(1, sizeof *report);
    if (report == NULL)
        return EXIT_COULD_NOT;
    printing.report = report;
    struct reconcile_options options = *asked;
    options.loop = cli->loop;
    options.store = cli->store;
    options.now_us = loop_wall_us(cli->loop);
    options.found = on_found;
    options.progress = on_progress;
    options.arg = &printing;
    /* It prints while it writes: whoever reads a page of it and goes does not end it in between. */
    (void)signal(SIGPIPE, SIG_IGN);
    enum status status = reconcile_run(&options, report, &why);
    clear_progress(&printing);
    int code = EXIT_COULD_NOT;
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": ");
        print_safe(stderr, writer_done(&why));
        fprintf(stderr, "\n");
    } else if (report->known != 0 && report->until_us == 0) {
        code = known_already(w, report);
    } else {
        code = report->differences > 0 ? EXIT_FINDINGS : EXIT_GOOD;
        if (!w->json)
            print_end(&printing);
        else if (!print_json_end(w, report, printing.printed > 0))
            code = EXIT_COULD_NOT;
    }
    free(report);
    return code;
}

/* The very beginning of 1970 is a time as well; 0 says that none was given. */
static bool read_time(const char *text, int64_t *out_us)
{
    if (text == NULL)
        return true;
    bool good = reconcile_time(view_text(text), out_us) == STATUS_OK;
    *out_us += *out_us == 0;
    return good;
}

static bool read_options(const struct wanted *w, struct reconcile_options *options)
{
    if (w->channel == NULL || w->file == NULL) {
        fprintf(stderr, "railgate " COMMAND ": give --channel with a channel's name and --file "
                        "with the record\n");
        return false;
    }
    if (!read_time(w->from, &options->from_us) || !read_time(w->to, &options->until_us)) {
        fprintf(stderr, "railgate " COMMAND ": --from and --to take a date or a time: 2026-11-22 "
                        "or 2026-11-22T18:30:00Z\n");
        return false;
    }
    if (!cli_read_duration(w->tolerance, 10000, &options->tolerance_us) ||
        !cli_read_duration(w->lookback, 10000, &options->lookback_us)) {
        fprintf(stderr,
                "railgate " COMMAND ": --tolerance and --lookback take a duration such as 90s, "
                "5m or 7d\n");
        return false;
    }
    options->path = w->file;
    options->dry_run = w->dry_run;
    options->again = w->again;
    options->force = w->force;
    return true;
}

static bool open_store(struct cli_store *cli, const struct wanted *w)
{
    return w->dry_run ? cli_store_open(cli, w->config, true)
                      : cli_store_open_to_write(cli, cli_settings_load(w->config));
}

static int with_store(const struct wanted *w)
{
    struct cli_store cli;
    struct reconcile_options options = { 0 };
    char lock[4096];
    if (!read_options(w, &options) || !open_store(&cli, w))
        return EXIT_COULD_NOT;
    const struct channel_settings *channel = settings_channel(cli.settings, view_text(w->channel));
    int code = EXIT_COULD_NOT;
    int len = snprintf(lock, sizeof lock, "%s-reconcile", cli.settings->store_path);
    if (channel == NULL) {
        fprintf(stderr, "railgate " COMMAND ": there is no channel `");
        print_safe(stderr, view_text(w->channel));
        fprintf(stderr, "` in the configuration\n");
    } else if (len > 0 && (size_t)len < sizeof lock) {
        options.lock_path = lock;
        options.channel = view_text(channel->name);
        options.rail = (enum rail)channel->rail;
        code = run(&cli, w, &options);
    }
    cli_store_close(&cli);
    return code;
}

static int compare(int argc, char **argv)
{
    struct wanted w = { .config = "config", .tolerance = "5m", .lookback = "7d" };
    const struct option_row rows[] = {
        OPTION_CONFIG(&w.config),
        { "channel", "NAME", "The channel whose counterpart made the record.", &w.channel, NULL },
        { "file", "FILE", "The record: a settlement file, camt.053 or camt.054, a ledger.", &w.file,
          NULL },
        { "from", "TIME",
          "Begin of the period: 2026-11-22 or 2026-11-22T18:30:00Z. Default: the record's, or "
          "the day of its first line",
          &w.from, NULL },
        { "to", "TIME",
          "End of the period. Default: the record's, or the end of its last line's "
          "day",
          &w.to, NULL },
        { "tolerance", "DURATION", "How near to the period's ends nothing is missed. Default: 5m",
          &w.tolerance, NULL },
        { "lookback", "DURATION", "How long before the period attempts may have begun. Default: 7d",
          &w.lookback, NULL },
        { "dry-run", NULL, "Compare and print; write nothing.", NULL, &w.dry_run },
        { "again", NULL, "Compare a file again that was reconciled before.", NULL, &w.again },
        { "force", NULL, "Write the result even if nothing matches.", NULL, &w.force },
        { "json", NULL, "Print one JSON object.", NULL, &w.json },
    };
    const struct usage usage = {
        .command = COMMAND,
        .sentence = "Compares the attempts of a channel with the counterpart's own record of what "
                    "it booked.\nWhat differs is printed and enters the journal. Exit 0: "
                    "everything matches; 1: differences.",
        .more =
            "railgate reconcile list           what was reconciled\n"
            "railgate reconcile show ID        one of them, with its differences\n"
            "railgate reconcile differences    all differences; --open: those nobody explained\n"
            "railgate reconcile resolve ID     a person's word on a difference\n"
            "The formats of the records: docs/rails/settlement.md.",
        .arguments = "--channel NAME --file FILE",
        .options = rows,
        .option_count = COUNT_OF(rows)
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    return with_store(&w);
}

int command_reconcile(int argc, char **argv)
{
    static const struct {
        const char *word;
        command_fn *run;
    } words[] = {
        { "list", reconcile_command_list },
        { "show", reconcile_command_show },
        { "differences", reconcile_command_differences },
        { "resolve", reconcile_command_resolve },
    };
    for (size_t i = 0; argc > 1 && i < COUNT_OF(words); i++)
        if (strcmp(argv[1], words[i].word) == 0)
            return words[i].run(argc - 1, argv + 1);
    return compare(argc, argv);
}
