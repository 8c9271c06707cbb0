/* late.c - exchanges that ended as unknown, and whose answer may still come.
 *
 * After its deadline, or when its link broke, an exchange keeps its place in the map of awaited
 * answers for the adapter's late window, with the adapter's memory of it, so that a late answer can
 * be decoded and reported with its attempt; over HTTP its request and connection are kept. The
 * owner may drop it meanwhile; it is freed when the window is over. The table is bounded in number
 * and bytes: when it is full the oldest leaves, and an answer to that one will count as unmatched.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"

void late_end(struct exchange *exchange)
{
    ENSURE(exchange->state == EXCHANGE_LATE);
    exchange_leave_map(exchange);
    http_forget(exchange);
    list_remove(&exchange->item);
    exchange->channel->late_count--;
    timer_stop(&exchange->timer);
    exchange->state = EXCHANGE_DONE;
    if (exchange->dropped)
        exchange_free(exchange);
}

static void late_over(struct timer *timer, void *arg)
{
    (void)timer;
    struct exchange *exchange = arg;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    late_end(exchange);
}

bool late_keep(struct exchange *exchange)
{
    struct channel *channel = exchange->channel;
    struct channel_ability ability;
    channel_ability(channel, exchange->command.operation, &ability);
    bool awaited = exchange->in_map || exchange->call != NULL;
    if (!awaited || ability.late_window_us == 0)
        return false;
    if (channel->late_count >= channel->late_max) {
        struct exchange *oldest = CONTAINER_OF(channel->late.next, struct exchange, item);
        CHANNEL_LOG(channel, LOG_WARN, "channel.late_table_full",
                    LOG_INT("entries", channel->late_count));
        late_end(oldest);
    }
    exchange->state = EXCHANGE_LATE;
    list_append(&channel->late, &exchange->item);
    channel->late_count++;
    timer_init(&exchange->timer, channel->set->options.loop, late_over, exchange);
    timer_start(&exchange->timer, ability.late_window_us);
    return true;
}
