/* authenticator.c - `railgate authenticator`: in the sandbox, what the payer's device would show
 * now.
 *
 * In mode live the payer has the key in a device of their own; nobody else may make codes, so the
 * command refuses.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "main/deciding.h"
#include "payment/authenticate.h"
#include "payment/facts.h"
#include "payment/render.h"

#include <stdlib.h>

#define COMMAND "authenticator"

/* Only the key that codes come from; the others are none of our business. */
static bool open_code_key(struct cli_store *cli)
{
    const struct settings *s = cli->settings;
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    for (size_t i = 0; i < s->keys_count; i++) {
        const struct key_settings *key = &s->keys[i];
        enum secret_kind kind;
        if (strcmp(key->name, s->authentication_code_key) != 0)
            continue;
        enum status status = secret_kind_parse(view_text(key->kind), &kind);
        if (status == STATUS_OK && key->test_value[0] != '\0')
            status =
                secret_put_hex(cli->secrets, key->name, kind, view_text(key->test_value), &why);
        else if (status == STATUS_OK && key->hex_file[0] != '\0')
            status = secret_put_hex_file(cli->secrets, key->name, kind, key->hex_file, &why);
        else if (status == STATUS_OK)
            status = secret_put_file(cli->secrets, key->name, kind, key->file, &why);
        if (status != STATUS_OK)
            fprintf(stderr, "railgate " COMMAND ": key %s: %.*s\n", key->name, (int)why.len, text);
        return status == STATUS_OK;
    }
    fprintf(stderr,
            "railgate " COMMAND ": no key for codes is configured; name one in "
            "authentication.code_key of %s\n",
            s->file);
    return false;
}

static int print_code(struct cli_store *cli, const struct payment_row *row, struct arena *arena,
                      bool json)
{
    size_t room = 8192 + row->facts_json.len + row->outcome_json.len;
    char *text = arena_alloc(arena, room), sentence[256];
    struct writer w = writer_over(text, text != NULL ? room : 0);
    struct writer why = writer_over(sentence, sizeof sentence);
    struct json_out j;
    const struct json_node *root = NULL;
    struct compliance_facts facts;
    char code[AUTHENTICATION_CODE_DIGITS + 1];
    json_out_init(&j, &w);
    render_payment(&j, NULL, row);
    struct json_limits limits = { .bytes_max = room, .nodes_max = 16384, .depth_max = 24 };
    if (w.overflow || json_read(writer_done(&w), &limits, arena, &root, NULL) != STATUS_OK ||
        deciding_facts(root, cli->settings, row->created_us, &facts, &why) != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": the payment cannot be read\n");
        return EXIT_COULD_NOT;
    }
    struct authentication_of of = { .merchant = row->merchant,
                                    .payment = row->id,
                                    .payer = facts_bound_payer(&facts),
                                    .amount = facts.amount,
                                    .payee = facts_bound_payee(&facts) };
    if (!facts.values[FACT_PAYER_ID].given && facts.rail == RAIL_CARD) {
        fprintf(stderr,
                "railgate " COMMAND ": this payment names its payer only by its card, which is "
                "not recorded; give payer.id in the request\n");
        return EXIT_FINDINGS;
    }
    if (authentication_code(cli->secrets, cli->settings, &of, loop_wall_us(cli->loop), code) !=
        STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": no code can be made: no key, or no payer\n");
        return EXIT_FINDINGS;
    }
    printf(json ? "{\"code\":\"%s\"}\n" : "%s\n", code);
    return EXIT_GOOD;
}

static int run_authenticator(struct cli_store *cli, int64_t id, bool json)
{
    struct arena arena;
    if (cli->settings->mode != SETTINGS_SANDBOX) {
        fprintf(stderr,
                "railgate " COMMAND ": only in mode sandbox; live, the payer has a device\n");
        return EXIT_COULD_NOT;
    }
    if (!open_code_key(cli))
        return EXIT_COULD_NOT;
    arena_init(&arena, (size_t)8 * 1024 * 1024);
    struct store_read read = { .question = STORE_ONE_PAYMENT, .arena = &arena, .payment = id };
    int code = EXIT_FINDINGS;
    enum status status = cli_ask(cli, &read);
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": the payment: %s\n", status_text(status));
        code = status == STATUS_NOT_FOUND ? EXIT_FINDINGS : EXIT_COULD_NOT;
    } else if (read.payments[0].status != PAYMENT_REQUIRES_ACTION) {
        fprintf(stderr, "railgate " COMMAND ": the payment is %s; it waits for no confirmation\n",
                payment_status_word(read.payments[0].status));
    } else {
        code = print_code(cli, &read.payments[0], &arena, json);
    }
    arena_reset(&arena);
    return code;
}

int command_authenticator(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print one JSON object.", NULL, &json },
    };
    const struct usage usage = {
        .command = COMMAND,
        .sentence =
            "Mode sandbox: prints the one-time code that the payer's device would show now, "
            "for a payment that\nwaits to be confirmed (POST /v1/payments/{id}/confirm).",
        .arguments = "PAYMENT",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    int64_t id = 0;
    enum options_result read = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count != 1 || id_parse(ID_PAYMENT, view_text(argv[1]), &id) != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": give a payment's id (pay_...).\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    int code = run_authenticator(&cli, id, json);
    cli_store_close(&cli);
    return code;
}
