/* store.h - the durable records: payments, operations, attempts, the journal, idempotency, keys.
 *
 * Asynchronous from the first line: every call hands a request to the store's worker and comes back
 * on the loop's thread through `done`, after the commit that holds it is on disk (SQLite: WAL,
 * synchronous=FULL). Everything queued while the last commit was flushing shares the next one.
 *
 * A change is a *transaction with a judge*: the store loads the rows, calls judge() on its own
 * thread inside the commit, and writes what the judge left behind. So sums are checked where they
 * are spent, and the store knows nothing of life cycles. Requests of one batch see each other's
 * changes, in the order of submission. When one request of a batch breaks, the others are committed
 * without it.
 *
 * Memory: a request belongs to the caller and is lent to the store until done(). Views in it point
 * into its arena (or anywhere that lives until done). The store allocates what it loads in that
 * arena.
 *
 * Keys are time-ordered (appended). There is no random-key index in the commit: idempotency keys
 * and merchant references are kept in a bounded memory index rebuilt at start, and the lasting
 * index is built behind the commit in sorted batches (docs/decisions/). The exception are counters
 * (spends): they must be true inside the commit, and cost what random keys cost.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/log.h"
#include "domain/ids.h"
#include "domain/words.h"
#include "loop/loop.h"

#define STORE_EVENTS_MAX      12 /* journal events in one transaction */
#define STORE_IDEM_KEY_MAX    255
#define STORE_PAGE_MAX        100
#define STORE_LOOK_MAX        500 /* indexed rows that one question may look at to fill its page */
#define STORE_DIFFERENCES_MAX STORE_EVENTS_MAX /* in one transaction: each has an event */
#define STORE_CARRIED_MAX     64               /* rows of `carried` in one transaction */
#define STORE_SPENDS_MAX      16               /* counters that one payment may touch */
#define STORE_SPEND_ROWS_MAX                                                                       \
    20000 /* payments inside one sliding window that are added up; more: `too_many` */

struct store;

/* --- rows -------------------------------------------------------------------------------- */
/* Texts are UTF-8; _json are JSON values as json_out wrote them; empty view = SQL NULL. */

struct payment_row {
    int64_t id, merchant;
    enum payment_status status;
    enum capture_mode capture;
    enum payment_kind kind;
    enum rail rail;
    char currency[4];
    int64_t amount, authorized, capturing, captured, releasing, released, refunding, refunded;
    int64_t created_us, updated_us;
    struct view channel;    /* name of the channel that has it; empty: none yet */
    struct view reference;  /* merchant's own */
    struct view facts_json; /* what never changes after create: members of the answer, one object */
    struct view outcome_json; /* last outcome, one object; empty: none yet */
    struct view refs;         /* refs.h set of the first operation (sealed where sensitive) */
    struct view spends;       /* the store's own: what it has spent of counters, to give it back */
};

struct operation_row {
    int64_t id, payment, merchant;
    enum operation kind;
    enum operation_status status;
    int64_t amount; /* asked; after approval what was approved */
    int64_t created_us, updated_us;
    struct view facts_json; /* reference, metadata, ... as given; one object or empty */
    struct view outcome_json;
};

struct attempt_row {
    int64_t id, payment, operation, merchant;
    enum operation verb; /* what is said on the channel: may be REVERSE or INQUIRE of `parent` */
    enum attempt_state state;
    int64_t parent;   /* attempt that this one reverses or inquires; 0: none */
    int64_t amount;   /* minor units of this attempt */
    int64_t original; /* amount of the attempt referenced, 0: none */
    char currency[4];
    struct view channel;
    uint32_t trace;  /* STAN; kept so that a repeat is the same message */
    int64_t time_us; /* DE7 and friends; kept for the same reason */
    uint8_t random[16];
    uint32_t tries;  /* how often its bytes were handed to the channel */
    int64_t next_us; /* wall clock of the next try; 0: none planned */
    int64_t created_us, updated_us;
    struct view refs; /* set as of now: what it sent and what came back */
    struct view outcome_json;
};
/* Attempts in SENDING, UNKNOWN, REVERSING or PENDING are *open*: listed by STORE_ATTEMPTS_OPEN.
 * Those in PARKED or CONFLICT wait for a person; both are *unsettled*. */

