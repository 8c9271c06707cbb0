/* reply.c - the end of every call: one answer, then its memory goes back (wiped). */
#include "api/api_int.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

static void call_end(struct call *call, int http_status, const char *type,
                     const struct http_header *headers, size_t count, struct view body)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    ENSURE(!call->reading);
    struct api *api = call->api;
    api->stats.answers[http_status / 100 < 6 ? http_status / 100 : 0]++;
    http_respond(call->http, http_status, type, headers, count, body);
    list_remove(&call->link);
    arena_reset(&call->arena);
    call->magic = 0;
    free(call);
}

void call_forget(struct call *call)
{
    ENSURE_MAGIC(call, CALL_MAGIC);
    ENSURE(!call->reading);
    list_remove(&call->link);
    arena_reset(&call->arena);
    call->magic = 0;
    free(call);
}

void reply(struct call *call, int http_status, struct view body)
{
    call_end(call, http_status, "application/json", NULL, 0, body);
}

void reply_bytes(struct call *call, const char *type, struct view body)
{
    call_end(call, 200, type, NULL, 0, body);
}

static void end_problem(struct call *call, enum problem problem, struct view body)
{
    struct http_header headers[2];
    size_t count = 0;
    int http_status = problem_status(problem);
    if (http_status == 401)
        headers[count++] = (struct http_header){ VIEW("WWW-Authenticate"), VIEW("Bearer") };
    char allow[64];
    struct writer w = writer_over(allow, sizeof allow);
    for (size_t i = 0; i < call->allow_count; i++)
        writer_format(&w, "%s%s", i > 0 ? ", " : "", call->allow[i]);
    if (http_status == 405) /* RFC 9110 15.5.6 */
        headers[count++] = (struct http_header){ VIEW("Allow"), writer_done(&w) };
    if (http_status == 429 || http_status == 503)
        headers[count++] = (struct http_header){ VIEW("Retry-After"), VIEW("1") };
    call_end(call, http_status, "application/problem+json", headers, count, body);
}

/* Whatever was found wrong may be wrong only because memory was out: a field that could not be
 * copied, an answer that could not be written. Says nothing of what was done, since that may have
 * been committed. */
static bool only_starved(const struct call *call, enum problem problem)
{
    return call->arena.starved && problem_status(problem) != 503;
}

void reply_errors(struct call *call, enum problem problem, struct view detail,
                  const struct problem_error *errors, size_t count)
{
    if (only_starved(call, problem)) {
        reply_problem(call, problem, "%s", "");
        return;
    }
    uint8_t *room = arena_alloc(&call->arena, 32 * 1024);
    struct writer w = writer_over(room, room != NULL ? 32 * 1024 : 0);
    problem_write(&w, problem, detail, errors, count);
    uint8_t shorter[1024]; /* without its details, when there is no memory for them */
    if (w.overflow) {
        w = writer_over(shorter, sizeof shorter);
        problem_write(&w, problem, VIEW_EMPTY, NULL, 0);
    }
    end_problem(call, problem, w.overflow ? VIEW("{}") : writer_done(&w));
}

void reply_problem(struct call *call, enum problem problem, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint8_t body[4096];
    struct writer w = writer_over(body, sizeof body);
    if (only_starved(call, problem)) {
        problem = PROBLEM_OVERLOADED;
        (void)snprintf(text, sizeof text,
                       "Memory is out. Repeat the request unchanged, with its Idempotency-Key if "
                       "it has one.");
    }
    problem_write(&w, problem, view_text(text), NULL, 0);
    end_problem(call, problem, writer_done(&w));
}

void reply_payment(void *arg, int http_status, struct view body, bool replayed)
{
    struct call *call = arg;
    struct http_header headers[2];
    size_t count = 0;
    if (replayed)
        headers[count++] = (struct http_header){ VIEW("Idempotent-Replayed"), VIEW("true") };
    if (http_status == 503)
        headers[count++] = (struct http_header){ VIEW("Retry-After"), VIEW("1") };
    call_end(call, http_status,
             http_status >= 400 ? "application/problem+json" : "application/json", headers, count,
             body);
}

/* The server's own refusals (400, 408, 413, 431, ...), in the same form as ours. */
void refuse_http(void *arg, int http_status, const char *code, const char *detail,
                 struct writer *body)
{
    (void)arg;
    struct json_out j;
    json_out_init(&j, body);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", VIEW("urn:railgate:problem:http"));
    json_put_text(&j, "title", view_text(http_reason(http_status)));
    json_put_i64(&j, "status", http_status);
    json_put_text(&j, "code", view_text(code));
    json_put_text(&j, "detail", view_text(detail));
    json_close_object(&j);
}
