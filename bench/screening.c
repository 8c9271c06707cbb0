/* screening.c - what a lookup in sanctions lists costs.
 *
 *     bench_screening [lookups of each kind, 10000]
 *
 * Makes a list of 17,000 entries (one alias each for two of three, some two) from tables of
 * syllables and made-up common names, in Latin, Cyrillic, Arabic and Chinese letters, always the
 * same one; opens it; looks up names of five kinds and prints times in microseconds and how many
 * hits there were. A name of the kind "no match" is made like those of the list but is none of
 * them: what it finds at the threshold (90) is counted as a false positive. Nobody in it exists.
 */
#include "screening/screening.h"

#include "../tests/support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES   17000
#define NAME_ROOM 192
#define THRESHOLD 90

enum kind { EXACT, TYPO, SWAPPED, COMMON, NO_MATCH, KINDS };
static const char *const kind_names[KINDS] = { "exact", "typo", "swapped", "one common name",
                                               "no match" };

struct person {
    char name[NAME_ROOM];
};

static uint64_t chance_state = UINT64_C(0x9E3779B97F4A7C15);

static uint32_t chance(uint32_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)((chance_state >> 20) % below);
}

#define PICK(table) table[chance(sizeof(table) / sizeof *(table))]

static const char *const given[] = {
    "Mohammed", "Ahmed",    "Ali",  "Hassan",  "Hussein", "Ivan",     "Sergei", "Alexander",
    "Dmitry",   "Vladimir", "Jose", "Juan",    "Carlos",  "Maria",    "Ana",    "John",
    "Michael",  "David",    "Omar", "Yusuf",   "Ibrahim", "Abdullah", "Khalid", "Mahmoud",
    "Elena",    "Natalia",  "Igor", "Viktor",  "Pedro",   "Luis",     "Kim",    "Park",
    "Fatima",   "Karim",    "Said", "Mustafa", "Nikolai", "Andrei",   "Oleg",   "Pavel"
};
static const char *const heads[] = { "Kor",  "Zab", "Mir", "Vol", "Ter", "Bal", "Qas", "Dur",
                                     "Shar", "Fal", "Gor", "Hal", "Jab", "Kaz", "Lur", "Mas",
                                     "Nor",  "Ost", "Pol", "Ras", "Sul", "Tar", "Ulm", "Ver" };
static const char *const middles[] = { "a",  "o",   "i",  "u",  "e",  "an", "or", "im",
                                       "ud", "esh", "ak", "ol", "ar", "in", "et", "av" };
static const char *const knots[] = { "b", "d", "m", "n", "r", "t", "z", "k", "l", "v", "sh", "dr" };
static const char *const tails[] = { "ov",  "enko",  "ani", "adi", "ez",  "son",
                                     "sky", "zadeh", "i",   "ari", "uri", "mann" };
static const char *const cyrillic[] = { "ко", "ра", "ми", "ше", "во", "ли", "за", "ту",
                                        "не", "бо", "да", "жу", "ха", "по", "си", "ге" };
static const char *const arabic[] = { "م", "ح", "د", "ع", "ل", "ي", "ن", "ر", "س", "ف", "ك", "ب" };
static const char *const chinese[] = { "王", "李", "张", "刘", "陈", "大", "小", "明", "国", "华",
                                       "文", "志", "建", "海", "东", "春", "林", "峰", "云", "龙" };
static const char *const trades[] = {
    "Trading",    "Shipping",  "Import", "Holding",  "General",
    "Industries", "Petroleum", "Bank",   "Airlines", "Logistics"
};
static const char *const forms[] = { "LLC", "Ltd", "GmbH", "OOO", "S.A.", "Co.", "FZE" };

static void add(char name[NAME_ROOM], const char *part)
{
    size_t len = strlen(name);
    snprintf(name + len, NAME_ROOM - len, "%s", part);
}

static void add_many(char name[NAME_ROOM], const char *const *table, size_t rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(name, table[chance((uint32_t)rows)]);
}

static void add_surname(char name[NAME_ROOM])
{
    add(name, PICK(heads));
    add(name, PICK(middles));
    add(name, PICK(knots));
    if (chance(4) != 0) {
        add(name, PICK(middles));
        add(name, PICK(knots));
    }
    add(name, PICK(tails));
}

#define ROWS(table) table, sizeof(table) / sizeof *(table)

static void make_name(char name[NAME_ROOM])
{
    uint32_t kind = chance(100);
    name[0] = '\0';
    if (kind < 70) {
        add(name, PICK(given));
        add(name, chance(6) == 0 ? " al-" : " ");
        if (chance(2) == 0) {
            add_surname(name);
            add(name, " ");
        }
        add_surname(name);
    } else if (kind < 85) {
        add_surname(name);
        add(name, " ");
        add(name, PICK(trades));
        add(name, " ");
        add(name, PICK(forms));
    } else if (kind < 93) {
        add_many(name, ROWS(cyrillic), 2 + chance(2));
        add(name, " ");
        add_many(name, ROWS(cyrillic), 3 + chance(3));
    } else if (kind < 97) {
        add_many(name, ROWS(arabic), 3 + chance(2));
        add(name, " ");
        add_many(name, ROWS(arabic), 4 + chance(3));
    } else {
        add_many(name, ROWS(chinese), 3 + chance(2));
    }
}

