/* hook_side.c - what merchants do about their webhooks: make endpoints, change secrets, ask for
 * tests, look after endpoints that were disabled. Events once more: hook_resends.c.
 *
 * One call at a time. What may be repeated is repeated until it is answered; so is a change of the
 * secret, which has an Idempotency-Key: the same secret is told again.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "outbox/outbox.h"
#include "wire/http_client.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define HOOK_RUNS_PERCENT 40
#define DEAD_RUNS_PERCENT 50 /* of those: one endpoint is dead for certain, others by chance */
#define SETTLED_US        (60 * LOOP_US_PER_S) /* then no answer is on its way any more */
#define CALL_US           (20 * LOOP_US_PER_S)

enum doing {
    DOING_NOTHING = 1,
    DOING_MAKE,
    DOING_MARK,
    DOING_LOOK,
    DOING_ENABLE,
    DOING_ROTATE,
    DOING_TEST
};

/* --- answers ------------------------------------------------------------------------------------
 */

static void read_answer(struct hook_side *side, int http_status, struct view body)
{
    struct hook_endpoint *e = side->about;
    struct arena arena;
    const struct json_node *root = NULL;
    struct view text = VIEW_EMPTY;
    arena_init(&arena, (size_t)1 << 20);
    bool good = http_status / 100 == 2 && json_read(body, NULL, &arena, &root, NULL) == STATUS_OK;
    if (side->doing == DOING_ROTATE && http_status / 100 == 4 && http_status != 429 &&
        http_status != 408)
        wrong(side->world, 0, "another secret of endpoint %u was answered %d %.*s", e->index,
              http_status, (int)body.len, (const char *)body.ptr);
    if (good && (side->doing == DOING_MAKE || side->doing == DOING_ROTATE)) {
        ENSURE(json_text(json_member(root, "secret"), &text) == STATUS_OK);
        hook_add_secret(e, text);
        e->rotating = false;
    }
    if (good && side->doing == DOING_MAKE) {
        ENSURE(json_text(json_member(root, "id"), &text) == STATUS_OK &&
               view_to_text(text, e->id, sizeof e->id) == STATUS_OK);
        e->made = true;
    }
    if (good && side->doing == DOING_MARK)
        ENSURE(json_text(json_member(root, "event"), &text) == STATUS_OK &&
               id_parse(ID_EVENT, text, &e->sure_from) == STATUS_OK);
    if (http_status == 409 && side->doing == DOING_MARK) /* disabled before it was marked */
        e->found_off = true;
    if (good && (side->doing == DOING_LOOK || side->doing == DOING_ENABLE)) {
        ENSURE(json_text(json_member(root, "status"), &text) == STATUS_OK);
        e->found_off = view_is(text, "disabled");
        e->looked =
            side->world->calm && loop_now_us(side->world->loop) - side->calm_us > SETTLED_US;
    }
    arena_reset(&arena);
}

static void next_act(struct hook_side *side);

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct hook_side *side = arg;
    ENSURE_MAGIC(side, HOOK_MAGIC);
    side->calling = false;
    if (side->stopped)
        return;
    int status = answer->status == STATUS_OK ? answer->http_status : 0;
    world_tally(side->world, "webhook call %d: %d", side->doing, status);
    read_answer(side, status, answer->body);
    next_act(side);
}

/* --- calls --------------------------------------------------------------------------------------
 */

enum status hook_call(struct http_client *client, const struct merchant *merchant,
                      const char *method, const char *path, const char *key, struct view body,
                      http_done_fn *done, void *arg)
{
    char bearer[API_KEY_TEXT_MAX + 8];
    struct http_header headers[3];
    size_t count = 0;
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", merchant->key);
    headers[count++] = (struct http_header){ VIEW("Authorization"), view_text(bearer) };
    if (body.len > 0)
        headers[count++] = (struct http_header){ VIEW("Content-Type"), VIEW("application/json") };
    if (key != NULL)
        headers[count++] = (struct http_header){ VIEW("Idempotency-Key"), view_text(key) };
    return http_call(client, method, view_text(path), headers, count, body, CALL_US, done, arg,
                     NULL);
}

