/* test_event_stream.c - GET /v1/events/stream on a whole gateway in memory: a client that does not
 * read costs no memory and is dropped in the end; one that reads slowly gets everything, in order;
 * what is not for a stream is looked at once, or never.
 */
#include "main/gateway.h"
#include "wire/memory.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EVENTS      1200
#define EVENT_BYTES 8000 /* of its data: all together 9.6 MB */

static const uint8_t host_key[32] = "the host key of a test";

struct world {
    struct loop *loop;
    struct wire *wire;
    struct settings *settings;
    struct store_keeper *keeper;
    struct gateway *gateway;
    struct log log;
    int64_t merchant;
    char key[API_KEY_TEXT_MAX];
};

struct reader {
    struct conn *conn;
    bool ended;
    uint64_t bytes;
    size_t events; /* pieces with data */
    int64_t last;  /* number of the last event */
    bool in_order;
    char line[64];
    size_t line_len;
};

static void set_done(bool *done, struct loop *loop)
{
    while (!*done)
        assert_true(loop_step(loop, INT64_MAX));
}

static void key_put(struct store_key_change *change, void *arg)
{
    (void)change;
    *(bool *)arg = true;
}

static void make_key(struct world *w)
{
    struct secrets *secrets;
    struct store *store;
    struct store_options options = { .path = "memory:event_stream", .log = &w->log };
    struct store_key_change change = { .done = key_put };
    struct id_source ids;
    char text[512];
    bool done = false;
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(secrets_open(&secrets, w->loop), STATUS_OK);
    assert_int_equal(secret_set_host_key(secrets, view_of(host_key, 32)), STATUS_OK);
    assert_int_equal(store_open(&store, w->loop, &options, &why), STATUS_OK);
    id_source_init(&ids, store_last_id(store));
    w->merchant = id_next(&ids, 1);
    api_key_draw(w->loop, false, w->key);
    change.arg = &done;
    change.row = (struct key_row){ .id = id_next(&ids, 1),
                                   .merchant = w->merchant,
                                   .scopes = SCOPE_ALL,
                                   .created_us = 1,
                                   .name = VIEW("test") };
    assert_int_equal(api_key_hash(secrets, view_text(w->key), change.row.hash), STATUS_OK);
    assert_int_equal(store_key_put(store, &change), STATUS_OK);
    set_done(&done, w->loop);
    store_close(store);
    secrets_close(secrets);
}

static void committed(struct store_txn *txn, void *arg)
{
    assert_int_equal(txn->result, STORE_COMMITTED);
    *(bool *)arg = true;
}

static void append_to(struct world *w, struct store *store, const struct event_row *event)
{
    struct arena arena;
    bool done = false;
    arena_init(&arena, (size_t)1 << 20);
    struct store_txn txn = { .arena = &arena, .done = committed, .arg = &done };
    txn.events[0] = *event;
    txn.event_count = 1;
    assert_int_equal(store_commit(store, &txn), STATUS_OK);
    set_done(&done, w->loop);
    arena_reset(&arena);
}

static void append(struct world *w, size_t count)
{
    static char data[EVENT_BYTES + 16];
    (void)snprintf(data, sizeof data, "{\"x\":\"%0*d\"}", EVENT_BYTES, 0);
    for (size_t i = 0; i < count; i++)
        append_to(w, gateway_store(w->gateway),
                  &(struct event_row){ .time_us = 1,
                                       .merchant = w->merchant,
                                       .kind = VIEW("payment.succeeded"),
                                       .data_json = view_text(data) });
}

static void append_small(struct world *w, int64_t merchant, const char *kind, size_t count)
{
    for (size_t i = 0; i < count; i++)
        append_to(w, gateway_store(w->gateway),
                  &(struct event_row){ .time_us = 1,
                                       .merchant = merchant,
                                       .kind = view_text(kind),
                                       .data_json = VIEW("{}") });
}

static void ready(void *arg, enum status status)
{
    assert_int_equal(status, STATUS_OK);
    *(bool *)arg = true;
}

static void open_world(struct world *w)
{
    struct findings findings;
    struct memory_faults faults = { .delay_us_min = 50, .delay_us_max = 500 };
    char text[2048];
    bool done = false;
    struct writer why = writer_over(text, sizeof text);
    *w = (struct world){ .log = { .fd = -1, .level = LOG_ERROR } };
    w->loop = loop_open_virtual(7, 1700000000000000);
    assert_int_equal(wire_open_memory(&w->wire, w->loop, &faults), STATUS_OK);
    findings_init(&findings);
    assert_int_equal(settings_load(TEST_CONFIG, &w->settings, &findings), STATUS_OK);
    findings_clear(&findings);
    static struct settings settings;
    settings = *w->settings;
    settings.store_path = "memory:event_stream";
    settings.channels_count = 0;
    assert_int_equal(store_keeper_open(&w->keeper, settings.store_path), STATUS_OK);
    make_key(w);
    struct gateway_options options = { .settings = &settings,
                                       .loop = w->loop,
                                       .wire = w->wire,
                                       .log = &w->log,
                                       .host_key = host_key };
    assert_int_equal(gateway_open(&w->gateway, &options, &why), STATUS_OK);
    gateway_start(w->gateway, ready, &done);
    set_done(&done, w->loop);
}

