/* judge_hold.c - judges of new payments and of held ones: pure, on the store's thread.
 *
 * A new payment has been decided without the sums of other payments. Here they are known, and spent
 * in the same breath:
 *
 *     verdict of the rules and of every sum -> the strictest wins
 *         allow                 sums are spent, the attempt is recorded in SENDING
 *         challenge, review     sums are spent, a held row instead of an attempt; nothing is sent
 *         deny                  nothing is spent, the payment is recorded as failed
 *
 * A held payment leaves its row exactly once: it goes ahead (CHANGE_RESUME), fails (CHANGE_FORGO)
 * or is canceled; whoever comes second does not find the row. So a result of an authentication is
 * used once, whatever is repeated.
 */
#include "payment/judge_int.h"

#include "base/ensure.h"

#define REASONS_BYTES ((size_t)STORE_SPENDS_MAX * (6 * DECISION_TEXT_MAX + 1024))

/* --- events ---------------------------------------------------------------------------------- */

static void event_add(struct store_txn *txn, const struct change *c, const char *kind,
                      int64_t merchant, struct view data_json)
{
    ENSURE(txn->event_count < STORE_EVENTS_MAX);
    txn->events[txn->event_count++] = (struct event_row){ .time_us = c->now_us,
                                                          .merchant = merchant,
                                                          .payment = txn->payment.id,
                                                          .kind = view_text(kind),
                                                          .data_json = data_json };
}

/* Belongs to no merchant: for operators. */
static enum status event_for_operators(struct store_txn *txn, const struct change *c,
                                       const char *kind, struct view members)
{
    if (members.len == 0)
        return STATUS_OK;
    struct view data =
        arena_format(txn->arena, "{%.*s}", (int)members.len, (const char *)members.ptr);
    if (data.len == 0)
        return STATUS_NO_MEMORY;
    event_add(txn, c, kind, 0, data);
    return STATUS_OK;
}

static enum status event_told(struct store_txn *txn, const struct change *c, const char *kind)
{
    struct view data = arena_format(txn->arena, "{%.*s}", (int)c->told_json.len,
                                    c->told_json.len > 0 ? (const char *)c->told_json.ptr : "");
    if (data.len == 0)
        return STATUS_NO_MEMORY;
    event_add(txn, c, kind, txn->payment.merchant, data);
    return STATUS_OK;
}

/* That an operator has decided is the merchant's to know. Who did and why is not: a reason may name
 * what a name was found in, and then the payer would hear of it. */
static enum status event_reviewed(struct store_txn *txn, const struct change *c, bool approved)
{
    TRY(event_for_operators(txn, c,
                            approved ? "compliance.review_approved" : "compliance.review_rejected",
                            c->told_json));
    event_add(txn, c, approved ? "payment.review_approved" : "payment.review_rejected",
              txn->payment.merchant, VIEW("{}"));
    return STATUS_OK;
}

/* --- sums --------------------------------------------------------------------------------------
 */

/* What the sums say beside the rules. */
struct sums_said {
    enum verdict verdict;
    bool challenged, fired;
    struct view text;             /* of the strictest */
    struct view reasons, reports; /* objects, commas between; empty: none */
};

struct objects {
    struct writer w;
    struct json_out j;
    size_t from;
};

static bool objects_open(struct objects *o, struct arena *arena)
{
    uint8_t *room = arena_alloc(arena, REASONS_BYTES);
    o->w = writer_over(room, room != NULL ? REASONS_BYTES : 0);
    json_out_init(&o->j, &o->w);
    json_open_array(&o->j, NULL);
    o->from = o->w.len;
    return room != NULL;
}

static void objects_put(struct objects *o, const struct reservation *r, const char *result,
                        const char *text)
{
    json_open_object(&o->j, NULL);
    json_put_text(&o->j, "rule", view_text(r->rule));
    if (result != NULL)
        json_put_text(&o->j, "result", view_text(result));
    json_put_text(&o->j, "text", view_text(text));
    json_put_text_if(&o->j, "source", view_text(r->source));
    json_close_object(&o->j);
}

