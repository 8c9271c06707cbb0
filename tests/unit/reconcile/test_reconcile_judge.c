/* test_reconcile_judge.c - what two sides say under one name, and what is made of it: every row of
 * the table in judge.c, the ends of the period, and what comes back. */
#include "reconcile/reconcile_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FROM  INT64_C(1000000)
#define UNTIL INT64_C(9000000)
#define EDGE  INT64_C(100000)

static const struct period period = { .from_us = FROM, .until_us = UNTIL, .tolerance_us = EDGE };

static struct group of(enum rail rail)
{
    return (struct group){ .rail = rail };
}

static struct here ours(enum attempt_state state, int64_t minor)
{
    return (struct here){ .attempt = 7,
                          .payment = 5,
                          .amount_minor = minor,
                          .created_us = 2000000,
                          .updated_us = 3000000,
                          .role = HERE_MAIN,
                          .state = (uint8_t)state,
                          .verb = OPERATION_SALE,
                          .currency = "EUR" };
}

static struct there theirs(enum role role, int64_t minor)
{
    return (struct there){ .amount_minor = minor,
                           .line = 2,
                           .what = "SALE",
                           .of = OF_ANY,
                           .role = (uint8_t)role,
                           .currency = "EUR" };
}

static void say_here(struct group *g, struct here here)
{
    reconcile_add_here(g, &here, &period);
}

static void say_there(struct group *g, struct there there)
{
    reconcile_add_there(g, &there);
}

static void is(const struct group *g, enum finding_verdict verdict)
{
    assert_int_equal(reconcile_judge(g, &period).verdict, verdict);
}

static void differs(const struct group *g, enum difference_kind kind, int64_t here, int64_t there)
{
    struct finding finding = reconcile_judge(g, &period);
    assert_int_equal(finding.verdict, FOUND_DIFFERENCE);
    assert_string_equal(difference_kind_word(finding.kind), difference_kind_word(kind));
    assert_int_equal(finding.here_minor, here);
    assert_int_equal(finding.there_minor, there);
}

static void approved_here(void **state)
{
    (void)state;
    struct group g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    differs(&g, DIFFERENCE_MISSING_THERE, 1250, 0);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    is(&g, FOUND_MATCHED);
    struct group again = g;
    say_there(&again, theirs(ROLE_FORWARD, 1250));
    differs(&again, DIFFERENCE_TWICE, 1250, 2500);
    struct group reversed = g;
    say_there(&reversed, theirs(ROLE_BACK, 1250));
    differs(&reversed, DIFFERENCE_AMOUNT, 1250, 0);
    g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    say_there(&g, theirs(ROLE_FORWARD, 1251));
    differs(&g, DIFFERENCE_AMOUNT, 1250, 1251);
    g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    struct there yen = theirs(ROLE_FORWARD, 1250);
    memcpy(yen.currency, "JPY", 4);
    say_there(&g, yen);
    differs(&g, DIFFERENCE_CURRENCY, 1250, 1250);
}

/* Under the name of a sale stands a refund, or what gives money once more: the amount alone is
 * right. */
