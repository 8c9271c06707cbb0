/* follow.h - what may follow an attempt: the one dangerous decision, one function, one table.
 *
 * Pure. The table with the reason beside each row stands in follow.c. Nobody else decides whether
 * something is sent again.
 */
#ifndef CHANNEL_FOLLOW_H
#define CHANNEL_FOLLOW_H

#include "domain/words.h"

enum follow {
    FOLLOW_SETTLE = 1, /* the outcome is known and stands */
    FOLLOW_ELSEWHERE,  /* certainly not sent: the same or the next channel may be tried */
    FOLLOW_WAIT,       /* pending, or the channel's late window is still open: look again later */
    FOLLOW_INQUIRE,    /* ask what became of it (a new attempt with verb INQUIRE) */
    FOLLOW_REPEAT,     /* the same message again; the other side books it once */
    FOLLOW_REVERSE,    /* undo it (a new attempt with verb REVERSE) */
    FOLLOW_PARK,       /* a person decides */
    FOLLOW_CONFLICT,   /* record, alarm, never approve */
};

struct follow_facts {
    enum operation verb;  /* of the attempt: what was tried */
    enum outcome outcome; /* of this try */
    bool conflict;        /* amount, currency or reference differ, or an answer after a reversal */
    bool recovered;       /* found open at start-up: nothing is known, bytes may have left */
    bool can_repeat, can_inquire, can_reverse; /* the adapter's ability for this verb; for INQUIRE
                                  and REVERSE what can be asked or undone is the attempt they are
                                  about */
    bool window_passed; /* the late window of the original was over when this try BEGAN (when
                           it was answered is too late: the original may have come between) */
    bool expired;       /* PENDING on a person, and the time for that is over */
    bool accepted;      /* the original was accepted before its final word: it is known there */
    bool over_age;      /* older than the channel lets us go on by ourselves */
    uint32_t tries;     /* how often its bytes were handed to the channel, this try included */
};
/* reason: a constant sentence, for the journal. */
enum follow follow_attempt(const struct follow_facts *facts, const char **reason);
const char *follow_word(enum follow follow);

#endif
