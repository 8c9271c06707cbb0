/* SPDX-License-Identifier: Apache-2.0
 *
 * evm_answer_fuzz.c - any bytes as a node's answers to the adapter for contracts. The first letter
 * says what was asked (s sale, r refund, i inquiry), the rest of its line is passed over; answers
 * follow, parted by lines with "==" alone. After the last one the exchange ends where it stands.
 *
 * Whatever comes: a step that fits, no outcome but those an adapter may give, NOT_FOUND only of an
 * inquiry, an approval only with an amount and with the transaction's name in the last answer, and
 * never more than two transactions sent: there and back (each again only when the node said that it
 * did not take it).
 */
#include <railgate/adapter.h>
#include <railgate/writer.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 8192u
#define ROWS 32u

#define MERCHANT "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
#define PAYER    "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
#define CONTRACT "0x5fbdb2315678afecb367f032d93f642f64180aa3"

struct rooms {
    struct rg_out out;
    uint8_t bytes[ROOM], reference[128], code[32], message[256], diagnosis[256], path[256];
    uint8_t refs_text[2048], extra_text[1024], headers_text[1024];
    struct rg_named refs[ROWS], extra[ROWS], headers[ROWS];
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
        .amount_minor = -1,
        .bytes = BUFFER(r->bytes),
        .reference = BUFFER(r->reference),
        .rail_code = BUFFER(r->code),
        .message = BUFFER(r->message),
        .diagnosis = BUFFER(r->diagnosis),
        .path = BUFFER(r->path),
        .refs = { r->refs, ROWS, 0, BUFFER(r->refs_text) },
        .extra = { r->extra, ROWS, 0, BUFFER(r->extra_text) },
        .headers = { r->headers, ROWS, 0, BUFFER(r->headers_text) },
    };
#undef BUFFER
}

static void configure(const struct rg_adapter *adapter, void *instance)
{
    struct rg_value values[64] = { 0 };
    uint8_t why[256];
    struct rg_diag diag = { .size = sizeof diag, .text = { why, sizeof why, 0, 0, 0 } };
    for (uint64_t i = 0; i < adapter->settings_count; i++) {
        const char *name = adapter->settings[i].name, *text = adapter->settings[i].fallback;
        if (strcmp(name, "contract") == 0)
            text = CONTRACT;
        else if (strcmp(name, "merchant") == 0)
            text = MERCHANT;
        else if (strcmp(name, "currency") == 0)
            text = "NOK";
        else if (strcmp(name, "chain_id") == 0)
            text = "31337";
        else if (strcmp(name, "decimals") == 0 || strcmp(name, "blocks_at_once") == 0)
            text = "4";
        if (text == NULL)
            continue;
        values[i].present = 1;
        values[i].text = text_view(text);
        values[i].number = strtoll(text, NULL, 10);
    }
    must(adapter->configure(instance, values, &diag) == 1);
}

static int contains(struct rg_bytes body, const char *text)
{
    return body.len > 0 && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

static void check_done(uint32_t operation, const struct rooms *r, struct rg_bytes last)
{
    const struct rg_out *out = &r->out;
    must(out->outcome >= RG_OUTCOME_APPROVED && out->outcome <= RG_OUTCOME_NOT_FOUND);
    must(out->outcome != RG_OUTCOME_NOT_FOUND || operation == RG_OP_INQUIRE);
    must(out->message.len > 0 && out->category <= RG_CATEGORY_OTHER && out->amount_minor >= -1);
    if (out->outcome == RG_OUTCOME_DECLINED)
        must(out->amount_minor == 0 && out->category != RG_CATEGORY_NONE);
    if (out->outcome != RG_OUTCOME_APPROVED)
        return;
    must(out->amount_minor >= 0 && out->currency_number == 578 && out->reference.len == 66);
    must(contains(last, "blockNumber") || contains(last, "revert") || contains(last, "error"));
}

static uint32_t begin(const struct rg_adapter *adapter, const void *instance, void *exchange,
                      uint32_t operation, struct rooms *r)
{
    const struct rg_named details[] = { named("payer_wallet", PAYER) };
    const struct rg_named refs[] = { named("attempt", "att_0000000000001"),
                                     named("what", "transfer"),
                                     named("payer", PAYER),
                                     named("payee", MERCHANT),
                                     named("minor", "5000"),
                                     named("time", "1795353255") };
    struct rg_command command = { .size = sizeof command,
                                  .operation = operation,
                                  .amount_minor = operation == RG_OP_INQUIRE ? 0 : 5000,
                                  .original_minor = 5000,
                                  .currency_number = 578,
                                  .currency_exponent = 2,
                                  .currency_code = "NOK",
                                  .trace = 1,
                                  .time_unix_us = 1795353255000000,
                                  .attempt_id = text_view("att_0000000000001"),
                                  .details = details,
                                  .details_count = 1,
                                  .refs = refs,
                                  .refs_count = operation == RG_OP_SALE ? 0 : 6 };
    return adapter->begin(instance, exchange, &command, &r->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rg_adapter *adapter = rg_adapter_get(RG_ABI_MAJOR << 16);
    static struct rooms r;
    const uint8_t *end = data + size, *at = size > 0 ? memchr(data, '\n', size) : NULL;
    if (at == NULL)
        return 0;
    uint32_t operation = data[0] == 's'   ? RG_OP_SALE
                         : data[0] == 'r' ? RG_OP_REFUND
                                          : RG_OP_INQUIRE;
    void *instance = calloc(1, adapter->instance_size),
         *exchange = calloc(1, adapter->exchange_size);
    must(instance != NULL && exchange != NULL);
    configure(adapter, instance);
    open_rooms(&r);
    uint32_t step = begin(adapter, instance, exchange, operation, &r);
    unsigned calls = 1, taken = 0;
    struct rg_bytes last = { NULL, 0 };
    at++;
    while (step == RG_STEP_SEND && at != NULL) {
        struct rg_bytes sent = { r.bytes, r.out.bytes.len };
        must(sent.len > 0 && sent.len <= adapter->request_max && r.out.expects_reply == 1);
        must(calls == 1 ||
             r.out.refs.count == 0); /* only the first can be stored before it leaves */
        must(++calls <= adapter->steps_max);
        const uint8_t *cut = memmem(at, (size_t)(end - at), "\n==\n", 4);
        last = (struct rg_bytes){ at, (uint64_t)((cut != NULL ? cut : end) - at) };
        at = cut != NULL ? cut + 4 : NULL;
        if (contains(sent, "eth_sendTransaction") && !contains(last, "error"))
            taken++;
        must(taken <= 2);
        struct rg_event event = {
            .size = sizeof event, .kind = RG_EVENT_REPLY, .http_status = 200, .bytes = last
        };
        open_rooms(&r);
        step = adapter->resume(instance, exchange, &event, &r.out);
    }
    must(step == RG_STEP_SEND || step == RG_STEP_DONE || step == RG_STEP_FAIL);
    if (step == RG_STEP_DONE)
        check_done(operation, &r, last);
    if (step == RG_STEP_FAIL)
        must(r.out.diagnosis.len > 0 && r.out.outcome == 0);
    free(instance);
    free(exchange);
    return 0;
}
