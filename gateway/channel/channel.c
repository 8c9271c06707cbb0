/* channel.c - the set of channels: opens them from the settings, closes them, answers questions.
 *
 * A channel is opened in steps, each of which may refuse it with a sentence: load the adapter,
 * compare rails, read the values, configure the instance, prepare TLS. A refused channel is left
 * out; the others work. Links and trace numbers start only when the whole set stands, because all
 * share one workspace, sized for the adapter with the largest message.
 *
 * Transports: framed (link.c), HTTP (http.c) and local.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"

#include <stdlib.h>

/* --- opening one ----------------------------------------------------------------------------- */

/* An attempt that is too old for us before it may be undone would only ever be parked. */
static enum status check_ages(const struct channel *channel, struct writer *why)
{
    const struct channel_settings *settings = channel->settings;
    int64_t longest_us = 0;
    for (uint32_t verb = RG_OP_AUTHORISE; verb <= RG_OP_REFUND; verb++) {
        struct channel_ability ability;
        channel_ability(channel, (enum operation)verb, &ability);
        if (ability.able && ability.deadline_us + ability.late_window_us > longest_us)
            longest_us = ability.deadline_us + ability.late_window_us;
    }
    if (settings->reversal_max_age_us > longest_us)
        return STATUS_OK;
    writer_format(why,
                  "%s: error: reversal.max_age is %lld ms, but deadline and late_window together "
                  "are %lld ms; "
                  "it must be longer, or what has no answer is parked and never undone",
                  settings->file, (long long)(settings->reversal_max_age_us / LOOP_US_PER_MS),
                  (long long)(longest_us / LOOP_US_PER_MS));
    return STATUS_REFUSED;
}

static enum status channel_fits(const struct channel *channel, struct writer *why)
{
    const struct channel_settings *settings = channel->settings;
    const struct rg_adapter *api = channel->api;
    if (!view_is(view_text(api->rail), rail_word((enum rail)settings->rail))) {
        writer_format(why, "the channel is for rail %s, but its adapter %s is for rail %s",
                      rail_word((enum rail)settings->rail), api->id, api->rail);
        return STATUS_MISMATCH;
    }
    if (api->transport != RG_TRANSPORT_LOCAL && settings->endpoints.count == 0) {
        writer_text(why, "'endpoints' is missing; say where the other side listens");
        return STATUS_REFUSED;
    }
    return STATUS_OK;
}

static enum status channel_load(struct channel *channel, struct writer *why)
{
    const struct channel_settings *settings = channel->settings;
    const struct channels_options *options = &channel->set->options;
    adapter_entry_fn *entry =
        options->builtin != NULL ? options->builtin(options->arg, settings->adapter) : NULL;
    size_t before = why->len;
    uint32_t line = settings->from != NULL ? settings->from[1] : 0; /* of the row `adapter` */
    writer_format(why, "%s:%u: error: channel `%s`: ", settings->file, line, settings->name);
    TRY(entry != NULL
            ? adapter_load_static(entry, &channel->adapter, why)
            : adapter_load(settings->adapter, settings->sha256[0] != '\0' ? settings->sha256 : NULL,
                           &channel->adapter, why));
    channel->api = &channel->adapter->api;
    TRY(channel_fits(channel, why));
    why->len = before; /* nothing is wrong */
    return STATUS_OK;
}

/* Where the channel can send notices: the gateway's address for them and the channel's name. */
static enum status channel_notice_url(struct channel *channel, struct writer *why)
{
    const char *base = channel->set->options.notice_base;
    if (base == NULL || base[0] == '\0' || channel->api->notice == NULL)
        return STATUS_OK;
    struct writer url = writer_over(channel->notice_url, sizeof channel->notice_url);
    writer_text(&url, base);
    writer_text(&url, channel_name(channel));
    if (writer_terminate(&url) == STATUS_OK)
        return STATUS_OK;
    channel->notice_url[0] = '\0';
    writer_format(why, "%s: error: the address for notices is longer than %u bytes",
                  channel->settings->file, (unsigned)sizeof channel->notice_url - 1);
    return STATUS_RANGE;
}

