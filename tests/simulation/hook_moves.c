/* hook_moves.c - what merchants change of their webhook endpoints: where they lead to, which kinds
 * they want, enabled again, deleted.
 *
 * These endpoints are beside those of hook_side.c, with dice and a client of their own. One request
 * at a time, sent again until it is answered (a lost one may have been carried out). Before a
 * change is asked for, and after it was answered, the store is asked for the journal's end: so it
 * is known of each event whether it was committed before or after, and check_moves.c can be exact.
 * After a lost request the next change of that endpoint waits until the lost one cannot arrive any
 * more.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define MOVE_RUNS_PERCENT 30
#define HURRY_PERCENT     70
#define CALL_US           (20 * LOOP_US_PER_S)
#define LOST_US           (10 * LOOP_US_PER_S) /* reset, refused: what was read is done by then */
#define LATE_US           (60 * LOOP_US_PER_S) /* no answer: it may be held up on its way */
#define MOVES_MAGIC       0x4d4f5645u

enum doing { DOING_MAKE = 1, DOING_CHANGE, DOING_DELETE, DOING_TEST, DOING_LOOK };
enum phase { PHASE_CHOOSE = 1, PHASE_BEFORE, PHASE_CALL, PHASE_AFTER };

struct hook_moves {
    uint32_t magic;
    struct hook_side *side;
    struct dice dice;
    struct hook_mover movers[HOOK_MOVERS_MAX];
    size_t count; /* 0: this run is without */
    struct http_client *client;
    struct timer act;
    struct arena arena;
    struct store_read read;
    bool reading, calling, stopped;
    enum phase phase;
    struct hook_mover *about;
    struct hook_mover *hurry; /* is moved while its receiver says 410; or NULL */
    enum doing doing;
    struct hook_version next; /* what the change is to lead to */
    bool says_place, says_kinds;
    unsigned acts_left;
};

static const char *const all_kinds[] = { "*",
                                         "payment.*",
                                         "payment.succeeded refund.*",
                                         "attempt.*",
                                         "attempt.* webhook_endpoint.disabled",
                                         "payment.* attempt.*" };

static struct hook_version *newest(struct hook_mover *m)
{
    ENSURE(m->count > 0);
    return &m->versions[m->count - 1];
}

static void again(struct hook_moves *moves, int64_t most_us)
{
    if (!moves->stopped)
        timer_start(&moves->act, dice_between(&moves->dice, 1000, most_us));
}

void hook_url(const struct hook_mover *m, enum hook_place place, char out[64])
{
    (void)snprintf(out, 64, "http://%s/moved/%u/%d", place == PLACE_NOBODY ? "closed" : "shop",
                   m->e.index, (int)place);
}

/* --- what comes ---------------------------------------------------------------------------------
 */

/* Whether it leads there, or may: the change that leads away from there is not answered yet. */
static bool may_lead_to(const struct hook_mover *m, enum hook_place place)
{
    for (size_t i = m->count; i > 0; i--) {
        if (!m->versions[i - 1].deleted && m->versions[i - 1].place == place)
            return true;
        if (m->versions[i - 1].answered_turn != 0)
            return false;
    }
    return false;
}

/* A receiver that says 410 takes its time: often its merchant has moved the endpoint meanwhile. */
static void hurry(struct hook_moves *moves, struct hook_mover *m)
{
    if (moves->phase != PHASE_CHOOSE || moves->side->world->calm || moves->acts_left == 0 ||
        dice_percent(&moves->dice, 100 - HURRY_PERCENT))
        return;
    moves->hurry = m;
    timer_start(&moves->act, dice_between(&moves->dice, 0, 2 * LOOP_US_PER_S));
}

/* Where it does not lead any more only that may come which was under way: nothing that was
 * committed after the change was answered, nothing later than a request can be held up, and, where
 * the network does no harm, one try at most. */
