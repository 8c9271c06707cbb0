/* channel.h - a channel is a configured use of an adapter: endpoints, links, keys, limits.
 *
 *     channels_open       loads adapters, checks their settings, starts links
 *     exchange_prepare    runs the adapter until it has the message: nothing has left yet; the refs
 *                         that a reversal would need are there, to be recorded
 *     exchange_start      sends; `done` is called exactly once
 *     exchange_drop       instead of start, or after done
 *
 * Framed channels keep `links` long-lived connections. A link connects, signs on (if the adapter is
 * able), changes keys (if asked for), sends echoes when idle, and is *ready* only after all that.
 * Its replies are matched by the adapter's correlation key. When a link breaks, exchanges in flight
 * on it end as unknown; those whose bytes were not taken by the connection end as not_sent. A key
 * change waits until nothing is in flight on the link.
 *
 * HTTP channels keep a pool of connections for each endpoint; an exchange takes one request or
 * several, within one deadline. The endpoint that was reached last is used until it cannot be
 * connected to; then the next one. Access tokens are fetched when a request needs one. An HTTP
 * channel is ready when its circuit is closed and there is room in flight.
 *
 * What a channel never does: retry, inquire or reverse a payment by itself. It says what it knows
 * (the result); follow.h says what may follow; payment/ does it.
 *
 * All calls on the loop's thread.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "base/arena.h"
#include "base/log.h"
#include "domain/money.h"
#include "domain/refs.h"
#include "domain/words.h"
#include "loop/loop.h"
#include "secret/secret.h"
#include "settings/settings.h"
#include "wire/conn.h"

struct channels;
struct channel;
struct exchange;

/* What a person must do before a pending payment goes on; numbers equal RG_ACTION_... */
enum channel_action {
    ACTION_SHOW_CODE = 1,
    ACTION_AUTHENTICATE,
    ACTION_REDIRECT,
    ACTION_MAKE_TRANSFER,
};
/* "show_code", "authenticate", "redirect", "make_transfer" */
const char *channel_action_word(enum channel_action action);

/* --- results ------------------------------------------------------------------------------- */
struct exchange_result {
    enum outcome outcome;   /* NOT_SENT and UNKNOWN are the host's own */
    bool conflict;          /* the answer's amount, currency or reference differs from the command:
                               outcome is then UNKNOWN whatever the channel said */
    bool late;              /* arrived after done had been called with UNKNOWN */
    enum category category; /* NONE when approved */
    int64_t amount_minor;   /* approved; may be less than asked where the adapter is able */
    struct view rail_code, message, reference; /* may be empty; message is for people */
    struct view refs;                          /* refs.h set: what DONE added; not sealed */
    struct view extra;                         /* refs.h set: values for the merchant */
    struct view diagnosis; /* NOT_SENT, UNKNOWN: why, one sentence without values */
    int64_t latency_us;
    /* PENDING of authorise or sale; action 0: only waiting. */
    enum channel_action action;
    uint32_t expires_in_s;     /* from the command's time on; 0: no end */
    struct view action_values; /* refs.h set: "payload", "url", ... */
};
/* The views live during the call, also when the exchange is dropped from within. */
typedef void exchange_done_fn(struct exchange *exchange, void *arg,
                              const struct exchange_result *result);

struct exchange_command {
    enum operation operation;
    uint32_t repeat; /* 0: first; n: n-th repetition of the same message */
    int64_t amount_minor, original_minor;
    const struct currency *currency;
    uint32_t trace;  /* from channel_trace, or the first one's for a repeat */
    int64_t time_us; /* wall clock; the first one's for a repeat */
    uint8_t random[16];
    int64_t attempt_id;
    int64_t payment_id;  /* for messages to people; 0: not said */
    struct view details; /* refs.h set of the method's fields, REF_SENSITIVE where due; lives until
                            the exchange is done (vault memory) */
    struct view refs;    /* refs.h set of the attempt referred to, unsealed; may be empty */
};

