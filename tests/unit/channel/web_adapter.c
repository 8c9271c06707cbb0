/* web_adapter.c - see web_adapter.h. */
#include "web_adapter.h"

#include <railgate/writer.h>
#include <string.h>

struct instance {
    uint32_t access, has_key, signs, reserved;
};

struct state {
    uint32_t operation, second;
};

#define ROW(name, type, fallback, max)                                                             \
    {                                                                                              \
        sizeof(struct rg_setting), (name), (type), 0, (fallback), NULL, 0, (max), NULL, 0, 0,      \
            "A setting."                                                                           \
    }
static const struct rg_setting settings[WEB_SETTINGS] = {
    [WEB_ACCESS] = ROW("access", RG_SETTING_FLAG, "no", 0),
    [WEB_API_KEY] = ROW("api_key", RG_SETTING_KEY, NULL, 0),
    [WEB_LETTER] = ROW("letter", RG_SETTING_FILE, NULL, 100),
    [WEB_SIGN_KEY] = ROW("sign_key", RG_SETTING_KEY, NULL, 0),
};

#define ABLE(op, flags, late, max)                                                                 \
    {                                                                                              \
        sizeof(struct rg_ability), (op), (flags), (late), 2000, (max), "EUR"                       \
    }
static const struct rg_ability abilities[] = {
    ABLE(RG_OP_SALE, RG_ABLE_REPEAT | RG_ABLE_INQUIRE, 5000, 999999),
    ABLE(RG_OP_INQUIRE, RG_ABLE_REPEAT, 0, 0),
    ABLE(RG_OP_TOKEN, 0, 0, 0),
};

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    (void)diag;
    struct instance *self = instance;
    self->access = (uint32_t)values[WEB_ACCESS].number;
    self->has_key = values[WEB_API_KEY].present;
    self->signs = values[WEB_SIGN_KEY].present;
    return 1;
}

static void put_request(struct rg_out *out, uint32_t method, const char *path, const char *body)
{
    out->http_method = method;
    out->expects_reply = 1;
    rg_put_text(&out->path, path);
    rg_put_text(&out->bytes, body);
    rg_table_put_text(&out->headers, "content-type", "text/plain");
}

static void put_slots(const struct instance *self, struct rg_out *out)
{
    if (self->access != 0)
        rg_table_put(&out->headers, "authorization", "Bearer \0access", 14, RG_NAMED_SLOT);
    if (self->has_key != 0)
        rg_table_put(&out->headers, "x-api-key", "\0api_key", 8,
                     RG_NAMED_SLOT | RG_NAMED_SENSITIVE);
}

static uint32_t is(const struct rg_named *row, const char *text)
{
    return row != NULL && row->value.len == strlen(text) &&
           memcmp(row->value.ptr, text, row->value.len) == 0;
}

