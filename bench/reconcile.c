/* reconcile.c - how long a large record takes, and how much memory.
 *
 *     bench_reconcile [LINES [FOLDER [KIB]]]    default: 1000000 lines, $TMPDIR or /tmp, any size
 *
 * Makes a store with LINES approved sales of one channel (written with SQLite's own speed, not a
 * gateway's: rows go in hundreds a commit) and a settlement file that tells of all of them but each
 * 10,000th, in an order of its own; then reconciles, in a process of its own, and prints lines a
 * second and the largest resident size of that process. Ends with 1 when that is above KIB, or when
 * another number of differences was found than was made.
 */
#include "reconcile/reconcile.h"
#include "base/ensure.h"
#include "domain/refs.h"
#include "secret/digest.h"

#include "../tests/support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOON_US   INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */
#define AT_ONCE   2048
#define LEFT_OUT  10000
#define CHANNEL   VIEW("card_demo")
#define LINE_ROOM 256

struct filling {
    struct arena arena;
    struct store_txn txns[AT_ONCE];
    uint8_t refs[AT_ONCE][96];
    struct loop *loop;
    size_t left;
};

static double seconds(void)
{
    struct timespec now;
    ENSURE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_done(struct store_txn *txn, void *arg)
{
    struct filling *f = arg;
    ENSURE(txn->result == STORE_COMMITTED);
    if (--f->left == 0)
        loop_stop(f->loop);
}

/* Ten thousand a second of record time, so ids and times are those of a busy day. */
static int64_t time_of(unsigned number)
{
    return NOON_US + (int64_t)number * 100;
}

static int64_t id_of(unsigned number)
{
    return ((time_of(number) / 1000) << 20) + (int64_t)(number % 10) * 3 + 1;
}

static void name_of(unsigned number, char stan[8], char time[12])
{
    (void)snprintf(stan, 8, "%06u", number % 1000000);
    (void)snprintf(time, 12, "%010u", 1122120000 + number / 1000000);
}

static void put(struct filling *f, size_t at, unsigned number)
{
    char stan[8], time[12];
    struct writer refs = writer_over(f->refs[at], sizeof f->refs[at]);
    int64_t id = id_of(number), us = time_of(number);
    name_of(number, stan, time);
    refs_put(&refs, VIEW("stan"), view_text(stan), 0);
    refs_put(&refs, VIEW("time"), view_text(time), 0);
    refs_put(&refs, VIEW("terminal"), VIEW("TERM1"), 0);
    ENSURE(!refs.overflow);
    struct store_txn *txn = &f->txns[at];
    *txn = (struct store_txn){ .arena = &f->arena, .done = on_done, .arg = f, .merchant = 7 };
    txn->operation = (struct operation_row){ .id = id + 1,
                                             .payment = id,
                                             .merchant = 7,
                                             .kind = OPERATION_SALE,
                                             .status = OPERATION_STATUS_SUCCEEDED,
                                             .amount = 100 + number % 1000,
                                             .created_us = us,
                                             .updated_us = us };
    txn->attempt = (struct attempt_row){ .id = id + 2,
                                         .payment = id,
                                         .operation = id + 1,
                                         .merchant = 7,
                                         .verb = OPERATION_SALE,
                                         .state = ATTEMPT_APPROVED,
                                         .amount = 100 + number % 1000,
                                         .currency = "EUR",
                                         .channel = CHANNEL,
                                         .created_us = us,
                                         .updated_us = us + 1000,
                                         .refs = writer_done(&refs) };
    txn->write_operation = txn->write_attempt = STORE_INSERT;
}

static void fill_store(const char *path, unsigned lines)
{
    char why[400];
    struct writer w = writer_over(why, sizeof why);
    struct filling *f = calloc(1, sizeof *f);
    struct store *store;
    struct store_options options = { .path = path };
    ENSURE(f != NULL);
    f->loop = loop_open_real();
    ENSURE(f->loop != NULL && store_open(&store, f->loop, &options, &w) == STATUS_OK);
    arena_init(&f->arena, 1 << 20);
    for (unsigned number = 0; number < lines;) {
        for (f->left = 0; f->left < AT_ONCE && number < lines; f->left++)
            put(f, f->left, number++);
        size_t count = f->left;
        for (size_t i = 0; i < count; i++)
            ENSURE(store_commit(store, &f->txns[i]) == STATUS_OK);
        loop_run(f->loop);
    }
    store_close(store);
    loop_close(f->loop);
    arena_reset(&f->arena);
    free(f);
}

/* Every line once, in steps that jump: a counterpart's order is its own. */
static void write_record(const char *path, unsigned lines)
{
    struct secret_digest *digest;
    uint8_t hash[SECRET_SHA256_SIZE];
    FILE *file = fopen(path, "wb");
    int64_t sum = 0;
    unsigned written = 0;
    static const char head[] = "record,direction,stan,transmitted,terminal,booked_at,amount_minor,"
                               "currency,original_stan,original_transmitted\n";
    ENSURE(file != NULL && secret_digest_open(&digest) == STATUS_OK);
    ENSURE(secret_digest_add(digest, view_text(head)) == STATUS_OK && fputs(head, file) >= 0);
    for (unsigned i = 0; i < lines; i++) {
        unsigned number = (unsigned)((uint64_t)i * 999983 % lines);
        char text[LINE_ROOM], stan[8], time[12];
        if (number % LEFT_OUT == LEFT_OUT - 1)
            continue;
        name_of(number, stan, time);
        int len = snprintf(text, sizeof text,
                           "SALE,C,%s,%s,TERM1,2026-11-22T12:%02u:%02u.%03uZ,%u,EUR,,\n", stan,
                           time, number / 600000 % 60, number / 10000 % 60, number / 10 % 1000,
                           100 + number % 1000);
        struct view line = view_of(text, (size_t)len);
        ENSURE(secret_digest_add(digest, line) == STATUS_OK);
        ENSURE(fwrite(line.ptr, 1, line.len, file) == line.len);
        sum += 100 + number % 1000;
        written++;
    }
    ENSURE(secret_digest_done(digest, hash) == STATUS_OK);
    fprintf(file, "TRAILER,%u,%lld,0,", written, (long long)sum);
    for (size_t i = 0; i < sizeof hash; i++)
        fprintf(file, "%02x", hash[i]);
    fputs("\n", file);
    ENSURE(fclose(file) == 0);
    secret_digest_close(digest);
}

static long resident_kib(void)
{
    struct rusage usage;
    ENSURE(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

static int reconcile(const char *store_path, const char *record, const char *lock, unsigned lines,
                     long kib_max)
{
    char why[1000];
    struct writer w = writer_over(why, sizeof why);
    struct store *store;
    struct store_options options = { .path = store_path };
    struct loop *loop = loop_open_real();
    struct reconcile_report *report = calloc(1, sizeof *report);
    ENSURE(loop != NULL && report != NULL);
    ENSURE(store_open(&store, loop, &options, &w) == STATUS_OK);
    struct reconcile_options o = { .loop = loop,
                                   .store = store,
                                   .lock_path = lock,
                                   .channel = CHANNEL,
                                   .rail = RAIL_CARD,
                                   .path = record,
                                   .now_us = NOON_US + INT64_C(43200000000) };
    long before_kib = resident_kib();
    double start = seconds();
    w.len = 0;
    enum status status = reconcile_run(&o, report, &w);
    double took = seconds() - start;
    if (status != STATUS_OK) {
        fprintf(stderr, "%.*s\n", (int)w.len, why);
        return 1;
    }
    printf("%lld lines, %lld attempts, %lld matched, %lld differences\n", (long long)report->lines,
           (long long)report->attempts, (long long)report->matched, (long long)report->differences);
    printf("%.2f s, %.0f lines/s, largest resident size %ld KiB (%ld KiB before)\n", took,
           (double)report->lines / took, resident_kib(), before_kib);
    int wrong = report->differences != lines / LEFT_OUT ||
                report->matched != (int64_t)lines - lines / LEFT_OUT ||
                (kib_max > 0 && resident_kib() > kib_max);
    store_close(store);
    loop_close(loop);
    free(report);
    return wrong;
}

int main(int argc, char **argv)
{
    unsigned lines = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    const char *base = argc > 2 && argv[2][0] != '\0' ? argv[2] : NULL;
    long kib_max = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    char folder[SCRATCH_MAX], store[SCRATCH_FILE_MAX], record[SCRATCH_FILE_MAX],
        lock[SCRATCH_FILE_MAX];
    if (lines == 0) {
        fprintf(stderr, "usage: bench_reconcile [LINES [FOLDER [KIB]]]\n");
        return 2;
    }
    scratch_folder_in(folder, base, "bench-reconcile");
    (void)snprintf(store, sizeof store, "%s/railgate.db", folder);
    (void)snprintf(record, sizeof record, "%s/day.csv", folder);
    (void)snprintf(lock, sizeof lock, "%s/lock", folder);
    int status = 1;
    pid_t filler = fork(); /* what filling takes is not the reconciliation's */
    if (filler == 0) {
        fill_store(store, lines);
        write_record(record, lines);
        _exit(0);
    }
    if (filler > 0 && waitpid(filler, &status, 0) == filler && status == 0)
        status = reconcile(store, record, lock, lines, kib_max);
    scratch_remove(folder);
    return status == 0 ? 0 : 1;
}
