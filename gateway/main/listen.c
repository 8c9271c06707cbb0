/* listen.c - `railgate listen`: for those who write a receiver of webhooks. Reads a merchant's
 * events from a gateway as they happen, shows them, and forwards each to a URL, signed like a real
 * webhook, so that a laptop needs no public address.
 *
 *     [GET /v1/events/stream] -> on_piece -> sse_feed -> on_event -> queue -> pump
 *         -> [POST to --forward-to] -> handled (one line) -> pump
 *
 * What is in brackets is waited for. One event at a time is forwarded, in the order of the journal;
 * a failure is shown and the next one follows: repeats, pauses and disabling are for real
 * endpoints. When the connection is lost, it is made anew from the last event that came. When the
 * receiver is slow, the queue fills, and no more is read from the gateway until it is half empty.
 */
#include "main/cli.h"
#include "main/paint.h"
#include "main/signals.h"
#include "main/sse.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "base/list.h"
#include "base/vault.h"
#include "domain/webhook.h"
#include "outbox/outbox.h"
#include "wire/http_client.h"
#include "wire/tls.h"
#include "json/json_read.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMAND        "listen"
#define LISTEN_MAGIC   0x4c53544eu
#define QUEUE_MAX      64
#define SILENCE_US     (45 * LOOP_US_PER_S) /* the gateway speaks every 15 s */
#define FORWARD_US     (30 * LOOP_US_PER_S)
#define KEPT_US        (500 * LOOP_US_PER_MS)
#define AGAIN_FIRST_US (250 * LOOP_US_PER_MS)
#define AGAIN_MOST_US  (10 * LOOP_US_PER_S)
#define ANSWER_MAX     16384
#define ITEM_ARENA_MAX ((size_t)8 << 20)

struct item {
    struct list link;
    struct view rendered; /* the event as the gateway shows it */
    struct view id, kind, time, payment;
    struct arena arena;
};

struct listen {
    uint32_t magic;
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct secret_key *signer;
    struct tls_context *tls;
    struct http_client *from, *to;
    struct web_url api, forward;
    const char *kind, *api_text, *forward_text;
    struct view authorization; /* in vault memory */
    struct paint paint, err;   /* of stdout, stderr */
    bool lines;                /* JSON lines: stdout is no terminal */
    struct http_call *stream;
    struct sse sse;
    struct timer again;
    int64_t again_us;
    bool connected_once, connected;
    char problem[ANSWER_MAX];
    size_t problem_len;
    struct list queue;
    size_t queued;
    struct item *sending;
    int64_t sent_us;
    char came[ID_TEXT_MAX], handled[ID_TEXT_MAX];
    uint64_t shown, accepted, failed, count_wanted;
    bool stopping;
    int exit_code;
    struct signals signals;
};

static void connect_now(struct listen *l);
static void pump(struct listen *l);

static void stop(struct listen *l, int code)
{
    if (l->stopping)
        return;
    l->stopping = true;
    l->exit_code = code;
    loop_stop(l->loop);
}

static void say(const struct listen *l, enum colour colour, const char *text)
{
    fprintf(stderr, "%s%s%s\n", paint_begin(&l->err, colour), text, paint_end(&l->err));
}

/* --- one line for each event ------------------------------------------------------------------ */

static void put_line(struct listen *l, const struct item *item, int status, const char *error)
{
    int64_t took_ms = (loop_now_us(l->loop) - l->sent_us) / LOOP_US_PER_MS;
    size_t room = item->rendered.len + 512;
    uint8_t *bytes = malloc(room);
    struct writer w = writer_over(bytes, bytes != NULL ? room : 0);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_raw(&j, "event", item->rendered);
    if (l->forward_text != NULL) {
        json_open_object(&j, "forwarded");
        if (error == NULL)
            json_put_i64(&j, "status", status);
        else
            json_put_text(&j, "error", view_text(error));
        json_put_i64(&j, "latency_ms", took_ms);
        json_close_object(&j);
    }
    json_close_object(&j);
    writer_u8(&w, '\n');
    if (!w.overflow)
        cli_print(writer_done(&w));
    free(bytes);
}

