/* reload.h - region profiles and lists come anew while payments run.
 *
 *     reload_open -> (reload_ask | reload_rollback)* -> reload_stop -> reload_close
 *
 * One run at a time, on a worker: files are read, checked and compiled there, never on the loop.
 * Then the new versions are written into the store, and when they are there, between two turns of
 * the loop, the new policy takes the place of the old one; or, when anything is wrong, nothing
 * changes. Requests that come while a run is under way share one further run.
 *
 * Only regions, their tests and the lists come anew. What else differs from the start (rows of
 * gateway.yaml, channels) is told as "needs a restart".
 *
 * Each version that comes into force and is not the newest in the store is written there, with the
 * event "profile.activated", before anything is decided by it. A store that does not work is asked
 * again for a while (main/history.h), and the run waits for it; then the run has failed.
 *
 * All calls on the loop's thread.
 */
#ifndef MAIN_RELOAD_H
#define MAIN_RELOAD_H

#include "main/policy.h"

struct gateway;
struct reload;

/* http_status: 200, or that of a problem; body: JSON, valid during the call. Called once, possibly
 * from inside. */
typedef void reload_done_fn(void *arg, int http_status, struct view body);

/* Takes settings and policy that the gateway starts with as they are (it owns neither). */
enum status reload_open(struct reload **out, struct gateway *gateway, struct loop *loop,
                        const struct log *log, const struct settings *first);
/* Records the versions that the gateway starts with, by "start". done: OK when they are on disk and
 * payments may be decided by them; else why not (main/history.h), and the gateway must end. Later,
 * never from inside. Once, after the store is open. */
void reload_record_start(struct reload *reload, void (*done)(void *arg, enum status status),
                         void *arg);
/* done may be NULL (SIGHUP). */
void reload_ask(struct reload *reload, reload_done_fn *done, void *arg);
/* Writes the stored text of a version (seq 0: the one before the newest) back into the region's
 * file, then reloads; if the reload does not succeed, the file is as it was. by: 1 to 80 bytes. */
void reload_rollback(struct reload *reload, struct view region, int64_t seq, struct view by,
                     reload_done_fn *done, void *arg);
/* Before the store is closed: waits for the worker, answers who waits. */
void reload_stop(struct reload *reload);
/* After the store is closed or crashed. NULL is allowed. */
void reload_close(struct reload *reload);

struct reload_stats {
    uint64_t reloads, failures;
    int64_t loaded_us; /* wall clock */
};
void reload_stats(const struct reload *reload, struct reload_stats *out);

#endif
