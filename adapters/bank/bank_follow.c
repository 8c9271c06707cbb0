/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_follow.c - messages about an earlier one, built from the refs that were stored before it
 * left:
 *
 *     INQUIRE   pacs.028, whatever it was: order, recall, return
 *     CANCEL    camt.056. Of a payment that we wait for there is nothing to recall: the wait ends
 *     REFUND    of a payment that was sent: camt.056, as a whole. Of one that came in: pacs.004
 *               between banks, else a credit transfer back to the account it came from
 *     REVERSE   sends nothing: ends a wait, or says that there is nothing to undo
 */
#include "bank_int.h"

#include <string.h>

struct follow_of {
    void (*put)(struct rg_buffer *b, const struct iso_follow_up *m);
    const struct iso_follow_up *m;
};

static void put_follow(struct rg_buffer *b, const void *arg)
{
    const struct follow_of *of = arg;
    of->put(b, of->m);
}

/* The texts of `m` that are made here live in x->self and in `room`. */
static uint32_t open_follow_up(const struct bank_instance *bank, struct bank_exchange *x,
                               const struct rg_command *command, char kind, char room[36],
                               struct iso_follow_up *m)
{
    uint64_t attempt;
    struct rg_buffer message = { (uint8_t *)x->self.message, sizeof x->self.message - 1, 0, 0, 0 };
    struct rg_buffer created = { (uint8_t *)x->self.created, sizeof x->self.created - 1, 0, 0, 0 };
    struct rg_buffer date = { (uint8_t *)x->self.date, sizeof x->self.date - 1, 0, 0, 0 };
    struct rg_buffer id = { (uint8_t *)room, 35, 0, 0, 0 };
    if (!attempt_read(command->attempt_id, &attempt))
        return 0;
    bank_put_id(bank, kind == 'R' ? 'M' : kind, command, attempt, &message);
    bank_put_id(bank, kind, command, attempt, &id);
    bank_put_time(&created, &command->utc, bank->profile->ids == IDS_PIX);
    bank_put_date(&date, &command->local);
    *m = (struct iso_follow_up){
        .message_id = { message.ptr, message.len },
        .id = { id.ptr, id.len },
        .created = { created.ptr, created.len },
        .date = { date.ptr, date.len },
        .from = bank_own_agent(bank),
        .to = bank_other_agent(bank),
    };
    if (m->to.bic.len + m->to.member.len ==
        0) /* a customer writes to the bank that keeps the account */
        m->to = m->from;
    return 1;
}

static void take_original(const struct bank_exchange *x, const struct rg_command *command,
                          struct iso_original *original)
{
    const struct bank_refs *refs = &x->original;
    int64_t minor;
    *original = (struct iso_original){
        .message_id = text_of(refs->message),
        .kind = text_of(refs->message_kind),
        .created = text_of(refs->created),
        .instruction = text_of(refs->instruction),
        .end_to_end = text_of(refs->end_to_end),
        .transaction = text_of(refs->transaction),
        .uetr = text_of(refs->uetr),
        .date = text_of(refs->date),
    };
    if (refs->currency[0] != '\0' && iso_amount(refs->amount, command->currency_exponent, &minor))
        original->amount =
            (struct iso_money){ minor, command->currency_exponent, text_of(refs->currency) };
}

static uint32_t done(struct bank_exchange *x, struct rg_out *out, uint32_t outcome,
                     const char *sentence)
{
    x->stage = STAGE_OVER;
    out->outcome = outcome;
    out->category = outcome == RG_OUTCOME_DECLINED ? RG_CATEGORY_REQUEST : RG_CATEGORY_NONE;
    out->amount_minor = -1;
    rg_put_text(&out->message, sentence);
    return RG_STEP_DONE;
}

static uint32_t is_what(const struct bank_exchange *x, const char *what)
{
    return strcmp(x->original.what, what) == 0;
}

/* --- INQUIRE --------------------------------------------------------------------------------- */