static void close_world(struct world *w)
{
    gateway_close(w->gateway);
    wire_close(w->wire);
    store_keeper_close(w->keeper);
    settings_free(w->settings);
    loop_close(w->loop);
}

/* --- a client --------------------------------------------------------------------------------- */

static void read_line(struct reader *r)
{
    int64_t number = 0;
    if (r->line_len == 21 && memcmp(r->line, "id: ", 4) == 0 &&
        id_parse(ID_EVENT, view_of(r->line + 4, 17), &number) == STATUS_OK) {
        if (r->last != 0 && number != r->last && number != r->last + 1)
            r->in_order = false;
        r->last = number;
    }
    r->events += r->line_len >= 6 && memcmp(r->line, "data: ", 6) == 0;
    r->line_len = 0;
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct reader *r = arg;
    (void)conn;
    r->bytes += bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] == '\n')
            read_line(r);
        else if (r->line_len < sizeof r->line)
            r->line[r->line_len++] = (char)bytes.ptr[i];
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct reader *r = arg;
    (void)conn, (void)why;
    r->ended = true;
    r->conn = NULL;
}

static void on_opened(struct conn *conn, void *arg)
{
    (void)conn, (void)arg;
}

static const struct conn_events reader_events = { .opened = on_opened,
                                                  .bytes = on_bytes,
                                                  .closed = on_closed };

static void pass(struct world *w, int64_t us)
{
    int64_t until_us = loop_now_us(w->loop) + us;
    while (loop_step(w->loop, until_us)) {
    }
}

static void reader_write(struct world *w, struct reader *r, const char *query)
{
    char text[256];
    struct writer head = writer_over(text, sizeof text);
    struct endpoint to;
    struct conn_options options = { .events = &reader_events, .arg = r };
    *r = (struct reader){ .in_order = true };
    assert_int_equal(endpoint_parse(VIEW("gateway:80"), &to), STATUS_OK);
    assert_int_equal(conn_connect(w->wire, &to, &options, &r->conn), STATUS_OK);
    writer_format(&head,
                  "GET /v1/events/stream%s HTTP/1.1\r\nHost: x\r\n"
                  "Authorization: Bearer %s\r\n\r\n",
                  query, w->key);
    pass(w, 10 * LOOP_US_PER_MS);
    assert_int_equal(conn_write(r->conn, writer_done(&head)), STATUS_OK);
}

static void reader_ask(struct world *w, struct reader *r, const char *query)
{
    reader_write(w, r, query);
    pass(w, 4 * LOOP_US_PER_MS);
    for (int i = 0; i < 100 && r->bytes == 0; i++)
        pass(w, LOOP_US_PER_MS);
    assert_true(r->bytes > 0 && !r->ended);
}

static void reader_open(struct world *w, struct reader *r)
{
    reader_ask(w, r, "?cursor=evt_0000000000001");
}

static struct api_stats stats_of(const struct world *w)
{
    struct api_stats stats;
    gateway_api_stats(w->gateway, &stats);
    return stats;
}

static void test_who_does_not_read(void **state)
{
    (void)state;
    struct world world, *w = &world;
    struct reader lazy, good;
    open_world(w);
    append(w, 3);
    reader_open(w, &lazy);
    reader_open(w, &good);
    conn_pause(lazy.conn);
    size_t before = vault_in_use(), most = 0;
    for (int i = 0; i < EVENTS / 10; i++) {
        append(w, 10);
        pass(w, 20 * LOOP_US_PER_MS);
        most = vault_in_use() > most ? vault_in_use() : most;
    }
    assert_true(most < before + ((size_t)3 << 20)); /* of 9.6 MB; what the network holds is in it */
    pass(w, LOOP_US_PER_S);
    assert_int_equal(stats_of(w).streams, 2);
    assert_int_equal(good.events, EVENTS + 3);
    assert_true(good.in_order);
    pass(w, 40 * LOOP_US_PER_S);
    assert_int_equal(stats_of(w).streams_dropped, 1);
    assert_int_equal(stats_of(w).streams, 1);
    assert_true(!good.ended);
    conn_resume(lazy.conn);
    pass(w, LOOP_US_PER_S);
    assert_true(lazy.ended);
    close_world(w);
}

