/* requests.c - what all POSTs share (key, digest, Prefer, body), and capture, cancel, refund. */
#include "api/api_int.h"

#include "base/ensure.h"

/* --- body
 * ----------------------------------------------------------------------------------------- */

static bool is_json(struct view type)
{
    struct view essence = view_trim(view_slice(type, 0, view_find(type, ';')));
    return view_equal_nocase(essence, VIEW("application/json"));
}

bool body_json(struct call *call, struct arena *arena, bool may_be_empty,
               const struct json_node **root)
{
    struct view body = http_body(call->http);
    if (body.len == 0 && may_be_empty) {
        *root = NULL;
        return true;
    }
    if (!is_json(http_header(call->http, "content-type"))) {
        reply_problem(call, PROBLEM_NOT_ACCEPTABLE_TYPE, "Send `Content-Type: application/json`.");
        return false;
    }
    const struct settings *s = call->api->o.settings;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.depth_max = (uint32_t)s->limit_depth;
    limits.bytes_max = (size_t)s->limit_body_bytes;
    struct json_error error;
    enum status status = json_read(body, &limits, arena, root, &error);
    if (arena->starved) {
        reply_problem(call, PROBLEM_OVERLOADED, "Memory is out. " DID_NOTHING);
        return false;
    }
    if (status != STATUS_OK) {
        struct problem_error at = { .pointer =
                                        pointer_without_pan(arena, json_error_pointer(&error)),
                                    .code = status == STATUS_EXISTS ? "duplicate_name"
                                            : status == STATUS_FULL ? "limit"
                                                                    : "malformed",
                                    .detail = view_text(error.message) };
        char text[256];
        struct writer w = writer_over(text, sizeof text);
        writer_format(&w, "At byte %zu: %s", error.offset, error.message);
        reply_errors(call, PROBLEM_MALFORMED_JSON, writer_done(&w), &at, 1);
        return false;
    }
    if ((*root)->kind != JSON_OBJECT) {
        reply_problem(call, PROBLEM_MALFORMED_JSON, "The body must be a JSON object.");
        return false;
    }
    return true;
}

/* --- headers
 * ---------------------------------------------------------------------------------------- */

bool call_key(struct call *call, struct view *key)
{
    *key = http_header(call->http, "idempotency-key");
    size_t count = http_header_count(call->http, "idempotency-key");
    if (count == 0 || key->len == 0) {
        reply_problem(
            call, PROBLEM_IDEMPOTENCY_KEY_MISSING,
            "Send `Idempotency-Key` with 1 to 255 visible characters, a new one for each request, "
            "the same one for each repeat.");
        return false;
    }
    bool visible = count == 1 && key->len <= STORE_IDEM_KEY_MAX;
    for (size_t i = 0; i < key->len && visible; i++)
        visible = key->ptr[i] > 0x20 && key->ptr[i] < 0x7f;
    if (!visible) {
        reply_problem(call, PROBLEM_IDEMPOTENCY_KEY_INVALID,
                      "One Idempotency-Key of 1 to 255 visible ASCII characters is expected.");
        return false;
    }
    if (looks_like_pan(*key)) {
        reply_problem(call, PROBLEM_IDEMPOTENCY_KEY_INVALID,
                      "The Idempotency-Key looks like a card number; it would be stored.");
        return false;
    }
    return true;
}

/* Prefer: wait=N (RFC 7240); other preferences are not ours. -1 when absent. */
static bool read_wait(struct call *call, int64_t *wait_us)
{
    struct view prefer = http_header(call->http, "prefer");
    *wait_us = -1;
    while (prefer.len > 0) {
        size_t end = view_find(prefer, ',');
        struct view token = view_trim(view_slice(prefer, 0, end));
        prefer = view_slice(prefer, end + 1, prefer.len);
        if (!view_equal_nocase(view_slice(token, 0, 5), VIEW("wait=")))
            continue;
        uint64_t seconds;
        if (view_to_u64(view_slice(token, 5, token.len), 86400, &seconds) != STATUS_OK) {
            reply_problem(call, PROBLEM_INVALID_PARAMETER, "`Prefer: wait=N` takes whole seconds.");
            return false;
        }
        *wait_us = (int64_t)seconds * LOOP_US_PER_S;
        int64_t most_us = call->api->o.settings->limit_wait_us;
        if (*wait_us > most_us)
            *wait_us = most_us;
    }
    return true;
}

