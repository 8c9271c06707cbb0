/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc.c - the adapter for a central bank's core API. What goes over the wire is told in
 * docs/rails/cbdc-wire.md; this file has the tables, the settings and the steps.
 *
 *     authorise  a lock on the payer's wallet      capture  a release of (a part of) it
 *     sale       a transfer, issue or redemption   cancel   the rest of the lock goes back
 *     refund     a transfer from payee to payer    inquire  GET of the operation, whatever it was
 *
 * Everything is booked once under the attempt's id, so every request may be sent again as it is,
 * and every attempt can be inquired. Nothing is reversed: what was booked by mistake is refunded.
 */
#include "cbdc_int.h"

#include <string.h>

/* --- tables
 * ---------------------------------------------------------------------------------------- */
/* clang-format off */
#define SETTING(row, ...) [row] = { .size = sizeof(struct rg_setting), __VA_ARGS__ }

static const struct rg_setting settings[SET_COUNT] = {
    SETTING(SET_CLIENT_ID, .name = "client_id", .type = RG_SETTING_TEXT, .required = 1, .min = 1,
            .max = CBDC_CLIENT_MAX,
            .sentence = "The name under which the central bank knows us."),
    SETTING(SET_CLIENT_KEY, .name = "client_key", .type = RG_SETTING_KEY, .required = 1, .secret = 1,
            .sentence = "The hmac_sha256 key that proves to the central bank who we are."),
    SETTING(SET_MERCHANT_WALLET, .name = "merchant_wallet", .type = RG_SETTING_TEXT, .required = 1,
            .min = 3, .max = 69,
            .sentence = "The merchant's wallet (w_...) or alias (alias:...): it gets what is sold and "
                        "pays what is paid out."),
    SETTING(SET_RELEASER, .name = "releaser", .type = RG_SETTING_TEXT, .min = 1,
            .max = CBDC_CLIENT_MAX,
            .sentence = "The client that may release and cancel locks; without it client_id."),
    SETTING(SET_LOCK_S, .name = "lock_s", .type = RG_SETTING_NUMBER, .fallback = "604800", .min = 1,
            .max = CBDC_EXPIRY_S_MAX, .unit = "s",
            .sentence = "How long an authorisation locks money, unless the payment says expires_in."),
};

#define ABILITY(op, able, money)                                                                    \
    { .size = sizeof(struct rg_ability), .operation = RG_OP_##op, .flags = (able),                  \
      .late_window_ms = 30000, .deadline_ms = 10000, .amount_minor_max = (money) }
#define ONCE (RG_ABLE_REPEAT | RG_ABLE_INQUIRE)

static const struct rg_ability abilities[] = {
    ABILITY(AUTHORISE, ONCE, CBDC_AMOUNT_MAX),
    ABILITY(SALE, ONCE, CBDC_AMOUNT_MAX),
    ABILITY(CAPTURE, ONCE | RG_ABLE_PARTIAL, CBDC_AMOUNT_MAX),
    ABILITY(CANCEL, ONCE | RG_ABLE_PARTIAL, CBDC_AMOUNT_MAX), /* of the rest that is locked */
    ABILITY(REFUND, ONCE | RG_ABLE_PARTIAL, CBDC_AMOUNT_MAX),
    ABILITY(INQUIRE, RG_ABLE_REPEAT, 0),
    ABILITY(TOKEN, RG_ABLE_REPEAT, 0),
};
/* clang-format on */

/* --- configure
 * ------------------------------------------------------------------------------------- */
static uint32_t refuse(struct rg_diag *diag, uint32_t row, const char *why)
{
    diag->row = row;
    rg_put_text(&diag->text, why);
    return 0;
}

/* As the ledger names clients, and as it can stand in the claim before the point. */
static uint32_t take_client(struct cbdc_text *text, const struct rg_value *value)
{
    for (uint64_t i = 0; i < value->text.len; i++)
        if (value->text.ptr[i] <= 0x20 || value->text.ptr[i] >= 0x7F || value->text.ptr[i] == '.')
            return 0;
    return value->present != 0 && value->text.len >= 1 &&
           cbdc_take(text, value->text, CBDC_CLIENT_MAX);
}

static uint32_t configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct cbdc_instance *cbdc = instance;
    memset(cbdc, 0, sizeof *cbdc);
    if (!take_client(&cbdc->client, &values[SET_CLIENT_ID]))
        return refuse(diag, SET_CLIENT_ID,
                      "write 1 to 32 visible ASCII characters without a point");
    if (values[SET_CLIENT_KEY].present == 0)
        return refuse(diag, SET_CLIENT_KEY, "name a key of type hmac_sha256");
    if (values[SET_MERCHANT_WALLET].present == 0 ||
        !cbdc_is_party(values[SET_MERCHANT_WALLET].text) ||
        !cbdc_take(&cbdc->merchant, values[SET_MERCHANT_WALLET].text, CBDC_PARTY_MAX))
        return refuse(diag, SET_MERCHANT_WALLET,
                      "write a wallet as w_shop or an alias as alias:shop@example.com");
    cbdc->releaser = cbdc->client;
    if (values[SET_RELEASER].present != 0 && !take_client(&cbdc->releaser, &values[SET_RELEASER]))
        return refuse(diag, SET_RELEASER, "write 1 to 32 visible ASCII characters without a point");
    cbdc->lock_s = values[SET_LOCK_S].number;
    if (values[SET_LOCK_S].present == 0 || cbdc->lock_s < 1 || cbdc->lock_s > CBDC_EXPIRY_S_MAX)
        return refuse(diag, SET_LOCK_S, "write a number of seconds from 1 to 31622400");
    cbdc->magic = CBDC_INSTANCE_MAGIC;
    return 1;
}

