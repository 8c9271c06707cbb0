/* fuzz_http.c - arbitrary bytes against the HTTP server over the in-memory wire.
 *
 * Input: one byte of options (bit 0: the handler answers late; bits 1-3: how finely the network
 * cuts; bit 4: the client half-closes behind its bytes), then what the client sends. Must hold
 * whatever the bytes are: no crash, no leak, the server is empty at the end, as many final answers
 * as requests handled plus at most one refusal, and nothing after the answer that said `Connection:
 * close`.
 */
#include "base/ensure.h"
#include "base/vault.h"
#include "wire/http_server.h"
#include "wire/memory.h"

#include <stdlib.h>

enum { HELD_MAX = 64, REPLY_MAX = 1 << 20 };

struct world {
    struct loop *loop;
    struct wire *wire;
    struct http_server *server;
    struct view input;
    bool late, half_close;
    size_t handled, refused;
    struct http_request *held;
    struct timer later;
    uint8_t *reply;
    size_t reply_len;
    bool closed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct http_request *request)
{
    /* Touch everything, so that a sanitizer sees a view that points nowhere. */
    struct view views[] = { http_method(request), http_path(request), http_query(request),
                            http_body(request), http_header(request, "host") };
    uint8_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        for (size_t k = 0; k < views[i].len; k++)
            sum ^= views[i].ptr[k];
    }
    char letter[1] = { (char)('a' + sum % 26) };
    http_respond(request, 200, "text/plain", NULL, 0, view_of(letter, 1));
}

static void on_later(struct timer *timer, void *arg)
{
    struct world *world = arg;
    (void)timer;
    struct http_request *request = world->held;
    world->held = NULL;
    answer(request);
}

static void on_request(struct http_request *request, void *arg)
{
    struct world *world = arg;
    world->handled++;
    if (!world->late) {
        answer(request);
        return;
    }
    ENSURE(world->held == NULL);
    world->held = request;
    timer_start(&world->later, 100);
}

static void on_refusal(void *arg, int http_status, const char *code, const char *detail,
                       struct writer *body)
{
    struct world *world = arg;
    ENSURE(http_status >= 400 && code != NULL && detail != NULL);
    world->refused++;
    writer_text(body, "r");
}

static void on_opened(struct conn *conn, void *arg)
{
    struct world *world = arg;
    ENSURE(conn_write(conn, world->input) == STATUS_OK);
    if (world->half_close)
        conn_half_close(conn);
}

static void on_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct world *world = arg;
    (void)conn;
    if (bytes.len > REPLY_MAX - world->reply_len)
        bytes.len = REPLY_MAX - world->reply_len;
    memcpy(world->reply + world->reply_len, bytes.ptr, bytes.len);
    world->reply_len += bytes.len;
}

static void on_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn, (void)why;
    ((struct world *)arg)->closed = true;
}

static const struct conn_events client_events = { .opened = on_opened,
                                                  .bytes = on_bytes,
                                                  .closed = on_closed };

static bool starts(const struct world *world, size_t at, const char *text)
{
    size_t len = strlen(text);
    return at + len <= world->reply_len && memcmp(world->reply + at, text, len) == 0;
}

static void check(const struct world *world)
{
    size_t finals = 0, last_close = 0;
    for (size_t at = 0; at < world->reply_len; at++) {
        if (starts(world, at, "HTTP/1.1 ") && !starts(world, at, "HTTP/1.1 100")) {
            ENSURE(last_close == 0);
            finals++;
        }
        if (starts(world, at, "\r\nConnection: close\r\n"))
            last_close = at;
    }
    ENSURE(world->refused <= 1);
    ENSURE(world->closed);
    ENSURE(finals == world->handled + world->refused || world->reply_len == REPLY_MAX);
    ENSURE(http_server_conns(world->server) == 0 && http_server_running(world->server) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 18)
        return 0;
    size_t vault_before = vault_in_use();
    struct world world = { .input = view_of(data + 1, size - 1),
                           .late = (data[0] & 1) != 0,
                           .half_close = (data[0] & 16) != 0 };
    struct memory_faults faults = { .delay_us_min = 1,
                                    .delay_us_max = 50,
                                    .cut_per_million = (data[0] >> 1 & 7) * 140000u };
    struct http_server_options options = { .handler = on_request,
                                           .refusal = on_refusal,
                                           .arg = &world,
                                           .limits = { .body_bytes_max = 4096 } };
    world.reply = malloc(REPLY_MAX);
    ENSURE(world.reply != NULL);
    world.loop = loop_open_virtual(data[0], 0);
    timer_init(&world.later, world.loop, on_later, &world);
    ENSURE(wire_open_memory(&world.wire, world.loop, &faults) == STATUS_OK);
    ENSURE(endpoint_parse(VIEW("server:80"), &options.at) == STATUS_OK);
    ENSURE(http_server_open(&world.server, world.wire, world.loop, &options) == STATUS_OK);
    struct conn_options client = { .events = &client_events, .arg = &world };
    struct conn *conn;
    ENSURE(conn_connect(world.wire, &options.at, &client, &conn) == STATUS_OK);
    loop_run(world.loop); /* ends: every wait of the server has its limit */
    check(&world);
    http_server_close(world.server);
    wire_close(world.wire);
    loop_close(world.loop);
    free(world.reply);
    ENSURE(vault_in_use() == vault_before);
    return 0;
}
