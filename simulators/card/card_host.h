/* card_host.h - a card host with an issuer behind it: the brain of the simulator, without sockets,
 * clock or threads.
 *
 *     card_host_open
 *     card_host_link_open      a gateway connected
 *     card_host_receive        bytes came: messages are answered and booked at once
 *     card_host_take           until false: what to do on links now (send, close, reset)
 *     card_host_next_us        when to call card_host_take again (a delayed answer)
 *     card_host_link_closed    the connection is gone
 *     card_host_close
 *
 * Time is given in, microseconds of any steady clock; it must not go back. Equal seed, inputs and
 * times give equal outputs. All functions on one thread. What it does with a message is in
 * docs/rails/card-simulator.md; what the bytes look like in docs/rails/card-wire.md.
 */
#ifndef SIM_CARD_CARD_HOST_H
#define SIM_CARD_CARD_HOST_H

#include "base/bytes.h"
#include "base/json_out.h"
#include "card_knobs.h"
#include "card_ledger.h"
#include "iso_frame.h"
#include "iso_msg.h"
#include "settle/settle.h"

#define CARD_LINKS_MAX 256
/* Answers that wait for their time, over all links; beyond, an answer is lost and counted. */
#define CARD_OUTS_MAX 65536

struct card_host;

/* What a line of the log needs; nothing in it is secret. Views live during the call. */
struct card_sight {
    enum { CARD_SAW_REQUEST = 1, CARD_SAW_ANSWER, CARD_SAW_LOST, CARD_SAW_GARBAGE } what;
    uint64_t link;
    const char *mti; /* "" when unreadable */
    struct view stan, terminal, rrn, response;
    struct view pan_masked;
    int64_t amount_minor; /* -1 none */
    uint32_t faults;      /* bits 1 << enum card_fault */
    const char *note;     /* "" or what was wrong */
};

struct card_config {
    enum iso_packaging packaging;
    enum iso_framing framing;
    uint64_t seed;
    int64_t wall_offset_us;    /* given time plus this is microseconds since 1970 */
    size_t ledger_entries_max; /* 0: CARD_LEDGER_ENTRIES_DEFAULT */
    void (*saw)(void *arg, const struct card_sight *sight); /* may be NULL */
    void *saw_arg;
};

enum card_action_kind {
    CARD_ACTION_SEND = 1,
    CARD_ACTION_CLOSE,      /* after what was sent before */
    CARD_ACTION_HALF_CLOSE, /* the same; goes on reading */
    CARD_ACTION_RESET,
};

struct card_action {
    enum card_action_kind kind;
    uint64_t link;
    struct view bytes; /* SEND; lives until the next call on this host */
};

/* NULL when memory is out. */
struct card_host *card_host_open(const struct card_config *config);
void card_host_close(struct card_host *h);

/* `link`: the caller's number, never used twice. REFUSED while the host is down (the caller then
 * drops the connection), FULL over CARD_LINKS_MAX. */
enum status card_host_link_open(struct card_host *h, uint64_t link, int64_t now_us);
/* Also after an action CLOSE or RESET was carried out. Unknown links are ignored. */
void card_host_link_closed(struct card_host *h, uint64_t link);
/* Any piece of the stream. Bytes for an unknown link are ignored. */
void card_host_receive(struct card_host *h, uint64_t link, struct view bytes, int64_t now_us);
/* The next thing to do that is due at `now_us`, in order; false when there is none. */
bool card_host_take(struct card_host *h, int64_t now_us, struct card_action *out);
/* When the next thing is due; INT64_MAX: nothing is waiting. */
int64_t card_host_next_us(const struct card_host *h);

/* --- control ----------------------------------------------------------------------------- */
/* See card_knobs.h. New keys count from now on, on all links. */
enum status card_host_set(struct card_host *h, struct view json, enum card_knobs_mode mode,
                          int64_t now_us, struct writer *why);
void card_host_write_knobs(const struct card_host *h, struct json_out *j, int64_t now_us);
/* Empty books, full balances, no faults, settings and counters as at the start. Links and all keys
 * stay as they are. */
void card_host_reset(struct card_host *h, int64_t now_us);
/* Sends 0800 with this DE70 ("001", "002", "101", "301") on every link, or on one (link not 0).
 * MALFORMED for another code; NOT_FOUND without a link. */
enum status card_host_send(struct card_host *h, struct view code, uint64_t link, int64_t now_us);
enum card_drop { CARD_DROP_CLOSE = 1, CARD_DROP_RESET };
/* Every link, or one (link not 0). */
void card_host_drop_links(struct card_host *h, enum card_drop how, uint64_t link, int64_t now_us);
bool card_host_is_down(const struct card_host *h, int64_t now_us);

/* --- books ------------------------------------------------------------------------------- */
const struct card_ledger *card_host_ledger(const struct card_host *h);
const struct card_accounts *card_host_accounts(const struct card_host *h);
/* {"totals", "accounts", "entries", "forgotten", "next"}: entries with numbers from `from` on, at
 * most `limit`. Room needed: card_host_ledger_room. */
void card_host_write_ledger(const struct card_host *h, struct json_out *j, uint64_t from,
                            size_t limit);
size_t card_host_ledger_room(const struct card_host *h, uint64_t from, size_t limit);
void card_host_write_stats(const struct card_host *h, struct json_out *j);
/* The settlement file (docs/rails/settlement.md): `query` as in
 * "from=2026-11-22&terminal=SIMTERM1". MALFORMED, REFUSED: `why` has a sentence; NO_MEMORY. Close
 * it before the host. */
enum status card_host_settlement(struct card_host *h, struct view query, int64_t now_us,
                                 struct settlement **out, struct writer *why);

#endif
