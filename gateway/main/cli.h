/* cli.h - the subcommands of `railgate`, each a function of its own file, and what they share. */
#ifndef MAIN_CLI_H
#define MAIN_CLI_H

#include "base/bytes.h"
#include "base/log.h"
#include "loop/loop.h"
#include "secret/secret.h"
#include "settings/settings.h"
#include "store/store.h"

#include <stdio.h>

/* The same for every command; docs/operator.md has the table. */
#define EXIT_GOOD      0 /* done; what was asked about is good */
#define EXIT_FINDINGS  1 /* it ran, and the answer is no: findings, no such payment, refused */
#define EXIT_COULD_NOT 2 /* it could not run: wrong use, no such file, no gateway, ... */

/* argv[0] is the subcommand's name. Returns the exit code. */
typedef int command_fn(int argc, char **argv);
command_fn command_serve, command_check, command_explain, command_diff, command_backtest,
    command_reload, command_profile, command_region, command_schema, command_review,
    command_authenticator, command_keys, command_payments, command_attempts, command_attempt,
    command_adapter, command_qr, command_version, command_trigger, command_listen,
    command_reconcile, command_restored;

/* The whole program; main.c only calls it. */
int railgate_main(int argc, char **argv);

/* --- options: "--name value", "--name=value", "--flag"
 * --------------------------------------------- */
struct option_row {
    const char *name;  /* "config" */
    const char *value; /* what follows, for --help: "DIR"; NULL: a flag */
    const char *sentence;
    const char **text; /* set for options with a value */
    bool *flag;        /* set for flags */
};
/* The row that most commands have. */
#define OPTION_CONFIG(path)                                                                        \
    {                                                                                              \
        "config", "DIR", "Folder with gateway.yaml, or that file. Default: config", (path), NULL   \
    }
struct usage {
    const char *command;   /* "keys create" */
    const char *sentence;  /* what it does */
    const char *more;      /* further lines for --help, or NULL */
    const char *arguments; /* "[ID]", or "" */
    const struct option_row *options;
    size_t option_count;
    int arguments_max; /* positional arguments */
};
enum options_result { OPTIONS_GO = 1, OPTIONS_HELP, OPTIONS_WRONG };
/* Positional arguments are moved to argv[1..*count]. HELP: printed to stdout (exit 0); WRONG: said
 * on stderr what and how to get help (exit 2). */
enum options_result options_read(const struct usage *usage, int argc, char **argv, int *count);

/* --- settings and store for commands that look at them
 * ------------------------------------------------ */
struct cli_store {
    struct settings *settings;
    struct loop *loop;
    struct secrets *secrets; /* with the host key */
    struct store *store;
    struct log log;
};
/* Loads the configuration, opens host key and store. Errors go to stderr; false: EXIT_COULD_NOT.
 * Who only looks makes nothing: without records it is false as well. */
bool cli_store_open(struct cli_store *cli, const char *config, bool read_only);
/* The same without channels, regions and tests: it also works while a profile on disk is broken. */
bool cli_store_open_gateway(struct cli_store *cli, const char *config, bool read_only);
/* The same with settings that were loaded; takes them. NULL: false. */
bool cli_store_open_with(struct cli_store *cli, struct settings *settings, bool read_only);
/* To look, with all of the configuration, or without channels, regions and tests when they are
 * broken: a profile must not hide the records. What profiles mask is then masked by the strictest
 * (masked.c). `command` is told on stderr. */
bool cli_store_open_to_show(struct cli_store *cli, const char *config, const char *command);
/* As cli_store_open_with, for who writes into records that must be there. */
bool cli_store_open_to_write(struct cli_store *cli, struct settings *settings);
void cli_store_close(struct cli_store *cli);
/* Asks and waits; done and arg of the question are set here. */
enum status cli_ask(struct cli_store *cli, struct store_read *read);
/* The same for a list too long for one answer: what is behind `through` (0: from the start), into
 * an arena that is emptied before. Ask again while read->more. */
enum status cli_ask_page(struct cli_store *cli, struct store_read *read);
/* Commits and waits; done and arg are set here, and the judge's argument is cli. False: nothing was
 * committed, and stderr says why in the name of the command. */
bool cli_commit(struct cli_store *cli, struct store_txn *txn, const char *command);
/* Loads the configuration; what is wrong goes to stderr, all of it. NULL: EXIT_COULD_NOT. */
struct settings *cli_settings_load(const char *config);
/* The same, of gateway.yaml alone. */
struct settings *cli_gateway_load(const char *config);
/* Before the host key is opened, which makes one: beside records it would not be theirs, and in the
 * way of the one that is. False, and said on stderr: there is a database and no key. */
bool cli_host_key_is_there(const struct settings *settings);
/* Makes the folders of database and host key, if only the last one is missing. */
void cli_make_folders(const struct settings *settings);
/* Two gateways on one database would reverse each other's running attempts: there is a lock beside
 * it. Held until the process ends, however it ends. False: said on stderr why not. */
bool cli_lock_store(const struct settings *settings, const char *command);
/* Prints findings to stderr. */
void cli_print_findings(const struct findings *findings, FILE *to);
/* Writes bytes to stdout. */
void cli_print(struct view text);
/* "90s", "10m", "2h", "3d", of an option: at most `most` of its unit. False: it is none. */
bool cli_read_duration(const char *text, uint64_t most, int64_t *out_us);

#endif
