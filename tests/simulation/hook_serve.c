/* hook_serve.c - the receivers of webhooks: plain bytes in, one fate for each request.
 * Whose signatures a request bears is looked at in hook_sign.c.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "base/map.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define HOOK_CONN_MAGIC 0x48434f4eu
#define REQUEST_MAX     ((size_t)1 << 20)
#define HUGE_BYTES      60000

enum fate {
    FATE_TAKEN = 1,
    FATE_SLOW,         /* taken, and said so late, perhaps too late */
    FATE_HUGE,         /* taken, with an answer larger than anybody wants */
    FATE_ERROR,        /* 500, 429, 404, 302 */
    FATE_LATER,        /* 503 with Retry-After */
    FATE_HANG,         /* never answered */
    FATE_RESET_BEFORE, /* as if it had not come */
    FATE_RESET_AFTER,
    FATE_HALF,    /* half an answer */
    FATE_GARBLED, /* no HTTP */
    FATE_GONE,    /* 410 */
};

struct hook_conn {
    uint32_t magic;
    struct list link;
    struct hook_server *server;
    struct conn *conn;
    char *in;
    size_t len, room;
    bool answering; /* one request at a time */
    struct hook_endpoint *endpoint;
    enum hook_place place; /* of one that is changed */
    int64_t seq;
    struct timer late;
};

struct hook_server {
    struct hook_side *side;
    struct listener *listener;
    struct list conns;
};

uint64_t hook_hash(struct view bytes)
{
    return siphash(0x4e55, bytes.len, bytes);
}

/* --- what came
 * ----------------------------------------------------------------------------------*/

static bool header(const char *head, const char *name, char *out, size_t room)
{
    const char *at = strcasestr(head, name);
    out[0] = '\0';
    if (at == NULL)
        return false;
    at += strlen(name);
    size_t len = strcspn(at, "\r\n");
    return view_to_text(view_trim(view_of(at, len)), out, room) == STATUS_OK;
}

static struct hook_got *find_got(struct hook_endpoint *e, int64_t seq)
{
    for (size_t i = e->got_count; i > 0; i--)
        if (e->got[i - 1].seq == seq)
            return &e->got[i - 1];
    return NULL;
}

static void note(struct hook_endpoint *e, int64_t seq, struct view body, struct view data)
{
    struct hook_side *side = e->side;
    struct hook_got *got = find_got(e, seq);
    if (got == NULL) {
        if (e->got_count == e->got_room) {
            e->got_room = e->got_room == 0 ? 64 : 2 * e->got_room;
            e->got = realloc(e->got, e->got_room * sizeof *e->got);
            ENSURE(e->got != NULL);
        }
        got = &e->got[e->got_count++];
        *got = (struct hook_got){ .seq = seq,
                                  .body_hash = hook_hash(body),
                                  .data_hash = hook_hash(data),
                                  .first_turn = ++side->turn };
    } else if (got->body_hash != hook_hash(body)) {
        wrong(side->world, 0, "webhook %lld came again with another body: %.*s", (long long)seq,
              (int)body.len, (const char *)body.ptr);
    }
    got->arrivals++;
    got->last_turn = ++side->turn;
}

/* Head and body are whole. False: it is no webhook, which was said. */
static bool take(struct hook_conn *c, const char *head, struct view body)
{
    struct hook_endpoint *e = c->endpoint;
    struct world *world = e->side->world;
    char id[64], timestamp[32], signature[160];
    struct arena arena;
    const struct json_node *root = NULL;
    struct view type, data_id, kind;
    bool good = header(head, "\r\nwebhook-id:", id, sizeof id) &&
                header(head, "\r\nwebhook-timestamp:", timestamp, sizeof timestamp) &&
                header(head, "\r\nwebhook-signature:", signature, sizeof signature) &&
                id_parse(ID_EVENT, view_text(id), &c->seq) == STATUS_OK;
    arena_init(&arena, (size_t)4 << 20);
    good = good && json_read(body, NULL, &arena, &root, NULL) == STATUS_OK;
    const struct json_node *data = json_member(root, "data");
    good = good && json_text(json_member(root, "type"), &type) == STATUS_OK &&
           json_text(json_member(data, "id"), &data_id) == STATUS_OK &&
           json_text(json_member(data, "kind"), &kind) == STATUS_OK && view_is(data_id, id) &&
           view_equal(kind, type);
    if (good) {
        world_trace(world, e->id, view_text(id));
        note(e, c->seq, body, json_raw(data, body));
        hook_signed(e, id, timestamp, signature, body);
        if (e->mover != NULL)
            hook_moves_arrival(e->mover, c->place, c->seq);
    } else {
        wrong(world, 0, "what came is no webhook: %s%.*s", head, (int)body.len,
              (const char *)body.ptr);
    }
    arena_reset(&arena);
    return good;
}

