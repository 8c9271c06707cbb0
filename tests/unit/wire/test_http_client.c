/* test_http_client.c - calls against a scripted server that says exactly what the test wants. */
#include "base/ensure.h"
#include "base/vault.h"
#include "wire/http_client.h"
#include "wire/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { CALLS_MAX = 8 };

struct result {
    int done;
    enum status status;
    bool may_have_left;
    int http_status;
    char body[64], header[64];
    size_t body_len;
};

struct world {
    struct loop *loop;
    struct wire *wire;
    struct listener *listener;
    struct http_client *client;
    int conns;
    struct conn *last;
    struct view script; /* what the server says to each piece it gets */
    bool close_after;
    char got[512];
    size_t got_len;
    struct result results[CALLS_MAX];
};

static struct world world;

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)arg;
    size_t len = bytes.len < sizeof world.got - 1 ? bytes.len : sizeof world.got - 1;
    memcpy(world.got, bytes.ptr, len);
    world.got[len] = 0;
    if (world.script.len > 0)
        IGNORE_STATUS(conn_write(conn, world.script));
    if (world.close_after)
        conn_close(conn);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn, (void)arg, (void)why;
}

static const struct conn_events server_events = { .bytes = on_bytes, .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener, (void)arg;
    world.conns++;
    world.last = conn;
    conn_set_events(conn, &server_events, NULL);
}

static void open_world(struct view script, size_t conns_max)
{
    struct memory_faults faults = { .delay_us_min = 10, .delay_us_max = 50 };
    struct listen_options listen = { .accept = on_accept };
    struct http_client_options options = { .conns_max = conns_max, .answer_bytes_max = 1000 };
    memset(&world, 0, sizeof world);
    world.script = script;
    world.loop = loop_open_virtual(1, 0);
    assert_int_equal(wire_open_memory(&world.wire, world.loop, &faults), STATUS_OK);
    assert_int_equal(endpoint_parse(VIEW("bank:80"), &options.to), STATUS_OK);
    assert_int_equal(listen_open(world.wire, &options.to, &listen, &world.listener), STATUS_OK);
    assert_int_equal(http_client_open(&world.client, world.wire, world.loop, &options), STATUS_OK);
}

static void close_world(void)
{
    http_client_close(world.client);
    wire_close(world.wire);
    loop_close(world.loop);
}

static void pass(int64_t us)
{
    int64_t until_us = loop_now_us(world.loop) + us;
    while (loop_step(world.loop, until_us)) {
    }
}

static void on_done(void *arg, const struct http_answer *answer)
{
    struct result *result = arg;
    result->done++;
    result->status = answer->status;
    result->may_have_left = answer->bytes_may_have_left;
    result->http_status = answer->http_status;
    result->body_len = answer->body.len;
    (void)snprintf(result->body, sizeof result->body, "%.*s", (int)answer->body.len,
                   answer->body.len > 0 ? (const char *)answer->body.ptr : "");
    for (size_t i = 0; i < answer->header_count; i++) {
        if (view_equal_nocase(answer->headers[i].name, VIEW("x-test")))
            (void)snprintf(result->header, sizeof result->header, "%.*s",
                           (int)answer->headers[i].value.len, answer->headers[i].value.ptr);
    }
}

static struct http_call *call(int which, const char *method, struct view body)
{
    struct http_call *made = NULL;
    struct http_header header = { .name = VIEW("Authorization"), .value = VIEW("Bearer x") };
    assert_int_equal(http_call(world.client, method, VIEW("/path?q=1"), &header, 1, body,
                               2 * LOOP_US_PER_S, on_done, &world.results[which], &made),
                     STATUS_OK);
    assert_int_equal(world.results[which].done, 0);
    return made;
}

static void expect(int which, enum status status, int http_status, const char *body)
{
    assert_int_equal(world.results[which].done, 1);
    assert_int_equal(world.results[which].status, status);
    assert_int_equal(world.results[which].http_status, http_status);
    assert_string_equal(world.results[which].body, body);
}

