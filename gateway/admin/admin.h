/* admin.h - operators' commands to a running gateway, as HTTP over a Unix socket.
 *
 *     POST /reload                                                     load profiles and lists anew
 *     POST /profiles/{region}/rollback   {"seq": N, "by": "NAME"}      seq left out: the one before
 *     GET  /reviews                      ?after=pay_...                payments that wait
 *     POST /reviews/{payment}/approve    {"by": "NAME", "why": "..."}
 *     POST /reviews/{payment}/reject     {"by": "NAME", "why": "..."}
 *     POST /attempts/{attempt}/resolve   {"as": "approved", "by": "NAME", "why": "..."}
 *                                        and, if wanted, "amount": N, "evidence": "..."
 *
 * Who may connect is said by the rights of the socket's file: mode 0600, so the gateway's own user
 * and root. There is no other authentication; `by` is what the person says, and goes into the
 * journal.
 *
 * Errors are problem documents (RFC 9457). All calls on the loop's thread.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "payment/payment.h"
#include "wire/http_server.h"

struct admin;

/* Called once, possibly from inside; body: JSON, a problem when http_status is 400 or more. */
typedef void admin_done_fn(void *arg, int http_status, struct view body);

struct admin_options {
    struct wire *wire;
    struct loop *loop;
    struct store *store;
    struct payments *payments;
    const char *path; /* of the socket */
    const struct log *log;
    /* region, by: valid during the call. seq 0: the version before the one in force. */
    void (*reload)(void *arg, admin_done_fn *done, void *done_arg);
    void (*rollback)(void *arg, struct view region, int64_t seq, struct view by,
                     admin_done_fn *done, void *done_arg);
    void *arg;
    const void *owner; /* see wire_crash */
};
/* EXISTS: somebody listens there, or the file is no socket; RANGE: the path is too long;
 * UNSUPPORTED: the wire is in memory. *out is NULL then. */
enum status admin_open(struct admin **out, const struct admin_options *options);
/* After the store was closed (what was asked of it is answered then) and before payments_close;
 * nobody may call a done function afterwards. NULL is allowed. */
void admin_close(struct admin *admin);

#endif
