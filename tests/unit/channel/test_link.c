/* test_link.c - links: signing on, echoing, changing keys, coming back. */
#include "channel_fixture.h"

#include "tiny_adapter.h"

/* RFC 3394, section 4.1: 00112233445566778899AABBCCDDEEFF wrapped under 000102..0F. */
static const uint8_t new_key[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
#define WRAPPED                                                                                    \
    "\x1f\xa6\x8b\x0a\x81\x12\xb4\x47\xae\xf3\x4b\xd8\xfb\x5a\x7b\x82\x9d\x3e\x86\x23\x71\xd2\xcf" \
    "\xe5"

static const struct raw_setting raw[] = {
    { .name = "terminal", .text = "T1", .file = "f", .line = 1, .column = 1 },
    { .name = "mac_key", .text = "mac", .file = "f", .line = 1, .column = 1 },
    { .name = "zone_key", .text = "zone", .file = "f", .line = 1, .column = 1 },
};
#define PLAN(...) (&(struct fixture_plan){ .raw = raw, .raw_count = 3, __VA_ARGS__ })

/* 'K', the wrapped key, its check value. */
static char key_answer[28];
/* The new key's MAC, made by a table of the test's own. */
static struct secrets *own;

static void own_open(struct fixture *f)
{
    assert_int_equal(secrets_open(&own, f->loop), STATUS_OK);
    assert_int_equal(secret_put(own, "new", SECRET_AES_CMAC, view_of(new_key, 16)), STATUS_OK);
    uint8_t kcv[3];
    assert_int_equal(secret_check_value(secret_find(own, "new"), kcv), STATUS_OK);
    key_answer[0] = 'K';
    memcpy(key_answer + 1, WRAPPED, 24);
    memcpy(key_answer + 25, kcv, 3);
    f->key_answer = key_answer;
    f->key_answer_len = sizeof key_answer;
}

static bool signed_with(struct fixture *f, struct secret_key *key, size_t frame)
{
    (void)f;
    const struct frame_in *in = &f->frames[frame];
    uint8_t mac[SECRET_MAC_MAX];
    size_t len = 0;
    assert_int_equal(in->len, 22 + TINY_MAC_LEN);
    assert_int_equal(secret_mac(key, view_of(in->text, 22), mac, &len), STATUS_OK);
    return memcmp(mac, in->text + 22, TINY_MAC_LEN) == 0;
}

static void test_not_ready_before_sign_on_is_answered(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true)));
    f.mute = true;
    f_run(&f, 50);
    assert_int_equal(f.sign_ons, 1);
    assert_string_equal(f_health(&f).state, "signing_on");
    assert_false(channel_ready(f.channel));
    f_run(&f, 20000); /* unanswered: the link is closed and tries again, ever more slowly */
    assert_in_range(f.sign_ons, 4, 9);
    f.mute = false;
    f_run(&f, 20000);
    assert_int_equal(f_health(&f).links_ready, 1);
    fixture_close(&f);
}

static void test_sign_on_refused(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true)));
    f.link_letter = 'D';
    f_run(&f, 5000);
    assert_int_equal(f_health(&f).links_ready, 0);
    assert_in_range(f.sign_ons, 3, 12);
    f.link_letter = 0;
    f_run(&f, 20000);
    assert_true(channel_ready(f.channel));
    fixture_close(&f);
}

static void test_sign_on_waits_for_trace_numbers(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true, .hold_traces = true)));
    f_run(&f, 1000);
    assert_int_equal(f.sign_ons, 0);
    uint32_t trace = 0;
    assert_int_equal(channel_trace(f.channel, &trace), STATUS_BUSY);
    timer_start(&f.trace_timer, 0);
    f_run(&f, 20);
    assert_int_equal(f.sign_ons, 1);
    assert_true(channel_ready(f.channel));
    fixture_close(&f);
}

