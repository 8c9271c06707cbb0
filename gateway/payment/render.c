/* render.c - a row becomes JSON. facts_json, outcome_json and operation_json hold members ready to
 * be spliced in; everything else is a column. */
#include "payment/render.h"

#include "base/ensure.h"
#include "domain/id_json.h"

static void render_amount(struct json_out *j, const char *key, int64_t minor, const char *currency)
{
    json_open_object(j, key);
    json_put_i64(j, "value", minor);
    json_put_text(j, "currency", view_text(currency));
    json_close_object(j);
}

/* `members` is what stands between the braces of an object. */
static void splice(struct json_out *j, struct view members)
{
    if (members.len > 0)
        json_put_raw(j, NULL, members);
}

struct flow_sums payment_sums(const struct payment_row *row)
{
    return (struct flow_sums){ .amount = row->amount,
                               .authorized = row->authorized,
                               .capturing = row->capturing,
                               .captured = row->captured,
                               .releasing = row->releasing,
                               .released = row->released,
                               .refunding = row->refunding,
                               .refunded = row->refunded };
}

static void put_payment(struct json_out *j, const struct payment_row *row)
{
    struct flow_sums sums = payment_sums(row);
    json_put_id(j, "id", ID_PAYMENT, row->id);
    json_put_text(j, "status", view_text(payment_status_word(row->status)));
    render_amount(j, "amount", row->amount, row->currency);
    json_put_i64(j, "authorized", row->authorized);
    json_put_i64(j, "captured", row->captured);
    json_put_i64(j, "refunded", row->refunded);
    json_put_i64(j, "capturable", row->status == PAYMENT_AUTHORIZED ? flow_capturable(&sums) : 0);
    json_put_i64(j, "refundable", flow_refundable(&sums));
    json_put_text(j, "kind", view_text(payment_kind_word(row->kind)));
    json_put_text(j, "capture", view_text(capture_mode_word(row->capture)));
    json_put_text_if(j, "reference", row->reference);
    splice(j, row->facts_json);
    if (row->outcome_json.len > 0)
        splice(j, row->outcome_json);
    else
        json_put_null(j, "outcome");
    if (row->status != PAYMENT_REQUIRES_ACTION) /* else it is a member of outcome_json */
        json_put_null(j, "next_action");
    json_put_time(j, "created", row->created_us);
    json_put_time(j, "updated", row->updated_us);
}

void render_payment(struct json_out *j, const char *key, const struct payment_row *row)
{
    json_open_object(j, key);
    put_payment(j, row);
    json_close_object(j);
}

void render_payment_after(struct json_out *j, const char *key, const struct payment_row *row,
                          const struct operation_row *operation)
{
    json_open_object(j, key);
    put_payment(j, row);
    render_operation(j, "operation", operation, row->currency);
    json_close_object(j);
}

enum id_kind operation_id_kind(enum operation kind)
{
    switch (kind) {
    case OPERATION_CAPTURE: return ID_CAPTURE;
    case OPERATION_CANCEL: return ID_CANCEL;
    case OPERATION_REFUND: return ID_REFUND;
    default: return ID_CHARGE;
    }
}

void render_operation(struct json_out *j, const char *key, const struct operation_row *row,
                      const char *currency)
{
    json_open_object(j, key);
    json_put_id(j, "id", operation_id_kind(row->kind), row->id);
    json_put_text(j, "kind", view_text(operation_word(row->kind)));
    json_put_id(j, "payment", ID_PAYMENT, row->payment);
    json_put_text(j, "status", view_text(operation_status_word(row->status)));
    render_amount(j, "amount", row->amount, currency);
    splice(j, row->facts_json);
    if (row->outcome_json.len > 0)
        splice(j, row->outcome_json);
    else
        json_put_null(j, "outcome");
    json_put_time(j, "created", row->created_us);
    json_put_time(j, "updated", row->updated_us);
    json_close_object(j);
}

void render_event(struct json_out *j, const char *key, const struct event_row *row)
{
    json_open_object(j, key);
    json_put_id(j, "id", ID_EVENT, row->seq);
    json_put_i64(j, "sequence", row->seq);
    json_put_time(j, "time", row->time_us);
    json_put_text(j, "kind", row->kind);
    if (row->payment != 0)
        json_put_id(j, "payment", ID_PAYMENT, row->payment);
    json_put_raw(j, "data", row->data_json.len > 0 ? row->data_json : VIEW("{}"));
    json_close_object(j);
}
