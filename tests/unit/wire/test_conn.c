/* test_conn.c - plain TCP on loopback: echo, both ends' ways of ending, limits. */
#include "base/ensure.h"
#include "base/vault.h"
#include "wire/conn.h"

#include "../../support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* One end of a connection and what it saw. */
struct end {
    struct loop *loop;
    struct conn *conn;
    int opened, ended, closed, drained;
    enum status why;
    size_t received;
    uint64_t sum; /* of the bytes received, order matters */
    bool echo;
};

struct world {
    struct loop *loop;
    struct wire *wire;
    struct listener *listener;
    struct end client, server;
    int accepted;
};

static uint64_t mix(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static void on_opened(struct conn *conn, void *arg)
{
    struct end *end = arg;
    (void)conn;
    end->opened++;
    loop_stop(end->loop);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct end *end = arg;
    end->received += bytes.len;
    end->sum = mix(end->sum, bytes.ptr, bytes.len);
    if (end->echo)
        IGNORE_STATUS(conn_write(conn, bytes));
    loop_stop(end->loop);
}

static void on_ended(struct conn *conn, void *arg)
{
    struct end *end = arg;
    (void)conn;
    end->ended++;
    loop_stop(end->loop);
}

static void on_drained(struct conn *conn, void *arg)
{
    struct end *end = arg;
    (void)conn;
    end->drained++;
    loop_stop(end->loop);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct end *end = arg;
    (void)conn;
    end->conn = NULL;
    end->closed++;
    end->why = why;
    loop_stop(end->loop);
}

static const struct conn_events all_events = { .opened = on_opened,
                                               .bytes = on_bytes,
                                               .ended = on_ended,
                                               .drained = on_drained,
                                               .closed = on_closed };
static const struct conn_events no_half_close = { .opened = on_opened,
                                                  .bytes = on_bytes,
                                                  .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    struct world *world = arg;
    assert_ptr_equal(listener, world->listener);
    world->accepted++;
    world->server.conn = conn;
    conn_set_events(conn, &all_events, &world->server);
    loop_stop(world->loop);
}

static void on_limit(struct timer *timer, void *arg)
{
    (void)timer, (void)arg;
    fail_msg("nothing happened for 20 s");
}

/* Runs the loop until *value is at least `least`. */
static void until(struct world *world, const int *value, int least)
{
    struct timer limit;
    timer_init(&limit, world->loop, on_limit, NULL);
    timer_start(&limit, 20 * LOOP_US_PER_S);
    while (*value < least)
        loop_run(world->loop);
    timer_stop(&limit);
}

static void open_world(struct world *world, size_t conns_max)
{
    struct endpoint at;
    memset(world, 0, sizeof *world);
    world->loop = world->client.loop = world->server.loop = loop_open_real();
    assert_int_equal(wire_open_real(&world->wire, world->loop), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("127.0.0.1:0"), &at), STATUS_OK);
    struct listen_options listen = { .accept = on_accept, .arg = world, .conns_max = conns_max };
    assert_int_equal(listen_open(world->wire, &at, &listen, &world->listener), STATUS_OK);
    assert_true(listener_endpoint(world->listener)->port != 0);
}

static void close_world(struct world *world)
{
    wire_close(world->wire);
    loop_close(world->loop);
}

static void connect_with(struct world *world, const struct conn_events *events, size_t out_max)
{
    struct conn_options options = { .events = events, .arg = &world->client, .out_max = out_max };
    assert_int_equal(conn_connect(world->wire, listener_endpoint(world->listener), &options,
                                  &world->client.conn),
                     STATUS_OK);
    assert_int_equal(world->client.opened, 0); /* never from inside the call */
    until(world, &world->client.opened, 1);
    until(world, &world->accepted, 1);
}

