/* api.h - merchant requests in: authentication, JSON, problem answers (merchant-facing API, version
 * 1).
 *
 *     api_open -> (requests are served) -> api_drain -> api_close
 *
 * All calls on the loop's thread. docs/merchant.md and docs/openapi.yaml describe what is served.
 */
#ifndef API_API_H
#define API_API_H

#include "base/log.h"
#include "payment/payment.h"
#include "secret/secret.h"
#include "settings/settings.h"
#include "store/store.h"
#include "wire/http_server.h"
#include "wire/tls.h"

struct api;

struct api_options {
    struct wire *wire;
    struct loop *loop;
    struct store *store;
    struct payments *payments;
    struct secrets *secrets; /* "host.api_keys" and "host.idempotency" must be there */
    const struct settings *settings;
    struct tls_context *tls; /* NULL: plain */
    const struct log *log;
    const void *owner;
    /* A webhook endpoint was made, changed or deleted, on disk; may be NULL. */
    void (*endpoint_changed)(void *arg, int64_t id);
    void *endpoint_arg;
};
/* IO when the address cannot be listened on. */
enum status api_open(struct api **out, const struct api_options *options);
const struct endpoint *api_endpoint(const struct api *api);
/* No new connections; what runs is answered. */
void api_drain(struct api *api);
size_t api_running(const struct api *api);
void api_close(struct api *api);

struct api_stats {
    uint64_t streams, streams_dropped; /* event streams open now; slow readers so far */
    uint64_t requests, unauthorized, limited, answers[6]; /* by first digit of the HTTP status */
};
void api_stats(const struct api *api, struct api_stats *out);

/* --- keys: also used by `railgate keys` ---------------------------------------------------------
 */
#define SCOPE_PAYMENTS_READ  1u
#define SCOPE_PAYMENTS_WRITE 2u
#define SCOPE_REFUNDS_WRITE  4u
#define SCOPE_WEBHOOKS_WRITE 8u
#define SCOPE_ALL            15u
#define API_KEY_TEXT_MAX     48

/* "payments:read,refunds:write" or "all"; NOT_FOUND for an unknown one. */
enum status scopes_parse(struct view text, uint32_t *out);
void scopes_write(struct writer *w, uint32_t scopes);
/* Draws a new key: its text, "rg_test_" and 32 letters, which is shown once and never stored. */
void api_key_draw(struct loop *loop, bool live, char out[API_KEY_TEXT_MAX]);
/* The keyed hash under which it is stored ("host.api_keys"). */
enum status api_key_hash(struct secrets *secrets, struct view text, uint8_t out[32]);

#endif
