/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_order.c - SALE: a credit transfer that we send, or the wait for one that somebody sends us.
 *
 * Where the creditor comes from: the scanned code when there is one (EPC069-12 or Swiss QR-bill),
 * else creditor_* of the details, else payee_*. The debtor is the channel's account; a participant
 * may name its customer in debtor_* or payer_*.
 *
 * Receiving sends nothing: the payer is told an account and a structured reference that holds the
 * attempt, and the payment is settled by the booking that carries it.
 */
#include "bank_int.h"
#include "kits/xml_out.h"

#include <string.h>

/* The first of two details that is there. */
static struct rg_bytes detail_or(const struct rg_command *command, const char *first,
                                 const char *second)
{
    struct rg_bytes value = bank_detail(command, first);
    return value.len > 0 ? value : bank_detail(command, second);
}

struct iso_agent bank_agent(struct rg_bytes bic, struct rg_bytes member, const char *system)
{
    return (struct iso_agent){ bic, member,
                               member.len > 0 ? text_of(system) : (struct rg_bytes){ NULL, 0 } };
}

struct iso_agent bank_own_agent(const struct bank_instance *bank)
{
    return bank_agent(bank_view(&bank->bic), bank_view(&bank->member),
                      bank->profile->member_system);
}

struct iso_agent bank_other_agent(const struct bank_instance *bank)
{
    return bank_agent(bank_view(&bank->to_bic), bank_view(&bank->to_member),
                      bank->profile->member_system);
}

/* --- parties --------------------------------------------------------------------------------- */

/* "line 1\nline 2": the address as the merchant gave it. */
static void put_lines(struct iso_party *party, struct rg_bytes address)
{
    uint64_t at = 0;
    while (at < address.len && address.ptr[at] != '\n')
        at++;
    party->lines[0] = text_slice(address, 0, at);
    party->lines[1] = text_slice(address, at + 1, address.len);
}

/* IBANs are read as people write them; `room` keeps what goes on the wire. What is no IBAN stays as
 * it is, for the rules to refuse. */
static struct rg_bytes plain_iban(struct rg_bytes text, uint8_t room[ACCOUNT_IBAN_MAX])
{
    uint64_t len;
    return text.len > 0 && account_iban_read(text, room, &len) ? (struct rg_bytes){ room, len }
                                                               : text;
}

static void creditor_of_details(const struct bank_profile *profile,
                                const struct rg_command *command, struct iso_party *creditor,
                                uint8_t iban[ACCOUNT_IBAN_MAX])
{
    creditor->name = detail_or(command, "creditor_name", "payee_name");
    creditor->country = detail_or(command, "creditor_country", "payee_country");
    if ((profile->flags & PROFILE_NO_NAME) != 0) /* Pix: the tax number stands for the name */
        creditor->id = bank_detail(command, "payee_id");
    creditor->iban = plain_iban(bank_detail(command, "creditor_iban"), iban);
    creditor->account = bank_detail(command, "creditor_account");
    creditor->proxy = detail_or(command, "creditor_alias", "payee_alias");
    creditor->agent = bank_agent(bank_detail(command, "creditor_bic"),
                                 bank_detail(command, "creditor_agent"), profile->member_system);
    put_lines(creditor, detail_or(command, "creditor_address", "payee_address"));
    struct rg_bytes payee = bank_detail(command, "payee_account");
    if (creditor->iban.len == 0 && creditor->account.len == 0 && payee.len > 0) {
        uint64_t len;
        if (profile->account != ACCOUNT_OTHER && account_iban_read(payee, iban, &len))
            creditor->iban = (struct rg_bytes){ iban, len };
        else
            creditor->account = payee;
    }
}

static void debtor_of_channel(const struct bank_instance *bank, const struct rg_command *command,
                              struct iso_party *debtor, uint8_t iban[ACCOUNT_IBAN_MAX])
{
    struct rg_bytes name = detail_or(command, "debtor_name", "payer_name");
    struct rg_bytes given_iban = bank_detail(command, "debtor_iban");
    struct rg_bytes given_account = bank_detail(command, "debtor_account");
    *debtor = (struct iso_party){
        .name = bank_view(&bank->name),
        .country = bank_view(&bank->country),
        .iban = bank_view(&bank->iban),
        .account = bank_view(&bank->account),
        .account_type = bank_view(&bank->account_type),
        .id = bank_view(&bank->party_id),
        .agent = bank_own_agent(bank),
    };
    if (bank->initiation != INITIATION_PARTICIPANT)
        return;
    if (name.len > 0) {
        debtor->name = name;
        debtor->id = bank_detail(command, "payer_id");
        debtor->country = detail_or(command, "debtor_country", "payer_country");
        put_lines(debtor, detail_or(command, "debtor_address", "payer_address"));
    }
    if (given_iban.len + given_account.len > 0) {
        debtor->iban = plain_iban(given_iban, iban);
        debtor->account = given_account;
    }
}

