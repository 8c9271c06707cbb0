/* exchange.c - the life of an exchange: from a command to a result that is delivered once.
 *
 *     PREPARED  the adapter has its message (or was done without one); nothing has left
 *        |  exchange_start
 *     WAITING   no link is ready, or no token is there: for CONNECT_WAIT_US, then not_sent
 *        |  a link took the bytes                       ENDING   `done` at the end of this turn
 *     SENT  --- answer, break of the link, deadline -----> DONE
 *        \----- deadline or break, and the channel has a late window --> LATE --> DONE
 *
 * Sent or not sent is decided in one line of send_on: when conn_write returned OK the bytes may
 * have left, whatever happens later. Before that line every failure is NOT_SENT, after it every
 * failure is UNKNOWN. Over HTTP (http.c) the line is exchange_has_left; `bytes_left` holds for the
 * whole exchange, so whatever happens to its second request, the outcome is not NOT_SENT.
 *
 * Keys: what is prepared without a ready link is signed with the configured keys, and a link may
 * change its keys before the start. So the generation of the keys is kept, and when the link that
 * will carry the message has another, the same command is encoded again; the refs, which are
 * recorded by then, must come out the same.
 *
 * A correlation key may be awaited once. The exception is a repeat of the same attempt while the
 * first sending's answer is still awaited as late: the repeat takes its place, because whichever
 * answer comes is an answer to both.
 *
 * The answer of an exchange that its owner dropped in flight is treated as late.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"
#include "domain/ids.h"

static void exchange_timed(struct timer *timer, void *arg);
static void exchange_task(struct task *task);

/* --- memory ---------------------------------------------------------------------------------- */

static struct exchange *exchange_new(struct channel *channel, struct link *op_of,
                                     const struct exchange_command *command)
{
    size_t size = sizeof(struct exchange) + (size_t)channel->api->exchange_size;
    struct exchange *exchange = vault_alloc(size);
    if (exchange == NULL)
        return NULL;
    exchange->magic = EXCHANGE_MAGIC;
    exchange->state = EXCHANGE_PREPARED;
    exchange->channel = channel;
    exchange->op_of = op_of;
    exchange->command = *command;
    const struct rg_ability *row = channel_ability_row(channel, (uint32_t)command->operation);
    exchange->able = row != NULL ? row->flags : 0;
    timer_init(&exchange->timer, channel->set->options.loop, exchange_timed, exchange);
    exchange->task.run = exchange_task;
    list_append(&channel->all, &exchange->siblings);
    return exchange;
}

void exchange_leave_map(struct exchange *exchange)
{
    if (!exchange->in_map)
        return;
    exchange->in_map = false;
    void *was = map_take(exchange->channel->awaited,
                         view_of(exchange->correlation, exchange->correlation_len));
    ENSURE(was == exchange);
}

void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    ENSURE(!exchange->task.queued && exchange->link == NULL);
    timer_stop(&exchange->timer);
    http_forget(exchange);
    exchange_leave_map(exchange);
    list_remove(&exchange->item);
    list_remove(&exchange->siblings);
    vault_free(exchange->result_block);
    vault_free(exchange->block);
    exchange->magic = 0;
    vault_free(exchange);
}

bool exchange_is_payment(const struct exchange *exchange)
{
    return exchange->op_of == NULL && !exchange->for_token;
}

/* --- preparing ------------------------------------------------------------------------------- */

static struct link *link_pick(const struct channel *channel)
{
    struct link *best = NULL;
    for (uint32_t i = 0; i < channel->link_count; i++) {
        struct link *link = &channel->links[i];
        if (link_is_ready(link) && (best == NULL || link->in_flight_count < best->in_flight_count))
            best = link;
    }
    return best;
}

