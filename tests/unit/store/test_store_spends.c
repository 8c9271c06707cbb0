/* test_store_spends.c - counters over many payments: what a window holds to the microsecond, one
 * cap under many requests at once, giving back exactly once, and what becomes of it all when a
 * request breaks, the store crashes, or sums run over.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#define NOW    START_WALL_US
#define HOUR   (3600 * LOOP_US_PER_S)
#define DAY    (24 * HOUR)
#define WINDOW (24 * HOUR)

/* --- asking and spending ------------------------------------------------------------------- */

static struct store_spend spend_of(enum store_spend_kind kind, uint8_t key, int64_t amount)
{
    struct store_spend spend = { .kind = kind, .amount = amount };
    memset(spend.key, key, sizeof spend.key);
    if (kind == STORE_SPEND_SLIDING)
        spend.window_us = WINDOW;
    if (kind == STORE_SPEND_PERIOD)
        spend.start_us = NOW - NOW % DAY;
    return spend;
}

/* The sum as STORE_SPENT tells it. */
static struct store_spend spent(struct fixture *f, struct store_spend spend, int64_t now_us)
{
    struct question q;
    question_init(&q, STORE_SPENT);
    q.read.spends = &spend;
    q.read.spend_count = 1;
    q.read.spend_now_us = now_us;
    assert_int_equal(question_run(f, &q), STATUS_OK);
    assert_int_equal(q.read.count, 1);
    question_fini(&q);
    return spend;
}

static void check_spent(struct fixture *f, struct store_spend spend, int64_t now_us, int64_t amount,
                        int64_t count)
{
    struct store_spend found = spent(f, spend, now_us);
    assert_int_equal(found.spent, amount);
    assert_int_equal(found.count, count);
    assert_false(found.too_many);
}

/* As payment/ does: refused when one of them does not fit under the cap (arg, or none). */
static enum status judge_cap(struct store_txn *txn, void *arg)
{
    const int64_t *cap = arg;
    for (size_t i = 0; i < txn->spend_count; i++) {
        struct store_spend *spend = &txn->spends[i];
        if (spend->too_many || (cap != NULL && spend->spent + spend->amount > *cap))
            return STATUS_REFUSED;
        spend->write = true;
    }
    return STATUS_OK;
}

static void spend_init(struct request *r, int64_t id, struct store_spend spend, int64_t now_us)
{
    request_new_payment(r, 5, id, spend.amount);
    r->txn.spends[0] = spend;
    r->txn.spend_count = 1;
    r->txn.spend_now_us = now_us;
    r->txn.judge = judge_cap;
}

static void spend_once(struct fixture *f, int64_t id, struct store_spend spend, int64_t now_us)
{
    struct request r;
    spend_init(&r, id, spend, now_us);
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    request_fini(&r);
}

static enum status judge_release(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->spends_release = true;
    txn->payment.status = PAYMENT_FAILED;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

static void release(struct fixture *f, int64_t id)
{
    struct request r;
    request_init(&r, 5);
    r.txn.load_payment = id;
    r.txn.judge = judge_release;
    assert_int_equal(request_run(f, &r), STORE_COMMITTED);
    assert_int_equal(r.txn.payment.spends.len, 0);
    request_fini(&r);
}

static int64_t rows_of_spent(struct fixture *f)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM spent", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return count;
}

