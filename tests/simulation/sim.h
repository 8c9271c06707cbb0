/* sim.h - a whole world in one process: merchants, a gateway, a card host, a wallet provider with
 * phones, a bank, a central bank's ledger, and a network between them on virtual time, under one
 * seed.
 *
 *     world.c      opens, runs and closes the world; accidents of the gateway; the trace
 *     card_side.c  the card host's brain on the memory network, and its accidents
 *     http_side.c  wallet, bank and ledger: the same for those who speak HTTP
 *     disk_side.c  the disk under the gateway's database, and its accidents; on platter.c
 *     http_plant.c bugs put in on purpose at those
 *     ask.c        one request of a merchant over HTTP, repeated until there is a final answer
 *     story.c      what merchants want: a payment, captures, a cancel, refunds
 *     story_qr.c, story_bank.c, story_cbdc.c   what is particular to a rail, phones and payers too
 *     check.c      when all is quiet: the gateway's books against those of the counterparts
 *     check_http.c the ledgers of wallet, bank and central bank
 *     check_answers.c  whether each answer was that of its own question
 *     check_retold.c   what the journal tells against the rows
 *     rules.h      region profiles: rulebook.c, rules_side.c, story_hold.c, check_rules.c
 *     check_time.c whether everything came to its end in its time
 *     clock_side.c the gateway's wall clock, and its jumps
 *     hooks.h      webhooks: hook_side.c, hook_moves.c, hook_resends.c, hook_sign.c, event_reads.c,
 *                  hook_serve.c, check_hooks.c, check_moves.c, check_resends.c
 *     days_later.c a week after: keys are forgotten
 *     tell.c       the story of one payment, for people
 *     tally.c      how often what happened; faults.def: which faults there are
 *     runs.h       many seeds, by workers side by side
 *
 * What must hold is written in check.c; `wrong()` notes what does not. Everything that happens goes
 * into the trace, a running hash: two runs of one seed must end with the same one.
 */
#ifndef SIMULATION_SIM_H
#define SIMULATION_SIM_H

#include "base/list.h"
#include "card/card_host.h"
#include "http/http_host.h"
#include "main/gateway.h"
#include "rules.h"
#include "wire/memory.h"

#define MERCHANTS_COUNT 3
#define STORY_ASKS_MAX  48
#define STAN_LEN        6
/* The card host's answers to this amount name another one (its magic amounts). */
#define CARD_AMOUNT_ANSWERED_WRONG 9105

enum sim_faults { FAULTS_NONE = 1, FAULTS_NETWORK, FAULTS_CRASH, FAULTS_ALL, FAULTS_DISK };
/* Bugs put in on purpose: the checks must find each. */
enum sim_plant {
    PLANT_NOTHING = 1,
    PLANT_BOOK_TWICE, /* the card host moves the money of one entry twice */
    PLANT_UNRECORDED, /* the card host has an entry that no attempt belongs to */
    PLANT_NEW_KEY,    /* merchants repeat with another key, so some payments are made twice */
    PLANT_LOSE,       /* the gateway's records vanish with one of its crashes */
    PLANT_ALTERED,    /* an answer is not the one that was given before */
    PLANT_UNSIGNED,   /* as if the gateway believed unsigned notices: a forged one is signed well */
    PLANT_WRONG_AMOUNT, /* as if it did not look at a notice's amount: the notice tells the right
                           one though another was paid */
    PLANT_NO_INQUIRY, /* as if nobody asked when a code has expired: no notice, no answer to asking
                       */
    PLANT_NEW_ID,     /* as if a transfer were sent again under a new id */
    PLANT_NO_SYNC,    /* the disk does not flush, and says that it did */
    PLANT_COUNT
};

/* How often things happened, over all runs: a simulation in which nothing happens finds nothing.
 * Plain memory: it may lie where another process sees it. */
#define TALLY_ROWS_MAX  1024
#define TALLY_NAME_SIZE 64
struct tally {
    size_t count;
    uint16_t slots[2 * TALLY_ROWS_MAX]; /* by hash of the name: row plus one; 0: free */
    struct {
        char name[TALLY_NAME_SIZE];
        uint64_t times;
    } rows[TALLY_ROWS_MAX];
};
void tally_add(struct tally *tally, const char *name, uint64_t times);
/* All of `more` into `tally`. */
void tally_join(struct tally *tally, const struct tally *more);
/* By name, alphabetically. */
void tally_print(const struct tally *tally);

enum fault {
    FAULT_NONE,
#define FAULT(kind, word, text) FAULT_##kind,
#include "faults.def"
#undef FAULT
    FAULT_KINDS
};
const char *fault_word(enum fault fault);
const char *fault_text(enum fault fault);
/* Of a fault that one of the simulators names so. */
enum fault fault_of_simulator(const char *word);
/* How often it happened. */
uint64_t tally_fault(const struct tally *tally, enum fault fault);

