/* SPDX-License-Identifier: Apache-2.0
 *
 * cbdc_answer_fuzz.c - any bytes as the ledger's answer to the CBDC adapter. The first line says
 * what was asked and with which status it is answered, the rest is the body; a line with "==" alone
 * parts the body of the first answer from that of a second (a cancel may look at its lock):
 *
 *     <operation letter><what letter> <status> <status of the second>\n
 *     operation  a authorise, s sale, c capture, x cancel, r refund, i inquiry, t token
 *     what       of i: t transfer, l lock, r release, c cancel, i issue, d redeem; of others '-'
 *
 * Whatever comes: a step that fits, no outcome but those an adapter may give, never an approval
 * with an answer that is not about this id, and the same again for the same bytes.
 */
#include <railgate/adapter.h>
#include <railgate/writer.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 4096u
#define ROWS 32u

struct rooms {
    struct rg_out out;
    uint8_t bytes[ROOM], sign_key[64], reference[128], code[32], message[256], diagnosis[512];
    uint8_t path[2048], refs_text[2048], grants_text[1024], extra_text[1024], headers_text[2048];
    struct rg_named refs[ROWS], grants[ROWS], extra[ROWS], headers[ROWS];
};

struct input {
    uint32_t operation;
    const char *what;
    uint32_t status[2];
    struct rg_bytes body[2];
};

static void must(int good)
{
    if (!good)
        abort();
}

static struct rg_bytes text_view(const char *text)
{
    return (struct rg_bytes){ (const uint8_t *)text, strlen(text) };
}

static struct rg_named named(const char *name, const char *value)
{
    return (struct rg_named){ text_view(name), text_view(value), 0, 0 };
}

static void open_rooms(struct rooms *r)
{
    memset(r, 0, sizeof *r);
#define BUFFER(at) ((struct rg_buffer){ (at), sizeof(at), 0, 0, 0 })
    r->out = (struct rg_out){
        .size = sizeof r->out,
        .bytes = BUFFER(r->bytes),
        .sign_key = BUFFER(r->sign_key),
        .reference = BUFFER(r->reference),
        .rail_code = BUFFER(r->code),
        .message = BUFFER(r->message),
        .diagnosis = BUFFER(r->diagnosis),
        .path = BUFFER(r->path),
        .refs = { r->refs, ROWS, 0, BUFFER(r->refs_text) },
        .grants = { r->grants, ROWS, 0, BUFFER(r->grants_text) },
        .extra = { r->extra, ROWS, 0, BUFFER(r->extra_text) },
        .headers = { r->headers, ROWS, 0, BUFFER(r->headers_text) },
    };
#undef BUFFER
}

/* --- the input ------------------------------------------------------------------------------- */
static uint32_t read_status(const uint8_t *digits)
{
    uint32_t status = 0;
    for (unsigned i = 0; i < 3; i++)
        status =
            status * 10 + (uint32_t)(digits[i] >= '0' && digits[i] <= '9' ? digits[i] - '0' : 0);
    return status;
}

static int read_input(const uint8_t *data, size_t size, struct input *in)
{
    static const char letters[] = "ascxrit", whats[] = "tlrcid";
    static const uint32_t operations[] = { RG_OP_AUTHORISE, RG_OP_SALE,   RG_OP_CAPTURE,
                                           RG_OP_CANCEL,    RG_OP_REFUND, RG_OP_INQUIRE,
                                           RG_OP_TOKEN };
    static const char *const names[] = {
        "transfer", "lock", "release", "cancel", "issue", "redeem"
    };
    if (size < 11 || data[0] == 0 || data[1] == 0 || strchr(letters, data[0]) == NULL)
        return 0;
    in->operation = operations[strchr(letters, data[0]) - letters];
    const char *what = strchr(whats, data[1]);
    in->what = what != NULL ? names[what - whats] : "lock";
    in->status[0] = read_status(data + 3);
    in->status[1] = read_status(data + 7);
    const uint8_t *body = data + 11, *end = data + size;
    const uint8_t *cut = memmem(body, (size_t)(end - body), "\n==\n", 4);
    in->body[0] = (struct rg_bytes){ body, (uint64_t)((cut != NULL ? cut : end) - body) };
    if (cut != NULL)
        in->body[1] = (struct rg_bytes){ cut + 4, (uint64_t)(end - cut - 4) };
    return 1;
}

/* --- an exchange -------------------------------------------------------------------------------
 */
