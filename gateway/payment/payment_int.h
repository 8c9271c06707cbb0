/* payment_int.h - the work: one request on its way, and the change it wants committed.
 *
 * A work holds at most one exchange and one commit at a time. What the judge (store's thread) reads
 * is copied into `struct change` before the commit is submitted and not touched until it is done.
 */
#ifndef PAYMENT_INT_H
#define PAYMENT_INT_H

#include "payment/payment.h"
#include "payment/problem.h"
#include "payment/render.h"

#include "base/list.h"
#include "base/map.h"
#include "channel/follow.h"
#include "flow/flow.h"
#include "payment/authenticate.h"

#define WORK_MAGIC         0x574f524bu
#define PAYMENTS_MAGIC     0x5041594du
#define TXN_ARENA_MAX      ((size_t)256 * 1024)
#define REQUEST_ARENA_MAX  ((size_t)512 * 1024)
#define CHANNELS_TRIED_MAX 8
#define IDEM_ID_LEN        32

/* What a commit is to do; each has its judge in judge.c. */
enum change_kind {
    CHANGE_CREATE = 1,  /* payment, first operation, its attempt in SENDING */
    CHANGE_DENY,        /* payment that ends here: denied, or no channel could take it */
    CHANGE_BEGIN,       /* capture, cancel, refund: sums are spent, its attempt in SENDING */
    CHANGE_SETTLE,      /* the subject's outcome is known */
    CHANGE_ELSEWHERE,   /* not sent; an attempt on the next channel */
    CHANGE_UNKNOWN,     /* outcome unknown for now; nothing new is sent by this commit */
    CHANGE_REMEDY,      /* an attempt that reverses or inquires the subject */
    CHANGE_RETRY,       /* the same message goes out once more */
    CHANGE_UNDONE,      /* the reversal was accepted */
    CHANGE_FOUND,       /* the inquiry says what became of the subject */
    CHANGE_PARK,        /* a person decides */
    CHANGE_CONFLICT,    /* the answer contradicts the command */
    CHANGE_CLOSE,       /* the remedy is over; what it is about stays as it is */
    CHANGE_RESUME,      /* a held payment goes ahead: its attempt in SENDING */
    CHANGE_FORGO,       /* a held payment fails: nothing was sent */
    CHANGE_REHOLD,      /* approved by an operator, and now waits for the payer */
    CHANGE_WRONG,       /* a wrong result of an authentication is counted */
    CHANGE_CANCEL_HELD, /* the merchant cancels a held payment */
    CHANGE_NOTHING,     /* refused, unless the key was answered before; the key stays free */
};

/* One try to do something on a channel, as the work drives it. */
struct
try {
    int64_t attempt; /* id; 0: none */
    enum operation verb;
    struct channel *channel;
    int64_t amount, original;
    uint32_t trace, tries;
    int64_t time_us;
    int64_t since_us; /* monotonic: the same moment, for ages (try_age_us) */
    uint8_t random[16];
    enum attempt_state found; /* recovered: as it was on disk; else 0 */
    struct view refs;         /* plain refs.h set of what it sent (and got); keep arena */
};

/* What a decision leaves behind for the commit. Copies throughout: the policy may be swapped before
 * the commit is done. */
struct ruling {
    enum verdict verdict; /* without the sums of other payments */
    bool challenged; /* a reason asks for authentication (a stricter one may stand beside it) */
    struct view request_json;      /* members that the request gave, masked as the profile says */
    struct view region;            /* name of the profile */
    struct view head, tail;        /* members of "decision" before and after its reasons */
    struct view reasons;           /* objects with commas between; may be empty */
    struct view decision_json;     /* "decision":{...} as it is when no sum fires */
    struct view reason;            /* the strictest reason's sentence */
    struct view reports;           /* objects of compliance events, commas between; may be empty */
    struct view screening, shadow; /* members of events that only operators see; may be empty */
    struct reservation *reservations;
    size_t reservation_count;
    int64_t authenticate_for_us, review_for_us, wrong_max;
    struct view methods; /* of authentication that are configured: "code assertion" */
    struct view held;    /* sealed: what going on later needs; empty: it cannot be held */
};

struct hold; /* hold_int.h */