static void put_pretty(struct listen *l, const struct item *item, int status, const char *error)
{
    const struct paint *paint = &l->paint;
    bool good = error == NULL && status / 100 == 2;
    /* 2026-01-01T12:00:00.000Z: the time of day */
    print_safe(stdout, view_slice(item->time, 11, 8));
    printf("  %s", paint_begin(paint, COLOUR_BOLD));
    print_safe(stdout, item->kind);
    printf("%s  %s", paint_end(paint), paint_begin(paint, COLOUR_DIM));
    print_safe(stdout, item->id);
    if (item->payment.len > 0) {
        printf("  ");
        print_safe(stdout, item->payment);
    }
    printf("%s", paint_end(paint));
    if (l->forward_text != NULL) {
        int64_t took_ms = (loop_now_us(l->loop) - l->sent_us) / LOOP_US_PER_MS;
        printf("  %s-> ", paint_begin(paint, good ? COLOUR_GREEN : COLOUR_RED));
        if (error == NULL)
            printf("%d", status);
        else
            printf("%s", error);
        printf("%s (%lld ms)", paint_end(paint), (long long)took_ms);
    }
    printf("\n");
}

static void item_free(struct item *item)
{
    if (item == NULL)
        return;
    list_remove(&item->link);
    arena_reset(&item->arena);
    free(item);
}

/* It was forwarded, or could not be (error), or need not. */
static void handled(struct listen *l, struct item *item, int status, const char *error)
{
    if (l->lines)
        put_line(l, item, status, error);
    else
        put_pretty(l, item, status, error);
    l->shown++;
    if (l->forward_text != NULL) {
        bool good = error == NULL && status / 100 == 2;
        l->accepted += good;
        l->failed += !good;
    }
    IGNORE_STATUS(view_to_text(item->id, l->handled, sizeof l->handled));
    item_free(item);
    if (fflush(stdout) != 0)
        stop(l, EXIT_COULD_NOT); /* whoever read our lines is gone */
    else if (l->count_wanted != 0 && l->shown >= l->count_wanted)
        stop(l, EXIT_GOOD);
}

/* --- forwarding ------------------------------------------------------------------------------- */

static const char *reason_of(enum status status)
{
    switch (status) {
    case STATUS_TIMEOUT: return "no answer in time";
    case STATUS_REFUSED: return "nobody listens there";
    case STATUS_TLS: return "TLS failed; see --ca";
    case STATUS_NOT_FOUND: return "no such host";
    case STATUS_CLOSED: return "connection closed";
    default: return status_text(status);
    }
}

static void on_forwarded(void *arg, const struct http_answer *answer)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    struct item *item = l->sending;
    l->sending = NULL;
    if (answer->status == STATUS_CANCELED || l->stopping) {
        item_free(item);
        return;
    }
    handled(l, item, answer->http_status,
            answer->status == STATUS_OK ? NULL : reason_of(answer->status));
    pump(l);
}

static enum status forward(struct listen *l, struct item *item)
{
    char timestamp[24], signature[128], id[ID_TEXT_MAX];
    int64_t now_s = loop_wall_us(l->loop) / LOOP_US_PER_S;
    size_t room = item->rendered.len + 2 * item->kind.len + 512;
    uint8_t *bytes = arena_alloc(&item->arena, room);
    struct writer body = writer_over(bytes, bytes != NULL ? room : 0);
    struct writer time = writer_over(timestamp, sizeof timestamp);
    struct writer signed_ = writer_over(signature, sizeof signature);
    TRY(view_to_text(item->id, id, sizeof id));
    outbox_body_rendered(&body, item->kind, item->time, item->rendered);
    TRY(writer_status(&body));
    writer_i64_text(&time, now_s);
    TRY(outbox_signature(l->signer, id, now_s, writer_done(&body), &item->arena, &signed_));
    const struct http_header headers[] = {
        { VIEW("Content-Type"), VIEW("application/json") },
        { VIEW("User-Agent"), VIEW("railgate-listen/1") },
        { VIEW("webhook-id"), item->id },
        { VIEW("webhook-timestamp"), writer_done(&time) },
        { VIEW("webhook-signature"), writer_done(&signed_) },
    };
    return http_call(l->to, "POST", l->forward.path, headers, COUNT_OF(headers), writer_done(&body),
                     FORWARD_US, on_forwarded, l, NULL);
}

