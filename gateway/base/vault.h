/* vault.h - memory for bytes that must not outlive their use: raw requests, PANs, PIN blocks,
 * keys, messages on their way to a channel.
 *
 * Pages come straight from mmap, are excluded from core dumps (MADV_DONTDUMP), and every block is
 * wiped when it is given back. Thread-safe. Blocks are pooled by size class, so the hot path does
 * not call the kernel.
 */
#ifndef BASE_VAULT_H
#define BASE_VAULT_H

#include <stddef.h>

/* A block of at least `size` bytes, zeroed, aligned to 16. NULL when memory is out. size <= 64 MiB.
 */
void *vault_alloc(size_t size);
/* Grows or shrinks; contents are kept up to the smaller size; the old block is wiped.
 * NULL when memory is out: the old block is then as it was. */
void *vault_realloc(void *block, size_t size);
/* Wipes and gives back. NULL is allowed. */
void vault_free(void *block);
/* The same, when only the first `used` bytes were ever written: the rest is still zero, and wiping
 * it would only fetch it into the cache. */
void vault_free_used(void *block, size_t used);
/* Wipes; never optimised away. */
void vault_wipe(void *ptr, size_t len);
/* Wipes the part of the stack below the caller (64 KiB): copies that functions which have returned
 * left behind. Called after steps that had card data in local variables. */
void vault_scrub_stack(void);
/* Puts the vector registers into their initial state: they keep what memcpy and ciphers moved last,
 * and a core dump contains them. Does nothing where it cannot (other processors). */
void vault_wipe_registers(void);
/* Bytes now handed out, for tests that look for leaks. */
size_t vault_in_use(void);

#endif
