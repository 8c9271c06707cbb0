/* channel_int.h - what the files of this room know of each other.
 *
 *     channel.c   the set: opens, closes, answers questions about channels
 *     values.c    the channel file's own settings against the adapter's rows
 *     trace.c     blocks of durable trace numbers, fetched ahead
 *     exchange.c  the life of an exchange: prepared, waiting, sent, late, done
 *     drive.c     calls begin and resume, and believes nothing that comes back
 *     request.c   a message on its way: taken out of the workspace, checked, slots filled
 *     http.c      HTTP channels: requests of an exchange to endpoints, answers back
 *     token.c     HTTP channels: fetches access tokens, keeps them, fills them into slots
 *     judge.c     compares an answer with the command; makes the result
 *     link.c      the life of a link: connect, sign on, change keys, ready, echo, break
 *     stream.c    bytes of a link into frames; replies to exchanges, the rest to notice()
 *     notice.c    what a channel says unasked: verified, read entry by entry
 *     late.c      exchanges that ended as unknown and whose answer may still come
 *     circuit.c   passes over a channel that keeps failing
 *     loader.c    adapters from shared objects; follow.c what may follow an attempt
 *
 * Everything here runs on the loop's thread.
 */
#ifndef CHANNEL_CHANNEL_INT_H
#define CHANNEL_CHANNEL_INT_H

#include "base/list.h"
#include "base/map.h"
#include "channel/channel.h"
#include "channel/loader.h"
#include "wire/http_client.h"
#include "wire/tls.h"

#include <railgate/adapter.h>
#include <railgate/writer.h>

#define CHANNELS_MAGIC 0x43485353u
#define CHANNEL_MAGIC  0x4348414Eu
#define LINK_MAGIC     0x4C494E4Bu
#define EXCHANGE_MAGIC 0x45584348u

#define SETTINGS_ROWS_MAX  64
#define ABILITIES_ROWS_MAX 16
#define GRANTS_ROWS_MAX    8
#define EXTRA_ROWS_MAX     32
#define CORRELATION_MAX    64
#define HEADER_ROWS_MAX    32
#define HEADER_BYTES_MAX   16384u /* names and values out; lines of an answer's head in */
#define PATH_BYTES_MAX     2048u
#define ACTION_ROWS_MAX    16
#define DIAGNOSIS_MAX      256

/* How long an exchange may wait for a link before it is not_sent. */
#define CONNECT_WAIT_US (1 * LOOP_US_PER_S)
/* Trace numbers fetched at once; the next block is asked for when half of one is used. */
#define TRACE_BLOCK    1000u
#define TRACE_MAX      999999u
#define TRACE_RETRY_US (1 * LOOP_US_PER_S)
/* Late exchanges of one channel together hold at most so many bytes. */
#define LATE_BYTES_MAX (16u << 20)
#define LATE_COUNT_MAX 4096u
/* Between two attempts to connect: doubles from the first to the last, half of it by chance. */
#define BACKOFF_FIRST_US (200 * LOOP_US_PER_MS)
#define BACKOFF_LAST_US  (30 * LOOP_US_PER_S)

/* --- values.c: the instance's values ------------------------------------------------------- */
struct channel_values {
    struct rg_value rows[SETTINGS_ROWS_MAX];
    struct arena texts; /* what rows[].text points to */
};
/* Fills `values` from the channel's `settings:` map. Every mistake is a line of `why` (file:line:
 * column: what, what to do); REFUSED when there was one. folder: where relative paths of FILE
 * settings begin (that of gateway.yaml); may be NULL. */
enum status values_read(struct channel_values *values, const struct channel_settings *settings,
                        const struct loaded_adapter *adapter, struct secrets *secrets,
                        const char *folder, struct writer *why);

/* --- trace.c ------------------------------------------------------------------------------- */
struct trace_request;
struct traces {
    uint64_t next, left;         /* the block in use */
    uint64_t ahead, ahead_left;  /* the one after it; 0: none yet */
    struct trace_request *asked; /* NULL: nothing is being fetched */
    struct timer retry;
};
void traces_init(struct channel *channel);
/* abandon: nobody will answer what was asked any more. */
enum traces_end { TRACES_CLOSE = 1, TRACES_ABANDON };
void traces_fini(struct channel *channel, enum traces_end how);

