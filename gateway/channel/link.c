/* link.c - the life of a link: one long-lived connection to the other side, and what must happen on
 * it before it may carry payments.
 *
 *     DOWN --timer--> CONNECTING --opened--> SIGNING_ON --> CHANGING_KEY --> READY
 *       ^                  |                     |               |        (echo when idle;
 *       |                  |                     |               |         key change again when
 *       +------ closed ----+---------------------+---------------+-------- the other side asks)
 *
 * sign_on and key_change are skipped when the channel file says no or the adapter is not able to.
 * Each of them, and echo, is an exchange of the link's own (`op`), with trace numbers of the
 * channel's counter; when none is there the link waits for the next block. An op that fails in any
 * way breaks the link: a counterpart that does not let us sign on, does not answer an echo or
 * grants a key that cannot be unwrapped is of no use. Then back-off: the time doubles with each
 * try, half of it is chance, and only READY resets it.
 *
 * A key change while READY waits until nothing is in flight: a MAC must be checked with the key it
 * was made with. Meanwhile the link is `draining`; payments take other links or wait.
 *
 * Keys that were granted die with the connection: the next one begins with the configured keys, as
 * after a start of the gateway.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"

static void link_advance(struct link *link);
static void link_op_begin(struct link *link, enum operation operation);

const char *link_state_word(enum link_state state)
{
    switch (state) {
    case LINK_DOWN: return "down";
    case LINK_CONNECTING: return "connecting";
    case LINK_SIGNING_ON: return "signing_on";
    case LINK_CHANGING_KEY: return "changing_key";
    case LINK_READY: return "ready";
    case LINK_CLOSING: return "closing";
    }
    return "?";
}

bool link_is_ready(const struct link *link)
{
    return link->state == LINK_READY && !link->draining && link->conn != NULL;
}

struct secret_key *link_key(const struct link *link, const struct channel *channel,
                            struct view setting, uint64_t *row)
{
    for (uint64_t i = 0; i < channel->api->settings_count; i++) {
        const struct rg_setting *s = adapter_setting(channel->adapter, i);
        if (s->type != RG_SETTING_KEY || !view_is(setting, s->name))
            continue;
        if (row != NULL)
            *row = i;
        return link != NULL && link->granted[i] != NULL ? link->granted[i] : channel->configured[i];
    }
    return NULL;
}

static void forget_keys(struct link *link)
{
    for (size_t i = 0; i < SETTINGS_ROWS_MAX; i++) {
        if (link->granted[i] != NULL)
            secret_key_close(link->granted[i]);
        link->granted[i] = NULL;
    }
    link->key_generation = 0;
}

/* --- down and up ----------------------------------------------------------------------------- */

static int64_t backoff_us(struct link *link)
{
    int64_t most = BACKOFF_FIRST_US;
    for (uint32_t i = 1; i < link->tries && most < BACKOFF_LAST_US; i++)
        most *= 2;
    if (most > BACKOFF_LAST_US)
        most = BACKOFF_LAST_US;
    uint64_t chance = loop_random_u64(link->channel->set->options.loop);
    return most / 2 + (int64_t)(chance % (uint64_t)(most / 2 + 1));
}

/* No connection any more: forgets what belonged to it, and waits before the next. */
static void go_down(struct link *link)
{
    link->state = LINK_DOWN;
    link->conn = NULL;
    link->draining = false;
    link->op_wanted = 0;
    link->tries = link->was_ready ? 1 : link->tries + 1;
    link->was_ready = false;
    vault_free(link->in);
    link->in = NULL;
    link->in_len = 0;
    timer_stop(&link->timer);
    if (link->op != NULL) {
        struct exchange *op = link->op;
        link->op = NULL;
        exchange_drop(op);
    }
    forget_keys(link);
    timer_start(&link->timer, backoff_us(link));
    while (!list_empty(&link->in_flight)) /* calls owners, who may start new ones elsewhere */
        exchange_link_lost(CONTAINER_OF(link->in_flight.next, struct exchange, item));
}

void link_break(struct link *link, const char *why)
{
    if (link->conn == NULL || link->state == LINK_CLOSING)
        return;
    CHANNEL_LOG(link->channel, LOG_WARN, "channel.link_broken", LOG_INT("link", link->index),
                LOG_TEXT("why", why));
    link->state = LINK_CLOSING;
    conn_abort(link->conn);
}

static void on_opened(struct conn *conn, void *arg)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    ENSURE(conn == link->conn && link->state == LINK_CONNECTING);
    link->heard_us = channel_now(link->channel);
    CHANNEL_LOG(link->channel, LOG_INFO, "channel.link_up", LOG_INT("link", link->index),
                LOG_TEXT("peer", conn_peer(conn)), LOG_TEXT("tls", conn_tls_version(conn)));
    link_advance(link);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    ENSURE(conn == link->conn);
    link->heard_us = channel_now(link->channel);
    stream_bytes(link, bytes);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    ENSURE(conn == link->conn);
    CHANNEL_LOG(link->channel, LOG_WARN, "channel.link_down", LOG_INT("link", link->index),
                LOG_STATUS("status", why), LOG_INT("in_flight", link->in_flight_count),
                LOG_TEXT("state", link_state_word(link->state)));
    go_down(link);
}

