/* store.c - the store: opening, handing requests to the worker, and the batch that shares a commit.
 *
 * The way of a batch (store_run, on the worker's thread):
 *
 *     plain pass     BEGIN IMMEDIATE; each request in the order of submission; COMMIT; done
 *     a request breaks by its own fault after it wrote something:
 *                    ROLLBACK; careful pass: the same, each request under a savepoint, so that the
 *                    broken one is taken back alone. One commit again.
 *     the back end breaks (disk full, I/O error, lock not to be had):
 *                    ROLLBACK; every change of the batch has failed; reads are asked once more
 *
 * Nothing is reported before the commit: the loop calls done() after store_run has returned, and
 * the results set before a rollback are replaced by those of the pass that counts.
 *
 * Numbers that are counted in memory (journal position, idempotency rows) are put back when what
 * used them is rolled back, so the journal has no gaps. Another process may write to the same file
 * (the command line adds an API key); upkeep_begin notices and reads the numbers again.
 */
#include "store_int.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    QUEUE_MAX_DEFAULT = 16384,
    BATCH_MAX_DEFAULT = 512,
    RECENT_KEYS_DEFAULT = 65536,
    CHECKPOINT_PAGES = 1000, /* a large checkpoint stalls the tail */
    VIRTUAL_BATCH_US_MIN = 300,
    VIRTUAL_BATCH_US_MAX = 2000,
};

/* --- requests ---------------------------------------------------------------------------- */

/* A job's done function also tells what kind of request it is. */
static void txn_done(struct job *job)
{
    struct store_txn *txn = CONTAINER_OF(job, struct store_txn, job);
    if (txn->result == STORE_COMMITTED && txn->event_count > 0)
        for (struct store_watch *watch = txn->store->watches; watch != NULL; watch = watch->next)
            watch->grew(watch->arg, txn->events, txn->event_count);
    txn->done(txn, txn->arg);
}
static void counter_done(struct job *job)
{
    struct store_counter *counter = CONTAINER_OF(job, struct store_counter, job);
    counter->done(counter, counter->arg);
}
static void read_done(struct job *job)
{
    struct store_read *read = CONTAINER_OF(job, struct store_read, job);
    read->done(read, read->arg);
}
static void key_done(struct job *job)
{
    struct store_key_change *change = CONTAINER_OF(job, struct store_key_change, job);
    change->done(change, change->arg);
}

static enum status submit(struct store *store, struct job *job, job_done_fn *done)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    job->done = done;
    return worker_submit(store->worker, job);
}

enum status store_commit(struct store *store, struct store_txn *txn)
{
    ENSURE(txn->arena != NULL && txn->done != NULL && txn->event_count <= STORE_EVENTS_MAX &&
           txn->spend_count <= STORE_SPENDS_MAX && txn->difference_count <= STORE_DIFFERENCES_MAX &&
           txn->carried_count <= STORE_CARRIED_MAX);
    txn->store = store;
    return submit(store, &txn->job, txn_done);
}

enum status store_counter_take(struct store *store, struct store_counter *counter)
{
    ENSURE(counter->done != NULL && strnlen(counter->name, sizeof counter->name) > 0 &&
           strnlen(counter->name, sizeof counter->name) < sizeof counter->name);
    counter->store = store;
    return submit(store, &counter->job, counter_done);
}

enum status store_ask(struct store *store, struct store_read *read)
{
    ENSURE(read->arena != NULL && read->done != NULL);
    ENSURE(read->question >= STORE_ONE_PAYMENT && read->question <= STORE_SPENT);
    ENSURE(read->question != STORE_SPENT || read->spends != NULL || read->spend_count == 0);
    read->store = store;
    return submit(store, &read->job, read_done);
}

enum status store_key_put(struct store *store, struct store_key_change *change)
{
    ENSURE(change->done != NULL);
    change->store = store;
    return submit(store, &change->job, key_done);
}

/* --- one request ------------------------------------------------------------------------- */

static void txn_fail(struct store *store, struct store_txn *txn, const char *why)
{
    txn->result = STORE_FAILED;
    txn->own_fault = false;
    struct view text = view_text(why);
    txn->why = arena_copy(txn->arena, text);
    if (txn->why.len == 0)
        txn->why = VIEW("not committed; the request's memory is full");
    atomic_fetch_add_explicit(&store->failed, 1, memory_order_relaxed);
}

static void job_fail(struct store *store, struct job *job, const char *why)
{
    if (job->done == txn_done)
        txn_fail(store, CONTAINER_OF(job, struct store_txn, job), why);
    else if (job->done == counter_done)
        CONTAINER_OF(job, struct store_counter, job)->status = STATUS_IO;
    else if (job->done == key_done)
        CONTAINER_OF(job, struct store_key_change, job)->result = STATUS_IO;
    else
        CONTAINER_OF(job, struct store_read, job)->result = STATUS_IO;
}