/* --- circuit.c ----------------------------------------------------------------------------- */
struct circuit {
    uint32_t failures_max; /* in a row; 0: never opens */
    uint32_t failures;
    int64_t open_for_us;
    int64_t open_until_us; /* 0: closed; in the past: half open, one may try */
};
void circuit_init(struct circuit *circuit, uint32_t failures_max, int64_t open_for_us);
/* True when an exchange may be sent now; in the half-open state true until one was started. */
bool circuit_allows(const struct circuit *circuit, int64_t now_us);
bool circuit_is_open(const struct circuit *circuit);
/* An exchange is sent. Half open: it is the probe, others wait `open_for` again. */
void circuit_started(struct circuit *circuit, int64_t now_us);
/* The other side answered (whatever), or it did not. True when the state changed. */
bool circuit_answered(struct circuit *circuit);
bool circuit_failed(struct circuit *circuit, int64_t now_us);

/* --- links --------------------------------------------------------------------------------- */
enum link_state {
    LINK_DOWN = 1, /* waiting for the next attempt to connect */
    LINK_CONNECTING,
    LINK_SIGNING_ON,
    LINK_CHANGING_KEY,
    LINK_READY,
    LINK_CLOSING, /* asked to close; events.closed will come */
};
const char *link_state_word(enum link_state state);

/* What the other side can make us say as often as it likes: one line a second of each kind. */
enum chatter_kind { CHATTER_UNMATCHED = 0, CHATTER_DROPPED, CHATTER_NOTICE, CHATTER_KINDS };
struct chatter {
    int64_t said_us;    /* monotonic, when a line was last written */
    uint64_t kept_back; /* lines that were not, since then */
    bool said;
};

struct link {
    uint32_t magic;
    uint32_t index;
    enum link_state state;
    struct channel *channel;
    struct conn *conn;        /* NULL: none */
    struct exchange *op;      /* the link's own exchange: sign-on, echo, key change */
    enum operation op_wanted; /* waits for a trace number; 0: none */
    struct list in_flight;    /* exchanges sent on this link, oldest first */
    uint32_t in_flight_count;
    uint32_t tries;       /* attempts to connect since it was last ready */
    uint64_t connections; /* so many were begun: names the present one */
    bool draining;        /* a key change is due: nothing more is sent until it is over */
    bool was_ready;       /* since it was connected */
    int64_t heard_us;     /* monotonic, when bytes last came */
    struct timer timer;   /* DOWN: connect; waiting for traces: go on; READY: echo */
    /* Keys that this connection was granted, by setting row; NULL: the configured one. generation
     * is 0 until the first grant and never the same for two sets of keys of a channel. */
    struct secret_key *granted[SETTINGS_ROWS_MAX];
    uint64_t key_generation;
    uint8_t *in; /* the beginning of a message whose end has not come; vault memory */
    size_t in_len;
    struct chatter chatter[CHATTER_KINDS];
};
void link_init(struct link *link, struct channel *channel, uint32_t index);
void link_start(struct link *link);
/* Signs off if it can, closes; the connection is forgotten and ends by itself. */
void link_fini(struct link *link);
/* Forgets the connection, which is gone already (wire_crash). */
void link_abandon(struct link *link);
/* The link can carry payments now. */
bool link_is_ready(const struct link *link);
/* One exchange less is in flight on it. */
void link_took_back(struct link *link, struct exchange *exchange);
/* New trace numbers are there: a link that waited for one goes on. */
void link_continue(struct link *link);
/* The other side asks for it (notice). */
void link_asked_for_key_change(struct link *link);
/* Closes it because of `why`; what is in flight ends when it is closed. */
void link_break(struct link *link, const char *why);
/* The current key of KEY setting `name`: granted, else configured. NULL when there is none. */
struct secret_key *link_key(const struct link *link, const struct channel *channel,
                            struct view setting, uint64_t *row);

/* --- stream.c ------------------------------------------------------------------------------ */
/* Bytes came in on the link: cuts them into messages and hands them on. */
void stream_bytes(struct link *link, struct view bytes);

/* --- notice.c ------------------------------------------------------------------------------ */
/* channel_notice_read with the keys of `link` (NULL: the configured ones). */
enum notice_verdict notice_read_on(struct channel *channel, const struct link *link,
                                   const struct notice_message *message, struct arena *arena,
                                   struct notice_read *out);
/* A message of a framed link. NULL, or why it is dropped. `about_link`: what of the link it
 * concerns ("key_change", "sign_off", "other"), acknowledged; empty: it is about payments, and is
 * acknowledged when they are recorded. */
const char *notice_on_link(struct link *link, struct view message, struct view *about_link);
/* Forgets what waits to be recorded: nobody will call back any more. */
void notices_fini(struct channel *channel);

/* --- exchanges ----------------------------------------------------------------------------- */
enum drive { DRIVE_SEND = 1, DRIVE_DONE, DRIVE_FAIL }; /* what calling the adapter came to */

