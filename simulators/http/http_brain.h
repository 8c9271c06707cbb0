/* http_brain.h - what the brain of a counterpart that speaks HTTP looks like: wallet, bank, cbdc.
 *
 * A brain is pure: no sockets, no clock, no threads. Requests and the time come in, answers and
 * notices go out; equal seed, inputs and times give equal outputs. http_host.h stands around it,
 * the same for all: faults that concern messages (lost, late, twice, garbled, cut, reset), the
 * order of answers, notices until they are acknowledged, and the control port. So a brain only
 * knows its rail: what it checks, what it books, what it says.
 *
 *     open -> (request | tick | notice_done | set)* -> close
 *
 * All functions on one thread. Views handed in live during the call.
 */
#ifndef SIM_HTTP_BRAIN_H
#define SIM_HTTP_BRAIN_H

#include "base/bytes.h"
#include "base/json_out.h"
#include "settle/settle.h"
#include "json/json_read.h"

#define SIM_HTTP_BODY_MAX    ((size_t)1024 * 1024) /* of a request, an answer, a notice */
#define SIM_HTTP_HEADERS_MAX 8192
#define SIM_HTTP_URL_MAX     1024

struct sim_request {
    struct view method;  /* "POST" */
    struct view target;  /* "/v1/orders?x=1" as sent */
    struct view headers; /* "name: value\n" lines, names in lower case */
    struct view body;
};
/* The value of the first header of that (lower-case) name; empty when there is none. */
struct view sim_header(struct view headers, const char *name);

/* Cleared by the host before the call. */
struct sim_answer {
    int http_status;       /* 200 until set */
    struct writer headers; /* "name: value\n" lines; content-type belongs here */
    struct writer body;
    int64_t delay_us;     /* the brain's own wish: when to answer (0: now) */
    int64_t amount_minor; /* what the request is about, for fault rules with an amount; -1: none */
};

/* A message that the counterpart sends unasked. Copied by `send`. The host sends it, and again
 * (with the brain's `notices_again_us` between, doubling, at most `notices_tries` times) until it
 * is answered 2xx. */
struct sim_notice {
    struct view url;     /* absolute: "https://127.0.0.1:1234/notices/wallet" */
    struct view headers; /* lines, as in sim_request; content-type belongs here */
    struct view body;
    int64_t at_us; /* not before (same clock as now_us); 0: now */
    uint64_t tag;  /* the brain's own, comes back in notice_done */
};
typedef void sim_send_fn(void *arg, const struct sim_notice *notice);

struct sim_config {
    uint64_t seed;
    int64_t wall_offset_us; /* given time plus this is microseconds since 1970 */
    sim_send_fn *send;      /* may be called from request, tick, set */
    void *send_arg;
};

/* One per counterpart: `extern const struct sim_brain wallet_brain;` */
struct sim_brain {
    const char *name;     /* "wallet" */
    const char *sentence; /* for --help */
    int64_t notices_again_us;
    uint32_t notices_tries;
    /* NULL when memory is out. */
    void *(*open)(const struct sim_config *config);
    void (*close)(void *brain);
    /* Checks, books, answers. Always answers. */
    void (*request)(void *brain, const struct sim_request *request, int64_t now_us,
                    struct sim_answer *answer);
    /* Does everything that is due at now_us or before (a phone that scans after a delay, a booking
     * on a schedule); afterwards next_us is later than now_us. */
    void (*tick)(void *brain, int64_t now_us);
    /* When tick wants to be called; INT64_MAX: nothing is due. */
    int64_t (*next_us)(const void *brain);
    /* The notice was acknowledged (http_status 2xx), given up (other, 0: no answer), or dropped by
     * a fault (-1). May be NULL. */
    void (*notice_done)(void *brain, uint64_t tag, int http_status, int64_t now_us);
    /* Control port, what the host does not know itself: "POST /scan" with its JSON body (NULL: no
     * body). Writes a JSON answer, a whole value. OK; NOT_FOUND: no such command, or with a
     * sentence in `why` no such thing; else `why` has a sentence and nothing was changed. */
    enum status (*command)(void *brain, struct view method, struct view path,
                           const struct json_node *body, int64_t now_us, struct json_out *out,
                           struct writer *why);
    /* The members `settings` and `keys` of a knobs body (either may be NULL), whole or not at all.
     */
    enum status (*set)(void *brain, const struct json_node *settings, const struct json_node *keys,
                       int64_t now_us, struct writer *why);
    /* Writes members into the object that the host has opened: current settings; secrets never. */
    void (*write_settings)(const void *brain, struct json_out *out);
    /* The books, a whole object: {"totals": {...}, "accounts": [...], "entries": [...], "next": n};
     * entries with numbers from `from` on (the first is 1), at most `limit`; next is the number to
     * go on from, null at the end. ledger_room: bytes that suffice. */
    void (*write_ledger)(const void *brain, struct json_out *out, uint64_t from, size_t limit);
    size_t (*ledger_room)(const void *brain, uint64_t from, size_t limit);
    /* Its record of what was booked (docs/rails/settlement.md) for a query as in "from=2026-11-22".
     * `*out` is the caller's when OK; it lives no longer than the books. MALFORMED, REFUSED, with a
     * sentence; NO_MEMORY. May be NULL: this counterpart gives none. */
    enum status (*settlement)(void *brain, struct view query, int64_t now_us,
                              struct settle_source *out, struct writer *why);
    /* Members, beside the host's own "http", into an object that is open. May be NULL. */
    void (*write_stats)(const void *brain, struct json_out *out);
    /* As at the start: empty books, settings as at the start. Keys stay. */
    void (*reset)(void *brain, int64_t now_us);
};

#endif
