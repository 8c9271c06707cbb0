/* ask.c - one request of a merchant, sent until there is a final answer.
 *
 * A try is a connection of its own with HTTP/1.1 on it. It ends with an answer, or with a broken
 * connection, or when the merchant's patience is over; then the same request with the same
 * Idempotency-Key is tried again after a while. Final is every answer but 5xx, 408, 429 and "the
 * first request with this key is still running". That answer is kept: whatever is answered to the
 * same key later must be the same bytes.
 */
#include "sim.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define CALL_MAGIC  0x43414c21u
#define ANSWER_MAX  ((size_t)64 * 1024)
#define TRIES_MAX   2000
#define SENTRY_BYTE 1 /* room for a zero byte behind the answer */
#define ANSWER_ROOM 4096
/* A merchant waits longer after each try, as whoever is told "later" should: a disk that is sick
 * for minutes is not asked thousands of times by each of them. */
#define WAIT_LEAST_US   10000
#define WAIT_MOST_US    (3 * LOOP_US_PER_S)
#define TRIES_IMPATIENT 1 /* before the first doubling */
#define DOUBLINGS_MAX   5

struct call {
    uint32_t magic;
    struct ask *ask; /* NULL: nobody waits for it any more */
    struct conn *conn;
    char *in;
    size_t in_len, in_room;
};

static void try_again(struct ask *ask);
static void answer_changes(struct ask *ask);
static void try_now(struct timer *timer, void *arg);

/* --- the answer --------------------------------------------------------------------------------
 */

/* The answer's parts when all of it is there. */
static bool answer_parts(const struct call *call, int *status, struct view *body)
{
    char *head_end = strstr(call->in, "\r\n\r\n");
    char *length = strstr(call->in, "\r\nContent-Length: ");
    if (head_end == NULL || length == NULL || length > head_end ||
        sscanf(call->in, "HTTP/1.1 %d", status) != 1)
        return false;
    size_t len = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    size_t at = (size_t)(head_end - call->in) + 4;
    if (call->in_len < at + len)
        return false;
    *body = view_of(call->in + at, len);
    return true;
}

static bool is_final(int status, struct view body)
{
    static const char running[] = "\"code\":\"idempotency_key_running\"";
    if (status >= 500 || status == 408 || status == 429)
        return false;
    return status != 409 || body.len == 0 ||
           memmem(body.ptr, body.len, running, sizeof running - 1) == NULL;
}

static void compare(struct ask *ask, int status, struct view body)
{
    struct world *world = ask->world;
    world->replays++;
    /* A confirmation that was refused before anything was recorded leaves its key free. */
    if (ask->verb > OPERATION_REFUND && ask->status == 409)
        return;
    if (status != ask->status || !view_equal(body, view_of(ask->answer, ask->answer_len)))
        wrong(world, ask->story->payment,
              "%s %s was answered %d %.*s before, and now, with the same key, %d %.*s", ask->path,
              ask->key, ask->status, (int)ask->answer_len, ask->answer, status, (int)body.len,
              (const char *)body.ptr);
}

static void keep(struct ask *ask, int status, struct view body)
{
    struct world *world = ask->world;
    answer_changes(ask);
    free(ask->answer);
    ask->answer = malloc(body.len + SENTRY_BYTE);
    ENSURE(ask->answer != NULL);
    memcpy(ask->answer, body.ptr, body.len);
    ask->answer[body.len] = '\0';
    ask->answer_len = body.len;
    ask->status = status;
    if (world->options->plant == PLANT_ALTERED && !world->planted &&
        ask->verb != OPERATION_INQUIRE && body.len > 40) {
        ask->answer[40] ^= 1;
        world->planted = true;
    }
}

