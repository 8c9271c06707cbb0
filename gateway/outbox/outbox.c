/* outbox.c - opening and closing, and the rows of endpoints: all at the start, one when it changed.
 *
 * A row that cannot be read is asked for again until it can: webhooks begin late then, and not
 * never.
 *
 * At the start every enabled endpoint may have something to deliver; each is looked at once through
 * the index of its merchant's events. What the index does not hold yet is read by the tail, once
 * for all.
 */
#include "outbox_int.h"

#include <stdlib.h>

/* A question for rows: all, page by page, or one. */
struct rows {
    struct list link;
    struct outbox *outbox;
    struct arena arena;
    struct store_read read;
    struct timer again;
    int64_t id;    /* 0: all */
    int64_t after; /* all: those up to here were applied */
    bool ends;     /* all: the ends of the journal come first */
    bool lent, told;
};

static void rows_free(struct rows *rows)
{
    list_remove(&rows->link);
    timer_stop(&rows->again);
    arena_reset(&rows->arena);
    free(rows);
}

/* --- applying a row --------------------------------------------------------------------------- */

static enum status apply_to(struct target *target, const struct endpoint_row *row)
{
    struct outbox *outbox = target->outbox;
    if (target->state == TARGET_WORKING) { /* when that is over it is read again */
        target->stale = true;
        return STATUS_OK;
    }
    bool was_off = target->state == TARGET_OFF || row->cursor != target->row.cursor;
    bool other_kinds = !view_equal(row->kinds, target->row.kinds);
    bool other_url = !view_equal(row->url, target->row.url);
    TRY(target_set(target, row));
    target->stale = false;
    if (other_url && !target->unrecorded.delivered)
        target->unrecorded = (struct try_result){ 0 }; /* another receiver, another chance */
    if (was_off)
        target->scan_from = row->cursor;
    /* Other kinds: from now on; what waited is looked through with the new ones. */
    if ((was_off || other_kinds) && row->status == ENDPOINT_ENABLED)
        target->pending_to = outbox->tail > row->cursor ? outbox->tail : row->cursor;
    if (target_pending(target) && target->pending_since_us == 0)
        target->pending_since_us = loop_wall_us(outbox->o.loop);
    target_settle(target);
    return STATUS_OK;
}

/* NO_MEMORY: it stays as it was. */
static enum status apply(struct outbox *outbox, const struct endpoint_row *row)
{
    struct target *target = target_find(outbox, row->id);
    if (target != NULL)
        return apply_to(target, row);
    bool first = outbox->target_count == 0;
    enum status status = target_add(outbox, row, &target);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK) { /* more than there may be */
        LOG(outbox->o.log, LOG_ERROR, "outbox.endpoint_not_served", LOG_INT("endpoint", row->id),
            LOG_STATUS("status", status));
        return STATUS_OK;
    }
    target->slow = row->failures > 0;
    if (first && outbox->started && outbox->tail < row->cursor)
        outbox->tail = row->cursor; /* nobody needed what was before */
    if (outbox->tail > row->cursor) {
        target->pending_to = outbox->tail;
        target->pending_since_us = loop_wall_us(outbox->o.loop);
    }
    target_settle(target);
    if (outbox->started)
        tail_look(outbox);
    return STATUS_OK;
}

static void forget(struct outbox *outbox, int64_t id)
{
    struct target *target = target_find(outbox, id);
    if (target == NULL)
        return;
    if (target->state == TARGET_WORKING)
        target->gone = true;
    else
        target_remove(target);
}

/* --- reading rows ----------------------------------------------------------------------------- */

static void rows_look(struct rows *rows);

static void rows_again(struct timer *timer, void *arg)
{
    struct rows *rows = arg;
    (void)timer;
    ENSURE_MAGIC(rows->outbox, OUTBOX_MAGIC);
    rows_look(rows);
}

/* Nothing goes out by a row that has changed. */
static void hold(struct outbox *outbox, int64_t id)
{
    struct target *target = target_find(outbox, id);
    if (target == NULL || target->state == TARGET_OFF)
        return;
    if (target->state == TARGET_WORKING) {
        target->stale = true;
        return;
    }
    timer_stop(&target->timer);
    list_remove(&target->link);
    target->state = TARGET_WAITING;
}

