/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_notice.c - what the bank says unasked, entry by entry (rg_notice.index).
 *
 *     pain.002, pacs.002   STATUS of the attempt whose message or EndToEndId it names
 *     camt.029             STATUS of the recall (cancel or refund) whose case it resolves
 *     admi.002             STATUS REJECTED of the attempt whose message it names
 *     pacs.004             RETURN of a payment that we sent
 *     pacs.008             money in: STATUS of the attempt in its structured reference, else CREDIT
 *     camt.053, camt.054   only what is booked. Credit: with our structured reference STATUS
 *                          APPROVED; with one of our own EndToEndIds a payment of ours came back,
 *                          RETURN; else CREDIT. Debit: STATUS APPROVED of the attempt in EndToEndId
 *                          or InstrId. An entry that undoes another (RvslInd) is a RETURN of what
 *                          that one was
 *     the rest             understood, about none of our payments: LINK
 *
 * A refund that was a transfer and came back is STATUS DECLINED of the refund.
 *
 * One movement may be told twice, in different messages. Its name (out->reference) is then the
 * same:
 *     RETURN   to a customer: the payment's own EndToEndId, for a transfer comes back once and
 *              whole; between banks: RtrId, and bookings of returns are not counted, the pacs.004
 *              was
 *     CREDIT   to a customer: the account servicer's reference of the booking; between banks: TxId
 *              or UETR of the pacs.008, and bookings are not counted
 *     STATUS   of a payment that we sent: our EndToEndId, in the answer, the status and the booking
 *
 * A recall that a bank agrees to (CNCL) is approved at once: no message about the money names the
 * recall, so the money is told as a RETURN of the payment, which the host finds covered by the
 * refund.
 *
 * A refusal as duplicate never refuses here: it may answer a repetition (bank_codes.c).
 *
 * Signed notices are verified by the host first; an unsigned one is answered all the same, and the
 * host takes it as a hint (docs of notice() in railgate/adapter.h). A message is read once, into
 * the memory that the host keeps for it.
 */
#include "bank_int.h"

#include <string.h>

struct sight {
    const struct bank_instance *bank;
    const struct iso_message *m;
    uint64_t index;
    struct rg_notice_out *out;
};

static uint32_t broken(struct rg_notice_out *out, const char *why)
{
    rg_put_text(&out->diagnosis, why);
    return RG_NOTICE_BROKEN;
}

static uint32_t link_matter(const struct sight *s, const char *what)
{
    s->out->about = RG_ABOUT_LINK;
    rg_put_text(&s->out->message, what);
    return RG_NOTICE_DONE;
}

static uint32_t take_amount(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    uint32_t exponent;
    s->out->amount_minor = -1;
    if (item->amount[0] == '\0')
        return 1;
    return iso_currency(item->currency, &s->out->currency_number, &exponent) &&
           iso_amount(item->amount, exponent, &s->out->amount_minor);
}

/* --- whose it is ------------------------------------------------------------------------------ */

struct owner {
    uint64_t attempt;
    char kind; /* of bank_put_id, 0: none of ours */
};

static struct owner owner_of(const struct sight *s, const char *text)
{
    struct owner owner = { 0, 0 };
    if (!bank_read_id(s->bank, text, &owner.attempt, &owner.kind))
        owner.kind = 0;
    return owner;
}

static struct owner first_owner(const struct sight *s, const char *const *texts, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct owner owner = owner_of(s, texts[i]);
        if (owner.kind != 0)
            return owner;
    }
    return (struct owner){ 0, 0 };
}

/* By the references that a payment of ours carries. */
static struct owner owner_of_payment(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    const char *const texts[] = { item->end_to_end, item->instruction, item->transaction,
                                  item->payment_info };
    return first_owner(s, texts, sizeof texts / sizeof texts[0]);
}