/* --- codes ----------------------------------------------------------------------------------- */

static struct bank_refusal creditor_of_code(const struct rg_command *command, struct rg_bytes code,
                                            struct iso_order *order)
{
    struct qr_transfer transfer;
    struct qr_transfer_fault fault;
    if (!qr_transfer_read(code, &transfer, &fault))
        return (struct bank_refusal){ "CH16", qr_transfer_fault_text(fault.kind) };
    if (memcmp(transfer.currency, command->currency_code, 3) != 0)
        return (struct bank_refusal){ "AM03", "The code asks for another currency." };
    if (transfer.amount_minor != 0 && transfer.amount_minor != command->amount_minor)
        return (struct bank_refusal){ "AM09", "The code asks for another amount." };
    order->creditor.name = transfer.creditor.name;
    order->creditor.iban = transfer.iban;
    order->creditor.agent.bic = transfer.bic;
    order->creditor.country = transfer.creditor.country;
    order->creditor.street = transfer.creditor.street;
    order->creditor.building = transfer.creditor.house;
    order->creditor.postcode = transfer.creditor.postcode;
    order->creditor.town = transfer.creditor.town;
    order->creditor.lines[0] = transfer.creditor.line1;
    order->creditor.lines[1] = transfer.creditor.line2;
    order->remittance = transfer.message;
    order->purpose = transfer.purpose;
    order->reference = transfer.reference;
    if (transfer.reference_kind == QR_REFERENCE_QRR)
        order->reference_own = "QRR";
    if (transfer.reference_kind == QR_REFERENCE_SCOR)
        order->reference_code = "SCOR";
    return (struct bank_refusal){ NULL, NULL };
}

/* --- terms ----------------------------------------------------------------------------------- */

static void reference_of_details(const struct rg_command *command, struct iso_order *order)
{
    order->reference = bank_detail(command, "structured_reference");
    if (text_starts(order->reference, "RF"))
        order->reference_code = "SCOR";
    else if (order->reference.len == ACCOUNT_QRR_LEN && text_digits(order->reference))
        order->reference_own = "QRR";
}

/* The scheme of a payment: the channel's, or its sibling in SEPA. NULL: another. */
static const struct bank_profile *profile_for(const struct bank_instance *bank,
                                              const struct rg_command *command)
{
    struct rg_bytes scheme = bank_detail(command, "scheme");
    uint32_t is_sepa = bank->profile == bank_profile_named(text_of("sepa")) ||
                       bank->profile == bank_profile_named(text_of("sepa_inst"));
    if (scheme.len == 0 || text_is(scheme, bank->profile->name))
        return bank->profile;
    return is_sepa && (text_is(scheme, "sepa") || text_is(scheme, "sepa_inst"))
               ? bank_profile_named(scheme)
               : NULL;
}

static void terms_of(const struct bank_profile *profile, const struct rg_command *command,
                     struct iso_order *order)
{
    order->terms = profile->terms;
    if ((profile->flags & PROFILE_INSTANT_SWITCH) != 0 &&
        text_is(bank_detail(command, "speed"), "instant"))
        order->terms.local = "INST";
    if ((profile->flags & PROFILE_LOCAL_BY_ALIAS) != 0 && order->creditor.proxy.len > 0)
        order->terms.local_own = "DICT";
    if ((profile->flags & PROFILE_NO_NAME) != 0) {
        order->creditor.name = (struct rg_bytes){ NULL, 0 };
        order->creditor.country = (struct rg_bytes){ NULL, 0 };
        order->creditor.lines[0] = order->creditor.lines[1] = order->creditor.name;
    }
}

/* --- sending --------------------------------------------------------------------------------- */

static struct rg_bytes id_into(const struct bank_instance *bank, char kind,
                               const struct rg_command *command, uint64_t attempt, char room[36])
{
    struct rg_buffer b = { (uint8_t *)room, 35, 0, 0, 0 };
    bank_put_id(bank, kind, command, attempt, &b);
    room[b.len] = '\0';
    return (struct rg_bytes){ b.ptr, b.len };
}

