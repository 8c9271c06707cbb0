/* trigger.c - `railgate trigger`: in the sandbox, an event without a payment, to see what a
 * receiver of webhooks does with it.
 *
 * It is written into the journal beside the running gateway, as `railgate keys` writes its rows,
 * and goes the way of every event: to the merchant's webhook endpoints that asked for its kind, to
 * the list and to the streams. Its data says that it is a test.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "domain/webhook.h"

#include <stdlib.h>

#define COMMAND "trigger"

static int append(struct cli_store *cli, struct view kind, int64_t merchant)
{
    struct arena arena;
    arena_init(&arena, 65536);
    struct store_txn txn = { .arena = &arena };
    txn.events[0] = (struct event_row){ .time_us = loop_wall_us(cli->loop),
                                        .merchant = merchant,
                                        .kind = kind,
                                        .data_json = VIEW("{\"test\":true}") };
    txn.event_count = 1;
    bool done = cli_commit(cli, &txn, COMMAND);
    char id[ID_TEXT_MAX];
    if (done)
        printf("%s\n", id_format(ID_EVENT, txn.events[0].seq, id));
    arena_reset(&arena);
    return done ? EXIT_GOOD : EXIT_COULD_NOT;
}

/* Merchants are those that have a key, revoked or not. An event of any other would arrive nowhere,
 * and look as if it had. */
static int append_for(struct cli_store *cli, struct view kind, int64_t merchant)
{
    struct arena arena;
    arena_init(&arena, (size_t)1024 * 1024);
    char id[ID_TEXT_MAX];
    struct store_read read = {
        .question = STORE_KEYS, .arena = &arena, .merchant = merchant, .limit = 1
    };
    enum status status = cli_ask(cli, &read);
    bool is_there = read.count > 0;
    arena_reset(&arena);
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": the keys cannot be read: %s\n", status_text(status));
        return EXIT_COULD_NOT;
    }
    if (is_there)
        return append(cli, kind, merchant);
    fprintf(stderr,
            "railgate " COMMAND ": there is no merchant %s; `railgate keys list` shows them\n",
            id_format(ID_MERCHANT, merchant, id));
    return EXIT_FINDINGS;
}

/* A whole kind, of those that merchants get. */
static bool kind_is_good(struct view kind)
{
    return webhook_kind_valid(kind) && view_find(kind, '*') == kind.len &&
           view_find(kind, '.') < kind.len && webhook_event_leaves(kind, 1) &&
           !view_starts_with(kind, VIEW("webhook_endpoint."));
}

int command_trigger(int argc, char **argv)
{
    const char *config = "config", *merchant_text = "";
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "merchant", "ID", "Whose event it is (mer_..., see railgate keys list).", &merchant_text,
          NULL },
    };
    const struct usage usage = { .command = COMMAND,
                                 .sentence =
                                     "Mode sandbox: records a test event for a merchant and "
                                     "prints its id. Nothing is paid. EVENT is its kind: "
                                     "payment.succeeded",
                                 .arguments = "EVENT --merchant ID",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows),
                                 .arguments_max = 1 };
    int count;
    int64_t merchant = 0;
    struct cli_store cli;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || !kind_is_good(view_text(argv[1]))) {
        fprintf(stderr, "railgate " COMMAND ": give a kind of events: payment.succeeded\n");
        return EXIT_COULD_NOT;
    }
    if (id_parse(ID_MERCHANT, view_text(merchant_text), &merchant) != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": give --merchant with a merchant's id (mer_...)\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_to_write(&cli, cli_gateway_load(config)))
        return EXIT_COULD_NOT;
    int code = EXIT_COULD_NOT;
    if (cli.settings->mode == SETTINGS_SANDBOX)
        code = append_for(&cli, view_text(argv[1]), merchant);
    else
        fprintf(stderr,
                "railgate " COMMAND ": only in mode sandbox; live, events are what happened\n");
    cli_store_close(&cli);
    return code;
}