/* The store is busy or broken, or memory is out: what is to be read is read when that is over. */
static void rows_later(struct rows *rows, enum status why)
{
    if (!rows->told)
        LOG(rows->outbox->o.log, LOG_ERROR,
            rows->ends ? "outbox.journal_unreadable" : "outbox.endpoints_unreadable",
            LOG_INT("endpoint", rows->id), LOG_STATUS("status", why),
            LOG_TEXT("what_to_do", "look at the store: it is read as soon as that works"));
    rows->told = true;
    hold(rows->outbox, rows->id);
    timer_start(&rows->again, TROUBLE_US);
}

static void on_rows(struct store_read *read, void *arg)
{
    struct rows *rows = arg;
    struct outbox *outbox = rows->outbox;
    enum status applied = STATUS_OK;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    rows->lent = false;
    if (outbox->stopping)
        return;
    if (read->result != STATUS_OK) {
        rows_later(rows, read->result);
        return;
    }
    for (size_t i = 0; i < read->count && applied == STATUS_OK; i++) {
        applied = apply(outbox, &read->endpoints[i]);
        if (applied == STATUS_OK)
            rows->after = read->endpoints[i].id;
    }
    if (applied != STATUS_OK) {
        rows_later(rows, applied);
        return;
    }
    if (rows->id != 0 && read->count == 0)
        forget(outbox, rows->id);
    if (read->more) {
        rows_look(rows);
        return;
    }
    if (rows->id == 0) {
        outbox->started = true;
        tail_look(outbox);
    }
    rows_free(rows);
}

static void on_ends(struct store_read *read, void *arg)
{
    struct rows *rows = arg;
    struct outbox *outbox = rows->outbox;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    rows->lent = false;
    if (outbox->stopping)
        return;
    if (read->result != STATUS_OK) {
        rows_later(rows, read->result);
        return;
    }
    outbox->tail = outbox->indexed_at_start = read->journal_indexed;
    outbox->ends_known = true;
    rows->ends = false;
    rows_look(rows);
}

/* Asks for what comes next: the ends of the journal, then the rows behind `after`. */
static void rows_look(struct rows *rows)
{
    arena_reset(&rows->arena);
    rows->read = (struct store_read){ .question = rows->ends ? STORE_JOURNAL_ENDS : STORE_ENDPOINTS,
                                      .arena = &rows->arena,
                                      .endpoint = rows->id,
                                      .after = rows->id == 0 ? rows->after : 0,
                                      .done = rows->ends ? on_ends : on_rows,
                                      .arg = rows };
    rows->lent = true;
    if (store_ask(rows->outbox->o.store, &rows->read) != STATUS_OK) {
        rows->lent = false;
        rows_later(rows, STATUS_BUSY);
    }
}

static struct rows *rows_new(struct outbox *outbox, int64_t id)
{
    struct rows *rows = calloc(1, sizeof *rows);
    if (rows == NULL)
        return NULL;
    rows->outbox = outbox;
    rows->id = id;
    rows->ends = id == 0;
    arena_init(&rows->arena, (size_t)4 * 1024 * 1024);
    timer_init(&rows->again, outbox->o.loop, rows_again, rows);
    list_append(&outbox->rows, &rows->link);
    return rows;
}

void outbox_read_row(struct outbox *outbox, int64_t id)
{
    if (outbox->stopping)
        return;
    struct rows *rows = rows_new(outbox, id);
    if (rows != NULL) {
        rows_look(rows);
        return;
    }
    LOG(outbox->o.log, LOG_ERROR, "outbox.no_memory", LOG_INT("endpoint", id));
    struct target *target = target_find(outbox, id);
    if (target == NULL || target->state == TARGET_OFF) {
        outbox->missed = true;
        timer_start(&outbox->look, TROUBLE_US);
        return;
    }
    target->stale = true;
    if (target->state != TARGET_WORKING)
        target_wait(target, TROUBLE_US);
}

void outbox_read_missed(struct outbox *outbox)
{
    if (!outbox->missed || outbox->stopping)
        return;
    struct rows *rows = rows_new(outbox, 0);
    if (rows == NULL) {
        timer_start(&outbox->look, TROUBLE_US);
        return;
    }
    outbox->missed = rows->ends = false;
    rows_look(rows);
}

void outbox_endpoint_changed(struct outbox *outbox, int64_t id)
{
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    if (outbox->ends_known) /* else it is read with all the others: what waits for it reaches up to
                               the journal's end */
        outbox_read_row(outbox, id);
}

