/* follow.c - the table of what may follow an attempt, with the reason beside each row.
 *
 * Rows are read from the top; the first whose verbs, outcomes and facts all fit decides. A row
 * names the facts it needs (`yes`) and those that must be absent (`no`); the others do not matter
 * to it. The last row of each group needs no fact, so every attempt finds a row; the very last one
 * parks, which is always safe.
 *
 * Two facts are not taken at their word before the table is asked:
 *   - an attempt that was found open at start-up has the outcome UNKNOWN, whatever it says: its
 *     bytes may have left before the power failed;
 *   - NOT_SENT speaks of this try only. When the same message had been handed over before
 *     (tries > 1), the earlier one may have arrived, so the attempt as a whole is UNKNOWN.
 *
 * What is deliberately absent: any way from UNKNOWN of a verb that moves money to ELSEWHERE. The
 * only ways to send money a second time are NOT_SENT, and an inquiry that began after the late
 * window and found nothing.
 */
#include "channel/follow.h"

#include "base/ensure.h"

#define V(verb)    (1u << OPERATION_##verb)
#define MONEY      (V(AUTHORISE) | V(SALE) | V(CAPTURE) | V(CANCEL) | V(REFUND))
#define LINK       (V(SIGN_ON) | V(SIGN_OFF) | V(ECHO) | V(KEY_CHANGE) | V(TOKEN))
#define ANY_VERB   (~0u)
#define O(outcome) (1u << OUTCOME_##outcome)
#define ANY        (~0u)

#define CONFLICT 1u
#define OLD      2u
#define WINDOW   4u /* the late window has passed */
#define REPEAT   8u
#define INQUIRE  16u
#define REVERSE  32u
#define EXPIRED  64u
#define ACCEPTED 128u

struct follow_row {
    uint32_t verbs, outcomes, yes, no;
    enum follow follow;
    const char *reason;
};

static const struct follow_row rows[] = {
    { ANY_VERB, ANY, CONFLICT, 0, FOLLOW_CONFLICT,
      "the answer contradicts what was asked or what is recorded; a person must look" },
    { LINK, ANY, 0, 0, FOLLOW_SETTLE, "a link operation moves no money" },

    /* Verbs that move money. */
    { MONEY, O(APPROVED) | O(DECLINED) | O(REJECTED), 0, 0, FOLLOW_SETTLE,
      "the other side has given its final answer" },
    { MONEY, O(NOT_SENT), 0, 0, FOLLOW_ELSEWHERE, "certainly no byte has left" },
    { MONEY, O(PENDING), INQUIRE | EXPIRED, OLD, FOLLOW_INQUIRE,
      "nobody is known to have acted in time; asking moves nothing" },
    { MONEY, O(PENDING), REVERSE | EXPIRED, OLD, FOLLOW_REVERSE,
      "nobody is known to have acted in time; closing it makes sure that nobody can any more" },
    { MONEY, O(PENDING), INQUIRE | WINDOW, OLD, FOLLOW_INQUIRE,
      "accepted, but the final answer did not come in time; asking moves nothing" },
    { MONEY, O(PENDING), 0, OLD, FOLLOW_WAIT, "accepted; the final answer comes later" },
    { MONEY, O(PENDING), 0, 0, FOLLOW_PARK, "accepted long ago and never finally answered" },
    { MONEY, ANY, OLD, 0, FOLLOW_PARK,
      "the outcome is unknown and it is too old to go on without a person" },
    { MONEY, ANY, INQUIRE, 0, FOLLOW_INQUIRE, "the outcome is unknown; asking moves nothing" },
    { MONEY, ANY, REPEAT, 0, FOLLOW_REPEAT,
      "the outcome is unknown; the other side books this message once however often it comes" },
    { MONEY, ANY, REVERSE, 0, FOLLOW_REVERSE,
      "the outcome is unknown and cannot be asked; undoing it makes it known" },
    { MONEY, ANY, 0, 0, FOLLOW_PARK,
      "the outcome is unknown, and the channel can neither tell, repeat nor undo it" },

    /* An inquiry: its outcome is that of the attempt asked about. */
    { V(INQUIRE), O(APPROVED) | O(DECLINED) | O(REJECTED), 0, 0, FOLLOW_SETTLE,
      "found; it stands as found" },
    { V(INQUIRE), O(NOT_FOUND), ACCEPTED | EXPIRED | REVERSE, OLD, FOLLOW_REVERSE,
      "it was accepted, nobody acted in time, and it is gone; closing it makes sure" },
    { V(INQUIRE), O(NOT_FOUND), ACCEPTED, OLD, FOLLOW_WAIT,
      "it was accepted before, so not finding it now proves nothing" },
    { V(INQUIRE), O(NOT_FOUND), ACCEPTED, 0, FOLLOW_PARK,
      "it was accepted, and cannot be found any more" },
    { V(INQUIRE), O(NOT_FOUND), 0, WINDOW, FOLLOW_WAIT,
      "not found, but the original may still be on its way" },
    { V(INQUIRE), O(NOT_FOUND), REVERSE, 0, FOLLOW_REVERSE,
      "not found after the late window; a reversal makes sure of it" },
    { V(INQUIRE), O(NOT_FOUND), 0, 0, FOLLOW_ELSEWHERE,
      "not found after the late window: the original did not arrive and cannot any more" },
    { V(INQUIRE), ANY, OLD, 0, FOLLOW_PARK, "no answer to the inquiry for too long" },
    { V(INQUIRE), O(PENDING), REVERSE | EXPIRED, 0, FOLLOW_REVERSE,
      "nobody acted in time; closing it makes sure that nobody can any more" },
    { V(INQUIRE), O(PENDING), 0, 0, FOLLOW_WAIT, "the other side is still at it" },
    { V(INQUIRE), ANY, 0, 0, FOLLOW_INQUIRE,
      "no answer to the inquiry; asking again moves nothing" },

    /* A reversal: stored and forwarded, the same one again, until it is answered. */
    { V(REVERSE), O(APPROVED), 0, 0, FOLLOW_SETTLE, "undone" },
    { V(REVERSE), O(NOT_FOUND), WINDOW, 0, FOLLOW_SETTLE,
      "nothing to undo, and the original cannot arrive any more" },
    { V(REVERSE), O(DECLINED) | O(REJECTED), ACCEPTED | INQUIRE, OLD, FOLLOW_INQUIRE,
      "the other side would not close it: somebody may have been quicker; asking tells" },
    { V(REVERSE), O(DECLINED) | O(REJECTED), 0, 0, FOLLOW_PARK,
      "the other side refuses to undo it; a person must settle with them" },
    { V(REVERSE), ANY, OLD, 0, FOLLOW_PARK, "the reversal has not been answered for too long" },
    { V(REVERSE), O(PENDING), 0, 0, FOLLOW_WAIT, "the reversal is accepted, not yet done" },
    { V(REVERSE), O(NOT_FOUND), REPEAT, 0, FOLLOW_REPEAT,
      "nothing to undo yet, but the original may still be on its way" },
    { V(REVERSE), O(NOT_FOUND), 0, 0, FOLLOW_WAIT,
      "nothing to undo yet, but the original may still be on its way; look again after the "
      "window" },
    { V(REVERSE), O(NOT_SENT), 0, 0, FOLLOW_REPEAT, "this reversal has never left" },
    { V(REVERSE), ANY, REPEAT, 0, FOLLOW_REPEAT,
      "the reversal has no answer; the same one again is booked once" },
    { V(REVERSE), ANY, INQUIRE, 0, FOLLOW_INQUIRE,
      "the reversal has no answer and must not be repeated; asking moves nothing" },

    { ANY_VERB, ANY, 0, 0, FOLLOW_PARK, "nothing can be done about it automatically" },
};

