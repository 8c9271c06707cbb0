/* test_stream.c - what comes in on a link: whole, cut, too long, broken, unasked. */
#include "channel_fixture.h"

#include "tiny_adapter.h"

static const struct raw_setting raw[] = {
    { .name = "terminal", .text = "T1", .file = "f", .line = 1, .column = 1 },
    { .name = "mac_key", .text = "mac", .file = "f", .line = 1, .column = 1 },
};

static void open_ready(struct fixture *f)
{
    assert_true(fixture_open(f, &(struct fixture_plan){ .raw = raw, .raw_count = 2 }));
    f_until_ready(f);
}

static void test_an_answer_cut_at_every_byte(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    char frame[64];
    for (size_t cut = 0; cut <= 12; cut++) {
        struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
        f_run(&f, 5);
        frame[0] = 0;
        frame[1] = 10;
        frame[2] = 'R';
        memcpy(frame + 3, f.frames[cut].text + 1, 8);
        frame[11] = 'A';
        if (cut > 0)
            f_raw(&f, frame, cut);
        f_run(&f, 5);
        assert_int_equal(c->done, cut == 12);
        if (cut < 12)
            f_raw(&f, frame + cut, 12 - cut);
        f_run(&f, 5);
        assert_int_equal(c->done, 1);
        assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    }
    fixture_close(&f);
}

static void test_many_answers_in_one_piece(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    struct call *calls[10];
    for (size_t i = 0; i < 10; i++)
        calls[i] = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    char bytes[200];
    size_t len = 0;
    for (size_t i = 10; i-- > 0;) { /* and in another order */
        bytes[len] = 0;
        bytes[len + 1] = 10;
        bytes[len + 2] = 'R';
        memcpy(bytes + len + 3, f.frames[i].text + 1, 8);
        bytes[len + 11] = i % 2 == 0 ? 'A' : 'D';
        len += 12;
    }
    f_raw(&f, bytes, len - 5); /* the last one is cut */
    f_run(&f, 5);
    f_raw(&f, bytes + len - 5, 5);
    f_run(&f, 5);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(calls[i]->result.outcome,
                         i % 2 == 0 ? OUTCOME_APPROVED : OUTCOME_DECLINED);
    fixture_close(&f);
}

static void test_what_breaks_a_link(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        { "\x00\x00", 2 },    /* BROKEN */
        { "\xff\xf0", 2 },    /* an answer of frame() that does not exist */
        { "\xff\xf1", 2 },    /* a message of 0 bytes */
        { "\xff\xf2 ", 3 },   /* beyond what came */
        { "\xff\xf3 ", 3 },   /* needs what it has */
        { "\x00\xc7", 2 },    /* 199 + 2: over answer_max, and said so */
        { "\x00\x50Rxx", 5 }, /* unfinished: not broken, see below */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        open_ready(&f);
        struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
        f_run(&f, 5);
        f_raw(&f, cases[i].bytes, cases[i].len);
        f_run(&f, 5);
        bool breaks = i != 6;
        assert_int_equal(c->done, breaks);
        assert_int_equal(f.sides[0] == NULL, breaks);
        if (breaks)
            assert_int_equal(c->result.outcome, OUTCOME_UNKNOWN);
        f_until_ready(&f);
        fixture_close(&f);
    }
}

static void test_the_largest_message_and_one_more(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    char bytes[TINY_ANSWER_MAX + 8] = { 0, (char)(TINY_ANSWER_MAX - 2), 'R' };
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    memcpy(bytes + 3, f.frames[0].text + 1, 8);
    bytes[11] = 'A';
    f_raw(&f, bytes, 100);
    f_run(&f, 5);
    f_raw(&f, bytes + 100, TINY_ANSWER_MAX - 100);
    f_run(&f, 5);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    bytes[1]++;
    f_raw(&f, bytes, TINY_ANSWER_MAX + 1); /* whole, and still too long */
    f_run(&f, 5);
    assert_null(f.sides[0]);
    fixture_close(&f);
}

static void test_garbage_between_answers_is_unmatched(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    f_raw(&f, "\x00\x0aR99999999A", 12); /* an answer to nobody */
    f_raw(&f, "\x00\x05hello", 7);       /* unasked, and not understood */
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    assert_int_equal(f_health(&f).unmatched, 1);
    assert_int_equal(f.acks, 0);
    fixture_close(&f);
}

static void test_notices(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f);
    f_notice(&f, "echo");
    f_run(&f, 5);
    assert_int_equal(f.acks, 1);
    f_notice(&f, "$paid"); /* about a payment: nobody stores it, so nobody acknowledges it */
    f_run(&f, 5);
    assert_int_equal(f.acks, 1);
    f_notice(&f, "!signed12345678"); /* a wrong MAC */
    f_run(&f, 5);
    assert_int_equal(f.acks, 1);
    uint8_t mac[SECRET_MAC_MAX];
    size_t len = 0;
    assert_int_equal(secret_mac(secret_find(f.secrets, "mac"), VIEW("!signed"), mac, &len),
                     STATUS_OK);
    uint8_t bytes[2 + 1 + 7 + 8] = { 0, 16, 'N' };
    memcpy(bytes + 3, "!signed", 7);
    memcpy(bytes + 10, mac, 8);
    f_raw(&f, bytes, sizeof bytes);
    f_run(&f, 5);
    assert_int_equal(f.acks, 2);
    assert_int_equal(f_health(&f).links_ready, 1);
    f_notice(&f, "sign_off");
    f_run(&f, 5);
    assert_int_equal(f_health(&f).links_ready, 0);
    f_until_ready(&f);
    fixture_close(&f);
}

/* Whatever comes in, nothing crashes, nothing is approved that was not. */
static void test_noise(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, &(struct fixture_plan){ .raw = raw, .raw_count = 2 }));
    for (int round = 0; round < 40; round++) {
        f_until_ready(&f);
        struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
        f_run(&f, 5);
        uint8_t noise[64];
        loop_random(f.loop, noise, sizeof noise);
        noise[0] = 0;
        noise[1] %= 32;
        f_raw(&f, noise, sizeof noise);
        f_run(&f, 1100);
        assert_int_equal(c->done, 1);
        assert_int_equal(c->result.outcome, OUTCOME_UNKNOWN);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_cut_at_every_byte),
        cmocka_unit_test(test_many_answers_in_one_piece),
        cmocka_unit_test(test_what_breaks_a_link),
        cmocka_unit_test(test_the_largest_message_and_one_more),
        cmocka_unit_test(test_garbage_between_answers_is_unmatched),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
