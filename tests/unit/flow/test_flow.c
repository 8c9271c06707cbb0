/* test_flow.c - the life cycle: first as stories, then as properties of random sequences, held
 * against a model that keeps a list of operations instead of sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "flow/flow.h"

#define assert_ok(call) assert_int_equal((call), STATUS_OK)

struct payment {
    enum payment_status status;
    struct flow_sums sums;
    enum capture_mode mode;
};

static struct payment payment_of(int64_t amount, enum capture_mode mode)
{
    return (struct payment){ .sums.amount = amount, .mode = mode };
}

static enum flow_refusal begin(struct payment *p, enum operation operation, int64_t amount)
{
    enum flow_refusal refusal = flow_begin(&p->status, &p->sums, operation, &amount);
    assert_true(flow_sums_hold(&p->sums));
    return refusal;
}

static enum status finish(struct payment *p, enum operation operation, int64_t begun,
                          int64_t approved, enum flow_end end)
{
    enum status s = flow_end(&p->status, &p->sums, operation, p->mode, begun, approved, end);
    assert_true(flow_sums_hold(&p->sums));
    return s;
}

static void approve(struct payment *p, enum operation operation, int64_t amount)
{
    assert_int_equal(begin(p, operation, amount), FLOW_ALLOWED);
    assert_ok(finish(p, operation, amount, amount, FLOW_END_APPROVED));
}

/* --- stories ------------------------------------------------------------------------------- */

static void a_sale_and_its_refunds(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_AUTOMATIC);
    assert_int_equal(begin(&p, OPERATION_SALE, 0), FLOW_ALLOWED);
    assert_int_equal(p.status, PAYMENT_PROCESSING);
    assert_int_equal(p.sums.capturing, 1000);
    assert_int_equal(begin(&p, OPERATION_SALE, 0), FLOW_WRONG_STATUS); /* only once */
    assert_int_equal(begin(&p, OPERATION_REFUND, 1), FLOW_WRONG_STATUS);
    assert_ok(finish(&p, OPERATION_SALE, 1000, 1000, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_SUCCEEDED);
    assert_int_equal(p.sums.authorized, 1000);
    assert_int_equal(p.sums.captured, 1000);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 1), FLOW_WRONG_STATUS);
    assert_int_equal(begin(&p, OPERATION_CANCEL, 0), FLOW_WRONG_STATUS);
    approve(&p, OPERATION_REFUND, 400);
    assert_int_equal(p.status, PAYMENT_PARTIALLY_REFUNDED);
    assert_int_equal(begin(&p, OPERATION_REFUND, 601), FLOW_OVER_REFUNDABLE);
    assert_int_equal(begin(&p, OPERATION_REFUND, 600), FLOW_ALLOWED);
    assert_int_equal(begin(&p, OPERATION_REFUND, 1), FLOW_OVER_REFUNDABLE);
    assert_int_equal(begin(&p, OPERATION_REFUND, 0), FLOW_NOTHING_LEFT);
    assert_ok(finish(&p, OPERATION_REFUND, 600, 0, FLOW_END_FAILED));
    assert_int_equal(p.status, PAYMENT_PARTIALLY_REFUNDED);
    assert_int_equal(flow_refundable(&p.sums), 600);
    approve(&p, OPERATION_REFUND, 600);
    assert_int_equal(p.status, PAYMENT_REFUNDED);
    assert_int_equal(begin(&p, OPERATION_REFUND, 1), FLOW_WRONG_STATUS);
}

static void a_sale_approved_in_part(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_AUTOMATIC);
    assert_int_equal(begin(&p, OPERATION_SALE, 1000), FLOW_ALLOWED);
    assert_ok(finish(&p, OPERATION_SALE, 1000, 700, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_SUCCEEDED);
    assert_int_equal(p.sums.captured, 700);
    assert_int_equal(flow_refundable(&p.sums), 700);
}

