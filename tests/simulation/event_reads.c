/* event_reads.c - merchants who read the journal for themselves, page by page (GET /v1/events) and
 * as a stream (GET /v1/events/stream), with one cursor.
 *
 * A reader keeps the id of what it has read last, and goes on from there: after a page, after a
 * lost connection, a crash or a power failure of the gateway. Which of the two ways it takes next,
 * how large the page is, and how long it listens to a stream are drawn. A stream is a connection of
 * its own with plain bytes on it; only whole pieces count.
 *     What it has read must be the merchant's part of the journal, those of its kind: each event
 * once, in order, none left out, and nothing that the journal does not have in the end. That no
 * event comes twice or too late is looked at when it comes, the rest when all is quiet
 * (check_reads), after it has read what is left.
 *
 * Not every run has readers, and none reads for ever: an open stream is looked at each second.
 */
#include "hooks.h"

#include "base/ensure.h"
#include "json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define READ_RUNS_PERCENT 50
#define READERS_MAX       2
#define READS_MAGIC       0x52454144u
#define STREAM_MAGIC      0x5354524du
#define STREAM_MAX        ((size_t)4 << 20)
#define LISTEN_US         (20 * LOOP_US_PER_S)

struct reader {
    struct hook_reads *reads;
    const struct merchant *merchant;
    unsigned index;
    const char *kind; /* "": all */
    int64_t cursor;   /* 0: from the beginning */
    int64_t last;     /* event that was read last */
    struct event_read {
        int64_t seq;
        uint64_t hash;
    } * seen;
    size_t count, room;
};

/* A connection with a stream on it. It lives until it has closed, and may do so without us. */
struct stream_conn {
    uint32_t magic;
    struct hook_reads *reads; /* NULL: nobody listens any more */
    struct reader *reader;
    struct conn *conn;
    char *in;
    size_t len, room;
    bool begun; /* the head was read: it is a stream */
};

struct hook_reads {
    uint32_t magic;
    struct hook_side *side;
    struct dice dice;
    struct reader readers[READERS_MAX];
    size_t count; /* 0: this run is without */
    struct http_client *client;
    struct timer act;
    struct reader *about;
    struct stream_conn *stream; /* NULL: none */
    unsigned acts_left;
    bool calling, stopped;
};

static void again(struct hook_reads *reads, int64_t most_us)
{
    if (!reads->stopped)
        timer_start(&reads->act, dice_between(&reads->dice, 1000, most_us));
}

/* --- what is read -------------------------------------------------------------------------------
 */

static void take(struct reader *r, int64_t seq, struct view event)
{
    struct world *world = r->reads->side->world;
    char id[ID_TEXT_MAX];
    if (seq <= r->last)
        wrong(world, 0, "reader %u got event %lld after %lld", r->index, (long long)seq,
              (long long)r->last);
    if (r->count == r->room) {
        r->room = r->room == 0 ? 128 : 2 * r->room;
        r->seen = realloc(r->seen, r->room * sizeof *r->seen);
        ENSURE(r->seen != NULL);
    }
    r->seen[r->count++] = (struct event_read){ seq, hook_hash(event) };
    r->last = r->cursor = seq;
    world_trace(world, "read", view_text(id_format(ID_EVENT, seq, id)));
}

/* False: there is no more for now, or it was wrong. */
static bool read_page(struct reader *r, struct view text)
{
    struct json_limits limits = { .bytes_max = (size_t)4 << 20,
                                  .nodes_max = 200000,
                                  .depth_max = 32 };
    struct world *world = r->reads->side->world;
    struct arena arena;
    const struct json_node *root = NULL;
    struct view id;
    int64_t seq = 0;
    arena_init(&arena, (size_t)64 << 20);
    if (json_read(text, &limits, &arena, &root, NULL) != STATUS_OK)
        wrong(world, 0, "reader %u: a page that cannot be read", r->index);
    const struct json_node *data = json_member(root, "data");
    for (const struct json_node *item = data != NULL ? data->first : NULL; item != NULL;
         item = item->next)
        if (json_text(json_member(item, "id"), &id) == STATUS_OK &&
            id_parse(ID_EVENT, id, &seq) == STATUS_OK)
            take(r, seq, json_raw(item, text));
        else
            wrong(world, 0, "reader %u: an event without id", r->index);
    bool more = json_text(json_member(root, "next_cursor"), &id) == STATUS_OK;
    if (more && (id_parse(ID_EVENT, id, &seq) != STATUS_OK || seq < r->cursor)) {
        wrong(world, 0, "reader %u is to go on at %.*s", r->index, (int)id.len,
              (const char *)id.ptr);
        more = false;
    }
    if (more)
        r->cursor = seq;
    arena_reset(&arena);
    return more;
}

