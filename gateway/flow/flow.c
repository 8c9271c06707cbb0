/* flow.c - the life cycle of a payment: one table, and arithmetic on eight sums.
 *
 * Reading order: `possible` says in which status an operation may begin; flow_begin moves its
 * amount to an -ing column; flow_end moves it on or back; status_from_sums derives the status from
 * the sums. Nothing else decides a status, so operations may end in any order and the result is the
 * same.
 *
 *   (new) --begin authorise/sale--> processing --a person must act--> requires_action
 *     both of these --failed--> failed
 *                   --reversed--> reversed
 *                   --canceled--> canceled
 *     processing --approved authorise--> authorized       (captured shows the part already taken)
 *     processing --approved sale--> succeeded
 *     authorized --nothing of it open any more--> canceled (nothing captured) or succeeded
 *     succeeded --refunds--> partially_refunded --> refunded
 *
 * "Open" is what of the authorization is neither captured nor released; while an answer is missing,
 * the amount in question is open. With automatic capture nobody asks for what a capture left over,
 * so there the first captured amount closes the authorization.
 *
 * Every function works on a copy and writes it back only when the sums hold.
 */
#include "flow/flow.h"

#include "base/ensure.h"

#define NEW 0 /* a payment that has no status yet: its row is being made */

/* May this operation begin in this status? What is not in the table may not. Link operations,
 * inquiries and reversals are no operations of a payment's life: they serve an attempt. */
#define ON(operation) [OPERATION_##operation] = true
static const bool possible[PAYMENT_PARTIALLY_REFUNDED + 1][OPERATION_TOKEN + 1] = {
    [NEW] = { ON(AUTHORISE), ON(SALE) },
    [PAYMENT_REQUIRES_ACTION] = { ON(AUTHORISE), ON(SALE), ON(CANCEL) },
    /* The first two only while all sums are zero. */
    [PAYMENT_PROCESSING] = { ON(AUTHORISE), ON(SALE), ON(CANCEL) },
    [PAYMENT_AUTHORIZED] = { ON(CAPTURE), ON(CANCEL), ON(REFUND) },
    [PAYMENT_SUCCEEDED] = { ON(REFUND) },
    [PAYMENT_FAILED] = { false },
    [PAYMENT_CANCELED] = { false },
    [PAYMENT_REVERSED] = { false },
    [PAYMENT_REFUNDED] = { false },
    [PAYMENT_PARTIALLY_REFUNDED] = { ON(REFUND) },
};
#undef ON

static bool may_begin(enum payment_status status, enum operation operation)
{
    return (size_t)status < COUNT_OF(possible) && (size_t)operation < COUNT_OF(possible[0]) &&
           possible[status][operation];
}

static const struct {
    const char *code, *text;
} refusals[] = {
    [FLOW_ALLOWED] = { "allowed", "The operation may begin." },
    [FLOW_WRONG_STATUS] = { "wrong_status",
                            "This operation is not possible in the payment's status." },
    [FLOW_OVER_CAPTURABLE] = { "amount_exceeds_capturable",
                               "The amount is more than what is authorized and not yet "
                               "captured or released." },
    [FLOW_OVER_REFUNDABLE] = { "amount_exceeds_refundable",
                               "The amount is more than what is captured and not yet refunded." },
    [FLOW_NOTHING_LEFT] = { "nothing_left", "Nothing is left for this operation." },
    [FLOW_OPERATION_RUNNING] = { "operation_running",
                                 "Another operation of this payment is not answered yet." },
};

const char *flow_refusal_code(enum flow_refusal refusal)
{
    ENSURE(refusal >= FLOW_ALLOWED && refusal <= FLOW_OPERATION_RUNNING);
    return refusals[refusal].code;
}

const char *flow_refusal_text(enum flow_refusal refusal)
{
    ENSURE(refusal >= FLOW_ALLOWED && refusal <= FLOW_OPERATION_RUNNING);
    return refusals[refusal].text;
}

/* --- sums ---------------------------------------------------------------------------------- */

/* Takes `part` (not negative) from `*left`; false when it is not there. Cannot overflow. */
static bool take(int64_t *left, int64_t part)
{
    if (part < 0 || part > *left)
        return false;
    *left -= part;
    return true;
}

bool flow_sums_hold(const struct flow_sums *sums)
{
    if (sums->amount <= 0 || sums->authorized < 0 || sums->authorized > sums->amount)
        return false;
    int64_t unused = sums->authorized, kept = sums->captured;
    /* A sale that is not answered yet: nothing is authorized, all of it is being captured. */
    if (sums->authorized == 0 && sums->capturing == sums->amount)
        unused = sums->amount;
    return take(&unused, sums->captured) && take(&unused, sums->capturing) &&
           take(&unused, sums->released) && take(&unused, sums->releasing) &&
           take(&kept, sums->refunded) && take(&kept, sums->refunding);
}