static void captures_in_parts(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_MANUAL);
    approve(&p, OPERATION_AUTHORISE, 1000);
    assert_int_equal(p.status, PAYMENT_AUTHORIZED);
    assert_int_equal(flow_capturable(&p.sums), 1000);
    approve(&p, OPERATION_CAPTURE, 300);
    assert_int_equal(p.status, PAYMENT_AUTHORIZED); /* captured shows the part */
    approve(&p, OPERATION_REFUND, 100);             /* possible already */
    assert_int_equal(p.status, PAYMENT_AUTHORIZED);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 701), FLOW_OVER_CAPTURABLE);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 700), FLOW_ALLOWED);
    assert_int_equal(p.status, PAYMENT_AUTHORIZED); /* not answered yet */
    assert_ok(finish(&p, OPERATION_CAPTURE, 700, 700, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_PARTIALLY_REFUNDED);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 1), FLOW_WRONG_STATUS);
}

static void two_captures_that_together_exceed(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_MANUAL);
    approve(&p, OPERATION_AUTHORISE, 1000);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 600), FLOW_ALLOWED);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 600), FLOW_OVER_CAPTURABLE);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 400), FLOW_ALLOWED);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 0), FLOW_NOTHING_LEFT);
    /* The first fails: its money can be captured again. */
    assert_ok(finish(&p, OPERATION_CAPTURE, 600, 0, FLOW_END_FAILED));
    assert_int_equal(flow_capturable(&p.sums), 600);
    assert_ok(finish(&p, OPERATION_CAPTURE, 400, 400, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_AUTHORIZED);
    /* A capture approved for less: the rest stays open. */
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 0), FLOW_ALLOWED);
    assert_ok(finish(&p, OPERATION_CAPTURE, 600, 500, FLOW_END_APPROVED));
    assert_int_equal(flow_capturable(&p.sums), 100);
    assert_int_equal(p.status, PAYMENT_AUTHORIZED);
}

static void cancels(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_MANUAL);
    approve(&p, OPERATION_AUTHORISE, 1000);
    assert_int_equal(begin(&p, OPERATION_CANCEL, 999), FLOW_OVER_CAPTURABLE); /* all or nothing */
    approve(&p, OPERATION_CANCEL, 1000);
    assert_int_equal(p.status, PAYMENT_CANCELED);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 0), FLOW_WRONG_STATUS);

    p = payment_of(1000, CAPTURE_MANUAL);
    approve(&p, OPERATION_AUTHORISE, 1000);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 300), FLOW_ALLOWED);
    assert_int_equal(begin(&p, OPERATION_CANCEL, 0), FLOW_OPERATION_RUNNING);
    assert_ok(finish(&p, OPERATION_CAPTURE, 300, 300, FLOW_END_APPROVED));
    assert_int_equal(begin(&p, OPERATION_CANCEL, 0), FLOW_ALLOWED); /* the rest */
    assert_int_equal(p.sums.releasing, 700);
    assert_int_equal(begin(&p, OPERATION_CANCEL, 0), FLOW_OPERATION_RUNNING);
    assert_int_equal(begin(&p, OPERATION_CAPTURE, 1), FLOW_OVER_CAPTURABLE);
    assert_int_equal(begin(&p, OPERATION_REFUND, 300), FLOW_ALLOWED); /* while it runs */
    assert_ok(finish(&p, OPERATION_CANCEL, 700, 700, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_SUCCEEDED);
    assert_ok(finish(&p, OPERATION_REFUND, 300, 300, FLOW_END_APPROVED));
    assert_int_equal(p.status, PAYMENT_REFUNDED);
}

static void first_operations_that_come_to_nothing(void **state)
{
    (void)state;
    static const enum operation firsts[] = { OPERATION_SALE, OPERATION_AUTHORISE };
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        struct payment p = payment_of(500, CAPTURE_MANUAL);
        assert_int_equal(begin(&p, firsts[i], 0), FLOW_ALLOWED);
        assert_ok(finish(&p, firsts[i], 500, 0, FLOW_END_FAILED));
        assert_int_equal(p.status, PAYMENT_FAILED);
        assert_int_equal(p.sums.capturing, 0);
        /* Ended is ended: a late approval is not silently booked. */
        assert_int_equal(finish(&p, firsts[i], 500, 500, FLOW_END_APPROVED), STATUS_MISMATCH);
        assert_int_equal(p.status, PAYMENT_FAILED);

        p = payment_of(500, CAPTURE_MANUAL);
        assert_int_equal(begin(&p, firsts[i], 0), FLOW_ALLOWED);
        assert_ok(finish(&p, firsts[i], 500, 0, FLOW_END_REVERSED));
        assert_int_equal(p.status, PAYMENT_REVERSED);
        assert_int_equal(begin(&p, firsts[i], 0), FLOW_WRONG_STATUS);
    }
}

