/* test_host.c - what stands around a brain: each accident by itself, order in time, notices. */
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

#define FAULT_(body) "{\"faults\":[{\"fault\":" body "}]}"

static void answers_at_once_and_in_order(void **state)
{
    struct desk *d = *state;
    assert_false(desk_take(d));
    assert_int_equal(http_host_next_us(d->host), INT64_MAX);
    uint64_t late = desk_ask(d, "POST", "/later", "1"), soon = desk_ask(d, "POST", "/add", "2");
    assert_true(desk_take(d));
    desk_expect(d, soon, 201, "3");
    assert_true(view_is(sim_header(d->last.headers, "content-type"), "text/plain"));
    assert_false(desk_take(d));
    assert_int_equal(http_host_next_us(d->host), d->now_us + 5000);
    assert_true(desk_wait(d));
    desk_expect(d, late, 201, "1");
    uint64_t first = desk_ask(d, "POST", "/add", "1"), second = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect(d, first, 201, "4");
    assert_true(desk_take(d));
    desk_expect(d, second, 201, "5");
    uint64_t too_long = desk_ask(d, "POST", "/long", "");
    assert_true(desk_take(d));
    assert_int_equal(d->last.id, too_long);
    assert_int_equal(d->last.http_status, 500);
}

static void headers_are_found_by_their_whole_name(void **state)
{
    struct view lines = VIEW("x-signature-old: 1\nx-signature: t=1,v1=2\nempty:\nlast: z");
    (void)state;
    assert_true(view_is(sim_header(lines, "x-signature"), "t=1,v1=2"));
    assert_true(view_is(sim_header(lines, "last"), "z"));
    assert_int_equal(sim_header(lines, "empty").len, 0);
    assert_int_equal(sim_header(lines, "absent").len, 0);
}

static void drop_before_booking(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"drop_before_booking\",\"next\":1"));
    uint64_t id = desk_ask(d, "POST", "/add", "5");
    assert_true(desk_take(d));
    desk_expect_how(d, id, HTTP_HOST_CLOSE);
    assert_int_equal(d->counter->asked, 0);
    id = desk_ask(d, "POST", "/add", "5");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "5");
}

static void drop_after_booking_only_that_amount(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"drop_after_booking\",\"amount_minor\":6,\"path\":\"/ad\","
                       "\"method\":\"POST\""));
    uint64_t id = desk_ask(d, "POST", "/add", "5");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "5");
    id = desk_ask(d, "POST", "/add", "6");
    assert_true(desk_take(d));
    desk_expect_how(d, id, HTTP_HOST_CLOSE);
    assert_int_equal(d->counter->sum, 11);
    id = desk_ask(d, "PUT", "/add", "6");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "17");
    id = desk_ask(d, "POST", "/other", "6");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "23");
}

static void delay_is_of_the_answer_only(void **state)
{
    struct desk *d = *state;
    int64_t asked_us = d->now_us;
    desk_set(d, FAULT_("\"delay\",\"ms\":20,\"next\":1"));
    uint64_t id = desk_ask(d, "POST", "/add", "5");
    assert_int_equal(d->counter->sum, 5);
    assert_false(desk_take(d));
    assert_true(desk_wait(d));
    assert_int_equal(d->now_us, asked_us + 20000);
    desk_expect(d, id, 201, "5");
}

static void late_booking_is_of_the_booking_too(void **state)
{
    struct desk *d = *state;
    int64_t asked_us = d->now_us;
    desk_set(d, FAULT_("\"late_booking\",\"ms\":20,\"next\":1"));
    uint64_t late = desk_ask(d, "POST", "/add", "5");
    assert_int_equal(d->counter->asked, 0);
    d->now_us += 10000;
    uint64_t soon = desk_ask(d, "POST", "/add", "7");
    assert_true(desk_take(d));
    desk_expect(d, soon, 201, "7");
    d->now_us += 50000; /* a timer that fires late changes nothing for the brain */
    assert_true(desk_take(d));
    desk_expect(d, late, 201, "12");
    assert_int_equal(d->counter->asked_at_us, asked_us + 20000);
}