static struct view objects_done(const struct objects *o)
{
    return view_of(o->w.ptr + o->from, o->w.len - o->from);
}

static const char too_many[] =
    "More payments stand in this window than are added up; it is denied rather than guessed.";

/* The text of one that fired. */
static void sum_text(const struct store_txn *txn, const struct work *work,
                     const struct store_spend *spend, const struct reservation *r,
                     char out[DECISION_TEXT_MAX])
{
    struct money amount = { txn->payment.amount, work->currency };
    struct writer w = writer_over(out, DECISION_TEXT_MAX);
    if (!spend->too_many) {
        reservation_text(r, amount, spend->spent, spend->count, out);
        return;
    }
    writer_text(&w, too_many);
    ENSURE(writer_terminate(&w) == STATUS_OK);
}

static enum status sums_judge(const struct store_txn *txn, const struct work *work,
                              const struct ruling *ruling, struct sums_said *said)
{
    struct objects reasons = { 0 }, reports = { 0 };
    *said = (struct sums_said){ .verdict = VERDICT_ALLOW };
    ENSURE(txn->spend_count == ruling->reservation_count);
    for (size_t i = 0; i < txn->spend_count; i++) {
        const struct store_spend *spend = &txn->spends[i];
        const struct reservation *r = &ruling->reservations[i];
        char text[DECISION_TEXT_MAX];
        bool crosses = false;
        if (r->kind == RESERVE_RESET)
            continue;
        enum verdict verdict =
            spend->too_many
                ? VERDICT_DENY
                : reservation_judge(r, txn->payment.amount, spend->spent, spend->count, &crosses);
        if (verdict == VERDICT_ALLOW && !crosses)
            continue;
        sum_text(txn, work, spend, r, text);
        if (crosses) {
            if (reports.w.ptr == NULL && !objects_open(&reports, txn->arena))
                return STATUS_NO_MEMORY;
            objects_put(&reports, r, NULL, text);
        }
        if (verdict == VERDICT_ALLOW)
            continue;
        if (reasons.w.ptr == NULL && !objects_open(&reasons, txn->arena))
            return STATUS_NO_MEMORY;
        objects_put(&reasons, r, verdict_word(verdict), text);
        said->fired = true;
        said->challenged = said->challenged || verdict == VERDICT_CHALLENGE;
        if (verdict > said->verdict) {
            said->verdict = verdict;
            said->text = arena_copy(txn->arena, view_text(text));
        }
    }
    if (reasons.w.overflow || reports.w.overflow)
        return STATUS_FULL;
    said->reasons = reasons.w.ptr != NULL ? objects_done(&reasons) : VIEW_EMPTY;
    said->reports = reports.w.ptr != NULL ? objects_done(&reports) : VIEW_EMPTY;
    return STATUS_OK;
}

/* An exemption is used up only by a payment that goes ahead without authentication. A sum begins
 * anew when the channel has approved: a PIN that is wrong proves nothing (judge_end_operation). */
static void sums_spend(struct store_txn *txn, const struct ruling *ruling, enum verdict verdict,
                       bool challenged)
{
    for (size_t i = 0; i < txn->spend_count; i++) {
        struct store_spend *spend = &txn->spends[i];
        const struct reservation *r = &ruling->reservations[i];
        if (r->kind == RESERVE_RESET)
            spend->write = false;
        else if (r->kind == RESERVE_SINCE_AUTHENTICATION)
            spend->write = verdict != VERDICT_DENY && !challenged && r->counts;
        else
            spend->write = verdict != VERDICT_DENY && r->counts;
    }
}

