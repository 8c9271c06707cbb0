/* open_differences.h - how many differences of reconciliations nobody has resolved, for /metrics.
 *
 * Another process writes them, so the records are asked, and only when somebody scrapes: the answer
 * is there with the next scrape. Nothing runs in between.
 *
 * There may be very many, and they are counted on the thread that commits payments: so a page at a
 * time, and when there is more than one page, at most once a minute.
 */
#ifndef MAIN_OPEN_DIFFERENCES_H
#define MAIN_OPEN_DIFFERENCES_H

#include "store/store.h"

struct open_differences {
    struct store *store;
    struct store_read read;
    struct arena arena;
    bool asking, known;
    int64_t count, since_us;           /* since_us: of the oldest; 0: there is none */
    int64_t pages;                     /* of the count that is under way, */
    int64_t counted, counted_since_us; /* and what they hold so far */
    int64_t asked_us, again_us;        /* wall clock: when it was begun; not again before that */
};
/* On the loop's thread. `open` lives as long as the store. now_us: wall clock. */
void open_differences_ask(struct open_differences *open, struct store *store, int64_t now_us);

#endif
