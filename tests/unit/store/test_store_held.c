/* test_store_held.c - payments that wait for somebody's word, and the profiles that were in force.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* --- held ---------------------------------------------------------------------------------- */

/* A new payment that is held at once, until START_WALL_US + until_us. */
static void hold(struct fixture *f, int64_t merchant, int64_t id, enum held_kind kind,
                 int64_t until_us)
{
    struct request r;
    request_new_payment(&r, merchant, id, 100);
    r.txn.write_attempt = STORE_KEEP;
    r.txn.held = (struct held_row){ .payment = id,
                                    .merchant = merchant,
                                    .kind = kind,
                                    .created_us = START_WALL_US,
                                    .until_us = START_WALL_US + until_us,
                                    .data = VIEW("\x00sealed\xFF") };
    r.txn.write_held = STORE_INSERT;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

/* What a list of held payments holds, as ids. */
static void check_held(struct fixture *f, const struct store_read *like, const int64_t *ids,
                       size_t count, bool more)
{
    struct question q;
    question_init(&q, STORE_HELD);
    q.read.merchant = like->merchant;
    q.read.payment = like->payment;
    q.read.held_kind = like->held_kind;
    q.read.held_until_us = like->held_until_us;
    q.read.after = like->after;
    q.read.limit = like->limit;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    assert_int_equal(q.read.count, count);
    assert_int_equal(q.read.more, more);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(q.read.held[i].payment, ids[i]);
        assert_int_equal(q.read.payments[i].id, ids[i]);
        assert_int_equal(q.read.payments[i].merchant, q.read.held[i].merchant);
        assert_int_equal(q.read.payments[i].amount, 100);
        assert_true(view_equal(q.read.held[i].data, VIEW("\x00sealed\xFF")));
    }
    question_fini(&q);
}
#define CHECK_HELD(f, more, like, ...)                                                             \
    check_held(f, &(struct store_read)like, (const int64_t[]){ __VA_ARGS__ },                      \
               sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), more)
#define LIKE(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void held_payments_are_listed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "held", NULL);
    hold(&f, 5, 1000, HELD_REVIEW, 300);
    hold(&f, 6, 2000, HELD_AUTHENTICATE, 100);
    hold(&f, 5, 3000, HELD_AUTHENTICATE, 200);
    pay(&f, 5, 4000, "not held");
    hold(&f, 5, 5000, HELD_REVIEW, 200);
    const int64_t t = START_WALL_US;
    CHECK_HELD(&f, false, LIKE(.limit = 0), 1000, 2000, 3000, 5000);
    CHECK_HELD(&f, true, LIKE(.limit = 2), 1000, 2000);
    CHECK_HELD(&f, false, LIKE(.limit = 2, .after = 2000), 3000, 5000);
    CHECK_HELD(&f, false, LIKE(.held_kind = HELD_REVIEW), 1000, 5000);
    CHECK_HELD(&f, false, LIKE(.held_kind = HELD_AUTHENTICATE, .merchant = 5), 3000);
    CHECK_HELD(&f, false, LIKE(.merchant = 6), 2000);
    CHECK_HELD(&f, false, LIKE(.payment = 3000), 3000);
    check_held(&f, &(struct store_read){ .payment = 3000, .merchant = 6 }, NULL, 0, false);
    check_held(&f, &(struct store_read){ .payment = 3000, .after = 3000 }, NULL, 0, false);
    check_held(&f, &(struct store_read){ .payment = 4000 }, NULL, 0, false);
    /* Those whose time is over: to the microsecond, in the order of payments. */
    check_held(&f, &(struct store_read){ .held_until_us = t + 99 }, NULL, 0, false);
    CHECK_HELD(&f, false, LIKE(.held_until_us = t + 100), 2000);
    CHECK_HELD(&f, false, LIKE(.held_until_us = t + 200), 2000, 3000, 5000);
    CHECK_HELD(&f, true, LIKE(.held_until_us = t + 300, .limit = 1, .after = 2000), 3000);
    CHECK_HELD(&f, false, LIKE(.held_until_us = t + 300, .held_kind = HELD_REVIEW), 1000, 5000);
    CHECK_HELD(&f, false, LIKE(.held_until_us = t + 200, .payment = 5000), 5000);
    fixture_close(&f);
}