void hook_put_kinds(struct writer *w, const char *kinds)
{
    writer_u8(w, '"');
    for (; *kinds != '\0'; kinds++)
        if (*kinds == ' ')
            writer_text(w, "\",\"");
        else
            writer_u8(w, (uint8_t)*kinds);
    writer_u8(w, '"');
}

static int64_t draw_overlap_s(struct hook_side *side)
{
    static const int64_t overlaps_s[] = { 0, 1, 4, 15, 60, 604800 };
    return overlaps_s[dice_below(&side->dice, COUNT_OF(overlaps_s))];
}

static void act_now(struct hook_side *side, struct hook_endpoint *e, enum doing doing)
{
    char path[128], key[32], text[512];
    struct writer body = writer_over(text, sizeof text);
    const char *method = "POST", *idempotency = NULL;
    (void)snprintf(path, sizeof path, "/v1/webhook_endpoints/%s", e->id);
    switch (doing) {
    case DOING_NOTHING: return;
    case DOING_MAKE:
        (void)snprintf(path, sizeof path, "/v1/webhook_endpoints");
        (void)snprintf(key, sizeof key, "hook-%u", e->index);
        idempotency = key;
        writer_format(&body, "{\"url\":\"http://%s/hook/%u\",\"events\":[",
                      e->nobody ? "closed" : "shop", e->index);
        hook_put_kinds(&body, e->kinds);
        writer_text(&body, "]}");
        break;
    case DOING_MARK:
    case DOING_TEST: (void)strcat(path, "/test"); break;
    case DOING_LOOK: method = "GET"; break;
    case DOING_ENABLE:
        method = "PATCH";
        writer_text(&body, "{\"status\":\"enabled\"}");
        break;
    case DOING_ROTATE:
        if (!e->rotating)
            hook_secret_asked(e, draw_overlap_s(side) * LOOP_US_PER_S);
        e->rotating = true;
        (void)strcat(path, "/rotate_secret");
        (void)snprintf(key, sizeof key, "rotate-%u-%zu", e->index, e->secret_count);
        idempotency = key;
        writer_format(&body, "{\"overlap_seconds\":%lld}",
                      (long long)(e->secrets[e->secret_count].overlap_us / LOOP_US_PER_S));
        break;
    }
    side->about = e;
    side->doing = (int)doing;
    side->calling = hook_call(side->client, e->merchant, method, path, idempotency,
                              writer_done(&body), on_answer, side) == STATUS_OK;
    ENSURE(side->calling);
}

static enum doing draw_act(struct hook_side *side, struct hook_endpoint *e)
{
    uint64_t die = dice_below(&side->dice, 10);
    if (e->found_off)
        return DOING_ENABLE;
    if (die < 5 && e->secret_count > 0 && e->secret_count < HOOK_SECRETS_MAX)
        return DOING_ROTATE;
    if (die < 8)
        return DOING_TEST;
    return DOING_LOOK;
}

/* After all calmed down there is nothing more to call for. */
static bool hook_done(const struct hook_endpoint *e)
{
    return e->made && !e->rotating && (e->sure_from != 0 || e->dead) && e->looked &&
           (!e->found_off || e->dead);
}

/* What has to be done first; NOTHING: whatever is drawn. */
static enum doing due(const struct hook_endpoint *e)
{
    if (!e->made)
        return DOING_MAKE;
    if (e->rotating)
        return DOING_ROTATE;
    if (e->sure_from != 0 || e->dead)
        return DOING_NOTHING;
    return e->found_off ? DOING_ENABLE : DOING_MARK;
}

static void draw_now(struct hook_side *side, unsigned *left)
{
    struct hook_endpoint *e = &side->endpoints[dice_below(&side->dice, side->count)];
    (*left)--;
    act_now(side, e, e->dead ? DOING_LOOK : draw_act(side, e));
}

