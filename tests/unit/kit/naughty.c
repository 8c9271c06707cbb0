/* naughty.c - a small framed adapter with one vice at a time, chosen by the setting `vice`: each
 * check of the conformance suite must see the vice it is made for. With vice=none it is a good
 * adapter. Its protocol: request "Q<trace>\n", reply "R<trace> <code> <amount>\n", notice
 * "N<trace>\n". */
#include <railgate/adapter.h>
#include <railgate/writer.h>

#ifdef NAUGHTY_SYMBOLS
char *getenv(const char *name);
#endif

static const char vices[] =
    "none|fresh|keeps|beyond|quiet_overflow|bad_step|no_correlation|no_diag|"
    "cut|negative|largest|unknown_op|any_event|no_refs|early_frame|wrong_key|"
    "moody_notice|cut_notice|talks|slow|instance|refuses|wrong_outcome|"
    "exchange|flip|foreign";
enum {
    NONE,
    FRESH,
    KEEPS,
    BEYOND,
    QUIET_OVERFLOW,
    BAD_STEP,
    NO_CORRELATION,
    NO_DIAG,
    CUT,
    NEGATIVE,
    LARGEST,
    UNKNOWN_OP,
    ANY_EVENT,
    NO_REFS,
    EARLY_FRAME,
    WRONG_KEY,
    MOODY_NOTICE,
    CUT_NOTICE,
    TALKS,
    SLOW,
    INSTANCE,
    REFUSES,
    WRONG_OUTCOME,
    EXCHANGE,
    FLIP,
    FOREIGN
};

static const struct rg_setting settings[] = {
    { .size = sizeof(struct rg_setting),
      .name = "vice",
      .type = RG_SETTING_CHOICE,
      .fallback = "none",
      .choices = vices,
      .sentence = "What is wrong with this adapter." },
};
#define ABILITY(op, able)                                                                          \
    {                                                                                              \
        .size = sizeof(struct rg_ability), .operation = (op), .flags = (able), .deadline_ms = 1,   \
        .amount_minor_max = 999999                                                                 \
    }
static const struct rg_ability abilities[] = { ABILITY(RG_OP_SALE, RG_ABLE_REVERSE),
                                               ABILITY(RG_OP_REVERSE, 0) };

static unsigned calls; /* an adapter must have no such thing: that is what it is for */

struct instance {
    int64_t vice;
    uint32_t scratch;
};
struct exchange {
    uint32_t trace, operation;
    int64_t amount;
    const uint8_t *kept; /* of an input, which is gone by then */
    uint64_t kept_len;
};

static uint32_t configure(void *memory, const struct rg_value *values, struct rg_diag *diag)
{
    struct instance *instance = memory;
    instance->vice = values[0].number;
    if (instance->vice != REFUSES)
        return 1;
    rg_put_text(&diag->text, "no");
    return 0;
}

static uint32_t fail(const struct instance *instance, struct rg_out *out, const char *why)
{
    if (instance->vice != NO_DIAG)
        rg_put_text(&out->diagnosis, why);
    return RG_STEP_FAIL;
}

static uint32_t begin(const void *memory, void *state, const struct rg_command *c,
                      struct rg_out *out)
{
    const struct instance *instance = memory;
    struct exchange *exchange = state;
    int64_t vice = instance->vice;
    const struct rg_named *pan = rg_find(c->details, c->details_count, "account");
#ifdef NAUGHTY_SYMBOLS
    if (getenv("NAUGHTY") != NULL)
        return RG_STEP_FAIL;
#endif
    if (c->operation != RG_OP_SALE && c->operation != RG_OP_REVERSE && vice != UNKNOWN_OP)
        return fail(instance, out, "not known");
    if (c->operation == RG_OP_REVERSE && rg_find(c->refs, c->refs_count, "trace") == NULL)
        return fail(instance, out, "no refs");
    if (c->amount_minor < 0 && vice != NEGATIVE)
        return fail(instance, out, "negative");
    if (c->amount_minor > 1000 && vice == LARGEST)
        return fail(instance, out, "too much");
    if (vice == TALKS && pan != NULL) {
        rg_put_text(&out->diagnosis, "cannot use ");
        rg_put_bytes(&out->diagnosis, pan->value);
        return RG_STEP_FAIL;
    }
    if (vice == BAD_STEP)
        return 9;
    if (vice == INSTANCE)
        ((struct instance *)(uintptr_t)memory)->scratch++;
    if (vice == EXCHANGE)
        ((uint8_t *)state)[sizeof *exchange + 1] = 0;
    for (volatile uint64_t i = 0; vice == SLOW && calls == 0 && i < 100000000; i++)
        ;
    calls += vice == SLOW;
    if (vice == FOREIGN && c->currency_number != 978)
        return 0;
    exchange->trace = c->trace;
    exchange->operation = c->operation;
    exchange->amount = c->amount_minor;
    exchange->kept = pan != NULL ? pan->value.ptr : NULL;
    exchange->kept_len = pan != NULL ? pan->value.len : 0;
    rg_put_u8(&out->bytes, 'Q');
    rg_put_digits(&out->bytes, c->trace, 6);
    if (vice == FRESH)
        rg_put_digits(&out->bytes, ++calls % 1000, 3);
    rg_put_u8(&out->bytes, '\n');
    if (vice == BEYOND)
        out->bytes.ptr[out->bytes.room] = 'x';
    if (vice == QUIET_OVERFLOW)
        out->bytes.overflow = 0;
    if (vice != NO_CORRELATION)
        rg_put_digits(&out->correlation, c->trace, 6);
    if (vice != NO_REFS)
        rg_table_put_text(&out->refs, "trace", "1");
    out->expects_reply = 1;
    return RG_STEP_SEND;
}