static enum status channel_configure(struct channel *channel, struct writer *why)
{
    const struct channel_settings *settings = channel->settings;
    struct secrets *secrets = channel->set->options.secrets;
    TRY(values_read(&channel->values, settings, channel->adapter, secrets,
                    channel->set->options.settings->folder, why));
    TRY(check_ages(channel, why));
    TRY(channel_notice_url(channel, why));
    for (uint64_t i = 0; i < channel->api->settings_count; i++) {
        const struct rg_value *value = &channel->values.rows[i];
        if (adapter_setting(channel->adapter, i)->type == RG_SETTING_KEY && value->present != 0)
            channel->configured[i] = secret_find(secrets, (const char *)value->text.ptr);
    }
    channel->instance = vault_alloc((size_t)channel->api->instance_size);
    if (channel->instance == NULL) {
        writer_format(why, "%s: error: memory is out", settings->file);
        return STATUS_NO_MEMORY;
    }
    uint8_t text[DIAGNOSIS_MAX];
    struct rg_diag diag = { .size = sizeof diag,
                            .row = 0xffffffffu,
                            .text = { .ptr = text, .room = sizeof text } };
    if (channel->api->configure(channel->instance, channel->values.rows, &diag) == 1)
        return STATUS_OK;
    const struct raw_setting *raw = NULL;
    const char *name = diag.row < channel->api->settings_count
                           ? adapter_setting(channel->adapter, diag.row)->name
                           : NULL;
    for (size_t i = 0; name != NULL && i < settings->settings_count; i++)
        if (strcmp(settings->settings[i].name, name) == 0)
            raw = &settings->settings[i];
    if (raw != NULL)
        writer_format(why, "%s:%u:%u: error: ", raw->file, raw->value_line, raw->value_column);
    else
        writer_format(why, "%s: error: ", settings->file);
    if (name != NULL)
        writer_format(why, "setting '%s': ", name);
    struct view said = view_of(text, diag.text.len <= sizeof text ? (size_t)diag.text.len : 0);
    if (diag.text.ptr == text && said.len > 0 && view_is_utf8(said))
        writer_view(why, said);
    else
        writer_text(why, "the adapter refuses the settings without saying why");
    return STATUS_REFUSED;
}

static enum status channel_tls(struct channel *channel, struct writer *why)
{
    const struct channel_settings *s = channel->settings;
    if (!s->tls_use)
        return STATUS_OK;
    struct tls_options options = {
        .certificate_path = s->tls_certificate[0] != '\0' ? s->tls_certificate : NULL,
        .key_path = s->tls_key[0] != '\0' ? s->tls_key : NULL,
        .ca_path = s->tls_ca[0] != '\0' ? s->tls_ca : NULL,
        .server_name = s->tls_server_name[0] != '\0' ? s->tls_server_name : NULL,
        .min_version = (uint32_t)s->tls_min_version,
    };
    size_t before = why->len;
    writer_format(why, "%s: error: channel `%s`: ", s->file, s->name);
    TRY(tls_open_client(&options, &channel->tls, why));
    why->len = before; /* nothing is wrong */
    return STATUS_OK;
}

static enum status channel_tables(struct channel *channel, struct writer *why)
{
    const struct channel_settings *s = channel->settings;
    size_t size = sizeof(struct exchange) + (size_t)channel->api->exchange_size;
    size_t late_max = LATE_BYTES_MAX / size;
    if (channel_is_http(channel) && late_max > (size_t)s->connections)
        late_max = (size_t)s->connections; /* each keeps a connection */
    if (!channel_is_http(channel) && late_max < 16)
        late_max = 16;
    channel->late_max = (uint32_t)(late_max > LATE_COUNT_MAX ? LATE_COUNT_MAX : late_max);
    channel->link_count = channel_is_framed(channel) ? (uint32_t)s->links : 0;
    uint64_t seed = loop_random_u64(channel->set->options.loop);
    channel->awaited =
        map_open((size_t)s->in_flight_max + channel->late_max + 2u * channel->link_count, seed);
    channel->links = calloc(channel->link_count + 1u, sizeof *channel->links);
    if (channel->awaited == NULL || channel->links == NULL) {
        writer_format(why, "%s: error: memory is out", s->file);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < channel->link_count; i++)
        link_init(&channel->links[i], channel, i);
    circuit_init(&channel->circuit, (uint32_t)s->circuit_failures, s->circuit_open_for_us);
    return channel_is_http(channel) ? http_open(channel, why) : STATUS_OK;
}

/* Takes back whatever was opened, also half of it. */
static void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    http_close(channel);
    tokens_fini(channel);
    map_close(channel->awaited);
    free(channel->links);
    if (channel->tls != NULL)
        tls_close(channel->tls);
    vault_free(channel->instance);
    arena_reset(&channel->values.texts);
    adapter_unload(&channel->adapter);
    channel->magic = 0;
    vault_free(channel);
}

