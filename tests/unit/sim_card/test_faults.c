/* test_faults.c - links, keys and accidents: sign-on, key change, broken streams, every knob.
 * Card numbers are test card numbers from published ranges. */
#include "gateway.h"

#include "base/ensure.h"

#include <stdlib.h>

#define VISA "4242424242424242"

static int start(void **state)
{
    static struct gateway g;
    gateway_open(&g, ISO_BCD, FRAMING_LEN2_TPDU);
    gateway_sign_on(&g);
    *state = &g;
    return 0;
}

static int stop(void **state)
{
    gateway_close(*state);
    return 0;
}

static int64_t spent(struct gateway *g)
{
    const struct card_account *a = gateway_account(g, VISA);
    return a->opening_minor - a->balance_minor;
}

static void net(struct gateway *g, struct iso_msg *m, const char *code)
{
    gateway_build(g, m, "0800", "", 0);
    iso_msg_put(m, 70, view_text(code));
}

static void no_traffic_before_sign_on(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    g->link = 2;
    assert_int_equal(card_host_link_open(g->host, 2, g->now_us), STATUS_OK);
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect(g, &m, "91");
    gateway_sign_on(g);
    gateway_expect(g, &m, "00");
    net(g, &m, "301");
    gateway_expect(g, &m, "00");
    assert_true(view_is(iso_msg_get(&g->answer, 70), "301"));
    net(g, &m, "002");
    gateway_expect(g, &m, "00");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect(g, &m, "91");
    net(g, &m, "777");
    gateway_expect(g, &m, "12");
    assert_int_equal(spent(g), 100);
}

static void wrong_mac_books_nothing(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_send(g, &m); /* a good one, to have its bytes */
    assert_true(gateway_take(g));
    g->sent[g->sent_len - 1] ^= 1;
    g->sent[7 + 2 + 8 + 9 + 3 + 5] ^= 0x10; /* and another amount */
    card_host_receive(g->host, g->link, view_of(g->sent, g->sent_len), g->now_us);
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 39), "63"));
    assert_int_equal(spent(g), 100);
}

static void unwrap(struct gateway *g, struct tdes_key *out)
{
    static const uint8_t ZONE[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                      0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
    struct view de48 = iso_msg_get(&g->answer, 48);
    uint8_t raw[19], key[16], kcv[3];
    size_t len = 0;
    struct tdes_key zone;
    assert_int_equal(de48.len, 39);
    assert_int_equal(de48.ptr[0], 'K');
    assert_int_equal(hex_decode(view_slice(de48, 1, 38), raw, sizeof raw, &len), STATUS_OK);
    tdes_key_set(&zone, ZONE);
    tdes_decrypt(&zone, raw, key);
    tdes_decrypt(&zone, raw + 8, key + 8);
    tdes_key_set(out, key);
    tdes_check_value(out, kcv);
    assert_memory_equal(kcv, raw + 16, 3);
}

static void key_change(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    struct tdes_key fresh, old = g->mac;
    /* An answer that waits while the key changes leaves under the new key. */
    gateway_set(g, "{\"faults\":[{\"fault\":\"delay\",\"ms\":50,\"next\":1,\"mti\":\"02\"}]}");
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_expect_nothing(g, &m);
    net(g, &m, "101");
    gateway_expect(g, &m, "00");
    unwrap(g, &fresh);
    g->mac = fresh;
    g->now_us += 50000;
    assert_true(gateway_take(g));
    assert_true(g->answer_mac_good);
    /* Under way under the old key: still believed for a while, answered under the new one. */
    gateway_build(g, &m, "0200", VISA, 2);
    g->mac = old;
    gateway_send(g, &m);
    g->mac = fresh;
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 39), "00"));
    assert_true(g->answer_mac_good);
    g->now_us += 10000000;
    g->mac = old;
    gateway_build(g, &m, "0200", VISA, 4);
    gateway_send(g, &m);
    g->mac = fresh;
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 39), "63"));
    assert_int_equal(spent(g), 3);
}