enum exchange_state {
    EXCHANGE_PREPARED = 1, /* has its message, or already its result */
    EXCHANGE_WAITING,      /* started; no link is ready, or no token is there */
    EXCHANGE_SENT,         /* in flight on `link`, or its HTTP request is on its way */
    EXCHANGE_ENDING,       /* the result stands; `done` is called at the end of the turn */
    EXCHANGE_DONE,
    EXCHANGE_LATE, /* done with unknown; the answer is still awaited */
};

struct exchange {
    uint32_t magic;
    enum exchange_state state;
    struct channel *channel;
    struct link *op_of;   /* the link whose own exchange it is; NULL: a payment's */
    struct link *link;    /* SENT: where */
    bool for_token;       /* the channel's own exchange that fetches tokens */
    struct list item;     /* of link->in_flight, channel->waiting or channel->late */
    struct list siblings; /* of channel->all */
    struct exchange_command command;
    uint32_t able;   /* RG_ABLE_... of the operation */
    uint32_t steps;  /* calls of begin and resume so far */
    bool used_key;   /* something was signed with generation key_generation */
    bool has_result; /* the adapter was done without sending */
    bool starved;    /* what it failed for is memory that is out, not what was asked for */
    bool bytes_left;
    bool dropped;
    bool delivering; /* `done` is being called */
    bool in_map;
    bool untold; /* LATE: its answer is here, and was not taken yet */
    uint32_t expects_reply;
    uint64_t key_generation;
    struct timer timer; /* SENT: deadline; WAITING: connect wait; LATE: end of the window, or
                           when an answer that was not taken is offered again */
    struct task task;
    int64_t started_us, deadline_us; /* monotonic */
    exchange_done_fn *done;
    void *arg;
    struct exchange_result result;
    uint8_t *result_block; /* what the result's views point to; vault memory */
    /* One after the other: the message, the refs; HTTP: path, headers (as a set of refs.h, with
     * flags RG_NAMED_...). Vault memory. */
    uint8_t *block;
    size_t message_len, refs_len, path_len, headers_len;
    struct http_call *call;    /* HTTP: the request on its way; NULL: none */
    uint32_t http_method;      /* RG_HTTP_... */
    size_t endpoint;           /* that the request goes to */
    uint32_t endpoints_tried;  /* of this request */
    uint64_t token_generation; /* that the request was filled with; 0: no token in it */
    bool sent_again;           /* after 401, with a new token */
    bool unreachable;          /* NOT_SENT: it was the other side that could not be reached */
    uint8_t correlation[CORRELATION_MAX];
    size_t correlation_len;
    char diagnosis[DIAGNOSIS_MAX];
    size_t diagnosis_len;
    _Alignas(16) uint8_t adapter_state[]; /* exchange_size bytes */
};

/* The link's own exchange: prepared, not sent. op_of is `link`. */
enum status exchange_prepare_op(struct link *link, enum operation operation, uint32_t trace,
                                struct exchange **out, struct writer *why);
/* Sends a link operation on its own link, whatever the link's state. */
void exchange_start_op(struct exchange *exchange, int64_t deadline_us, exchange_done_fn *done,
                       void *arg);
/* A message that answers it came on `link`. Takes it out of the map first. */
void exchange_answered(struct exchange *exchange, struct link *link, struct view message);
/* Its link broke: unknown. */
void exchange_link_lost(struct exchange *exchange);
/* HTTP: the adapter was given an answer and `drive` is what it said. Its exchange may end. */
void exchange_driven(struct exchange *exchange, struct link *link, enum drive drive);
/* HTTP: bytes of it may have left. */
void exchange_has_left(struct exchange *exchange);
/* HTTP: ends it with NOT_SENT, or UNKNOWN when bytes of it may have left; `done` is called. */
void exchange_end(struct exchange *exchange, const char *diagnosis);
/* The same from inside a call of the owner: `done` comes at the end of the turn. */
void exchange_end_later(struct exchange *exchange, const char *diagnosis);
/* HTTP: UNKNOWN, and its answer may still come. */
void exchange_end_unanswered(struct exchange *exchange, const char *diagnosis);
/* The exchange that fetches tokens: prepared, not sent. */
enum status exchange_prepare_token(struct channel *channel, uint32_t trace, struct exchange **out,
                                   struct writer *why);
void exchange_start_token(struct exchange *exchange, exchange_done_fn *done, void *arg);
bool exchange_is_payment(const struct exchange *exchange);
/* Sends what waits for a link, in order. */
void exchanges_flush(struct channel *channel);
/* channels_close, channels_abandon: frees whatever is left. */
void exchanges_fini(struct channel *channel);
void exchange_free(struct exchange *exchange);
void exchange_leave_map(struct exchange *exchange);

