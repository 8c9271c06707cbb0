/* hold.c - payments of which nothing was sent yet, because somebody must say so first.
 *
 *     requires_action   the payer: POST .../confirm with the result of an authentication
 *     processing        an operator: payments_review
 *
 * What going on needs is sealed into the held row: the method's details, who the payer is, which
 * counters begin anew. Card data is not: it is never written to disk, stays in vault memory
 * (`kept`), and a card payment that waits does not outlive a restart: its confirmation ends it, and
 * nothing was sent.
 *
 * Going on takes the same way as a new payment from `pick` on. A profile that changed meanwhile
 * changes nothing: the decision was made, its sums are spent.
 *
 * Those whose time is over fail by themselves: a timer looks as long as any are held.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"
#include "payment/facts.h"

#include <stdlib.h>

#define KEPT_MAX      8192 /* held card payments in memory */
#define KEPT_OF_ONE   1024 /* of one merchant */
#define LOOK_EVERY_US (5 * LOOP_US_PER_S)
#define LOOK_NEXT_US  (100 * LOOP_US_PER_MS) /* there are more */
#define LOOK_AT_ONCE  50
#define RESETS_MAX    STORE_SPENDS_MAX
#define HOLD_VERSION  1

struct hold {
    int64_t operation;
    int64_t authenticate_for_us, wrong_max;
    bool challenge_next; /* after an operator's yes */
    bool authenticated;  /* the request itself was */
    struct view region, payer, payee, methods, details;
    size_t reset_count;
    uint8_t resets[RESETS_MAX][16];
};

static void hold_on(struct work *work);

/* --- what is sealed -----------------------------------------------------------------------------
 */

static struct view payment_key(const int64_t *id)
{
    return view_of(id, sizeof *id);
}

static struct view seal_context(const int64_t *payment, uint8_t out[16])
{
    struct writer w = writer_over(out, 16);
    writer_text(&w, "held");
    writer_u64_be(&w, (uint64_t)*payment);
    return writer_done(&w);
}

static void put_part(struct writer *w, struct view part)
{
    writer_u16_be(w, (uint16_t)part.len);
    writer_view(w, part);
}

static bool may_be_held(const struct ruling *ruling)
{
    if (ruling->verdict == VERDICT_CHALLENGE || ruling->verdict == VERDICT_REVIEW)
        return true;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum verdict verdict = ruling->reservations[i].verdict;
        if (verdict == VERDICT_CHALLENGE || verdict == VERDICT_REVIEW)
            return true;
    }
    return false;
}

/* Counters that begin anew when the payer is authenticated: those the decision names, and the one
 * whose exemption is used up. */
static void put_resets(struct work *work, struct writer *w)
{
    const struct ruling *ruling = work->ruling;
    uint8_t count = 0;
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum reservation_kind kind = ruling->reservations[i].kind;
        count += kind == RESERVE_RESET || kind == RESERVE_SINCE_AUTHENTICATION;
    }
    writer_u8(w, count);
    decide_spends(work); /* for their keys; the change is begun anew before it is committed */
    for (size_t i = 0; i < ruling->reservation_count; i++) {
        enum reservation_kind kind = ruling->reservations[i].kind;
        if (kind == RESERVE_RESET || kind == RESERVE_SINCE_AUTHENTICATION)
            writer_bytes(w, work->txn.spends[i].key, sizeof work->txn.spends[i].key);
    }
}

/* There is room for the card data of one more that waits; no merchant takes it all. */
static bool may_keep(const struct work *work)
{
    size_t position = 0, own = 0;
    struct view key;
    void *value;
    while (map_next(work->room->kept, &position, &key, &value))
        own += ((const struct payment_request *)value)->merchant == work->merchant;
    return own < KEPT_OF_ONE && map_count(work->room->kept) < KEPT_MAX;
}