void hook_moves_arrival(struct hook_mover *m, enum hook_place place, int64_t seq)
{
    struct hook_side *side = m->e.side;
    size_t left = m->count;
    if (may_lead_to(m, place)) {
        if (place == PLACE_GONE)
            hurry(side->moves, m);
        return;
    }
    while (left > 0 && (m->versions[left - 1].deleted || m->versions[left - 1].place != place))
        left--;
    if (left == 0) {
        wrong(side->world, 0, "event %lld came to a URL that endpoint %u never had (%d)",
              (long long)seq, m->e.index, (int)place);
        return;
    }
    struct hook_version *stint = &m->versions[left - 1];
    const struct hook_version *change = stint + 1; /* led away, or it would be one that may be */
    int64_t late_us = loop_now_us(side->world->loop) - change->answered_us;
    stint->strays++;
    world_tally(side->world, "webhooks: under way when it %s",
                change->deleted ? "was deleted" : "moved");
    if (seq > change->answered_seq)
        wrong(side->world, 0, "event %lld came to where endpoint %u %s before it was committed",
              (long long)seq, m->e.index, change->deleted ? "was deleted" : "had moved away");
    else if (late_us > LATE_US || (!side->trouble && !side->world->calm && stint->strays > 1))
        wrong(side->world, 0, "event %lld came to where endpoint %u %s %lld ms before (%u so far)",
              (long long)seq, m->e.index, change->deleted ? "was deleted" : "had moved away",
              (long long)(late_us / 1000), stint->strays);
}

/* --- the journal's end --------------------------------------------------------------------------
 */

static void send(struct hook_moves *moves);

static void end_read(struct store_read *read, void *arg)
{
    struct hook_moves *moves = arg;
    ENSURE_MAGIC(moves, MOVES_MAGIC);
    struct hook_mover *m = moves->about;
    struct world *world = moves->side->world;
    moves->reading = false;
    if (moves->stopped)
        return;
    if (read->result != STATUS_OK) {
        again(moves, LOOP_US_PER_S);
        return;
    }
    if (moves->phase == PHASE_BEFORE) {
        ENSURE(m->count < HOOK_VERSIONS_MAX);
        m->versions[m->count] = moves->next;
        m->versions[m->count].asked_seq = read->journal_seq;
        m->versions[m->count].asked_turn = ++moves->side->turn;
        m->versions[m->count++].asked_wall_us = loop_wall_us(world->loop);
        moves->phase = PHASE_CALL;
        send(moves);
        return;
    }
    newest(m)->answered_seq = read->journal_seq;
    newest(m)->answered_turn = ++moves->side->turn;
    newest(m)->answered_us = loop_now_us(world->loop);
    moves->phase = PHASE_CHOOSE;
    again(moves, 5 * LOOP_US_PER_S);
}

static void ask_end(struct hook_moves *moves)
{
    struct world *world = moves->side->world;
    if (world->gateway != NULL && world->life == LIFE_UP) {
        arena_reset(&moves->arena);
        moves->read = (struct store_read){
            .question = STORE_JOURNAL_ENDS, .arena = &moves->arena, .done = end_read, .arg = moves
        };
        moves->reading = store_ask(gateway_store(world->gateway), &moves->read) == STATUS_OK;
    }
    if (!moves->reading)
        again(moves, LOOP_US_PER_S);
}

