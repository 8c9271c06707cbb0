/* recent.c - the memory index of idempotency keys that the lasting index does not hold yet.
 *
 * A ring of (hash, row number) in the order of commit, and buckets that chain the entries of the
 * ring. Rows enter at one end, when they are written, and leave at the other, when the lasting
 * index has them; a rollback takes the newest ones out again. All memory is taken at recent_open.
 *
 * A chain is searched from its newest entry. The newest entry of the ring is therefore the head of
 * its chain, the oldest one its tail: both ends come off without a search worth the name.
 */
#include "store_int.h"

#include <stdlib.h>

struct recent_entry {
    uint64_t hash;
    int64_t seq;
    uint32_t older; /* place in the ring plus one; 0: end of the chain */
};

struct recent {
    uint32_t capacity, first, count;
    uint32_t mask;
    uint32_t *buckets; /* place in the ring plus one; 0: empty */
    struct recent_entry *ring;
};

struct recent *recent_open(uint32_t entries_max)
{
    ENSURE(entries_max > 0 && entries_max <= UINT32_C(1) << 28);
    uint32_t buckets = 16;
    while (buckets < entries_max)
        buckets *= 2;
    struct recent *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->capacity = entries_max;
    r->mask = buckets - 1;
    r->buckets = calloc(buckets, sizeof *r->buckets);
    r->ring = calloc(entries_max, sizeof *r->ring);
    if (r->buckets == NULL || r->ring == NULL) {
        recent_close(r);
        return NULL;
    }
    return r;
}

void recent_close(struct recent *r)
{
    if (r == NULL)
        return;
    free(r->ring);
    free(r->buckets);
    free(r);
}

uint32_t recent_count(const struct recent *r)
{
    return r->count;
}

uint32_t recent_room(const struct recent *r)
{
    return r->capacity - r->count;
}

void recent_clear(struct recent *r)
{
    memset(r->buckets, 0, ((size_t)r->mask + 1) * sizeof *r->buckets);
    r->first = r->count = 0;
}

static uint32_t recent_place(const struct recent *r, uint32_t nth)
{
    return (uint32_t)(((uint64_t)r->first + nth) % r->capacity);
}

void recent_add(struct recent *r, uint64_t hash, int64_t seq)
{
    ENSURE(r->count < r->capacity);
    ENSURE(r->count == 0 || r->ring[recent_place(r, r->count - 1)].seq < seq);
    uint32_t at = recent_place(r, r->count++);
    uint32_t *bucket = &r->buckets[hash & r->mask];
    r->ring[at] = (struct recent_entry){ .hash = hash, .seq = seq, .older = *bucket };
    *bucket = at + 1;
}

bool recent_find(const struct recent *r, uint64_t hash, uint32_t *position, int64_t *seq)
{
    uint32_t at = *position == 0 ? r->buckets[hash & r->mask] : r->ring[*position - 1].older;
    for (; at != 0; at = r->ring[at - 1].older) {
        if (r->ring[at - 1].hash != hash)
            continue;
        *position = at;
        *seq = r->ring[at - 1].seq;
        return true;
    }
    return false;
}

void recent_drop_through(struct recent *r, int64_t seq)
{
    while (r->count > 0 && r->ring[r->first].seq <= seq) {
        uint32_t *link = &r->buckets[r->ring[r->first].hash & r->mask];
        while (*link != r->first + 1) {
            ENSURE(*link != 0);
            link = &r->ring[*link - 1].older;
        }
        ENSURE(r->ring[r->first].older == 0);
        *link = 0;
        r->first = recent_place(r, 1);
        r->count--;
    }
}

void recent_undo_after(struct recent *r, int64_t seq)
{
    while (r->count > 0) {
        uint32_t at = recent_place(r, r->count - 1);
        if (r->ring[at].seq <= seq)
            return;
        uint32_t *bucket = &r->buckets[r->ring[at].hash & r->mask];
        ENSURE(*bucket == at + 1);
        *bucket = r->ring[at].older;
        r->count--;
    }
}