static void test_endpoints(void **state)
{
    (void)state;
    struct endpoint at;
    static const char *const bad[] = { "",     "a",      ":80",     "a:",     "a:65536",
                                       "a:-1", "a:80 ",  "a:080",   "[::1]",  "[::1]80",
                                       "[]:1", "::1:80", "[::1:80", "a:80:90" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(endpoint_parse(view_text(bad[i]), &at), STATUS_MALFORMED);
    static const char *const good[] = { "127.0.0.1:8080", "[::1]:0", "host.example:443" };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char text[300];
        struct writer w = writer_over(text, sizeof text);
        assert_int_equal(endpoint_parse(view_text(good[i]), &at), STATUS_OK);
        endpoint_format(&w, &at);
        assert_true(view_is(writer_done(&w), good[i]));
    }
}

/* More than the kernel's buffers hold, there and back, unchanged. */
static void test_echo_of_megabytes(void **state)
{
    (void)state;
    enum { PIECE = 100000, PIECES = 50 };
    struct world world;
    open_world(&world, 0);
    connect_with(&world, &all_events, 0);
    world.server.echo = true;
    uint8_t *piece = malloc(PIECE);
    uint64_t sum = 0;
    for (int i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < PIECE; k++)
            piece[k] = (uint8_t)(k * 7 + (size_t)i);
        assert_int_equal(conn_write(world.client.conn, view_of(piece, PIECE)), STATUS_OK);
        sum = mix(sum, piece, PIECE);
        /* Never so much on the way that an end would have to refuse (out_max is 1 MiB). */
        while (world.client.received + 800000 < (size_t)PIECE * (size_t)(i + 1))
            loop_run(world.loop);
    }
    while (world.client.received < (size_t)PIECE * PIECES)
        loop_run(world.loop);
    assert_int_equal(world.server.received, (size_t)PIECE * PIECES);
    assert_true(world.client.sum == sum);
    assert_true(world.client.drained > 0);
    free(piece);
    close_world(&world);
    assert_int_equal(world.client.closed, 1);
    assert_int_equal(world.server.closed, 1);
}

static void test_out_max(void **state)
{
    (void)state;
    struct world world;
    uint8_t bytes[1000] = { 0 };
    open_world(&world, 0);
    connect_with(&world, &all_events, 1500);
    assert_int_equal(conn_write(world.client.conn, view_of(bytes, 1000)), STATUS_OK);
    assert_int_equal(conn_write(world.client.conn, view_of(bytes, 501)), STATUS_FULL);
    assert_int_equal(conn_out_pending(world.client.conn), 1000);
    assert_int_equal(conn_write(world.client.conn, view_of(bytes, 500)), STATUS_OK);
    until(&world, &world.client.drained, 1);
    assert_int_equal(conn_out_pending(world.client.conn), 0);
    close_world(&world);
}

static void test_half_close_lets_the_other_side_finish(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    connect_with(&world, &all_events, 0);
    assert_int_equal(conn_write(world.client.conn, VIEW("last words")), STATUS_OK);
    conn_half_close(world.client.conn);
    assert_int_equal(conn_write(world.client.conn, VIEW("more")), STATUS_CLOSED);
    until(&world, &world.server.ended, 1);
    assert_int_equal(world.server.received, 10);
    assert_int_equal(conn_write(world.server.conn, VIEW("answer")), STATUS_OK);
    conn_close(world.server.conn);
    until(&world, &world.client.ended, 1);
    assert_int_equal(world.client.received, 6);
    conn_close(world.client.conn);
    until(&world, &world.client.closed, 1);
    until(&world, &world.server.closed, 1);
    assert_int_equal(world.client.why, STATUS_OK);
    assert_int_equal(world.server.why, STATUS_OK);
    close_world(&world);
}

static void test_close_sends_what_is_pending(void **state)
{
    (void)state;
    struct world world;
    uint8_t *bytes = calloc(1, 1000000);
    open_world(&world, 0);
    connect_with(&world, &no_half_close, 0);
    assert_int_equal(conn_write(world.client.conn, view_of(bytes, 1000000)), STATUS_OK);
    conn_close(world.client.conn);
    conn_close(world.client.conn); /* idempotent */
    assert_int_equal(world.client.closed, 0);
    until(&world, &world.server.ended, 1);
    assert_int_equal(world.server.received, 1000000);
    conn_close(world.server.conn);
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.client.why, STATUS_OK);
    free(bytes);
    close_world(&world);
}