static void what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    struct payment p = payment_of(1000, CAPTURE_MANUAL);
    assert_int_equal(begin(&p, OPERATION_AUTHORISE, 999), FLOW_OVER_CAPTURABLE);
    assert_int_equal(begin(&p, OPERATION_AUTHORISE, -1), FLOW_OVER_CAPTURABLE);
    assert_int_equal(begin(&p, OPERATION_AUTHORISE, 0), FLOW_ALLOWED);
    struct payment before = p;
    /* Approved for more than asked, for nothing, for another operation, of another size. */
    assert_int_equal(finish(&p, OPERATION_AUTHORISE, 1000, 1001, FLOW_END_APPROVED),
                     STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_AUTHORISE, 1000, 0, FLOW_END_APPROVED), STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_AUTHORISE, 999, 999, FLOW_END_APPROVED), STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_SALE, 1000, 1000, FLOW_END_APPROVED), STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_CAPTURE, 1000, 1, FLOW_END_APPROVED), STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_REFUND, 0, 0, FLOW_END_FAILED), STATUS_MISMATCH);
    assert_int_equal(finish(&p, OPERATION_ECHO, 1, 1, FLOW_END_FAILED), STATUS_MISMATCH);
    assert_memory_equal(&p, &before, sizeof p);

    p = payment_of(1000, CAPTURE_AUTOMATIC);
    assert_int_equal(begin(&p, OPERATION_SALE, 0), FLOW_ALLOWED);
    /* A running sale is not a running capture. */
    assert_int_equal(finish(&p, OPERATION_CAPTURE, 1000, 1000, FLOW_END_APPROVED), STATUS_MISMATCH);

    /* Rows that do not hold are not touched. */
    struct payment broken = payment_of(1000, CAPTURE_MANUAL);
    broken.status = PAYMENT_AUTHORIZED;
    broken.sums.authorized = 1000;
    broken.sums.captured = INT64_MAX;
    broken.sums.released = INT64_MAX;
    int64_t amount = 1;
    assert_int_equal(flow_begin(&broken.status, &broken.sums, OPERATION_CAPTURE, &amount),
                     FLOW_WRONG_STATUS);
    assert_int_equal(flow_capturable(&broken.sums), 0);
    assert_int_equal(flow_refundable(&broken.sums), 0);
    enum payment_status outside = (enum payment_status)4711;
    struct flow_sums fine = { .amount = 10 };
    amount = 0;
    assert_int_equal(flow_begin(&outside, &fine, OPERATION_SALE, &amount), FLOW_WRONG_STATUS);
}

static void resting_statuses(void **state)
{
    (void)state;
    assert_false(flow_is_final((enum payment_status)0));
    assert_false(flow_is_final(PAYMENT_PROCESSING));
    assert_false(flow_is_final(PAYMENT_REQUIRES_ACTION));
    assert_true(flow_is_final(PAYMENT_AUTHORIZED));
    assert_true(flow_is_final(PAYMENT_SUCCEEDED));
    assert_true(flow_is_final(PAYMENT_FAILED));
    assert_true(flow_is_final(PAYMENT_REVERSED));
    for (int i = FLOW_ALLOWED; i <= FLOW_OPERATION_RUNNING; i++) {
        assert_true(strlen(flow_refusal_code((enum flow_refusal)i)) > 0);
        assert_true(strlen(flow_refusal_text((enum flow_refusal)i)) > 0);
    }
}

/* --- properties ---------------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

struct model_operation {
    enum operation kind;
    int64_t begun, approved;
    bool running;
};
struct model {
    struct model_operation rows[64];
    size_t count;
    bool canceled; /* before the first operation was answered */
};

