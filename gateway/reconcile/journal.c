/* journal.c - a reconciliation into the store: its row, a page of differences a transaction (each
 * with its event), and the row that makes all of it visible.
 *
 * Events, all of nobody's merchant: what a counterpart says of payments is the operator's matter,
 * and a merchant sees neither another's nor his own. Those of a payment stand in its timeline.
 *
 *     reconciliation.difference   for each
 *     reconciliation.finished     when all of them are written
 *     reconciliation.abandoned    of one whose writer ended before that; found by the next
 *     reconciliation.resolved     a person's word on a difference
 *
 * A lock on a file beside the database lets one write at a time, so what is WRITING while we hold
 * it is nobody's any more. Several pages are on their way at once and share a flush.
 *
 * Attempts that are carried over have no event, only a row: each record has some, and most stand in
 * the next one.
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"
#include "base/log.h"
#include "domain/id_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define PAGES       16
#define PAGE_BYTES  ((size_t)256 * 1024)
#define EVENT_BYTES ((size_t)2048)
#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define WORD_MAX    1024 /* of who, why, evidence */

struct journal_page {
    struct store_txn txn;
    struct arena arena;
    struct difference_row rows[STORE_DIFFERENCES_MAX];
    struct found found[STORE_DIFFERENCES_MAX];
    struct carried_row carried[STORE_CARRIED_MAX]; /* or these */
};

/* --- asking and waiting ------------------------------------------------------------------------
 */

struct waiting {
    struct loop *loop;
    size_t left;
};

static void on_committed(struct store_txn *txn, void *arg)
{
    struct waiting *waiting = arg;
    (void)txn;
    if (--waiting->left == 0)
        loop_stop(waiting->loop);
}

static enum status committed(const struct store_txn *txn, struct writer *why)
{
    if (txn->result == STORE_COMMITTED)
        return STATUS_OK;
    if (why->len == 0)
        writer_format(why, "it could not be recorded: %.*s", (int)txn->why.len,
                      (const char *)txn->why.ptr);
    return STATUS_IO;
}

/* Only the loop is told: there is one transaction to wait for. */
static void on_one_committed(struct store_txn *txn, void *arg)
{
    (void)txn;
    loop_stop(arg);
}

static enum status commit(struct loop *loop, struct store *store, struct store_txn *txn)
{
    txn->done = on_one_committed;
    txn->arg = loop;
    TRY(store_commit(store, txn));
    loop_run(loop);
    return STATUS_OK;
}

/* --- events ------------------------------------------------------------------------------------
 */

void reconcile_put_difference(struct json_out *j, const struct difference_row *row)
{
    json_put_id_if(j, "reconciliation", ID_RECONCILIATION, row->reconciliation);
    json_put_text(j, "kind", view_text(difference_kind_word(row->kind)));
    json_put_text(j, "channel", row->channel);
    json_put_text(j, "name", row->identity);
    if (row->line != 0)
        json_put_i64(j, "line", row->line);
    json_put_id_if(j, "attempt", ID_ATTEMPT, row->attempt);
    json_put_id_if(j, "payment", ID_PAYMENT, row->payment);
    json_put_text(j, "currency", view_text(row->currency));
    json_put_i64(j, "here_minor", row->here_minor);
    json_put_i64(j, "there_minor", row->there_minor);
    json_put_text_if(j, "here", row->here);
    json_put_text_if(j, "there", row->there);
    json_put_time(j, "at", row->at_us);
}

