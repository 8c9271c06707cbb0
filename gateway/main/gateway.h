/* gateway.h - all rooms of one gateway, wired together: what `railgate serve` runs, and what a
 * simulation runs many of in one process.
 *
 *     gateway_open -> gateway_start -> (ready) -> gateway_drain -> gateway_close
 *                                              -> gateway_crash, at any moment (virtual only)
 *
 * All calls on the loop's thread. Settings, loop, wire and log live longer than the gateway.
 */
#ifndef MAIN_GATEWAY_H
#define MAIN_GATEWAY_H

#include "admin/admin.h"
#include "api/api.h"
#include "channel/channel.h"
#include "main/open_differences.h"
#include "main/reload.h"
#include "notify/notify.h"
#include "outbox/outbox.h"
#include "payment/payment.h"

struct gateway;

struct gateway_options {
    const struct settings *settings;
    struct loop *loop;
    struct wire *wire;
    const struct log *log;
    builtin_fn *builtin; /* adapters that are linked in; NULL: from their files */
    void *builtin_arg;
    const char *store_vfs;   /* see store_options; NULL but in a simulation */
    const uint8_t *host_key; /* 32 bytes; NULL: from the file that the settings name */
    void (*step)(void *arg, const char *name); /* see payments_options */
    void *step_arg;
};
/* Opens store, keys, channels, profiles, lists and listeners; on a wire in memory without the
 * operators' socket. `why`: a line for each thing that is wrong; channels that do not load and
 * lists that cannot be used are in there too, although the gateway opens without them. */
enum status gateway_open(struct gateway **out, const struct gateway_options *options,
                         struct writer *why);
/* Takes up what was open at the last stop; `ready` is called once (not from inside). */
void gateway_start(struct gateway *gateway, void (*ready)(void *arg, enum status status),
                   void *arg);
bool gateway_ready(const struct gateway *gateway);
/* No new requests; `drained` is called once when none is waiting any more or time is over. */
void gateway_drain(struct gateway *gateway, int64_t most_us, void (*drained)(void *arg), void *arg);
void gateway_close(struct gateway *gateway);
/* As if the process had been killed here: what was not committed is forgotten, connections break.
 */
void gateway_crash(struct gateway *gateway);

/* The settings whose regions, tests and lists are in force, and what was made of them; valid until
 * the next turn of the loop. The rest of the settings is that of the start. */
const struct settings *gateway_settings(const struct gateway *gateway);
const struct policy *gateway_policy(const struct gateway *gateway);
/* From now on payments are decided by these; takes both over and frees those from before. */
void gateway_use_policy(struct gateway *gateway, struct settings **settings,
                        struct policy **policy);
struct reload *gateway_reload(struct gateway *gateway);
int64_t gateway_wall_us(const struct gateway *gateway);

const struct endpoint *gateway_api(const struct gateway *gateway);
const struct endpoint *gateway_ops(const struct gateway *gateway);
/* "https://host:port/notices/"; "" when no address for notices is configured. */
const char *gateway_notices(const struct gateway *gateway);
/* NULL: the same. */
struct notify *gateway_notify(const struct gateway *gateway);
struct outbox *gateway_outbox(const struct gateway *gateway);
struct store *gateway_store(struct gateway *gateway);
struct open_differences *gateway_open_differences(struct gateway *gateway);
struct channels *gateway_channels(struct gateway *gateway);
struct payments *gateway_payments(struct gateway *gateway);
void gateway_api_stats(const struct gateway *gateway, struct api_stats *out);

/* --- ops.c: the operators' listener
 * ----------------------------------------------------------------- */
/* /livez: 200 while the loop turns. /readyz: 200 when requests are taken and a channel is ready,
 * else 503 with the reasons. /metrics: Prometheus text. */
http_handler_fn ops_handle; /* arg: struct gateway */

#endif