static void pump(struct listen *l)
{
    while (!l->stopping && l->sending == NULL && !list_empty(&l->queue)) {
        struct item *item = CONTAINER_OF(list_take_first(&l->queue), struct item, link);
        l->queued--;
        l->sent_us = loop_now_us(l->loop);
        if (l->forward_text == NULL) {
            handled(l, item, 0, NULL);
            continue;
        }
        l->sending = item;
        enum status status = forward(l, item);
        if (status != STATUS_OK) {
            l->sending = NULL;
            handled(l, item, 0, reason_of(status));
        }
    }
    if (l->queued < QUEUE_MAX / 2 && l->stream != NULL)
        http_call_resume(l->stream);
}

/* --- what comes ------------------------------------------------------------------------------- */

static enum status item_read(struct item *item, const struct sse_event *event)
{
    struct json_limits limits = { .bytes_max = SSE_EVENT_BYTES_MAX,
                                  .nodes_max = 65536,
                                  .depth_max = 32 };
    const struct json_node *root = NULL;
    item->rendered = arena_copy(&item->arena, event->data);
    if (item->rendered.len == 0)
        return STATUS_NO_MEMORY;
    TRY(json_read(item->rendered, &limits, &item->arena, &root, NULL));
    TRY(json_text(json_member(root, "id"), &item->id));
    TRY(json_text(json_member(root, "kind"), &item->kind));
    TRY(json_text(json_member(root, "time"), &item->time));
    IGNORE_STATUS(json_text(json_member(root, "payment"), &item->payment));
    int64_t ignored;
    return id_parse(ID_EVENT, item->id, &ignored);
}

static void on_event(void *arg, const struct sse_event *event)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    int64_t ignored; /* what is no id goes neither into a request nor to the terminal */
    if (id_parse(ID_EVENT, event->id, &ignored) == STATUS_OK)
        IGNORE_STATUS(view_to_text(event->id, l->came, sizeof l->came));
    if (event->data.len == 0) { /* how far the gateway looked; it is our place if nothing waits */
        if (l->sending == NULL && list_empty(&l->queue))
            memcpy(l->handled, l->came, sizeof l->handled);
        return;
    }
    struct item *item = calloc(1, sizeof *item);
    if (item == NULL)
        return;
    arena_init(&item->arena, ITEM_ARENA_MAX);
    if (item_read(item, event) != STATUS_OK) {
        say(l, COLOUR_RED, "railgate " COMMAND ": what came is no event of railgate; passed over");
        item_free(item);
        return;
    }
    list_append(&l->queue, &item->link);
    if (++l->queued >= QUEUE_MAX)
        http_call_pause(l->stream);
    pump(l);
}

static void on_piece(void *arg, int http_status, struct view bytes)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    if (l->stopping)
        return;
    if (http_status != 200) {
        struct writer w = writer_over(l->problem, sizeof l->problem);
        w.len = l->problem_len;
        writer_view(&w, view_slice(bytes, 0, sizeof l->problem - w.len));
        l->problem_len = w.len;
        return;
    }
    if (bytes.len == 0) {
        if (l->connected_once)
            say(l, COLOUR_DIM, "connected again");
        l->connected = l->connected_once = true;
        l->again_us = AGAIN_FIRST_US;
        return;
    }
    if (sse_feed(&l->sse, bytes) != STATUS_OK) {
        say(l, COLOUR_RED, "railgate " COMMAND ": an event is larger than this program takes");
        stop(l, EXIT_COULD_NOT);
    }
}

/* What the gateway said about why not, on standard error. */
static void tell_problem(struct listen *l, int http_status)
{
    struct arena arena;
    const struct json_node *root = NULL;
    struct view detail = VIEW_EMPTY, title = VIEW_EMPTY;
    arena_init(&arena, (size_t)1 << 20);
    if (json_read(view_of(l->problem, l->problem_len), NULL, &arena, &root, NULL) == STATUS_OK) {
        IGNORE_STATUS(json_text(json_member(root, "title"), &title));
        IGNORE_STATUS(json_text(json_member(root, "detail"), &detail));
    }
    fprintf(stderr, "railgate " COMMAND ": %s answers %d", l->api_text, http_status);
    if (title.len > 0) {
        fprintf(stderr, ": ");
        print_safe(stderr, title);
    }
    if (detail.len > 0) {
        fprintf(stderr, ". ");
        print_safe(stderr, detail);
    }
    fprintf(stderr, "\n");
    arena_reset(&arena);
}