struct sim_sums {
#define SUM(name) uint64_t name;
#include "sums.def"
#undef SUM
};

struct sim_options {
    uint64_t seed;
    uint32_t payments;
    uint32_t payments_per_crash; /* about so many; 0: as often as the seed likes */
    enum sim_faults faults;
    enum sim_plant plant;
    unsigned rails; /* set of 1 << enum rail */
    bool verbose;
    struct tally *tally;
    struct sim_sums *sums;
    struct rulebook *rules;
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

/* The answer that was read last. */
struct answer_read {
    const struct ask *of; /* NULL: none */
    struct arena arena;
    const struct json_node *root;
};

#define ASK_MAGIC 0x41534b21u
struct ask {
    uint32_t magic;
    struct world *world;
    struct story *story;
    enum operation verb; /* of the request; INQUIRE: a GET */
    char key[40];        /* also the request's `reference`; empty for GET */
    char path[64];
    char body[1024];
    struct ask *twin; /* the same request on another connection at the same time; or NULL */

    struct call *call; /* NULL: between two tries */
    struct timer timer;
    unsigned tries;
    bool running, replaying;
    void (*done)(struct ask *ask);
    int mark;  /* whoever made it */
    void *arg; /* whoever waits for it */

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
/* A member of the answer's `next_action`. */
bool ask_action(const struct ask *ask, const char *name, char *out, size_t room);

/* --- stories -----------------------------------------------------------------------------------
 */
struct merchant {
    int64_t id;
    char key[API_KEY_TEXT_MAX];
};

/* Why a payment may end with a person, or why the books may differ then: what happened to it cannot
 * be put right by a machine. Set by the story when it does such a thing. */
enum excuse {
    EXCUSE_AMOUNT = 1,        /* another amount was paid, or told, than what was asked for */
    EXCUSE_LATE = 2,          /* paid after its end, or after it was canceled */
    EXCUSE_CONTRADICTION = 4, /* the counterpart says one thing and then another */
    EXCUSE_FOREVER = 8,       /* never decided: nobody pays, and nobody can be asked */
    EXCUSE_TWICE = 16,        /* paid twice where the counterpart allows it */
    EXCUSE_RETURNED = 32,     /* came back without our asking */
};

#define STORY_PAYLOAD_MAX 600
#define STORY_MAGIC       0x53544f52u
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
    enum rail rail;
    int64_t amount;
    unsigned excuses; /* set of enum excuse */
    bool manual, receives, is_static, acted, canceled;
    bool lock_expires; /* CBDC: gives the money back by itself after a time */
    unsigned looks;
    /* Who else it is about: number of the card, account that pays or is paid, the payer's wallet;
     * empty at a wallet provider. */
    char other[40];
    char payload[STORY_PAYLOAD_MAX], code_reference[64]; /* of what is shown to a payer */
    int64_t payment;                                     /* 0: not made yet */
    char payment_text[ID_TEXT_MAX];
    struct story_hold hold;
    char told[24]; /* status that the first answer gave */
};
void story_open(struct story *story, struct world *world, uint32_t number, int64_t start_us);
void story_close(struct story *story);
/* Repeats every request once more; the answers must be those from before. */
void story_replay(struct story *story);
/* The next request of a story, to be filled and launched. */
struct ask *story_ask(struct story *story, enum operation verb);
void story_launch(struct ask *ask);
int64_t story_amount(struct story *story, const int64_t *magic, size_t magic_count,
                     size_t peaceful_count);
void story_cancel(struct story *story);

/* A rail's way to create, and what payers do once the payment waits for them. */
void story_qr_create(struct story *story);
void story_qr_act(struct story *story);
void story_bank_create(struct story *story);
void story_bank_act(struct story *story);
void story_cbdc_create(struct story *story);
/* The ledger tells another amount when it is asked for this one (its sandbox amounts). */
bool cbdc_answers_another(int64_t amount);

/* --- the card host -----------------------------------------------------------------------------
 */
struct card_side;
enum status card_side_open(struct card_side **out, struct world *world);
void card_side_close(struct card_side *side);
struct card_host *card_side_host(struct card_side *side);
/* Chooses which accidents this run has; none any more. */
void card_side_trouble(struct card_side *side);
void card_side_calm(struct card_side *side);
/* One of those that take a moment: links dropped, host down, an 0800 of its own. */
void card_side_incident(struct card_side *side);

/* --- wallet, bank, central bank -----------------------------------------------------------------
 */
struct http_side;
enum status http_side_open(struct http_side **out, struct world *world, enum rail rail);
void http_side_stop(struct http_side *side); /* before wire_close: no notices any more */
void http_side_close(struct http_side *side);
void http_side_trouble(struct http_side *side);
void http_side_calm(struct http_side *side);
void http_side_incident(struct http_side *side);
struct http_host *http_side_host(struct http_side *side);
/* Notices were lost for good, or taken for hints only. */
bool http_side_lost_notices(struct http_side *side);
/* Answers may have been garbled into others that can be read. */
bool http_side_garbles(const struct http_side *side);
/* A command of the control port; false when it was refused. The answer is ended by a zero. */
bool http_side_command(struct http_side *side, const char *path, const char *body, char *answer,
                       size_t room);
/* A notice out of nowhere, on the way that the counterpart's take. headers: lines. */
void http_side_forge(struct http_side *side, const char *path, struct view headers,
                     struct view body);
/* Prints what was said there about any of these names. */
void http_side_tell(struct http_side *side, const char *const *names, size_t count);

/* --- webhooks (hooks.h) ------------------------------------------------------------------------
 */
struct hook_side;
/* Back-off and time-outs that suit a run; before the gateway opens. */
void hook_settings(struct world *world);
/* After the merchants' keys were made. */
enum status hook_side_open(struct hook_side **out, struct world *world);
void hook_side_trouble(struct hook_side *side);
void hook_side_calm(struct hook_side *side);
/* Every endpoint has what is due to it, or is disabled. */
bool hook_side_quiet(const struct hook_side *side);
/* The gateway is down. */
void hook_side_sleeps(struct hook_side *side);
void hook_side_stop(struct hook_side *side); /* before wire_close */
void hook_side_close(struct hook_side *side);
void check_hooks(struct world *world);

/* --- the disk ----------------------------------------------------------------------------------
 */
struct disk_side;
enum status disk_side_open(struct disk_side **out, struct world *world);
void disk_side_close(struct disk_side *side);
/* Name of SQLite's file layer that leads to it. */
const char *disk_side_vfs(const struct disk_side *side);
/* From now on the power fails in the middle of things, and the disk has accidents of its own; none
 * any more. */
void disk_side_trouble(struct disk_side *side, bool with_errors);
void disk_side_calm(struct disk_side *side);
/* A process begins, and has nothing open yet. */
void disk_side_start(struct disk_side *side);
/* The process that has files open is killed, perhaps with the machine: before gateway_crash. */
void disk_side_crash(struct disk_side *side);
/* False: the power has failed, and what is open works no more until the next start. */
bool disk_side_powered(const struct disk_side *side);
/* Something has failed since the last start. */
bool disk_side_struck(const struct disk_side *side);
/* There are no files any more. */
void disk_side_wipe(struct disk_side *side);

/* --- the wall clock ----------------------------------------------------------------------------
 */
struct clock_side;
/* After the rules, which set it. */
enum status clock_side_open(struct clock_side **out, struct world *world);
void clock_side_close(struct clock_side *side);
/* Once a run: whether it may jump while the gateway runs. */
bool clock_side_may_move(struct clock_side *side);
void clock_side_trouble(struct clock_side *side);
void clock_side_calm(struct clock_side *side);
/* The gateway is down. */
void clock_side_sleeps(struct clock_side *side);
void clock_side_stop(struct clock_side *side);
/* When it showed this, by the loop's clock: the first time, or the last; -1: never. */
int64_t clock_side_loop_us(const struct clock_side *side, int64_t wall_us, bool last);
/* With a clock that moves: when this event was heard of after all had calmed down, at most
 * CLOCK_LOOK_US late; -1: not yet. */
int64_t clock_side_heard_us(const struct clock_side *side, int64_t seq);
/* How far it was ahead of the counterparts' clocks at most; never less than 0. */
int64_t clock_side_ahead_us(const struct clock_side *side);
#define CLOCK_LOOK_US (5 * LOOP_US_PER_S)

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
    struct disk_side *disk;
    struct log log;
    struct gateway *gateway; /* NULL: down */
    enum gateway_life life;
    unsigned starts_failed; /* in a row; as many as count */
    struct rules_side *rules;
    struct hook_side *hooks;
    struct card_side *card;
    struct http_side *sides[RAIL_CBDC + 1]; /* by rail; NULL: not in this run */
    struct channel_settings *channels;      /* those of the rails of this run */
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
    int64_t began_us, began_wall_us;
    uint64_t next_crash; /* not before so many payments have begun; see world_may_crash */
    struct clock_side *clock;
    bool clock_jumps; /* the gateway's wall clock, while it is down */
    bool clock_moves; /* ... while it runs; then it is never started again */
    uint64_t trace;
    size_t vault_before;
    struct answer_read read;

