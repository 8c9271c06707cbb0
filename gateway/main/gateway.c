/* gateway.c - builds the rooms from the bottom up and takes them down in the opposite order.
 *
 * The order of taking down matters: first no work goes on (payments_stop), then the store brings
 * its commits to an end and gives back the memory that was lent to it, then connections, works and
 * channels can go. A crash skips all politeness: the store forgets what was not on disk, and nobody
 * is told.
 */
#include "main/gateway.h"

#include "base/ensure.h"
#include "base/list.h"
#include "base/vault.h"

#include <stdio.h>
#include <stdlib.h>

#define GATEWAY_MAGIC 0x47415445u

struct gateway {
    uint32_t magic;
    struct gateway_options o;
    struct secrets *secrets;
    struct store *store;
    struct channels *channels;
    struct payments *payments;
    struct settings *reloaded; /* NULL: those of the start are in force */
    struct policy *policy;
    struct reload *reload;
    struct admin *admin; /* NULL: no socket */
    struct tls_context *api_tls, *notify_tls;
    struct notify *notify; /* NULL: no address for notices */
    char notice_base[384];
    struct outbox *outbox;
    struct open_differences open_differences;
    struct api *api;
    struct http_server *ops;
    struct list traces; /* blocks being taken */
    void (*ready)(void *arg, enum status status);
    void *ready_arg;
    void (*drained)(void *arg);
    void *drained_arg;
    int64_t drain_until_us;
    struct timer drain;
};

/* --- trace numbers
 * -------------------------------------------------------------------------------- */

struct trace_take {
    struct list link;
    struct gateway *gateway;
    struct store_counter counter;
    trace_taken_fn *taken;
    void *taken_arg;
};

static void trace_taken(struct store_counter *counter, void *arg)
{
    struct trace_take *take = arg;
    list_remove(&take->link);
    take->taken(take->taken_arg, counter->first, counter->count, counter->status);
    free(take);
}

static void take_traces(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                        void *taken_arg)
{
    struct gateway *gateway = arg;
    ENSURE_MAGIC(gateway, GATEWAY_MAGIC);
    struct trace_take *take = calloc(1, sizeof *take);
    if (take == NULL) {
        taken(taken_arg, 0, 0, STATUS_NO_MEMORY);
        return;
    }
    take->gateway = gateway;
    take->taken = taken;
    take->taken_arg = taken_arg;
    take->counter = (struct store_counter){ .count = count, .done = trace_taken, .arg = take };
    (void)snprintf(take->counter.name, sizeof take->counter.name, "trace:%s", name);
    list_append(&gateway->traces, &take->link);
    /* While closing, channels sign off after the store is gone; they do without a new block. */
    if (gateway->store == NULL || store_counter_take(gateway->store, &take->counter) != STATUS_OK) {
        list_remove(&take->link);
        taken(taken_arg, 0, 0, STATUS_BUSY);
        free(take);
    }
}

static enum status late_answer(void *arg, struct channel *channel,
                               const struct exchange_command *asked,
                               const struct exchange_result *result)
{
    struct gateway *gateway = arg;
    ENSURE_MAGIC(gateway, GATEWAY_MAGIC);
    return payments_late_answer(gateway->payments, channel, asked, result);
}

static void framed_notice(void *arg, struct channel *channel, const struct notice_read *read,
                          notice_recorded_fn *recorded, void *recorded_arg)
{
    struct gateway *gateway = arg;
    ENSURE_MAGIC(gateway, GATEWAY_MAGIC);
    notify_framed(gateway->payments, channel, read, recorded, recorded_arg);
}

static adapter_entry_fn *builtin_entry(void *arg, const char *adapter)
{
    struct gateway *gateway = arg;
    return gateway->o.builtin != NULL ? gateway->o.builtin(gateway->o.builtin_arg, adapter) : NULL;
}

/* --- opening
 * ---------------------------------------------------------------------------------------- */