struct change {
    enum change_kind kind;
    int64_t now_us;
    struct try try;      /* the attempt this change is about */
    int64_t begun_minor; /* what flow_begin took for the operation */
    enum outcome outcome;
    int64_t approved_minor;
    struct view sealed_refs;  /* what the attempt row gets */
    struct view payment_refs; /* sealed for the payment row; empty: keep */
    struct view public_refs;  /* members for the event: what may be shown */
    struct view outcome_json; /* members */
    struct view channel;      /* name */
    struct view operation_json;
    struct view created_json; /* members for "payment.created": decision and route */
    struct view reason;       /* why this follows */
    struct view rail_code;
    int64_t latency_us;
    int64_t next_us;            /* wall clock of the next try; PENDING: when what is shown to a
                                   person expires; 0: none planned */
    bool requires_action;       /* PENDING: a person must act */
    bool expired;               /* UNDONE: because nobody acted in time */
    bool subject_pending;       /* CLOSE: the inquiry says that the subject was accepted */
    struct view subject_refs;   /* FOUND: sealed for the subject's row; empty: keep */
    struct view canceled_json;  /* CANCEL: outcome of the payment whose first operation it ended */
    enum flow_refusal refusal;  /* CHANGE_BEGIN: refused before anything was encoded; 0: not */
    enum problem problem;       /* the same, for what the channel could not encode; 0: not */
    struct view problem_detail; /* CHANGE_NOTHING as well */
    bool currency_mismatch;
    bool contradicted; /* late answer: its amount or currency is not what was asked for */
    bool want_answer;

    /* Decision, held payments. */
    const struct ruling *ruling; /* CREATE, DENY */
    struct view request_json;    /* members of the payment's facts that the request gave */
    enum held_kind held_kind;    /* of the row as it was read */
    int64_t until_us;            /* REHOLD */
    enum problem answer_problem; /* FORGO, WRONG: the answer instead of the payment; 0: none */
    struct view told_json;       /* members of the event that says who and why */

    /* Notices. */
    enum notice_about heard_about;
    int64_t heard_amount;        /* -1: not said */
    uint32_t heard_currency;     /* ISO 4217 number; 0: not said */
    struct view heard_reference; /* the channel's own */
    struct view conflict_json;   /* outcome members, should it be a conflict */
    struct view noted_kind;      /* event that is only noted */
    int64_t new_operation;       /* RETURN: id of the refund that it becomes */
};

enum work_step {
    WORK_LOOKUP = 1,
    WORK_LOAD,
    WORK_RECORD,
    WORK_EXCHANGE,
    WORK_SETTLE,
    WORK_WAIT,
    WORK_DONE,
};

struct work {
    uint32_t magic;
    enum work_step step;
    struct list link;
    struct payments *room;
    struct payment_request *request; /* until its card data was used; NULL for recovered works */
    struct arena keep;               /* small things that live as long as the work */

    /* Who waits. */
    payment_answer_fn *answer; /* NULL: already answered, or nobody ever waited */
    void *answer_arg;
    int64_t asked_us; /* monotonic */
    int64_t wait_us;
    struct timer wait;
    bool answering;     /* an answer-only commit is on its way */
    bool key_in_flight; /* our entry in payments.in_flight */
    uint8_t idem_id[IDEM_ID_LEN];
    struct view idem_key; /* keep arena */
    uint8_t idem_mac[32];

    int64_t merchant, payment, operation;
    enum operation kind; /* of the operation */
    const struct currency *currency;
    struct ruling *ruling;    /* keep arena; NULL: not decided by this work */
    bool confirming;          /* the request is a confirmation; `kind` is the first operation's */
    struct held_row held;     /* its row, as it was read; views in the keep arena */
    int64_t wrong_max;        /* results that may be wrong; of the decision */
    struct hold *hold;        /* what was sealed in it; keep arena; NULL: nothing */
    review_done_fn *reviewed; /* who gave the operator's word and waits; NULL: nobody */
    void *reviewed_arg;
    enum review_word review_word;
    struct view told_json;    /* members: who and why */
    struct view details;      /* request arena; gone when request is */
    struct view payment_refs; /* plain; of the payment's first operation; keep arena */
    struct view region;

    struct try subject;    /* the attempt that moves money */
    struct try remedy;     /* the attempt that reverses or inquires it */
    bool on_remedy;        /* which of the two is being driven */
    bool recovered;        /* taken up at start: earlier tries may have left bytes */
    bool orphan;           /* recovered: a remedy whose subject was settled by a notice */
    bool pending;          /* the subject was accepted; its final word comes later */
    bool known_to_notices; /* in payments.by_attempt */
    bool known_as_first;   /* in payments.first_of */
    int64_t expires_us;    /* wall clock: until when a person may act; 0: no end */
    int64_t hinted_us;     /* monotonic: when a hint last made us ask */
    int64_t started_us;    /* monotonic: when the exchange was started last; only while one runs */
    struct channel *candidates[CHANNELS_TRIED_MAX];
    struct view candidate_why[CHANNELS_TRIED_MAX];
    size_t candidate_count, candidate_next;

