/* tiny_adapter.c - see tiny_adapter.h. What it does wrong is asked for in two ways: by the detail
 * "begin" of a command, and by the letter of an answer. */
#include "tiny_adapter.h"

#include <railgate/writer.h>
#include <string.h>

enum { SET_MAC_KEY = 0, SET_ZONE_KEY, SET_MODE, SET_NUMBER, SET_NAME, SET_LOUD, SET_COUNT };

struct instance {
    uint32_t has_mac, reserved;
};

struct state {
    struct rg_command command; /* its pointers are dead after begin */
    uint8_t message[64];
    uint64_t len;
    uint32_t second;
    uint32_t fickle; /* its refs depend on the key, which they must not */
};

static const struct rg_setting settings[] = {
    { sizeof(struct rg_setting), "mac_key", RG_SETTING_KEY, 0, NULL, NULL, 0, 0, NULL, 0, 0,
      "Key of the MAC." },
    { sizeof(struct rg_setting), "zone_key", RG_SETTING_KEY, 0, NULL, NULL, 0, 0, NULL, 0, 0,
      "Key that wraps others." },
    { sizeof(struct rg_setting), "mode", RG_SETTING_CHOICE, 0, "plain", "plain|fancy", 0, 0, NULL,
      0, 0, "A choice." },
    { sizeof(struct rg_setting), "number", RG_SETTING_NUMBER, 0, "7", NULL, 1, 99, "ms", 0, 0,
      "A number." },
    { sizeof(struct rg_setting), "terminal", RG_SETTING_TEXT, 1, NULL, NULL, 2, 8, NULL, 0, 0,
      "A text." },
    { sizeof(struct rg_setting), "loud", RG_SETTING_FLAG, 0, "no", NULL, 0, 0, NULL, 0, 0,
      "A flag." },
};

#define ABLE(op, flags, late, max)                                                                 \
    {                                                                                              \
        sizeof(struct rg_ability), (op), (flags), (late), 1000, (max), "EUR USD"                   \
    }
static const struct rg_ability abilities[] = {
    ABLE(RG_OP_AUTHORISE, RG_ABLE_REVERSE | RG_ABLE_PARTIAL_APPROVAL, 5000, 999999999999),
    ABLE(RG_OP_CAPTURE, RG_ABLE_REPEAT | RG_ABLE_REVERSE, 5000, 999999999999),
    ABLE(RG_OP_CANCEL, RG_ABLE_PARTIAL, 0, 999999999999),
    ABLE(RG_OP_INQUIRE, 0, 0, 999999999999),
    ABLE(RG_OP_REVERSE, RG_ABLE_REPEAT, 5000, 999999999999),
    ABLE(RG_OP_SIGN_ON, 0, 0, 0),
    ABLE(RG_OP_SIGN_OFF, 0, 0, 0),
    ABLE(RG_OP_ECHO, 0, 0, 0),
    ABLE(RG_OP_KEY_CHANGE, 0, 0, 0),
};

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct instance *self = instance;
    self->has_mac = values[SET_MAC_KEY].present;
    if (values[SET_NUMBER].number == 13) {
        diag->row = SET_NUMBER;
        rg_put_text(&diag->text, "13 is not liked");
        return 0;
    }
    return 1;
}

static void put_frame(struct rg_buffer *out, const uint8_t *bytes, uint64_t len)
{
    rg_put_u8(out, (uint8_t)(len >> 8));
    rg_put_u8(out, (uint8_t)len);
    rg_put(out, bytes, len);
}

static uint32_t send_message(struct state *x, struct rg_out *out, struct rg_bytes mac)
{
    rg_put_u8(&out->bytes, 0);
    rg_put_u8(&out->bytes, (uint8_t)(x->len + mac.len));
    rg_put(&out->bytes, x->message, x->len);
    rg_put_bytes(&out->bytes, mac);
    rg_put(&out->correlation, x->message + 1, 8);
    if (x->second == 0) {
        uint8_t digits[6];
        memcpy(digits, x->message + 3, 6);
        rg_table_put(&out->refs, "trace", digits, 6, 0);
        rg_table_put(&out->refs, "card", "secret", 6, RG_NAMED_SENSITIVE);
        if (x->fickle != 0)
            rg_table_put(&out->refs, "mac", mac.ptr, mac.len, 0);
    }
    out->expects_reply = 1;
    return RG_STEP_SEND;
}

static void encode(struct state *x)
{
    struct rg_buffer b = { x->message, sizeof x->message, 0, 0, 0 };
    rg_put_u8(&b, 'Q');
    rg_put_digits(&b, x->command.operation, 2);
    rg_put_digits(&b, x->command.trace, 6);
    rg_put_digits(&b, (uint64_t)x->command.amount_minor, 12);
    rg_put_digits(&b, x->command.repeat, 1);
    x->len = b.len;
}

static uint32_t is_begin(const struct rg_named *row, const char *text)
{
    return row != NULL && row->value.len == strlen(text) &&
           memcmp(row->value.ptr, text, row->value.len) == 0;
}