static enum status put_key(struct secrets *secrets, const struct key_settings *key,
                           enum secret_kind kind, struct writer *why)
{
    if (key->test_value[0] != '\0')
        return secret_put_hex(secrets, key->name, kind, view_text(key->test_value), why);
    if (key->hex_file[0] != '\0')
        return secret_put_hex_file(secrets, key->name, kind, key->hex_file, why);
    return secret_put_file(secrets, key->name, kind, key->file, why);
}

static enum status open_keys(struct gateway *g, struct writer *why)
{
    const struct settings *s = g->o.settings;
    TRY(secrets_open(&g->secrets, g->o.loop));
    if (g->o.host_key != NULL)
        TRY(secret_set_host_key(g->secrets, view_of(g->o.host_key, 32)));
    else
        TRY(secret_open_host_key(g->secrets, s->secrets_pepper_file, why));
    for (size_t i = 0; i < s->keys_count; i++) {
        const struct key_settings *key = &s->keys[i];
        enum secret_kind kind;
        TRY(secret_kind_parse(view_text(key->kind), &kind));
        enum status status = put_key(g->secrets, key, kind, why);
        if (status != STATUS_OK) {
            writer_format(why, "%s%s:%u: key %s cannot be used: %s\n", why->len > 0 ? "\n" : "",
                          s->file, key->line, key->name, status_text(status));
            return status;
        }
    }
    return STATUS_OK;
}

static enum status open_store(struct gateway *g, struct writer *why)
{
    const struct settings *s = g->o.settings;
    struct store_options options = { .path = s->store_path,
                                     .vfs = g->o.store_vfs,
                                     .log = g->o.log,
                                     .idem_keep_us =
                                         s->store_idempotency_days * 86400 * LOOP_US_PER_S };
    return store_open(&g->store, g->o.loop, &options, why);
}

static enum status open_channels(struct gateway *g, struct writer *why)
{
    struct channels_options options = { .settings = g->o.settings,
                                        .wire = g->o.wire,
                                        .loop = g->o.loop,
                                        .secrets = g->secrets,
                                        .log = g->o.log,
                                        .take_traces = take_traces,
                                        .late = late_answer,
                                        .notice = framed_notice,
                                        .notice_base = g->notice_base,
                                        .builtin = builtin_entry,
                                        .arg = g,
                                        .owner = g };
    return channels_open(&g->channels, &options, why);
}

/* A profile that is wrong is a reason not to start; a list that cannot be used is not: what needs
 * it is denied, and everything else goes on. */
static enum status open_policy(struct gateway *g, struct writer *why)
{
    struct findings *findings = malloc(sizeof *findings);
    if (findings == NULL)
        return STATUS_NO_MEMORY;
    findings_init(findings);
    enum status status = policy_open(g->o.settings, findings, NULL, &g->policy);
    if (status == STATUS_OK)
        policy_check_lists(g->policy, g->o.settings, loop_wall_us(g->o.loop), findings);
    findings_write(why, findings);
    findings_clear(findings);
    free(findings);
    return status;
}

static enum status open_payments(struct gateway *g)
{
    struct payments_options options = { .loop = g->o.loop,
                                        .store = g->store,
                                        .channels = g->channels,
                                        .secrets = g->secrets,
                                        .settings = g->o.settings,
                                        .policy = g->policy,
                                        .log = g->o.log,
                                        .works_max =
                                            (size_t)g->o.settings->limit_payments_in_flight,
                                        .step = g->o.step,
                                        .step_arg = g->o.step_arg };
    return payments_open(&g->payments, &options);
}

static void endpoint_changed(void *arg, int64_t id)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    outbox_endpoint_changed(g->outbox, id);
}

static enum status open_outbox(struct gateway *g, struct writer *why)
{
    struct outbox_options options = { .loop = g->o.loop,
                                      .store = g->store,
                                      .wire = g->o.wire,
                                      .secrets = g->secrets,
                                      .settings = g->o.settings,
                                      .log = g->o.log,
                                      .owner = g };
    return outbox_open(&g->outbox, &options, why);
}

