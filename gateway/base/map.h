/* map.h - a bounded hash map from short byte strings to pointers.
 *
 * Open addressing, keys copied in (at most MAP_KEY_MAX bytes), SipHash-2-4 under a caller's seed so
 * that a merchant cannot choose colliding keys. All memory is taken at map_open. Single-threaded.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "bytes.h"

#define MAP_KEY_MAX 64

struct map; /* opaque */

/* NULL when memory is out. `seed` should be random (a fixed one in simulation). */
struct map *map_open(size_t entries_max, uint64_t seed);
void map_close(struct map *m);
/* EXISTS when the key is there, FULL at entries_max, RANGE for a key over MAP_KEY_MAX. */
enum status map_put(struct map *m, struct view key, void *value);
/* NULL when absent. */
void *map_get(const struct map *m, struct view key);
/* Removes and returns the value, NULL when absent. */
void *map_take(struct map *m, struct view key);
size_t map_count(const struct map *m);
/* Walks all entries: start with *position = 0; false at the end. No changes while walking. */
bool map_next(const struct map *m, size_t *position, struct view *key, void **value);

/* SipHash-2-4 of bytes under a 128-bit key; also for sharding and fingerprints (not for security
 * against forging: that is secret/). */
uint64_t siphash(uint64_t key0, uint64_t key1, struct view bytes);

#endif