static enum status channel_open(struct channels *set, const struct channel_settings *settings,
                                struct writer *why)
{
    struct channel *channel = vault_alloc(sizeof *channel);
    if (channel == NULL)
        return STATUS_NO_MEMORY;
    channel->magic = CHANNEL_MAGIC;
    channel->set = set;
    channel->settings = settings;
    channel->index = (uint32_t)set->count;
    list_init(&channel->waiting);
    list_init(&channel->late);
    list_init(&channel->all);
    list_init(&channel->notices);
    enum status s = channel_load(channel, why);
    if (s == STATUS_OK)
        s = channel_configure(channel, why);
    if (s == STATUS_OK)
        s = channel_tls(channel, why);
    if (s == STATUS_OK)
        s = channel_tables(channel, why);
    if (s != STATUS_OK) {
        channel_free(channel);
        return s;
    }
    set->list[set->count++] = channel;
    return STATUS_OK;
}

/* --- the set --------------------------------------------------------------------------------- */

static enum status workspace_open_for(struct channels *set)
{
    size_t room = WORKSPACE_BYTES_MIN;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->api->request_max > room)
            room = (size_t)set->list[i]->api->request_max;
    set->workspace = vault_alloc(sizeof *set->workspace + room);
    if (set->workspace == NULL)
        return STATUS_NO_MEMORY;
    set->workspace->bytes_room = room;
    return STATUS_OK;
}

static void set_free(struct channels *set)
{
    for (size_t i = 0; i < set->count; i++)
        channel_free(set->list[i]);
    vault_free(set->workspace);
    free(set->list);
    set->magic = 0;
    free(set);
}

enum status channels_open(struct channels **out, const struct channels_options *options,
                          struct writer *why)
{
    ENSURE(options->settings != NULL && options->wire != NULL && options->loop != NULL);
    ENSURE(options->secrets != NULL && options->log != NULL);
    ENSURE(options->take_traces != NULL && options->late != NULL);
    *out = NULL;
    struct channels *set = calloc(1, sizeof *set);
    if (set == NULL)
        return STATUS_NO_MEMORY;
    set->magic = CHANNELS_MAGIC;
    set->options = *options;
    set->list = calloc(options->settings->channels_count + 1, sizeof(struct channel *));
    enum status s = set->list != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t i = 0; s == STATUS_OK && i < options->settings->channels_count; i++) {
        const struct channel_settings *settings = &options->settings->channels[i];
        size_t before = why->len;
        s = channel_open(set, settings, why);
        if (s == STATUS_OK || s == STATUS_NO_MEMORY)
            continue;
        if (why->len == before)
            writer_format(why, "%s: %s", settings->file, status_text(s));
        writer_u8(why, '\n');
        LOG(options->log, LOG_ERROR, "channel.left_out", LOG_TEXT("channel", settings->name),
            LOG_STATUS("status", s),
            LOG_VIEW("why", view_trim(view_of(why->ptr + before, why->len - before))));
        s = STATUS_OK;
    }
    if (s == STATUS_OK)
        s = workspace_open_for(set);
    if (s != STATUS_OK) {
        set_free(set);
        return s;
    }
    for (size_t i = 0; i < set->count; i++) {
        struct channel *channel = set->list[i];
        traces_init(channel);
        for (uint32_t k = 0; k < channel->link_count; k++)
            link_start(&channel->links[k]);
    }
    *out = set;
    return STATUS_OK;
}

static void set_end(struct channels *set, void (*end_link)(struct link *), enum traces_end how)
{
    if (set == NULL)
        return;
    ENSURE_MAGIC(set, CHANNELS_MAGIC);
    set->closing = true;
    for (size_t i = 0; i < set->count; i++) {
        struct channel *channel = set->list[i];
        for (uint32_t k = 0; k < channel->link_count; k++)
            end_link(&channel->links[k]);
        if (how == TRACES_ABANDON)
            http_abandon(channel);
        exchanges_fini(channel);
        notices_fini(channel);
        traces_fini(channel, how);
    }
    set_free(set);
}

void channels_close(struct channels *channels)
{
    set_end(channels, link_fini, TRACES_CLOSE);
}

void channels_abandon(struct channels *channels)
{
    set_end(channels, link_abandon, TRACES_ABANDON);
}

size_t channels_count(const struct channels *channels)
{
    ENSURE_MAGIC(channels, CHANNELS_MAGIC);
    return channels->count;
}

struct channel *channels_at(struct channels *channels, size_t index)
{
    ENSURE_MAGIC(channels, CHANNELS_MAGIC);
    ENSURE(index < channels->count);
    return channels->list[index];
}

struct channel *channels_find(struct channels *channels, struct view name)
{
    ENSURE_MAGIC(channels, CHANNELS_MAGIC);
    for (size_t i = 0; i < channels->count; i++)
        if (view_is(name, channels->list[i]->settings->name))
            return channels->list[i];
    return NULL;
}