/* Runs the adapter up to its message. On OK `out` holds it (and refs: exchange_refs). Errors:
 * UNSUPPORTED  the adapter is not able to (operation, currency, amount over its largest)
 * REFUSED      the adapter said FAIL; `why` has its diagnosis: what the merchant should change
 * BUSY         an answer with the same correlation key is awaited (its trace number is still in use
 *              by another attempt, or the first sending of a repeat is not done): take another
 *              trace
 * NO_MEMORY
 */
enum status exchange_prepare(struct channel *channel, const struct exchange_command *command,
                             struct exchange **out, struct writer *why);
/* Set to be stored before the bytes leave: refs.h, sensitive values NOT sealed yet. Lives with the
 * exchange. */
struct view exchange_refs(const struct exchange *exchange);
/* Sends (on the readiest link). If a key was changed since prepare, the same command is encoded
 * again first. done: exactly once, never from inside this call. deadline_us 0: the channel's own.
 */
void exchange_start(struct exchange *exchange, int64_t deadline_us, exchange_done_fn *done,
                    void *arg);
/* Gives it back. If it was started and not done, its answer will be treated as late. NULL is
 * allowed. */
void exchange_drop(struct exchange *exchange);

/* --- notices ------------------------------------------------------------------------------- */
/* What a channel says unasked. It is read (and its signature checked) at once; what it says is
 * recorded by payment/ before it is acknowledged. */
#define NOTICE_ENTRIES_MAX 4096 /* of a message that is signed */
#define NOTICE_POST        2u   /* RG_HTTP_POST */

struct notice_message {
    struct view body;
    struct view headers;  /* HTTP: "name: value\n" lines, lower-case names */
    struct view path;     /* HTTP: what follows the channel's address, with query */
    uint32_t http_method; /* NOTICE_POST; 0 on a framed link */
};
enum notice_about { NOTICE_STATUS = 1, NOTICE_RETURN, NOTICE_CREDIT, NOTICE_LINK };
struct notice_entry {
    enum notice_about about;
    bool verified;        /* by signature or MAC; else it is a hint, which changes no money */
    int64_t attempt_id;   /* 0: it names none of ours */
    enum outcome outcome; /* STATUS: APPROVED, DECLINED, PENDING or REJECTED */
    enum category category;
    int64_t amount_minor;     /* -1: it does not say */
    uint32_t currency_number; /* 0: it does not say */
    struct view reference;    /* the channel's own bytes, not masked; may be no UTF-8 */
    struct view rail_code, message;
    struct view refs; /* refs.h set, not sealed */
};
enum notice_verdict {
    NOTICE_READ = 1,
    NOTICE_NOT_VERIFIED, /* signature missing where one is due, wrong, or made with no known key */
    NOTICE_NOT_UNDERSTOOD,
    NOTICE_NOT_TAKEN, /* the adapter takes no notices */
};
struct notice_read {
    struct notice_entry *entries;
    size_t count;
    int ack_status;            /* HTTP */
    struct view ack_type, ack; /* to be sent when every entry is recorded */
    const char *why;           /* not READ: one sentence */
};
/* What it hands out lives in the arena. For messages that came over HTTP. */
enum notice_verdict channel_notice_read(struct channel *channel,
                                        const struct notice_message *message, struct arena *arena,
                                        struct notice_read *out);

/* --- the set ------------------------------------------------------------------------------- */
/* A notice about payments came on a framed link. The read lives until `recorded` was called (once,
 * any time before the channels are closed, loop's thread). OK: it is acknowledged if the link still
 * stands; else it is not. */
typedef void notice_recorded_fn(void *recorded_arg, enum status status);
typedef void notice_fn(void *arg, struct channel *channel, const struct notice_read *read,
                       notice_recorded_fn *recorded, void *recorded_arg);