static void test_trace_numbers(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(0)));
    f.trace_next = 1;
    f_run(&f, 10);
    uint32_t trace = 0;
    for (uint32_t i = 0; i < 2500; i++) {
        assert_int_equal(channel_trace(f.channel, &trace), STATUS_OK);
        assert_int_equal(trace, i + 2); /* 1 % 999999 + 1, without a gap */
        if (i % 100 == 0)
            f_run(&f, 1);
    }
    assert_int_equal(f.trace_asked, 4); /* the first, and as each of three comes into use */
    fixture_close(&f);
}

static void test_trace_numbers_wrap(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(0)));
    f.trace_next = 999997;
    f_run(&f, 10);
    const uint32_t expected[] = { 999998, 999999, 1, 2 };
    for (size_t i = 0; i < 4; i++) {
        uint32_t trace = 0;
        assert_int_equal(channel_trace(f.channel, &trace), STATUS_OK);
        assert_int_equal(trace, expected[i]);
    }
    fixture_close(&f);
}

static void test_echo_when_idle(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.echo_every_us = 10 * LOOP_US_PER_S)));
    f_until_ready(&f);
    f_run(&f, 9000);
    assert_int_equal(f.echoes, 0);
    f_run(&f, 1100);
    assert_int_equal(f.echoes, 1);
    for (int i = 0; i < 5; i++) { /* traffic: no echo needed */
        (void)f_call(&f, OPERATION_AUTHORISE, 1, "");
        f_run(&f, 5);
        f_answer(&f, (size_t)i, "A");
        f_run(&f, 4000);
    }
    assert_int_equal(f.echoes, 1);
    f.mute = true; /* the other side hangs */
    f_run(&f, 12000);
    assert_in_range(f.echoes, 2, 3);
    f.mute = false;
    f_run(&f, 3000);
    assert_int_equal(f.sides_count, 2); /* closed and connected anew */
    assert_int_equal(f_health(&f).links_ready, 1);
    fixture_close(&f);
}

static void test_key_change_on_a_new_link(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true, .key_change = true)));
    own_open(&f);
    /* Made before there is a link, so with the configured key; sent with the granted one. */
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 50);
    assert_int_equal(f.key_changes, 1);
    assert_int_equal(f.frames_count, 1);
    assert_true(signed_with(&f, secret_find(own, "new"), 0));
    assert_false(signed_with(&f, secret_find(f.secrets, "mac"), 0));
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    secrets_close(own);
    fixture_close(&f);
}

static void test_bad_check_value_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.key_change = true)));
    own_open(&f);
    key_answer[27] ^= 1;
    f_run(&f, 3000);
    assert_int_equal(f_health(&f).links_ready, 0);
    assert_true(f.key_changes > 1);
    key_answer[27] ^= 1;
    f_run(&f, 20000);
    assert_int_equal(f_health(&f).links_ready, 1);
    secrets_close(own);
    fixture_close(&f);
}

static void test_key_change_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true)));
    f_until_ready(&f);
    own_open(&f);
    struct secret_key *old = secret_find(f.secrets, "mac");
    struct call *before = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    f_notice(&f, "key_change");
    f_run(&f, 5);
    assert_int_equal(f.acks, 1);
    assert_int_equal(f.key_changes, 0); /* one is in flight */
    assert_false(channel_ready(f.channel));
    assert_string_equal(f_health(&f).state, "changing_key");
    struct call *after = f_call(&f, OPERATION_AUTHORISE, 200, "");
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 1); /* waits */
    f_answer(&f, 0, "A");
    f_run(&f, 20);
    assert_int_equal(before->result.outcome, OUTCOME_APPROVED);
    assert_int_equal(f.key_changes, 1);
    assert_int_equal(f.frames_count, 2);
    assert_true(signed_with(&f, old, 0));
    assert_true(signed_with(&f, secret_find(own, "new"), 1));
    f_answer(&f, 1, "A");
    f_run(&f, 5);
    assert_int_equal(after->result.outcome, OUTCOME_APPROVED);
    secrets_close(own);
    fixture_close(&f);
}