/* --- drive.c ------------------------------------------------------------------------------- */
/* Where an adapter writes; one for the whole set, since calls of adapters never nest. Vault memory.
 */
struct workspace {
    struct rg_out out;
    struct rg_named refs_rows[REFS_ROWS_MAX], grants_rows[GRANTS_ROWS_MAX],
        extra_rows[EXTRA_ROWS_MAX], header_rows[HEADER_ROWS_MAX], action_rows[ACTION_ROWS_MAX];
    struct rg_named details_in[REFS_ROWS_MAX], refs_in[REFS_ROWS_MAX];
    uint8_t correlation[CORRELATION_MAX], sign_key[64];
    uint8_t reference[128], rail_code[32], message[256], diagnosis[DIAGNOSIS_MAX];
    uint8_t refs_text[8192], grants_text[8192], extra_text[8192], action_text[8192];
    uint8_t path[PATH_BYTES_MAX], header_text[HEADER_BYTES_MAX];
    uint8_t answer_headers[HEADER_BYTES_MAX]; /* an answer's head, for the adapter */
    size_t bytes_room;
    uint8_t bytes[]; /* the largest request_max of the set, at least WORKSPACE_BYTES_MIN */
};
#define WORKSPACE_BYTES_MIN 8192u

/* begin() and what follows, with the keys of `link` (NULL: the configured ones). SEND: the message,
 * refs and correlation are in the exchange. DONE: the answer is in the workspace. FAIL: the
 * diagnosis is in the exchange. */
enum drive drive_begin(struct exchange *exchange, const struct link *link);
enum drive drive_reply(struct exchange *exchange, const struct link *link, struct view message);
/* The same for an answer over HTTP. headers: "name: value\n" lines. */
enum drive drive_http_reply(struct exchange *exchange, int http_status, struct view body,
                            struct view headers);
/* Wipes what the last call left in the workspace. */
void drive_clean(struct channels *set);
void exchange_diagnose(struct exchange *exchange, const char *text);
/* Whether the rows and buffers of the adapter's table are within what it was given. */
bool table_holds(const struct rg_table *table, const struct rg_named *rows, uint64_t rows_max,
                 const uint8_t *text, uint64_t room);
bool buffer_holds(const struct rg_buffer *buffer, const uint8_t *ptr, uint64_t room);
/* 1..32 bytes of a-z, 0-9, '_', '-', '.'. */
bool row_name_fits(struct rg_bytes name);
bool table_holds_flags(const struct rg_table *table, const struct rg_named *rows, uint64_t rows_max,
                       const uint8_t *text, uint64_t room, uint32_t flags_allowed);
/* A set (refs.h) of the table's rows. */
size_t table_set_len(const struct rg_table *table);
void table_put_set(struct writer *w, const struct rg_table *table);

/* --- request.c ----------------------------------------------------------------------------- */
/* SEND: checks message, path and headers in the workspace and copies them into the exchange. NULL,
 * or what is wrong (a constant sentence). */
const char *request_take(struct exchange *exchange);
struct view request_path(const struct exchange *exchange);
/* A slot of the request takes a grant (not the bytes of a KEY setting). */
bool request_needs_token(const struct exchange *exchange);
const char *request_method_word(const struct exchange *exchange);
/* Composes the headers with slots filled. `room`: vault memory of at least request_filled_max
 * bytes, where filled values are put. *count headers at most HEADER_ROWS_MAX. False: a token is
 * missing. */
size_t request_filled_max(const struct exchange *exchange);
bool request_fill(struct exchange *exchange, struct writer *room,
                  struct http_header out[HEADER_ROWS_MAX], size_t *count);

/* --- http.c -------------------------------------------------------------------------------- */
/* One pool of connections for each endpoint. */
enum status http_open(struct channel *channel, struct writer *why);
/* After exchanges_fini. */
void http_close(struct channel *channel);
/* Before exchanges_fini: forgets calls and connections, which are gone already (wire_crash). */
void http_abandon(struct channel *channel);
/* Sends the exchange's message, or lets it wait for a token: the exchange ends, now or later. */
void http_start(struct exchange *exchange);
/* A further message of the same exchange, within the same deadline. NULL, or what is wrong. */
const char *http_next(struct exchange *exchange);
/* Its deadline is over while the request is on its way. */
void http_deadline(struct exchange *exchange);
/* Forgets the request that is on its way; its connection is closed if bytes may have left. */
void http_forget(struct exchange *exchange);
/* The request may have left; if it certainly has not, it is forgotten and never will. */
bool http_request_left(struct exchange *exchange);
/* Tokens are there: sends what waits for them. */
void http_flush(struct channel *channel);