static void alter(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- what a sum holds ---------------------------------------------------------------------- */

static void a_window_ends_to_the_microsecond(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 700);
    spend_once(&f, 1000, day, NOW);
    check_spent(&f, day, NOW, 700, 1);
    check_spent(&f, day, NOW + WINDOW - 1, 700, 1);
    check_spent(&f, day, NOW + WINDOW, 0, 0);
    /* The clock was set back: what lies in the future counts. */
    check_spent(&f, day, NOW - 1, 700, 1);
    check_spent(&f, day, 1, 700, 1);
    /* The judge of the next payment sees the same: at the edge it fits, a microsecond before not.
     */
    int64_t cap = 1000;
    struct request r;
    spend_init(&r, 2000, day, NOW + WINDOW - 1);
    r.txn.arg = &cap;
    assert_int_equal(request_run(&f, &r), STORE_REFUSED);
    assert_int_equal(r.txn.spends[0].spent, 700);
    request_fini(&r);
    check_spent(&f, day, NOW + WINDOW - 1, 700, 1);
    spend_init(&r, 2000, day, NOW + WINDOW);
    r.txn.arg = &cap;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    assert_int_equal(r.txn.spends[0].spent, 0);
    request_fini(&r);
    check_spent(&f, day, NOW + WINDOW - 1, 1400, 2);
    check_spent(&f, day, NOW + WINDOW, 700, 1);
    /* Another key, another kind, another window: other sums. */
    check_spent(&f, spend_of(STORE_SPEND_SLIDING, 2, 0), NOW, 0, 0);
    check_spent(&f, spend_of(STORE_SPEND_PERIOD, 1, 0), NOW, 0, 0);
    check_spent(&f, spend_of(STORE_SPEND_SINCE_RESET, 1, 0), NOW, 0, 0);
    struct store_spend longer = day;
    longer.window_us = INT64_MAX;
    check_spent(&f, longer, NOW + WINDOW, 1400, 2);
    fixture_close(&f);
}

static void each_period_has_a_sum_of_its_own(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend today = spend_of(STORE_SPEND_PERIOD, 1, 300), tomorrow = today;
    tomorrow.start_us += DAY;
    spend_once(&f, 1000, today, NOW);
    spend_once(&f, 2000, today, NOW + 1);
    spend_once(&f, 3000, tomorrow, NOW + DAY);
    check_spent(&f, today, NOW, 600, 2);
    check_spent(&f, tomorrow, NOW, 300, 1);
    /* Given back on the next day: to the day on which it was spent. */
    release(&f, 2000);
    check_spent(&f, today, NOW, 300, 1);
    check_spent(&f, tomorrow, NOW, 300, 1);
    fixture_close(&f);
}

static void a_reset_begins_anew(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend sum = spend_of(STORE_SPEND_SINCE_RESET, 1, 40);
    struct store_spend reset = spend_of(STORE_SPEND_RESET, 1, 0);
    spend_once(&f, 1000, sum, NOW);
    spend_once(&f, 2000, sum, NOW + 1);
    check_spent(&f, sum, NOW, 80, 2);
    spend_once(&f, 3000, reset, NOW + 2);
    check_spent(&f, sum, NOW, 0, 0);
    spend_once(&f, 4000, sum, NOW + 3);
    check_spent(&f, sum, NOW, 40, 1);
    /* What was spent before the reset is not taken from what was spent after. */
    release(&f, 1000);
    check_spent(&f, sum, NOW, 40, 1);
    /* Nor when the reset came with the clock set back, or twice in one microsecond. */
    spend_once(&f, 5000, reset, NOW - HOUR);
    spend_once(&f, 6000, sum, NOW - HOUR);
    spend_once(&f, 7000, reset, NOW - HOUR);
    spend_once(&f, 8000, sum, NOW - HOUR);
    release(&f, 4000);
    release(&f, 6000);
    check_spent(&f, sum, NOW, 40, 1);
    release(&f, 8000);
    check_spent(&f, sum, NOW, 0, 0);
    /* A reset is a fact about the payer: it is not given back. */
    spend_once(&f, 9000, sum, NOW);
    release(&f, 5000);
    check_spent(&f, sum, NOW, 40, 1);
    fixture_close(&f);
}

/* Reset and sum in one request: in the order of the array. */
static enum status judge_all(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < txn->spend_count; i++)
        txn->spends[i].write = true;
    return STATUS_OK;
}

