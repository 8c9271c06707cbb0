/* deliver.c - one delivery, from the journal to the receiver and back to the endpoint's row.
 *
 *     work_begin -> [page of events] -> next_event -> [event of a resend] -> send -> [answer]
 *         -> record -> recorded -> next_event, or work_release
 *
 * What is in brackets is waited for. The cursor moves in one commit with the note of what became of
 * the try; when we die between the receiver's 2xx and that commit, the same event leaves again
 * under the same webhook-id. So at least once, and the receiver can tell. When we live and the
 * commit fails, what the receiver answered stays with the target, and only the commit is repeated.
 */
#include "outbox_int.h"

#include "json/json_read.h"

static void next_event(struct work *work);

/* The store is busy or broken: later. */
static void trouble(struct work *work)
{
    struct outbox *outbox = work->outbox;
    int64_t id = work->target->row.id;
    uint32_t troubles = work->target->troubles;
    work->target->troubles += troubles < TROUBLE_DOUBLES;
    work_release(work); /* may take the target along */
    struct target *target = outbox->stopping ? NULL : target_find(outbox, id);
    if (target != NULL && (target->state == TARGET_READY || target->state == TARGET_IDLE))
        target_wait(target, TROUBLE_US << troubles);
}

/* The commit is repeated, and nothing else. */
static void not_recorded(struct work *work)
{
    work->target->unrecorded = work->outcome;
    trouble(work);
}

/* --- record ----------------------------------------------------------------------------------- */

static bool put_disabled(struct store_txn *txn, int64_t now_us, const char *why)
{
    char id[ID_TEXT_MAX];
    struct view data = arena_format(txn->arena, "{\"endpoint\":\"%s\",\"reason\":\"%s\"}",
                                    id_format(ID_ENDPOINT, txn->endpoint.id, id), why);
    txn->events[txn->event_count++] = (struct event_row){ .time_us = now_us,
                                                          .merchant = txn->endpoint.merchant,
                                                          .kind = VIEW(KIND_DISABLED),
                                                          .data_json = data };
    return data.len > 0;
}

/* The pause before the next try. */
static int64_t pause_us(const struct work *work, int64_t failures)
{
    const struct try_result *outcome = &work->outcome;
    int64_t first_us = work->outbox->o.settings->webhooks_first_retry_us;
    int64_t own_us = webhook_backoff_us(failures, first_us);
    int64_t most_us = webhook_backoff_us(INT32_MAX, first_us);
    int64_t asked_us = outcome->retry_after_us < most_us ? outcome->retry_after_us : most_us;
    /* 80 to 120 percent, so that receivers that came back are not met by all at once; never less
     * than what the receiver asked for, and that not beyond our own longest pause. */
    own_us = own_us / 10 * 8 + own_us / 10 * 4 * outcome->jitter / 65536;
    return own_us > asked_us ? own_us : asked_us + asked_us / 10 * outcome->jitter / 65536;
}

/* Whether the endpoint moved while the receiver of before was asked. The target's row stays as it
 * is as long as it has a work; so this may be asked on the store's thread, too. */
static bool has_moved(const struct work *work, const struct endpoint_row *row)
{
    return !view_equal(row->url, work->target->row.url);
}

/* Inside the commit: the API may have changed the row since we read it. */
static enum status judge_result(struct store_txn *txn, void *arg)
{
    const struct work *work = arg;
    const struct try_result *outcome = &work->outcome;
    const struct settings *s = work->outbox->o.settings;
    struct endpoint_row *row = &txn->endpoint;
    txn->write_endpoint = STORE_UPDATE;
    if ((outcome->event == 0 || outcome->delivered) && row->cursor < outcome->position)
        row->cursor = outcome->position;
    if (outcome->event == 0)
        return STATUS_OK;
    row->tries++;
    txn->delivery = (struct delivery_row){ .endpoint = row->id,
                                           .number = row->tries,
                                           .event = outcome->event,
                                           .at_us = outcome->at_us,
                                           .latency_us = outcome->latency_us,
                                           .http_status = outcome->http_status,
                                           .result = view_text(outcome->result) };
    txn->write_delivery = STORE_INSERT;
    row->next_us = 0;
    if (outcome->delivered) {
        row->failures = row->failing_since_us = 0;
        return STATUS_OK;
    }
    if (has_moved(work, row)) /* another receiver has not failed */
        return STATUS_OK;
    row->failures++;
    if (row->failing_since_us == 0)
        row->failing_since_us = outcome->at_us;
    if (row->status != ENDPOINT_ENABLED)
        return STATUS_OK;
    bool gone = outcome->http_status == 410;
    if (gone || outcome->at_us - row->failing_since_us >= s->webhooks_give_up_us) {
        row->status = ENDPOINT_DISABLED;
        row->why = gone ? VIEW("gone") : VIEW("failing");
        return put_disabled(txn, outcome->at_us, gone ? "gone" : "failing") ? STATUS_OK
                                                                            : STATUS_NO_MEMORY;
    }
    row->next_us = outcome->at_us + pause_us(work, row->failures);
    txn->delivery.next_us = row->next_us;
    return STATUS_OK;
}

