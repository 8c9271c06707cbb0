/* SPDX-License-Identifier: Apache-2.0
 *
 * card.c - the card adapter: ISO 8583:1987 on framed streams. What goes over the wire is told in
 * docs/rails/card-wire.md, the way of an exchange in card_int.h; this file has the tables, the
 * settings and the steps.
 *
 * The rail has no inquiry. What became of a request without an answer is settled by reversing it,
 * which is right whether it was booked or not.
 *
 * Network management (0800) carries no MAC: a link must sign on before it has a key.
 */
#include "card_int.h"
#include "kits/hex.h"

#include <string.h>

/* --- tables ---------------------------------------------------------------------------------- */

/* row, name, type, required, fallback, choices, min, max, unit, sentence */
#define SETTING(row, name, type, required, fallback, choices, low, high, unit, sentence)           \
    [row] = { sizeof(struct rg_setting),                                                           \
              name,                                                                                \
              type,                                                                                \
              required,                                                                            \
              fallback,                                                                            \
              choices,                                                                             \
              low,                                                                                 \
              high,                                                                                \
              unit,                                                                                \
              0,                                                                                   \
              0,                                                                                   \
              sentence },

static const struct rg_setting settings[SET_COUNT] = {
    SETTING(SET_PACKAGING, "packaging", RG_SETTING_CHOICE, 0, "iso87-ascii",
            "iso87-ascii|iso87-bcd|iso87-binary", 0, 0, NULL, "How fields are written on the line.")
        SETTING(SET_PACKAGING_OVERRIDES, "packaging_overrides", RG_SETTING_TEXT, 0, NULL, NULL, 0,
                4000, "bytes",
                "Fields that differ from the packaging, as '48 lllvar ans 999 ascii', separated by "
                "';'.") SETTING(SET_FRAMING, "framing", RG_SETTING_CHOICE, 0, "len2",
                                "len2|len2_tpdu|ascii4", 0, 0, NULL,
                                "What stands before each message: its length, and a TPDU or not.")
            SETTING(SET_TPDU, "tpdu", RG_SETTING_TEXT, 0, "6000000000", NULL, 10, 10, "hex digits",
                    "TPDU of requests: 60, destination, source.")
                SETTING(SET_TERMINAL_ID, "terminal_id", RG_SETTING_TEXT, 1, NULL, NULL, 1, 8,
                        "characters", "Terminal (DE41), as the acquirer assigned it.")
                    SETTING(SET_MERCHANT_ID, "merchant_id", RG_SETTING_TEXT, 1, NULL, NULL, 1, 15,
                            "characters", "Merchant (DE42), as the acquirer assigned it.")
                        SETTING(SET_MERCHANT_NAME_LOCATION, "merchant_name_location",
                                RG_SETTING_TEXT, 1, NULL, NULL, 1, 40, "characters",
                                "Name, place and country of the merchant (DE43), as on the payer's "
                                "statement.") SETTING(SET_MERCHANT_CATEGORY, "merchant_category",
                                                      RG_SETTING_NUMBER, 1, NULL, NULL, 1, 9999,
                                                      NULL,
                                                      "Merchant category code (DE18), ISO 18245.")
                            SETTING(SET_ACQUIRER_ID, "acquirer_id", RG_SETTING_TEXT, 1, NULL, NULL,
                                    1, 11, "digits", "Acquiring institution (DE32).")
                                SETTING(SET_FORWARDING_ID, "forwarding_id", RG_SETTING_TEXT, 0,
                                        NULL, NULL, 1, 11, "digits",
                                        "Forwarding institution (DE33), where there is one.")
                                    SETTING(SET_COUNTRY, "country", RG_SETTING_NUMBER, 1, NULL,
                                            NULL, 1, 999, NULL,
                                            "Country of the acquirer (DE19), ISO 3166 number.")
                                        SETTING(SET_POS_CAPABILITY, "pos_capability",
                                                RG_SETTING_CHOICE, 0, "no_pin", "pin|no_pin", 0, 0,
                                                NULL,
                                                "Whether terminals can take a PIN (third digit of "
                                                "DE22).")
                                            SETTING(SET_POS_CONDITION, "pos_condition",
                                                    RG_SETTING_NUMBER, 0, "0", NULL, 0, 99, NULL,
                                                    "Condition at the point of service (DE25): 0 "
                                                    "normal, 8 mail or telephone, 59 internet.")
                                                SETTING(SET_MAC_KEY, "mac_key", RG_SETTING_KEY, 0,
                                                        NULL, NULL, 0, 0, NULL,
                                                        "Key of the MAC in DE64 or DE128; without "
                                                        "it messages carry none.")
                                                    SETTING(SET_ZONE_KEY, "zone_key",
                                                            RG_SETTING_KEY, 0, NULL, NULL, 0, 0,
                                                            NULL,
                                                            "Two-key TDES key under which the card "
                                                            "host sends a new mac_key.")
};

