/* test_webhook_values.c - where webhooks may go, for what, under which secret, and when again. */
#include "domain/webhook.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void urls(void **state)
{
    (void)state;
    struct web_url url;
    assert_int_equal(web_url_parse(VIEW("https://shop.example"), &url), STATUS_OK);
    assert_true(url.https && url.port == 443 && view_is(url.path, "/"));
    assert_string_equal(url.host, "shop.example");
    assert_int_equal(web_url_parse(VIEW("HTTP://shop.example:8080/a/b?c=d&e"), &url), STATUS_OK);
    assert_true(!url.https && url.port == 8080 && view_is(url.path, "/a/b?c=d&e"));
    assert_int_equal(web_url_parse(VIEW("https://[2001:4860::8]:1/"), &url), STATUS_OK);
    assert_string_equal(url.host, "2001:4860::8");
    static const char *const wrong[] = {
        "",
        "https://",
        "https:///path",
        "ftp://shop.example/",
        "//shop.example/",
        "https://user@shop.example/",
        "https://user:pass@shop.example/",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://shop.example:/",
        "https://shop.example:80x/",
        "https://shop.example/#here",
        "https://shop.example/a b",
        "https://shop.example/a\r\nHost: other",
        "https://shop.example?x=1",
        "https://.example/",
        "https://-x.example/",
        "https://sh_op.example/",
        "https://[::1/",
        "https://[zz]/",
        "https://shop.example\\@10.0.0.1/",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(web_url_parse(view_text(wrong[i]), &url), STATUS_MALFORMED);
    static uint8_t text[WEBHOOK_URL_MAX + 1];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://x.example/", 18);
    assert_int_equal(web_url_parse(view_of(text, WEBHOOK_URL_MAX), &url), STATUS_OK);
    assert_int_equal(web_url_parse(view_of(text, sizeof text), &url), STATUS_RANGE);
}

static bool is_public(const char *text)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1)
        return ip_is_public(view_of(bytes, 4));
    assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
    return ip_is_public(view_of(bytes, 16));
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255", "128.0.0.1",
        "172.15.255.255",  "172.32.0.0",      "169.253.0.1",     "192.167.1.1",
        "198.17.255.255",  "198.20.0.0",      "223.255.255.255", "2001:4860:4860::8888",
        "2606:4700::1111", "64:ff9b::8.8.8.8"
    };
    static const char *const bad[] = { "0.0.0.0",
                                       "0.1.2.3",
                                       "10.0.0.0",
                                       "10.255.255.255",
                                       "100.64.0.0",
                                       "100.127.255.255",
                                       "127.0.0.1",
                                       "127.255.255.255",
                                       "169.254.169.254",
                                       "172.16.0.0",
                                       "172.31.255.255",
                                       "192.0.0.1",
                                       "192.0.2.1",
                                       "192.168.0.1",
                                       "198.18.0.0",
                                       "198.19.255.255",
                                       "198.51.100.1",
                                       "203.0.113.1",
                                       "224.0.0.1",
                                       "239.255.255.255",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "::ffff:8.8.8.8",
                                       "::ffff:127.0.0.1",
                                       "fe80::1",
                                       "fc00::1",
                                       "fd00::1",
                                       "fec0::1",
                                       "ff02::1",
                                       "2001:db8::1",
                                       "2001::1",
                                       "2002:7f00:1::",
                                       "2002:a00:1::",
                                       "64:ff9b::10.0.0.1",
                                       "100::1",
                                       "3fff::1",
                                       "4000::1" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(is_public(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_public(bad[i]));
    assert_false(ip_is_public(VIEW_EMPTY));
    assert_int_equal(web_host_check("shop.example"), STATUS_OK);
    assert_int_equal(web_host_check("8.8.8.8"), STATUS_OK);
    assert_int_equal(web_host_check("127.0.0.1"), STATUS_DENIED);
    assert_int_equal(web_host_check("::1"), STATUS_DENIED);
    static const char *const local[] = { "localhost",   "LOCALHOST.", "x.localhost",  "a.local",
                                         "db.internal", "intranet",   "nas.home.arpa" };
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        assert_int_equal(web_host_check(local[i]), STATUS_DENIED);
    static const char *const numbers[] = { "127.1",     "2130706433",   "0x7f000001", "0x7f.1",
                                           "1.2.3.4.5", "017700000001", "1.2.3.0x4" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(web_host_check(numbers[i]), STATUS_MALFORMED);
}

static void kinds(void **state)
{
    (void)state;
    assert_true(webhook_kind_valid(VIEW("*")));
    assert_true(webhook_kind_valid(VIEW("payment.*")));
    assert_true(webhook_kind_valid(VIEW("payment.review_required")));
    static const char *const wrong[] = {
        "", "pay*", "*.x", "Payment.x", "a b", "payment.**", "a?"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(webhook_kind_valid(view_text(wrong[i])));
    struct view list = VIEW("payment.succeeded refund.*");
    assert_true(webhook_kinds_match(list, VIEW("payment.succeeded")));
    assert_true(webhook_kinds_match(list, VIEW("refund.failed")));
    assert_false(webhook_kinds_match(list, VIEW("refund")));
    assert_false(webhook_kinds_match(list, VIEW("refunds.failed")));
    assert_false(webhook_kinds_match(list, VIEW("payment.succeeded.x")));
    assert_false(webhook_kinds_match(VIEW_EMPTY, VIEW("payment.failed")));
    assert_true(webhook_kinds_match(VIEW("*"), VIEW("anything")));
    assert_true(webhook_event_leaves(VIEW("payment.failed"), 7));
    assert_false(webhook_event_leaves(VIEW("payment.failed"), 0));
    assert_false(webhook_event_leaves(VIEW("compliance.report"), 7));
    assert_false(webhook_event_leaves(VIEW("profile.loaded"), 7));
}

static void secrets(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } rows[] = { /* RFC 4648 10 */
                 { "", "" },
                 { "f", "Zg==" },
                 { "fo", "Zm8=" },
                 { "foo", "Zm9v" },
                 { "foob", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy" }
    };
    uint8_t room[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct writer w = writer_over(room, sizeof room);
        base64_write(&w, view_text(rows[i].plain));
        assert_true(view_is(writer_done(&w), rows[i].text));
        w = writer_over(room, sizeof room);
        assert_int_equal(base64_read(view_text(rows[i].text), &w), STATUS_OK);
        assert_true(view_is(writer_done(&w), rows[i].plain));
    }
    static const char *const wrong[] = { "Z",        "Zg=",  "Zh==",  "Zm9=",
                                         "Zg==Zg==", "Z===", "Zm9v-", "Zm-v" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct writer w = writer_over(room, sizeof room);
        assert_int_equal(base64_read(view_text(wrong[i]), &w), STATUS_MALFORMED);
    }
    uint8_t bytes[65] = { 1, 2, 3 };
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint8_t text[128];
        struct writer w = writer_over(text, sizeof text), out = writer_over(room, sizeof room);
        webhook_secret_write(&w, view_of(bytes, len));
        assert_int_equal(webhook_secret_read(writer_done(&w), &out),
                         len >= 24 && len <= 64 ? STATUS_OK : STATUS_RANGE);
    }
    struct writer out = writer_over(room, sizeof room);
    assert_int_equal(webhook_secret_read(VIEW("whsec-AAAA"), &out), STATUS_MALFORMED);
}

static void backoff(void **state)
{
    (void)state;
    static const int64_t seconds[] = { 5, 30, 120, 600, 3600, 10800, 21600, 43200, 43200, 43200 };
    int64_t sum = 0;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(webhook_backoff_us(i + 1, 5000000), seconds[i] * 1000000);
        sum += seconds[i];
    }
    assert_true(sum < 3 * 86400); /* there are more tries than these before it is given up */
    assert_int_equal(webhook_backoff_us(INT64_MAX, 1000), 8640000);
    assert_int_equal(webhook_backoff_us(8, INT64_MAX / 2), INT64_MAX);
}

static int64_t retry_after(struct view value)
{
    int64_t us = -2;
    /* 784111777 s: 1994-11-06T08:49:37Z */
    enum status status = webhook_retry_after_us(value, INT64_C(784111777) * 1000000, &us);
    assert_true(status == STATUS_OK || status == STATUS_MALFORMED);
    return status == STATUS_OK ? us / 1000000 : -1;
}

static void retry_afters(void **state)
{
    (void)state;
    assert_int_equal(retry_after(VIEW("0")), 0);
    assert_int_equal(retry_after(VIEW(" 120 ")), 120);
    assert_int_equal(retry_after(VIEW("00120")), 120);
    assert_int_equal(retry_after(VIEW("99999999999999999999999999")), 365 * 86400);
    assert_int_equal(retry_after(VIEW("Sun, 06 Nov 1994 08:49:37 GMT")), 0);
    assert_int_equal(retry_after(VIEW("Sun, 06 Nov 1994 08:50:37 GMT")), 60);
    assert_int_equal(retry_after(VIEW("Mon, 07 Nov 1994 08:49:37 GMT")), 86400);
    assert_int_equal(retry_after(VIEW("Sat, 05 Nov 1994 08:49:37 GMT")), 0);
    static const struct view wrong[] = {
        VIEW(""),
        VIEW("-1"),
        VIEW("1.5"),
        VIEW("soon"),
        VIEW("1e9"),
        VIEW("Sun, 06 Nov 1994 08:49:37 CET"),
        VIEW("Sun, 6 Nov 1994 08:49:37 GMT"),
        VIEW("Sun, 06 Nov 94 08:49:37 GMTxx"),
        VIEW("Sun, 00 Nov 1994 08:49:37 GMT"),
        VIEW("Sun, 06 Now 1994 08:49:37 GMT"),
        VIEW("Sun, 06 Nov 1994 24:49:37 GMT"),
        VIEW("Sun, 06 Nov 0194 08:49:37 GMT"),
        VIEW("Sunday, 06-Nov-94 08:49:37 GMT"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(retry_after(wrong[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(urls),    cmocka_unit_test(addresses),
                                        cmocka_unit_test(kinds),   cmocka_unit_test(secrets),
                                        cmocka_unit_test(backoff), cmocka_unit_test(retry_afters) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
