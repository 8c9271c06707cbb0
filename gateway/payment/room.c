/* room.c - the room's life: open, recover, late answers, stop, close.
 *
 * Recovery: every attempt that is open on disk becomes a work again. Attempts come oldest first, so
 * the one that moves money comes before the one that reverses or inquires it and is found by its
 * id. Nothing is sent before all are read and each work has loaded its payment. Money-moving
 * attempts found open are unknown, whatever happened: their bytes may have left before the power
 * failed.
 */
#include "payment/payment_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "json/json_read.h"

#include <stdlib.h>

#define WORKS_MAX_DEFAULT 65536
#define PROBE_ROWS        20

/* Encoding leaves card data in frames that are gone. A turn may encode a hundred messages; until
 * its end others of them are alive anyway, so wiping once then leaves as little behind as after
 * each. */
static void recovery_goes_on(struct timer *timer, void *arg);

static void scrub(struct task *task)
{
    (void)task;
    vault_scrub_stack();
}

enum status payments_open(struct payments **out, const struct payments_options *options)
{
    *out = NULL;
    struct payments *room = calloc(1, sizeof *room);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    room->magic = PAYMENTS_MAGIC;
    room->o = *options;
    if (room->o.works_max == 0)
        room->o.works_max = WORKS_MAX_DEFAULT;
    room->scrub.run = scrub;
    timer_init(&room->recover, options->loop, recovery_goes_on, room);
    list_init(&room->works);
    list_init(&room->answerings);
    list_init(&room->lates);
    list_init(&room->heards);
    list_init(&room->resolvings);
    id_source_init(&room->ids, store_last_id(options->store));
    arena_init(&room->read_arena, (size_t)16 * 1024 * 1024);
    room->seal = secret_find(options->secrets, "host.seal");
    room->idem = secret_find(options->secrets, "host.idempotency");
    ENSURE(room->seal != NULL && room->idem != NULL && options->policy != NULL);
    enum status status = decide_open(room);
    if (status == STATUS_OK)
        status = hold_init(room);
    if (status != STATUS_OK) {
        hold_fini(room);
        free(room);
        return status;
    }
    /* What is on disk is taken up whatever the limit says now; twice of it must do. */
    size_t places = 2 * works_max(room, WORK_OF_LATER) + 1024;
    room->in_flight = map_open(places, loop_random_u64(options->loop));
    room->by_attempt = map_open(places, loop_random_u64(options->loop));
    room->first_of = map_open(places, loop_random_u64(options->loop));
    room->watch = watch_open(
        &(struct watch_options){ .loop = options->loop,
                                 .log = options->log,
                                 .unknown_age_us = options->settings->alert_unknown_age_us,
                                 .unknown_count = options->settings->alert_unknown_count });
    if (room->in_flight == NULL || room->by_attempt == NULL || room->first_of == NULL ||
        room->watch == NULL) {
        watch_close(room->watch);
        map_close(room->in_flight);
        map_close(room->by_attempt);
        map_close(room->first_of);
        hold_fini(room);
        free(room);
        return STATUS_NO_MEMORY;
    }
    *out = room;
    return STATUS_OK;
}

bool payments_ready(const struct payments *room)
{
    return room->ready && !room->stopping;
}

size_t payments_waiting(const struct payments *room)
{
    return room->waiting;
}

size_t payments_working(const struct payments *room)
{
    return room->work_count;
}

void payments_stats(const struct payments *room, struct payments_stats *out)
{
    *out = room->stats;
}

const struct watch *payments_watch(const struct payments *room)
{
    return room->watch;
}

/* --- recovery ----------------------------------------------------------------------------------
 */

static void recovery_page(struct payments *room, enum store_question question, int64_t after);

static void recovery_end(struct payments *room, enum status status)
{
    arena_reset(&room->read_arena);
    room->ready = status == STATUS_OK;
    if (status != STATUS_OK)
        LOG(room->o.log, LOG_ERROR, "payment.recovery_failed", LOG_STATUS("status", status));
    else if (room->stats.recovered > 0)
        LOG(room->o.log, LOG_WARN, "payment.recovered", LOG_INT("attempts", room->stats.recovered));
    if (status == STATUS_OK)
        hold_start(room);
    room->recovered(room->recovered_arg, status);
}

static struct view attempt_key(const int64_t *id)
{
    return view_of(id, sizeof *id);
}

