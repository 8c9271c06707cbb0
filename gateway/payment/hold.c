/* hold.c - payments of which nothing was sent yet, because somebody must say so first, and then
 * says it.
 *
 *     requires_action   the payer: POST .../confirm with the result of an authentication
 *     processing        an operator: payments_review
 *
 * Going on takes the same way as a new payment from `pick` on. A profile that changed meanwhile
 * changes nothing: the decision was made, its sums are spent.
 *
 *     confirm, cancel, review    each reads the held row (hold_kept.c opens it), then
 *     it goes ahead              ... or
 *     it fails                   ... as it does when its time is over (hold_overdue.c)
 */
#include "payment/hold_int.h"

#include "base/ensure.h"

/* --- the answer of a payment that waits ----------------------------------------------------------
 */

struct view hold_members(struct arena *arena, enum held_kind kind, struct view methods,
                         int64_t until_us)
{
    uint8_t *room = arena_alloc(arena, 1024);
    struct writer w = writer_over(room, room != NULL ? 1024 : 0);
    struct json_out j;
    bool review = kind == HELD_REVIEW;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_object(&j, "outcome");
    json_put_text(&j, "result", view_text(outcome_word(OUTCOME_PENDING)));
    json_put_text(&j, "code", review ? VIEW("under_review") : VIEW("authentication_required"));
    json_put_text(&j, "message",
                  review ? VIEW("An operator looks at it. Nothing was sent yet.")
                         : VIEW("The payer must confirm it. Nothing was sent yet."));
    json_close_object(&j);
    json_open_object(&j, "route");
    json_put_null(&j, "channel");
    json_close_object(&j);
    if (!review) {
        json_open_object(&j, "next_action");
        json_put_text(&j, "type", VIEW("authenticate"));
        json_open_array(&j, "methods");
        for (struct view rest = methods; rest.len > 0;) {
            size_t len = view_find(rest, ' ');
            json_put_text(&j, NULL, view_slice(rest, 0, len));
            rest = view_slice(rest, len + 1, SIZE_MAX);
        }
        json_close_array(&j);
        json_put_time(&j, "expires", until_us);
        json_close_object(&j);
    }
    json_close_object(&j);
    if (w.overflow)
        return VIEW_EMPTY;
    arena_trim(arena, room, w.len);
    return view_of(room + 1, w.len - 2);
}

/* --- it fails
 * ------------------------------------------------------------------------------------- */

static void tell_reviewer(struct work *work, enum status status, struct view text)
{
    review_done_fn *reviewed = work->reviewed;
    if (reviewed == NULL)
        return;
    work->reviewed = NULL;
    reviewed(work->reviewed_arg, status, text);
}

static void after_forgo(struct work *work)
{
    struct payments *room = work->room;
    struct store_txn *txn = &work->txn;
    bool over = txn->result == STORE_COMMITTED && txn->payment.status == PAYMENT_FAILED;
    bool late = work->change.kind == CHANGE_FORGO &&
                work->change.answer_problem == PROBLEM_AUTHENTICATION_LATE;
    if (over) {
        room->stats.expired += late;
        hold_forget_kept(room, work->payment);
        hold_one_less(room);
    }
    if (txn->result == STORE_COMMITTED)
        tell_reviewer(work, work->review_word == REVIEW_REJECT ? STATUS_OK : STATUS_REFUSED,
                      VIEW("Recorded: the payment has failed, nothing was sent."));
    if (txn->result == STORE_COMMITTED && txn->answer_status != 0) {
        work_answer(work, (int)txn->answer_status, txn->answer_body, false);
        work_finish(work);
        return;
    }
    if (txn->result == STORE_COMMITTED) {
        work_finish(work);
        return;
    }
    after_record(work);
}

static void load_held(struct work *work)
{
    work->change.held_kind = work->held.kind;
    work->txn.load_payment = work->payment;
    work->txn.load_operation = work->hold->operation;
    work->txn.load_held = work->payment;
    if (work->confirming) {
        work->txn.idem_key = work->idem_key;
        memcpy(work->txn.idem_mac, work->idem_mac, sizeof work->idem_mac);
    }
}

