/* card_control.c - the control port of railgate-sim card: a table of method, path and function.
 *
 *     GET  /ledger?from=N&limit=N   totals, accounts, entries (8000 at most; then see "next")
 *     GET  /settlement?from=&to=    the settlement file, as a stream (docs/rails/settlement.md)
 *     GET  /knobs                   settings, key check values, faults
 *     PUT  /knobs, POST /knobs      sets; PUT replaces the faults, POST adds to them
 *     POST /reset                   as at the start
 *     POST /send                    {"code": "301", "link": 0}
 *     POST /links/drop              {"how": "close" or "reset", "link": 0}
 *     GET  /stats                   counters and links
 *
 * Errors: {"error": "sentence"} with 400, 404, 405, 500.
 */
#include "card_shell.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "json/json_read.h"

#include <stdlib.h>

#define ANSWER_ROOM 65536
/* The HTTP server lets 8 MiB wait for a client; an entry takes some 650 bytes. */
#define LEDGER_PAGE_MAX 8000

static void respond(struct http_request *request, int http_status, const struct writer *body)
{
    if (body->overflow) {
        http_respond(request, 500, "application/json", NULL, 0,
                     VIEW("{\"error\":\"the answer does not fit\"}\n"));
        return;
    }
    http_respond(request, http_status, "application/json", NULL, 0, writer_done(body));
}

static void refuse(struct http_request *request, int http_status, struct view sentence)
{
    uint8_t text[1024];
    struct writer w = writer_over(text, sizeof text);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "error", sentence);
    json_close_object(&j);
    writer_text(&w, "\n");
    respond(request, http_status, &w);
}

static void done(struct http_request *request)
{
    http_respond(request, 200, "application/json", NULL, 0, VIEW("{\"ok\":true}\n"));
}

/* A number of the query; `otherwise` when absent. */
static bool query_number(struct http_request *request, const char *name, uint64_t otherwise,
                         uint64_t *out)
{
    uint8_t text[24];
    struct writer w = writer_over(text, sizeof text);
    enum status s = http_query_value(http_query(request), name, &w);
    *out = otherwise;
    if (s == STATUS_NOT_FOUND)
        return true;
    return s == STATUS_OK && view_to_u64(writer_done(&w), UINT32_MAX, out) == STATUS_OK;
}

static void get_ledger(struct card_shell *shell, struct http_request *request)
{
    uint64_t from = 0, limit = 0;
    if (!query_number(request, "from", 1, &from) ||
        !query_number(request, "limit", UINT32_MAX, &limit)) {
        refuse(request, 400, VIEW("from and limit are numbers"));
        return;
    }
    if (limit > LEDGER_PAGE_MAX)
        limit = LEDGER_PAGE_MAX;
    size_t room = card_host_ledger_room(shell->host, from, (size_t)limit);
    uint8_t *text = malloc(room);
    if (text == NULL) {
        refuse(request, 500, VIEW("out of memory; ask for less with limit"));
        return;
    }
    struct writer w = writer_over(text, room);
    struct json_out j;
    json_out_init(&j, &w);
    card_host_write_ledger(shell->host, &j, from, (size_t)limit);
    respond(request, 200, &w);
    free(text);
}

static void get_settlement(struct card_shell *shell, struct http_request *request)
{
    uint8_t why[512];
    struct writer w = writer_over(why, sizeof why);
    struct settlement *settlement = NULL;
    enum status s = card_host_settlement(shell->host, http_query(request), loop_now_us(shell->loop),
                                         &settlement, &w);
    if (s == STATUS_OK)
        downloads_start(&shell->downloads, request, settlement);
    else
        refuse(request, s == STATUS_NO_MEMORY ? 500 : 400,
               w.len > 0 ? writer_done(&w) : view_text(status_text(s)));
}

static void get_knobs(struct card_shell *shell, struct http_request *request)
{
    uint8_t text[ANSWER_ROOM];
    struct writer w = writer_over(text, sizeof text);
    struct json_out j;
    json_out_init(&j, &w);
    card_host_write_knobs(shell->host, &j, loop_now_us(shell->loop));
    respond(request, 200, &w);
}

static void get_stats(struct card_shell *shell, struct http_request *request)
{
    uint8_t text[ANSWER_ROOM];
    struct writer w = writer_over(text, sizeof text);
    struct json_out j;
    json_out_init(&j, &w);
    card_host_write_stats(shell->host, &j);
    respond(request, 200, &w);
}

