/* history.h - the versions of region profiles that come into force, in the store, before they do.
 *
 * One recording at a time: for each profile the newest row of its region is read, and where its
 * hash is another one, a row and the event "profile.activated" {region, version, content_hash, by}
 * are written in one commit. On the loop's thread; `done` comes later, never from inside.
 */
#ifndef MAIN_HISTORY_H
#define MAIN_HISTORY_H

#include "payment/payment.h"

#define HISTORY_BY_MAX 95
/* The pause after a failure is twice the one before, from 50 ms: about 25 s in all, so that a
 * request and the run that it waits for end before `railgate reload` goes away. */
#define HISTORY_TRIES_MAX 10

struct history;

enum status history_open(struct history **out, struct store *store, struct loop *loop,
                         const struct log *log);
/* How it ended. OK: all is on disk. IO: the store did not work, or memory was out, for so long
 * that it was given up (HISTORY_TRIES_MAX); it may work later. MALFORMED: the store refuses a
 * version, and would again. Some versions may be recorded then, but not all. */
typedef void history_done_fn(void *arg, enum status status);
/* Writes down the versions of `settings`, which stay as they are until `done` or until the store is
 * closed. by: who brought them in, up to HISTORY_BY_MAX bytes. None is being recorded. done: once,
 * later, never from inside. */
void history_record(struct history *history, const struct settings *settings, const char *by,
                    history_done_fn *done, void *arg);
/* No further question is asked of the store; `done` is not called any more. */
void history_stop(struct history *history);
/* After the store was closed or crashed. NULL is allowed. */
void history_close(struct history *history);

#endif
