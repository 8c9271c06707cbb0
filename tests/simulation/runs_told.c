/* runs_told.c - what many runs were, for people and for a record. */
#include "runs.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES ((size_t)256 * 1024)

/* Of this process and its workers. */
static double core_seconds(void)
{
    double sum = 0;
    static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    for (size_t i = 0; i < COUNT_OF(whose); i++) {
        struct rusage used;
        if (getrusage(whose[i], &used) == 0)
            sum += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    }
    return sum;
}

/* "Name: value" of /proc/cpuinfo; or what uname says. */
static void processor(char *out, size_t room)
{
    struct utsname name;
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    (void)snprintf(out, room, "%s", uname(&name) == 0 ? name.machine : "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, "model name", 10) != 0)
            continue;
        (void)snprintf(out, room, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL)
        (void)fclose(file);
}

static void print_faults(const struct tally *tally)
{
    printf("what went wrong meanwhile:\n");
    for (enum fault f = FAULT_NONE + 1; f < FAULT_KINDS; f++)
        printf("%9llu  %s\n", (unsigned long long)tally_fault(tally, f), fault_text(f));
}

unsigned runs_faults_missing(const struct scores *scores)
{
    unsigned missing = 0;
    for (enum fault f = FAULT_NONE + 1; f < FAULT_KINDS; f++)
        if (tally_fault(&scores->tally, f) == 0) {
            printf("  WRONG: it never happened that %s\n", fault_text(f));
            missing++;
        }
    return missing;
}

void runs_print(const struct runs_told *told)
{
    const struct sim_sums *s = &told->scores->sums;
    char cpu[128];
    double core_s = core_seconds();
    processor(cpu, sizeof cpu);
    print_faults(&told->scores->tally);
    printf("seeds %llu to %llu, with %s\n", (unsigned long long)told->runs->first,
           (unsigned long long)(told->runs->first + told->runs->count - 1), told->runs->about);
    printf("%llu payments, %llu answers (%llu compared with the one before), %llu journal events\n",
           (unsigned long long)s->payments, (unsigned long long)s->answers,
           (unsigned long long)s->replays, (unsigned long long)s->events);
    printf("%llu crashes", (unsigned long long)s->crashes);
    if (s->crashes > 0)
        printf(" (one in %.0f payments)", (double)s->payments / (double)s->crashes);
    printf(", %llu orderly restarts, %.1f hours of simulated time\n",
           (unsigned long long)s->restarts,
           (double)s->virtual_us / (3600.0 * (double)LOOP_US_PER_S));
    printf("%.1f s, %.1f s of cores: %.0f payments a second and core, %.2f million an hour and "
           "core\n",
           told->seconds, core_s, (double)s->payments / core_s,
           (double)s->payments / core_s * 3600.0 / 1e6);
    printf("railgate %s, %s, %ld cores of %s\n", SIMULATION_VERSION, __VERSION__,
           sysconf(_SC_NPROCESSORS_ONLN), cpu);
}

/* One line is added to the file. */
bool runs_record(const struct runs_told *told, const char *path)
{
    char *text = malloc(RECORD_BYTES), cpu[128];
    if (text == NULL)
        return false;
    struct writer w = writer_over(text, RECORD_BYTES);
    struct json_out j;
    processor(cpu, sizeof cpu);
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_i64(&j, "first_seed", (int64_t)told->runs->first);
    json_put_i64(&j, "seed_count", (int64_t)told->runs->count);
    json_put_text(&j, "options", view_text(told->runs->about));
    json_put_i64(&j, "seeds_wrong", (int64_t)told->bad);
#define SUM(name) json_put_i64(&j, #name, (int64_t)told->scores->sums.name);
#include "sums.def"
#undef SUM
    json_put_i64(&j, "real_ms", (int64_t)(told->seconds * 1e3));
    json_put_i64(&j, "core_ms", (int64_t)(core_seconds() * 1e3));
    json_put_i64(&j, "ended_unix", (int64_t)time(NULL));
    json_put_text(&j, "version", VIEW(SIMULATION_VERSION));
    json_put_text(&j, "compiler", VIEW(__VERSION__));
    json_put_text(&j, "processor", view_text(cpu));
    json_put_i64(&j, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    json_open_object(&j, "faults");
    for (enum fault f = FAULT_NONE + 1; f < FAULT_KINDS; f++)
        json_put_i64(&j, fault_word(f), (int64_t)tally_fault(&told->scores->tally, f));
    json_close_object(&j);
    json_open_object(&j, "tally");
    const struct tally *tally = &told->scores->tally;
    for (size_t i = 0; i < tally->count; i++)
        json_put_i64(&j, tally->rows[i].name, (int64_t)tally->rows[i].times);
    json_close_object(&j);
    json_close_object(&j);
    writer_text(&w, "\n");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool good = fd >= 0 && !w.overflow && write(fd, text, w.len) == (ssize_t)w.len;
    if (fd >= 0)
        good = fsync(fd) == 0 && good;
    if (fd >= 0)
        (void)close(fd);
    free(text);
    return good;
}
