/* test_follow.c - every combination of facts, and the promises that must hold for each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/follow.h"

static bool moves_money(enum operation verb)
{
    return verb >= OPERATION_AUTHORISE && verb <= OPERATION_REFUND;
}

/* What holds whatever the facts are. `unknown`: the bytes may have arrived and nobody knows. */
static void promises(const struct follow_facts *f, enum follow said)
{
    bool unknown = f->recovered || f->outcome == OUTCOME_UNKNOWN ||
                   (f->outcome == OUTCOME_NOT_SENT && f->tries > 1);
    bool money = moves_money(f->verb);
    assert_int_equal(said == FOLLOW_CONFLICT, f->conflict);
    if (f->conflict)
        return;
    if (said == FOLLOW_ELSEWHERE) {
        /* The only two ways in which money may be sent a second time. */
        bool never_left = money && f->outcome == OUTCOME_NOT_SENT && !unknown;
        bool not_there = f->verb == OPERATION_INQUIRE && f->outcome == OUTCOME_NOT_FOUND &&
                         !f->recovered && f->window_passed;
        assert_true(never_left || not_there);
    }
    if (unknown && (money || f->verb == OPERATION_REVERSE)) {
        assert_int_not_equal(said, FOLLOW_SETTLE);
        assert_int_not_equal(said, FOLLOW_WAIT);
    }
    if (said == FOLLOW_REPEAT)
        assert_true(f->can_repeat ||
                    (f->verb == OPERATION_REVERSE && !unknown && f->outcome == OUTCOME_NOT_SENT));
    if (said == FOLLOW_INQUIRE)
        assert_true(f->can_inquire || f->verb == OPERATION_INQUIRE);
    if (said == FOLLOW_REVERSE)
        assert_true(f->can_reverse && f->verb != OPERATION_REVERSE);
    if (f->verb == OPERATION_REVERSE && !unknown && f->outcome == OUTCOME_NOT_FOUND &&
        !f->window_passed)
        assert_int_not_equal(said, FOLLOW_SETTLE);
    if (money && unknown && f->over_age)
        assert_int_equal(said, FOLLOW_PARK);
    if (!unknown && (f->outcome == OUTCOME_APPROVED) && f->verb <= OPERATION_REVERSE)
        assert_int_equal(said, FOLLOW_SETTLE);
    /* What was accepted is there: it is never sent again because it cannot be found now. */
    if (f->accepted && f->verb == OPERATION_INQUIRE)
        assert_int_not_equal(said, FOLLOW_ELSEWHERE);
    /* What a person may still pay is closed only when the time for that is over. */
    if (f->accepted && !f->expired && !unknown &&
        ((money && f->outcome == OUTCOME_PENDING) ||
         (f->verb == OPERATION_INQUIRE &&
          (f->outcome == OUTCOME_PENDING || f->outcome == OUTCOME_NOT_FOUND))))
        assert_int_not_equal(said, FOLLOW_REVERSE);
    /* Nothing is forgotten for ever: what is too old and not settled is a person's. */
    if (f->over_age && said != FOLLOW_SETTLE && said != FOLLOW_ELSEWHERE && money)
        assert_int_equal(said, FOLLOW_PARK);
}

static void test_every_combination(void **state)
{
    (void)state;
    size_t count = 0;
    for (int verb = OPERATION_AUTHORISE; verb <= OPERATION_TOKEN; verb++)
        for (int outcome = OUTCOME_APPROVED; outcome <= OUTCOME_UNKNOWN; outcome++)
            for (unsigned bits = 0; bits < 512; bits++)
                for (uint32_t tries = 0; tries < 3; tries++) {
                    struct follow_facts f = {
                        .verb = (enum operation)verb,
                        .outcome = (enum outcome)outcome,
                        .conflict = bits & 1,
                        .recovered = bits & 2,
                        .can_repeat = bits & 4,
                        .can_inquire = bits & 8,
                        .can_reverse = bits & 16,
                        .window_passed = bits & 32,
                        .over_age = bits & 64,
                        .expired = bits & 128,
                        .accepted = bits & 256,
                        .tries = tries,
                    };
                    const char *reason = NULL;
                    enum follow said = follow_attempt(&f, &reason);
                    assert_string_not_equal(follow_word(said), "?");
                    assert_non_null(reason);
                    promises(&f, said);
                    count++;
                }
    assert_int_equal(count, 12 * 7 * 512 * 3);
}