enum status hold_seal(struct work *work)
{
    struct ruling *ruling = work->ruling;
    const struct payment_request *r = work->request;
    const struct compliance_facts *facts = r->facts;
    if (!may_be_held(ruling))
        return STATUS_OK;
    bool card = r->rail == RAIL_CARD;
    if (card && !may_keep(work))
        return STATUS_BUSY;
    size_t size = 2048 + r->details.len;
    uint8_t *plain = arena_alloc(&work->keep, size);
    uint8_t *sealed = arena_alloc(&work->keep, 1 + size + SECRET_SEAL_OVERHEAD);
    if (plain == NULL || sealed == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(plain, size);
    writer_u8(&w, HOLD_VERSION);
    writer_u64_be(&w, (uint64_t)work->operation);
    writer_u64_be(&w, (uint64_t)ruling->authenticate_for_us);
    writer_u64_be(&w, (uint64_t)ruling->wrong_max);
    writer_u8(&w, facts->values[FACT_AUTHENTICATED].given &&
                      facts->values[FACT_AUTHENTICATED].number != 0);
    put_part(&w, ruling->region);
    put_part(&w, facts_bound_payer(facts));
    put_part(&w, facts_bound_payee(facts));
    put_part(&w, ruling->methods);
    put_resets(work, &w);
    put_part(&w, card ? VIEW_EMPTY : r->details);
    TRY(writer_status(&w));
    sealed[0] = 0;
    struct writer s = writer_over(sealed + 1, size + SECRET_SEAL_OVERHEAD);
    uint8_t context[16];
    TRY(secret_seal(work->room->seal, seal_context(&work->payment, context), writer_done(&w), &s));
    ruling->held = view_of(sealed, 1 + s.len);
    return STATUS_OK;
}

static enum status take_part(struct cursor *c, struct view *out)
{
    uint16_t len = 0;
    TRY(cursor_u16_be(c, &len));
    return cursor_take(c, len, out);
}

static enum status take_number(struct cursor *c, int64_t *out)
{
    uint64_t number = 0;
    TRY(cursor_u64_be(c, &number));
    *out = (int64_t)number;
    return STATUS_OK;
}

static enum status hold_read(struct cursor *c, struct hold *hold)
{
    uint8_t version = 0, authenticated = 0, count = 0;
    TRY(cursor_u8(c, &version));
    if (version != HOLD_VERSION)
        return STATUS_UNSUPPORTED;
    TRY(take_number(c, &hold->operation));
    TRY(take_number(c, &hold->authenticate_for_us));
    TRY(take_number(c, &hold->wrong_max));
    TRY(cursor_u8(c, &authenticated));
    hold->authenticated = authenticated != 0;
    TRY(take_part(c, &hold->region));
    TRY(take_part(c, &hold->payer));
    TRY(take_part(c, &hold->payee));
    TRY(take_part(c, &hold->methods));
    TRY(cursor_u8(c, &count));
    if (count > RESETS_MAX)
        return STATUS_MALFORMED;
    hold->reset_count = count;
    for (size_t i = 0; i < count; i++) {
        struct view key;
        TRY(cursor_take(c, sizeof hold->resets[i], &key));
        memcpy(hold->resets[i], key.ptr, key.len);
    }
    return take_part(c, &hold->details);
}

/* What the work needs of a held payment, from its rows. */
static enum status hold_open(struct work *work, const struct payment_row *row,
                             const struct held_row *held)
{
    struct hold *hold = ARENA_NEW(&work->keep, struct hold);
    uint8_t *plain = arena_alloc(&work->keep, held->data.len + 1);
    uint8_t context[16];
    if (hold == NULL || plain == NULL)
        return STATUS_NO_MEMORY;
    if (held->data.len < 1)
        return STATUS_MALFORMED;
    struct writer w = writer_over(plain, held->data.len);
    work->payment = row->id;
    work->merchant = row->merchant;
    TRY(secret_unseal(work->room->seal, seal_context(&work->payment, context),
                      view_slice(held->data, 1, SIZE_MAX), &w));
    struct cursor c = cursor_over(writer_done(&w));
    TRY(hold_read(&c, hold));
    hold->challenge_next = held->data.ptr[0] == 1;
    TRY(currency_by_code(view_text(row->currency), &work->currency));
    work->hold = hold;
    work->held = *held;
    work->wrong_max = hold->wrong_max;
    work->operation = hold->operation;
    work->region = hold->region;
    work->kind = row->capture == CAPTURE_MANUAL ? OPERATION_AUTHORISE : OPERATION_SALE;
    return STATUS_OK;
}

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

/* --- card data in memory ------------------------------------------------------------------------
 */

static void look_later(struct payments *room)
{
    if (room->held_count > 0 && !timer_is_armed(&room->hold_look) && !room->stopping)
        timer_start(&room->hold_look, LOOK_EVERY_US);
}

void hold_begun(struct work *work)
{
    struct payments *room = work->room;
    struct payment_request *r = work->request;
    room->held_count++;
    look_later(room);
    if (work->txn.held.kind == HELD_REVIEW)
        room->stats.reviewed++;
    else
        room->stats.challenged++;
    if (r == NULL || r->rail != RAIL_CARD)
        return;
    /* Without room it cannot go on later, and says so then. */
    if (map_put(room->kept, payment_key(&work->payment), r) == STATUS_OK) {
        work->request = NULL;
        work->details = VIEW_EMPTY;
    }
}

static void forget_kept(struct payments *room, int64_t payment)
{
    struct payment_request *kept = map_take(room->kept, payment_key(&payment));
    if (kept != NULL)
        payment_request_drop(room, kept);
}

/* It still waits: the next confirmation needs it. */
static void put_back(struct work *work)
{
    struct payment_request *r = work->request;
    if (r == NULL || r->rail != RAIL_CARD || r->confirm)
        return;
    if (map_put(work->room->kept, payment_key(&work->payment), r) == STATUS_OK) {
        work->request = NULL;
        work->details = VIEW_EMPTY;
    }
}

static void left(struct payments *room)
{
    if (room->held_count > 0)
        room->held_count--;
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
        forget_kept(room, work->payment);
        left(room);
    }
    if (txn->result == STORE_COMMITTED)
        tell_reviewer(work, STATUS_OK, VIEW("Recorded: the payment has failed, nothing was sent."));
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

static void forgo_late(struct work *work)
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
        left(work->room);
        tell_reviewer(work, STATUS_OK, VIEW("Recorded: the payment goes ahead."));
    } else if (work->txn.result != STORE_NO_PAYMENT) {
        put_back(work); /* not recorded, or the key belongs to another request: it still waits */
    }
    after_record(work);
}