static const struct conn_events link_events = { .opened = on_opened,
                                                .bytes = on_bytes,
                                                .closed = on_closed };

static void link_connect(struct link *link)
{
    const struct channel *channel = link->channel;
    const struct channel_settings *settings = channel->settings;
    ENSURE(settings->endpoints.count > 0);
    /* Links begin at different endpoints and each goes on to the next when it fails. */
    const char *text =
        settings->endpoints.items[(link->index + link->tries) % settings->endpoints.count];
    struct conn_options options = { .events = &link_events,
                                    .arg = link,
                                    .tls = channel->tls,
                                    .connect_timeout_us = settings->connect_timeout_us,
                                    .owner = channel->set->options.owner };
    struct endpoint endpoint;
    enum status s = endpoint_parse(view_text(text), &endpoint);
    link->state = LINK_CONNECTING;
    link->connections++;
    if (s == STATUS_OK)
        s = conn_connect(channel->set->options.wire, &endpoint, &options, &link->conn);
    if (s == STATUS_OK)
        return;
    CHANNEL_LOG(channel, LOG_WARN, "channel.link_down", LOG_INT("link", link->index),
                LOG_STATUS("status", s), LOG_TEXT("endpoint", text));
    go_down(link);
}

/* --- operations of the link ------------------------------------------------------------------ */

static bool wants(const struct link *link, enum operation operation, bool setting)
{
    return setting && channel_ability_row(link->channel, (uint32_t)operation) != NULL;
}

static void become_ready(struct link *link)
{
    const struct channel_settings *settings = link->channel->settings;
    bool again = link->was_ready;
    link->state = LINK_READY;
    link->draining = false;
    link->was_ready = true;
    link->tries = 0;
    if (!again)
        CHANNEL_LOG(link->channel, LOG_INFO, "channel.link_ready", LOG_INT("link", link->index));
    if (wants(link, OPERATION_ECHO, settings->echo_every_us > 0))
        timer_start(&link->timer, settings->echo_every_us);
    exchanges_flush(link->channel);
}

/* The next step towards READY. */
static void link_advance(struct link *link)
{
    const struct channel_settings *settings = link->channel->settings;
    switch (link->state) {
    case LINK_CONNECTING:
        link->state = LINK_SIGNING_ON;
        if (wants(link, OPERATION_SIGN_ON, settings->sign_on)) {
            link_op_begin(link, OPERATION_SIGN_ON);
            return;
        }
        [[fallthrough]];
    case LINK_SIGNING_ON:
        link->state = LINK_CHANGING_KEY;
        if (wants(link, OPERATION_KEY_CHANGE, settings->key_change)) {
            link_op_begin(link, OPERATION_KEY_CHANGE);
            return;
        }
        [[fallthrough]];
    default: become_ready(link);
    }
}

static void op_done(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    ENSURE(exchange == link->op);
    enum operation operation = exchange->command.operation;
    bool fine = result->outcome == OUTCOME_APPROVED;
    struct channel *channel = link->channel;
    if (!fine)
        CHANNEL_LOG(channel, LOG_WARN, "channel.link_operation_failed",
                    LOG_INT("link", link->index), LOG_TEXT("operation", operation_word(operation)),
                    LOG_TEXT("outcome", outcome_word(result->outcome)),
                    LOG_VIEW("code", result->rail_code), LOG_VIEW("why", result->diagnosis));
    else if (operation == OPERATION_SIGN_ON)
        CHANNEL_LOG(channel, LOG_INFO, "channel.signed_on", LOG_INT("link", link->index));
    else if (operation == OPERATION_KEY_CHANGE)
        CHANNEL_LOG(channel, LOG_INFO, "channel.key_changed", LOG_INT("link", link->index),
                    LOG_INT("generation", link->key_generation));
    link->op = NULL;
    exchange_drop(exchange);
    if (!fine)
        link_break(link, "an operation of the link failed");
    else if (link->state == LINK_SIGNING_ON || link->state == LINK_CHANGING_KEY)
        link_advance(link);
    else
        link_continue(link); /* a key change may have waited for the echo */
}

static void link_op_begin(struct link *link, enum operation operation)
{
    ENSURE(link->op == NULL && link->conn != NULL);
    uint32_t trace = 0;
    link->op_wanted = operation;
    if (channel_trace_take(link->channel, &trace) != STATUS_OK)
        return; /* link_continue when there are numbers */
    link->op_wanted = 0;
    char text[DIAGNOSIS_MAX];
    struct writer why = writer_over(text, sizeof text);
    enum status s = exchange_prepare_op(link, operation, trace, &link->op, &why);
    if (s != STATUS_OK) {
        CHANNEL_LOG(link->channel, LOG_WARN, "channel.link_operation_failed",
                    LOG_INT("link", link->index), LOG_TEXT("operation", operation_word(operation)),
                    LOG_STATUS("status", s), LOG_VIEW("why", writer_done(&why)));
        link_break(link, "an operation of the link cannot be encoded");
        return;
    }
    exchange_start_op(link->op, 0, op_done, link);
}

