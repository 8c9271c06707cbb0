/* test_wallet.c - stories of a merchant and phones: orders, scans, cancels, payments, charges,
 * refunds; what is refused, and that money only ever moves once. */
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

static void an_order_is_scanned_and_paid_once(void **state)
{
    struct shop *s = *state;
    int64_t all = shop_all_money(s);
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 201, "\"state\":\"open\",\"amount\":\"12.50\",\"currency\":\"EUR\"}");
    char scan[700];
    (void)snprintf(scan, sizeof scan, "{\"code\":\"%s\",\"phone\":\"phone-2\",\"times\":2}",
                   shop_code("att_1", "12.50", true));
    shop_control(s, "POST", "/scan", scan, "\"state\":\"refused\",\"reason\":\"already_paid\"");
    assert_int_equal(s->notices, 1);
    assert_non_null(strstr(s->notice, "\"type\":\"order.paid\""));
    assert_non_null(strstr(s->notice, "\"paid_amount\":\"12.50\""));
    assert_non_null(strstr(s->notice, "\"payer\":\"***e-2\",\"paid_at\":1790000000"));
    shop_ask(s, "GET", "/v1/orders/att_1", "%s", "");
    shop_expect(s, 200, "\"state\":\"paid\"");
    shop_ask(s, "POST", "/v1/orders/att_1/cancel", "%s", "");
    shop_expect(s, 409, "already_paid");
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 200, "\"state\":\"paid\"");
    assert_int_equal(shop_total(s, "paid_minor"), 1250);
    assert_int_equal(shop_entries(s), 1);
    assert_int_equal(shop_all_money(s), all);
    shop_wait(s, 120000); /* its end changes nothing */
    assert_int_equal(s->notices, 1);
}

static void orders_are_idempotent_by_content(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 201, "wp_00000001");
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 200, "wp_00000001");
    shop_order(s, "att_1", "12.51", 60);
    shop_expect(s, 409, "order_id_reused");
    shop_order(s, "att_1", "12.50", 61);
    shop_expect(s, 409, "order_id_reused");
    s->merchant = "shop-2"; /* whose key is another one */
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 401, "signature");
    s->merchant = "nobody";
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 401, "merchant");
}

static void signatures_and_clocks(void **state)
{
    struct shop *s = *state;
    s->bad_signature = true;
    shop_order(s, "att_1", "12.50", 60);
    shop_expect(s, 401, "signature");
    s->bad_signature = false;
    for (int i = 0; i < 2; i++) {
        s->clock_error_s = i == 0 ? 301 : -301;
        shop_ask(s, "GET", "/v1/orders/att_1", "%s", "");
        shop_expect(s, 401, "timestamp");
        s->clock_error_s = i == 0 ? 300 : -300;
        shop_ask(s, "GET", "/v1/orders/att_1", "%s", "");
        shop_expect(s, 404, "not_found");
    }
}

static void what_an_order_must_be(void **state)
{
    struct shop *s = *state;
    const char *code = shop_code("ref", "12.50", true);
    char dynamic[512];
    strcpy(dynamic, code);
#define ORDER(members) "{\"order_id\":\"att_9\"," members ",\"code\":\"%s\"}"
    static const struct {
        const char *format, *word;
    } ROWS[] = {
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.5\",\"currency\":\"EUR\""), "\"amount\"" },
        { ORDER("\"reference\":\"ref\",\"amount\":12.50,\"currency\":\"EUR\""), "bad_request" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.51\",\"currency\":\"EUR\""), "bad_code" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.50\",\"currency\":\"USD\""), "bad_code" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.50\",\"currency\":\"XXX\""), "currency" },
        { ORDER("\"reference\":\"other\",\"amount\":\"12.50\",\"currency\":\"EUR\""), "bad_code" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.50\",\"currency\":\"EUR\",\"x\":1"),
          "unknown_field" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.50\",\"currency\":\"EUR\","
                "\"refund_id\":\"r\""),
          "unknown_field" },
        { ORDER("\"reference\":\"ref\",\"amount\":\"12.50\",\"currency\":\"EUR\","
                "\"expires_at\":1789999999"),
          "expired" },
        { ORDER("\"amount\":\"12.50\",\"currency\":\"EUR\""), "bad_request" },
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char body[2048];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(body, sizeof body, ROWS[i].format, dynamic);
#pragma GCC diagnostic pop
        shop_ask(s, "POST", "/v1/orders", "%s", body);
        shop_expect(s, 400, ROWS[i].word);
    }
    shop_ask(s, "POST", "/v1/orders",
             ORDER("\"reference\":\"ref\",\"amount\":\"12.50\","
                   "\"currency\":\"EUR\""),
             shop_code("ref", "12.50", false));
    shop_expect(s, 400, "bad_code");
    shop_ask(s, "PUT", "/v1/orders", "%s", "");
    shop_expect(s, 405, "method");
    shop_ask(s, "GET", "/v1/orders/", "%s", "");
    shop_expect(s, 404, "not_found");
    assert_int_equal(shop_entries(s), 0);
}