uint32_t bank_begin_inquire(const struct bank_instance *bank, struct bank_exchange *x,
                            const struct rg_command *command, struct rg_out *out)
{
    struct iso_follow_up m;
    struct follow_of of = { iso_put_pacs_028, &m };
    char id[36];
    if (is_what(x, "receive"))
        return done(x, out, RG_OUTCOME_PENDING, "No booking with this reference has come yet.");
    /* Refs are stored before a message leaves: an attempt without any (refused by us, or a wait
     * that was ended) has never sent one. */
    if (x->original.what[0] == '\0')
        return done(x, out, RG_OUTCOME_NOT_FOUND, "Nothing was ever sent for it.");
    if (x->original.message[0] == '\0' || x->original.message_kind[0] == '\0')
        return bank_fail(x, out, "the refs of the attempt in question are missing");
    if (bank->inquiry == 0)
        return done(x, out, RG_OUTCOME_PENDING,
                    "The bank answers no inquiries; its notice is awaited.");
    if (!open_follow_up(bank, x, command, 'S', id, &m))
        return bank_fail(x, out, "the attempt's name is not as expected");
    take_original(x, command, &m.original);
    bank_put_message(bank, x, "pacs.028.001.03", put_follow, &of);
    return bank_sign_or_send(bank, x, command, out);
}

/* --- recall ---------------------------------------------------------------------------------- */

/* Reasons of a recall that a merchant may give (ISO 20022 external cancellation reason). */
static const char *recall_reason(const struct rg_command *command)
{
    static const char *const known[] = { "CUST", "DUPL", "TECH", "FRAD", "AC03", "AM09" };
    struct rg_bytes asked = bank_detail(command, "reason");
    for (uint64_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_is(asked, known[i]))
            return known[i];
    return known[0];
}

/* kind: of the case, 'C' or 'B'. */
static uint32_t recall(const struct bank_instance *bank, struct bank_exchange *x,
                       const struct rg_command *command, char kind, const char *what,
                       struct rg_out *out)
{
    struct iso_follow_up m;
    struct follow_of of = { iso_put_camt_056, &m };
    char id[36];
    if (x->original.message[0] == '\0')
        return bank_fail(x, out, "the refs of the payment to recall are missing");
    if ((bank->profile->flags & PROFILE_NO_RECALL) != 0)
        return done(x, out, RG_OUTCOME_DECLINED, "This scheme has no recall of a payment.");
    if (!open_follow_up(bank, x, command, kind, id, &m))
        return bank_fail(x, out, "the attempt's name is not as expected");
    take_original(x, command, &m.original);
    m.reason = recall_reason(command);
    if (bank->initiation == INITIATION_CUSTOMER)
        m.assigner.name = bank_view(&bank->name);
    memcpy(x->self.what, what, strlen(what) + 1);
#define KEEP(name, from) memcpy(x->self.name, x->original.from, sizeof x->self.name)
    KEEP(of_message, message);
    KEEP(end_to_end, end_to_end);
    KEEP(uetr, uetr);
    KEEP(amount, amount);
    KEEP(currency, currency);
#undef KEEP
    bank_put_message(bank, x, "camt.056.001.08", put_follow, &of);
    return bank_sign_or_send(bank, x, command, out);
}

/* --- CANCEL, REVERSE ------------------------------------------------------------------------- */

static uint32_t no_longer_awaited(struct bank_exchange *x, const struct rg_command *command,
                                  struct rg_out *out)
{
    uint32_t step = done(x, out, RG_OUTCOME_APPROVED,
                         "It is no longer waited for. A transfer that still comes will be reported "
                         "and must be sent back.");
    out->amount_minor = command->original_minor;
    out->currency_number = command->currency_number;
    return step;
}

uint32_t bank_begin_cancel(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out)
{
    return is_what(x, "receive") ? no_longer_awaited(x, command, out)
                                 : recall(bank, x, command, 'C', "cancel", out);
}

/* Of a payment that was sent: the host comes here when an inquiry after the late window found
 * nothing. A bank that does not know a payment has nothing to recall. */
uint32_t bank_begin_reverse(struct bank_exchange *x, const struct rg_command *command,
                            struct rg_out *out)
{
    if (is_what(x, "receive"))
        return no_longer_awaited(x, command, out);
    return done(x, out, RG_OUTCOME_NOT_FOUND, "The bank does not know the payment.");
}

/* --- REFUND ---------------------------------------------------------------------------------- */