static void money_that_went_the_other_way(void **state)
{
    (void)state;
    struct there refund = theirs(ROLE_FORWARD, 1250), credit = theirs(ROLE_BACK, 1250);
    refund.of = OF(REFUND);
    credit.of = OF(REFUND);
    static const enum rail rails[] = { RAIL_CARD, RAIL_QR, RAIL_BANK, RAIL_CBDC };
    for (size_t i = 0; i < sizeof rails / sizeof rails[0]; i++) {
        struct group g = of(rails[i]);
        say_here(&g, ours(ATTEMPT_APPROVED, 1250));
        say_there(&g, refund);
        differs(&g, DIFFERENCE_AMOUNT, 1250, -1250);
    }
    struct group g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_DECLINED, 1250));
    say_there(&g, refund);
    differs(&g, DIFFERENCE_FAILED_HERE, 0, -1250);
    /* A sale and its "reversal", both of which are money for us. */
    g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_REVERSED, 1250));
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    say_there(&g, credit);
    differs(&g, DIFFERENCE_FAILED_HERE, 0, 2500);
    g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    say_there(&g, credit);
    differs(&g, DIFFERENCE_AMOUNT, 1250, 2500);
    /* A provider's payment: to the merchant, and not by the merchant. */
    struct here sale = ours(ATTEMPT_APPROVED, 1250);
    sale.must = OF_RECEIVED;
    struct there paid = theirs(ROLE_FORWARD, 1250), back = theirs(ROLE_BACK, 250);
    paid.of = back.of = OF(SALE) | OF_RECEIVED;
    back.beside = 1;
    g = of(RAIL_QR);
    say_here(&g, sale);
    say_there(&g, paid);
    say_there(&g, back);
    is(&g, FOUND_MATCHED);
    paid.of = OF(SALE) | OF_PAID;
    g = of(RAIL_QR);
    say_here(&g, sale);
    say_there(&g, paid);
    differs(&g, DIFFERENCE_AMOUNT, 1250, -1250);
    /* A ledger's entry: our wallet is the one that gets it. What stands beside names others. */
    const struct {
        uint64_t from, to;
        enum finding_verdict verdict;
    } wallets[] = { { 5, 7, FOUND_MATCHED },
                    { 7, 5, FOUND_DIFFERENCE },
                    { 5, 9, FOUND_DIFFERENCE },
                    { 7, 0, FOUND_DIFFERENCE } };
    for (size_t i = 0; i < sizeof wallets / sizeof wallets[0]; i++) {
        sale = ours(ATTEMPT_APPROVED, 1250);
        sale.to = 7;
        struct there entry = theirs(ROLE_FORWARD, 1250);
        entry.from = wallets[i].from;
        entry.to = wallets[i].to;
        g = of(RAIL_CBDC);
        say_here(&g, sale);
        say_there(&g, entry);
        back.of = OF_ANY;
        say_there(&g, back);
        is(&g, wallets[i].verdict);
    }
    /* Sums that are out of all bounds stay sums. */
    g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    credit.amount_minor = INT64_MAX;
    for (int i = 0; i < 3; i++)
        say_there(&g, credit);
    differs(&g, DIFFERENCE_MISSING_THERE, 1250, INT64_MAX);
}

static void nothing_here(void **state)
{
    (void)state;
    struct group g = of(RAIL_CARD);
    say_there(&g, theirs(ROLE_FORWARD, 4711));
    differs(&g, DIFFERENCE_MISSING_HERE, 0, 4711);
    g = of(RAIL_CARD);
    struct there outside = theirs(ROLE_FORWARD, 4711);
    outside.outside = 1;
    say_there(&g, outside);
    is(&g, FOUND_NOTHING);
    g = of(RAIL_QR); /* it stands under its own name, and is judged there */
    struct there beside = theirs(ROLE_BACK, 250);
    beside.beside = 1;
    say_there(&g, beside);
    is(&g, FOUND_NOTHING);
    /* The refund by which we undid something. */
    g = of(RAIL_QR);
    struct here remedy = ours(ATTEMPT_APPROVED, 1250);
    remedy.role = HERE_REMEDY;
    say_here(&g, remedy);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    is(&g, FOUND_NOTHING);
    /* Under its name more was taken, or something else. */
    struct group more = g;
    say_there(&more, theirs(ROLE_FORWARD, 50000));
    differs(&more, DIFFERENCE_AMOUNT, 1250, 51250);
    g = of(RAIL_QR);
    say_here(&g, remedy);
    struct there yen = theirs(ROLE_FORWARD, 1250);
    memcpy(yen.currency, "JPY", 4);
    say_there(&g, yen);
    differs(&g, DIFFERENCE_CURRENCY, 1250, 1250);
}

/* The right number, amount and currency; but it is about another payment. */
static void another_original(void **state)
{
    (void)state;
    static const enum rail rails[] = { RAIL_CARD, RAIL_QR, RAIL_CBDC };
    struct there line = theirs(ROLE_FORWARD, 1250), other = line, silent = line, beside = line;
    (void)snprintf(line.original, sizeof line.original, "att_1");
    (void)snprintf(other.original, sizeof other.original, "att_2");
    beside = other;
    beside.beside = 1;
    beside.role = ROLE_BACK;
    for (size_t i = 0; i < sizeof rails / sizeof rails[0]; i++) {
        struct here refund = ours(ATTEMPT_APPROVED, 1250);
        (void)snprintf(refund.original, sizeof refund.original, "att_1");
        struct group g = of(rails[i]);
        say_here(&g, refund);
        say_there(&g, line);
        is(&g, FOUND_MATCHED);
        g = of(rails[i]);
        say_here(&g, refund);
        say_there(&g, silent);
        is(&g, FOUND_MATCHED);
        g = of(rails[i]);
        say_here(&g, refund);
        say_there(&g, other);
        differs(&g, DIFFERENCE_ORIGINAL, 1250, 1250);
    }
    /* What we undid with a refund of its own. */
    struct here remedy = ours(ATTEMPT_APPROVED, 1250);
    remedy.role = HERE_REMEDY;
    (void)snprintf(remedy.original, sizeof remedy.original, "att_1");
    struct group g = of(RAIL_QR);
    say_here(&g, remedy);
    say_there(&g, line);
    is(&g, FOUND_NOTHING);
    g = of(RAIL_QR);
    say_here(&g, remedy);
    say_there(&g, other);
    differs(&g, DIFFERENCE_ORIGINAL, 1250, 1250);
    /* A line that only explains says nothing of this. */
    g = of(RAIL_QR);
    struct here sale = ours(ATTEMPT_APPROVED, 1250);
    (void)snprintf(sale.original, sizeof sale.original, "att_1");
    say_here(&g, sale);
    say_there(&g, line);
    say_there(&g, beside);
    is(&g, FOUND_MATCHED);
}