/* In the words of whoever reads why nothing starts. */
static void cannot_listen(struct writer *why, const char *setting, const char *address,
                          enum status status)
{
    const char *text = status == STATUS_EXISTS      ? "another program listens there"
                       : status == STATUS_NOT_FOUND ? "this machine has no such address"
                                                    : status_text(status);
    writer_format(why, "%s: error: cannot listen on %s: %s\n", setting, address, text);
}

static enum status open_api(struct gateway *g, struct writer *why)
{
    const struct settings *s = g->o.settings;
    if (s->api_tls_certificate[0] != '\0') {
        struct tls_options tls = { .certificate_path = s->api_tls_certificate,
                                   .key_path = s->api_tls_key,
                                   .ca_path = s->api_tls_client_ca[0] != '\0' ? s->api_tls_client_ca
                                                                              : NULL };
        TRY(tls_open_server(&tls, &g->api_tls, why));
    }
    struct api_options options = { .wire = g->o.wire,
                                   .loop = g->o.loop,
                                   .store = g->store,
                                   .payments = g->payments,
                                   .secrets = g->secrets,
                                   .settings = s,
                                   .tls = g->api_tls,
                                   .log = g->o.log,
                                   .owner = g,
                                   .endpoint_changed = endpoint_changed,
                                   .endpoint_arg = g };
    enum status status = api_open(&g->api, &options);
    if (status != STATUS_OK)
        cannot_listen(why, "api.listen", s->api_listen, status);
    return status;
}

/* How channels reach us: as configured, or where we listen. */
static void notice_base(struct gateway *g)
{
    const struct settings *s = g->o.settings;
    struct writer w = writer_over(g->notice_base, sizeof g->notice_base - 1);
    struct view url = view_text(s->notify_public_url);
    if (url.len > 0) {
        writer_view(&w, url.ptr[url.len - 1] == '/' ? view_slice(url, 0, url.len - 1) : url);
    } else {
        writer_text(&w, s->notify_tls_certificate[0] != '\0' ? "https://" : "http://");
        endpoint_format(&w, notify_endpoint(g->notify));
    }
    writer_text(&w, "/notices/");
    ENSURE(!w.overflow);
    g->notice_base[w.len] = '\0';
}

static enum status open_notify(struct gateway *g, struct writer *why)
{
    const struct settings *s = g->o.settings;
    if (s->notify_listen[0] == '\0')
        return STATUS_OK;
    if (s->notify_tls_certificate[0] != '\0') {
        struct tls_options tls = { .certificate_path = s->notify_tls_certificate,
                                   .key_path = s->notify_tls_key,
                                   .ca_path = s->notify_tls_client_ca[0] != '\0'
                                                  ? s->notify_tls_client_ca
                                                  : NULL };
        TRY(tls_open_server(&tls, &g->notify_tls, why));
    }
    struct notify_options options = { .wire = g->o.wire,
                                      .loop = g->o.loop,
                                      .settings = s,
                                      .tls = g->notify_tls,
                                      .log = g->o.log,
                                      .owner = g };
    enum status status = notify_open(&g->notify, &options);
    if (status != STATUS_OK)
        cannot_listen(why, "notify.listen", s->notify_listen, status);
    else
        notice_base(g);
    return status;
}

static enum status open_ops(struct gateway *g, struct writer *why)
{
    struct http_server_options options = {
        .handler = ops_handle, .arg = g, .log = g->o.log, .owner = g
    };
    TRY(endpoint_parse(view_text(g->o.settings->ops_listen), &options.at));
    enum status status = http_server_open(&g->ops, g->o.wire, g->o.loop, &options);
    if (status != STATUS_OK)
        cannot_listen(why, "ops.listen", g->o.settings->ops_listen, status);
    return status;
}

static void admin_reload(void *arg, admin_done_fn *done, void *done_arg)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    reload_ask(g->reload, done, done_arg);
}

static void admin_rollback(void *arg, struct view region, int64_t seq, struct view by,
                           admin_done_fn *done, void *done_arg)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    reload_rollback(g->reload, region, seq, by, done, done_arg);
}

