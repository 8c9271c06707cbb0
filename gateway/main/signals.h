/* signals.h - SIGTERM, SIGINT and SIGHUP of a command that runs a loop, as calls on its thread.
 *
 *     signals_block -> signals_begin -> signals_end
 *
 * A thread of its own waits for them, so that whatever a call interrupts is never the loop's. A
 * second SIGTERM or SIGINT ends the process at once, with EXIT_INTERRUPTED.
 */
#ifndef MAIN_SIGNALS_H
#define MAIN_SIGNALS_H

#include "loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define EXIT_INTERRUPTED 130

struct signals {
    struct loop *loop;
    void (*stop)(void *arg);
    void (*hup)(void *arg);
    void *arg;
    pthread_t thread;
    sigset_t set;
    struct task on_stop, on_hup;
    atomic_bool stopping;
    atomic_bool hup_posted; /* on_hup is on its way: it must not be posted again */
};

/* stop: of the first SIGTERM or SIGINT. hup: of each SIGHUP until then (several may become one);
 * NULL: SIGHUP does what it does. Both on the loop's thread. Until signals_begin they wait; before
 * any thread is started, so that all of them leave signals to ours. SIGPIPE is ignored from now on.
 * `signals` must not be moved afterwards. */
void signals_block(struct signals *signals, void (*stop)(void *arg), void (*hup)(void *arg),
                   void *arg);
/* NO_MEMORY: there is no room for a thread. */
enum status signals_begin(struct signals *signals, struct loop *loop);
/* Nothing is called any more. After signals_begin was OK, before the loop is closed. */
void signals_end(struct signals *signals);

#endif
