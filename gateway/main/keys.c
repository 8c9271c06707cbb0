/* keys.c - `railgate keys`: API keys are drawn here, shown once, and stored only as a keyed hash.
 */
#include "main/cli.h"

#include "api/api.h"
#include "base/ensure.h"
#include "base/json_out.h"

#include <stdlib.h>

static void change_done(struct store_key_change *change, void *arg)
{
    (void)change;
    loop_stop(arg);
}

static enum status put_key(struct cli_store *cli, struct store_key_change *change)
{
    change->done = change_done;
    change->arg = cli->loop;
    TRY(store_key_put(cli->store, change));
    loop_run(cli->loop);
    return change->result;
}

/* --- create
 * ---------------------------------------------------------------------------------------- */

struct create {
    const char *config, *merchant, *name, *scopes, *rate;
    bool live, json;
};

static void print_created(const struct create *o, const struct key_row *row, const char *key)
{
    char id[ID_TEXT_MAX], merchant[ID_TEXT_MAX], scopes[128], text[1024];
    struct writer s = writer_over(scopes, sizeof scopes);
    scopes_write(&s, row->scopes);
    id_format(ID_KEY, row->id, id);
    id_format(ID_MERCHANT, row->merchant, merchant);
    if (!o->json) {
        printf("key       %s\n          (shown once; only a keyed hash of it is stored)\n"
               "id        %s\nmerchant  %s\nscopes    %.*s\n",
               key, id, merchant, (int)s.len, scopes);
        return;
    }
    struct writer w = writer_over(text, sizeof text);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "id", view_text(id));
    json_put_text(&j, "key", view_text(key));
    json_put_text(&j, "merchant", view_text(merchant));
    json_put_text(&j, "scopes", writer_done(&s));
    json_close_object(&j);
    writer_text(&w, "\n");
    cli_print(writer_done(&w));
}

static int create_with(struct cli_store *cli, const struct create *o)
{
    struct store_key_change change = { 0 };
    struct key_row *row = &change.row;
    uint64_t rate = 0;
    char key[API_KEY_TEXT_MAX];
    struct id_source ids;
    if (scopes_parse(view_text(o->scopes), &row->scopes) != STATUS_OK) {
        fprintf(stderr, "railgate keys create: --scopes takes `all` or a list of payments:read, "
                        "payments:write, refunds:write, webhooks:write.\n");
        return EXIT_COULD_NOT;
    }
    if (view_to_u64(view_text(o->rate), 1000000, &rate) != STATUS_OK) {
        fprintf(stderr, "railgate keys create: --rate takes 0 (the default rate) to 1000000.\n");
        return EXIT_COULD_NOT;
    }
    id_source_init(&ids, store_last_id(cli->store));
    row->created_us = loop_wall_us(cli->loop);
    row->id = id_next(&ids, row->created_us);
    row->merchant = id_next(&ids, row->created_us);
    if (o->merchant != NULL &&
        id_parse(ID_MERCHANT, view_text(o->merchant), &row->merchant) != STATUS_OK) {
        fprintf(stderr, "railgate keys create: --merchant takes an id (mer_...); leave it out for "
                        "a new one.\n");
        return EXIT_COULD_NOT;
    }
    row->live = o->live;
    row->rate_per_s = (uint32_t)rate;
    row->name = view_text(o->name);
    api_key_draw(cli->loop, o->live, key);
    enum status status = api_key_hash(cli->secrets, view_text(key), row->hash);
    if (status == STATUS_OK)
        status = put_key(cli, &change);
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate keys create: %s\n", status_text(status));
        return EXIT_COULD_NOT;
    }
    print_created(o, row, key);
    return EXIT_GOOD;
}

