/* test_starved_policy.c - profiles are prepared while memory is out: one after another, each
 * allocation of our own fails while a configuration is loaded, compiled and its lists are read,
 * until that passes without the failure. What met it is no policy, says so, and leaves nothing
 * behind; half of the rules would be worse than those from before.
 */
#include "main/policy.h"

#include "base/ensure.h"
#include "base/vault.h"

#include "../../support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 5000

/* --- memory that runs out --------------------------------------------------------------------- */

static struct {
    bool counts;
    unsigned count, fails; /* the n-th from now on; 0: none */
    long held;             /* blocks of malloc and its kin that were not freed */
} memory;

static bool fails(void)
{
    return memory.counts && ++memory.count == memory.fails;
}

static void *counted(void *block)
{
    memory.held += block != NULL;
    return block;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void __real_free(void *block);
void __wrap_free(void *block);
void *__real_vault_alloc(size_t size);
void *__wrap_vault_alloc(size_t size);
void *__real_vault_realloc(void *block, size_t size);
void *__wrap_vault_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    void *moved = __real_realloc(block, size);
    memory.held += block == NULL && moved != NULL;
    return moved;
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *block)
{
    memory.held -= block != NULL;
    __real_free(block);
}

void *__wrap_vault_alloc(size_t size)
{
    return fails() ? NULL : __real_vault_alloc(size);
}

void *__wrap_vault_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_vault_realloc(block, size);
}

/* --- one try ---------------------------------------------------------------------------------- */

struct
try {
    struct findings findings;
    struct settings *settings;
    struct policy *policy;
};

/* What is prepared when nothing fails. */
struct whole {
    size_t settings_bytes, profiles, shadows, lists, entries;
};

static void prepare(struct try *t)
{
    *t = (struct try){ .settings = NULL };
    findings_init(&t->findings);
    memory.count = 0;
    memory.counts = true;
    if (settings_load(PROJECT_FOLDER "/config", &t->settings, &t->findings) == STATUS_OK &&
        policy_open(t->settings, &t->findings, NULL, &t->policy) != STATUS_OK)
        assert_null(t->policy);
    memory.counts = false;
}

static void drop(struct try *t)
{
    policy_free(t->policy);
    settings_free(t->settings);
    findings_clear(&t->findings);
}

static struct whole measured(const struct try *t)
{
    const struct screening *screening = t->policy->screening;
    return (struct whole){ .settings_bytes = t->settings->arena.used,
                           .profiles = t->policy->profile_count,
                           .shadows = t->policy->shadow_count,
                           .lists = screening_count(screening),
                           .entries = screening_at(screening, 0)->entries };
}

/* A warning for which there was no memory may be missing, and is counted; nothing else may. */
static void expect_whole(const struct try *t, const struct whole *whole)
{
    struct whole now = measured(t);
    assert_int_equal(t->findings.errors, 0);
    assert_int_not_equal(t->findings.dropped, 0);
    assert_memory_equal(&now, whole, sizeof now);
}

static void test_a_policy_is_whole_or_none(void **state)
{
    struct try t;
    (void)state;
    size_t refused = 0;
    prepare(&t);
    assert_non_null(t.policy);
    struct whole whole = measured(&t);
    assert_in_range(whole.profiles, 15, 100);
    assert_in_range(whole.entries, 1, 1000);
    drop(&t);
    long held = memory.held;
    size_t vault = vault_in_use();
    for (memory.fails = 1;; memory.fails++) {
        prepare(&t);
        bool failed = memory.count >= memory.fails;
        if (failed && t.policy != NULL)
            expect_whole(&t, &whole);
        refused += t.policy == NULL;
        drop(&t);
        assert_int_equal(memory.held, held);
        assert_int_equal(vault_in_use(), vault);
        if (!failed)
            break;
        assert_true(memory.fails < ALLOCATIONS_MAX);
    }
    assert_in_range(refused, 100, memory.fails);
    memory.fails = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_policy_is_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