/* The rows of the architecture page, one after the other. */
static void test_known_cases(void **state)
{
    (void)state;
    const struct {
        struct follow_facts facts;
        enum follow follow;
    } cases[] = {
        { { .verb = OPERATION_AUTHORISE, .outcome = OUTCOME_NOT_SENT, .tries = 1 },
          FOLLOW_ELSEWHERE },
        { { .verb = OPERATION_AUTHORISE,
            .outcome = OUTCOME_NOT_SENT,
            .tries = 2,
            .can_reverse = true },
          FOLLOW_REVERSE },
        { { .verb = OPERATION_AUTHORISE,
            .outcome = OUTCOME_NOT_SENT,
            .recovered = true,
            .can_reverse = true },
          FOLLOW_REVERSE },
        { { .verb = OPERATION_AUTHORISE,
            .outcome = OUTCOME_UNKNOWN,
            .can_inquire = true,
            .can_repeat = true,
            .can_reverse = true },
          FOLLOW_INQUIRE },
        { { .verb = OPERATION_CAPTURE,
            .outcome = OUTCOME_UNKNOWN,
            .can_repeat = true,
            .can_reverse = true },
          FOLLOW_REPEAT },
        { { .verb = OPERATION_SALE, .outcome = OUTCOME_UNKNOWN, .can_reverse = true },
          FOLLOW_REVERSE },
        { { .verb = OPERATION_SALE, .outcome = OUTCOME_UNKNOWN }, FOLLOW_PARK },
        { { .verb = OPERATION_SALE, .outcome = OUTCOME_PENDING }, FOLLOW_WAIT },
        { { .verb = OPERATION_SALE, .outcome = OUTCOME_APPROVED, .over_age = true },
          FOLLOW_SETTLE },
        { { .verb = OPERATION_INQUIRE, .outcome = OUTCOME_DECLINED }, FOLLOW_SETTLE },
        { { .verb = OPERATION_INQUIRE, .outcome = OUTCOME_NOT_FOUND, .can_reverse = true },
          FOLLOW_WAIT },
        { { .verb = OPERATION_INQUIRE,
            .outcome = OUTCOME_NOT_FOUND,
            .window_passed = true,
            .can_reverse = true },
          FOLLOW_REVERSE },
        { { .verb = OPERATION_INQUIRE, .outcome = OUTCOME_UNKNOWN }, FOLLOW_INQUIRE },
        { { .verb = OPERATION_REVERSE, .outcome = OUTCOME_APPROVED }, FOLLOW_SETTLE },
        { { .verb = OPERATION_REVERSE, .outcome = OUTCOME_UNKNOWN, .can_repeat = true },
          FOLLOW_REPEAT },
        { { .verb = OPERATION_REVERSE,
            .outcome = OUTCOME_UNKNOWN,
            .can_repeat = true,
            .over_age = true },
          FOLLOW_PARK },
        { { .verb = OPERATION_REVERSE, .outcome = OUTCOME_NOT_FOUND, .can_repeat = true },
          FOLLOW_REPEAT },
        { { .verb = OPERATION_REVERSE,
            .outcome = OUTCOME_NOT_FOUND,
            .can_repeat = true,
            .window_passed = true },
          FOLLOW_SETTLE },
        { { .verb = OPERATION_REVERSE, .outcome = OUTCOME_DECLINED }, FOLLOW_PARK },
        { { .verb = OPERATION_AUTHORISE, .outcome = OUTCOME_APPROVED, .conflict = true },
          FOLLOW_CONFLICT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *reason = NULL;
        assert_int_equal(follow_attempt(&cases[i].facts, &reason), cases[i].follow);
    }
}

/* What was accepted and waits for a person: asked, closed, never believed to be gone. */
static void test_accepted(void **state)
{
    (void)state;
    const struct {
        enum operation verb;
        enum outcome outcome;
        bool accepted, expired, can_inquire, can_reverse, window, over_age;
        enum follow follow;
    } cases[] = {
        /* verb, outcome, accepted, expired, can_inquire, can_reverse, window, over_age */
        { OPERATION_SALE, OUTCOME_PENDING, 1, 0, 1, 1, 0, 0, FOLLOW_WAIT },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 0, 1, 1, 1, 0, FOLLOW_INQUIRE },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 0, 0, 1, 1, 0, FOLLOW_WAIT },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 1, 1, 1, 0, 0, FOLLOW_INQUIRE },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 1, 0, 1, 0, 0, FOLLOW_REVERSE },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 1, 0, 0, 0, 0, FOLLOW_WAIT },
        { OPERATION_SALE, OUTCOME_PENDING, 1, 1, 1, 1, 0, 1, FOLLOW_PARK },
        { OPERATION_INQUIRE, OUTCOME_APPROVED, 1, 1, 1, 1, 1, 0, FOLLOW_SETTLE },
        { OPERATION_INQUIRE, OUTCOME_DECLINED, 1, 1, 1, 1, 1, 0, FOLLOW_SETTLE },
        { OPERATION_INQUIRE, OUTCOME_PENDING, 1, 0, 1, 1, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_PENDING, 1, 1, 1, 1, 1, 0, FOLLOW_REVERSE },
        { OPERATION_INQUIRE, OUTCOME_PENDING, 1, 1, 1, 0, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_PENDING, 0, 0, 1, 1, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 1, 0, 1, 1, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 1, 0, 1, 0, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 1, 1, 1, 1, 1, 0, FOLLOW_REVERSE },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 1, 1, 1, 0, 1, 0, FOLLOW_WAIT },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 1, 1, 1, 1, 1, 1, FOLLOW_PARK },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 0, 0, 1, 1, 1, 0, FOLLOW_REVERSE },
        { OPERATION_INQUIRE, OUTCOME_NOT_FOUND, 0, 0, 1, 0, 1, 0, FOLLOW_ELSEWHERE },
        { OPERATION_REVERSE, OUTCOME_APPROVED, 1, 1, 1, 1, 0, 0, FOLLOW_SETTLE },
        { OPERATION_REVERSE, OUTCOME_DECLINED, 1, 1, 1, 1, 0, 0, FOLLOW_INQUIRE },
        { OPERATION_REVERSE, OUTCOME_REJECTED, 1, 1, 1, 1, 0, 0, FOLLOW_INQUIRE },
        { OPERATION_REVERSE, OUTCOME_DECLINED, 1, 1, 1, 1, 0, 1, FOLLOW_PARK },
        { OPERATION_REVERSE, OUTCOME_DECLINED, 1, 1, 0, 1, 0, 0, FOLLOW_PARK },
        { OPERATION_REVERSE, OUTCOME_DECLINED, 0, 0, 1, 1, 0, 0, FOLLOW_PARK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct follow_facts facts = { .verb = cases[i].verb,
                                      .outcome = cases[i].outcome,
                                      .accepted = cases[i].accepted,
                                      .expired = cases[i].expired,
                                      .can_inquire = cases[i].can_inquire,
                                      .can_reverse = cases[i].can_reverse,
                                      .window_passed = cases[i].window,
                                      .over_age = cases[i].over_age,
                                      .tries = 1 };
        const char *reason = NULL;
        enum follow said = follow_attempt(&facts, &reason);
        if (said != cases[i].follow)
            fail_msg("case %zu: %s (%s), not %s", i, follow_word(said), reason,
                     follow_word(cases[i].follow));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_known_cases),
        cmocka_unit_test(test_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
