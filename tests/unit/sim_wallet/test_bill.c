/* test_bill.c - the bill: payments and refunds that were booked, with amounts in the currency's
 * digits, fees, and which merchant they are of. */
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

static const char *bill(struct shop *s, const char *query)
{
    static uint8_t text[8 * SETTLE_PIECE_MAX];
    char why[256];
    struct settlement *settlement = NULL;
    struct writer w = writer_over(text, sizeof text - 1), reason = writer_over(why, sizeof why);
    enum status status =
        http_host_settlement(s->host, view_text(query), s->now_us, &settlement, &reason);
    if (status != STATUS_OK) {
        assert_true(reason.len > 0);
        return NULL;
    }
    while (settlement_read(settlement, &w))
        ;
    settlement_close(settlement);
    text[w.len] = '\0';
    return (const char *)text;
}

static void pay(struct shop *s, const char *order_id, const char *amount)
{
    char scan[700];
    shop_order(s, order_id, amount, 60);
    shop_expect(s, 201, "open");
    (void)snprintf(scan, sizeof scan, "{\"code\":\"%s\",\"phone\":\"phone-2\"}",
                   shop_code(order_id, amount, true));
    shop_control(s, "POST", "/scan", scan, "\"state\":\"paid\"");
}

static void payments_and_refunds(void **state)
{
    struct shop *s = *state;
    pay(s, "att_1", "12.50");
    shop_ask(s, "POST", "/v1/refunds",
             "{\"refund_id\":\"att_2\",\"order_id\":\"att_1\",\"amount\":\"2.50\",\"currency\":"
             "\"EUR\",\"notice_url\":\"" NOTICE_URL "\"}");
    shop_expect(s, 201, "done");
    shop_order(s, "att_3", "1.00", 60); /* nobody pays it */
    const char *text = bill(s, "");
    const char *first = "PAYMENT,order,wp_00000001,att_1,,,shop-1,";
    const char *second = "REFUND,order,wp_00000001,att_1,wr_00000001,att_2,shop-1,";
    assert_non_null(strstr(text, first));
    assert_non_null(strstr(text, ",paid,12.50,EUR,0.08,2026-"));
    assert_non_null(strstr(text, second));
    assert_non_null(strstr(text, ",done,2.50,EUR,0.02,2026-"));
    assert_non_null(strstr(text, "\nTRAILER,2,1250,250,6,"));
    assert_null(strstr(text, "att_3"));
    shop_control(s, "PUT", "/knobs", "{\"settings\":{\"fee_bp\":10000}}", "\"fee_bp\":10000");
    assert_non_null(strstr(bill(s, ""), ",paid,12.50,EUR,12.50,"));
    shop_control(s, "PUT", "/knobs", "{\"settings\":{\"fee_bp\":0}}", "\"fee_bp\":0");
    assert_non_null(strstr(bill(s, ""), ",paid,12.50,EUR,0.00,"));
    assert_non_null(strstr(bill(s, "merchant=shop-1"), "\nTRAILER,2,"));
    assert_null(bill(s, "merchant=nobody"));
    assert_null(bill(s, "account=1"));
    assert_non_null(strstr(bill(s, "to=2020-01-01"), "\nTRAILER,0,0,0,0,"));
}

static void what_is_wrong_with_it(void **state)
{
    struct shop *s = *state;
    pay(s, "att_1", "12.50");
    pay(s, "att_2", "3.00");
    shop_control(s, "PUT", "/knobs",
                 "{\"settlement\":{\"seed\":3,\"faults\":[{\"fault\":\"omit\",\"id\":\"att_1\"},"
                 "{\"fault\":\"amount\",\"id\":\"wp_00000002\",\"by_minor\":100},"
                 "{\"fault\":\"invent\",\"line\":2,\"amount_minor\":777}]}}",
                 "\"fault\":\"invent\"");
    const char *text = bill(s, "");
    assert_null(strstr(text, "att_1"));
    assert_non_null(strstr(text, "att_2,,,shop-1,att_2,paid,4.00,EUR,0.02,"));
    assert_non_null(strstr(text, ",paid,7.77,EUR,0.05,"));
    assert_non_null(strstr(text, "\nTRAILER,2,1177,0,7,"));
    shop_control(s, "POST", "/reset", "", "true");
    assert_non_null(strstr(bill(s, ""), "\nTRAILER,0,"));
}

static void nothing_is_left_of_it_after_a_reset(void **state)
{
    struct shop *s = *state;
    static uint8_t text[SETTLE_PIECE_MAX];
    struct settlement *settlement = NULL;
    struct writer w = writer_over(text, sizeof text), why = writer_over(text, 0);
    pay(s, "att_1", "12.50");
    assert_int_equal(http_host_settlement(s->host, VIEW_EMPTY, s->now_us, &settlement, &why),
                     STATUS_OK);
    assert_true(settlement_read(settlement, &w)); /* the head */
    shop_control(s, "POST", "/reset", "", "true");
    struct writer again = writer_over(text, sizeof text);
    assert_false(settlement_read(settlement, &again));
    assert_int_equal(again.len, 0);
    settlement_close(settlement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(payments_and_refunds, start, stop),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_it, start, stop),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_it_after_a_reset, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
