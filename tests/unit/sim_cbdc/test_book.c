/* test_book.c - the ledger behind the CBDC simulator: whatever is asked of it, in whatever order,
 * no money appears or vanishes, limits hold, and the balances are those that the entries add up to.
 */
#include "cbdc/cbdc_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static const char *const WALLETS[] = { "w_merchant",
                                       "w_merchant2",
                                       "w_provider",
                                       "w_full",
                                       "w_standard",
                                       "w_basic",
                                       "w_brim",
                                       "w_empty",
                                       "w_blocked",
                                       "w_nobody",
                                       "alias:full@example.com" };

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static struct view pick(uint64_t *random)
{
    return view_text(WALLETS[next(random) % (sizeof WALLETS / sizeof WALLETS[0])]);
}

static void check(struct cbdc_books *b)
{
    struct cbdc_sums sums = cbdc_add_up(b);
    assert_true(cbdc_balanced(&sums));
    for (uint32_t i = 0; i < cbdc_wallet_count(b); i++) {
        const struct cbdc_wallet *w = cbdc_wallet_at(b, i);
        struct cbdc_limits limits = cbdc_tier_limits(w->tier);
        assert_true(w->balance_minor >= 0 && w->locked_minor >= 0);
        assert_true(w->balance_minor + w->locked_minor <= limits.holding_minor);
        assert_true(cbdc_wallet_spent(b, w) <= limits.day_minor);
    }
}

static enum cbdc_refusal ask(struct cbdc_books *b, enum cbdc_kind kind, const char *id,
                             const char *from, const char *to, int64_t amount_minor, int64_t now_us,
                             struct cbdc_entry **entry)
{
    struct cbdc_ask a = { .kind = kind,
                          .client = VIEW("railgate"),
                          .id = view_text(id),
                          .from = view_text(from),
                          .to = view_text(to),
                          .amount_minor = amount_minor,
                          .expires_us = now_us + 60 * SECOND,
                          .wish = CBDC_FINE };
    if (kind == CBDC_LOCK)
        a.releaser = VIEW("railgate");
    if (kind == CBDC_RELEASE || kind == CBDC_CANCEL) {
        a.lock = view_text(from);
        a.from = VIEW_EMPTY;
    }
    return cbdc_book(b, &a, now_us, entry);
}

static void anything_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cbdc_books *b = cbdc_books_open(seed);
        uint64_t random = seed * 0x9e3779b97f4a7c15u;
        int64_t now_us = 0;
        unsigned booked = 0, refused = 0;
        assert_non_null(b);
        for (unsigned n = 0; n < 600; n++) {
            static const enum cbdc_kind KINDS[] = { CBDC_TRANSFER, CBDC_LOCK,    CBDC_LOCK,
                                                    CBDC_RELEASE,  CBDC_RELEASE, CBDC_CANCEL,
                                                    CBDC_ISSUE,    CBDC_REDEEM };
            enum cbdc_kind kind = KINDS[next(&random) % 8];
            char id[16], lock[16], from[40], to[40];
            struct cbdc_entry *e = NULL;
            snprintf(id, sizeof id, "op%u", n);
            snprintf(lock, sizeof lock, "op%u", (unsigned)(next(&random) % (n + 1)));
            assert_int_equal(view_to_text(pick(&random), from, sizeof from), STATUS_OK);
            assert_int_equal(view_to_text(pick(&random), to, sizeof to), STATUS_OK);
            bool on_lock = kind == CBDC_RELEASE || kind == CBDC_CANCEL;
            int64_t amount_minor = kind == CBDC_CANCEL ? 0 : (int64_t)(1 + next(&random) % 20000);
            enum cbdc_refusal refusal =
                ask(b, kind, id, on_lock ? lock : from, to, amount_minor, now_us, &e);
            booked += refusal == CBDC_FINE;
            refused += refusal != CBDC_FINE;
            if (e != NULL)
                assert_ptr_equal(cbdc_find(b, VIEW("railgate"), view_text(id)), e);
            now_us += (int64_t)(next(&random) % 5) * SECOND;
            if (next(&random) % 50 == 0)
                cbdc_next_day(b);
            check(b);
        }
        assert_true(booked > 50 && refused > 50);
        cbdc_expire_due(b, INT64_MAX);
        struct cbdc_sums sums = cbdc_add_up(b);
        assert_int_equal(sums.locked_minor, 0);
        assert_int_equal(cbdc_next_expiry_us(b), INT64_MAX);
        assert_true(cbdc_replay(b));
        cbdc_books_close(b);
    }
}