/* --- questions ------------------------------------------------------------------------------- */

const struct rg_ability *channel_ability_row(const struct channel *channel, uint32_t operation)
{
    return adapter_ability_of(channel->adapter, operation);
}

int64_t channel_now(const struct channel *channel)
{
    return loop_now_us(channel->set->options.loop);
}

bool channel_is_framed(const struct channel *channel)
{
    return channel->api->transport == RG_TRANSPORT_FRAMED;
}

bool channel_is_http(const struct channel *channel)
{
    return channel->api->transport == RG_TRANSPORT_HTTP;
}

static uint32_t links_ready(const struct channel *channel)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < channel->link_count; i++)
        ready += link_is_ready(&channel->links[i]) ? 1 : 0;
    return ready;
}

static const char *state_word(const struct channel *channel)
{
    if (!circuit_allows(&channel->circuit, channel_now(channel)))
        return "circuit_open";
    if (!channel_is_framed(channel) || links_ready(channel) > 0)
        return "ready";
    enum link_state best = LINK_DOWN;
    for (uint32_t i = 0; i < channel->link_count; i++) {
        const struct link *link = &channel->links[i];
        enum link_state state = link->state == LINK_CLOSING ? LINK_DOWN : link->state;
        if (state == LINK_READY) /* waits for a key change */
            state = LINK_CHANGING_KEY;
        best = state > best ? state : best;
    }
    return link_state_word(best);
}

void channel_health(const struct channel *channel, struct channel_health *out)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    *out = (struct channel_health){
        .links = channel->link_count,
        .links_ready = links_ready(channel),
        .circuit_open = circuit_is_open(&channel->circuit),
        .in_flight = channel->in_flight,
        .in_flight_max = (uint32_t)channel->settings->in_flight_max,
        .sent = channel->sent,
        .approved = channel->approved,
        .declined = channel->declined,
        .unknown = channel->unknown,
        .not_sent = channel->not_sent,
        .late = channel->late_answers,
        .unmatched = channel->unmatched,
        .latency_us_mean = channel->latency_us_mean,
        .state = state_word(channel),
    };
}

bool channel_ready(const struct channel *channel)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    return circuit_allows(&channel->circuit, channel_now(channel)) &&
           channel->in_flight < (uint32_t)channel->settings->in_flight_max &&
           (!channel_is_framed(channel) || links_ready(channel) > 0);
}

void channel_ability(const struct channel *channel, enum operation operation,
                     struct channel_ability *out)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    *out = (struct channel_ability){ 0 };
    const struct rg_ability *row = channel_ability_row(channel, (uint32_t)operation);
    if (row == NULL)
        return;
    int64_t own_us = channel->settings->deadline_us;
    int64_t late_us = channel->settings->late_window_us;
    *out = (struct channel_ability){
        .able = true,
        .repeat = (row->flags & RG_ABLE_REPEAT) != 0,
        .inquire = (row->flags & RG_ABLE_INQUIRE) != 0,
        .reverse = (row->flags & RG_ABLE_REVERSE) != 0,
        .partial = (row->flags & RG_ABLE_PARTIAL) != 0,
        .partial_approval = (row->flags & RG_ABLE_PARTIAL_APPROVAL) != 0,
        .amount_minor_max = row->amount_minor_max,
        .deadline_us = own_us > 0 ? own_us : (int64_t)row->deadline_ms * LOOP_US_PER_MS,
        .late_window_us = late_us > 0 ? late_us : (int64_t)row->late_window_ms * LOOP_US_PER_MS,
    };
}

bool ability_takes_currency(const struct rg_ability *row, const char code[4])
{
    for (const char *at = row->currencies; at != NULL; at = at[3] == ' ' ? at + 4 : NULL)
        if (memcmp(at, code, 3) == 0) /* the loader saw to it that they are like "EUR USD" */
            return true;
    return row->currencies == NULL;
}

bool channel_takes_currency(const struct channel *channel, enum operation operation,
                            const char code[4])
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    const struct rg_ability *row = channel_ability_row(channel, (uint32_t)operation);
    if (row == NULL || !ability_takes_currency(row, code))
        return false;
    const struct settings_list *list = &channel->settings->currencies;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i], code, 4) == 0)
            return true;
    return list->count == 0;
}

const char *channel_name(const struct channel *channel)
{
    return channel->settings->name;
}

enum rail channel_rail(const struct channel *channel)
{
    return (enum rail)channel->settings->rail;
}

const struct channel_settings *channel_settings_of(const struct channel *channel)
{
    return channel->settings;
}