static void on_act(struct timer *timer, void *arg)
{
    struct hook_side *side = arg;
    (void)timer;
    ENSURE_MAGIC(side, HOOK_MAGIC);
    for (size_t i = 0; i < side->count; i++) {
        enum doing doing = due(&side->endpoints[i]);
        if (doing != DOING_NOTHING) {
            act_now(side, &side->endpoints[i], doing);
            return;
        }
    }
    if (!side->world->calm) {
        if (side->acts_left > 0)
            draw_now(side, &side->acts_left);
        return;
    }
    if (side->calm_acts_left > 0) {
        draw_now(side, &side->calm_acts_left);
        return;
    }
    for (size_t i = 0; i < side->count; i++) {
        struct hook_endpoint *e = &side->endpoints[i];
        if (!hook_done(e)) {
            act_now(side, e, e->found_off && !e->dead ? DOING_ENABLE : DOING_LOOK);
            return;
        }
    }
}

static void next_act(struct hook_side *side)
{
    timer_start(&side->act, dice_between(&side->dice, 1000, 4 * LOOP_US_PER_S));
}

struct waiting {
    bool done;
    int status;
    char *body;
    size_t len;
};

static void on_got(void *arg, const struct http_answer *answer)
{
    struct waiting *w = arg;
    w->done = true;
    w->status = answer->status == STATUS_OK ? answer->http_status : 0;
    w->len = answer->body.len;
    w->body = malloc(w->len + 1);
    ENSURE(w->body != NULL);
    if (w->len > 0)
        memcpy(w->body, answer->body.ptr, w->len);
    w->body[w->len] = '\0';
}

bool hook_get(struct hook_side *side, const struct merchant *merchant, const char *path,
              char **body, size_t *len)
{
    for (unsigned tries = 1;; tries++) {
        struct waiting w = { 0 };
        ENSURE(hook_call(side->client, merchant, "GET", path, NULL, VIEW_EMPTY, on_got, &w) ==
               STATUS_OK);
        while (!w.done)
            ENSURE(loop_step(side->world->loop, INT64_MAX));
        *body = w.body;
        *len = w.len;
        if (w.status == 200)
            return true;
        bool again = w.status == 429 && tries < 10000; /* some runs have a low limit */
        if (!again)
            wrong(side->world, 0, "GET %s was answered %d %s", path, w.status, w.body);
        free(w.body);
        if (!again)
            return false;
        world_pass(side->world, LOOP_US_PER_S);
    }
}

/* --- the side -----------------------------------------------------------------------------------
 */

void hook_settings(struct world *world)
{
    struct settings *s = &world->settings;
    s->webhooks_allow_http = true;
    s->webhooks_allow_private = true;
    s->webhooks_first_retry_us = LOOP_US_PER_S / 5;
    s->webhooks_give_up_us = 600 * LOOP_US_PER_S;
    s->webhooks_timeout_us = 10 * LOOP_US_PER_S;
    s->webhooks_connections = 4; /* fewer than may be slow at once */
}

/* Draws whether this run has endpoints that stay, and which. */
static enum status open_endpoints(struct hook_side *side)
{
    static const char *const kinds[] = { "*", "payment.*", "payment.succeeded refund.*",
                                         "attempt.* webhook_endpoint.disabled" };
    struct world *world = side->world;
    if (!dice_percent(&side->dice, HOOK_RUNS_PERCENT))
        return STATUS_OK;
    side->count = 2 + dice_below(&side->dice, HOOK_ENDPOINTS_MAX - 1);
    for (unsigned i = 0; i < side->count; i++)
        side->endpoints[i] =
            (struct hook_endpoint){ .side = side,
                                    .dice = &side->dice,
                                    .merchant = &world->merchants[dice_below(&side->dice, 2)],
                                    .index = i,
                                    .kinds = kinds[dice_below(&side->dice, COUNT_OF(kinds))],
                                    .dead = i > 0 && dice_percent(&side->dice, 10) };
    struct dice own = { world->options->seed ^ 0xdead }; /* moves nothing else */
    for (size_t i = 1; i < side->count; i++) {
        struct hook_endpoint *e = &side->endpoints[i];
        e->dead = e->dead || (i + 1 == side->count && dice_percent(&own, DEAD_RUNS_PERCENT));
        e->nobody = e->dead && dice_percent(&own, 50);
    }
    side->acts_left = 6 + (unsigned)dice_below(&side->dice, 30);
    side->calm_acts_left = (unsigned)dice_below(&side->dice, 12);
    if (side->server == NULL)
        TRY(hook_server_open(&side->server, side));
    timer_start(&side->act, 0);
    return STATUS_OK;
}

