/* restored.c - `railgate restored`: the step between putting back a backup and starting on it.
 *
 * What happened after the backup is forgotten here, and known to merchants: the ids of those events
 * are in their tables and cursors. The journal goes on beyond all of them (STORE_RESTORED), so that
 * no id is given twice. Only somebody who knows that the file is a backup can ask for that: to the
 * gateway it looks like any other.
 */
#include "main/cli.h"

#include "base/ensure.h"

#define COMMAND "restored"

/* In the data of the event: the last one that the backup has. */
static enum status judge_restored(struct store_txn *txn, void *arg)
{
    const struct cli_store *cli = arg;
    char id[ID_TEXT_MAX];
    struct view data = txn->journal_seq == 0
                           ? VIEW("{\"after\":null}")
                           : arena_format(txn->arena, "{\"after\":\"%s\"}",
                                          id_format(ID_EVENT, txn->journal_seq, id));
    txn->events[txn->event_count++] = (struct event_row){ .time_us = loop_wall_us(cli->loop),
                                                          .kind = VIEW(STORE_RESTORED),
                                                          .data_json = data };
    return data.len > 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static int append(struct cli_store *cli)
{
    char id[ID_TEXT_MAX];
    struct arena arena;
    arena_init(&arena, 65536);
    struct store_txn txn = { .arena = &arena, .judge = judge_restored };
    bool done = cli_commit(cli, &txn, COMMAND);
    if (done && txn.journal_seq > 0)
        printf("the last event of the backup is %s\n", id_format(ID_EVENT, txn.journal_seq, id));
    if (done)
        printf("the journal goes on after       %s\n", id_format(ID_EVENT, txn.events[0].seq, id));
    arena_reset(&arena);
    return done ? EXIT_GOOD : EXIT_COULD_NOT;
}

int command_restored(int argc, char **argv)
{
    const char *config = "config";
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
    };
    const struct usage usage = { .command = COMMAND,
                                 .sentence =
                                     "Once, after a backup of the database was put back and "
                                     "before the gateway starts on it: no id of an event\nis given "
                                     "a second time.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_store_open_to_write(&cli, cli_gateway_load(config)))
        return EXIT_COULD_NOT;
    int code = cli_lock_store(cli.settings, COMMAND) ? append(&cli) : EXIT_COULD_NOT;
    cli_store_close(&cli);
    return code;
}
