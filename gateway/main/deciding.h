/* deciding.h - one payment decided by hand, for `explain` and `backtest`: what the payment room
 * does with a request, without recording anything.
 */
#ifndef MAIN_DECIDING_H
#define MAIN_DECIDING_H

#include "payment/screen.h"
#include "json/json_read.h"

/* Facts of a request, or of a payment as it is rendered, at a time. MALFORMED with a sentence. A
 * card's account is a keyed hash in the gateway; here a placeholder stands for it, so that rules
 * that need it are not taken for unanswered. */
enum status deciding_facts(const struct json_node *root, const struct settings *settings,
                           int64_t wall_us, struct compliance_facts *facts, struct writer *why);

/* "2026-03-01T21:30:00Z", "2026-03-01T21:30:00+01:00", "2026-03-01" (midnight UTC). */
bool deciding_time(const char *text, int64_t *wall_us);

/* Microseconds since 1970, now. */
int64_t deciding_now(void);

#endif
