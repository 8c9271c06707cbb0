/* admin.c - the operators' socket: routes, reading of small JSON bodies, answers.
 *
 * A call is one request; it lives until it was answered. What is asked of others (reload, store,
 * payments) answers later, so the call holds all that they need.
 */
#include "admin/admin.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "base/list.h"
#include "payment/problem.h"
#include "payment/render.h"
#include "payment/resolve.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define ADMIN_MAGIC        0x41444d4eu
#define ADMIN_CALL_MAGIC   0x41434c4cu
#define CONNECTIONS_MAX    16
#define BY_BYTES_MAX       80
#define WHY_BYTES_MAX      500
#define EVIDENCE_BYTES_MAX 1000
#define LIST_BYTES         ((size_t)2 * 1024 * 1024)
#define LIST_END_BYTES     256 /* of these: what stands behind the rows */

struct admin {
    uint32_t magic;
    struct admin_options o;
    struct http_server *server;
    struct list calls;
};

struct admin_call {
    uint32_t magic;
    struct list link;
    struct admin *admin;
    struct http_request *http;
    struct arena arena;
    struct store_read read;
    struct view subject; /* {region}, {payment} or {attempt} of the path */
};

/* --- answers: each ends the call ------------------------------------------------------------- */

static void answer(struct admin_call *call, int http_status, struct view body)
{
    ENSURE_MAGIC(call, ADMIN_CALL_MAGIC);
    http_respond(call->http, http_status,
                 http_status >= 400 ? "application/problem+json" : "application/json", NULL, 0,
                 body);
    list_remove(&call->link);
    arena_reset(&call->arena);
    call->magic = 0;
    free(call);
}

static void answer_done(void *arg, int http_status, struct view body)
{
    answer(arg, http_status, body);
}

static void answer_problem(struct admin_call *call, enum problem problem, const char *detail)
{
    uint8_t body[2048];
    struct writer w = writer_over(body, sizeof body);
    if (call->arena.starved && problem_status(problem) != 503) { /* perhaps that is all it was */
        problem = PROBLEM_OVERLOADED;
        detail = "Memory is out; try again.";
    }
    problem_write(&w, problem, view_text(detail), NULL, 0);
    answer(call, problem_status(problem), w.overflow ? VIEW("{}") : writer_done(&w));
}

static void refuse(void *arg, int http_status, const char *code, const char *detail,
                   struct writer *body)
{
    (void)arg;
    struct json_out j;
    json_out_init(&j, body);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", VIEW("urn:railgate:problem:http"));
    json_put_text(&j, "title", view_text(http_reason(http_status)));
    json_put_i64(&j, "status", http_status);
    json_put_text(&j, "code", view_text(code));
    json_put_text(&j, "detail", view_text(detail));
    json_close_object(&j);
}

/* --- bodies ---------------------------------------------------------------------------------- */

/* One line for people, 1..max bytes; control characters would break the log and the terminal. */
static bool text_member(const struct json_node *root, const char *name, size_t max,
                        struct view *out)
{
    if (json_text(json_member(root, name), out) != STATUS_OK || out->len == 0 || out->len > max)
        return false;
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] < 0x20 || out->ptr[i] == 0x7f)
            return false;
    return view_trim(*out).len > 0;
}

/* NULL: the call was answered. */
static const struct json_node *body_of(struct admin_call *call, const char *const *known,
                                       size_t known_count)
{
    const struct json_node *root = NULL;
    struct json_error error;
    if (json_read(http_body(call->http), NULL, &call->arena, &root, &error) != STATUS_OK) {
        answer_problem(call, PROBLEM_MALFORMED_JSON, error.message);
        return NULL;
    }
    if (root->kind != JSON_OBJECT || json_unknown(root, known, known_count, NULL) != NULL) {
        answer_problem(call, PROBLEM_UNKNOWN_FIELD,
                       "An object with the known members is expected.");
        return NULL;
    }
    return root;
}

