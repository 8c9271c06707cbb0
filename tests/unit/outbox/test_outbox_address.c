/* test_outbox_address.c - a name that leads inside is refused after it was resolved, and a literal
 * too; the listener never hears of it. */
#include "domain/webhook.h"
#include "wire/conn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct
try {
    struct loop *loop;
    enum status why;
    bool opened;
};

static void on_opened(struct conn *conn, void *arg)
{
    ((struct try *)arg)->opened = true;
    conn_close(conn);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn, (void)arg, (void)bytes;
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct try *t = arg;
    (void)conn;
    t->why = why;
    loop_stop(t->loop);
}

static const struct conn_events events = { .opened = on_opened,
                                           .bytes = on_bytes,
                                           .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener;
    ++*(int *)arg;
    conn_abort(conn);
}

static void inside(void **state)
{
    (void)state;
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    int accepted = 0;
    struct wire *wire;
    struct listener *listener;
    struct endpoint at;
    struct try t = { .loop = loop_open_real() };
    struct listen_options listen = { .accept = on_accept, .arg = &accepted };
    assert_int_equal(wire_open_real(&wire, t.loop), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("127.0.0.1:0"), &at), STATUS_OK);
    assert_int_equal(listen_open(wire, &at, &listen, &listener), STATUS_OK);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct endpoint to = { .port = listener_endpoint(listener)->port };
        struct conn_options options = { .events = &events, .arg = &t, .allowed = ip_is_public };
        struct conn *conn;
        assert_int_equal(view_to_text(view_text(hosts[i]), to.host, sizeof to.host), STATUS_OK);
        t.why = 0;
        assert_int_equal(conn_connect(wire, &to, &options, &conn), STATUS_OK);
        loop_run(t.loop);
        assert_int_equal(t.why, STATUS_DENIED);
        assert_false(t.opened);
    }
    assert_int_equal(accepted, 0);
    wire_close(wire);
    loop_close(t.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(inside) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