/* Its age is what the wall clock says now; none when that was set back meanwhile. */
static void try_from(struct try *try, const struct attempt_row *row, struct channel *channel,
                     struct loop *loop)
{
    int64_t age_us = loop_wall_us(loop) - row->time_us;
    *try = (struct try){ .attempt = row->id,
                         .verb = row->verb,
                         .channel = channel,
                         .amount = row->amount,
                         .original = row->original,
                         .trace = row->trace,
                         .tries = row->tries,
                         .found = row->state,
                         .time_us = row->time_us,
                         .since_us = loop_now_us(loop) - (age_us > 0 ? age_us : 0) };
    memcpy(try->random, row->random, sizeof try->random);
}

/* The attempt stays open on disk, and nobody drives it until the next start. */
static void recovery_impossible(struct payments *room, int64_t attempt, struct view channel,
                                enum status why)
{
    char id[ID_TEXT_MAX];
    const char *what_to_do =
        why == STATUS_NOT_FOUND  ? "configure the channel it was recorded with, and restart"
        : why == STATUS_MISMATCH ? "restore the host key file (secrets.pepper_file) it was "
                                   "recorded with, and restart"
                                 : "its record is damaged: restore the database";
    LOG(room->o.log, LOG_ERROR, "payment.recovery_impossible",
        LOG_TEXT("attempt", id_format(ID_ATTEMPT, attempt, id)), LOG_VIEW("channel", channel),
        LOG_STATUS("status", why), LOG_TEXT("what_to_do", what_to_do));
}

static enum status take_up(struct payments *room, const struct attempt_row *row)
{
    struct channel *channel = channels_find(room->o.channels, row->channel);
    bool remedy = row->parent != 0;
    struct work *work = remedy ? map_get(room->by_attempt, attempt_key(&row->parent)) : NULL;
    bool orphan = remedy && work == NULL;
    if (work == NULL)
        work = work_new(room, WORK_RECOVERED);
    if (work == NULL)
        return STATUS_NO_MEMORY;
    work->orphan = orphan;
    if (orphan)
        work->subject.attempt = row->parent;
    struct try *try = remedy ? &work->remedy : &work->subject;
    work->on_remedy = remedy;
    work->recovered = true;
    work->merchant = row->merchant;
    work->payment = row->payment;
    work->operation = row->operation;
    if (!remedy) {
        work->kind = row->verb;
        /* What is being closed because nobody paid in time was pending, too. */
        work->pending =
            row->state == ATTEMPT_PENDING || (row->state == ATTEMPT_REVERSING && row->next_us != 0);
        work->expires_us = work->pending ? row->next_us : 0;
    }
    try_from(try, row, channel, room->o.loop);
    enum status status = channel != NULL ? STATUS_OK : STATUS_NOT_FOUND;
    if (status == STATUS_OK &&
        currency_by_code(view_text(row->currency), &work->currency) != STATUS_OK)
        status = STATUS_MALFORMED;
    if (status == STATUS_OK)
        status = refs_unseal(room->seal, row->payment, row->refs, &work->keep, &try->refs);
    if (status == STATUS_NO_MEMORY && work->keep.starved)
        return status; /* the next start may have it; what is too large never fits */
    if (status != STATUS_OK) {
        recovery_impossible(room, row->id, row->channel, status);
        work->step = WORK_DONE;
        return STATUS_OK;
    }
    room->stats.recovered++;
    if (remedy)
        return STATUS_OK;
    work_listen(work);
    if (work->known_to_notices)
        return STATUS_OK;
    LOG(room->o.log, LOG_ERROR, "payment.recovery_too_large",
        LOG_TEXT("what_to_do",
                 "raise limits.payments_in_flight: more attempts are open than twice of it"));
    return STATUS_FULL;
}

/* Why the channel was picked stands in what merchants saw last; the next outcome shall say it too.
 */
static void keep_route(struct work *work, struct view outcome_json)
{
    const struct json_node *root = NULL, *route;
    struct view why = VIEW_EMPTY;
    struct view object = arena_format(&work->txn_arena, "{%.*s}", (int)outcome_json.len,
                                      (const char *)outcome_json.ptr);
    if (outcome_json.len > 0 &&
        json_read(object, NULL, &work->txn_arena, &root, NULL) == STATUS_OK &&
        (route = json_member(root, "route")) != NULL && json_member(route, "why") != NULL &&
        json_text(json_member(route, "why"), &why) == STATUS_OK) {
        work->candidates[0] = work->subject.channel;
        work->candidate_why[0] = arena_copy(&work->keep, why);
        work->candidate_count = work->candidate_next = 1;
    }
    arena_reset(&work->txn_arena);
}

static void resume_load(struct work *work);

static void resume_again(struct timer *timer, void *arg)
{
    (void)timer;
    resume_load(arg);
}

