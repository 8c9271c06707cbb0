/* map.c - a bounded hash map: an index of slots over a dense array of entries.
 *
 * The index is a power of two, at least twice the entries, searched linearly from the slot that
 * the hash names; a slot holds the entry's number plus one and 32 bits of the hash, so that most
 * foreign entries are passed over without touching their keys. Taking an entry out moves the
 * followers of its slot back (no tombstones), so a map that is filled and emptied all day stays as
 * fast as on its first day. Entries keep their place while they live; free ones form a list.
 */
#include "map.h"

#include "ensure.h"

#include <stdlib.h>

#define MAP_MAGIC       UINT32_C(0x6D617021)
#define MAP_ENTRIES_MAX ((size_t)1 << 28)
#define NO_SLOT         SIZE_MAX
#define NO_ENTRY        UINT32_MAX

struct slot {
    uint32_t entry_plus_one; /* 0: free */
    uint32_t hash;
};

struct entry {
    void *value;
    uint32_t next_free; /* only while free */
    uint8_t used;
    uint8_t key_len;
    uint8_t key[MAP_KEY_MAX];
};

struct map {
    uint32_t magic;
    uint32_t first_free;
    size_t count, entries_max;
    size_t fresh; /* entries from here on were never used */
    size_t mask;
    uint64_t seed;
    struct slot *slots;
    struct entry *entries;
};

struct map *map_open(size_t entries_max, uint64_t seed)
{
    ENSURE(entries_max > 0 && entries_max <= MAP_ENTRIES_MAX);
    size_t slots = 8;
    while (slots < 2 * entries_max)
        slots *= 2;
    struct map *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    *m = (struct map){ .magic = MAP_MAGIC,
                       .first_free = NO_ENTRY,
                       .entries_max = entries_max,
                       .mask = slots - 1,
                       .seed = seed,
                       .slots = calloc(slots, sizeof *m->slots),
                       .entries = calloc(entries_max, sizeof *m->entries) };
    if (m->slots == NULL || m->entries == NULL) {
        map_close(m);
        return NULL;
    }
    return m;
}

void map_close(struct map *m)
{
    if (m == NULL)
        return;
    ENSURE_MAGIC(m, MAP_MAGIC);
    m->magic = 0;
    free(m->entries);
    free(m->slots);
    free(m);
}

static uint32_t map_hash(const struct map *m, struct view key)
{
    uint64_t hash = siphash(m->seed, ~m->seed, key);
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the key, or NO_SLOT and in *vacant the slot where it would go. */
static size_t map_find(const struct map *m, struct view key, uint32_t hash, size_t *vacant)
{
    size_t at = hash & m->mask;
    for (; m->slots[at].entry_plus_one != 0; at = (at + 1) & m->mask) {
        if (m->slots[at].hash != hash)
            continue;
        const struct entry *e = &m->entries[m->slots[at].entry_plus_one - 1];
        if (view_equal(view_of(e->key, e->key_len), key))
            return at;
    }
    *vacant = at;
    return NO_SLOT;
}

enum status map_put(struct map *m, struct view key, void *value)
{
    ENSURE_MAGIC(m, MAP_MAGIC);
    if (key.len > MAP_KEY_MAX)
        return STATUS_RANGE;
    uint32_t hash = map_hash(m, key);
    size_t vacant;
    if (map_find(m, key, hash, &vacant) != NO_SLOT)
        return STATUS_EXISTS;
    if (m->count == m->entries_max)
        return STATUS_FULL;
    uint32_t number = m->first_free;
    if (number != NO_ENTRY)
        m->first_free = m->entries[number].next_free;
    else
        number = (uint32_t)m->fresh++;
    struct entry *e = &m->entries[number];
    e->value = value;
    e->used = 1;
    e->key_len = (uint8_t)key.len;
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    m->slots[vacant] = (struct slot){ .entry_plus_one = number + 1, .hash = hash };
    m->count++;
    return STATUS_OK;
}

void *map_get(const struct map *m, struct view key)
{
    ENSURE_MAGIC(m, MAP_MAGIC);
    size_t vacant;
    size_t at = key.len <= MAP_KEY_MAX ? map_find(m, key, map_hash(m, key), &vacant) : NO_SLOT;
    return at != NO_SLOT ? m->entries[m->slots[at].entry_plus_one - 1].value : NULL;
}

/* Closes the hole: a follower moves into it unless that would put it before its home slot. */
static void map_close_hole(struct map *m, size_t hole)
{
    size_t at = hole;
    for (;;) {
        at = (at + 1) & m->mask;
        if (m->slots[at].entry_plus_one == 0)
            break;
        size_t from_home = (at - m->slots[at].hash) & m->mask;
        size_t from_hole = (at - hole) & m->mask;
        if (from_home >= from_hole) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole] = (struct slot){ 0 };
}

void *map_take(struct map *m, struct view key)
{
    ENSURE_MAGIC(m, MAP_MAGIC);
    size_t vacant;
    size_t at = key.len <= MAP_KEY_MAX ? map_find(m, key, map_hash(m, key), &vacant) : NO_SLOT;
    if (at == NO_SLOT)
        return NULL;
    uint32_t number = m->slots[at].entry_plus_one - 1;
    void *value = m->entries[number].value;
    m->entries[number] = (struct entry){ .next_free = m->first_free };
    m->first_free = number;
    m->count--;
    map_close_hole(m, at);
    return value;
}

size_t map_count(const struct map *m)
{
    ENSURE_MAGIC(m, MAP_MAGIC);
    return m->count;
}

bool map_next(const struct map *m, size_t *position, struct view *key, void **value)
{
    ENSURE_MAGIC(m, MAP_MAGIC);
    while (*position < m->fresh) {
        const struct entry *e = &m->entries[(*position)++];
        if (!e->used)
            continue;
        *key = view_of(e->key, e->key_len);
        *value = e->value;
        return true;
    }
    return false;
}

/* --- SipHash-2-4 (Aumasson and Bernstein, 2012) --------------------------------------------- */

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_rounds(uint64_t v[static 4], unsigned rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

/* Up to eight bytes, least significant first. */
static uint64_t little_endian(const uint8_t *ptr, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)ptr[i] << (8 * i);
    return value;
}

uint64_t siphash(uint64_t key0, uint64_t key1, struct view bytes)
{
    /* "somepseudorandomlygeneratedbytes" */
    uint64_t v[4] = { key0 ^ UINT64_C(0x736F6D6570736575), key1 ^ UINT64_C(0x646F72616E646F6D),
                      key0 ^ UINT64_C(0x6C7967656E657261), key1 ^ UINT64_C(0x7465646279746573) };
    size_t whole = bytes.len & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) {
        uint64_t word = little_endian(bytes.ptr + at, 8);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    if (bytes.len > whole)
        last |= little_endian(bytes.ptr + whole, bytes.len - whole);
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xFF;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
