/* notify.c - the listener for notices, and the counting of entries until all are recorded.
 *
 * One message may tell of many payments. Its entries are handed to payment/ in their order and
 * share commits there; when the last is recorded the message is acknowledged, and if one of them
 * was not, the whole message is not: the channel repeats it, and what is recorded already is
 * recognised.
 *
 * A channel's name in the path is the only thing that is believed before the signature is checked.
 * A log line is written for what is refused, at most one a second: whoever finds the address can
 * send as much as it likes.
 */
#include "notify/notify.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "base/list.h"

#include <stdlib.h>

#define NOTIFY_MAGIC      0x4e4f5449u
#define MESSAGE_ARENA_MAX ((size_t)4 << 20)
#define PREFIX            "/notices/"
#define SAY_EVERY_US      (1 * LOOP_US_PER_S)

struct notify {
    uint32_t magic;
    struct notify_options o;
    struct channels *channels; /* NULL: not started */
    struct payments *payments;
    struct http_server *server;
    struct list messages;
    size_t running;
    struct notify_stats stats;
    int64_t said_us;
    uint64_t kept_back;
};

/* A message whose entries are being recorded. */
struct message {
    struct list link;
    struct arena arena;
    struct notice_read read;
    size_t open;        /* entries not recorded yet, and one until all were handed over */
    enum status status; /* OK, or that of the first entry that was not recorded */
    void (*end)(struct message *message);
    /* over HTTP */
    struct notify *notify;
    struct http_request *request;
    /* on a framed link */
    const struct notice_read *framed;
    notice_recorded_fn *recorded;
    void *recorded_arg;
};

/* --- entries ------------------------------------------------------------------------------------
 */

static void entry_recorded(void *arg, enum status status)
{
    struct message *message = arg;
    ENSURE(message->open > 0);
    if (status != STATUS_OK && message->status == STATUS_OK)
        message->status = status;
    if (--message->open == 0)
        message->end(message);
}

static void record(struct message *message, struct payments *payments, struct channel *channel,
                   const struct notice_read *read)
{
    message->status = STATUS_OK;
    message->open = 1 + read->count;
    for (size_t i = 0; i < read->count; i++)
        payment_notice(payments, channel, &read->entries[i], entry_recorded, message);
    entry_recorded(message, STATUS_OK);
}

static void message_free(struct message *message)
{
    list_remove(&message->link);
    arena_reset(&message->arena);
    free(message);
}

static void framed_end(struct message *message)
{
    message->recorded(message->recorded_arg, message->status);
    message_free(message);
}

void notify_framed(struct payments *payments, struct channel *channel,
                   const struct notice_read *read, notice_recorded_fn *recorded, void *recorded_arg)
{
    struct message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        recorded(recorded_arg, STATUS_NO_MEMORY);
        return;
    }
    list_init(&message->link);
    arena_init(&message->arena, MESSAGE_ARENA_MAX);
    message->end = framed_end;
    message->recorded = recorded;
    message->recorded_arg = recorded_arg;
    record(message, payments, channel, read);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void refuse(struct notify *notify, struct http_request *request, int http_status,
                   const char *why)
{
    int64_t now_us = loop_now_us(notify->o.loop);
    notify->stats.refused += http_status != 503;
    notify->stats.again += http_status == 503;
    if (notify->said_us == 0 || now_us - notify->said_us >= SAY_EVERY_US) {
        LOG(notify->o.log, LOG_WARN, "notify.refused", LOG_INT("http_status", http_status),
            LOG_VIEW("path", view_slice(http_path(request), 0,
                                        http_path(request).len < 64 ? http_path(request).len : 64)),
            LOG_TEXT("why", why), LOG_INT("kept_back", notify->kept_back));
        notify->said_us = now_us;
        notify->kept_back = 0;
    } else {
        notify->kept_back++;
    }
    uint8_t text[256];
    struct writer w = writer_over(text, sizeof text);
    writer_format(&w, "%s\n", why);
    const struct http_header later = { VIEW("retry-after"), VIEW("1") };
    http_respond(request, http_status, "text/plain; charset=utf-8", &later, http_status == 503,
                 writer_done(&w));
}

static void http_end(struct message *message)
{
    struct notify *notify = message->notify;
    char type[65] = "text/plain; charset=utf-8";
    notify->running--;
    if (message->status != STATUS_OK) {
        refuse(notify, message->request, 503, "not recorded; please send it again");
    } else {
        notify->stats.acknowledged++;
        if (message->read.ack_type.len > 0)
            (void)view_to_text(message->read.ack_type, type, sizeof type);
        http_respond(message->request, message->read.ack_status, type, NULL, 0, message->read.ack);
    }
    message_free(message);
}

/* --- in -----------------------------------------------------------------------------------------
 */

