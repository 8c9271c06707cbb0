/* test_memory.c - the in-memory network: order, accidents, crashes, and the same run per seed. */
#include "base/ensure.h"
#include "wire/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MESSAGES = 50 };

struct end {
    struct conn *conn;
    int opened, closed, ended;
    enum status why;
    uint8_t bytes[8192];
    size_t len;
    int events;
};

struct world {
    struct loop *loop;
    struct wire *wire;
    struct listener *listener;
    struct end client, server;
    int accepted;
    uint64_t hash; /* of everything that happened, with its time */
};

static struct world *the_world_of(struct end *end);

static void note(struct end *end, int what, size_t value)
{
    struct world *world = the_world_of(end);
    uint64_t parts[3] = { (uint64_t)loop_now_us(world->loop), (uint64_t)what, value };
    for (size_t i = 0; i < 3; i++)
        world->hash = (world->hash ^ parts[i]) * 0x9e3779b97f4a7c15u;
}

static void on_opened(struct conn *conn, void *arg)
{
    struct end *end = arg;
    end->opened++;
    note(end, 1, 0);
    for (int i = 0; i < MESSAGES; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "message %d;", i);
        IGNORE_STATUS(conn_write(conn, view_of(text, (size_t)len)));
    }
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct end *end = arg;
    (void)conn;
    ENSURE(bytes.len > 0 && bytes.len <= sizeof end->bytes - end->len);
    memcpy(end->bytes + end->len, bytes.ptr, bytes.len);
    end->len += bytes.len;
    end->events++;
    note(end, 2, bytes.len);
}

static void on_echo(struct conn *conn, void *arg, struct view bytes)
{
    on_bytes(conn, arg, bytes);
    IGNORE_STATUS(conn_write(conn, bytes));
}

static void on_ended(struct conn *conn, void *arg)
{
    struct end *end = arg;
    (void)conn;
    end->ended++;
    note(end, 3, 0);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct end *end = arg;
    (void)conn;
    end->conn = NULL;
    end->closed++;
    end->why = why;
    note(end, 4, why);
}

static const struct conn_events client_events = {
    .opened = on_opened, .bytes = on_bytes, .ended = on_ended, .closed = on_closed
};
static const struct conn_events server_events = { .bytes = on_echo,
                                                  .ended = on_ended,
                                                  .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    struct world *world = arg;
    (void)listener;
    world->accepted++;
    world->server.conn = conn;
    conn_set_events(conn, &server_events, &world->server);
}

static struct world world;

static struct world *the_world_of(struct end *end)
{
    ENSURE(end == &world.client || end == &world.server);
    return &world;
}

static const char client_owner, server_owner;

static void open_world(uint64_t seed, const struct memory_faults *faults)
{
    struct endpoint at;
    memset(&world, 0, sizeof world);
    world.loop = loop_open_virtual(seed, 0);
    assert_int_equal(wire_open_memory(&world.wire, world.loop, faults), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("card:1"), &at), STATUS_OK);
    struct listen_options listen = { .accept = on_accept, .arg = &world, .owner = &server_owner };
    assert_int_equal(listen_open(world.wire, &at, &listen, &world.listener), STATUS_OK);
    struct conn_options options = { .events = &client_events,
                                    .arg = &world.client,
                                    .owner = &client_owner };
    assert_int_equal(conn_connect(world.wire, &at, &options, &world.client.conn), STATUS_OK);
}

static void close_world(void)
{
    wire_close(world.wire);
    loop_close(world.loop);
    assert_true(world.client.closed <= 1 && world.server.closed <= 1);
}

static void pass(int64_t us)
{
    int64_t until_us = loop_now_us(world.loop) + us;
    while (loop_step(world.loop, until_us)) {
    }
}

static const struct memory_faults rough = { .delay_us_min = 100,
                                            .delay_us_max = 5000,
                                            .stall_per_million = 100000,
                                            .stall_us = 50000,
                                            .cut_per_million = 500000 };

static void test_a_stream_stays_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_world(seed, &rough);
        pass(10 * LOOP_US_PER_S);
        assert_int_equal(world.client.len, world.server.len);
        size_t at = 0;
        for (int i = 0; i < MESSAGES; i++) {
            char text[32];
            int len = snprintf(text, sizeof text, "message %d;", i);
            assert_true(at + (size_t)len <= world.client.len);
            assert_memory_equal(world.client.bytes + at, text, (size_t)len);
            at += (size_t)len;
        }
        assert_int_equal(at, world.client.len);
        close_world();
        assert_int_equal(world.client.closed, 1);
        assert_int_equal(world.server.closed, 1);
    }
}

static uint64_t hash_of(uint64_t seed)
{
    struct memory_faults faults = rough;
    faults.reset_per_million = 100000;
    faults.flip_per_million = 100000;
    open_world(seed, &faults);
    pass(LOOP_US_PER_S);
    if (world.client.conn != NULL)
        conn_close(world.client.conn);
    pass(20 * LOOP_US_PER_S);
    close_world();
    return world.hash;
}

static void test_same_seed_same_accidents(void **state)
{
    (void)state;
    int different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_true(hash_of(seed) == hash_of(seed));
        different += hash_of(seed) != hash_of(seed + 1);
    }
    assert_true(different > 40);
}