static bool is_later(int status)
{
    return status == 0 || status >= 500 || status == 429 || status == 408;
}

/* --- pages --------------------------------------------------------------------------------------
 */

static void page_path(struct reader *r, unsigned limit, char *path, size_t room)
{
    char id[ID_TEXT_MAX];
    struct writer w = writer_over(path, room - 1);
    writer_format(&w, "/v1/events?limit=%u", limit);
    if (r->cursor > 0)
        writer_format(&w, "&cursor=%s", id_format(ID_EVENT, r->cursor, id));
    if (r->kind[0] != '\0')
        writer_format(&w, "&kind=%s", r->kind);
    ENSURE(!w.overflow);
    path[w.len] = '\0';
}

static void on_page(void *arg, const struct http_answer *answer)
{
    struct hook_reads *reads = arg;
    ENSURE_MAGIC(reads, READS_MAGIC);
    struct world *world = reads->side->world;
    int status = answer->status == STATUS_OK ? answer->http_status : 0;
    bool more = false;
    reads->calling = false;
    if (reads->stopped)
        return;
    world_tally(world, "events: a page: %d", status);
    if (status == 200)
        more = read_page(reads->about, answer->body);
    else if (!is_later(status))
        wrong(world, 0, "reader %u: a page was answered %d %.*s", reads->about->index, status,
              (int)answer->body.len, (const char *)answer->body.ptr);
    again(reads, more ? LOOP_US_PER_S / 10 : 3 * LOOP_US_PER_S);
}

static void ask_page(struct hook_reads *reads)
{
    static const unsigned limits[] = { 1, 2, 7, 30, 100 };
    char path[160];
    page_path(reads->about, limits[dice_below(&reads->dice, COUNT_OF(limits))], path, sizeof path);
    reads->calling = hook_call(reads->client, reads->about->merchant, "GET", path, NULL, VIEW_EMPTY,
                               on_page, reads) == STATUS_OK;
    ENSURE(reads->calling);
}

/* --- the stream ---------------------------------------------------------------------------------
 */

/* Lines up to an empty one: id, event and data, or some of them. */
static void read_piece(struct reader *r, struct view piece)
{
    struct world *world = r->reads->side->world;
    struct view id = VIEW_EMPTY, data = VIEW_EMPTY, kind = VIEW_EMPTY;
    int64_t seq = 0;
    for (struct view rest = piece; rest.len > 0;) {
        size_t end = view_find(rest, '\n');
        struct view line = view_slice(rest, 0, end);
        rest = view_slice(rest, end + 1, rest.len);
        if (view_starts_with(line, VIEW("id: ")))
            id = view_slice(line, 4, line.len);
        else if (view_starts_with(line, VIEW("event: ")))
            kind = view_slice(line, 7, line.len);
        else if (view_starts_with(line, VIEW("data: ")))
            data = view_slice(line, 6, line.len);
    }
    if (id.len == 0 && data.len == 0)
        return; /* a comment */
    if (id_parse(ID_EVENT, id, &seq) != STATUS_OK || seq < r->cursor ||
        (data.len > 0) != (kind.len > 0)) {
        wrong(world, 0, "reader %u, at %lld: %.*s", r->index, (long long)r->cursor, (int)piece.len,
              (const char *)piece.ptr);
        return;
    }
    if (data.len > 0)
        take(r, seq, data);
    r->cursor = seq;
}

/* False: this is no stream. */
static bool read_head(struct stream_conn *c, size_t *head_len)
{
    struct world *world = c->reads->side->world;
    char *end = strstr(c->in, "\r\n\r\n");
    int status = 0;
    *head_len = 0;
    if (end == NULL)
        return true;
    ENSURE(sscanf(c->in, "HTTP/1.1 %d", &status) == 1);
    world_tally(world, "events: a stream: %d", status);
    if (status != 200 && !is_later(status))
        wrong(world, 0, "reader %u: a stream was answered %s", c->reader->index, c->in);
    c->begun = status == 200;
    *head_len = (size_t)(end - c->in) + 4;
    return c->begun;
}

