/* check_moves.c - when all is quiet: what endpoints got that their merchants have changed, against
 * the journal.
 *
 * An endpoint is a row of versions, each from one change to the next. By which of them an event is
 * judged is decided when its turn comes: not before it was committed, nor before the event in front
 * of it was taken, and not after a later one came. What every version of that time wants must have
 * come, and have been taken before anything later came; what none of them wants must not have come.
 * Between the two (a change was asked for meanwhile) both are right. A version that was answered
 * before is not of that time: nothing is excused by a change that is not under way.
 *     An endpoint that is disabled and enabled again goes on where it stopped: whether it was
 *     disabled makes no difference to what must come.
 *     Where an event came, and how long a URL is still used after the change, is looked at when it
 *     comes (hook_moves.c). Here: no endpoint was disabled for what another URL has answered, and
 *     at the end each is as its merchant has said last, or is not there any more.
 */
#include "hooks.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

/* An event of the endpoint's merchant. */
struct turn {
    const struct line *line;
    const struct hook_got *got; /* NULL: it did not come */
    uint64_t later;             /* when the first of those behind it came; UINT64_MAX: none did */
    uint64_t before;            /* when the last of those in front of it was taken; 0: none was */
};

static int by_seq(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = ((const struct turn *)b)->line->seq;
    return left < right ? -1 : left > right;
}

static size_t read_turns(const struct hook_endpoint *e, const struct journal *j, struct turn *turns)
{
    size_t count = 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->lines[i].merchant == e->merchant->id)
            turns[count++] = (struct turn){ .line = &j->lines[i] };
    for (size_t i = 0; i < e->got_count; i++) {
        struct turn *turn = bsearch(&e->got[i].seq, turns, count, sizeof *turns, by_seq);
        if (turn != NULL)
            turn->got = &e->got[i];
        else
            wrong(e->side->world, 0,
                  "moved endpoint %u got event %lld, which is not its merchant's", e->index,
                  (long long)e->got[i].seq);
    }
    uint64_t before = 0, later = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        turns[i].before = before;
        if (turns[i].got != NULL && turns[i].got->taken_turn > before)
            before = turns[i].got->taken_turn;
    }
    for (size_t i = count; i > 0; i--) {
        turns[i - 1].later = later;
        if (turns[i - 1].got != NULL && turns[i - 1].got->first_turn < later)
            later = turns[i - 1].got->first_turn;
    }
    return count;
}

static bool wants(const struct hook_version *v, const struct line *line, int64_t id)
{
    if (v->deleted)
        return false;
    if (strcmp(line->kind, "webhook_endpoint.test") == 0)
        return line->names_endpoint == id;
    return strcmp(line->kind, "webhook_endpoint.resend") != 0 && kind_wanted(v->kinds, line->kind);
}

/* The first version by which it may be judged: the last that was answered before it was committed,
 * or (before != 0) before the one in front of it was taken. */
static size_t first_version(const struct hook_mover *m, const struct line *line, uint64_t before)
{
    size_t first = 0;
    for (size_t i = 1; i < m->count; i++) {
        const struct hook_version *v = &m->versions[i];
        if (v->answered_turn != 0 && (v->answered_seq < line->seq || v->answered_turn < before))
            first = i;
    }
    return first;
}

static bool must_come(const struct hook_mover *m, const struct turn *turn, int64_t id)
{
    uint64_t before = turn->before < turn->later ? turn->before : 0;
    if (m->versions[0].answered_seq >= turn->line->seq) /* perhaps before it was made */
        return false;
    for (size_t i = first_version(m, turn->line, before); i < m->count; i++)
        if (m->versions[i].asked_turn <= turn->later && !wants(&m->versions[i], turn->line, id))
            return false;
    return true;
}

/* By a version from `first` on that was asked for before it came? */
static bool asked_for(const struct hook_mover *m, const struct line *line, size_t first,
                      uint64_t came, int64_t id)
{
    for (size_t i = first; i < m->count; i++)
        if (m->versions[i].asked_turn <= came && wants(&m->versions[i], line, id))
            return true;
    return false;
}

static bool may_come(const struct hook_mover *m, const struct turn *turn, int64_t id)
{
    return m->versions[0].asked_seq < turn->line->seq &&
           asked_for(m, turn->line, first_version(m, turn->line, 0), turn->got->first_turn, id);
}

/* It came, and did not have to, when a later one had been taken. That is right when the later one
 * is on its way again (its 2xx was lost, or the note of it, and all is read anew from the cursor by
 * the kinds that are wanted now): so it came once more, or is not wanted any more. And it is right
 * where the network holds things up and this one is not wanted any more: it was sent before
 * that. */
static bool too_late(const struct hook_mover *m, const struct turn *turn, const struct turn *end,
                     int64_t id)
{
    uint64_t came = turn->got->first_turn;
    size_t now = 0;
    for (size_t i = 1; i < m->count; i++)
        if (m->versions[i].answered_turn != 0 && m->versions[i].answered_turn < came)
            now = i;
    if (m->e.side->world->options->faults != FAULTS_NONE &&
        !asked_for(m, turn->line, now, came, id))
        return false;
    for (const struct turn *at = turn + 1; at < end; at++) {
        bool wanted = true;
        if (at->got == NULL || at->got->taken_turn == 0 || at->got->taken_turn > came ||
            at->got->last_turn > came)
            continue;
        for (size_t i = now; i < m->count; i++)
            wanted = wanted && wants(&m->versions[i], at->line, id);
        if (wanted)
            return true;
    }
    return false;
}