static enum status counter_run(struct store *store, struct store_counter *counter)
{
    counter->status = db_counter_take(store->db, counter->name, counter->count, &counter->first);
    if (counter->status == STATUS_IO)
        return STATUS_IO;
    if (counter->status != STATUS_OK)
        counter->status = STATUS_RANGE;
    return STATUS_OK;
}

static enum status key_run(struct store *store, struct store_key_change *change)
{
    change->result = change->revoke
                         ? db_key_revoke(store->db, change->row.id, change->row.revoked_us)
                         : db_key_insert(store->db, &change->row);
    if (change->result == STATUS_IO)
        return STATUS_IO;
    if (change->result == STATUS_MALFORMED)
        change->result = STATUS_IO; /* a row that the table refuses; the statement left no trace */
    return STATUS_OK;
}

/* A read that fails harms nobody else, unless the transaction is gone with it. */
static enum status read_run(struct store *store, struct store_read *read)
{
    read->result = db_ask(store->db, read);
    if (read->result != STATUS_OK && read->result != STATUS_NOT_FOUND)
        read->result = STATUS_IO;
    atomic_fetch_add_explicit(&store->looked, read->looked, memory_order_relaxed);
    if (read->merchant != 0 &&
        read->looked > atomic_load_explicit(&store->looked_most, memory_order_relaxed))
        atomic_store_explicit(&store->looked_most, read->looked, memory_order_relaxed);
    return db_in_transaction(store->db) ? STATUS_OK : STATUS_IO;
}

/* OK, IO, or the request's own fault; then *wrote tells whether there is something to take back. */
static enum status job_run(struct store *store, struct job *job, bool *wrote)
{
    *wrote = false;
    if (job->done == txn_done)
        return txn_run(store, CONTAINER_OF(job, struct store_txn, job), wrote);
    if (job->done == counter_done)
        return counter_run(store, CONTAINER_OF(job, struct store_counter, job));
    if (job->done == key_done)
        return key_run(store, CONTAINER_OF(job, struct store_key_change, job));
    ENSURE(job->done == read_done);
    return read_run(store, CONTAINER_OF(job, struct store_read, job));
}

/* --- the batch --------------------------------------------------------------------------- */

enum pass { PASS_PLAIN = 1, PASS_CAREFUL };

struct counted {
    struct db_marks marks;
    int64_t payments_waiting;
};

static struct counted counted_now(const struct store *store)
{
    return (struct counted){ store->marks, store->payments_waiting };
}

static void counted_restore(struct store *store, const struct counted *before)
{
    store->marks = before->marks;
    store->payments_waiting = before->payments_waiting;
    recent_undo_after(store->recent, before->marks.idem_seq);
}

/* Why the request broke by its own fault, for people; and the line in the log. */
static void job_broke(struct store *store, struct job *job)
{
    char why[240];
    struct view text = store->why[0] != '\0' ? view_text(store->why) : db_why(store->db);
    if (view_to_text(text, why, sizeof why) != STATUS_OK)
        snprintf(why, sizeof why, "the request broke");
    LOG(store->log, LOG_ERROR, "store.request_failed", LOG_TEXT("why", why));
    job_fail(store, job, why);
    if (job->done == txn_done) {
        struct store_txn *txn = CONTAINER_OF(job, struct store_txn, job);
        txn->own_fault = !txn->arena->starved;
    }
}

/* One request of a pass. MISMATCH: the batch must be repeated with care. */
static enum status pass_one(struct store *store, struct job *job, enum pass pass)
{
    struct counted before = counted_now(store);
    bool wrote;
    if (pass == PASS_CAREFUL)
        TRY(db_savepoint(store->db));
    enum status status = job_run(store, job, &wrote);
    if (status == STATUS_IO)
        return STATUS_IO;
    if (status != STATUS_OK) {
        if (wrote && pass == PASS_PLAIN)
            return STATUS_MISMATCH;
        job_broke(store, job);
        if (wrote) {
            counted_restore(store, &before);
            return db_savepoint_undo(store->db);
        }
    }
    return pass == PASS_CAREFUL ? db_savepoint_keep(store->db) : STATUS_OK;
}

static enum status batch_flush(struct store *store)
{
    int64_t start_us = loop_now_us(store->loop); /* stateless, so allowed on this thread */
    enum status status = db_commit(store->db);
    store->in_doubt = status != STATUS_OK;
    atomic_fetch_add_explicit(&store->flush_us_total,
                              (uint64_t)(loop_now_us(store->loop) - start_us),
                              memory_order_relaxed);
    return status;
}