/* told: members of the event that says who and why; empty: nobody did. */
static void forgo(struct work *work, enum problem answer, const char *code, const char *message,
                  struct view told)
{
    work_begin_change(work, CHANGE_FORGO);
    struct exchange_result result = { .outcome = OUTCOME_REJECTED,
                                      .category = CATEGORY_RESTRICTED,
                                      .rail_code = view_text(code),
                                      .message = view_text(message) };
    work->change.outcome_json = outcome_members(&work->txn_arena, &result, NULL, VIEW_EMPTY);
    work->change.answer_problem = answer;
    work->change.problem_detail = view_text(message);
    work->change.want_answer = work->answer != NULL;
    work->change.told_json = told;
    load_held(work);
    work->step = WORK_RECORD;
    work_commit(work, after_forgo);
}

void hold_forgo_late(struct work *work)
{
    bool review = work->held.kind == HELD_REVIEW;
    forgo(work, PROBLEM_AUTHENTICATION_LATE, review ? "review_expired" : "authentication_expired",
          review ? "No operator decided in time. Nothing was sent."
                 : "It was not confirmed in time, so the payment has failed. Nothing was sent.",
          VIEW_EMPTY);
}

/* --- it goes ahead
 * -------------------------------------------------------------------------------- */

static void after_resume(struct work *work)
{
    if (work->txn.result == STORE_COMMITTED) {
        hold_one_less(work->room);
        tell_reviewer(work, STATUS_OK, VIEW("Recorded: the payment goes ahead."));
    } else if (work->txn.result != STORE_NO_PAYMENT) {
        /* Not recorded, or the key belongs to another request: it still waits. */
        hold_put_back(work);
    }
    after_record(work);
}

static void stays(struct work *work, enum problem problem, struct view detail)
{
    hold_put_back(work);
    if (work->confirming)
        refuse_unless_known(work, problem, detail);
    else
        give_up(work, problem, detail);
}

/* Another confirmation of it has the card data, and its commit is on its way: whether that one is
 * carried out decides. Nobody looks here but who comes second. */
static bool being_resumed(const struct work *work)
{
    const struct list *works = &work->room->works;
    for (const struct list *item = works->next; item != works; item = item->next) {
        const struct work *other = CONTAINER_OF(item, const struct work, link);
        if (other != work && other->payment == work->payment && other->committing &&
            other->change.kind == CHANGE_RESUME)
            return true;
    }
    return false;
}

static void go_on(struct work *work, const struct payment_row *row, struct view told)
{
    uint8_t text[512];
    struct writer detail = writer_over(text, sizeof text);
    struct view reason = VIEW_EMPTY;
    if (!hold_request_again(work, row)) {
        if (row->rail == RAIL_CARD && being_resumed(work))
            stays(work, PROBLEM_OPERATION_RUNNING, VIEW("Another word about it came first."));
        else if (row->rail == RAIL_CARD)
            forgo(work, PROBLEM_NONE, "card_data_gone",
                  "The gateway was restarted while the payment waited, and card data is never "
                  "written "
                  "to disk. Nothing was sent; make a new payment.",
                  VIEW_EMPTY);
        else
            stays(work, PROBLEM_OVERLOADED, VIEW("Nothing was done."));
        return;
    }
    enum problem problem = pick_channels(work, &reason, &detail);
    if (problem != PROBLEM_NONE || work->candidate_count == 0) {
        stays(work, problem != PROBLEM_NONE ? problem : PROBLEM_OVERLOADED,
              problem != PROBLEM_NONE ? writer_done(&detail) : reason);
        return;
    }
    work->subject = (struct try){ .verb = work->kind,
                                  .channel = work->candidates[0],
                                  .amount = work->request->amount.minor };
    work->candidate_next = 1;
    enum status encoded = try_prepare(work, &work->subject, work->details, VIEW_EMPTY, &detail);
    if (encoded != STATUS_OK) {
        bool later = encoded == STATUS_BUSY || encoded == STATUS_NO_MEMORY;
        stays(work, later ? PROBLEM_OVERLOADED : PROBLEM_NOT_ENCODABLE,
              encoded == STATUS_BUSY        ? VIEW("The channel has no trace number free.")
              : encoded == STATUS_NO_MEMORY ? VIEW("Memory is out.")
                                            : writer_done(&detail));
        return;
    }
    work_begin_change(work, CHANGE_RESUME);
    enum status written = try_to_change(work, &work->subject);
    if (written != STATUS_OK) {
        stays(work, written == STATUS_NO_MEMORY ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL,
              VIEW_EMPTY);
        return;
    }
    load_held(work);
    if (work->held.kind == HELD_AUTHENTICATE) /* we have seen it ourselves */
        hold_resets_to_txn(work);
    work->change.payment_refs = work->change.sealed_refs;
    work->change.told_json = told;
    work->step = WORK_RECORD;
    step_at(work->room, "before_record");
    work_commit(work, after_resume);
}