static uint32_t facts_bits(const struct follow_facts *facts)
{
    return (facts->conflict ? CONFLICT : 0) | (facts->over_age ? OLD : 0) |
           (facts->window_passed ? WINDOW : 0) | (facts->can_repeat ? REPEAT : 0) |
           (facts->can_inquire ? INQUIRE : 0) | (facts->can_reverse ? REVERSE : 0) |
           (facts->expired ? EXPIRED : 0) | (facts->accepted ? ACCEPTED : 0);
}

enum follow follow_attempt(const struct follow_facts *facts, const char **reason)
{
    ENSURE(operation_valid(facts->verb) && outcome_valid(facts->outcome));
    enum outcome outcome = facts->outcome;
    if (facts->recovered || (outcome == OUTCOME_NOT_SENT && facts->tries > 1))
        outcome = OUTCOME_UNKNOWN;
    uint32_t verb = 1u << facts->verb, said = 1u << outcome, bits = facts_bits(facts);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct follow_row *row = &rows[i];
        if ((row->verbs & verb) == 0 || (row->outcomes & said) == 0)
            continue;
        if ((row->yes & ~bits) != 0 || (row->no & bits) != 0)
            continue;
        *reason = row->reason;
        return row->follow;
    }
    ENSURE(false && "the last row fits everything");
    return FOLLOW_PARK;
}

const char *follow_word(enum follow follow)
{
    switch (follow) {
    case FOLLOW_SETTLE: return "settle";
    case FOLLOW_ELSEWHERE: return "elsewhere";
    case FOLLOW_WAIT: return "wait";
    case FOLLOW_INQUIRE: return "inquire";
    case FOLLOW_REPEAT: return "repeat";
    case FOLLOW_REVERSE: return "reverse";
    case FOLLOW_PARK: return "park";
    case FOLLOW_CONFLICT: return "conflict";
    }
    return "?";
}
