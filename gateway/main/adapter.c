/* adapter.c - `railgate adapter`: what an adapter speaks, can do and needs to be told (list);
 * whether it keeps to the ABI (test); a new one to begin with (new). */
#include "main/cli.h"

#include "base/ensure.h"
#include "channel/loader.h"
#include "kit/conformance.h"
#include "kit/describe.h"
#include "kit/scaffold.h"

#include <limits.h>
#include <stdlib.h>

static bool list_one(const char *path, const char *pin)
{
    char text[1024], absolute[PATH_MAX];
    struct writer why = writer_over(text, sizeof text - 1);
    struct loaded_adapter *adapter = NULL;
    const char *full = realpath(path, absolute);
    if (adapter_load(full != NULL ? full : path, pin, &adapter, &why) != STATUS_OK) {
        fprintf(stderr, "%.*s\n", (int)why.len, text);
        return false;
    }
    adapter_describe(adapter, stdout);
    adapter_unload(&adapter);
    return true;
}

static int list_configured(const char *config)
{
    struct settings *settings = NULL;
    struct findings findings;
    findings_init(&findings);
    enum status loaded = settings_load(config, &settings, &findings);
    cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    if (loaded != STATUS_OK)
        return EXIT_COULD_NOT;
    int code = EXIT_GOOD;
    for (size_t i = 0; i < settings->channels_count; i++) {
        const struct channel_settings *channel = &settings->channels[i];
        printf("channel %s\n", channel->name);
        if (!list_one(channel->adapter, channel->sha256[0] != '\0' ? channel->sha256 : NULL))
            code = EXIT_FINDINGS;
    }
    if (settings->channels_count == 0)
        printf("no channel is configured in %s\n", settings->folder);
    settings_free(settings);
    return code;
}

static int adapter_list(int argc, char **argv)
{
    const char *config = "config";
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
    };
    const struct usage usage = {
        .command = "adapter list",
        .sentence = "Loads adapters with all checks and prints what they offer: those "
                    "given, else those of the configured channels.",
        .arguments = "[PATH.so...]",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 16
    };
    int count;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count == 0)
        return list_configured(config);
    int code = EXIT_GOOD;
    for (int i = 1; i <= count; i++)
        if (!list_one(argv[i], NULL))
            code = EXIT_FINDINGS;
    return code;
}

/* --- test, new ---------------------------------------------------------------------------------
 */

#define LIST_MAX 64

struct lists {
    const char *set[LIST_MAX], *transcripts[LIST_MAX];
    size_t set_count, transcript_count;
};

/* Options that may come several times are taken out of argv; returns how many words are left. */
static int take_lists(int argc, char **argv, struct lists *lists)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;
        if (value && strcmp(argv[i], "--set") == 0 && lists->set_count < LIST_MAX)
            lists->set[lists->set_count++] = argv[++i];
        else if (value && strcmp(argv[i], "--transcript") == 0 &&
                 lists->transcript_count < LIST_MAX)
            lists->transcripts[lists->transcript_count++] = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

static int adapter_test(int argc, char **argv)
{
    struct lists lists = { 0 };
    const char *unused = NULL;
    const struct option_row rows[] = {
        { "set", "NAME=VALUE", "A setting of the adapter; may come several times.", &unused, NULL },
        { "transcript", "FILE", "A dialogue with good replies; may come several times.", &unused,
          NULL },
    };
    const struct usage usage = {
        .command = "adapter test",
        .sentence = "Runs the conformance suite on an adapter and prints a report.",
        .more = "Exit code 0: all checks passed, 1: at least one failed, 2: could not run.",
        .arguments = "PATH.so",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1,
    };
    int count;
    enum options_result options =
        options_read(&usage, take_lists(argc, argv, &lists), argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    char absolute[PATH_MAX];
    if (count != 1 || realpath(argv[1], absolute) == NULL) {
        fprintf(stderr, "railgate adapter test: give the path of a shared object that exists.\n");
        return EXIT_COULD_NOT;
    }
    struct conformance_result result;
    struct conformance_options conformance = { .path = absolute,
                                               .settings = lists.set,
                                               .settings_count = lists.set_count,
                                               .transcripts = lists.transcripts,
                                               .transcripts_count = lists.transcript_count,
                                               .report = stdout };
    enum status status = conformance_run(&conformance, &result);
    return status == STATUS_OK         ? EXIT_GOOD
           : status == STATUS_MISMATCH ? EXIT_FINDINGS
                                       : EXIT_COULD_NOT;
}

static int adapter_new(int argc, char **argv)
{
    const char *rail = "card", *transport = "framed", *folder = NULL;
    const struct option_row rows[] = {
        { "rail", "WORD", "card, qr, bank or cbdc. Default: card", &rail, NULL },
        { "transport", "WORD", "framed, http or local. Default: framed", &transport, NULL },
        { "folder", "DIR", "Where it is made. Default: the name", &folder, NULL },
    };
    const struct usage usage = {
        .command = "adapter new",
        .sentence = "Makes a folder with an adapter that builds, loads and passes the conformance "
                    "suite as it is.",
        .arguments = "NAME",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1,
    };
    int count;
    enum options_result options = options_read(&usage, argc, argv, &count);
    if (options != OPTIONS_GO)
        return options == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    char text[1024];
    struct writer why = writer_over(text, sizeof text - 1);
    if (count != 1) {
        fprintf(stderr, "railgate adapter new: give a name ([a-z][a-z0-9_]*).\n");
        return EXIT_COULD_NOT;
    }
    folder = folder != NULL ? folder : argv[1];
    if (scaffold_write(folder, argv[1], rail, transport, &why) != STATUS_OK) {
        fprintf(stderr, "railgate adapter new: %.*s\n", (int)why.len, text);
        return EXIT_COULD_NOT;
    }
    printf("%s is made; docs/adapter-developer.md says how to build and test it.\n", folder);
    return EXIT_GOOD;
}

int command_adapter(int argc, char **argv)
{
    static const struct {
        const char *name;
        command_fn *run;
    } commands[] = { { "list", adapter_list }, { "test", adapter_test }, { "new", adapter_new } };
    for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr,
            "usage: railgate adapter list [PATH.so...] | test PATH.so | new NAME  [OPTIONS]\n\n"
            "Adapters: shared objects that speak a channel's protocol. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
