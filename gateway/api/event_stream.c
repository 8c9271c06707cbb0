/* event_stream.c - GET /v1/events/stream: the journal of a merchant as server-sent events.
 *
 * A stream is a cursor and a request that is not answered to its end. When the journal has grown,
 * each stream asks for what comes after its cursor (bursts share a question), writes it and asks
 * again while there is more. The id of each piece is the event's, so a client that lost its
 * connection goes on with Last-Event-ID where it was.
 *
 * Bounds: STREAMS_MAX in all, STREAMS_PER_MERCHANT of one merchant. While a client leaves more than
 * UNREAD_BYTES_MAX unread nothing more is asked for (the stream is held), so a slow one costs no
 * memory, and one with a long way to go is as fast as it reads. Who reads nothing at all for
 * STALL_US is dropped, and may come again with its cursor.
 *
 * A stream may outlive its key. So before the store is asked for events, and at least at each look,
 * the key is read again when that was not done for KEY_US; one that was revoked ends the stream.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/webhook.h"

#include <stdlib.h>

#define STREAMS_MAX          256
#define STREAMS_PER_MERCHANT 8
#define UNREAD_BYTES_MAX     ((size_t)256 * 1024)
#define PAGE_EVENTS          32
#define GATHER_US            (5 * LOOP_US_PER_MS)
#define LOOK_US              (1 * LOOP_US_PER_S) /* for what other processes wrote */
#define KEY_US               (1 * LOOP_US_PER_S) /* as in auth.c */
#define HEARTBEAT_US         (15 * LOOP_US_PER_S)
#define HELD_LOOK_US         (10 * LOOP_US_PER_MS)
#define STALL_US             (30 * LOOP_US_PER_S)
#define STREAMS_MAGIC        0x53545253u

struct stream {
    struct list link;
    struct streams *streams;
    struct call *call;
    struct view kind; /* in `pattern` */
    uint8_t pattern[WEBHOOK_KIND_MAX];
    int64_t cursor;
    int64_t spoke_us; /* monotonic, as is */
    int64_t key_us;   /* when its key was good */
    bool again;       /* the journal grew while the store was asked */
    bool ending;
    bool held;        /* the client has to read first: */
    size_t unread;    /* so much, when it last took something, */
    int64_t moved_us; /* which was then (monotonic) */
};

struct streams {
    uint32_t magic;
    struct api *api;
    struct list all;
    size_t count;
    struct store_watch watch;
    struct timer gather, look, held;
};

static void stream_ask(struct stream *stream);

enum stream_end { STREAM_ENDS = 1, STREAM_DROPS };

static void stream_close(struct stream *stream, enum stream_end how)
{
    struct call *call = stream->call;
    if (call->reading) { /* the store has our memory: when it gives it back */
        stream->ending = true;
        return;
    }
    list_remove(&stream->link);
    stream->streams->count--;
    if (how == STREAM_DROPS)
        http_stream_drop(call->http);
    else
        http_stream_end(call->http);
    call_forget(call);
    free(stream);
}

static void stream_drop(struct stream *stream)
{
    struct api *api = stream->call->api;
    api->stats.streams_dropped++;
    LOG(api->o.log, LOG_INFO, "api.stream_dropped",
        LOG_TEXT("peer", http_peer(stream->call->http)));
    stream_close(stream, STREAM_DROPS);
}

/* False: the stream is over. */
static bool stream_write(struct stream *stream, struct view bytes)
{
    struct call *call = stream->call;
    struct api *api = call->api;
    if (http_client_gone(call->http)) {
        stream_close(stream, STREAM_ENDS);
        return false;
    }
    if (http_stream_write(call->http, bytes) != STATUS_OK) {
        stream_drop(stream);
        return false;
    }
    stream->spoke_us = loop_now_us(api->o.loop);
    return true;
}

static void put_event(struct writer *w, const struct event_row *event)
{
    struct json_out j;
    writer_text(w, "id: ");
    id_write(w, ID_EVENT, event->seq);
    writer_text(w, "\nevent: ");
    writer_view(w, event->kind);
    writer_text(w, "\ndata: "); /* JSON has no line ends of its own */
    json_out_init(&j, w);
    render_event(&j, NULL, event);
    writer_text(w, "\n\n");
}

