/* hook_resends.c - merchants ask for events once more: of their own endpoints, and of those that
 * are moved (hook_moves.c), with dice and a client of their own.
 *
 * One at a time. Most have an Idempotency-Key and are sent again, the same bytes, until they are
 * answered for good, some of them once more after that. Without a key each try is carried out, and
 * what is not answered is asked again now and then.
 *     An event may be resent to an endpoint that never asked for its kind, or for which it came too
 * early: then it comes by the resend alone, and its place in the order is known (check_hooks.c). To
 * an endpoint that changes only what it has taken already is sent again, so that what
 * check_moves.c looks at, first arrivals, is as without.
 *     What must be true at the end is in check_resends.c.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define RESENDS_MAX    40
#define RESENDS_MAGIC  0x52534e44u
#define KEYED_PERCENT  70
#define AGAIN_PERCENT  30 /* of those: once more after the answer */
#define PATIENCE_TRIES 2  /* of one without a key */

struct hook_resends {
    uint32_t magic;
    struct hook_side *side;
    struct dice dice;
    struct http_client *client;
    struct timer act;
    struct hook_resend all[RESENDS_MAX];
    size_t count, most;
    bool running; /* the last one is not answered for good */
    bool calling, stopped;
};

static void again(struct hook_resends *resends, int64_t most_us)
{
    if (!resends->stopped)
        timer_start(&resends->act, dice_between(&resends->dice, 1000, most_us));
}

static struct hook_resend *newest(struct hook_resends *resends)
{
    ENSURE(resends->count > 0);
    return &resends->all[resends->count - 1];
}

static bool is_deleted(const struct hook_endpoint *e)
{
    return e->mover != NULL && e->mover->count > 0 &&
           e->mover->versions[e->mover->count - 1].deleted;
}

/* --- what is asked for --------------------------------------------------------------------------
 */

static struct hook_endpoint *draw_endpoint(struct hook_resends *resends)
{
    struct hook_side *side = resends->side;
    size_t moved = hook_moves_count(side->moves);
    size_t which = dice_below(&resends->dice, side->count + moved);
    if (which >= side->count)
        return &hook_moves_at(side->moves, which - side->count)->e;
    return &side->endpoints[which];
}

/* An event that came to one of its merchant's endpoints; 0: none. */
static int64_t draw_event(struct hook_resends *resends, const struct hook_endpoint *e)
{
    struct hook_side *side = resends->side;
    const struct hook_endpoint *from = e;
    if (e->mover == NULL && dice_percent(&resends->dice, 50))
        from = &side->endpoints[dice_below(&resends->dice, side->count)];
    if (from->merchant != e->merchant || from->got_count == 0)
        return 0;
    /* Half of them: of the last few. */
    size_t among = from->got_count;
    if (dice_percent(&resends->dice, 50) && among > 4)
        among = 4;
    const struct hook_got *got =
        &from->got[from->got_count - 1 - dice_below(&resends->dice, among)];
    return e->mover != NULL && got->taken_turn == 0 ? 0 : got->seq;
}