struct event_row {
    int64_t seq; /* journal position: 1, 2, 3, ... without gaps, but for one before an event of the
                    kind STORE_RESTORED; set by the store */
    int64_t time_us;
    int64_t merchant, payment; /* 0: none */
    struct view kind;          /* "payment.created" */
    struct view data_json;     /* one object, redacted at the source */
};
/* The first event after a backup was put back, of no merchant. The positions that were given after
 * that backup are forgotten, and must not be given to other events. So this one gets a position
 * that is made of its time_us as other ids are (domain/ids.h), beyond all that counting can have
 * reached; the next ones are counted from there. FAILED when its time is not beyond the last
 * position: a clock that was set back. */
#define STORE_RESTORED "journal.restored"

/* A payment that is recorded and of which nothing was sent yet: somebody must say so first. */
enum held_kind { HELD_AUTHENTICATE = 1, HELD_REVIEW };
struct held_row {
    int64_t payment, merchant;
    enum held_kind kind;
    int64_t created_us, until_us; /* wall clock; after it the payment may only fail */
    int64_t wrong;                /* results that were wrong so far */
    struct view data;             /* what goes on with it needs; sealed, opaque to the store */
};

/* A version of a region profile that was in force once; seq grows, newest is in force. */
struct profile_row {
    int64_t seq; /* set by the store: 1, 2, 3, ... over all regions */
    int64_t at_us;
    struct view region, version, content_hash;
    struct view text; /* bytes of its file */
    struct view by;   /* who: "start", "reload", "rollback by NAME" */
};

/* Where a merchant's webhooks go, and how far they have come. */
enum endpoint_status { ENDPOINT_ENABLED = 1, ENDPOINT_DISABLED };
struct endpoint_row {
    int64_t id, merchant;
    enum endpoint_status status;
    struct view url, kinds, description; /* kinds: patterns with blanks between */
    struct view secret, old_secret;      /* sealed; old_secret empty: none */
    int64_t old_until_us;                /* wall clock until which old_secret signs as well */
    int64_t created_us, updated_us;
    int64_t cursor;           /* journal position up to which everything was delivered */
    int64_t next_us;          /* wall clock of the next try after a failure; 0: none failed */
    int64_t failures;         /* tries in a row that failed */
    int64_t failing_since_us; /* wall clock of the first of them; 0: none */
    int64_t tries;            /* all so far; numbers the delivery rows */
    struct view why;          /* one word, why it is disabled; empty: it is not, or by request */
};

/* One try to deliver an event. The last STORE_DELIVERIES_KEPT of an endpoint are kept. */
#define STORE_DELIVERIES_KEPT 20
struct delivery_row {
    int64_t endpoint, number; /* number: 1, 2, 3, ... of the endpoint */
    int64_t event;            /* journal position */
    int64_t at_us, latency_us;
    int64_t http_status; /* 0: there was no answer */
    int64_t next_us;     /* of the next try; 0: none follows */
    struct view result;  /* one word: "delivered", "timeout", ... */
};

/* An attempt beside what a comparison wants of its operation and payment. */
struct channel_attempt_row {
    struct attempt_row attempt;
    int64_t approved;      /* minor units: of the operation when it succeeded (a part may have been
                              approved), else the attempt's */
    int64_t refunded;      /* of the payment, as of now */
    int64_t carried;       /* by this reconciliation, to the next one; 0: by none */
    int64_t carried_minor; /* what records have told of it until then, net */
    struct view original;  /* refs of its payment, which a capture or refund names; else empty */
};

/* A comparison of our records with a counterpart's own (reconcile/). Its differences are written
 * page by page while it is WRITING; lists show them when it is FINISHED, so all or none. */
enum reconciliation_state {
    RECONCILIATION_WRITING = 1,
    RECONCILIATION_FINISHED,
    RECONCILIATION_ABANDONED, /* whoever wrote it ended before it was finished */
};
struct reconciliation_row {
    int64_t id;
    enum reconciliation_state state;
    int64_t started_us, finished_us;
    int64_t from_us, until_us; /* the period compared: from <= time < until */
    int64_t tolerance_us;      /* on both sides of it; below 0: of before attempts were carried */
    char currency[4];          /* of all of its lines; empty: of any */
    int64_t lines, differences;
    struct view channel, format, file; /* file: its name, without folders */
    struct view file_hash;             /* SHA-256 of its bytes, lower-case hexadecimal */
    struct view summary_json;          /* counts and sums of each kind */
};

/* An attempt that a reconciliation could not judge: the record before or after its own may tell of
 * it. It is carried over, until a later reconciliation of its channel ends that. As with
 * differences, what a reconciliation wrote or ended counts when it is FINISHED. */