static void spends_are_carried_out_in_their_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend sum = spend_of(STORE_SPEND_SINCE_RESET, 1, 40);
    spend_once(&f, 1000, sum, NOW);
    struct request r;
    spend_init(&r, 2000, spend_of(STORE_SPEND_RESET, 1, 0), NOW + 1);
    r.txn.spends[r.txn.spend_count++] = sum;
    r.txn.judge = judge_all;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    check_spent(&f, sum, NOW, 40, 1);
    release(&f, 2000);
    check_spent(&f, sum, NOW, 0, 0);
    fixture_close(&f);
}

static void sums_saturate(void **state)
{
    (void)state;
    static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                                   STORE_SPEND_SINCE_RESET };
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int64_t id = 10000 * ((int64_t)i + 1);
        struct store_spend huge = spend_of(kinds[i], (uint8_t)i, INT64_MAX);
        spend_once(&f, id, huge, NOW);
        spend_once(&f, id + 10, huge, NOW);
        check_spent(&f, huge, NOW, INT64_MAX, 2);
        release(&f, id);
        release(&f, id + 10);
        check_spent(&f, huge, NOW, 0, 0);
    }
    fixture_close(&f);
}

static void more_rows_than_are_added_up_are_too_many(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    char sql[400];
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO spent SELECT x'01010101010101010101010101010101', 1, %lld - i, i, 2, 1, 0"
        " FROM n",
        STORE_SPEND_ROWS_MAX, (long long)NOW);
    alter(f.path, sql);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 2);
    check_spent(&f, day, NOW, 2 * STORE_SPEND_ROWS_MAX, STORE_SPEND_ROWS_MAX);
    spend_once(&f, 900000000, day, NOW); /* the last one that knows its sum */
    assert_true(spent(&f, day, NOW).too_many);
    struct request r;
    spend_init(&r, 900000010, day, NOW);
    assert_int_equal(request_run(&f, &r), STORE_REFUSED);
    assert_true(r.txn.spends[0].too_many);
    request_fini(&r);
    fixture_close(&f);
}

/* --- many at once -------------------------------------------------------------------------- */

#define CROWD 200

static void one_cap_holds_against_a_crowd(void **state)
{
    (void)state;
    static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                                   STORE_SPEND_SINCE_RESET };
    static const size_t batches[] = { 512, 16, 1 };
    for (size_t i = 0; i < COUNT_OF(kinds) * COUNT_OF(batches); i++) {
        struct fixture f;
        fixture_open(&f, "spends",
                     &(struct store_options){ .batch_max = batches[i % COUNT_OF(batches)] });
        struct store_spend spend = spend_of(kinds[i / COUNT_OF(batches)], 1, 100);
        int64_t cap = 1550;
        static struct request r[CROWD];
        size_t committed = 0;
        for (size_t n = 0; n < CROWD; n++) {
            spend_init(&r[n], 10 * (int64_t)(n + 1), spend, NOW + (int64_t)n % 7);
            r[n].txn.arg = &cap;
            request_submit(&f, &r[n]);
        }
        fixture_settle(&f);
        for (size_t n = 0; n < CROWD; n++) {
            assert_true(r[n].txn.result == STORE_COMMITTED || r[n].txn.result == STORE_REFUSED);
            assert_true((r[n].txn.result == STORE_COMMITTED) == (n < 15));
            committed += r[n].txn.result == STORE_COMMITTED;
            request_fini(&r[n]);
        }
        assert_int_equal(committed, 15);
        check_spent(&f, spend, NOW, 1500, 15);
        /* One fails: there is room for one again. */
        release(&f, 10);
        check_spent(&f, spend, NOW, 1400, 14);
        for (size_t n = 0; n < 2; n++) {
            spend_init(&r[n], 100000 + 10 * (int64_t)n, spend, NOW);
            r[n].txn.arg = &cap;
            request_submit(&f, &r[n]);
        }
        fixture_settle(&f);
        assert_int_equal(r[0].txn.result, STORE_COMMITTED);
        assert_int_equal(r[1].txn.result, STORE_REFUSED);
        request_fini(&r[0]);
        request_fini(&r[1]);
        fixture_close(&f);
    }
}