    struct exchange *exchange;
    struct timer later;
    struct store_read read;
    struct store_txn txn;
    struct arena txn_arena;
    struct arena again_arena; /* rows, when a commit that failed is tried again, or for a resume */
    struct change change;
    bool cut_short;     /* memory was out while `change` was written: it must not be recorded */
    bool sent_step_due; /* the step "after_send" was not told yet */
    bool committing;
    bool commit_waits; /* a commit failed, and is tried again later */
    void (*after_commit)(struct work *work);
};

struct payments {
    uint32_t magic;
    struct payments_options o;
    struct list works;
    size_t work_count, waiting;
    struct map *in_flight;  /* idem_id -> work that owns the key's first request */
    struct map *by_attempt; /* subject's attempt id -> work, from before its bytes leave */
    struct map *first_of;   /* payment id -> work of its first operation, while that is pending */
    struct id_source ids;
    struct secret_key *seal, *idem;
    const struct policy *policy;
    uint64_t counter_keys[4]; /* of siphash: 16 bytes of a counter's key */
    struct map *kept;         /* payment id -> request of a held card payment; only in memory */
    size_t held_count; /* about; while it is not zero, the clock looks for those that are over */
    struct timer hold_look;
    struct store_read hold_read;
    struct arena hold_arena;
    int64_t hold_after; /* the next look goes on behind this payment; 0: from the start */
    bool hold_reading;
    bool ready;
    bool stopping; /* no step goes on; commits in flight are waited for */
    struct list answerings, lates, heards, resolvings; /* commits beside the works' own */
    struct watch *watch;
    struct payments_stats stats;
    struct task scrub; /* wipes the stack once at the end of a turn that encoded card data */
    /* recovery */
    uint32_t probed; /* payments that were looked at for something sealed */
    struct store_read read;
    struct arena read_arena;
    struct timer recover; /* goes on when the store has room again */
    void (*recovered)(void *arg, enum status status);
    void *recovered_arg;
};

/* Named steps, for tests:
 *     before_record after_record after_send after_exchange before_settle after_settle
 *     reversal_recorded reversal_sent before_resolve after_resolve notice_heard */
static inline void step_at(const struct payments *room, const char *name)
{
    if (room->o.step != NULL)
        room->o.step(room->o.step_arg, name);
}

/* --- judge.c: pure, on the store's thread -------------------------------------------------- */
store_judge_fn judge_change;
/* Renders the payment (or refund) as it is now and keeps it as the answer for the key. */
store_judge_fn judge_answer;
/* An answer that came late; a notice about an attempt; one that is only written down. arg is a
 * struct change. */
store_judge_fn judge_late, judge_notice, judge_noted;

/* What a judge says beside its verdict (store_txn.said). */
enum judge_said {
    JUDGE_OVERTAKEN = 1, /* the subject's outcome was known already; nothing must be sent */
    JUDGE_CONTRADICTED,  /* ... and what the work has heard contradicts it */
    JUDGE_SETTLED,       /* this notice settled the attempt */
    JUDGE_CONFLICT,      /* ... contradicts what is known */
    JUDGE_REPEATED,      /* ... says what is known */
    JUDGE_PAID_AGAIN,    /* ... tells of money beyond what was asked for */
    JUDGE_OTHER_AMOUNT,  /* ... of an amount that nobody asked for; the attempt stays open */
    JUDGE_COVERED,       /* ... tells of a return that a finished refund has accounted for */
    JUDGE_NOT_OURS,      /* ... names an attempt of another channel */
    JUDGE_HELD,          /* CREATE: nothing is sent before somebody says so */
    JUDGE_DENIED,        /* CREATE: a sum says no */
    JUDGE_TOO_EARLY,     /* money came back of an attempt whose outcome is not known yet */
};

/* --- heard.c: notices ------------------------------------------------------------------------ */
/* The work's subject may be named by notices from now on, and not any more. */
void work_listen(struct work *work);
void work_deafen(struct work *work);
/* The first operation of the payment, if it is pending. */
struct work *work_first_of(struct payments *room, int64_t payment);
void heards_forget(struct payments *room);
void resolvings_forget(struct payments *room); /* resolve.c */

