/* http_host.h - what stands around a brain (http_brain.h), still without sockets, clock or threads:
 * faults, waiting answers, notices and their repetition, the control port's commands.
 *
 *     http_host_open
 *     http_host_request        a request came: handled at once, the answer waits for its time
 *     http_host_take           until false: what to do now (answer, send a notice)
 *     http_host_next_us        when to call http_host_take again
 *     http_host_notice_done    how a notice that was taken was answered
 *     http_host_control        a request on the control port
 *     http_host_close
 *
 * Used by simulators/shell (real sockets) and by tests/simulation (in-memory network, virtual
 * time).
 *
 * Faults, one JSON body for scenario files and the control port (as for the card host):
 *
 *     { "settings": {...brain's...}, "keys": {...}, "down_ms": 5000,
 *       "faults": [ {"fault": "delay", "method": "POST", "path": "/v1/orders", "skip": 0,
 *                    "next": 3, "per_million": 1000000, "amount_minor": 123, "ms": 2000} ],
 *       "settlement": {"seed": 7, "faults": [...]} }     (what goes wrong with records: settle.h)
 *
 *     drop_before_booking  the request is lost; the connection is closed without an answer
 *     drop_after_booking   handled and booked; closed without an answer
 *     delay                handled now, answered after ms
 *     late_booking         handled only after ms (the answer too)
 *     duplicate            handled twice, as if the network had repeated it; the first answer
 *                          counts
 *     reorder              waits ms before it is handled, so that later ones overtake it
 *     garble               `bytes` bytes of the answer's body are changed
 *     cut                  the answer ends after `bytes` bytes of its body, then the connection
 *                          closes
 *     half_close           handled; no answer, our direction is closed, the other stays open
 *     reset                handled, then the connection is reset
 *     status               not handled; answered with HTTP status `status`
 *     notice_drop, notice_delay, notice_duplicate, notice_reorder, notice_garble, notice_unsigned
 *                          the same for notices (path: that of the notice's url); notice_unsigned
 *                          leaves out every header that contains "signature"
 *
 * path matches as a prefix; "" all. The first rule of a kind that matches counts: `skip` of its
 * messages pass, then each is hit with probability `per_million`, `next` times in all (-1: for
 * ever). What a request is about is known only once it was handled, so drop_before_booking,
 * late_booking, reorder and status, and notices, take no amount_minor. `ms` defaults to 1000,
 * of reorder to 200; `bytes` to 1 of garble and 10 of cut.
 *
 * A sending of a notice is a message of its own: a rule with "next": 1 hits one sending. A dropped
 * one is not repeated (the brain is told -1).
 *
 * While the host is down (down_ms; -1: until told otherwise, 0: up) connections are closed without
 * an answer, those that wait too, and neither notices nor anything that is due gets done before its
 * end.
 */
#ifndef SIM_HTTP_HOST_H
#define SIM_HTTP_HOST_H

#include "http_brain.h"

#define HTTP_HOST_WAITING_MAX 65536 /* answers and notices that wait for their time */

struct http_host;

struct http_host_config {
    const struct sim_brain *brain;
    uint64_t seed;
    int64_t wall_offset_us;
    /* A line for the log; may be NULL. what: "request", "answer", "lost", "notice", ... */
    void (*saw)(void *arg, const char *what, struct view method, struct view target,
                int http_status, const char *note);
    void *saw_arg;
};

enum http_host_how {
    HTTP_HOST_WHOLE = 1,  /* the answer as it is */
    HTTP_HOST_CUT,        /* only `cut_bytes` of the body, then close */
    HTTP_HOST_CLOSE,      /* no answer: close */
    HTTP_HOST_HALF_CLOSE, /* no answer: close our direction only */
    HTTP_HOST_RESET,      /* no answer: reset */
};
enum http_host_what { HTTP_HOST_ANSWER = 1, HTTP_HOST_NOTICE };
struct http_host_action {
    enum http_host_what what;
    uint64_t id; /* of the request (the caller's number), or of the notice (the host's) */
    enum http_host_how how; /* ANSWER */
    size_t cut_bytes;
    int http_status;
    struct view url;           /* NOTICE */
    struct view headers, body; /* live until the next call on this host */
};

struct http_host *http_host_open(const struct http_host_config *config); /* NULL: no memory */
void http_host_close(struct http_host *h);
/* `id`: the caller's, never used twice. Every request gets exactly one ANSWER action. While the
 * host is down: CLOSE at once. */
void http_host_request(struct http_host *h, uint64_t id, const struct sim_request *request,
                       int64_t now_us);
bool http_host_take(struct http_host *h, int64_t now_us, struct http_host_action *out);
int64_t http_host_next_us(const struct http_host *h);
/* http_status 0: no answer came. Every NOTICE action is to be answered with this once. */
void http_host_notice_done(struct http_host *h, uint64_t id, int http_status, int64_t now_us);

/* GET /ledger?from=&limit=, GET|PUT|POST /knobs, POST /reset, GET /stats; anything else goes to the
 * brain's command. Answers JSON in `body` (errors: {"error": sentence}) and gives the HTTP status.
 * room for the body: http_host_control_room. PUT /knobs replaces the faults, POST adds to them.
 * /reset: empty books, no faults, answers that wait are lost, notices forgotten. */
int http_host_control(struct http_host *h, struct view method, struct view path, struct view query,
                      struct view body, int64_t now_us, struct writer *out);
size_t http_host_control_room(const struct http_host *h, struct view method, struct view path,
                              struct view query);
/* The counterpart's record of what it booked, with the faults that are set; GET /settlement in the
 * shell. NOT_FOUND: this one gives none; MALFORMED, REFUSED: `why` has a sentence; NO_MEMORY. Close
 * it before the host. */
enum status http_host_settlement(struct http_host *h, struct view query, int64_t now_us,
                                 struct settlement **out, struct writer *why);
/* The body of a scenario file or of PUT /knobs, as a whole or not at all. */
enum status http_host_set(struct http_host *h, struct view json, int64_t now_us,
                          struct writer *why);
/* What brain->open gave, for checkers that look into the books. */
void *http_host_brain(struct http_host *h);

#endif