/* Keyed, because the body may hold a card number: a plain digest could be searched for it. */
enum status call_digest(struct call *call, struct arena *arena, uint8_t out[32])
{
    struct view path = http_path(call->http), body = http_body(call->http);
    size_t room = path.len + body.len + 16, len;
    uint8_t *bytes = arena_alloc(arena, room);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(bytes, room);
    writer_u32_be(&w, (uint32_t)path.len);
    writer_view(&w, path);
    writer_view(&w, body);
    return secret_mac(call->api->idem, writer_done(&w), out, &len);
}

struct payment_request *request_new(struct call *call)
{
    struct view key;
    int64_t wait_us;
    /* Whatever a POST brings, and wherever: looking for a card number copies digits. */
    loop_defer(call->api->o.loop, &call->api->scrub);
    if (!call_key(call, &key) || !read_wait(call, &wait_us))
        return NULL;
    struct payment_request *r = payment_request_new(call->api->o.payments);
    if (r == NULL) {
        reply_problem(call, PROBLEM_OVERLOADED, DID_NOTHING);
        return NULL;
    }
    r->merchant = call->merchant;
    r->wait_us = wait_us;
    r->payment = call->payment;
    r->idem_key = arena_copy(&r->arena, key);
    enum status digested = call_digest(call, &call->arena, r->idem_mac);
    if (digested == STATUS_NO_MEMORY)
        call->arena.starved = true;
    if (request_starved(call, r))
        return NULL;
    if (digested != STATUS_OK || r->arena.overflow) {
        payment_request_drop(call->api->o.payments, r);
        reply_problem(call, PROBLEM_INTERNAL, "The request cannot be digested.");
        return NULL;
    }
    return r;
}

bool request_starved(struct call *call, struct payment_request *r)
{
    if (!call->arena.starved && !r->arena.starved)
        return false;
    payment_request_drop(call->api->o.payments, r);
    reply_problem(call, PROBLEM_OVERLOADED, "Memory is out. " DID_NOTHING);
    return true;
}

/* --- capture, cancel, refund
 * --------------------------------------------------------------------------- */

static void run_operation(struct call *call, enum operation verb)
{
    static const char *const with_amount[] = { "amount", "reference", "metadata", "description" };
    static const char *const without[] = { "reference", "metadata", "description" };
    struct payments *payments = call->api->o.payments;
    struct payment_request *r = request_new(call);
    const struct json_node *root;
    if (r == NULL)
        return;
    if (!body_json(call, &call->arena, true, &root)) {
        payment_request_drop(payments, r);
        return;
    }
    struct fields f = { .arena = &call->arena };
    size_t room = 3 * http_body(call->http).len + 256;
    uint8_t *bytes = arena_alloc(&r->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out out;
    json_out_init(&out, &w);
    json_open_object(&out, NULL);
    if (root != NULL) {
        bool amounts = verb != OPERATION_CANCEL;
        fields_known(&f, root, amounts ? with_amount : without,
                     amounts ? COUNT_OF(with_amount) : COUNT_OF(without));
        field_no_pan(&f, root);
        json_put_text_if(&out, "reference", field_text(&f, root, "reference", 1, 128, false));
        json_put_text_if(&out, "description", field_text(&f, root, "description", 1, 500, false));
        read_metadata(&f, root, &out);
        if (amounts && field_amount(&f, root, "amount", false, &r->amount)) {
            r->amount_minor = r->amount.minor;
            r->currency = view_text(r->amount.currency->code);
        }
    }
    json_close_object(&out);
    if (request_starved(call, r))
        return;
    if (f.count > 0 || w.overflow) {
        payment_request_drop(payments, r);
        reply_errors(
            call, f.unknown && f.count == 1 ? PROBLEM_UNKNOWN_FIELD : PROBLEM_INVALID_FIELD,
            VIEW("See errors: each has a JSON pointer to the field and what was expected."),
            f.errors, f.count);
        return;
    }
    r->verb = verb;
    r->operation_json = view_of(bytes + 1, w.len - 2);
    payment_submit(payments, &r, reply_payment, call);
}

void run_capture(struct call *call)
{
    run_operation(call, OPERATION_CAPTURE);
}

void run_cancel(struct call *call)
{
    run_operation(call, OPERATION_CANCEL);
}

void run_refund(struct call *call)
{
    run_operation(call, OPERATION_REFUND);
}
