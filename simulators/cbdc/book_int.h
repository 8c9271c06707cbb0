/* book_int.h - between cbdc_book.c (what may move and moves) and book_store.c (where it is kept).
 */
#ifndef SIM_CBDC_BOOK_INT_H
#define SIM_CBDC_BOOK_INT_H

#include "base/map.h"
#include "cbdc_book.h"

struct cbdc_expiry {
    int64_t at_us;
    uint64_t lock; /* entry */
};

struct cbdc_books {
    uint64_t seed;
    struct cbdc_wallet *wallets;
    uint32_t wallet_count, wallet_room;
    struct map *names; /* wallet or "alias:..." to index + 1, as a pointer */
    struct cbdc_entry *entries;
    uint64_t entry_count, entry_room;
    uint64_t *heads;          /* 2 * entry_room chains by id */
    struct cbdc_expiry *heap; /* earliest first; a lock that ended by itself stays until its time */
    size_t heap_count, heap_room;
    uint64_t day;
    int64_t issued_minor, redeemed_minor, opening_minor;
};

/* A new entry, zeroed but for its number; entries may move. NULL: full or no memory. */
struct cbdc_entry *cbdc_entry_new(struct cbdc_books *b);
/* Makes it findable by client and id; once, when those are set. */
void cbdc_index(struct cbdc_books *b, struct cbdc_entry *e);
/* The lock of that id, whoever made it; of several the one that `releaser` may release. NULL. */
struct cbdc_entry *cbdc_find_lock(struct cbdc_books *b, struct view releaser, struct view id);
/* Expires this lock at its time. */
void cbdc_watch(struct cbdc_books *b, const struct cbdc_entry *lock);

#endif