/* The mistakes of begin(); 0: none of them. */
static uint32_t misbehave(const struct rg_named *how, struct rg_out *out)
{
    if (is_begin(how, "fail")) {
        rg_put_text(&out->diagnosis, "the field 4111 1111 1111 1111 is too long");
        return RG_STEP_FAIL;
    }
    if (is_begin(how, "step"))
        return 77;
    if (is_begin(how, "overflow")) {
        out->bytes.overflow = 1;
        return RG_STEP_SEND;
    }
    if (is_begin(how, "length")) {
        out->bytes.len = out->bytes.room + 1;
        return RG_STEP_SEND;
    }
    if (is_begin(how, "pointer")) {
        out->bytes.ptr++;
        return RG_STEP_SEND;
    }
    if (is_begin(how, "count")) {
        out->refs.count = out->refs.room + 1;
        return RG_STEP_SEND;
    }
    if (is_begin(how, "name")) {
        rg_table_put(&out->refs, "Not A Name", "x", 1, 0);
        return RG_STEP_SEND;
    }
    if (is_begin(how, "row")) {
        rg_table_put(&out->refs, "name", "x", 1, 0);
        out->refs.rows[0].value.len = 1000;
        return RG_STEP_SEND;
    }
    if (is_begin(how, "key")) {
        rg_put_text(&out->sign_key, "no_such_key");
        return RG_STEP_SIGN;
    }
    if (is_begin(how, "empty"))
        return RG_STEP_SEND;
    return 0;
}

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct instance *self = instance;
    struct state *x = exchange;
    const struct rg_named *how = rg_find(command->details, command->details_count, "begin");
    x->command = *command;
    x->fickle = is_begin(how, "fickle");
    uint32_t wrong = misbehave(how, out);
    if (wrong != 0)
        return wrong;
    encode(x);
    if (self->has_mac == 0 || command->operation >= RG_OP_SIGN_ON)
        return send_message(x, out, (struct rg_bytes){ NULL, 0 });
    rg_put(&out->bytes, x->message, x->len);
    rg_put_text(&out->sign_key, "mac_key");
    return RG_STEP_SIGN;
}

static uint32_t done(struct rg_out *out, uint32_t outcome, uint32_t category)
{
    out->outcome = outcome;
    out->category = category;
    rg_put_text(&out->rail_code, "00");
    rg_put_text(&out->reference, "REF1");
    rg_table_put_text(&out->refs, "approval", "123456");
    rg_table_put_text(&out->extra, "approval_code", "123456");
    return RG_STEP_DONE;
}

static int64_t number_of(struct rg_bytes text)
{
    int64_t value = 0;
    for (uint64_t i = 0; i < text.len; i++)
        value = value * 10 + (text.ptr[i] - '0');
    return value;
}

/* K WRAPPED(24) KCV(3): a new mac_key under zone_key. */
static uint32_t granted(struct rg_out *out, struct rg_bytes rest)
{
    if (rest.len != 27)
        return RG_STEP_FAIL;
    rg_table_put_wrapped_key(&out->grants, "mac_key", "zone_key", rest.ptr, 24, rest.ptr + 24, 3);
    return done(out, RG_OUTCOME_APPROVED, 0);
}

static uint32_t resume(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out)
{
    (void)instance;
    struct state *x = exchange;
    if (event->kind == RG_EVENT_SIGNED && x->second != 2)
        return send_message(x, out, event->bytes);
    if (event->kind == RG_EVENT_SIGNED) { /* for ever */
        rg_put_text(&out->sign_key, "mac_key");
        return RG_STEP_SIGN;
    }
    if (event->bytes.len < 12)
        return RG_STEP_FAIL;
    struct rg_bytes rest = { event->bytes.ptr + 12, event->bytes.len - 12 };
    switch (event->bytes.ptr[11]) {
    case 'A': return done(out, RG_OUTCOME_APPROVED, 0); /* approved, amount not said */
    case 'D': return done(out, RG_OUTCOME_DECLINED, RG_CATEGORY_FUNDS);
    case 'P': return done(out, RG_OUTCOME_PENDING, 0);
    case 'N': return done(out, RG_OUTCOME_NOT_FOUND, RG_CATEGORY_OTHER);
    case 'a': /* approved for AMOUNT */
        out->amount_minor = number_of(rest);
        return done(out, RG_OUTCOME_APPROVED, 0);
    case 'd': /* declined, says AMOUNT */
        out->amount_minor = number_of(rest);
        return done(out, RG_OUTCOME_DECLINED, RG_CATEGORY_FUNDS);
    case 'c': /* approved in currency NUMBER */
        out->currency_number = (uint32_t)number_of(rest);
        return done(out, RG_OUTCOME_APPROVED, 0);
    case 'K': return granted(out, rest);
    case '0': return done(out, 0, 0); /* what follows is wrong */
    case '6': return done(out, RG_OUTCOME_NOT_SENT, 0);
    case '9': return done(out, 99, 0);
    case 'C': return done(out, RG_OUTCOME_DECLINED, 4711);
    case '-': out->amount_minor = -5; return done(out, RG_OUTCOME_APPROVED, 0);
    case '7': return 77;
    case 'O':
        (void)done(out, RG_OUTCOME_APPROVED, 0);
        out->message.overflow = 1;
        return RG_STEP_DONE;
    case 'L':
        (void)done(out, RG_OUTCOME_APPROVED, 0);
        out->extra.count = 1000;
        return RG_STEP_DONE;
    case 'S': /* signs for ever */
        x->second = 2;
        rg_put_text(&out->sign_key, "mac_key");
        return RG_STEP_SIGN;
    case '2': /* a second message */
        x->second = 1;
        x->message[1] = '9';
        return send_message(x, out, (struct rg_bytes){ NULL, 0 });
    default: rg_put_text(&out->diagnosis, "the answer's letter is not known"); return RG_STEP_FAIL;
    }
}

