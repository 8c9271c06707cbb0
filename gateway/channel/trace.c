/* trace.c - trace numbers: a channel's own counter from 1 to 999999, durable, fetched in blocks.
 *
 * A block is taken from the durable counter before any of its numbers is used, so a crash skips
 * numbers but never brings one twice (within a turn of the counter). The next block is asked for
 * as soon as one comes into use: hundreds of payments may begin while that commit waits its turn.
 *
 * The answer may come after the channel is closed: what was asked is a little block of its own that
 * the answer frees; a closed channel only takes its name off it.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

struct trace_request {
    struct channel *channel; /* NULL: closed meanwhile */
};

static void traces_ask(struct channel *channel);

static void traces_taken(void *taken_arg, uint64_t first, uint64_t count, enum status status)
{
    struct trace_request *request = taken_arg;
    struct channel *channel = request->channel;
    free(request);
    if (channel == NULL)
        return;
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    struct traces *t = &channel->traces;
    t->asked = NULL;
    if (status != STATUS_OK || count == 0) {
        CHANNEL_LOG(channel, LOG_WARN, "channel.no_trace_numbers", LOG_STATUS("status", status));
        timer_start(&t->retry, TRACE_RETRY_US);
        return;
    }
    bool waited = t->left == 0;
    if (waited) {
        t->next = first;
        t->left = count;
    } else {
        t->ahead = first;
        t->ahead_left = count;
    }
    if (!waited)
        return;
    for (uint32_t i = 0; i < channel->link_count; i++)
        link_continue(&channel->links[i]);
    token_continue(channel);
}

static void traces_ask(struct channel *channel)
{
    struct traces *t = &channel->traces;
    const struct channels_options *options = &channel->set->options;
    if (t->asked != NULL || t->ahead_left != 0 || timer_is_armed(&t->retry))
        return;
    struct trace_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        timer_start(&t->retry, TRACE_RETRY_US);
        return;
    }
    request->channel = channel;
    t->asked = request;
    char name[80];
    (void)snprintf(name, sizeof name, "trace:%s", channel_name(channel));
    options->take_traces(options->arg, name, TRACE_BLOCK, traces_taken, request);
}

static void traces_retry(struct timer *timer, void *arg)
{
    (void)timer;
    struct channel *channel = arg;
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    traces_ask(channel);
}

void traces_init(struct channel *channel)
{
    channel->traces = (struct traces){ 0 };
    timer_init(&channel->traces.retry, channel->set->options.loop, traces_retry, channel);
    traces_ask(channel);
}

void traces_fini(struct channel *channel, enum traces_end how)
{
    struct traces *t = &channel->traces;
    timer_stop(&t->retry);
    if (t->asked != NULL && how == TRACES_ABANDON)
        free(t->asked);
    else if (t->asked != NULL)
        t->asked->channel = NULL;
    t->asked = NULL;
}

enum status channel_trace_take(struct channel *channel, uint32_t *out)
{
    struct traces *t = &channel->traces;
    if (t->left == 0 && t->ahead_left != 0) {
        t->next = t->ahead;
        t->left = t->ahead_left;
        t->ahead_left = 0;
    }
    if (t->left == 0) {
        traces_ask(channel);
        return STATUS_BUSY;
    }
    *out = (uint32_t)(t->next % TRACE_MAX) + 1;
    t->next++;
    t->left--;
    traces_ask(channel); /* unless there is one ahead, or on its way */
    return STATUS_OK;
}

enum status channel_trace(struct channel *channel, uint32_t *out)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    return channel_trace_take(channel, out);
}
