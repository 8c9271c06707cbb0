/* test_control.c - the control port and the knobs body: what is taken, what is refused whole. */
#include "counter_brain.h"

static int start(void **state)
{
    static struct desk d;
    desk_open(&d);
    *state = &d;
    return 0;
}

static int stop(void **state)
{
    desk_close(*state);
    return 0;
}

static void knobs_are_set_shown_and_added(void **state)
{
    struct desk *d = *state;
    const char *text = desk_control(d, "PUT", "/knobs", "",
                                    "{\"settings\":{\"step\":4},\"faults\":[{\"fault\":\"cut\","
                                    "\"path\":\"/v1\",\"bytes\":3}]}");
    assert_int_equal(d->http_status, 200);
    assert_string_equal(text, "{\"settings\":{\"step\":4},\"faults\":[{\"fault\":\"cut\","
                              "\"path\":\"/v1\",\"skip\":0,\"next\":-1,\"per_million\":1000000,"
                              "\"bytes\":3,\"hits\":0}],\"down_ms\":0}\n");
    char kept[1024];
    strcpy(kept, text);
    desk_control(d, "POST", "/knobs", "", "{\"faults\":[{\"fault\":\"reset\",\"next\":1}]}");
    assert_non_null(strstr((const char *)d->text, "\"reset\""));
    assert_non_null(strstr((const char *)d->text, "\"cut\""));
    assert_string_equal(desk_control(d, "PUT", "/knobs", "", kept), kept);
}

static void bad_knobs_change_nothing(void **state)
{
    static const char *const BAD[] = {
        "",
        "[]",
        "{\"faults\":{}}",
        "{\"faults\":[1]}",
        "{\"faults\":[{\"fault\":\"none such\"}]}",
        "{\"faults\":[{\"fault\":\"none\"}]}",
        "{\"faults\":[{\"fault\":\"cut\",\"oops\":1}]}",
        "{\"faults\":[{\"fault\":\"cut\",\"ms\":1}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"bytes\":1}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"ms\":-1}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"ms\":1.5}]}",
        "{\"faults\":[{\"fault\":\"status\"}]}",
        "{\"faults\":[{\"fault\":\"status\",\"status\":204}]}",
        "{\"faults\":[{\"fault\":\"status\",\"status\":600}]}",
        "{\"faults\":[{\"fault\":\"cut\",\"status\":500}]}",
        "{\"faults\":[{\"fault\":\"drop_before_booking\",\"amount_minor\":5}]}",
        "{\"faults\":[{\"fault\":\"cut\"}],\"down_ms\":-2}",
        "{\"faults\":[{\"fault\":\"cut\"}],\"settings\":{\"step\":\"x\"}}",
        "{\"settings\":{\"step\":9},\"faults\":[{\"fault\":\"none such\"}]}",
        "{\"oops\":1}",
    };
    struct desk *d = *state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const char *text = desk_control(d, "PUT", "/knobs", "", BAD[i]);
        if (d->http_status != 400 || strncmp(text, "{\"error\":\"", 10) != 0)
            fail_msg("%s: %d %s", BAD[i], d->http_status, text);
        assert_string_equal(desk_control(d, "GET", "/knobs", "", ""),
                            "{\"settings\":{\"step\":1},\"faults\":[],\"down_ms\":0}\n");
    }
}

static void commands(void **state)
{
    struct desk *d = *state;
    desk_ask(d, "POST", "/add", "5");
    assert_string_equal(desk_control(d, "GET", "/ledger", "limit=3&from=2", ""),
                        "{\"sum\":5,\"from\":2,\"limit\":3}\n");
    desk_control(d, "GET", "/ledger", "from=x", "");
    assert_int_equal(d->http_status, 400);
    desk_control(d, "DELETE", "/ledger", "", "");
    assert_int_equal(d->http_status, 405);
    assert_string_equal(desk_control(d, "POST", "/nothing", "", ""),
                        "{\"error\":\"no such command\"}\n");
    assert_int_equal(d->http_status, 404);
    assert_string_equal(desk_control(d, "POST", "/start", "", "{}"),
                        "{\"error\":\"in_us must be a number\"}\n");
    assert_int_equal(d->http_status, 400);
    desk_control(d, "POST", "/start", "", "{");
    assert_int_equal(d->http_status, 400);
    assert_string_equal(desk_control(d, "POST", "/start", "", "{\"in_us\":10}"),
                        "{\"started\":true}\n");
    assert_int_equal(http_host_next_us(d->host), d->now_us); /* the answer of /add */
    assert_non_null(strstr(desk_control(d, "GET", "/stats", "", ""), "\"requests\":1,"));
    struct writer small = writer_over(d->text, 8);
    assert_int_equal(http_host_control(d->host, VIEW("GET"), VIEW("/stats"), VIEW_EMPTY, VIEW_EMPTY,
                                       d->now_us, &small),
                     500);
}

static void reset_forgets(void **state)
{
    struct desk *d = *state;
    desk_set(d, "{\"faults\":[{\"fault\":\"delay\"}],\"settings\":{\"step\":5}}");
    uint64_t id = desk_ask(d, "POST", "/notice", "5");
    assert_true(desk_take(d));
    desk_expect_notice(d, "5"); /* the answer waits */
    uint64_t notice = d->last.id;
    assert_string_equal(desk_control(d, "POST", "/reset", "", ""), "{\"ok\":true}\n");
    assert_true(desk_take(d));
    desk_expect_how(d, id, HTTP_HOST_CLOSE);
    assert_int_equal(d->counter->sum, 0);
    assert_int_equal(d->counter->step, 1);
    http_host_notice_done(d->host, notice, 500, d->now_us);
    assert_false(desk_wait(d));
    id = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(knobs_are_set_shown_and_added, start, stop),
        cmocka_unit_test_setup_teardown(bad_knobs_change_nothing, start, stop),
        cmocka_unit_test_setup_teardown(commands, start, stop),
        cmocka_unit_test_setup_teardown(reset_forgets, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
