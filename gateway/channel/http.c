/* http.c - the driver of HTTP channels: a message becomes a request, its answer a reply.
 *
 *     http_start --> token there? --no--> WAITING --- http_flush ---+
 *                        | yes                                      |
 *                        +-----> SENT: http_call to an endpoint <---+
 *                                  |
 *          could not be connected  +--> the next endpoint; none left: not_sent
 *          broke after the request +--> unknown; no answer can come any more
 *          401, with a token in it +--> new token, the same bytes once more
 *          answered                +--> the adapter: done, or the next request of the exchange
 *          deadline                +--> not_sent if certainly nothing left, else unknown and LATE:
 *                                       the call goes on until the late window is over
 *
 * Everything that is dangerous about it: an endpoint is left for the next one, and a request that
 * waits is given up as not_sent, only when the client says that certainly not a byte was written
 * (http_answer.bytes_may_have_left). The one request that is sent twice is one that was refused
 * with 401 and carried a token: that refusal comes before anything is processed, and it is done
 * once.
 *
 * Endpoints: requests go to the one that was reached last; when it cannot be connected to, this
 * request and all after it go to the next. A further request of an exchange begins where the one
 * before it was answered.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdlib.h>

/* An idle connection is closed after it: less than what servers usually allow (5 s and more), or a
 * request could meet the closing and nobody would know what became of it. */
#define IDLE_MAX_US (4 * LOOP_US_PER_S)
/* The call's own time is over a little after the exchange's, which decides. */
#define CALL_MORE_US (1 * LOOP_US_PER_S)

static void on_answer(void *arg, const struct http_answer *answer);

/* --- the pools ------------------------------------------------------------------------------- */

enum status http_open(struct channel *channel, struct writer *why)
{
    const struct channel_settings *s = channel->settings;
    const struct channels_options *options = &channel->set->options;
    channel->clients = calloc(s->endpoints.count, sizeof(struct http_client *));
    if (channel->clients == NULL) {
        writer_format(why, "%s: memory is out", s->file);
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < s->endpoints.count; i++) {
        struct http_client_options o = {
            .tls = channel->tls,
            /* Late calls keep theirs, so they must not take those of the others. */
            .conns_max = (size_t)s->connections + channel->late_max,
            .answer_bytes_max = (size_t)channel->api->answer_max,
            .connect_timeout_us = s->connect_timeout_us,
            .idle_max_us = IDLE_MAX_US,
            .owner = options->owner,
        };
        enum status status = endpoint_parse(view_text(s->endpoints.items[i]), &o.to);
        if (status == STATUS_OK)
            status = http_client_open(&channel->clients[i], options->wire, options->loop, &o);
        if (status != STATUS_OK) {
            writer_format(why, "%s: endpoint %s: %s", s->file, s->endpoints.items[i],
                          status_text(status));
            return status;
        }
        channel->client_count++;
    }
    return STATUS_OK;
}

static void pools_end(struct channel *channel, void (*end)(struct http_client *))
{
    for (size_t i = 0; i < channel->client_count; i++)
        end(channel->clients[i]);
    free(channel->clients);
    channel->clients = NULL;
    channel->client_count = 0;
}

void http_close(struct channel *channel)
{
    pools_end(channel, http_client_close);
}

void http_abandon(struct channel *channel)
{
    for (struct list *at = channel->all.next; at != &channel->all; at = at->next)
        CONTAINER_OF(at, struct exchange, siblings)->call = NULL;
    pools_end(channel, http_client_abandon);
}

/* --- sending --------------------------------------------------------------------------------- */

/* NULL: it is on its way to exchange->endpoint. Else certainly not, and why. */
static const char *call_make(struct exchange *exchange)
{
    struct channel *channel = exchange->channel;
    struct http_header headers[HEADER_ROWS_MAX];
    size_t count = 0, filled = request_filled_max(exchange);
    struct channel_ability ability;
    channel_ability(channel, exchange->command.operation, &ability);
    uint8_t *block = vault_alloc(filled);
    if (block == NULL)
        return "memory is out";
    struct writer room = writer_over(block, filled);
    int64_t left_us = exchange->deadline_us - channel_now(channel);
    const char *wrong = NULL;
    if (!request_fill(exchange, &room, headers, &count)) {
        wrong = "a token that the adapter wants in a header is not among those that were granted";
    } else {
        enum status status = http_call(
            channel->clients[exchange->endpoint], request_method_word(exchange),
            request_path(exchange), headers, count, view_of(exchange->block, exchange->message_len),
            left_us + ability.late_window_us + CALL_MORE_US, on_answer, exchange, &exchange->call);
        if (status == STATUS_BUSY)
            wrong = "too many requests wait for a connection";
        else if (status != STATUS_OK)
            wrong = "the request could not be made";
    }
    vault_free_used(block, room.len);
    if (wrong != NULL)
        return wrong;
    exchange->state = EXCHANGE_SENT;
    timer_start(&exchange->timer, left_us);
    return NULL;
}

/* NULL: it is on its way, or waits for a token. Else certainly not, and why. */
static const char *send_or_wait(struct exchange *exchange)
{
    struct channel *channel = exchange->channel;
    timer_stop(&exchange->timer);
    list_remove(&exchange->item);
    if (!request_needs_token(exchange) || token_ready(channel))
        return call_make(exchange);
    const char *wrong = token_want(channel);
    if (wrong != NULL)
        return wrong;
    int64_t left_us = exchange->deadline_us - channel_now(channel);
    exchange->state = EXCHANGE_WAITING;
    list_append(&channel->waiting, &exchange->item);
    timer_start(&exchange->timer, left_us < CONNECT_WAIT_US ? left_us : CONNECT_WAIT_US);
    return NULL;
}