static void failed_here(void **state)
{
    (void)state;
    static const enum attempt_state states[] = { ATTEMPT_DECLINED, ATTEMPT_REJECTED,
                                                 ATTEMPT_NOT_SENT, ATTEMPT_REVERSED };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct group g = of(RAIL_CARD);
        say_here(&g, ours(states[i], 1250));
        is(&g, FOUND_NOTHING);
        say_there(&g, theirs(ROLE_FORWARD, 1250));
        differs(&g, DIFFERENCE_FAILED_HERE, 0, 1250);
        say_there(&g, theirs(ROLE_BACK, 1250));
        is(&g, FOUND_MATCHED);
        say_there(&g, theirs(ROLE_BACK, 1250));
        differs(&g, DIFFERENCE_FAILED_HERE, 0, -1250);
    }
}

static void not_known_here(void **state)
{
    (void)state;
    static const enum attempt_state stuck[] = { ATTEMPT_UNKNOWN, ATTEMPT_PARKED, ATTEMPT_CONFLICT };
    static const enum attempt_state works[] = { ATTEMPT_SENDING, ATTEMPT_PENDING,
                                                ATTEMPT_REVERSING };
    for (size_t i = 0; i < 3; i++) {
        struct group g = of(RAIL_BANK);
        say_here(&g, ours(stuck[i], 1250));
        differs(&g, DIFFERENCE_UNKNOWN_HERE, 1250, 0);
        say_there(&g, theirs(ROLE_FORWARD, 1250));
        differs(&g, DIFFERENCE_UNKNOWN_HERE, 1250, 1250);
        g = of(RAIL_BANK);
        say_here(&g, ours(works[i], 1250));
        is(&g, FOUND_WAITING);
        say_there(&g, theirs(ROLE_FORWARD, 1250));
        differs(&g, DIFFERENCE_UNKNOWN_HERE, 1250, 1250);
    }
}

/* What may stand in the record before or after is not missed in this one, but carried over. */
static void at_the_edge(void **state)
{
    (void)state;
    struct here before = ours(ATTEMPT_APPROVED, 1250), after = before, stuck = before;
    before.created_us = FROM + EDGE - 1;
    after.updated_us = UNTIL - EDGE;
    stuck.state = ATTEMPT_PARKED;
    stuck.created_us = UNTIL - EDGE;
    const struct here edges[] = { before, after, stuck };
    for (size_t i = 0; i < 3; i++) {
        struct group g = of(RAIL_CARD);
        say_here(&g, edges[i]);
        is(&g, FOUND_CARRIED);
    }
    struct here long_ago = before;
    long_ago.created_us = long_ago.updated_us = FROM - EDGE - 1;
    struct group none = of(RAIL_CARD);
    say_here(&none, long_ago);
    is(&none, FOUND_ELSEWHERE);
    /* Reversed today, booked yesterday: this record has only the reversal. */
    before.state = ATTEMPT_REVERSED;
    struct group g = of(RAIL_CARD);
    say_here(&g, before);
    say_there(&g, theirs(ROLE_BACK, 1250));
    is(&g, FOUND_CARRIED);
    assert_int_equal(reconcile_judge(&g, &period).there_minor, -1250);
    say_there(&g, theirs(ROLE_BACK, 1)); /* more than it ever was */
    differs(&g, DIFFERENCE_FAILED_HERE, 0, -1251);
    struct here within = ours(ATTEMPT_REVERSED, 1250);
    g = of(RAIL_CARD);
    say_here(&g, within);
    say_there(&g, theirs(ROLE_BACK, 1250));
    differs(&g, DIFFERENCE_FAILED_HERE, 0, -1250);
}

