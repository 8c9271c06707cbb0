/* upkeep.c - what the store does behind the commits: the lasting indexes, purging, checkpoints, and
 * keeping what it remembers true when another process writes to the same database.
 *
 * Everything here happens between batches, when the worker has nothing else to do, except making
 * room: a memory index that is nearly full must be emptied before the next batch, or its keys would
 * have no place to be remembered.
 *
 * Small amounts are left alone (UPKEEP_WORTHWHILE): a commit of its own for every few keys would
 * double the flushes of a quiet gateway, and after a crash so few rows are read again in no time.
 * Under load the worker is idle for a moment after each batch, and by then there is always a little
 * to do; a flush for it each time would cost as much as the payments' own. So for a while after a
 * step of an index only a whole step's rows count for it (UPKEEP_PAUSE_US).
 */
#include "store_int.h"

#include <stdlib.h>

enum {
    UPKEEP_WORTHWHILE = 1024, /* rows that wait, before an index step is worth a commit */
    PURGE_STEP = 256,
    SPENT_STEP = 512, /* rows of counters looked at */
    CHECKPOINT_IDLE_PAGES = 250,
};
#define PURGE_LOOK_EVERY_US (60 * LOOP_US_PER_S)
#define UPKEEP_PAUSE_US     (200 * LOOP_US_PER_MS)
/* The longest window of a limit; a calendar year is shorter. */
#define SPENT_KEEP_US       (400 * 24 * 3600 * LOOP_US_PER_S)
#define SPENT_LOOK_EVERY_US (24 * 3600 * LOOP_US_PER_S)
#define SPENT_STEP_EVERY_US (50 * LOOP_US_PER_MS)

