/* judge_notice.c - what channels say by themselves: late answers and notices. Pure, on the store's
 * thread, on rows freshly loaded; so a notice that comes twice, out of order or together with the
 * answer it overtook meets what is recorded, whoever was first.
 *
 *     the attempt is      notice: approved          declined, rejected        pending
 *     open                settles it                settles it                nothing new
 *     approved            said before               conflict                  nothing new
 *     ended without money conflict                  said before               nothing new
 *     being reversed      kept: the reversal decides, and will contradict it or not
 *     conflict            kept, for the person who looks
 *
 * The same code may be paid twice (a static one hangs on a wall): an approval of what is approved,
 * with another reference of the channel's than before, is money that nobody asked for. It is
 * written down once and told, and changes nothing of the payment.
 *
 * Amount and currency of an approval must be those of the attempt; else it is a conflict and never
 * an approval. Parked counts as open: a person would have to find out just this.
 */
#include "payment/judge_int.h"

#include "base/ensure.h"

static bool says_no_money_moved(enum attempt_state state)
{
    return judge_is_settled(state) && state != ATTEMPT_APPROVED && state != ATTEMPT_CONFLICT;
}

/* An answer after its exchange had ended. It changes no money: if the attempt was undone meanwhile,
 * or an inquiry said that it came to nothing, an approval now contradicts that, and a person must
 * look. So must one when the answer is about another amount or currency, whatever the end was. */
enum status judge_late(struct store_txn *txn, void *arg)
{
    const struct change *c = arg;
    txn->payment.id = txn->attempt.payment; /* for the event; the row is not written */
    txn->payment.merchant = txn->attempt.merchant;
    enum attempt_state known = txn->attempt.state;
    bool differs =
        c->contradicted || (c->outcome == OUTCOME_APPROVED && says_no_money_moved(known));
    bool conflict =
        differs && txn->attempt.parent == 0 && judge_is_settled(known) && known != ATTEMPT_CONFLICT;
    if (conflict) {
        txn->write_attempt = STORE_UPDATE;
        txn->attempt.state = ATTEMPT_CONFLICT;
        txn->attempt.updated_us = c->now_us;
    }
    return judge_event_attempt(txn, c, &txn->attempt,
                               conflict ? "attempt.conflict" : "attempt.late_answer");
}

/* --- status ------------------------------------------------------------------------------------
 */

enum heard_before { HEARD_NEVER = 1, HEARD_THIS, HEARD_OTHERS };

/* By which references of the channel has this attempt been approved? */
static enum heard_before heard_before(struct view refs, struct view reference)
{
    struct cursor c = cursor_over(refs);
    struct ref row;
    bool broken = false;
    enum heard_before before = HEARD_NEVER;
    reference = view_slice(reference, 0, reference.len < 128 ? reference.len : 128);
    while (refs_next(&c, &row, &broken)) {
        if (!view_is(row.name, HEARD_ROW))
            continue;
        if (view_equal(row.value, reference))
            return HEARD_THIS;
        before = HEARD_OTHERS;
    }
    return before;
}

