/* webhooks.c - /v1/webhook_endpoints, and POST /v1/events/{id}/resend.
 *
 * A change is a commit of the endpoint's row; whoever delivers is told afterwards
 * (api_options.endpoint_changed). A test and a resend are events of the journal that are addressed
 * to one endpoint: so they survive a crash, come in their turn, and history shows them.
 *
 * A POST may have an Idempotency-Key; its answer is then kept for repeats, which do nothing. A
 * secret is drawn here, shown in this one answer, and stored sealed. So what is kept of such an
 * answer is the secret, sealed once more for the key, and then the text without it: that is written
 * inside the commit, where the row is known and nothing can be sealed.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "domain/webhook.h"

#define DESCRIPTION_MAX   200
#define OVERLAP_DEFAULT_S 86400
#define OVERLAP_MAX_S     604800
#define NO_ENDPOINT       "There is no webhook endpoint with this id."
#define ENDPOINT_BYTES    (8192 + 6 * DESCRIPTION_MAX * 4)
#define SEALED_BYTES      (WEBHOOK_SECRET_BYTES + SECRET_SEAL_OVERHEAD)

/* What a change needs until it is committed; in the call's arena. */
struct change {
    struct call *call;
    struct store_txn txn;
    bool has_url, has_kinds, has_description, has_status;
    struct view url, kinds, description;
    enum endpoint_status status;
    struct view answer;         /* create: the whole answer, secret included */
    int64_t endpoint_count_max; /* create */
    struct view sealed;         /* a new secret, */
    uint8_t *secret;            /* its bytes, */
    struct view kept_secret;    /* and as it is kept with the answer for a key */
    int64_t overlap_us, now_us;
    int64_t event; /* resend: which */
};

/* What judges say beside their verdict (store_txn.said). */
enum { SAID_TOO_MANY = 1, SAID_DISABLED };

/* --- what is shown ---------------------------------------------------------------------------- */

static void put_time_or_null(struct json_out *j, const char *name, int64_t at_us)
{
    if (at_us != 0)
        json_put_time(j, name, at_us);
    else
        json_put_null(j, name);
}

static void put_endpoint(struct json_out *j, const struct endpoint_row *row)
{
    char id[ID_TEXT_MAX];
    json_open_object(j, NULL);
    json_put_text(j, "id", view_text(id_format(ID_ENDPOINT, row->id, id)));
    json_put_text(j, "url", row->url);
    json_open_array(j, "events");
    for (struct view kinds = row->kinds; kinds.len > 0;) {
        size_t end = view_find(kinds, ' ');
        json_put_text(j, NULL, view_slice(kinds, 0, end));
        kinds = view_slice(kinds, end + 1, kinds.len);
    }
    json_close_array(j);
    json_put_text_if(j, "description", row->description);
    json_put_text(j, "status",
                  row->status == ENDPOINT_ENABLED ? VIEW("enabled") : VIEW("disabled"));
    if (row->why.len > 0)
        json_put_text(j, "disabled_reason", row->why);
    else
        json_put_null(j, "disabled_reason");
    json_put_i64(j, "failures", row->failures);
    put_time_or_null(j, "failing_since", row->failing_since_us);
    put_time_or_null(j, "next_try", row->next_us);
    put_time_or_null(j, "old_secret_until", row->old_secret.len > 0 ? row->old_until_us : 0);
    json_put_time(j, "created", row->created_us);
    json_put_time(j, "updated", row->updated_us);
    json_close_object(j);
}