/* Gives `count` numbers from `name`'s durable counter: call `taken` later (loop's thread). */
typedef void trace_taken_fn(void *taken_arg, uint64_t first, uint64_t count, enum status status);
typedef void trace_take_fn(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                           void *taken_arg);
/* The entry (rg_adapter_get) of an adapter that is linked in, by the `adapter:` of a channel file
 * (an absolute path), or NULL: then the file is loaded. For the simulation and for tests. */
typedef const struct rg_adapter *adapter_entry_fn(uint32_t host_abi);
typedef adapter_entry_fn *builtin_fn(void *arg, const char *adapter);
/* An answer that came after its exchange had ended as unknown (or was dropped). `asked` is what was
 * sent; its details and refs are gone. Both live during the call. OK: taken, whatever becomes of
 * it; nothing else keeps it. Else it stays where it is, in memory that it has, and is offered again
 * each second until it is taken. */
typedef enum status late_fn(void *arg, struct channel *channel,
                            const struct exchange_command *asked,
                            const struct exchange_result *result);
/* One line of level error with all that a person needs to book it by hand; nothing that is
 * sensitive. Takes no memory. */
void late_answer_log(const struct log *log, const char *id, const struct channel *channel,
                     const struct exchange_command *asked, const struct exchange_result *said,
                     struct view why);

struct channels_options {
    const struct settings *settings; /* lives as long as the channels; so do the next four */
    struct wire *wire;
    struct loop *loop;
    struct secrets *secrets;
    const struct log *log;
    trace_take_fn *take_traces;
    late_fn *late;
    notice_fn *notice;       /* may be NULL: such notices are not acknowledged */
    builtin_fn *builtin;     /* may be NULL: every adapter is loaded from its file */
    const char *notice_base; /* "https://host:port/notices/", to which the channel's name is added:
                                where channels can send notices. "" or NULL: nowhere */
    void *arg;               /* for the four */
    const void *owner;       /* see wire_crash */
};
/* A channel whose adapter does not load or whose settings are wrong is reported in `why` (a line
 * each) and left out; the others work. Fails only when memory is out. */
enum status channels_open(struct channels **out, const struct channels_options *options,
                          struct writer *why);
/* Signs off, closes links (what is written goes out by itself, on the loop). Exchanges must be done
 * and dropped; whatever is left is freed without a call of `done`. */
void channels_close(struct channels *channels);
/* Simulated crash, after wire_crash: frees everything, touches no connection, calls nobody. What
 * was asked of take_traces must not be answered any more. */
void channels_abandon(struct channels *channels);
/* Late answers that nobody has taken yet. */
size_t channels_untold(const struct channels *channels);
size_t channels_count(const struct channels *channels);
struct channel *channels_at(struct channels *channels, size_t index);
struct channel *channels_find(struct channels *channels, struct view name);

struct channel_health {
    uint32_t links, links_ready;
    bool circuit_open; /* too many failures: passed over until circuit time is over */
    uint32_t in_flight, in_flight_max;
    uint64_t sent, approved, declined, unknown, not_sent, late, unmatched;
    int64_t latency_us_mean; /* moving */
    const char *state;       /* "ready", "connecting", "signing_on", "down", ... for people */
};
void channel_health(const struct channel *channel, struct channel_health *out);
/* Ready to send now (link ready or local, circuit closed, room in flight). */
bool channel_ready(const struct channel *channel);

struct channel_ability {
    bool able, repeat, inquire, reverse, partial, partial_approval;
    int64_t amount_minor_max;
    int64_t deadline_us, late_window_us;
};
void channel_ability(const struct channel *channel, enum operation operation,
                     struct channel_ability *out);
/* True when the adapter's currencies and the channel's setting both allow it. */
bool channel_takes_currency(const struct channel *channel, enum operation operation,
                            const char code[4]);
const char *channel_name(const struct channel *channel);
enum rail channel_rail(const struct channel *channel);
const struct channel_settings *channel_settings_of(const struct channel *channel);
/* Next trace number 1..999999. BUSY: the block is used up and the next is being fetched; try later.
 */
enum status channel_trace(struct channel *channel, uint32_t *out);

#endif
