/* event_stream.c - GET /v1/events/stream: the journal of a merchant as server-sent events.
 *
 * A stream is a cursor and a request that is not answered to its end. When the journal has grown by
 * an event of its merchant and kind it is due: it asks for what comes after its cursor (bursts
 * share a question), writes it and asks again while there is more. The id of each piece is the
 * event's, so a client that lost its connection goes on with Last-Event-ID where it was.
 *
 * The store tells which events each commit has appended, so the journal is known up to `tail`
 * without reading it, and to a stream that is not due nothing happens. A gap in what is told is of
 * another process; then, and when a look finds one at the end, all streams are due.
 *
 * Questions run on the thread that commits. So a page that had to look at many rows to find its few
 * (a rare kind, a long way back) is not followed by the next one at once: such streams search one
 * after the other, one page each SEARCH_US, however many they are. The cursor moves on in any case,
 * and a comment tells it to the client now and then.
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
#define LOOK_FREELY          (4 * PAGE_EVENTS) /* rows; a page that looked at more is a search */
#define SEARCH_US            (5 * LOOP_US_PER_MS)
#define BUCKETS              64 /* a power of 2 */
#define GATHER_US            (5 * LOOP_US_PER_MS)
#define LOOK_US              (1 * LOOP_US_PER_S) /* for what other processes wrote */
#define KEY_US               (1 * LOOP_US_PER_S) /* as in auth.c */
#define HEARTBEAT_US         (15 * LOOP_US_PER_S)
#define HELD_LOOK_US         (10 * LOOP_US_PER_MS)
#define STALL_US             (30 * LOOP_US_PER_S)
#define STREAMS_MAGIC        0x53545253u

struct stream {
    struct list link;
    struct list of_merchant; /* in a bucket */
    struct list search;      /* linked: its next question waits for its turn */
    struct streams *streams;
    struct call *call;
    struct view kind; /* in `pattern` */
    uint8_t pattern[WEBHOOK_KIND_MAX];
    int64_t cursor;   /* all up to here was looked at, and written if it fits */
    int64_t told;     /* the last id that the client was sent */
    int64_t spoke_us; /* monotonic, as is */
    int64_t key_us;   /* when its key was good */
    int64_t due_to;   /* the last event known that may be for it */
    bool due;         /* it is to look for events after the cursor */
    bool ending;
    bool held;        /* the client has to read first: */
    size_t unread;    /* so much, when it last took something, */
    int64_t moved_us; /* which was then (monotonic) */
};

