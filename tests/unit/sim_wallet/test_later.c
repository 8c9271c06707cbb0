/* test_later.c - what happens without a request: expiry, late and double payments, static codes,
 * open payments and refunds, notices until they are acknowledged, magic amounts, knobs. */
#include "shop.h"

#include <stdio.h>

static int start(void **state)
{
    static struct shop s;
    shop_open(&s);
    *state = &s;
    return 0;
}

static int stop(void **state)
{
    shop_close(*state);
    return 0;
}

static void an_order_expires_and_is_told(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_wait(s, 59999);
    assert_int_equal(s->notices, 0);
    shop_wait(s, 1);
    assert_int_equal(s->notices, 1);
    assert_non_null(strstr(s->notice, "\"type\":\"order.expired\""));
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\"}", "\"reason\":\"expired\"");
    shop_ask(s, "POST", "/v1/orders/att_1/cancel", "%s", "");
    shop_expect(s, 200, "\"state\":\"expired\"");
    assert_int_equal(shop_entries(s), 0);
}

static void a_bad_provider_books_late(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\",\"late\":true}", "\"results\":[]");
    shop_wait(s, 60500);
    assert_non_null(strstr(s->notice, "order.expired"));
    shop_wait(s, 500);
    assert_non_null(strstr(s->notice, "order.paid"));
    assert_int_equal(s->notices, 2);
    shop_order(s, "att_2", "12.50", 60);
    shop_ask(s, "POST", "/v1/orders/att_2/cancel", "%s", "");
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_2\",\"phone\":\"phone-late\"}", "paid");
    assert_non_null(strstr(s->notice, "\"order_id\":\"att_2\""));
    assert_int_equal(shop_entries(s), 2);
    assert_non_null(strstr(s->body, "\"after_its_end\":true"));
}

static void scans_after_a_while_and_never(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\",\"never\":true}", "\"results\":[]");
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\",\"after_ms\":500}", "\"results\":[]");
    shop_wait(s, 499);
    assert_int_equal(s->notices, 0);
    shop_wait(s, 1);
    assert_int_equal(s->notices, 1);
    assert_int_equal(shop_total(s, "paid_minor"), 1250);
}

static void a_static_code_is_paid_as_often_as_scanned(void **state)
{
    struct shop *s = *state;
    char scan[700];
    shop_control(s, "PUT", "/knobs", "{\"settings\":{\"notice_url\":\"" NOTICE_URL "\"}}",
                 "\"notice_url\":\"https");
    (void)snprintf(scan, sizeof scan, "{\"code\":\"%s\",\"phone\":\"phone-twice\"}",
                   shop_code("table-4", "3.00", false));
    shop_control(s, "POST", "/scan", scan, "\"order_id\":\"\"");
    assert_int_equal(s->notices, 2);
    assert_non_null(strstr(s->notice, "\"order_id\":\"\",\"provider_id\":\"wp_00000002\","
                                      "\"reference\":\"table-4\",\"state\":\"paid\""));
    shop_ask(s, "GET", "/v1/references/table-4", "%s", "");
    shop_expect(s, 200, "wp_00000001");
    shop_expect(s, 200, "wp_00000002");
    shop_ask(s, "GET", "/v1/references/table-5", "%s", "");
    shop_expect(s, 200, "{\"payments\":[]}");
    shop_ask(s, "POST", "/v1/refunds",
             "{\"refund_id\":\"ref_1\",\"order_id\":\"wp_00000002\",\"amount\":\"%s\","
             "\"currency\":\"EUR\"}",
             "1.00");
    shop_expect(s, 201, "done");
    (void)snprintf(scan, sizeof scan, "{\"code\":\"%s\"}", shop_code("free", "4.0", false));
    scan[strlen(scan) - 4] ^= 1;
    shop_control(s, "POST", "/scan", scan, "\"reason\":\"crc\"");
    (void)snprintf(scan, sizeof scan, "{\"code\":\"%s\",\"phone\":\"phone-blocked\"}",
                   shop_code("table-6", "3.00", false));
    shop_control(s, "POST", "/scan", scan, "wallet_blocked");
    assert_int_equal(shop_total(s, "paid_minor"), 600);
    assert_int_equal(shop_total(s, "refunded_minor"), 100);
}