static const char *begin_request(struct exchange *exchange, size_t endpoint)
{
    exchange->endpoint = endpoint;
    exchange->endpoints_tried = 0;
    exchange->sent_again = false;
    return send_or_wait(exchange);
}

void http_start(struct exchange *exchange)
{
    const char *wrong = begin_request(exchange, exchange->channel->endpoint);
    if (wrong != NULL)
        exchange_end_later(exchange, wrong);
}

const char *http_next(struct exchange *exchange)
{
    return begin_request(exchange, exchange->endpoint);
}

void http_flush(struct channel *channel)
{
    size_t count = 0; /* what waits again meanwhile waits for the next time */
    for (struct list *at = channel->waiting.next; at != &channel->waiting; at = at->next)
        count++;
    while (count-- > 0 && !list_empty(&channel->waiting)) {
        struct exchange *exchange = CONTAINER_OF(channel->waiting.next, struct exchange, item);
        const char *wrong = send_or_wait(exchange);
        if (wrong != NULL)
            exchange_end_later(exchange, wrong);
    }
}

/* --- what comes of it ------------------------------------------------------------------------ */

/* "name: value\n" lines with names in lower case; false when they are too long. */
static bool put_lines(struct writer *w, const struct http_answer *answer)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        struct view name = answer->headers[i].name;
        for (size_t k = 0; k < name.len; k++) {
            uint8_t c = name.ptr[k];
            writer_u8(w, c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c);
        }
        writer_text(w, ": ");
        writer_view(w, answer->headers[i].value);
        writer_u8(w, '\n');
    }
    return !w->overflow;
}

/* No answer will come: what is late is over, the others end as they stand. */
static void end_without_answer(struct exchange *exchange, const char *diagnosis)
{
    if (exchange->state == EXCHANGE_LATE)
        late_end(exchange);
    else
        exchange_end(exchange, diagnosis);
}

static const char *broken_word(enum status status)
{
    switch (status) {
    case STATUS_MALFORMED: return "the answer is not HTTP as it must be";
    case STATUS_FULL: return "the answer is longer than the adapter's largest";
    default: return "the connection broke before an answer came";
    }
}

/* Certainly nothing of this request left: the next endpoint, if there is one. */
static void not_reached(struct exchange *exchange, enum status status)
{
    struct channel *channel = exchange->channel;
    CHANNEL_LOG(channel, LOG_WARN, "channel.endpoint_not_reached",
                LOG_TEXT("endpoint", channel->settings->endpoints.items[exchange->endpoint]),
                LOG_STATUS("status", status));
    size_t next = (exchange->endpoint + 1) % channel->client_count;
    if (channel->endpoint == exchange->endpoint)
        channel->endpoint = next;
    const char *wrong = "no endpoint of the channel could be connected to";
    if (++exchange->endpoints_tried < channel->client_count) {
        exchange->endpoint = next;
        wrong = call_make(exchange);
        if (wrong == NULL)
            return;
    } else {
        exchange->unreachable = true;
    }
    exchange_end(exchange, wrong);
}

/* A token was refused, for the first time in this request. */
static bool send_again(struct exchange *exchange)
{
    if (exchange->state != EXCHANGE_SENT || exchange->token_generation == 0 || exchange->sent_again)
        return false;
    exchange->sent_again = true;
    exchange->endpoints_tried = 0;
    token_refused(exchange->channel, exchange->token_generation);
    const char *wrong = send_or_wait(exchange);
    if (wrong != NULL)
        exchange_end(exchange, wrong);
    return true;
}

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct exchange *exchange = arg;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    ENSURE(exchange->state == EXCHANGE_SENT || exchange->state == EXCHANGE_LATE);
    exchange->call = NULL;
    if (answer->bytes_may_have_left)
        exchange_has_left(exchange);
    if (answer->status != STATUS_OK && !answer->bytes_may_have_left) {
        ENSURE(exchange->state == EXCHANGE_SENT); /* what did not leave is not kept as late */
        not_reached(exchange, answer->status);
        return;
    }
    if (answer->status != STATUS_OK) {
        end_without_answer(exchange, broken_word(answer->status));
        return;
    }
    if (answer->http_status == 401 && send_again(exchange))
        return;
    struct workspace *w = exchange->channel->set->workspace;
    struct writer lines = writer_over(w->answer_headers, sizeof w->answer_headers);
    bool fits = put_lines(&lines, answer);
    enum drive drive =
        fits ? drive_http_reply(exchange, answer->http_status, answer->body, writer_done(&lines))
             : DRIVE_FAIL;
    vault_wipe(w->answer_headers, lines.len);
    if (fits)
        exchange_driven(exchange, NULL, drive);
    else
        end_without_answer(exchange, "the answer's head is too long");
}

bool http_request_left(struct exchange *exchange)
{
    if (exchange->call != NULL && http_call_may_have_left(exchange->call))
        return true;
    http_forget(exchange);
    return false;
}

void http_deadline(struct exchange *exchange)
{
    if (http_request_left(exchange)) {
        exchange_has_left(exchange);
        exchange_end_unanswered(exchange, "no answer came in time");
        return;
    }
    exchange->unreachable = true;
    exchange_end(exchange, "no connection to the other side could be had in time");
}

void http_forget(struct exchange *exchange)
{
    http_call_cancel(exchange->call);
    exchange->call = NULL;
}