static void on_stream_over(void *arg, const struct http_answer *answer)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    bool was_connected = l->connected;
    l->stream = NULL;
    l->connected = false;
    if (l->stopping || answer->status == STATUS_CANCELED)
        return;
    int code = answer->status == STATUS_OK ? answer->http_status : 0;
    bool for_good = code / 100 == 4 && code != 429;
    if (for_good || (!l->connected_once && code != 0)) {
        tell_problem(l, code);
        stop(l, EXIT_COULD_NOT);
        return;
    }
    if (!l->connected_once) {
        fprintf(stderr, "railgate " COMMAND ": %s cannot be reached: %s\n", l->api_text,
                reason_of(answer->status));
        stop(l, EXIT_COULD_NOT);
        return;
    }
    if (was_connected)
        say(l, COLOUR_YELLOW, "the connection to the gateway is lost; trying again");
    timer_start(&l->again, l->again_us);
    l->again_us = l->again_us * 2 < AGAIN_MOST_US ? l->again_us * 2 : AGAIN_MOST_US;
}

static void on_again(struct timer *timer, void *arg)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    (void)timer;
    if (!l->stopping)
        connect_now(l);
}

static void connect_now(struct listen *l)
{
    char path[WEBHOOK_URL_MAX + 128];
    struct writer w = writer_over(path, sizeof path);
    struct view base = l->api.path;
    if (base.ptr[base.len - 1] == '/')
        base.len--;
    writer_view(&w, base);
    writer_text(&w, "/v1/events/stream");
    if (l->came[0] != '\0')
        writer_format(&w, "?cursor=%s", l->came);
    if (l->kind != NULL)
        writer_format(&w, "%skind=%s", l->came[0] != '\0' ? "&" : "?", l->kind);
    const struct http_header headers[] = { { VIEW("Authorization"), l->authorization },
                                           { VIEW("Accept"), VIEW("text/event-stream") } };
    sse_reset(&l->sse);
    l->problem_len = 0;
    enum status status =
        w.overflow ? STATUS_FULL
                   : http_call(l->from, "GET", writer_done(&w), headers, COUNT_OF(headers),
                               VIEW_EMPTY, SILENCE_US, on_stream_over, l, &l->stream);
    if (status == STATUS_OK) {
        http_call_stream(l->stream, on_piece);
        return;
    }
    fprintf(stderr, "railgate " COMMAND ": %s\n", status_text(status));
    stop(l, EXIT_COULD_NOT);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_stop(void *arg)
{
    struct listen *l = arg;
    ENSURE_MAGIC(l, LISTEN_MAGIC);
    stop(l, EXIT_GOOD);
}

/* --- what was asked for ----------------------------------------------------------------------- */

/* The first line of a file, without its end; `room` bytes with the zero byte. */
static bool read_line_of(const char *path, const char *what, char *out, size_t room)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    bool good = file != NULL && fgets(out, (int)room, file) != NULL;
    if (file != NULL && file != stdin)
        (void)fclose(file);
    if (good) {
        out[strcspn(out, "\r\n")] = '\0';
        good = out[0] != '\0';
    }
    if (!good)
        fprintf(stderr, "railgate " COMMAND ": the %s cannot be read from %s%s%s\n", what, path,
                file == NULL ? ": " : "", file == NULL ? strerror(errno) : "");
    return good;
}

static bool take_key(struct listen *l, const char *key_file, uint8_t *room, size_t room_len)
{
    char key[512];
    const char *from = getenv("RAILGATE_API_KEY");
    if (key_file != NULL) {
        if (!read_line_of(key_file, "API key", key, sizeof key))
            return false;
        from = key;
    }
    if (from == NULL || from[0] == '\0') {
        fprintf(stderr, "railgate " COMMAND ": give the merchant's API key, in RAILGATE_API_KEY or "
                        "with --key-file (not on the command line, where others see it)\n");
        return false;
    }
    struct writer w = writer_over(room, room_len);
    writer_format(&w, "Bearer %s", from);
    vault_wipe(key, sizeof key);
    l->authorization = writer_done(&w);
    for (size_t i = 0; i < w.len; i++)
        if (room[i] < 0x20 || room[i] > 0x7e)
            w.overflow = true;
    if (w.overflow)
        fprintf(stderr, "railgate " COMMAND ": what was given is no API key\n");
    return !w.overflow;
}