/* --- routes ---------------------------------------------------------------------------------- */

static void run_reload(struct admin_call *call)
{
    struct admin *admin = call->admin;
    admin->o.reload(admin->o.arg, answer_done, call);
}

static void run_rollback(struct admin_call *call)
{
    static const char *const known[] = { "seq", "by" };
    struct admin *admin = call->admin;
    const struct json_node *root = body_of(call, known, COUNT_OF(known));
    struct view by;
    int64_t seq = 0;
    if (root == NULL)
        return;
    enum status number = json_i64(json_member(root, "seq"), &seq);
    if (!text_member(root, "by", BY_BYTES_MAX, &by))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/by: who asks for it, 1 to 80 bytes on one line.");
    else if (number != STATUS_NOT_FOUND && (number != STATUS_OK || seq < 1))
        answer_problem(call, PROBLEM_INVALID_FIELD, "/seq: a number of the profile's history.");
    else
        admin->o.rollback(admin->o.arg, call->subject, seq, by, answer_done, call);
}

static void put_held(struct json_out *j, const struct held_row *held, const struct payment_row *row)
{
    json_open_object(j, NULL);
    json_put_time(j, "held", held->created_us);
    json_put_time(j, "until", held->until_us);
    render_payment(j, "payment", row);
    json_close_object(j);
}

/* How many of them there is room for. Each is as large as its merchant made it. */
static size_t put_reviews(struct json_out *j, const struct store_read *read)
{
    struct writer *w = j->w;
    w->room -= LIST_END_BYTES;
    for (size_t i = 0; i < read->count; i++) {
        const struct json_out before = *j;
        const struct writer written = *w;
        put_held(j, &read->held[i], &read->payments[i]);
        if (!w->overflow)
            continue;
        *j = before;
        *w = written;
        w->room += LIST_END_BYTES;
        return i;
    }
    w->room += LIST_END_BYTES;
    return read->count;
}

static void reviews_read(struct store_read *read, void *arg)
{
    struct admin_call *call = arg;
    ENSURE_MAGIC(call, ADMIN_CALL_MAGIC);
    if (read->result != STATUS_OK) {
        answer_problem(call, PROBLEM_STORE_FAILED, "The records could not be read.");
        return;
    }
    uint8_t *room = arena_alloc(&call->arena, LIST_BYTES);
    if (room == NULL) {
        answer_problem(call, PROBLEM_OVERLOADED, "There is no memory for the list; try again.");
        return;
    }
    struct writer w = writer_over(room, LIST_BYTES);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "data");
    size_t count = put_reviews(&j, read);
    bool more = read->more || count < read->count;
    json_close_array(&j);
    json_put_bool(&j, "has_more", more);
    if (more && count > 0) {
        char id[ID_TEXT_MAX];
        json_put_text(&j, "next",
                      view_text(id_format(ID_PAYMENT, read->held[count - 1].payment, id)));
    }
    json_close_object(&j);
    if (w.overflow || (more && count == 0))
        answer_problem(call, PROBLEM_INTERNAL, "The list does not fit into one answer.");
    else
        answer(call, 200, writer_done(&w));
}

static void run_reviews(struct admin_call *call)
{
    char after[64];
    struct writer w = writer_over(after, sizeof after);
    int64_t id = 0;
    struct view name;
    if (http_query_names(http_query(call->http), "after", &name) != HTTP_NAMES_GOOD) {
        answer_problem(call, PROBLEM_INVALID_PARAMETER, "There is one parameter, `after`, once.");
        return;
    }
    enum status given = http_query_value(http_query(call->http), "after", &w);
    if (given != STATUS_NOT_FOUND &&
        (given != STATUS_OK || id_parse(ID_PAYMENT, writer_done(&w), &id) != STATUS_OK)) {
        answer_problem(call, PROBLEM_INVALID_PARAMETER, "after: a payment's id (pay_...).");
        return;
    }
    call->read = (struct store_read){ .question = STORE_HELD,
                                      .arena = &call->arena,
                                      .held_kind = HELD_REVIEW,
                                      .after = id,
                                      .limit = STORE_PAGE_MAX,
                                      .done = reviews_read,
                                      .arg = call };
    if (store_ask(call->admin->o.store, &call->read) != STATUS_OK)
        answer_problem(call, PROBLEM_OVERLOADED, "The store is busy; try again.");
}