struct carried_row {
    int64_t attempt, reconciliation;
    int64_t earlier; /* is carried by this one until now, which `reconciliation` ends; 0: by none */
    bool insert;     /* `reconciliation` carries it over, with */
    int64_t there_minor; /* what records told of it so far, net */
};

enum difference_status { DIFFERENCE_STATUS_OPEN = 1, DIFFERENCE_STATUS_RESOLVED };
struct difference_row {
    int64_t id, reconciliation;
    enum difference_kind kind;
    enum difference_status status;
    int64_t attempt, payment, merchant; /* 0: there is none here */
    int64_t line;                       /* of the file; 0: it is not in the file */
    int64_t here_minor, there_minor;    /* what each side says has moved */
    int64_t at_us;                      /* when, by whoever has it */
    int64_t created_us, resolved_us;
    char currency[4];
    struct view channel, identity; /* identity: by what the two sides name it */
    struct view here, there;       /* in words: "sale approved"; empty: nothing */
    struct view by, why, evidence; /* of whoever resolved it */
};

/* --- counters ----------------------------------------------------------------------------- */

/* Sums and counts of money over many payments, spent inside the commit that records one, so that
 * two at once cannot both pass. A counter is a key of 16 bytes (a keyed hash; nothing can be read
 * from it). Kinds may share a key: the sums are kept apart by kind. Sums saturate, and are never
 * below zero.
 *
 * What a payment has spent is noted on its row by the commit that spends it, which must INSERT the
 * payment, or load and UPDATE it. Each spend that is marked adds to its sum: of two with one kind
 * and key in one request mark one (SLIDING, PERIOD of the same start). They are carried out in the
 * order of the array.
 *
 * How long sums are kept: SLIDING for twice the window of the payments that follow (so the payments
 * of one key should agree on the window; a window that is made longer sees at first only what the
 * shorter one left), and at most 400 days; PERIOD for 400 days after its start; SINCE_RESET for
 * ever. The cost of a SLIDING sum grows with the payments inside the window; rows lie in the order
 * of keys, so keys that are spent together cost less when they begin with the same bytes. */
enum store_spend_kind {
    STORE_SPEND_SLIDING = 1, /* all after now - window_us */
    STORE_SPEND_PERIOD,      /* all with the same start_us */
    STORE_SPEND_SINCE_RESET, /* all since the last RESET */
    STORE_SPEND_RESET,       /* the sum of SINCE_RESET begins anew */
};
struct store_spend {
    enum store_spend_kind kind;
    uint8_t key[16];
    int64_t window_us, start_us; /* above 0 for SLIDING; any number for PERIOD */
    int64_t amount;              /* of this payment; not negative. RESET: not looked at */
    /* Set by the store before the judge is called: without this payment; with those of earlier
     * requests of the same batch. A row in the future (the clock was set back) counts. RESET: 0. */
    int64_t spent, count;
    bool too_many; /* more than STORE_SPEND_ROWS_MAX: the sums are not whole */
    /* By the judge: carry it out. */
    bool write;
};

/* --- a change ----------------------------------------------------------------------------- */

enum store_write { STORE_KEEP = 1, STORE_INSERT, STORE_UPDATE, STORE_DELETE /* held, endpoint */ };

enum store_result {
    STORE_COMMITTED = 1, /* on disk */
    STORE_REFUSED,    /* the judge said no; if it gave an answer, that is on disk under the key */
    STORE_REPLAY,     /* the key is known with the same body: `answer` is what was answered then;
                         answer_status 0: no answer was stored yet (see payment.id, operation.id) */
    STORE_KEY_REUSED, /* the key is known with another body */
    STORE_NO_PAYMENT, /* no such payment of this merchant */
    STORE_FAILED,     /* not committed: disk full, I/O error, ... see `why` */
};

struct store_txn;
/* On the store's thread, inside the commit, after loading. Looks at payment / operation / attempt,
 * changes them and their write marks, adds events, may set the answer. OK: commit. REFUSED: nothing
 * is written but idempotency record and answer (if answer_status is set). Pure: no I/O, no clock.
 * May be called again for the same request when a batch had to be repeated, with freshly loaded
 * rows: it must not keep state outside txn. NULL: nothing to judge. */
typedef enum status store_judge_fn(struct store_txn *txn, void *arg);
typedef void store_txn_done_fn(struct store_txn *txn, void *arg);

struct store_txn {
    struct job job;      /* the store's */
    struct store *store; /* the store's */
    struct arena *arena; /* memory for loaded rows and for the judge */
    store_judge_fn *judge;
    store_txn_done_fn *done;
    void *arg; /* for both */