/* Empty when there is no memory. */
static struct view endpoint_text(struct arena *arena, const struct endpoint_row *row)
{
    uint8_t *bytes = arena_alloc(arena, ENDPOINT_BYTES);
    struct writer w = writer_over(bytes, bytes != NULL ? ENDPOINT_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    put_endpoint(&j, row);
    return w.overflow ? VIEW_EMPTY : writer_done(&w);
}

/* The same with the secret as its last member. Empty when there is no memory. */
static struct view with_secret(struct arena *arena, struct view text, const uint8_t *secret)
{
    char secret_text[WEBHOOK_SECRET_TEXT];
    struct writer s = writer_over(secret_text, sizeof secret_text);
    if (text.len == 0)
        return VIEW_EMPTY;
    webhook_secret_write(&s, view_of(secret, WEBHOOK_SECRET_BYTES));
    struct view whole = arena_format(arena, "%.*s,\"secret\":\"%.*s\"}", (int)text.len - 1,
                                     (const char *)text.ptr, (int)s.len, secret_text);
    vault_wipe(secret_text, sizeof secret_text);
    return whole;
}

/* secret: NULL in all answers but those that draw one. */
static void reply_endpoint(struct call *call, int http_status, const struct endpoint_row *row,
                           const uint8_t *secret)
{
    struct view text = endpoint_text(&call->arena, row);
    if (secret != NULL)
        text = with_secret(&call->arena, text, secret);
    if (text.len == 0)
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        reply(call, http_status, text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void endpoint_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_succeeded(call, read, NO_ENDPOINT))
        return;
    if (read->count == 0)
        reply_problem(call, PROBLEM_NOT_FOUND, NO_ENDPOINT);
    else if (call->then != NULL)
        call->then(call);
    else
        reply_endpoint(call, 200, &read->endpoints[0], NULL);
}

void run_endpoint_read(struct call *call)
{
    call->read = (struct store_read){ .question = STORE_ENDPOINTS, .endpoint = call->payment };
    ask_store(call, endpoint_read);
}

static void endpoints_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_succeeded(call, read, NO_ENDPOINT))
        return;
    char id[ID_TEXT_MAX];
    size_t room = 256 + read->count * ENDPOINT_BYTES;
    uint8_t *bytes = arena_alloc(&call->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "data");
    for (size_t i = 0; i < read->count; i++)
        put_endpoint(&j, &read->endpoints[i]);
    json_close_array(&j);
    json_put_bool(&j, "has_more", read->more);
    if (read->more && read->count > 0)
        json_put_text(&j, "next_cursor",
                      view_text(id_format(ID_ENDPOINT, read->endpoints[read->count - 1].id, id)));
    else
        json_put_null(&j, "next_cursor");
    json_close_object(&j);
    if (w.overflow)
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large; ask for fewer rows.");
    else
        reply(call, 200, writer_done(&w));
}

void run_endpoints_list(struct call *call)
{
    call->read = (struct store_read){ .question = STORE_ENDPOINTS };
    if (page_parameters(call, ID_ENDPOINT))
        ask_store(call, endpoints_read);
}

static void deliveries_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (!read_succeeded(call, read, NO_ENDPOINT))
        return;
    char id[ID_TEXT_MAX];
    uint8_t *bytes = arena_alloc(&call->arena, 32768);
    struct writer w = writer_over(bytes, bytes != NULL ? 32768 : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "data");
    for (size_t i = 0; i < read->count; i++) {
        const struct delivery_row *row = &read->deliveries[i];
        json_open_object(&j, NULL);
        json_put_i64(&j, "number", row->number);
        json_put_text(&j, "event", view_text(id_format(ID_EVENT, row->event, id)));
        json_put_time(&j, "time", row->at_us);
        json_put_text(&j, "result", row->result);
        if (row->http_status != 0)
            json_put_i64(&j, "http_status", row->http_status);
        else
            json_put_null(&j, "http_status");
        json_put_i64(&j, "latency_ms", row->latency_us / LOOP_US_PER_MS);
        put_time_or_null(&j, "next_try", row->next_us);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
    if (w.overflow)
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        reply(call, 200, writer_done(&w));
}

static void ask_deliveries(struct call *call)
{
    call->read = (struct store_read){ .question = STORE_DELIVERIES, .endpoint = call->payment };
    ask_store(call, deliveries_read);
}