static void recorded(struct store_txn *txn, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    struct outbox *outbox = work->outbox;
    struct target *target = work->target;
    const struct try_result *outcome = &work->outcome;
    work->lent = false;
    if (outbox->stopping)
        return;
    if (txn->result == STORE_NO_PAYMENT) { /* the endpoint was deleted */
        target->gone = true;
        work_release(work);
        return;
    }
    if (txn->result != STORE_COMMITTED) {
        LOG(outbox->o.log, LOG_ERROR, "outbox.not_recorded", LOG_VIEW("why", txn->why));
        not_recorded(work);
        return;
    }
    const struct endpoint_row *row = &txn->endpoint;
    target->row.cursor = row->cursor;
    target->row.failures = row->failures;
    target->row.failing_since_us = row->failing_since_us;
    target->row.next_us = row->next_us;
    target->row.status = row->status;
    target->row.tries = row->tries;
    target->unrecorded = (struct try_result){ 0 };
    target->troubles = 0;
    target->skipped = 0;
    target->progress = false;
    if (has_moved(work, row))
        target->stale = true; /* nothing more goes to where it was */
    if (outcome->event != 0) {
        target->slow = !outcome->delivered || outcome->latency_us > SLOW_US;
        outbox->stats.delivered += outcome->delivered;
        outbox->stats.failed += !outcome->delivered;
    }
    if (txn->event_count > 0) {
        char id[ID_TEXT_MAX];
        outbox->stats.disabled++;
        LOG(outbox->o.log, LOG_WARN, "outbox.endpoint_disabled",
            LOG_TEXT("endpoint", id_format(ID_ENDPOINT, row->id, id)),
            LOG_VIEW("reason", row->why));
    }
    if (outcome->event == 0 || outcome->delivered)
        target->scan_from = outcome->position;
    bool more = outcome->delivered && target_pending(target) && !target->stale &&
                row->status == ENDPOINT_ENABLED && target->slow == work->slow && !work->lingers;
    if (more && !schedule_wanted(outbox))
        next_event(work);
    else
        work_release(work);
}

static void record(struct work *work)
{
    work->txn = (struct store_txn){ .arena = &work->arena,
                                    .judge = judge_result,
                                    .done = recorded,
                                    .arg = work,
                                    .load_endpoint = work->target->row.id };
    work->lent = true;
    if (store_commit(work->outbox->o.store, &work->txn) != STATUS_OK) {
        work->lent = false;
        not_recorded(work);
    }
}

/* --- send ------------------------------------------------------------------------------------- */

static const char *word_of(enum status status)
{
    switch (status) {
    case STATUS_TIMEOUT: return "timeout";
    case STATUS_REFUSED: return "refused";
    case STATUS_DENIED: return "address_not_allowed";
    case STATUS_TLS: return "tls";
    case STATUS_NOT_FOUND: return "name_not_found";
    case STATUS_CLOSED: return "closed";
    case STATUS_MALFORMED:
    case STATUS_FULL: return "malformed_answer";
    default: return "not_sent";
    }
}

/* Back on the loop, and not inside the client: it may be closed now. */
static void on_answered(struct task *task)
{
    struct work *work = CONTAINER_OF(task, struct work, answered);
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!work->outbox->stopping)
        record(work);
}

static void ended(struct work *work, int http_status, const char *result)
{
    work->outcome.latency_us = loop_now_us(work->outbox->o.loop) - work->started_us;
    work->outcome.http_status = http_status;
    work->outcome.result = result;
    work->outcome.delivered = http_status / 100 == 2;
    work->call = NULL;
    work->answered.run = on_answered;
    loop_defer(work->outbox->o.loop, &work->answered);
}

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->call = NULL;
    if (work->outbox->stopping)
        return;
    for (size_t i = 0; i < answer->header_count; i++)
        if (view_equal_nocase(answer->headers[i].name, VIEW("retry-after")))
            IGNORE_STATUS(webhook_retry_after_us(answer->headers[i].value, work->outcome.at_us,
                                                 &work->outcome.retry_after_us));
    int status = answer->status == STATUS_OK ? answer->http_status : 0;
    ended(work, status,
          answer->status != STATUS_OK ? word_of(answer->status)
          : status / 100 == 2         ? "delivered"
          : status == 410             ? "gone"
          : status / 100 == 3         ? "redirect" /* never followed */
                                      : "status");
}

