/* work.c - the life of a work: memory, commits, answers, waiting.
 *
 * A merchant waits at most until the wait timer fires; then what is known is kept as the answer for
 * the key (a commit of its own) and given, and the work goes on without anybody waiting. Whoever
 * commits first an answer for the key has given *the* answer: repeats get the same bytes.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"

#include <stdlib.h>

static void wait_over(struct timer *timer, void *arg);

/* New payments leave room for what finishes those that exist; what is on disk is taken up anyway.
 */
size_t works_max(const struct payments *room, enum work_room which)
{
    switch (which) {
    case WORK_OF_NEW: return room->o.works_max;
    case WORK_OF_LATER: return room->o.works_max + room->o.works_max / 8 + 8;
    case WORK_RECOVERED: return SIZE_MAX;
    }
    return 0;
}

struct work *work_new(struct payments *room, enum work_room which)
{
    if (room->work_count >= works_max(room, which))
        return NULL;
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return NULL;
    work->magic = WORK_MAGIC;
    work->step = WORK_LOOKUP;
    work->room = room;
    arena_init(&work->keep, TXN_ARENA_MAX);
    arena_init(&work->txn_arena, TXN_ARENA_MAX);
    arena_init(&work->again_arena, TXN_ARENA_MAX);
    timer_init(&work->wait, room->o.loop, wait_over, work);
    timer_init(&work->later, room->o.loop, wait_over, work); /* whoever starts it sets `fire` */
    list_append(&room->works, &work->link);
    room->work_count++;
    return work;
}

static void key_release(struct work *work)
{
    if (!work->key_in_flight)
        return;
    work->key_in_flight = false;
    (void)map_take(work->room->in_flight, view_of(work->idem_id, sizeof work->idem_id));
}

void work_forget_request(struct work *work)
{
    if (work->request == NULL)
        return;
    arena_reset(&work->request->arena);
    free(work->request);
    work->request = NULL;
    work->details = VIEW_EMPTY;
}

void work_end(struct work *work)
{
    ENSURE_MAGIC(work, WORK_MAGIC);
    ENSURE(!work->committing && work->answer == NULL);
    timer_stop(&work->wait);
    timer_stop(&work->later);
    exchange_drop(work->exchange);
    key_release(work);
    work_deafen(work);
    if (work->known_as_first)
        (void)map_take(work->room->first_of, view_of(&work->payment, sizeof work->payment));
    work_forget_request(work);
    arena_reset(&work->keep);
    arena_reset(&work->txn_arena);
    arena_reset(&work->again_arena);
    list_remove(&work->link);
    work->room->work_count--;
    work->magic = 0;
    free(work);
}

struct try *work_try(struct work *work)
{
    return work->on_remedy ? &work->remedy : &work->subject;
}

/* --- commits ---------------------------------------------------------------------------------- */

void work_begin_change(struct work *work, enum change_kind kind)
{
    ENSURE(!work->committing);
    arena_reset(&work->txn_arena);
    work->change = (struct change){ .kind = kind, .now_us = loop_wall_us(work->room->o.loop) };
    work->txn = (struct store_txn){ 0 };
}

static void committed(struct store_txn *txn, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    ENSURE(work->committing && txn == &work->txn);
    work->committing = false;
    watch_commit(work->room->watch, txn);
    if (txn->result == STORE_COMMITTED &&
        (txn->said == JUDGE_CONFLICT || txn->said == JUDGE_CONTRADICTED)) {
        char id[ID_TEXT_MAX];
        work->room->stats.conflicts++;
        LOG(work->room->o.log, LOG_ERROR, "payment.conflict",
            LOG_TEXT("payment", id_format(ID_PAYMENT, work->payment, id)),
            LOG_TEXT("reason", "what the channel says contradicts what is recorded"));
    }
    if (work->room->stopping) {
        work->answer =
            NULL; /* the connection is being closed; the record is taken up at next start */
        work_finish(work);
        return;
    }
    work->after_commit(work);
}

void work_commit(struct work *work, void (*after)(struct work *work))
{
    struct store_txn *txn = &work->txn;
    ENSURE(!work->committing);
    if (txn->arena == NULL) {
        txn->arena = &work->txn_arena;
        work->cut_short = work->txn_arena.overflow;
    }
    txn->judge = judge_change;
    txn->done = committed;
    txn->arg = work;
    txn->merchant = work->merchant;
    if (work->change.want_answer && txn->idem_key.len == 0 && work->idem_key.len > 0) {
        txn->idem_key = work->idem_key;
        txn->idem_answer_only = true;
        memcpy(txn->idem_mac, work->idem_mac, sizeof txn->idem_mac);
    }
    work->after_commit = after;
    if (work->cut_short) {
        /* Views into it are empty: tried again with other memory, half of it would be recorded. */
        txn->result = STORE_FAILED;
        txn->why = VIEW("memory is out");
        after(work);
        return;
    }
    work->committing = true;
    if (store_commit(work->room->o.store, txn) != STATUS_OK) {
        /* The queue is full: as good as a failed commit, and nothing was taken. */
        txn->result = STORE_FAILED;
        txn->why = VIEW("the store's queue is full");
        work->committing = false;
        after(work);
    }
}