/* It is still being loaded: whoever looks for a work that waits does not find it. */
void work_resume_later(struct work *work)
{
    char id[ID_TEXT_MAX];
    LOG(work->room->o.log, LOG_ERROR, "payment.recovery_postponed",
        LOG_TEXT("payment", id_format(ID_PAYMENT, work->payment, id)));
    work->step = WORK_LOAD;
    work->change.want_answer = false; /* no commit is under way that could bring it */
    arena_retry(&work->keep);
    work->later.fire = resume_again;
    timer_start(&work->later, LOOP_US_PER_S);
    work_answer_overdue(work);
}

static void resume_loaded(struct store_read *read, void *arg)
{
    struct work *work = arg;
    ENSURE_MAGIC(work, WORK_MAGIC);
    work->committing = false;
    if (work->room->stopping) {
        work->answer = NULL;
        work_finish(work);
        return;
    }
    enum status status = read->result, unsealed = STATUS_OK;
    if (status == STATUS_OK)
        unsealed = refs_unseal(work->room->seal, work->payment, read->payments[0].refs, &work->keep,
                               &work->payment_refs);
    if ((status != STATUS_OK && status != STATUS_NOT_FOUND) || unsealed == STATUS_NO_MEMORY) {
        work_resume_later(work); /* the store works again some time, and memory comes back */
        return;
    }
    if (status != STATUS_OK || unsealed != STATUS_OK) {
        recovery_impossible(work->room, work_try(work)->attempt,
                            view_text(channel_name(work_try(work)->channel)),
                            status != STATUS_OK ? STATUS_MALFORMED : unsealed);
        work_finish(work);
        return;
    }
    keep_route(work, read->payments[0].outcome_json);
    if (work->pending && !work->on_remedy && read->payments[0].status == PAYMENT_CANCELED) {
        settle_canceled(work); /* the cancel was recorded, the end of what it canceled was not */
        return;
    }
    resume_open(work);
}

static void resume_load(struct work *work)
{
    work->step = WORK_LOAD;
    arena_reset(&work->again_arena); /* not `keep`: a disk may be unreadable for hours */
    work->read = (struct store_read){ .question = STORE_ONE_PAYMENT,
                                      .arena = &work->again_arena,
                                      .payment = work->payment,
                                      .done = resume_loaded,
                                      .arg = work };
    work->committing = true;
    if (store_ask(work->room->o.store, &work->read) != STATUS_OK) {
        work->committing = false;
        work_resume_later(work);
    }
}

static void orphan_closed(struct work *work)
{
    if (work->txn.result == STORE_FAILED)
        work_commit_later(work);
    else
        work_finish(work);
}

/* The subject is known, so the row of the remedy is all that is left to do. */
static void close_orphan(struct work *work)
{
    work->step = WORK_SETTLE;
    work_begin_change(work, CHANGE_CLOSE);
    work->change.try = work->remedy;
    work->change.reason = VIEW("what it was to find out was known before the restart");
    work->txn.load_payment = work->payment;
    work->txn.load_operation = work->operation;
    work->txn.load_attempt = work->remedy.attempt;
    work->txn.load_parent = work->subject.attempt;
    work_commit(work, orphan_closed);
}

#define RECOVER_AT_ONCE 1000

static void recovery_start_works(struct payments *room)
{
    struct list *next;
    for (struct list *item = room->works.next; item != &room->works; item = next) {
        struct work *work = CONTAINER_OF(item, struct work, link);
        next = item->next;
        if (!work->recovered || (work->step != WORK_LOOKUP && work->step != WORK_DONE))
            continue; /* not of then, or on its way already */
        if (store_pending(room->o.store) >= RECOVER_AT_ONCE) {
            timer_start(&room->recover, LOOP_US_PER_MS);
            return;
        }
        if (work->step == WORK_DONE)
            work_end(work);
        else if (work->orphan)
            close_orphan(work);
        else
            resume_load(work);
    }
    recovery_end(room, STATUS_OK);
}

static void recovery_goes_on(struct timer *timer, void *arg)
{
    struct payments *room = arg;
    (void)timer;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (!room->stopping)
        recovery_start_works(room);
}

static void recovery_read(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (room->stopping)
        return;
    enum status status = read->result;
    bool open = read->question == STORE_ATTEMPTS_OPEN;
    int64_t last = 0;
    for (size_t i = 0; i < read->count && status == STATUS_OK; i++) {
        watch_note(room->watch, &read->attempts[i]);
        if (open)
            status = take_up(room, &read->attempts[i]);
        last = read->attempts[i].id;
    }
    if (status != STATUS_OK)
        recovery_end(room, status);
    else if (read->more)
        recovery_page(room, read->question, last);
    else if (open)
        recovery_page(room, STORE_ATTEMPTS_UNSETTLED, 0);
    else
        recovery_start_works(room);
}

