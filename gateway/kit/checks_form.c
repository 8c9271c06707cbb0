/* checks_form.c - is an answer one that a host could use? Every limit of railgate/adapter.h that a
 * host relies on, for each step. */
#include "conformance_int.h"

static bool readable(const struct rg_buffer *b)
{
    struct view text = view_of(b->ptr, b->len);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return view_is_utf8(text);
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static void check_table(struct run *run, const struct rg_table *table, const char *name)
{
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &table->rows[i];
        const uint8_t *from = table->text.ptr, *to = from + table->text.len;
        if (row->name.ptr < from || row->name.ptr > to ||
            row->name.len > (uint64_t)(to - row->name.ptr) || row->value.ptr < from ||
            row->value.ptr > to || row->value.len > (uint64_t)(to - row->value.ptr)) {
            check_fail(run, CHECK_WELL_FORMED, "%s: a row points outside of its table", name);
            return;
        }
        bool good = row->name.len >= 1 && row->name.len <= 32 && row->value.len <= 2048;
        for (uint64_t k = 0; good && k < row->name.len; k++)
            good = is_name_byte(row->name.ptr[k]);
        if (!good)
            check_fail(run, CHECK_WELL_FORMED,
                       "%s: a name is not 1 to 32 of a-z 0-9 . _ - or a value is over 2048 "
                       "bytes",
                       name);
    }
}

void check_key_name(struct run *run, const struct rg_buffer *key, const char *where)
{
    for (uint64_t i = 0; i < run->adapter->api.settings_count; i++) {
        const struct rg_setting *row = adapter_setting(run->adapter, i);
        if (row->type == RG_SETTING_KEY && view_is(view_of(key->ptr, key->len), row->name))
            return;
    }
    check_fail(run, CHECK_WELL_FORMED, "%s: sign_key names no setting of type KEY", where);
}

/* --- HTTP ------------------------------------------------------------------------------------ */

static void check_path(struct run *run, struct view path)
{
    bool good = path.len >= 1 && path.len <= 2048 && path.ptr[0] == '/';
    for (size_t i = 0; good && i < path.len; i++)
        good = path.ptr[i] > 0x20 && path.ptr[i] < 0x7f && path.ptr[i] != '#';
    if (!good)
        check_fail(run, CHECK_WELL_FORMED,
                   "SEND: the path is not '/' and up to 2047 visible ASCII characters without '#'");
}

static bool is_of_the_host(struct view name)
{
    static const char *const names[] = { "host", "content-length", "connection",
                                         "transfer-encoding", "expect" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_is(name, names[i]))
            return true;
    return false;
}

/* A slot names a setting of type KEY, or a token: one that this transcript granted, or that some
 * operation `token` could grant. */
static bool slot_known(const struct run *run, struct view name)
{
    for (uint64_t i = 0; i < run->adapter->api.settings_count; i++) {
        const struct rg_setting *row = adapter_setting(run->adapter, i);
        if (row->type == RG_SETTING_KEY && view_is(name, row->name))
            return true;
    }
    for (size_t i = 0; i < run->grants_count; i++)
        if (view_equal(run->grants[i], name))
            return true;
    return run->grants_count == 0 && adapter_ability_of(run->adapter, RG_OP_TOKEN) != NULL;
}

static void check_header(struct run *run, const struct rg_named *row)
{
    struct view name = view_of(row->name.ptr, row->name.len);
    struct view value = view_of(row->value.ptr, row->value.len);
    if (is_of_the_host(name))
        check_fail(run, CHECK_WELL_FORMED, "SEND: header %.*s is the host's", (int)name.len,
                   (const char *)name.ptr);
    if ((row->flags & ~(RG_NAMED_SENSITIVE | RG_NAMED_SLOT)) != 0)
        check_fail(run, CHECK_WELL_FORMED, "SEND: header %.*s has unknown flags", (int)name.len,
                   (const char *)name.ptr);
    if ((row->flags & RG_NAMED_SLOT) != 0) {
        size_t at = view_find(value, 0);
        struct view slot = view_slice(value, at + 1, value.len);
        if (at == value.len || !slot_known(run, slot))
            check_fail(run, CHECK_SLOTS, "header %.*s: its slot names no grant and no KEY setting",
                       (int)name.len, (const char *)name.ptr);
        check_case(run, CHECK_SLOTS);
        value = view_slice(value, 0, at);
    }
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e) {
            check_fail(run, CHECK_WELL_FORMED, "SEND: header %.*s is not visible ASCII",
                       (int)name.len, (const char *)name.ptr);
            return;
        }
}

