/* history.h - the versions of region profiles that were in force, in the store.
 *
 * One recording at a time: for each profile the newest row of its region is read, and where its
 * hash is another one, a row and the event "profile.activated" {region, version, content_hash, by}
 * are written in one commit. On the loop's thread; `done` comes later, never from inside.
 */
#ifndef MAIN_HISTORY_H
#define MAIN_HISTORY_H

#include "payment/payment.h"

struct history;

enum status history_open(struct history **out, struct store *store, struct loop *loop,
                         const struct log *log);
/* Copies what it needs, so that the settings may go. False: a recording is under way, or memory is
 * out; nothing was begun. done: when all is recorded, however long the store does not work; or with
 * what cannot be put right. */
bool history_record(struct history *history, const struct settings *settings, const char *by,
                    void (*done)(void *arg, enum status status), void *arg);
/* No further question is asked of the store; `done` is not called any more. */
void history_stop(struct history *history);
/* After the store was closed or crashed. NULL is allowed. */
void history_close(struct history *history);

#endif
