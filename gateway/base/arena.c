/* arena.c - forward allocation from a chain of vault blocks.
 *
 * The first block holds FIRST_BYTES or the first request; each further one doubles, up to
 * BLOCK_BYTES_MAX, so an exchange usually lives in one or two blocks. `used` counts what was handed
 * out (rounded up to 16): that is what the limit is held against, so that a limit means the same
 * whatever the block sizes are. Only what was handed out is wiped: the vault's blocks are zero.
 */
#include "arena.h"

#include "ensure.h"
#include "vault.h"

#include <stdio.h>

#define FIRST_BYTES     ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)65536)
#define REQUEST_MAX     ((size_t)32 << 20) /* far above any exchange; keeps sums from wrapping */
#define ALIGNMENT       ((size_t)16)

struct arena_block {
    struct arena_block *older;
    size_t room;
    size_t taken;
    size_t last; /* where the newest allocation begins, for arena_trim */
    uint8_t bytes[];
};
_Static_assert(offsetof(struct arena_block, bytes) % ALIGNMENT == 0, "payload alignment");

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){ .limit = limit_bytes };
}

void arena_retry(struct arena *a)
{
    if (a->starved)
        a->overflow = a->starved = false;
}

static struct arena_block *arena_grow(struct arena *a, size_t size)
{
    size_t whole =
        a->blocks == NULL ? FIRST_BYTES : 2 * (sizeof(struct arena_block) + a->blocks->room);
    if (whole > BLOCK_BYTES_MAX)
        whole = BLOCK_BYTES_MAX;
    /* No block larger than the limit can ever fill; the request itself is within the limit. */
    size_t left = a->limit - a->used;
    if (left < BLOCK_BYTES_MAX && whole > sizeof(struct arena_block) + left)
        whole = sizeof(struct arena_block) + left;
    if (whole < sizeof(struct arena_block) + size)
        whole = sizeof(struct arena_block) + size;
    struct arena_block *block = vault_alloc(whole);
    if (block == NULL) {
        a->starved = true;
        return NULL;
    }
    block->older = a->blocks;
    block->room = whole - sizeof *block;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (a->overflow || size > REQUEST_MAX) {
        a->overflow = true;
        return NULL;
    }
    size = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct arena_block *block = a->blocks;
    if (size > a->limit - a->used) {
        a->overflow = true;
        return NULL;
    }
    if (block == NULL || size > block->room - block->taken)
        block = arena_grow(a, size);
    if (block == NULL) {
        a->overflow = true;
        return NULL;
    }
    void *at = block->bytes + block->taken;
    block->last = block->taken;
    block->taken += size;
    a->used += size;
    return at;
}

void arena_trim(struct arena *a, const void *last, size_t kept)
{
    struct arena_block *block = a->blocks;
    if (last == NULL || block == NULL)
        return;
    if (last != block->bytes + block->last)
        return; /* something came after it: the room between is lost until reset */
    size_t begin = block->last;
    size_t end = begin + (kept == 0 ? ALIGNMENT : (kept + ALIGNMENT - 1) & ~(ALIGNMENT - 1));
    ENSURE(end <= block->taken);
    vault_wipe(block->bytes + begin + kept, end - begin - kept);
    a->used -= block->taken - end;
    block->taken = end;
}

struct view arena_copy(struct arena *a, struct view bytes)
{
    void *to = arena_alloc(a, bytes.len);
    if (to == NULL)
        return VIEW_EMPTY;
    if (bytes.len > 0)
        memcpy(to, bytes.ptr, bytes.len);
    return view_of(to, bytes.len);
}

char *arena_text(struct arena *a, struct view bytes)
{
    if (bytes.len == SIZE_MAX)
        return NULL;
    char *to = arena_alloc(a, bytes.len + 1);
    if (to != NULL && bytes.len > 0)
        memcpy(to, bytes.ptr, bytes.len);
    return to;
}

struct view arena_format(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    struct view made = VIEW_EMPTY;
    int len = vsnprintf(NULL, 0, format, args);
    char *to = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
    if (to != NULL && vsnprintf(to, (size_t)len + 1, format, again) == len)
        made = view_of(to, (size_t)len);
    va_end(again);
    va_end(args);
    return made;
}

void arena_reset(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *block = a->blocks;
        a->blocks = block->older;
        vault_free_used(block, sizeof *block + block->taken);
    }
    a->used = 0;
    a->overflow = a->starved = false;
}