/* True when it is as it must be. end: behind the last turn. */
static bool check_turn(const struct hook_mover *m, const struct turn *turn, const struct turn *end,
                       int64_t id)
{
    struct world *world = m->e.side->world;
    const struct hook_got *got = turn->got;
    const char *kind = turn->line->kind;
    long long seq = turn->line->seq;
    bool must = must_come(m, turn, id);
    if (must && got == NULL)
        wrong(world, 0, "moved endpoint %u did not get event %lld (%s)", m->e.index, seq, kind);
    else if (must && got->taken_turn == 0)
        wrong(world, 0, "moved endpoint %u has never taken event %lld (%s)", m->e.index, seq, kind);
    else if (must && got->taken_turn > turn->later)
        wrong(world, 0, "moved endpoint %u got a later event before it had taken %lld (%s)",
              m->e.index, seq, kind);
    else if (got != NULL && !may_come(m, turn, id))
        wrong(world, 0, "moved endpoint %u got event %lld (%s), which it did not ask for",
              m->e.index, seq, kind);
    else if (got != NULL && got->first_turn > turn->later && too_late(m, turn, end, id))
        wrong(world, 0, "moved endpoint %u got event %lld (%s) after it had taken a later one",
              m->e.index, seq, kind);
    else if (got != NULL && world->options->faults == FAULTS_NONE &&
             got->taken > 1 + hook_resends_of(m->e.side->resends, &m->e, seq))
        wrong(world, 0, "moved endpoint %u has taken event %lld %u times though nothing went wrong",
              m->e.index, seq, got->taken);
    else {
        world_tally(world, "webhooks: moved, %s",
                    must          ? "had to come"
                    : got != NULL ? "came, and did not have to"
                                  : "not asked for");
        return true;
    }
    return false;
}

/* Why it was disabled must be what the URL of that time has said. */
static void check_off(const struct hook_mover *m, const struct line *line)
{
    struct world *world = m->e.side->world;
    size_t at = 0, reset = 0;
    bool said = false;
    for (size_t i = 1; i < m->count; i++) {
        const struct hook_version *v = &m->versions[i];
        if (v->answered_turn == 0 || v->answered_seq >= line->seq)
            continue;
        at = i;
        if (v->enables || v->place != m->versions[i - 1].place)
            reset = i;
    }
    for (size_t i = at; i < m->count; i++)
        if (i == at || m->versions[i].asked_seq < line->seq)
            said = said || (m->gone_places >> m->versions[i].place & 1u) != 0;
    int64_t failing_us = line->time_us - m->versions[reset].asked_wall_us;
    world_tally(world, "webhooks: moved, disabled as %s", line->gone ? "gone" : "failing");
    if (line->gone && !said)
        wrong(world, 0, "moved endpoint %u was disabled as gone, and its URL (%d) never said so",
              m->e.index, (int)m->versions[at].place);
    else if (!line->gone && !world_clock_wrong(world) &&
             failing_us < world->settings.webhooks_give_up_us)
        wrong(world, 0, "moved endpoint %u was disabled %lld s after it was moved or enabled",
              m->e.index, (long long)(failing_us / LOOP_US_PER_S));
}

static void check_row(const struct hook_mover *m, int64_t id, int64_t last_due)
{
    struct world *world = m->e.side->world;
    const struct hook_version *v = &m->versions[m->count - 1];
    struct arena arena;
    char url[64];
    arena_init(&arena, (size_t)1 << 20);
    struct store_read read = { .question = STORE_ENDPOINTS, .arena = &arena, .endpoint = id };
    ENSURE(world_read(world, &read) == STATUS_OK);
    const struct endpoint_row *row = read.endpoints; /* NULL when there is none */
    hook_url(m, v->place, url);
    world_tally(world, "webhooks: moved, %s at the end", v->deleted ? "deleted" : "enabled");
    if (v->deleted ? read.count != 0 : read.count != 1)
        wrong(world, 0, "moved endpoint %u %s", m->e.index,
              v->deleted ? "was deleted, and is there" : "is not there any more");
    else if (!v->deleted && (row->status != ENDPOINT_ENABLED || !view_is(row->url, url) ||
                             !view_is(row->kinds, v->kinds)))
        wrong(world, 0, "moved endpoint %u is not enabled for %s at %s", m->e.index, v->kinds, url);
    else if (!v->deleted && row->cursor < last_due)
        wrong(world, 0, "the cursor of moved endpoint %u stands at %lld, before event %lld",
              m->e.index, (long long)row->cursor, (long long)last_due);
    arena_reset(&arena);
}

static void check_mover(struct hook_mover *m, const struct journal *j, struct turn *turns)
{
    struct world *world = m->e.side->world;
    int64_t id = 0, last_due = 0;
    bool good = true;
    if (!m->e.made) {
        wrong(world, 0, "moved endpoint %u could not be made", m->e.index);
        return;
    }
    ENSURE(id_parse(ID_ENDPOINT, view_text(m->e.id), &id) == STATUS_OK);
    size_t count = read_turns(&m->e, j, turns);
    for (size_t i = 0; i < count && good; i++) {
        const struct line *line = turns[i].line;
        good = check_turn(m, &turns[i], &turns[count], id);
        if (turns[i].got != NULL)
            last_due = line->seq;
        if (line->names_endpoint == id && strcmp(line->kind, "webhook_endpoint.disabled") == 0)
            check_off(m, line);
    }
    check_row(m, id, good ? last_due : 0);
    check_signed_and_shown(&m->e, j);
}

void check_moves(struct hook_side *side, const struct journal *j)
{
    struct turn *turns = calloc(j->count + 1, sizeof *turns);
    ENSURE(turns != NULL);
    for (size_t i = 0; i < hook_moves_count(side->moves); i++)
        check_mover(hook_moves_at(side->moves, i), j, turns);
    free(turns);
}
