/* http_control.c - the control port's commands that are the same for all counterparts, and the
 * knobs body. What is not known here goes to the brain. */
#include "http_host_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define ARENA_BYTES     (8u << 20)
#define ANSWER_ROOM     SIM_HTTP_BODY_MAX
#define LEDGER_PAGE_MAX 8000
#define LEDGER_EXTRA    4096

enum knobs_mode { KNOBS_REPLACE = 1, KNOBS_ADD };

/* --- knobs ------------------------------------------------------------------------------- */
static enum status read_knobs(struct http_host *h, const struct json_node *root,
                              enum knobs_mode mode, int64_t now_us, struct writer *why)
{
    static const char *const KNOWN[] = { "settings", "keys", "faults", "settlement", "down_ms" };
    struct http_faults faults = h->faults;
    struct settle_faults settlement = h->settlement;
    int64_t down_ms = 0;
    const struct json_node *other = json_unknown(root, KNOWN, COUNT_OF(KNOWN), NULL);
    const struct json_node *settings = json_member(root, "settings");
    const struct json_node *keys = json_member(root, "keys");
    const struct json_node *rules = json_member(root, "faults");
    const struct json_node *down = json_member(root, "down_ms");
    if (root->kind != JSON_OBJECT || other != NULL) {
        writer_text(why, "the body is an object of settings, keys, faults, settlement and down_ms");
        return STATUS_MALFORMED;
    }
    if (down != NULL &&
        (json_i64(down, &down_ms) != STATUS_OK || down_ms < -1 || down_ms > HTTP_MS_MAX)) {
        writer_text(why, "down_ms: must be an integer from -1 to 86400000");
        return STATUS_MALFORMED;
    }
    if (rules != NULL) {
        if (mode == KNOBS_REPLACE)
            faults.count = 0;
        TRY(http_faults_read(&faults, rules, why));
    }
    if (json_member(root, "settlement") != NULL)
        TRY(settle_faults_read(&settlement, json_member(root, "settlement"), why));
    if (settings != NULL || keys != NULL)
        TRY(h->type->set(h->brain, settings, keys, now_us, why));
    h->faults = faults; /* nothing can fail any more */
    h->settlement = settlement;
    if (down != NULL) {
        h->down_until_us = down_ms < 0    ? INT64_MAX
                           : down_ms == 0 ? INT64_MIN
                                          : now_us + down_ms * 1000;
        if (down_ms != 0)
            http_host_forget_waiting(h, now_us);
    }
    return STATUS_OK;
}

static enum status set_knobs(struct http_host *h, struct view json, enum knobs_mode mode,
                             int64_t now_us, struct writer *why)
{
    struct arena arena;
    struct json_error error;
    const struct json_node *root = NULL;
    arena_init(&arena, ARENA_BYTES);
    http_host_settle(h, now_us);
    enum status s = json_read(json, NULL, &arena, &root, &error);
    if (s != STATUS_OK)
        writer_format(why, "not JSON, at byte %zu: %s", error.offset, error.message);
    else
        s = read_knobs(h, root, mode, now_us, why);
    arena_reset(&arena);
    return s;
}

enum status http_host_set(struct http_host *h, struct view json, int64_t now_us, struct writer *why)
{
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    return set_knobs(h, json, KNOBS_REPLACE, now_us, why);
}

/* --- answers ----------------------------------------------------------------------------- */
static int refuse(struct writer *out, size_t from, int http_status, struct view sentence)
{
    struct json_out j;
    out->len = from;
    out->overflow = false;
    json_out_init(&j, out);
    json_open_object(&j, NULL);
    json_put_text(&j, "error", sentence);
    json_close_object(&j);
    return http_status;
}

static void write_knobs(const struct http_host *h, int64_t now_us, struct json_out *j)
{
    int64_t down_ms = 0;
    if (h->down_until_us == INT64_MAX)
        down_ms = -1;
    else if (h->down_until_us > now_us)
        down_ms = (h->down_until_us - now_us + 999) / 1000;
    json_open_object(j, NULL);
    json_open_object(j, "settings");
    h->type->write_settings(h->brain, j);
    json_close_object(j);
    json_open_array(j, "faults");
    http_faults_write(&h->faults, j);
    json_close_array(j);
    settle_faults_write(&h->settlement, j);
    json_put_i64(j, "down_ms", down_ms);
    json_close_object(j);
}

