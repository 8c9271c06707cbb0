/* test_http_server.c - the proper life of HTTP connections: keeping, pipelining, waiting, leaving.
 */
#include "raw_http.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HOST            "Host: a\r\n"
#define GET(path)       "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define GET_CLOSE(path) "GET " path " HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"

static struct raw raw; /* large */

static void start(enum raw_answering answering)
{
    memset(&raw, 0, sizeof raw);
    raw.answering = answering;
    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
}

static bool reply_has(const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at + len <= raw.reply_len; at++) {
        if (memcmp(raw.reply + at, text, len) == 0)
            return true;
    }
    return false;
}

static void test_a_request_is_seen_as_it_was_sent(void **state)
{
    (void)state;
    start(RAW_AT_ONCE);
    raw_send(&raw, VIEW("POST /v1/x?a=1&b=%20 HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"));
    raw_pass(&raw, 1000);
    assert_string_equal(raw.last, "POST /v1/x|a=1&b=%20|abcd");
    assert_true(reply_has("Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
    assert_false(reply_has("Connection: close"));
    raw_send(&raw, VIEW("POST /y HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                        "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"));
    raw_pass(&raw, 1000);
    assert_string_equal(raw.last, "POST /y||abcde");
    assert_int_equal(raw_answers(&raw, NULL, 0), 2);
    assert_false(raw.closed);
    raw_close(&raw);
}

static void pipelined(enum raw_answering answering, enum raw_kind kind)
{
    memset(&raw, 0, sizeof raw);
    raw.answering = answering;
    raw_open(&raw, kind, 1);
    raw_connect(&raw);
    raw_send(&raw, VIEW(GET("/1") "POST /2 HTTP/1.1\r\n" HOST
                                  "Content-Length: 3\r\n\r\nabc" GET("/3") GET_CLOSE("/4")));
    raw_until_closed(&raw);
    int statuses[4] = { 0 };
    assert_int_equal(raw_answers(&raw, statuses, 4), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(statuses[i], 200);
    assert_int_equal(raw.calls, 4);
    assert_string_equal(raw.last, "GET /4||");
    raw_close(&raw);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    pipelined(RAW_AT_ONCE, RAW_MEMORY);
    pipelined(RAW_LATER, RAW_MEMORY);
    pipelined(RAW_AT_ONCE, RAW_REAL);
    pipelined(RAW_LATER, RAW_REAL);
}

/* A flood behind a request that is not answered must not be read in. */
static void test_reading_stops_while_a_request_waits(void **state)
{
    (void)state;
    start(RAW_NEVER);
    uint8_t flood[4096];
    memset(flood, 'x', sizeof flood);
    raw_send(&raw, VIEW(GET("/")));
    raw_pass(&raw, 1000);
    assert_non_null(raw.held);
    for (int i = 0; i < 200; i++) {
        raw_send(&raw, view_of(flood, sizeof flood));
        raw_pass(&raw, 1000);
    }
    assert_true(conn_out_pending(raw.conn) > 200000); /* it piles up at the sender */
    raw_close(&raw);
}

static void test_continue_is_said_once_and_only_when_needed(void **state)
{
    (void)state;
    start(RAW_AT_ONCE);
    int statuses[2] = { 0 };
    raw_send(&raw, VIEW("POST / HTTP/1.1\r\n" HOST
                        "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    raw_pass(&raw, 1000);
    assert_int_equal(raw_answers(&raw, statuses, 2), 1);
    assert_int_equal(statuses[0], 100);
    raw_send(&raw, VIEW("ab"));
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, statuses, 2), 2);
    assert_int_equal(statuses[1], 200);
    raw_close(&raw);

    start(RAW_AT_ONCE);
    raw_send(&raw,
             VIEW("POST / HTTP/1.1\r\n" HOST
                  "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"));
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, statuses, 2), 1);
    raw_close(&raw);

    start(RAW_AT_ONCE); /* too large: refused instead of invited */
    raw_send(&raw, VIEW("POST / HTTP/1.1\r\n" HOST
                        "Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n"));
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, statuses, 2), 1);
    assert_int_equal(statuses[0], 413);
    raw_close(&raw);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    start(RAW_AT_ONCE);
    raw_send(&raw, VIEW("HEAD / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    raw_until_closed(&raw);
    assert_true(reply_has("Content-Length: 6\r\n"));
    assert_true(reply_has("\r\n\r\n"));
    assert_false(reply_has("call 1"));
    raw_close(&raw);
}

static void test_client_leaves_before_the_answer(void **state)
{
    (void)state;
    start(RAW_LATER);
    raw_send(&raw, VIEW(GET("/")));
    raw_pass(&raw, 100);
    assert_non_null(raw.held);
    conn_abort(raw.conn);
    raw_pass(&raw, 100);
    assert_true(http_client_gone(raw.held));
    assert_int_equal(http_server_running(raw.server), 1);
    raw_pass(&raw, 1000); /* the handler answers into the void */
    assert_int_equal(http_server_running(raw.server), 0);
    assert_int_equal(http_server_conns(raw.server), 0);
    raw_close(&raw);
}

static void test_client_half_closes_and_still_gets_its_answer(void **state)
{
    (void)state;
    for (int kind = RAW_MEMORY; kind <= RAW_REAL; kind++) {
        memset(&raw, 0, sizeof raw);
        raw.answering = RAW_LATER;
        raw_open(&raw, (enum raw_kind)kind, 1);
        raw_connect(&raw);
        raw_send(&raw, VIEW(GET("/")));
        conn_half_close(raw.conn);
        raw_until_closed(&raw);
        assert_int_equal(raw_answers(&raw, NULL, 0), 1);
        raw_close(&raw);
    }
}

static void test_half_a_request_and_the_end(void **state)
{
    (void)state;
    int status = 0;
    start(RAW_AT_ONCE);
    raw_send(&raw, VIEW("GET / HTTP/1.1\r\nHos"));
    conn_half_close(raw.conn);
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, &status, 1), 1);
    assert_int_equal(status, 400);
    assert_int_equal(raw.calls, 0);
    raw_close(&raw);
}

static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    start(RAW_AT_ONCE);
    raw_send(&raw, VIEW(GET("/")));
    raw_pass(&raw, 70 * LOOP_US_PER_S);
    assert_false(raw.closed);
    raw_pass(&raw, 10 * LOOP_US_PER_S);
    assert_true(raw.closed);
    assert_int_equal(raw_answers(&raw, NULL, 0), 1);
    raw_close(&raw);
}