static enum status judge_wrong_result(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->held.wrong++;
    txn->write_held = STORE_UPDATE;
    return STATUS_OK;
}

static enum status judge_go_on(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->write_held = STORE_DELETE;
    txn->payment.status = PAYMENT_FAILED;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

static void held_init(struct request *r, int64_t merchant, int64_t id, store_judge_fn *judge)
{
    request_init(r, merchant);
    r->txn.load_payment = r->txn.load_held = id;
    r->txn.judge = judge;
}

static void a_held_payment_goes_on_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "held", NULL);
    hold(&f, 5, 1000, HELD_AUTHENTICATE, 300);
    pay(&f, 5, 2000, "not held");
    struct request r, again;
    for (int64_t wrong = 0; wrong < 3; wrong++) {
        held_init(&r, 5, 1000, judge_wrong_result);
        assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
        assert_int_equal(r.txn.held.wrong, wrong + 1);
        assert_int_equal(r.txn.held.kind, HELD_AUTHENTICATE);
        assert_int_equal(r.txn.held.until_us, START_WALL_US + 300);
        assert_true(view_equal(r.txn.held.data, VIEW("\x00sealed\xFF")));
        request_fini(&r);
    }
    held_init(&r, 6, 1000, judge_go_on); /* another merchant's */
    assert_int_equal(request_run(&f, &r), STORE_NO_PAYMENT);
    request_fini(&r);
    held_init(&r, 5, 2000, judge_go_on); /* is not held */
    assert_int_equal(request_run(&f, &r), STORE_NO_PAYMENT);
    request_fini(&r);
    /* Two at once, in one batch: one goes on, the other finds it gone. */
    held_init(&r, 5, 1000, judge_go_on);
    held_init(&again, 5, 1000, judge_go_on);
    request_submit(&f, &r);
    request_submit(&f, &again);
    fixture_settle(&f);
    assert_int_equal(r.txn.result, STORE_COMMITTED);
    assert_int_equal(again.txn.result, STORE_NO_PAYMENT);
    request_fini(&r);
    request_fini(&again);
    check_held(&f, &(struct store_read){ .limit = 0 }, NULL, 0, false);
    fixture_close(&f);
}

static enum status judge_other_payment(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->held.payment = 2000;
    txn->write_held = STORE_UPDATE;
    return STATUS_OK;
}

static void a_wrong_held_row_breaks_its_request_alone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "held", NULL);
    hold(&f, 5, 1000, HELD_REVIEW, 300);
    hold(&f, 5, 2000, HELD_REVIEW, 300);
    pay(&f, 5, 3000, "k");
    struct request r, good;
    for (int how = 0; how < 5; how++) {
        held_init(&r, 5, 1000, judge_other_payment);
        if (how > 0) {
            request_init(&r, 5);
            /* 1: held already; 2: of no kind; 3, 4: not held, so not there to be changed */
            r.txn.held = (struct held_row){ .payment = how == 1 ? 1000 : 3000,
                                            .merchant = 5,
                                            .kind = how == 2 ? (enum held_kind)0 : HELD_REVIEW };
            r.txn.write_held = how < 3 ? STORE_INSERT : how == 3 ? STORE_UPDATE : STORE_DELETE;
        }
        request_new_payment(&good, 5, 4000 + 10 * how, 100);
        request_submit(&f, &r);
        request_submit(&f, &good);
        fixture_settle(&f);
        assert_int_equal(r.txn.result, STORE_FAILED);
        assert_true(r.txn.why.len > 0);
        assert_int_equal(good.txn.result, STORE_COMMITTED);
        request_fini(&r);
        request_fini(&good);
    }
    CHECK_HELD(&f, false, LIKE(.limit = 0), 1000, 2000);
    fixture_close(&f);
}

/* --- profiles ------------------------------------------------------------------------------ */