static int64_t model_sum(const struct model *m, enum operation kind, bool running)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->rows[i].kind == kind && m->rows[i].running == running)
            sum += running ? m->rows[i].begun : m->rows[i].approved;
    }
    return sum;
}

static void model_agrees(const struct model *m, const struct payment *p)
{
    const struct flow_sums *s = &p->sums;
    bool sale = m->rows[0].kind == OPERATION_SALE;
    int64_t authorized = m->rows[0].approved;
    int64_t captured = model_sum(m, OPERATION_CAPTURE, false) + (sale ? authorized : 0);
    int64_t refunded = model_sum(m, OPERATION_REFUND, false);
    int64_t released = model_sum(m, OPERATION_CANCEL, false);
    assert_true(s->authorized == authorized && s->captured == captured);
    assert_true(s->refunded == refunded && s->released == released);
    assert_true(s->refunding == model_sum(m, OPERATION_REFUND, true));
    assert_true(s->releasing == model_sum(m, OPERATION_CANCEL, true));
    assert_true(captured + released <= authorized && refunded <= captured);
    if (m->canceled)
        assert_int_equal(p->status, PAYMENT_CANCELED);
    else if (m->rows[0].running)
        assert_true(p->status == PAYMENT_PROCESSING || p->status == PAYMENT_REQUIRES_ACTION);
    else if (authorized == 0)
        assert_true(p->status == PAYMENT_FAILED || p->status == PAYMENT_REVERSED);
    else if (captured + released < authorized)
        assert_int_equal(p->status, PAYMENT_AUTHORIZED);
    else if (captured == 0)
        assert_int_equal(p->status, PAYMENT_CANCELED);
    else
        assert_int_equal(p->status, refunded == 0          ? PAYMENT_SUCCEEDED
                                    : refunded == captured ? PAYMENT_REFUNDED
                                                           : PAYMENT_PARTIALLY_REFUNDED);
}

static void random_begin(struct model *m, struct payment *p, uint64_t *x)
{
    static const enum operation kinds[] = { OPERATION_CAPTURE, OPERATION_CANCEL, OPERATION_REFUND,
                                            OPERATION_REVERSE, OPERATION_ECHO,   OPERATION_CAPTURE,
                                            OPERATION_REFUND };
    struct flow_sums before = p->sums;
    enum operation kind = kinds[random_next(x) % COUNT_OF(kinds)];
    int64_t asked = random_next(x) % 3 == 0
                        ? 0
                        : (int64_t)(random_next(x) % (uint64_t)(p->sums.amount / 2 + 2));
    int64_t amount = asked;
    enum flow_refusal refusal = flow_begin(&p->status, &p->sums, kind, &amount);
    if (refusal != FLOW_ALLOWED) {
        assert_memory_equal(&p->sums, &before, sizeof before);
        assert_true(amount == asked);
        return;
    }
    bool of_first = kind == OPERATION_CANCEL && m->rows[0].running;
    assert_true(of_first ? amount == 0 : amount > 0 && (asked == 0 || amount == asked));
    assert_true(kind == OPERATION_CAPTURE || kind == OPERATION_CANCEL || kind == OPERATION_REFUND);
    m->rows[m->count++] =
        (struct model_operation){ .kind = kind, .begun = amount, .running = true };
}

static void random_end(struct model *m, struct payment *p, uint64_t *x)
{
    struct model_operation *row = &m->rows[random_next(x) % m->count];
    if (!row->running)
        return;
    enum flow_end end = (enum flow_end)(1 + random_next(x) % 3);
    int64_t approved = 0;
    if (row->begun == 0) { /* a cancel of the first operation */
        struct flow_sums before = p->sums;
        enum status ended =
            flow_end(&p->status, &p->sums, row->kind, p->mode, 0, p->sums.amount, end);
        row->running = false;
        if (end == FLOW_END_APPROVED && m->rows[0].approved > 0) {
            assert_int_equal(ended, STATUS_MISMATCH); /* it was approved meanwhile */
            assert_memory_equal(&p->sums, &before, sizeof before);
            return;
        }
        assert_ok(ended);
        if (end == FLOW_END_APPROVED && m->rows[0].running) {
            m->canceled = true;
            m->rows[0].running = false;
        }
        return;
    }
    if (end == FLOW_END_APPROVED) {
        approved = row->begun;
        if (random_next(x) % 4 == 0)
            approved = 1 + (int64_t)(random_next(x) % (uint64_t)row->begun);
    }
    assert_ok(flow_end(&p->status, &p->sums, row->kind, p->mode, row->begun, approved, end));
    row->running = false;
    row->approved = approved;
}

