/* check.c - `railgate check`: everything that serve would find wrong, all of it at once, without
 * touching network, database or keys' files more than reading.
 *
 * Channels are opened for real, on a virtual loop and an in-memory network whose time never runs:
 * so what is checked is what serve does, not a second opinion.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "channel/channel.h"
#include "wire/memory.h"

#include <stdlib.h>

struct check {
    struct settings *settings;
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct log silent;
};

static void take_nothing(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                         void *taken_arg)
{
    (void)arg, (void)name, (void)count, (void)taken, (void)taken_arg;
}

static void no_late(void *arg, struct channel *channel, int64_t attempt_id,
                    enum operation operation, const struct exchange_result *result)
{
    (void)arg, (void)channel, (void)attempt_id, (void)operation, (void)result;
}

static size_t check_keys(struct check *check, struct writer *out)
{
    size_t wrong = 0;
    const struct settings *s = check->settings;
    for (size_t i = 0; i < s->keys_count; i++) {
        const struct key_settings *key = &s->keys[i];
        enum secret_kind kind;
        size_t before = out->len;
        enum status status = secret_kind_parse(view_text(key->kind), &kind);
        if (status == STATUS_OK && key->test_value[0] != '\0')
            status =
                secret_put_hex(check->secrets, key->name, kind, view_text(key->test_value), out);
        else if (status == STATUS_OK && key->hex_file[0] != '\0')
            status = secret_put_hex_file(check->secrets, key->name, kind, key->hex_file, out);
        else if (status == STATUS_OK)
            status = secret_put_file(check->secrets, key->name, kind, key->file, out);
        if (status != STATUS_OK) {
            wrong++;
            writer_format(out, "%s%s:%u: error: key `%s` cannot be used: %s\n",
                          out->len > before ? "\n" : "", s->file, key->line, key->name,
                          status_text(status));
        }
    }
    return wrong;
}

/* Every line is a channel's own; returns how many. */
static size_t check_channels(struct check *check, struct writer *out, size_t *opened)
{
    struct channels_options options = { .settings = check->settings,
                                        .wire = check->wire,
                                        .loop = check->loop,
                                        .secrets = check->secrets,
                                        .log = &check->silent,
                                        .take_traces = take_nothing,
                                        .late = no_late };
    struct channels *channels = NULL;
    size_t before = out->len, lines = 0;
    if (channels_open(&channels, &options, out) != STATUS_OK) {
        writer_text(out, "error: out of memory\n");
        return 1;
    }
    *opened = channels_count(channels);
    channels_abandon(channels);
    for (size_t i = before; i < out->len; i++)
        lines += out->ptr[i] == '\n';
    return lines;
}

static int report(const struct settings *s, size_t errors, size_t warnings, size_t channels)
{
    if (errors > 0) {
        printf("%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
               warnings == 1 ? "" : "s");
        return EXIT_FINDINGS;
    }
    printf("%s is good: %zu channel%s, %zu region%s, %zu warning%s\n", s->folder, channels,
           channels == 1 ? "" : "s", s->regions_count, s->regions_count == 1 ? "" : "s", warnings,
           warnings == 1 ? "" : "s");
    return EXIT_GOOD;
}

static int check_loaded(struct check *check, size_t warnings, bool show)
{
    static const uint8_t no_host_key[32];
    size_t room = 64 * 1024, opened = 0;
    char *text = malloc(room);
    if (text == NULL)
        return EXIT_COULD_NOT;
    struct writer out = writer_over(text, room);
    int code = EXIT_COULD_NOT;
    struct memory_faults none = { 0 };
    check->loop = loop_open_virtual(1, 0);
    if (check->loop != NULL && wire_open_memory(&check->wire, check->loop, &none) == STATUS_OK &&
        secrets_open(&check->secrets, check->loop) == STATUS_OK &&
        secret_set_host_key(check->secrets, view_of(no_host_key, sizeof no_host_key)) ==
            STATUS_OK) {
        size_t errors = check_keys(check, &out);
        errors += check_channels(check, &out, &opened);
        cli_print(writer_done(&out));
        if (show) {
            out.len = 0;
            settings_show(&out, check->settings);
            cli_print(writer_done(&out));
        }
        code = report(check->settings, errors, warnings, opened);
    }
    if (check->secrets != NULL)
        secrets_close(check->secrets);
    if (check->wire != NULL)
        wire_close(check->wire);
    if (check->loop != NULL)
        loop_close(check->loop);
    free(text);
    return code;
}

int command_check(int argc, char **argv)
{
    const char *config = "config";
    bool show = false;
    const struct option_row rows[] = {
        { "config", "DIR", "Folder with gateway.yaml, or that file. Default: config", &config,
          NULL },
        { "show", NULL, "Also print every setting that is in force, and where it comes from.", NULL,
          &show },
    };
    const struct usage usage = {
        .command = "check",
        .sentence = "Checks the configuration and the adapters that it names. No network.",
        .arguments = "[DIR]",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    if (count == 1)
        config = argv[1];
    struct check check = { .silent = { .fd = -1, .level = LOG_ERROR } };
    struct findings findings;
    findings_init(&findings);
    enum status loaded = settings_load(config, &check.settings, &findings);
    cli_print_findings(&findings, stdout);
    size_t errors = findings.errors, warnings = findings.warnings;
    bool unreadable = findings.count > 0 && findings.rows[0].line == 0 && errors == 1 &&
                      strcmp(findings.rows[0].id, "settings.file") == 0;
    findings_clear(&findings);
    if (loaded != STATUS_OK) {
        printf("%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
               warnings == 1 ? "" : "s");
        return unreadable ? EXIT_COULD_NOT : EXIT_FINDINGS;
    }
    int code = check_loaded(&check, warnings, show);
    settings_free(check.settings);
    return code;
}
