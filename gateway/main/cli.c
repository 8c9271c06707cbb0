/* cli.c - which subcommand; options; help. Every command takes --help; exit codes: 0 done,
 * 1 the answer is no, 2 could not run. */
#include "main/cli.h"

#include "base/ensure.h"
#include "wire/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    command_fn *run;
    const char *sentence;
    const char *group; /* begins a group of commands in --help */
} commands[] = {
    { "serve", command_serve, "Run the gateway.", "run" },
    { "check", command_check, "Check the configuration: every error at once, with file and line.",
      NULL },
    { "reload", command_reload, "Load profiles and lists anew into the running gateway.", NULL },
    { "restored", command_restored, "After a backup was put back, before the gateway starts on it.",
      NULL },
    { "region", command_region, "Begin a region profile.", "region profiles" },
    { "schema", command_schema, "Print the JSON Schema of region profiles, for editors.", NULL },
    { "explain", command_explain, "Decide a request, and show every rule that was looked at.",
      NULL },
    { "diff", command_diff, "What changes from one version of a profile to another, in words.",
      NULL },
    { "backtest", command_backtest, "Which recorded payments a new profile would decide otherwise.",
      NULL },
    { "profile", command_profile, "Versions that were in force; go back to one.", NULL },
    { "payments", command_payments, "List payments, or show one with its timeline.", "payments" },
    { "attempts", command_attempts, "Attempts whose outcome is open, or that wait for a person.",
      NULL },
    { "attempt", command_attempt, "Settle an attempt that is parked or in conflict.", NULL },
    { "reconcile", command_reconcile,
      "Compare with a counterpart's own record; resolve what differs.", NULL },
    { "review", command_review, "Payments that wait for a person: list, approve, reject.", NULL },
    { "authenticator", command_authenticator, "In the sandbox: the payer's one-time code.", NULL },
    { "keys", command_keys, "Create, list and revoke API keys.", "merchants and channels" },
    { "trigger", command_trigger, "In the sandbox: a test event for a merchant's webhooks.", NULL },
    { "listen", command_listen, "Show a merchant's events as they happen; forward them.", NULL },
    { "adapter", command_adapter, "List, test and begin adapters.", NULL },
    { "qr", command_qr, "Read, check and build QR codes.", NULL },
    { "version", command_version, "Print the version.", NULL },
};

static void print_help(FILE *to)
{
    fputs("railgate: one gateway in front of every payment rail\n\n"
          "usage: railgate COMMAND [OPTIONS]      railgate COMMAND --help\n\n",
          to);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (commands[i].group != NULL)
            fprintf(to, "%s%s\n", i > 0 ? "\n" : "", commands[i].group);
        fprintf(to, "  %-14s %s\n", commands[i].name, commands[i].sentence);
    }
    fputs("\nexit codes: 0 done, and good; 1 it ran, and the answer is no: findings, not there, "
          "refused, failed;\n2 it could not run: wrong use, a file, no database, no gateway\n",
          to);
}

/* What a program prints is its answer: whoever reads a part of it must not take that for all. */
static int with_output(const char *command, int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fprintf(stderr, "railgate %s: standard output could not be written to its end%s\n", command,
            code != EXIT_COULD_NOT ? "; what was asked for is done" : "");
    return EXIT_COULD_NOT;
}

int railgate_main(int argc, char **argv)
{
    if (wire_init_process() != STATUS_OK) {
        fprintf(stderr, "railgate: OpenSSL was used before it could be told to keep its memory out "
                        "of core dumps\n");
        return EXIT_COULD_NOT;
    }
    if (argc < 2) {
        print_help(stderr);
        return EXIT_COULD_NOT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0)
        return command_version(1, argv + 1);
    const char *names[COUNT_OF(commands)];
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0)
            return with_output(argv[1], commands[i].run(argc - 1, argv + 1));
    }
    const char *near = finding_did_you_mean(view_text(argv[1]), names, COUNT_OF(commands));
    fprintf(stderr, "railgate: there is no command `%s`%s%s%s. See railgate --help.\n", argv[1],
            near != NULL ? ", did you mean `" : "", near != NULL ? near : "",
            near != NULL ? "`" : "");
    return EXIT_COULD_NOT;
}

/* --- options -------------------------------------------------------------------------------------
 */

