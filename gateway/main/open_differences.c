/* open_differences.c - see open_differences.h. */
#include "main/open_differences.h"

#define PAUSE_US (60 * LOOP_US_PER_S)

static void answered(struct store_read *read, void *arg);

static void ask_page(struct open_differences *open, int64_t after)
{
    open->read = (struct store_read){ .question = STORE_DIFFERENCES_OPEN,
                                      .arena = &open->arena,
                                      .after = after,
                                      .done = answered,
                                      .arg = open };
    open->pages++;
    open->asking = store_ask(open->store, &open->read) == STATUS_OK;
}

static void answered(struct store_read *read, void *arg)
{
    struct open_differences *open = arg;
    open->asking = false;
    if (read->result != STATUS_OK)
        return; /* what was known stays; the next scrape asks again */
    int64_t since_us = read->open_since_us;
    if (read->open_count > 0 && (open->counted == 0 || since_us < open->counted_since_us))
        open->counted_since_us = since_us;
    open->counted += read->open_count;
    if (read->more) {
        ask_page(open, read->through);
        return;
    }
    open->known = true;
    open->count = open->counted;
    open->since_us = open->counted_since_us;
    open->again_us = open->pages > 1 ? open->asked_us + PAUSE_US : 0;
}

void open_differences_ask(struct open_differences *open, struct store *store, int64_t now_us)
{
    /* A clock that was set back is no reason to wait for longer. */
    bool early = now_us < open->again_us && open->again_us - now_us <= PAUSE_US;
    if (open->asking || early)
        return;
    arena_init(&open->arena, 4096); /* it is a count: no rows come */
    open->store = store;
    open->asked_us = now_us;
    open->pages = open->counted = open->counted_since_us = 0;
    ask_page(open, 0);
}
