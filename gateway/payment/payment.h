/* payment.h - the story: what a request becomes, step by step, until it is final.
 *
 *     payments_open -> payments_recover -> (payment_request_new, fill, payment_submit)*
 *         -> payments_stop -> payments_close
 *
 * One submitted request becomes one *work*: it is recorded, exchanged, settled and answered, and if
 * the outcome is unknown the work goes on behind the answer (inquire, repeat, reverse, park) until
 * it is known. Recovery at start makes works of everything that was open. The steps stand in
 * payment.c in the order in which they happen.
 *
 * All calls on the loop's thread.
 */
#ifndef PAYMENT_PAYMENT_H
#define PAYMENT_PAYMENT_H

#include "base/arena.h"
#include "base/log.h"
#include "channel/channel.h"
#include "compliance/compliance.h"
#include "domain/ids.h"
#include "domain/money.h"
#include "domain/words.h"
#include "payment/watch.h"
#include "screening/screening.h"
#include "secret/secret.h"
#include "settings/settings.h"
#include "store/store.h"

struct payments;

/* What payments are decided by: compiled profiles and the lists that they screen against.
 * Immutable; it is swapped as a whole between two turns of the loop, and a payment's decision uses
 * one from its beginning to its end. */
struct policy {
    struct profile *const *profiles; /* one per region name, without shadows */
    struct profile *const *shadows;  /* run beside the one of the same name */
    size_t profile_count, shadow_count;
    struct screening *screening; /* NULL: no lists are configured */
    struct view default_region;
};
/* An empty name: the default region. Letters are compared without regard to case. NULL: none. */
const struct profile *policy_profile(const struct policy *policy, struct view region);

struct payments_options {
    struct loop *loop;
    struct store *store;
    struct channels *channels;
    struct secrets *secrets;         /* "host.seal" and "host.idempotency" must be there */
    const struct settings *settings; /* lives as long as the room */
    const struct policy *policy;     /* borrowed until payments_use or payments_close */
    const struct log *log;
    size_t works_max; /* requests and unresolved attempts at once; 0: 65536 */
    /* Called at the named steps of every work ("before_record", "after_record", "after_send", ...;
     * all in payment_int.h); may be NULL. For tests that end the process there. */
    void (*step)(void *arg, const char *name);
    void *step_arg;
};
enum status payments_open(struct payments **out, const struct payments_options *options);
/* From now on new payments are decided by this one; the one before is not touched any more when
 * this returns. */
void payments_use(struct payments *payments, const struct policy *policy);
/* Reads every open attempt and goes on with each. `recovered` is called once when all are taken up
 * (not when they are resolved). Requests may be submitted before; they are answered 503 until then.
 */
void payments_recover(struct payments *payments, void (*recovered)(void *arg, enum status status),
                      void *arg);
/* True from then on. */
bool payments_ready(const struct payments *payments);
/* Works whose merchant still waits for an answer / all works. */
size_t payments_waiting(const struct payments *payments);
size_t payments_working(const struct payments *payments);
/* Late answers that are not recorded yet. */
size_t payments_lates(const struct payments *payments);
/* Lets no work go on; late answers that wait to be recorded are tried for the last time, and what
 * cannot be recorded then is logged, with all that it said. Before store_close, which still brings
 * the commits in flight to their end. */
void payments_stop(struct payments *payments);
/* After store_close (or store_crash). Forgets all works without a word: what is recorded is taken
 * up again at the next start. No answer function is called afterwards. */
void payments_close(struct payments *payments);
/* To be given to channels_open (arg: the payments, set before any answer can come). NO_MEMORY: it
 * must be offered again; BUSY: we end. */
enum status payments_late_answer(void *payments, struct channel *channel,
                                 const struct exchange_command *asked,
                                 const struct exchange_result *result);

/* An entry of a notice (channel.h); `channel` is who said it. `done` is called once, possibly from
 * inside: OK when it may be acknowledged (it is recorded, was known before, or is only a hint);
 * else the channel must say it again. The entry lives until then. Does nothing but ask (inquire)
 * for an entry that is not verified. */
typedef void payment_notice_done_fn(void *arg, enum status status);
void payment_notice(struct payments *payments, struct channel *channel,
                    const struct notice_entry *entry, payment_notice_done_fn *done, void *arg);

/* Attempts in trouble, as they are now. */
const struct watch *payments_watch(const struct payments *payments);

struct payments_stats {
    uint64_t submitted, answered, replayed, refused, approved, declined, unknown, reversed,
        not_sent, parked, conflicts, recovered, notices, hints;
    uint64_t denied, challenged, confirmed, wrong_results, reviewed, expired, limits_fired, reports,
        screened, screening_hits, shadow_differences;
    uint64_t resolved;
};
void payments_stats(const struct payments *payments, struct payments_stats *out);

/* --- a request ----------------------------------------------------------------------------- */

struct payment_request {
    struct arena arena;  /* vault memory; wiped as soon as the request's card data was used */
    enum operation verb; /* SALE or AUTHORISE: create (by `capture`); CAPTURE, CANCEL, REFUND */
    int64_t merchant;
    struct view idem_key; /* 1..255 visible characters */
    uint8_t idem_mac[32]; /* secret_mac("host.idempotency") of method, path, body */
    int64_t wait_us;      /* -1: as long as the channel's deadline; else at most so long */

    /* create */
    struct money amount;
    enum payment_kind kind;
    enum capture_mode capture;
    enum rail rail;
    struct view details;            /* refs.h set of the method's own fields */
    struct compliance_facts *facts; /* what the request says (payment/facts.h); in `arena` */
    struct view region;             /* empty: the default */
    struct view reference;
    struct view facts_json; /* members of the answer that never change, without braces:
                               "method":{...masked...},"description":"..." */
    /* capture, cancel, refund */
    int64_t payment;
    int64_t amount_minor;       /* 0: all that is left */
    struct view currency;       /* as given; empty: not given. Must equal the payment's */
    struct view operation_json; /* members: "reference":"...","metadata":{...} or empty */
    /* confirm: `payment` and exactly one of the two; `verb` is not looked at */
    bool confirm;
    struct view confirm_code;      /* 6 to 8 digits */
    struct view confirm_assertion; /* compact JWS */
};

/* NULL when works_max is reached or memory is out: answer 503. */
struct payment_request *payment_request_new(struct payments *payments);
/* For a request that turned out to be wrong: wiped and given back. */
void payment_request_drop(struct payments *payments, struct payment_request *request);

/* Called exactly once per submitted request, possibly from inside payment_submit. body: JSON of a
 * payment, a refund or a problem (by http_status); valid during the call. replayed: this is what
 * was answered before. */
typedef void payment_answer_fn(void *arg, int http_status, struct view body, bool replayed);
/* Takes the request over. */
void payment_submit(struct payments *payments, struct payment_request **request,
                    payment_answer_fn *answer, void *arg);

/* --- review: an operator's word about a payment that waits for it -------------------------- */

enum review_word { REVIEW_APPROVE = 1, REVIEW_REJECT };
struct review {
    int64_t payment;
    enum review_word word;
    struct view by, why; /* both must be given; who and why, for the journal; copied */
};
/* OK: recorded (an approved payment goes on by itself); REFUSED: it was approved and has failed all
 * the same, too late or without its card data; NOT_FOUND: it does not wait for a review; BUSY, IO,
 * ...: nothing was done. `text`: a sentence. Called once, possibly from inside. */
typedef void review_done_fn(void *arg, enum status status, struct view text);
void payments_review(struct payments *payments, const struct review *review, review_done_fn *done,
                     void *arg);

#endif