static void check_request(struct run *run, const struct rg_out *out)
{
    if (out->http_method < RG_HTTP_GET || out->http_method > RG_HTTP_PATCH)
        check_fail(run, CHECK_WELL_FORMED, "SEND: http_method %u is none",
                   (unsigned)out->http_method);
    if (out->expects_reply != 1)
        check_fail(run, CHECK_WELL_FORMED, "SEND: every HTTP request has a reply");
    if (out->http_method != RG_HTTP_GET && out->http_method != RG_HTTP_DELETE &&
        out->bytes.len == 0 && row_named(&out->headers, VIEW("content-type")) != NULL)
        check_fail(run, CHECK_WELL_FORMED, "SEND: a content type without a body");
    check_path(run, view_of(out->path.ptr, out->path.len));
    for (uint64_t i = 0; i < out->headers.count; i++)
        check_header(run, &out->headers.rows[i]);
}

/* --- steps ----------------------------------------------------------------------------------- */

static void check_send(struct run *run, const struct rg_out *out)
{
    const struct rg_adapter *api = &run->adapter->api;
    if (api->transport == RG_TRANSPORT_LOCAL)
        check_fail(run, CHECK_WELL_FORMED, "SEND from an adapter without transport");
    if (api->transport == RG_TRANSPORT_HTTP)
        check_request(run, out);
    if ((out->bytes.len < 1 && api->transport != RG_TRANSPORT_HTTP) ||
        out->bytes.len > api->request_max)
        check_fail(run, CHECK_WELL_FORMED, "SEND: %llu bytes; 1 to request_max (%llu) are allowed",
                   (unsigned long long)out->bytes.len, (unsigned long long)api->request_max);
    if (out->expects_reply != 1 && out->expects_reply != 2)
        check_fail(run, CHECK_WELL_FORMED, "SEND: expects_reply is %u; it must be 1 or 2",
                   (unsigned)out->expects_reply);
    if (api->transport == RG_TRANSPORT_FRAMED && out->expects_reply == 1 &&
        out->correlation.len == 0)
        check_fail(run, CHECK_WELL_FORMED, "SEND: no correlation key, so no reply can be matched");
}

static void check_done(struct run *run, const struct rg_out *out)
{
    bool money = run->take.command.operation <= RG_OP_REFUND;
    if (out->outcome < RG_OUTCOME_APPROVED || out->outcome > RG_OUTCOME_NOT_FOUND)
        check_fail(run, CHECK_WELL_FORMED, "DONE: outcome %u is not an adapter's to give",
                   (unsigned)out->outcome);
    if (out->category > RG_CATEGORY_OTHER)
        check_fail(run, CHECK_WELL_FORMED, "DONE: category %u is not known",
                   (unsigned)out->category);
    if (out->outcome == RG_OUTCOME_DECLINED && out->category == RG_CATEGORY_NONE)
        check_fail(run, CHECK_WELL_FORMED, "DONE: declined without a category");
    if (out->outcome == RG_OUTCOME_NOT_FOUND && money)
        check_fail(run, CHECK_WELL_FORMED, "DONE: not found answers only inquire and reverse");
    if (out->amount_minor < -1)
        check_fail(run, CHECK_WELL_FORMED, "DONE: a negative amount other than -1");
    if (out->outcome == RG_OUTCOME_APPROVED && money && out->amount_minor < 0)
        check_fail(run, CHECK_WELL_FORMED,
                   "DONE: approved, but not for how much; the host has nothing to compare");
    if (!readable(&out->message) || !readable(&out->rail_code) || !readable(&out->reference))
        check_fail(run, CHECK_WELL_FORMED,
                   "DONE: message, rail_code or reference is not readable text");
}

