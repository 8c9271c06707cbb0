/* outbox.h - readers of the journal: webhooks to merchants (Standard Webhooks 1.0).
 *
 *     outbox_open -> outbox_start -> ... -> outbox_stop -> (the store is closed) -> outbox_close
 *                                                       -> (a crash) -> outbox_abandon
 *
 * Nothing here stands in a payment's way: the outbox reads what is in the journal already, and its
 * own progress (a cursor for each endpoint) is a commit like any other. Events leave at least once,
 * for each endpoint in the order of the journal. Endpoints are made and changed by others (api/),
 * in the store; outbox_endpoint_changed tells that one was.
 *
 * All calls on the loop's thread.
 */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include "base/log.h"
#include "secret/secret.h"
#include "settings/settings.h"
#include "store/store.h"
#include "wire/http_client.h"
#include "wire/tls.h"

#define OUTBOX_ENDPOINTS_MAX 100000

struct outbox;

struct outbox_options {
    struct loop *loop;
    struct store *store;
    struct wire *wire;
    struct secrets *secrets; /* "host.seal" must be there */
    const struct settings *settings;
    const struct log *log;
    const void *owner;
};
/* `why`: a sentence when the authorities of webhooks.ca cannot be read. */
enum status outbox_open(struct outbox **out, const struct outbox_options *options,
                        struct writer *why);
/* Reads the endpoints and goes on where each of them was. */
void outbox_start(struct outbox *outbox);
/* The row of this endpoint was inserted, updated or deleted (and committed). */
void outbox_endpoint_changed(struct outbox *outbox, int64_t id);
/* Nothing new begins; the store may be closed afterwards. NULL is allowed here and below. */
void outbox_stop(struct outbox *outbox);
void outbox_close(struct outbox *outbox);
/* Simulated crash, after wire_crash and store_crash. */
void outbox_abandon(struct outbox *outbox);

struct outbox_stats {
    uint64_t delivered, failed, disabled; /* tries; endpoints that we disabled */
    uint64_t endpoints, pending;          /* known; enabled ones with something to deliver */
    uint64_t working;                     /* deliveries under way */
    int64_t lag_us_max; /* age of the oldest event that waits for an enabled endpoint */
};
void outbox_stats(const struct outbox *outbox, struct outbox_stats *out);

/* --- message.c: also used by `railgate listen`, which signs alike
 * ------------------------------------------------ */

/* Body of a webhook: {"type","timestamp","data"}; data is the event as GET /v1/events shows it. */
void outbox_body(struct writer *w, const struct event_row *event);
/* The same, of an event that was rendered already (by GET /v1/events): its kind, its time, and the
 * whole object. */
void outbox_body_rendered(struct writer *w, struct view kind, struct view time,
                          struct view rendered);
/* "v1,<base64 of HMAC-SHA256(key, id.timestamp.body)>". `key` is a SECRET_HMAC_SHA256. */
enum status outbox_signature(struct secret_key *key, const char *id, int64_t timestamp_s,
                             struct view body, struct arena *arena, struct writer *out);

#endif