static void set_knobs(struct card_shell *shell, struct http_request *request)
{
    uint8_t why[512];
    struct writer w = writer_over(why, sizeof why);
    enum card_knobs_mode mode =
        view_is(http_method(request), "PUT") ? CARD_KNOBS_REPLACE : CARD_KNOBS_ADD;
    if (card_host_set(shell->host, http_body(request), mode, loop_now_us(shell->loop), &w) !=
        STATUS_OK) {
        refuse(request, 400, writer_done(&w));
        return;
    }
    get_knobs(shell, request);
    card_shell_pump(shell);
}

static void reset(struct card_shell *shell, struct http_request *request)
{
    uint8_t why[512];
    struct writer w = writer_over(why, sizeof why);
    card_host_reset(shell->host, loop_now_us(shell->loop));
    if (card_shell_apply_start(shell, &w) != STATUS_OK)
        refuse(request, 500, writer_done(&w));
    else
        done(request);
    card_shell_pump(shell);
}

/* {"<word>": text, "link": number}; both may be absent (`*text` then stays). */
static bool read_order(struct http_request *request, struct arena *arena, const char *word,
                       struct view *text, uint64_t *link)
{
    const struct json_node *root = NULL;
    const char *const known[] = { word, "link" };
    int64_t number = 0;
    if (http_body(request).len == 0)
        return true;
    if (json_read(http_body(request), NULL, arena, &root, NULL) != STATUS_OK ||
        root->kind != JSON_OBJECT || json_unknown(root, known, COUNT_OF(known), NULL) != NULL)
        return false;
    if (json_member(root, word) != NULL && json_text(json_member(root, word), text) != STATUS_OK)
        return false;
    if (json_member(root, "link") != NULL &&
        (json_i64(json_member(root, "link"), &number) != STATUS_OK || number < 0))
        return false;
    *link = (uint64_t)number;
    return true;
}

static void send_message(struct card_shell *shell, struct http_request *request)
{
    struct arena arena;
    struct view code = VIEW("301");
    uint64_t link = 0;
    arena_init(&arena, 65536);
    enum status s = STATUS_MALFORMED;
    if (read_order(request, &arena, "code", &code, &link))
        s = card_host_send(shell->host, code, link, loop_now_us(shell->loop));
    arena_reset(&arena);
    if (s == STATUS_NOT_FOUND)
        refuse(request, 404, VIEW("there is no such link"));
    else if (s != STATUS_OK)
        refuse(request, 400,
               VIEW("the body is {\"code\": \"001\", \"002\", \"101\" or \"301\", "
                    "\"link\": number}, both optional"));
    else
        done(request);
    card_shell_pump(shell);
}

static void drop_links(struct card_shell *shell, struct http_request *request)
{
    struct arena arena;
    struct view how = VIEW("close");
    uint64_t link = 0;
    arena_init(&arena, 65536);
    bool ok = read_order(request, &arena, "how", &how, &link) &&
              (view_is(how, "close") || view_is(how, "reset"));
    if (ok)
        card_host_drop_links(shell->host, view_is(how, "reset") ? CARD_DROP_RESET : CARD_DROP_CLOSE,
                             link, loop_now_us(shell->loop));
    arena_reset(&arena);
    if (ok)
        done(request);
    else
        refuse(request, 400,
               VIEW("the body is {\"how\": \"close\" or \"reset\", \"link\": number}, "
                    "both optional"));
    card_shell_pump(shell);
}

void card_control_handle(struct http_request *request, void *arg)
{
    struct card_shell *shell = arg;
    static const struct {
        const char *method, *path;
        void (*run)(struct card_shell *shell, struct http_request *request);
    } ROUTES[] = {
        { "GET", "/ledger", get_ledger },         { "GET", "/knobs", get_knobs },
        { "PUT", "/knobs", set_knobs },           { "POST", "/knobs", set_knobs },
        { "GET", "/stats", get_stats },           { "POST", "/reset", reset },
        { "POST", "/send", send_message },        { "POST", "/links/drop", drop_links },
        { "GET", "/settlement", get_settlement },
    };
    bool path_known = false;
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!view_is(http_path(request), ROUTES[i].path))
            continue;
        path_known = true;
        if (view_is(http_method(request), ROUTES[i].method)) {
            ROUTES[i].run(shell, request);
            return;
        }
    }
    refuse(request, path_known ? 405 : 404,
           path_known ? VIEW("this path does not know the method") : VIEW("no such path"));
}