static void reorder_lets_the_next_one_overtake(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"reorder\",\"next\":1"));
    uint64_t first = desk_ask(d, "POST", "/add", "1"), second = desk_ask(d, "POST", "/add", "10");
    assert_true(desk_wait(d));
    desk_expect(d, second, 201, "10");
    assert_true(desk_wait(d));
    desk_expect(d, first, 201, "11");
}

static void what_was_held_back_comes_before_a_later_request(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"reorder\",\"ms\":10,\"next\":1"));
    uint64_t first = desk_ask(d, "POST", "/add", "1");
    d->now_us += 11000;
    uint64_t second = desk_ask(d, "POST", "/add", "10"); /* nobody took anything meanwhile */
    assert_true(desk_take(d));
    desk_expect(d, first, 201, "1");
    assert_true(desk_take(d));
    desk_expect(d, second, 201, "11");
}

static void duplicate_is_handled_twice_answered_once(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"duplicate\",\"next\":1"));
    uint64_t id = desk_ask(d, "POST", "/add", "5");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "5");
    assert_false(desk_wait(d));
    assert_int_equal(d->counter->sum, 10);
    assert_int_equal(d->counter->asked, 2);
}

static void garble_changes_as_many_bytes(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"garble\",\"bytes\":2,\"next\":1"));
    uint64_t id = desk_ask(d, "POST", "/add", "12345");
    assert_true(desk_take(d));
    desk_expect_how(d, id, HTTP_HOST_WHOLE);
    assert_int_equal(d->last.body.len, 5);
    size_t changed = 0;
    for (size_t i = 0; i < 5; i++)
        changed += d->last.body.ptr[i] != (uint8_t) "12345"[i];
    assert_int_equal(changed, 2);
    assert_int_equal(d->counter->sum, 12345);
}

static void cut_half_close_and_reset(void **state)
{
    static const struct {
        const char *json;
        enum http_host_how how;
    } ROWS[] = { { FAULT_("\"cut\",\"bytes\":2"), HTTP_HOST_CUT },
                 { FAULT_("\"half_close\""), HTTP_HOST_HALF_CLOSE },
                 { FAULT_("\"reset\""), HTTP_HOST_RESET } };
    struct desk *d = *state;
    for (size_t i = 0; i < 3; i++) {
        desk_set(d, ROWS[i].json);
        uint64_t id = desk_ask(d, "POST", "/add", "1000");
        assert_true(desk_take(d));
        desk_expect_how(d, id, ROWS[i].how);
        assert_int_equal(d->last.cut_bytes, i == 0 ? 2 : 0);
        assert_int_equal(d->counter->sum, 1000 * (int64_t)(i + 1));
    }
}

static void status_is_not_handled(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"status\",\"status\":503,\"skip\":1,\"next\":1"));
    uint64_t id = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "1");
    id = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect_how(d, id, HTTP_HOST_WHOLE);
    assert_int_equal(d->last.http_status, 503);
    assert_int_equal(d->counter->asked, 1);
}

static void dice_follow_the_seed(void **state)
{
    struct desk *d = *state;
    uint8_t seen[2][200];
    for (size_t run = 0; run < 2; run++) {
        size_t hit = 0;
        struct desk own;
        desk_open(&own);
        desk_set(&own, FAULT_("\"drop_before_booking\",\"per_million\":300000"));
        for (size_t i = 0; i < 200; i++) {
            desk_ask(&own, "POST", "/add", "1");
            assert_true(desk_take(&own));
            seen[run][i] = (uint8_t)own.last.how;
            hit += own.last.how == HTTP_HOST_CLOSE;
        }
        assert_in_range(hit, 30, 90);
        desk_close(&own);
    }
    assert_memory_equal(seen[0], seen[1], sizeof seen[0]);
    (void)d;
}