void bank_keep_amount(struct bank_exchange *x, const struct rg_command *command, int64_t minor)
{
    struct rg_buffer b = { (uint8_t *)x->self.amount, sizeof x->self.amount - 1, 0, 0, 0 };
    xml_out_decimal(&b, minor, command->currency_exponent);
    memcpy(x->self.currency, command->currency_code, 3);
}

struct order_of {
    const struct bank_instance *bank;
    const char *definition;
    const struct iso_order *order;
};

static void put_order(struct rg_buffer *b, const void *arg)
{
    const struct order_of *of = arg;
    if (of->bank->initiation == INITIATION_PARTICIPANT)
        iso_put_pacs_008(b, of->order);
    else
        iso_put_pain_001(b, of->definition, of->order);
}

uint32_t bank_send_order(const struct bank_instance *bank, struct bank_exchange *x,
                         const struct rg_command *command, struct iso_order *order, char kind,
                         struct rg_out *out)
{
    uint64_t attempt;
    uint32_t participant = bank->initiation == INITIATION_PARTICIPANT;
    struct rg_buffer created = { (uint8_t *)x->self.created, sizeof x->self.created - 1, 0, 0, 0 };
    struct rg_buffer uetr = { (uint8_t *)x->self.uetr, sizeof x->self.uetr - 1, 0, 0, 0 };
    struct order_of of = { bank,
                           participant          ? "pacs.008.001.08"
                           : bank->pain_03 != 0 ? "pain.001.001.03"
                                                : "pain.001.001.09",
                           order };
    char payment_info[36];
    if (!attempt_read(command->attempt_id, &attempt))
        return bank_fail(x, out, "the attempt's name is not as expected");
    order->message_id = id_into(bank, 'M', command, attempt, x->self.message);
    order->payment_info = id_into(bank, 'P', command, attempt, payment_info);
    order->end_to_end = id_into(bank, kind, command, attempt, x->self.end_to_end);
    if (bank->profile->ids != IDS_PIX) { /* Pix knows a payment by its EndToEndId alone */
        order->instruction = id_into(bank, 'I', command, attempt, x->self.instruction);
        if (participant)
            order->transaction = id_into(bank, 'T', command, attempt, x->self.transaction);
        if (bank->pain_03 == 0 || participant) {
            account_put_uetr(&uetr, command->random);
            order->uetr = (struct rg_bytes){ uetr.ptr, uetr.len };
        }
    }
    bank_put_time(&created, &command->utc, bank->profile->ids == IDS_PIX);
    order->created = (struct rg_bytes){ created.ptr, created.len };
    order->amount = (struct iso_money){ command->amount_minor,
                                        command->currency_exponent,
                                        { (const uint8_t *)command->currency_code, 3 } };
    order->from = bank_own_agent(bank);
    order->to = bank_other_agent(bank);
    memcpy(x->self.date, order->date.ptr, 10);
    bank_keep_amount(x, command, command->amount_minor);
    bank_put_message(bank, x, of.definition, put_order, &of);
    return bank_sign_or_send(bank, x, command, out);
}

/* --- receiving ------------------------------------------------------------------------------- */

