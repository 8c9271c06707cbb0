/* test_token.c - access tokens and keys in the headers of HTTP channels. */
#include "web_fixture.h"

#include "channel/channel_int.h"

static const struct raw_setting access_yes[] = { { .name = "access", .text = "yes", .file = "f" } };
#define OPEN(w, ...) assert_true(web_open((w), &(struct web_plan){ .servers = 1, __VA_ARGS__ }))
#define ACCESS       .raw = access_yes, .raw_count = 1

static void assert_result(const struct web_call *c, enum outcome outcome, const char *diagnosis)
{
    assert_int_equal(c->done, 1);
    assert_string_equal(outcome_word(c->result.outcome), outcome_word(outcome));
    assert_string_equal(c->diagnosis, diagnosis);
}

static void test_fetched_once_for_all(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    struct web_call *calls[5];
    for (int i = 0; i < 5; i++)
        calls[i] = web_call(&w, "");
    web_run(&w, 100);
    assert_int_equal(w.requests_count, 1);
    assert_string_equal(w.requests[0].line, "POST /token");
    assert_string_equal(w.requests[0].authorization, "");
    assert_int_equal(web_health(&w).in_flight, 5);
    web_answer(&w, 0, 200, "first 100");
    web_run(&w, 100);
    for (int i = 0; i < 5; i++)
        assert_result(calls[i], OUTCOME_APPROVED, "");
    for (int i = 1; i < 6; i++)
        assert_string_equal(w.requests[i].authorization, "Bearer first");
    assert_int_equal(web_health(&w).sent, 5); /* fetching is not a payment */
    assert_int_equal(web_health(&w).approved, 5);
    web_close(&w);
}

static void test_refreshed_in_time(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    w.servers[0].token = "first 100";
    (void)web_call(&w, "");
    web_run(&w, 70000);
    w.servers[0].token = NULL;
    (void)web_call(&w, "");
    web_run(&w, 100);
    assert_int_equal(w.servers[0].tokens, 1); /* 70 of 100 seconds: still fresh */
    web_run(&w, 15000);
    struct web_call *c = web_call(&w, ""); /* the old one holds, a new one is on its way */
    struct web_call *d = web_call(&w, "");
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    assert_result(d, OUTCOME_APPROVED, "");
    assert_int_equal(w.servers[0].tokens, 2);
    size_t held = 0;
    while (w.requests[held].request == NULL)
        held++;
    web_answer(&w, held, 200, "second 100");
    web_run(&w, 100);
    (void)web_call(&w, "");
    web_run(&w, 100);
    assert_string_equal(w.requests[w.requests_count - 1].authorization, "Bearer second");
    web_close(&w);
}

static void test_expired_is_not_used(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    w.servers[0].token = "first 10";
    (void)web_call(&w, "");
    web_run(&w, 10100);
    w.servers[0].token = "second 10";
    struct web_call *c = web_call(&w, "");
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    assert_string_equal(w.requests[3].authorization, "Bearer second");
    web_close(&w);
}

static void test_without_lifetime_until_refused(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    w.servers[0].token = "first";
    (void)web_call(&w, "");
    web_run(&w, 3600 * 1000);
    (void)web_call(&w, "");
    web_run(&w, 100);
    assert_int_equal(w.servers[0].tokens, 1);
    web_close(&w);
}

static void test_refused_token_same_bytes_again(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    w.servers[0].token = "old";
    w.servers[0].good_token = "new";
    struct web_call *c;
    assert_int_equal(web_prepare(&w, &c, ""), STATUS_OK);
    w.servers[0].token = "old 100";
    web_start(c);
    while (w.servers[0].payments == 0)
        web_run(&w, 1);
    w.servers[0].token = "new 100";
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    assert_int_equal(w.requests_count, 4);
    assert_string_equal(w.requests[1].authorization, "Bearer old");
    assert_string_equal(w.requests[2].line, "POST /token");
    assert_string_equal(w.requests[3].authorization, "Bearer new");
    assert_string_equal(w.requests[1].body, w.requests[3].body);
    assert_string_equal(w.requests[1].line, w.requests[3].line);
    web_close(&w);
}

static void test_refused_twice_goes_to_the_adapter(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].token = "bad 100";
    w.servers[0].good_token = "good";
    struct web_call *c = web_call(&w, "");
    web_run(&w, 200);
    assert_result(c, OUTCOME_REJECTED, "");
    assert_string_equal(c->code, "401");
    assert_int_equal(w.servers[0].payments, 2);
    assert_int_equal(w.servers[0].tokens, 2);
    web_close(&w);
}

/* Many at once are refused with the same token: one new one is enough for all. */
static void test_refused_together(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].answer = "A";
    w.servers[0].token = "old 100";
    (void)web_call(&w, "");
    web_run(&w, 100);
    w.servers[0].token = "new 100";
    w.servers[0].good_token = "new";
    for (int i = 0; i < 5; i++)
        (void)web_call(&w, "");
    web_run(&w, 200);
    assert_int_equal(web_health(&w).approved, 6);
    assert_int_equal(w.servers[0].tokens, 2);
    assert_int_equal(w.servers[0].payments, 1 + 5 + 5);
    web_close(&w);
}

static void test_no_new_token_after_401_is_unknown(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    w.servers[0].token = "old 100";
    w.servers[0].good_token = "new";
    struct web_call *c = web_call(&w, "");
    while (w.servers[0].payments == 0)
        web_run(&w, 1);
    w.servers[0].token_status = 500;
    web_run(&w, 200);
    assert_result(c, OUTCOME_UNKNOWN, "no access token could be had");
    web_close(&w);
}