/* --- what is answered ---------------------------------------------------------------------------
 */

static enum fate draw_fate(const struct hook_endpoint *e, enum hook_place place)
{
    static const struct {
        enum fate fate;
        unsigned permille;
    } fates[] = {
        { FATE_SLOW, 60 },        { FATE_HUGE, 10 }, { FATE_ERROR, 60 },
        { FATE_LATER, 20 },       { FATE_HANG, 20 }, { FATE_RESET_BEFORE, 20 },
        { FATE_RESET_AFTER, 20 }, { FATE_HALF, 15 }, { FATE_GARBLED, 15 },
        { FATE_GONE, 8 },
    };
    struct hook_side *side = e->side;
    if (e->mover != NULL && place == PLACE_GONE)
        return FATE_GONE;
    if (e->dead || (e->mover != NULL && place == PLACE_BROKEN))
        return FATE_ERROR;
    if (!side->trouble)
        return FATE_TAKEN;
    uint64_t die = dice_below(e->dice, 1000);
    for (size_t i = 0; i < COUNT_OF(fates); i++) {
        if (die < fates[i].permille)
            return fates[i].fate;
        die -= fates[i].permille;
    }
    return FATE_TAKEN;
}

static void say(struct hook_conn *c, const char *status, const char *more, struct view body)
{
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    writer_format(&w, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, more, body.len);
    IGNORE_STATUS(conn_write(c->conn, writer_done(&w)));
    if (body.len > 0)
        IGNORE_STATUS(conn_write(c->conn, body));
    c->answering = false;
}

static void say_taken(struct hook_conn *c, struct view body)
{
    struct hook_got *got = find_got(c->endpoint, c->seq);
    ENSURE(got != NULL);
    got->taken++;
    uint64_t turn = ++c->endpoint->side->turn;
    if (got->taken_turn == 0)
        got->taken_turn = turn;
    hook_resends_taken(c->endpoint->side->resends, c->endpoint, c->seq);
    say(c, "200 OK", "", body);
}

static void say_gone(struct hook_conn *c)
{
    struct hook_endpoint *e = c->endpoint;
    e->said_gone = true;
    if (e->mover != NULL)
        e->mover->gone_places |= 1u << c->place;
    say(c, "410 Gone", "", VIEW_EMPTY);
}

static bool is_gone(const struct hook_conn *c)
{
    return c->endpoint->mover != NULL && c->place == PLACE_GONE;
}

static void on_late(struct timer *timer, void *arg)
{
    struct hook_conn *c = arg;
    (void)timer;
    ENSURE_MAGIC(c, HOOK_CONN_MAGIC);
    if (is_gone(c))
        say_gone(c);
    else
        say_taken(c, VIEW("late"));
}

static void say_error(struct hook_conn *c)
{
    static const char *const errors[] = { "500 Broken", "429 Too Many", "404 Not Found",
                                          "302 Found" };
    size_t which = c->endpoint->dead ? 0 : dice_below(c->endpoint->dice, 4);
    say(c, errors[which], which == 3 ? "Location: /elsewhere\r\n" : "", VIEW("no"));
}

static void answer(struct hook_conn *c, enum fate fate)
{
    static char huge[HUGE_BYTES];
    struct dice *dice = c->endpoint->dice;
    char more[64];
    switch (fate) {
    case FATE_TAKEN: say_taken(c, VIEW("ok")); return;
    case FATE_SLOW:
        timer_start(&c->late, dice_between(dice, 100 * LOOP_US_PER_MS, 20 * LOOP_US_PER_S));
        return;
    case FATE_HUGE: say_taken(c, view_of(huge, sizeof huge)); return;
    case FATE_ERROR: say_error(c); return;
    case FATE_LATER:
        (void)snprintf(more, sizeof more, "Retry-After: %d\r\n", (int)dice_below(dice, 30));
        say(c, "503 Later", more, VIEW_EMPTY);
        return;
    case FATE_HANG: return;
    case FATE_RESET_BEFORE:
    case FATE_RESET_AFTER: conn_abort(c->conn); return;
    case FATE_HALF:
        IGNORE_STATUS(conn_write(c->conn, VIEW("HTTP/1.1 200 OK\r\nContent-Le")));
        conn_close(c->conn);
        return;
    case FATE_GARBLED: IGNORE_STATUS(conn_write(c->conn, VIEW("HTTX 200\r\n\r\n"))); return;
    case FATE_GONE:
        if (is_gone(c)) /* often so late that its merchant has moved the endpoint meanwhile */
            timer_start(&c->late, dice_between(dice, 0, 6 * LOOP_US_PER_S));
        else
            say_gone(c);
        return;
    }
}

