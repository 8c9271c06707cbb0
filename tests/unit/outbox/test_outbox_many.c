/* test_outbox_many.c - 10,000 endpoints in one process, over the network in memory: every event
 * arrives once at each, in order, also when one receiver in ten never answers; after a crash and a
 * new start nothing is lost. Figures are printed, and not judged: machines differ. */
#include "outbox/outbox.h"

#include "base/arena.h"
#include "base/ensure.h"
#include "domain/webhook.h"
#include "wire/memory.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define ENDPOINTS  10000
#define EVENTS     3 /* for each */
#define DEAD_EVERY 10

struct world {
    struct loop *loop;
    struct wire *wire;
    struct store *store;
    struct store_keeper *keeper;
    struct secrets *secrets;
    struct settings *settings;
    struct outbox *outbox;
    struct http_server *sink, *dead;
    struct log log;
    uint8_t *next; /* how many of its events each has, in order */
    uint64_t taken, again;
    int owner;
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void on_request(struct http_request *request, void *arg)
{
    struct world *w = arg;
    uint64_t id = 0;
    struct view path = http_path(request), body = http_body(request);
    assert_int_equal(view_to_u64(view_slice(path, 1, path.len), ENDPOINTS, &id), STATUS_OK);
    /* The number of the event for this endpoint stands in its data: {"n":N} */
    const char *at = memmem(body.ptr, body.len, "\"n\":", 4);
    assert_non_null(at);
    uint8_t n = (uint8_t)(at[4] - '0');
    assert_true(n <= w->next[id]); /* in order: nothing is skipped */
    if (n == w->next[id]) {
        w->next[id]++;
        w->taken++;
    } else {
        w->again++;
    }
    http_respond(request, 200, NULL, NULL, 0, VIEW_EMPTY);
}

static void on_dead(struct http_request *request, void *arg)
{
    (void)request, (void)arg; /* never answers */
}

static void on_done(struct store_txn *txn, void *arg)
{
    assert_int_equal(txn->result, STORE_COMMITTED);
    ++*(size_t *)arg;
}

static void run_until(struct world *w, const size_t *count, size_t wanted)
{
    while (*count < wanted)
        assert_true(loop_step(w->loop, INT64_MAX));
}

static void put_endpoints(struct world *w)
{
    struct store_txn *txns = calloc(ENDPOINTS, sizeof *txns);
    struct arena arena;
    size_t done = 0;
    arena_init(&arena, (size_t)64 << 20);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        char room[48];
        uint8_t *sealed = arena_alloc(&arena, 80);
        struct writer s = writer_over(sealed, 80);
        static const uint8_t key[32] = { 7 };
        assert_int_equal(secret_seal(secret_find(w->secrets, "host.seal"),
                                     webhook_seal_context((int64_t)i + 1, room), view_of(key, 32),
                                     &s),
                         STATUS_OK);
        const char *host = i % DEAD_EVERY == 0 ? "dead" : "sink";
        txns[i] =
            (struct store_txn){ .arena = &arena,
                                .done = on_done,
                                .arg = &done,
                                .write_endpoint = STORE_INSERT,
                                .endpoint = { .id = (int64_t)i + 1,
                                              .merchant = (int64_t)i + 1,
                                              .status = ENDPOINT_ENABLED,
                                              .kinds = VIEW("payment.*"),
                                              .url = arena_format(&arena, "http://%s/%zu", host, i),
                                              .secret = writer_done(&s) } };
        assert_int_equal(store_commit(w->store, &txns[i]), STATUS_OK);
    }
    run_until(w, &done, ENDPOINTS);
    arena_reset(&arena);
    free(txns);
}

static void put_events(struct world *w, unsigned number)
{
    struct store_txn *txns = calloc(ENDPOINTS, sizeof *txns);
    struct arena arena;
    size_t done = 0;
    arena_init(&arena, (size_t)64 << 20);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        txns[i] = (struct store_txn){ .arena = &arena, .done = on_done, .arg = &done };
        txns[i].events[0] =
            (struct event_row){ .time_us = loop_wall_us(w->loop),
                                .merchant = (int64_t)i + 1,
                                .kind = VIEW("payment.succeeded"),
                                .data_json = arena_format(&arena, "{\"n\":%u}", number) };
        txns[i].events[1] = (struct event_row){ .time_us = loop_wall_us(w->loop),
                                                .merchant = (int64_t)i + 1,
                                                .kind = VIEW("refund.failed"),
                                                .data_json = VIEW("{}") };
        txns[i].event_count = 2;
        assert_int_equal(store_commit(w->store, &txns[i]), STATUS_OK);
    }
    run_until(w, &done, ENDPOINTS);
    arena_reset(&arena);
    free(txns);
}

