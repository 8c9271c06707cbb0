/* wallet_brain.c - the wallet provider as a brain (http/http_brain.h). */
#include "wallet_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define NOTICES_AGAIN_US 1000000
#define NOTICES_TRIES    8

static void wallet_close(void *brain)
{
    struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    wallet_jobs_clear(w);
    free(w->jobs);
    book_close(w->book);
    free(w);
}

static void *wallet_open(const struct sim_config *config)
{
    struct wallet *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->magic = WALLET_MAGIC;
    w->config = *config;
    wallet_settings_init(&w->settings);
    struct book_events events = { .deal = wallet_tell_deal,
                                  .refund = wallet_tell_refund,
                                  .arg = w };
    w->book = book_open(&events, config->seed);
    if (w->book == NULL) {
        wallet_close(w);
        return NULL;
    }
    return w;
}

static void wallet_reset(void *brain, int64_t now_us)
{
    struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    wallet_jobs_clear(w);
    book_clear(w->book);
    wallet_settings_init(&w->settings);
    memset(w->shown, 0, sizeof w->shown);
    w->shown_count = 0;
    w->scans = w->refused_requests = w->bad_signatures = 0;
    w->notices_acknowledged = w->notices_failed = 0;
}

static void wallet_notice_done(void *brain, uint64_t tag, int http_status, int64_t now_us)
{
    struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    (void)tag;
    w->now_us = now_us;
    if (http_status >= 200 && http_status < 300)
        w->notices_acknowledged++;
    else
        w->notices_failed++;
}

extern const struct sim_brain wallet_brain;
const struct sim_brain wallet_brain = {
    .name = "wallet",
    .sentence = "a wallet provider with phones that scan codes, signed JSON over HTTP",
    .notices_again_us = NOTICES_AGAIN_US,
    .notices_tries = NOTICES_TRIES,
    .open = wallet_open,
    .close = wallet_close,
    .request = wallet_request,
    .tick = wallet_tick,
    .next_us = wallet_next_us,
    .notice_done = wallet_notice_done,
    .command = wallet_command,
    .set = wallet_set,
    .write_settings = wallet_write_settings,
    .write_ledger = wallet_write_ledger,
    .ledger_room = wallet_ledger_room,
    .settlement = wallet_settlement,
    .write_stats = wallet_write_stats,
    .reset = wallet_reset,
};
