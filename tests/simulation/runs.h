/* runs.h - many seeds: one after the other in this process, or by workers side by side.
 *
 * A worker is a forked process: what a seed does cannot touch another one, and a worker that dies
 * takes one seed with it, which is reported by its number and counts as wrong. What a worker prints
 * about a seed comes out in one piece. A seed runs the same in a worker as alone.
 */
#ifndef SIMULATION_RUNS_H
#define SIMULATION_RUNS_H

#include "sim.h"

#define RUNS_JOBS_MAX 64

/* What a run has done is added up here. Plain memory: workers share it with who waits for them. */
struct scores {
    struct sim_sums sums;
    struct tally tally;
};

struct runs {
    uint64_t first, count; /* seeds first .. first + count - 1 */
    const char *about;     /* the options that make a seed again */
    unsigned jobs;         /* workers; 0: none, in this process */
    bool quiet;            /* of a seed in which nothing was wrong, nothing is printed */
    bool progress;         /* a line on stderr every few seconds */
    /* Runs one seed and prints about it; true when nothing was wrong. `scores` is for this call. */
    bool (*seed)(void *arg, uint64_t seed, struct scores *scores);
    /* In a worker: before its first seed, after its last one. */
    void (*worker_begins)(void *arg);
    void (*worker_ends)(void *arg);
    void *arg;
};

/* Runs all of them. Adds to *scores; the number of seeds that were wrong. */
uint64_t runs_go(const struct runs *runs, struct scores *scores);

/* What a whole run was, for people; the same as one JSON object on one line. */
struct runs_told {
    const struct runs *runs;
    const struct scores *scores;
    uint64_t bad;   /* seeds */
    double seconds; /* real ones */
};
void runs_print(const struct runs_told *told);
/* Prints which faults of faults.def never happened; their number. */
unsigned runs_faults_missing(const struct scores *scores);
bool runs_record(const struct runs_told *told, const char *path);

#endif