static void test_abort_is_a_reset(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    connect_with(&world, &all_events, 0);
    conn_abort(world.client.conn);
    assert_int_equal(world.client.closed, 0);
    until(&world, &world.server.closed, 1);
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.server.why, STATUS_CLOSED);
    assert_int_equal(world.server.ended, 0);
    assert_int_equal(world.client.why, STATUS_OK);
    close_world(&world);
}

static void test_pause_holds_bytes_back(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    connect_with(&world, &all_events, 0);
    conn_pause(world.server.conn);
    assert_int_equal(conn_write(world.client.conn, VIEW("abc")), STATUS_OK);
    until(&world, &world.client.drained, 1);
    /* The bytes are in the kernel now; turning the loop must not bring them. */
    assert_int_equal(conn_write(world.client.conn, VIEW("def")), STATUS_OK);
    until(&world, &world.client.drained, 2);
    assert_int_equal(world.server.received, 0);
    conn_resume(world.server.conn);
    while (world.server.received < 6)
        loop_run(world.loop);
    close_world(&world);
}

static void test_connect_refused(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    struct endpoint nobody = *listener_endpoint(world.listener);
    listen_close(world.listener);
    struct conn_options options = { .events = &all_events, .arg = &world.client };
    assert_int_equal(conn_connect(world.wire, &nobody, &options, &world.client.conn), STATUS_OK);
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.client.why, STATUS_REFUSED);
    assert_int_equal(world.client.opened, 0);
    close_world(&world);
}

static void test_connect_by_name(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    struct endpoint to = *listener_endpoint(world.listener);
    assert_int_equal(view_to_text(VIEW("localhost"), to.host, sizeof to.host), STATUS_OK);
    struct conn_options options = { .events = &all_events, .arg = &world.client };
    assert_int_equal(conn_connect(world.wire, &to, &options, &world.client.conn), STATUS_OK);
    until(&world, &world.client.opened, 1);
    assert_true(view_starts_with(view_text(conn_peer(world.client.conn)), VIEW("127.0.0.1:")));
    /* A connection that is dropped while its name is still being looked up. */
    struct end other = { .loop = world.loop };
    options.arg = &other;
    assert_int_equal(conn_connect(world.wire, &to, &options, &other.conn), STATUS_OK);
    conn_abort(other.conn);
    until(&world, &other.closed, 1);
    assert_int_equal(other.opened, 0);
    close_world(&world);
}

static void test_conns_max_and_address_in_use(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 1);
    connect_with(&world, &all_events, 0);
    struct end other = { .loop = world.loop };
    struct conn_options options = { .events = &no_half_close, .arg = &other };
    assert_int_equal(
        conn_connect(world.wire, listener_endpoint(world.listener), &options, &other.conn),
        STATUS_OK);
    until(&world, &other.closed, 1);
    assert_int_equal(world.accepted, 1);
    struct listener *second = NULL;
    struct listen_options listen = { .accept = on_accept, .arg = &world };
    assert_int_equal(listen_open(world.wire, listener_endpoint(world.listener), &listen, &second),
                     STATUS_EXISTS);
    assert_null(second);
    close_world(&world);
}

static void test_nothing_is_left(void **state)
{
    size_t before = vault_in_use();
    test_echo_of_megabytes(state);
    test_close_sends_what_is_pending(state);
    assert_int_equal(vault_in_use(), before);
}

/* --- Unix sockets ------------------------------------------------------------------------- */

#define LOCAL_MAX 101 /* bytes of a path that a socket can have, with its end */

/* One whose sockets have a path that fits. */
static void local_folder(char folder[static SCRATCH_MAX])
{
    scratch_folder(folder, "wire");
    if (strlen(folder) + sizeof "/nobody" > LOCAL_MAX) {
        rmdir(folder);
        fail_msg("%s: too long for a Unix socket; choose a shorter TMPDIR", folder);
    }
}

static void open_local(struct world *world, struct endpoint *at, const char *folder)
{
    memset(world, 0, sizeof *world);
    *at = (struct endpoint){ 0 };
    assert_true(snprintf(at->host, sizeof at->host, "%s/s", folder) < (int)sizeof at->host);
    world->loop = world->client.loop = world->server.loop = loop_open_real();
    assert_int_equal(wire_open_real(&world->wire, world->loop), STATUS_OK);
    struct listen_options listen = { .accept = on_accept, .arg = world };
    assert_int_equal(listen_open(world->wire, at, &listen, &world->listener), STATUS_OK);
}

