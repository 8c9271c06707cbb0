/* test_http_hostile.c - malformed and smuggling-style requests, over sockets and over memory.
 *
 * Every request in the table is followed by a second, proper one in the same bytes. A server that
 * misjudges where the first one ends would answer the second as well; so each row demands exactly
 * one answer, with the status of the row, and then the end of the connection.
 */
#include "raw_http.h"

#include "base/ensure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct row {
    const char *name;
    struct view bytes;
    int http_status; /* 200: the handler sees it, once */
};

#define HOST    "Host: a.example\r\n"
#define CLOSE   "Connection: close\r\n"
#define POST    "POST /p HTTP/1.1\r\n" HOST
#define CHUNKED POST CLOSE "Transfer-Encoding: chunked\r\n\r\n"
#define SECOND  "GET /second HTTP/1.1\r\n" HOST "\r\n"

/* clang-format off */
static const struct row rows[] = {
    /* proper ones, so that the table can fail the other way round */
    { "plain get", VIEW("GET / HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200 },
    { "post with length", VIEW(POST CLOSE "Content-Length: 3\r\n\r\nabc"), 200 },
    { "post with length 0", VIEW(POST CLOSE "Content-Length: 0\r\n\r\n"), 200 },
    { "post in chunks", VIEW(CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), 200 },
    { "chunks with trailers", VIEW(CHUNKED "1\r\na\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n"), 200 },
    { "empty header value", VIEW("GET / HTTP/1.1\r\n" HOST "X:\r\n" CLOSE "\r\n"), 200 },
    { "blank header value", VIEW("GET / HTTP/1.1\r\n" HOST "X: \t \r\n" CLOSE "\r\n"), 200 },
    { "tab in a header value", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\tb\r\n" CLOSE "\r\n"), 200 },
    { "HTTP/1.0 closes", VIEW("GET / HTTP/1.0\r\n" HOST "\r\n"), 200 },
    { "HTTP/1.0 without host", VIEW("GET / HTTP/1.0\r\n\r\n"), 200 },
    { "HTTP/1.0 asks to be kept", VIEW("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200 },
    { "upgrade is ignored", VIEW("GET / HTTP/1.1\r\n" HOST "Connection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n"), 200 },
    { "upgrade with a body is ignored", VIEW(POST "Connection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab"), 200 },
    { "another method", VIEW("DELETE /x HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200 },

    /* length and coding */
    { "length and chunked", VIEW(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "chunked and length", VIEW(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "length twice, same", VIEW(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "length twice, other", VIEW(POST "Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc"), 400 },
    { "length as a list", VIEW(POST "Content-Length: 3, 3\r\n\r\nabc"), 400 },
    { "length with a sign", VIEW(POST "Content-Length: +3\r\n\r\nabc"), 400 },
    { "length negative", VIEW(POST "Content-Length: -3\r\n\r\nabc"), 400 },
    { "length hexadecimal", VIEW(POST "Content-Length: 0x3\r\n\r\nabc"), 400 },
    { "length with leading zero", VIEW(POST "Content-Length: 03\r\n\r\nabc"), 400 },
    { "length with a blank inside", VIEW(POST "Content-Length: 1 0\r\n\r\n0123456789"), 400 },
    { "length empty", VIEW(POST "Content-Length: \r\n\r\n"), 400 },
    { "length over 64 bits", VIEW(POST "Content-Length: 18446744073709551617\r\n\r\na"), 400 },
    { "length a fraction", VIEW(POST "Content-Length: 3.0\r\n\r\nabc"), 400 },
    { "length too large", VIEW(POST "Content-Length: 65537\r\n\r\n"), 413 },
    { "coding identity", VIEW(POST "Transfer-Encoding: identity\r\n\r\n"), 400 },
    { "coding gzip, chunked", VIEW(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "coding chunked, chunked", VIEW(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "coding twice", VIEW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "coding chunked, identity", VIEW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"), 400 },
    { "coding xchunked", VIEW(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400 },
    { "coding chunked with parameter", VIEW(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"), 400 },
    { "coding with vertical tab", VIEW(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "coding empty", VIEW(POST "Transfer-Encoding:\r\n\r\n"), 400 },
    { "coding in HTTP/1.0", VIEW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "name with blank before colon", VIEW(POST "Content-Length : 3\r\n\r\nabc"), 400 },
    { "coding name with tab before colon", VIEW(POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"), 400 },

    /* chunks */
    { "chunk size empty", VIEW(CHUNKED "\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size with prefix", VIEW(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size with sign", VIEW(CHUNKED "+3\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size with blank before", VIEW(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size with blank behind", VIEW(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size not hexadecimal", VIEW(CHUNKED "3g\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size overflow", VIEW(CHUNKED "FFFFFFFFFFFFFFFF1\r\na\r\n0\r\n\r\n"), 400 },
    { "chunk size nine digits", VIEW(CHUNKED "000000003\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk larger than the limit", VIEW(CHUNKED "10001\r\n"), 413 },
    { "chunks together over the limit", VIEW(CHUNKED "1\r\na\r\n10000\r\n"), 413 },
    { "chunk extension", VIEW(CHUNKED "3;a=b\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk extension without name", VIEW(CHUNKED "3;\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk extension hiding a line end", VIEW(CHUNKED "3;a\nx\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk line ends in LF", VIEW(CHUNKED "3\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk line ends in CR", VIEW(CHUNKED "3\rabc\r\n0\r\n\r\n"), 400 },
    { "chunk longer than it says", VIEW(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 400 },
    { "chunk shorter than it says", VIEW(CHUNKED "5\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk data ends in LF", VIEW(CHUNKED "3\r\nabc\n0\r\n\r\n"), 400 },
    { "last chunk ends in LF", VIEW(CHUNKED "0\n\n"), 400 },
    { "trailer with blank before colon", VIEW(CHUNKED "0\r\nX : y\r\n\r\n"), 400 },
    { "trailer folded", VIEW(CHUNKED "0\r\nX: y\r\n z\r\n\r\n"), 400 },
    { "trailer with NUL", VIEW(CHUNKED "0\r\nX: \0\r\n\r\n"), 400 },

    /* lines */
    { "line ends in LF", VIEW("GET / HTTP/1.1\n" HOST "\r\n"), 400 },
    { "header ends in LF", VIEW("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
    { "all lines end in LF", VIEW("GET / HTTP/1.1\nHost: a\n\n"), 400 },
    { "last line ends in LF", VIEW("GET / HTTP/1.1\r\n" HOST "\n"), 400 },
    { "bare CR in a value", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"), 400 },
    { "bare CR hides a header", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\rContent-Length: 5\r\n\r\n"), 400 },
    { "bare LF hides a header", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\nContent-Length: 5\r\n\r\n"), 400 },
    { "CR CR LF", VIEW("GET / HTTP/1.1\r\r\n" HOST "\r\n"), 400 },
    { "folded line", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), 400 },
    { "folded line with tab", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"), 400 },
    { "folded first line", VIEW("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400 },
    { "folded coding", VIEW(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 400 },
    { "NUL in a value", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), 400 },
    { "NUL in a name", VIEW("GET / HTTP/1.1\r\n" HOST "X\0Y: a\r\n\r\n"), 400 },
    { "control byte in a value", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\x01" "b\r\n\r\n"), 400 },
    { "DEL in a value", VIEW("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"), 400 },
    { "header without colon", VIEW("GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n"), 400 },
    { "header without name", VIEW("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"), 400 },
    { "name with parenthesis", VIEW("GET / HTTP/1.1\r\n" HOST "X(Y): a\r\n\r\n"), 400 },
    { "name beyond ASCII", VIEW("GET / HTTP/1.1\r\n" HOST "\xc3\x84: a\r\n\r\n"), 400 },
    { "empty line first", VIEW("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400 },

    /* request line */
    { "no host", VIEW("GET / HTTP/1.1\r\n\r\n"), 400 },
    { "host twice", VIEW("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400 },
    { "host twice in HTTP/1.0", VIEW("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400 },
    { "host empty", VIEW("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
    { "host with a path", VIEW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
    { "host with a user", VIEW("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400 },
    { "host with two names", VIEW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400 },
    { "absolute target", VIEW("GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "authority target", VIEW("GET b.example:80 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "asterisk target", VIEW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "fragment in the target", VIEW("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "NUL in the target", VIEW("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "target beyond ASCII", VIEW("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "tab in the request line", VIEW("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "two blanks in the request line", VIEW("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "blank before the line end", VIEW("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400 },
    { "blank first", VIEW(" GET / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "HTTP/0.9", VIEW("GET /\r\n"), 400 },
    { "HTTP/2 preface", VIEW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
    { "HTTP/2.0", VIEW("GET / HTTP/2.0\r\n" HOST "\r\n"), 505 },
    { "HTTP/1.2", VIEW("GET / HTTP/1.2\r\n" HOST "\r\n"), 505 },
    { "HTTP/1.10", VIEW("GET / HTTP/1.10\r\n" HOST "\r\n"), 400 },
    { "version in small letters", VIEW("GET / http/1.1\r\n" HOST "\r\n"), 400 },
    { "another protocol", VIEW("DESCRIBE / RTSP/1.0\r\n" HOST "\r\n"), 400 },
    { "CONNECT", VIEW("CONNECT b.example:443 HTTP/1.1\r\n" HOST "\r\n"), 405 },
    { "unknown method", VIEW("BREW / HTTP/1.1\r\n" HOST "\r\n"), 501 },
    { "method in small letters", VIEW("get / HTTP/1.1\r\n" HOST "\r\n"), 501 },
    { "endless method", VIEW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n"), 501 },
    { "method with a bracket", VIEW("GE[T / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "TLS hello", VIEW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400 },
    { "expectation unknown", VIEW(POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"), 417 },
    { "expectation twice", VIEW(POST "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"), 417 },
};
/* clang-format on */

static void check(const struct row *row, const struct raw *raw, size_t split)
{
    int status = 0;
    int answers = raw_answers(raw, &status, 1);
    int calls = row->http_status == 200 ? 1 : 0;
    if (answers == 1 && status == row->http_status && raw->calls == calls && raw->closed)
        return;
    fail_msg("%s (split at %zu): %d answers, first %d, expected %d; %d calls; closed %d; got: %.*s",
             row->name, split, answers, status, row->http_status, raw->calls, raw->closed,
             (int)raw->reply_len, (const char *)raw->reply);
}

/* The row and the second request, cut in two at `split` with time between. */
static void play(const struct row *row, enum raw_kind kind, size_t split)
{
    static struct raw raw; /* large */
    uint8_t bytes[2048];
    struct writer w = writer_over(bytes, sizeof bytes);
    writer_view(&w, row->bytes);
    writer_text(&w, SECOND);
    assert_false(w.overflow);
    raw.limits = (struct http_limits){ 0 };
    raw_open(&raw, kind, split);
    raw_connect(&raw);
    assert_true(raw.opened);
    raw_send(&raw, view_slice(writer_done(&w), 0, split));
    if (split < w.len) {
        raw_pass(&raw, 1000);
        raw_send(&raw, view_slice(writer_done(&w), split, w.len));
    }
    raw_until_closed(&raw);
    check(row, &raw, split);
    raw_close(&raw);
}

static size_t whole(const struct row *row)
{
    return row->bytes.len + sizeof SECOND - 1;
}

static void test_one_answer_over_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        play(&rows[i], RAW_MEMORY, whole(&rows[i]));
}

static void test_one_answer_over_sockets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        play(&rows[i], RAW_REAL, whole(&rows[i]));
}

/* Where the bytes are cut by the network must not matter. */
static void test_every_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t split = 1; split < rows[i].bytes.len; split++)
            play(&rows[i], RAW_MEMORY, split);
    }
}

/* --- limits ------------------------------------------------------------------------------ */
static void big_row(struct raw *raw, struct view start, size_t filler, struct view end)
{
    uint8_t piece[1024];
    memset(piece, 'a', sizeof piece);
    raw_open(raw, RAW_MEMORY, 1);
    raw_connect(raw);
    raw_send(raw, start);
    for (size_t left = filler; left > 0;) {
        size_t len = left < sizeof piece ? left : sizeof piece;
        raw_send(raw, view_of(piece, len));
        raw_pass(raw, 100);
        left -= len;
    }
    raw_send(raw, end);
    raw_until_closed(raw);
}

static void expect_one(struct raw *raw, int http_status)
{
    int status = 0;
    assert_int_equal(raw_answers(raw, &status, 1), 1);
    assert_int_equal(status, http_status);
    assert_true(raw->closed);
    raw_close(raw);
}

static void test_too_large_parts(void **state)
{
    (void)state;
    static struct raw raw;
    raw.limits = (struct http_limits){ 0 };
    big_row(&raw, VIEW("GET /"), 9000, VIEW(" HTTP/1.1\r\n" HOST "\r\n" SECOND));
    expect_one(&raw, 414);
    big_row(&raw, VIEW("GET / HTTP/1.1\r\n" HOST "X: "), 17000, VIEW("\r\n\r\n" SECOND));
    expect_one(&raw, 431);
    big_row(&raw, VIEW("GET / HTTP/1.1\r\n" HOST), 17000, VIEW(": x\r\n\r\n" SECOND));
    expect_one(&raw, 431);
    big_row(&raw, VIEW(CHUNKED "0\r\nX: "), 17000, VIEW("\r\n\r\n" SECOND));
    expect_one(&raw, 431);
    big_row(&raw, VIEW(POST CLOSE "Content-Length: 65536\r\n\r\n"), 65536, VIEW_EMPTY);
    assert_int_equal(raw.body_len, 65536);
    expect_one(&raw, 200);
}

static void test_too_many_headers(void **state)
{
    (void)state;
    static struct raw raw;
    for (int lines = 63; lines <= 64; lines++) {
        uint8_t bytes[2048];
        struct writer w = writer_over(bytes, sizeof bytes);
        writer_text(&w, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < lines; i++)
            writer_text(&w, "X: y\r\n");
        writer_text(&w, CLOSE "\r\n"); /* Host, the X lines, Connection: lines + 1 in all */
        raw.limits = (struct http_limits){ 0 };
        raw_open(&raw, RAW_MEMORY, 1);
        raw_connect(&raw);
        raw_send(&raw, writer_done(&w));
        raw_until_closed(&raw);
        expect_one(&raw, lines + 1 <= HTTP_HEADERS_MAX ? 200 : 431);
    }
}

/* --- slowness (virtual time) ------------------------------------------------------------- */
static void drip(struct raw *raw, const char *start, const char *drop, int64_t every_us)
{
    int64_t begin_us = loop_now_us(raw->loop);
    raw_send(raw, view_text(start));
    while (!raw->closed && loop_now_us(raw->loop) - begin_us < 60 * LOOP_US_PER_S) {
        raw_send(raw, view_text(drop));
        raw_pass(raw, every_us);
    }
}

static void test_slow_headers_and_bodies(void **state)
{
    (void)state;
    static struct raw raw;
    raw.limits = (struct http_limits){ 0 };
    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    int64_t begin_us = loop_now_us(raw.loop);
    drip(&raw, "GET / HTTP/1.1\r\n", "X-Slow: y\r\n", LOOP_US_PER_S);
    int64_t took_us = loop_now_us(raw.loop) - begin_us;
    assert_true(took_us >= 5 * LOOP_US_PER_S && took_us < 8 * LOOP_US_PER_S);
    expect_one(&raw, 408);

    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    drip(&raw, POST "Content-Length: 1000\r\n\r\n", "x", LOOP_US_PER_S);
    expect_one(&raw, 408);

    raw_open(&raw, RAW_MEMORY, 1);
    raw_connect(&raw);
    raw_until_closed(&raw); /* says nothing: closed without an answer */
    assert_int_equal(raw.reply_len, 0);
    assert_true(raw.closed);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_answer_over_memory),
        cmocka_unit_test(test_one_answer_over_sockets),
        cmocka_unit_test(test_every_cut_gives_the_same),
        cmocka_unit_test(test_too_large_parts),
        cmocka_unit_test(test_too_many_headers),
        cmocka_unit_test(test_slow_headers_and_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