/* What is wrong with the request; the rest of it is right. */
static void spoil(const struct rg_named *how, struct rg_out *out)
{
    static const struct {
        const char *how, *name, *value;
        uint64_t len;
        uint32_t flags;
    } headers[] = {
        { "host", "host", "x", 1, 0 },
        { "length", "content-length", "1", 1, 0 },
        { "connection", "connection", "close", 5, 0 },
        { "coding", "transfer-encoding", "chunked", 7, 0 },
        { "expect", "expect", "100-continue", 12, 0 },
        { "upper", "X-Big", "x", 1, 0 },
        { "space", "x y", "x", 1, 0 },
        { "colon", "x:y", "x", 1, 0 },
        { "cr", "x-a", "a\rb", 3, 0 },
        { "lf", "x-a", "a\nb: c", 6, 0 },
        { "nul", "x-a", "a\0b", 3, 0 },
        { "high", "x-a", "\xc3\xa4", 2, 0 },
        { "slot_none", "x-a", "Bearer", 6, RG_NAMED_SLOT },
        { "slot_two", "x-a", "\0a\0b", 4, RG_NAMED_SLOT },
        { "slot_empty", "x-a", "Bearer \0", 8, RG_NAMED_SLOT },
        { "slot_lf", "x-a", "a\n\0access", 9, RG_NAMED_SLOT },
        { "slot_kind", "x-a", "\0sign_key", 9, RG_NAMED_SLOT },
        { "flags", "x-a", "x", 1, 4 },
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (is(how, headers[i].how))
            rg_table_put(&out->headers, headers[i].name, headers[i].value, headers[i].len,
                         headers[i].flags);
    if (is(how, "slot_name")) /* granted by nobody */
        rg_table_put(&out->headers, "x-b", "\0nothing", 8, RG_NAMED_SLOT);
    for (int i = 0; is(how, "many") && i < 40; i++)
        rg_table_put_text(&out->headers, "x-a", "x");
    if (is(how, "method"))
        out->http_method = 6;
    if (is(how, "no_method"))
        out->http_method = 0;
    if (is(how, "no_reply"))
        out->expects_reply = 2;
    if (is(how, "no_path"))
        out->path.len = 0;
    if (is(how, "relative"))
        out->path.ptr[0] = 'x';
    if (is(how, "path_space"))
        rg_put_text(&out->path, " HTTP/1.1");
    if (is(how, "path_lf"))
        rg_put_text(&out->path, "\r\nx: y");
    for (int i = 0; is(how, "path_long") && i < 2048; i++)
        rg_put_u8(&out->path, 'a');
    if (is(how, "hash"))
        rg_put_text(&out->path, "#x");
    if (is(how, "empty"))
        out->bytes.len = 0;
    if (is(how, "bodyless"))
        out->bytes.len = out->headers.count = out->headers.text.len = 0;
    if (is(how, "get")) {
        out->http_method = RG_HTTP_GET;
        out->bytes.len = 0;
    }
}

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct instance *self = instance;
    struct state *x = exchange;
    x->operation = command->operation;
    if (command->operation == RG_OP_TOKEN) {
        put_request(out, RG_HTTP_POST, "/token", "TOKEN");
        return RG_STEP_SEND;
    }
    uint8_t body[128];
    struct rg_buffer b = { body, sizeof body, 0, 0, 0 };
    rg_put_text(&b, "PAY ");
    rg_put_digits(&b, command->operation, 2);
    rg_put_u8(&b, ' ');
    rg_put_digits(&b, (uint64_t)command->amount_minor, 6);
    rg_put_u8(&b, ' ');
    rg_put_bytes(&b, command->attempt_id);
    rg_put_u8(&b, 0);
    put_request(out, RG_HTTP_POST, "/pay?v=1", (const char *)body);
    put_slots(self, out);
    if (command->notice_url.len > 0)
        rg_table_put(&out->headers, "x-notice", command->notice_url.ptr, command->notice_url.len,
                     0);
    rg_table_put(&out->refs, "attempt", command->attempt_id.ptr, command->attempt_id.len, 0);
    spoil(rg_find(command->details, command->details_count, "begin"), out);
    if (self->signs == 0)
        return RG_STEP_SEND;
    out->refs.count = 0;
    rg_put_text(&out->sign_key, "sign_key");
    return RG_STEP_SIGN;
}

static uint32_t done(struct rg_out *out, uint32_t outcome, uint32_t category)
{
    out->outcome = outcome;
    out->category = category;
    rg_put_text(&out->rail_code, "00");
    return RG_STEP_DONE;
}

static uint32_t pending(struct rg_out *out, uint32_t action, const char *name)
{
    out->action = action;
    out->expires_in_s = 60;
    if (name != NULL)
        rg_table_put_text(&out->action_values, name, "VALUE");
    return done(out, RG_OUTCOME_PENDING, 0);
}