void hook_moves_sleeps(struct hook_moves *moves)
{
    if (moves->reading)
        again(moves, LOOP_US_PER_S);
    moves->reading = false;
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* An endpoint as the answer shows it: is it as it was asked for? */
static void read_shown(struct hook_moves *moves, const struct json_node *root, bool *off)
{
    struct hook_mover *m = moves->about;
    struct world *world = moves->side->world;
    struct view text = VIEW_EMPTY;
    char url[64];
    hook_url(m, newest(m)->place, url);
    if (json_text(json_member(root, "url"), &text) != STATUS_OK || !view_is(text, url))
        wrong(world, 0, "endpoint %u leads to %s, and it is told %.*s", m->e.index, url,
              (int)text.len, (const char *)text.ptr);
    ENSURE(json_text(json_member(root, "status"), &text) == STATUS_OK);
    *off = view_is(text, "disabled");
    if (*off && moves->doing == DOING_CHANGE && moves->next.enables)
        wrong(world, 0, "endpoint %u was enabled, and is told disabled", m->e.index);
}

static void read_made(struct hook_mover *m, const struct json_node *root)
{
    struct view text = VIEW_EMPTY;
    ENSURE(json_text(json_member(root, "secret"), &text) == STATUS_OK);
    hook_add_secret(&m->e, text);
    ENSURE(json_text(json_member(root, "id"), &text) == STATUS_OK &&
           view_to_text(text, m->e.id, sizeof m->e.id) == STATUS_OK);
    m->e.made = true;
}

/* Answered for good; now there is what comes after it. */
static void answered(struct hook_moves *moves, int http_status, struct view body)
{
    struct hook_mover *m = moves->about;
    struct world *world = moves->side->world;
    struct arena arena;
    const struct json_node *root = NULL;
    arena_init(&arena, (size_t)1 << 20);
    if (http_status / 100 == 2)
        ENSURE(json_read(body, NULL, &arena, &root, NULL) == STATUS_OK);
    if (moves->doing == DOING_MAKE)
        read_made(m, root);
    if (moves->doing == DOING_CHANGE || moves->doing == DOING_LOOK)
        read_shown(moves, root, &m->e.found_off);
    if (moves->doing == DOING_TEST && http_status == 409)
        m->e.found_off = true;
    m->looked = moves->doing == DOING_LOOK && !m->e.found_off && world->calm &&
                newest(m)->place <= PLACE_OTHER &&
                loop_now_us(world->loop) - moves->side->calm_us > LATE_US;
    arena_reset(&arena);
    if (moves->doing <= DOING_DELETE) {
        moves->phase = PHASE_AFTER;
        ask_end(moves);
    } else {
        moves->phase = PHASE_CHOOSE;
        again(moves, 5 * LOOP_US_PER_S);
    }
}

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct hook_moves *moves = arg;
    ENSURE_MAGIC(moves, MOVES_MAGIC);
    struct hook_mover *m = moves->about;
    struct world *world = moves->side->world;
    int status = answer->status == STATUS_OK ? answer->http_status : 0;
    moves->calling = false;
    if (moves->stopped)
        return;
    world_tally(world, "webhook move %d: %d", (int)moves->doing, status);
    if (status == 0 && answer->bytes_may_have_left)
        m->not_before_us =
            loop_now_us(world->loop) + (answer->status == STATUS_TIMEOUT ? LATE_US : LOST_US);
    bool deleted = moves->doing == DOING_DELETE && status == 404; /* by one that was lost */
    if (status / 100 == 2 || deleted || (moves->doing == DOING_TEST && status == 409)) {
        answered(moves, status, answer->body);
        return;
    }
    if (status / 100 == 4 && status != 429 && status != 408)
        wrong(world, 0, "a change (%d) of endpoint %u was answered %d %.*s", (int)moves->doing,
              m->e.index, status, (int)answer->body.len, (const char *)answer->body.ptr);
    again(moves, 2 * LOOP_US_PER_S);
}

/* --- calls --------------------------------------------------------------------------------------
 */

static void put_change(struct hook_moves *moves, struct writer *body)
{
    const struct hook_version *next = &moves->next;
    bool make = moves->doing == DOING_MAKE;
    const char *between = "";
    char url[64];
    hook_url(moves->about, next->place, url);
    writer_u8(body, '{');
    if (make || moves->says_place) {
        writer_format(body, "\"url\":\"%s\"", url);
        between = ",";
    }
    if (make || moves->says_kinds) {
        writer_format(body, "%s\"events\":[", between);
        hook_put_kinds(body, next->kinds);
        writer_u8(body, ']');
        between = ",";
    }
    if (next->enables)
        writer_format(body, "%s\"status\":\"enabled\"", between);
    writer_u8(body, '}');
}