/* An event whose data `put` writes; `payment` 0: of none. */
static enum status add_event(struct store_txn *txn, int64_t now_us, int64_t payment,
                             struct view kind, size_t room,
                             void (*put)(struct json_out *j, const void *of), const void *of)
{
    uint8_t *bytes = arena_alloc(txn->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    put(&j, of);
    json_close_object(&j);
    if (w.overflow)
        return STATUS_NO_MEMORY;
    arena_trim(txn->arena, bytes, w.len);
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    txn->events[txn->event_count++] = (struct event_row){
        .time_us = now_us, .payment = payment, .kind = kind, .data_json = writer_done(&w)
    };
    return STATUS_OK;
}

static void put_difference_event(struct json_out *j, const void *of)
{
    const struct difference_row *row = of;
    json_put_id_if(j, "difference", ID_DIFFERENCE, row->id);
    reconcile_put_difference(j, row);
}

static void put_sum(struct json_out *j, const char *name, const struct reconcile_sum *sum)
{
    if (sum->count == 0)
        return;
    json_open_object(j, name);
    json_put_i64(j, "count", sum->count);
    json_put_i64(j, "here_minor", sum->here_minor);
    json_put_i64(j, "there_minor", sum->there_minor);
    json_close_object(j);
}

void reconcile_put_summary(struct json_out *j, const struct reconcile_report *report)
{
    json_put_i64(j, "lines", report->lines);
    json_put_i64(j, "attempts", report->attempts);
    json_put_i64(j, "matched", report->matched);
    json_put_i64(j, "differences", report->differences);
    json_put_i64(j, "carried_over", report->carried_over);
    json_put_i64(j, "taken_up", report->taken_up);
    json_put_i64(j, "waiting", report->waiting);
    json_put_i64(j, "outside", report->outside);
    json_open_array(j, "currencies");
    for (size_t i = 0; i < report->currency_count; i++) {
        const struct reconcile_currency *row = &report->currencies[i];
        json_open_object(j, NULL);
        json_put_text(j, "currency", view_text(row->code));
        put_sum(j, "matched", &row->matched);
        for (int kind = 1; kind < RECONCILE_KINDS; kind++)
            put_sum(j, difference_kind_word((enum difference_kind)kind), &row->kinds[kind]);
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_row(struct json_out *j, const void *of)
{
    const struct reconciliation_row *row = of;
    json_put_id_if(j, "reconciliation", ID_RECONCILIATION, row->id);
    json_put_text(j, "channel", row->channel);
    json_put_text(j, "format", row->format);
    json_put_text(j, "file", row->file);
    json_put_text(j, "sha256", row->file_hash);
    json_put_time(j, "from", row->from_us);
    json_put_time(j, "until", row->until_us);
    if (row->summary_json.len > 0)
        json_put_raw(j, "summary", row->summary_json);
}

/* --- begin -------------------------------------------------------------------------------------
 */

static enum status lock(struct reconcile_journal *journal)
{
    const char *path = journal->options->lock_path;
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->lock_fd < 0) {
        writer_format(journal->why, "%s: %s", path, strerror(errno));
        return STATUS_IO;
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    writer_format(journal->why, "another reconciliation is being written; try again when it is "
                                "done");
    return STATUS_BUSY;
}

static enum status abandon(struct reconcile_journal *journal, const struct reconciliation_row *row)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_txn txn = { .arena = &arena,
                             .reconciliation = *row,
                             .write_reconciliation = STORE_UPDATE };
    txn.reconciliation.state = RECONCILIATION_ABANDONED;
    txn.reconciliation.finished_us = journal->options->now_us;
    enum status status = add_event(&txn, journal->options->now_us, 0,
                                   VIEW("reconciliation.abandoned"), 4096, put_row, row);
    if (status == STATUS_OK)
        status = commit(journal->loop, journal->store, &txn);
    if (status == STATUS_OK)
        status = committed(&txn, journal->why);
    arena_reset(&arena);
    return status;
}

/* Also finds the largest id of theirs (a reconciliation's differences have the ids behind its own),
 * and the newest of the channel that was finished. */
static enum status abandon_unfinished(struct reconcile_journal *journal, int64_t *last_id,
                                      int64_t *newest)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    int64_t after = 0;
    struct store_read read = { .more = true };
    enum status status = STATUS_OK;
    while (status == STATUS_OK && read.more) {
        arena_reset(&arena);
        read = (struct store_read){ .question = STORE_RECONCILIATIONS,
                                    .arena = &arena,
                                    .after = after };
        status = reconcile_ask(journal->loop, journal->store, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++) {
            const struct reconciliation_row *row = &read.reconciliations[i];
            after = row->id;
            if (*last_id < row->id + row->differences)
                *last_id = row->id + row->differences;
            if (*newest == 0 && row->state == RECONCILIATION_FINISHED &&
                view_equal(row->channel, journal->options->channel))
                *newest = row->id;
            if (row->state == RECONCILIATION_WRITING)
                status = abandon(journal, row);
        }
    }
    arena_reset(&arena);
    return status;
}

static struct reconciliation_row row_of(const struct reconcile_journal *journal,
                                        enum reconciliation_state state, struct view file)
{
    const struct reconcile_report *report = journal->report;
    struct reconciliation_row row = { .id = report->id,
                                      .state = state,
                                      .started_us = journal->options->now_us,
                                      .from_us = report->from_us,
                                      .until_us = report->until_us,
                                      .tolerance_us = journal->options->tolerance_us,
                                      .lines = report->lines,
                                      .differences = report->differences,
                                      .channel = journal->options->channel,
                                      .format = view_text(report->format),
                                      .file = file,
                                      .file_hash = view_text(report->file_hash) };
    IGNORE_STATUS(view_to_text(view_text(journal->currency), row.currency, sizeof row.currency));
    return row;
}

static enum status write_row(struct reconcile_journal *journal)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_txn txn = { .arena = &arena,
                             .reconciliation =
                                 row_of(journal, RECONCILIATION_WRITING, journal->file),
                             .write_reconciliation = STORE_INSERT };
    enum status status = commit(journal->loop, journal->store, &txn);
    if (status == STATUS_OK)
        status = committed(&txn, journal->why);
    arena_reset(&arena);
    return status;
}