/* The endpoint first: whether it is this merchant's. */
void run_endpoint_deliveries(struct call *call)
{
    call->then = ask_deliveries;
    run_endpoint_read(call);
}

/* --- changing --------------------------------------------------------------------------------- */

static struct change *change_new(struct call *call)
{
    struct change *change = ARENA_NEW(&call->arena, struct change);
    if (change == NULL) {
        reply_problem(call, PROBLEM_OVERLOADED, DID_NOTHING);
        return NULL;
    }
    change->call = call;
    call->context = change;
    change->now_us = loop_wall_us(call->api->o.loop);
    change->txn.arena = &call->arena;
    change->txn.merchant = call->merchant;
    change->txn.arg = change;
    return change;
}

/* --- keys -------------------------------------------------------------------------------------
 */

/* The key, if the request has one. False: the call was answered. */
static bool take_key(struct change *change)
{
    struct call *call = change->call;
    if (http_header_count(call->http, "idempotency-key") == 0)
        return true;
    if (!call_key(call, &change->txn.idem_key))
        return false;
    enum status digested = call_digest(call, &call->arena, change->txn.idem_mac);
    call->arena.starved = call->arena.starved || digested == STATUS_NO_MEMORY;
    if (digested != STATUS_OK)
        reply_problem(call, PROBLEM_INTERNAL, "The request cannot be digested.");
    return digested == STATUS_OK;
}

/* What the secret of an answer is sealed under that is kept for a key. */
static struct view answer_context(const struct change *change)
{
    char id[ID_TEXT_MAX];
    return arena_format(&change->call->arena, "webhook answer %s %.*s",
                        id_format(ID_MERCHANT, change->call->merchant, id),
                        (int)change->txn.idem_key.len, (const char *)change->txn.idem_key.ptr);
}

/* Before the commit. */
static bool seal_for_key(struct change *change)
{
    struct arena *arena = &change->call->arena;
    if (change->txn.idem_key.len == 0)
        return true;
    struct view context = answer_context(change);
    uint8_t *bytes = arena_alloc(arena, SEALED_BYTES);
    struct writer w = writer_over(bytes, bytes != NULL ? SEALED_BYTES : 0);
    if (context.len == 0 || bytes == NULL)
        return false;
    enum status status = secret_seal(change->call->api->seal, context,
                                     view_of(change->secret, WEBHOOK_SECRET_BYTES), &w);
    arena->starved = arena->starved || status == STATUS_NO_MEMORY;
    change->kept_secret = writer_done(&w);
    return status == STATUS_OK;
}

/* Inside the commit, with a key. text: without the secret; empty when there was no memory for it.
 */