static void the_first_rule_of_a_kind_counts(void **state)
{
    struct desk *d = *state;
    int64_t asked_us = d->now_us;
    desk_set(d, "{\"faults\":[{\"fault\":\"delay\",\"ms\":7,\"next\":1},"
                "{\"fault\":\"delay\",\"ms\":9},{\"fault\":\"cut\"}]}");
    uint64_t id = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_wait(d));
    desk_expect_how(d, id, HTTP_HOST_CUT);
    assert_int_equal(d->now_us, asked_us + 7000);
    desk_ask(d, "POST", "/add", "1");
    assert_true(desk_wait(d));
    assert_int_equal(d->now_us, asked_us + 16000);
}

/* --- notices ----------------------------------------------------------------------------- */
static void a_notice_is_repeated_until_acknowledged(void **state)
{
    struct desk *d = *state;
    uint64_t id = desk_ask(d, "POST", "/notice", "8");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "8"); /* first, although the notice was sent before it was ready */
    assert_true(desk_take(d));
    desk_expect_notice(d, "8");
    assert_true(view_is(sim_header(d->last.headers, "x-signature"), "abc"));
    uint64_t first = d->last.id;
    assert_false(desk_take(d));
    int64_t failed_us = d->now_us += 300;
    http_host_notice_done(d->host, first, 503, d->now_us);
    assert_int_equal(d->counter->last_done, -9);
    assert_true(desk_wait(d));
    assert_int_equal(d->now_us, failed_us + 1000);
    desk_expect_notice(d, "8");
    failed_us = d->now_us;
    http_host_notice_done(d->host, d->last.id, 0, d->now_us);
    assert_true(desk_wait(d));
    assert_int_equal(d->now_us, failed_us + 2000); /* doubled */
    http_host_notice_done(d->host, d->last.id, 204, d->now_us);
    assert_int_equal(d->counter->last_done, 204);
    assert_int_equal(d->counter->last_tag, 1);
    assert_false(desk_wait(d));
    http_host_notice_done(d->host, first, 200, d->now_us); /* known no more: nothing happens */
}

static void a_notice_is_given_up(void **state)
{
    struct desk *d = *state;
    desk_ask(d, "POST", "/notice", "8");
    for (int i = 0; i < 3; i++) {
        while (desk_wait(d) && d->last.what == HTTP_HOST_ANSWER)
            ;
        desk_expect_notice(d, "8");
        http_host_notice_done(d->host, d->last.id, 500, d->now_us);
    }
    assert_int_equal(d->counter->last_done, 500);
    assert_false(desk_wait(d));
}

static void accidents_of_notices(void **state)
{
    struct desk *d = *state;
    desk_set(d, FAULT_("\"notice_drop\",\"next\":1,\"path\":\"/notices/counter\""));
    desk_ask(d, "POST", "/notice", "1");
    assert_true(desk_wait(d));
    assert_int_equal(d->last.what, HTTP_HOST_ANSWER);
    assert_false(desk_wait(d));
    assert_int_equal(d->counter->last_done, -1);

    desk_set(d, FAULT_("\"notice_duplicate\",\"next\":1"));
    desk_ask(d, "POST", "/notice", "2");
    assert_true(desk_wait(d)); /* the answer */
    assert_true(desk_wait(d));
    desk_expect_notice(d, "2");
    uint64_t original = d->last.id;
    assert_true(desk_wait(d));
    desk_expect_notice(d, "2");
    assert_int_not_equal(d->last.id, original);
    http_host_notice_done(d->host, d->last.id, 500, d->now_us); /* a copy is not repeated */
    http_host_notice_done(d->host, original, 200, d->now_us);
    assert_false(desk_wait(d));
    assert_int_equal(d->counter->last_done, 200);

    desk_set(d, FAULT_("\"notice_unsigned\",\"next\":1"));
    desk_ask(d, "POST", "/notice", "3");
    assert_true(desk_wait(d));
    assert_true(desk_wait(d));
    desk_expect_notice(d, "3");
    assert_true(view_is(d->last.headers, "content-type: text/plain\n"));
    http_host_notice_done(d->host, d->last.id, 200, d->now_us);

    desk_set(d, FAULT_("\"notice_garble\",\"next\":1"));
    desk_ask(d, "POST", "/notice", "444");
    assert_true(desk_wait(d));
    assert_true(desk_wait(d));
    assert_false(view_is(d->last.body, "444"));
    http_host_notice_done(d->host, d->last.id, 400, d->now_us);
    assert_true(desk_wait(d));
    desk_expect_notice(d, "444"); /* the repeat is whole: it is a sending of its own */
    http_host_notice_done(d->host, d->last.id, 200, d->now_us);
}