int64_t flow_capturable(const struct flow_sums *sums)
{
    if (!flow_sums_hold(sums) || sums->authorized == 0)
        return 0;
    return sums->authorized - sums->captured - sums->capturing - sums->released - sums->releasing;
}

int64_t flow_refundable(const struct flow_sums *sums)
{
    return flow_sums_hold(sums) ? sums->captured - sums->refunded - sums->refunding : 0;
}

bool flow_is_final(enum payment_status status)
{
    return payment_status_valid(status) && status != PAYMENT_REQUIRES_ACTION &&
           status != PAYMENT_PROCESSING;
}

/* The status of a payment whose first operation was approved. */
static enum payment_status status_from_sums(const struct flow_sums *sums, enum capture_mode mode)
{
    int64_t open = sums->authorized - sums->captured - sums->released;
    if (open > 0 && (mode == CAPTURE_MANUAL || sums->captured == 0))
        return PAYMENT_AUTHORIZED;
    if (sums->captured == 0)
        return PAYMENT_CANCELED;
    if (sums->refunded == 0)
        return PAYMENT_SUCCEEDED;
    return sums->refunded < sums->captured ? PAYMENT_PARTIALLY_REFUNDED : PAYMENT_REFUNDED;
}

/* --- begin --------------------------------------------------------------------------------- */

/* The amount of an operation that may take up to `left`; 0 asks for all. */
static enum flow_refusal amount_pick(int64_t *amount_minor, int64_t left, enum flow_refusal over)
{
    if (*amount_minor < 0 || (*amount_minor == 0 && left == 0))
        return FLOW_NOTHING_LEFT;
    if (*amount_minor > left)
        return over;
    if (*amount_minor == 0)
        *amount_minor = left;
    return FLOW_ALLOWED;
}

static enum flow_refusal begin_first(struct flow_sums *sums, enum operation operation,
                                     int64_t *amount_minor)
{
    if (sums->authorized != 0 || sums->capturing != 0 || sums->captured != 0)
        return FLOW_WRONG_STATUS; /* it has begun already */
    if (*amount_minor != 0 && *amount_minor != sums->amount)
        return FLOW_OVER_CAPTURABLE; /* the first operation is about the whole payment */
    *amount_minor = sums->amount;
    if (operation == OPERATION_SALE)
        sums->capturing = sums->amount;
    return FLOW_ALLOWED;
}

bool flow_first_runs(enum payment_status status, const struct flow_sums *sums)
{
    return (status == PAYMENT_PROCESSING || status == PAYMENT_REQUIRES_ACTION) &&
           sums->authorized == 0 && sums->captured == 0;
}

enum status flow_act(enum payment_status *status, const struct flow_sums *sums)
{
    if (!flow_first_runs(*status, sums))
        return STATUS_MISMATCH;
    *status = PAYMENT_REQUIRES_ACTION;
    return STATUS_OK;
}

static enum flow_refusal begin_cancel(enum payment_status status, struct flow_sums *sums,
                                      int64_t *amount_minor)
{
    if (flow_first_runs(status, sums)) {
        if (*amount_minor != 0 && *amount_minor != sums->amount)
            return FLOW_OVER_CAPTURABLE;
        *amount_minor = 0;
        return FLOW_ALLOWED;
    }
    if (status != PAYMENT_AUTHORIZED)
        return FLOW_WRONG_STATUS;
    /* A capture on its way may still be approved: what is left is not known before. */
    if (sums->capturing > 0 || sums->releasing > 0)
        return FLOW_OPERATION_RUNNING;
    int64_t left = flow_capturable(sums);
    enum flow_refusal refusal = amount_pick(amount_minor, left, FLOW_OVER_CAPTURABLE);
    if (refusal != FLOW_ALLOWED)
        return refusal;
    if (*amount_minor != left)
        return FLOW_OVER_CAPTURABLE; /* a cancel gives back all that is left, never a part */
    sums->releasing += *amount_minor;
    return FLOW_ALLOWED;
}

enum flow_refusal flow_begin(enum payment_status *status, struct flow_sums *sums,
                             enum operation operation, int64_t *amount_minor)
{
    struct flow_sums after = *sums;
    int64_t amount = *amount_minor;
    enum flow_refusal refusal = FLOW_WRONG_STATUS;

