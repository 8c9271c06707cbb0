/* signals.c - the thread that waits for signals; see signals.h. */
#include "main/signals.h"

#include "base/ensure.h"

#include <unistd.h>

#define SIGNAL_OF_THE_END SIGUSR2 /* from signals_end to the thread */

static void *wait_for_signals(void *arg)
{
    struct signals *signals = arg;
    for (;;) {
        int number = 0;
        if (sigwait(&signals->set, &number) != 0)
            continue;
        if (number == SIGNAL_OF_THE_END)
            return NULL;
        if (number == SIGHUP) {
            if (!atomic_exchange(&signals->hup_posted, true))
                loop_post(signals->loop, &signals->on_hup);
            continue;
        }
        if (atomic_exchange(&signals->stopping, true))
            _exit(EXIT_INTERRUPTED);
        loop_post(signals->loop, &signals->on_stop);
    }
}

static void stop_task(struct task *task)
{
    struct signals *signals = CONTAINER_OF(task, struct signals, on_stop);
    signals->stop(signals->arg);
}

static void hup_task(struct task *task)
{
    struct signals *signals = CONTAINER_OF(task, struct signals, on_hup);
    atomic_store(&signals->hup_posted, false); /* a signal from now on asks for one more */
    if (!atomic_load(&signals->stopping))
        signals->hup(signals->arg);
}

void signals_block(struct signals *signals, void (*stop)(void *arg), void (*hup)(void *arg),
                   void *arg)
{
    *signals = (struct signals){ .stop = stop, .hup = hup, .arg = arg };
    signals->on_stop.run = stop_task;
    signals->on_hup.run = hup_task;
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGTERM);
    sigaddset(&signals->set, SIGINT);
    sigaddset(&signals->set, SIGNAL_OF_THE_END);
    if (hup != NULL)
        sigaddset(&signals->set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

enum status signals_begin(struct signals *signals, struct loop *loop)
{
    ENSURE(signals->stop != NULL);
    signals->loop = loop;
    return pthread_create(&signals->thread, NULL, wait_for_signals, signals) == 0
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

void signals_end(struct signals *signals)
{
    (void)pthread_kill(signals->thread, SIGNAL_OF_THE_END);
    (void)pthread_join(signals->thread, NULL);
    loop_forget(signals->loop, &signals->on_stop);
    loop_forget(signals->loop, &signals->on_hup);
}