static void late_notices_are_overtaken(void **state)
{
    static const char *const NAMES[] = { FAULT_("\"notice_delay\",\"next\":1"),
                                         FAULT_("\"notice_reorder\",\"next\":1") };
    static const int64_t WAIT_US[] = { 1000000, 200000 };
    struct desk *d = *state;
    for (size_t i = 0; i < 2; i++) {
        int64_t asked_us = d->now_us;
        desk_set(d, NAMES[i]);
        desk_ask(d, "POST", "/notice", "1");
        desk_ask(d, "POST", "/notice", "2");
        assert_true(desk_wait(d));
        assert_true(desk_wait(d));
        assert_true(desk_wait(d));
        desk_expect_notice(d, "2");
        http_host_notice_done(d->host, d->last.id, 200, d->now_us);
        assert_true(desk_wait(d));
        desk_expect_notice(d, "1");
        assert_int_equal(d->now_us, asked_us + WAIT_US[i]);
        http_host_notice_done(d->host, d->last.id, 200, d->now_us);
    }
    assert_false(desk_wait(d));
}

/* --- down -------------------------------------------------------------------------------- */
static void down_and_up_again(void **state)
{
    struct desk *d = *state;
    uint64_t waiting = desk_ask(d, "POST", "/later", "1");
    desk_control(d, "POST", "/start", "", "{\"in_us\":1000}");
    desk_set(d, "{\"down_ms\":50}");
    int64_t up_us = d->now_us + 50000;
    assert_true(desk_take(d));
    desk_expect_how(d, waiting, HTTP_HOST_CLOSE);
    uint64_t lost = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect_how(d, lost, HTTP_HOST_CLOSE);
    assert_int_equal(d->counter->sum, 1);
    assert_true(desk_wait(d)); /* what its clock would have done waits for its end */
    desk_expect_notice(d, "tick");
    assert_int_equal(d->now_us, up_us);
    desk_set(d, "{\"down_ms\":-1}");
    assert_false(desk_wait(d));
    desk_set(d, "{\"down_ms\":0}");
    uint64_t id = desk_ask(d, "POST", "/add", "1");
    assert_true(desk_take(d));
    desk_expect(d, id, 201, "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
        T(answers_at_once_and_in_order),
        T(headers_are_found_by_their_whole_name),
        T(drop_before_booking),
        T(drop_after_booking_only_that_amount),
        T(delay_is_of_the_answer_only),
        T(late_booking_is_of_the_booking_too),
        T(reorder_lets_the_next_one_overtake),
        T(what_was_held_back_comes_before_a_later_request),
        T(duplicate_is_handled_twice_answered_once),
        T(garble_changes_as_many_bytes),
        T(cut_half_close_and_reset),
        T(status_is_not_handled),
        T(dice_follow_the_seed),
        T(the_first_rule_of_a_kind_counts),
        T(a_notice_is_repeated_until_acknowledged),
        T(a_notice_is_given_up),
        T(accidents_of_notices),
        T(late_notices_are_overtaken),
        T(down_and_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