/* PENDING is only for what a notice or an inquiry can end; an action only for a payer. */
static void check_pending(struct run *run, const struct rg_out *out)
{
    uint32_t operation = run->take.command.operation;
    bool pending = out->outcome == RG_OUTCOME_PENDING;
    const struct rg_ability *able = adapter_ability_of(run->adapter, operation);
    if (pending)
        check_case(run, CHECK_PENDING);
    if (pending && operation > RG_OP_REVERSE)
        check_fail(run, CHECK_PENDING, "an operation of the link is pending");
    if (pending && operation <= RG_OP_REFUND && run->adapter->api.notice == NULL &&
        (able == NULL || (able->flags & RG_ABLE_INQUIRE) == 0))
        check_fail(run, CHECK_PENDING, "pending, but neither notice nor inquiry can end it");
    if (out->action == 0 && out->expires_in_s == 0 && out->action_values.count == 0)
        return;
    check_case(run, CHECK_PENDING);
    if (out->action > RG_ACTION_TRANSFER)
        check_fail(run, CHECK_PENDING, "action %u is none", (unsigned)out->action);
    if (!pending || (operation != RG_OP_AUTHORISE && operation != RG_OP_SALE))
        check_fail(run, CHECK_PENDING, "an action, but not a pending authorisation or sale");
    if (out->action_values.count > 0 && out->action == 0)
        check_fail(run, CHECK_PENDING, "values of an action, but no action");
    static const char *const due[] = { NULL, "payload", NULL, "url", NULL };
    const char *name = out->action < 5 ? due[out->action] : NULL;
    if (name != NULL && row_named(&out->action_values, view_text(name)) == NULL)
        check_fail(run, CHECK_PENDING, "the action's value \"%s\" is missing", name);
    for (uint64_t i = 0; i < out->action_values.count; i++)
        if (!view_is_utf8(view_of(out->action_values.rows[i].value.ptr,
                                  out->action_values.rows[i].value.len)))
            check_fail(run, CHECK_PENDING, "a value of the action is not UTF-8");
}

static void remember_grants(struct run *run, const struct rg_table *grants)
{
    if (run->take.command.operation != RG_OP_TOKEN)
        return;
    for (uint64_t i = 0; i < grants->count && run->grants_count < NAMES_MAX; i++) {
        struct view name = view_of(grants->rows[i].name.ptr, grants->rows[i].name.len);
        bool known = false;
        for (size_t k = 0; k < run->grants_count; k++)
            known = known || view_equal(run->grants[k], name);
        if (!known)
            run->grants[run->grants_count++] = arena_copy(&run->arena, name);
    }
}

void check_well_formed(struct run *run)
{
    const struct host_step *step = &run->host.step;
    const struct rg_out *out = &step->out;
    check_case(run, CHECK_WELL_FORMED);
    if (host_step_overflowed(step))
        return; /* the host treats it as FAIL */
    check_table(run, &out->refs, "refs");
    check_table(run, &out->grants, "grants");
    check_table(run, &out->extra, "extra");
    check_table(run, &out->headers, "headers");
    check_table(run, &out->action_values, "action_values");
    switch (step->kind) {
    case RG_STEP_SEND: check_send(run, out); break;
    case RG_STEP_SIGN:
        if (out->bytes.len == 0)
            check_fail(run, CHECK_WELL_FORMED, "SIGN: nothing to sign");
        check_key_name(run, &out->sign_key, "SIGN");
        break;
    case RG_STEP_DONE:
        check_done(run, out);
        check_pending(run, out);
        remember_grants(run, &out->grants);
        break;
    case RG_STEP_FAIL:
        if (out->diagnosis.len == 0 || !readable(&out->diagnosis))
            check_fail(run, CHECK_WELL_FORMED, "FAIL without a readable diagnosis");
        break;
    default:
        check_fail(run, CHECK_WELL_FORMED, "returned %u, which is no step", (unsigned)step->kind);
    }
}