/* Changes, leaves out or swaps a letter of the longest Latin word. */
static void spoil(char name[NAME_ROOM])
{
    size_t best = 0, best_len = 0, len = strlen(name);
    for (size_t i = 0, from = 0; i <= len; i++) {
        if (i < len && name[i] != ' ' && (unsigned char)name[i] < 0x80)
            continue;
        if (i - from > best_len) {
            best = from;
            best_len = i - from;
        }
        from = i + 1;
    }
    if (best_len < 5)
        return;
    char *at = name + best + 1 + chance((uint32_t)best_len - 3);
    switch (chance(3)) {
    case 0: *at = *at == 'x' ? 'q' : 'x'; break;
    case 1: memmove(at, at + 1, strlen(at)); break;
    default: {
        char c = at[0];
        at[0] = at[1];
        at[1] = c;
    }
    }
}

static void swap_words(char name[NAME_ROOM])
{
    char *blank = strchr(name, ' '), turned[NAME_ROOM];
    if (blank == NULL)
        return;
    *blank = '\0';
    snprintf(turned, sizeof turned, "%.90s %.90s", blank + 1, name);
    memcpy(name, turned, sizeof turned);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

static void write_list(const char *path, struct person *people)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    fprintf(file, "# published: 2026-11-01\nid,name,aliases,birth_date\n");
    for (size_t i = 0; i < ENTRIES; i++) {
        char alias[NAME_ROOM] = "", other[NAME_ROOM] = "";
        make_name(people[i].name);
        if (i % 3 != 0)
            make_name(alias);
        if (i % 7 == 0)
            make_name(other);
        fprintf(file, "%zu,%s,%s;%s,%u\n", i, people[i].name, alias, other, 1940 + chance(65));
    }
    if (fclose(file) != 0)
        exit(2);
}

static void make_query(enum kind kind, const struct person *person, char name[NAME_ROOM])
{
    memcpy(name, person->name, NAME_ROOM);
    switch (kind) {
    case EXACT:
    case KINDS: break;
    case TYPO: spoil(name); break;
    case SWAPPED: swap_words(name); break;
    case COMMON:
        name[0] = '\0';
        add(name, PICK(given));
        add(name, " ");
        add(name, PICK(given));
        add(name, " Wxyz");
        add_surname(name);
        break;
    case NO_MATCH: make_name(name); break;
    }
}

static void measure(const struct screening *screening, const struct person *people, enum kind kind,
                    size_t lookups, double *times)
{
    size_t hits_count = 0, right = 0;
    double total = 0;
    for (size_t i = 0; i < lookups; i++) {
        struct screening_hit hits[SCREENING_HITS_MAX];
        char name[NAME_ROOM], id[24];
        uint32_t best, which = chance(ENTRIES);
        make_query(kind, &people[which], name);
        snprintf(id, sizeof id, "%u", which);
        struct screening_query query = { .name = view_text(name), .threshold = THRESHOLD };
        double before = now_us();
        size_t count = screening_find(screening, &query, hits, &best);
        times[i] = now_us() - before;
        total += times[i];
        hits_count += count > 0;
        for (size_t h = 0; h < count; h++)
            if (strcmp(hits[h].entry, id) == 0) {
                right++;
                break;
            }
    }
    qsort(times, lookups, sizeof *times, by_size);
    printf("%-16s %8.1f %8.1f %8.1f %8.1f   ", kind_names[kind], total / (double)lookups,
           times[lookups / 2], times[lookups * 99 / 100], times[lookups - 1]);
    if (kind < COMMON)
        printf("%.2f %% found the entry\n", 100.0 * (double)right / (double)lookups);
    else
        printf("%zu hits (false positives) of %zu\n", hits_count, lookups);
}

int main(int argc, char **argv)
{
    size_t lookups = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    struct person *people = calloc(ENTRIES, sizeof *people);
    double *times = calloc(lookups > 0 ? lookups : 1, sizeof *times);
    char path[SCRATCH_MAX];
    if (people == NULL || times == NULL || lookups == 0) {
        free(people);
        free(times);
        return 2;
    }
    close(scratch_file(path, "bench-screening"));
    write_list(path, people);
    struct screening_source source = { "made", SCREENING_CSV, path, 1 };
    struct screening *screening;
    double before = now_us();
    enum status s = screening_open(&screening, &source, 1);
    double opened_ms = (now_us() - before) / 1000;
    unlink(path);
    if (s != STATUS_OK) {
        free(people);
        free(times);
        return 2;
    }
    struct utsname machine;
    if (uname(&machine) == 0)
        printf("%s %s, %ld processors\n", machine.sysname, machine.machine,
               sysconf(_SC_NPROCESSORS_ONLN));
    const struct screening_list *list = screening_at(screening, 0);
    printf("%zu entries, %zu names, %zu rows skipped; opened in %.0f ms\n", list->entries,
           list->names, list->skipped, opened_ms);
    printf("%-16s %8s %8s %8s %8s   (us; threshold %d; %zu lookups each)\n", "", "mean", "p50",
           "p99", "max", THRESHOLD, lookups);
    for (enum kind kind = EXACT; kind < KINDS; kind++)
        measure(screening, people, kind, lookups, times);
    screening_close(screening);
    free(people);
    free(times);
    return 0;
}