    /* Idempotency; key empty: none. Scope is the merchant. */
    int64_t merchant;
    struct view idem_key;
    uint8_t idem_mac[32];  /* keyed digest of method, path and body */
    bool idem_answer_only; /* the key was recorded by an earlier txn of this request: only store the
                              answer for it (second commit); no duplicate check */

    /* What to load before judge: 0 = nothing (the row is the caller's, to be inserted). A payment
     * is loaded only if it is this merchant's (merchant 0: any). */
    int64_t load_payment, load_operation, load_attempt, load_parent;
    int64_t load_first;   /* an operation that ends along with `operation` */
    bool load_of_attempt; /* also the payment and the operation that load_attempt belongs to */
    int64_t load_held;    /* payment id; STORE_NO_PAYMENT when it is not held (any more) */

    struct payment_row payment;
    struct operation_row operation;
    struct attempt_row attempt;
    struct attempt_row parent; /* attempt that `attempt` reverses or inquires */
    enum store_write write_payment, write_operation, write_attempt,
        write_parent; /* 0 counts as KEEP */
    struct operation_row first;
    enum store_write write_first;
    struct held_row held;
    enum store_write write_held;
    struct profile_row profile; /* STORE_INSERT only */
    enum store_write write_profile;
    int64_t load_endpoint; /* if it is this merchant's (0: any); else STORE_NO_PAYMENT */
    struct endpoint_row endpoint;
    enum store_write write_endpoint; /* DELETE takes its delivery rows along */
    /* By the store, for the judge, when write_endpoint is INSERT before it is called: how many
     * endpoints the merchant has. */
    int64_t endpoint_count;
    struct delivery_row delivery;
    enum store_write write_delivery; /* STORE_INSERT only */
    struct reconciliation_row reconciliation;
    enum store_write write_reconciliation; /* UPDATE: state, finished_us, differences, summary */
    /* To be inserted, as the caller gave them; the judge does not change them. */
    const struct difference_row *differences;
    size_t difference_count;           /* at most STORE_DIFFERENCES_MAX */
    const struct carried_row *carried; /* the same; EXISTS, NOT_FOUND make it fail */
    size_t carried_count;              /* at most STORE_CARRIED_MAX */
    int64_t load_difference;           /* STORE_NO_PAYMENT when there is none */
    struct difference_row difference;
    enum store_write write_difference; /* UPDATE: status, resolved_us, by, why, evidence */
    int64_t journal_seq; /* by the store, for the judge: last position before this request */

    struct store_spend spends[STORE_SPENDS_MAX];
    size_t spend_count;
    int64_t spend_now_us; /* time of SLIDING windows and of what is spent; wall clock, above 0 */
    /* By the judge, with a loaded payment and UPDATE: what it had spent before this commit is
     * given back (once; a period that is over, or a sum that was reset since, stays as it is).
     * Nothing happens when it had spent nothing. */
    bool spends_release;

    struct event_row events[STORE_EVENTS_MAX];
    size_t event_count;
    uint32_t said; /* the judge's own word to whoever reads the result; 0 before each call */

    uint32_t answer_status; /* HTTP status to keep for the key; 0: none */
    struct view answer_body;

    /* Set by the store. */
    enum store_result result;
    struct view why; /* STORE_FAILED: one sentence */
    /* STORE_FAILED: by what it asks for (a row that no table takes, a judge that fails), so it
     * would fail again; else the disk, the lock or memory, which may come back. */
    bool own_fault;
};

/* --- opening ------------------------------------------------------------------------------ */

struct store_options {
    const char *path; /* SQLite file; "memory:NAME" keeps it in this process (simulation): it
                         lives as long as a store_keeper or a store has it open */
    const char *vfs;  /* SQLite's name of the file layer; NULL: the system's. Another one makes its
                         files by itself; their mode is not looked at */
    const struct log *log;
    /* How long idempotency records live at least; 0: for ever. Only the gateway itself forgets
     * them: a command beside it does not know how long they are needed. */
    int64_t idem_keep_us;
    size_t queue_max;         /* requests waiting; 0: 16384. Beyond: BUSY */
    size_t batch_max;         /* 0: 512 */
    uint32_t recent_keys_max; /* bound of the memory index; 0: 65536 */
    bool read_only;           /* for command-line tools: no recovery, no writes */
};
/* Opens or creates, checks schema version (refuses a newer one), application id and integrity of
 * the journal's end. Blocks (start-up only). `why` gets a sentence on failure. */