enum status hook_side_open(struct hook_side **out, struct world *world)
{
    struct hook_side *side = calloc(1, sizeof *side);
    if (side == NULL)
        return STATUS_NO_MEMORY;
    *side = (struct hook_side){ .magic = HOOK_MAGIC, .world = world };
    side->dice.state = world->options->seed ^ 0x4007;
    timer_init(&side->act, world->loop, on_act, side);
    *out = side;
    struct http_client_options client = { .conns_max = 1, .one_call_each = true, .owner = world };
    TRY(endpoint_parse(VIEW("gateway:80"), &client.to));
    TRY(http_client_open(&side->client, world->wire, world->loop, &client));
    TRY(hook_moves_open(&side->moves, side));
    TRY(open_endpoints(side));
    TRY(hook_resends_open(&side->resends, side));
    return hook_reads_open(&side->reads, side);
}

/* Not in a run without faults. */
void hook_side_trouble(struct hook_side *side)
{
    side->trouble = true;
}

void hook_side_calm(struct hook_side *side)
{
    side->trouble = false;
    side->calm_us = loop_now_us(side->world->loop);
    if (side->count > 0 && !side->calling)
        timer_start(&side->act, 0);
    hook_moves_calm(side->moves);
    hook_resends_calm(side->resends);
}

bool hook_side_quiet(const struct hook_side *side)
{
    struct outbox_stats stats;
    size_t changed = 0;
    bool none = side->count == 0 && hook_moves_count(side->moves) == 0;
    if (!side->world->calm) /* trouble ends when the payments have ended */
        return true;
    if (none || !hook_reads_quiet(side->reads))
        return none && hook_reads_quiet(side->reads);
    if (side->calling || (side->count > 0 && side->calm_acts_left > 0) ||
        !hook_moves_quiet(side->moves, &changed) || !hook_resends_quiet(side->resends))
        return false;
    for (size_t i = 0; i < side->count; i++)
        if (!hook_done(&side->endpoints[i]))
            return false;
    outbox_stats(gateway_outbox(side->world->gateway), &stats);
    return stats.endpoints == side->count + changed && stats.pending == 0 && stats.working == 0;
}

void hook_side_sleeps(struct hook_side *side)
{
    hook_moves_sleeps(side->moves);
}

void hook_side_stop(struct hook_side *side)
{
    side->stopped = true;
    timer_stop(&side->act);
    hook_moves_stop(side->moves);
    hook_resends_stop(side->resends);
    hook_reads_stop(side->reads);
    http_client_close(side->client);
}

/* What came, and how it was signed. */
static void forget_arrivals(struct hook_endpoint *e)
{
    hook_sign_forget(e);
    free(e->got);
}

void hook_side_close(struct hook_side *side)
{
    hook_server_close(side->server);
    for (size_t i = 0; i < side->count; i++)
        forget_arrivals(&side->endpoints[i]);
    for (size_t i = 0; i < hook_moves_count(side->moves); i++)
        forget_arrivals(&hook_moves_at(side->moves, i)->e);
    hook_moves_close(side->moves);
    hook_resends_close(side->resends);
    hook_reads_close(side->reads);
    side->magic = 0;
    free(side);
}