/* --- confirm
 * -------------------------------------------------------------------------------------- */

static void after_wrong(struct work *work)
{
    after_forgo(work);
}

static void wrong(struct work *work, enum authentication_result result, struct view why)
{
    work->room->stats.wrong_results++;
    work_begin_change(work, CHANGE_WRONG);
    struct exchange_result failed = { .outcome = OUTCOME_REJECTED,
                                      .category = CATEGORY_AUTHENTICATION,
                                      .rail_code = VIEW("authentication_failed"),
                                      .message =
                                          VIEW("The payer could not be authenticated. Nothing was "
                                               "sent.") };
    work->change.outcome_json = outcome_members(&work->txn_arena, &failed, NULL, VIEW_EMPTY);
    work->change.answer_problem =
        result == AUTHENTICATION_LATE ? PROBLEM_AUTHENTICATION_LATE : PROBLEM_AUTHENTICATION_WRONG;
    work->change.problem_detail = arena_copy(&work->txn_arena, why);
    load_held(work);
    work->step = WORK_RECORD;
    work_commit(work, after_wrong);
}

static void check_result(struct work *work, const struct payment_row *row)
{
    struct payments *room = work->room;
    const struct payment_request *r = work->request;
    uint8_t text[400];
    struct writer why = writer_over(text, sizeof text);
    int64_t now_us = loop_wall_us(room->o.loop);
    struct authentication_of of = { .merchant = row->merchant,
                                    .payment = row->id,
                                    .payer = work->hold->payer,
                                    .amount = { row->amount, work->currency },
                                    .payee = work->hold->payee };
    enum authentication_result result =
        r->confirm_code.len > 0
            ? authentication_code_check(room->o.secrets, room->o.settings, &of, r->confirm_code,
                                        now_us, &why)
            : authentication_assertion_check(room->o.secrets, room->o.settings, &of,
                                             r->confirm_assertion, now_us, &why);
    switch (result) {
    case AUTHENTICATION_RIGHT:
        room->stats.confirmed++;
        go_on(work, row,
              r->confirm_code.len > 0 ? VIEW("\"authentication\":\"code\"")
                                      : VIEW("\"authentication\":\"assertion\""));
        return;
    case AUTHENTICATION_IMPOSSIBLE:
        refuse_unless_known(work, PROBLEM_AUTHENTICATION_IMPOSSIBLE, writer_done(&why));
        return;
    case AUTHENTICATION_STARVED: give_up_for(work, STATUS_NO_MEMORY); return;
    default: wrong(work, result, writer_done(&why)); return;
    }
}