static void open_payments_and_refunds_settle_later(void **state)
{
    static const struct {
        const char *amount, *word;
    } ROWS[] = { { "91.11", "payment.paid" }, { "91.12", "payment.declined" }, { "91.13", NULL } };
    struct shop *s = *state;
    for (size_t i = 0; i < 3; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "att_%zu", i);
        s->notices = 0;
        shop_ask(s, "POST", "/v1/payments",
                 "{\"order_id\":\"%s\",\"code\":\"%s\",\"amount\":\"%s\",\"currency\":\"EUR\","
                 "\"notice_url\":\"" NOTICE_URL "\"}",
                 id, shop_code(id, ROWS[i].amount, true), ROWS[i].amount);
        shop_expect(s, 202, "\"state\":\"open\"");
        shop_wait(s, 3000);
        assert_int_equal(s->notices, ROWS[i].word != NULL);
        if (ROWS[i].word != NULL)
            assert_non_null(strstr(s->notice, ROWS[i].word));
    }
    assert_int_equal(shop_total(s, "payments_minor"), 9111);
    shop_ask(s, "POST", "/v1/refunds",
             "{\"refund_id\":\"ref_1\",\"order_id\":\"att_0\",\"amount\":\"%s\","
             "\"currency\":\"EUR\",\"notice_url\":\"" NOTICE_URL "\"}",
             "91.11");
    shop_expect(s, 202, "\"state\":\"open\"");
    shop_ask(s, "POST", "/v1/refunds",
             "{\"refund_id\":\"ref_2\",\"order_id\":\"att_0\",\"amount\":\"%s\","
             "\"currency\":\"EUR\"}",
             "0.01");
    shop_expect(s, 402, "over_paid"); /* the open one is set aside */
    shop_wait(s, 3000);
    assert_non_null(strstr(s->notice, "\"type\":\"refund.done\""));
    assert_int_equal(shop_total(s, "refunded_minor"), 9111);
}

static void notices_until_acknowledged(void **state)
{
    struct shop *s = *state;
    s->acknowledge = 503;
    shop_order(s, "att_1", "12.50", 600);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\"}", "paid");
    assert_int_equal(s->notices, 1);
    shop_wait(s, 1000);
    assert_int_equal(s->notices, 2);
    shop_wait(s, 1999);
    assert_int_equal(s->notices, 2);
    s->acknowledge = 200;
    shop_wait(s, 1);
    assert_int_equal(s->notices, 3);
    shop_wait(s, 500000);
    assert_int_equal(s->notices, 3);
    assert_int_equal(shop_entries(s), 1);
}

static void magic_orders(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "91.01", 60);
    shop_wait(s, 50);
    assert_int_equal(s->notices, 1);
    shop_order(s, "att_2", "191.02", 60);
    shop_wait(s, 50);
    assert_non_null(strstr(s->notice, "\"paid_amount\":\"191.01\""));
    shop_order(s, "att_3", "91.04", 60);
    shop_wait(s, 50);
    assert_int_equal(shop_entries(s), 3);
    shop_order(s, "att_4", "91.06", 60);
    shop_wait(s, 50);
    assert_int_equal(shop_entries(s), 3);
    shop_order(s, "att_5", "91.03", 60);
    shop_wait(s, 60500);
    assert_int_equal(shop_entries(s), 3);
    shop_wait(s, 500);
    assert_int_equal(shop_entries(s), 4);
    shop_control(s, "PUT", "/knobs", "{\"settings\":{\"magic\":false}}", "\"magic\":false");
    shop_order(s, "att_6", "91.01", 60);
    shop_wait(s, 50);
    assert_int_equal(shop_entries(s), 4);
}