static void open_rooms(struct world *w)
{
    struct store_options store = { .path = "memory:outbox_many", .log = &w->log };
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(store_open(&w->store, w->loop, &store, &why), STATUS_OK);
    struct outbox_options options = { .loop = w->loop,
                                      .store = w->store,
                                      .wire = w->wire,
                                      .secrets = w->secrets,
                                      .settings = w->settings,
                                      .log = &w->log,
                                      .owner = w };
    assert_int_equal(outbox_open(&w->outbox, &options, &why), STATUS_OK);
}

static void many(void **state)
{
    (void)state;
    static const uint8_t host_key[32] = { 1, 2, 3 };
    struct world world = { .log = { .fd = -1, .level = LOG_ERROR } }, *w = &world;
    w->loop = loop_open_virtual(42, 1700000000000000);
    assert_int_equal(wire_open_memory(&w->wire, w->loop, NULL), STATUS_OK);
    assert_int_equal(store_keeper_open(&w->keeper, "memory:outbox_many"), STATUS_OK);
    assert_int_equal(secrets_open(&w->secrets, w->loop), STATUS_OK);
    assert_int_equal(secret_set_host_key(w->secrets, view_of(host_key, 32)), STATUS_OK);
    w->settings = calloc(1, sizeof *w->settings);
    w->settings->webhooks_allow_http = w->settings->webhooks_allow_private = true;
    w->settings->webhooks_ca = "";
    w->settings->webhooks_connections = 128;
    w->settings->webhooks_timeout_us = 15 * LOOP_US_PER_S;
    w->settings->webhooks_first_retry_us = 5 * LOOP_US_PER_S;
    w->settings->webhooks_give_up_us = 3 * 86400 * LOOP_US_PER_S;
    w->next = calloc(ENDPOINTS, 1);
    open_rooms(w);
    struct http_server_options sink = { .handler = on_request, .arg = w, .owner = &w->owner };
    assert_int_equal(endpoint_parse(VIEW("sink:80"), &sink.at), STATUS_OK);
    assert_int_equal(http_server_open(&w->sink, w->wire, w->loop, &sink), STATUS_OK);
    struct http_server_options dead = { .handler = on_dead, .owner = &w->owner };
    assert_int_equal(endpoint_parse(VIEW("dead:80"), &dead.at), STATUS_OK);
    assert_int_equal(http_server_open(&w->dead, w->wire, w->loop, &dead), STATUS_OK);
    put_endpoints(w);

    size_t before = mallinfo2().uordblks;
    outbox_start(w->outbox);
    struct outbox_stats s = { 0 };
    while (s.endpoints < ENDPOINTS) {
        assert_true(loop_step(w->loop, INT64_MAX));
        outbox_stats(w->outbox, &s);
    }
    printf("%d endpoints: %zu KiB, %zu bytes each\n", ENDPOINTS,
           (mallinfo2().uordblks - before) / 1024, (mallinfo2().uordblks - before) / ENDPOINTS);
    uint64_t wanted = 0, living = ENDPOINTS - ENDPOINTS / DEAD_EVERY;
    for (unsigned i = 0; i < EVENTS; i++) {
        int64_t start_ms = now_ms(), start_us = loop_now_us(w->loop);
        wanted += living;
        put_events(w, i);
        if (i == 1) { /* a crash in the middle */
            while (w->taken < wanted - living / 2)
                assert_true(loop_step(w->loop, INT64_MAX));
            wire_crash(w->wire, w);
            store_crash(w->store);
            outbox_abandon(w->outbox);
            open_rooms(w);
            outbox_start(w->outbox);
        }
        while (w->taken < wanted)
            assert_true(loop_step(w->loop, INT64_MAX));
        assert_true(loop_now_us(w->loop) - start_us < 60 * LOOP_US_PER_S);
        outbox_stats(w->outbox, &s);
        printf("event %u to each: %llu taken in %lld ms (%lld ms of the virtual clock)%s; %zu KiB "
               "with the records\n",
               i, (unsigned long long)living, (long long)(now_ms() - start_ms),
               (long long)(loop_now_us(w->loop) - start_us) / 1000,
               i == 1 ? ", with a crash and a start" : "", (mallinfo2().uordblks - before) / 1024);
    }
    printf("repeated after the crash: %llu; failed tries at the dead ones: %llu\n",
           (unsigned long long)w->again, (unsigned long long)s.failed);
    assert_true(w->again <= 1000); /* no more than was under way */
    for (size_t i = 0; i < ENDPOINTS; i++)
        assert_int_equal(w->next[i], i % DEAD_EVERY == 0 ? 0 : EVENTS);
    outbox_stop(w->outbox);
    store_close(w->store);
    outbox_close(w->outbox);
    http_server_close(w->sink);
    http_server_close(w->dead);
    wire_close(w->wire);
    secrets_close(w->secrets);
    store_keeper_close(w->keeper);
    loop_close(w->loop);
    free(w->settings);
    free(w->next);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(many) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