static void test_a_call_and_its_answer(void **state)
{
    (void)state;
    open_world(VIEW("HTTP/1.1 201 Created\r\nX-Test:  yes \r\nContent-Length: 5\r\n\r\nhello"), 0);
    call(0, "POST", VIEW("{}"));
    pass(LOOP_US_PER_S);
    expect(0, STATUS_OK, 201, "hello");
    assert_string_equal(world.results[0].header, "yes");
    assert_string_equal(world.got, "POST /path?q=1 HTTP/1.1\r\nHost: bank:80\r\n"
                                   "Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}");
    call(1, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    expect(1, STATUS_OK, 201, "hello");
    assert_int_equal(world.conns, 1); /* kept */
    close_world();
}

static void test_forms_of_answers(void **state)
{
    (void)state;
    static const struct {
        struct view script;
        bool close_after;
        const char *method;
        enum status status;
        int http_status;
        const char *body;
    } rows[] = {
        { VIEW("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
               "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
          false, "GET", STATUS_OK, 200, "abc" },
        { VIEW("HTTP/1.1 200 OK\r\n\r\nuntil the end"), true, "GET", STATUS_OK, 200,
          "until the end" },
        { VIEW("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), true, "GET", STATUS_OK, 200,
          "ok" },
        { VIEW("HTTP/1.1 204 No Content\r\n\r\n"), false, "GET", STATUS_OK, 204, "" },
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), false, "HEAD", STATUS_OK, 200, "" },
        { VIEW("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), false,
          "POST", STATUS_OK, 200, "x" },
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), true, "GET", STATUS_CLOSED, 0,
          "" },
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), false,
          "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab"),
          false, "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/1.1 20 OK\r\n\r\n"), false, "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/2.0 200 OK\r\n\r\n"), false, "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("SSH-2.0-x\r\n"), false, "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), false, "GET", STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), false, "GET",
          STATUS_MALFORMED, 0, "" },
        { VIEW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"), false, "GET",
          STATUS_MALFORMED, 0, "" }, /* 1001 bytes: over the client's limit */
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), false, "GET", STATUS_FULL, 0,
          "" }, /* the same */
        { VIEW("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"), false, "HEAD", STATUS_OK,
          200, "" },
        { VIEW_EMPTY, true, "GET", STATUS_CLOSED, 0, "" },
        { VIEW_EMPTY, false, "GET", STATUS_TIMEOUT, 0, "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        open_world(rows[i].script, 0);
        world.close_after = rows[i].close_after;
        call(0, rows[i].method, VIEW_EMPTY);
        pass(10 * LOOP_US_PER_S);
        expect(0, rows[i].status, rows[i].http_status, rows[i].body);
        assert_true(world.results[0].may_have_left);
        close_world();
    }
}