static void answered(struct ask *ask, int status, struct view body)
{
    struct world *world = ask->world;
    char text[48];
    (void)snprintf(text, sizeof text, "%s %d", ask->key, status);
    world_trace(world, text, body);
    world_tally(world, "answer %s %d%s", ask->verb == OPERATION_INQUIRE ? "GET" : "POST", status,
                ask->replaying ? " again" : "");
    if (!is_final(status, body)) {
        try_again(ask);
        return;
    }
    world->answers++;
    timer_stop(&ask->timer);
    ask->running = false;
    if (ask->replaying)
        compare(ask, status, body);
    else
        keep(ask, status, body);
    ask->done(ask);
}

/* --- one try -----------------------------------------------------------------------------------
 */

/* The call goes on without us until its connection has closed. */
static void abandon(struct ask *ask)
{
    if (ask->call == NULL)
        return;
    ask->call->ask = NULL;
    ask->call = NULL;
}

static void on_opened(struct conn *conn, void *arg)
{
    struct call *call = arg;
    char text[2560], prefer[32] = "";
    ENSURE_MAGIC(call, CALL_MAGIC);
    struct ask *ask = call->ask;
    if (ask == NULL)
        return;
    bool post = ask->verb != OPERATION_INQUIRE;
    if (post && dice_percent(&ask->story->dice, 30))
        (void)snprintf(prefer, sizeof prefer, "Prefer: wait=%d\r\n",
                       (int)(dice_below(&ask->story->dice, 5) * dice_below(&ask->story->dice, 5)));
    struct writer w = writer_over(text, sizeof text);
    writer_format(&w, "%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n%s",
                  post ? "POST" : "GET", ask->path, ask->story->merchant->key, prefer);
    if (post)
        writer_format(&w,
                      "Idempotency-Key: %s\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\n",
                      ask->key, strlen(ask->body));
    writer_format(&w, "\r\n%s", post ? ask->body : "");
    ENSURE(!w.overflow);
    IGNORE_STATUS(conn_write(conn, writer_done(&w))); /* if it broke, `closed` says so */
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct call *call = arg;
    int status;
    struct view body;
    ENSURE_MAGIC(call, CALL_MAGIC);
    ENSURE(call->in_len + bytes.len < ANSWER_MAX);
    while (call->in_len + bytes.len + SENTRY_BYTE > call->in_room) {
        call->in_room = call->in_room == 0 ? ANSWER_ROOM : 2 * call->in_room;
        call->in = realloc(call->in, call->in_room);
        ENSURE(call->in != NULL);
    }
    memcpy(call->in + call->in_len, bytes.ptr, bytes.len);
    call->in_len += bytes.len;
    call->in[call->in_len] = '\0';
    struct ask *ask = call->ask;
    if (ask == NULL || !answer_parts(call, &status, &body))
        return;
    abandon(ask);
    conn_close(conn);
    answered(ask, status, body);
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    struct call *call = arg;
    (void)conn, (void)why;
    ENSURE_MAGIC(call, CALL_MAGIC);
    struct ask *ask = call->ask;
    if (ask != NULL) {
        abandon(ask);
        try_again(ask);
    }
    free(call->in);
    call->magic = 0;
    free(call);
}

static const struct conn_events call_events = { .opened = on_opened,
                                                .bytes = on_bytes,
                                                .closed = on_closed };

static void out_of_patience(struct timer *timer, void *arg)
{
    struct ask *ask = arg;
    (void)timer;
    ENSURE_MAGIC(ask, ASK_MAGIC);
    struct conn *conn = ask->call->conn;
    abandon(ask);
    conn_abort(conn);
    try_again(ask);
}

static int64_t wait_us(struct ask *ask)
{
    unsigned doublings = ask->tries > TRIES_IMPATIENT ? ask->tries - TRIES_IMPATIENT : 0;
    if (doublings > DOUBLINGS_MAX)
        doublings = DOUBLINGS_MAX;
    return dice_between(&ask->story->dice, WAIT_LEAST_US, WAIT_MOST_US << doublings);
}