static void leave(struct hook_reads *reads)
{
    struct stream_conn *c = reads->stream;
    reads->stream = NULL;
    c->reads = NULL;
    again(reads, 3 * LOOP_US_PER_S);
}

static void stream_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct stream_conn *c = arg;
    size_t used = 0;
    ENSURE_MAGIC(c, STREAM_MAGIC);
    if (c->reads == NULL)
        return;
    ENSURE(c->len + bytes.len < STREAM_MAX);
    if (c->len + bytes.len + 1 > c->room) {
        c->room = 2 * (c->len + bytes.len + 1);
        c->in = realloc(c->in, c->room);
        ENSURE(c->in != NULL);
    }
    memcpy(c->in + c->len, bytes.ptr, bytes.len);
    c->len += bytes.len;
    c->in[c->len] = '\0';
    if (!c->begun && !read_head(c, &used)) {
        leave(c->reads);
        conn_close(conn);
        return;
    }
    for (char *end; c->begun && (end = strstr(c->in + used, "\n\n")) != NULL;) {
        read_piece(c->reader, view_of(c->in + used, (size_t)(end - c->in) - used));
        used = (size_t)(end - c->in) + 2;
    }
    memmove(c->in, c->in + used, c->len - used + 1);
    c->len -= used;
}

static void stream_opened(struct conn *conn, void *arg)
{
    struct stream_conn *c = arg;
    char text[512], id[ID_TEXT_MAX];
    ENSURE_MAGIC(c, STREAM_MAGIC);
    if (c->reads == NULL)
        return;
    struct writer w = writer_over(text, sizeof text);
    const struct reader *r = c->reader;
    writer_format(&w, "GET /v1/events/stream%s%s HTTP/1.1\r\nHost: gateway\r\n",
                  r->kind[0] != '\0' ? "?kind=" : "", r->kind);
    writer_format(&w, "Authorization: Bearer %s\r\nLast-Event-ID: %s\r\n\r\n", r->merchant->key,
                  id_format(ID_EVENT, r->cursor, id));
    ENSURE(!w.overflow);
    IGNORE_STATUS(conn_write(conn, writer_done(&w))); /* if it broke, `closed` says so */
}

static void stream_closed(struct conn *conn, void *arg, enum status why)
{
    struct stream_conn *c = arg;
    (void)conn, (void)why;
    ENSURE_MAGIC(c, STREAM_MAGIC);
    if (c->reads != NULL)
        leave(c->reads);
    free(c->in);
    c->magic = 0;
    free(c);
}

static const struct conn_events stream_events = { .opened = stream_opened,
                                                  .bytes = stream_bytes,
                                                  .closed = stream_closed };

static void listen_now(struct hook_reads *reads)
{
    struct world *world = reads->side->world;
    struct stream_conn *c = calloc(1, sizeof *c);
    struct endpoint to;
    ENSURE(c != NULL);
    c->magic = STREAM_MAGIC;
    c->reads = reads;
    c->reader = reads->about;
    struct conn_options options = { .events = &stream_events, .arg = c, .owner = world };
    ENSURE(endpoint_parse(VIEW("gateway:80"), &to) == STATUS_OK);
    ENSURE(conn_connect(world->wire, &to, &options, &c->conn) == STATUS_OK);
    reads->stream = c;
    again(reads, LISTEN_US);
}

/* --- what to do ---------------------------------------------------------------------------------
 */

static void on_act(struct timer *timer, void *arg)
{
    struct hook_reads *reads = arg;
    ENSURE_MAGIC(reads, READS_MAGIC);
    (void)timer;
    if (reads->calling || reads->stopped)
        return;
    if (reads->stream != NULL) { /* has listened for long enough */
        struct conn *conn = reads->stream->conn;
        leave(reads);
        conn_abort(conn);
        return;
    }
    if (reads->side->world->calm || reads->acts_left == 0)
        return;
    reads->acts_left--;
    reads->about = &reads->readers[dice_below(&reads->dice, reads->count)];
    /* Without a cursor a stream begins with what happens now. */
    if (reads->about->cursor > 0 && dice_percent(&reads->dice, 50))
        listen_now(reads);
    else
        ask_page(reads);
}