static void test_conns_max(void **state)
{
    (void)state;
    memset(&raw, 0, sizeof raw);
    raw.limits.conns_max = 1;
    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    assert_true(raw.opened);
    struct conn *first = raw.conn;
    raw_connect(&raw);
    assert_false(raw.opened);
    assert_int_equal(raw.why, STATUS_REFUSED);
    conn_close(first);
    raw_pass(&raw, 1000);
    raw_connect(&raw);
    assert_true(raw.opened);
    raw_close(&raw);
}

static void test_conns_give_way(void **state)
{
    (void)state;
    memset(&raw, 0, sizeof raw);
    raw.limits.conns_max = 1;
    raw.limits.give_way = true;
    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    assert_true(raw.opened);
    raw_connect(&raw); /* takes the place of the first, which only holds a connection */
    assert_true(raw.opened);
    raw_pass(&raw, 1000);
    assert_true(raw.closed);
    raw_close(&raw);
}

static void test_requests_per_connection(void **state)
{
    (void)state;
    memset(&raw, 0, sizeof raw);
    raw.limits.requests_per_conn_max = 2;
    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    raw_send(&raw, VIEW(GET("/") GET("/") GET("/")));
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, NULL, 0), 2);
    assert_true(reply_has("Connection: close"));
    raw_close(&raw);
}

static void test_drain_answers_what_runs(void **state)
{
    (void)state;
    start(RAW_LATER);
    raw_send(&raw, VIEW(GET("/")));
    raw_pass(&raw, 100);
    http_server_drain(raw.server);
    raw_until_closed(&raw);
    assert_int_equal(raw_answers(&raw, NULL, 0), 1);
    assert_true(reply_has("Connection: close"));
    raw_connect(&raw);
    assert_int_equal(raw.why, STATUS_REFUSED);
    raw_close(&raw);
}