static void send(struct hook_moves *moves)
{
    struct hook_mover *m = moves->about;
    char path[128], key[48], text[512];
    struct writer body = writer_over(text, sizeof text);
    const char *method = "POST", *idempotency = NULL;
    (void)snprintf(path, sizeof path, "/v1/webhook_endpoints/%s", m->e.id);
    switch (moves->doing) {
    case DOING_MAKE:
        path[sizeof "/v1/webhook_endpoints" - 1] = '\0';
        (void)snprintf(key, sizeof key, "moved-%u", m->e.index);
        idempotency = key;
        put_change(moves, &body);
        break;
    case DOING_CHANGE:
        method = "PATCH";
        put_change(moves, &body);
        break;
    case DOING_DELETE: method = "DELETE"; break;
    case DOING_TEST:
        (void)strcat(path, "/test");
        (void)snprintf(key, sizeof key, "moved-%u-%u", m->e.index, m->tests);
        idempotency = key;
        break;
    case DOING_LOOK: method = "GET"; break;
    }
    moves->calling = hook_call(moves->client, m->e.merchant, method, path, idempotency,
                               writer_done(&body), on_answer, moves) == STATUS_OK;
    ENSURE(moves->calling);
}

/* --- what to do ---------------------------------------------------------------------------------
 */

static bool over(const struct hook_mover *m)
{
    return m->looked || (m->count > 0 && m->versions[m->count - 1].deleted);
}

static enum hook_place draw_place(struct dice *dice)
{
    static const enum hook_place places[] = { PLACE_GOOD,   PLACE_GOOD, PLACE_OTHER, PLACE_OTHER,
                                              PLACE_BROKEN, PLACE_GONE, PLACE_NOBODY };
    return places[dice_below(dice, COUNT_OF(places))];
}

/* From the newest version: what is not said stays. */
static enum doing change(struct hook_moves *moves, bool place, bool kinds, bool enables)
{
    struct dice *dice = &moves->dice;
    const struct hook_version *now = newest(moves->about);
    moves->next =
        (struct hook_version){ .place = now->place, .kinds = now->kinds, .enables = enables };
    moves->says_place = place;
    moves->says_kinds = kinds;
    while (place && moves->next.place == now->place)
        moves->next.place = draw_place(dice);
    while (kinds && moves->next.kinds == now->kinds)
        moves->next.kinds = all_kinds[dice_below(dice, COUNT_OF(all_kinds))];
    return DOING_CHANGE;
}

static enum doing draw_act(struct hook_moves *moves)
{
    const struct hook_version *now = newest(moves->about);
    uint64_t die = dice_below(&moves->dice, 100);
    bool off = moves->about->e.found_off || now->place == PLACE_GONE;
    if (off && die < 60)
        return change(moves, die < 45, die < 10, true);
    if (die < 30)
        return change(moves, true, false, false);
    if (die < 55)
        return change(moves, false, true, false);
    if (die < 65)
        return change(moves, true, true, die < 60);
    if (die < 80) {
        moves->about->tests++;
        return DOING_TEST;
    }
    if (die < 84) {
        moves->next = (struct hook_version){ .place = now->place, .deleted = true };
        return DOING_DELETE;
    }
    return DOING_LOOK;
}

/* Everything is calm: each ends enabled at a place that takes what comes. */
static enum doing last_act(struct hook_moves *moves)
{
    const struct hook_version *now = newest(moves->about);
    bool no_more = moves->about->count == HOOK_VERSIONS_MAX; /* it does not get quiet */
    if (no_more || (now->place <= PLACE_OTHER && !moves->about->e.found_off))
        return DOING_LOOK;
    enum doing doing = change(moves, now->place > PLACE_OTHER, false, true);
    if (now->place > PLACE_OTHER)
        moves->next.place = PLACE_GOOD;
    return doing;
}