static void stays(struct work *work, enum problem problem, struct view detail)
{
    put_back(work);
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

/* The request as it would be now, from the rows or (cards) from memory. */
static bool request_again(struct work *work, const struct payment_row *row)
{
    struct payments *room = work->room;
    if (row->rail == RAIL_CARD) {
        struct payment_request *kept = map_take(room->kept, payment_key(&work->payment));
        if (kept == NULL)
            return false;
        work_forget_request(work);
        work->request = kept;
    } else {
        struct payment_request *r = work->request;
        if (r == NULL)
            r = work->request = payment_request_new(room);
        if (r == NULL)
            return false;
        r->rail = row->rail;
        r->kind = row->kind;
        r->capture = row->capture;
        r->amount = (struct money){ row->amount, work->currency };
        r->details = work->hold->details;
    }
    work->details = work->request->details;
    return true;
}

static void resets_to_txn(struct work *work)
{
    const struct hold *hold = work->hold;
    work->txn.spend_count = hold->reset_count;
    work->txn.spend_now_us = work->change.now_us;
    for (size_t i = 0; i < hold->reset_count; i++) {
        work->txn.spends[i] = (struct store_spend){ .kind = STORE_SPEND_RESET };
        memcpy(work->txn.spends[i].key, hold->resets[i], sizeof hold->resets[i]);
    }
}

void hold_resets_later(struct work *work)
{
    if (work->ruling != NULL)
        decide_resets_later(work);
    else if (work->hold != NULL && work->held.kind == HELD_REVIEW && work->hold->authenticated)
        resets_to_txn(work);
}

static void go_on(struct work *work, const struct payment_row *row, struct view told)
{
    uint8_t text[512];
    struct writer detail = writer_over(text, sizeof text);
    struct view reason = VIEW_EMPTY;
    if (!request_again(work, row)) {
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
        resets_to_txn(work);
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
        forgo_late(work);
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
    if (txn->result != STORE_COMMITTED) {
        after_record(work);
        return;
    }
    forget_kept(work->room, work->payment);
    left(work->room);
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
        forgo_late(work);
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
    json_put_text(&j, "by", review->by);
    json_put_text(&j, "why", review->why);
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

/* --- time is over
 * --------------------------------------------------------------------------------- */

/* Thousands may be over at once, and some may be unreadable: the next look goes on behind these. */
static void look_on(struct payments *room, const struct store_read *read)
{
    bool more = read->result == STATUS_OK && read->more && read->count > 0;
    room->hold_after = more ? read->held[read->count - 1].payment : 0;
    if (more)
        timer_start(&room->hold_look, LOOK_NEXT_US);
    else
        look_later(room);
}

static void overdue_read(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->hold_reading = false;
    if (room->stopping)
        return;
    for (size_t i = 0; read->result == STATUS_OK && i < read->count; i++) {
        struct work *work = work_new(room, WORK_RECOVERED);
        if (work == NULL)
            break;
        /* The rows live in the room's arena: what the work keeps of them is copied. */
        struct held_row held = read->held[i];
        held.data = arena_copy(&work->keep, held.data);
        if (hold_open(work, &read->payments[i], &held) == STATUS_OK) {
            forgo_late(work);
        } else {
            LOG(room->o.log, LOG_ERROR, "payment.held_unreadable",
                LOG_INT("payment", held.payment));
            work_finish(work);
        }
    }
    look_on(room, read);
    arena_reset(&room->hold_arena);
}

static void look(struct timer *timer, void *arg)
{
    struct payments *room = arg;
    (void)timer;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (room->stopping || room->hold_reading)
        return;
    room->hold_read = (struct store_read){ .question = STORE_HELD,
                                           .arena = &room->hold_arena,
                                           .held_until_us = loop_wall_us(room->o.loop),
                                           .after = room->hold_after,
                                           .limit = LOOK_AT_ONCE,
                                           .done = overdue_read,
                                           .arg = room };
    room->hold_reading = true;
    if (store_ask(room->o.store, &room->hold_read) != STATUS_OK) {
        room->hold_reading = false;
        look_later(room);
    }
}

static void count_page(struct payments *room, int64_t after);

static void counted(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->hold_reading = false;
    if (room->stopping)
        return;
    int64_t last = 0;
    if (read->result == STATUS_OK) {
        room->held_count += read->count;
        if (read->count > 0)
            last = read->held[read->count - 1].payment;
    } else {
        room->held_count++; /* not known: keep looking */
    }
    bool more = read->result == STATUS_OK && read->more;
    arena_reset(&room->hold_arena);
    if (more)
        count_page(room, last);
    else
        look_later(room);
}

static void count_page(struct payments *room, int64_t after)
{
    room->hold_read = (struct store_read){ .question = STORE_HELD,
                                           .arena = &room->hold_arena,
                                           .after = after,
                                           .done = counted,
                                           .arg = room };
    room->hold_reading = true;
    if (store_ask(room->o.store, &room->hold_read) != STATUS_OK) {
        room->hold_reading = false;
        room->held_count++; /* not known: keep looking */
        look_later(room);
    }
}

enum status hold_init(struct payments *room)
{
    timer_init(&room->hold_look, room->o.loop, look, room);
    arena_init(&room->hold_arena, (size_t)16 * 1024 * 1024);
    room->kept = map_open(KEPT_MAX, loop_random_u64(room->o.loop));
    return room->kept != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void hold_start(struct payments *room)
{
    count_page(room, 0);
}

void hold_fini(struct payments *room)
{
    size_t position = 0;
    struct view key;
    void *value;
    timer_stop(&room->hold_look);
    if (room->kept != NULL) {
        while (map_next(room->kept, &position, &key, &value))
            payment_request_drop(room, value);
        map_close(room->kept);
    }
    room->kept = NULL;
    arena_reset(&room->hold_arena);
}