/* One signature for each secret that is valid now; the newer one first. */
static enum status sign(struct work *work, const char *id, int64_t timestamp_s, struct view body,
                        struct writer *out)
{
    const struct endpoint_row *row = &work->target->row;
    char room[48];
    struct view context = webhook_seal_context(row->id, room);
    bool both = row->old_secret.len > 0 && row->old_until_us > work->outcome.at_us;
    for (int i = 0; i < (both ? 2 : 1); i++) {
        struct secret_key *key;
        TRY(secret_unseal_key(work->outbox->seal, context, i == 0 ? row->secret : row->old_secret,
                              SECRET_HMAC_SHA256, &key));
        if (i > 0)
            writer_u8(out, ' ');
        enum status status = outbox_signature(key, id, timestamp_s, body, &work->arena, out);
        secret_key_close(key);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status open_client(struct work *work, const struct web_url *url)
{
    struct outbox *outbox = work->outbox;
    const struct settings *s = outbox->o.settings;
    if (work->client != NULL)
        return STATUS_OK;
    if (!url->https && !s->webhooks_allow_http)
        return STATUS_DENIED;
    if (url->https && outbox->tls == NULL)
        return STATUS_UNSUPPORTED;
    struct http_client_options options = { .to = { .port = url->port },
                                           .tls = url->https ? outbox->tls : NULL,
                                           .conns_max = 1,
                                           .answer_bytes_max = ANSWER_BYTES_MAX,
                                           .connect_timeout_us = s->webhooks_timeout_us,
                                           .owner = outbox->o.owner,
                                           .allowed =
                                               s->webhooks_allow_private ? NULL : ip_is_public,
                                           .name_servers = outbox->name_servers,
                                           .cut_answers = true };
    memcpy(options.to.host, url->host, sizeof options.to.host);
    return http_client_open(&work->client, outbox->o.wire, outbox->o.loop, &options);
}

static enum status send_event(struct work *work)
{
    struct outbox *outbox = work->outbox;
    const struct event_row *event = work->event;
    struct web_url url;
    char id[ID_TEXT_MAX], timestamp[24], signatures[128];
    size_t room = 1024 + 2 * event->kind.len + event->data_json.len;
    uint8_t *bytes = arena_alloc(&work->arena, room);
    struct writer body = writer_over(bytes, bytes != NULL ? room : 0);
    struct writer time = writer_over(timestamp, sizeof timestamp);
    struct writer signature = writer_over(signatures, sizeof signatures);
    TRY(web_url_parse(work->target->row.url, &url));
    TRY(open_client(work, &url));
    id_format(ID_EVENT, event->seq, id);
    outbox_body(&body, event);
    TRY(writer_status(&body));
    writer_i64_text(&time, work->outcome.at_us / LOOP_US_PER_S);
    TRY(sign(work, id, work->outcome.at_us / LOOP_US_PER_S, writer_done(&body), &signature));
    const struct http_header headers[] = {
        { VIEW("Content-Type"), VIEW("application/json") },
        { VIEW("User-Agent"), VIEW("railgate-webhooks/1") },
        { VIEW("webhook-id"), view_text(id) },
        { VIEW("webhook-timestamp"), writer_done(&time) },
        { VIEW("webhook-signature"), writer_done(&signature) },
    };
    return http_call(work->client, "POST", url.path, headers, COUNT_OF(headers), writer_done(&body),
                     outbox->o.settings->webhooks_timeout_us, on_answer, work, &work->call);
}

static void send(struct work *work)
{
    struct loop *loop = work->outbox->o.loop;
    uint16_t dice;
    loop_random(loop, &dice, sizeof dice);
    work->outcome = (struct try_result){ .event = work->event->seq,
                                         .position = work->outcome.position,
                                         .at_us = loop_wall_us(loop),
                                         .jitter = dice };
    work->started_us = loop_now_us(loop);
    timer_start(&work->linger, SLOW_US);
    if (work->target->pending_since_us != 0)
        work->target->pending_since_us = work->event->time_us;
    enum status status = send_event(work);
    if (status == STATUS_OK)
        return;
    /* It counts as a failure like any other: the next try comes later, and three days end it. */
    char id[ID_TEXT_MAX];
    LOG(work->outbox->o.log, LOG_WARN, "outbox.not_sent",
        LOG_TEXT("endpoint", id_format(ID_ENDPOINT, work->target->row.id, id)),
        LOG_STATUS("status", status));
    ended(work, 0, status == STATUS_MISMATCH ? "secret_unreadable" : word_of(status));
}

/* --- which event ------------------------------------------------------------------------------ */

enum whose { WHOSE_NOT = 1, WHOSE_THIS, WHOSE_RESEND };

/* Control events say whom they are for, whatever that endpoint asks for otherwise. */
static enum whose whose_is(struct work *work, const struct event_row *event, int64_t *resend)
{
    const struct json_node *root = NULL;
    struct view name = VIEW_EMPTY;
    int64_t id = 0;
    bool test = view_is(event->kind, KIND_TEST), again = view_is(event->kind, KIND_RESEND);
    if (!webhook_event_leaves(event->kind, event->merchant))
        return WHOSE_NOT;
    if (!test && !again)
        return webhook_kinds_match(work->target->row.kinds, event->kind) ? WHOSE_THIS : WHOSE_NOT;
    if (json_read(event->data_json, NULL, &work->arena, &root, NULL) != STATUS_OK ||
        json_text(json_member(root, "endpoint"), &name) != STATUS_OK ||
        id_parse(ID_ENDPOINT, name, &id) != STATUS_OK || id != work->target->row.id)
        return WHOSE_NOT;
    if (test)
        return WHOSE_THIS;
    return json_text(json_member(root, "event"), &name) == STATUS_OK &&
                   id_parse(ID_EVENT, name, resend) == STATUS_OK
               ? WHOSE_RESEND
               : WHOSE_NOT;
}

static void on_again(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->lent = false;
    if (work->outbox->stopping)
        return;
    if (read->result == STATUS_OK &&
        webhook_event_leaves(read->events[0].kind, read->events[0].merchant)) {
        work->event = &read->events[0];
        send(work);
    } else if (read->result == STATUS_OK || read->result == STATUS_NOT_FOUND) {
        work->target->scan_from = work->outcome.position; /* nothing to send again */
        next_event(work);
    } else {
        trouble(work);
    }
}

static void ask_again(struct work *work, int64_t seq)
{
    work->again = (struct store_read){ .question = STORE_EVENT,
                                       .arena = &work->arena,
                                       .merchant = work->target->row.merchant,
                                       .after = seq,
                                       .done = on_again,
                                       .arg = work };
    work->lent = true;
    if (store_ask(work->outbox->o.store, &work->again) != STATUS_OK) {
        work->lent = false;
        trouble(work);
    }
}

static void on_page(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->lent = false;
    if (work->outbox->stopping)
        return;
    if (read->result != STATUS_OK) {
        trouble(work);
        return;
    }
    work->at = 0;
    next_event(work);
}

static void ask_page(struct work *work)
{
    struct outbox *outbox = work->outbox;
    struct target *target = work->target;
    arena_reset(&work->arena);
    work->asked_to = target->pending_to;
    work->read =
        (struct store_read){ .question = STORE_EVENTS,
                             .arena = &work->arena,
                             .merchant = target->row.merchant,
                             .after = target->scan_from,
                             .limit = target->pending_to == target->scan_from + 1 ? 1 : PAGE_EVENTS,
                             .indexed_only = target->pending_to <= outbox->indexed_at_start,
                             .done = on_page,
                             .arg = work };
    work->lent = true;
    if (store_ask(outbox->o.store, &work->read) != STATUS_OK) {
        work->lent = false;
        trouble(work);
    }
}

/* Goes on in the page, with the next one, or comes to an end. */
static void next_event(struct work *work)
{
    struct target *target = work->target;
    bool had_page = work->read.question != 0;
    bool full = work->arena.used > WORK_ARENA_BYTES / 2; /* of what was sent: read the rest anew */
    while (had_page && !full && work->at < work->read.count) {
        const struct event_row *event = &work->read.events[work->at++];
        int64_t resend = 0;
        enum whose whose = whose_is(work, event, &resend);
        if (work->arena.overflow) { /* memory is out: nobody knows whose it is */
            trouble(work);
            return;
        }
        if (whose == WHOSE_NOT) {
            target->scan_from = event->seq;
            continue;
        }
        work->outcome.position = event->seq;
        work->event = event;
        if (whose == WHOSE_RESEND)
            ask_again(work, resend);
        else
            send(work);
        return;
    }
    if (had_page && !full) { /* the rest up to there is not for it */
        int64_t through = work->read.more ? work->read.through : work->asked_to;
        target->scan_from = through > target->scan_from ? through : target->scan_from;
    }
    work->read.question = 0;
    if (target_pending(target) && !target->stale)
        ask_page(work);
    else
        work_release(work);
}

void work_begin(struct work *work)
{
    struct target *target = work->target;
    work->outcome = target->unrecorded;
    if (target->unrecorded.event != 0) {
        record(work);
        return;
    }
    if (target_pending(target)) {
        ask_page(work);
        return;
    }
    /* Idle, and far behind on disk: all up to the tail is not for it. */
    work->outcome.position = work->outbox->tail;
    target->progress = false;
    record(work);
}
