/* create.c - POST /v1/payments: a JSON body becomes a payment request.
 *
 * Unknown fields are refused, and all errors are told at once. What goes on the answer and never
 * changes is written here as ready JSON members (`facts_json`); the method's own fields go to the
 * adapter as named values (`details`); what the region profile may ask about goes to compliance/ as
 * facts (create_facts.c). Views that outlive the call are copied into the request's arena: the tree
 * borrows from the HTTP body.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/refs.h"

#define DETAILS_BYTES 8192
#define METADATA_MAX  50

static const char *const create_fields[] = { "amount",  "kind",      "capture",   "method",
                                             "payer",   "payee",     "reference", "description",
                                             "purpose", "metadata",  "region",    "device",
                                             "risk",    "initiator", "cash" };

static void read_words(struct fields *f, const struct json_node *root, struct payment_request *r)
{
    struct view word = field_text(f, root, "kind", 1, 32, false);
    r->kind = PAYMENT_KIND_PURCHASE;
    if (word.len > 0 && payment_kind_parse(word, &r->kind) != STATUS_OK)
        field_error(f, json_member(root, "kind"), "unknown_value",
                    "purchase, top_up, transfer, payout or bill is expected.");
    word = field_text(f, root, "capture", 1, 32, false);
    r->capture = CAPTURE_AUTOMATIC;
    if (word.len > 0 && capture_mode_parse(word, &r->capture) != STATUS_OK)
        field_error(f, json_member(root, "capture"), "unknown_value",
                    "automatic or manual is expected.");
    r->verb = r->capture == CAPTURE_MANUAL ? OPERATION_AUTHORISE : OPERATION_SALE;
}

/* method.<type>, described under the rail that carries it: a scanned order for a bank goes by bank.
 */
static void read_rail(struct fields *f, const struct json_node *body, struct payment_request *r,
                      struct writer *details, struct json_out *facts)
{
    bool order = r->rail == RAIL_QR && bank_code(body) != NULL;
    if (order)
        r->rail = RAIL_BANK;
    json_open_object(facts, "method");
    json_put_text(facts, "type", view_text(rail_word(r->rail)));
    json_open_object(facts, rail_word(r->rail));
    if (order)
        read_qr_bank(f, body, details, facts);
    else if (r->rail == RAIL_CARD)
        read_card(f, body, details, facts);
    else if (r->rail == RAIL_QR)
        read_qr(f, body, details, facts);
    else if (r->rail == RAIL_BANK)
        read_bank(f, body, details, facts);
    else
        read_cbdc(f, body, details, facts);
    json_close_object(facts);
    json_close_object(facts);
}

static void read_method(struct fields *f, const struct json_node *root, struct payment_request *r,
                        struct writer *details, struct json_out *facts)
{
    static const char *const known[] = { "type", "card", "qr", "bank", "cbdc" };
    const struct json_node *method = field_object(f, root, "method", true);
    if (method == NULL)
        return;
    fields_known(f, method, known, COUNT_OF(known));
    struct view type = field_text(f, method, "type", 1, 16, true);
    if (type.len == 0)
        return;
    if (rail_parse(type, &r->rail) != STATUS_OK) {
        field_error(f, json_member(method, "type"), "unknown_value",
                    "card, qr, bank or cbdc is expected.");
        return;
    }
    for (JSON_EACH(member, method))
        if (!view_is(member->key, "type") && !view_equal(member->key, type))
            field_error(f, member, "wrong_method",
                        "Only the member named like the type belongs here.");
    char name[17];
    ENSURE(view_to_text(type, name, sizeof name) == STATUS_OK);
    const struct json_node *body = field_object(f, method, name, true);
    if (body != NULL)
        read_rail(f, body, r, details, facts);
}

void read_metadata(struct fields *f, const struct json_node *root, struct json_out *facts)
{
    const struct json_node *metadata = field_object(f, root, "metadata", false);
    if (metadata == NULL)
        return;
    if (metadata->count > METADATA_MAX) {
        field_error(f, metadata, "too_many", "At most %d members are expected.", METADATA_MAX);
        return;
    }
    field_no_pan(f, metadata);
    json_open_object(facts, "metadata");
    for (JSON_EACH(item, metadata)) {
        char name[41];
        struct view value = VIEW_EMPTY;
        if (view_to_text(item->key, name, sizeof name) != STATUS_OK || item->key.len == 0 ||
            strlen(name) != item->key.len) {
            field_error(f, item, "wrong_name", "A name of 1 to 40 bytes is expected.");
            continue;
        }
        if (json_text(item, &value) != STATUS_OK || value.len > 500)
            field_error(f, item, "not_a_text", "A text of at most 500 bytes is expected.");
        else
            json_put_text(facts, name, value);
    }
    json_close_object(facts);
}

