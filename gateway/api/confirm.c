/* confirm.c - POST /v1/payments/{id}/confirm: the payer was asked, and this is the result.
 *
 * Only form is looked at here; whether a code or an assertion is right is payment/authenticate.h's
 * to say. Both are secrets as long as they hold: they go into the request's arena, which is wiped,
 * and into the keyed digest of the request, and nowhere else.
 */
#include "api/api_int.h"

#include "base/ensure.h"

#define CODE_DIGITS_MIN 6
#define CODE_DIGITS_MAX 8
#define ASSERTION_MAX   4096 /* bytes */

static struct view read_assertion(struct fields *f, const struct json_node *node)
{
    struct view assertion = field_text(f, node, "assertion", 1, ASSERTION_MAX, true);
    for (size_t i = 0; i < assertion.len; i++) {
        uint8_t c = assertion.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_' && c != '.') {
            field_error(f, json_member(node, "assertion"), "wrong_letters",
                        "A compact JWS is expected: base64url in three parts with dots between.");
            return VIEW_EMPTY;
        }
    }
    return assertion;
}

void read_confirm(struct fields *f, const struct json_node *root, struct payment_request *r)
{
    static const char *const known[] = { "authentication" };
    static const char *const members[] = { "type", "code", "assertion" };
    static const char *const types[] = { "code", "assertion" };
    fields_known(f, root, known, COUNT_OF(known));
    const struct json_node *node = field_object(f, root, "authentication", true);
    if (node == NULL)
        return;
    fields_known(f, node, members, COUNT_OF(members));
    struct view type = field_word(f, node, "type", types, COUNT_OF(types), true);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct json_node *other = json_member(node, types[i]);
        if (type.len > 0 && other != NULL && !view_is(type, types[i]))
            field_error(f, other, "contradiction",
                        "Only the member named like the type belongs here.");
    }
    r->confirm = true;
    if (view_is(type, "code"))
        r->confirm_code = arena_copy(
            &r->arena, field_code(f, node, "code", 'd', CODE_DIGITS_MIN, CODE_DIGITS_MAX, true));
    else if (view_is(type, "assertion"))
        r->confirm_assertion = arena_copy(&r->arena, read_assertion(f, node));
}

void run_confirm(struct call *call)
{
    struct payments *payments = call->api->o.payments;
    struct payment_request *r = request_new(call);
    const struct json_node *root;
    if (r == NULL)
        return;
    if (!body_json(call, &call->arena, false, &root)) {
        payment_request_drop(payments, r);
        return;
    }
    struct fields f = { .arena = &call->arena };
    read_confirm(&f, root, r);
    if (request_starved(call, r))
        return;
    if (f.count == 0 && r->arena.overflow)
        field_error(&f, root, "too_large", "The request is too large.");
    if (f.count > 0) {
        payment_request_drop(payments, r);
        reply_errors(
            call, f.unknown && f.count == 1 ? PROBLEM_UNKNOWN_FIELD : PROBLEM_INVALID_FIELD,
            VIEW("See errors: each has a JSON pointer to the field and what was expected."),
            f.errors, f.count);
        return;
    }
    payment_submit(payments, &r, reply_payment, call);
}
