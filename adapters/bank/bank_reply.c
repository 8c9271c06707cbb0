/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_reply.c - what the bank answers, to an outcome. The rule of the house: nothing is guessed.
 * An answer that cannot be read, that is about something else, or whose status is not in the table
 * is FAIL, and the host asks again; only a status that says so refuses a payment.
 *
 *     202, or 200 without a body   accepted for processing: PENDING
 *     200, 201, 4xx with XML       as the XML says, but no approval under 4xx; admi.002 is REJECTED
 *     everything else              FAIL
 */
#include "bank_int.h"

#include <string.h>

#define ITEMS_MAX 16u /* of an answer; there is one, unless the bank reports on others as well */

/* 1 same, 0 not told, -1 another. */
static int compare(const char *told, const char *asked)
{
    if (told[0] == '\0' || strcmp(told, "NOTPROVIDED") == 0 || strcmp(told, "NOTAVAILABLE") == 0)
        return 0;
    return strcmp(told, asked) == 0 ? 1 : -1;
}

/* What an answer has to be about: the attempt's own message, or that which is inquired about. */
static const struct bank_refs *subject_of(const struct bank_exchange *x)
{
    return x->operation == RG_OP_INQUIRE ? &x->original : &x->self;
}

/* Every reference that both sides name must agree, and at least one must be named. Of a recall and
 * a return the end-to-end id is that of the payment they are about; TxId of a return is not ours.
 */
static uint32_t is_about(const struct bank_refs *subject, const struct iso_message *m)
{
    const struct iso_item *item = &m->item;
    int votes[] = {
        compare(item->original, subject->message),
        compare(item->end_to_end, subject->end_to_end),
        subject->uetr[0] != '\0' ? compare(item->uetr, subject->uetr) : 0,
        m->kind == ISO_CAMT_029 ? compare(item->case_id, subject->message) : 0,
    };
    uint32_t same = 0;
    /* camt.029 names the recalled payment's message as the original, or the recall itself. */
    if (m->kind == ISO_CAMT_029 && votes[0] < 0)
        votes[0] = compare(item->original, subject->of_message) > 0 ? 1 : votes[0];
    for (uint64_t i = 0; i < sizeof votes / sizeof votes[0]; i++) {
        if (votes[i] < 0)
            return 0;
        same |= votes[i] > 0;
    }
    return same;
}

static uint32_t take_amount(const struct iso_item *item, struct rg_out *out)
{
    uint32_t exponent;
    out->amount_minor = -1;
    if (item->amount[0] == '\0')
        return 1;
    return iso_currency(item->currency, &out->currency_number, &exponent) &&
           iso_amount(item->amount, exponent, &out->amount_minor);
}

static uint32_t pending(struct rg_out *out)
{
    out->outcome = RG_OUTCOME_PENDING;
    out->amount_minor = -1;
    rg_put_text(&out->message, "The bank took the message; its answer comes later.");
    return RG_STEP_DONE;
}

/* The name under which every message tells of this payment, answer, status and booking alike: ours.
 * A bank's own reference stands in some of them only, and an approval under another name looks like
 * a second payment. */
static void put_name(const struct bank_instance *bank, const struct bank_refs *subject,
                     struct rg_out *out)
{
    const char *const names[] = { subject->end_to_end, subject->transaction };
    uint64_t attempt;
    char kind;
    for (uint64_t i = 0; i < 2; i++)
        if (bank_read_id(bank, names[i], &attempt, &kind)) {
            rg_put_text(&out->reference, names[i]);
            return;
        }
}

static uint32_t finish(const struct bank_instance *bank, struct bank_exchange *x,
                       const struct iso_message *m, const struct bank_verdict *verdict,
                       struct rg_out *out)
{
    if (verdict->outcome == 0)
        return bank_fail(x, out, "the answer has a status that is not known");
    if (!take_amount(&m->item, out))
        return bank_fail(x, out, "the amount in the answer cannot be read");
    if (strcmp(subject_of(x)->what, "cancel") == 0) {
        /* The amount in the message is the payment's; the attempt may have another, or none. */
        out->amount_minor = x->operation == RG_OP_INQUIRE ? -1 : x->original_minor;
        out->currency_number = x->operation == RG_OP_INQUIRE ? 0 : x->currency_number;
    }
    out->outcome = verdict->outcome;
    out->category = verdict->category;
    rg_put_text(&out->rail_code, verdict->code);
    rg_put_text(&out->message, verdict->sentence);
    put_name(bank, subject_of(x), out);
    if (m->item.own[0] != '\0' || m->item.clearing[0] != '\0')
        rg_table_put_text(&out->extra, "bank_reference",
                          m->item.own[0] != '\0' ? m->item.own : m->item.clearing);
    if (m->item.reason_text[0] != '\0' && verdict->outcome == RG_OUTCOME_DECLINED)
        rg_table_put_text(&out->extra, "bank_text", m->item.reason_text);
    if (subject_of(x)->end_to_end[0] != '\0')
        rg_table_put_text(&out->extra, "end_to_end_id", subject_of(x)->end_to_end);
    if (subject_of(x)->uetr[0] != '\0')
        rg_table_put_text(&out->extra, "uetr", subject_of(x)->uetr);
    return RG_STEP_DONE;
}