static bool choose(struct hook_resends *resends)
{
    struct hook_endpoint *e = draw_endpoint(resends);
    int64_t event = draw_event(resends, e);
    /* Not before what came first is known. */
    if (event == 0 || !e->made || e->dead || is_deleted(e) || e->found_off ||
        (e->mover == NULL && e->sure_from == 0))
        return false;
    resends->all[resends->count++] =
        (struct hook_resend){ .e = e,
                              .event = event,
                              .asked_turn = ++resends->side->turn,
                              .keyed = dice_percent(&resends->dice, KEYED_PERCENT) };
    resends->running = true;
    return true;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static void on_answer(void *arg, const struct http_answer *answer);

static void send(struct hook_resends *resends)
{
    struct hook_resend *r = newest(resends);
    char path[96], key[32], text[96], id[ID_TEXT_MAX];
    struct writer body = writer_over(text, sizeof text);
    (void)snprintf(path, sizeof path, "/v1/events/%s/resend", id_format(ID_EVENT, r->event, id));
    (void)snprintf(key, sizeof key, "resend-%zu", resends->count);
    writer_format(&body, "{\"endpoint\":\"%s\"}", r->e->id);
    r->tries++;
    resends->calling =
        hook_call(resends->client, r->e->merchant, "POST", path, r->keyed ? key : NULL,
                  writer_done(&body), on_answer, resends) == STATUS_OK;
    ENSURE(resends->calling);
}

static void check_said(const struct hook_resend *r, struct view body)
{
    char text[128], id[ID_TEXT_MAX];
    (void)snprintf(text, sizeof text, "{\"endpoint\":\"%s\",\"event\":\"%s\"}", r->e->id,
                   id_format(ID_EVENT, r->event, id));
    if (!view_is(body, text))
        wrong(r->e->side->world, 0, "a resend was asked for as %s, and answered %.*s", text,
              (int)body.len, (const char *)body.ptr);
}

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct hook_resends *resends = arg;
    ENSURE_MAGIC(resends, RESENDS_MAGIC);
    struct hook_resend *r = newest(resends);
    struct world *world = resends->side->world;
    int status = answer->status == STATUS_OK ? answer->http_status : 0;
    resends->calling = false;
    if (resends->stopped)
        return;
    world_tally(world, "webhook resend%s: %d", r->keyed ? "" : " without key", status);
    if (status == 202) {
        check_said(r, answer->body);
        r->said++;
    }
    bool refused = status == 409 || (status == 404 && is_deleted(r->e));
    bool later = status == 0 || status >= 500 || status == 429 || status == 408;
    if (status != 202 && !refused && !later)
        wrong(world, 0, "a resend to endpoint %u was answered %d %.*s", r->e->index, status,
              (int)answer->body.len, (const char *)answer->body.ptr);
    if (r->keyed)
        resends->running =
            later || (status == 202 && r->said == 1 && dice_percent(&resends->dice, AGAIN_PERCENT));
    else
        resends->running = later && r->tries < PATIENCE_TRIES;
    again(resends, (resends->running ? 4 : 3) * LOOP_US_PER_S);
}

static void on_act(struct timer *timer, void *arg)
{
    struct hook_resends *resends = arg;
    ENSURE_MAGIC(resends, RESENDS_MAGIC);
    (void)timer;
    if (resends->calling || resends->stopped)
        return;
    bool more = !resends->side->world->calm && resends->count < resends->most;
    if (resends->running || (more && choose(resends)))
        send(resends);
    else if (more)
        again(resends, LOOP_US_PER_S);
}

/* --- what comes ---------------------------------------------------------------------------------
 */

void hook_resends_taken(struct hook_resends *resends, const struct hook_endpoint *e, int64_t event)
{
    for (size_t i = 0; i < resends->count; i++)
        if (resends->all[i].e == e && resends->all[i].event == event)
            resends->all[i].takes++;
}

unsigned hook_resends_of(const struct hook_resends *resends, const struct hook_endpoint *e,
                         int64_t event)
{
    unsigned count = 0;
    for (size_t i = 0; i < resends->count; i++)
        count += resends->all[i].e == e && resends->all[i].event == event;
    return count;
}

const struct hook_resend *hook_resends_all(const struct hook_resends *resends, size_t *count)
{
    *count = resends->count;
    return resends->all;
}

/* --- the side -----------------------------------------------------------------------------------
 */

enum status hook_resends_open(struct hook_resends **out, struct hook_side *side)
{
    struct hook_resends *resends = *out = calloc(1, sizeof *resends);
    if (resends == NULL)
        return STATUS_NO_MEMORY;
    resends->magic = RESENDS_MAGIC;
    resends->side = side;
    resends->dice.state = side->world->options->seed ^ 0x5e4d;
    timer_init(&resends->act, side->world->loop, on_act, resends);
    if (side->count == 0 && hook_moves_count(side->moves) == 0)
        return STATUS_OK;
    resends->most = 2 + dice_below(&resends->dice, RESENDS_MAX - 1);
    struct http_client_options client = { .conns_max = 1,
                                          .one_call_each = true,
                                          .owner = side->world };
    TRY(endpoint_parse(VIEW("gateway:80"), &client.to));
    TRY(http_client_open(&resends->client, side->world->wire, side->world->loop, &client));
    again(resends, LOOP_US_PER_S);
    return STATUS_OK;
}

void hook_resends_calm(struct hook_resends *resends)
{
    if (resends->running && !resends->calling)
        timer_start(&resends->act, 0);
}

bool hook_resends_quiet(const struct hook_resends *resends)
{
    return !resends->running && !resends->calling;
}

void hook_resends_stop(struct hook_resends *resends)
{
    resends->stopped = true;
    timer_stop(&resends->act);
    http_client_close(resends->client);
}

void hook_resends_close(struct hook_resends *resends)
{
    resends->magic = 0;
    free(resends);
}