/* The attempt is approved under this reference ("-" when the channel gives none). */
static enum status note_reference(struct store_txn *txn, const struct change *c)
{
    uint8_t row[4 + sizeof HEARD_ROW + 128];
    struct writer w = writer_over(row, sizeof row);
    refs_put_heard(&w, c->heard_reference.len > 0 ? c->heard_reference : VIEW("-"));
    txn->attempt.refs = refs_join(txn->arena, txn->attempt.refs, writer_done(&w));
    txn->write_attempt = STORE_UPDATE;
    return txn->arena->overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Nothing of the payment changes; what was heard goes to the journal, once for each reference
 * (heard.c): money beyond what was asked for. */
static enum status only_note(struct store_txn *txn, enum judge_said said)
{
    txn->said = said;
    return STATUS_REFUSED;
}

static enum status conflict(struct store_txn *txn, struct change *c)
{
    txn->said = JUDGE_CONFLICT;
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = ATTEMPT_CONFLICT;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    if (c->outcome == OUTCOME_APPROVED)
        TRY(note_reference(txn, c));
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.conflict"));
    if (txn->operation.status != OPERATION_STATUS_PENDING)
        return STATUS_OK;
    c->outcome_json = c->conflict_json;
    return judge_show(txn, c);
}

static bool same_money(const struct attempt_row *row, const struct change *c)
{
    const struct currency *currency = NULL;
    /* A cancel of what was running has no amount of its own: it is about all of it. */
    bool of_first = row->verb == OPERATION_CANCEL && row->amount == 0;
    if (c->heard_amount != -1 && c->heard_amount != (of_first ? row->original : row->amount))
        return false;
    return c->heard_currency == 0 ||
           (currency_by_code(view_text(row->currency), &currency) == STATUS_OK &&
            currency->number == c->heard_currency);
}

/* Approved, and approved again. */
static enum status approved_again(struct store_txn *txn, struct change *c)
{
    bool same = same_money(&txn->attempt, c);
    if (c->heard_reference.len == 0)
        return same ? STATUS_OK : conflict(txn, c);
    switch (heard_before(txn->attempt.refs, c->heard_reference)) {
    case HEARD_THIS: return same ? STATUS_OK : conflict(txn, c);
    case HEARD_OTHERS: return only_note(txn, JUDGE_PAID_AGAIN);
    case HEARD_NEVER: break;
    }
    return same ? note_reference(txn, c) : conflict(txn, c);
}

/* It changes nothing now, but what follows shall know of it. */
static enum status keep(struct store_txn *txn, const struct change *c)
{
    struct view reference = c->heard_reference.len > 0 ? c->heard_reference : VIEW("-");
    bool approved = c->outcome == OUTCOME_APPROVED;
    if (approved && heard_before(txn->attempt.refs, reference) == HEARD_THIS)
        return STATUS_OK;
    if (approved)
        TRY(note_reference(txn, c));
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.late_answer");
}

static enum status settle(struct store_txn *txn, struct change *c)
{
    bool approved = c->outcome == OUTCOME_APPROVED;
    bool first =
        txn->operation.kind == OPERATION_SALE || txn->operation.kind == OPERATION_AUTHORISE;
    txn->said = JUDGE_SETTLED;
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = judge_state_of(c->outcome);
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    txn->attempt.refs = refs_join(txn->arena, txn->attempt.refs, c->sealed_refs);
    if (approved)
        TRY(note_reference(txn, c));
    c->begun_minor = c->approved_minor = txn->attempt.amount;
    c->payment_refs = first ? refs_join(txn->arena, txn->payment.refs, c->sealed_refs) : VIEW_EMPTY;
    TRY(judge_event_attempt(txn, c, &txn->attempt,
                            approved ? "attempt.approved" : "attempt.declined"));
    return judge_end_operation(txn, c, &txn->attempt,
                               approved ? FLOW_END_APPROVED : FLOW_END_FAILED);
}

static enum status judge_status(struct store_txn *txn, struct change *c)
{
    enum attempt_state state = txn->attempt.state;
    bool approved = c->outcome == OUTCOME_APPROVED;
    /* Of somebody who is not bound to the amount: a printed code, an awaited transfer. */
    bool towards = c->heard_about == NOTICE_CREDIT && approved;
    txn->said = JUDGE_REPEATED;
    if (c->outcome == OUTCOME_PENDING || txn->attempt.parent != 0)
        return STATUS_OK; /* nothing new; what a reversal or inquiry said comes as its answer */
    if (towards && state != ATTEMPT_APPROVED && !same_money(&txn->attempt, c))
        return only_note(txn, JUDGE_OTHER_AMOUNT);
    if (state == ATTEMPT_APPROVED && approved)
        return towards && !same_money(&txn->attempt, c) ? only_note(txn, JUDGE_PAID_AGAIN)
                                                        : approved_again(txn, c);
    if (state == ATTEMPT_APPROVED || says_no_money_moved(state))
        return approved == (state == ATTEMPT_APPROVED) ? STATUS_OK : conflict(txn, c);
    if (state == ATTEMPT_CONFLICT || state == ATTEMPT_REVERSING)
        return keep(txn, c);
    if (approved && !same_money(&txn->attempt, c))
        return conflict(txn, c);
    return settle(txn, c);
}

/* --- money came back ----------------------------------------------------------------------------
 */

#define RETURN_ROW "return_reference"

static bool returned_before(struct view refs, struct view reference)
{
    struct cursor c = cursor_over(refs);
    struct ref row;
    bool broken = false;
    while (refs_next(&c, &row, &broken))
        if (view_is(row.name, RETURN_ROW) && view_equal(row.value, reference))
            return true;
    return false;
}

static enum status note_return(struct store_txn *txn, const struct change *c)
{
    uint8_t row[4 + sizeof RETURN_ROW + 128];
    struct writer w = writer_over(row, sizeof row);
    refs_put(&w, VIEW(RETURN_ROW), c->heard_reference, 0);
    txn->attempt.refs = refs_join(txn->arena, txn->attempt.refs, writer_done(&w));
    txn->write_attempt = STORE_UPDATE;
    return w.overflow || txn->arena->overflow ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status return_conflict(struct store_txn *txn, const struct change *c, const char *what)
{
    struct attempt_row told = txn->attempt;
    told.amount = c->heard_amount;
    txn->said = JUDGE_CONFLICT;
    return judge_event_attempt(txn, c, &told, what);
}

static bool is_of_currency(const char *code, uint32_t number)
{
    const struct currency *currency = NULL;
    return currency_by_code(view_text(code), &currency) == STATUS_OK && currency->number == number;
}

/* The channel gave (a part of) the money back without our asking: a refund that has happened. While
 * a refund of ours is running nobody can tell which of the two it is, so the channel is asked to
 * say it again later. */
static enum status judge_return(struct store_txn *txn, struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status, before = status;
    enum operation verb = txn->attempt.verb;
    enum attempt_state state = txn->attempt.state;
    int64_t amount = c->heard_amount;
    c->heard_reference = view_slice(c->heard_reference, 0,
                                    c->heard_reference.len < 128 ? c->heard_reference.len : 128);
    bool took = verb == OPERATION_SALE || verb == OPERATION_AUTHORISE || verb == OPERATION_CAPTURE;
    txn->said = JUDGE_REPEATED;
    if (returned_before(txn->attempt.refs, c->heard_reference))
        return STATUS_OK;
    if (!took || judge_is_settled(state) != (state == ATTEMPT_APPROVED) ||
        state == ATTEMPT_PARKED || !is_of_currency(txn->payment.currency, c->heard_currency))
        return return_conflict(txn, c, "attempt.return_unexpected");
    if (state != ATTEMPT_APPROVED || sums.refunding > 0)
        return only_note(txn, JUDGE_TOO_EARLY);
    if (flow_begin(&status, &sums, OPERATION_REFUND, &amount) != FLOW_ALLOWED) {
        /* More than is left. A refund that was asked for may have accounted for it. */
        if (amount > sums.refunded)
            return return_conflict(txn, c, "attempt.return_unexpected");
        TRY(note_return(txn, c));
        TRY(return_conflict(txn, c, "attempt.return_covered"));
        txn->said = JUDGE_COVERED;
        return STATUS_OK;
    }
    TRY(flow_end(&status, &sums, OPERATION_REFUND, txn->payment.capture, amount, amount,
                 FLOW_END_APPROVED));
    txn->said = JUDGE_SETTLED;
    txn->payment.status = status;
    judge_sums_to(&txn->payment, &sums);
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    txn->operation = (struct operation_row){ .id = c->new_operation,
                                             .payment = txn->payment.id,
                                             .merchant = txn->payment.merchant,
                                             .kind = OPERATION_REFUND,
                                             .status = OPERATION_STATUS_SUCCEEDED,
                                             .amount = amount,
                                             .created_us = c->now_us,
                                             .updated_us = c->now_us,
                                             .facts_json = c->operation_json,
                                             .outcome_json = c->outcome_json };
    txn->write_operation = STORE_INSERT;
    struct attempt_row told = txn->attempt;
    told.amount = amount;
    TRY(note_return(txn, c));
    TRY(judge_event_attempt(txn, c, &told, "attempt.returned"));
    TRY(judge_event_operation(txn, c));
    return status != before ? judge_event_status(txn, c) : STATUS_OK;
}

enum status judge_notice(struct store_txn *txn, void *arg)
{
    /* A copy: the judge may be called again, and what it works out must not be seen then. */
    struct change change = *(const struct change *)arg, *c = &change;
    if (!view_equal(txn->attempt.channel, c->channel)) {
        txn->said = JUDGE_NOT_OURS;
        return STATUS_REFUSED;
    }
    return c->heard_about == NOTICE_RETURN ? judge_return(txn, c) : judge_status(txn, c);
}

/* What changes no payment: money that no attempt asked for, a notice that names none of ours, more
 * money than was asked for. Kept for whoever reconciles. */
enum status judge_noted(struct store_txn *txn, void *arg)
{
    const struct change *c = arg;
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    txn->events[txn->event_count++] = (struct event_row){
        .time_us = c->now_us,
        .merchant = txn->attempt.merchant, /* 0: no attempt was loaded */
        .payment = txn->attempt.payment,
        .kind = c->noted_kind,
        .data_json = c->operation_json,
    };
    return STATUS_OK;
}
