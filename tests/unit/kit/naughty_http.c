/* naughty_http.c - naughty.c over HTTP: one vice at a time, each seen by the check that is made for
 * it. Its protocol: POST /s with "attempt amount" answers 200 "paid amount" or 202 "open amount";
 * notices are POST /n with "attempt state amount", signed over the body. */
#include <railgate/adapter.h>
#include <railgate/writer.h>

static const char vices[] = "none|any_status|refused_500|slot|host_header|path|method|blank_action|"
                            "action_of_refund|endless|foreign_name|uncovered|unsigned_change|"
                            "second_entry|later_size|header_order|long_notice";
enum {
    NONE,
    ANY_STATUS,
    REFUSED_500,
    SLOT,
    HOST_HEADER,
    PATH,
    METHOD,
    BLANK_ACTION,
    ACTION_OF_REFUND,
    ENDLESS,
    FOREIGN_NAME,
    UNCOVERED,
    UNSIGNED_CHANGE,
    SECOND_ENTRY,
    LATER_SIZE,
    HEADER_ORDER,
    LONG_NOTICE /* which is none: 300 entries */
};

static const struct rg_setting settings[] = {
    { .size = sizeof(struct rg_setting),
      .name = "vice",
      .type = RG_SETTING_CHOICE,
      .fallback = "none",
      .choices = vices,
      .sentence = "What is wrong with this adapter." },
    { .size = sizeof(struct rg_setting),
      .name = "their_key",
      .type = RG_SETTING_KEY,
      .fallback = "their_key",
      .sentence = "Key of the notices." },
};
#define ABILITY(op)                                                                                \
    {                                                                                              \
        .size = sizeof(struct rg_ability), .operation = (op), .deadline_ms = 1,                    \
        .amount_minor_max = 999999                                                                 \
    }
static const struct rg_ability abilities[] = { ABILITY(RG_OP_SALE), ABILITY(RG_OP_REFUND) };

static unsigned calls; /* an adapter must have no such thing */

struct instance {
    int64_t vice;
};
struct exchange {
    uint32_t operation;
};

static uint32_t configure(void *memory, const struct rg_value *values, struct rg_diag *diag)
{
    (void)diag;
    ((struct instance *)memory)->vice = values[0].number;
    return 1;
}

static uint32_t fail(struct rg_out *out, const char *why)
{
    rg_put_text(&out->diagnosis, why);
    return RG_STEP_FAIL;
}

static uint32_t begin(const void *memory, void *state, const struct rg_command *c,
                      struct rg_out *out)
{
    int64_t vice = ((const struct instance *)memory)->vice;
    if ((c->operation != RG_OP_SALE && c->operation != RG_OP_REFUND) || c->amount_minor < 0)
        return fail(out, "not this");
    if (vice == LATER_SIZE && c->size != sizeof *c)
        return fail(out, "this host is not the one that I know");
    ((struct exchange *)state)->operation = c->operation;
    out->http_method = vice == METHOD ? 9 : RG_HTTP_POST;
    rg_put_text(&out->path, vice == PATH ? "/s\r\nx: y" : "/s");
    rg_header_slot(out, "authorization", "Bearer ", vice == SLOT ? "nobody" : "their_key");
    if (vice == HOST_HEADER)
        rg_header(out, "content-length", "1");
    rg_put_bytes(&out->bytes, c->attempt_id);
    rg_put_u8(&out->bytes, ' ');
    rg_put_i64(&out->bytes, c->amount_minor);
    rg_table_put(&out->refs, "order", c->attempt_id.ptr, c->attempt_id.len, 0);
    out->expects_reply = 1;
    return RG_STEP_SEND;
}

/* "paid 10." */
static uint32_t take(struct rg_bytes b, const char *word, uint64_t *amount)
{
    uint64_t len = 0;
    while (len < b.len && word[len] != '\0' && b.ptr[len] == (uint8_t)word[len])
        len++;
    if (word[len] != '\0' || b.len < len + 2 || b.ptr[b.len - 1] != '.')
        return 0;
    struct rg_bytes digits = { b.ptr + len, b.len - len - 1 };
    return rg_number(digits, 999999, amount);
}

