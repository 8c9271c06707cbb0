/* webhook.h - the values of webhooks, without anything that moves: where to, for what, under which
 * secret, and which addresses are nobody's business but our own.
 *
 * Pure; any thread. Standard Webhooks: https://www.standardwebhooks.com (specification 1.0).
 */
#ifndef DOMAIN_WEBHOOK_H
#define DOMAIN_WEBHOOK_H

#include "domain/ids.h"

#define WEBHOOK_URL_MAX      2000
#define WEBHOOK_KINDS_MAX    20 /* patterns of one endpoint */
#define WEBHOOK_KIND_MAX     64 /* bytes of one */
#define WEBHOOK_SECRET_MIN   24 /* bytes, before base64 */
#define WEBHOOK_SECRET_MAX   64
#define WEBHOOK_SECRET_BYTES 32 /* of those that we draw */
#define WEBHOOK_SECRET_TEXT  96 /* room for "whsec_", 64 bytes in base64, and a zero byte */

struct web_url {
    bool https;
    char host[254]; /* lower or upper case as given; an IPv6 literal without its brackets */
    uint16_t port;
    struct view path; /* with query, begins with '/'; points into the text, or at a constant */
};
/* An absolute http or https URL as it may be posted to. MALFORMED: no such URL, a user name or a
 * fragment in it, letters that no URL has. RANGE: longer than WEBHOOK_URL_MAX. */
enum status web_url_parse(struct view text, struct web_url *out);

/* Whether an address (4 bytes, or 16; network order) may be anybody's on the public internet.
 * False for private, loopback, link-local, multicast, documentation, benchmarking and reserved
 * ranges (IANA special-purpose registries), also inside IPv6 forms that carry an IPv4 address. */
bool ip_is_public(struct view address);
/* What can be said of a host before it is resolved: DENIED for a literal that is not public and
 * for names that are local by definition (localhost, .local, .internal, ...); MALFORMED for numbers
 * in other forms than dotted decimal (0x7f.1, 2130706433), which some resolvers take. */
enum status web_host_check(const char *host);

/* Events for which somebody asks: "*", "payment.*" or a whole kind. */
bool webhook_kind_valid(struct view pattern);
/* `patterns` is a list with blanks between, as it is stored. */
bool webhook_kinds_match(struct view patterns, struct view kind);
/* Whether events of this kind may leave at all: what operators record (compliance.*, profile.*) and
 * what belongs to no merchant (0) never do. */
bool webhook_event_leaves(struct view kind, int64_t merchant);

/* RFC 4648 4, with padding. */
void base64_write(struct writer *w, struct view bytes);
/* MALFORMED for any other letter, length or padding, and for bits left over. */
enum status base64_read(struct view text, struct writer *out);
/* "whsec_" and base64. */
void webhook_secret_write(struct writer *w, struct view bytes);
/* The bytes of such a text; RANGE outside WEBHOOK_SECRET_MIN..MAX. */
enum status webhook_secret_read(struct view text, struct writer *out);

/* The context under which the secret of an endpoint is sealed. */
struct view webhook_seal_context(int64_t endpoint, char out[48]);

/* How long to wait before try number `failures` + 1 (failures >= 1), without jitter: 5 s, 30 s,
 * 2 min, 10 min, 1 h, 3 h, 6 h, then 12 h each, all stretched by first_us / 5 s. */
int64_t webhook_backoff_us(int64_t failures, int64_t first_us);

/* What a receiver says with Retry-After (RFC 9110 10.2.3): seconds, or an IMF-fixdate. Zero for a
 * time that is over. MALFORMED for anything else. */
enum status webhook_retry_after_us(struct view value, int64_t now_us, int64_t *out);

#endif
