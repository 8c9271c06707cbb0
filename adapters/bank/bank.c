/* SPDX-License-Identifier: Apache-2.0
 *
 * bank.c - the bank adapter: ISO 20022 over HTTP. What goes over the wire is told in
 * docs/rails/bank-wire.md, the schemes in docs/rails/bank-profiles.md, the way of an exchange in
 * bank_int.h; this file has the tables and the steps.
 *
 * The rail is asynchronous: an accepted payment is PENDING until a status or a booking comes, as
 * the answer to an inquiry or as a notice. An order whose outcome is not known is inquired about
 * (pacs.028) or sent again under the same references, which a bank books once. A reversal is never
 * sent: it ends the wait for a transfer, or finds that there is nothing to undo.
 */
#include "bank_int.h"
#include "kits/xml_in.h"
#include "kits/xml_out.h"

#include <string.h>

/* --- tables ---------------------------------------------------------------------------------- */

#define ROW(row, called, kind, must, standard, words, low, high, of, tells)                        \
    [row] = { .size = sizeof(struct rg_setting),                                                   \
              .name = called,                                                                      \
              .type = RG_SETTING_##kind,                                                           \
              .required = must,                                                                    \
              .fallback = standard,                                                                \
              .choices = words,                                                                    \
              .min = low,                                                                          \
              .max = high,                                                                         \
              .unit = of,                                                                          \
              .sentence = tells },

const struct rg_setting bank_settings[SET_COUNT] = {
#include "bank_settings.def"
};
#undef ROW

#define ABLE(what, flag)                                                                           \
    { .size = sizeof(struct rg_ability),                                                           \
      .operation = what,                                                                           \
      .flags = flag,                                                                               \
      .late_window_ms = 300000,                                                                    \
      .deadline_ms = 20000,                                                                        \
      .amount_minor_max = BANK_AMOUNT_MAX },

/* Sent again, a message has the same references and is booked once. */
static const struct rg_ability abilities[] = {
    ABLE(RG_OP_SALE, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_REVERSE)
        ABLE(RG_OP_CANCEL, RG_ABLE_REPEAT | RG_ABLE_INQUIRE)
            ABLE(RG_OP_REFUND, RG_ABLE_REPEAT | RG_ABLE_INQUIRE | RG_ABLE_PARTIAL)
                ABLE(RG_OP_INQUIRE, RG_ABLE_REPEAT) ABLE(RG_OP_REVERSE, RG_ABLE_REPEAT)
                    ABLE(RG_OP_TOKEN, 0)
};

/* --- ends of an exchange ---------------------------------------------------------------------- */

uint32_t bank_fail(struct bank_exchange *x, struct rg_out *out, const char *diagnosis)
{
    x->stage = STAGE_OVER;
    out->outcome = 0;
    rg_put_text(&out->diagnosis, diagnosis);
    return RG_STEP_FAIL;
}

uint32_t bank_refuse(struct bank_exchange *x, struct rg_out *out, const char *code,
                     const char *sentence)
{
    x->stage = STAGE_OVER;
    out->outcome = RG_OUTCOME_REJECTED;
    out->category = bank_reason_of(code)->category;
    out->amount_minor = -1;
    rg_put_text(&out->rail_code, code);
    rg_put_text(&out->message, sentence);
    return RG_STEP_DONE;
}

/* --- sending --------------------------------------------------------------------------------- */