/* "R000001 00 000010\n"; a shorter one is good enough for vice=cut. */
static uint32_t resume(const void *memory, void *state, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct instance *instance = memory;
    const struct exchange *exchange = state;
    const uint8_t *b = event->bytes.ptr;
    uint64_t len = event->bytes.len;
    int64_t amount = 0;
    if (instance->vice == FLIP && len == 18 && b[12] > '9')
        return 0;
    if (event->kind != RG_EVENT_REPLY && instance->vice != ANY_EVENT)
        return fail(instance, out, "not that event");
    if (instance->vice != CUT && instance->vice != ANY_EVENT) {
        if (len != 18 || b[0] != 'R' || b[17] != '\n' || b[8] != '0' || b[9] != '0')
            return fail(instance, out, "not a reply");
        for (uint64_t i = 11; i < 17; i++) {
            if (b[i] < '0' || b[i] > '9')
                return fail(instance, out, "not a number");
            amount = amount * 10 + b[i] - '0';
        }
    }
    out->outcome = instance->vice == WRONG_OUTCOME ? RG_OUTCOME_UNKNOWN : RG_OUTCOME_APPROVED;
    out->amount_minor = amount;
    out->currency_number = 978;
    if (instance->vice == KEEPS)
        rg_put(&out->reference, exchange->kept, exchange->kept_len);
    return RG_STEP_DONE;
}

static uint32_t frame(const void *memory, const struct rg_bytes *bytes, struct rg_frame *out)
{
    const struct instance *instance = memory;
    uint64_t end = 0;
    while (end < bytes->len && bytes->ptr[end] != '\n')
        end++;
    if (instance->vice == EARLY_FRAME && bytes->len >= 7)
        end = bytes->len - 1;
    if (end == bytes->len)
        return end < 64 ? RG_FRAME_NEED : RG_FRAME_BROKEN;
    out->length = end + 1;
    out->kind = bytes->ptr[0] == 'R' ? RG_FRAME_REPLY : RG_FRAME_UNSOLICITED;
    if (out->kind == RG_FRAME_REPLY && end >= 7)
        rg_put(&out->correlation, bytes->ptr + 1, instance->vice == WRONG_KEY ? 5 : 6);
    return RG_FRAME_COMPLETE;
}

static uint32_t notice(const void *memory, const struct rg_notice *in, struct rg_notice_out *out)
{
    const struct instance *instance = memory;
    if (instance->vice != CUT_NOTICE &&
        (in->bytes.len != 8 || in->bytes.ptr[0] != 'N' || in->bytes.ptr[7] != '\n'))
        return RG_NOTICE_BROKEN;
    out->outcome = RG_OUTCOME_APPROVED;
    out->amount_minor = instance->vice == MOODY_NOTICE ? (int64_t)++calls : 1;
    rg_put_text(&out->acknowledgement, "A");
    return RG_NOTICE_DONE;
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_FRAMED,
    .size = sizeof adapter,
    .id = "naughty",
    .version = "0.0.1",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "card",
    .settings = settings,
    .settings_count = 1,
    .abilities = abilities,
    .abilities_count = 2,
    .instance_size = sizeof(struct instance),
    .exchange_size = sizeof(struct exchange),
    .request_max = 64,
    .answer_max = 64,
    .steps_max = 3,
    .configure = configure,
    .begin = begin,
    .resume = resume,
    .frame = frame,
    .notice = notice,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