static void test_key_change_between_prepare_and_start(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(0)));
    f_until_ready(&f);
    own_open(&f);
    struct call *c;
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 100, ""), STATUS_OK);
    f_notice(&f, "key_change");
    f_run(&f, 20);
    assert_int_equal(f.key_changes, 1);
    f_start(c);
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 1);
    assert_true(signed_with(&f, secret_find(own, "new"), 0));
    secrets_close(own);
    fixture_close(&f);
}

static void test_refs_must_not_change_with_the_key(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(0)));
    f_until_ready(&f);
    own_open(&f);
    struct call *c;
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 100, "fickle"), STATUS_OK);
    f_notice(&f, "key_change");
    f_run(&f, 20);
    f_start(c);
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 0); /* the refs on record would be wrong */
    assert_int_equal(c->result.outcome, OUTCOME_NOT_SENT);
    secrets_close(own);
    fixture_close(&f);
}

static void test_granted_keys_end_with_the_connection(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(0)));
    f_until_ready(&f);
    own_open(&f);
    f_notice(&f, "key_change");
    f_run(&f, 20);
    assert_int_equal(f.key_changes, 1);
    struct call *c; /* made with the granted key, sent on the connection after it */
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 100, ""), STATUS_OK);
    conn_abort(f.sides[0]);
    f_run(&f, 5);
    f_until_ready(&f);
    f_start(c);
    (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    assert_true(signed_with(&f, secret_find(f.secrets, "mac"), 0));
    assert_true(signed_with(&f, secret_find(f.secrets, "mac"), 1));
    secrets_close(own);
    fixture_close(&f);
}

static void test_several_links_share_the_work(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.links = 3, .sign_on = true)));
    f_until_ready(&f);
    assert_int_equal(f.sign_ons, 3);
    for (int i = 0; i < 6; i++)
        (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    size_t per_side[3] = { 0 };
    for (size_t i = 0; i < 6; i++)
        per_side[f.frames[i].side]++;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(per_side[i], 2);
    conn_abort(f.sides[1]);
    f_run(&f, 5);
    assert_int_equal(f_health(&f).unknown, 2);
    assert_int_equal(f_health(&f).in_flight, 4);
    assert_true(channel_ready(f.channel)); /* two are left */
    f_run(&f, 2000);
    fixture_close(&f);
}

static void test_back_off_grows_and_resets(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.no_listener = true)));
    f_run(&f, 120000);
    assert_string_equal(f_health(&f).state, "down");
    f_listen(&f);
    f_run(&f, 31000); /* never longer than 30 s */
    assert_int_equal(f_health(&f).links_ready, 1);
    conn_abort(f.sides[0]);
    f_run(&f, 500); /* it was ready: the first back-off again */
    assert_int_equal(f_health(&f).links_ready, 1);
    fixture_close(&f);
}

static void test_close_in_every_state(void **state)
{
    (void)state;
    for (int ms = 0; ms < 12; ms++) { /* connecting, signing on, changing key, ready */
        struct fixture f;
        assert_true(
            fixture_open(&f, PLAN(.sign_on = true, .key_change = true, .real_delay = true)));
        own_open(&f);
        f_run(&f, ms);
        secrets_close(own);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_ready_before_sign_on_is_answered),
        cmocka_unit_test(test_sign_on_refused),
        cmocka_unit_test(test_sign_on_waits_for_trace_numbers),
        cmocka_unit_test(test_trace_numbers),
        cmocka_unit_test(test_trace_numbers_wrap),
        cmocka_unit_test(test_echo_when_idle),
        cmocka_unit_test(test_key_change_on_a_new_link),
        cmocka_unit_test(test_bad_check_value_is_refused),
        cmocka_unit_test(test_key_change_waits_for_what_is_in_flight),
        cmocka_unit_test(test_key_change_between_prepare_and_start),
        cmocka_unit_test(test_refs_must_not_change_with_the_key),
        cmocka_unit_test(test_granted_keys_end_with_the_connection),
        cmocka_unit_test(test_several_links_share_the_work),
        cmocka_unit_test(test_back_off_grows_and_resets),
        cmocka_unit_test(test_close_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
