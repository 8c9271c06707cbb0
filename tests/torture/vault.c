/* vault.c - makes the memory that requests live in fail when inject.c says so.
 *
 * Arenas take their blocks from the vault (base/vault.h), which asks the kernel for large regions
 * and never gives them back, so failing malloc says nothing about them. `railgate-torture` is
 * railgate linked with --wrap for the two functions below; all else in it is the same object code.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_vault_alloc(size_t size);
void *__real_vault_realloc(void *block, size_t size);
void *__wrap_vault_alloc(size_t size);
void *__wrap_vault_realloc(void *block, size_t size);

static bool fails(void)
{
    static _Atomic(bool (*)(void)) ask;
    bool (*found)(void) = atomic_load_explicit(&ask, memory_order_relaxed);
    if (found == NULL) {
        found = (bool (*)(void))dlsym(RTLD_DEFAULT, "inject_vault");
        atomic_store_explicit(&ask, found, memory_order_relaxed);
    }
    return found != NULL && found();
}

void *__wrap_vault_alloc(size_t size)
{
    return fails() ? NULL : __real_vault_alloc(size);
}

void *__wrap_vault_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_vault_realloc(block, size);
}