static void print_usage(const struct usage *usage)
{
    printf("usage: railgate %s [OPTIONS]%s%s\n\n%s\n", usage->command,
           usage->arguments[0] != '\0' ? " " : "", usage->arguments, usage->sentence);
    if (usage->more != NULL)
        printf("%s\n", usage->more);
    printf("\noptions:\n");
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct option_row *row = &usage->options[i];
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", row->name, row->value != NULL ? " " : "",
                       row->value != NULL ? row->value : "");
        printf("  %-24s %s\n", left, row->sentence);
    }
    printf("  %-24s %s\n", "--help", "This text.");
}

static const struct option_row *option_find(const struct usage *usage, struct view name)
{
    for (size_t i = 0; i < usage->option_count; i++)
        if (view_is(name, usage->options[i].name))
            return &usage->options[i];
    return NULL;
}

static enum options_result complain(const struct usage *usage, const char *what, const char *which)
{
    fprintf(stderr, "railgate %s: %s `%s`. See railgate %s --help.\n", usage->command, what, which,
            usage->command);
    return OPTIONS_WRONG;
}

enum options_result options_read(const struct usage *usage, int argc, char **argv, int *count)
{
    *count = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_usage(usage);
            return OPTIONS_HELP;
        }
        if (strncmp(word, "--", 2) != 0) {
            if (*count >= usage->arguments_max)
                return complain(usage, "unexpected argument", word);
            argv[++*count] = argv[i];
            continue;
        }
        struct view rest = view_text(word + 2);
        size_t equals = view_find(rest, '=');
        const struct option_row *row = option_find(usage, view_slice(rest, 0, equals));
        if (row == NULL)
            return complain(usage, "unknown option", word);
        if (row->flag != NULL) {
            if (equals < rest.len)
                return complain(usage, "this option takes no value:", word);
            *row->flag = true;
        } else if (equals < rest.len) {
            *row->text = word + 2 + equals + 1;
        } else if (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0) {
            *row->text = argv[++i]; /* one that begins so can be given as --name=--value */
        } else {
            return complain(usage, "a value is missing after", word);
        }
    }
    return OPTIONS_GO;
}

/* --- settings and store
 * ------------------------------------------------------------------------------ */

void cli_print_findings(const struct findings *findings, FILE *to)
{
    size_t room = 256 * 1024;
    char *text = malloc(room);
    if (text == NULL)
        return;
    struct writer w = writer_over(text, room);
    findings_write(&w, findings);
    (void)fwrite(text, 1, w.len, to);
    free(text);
}

void cli_print(struct view text)
{
    (void)fwrite(text.ptr, 1, text.len, stdout);
}

/* The folder of a file that we are about to make; only the last one is made, for us alone. */
static void make_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) >= sizeof folder)
        return;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        fprintf(stderr, "railgate: folder %s cannot be made: %s\n", folder, strerror(errno));
}

void cli_make_folders(const struct settings *settings)
{
    make_folder_of(settings->store_path);
    make_folder_of(settings->secrets_pepper_file);
    make_folder_of(settings->admin_socket);
}

bool cli_lock_store(const struct settings *settings, const char *command)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s.lock", settings->store_path) >= (int)sizeof path)
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true; /* stays open */
    fprintf(stderr, "railgate %s: %s: %s\n", command, path,
            fd >= 0 ? "another gateway runs on this database; stop it first" : strerror(errno));
    return false;
}