/* Drawn anew, and told, when no file has one. */
static bool take_secret(struct listen *l, const char *file)
{
    char text[WEBHOOK_SECRET_TEXT] = "";
    uint8_t key[WEBHOOK_SECRET_MAX + 3];
    struct writer bytes = writer_over(key, sizeof key);
    if (file != NULL && !read_line_of(file, "webhook secret", text, sizeof text))
        return false;
    enum status status = STATUS_OK;
    if (file != NULL) {
        status = webhook_secret_read(view_text(text), &bytes);
    } else {
        struct writer w = writer_over(text, sizeof text - 1);
        loop_random(l->loop, key, WEBHOOK_SECRET_BYTES);
        bytes.len = WEBHOOK_SECRET_BYTES;
        webhook_secret_write(&w, writer_done(&bytes));
        text[w.len] = '\0';
        fprintf(stderr, "forwarding to %s, signed with %s\n", l->forward_text, text);
    }
    if (status == STATUS_OK)
        status = secret_put(l->secrets, COMMAND, SECRET_HMAC_SHA256, writer_done(&bytes));
    l->signer = secret_find(l->secrets, COMMAND);
    vault_wipe(key, sizeof key);
    vault_wipe(text, sizeof text);
    if (status != STATUS_OK)
        fprintf(stderr,
                "railgate " COMMAND ": %s holds no secret: whsec_ and base64 of %d to %d "
                "bytes\n",
                file, WEBHOOK_SECRET_MIN, WEBHOOK_SECRET_MAX);
    return status == STATUS_OK;
}

static bool take_url(const char *option, const char *text, struct web_url *out)
{
    if (web_url_parse(view_text(text), out) == STATUS_OK)
        return true;
    fprintf(stderr,
            "railgate " COMMAND ": --%s needs a URL like http://127.0.0.1:3000/hook, and "
            "`%s` is none\n",
            option, text);
    return false;
}

static bool open_to(struct listen *l, const struct web_url *url, struct http_client **out)
{
    struct http_client_options options = { .to = { .port = url->port },
                                           .tls = url->https ? l->tls : NULL,
                                           .conns_max = 1,
                                           .answer_bytes_max = (size_t)256 * 1024,
                                           .one_call_each = true,
                                           .cut_answers = true };
    memcpy(options.to.host, url->host, sizeof options.to.host);
    return http_client_open(out, l->wire, l->loop, &options) == STATUS_OK;
}

static bool open_all(struct listen *l, const char *ca, const char *secret_file)
{
    char text[1024];
    struct writer why = writer_over(text, sizeof text);
    struct tls_options tls = { .ca_path = ca };
    l->loop = loop_open_real();
    if (l->loop == NULL || wire_open_real(&l->wire, l->loop) != STATUS_OK ||
        secrets_open(&l->secrets, l->loop) != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": no memory, or no file descriptors\n");
        return false;
    }
    if (tls_open_client(&tls, &l->tls, &why) != STATUS_OK) {
        fprintf(stderr, "railgate " COMMAND ": %.*s\n", (int)why.len, text);
        return false;
    }
    if (l->forward_text != NULL &&
        (!take_secret(l, secret_file) || !open_to(l, &l->forward, &l->to)))
        return false;
    timer_init(&l->again, l->loop, on_again, l);
    return open_to(l, &l->api, &l->from);
}

static void close_all(struct listen *l)
{
    struct list *item;
    l->stopping = true;
    if (l->loop != NULL && l->from != NULL)
        timer_stop(&l->again);
    http_client_close(l->from);
    http_client_close(l->to);
    while ((item = list_take_first(&l->queue)) != NULL)
        item_free(CONTAINER_OF(item, struct item, link));
    sse_free(&l->sse);
    if (l->wire != NULL)
        wire_close(l->wire);
    if (l->tls != NULL)
        tls_close(l->tls);
    if (l->secrets != NULL)
        secrets_close(l->secrets);
    if (l->loop != NULL)
        loop_close(l->loop);
}

static void summary(const struct listen *l)
{
    fprintf(stderr, "%llu event%s", (unsigned long long)l->shown, l->shown == 1 ? "" : "s");
    if (l->forward_text != NULL)
        fprintf(stderr, ", %llu accepted, %llu not", (unsigned long long)l->accepted,
                (unsigned long long)l->failed);
    if (l->handled[0] != '\0') /* what came and still waits is to come again */
        fprintf(stderr, "; go on with --cursor %s", l->handled);
    fprintf(stderr, "\n");
}