/* What the change refers to lives in txn_arena and must stay. Rows are loaded anew, into memory of
 * their own: a disk may be full for hours, and each try takes as much as the first. */
void work_commit_again(struct work *work)
{
    const struct store_txn failed = work->txn;
    ENSURE(!work->committing);
    arena_reset(&work->again_arena);
    work->txn = (struct store_txn){ .arena = &work->again_arena,
                                    .load_payment = failed.load_payment,
                                    .load_operation = failed.load_operation,
                                    .load_attempt = failed.load_attempt,
                                    .load_parent = failed.load_parent,
                                    .spend_count = failed.spend_count,
                                    .spend_now_us = failed.spend_now_us };
    memcpy(work->txn.spends, failed.spends, failed.spend_count * sizeof failed.spends[0]);
    for (size_t i = 0; i < failed.spend_count; i++)
        work->txn.spends[i].write = false; /* the judge's word */
    work_commit(work, work->after_commit);
}

/* --- answers ---------------------------------------------------------------------------------- */

void work_answer(struct work *work, int http_status, struct view body, bool replayed)
{
    payment_answer_fn *answer = work->answer;
    if (answer == NULL)
        return;
    work->answer = NULL;
    timer_stop(&work->wait);
    key_release(work);
    work->room->waiting--;
    work->room->stats.answered++;
    work->room->stats.replayed += replayed ? 1 : 0;
    answer(work->answer_arg, http_status, body, replayed);
}

void work_answer_problem(struct work *work, enum problem problem, struct view detail)
{
    uint8_t room[2048];
    struct writer w = writer_over(room, sizeof room);
    problem_write(&w, problem, detail, NULL, 0);
    if (w.overflow) {
        w = writer_over(room, sizeof room);
        problem_write(&w, problem, VIEW_EMPTY, NULL, 0);
    }
    work_answer(work, problem_status(problem), writer_done(&w), false);
}

static void answering_free(struct answering *a)
{
    list_remove(&a->link);
    arena_reset(&a->arena);
    free(a);
}

static void answered(struct store_txn *txn, void *arg)
{
    struct answering *a = arg;
    struct work *work = a->work;
    ENSURE(txn == &a->txn);
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->answering = false;
    if (work->answer != NULL) {
        if (txn->result == STORE_COMMITTED && txn->answer_status != 0)
            work_answer(work, (int)txn->answer_status, txn->answer_body, false);
        else if (txn->result == STORE_REPLAY && txn->answer_status != 0)
            work_answer(work, (int)txn->answer_status, txn->answer_body, true);
        else
            work_answer_problem(
                work, PROBLEM_ANSWER_NOT_KEPT,
                VIEW("Repeat the request with the same key; a new key would pay twice."));
    }
    answering_free(a);
    if (work->step == WORK_DONE)
        work_end(work);
}

/* Keeps what is known now as the answer, and gives it. */
static void answer_now(struct work *work)
{
    struct answering *a = calloc(1, sizeof *a);
    if (a == NULL) {
        work_answer_problem(
            work, PROBLEM_ANSWER_NOT_KEPT,
            VIEW("Repeat the request with the same key; a new key would pay twice."));
        return;
    }
    a->work = work;
    list_append(&work->room->answerings, &a->link);
    arena_init(&a->arena, TXN_ARENA_MAX);
    struct store_txn *txn = &a->txn;
    txn->arena = &a->arena;
    txn->judge = judge_answer;
    txn->done = answered;
    txn->arg = a;
    txn->merchant = work->merchant;
    txn->idem_key = work->idem_key;
    txn->idem_answer_only = true;
    memcpy(txn->idem_mac, work->idem_mac, sizeof txn->idem_mac);
    txn->load_payment = work->payment;
    txn->load_operation = work->operation;
    work->answering = true;
    if (store_commit(work->room->o.store, txn) != STATUS_OK) {
        work->answering = false;
        answering_free(a);
        work_answer_problem(
            work, PROBLEM_ANSWER_NOT_KEPT,
            VIEW("Repeat the request with the same key; a new key would pay twice."));
    }
}

static void wait_over(struct timer *timer, void *arg)
{
    struct work *work = arg;
    (void)timer;
    ENSURE_MAGIC(work, WORK_MAGIC);
    if (work->answer == NULL || work->answering)
        return;
    if (work->committing && work->change.want_answer)
        return; /* that commit may bring the answer; if it does not, the work asks again */
    answer_now(work);
}

void work_answer_now(struct work *work)
{
    if (work->answer != NULL && !work->answering)
        answer_now(work);
}

void work_answer_overdue(struct work *work)
{
    if (!timer_is_armed(&work->wait))
        work_answer_now(work);
}

void work_finish(struct work *work)
{
    work->step = WORK_DONE;
    timer_stop(&work->later);
    work_answer_now(work); /* nothing more will happen by itself: say what is known */
    if (!work->answering)
        work_end(work);
}

void works_forget(struct payments *room)
{
    struct list *item;
    while ((item = list_take_first(&room->answerings)) != NULL) {
        struct answering *a = CONTAINER_OF(item, struct answering, link);
        arena_reset(&a->arena);
        free(a);
    }
    while (!list_empty(&room->works)) {
        struct work *work = CONTAINER_OF(room->works.next, struct work, link);
        work->committing = false;
        work->answer = NULL;
        work_end(work);
    }
}