static uint32_t return_it(const struct bank_instance *bank, struct bank_exchange *x,
                          const struct rg_command *command, struct rg_out *out)
{
    const struct bank_refs *refs = &x->original;
    struct iso_follow_up m;
    struct follow_of of = { iso_put_pacs_004, &m };
    char id[36];
    int64_t minor;
    if (refs->in_message[0] == '\0' || refs->in_end_to_end[0] == '\0')
        return bank_refuse(x, out, "NOOR", "How the payment came in is not known.");
    if (!open_follow_up(bank, x, command, 'R', id, &m))
        return bank_fail(x, out, "the attempt's name is not as expected");
    m.original = (struct iso_original){
        .message_id = text_of(refs->in_message),
        .kind = text_of(refs->in_kind),
        .instruction = text_of(refs->in_instruction),
        .end_to_end = text_of(refs->in_end_to_end),
        .transaction = text_of(refs->in_transaction),
        .uetr = text_of(refs->in_uetr),
        .date = text_of(refs->in_date),
    };
    m.amount = (struct iso_money){ command->amount_minor,
                                   command->currency_exponent,
                                   { (const uint8_t *)command->currency_code, 3 } };
    if (iso_amount(refs->amount, command->currency_exponent, &minor) && refs->currency[0] != '\0')
        m.original.amount =
            (struct iso_money){ minor, command->currency_exponent, text_of(refs->currency) };
    m.reason = bank->profile->return_reason;
    m.clearing = bank->profile->terms.clearing;
    memcpy(x->self.transaction, id, sizeof x->self.transaction); /* RtrId */
    memcpy(x->self.end_to_end, refs->in_end_to_end, sizeof x->self.end_to_end);
    bank_keep_amount(x, command, command->amount_minor);
    bank_put_message(bank, x, "pacs.004.001.09", put_follow, &of);
    return bank_sign_or_send(bank, x, command, out);
}

static uint32_t transfer_back(const struct bank_instance *bank, struct bank_exchange *x,
                              const struct rg_command *command, struct rg_out *out)
{
    const struct bank_refs *refs = &x->original;
    struct rg_bytes account = text_of(refs->debtor_account), agent = text_of(refs->debtor_agent);
    char text[80], date[11];
    struct rg_buffer remittance = { (uint8_t *)text, sizeof text, 0, 0, 0 };
    struct rg_buffer today = { (uint8_t *)date, sizeof date, 0, 0, 0 };
    struct iso_order order = {
        .terms = bank->profile->terms,
        .debtor = { .name = bank_view(&bank->name),
                    .country = bank_view(&bank->country),
                    .iban = bank_view(&bank->iban),
                    .account = bank_view(&bank->account),
                    .agent = bank_own_agent(bank) },
        .creditor = { .name = text_of(refs->debtor_name) },
    };
    if (account.len == 0)
        return bank_refuse(x, out, "AC01", "The account it came from is not known.");
    if (account_iban_valid(account))
        order.creditor.iban = account;
    else
        order.creditor.account = account;
    if (bic_valid(agent))
        order.creditor.agent.bic = agent;
    else
        order.creditor.agent =
            bank_agent((struct rg_bytes){ NULL, 0 }, agent, bank->profile->member_system);
    rg_put_text(&remittance, "Refund ");
    rg_put_bytes(&remittance, text_of(refs->reference));
    bank_put_date(&today, &command->local);
    order.remittance = (struct rg_bytes){ remittance.ptr, remittance.len };
    order.date = (struct rg_bytes){ today.ptr, today.len };
    struct bank_refusal found = bank_check_order(bank->profile, &order);
    if (found.code != NULL)
        return bank_refuse(x, out, found.code, found.sentence);
    return bank_send_order(bank, x, command, &order, 'F', out);
}

uint32_t bank_begin_refund(const struct bank_instance *bank, struct bank_exchange *x,
                           const struct rg_command *command, struct rg_out *out)
{
    if (is_what(x, "sale")) {
        if (command->amount_minor != command->original_minor)
            return bank_refuse(x, out, "AM09", "A payment that was sent is recalled as a whole.");
        return recall(bank, x, command, 'B', "refund", out);
    }
    if (!is_what(x, "receive"))
        return bank_fail(x, out, "the refs of the payment to refund are missing");
    struct bank_refusal found = bank_check_amount(bank, bank->profile, command);
    if (found.code != NULL)
        return bank_refuse(x, out, found.code, found.sentence);
    memcpy(x->self.what, "refund", 7);
    return bank->initiation == INITIATION_PARTICIPANT ? return_it(bank, x, command, out)
                                                      : transfer_back(bank, x, command, out);
}