/* A judge that is called again finds the request as the caller left it. */
static void prepare_judging(struct store *store, struct job *job, size_t nth, enum pass pass)
{
    if (pass == PASS_PLAIN)
        store->copied = nth + 1;
    else if (nth >= store->copied)
        return; /* the plain pass broke before it came here */
    if (job->done != txn_done)
        return;
    struct store_txn *txn = CONTAINER_OF(job, struct store_txn, job);
    if (pass == PASS_PLAIN)
        txn_copy_save(&store->copies[nth], txn);
    else
        txn_copy_restore(&store->copies[nth], txn);
}

/* OK: committed. MISMATCH: rolled back, repeat with care. IO: rolled back, the back end is broken.
 */
static enum status batch_pass(struct store *store, struct job *first, enum pass pass)
{
    TRY(upkeep_begin(store));
    struct counted before = counted_now(store);
    enum status status = STATUS_OK;
    size_t nth = 0;
    for (struct job *job = first; job != NULL && status == STATUS_OK; job = job->next, nth++) {
        prepare_judging(store, job, nth, pass);
        status = pass_one(store, job, pass);
    }
    if (status == STATUS_OK)
        status = batch_flush(store);
    if (status != STATUS_OK) {
        counted_restore(store, &before);
        db_rollback(store->db);
    }
    return status;
}

static bool job_writes(const struct job *job)
{
    return job->done != read_done;
}

static void run_reads(struct store *store, struct job *first)
{
    bool open = db_begin_read(store->db) == STATUS_OK;
    for (struct job *job = first; job != NULL; job = job->next) {
        if (job_writes(job))
            continue;
        if (!open || read_run(store, CONTAINER_OF(job, struct store_read, job)) != STATUS_OK)
            CONTAINER_OF(job, struct store_read, job)->result = STATUS_IO;
        open = open && db_in_transaction(store->db);
    }
    db_rollback(store->db);
}

/* Nothing of the batch is committed. If the flush failed, its bytes may be in the log: they are
 * written over, so that "failed" is still true after a crash; or we say that it may not be. */
static void batch_failed(struct store *store, struct job *first)
{
    char why[300];
    struct view cause = db_why(store->db);
    snprintf(why, sizeof why, "not committed: %.*s", (int)cause.len, (const char *)cause.ptr);
    store->stale = true; /* whatever we remember is read again */
    if (store->in_doubt && db_settle_doubt(store->db) != STATUS_OK) {
        size_t len = strlen(why);
        snprintf(why + len, sizeof why - len, "; after a crash it may be found committed");
    }
    LOG(store->log, LOG_ERROR, "store.commit_failed", LOG_TEXT("why", why));
    for (struct job *job = first; job != NULL; job = job->next)
        if (job_writes(job))
            job_fail(store, job, why);
    run_reads(store, first);
}

static void batch_run(struct store *store, struct job *first, size_t count)
{
    enum status status = upkeep_make_room(store, count);
    if (status == STATUS_OK)
        status = batch_pass(store, first, PASS_PLAIN);
    if (status == STATUS_MISMATCH)
        status = batch_pass(store, first, PASS_CAREFUL);
    if (status != STATUS_OK) {
        batch_failed(store, first);
        return;
    }
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
}

static void store_run(void *ctx, struct job *first, size_t count)
{
    struct store *store = ctx;
    ENSURE_MAGIC(store, STORE_MAGIC);
    ENSURE(count <= store->batch_max);
    atomic_fetch_add_explicit(&store->requests, count, memory_order_relaxed);
    if (count > atomic_load_explicit(&store->batch_largest, memory_order_relaxed))
        atomic_store_explicit(&store->batch_largest, count, memory_order_relaxed);
    bool writes = false;
    for (struct job *job = first; job != NULL; job = job->next)
        writes = writes || job_writes(job);
    if (!writes) {
        run_reads(store, first);
        return;
    }
    if (store->read_only) {
        for (struct job *job = first; job != NULL; job = job->next)
            if (job_writes(job))
                job_fail(store, job, "the store was opened for reading only");
        run_reads(store, first);
        return;
    }
    /* Before the batch, not after: the last one's results are on their way meanwhile. */
    db_checkpoint(store->db, CHECKPOINT_PAGES);
    batch_run(store, first, count);
}

static bool store_idle(void *ctx)
{
    struct store *store = ctx;
    ENSURE_MAGIC(store, STORE_MAGIC);
    return upkeep_step(store);
}

/* --- opening and closing ----------------------------------------------------------------- */