static void reviewed(void *arg, enum status status, struct view text)
{
    struct admin_call *call = arg;
    ENSURE_MAGIC(call, ADMIN_CALL_MAGIC);
    char detail[512];
    (void)snprintf(detail, sizeof detail, "%.*s", (int)text.len, (const char *)text.ptr);
    if (status == STATUS_NOT_FOUND) {
        answer_problem(call, PROBLEM_NOT_FOUND, detail);
        return;
    }
    if (status != STATUS_OK && status != STATUS_REFUSED) {
        answer_problem(call, status == STATUS_BUSY ? PROBLEM_OVERLOADED : PROBLEM_STORE_FAILED,
                       detail);
        return;
    }
    uint8_t body[1024];
    struct writer w = writer_over(body, sizeof body);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "payment", call->subject);
    json_put_text(&j, "result", status == STATUS_OK ? VIEW("recorded") : VIEW("failed"));
    json_put_text(&j, "text", text);
    json_close_object(&j);
    answer(call, 200, w.overflow ? VIEW("{}") : writer_done(&w));
}

static void run_review(struct admin_call *call, enum review_word word)
{
    static const char *const known[] = { "by", "why" };
    const struct json_node *root = body_of(call, known, COUNT_OF(known));
    struct review review = { .word = word };
    if (root == NULL)
        return;
    if (id_parse(ID_PAYMENT, call->subject, &review.payment) != STATUS_OK)
        answer_problem(call, PROBLEM_NOT_FOUND, "There is no such payment.");
    else if (!text_member(root, "by", BY_BYTES_MAX, &review.by))
        answer_problem(call, PROBLEM_INVALID_FIELD, "/by: who decides, 1 to 80 bytes on one line.");
    else if (!text_member(root, "why", WHY_BYTES_MAX, &review.why))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/why: the reason, 1 to 500 bytes on one line.");
    else
        payments_review(call->admin->o.payments, &review, reviewed, call);
}

static void run_approve(struct admin_call *call)
{
    run_review(call, REVIEW_APPROVE);
}

static void run_reject(struct admin_call *call)
{
    run_review(call, REVIEW_REJECT);
}

static void run_resolve(struct admin_call *call)
{
    static const char *const known[] = { "as", "by", "why", "amount", "evidence" };
    const struct json_node *root = body_of(call, known, COUNT_OF(known));
    struct resolution resolution = { 0 };
    struct view as = VIEW_EMPTY;
    if (root == NULL)
        return;
    enum status amount = json_i64(json_member(root, "amount"), &resolution.amount_minor);
    if (id_parse(ID_ATTEMPT, call->subject, &resolution.attempt) != STATUS_OK)
        answer_problem(call, PROBLEM_NOT_FOUND, "There is no such attempt.");
    else if (json_text(json_member(root, "as"), &as) != STATUS_OK ||
             resolve_as_parse(as, &resolution.as) != STATUS_OK)
        answer_problem(call, PROBLEM_INVALID_FIELD, "/as: approved, declined or reversed.");
    else if (!text_member(root, "by", BY_BYTES_MAX, &resolution.by))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/by: who found it out, 1 to 80 bytes on one line.");
    else if (!text_member(root, "why", WHY_BYTES_MAX, &resolution.why))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/why: the reason, 1 to 500 bytes on one line.");
    else if (json_member(root, "evidence") != NULL &&
             !text_member(root, "evidence", EVIDENCE_BYTES_MAX, &resolution.evidence))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/evidence: what shows it, 1 to 1000 bytes on one line.");
    else if (amount != STATUS_NOT_FOUND && (amount != STATUS_OK || resolution.amount_minor < 1))
        answer_problem(call, PROBLEM_INVALID_FIELD,
                       "/amount: what was approved, minor units, above 0.");
    else
        payments_resolve(call->admin->o.payments, &resolution, answer_done, call);
}