static void test_local_socket(void **state)
{
    char folder[SCRATCH_MAX];
    struct world world;
    struct endpoint at;
    struct stat file;
    (void)state;
    local_folder(folder);
    open_local(&world, &at, folder);
    assert_int_equal(stat(at.host, &file), 0);
    assert_true(S_ISSOCK(file.st_mode));
    assert_int_equal(file.st_mode & 0777, 0600);

    world.server.echo = true;
    connect_with(&world, &all_events, 0);
    assert_int_equal(conn_write(world.client.conn, VIEW("hello")), STATUS_OK);
    while (world.client.received < 5)
        loop_run(world.loop);
    assert_int_equal(world.client.sum, mix(0, (const uint8_t *)"hello", 5));
    conn_abort(world.server.conn); /* no reset on a Unix socket; an end all the same */
    until(&world, &world.server.closed, 1);
    until(&world, &world.client.ended, 1);
    conn_close(world.client.conn);
    until(&world, &world.client.closed, 1);

    /* Who lives keeps the path. */
    struct listener *second = NULL;
    struct listen_options listen = { .accept = on_accept, .arg = &world };
    assert_int_equal(listen_open(world.wire, &at, &listen, &second), STATUS_EXISTS);
    assert_int_equal(stat(at.host, &file), 0);
    close_world(&world);
    assert_int_not_equal(stat(at.host, &file), 0); /* closing takes the file away */
    assert_int_equal(rmdir(folder), 0);
}

static void test_local_left_over(void **state)
{
    char folder[SCRATCH_MAX];
    struct world world;
    struct endpoint at;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)state;
    local_folder(folder);
    assert_true(snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder) > 0);
    /* As a process that was killed leaves it: the file is there and nobody listens. */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(close(fd), 0);
    open_local(&world, &at, folder);
    connect_with(&world, &all_events, 0);
    close_world(&world);
    assert_int_equal(rmdir(folder), 0);
}

static void test_local_refused(void **state)
{
    char folder[SCRATCH_MAX];
    struct world world;
    struct endpoint at = { 0 };
    struct listener *listener = NULL;
    (void)state;
    local_folder(folder);
    open_world(&world, 0);
    struct listen_options listen = { .accept = on_accept, .arg = &world };
    /* Another kind of file is somebody's: it stays. */
    assert_true(snprintf(at.host, sizeof at.host, "%s/f", folder) > 0);
    FILE *file = fopen(at.host, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(listen_open(world.wire, &at, &listen, &listener), STATUS_EXISTS);
    assert_int_equal(unlink(at.host), 0);
    /* A path that no socket can have. */
    memset(at.host, 'x', LOCAL_MAX);
    at.host[0] = '/';
    at.host[LOCAL_MAX] = '\0';
    assert_int_equal(listen_open(world.wire, &at, &listen, &listener), STATUS_RANGE);
    /* Nobody there. */
    assert_true(snprintf(at.host, sizeof at.host, "%s/nobody", folder) > 0);
    struct conn_options options = { .events = &all_events, .arg = &world.client };
    assert_int_equal(conn_connect(world.wire, &at, &options, &world.client.conn), STATUS_OK);
    until(&world, &world.client.closed, 1);
    assert_int_equal(world.client.why, STATUS_NOT_FOUND);
    close_world(&world);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_local_socket),
        cmocka_unit_test(test_local_left_over),
        cmocka_unit_test(test_local_refused),
        cmocka_unit_test(test_echo_of_megabytes),
        cmocka_unit_test(test_out_max),
        cmocka_unit_test(test_half_close_lets_the_other_side_finish),
        cmocka_unit_test(test_close_sends_what_is_pending),
        cmocka_unit_test(test_abort_is_a_reset),
        cmocka_unit_test(test_pause_holds_bytes_back),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_connect_by_name),
        cmocka_unit_test(test_conns_max_and_address_in_use),
        cmocka_unit_test(test_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