struct streams {
    uint32_t magic;
    struct api *api;
    struct list all;
    struct list by_merchant[BUCKETS];
    size_t count;
    struct store_watch watch;
    struct timer gather, look, held;
    int64_t tail; /* the journal is known up to here; 0: not yet */
    struct store_read ends;
    struct arena ends_arena;
    bool asking_ends;
    bool draining;           /* no stream begins any more */
    struct list searching;   /* streams, by `search` */
    struct stream *searcher; /* the one whose turn it was last; NULL: it is gone */
    struct timer search;
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
    list_remove(&stream->of_merchant);
    list_remove(&stream->search);
    if (stream->streams->searcher == stream)
        stream->streams->searcher = NULL;
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

/* Its next question comes when it is its turn. */
static void stream_search(struct stream *stream)
{
    struct streams *streams = stream->streams;
    list_append(&streams->searching, &stream->search);
    if (!timer_is_armed(&streams->search))
        timer_start(&streams->search, SEARCH_US);
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
    stream->cursor = read->through;
    stream->due = read->more || stream->due_to > read->journal_seq;
    if (read->count > 0) {
        stream->told = read->events[read->count - 1].seq;
        if (!stream_write(stream, writer_done(&w)))
            return;
    }
    if (read->more && read->looked > LOOK_FREELY)
        stream_search(stream);
    else if (stream->due)
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

static void stream_ask_events(struct stream *stream)
{
    struct call *call = stream->call;
    call->read = (struct store_read){ .question = STORE_EVENTS,
                                      .arena = &call->arena,
                                      .merchant = call->merchant,
                                      .after = stream->cursor,
                                      .limit = PAGE_EVENTS,
                                      .event_kind = stream->kind,
                                      .done = stream_page,
                                      .arg = stream };
}

/* What there is to ask: about its key, then about events if it is due. */
static void stream_ask(struct stream *stream)
{
    struct call *call = stream->call;
    bool old_key = loop_now_us(call->api->o.loop) - stream->key_us >= KEY_US;
    if (call->reading || stream->held || list_linked(&stream->search) || !(old_key || stream->due))
        return;
    size_t unread = http_stream_pending(call->http);
    if (unread > UNREAD_BYTES_MAX) {
        stream_hold(stream, unread);
        return;
    }
    arena_reset(&call->arena);
    if (old_key)
        stream_ask_key(stream);
    else
        stream_ask_events(stream);
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
        if (CONTAINER_OF(at, struct stream, link)->due)
            stream_ask(CONTAINER_OF(at, struct stream, link));
}

static void on_search(struct timer *timer, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    struct stream *last = streams->searcher;
    if (last == NULL || !last->call->reading) {
        struct list *item = list_take_first(&streams->searching);
        streams->searcher = item != NULL ? CONTAINER_OF(item, struct stream, search) : NULL;
        if (item != NULL)
            stream_ask(streams->searcher);
    }
    if (!list_empty(&streams->searching))
        timer_start(timer, SEARCH_US);
}

static void stream_due(struct stream *stream, int64_t seq)
{
    struct streams *streams = stream->streams;
    stream->due = true;
    stream->due_to = seq;
    if (!timer_is_armed(&streams->gather))
        timer_start(&streams->gather, GATHER_US);
}

static void all_due(struct streams *streams, int64_t seq)
{
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next)
        stream_due(CONTAINER_OF(at, struct stream, link), seq);
}

static void on_ends(struct store_read *read, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    streams->asking_ends = false;
    if (read->result != STATUS_OK || read->journal_seq <= streams->tail)
        return;
    streams->tail = read->journal_seq;
    all_due(streams, streams->tail);
}

/* For what other processes wrote: once, for all streams. */
static void ask_ends(struct streams *streams)
{
    if (streams->asking_ends)
        return;
    streams->ends = (struct store_read){ .question = STORE_JOURNAL_ENDS,
                                         .arena = &streams->ends_arena,
                                         .done = on_ends,
                                         .arg = streams };
    streams->asking_ends = store_ask(streams->api->o.store, &streams->ends) == STATUS_OK;
}

/* A comment, so that both sides see that the other is there; and how far the stream has come when
 * nothing fitted since the last event: a client that comes again need not begin there. */
static bool stream_heartbeat(struct stream *stream)
{
    char text[ID_TEXT_MAX + 16], id[ID_TEXT_MAX];
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, ":\n\n");
    if (stream->cursor > stream->told)
        writer_format(&w, "id: %s\n\n", id_format(ID_EVENT, stream->cursor, id));
    stream->told = stream->cursor;
    return stream_write(stream, writer_done(&w));
}

static void on_look(struct timer *timer, void *arg)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    int64_t now_us = loop_now_us(streams->api->o.loop);
    ask_ends(streams);
    for (struct list *at = streams->all.next, *next; at != &streams->all; at = next) {
        struct stream *stream = CONTAINER_OF(at, struct stream, link);
        next = at->next;
        if (!stream->due && !stream->call->reading && stream->cursor < streams->tail)
            stream->cursor = streams->tail; /* what came since is not for it */
        if (http_client_gone(stream->call->http))
            stream_close(stream, STREAM_ENDS);
        else if (stream->held || now_us - stream->spoke_us < HEARTBEAT_US ||
                 stream_heartbeat(stream))
            stream_ask(stream);
    }
    if (streams->count > 0)
        timer_start(timer, LOOK_US);
}

static struct list *bucket_of(struct streams *streams, int64_t merchant)
{
    uint64_t mixed = (uint64_t)merchant * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    return &streams->by_merchant[(size_t)(mixed >> 32) & (BUCKETS - 1)];
}