static void stream_page(struct store_read *read, void *arg)
{
    struct stream *stream = arg;
    struct call *call = stream->call;
    ENSURE_MAGIC(call, CALL_MAGIC);
    call->reading = false;
    if (stream->ending || (read->result != STATUS_OK && read->result != STATUS_NOT_FOUND)) {
        stream_close(stream, STREAM_ENDS); /* the client comes again */
        return;
    }
    size_t room = 64;
    for (size_t i = 0; i < read->count; i++)
        room += 512 + 2 * read->events[i].kind.len + read->events[i].data_json.len;
    uint8_t *bytes = arena_alloc(&call->arena, room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    for (size_t i = 0; i < read->count; i++)
        put_event(&w, &read->events[i]);
    if (w.overflow) {
        stream_close(stream, STREAM_DROPS);
        return;
    }
    if (read->count > 0) {
        stream->cursor = read->events[read->count - 1].seq;
        if (!stream_write(stream, writer_done(&w)))
            return;
    }
    if (read->more || stream->again)
        stream_ask(stream);
}

static void stream_hold(struct stream *stream, size_t unread)
{
    struct streams *streams = stream->streams;
    stream->held = true;
    stream->unread = unread;
    stream->moved_us = loop_now_us(streams->api->o.loop);
    if (!timer_is_armed(&streams->held))
        timer_start(&streams->held, HELD_LOOK_US);
}

static void stream_key(struct store_read *read, void *arg)
{
    struct stream *stream = arg;
    struct call *call = stream->call;
    ENSURE_MAGIC(call, CALL_MAGIC);
    call->reading = false;
    if (stream->ending || read->result != STATUS_OK || read->keys[0].revoked_us != 0) {
        stream_close(stream, STREAM_ENDS); /* the client comes again, and is told */
        return;
    }
    stream->key_us = loop_now_us(call->api->o.loop);
    stream_ask(stream);
}

static void stream_ask_key(struct stream *stream)
{
    struct call *call = stream->call;
    call->read = (struct store_read){
        .question = STORE_KEY_BY_HASH, .arena = &call->arena, .done = stream_key, .arg = stream
    };
    memcpy(call->read.key_hash, call->key_hash, sizeof call->key_hash);
}

static void stream_ask(struct stream *stream)
{
    struct call *call = stream->call;
    if (call->reading) {
        stream->again = true;
        return;
    }
    if (stream->held)
        return;
    size_t unread = http_stream_pending(call->http);
    if (unread > UNREAD_BYTES_MAX) {
        stream_hold(stream, unread);
        return;
    }
    stream->again = false;
    arena_reset(&call->arena);
    if (loop_now_us(call->api->o.loop) - stream->key_us >= KEY_US)
        stream_ask_key(stream);
    else
        call->read = (struct store_read){ .question = STORE_EVENTS,
                                          .arena = &call->arena,
                                          .merchant = call->merchant,
                                          .after = stream->cursor,
                                          .limit = PAGE_EVENTS,
                                          .event_kind = stream->kind,
                                          .done = stream_page,
                                          .arg = stream };
    call->reading = true;
    if (store_ask(call->api->o.store, &call->read) != STATUS_OK)
        call->reading = false; /* busy: the next look comes soon */
}

/* Whether it is still held. */
static bool stream_look_held(struct stream *stream, int64_t now_us)
{
    size_t unread = http_stream_pending(stream->call->http);
    if (unread < stream->unread) {
        stream->unread = unread;
        stream->moved_us = now_us;
    }
    if (unread <= UNREAD_BYTES_MAX / 2) {
        stream->held = false;
        stream_ask(stream);
    } else if (now_us - stream->moved_us > STALL_US) {
        stream_drop(stream);
        return false;
    }
    return stream->held;
}

static void on_held(struct timer *timer, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    int64_t now_us = loop_now_us(streams->api->o.loop);
    bool more = false;
    for (struct list *at = streams->all.next, *next; at != &streams->all; at = next) {
        struct stream *stream = CONTAINER_OF(at, struct stream, link);
        next = at->next;
        if (stream->held)
            more = stream_look_held(stream, now_us) || more;
    }
    if (more && !timer_is_armed(timer))
        timer_start(timer, HELD_LOOK_US);
}

static void on_gather(struct timer *timer, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    (void)timer;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next)
        stream_ask(CONTAINER_OF(at, struct stream, link));
}

static void on_look(struct timer *timer, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    int64_t now_us = loop_now_us(streams->api->o.loop);
    for (struct list *at = streams->all.next, *next; at != &streams->all; at = next) {
        struct stream *stream = CONTAINER_OF(at, struct stream, link);
        next = at->next;
        if (http_client_gone(stream->call->http))
            stream_close(stream, STREAM_ENDS);
        else if (stream->held || now_us - stream->spoke_us < HEARTBEAT_US ||
                 stream_write(stream, VIEW(":\n\n")))
            stream_ask(stream);
    }
    if (streams->count > 0)
        timer_start(timer, LOOK_US);
}