static void random_sequences_keep_the_sums(void **state)
{
    (void)state;
    uint64_t x = 0x9e3779b97f4a7c15u;
    size_t seen[PAYMENT_PARTIALLY_REFUNDED + 1] = { 0 };
    for (int run = 0; run < 20000; run++) {
        struct model m = { .count = 1 };
        int64_t amount = 1 + (int64_t)(random_next(&x) % 1000);
        if (random_next(&x) % 16 == 0)
            amount = INT64_MAX; /* sums must not wrap */
        struct payment p = payment_of(amount, CAPTURE_MANUAL);
        enum operation first = random_next(&x) % 4 == 0 ? OPERATION_SALE : OPERATION_AUTHORISE;
        assert_int_equal(begin(&p, first, 0), FLOW_ALLOWED);
        m.rows[0] = (struct model_operation){ .kind = first, .begun = amount, .running = true };
        for (int step = 0; step < 60 && m.count < COUNT_OF(m.rows); step++) {
            if (m.rows[0].running && random_next(&x) % 8 == 0)
                assert_ok(flow_act(&p.status, &p.sums));
            if (random_next(&x) % 2 == 0)
                random_begin(&m, &p, &x);
            else
                random_end(&m, &p, &x);
            assert_true(flow_sums_hold(&p.sums));
            model_agrees(&m, &p);
        }
        seen[p.status]++;
    }
    /* The walk must really reach every end, or it proves little. */
    for (int status = PAYMENT_PROCESSING; status <= PAYMENT_PARTIALLY_REFUNDED; status++)
        assert_true(status == PAYMENT_PROCESSING || seen[status] > 0);
}

/* Any sums and any event, also nonsense: nothing changes unless the sums hold before and after. */
static void nonsense_never_breaks_the_sums(void **state)
{
    (void)state;
    static const int64_t odd[] = { INT64_MIN, -1, 0, 0, 0, 1, 2, 5, 10, INT64_MAX };
    uint64_t x = 42;
    for (int run = 0; run < 300000; run++) {
        int64_t n[8], amount = odd[random_next(&x) % COUNT_OF(odd)];
        for (size_t i = 0; i < 8; i++)
            n[i] = odd[random_next(&x) % COUNT_OF(odd)];
        struct flow_sums sums = { n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7] }, before = sums;
        enum payment_status status = (enum payment_status)(random_next(&x) % 11);
        enum operation operation = (enum operation)(random_next(&x) % 14);
        bool changed;
        if (random_next(&x) % 2 == 0)
            changed = flow_begin(&status, &sums, operation, &amount) == FLOW_ALLOWED;
        else
            changed =
                flow_end(&status, &sums, operation, (enum capture_mode)(1 + random_next(&x) % 2),
                         amount, odd[random_next(&x) % COUNT_OF(odd)],
                         (enum flow_end)(1 + random_next(&x) % 3)) == STATUS_OK;
        if (changed)
            assert_true(flow_sums_hold(&before) && flow_sums_hold(&sums));
        else
            assert_memory_equal(&sums, &before, sizeof sums);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sale_and_its_refunds),
        cmocka_unit_test(a_sale_approved_in_part),
        cmocka_unit_test(captures_in_parts),
        cmocka_unit_test(two_captures_that_together_exceed),
        cmocka_unit_test(cancels),
        cmocka_unit_test(first_operations_that_come_to_nothing),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
        cmocka_unit_test(resting_statuses),
        cmocka_unit_test(random_sequences_keep_the_sums),
        cmocka_unit_test(nonsense_never_breaks_the_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
