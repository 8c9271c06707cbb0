/* arena.h - one arena for one exchange: allocate forward, free all at once.
 *
 * An arena has a first block that it was born with and may grow to `limit` bytes in all; past that
 * it returns NULL and latches `overflow`. Memory comes from the vault: wiped at reset, absent from
 * core dumps. Single-threaded; may be handed to another thread as a whole.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;
    size_t limit;
    bool overflow;
    bool starved; /* overflow, and not because of the limit: the process had no memory */
};

void arena_init(struct arena *a, size_t limit_bytes);
/* After an overflow for want of memory (starved), which was noticed and answered for: the next
 * request may succeed. What was given out before stays. A limit that was reached stays reached. */
void arena_retry(struct arena *a);
/* A size of 0 gives an address of its own. Zeroed, aligned to 16; NULL when the limit is reached or
 * memory is out. */
void *arena_alloc(struct arena *a, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
/* Gives back what the last allocation does not need: only its first `kept` bytes were written. For
 * whoever reserves for the worst case and then writes little. Nothing happens when it is not the
 * last any more, or NULL. */
void arena_trim(struct arena *a, const void *last, size_t kept);
/* Copies bytes; returns an empty view on failure (and overflow is latched). */
struct view arena_copy(struct arena *a, struct view bytes);
/* Copies and zero-terminates; NULL on failure. */
char *arena_text(struct arena *a, struct view bytes);
/* printf-style into the arena; an empty view on failure. */
struct view arena_format(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives all blocks back, wiped; the arena can be used again. */
void arena_reset(struct arena *a);

#endif
