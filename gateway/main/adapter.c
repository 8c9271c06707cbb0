/* adapter.c - `railgate adapter list`: what an adapter speaks, can do and needs to be told. */
#include "main/cli.h"

#include "base/ensure.h"
#include "channel/loader.h"
#include "domain/words.h"

#include <limits.h>
#include <stdlib.h>

static const char *transport_word(uint32_t transport)
{
    return transport == RG_TRANSPORT_HTTP     ? "HTTP exchange"
           : transport == RG_TRANSPORT_FRAMED ? "framed stream"
                                              : "local";
}

static const char *type_word(uint32_t type)
{
    static const char *const words[] = { "?", "text", "number", "choice", "flag", "key" };
    return type < COUNT_OF(words) ? words[type] : "?";
}

static void print_settings(const struct loaded_adapter *adapter)
{
    printf("  settings\n");
    for (uint64_t i = 0; i < adapter->api.settings_count; i++) {
        const struct rg_setting *row = adapter_setting(adapter, i);
        printf("    %-24s %-7s %-22s %s\n", row->name, type_word(row->type),
               row->required           ? "required"
               : row->fallback != NULL ? row->fallback
                                       : "",
               row->sentence);
        if (row->choices != NULL)
            printf("    %-24s         one of %s\n", "", row->choices);
    }
}

static void print_abilities(const struct loaded_adapter *adapter)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } flags[] = { { RG_ABLE_REPEAT, "repeatable" },
                  { RG_ABLE_INQUIRE, "can be inquired" },
                  { RG_ABLE_REVERSE, "can be reversed" },
                  { RG_ABLE_PARTIAL, "partial" },
                  { RG_ABLE_PARTIAL_APPROVAL, "partial approval" } };
    printf("  abilities\n");
    for (uint64_t i = 0; i < adapter->api.abilities_count; i++) {
        const struct rg_ability *row = adapter_ability(adapter, i);
        const char *word =
            operation_valid(row->operation) ? operation_word((enum operation)row->operation) : "?";
        printf("    %-12s deadline %u ms, up to %lld minor units, %s", word, row->deadline_ms,
               (long long)row->amount_minor_max,
               row->currencies != NULL ? row->currencies : "any currency");
        for (size_t f = 0; f < COUNT_OF(flags); f++)
            if ((row->flags & flags[f].flag) != 0)
                printf(", %s", flags[f].word);
        printf("\n");
    }
}

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
    printf("%s %s  rail %s, %s, ABI %u.%u, %s\n  %s\n  %s, sha256 ", adapter->api.id,
           adapter->api.version, adapter->api.rail, transport_word(adapter->api.transport),
           adapter->api.abi_major, adapter->api.abi_minor, adapter->api.licence,
           adapter->api.origin, path);
    for (size_t i = 0; i < sizeof adapter->sha256; i++)
        printf("%02x", adapter->sha256[i]);
    printf("\n");
    print_settings(adapter);
    print_abilities(adapter);
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
        { "config", "DIR", "Folder with gateway.yaml, or that file. Default: config", &config,
          NULL },
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

int command_adapter(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return adapter_list(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fprintf(help ? stdout : stderr, "usage: railgate adapter list [PATH.so...] [OPTIONS]\n\n"
                                    "Adapters: shared objects that speak a channel's protocol.\n");
    return help ? EXIT_GOOD : EXIT_COULD_NOT;
}