#define ABILITY(operation, flags, amount)                                                          \
    { sizeof(struct rg_ability), operation, flags, 60000, 15000, amount, NULL },

static const struct rg_ability abilities[] = {
    ABILITY(RG_OP_AUTHORISE, RG_ABLE_REVERSE | RG_ABLE_PARTIAL_APPROVAL, CARD_AMOUNT_MAX)
        ABILITY(RG_OP_SALE, RG_ABLE_REVERSE | RG_ABLE_PARTIAL_APPROVAL, CARD_AMOUNT_MAX) ABILITY(
            RG_OP_CAPTURE, RG_ABLE_REPEAT | RG_ABLE_REVERSE | RG_ABLE_PARTIAL, CARD_AMOUNT_MAX)
            ABILITY(RG_OP_CANCEL, RG_ABLE_REPEAT | RG_ABLE_PARTIAL, CARD_AMOUNT_MAX)
                ABILITY(RG_OP_REFUND, RG_ABLE_REVERSE | RG_ABLE_PARTIAL, CARD_AMOUNT_MAX)
                    ABILITY(RG_OP_REVERSE, RG_ABLE_REPEAT, CARD_AMOUNT_MAX)
                        ABILITY(RG_OP_SIGN_ON, 0, 0) ABILITY(RG_OP_SIGN_OFF, 0, 0)
                            ABILITY(RG_OP_ECHO, 0, 0) ABILITY(RG_OP_KEY_CHANGE, 0, 0)
};

/* --- configure ------------------------------------------------------------------------------- */

static uint32_t refuse(struct rg_diag *diag, uint32_t row, const char *why)
{
    diag->row = row;
    rg_put_text(&diag->text, why);
    return 0;
}

/* Printable ASCII, padded with spaces to size - 1. */
static uint32_t take_text(const struct rg_value *value, char *room, uint64_t size)
{
    if (value->present == 0 || value->text.len < 1 || value->text.len > size - 1)
        return 0;
    for (uint64_t i = 0; i < size - 1; i++) {
        uint8_t c = i < value->text.len ? value->text.ptr[i] : ' ';
        if (c < 0x20 || c > 0x7E)
            return 0;
        room[i] = (char)c;
    }
    room[size - 1] = '\0';
    return 1;
}

static uint32_t take_digits(const struct rg_value *value, char *room, uint64_t longest)
{
    if (value->text.len < 1 || value->text.len > longest)
        return 0;
    for (uint64_t i = 0; i < value->text.len; i++) {
        if (value->text.ptr[i] < '0' || value->text.ptr[i] > '9')
            return 0;
        room[i] = (char)value->text.ptr[i];
    }
    room[value->text.len] = '\0';
    return 1;
}

static uint32_t take_number(const struct rg_value *values, enum card_setting row, uint32_t *number)
{
    const struct rg_value *value = &values[row];
    if (value->present == 0 || value->number < settings[row].min ||
        value->number > settings[row].max)
        return 0;
    *number = (uint32_t)value->number;
    return 1;
}