enum status store_open(struct store **out, struct loop *loop, const struct store_options *options,
                       struct writer *why);
/* Finishes what is queued, then closes. */
void store_close(struct store *store);
/* Virtual crash: forgets what was not committed. */
void store_crash(struct store *store);
/* Keeps a "memory:NAME" database alive while no store has it open. */
struct store_keeper;
enum status store_keeper_open(struct store_keeper **out, const char *path);
void store_keeper_close(struct store_keeper *keeper);

/* The largest id in use in any table (for id_source_init). Valid after open. */
int64_t store_last_id(const struct store *store);
/* Requests waiting or running. For back-pressure and /metrics. */
size_t store_pending(const struct store *store);
struct store_stats {
    uint64_t commits, requests, batch_max, failed;
    uint64_t flush_us_total;
    uint64_t looked, looked_max; /* rows, by questions (`looked`): all; most by one of a merchant */
};
void store_stats(const struct store *store, struct store_stats *out);

/* Tells readers of the journal that it has grown: `grew` is called on the loop's thread after each
 * commit of this process that appended to it, in the order of the journal, before the commit's own
 * done function. The events (one at least) live during the call. It must be quick and may ask, not
 * commit. Not for what other processes write: a gap before the first event's seq is theirs, and who
 * needs that looks now and then. An answer to a question is told after the commits that it saw and
 * before all others. A watch is taken back with store_unwatch, or ends with the store. */
struct store_watch {
    struct store_watch *next; /* the store's */
    void (*grew)(void *arg, const struct event_row *events, size_t count);
    void *arg;
};
void store_watch(struct store *store, struct store_watch *watch);
void store_unwatch(struct store *store, struct store_watch *watch);

/* --- operations --------------------------------------------------------------------------- */

/* BUSY: the queue is full, nothing was taken. */
enum status store_commit(struct store *store, struct store_txn *txn);

/* One durable block of numbers: [first, first + count) is nobody else's, even after a crash. */
struct store_counter {
    struct job job;
    struct store *store;
    char name[64]; /* "trace:card_demo" */
    uint64_t count;
    uint64_t first; /* set by the store; counters start at 1 */
    enum status status;
    void (*done)(struct store_counter *counter, void *arg);
    void *arg;
};
enum status store_counter_take(struct store *store, struct store_counter *counter);