static void refusals_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        int64_t amount_minor;
        enum cbdc_refusal refusal;
    } CASES[] = {
        { "w_full", "w_merchant", 5000001, CBDC_SINGLE_LIMIT },
        { "w_standard", "w_merchant", 150000, CBDC_FINE },
        { "w_standard", "w_merchant", 100001, CBDC_DAY_LIMIT },
        { "w_standard", "w_merchant", 50001, CBDC_INSUFFICIENT_FUNDS },
        { "w_merchant", "w_basic", 10001, CBDC_HOLDING_LIMIT },
        { "w_merchant", "w_basic", 10000, CBDC_FINE },
        { "w_merchant", "w_basic", 1, CBDC_HOLDING_LIMIT },
        { "w_merchant", "w_nobody", 1, CBDC_UNKNOWN_WALLET },
        { "alias:", "w_merchant", 1, CBDC_UNKNOWN_WALLET },
        { "w_blocked", "w_merchant", 1, CBDC_WALLET_BLOCKED },
        { "w_merchant", "w_blocked", 1, CBDC_WALLET_BLOCKED },
        { "alias:shop@example.com", "w_merchant", 1, CBDC_SAME_WALLET },
    };
    struct cbdc_books *b = cbdc_books_open(1);
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct cbdc_entry *e = NULL;
        char id[16];
        snprintf(id, sizeof id, "op%u", i);
        assert_int_equal(
            ask(b, CBDC_TRANSFER, id, CASES[i].from, CASES[i].to, CASES[i].amount_minor, 0, &e),
            CASES[i].refusal);
        assert_non_null(e); /* refused for good: remembered */
        assert_int_equal(e->state, CASES[i].refusal == CBDC_FINE ? CBDC_SETTLED : CBDC_DECLINED);
    }
    check(b);
    cbdc_books_close(b);
}

/* What is locked counts as held, so it always fits when it comes back. */
static void comes_back_under_the_holding_limit(void **state)
{
    (void)state;
    struct cbdc_books *b = cbdc_books_open(1);
    struct cbdc_entry *e = NULL;
    assert_int_equal(ask(b, CBDC_LOCK, "l", "w_brim", "w_merchant", 10000, 0, &e), CBDC_FINE);
    assert_int_equal(ask(b, CBDC_TRANSFER, "t", "w_merchant", "w_brim", 1, 0, &e),
                     CBDC_HOLDING_LIMIT);
    assert_int_equal(ask(b, CBDC_RELEASE, "r", "l", "", 4000, 0, &e), CBDC_FINE);
    assert_int_equal(ask(b, CBDC_TRANSFER, "u", "w_merchant", "w_brim", 4000, 0, &e), CBDC_FINE);
    assert_int_equal(ask(b, CBDC_CANCEL, "c", "l", "", 0, 0, &e), CBDC_FINE);
    assert_int_equal(e->amount_minor, 6000);
    check(b);
    /* What came back on the same day may be spent again that day. */
    const struct cbdc_wallet *w = cbdc_wallet_at(b, cbdc_wallet_find(b, VIEW("w_brim")));
    assert_int_equal(w->balance_minor, 50000);
    assert_int_equal(cbdc_wallet_spent(b, w), 4000);
    cbdc_books_close(b);
}

/* The payee loses its registration between lock and release. */
static void looks_at_the_purpose_again(void **state)
{
    (void)state;
    struct cbdc_books *b = cbdc_books_open(1);
    struct cbdc_entry *e = NULL;
    struct cbdc_ask lock = { .kind = CBDC_LOCK,
                             .client = VIEW("railgate"),
                             .id = VIEW("l"),
                             .from = VIEW("w_full"),
                             .to = VIEW("w_merchant"),
                             .releaser = VIEW("railgate"),
                             .purpose = VIEW("transport"),
                             .amount_minor = 100,
                             .expires_us = SECOND,
                             .wish = CBDC_FINE };
    assert_int_equal(cbdc_book(b, &lock, 0, &e), CBDC_FINE);
    struct cbdc_wallet *payee = cbdc_wallet_at(b, cbdc_wallet_find(b, VIEW("w_merchant")));
    payee->purpose_count = 1; /* groceries stays */
    assert_int_equal(ask(b, CBDC_RELEASE, "r", "l", "", 40, 0, &e), CBDC_WRONG_PURPOSE);
    assert_int_equal(cbdc_wallet_allow(payee, VIEW("transport")), STATUS_OK);
    assert_int_equal(ask(b, CBDC_RELEASE, "s", "l", "", 40, 0, &e), CBDC_FINE);
    payee->blocked = true;
    assert_int_equal(ask(b, CBDC_RELEASE, "t", "l", "", 40, 0, &e), CBDC_WALLET_BLOCKED);
    check(b);
    cbdc_books_close(b);
}