static void on_grew(void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    if (streams->count > 0 && !timer_is_armed(&streams->gather))
        timer_start(&streams->gather, GATHER_US);
}

/* --- a new one -------------------------------------------------------------------------------- */

static size_t streams_of(const struct streams *streams, int64_t merchant)
{
    size_t count = 0;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next)
        count += CONTAINER_OF(at, struct stream, link)->call->merchant == merchant;
    return count;
}

static void stream_begin(struct call *call, int64_t cursor)
{
    struct streams *streams = call->api->streams;
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        reply_problem(call, PROBLEM_OVERLOADED, "Try again.");
        return;
    }
    stream->streams = streams;
    stream->call = call;
    stream->cursor = cursor;
    struct view kind = call->read.event_kind;
    if (kind.len > 0)
        memcpy(stream->pattern, kind.ptr, kind.len);
    stream->kind = view_of(stream->pattern, kind.len);
    stream->spoke_us = stream->key_us = loop_now_us(call->api->o.loop);
    list_append(&streams->all, &stream->link);
    streams->count++;
    const struct http_header headers[] = { { VIEW("Cache-Control"), VIEW("no-store") } };
    http_stream_start(call->http, 200, "text/event-stream", headers, COUNT_OF(headers));
    if (!timer_is_armed(&streams->look))
        timer_start(&streams->look, LOOK_US);
    /* An id alone is no event: it tells where the stream begins, so that a client whose connection
     * is lost before the first event comes back to here. */
    char first[ID_TEXT_MAX + 16], id[ID_TEXT_MAX];
    struct writer w = writer_over(first, sizeof first);
    writer_text(&w, ":\n\n");
    if (cursor > 0)
        writer_format(&w, "id: %s\n\n", id_format(ID_EVENT, cursor, id));
    if (stream_write(stream, writer_done(&w)))
        stream_ask(stream);
}

static void end_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    if (read_succeeded(call, read, "There is no journal."))
        stream_begin(call, read->journal_seq);
}

void run_event_stream(struct call *call)
{
    struct streams *streams = call->api->streams;
    struct view cursor = http_header(call->http, "last-event-id");
    call->read = (struct store_read){ .question = STORE_JOURNAL_ENDS };
    if (!kind_parameter(call))
        return;
    if (cursor.len == 0 && !parameter(call, "cursor", ID_TEXT_MAX, &cursor))
        return;
    int64_t after = 0;
    if (cursor.len > 0 && id_parse(ID_EVENT, cursor, &after) != STATUS_OK) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`cursor` and Last-Event-ID must be the id of an event.");
        return;
    }
    if (streams->count >= STREAMS_MAX ||
        streams_of(streams, call->merchant) >= STREAMS_PER_MERCHANT) {
        reply_problem(call, PROBLEM_TOO_MANY_STREAMS, "%d streams of one merchant are allowed.",
                      STREAMS_PER_MERCHANT);
        return;
    }
    if (after != 0)
        stream_begin(call, after);
    else
        ask_store(call, end_read); /* from now on */
}

/* --- opening and closing ---------------------------------------------------------------------- */

enum status streams_open(struct api *api)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL)
        return STATUS_NO_MEMORY;
    streams->magic = STREAMS_MAGIC;
    streams->api = api;
    list_init(&streams->all);
    timer_init(&streams->gather, api->o.loop, on_gather, streams);
    timer_init(&streams->look, api->o.loop, on_look, streams);
    timer_init(&streams->held, api->o.loop, on_held, streams);
    streams->watch = (struct store_watch){ .grew = on_grew, .arg = streams };
    store_watch(api->o.store, &streams->watch);
    api->streams = streams;
    return STATUS_OK;
}

uint64_t streams_count(const struct api *api)
{
    return api->streams->count;
}

void streams_drain(struct api *api)
{
    struct streams *streams = api->streams;
    for (struct list *at = streams->all.next, *next; at != &streams->all; at = next) {
        next = at->next;
        stream_close(CONTAINER_OF(at, struct stream, link), STREAM_ENDS);
    }
}

void streams_unwatch(struct api *api)
{
    if (api->streams != NULL)
        store_unwatch(api->o.store, &api->streams->watch);
}

/* The server frees the requests, the room their calls. */
void streams_close(struct api *api)
{
    struct streams *streams = api->streams;
    struct list *item;
    if (streams == NULL)
        return;
    timer_stop(&streams->gather);
    timer_stop(&streams->look);
    timer_stop(&streams->held);
    while ((item = list_take_first(&streams->all)) != NULL)
        free(CONTAINER_OF(item, struct stream, link));
    streams->magic = 0;
    free(streams);
    api->streams = NULL;
}