static void a_broken_member_leaves_no_spend(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    pay(&f, 5, 1000, "k");
    struct store_spend spend = spend_of(STORE_SPEND_PERIOD, 1, 100);
    int64_t cap = 300;
    struct request r[6];
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        spend_init(&r[i], 2000 + 10 * (int64_t)i, spend, NOW);
        r[i].txn.arg = &cap;
    }
    r[1].txn.attempt.id = 1002;     /* is taken: breaks after it has spent */
    r[3].txn.operation.amount = -1; /* the table refuses it */
    for (size_t i = 0; i < COUNT_OF(r); i++)
        request_submit(&f, &r[i]);
    fixture_settle(&f);
    static const enum store_result expected[] = { STORE_COMMITTED, STORE_FAILED,    STORE_COMMITTED,
                                                  STORE_FAILED,    STORE_COMMITTED, STORE_REFUSED };
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        assert_int_equal(r[i].txn.result, expected[i]);
        request_fini(&r[i]);
    }
    check_spent(&f, spend, NOW, 300, 3);
    fixture_close(&f);
}

static enum status judge_once(struct store_txn *txn, void *arg)
{
    (void)arg;
    assert_false(txn->spends[0].write);
    assert_false(txn->spends_release);
    assert_int_equal(txn->write_held, 0);
    assert_int_equal(txn->spends[0].amount, 100);
    txn->spends[0].write = txn->spends_release = true;
    txn->spends[0].amount = 60; /* approved in part */
    txn->held = (struct held_row){
        .payment = txn->payment.id, .merchant = 5, .kind = HELD_REVIEW, .until_us = NOW
    };
    txn->write_held = STORE_INSERT;
    return STATUS_OK;
}

static void a_repeated_batch_starts_afresh(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    pay(&f, 5, 1000, "k");
    struct store_spend spend = spend_of(STORE_SPEND_SLIDING, 1, 100);
    struct request own, bad;
    spend_init(&own, 2000, spend, NOW);
    own.txn.judge = judge_once;
    request_new_payment(&bad, 5, 1000, 10); /* that id is taken */
    request_submit(&f, &own);
    request_submit(&f, &bad);
    fixture_settle(&f);
    assert_int_equal(own.txn.result, STORE_COMMITTED);
    assert_int_equal(bad.txn.result, STORE_FAILED);
    request_fini(&own);
    request_fini(&bad);
    check_spent(&f, spend, NOW, 60, 1);
    fixture_close(&f);
}

/* --- giving back --------------------------------------------------------------------------- */

static void what_was_spent_is_given_back_once(void **state)
{
    (void)state;
    static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                                   STORE_SPEND_SINCE_RESET };
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct request r;
    request_new_payment(&r, 5, 1000, 100);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        r.txn.spends[r.txn.spend_count++] = spend_of(kinds[i], 1, 100);
    r.txn.spend_now_us = NOW;
    r.txn.judge = judge_cap;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        spend_once(&f, 2000 + 10 * (int64_t)i, spend_of(kinds[i], 1, 7), NOW);
        check_spent(&f, spend_of(kinds[i], 1, 0), NOW, 107, 2);
    }
    /* Twice in one batch, and once more later. */
    struct request back[2];
    for (size_t i = 0; i < 2; i++) {
        request_init(&back[i], 5);
        back[i].txn.load_payment = 1000;
        back[i].txn.judge = judge_release;
        request_submit(&f, &back[i]);
    }
    fixture_settle(&f);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(back[i].txn.result, STORE_COMMITTED);
        request_fini(&back[i]);
    }
    release(&f, 1000);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        check_spent(&f, spend_of(kinds[i], 1, 0), NOW, 7, 1);
    /* A payment that never spent gives nothing back. */
    pay(&f, 5, 5000, "k");
    release(&f, 5000);
    check_spent(&f, spend_of(STORE_SPEND_PERIOD, 1, 0), NOW, 7, 1);
    fixture_close(&f);
}

/* An update that has nothing to do with sums leaves them on the row, whatever the judge puts there,
 * and is found through the attempt as well. */
