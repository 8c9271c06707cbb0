/* store_int.h - the seam between the store and its back end, and what the room's files share.
 *
 *     store.c, txn.c, upkeep.c    what a store is: batches, judges, repeats, housekeeping. No SQL.
 *     spends.c                    what a request spends of counters, and giving it back
 *     recent.c                    the memory index of idempotency keys
 *     sqlite_*.c                  the back end: everything below named db_. The only SQL.
 *
 * A second back end implements the db_ functions; the functions then become a table of pointers.
 * All of them run on the store's worker (or before it starts, or after it ended).
 *
 * Statuses of the db_ functions:
 *     OK
 *     NOT_FOUND  no such row
 *     EXISTS     that id or hash is taken                       } the request's own fault:
 *     MALFORMED  a value that the table refuses                 } the others of its batch go on
 *     RANGE      the request's arena is full                    }
 *     IO         everything else: disk, lock, memory, a broken file. The transaction may be gone
 *                already; nothing more may be done in it but db_rollback.
 */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "base/ensure.h"
#include "store/store.h"

#include <stdatomic.h>

/* --- the back end ------------------------------------------------------------------------- */

struct db;

/* What a store must know before it can append. */
struct db_marks {
    int64_t journal_seq;      /* last position used */
    int64_t idem_seq;         /* last one used, also when its row was purged */
    int64_t keys_indexed;     /* idempotency rows up to here are in their lasting index, */
    int64_t payments_indexed; /* payments up to this id, */
    int64_t events_indexed;   /* and events up to here */
};

enum { DB_HASH_KEY_BYTES = 16 };

/* Opens or creates and brings the schema up to date. vfs: NULL or SQLite's name of a file layer.
 * hash_key is kept if the database is new.
 * DENIED: not ours, or of a newer version. `why` gets a sentence. */
enum status db_open(struct db **out, const char *path, const char *vfs, bool read_only,
                    const uint8_t hash_key[DB_HASH_KEY_BYTES], struct writer *why);
void db_close(struct db *db);
/* What went wrong last; valid until the next call. */
struct view db_why(const struct db *db);

/* Waits for another process that is writing, up to half a minute. */
enum status db_begin(struct db *db);
enum status db_begin_read(struct db *db);
/* OK: on disk. Else nothing of it is visible; db_rollback must follow. */
enum status db_commit(struct db *db);
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);
/* Within a transaction: what follows can be taken back by itself. */
enum status db_savepoint(struct db *db);
enum status db_savepoint_keep(struct db *db);
enum status db_savepoint_undo(struct db *db);
/* A commit failed while flushing: its bytes may lie in the log and would count after a crash.
 * Writes over them with a commit of its own. OK: the failed one is gone for good. */
enum status db_settle_doubt(struct db *db);
/* Has another connection committed since the last call? Only inside a transaction. */
enum status db_changed_elsewhere(struct db *db, bool *changed);
/* Moves the write-ahead log into the database when it holds at least `pages`. */
void db_checkpoint(struct db *db, int pages);

enum status db_marks_read(struct db *db, struct db_marks *out);
void db_hash_key(const struct db *db, uint64_t out[2]);
enum status db_last_id(struct db *db, int64_t *out);
/* MALFORMED when the last positions of the journal have a gap that no restored backup explains. */
enum status db_journal_check(struct db *db);

/* Rows. load: merchant 0 is any; texts are copied into the arena. write: KEEP does nothing. Updates
 * leave id, merchant, payment, created_us and a payment's reference as they are. */
enum status db_payment_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                            struct payment_row *out);
enum status db_operation_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                              struct operation_row *out);
enum status db_attempt_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                            struct attempt_row *out);
/* An update touches the column `spends` only when with_spends is set. */
enum status db_payment_write(struct db *db, enum store_write write, bool with_spends,
                             const struct payment_row *row);
enum status db_operation_write(struct db *db, enum store_write write,
                               const struct operation_row *row);
enum status db_attempt_write(struct db *db, enum store_write write, const struct attempt_row *row);
enum status db_held_load(struct db *db, int64_t payment, int64_t merchant, struct arena *arena,
                         struct held_row *out);
enum status db_held_write(struct db *db, enum store_write write, const struct held_row *row);
/* Sets row->seq. */
enum status db_profile_insert(struct db *db, struct profile_row *row);
enum status db_endpoint_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                             struct endpoint_row *out);
enum status db_endpoint_count(struct db *db, int64_t merchant, int64_t *out);
enum status db_endpoint_write(struct db *db, enum store_write write,
                              const struct endpoint_row *row);
/* In the place of the one that is STORE_DELIVERIES_KEPT older. */
enum status db_delivery_insert(struct db *db, const struct delivery_row *row);
enum status db_reconciliation_write(struct db *db, enum store_write write,
                                    const struct reconciliation_row *row);
enum status db_carried_write(struct db *db, const struct carried_row *row);
/* Only of a reconciliation that is finished. */
enum status db_difference_load(struct db *db, int64_t id, struct arena *arena,
                               struct difference_row *out);