static void keys_are_a_link_s_or_the_host_s(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    struct tdes_key first = g->mac;
    assert_int_equal(card_host_link_open(g->host, 2, g->now_us), STATUS_OK);
    net(g, &m, "101");
    gateway_expect(g, &m, "00");
    g->link = 2;
    gateway_sign_on(g);
    g->now_us += 20000000;
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_expect(g, &m, "00"); /* link 2 still has its first key */
    gateway_set(g, "{\"settings\":{\"key_scope\":\"host\"}}");
    net(g, &m, "101");
    gateway_expect(g, &m, "00");
    unwrap(g, &g->mac);
    g->link = 1;
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_expect(g, &m, "00");
    g->mac = first;
    g->now_us += 20000000;
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 39), "63"));
}

static void bytes_in_pieces_and_in_heaps(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    uint8_t heap[8192];
    size_t len = 0;
    for (unsigned i = 0; i < 20; i++) {
        gateway_build(g, &m, "0200", VISA, 1);
        gateway_send(g, &m);
        assert_true(gateway_take(g));
        iso_msg_put_number(&m, 11, 1000 + i);
        gateway_send(g, &m);
        assert_true(gateway_take(g));
        iso_msg_put_number(&m, 11, 2000 + i);
        gateway_send(g, &m); /* to have the bytes; answered below again as a repeat */
        assert_true(gateway_take(g));
        memcpy(heap + len, g->sent, g->sent_len);
        len += g->sent_len;
    }
    assert_int_equal(spent(g), 60);
    for (size_t piece = 1; piece <= len; piece = piece * 2 + 1) {
        unsigned answers = 0;
        for (size_t at = 0; at < len; at += piece) {
            size_t n = len - at < piece ? len - at : piece;
            uint8_t *copy = malloc(n);
            assert_non_null(copy);
            memcpy(copy, heap + at, n);
            card_host_receive(g->host, g->link, view_of(copy, n), g->now_us);
            free(copy);
        }
        while (gateway_take(g))
            answers++;
        assert_int_equal(answers, 20);
    }
    assert_int_equal(spent(g), 60);
}

static void a_broken_stream_is_closed(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    card_host_receive(g->host, g->link, view_of("\xff\xff\x60", 3), g->now_us);
    assert_false(gateway_take(g));
    assert_int_equal(g->action.kind, CARD_ACTION_CLOSE);
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_expect_nothing(g, &m);
    card_host_link_closed(g->host, g->link);
    card_host_receive(g->host, g->link, VIEW("x"), g->now_us); /* nobody there any more */
    assert_int_equal(spent(g), 0);
}

/* A readable MTI and then rubbish: DE39 30, and the link lives on. */
static void a_format_error_is_answered(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 1);
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    g->sent[7 + 2 + 8 + 9 + 1] = 0xaa; /* a nibble of DE3 is no digit */
    card_host_receive(g->host, g->link, view_of(g->sent, g->sent_len), g->now_us);
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 39), "30"));
    iso_msg_remove(&m, 49);
    iso_msg_put_number(&m, 11, 5000);
    gateway_expect(g, &m, "30");
    assert_int_equal(spent(g), 1);
}