static enum status judge_wipes_column(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->payment.spends = VIEW("what is this?");
    txn->payment.status = PAYMENT_AUTHORIZED;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

static void the_column_is_the_stores_own(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend spend = spend_of(STORE_SPEND_PERIOD, 1, 100);
    struct request r;
    spend_init(&r, 1000, spend, NOW);
    r.txn.payment.spends = VIEW("from the caller");
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    request_init(&r, 5);
    r.txn.load_payment = 1000;
    r.txn.judge = judge_wipes_column;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    /* By somebody who has the row from elsewhere. */
    request_new_payment(&r, 5, 1000, 100);
    r.txn.write_operation = r.txn.write_attempt = STORE_KEEP;
    r.txn.write_payment = STORE_UPDATE;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    check_spent(&f, spend, NOW, 100, 1);
    request_init(&r, 5);
    r.txn.load_attempt = 1002;
    r.txn.load_of_attempt = true;
    r.txn.judge = judge_release;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    request_fini(&r);
    check_spent(&f, spend, NOW, 0, 0);
    fixture_close(&f);
}

struct seen {
    int64_t spent, count;
    bool release;
};
static enum status judge_again(struct store_txn *txn, void *arg)
{
    struct seen *seen = arg;
    seen->spent = txn->spends[0].spent;
    seen->count = txn->spends[0].count;
    txn->spends[0].write = true;
    txn->spends_release = seen->release;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

/* A payment that was held and goes on: it does not see itself in the sums, may spend more, or spend
 * anew instead of what it had spent. */
static void a_payment_does_not_see_itself(void **state)
{
    (void)state;
    static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                                   STORE_SPEND_SINCE_RESET };
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct store_spend spend = spend_of(kinds[i], (uint8_t)i, 100);
        int64_t id = 1000 + 100 * (int64_t)i;
        spend_once(&f, id, spend, NOW);
        spend_once(&f, id + 10, spend, NOW);
        for (int more = 0; more < 2; more++) {
            struct seen seen = { .release = more == 1 };
            struct request r;
            request_init(&r, 5);
            r.txn.load_payment = id;
            r.txn.spends[0] = spend;
            r.txn.spend_count = 1;
            r.txn.spend_now_us = NOW + 1 + more;
            r.txn.judge = judge_again;
            r.txn.arg = &seen;
            assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
            request_fini(&r);
            assert_int_equal(seen.spent, 100);
            assert_int_equal(seen.count, 1);
            check_spent(&f, spend, NOW + 2, more == 0 ? 300 : 200, more == 0 ? 3 : 2);
        }
        release(&f, id);
        check_spent(&f, spend, NOW + 2, 100, 1);
    }
    fixture_close(&f);
}

/* --- mistakes ------------------------------------------------------------------------------ */

static enum status judge_mistake(struct store_txn *txn, void *arg)
{
    switch (*(int *)arg) {
    case 0: txn->write_payment = STORE_KEEP; break;
    case 1: txn->spends[0].amount = -1; break;
    case 2: txn->spends[0].window_us = 0; break;
    case 3: txn->spends[0].kind = (enum store_spend_kind)9; break;
    case 4: txn->spend_now_us = 0; break;
    case 5: txn->spend_count = STORE_SPENDS_MAX + 1; break;
    case 6: txn->write_payment = STORE_UPDATE; break; /* of a row that was not loaded */
    case 7: txn->write_held = (enum store_write)9; break;
    case 8: txn->write_payment = STORE_DELETE; break;
    default: txn->write_profile = STORE_UPDATE; break;
    }
    txn->spends[0].write = true;
    return STATUS_OK;
}