    if (!flow_sums_hold(sums) || !may_begin(*status, operation))
        return FLOW_WRONG_STATUS;
    switch (operation) {
    case OPERATION_AUTHORISE:
    case OPERATION_SALE: refusal = begin_first(&after, operation, &amount); break;
    case OPERATION_CAPTURE:
        refusal = amount_pick(&amount, flow_capturable(sums), FLOW_OVER_CAPTURABLE);
        if (refusal == FLOW_ALLOWED)
            after.capturing += amount;
        break;
    case OPERATION_CANCEL: refusal = begin_cancel(*status, &after, &amount); break;
    case OPERATION_REFUND:
        refusal = amount_pick(&amount, flow_refundable(sums), FLOW_OVER_REFUNDABLE);
        if (refusal == FLOW_ALLOWED)
            after.refunding += amount;
        break;
    default: break; /* not in the table */
    }
    if (refusal != FLOW_ALLOWED)
        return refusal;
    ENSURE(flow_sums_hold(&after));
    ENSURE(amount > 0 || (operation == OPERATION_CANCEL && flow_first_runs(*status, sums)));
    *sums = after;
    *amount_minor = amount;
    if (operation == OPERATION_AUTHORISE || operation == OPERATION_SALE)
        *status = PAYMENT_PROCESSING;
    return FLOW_ALLOWED;
}

/* --- end ----------------------------------------------------------------------------------- */

static enum status end_first(enum payment_status *status, struct flow_sums *sums,
                             enum operation operation, enum capture_mode mode, int64_t begun,
                             int64_t approved, enum flow_end end)
{
    bool sale = operation == OPERATION_SALE;
    if ((*status != PAYMENT_PROCESSING && *status != PAYMENT_REQUIRES_ACTION) ||
        begun != sums->amount || sums->authorized != 0 || sums->capturing != (sale ? begun : 0))
        return STATUS_MISMATCH;
    sums->capturing = 0;
    if (end != FLOW_END_APPROVED) {
        *status = end == FLOW_END_REVERSED ? PAYMENT_REVERSED : PAYMENT_FAILED;
        return STATUS_OK;
    }
    sums->authorized = approved;
    if (sale)
        sums->captured = approved;
    *status = status_from_sums(sums, mode);
    return STATUS_OK;
}

/* A cancel that was begun while the first operation was running. MISMATCH: that one was approved
 * meanwhile, so an approval of the cancel contradicts it. */
static enum status end_cancel_of_first(enum payment_status *status, struct flow_sums *sums,
                                       enum flow_end end)
{
    if (end != FLOW_END_APPROVED)
        return STATUS_OK;
    if (sums->authorized != 0)
        return STATUS_MISMATCH;
    if (flow_first_runs(*status, sums)) {
        sums->capturing = 0;
        *status = PAYMENT_CANCELED;
    }
    return STATUS_OK; /* else it came to nothing by itself */
}

static enum status end_later(enum payment_status *status, struct flow_sums *sums,
                             enum operation operation, enum capture_mode mode, int64_t begun,
                             int64_t approved, enum flow_end end)
{
    int64_t *running = NULL, *done = NULL;
    switch (operation) {
    case OPERATION_CAPTURE: running = &sums->capturing, done = &sums->captured; break;
    case OPERATION_CANCEL: running = &sums->releasing, done = &sums->released; break;
    case OPERATION_REFUND: running = &sums->refunding, done = &sums->refunded; break;
    default: return STATUS_MISMATCH;
    }
    if (begun == 0)
        return end_cancel_of_first(status, sums, end);
    /* authorized > 0 tells a capture apart from a sale that is not answered yet. */
    if (sums->authorized == 0 || !take(running, begun))
        return STATUS_MISMATCH;
    if (end == FLOW_END_APPROVED)
        *done += approved;
    *status = status_from_sums(sums, mode);
    return STATUS_OK;
}

enum status flow_end(enum payment_status *status, struct flow_sums *sums, enum operation operation,
                     enum capture_mode mode, int64_t begun_minor, int64_t approved_minor,
                     enum flow_end end)
{
    ENSURE(end >= FLOW_END_APPROVED && end <= FLOW_END_REVERSED);
    struct flow_sums after = *sums;
    enum payment_status status_after = *status;

    bool of_first = operation == OPERATION_CANCEL && begun_minor == 0;
    if (!flow_sums_hold(sums) || begun_minor < 0 || (begun_minor == 0 && !of_first))
        return STATUS_MISMATCH;
    /* More than asked, or nothing at all, is no approval: the caller has a conflict at hand. */
    if (end == FLOW_END_APPROVED && !of_first &&
        (approved_minor <= 0 || approved_minor > begun_minor))
        return STATUS_MISMATCH;
    if (operation == OPERATION_AUTHORISE || operation == OPERATION_SALE)
        TRY(end_first(&status_after, &after, operation, mode, begun_minor, approved_minor, end));
    else
        TRY(end_later(&status_after, &after, operation, mode, begun_minor, approved_minor, end));
    if (!flow_sums_hold(&after))
        return STATUS_MISMATCH;
    *sums = after;
    *status = status_after;
    return STATUS_OK;
}