static void write_stats(const struct http_host *h, struct json_out *j)
{
    const struct http_stats *s = &h->stats;
    size_t in_flight = 0;
    for (const struct http_item *item = h->in_flight; item != NULL; item = item->next)
        in_flight++;
    json_open_object(j, NULL);
    json_open_object(j, "http"); /* so that a brain's names and ours never meet */
    json_put_i64(j, "requests", (int64_t)s->requests);
    json_put_i64(j, "handled", (int64_t)s->handled);
    json_put_i64(j, "not_handled", (int64_t)s->not_handled);
    json_put_i64(j, "closed", (int64_t)s->closed);
    json_put_i64(j, "notices", (int64_t)s->notices);
    json_put_i64(j, "notices_acknowledged", (int64_t)s->notices_acknowledged);
    json_put_i64(j, "notices_given_up", (int64_t)s->notices_given_up);
    json_put_i64(j, "notices_dropped", (int64_t)s->notices_dropped);
    json_put_i64(j, "notices_lost", (int64_t)s->notices_lost);
    json_put_i64(j, "notices_in_flight", (int64_t)in_flight);
    json_put_i64(j, "notices_waiting", (int64_t)h->notices.count);
    json_put_i64(j, "answers_waiting", (int64_t)(h->answers.count + h->requests.count));
    json_close_object(j);
    if (h->type->write_stats != NULL)
        h->type->write_stats(h->brain, j);
    json_close_object(j);
}