static void mistakes_are_told(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 100);
    for (int how = 0; how < 10; how++) {
        struct request r;
        spend_init(&r, 1000, day, NOW);
        r.txn.judge = judge_mistake;
        r.txn.arg = &how;
        assert_int_equal(request_run(&f, &r), STORE_FAILED);
        assert_true(r.txn.why.len > 0);
        request_fini(&r);
    }
    /* And those that are there before the judge. */
    struct store_spend wrong[3] = { day, day, day };
    wrong[0].kind = 0;
    wrong[1].amount = -1;
    wrong[2].window_us = -1;
    for (size_t i = 0; i < COUNT_OF(wrong) + 1; i++) {
        struct request r;
        spend_init(&r, 1000, i < COUNT_OF(wrong) ? wrong[i] : day, i < COUNT_OF(wrong) ? NOW : 0);
        r.txn.payment.amount = 1;
        assert_int_equal(request_run(&f, &r), STORE_FAILED);
        assert_true(r.txn.why.len > 0);
        request_fini(&r);
    }
    check_spent(&f, day, NOW, 0, 0);
    assert_int_equal(journal_length(&f), 0);
    /* Giving back without writing the payment. */
    spend_once(&f, 1000, day, NOW);
    struct request r;
    request_init(&r, 5);
    r.txn.load_payment = 1000;
    r.txn.spends_release = true;
    assert_int_equal(request_run(&f, &r), STORE_FAILED);
    request_fini(&r);
    /* Or of a row that was not loaded, which would give back nothing. */
    request_new_payment(&r, 5, 1000, 100);
    r.txn.write_operation = r.txn.write_attempt = STORE_KEEP;
    r.txn.write_payment = STORE_UPDATE;
    r.txn.spends_release = true;
    assert_int_equal(request_run(&f, &r), STORE_FAILED);
    request_fini(&r);
    check_spent(&f, day, NOW, 100, 1);
    fixture_close(&f);
}

static void a_damaged_column_is_an_error(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 100);
    static const char *const damages[] = {
        "x'09'",
        "CAST(x'04' || substr(spends, 2) AS BLOB)",
        "substr(spends, 1, length(spends) - 1)",
        "CAST(substr(spends, 1, 25) || x'FFFFFFFFFFFFFFFF' AS BLOB)",
    };
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        int64_t id = 1000 + 10 * (int64_t)i;
        spend_once(&f, id, day, NOW);
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE payments SET spends = %s WHERE id = %d", damages[i],
                 (int)id);
        alter(f.path, sql);
        struct request bad, good;
        request_init(&bad, 5);
        bad.txn.load_payment = id;
        bad.txn.judge = judge_release;
        spend_init(&good, id + 5, day, NOW);
        good.txn.operation.id = id + 6;
        good.txn.attempt.id = id + 7;
        request_submit(&f, &good);
        request_submit(&f, &bad);
        fixture_settle(&f);
        assert_int_equal(bad.txn.result, STORE_FAILED);
        assert_true(bad.txn.why.len > 0);
        assert_int_equal(good.txn.result, STORE_COMMITTED);
        request_fini(&bad);
        request_fini(&good);
    }
    check_spent(&f, day, NOW, 800, 8);
    fixture_close(&f);
}

/* --- what stays ---------------------------------------------------------------------------- */

static void a_crash_keeps_what_was_committed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", &(struct store_options){ .batch_max = 4 });
    struct store_keeper *keeper;
    assert_int_equal(store_keeper_open(&keeper, f.path), STATUS_OK);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 100);
    struct store_spend sum = spend_of(STORE_SPEND_PERIOD, 1, 100);
    static struct request r[20];
    int64_t committed = 0;
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        spend_init(&r[i], 1000 + 10 * (int64_t)i, day, NOW);
        r[i].txn.spends[r[i].txn.spend_count++] = sum;
        request_submit(&f, &r[i]);
    }
    while (!r[9].done)
        assert_true(loop_step(f.loop, INT64_MAX));
    fixture_crash(&f);
    fixture_reopen(&f);
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        bool there = payment_exists(&f, 1000 + 10 * (int64_t)i, NULL);
        assert_true(there || !r[i].done);
        committed += there;
        request_fini(&r[i]);
    }
    assert_true(committed >= 10 && committed < 20);
    check_spent(&f, day, NOW, 100 * committed, committed);
    check_spent(&f, sum, NOW, 100 * committed, committed);
    release(&f, 1000);
    check_spent(&f, day, NOW, 100 * (committed - 1), committed - 1);
    check_spent(&f, sum, NOW, 100 * (committed - 1), committed - 1);
    fixture_close(&f);
    store_keeper_close(keeper);
}

