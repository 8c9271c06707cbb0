/* judge.c - what both sides say under one name, and what follows from it. Pure.
 *
 *     here \ there      nothing           as here          otherwise
 *     nothing           -                 missing_here     missing_here
 *     approved          missing_there     matched          amount, currency, twice
 *     failed            nothing           matched (net 0)  failed_here
 *     not known         unknown_here      unknown_here     unknown_here
 *
 * "Nothing there" counts only for what must stand in this record, or was carried over by earlier
 * ones and should have come by now (due.c). The rest is carried over, with what records have told
 * of it so far: the reversal of a sale near midnight stands in the next day's.
 *
 * A refund, capture or remedy names what it is about. The right number and amount, and another
 * payment: that is different_original.
 *
 * What comes back stands under the name of what it undoes, and takes away from it. How much may
 * have come back of what is approved here: nothing of a card payment (its refunds are operations of
 * their own); any part of a wallet's payment or of a lock, whose refunds and cancels have names of
 * their own too; of a bank payment what we know to have been returned.
 */
#include "reconcile/reconcile_int.h"

/* --- gathering ---------------------------------------------------------------------------------
 */

static void add_recall(struct group *g, const struct here *here, const struct period *period)
{
    enum due due = reconcile_due(here, period);
    int64_t minor = here->amount_minor;
    g->recalled_minor = record_add(g->recalled_minor, minor);
    if (due == DUE_NOW)
        g->recall_due_minor = record_add(g->recall_due_minor, minor);
    if (due == DUE_LATER)
        g->recall_later_minor = record_add(g->recall_later_minor, minor);
    if (due != DUE_NOT)
        g->recall = *here;
}

/* What earlier records told of it. */
static void add_carried(struct group *g, int64_t minor)
{
    g->forwards += minor > 0;
    if (minor > 0)
        g->forward_minor = record_add(g->forward_minor, minor);
    else
        g->back_minor = record_add(g->back_minor, -minor);
}

void reconcile_add_here(struct group *g, const struct here *here, const struct period *period)
{
    bool approved = here->state == ATTEMPT_APPROVED;
    if (here->role == HERE_REMEDY) {
        g->remedy = *here;
        return;
    }
    if (here->role == HERE_RECALL) {
        if (approved)
            add_recall(g, here, period);
        return;
    }
    /* Of several with one name (there should not be) the approved one speaks. */
    if (g->here_count == 0 || (approved && g->here.state != ATTEMPT_APPROVED))
        g->here = *here;
    g->here_count++;
    if (approved)
        g->approved_minor = record_add(g->approved_minor, here->amount_minor);
    add_carried(g, here->carried_minor);
}

/* Ours come first. A refund under the name of a sale, or a ledger's entry that leaves the wallet
 * which was to get the money: that went the other way. What stands beside names no wallets of ours.
 */
static bool fits(const struct here *here, const struct there *there)
{
    uint32_t must = UINT32_C(1) << here->verb | here->must;
    if ((there->of & must) != must)
        return false;
    return there->beside != 0 || ((here->from == 0 || here->from == there->from) &&
                                  (here->to == 0 || here->to == there->to));
}

void reconcile_add_there(struct group *g, const struct there *there)
{
    if (g->lines == 0 || (g->there.beside != 0 && there->beside == 0))
        g->there = *there;
    if (g->lines > 0 && strcmp(g->there.currency, there->currency) != 0)
        g->currencies_differ = true;
    g->lines++;
    g->own_lines += there->beside == 0;
    g->within += there->beside == 0 && there->outside == 0;
    const char *ours = g->here_count > 0 ? g->here.original : g->remedy.original;
    if (there->beside == 0 && there->original[0] != '\0' && ours[0] != '\0' &&
        strcmp(there->original, ours) != 0)
        g->original_differs = true;
    bool right = g->here_count == 0 || fits(&g->here, there);
    int64_t minor = right ? there->amount_minor : -there->amount_minor;
    if (there->role == ROLE_FORWARD) {
        g->forwards++;
        g->forward_minor = record_add(g->forward_minor, minor);
    } else {
        g->back_minor = record_add(g->back_minor, minor);
    }
}

/* --- judging -----------------------------------------------------------------------------------
 */

static struct finding found(enum finding_verdict verdict)
{
    return (struct finding){ .verdict = verdict };
}

static struct finding differs(enum difference_kind kind, int64_t here, int64_t there)
{
    return (struct finding){ FOUND_DIFFERENCE, kind, here, there };
}

/* Nothing is missed yet: by what is due. */
static struct finding not_told(enum due due, int64_t told_minor)
{
    return due == DUE_LATER ? (struct finding){ FOUND_CARRIED, .there_minor = told_minor }
                            : found(FOUND_ELSEWHERE);
}

static int64_t back_allowed(const struct group *g)
{
    switch (g->rail) {
    case RAIL_QR:
    case RAIL_CBDC: return INT64_MAX;
    case RAIL_BANK:
        return g->here.refunded > g->recalled_minor ? g->here.refunded : g->recalled_minor;
    case RAIL_CARD: return 0;
    }
    return 0;
}