static void try_again(struct ask *ask)
{
    struct world *world = ask->world;
    if (ask->tries > TRIES_MAX) {
        wrong(world, ask->story->payment, "%s %s gets no final answer", ask->path, ask->key);
        timer_stop(&ask->timer);
        ask->running = false;
        return; /* the story never ends, which is noticed as well */
    }
    if (world->options->plant == PLANT_NEW_KEY && !ask->replaying && ask->key[0] != '\0' &&
        ask->verb <= OPERATION_SALE)
        (void)snprintf(ask->key, sizeof ask->key, "s%u.%zu.t%u", ask->story->number,
                       ask->story->ask_count, ask->tries);
    ask->timer.fire = try_now;
    timer_start(&ask->timer, wait_us(ask));
}

static void try_now(struct timer *timer, void *arg)
{
    struct ask *ask = arg;
    (void)timer;
    ENSURE_MAGIC(ask, ASK_MAGIC);
    struct world *world = ask->world;
    struct endpoint to;
    struct call *call = calloc(1, sizeof *call);
    ENSURE(call != NULL && ask->call == NULL);
    call->magic = CALL_MAGIC;
    call->ask = ask;
    struct conn_options options = { .events = &call_events, .arg = call, .owner = world };
    ENSURE(endpoint_parse(VIEW("gateway:80"), &to) == STATUS_OK);
    ENSURE(conn_connect(world->wire, &to, &options, &call->conn) == STATUS_OK);
    ask->call = call;
    ask->tries++;
    world->tries++;
    int64_t patience_us =
        world->calm ? 60 * LOOP_US_PER_S
                    : dice_between(&ask->story->dice, LOOP_US_PER_S / 5, 25 * LOOP_US_PER_S);
    ask->timer.fire = out_of_patience;
    timer_start(&ask->timer, patience_us);
}

/* --- interface ---------------------------------------------------------------------------------
 */

void ask_init(struct ask *ask, struct story *story, enum operation verb)
{
    *ask = (struct ask){ .magic = ASK_MAGIC, .world = story->world, .story = story, .verb = verb };
    timer_init(&ask->timer, story->world->loop, try_now, ask);
}

void ask_start(struct ask *ask)
{
    ENSURE_MAGIC(ask, ASK_MAGIC);
    ENSURE(!ask->running && ask->call == NULL);
    ask->running = true;
    ask->tries = 0;
    ask->replaying = ask->status != 0 && ask->verb != OPERATION_INQUIRE;
    ask->timer.fire = try_now;
    timer_start(&ask->timer, 0);
}

void ask_fini(struct ask *ask)
{
    timer_stop(&ask->timer);
    abandon(ask);
    answer_changes(ask);
    free(ask->answer);
    ask->answer = NULL;
    ask->magic = 0;
}

/* Several members of one answer are asked for in a row: it is read once. NULL: it is no JSON. */
static const struct json_node *answer_root(const struct ask *ask)
{
    struct answer_read *read = &ask->world->read;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_error error;
    if (read->of == ask)
        return read->root;
    if (read->of == NULL)
        arena_init(&read->arena, (size_t)1024 * 1024);
    arena_reset(&read->arena);
    read->of = ask;
    if (json_read(view_of(ask->answer, ask->answer_len), &limits, &read->arena, &read->root,
                  &error) != STATUS_OK)
        read->root = NULL;
    return read->root;
}

static void answer_changes(struct ask *ask)
{
    struct answer_read *read = &ask->world->read;
    if (read->of != ask)
        return;
    arena_reset(&read->arena);
    read->of = NULL;
}

static bool node_text(const struct json_node *node, char *out, size_t room)
{
    struct view text;
    out[0] = '\0';
    return node != NULL && json_text(node, &text) == STATUS_OK &&
           view_to_text(text, out, room) == STATUS_OK;
}

bool ask_text(const struct ask *ask, const char *name, char *out, size_t room)
{
    return node_text(json_member(answer_root(ask), name), out, room);
}

bool ask_action(const struct ask *ask, const char *name, char *out, size_t room)
{
    return node_text(json_member(json_member(answer_root(ask), "next_action"), name), out, room);
}

bool ask_number(const struct ask *ask, const char *name, int64_t *out)
{
    return json_i64(json_member(answer_root(ask), name), out) == STATUS_OK;
}
