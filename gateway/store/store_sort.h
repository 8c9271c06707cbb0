/* store_sort.h - sorts more than memory holds: (key, bytes) in, the same in the order of keys out.
 *
 *     store_sort_open, store_sort_put ..., store_sort_turn, store_sort_next ..., store_sort_close
 *
 * The rows lie in a file without a name, in the folder that SQLITE_TMPDIR or TMPDIR says (else
 * /var/tmp); it is gone when the process ends, however it ends. Memory does not grow with the
 * rows: about STORE_SORT_CACHE_KIB. It belongs to nobody's database, so whoever wants to compare
 * may fill it while the gateway writes. One thread at a time.
 */
#ifndef STORE_STORE_SORT_H
#define STORE_STORE_SORT_H

#include "base/bytes.h"

#define STORE_SORT_CACHE_KIB   8192
#define STORE_SORT_KEY_MAX     255
#define STORE_SORT_PAYLOAD_MAX 1024

struct store_sort;

/* IO, NO_MEMORY. */
enum status store_sort_open(struct store_sort **out);
/* key: 1 to STORE_SORT_KEY_MAX bytes; order: those of one key come in its order; payload: at most
 * STORE_SORT_PAYLOAD_MAX bytes, copied. RANGE for longer ones; IO: the folder is full. */
enum status store_sort_put(struct store_sort *sort, struct view key, int64_t order,
                           struct view payload);
/* Nothing more is put. IO. */
enum status store_sort_turn(struct store_sort *sort);
/* The next row, by key (as bytes), then order. Both views live until the next call. NOT_FOUND at
 * the end; IO. */
enum status store_sort_next(struct store_sort *sort, struct view *key, struct view *payload);
/* What went wrong last, a sentence. */
struct view store_sort_why(const struct store_sort *sort);
/* NULL is allowed. */
void store_sort_close(struct store_sort *sort);

#endif