static enum status open_admin(struct gateway *g, struct writer *why)
{
    const char *path = g->o.settings->admin_socket;
    if (loop_kind_of(g->o.loop) == LOOP_VIRTUAL || path[0] == '\0')
        return STATUS_OK; /* nobody could connect */
    struct admin_options options = { .wire = g->o.wire,
                                     .loop = g->o.loop,
                                     .store = g->store,
                                     .payments = g->payments,
                                     .path = path,
                                     .log = g->o.log,
                                     .reload = admin_reload,
                                     .rollback = admin_rollback,
                                     .arg = g,
                                     .owner = g };
    enum status status = admin_open(&g->admin, &options);
    if (status == STATUS_EXISTS)
        writer_format(why,
                      "admin.socket: %s is taken: another gateway listens there, or the file is no "
                      "socket\n",
                      path);
    else if (status == STATUS_RANGE)
        writer_format(why, "admin.socket: %s is longer than 100 bytes; give a shorter path\n",
                      path);
    else if (status != STATUS_OK)
        writer_format(why, "admin.socket: cannot listen on %s: %s\n", path, status_text(status));
    return status;
}

enum status gateway_open(struct gateway **out, const struct gateway_options *options,
                         struct writer *why)
{
    *out = NULL;
    struct gateway *g = calloc(1, sizeof *g);
    if (g == NULL)
        return STATUS_NO_MEMORY;
    g->magic = GATEWAY_MAGIC;
    g->o = *options;
    list_init(&g->traces);
    enum status status = open_keys(g, why);
    if (status == STATUS_OK)
        status = open_store(g, why);
    if (status == STATUS_OK)
        status = open_notify(g, why);
    if (status == STATUS_OK)
        status = open_channels(g, why);
    if (status == STATUS_OK)
        status = open_policy(g, why);
    if (status == STATUS_OK)
        status = open_payments(g);
    if (status == STATUS_OK && g->notify != NULL)
        notify_start(g->notify, g->channels, g->payments);
    if (status == STATUS_OK)
        status = open_outbox(g, why);
    if (status == STATUS_OK)
        status = open_api(g, why);
    if (status == STATUS_OK)
        status = open_ops(g, why);
    if (status == STATUS_OK)
        status = reload_open(&g->reload, g, g->o.loop, g->o.log, g->o.settings);
    if (status == STATUS_OK)
        status = open_admin(g, why);
    if (status != STATUS_OK) {
        gateway_close(g);
        return status;
    }
    *out = g;
    return STATUS_OK;
}

static void recovered(void *arg, enum status status)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    if (g->ready != NULL)
        g->ready(g->ready_arg, status);
}

static void start_recorded(void *arg, enum status status)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    if (status == STATUS_OK)
        payments_recover(g->payments, recovered, g);
    else
        recovered(g, status);
}

/* Payments are taken when the versions that decide them are in the history. */
void gateway_start(struct gateway *g, void (*ready)(void *arg, enum status status), void *arg)
{
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    g->ready = ready;
    g->ready_arg = arg;
    outbox_start(g->outbox);
    reload_record_start(g->reload, start_recorded, g);
}

bool gateway_ready(const struct gateway *g)
{
    return payments_ready(g->payments);
}

/* --- closing
 * ------------------------------------------------------------------------------------------ */

static void drain_look(struct timer *timer, void *arg)
{
    struct gateway *g = arg;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    /* A late answer that is not recorded yet is not said again; it is tried each second. */
    bool waiting = payments_waiting(g->payments) > 0 || api_running(g->api) > 0 ||
                   payments_lates(g->payments) > 0 || channels_untold(g->channels) > 0;
    if (waiting && loop_now_us(g->o.loop) < g->drain_until_us) {
        timer_start(timer, 10 * LOOP_US_PER_MS);
        return;
    }
    g->drained(g->drained_arg);
}

void gateway_drain(struct gateway *g, int64_t most_us, void (*drained)(void *arg), void *arg)
{
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    api_drain(g->api);
    if (g->notify != NULL)
        notify_drain(g->notify);
    g->drained = drained;
    g->drained_arg = arg;
    g->drain_until_us = loop_now_us(g->o.loop) + most_us;
    timer_init(&g->drain, g->o.loop, drain_look, g);
    timer_start(&g->drain, 0);
}

