/* history.c - writes down which versions of profiles come into force; see history.h.
 *
 *     history_record -> ask_next (STORE_PROFILES, newest) -> newest_read -> commit -> written
 *         -> ask_next ...
 *
 * A payment that was decided by a version names it, so the version must be found in the history
 * later, whatever happens next: nothing is decided by it before it is written here. What the store
 * cannot read or write, and what memory is out for, is tried again, with pauses that grow, until it
 * works or HISTORY_TRIES_MAX is reached: somebody waits for the answer. What the store refuses for
 * its own sake is not tried again.
 *
 * The abstract profiles are recorded, too: a rollback of `base` is a rollback of all that extend
 * it. Those with `shadow` are not: they were never in force.
 */
#include "main/history.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <stdio.h>
#include <stdlib.h>

#define HISTORY_MAGIC       0x48495354u
#define HISTORY_ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define HISTORY_AGAIN_US    (50 * LOOP_US_PER_MS)

struct history {
    uint32_t magic;
    struct store *store;
    struct loop *loop;
    const struct log *log;
    struct arena arena;
    const struct settings *settings;
    char by[HISTORY_BY_MAX + 1];
    int64_t at_us;
    size_t next; /* of settings->regions */
    struct store_read read;
    struct store_txn txn;
    struct timer again; /* the store was busy, or did not work */
    unsigned failures;  /* of this recording */
    bool running, stopped;
    history_done_fn *done;
    void *arg;
};

static void ask_next(struct history *history);

static void asked_again(struct timer *timer, void *arg)
{
    struct history *history = arg;
    (void)timer;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    ask_next(history);
}

enum status history_open(struct history **out, struct store *store, struct loop *loop,
                         const struct log *log)
{
    struct history *history = *out = calloc(1, sizeof *history);
    if (history == NULL)
        return STATUS_NO_MEMORY;
    history->magic = HISTORY_MAGIC;
    history->store = store;
    history->loop = loop;
    history->log = log;
    arena_init(&history->arena, HISTORY_ARENA_BYTES);
    timer_init(&history->again, loop, asked_again, history);
    return STATUS_OK;
}

static void finish(struct history *history, enum status status)
{
    history->running = false;
    arena_reset(&history->arena);
    if (!history->stopped)
        history->done(history->arg, status);
}

static void give_up(struct history *history, enum status status, struct view why)
{
    const struct region_settings *region = &history->settings->regions[history->next];
    LOG(history->log, LOG_ERROR, "profile.not_recorded", LOG_TEXT("region", region->region),
        LOG_TEXT("version", region->version), LOG_VIEW("why", why),
        LOG_TEXT("what_to_do", status == STATUS_IO
                                   ? "look at the store, and when that works reload again"
                                   : "the version can never be recorded: change the profile"));
    finish(history, status);
}

/* The store is busy, the disk is full or broken, or memory is out. */
static void try_later(struct history *history, struct view why)
{
    if (history->stopped) {
        finish(history, STATUS_IO);
        return;
    }
    if (++history->failures == HISTORY_TRIES_MAX) {
        give_up(history, STATUS_IO, why);
        return;
    }
    int64_t pause_us = HISTORY_AGAIN_US << (history->failures - 1);
    if (pause_us >= LOOP_US_PER_S)
        LOG(history->log, LOG_ERROR, "profile.not_recorded_yet", LOG_VIEW("why", why),
            LOG_INT("again_ms", pause_us / LOOP_US_PER_MS),
            LOG_TEXT("what_to_do", "look at the store: as soon as that works the version is "
                                   "recorded, and then it comes into force"));
    timer_start(&history->again, pause_us);
}

static void written(struct store_txn *txn, void *arg)
{
    struct history *history = arg;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    if (txn->result != STORE_COMMITTED && txn->own_fault && !history->stopped) {
        give_up(history, STATUS_MALFORMED, txn->why);
        return;
    }
    if (txn->result != STORE_COMMITTED) {
        try_later(history, txn->why);
        return;
    }
    history->next++;
    ask_next(history);
}

static void write_row(struct history *history)
{
    const struct region_settings *region = &history->settings->regions[history->next];
    struct profile_row row = { .at_us = history->at_us,
                               .region = view_text(region->region),
                               .version = view_text(region->version),
                               .content_hash = view_text(region->content_hash),
                               .text = region->text,
                               .by = view_text(history->by) };
    size_t size = 128 + 6 * (row.region.len + row.version.len + row.content_hash.len + row.by.len);
    uint8_t *data = arena_alloc(&history->arena, size); /* an escape takes six letters */
    struct writer w = writer_over(data, data != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "region", row.region);
    json_put_text(&j, "version", row.version);
    json_put_text(&j, "content_hash", row.content_hash);
    json_put_text(&j, "by", row.by);
    json_close_object(&j);
    history->txn = (struct store_txn){ .arena = &history->arena,
                                       .done = written,
                                       .arg = history,
                                       .profile = row,
                                       .write_profile = STORE_INSERT,
                                       .event_count = 1 };
    history->txn.events[0] = (struct event_row){ .time_us = row.at_us,
                                                 .kind = VIEW("profile.activated"),
                                                 .data_json = writer_done(&w) };
    ENSURE(data == NULL || !w.overflow);
    if (data == NULL)
        try_later(history, VIEW("memory is out"));
    else if (store_commit(history->store, &history->txn) != STATUS_OK)
        try_later(history, VIEW("the store is busy"));
}

static void newest_read(struct store_read *read, void *arg)
{
    struct history *history = arg;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    if (history->stopped) {
        finish(history, STATUS_IO);
        return;
    }
    if (read->result != STATUS_OK) {
        try_later(history, VIEW("the history cannot be read"));
        return;
    }
    const char *hash = history->settings->regions[history->next].content_hash;
    if (read->count > 0 && view_is(read->profiles[0].content_hash, hash)) {
        history->next++;
        ask_next(history);
    } else {
        write_row(history);
    }
}

static void ask_next(struct history *history)
{
    const struct settings *settings = history->settings;
    arena_reset(&history->arena);
    while (history->next < settings->regions_count && settings->regions[history->next].shadow)
        history->next++;
    if (history->next == settings->regions_count || history->stopped) {
        finish(history, STATUS_OK);
        return;
    }
    history->read =
        (struct store_read){ .question = STORE_PROFILES,
                             .arena = &history->arena,
                             .region = view_text(settings->regions[history->next].region),
                             .limit = 1,
                             .done = newest_read,
                             .arg = history };
    if (store_ask(history->store, &history->read) != STATUS_OK)
        try_later(history, VIEW("the store is busy"));
}

void history_record(struct history *history, const struct settings *settings, const char *by,
                    history_done_fn *done, void *arg)
{
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    ENSURE(!history->running && !history->stopped);
    (void)snprintf(history->by, sizeof history->by, "%s", by);
    history->settings = settings;
    history->at_us = loop_wall_us(history->loop);
    history->next = 0;
    history->running = true;
    history->failures = 0;
    history->done = done;
    history->arg = arg;
    timer_start(&history->again, 0); /* never from inside */
}

void history_stop(struct history *history)
{
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    history->stopped = true;
    timer_stop(&history->again);
}

void history_close(struct history *history)
{
    if (history == NULL)
        return;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    timer_stop(&history->again);
    arena_reset(&history->arena);
    history->magic = 0;
    free(history);
}