static int keys_create(int argc, char **argv)
{
    struct create o = { .config = "config", .name = "", .scopes = "all", .rate = "0" };
    const struct option_row rows[] = {
        OPTION_CONFIG(&o.config),
        { "merchant", "ID", "Merchant (mer_...) that the key belongs to. Default: a new one",
          &o.merchant, NULL },
        { "name", "TEXT", "What it is for; shown by `keys list`.", &o.name, NULL },
        { "scopes", "LIST",
          "all, or payments:read,payments:write,refunds:write,webhooks:write. Default: all",
          &o.scopes, NULL },
        { "rate", "N", "Requests a second. Default: limits.requests_per_second_per_key", &o.rate,
          NULL },
        { "live", NULL, "A key for mode live (rg_live_...).", NULL, &o.live },
        { "json", NULL, "Print one JSON object.", NULL, &o.json },
    };
    const struct usage usage = { .command = "keys create",
                                 .sentence = "Draws an API key and prints it, this once.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_store_open_gateway(&cli, o.config, false))
        return EXIT_COULD_NOT;
    int code = create_with(&cli, &o);
    cli_store_close(&cli);
    return code;
}

/* --- list
 * -------------------------------------------------------------------------------------------- */

static void read_done(struct store_read *read, void *arg)
{
    (void)read;
    loop_stop(arg);
}

static void key_json(struct json_out *j, const struct key_row *row)
{
    char text[ID_TEXT_MAX], scopes[128];
    struct writer s = writer_over(scopes, sizeof scopes);
    scopes_write(&s, row->scopes);
    json_open_object(j, NULL);
    json_put_text(j, "id", view_text(id_format(ID_KEY, row->id, text)));
    json_put_text(j, "merchant", view_text(id_format(ID_MERCHANT, row->merchant, text)));
    json_put_text(j, "name", row->name);
    json_put_bool(j, "live", row->live);
    json_put_text(j, "scopes", writer_done(&s));
    json_put_i64(j, "rate_per_s", row->rate_per_s);
    json_put_time(j, "created", row->created_us);
    if (row->revoked_us != 0)
        json_put_time(j, "revoked", row->revoked_us);
    json_close_object(j);
}

static void print_key(const struct key_row *row)
{
    char id[ID_TEXT_MAX], merchant[ID_TEXT_MAX], scopes[128];
    struct writer s = writer_over(scopes, sizeof scopes);
    scopes_write(&s, row->scopes);
    printf("%-18s %-18s %-5s %-8s %-46.*s %.*s\n", id_format(ID_KEY, row->id, id),
           id_format(ID_MERCHANT, row->merchant, merchant), row->live ? "live" : "test",
           row->revoked_us != 0 ? "revoked" : "active", (int)s.len, scopes, (int)row->name.len,
           (const char *)row->name.ptr);
}

/* The next page; its rows are in the arena. */
static bool keys_page(struct cli_store *cli, struct arena *arena, int64_t after,
                      struct store_read *read)
{
    arena_reset(arena);
    *read = (struct store_read){
        .question = STORE_KEYS, .arena = arena, .after = after, .done = read_done, .arg = cli->loop
    };
    if (store_ask(cli->store, read) != STATUS_OK)
        return false;
    loop_run(cli->loop);
    return read->result == STATUS_OK;
}

static bool print_page_json(struct arena *arena, const struct store_read *read, bool first)
{
    for (size_t i = 0; i < read->count; i++) {
        size_t room = 1024 + 6 * read->keys[i].name.len; /* an escape takes six letters */
        char *text = arena_alloc(arena, room);
        struct writer w = writer_over(text, text != NULL ? room : 0);
        struct json_out j;
        writer_text(&w, first && i == 0 ? "" : ",");
        json_out_init(&j, &w);
        key_json(&j, &read->keys[i]);
        if (w.overflow)
            return false;
        cli_print(writer_done(&w));
    }
    return true;
}

/* All of them, page after page: one that is not shown could not be revoked. */
static int list_with(struct cli_store *cli, bool json)
{
    struct arena arena;
    arena_init(&arena, (size_t)8 * 1024 * 1024);
    struct store_read read = { .more = true };
    int64_t after = 0;
    bool good = true, first = true;
    if (json)
        cli_print(VIEW("["));
    else
        printf("%-18s %-18s %-5s %-8s %-46s %s\n", "ID", "MERCHANT", "KIND", "STATE", "SCOPES",
               "NAME");
    for (; good && read.more; first = false) {
        good = keys_page(cli, &arena, after, &read);
        if (good && json)
            good = print_page_json(&arena, &read, first);
        for (size_t i = 0; good && !json && i < read.count; i++)
            print_key(&read.keys[i]);
        after = good && read.count > 0 ? read.keys[read.count - 1].id : after;
    }
    if (json)
        cli_print(VIEW("]\n"));
    if (!good)
        fprintf(stderr, "railgate keys list: the keys cannot be read\n");
    arena_reset(&arena);
    return good ? EXIT_GOOD : EXIT_COULD_NOT;
}

static int keys_list(int argc, char **argv)
{
    const char *config = "config";
    bool json = false;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "json", NULL, "Print a JSON array.", NULL, &json },
    };
    const struct usage usage = { .command = "keys list",
                                 .sentence = "Lists API keys; never their text.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (!cli_store_open_gateway(&cli, config, true))
        return EXIT_COULD_NOT;
    int code = list_with(&cli, json);
    cli_store_close(&cli);
    return code;
}

/* --- revoke
 * ------------------------------------------------------------------------------------------- */

static int keys_revoke(int argc, char **argv)
{
    const char *config = "config";
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
    };
    const struct usage usage = {
        .command = "keys revoke",
        .sentence = "Revokes an API key. A running gateway refuses it within a second.",
        .arguments = "ID",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    struct cli_store cli;
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct store_key_change change = { .revoke = true };
    if (count != 1 || id_parse(ID_KEY, view_text(argv[1]), &change.row.id) != STATUS_OK) {
        fprintf(stderr,
                "railgate keys revoke: give the id (key_...) that `railgate keys list` shows.\n");
        return EXIT_COULD_NOT;
    }
    if (!cli_store_open_to_write(&cli, cli_gateway_load(config)))
        return EXIT_COULD_NOT;
    change.row.revoked_us = loop_wall_us(cli.loop);
    enum status status = put_key(&cli, &change);
    cli_store_close(&cli);
    if (status == STATUS_NOT_FOUND) {
        fprintf(stderr, "railgate keys revoke: there is no active key %s\n", argv[1]);
        return EXIT_FINDINGS;
    }
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate keys revoke: %s\n", status_text(status));
        return EXIT_COULD_NOT;
    }
    printf("%s is revoked\n", argv[1]);
    return EXIT_GOOD;
}

int command_keys(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "create") == 0)
        return keys_create(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return keys_list(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "revoke") == 0)
        return keys_revoke(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr, "usage: railgate keys create | list | revoke ID [OPTIONS]\n\n"
                                    "API keys of merchants. Each takes --help.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