static void choose(struct hook_moves *moves)
{
    bool calm = moves->side->world->calm;
    int64_t now_us = loop_now_us(moves->side->world->loop);
    struct hook_mover *m = &moves->movers[dice_below(&moves->dice, moves->count)];
    if (moves->hurry != NULL)
        m = moves->hurry;
    for (size_t i = 0; i < moves->count; i++)
        if (!moves->movers[i].e.made || (calm && !over(&moves->movers[i])))
            m = &moves->movers[i];
    if (over(m) || m->not_before_us > now_us || (!calm && m->e.made && moves->acts_left == 0)) {
        if (calm ? !over(m) : moves->acts_left > 0)
            again(moves, 5 * LOOP_US_PER_S);
        if (!calm && over(m) && moves->acts_left > 0)
            moves->acts_left--;
        return;
    }
    moves->about = m;
    if (m->count == 0) {
        moves->doing = DOING_MAKE;
        moves->next = (struct hook_version){ .place = draw_place(&moves->dice) };
        moves->next.kinds = all_kinds[dice_below(&moves->dice, COUNT_OF(all_kinds))];
    } else if (calm) {
        moves->doing = last_act(moves);
    } else {
        moves->acts_left--;
        moves->doing = m == moves->hurry && newest(m)->place == PLACE_GONE
                           ? change(moves, true, false, dice_percent(&moves->dice, 50))
                           : draw_act(moves);
    }
    moves->hurry = NULL;
    moves->phase = moves->doing <= DOING_DELETE ? PHASE_BEFORE : PHASE_CALL;
    if (moves->phase == PHASE_BEFORE)
        ask_end(moves);
    else
        send(moves);
}

static void on_act(struct timer *timer, void *arg)
{
    struct hook_moves *moves = arg;
    ENSURE_MAGIC(moves, MOVES_MAGIC);
    (void)timer;
    if (moves->calling || moves->reading || moves->stopped)
        return;
    if (moves->phase == PHASE_CHOOSE)
        choose(moves);
    else if (moves->phase == PHASE_CALL)
        send(moves);
    else
        ask_end(moves);
}

/* --- the side -----------------------------------------------------------------------------------
 */

size_t hook_moves_count(const struct hook_moves *moves)
{
    return moves->count;
}

struct hook_mover *hook_moves_at(struct hook_moves *moves, size_t index)
{
    ENSURE(index < moves->count);
    return &moves->movers[index];
}

enum status hook_moves_open(struct hook_moves **out, struct hook_side *side)
{
    struct world *world = side->world;
    struct hook_moves *moves = *out = calloc(1, sizeof *moves);
    if (moves == NULL)
        return STATUS_NO_MEMORY;
    moves->magic = MOVES_MAGIC;
    moves->side = side;
    moves->phase = PHASE_CHOOSE;
    moves->dice.state = world->options->seed ^ 0x30fe;
    arena_init(&moves->arena, (size_t)1 << 20);
    timer_init(&moves->act, world->loop, on_act, moves);
    if (!dice_percent(&moves->dice, MOVE_RUNS_PERCENT))
        return STATUS_OK;
    moves->count = 1 + dice_below(&moves->dice, HOOK_MOVERS_MAX);
    for (unsigned i = 0; i < moves->count; i++) {
        struct hook_mover *m = &moves->movers[i];
        m->e = (struct hook_endpoint){ .side = side,
                                       .dice = &moves->dice,
                                       .mover = m,
                                       .merchant = &world->merchants[dice_below(&moves->dice, 2)],
                                       .index = i };
    }
    moves->acts_left = 8 + (unsigned)dice_below(&moves->dice, 30);
    struct http_client_options client = { .conns_max = 1, .one_call_each = true, .owner = world };
    TRY(endpoint_parse(VIEW("gateway:80"), &client.to));
    TRY(http_client_open(&moves->client, world->wire, world->loop, &client));
    TRY(hook_server_open(&side->server, side));
    timer_start(&moves->act, 0);
    return STATUS_OK;
}

void hook_moves_calm(struct hook_moves *moves)
{
    if (moves->count > 0 && !moves->calling && !moves->reading)
        timer_start(&moves->act, 0);
}

bool hook_moves_quiet(const struct hook_moves *moves, size_t *left)
{
    *left = 0;
    if (moves->calling || moves->reading || moves->phase != PHASE_CHOOSE)
        return false;
    for (size_t i = 0; i < moves->count; i++) {
        const struct hook_mover *m = &moves->movers[i];
        if (!over(m))
            return false;
        *left += m->looked;
    }
    return true;
}

void hook_moves_stop(struct hook_moves *moves)
{
    moves->stopped = true;
    timer_stop(&moves->act);
    http_client_close(moves->client);
}

void hook_moves_close(struct hook_moves *moves)
{
    arena_reset(&moves->arena);
    moves->magic = 0;
    free(moves);
}