static int run(struct listen *l, const char *ca, const char *secret_file)
{
    signals_block(&l->signals, on_stop, NULL, l);
    if (!open_all(l, ca, secret_file) || signals_begin(&l->signals, l->loop) != STATUS_OK) {
        close_all(l);
        return EXIT_COULD_NOT;
    }
    connect_now(l);
    if (!l->stopping)
        loop_run(l->loop);
    signals_end(&l->signals);
    if (l->connected_once)
        summary(l);
    close_all(l);
    return l->exit_code == EXIT_GOOD && l->failed > 0 ? EXIT_FINDINGS : l->exit_code;
}

/* False: said why. */
static bool take_words(struct listen *l, const char *cursor, const char *count)
{
    int64_t ignored;
    if (l->kind != NULL && !webhook_kind_valid(view_text(l->kind))) {
        fprintf(stderr, "railgate " COMMAND ": --events takes payment.succeeded, payment.* or *\n");
        return false;
    }
    if (cursor != NULL && (id_parse(ID_EVENT, view_text(cursor), &ignored) != STATUS_OK ||
                           view_to_text(view_text(cursor), l->came, sizeof l->came) != STATUS_OK)) {
        fprintf(stderr, "railgate " COMMAND ": --cursor takes the id of an event (evt_...)\n");
        return false;
    }
    memcpy(l->handled, l->came, sizeof l->handled);
    if (count != NULL &&
        (view_to_u64(view_text(count), 1000000000, &l->count_wanted) != STATUS_OK ||
         l->count_wanted == 0)) {
        fprintf(stderr, "railgate " COMMAND ": --count takes a number\n");
        return false;
    }
    return take_url("api", l->api_text, &l->api) &&
           (l->forward_text == NULL || take_url("forward-to", l->forward_text, &l->forward));
}

int command_listen(int argc, char **argv)
{
    static const char more[] =
        "The API key (scope payments:read) is read from RAILGATE_API_KEY, or with --key-file.\n"
        "On a terminal each event is a line for people; into a pipe or file, a line of JSON:\n"
        "{\"event\": {...}, \"forwarded\": {\"status\": 200, \"latency_ms\": 3}}\n"
        "A failure is shown and not repeated. Ctrl-C ends it and tells the cursor to go on from.\n"
        "Exit code: 0 the receiver accepted all that was forwarded, 1 not all, 2 could not listen.";
    const char *api = "http://127.0.0.1:8080", *forward_to = NULL, *key_file = NULL, *ca = NULL,
               *secret_file = NULL, *cursor = NULL, *kind = NULL, *count_text = NULL;
    const struct option_row rows[] = {
        { "forward-to", "URL", "Where each event is posted, signed as a webhook. Default: nowhere",
          &forward_to, NULL },
        { "api", "URL", "The gateway. Default: http://127.0.0.1:8080", &api, NULL },
        { "key-file", "FILE", "The API key is its first line; - is standard input.", &key_file,
          NULL },
        { "secret-file", "FILE",
          "The webhook secret (whsec_...) is its first line. Default: a new one, printed",
          &secret_file, NULL },
        { "events", "KIND", "Only these: payment.succeeded, payment.*", &kind, NULL },
        { "cursor", "ID", "Begin behind this event. Default: with what happens from now on",
          &cursor, NULL },
        { "count", "N", "End after so many events.", &count_text, NULL },
        { "ca", "FILE", "PEM authorities for https. Default: those of the system", &ca, NULL },
    };
    const struct usage usage = { .command = COMMAND,
                                 .sentence = "Shows a merchant's events as they happen, and "
                                             "forwards them to a receiver of webhooks.",
                                 .more = more,
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct listen *l = calloc(1, sizeof *l);
    uint8_t *room = vault_alloc(600);
    int code = EXIT_COULD_NOT;
    if (l != NULL && room != NULL) {
        *l = (struct listen){ .magic = LISTEN_MAGIC,
                              .kind = kind,
                              .api_text = api,
                              .forward_text = forward_to,
                              .paint = paint_for(stdout),
                              .err = paint_for(stderr),
                              .lines = isatty(STDOUT_FILENO) != 1,
                              .again_us = AGAIN_FIRST_US,
                              .exit_code = EXIT_GOOD };
        list_init(&l->queue);
        sse_init(&l->sse, on_event, l);
        if (take_words(l, cursor, count_text) && take_key(l, key_file, room, 600))
            code = run(l, ca, secret_file);
    }
    vault_free(room);
    free(l);
    return code;
}