static int64_t wall_us(void *loop)
{
    return loop_wall_us(loop);
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

bool cli_host_key_is_there(const struct settings *settings)
{
    const char *key = settings->secrets_pepper_file;
    if (is_missing(settings->store_path) || !is_missing(key))
        return true;
    fprintf(stderr,
            "railgate: the host key of the records is not there: %s; restore it, or name the "
            "right one (secrets.pepper_file)\n",
            key);
    return false;
}

static bool records_are_there(const struct settings *settings)
{
    if (!is_missing(settings->store_path))
        return cli_host_key_is_there(settings);
    fprintf(stderr, "railgate: there are no records yet (%s); `railgate serve` makes them\n",
            settings->store_path);
    return false;
}

bool cli_store_open_with(struct cli_store *cli, struct settings *settings, bool read_only)
{
    *cli = (struct cli_store){ .settings = settings, .log = { .fd = 2, .level = LOG_ERROR } };
    if (settings == NULL)
        return false;
    char text[1024];
    struct writer why = writer_over(text, sizeof text - 1);
    if (read_only ? !records_are_there(settings) : !cli_host_key_is_there(settings)) {
        cli_store_close(cli);
        return false;
    }
    if (!read_only)
        cli_make_folders(cli->settings);
    cli->loop = loop_open_real();
    cli->log.wall_us = wall_us;
    cli->log.clock = cli->loop;
    struct store_options options = { .path = cli->settings->store_path,
                                     .log = &cli->log,
                                     .read_only = read_only };
    if (cli->loop == NULL || secrets_open(&cli->secrets, cli->loop) != STATUS_OK ||
        secret_open_host_key(cli->secrets, cli->settings->secrets_pepper_file, &why) != STATUS_OK ||
        store_open(&cli->store, cli->loop, &options, &why) != STATUS_OK) {
        fprintf(stderr, "railgate: %.*s\n", (int)why.len, text);
        cli_store_close(cli);
        return false;
    }
    return true;
}

bool cli_store_open(struct cli_store *cli, const char *config, bool read_only)
{
    return cli_store_open_with(cli, cli_settings_load(config), read_only);
}

bool cli_store_open_gateway(struct cli_store *cli, const char *config, bool read_only)
{
    return cli_store_open_with(cli, cli_gateway_load(config), read_only);
}

bool cli_store_open_to_show(struct cli_store *cli, const char *config, const char *command)
{
    struct settings *gateway = cli_gateway_load(config);
    struct settings *all = gateway != NULL ? cli_settings_load(config) : NULL;
    if (gateway != NULL && all == NULL)
        fprintf(stderr,
                "railgate %s: the profiles cannot be read; accounts and numbers of documents are "
                "masked\n",
                command);
    if (all != NULL)
        settings_free(gateway);
    return cli_store_open_with(cli, all != NULL ? all : gateway, true);
}

bool cli_store_open_to_write(struct cli_store *cli, struct settings *settings)
{
    if (settings == NULL || records_are_there(settings))
        return cli_store_open_with(cli, settings, false);
    settings_free(settings);
    *cli = (struct cli_store){ 0 };
    return false;
}

static void asked(struct store_read *read, void *arg)
{
    (void)read;
    loop_stop(arg);
}

enum status cli_ask(struct cli_store *cli, struct store_read *read)
{
    read->done = asked;
    read->arg = cli->loop;
    TRY(store_ask(cli->store, read));
    loop_run(cli->loop);
    return read->result;
}

enum status cli_ask_page(struct cli_store *cli, struct store_read *read)
{
    arena_reset(read->arena);
    read->after = read->through;
    read->count = 0;
    read->more = false;
    return cli_ask(cli, read);
}

static void committed(struct store_txn *txn, void *arg)
{
    const struct cli_store *cli = arg;
    (void)txn;
    loop_stop(cli->loop);
}

bool cli_commit(struct cli_store *cli, struct store_txn *txn, const char *command)
{
    txn->done = committed;
    txn->arg = cli;
    enum status status = store_commit(cli->store, txn);
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate %s: %s\n", command, status_text(status));
        return false;
    }
    loop_run(cli->loop);
    if (txn->result != STORE_COMMITTED)
        fprintf(stderr, "railgate %s: %.*s\n", command, (int)txn->why.len,
                (const char *)txn->why.ptr);
    return txn->result == STORE_COMMITTED;
}

static struct settings *load_with(const char *config,
                                  enum status (*load)(const char *path, struct settings **out,
                                                      struct findings *findings))
{
    struct settings *settings = NULL;
    struct findings findings;
    findings_init(&findings);
    if (load(config, &settings, &findings) != STATUS_OK)
        cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    return settings;
}

struct settings *cli_settings_load(const char *config)
{
    return load_with(config, settings_load);
}

struct settings *cli_gateway_load(const char *config)
{
    return load_with(config, settings_load_gateway);
}

void cli_store_close(struct cli_store *cli)
{
    if (cli->store != NULL)
        store_close(cli->store);
    if (cli->secrets != NULL)
        secrets_close(cli->secrets);
    if (cli->loop != NULL)
        loop_close(cli->loop);
    settings_free(cli->settings);
    *cli = (struct cli_store){ 0 };
}

bool cli_read_duration(const char *text, uint64_t most, int64_t *out_us)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = { 1, 60, 3600, 86400 };
    size_t len = strlen(text);
    const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
    uint64_t number = 0;
    if (unit == NULL || view_to_u64(view_of(text, len - 1), most, &number) != STATUS_OK)
        return false;
    *out_us = (int64_t)number * seconds[unit - units] * LOOP_US_PER_S;
    return true;
}
