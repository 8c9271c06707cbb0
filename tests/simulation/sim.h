/* sim.h - a whole world in one process: merchants, a gateway, a card host, and a network between
 * them on virtual time, under one seed.
 *
 *     world.c      opens, runs and closes the world; accidents of the gateway; the trace
 *     card_side.c  the card host's brain on the memory network, and its accidents
 *     ask.c        one request of a merchant over HTTP, repeated until there is a final answer
 *     story.c      what merchants want: a payment, captures, a cancel, refunds
 *     check.c      when all is quiet: the gateway's books against the card host's ledger
 *     tell.c       the story of one payment, for people
 *
 * What must hold is written in check.c; `wrong()` notes what does not. Everything that happens goes
 * into the trace, a running hash: two runs of one seed must end with the same one.
 */
#ifndef SIMULATION_SIM_H
#define SIMULATION_SIM_H

#include "base/list.h"
#include "card/card_host.h"
#include "main/gateway.h"
#include "wire/memory.h"

#define MERCHANTS_COUNT 3
#define STORY_ASKS_MAX  48
#define STAN_LEN        6

enum sim_faults { FAULTS_NONE = 1, FAULTS_NETWORK, FAULTS_CRASH, FAULTS_ALL };
/* Bugs put in on purpose: the checks must find each. */
enum sim_plant {
    PLANT_NOTHING = 1,
    PLANT_BOOK_TWICE, /* the card host moves the money of one entry twice */
    PLANT_UNRECORDED, /* the card host has an entry that no attempt belongs to */
    PLANT_NEW_KEY,    /* merchants repeat with another key, so some payments are made twice */
    PLANT_LOSE,       /* the gateway's records vanish with one of its crashes */
    PLANT_ALTERED,    /* an answer is not the one that was given before */
};

/* How often things happened, over all runs: a simulation in which nothing happens finds nothing. */
#define TALLY_ROWS_MAX 160
struct tally {
    size_t count;
    struct {
        char name[48];
        uint64_t times;
    } rows[TALLY_ROWS_MAX];
};

struct sim_options {
    uint64_t seed;
    uint32_t payments;
    enum sim_faults faults;
    enum sim_plant plant;
    bool verbose;
    struct tally *tally;
};

struct story;
struct world;

/* --- dice: one stream for each purpose, so that one more throw here moves nothing there --------
 */
struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* 0 <= result < limit */
uint64_t dice_below(struct dice *dice, uint64_t limit);
int64_t dice_between(struct dice *dice, int64_t low, int64_t high);
bool dice_percent(struct dice *dice, unsigned percent);

/* --- asks --------------------------------------------------------------------------------------
 */
struct call; /* one try on one connection */

#define ASK_MAGIC 0x41534b21u
struct ask {
    uint32_t magic;
    struct world *world;
    struct story *story;
    enum operation verb; /* of the request; INQUIRE: a GET */
    char key[40];        /* also the request's `reference`; empty for GET */
    char path[64];
    char body[512];
    struct ask *twin; /* the same request on another connection at the same time; or NULL */

    struct call *call; /* NULL: between two tries */
    struct timer timer;
    unsigned tries;
    bool running, replaying;
    void (*done)(struct ask *ask);

    int status; /* of the final answer; 0: none yet */
    char *answer;
    size_t answer_len;
};
void ask_init(struct ask *ask, struct story *story, enum operation verb);
/* Sends until there is a final answer, then calls done. With an answer from before: the new one
 * must be the same, byte for byte. */
void ask_start(struct ask *ask);
void ask_fini(struct ask *ask);
/* Text of a member of the answer (a JSON object); false when there is none. */
bool ask_text(const struct ask *ask, const char *name, char *out, size_t room);
bool ask_number(const struct ask *ask, const char *name, int64_t *out);

/* --- stories -----------------------------------------------------------------------------------
 */
struct merchant {
    int64_t id;
    char key[API_KEY_TEXT_MAX];
};

#define STORY_MAGIC 0x53544f52u
struct story {
    uint32_t magic;
    struct world *world;
    const struct merchant *merchant;
    uint32_t number;
    struct dice dice;
    struct timer timer;
    struct ask look; /* GET of the payment */
    struct ask *asks[STORY_ASKS_MAX];
    size_t ask_count;
    size_t running;
    unsigned rounds_left;
    char currency[4];
    bool done;
    int64_t payment; /* 0: not made yet */
    char payment_text[ID_TEXT_MAX];
    char told[24]; /* status that the first answer gave */
};
void story_open(struct story *story, struct world *world, uint32_t number, int64_t start_us);
void story_close(struct story *story);
/* Repeats every request once more; the answers must be those from before. */
void story_replay(struct story *story);

/* --- the card host -----------------------------------------------------------------------------
 */
struct card_side;
enum status card_side_open(struct card_side **out, struct world *world);
void card_side_close(struct card_side *side);
struct card_host *card_side_host(struct card_side *side);
/* Chooses which accidents this run has; none any more. */
void card_side_trouble(struct card_side *side);
/* It books a message that comes after its reversal: only the repeats of the reversal undo it. */
bool card_side_books_late(const struct card_side *side);
void card_side_calm(struct card_side *side);
/* One of those that take a moment: links dropped, host down, an 0800 of its own. */
void card_side_incident(struct card_side *side);

/* --- the world ---------------------------------------------------------------------------------
 */
enum gateway_life { LIFE_DOWN = 1, LIFE_UP, LIFE_DRAINING };

#define WORLD_MAGIC 0x574f524cu
struct world {
    uint32_t magic;
    const struct sim_options *options;
    struct loop *loop;
    struct wire *wire;
    struct settings *loaded;  /* as in the files */
    struct settings settings; /* with the store's path replaced */
    char store_path[64];
    struct store_keeper *keeper;
    struct log log;
    struct gateway *gateway; /* NULL: down */
    enum gateway_life life;
    struct card_side *card;
    struct merchant merchants[MERCHANTS_COUNT];
    struct story *stories;
    size_t stories_done;
    struct dice dice;
    struct timer accident, aimed;
    bool calm; /* no accidents any more */
    bool planted;
    /* Drawn once for a run. */
    unsigned aim_permille;     /* how often a step of a payment is followed by a crash */
    unsigned crash_percent;    /* of accidents */
    unsigned incident_percent; /* of accidents */
    int64_t story_every_us;
    bool clock_jumps; /* the gateway's wall clock, while it is down, by up to half an hour */
    int64_t clock_offset_us;
    uint64_t trace;
    size_t vault_before;

    /* Told at the end. */
    uint64_t crashes, restarts, tries, answers, replays, conflicts;
    uint64_t events;
    size_t wrongs;
    int64_t wrong_payment; /* the first one concerned; 0: none */
};

/* Runs one seed from beginning to end. True when nothing was wrong. */
bool world_run(const struct sim_options *options, const char *config, uint64_t *trace);
void world_trace(struct world *world, const char *what, struct view bytes);
/* One more of these. */
void world_tally(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void wrong(struct world *world, int64_t payment, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Asks the store and waits (virtual time passes). */
enum status world_read(struct world *world, struct store_read *read);
/* Lets virtual time pass. */
void world_pass(struct world *world, int64_t us);

void check_books(struct world *world);
void tell_payment(struct world *world, int64_t payment);
/* The identity under which the card host knows an attempt. */
void attempt_identity(const struct attempt_row *row, struct card_identity *out);

#endif
