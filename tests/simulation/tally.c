/* tally.c - how often what happened, by name: a table that only grows, and a hash over it. Faults
 * are rows as well: "fault <kind>: <who>". */
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

/* --- faults ------------------------------------------------------------------------------------
 */

static const struct {
    const char *word, *text;
} faults[FAULT_KINDS] = {
#define FAULT(kind, word, text) [FAULT_##kind] = { word, text },
#include "faults.def"
#undef FAULT
};

const char *fault_word(enum fault fault)
{
    ENSURE(fault > FAULT_NONE && fault < FAULT_KINDS);
    return faults[fault].word;
}

const char *fault_text(enum fault fault)
{
    ENSURE(fault > FAULT_NONE && fault < FAULT_KINDS);
    return faults[fault].text;
}

enum fault fault_of_simulator(const char *word)
{
    static const struct {
        const char *word;
        enum fault fault;
    } rows[] = {
        { "drop_before_booking", FAULT_LOST },
        { "drop_after_booking", FAULT_LOST },
        { "notice_drop", FAULT_LOST },
        { "notice_delay", FAULT_DELAYED },
        { "duplicate", FAULT_REPEATED },
        { "notice_duplicate", FAULT_REPEATED },
        { "reorder", FAULT_REORDERED },
        { "notice_reorder", FAULT_REORDERED },
        { "truncate", FAULT_TRUNCATED },
        { "cut", FAULT_TRUNCATED },
        { "garble", FAULT_GARBLED },
        { "notice_garble", FAULT_GARBLED },
        { "wrong_stan", FAULT_GARBLED },
        { "wrong_mac", FAULT_GARBLED },
        { "notice_unsigned", FAULT_FORGED },
        { "half_close", FAULT_HALF_CLOSED },
        { "reset", FAULT_RESET },
        { "reset_before_booking", FAULT_RESET },
        { "delay", FAULT_SLOW },
        { "late", FAULT_LATE },
        { "late_booking", FAULT_SLOW },
        { "status", FAULT_NOT_NOW },
        { "code", FAULT_NOT_NOW },
        { "no_sign_on_answer", FAULT_NOT_NOW },
        { "wrong_amount", FAULT_WRONG_AMOUNT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].word, word) == 0)
            return rows[i].fault;
    fprintf(stderr, "%s: a fault that tally.c does not know\n", word);
    ENSURE(false);
    return FAULT_NONE;
}

uint64_t tally_fault(const struct tally *tally, enum fault fault)
{
    char prefix[TALLY_NAME_SIZE];
    uint64_t sum = 0;
    int len = snprintf(prefix, sizeof prefix, "fault %s: ", fault_word(fault));
    for (size_t i = 0; i < tally->count; i++)
        if (strncmp(tally->rows[i].name, prefix, (size_t)len) == 0)
            sum += tally->rows[i].times;
    return sum;
}

void world_fault(struct world *world, enum fault fault, const char *who, uint64_t times)
{
    char name[128];
    if (times == 0)
        return;
    int len = snprintf(name, sizeof name, "fault %s: %s", fault_word(fault), who);
    ENSURE(len < TALLY_NAME_SIZE);
    tally_add(world->options->tally, name, times);
}

void world_faults(struct world *world, const char *who, const char *words)
{
    while (*words != '\0') {
        char word[32];
        size_t len = strcspn(words, ",");
        ENSURE(len < sizeof word);
        memcpy(word, words, len);
        word[len] = '\0';
        world_fault(world, fault_of_simulator(word), who, 1);
        words += len + (words[len] == ',');
    }
}
