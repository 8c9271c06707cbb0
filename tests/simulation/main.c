/* main.c - railgate-simulate: runs seeds, prints one line for each, exits 1 when something was
 * wrong. A seed is the whole run: the same seed, the same run, the same hash at the end of its
 * line.
 */
#include "sim.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const fault_words[] = { "none", "network", "crash", "all" };
static const char *const plant_words[] = { "nothing",    "book_twice", "unrecorded", "new_key",
                                           "lose",       "altered",    "unsigned",   "wrong_amount",
                                           "no_inquiry", "new_id" };

static int usage(void)
{
    fprintf(
        stderr,
        "usage: railgate-simulate [OPTIONS]\n"
        "  --seed N          first seed (1)\n"
        "  --seeds K         runs seeds N..N+K-1 (1)\n"
        "  --payments M      payments in a run (100)\n"
        "  --faults WHICH    none, network, crash or all (all)\n"
        "  --twice           every seed twice: the second run must be the same\n"
        "  --plant BUG       a bug on purpose, which must be found: book_twice, unrecorded,\n"
        "                    new_key, lose, altered, unsigned, wrong_amount, no_inquiry, new_id\n"
        "  --rails LIST      of card, qr, bank, cbdc (all of them)\n"
        "  --tally           how often what happened, over all seeds\n"
        "  --config DIR      settings of the gateway\n"
        "  --verbose         everything that happens, and the gateway's log\n");
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
    uint64_t seeds;
    bool twice, tell_tally;
    const char *config, *rails;
};

static bool arguments_read(int argc, char **argv, struct arguments *out)
{
    static const struct option rows[] = {
        { "seed", 1, NULL, 's' },   { "seeds", 1, NULL, 'k' },   { "payments", 1, NULL, 'p' },
        { "faults", 1, NULL, 'f' }, { "twice", 0, NULL, 't' },   { "plant", 1, NULL, 'b' },
        { "config", 1, NULL, 'c' }, { "verbose", 0, NULL, 'v' }, { "tally", 0, NULL, 'y' },
        { "rails", 1, NULL, 'r' },  { NULL, 0, NULL, 0 },
    };
    for (int letter; (letter = getopt_long(argc, argv, "", rows, NULL)) != -1;) {
        switch (letter) {
        case 's': out->sim.seed = strtoull(optarg, NULL, 10); break;
        case 'k': out->seeds = strtoull(optarg, NULL, 10); break;
        case 'p': out->sim.payments = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'f': out->sim.faults = (enum sim_faults)word_at(optarg, fault_words, 4); break;
        case 't': out->twice = true; break;
        case 'b':
            out->sim.plant = (enum sim_plant)word_at(optarg, plant_words, PLANT_COUNT - 1);
            break;
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
    return optind == argc && out->seeds > 0 && out->sim.payments > 0 && out->sim.faults != 0 &&
           out->sim.plant != 0 && out->sim.rails != 0;
}

static bool run_seed(const struct arguments *a, uint64_t seed)
{
    struct sim_options options = a->sim;
    uint64_t trace = 0, again = 0;
    options.seed = seed;
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
        printf("  repeat with: railgate-simulate --seed %llu --payments %u --faults %s --rails %s "
               "--verbose\n",
               (unsigned long long)seed, options.payments, fault_words[options.faults - 1],
               a->rails);
    fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .sim = { .seed = 1, .payments = 100, .faults = FAULTS_ALL, .plant = PLANT_NOTHING },
        .seeds = 1,
        .rails = "card,qr,bank,cbdc",
        .config = SIMULATION_CONFIG
    };
    /* Tables of a gateway are large and mostly empty: fresh pages are zero for nothing. Small
     * things come and go: nothing is given back to the kernel meanwhile. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    a.sim.rails = rails_of(a.rails);
    if (!arguments_read(argc, argv, &a))
        return usage();
    struct tally tally = { 0 };
    a.sim.tally = &tally;
    a.sim.rules = rulebook_open(a.config);
    if (a.sim.rules == NULL)
        return 2;
    uint64_t bad = 0;
    for (uint64_t i = 0; i < a.seeds; i++)
        bad += !run_seed(&a, a.sim.seed + i);
    rulebook_close(a.sim.rules);
    if (a.tell_tally)
        tally_print(&tally);
    if (a.sim.plant != PLANT_NOTHING) {
        printf("the planted bug %s\n", bad > 0 ? "was found" : "was NOT found");
        return bad > 0 ? 0 : 1;
    }
    printf("%llu of %llu seeds were wrong\n", (unsigned long long)bad, (unsigned long long)a.seeds);
    return bad > 0 ? 1 : 0;
}