/* --- the steps of an exchange
 * ---------------------------------------------------------------------- */
static uint32_t fail(struct cbdc_exchange *x, struct rg_out *out, const char *why)
{
    x->stage = STAGE_OVER;
    out->outcome = 0;
    rg_put_text(&out->diagnosis, why);
    return RG_STEP_FAIL;
}

static uint32_t send(struct cbdc_exchange *x, struct rg_out *out, enum cbdc_stage next)
{
    out->expects_reply = 1;
    if (out->bytes.overflow != 0 || out->path.overflow != 0 || out->headers.text.overflow != 0 ||
        out->refs.text.overflow != 0)
        return fail(x, out, "there is no room for the request or its references");
    x->stage = next;
    return RG_STEP_SEND;
}

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct cbdc_instance *cbdc = instance;
    struct cbdc_exchange *x = exchange;
    memset(x, 0, sizeof *x);
    x->magic = CBDC_EXCHANGE_MAGIC;
    if (cbdc->magic != CBDC_INSTANCE_MAGIC)
        return fail(x, out, "the channel is not configured");
    if (command->time_unix_us < 0)
        return fail(x, out, "the time is before 1970");
    const char *why = cbdc_plan(cbdc, x, command);
    if (why != NULL)
        return fail(x, out, why);
    if (command->operation == RG_OP_TOKEN) {
        cbdc_put_claim(cbdc, x, &out->bytes);
        rg_put_text(&out->sign_key, settings[SET_CLIENT_KEY].name);
        if (out->bytes.overflow != 0 || out->sign_key.overflow != 0)
            return fail(x, out, "there is no room for the claim");
        x->stage = STAGE_SIGN;
        return RG_STEP_SIGN;
    }
    if (command->operation == RG_OP_INQUIRE) {
        cbdc_put_inquiry(&x->id, out);
        return send(x, out, STAGE_WAIT);
    }
    why = cbdc_put_request(cbdc, x, command, out);
    return why != NULL ? fail(x, out, why) : send(x, out, STAGE_WAIT);
}

static uint32_t finish(struct cbdc_exchange *x, uint32_t result, const char *why,
                       struct rg_out *out)
{
    if (result != CBDC_DONE)
        return fail(x, out, why);
    if (out->refs.text.overflow != 0 || out->grants.text.overflow != 0 ||
        out->reference.overflow != 0 || out->rail_code.overflow != 0 || out->message.overflow != 0)
        return fail(x, out, "there is no room for what was answered");
    x->stage = STAGE_OVER;
    return RG_STEP_DONE;
}

static uint32_t on_reply(struct cbdc_exchange *x, const struct rg_event *event, struct rg_out *out)
{
    const char *why = "the answer is not clear";
    uint32_t result = x->operation == RG_OP_TOKEN   ? cbdc_read_token(event, out, &why)
                      : x->stage == STAGE_WAIT_LOCK ? cbdc_read_lock(x, event, out, &why)
                                                    : cbdc_read_answer(x, event, out, &why);
    if (result != CBDC_LOOK)
        return finish(x, result, why, out);
    out->refs.count = 0; /* they went out with the first message, and no later one may have any */
    out->refs.text.len = 0;
    out->reference.len = 0;
    cbdc_put_inquiry(&x->lock, out);
    return send(x, out, STAGE_WAIT_LOCK);
}

static uint32_t resume(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct cbdc_instance *cbdc = instance;
    struct cbdc_exchange *x = exchange;
    if (cbdc->magic != CBDC_INSTANCE_MAGIC || x->magic != CBDC_EXCHANGE_MAGIC)
        return fail(x, out, "the exchange was not begun");
    if (x->stage == STAGE_SIGN && event->kind == RG_EVENT_SIGNED) {
        if (event->bytes.len != 32)
            return fail(x, out, "the proof is not 32 bytes long");
        cbdc_put_token_request(cbdc, x, event->bytes, out);
        return send(x, out, STAGE_WAIT);
    }
    if ((x->stage == STAGE_WAIT || x->stage == STAGE_WAIT_LOCK) && event->kind == RG_EVENT_REPLY)
        return on_reply(x, event, out);
    return fail(x, out, "this event does not belong to this step");
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "cbdc",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "cbdc",
    .settings = settings,
    .settings_count = SET_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct cbdc_instance),
    .exchange_size = sizeof(struct cbdc_exchange),
    .request_max = CBDC_REQUEST_MAX,
    .answer_max = CBDC_ANSWER_MAX,
    .steps_max = 4, /* begin SIGN, resume SEND, resume DONE; begin SEND, resume SEND, resume DONE */
    .configure = configure,
    .begin = begin,
    .resume = resume,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
