/* webhooks.c - the outbox with many endpoints: real loop, real sockets on loopback, SQLite on disk.
 *
 *     build/bench_webhooks [ENDPOINTS [SLOW [EVENTS]]]     default: 10000 endpoints, 1000 slow, 3
 *                                                          events to each
 *
 * In rounds every merchant gets an event; measured is the time from its commit to its arrival.
 * First all receivers answer at once; then SLOW of them never answer (the time-out is 2 s here),
 * and the others are measured. Sender and receivers share one thread, so deliveries per second are
 * of both together.
 */
#include "outbox/outbox.h"

#include "../tests/support/scratch.h"

#include "base/arena.h"
#include "base/ensure.h"
#include "domain/webhook.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENDPOINTS_MAX 100000
#define BATCH         500

struct bench {
    struct loop *loop;
    struct wire *wire;
    struct store *store;
    struct secrets *secrets;
    struct settings settings;
    struct outbox *outbox;
    struct http_server *sink;
    struct log log;
    char folder[SCRATCH_MAX], database[SCRATCH_FILE_MAX];
    size_t endpoints, slow, events;
    bool slow_now;
    int64_t *committed_us; /* of the event that an endpoint waits for; 0: none */
    int64_t *taken_us;     /* latencies of a round */
    size_t taken, wanted;
    size_t done;
};

static bool is_slow(const struct bench *b, size_t i)
{
    return b->slow_now && b->slow > 0 && i % (b->endpoints / b->slow) == 0;
}

static void on_request(struct http_request *request, void *arg)
{
    struct bench *b = arg;
    uint64_t i = 0;
    struct view path = http_path(request);
    ENSURE(view_to_u64(view_slice(path, 1, path.len), b->endpoints - 1, &i) == STATUS_OK);
    if (is_slow(b, i))
        return; /* never */
    if (b->committed_us[i] != 0) {
        b->taken_us[b->taken++] = loop_now_us(b->loop) - b->committed_us[i];
        b->committed_us[i] = 0;
    }
    http_respond(request, 200, NULL, NULL, 0, VIEW_EMPTY);
    if (b->taken == b->wanted)
        loop_stop(b->loop);
}

static void on_done(struct store_txn *txn, void *arg)
{
    struct bench *b = arg;
    ENSURE(txn->result == STORE_COMMITTED);
    if (txn->event_count > 0) {
        size_t i = (size_t)txn->events[0].merchant - 1;
        b->committed_us[i] = is_slow(b, i) ? 0 : loop_now_us(b->loop);
    }
    if (--b->done == 0)
        loop_stop(b->loop);
}

/* Commits one request for each endpoint, in batches, and waits. */
static void for_each(struct bench *b, void (*fill)(struct bench *b, size_t i, struct arena *arena,
                                                   struct store_txn *txn))
{
    struct store_txn *txns = calloc(BATCH, sizeof *txns);
    ENSURE(txns != NULL);
    for (size_t from = 0; from < b->endpoints; from += BATCH) {
        struct arena arena;
        arena_init(&arena, (size_t)16 << 20);
        size_t count = b->endpoints - from < BATCH ? b->endpoints - from : BATCH;
        b->done = count;
        for (size_t i = 0; i < count; i++) {
            txns[i] = (struct store_txn){ .arena = &arena, .done = on_done, .arg = b };
            fill(b, from + i, &arena, &txns[i]);
            ENSURE(store_commit(b->store, &txns[i]) == STATUS_OK);
        }
        while (b->done > 0)
            loop_run(b->loop);
        arena_reset(&arena);
    }
    free(txns);
}

static void fill_endpoint(struct bench *b, size_t i, struct arena *arena, struct store_txn *txn)
{
    static const uint8_t key[32] = { 7 };
    char context[48];
    uint8_t *sealed = arena_alloc(arena, 80);
    struct writer w = writer_over(sealed, 80);
    int64_t id = (int64_t)i + 1;
    ENSURE(secret_seal(secret_find(b->secrets, "host.seal"), webhook_seal_context(id, context),
                       view_of(key, sizeof key), &w) == STATUS_OK);
    txn->write_endpoint = STORE_INSERT;
    txn->endpoint =
        (struct endpoint_row){ .id = id,
                               .merchant = id,
                               .status = ENDPOINT_ENABLED,
                               .kinds = VIEW("payment.*"),
                               .url = arena_format(arena, "http://127.0.0.1:%u/%zu",
                                                   http_server_endpoint(b->sink)->port, i),
                               .secret = writer_done(&w) };
}