enum status db_difference_write(struct db *db, enum store_write write,
                                const struct difference_row *row);
enum status db_event_append(struct db *db, const struct event_row *row);
enum status db_counter_take(struct db *db, const char *name, uint64_t count, uint64_t *first);
enum status db_key_insert(struct db *db, const struct key_row *row);
enum status db_key_revoke(struct db *db, int64_t id, int64_t revoked_us);
/* Answers read->question within the transaction that is open. */
enum status db_ask(struct db *db, struct store_read *read);

/* Counters. One spend that was carried out, as the payment's column `spends` keeps it. */
struct spend_mark {
    enum store_spend_kind kind;
    uint8_t key[16];
    int64_t at_us; /* SLIDING: its time; PERIOD: the start; SINCE_RESET: time of the reset before */
    int64_t amount;
};
struct spent {
    int64_t amount, count;
    bool too_many;
    int64_t since_us; /* SINCE_RESET: the last reset; 0: none yet */
};
/* SLIDING: adds up the rows after now_us - window_us. Nothing is a sum of zero. */
enum status db_spent_read(struct db *db, const struct store_spend *spend, int64_t now_us,
                          struct spent *out);
/* Spends, or resets; `mark` is what db_spent_take_back wants (of a RESET there is none). Also
 * deletes some rows of a SLIDING counter that can never count again. */
enum status db_spent_add(struct db *db, const struct store_spend *spend, int64_t payment,
                         int64_t now_us, struct spend_mark *mark);
enum status db_spent_take_back(struct db *db, const struct spend_mark *mark, int64_t payment);
/* Looks at the next `max` rows after *cursor and deletes those of SLIDING and PERIOD that are older
 * than before_us. *end: that was the last one; the cursor stands at the beginning again. A zeroed
 * cursor is the beginning. */
struct spent_cursor {
    uint8_t key[16];
    int64_t kind, at_us, payment;
};
enum { SPENT_WALK_MAX = 512 };
enum status db_spent_purge(struct db *db, struct spent_cursor *cursor, int64_t before_us,
                           size_t max, bool *end);

/* Idempotency. */
struct idem_row {
    int64_t seq, merchant;
    struct view key; /* not filled in by loads */
    uint8_t mac[32];
    int64_t payment, operation, created_us;
};
/* One number for (merchant, text) under the database's random key. */
uint64_t lookup_hash(const uint64_t hash_key[2], int64_t merchant, struct view text);

enum status db_idem_append(struct db *db, const struct idem_row *row);
/* NOT_FOUND unless row `seq` is this merchant's with this key. */
enum status db_idem_match(struct db *db, int64_t seq, int64_t merchant, struct view key,
                          struct idem_row *out);
/* The same through the lasting index. */
enum status db_idem_lookup(struct db *db, uint64_t hash, int64_t merchant, struct view key,
                           struct idem_row *out);
/* The first answer stands; a second one for the same row changes nothing. */
enum status db_answer_append(struct db *db, int64_t seq, uint32_t status, struct view body);
/* status 0: none yet. */
enum status db_answer_load(struct db *db, int64_t seq, struct arena *arena, uint32_t *status,
                           struct view *body);
/* The indexes that are built behind the commit. Their entries are (value, row). */
enum db_lookup {
    DB_LOOKUP_KEYS = 1,   /* hash of merchant and key -> idem seq */
    DB_LOOKUP_PAYMENTS,   /* merchant -> payment id */
    DB_LOOKUP_REFERENCES, /* hash of merchant and reference -> payment id; marked with PAYMENTS */
    DB_LOOKUP_EVENTS,     /* merchant -> journal seq */
};
struct lookup_entry {
    int64_t value;
    int64_t row;
};
/* Entries of the rows after `after`, oldest first, looking at no more than `max` rows; *through is
 * the last row looked at, or `after`. Rows that need no entry are looked at only. */
enum status db_lookup_after(struct db *db, enum db_lookup lookup, int64_t after,
                            struct lookup_entry *out, size_t max, size_t *count, int64_t *through);
/* Adds entries, best sorted by value, so that each page is visited once. */
enum status db_lookup_add(struct db *db, enum db_lookup lookup, const struct lookup_entry *entries,
                          size_t count);
/* The index reaches up to and including row `through`: in the transaction that made it so. */
enum status db_lookup_mark(struct db *db, enum db_lookup lookup, int64_t through);
enum status db_payments_waiting(struct db *db, int64_t after, int64_t *count);
/* Deletes at most `max` of the oldest rows older than before_us and not after `through`, with their
 * answers and index entries. */
enum status db_idem_purge(struct db *db, int64_t before_us, int64_t through, size_t max,
                          size_t *deleted);

/* --- recent.c: the bounded memory index ---------------------------------------------------- */