static void lost_requests_and_lost_answers(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, rev;
    gateway_set(g,
                "{\"faults\":[{\"fault\":\"drop_before_booking\",\"mti\":\"0200\",\"next\":1}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect_nothing(g, &m);
    assert_int_equal(spent(g), 0);
    gateway_expect(g, &m, "00"); /* spent its one time */
    gateway_set(g, "{\"faults\":[{\"fault\":\"drop_after_booking\",\"mti\":\"0200\",\"skip\":1}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect(g, &m, "00");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect_nothing(g, &m);
    assert_int_equal(spent(g), 300);
    gateway_build(g, &rev, "0420", VISA, 100);
    gateway_refer(&rev, &m);
    gateway_expect(g, &rev, "00");
    assert_int_equal(spent(g), 200);
}

static void magic_troubles(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m, rev;
    gateway_build(g, &m, "0200", VISA, 9101); /* lost before booking */
    gateway_expect_nothing(g, &m);
    assert_int_equal(spent(g), 0);
    gateway_build(g, &m, "0200", VISA, 19102); /* lost after booking */
    gateway_expect_nothing(g, &m);
    assert_int_equal(spent(g), 19102);
    gateway_build(g, &m, "0200", VISA, 9123); /* the first reversal is booked, its answer lost */
    gateway_expect_nothing(g, &m);
    gateway_build(g, &rev, "0420", VISA, 9123);
    gateway_refer(&rev, &m);
    gateway_expect_nothing(g, &rev);
    assert_int_equal(spent(g), 19102);
    memcpy(rev.mti, "0421", 5);
    gateway_expect(g, &rev, "00");
    gateway_build(g, &m, "0200", VISA, 9103); /* late: 30 s */
    gateway_expect_nothing(g, &m);
    assert_int_equal(card_host_next_us(g->host), g->now_us + 30000000);
    g->now_us += 30000000;
    assert_true(gateway_take(g));
    assert_int_equal(card_host_next_us(g->host), INT64_MAX);
}

static void answers_that_are_wrong(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    gateway_set(g, "{\"faults\":[{\"fault\":\"wrong_amount\"}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    assert_true(view_is(iso_msg_get(&g->answer, 4), "000000000101"));
    assert_true(g->answer_mac_good);
    gateway_set(g, "{\"faults\":[{\"fault\":\"wrong_stan\"}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    assert_false(view_equal(iso_msg_get(&g->answer, 11), iso_msg_get(&m, 11)));
    gateway_set(g, "{\"faults\":[{\"fault\":\"wrong_mac\"}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    assert_false(g->answer_mac_good);
    gateway_set(g, "{\"faults\":[{\"fault\":\"code\",\"code\":\"91\"}]}");
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect(g, &m, "91");
    assert_int_equal(spent(g), 300);
    /* Garbling changes bytes of the message, never its length. */
    gateway_set(g, "{\"faults\":[]}");
    gateway_expect(g, &m, "00");
    uint8_t good[512];
    struct view sane = VIEW_EMPTY;
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    sane = view_of(memcpy(good, g->action.bytes.ptr, g->action.bytes.len), g->action.bytes.len);
    gateway_set(g, "{\"faults\":[{\"fault\":\"garble\"}]}");
    gateway_send(g, &m);
    assert_true(gateway_take(g));
    assert_int_equal(g->action.bytes.len, sane.len);
    assert_memory_equal(g->action.bytes.ptr, good, 7);
    assert_false(view_equal(g->action.bytes, sane));
}

static void duplicates_and_order(void **state)
{
    struct gateway *g = *state;
    struct iso_msg a, b;
    gateway_set(g, "{\"faults\":[{\"fault\":\"duplicate\",\"next\":1}]}");
    gateway_build(g, &a, "0200", VISA, 1);
    gateway_send(g, &a);
    assert_true(gateway_take(g));
    assert_true(gateway_take(g));
    assert_false(gateway_take(g));
    gateway_set(g, "{\"faults\":[{\"fault\":\"reorder\",\"next\":1,\"ms\":500}]}");
    gateway_build(g, &a, "0200", VISA, 1);
    gateway_expect_nothing(g, &a);
    gateway_build(g, &b, "0200", VISA, 1);
    gateway_send(g, &b);
    assert_true(gateway_take(g));
    assert_true(view_equal(iso_msg_get(&g->answer, 11), iso_msg_get(&b, 11)));
    assert_true(gateway_take(g));
    assert_true(view_equal(iso_msg_get(&g->answer, 11), iso_msg_get(&a, 11)));
    assert_false(gateway_take(g));
    /* With nothing behind it, it leaves by itself. */
    gateway_set(g, "{\"faults\":[{\"fault\":\"reorder\",\"next\":1,\"ms\":500}]}");
    gateway_build(g, &a, "0200", VISA, 1);
    gateway_expect_nothing(g, &a);
    g->now_us += 500000;
    assert_true(gateway_take(g));
}

static void links_that_break(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    static const struct {
        const char *fault;
        bool answered;
        enum card_action_kind then;
        int64_t booked_minor;
    } CASES[] = {
        { "truncate", true, CARD_ACTION_CLOSE, 1 },
        { "half_close", true, CARD_ACTION_HALF_CLOSE, 1 },
        { "reset", false, CARD_ACTION_RESET, 1 },
        { "reset_before_booking", false, CARD_ACTION_RESET, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char json[100];
        struct writer w = writer_over(json, sizeof json);
        int64_t before = spent(g);
        writer_format(&w, "{\"faults\":[{\"fault\":\"%s\",\"mti\":\"0200\"}]}", CASES[i].fault);
        assert_int_equal(writer_terminate(&w), STATUS_OK);
        gateway_set(g, json);
        gateway_build(g, &m, "0200", VISA, 1);
        gateway_send(g, &m);
        assert_int_equal(gateway_take(g), CASES[i].answered);
        if (CASES[i].answered)
            assert_false(gateway_take(g));
        assert_int_equal(g->action.kind, CASES[i].then);
        assert_int_equal(spent(g) - before, CASES[i].booked_minor);
        card_host_link_closed(g->host, g->link);
        g->link++;
        assert_int_equal(card_host_link_open(g->host, g->link, g->now_us), STATUS_OK);
        gateway_sign_on(g);
    }
}

static void down_for_a_while(void **state)
{
    struct gateway *g = *state;
    gateway_set(g, "{\"down_ms\":1000}");
    assert_false(gateway_take(g));
    assert_int_equal(g->action.kind, CARD_ACTION_RESET);
    card_host_link_closed(g->host, 1);
    assert_int_equal(card_host_link_open(g->host, 2, g->now_us), STATUS_REFUSED);
    g->now_us += 1000000;
    assert_int_equal(card_host_link_open(g->host, 2, g->now_us), STATUS_OK);
    g->link = 2;
    gateway_set(g, "{\"faults\":[{\"fault\":\"no_sign_on_answer\",\"next\":1,\"mti\":\"0800\"}]}");
    struct iso_msg m;
    net(g, &m, "001");
    gateway_expect_nothing(g, &m);
    gateway_expect(g, &m, "00");
}

static void messages_of_the_host_s_own(void **state)
{
    struct gateway *g = *state;
    assert_int_equal(card_host_send(g->host, VIEW("301"), 0, g->now_us), STATUS_OK);
    assert_true(gateway_take(g));
    assert_string_equal(g->answer.mti, "0800");
    assert_true(view_is(iso_msg_get(&g->answer, 70), "301"));
    assert_true(view_is(iso_msg_get(&g->answer, 7), "1122120001"));
    assert_int_equal(card_host_send(g->host, VIEW("101"), 1, g->now_us), STATUS_OK);
    assert_true(gateway_take(g));
    assert_false(iso_msg_has(&g->answer, 48));
    /* The gateway's answer is counted and answered by nothing. */
    struct iso_msg m;
    gateway_build(g, &m, "0810", "", 0);
    iso_msg_put(&m, 39, VIEW("00"));
    iso_msg_put(&m, 70, VIEW("301"));
    gateway_expect_nothing(g, &m);
    assert_int_equal(card_host_send(g->host, VIEW("999"), 0, g->now_us), STATUS_MALFORMED);
    assert_int_equal(card_host_send(g->host, VIEW("301"), 77, g->now_us), STATUS_NOT_FOUND);
}

static void one_seed_one_story(void **state)
{
    (void)state;
    uint8_t seen[2][64];
    for (unsigned run = 0; run < 2; run++) {
        struct gateway g;
        gateway_open(&g, ISO_BCD, FRAMING_LEN2);
        gateway_sign_on(&g);
        gateway_set(&g, "{\"faults\":[{\"fault\":\"drop_after_booking\",\"per_million\":400000}]}");
        unsigned lost = 0;
        for (unsigned i = 0; i < 64; i++) {
            struct iso_msg m;
            gateway_build(&g, &m, "0200", VISA, 1);
            gateway_send(&g, &m);
            seen[run][i] = gateway_take(&g);
            lost += !seen[run][i];
        }
        assert_in_range(lost, 10, 42);
        gateway_close(&g);
    }
    assert_memory_equal(seen[0], seen[1], sizeof seen[0]);
}

static void knobs_that_are_refused(void **state)
{
    struct gateway *g = *state;
    static const char *const BAD[] = {
        "",
        "[]",
        "{\"settings\":{\"late_ms\":-1}}",
        "{\"settings\":{\"nonsense\":1}}",
        "{\"nonsense\":1}",
        "{\"keys\":{\"mac\":\"00\"}}",
        "{\"faults\":{}}",
        "{\"faults\":[{}]}",
        "{\"faults\":[{\"fault\":\"nonsense\"}]}",
        "{\"faults\":[{\"fault\":\"code\"}]}",
        "{\"faults\":[{\"fault\":\"code\",\"code\":\"1\"}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"code\":\"91\"}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"mti\":\"02001\"}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"per_million\":1000001}]}",
        "{\"faults\":[{\"fault\":\"delay\",\"per_million\":0.5}]}",
        "{\"faults\":[{\"fault\":\"drop_before_booking\"}],\"down_ms\":\"x\"}",
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        uint8_t why[200];
        struct writer w = writer_over(why, sizeof why);
        assert_int_not_equal(
            card_host_set(g->host, view_text(BAD[i]), CARD_KNOBS_REPLACE, g->now_us, &w),
            STATUS_OK);
        assert_true(w.len > 0);
    }
    struct iso_msg m;
    gateway_build(g, &m, "0200", VISA, 1); /* nothing of it was applied */
    gateway_expect(g, &m, "00");
}

static void reports(void **state)
{
    struct gateway *g = *state;
    struct iso_msg m;
    for (unsigned i = 0; i < 5; i++) {
        gateway_build(g, &m, "0200", VISA, 100);
        gateway_expect(g, &m, "00");
    }
    size_t room = card_host_ledger_room(g->host, 0, 3);
    uint8_t *text = malloc(room + 1);
    assert_non_null(text);
    struct writer w = writer_over(text, room);
    struct json_out j;
    json_out_init(&j, &w);
    card_host_write_ledger(g->host, &j, 0, 3);
    assert_false(w.overflow);
    text[w.len] = '\0';
    assert_non_null(strstr((char *)text, "\"sales\":5"));
    assert_non_null(strstr((char *)text, "\"next\":4"));
    assert_non_null(strstr((char *)text, "\"pan\":\"424242******4242\""));
    assert_null(strstr((char *)text, VISA));
    w = writer_over(text, room);
    json_out_init(&j, &w);
    card_host_write_stats(g->host, &j);
    card_host_write_knobs(g->host, &j, g->now_us);
    assert_false(w.overflow);
    free(text);
    card_host_reset(g->host, g->now_us);
    assert_int_equal(spent(g), 0);
    assert_null(card_ledger_get(card_host_ledger(g->host), 1));
    gateway_build(g, &m, "0200", VISA, 100);
    gateway_expect(g, &m, "00"); /* still signed on */
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(no_traffic_before_sign_on),
        STORY(wrong_mac_books_nothing),
        STORY(key_change),
        STORY(keys_are_a_link_s_or_the_host_s),
        STORY(bytes_in_pieces_and_in_heaps),
        STORY(a_broken_stream_is_closed),
        STORY(a_format_error_is_answered),
        STORY(lost_requests_and_lost_answers),
        STORY(magic_troubles),
        STORY(answers_that_are_wrong),
        STORY(duplicates_and_order),
        STORY(links_that_break),
        STORY(down_for_a_while),
        STORY(messages_of_the_host_s_own),
        cmocka_unit_test(one_seed_one_story),
        STORY(knobs_that_are_refused),
        STORY(reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