/* Begins the key change that is due, once nothing is in flight. */
static void drained(struct link *link)
{
    if (!link->draining || link->state != LINK_READY || link->op != NULL || link->op_wanted != 0 ||
        link->in_flight_count > 0)
        return;
    timer_stop(&link->timer);
    link->state = LINK_CHANGING_KEY;
    link_op_begin(link, OPERATION_KEY_CHANGE);
}

void link_continue(struct link *link)
{
    if (link->op == NULL && link->op_wanted != 0 && link->conn != NULL &&
        link->state != LINK_CLOSING)
        link_op_begin(link, link->op_wanted);
    else
        drained(link);
}

void link_took_back(struct link *link, struct exchange *exchange)
{
    list_remove(&exchange->item);
    ENSURE(link->in_flight_count > 0);
    link->in_flight_count--;
    drained(link);
}

void link_asked_for_key_change(struct link *link)
{
    if (link->state != LINK_READY || !wants(link, OPERATION_KEY_CHANGE, true))
        return; /* on its way up it will change keys anyway, or cannot */
    link->draining = true;
    drained(link);
}

static void link_timed(struct timer *timer, void *arg)
{
    (void)timer;
    struct link *link = arg;
    ENSURE_MAGIC(link, LINK_MAGIC);
    if (link->state == LINK_DOWN) {
        link_connect(link);
        return;
    }
    if (link->state != LINK_READY)
        return;
    int64_t every = link->channel->settings->echo_every_us;
    int64_t idle = channel_now(link->channel) - link->heard_us;
    if (idle >= every && link->op == NULL && link->op_wanted == 0 && !link->draining) {
        link_op_begin(link, OPERATION_ECHO);
        idle = 0;
    }
    timer_start(&link->timer, idle < every ? every - idle : every);
}

/* --- begin and end --------------------------------------------------------------------------- */

void link_init(struct link *link, struct channel *channel, uint32_t index)
{
    *link = (struct link){
        .magic = LINK_MAGIC, .index = index, .state = LINK_DOWN, .channel = channel
    };
    list_init(&link->in_flight);
    timer_init(&link->timer, channel->set->options.loop, link_timed, link);
}

void link_start(struct link *link)
{
    ENSURE(link->state == LINK_DOWN && link->conn == NULL);
    timer_start(&link->timer, 0);
}

static void ignore_conn(struct conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}
static void ignore_opened(struct conn *conn, void *arg)
{
    (void)arg;
    conn_abort(conn);
}
static void ignore_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn;
    (void)arg;
    (void)bytes;
}
static void ignore_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn;
    (void)arg;
    (void)why;
}
/* Of a connection that ends by itself after its link is gone. */
static const struct conn_events ignored = { .opened = ignore_opened,
                                            .bytes = ignore_bytes,
                                            .ended = ignore_conn,
                                            .drained = ignore_conn,
                                            .closed = ignore_closed };

/* Says good-bye; nobody waits for the answer. */
static void sign_off(struct link *link)
{
    uint32_t trace = 0;
    struct exchange *op = NULL;
    char text[DIAGNOSIS_MAX];
    struct writer why = writer_over(text, sizeof text);
    if (!link->was_ready || link->state == LINK_CLOSING ||
        !wants(link, OPERATION_SIGN_OFF, link->channel->settings->sign_on) ||
        channel_trace_take(link->channel, &trace) != STATUS_OK ||
        exchange_prepare_op(link, OPERATION_SIGN_OFF, trace, &op, &why) != STATUS_OK)
        return;
    if (op->block != NULL) {
        /* Closing goes on whether it can be sent or not. */
        IGNORE_STATUS(conn_write(link->conn, view_of(op->block, op->message_len)));
    }
    exchange_free(op);
}

void link_fini(struct link *link)
{
    ENSURE_MAGIC(link, LINK_MAGIC);
    timer_stop(&link->timer);
    if (link->conn != NULL) {
        sign_off(link);
        conn_set_events(link->conn, &ignored, NULL);
        if (link->state == LINK_CONNECTING || link->state == LINK_CLOSING)
            conn_abort(link->conn);
        else
            conn_close(link->conn);
    }
    link_abandon(link);
}

void link_abandon(struct link *link)
{
    ENSURE_MAGIC(link, LINK_MAGIC);
    timer_stop(&link->timer);
    link->conn = NULL;
    link->op = NULL; /* exchanges_fini frees it */
    vault_free(link->in);
    link->in = NULL;
    forget_keys(link);
    link->magic = 0;
}