static uint32_t receive(const struct bank_instance *bank, struct bank_exchange *x,
                        const struct rg_command *command, struct rg_out *out)
{
    uint64_t attempt;
    struct rg_buffer reference = { (uint8_t *)x->self.reference, sizeof x->self.reference - 1, 0, 0,
                                   0 };
    struct rg_bytes iban =
        bank_view(bank->receive_iban.len > 0 ? &bank->receive_iban : &bank->iban);
    struct rg_table *values = &out->action_values;
    if (!attempt_read(command->attempt_id, &attempt))
        return bank_fail(x, out, "the attempt's name is not as expected");
    bank_put_reference(bank, attempt, &reference);
    bank_keep_amount(x, command, command->amount_minor);
    const struct {
        const char *name;
        struct rg_bytes value;
    } rows[] = {
        { "name", bank_view(&bank->name) },
        { "iban", iban },
        { "account", iban.len > 0 ? (struct rg_bytes){ NULL, 0 } : bank_view(&bank->account) },
        { "bic", bank_view(&bank->bic) },
        { "clearing_number", bank_view(&bank->member) },
        { "reference", { reference.ptr, reference.len } },
        { "reference_type", text_of(bank->receive_qrr != 0 ? "QRR" : "SCOR") },
        { "amount", text_of(x->self.amount) },
        { "currency", text_of(x->self.currency) },
    };
    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value.len > 0)
            rg_table_put(values, rows[i].name, rows[i].value.ptr, rows[i].value.len, 0);
    rg_table_put_text(&out->refs, "what", "receive");
    rg_table_put(&out->refs, "reference", reference.ptr, reference.len, 0);
    rg_table_put_text(&out->refs, "amount", x->self.amount);
    rg_table_put_text(&out->refs, "currency", x->self.currency);
    rg_put_bytes(&out->reference, (struct rg_bytes){ reference.ptr, reference.len });
    rg_put_text(&out->message, "A bank transfer with this reference is awaited.");
    if (reference.overflow + values->text.overflow + out->refs.text.overflow != 0)
        return bank_fail(x, out, "there is no room for what the payer is told");
    out->outcome = RG_OUTCOME_PENDING;
    out->amount_minor = command->amount_minor;
    out->currency_number = command->currency_number;
    out->action = RG_ACTION_TRANSFER;
    out->expires_in_s = bank->receive_expires_s;
    return RG_STEP_DONE;
}

/* --- SALE ------------------------------------------------------------------------------------ */

/* A customer's order is from the channel's own account; another one in the details is a mistake. */
static uint32_t debtor_is_ours(const struct bank_instance *bank, const struct rg_command *command)
{
    uint8_t room[ACCOUNT_IBAN_MAX];
    struct rg_bytes iban = plain_iban(bank_detail(command, "debtor_iban"), room);
    struct rg_bytes account = bank_detail(command, "debtor_account");
    return bank->initiation == INITIATION_PARTICIPANT ||
           ((iban.len == 0 || text_same(iban, bank_view(&bank->iban))) &&
            (account.len == 0 || text_same(account, bank_view(&bank->account))));
}

uint32_t bank_begin_sale(const struct bank_instance *bank, struct bank_exchange *x,
                         const struct rg_command *command, struct rg_out *out)
{
    struct rg_bytes direction = bank_detail(command, "direction");
    struct rg_bytes code = bank_detail(command, "code");
    const struct bank_profile *profile = profile_for(bank, command);
    struct iso_order order = { .terms = { .priority = NULL } };
    uint8_t creditor_iban[ACCOUNT_IBAN_MAX], debtor_iban[ACCOUNT_IBAN_MAX];
    char date[10];
    if (profile == NULL)
        return bank_refuse(x, out, "FF03", "This channel does not use that scheme.");
    struct bank_refusal found = bank_check_amount(bank, profile, command);
    if (found.code != NULL)
        return bank_refuse(x, out, found.code, found.sentence);
    if (text_is(direction, "receive"))
        return receive(bank, x, command, out);
    if (direction.len > 0 && !text_is(direction, "send"))
        return bank_refuse(x, out, "FF03", "The direction is neither send nor receive.");
    if (!debtor_is_ours(bank, command))
        return bank_refuse(x, out, "AC02", "The debtor's account is not this channel's.");
    order.remittance = detail_or(command, "description", "reference");
    order.purpose = bank_detail(command, "purpose");
    debtor_of_channel(bank, command, &order.debtor, debtor_iban);
    if (code.len > 0) {
        found = creditor_of_code(command, code, &order);
        if (found.code != NULL)
            return bank_refuse(x, out, found.code, found.sentence);
    } else {
        creditor_of_details(profile, command, &order.creditor, creditor_iban);
        reference_of_details(command, &order);
    }
    /* One or the other: only the Swiss standard has a text beside a structured reference. */
    if (order.reference.len > 0 && (profile->flags & PROFILE_QR_IBAN) == 0)
        order.remittance = (struct rg_bytes){ NULL, 0 };
    order.date = bank_detail(command, "execution_date");
    if (order.date.len == 0) {
        struct rg_buffer b = { (uint8_t *)date, sizeof date, 0, 0, 0 };
        bank_put_date(&b, &command->local);
        order.date = (struct rg_bytes){ b.ptr, b.len };
    }
    terms_of(profile, command, &order);
    found = bank_check_order(profile, &order);
    if (found.code != NULL)
        return bank_refuse(x, out, found.code, found.sentence);
    memcpy(x->self.what, "sale", 5);
    return bank_send_order(bank, x, command, &order, 'E', out);
}