static void sums_do_not_overflow(void **state)
{
    (void)state;
    struct cbdc_books *b = cbdc_books_open(1);
    struct cbdc_entry *e = NULL;
    uint32_t wallet = 0;
    int64_t issued_minor = cbdc_add_up(b).issued_minor;
    assert_int_equal(cbdc_wallet_add(b, VIEW("w_vault"), VIEW_EMPTY, CBDC_TIER_BUSINESS,
                                     INT64_MAX - issued_minor - 5, &wallet),
                     STATUS_OK);
    assert_int_equal(cbdc_wallet_add(b, VIEW("w_more"), VIEW_EMPTY, CBDC_TIER_BUSINESS, 6, &wallet),
                     STATUS_RANGE);
    assert_int_equal(ask(b, CBDC_ISSUE, "i6", "", "w_vault", 6, 0, &e), CBDC_SUPPLY_LIMIT);
    assert_int_equal(ask(b, CBDC_ISSUE, "i5", "", "w_vault", 5, 0, &e), CBDC_FINE);
    assert_int_equal(ask(b, CBDC_REDEEM, "d5", "w_vault", "", 5, 0, &e), CBDC_FINE);
    /* What was ever issued stays countable, so redeeming makes no room. */
    assert_int_equal(ask(b, CBDC_ISSUE, "i1", "", "w_vault", 1, 0, &e), CBDC_SUPPLY_LIMIT);
    /* A wallet without a day limit pays more in a day than int64 holds: nothing breaks. */
    for (unsigned i = 0; i < 9300; i++) {
        char id[16];
        snprintf(id, sizeof id, "a%u", i);
        assert_int_equal(ask(b, CBDC_TRANSFER, id, i % 2 ? "w_merchant" : "w_vault",
                             i % 2 ? "w_vault" : "w_merchant", CBDC_AMOUNT_MAX, 0, &e),
                         CBDC_FINE);
    }
    for (unsigned i = 0; i < 9300; i++) {
        char id[16];
        snprintf(id, sizeof id, "b%u", i);
        assert_int_equal(ask(b, CBDC_TRANSFER, id, i % 2 ? "w_merchant" : "w_vault",
                             i % 2 ? "w_vault" : "w_merchant", CBDC_AMOUNT_MAX, 0, &e),
                         CBDC_FINE);
    }
    check(b);
    assert_true(cbdc_replay(b));
    cbdc_books_close(b);
}

static void names_are_strict(void **state)
{
    (void)state;
    struct cbdc_books *b = cbdc_books_open(1);
    uint32_t wallet = 0;
    static const char *const BAD[] = {
        "", "w_", "x_a", "w_A", "w_a b", "alias:a", "w_a\xff", "w_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(
            cbdc_wallet_add(b, view_text(BAD[i]), VIEW_EMPTY, CBDC_TIER_BASIC, 0, &wallet),
            STATUS_MALFORMED);
    assert_int_equal(cbdc_wallet_add(b, VIEW("w_full"), VIEW_EMPTY, CBDC_TIER_BASIC, 0, &wallet),
                     STATUS_EXISTS);
    assert_int_equal(
        cbdc_wallet_add(b, VIEW("w_new"), VIEW("full@example.com"), CBDC_TIER_BASIC, 0, &wallet),
        STATUS_EXISTS);
    assert_int_equal(cbdc_wallet_find(b, VIEW("w_new")), CBDC_NO_WALLET);
    assert_int_equal(cbdc_wallet_add(b, VIEW("w_new"), VIEW_EMPTY, CBDC_TIER_BASIC, 50001, &wallet),
                     STATUS_RANGE);
    char longest[63];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(
        cbdc_wallet_add(b, VIEW("w_new"), view_of(longest, 63), CBDC_TIER_BASIC, 50000, &wallet),
        STATUS_OK);
    char named[70];
    snprintf(named, sizeof named, "alias:%.63s", longest);
    assert_int_equal(cbdc_wallet_find(b, view_text(named)), wallet);
    check(b);
    cbdc_books_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_in_any_order),
        cmocka_unit_test(refusals_in_their_order),
        cmocka_unit_test(comes_back_under_the_holding_limit),
        cmocka_unit_test(looks_at_the_purpose_again),
        cmocka_unit_test(sums_do_not_overflow),
        cmocka_unit_test(names_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