static void test_nobody_there(void **state)
{
    (void)state;
    open_world(VIEW_EMPTY, 0);
    listen_close(world.listener);
    call(0, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    expect(0, STATUS_REFUSED, 0, "");
    assert_false(world.results[0].may_have_left);
    close_world();
}

static void test_calls_share_links(void **state)
{
    (void)state;
    open_world(VIEW("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), 2);
    for (int i = 0; i < 6; i++)
        call(i, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    for (int i = 0; i < 6; i++)
        expect(i, STATUS_OK, 200, "x");
    assert_int_equal(world.conns, 2);
    close_world();
}

static void test_cancel_and_close(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    open_world(VIEW_EMPTY, 1);
    struct http_call *sent = call(0, "GET", VIEW_EMPTY);
    struct http_call *waiting = call(1, "GET", VIEW_EMPTY);
    call(2, "GET", VIEW_EMPTY);
    pass(1000);
    http_call_cancel(waiting);
    http_call_cancel(sent);
    pass(1000);
    call(3, "GET", VIEW_EMPTY);
    pass(1000);
    http_client_close(world.client);
    world.client = NULL;
    assert_int_equal(world.results[0].done, 0);
    assert_int_equal(world.results[1].done, 0);
    expect(2, STATUS_CANCELED, 0, "");
    expect(3, STATUS_CANCELED, 0, "");
    assert_true(world.results[2].may_have_left);
    assert_false(world.results[3].may_have_left);
    close_world();
    assert_int_equal(vault_in_use(), before);
}

static void test_no_end_of_the_body(void **state)
{
    (void)state;
    static char script[1200];
    memset(script, 'x', sizeof script);
    memcpy(script, "HTTP/1.1 200 OK\r\n\r\n", 19);
    open_world(view_of(script, 19 + 1001), 0);
    world.close_after = true;
    call(0, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    expect(0, STATUS_FULL, 0, "");
    close_world();
}

static void test_idle_connections_are_let_go(void **state)
{
    (void)state;
    open_world(VIEW("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), 2);
    struct http_client_options options = { .conns_max = 2, .idle_max_us = LOOP_US_PER_S };
    assert_int_equal(endpoint_parse(VIEW("bank:80"), &options.to), STATUS_OK);
    http_client_close(world.client);
    assert_int_equal(http_client_open(&world.client, world.wire, world.loop, &options), STATUS_OK);
    call(0, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S / 2);
    assert_int_equal(http_client_conns(world.client), 1);
    call(1, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S * 9 / 10); /* counts from the last answer */
    assert_int_equal(world.conns, 1);
    assert_int_equal(http_client_conns(world.client), 1);
    pass(LOOP_US_PER_S / 5);
    assert_int_equal(http_client_conns(world.client), 0);
    call(2, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S / 2);
    expect(2, STATUS_OK, 200, "x");
    assert_int_equal(world.conns, 2);
    close_world();
}

static void test_may_have_left(void **state)
{
    (void)state;
    open_world(VIEW_EMPTY, 1);
    struct http_call *first = call(0, "GET", VIEW_EMPTY), *second = call(1, "GET", VIEW_EMPTY);
    assert_false(http_call_may_have_left(first));
    pass(1000);
    assert_true(http_call_may_have_left(first));
    assert_false(http_call_may_have_left(second));
    close_world();
}

static void test_crash(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    for (int64_t us = 0; us < 200; us += 10) {
        open_world(VIEW_EMPTY, 1);
        call(0, "GET", VIEW_EMPTY);
        call(1, "GET", VIEW_EMPTY);
        pass(us);
        wire_crash(world.wire, NULL);
        http_client_abandon(world.client);
        world.client = NULL;
        pass(10 * LOOP_US_PER_S);
        assert_int_equal(world.results[0].done + world.results[1].done, 0);
        close_world();
        assert_int_equal(vault_in_use(), before);
    }
}

static void test_line_ends_are_not_sent(void **state)
{
    (void)state;
    open_world(VIEW_EMPTY, 1);
    struct http_header header = { .name = VIEW("X"), .value = VIEW("a\r\nY: b") };
    assert_int_equal(http_call(world.client, "GET", VIEW("/ HTTP/1.1\r\n"), NULL, 0, VIEW_EMPTY, 1,
                               on_done, NULL, NULL),
                     STATUS_MALFORMED);
    assert_int_equal(
        http_call(world.client, "GET", VIEW("/"), &header, 1, VIEW_EMPTY, 1, on_done, NULL, NULL),
        STATUS_MALFORMED);
    close_world();
}

/* --- answers without an end */
static char pieces[256];
static struct http_call *streaming;

static void on_piece(void *arg, int http_status, struct view bytes)
{
    size_t len = strlen(pieces);
    (void)arg;
    (void)snprintf(pieces + len, sizeof pieces - len, "[%d %.*s]", http_status, (int)bytes.len,
                   bytes.len > 0 ? (const char *)bytes.ptr : "");
}

static void test_an_answer_piece_by_piece(void **state)
{
    (void)state;
    static uint8_t flood[3000]; /* more than an answer may have otherwise */
    open_world(VIEW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"), 0);
    memset(pieces, 0, sizeof pieces);
    streaming = call(0, "GET", VIEW_EMPTY);
    http_call_stream(streaming, on_piece);
    pass(LOOP_US_PER_S);
    assert_string_equal(pieces, "[200 ][200 one]");
    for (int i = 0; i < 4; i++) { /* each within the longest silence, all together far beyond it */
        assert_int_equal(conn_write(world.last, VIEW("3\r\nmor\r\n")), STATUS_OK);
        pass(3 * LOOP_US_PER_S / 2);
    }
    assert_string_equal(pieces, "[200 ][200 one][200 mor][200 mor][200 mor][200 mor]");
    pieces[0] = '\0';
    http_call_pause(streaming);
    pass(10 * LOOP_US_PER_S); /* silence that we asked for */
    assert_int_equal(conn_write(world.last, VIEW("1\r\nx\r\n")), STATUS_OK);
    pass(LOOP_US_PER_S);
    assert_string_equal(pieces, "");
    http_call_resume(streaming);
    pass(LOOP_US_PER_S / 10);
    assert_string_equal(pieces, "[200 x]");
    memset(flood, '\n', sizeof flood);
    assert_int_equal(conn_write(world.last, VIEW("bb8\r\n")), STATUS_OK);
    assert_int_equal(conn_write(world.last, view_of(flood, sizeof flood)), STATUS_OK);
    assert_int_equal(conn_write(world.last, VIEW("\r\n0\r\n\r\n")), STATUS_OK);
    pass(LOOP_US_PER_S);
    expect(0, STATUS_OK, 200, "");
    close_world();
}

static void test_a_silent_stream_is_given_up(void **state)
{
    (void)state;
    open_world(VIEW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
    memset(pieces, 0, sizeof pieces);
    http_call_stream(call(0, "GET", VIEW_EMPTY), on_piece);
    pass(3 * LOOP_US_PER_S);
    assert_string_equal(pieces, "[200 ]");
    expect(0, STATUS_TIMEOUT, 0, "");
    close_world();
}

static void test_one_call_for_each_connection(void **state)
{
    (void)state;
    open_world(VIEW("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 0);
    http_client_close(world.client);
    struct http_client_options options = { .one_call_each = true };
    assert_int_equal(endpoint_parse(VIEW("bank:80"), &options.to), STATUS_OK);
    assert_int_equal(http_client_open(&world.client, world.wire, world.loop, &options), STATUS_OK);
    call(0, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    assert_non_null(strstr(world.got, "\r\nConnection: close\r\n"));
    call(1, "GET", VIEW_EMPTY);
    pass(LOOP_US_PER_S);
    expect(1, STATUS_OK, 200, "");
    assert_int_equal(world.conns, 2); /* also when the other side says nothing of closing */
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_and_its_answer),
        cmocka_unit_test(test_forms_of_answers),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_calls_share_links),
        cmocka_unit_test(test_cancel_and_close),
        cmocka_unit_test(test_line_ends_are_not_sent),
        cmocka_unit_test(test_no_end_of_the_body),
        cmocka_unit_test(test_idle_connections_are_let_go),
        cmocka_unit_test(test_may_have_left),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_an_answer_piece_by_piece),
        cmocka_unit_test(test_a_silent_stream_is_given_up),
        cmocka_unit_test(test_one_call_for_each_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