static enum status check_able(const struct channel *channel, const struct exchange_command *command,
                              struct writer *why)
{
    const struct rg_ability *row = channel_ability_row(channel, (uint32_t)command->operation);
    if (row == NULL || command->operation >= OPERATION_SIGN_ON) {
        writer_format(why, "channel %s cannot %s", channel_name(channel),
                      operation_word(command->operation));
        return STATUS_UNSUPPORTED;
    }
    if (command->repeat > 0 && (row->flags & RG_ABLE_REPEAT) == 0) {
        writer_format(why, "channel %s must not send the same %s twice", channel_name(channel),
                      operation_word(command->operation));
        return STATUS_UNSUPPORTED;
    }
    if (command->amount_minor < 0 ||
        (row->amount_minor_max > 0 && command->amount_minor > row->amount_minor_max)) {
        writer_format(why, "channel %s carries amounts up to %lld", channel_name(channel),
                      (long long)row->amount_minor_max);
        return STATUS_UNSUPPORTED;
    }
    /* What the channel file allows is about new payments; those that exist must be finished. */
    bool first = command->operation == OPERATION_AUTHORISE || command->operation == OPERATION_SALE;
    if (command->currency == NULL ||
        !(first ? channel_takes_currency(channel, command->operation, command->currency->code)
                : ability_takes_currency(row, command->currency->code))) {
        writer_format(why, "channel %s does not take this currency", channel_name(channel));
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

/* The exchange whose answer the same key would name, unless a repeat may take its place. */
static const struct exchange *rival_of(const struct exchange *exchange)
{
    const struct exchange *other = map_get(
        exchange->channel->awaited, view_of(exchange->correlation, exchange->correlation_len));
    if (other == NULL || other == exchange)
        return NULL;
    bool same = other->state == EXCHANGE_LATE && other->op_of == NULL && exchange->op_of == NULL &&
                other->command.attempt_id == exchange->command.attempt_id &&
                other->command.operation == exchange->command.operation;
    return same ? NULL : other;
}

/* What sign_on, key_change and token bring; an answer whose grants are wrong is none. */
static void take_grants(struct exchange *exchange, struct link *link)
{
    char text[DIAGNOSIS_MAX];
    struct writer why = writer_over(text, sizeof text - 1);
    const struct rg_out *out = &exchange->channel->set->workspace->out;
    enum status status = STATUS_OK;
    if (exchange->result.outcome != OUTCOME_APPROVED || exchange_is_payment(exchange))
        return;
    if (exchange->for_token)
        status = token_take(exchange, out, &why);
    else if (link != NULL)
        status = judge_grants(link, &out->grants, &why);
    if (status == STATUS_OK)
        return;
    text[why.len] = '\0';
    exchange_diagnose(exchange, text);
    judge_host(exchange, OUTCOME_UNKNOWN);
}

static enum status prepare(struct exchange *exchange, const struct link *link, struct writer *why)
{
    enum drive drive = drive_begin(exchange, link);
    enum status status = STATUS_OK;
    if (drive == DRIVE_FAIL) {
        writer_view(why, view_of(exchange->diagnosis, exchange->diagnosis_len));
        status = exchange->starved ? STATUS_NO_MEMORY : STATUS_REFUSED;
    } else if (drive == DRIVE_DONE) {
        judge_done(exchange);
        exchange->has_result = true;
        take_grants(exchange, exchange->op_of);
    } else if (exchange->channel->api->transport == RG_TRANSPORT_LOCAL) {
        writer_text(why, "the adapter wants to send, but its transport is local");
        status = STATUS_REFUSED;
    } else if (channel_is_framed(exchange->channel) && rival_of(exchange) != NULL) {
        writer_text(why, "an answer with the same correlation key is awaited already");
        status = STATUS_BUSY;
    }
    drive_clean(exchange->channel->set);
    return status;
}

enum status exchange_prepare(struct channel *channel, const struct exchange_command *command,
                             struct exchange **out, struct writer *why)
{
    ENSURE_MAGIC(channel, CHANNEL_MAGIC);
    ENSURE(operation_valid(command->operation));
    *out = NULL;
    TRY(check_able(channel, command, why));
    struct exchange *exchange = exchange_new(channel, NULL, command);
    if (exchange == NULL)
        return STATUS_NO_MEMORY;
    enum status status = prepare(exchange, link_pick(channel), why);
    if (status != STATUS_OK) {
        exchange_free(exchange);
        return status;
    }
    *out = exchange;
    return STATUS_OK;
}

enum status exchange_prepare_op(struct link *link, enum operation operation, uint32_t trace,
                                struct exchange **out, struct writer *why)
{
    struct loop *loop = link->channel->set->options.loop;
    struct exchange_command command = { .operation = operation,
                                        .trace = trace,
                                        .time_us = loop_wall_us(loop) };
    loop_random(loop, command.random, sizeof command.random);
    *out = NULL;
    struct exchange *exchange = exchange_new(link->channel, link, &command);
    if (exchange == NULL) {
        writer_text(why, "memory is out");
        return STATUS_NO_MEMORY;
    }
    enum status status = prepare(exchange, link, why);
    if (status != STATUS_OK) {
        exchange_free(exchange);
        return status;
    }
    *out = exchange;
    return STATUS_OK;
}

enum status exchange_prepare_token(struct channel *channel, uint32_t trace, struct exchange **out,
                                   struct writer *why)
{
    struct loop *loop = channel->set->options.loop;
    struct exchange_command command = { .operation = OPERATION_TOKEN,
                                        .trace = trace,
                                        .time_us = loop_wall_us(loop) };
    loop_random(loop, command.random, sizeof command.random);
    *out = NULL;
    struct exchange *exchange = exchange_new(channel, NULL, &command);
    if (exchange == NULL) {
        writer_text(why, "memory is out");
        return STATUS_NO_MEMORY;
    }
    exchange->for_token = true;
    exchange->started_us = channel_now(channel);
    enum status status = prepare(exchange, NULL, why);
    if (status != STATUS_OK) {
        exchange_free(exchange);
        return status;
    }
    *out = exchange;
    return STATUS_OK;
}

struct view exchange_refs(const struct exchange *exchange)
{
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    if (exchange->block == NULL)
        return exchange->has_result ? exchange->result.refs : VIEW_EMPTY;
    return view_of(exchange->block + exchange->message_len, exchange->refs_len);
}

/* --- ending ---------------------------------------------------------------------------------- */

static void count_result(struct exchange *exchange)
{
    struct channel *channel = exchange->channel;
    const struct exchange_result *r = &exchange->result;
    int64_t now = channel_now(channel);
    bool changed;
    if (r->outcome == OUTCOME_NOT_SENT || r->outcome == OUTCOME_UNKNOWN) {
        if (r->outcome == OUTCOME_UNKNOWN)
            channel->unknown++;
        else
            channel->not_sent++;
        /* That our own limits were reached says nothing about the other side. */
        if (r->outcome == OUTCOME_NOT_SENT &&
            (channel_is_http(channel) ? !exchange->unreachable : link_pick(channel) != NULL))
            return;
        changed = circuit_failed(&channel->circuit, now);
        if (changed)
            CHANNEL_LOG(channel, LOG_WARN, "channel.circuit_open",
                        LOG_INT("failures", channel->circuit.failures));
        return;
    }
    channel->approved += r->outcome == OUTCOME_APPROVED;
    channel->declined += r->outcome == OUTCOME_DECLINED;
    int64_t *mean = &channel->latency_us_mean;
    *mean = *mean == 0 ? r->latency_us : *mean + (r->latency_us - *mean) / 16;
    changed = circuit_answered(&channel->circuit);
    if (changed)
        CHANNEL_LOG(channel, LOG_INFO, "channel.circuit_closed", LOG_INT("failures", 0));
}

static void leave_link(struct exchange *exchange)
{
    timer_stop(&exchange->timer);
    if (exchange->link != NULL)
        link_took_back(exchange->link, exchange);
    exchange->link = NULL;
    list_remove(&exchange->item);
}

/* The result stands: calls `done`, after which the exchange may be gone. late: keep waiting. */
enum after_end { END_FOR_GOOD = 1, END_KEEP_LATE };
static void end(struct exchange *exchange, enum after_end after)
{
    leave_link(exchange);
    exchange->result.latency_us = channel_now(exchange->channel) - exchange->started_us;
    if (exchange_is_payment(exchange)) {
        ENSURE(exchange->channel->in_flight > 0);
        exchange->channel->in_flight--;
        count_result(exchange);
    }
    if (after != END_KEEP_LATE || !exchange_is_payment(exchange) || !late_keep(exchange)) {
        http_forget(exchange);
        exchange_leave_map(exchange);
        exchange->state = EXCHANGE_DONE;
    }
    exchange->command.details = exchange->command.refs = VIEW_EMPTY; /* lived until here */
    exchange->delivering = true; /* dropped from within, it lives until the call returns */
    exchange->done(exchange, exchange->arg, &exchange->result);
    exchange->delivering = false;
    if (exchange->dropped && exchange->state == EXCHANGE_DONE)
        exchange_free(exchange);
}

static void end_host(struct exchange *exchange, enum outcome outcome, const char *diagnosis,
                     enum after_end after)
{
    exchange_diagnose(exchange, diagnosis);
    judge_host(exchange, outcome);
    end(exchange, after);
}

/* From inside a call of the owner: `done` comes at the end of the turn. */
static void end_later(struct exchange *exchange)
{
    leave_link(exchange);
    exchange_leave_map(exchange);
    exchange->state = EXCHANGE_ENDING;
    loop_defer(exchange->channel->set->options.loop, &exchange->task);
}

static void end_not_sent(struct exchange *exchange, const char *diagnosis)
{
    exchange_diagnose(exchange, diagnosis);
    judge_host(exchange, OUTCOME_NOT_SENT);
    end_later(exchange);
}

/* --- ends of exchanges over HTTP --- */

void exchange_has_left(struct exchange *exchange)
{
    if (!exchange->bytes_left && exchange_is_payment(exchange))
        exchange->channel->sent++;
    exchange->bytes_left = true;
}

static enum outcome unanswered(const struct exchange *exchange)
{
    return exchange->bytes_left ? OUTCOME_UNKNOWN : OUTCOME_NOT_SENT;
}

void exchange_end(struct exchange *exchange, const char *diagnosis)
{
    end_host(exchange, unanswered(exchange), diagnosis, END_FOR_GOOD);
}

void exchange_end_later(struct exchange *exchange, const char *diagnosis)
{
    exchange_diagnose(exchange, diagnosis);
    judge_host(exchange, unanswered(exchange));
    end_later(exchange);
}

void exchange_end_unanswered(struct exchange *exchange, const char *diagnosis)
{
    end_host(exchange, OUTCOME_UNKNOWN, diagnosis, END_KEEP_LATE);
}

static void exchange_task(struct task *task)
{
    struct exchange *exchange = CONTAINER_OF(task, struct exchange, task);
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    ENSURE(exchange->state == EXCHANGE_ENDING);
    if (!exchange->dropped) {
        end(exchange, END_FOR_GOOD);
        return;
    }
    if (exchange->channel != NULL) /* NULL: the channel is closed */
        exchange->channel->in_flight -= exchange_is_payment(exchange);
    exchange_free(exchange);
}

static void exchange_timed(struct timer *timer, void *arg)
{
    (void)timer;
    struct exchange *exchange = arg;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    if (exchange->state == EXCHANGE_WAITING && channel_is_http(exchange->channel)) {
        exchange_end(exchange, "no access token was there in time");
        return;
    }
    if (exchange->state == EXCHANGE_WAITING) {
        end_host(exchange, OUTCOME_NOT_SENT, "no link of the channel became ready in time",
                 END_FOR_GOOD);
        return;
    }
    ENSURE(exchange->state == EXCHANGE_SENT);
    if (channel_is_http(exchange->channel))
        http_deadline(exchange);
    else
        exchange_end_unanswered(exchange, "no answer came in time");
}

/* --- sending --------------------------------------------------------------------------------- */

/* The link's keys are not those it was signed with: the same command again. NULL, or what is wrong.
 */
static const char *encode_again(struct exchange *exchange, const struct link *link)
{
    struct view before = exchange_refs(exchange);
    uint8_t *refs = vault_alloc(before.len);
    if (refs == NULL)
        return "memory is out";
    if (before.len > 0)
        memcpy(refs, before.ptr, before.len);
    vault_wipe(exchange->adapter_state, (size_t)exchange->channel->api->exchange_size);
    exchange->steps = 0;
    enum drive drive = drive_begin(exchange, link);
    drive_clean(exchange->channel->set);
    const char *wrong = NULL;
    if (drive != DRIVE_SEND)
        wrong = "the message could not be made again after a change of keys";
    else if (!view_equal(view_of(refs, before.len), exchange_refs(exchange)))
        wrong = "after a change of keys the message has other refs than those recorded";
    vault_free(refs);
    return wrong;
}

/* Enters the map of awaited answers. NULL, or what is wrong. */
static const char *await_answer(struct exchange *exchange)
{
    if (exchange->expects_reply != 1)
        return NULL;
    struct channel *channel = exchange->channel;
    struct view key = view_of(exchange->correlation, exchange->correlation_len);
    if (rival_of(exchange) != NULL)
        return "an answer with the same correlation key is awaited already";
    struct exchange *first = map_get(channel->awaited, key);
    if (first != NULL)
        late_end(first); /* of the same attempt: this one awaits the answer to both */
    if (map_put(channel->awaited, key, exchange) != STATUS_OK)
        return "too many answers are awaited";
    exchange->in_map = true;
    return NULL;
}

/* NULL: the bytes may have left. Else certainly not, and why. */
static const char *send_on(struct exchange *exchange, struct link *link)
{
    if (!exchange->bytes_left && exchange->used_key &&
        exchange->key_generation != link->key_generation) {
        const char *wrong = encode_again(exchange, link);
        if (wrong != NULL)
            return wrong;
    }
    const char *wrong = await_answer(exchange);
    if (wrong != NULL)
        return wrong;
    enum status s = conn_write(link->conn, view_of(exchange->block, exchange->message_len));
    if (s != STATUS_OK) {
        exchange_leave_map(exchange);
        return s == STATUS_FULL ? "the link's out-buffer is full" : "the link is closed";
    }
    exchange->bytes_left = true;
    exchange->state = EXCHANGE_SENT;
    exchange->link = link;
    list_append(&link->in_flight, &exchange->item);
    link->in_flight_count++;
    if (exchange->op_of == NULL) {
        exchange->channel->sent++;
        circuit_started(&exchange->channel->circuit, channel_now(exchange->channel));
    }
    return NULL;
}

static void send_or_end(struct exchange *exchange, struct link *link)
{
    timer_stop(&exchange->timer);
    list_remove(&exchange->item);
    const char *wrong = send_on(exchange, link);
    if (wrong != NULL) {
        end_not_sent(exchange, wrong);
        return;
    }
    if (exchange->expects_reply != 1) {
        exchange_diagnose(exchange, "the message was sent; no answer to it is expected");
        judge_host(exchange, OUTCOME_UNKNOWN);
        end_later(exchange);
        return;
    }
    timer_start(&exchange->timer, exchange->deadline_us - channel_now(exchange->channel));
}

static void start(struct exchange *exchange, int64_t deadline_us, exchange_done_fn *done, void *arg)
{
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    ENSURE(exchange->state == EXCHANGE_PREPARED && done != NULL && deadline_us >= 0);
    if (deadline_us == 0) {
        struct channel_ability ability;
        channel_ability(exchange->channel, exchange->command.operation, &ability);
        deadline_us = ability.deadline_us;
    }
    exchange->done = done;
    exchange->arg = arg;
    exchange->started_us = channel_now(exchange->channel);
    exchange->deadline_us = exchange->started_us + deadline_us;
}

void exchange_start(struct exchange *exchange, int64_t deadline_us, exchange_done_fn *done,
                    void *arg)
{
    start(exchange, deadline_us, done, arg);
    struct channel *channel = exchange->channel;
    bool full = channel->in_flight >= (uint32_t)channel->settings->in_flight_max;
    channel->in_flight++;
    if (exchange->has_result) {
        end_later(exchange);
        return;
    }
    if (full) {
        end_not_sent(exchange, "too many exchanges of the channel are in flight");
        return;
    }
    if (channel_is_http(channel)) {
        circuit_started(&channel->circuit, channel_now(channel));
        http_start(exchange);
        return;
    }
    struct link *link = link_pick(channel);
    if (link != NULL) {
        send_or_end(exchange, link);
        return;
    }
    exchange->state = EXCHANGE_WAITING;
    list_append(&channel->waiting, &exchange->item);
    int64_t wait = exchange->deadline_us - exchange->started_us;
    timer_start(&exchange->timer, wait < CONNECT_WAIT_US ? wait : CONNECT_WAIT_US);
}

void exchange_start_op(struct exchange *exchange, int64_t deadline_us, exchange_done_fn *done,
                       void *arg)
{
    ENSURE(exchange->op_of != NULL && exchange->op_of->conn != NULL);
    start(exchange, deadline_us, done, arg);
    if (exchange->has_result)
        end_later(exchange);
    else
        send_or_end(exchange, exchange->op_of);
}

void exchange_start_token(struct exchange *exchange, exchange_done_fn *done, void *arg)
{
    start(exchange, 0, done, arg);
    if (exchange->has_result)
        end_later(exchange);
    else
        http_start(exchange);
}

void exchanges_flush(struct channel *channel)
{
    while (!list_empty(&channel->waiting)) {
        struct link *link = link_pick(channel);
        if (link == NULL)
            return;
        send_or_end(CONTAINER_OF(channel->waiting.next, struct exchange, item), link);
    }
}

/* --- answers --------------------------------------------------------------------------------- */

static void answered_late(struct exchange *exchange, bool readable)
{
    struct channel *channel = exchange->channel;
    exchange->result.late = true;
    if (!readable) {
        char attempt[ID_TEXT_MAX];
        channel->unmatched++;
        CHANNEL_LOG(
            channel, LOG_WARN, "channel.late_reply_unreadable",
            LOG_TEXT("attempt", id_format(ID_ATTEMPT, exchange->command.attempt_id, attempt)),
            LOG_TEXT("operation", operation_word(exchange->command.operation)));
        late_end(exchange);
        return;
    }
    channel->late_answers++;
    CHANNEL_LOG(channel, LOG_WARN, "channel.late_reply",
                LOG_TEXT("operation", operation_word(exchange->command.operation)),
                LOG_TEXT("outcome", outcome_word(exchange->result.outcome)));
    late_tell(exchange);
}

/* A further message of the same exchange, on the same link, within the same deadline. NULL, or what
 * is wrong. */
static const char *send_next(struct exchange *exchange)
{
    struct link *link = exchange->link;
    if (channel_is_http(exchange->channel))
        return http_next(exchange);
    if (exchange->expects_reply != 1)
        return "the adapter's second message expects no answer";
    const char *wrong = await_answer(exchange);
    if (wrong != NULL)
        return wrong;
    return conn_write(link->conn, view_of(exchange->block, exchange->message_len)) == STATUS_OK
               ? NULL
               : "the second message could not be sent";
}

void exchange_answered(struct exchange *exchange, struct link *link, struct view message)
{
    ENSURE(exchange->state == EXCHANGE_SENT || exchange->state == EXCHANGE_LATE);
    exchange_leave_map(exchange);
    exchange_driven(exchange, link, drive_reply(exchange, link, message));
}

void exchange_driven(struct exchange *exchange, struct link *link, enum drive drive)
{
    struct channel *channel = exchange->channel;
    if (drive == DRIVE_DONE) {
        judge_done(exchange);
        take_grants(exchange, link);
    } else if (drive == DRIVE_FAIL) {
        judge_host(exchange, OUTCOME_UNKNOWN); /* bytes have left: never declined */
    }
    drive_clean(channel->set);
    if (exchange->state == EXCHANGE_LATE) {
        answered_late(exchange, drive == DRIVE_DONE);
        return;
    }
    if (drive == DRIVE_SEND) {
        const char *wrong = send_next(exchange);
        if (wrong == NULL)
            return;
        exchange_diagnose(exchange, wrong);
        judge_host(exchange, OUTCOME_UNKNOWN);
    }
    if (drive == DRIVE_FAIL)
        CHANNEL_LOG(channel, LOG_WARN, "channel.reply_unreadable",
                    LOG_TEXT("operation", operation_word(exchange->command.operation)),
                    LOG_VIEW("why", exchange->result.diagnosis));
    else if (exchange->result.conflict)
        CHANNEL_LOG(channel, LOG_ERROR, "channel.reply_conflict",
                    LOG_TEXT("operation", operation_word(exchange->command.operation)),
                    LOG_VIEW("why", exchange->result.diagnosis));
    end(exchange, END_FOR_GOOD);
}

void exchange_link_lost(struct exchange *exchange)
{
    ENSURE(exchange->state == EXCHANGE_SENT);
    end_host(exchange, OUTCOME_UNKNOWN, "the link broke before an answer came", END_KEEP_LATE);
}

/* --- giving back ----------------------------------------------------------------------------- */

void exchange_drop(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    ENSURE_MAGIC(exchange, EXCHANGE_MAGIC);
    ENSURE(!exchange->dropped);
    struct channel *channel = exchange->channel;
    switch (exchange->state) {
    case EXCHANGE_PREPARED: exchange_free(exchange); return;
    case EXCHANGE_DONE:
        exchange->dropped = true;
        if (!exchange->delivering)
            exchange_free(exchange);
        return;
    case EXCHANGE_WAITING:
        channel->in_flight -= exchange_is_payment(exchange);
        exchange_free(exchange);
        return;
    case EXCHANGE_ENDING: /* its task frees it */
    case EXCHANGE_LATE: exchange->dropped = true; return;
    case EXCHANGE_SENT:
        leave_link(exchange);
        channel->in_flight -= exchange_is_payment(exchange);
        exchange->dropped = true;
        if (http_request_left(exchange))
            exchange_has_left(exchange);
        if (!exchange_is_payment(exchange) || !late_keep(exchange))
            exchange_free(exchange);
        return;
    }
}

void exchanges_fini(struct channel *channel)
{
    while (!list_empty(&channel->all)) {
        struct exchange *exchange = CONTAINER_OF(channel->all.next, struct exchange, siblings);
        exchange_leave_map(exchange);
        list_remove(&exchange->item);
        list_remove(&exchange->siblings);
        timer_stop(&exchange->timer);
        http_forget(exchange);
        late_forget(exchange);
        exchange->link = NULL;
        exchange->channel = NULL;
        exchange->dropped = true;
        if (exchange->state != EXCHANGE_ENDING)
            exchange->state = EXCHANGE_DONE;
        /* Else its task frees it at the end of the turn, or the call of `done` when it returns. */
        if (!exchange->task.queued && !exchange->delivering)
            exchange_free(exchange);
    }
}