static void a_canceled_order_cannot_be_paid(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_ask(s, "POST", "/v1/orders/att_1/cancel", "%s", "");
    shop_expect(s, 200, "\"state\":\"canceled\"");
    shop_ask(s, "POST", "/v1/orders/att_1/cancel", "%s", "");
    shop_expect(s, 200, "\"state\":\"canceled\"");
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\"}", "\"reason\":\"canceled\"");
    assert_int_equal(shop_entries(s), 0);
    shop_order(s, "att_2", "1.00", 60);
    shop_control(s, "POST", "/cancel", "{\"order_id\":\"att_2\"}", "canceled");
    assert_non_null(strstr(s->notice, "\"type\":\"order.canceled\""));
    shop_ask(s, "POST", "/v1/orders/att_3/cancel", "%s", "");
    shop_expect(s, 404, "not_found");
}

static void phones_have_habits(void **state)
{
    static const struct {
        const char *phone, *part;
    } ROWS[] = { { "phone-poor", "insufficient_funds" },
                 { "phone-blocked", "wallet_blocked" },
                 { "phone-declined", "declined_by_issuer" },
                 { "phone-never", "\"results\":[]" },
                 { "phone-slow", "\"results\":[]" } };
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char scan[200];
        (void)snprintf(scan, sizeof scan, "{\"order_id\":\"att_1\",\"phone\":\"%s\"}",
                       ROWS[i].phone);
        shop_control(s, "POST", "/scan", scan, ROWS[i].part);
        assert_int_equal(s->notices, 0);
    }
    shop_wait(s, 2999);
    assert_int_equal(s->notices, 0);
    shop_wait(s, 1); /* the slow one */
    assert_int_equal(s->notices, 1);
    shop_order(s, "att_2", "12.50", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_2\",\"phone\":\"phone-wrong\"}",
                 "\"paid_amount\":\"12.49\"");
    shop_order(s, "att_3", "12.50", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_3\",\"amount\":\"99.00\"}",
                 "\"amount\":\"12.50\",\"paid_amount\":\"99.00\"");
    assert_int_equal(shop_total(s, "paid_minor"), 1250 + 1249 + 9900);
}

/* --- payments and charges ---------------------------------------------------------------- */
static void pay(struct shop *s, const char *order_id, const char *amount, const char *code)
{
    shop_ask(s, "POST", "/v1/payments",
             "{\"order_id\":\"%s\",\"code\":\"%s\",\"amount\":\"%s\",\"currency\":\"EUR\","
             "\"notice_url\":\"" NOTICE_URL "\"}",
             order_id, code, amount);
}

static void payments_of_scanned_codes(void **state)
{
    struct shop *s = *state;
    char code[512];
    strcpy(code, shop_code("bill-7", "20.00", true));
    pay(s, "att_1", "20.00", code);
    shop_expect(s, 201, "\"reference\":\"bill-7\",\"state\":\"paid\"");
    pay(s, "att_1", "20.00", code);
    shop_expect(s, 201, "wp_00000001");
    pay(s, "att_1", "20.01", code);
    shop_expect(s, 409, "order_id_reused");
    pay(s, "att_2", "20.01", code);
    shop_expect(s, 400, "bad_code");
    pay(s, "att_3", "20.00", code); /* a dynamic code is paid once */
    shop_expect(s, 402, "\"reason\":\"already_paid\"");
    pay(s, "att_3", "20.00", code);
    shop_expect(s, 402, "\"reason\":\"already_paid\"");
    pay(s, "att_4", "90.51", shop_code("x", "90.51", true));
    shop_expect(s, 402, "\"reason\":\"insufficient_funds\"");
    shop_ask(s, "GET", "/v1/payments/att_4", "%s", "");
    shop_expect(s, 200, "\"state\":\"declined\"");
    shop_ask(s, "GET", "/v1/charges/att_4", "%s", "");
    shop_expect(s, 404, "not_found");
    assert_int_equal(shop_total(s, "payments_minor"), 2000);
    assert_int_equal(s->notices, 0); /* what was answered is not told again */
}

static void charge(struct shop *s, const char *order_id, const char *amount, const char *code)
{
    shop_ask(s, "POST", "/v1/charges",
             "{\"order_id\":\"%s\",\"code\":\"%s\",\"amount\":\"%s\",\"currency\":\"EUR\","
             "\"notice_url\":\"" NOTICE_URL "\"}",
             order_id, code, amount);
}