struct recent;
struct recent *recent_open(uint32_t entries_max); /* NULL when memory is out */
void recent_close(struct recent *recent);
uint32_t recent_count(const struct recent *recent);
uint32_t recent_room(const struct recent *recent);
void recent_clear(struct recent *recent);
/* seq grows from call to call; there must be room. */
void recent_add(struct recent *recent, uint64_t hash, int64_t seq);
/* Walks the rows with this hash: *position 0 at the start; false at the end. */
bool recent_find(const struct recent *recent, uint64_t hash, uint32_t *position, int64_t *seq);
/* Forgets rows up to and including seq (they are in the lasting index). */
void recent_drop_through(struct recent *recent, int64_t seq);
/* Forgets rows after seq (they were rolled back). */
void recent_undo_after(struct recent *recent, int64_t seq);

/* --- the store itself ---------------------------------------------------------------------- */

/* What a judge or a load may have changed in a request, to be put back before a second call. */
struct txn_copy {
    struct payment_row payment;
    struct operation_row operation, first;
    struct attempt_row attempt, parent;
    struct held_row held;
    struct profile_row profile;
    struct endpoint_row endpoint;
    struct delivery_row delivery;
    struct reconciliation_row reconciliation;
    struct difference_row difference;
    enum store_write write_payment, write_operation, write_attempt, write_parent, write_first,
        write_held, write_profile, write_endpoint, write_delivery, write_reconciliation,
        write_difference;
    struct store_spend spends[STORE_SPENDS_MAX];
    size_t spend_count;
    bool spends_release;
    struct event_row events[STORE_EVENTS_MAX];
    size_t event_count;
    uint32_t answer_status;
    struct view answer_body;
};

#define STORE_MAGIC UINT32_C(0x53746F72)

struct store {
    uint32_t magic;
    struct loop *loop;
    const struct log *log;
    struct db *db;
    struct worker *worker;
    struct store_watch *watches; /* the loop's */
    struct recent *recent;
    bool read_only;
    bool in_doubt; /* a commit failed; its bytes may be in the log */
    bool stale;    /* marks and memory index must be read again before the next write */
    size_t batch_max;
    int64_t idem_keep_us;
    int64_t last_id;
    uint64_t hash_key[2];
    struct db_marks marks;            /* as of the transaction that is open */
    int64_t payments_waiting;         /* payments after marks.payments_indexed, about */
    int64_t purge_look_us;            /* wall clock of the next look for rows to purge */
    int64_t spent_look_us;            /* the same for rows of counters, */
    struct spent_cursor spent_cursor; /* and how far that has come */
    /* Monotonic: until then small amounts are left alone. */
    int64_t keys_again_us, payments_again_us, events_again_us;
    struct txn_copy *copies;      /* batch_max of them */
    size_t copied;                /* of them valid: requests that the plain pass came to */
    struct lookup_entry *sorting; /* room for one indexing step */
    char why[200];                /* of the request that broke last, not the back end's */
    /* Written on the worker, read by the loop. */
    _Atomic uint64_t commits, requests, batch_largest, failed, flush_us_total, looked, looked_most;
};

/* txn.c. OK: txn->result is set. IO: the back end is in trouble. Else: this request broke; what it
 * wrote (*wrote) must be taken back, store->why or db_why tells. */
enum status txn_run(struct store *store, struct store_txn *txn, bool *wrote);
void txn_copy_save(struct txn_copy *copy, const struct store_txn *txn);
void txn_copy_restore(const struct txn_copy *copy, struct store_txn *txn);

/* spends.c. All on the worker, inside the commit. */
/* What the payment of a request had spent before: its column as it was loaded. The judge cannot
 * change it. */
struct spends_before {
    bool loaded;
    int64_t payment;
    struct view marks;
};
/* The request's own mistake, as a sentence; NULL: none. */
const char *spends_wrong(const struct store_spend *spends, size_t count, int64_t now_us);
/* Sets spent, count, too_many of each, without what `before` holds. Call spends_wrong first. */
enum status spends_fill(struct db *db, struct store_spend *spends, size_t count, int64_t now_us,
                        const struct spends_before *before);
/* Gives back and carries out what the judge marked, and sets txn->payment.spends; *changed: the
 * column must be written. RANGE: the arena is full. */
enum status spends_settle(struct db *db, struct store_txn *txn, const struct spends_before *before,
                          bool *changed);
/* Whether spends_settle would write; then the payment's row must be written as well. */
bool spends_any(const struct store_txn *txn, const struct spends_before *before);

/* upkeep.c */
enum { UPKEEP_STEP = 4096 }; /* rows indexed in one transaction */
/* Rows behind the lasting indexes: a list may have to look at each of them, so when there are more
 * an index step comes before the next batch. */
enum {
    PAYMENTS_WAITING_MAX = 2048,
    EVENTS_WAITING_MAX = 8192,
    LOOK_UNINDEXED_MAX = 2 * EVENTS_WAITING_MAX, /* events; a batch comes on top */
};
/* Begins a write transaction with marks and memory index that are true in it. */
enum status upkeep_begin(struct store *store);
/* Enters all events into the index of merchants' events, in the open transaction. */
enum status upkeep_index_events(struct store *store);
/* Makes room in the memory index for `count` keys; no transaction may be open. */
enum status upkeep_make_room(struct store *store, size_t count);
/* One step of housekeeping; true when there is more. */
bool upkeep_step(struct store *store);

#endif