/* --- pending.c: accepted, and the final word comes later -------------------------------------- */
/* The subject is recorded as pending: waits for the final word, asks when it is due. */
void pending_wait(struct work *work);
/* The merchant may cancel it: it is accepted, and nothing is being undone. NULL: no. */
bool pending_may_cancel(const struct work *first);
/* Looks at once: a hint came. */
void pending_look_now(struct work *work);
/* A notice has settled the subject while the work was waiting or exchanging. */
void work_overtaken(struct work *work);
/* A cancel has ended the first operation. */
void pending_canceled(struct work *work);

/* --- outcome.c: members of the answer -------------------------------------------------------- */
/* "outcome":{...},"route":{...} into the arena. why: of the route; may be empty. */
struct view outcome_members(struct arena *arena, const struct exchange_result *result,
                            const char *channel, struct view why);
/* The same and "next_action":{...}: a person must act. payment: its id, for links. expires_us: wall
 * clock; 0: no end. */
struct view action_members(struct arena *arena, const struct exchange_result *result,
                           const char *channel, struct view why, int64_t payment,
                           int64_t expires_us);
/* 13 to 19 digits with a right check digit, and nothing else. */
bool is_card_number(struct view text);
/* A text of the channel's, left out when empty, masked when it is a card number. */
void put_shown(struct json_out *j, const char *name, struct view value);
/* Refs that may be shown, as members: "stan":"...","rrn":"..." */
struct view refs_members(struct arena *arena, struct view plain_refs);
/* Seals what is sensitive; bound to the payment. NO_MEMORY when the arena is used up. */
enum status refs_seal(struct secret_key *key, int64_t payment, struct view plain,
                      struct arena *arena, struct view *out);
enum status refs_unseal(struct secret_key *key, int64_t payment, struct view sealed,
                        struct arena *arena, struct view *out);
/* b's rows after a's. */
struct view refs_join(struct arena *arena, struct view a, struct view b);
/* As it is kept, in the clear: one that reads like a card number may be one, and its keyed digest
 * tells it from others as well. */
struct view reference_to_keep(struct secret_key *key, struct arena *arena, struct view reference);
/* The channel's own reference of what it has approved, kept with the attempt: a further approval
 * under another one is other money. */
#define HEARD_ROW "notice_reference"
void refs_put_heard(struct writer *w, struct view reference);
/* The payment's outcome when a cancel has ended it before anything moved. */
extern const struct exchange_result canceled_result;

/* An answer-only commit, beside whatever the work itself is committing. */
struct answering {
    struct list link;
    struct work *work;
    struct arena arena;
    struct store_txn txn;
};

/* --- work.c: a work's life, commits, answers ---------------------------------------------------
 */
enum work_room { WORK_OF_NEW = 1, WORK_OF_LATER, WORK_RECOVERED };
size_t works_max(const struct payments *room, enum work_room which);
struct work *work_new(struct payments *room, enum work_room which);
/* Ends it: forgets timers, exchange, memory. Must not be committing. */
void work_end(struct work *work);
/* Nothing more to do by itself: answers whoever still waits, then ends it. */
void work_finish(struct work *work);
/* Frees all works without a word. */
void works_forget(struct payments *room);
/* Submits the change that was prepared in work->change and work->txn. */
void work_commit(struct work *work, void (*after)(struct work *work));
/* The same change once more, after a commit that failed. */
void work_commit_again(struct work *work);
/* The disk is full or broken: the same change in a while, until it is recorded. what_follows.c */
void work_commit_later(struct work *work);
/* As at a start, in a while: loads what is recorded and goes on from there; what is not recorded is
 * not known. For a work with an attempt on disk. room.c */
void work_resume_later(struct work *work);
/* Clears change and txn for the next commit. */
void work_begin_change(struct work *work, enum change_kind kind);
void work_answer(struct work *work, int http_status, struct view body, bool replayed);
void work_answer_problem(struct work *work, enum problem problem, struct view detail);
/* Whoever waits gets what is recorded now; the work goes on. */
void work_answer_now(struct work *work);
/* The same if the time to wait is over: it may have ended during a commit that was to bring the
 * answer, and that failed. */
void work_answer_overdue(struct work *work);
/* Card data is not needed any more: wipes the request. */
void work_forget_request(struct work *work);
struct try *work_try(struct work *work);

/* --- decide.c: compliance ----------------------------------------------------------------------
 */
/* Decides work->request and leaves work->ruling. NO_MEMORY. */
enum status decide_request(struct work *work);
/* "decision":{...} with this result and further reasons (objects, commas between). */
struct view ruling_members(struct arena *arena, const struct ruling *ruling, enum verdict verdict,
                           struct view more_reasons);
/* The reservations of work->ruling as spends of the transaction that is being prepared. */
void decide_spends(struct work *work);
/* Those that begin anew once the channel has approved, for the commit that settles. */
void decide_resets_later(struct work *work);
enum status decide_open(struct payments *room);