static void show(struct shop *s, const char *phone, char *code, size_t room)
{
    char json[100];
    (void)snprintf(json, sizeof json, "{\"phone\":\"%s\"}", phone);
    shop_control(s, "POST", "/present", json, "\"code\":\"hQVDUFYwMW");
    const char *at = strstr(s->body, "hQVD");
    (void)snprintf(code, room, "%.*s", (int)strcspn(at, "\""), at);
}

static void a_shown_code_is_charged_once(void **state)
{
    struct shop *s = *state;
    char code[256], other[256];
    int64_t all = shop_all_money(s);
    show(s, "phone-2", code, sizeof code);
    charge(s, "att_1", "5.00", code);
    shop_expect(s, 201, "\"payer\":\"***e-2\"");
    charge(s, "att_1", "5.00", code);
    shop_expect(s, 201, "wp_00000001");
    charge(s, "att_2", "5.00", code);
    shop_expect(s, 402, "code_used");
    show(s, "phone-poor", code, sizeof code);
    charge(s, "att_3", "5.00", code);
    shop_expect(s, 402, "insufficient_funds");
    charge(s, "att_4", "0.50", code); /* it was not charged, so it still can be */
    shop_expect(s, 201, "\"state\":\"paid\"");
    show(s, "phone-1", other, sizeof other);
    assert_string_not_equal(other, code);
    shop_wait(s, 300001);
    charge(s, "att_5", "5.00", other);
    shop_expect(s, 402, "code_expired");
    charge(s, "att_6", "5.00", "hQVDUFYwMQ==");
    shop_expect(s, 400, "bad_code");
    assert_int_equal(shop_total(s, "charged_minor"), 550);
    assert_int_equal(shop_all_money(s), all);
}

/* --- refunds ----------------------------------------------------------------------------- */
static void refund(struct shop *s, const char *refund_id, const char *order_id, const char *amount)
{
    shop_ask(s, "POST", "/v1/refunds",
             "{\"refund_id\":\"%s\",\"order_id\":\"%s\",\"amount\":\"%s\",\"currency\":\"EUR\","
             "\"notice_url\":\"" NOTICE_URL "\"}",
             refund_id, order_id, amount);
}

static void refunds_in_parts_never_more_than_paid(void **state)
{
    struct shop *s = *state;
    int64_t all = shop_all_money(s);
    refund(s, "ref_0", "att_1", "1.00");
    shop_expect(s, 404, "not_found");
    shop_order(s, "att_1", "12.50", 60);
    refund(s, "ref_0", "att_1", "1.00");
    shop_expect(s, 402, "not_paid");
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\"}", "paid");
    refund(s, "ref_1", "att_1", "10.00");
    shop_expect(s, 201,
                "\"order_id\":\"att_1\",\"provider_id\":\"wr_00000002\",\"state\":\"done\"");
    refund(s, "ref_1", "att_1", "10.00");
    shop_expect(s, 201, "wr_00000002");
    refund(s, "ref_1", "att_1", "10.01");
    shop_expect(s, 409, "refund_id_reused");
    refund(s, "ref_2", "att_1", "2.51");
    shop_expect(s, 402, "over_paid");
    refund(s, "ref_3", "att_1", "2.50");
    shop_expect(s, 201, "done");
    refund(s, "ref_4", "att_1", "0.01");
    shop_expect(s, 402, "over_paid");
    shop_ask(s, "GET", "/v1/refunds/ref_4", "%s", "");
    shop_expect(s, 200, "\"state\":\"declined\"");
    shop_ask(s, "GET", "/v1/refunds/ref_9", "%s", "");
    shop_expect(s, 404, "not_found");
    assert_int_equal(shop_total(s, "refunded_minor"), 1250);
    assert_int_equal(shop_entries(s), 3);
    assert_int_equal(shop_all_money(s), all);
}

static void refunds_that_cannot_be_given(void **state)
{
    struct shop *s = *state;
    shop_order(s, "att_1", "12.50", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_1\",\"phone\":\"phone-closed\"}", "paid");
    refund(s, "ref_1", "att_1", "1.00");
    shop_expect(s, 402, "account_closed");
    shop_order(s, "att_2", "200.00", 60);
    shop_control(s, "POST", "/scan", "{\"order_id\":\"att_2\"}", "paid");
    refund(s, "ref_2", "att_2", "90.62");
    shop_expect(s, 402, "wallet_blocked");
    refund(s, "ref_3", "att_2", "200.00"); /* nothing of the declined one is set aside */
    shop_expect(s, 201, "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
        T(an_order_is_scanned_and_paid_once),
        T(orders_are_idempotent_by_content),
        T(signatures_and_clocks),
        T(what_an_order_must_be),
        T(a_canceled_order_cannot_be_paid),
        T(phones_have_habits),
        T(payments_of_scanned_codes),
        T(a_shown_code_is_charged_once),
        T(refunds_in_parts_never_more_than_paid),
        T(refunds_that_cannot_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