/* Open attempts are taken up; those that wait for a person are only counted. */
static void recovery_page(struct payments *room, enum store_question question, int64_t after)
{
    arena_reset(&room->read_arena);
    room->read = (struct store_read){ .question = question,
                                      .states = 1u << ATTEMPT_PARKED | 1u << ATTEMPT_CONFLICT,
                                      .arena = &room->read_arena,
                                      .after = after,
                                      .done = recovery_read,
                                      .arg = room };
    enum status asked = store_ask(room->o.store, &room->read);
    if (asked != STATUS_OK)
        recovery_end(room, asked);
}

/* Any payment tells whether our host key is the one that the records were sealed with. With another
 * key nothing could be captured, refunded or reversed, and no API key would be known: better not to
 * start. */
static void recovery_probe(struct store_read *read, void *arg);

/* One row at a time: an older one that cannot be read is none of the probe's business. */
static void probe_before(struct payments *room, int64_t id)
{
    arena_reset(&room->read_arena);
    room->read = (struct store_read){ .question = STORE_PAYMENTS,
                                      .arena = &room->read_arena,
                                      .after = id,
                                      .limit = 1,
                                      .done = recovery_probe,
                                      .arg = room };
    enum status asked = store_ask(room->o.store, &room->read);
    if (asked != STATUS_OK)
        recovery_end(room, asked);
}

static void recovery_probe(struct store_read *read, void *arg)
{
    struct payments *room = arg;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    struct view plain;
    if (room->stopping)
        return;
    const struct payment_row *row = read->count > 0 ? &read->payments[0] : NULL;
    bool sealed = row != NULL && row->refs.len > 0;
    enum status status = read->result;
    if (status == STATUS_OK && sealed)
        status = refs_unseal(room->seal, row->id, row->refs, &room->read_arena, &plain);
    if (status != STATUS_OK && status != STATUS_MISMATCH) {
        recovery_end(room, status);
    } else if (status == STATUS_MISMATCH) {
        LOG(room->o.log, LOG_ERROR, "payment.wrong_host_key",
            LOG_TEXT("what_to_do", "restore the host key file (secrets.pepper_file) that belongs "
                                   "to this database, or start with an empty database"));
        recovery_end(room, STATUS_MISMATCH);
    } else if (row != NULL && !sealed && ++room->probed < PROBE_ROWS) {
        probe_before(room, row->id); /* denied or held: nothing of it is sealed in the row */
    } else {
        recovery_page(room, STORE_ATTEMPTS_OPEN, 0);
    }
}

void payments_recover(struct payments *room, void (*recovered)(void *arg, enum status status),
                      void *arg)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->recovered = recovered;
    room->recovered_arg = arg;
    probe_before(room, 0);
}

/* --- late answers
 * --------------------------------------------------------------------------------- */

struct late {
    struct list link;
    struct payments *room;
    struct channel *channel;
    struct arena arena, rows; /* what was said; what the store loads, of each try */
    struct exchange_command asked;
    struct exchange_result said; /* texts and refs in `arena`; the rest of its views are empty */
    struct change change;
    struct store_txn txn;
    struct timer again;
};

static void late_free(struct late *late)
{
    list_remove(&late->link);
    timer_stop(&late->again);
    arena_reset(&late->arena);
    arena_reset(&late->rows);
    free(late);
}

/* Nobody says it again: it is kept until it is recorded, or we end. Each time with all it says: the
 * process may be killed before it is. */
static void late_not_recorded(struct late *late, struct view why, bool may_work)
{
    bool kept = may_work && !late->room->stopping;
    late_answer_log(late->room->o.log,
                    kept ? "payment.late_answer_not_recorded" : "payment.late_answer_lost",
                    late->channel, &late->asked, &late->said, why);
    if (kept)
        timer_start(&late->again, LOOP_US_PER_S);
    else
        late_free(late);
}

static void late_recorded(struct store_txn *txn, void *arg)
{
    struct change *change = arg;
    struct late *late = CONTAINER_OF(change, struct late, change);
    struct payments *room = late->room;
    watch_commit(room->watch, txn);
    if (txn->result != STORE_COMMITTED) {
        late_not_recorded(late, txn->why, txn->result == STORE_FAILED && !txn->own_fault);
        return;
    }
    if (txn->write_attempt == STORE_UPDATE) { /* else it was one before, or is none */
        char id[ID_TEXT_MAX];
        room->stats.conflicts++;
        LOG(room->o.log, LOG_ERROR, "payment.conflict",
            LOG_TEXT("payment", id_format(ID_PAYMENT, txn->attempt.payment, id)),
            LOG_TEXT("reason", change->contradicted
                                   ? "a late answer is about another amount or currency"
                                   : "an approval came after the attempt had ended without one"));
    }
    late_free(late);
}