/* --- judge_hold.c: sums, held payments -----------------------------------------------------------
 */
/* A new payment: sums are looked at; it goes ahead, is held or denied. */
enum status judge_create(struct store_txn *txn, const struct work *work, const struct change *c);
enum status judge_deny(struct store_txn *txn, const struct work *work, const struct change *c);
/* CHANGE_RESUME ... CHANGE_CANCEL_HELD. */
enum status judge_held(struct store_txn *txn, const struct work *work, const struct change *c);

/* --- hold.c, hold_kept.c, hold_overdue.c: held payments
 * ------------------------------------------------------------------------ */
/* Seals what going on later needs into ruling->held. */
enum status hold_seal(struct work *work);
/* Counters that begin anew if the transaction being prepared ends with an approval: of a payer who
 * was authenticated by the method itself. After a restart they are not known any more and go on. */
void hold_resets_later(struct work *work);
/* The payment was recorded as held: card data stays in memory. */
void hold_begun(struct work *work);
/* A confirmation: loads, checks, goes on. */
void step_confirm(struct work *work);
/* Canceling `row`, whose first operation no work drives: it is held, or is refused. */
void step_cancel_held(struct work *work, const struct payment_row *row);
enum status hold_init(struct payments *room);
/* After recovery: those whose time is over fail. */
void hold_start(struct payments *room);
void hold_fini(struct payments *room);
/* "outcome", "route", "next_action" of a payment that is held. */
struct view hold_members(struct arena *arena, enum held_kind kind, struct view methods,
                         int64_t until_us);

/* --- pick.c: routing ----------------------------------------------------------------------------
 */
/* Fills work->candidates (best first). A problem for what no channel could ever carry (nothing is
 * recorded then); `detail` gets the sentence. None without candidates: no channel is ready, and
 * *reason says why. */
enum problem pick_channels(struct work *work, struct view *reason, struct writer *detail);

/* --- payment.c: for hold.c */
void give_up(struct work *work, enum problem problem, struct view detail);
/* Memory that is out comes back, and the same request may be sent again (OVERLOADED); anything else
 * is a mistake of ours (INTERNAL). */
void give_up_for(struct work *work, enum status why);
void refuse_unless_known(struct work *work, enum problem problem, struct view detail);
void refuse_operation(struct work *work, enum flow_refusal refusal, enum problem problem,
                      struct view detail, int64_t asked);
void after_record(struct work *work);

/* --- attempt.c: trying something on a channel --------------------------------------------------
 */
/* Encodes what is to be tried. The try's channel, verb and amounts must be set; id, trace, time and
 * random are drawn unless the try has them (a repeat). On OK work->exchange holds the message and
 * try->refs what it sent. BUSY: no trace number now. */
enum status try_prepare(struct work *work, struct try *try, struct view details, struct view refs,
                        struct writer *why);
/* Puts the try and its refs (sealed) into work->change. */
/* How long ago it was made: by the monotonic clock, so that setting the wall clock makes nothing
 * older or younger. What an earlier process made is as old as the wall clock said when it was taken
 * up, and never younger than nothing. */
int64_t try_age_us(const struct work *work, const struct try *try);
/* How long a person may still act; negative: since when not. Only where expires_us is not 0. */
int64_t left_to_act_us(const struct work *work);
enum status try_to_change(struct work *work, const struct try *try);
/* What the channel said, as parts of the change: outcome members, code, refs joined and sealed. */
enum status result_to_change(struct work *work, const struct try *try,
                             const struct exchange_result *result);
/* Why this channel was picked; empty when it is not known any more. */
struct view route_why(const struct work *work, const struct channel *channel);
/* work->exchange goes out; step_follow gets the result. */
void step_exchange(struct work *work);
/* How long a merchant waits by default for this verb on this channel. */
int64_t channel_wait_us(const struct channel *channel, enum operation verb);

/* --- what_follows.c: what follows an exchange ------------------------------------------- */
void after_exchange(struct work *work, const struct exchange_result *result);
/* Decides and carries out what follows the subject, which is pending. hinted: ask if possible. */
void follow_pending(struct work *work, bool hinted);
/* A cancel has ended the payment: closes its first operation. */
void settle_canceled(struct work *work);
/* Reverses or inquires the subject. */
void remedy_start(struct work *work, enum operation verb, const char *reason);
/* Taken up at start: decides what follows an attempt found open. */
void resume_open(struct work *work);
/* Encodes and sends work_try once more. */
void retry_now(struct work *work);

#endif
