/* render.h - rows as the JSON that merchants see. Pure; used inside commits and for reads alike, so
 * a payment looks the same wherever it is shown. */
#ifndef PAYMENT_RENDER_H
#define PAYMENT_RENDER_H

#include "base/json_out.h"
#include "flow/flow.h"
#include "store/store.h"

/* key NULL: top level or array element. */
/* The same, and what became of the capture or cancel that was asked for: "operation". */
void render_payment_after(struct json_out *j, const char *key, const struct payment_row *row,
                          const struct operation_row *operation);
void render_payment(struct json_out *j, const char *key, const struct payment_row *row);
/* Captures, cancels, refunds: {"id":"ref_...","payment":"pay_...","kind":"refund","amount":...,...}
 */
void render_operation(struct json_out *j, const char *key, const struct operation_row *row,
                      const char *currency);
/* {"id":"evt_...","sequence":n,"time":...,"kind":...,"payment":...,"data":{...}} */
void render_event(struct json_out *j, const char *key, const struct event_row *row);
/* Public id of an operation: prefix by its kind. */
enum id_kind operation_id_kind(enum operation kind);
/* The sums of a row, for flow.h. */
struct flow_sums payment_sums(const struct payment_row *row);

#endif
