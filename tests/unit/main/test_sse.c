/* test_sse.c - server-sent events, whole and in pieces of every size, with each of the line ends.
 */
#include "main/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void on_event(void *arg, const struct sse_event *event)
{
    struct writer *w = arg;
    writer_u8(w, '[');
    writer_view(w, event->id);
    writer_u8(w, '|');
    writer_view(w, event->kind);
    writer_u8(w, '|');
    writer_view(w, event->data);
    writer_u8(w, ']');
}

static void expect(struct view text, const char *wanted)
{
    for (size_t size = 1; size <= text.len; size++) {
        char got[512];
        struct writer w = writer_over(got, sizeof got);
        struct sse sse;
        sse_init(&sse, on_event, &w);
        for (size_t at = 0; at < text.len; at += size)
            assert_int_equal(sse_feed(&sse, view_slice(text, at, size)), STATUS_OK);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        assert_string_equal(got, wanted);
        sse_free(&sse);
    }
}

static void test_forms(void **state)
{
    (void)state;
    expect(VIEW("id: 1\nevent: a\ndata: x\n\n"), "[1|a|x]");
    expect(VIEW("id: 1\r\nevent: a\r\ndata: x\r\n\r\nid:2\r\ndata:y\r\n\r\n"), "[1|a|x][2||y]");
    expect(VIEW("data: x\r\rdata: y\r\r"), "[||x][||y]");
    expect(VIEW("data: x\ndata:  y\ndata\n\n"), "[||x\n y\n]");
    expect(VIEW(":\n\n: beat\n\nid: 7\n\n"), "[7||]"); /* an id alone; heartbeats are nothing */
    expect(VIEW("id: 7\n\ndata: x\n\n"), "[7||][7||x]");
    expect(VIEW("retry: 10\nother: 1\nevent: a\n\ndata: x\n\n"), "[||x]"); /* no data: no event */
    expect(VIEW("id: a\0b\ndata: x\n\n"), "[||x]");
    expect(VIEW("data: begun"), "");
}

static void test_bounds(void **state)
{
    (void)state;
    static uint8_t flood[SSE_EVENT_BYTES_MAX / 2];
    char got[64];
    struct writer w = writer_over(got, sizeof got);
    struct sse sse;
    memset(flood, 'x', sizeof flood);
    sse_init(&sse, on_event, &w);
    assert_int_equal(sse_feed(&sse, view_of(flood, sizeof flood)), STATUS_OK);
    assert_int_equal(sse_feed(&sse, view_of(flood, sizeof flood)), STATUS_OK);
    assert_int_equal(sse_feed(&sse, VIEW("x")), STATUS_FULL); /* a line without an end */
    sse_reset(&sse);
    enum status status = STATUS_OK;
    for (int i = 0; i < 4 && status == STATUS_OK; i++) { /* lines without number */
        assert_int_equal(sse_feed(&sse, VIEW("data: ")), STATUS_OK);
        assert_int_equal(sse_feed(&sse, view_of(flood, sizeof flood)), STATUS_OK);
        status = sse_feed(&sse, VIEW("\n"));
    }
    assert_int_equal(status, STATUS_FULL);
    assert_true(sse.data_room <= 2 * SSE_EVENT_BYTES_MAX);
    sse_reset(&sse);
    memset(flood, 'x', 200);
    assert_int_equal(sse_feed(&sse, VIEW("id: ")), STATUS_OK);
    assert_int_equal(sse_feed(&sse, view_of(flood, 200)), STATUS_OK);
    assert_int_equal(sse_feed(&sse, VIEW("\n")), STATUS_FULL);
    sse_free(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms),
                                        cmocka_unit_test(test_bounds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