static int64_t put_profile(struct fixture *f, const char *region, const char *version,
                           struct view text)
{
    struct request r;
    request_init(&r, 0);
    r.txn.profile = (struct profile_row){ .seq = 77, /* not ours to say */
                                          .at_us = START_WALL_US,
                                          .region = view_text(region),
                                          .version = view_text(version),
                                          .content_hash = VIEW("abc"),
                                          .text = text,
                                          .by = VIEW("reload") };
    r.txn.write_profile = STORE_INSERT;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    int64_t seq = r.txn.profile.seq;
    request_fini(&r);
    return seq;
}

static void check_profiles(struct fixture *f, const char *region, int64_t after, uint32_t limit,
                           const char *versions)
{
    struct question q;
    question_init(&q, STORE_PROFILES);
    q.read.region = view_text(region);
    q.read.after = after;
    q.read.limit = limit;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    assert_int_equal(q.read.count, strlen(versions));
    for (size_t i = 0; i < q.read.count; i++) {
        const struct profile_row *row = &q.read.profiles[i];
        assert_true(view_equal(row->version, view_of(&versions[i], 1)));
        assert_true(view_is(row->content_hash, "abc"));
        assert_true(view_is(row->by, "reload"));
        assert_int_equal(row->at_us, START_WALL_US);
        assert_true(i == 0 || row->seq < q.read.profiles[i - 1].seq);
    }
    question_fini(&q);
}

static void profiles_are_kept_in_their_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    check_profiles(&f, "", 0, 0, "");
    assert_int_equal(put_profile(&f, "EU", "a", VIEW("region: EU\n")), 1);
    assert_int_equal(put_profile(&f, "BR", "b", VIEW("region: BR\n")), 2);
    assert_int_equal(put_profile(&f, "EU", "c", VIEW("\x00\xFF")), 3);
    assert_int_equal(put_profile(&f, "EU", "d", VIEW_EMPTY), 4);
    check_profiles(&f, "", 0, 0, "dcba");
    check_profiles(&f, "EU", 0, 0, "dca");
    check_profiles(&f, "eu", 0, 2, "dc");
    check_profiles(&f, "EU", 3, 0, "a");
    check_profiles(&f, "XX", 0, 0, "");
    fixture_close_store(&f);
    fixture_reopen(&f);
    assert_int_equal(put_profile(&f, "EU", "e", VIEW("x")), 5);
    struct question q;
    question_init(&q, STORE_PROFILES);
    q.read.limit = 3;
    assert_int_equal(question_run(&f, &q), STATUS_OK);
    assert_true(q.read.more);
    assert_int_equal(q.read.profiles[1].text.len, 0);
    assert_true(view_equal(q.read.profiles[2].text, VIEW("\x00\xFF")));
    question_fini(&q);
    fixture_close(&f);
}

/* Two in one batch, and one that breaks between them: no number is lost. */
static void the_numbers_of_profiles_have_no_gap(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "profiles", NULL);
    pay(&f, 5, 1000, "k");
    struct request r[3];
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        request_new_payment(&r[i], 5, i == 1 ? 1000 : 2000 + 10 * (int64_t)i, 100);
        r[i].txn.profile = (struct profile_row){
            .at_us = 1, .region = VIEW("EU"), .version = VIEW("1"), .content_hash = VIEW("x")
        };
        r[i].txn.write_profile = STORE_INSERT;
        request_submit(&f, &r[i]);
    }
    fixture_settle(&f);
    assert_int_equal(r[0].txn.result, STORE_COMMITTED);
    assert_int_equal(r[1].txn.result, STORE_FAILED);
    assert_int_equal(r[2].txn.result, STORE_COMMITTED);
    assert_int_equal(r[0].txn.profile.seq, 1);
    assert_int_equal(r[2].txn.profile.seq, 2);
    for (size_t i = 0; i < COUNT_OF(r); i++)
        request_fini(&r[i]);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_payments_are_listed),
        cmocka_unit_test(a_held_payment_goes_on_once),
        cmocka_unit_test(a_wrong_held_row_breaks_its_request_alone),
        cmocka_unit_test(profiles_are_kept_in_their_order),
        cmocka_unit_test(the_numbers_of_profiles_have_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