static enum status events_of_decision(struct store_txn *txn, const struct change *c,
                                      struct view more_reports)
{
    const struct ruling *ruling = c->ruling;
    TRY(event_for_operators(txn, c, "compliance.screening", ruling->screening));
    TRY(event_for_operators(txn, c, "compliance.shadow", ruling->shadow));
    if (ruling->reports.len == 0 && more_reports.len == 0)
        return STATUS_OK;
    struct view members =
        arena_format(txn->arena, "\"currency\":\"%s\",\"amount\":%lld,\"reports\":[%.*s%s%.*s]",
                     txn->payment.currency, (long long)txn->payment.amount,
                     (int)ruling->reports.len, (const char *)ruling->reports.ptr,
                     ruling->reports.len > 0 && more_reports.len > 0 ? "," : "",
                     (int)more_reports.len, (const char *)more_reports.ptr);
    if (members.len == 0)
        return STATUS_NO_MEMORY;
    return event_for_operators(txn, c, "compliance.report", members);
}

/* --- new payments ------------------------------------------------------------------------------
 */

/* It exists, and nothing was tried. */
static enum status ends_denied(struct store_txn *txn, const struct work *work,
                               const struct change *c)
{
    txn->payment.status = PAYMENT_FAILED;
    txn->payment.capturing = 0;
    txn->payment.channel = VIEW_EMPTY;
    txn->payment.refs = VIEW_EMPTY;
    txn->payment.outcome_json = c->outcome_json;
    txn->operation.status = OPERATION_STATUS_FAILED;
    TRY(judge_event_status(txn, c));
    return judge_render(txn, work->kind);
}

/* Denied by the rules, or no channel is ready. */
enum status judge_deny(struct store_txn *txn, const struct work *work, const struct change *c)
{
    txn->write_payment = STORE_INSERT;
    txn->write_operation = STORE_INSERT;
    TRY(judge_event_payment(txn, c, "payment.created"));
    TRY(events_of_decision(txn, c, VIEW_EMPTY));
    return ends_denied(txn, work, c);
}

static struct view denied_members(struct store_txn *txn, struct view text)
{
    struct exchange_result result = { .outcome = OUTCOME_REJECTED,
                                      .category = CATEGORY_LIMIT,
                                      .rail_code = VIEW("denied_by_profile"),
                                      .message = text };
    return outcome_members(txn->arena, &result, NULL, VIEW_EMPTY);
}

/* The first byte of what is held is in the clear: whether the payer must still be authenticated
 * after an operator has said yes. */
static enum status hold(struct store_txn *txn, const struct work *work, const struct change *c,
                        enum verdict verdict, bool challenged)
{
    const struct ruling *ruling = c->ruling;
    struct flow_sums sums = payment_sums(&txn->payment);
    bool review = verdict == VERDICT_REVIEW;
    struct view data = ruling->held;
    ENSURE(data.len > 0); /* sealed before whenever this may come */
    uint8_t *first = arena_alloc(txn->arena, data.len);
    if (first == NULL)
        return STATUS_NO_MEMORY;
    memcpy(first, data.ptr, data.len);
    first[0] = review && challenged ? 1 : 0;
    txn->write_held = STORE_INSERT;
    txn->held = (struct held_row){ .payment = txn->payment.id,
                                   .merchant = txn->payment.merchant,
                                   .kind = review ? HELD_REVIEW : HELD_AUTHENTICATE,
                                   .created_us = c->now_us,
                                   .until_us = c->now_us + (review ? ruling->review_for_us
                                                                   : ruling->authenticate_for_us),
                                   .data = view_of(first, data.len) };
    txn->payment.channel = VIEW_EMPTY;
    txn->payment.refs = VIEW_EMPTY;
    txn->payment.outcome_json =
        hold_members(txn->arena, txn->held.kind, ruling->methods, txn->held.until_us);
    if (!review)
        TRY(flow_act(&txn->payment.status, &sums));
    struct change told = *c;
    told.outcome_json = txn->payment.outcome_json;
    told.created_json = VIEW_EMPTY;
    txn->said = JUDGE_HELD;
    TRY(review ? judge_event_payment(txn, &told, "payment.review_required")
               : judge_event_status(txn, &told));
    return judge_render(txn, work->kind);
}