enum status reconcile_journal_begin(struct reconcile_journal *journal,
                                    const struct reconcile_options *options,
                                    struct reconcile_report *report, struct view file_name,
                                    const char *currency, int64_t newest, struct writer *why)
{
    *journal = (struct reconcile_journal){ .loop = options->loop,
                                           .store = options->store,
                                           .options = options,
                                           .report = report,
                                           .file = file_name,
                                           .currency = currency,
                                           .lock_fd = -1,
                                           .why = why };
    journal->pages = calloc(PAGES, sizeof *journal->pages);
    if (journal->pages == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < PAGES; i++)
        arena_init(&journal->pages[i].arena, PAGE_BYTES);
    TRY(lock(journal));
    int64_t last_id = 0, newest_now = 0;
    TRY(abandon_unfinished(journal, &last_id, &newest_now));
    if (newest_now != newest) { /* what is carried over may be otherwise now */
        writer_format(why, "another record of this channel was reconciled meanwhile; try again");
        return STATUS_BUSY;
    }
    id_source_init(&journal->ids, last_id);
    report->id = id_next(&journal->ids, options->now_us);
    enum status status = write_row(journal);
    if (status != STATUS_OK)
        report->id = 0;
    return status;
}

/* --- pages -------------------------------------------------------------------------------------
 */

void reconcile_found_row(const struct reconcile_options *options, const struct found *found,
                         int64_t id, struct difference_row *out)
{
    *out = (struct difference_row){ .id = id,
                                    .kind = found->finding.kind,
                                    .status = DIFFERENCE_STATUS_OPEN,
                                    .attempt = found->here.attempt,
                                    .payment = found->here.payment,
                                    .merchant = found->here.merchant,
                                    .line = found->line,
                                    .here_minor = found->finding.here_minor,
                                    .there_minor = found->finding.there_minor,
                                    .at_us = found->at_us,
                                    .created_us = options->now_us,
                                    .channel = options->channel,
                                    .identity = view_text(found->name),
                                    .here = view_text(found->here_words),
                                    .there = view_text(found->there_words) };
    memcpy(out->currency, found->currency, sizeof out->currency);
}

/* All pages that have something in them, at once. */
static enum status flush_pages(struct reconcile_journal *journal)
{
    size_t count = journal->page_count + (journal->in_page > 0);
    struct waiting waiting = { journal->loop, 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct store_txn *txn = &journal->pages[i].txn;
        txn->done = on_committed;
        txn->arg = &waiting;
        status = store_commit(journal->store, txn);
        waiting.left += status == STATUS_OK;
    }
    if (waiting.left > 0)
        loop_run(journal->loop);
    for (size_t i = 0; i < count; i++) {
        if (status == STATUS_OK)
            status = committed(&journal->pages[i].txn, journal->why);
        arena_reset(&journal->pages[i].arena);
    }
    journal->page_count = journal->in_page = 0;
    return status;
}

static enum status end_page(struct reconcile_journal *journal)
{
    journal->in_page = 0;
    return ++journal->page_count < PAGES ? STATUS_OK : flush_pages(journal);
}

enum status reconcile_journal_add(struct reconcile_journal *journal, const struct found *found,
                                  int64_t *id)
{
    struct journal_page *page = &journal->pages[journal->page_count];
    size_t nth = journal->in_page;
    int64_t now_us = journal->options->now_us;
    if (nth == 0)
        page->txn = (struct store_txn){ .arena = &page->arena, .differences = page->rows };
    *id = id_next(&journal->ids, now_us);
    page->found[nth] = *found; /* the row's texts are in it */
    struct difference_row *row = &page->rows[nth];
    reconcile_found_row(journal->options, &page->found[nth], *id, row);
    row->reconciliation = journal->report->id;
    TRY(add_event(&page->txn, now_us, row->payment, VIEW("reconciliation.difference"), EVENT_BYTES,
                  put_difference_event, row));
    page->txn.difference_count = ++journal->in_page;
    return journal->in_page < STORE_DIFFERENCES_MAX ? STATUS_OK : end_page(journal);
}