    /* Told at the end. */
    uint64_t crashes, restarts, tries, answers, replays, conflicts, parked, excused;
    uint64_t events, virtual_us, hooks_taken;
    size_t wrongs;
    int64_t wrong_payment; /* the first one concerned; 0: none */
    char wrong_text[600];  /* about it */
};

/* Runs one seed from beginning to end. True when nothing was wrong. */
bool world_run(const struct sim_options *options, const char *config, uint64_t *trace);
void world_trace(struct world *world, const char *what, struct view bytes);
/* One more of these. */
void world_tally(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* It happened, `times` times; who did it, in a word or two. */
void world_fault(struct world *world, enum fault fault, const char *who, uint64_t times);
/* As simulators tell it: names with commas between. */
void world_faults(struct world *world, const char *who, const char *words);
void wrong(struct world *world, int64_t payment, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With --payments-per-crash a crash may have to wait until enough payments have begun. Where it
 * strikes is left to who asks. */
bool world_may_crash(const struct world *world);
/* Asks the store and waits (virtual time passes). */
enum status world_read(struct world *world, struct store_read *read);
/* Lets virtual time pass. */
void world_pass(struct world *world, int64_t us);
/* Every request once more, waiting for the answers: they must be those from before. */
void world_replay(struct world *world);
/* The gateway crashes after so long, and is up again afterwards. */
void world_crash(struct world *world, int64_t delay_us);

/* Whether what is on record may be dated before or after its time. */
static inline bool world_clock_wrong(const struct world *world)
{
    return world->clock_jumps || world->clock_moves;
}

/* Whether this rail takes part. */
static inline bool world_has(const struct world *world, enum rail rail)
{
    return (world->options->rails >> rail & 1u) != 0;
}

void check_books(struct world *world);
/* After all checks: what is forgotten after a week, and what is not (days_later.c). */
void days_later(struct world *world);
/* check_time.c: its operations have ended in the time they are given. */
void check_in_time(struct world *world, const struct story *story, const struct payment_row *p,
                   const struct operation_row *ops, size_t count);
/* An event of the journal: what a payer may still pay is not closed. sent_us: 0 before the first
 * event of a payment, and its own. */
void check_not_too_soon(struct world *world, const struct story *story, int64_t *sent_us,
                        const struct event_row *e);

/* check_http.c: the books of wallet, bank or central bank. */
struct http_books;
struct http_books *http_books_read(struct world *world, enum rail rail);
void http_books_close(struct http_books *books);
/* All operations of one payment against these books. True: it was left to a person, and there is a
 * reason for that. */
bool check_http_payment(struct http_books *books, const struct payment_row *p,
                        const struct story *story, const struct operation_row *ops, size_t count,
                        const struct attempt_row *attempts, size_t attempt_count);
/* What belongs to no attempt, or was booked twice. */
void check_http_rest(struct http_books *books);
/* True when what this attempt has moved, of that amount, has this name at the counterpart; NULL:
 * when it has moved anything of that amount. */
bool http_books_calls(struct http_books *books, const struct attempt_row *row, int64_t amount,
                      const char *name);
/* What has this name there, for people. */
void http_books_whose(const struct http_books *books, const char *name, char *out, size_t room);
/* check_answers.c: what the gateway tells and keeps of an answer, against the counterpart's own
 * entry; e: of this attempt, or NULL. */
void check_card_answer(struct world *world, const struct payment_row *p,
                       const struct operation_row *o, const struct attempt_row *row,
                       const struct card_entry *e);
void check_http_answer(struct http_books *books, struct world *world, const struct payment_row *p,
                       const struct operation_row *o, const struct attempt_row *row);
/* check_whose.c: whose money an attempt has moved, as the counterpart has it; story: NULL when it
 * is nobody's. "" where it says nothing of a side. */
struct whose {
    const char *kind, *currency; /* letters */
    const char *from, *to;
};
void check_whose(struct world *world, const struct story *story, const struct payment_row *p,
                 const struct attempt_row *row, const struct whose *of);
/* check_retold.c: the journal tells what the rows of a payment say; no trace number was used twice.
 */
void check_retold(struct world *world, const struct payment_row *p,
                  const struct operation_row *operations, size_t operation_count,
                  const struct attempt_row *attempts, size_t attempt_count);
struct map;
void check_traces(struct world *world, struct map *seen, const struct attempt_row *attempts,
                  size_t count);
/* Prints the begin of a line that happened then (by the loop's clock). */
void tell_time(const struct world *world, int64_t loop_us);
void tell_payment(struct world *world, int64_t payment);
/* The letters that stand for an attempt where a bank or wallet allows no more. */
void attempt_base36(int64_t number, char out[14]);
/* The identity under which the card host knows an attempt. */
void attempt_identity(const struct attempt_row *row, struct card_identity *out);

#endif