/* --- token.c ------------------------------------------------------------------------------- */
struct tokens {
    uint8_t *set; /* refs.h set of the grants, vault memory; NULL: none */
    size_t set_len;
    uint64_t generation;       /* of the set; 0: there never was one */
    int64_t refresh_us;        /* monotonic: from then on a new one is fetched; INT64_MAX: never */
    int64_t expires_us;        /* from then on it is not used; INT64_MAX: until it is refused */
    struct exchange *fetching; /* at most one */
    bool wanted;               /* a trace number is waited for */
};
void tokens_fini(struct channel *channel);
/* A valid token is there (a new one is fetched in time, in the background). */
bool token_ready(struct channel *channel);
/* Fetches tokens unless that is under way. NULL, or why it cannot be. */
const char *token_want(struct channel *channel);
/* The grant's value, or an empty view. */
struct view token_find(const struct channel *channel, struct view name);
/* The other side refused this one (401). */
void token_refused(struct channel *channel, uint64_t generation);
/* The token exchange is DONE and approved: takes the grants out of the workspace. */
enum status token_take(struct exchange *exchange, const struct rg_out *out, struct writer *why);
/* New trace numbers are there. */
void token_continue(struct channel *channel);

/* --- judge.c ------------------------------------------------------------------------------- */
/* The workspace holds what the adapter was DONE with: fills exchange->result. Whatever is not as it
 * must be becomes UNKNOWN. */
void judge_done(struct exchange *exchange);
/* A result of the host's own: NOT_SENT or UNKNOWN with the exchange's diagnosis. */
void judge_host(struct exchange *exchange, enum outcome outcome);
/* sign_on and key_change: takes the granted keys into use on the link. All or none. */
enum status judge_grants(struct link *link, const struct rg_table *grants, struct writer *why);

/* --- late.c -------------------------------------------------------------------------------- */
/* The exchange is over for its owner; keeps it for the late window. False: there is no window. */
bool late_keep(struct exchange *exchange);
/* Its answer is in exchange->result: to whoever takes it, now or later. Then the exchange may be
 * gone. */
void late_tell(struct exchange *exchange);
/* It is not awaited any more: leaves list and map. Freed if it was dropped. */
void late_end(struct exchange *exchange);
/* The channels are closed: what nobody has taken is told to people. */
void late_forget(struct exchange *exchange);

/* --- the set ------------------------------------------------------------------------------- */
struct channel {
    uint32_t magic;
    uint32_t index;
    struct channels *set;
    const struct channel_settings *settings;
    struct loaded_adapter *adapter;
    const struct rg_adapter *api;
    struct channel_values values;
    struct secret_key *configured[SETTINGS_ROWS_MAX]; /* of KEY rows */
    void *instance;
    struct tls_context *tls;
    struct http_client **clients; /* HTTP: one for each endpoint */
    size_t client_count;
    size_t endpoint; /* HTTP: where requests go first; the next one when it cannot be reached */
    struct tokens tokens;
    char notice_url[512]; /* "": nowhere */
    struct link *links;
    uint32_t link_count;
    struct map *awaited; /* correlation key -> exchange, in flight or late */
    struct list waiting;
    struct list late;    /* oldest first */
    struct list all;     /* every exchange, so that closing leaves none behind */
    struct list notices; /* that wait to be recorded */
    uint32_t late_count, late_max;
    uint32_t in_flight;
    uint64_t key_generations;
    struct traces traces;
    struct circuit circuit;
    uint64_t sent, approved, declined, unknown, not_sent, late_answers, unmatched;
    int64_t latency_us_mean;
};

struct channels {
    uint32_t magic;
    struct channels_options options;
    struct channel **list;
    size_t count;
    struct workspace *workspace;
    bool closing;
};

const struct rg_ability *channel_ability_row(const struct channel *channel, uint32_t operation);
bool ability_takes_currency(const struct rg_ability *row, const char code[4]);
int64_t channel_now(const struct channel *channel);
bool channel_is_framed(const struct channel *channel);
bool channel_is_http(const struct channel *channel);
enum status channel_trace_take(struct channel *channel, uint32_t *out);
#define CHANNEL_LOG(channel, level, id, ...)                                                       \
    LOG((channel)->set->options.log, level, id, LOG_TEXT("channel", channel_name(channel)),        \
        __VA_ARGS__)

#endif