static void test_who_reads_slowly(void **state)
{
    (void)state;
    struct world world, *w = &world;
    struct reader slow;
    open_world(w);
    append(w, EVENTS);
    size_t before = vault_in_use(), most = 0;
    reader_open(w, &slow);
    int i = 0;
    for (; i < 2000 && slow.events < EVENTS; i++) { /* reads, and then does not */
        conn_pause(slow.conn);
        pass(w, 2 * LOOP_US_PER_S);
        conn_resume(slow.conn);
        pass(w, 50);
        assert_false(slow.ended);
        most = vault_in_use() > most ? vault_in_use() : most;
    }
    assert_int_equal(slow.events, EVENTS);
    assert_true(slow.in_order);
    assert_true(i > 10); /* it was slow */
    assert_true(most < before + ((size_t)3 << 20));
    assert_int_equal(stats_of(w).streams_dropped, 0);
    close_world(w);
}

static struct store_stats looks_of(const struct world *w)
{
    struct store_stats stats;
    store_stats(gateway_store(w->gateway), &stats);
    return stats;
}

/* Rows that are not for it are passed over once; what comes after them is found without a look at
 * what came meanwhile; and the client learns how far its stream is. */
static void test_a_kind_that_never_comes(void **state)
{
    (void)state;
    struct world world, *w = &world;
    struct reader r, all;
    open_world(w);
    append_small(w, w->merchant, "payment.created", 2500);
    struct store_stats before = looks_of(w);
    reader_ask(w, &r, "?cursor=evt_0000000000001&kind=no.such");
    pass(w, 3 * LOOP_US_PER_S);
    struct store_stats found = looks_of(w);
    assert_true(found.looked - before.looked >= 2400 && found.looked - before.looked <= 2600);
    assert_true(found.looked_max < 2000); /* a page, and what has no index yet */
    append_small(w, w->merchant, "payment.created", 300);
    append_small(w, w->merchant + 1, "no.such", 300);
    pass(w, 3 * LOOP_US_PER_S);
    assert_int_equal(looks_of(w).looked, found.looked);
    pass(w, 20 * LOOP_US_PER_S);
    int64_t told = r.last;
    assert_true(told >= 3100);
    assert_int_equal(r.events, 0);
    append_small(w, w->merchant, "no.such", 1);
    pass(w, LOOP_US_PER_S);
    assert_int_equal(r.events, 1);
    assert_int_equal(r.last, told + 1);
    assert_true(looks_of(w).looked <= found.looked + 4);
    reader_ask(w, &all, "?cursor=evt_0000000000001");
    pass(w, 3 * LOOP_US_PER_S);
    assert_true(all.events >= 2800 && all.in_order == false); /* 300 are another's */
    close_world(w);
}

/* Another process tells nobody that the journal has grown: a look finds it, and a gap in what this
 * process appends. */
static void test_what_another_process_writes(void **state)
{
    (void)state;
    struct world world, *w = &world;
    struct store *store;
    struct reader r;
    char text[512];
    open_world(w);
    struct store_options options = { .path = "memory:event_stream", .log = &w->log };
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(store_open(&store, w->loop, &options, &why), STATUS_OK);
    const struct event_row theirs = { .time_us = 1,
                                      .merchant = w->merchant,
                                      .kind = VIEW("payment.created"),
                                      .data_json = VIEW("{}") };
    reader_ask(w, &r, "");
    append_small(w, w->merchant, "payment.created", 2);
    pass(w, 100 * LOOP_US_PER_MS);
    assert_int_equal(r.events, 2);
    append_to(w, store, &theirs);
    append_small(w, w->merchant + 1, "payment.created", 1);
    pass(w, 100 * LOOP_US_PER_MS);
    assert_int_equal(r.events, 3);
    append_to(w, store, &theirs);
    pass(w, 3 * LOOP_US_PER_S);
    assert_int_equal(r.events, 4);
    store_close(store);
    close_world(w);
}

static void drained(void *arg)
{
    *(bool *)arg = true;
}

/* A stop at each step of a request's way: no stream begins that nothing would end. */
static void test_a_stop_is_not_held_up(void **state)
{
    (void)state;
    const int64_t most_us = 30 * LOOP_US_PER_S;
    bool began = false;
    for (int steps = 0; !began; steps++) {
        struct world world, *w = &world;
        struct reader r;
        bool done = false;
        open_world(w);
        reader_write(w, &r, "");
        for (int i = 0; i < steps; i++)
            assert_true(loop_step(w->loop, INT64_MAX));
        began = stats_of(w).streams > 0;
        gateway_drain(w->gateway, most_us, drained, &done);
        pass(w, 2 * LOOP_US_PER_S);
        assert_true(done);
        assert_int_equal(stats_of(w).streams, 0);
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_who_does_not_read),
                                        cmocka_unit_test(test_who_reads_slowly),
                                        cmocka_unit_test(test_a_kind_that_never_comes),
                                        cmocka_unit_test(test_what_another_process_writes),
                                        cmocka_unit_test(test_a_stop_is_not_held_up) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
