/* outbox_int.h - what the room's files share.
 *
 *     outbox.c      opening, reading endpoints, closing, figures
 *     targets.c     the endpoints in memory, found by id and by merchant
 *     tail.c        reads the journal as it grows: which endpoint has something to deliver now?
 *     schedule.c    who is next: two lanes, so that slow receivers cannot hold others up
 *     deliver.c     one delivery: read the event, send it, record what became of it
 *     message.c     body and signature
 *
 * Memory: a target for each endpoint, and a work for each delivery under way. Nothing for an event:
 * of what waits only the journal knows; a target keeps how far it was looked through (scan_from)
 * and how far looking makes sense (pending_to).
 */
#ifndef OUTBOX_INT_H
#define OUTBOX_INT_H

#include "outbox/outbox.h"

#include "base/ensure.h"
#include "base/list.h"
#include "domain/webhook.h"

#define OUTBOX_MAGIC     0x4f555442u
#define TARGET_MAGIC     0x54415247u
#define WORK_MAGIC       0x574f524bu
#define WORK_ARENA_BYTES ((size_t)2 * 1024 * 1024)
#define PAGE_EVENTS      32
#define ANSWER_BYTES_MAX 4096
#define NAME_SERVERS_MAX 256 /* bytes: four of at most 47, and what stands between */
#define SLOW_US          (2 * LOOP_US_PER_S)    /* slower receivers go to the other lane */
#define TROUBLE_US       (500 * LOOP_US_PER_MS) /* the store is busy or broken: try again */
#define TROUBLE_DOUBLES  4 /* that pause, so often at most while it stays so: 8 s */
#define LOOK_EVERY_US    (1 * LOOP_US_PER_S) /* for what other processes wrote to the journal */
#define LINGER_TIMES     8    /* deliveries that linger, in times of webhooks.connections */
#define PROGRESS_EVENTS  1000 /* skipped ones after which an idle cursor is moved on disk */

#define KIND_TEST     "webhook_endpoint.test"
#define KIND_RESEND   "webhook_endpoint.resend"
#define KIND_DISABLED "webhook_endpoint.disabled"

enum target_state {
    TARGET_IDLE = 1, /* nothing to deliver, as far as we know */
    TARGET_READY,    /* in a lane */
    TARGET_WORKING,  /* has a work */
    TARGET_WAITING,  /* timer: after a failure; none: until its row was read again */
    TARGET_OFF,      /* disabled */
};

/* What became of a try. It is the target's until it is on disk: what a receiver has answered, it is
 * not asked again because we cannot write. */
struct try_result {
    int64_t event;    /* journal position of what was sent; 0: nothing was */
    int64_t position; /* the cursor after success */
    int64_t at_us, latency_us;
    int64_t retry_after_us; /* the receiver asked for that pause; 0: did not */
    int http_status;
    const char *result;
    bool delivered;
    uint32_t jitter; /* 0..65535 */
};

struct target {
    uint32_t magic;
    enum target_state state;
    struct outbox *outbox;
    struct list link;                             /* lane */
    struct target *next_of_id, *next_of_merchant; /* chains of targets.c */
    struct timer timer;
    struct endpoint_row row; /* texts in `text` */
    uint8_t *text;
    int64_t scan_from;            /* events up to here were delivered or are not for it */
    int64_t pending_to;           /* the last that may be for it; nothing waits when <= scan_from */
    int64_t pending_since_us;     /* wall clock of the oldest that waits, about; 0: none */
    uint32_t skipped;             /* events of the merchant since the cursor was last written */
    bool slow;                    /* failed or took long last time */
    bool progress;                /* idle, but its cursor is to be written */
    struct try_result unrecorded; /* to be committed before anything else; event 0: there is none */
    uint32_t troubles;            /* of the store, in a row */
    bool stale, gone; /* the row changed, is deleted: look when the work or the pause is over */
};

struct work {
    uint32_t magic;
    struct list link;
    struct outbox *outbox;
    struct target *target;
    bool slow;    /* counts in the slow lane */
    bool lingers; /* takes so long that it gave its place to others */
    struct timer linger;
    bool lent; /* read or txn is with the store */
    struct arena arena;
    struct store_read read, again; /* page; the event of a resend */
    size_t at;                     /* row of the page */
    int64_t asked_to;              /* pending_to when the page was asked for */
    const struct event_row *event; /* what is sent */
    struct try_result outcome;
    struct http_client *client;
    struct http_call *call;
    struct task answered;
    int64_t started_us;
    struct store_txn txn;
};

struct outbox {
    uint32_t magic;
    struct outbox_options o;
    struct tls_context *tls; /* NULL: no TLS on this wire */
    char name_servers[NAME_SERVERS_MAX];
    struct secret_key *seal;
    bool started, stopping, abandoned;
    /* targets.c */
    struct target **by_id, **by_merchant;
    size_t buckets, target_count;
    /* tail.c */
    struct store_watch watch;
    struct store_read tail_read;
    struct arena tail_arena;
    bool tail_reading, tail_again;
    int64_t tail;             /* the journal was looked through up to here */
    int64_t indexed_at_start; /* journal_indexed when we began */
    struct timer look;
    /* schedule.c */
    struct list quick, slow; /* lanes: struct target */
    struct list works;
    size_t work_count, slow_work_count, lingering;
    struct task pick;
    /* outbox.c: rows that are read (again) */
    struct list rows;
    struct rows *all; /* until the start: what reads all of them */
    bool ends_known;  /* tail is that of the journal */
    bool missed;      /* see outbox_read_missed */
    struct outbox_stats stats;
};

/* outbox.c */
/* Reads the row anew and applies it, as soon as the store and memory let it; until then nothing
 * goes out by the old one. */
void outbox_read_row(struct outbox *outbox, int64_t id);
/* All rows, when one has changed of which no target tells, and there was no memory to read it. */
void outbox_read_missed(struct outbox *outbox);

/* targets.c */
struct target *target_find(const struct outbox *outbox, int64_t id);
/* First of a merchant; go on with next_of_merchant, and look at row.merchant. */
struct target *target_of_merchant(const struct outbox *outbox, int64_t merchant);
/* FULL, NO_MEMORY. */
enum status target_add(struct outbox *outbox, const struct endpoint_row *row, struct target **out);
/* Its texts and settings; progress too. NO_MEMORY: it stays as it was. */
enum status target_set(struct target *target, const struct endpoint_row *row);
/* Takes it out and frees it. It has no work. */
void target_remove(struct target *target);
/* All of them, for closing and figures: false at the end. */
bool target_next(const struct outbox *outbox, size_t *bucket, struct target **at);

/* tail.c */
void tail_start(struct outbox *outbox);
void tail_stop(struct outbox *outbox);
void tail_look(struct outbox *outbox);

/* schedule.c */
void schedule_init(struct outbox *outbox);
static inline bool target_pending(const struct target *target)
{
    return target->pending_to > target->scan_from;
}
/* Something may wait for it up to `seq`. */
void target_wake(struct target *target, int64_t seq, int64_t event_us);
/* By its row: off, waiting for the next try, ready or idle. Not while it is working. */
void target_settle(struct target *target);
void target_wait(struct target *target, int64_t delay_us);
/* Whether somebody else wants the place of this work. */
bool schedule_wanted(const struct outbox *outbox);
/* The work is over; frees it and settles its target. */
void work_release(struct work *work);
void work_free(struct work *work);

/* deliver.c */
void work_begin(struct work *work);

#endif
