/* history.c - writes down which versions of profiles came into force; see history.h.
 *
 *     history_record -> ask_next (STORE_PROFILES, newest) -> newest_read -> commit -> written ->
 * ask_next
 *
 * A payment that was decided by a version names it, so the version must be found in the history
 * later: what the store cannot read or write is tried again until it can.
 *
 * The abstract profiles are recorded, too: a rollback of `base` is a rollback of all that extend
 * it. Those with `shadow` are not: they were never in force.
 */
#include "main/history.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <stdlib.h>

#define HISTORY_MAGIC       0x48495354u
#define HISTORY_ARENA_BYTES ((size_t)32 * 1024 * 1024)
#define HISTORY_BUSY_US     (50 * LOOP_US_PER_MS)
#define HISTORY_AGAIN_US    LOOP_US_PER_S

struct history {
    uint32_t magic;
    struct store *store;
    struct loop *loop;
    const struct log *log;
    struct arena rows_arena, arena;
    struct profile_row *rows;
    size_t count, next;
    enum status result;
    struct store_read read;
    struct store_txn txn;
    struct timer again;          /* the store was busy, or did not work */
    bool running, stopped, told; /* told: that the store does not work */
    void (*done)(void *arg, enum status status);
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
    arena_init(&history->rows_arena, HISTORY_ARENA_BYTES);
    arena_init(&history->arena, HISTORY_ARENA_BYTES);
    timer_init(&history->again, loop, asked_again, history);
    return STATUS_OK;
}

static void finish(struct history *history)
{
    history->running = false;
    arena_reset(&history->arena);
    arena_reset(&history->rows_arena);
    if (history->result != STATUS_OK)
        LOG(history->log, LOG_ERROR, "profile.not_recorded", LOG_STATUS("status", history->result),
            LOG_TEXT("what_to_do", "the version is in force, but `railgate profile history` does "
                                   "not know it; reload"));
    if (history->done != NULL && !history->stopped)
        history->done(history->arg, history->result);
}

/* The disk is full or broken. */
static void try_later(struct history *history)
{
    if (history->stopped) {
        history->result = STATUS_IO;
        finish(history);
        return;
    }
    if (!history->told)
        LOG(history->log, LOG_ERROR, "profile.not_recorded_yet",
            LOG_TEXT("what_to_do", "the version is in force; look at the store: it is recorded as "
                                   "soon as that works"));
    history->told = true;
    timer_start(&history->again, HISTORY_AGAIN_US);
}

static void written(struct store_txn *txn, void *arg)
{
    struct history *history = arg;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    if (txn->result != STORE_COMMITTED) {
        try_later(history);
        return;
    }
    history->next++;
    ask_next(history);
}

static void write_row(struct history *history)
{
    const struct profile_row *row = &history->rows[history->next];
    uint8_t *data = arena_alloc(&history->arena, 1024);
    struct writer w = writer_over(data, data != NULL ? 1024 : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "region", row->region);
    json_put_text(&j, "version", row->version);
    json_put_text(&j, "content_hash", row->content_hash);
    json_put_text(&j, "by", row->by);
    json_close_object(&j);
    history->txn = (struct store_txn){ .arena = &history->arena,
                                       .done = written,
                                       .arg = history,
                                       .profile = *row,
                                       .write_profile = STORE_INSERT,
                                       .event_count = 1 };
    history->txn.events[0] = (struct event_row){ .time_us = row->at_us,
                                                 .kind = VIEW("profile.activated"),
                                                 .data_json = writer_done(&w) };
    if (w.overflow) {
        history->result = STATUS_FULL;
        finish(history);
    } else if (store_commit(history->store, &history->txn) != STATUS_OK) {
        timer_start(&history->again, HISTORY_BUSY_US);
    }
}

static void newest_read(struct store_read *read, void *arg)
{
    struct history *history = arg;
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    if (history->stopped) {
        finish(history);
        return;
    }
    if (read->result != STATUS_OK) {
        try_later(history);
        return;
    }
    const struct profile_row *row = &history->rows[history->next];
    if (read->count > 0 && view_equal(read->profiles[0].content_hash, row->content_hash)) {
        history->next++;
        ask_next(history);
    } else {
        write_row(history);
    }
}

static void ask_next(struct history *history)
{
    arena_reset(&history->arena);
    if (history->next == history->count || history->stopped) {
        finish(history);
        return;
    }
    history->read = (struct store_read){ .question = STORE_PROFILES,
                                         .arena = &history->arena,
                                         .region = history->rows[history->next].region,
                                         .limit = 1,
                                         .done = newest_read,
                                         .arg = history };
    if (store_ask(history->store, &history->read) != STATUS_OK)
        timer_start(&history->again, HISTORY_BUSY_US);
}

bool history_record(struct history *history, const struct settings *settings, const char *by,
                    void (*done)(void *arg, enum status status), void *arg)
{
    ENSURE_MAGIC(history, HISTORY_MAGIC);
    if (history->running || history->stopped)
        return false;
    struct arena *arena = &history->rows_arena;
    history->rows = arena_alloc(arena, settings->regions_count * sizeof *history->rows);
    history->count = history->next = 0;
    struct view said_by = arena_copy(arena, view_text(by));
    for (size_t i = 0; i < settings->regions_count && history->rows != NULL; i++) {
        const struct region_settings *region = &settings->regions[i];
        if (!region->shadow)
            history->rows[history->count++] =
                (struct profile_row){ .at_us = loop_wall_us(history->loop),
                                      .region = arena_copy(arena, view_text(region->region)),
                                      .version = arena_copy(arena, view_text(region->version)),
                                      .content_hash =
                                          arena_copy(arena, view_text(region->content_hash)),
                                      .text = arena_copy(arena, region->text),
                                      .by = said_by };
    }
    if (history->rows == NULL || arena->overflow) {
        arena_reset(arena);
        return false;
    }
    history->result = STATUS_OK;
    history->running = true;
    history->told = false;
    history->done = done;
    history->arg = arg;
    timer_start(&history->again, 0); /* never from inside */
    return true;
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
    arena_reset(&history->rows_arena);
    history->magic = 0;
    free(history);
}