/* "VALUE LIFETIME" */
static uint32_t granted(struct rg_out *out, struct rg_bytes text)
{
    uint64_t at = 0;
    while (at < text.len && text.ptr[at] != ' ')
        at++;
    rg_table_put(&out->grants, "access", text.ptr, at, RG_NAMED_SENSITIVE);
    for (uint64_t i = at + 1; i < text.len; i++)
        out->grants_lifetime_s = out->grants_lifetime_s * 10 + (uint32_t)(text.ptr[i] - '0');
    return done(out, RG_OUTCOME_APPROVED, 0);
}

static uint32_t resume(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct instance *self = instance;
    struct state *x = exchange;
    if (event->kind == RG_EVENT_SIGNED) {
        put_request(out, RG_HTTP_POST, "/pay?v=1", "SIGNED");
        put_slots(self, out);
        rg_table_put(&out->refs, "signature", event->bytes.ptr, event->bytes.len, 0);
        return RG_STEP_SEND;
    }
    if (event->http_status == 401) {
        rg_put_text(&out->rail_code, "401");
        out->outcome = RG_OUTCOME_REJECTED;
        out->category = RG_CATEGORY_SECURITY;
        return RG_STEP_DONE;
    }
    if (event->http_status != 200 || event->bytes.len < 1) {
        rg_put_text(&out->diagnosis, "the answer is no answer");
        return RG_STEP_FAIL;
    }
    if (x->operation == RG_OP_TOKEN)
        return granted(out, event->bytes);
    switch (event->bytes.ptr[0]) {
    case 'A': return done(out, RG_OUTCOME_APPROVED, 0);
    case 'D': return done(out, RG_OUTCOME_DECLINED, RG_CATEGORY_FUNDS);
    case 'H': /* what it was told in the head */
        rg_put_bytes(&out->reference, event->headers);
        return done(out, RG_OUTCOME_APPROVED, 0);
    case 'P': return done(out, RG_OUTCOME_PENDING, 0);
    case 'C': return pending(out, RG_ACTION_SHOW_CODE, "payload");
    case 'c': return pending(out, RG_ACTION_SHOW_CODE, "other");
    case 'b': /* not UTF-8 */
        rg_table_put_text(&out->action_values, "name", "\xff");
        return pending(out, RG_ACTION_SHOW_CODE, "payload");
    case 'U': return pending(out, RG_ACTION_REDIRECT, "url");
    case 'u': return pending(out, RG_ACTION_REDIRECT, NULL);
    case '5': return pending(out, 5, "payload");
    case 'a': /* approved, and yet something to do */
        (void)pending(out, RG_ACTION_SHOW_CODE, "payload");
        out->outcome = RG_OUTCOME_APPROVED;
        return RG_STEP_DONE;
    case '2':
        put_request(out, RG_HTTP_PUT, "/confirm", "CONFIRM");
        put_slots(self, out);
        return RG_STEP_SEND;
    case 'R': /* refs that could not be stored before it leaves */
        put_request(out, RG_HTTP_PUT, "/confirm", "CONFIRM");
        rg_table_put_text(&out->refs, "late", "x");
        return RG_STEP_SEND;
    case 'X': put_request(out, RG_HTTP_PUT, "/con firm", "CONFIRM"); return RG_STEP_SEND;
    default: rg_put_text(&out->diagnosis, "the answer's letter is not known"); return RG_STEP_FAIL;
    }
}

static uint32_t notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out)
{
    (void)instance, (void)in, (void)out;
    return RG_NOTICE_BROKEN;
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "web",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "tests",
    .rail = "bank",
    .settings = settings,
    .settings_count = WEB_SETTINGS,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct instance),
    .exchange_size = sizeof(struct state),
    .request_max = 256,
    .answer_max = WEB_ANSWER_MAX,
    .steps_max = 6,
    .configure = configure,
    .begin = begin,
    .resume = resume,
    .notice = notice,
};

const struct rg_adapter *web_adapter(uint32_t host_abi)
{
    (void)host_abi;
    return &adapter;
}