static int contains(struct rg_bytes body, const char *text)
{
    return body.len > 0 && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

static void check_done(const struct input *in, const struct rooms *r, unsigned answers)
{
    const struct rg_out *out = &r->out;
    must(out->outcome >= RG_OUTCOME_APPROVED && out->outcome <= RG_OUTCOME_NOT_FOUND);
    must(out->outcome != RG_OUTCOME_PENDING);
    must(out->message.len > 0 && out->category <= RG_CATEGORY_OTHER);
    must(out->outcome != RG_OUTCOME_NOT_FOUND || in->operation == RG_OP_INQUIRE);
    if (out->outcome != RG_OUTCOME_APPROVED)
        return;
    must(in->status[answers - 1] == 200 || in->status[answers - 1] == 201);
    if (in->operation == RG_OP_TOKEN) {
        must(out->grants.count == 1 && out->grants_lifetime_s > 0);
        return;
    }
    must(out->amount_minor >= 0 && out->currency_number != 0);
    must(contains(in->body[answers - 1], answers == 1 ? "att_" : "att_lock"));
}

static uint32_t play(const struct rg_adapter *adapter, const void *instance, void *exchange,
                     const struct input *in, struct rooms *r)
{
    const struct rg_named details[] = { named("payer_wallet", "w_payer") };
    const struct rg_named refs[] = {
        named("id", "att_lock"), named("what", in->operation == RG_OP_INQUIRE ? in->what : "lock"),
        named("lock", "att_lock"), named("payer", "w_payer"), named("payee", "alias:shop")
    };
    static const uint8_t mac[32];
    struct rg_command command = { .size = sizeof command,
                                  .operation = in->operation,
                                  .amount_minor = in->operation == RG_OP_INQUIRE ? 0 : 1000,
                                  .original_minor = 1000,
                                  .currency_number = 978,
                                  .currency_exponent = 2,
                                  .currency_code = "EUR",
                                  .time_unix_us = 1795353255000000,
                                  .attempt_id = text_view("att_0000000000001") };
    unsigned answers = 0;
    if (in->operation == RG_OP_AUTHORISE || in->operation == RG_OP_SALE) {
        command.details = details;
        command.details_count = 1;
    } else if (in->operation != RG_OP_TOKEN) {
        command.refs = refs;
        command.refs_count = 5;
    }
    memset(exchange, 0, adapter->exchange_size);
    open_rooms(r);
    uint32_t step = adapter->begin(instance, exchange, &command, &r->out);
    for (uint32_t steps = 1; step == RG_STEP_SEND || step == RG_STEP_SIGN; steps++) {
        struct rg_event event = { .size = sizeof event };
        must(steps < adapter->steps_max && answers < 2);
        if (step == RG_STEP_SIGN) {
            event.kind = RG_EVENT_SIGNED;
            event.bytes = (struct rg_bytes){ mac, sizeof mac };
        } else {
            must(r->out.path.len > 0 && r->out.path.ptr[0] == '/' && r->out.http_method != 0);
            event.kind = RG_EVENT_REPLY;
            event.http_status = in->status[answers];
            event.bytes = in->body[answers++];
        }
        open_rooms(r);
        step = adapter->resume(instance, exchange, &event, &r->out);
    }
    must(step == RG_STEP_DONE || step == RG_STEP_FAIL);
    if (step == RG_STEP_DONE)
        check_done(in, r, answers);
    else
        must(r->out.diagnosis.len > 0);
    return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(16) uint8_t instance[1 << 14], exchange[1 << 14];
    static struct rooms first, again;
    struct input in = { 0 };
    if (!read_input(data, size, &in))
        return 0;
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16 | RG_ABI_MINOR);
    must(adapter->instance_size <= sizeof instance && adapter->exchange_size <= sizeof exchange);
    const struct rg_value values[] = { { 1, 0, 0, text_view("railgate") },
                                       { 1, 0, 0, text_view("key") },
                                       { 1, 0, 0, text_view("w_merchant") },
                                       { 0, 0, 0, { NULL, 0 } },
                                       { 1, 0, 3600, text_view("3600") } };
    struct rg_diag diag = { .size = sizeof diag };
    must(adapter->settings_count == sizeof values / sizeof values[0]);
    must(adapter->configure(instance, values, &diag) == 1);
    uint32_t step = play(adapter, instance, exchange, &in, &first);
    must(play(adapter, instance, exchange, &in, &again) == step);
    must(first.out.outcome == again.out.outcome &&
         first.out.amount_minor == again.out.amount_minor);
    must(memcmp(first.refs_text, again.refs_text, sizeof first.refs_text) == 0);
    return 0;
}