static void test_no_token_is_not_sent(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS, .circuit_failures = 2);
    w.servers[0].token_status = 500;
    w.servers[0].token = "oops";
    struct web_call *a = web_call(&w, ""), *b = web_call(&w, "");
    web_run(&w, 100);
    assert_result(a, OUTCOME_NOT_SENT, "no access token could be had");
    assert_result(b, OUTCOME_NOT_SENT, "no access token could be had");
    assert_false(web_health(&w).circuit_open); /* one failure, not three */
    (void)web_call(&w, "");
    web_run(&w, 100);
    assert_true(web_health(&w).circuit_open);
    assert_int_equal(w.servers[0].payments, 0);
    web_close(&w);
}

static void test_no_token_in_time_is_not_sent(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    struct web_call *c = web_call(&w, "");
    web_run(&w, 990);
    assert_int_equal(c->done, 0);
    web_run(&w, 20);
    assert_result(c, OUTCOME_NOT_SENT, "no access token was there in time");
    web_answer(&w, 0, 200, "first 100"); /* comes after all, and serves the next one */
    web_run(&w, 100);
    w.servers[0].answer = "A";
    c = web_call(&w, "");
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    assert_int_equal(w.servers[0].tokens, 1);
    web_close(&w);
}

static void test_bad_grants(void **state)
{
    (void)state;
    static const char *const tokens[] = { " 100", "a\nb 100", "t\xc3\xb6 100", "t\x01 100" };
    struct web w;
    OPEN(&w, ACCESS);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        w.servers[0].token = tokens[i];
        struct web_call *c = web_call(&w, "");
        web_run(&w, 100);
        assert_result(c, OUTCOME_NOT_SENT, "no access token could be had");
    }
    w.servers[0].token = "fine 100"; /* but not the one that this request wants */
    struct web_call *c = web_call(&w, "slot_name");
    web_run(&w, 100);
    assert_result(
        c, OUTCOME_NOT_SENT,
        "a token that the adapter wants in a header is not among those that were granted");
    assert_int_equal(w.servers[0].payments, 0);
    web_close(&w);
}

static void test_waits_for_a_trace_number(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS, .no_traces = true);
    w.servers[0].answer = "A";
    w.servers[0].token = "first 100";
    struct web_call *c = web_call(&w, "");
    web_run(&w, 100);
    assert_int_equal(w.requests_count, 0);
    web_give_traces(&w);
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    web_close(&w);
}

static void test_dropped_while_it_waits(void **state)
{
    (void)state;
    struct web w;
    OPEN(&w, ACCESS);
    struct web_call *c = web_call(&w, "");
    web_run(&w, 100);
    exchange_drop(c->exchange);
    c->exchange = NULL;
    assert_int_equal(web_health(&w).in_flight, 0);
    web_answer(&w, 0, 200, "first 100");
    web_run(&w, 100);
    assert_int_equal(w.servers[0].payments, 0);
    web_close(&w);
}

static void test_ends_while_fetching(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct web w;
        OPEN(&w, ACCESS);
        struct web_call *c = web_call(&w, "");
        web_run(&w, 100);
        c->exchange = NULL; /* freed by the end */
        if (how == 0)
            web_close(&w);
        else
            web_crash(&w);
        assert_int_equal(c->done, 0);
    }
}

static void test_key_in_a_header(void **state)
{
    (void)state;
    static const struct raw_setting key[] = { { .name = "api_key", .text = "api", .file = "f" } };
    struct web w;
    OPEN(&w, .raw = key, .raw_count = 1);
    w.servers[0].answer = "A";
    struct web_call *c = web_call(&w, "");
    web_run(&w, 100);
    assert_result(c, OUTCOME_APPROVED, "");
    assert_string_equal(w.requests[0].api_key, "api-key-bytes");
    assert_string_equal(w.requests[0].authorization, "");
    w.servers[0].status = 401; /* there is no other key: straight to the adapter */
    c = web_call(&w, "");
    web_run(&w, 100);
    assert_result(c, OUTCOME_REJECTED, "");
    assert_int_equal(w.requests_count, 2);
    web_close(&w);
}

static void test_key_of_another_kind_is_not_said(void **state)
{
    (void)state;
    static const struct raw_setting key[] = { { .name = "api_key", .text = "sign", .file = "f" } };
    struct web w;
    OPEN(&w, .raw = key, .raw_count = 1);
    struct web_call *c;
    assert_int_equal(web_prepare(&w, &c, ""), STATUS_REFUSED);
    assert_string_equal(w.why, "the adapter wants a key in a header that is not of kind token");
    web_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetched_once_for_all),
        cmocka_unit_test(test_refreshed_in_time),
        cmocka_unit_test(test_expired_is_not_used),
        cmocka_unit_test(test_without_lifetime_until_refused),
        cmocka_unit_test(test_refused_token_same_bytes_again),
        cmocka_unit_test(test_refused_twice_goes_to_the_adapter),
        cmocka_unit_test(test_refused_together),
        cmocka_unit_test(test_no_new_token_after_401_is_unknown),
        cmocka_unit_test(test_no_token_is_not_sent),
        cmocka_unit_test(test_no_token_in_time_is_not_sent),
        cmocka_unit_test(test_bad_grants),
        cmocka_unit_test(test_waits_for_a_trace_number),
        cmocka_unit_test(test_dropped_while_it_waits),
        cmocka_unit_test(test_ends_while_fetching),
        cmocka_unit_test(test_key_in_a_header),
        cmocka_unit_test(test_key_of_another_kind_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