static struct view headers_of(const struct http_request *request, struct arena *arena)
{
    size_t len = 0, count = http_headers_count(request);
    for (size_t i = 0; i < count; i++)
        len += http_header_at(request, i).name.len + http_header_at(request, i).value.len + 3;
    uint8_t *bytes = arena_alloc(arena, len);
    if (bytes == NULL)
        return VIEW_EMPTY;
    struct writer w = writer_over(bytes, len);
    for (size_t i = 0; i < count; i++) {
        struct http_header header = http_header_at(request, i);
        for (size_t k = 0; k < header.name.len; k++) {
            uint8_t c = header.name.ptr[k];
            writer_u8(&w, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
        }
        writer_text(&w, ": ");
        writer_view(&w, view_trim(header.value));
        writer_u8(&w, '\n');
    }
    return writer_done(&w);
}

/* "/notices/wallet/x?y" to the channel's name and what follows it. */
static struct view split_path(const struct http_request *request, struct arena *arena,
                              struct view *rest)
{
    struct view path = http_path(request), query = http_query(request);
    struct view after = view_slice(path, sizeof PREFIX - 1, path.len);
    size_t end = view_find(after, '/');
    struct view name = view_slice(after, 0, end);
    struct view more = view_slice(after, end, after.len);
    *rest =
        arena_format(arena, "%.*s%s%.*s", (int)more.len, more.len > 0 ? (const char *)more.ptr : "",
                     query.len > 0 ? "?" : "", (int)query.len, (const char *)query.ptr);
    return name;
}

static void read_and_record(struct notify *notify, struct message *message)
{
    struct http_request *request = message->request;
    struct notice_message in = { .body = http_body(request), .http_method = NOTICE_POST };
    struct view name = split_path(request, &message->arena, &in.path);
    struct channel *channel = channels_find(notify->channels, name);
    in.headers = headers_of(request, &message->arena);
    enum notice_verdict verdict = NOTICE_NOT_TAKEN;
    if (channel != NULL && !message->arena.overflow)
        verdict = channel_notice_read(channel, &in, &message->arena, &message->read);
    if (verdict == NOTICE_READ) {
        notify->running++;
        record(message, notify->payments, channel, &message->read);
        return;
    }
    if (channel == NULL)
        refuse(notify, request, 404, "there is no such channel");
    else if (message->arena.overflow)
        refuse(notify, request, 503, "memory is out");
    else if (verdict == NOTICE_NOT_VERIFIED)
        refuse(notify, request, 401, message->read.why);
    else
        refuse(notify, request, verdict == NOTICE_NOT_TAKEN ? 404 : 400, message->read.why);
    message_free(message);
}

static void handle(struct http_request *request, void *arg)
{
    struct notify *notify = arg;
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    notify->stats.received++;
    if (!view_starts_with(http_path(request), VIEW(PREFIX))) {
        refuse(notify, request, 404, "notices go to /notices/{channel}");
        return;
    }
    if (!view_is(http_method(request), "POST")) {
        refuse(notify, request, 405, "notices come with POST");
        return;
    }
    bool ready = notify->payments != NULL && payments_ready(notify->payments);
    struct message *message = ready ? calloc(1, sizeof *message) : NULL;
    if (message == NULL) {
        refuse(notify, request, 503, "starting or overloaded; please send it again");
        return;
    }
    list_append(&notify->messages, &message->link);
    arena_init(&message->arena, MESSAGE_ARENA_MAX);
    message->notify = notify;
    message->request = request;
    message->end = http_end;
    read_and_record(notify, message);
}

/* --- life ---------------------------------------------------------------------------------------
 */

enum status notify_open(struct notify **out, const struct notify_options *options)
{
    *out = NULL;
    const struct settings *s = options->settings;
    struct http_server_options server = {
        .tls = options->tls,
        .limits = { .body_bytes_max = (size_t)s->limit_notice_bytes,
                    .header_bytes_max = (size_t)s->limit_header_bytes,
                    .header_timeout_us = s->limit_header_time_us,
                    .body_timeout_us = s->limit_body_time_us,
                    .conns_max = (size_t)s->limit_notice_connections,
                    .give_way = true },
        .handler = handle,
        .log = options->log,
        .owner = options->owner,
    };
    TRY(endpoint_parse(view_text(s->notify_listen), &server.at));
    struct notify *notify = calloc(1, sizeof *notify);
    if (notify == NULL)
        return STATUS_NO_MEMORY;
    notify->magic = NOTIFY_MAGIC;
    notify->o = *options;
    list_init(&notify->messages);
    server.arg = notify;
    enum status status = http_server_open(&notify->server, options->wire, options->loop, &server);
    if (status != STATUS_OK) {
        free(notify);
        return status;
    }
    *out = notify;
    return STATUS_OK;
}

void notify_start(struct notify *notify, struct channels *channels, struct payments *payments)
{
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    notify->channels = channels;
    notify->payments = payments;
}

const struct endpoint *notify_endpoint(const struct notify *notify)
{
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    return http_server_endpoint(notify->server);
}

void notify_drain(struct notify *notify)
{
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    http_server_drain(notify->server);
}

size_t notify_running(const struct notify *notify)
{
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    return notify->running;
}

void notify_stats(const struct notify *notify, struct notify_stats *out)
{
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    *out = notify->stats;
}

void notify_close(struct notify *notify)
{
    if (notify == NULL)
        return;
    ENSURE_MAGIC(notify, NOTIFY_MAGIC);
    http_server_close(notify->server);
    while (!list_empty(&notify->messages))
        message_free(CONTAINER_OF(notify->messages.next, struct message, link));
    notify->magic = 0;
    free(notify);
}
