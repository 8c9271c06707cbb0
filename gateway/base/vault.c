/* vault.c - pools of wiped memory outside malloc and outside core dumps.
 *
 * A block is a 16-byte head and its payload. Payloads come in classes of 64 bytes to 1 MiB, each
 * twice the one before; a block of a class is cut from a region of that class, and goes back into
 * the class's free list. Larger blocks are mappings of their own. Regions are never returned to
 * the kernel: a gateway reaches its high-water mark and stays there.
 *
 * Invariant: every byte of a free block, and every byte of a live block past its size, is zero.
 * Fresh pages are zero; vault_free and a shrinking vault_realloc wipe; so vault_alloc need not
 * clear anything, and a block is cleared once per life.
 *
 * The pools are the one mutable state of this room that does not hang off an object: memory is a
 * property of the process, and a wipe must be possible wherever a pointer is. A mutex per class,
 * held for a few instructions, guards them.
 *
 * Under AddressSanitizer the payload of a free block, and the rest of a live one, is poisoned, and
 * regions are registered as roots, so that the leak checker follows pointers kept in the vault.
 */
#include "vault.h"

#include "ensure.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define VAULT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VAULT_ASAN 1
#endif
#endif
#ifdef VAULT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

#define POISON(ptr, len)    ASAN_POISON_MEMORY_REGION((ptr), (len))
#define UNPOISON(ptr, len)  ASAN_UNPOISON_MEMORY_REGION((ptr), (len))
#define ROOT(ptr, len)      __lsan_register_root_region((ptr), (len))
#define ROOT_GONE(ptr, len) __lsan_unregister_root_region((ptr), (len))
#else
#define POISON(ptr, len)    ((void)(ptr), (void)(len))
#define UNPOISON(ptr, len)  ((void)(ptr), (void)(len))
#define ROOT(ptr, len)      ((void)(ptr), (void)(len))
#define ROOT_GONE(ptr, len) ((void)(ptr), (void)(len))
#endif

#define SIZE_MAX_BYTES ((size_t)64 << 20)
#define CLASS_SMALLEST ((size_t)64)
#define CLASS_COUNT    15 /* 64 B, 128 B, ... 1 MiB */
#define CLASS_NONE     CLASS_COUNT
#define REGION_BYTES   ((size_t)256 << 10) /* at least; a region holds at least four blocks */
#define PAGE_BYTES     ((size_t)4096)
#define BLOCK_LIVE     UINT32_C(0x7661756C) /* "vaul" */
#define BLOCK_FREE     UINT32_C(0x66726565) /* "free" */

struct head {
    uint32_t magic;
    uint32_t class;
    union {
        size_t size;       /* live: what was asked for */
        struct head *next; /* free: next in the list */
    };
};
_Static_assert(sizeof(struct head) == 16, "the payload's alignment hangs on it");

struct pool {
    pthread_mutex_t lock;
    size_t in_use; /* bytes handed out of this class */
    struct head *free;
    uint8_t *fresh; /* never used part of the newest region */
    size_t fresh_len;
};