static void late_commit(struct timer *timer, void *arg)
{
    struct late *late = arg;
    (void)timer;
    arena_reset(&late->rows);
    late->change.now_us = loop_wall_us(late->room->o.loop); /* others may have written meanwhile */
    late->txn = (struct store_txn){ .arena = &late->rows,
                                    .judge = judge_late,
                                    .done = late_recorded,
                                    .arg = &late->change,
                                    .load_attempt = late->asked.attempt_id };
    if (store_commit(late->room->o.store, &late->txn) != STATUS_OK)
        late_not_recorded(late, VIEW("the store's queue is full"), true);
}

size_t payments_lates(const struct payments *room)
{
    size_t count = 0;
    for (const struct list *at = room->lates.next; at != &room->lates; at = at->next)
        count++;
    return count;
}

/* What people and the record need of it. False: no memory now. */
static bool late_keep_said(struct late *late, const struct exchange_result *said)
{
    struct arena *arena = &late->arena;
    late->said = (struct exchange_result){ .outcome = said->outcome,
                                           .conflict = said->conflict,
                                           .late = true,
                                           .category = said->category,
                                           .amount_minor = said->amount_minor,
                                           .latency_us = said->latency_us,
                                           .rail_code = arena_copy(arena, said->rail_code),
                                           .reference = arena_copy(arena, said->reference),
                                           .refs = arena_copy(arena, said->refs) };
    late->change = (struct change){ .outcome = said->outcome,
                                    .contradicted = said->conflict,
                                    .rail_code = late->said.rail_code,
                                    .channel = view_text(channel_name(late->channel)),
                                    .public_refs = refs_members(arena, said->refs),
                                    .latency_us = said->latency_us,
                                    .reason = VIEW("an answer came after its time") };
    return !arena->starved;
}

enum status payments_late_answer(void *payments, struct channel *channel,
                                 const struct exchange_command *asked,
                                 const struct exchange_result *result)
{
    struct payments *room = payments;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    if (room->stopping)
        return STATUS_BUSY;
    struct late *late = calloc(1, sizeof *late);
    if (late == NULL)
        return STATUS_NO_MEMORY;
    late->room = room;
    late->channel = channel;
    late->asked = *asked;
    late->asked.details = late->asked.refs = VIEW_EMPTY;
    arena_init(&late->arena, TXN_ARENA_MAX);
    arena_init(&late->rows, TXN_ARENA_MAX);
    timer_init(&late->again, room->o.loop, late_commit, late);
    list_append(&room->lates, &late->link);
    if (!late_keep_said(late, result)) {
        late_free(late);
        return STATUS_NO_MEMORY;
    }
    late_commit(&late->again, late);
    return STATUS_OK;
}

/* --- stop, close
 * ------------------------------------------------------------------------------------ */

void payments_stop(struct payments *room)
{
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    room->stopping = true;
    struct list *next;
    for (struct list *item = room->lates.next; item != &room->lates; item = next) {
        struct late *late = CONTAINER_OF(item, struct late, link);
        next = item->next;
        if (timer_is_armed(&late->again)) { /* else its commit is on its way */
            timer_stop(&late->again);
            late_commit(&late->again, late);
        }
    }
    for (struct list *item = room->works.next; item != &room->works; item = next) {
        struct work *work = CONTAINER_OF(item, struct work, link);
        next = item->next;
        if (work->committing)
            continue; /* ends when the store gives its memory back */
        work->answer = NULL;
        work_finish(work);
    }
}

void payments_close(struct payments *room)
{
    if (room == NULL)
        return;
    ENSURE_MAGIC(room, PAYMENTS_MAGIC);
    loop_forget(room->o.loop, &room->scrub);
    timer_stop(&room->recover);
    works_forget(room);
    struct list *item;
    while ((item = list_take_first(&room->lates)) != NULL)
        late_free(CONTAINER_OF(item, struct late, link));
    heards_forget(room);
    resolvings_forget(room);
    watch_close(room->watch);
    hold_fini(room);
    map_close(room->in_flight);
    map_close(room->by_attempt);
    map_close(room->first_of);
    arena_reset(&room->read_arena);
    room->magic = 0;
    free(room);
}
