/* main.c - railgate-simulate: runs seeds, prints one line for each, exits 1 when something was
 * wrong. A seed is the whole run: the same seed, the same run, the same hash at the beginning of
 * its line.
 */
#include "runs.h"

#include "base/ensure.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const fault_words[] = { "none", "network", "crash", "all", "disk" };
static const char *const plant_words[] = { "nothing",    "book_twice", "unrecorded", "new_key",
                                           "lose",       "altered",    "unsigned",   "wrong_amount",
                                           "no_inquiry", "new_id",     "no_sync" };

static const char help[] =
    "railgate-simulate: a gateway, merchants, and the counterparts of all rails in one process, "
    "on\n"
    "simulated time. Everything that can go wrong between them is drawn from a seed; when all is\n"
    "quiet again, the gateway's books are held against those of the counterparts.\n"
    "\n"
    "The same seed with the same options is the same run, event by event; the number at the\n"
    "beginning of a seed's line (a hash over all of them) tells. When something is wrong, the "
    "story\n"
    "of the payment concerned is printed, and the command that runs it again. The exit code is 0\n"
    "when nothing was wrong, 1 when something was, 2 when the command makes no sense.\n"
    "\n"
    "usage: railgate-simulate [OPTIONS]\n"
    "\n"
    "What is run\n"
    "  --seed N          first seed (1)\n"
    "  --seeds K         runs seeds N..N+K-1 (1)\n"
    "  --payments M      payments in the run of a seed (100)\n"
    "  --until-payments T  as many seeds as it takes for T payments (instead of --seeds)\n"
    "  --faults WHICH    none, network (and counterparts), crash (of the gateway, and of its "
    "machine),\n"
    "                    disk (with crash) or all (all)\n"
    "  --payments-per-crash P  the gateway crashes about once in P payments (as often as the seed\n"
    "                    likes, which is once in about ten)\n"
    "  --rails LIST      of card, qr, bank, cbdc (all of them)\n"
    "  --config DIR      settings of the gateway\n"
    "\n"
    "How\n"
    "  --jobs J          J seeds at a time, each in a process of its own (0: one by one, here)\n"
    "  --twice           every seed twice: the second run must be the same\n"
    "\n"
    "What is told\n"
    "  --quiet           no line for a seed in which nothing was wrong\n"
    "  --summary         at the end: what was simulated, which faults happened, how fast\n"
    "  --record FILE     adds the same to FILE, as one line of JSON\n"
    "  --tally           how often what happened, over all seeds\n"
    "  --verbose         everything that happens, and the gateway's log\n"
    "\n"
    "To test the checks\n"
    "  --expect-faults   every kind of fault that there is must have happened at least once\n"
    "  --plant BUG       a bug on purpose, which must be found: book_twice, unrecorded, new_key,\n"
    "                    lose, altered, unsigned, wrong_amount, no_inquiry, new_id, no_sync\n";

static int usage(void)
{
    fprintf(stderr, "railgate-simulate: this is not understood; --help tells what there is\n");
    return 2;
}

static int word_at(const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i + 1;
    return 0;
}

/* 0: something is no rail. */
static unsigned rails_of(const char *list)
{
    struct view rest = view_text(list);
    unsigned rails = 0;
    while (rest.len > 0) {
        size_t end = view_find(rest, ',');
        struct view word = view_slice(rest, 0, end);
        unsigned before = rails;
        for (unsigned rail = RAIL_CARD; rail <= RAIL_CBDC; rail++)
            if (view_is(word, rail_word((enum rail)rail)))
                rails |= 1u << rail;
        if (rails == before)
            return 0;
        rest = view_slice(rest, end + 1, rest.len);
    }
    return rails;
}

struct arguments {
    struct sim_options sim;
    uint64_t seeds, until_payments;
    unsigned long jobs;
    bool twice, tell_tally, quiet, summary, help, expect_faults;
    const char *config, *rails, *record;
};