static void free_traces(struct gateway *g)
{
    struct list *item;
    while ((item = list_take_first(&g->traces)) != NULL)
        free(CONTAINER_OF(item, struct trace_take, link));
}

static void free_gateway(struct gateway *g)
{
    free_traces(g);
    policy_free(g->policy);
    settings_free(g->reloaded);
    if (g->api_tls != NULL)
        tls_close(g->api_tls);
    if (g->notify_tls != NULL)
        tls_close(g->notify_tls);
    if (g->secrets != NULL)
        secrets_close(g->secrets);
    g->magic = 0;
    free(g);
}

void gateway_close(struct gateway *g)
{
    if (g == NULL)
        return;
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    if (g->drained != NULL)
        timer_stop(&g->drain);
    reload_stop(g->reload);
    if (g->payments != NULL)
        payments_stop(g->payments);
    outbox_stop(g->outbox);
    if (g->store != NULL)
        store_close(g->store);
    g->store = NULL;
    if (g->ops != NULL)
        http_server_close(g->ops);
    reload_close(g->reload);
    admin_close(g->admin);
    outbox_close(g->outbox);
    api_close(g->api);
    payments_close(g->payments);
    notify_close(g->notify);
    if (g->channels != NULL)
        channels_close(g->channels);
    free_gateway(g);
}

void gateway_crash(struct gateway *g)
{
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    if (g->drained != NULL)
        timer_stop(&g->drain);
    wire_crash(g->o.wire, g);
    store_crash(g->store);
    http_server_close(g->ops);
    reload_close(g->reload);
    admin_close(g->admin);
    outbox_abandon(g->outbox);
    api_close(g->api);
    payments_close(g->payments);
    notify_close(g->notify);
    channels_abandon(g->channels);
    free_gateway(g);
}

/* --- looking
 * -------------------------------------------------------------------------------------------- */

const struct settings *gateway_settings(const struct gateway *g)
{
    return g->reloaded != NULL ? g->reloaded : g->o.settings;
}

const struct policy *gateway_policy(const struct gateway *g)
{
    return g->policy;
}

void gateway_use_policy(struct gateway *g, struct settings **settings, struct policy **policy)
{
    ENSURE_MAGIC(g, GATEWAY_MAGIC);
    ENSURE(*settings != NULL && *policy != NULL);
    /* The row `region` is of the start, like all of gateway.yaml. */
    (*policy)->default_region = view_text(g->o.settings->region);
    payments_use(g->payments, *policy);
    policy_free(g->policy); /* payments keep copies of what they need of it */
    settings_free(g->reloaded);
    g->policy = *policy;
    g->reloaded = *settings;
    *policy = NULL;
    *settings = NULL;
}

struct reload *gateway_reload(struct gateway *g)
{
    return g->reload;
}

struct open_differences *gateway_open_differences(struct gateway *g)
{
    return &g->open_differences;
}

int64_t gateway_wall_us(const struct gateway *g)
{
    return loop_wall_us(g->o.loop);
}

const struct endpoint *gateway_api(const struct gateway *g)
{
    return api_endpoint(g->api);
}

const struct endpoint *gateway_ops(const struct gateway *g)
{
    return http_server_endpoint(g->ops);
}

const char *gateway_notices(const struct gateway *g)
{
    return g->notice_base;
}

struct notify *gateway_notify(const struct gateway *g)
{
    return g->notify;
}

struct outbox *gateway_outbox(const struct gateway *g)
{
    return g->outbox;
}

struct store *gateway_store(struct gateway *g)
{
    return g->store;
}

struct channels *gateway_channels(struct gateway *g)
{
    return g->channels;
}

struct payments *gateway_payments(struct gateway *g)
{
    return g->payments;
}

void gateway_api_stats(const struct gateway *g, struct api_stats *out)
{
    api_stats(g->api, out);
}
