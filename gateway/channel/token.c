/* token.c - access tokens of HTTP channels: fetched when a request needs one, kept until they
 * expire or are refused, filled into slots by request.c.
 *
 *     none, or expired   the first request that needs one starts the fetch; requests wait
 *     fresh              used
 *     80 % of its time   used; the next request that needs one starts a fetch in the background
 *     refused (401)      forgotten, unless a newer one came meanwhile; then as with none
 *
 * Fetching is an exchange of the channel's own (RG_OP_TOKEN), at most one at a time, with a trace
 * number of the channel's counter. When it fails, so does everything that waits: each exchange has
 * its own way of being tried again, and the circuit keeps a channel whose tokens cannot be had from
 * being chosen.
 *
 * A lifetime counts from when the fetch began, not from when its answer came: so it is over for us
 * before it is over for the other side.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "base/vault.h"

/* After a fetch in the background failed, while the token still holds. */
#define RETRY_US (1 * LOOP_US_PER_S)

static void forget(struct tokens *tokens)
{
    vault_free(tokens->set);
    tokens->set = NULL;
    tokens->set_len = 0;
}

void tokens_fini(struct channel *channel)
{
    forget(&channel->tokens);
    channel->tokens.fetching = NULL; /* exchanges_fini frees it */
}

/* --- fetching -------------------------------------------------------------------------------- */

static void end_those_waiting(struct channel *channel, const char *diagnosis)
{
    while (!list_empty(&channel->waiting))
        exchange_end_later(CONTAINER_OF(channel->waiting.next, struct exchange, item), diagnosis);
}

static void fetch_failed(struct channel *channel, struct view why)
{
    struct tokens *tokens = &channel->tokens;
    CHANNEL_LOG(channel, LOG_WARN, "channel.no_token", LOG_VIEW("why", why));
    tokens->refresh_us = channel_now(channel) + RETRY_US;
    if (circuit_failed(&channel->circuit, channel_now(channel)))
        CHANNEL_LOG(channel, LOG_WARN, "channel.circuit_open",
                    LOG_INT("failures", channel->circuit.failures));
    end_those_waiting(channel, "no access token could be had");
}

static void fetched(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    struct channel *channel = arg;
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    ENSURE(exchange == channel->tokens.fetching);
    channel->tokens.fetching = NULL;
    if (result->outcome != OUTCOME_APPROVED) {
        fetch_failed(channel, result->diagnosis.len > 0 ? result->diagnosis : result->rail_code);
    } else {
        CHANNEL_LOG(channel, LOG_INFO, "channel.token_fetched",
                    LOG_INT("generation", channel->tokens.generation));
        http_flush(channel);
    }
    exchange_drop(exchange);
}

/* NULL, or why the fetch could not be begun. */
static const char *fetch(struct channel *channel)
{
    struct tokens *tokens = &channel->tokens;
    uint32_t trace = 0;
    char text[DIAGNOSIS_MAX];
    struct writer why = writer_over(text, sizeof text);
    tokens->wanted = channel_trace_take(channel, &trace) != STATUS_OK;
    if (tokens->wanted)
        return NULL; /* token_continue when there are numbers */
    if (exchange_prepare_token(channel, trace, &tokens->fetching, &why) != STATUS_OK) {
        fetch_failed(channel, writer_done(&why));
        return "the request for an access token could not be made";
    }
    exchange_start_token(tokens->fetching, fetched, channel);
    return NULL;
}

const char *token_want(struct channel *channel)
{
    if (channel->tokens.fetching != NULL || channel->tokens.wanted)
        return NULL;
    return fetch(channel);
}

void token_continue(struct channel *channel)
{
    const char *wrong = channel->tokens.wanted ? fetch(channel) : NULL;
    if (wrong != NULL)
        end_those_waiting(channel, wrong);
}

/* --- keeping --------------------------------------------------------------------------------- */

bool token_ready(struct channel *channel)
{
    struct tokens *tokens = &channel->tokens;
    int64_t now_us = channel_now(channel);
    if (tokens->set != NULL && now_us >= tokens->expires_us)
        forget(tokens);
    if (tokens->set == NULL)
        return false;
    if (now_us >= tokens->refresh_us)
        (void)token_want(channel); /* the one that is there still holds */
    return tokens->set != NULL;
}

struct view token_find(const struct channel *channel, struct view name)
{
    const struct tokens *tokens = &channel->tokens;
    struct cursor c = cursor_over(view_of(tokens->set, tokens->set_len));
    struct ref row;
    bool broken;
    while (refs_next(&c, &row, &broken))
        if (view_equal(row.name, name))
            return row.value;
    return VIEW_EMPTY;
}

void token_refused(struct channel *channel, uint64_t generation)
{
    struct tokens *tokens = &channel->tokens;
    if (tokens->set == NULL || tokens->generation != generation)
        return; /* it was replaced already */
    CHANNEL_LOG(channel, LOG_INFO, "channel.token_refused",
                LOG_INT("generation", (int64_t)generation));
    forget(tokens);
}

static bool grants_fit(const struct rg_table *grants)
{
    for (uint64_t i = 0; i < grants->count; i++) {
        struct rg_bytes value = grants->rows[i].value;
        for (uint64_t k = 0; k < value.len; k++)
            if (value.ptr[k] < 0x20 || value.ptr[k] > 0x7e)
                return false;
        if (value.len == 0)
            return false;
    }
    return grants->count > 0;
}

enum status token_take(struct exchange *exchange, const struct rg_out *out, struct writer *why)
{
    struct channel *channel = exchange->channel;
    struct tokens *tokens = &channel->tokens;
    if (!grants_fit(&out->grants)) {
        writer_text(why, "it grants no token, or one that is not printable ASCII");
        return STATUS_MALFORMED;
    }
    size_t len = table_set_len(&out->grants);
    uint8_t *set = vault_alloc(len);
    if (set == NULL) {
        writer_text(why, "memory is out");
        return STATUS_NO_MEMORY;
    }
    struct writer w = writer_over(set, len);
    table_put_set(&w, &out->grants);
    ENSURE(!w.overflow && w.len == len);
    forget(tokens);
    tokens->set = set;
    tokens->set_len = len;
    tokens->generation++;
    int64_t life_us = (int64_t)out->grants_lifetime_s * LOOP_US_PER_S;
    tokens->expires_us = life_us == 0 ? INT64_MAX : exchange->started_us + life_us;
    tokens->refresh_us = life_us == 0 ? INT64_MAX : exchange->started_us + life_us / 5 * 4;
    return STATUS_OK;
}