static uint32_t configure_line(struct card_instance *card, const struct rg_value *values,
                               struct rg_diag *diag)
{
    int64_t packaging = values[SET_PACKAGING].number;
    int64_t framing = values[SET_FRAMING].number;
    if (packaging < 0 || packaging > 2)
        return refuse(diag, SET_PACKAGING, "choose iso87-ascii, iso87-bcd or iso87-binary");
    iso_packaging_init(&card->packaging, (enum iso_builtin)(ISO87_ASCII + packaging));
    diag->row = SET_PACKAGING_OVERRIDES;
    if (values[SET_PACKAGING_OVERRIDES].present != 0 &&
        !iso_packaging_override(&card->packaging, values[SET_PACKAGING_OVERRIDES].text,
                                &diag->text))
        return 0;
    if (framing < 0 || framing > 2)
        return refuse(diag, SET_FRAMING, "choose len2, len2_tpdu or ascii4");
    card->framing = (uint32_t)(FRAMING_LEN2 + framing);
    if (card->framing == FRAMING_LEN2_TPDU &&
        (values[SET_TPDU].text.len != 2 * CARD_TPDU_LEN ||
         !hex_read(values[SET_TPDU].text.ptr, 2 * CARD_TPDU_LEN, card->tpdu, CARD_TPDU_LEN) ||
         card->tpdu[0] != 0x60))
        return refuse(diag, SET_TPDU, "write 10 hexadecimal digits that begin with 60");
    return 1;
}

static uint32_t configure_acceptor(struct card_instance *card, const struct rg_value *values,
                                   struct rg_diag *diag)
{
    if (!take_text(&values[SET_TERMINAL_ID], card->terminal, sizeof card->terminal))
        return refuse(diag, SET_TERMINAL_ID, "write 1 to 8 printable ASCII characters");
    if (!take_text(&values[SET_MERCHANT_ID], card->merchant, sizeof card->merchant))
        return refuse(diag, SET_MERCHANT_ID, "write 1 to 15 printable ASCII characters");
    if (!take_text(&values[SET_MERCHANT_NAME_LOCATION], card->name_location,
                   sizeof card->name_location))
        return refuse(diag, SET_MERCHANT_NAME_LOCATION, "write 1 to 40 printable ASCII characters");
    if (!take_number(values, SET_MERCHANT_CATEGORY, &card->category))
        return refuse(diag, SET_MERCHANT_CATEGORY, "write a number from 1 to 9999");
    if (values[SET_ACQUIRER_ID].present == 0 ||
        !take_digits(&values[SET_ACQUIRER_ID], card->acquirer, 11))
        return refuse(diag, SET_ACQUIRER_ID, "write 1 to 11 digits");
    if (values[SET_FORWARDING_ID].present != 0 &&
        !take_digits(&values[SET_FORWARDING_ID], card->forwarding, 11))
        return refuse(diag, SET_FORWARDING_ID, "write 1 to 11 digits");
    if (!take_number(values, SET_COUNTRY, &card->country))
        return refuse(diag, SET_COUNTRY, "write a number from 1 to 999");
    if (!take_number(values, SET_POS_CONDITION, &card->pos_condition))
        return refuse(diag, SET_POS_CONDITION, "write a number from 0 to 99");
    card->pin_digit = values[SET_POS_CAPABILITY].number == 0 ? '1' : '2';
    return 1;
}

static uint32_t card_configure(void *instance, const struct rg_value *values, struct rg_diag *diag)
{
    struct card_instance *card = instance;
    memset(card, 0, sizeof *card);
    if (!configure_line(card, values, diag) || !configure_acceptor(card, values, diag))
        return 0;
    card->has_mac_key = values[SET_MAC_KEY].present != 0;
    card->has_zone_key = values[SET_ZONE_KEY].present != 0;
    if (card->has_zone_key != 0 && card->has_mac_key == 0)
        return refuse(diag, SET_ZONE_KEY, "a zone_key serves only to change mac_key: set that too");
    card->magic = CARD_INSTANCE_MAGIC;
    return 1;
}

/* --- the steps of an exchange ---------------------------------------------------------------- */

uint32_t card_fail(struct card_exchange *x, struct rg_out *out, const char *diagnosis)
{
    x->stage = STAGE_OVER;
    out->outcome = 0;
    rg_put_text(&out->diagnosis, diagnosis);
    return RG_STEP_FAIL;
}