static void reset(struct http_host *h, int64_t now_us)
{
    h->faults.count = 0;
    h->settlement = (struct settle_faults){ 0 };
    h->books++;
    h->down_until_us = INT64_MIN;
    h->stats = (struct http_stats){ 0 };
    http_host_forget_waiting(h, now_us);
    http_queue_clear(&h->notices);
    for (struct http_item *item = h->in_flight, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    h->in_flight = NULL;
    h->type->reset(h->brain, now_us);
}

/* A number of the query; `otherwise` when absent. */
static bool query_number(struct view query, const char *name, uint64_t otherwise, uint64_t *out)
{
    struct view key = view_text(name);
    *out = otherwise;
    while (query.len > 0) {
        size_t end = view_find(query, '&');
        struct view pair = view_slice(query, 0, end);
        query = view_slice(query, end + 1, query.len);
        if (pair.len > key.len && pair.ptr[key.len] == '=' && view_starts_with(pair, key))
            return view_to_u64(view_slice(pair, key.len + 1, pair.len), UINT32_MAX, out) ==
                   STATUS_OK;
    }
    return true;
}

static bool ledger_page(struct view query, uint64_t *from, uint64_t *limit)
{
    bool ok = query_number(query, "from", 1, from) &&
              query_number(query, "limit", LEDGER_PAGE_MAX, limit);
    *limit = *limit < LEDGER_PAGE_MAX ? *limit : LEDGER_PAGE_MAX;
    return ok;
}

/* --- commands ---------------------------------------------------------------------------- */
struct order {
    struct view method, path, query, body;
    int64_t now_us;
    struct writer *out;
    size_t from; /* of the answer in out */
};

static int run_ledger(struct http_host *h, struct order *o)
{
    uint64_t from = 0, limit = 0;
    struct json_out j;
    if (!ledger_page(o->query, &from, &limit))
        return refuse(o->out, o->from, 400, VIEW("from and limit are numbers"));
    json_out_init(&j, o->out);
    h->type->write_ledger(h->brain, &j, from, (size_t)limit);
    return 200;
}

static int run_get_knobs(struct http_host *h, struct order *o)
{
    struct json_out j;
    json_out_init(&j, o->out);
    write_knobs(h, o->now_us, &j);
    return 200;
}

static int run_set_knobs(struct http_host *h, struct order *o)
{
    uint8_t why[512];
    struct writer w = writer_over(why, sizeof why);
    enum knobs_mode mode = view_is(o->method, "PUT") ? KNOBS_REPLACE : KNOBS_ADD;
    if (set_knobs(h, o->body, mode, o->now_us, &w) != STATUS_OK)
        return refuse(o->out, o->from, 400, writer_done(&w));
    return run_get_knobs(h, o);
}

static int run_stats(struct http_host *h, struct order *o)
{
    struct json_out j;
    json_out_init(&j, o->out);
    write_stats(h, &j);
    return 200;
}

static int run_reset(struct http_host *h, struct order *o)
{
    reset(h, o->now_us);
    writer_text(o->out, "{\"ok\":true}");
    return 200;
}

static int run_brain(struct http_host *h, struct order *o)
{
    struct arena arena;
    struct json_error error;
    struct json_out j;
    const struct json_node *root = NULL;
    uint8_t why[512];
    struct writer w = writer_over(why, sizeof why);
    enum status s = STATUS_OK;
    int http_status = 200;
    arena_init(&arena, ARENA_BYTES);
    json_out_init(&j, o->out);
    if (view_trim(o->body).len > 0)
        s = json_read(o->body, NULL, &arena, &root, &error);
    if (s != STATUS_OK) {
        writer_format(&w, "not JSON, at byte %zu: %s", error.offset, error.message);
        http_status = refuse(o->out, o->from, 400, writer_done(&w));
    } else if ((s = h->type->command(h->brain, o->method, o->path, root, o->now_us, &j, &w)) !=
               STATUS_OK) {
        if (w.len == 0)
            writer_text(&w, s == STATUS_NOT_FOUND ? "no such command" : status_text(s));
        http_status = refuse(o->out, o->from, s == STATUS_NOT_FOUND ? 404 : 400, writer_done(&w));
    } else if (!o->out->overflow && o->out->len == o->from) {
        writer_text(o->out, "{\"ok\":true}");
    }
    arena_reset(&arena);
    return http_status;
}

int http_host_control(struct http_host *h, struct view method, struct view path, struct view query,
                      struct view body, int64_t now_us, struct writer *out)
{
    static const struct {
        const char *method, *path;
        int (*run)(struct http_host *h, struct order *o);
    } ROUTES[] = {
        { "GET", "/ledger", run_ledger },   { "GET", "/knobs", run_get_knobs },
        { "PUT", "/knobs", run_set_knobs }, { "POST", "/knobs", run_set_knobs },
        { "GET", "/stats", run_stats },     { "POST", "/reset", run_reset },
    };
    struct order order = { method, path, query, body, now_us, out, out->len };
    bool path_known = false;
    int http_status = 0;
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    http_host_settle(h, now_us);
    for (size_t i = 0; i < COUNT_OF(ROUTES) && http_status == 0; i++) {
        if (!view_is(path, ROUTES[i].path))
            continue;
        path_known = true;
        if (view_is(method, ROUTES[i].method))
            http_status = ROUTES[i].run(h, &order);
    }
    if (http_status == 0)
        http_status = path_known
                          ? refuse(out, order.from, 405, VIEW("this path does not know the method"))
                          : run_brain(h, &order);
    if (out->overflow)
        http_status = refuse(out, order.from, 500, VIEW("the answer does not fit"));
    writer_text(out, "\n");
    return http_status;
}

enum status http_host_settlement(struct http_host *h, struct view query, int64_t now_us,
                                 struct settlement **out, struct writer *why)
{
    struct settle_source source;
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    *out = NULL;
    if (h->type->settlement == NULL) {
        writer_text(why, "this counterpart keeps no record");
        return STATUS_NOT_FOUND;
    }
    http_host_settle(h, now_us);
    TRY(h->type->settlement(h->brain, query, now_us, &source, why));
    *out = settlement_open(&source, &h->settlement, &h->books);
    return *out != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

size_t http_host_control_room(const struct http_host *h, struct view method, struct view path,
                              struct view query)
{
    uint64_t from = 0, limit = 0;
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    (void)method;
    if (!view_is(path, "/ledger") || !ledger_page(query, &from, &limit))
        return ANSWER_ROOM;
    return h->type->ledger_room(h->brain, from, (size_t)limit) + LEDGER_EXTRA;
}
