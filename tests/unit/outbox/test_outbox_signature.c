/* test_outbox_signature.c - the signature of Standard Webhooks, against the example of its own
 * documentation (msg_p5jXN8AQM9LWM0D4loKWxJek), and the body. */
#include "outbox/outbox.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "domain/webhook.h"

static void example(void **state)
{
    (void)state;
    struct loop *loop = loop_open_virtual(1, 1);
    struct secrets *secrets;
    assert_int_equal(secrets_open(&secrets, loop), STATUS_OK);
    uint8_t key[64];
    struct writer k = writer_over(key, sizeof key);
    assert_int_equal(webhook_secret_read(VIEW("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &k),
                     STATUS_OK);
    assert_int_equal(secret_put(secrets, "k", SECRET_HMAC_SHA256, writer_done(&k)), STATUS_OK);
    struct arena arena;
    arena_init(&arena, 65536);
    uint8_t text[128];
    struct writer w = writer_over(text, sizeof text);
    assert_int_equal(outbox_signature(secret_find(secrets, "k"), "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                      1614265330, VIEW("{\"test\": 2432232314}"), &arena, &w),
                     STATUS_OK);
    assert_true(view_is(writer_done(&w), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    arena_reset(&arena);
    secrets_close(secrets);
    loop_close(loop);
}

static void body(void **state)
{
    (void)state;
    const struct event_row event = { .seq = 3,
                                     .time_us = 1,
                                     .merchant = 9,
                                     .payment = 5,
                                     .kind = VIEW("payment.failed"),
                                     .data_json = VIEW("{\"a\":1}") };
    uint8_t text[512];
    struct writer w = writer_over(text, sizeof text);
    outbox_body(&w, &event);
    assert_true(view_is(writer_done(&w),
                        "{\"type\":\"payment.failed\",\"timestamp\":\"1970-01-01T00:00:00.000Z\","
                        "\"data\":{\"id\":\"evt_0000000000003\",\"sequence\":3,"
                        "\"time\":\"1970-01-01T00:00:00.000Z\",\"kind\":\"payment.failed\","
                        "\"payment\":\"pay_0000000000005\",\"data\":{\"a\":1}}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(example), cmocka_unit_test(body) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