static void fill_event(struct bench *b, size_t i, struct arena *arena, struct store_txn *txn)
{
    txn->events[0] = (struct event_row){
        .time_us = loop_wall_us(b->loop),
        .merchant = (int64_t)i + 1,
        .kind = VIEW("payment.succeeded"),
        .data_json = arena_format(arena, "{\"status\":\"succeeded\",\"captured\":%zu}", i)
    };
    txn->event_count = 1;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void round_of(struct bench *b, const char *name)
{
    int64_t begin_us = loop_now_us(b->loop);
    double cpu = cpu_s();
    b->taken = 0;
    b->wanted = b->endpoints - (b->slow_now ? b->slow : 0);
    for_each(b, fill_event);
    while (b->taken < b->wanted)
        loop_run(b->loop);
    double took_s = (double)(loop_now_us(b->loop) - begin_us) / 1e6;
    qsort(b->taken_us, b->taken, sizeof *b->taken_us, compare);
    printf("%-28s %6zu webhooks in %5.2f s: %6.0f/s; %5.0f us of CPU each; from commit to arrival "
           "ms: half %lld, 99%% %lld, all %lld\n",
           name, b->taken, took_s, (double)b->taken / took_s,
           (cpu_s() - cpu) * 1e6 / (double)b->taken, (long long)b->taken_us[b->taken / 2] / 1000,
           (long long)b->taken_us[b->taken * 99 / 100] / 1000,
           (long long)b->taken_us[b->taken - 1] / 1000);
}

static void open_all(struct bench *b)
{
    static const uint8_t host_key[32] = { 1, 2, 3 };
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    scratch_folder(b->folder, "bench-webhooks");
    (void)snprintf(b->database, sizeof b->database, "%s/railgate.db", b->folder);
    b->log = (struct log){ .fd = -1, .level = LOG_ERROR };
    b->loop = loop_open_real();
    ENSURE(b->loop != NULL && wire_open_real(&b->wire, b->loop) == STATUS_OK);
    ENSURE(secrets_open(&b->secrets, b->loop) == STATUS_OK);
    ENSURE(secret_set_host_key(b->secrets, view_of(host_key, sizeof host_key)) == STATUS_OK);
    struct store_options store = { .path = b->database, .log = &b->log };
    ENSURE(store_open(&b->store, b->loop, &store, &why) == STATUS_OK);
    b->settings = (struct settings){ .webhooks_allow_http = true,
                                     .webhooks_allow_private = true,
                                     .webhooks_ca = "",
                                     .webhooks_connections = 128,
                                     .webhooks_timeout_us = 2 * LOOP_US_PER_S,
                                     .webhooks_first_retry_us = 5 * LOOP_US_PER_S,
                                     .webhooks_give_up_us = 3 * 86400 * LOOP_US_PER_S };
    struct http_server_options sink = { .handler = on_request, .arg = b };
    ENSURE(endpoint_parse(VIEW("127.0.0.1:0"), &sink.at) == STATUS_OK);
    ENSURE(http_server_open(&b->sink, b->wire, b->loop, &sink) == STATUS_OK);
    struct outbox_options outbox = { .loop = b->loop,
                                     .store = b->store,
                                     .wire = b->wire,
                                     .secrets = b->secrets,
                                     .settings = &b->settings,
                                     .log = &b->log,
                                     .owner = b };
    ENSURE(outbox_open(&b->outbox, &outbox, &why) == STATUS_OK);
}

static void close_all(struct bench *b)
{
    outbox_stop(b->outbox);
    store_close(b->store);
    outbox_close(b->outbox);
    http_server_close(b->sink);
    wire_close(b->wire);
    secrets_close(b->secrets);
    loop_close(b->loop);
    scratch_remove(b->folder);
    free(b->committed_us);
    free(b->taken_us);
}

static void stop(struct timer *timer, void *arg)
{
    (void)timer;
    loop_stop(arg);
}

/* Until all rows are read. */
static void start(struct bench *b)
{
    struct timer timer;
    struct outbox_stats s = { 0 };
    size_t before = mallinfo2().uordblks;
    int64_t begin_us = loop_now_us(b->loop);
    outbox_start(b->outbox);
    timer_init(&timer, b->loop, stop, b->loop);
    while (s.endpoints < b->endpoints) {
        timer_start(&timer, LOOP_US_PER_MS);
        loop_run(b->loop);
        outbox_stats(b->outbox, &s);
    }
    timer_stop(&timer);
    printf("%zu endpoints read in %lld ms, %zu bytes of memory each\n", b->endpoints,
           (long long)(loop_now_us(b->loop) - begin_us) / 1000,
           (mallinfo2().uordblks - before) / b->endpoints);
}

static size_t number(int argc, char **argv, int at, size_t otherwise, size_t most)
{
    uint64_t value = otherwise;
    if (argc > at && (view_to_u64(view_text(argv[at]), most, &value) != STATUS_OK))
        value = otherwise;
    return (size_t)value;
}

int main(int argc, char **argv)
{
    struct bench bench = { .endpoints = number(argc, argv, 1, 10000, ENDPOINTS_MAX) }, *b = &bench;
    struct rlimit files;
    struct rusage usage;
    b->slow = number(argc, argv, 2, b->endpoints / 10, b->endpoints / 2);
    b->events = number(argc, argv, 3, 3, 1000);
    ENSURE(b->endpoints > 0);
    b->committed_us = calloc(b->endpoints, sizeof *b->committed_us);
    b->taken_us = calloc(b->endpoints, sizeof *b->taken_us);
    ENSURE(b->committed_us != NULL && b->taken_us != NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    open_all(b);
    for_each(b, fill_endpoint);
    start(b);
    for (size_t i = 0; i < b->events; i++)
        round_of(b, "all answer");
    b->slow_now = true;
    for (size_t i = 0; i < b->events; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%zu never answer, the rest", b->slow);
        round_of(b, name);
    }
    struct outbox_stats s;
    outbox_stats(b->outbox, &s);
    (void)getrusage(RUSAGE_SELF, &usage);
    printf(
        "tries that failed %llu; under way at the end %llu; most memory of the process %ld MiB\n",
        (unsigned long long)s.failed, (unsigned long long)s.working, usage.ru_maxrss / 1024);
    close_all(b);
    return 0;
}