/* Reading. Rows come in an array in the arena of the request. */
enum store_question {
    STORE_ONE_PAYMENT = 1,    /* payment, merchant (0: any) -> payments[0] */
    STORE_PAYMENTS,           /* merchant (0: any), filters, after (cursor), limit: newest first */
                              /* Of one merchant, this and EVENTS look at STORE_LOOK_MAX rows and at
                                 those that have no index yet (few); a page may then be short, even
                                 empty, with `more`. Go on with after = through. */
    STORE_OPERATIONS,         /* payment, merchant; kind 0: all; oldest first */
    STORE_ATTEMPTS,           /* payment; oldest first */
    STORE_ATTEMPTS_OPEN,      /* after, limit: oldest first, all merchants */
    STORE_ATTEMPTS_UNSETTLED, /* open, parked or in conflict, without those that reverse or inquire
                                 another one: states, after, limit; oldest first, all merchants */
    STORE_ONE_ATTEMPT,        /* attempt, merchant (0: any) -> attempts[0] */
    STORE_EVENTS_OF_PAYMENT,  /* payment, merchant, after (seq), limit: oldest first */
    STORE_EVENTS,             /* merchant (0: any), after (seq), limit: oldest first */
    STORE_KEYS,               /* merchant (0: any) */
    STORE_KEY_BY_HASH,        /* key_hash */
    /* held_kind (0: any), held_until_us (0: any; else those with until_us up to it), payment (0:
     * all), merchant (0: any), after (payment id), limit: oldest payment first -> held, payments */
    STORE_HELD,
    STORE_PROFILES,   /* region (empty: all; case is ignored), after (seq below; 0: newest), limit:
                         newest first */
    STORE_ENDPOINTS,  /* endpoint (0: all), merchant (0: any), after (id), limit: oldest first */
    STORE_DELIVERIES, /* endpoint: newest first; whose it is was asked before */
    STORE_EVENT,      /* after (seq: exactly this one), merchant (0: any) -> events[0] */
    STORE_JOURNAL_ENDS,     /* -> journal_seq, journal_indexed */
    STORE_RECONCILIATIONS,  /* reconciliation (0: all), file_hash (empty: any), after (id below; 0:
                               newest first), limit; in any state */
    STORE_DIFFERENCES,      /* of those that are FINISHED: reconciliation (0: all), difference (0:
                               all), open_only, after (id), limit: oldest first */
    STORE_DIFFERENCES_OPEN, /* after (id) -> open_count, open_since_us of the next STORE_LOOK_MAX at
                               most; `more`: go on with after = through, and add up */
    STORE_ATTEMPTS_OF_CHANNEL, /* channel, after (id), before_us (begun before that, whatever their
                                  ids; 0: any), limit: in the order of ids -> channel_attempts.
                                  Looks at STORE_LOOK_MAX attempts; a page may be short, even empty,
                                  with `more`. Go on with after = through. */
    STORE_ATTEMPTS_CARRIED,    /* those of a channel that are carried over: the same, but until (id
                                  below) in place of before_us */
    STORE_SPENT, /* spends[0..spend_count) of the request are filled, `write` is not looked at;
                    spend_now_us. IO for spends that are none */
};
struct key_row {
    int64_t id, merchant;
    uint8_t hash[32];               /* keyed hash of the secret */
    bool live;                      /* rg_live_... ; else rg_test_... */
    uint32_t scopes;                /* bit set, api/ */
    uint32_t rate_per_s;            /* 0: default */
    int64_t created_us, revoked_us; /* 0: not revoked */
    struct view name;
};
struct store_read {
    struct job job;
    struct store *store;
    enum store_question question;
    struct arena *arena;
    int64_t merchant, payment;
    int64_t after;  /* cursor: payments: rows with a smaller id; events: seq greater; open
                       attempts: id greater. 0: from the start */
    uint32_t limit; /* 1..STORE_PAGE_MAX; 0: STORE_PAGE_MAX */
    enum payment_status status; /* filter; 0: any */
    enum operation kind;        /* filter; 0: any */
    int64_t attempt;
    uint32_t states;       /* filter of attempts, a bit 1 << state for each; 0: any */
    struct view reference; /* filter; empty: any */
    uint8_t key_hash[32];
    enum held_kind held_kind;
    int64_t held_until_us;
    struct view region;
    int64_t endpoint;
    int64_t reconciliation, difference, until, before_us;
    bool open_only;
    struct view file_hash, channel;
    struct view event_kind; /* EVENTS of a merchant: filter; "payment.*" is a pattern; empty: any */
    bool indexed_only;      /* EVENTS of a merchant: not those after journal_indexed */
    struct store_spend *spends;
    size_t spend_count;
    int64_t spend_now_us;
    void (*done)(struct store_read *read, void *arg);
    void *arg;
    /* Set by the store. */
    enum status result; /* OK, NOT_FOUND (ONE_PAYMENT, ONE_ATTEMPT, KEY_BY_HASH, or the payment is
                           not this merchant's), IO */
    size_t count;
    bool more;
    int64_t through; /* PAYMENTS, EVENTS, DIFFERENCES_OPEN, ATTEMPTS_OF_CHANNEL, PROFILES, and the
                        operations, attempts and events of a payment: the next `after`. Up to here
                        nothing else fits. It may be a row that does not, or one of another
                        merchant's events */
    size_t looked; /* by all but the last: rows (payments that have no index yet are not counted) */
    struct payment_row *payments;
    struct operation_row *operations;
    struct attempt_row *attempts;
    struct event_row *events;
    struct key_row *keys;
    struct held_row *held; /* with `payments` of the same index */
    struct profile_row *profiles;
    struct endpoint_row *endpoints;
    struct delivery_row *deliveries;
    struct channel_attempt_row *channel_attempts;
    struct reconciliation_row *reconciliations;
    struct difference_row *differences;
    int64_t open_count, open_since_us; /* since_us: of the oldest; 0: none is open */
    int64_t journal_seq;               /* last position; also by EVENTS of a merchant, as is */
    int64_t journal_indexed; /* up to here the events of one merchant are found by an index */
};
enum status store_ask(struct store *store, struct store_read *read);

struct store_key_change {
    struct job job;
    struct store *store;
    struct key_row row; /* insert; or with revoke: id and revoked_us */
    bool revoke;
    enum status result; /* OK, EXISTS, NOT_FOUND, IO */
    void (*done)(struct store_key_change *change, void *arg);
    void *arg;
};
enum status store_key_put(struct store *store, struct store_key_change *change);

#endif