static void knobs_and_reset(void **state)
{
    static const char *const BAD[] = { "{\"settings\":{\"oops\":1}}",
                                       "{\"settings\":{\"slow_ms\":-1}}",
                                       "{\"settings\":{\"balances\":{\"nobody\":1}}}",
                                       "{\"settings\":{\"balances\":{\"phone-1\":-1}}}",
                                       "{\"keys\":{\"shop-1\":\"12\"}}",
                                       "{\"settings\":{\"slow_ms\":1},\"keys\":{\"\":\"00\"}}" };
    struct shop *s = *state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct writer w = writer_over(s->body, sizeof s->body - 1);
        assert_int_equal(http_host_set(s->host, view_text(BAD[i]), s->now_us, &w),
                         STATUS_MALFORMED);
    }
    shop_control(s, "GET", "/knobs", "", "\"slow_ms\":3000");
    shop_control(s, "PUT", "/knobs", "{\"settings\":{\"balances\":{\"phone-1\":100}}}", "");
    shop_order(s, "att_1", "1.01", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\"}", "insufficient_funds");
    shop_control(s, "PUT", "/knobs",
                 "{\"keys\":{\"shop-3\":"
                 "\"0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f\"}}",
                 "");
    s->merchant = "shop-3";
    shop_order(s, "att_1", "91.11", 60);
    shop_expect(s, 201, "open");
    shop_control(s, "POST", "/reset", "", "ok");
    shop_ask(s, "GET", "/v1/orders/att_1", "%s", "");
    shop_expect(s, 404, "not_found");
    shop_wait(s, 100000);
    assert_int_equal(s->notices, 0);
}

static void odd_orders_on_the_control_port(void **state)
{
    static const struct {
        const char *path, *json;
        int http_status;
    } ROWS[] = { { "/scan", "", 400 },
                 { "/scan", "{}", 400 },
                 { "/scan", "{\"order_id\":\"x\"}", 404 },
                 { "/scan", "{\"order_id\":\"att_1\",\"phone\":\"x\"}", 404 },
                 { "/scan", "{\"order_id\":\"att_1\",\"amount\":\"1.0\"}", 400 },
                 { "/scan", "{\"order_id\":\"att_1\",\"oops\":1}", 400 },
                 { "/scan", "{\"order_id\":\"att_1\",\"code\":\"1\"}", 400 },
                 { "/present", "{\"phone\":\"x\"}", 404 },
                 { "/cancel", "{\"order_id\":\"x\"}", 404 },
                 { "/none", "{}", 404 } };
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        uint8_t text[1024];
        struct writer w = writer_over(text, sizeof text);
        int got = http_host_control(s->host, VIEW("POST"), view_text(ROWS[i].path), VIEW_EMPTY,
                                    view_text(ROWS[i].json), s->now_us, &w);
        if (got != ROWS[i].http_status)
            fail_msg("%s %s: %d %.*s", ROWS[i].path, ROWS[i].json, got, (int)w.len,
                     (const char *)text);
    }
    assert_int_equal(shop_entries(s), 0);
    shop_control(s, "GET", "/orders", "", "att_1");
    shop_control(s, "GET", "/payments", "", "{\"payments\":[]}");
    shop_control(s, "GET", "/phones", "", "phone-slow");
    shop_control(s, "GET", "/stats", "", "\"scans\":0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
        T(an_order_expires_and_is_told),
        T(a_bad_provider_books_late),
        T(scans_after_a_while_and_never),
        T(a_static_code_is_paid_as_often_as_scanned),
        T(open_payments_and_refunds_settle_later),
        T(notices_until_acknowledged),
        T(magic_orders),
        T(knobs_and_reset),
        T(odd_orders_on_the_control_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
