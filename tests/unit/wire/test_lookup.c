/* test_lookup.c - names that are asked of a name server: what a lookup leaves behind, however it
 * ends. The server is a socket that nobody reads, so no answer ever comes;
 * tests/scenario/slow_names has one that answers. */
#include "base/ensure.h"
#include "wire/conn.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 64

struct world;
struct asker {
    struct world *world;
    struct conn *conn;
    int opened, closed;
    enum status why;
};

struct world {
    struct loop *loop;
    struct wire *wire;
    struct listener *listener;
    int silent; /* the name server */
    char servers[64];
    struct asker askers[MANY];
    int opened, closed;
};

static void on_opened(struct conn *conn, void *arg)
{
    struct asker *asker = arg;
    (void)conn;
    asker->opened++;
    asker->world->opened++;
    loop_stop(asker->world->loop);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn, (void)arg, (void)bytes;
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct asker *asker = arg;
    (void)conn;
    asker->conn = NULL;
    asker->why = why;
    asker->closed++;
    asker->world->closed++;
    loop_stop(asker->world->loop);
}

static const struct conn_events events = { .opened = on_opened,
                                           .bytes = on_bytes,
                                           .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener;
    conn_set_events(conn, &events, arg);
}

static int udp_socket(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

static void open_world(struct world *world)
{
    struct sockaddr_in at;
    struct endpoint any;
    *world = (struct world){ .loop = loop_open_real() };
    assert_non_null(world->loop);
    assert_int_equal(wire_open_real(&world->wire, world->loop), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("127.0.0.1:0"), &any), STATUS_OK);
    world->askers[0].world = world;
    struct listen_options listen = { .accept = on_accept, .arg = &world->askers[0] };
    assert_int_equal(listen_open(world->wire, &any, &listen, &world->listener), STATUS_OK);
    world->silent = udp_socket(&at);
    (void)snprintf(world->servers, sizeof world->servers, "127.0.0.1:%u", ntohs(at.sin_port));
}

static void close_world(struct world *world)
{
    wire_close(world->wire);
    loop_close(world->loop);
    if (world->silent >= 0)
        (void)close(world->silent);
}

static void ask(struct world *world, int index, const char *name, int64_t timeout_us)
{
    struct asker *asker = &world->askers[index];
    struct endpoint to = { .port = listener_endpoint(world->listener)->port };
    struct conn_options options = { .events = &events,
                                    .arg = asker,
                                    .connect_timeout_us = timeout_us,
                                    .name_servers = world->servers };
    asker->world = world;
    assert_int_equal(view_to_text(view_text(name), to.host, sizeof to.host), STATUS_OK);
    assert_int_equal(conn_connect(world->wire, &to, &options, &asker->conn), STATUS_OK);
    assert_int_equal(asker->closed, 0); /* never from within */
}

static void until(struct world *world, const int *count, int wanted)
{
    while (*count < wanted)
        loop_run(world->loop);
}

static void test_the_time_of_the_connection_ends_it(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (int i = 0; i < MANY; i++)
        ask(&world, i, "shop.example", 20 * LOOP_US_PER_MS);
    until(&world, &world.closed, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(world.askers[i].why, STATUS_TIMEOUT);
    close_world(&world);
}

static void test_it_is_given_up(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (int i = 0; i < MANY; i++) {
        ask(&world, i, "shop.example", 0);
        if (i % 2 == 0)
            conn_abort(world.askers[i].conn);
        else
            conn_close(world.askers[i].conn);
    }
    until(&world, &world.closed, MANY);
    close_world(&world);
}

/* With as many lookups under way; the time they may take is far away. */
static void test_the_wire_is_closed(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    ask(&world, 0, "shop.example", 20 * LOOP_US_PER_MS);
    for (int i = 1; i < MANY; i++)
        ask(&world, i, "shop.example", 60 * LOOP_US_PER_S);
    until(&world, &world.closed, 1); /* the others have sent their question */
    close_world(&world);
    assert_int_equal(world.closed, MANY);
}

static void test_nobody_is_at_the_name_server(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    (void)close(world.silent);
    world.silent = -1;
    ask(&world, 0, "shop.example", 100 * LOOP_US_PER_MS);
    until(&world, &world.closed, 1);
    /* Not REFUSED: it was not the receiver who refused. */
    assert_true(world.askers[0].why == STATUS_IO || world.askers[0].why == STATUS_TIMEOUT);
    close_world(&world);
}

static void test_no_question_is_needed(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    ask(&world, 1, "localhost", 60 * LOOP_US_PER_S);
    until(&world, &world.opened, 1);
    assert_int_equal(world.askers[1].opened, 1);
    assert_true(view_starts_with(view_text(conn_peer(world.askers[1].conn)), VIEW("127.0.0.1:")));
    ask(&world, 2, "127.0.0.1", 60 * LOOP_US_PER_S);
    until(&world, &world.opened, 2);
    assert_int_equal(world.askers[2].opened, 1);
    close_world(&world);
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    struct world world;
    char long_label[80];
    memset(long_label, 'a', sizeof long_label);
    long_label[sizeof long_label - 1] = '\0';
    open_world(&world);
    ask(&world, 0, long_label, 60 * LOOP_US_PER_S);
    until(&world, &world.closed, 1);
    assert_int_equal(world.askers[0].why, STATUS_NOT_FOUND);
    ask(&world, 1, "shop..example", 60 * LOOP_US_PER_S);
    until(&world, &world.closed, 2);
    assert_int_equal(world.askers[1].why, STATUS_NOT_FOUND);
    /* And a name server that is none. */
    (void)snprintf(world.servers, sizeof world.servers, "nonsense");
    ask(&world, 2, "shop.example", 60 * LOOP_US_PER_S);
    until(&world, &world.closed, 3);
    assert_int_not_equal(world.askers[2].why, STATUS_OK);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_time_of_the_connection_ends_it),
        cmocka_unit_test(test_it_is_given_up),
        cmocka_unit_test(test_the_wire_is_closed),
        cmocka_unit_test(test_nobody_is_at_the_name_server),
        cmocka_unit_test(test_no_question_is_needed),
        cmocka_unit_test(test_names_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
