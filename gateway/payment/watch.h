/* watch.h - attempts that somebody should know about: outcome unknown, parked, in conflict.
 *
 * Counted as they come and go: every commit of the payment room tells what became of the attempts
 * that it wrote, and recovery tells what was found at start. So /metrics costs nothing however many
 * attempts there are, and what is in memory is only those that are in trouble now.
 *
 * All calls on the loop's thread.
 */
#ifndef PAYMENT_WATCH_H
#define PAYMENT_WATCH_H

#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"

enum watch_class { WATCH_UNKNOWN = 1, WATCH_PARKED, WATCH_CONFLICT };
enum { WATCH_CLASSES = WATCH_CONFLICT };
const char *watch_class_word(enum watch_class class);
/* 0: none of them. Attempts that reverse or ask about another one are never watched: that one is.
 * Unknown is also what is being undone, and what was sent again (its first try had no answer). */
enum watch_class watch_class_of(const struct attempt_row *row);
/* Since when it is so, wall clock: of an unknown one since it was made, or since its time to be
 * paid was over; of the others since a person has to look. */
int64_t watch_since_us(const struct attempt_row *row);
/* What is at stake, minor units: a cancel of what was running is about all of it. */
int64_t watch_amount(const struct attempt_row *row);

enum watch_alert { WATCH_ALERT_AGE = 1, WATCH_ALERT_COUNT };
const char *watch_alert_word(enum watch_alert alert); /* "unknown_age" */

struct watch;
struct watch_options {
    struct loop *loop;
    const struct log *log;
    int64_t unknown_age_us; /* alert when the oldest unknown one is older; 0: never */
    int64_t unknown_count;  /* alert when more are unknown */
};
/* NULL: memory is out. */
struct watch *watch_open(const struct watch_options *options);
void watch_close(struct watch *watch);
/* This is how the attempt is recorded now. */
void watch_note(struct watch *watch, const struct attempt_row *row);
/* The same for what a commit wrote, if it was committed. */
void watch_commit(struct watch *watch, const struct store_txn *txn);

/* What was seen of a channel, currency and class since the start; count may be 0 again. */
struct watch_sum {
    char channel[40];
    char currency[4];
    enum watch_class class;
    uint64_t count;
    int64_t amount;    /* minor units; saturates */
    int64_t oldest_us; /* wall clock; 0: none */
};
size_t watch_sum_count(const struct watch *watch);
const struct watch_sum *watch_sum_at(const struct watch *watch, size_t i);
bool watch_alert_is_on(const struct watch *watch, enum watch_alert alert);

#endif