/* The message itself was not taken. To an inquiry or its like that says nothing about the payment.
 */
static uint32_t rejected(struct bank_exchange *x, const struct iso_message *m, struct rg_out *out)
{
    if (x->operation == RG_OP_INQUIRE)
        return bank_fail(x, out, "the bank did not take the inquiry");
    if (compare(m->item.original, x->self.message) < 0)
        return bank_fail(x, out, "the answer is about another message");
    if (x->repeat > 0)
        return pending(out); /* the first sending may have been taken all the same */
    const struct bank_reason *reason = bank_reason_of(m->item.reason);
    out->outcome = RG_OUTCOME_REJECTED;
    out->category = reason->code[0] != '\0' ? reason->category : RG_CATEGORY_REQUEST;
    out->amount_minor = -1;
    rg_put_text(&out->rail_code, m->item.reason);
    rg_put_text(&out->message, reason->code[0] != '\0' ? reason->sentence
                                                       : "The bank did not accept the message.");
    return RG_STEP_DONE;
}

/* A recall is answered by camt.029; a status report about it is about the request, and only its
 * refusal is an answer. */
static void judge(const struct bank_instance *bank, const struct bank_exchange *x,
                  const struct iso_message *m, struct bank_verdict *verdict)
{
    uint32_t inquiry = x->operation == RG_OP_INQUIRE;
    uint32_t recall = bank_is_recall(subject_of(x));
    uint32_t sure = inquiry ? x->original_repeated == 0 : x->repeat == 0;
    if (m->kind == ISO_CAMT_029) {
        bank_judge_recall(&m->item, verdict);
        if (inquiry && verdict->outcome == RG_OUTCOME_DECLINED &&
            bank_reason_of(m->item.reason)->verdict == REASON_UNKNOWN)
            verdict->outcome = RG_OUTCOME_NOT_FOUND;
        return;
    }
    bank_judge_payment(bank, &m->item, inquiry ? SIGHT_INQUIRY : SIGHT_ANSWER, sure, verdict);
    if (recall && verdict->outcome == RG_OUTCOME_APPROVED) {
        verdict->outcome = RG_OUTCOME_PENDING;
        verdict->sentence = "The bank works on the recall.";
    }
}

static uint32_t kind_fits(const struct bank_exchange *x, uint32_t kind)
{
    uint32_t recall = bank_is_recall(subject_of(x));
    return kind == ISO_PAIN_002 || kind == ISO_PACS_002 || (kind == ISO_CAMT_029 && recall);
}

static uint32_t read_answer(const struct bank_instance *bank, struct bank_exchange *x,
                            struct rg_bytes bytes, struct rg_out *out)
{
    struct iso_message m;
    struct bank_verdict verdict;
    const char *why = iso_read(bytes, 0, &m);
    if (why != NULL)
        return bank_fail(x, out, why);
    if (m.kind == ISO_ADMI_002)
        return rejected(x, &m, out);
    if (!kind_fits(x, m.kind))
        return bank_fail(x, out, "the answer is a message of another kind");
    uint64_t items = m.items < ITEMS_MAX ? m.items : ITEMS_MAX;
    for (uint64_t i = 0; i < items; i++) {
        if (i > 0 && iso_read(bytes, i, &m) != NULL)
            break;
        if (is_about(subject_of(x), &m)) {
            judge(bank, x, &m, &verdict);
            return finish(bank, x, &m, &verdict, out);
        }
        /* A status of the inquiry itself: only that nothing is known of the payment is an answer.
         */
        if (x->operation == RG_OP_INQUIRE && compare(m.item.original, x->self.message) > 0 &&
            bank_state_of(m.item.status) == STATE_REFUSED &&
            bank_reason_of(m.item.reason)->verdict == REASON_UNKNOWN) {
            bank_judge_payment(bank, &m.item, SIGHT_INQUIRY, 1, &verdict);
            return finish(bank, x, &m, &verdict, out);
        }
    }
    return bank_fail(x, out, "the answer is about something else than what was asked");
}

uint32_t bank_reply(const struct bank_instance *bank, struct bank_exchange *x,
                    const struct rg_event *event, struct rg_out *out)
{
    uint32_t status = event->http_status;
    uint32_t step;
    if (event->bytes.len == 0 && (status == 200 || status == 201 || status == 202))
        step = pending(out);
    else if (event->bytes.len > 0 && (status == 200 || status == 201 || status == 202 ||
                                      (status >= 400 && status < 500 && status != 401 &&
                                       status != 403 && status != 408 && status != 429)))
        step = read_answer(bank, x, event->bytes, out);
    else
        step = bank_fail(x, out,
                         status == 401 || status == 403
                             ? "the bank did not accept our token or signature"
                             : "the bank's answer says nothing about the payment");
    if (step == RG_STEP_DONE && status >= 400 && out->outcome == RG_OUTCOME_APPROVED)
        return bank_fail(x, out, "an approval under a status that refuses");
    if (step == RG_STEP_DONE && (out->rail_code.overflow | out->message.overflow |
                                 out->reference.overflow | out->extra.text.overflow) != 0)
        return bank_fail(x, out, "there is no room for the outcome");
    return step;
}
