/* open_differences.h - how many differences of reconciliations nobody has resolved, for /metrics.
 *
 * Another process writes them, so the records are asked, and only when somebody scrapes: the answer
 * is there with the next scrape. Nothing runs in between.
 */
#ifndef MAIN_OPEN_DIFFERENCES_H
#define MAIN_OPEN_DIFFERENCES_H

#include "store/store.h"

struct open_differences {
    struct store_read read;
    struct arena arena;
    bool asking, known;
    int64_t count, since_us; /* since_us: of the oldest; 0: there is none */
};
/* On the loop's thread. `open` lives as long as the store. */
void open_differences_ask(struct open_differences *open, struct store *store);

#endif
