/* reads.c - GET: a payment, the list, its refunds and captures, its timeline, the published limits.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/webhook.h"

#define PAGE_DEFAULT 20

void ask_store(struct call *call, void (*done)(struct store_read *read, void *arg))
{
    call->read.arena = &call->arena;
    call->read.merchant = call->merchant;
    call->read.done = done;
    call->read.arg = call;
    call->reading = true;
    if (store_ask(call->api->o.store, &call->read) != STATUS_OK) {
        call->reading = false;
        reply_problem(call, PROBLEM_OVERLOADED, "Try again.");
    }
}

bool read_succeeded(struct call *call, struct store_read *read, const char *missing)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    call->reading = false;
    if (read->result == STATUS_OK)
        return true;
    if (read->result == STATUS_NOT_FOUND)
        reply_problem(call, PROBLEM_NOT_FOUND, "%s", missing);
    else
        reply_problem(call, PROBLEM_STORE_FAILED, "The records cannot be read.");
    return false;
}

static bool read_ok(struct call *call, struct store_read *read)
{
    return read_succeeded(call, read, "There is no payment with this id.");
}

static void reply_written(struct call *call, struct writer *w)
{
    if (w->overflow)
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large; ask for fewer rows.");
    else
        reply(call, 200, writer_done(w));
}

/* --- one payment ---------------------------------------------------------------------------------
 */

static void payment_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_ok(call, read))
        return;
    if (call->then != NULL) {
        call->then(call);
        return;
    }
    const struct payment_row *row = &read->payments[0];
    size_t room = 1024 + row->facts_json.len + row->outcome_json.len + 6 * row->reference.len;
    uint8_t *bytes = arena_alloc(&call->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    render_payment(&j, NULL, row);
    reply_written(call, &w);
}

void run_read(struct call *call)
{
    call->read = (struct store_read){ .question = STORE_ONE_PAYMENT, .payment = call->payment };
    ask_store(call, payment_read);
}

/* --- lists
 * ---------------------------------------------------------------------------------------- */

enum list_kind { LIST_PAYMENTS = 1, LIST_OPERATIONS, LIST_EVENTS };

static size_t rows_bytes(const struct store_read *read)
{
    size_t total = 1024;
    for (size_t i = 0; i < read->count; i++) {
        total += 1024;
        if (read->question == STORE_PAYMENTS)
            total += read->payments[i].facts_json.len + read->payments[i].outcome_json.len +
                     6 * read->payments[i].reference.len;
        else if (read->question == STORE_OPERATIONS)
            total += read->operations[i].facts_json.len + read->operations[i].outcome_json.len;
        else
            total += read->events[i].data_json.len;
    }
    return total;
}

/* Not the last row's id: a page may be empty, and there may still be more. */
static void put_cursor(struct json_out *j, const struct store_read *read)
{
    char text[ID_TEXT_MAX];
    if (read->more)
        json_put_text(j, "next_cursor",
                      view_text(id_format(read->question == STORE_PAYMENTS ? ID_PAYMENT : ID_EVENT,
                                          read->through, text)));
    else
        json_put_null(j, "next_cursor");
}

bool cursor_known(struct call *call)
{
    if (call->read.after <= call->read.journal_seq)
        return true;
    reply_problem(call, PROBLEM_CURSOR_UNKNOWN,
                  "The journal ends before this cursor: the gateway's records were put back to an "
                  "earlier time. Keep the cursor, and ask the operator.");
    return false;
}

static void list_write(struct call *call, const struct store_read *read)
{
    size_t room = rows_bytes(read);
    uint8_t *bytes = arena_alloc(&call->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "data");
    for (size_t i = 0; i < read->count; i++) {
        if (read->question == STORE_PAYMENTS)
            render_payment(&j, NULL, &read->payments[i]);
        else if (read->question == STORE_OPERATIONS)
            render_operation(&j, NULL, &read->operations[i], call->currency);
        else
            render_event(&j, NULL, &read->events[i]);
    }
    json_close_array(&j);
    json_put_bool(&j, "has_more", read->more);
    if (read->question != STORE_OPERATIONS)
        put_cursor(&j, read);
    json_close_object(&j);
    reply_written(call, &w);
}

static void list_ends_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_ok(call, read) || !cursor_known(call))
        return;
    read->question = STORE_EVENTS; /* an empty page of them */
    list_write(call, read);
}

static void list_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_ok(call, read))
        return;
    bool events = read->question == STORE_EVENTS || read->question == STORE_EVENTS_OF_PAYMENT;
    if (events && read->count == 0 && !read->more && read->after > 0) { /* nothing yet, or never? */
        read->question = STORE_JOURNAL_ENDS;
        ask_store(call, list_ends_read);
        return;
    }
    list_write(call, read);
}