static const struct log silent = { .fd = -1, .level = LOG_ERROR };

static enum status store_prepare(struct store *store, const struct store_options *options,
                                 struct writer *why)
{
    uint8_t hash_key[DB_HASH_KEY_BYTES];
    loop_random(store->loop, hash_key, sizeof hash_key);
    TRY(db_open(&store->db, options->path, options->vfs, options->read_only, hash_key, why));
    db_hash_key(store->db, store->hash_key);
    /* Waits for another process that is writing; reads the marks and the recent keys. */
    enum status status = options->read_only ? db_begin_read(store->db) : upkeep_begin(store);
    if (status == STATUS_OK)
        status = db_last_id(store->db, &store->last_id);
    if (status == STATUS_OK)
        status = db_journal_check(store->db);
    if (status == STATUS_MALFORMED)
        writer_format(why, "%s: the journal has a gap near its end", options->path);
    else if (status != STATUS_OK)
        writer_format(why, "%s: %s", options->path, (const char *)db_why(store->db).ptr);
    db_rollback(store->db);
    return status;
}

static void store_free(struct store *store)
{
    db_close(store->db);
    recent_close(store->recent);
    free(store->copies);
    free(store->sorting);
    store->magic = 0;
    free(store);
}

static enum status store_start(struct store *store, const struct store_options *options)
{
    const struct worker_options worker = {
        .name = "store",
        .run = store_run,
        .ctx = store,
        .queue_max = options->queue_max != 0 ? options->queue_max : QUEUE_MAX_DEFAULT,
        .batch_max = store->batch_max,
        .idle = store_idle,
        .virtual_batch_us_min = VIRTUAL_BATCH_US_MIN,
        .virtual_batch_us_max = VIRTUAL_BATCH_US_MAX,
    };
    return worker_open(&store->worker, store->loop, &worker);
}

enum status store_open(struct store **out, struct loop *loop, const struct store_options *options,
                       struct writer *why)
{
    *out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return STATUS_NO_MEMORY;
    store->magic = STORE_MAGIC;
    store->loop = loop;
    store->log = options->log != NULL ? options->log : &silent;
    store->read_only = options->read_only;
    store->stale = true;
    store->batch_max = options->batch_max != 0 ? options->batch_max : BATCH_MAX_DEFAULT;
    store->idem_keep_us = options->idem_keep_us;
    uint32_t keys = options->recent_keys_max != 0 ? options->recent_keys_max : RECENT_KEYS_DEFAULT;
    if (keys < 2 * store->batch_max) /* a batch must fit, and not push the last one out */
        keys = (uint32_t)(2 * store->batch_max);
    store->recent = recent_open(keys);
    store->copies = calloc(store->batch_max, sizeof *store->copies);
    store->sorting = calloc(UPKEEP_STEP, sizeof *store->sorting);
    enum status status = store->recent != NULL && store->copies != NULL && store->sorting != NULL
                             ? STATUS_OK
                             : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = store_prepare(store, options, why);
    if (status == STATUS_OK)
        status = store_start(store, options);
    if (status == STATUS_OK) {
        *out = store;
        return STATUS_OK;
    }
    store_free(store);
    return status;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    ENSURE_MAGIC(store, STORE_MAGIC);
    worker_close(store->worker);
    store_free(store);
}

void store_crash(struct store *store)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    worker_abandon(store->worker);
    worker_close(store->worker);
    store_free(store);
}

int64_t store_last_id(const struct store *store)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    return store->last_id;
}

void store_watch(struct store *store, struct store_watch *watch)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    ENSURE(watch->grew != NULL);
    watch->next = store->watches;
    store->watches = watch;
}

void store_unwatch(struct store *store, struct store_watch *watch)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    for (struct store_watch **at = &store->watches; *at != NULL; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            return;
        }
}

size_t store_pending(const struct store *store)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    return worker_pending(store->worker);
}

void store_stats(const struct store *store, struct store_stats *out)
{
    ENSURE_MAGIC(store, STORE_MAGIC);
    *out = (struct store_stats){
        .commits = atomic_load_explicit(&store->commits, memory_order_relaxed),
        .requests = atomic_load_explicit(&store->requests, memory_order_relaxed),
        .batch_max = atomic_load_explicit(&store->batch_largest, memory_order_relaxed),
        .failed = atomic_load_explicit(&store->failed, memory_order_relaxed),
        .flush_us_total = atomic_load_explicit(&store->flush_us_total, memory_order_relaxed),
        .looked = atomic_load_explicit(&store->looked, memory_order_relaxed),
        .looked_max = atomic_load_explicit(&store->looked_most, memory_order_relaxed),
    };
}