static enum due due_of(const struct here *here, const struct period *of)
{
    return reconcile_due(here, of);
}

/* The days before and after were seen, or one of them, or none. */
static void what_is_due(void **state)
{
    (void)state;
    const int64_t day = UNTIL - FROM;
    const struct span before = { FROM - day - EDGE, FROM + EDGE },
                      after = { UNTIL - EDGE, UNTIL + day + EDGE };
    struct period first = period, second = period, both = period;
    first.seen = &after;
    second.seen = &before;
    first.seen_count = second.seen_count = 1;
    first.known = (struct span){ FROM, UNTIL + day };
    second.known = (struct span){ FROM - day, UNTIL };
    const struct span two[] = { before, after };
    both.seen = two;
    both.seen_count = 2;
    both.known = (struct span){ FROM - day, UNTIL + day };

    struct here within = ours(ATTEMPT_APPROVED, 1);
    assert_int_equal(due_of(&within, &period), DUE_NOW);
    assert_int_equal(due_of(&within, &both), DUE_NOW);

    struct here early = within, carried = within;
    early.created_us = FROM - 1;
    early.updated_us = FROM + 1;
    carried = early;
    carried.carried = 7;
    assert_int_equal(due_of(&early, &period), DUE_LATER);
    assert_int_equal(due_of(&early, &second), DUE_NOT); /* it was in the record before */
    assert_int_equal(due_of(&early, &first), DUE_LATER);
    assert_int_equal(due_of(&carried, &second), DUE_NOW); /* and it was not */
    assert_int_equal(due_of(&carried, &first), DUE_LATER);

    struct here late = within;
    late.created_us = UNTIL - 1;
    late.updated_us = UNTIL + 1;
    carried = late;
    carried.carried = 7;
    assert_int_equal(due_of(&late, &second), DUE_LATER);
    assert_int_equal(due_of(&late, &first), DUE_NOT);
    assert_int_equal(due_of(&carried, &second), DUE_LATER);
    assert_int_equal(due_of(&carried, &first), DUE_NOW);

    /* A day was left out: until --lookback is over. */
    struct period gap = period;
    const struct span ago = { FROM - 3 * day - EDGE, FROM - 2 * day + EDGE };
    gap.seen = &ago;
    gap.seen_count = 1;
    gap.known = (struct span){ FROM - 3 * day, UNTIL };
    gap.lookback_us = 2 * day;
    carried.created_us = FROM - 2 * day - 1;
    carried.updated_us = FROM - 2 * day + 1;
    assert_int_equal(due_of(&carried, &gap), DUE_LATER);
    gap.lookback_us = day;
    assert_int_equal(due_of(&carried, &gap), DUE_NOW);

    /* Made after our side was read: nobody has looked at it yet. */
    struct period now = period;
    now.now_us = UNTIL;
    late.created_us = late.updated_us = UNTIL;
    assert_int_equal(due_of(&late, &now), DUE_NOT);
    /* An outcome that is not known has no end. */
    struct here waits = within;
    waits.state = ATTEMPT_PENDING;
    assert_int_equal(due_of(&waits, &period), DUE_LATER);
    waits.carried = 7;
    assert_int_equal(due_of(&waits, &both), DUE_LATER);
}

/* A sale on one side of midnight, its reversal on the other. */
static void halves(void **state)
{
    (void)state;
    struct here sale = ours(ATTEMPT_REVERSED, 1250);
    sale.created_us = UNTIL - 1;
    sale.updated_us = UNTIL + 1;
    struct group g = of(RAIL_CARD);
    say_here(&g, sale);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    is(&g, FOUND_CARRIED);
    assert_int_equal(reconcile_judge(&g, &period).there_minor, 1250);
    sale.carried = 7;
    sale.carried_minor = 1250;
    sale.created_us = FROM - 1;
    sale.updated_us = FROM + 1;
    struct period next = period;
    const struct span seen = { FROM - 1000000, FROM + EDGE };
    next.seen = &seen;
    next.seen_count = 1;
    next.known = (struct span){ FROM - 1000000, UNTIL };
    g = of(RAIL_CARD);
    reconcile_add_here(&g, &sale, &next);
    struct finding missed = reconcile_judge(&g, &next);
    assert_int_equal(missed.verdict, FOUND_DIFFERENCE);
    assert_int_equal(missed.kind, DIFFERENCE_FAILED_HERE);
    assert_int_equal(missed.there_minor, 1250);
    say_there(&g, theirs(ROLE_BACK, 1250));
    assert_int_equal(reconcile_judge(&g, &next).verdict, FOUND_MATCHED);
    /* One that was declined is undone by nobody: it is told at once. */
    struct here declined = ours(ATTEMPT_DECLINED, 1250);
    declined.created_us = UNTIL - 1;
    declined.updated_us = UNTIL + 1;
    g = of(RAIL_CARD);
    say_here(&g, declined);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    differs(&g, DIFFERENCE_FAILED_HERE, 0, 1250);
}