/* "the answer ends inside a field (DE48)": where, but never with which value. */
static uint32_t fail_codec(struct card_exchange *x, struct rg_out *out, const char *what,
                           enum iso_result result)
{
    rg_put_text(&out->diagnosis, what);
    rg_put_text(&out->diagnosis, " ");
    rg_put_text(&out->diagnosis, iso_result_text(result));
    if (x->iso.error_field == 0)
        return card_fail(x, out, "");
    rg_put_text(&out->diagnosis, " (DE");
    rg_put_digits(&out->diagnosis, x->iso.error_field,
                  x->iso.error_field < 10    ? 1
                  : x->iso.error_field < 100 ? 2
                                             : 3);
    return card_fail(x, out, ")");
}

static void put_refs(const struct card_exchange *x, struct rg_table *refs)
{
#define REF(name, longest, flags)                                                                  \
    if (x->self.name[0] != '\0')                                                                   \
        rg_table_put(refs, #name, x->self.name, strlen(x->self.name), flags);
    CARD_REFS(REF)
#undef REF
}

static uint32_t send(const struct card_instance *card, struct card_exchange *x, struct rg_out *out)
{
    card_put_header(card, card->tpdu, x->message_len, &out->bytes);
    rg_put(&out->bytes, x->message, x->message_len);
    card_put_correlation(&out->correlation, x->shape->mti_answer,
                         (struct rg_bytes){ (const uint8_t *)x->self.stan, 6 },
                         (struct rg_bytes){ (const uint8_t *)x->self.terminal, 8 });
    if (x->shape->family != FAMILY_LINK)
        put_refs(x, &out->refs);
    out->expects_reply = 1;
    if (out->bytes.overflow != 0 || out->correlation.overflow != 0 || out->refs.text.overflow != 0)
        return card_fail(x, out, "there is no room for the message or its references");
    x->stage = STAGE_WAIT_REPLY;
    return RG_STEP_SEND;
}

static uint32_t sign(struct card_exchange *x, struct rg_out *out, const uint8_t *bytes,
                     uint64_t len, enum card_stage next)
{
    rg_put(&out->bytes, bytes, len);
    rg_put_text(&out->sign_key, settings[SET_MAC_KEY].name);
    if (out->bytes.overflow != 0 || out->sign_key.overflow != 0)
        return card_fail(x, out, "there is no room for the bytes of the MAC");
    x->stage = next;
    return RG_STEP_SIGN;
}

static uint32_t uses_mac(const struct card_instance *card, const struct card_exchange *x)
{
    return card->has_mac_key != 0 && x->shape->family != FAMILY_LINK;
}

static uint32_t card_begin(const void *instance, void *exchange, const struct rg_command *command,
                           struct rg_out *out)
{
    const struct card_instance *card = instance;
    struct card_exchange *x = exchange;
    memset(x, 0,
           offsetof(struct card_exchange, message)); /* the rest is written before it is read */
    x->magic = CARD_EXCHANGE_MAGIC;
    if (card->magic != CARD_INSTANCE_MAGIC)
        return card_fail(x, out, "the channel is not configured");
    const char *fault = card_build(card, x, command);
    if (fault != NULL)
        return card_fail(x, out, fault);
    struct rg_buffer packed = { x->message, sizeof x->message, 0, 0, 0 };
    enum iso_result result = uses_mac(card, x)
                                 ? iso_pack_before_mac(&card->packaging, &x->iso, &packed)
                                 : iso_pack(&card->packaging, &x->iso, &packed);
    if (result != ISO_OK)
        return fail_codec(x, out, "the message", result);
    x->message_len = (uint32_t)packed.len;
    return uses_mac(card, x) ? sign(x, out, x->message, x->message_len, STAGE_SIGN_REQUEST)
                             : send(card, x, out);
}

static uint32_t request_signed(const struct card_instance *card, struct card_exchange *x,
                               struct rg_bytes mac, struct rg_out *out)
{
    if (mac.len != 8)
        return card_fail(x, out, "the MAC is not 8 bytes long");
    struct rg_buffer packed = { x->message, sizeof x->message, x->message_len, 0, 0 };
    enum iso_result result = iso_pack_mac(&card->packaging, &x->iso, mac.ptr, &packed);
    if (result != ISO_OK)
        return fail_codec(x, out, "the message", result);
    x->message_len = (uint32_t)packed.len;
    return send(card, x, out);
}

static uint32_t reply_came(const struct card_instance *card, struct card_exchange *x,
                           struct rg_bytes frame, struct rg_out *out)
{
    struct rg_bytes payload = card_frame_payload(card, frame);
    if (payload.ptr == NULL)
        return card_fail(x, out, "the answer is not framed as configured");
    enum iso_result result = iso_unpack(&card->packaging, payload.ptr, payload.len, &x->iso);
    if (result != ISO_OK)
        return fail_codec(x, out, "the answer", result);
    const char *fault = card_check_reply(card, x);
    if (fault != NULL)
        return card_fail(x, out, fault);
    if (!uses_mac(card, x))
        return card_finish(x, out);
    struct rg_bytes mac = iso_get(&x->iso, x->iso.secondary != 0 ? 128 : 64);
    if (mac.len != sizeof x->mac)
        return card_fail(x, out, "the answer has no MAC");
    memcpy(x->mac, mac.ptr, sizeof x->mac);
    return sign(x, out, payload.ptr, x->iso.mac_at, STAGE_VERIFY_REPLY);
}

static uint32_t reply_signed(struct card_exchange *x, struct rg_bytes mac, struct rg_out *out)
{
    uint8_t difference = mac.len != sizeof x->mac;
    /* All bytes, always: how long it takes must not tell where they differ. */
    for (uint64_t i = 0; i < sizeof x->mac && i < mac.len; i++)
        difference |= (uint8_t)(x->mac[i] ^ mac.ptr[i]);
    if (difference != 0)
        return card_fail(x, out, "the MAC of the answer is wrong");
    return card_finish(x, out);
}

static uint32_t card_resume(const void *instance, void *exchange, const struct rg_event *event,
                            struct rg_out *out)
{
    const struct card_instance *card = instance;
    struct card_exchange *x = exchange;
    if (card->magic != CARD_INSTANCE_MAGIC || x->magic != CARD_EXCHANGE_MAGIC)
        return card_fail(x, out, "the exchange was not begun");
    if (x->stage == STAGE_SIGN_REQUEST && event->kind == RG_EVENT_SIGNED)
        return request_signed(card, x, event->bytes, out);
    if (x->stage == STAGE_WAIT_REPLY && event->kind == RG_EVENT_REPLY)
        return reply_came(card, x, event->bytes, out);
    if (x->stage == STAGE_VERIFY_REPLY && event->kind == RG_EVENT_SIGNED)
        return reply_signed(x, event->bytes, out);
    return card_fail(x, out, "this event does not belong to this step");
}

static const struct rg_adapter adapter = {
    .magic = RG_ABI_MAGIC,
    .abi_major = RG_ABI_MAJOR,
    .abi_minor = RG_ABI_MINOR,
    .transport = RG_TRANSPORT_FRAMED,
    .size = sizeof(struct rg_adapter),
    .id = "card",
    .version = "1.0.0",
    .licence = "Apache-2.0",
    .origin = "railgate",
    .rail = "card",
    .settings = settings,
    .settings_count = SET_COUNT,
    .abilities = abilities,
    .abilities_count = sizeof abilities / sizeof abilities[0],
    .instance_size = sizeof(struct card_instance),
    .exchange_size = sizeof(struct card_exchange),
    .request_max = CARD_FRAME_MAX,
    .answer_max = CARD_FRAME_MAX,
    .steps_max = 8,
    .configure = card_configure,
    .begin = card_begin,
    .resume = card_resume,
    .frame = card_frame,
    .notice = card_notice,
};

__attribute__((visibility("default"))) const struct rg_adapter *rg_adapter_get(uint32_t host_abi)
{
    return host_abi >> 16 == RG_ABI_MAJOR ? &adapter : NULL;
}
