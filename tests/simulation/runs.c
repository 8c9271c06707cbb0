/* runs.c - one seed after the other, or workers side by side; see runs.h.
 *
 * Workers share a board: the next seed that nobody has taken, and a place for each with its scores.
 * What a worker prints goes into a file in memory that the parent has open as well, and from there
 * out when the seed has ended, under a lock; if the worker dies, the parent prints what there is.
 */
#include "runs.h"

#include "base/ensure.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_S 5
#define DEATHS_MAX 20 /* workers that die; after that it is not worth going on */

struct worker {
    pid_t pid; /* 0: none */
    int out;   /* file in memory with what it prints */
    uint64_t seed;
    bool running; /* a seed */
    struct scores scores;
};

struct board {
    atomic_ullong next; /* seeds taken so far */
    atomic_ullong bad;
    struct worker workers[RUNS_JOBS_MAX];
};

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sums_add(struct sim_sums *sums, const struct sim_sums *more)
{
#define SUM(name) sums->name += more->name;
#include "sums.def"
#undef SUM
}

/* --- progress ----------------------------------------------------------------------------------
 */

struct progress {
    bool on;
    double began, told;
};

static struct progress progress_begin(const struct runs *runs)
{
    double now = seconds_now();
    return (struct progress){ .on = runs->progress, .began = now, .told = now };
}

static void progress_tell(struct progress *p, const struct runs *runs, const struct sim_sums *sums,
                          uint64_t bad)
{
    double now = seconds_now();
    if (!p->on || now - p->told < PROGRESS_S)
        return;
    p->told = now;
    fprintf(stderr,
            "%6.0f s: %llu of %llu seeds, %llu payments (%.0f a second), %llu crashes, "
            "%llu seeds wrong\n",
            now - p->began, (unsigned long long)sums->seeds, (unsigned long long)runs->count,
            (unsigned long long)sums->payments, (double)sums->payments / (now - p->began),
            (unsigned long long)sums->crashes, (unsigned long long)bad);
}

/* --- in this process ---------------------------------------------------------------------------
 */

static uint64_t go_alone(const struct runs *runs, struct scores *scores)
{
    struct progress progress = progress_begin(runs);
    uint64_t bad = 0;
    for (uint64_t i = 0; i < runs->count; i++) {
        bad += !runs->seed(runs->arg, runs->first + i, scores);
        progress_tell(&progress, runs, &scores->sums, bad);
    }
    return bad;
}

/* --- a worker ----------------------------------------------------------------------------------
 */

/* From the file in memory to where the parent prints; the file is empty then. */
static void pass_on(int from, int to)
{
    char piece[16384];
    ssize_t len;
    off_t at = 0;
    while ((len = pread(from, piece, sizeof piece, at)) > 0) {
        for (ssize_t done = 0; done < len;) {
            ssize_t more = write(to, piece + done, (size_t)(len - done));
            if (more < 0 && errno == EINTR)
                continue;
            if (more <= 0)
                return; /* nobody reads it any more */
            done += more;
        }
        at += len;
    }
}

static void work(const struct runs *runs, struct board *board, struct worker *w, int lock)
{
    int to = dup(STDOUT_FILENO);
    ENSURE(to >= 0 && dup2(w->out, STDOUT_FILENO) == STDOUT_FILENO);
    for (;;) {
        uint64_t nth = atomic_fetch_add(&board->next, 1);
        if (nth >= runs->count)
            return;
        w->seed = runs->first + nth;
        w->running = true;
        bool good = runs->seed(runs->arg, w->seed, &w->scores);
        if (!good)
            atomic_fetch_add(&board->bad, 1);
        w->running = false;
        fflush(stdout);
        if (!good || !runs->quiet) {
            ENSURE(lockf(lock, F_LOCK, 0) == 0);
            pass_on(w->out, to);
            ENSURE(lockf(lock, F_ULOCK, 0) == 0);
        }
        ENSURE(lseek(w->out, 0, SEEK_SET) == 0 && ftruncate(w->out, 0) == 0);
    }
}

/* --- who waits for them ------------------------------------------------------------------------
 */