/* False: no number, or too large. */
static bool take_number(struct arguments *out, int letter, const char *text)
{
    bool wide = letter == 's' || letter == 'k' || letter == 'u';
    uint64_t number = 0;
    if (view_to_u64(view_text(text), wide ? UINT64_MAX : UINT32_MAX, &number) != STATUS_OK)
        return false;
    switch (letter) {
    case 's': out->sim.seed = number; break;
    case 'k': out->seeds = number; break;
    case 'u': out->until_payments = number; break;
    case 'p': out->sim.payments = (uint32_t)number; break;
    case 'x': out->sim.payments_per_crash = (uint32_t)number; break;
    default: out->jobs = (unsigned long)number; break;
    }
    return true;
}

static bool arguments_read(int argc, char **argv, struct arguments *out)
{
    static const struct option rows[] = {
        { "seed", 1, NULL, 's' },   { "seeds", 1, NULL, 'k' },
        { "faults", 1, NULL, 'f' }, { "payments", 1, NULL, 'p' },
        { "rails", 1, NULL, 'r' },  { "until-payments", 1, NULL, 'u' },
        { "jobs", 1, NULL, 'j' },   { "payments-per-crash", 1, NULL, 'x' },
        { "twice", 0, NULL, 't' },  { "config", 1, NULL, 'c' },
        { "plant", 1, NULL, 'b' },  { "verbose", 0, NULL, 'v' },
        { "tally", 0, NULL, 'y' },  { "quiet", 0, NULL, 'q' },
        { "help", 0, NULL, 'h' },   { "summary", 0, NULL, 'm' },
        { "record", 1, NULL, 'o' }, { "expect-faults", 0, NULL, 'e' },
        { NULL, 0, NULL, 0 },
    };
    for (int letter; (letter = getopt_long(argc, argv, "", rows, NULL)) != -1;) {
        switch (letter) {
        case 's':
        case 'k':
        case 'p':
        case 'u':
        case 'j':
        case 'x':
            if (!take_number(out, letter, optarg))
                return false;
            break;
        case 'f':
            out->sim.faults = (enum sim_faults)word_at(optarg, fault_words, COUNT_OF(fault_words));
            break;
        case 't': out->twice = true; break;
        case 'b':
            out->sim.plant = (enum sim_plant)word_at(optarg, plant_words, PLANT_COUNT - 1);
            break;
        case 'q': out->quiet = true; break;
        case 'm': out->summary = true; break;
        case 'o': out->record = optarg; break;
        case 'e': out->expect_faults = true; break;
        case 'h': out->help = true; break;
        case 'c': out->config = optarg; break;
        case 'r':
            out->rails = optarg;
            out->sim.rails = rails_of(optarg);
            break;
        case 'y': out->tell_tally = true; break;
        case 'v': out->sim.verbose = true; break;
        default: return false;
        }
    }
    if (optind != argc || out->seeds == 0 || out->sim.payments == 0 || out->sim.faults == 0 ||
        out->sim.plant == 0 || out->sim.rails == 0 || out->jobs > RUNS_JOBS_MAX)
        return false;
    if (out->until_payments > 0)
        out->seeds = (out->until_payments + out->sim.payments - 1) / out->sim.payments;
    return true;
}

/* The options that make the same again, without the seed. */
static void about(const struct arguments *a, char *out, size_t room)
{
    struct writer w = writer_over(out, room - 1);
    writer_format(&w, "--payments %u --faults %s --rails %s", a->sim.payments,
                  fault_words[a->sim.faults - 1], a->rails);
    if (a->sim.payments_per_crash > 0)
        writer_format(&w, " --payments-per-crash %u", a->sim.payments_per_crash);
    if (a->sim.plant != PLANT_NOTHING)
        writer_format(&w, " --plant %s", plant_words[a->sim.plant - 1]);
    if (strcmp(a->config, SIMULATION_CONFIG) != 0)
        writer_format(&w, " --config %s", a->config);
    out[w.len] = '\0';
}