static void event_came(struct streams *streams, const struct event_row *event)
{
    struct list *bucket = bucket_of(streams, event->merchant);
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct stream *stream = CONTAINER_OF(at, struct stream, of_merchant);
        if (stream->call->merchant != event->merchant || event->seq <= stream->cursor ||
            (stream->kind.len > 0 && !webhook_kinds_match(stream->kind, event->kind)))
            continue;
        if (!stream->due && !stream->call->reading && stream->cursor < event->seq - 1)
            stream->cursor = event->seq - 1; /* as in on_look: it is found at once */
        stream_due(stream, event->seq);
    }
}

static void on_grew(void *arg, const struct event_row *events, size_t count)
{
    struct streams *streams = arg;
    ENSURE_MAGIC(streams, STREAMS_MAGIC);
    if (events[0].seq != streams->tail + 1)
        all_due(streams, events[0].seq - 1); /* another process has written in between */
    for (size_t i = 0; i < count; i++)
        event_came(streams, &events[i]);
    streams->tail = events[count - 1].seq;
}

/* --- a new one -------------------------------------------------------------------------------- */

static size_t streams_of(struct streams *streams, int64_t merchant)
{
    size_t count = 0;
    struct list *bucket = bucket_of(streams, merchant);
    for (struct list *at = bucket->next; at != bucket; at = at->next)
        count += CONTAINER_OF(at, struct stream, of_merchant)->call->merchant == merchant;
    return count;
}

static void stream_begin(struct call *call, int64_t cursor)
{
    struct streams *streams = call->api->streams;
    if (streams->draining) { /* it was asked for in time, and would have no end */
        reply_problem(call, PROBLEM_OVERLOADED, "The gateway ends. Come again.");
        return;
    }
    if (streams->count >= STREAMS_MAX ||
        streams_of(streams, call->merchant) >= STREAMS_PER_MERCHANT) {
        reply_problem(call, PROBLEM_TOO_MANY_STREAMS, "%d streams of one merchant are allowed.",
                      STREAMS_PER_MERCHANT);
        return;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        reply_problem(call, PROBLEM_OVERLOADED, "Try again.");
        return;
    }
    stream->streams = streams;
    stream->call = call;
    stream->cursor = stream->told = cursor;
    stream->due = true;
    struct view kind = call->read.event_kind;
    if (kind.len > 0)
        memcpy(stream->pattern, kind.ptr, kind.len);
    stream->kind = view_of(stream->pattern, kind.len);
    stream->spoke_us = stream->key_us = loop_now_us(call->api->o.loop);
    list_append(&streams->all, &stream->link);
    list_append(bucket_of(streams, call->merchant), &stream->of_merchant);
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
    if (read_succeeded(call, read, "There is no journal.") && cursor_known(call))
        stream_begin(call, read->after != 0 ? read->after : read->journal_seq); /* 0: from now on */
}

void run_event_stream(struct call *call)
{
    struct view cursor = http_header(call->http, "last-event-id");
    call->read = (struct store_read){ .question = STORE_JOURNAL_ENDS };
    if (!kind_parameter(call))
        return;
    if (cursor.len == 0 && !parameter(call, "cursor", ID_TEXT_MAX, &cursor))
        return;
    if (cursor.len > 0 && id_parse(ID_EVENT, cursor, &call->read.after) != STATUS_OK) {
        reply_problem(call, PROBLEM_INVALID_PARAMETER,
                      "`cursor` and Last-Event-ID must be the id of an event.");
        return;
    }
    ask_store(call, end_read);
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
    list_init(&streams->searching);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&streams->by_merchant[i]);
    arena_init(&streams->ends_arena, 4096); /* two numbers: no rows come */
    timer_init(&streams->search, api->o.loop, on_search, streams);
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
    streams->draining = true;
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
    timer_stop(&streams->search);
    while ((item = list_take_first(&streams->all)) != NULL)
        free(CONTAINER_OF(item, struct stream, link));
    streams->magic = 0;
    free(streams);
    api->streams = NULL;
}
