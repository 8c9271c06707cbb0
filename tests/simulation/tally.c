/* tally.c - how often what happened, by name: a table that only grows, and a hash over it. */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS COUNT_OF(((struct tally *)NULL)->slots)

static size_t row_of(struct tally *tally, const char *name)
{
    size_t at = siphash(1, 2, view_text(name)) % SLOTS;
    for (; tally->slots[at] != 0; at = (at + 1) % SLOTS)
        if (strcmp(tally->rows[tally->slots[at] - 1].name, name) == 0)
            return tally->slots[at] - 1u;
    size_t row = tally->count++;
    ENSURE(row < TALLY_ROWS_MAX && strlen(name) < TALLY_NAME_SIZE);
    tally->slots[at] = (uint16_t)(row + 1);
    memcpy(tally->rows[row].name, name, strlen(name) + 1);
    return row;
}

void tally_add(struct tally *tally, const char *name, uint64_t times)
{
    tally->rows[row_of(tally, name)].times += times;
}

void tally_join(struct tally *tally, const struct tally *more)
{
    for (size_t i = 0; i < more->count; i++)
        tally_add(tally, more->rows[i].name, more->rows[i].times);
}

static int by_name(const void *a, const void *b, void *arg)
{
    const struct tally *tally = arg;
    return strcmp(tally->rows[*(const size_t *)a].name, tally->rows[*(const size_t *)b].name);
}

void tally_print(const struct tally *tally)
{
    size_t order[TALLY_ROWS_MAX];
    for (size_t i = 0; i < tally->count; i++)
        order[i] = i;
    qsort_r(order, tally->count, sizeof order[0], by_name, (void *)(uintptr_t)tally);
    for (size_t i = 0; i < tally->count; i++)
        printf("%9llu %s\n", (unsigned long long)tally->rows[order[i]].times,
               tally->rows[order[i]].name);
}