bool parameter(struct call *call, const char *name, size_t max, struct view *out)
{
    uint8_t *room = arena_alloc(&call->arena, max);
    struct writer w = writer_over(room, room != NULL ? max : 0);
    enum status status = http_query_value(http_query(call->http), name, &w);
    *out = VIEW_EMPTY;
    if (status == STATUS_NOT_FOUND)
        return true;
    if (status != STATUS_OK || w.overflow || w.len == 0 || !view_is_utf8(writer_done(&w))) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "The parameter `%s` is empty, too long or malformed.", name);
        return false;
    }
    *out = writer_done(&w);
    return true;
}

bool page_parameters(struct call *call, enum id_kind cursor_kind)
{
    struct view cursor, limit;
    uint64_t number = PAGE_DEFAULT;
    if (!parameter(call, "cursor", ID_TEXT_MAX, &cursor) || !parameter(call, "limit", 8, &limit))
        return false;
    if (cursor.len > 0 && id_parse(cursor_kind, cursor, &call->read.after) != STATUS_OK) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`cursor` must be a next_cursor of an earlier answer.");
        return false;
    }
    if (limit.len > 0 &&
        (view_to_u64(limit, STORE_PAGE_MAX, &number) != STATUS_OK || number == 0)) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER, "`limit` must be 1 to %d.", STORE_PAGE_MAX);
        return false;
    }
    call->read.limit = (uint32_t)number;
    return true;
}

void run_list(struct call *call)
{
    struct view status, reference;
    call->read = (struct store_read){ .question = STORE_PAYMENTS };
    if (!page_parameters(call, ID_PAYMENT) || !parameter(call, "status", 32, &status) ||
        !parameter(call, "reference", 512, &reference))
        return;
    if (status.len > 0 && payment_status_parse(status, &call->read.status) != STATUS_OK) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER, "`status` is none of the payment statuses.");
        return;
    }
    if (characters(reference) > 128) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "The parameter `reference` has more than 128 characters.");
        return;
    }
    call->read.reference = reference;
    ask_store(call, list_read);
}

void run_events(struct call *call)
{
    call->read =
        (struct store_read){ .question = STORE_EVENTS_OF_PAYMENT, .payment = call->payment };
    if (page_parameters(call, ID_EVENT))
        ask_store(call, list_read);
}

bool kind_parameter(struct call *call)
{
    if (!parameter(call, "kind", WEBHOOK_KIND_MAX, &call->read.event_kind))
        return false;
    if (call->read.event_kind.len == 0 || webhook_kind_valid(call->read.event_kind))
        return true;
    reply_problem(call, PROBLEM_INVALID_PARAMETER,
                  "`kind` must be a kind of events, or end with `.*`: payment.*");
    return false;
}

void run_all_events(struct call *call)
{
    call->read = (struct store_read){ .question = STORE_EVENTS };
    if (page_parameters(call, ID_EVENT) && kind_parameter(call))
        ask_store(call, list_read);
}

/* The payment was read first: it tells the currency, and that it is this merchant's. */
static void list_operations(struct call *call, enum operation kind)
{
    memcpy(call->currency, call->read.payments[0].currency, sizeof call->currency);
    call->read =
        (struct store_read){ .question = STORE_OPERATIONS, .payment = call->payment, .kind = kind };
    ask_store(call, list_read);
}

static void list_refunds(struct call *call)
{
    list_operations(call, OPERATION_REFUND);
}

static void list_captures(struct call *call)
{
    list_operations(call, OPERATION_CAPTURE);
}

void run_refunds_list(struct call *call)
{
    call->then = list_refunds;
    run_read(call);
}

void run_captures_list(struct call *call)
{
    call->then = list_captures;
    run_read(call);
}

void run_limits(struct call *call)
{
    const struct settings *s = call->api->o.settings;
    uint8_t room[1024];
    struct writer w = writer_over(room, sizeof room);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_i64(&j, "body_bytes", s->limit_body_bytes);
    json_put_i64(&j, "depth", s->limit_depth);
    json_put_i64(&j, "header_bytes", s->limit_header_bytes);
    json_put_i64(&j, "header_time_ms", s->limit_header_time_us / LOOP_US_PER_MS);
    json_put_i64(&j, "body_time_ms", s->limit_body_time_us / LOOP_US_PER_MS);
    json_put_i64(&j, "requests_per_second_per_key", s->limit_requests_per_second_per_key);
    json_put_i64(&j, "wait_max_ms", s->limit_wait_us / LOOP_US_PER_MS);
    json_put_i64(&j, "idempotency_days", s->store_idempotency_days);
    json_put_i64(&j, "page_max", STORE_PAGE_MAX);
    json_close_object(&j);
    reply_written(call, &w);
}