static struct finding judge_approved(const struct group *g, const struct period *period)
{
    int64_t approved = g->approved_minor, net = record_add(g->forward_minor, -g->back_minor);
    enum due due = reconcile_due(&g->here, period);
    if (g->rail == RAIL_QR || g->rail == RAIL_CBDC)
        net = g->forward_minor; /* what came back is an operation of its own */
    if (g->forwards == 0 && due == DUE_NOW)
        return differs(DIFFERENCE_MISSING_THERE, approved, net);
    if (g->forwards > g->here_count)
        return differs(DIFFERENCE_TWICE, approved, g->forward_minor);
    if (g->forwards > 0 && g->forward_minor != approved)
        return differs(DIFFERENCE_AMOUNT, approved, g->forward_minor);
    if (g->forwards > 0 && g->original_differs)
        return differs(DIFFERENCE_ORIGINAL, approved, g->forward_minor);
    int64_t allowed = back_allowed(g);
    if (g->back_minor > allowed || g->back_minor < 0)
        return differs(DIFFERENCE_AMOUNT, record_add(approved, -allowed), net);
    if (g->back_minor < g->recall_due_minor)
        return differs(DIFFERENCE_MISSING_THERE, record_add(approved, -g->recalled_minor), net);
    return g->forwards > 0 ? found(FOUND_MATCHED) : not_told(due, -g->back_minor);
}

bool reconcile_recall_waits(const struct group *g)
{
    return g->recall_later_minor > 0 &&
           g->back_minor < record_add(g->recall_due_minor, g->recall_later_minor);
}

/* Ours undid something. What moved counts under the name of that; but more than was asked for, or
 * in another currency, or of another payment, was nothing of ours. */
static struct finding judge_remedy(const struct group *g)
{
    int64_t asked = g->remedy.amount_minor;
    if (g->within == 0)
        return found(FOUND_NOTHING);
    if (g->currencies_differ || strcmp(g->there.currency, g->remedy.currency) != 0)
        return differs(DIFFERENCE_CURRENCY, asked, g->forward_minor);
    if (g->forward_minor > asked)
        return differs(DIFFERENCE_AMOUNT, asked, g->forward_minor);
    return g->original_differs ? differs(DIFFERENCE_ORIGINAL, asked, g->forward_minor)
                               : found(FOUND_NOTHING);
}

static struct finding judge_failed(const struct group *g, const struct period *period)
{
    int64_t net = record_add(g->forward_minor, -g->back_minor);
    if (g->lines == 0 && net == 0)
        return found(FOUND_NOTHING);
    if (net == 0)
        return found(FOUND_MATCHED);
    /* It was booked on one side of midnight and undone on the other: one half stands here. */
    bool undone = g->forwards == 0 && g->back_minor > 0 && g->back_minor <= g->here.amount_minor;
    bool to_be_undone = g->here.state == ATTEMPT_REVERSED && g->back_minor == 0 && net > 0 &&
                        net <= g->here.amount_minor;
    enum due due = reconcile_due(&g->here, period);
    if ((undone && due != DUE_NOW) || (to_be_undone && due == DUE_LATER))
        return not_told(due, net);
    return differs(DIFFERENCE_FAILED_HERE, 0, net);
}

/* Without a line: what is being worked on needs no person yet. */
static struct finding judge_open(const struct group *g, const struct period *period)
{
    int64_t amount = g->here.amount_minor, net = record_add(g->forward_minor, -g->back_minor);
    if (g->lines > 0)
        return differs(DIFFERENCE_UNKNOWN_HERE, amount, net);
    if (!reconcile_is_stuck(&g->here))
        return found(FOUND_WAITING);
    enum due due = reconcile_due(&g->here, period);
    return due == DUE_NOW ? differs(DIFFERENCE_UNKNOWN_HERE, amount, net) : not_told(due, net);
}

struct finding reconcile_judge(const struct group *g, const struct period *period)
{
    int64_t net = record_add(g->forward_minor, -g->back_minor);
    if (g->here_count == 0) {
        if (g->remedy.attempt != 0)
            return judge_remedy(g);
        if (g->back_minor < g->recall_due_minor)
            return differs(DIFFERENCE_MISSING_THERE, -g->recalled_minor, net);
        if (g->within == 0)
            return found(FOUND_NOTHING);
        /* What we asked back came back; the payment itself is older than we looked. */
        if (g->forwards == 0 && g->recalled_minor > 0 && g->back_minor == g->recalled_minor)
            return found(FOUND_ELSEWHERE);
        return differs(DIFFERENCE_MISSING_HERE, 0, net);
    }
    if (g->lines > 0 && (g->currencies_differ || strcmp(g->there.currency, g->here.currency) != 0))
        return differs(DIFFERENCE_CURRENCY, g->approved_minor, net);
    switch ((enum attempt_state)g->here.state) {
    case ATTEMPT_APPROVED: return judge_approved(g, period);
    case ATTEMPT_DECLINED:
    case ATTEMPT_REJECTED:
    case ATTEMPT_NOT_FOUND:
    case ATTEMPT_NOT_SENT:
    case ATTEMPT_REVERSED:
    case ATTEMPT_OVERTAKEN: return judge_failed(g, period);
    case ATTEMPT_SENDING:
    case ATTEMPT_PENDING:
    case ATTEMPT_UNKNOWN:
    case ATTEMPT_REVERSING:
    case ATTEMPT_CONFLICT:
    case ATTEMPT_PARKED: return judge_open(g, period);
    }
    return judge_open(g, period); /* a state that is none: nobody knows */
}