static uint32_t resume(const void *memory, void *state, const struct rg_event *event,
                       struct rg_out *out)
{
    int64_t vice = ((const struct instance *)memory)->vice;
    const struct exchange *exchange = state;
    uint64_t amount = 0;
    uint32_t status = vice == ANY_STATUS ? 200 : event->http_status;
    if (event->kind != RG_EVENT_REPLY)
        return fail(out, "no such event");
    if (vice == HEADER_ORDER && event->headers.len > 0 && event->headers.ptr[0] == 'n')
        status = 402;
    if (status == 402 || (vice == REFUSED_500 && status == 500)) {
        out->outcome = RG_OUTCOME_DECLINED;
        out->category = RG_CATEGORY_OTHER;
        return RG_STEP_DONE;
    }
    if (status != 200 && status != 202)
        return fail(out, "says nothing");
    out->currency_number = 978;
    if (take(event->bytes, "paid ", &amount) != 0) {
        out->outcome = RG_OUTCOME_APPROVED;
    } else if (take(event->bytes, "open ", &amount) != 0) {
        out->outcome = RG_OUTCOME_PENDING;
        if (exchange->operation == RG_OP_SALE || vice == ACTION_OF_REFUND) {
            out->action = RG_ACTION_SHOW_CODE;
            if (vice != BLANK_ACTION)
                rg_table_put_text(&out->action_values, "payload", "CODE");
        }
    } else {
        return fail(out, "not a reply");
    }
    out->amount_minor = (int64_t)amount;
    return RG_STEP_DONE;
}

/* The body is "att_0000000000001 paid 10." and, behind '#', what nobody may change either. */
static uint32_t notice(const void *memory, const struct rg_notice *in, struct rg_notice_out *out)
{
    int64_t vice = ((const struct instance *)memory)->vice;
    uint64_t amount = 0, end = 0;
    struct rg_bytes hex = rg_header_value(in->headers, "signature");
    while (end < in->bytes.len && in->bytes.ptr[end] != '#')
        end++;
    struct rg_bytes rest = { in->bytes.ptr + 17, end - 17 };
    if (end < 19 || take(rest, " paid ", &amount) == 0)
        return vice == UNSIGNED_CHANGE && end >= 19 && in->verified == 0 && hex.len > 0
                   ? (out->about = RG_ABOUT_STATUS, out->outcome = RG_OUTCOME_APPROVED,
                      RG_NOTICE_DONE)
                   : RG_NOTICE_BROKEN;
    if (in->verified == 0 && hex.len > 0) {
        rg_put(&out->bytes, in->bytes.ptr, vice == UNCOVERED ? 17 : in->bytes.len);
        if (rg_put_unhex(&out->signature, hex) == 0)
            return RG_NOTICE_BROKEN;
        rg_put_text(&out->sign_key, "their_key");
        return RG_NOTICE_VERIFY;
    }
    out->about = RG_ABOUT_STATUS;
    out->outcome = RG_OUTCOME_APPROVED;
    out->amount_minor = (int64_t)amount;
    rg_put(&out->attempt_id,
           vice == FOREIGN_NAME ? (const uint8_t *)"att_000000000000z" : in->bytes.ptr, 17);
    out->more = vice == ENDLESS || in->index < (vice == LONG_NOTICE ? 299 : 1);
    if (vice == SECOND_ENTRY && in->index == 1)
        out->amount_minor = (int64_t)++calls;
    return RG_NOTICE_DONE;
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "naughty_http",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "qr",
    .settings = settings,
    .settings_count = 2,
    .abilities = abilities,
    .abilities_count = 2,
    .instance_size = sizeof(struct instance),
    .exchange_size = sizeof(struct exchange),
    .request_max = 256,
    .answer_max = 256,
    .steps_max = 2,
    .configure = configure,
    .begin = begin,
    .resume = resume,
    .notice = notice,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