/* --- what must be true --------------------------------------------------------------------------
 */

static void read_rest(struct reader *r)
{
    struct hook_side *side = r->reads->side;
    char path[160], *body;
    size_t len;
    bool more = true;
    while (more) {
        page_path(r, 100, path, sizeof path);
        if (!hook_get(side, r->merchant, path, &body, &len))
            return;
        more = read_page(r, view_of(body, len));
        free(body);
    }
}

static void check_reader(struct reader *r, const struct journal *j)
{
    struct world *world = r->reads->side->world;
    size_t at = 0;
    read_rest(r);
    for (size_t i = 0; i < j->count; i++) {
        const struct line *line = &j->lines[i];
        if (line->merchant != r->merchant->id ||
            (r->kind[0] != '\0' && !kind_wanted(r->kind, line->kind)))
            continue;
        if (at == r->count || r->seen[at].seq != line->seq) {
            wrong(world, 0, "reader %u (%s) has read event %lld where the journal has %lld (%s)",
                  r->index, r->kind, at < r->count ? (long long)r->seen[at].seq : 0LL,
                  (long long)line->seq, line->kind);
            return;
        }
        if (line->shown_hash != r->seen[at++].hash) {
            wrong(world, 0, "reader %u has read event %lld otherwise than it is shown now",
                  r->index, (long long)line->seq);
            return;
        }
    }
    if (at < r->count)
        wrong(world, 0, "reader %u (%s) has read event %lld, which the journal does not have",
              r->index, r->kind, (long long)r->seen[at].seq);
    world_tally(world, "events: a reader");
}

void check_reads(struct hook_reads *reads, const struct journal *j)
{
    for (size_t i = 0; i < reads->count; i++)
        check_reader(&reads->readers[i], j);
}

/* --- the side -----------------------------------------------------------------------------------
 */

size_t hook_reads_count(const struct hook_reads *reads)
{
    return reads->count;
}

enum status hook_reads_open(struct hook_reads **out, struct hook_side *side)
{
    static const char *const kinds[] = {
        "", "", "", "payment.*", "refund.*", "attempt.*", "payment.succeeded"
    };
    struct world *world = side->world;
    struct hook_reads *reads = *out = calloc(1, sizeof *reads);
    if (reads == NULL)
        return STATUS_NO_MEMORY;
    reads->magic = READS_MAGIC;
    reads->side = side;
    reads->dice.state = world->options->seed ^ 0x4ead;
    timer_init(&reads->act, world->loop, on_act, reads);
    if (!dice_percent(&reads->dice, READ_RUNS_PERCENT))
        return STATUS_OK;
    reads->count = 1 + dice_below(&reads->dice, READERS_MAX);
    for (unsigned i = 0; i < reads->count; i++) {
        struct reader *r = &reads->readers[i];
        *r = (struct reader){ .reads = reads, .index = i };
        r->merchant = &world->merchants[dice_below(&reads->dice, MERCHANTS_COUNT)];
        r->kind = kinds[dice_below(&reads->dice, COUNT_OF(kinds))];
    }
    reads->acts_left = 10 + (unsigned)dice_below(&reads->dice, 60);
    struct http_client_options client = { .conns_max = 1, .one_call_each = true, .owner = world };
    TRY(endpoint_parse(VIEW("gateway:80"), &client.to));
    TRY(http_client_open(&reads->client, world->wire, world->loop, &client));
    again(reads, 2 * LOOP_US_PER_S);
    return STATUS_OK;
}

bool hook_reads_quiet(const struct hook_reads *reads)
{
    return !reads->calling && reads->stream == NULL;
}

void hook_reads_stop(struct hook_reads *reads)
{
    reads->stopped = true;
    timer_stop(&reads->act);
    if (reads->stream != NULL) {
        struct conn *conn = reads->stream->conn;
        leave(reads);
        conn_abort(conn);
    }
    http_client_close(reads->client);
}

void hook_reads_close(struct hook_reads *reads)
{
    for (size_t i = 0; i < reads->count; i++)
        free(reads->readers[i].seen);
    reads->magic = 0;
    free(reads);
}