static bool run_seed(void *arg, uint64_t seed, struct scores *scores)
{
    const struct arguments *a = arg;
    struct sim_options options = a->sim;
    uint64_t trace = 0, again = 0;
    char text[512];
    options.seed = seed;
    options.tally = &scores->tally;
    options.sums = &scores->sums;
    about(a, text, sizeof text);
    printf("seed %llu ", (unsigned long long)seed);
    fflush(stdout);
    bool good = world_run(&options, rulebook_folder(a->sim.rules), &trace);
    if (a->twice) {
        printf("again  ");
        fflush(stdout);
        good = world_run(&options, rulebook_folder(a->sim.rules), &again) && good;
        if (trace != again) {
            printf("  WRONG: the same seed ran differently the second time\n");
            good = false;
        }
    }
    if (!good)
        printf("  repeat with: railgate-simulate --seed %llu %s\n", (unsigned long long)seed, text);
    fflush(stdout);
    return good;
}

/* A worker has a folder with settings of its own. */
static void worker_begins(void *arg)
{
    struct arguments *a = arg;
    a->sim.rules = rulebook_open(a->config);
    ENSURE(a->sim.rules != NULL);
}

static void worker_ends(void *arg)
{
    struct arguments *a = arg;
    rulebook_close(a->sim.rules);
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Tables of a gateway are large and mostly empty: fresh pages are zero for nothing. Small things
 * come and go: nothing is given back to the kernel meanwhile. */
static void memory_habits(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
}

/* The number of seeds that were wrong, and of faults that should have happened. */
static uint64_t run_all(struct arguments *a)
{
    char text[512];
    about(a, text, sizeof text);
    struct runs runs = { .first = a->sim.seed,
                         .count = a->seeds,
                         .about = text,
                         /* What a quiet run holds back until it is known to be good is a
                          * worker's. */
                         .jobs = a->quiet && a->jobs == 0 ? 1 : (unsigned)a->jobs,
                         .quiet = a->quiet,
                         .progress = true,
                         .seed = run_seed,
                         .worker_begins = worker_begins,
                         .worker_ends = worker_ends,
                         .arg = a };
    struct scores *scores = calloc(1, sizeof *scores);
    double began_s = now_s();
    ENSURE(scores != NULL);
    uint64_t bad = runs_go(&runs, scores);
    struct runs_told told = {
        .runs = &runs, .scores = scores, .bad = bad, .seconds = now_s() - began_s
    };
    if (a->tell_tally)
        tally_print(&scores->tally);
    if (a->summary)
        runs_print(&told);
    if (a->record != NULL && !runs_record(&told, a->record)) {
        fprintf(stderr, "%s: the record could not be written\n", a->record);
        bad += bad == 0;
    }
    if (a->expect_faults)
        bad += runs_faults_missing(scores);
    free(scores);
    return bad;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .sim = { .seed = 1, .payments = 100, .faults = FAULTS_ALL, .plant = PLANT_NOTHING },
        .seeds = 1,
        .rails = "card,qr,bank,cbdc",
        .config = SIMULATION_CONFIG
    };
    memory_habits();
    a.sim.rails = rails_of(a.rails);
    if (!arguments_read(argc, argv, &a))
        return usage();
    if (a.help) {
        printf("%s", help);
        return 0;
    }
    a.sim.rules = rulebook_open(a.config); /* also when workers have their own: is it good? */
    if (a.sim.rules == NULL)
        return 2;
    struct rulebook *rules = a.sim.rules;
    uint64_t bad = run_all(&a);
    rulebook_close(rules);
    if (a.sim.plant != PLANT_NOTHING) {
        printf("the planted bug %s\n", bad > 0 ? "was found" : "was NOT found");
        return bad > 0 ? 0 : 1;
    }
    printf("%llu of %llu seeds were wrong\n", (unsigned long long)bad, (unsigned long long)a.seeds);
    return bad > 0 ? 1 : 0;
}