static bool hire(const struct runs *runs, struct board *board, struct worker *w, int lock)
{
    fflush(stdout);
    ENSURE(lseek(w->out, 0, SEEK_SET) == 0 && ftruncate(w->out, 0) == 0);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) {
        w->pid = pid > 0 ? pid : 0;
        return pid > 0;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would hear it any more */
    if (getppid() == parent) {
        runs->worker_begins(runs->arg);
        work(runs, board, w, lock);
        runs->worker_ends(runs->arg);
    }
    fflush(stdout);
    _exit(0);
}

/* It ended in the middle of a seed. */
static void buried(const struct runs *runs, struct board *board, struct worker *w, int how)
{
    atomic_fetch_add(&board->bad, 1);
    w->running = false;
    pass_on(w->out, STDOUT_FILENO);
    if (WIFSIGNALED(how))
        printf("\n  WRONG: the worker died of signal %d (%s) in seed %llu\n", WTERMSIG(how),
               strsignal(WTERMSIG(how)), (unsigned long long)w->seed);
    else
        printf("\n  WRONG: the worker ended with %d in seed %llu\n", WEXITSTATUS(how),
               (unsigned long long)w->seed);
    printf("  repeat with: railgate-simulate --seed %llu %s\n", (unsigned long long)w->seed,
           runs->about);
    fflush(stdout);
}

static struct sim_sums sums_now(const struct board *board, unsigned jobs)
{
    struct sim_sums sums = { 0 };
    for (unsigned i = 0; i < jobs; i++)
        sums_add(&sums, &board->workers[i].scores.sums);
    return sums;
}

/* A worker has ended, or a second has passed. */
static struct worker *wait_for_one(struct board *board, unsigned jobs, int *how)
{
    const struct timespec second = { .tv_sec = 1 };
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pid_t pid = waitpid(-1, how, WNOHANG);
    if (pid <= 0) {
        (void)sigtimedwait(&child, NULL, &second);
        pid = waitpid(-1, how, WNOHANG);
    }
    for (unsigned i = 0; pid > 0 && i < jobs; i++)
        if (board->workers[i].pid == pid)
            return &board->workers[i];
    return NULL;
}

static void wait_for_all(const struct runs *runs, struct board *board, int lock)
{
    struct progress progress = progress_begin(runs);
    unsigned deaths = 0;
    for (;;) {
        int how = 0;
        bool any = false;
        struct worker *w = wait_for_one(board, runs->jobs, &how);
        if (w != NULL) {
            w->pid = 0;
            if (w->running) {
                buried(runs, board, w, how);
                if (++deaths < DEATHS_MAX)
                    (void)hire(runs, board, w, lock);
                else
                    atomic_store(&board->next, runs->count);
            }
        }
        for (unsigned i = 0; i < runs->jobs; i++)
            any = any || board->workers[i].pid != 0;
        if (!any)
            return;
        struct sim_sums sums = sums_now(board, runs->jobs);
        progress_tell(&progress, runs, &sums, atomic_load(&board->bad));
    }
}

static uint64_t go_together(const struct runs *runs, struct scores *scores)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int lock = memfd_create("lock", MFD_CLOEXEC);
    sigset_t child, before;
    unsigned hired = 0;
    ENSURE(board != MAP_FAILED && lock >= 0 && runs->jobs <= RUNS_JOBS_MAX);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &before);
    for (unsigned i = 0; i < runs->jobs; i++) {
        board->workers[i].out = memfd_create("worker", MFD_CLOEXEC);
        ENSURE(board->workers[i].out >= 0);
        hired += hire(runs, board, &board->workers[i], lock);
    }
    ENSURE(hired > 0);
    wait_for_all(runs, board, lock);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    for (unsigned i = 0; i < runs->jobs; i++) {
        sums_add(&scores->sums, &board->workers[i].scores.sums);
        tally_join(&scores->tally, &board->workers[i].scores.tally);
        (void)close(board->workers[i].out);
    }
    uint64_t bad = atomic_load(&board->bad);
    (void)close(lock);
    (void)munmap(board, sizeof *board);
    return bad;
}

uint64_t runs_go(const struct runs *runs, struct scores *scores)
{
    return runs->jobs == 0 ? go_alone(runs, scores) : go_together(runs, scores);
}