/* The payment and operation rows were filled by step_create; the attempt is new. */
enum status judge_create(struct store_txn *txn, const struct work *work, const struct change *c)
{
    const struct ruling *ruling = c->ruling;
    struct sums_said said;
    struct change told = *c;
    TRY(sums_judge(txn, work, ruling, &said));
    enum verdict verdict = said.verdict > ruling->verdict ? said.verdict : ruling->verdict;
    bool challenged = said.challenged || ruling->challenged;
    txn->write_payment = STORE_INSERT;
    txn->write_operation = STORE_INSERT;
    if (said.fired) {
        told.created_json = ruling_members(txn->arena, ruling, verdict, said.reasons);
        if (told.created_json.len == 0)
            return STATUS_NO_MEMORY;
        txn->payment.facts_json =
            arena_format(txn->arena, "%.*s%s%.*s", (int)c->request_json.len,
                         (const char *)c->request_json.ptr, c->request_json.len > 0 ? "," : "",
                         (int)told.created_json.len, (const char *)told.created_json.ptr);
        if (txn->payment.facts_json.len == 0)
            return STATUS_NO_MEMORY;
    }
    sums_spend(txn, ruling, verdict, challenged);
    TRY(judge_event_payment(txn, &told, "payment.created"));
    TRY(events_of_decision(txn, &told, said.reports));
    if (verdict == VERDICT_DENY) {
        txn->said = JUDGE_DENIED;
        told.outcome_json = denied_members(txn, said.text);
        return ends_denied(txn, work, &told);
    }
    if (verdict != VERDICT_ALLOW)
        return hold(txn, work, &told, verdict, challenged);
    txn->payment.refs = c->payment_refs;
    txn->write_attempt = STORE_INSERT;
    judge_attempt_from(&txn->attempt, work, c, &c->try, 0);
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

/* --- held payments -----------------------------------------------------------------------------
 */

static enum status resume(struct store_txn *txn, const struct work *work, const struct change *c)
{
    enum payment_status before = txn->payment.status;
    txn->write_held = STORE_DELETE;
    txn->payment.status = PAYMENT_PROCESSING;
    txn->payment.channel = c->channel;
    txn->payment.refs = c->payment_refs;
    txn->payment.outcome_json = VIEW_EMPTY;
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    for (size_t i = 0; i < txn->spend_count; i++)
        txn->spends[i].write = true; /* the payer is authenticated */
    if (c->held_kind == HELD_REVIEW)
        TRY(event_reviewed(txn, c, true));
    else
        TRY(event_told(txn, c, "payment.confirmed"));
    if (txn->payment.status != before)
        TRY(judge_event_status(txn, c));
    txn->write_attempt = STORE_INSERT;
    judge_attempt_from(&txn->attempt, work, c, &c->try, 0);
    return judge_event_attempt(txn, c, &txn->attempt, "attempt.sending");
}

static void keep_problem(struct store_txn *txn, enum problem problem, struct view detail)
{
    /* REFUSED is judge_problem's word for "this is the answer"; here the rows are written, too. */
    IGNORE_STATUS(judge_problem(txn, problem, detail));
}

/* Nothing was sent, and nothing will be. */
static enum status forgo(struct store_txn *txn, const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum operation kind = txn->operation.kind;
    txn->write_held = STORE_DELETE;
    TRY(flow_end(&txn->payment.status, &sums, kind, txn->payment.capture, txn->payment.amount, 0,
                 FLOW_END_FAILED));
    judge_sums_to(&txn->payment, &sums);
    txn->payment.outcome_json = c->outcome_json;
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    txn->operation.status = OPERATION_STATUS_FAILED;
    txn->operation.updated_us = c->now_us;
    txn->write_operation = STORE_UPDATE;
    judge_release(txn);
    if (c->told_json.len > 0)
        TRY(event_reviewed(txn, c, false));
    TRY(judge_event_status(txn, c));
    if (c->answer_problem != PROBLEM_NONE)
        keep_problem(txn, c->answer_problem, c->problem_detail);
    else if (c->want_answer)
        return judge_render(txn, kind);
    return STATUS_OK;
}

static enum status wrong(struct store_txn *txn, const struct work *work, const struct change *c)
{
    txn->held.wrong++;
    int64_t left = work->wrong_max - txn->held.wrong;
    struct view detail = arena_format(
        txn->arena, "%.*s %s", (int)c->problem_detail.len, (const char *)c->problem_detail.ptr,
        left > 0 ? "Nothing was sent; the payment still waits to be confirmed."
                 : "It was the last try: the payment has failed. Nothing was sent.");
    struct view members =
        arena_format(txn->arena, "\"wrong\":%lld,\"left\":%lld", (long long)txn->held.wrong,
                     (long long)(left > 0 ? left : 0));
    struct change told = *c;
    told.told_json = members;
    TRY(event_told(txn, &told, "payment.authentication_wrong"));
    if (left <= 0) {
        told.told_json = VIEW_EMPTY;
        told.problem_detail = detail;
        return forgo(txn, &told);
    }
    txn->write_held = STORE_UPDATE;
    keep_problem(txn, c->answer_problem, detail);
    return STATUS_OK;
}

/* An operator has said yes; the payer must still do so. */
static enum status rehold(struct store_txn *txn, const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    txn->held.kind = HELD_AUTHENTICATE;
    txn->held.until_us = c->until_us;
    txn->held.wrong = 0;
    txn->write_held = STORE_UPDATE;
    TRY(flow_act(&txn->payment.status, &sums));
    txn->payment.outcome_json = c->outcome_json;
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    TRY(event_reviewed(txn, c, true));
    return judge_event_status(txn, c);
}

static enum status cancel_held(struct store_txn *txn, const struct work *work,
                               const struct change *c)
{
    struct flow_sums sums = payment_sums(&txn->payment);
    enum payment_status status = txn->payment.status;
    int64_t amount = 0;
    if (flow_begin(&status, &sums, OPERATION_CANCEL, &amount) != FLOW_ALLOWED || amount != 0)
        return judge_problem(txn, PROBLEM_WRONG_STATUS, VIEW_EMPTY);
    TRY(flow_end(&status, &sums, OPERATION_CANCEL, txn->payment.capture, 0, 0, FLOW_END_APPROVED));
    txn->write_held = STORE_DELETE;
    txn->payment.status = status;
    judge_sums_to(&txn->payment, &sums);
    txn->payment.outcome_json = c->canceled_json;
    txn->payment.updated_us = c->now_us;
    txn->write_payment = STORE_UPDATE;
    judge_release(txn);
    txn->first.status = OPERATION_STATUS_FAILED; /* with the payment: no crash comes in between */
    txn->first.updated_us = c->now_us;
    txn->write_first = STORE_UPDATE;
    txn->write_operation = STORE_INSERT;
    txn->operation = (struct operation_row){ .id = work->operation,
                                             .payment = work->payment,
                                             .merchant = work->merchant,
                                             .kind = OPERATION_CANCEL,
                                             .status = OPERATION_STATUS_SUCCEEDED,
                                             .created_us = c->now_us,
                                             .updated_us = c->now_us,
                                             .facts_json = c->operation_json,
                                             .outcome_json = c->outcome_json };
    TRY(judge_event_operation(txn, c));
    TRY(judge_event_status(txn, c));
    return judge_render(txn, OPERATION_CANCEL);
}

enum status judge_held(struct store_txn *txn, const struct work *work, const struct change *c)
{
    /* Approved meanwhile, and waits for the payer now. To a cancel that is the same. */
    if (txn->held.kind != c->held_kind && c->kind != CHANGE_CANCEL_HELD)
        return judge_problem(txn, PROBLEM_NO_ACTION,
                             VIEW("It waits for something else by now; read the payment."));
    switch (c->kind) {
    case CHANGE_RESUME: return resume(txn, work, c);
    case CHANGE_FORGO: return forgo(txn, c);
    case CHANGE_WRONG: return wrong(txn, work, c);
    case CHANGE_REHOLD: return rehold(txn, c);
    case CHANGE_CANCEL_HELD: return cancel_held(txn, work, c);
    default: return STATUS_REFUSED;
    }
}