/* The structured reference that we gave a payer: where it belongs, or where payers put it. */
static uint32_t awaited(const struct sight *s, uint64_t *attempt)
{
    const struct iso_item *item = &s->m->item;
    const char *const texts[] = { item->creditor_reference, item->end_to_end, item->remittance };
    for (uint64_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (bank_read_reference(s->bank, text_of(texts[i]), attempt))
            return 1;
    return 0;
}

static void put_status(const struct sight *s, uint64_t attempt, const struct bank_verdict *verdict)
{
    struct rg_notice_out *out = s->out;
    out->about = RG_ABOUT_STATUS;
    out->outcome = verdict->outcome;
    out->category = verdict->category;
    attempt_put(&out->attempt_id, attempt);
    rg_put_text(&out->rail_code, verdict->code);
    rg_put_text(&out->message, verdict->sentence);
}

static void put_ref(struct rg_table *refs, const char *name, const char *value)
{
    if (value[0] != '\0')
        rg_table_put_text(refs, name, value);
}

/* What the payer chose: it may hold anything, a card number as well, and is shown to nobody. */
static void put_payers(struct rg_table *refs, const char *name, const char *value)
{
    if (value[0] != '\0')
        rg_table_put(refs, name, value, strlen(value), RG_NAMED_SENSITIVE);
}

/* The name of a payment that we sent, as the answer to it has it (bank_reply.c): our EndToEndId, or
 * RtrId of a return of ours. */
static void put_name(const struct sight *s, uint64_t attempt)
{
    const struct iso_item *item = &s->m->item;
    const char *const names[] = { item->end_to_end, item->transaction };
    put_ref(&s->out->refs, "bank_reference", item->own[0] != '\0' ? item->own : item->clearing);
    for (uint64_t i = 0; i < 2; i++) {
        struct owner owner = owner_of(s, names[i]);
        if (owner.kind != 0 && owner.attempt == attempt && strchr("EFR", owner.kind) != NULL) {
            rg_put_text(&s->out->reference, names[i]);
            return;
        }
    }
    if (s->bank->profile->ids == IDS_PIX)
        return; /* holds the minute as well */
    rg_put_text(&s->out->reference, "RGE");
    attempt_put_base36(&s->out->reference, attempt);
}

/* --- statuses -------------------------------------------------------------------------------- */

static uint32_t on_status(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    struct bank_verdict verdict;
    struct owner message = owner_of(s, item->original);
    struct owner payment = owner_of_payment(s);
    uint32_t is_order = strncmp(item->original_kind, "pain.001", 8) == 0 ||
                        strncmp(item->original_kind, "pacs.008", 8) == 0;
    if (message.kind == 'S' || strncmp(item->original_kind, "pacs.028", 8) == 0)
        return link_matter(s, "The bank says something about an inquiry.");
    if (message.kind != 0 && payment.kind != 0 && is_order && message.attempt != payment.attempt)
        return broken(s->out, "the references of the status name two attempts");
    if (message.kind == 0) /* a recall or return names the payment's EndToEndId but is not that */
        message = is_order || item->original_kind[0] == '\0' ? payment : message;
    if (message.kind == 0)
        return link_matter(s, "The bank says something about a payment that is none of ours.");
    bank_judge_payment(s->bank, item, SIGHT_NOTICE, 0, &verdict);
    if (verdict.outcome == 0)
        return link_matter(s, "The bank gives a status that decides nothing.");
    if ((message.kind == 'C' || message.kind == 'B' ||
         strncmp(item->original_kind, "camt.056", 8) == 0) &&
        verdict.outcome == RG_OUTCOME_APPROVED) {
        verdict.outcome = RG_OUTCOME_PENDING; /* of the request, not yet of the money */
        verdict.sentence = "The bank works on the recall.";
    }
    if (!take_amount(s))
        return broken(s->out, "the amount in the status cannot be read");
    put_status(s, message.attempt, &verdict);
    put_name(s, message.attempt);
    return RG_NOTICE_DONE;
}

/* The recall that a cancel is has no amount of its own; that of a refund has the payment's. */
static uint32_t on_recall(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    const char *const texts[] = { item->case_id, item->original };
    struct owner recall = first_owner(s, texts, 2);
    struct bank_verdict verdict;
    bank_judge_recall(item, &verdict);
    if ((recall.kind != 'C' && recall.kind != 'B') || verdict.outcome == 0)
        return link_matter(s,
                           "The bank answers a recall that is none of ours, or decides nothing.");
    s->out->amount_minor = -1;
    if (recall.kind == 'B' && !take_amount(s))
        return broken(s->out, "the amount in the answer to a recall cannot be read");
    put_status(s, recall.attempt, &verdict);
    return RG_NOTICE_DONE;
}

static uint32_t on_reject(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    struct owner message = owner_of(s, item->original);
    const struct bank_reason *reason = bank_reason_of(item->reason);
    struct bank_verdict verdict = { .outcome = RG_OUTCOME_REJECTED,
                                    .category = RG_CATEGORY_REQUEST,
                                    .sentence = "The bank did not accept the message." };
    if (message.kind == 0 || message.kind == 'S')
        return link_matter(s, "The bank did not accept a message that asks for no money.");
    if (reason->verdict == REASON_DUPLICATE && reason->code[0] != '\0') {
        verdict.outcome = RG_OUTCOME_PENDING;
        verdict.category = RG_CATEGORY_NONE;
    }
    memcpy(verdict.code, item->reason, sizeof item->reason);
    s->out->amount_minor = -1;
    put_status(s, message.attempt, &verdict);
    return RG_NOTICE_DONE;
}

/* --- money ----------------------------------------------------------------------------------- */

/* A name by which the movement is known again; never empty. */
static void put_movement(const struct sight *s, const char *const *names, uint64_t count)
{
    struct rg_buffer *b = &s->out->reference;
    for (uint64_t i = 0; i < count; i++) {
        if (names[i][0] == '\0')
            continue;
        rg_put_text(b, names[i]);
        if (names[i] == s->m->item.own && s->m->own_shared != 0) {
            rg_put_u8(b, '/');
            rg_put_digits(b, s->m->ordinal, 5);
        }
        return;
    }
    rg_put_text(b, s->m->message_id);
    rg_put_u8(b, '/');
    rg_put_digits(b, s->index, 5);
}

static uint32_t on_return(const struct sight *s, uint64_t attempt)
{
    const struct iso_item *item = &s->m->item;
    const char *const between_banks[] = { item->own, item->clearing };
    struct rg_buffer *b = &s->out->reference;
    const struct bank_reason *reason = bank_reason_of(item->reason);
    s->out->about = RG_ABOUT_RETURN;
    s->out->outcome = RG_OUTCOME_APPROVED;
    attempt_put(&s->out->attempt_id, attempt);
    if (s->bank->initiation == INITIATION_PARTICIPANT) {
        put_movement(s, between_banks, 2);
    } else {
        rg_put_text(b, "return of ");
        attempt_put(b, attempt);
    }
    rg_put_text(&s->out->rail_code, item->reason);
    rg_put_text(&s->out->message,
                item->reason[0] != '\0' ? reason->sentence : "The money came back.");
    return RG_NOTICE_DONE;
}

/* Money of ours came back: of a payment that is a RETURN; of a refund that was a transfer, the
 * refund did not reach the payer. */
static uint32_t on_return_of(const struct sight *s, const struct owner *owner)
{
    const struct iso_item *item = &s->m->item;
    if (owner->kind != 'F')
        return on_return(s, owner->attempt);
    struct bank_verdict verdict = { .outcome = RG_OUTCOME_DECLINED,
                                    .category = bank_reason_of(item->reason)->category,
                                    .sentence = "The refund came back; the payer did not get it." };
    memcpy(verdict.code, item->reason, sizeof item->reason);
    put_status(s, owner->attempt, &verdict);
    return RG_NOTICE_DONE;
}

/* What a refund will need: where the money came from, and by which message. */
static void put_incoming(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    struct rg_table *refs = &s->out->refs;
    put_payers(refs, "debtor_name", item->debtor_name);
    put_payers(refs, "debtor_account", item->debtor_account);
    put_ref(refs, "debtor_agent", item->debtor_agent);
    put_payers(refs, "in_end_to_end", item->end_to_end);
    put_ref(refs, "in_date", item->settlement_date);
    if (s->m->kind != ISO_PACS_008)
        return;
    put_ref(refs, "in_message", s->m->message_id);
    put_ref(refs, "in_kind", s->m->definition);
    put_payers(refs, "in_instruction", item->instruction);
    put_ref(refs, "in_transaction", item->transaction);
    put_ref(refs, "in_uetr", item->uetr);
}

static uint32_t on_credit(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    const char *const of_transfer[] = { item->transaction, item->uetr, item->end_to_end };
    const char *const of_booking[] = { item->own, item->clearing, item->uetr, item->entry_ref };
    uint32_t transfer = s->m->kind == ISO_PACS_008;
    uint64_t attempt;
    if (transfer != (s->bank->initiation == INITIATION_PARTICIPANT))
        return link_matter(s, "A credit that is told by another message as well.");
    if (awaited(s, &attempt)) {
        struct bank_verdict verdict = { .outcome = RG_OUTCOME_APPROVED,
                                        .sentence = "The awaited transfer came in." };
        put_status(s, attempt, &verdict);
        s->out->about = RG_ABOUT_CREDIT; /* the payer was not bound to the amount */
        put_movement(s, transfer ? of_transfer : of_booking, transfer ? 3 : 4);
        put_incoming(s);
        return RG_NOTICE_DONE;
    }
    s->out->about = RG_ABOUT_CREDIT;
    s->out->outcome = RG_OUTCOME_APPROVED;
    put_movement(s, transfer ? of_transfer : of_booking, transfer ? 3 : 4);
    put_incoming(s);
    put_payers(&s->out->refs, "creditor_reference", item->creditor_reference);
    put_payers(&s->out->refs, "remittance", item->remittance);
    rg_put_text(&s->out->message, "Money came in that nothing asked for.");
    return RG_NOTICE_DONE;
}

static uint32_t nothing_moved(const struct sight *s)
{
    return link_matter(s, "An entry of nothing.");
}

static uint32_t on_transfer_in(const struct sight *s)
{
    if (!take_amount(s) || s->out->amount_minor < 0)
        return broken(s->out, "the amount of an incoming transfer cannot be read");
    return s->out->amount_minor > 0 ? on_credit(s) : nothing_moved(s);
}

static uint32_t on_return_message(const struct sight *s)
{
    struct owner payment = owner_of_payment(s);
    if (payment.kind == 0)
        payment = owner_of(s, s->m->item.original);
    if (!take_amount(s) || s->out->amount_minor < 0)
        return broken(s->out, "the amount of a return cannot be read");
    if (s->out->amount_minor == 0)
        return nothing_moved(s);
    return payment.kind != 0 ? on_return_of(s, &payment) : on_credit(s);
}

static uint32_t on_booking(const struct sight *s)
{
    const struct iso_item *item = &s->m->item;
    struct owner payment = owner_of_payment(s);
    uint32_t participant = s->bank->initiation == INITIATION_PARTICIPANT;
    uint32_t credit = strcmp(item->direction, "CRDT") == 0;
    uint32_t undoes = strcmp(item->reversal, "true") == 0 || strcmp(item->reversal, "1") == 0;
    uint64_t attempt;
    if (strcmp(item->status, "BOOK") != 0)
        return link_matter(s, "An entry that is not booked.");
    if ((!credit && strcmp(item->direction, "DBIT") != 0) || !take_amount(s) ||
        s->out->amount_minor < 0)
        return broken(s->out, "an entry has no direction, or its amount cannot be read");
    if (s->out->amount_minor == 0)
        return nothing_moved(s);
    if (!credit && undoes)
        return awaited(s, &attempt) ? on_return(s, attempt)
                                    : link_matter(s, "A credit of before is taken back.");
    if (credit && payment.kind != 0 && !awaited(s, &attempt))
        return participant ? link_matter(s, "A return that is told by a pacs.004 as well.")
                           : on_return_of(s, &payment);
    if (credit)
        return undoes ? link_matter(s, "A debit of before is taken back.") : on_credit(s);
    if (payment.kind == 0 || item->reason[0] != '\0')
        return link_matter(s, "A debit that is no payment of ours.");
    struct bank_verdict verdict = { .outcome = RG_OUTCOME_APPROVED,
                                    .sentence = "The payment is booked." };
    put_status(s, payment.attempt, &verdict);
    put_name(s, payment.attempt);
    return RG_NOTICE_DONE;
}

/* --- the whole ------------------------------------------------------------------------------- */

static uint32_t by_kind(const struct sight *s)
{
    switch (s->m->kind) {
    case ISO_PAIN_002:
    case ISO_PACS_002: return on_status(s);
    case ISO_CAMT_029: return on_recall(s);
    case ISO_ADMI_002: return on_reject(s);
    case ISO_PACS_004: return on_return_message(s);
    case ISO_PACS_008: return on_transfer_in(s);
    case ISO_CAMT_053:
    case ISO_CAMT_054: return on_booking(s);
    default: return link_matter(s, "A message that asks for no payment of ours.");
    }
}

/* Reads the message when it is not in the host's memory yet. Of what nobody has signed only the
 * beginning: the host takes no more than that from strangers. */
static const char *read_once(const struct rg_notice *in, struct iso_rows *rows)
{
    if (rows->read != 0)
        return NULL;
    return in->verified != 0 ? iso_rows_read(in->bytes, ISO_ROWS_MAX, ISO_ALL_ROWS, rows)
                             : iso_rows_read(in->bytes, BANK_HINTS_MAX, ISO_FIRST_ROWS, rows);
}

uint32_t bank_notice(const void *instance, const struct rg_notice *in, struct rg_notice_out *out)
{
    const struct bank_instance *bank = instance;
    struct rg_bytes signature = rg_header_value(in->headers, "x-jws-signature");
    struct iso_rows *rows = in->memory;
    struct iso_message m;
    struct sight s = { bank, &m, in->index, out };
    if (bank->magic != BANK_INSTANCE_MAGIC)
        return broken(out, "the channel is not configured");
    if (rows == NULL)
        return broken(out, "the host gives no memory to read into");
    if (bank->has_bank_key != 0 && in->verified == 0 && signature.ptr != NULL) {
        const char *why = bank_take_signature(bank, in, signature, out);
        if (why == NULL &&
            out->bytes.overflow + out->signature.overflow + out->sign_key.overflow != 0)
            why = "there is no room for the bytes that were signed";
        return why != NULL ? broken(out, why) : RG_NOTICE_VERIFY;
    }
    const char *why = read_once(in, rows);
    if (why != NULL)
        return broken(out, why);
    iso_rows_get(rows, in->index, &m);
    out->amount_minor = -1;
    out->more = in->index + 1 < rows->count;
    if (in->index >= rows->count)
        return link_matter(&s, "The message tells of no payment.");
    return by_kind(&s);
}
