/* memory_test.c - the vault and the arena: wiped, aligned, bounded, absent from core dumps. */
#include "base/arena.h"
#include "base/ensure.h"
#include "base/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Sizes on both sides of every class, and past the last one. */
static const size_t sizes[] = {
    0,    1,    16,    63,    64,      65,  128,     129,     4095,
    4096, 4097, 65536, 65537, MIB - 1, MIB, MIB + 1, 5 * MIB, 64 * MIB
};

static void test_vault_blocks(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    uint8_t *blocks[COUNT_OF(sizes)];
    size_t sum = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            blocks[i] = vault_alloc(sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            /* Zero although the round before filled it. */
            assert_true(all_zero(blocks[i], sizes[i]));
            memset(blocks[i], 0xAB, sizes[i] < MIB ? sizes[i] : MIB);
            sum += sizes[i];
        }
        assert_int_equal(vault_in_use() - before, sum);
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            vault_free(blocks[i]);
        sum = 0;
        assert_int_equal(vault_in_use(), before);
    }
    vault_free(NULL);
    assert_null(vault_alloc(64 * MIB + 1));
    assert_null(vault_alloc(SIZE_MAX));
}

static void test_vault_realloc(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    uint8_t *expected = calloc(1, 3 * MIB);
    assert_non_null(expected);
    uint8_t *block = NULL;
    static const size_t steps[] = { 10, 64, 20, 64, 100, 5000, 3 * MIB, 2 * MIB, 70, 10 };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        block = vault_realloc(block, steps[i]);
        assert_non_null(block);
        assert_memory_equal(block, expected, steps[i]);
        assert_int_equal(vault_in_use() - before, steps[i]);
        /* Fill it; what the next step gives up must be gone when a later one grows again. */
        size_t next = i + 1 < COUNT_OF(steps) ? steps[i + 1] : 0;
        memset(block, 'a' + (int)i, steps[i]);
        memset(expected, 'a' + (int)i, steps[i]);
        if (next < steps[i])
            memset(expected + next, 0, steps[i] - next);
    }
    free(expected);
    assert_null(vault_realloc(block, 65 * MIB));
    assert_int_equal(block[9], 'j'); /* the old block is as it was */
    vault_free(block);
    assert_int_equal(vault_in_use(), before);
}

/* A shrink wipes what it gives up. */
static void test_vault_shrink_wipes(void **state)
{
    (void)state;
    uint8_t *block = vault_alloc(64);
    memset(block, 's', 64);
    block = vault_realloc(block, 8);
    block = vault_realloc(block, 64);
    assert_memory_equal(block, "ssssssss", 8);
    assert_true(all_zero(block + 8, 56));
    vault_free(block);
}

static void *churn(void *argument)
{
    unsigned seed = *(unsigned *)argument;
    uint8_t *mine[32] = { 0 };
    size_t lens[32] = { 0 };
    uintptr_t wrong = 0;
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 1103515245u + 12345u;
        size_t slot = (seed >> 16) % COUNT_OF(mine);
        for (size_t i = 0; i < lens[slot]; i++)
            wrong += mine[slot][i] != (uint8_t)slot;
        vault_free(mine[slot]);
        lens[slot] = (seed >> 8) % 700;
        mine[slot] = vault_alloc(lens[slot]);
        wrong += mine[slot] == NULL || !all_zero(mine[slot], lens[slot]);
        memset(mine[slot], (int)slot, lens[slot]);
    }
    for (size_t i = 0; i < COUNT_OF(mine); i++)
        vault_free(mine[i]);
    return (void *)wrong;
}

static void test_vault_threads(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    pthread_t threads[4];
    unsigned seeds[4] = { 1, 2, 3, 4 };
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(vault_in_use(), before);
}

/* The kernel's own word: "dd" (do not dump) among the flags of the mapping that holds the block. */
static bool excluded_from_dumps(const void *block)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    char line[512];
    bool inside = false, excluded = false;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)block >= from && (uintptr_t)block < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            excluded = strstr(line, " dd") != NULL;
    }
    fclose(maps);
    return excluded;
}

static void test_vault_is_not_dumped(void **state)
{
    (void)state;
    void *small = vault_alloc(100), *large = vault_alloc(3 * MIB), *other = malloc(100);
    assert_true(excluded_from_dumps(small));
    assert_true(excluded_from_dumps(large));
    assert_false(excluded_from_dumps(other)); /* the check can fail */
    free(other);
    vault_free(large);
    vault_free(small);
}

/* What breaks our own promise ends the process: a block given back twice. */
static void test_vault_free_twice(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        void *block = vault_alloc(10);
        vault_free(block);
        vault_free(block);
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGABRT);
}

static void test_arena(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    struct arena a;
    arena_init(&a, MIB);
    assert_int_equal(vault_in_use(), before); /* nothing is taken before it is needed */
    uint8_t *last = NULL;
    for (size_t size = 0; size < 500; size++) {
        uint8_t *at = arena_alloc(&a, size);
        assert_non_null(at);
        assert_ptr_not_equal(at, last);
        assert_int_equal((uintptr_t)at % 16, 0);
        assert_true(all_zero(at, size));
        memset(at, 0xCD, size);
        last = at;
    }
    assert_true(view_is(arena_copy(&a, VIEW("abc")), "abc"));
    assert_string_equal(arena_text(&a, VIEW("abc")), "abc");
    assert_string_equal(arena_text(&a, VIEW_EMPTY), "");
    assert_true(view_is(arena_format(&a, "%s-%03d", "x", 7), "x-007"));
    uint8_t *large = arena_alloc(&a, 500000);
    assert_non_null(large);
    assert_true(all_zero(large, 500000));
    assert_false(a.overflow);
    arena_reset(&a);
    assert_int_equal(vault_in_use(), before);
    assert_true(all_zero(arena_alloc(&a, 4000), 4000)); /* usable again, and clean */
    arena_reset(&a);
}

static void test_arena_limit(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 60)); /* counts as 64 */
    assert_non_null(arena_alloc(&a, 32));
    assert_null(arena_alloc(&a, 16));
    assert_true(a.overflow);
    assert_null(arena_alloc(&a, 1)); /* latched */
    assert_int_equal(arena_copy(&a, VIEW("x")).len, 0);
    assert_null(arena_text(&a, VIEW("x")));
    assert_int_equal(arena_format(&a, "x").len, 0);
    arena_reset(&a);
    assert_false(a.overflow);
    assert_non_null(arena_alloc(&a, 96));
    arena_reset(&a);

    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX)); /* rounding up must not come round to nothing */
    arena_reset(&a);
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    arena_reset(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_blocks),
        cmocka_unit_test(test_vault_realloc),
        cmocka_unit_test(test_vault_shrink_wipes),
        cmocka_unit_test(test_vault_threads),
        cmocka_unit_test(test_vault_is_not_dumped),
        cmocka_unit_test(test_vault_free_twice),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