static int compare_entries(const void *a, const void *b)
{
    const struct lookup_entry *left = a, *right = b;
    if (left->value != right->value)
        return left->value < right->value ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

/* --- the memory index ------------------------------------------------------------------------ */

/* Reads the keys after the watermark. FULL: more than it can hold beside the next batch. */
static enum status reload_recent(struct store *store)
{
    recent_clear(store->recent);
    int64_t after = store->marks.keys_indexed;
    for (;;) {
        size_t count;
        TRY(db_lookup_after(store->db, DB_LOOKUP_KEYS, after, store->sorting, UPKEEP_STEP, &count,
                            &after));
        if (count == 0)
            return STATUS_OK;
        if (count + store->batch_max > recent_room(store->recent))
            return STATUS_FULL;
        for (size_t i = 0; i < count; i++)
            recent_add(store->recent, (uint64_t)store->sorting[i].value, store->sorting[i].row);
    }
}

/* Enters the next rows after `after` into one index. */
static enum status index_rows(struct store *store, enum db_lookup lookup, int64_t after,
                              int64_t *through)
{
    size_t count;
    TRY(db_lookup_after(store->db, lookup, after, store->sorting, UPKEEP_STEP, &count, through));
    qsort(store->sorting, count, sizeof store->sorting[0], compare_entries);
    return db_lookup_add(store->db, lookup, store->sorting, count);
}

static enum status index_keys(struct store *store)
{
    int64_t through;
    TRY(index_rows(store, DB_LOOKUP_KEYS, store->marks.keys_indexed, &through));
    store->marks.keys_indexed = through;
    return db_lookup_mark(store->db, DB_LOOKUP_KEYS, through);
}

static enum status index_payments(struct store *store)
{
    int64_t after = store->marks.payments_indexed, through, also;
    TRY(index_rows(store, DB_LOOKUP_PAYMENTS, after, &through));
    TRY(index_rows(store, DB_LOOKUP_REFERENCES, after, &also));
    ENSURE(also == through);
    store->marks.payments_indexed = through;
    TRY(db_lookup_mark(store->db, DB_LOOKUP_PAYMENTS, through));
    return db_payments_waiting(store->db, through, &store->payments_waiting);
}

static enum status index_events(struct store *store)
{
    int64_t through;
    TRY(index_rows(store, DB_LOOKUP_EVENTS, store->marks.events_indexed, &through));
    store->marks.events_indexed = through;
    return db_lookup_mark(store->db, DB_LOOKUP_EVENTS, through);
}

static int64_t events_waiting(const struct store *store)
{
    return store->marks.journal_seq - store->marks.events_indexed;
}

enum status upkeep_index_events(struct store *store)
{
    while (events_waiting(store) > 0)
        TRY(index_events(store));
    return STATUS_OK;
}

static enum status refresh(struct store *store)
{
    TRY(db_marks_read(store->db, &store->marks));
    TRY(db_payments_waiting(store->db, store->marks.payments_indexed, &store->payments_waiting));
    enum status status = reload_recent(store);
    if (status == STATUS_OK)
        store->stale = false;
    return status;
}

enum status upkeep_begin(struct store *store)
{
    for (;;) {
        TRY(db_begin(store->db));
        bool changed = false;
        enum status status = db_changed_elsewhere(store->db, &changed);
        if (status == STATUS_OK && (changed || store->stale)) {
            store->stale = true;
            status = refresh(store);
        }
        if (status == STATUS_OK)
            return STATUS_OK;
        /* More unindexed keys than we can remember (the bound was lowered, or somebody else wrote
         * very many): index a step of them and look again. */
        if (status == STATUS_FULL) {
            status = index_keys(store);
            if (status == STATUS_OK)
                status = db_commit(store->db);
            if (status == STATUS_OK)
                continue;
        }
        db_rollback(store->db);
        return status;
    }
}

/* --- steps, each one transaction --------------------------------------------------------- */

typedef enum status step_fn(struct store *store);

static enum status step(struct store *store, step_fn *work)
{
    TRY(upkeep_begin(store));
    enum status status = work(store);
    if (status == STATUS_OK)
        status = db_commit(store->db);
    if (status != STATUS_OK) {
        store->stale = true;
        db_rollback(store->db);
        LOG(store->log, LOG_WARN, "store.upkeep_failed", LOG_VIEW("why", db_why(store->db)));
        return status;
    }
    recent_drop_through(store->recent, store->marks.keys_indexed);
    return STATUS_OK;
}

static enum status step_purge(struct store *store)
{
    int64_t now_us = loop_wall_us(store->loop);
    size_t deleted;
    TRY(db_idem_purge(store->db, now_us - store->idem_keep_us, store->marks.keys_indexed,
                      PURGE_STEP, &deleted));
    store->purge_look_us = deleted == PURGE_STEP ? now_us : now_us + PURGE_LOOK_EVERY_US;
    return STATUS_OK;
}

/* A walk through all counters, once a day. It is in no hurry: a step now and then. */
static enum status step_spent(struct store *store)
{
    int64_t now_us = loop_wall_us(store->loop);
    struct spent_cursor cursor = store->spent_cursor;
    bool end;
    TRY(db_spent_purge(store->db, &cursor, now_us - SPENT_KEEP_US, SPENT_STEP, &end));
    store->spent_cursor = cursor;
    store->spent_look_us = now_us + (end ? SPENT_LOOK_EVERY_US : SPENT_STEP_EVERY_US);
    return STATUS_OK;
}

enum status upkeep_make_room(struct store *store, size_t count)
{
    while (!store->stale && recent_room(store->recent) < count)
        TRY(step(store, index_keys));
    while (store->payments_waiting > PAYMENTS_WAITING_MAX)
        TRY(step(store, index_payments));
    while (events_waiting(store) > EVENTS_WAITING_MAX)
        TRY(step(store, index_events));
    return STATUS_OK;
}

/* Indexes one step of rows if enough wait for it. */
static bool index_some(struct store *store, int64_t waiting, int64_t *again_us, step_fn *index)
{
    int64_t now_us = loop_now_us(store->loop); /* stateless, so allowed on this thread */
    if (waiting < (now_us < *again_us ? UPKEEP_STEP : UPKEEP_WORTHWHILE))
        return false;
    *again_us = now_us + UPKEEP_PAUSE_US;
    return step(store, index) == STATUS_OK;
}

bool upkeep_step(struct store *store)
{
    if (store->read_only)
        return false;
    uint32_t keys = recent_count(store->recent);
    if (keys > recent_room(store->recent))
        return step(store, index_keys) == STATUS_OK;
    if (index_some(store, keys, &store->keys_again_us, index_keys) ||
        index_some(store, store->payments_waiting, &store->payments_again_us, index_payments) ||
        index_some(store, events_waiting(store), &store->events_again_us, index_events))
        return true;
    if (store->idem_keep_us != 0 && loop_wall_us(store->loop) >= store->purge_look_us)
        return step(store, step_purge) == STATUS_OK;
    if (loop_wall_us(store->loop) >= store->spent_look_us)
        return step(store, step_spent) == STATUS_OK;
    db_checkpoint(store->db, CHECKPOINT_IDLE_PAGES);
    return false;
}
