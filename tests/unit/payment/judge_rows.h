/* judge_rows.h - rows by hand for the judges: one payment of 100.00 EUR on the channel "bank", one
 * operation, one attempt, as the store would have loaded them, and the verdict's checks that hold
 * for every judgement: sums add up, no reference is lost, ended attempts are not planned again.
 */
#ifndef TESTS_JUDGE_ROWS_H
#define TESTS_JUDGE_ROWS_H

#include "payment/judge_int.h"

#include "base/ensure.h"

#define ASKED 10000

struct rows {
    struct arena arena;
    struct payments room;
    struct work work;
    struct store_txn txn;
    struct change change; /* of a notice or a late answer; a work has its own */
    struct resolve_change resolve;
};

/* A payment whose first operation (SALE: captured at once; AUTHORISE) is in this state, and the
 * operation, payment and sums that go with it. */
void rows_open(struct rows *rows, enum operation first, enum attempt_state state);
void rows_close(struct rows *rows);
/* The same payment, now about a later operation of it, which is pending: the sums are spent. */
void rows_later(struct rows *rows, enum operation kind, int64_t amount);
/* The work drives a reversal or inquiry of the attempt, which moves to `parent`. */
void rows_remedy(struct rows *rows, enum operation verb);

/* What a verified notice says; amount -1 and currency 0: not said. */
void rows_hear(struct rows *rows, enum notice_about about, enum outcome outcome, int64_t amount,
               const char *reference);
/* Judge with all checks. What the judge wrote stays in rows for the next call. */
enum status rows_notice(struct rows *rows);
enum status rows_late(struct rows *rows);
/* A person's word; amount 0: all. rows_remedy was not called: `parent` is the remedy then. */
enum status rows_resolve(struct rows *rows, enum resolve_as as, int64_t amount);
enum status rows_change(struct rows *rows, enum change_kind kind, enum outcome outcome);

/* Events of the last judgement, joined with a blank: "attempt.approved payment.succeeded". */
const char *rows_events(const struct rows *rows);
void rows_add_ref(struct rows *rows, const char *name, const char *value);
bool rows_has_ref(struct view refs, const char *name, const char *value);

/* judge, said, state of the attempt, events. */
#define ASSERT_SAID(rows, verdict, expected, wanted)                                               \
    do {                                                                                           \
        assert_int_equal(verdict, STATUS_OK);                                                      \
        assert_int_equal((rows)->txn.said, expected);                                              \
        assert_string_equal(rows_events(rows), wanted);                                            \
    } while (0)
#define ASSERT_REFUSED(rows, verdict, expected)                                                    \
    do {                                                                                           \
        assert_int_equal(verdict, STATUS_REFUSED);                                                 \
        assert_int_equal((rows)->txn.said, expected);                                              \
        assert_string_equal(rows_events(rows), "");                                                \
    } while (0)

#endif