static struct pool pools[CLASS_COUNT] = { [0 ... CLASS_COUNT -
                                           1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };
static atomic_size_t in_use_alone; /* bytes in mappings of their own */

static size_t class_bytes(uint32_t class)
{
    return CLASS_SMALLEST << class;
}

static uint32_t class_for(size_t size)
{
    if (size <= CLASS_SMALLEST)
        return 0;
    if (size > class_bytes(CLASS_COUNT - 1))
        return CLASS_NONE;
    /* 65..128 -> 1, 129..256 -> 2, ... */
    return (uint32_t)(64 - __builtin_clzll((size - 1) / CLASS_SMALLEST));
}

static size_t mapping_bytes(size_t size)
{
    return (size + sizeof(struct head) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* Pages that core dumps leave out; NULL when there are none, or when they would be dumped. */
static void *pages_map(size_t len)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (madvise(at, len, MADV_DONTDUMP) != 0) {
        (void)munmap(at, len);
        return NULL;
    }
    ROOT(at, len);
    return at;
}

/* Under the pool's lock. */
static struct head *pool_cut(struct pool *pool, uint32_t class)
{
    size_t stride = sizeof(struct head) + class_bytes(class);
    if (pool->fresh_len < stride) {
        size_t len = mapping_bytes(4 * stride > REGION_BYTES ? 4 * stride : REGION_BYTES);
        void *region = pages_map(len);
        if (region == NULL)
            return NULL;
        pool->fresh = region;
        pool->fresh_len = len;
    }
    struct head *head = (struct head *)(void *)pool->fresh;
    pool->fresh += stride;
    pool->fresh_len -= stride;
    head->magic = BLOCK_FREE;
    head->class = class;
    POISON(head + 1, class_bytes(class));
    return head;
}

static struct head *pool_take(uint32_t class, size_t size)
{
    struct pool *pool = &pools[class];
    (void)pthread_mutex_lock(&pool->lock);
    struct head *head = pool->free;
    if (head != NULL)
        pool->free = head->next;
    else
        head = pool_cut(pool, class);
    if (head != NULL)
        pool->in_use += size;
    (void)pthread_mutex_unlock(&pool->lock);
    ENSURE(head == NULL || (head->magic == BLOCK_FREE && head->class == class));
    return head;
}

void *vault_alloc(size_t size)
{
    if (size > SIZE_MAX_BYTES)
        return NULL;
    uint32_t class = class_for(size);
    struct head *head =
        class == CLASS_NONE ? pages_map(mapping_bytes(size)) : pool_take(class, size);
    if (head == NULL)
        return NULL;
    head->magic = BLOCK_LIVE;
    head->class = class;
    head->size = size;
    UNPOISON(head + 1, size);
    if (class == CLASS_NONE)
        atomic_fetch_add_explicit(&in_use_alone, size, memory_order_relaxed);
    return head + 1;
}

static struct head *head_of(void *block)
{
    struct head *head = (struct head *)block - 1;
    ENSURE(head->magic == BLOCK_LIVE);
    return head;
}

void vault_free(void *block)
{
    if (block != NULL)
        vault_free_used(block, head_of(block)->size);
}

/* Wipes the start of a mapping of its own before it is given back, but only the pages that are in
 * memory: who asks for room for the largest message there may be mostly gets a small one, and
 * writing zeros to a page that nobody has touched first makes the kernel find one. */
static void wipe_mapping(struct head *head, size_t used)
{
    unsigned char resident[256];
    uint8_t *at = (uint8_t *)head, *end = (uint8_t *)(head + 1) + used;
    bool can_ask = sysconf(_SC_PAGESIZE) == (long)PAGE_BYTES;
    while (at < end) {
        size_t left = (size_t)(end - at);
        size_t len = left < sizeof resident * PAGE_BYTES ? left : sizeof resident * PAGE_BYTES;
        if (!can_ask || mincore(at, len, resident) != 0)
            memset(resident, 1, sizeof resident);
        for (size_t page = 0; page * PAGE_BYTES < len; page++) {
            size_t rest = len - page * PAGE_BYTES;
            if ((resident[page] & 1u) != 0)
                vault_wipe(at + page * PAGE_BYTES, rest < PAGE_BYTES ? rest : PAGE_BYTES);
        }
        at += len;
    }
}

void vault_free_used(void *block, size_t used)
{
    struct head *head = head_of(block);
    uint32_t class = head->class;
    size_t size = head->size;
    ENSURE(used <= size);
    if (class == CLASS_NONE) {
        size_t len = mapping_bytes(size);
        atomic_fetch_sub_explicit(&in_use_alone, size, memory_order_relaxed);
        wipe_mapping(head, used);
        ROOT_GONE(head, len);
        (void)munmap(head, len);
        return;
    }
    vault_wipe(block, used);
    head->magic = BLOCK_FREE;
    ENSURE(class < CLASS_COUNT);
    POISON(block, class_bytes(class));
    struct pool *pool = &pools[class];
    (void)pthread_mutex_lock(&pool->lock);
    head->next = pool->free;
    pool->free = head;
    pool->in_use -= size;
    (void)pthread_mutex_unlock(&pool->lock);
}

void *vault_realloc(void *block, size_t size)
{
    if (block == NULL)
        return vault_alloc(size);
    struct head *head = head_of(block);
    size_t kept = head->size < size ? head->size : size;
    if (head->class != CLASS_NONE && size <= class_bytes(head->class)) {
        vault_wipe((uint8_t *)block + kept, head->size - kept);
        POISON(block, class_bytes(head->class));
        UNPOISON(block, size);
        struct pool *pool = &pools[head->class];
        (void)pthread_mutex_lock(&pool->lock);
        pool->in_use += size - head->size; /* wraps around when it shrinks, and back */
        (void)pthread_mutex_unlock(&pool->lock);
        head->size = size;
        return block;
    }
    void *moved = vault_alloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, kept);
    vault_free(block);
    return moved;
}

void vault_wipe(void *ptr, size_t len)
{
    if (len > 0)
        explicit_bzero(ptr, len);
}

size_t vault_in_use(void)
{
    size_t sum = atomic_load_explicit(&in_use_alone, memory_order_relaxed);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        (void)pthread_mutex_lock(&pools[i].lock);
        sum += pools[i].in_use;
        (void)pthread_mutex_unlock(&pools[i].lock);
    }
    return sum;
}

/* Never inlined: its frame must lie where the frames of the functions called before lay. */
#define SCRUB_BYTES ((size_t)64 * 1024)
__attribute__((noinline)) void vault_scrub_stack(void)
{
    uint8_t below[SCRUB_BYTES];
    vault_wipe(below, sizeof below);
}

/* --- registers ---------------------------------------------------------------------------------
 */

#if defined(__x86_64__)

#define STATE_SSE    (1u << 1)
#define STATE_AVX    (1u << 2)
#define STATE_AVX512 (7u << 5)

/* Which components XRSTOR may initialise here; 0: the processor or the kernel does not have it. */
static unsigned wipeable_state(void)
{
    unsigned a, b, c, d, low, high;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low & (STATE_SSE | STATE_AVX | STATE_AVX512);
}

/* XRSTOR (Intel SDM volume 1, 13.8): a state component whose bit is clear in XSTATE_BV is
 * initialised and its part of the area is not read; MXCSR is loaded from the area. All vector
 * registers are the caller's to save (System V ABI), so a function may do that. */
__attribute__((noinline)) void vault_wipe_registers(void)
{
    static const struct {
        _Alignas(64) uint8_t legacy[24];
        uint32_t mxcsr, mxcsr_mask;
        uint8_t rest[512 - 32];
        uint8_t header[64];
    } image = { .mxcsr = 0x1f80 };
    static atomic_uint state; /* found out once: CPUID is slow on a virtual machine */
    unsigned mask = atomic_load_explicit(&state, memory_order_relaxed);
    if (mask == 0) {
        mask = wipeable_state();
        atomic_store_explicit(&state, mask, memory_order_relaxed);
    }
    if (mask != 0)
        __asm__ volatile("xrstor %0"
                         :
                         : "m"(image), "a"(mask), "d"(0)
                         : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                           "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#else

void vault_wipe_registers(void)
{
}

#endif
