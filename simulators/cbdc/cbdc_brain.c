/* cbdc_brain.c - life and time of the central bank's ledger, and the table that http_brain.h asks
 * for.
 *
 * Time moves only with now_us: before anything is looked at, days that are over end and locks whose
 * time has come give back what they hold. So it makes no difference whether tick was called on
 * time.
 */
#include "cbdc_int.h"

#include "base/ensure.h"

#include <stdlib.h>

static struct cbdc *cbdc_of(void *brain)
{
    struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    return c;
}

static void *cbdc_open(const struct sim_config *config)
{
    struct cbdc *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->magic = CBDC_MAGIC;
    c->seed = config->seed;
    c->wall_offset_us = config->wall_offset_us;
    c->day_ends_us = INT64_MIN; /* the first look at the clock starts the first day */
    cbdc_settings_init(&c->settings);
    cbdc_clients_init(c);
    c->books = cbdc_books_open(c->seed);
    if (c->books == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void cbdc_close(void *brain)
{
    struct cbdc *c = brain;
    if (c == NULL)
        return;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    cbdc_books_close(c->books);
    memset(c, 0, sizeof *c);
    free(c);
}

void cbdc_advance(struct cbdc *c, int64_t now_us)
{
    int64_t day_us = c->settings.day_s * 1000000;
    if (c->day_ends_us == INT64_MIN)
        c->day_ends_us = day_us > 0 ? now_us + day_us : INT64_MAX;
    if (c->day_ends_us <= now_us) {
        cbdc_next_day(c->books);
        c->day_ends_us += ((now_us - c->day_ends_us) / day_us + 1) * day_us;
    }
    cbdc_expire_due(c->books, cbdc_wall_us(c, now_us));
}

static void brain_request(void *brain, const struct sim_request *request, int64_t now_us,
                          struct sim_answer *answer)
{
    cbdc_request(cbdc_of(brain), request, now_us, answer);
}

static void brain_tick(void *brain, int64_t now_us)
{
    cbdc_advance(cbdc_of(brain), now_us);
}

static int64_t brain_next_us(const void *brain)
{
    const struct cbdc *c = brain;
    ENSURE_MAGIC(c, CBDC_MAGIC);
    int64_t next_us = cbdc_next_expiry_us(c->books);
    return next_us == INT64_MAX ? INT64_MAX : next_us - c->wall_offset_us;
}

static void brain_reset(void *brain, int64_t now_us)
{
    struct cbdc *c = cbdc_of(brain);
    struct cbdc_books *books = cbdc_books_open(c->seed);
    ENSURE(books != NULL); /* a counterpart of tests: without memory there is no way on */
    cbdc_books_close(c->books);
    c->books = books;
    cbdc_settings_init(&c->settings);
    memset(c->tokens, 0, sizeof c->tokens);
    c->stats = (struct cbdc_stats){ 0 };
    c->day_ends_us = now_us + c->settings.day_s * 1000000;
}

const struct sim_brain cbdc_brain = {
    .name = "cbdc",
    .sentence = "a central bank's ledger with wallets, limits and locks",
    .notices_again_us = 1000000, /* it sends none */
    .notices_tries = 1,
    .open = cbdc_open,
    .close = cbdc_close,
    .request = brain_request,
    .tick = brain_tick,
    .next_us = brain_next_us,
    .command = cbdc_command,
    .set = cbdc_set,
    .write_settings = cbdc_write_settings,
    .write_ledger = cbdc_write_ledger,
    .ledger_room = cbdc_ledger_room,
    .settlement = cbdc_settlement,
    .write_stats = cbdc_write_stats,
    .reset = brain_reset,
};
