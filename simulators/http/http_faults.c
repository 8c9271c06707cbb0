/* http_faults.c - see http_faults.h. Rules are tried in their order; the first of a kind that hits
 * counts, one that lets a message pass (skip, dice) leaves the next of its kind its chance. */
#include "http_faults.h"

#include "base/ensure.h"

static const struct {
    const char *name;
    enum http_phase phase;
    int64_t ms, bytes;
} KINDS[] = {
    { .name = "none" },
#define FAULT(name, json, phase, ms, bytes, text) { json, HTTP_PHASE_##phase, ms, bytes },
#include "faults.def"
#undef FAULT
};
_Static_assert(COUNT_OF(KINDS) == HTTP_FAULT_COUNT && HTTP_FAULT_COUNT <= 32, "bits of a plan");

const char *http_fault_name(enum http_fault fault)
{
    return KINDS[fault < HTTP_FAULT_COUNT ? fault : HTTP_FAULT_NONE].name;
}

uint64_t http_faults_random(struct http_faults *f)
{
    uint64_t z = f->dice += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void add(struct http_plan *plan, const struct http_fault_rule *r)
{
    plan->faults |= 1u << r->fault;
    plan->wait_us += r->ms * 1000;
    if (r->fault == HTTP_FAULT_CUT)
        plan->cut_bytes = r->bytes;
    if (r->fault == HTTP_FAULT_GARBLE || r->fault == HTTP_FAULT_NOTICE_GARBLE)
        plan->garble_bytes = r->bytes;
    if (r->fault == HTTP_FAULT_STATUS)
        plan->http_status = r->http_status;
}

void http_faults_plan(struct http_faults *f, enum http_phase phase, struct view method,
                      struct view path, int64_t amount_minor, struct http_plan *plan)
{
    for (size_t i = 0; i < f->count; i++) {
        struct http_fault_rule *r = &f->rules[i];
        if (KINDS[r->fault].phase != phase || http_plan_has(plan, r->fault) || r->next == 0)
            continue;
        if ((r->method[0] != '\0' && !view_is(method, r->method)) ||
            !view_starts_with(path, view_text(r->path)))
            continue;
        if (r->amount_minor >= 0 && r->amount_minor != amount_minor)
            continue;
        if (r->skip > 0) {
            r->skip--;
            continue;
        }
        if (r->per_million < HTTP_MILLION && http_faults_random(f) % HTTP_MILLION >= r->per_million)
            continue;
        if (r->next > 0)
            r->next--;
        r->hits++;
        add(plan, r);
    }
}

/* --- JSON -------------------------------------------------------------------------------- */
static enum status refuse(struct writer *why, const char *where, const char *what)
{
    writer_format(why, "%s: %s", where, what);
    return STATUS_MALFORMED;
}

static enum status take_i64(const struct json_node *object, const char *name, int64_t low,
                            int64_t high, int64_t *out, struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    int64_t value = 0;
    if (node == NULL)
        return STATUS_OK;
    if (json_i64(node, &value) != STATUS_OK || value < low || value > high) {
        writer_format(why, "%s: must be an integer from %lld to %lld", name, (long long)low,
                      (long long)high);
        return STATUS_MALFORMED;
    }
    *out = value;
    return STATUS_OK;
}

static enum status take_text(const struct json_node *object, const char *name, char *out,
                             size_t room, struct writer *why)
{
    const struct json_node *node = json_member(object, name);
    struct view text;
    if (node != NULL &&
        (json_text(node, &text) != STATUS_OK || view_to_text(text, out, room) != STATUS_OK))
        return refuse(why, name, "must be a short text");
    return STATUS_OK;
}

static enum status read_fault(const struct json_node *o, struct http_fault_rule *r,
                              struct writer *why)
{
    struct view text;
    if (json_text(json_member(o, "fault"), &text) != STATUS_OK)
        return refuse(why, "fault", "must be the name of a fault");
    for (unsigned f = HTTP_FAULT_NONE + 1; f < HTTP_FAULT_COUNT; f++)
        if (view_is(text, KINDS[f].name))
            r->fault = (enum http_fault)f;
    if (r->fault == HTTP_FAULT_NONE)
        return refuse(why, "fault", "no fault has this name");
    r->ms = KINDS[r->fault].ms;
    r->bytes = KINDS[r->fault].bytes;
    return STATUS_OK;
}

/* What this kind of fault cannot obey is refused, not ignored. */
static enum status judge(const struct json_node *o, const struct http_fault_rule *r,
                         struct writer *why)
{
    if (json_member(o, "amount_minor") != NULL && r->amount_minor >= 0 &&
        KINDS[r->fault].phase != HTTP_PHASE_AFTER)
        return refuse(why, "amount_minor", "this fault happens before the amount is known");
    if (KINDS[r->fault].ms == 0 && r->ms != 0)
        return refuse(why, "ms", "this fault takes no time");
    if (KINDS[r->fault].bytes == 0 && r->bytes != 0)
        return refuse(why, "bytes", "this fault changes no bytes");
    if ((r->fault == HTTP_FAULT_STATUS) != (r->http_status != 0))
        return refuse(why, "status", "belongs to the fault \"status\", and only there");
    if (r->http_status == 204 || r->http_status == 304)
        return refuse(why, "status", "an answer of this status has no body, and this one has");
    return STATUS_OK;
}

static enum status read_rule(const struct json_node *o, struct http_fault_rule *r,
                             struct writer *why)
{
    static const char *const KNOWN[] = { "fault", "method",      "path",         "skip",
                                         "next",  "per_million", "amount_minor", "ms",
                                         "bytes", "status",      "hits" };
    int64_t per_million = HTTP_MILLION, http_status = 0;
    *r = (struct http_fault_rule){ .next = -1, .amount_minor = -1 };
    if (o->kind != JSON_OBJECT)
        return refuse(why, "faults", "each must be an object");
    const struct json_node *other = json_unknown(o, KNOWN, COUNT_OF(KNOWN), NULL);
    if (other != NULL) {
        writer_text(why, "faults: no such member: ");
        writer_view(why, view_slice(other->key, 0, 40));
        return STATUS_MALFORMED;
    }
    TRY(read_fault(o, r, why));
    TRY(take_text(o, "method", r->method, sizeof r->method, why));
    TRY(take_text(o, "path", r->path, sizeof r->path, why));
    TRY(take_i64(o, "skip", 0, INT32_MAX, &r->skip, why));
    TRY(take_i64(o, "next", -1, INT32_MAX, &r->next, why));
    TRY(take_i64(o, "per_million", 0, HTTP_MILLION, &per_million, why));
    TRY(take_i64(o, "amount_minor", -1, INT64_MAX, &r->amount_minor, why));
    TRY(take_i64(o, "ms", 0, HTTP_MS_MAX, &r->ms, why));
    TRY(take_i64(o, "bytes", 0, SIM_HTTP_BODY_MAX, &r->bytes, why));
    TRY(take_i64(o, "status", 200, 599, &http_status, why));
    r->per_million = (uint32_t)per_million;
    r->http_status = (int)http_status;
    return judge(o, r, why);
}

enum status http_faults_read(struct http_faults *f, const struct json_node *array,
                             struct writer *why)
{
    if (array->kind != JSON_ARRAY)
        return refuse(why, "faults", "must be an array");
    for (JSON_EACH(rule, array)) {
        if (f->count == HTTP_FAULT_RULES_MAX)
            return refuse(why, "faults", "there may be 32 at a time");
        TRY(read_rule(rule, &f->rules[f->count], why));
        f->count++;
    }
    return STATUS_OK;
}

void http_faults_write(const struct http_faults *f, struct json_out *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct http_fault_rule *r = &f->rules[i];
        json_open_object(out, NULL);
        json_put_text(out, "fault", view_text(http_fault_name(r->fault)));
        json_put_text_if(out, "method", view_text(r->method));
        json_put_text_if(out, "path", view_text(r->path));
        json_put_i64(out, "skip", r->skip);
        json_put_i64(out, "next", r->next);
        json_put_i64(out, "per_million", r->per_million);
        if (r->amount_minor >= 0)
            json_put_i64(out, "amount_minor", r->amount_minor);
        if (KINDS[r->fault].ms != 0)
            json_put_i64(out, "ms", r->ms);
        if (KINDS[r->fault].bytes != 0)
            json_put_i64(out, "bytes", r->bytes);
        if (r->http_status != 0)
            json_put_i64(out, "status", r->http_status);
        json_put_i64(out, "hits", (int64_t)r->hits);
        json_close_object(out);
    }
}