static struct view text_without_pan(struct fields *f, const struct json_node *root,
                                    const char *name, size_t max)
{
    struct view text = field_text(f, root, name, 1, max, false);
    field_no_pan(f, json_member(root, name));
    return text;
}

/* The method's fields, and what the other rails want to know beside them, as rows for the adapter.
 * `w` has room for three times the body: every escape of the writer is at most six letters for one
 * that took two in the body. */
static void read_all(struct fields *f, const struct json_node *root, struct payment_request *r,
                     struct writer *w)
{
    uint8_t *room = arena_alloc(&r->arena, DETAILS_BYTES);
    struct writer details = writer_over(room, room != NULL ? DETAILS_BYTES : 0);
    struct json_out facts;
    json_out_init(&facts, w);
    json_open_object(&facts, NULL);
    fields_known(f, root, create_fields, COUNT_OF(create_fields));
    field_amount(f, root, "amount", true, &r->amount);
    read_words(f, root, r);
    read_method(f, root, r, &details, &facts);
    struct writer *told = r->rail == RAIL_CARD ? NULL : &details;
    read_payer(f, root, told, &facts);
    read_payee(f, root, r->amount.currency, told, &facts);
    struct view description = text_without_pan(f, root, "description", 500);
    struct view purpose = text_without_pan(f, root, "purpose", 35);
    struct view reference = text_without_pan(f, root, "reference", 128);
    json_put_text_if(&facts, "description", description);
    json_put_text_if(&facts, "purpose", purpose);
    read_circumstances(f, root, &facts);
    read_metadata(f, root, &facts);
    json_close_object(&facts);
    if (told != NULL) {
        put_detail(told, "", "kind", view_text(payment_kind_word(r->kind)));
        put_detail(told, "", "reference", reference);
        put_detail(told, "", "description", description);
        put_detail(told, "", "purpose", purpose);
    }
    if (details.overflow)
        field_error(f, json_member(root, "method"), "too_large",
                    "The method's fields and texts are too large together.");
    arena_trim(&r->arena, room, details.len);
    r->details = writer_done(&details);
    r->reference = arena_copy(&r->arena, reference);
    r->region = arena_copy(&r->arena, text_without_pan(f, root, "region", 32));
}

void run_create(struct call *call)
{
    struct api *api = call->api;
    struct payment_request *r = request_new(call);
    const struct json_node *root;
    if (r == NULL)
        return;
    if (!body_json(call, &call->arena, false, &root)) {
        payment_request_drop(api->o.payments, r);
        return;
    }
    struct fields f = { .arena = &call->arena };
    size_t room = 3 * http_body(call->http).len + 1024;
    uint8_t *bytes = arena_alloc(&r->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    read_all(&f, root, r, &w);
    enum status status = STATUS_OK;
    if (f.count == 0)
        status = facts_of_request(r, root, api->idem, loop_wall_us(api->o.loop));
    if (status == STATUS_NO_MEMORY && !r->arena.overflow)
        r->arena.starved = true; /* a digest could not be made */
    if (request_starved(call, r))
        return;
    if (f.count == 0 && (w.overflow || r->arena.overflow))
        field_error(&f, root, "too_large", "The request is too large.");
    if (f.count > 0) {
        payment_request_drop(api->o.payments, r);
        /* The call's arena holds the errors; the body, which they quote nothing of, is still there.
         */
        reply_errors(
            call, f.unknown && f.count == 1 ? PROBLEM_UNKNOWN_FIELD : PROBLEM_INVALID_FIELD,
            VIEW("See errors: each has a JSON pointer to the field and what was expected."),
            f.errors, f.count);
        return;
    }
    if (status != STATUS_OK) {
        payment_request_drop(api->o.payments, r);
        reply_problem(call, PROBLEM_INTERNAL, "The request cannot be described.");
        return;
    }
    r->facts_json = view_of(bytes + 1, w.len - 2);
    payment_submit(api->o.payments, &r, reply_payment, call);
}