void outbox_start(struct outbox *outbox)
{
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    ENSURE(outbox->all != NULL);
    rows_look(outbox->all);
    outbox->all = NULL; /* frees itself when it is done */
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* As conn.h wants them. A receiver's name is its merchant's: looking it up must not hold up names
 * of channels, nor those of other receivers. */
static void put_name_servers(struct outbox *outbox)
{
    const struct settings_list *list = &outbox->o.settings->webhooks_name_servers;
    struct writer w = writer_over(outbox->name_servers, sizeof outbox->name_servers - 1);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            writer_u8(&w, ',');
        writer_text(&w, list->items[i]);
    }
    ENSURE(!w.overflow); /* the settings are addresses, and four at most */
}

enum status outbox_open(struct outbox **out, const struct outbox_options *options,
                        struct writer *why)
{
    *out = NULL;
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL)
        return STATUS_NO_MEMORY;
    outbox->magic = OUTBOX_MAGIC;
    outbox->o = *options;
    outbox->seal = secret_find(options->secrets, "host.seal");
    ENSURE(outbox->seal != NULL);
    put_name_servers(outbox);
    const char *ca = options->settings->webhooks_ca;
    struct tls_options tls = { .ca_path = ca[0] != '\0' ? ca : NULL };
    enum status status = loop_kind_of(options->loop) == LOOP_VIRTUAL
                             ? STATUS_OK /* there is no TLS in memory */
                             : tls_open_client(&tls, &outbox->tls, why);
    if (status != STATUS_OK) {
        free(outbox);
        return status;
    }
    list_init(&outbox->rows);
    schedule_init(outbox);
    outbox->all = rows_new(outbox, 0);
    if (outbox->all == NULL) {
        if (outbox->tls != NULL)
            tls_close(outbox->tls);
        free(outbox);
        return STATUS_NO_MEMORY;
    }
    tail_start(outbox);
    *out = outbox;
    return STATUS_OK;
}

void outbox_stop(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    outbox->stopping = true;
    tail_stop(outbox);
    loop_forget(outbox->o.loop, &outbox->pick);
    for (struct list *at = outbox->rows.next; at != &outbox->rows; at = at->next)
        timer_stop(&CONTAINER_OF(at, struct rows, link)->again);
    size_t bucket = 0;
    for (struct target *at = NULL; target_next(outbox, &bucket, &at);)
        timer_stop(&at->timer);
}

static void free_all(struct outbox *outbox)
{
    struct list *item;
    while (!list_empty(&outbox->works)) {
        struct work *work = CONTAINER_OF(outbox->works.next, struct work, link);
        work->lent = false; /* the store is gone, and gave back what it had */
        work_free(work);
    }
    while ((item = list_take_first(&outbox->rows)) != NULL)
        rows_free(CONTAINER_OF(item, struct rows, link));
    for (size_t i = 0; i < outbox->buckets; i++)
        while (outbox->by_id[i] != NULL)
            target_remove(outbox->by_id[i]);
    free(outbox->by_id);
    free(outbox->by_merchant);
    arena_reset(&outbox->tail_arena);
    if (outbox->tls != NULL)
        tls_close(outbox->tls);
    outbox->magic = 0;
    free(outbox);
}

void outbox_close(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    ENSURE(outbox->stopping);
    free_all(outbox);
}

void outbox_abandon(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    outbox->stopping = outbox->abandoned = true;
    timer_stop(&outbox->look);
    loop_forget(outbox->o.loop, &outbox->pick);
    free_all(outbox);
}

void outbox_stats(const struct outbox *outbox, struct outbox_stats *out)
{
    ENSURE_MAGIC(outbox, OUTBOX_MAGIC);
    *out = outbox->stats;
    out->endpoints = outbox->target_count;
    out->working = outbox->work_count;
    int64_t now_us = loop_wall_us(outbox->o.loop);
    size_t bucket = 0;
    for (struct target *at = NULL; target_next(outbox, &bucket, &at);) {
        if (at->state == TARGET_OFF || !target_pending(at))
            continue;
        out->pending++;
        int64_t age_us = at->pending_since_us != 0 ? now_us - at->pending_since_us : 0;
        if (age_us > out->lag_us_max)
            out->lag_us_max = age_us;
    }
}
