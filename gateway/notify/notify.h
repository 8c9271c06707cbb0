/* notify.h - notices of channels in, over HTTP(S): verify, identify, record, then acknowledge.
 *
 *     POST /notices/{channel}[/...]
 *
 * The adapter of the channel says what must be verified and what the message tells; secret/ checks
 * the signature, payment/ records each entry in a commit; only then the channel gets its 2xx. What
 * is not recorded is not acknowledged, so the channel sends it again:
 *
 *     200..299  recorded, or known before, or a hint that changes nothing
 *     400       not understood          401  the signature is not right
 *     404       no such channel         405  not POST
 *     413       too large               503  starting, stopping, overloaded, disk full: again later
 *
 * Duplicates and any order are normal. All calls on the loop's thread.
 */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include "base/log.h"
#include "channel/channel.h"
#include "payment/payment.h"
#include "wire/http_server.h"

struct notify;

struct notify_options {
    struct wire *wire;
    struct loop *loop;
    const struct settings *settings; /* lives as long as the room, as does all above */
    struct tls_context *tls;         /* NULL: plain */
    const struct log *log;
    const void *owner; /* see wire_crash */
};
/* Listens where `notify.listen` says. Channels are told the address before they are opened, so this
 * comes first; until notify_start everything is answered 503. */
enum status notify_open(struct notify **out, const struct notify_options *options);
/* Both live longer than the room takes notices. */
void notify_start(struct notify *notify, struct channels *channels, struct payments *payments);
const struct endpoint *notify_endpoint(const struct notify *notify);
void notify_drain(struct notify *notify);
/* Notices that wait to be recorded. */
size_t notify_running(const struct notify *notify);
/* After payments_close: nobody calls back any more. */
void notify_close(struct notify *notify);

/* Notices of framed links come by this way too (channels_options.notice; arg: the payments). */
void notify_framed(struct payments *payments, struct channel *channel,
                   const struct notice_read *read, notice_recorded_fn *recorded,
                   void *recorded_arg);

struct notify_stats {
    uint64_t received, acknowledged, refused, again;
};
void notify_stats(const struct notify *notify, struct notify_stats *out);

#endif