/* Rows a whole window behind the window go with the next payment, some at once. */
static void old_rows_are_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    struct store_spend day = spend_of(STORE_SPEND_SLIDING, 1, 1);
    char sql[400];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299)"
             " INSERT INTO spent SELECT x'01010101010101010101010101010101', 1, %lld - i, i + 1, 1,"
             " 1, 0 FROM n",
             (long long)(NOW - 2 * WINDOW + 1));
    alter(f.path, sql); /* the newest of them is a microsecond too young, 299 are not */
    assert_int_equal(rows_of_spent(&f), 300);
    struct store_spend other = spend_of(STORE_SPEND_SLIDING, 2, 1);
    spend_once(&f, 900, other, NOW);
    assert_int_equal(rows_of_spent(&f), 301);
    spend_once(&f, 1000, day, NOW);
    assert_int_equal(rows_of_spent(&f), 301 + 1 - 256);
    spend_once(&f, 2000, day, NOW);
    assert_int_equal(rows_of_spent(&f), 1 + 2 + 1);
    check_spent(&f, day, NOW, 2, 2);
    /* Giving back what was forgotten meanwhile changes nothing. */
    spend_once(&f, 3000, day, NOW + 3 * WINDOW);
    release(&f, 1000);
    check_spent(&f, day, NOW + 3 * WINDOW, 1, 1);
    fixture_close(&f);
}

/* Those of counters that nobody uses any more, in idle hours. */
static void upkeep_removes_what_is_over(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL, NULL);
    char sql[600];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)"
             " INSERT INTO spent SELECT CAST(printf('%%016d', i) AS BLOB), 1 + i %% 4,"
             " CASE WHEN i %% 4 > 1 THEN 0 ELSE %lld + 3600000000 * (i %% 8 / 4) END,"
             " CASE i %% 4 WHEN 0 THEN i + 1 ELSE 0 END, 1, 1, 0 FROM n WHERE i %% 4 < 3",
             (long long)(NOW - 400 * DAY + 10 * LOOP_US_PER_S));
    alter(f.path, sql);
    assert_int_equal(rows_of_spent(&f), 1500);
    /* Now nothing is over: the oldest have ten seconds left, and the walk comes once a day. */
    for (int64_t i = 0; i < 40; i++)
        pay(&f, 5, 1000 + 10 * i, "");
    assert_int_equal(rows_of_spent(&f), 1500);
    fixture_close_store(&f);
    /* A store that is opened later walks at once, a step with each moment that it is idle. */
    loop_close(f.loop);
    f.loop = loop_open_virtual(1, NOW + 10 * LOOP_US_PER_S);
    assert_non_null(f.loop);
    fixture_reopen(&f);
    for (int64_t i = 0; i < 2000; i++)
        pay(&f, 5, 100000 + 10 * i, "");
    /* Of SLIDING and PERIOD half are older than 400 days, and half have an hour left; the sums
     * since a reset have no end. */
    assert_int_equal(rows_of_spent(&f), 500 + 500);
    fixture_close(&f);
}

/* --- against a model ----------------------------------------------------------------------- */

enum { MODEL_PAYMENTS = 400, MODEL_KEYS = 3, MODEL_PERIODS = 4 };
struct model {
    struct {
        bool live;
        enum store_spend_kind kind;
        uint8_t key;
        int64_t amount, at_us, start_us, epoch;
    } payments[MODEL_PAYMENTS];
    int64_t epochs[MODEL_KEYS];
    size_t count;
};