static uint32_t frame(const void *instance, const struct rg_bytes *bytes, struct rg_frame *out)
{
    (void)instance;
    if (bytes->len < 2)
        return RG_FRAME_NEED;
    uint64_t len = (uint64_t)bytes->ptr[0] << 8 | bytes->ptr[1];
    const uint8_t *text = bytes->ptr + 2;
    if (len == 0)
        return RG_FRAME_BROKEN;
    if (len == 0xfff0)
        return 9; /* nonsense */
    if (len == 0xfff1) {
        out->length = 0;
        out->kind = RG_FRAME_REPLY;
        return RG_FRAME_COMPLETE;
    }
    if (len == 0xfff2) {
        out->length = bytes->len + 1;
        out->kind = RG_FRAME_REPLY;
        return RG_FRAME_COMPLETE;
    }
    if (len == 0xfff3) {
        out->length = 1; /* it has more */
        return RG_FRAME_NEED;
    }
    out->length = len + 2;
    if (bytes->len < out->length)
        return RG_FRAME_NEED;
    out->kind = text[0] == 'R' && len >= 10 ? RG_FRAME_REPLY : RG_FRAME_UNSOLICITED;
    if (out->kind == RG_FRAME_REPLY)
        rg_put(&out->correlation, text + 1, 8);
    return RG_FRAME_COMPLETE;
}

static uint32_t notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out)
{
    (void)instance;
    if (in->bytes.len < 4 || in->bytes.ptr[2] != 'N')
        return RG_NOTICE_BROKEN;
    struct rg_bytes word = { in->bytes.ptr + 3, in->bytes.len - 3 };
    if (word.ptr[0] == '!' && in->verified == 0) { /* must be verified; MAC at the end */
        if (word.len < 9)
            return RG_NOTICE_BROKEN;
        rg_put(&out->bytes, word.ptr, word.len - 8);
        rg_put(&out->signature, word.ptr + word.len - 8, 8);
        rg_put_text(&out->sign_key, "mac_key");
        return RG_NOTICE_VERIFY;
    }
    uint8_t text[64] = { 'A' };
    uint64_t len = word.len < 60 ? word.len : 60;
    memcpy(text + 1, word.ptr, len);
    put_frame(&out->acknowledgement, text, len + 1);
    rg_table_put(&out->refs, "link", word.ptr, len, 0);
    if (word.ptr[0] == '$') {
        out->outcome = RG_OUTCOME_APPROVED;
        rg_put_text(&out->reference, "REF1");
    }
    return RG_NOTICE_DONE;
}

static uint32_t local_begin(const void *instance, void *exchange, const struct rg_command *command,
                            struct rg_out *out)
{
    (void)instance;
    (void)exchange;
    out->amount_minor = command->amount_minor;
    return done(out, RG_OUTCOME_APPROVED, 0);
}

#define TINY(how, first)                                                                           \
    {                                                                                              \
        .magic = RG_ABI_MAGIC, .abi_major = RG_ABI_MAJOR, .abi_minor = RG_ABI_MINOR,               \
        .transport = (how), .size = sizeof(struct rg_adapter), .id = "tiny", .version = "1.0.0",   \
        .licence = "Apache-2.0", .origin = "tests", .rail = "card", .settings = settings,          \
        .settings_count = SET_COUNT, .abilities = abilities,                                       \
        .abilities_count = sizeof abilities / sizeof abilities[0],                                 \
        .instance_size = sizeof(struct instance), .exchange_size = sizeof(struct state),           \
        .request_max = 128, .answer_max = TINY_ANSWER_MAX, .steps_max = 8, .configure = configure, \
        .begin = (first), .resume = resume, .frame = (how) == RG_TRANSPORT_FRAMED ? frame : NULL,  \
        .notice = notice                                                                           \
    }
static const struct rg_adapter framed = TINY(RG_TRANSPORT_FRAMED, begin);
static const struct rg_adapter local = TINY(RG_TRANSPORT_LOCAL, local_begin);

const struct rg_adapter *tiny_adapter(uint32_t host_abi)
{
    (void)host_abi;
    return &framed;
}
const struct rg_adapter *tiny_local_adapter(uint32_t host_abi)
{
    (void)host_abi;
    return &local;
}
