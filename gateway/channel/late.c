/* late.c - exchanges that ended as unknown, and whose answer may still come.
 *
 * After its deadline, or when its link broke, an exchange keeps its place in the map of awaited
 * answers for the adapter's late window, with the adapter's memory of it, so that a late answer can
 * be decoded and reported with its attempt; over HTTP its request and connection are kept. The
 * owner may drop it meanwhile; it is freed when the window is over. The table is bounded in number
 * and bytes: when it is full the oldest leaves, and an answer to that one will count as unmatched.
 *
 * Nobody says an answer twice. When whoever records it cannot take it (there is no memory), it
 * stays in the exchange, which has its place already, and is offered again each second. What leaves
 * untaken, because the table is full or the channels are closed, goes to the log with all that a
 * person needs.
 */
#include "channel/channel_int.h"

#include "base/ensure.h"
#include "domain/ids.h"
#include "domain/refs.h"

#define AGAIN_US (1 * LOOP_US_PER_S)

/* Values that may be shown, for people: "stan=000123 rrn=..." What does not fit is left out. */
static struct view shown_refs(struct view set, uint8_t *text, size_t size)
{
    struct writer w = writer_over(text, size);
    struct cursor rows = cursor_over(set);
    struct ref row;
    bool broken = false;
    while (refs_next(&rows, &row, &broken)) {
        if ((row.flags & (REF_SENSITIVE | REF_SEALED)) != 0 || !view_is_utf8(row.value) ||
            w.len + row.name.len + row.value.len + 2 > size)
            continue;
        writer_text(&w, w.len > 0 ? " " : "");
        writer_view(&w, row.name);
        writer_text(&w, "=");
        writer_view(&w, row.value);
    }
    return writer_done(&w);
}

void late_answer_log(const struct log *log, const char *id, const struct channel *channel,
                     const struct exchange_command *asked, const struct exchange_result *said,
                     struct view why)
{
    char payment[ID_TEXT_MAX], attempt[ID_TEXT_MAX];
    uint8_t refs[512];
    LOG(log, LOG_ERROR, id, LOG_VIEW("why", why), LOG_TEXT("channel", channel_name(channel)),
        LOG_TEXT("payment",
                 asked->payment_id != 0 ? id_format(ID_PAYMENT, asked->payment_id, payment) : ""),
        LOG_TEXT("attempt", id_format(ID_ATTEMPT, asked->attempt_id, attempt)),
        LOG_TEXT("operation", operation_word(asked->operation)),
        LOG_INT("asked_amount", asked->amount_minor),
        LOG_TEXT("currency", asked->currency != NULL ? asked->currency->code : ""),
        LOG_TEXT("outcome", outcome_word(said->outcome)),
        LOG_TEXT("contradicts", said->conflict ? "another amount or currency" : ""),
        LOG_INT("amount", said->amount_minor), LOG_VIEW("code", said->rail_code),
        LOG_VIEW("reference", said->reference),
        LOG_VIEW("refs", shown_refs(said->refs, refs, sizeof refs)));
}

static void not_taken(const struct exchange *exchange, const char *why)
{
    const struct channel *channel = exchange->channel;
    late_answer_log(channel->set->options.log, "channel.late_reply_lost", channel,
                    &exchange->command, &exchange->result, view_text(why));
}

static void tell_again(struct timer *timer, void *arg)
{
    (void)timer;
    struct exchange *exchange = arg;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    late_tell(exchange);
}

void late_tell(struct exchange *exchange)
{
    struct channel *channel = exchange->channel;
    const struct channels_options *options = &channel->set->options;
    ENSURE(exchange->state == EXCHANGE_LATE);
    exchange->untold =
        options->late(options->arg, channel, &exchange->command, &exchange->result) != STATUS_OK;
    if (!exchange->untold) {
        late_end(exchange);
        return;
    }
    http_forget(exchange);
    timer_stop(&exchange->timer);
    timer_init(&exchange->timer, options->loop, tell_again, exchange);
    timer_start(&exchange->timer, AGAIN_US);
}

void late_forget(struct exchange *exchange)
{
    if (exchange->untold)
        not_taken(exchange, "the gateway ended before it was recorded");
    exchange->untold = false;
}

size_t channels_untold(const struct channels *channels)
{
    size_t count = 0;
    for (size_t i = 0; i < channels->count; i++) {
        const struct channel *channel = channels->list[i];
        for (const struct list *at = channel->late.next; at != &channel->late; at = at->next)
            count += CONTAINER_OF(at, struct exchange, item)->untold;
    }
    return count;
}

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
        if (oldest->untold)
            not_taken(oldest, "too many late answers wait for memory to be recorded");
        late_end(oldest);
    }
    exchange->state = EXCHANGE_LATE;
    list_append(&channel->late, &exchange->item);
    channel->late_count++;
    timer_init(&exchange->timer, channel->set->options.loop, late_over, exchange);
    timer_start(&exchange->timer, ability.late_window_us);
    return true;
}
