/* open_differences.c - see open_differences.h. */
#include "main/open_differences.h"

static void answered(struct store_read *read, void *arg)
{
    struct open_differences *open = arg;
    open->asking = false;
    if (read->result != STATUS_OK)
        return; /* what was known stays; the next scrape asks again */
    open->known = true;
    open->count = read->open_count;
    open->since_us = read->open_since_us;
}

void open_differences_ask(struct open_differences *open, struct store *store)
{
    if (open->asking)
        return;
    arena_init(&open->arena, 4096); /* it is a count: no rows come */
    open->read = (struct store_read){
        .question = STORE_DIFFERENCES_OPEN, .arena = &open->arena, .done = answered, .arg = open
    };
    open->asking = store_ask(store, &open->read) == STATUS_OK;
}