static void test_a_crash_leaves_nothing_to_answer(void **state)
{
    (void)state;
    start(RAW_NEVER);
    raw_send(&raw, VIEW(GET("/")));
    raw_pass(&raw, 100);
    wire_crash(raw.wire, NULL);
    raw_pass(&raw, LOOP_US_PER_S);
    http_respond(raw.held, 200, NULL, NULL, 0, VIEW("late")); /* goes nowhere, breaks nothing */
    assert_int_equal(raw.reply_len, 0);
    raw_close(&raw);
}

static void test_query_values(void **state)
{
    (void)state;
    char out[8];
    struct writer w = writer_over(out, sizeof out);
    struct view query = VIEW("a=1&bb=x%2Fy+z&c=%4&d&a=2");
    assert_int_equal(http_query_value(query, "bb", &w), STATUS_OK);
    assert_true(view_is(writer_done(&w), "x/y z"));
    w = writer_over(out, sizeof out);
    assert_int_equal(http_query_value(query, "a", &w), STATUS_OK);
    assert_true(view_is(writer_done(&w), "1"));
    w = writer_over(out, sizeof out);
    assert_int_equal(http_query_value(query, "d", &w), STATUS_OK);
    assert_int_equal(w.len, 0);
    assert_int_equal(http_query_value(query, "c", &w), STATUS_MALFORMED);
    assert_int_equal(http_query_value(query, "b", &w), STATUS_NOT_FOUND);
    w = writer_over(out, 2);
    assert_int_equal(http_query_value(query, "bb", &w), STATUS_FULL);
}

static void test_names_of_a_query(void **state)
{
    (void)state;
    static const struct {
        const char *query, *known, *told;
        enum http_query_names is;
    } cases[] = {
        { "", "", "", HTTP_NAMES_GOOD },
        { "limit=2&cursor=limits", "cursor limit", "", HTTP_NAMES_GOOD },
        { "&limit&&", "limit", "", HTTP_NAMES_GOOD },
        { "limit=2", "", "limit", HTTP_NAME_UNKNOWN },
        { "limit=2&limits=2", "cursor limit", "limits", HTTP_NAME_UNKNOWN },
        { "limi=2", "cursor limit", "limi", HTTP_NAME_UNKNOWN },
        { "cursor%20limit=2", "cursor limit", "cursor%20limit", HTTP_NAME_UNKNOWN },
        { "=2", "limit", "", HTTP_NAME_UNKNOWN },
        { "Limit=2", "limit", "Limit", HTTP_NAME_UNKNOWN },
        { "limit=2&cursor=1&limit=2", "cursor limit", "limit", HTTP_NAME_TWICE },
        { "limit&limit", "limit", "limit", HTTP_NAME_TWICE },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view told;
        assert_int_equal(http_query_names(view_text(cases[i].query), cases[i].known, &told),
                         cases[i].is);
        assert_true(view_is(told, cases[i].told));
    }
}

static void test_no_vault_memory_is_left(void **state)
{
    (void)state;
    size_t before = vault_in_use();
    pipelined(RAW_LATER, RAW_MEMORY);
    pipelined(RAW_LATER, RAW_REAL);
    assert_int_equal(vault_in_use(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_seen_as_it_was_sent),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_reading_stops_while_a_request_waits),
        cmocka_unit_test(test_continue_is_said_once_and_only_when_needed),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_client_leaves_before_the_answer),
        cmocka_unit_test(test_client_half_closes_and_still_gets_its_answer),
        cmocka_unit_test(test_half_a_request_and_the_end),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_conns_max),
        cmocka_unit_test(test_conns_give_way),
        cmocka_unit_test(test_requests_per_connection),
        cmocka_unit_test(test_drain_answers_what_runs),
        cmocka_unit_test(test_a_crash_leaves_nothing_to_answer),
        cmocka_unit_test(test_query_values),
        cmocka_unit_test(test_names_of_a_query),
        cmocka_unit_test(test_no_vault_memory_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