enum status reconcile_journal_carry(struct reconcile_journal *journal,
                                    const struct carried_row *row)
{
    if (journal->in_page > 0 && journal->pages[journal->page_count].txn.carried == NULL)
        TRY(end_page(journal)); /* it has differences */
    struct journal_page *page = &journal->pages[journal->page_count];
    if (journal->in_page == 0)
        page->txn = (struct store_txn){ .arena = &page->arena, .carried = page->carried };
    page->carried[journal->in_page] = *row;
    page->carried[journal->in_page].reconciliation = journal->report->id;
    page->txn.carried_count = ++journal->in_page;
    return journal->in_page < STORE_CARRIED_MAX ? STATUS_OK : end_page(journal);
}

static struct view summary(struct arena *arena, const struct reconcile_report *report)
{
    size_t room = 1024 + report->currency_count * RECONCILE_KINDS * 128;
    uint8_t *bytes = arena_alloc(arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    reconcile_put_summary(&j, report);
    json_close_object(&j);
    return w.overflow ? VIEW_EMPTY : writer_done(&w);
}

enum status reconcile_journal_finish(struct reconcile_journal *journal)
{
    TRY(flush_pages(journal));
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_txn txn = { .arena = &arena,
                             .reconciliation =
                                 row_of(journal, RECONCILIATION_FINISHED, journal->file),
                             .write_reconciliation = STORE_UPDATE };
    struct reconciliation_row *row = &txn.reconciliation;
    row->finished_us = loop_wall_us(journal->loop);
    row->summary_json = summary(&arena, journal->report);
    size_t room = 4096 + 6 * row->channel.len + 6 * row->file.len + row->summary_json.len;
    enum status status =
        add_event(&txn, row->finished_us, 0, VIEW("reconciliation.finished"), room, put_row, row);
    if (status == STATUS_OK)
        status = commit(journal->loop, journal->store, &txn);
    if (status == STATUS_OK)
        status = committed(&txn, journal->why);
    arena_reset(&arena);
    return status;
}

void reconcile_journal_end(struct reconcile_journal *journal)
{
    for (size_t i = 0; journal->pages != NULL && i < PAGES; i++)
        arena_reset(&journal->pages[i].arena);
    free(journal->pages);
    if (journal->lock_fd >= 0)
        (void)close(journal->lock_fd); /* with it goes the lock */
}

/* --- a person's word ---------------------------------------------------------------------------
 */

struct resolving {
    struct waiting waiting; /* judge and done have one argument: this */
    const struct reconcile_resolution *resolution;
};

static void put_resolved(struct json_out *j, const void *of)
{
    const struct difference_row *row = of;
    put_difference_event(j, row);
    json_put_text(j, "by", row->by);
    json_put_text(j, "why", row->why);
    json_put_text_if(j, "evidence", row->evidence);
}

static enum status judge_resolution(struct store_txn *txn, void *arg)
{
    const struct waiting *waiting = arg;
    const struct resolving *r = CONTAINER_OF(waiting, struct resolving, waiting);
    struct difference_row *row = &txn->difference;
    if (row->status != DIFFERENCE_STATUS_OPEN)
        return STATUS_REFUSED;
    row->status = DIFFERENCE_STATUS_RESOLVED;
    row->resolved_us = r->resolution->now_us;
    row->by = redact_copy(txn->arena, r->resolution->by);
    row->why = redact_copy(txn->arena, r->resolution->why);
    row->evidence = redact_copy(txn->arena, r->resolution->evidence);
    txn->write_difference = STORE_UPDATE;
    size_t room =
        EVENT_BYTES + 6 * (row->identity.len + row->by.len + row->why.len + row->evidence.len);
    return add_event(txn, row->resolved_us, row->payment, VIEW("reconciliation.resolved"), room,
                     put_resolved, row);
}

enum status reconcile_resolve(struct loop *loop, struct store *store, struct arena *arena,
                              const struct reconcile_resolution *resolution,
                              struct difference_row *out, struct writer *why)
{
    struct resolving r = { .waiting = { loop, 1 }, .resolution = resolution };
    if (resolution->by.len > WORD_MAX || resolution->why.len > WORD_MAX ||
        resolution->evidence.len > WORD_MAX) {
        writer_text(why, "who, why and evidence may have 1024 bytes each");
        return STATUS_RANGE;
    }
    struct store_txn txn = { .arena = arena,
                             .load_difference = resolution->difference,
                             .judge = judge_resolution,
                             .done = on_committed,
                             .arg = &r.waiting };
    TRY(store_commit(store, &txn));
    loop_run(loop);
    *out = txn.difference;
    if (txn.result == STORE_NO_PAYMENT) {
        writer_text(why, "there is no such difference");
        return STATUS_NOT_FOUND;
    }
    if (txn.result == STORE_REFUSED) {
        writer_text(why, "it is resolved already");
        return STATUS_REFUSED;
    }
    return committed(&txn, why);
}