static void model_check(struct fixture *f, const struct model *m, int64_t now_us)
{
    for (uint8_t key = 0; key < MODEL_KEYS; key++) {
        for (int what = 0; what < 2 + MODEL_PERIODS; what++) {
            enum store_spend_kind kind = what == 0   ? STORE_SPEND_SLIDING
                                         : what == 1 ? STORE_SPEND_SINCE_RESET
                                                     : STORE_SPEND_PERIOD;
            struct store_spend spend = spend_of(kind, key, 0);
            if (kind == STORE_SPEND_PERIOD)
                spend.start_us = NOW + (what - 2) * DAY;
            int64_t amount = 0, count = 0;
            for (size_t i = 0; i < m->count; i++) {
                bool in =
                    m->payments[i].live && m->payments[i].kind == kind && m->payments[i].key == key;
                if (kind == STORE_SPEND_SLIDING)
                    in = in && m->payments[i].at_us > now_us - WINDOW;
                else if (kind == STORE_SPEND_PERIOD)
                    in = in && m->payments[i].start_us == spend.start_us;
                else
                    in = in && m->payments[i].epoch == m->epochs[key];
                amount += in ? m->payments[i].amount : 0;
                count += in;
            }
            check_spent(f, spend, now_us, amount, count);
        }
    }
}

static void random_payments_agree_with_a_model(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "spends", NULL);
    static struct model m;
    uint32_t random = 12345;
    int64_t now_us = NOW;
    while (m.count < MODEL_PAYMENTS) {
        random = random * 1664525 + 1013904223;
        uint32_t dice = random >> 12;
        now_us += dice % 11 == 0 ? -HOUR : (int64_t)(dice % 5) * HOUR / 4;
        uint8_t key = (uint8_t)(dice % MODEL_KEYS);
        size_t i = m.count;
        if (dice % 4 == 0 && i > 0) { /* an earlier one fails; it may have failed before */
            size_t failed = dice / 4 % i;
            release(&f, 10 * (int64_t)(failed + 1));
            m.payments[failed].live = false;
            continue;
        }
        static const enum store_spend_kind kinds[] = { STORE_SPEND_SLIDING, STORE_SPEND_PERIOD,
                                                       STORE_SPEND_SINCE_RESET, STORE_SPEND_RESET };
        struct store_spend spend = spend_of(kinds[dice / 16 % 4], key, dice % 1000);
        if (spend.kind == STORE_SPEND_PERIOD)
            spend.start_us = NOW + (int64_t)(dice / 64 % MODEL_PERIODS) * DAY;
        spend_once(&f, 10 * (int64_t)(i + 1), spend, now_us);
        if (spend.kind == STORE_SPEND_RESET)
            m.epochs[key]++;
        m.payments[i].live = spend.kind != STORE_SPEND_RESET;
        m.payments[i].kind = spend.kind;
        m.payments[i].key = key;
        m.payments[i].amount = spend.amount;
        m.payments[i].at_us = now_us;
        m.payments[i].start_us = spend.start_us;
        m.payments[i].epoch = m.epochs[key];
        m.count++;
        if (i % 8 == 0)
            model_check(&f, &m, now_us);
    }
    model_check(&f, &m, now_us);
    model_check(&f, &m, now_us + WINDOW / 2);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_ends_to_the_microsecond),
        cmocka_unit_test(each_period_has_a_sum_of_its_own),
        cmocka_unit_test(a_reset_begins_anew),
        cmocka_unit_test(spends_are_carried_out_in_their_order),
        cmocka_unit_test(sums_saturate),
        cmocka_unit_test(more_rows_than_are_added_up_are_too_many),
        cmocka_unit_test(one_cap_holds_against_a_crowd),
        cmocka_unit_test(a_broken_member_leaves_no_spend),
        cmocka_unit_test(a_repeated_batch_starts_afresh),
        cmocka_unit_test(what_was_spent_is_given_back_once),
        cmocka_unit_test(the_column_is_the_stores_own),
        cmocka_unit_test(a_payment_does_not_see_itself),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_damaged_column_is_an_error),
        cmocka_unit_test(a_crash_keeps_what_was_committed),
        cmocka_unit_test(old_rows_are_forgotten),
        cmocka_unit_test(upkeep_removes_what_is_over),
        cmocka_unit_test(random_payments_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