static enum status keep_answer(struct store_txn *txn, const struct change *change, int http_status,
                               struct view text)
{
    size_t room = change->kept_secret.len + text.len;
    uint8_t *bytes = arena_alloc(txn->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    writer_view(&w, change->kept_secret);
    writer_view(&w, text);
    if (text.len == 0 || w.overflow)
        return STATUS_NO_MEMORY;
    txn->answer_status = (uint32_t)http_status;
    txn->answer_body = writer_done(&w);
    return STATUS_OK;
}

/* What was answered to the key, the secret in it. Empty: it cannot be read. */
static struct view kept_answer(const struct change *change)
{
    struct call *call = change->call;
    struct view kept = change->txn.answer_body;
    if (change->secret == NULL)
        return kept;
    uint8_t secret[WEBHOOK_SECRET_BYTES];
    struct writer w = writer_over(secret, sizeof secret);
    struct view text = VIEW_EMPTY, context = answer_context(change);
    if (kept.len > SEALED_BYTES && context.len > 0 &&
        secret_unseal(call->api->seal, context, view_slice(kept, 0, SEALED_BYTES), &w) == STATUS_OK)
        text = with_secret(&call->arena, view_slice(kept, SEALED_BYTES, kept.len), secret);
    vault_wipe(secret, sizeof secret);
    return text;
}

static void reply_replay(const struct change *change)
{
    struct view text = kept_answer(change);
    if (text.len > 0 && change->txn.answer_status != 0)
        reply_payment(change->call, (int)change->txn.answer_status, text, true);
    else
        reply_problem(change->call, PROBLEM_INTERNAL,
                      "What was answered to this key cannot be read.");
}

/* --- commits ----------------------------------------------------------------------------------
 */

static void commit(struct change *change, store_judge_fn *judge, store_txn_done_fn *done)
{
    struct call *call = change->call;
    change->txn.judge = judge;
    change->txn.done = done;
    call->reading = true;
    if (store_commit(call->api->o.store, &change->txn) != STATUS_OK) {
        call->reading = false;
        reply_problem(call, PROBLEM_OVERLOADED, DID_NOTHING);
    }
}

/* True when it is on disk; else the call was answered. */
static bool committed(struct change *change)
{
    struct call *call = change->call;
    ENSURE_MAGIC(call, CALL_MAGIC);
    call->reading = false;
    if (change->txn.result == STORE_COMMITTED) {
        if (call->api->o.endpoint_changed != NULL)
            call->api->o.endpoint_changed(call->api->o.endpoint_arg, change->txn.endpoint.id);
        return true;
    }
    if (change->txn.result == STORE_REPLAY)
        reply_replay(change);
    else if (change->txn.result == STORE_KEY_REUSED)
        reply_problem(call, PROBLEM_IDEMPOTENCY_KEY_REUSED,
                      "This Idempotency-Key came with another request before.");
    else if (change->txn.result == STORE_NO_PAYMENT)
        reply_problem(call, PROBLEM_NOT_FOUND, NO_ENDPOINT);
    else if (change->txn.result == STORE_REFUSED && change->txn.said == SAID_DISABLED)
        reply_problem(call, PROBLEM_ENDPOINT_DISABLED,
                      "Nothing is delivered to it; enable it first: PATCH with status enabled.");
    else if (change->txn.result == STORE_REFUSED && change->txn.said == SAID_TOO_MANY)
        reply_problem(call, PROBLEM_TOO_MANY_ENDPOINTS, "%lld are allowed; delete one first.",
                      (long long)change->endpoint_count_max);
    else
        reply_problem(call, PROBLEM_STORE_FAILED, DID_NOTHING);
    return false;
}

static void on_changed(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    if (committed(change))
        reply_endpoint(change->call, 200, &txn->endpoint, change->secret);
}

/* Draws a secret and seals it for this endpoint, and for the key if there is one. */
static bool draw_secret(struct change *change, int64_t endpoint)
{
    struct api *api = change->call->api;
    struct arena *arena = &change->call->arena;
    char room[48];
    uint8_t *bytes = arena_alloc(arena, SEALED_BYTES);
    struct writer w = writer_over(bytes, bytes != NULL ? SEALED_BYTES : 0);
    change->secret = arena_alloc(arena, WEBHOOK_SECRET_BYTES);
    if (bytes == NULL || change->secret == NULL)
        return false;
    loop_random(api->o.loop, change->secret, WEBHOOK_SECRET_BYTES);
    enum status status = secret_seal(api->seal, webhook_seal_context(endpoint, room),
                                     view_of(change->secret, WEBHOOK_SECRET_BYTES), &w);
    arena->starved = arena->starved || status == STATUS_NO_MEMORY;
    change->sealed = writer_done(&w);
    return status == STATUS_OK && seal_for_key(change);
}

/* --- the body --------------------------------------------------------------------------------- */

static void read_url(struct call *call, struct fields *f, const struct json_node *root,
                     struct change *change, bool required)
{
    const struct settings *s = call->api->o.settings;
    const struct json_node *node = json_member(root, "url");
    struct view text = field_text(f, root, "url", 1, WEBHOOK_URL_MAX, required);
    struct web_url url;
    if (text.len == 0)
        return;
    change->has_url = true;
    change->url = text;
    if (web_url_parse(text, &url) != STATUS_OK) {
        field_error(f, node, "not_a_url",
                    "An absolute https URL is expected, without user name and fragment, in ASCII.");
        return;
    }
    if (!url.https && !s->webhooks_allow_http)
        field_error(f, node, "not_https", "Webhooks go to https only.");
    if (s->webhooks_allow_private)
        return;
    enum status status = web_host_check(url.host);
    if (status == STATUS_DENIED)
        field_error(f, node, "address_not_allowed",
                    "Webhooks do not go to private, loopback, link-local or multicast addresses.");
    else if (status != STATUS_OK)
        field_error(f, node, "not_a_url", "Write a host name, or an address in its usual form.");
}

static void read_kinds(struct call *call, struct fields *f, const struct json_node *root,
                       struct change *change)
{
    const struct json_node *node = json_member(root, "events");
    if (node == NULL)
        return;
    size_t room = WEBHOOK_KINDS_MAX * (WEBHOOK_KIND_MAX + 1);
    uint8_t *bytes = arena_alloc(&call->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    change->has_kinds = true;
    if (node->kind != JSON_ARRAY || node->count == 0 || node->count > WEBHOOK_KINDS_MAX) {
        field_error(f, node, "not_a_list", "A list of 1 to %d kinds of events is expected.",
                    WEBHOOK_KINDS_MAX);
        return;
    }
    for (JSON_EACH(item, node)) {
        struct view kind = VIEW_EMPTY;
        if (json_text(item, &kind) != STATUS_OK || !webhook_kind_valid(kind)) {
            field_error(f, item, "not_a_kind",
                        "A kind of events is expected: payment.succeeded, payment.* or *.");
            return;
        }
        if (w.len > 0)
            writer_u8(&w, ' ');
        writer_view(&w, kind);
    }
    change->kinds = writer_done(&w);
}

static bool refused(struct call *call, const struct fields *f)
{
    if (f->count == 0)
        return false;
    reply_errors(call, f->unknown && f->count == 1 ? PROBLEM_UNKNOWN_FIELD : PROBLEM_INVALID_FIELD,
                 VIEW("See errors: each has a JSON pointer to the field and what was expected."),
                 f->errors, f->count);
    return true;
}

/* False: the call was answered. */
static bool read_endpoint(struct call *call, struct change *change, bool create)
{
    static const char *const names[] = { "url", "events", "description", "status" };
    static const char *const words[] = { "enabled", "disabled" };
    const struct json_node *root;
    if (!body_json(call, &call->arena, false, &root))
        return false;
    struct fields f = { .arena = &call->arena };
    fields_known(&f, root, names, create ? 3 : 4);
    field_no_pan(&f, root);
    read_url(call, &f, root, change, create);
    read_kinds(call, &f, root, change);
    change->has_description = json_member(root, "description") != NULL;
    change->description = field_text(&f, root, "description", 0, DESCRIPTION_MAX, false);
    struct view status = field_word(&f, root, "status", words, COUNT_OF(words), false);
    change->has_status = status.len > 0;
    change->status = view_is(status, "disabled") ? ENDPOINT_DISABLED : ENDPOINT_ENABLED;
    return !refused(call, &f);
}

/* --- create, change, delete, rotate ----------------------------------------------------------- */

static enum status judge_create(struct store_txn *txn, void *arg)
{
    const struct change *change = arg;
    if (txn->endpoint_count >= change->endpoint_count_max) {
        txn->said = SAID_TOO_MANY; /* no answer: the key stays free for when there is room */
        return STATUS_REFUSED;
    }
    txn->endpoint.cursor = txn->journal_seq; /* events from now on */
    if (txn->idem_key.len == 0)
        return STATUS_OK;
    return keep_answer(txn, change, 201, endpoint_text(txn->arena, &txn->endpoint));
}

static void on_created(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    (void)txn;
    if (committed(change))
        reply(change->call, 201, change->answer);
}

static void create(struct change *change)
{
    struct call *call = change->call;
    int64_t id = id_next(&call->api->ids, change->now_us);
    change->endpoint_count_max = call->api->o.settings->webhooks_endpoints_per_merchant;
    if (!draw_secret(change, id)) {
        reply_problem(call, PROBLEM_INTERNAL, "No secret could be made.");
        return;
    }
    change->txn.endpoint =
        (struct endpoint_row){ .id = id,
                               .merchant = call->merchant,
                               .status = ENDPOINT_ENABLED,
                               .url = change->url,
                               .kinds = change->has_kinds ? change->kinds : VIEW("*"),
                               .description = change->description,
                               .secret = change->sealed,
                               .created_us = change->now_us,
                               .updated_us = change->now_us };
    change->txn.write_endpoint = STORE_INSERT;
    change->answer = with_secret(&call->arena, endpoint_text(&call->arena, &change->txn.endpoint),
                                 change->secret);
    if (change->answer.len == 0) {
        reply_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
        return;
    }
    commit(change, judge_create, on_created);
}

void run_endpoint_create(struct call *call)
{
    struct change *change = change_new(call);
    if (change != NULL && read_endpoint(call, change, true) && take_key(change))
        create(change);
}

static enum status judge_change(struct store_txn *txn, void *arg)
{
    const struct change *change = arg;
    struct endpoint_row *row = &txn->endpoint;
    if (change->has_url)
        row->url = change->url;
    if (change->has_kinds)
        row->kinds = change->kinds;
    if (change->has_description)
        row->description = change->description;
    if (change->has_url || change->has_status) /* another receiver, another chance */
        row->failures = row->failing_since_us = row->next_us = 0;
    if (change->has_status) {
        row->status = change->status;
        row->why = VIEW_EMPTY;
    }
    if (change->sealed.len > 0) {
        bool both = change->overlap_us > 0;
        row->old_secret = both ? row->secret : VIEW_EMPTY;
        row->old_until_us = both ? change->now_us + change->overlap_us : 0;
        row->secret = change->sealed;
    }
    row->updated_us = change->now_us;
    txn->write_endpoint = STORE_UPDATE;
    if (txn->idem_key.len == 0)
        return STATUS_OK;
    return keep_answer(txn, change, 200, endpoint_text(txn->arena, row));
}

void run_endpoint_change(struct call *call)
{
    struct change *change = change_new(call);
    if (change == NULL || !read_endpoint(call, change, false))
        return;
    change->txn.load_endpoint = call->payment;
    commit(change, judge_change, on_changed);
}

void run_endpoint_rotate(struct call *call)
{
    static const char *const names[] = { "overlap_seconds" };
    struct change *change = change_new(call);
    const struct json_node *root;
    if (change == NULL || !body_json(call, &call->arena, true, &root))
        return;
    struct fields f = { .arena = &call->arena };
    int64_t overlap_s = OVERLAP_DEFAULT_S;
    if (root != NULL) {
        fields_known(&f, root, names, COUNT_OF(names));
        if (json_member(root, "overlap_seconds") != NULL)
            overlap_s = field_number(&f, root, "overlap_seconds", 0, OVERLAP_MAX_S);
    }
    if (refused(call, &f) || !take_key(change))
        return;
    if (!draw_secret(change, call->payment)) {
        reply_problem(call, PROBLEM_INTERNAL, "No secret could be made.");
        return;
    }
    change->overlap_us = overlap_s * LOOP_US_PER_S;
    change->txn.load_endpoint = call->payment;
    commit(change, judge_change, on_changed);
}

static enum status judge_delete(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->write_endpoint = STORE_DELETE;
    return STATUS_OK;
}

static void on_deleted(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    char id[ID_TEXT_MAX], text[128];
    struct writer w = writer_over(text, sizeof text);
    if (!committed(change))
        return;
    writer_format(&w, "{\"id\":\"%s\",\"deleted\":true}",
                  id_format(ID_ENDPOINT, txn->endpoint.id, id));
    reply(change->call, 200, writer_done(&w));
}

void run_endpoint_delete(struct call *call)
{
    struct change *change = change_new(call);
    if (change == NULL)
        return;
    change->txn.load_endpoint = call->payment;
    commit(change, judge_delete, on_deleted);
}

/* --- test, resend ----------------------------------------------------------------------------- */

/* What is answered: which event is on its way. */
static struct view addressed_text(struct arena *arena, int64_t endpoint, int64_t event)
{
    char id[ID_TEXT_MAX], endpoint_id[ID_TEXT_MAX];
    return arena_format(arena, "{\"endpoint\":\"%s\",\"event\":\"%s\"}",
                        id_format(ID_ENDPOINT, endpoint, endpoint_id),
                        id_format(ID_EVENT, event, id));
}

static enum status judge_addressed(struct store_txn *txn, void *arg)
{
    const struct change *change = arg;
    char endpoint[ID_TEXT_MAX];
    if (txn->endpoint.status != ENDPOINT_ENABLED) {
        txn->said = SAID_DISABLED;
        return STATUS_REFUSED;
    }
    id_format(ID_ENDPOINT, txn->endpoint.id, endpoint);
    struct view data = change->event == 0
                           ? arena_format(txn->arena, "{\"endpoint\":\"%s\"}", endpoint)
                           : addressed_text(txn->arena, txn->endpoint.id, change->event);
    txn->events[txn->event_count++] =
        (struct event_row){ .time_us = change->now_us,
                            .merchant = txn->endpoint.merchant,
                            .kind = change->event == 0 ? VIEW("webhook_endpoint.test")
                                                       : VIEW("webhook_endpoint.resend"),
                            .data_json = data };
    if (data.len == 0 || txn->idem_key.len == 0)
        return data.len > 0 ? STATUS_OK : STATUS_NO_MEMORY;
    /* A test's own event gets the next position. */
    int64_t event_seq = change->event != 0 ? change->event : txn->journal_seq + 1;
    return keep_answer(txn, change, 202, addressed_text(txn->arena, txn->endpoint.id, event_seq));
}

static void on_addressed(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    if (!committed(change))
        return;
    int64_t event = change->event != 0 ? change->event : txn->events[0].seq;
    struct view text = addressed_text(&change->call->arena, txn->endpoint.id, event);
    if (text.len == 0)
        reply_problem(change->call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        reply(change->call, 202, text);
}

void run_endpoint_test(struct call *call)
{
    struct change *change = change_new(call);
    if (change == NULL || !take_key(change))
        return;
    change->txn.load_endpoint = call->payment;
    commit(change, judge_addressed, on_addressed);
}

static void resend_found(struct store_read *read, void *arg)
{
    struct call *call = arg;
    struct change *change = call->context;
    if (!read_succeeded(call, read, "There is no event with this id."))
        return;
    if (view_is(read->events[0].kind, "webhook_endpoint.resend")) {
        reply_problem(call, PROBLEM_NOT_FOUND, "This event is a resend; name the event itself.");
        return;
    }
    commit(change, judge_addressed, on_addressed);
}

void run_event_resend(struct call *call)
{
    static const char *const names[] = { "endpoint" };
    struct change *change = change_new(call);
    const struct json_node *root;
    if (change == NULL || !body_json(call, &call->arena, false, &root))
        return;
    struct fields f = { .arena = &call->arena };
    fields_known(&f, root, names, COUNT_OF(names));
    struct view id = field_text(&f, root, "endpoint", 1, ID_TEXT_MAX, true);
    if (id.len > 0 && id_parse(ID_ENDPOINT, id, &change->txn.load_endpoint) != STATUS_OK)
        field_error(&f, json_member(root, "endpoint"), "not_an_id",
                    "The id of a webhook endpoint is expected.");
    if (refused(call, &f) || !take_key(change))
        return;
    change->event = call->payment;
    call->read = (struct store_read){ .question = STORE_EVENT, .after = change->event };
    ask_store(call, resend_found);
}