/* What waits for somebody else, or not at all. */
static void nothing_waits(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->committing = false;
    if (work->room->stopping) {
        work->answer = NULL;
        work_finish(work);
        return;
    }
    if (read->result == STATUS_OK)
        refuse_unless_known(work, PROBLEM_NO_ACTION,
                            VIEW("The payment does not wait to be confirmed."));
    else if (read->result != STATUS_NOT_FOUND) /* nobody knows whether there is one */
        give_up(work, PROBLEM_STORE_FAILED, VIEW_EMPTY);
    else
        refuse_unless_known(work, PROBLEM_NOT_FOUND, VIEW("There is no payment with this id."));
}

static bool ask(struct work *work, enum store_question question,
                void (*done)(struct store_read *, void *))
{
    work->step = WORK_LOAD;
    work->read = (struct store_read){ .question = question,
                                      .arena = &work->keep,
                                      .merchant = work->merchant,
                                      .payment = work->payment,
                                      .limit = 1,
                                      .done = done,
                                      .arg = work };
    work->committing = true; /* the store holds our memory until then */
    if (store_ask(work->room->o.store, &work->read) == STATUS_OK)
        return true;
    work->committing = false;
    give_up(work, PROBLEM_OVERLOADED, VIEW(DID_NOTHING));
    return false;
}

/* False: it is over already. */
static bool held_read(struct work *work, const struct store_read *read)
{
    work->committing = false;
    if (work->room->stopping) {
        work->answer = NULL;
        work->reviewed = NULL;
        work_finish(work);
        return false;
    }
    if (read->result != STATUS_OK && read->result != STATUS_NOT_FOUND) {
        give_up(work, PROBLEM_STORE_FAILED, VIEW(DID_NOTHING));
        return false;
    }
    enum status opened = read->result == STATUS_OK && read->count > 0
                             ? hold_open(work, &read->payments[0], &read->held[0])
                             : STATUS_OK;
    if (opened == STATUS_NO_MEMORY) {
        give_up_for(work, opened);
        return false;
    }
    if (opened != STATUS_OK) {
        give_up(work, PROBLEM_INTERNAL, VIEW("What was kept of the payment cannot be opened."));
        return false;
    }
    return true;
}

static void confirm_read(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!held_read(work, read))
        return;
    if (work->hold == NULL) {
        (void)ask(work, STORE_ONE_PAYMENT, nothing_waits);
        return;
    }
    if (work->held.kind != HELD_AUTHENTICATE) {
        refuse_unless_known(work, PROBLEM_NO_ACTION,
                            VIEW("It waits for an operator, not for the payer."));
        return;
    }
    if (loop_wall_us(work->room->o.loop) >= work->held.until_us) {
        hold_forgo_late(work);
        return;
    }
    check_result(work, &read->payments[0]);
}

void step_confirm(struct work *work)
{
    work->confirming = true;
    (void)ask(work, STORE_HELD, confirm_read);
}

/* --- cancel
 * --------------------------------------------------------------------------------------- */

static void after_cancel(struct work *work)
{
    struct store_txn *txn = &work->txn;
    if (txn->result == STORE_NO_PAYMENT) { /* somebody's word came in between, and it goes on */
        refuse_operation(work, FLOW_OPERATION_RUNNING, PROBLEM_NONE, VIEW_EMPTY,
                         work->request->amount_minor);
        return;
    }
    if (txn->result != STORE_COMMITTED) {
        after_record(work);
        return;
    }
    hold_forget_kept(work->room, work->payment);
    hold_one_less(work->room);
    work_answer(work, (int)txn->answer_status, txn->answer_body, false);
    work_finish(work);
}

