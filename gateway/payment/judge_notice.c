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
 * look. */
enum status judge_late(struct store_txn *txn, void *arg)
{
    const struct change *c = arg;
    txn->payment.id = txn->attempt.payment; /* for the event; the row is not written */
    txn->payment.merchant = txn->attempt.merchant;
    bool conflict = c->outcome == OUTCOME_APPROVED && txn->attempt.parent == 0 &&
                    says_no_money_moved(txn->attempt.state);
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

/* The set of before and the rows that came. */
static struct view refs_after(struct store_txn *txn, struct view before, struct view more)
{
    return more.len > 0 ? refs_join(txn->arena, before, more) : before;
}

static enum status conflict(struct store_txn *txn, struct change *c)
{
    txn->said = JUDGE_CONFLICT;
    txn->write_attempt = STORE_UPDATE;
    txn->attempt.state = ATTEMPT_CONFLICT;
    txn->attempt.updated_us = c->now_us;
    txn->attempt.next_us = 0;
    if (txn->operation.status == OPERATION_STATUS_PENDING) {
        c->outcome_json = c->conflict_json;
        judge_show(txn, c);
    }
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.conflict");
}

#define HEARD_ROW      "notice_reference"
#define HEARD_ROWS_MAX 16

enum heard_before { HEARD_NEVER = 1, HEARD_THIS, HEARD_OTHERS };

/* By which references of the channel has this attempt been approved? */
static enum heard_before heard_before(struct view refs, struct view reference, size_t *rows)
{
    struct cursor c = cursor_over(refs);
    struct ref row;
    bool broken = false;
    enum heard_before before = HEARD_NEVER;
    *rows = 0;
    while (refs_next(&c, &row, &broken)) {
        if (!view_is(row.name, HEARD_ROW))
            continue;
        ++*rows;
        if (view_equal(row.value, reference))
            return HEARD_THIS;
        before = HEARD_OTHERS;
    }
    return before;
}

static enum status note_reference(struct store_txn *txn, const struct change *c)
{
    size_t size = 4 + sizeof HEARD_ROW + c->heard_reference.len;
    uint8_t *bytes = arena_alloc(txn->arena, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(bytes, size);
    refs_put(&w, VIEW(HEARD_ROW), c->heard_reference, 0);
    txn->attempt.refs = refs_after(txn, txn->attempt.refs, writer_done(&w));
    txn->write_attempt = STORE_UPDATE;
    return STATUS_OK;
}

/* Approved, and approved again. */
static enum status approved_again(struct store_txn *txn, const struct change *c)
{
    size_t rows = 0;
    if (c->heard_reference.len == 0)
        return STATUS_OK;
    enum heard_before before = heard_before(txn->attempt.refs, c->heard_reference, &rows);
    if (before == HEARD_THIS || rows >= HEARD_ROWS_MAX)
        return STATUS_OK;
    TRY(note_reference(txn, c));
    if (before == HEARD_NEVER)
        return STATUS_OK; /* settled by an answer: this is its notice */
    txn->said = JUDGE_PAID_AGAIN;
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.paid_again");
}

static bool same_money(const struct attempt_row *row, const struct change *c)
{
    const struct currency *currency = NULL;
    if (c->heard_amount != -1 && c->heard_amount != row->amount)
        return false;
    return c->heard_currency == 0 ||
           (currency_by_code(view_text(row->currency), &currency) == STATUS_OK &&
            currency->number == c->heard_currency);
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
    txn->attempt.refs = refs_after(txn, txn->attempt.refs, c->sealed_refs);
    if (approved && c->heard_reference.len > 0)
        TRY(note_reference(txn, c));
    c->begun_minor = c->approved_minor = txn->attempt.amount;
    c->payment_refs = first ? refs_after(txn, txn->payment.refs, c->sealed_refs) : VIEW_EMPTY;
    TRY(judge_event_attempt(txn, c, &txn->attempt,
                            approved ? "attempt.approved" : "attempt.declined"));
    return judge_end_operation(txn, c, &txn->attempt,
                               approved ? FLOW_END_APPROVED : FLOW_END_FAILED);
}

static enum status judge_status(struct store_txn *txn, struct change *c)
{
    enum attempt_state state = txn->attempt.state;
    bool approved = c->outcome == OUTCOME_APPROVED;
    txn->said = JUDGE_REPEATED;
    if (c->outcome == OUTCOME_PENDING || txn->attempt.parent != 0)
        return STATUS_OK; /* nothing new; what a reversal or inquiry said comes as its answer */
    if (state == ATTEMPT_APPROVED || says_no_money_moved(state)) {
        bool same = approved == (state == ATTEMPT_APPROVED);
        if (!same || (approved && !same_money(&txn->attempt, c)))
            return conflict(txn, c);
        return approved ? approved_again(txn, c) : STATUS_OK;
    }
    if (state == ATTEMPT_CONFLICT || state == ATTEMPT_REVERSING)
        return judge_event_attempt(txn, c, &txn->attempt, "attempt.late_answer");
    if (approved && !same_money(&txn->attempt, c))
        return conflict(txn, c);
    return settle(txn, c);
}

/* --- money came back ----------------------------------------------------------------------------
 */

/* The channel gave (a part of) the money back without our asking: a refund that has happened. */
static enum status judge_return(struct store_txn *txn, struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status;
    int64_t amount = c->heard_amount;
    if (txn->attempt.state != ATTEMPT_APPROVED) {
        txn->said = judge_is_settled(txn->attempt.state) ? JUDGE_CONFLICT : JUDGE_TOO_EARLY;
        return txn->said == JUDGE_TOO_EARLY
                   ? STATUS_REFUSED
                   : judge_event_attempt(txn, c, &txn->attempt, "attempt.return_unexpected");
    }
    txn->attempt.amount = amount; /* for the event; the row is not written */
    const struct currency *currency = NULL;
    if (currency_by_code(view_text(txn->payment.currency), &currency) != STATUS_OK ||
        currency->number != c->heard_currency) {
        txn->said = JUDGE_CONFLICT;
        return judge_event_attempt(txn, c, &txn->attempt, "attempt.return_unexpected");
    }
    if (flow_begin(&status, &sums, OPERATION_REFUND, &amount) != FLOW_ALLOWED) {
        /* More than is left: a refund that was asked for covers it, or a person must look. */
        txn->said = amount <= sums.refunded + sums.refunding ? JUDGE_REPEATED : JUDGE_CONFLICT;
        return judge_event_attempt(txn, c, &txn->attempt,
                                   txn->said == JUDGE_REPEATED ? "attempt.return_covered"
                                                               : "attempt.return_unexpected");
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
    TRY(judge_event_attempt(txn, c, &txn->attempt, "attempt.returned"));
    TRY(judge_event_operation(txn, c));
    return judge_event_status(txn, c);
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

/* Money that no attempt asked for, or a notice that names none of ours: kept for whoever
 * reconciles.
 */
enum status judge_noted(struct store_txn *txn, void *arg)
{
    const struct change *c = arg;
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    txn->events[txn->event_count++] = (struct event_row){
        .time_us = c->now_us,
        .kind = c->heard_about == NOTICE_CREDIT ? VIEW("channel.credit") : VIEW("channel.notice"),
        .data_json = c->operation_json,
    };
    return STATUS_OK;
}