static void test_resets_fall_before_and_after_delivery(void **state)
{
    (void)state;
    int before = 0, after = 0;
    struct memory_faults faults = { .delay_us_max = 100, .reset_per_million = 1000000 };
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_world(seed, &faults);
        pass(LOOP_US_PER_S);
        assert_int_equal(world.client.closed, 1);
        assert_int_equal(world.server.closed, 1);
        assert_int_equal(world.client.why, STATUS_CLOSED);
        before += world.server.len == 0;
        after += world.server.len > 0;
        close_world();
    }
    assert_true(before > 20 && after > 20);
}

static void test_flipped_bytes(void **state)
{
    (void)state;
    struct memory_faults faults = { .flip_per_million = 1000000 };
    open_world(1, &faults);
    pass(LOOP_US_PER_S);
    int wrong = 0;
    struct end *server = &world.server;
    size_t at = 0;
    for (int i = 0; i < MESSAGES; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "message %d;", i);
        for (int k = 0; k < len; k++)
            wrong += server->bytes[at++] != (uint8_t)text[k];
    }
    assert_int_equal(wrong, 1); /* all messages left in one piece */
    close_world();
}

static void test_refused(void **state)
{
    (void)state;
    struct memory_faults faults = { .connect_refused_per_million = 1000000 };
    open_world(1, &faults);
    pass(LOOP_US_PER_S);
    assert_int_equal(world.client.closed, 1);
    assert_int_equal(world.client.why, STATUS_REFUSED);
    assert_int_equal(world.accepted, 0);
    close_world();
}

static void test_orderly_end(void **state)
{
    (void)state;
    open_world(1, NULL);
    pass(1000);
    conn_close(world.client.conn);
    pass(1000);
    assert_int_equal(world.server.ended, 1);
    assert_int_equal(world.client.closed, 0); /* waits for the other side's FIN */
    conn_close(world.server.conn);
    pass(1000);
    assert_int_equal(world.client.closed, 1);
    assert_int_equal(world.server.closed, 1);
    assert_int_equal(world.client.why, STATUS_OK);
    close_world();

    open_world(1, NULL); /* the other side never ends: 5 s */
    pass(1000);
    conn_close(world.client.conn);
    pass(4900 * LOOP_US_PER_MS);
    assert_int_equal(world.client.closed, 0);
    pass(200 * LOOP_US_PER_MS);
    assert_int_equal(world.client.closed, 1);
    assert_int_equal(world.server.closed, 1);
    assert_int_equal(world.server.why, STATUS_CLOSED);
    close_world();
}

static void test_a_crash_is_silent_here_and_a_reset_there(void **state)
{
    (void)state;
    struct memory_faults faults = { .delay_us_min = 1000, .delay_us_max = 1000 };
    for (int64_t when_us = 500; when_us < 6000; when_us += 500) {
        open_world(1, &faults);
        pass(when_us);
        struct conn *dead = world.server.conn;
        int events = world.server.events;
        wire_crash(world.wire, &server_owner);
        pass(LOOP_US_PER_S);
        assert_int_equal(world.server.closed, 0);
        assert_int_equal(world.server.events, events);
        assert_int_equal(world.client.closed, 1);
        assert_int_equal(world.client.why, dead != NULL ? STATUS_CLOSED : STATUS_REFUSED);
        if (dead != NULL) { /* still nameable, and nothing happens */
            assert_int_equal(conn_write(dead, VIEW("x")), STATUS_CLOSED);
            conn_close(dead);
            conn_abort(dead);
        }
        listen_close(world.listener);
        close_world();
        assert_int_equal(world.server.closed, 0);
    }
}

static void test_out_max_and_pause(void **state)
{
    (void)state;
    open_world(1, NULL);
    pass(1000);
    conn_pause(world.server.conn);
    static uint8_t bytes[65536];
    size_t taken = 0;
    enum status status;
    while ((status = conn_write(world.client.conn, view_of(bytes, sizeof bytes))) == STATUS_OK) {
        taken += sizeof bytes;
        pass(100);
    }
    assert_int_equal(status, STATUS_FULL);
    assert_true(taken > (1 << 20)); /* the window, then the out-buffer */
    assert_int_equal(conn_out_pending(world.client.conn), 1 << 20);
    conn_abort(world.server.conn);
    pass(1000);
    assert_int_equal(world.client.why, STATUS_CLOSED);
    close_world();
}

static void refuse_all(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener, (void)arg;
    conn_abort(conn);
}

/* They would be a door to the world outside of the simulation. */
static void test_no_unix_sockets(void **state)
{
    struct loop *loop = loop_open_virtual(1, 0);
    struct memory_faults none = { 0 };
    struct wire *wire = NULL;
    struct listener *listener = NULL;
    struct endpoint at = { .host = "/tmp/railgate.sock" };
    struct listen_options listen = { .accept = refuse_all };
    (void)state;
    assert_int_equal(wire_open_memory(&wire, loop, &none), STATUS_OK);
    assert_int_equal(listen_open(wire, &at, &listen, &listener), STATUS_UNSUPPORTED);
    assert_null(listener);
    wire_close(wire);
    loop_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_stays_in_order),
        cmocka_unit_test(test_same_seed_same_accidents),
        cmocka_unit_test(test_resets_fall_before_and_after_delivery),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_orderly_end),
        cmocka_unit_test(test_a_crash_is_silent_here_and_a_reset_there),
        cmocka_unit_test(test_no_unix_sockets),
        cmocka_unit_test(test_out_max_and_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
