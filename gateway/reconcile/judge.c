/* judge.c - what both sides say under one name, and what follows from it. Pure.
 *
 *     here \ there      nothing           as here          otherwise
 *     nothing           -                 missing_here     missing_here
 *     approved          missing_there     matched          amount, currency, twice
 *     failed            nothing           matched (net 0)  failed_here
 *     not known         unknown_here      unknown_here     unknown_here
 *
 * "Nothing there" counts only for what must stand in this record: an attempt that began before the
 * period, or ended after it, may stand in the one before or after. Between its beginning and its
 * end lies the moment in which it was booked.
 *
 * What comes back stands under the name of what it undoes, and takes away from it. How much may
 * have come back of what is approved here: nothing of a card payment (its refunds are operations of
 * their own); any part of a wallet's payment or of a lock, whose refunds and cancels have names of
 * their own too; of a bank payment what we know to have been returned.
 */
#include "reconcile/reconcile_int.h"

/* --- gathering ---------------------------------------------------------------------------------
 */

/* Booked within the period, if it was booked. */
static bool certain(const struct here *here, const struct period *period)
{
    return here->created_us >= record_add(period->from_us, period->tolerance_us) &&
           here->updated_us < record_add(period->until_us, -period->tolerance_us);
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
            g->recalled_minor = record_add(g->recalled_minor, here->amount_minor);
        g->recall_certain |= approved && certain(here, period);
        return;
    }
    /* Of several with one name (there should not be) the approved one speaks. */
    if (g->here_count == 0 || (approved && g->here.state != ATTEMPT_APPROVED))
        g->here = *here;
    g->here_count++;
    if (approved)
        g->approved_minor = record_add(g->approved_minor, here->amount_minor);
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
    /* Ours come first. A refund under the name of a sale: that money went the other way. */
    bool fits = g->here_count == 0 || (there->of & UINT32_C(1) << g->here.verb) != 0;
    int64_t minor = fits ? there->amount_minor : -there->amount_minor;
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
    bool must = certain(&g->here, period);
    if (g->rail == RAIL_QR || g->rail == RAIL_CBDC)
        net = g->forward_minor; /* what came back is an operation of its own */
    if (g->forwards == 0 && must)
        return differs(DIFFERENCE_MISSING_THERE, approved, net);
    if (g->lines == 0)
        return found(FOUND_EDGE);
    if (g->forwards > g->here_count)
        return differs(DIFFERENCE_TWICE, approved, g->forward_minor);
    if (g->forwards > 0 && g->forward_minor != approved)
        return differs(DIFFERENCE_AMOUNT, approved, g->forward_minor);
    int64_t allowed = back_allowed(g);
    if (g->back_minor > allowed || g->back_minor < 0)
        return differs(DIFFERENCE_AMOUNT, record_add(approved, -allowed), net);
    if (g->recall_certain && g->back_minor < g->recalled_minor)
        return differs(DIFFERENCE_MISSING_THERE, record_add(approved, -g->recalled_minor), net);
    return found(g->forwards > 0 ? FOUND_MATCHED : FOUND_EDGE);
}

/* Ours undid something. What moved counts under the name of that; but more, or in another currency,
 * than was asked for was nothing of ours. */
static struct finding judge_remedy(const struct group *g)
{
    int64_t asked = g->remedy.amount_minor;
    if (g->within == 0)
        return found(FOUND_NOTHING);
    if (g->currencies_differ || strcmp(g->there.currency, g->remedy.currency) != 0)
        return differs(DIFFERENCE_CURRENCY, asked, g->forward_minor);
    return g->forward_minor > asked ? differs(DIFFERENCE_AMOUNT, asked, g->forward_minor)
                                    : found(FOUND_NOTHING);
}

static struct finding judge_failed(const struct group *g, const struct period *period)
{
    int64_t net = record_add(g->forward_minor, -g->back_minor);
    if (g->lines == 0)
        return found(FOUND_NOTHING);
    if (net == 0)
        return found(FOUND_MATCHED);
    /* Only what undid it stands in this record; the rest was in the one before. */
    if (g->forwards == 0 && !certain(&g->here, period) && g->back_minor > 0 &&
        g->back_minor <= g->here.amount_minor)
        return found(FOUND_EDGE);
    return differs(DIFFERENCE_FAILED_HERE, 0, net);
}

/* Without a line: what is being worked on needs no person yet. */
static struct finding judge_open(const struct group *g, const struct period *period)
{
    int64_t amount = g->here.amount_minor, net = record_add(g->forward_minor, -g->back_minor);
    enum attempt_state state = (enum attempt_state)g->here.state;
    bool stuck = state == ATTEMPT_PARKED || state == ATTEMPT_CONFLICT || state == ATTEMPT_UNKNOWN;
    if (g->lines > 0)
        return differs(DIFFERENCE_UNKNOWN_HERE, amount, net);
    if (!stuck)
        return found(FOUND_WAITING);
    bool within = g->here.created_us >= record_add(period->from_us, period->tolerance_us) &&
                  g->here.created_us < record_add(period->until_us, -period->tolerance_us);
    return within ? differs(DIFFERENCE_UNKNOWN_HERE, amount, 0) : found(FOUND_EDGE);
}

struct finding reconcile_judge(const struct group *g, const struct period *period)
{
    int64_t net = record_add(g->forward_minor, -g->back_minor);
    if (g->here_count == 0) {
        if (g->remedy.attempt != 0)
            return judge_remedy(g);
        if (g->within == 0)
            return found(FOUND_NOTHING);
        /* What we asked back came back; the payment itself is older than we looked. */
        if (g->forwards == 0 && g->recalled_minor > 0 && g->back_minor == g->recalled_minor)
            return found(FOUND_EDGE);
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