/* --- connections --------------------------------------------------------------------------------
 */

/* Whose request it is; NULL: nobody's. */
static struct hook_endpoint *receiver_of(struct hook_side *side, const char *head,
                                         enum hook_place *place)
{
    unsigned index = 0, at = 0;
    *place = PLACE_GOOD;
    if (sscanf(head, "POST /hook/%u HTTP/1.1\r\n", &index) == 1)
        return index < side->count ? &side->endpoints[index] : NULL;
    if (sscanf(head, "POST /moved/%u/%u HTTP/1.1\r\n", &index, &at) != 2 ||
        index >= hook_moves_count(side->moves) || at == 0 || at >= PLACE_NOBODY)
        return NULL;
    *place = (enum hook_place)at;
    return &hook_moves_at(side->moves, index)->e;
}

/* A whole request is there: takes it out. */
static void look(struct hook_conn *c)
{
    char *end = strstr(c->in, "\r\n\r\n"), number[24];
    struct hook_side *side = c->server->side;
    if (end == NULL || c->answering)
        return;
    size_t head_len = (size_t)(end - c->in) + 4;
    *end = '\0';
    unsigned long len =
        header(c->in, "\r\nContent-Length:", number, sizeof number) ? strtoul(number, NULL, 10) : 0;
    enum hook_place place;
    struct hook_endpoint *e = receiver_of(side, c->in, &place);
    if (c->len < head_len + len && e != NULL) {
        *end = '\r';
        return;
    }
    if (e == NULL) {
        wrong(side->world, 0, "a receiver was asked for something else: %s", c->in);
        conn_abort(c->conn);
        return;
    }
    c->endpoint = e;
    c->place = place;
    c->answering = true;
    enum fate fate = draw_fate(c->endpoint, place);
    world_tally(side->world, "webhook fate %d", (int)fate);
    if (fate == FATE_RESET_BEFORE || take(c, c->in, view_of(c->in + head_len, len)))
        answer(c, fate);
    size_t used = head_len + len;
    memmove(c->in, c->in + used, c->len - used + 1);
    c->len -= used;
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct hook_conn *c = arg;
    (void)conn;
    ENSURE_MAGIC(c, HOOK_CONN_MAGIC);
    ENSURE(c->len + bytes.len < REQUEST_MAX);
    if (c->len + bytes.len + 1 > c->room) {
        c->room = 2 * (c->len + bytes.len + 1);
        c->in = realloc(c->in, c->room);
        ENSURE(c->in != NULL);
    }
    memcpy(c->in + c->len, bytes.ptr, bytes.len);
    c->len += bytes.len;
    c->in[c->len] = '\0';
    look(c);
}

static void conn_free(struct hook_conn *c)
{
    timer_stop(&c->late);
    list_remove(&c->link);
    free(c->in);
    c->magic = 0;
    free(c);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct hook_conn *c = arg;
    (void)conn, (void)why;
    ENSURE_MAGIC(c, HOOK_CONN_MAGIC);
    conn_free(c);
}

static const struct conn_events hook_events = { .bytes = on_bytes, .closed = on_closed };

static void on_accept(struct listener *listener, void *arg, struct conn *conn)
{
    struct hook_server *server = arg;
    struct hook_conn *c = calloc(1, sizeof *c);
    (void)listener;
    ENSURE(c != NULL);
    c->magic = HOOK_CONN_MAGIC;
    c->server = server;
    c->conn = conn;
    timer_init(&c->late, server->side->world->loop, on_late, c);
    list_append(&server->conns, &c->link);
    conn_set_events(conn, &hook_events, c);
}

enum status hook_server_open(struct hook_server **out, struct hook_side *side)
{
    struct hook_server *server = calloc(1, sizeof *server);
    struct listen_options options = { .accept = on_accept, .arg = server, .owner = side };
    struct endpoint at;
    ENSURE(server != NULL);
    server->side = side;
    list_init(&server->conns);
    TRY(endpoint_parse(VIEW("shop:80"), &at));
    TRY(listen_open(side->world->wire, &at, &options, &server->listener));
    *out = server;
    return STATUS_OK;
}

/* After wire_close: the connections have closed. */
void hook_server_close(struct hook_server *server)
{
    if (server == NULL)
        return;
    ENSURE(list_empty(&server->conns));
    free(server);
}