static void cancel_read(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!held_read(work, read))
        return;
    if (work->hold == NULL) { /* its answer is not there yet, or it is being closed */
        refuse_operation(work, FLOW_OPERATION_RUNNING, PROBLEM_NONE, VIEW_EMPTY,
                         work->request->amount_minor);
        return;
    }
    work->kind = OPERATION_CANCEL;
    work->operation = id_next(&work->room->ids, loop_wall_us(work->room->o.loop));
    work_begin_change(work, CHANGE_CANCEL_HELD);
    work->change.canceled_json =
        outcome_members(&work->txn_arena, &canceled_result, NULL, VIEW_EMPTY);
    struct exchange_result done = { .outcome = OUTCOME_APPROVED,
                                    .category = CATEGORY_NONE,
                                    .rail_code = VIEW("canceled"),
                                    .message = VIEW("Nothing had been sent.") };
    work->change.outcome_json = outcome_members(&work->txn_arena, &done, NULL, VIEW_EMPTY);
    work->change.operation_json = work->request->operation_json;
    load_held(work);
    work->txn.load_operation = 0; /* a new one */
    work->txn.load_first = work->hold->operation;
    work->txn.idem_key = work->idem_key;
    memcpy(work->txn.idem_mac, work->idem_mac, sizeof work->idem_mac);
    work->step = WORK_RECORD;
    work_commit(work, after_cancel);
}

void step_cancel_held(struct work *work, const struct payment_row *row)
{
    ENSURE(work->payment == row->id);
    (void)ask(work, STORE_HELD, cancel_read);
}

/* --- review
 * --------------------------------------------------------------------------------------- */

static void after_rehold(struct work *work)
{
    if (work->txn.result == STORE_COMMITTED) {
        work->room->stats.challenged++;
        tell_reviewer(work, STATUS_OK,
                      VIEW("Recorded: the payment now waits for the payer to confirm it."));
        work_finish(work);
        return;
    }
    after_record(work);
}

/* An operator's yes does not stand for the payer's. */
static void hold_on(struct work *work)
{
    const struct hold *hold = work->hold;
    work_begin_change(work, CHANGE_REHOLD);
    work->change.until_us = work->change.now_us + hold->authenticate_for_us;
    work->change.outcome_json =
        hold_members(&work->txn_arena, HELD_AUTHENTICATE, hold->methods, work->change.until_us);
    work->change.told_json = work->told_json;
    load_held(work);
    work->step = WORK_RECORD;
    work_commit(work, after_rehold);
}

static void review_read(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (!held_read(work, read))
        return;
    if (work->hold == NULL || work->held.kind != HELD_REVIEW)
        give_up(work, PROBLEM_NO_ACTION, VIEW("The payment does not wait for a review."));
    else if (loop_wall_us(work->room->o.loop) >= work->held.until_us)
        hold_forgo_late(work);
    else if (work->review_word == REVIEW_REJECT)
        forgo(work, PROBLEM_NONE, "rejected_by_review",
              "It was looked at, and rejected. Nothing was sent.", work->told_json);
    else if (work->hold->challenge_next)
        hold_on(work);
    else
        go_on(work, &read->payments[0], work->told_json);
}

static struct view review_members(struct arena *arena, const struct review *review)
{
    size_t size = 64 + 6 * (review->by.len + review->why.len);
    uint8_t *room = arena_alloc(arena, size);
    struct writer w = writer_over(room, room != NULL ? size : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "by", redact_copy(arena, review->by)); /* a card number, too, may be typed */
    json_put_text(&j, "why", redact_copy(arena, review->why));
    json_close_object(&j);
    return w.overflow ? VIEW_EMPTY : view_of(room + 1, w.len - 2);
}

void payments_review(struct payments *room, const struct review *review, review_done_fn *done,
                     void *arg)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    ENSURE(review->word == REVIEW_APPROVE || review->word == REVIEW_REJECT);
    struct work *work = room->ready && !room->stopping ? work_new(room, WORK_OF_LATER) : NULL;
    if (work == NULL) {
        done(arg, STATUS_BUSY, VIEW("The gateway is starting, stopping or busy; try again."));
        return;
    }
    work->reviewed = done;
    work->reviewed_arg = arg;
    work->review_word = review->word;
    work->payment = review->payment;
    work->told_json = review_members(&work->keep, review);
    if (work->told_json.len == 0)
        give_up(work, PROBLEM_INTERNAL, VIEW("Who and why are too long."));
    else
        (void)ask(work, STORE_HELD, review_read);
}