static const struct {
    const char *method, *before, *after; /* of {region} and the like; after NULL: there is none */
    void (*run)(struct admin_call *call);
} routes[] = {
    { "POST", "/reload", NULL, run_reload },
    { "POST", "/profiles/", "/rollback", run_rollback },
    { "GET", "/reviews", NULL, run_reviews },
    { "POST", "/reviews/", "/approve", run_approve },
    { "POST", "/reviews/", "/reject", run_reject },
    { "POST", "/attempts/", "/resolve", run_resolve },
};

static bool path_fits(struct view path, size_t route, struct view *subject)
{
    struct view before = view_text(routes[route].before), after = view_text(routes[route].after);
    *subject = VIEW_EMPTY;
    if (routes[route].after == NULL)
        return view_equal(path, before);
    if (!view_starts_with(path, before) || path.len <= before.len + after.len ||
        !view_equal(view_slice(path, path.len - after.len, after.len), after))
        return false;
    *subject = view_slice(path, before.len, path.len - before.len - after.len);
    return view_find(*subject, '/') == subject->len;
}

static void handle(struct http_request *request, void *arg)
{
    struct admin *admin = arg;
    ENSURE_MAGIC(admin, ADMIN_MAGIC);
    struct admin_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        http_respond(request, 503, "application/problem+json", NULL, 0,
                     VIEW("{\"status\":503,\"code\":\"overloaded\"}"));
        return;
    }
    call->magic = ADMIN_CALL_MAGIC;
    call->admin = admin;
    call->http = request;
    arena_init(&call->arena, (size_t)16 * 1024 * 1024);
    list_append(&admin->calls, &call->link);
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!path_fits(http_path(request), i, &call->subject))
            continue;
        known = true;
        if (view_is(http_method(request), routes[i].method)) {
            routes[i].run(call);
            return;
        }
    }
    answer_problem(call, known ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND,
                   "POST /reload, POST /profiles/{region}/rollback, GET /reviews, POST "
                   "/reviews/{payment}/approve or /reject, POST /attempts/{attempt}/resolve");
}

/* --- life ------------------------------------------------------------------------------------ */

enum status admin_open(struct admin **out, const struct admin_options *options)
{
    *out = NULL;
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return STATUS_NO_MEMORY;
    admin->magic = ADMIN_MAGIC;
    admin->o = *options;
    list_init(&admin->calls);
    struct http_server_options server = { .limits = { .conns_max = CONNECTIONS_MAX },
                                          .handler = handle,
                                          .refusal = refuse,
                                          .arg = admin,
                                          .log = options->log,
                                          .owner = options->owner };
    enum status status =
        view_to_text(view_text(options->path), server.at.host, sizeof server.at.host);
    if (status == STATUS_FULL)
        status = STATUS_RANGE;
    if (status == STATUS_OK)
        status = http_server_open(&admin->server, options->wire, options->loop, &server);
    if (status != STATUS_OK) {
        free(admin);
        return status;
    }
    *out = admin;
    return STATUS_OK;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    ENSURE_MAGIC(admin, ADMIN_MAGIC);
    http_server_close(admin->server);
    struct list *item;
    while ((item = list_take_first(&admin->calls)) != NULL) {
        struct admin_call *call = CONTAINER_OF(item, struct admin_call, link);
        arena_reset(&call->arena);
        free(call);
    }
    admin->magic = 0;
    free(admin);
}