static void put_refs(const struct bank_exchange *x, struct rg_table *refs)
{
#define REF(name, longest)                                                                         \
    if (x->self.name[0] != '\0')                                                                   \
        rg_table_put(refs, #name, x->self.name, strlen(x->self.name), 0);
    BANK_REFS(REF)
#undef REF
}

static uint32_t send(const struct bank_instance *bank, struct bank_exchange *x,
                     struct rg_bytes signature, struct rg_out *out)
{
    uint8_t room[BANK_PROTECTED_MAX + 256];
    struct rg_buffer jws = { room, sizeof room, 0, 0, 0 };
    rg_put(&out->bytes, x->body, x->body_len);
    rg_put_bytes(&out->path, bank_view(&bank->path));
    out->http_method = RG_HTTP_POST;
    out->expects_reply = 1;
    rg_header(out, "content-type", "application/xml");
    if (bank->use_token != 0)
        rg_header_slot(out, "authorization", "Bearer ", "access_token");
    if (signature.len > 0) {
        rg_put(&jws, x->protected_header, x->protected_len);
        rg_put_text(&jws, "..");
        bank_put_base64url(&jws, signature);
        rg_header_bytes(out, "x-jws-signature", (struct rg_bytes){ jws.ptr, jws.len });
    }
    if (x->notice_url_len > 0)
        rg_header_bytes(out, "x-notice-url", (struct rg_bytes){ x->notice_url, x->notice_url_len });
    rg_header_bytes(out, "x-request-id", (struct rg_bytes){ x->attempt, sizeof x->attempt });
    if (x->operation != RG_OP_INQUIRE)
        put_refs(x, &out->refs);
    if (out->bytes.overflow + out->path.overflow + out->headers.text.overflow +
            out->refs.text.overflow + jws.overflow !=
        0)
        return bank_fail(x, out, "there is no room for the message, its headers or its references");
    x->stage = STAGE_WAIT_REPLY;
    return RG_STEP_SEND;
}

/* What is signed of a JWS with detached payload is what would stand before the signature if the
 * payload were not left out (RFC 7515 appendix F). */
static uint32_t sign(const struct bank_instance *bank, struct bank_exchange *x, int64_t time_unix_s,
                     struct rg_out *out)
{
    struct rg_buffer header = { x->protected_header, sizeof x->protected_header, 0, 0, 0 };
    bank_put_protected(bank, time_unix_s, &header);
    x->protected_len = (uint32_t)header.len;
    rg_put(&out->bytes, header.ptr, header.len);
    rg_put_u8(&out->bytes, '.');
    bank_put_base64url(&out->bytes, (struct rg_bytes){ x->body, x->body_len });
    rg_put_text(&out->sign_key, bank_settings[SET_SIGN_KEY].name);
    if (header.overflow + out->bytes.overflow + out->sign_key.overflow != 0)
        return bank_fail(x, out, "there is no room for the bytes of the signature");
    x->stage = STAGE_SIGN;
    return RG_STEP_SIGN;
}

uint32_t bank_sign_or_send(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out)
{
    if (command->notice_url.len > sizeof x->notice_url)
        return bank_fail(x, out, "the notice address is too long");
    if (command->notice_url.len > 0)
        memcpy(x->notice_url, command->notice_url.ptr, command->notice_url.len);
    x->notice_url_len = (uint32_t)command->notice_url.len;
    if (x->body_len == 0)
        return bank_fail(x, out, "there is no room for the message, or a text does not fit XML");
    return bank->has_sign_key != 0 ? sign(bank, x, command->now_unix_us / 1000000, out)
                                   : send(bank, x, (struct rg_bytes){ NULL, 0 }, out);
}

/* What stands around header and document. The namespaces are the schemes' own; only what is inside
 * has a schema that is public. */
static void put_envelope(struct rg_buffer *b, const char *envelope, uint32_t close)
{
    static const struct {
        const char *envelope, *name, *attributes;
    } rows[] = {
        { "fednow", "FedNowIncoming", " xmlns=\"urn:fednow:incoming:v001\"" },
        { "fednow", "FedNowIncomingMessage", "" },
        { "pix", "Envelope", " xmlns=\"https://www.bcb.gov.br/pi/pacs.008/1.16\"" },
        { "generic", "Envelope", " xmlns=\"urn:railgate:envelope\"" },
    };
    uint64_t count = sizeof rows / sizeof rows[0];
    for (uint64_t k = 0; envelope != NULL && k < count; k++) {
        uint64_t i = close != 0 ? count - 1 - k : k;
        if (strcmp(rows[i].envelope, envelope) != 0)
            continue;
        if (close != 0) {
            xml_out_close(b, rows[i].name);
        } else {
            rg_put_u8(b, '<');
            rg_put_text(b, rows[i].name);
            rg_put_text(b, rows[i].attributes);
            rg_put_u8(b, '>');
        }
    }
}

void bank_put_message(const struct bank_instance *bank, struct bank_exchange *x,
                      const char *definition, bank_put_fn *put, const void *arg)
{
    struct rg_buffer b = { x->body, sizeof x->body, 0, 0, 0 };
    const char *envelope = bank->header == NULL              ? NULL
                           : bank->profile->envelope != NULL ? bank->profile->envelope
                                                             : "generic";
    rg_put_text(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    put_envelope(&b, envelope, 0);
    if (bank->header != NULL) {
        struct iso_header header = { .version = bank->header,
                                     .from = bank_own_agent(bank),
                                     .to = bank_other_agent(bank),
                                     .message_id = text_of(x->self.message),
                                     .definition = definition,
                                     .created = text_of(x->self.created) };
        iso_put_header(&b, &header);
    }
    put(&b, arg);
    put_envelope(&b, envelope, 1);
    memcpy(x->self.message_kind, definition, strlen(definition) + 1);
    x->body_len = b.overflow != 0 ? 0 : (uint32_t)b.len;
}

/* --- begin and resume ------------------------------------------------------------------------- */

static void take_refs(struct bank_exchange *x, const struct rg_command *command)
{
    const struct rg_named *row;
#define REF(name, longest)                                                                         \
    row = rg_find(command->refs, command->refs_count, #name);                                      \
    if (row != NULL && row->value.len <= longest)                                                  \
        memcpy(x->original.name, row->value.ptr, row->value.len);
    BANK_REFS(REF)
#undef REF
    x->original_repeated = x->original.repeated[0] != '\0';
}

static uint32_t begin(const void *instance, void *exchange, const struct rg_command *command,
                      struct rg_out *out)
{
    const struct bank_instance *bank = instance;
    struct bank_exchange *x = exchange;
    x->magic = BANK_EXCHANGE_MAGIC;
    x->stage = STAGE_OVER;
    x->operation = command->operation;
    x->repeat = command->repeat;
    x->currency_number = command->currency_number;
    x->original_minor = command->original_minor;
    if (bank->magic != BANK_INSTANCE_MAGIC)
        return bank_fail(x, out, "the channel is not configured");
    if (command->amount_minor < 0 || command->original_minor < 0)
        return bank_fail(x, out, "the amount is negative");
    if (command->operation == RG_OP_TOKEN)
        return bank_begin_token(bank, x, command, out);
    if (command->attempt_id.len != sizeof x->attempt)
        return bank_fail(x, out, "the attempt's name is not as expected");
    memcpy(x->attempt, command->attempt_id.ptr, sizeof x->attempt);
    if (command->repeat > 0)
        memcpy(x->self.repeated, "1", 2);
    take_refs(x, command);
    switch (command->operation) {
    case RG_OP_SALE: return bank_begin_sale(bank, x, command, out);
    case RG_OP_INQUIRE: return bank_begin_inquire(bank, x, command, out);
    case RG_OP_CANCEL: return bank_begin_cancel(bank, x, command, out);
    case RG_OP_REFUND: return bank_begin_refund(bank, x, command, out);
    case RG_OP_REVERSE: return bank_begin_reverse(x, command, out);
    default: return bank_fail(x, out, "this operation is not known");
    }
}

static uint32_t resume(const void *instance, void *exchange, const struct rg_event *event,
                       struct rg_out *out)
{
    const struct bank_instance *bank = instance;
    struct bank_exchange *x = exchange;
    if (bank->magic != BANK_INSTANCE_MAGIC || x->magic != BANK_EXCHANGE_MAGIC)
        return bank_fail(x, out, "the exchange was not begun");
    if (x->stage == STAGE_SIGN && event->kind == RG_EVENT_SIGNED && event->bytes.len > 0 &&
        event->bytes.len <= 128)
        return x->operation == RG_OP_TOKEN ? bank_token_signed(bank, x, event->bytes, out)
                                           : send(bank, x, event->bytes, out);
    if (x->stage == STAGE_WAIT_REPLY && event->kind == RG_EVENT_REPLY) {
        x->stage = STAGE_OVER;
        return x->operation == RG_OP_TOKEN ? bank_token_reply(x, event, out)
                                           : bank_reply(bank, x, event, out);
    }
    return bank_fail(x, out, "this event was not expected here");
}

/* --- the adapter ----------------------------------------------------------------------------- */

_Static_assert(sizeof(struct iso_rows) <= 4u * 1024 * 1024, "the host gives no more");

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_HTTP,
    .size = sizeof(struct rg_adapter),
    .id = "bank",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "bank",
    .settings = bank_settings,
    .settings_count = SET_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct bank_instance),
    .exchange_size = sizeof(struct bank_exchange),
    .request_max = BANK_REQUEST_MAX,
    .answer_max = BANK_ANSWER_MAX,
    .steps_max = 3, /* begin SIGN, resume SEND, resume DONE */
    .configure = bank_configure,
    .begin = begin,
    .resume = resume,
    .notice = bank_notice,
    .notice_size = sizeof(struct iso_rows),
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
