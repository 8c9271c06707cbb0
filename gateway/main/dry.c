/* dry.c - see dry.h. */
#include "main/dry.h"

#include "base/ensure.h"
#include "wire/memory.h"
#include "wire/tls.h"

static void take_nothing(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                         void *taken_arg)
{
    (void)arg, (void)name, (void)count, (void)taken, (void)taken_arg;
}

static enum status no_late(void *arg, struct channel *channel, const struct exchange_command *asked,
                           const struct exchange_result *result)
{
    (void)arg, (void)channel, (void)asked, (void)result;
    return STATUS_OK;
}

static size_t open_keys(struct dry *dry, struct writer *out)
{
    size_t wrong = 0;
    const struct settings *s = dry->settings;
    for (size_t i = 0; i < s->keys_count; i++) {
        const struct key_settings *key = &s->keys[i];
        enum secret_kind kind;
        size_t before = out->len;
        enum status status = secret_kind_parse(view_text(key->kind), &kind);
        if (status == STATUS_OK && key->test_value[0] != '\0')
            status = secret_put_hex(dry->secrets, key->name, kind, view_text(key->test_value), out);
        else if (status == STATUS_OK && key->hex_file[0] != '\0')
            status = secret_put_hex_file(dry->secrets, key->name, kind, key->hex_file, out);
        else if (status == STATUS_OK)
            status = secret_put_file(dry->secrets, key->name, kind, key->file, out);
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
static enum status open_channels(struct dry *dry, struct writer *out)
{
    struct channels_options options = { .settings = dry->settings,
                                        .wire = dry->wire,
                                        .loop = dry->loop,
                                        .secrets = dry->secrets,
                                        .log = &dry->silent,
                                        .take_traces = take_nothing,
                                        .late = no_late };
    size_t before = out->len;
    TRY(channels_open(&dry->channels, &options, out));
    for (size_t i = before; i < out->len; i++)
        dry->errors += out->ptr[i] == '\n';
    return STATUS_OK;
}

enum status dry_open(struct dry *dry, const struct settings *settings, struct writer *why)
{
    static const uint8_t no_host_key[32];
    struct memory_faults none = { 0 };
    *dry = (struct dry){ .settings = settings, .silent = { .fd = -1, .level = LOG_ERROR } };
    dry->loop = loop_open_virtual(1, 0);
    if (dry->loop == NULL)
        return STATUS_NO_MEMORY;
    TRY(wire_open_memory(&dry->wire, dry->loop, &none));
    TRY(secrets_open(&dry->secrets, dry->loop));
    TRY(secret_set_host_key(dry->secrets, view_of(no_host_key, sizeof no_host_key)));
    dry->errors = open_keys(dry, why);
    return open_channels(dry, why);
}

static void open_tls(struct dry *dry, const char *setting, bool server, const char *certificate,
                     const char *key, const char *ca, struct writer *why)
{
    struct tls_options options = { .certificate_path = certificate[0] != '\0' ? certificate : NULL,
                                   .key_path = key[0] != '\0' ? key : NULL,
                                   .ca_path = ca[0] != '\0' ? ca : NULL };
    struct tls_context *made = NULL;
    size_t before = why->len;
    writer_format(why, "%s: error: `%s`: ", dry->settings->file, setting);
    enum status status =
        server ? tls_open_server(&options, &made, why) : tls_open_client(&options, &made, why);
    if (status == STATUS_OK) {
        tls_close(made);
        why->len = before; /* nothing is wrong */
    } else {
        writer_u8(why, '\n');
        dry->errors++;
    }
}

void dry_open_tls(struct dry *dry, struct writer *why)
{
    const struct settings *s = dry->settings;
    if (s->api_tls_certificate[0] != '\0')
        open_tls(dry, "api.tls", true, s->api_tls_certificate, s->api_tls_key, s->api_tls_client_ca,
                 why);
    if (s->notify_tls_certificate[0] != '\0')
        open_tls(dry, "notify.tls", true, s->notify_tls_certificate, s->notify_tls_key,
                 s->notify_tls_client_ca, why);
    if (s->webhooks_ca[0] != '\0')
        open_tls(dry, "webhooks.ca", false, "", "", s->webhooks_ca, why);
}

void dry_close(struct dry *dry)
{
    if (dry->channels != NULL)
        channels_abandon(dry->channels);
    if (dry->secrets != NULL)
        secrets_close(dry->secrets);
    if (dry->wire != NULL)
        wire_close(dry->wire);
    if (dry->loop != NULL)
        loop_close(dry->loop);
    *dry = (struct dry){ 0 };
}