static void what_a_bank_sends_back(void **state)
{
    (void)state;
    struct here sale = ours(ATTEMPT_APPROVED, 1250), recall = sale;
    recall.role = HERE_RECALL;
    struct group g = of(RAIL_BANK);
    say_here(&g, sale);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    struct group unheard = g;
    say_there(&unheard, theirs(ROLE_BACK, 1250));
    differs(&unheard, DIFFERENCE_AMOUNT, 1250, 0); /* returned, and we do not know */
    struct group known = of(RAIL_BANK);
    sale.refunded = 1250;
    say_here(&known, sale);
    say_there(&known, theirs(ROLE_FORWARD, 1250));
    is(&known, FOUND_MATCHED); /* the return may stand in a later one */
    say_there(&known, theirs(ROLE_BACK, 1250));
    is(&known, FOUND_MATCHED);
    /* Asked for back, agreed, and not there. */
    say_here(&g, recall);
    differs(&g, DIFFERENCE_MISSING_THERE, 0, 1250);
    say_there(&g, theirs(ROLE_BACK, 1250));
    is(&g, FOUND_MATCHED);
    /* The payment is older than what was looked at. */
    g = of(RAIL_BANK);
    say_here(&g, recall);
    differs(&g, DIFFERENCE_MISSING_THERE, -1250, 0);
    say_there(&g, theirs(ROLE_BACK, 1250));
    is(&g, FOUND_ELSEWHERE);
    say_there(&g, theirs(ROLE_BACK, 1250));
    differs(&g, DIFFERENCE_MISSING_HERE, 0, -2500);
}

/* Agreed shortly before midnight: the money comes the next day, or is missing then. */
static void a_recall_near_midnight(void **state)
{
    (void)state;
    struct here sale = ours(ATTEMPT_APPROVED, 1250), recall = sale;
    recall.role = HERE_RECALL;
    recall.attempt = 9;
    recall.created_us = UNTIL - 1;
    recall.updated_us = UNTIL + 1;
    struct group g = of(RAIL_BANK);
    sale.refunded = 1250;
    say_here(&g, sale);
    say_here(&g, recall);
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    is(&g, FOUND_MATCHED);
    assert_true(reconcile_recall_waits(&g));
    assert_int_equal(g.recall.attempt, 9);
    say_there(&g, theirs(ROLE_BACK, 1250));
    is(&g, FOUND_MATCHED);
    assert_false(reconcile_recall_waits(&g));
}

static void locks_that_end(void **state)
{
    (void)state;
    struct there back = theirs(ROLE_BACK, 1250);
    back.beside = 1;
    struct group g = of(RAIL_CBDC);
    say_here(&g, ours(ATTEMPT_APPROVED, 1250));
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    say_there(&g, back);
    is(&g, FOUND_MATCHED);
    g = of(RAIL_CBDC); /* found only when it had ended */
    say_here(&g, ours(ATTEMPT_DECLINED, 1250));
    say_there(&g, theirs(ROLE_FORWARD, 1250));
    say_there(&g, back);
    is(&g, FOUND_MATCHED);
}

static void sums_do_not_run_over(void **state)
{
    (void)state;
    struct group g = of(RAIL_CARD);
    say_here(&g, ours(ATTEMPT_APPROVED, INT64_MAX));
    say_there(&g, theirs(ROLE_FORWARD, INT64_MAX));
    is(&g, FOUND_MATCHED);
    say_there(&g, theirs(ROLE_FORWARD, INT64_MAX));
    differs(&g, DIFFERENCE_TWICE, INT64_MAX, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approved_here),          cmocka_unit_test(money_that_went_the_other_way),
        cmocka_unit_test(nothing_here),           cmocka_unit_test(failed_here),
        cmocka_unit_test(not_known_here),         cmocka_unit_test(at_the_edge),
        cmocka_unit_test(what_a_bank_sends_back), cmocka_unit_test(locks_that_end),
        cmocka_unit_test(sums_do_not_run_over),   cmocka_unit_test(what_is_due),
        cmocka_unit_test(another_original),       cmocka_unit_test(halves),
        cmocka_unit_test(a_recall_near_midnight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
