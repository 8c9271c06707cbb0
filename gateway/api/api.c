/* api.c - which path leads where, and the life of the listener.
 *
 * A request becomes a `call`; it is authenticated (auth.c), run by its row of the table below, and
 * answered exactly once (reply.c). Everything else is an error with a problem document.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdlib.h>

#define NAME_TOLD_MAX 64

static const struct route_row_api routes[] = {
    { "POST", "/v1/payments", SCOPE_PAYMENTS_WRITE, run_create, "" },
    { "GET", "/v1/payments", SCOPE_PAYMENTS_READ, run_list, "cursor limit reference status" },
    { "GET", "/v1/payments/{id}", SCOPE_PAYMENTS_READ, run_read, "" },
    { "POST", "/v1/payments/{id}/capture", SCOPE_PAYMENTS_WRITE, run_capture, "" },
    { "POST", "/v1/payments/{id}/cancel", SCOPE_PAYMENTS_WRITE, run_cancel, "" },
    { "POST", "/v1/payments/{id}/confirm", SCOPE_PAYMENTS_WRITE, run_confirm, "" },
    { "POST", "/v1/payments/{id}/refunds", SCOPE_REFUNDS_WRITE, run_refund, "" },
    { "GET", "/v1/payments/{id}/refunds", SCOPE_PAYMENTS_READ, run_refunds_list, "" },
    { "GET", "/v1/payments/{id}/captures", SCOPE_PAYMENTS_READ, run_captures_list, "" },
    { "GET", "/v1/payments/{id}/events", SCOPE_PAYMENTS_READ, run_events, "cursor limit" },
    { "GET", "/v1/payments/{id}/code.svg", SCOPE_PAYMENTS_READ, run_code_svg, "size" },
    { "GET", "/v1/payments/{id}/code.png", SCOPE_PAYMENTS_READ, run_code_png, "size" },
    { "GET", "/v1/methods", SCOPE_PAYMENTS_READ, run_methods, "amount country currency region" },
    { "GET", "/v1/limits", SCOPE_PAYMENTS_READ, run_limits, "" },
    { "POST", "/v1/webhook_endpoints", SCOPE_WEBHOOKS_WRITE, run_endpoint_create, "" },
    { "GET", "/v1/webhook_endpoints", SCOPE_WEBHOOKS_WRITE, run_endpoints_list, "cursor limit" },
    { "GET", "/v1/webhook_endpoints/{id}", SCOPE_WEBHOOKS_WRITE, run_endpoint_read, "" },
    { "PATCH", "/v1/webhook_endpoints/{id}", SCOPE_WEBHOOKS_WRITE, run_endpoint_change, "" },
    { "DELETE", "/v1/webhook_endpoints/{id}", SCOPE_WEBHOOKS_WRITE, run_endpoint_delete, "" },
    { "POST", "/v1/webhook_endpoints/{id}/rotate_secret", SCOPE_WEBHOOKS_WRITE, run_endpoint_rotate,
      "" },
    { "POST", "/v1/webhook_endpoints/{id}/test", SCOPE_WEBHOOKS_WRITE, run_endpoint_test, "" },
    { "GET", "/v1/webhook_endpoints/{id}/deliveries", SCOPE_WEBHOOKS_WRITE, run_endpoint_deliveries,
      "" },
    { "GET", "/v1/events", SCOPE_PAYMENTS_READ, run_all_events, "cursor kind limit" },
    { "GET", "/v1/events/stream", SCOPE_PAYMENTS_READ, run_event_stream, "cursor kind" },
    { "POST", "/v1/events/{id}/resend", SCOPE_WEBHOOKS_WRITE, run_event_resend, "" },
    { "GET", "/v1/openapi.json", 0, run_openapi, "" }, /* for everybody */
};

enum path_match { PATH_OTHER = 1, PATH_BAD_ID, PATH_MATCHES };

static enum path_match path_matches(const char *pattern, struct view path, int64_t *id)
{
    struct view p = view_text(pattern);
    size_t brace = view_find(p, '{');
    if (brace == p.len)
        return view_equal(p, path) ? PATH_MATCHES : PATH_OTHER;
    struct view before = view_slice(p, 0, brace);
    struct view after = view_slice(p, brace + 4, p.len); /* behind "{id}" */
    if (!view_starts_with(path, before))
        return PATH_OTHER;
    struct view rest = view_slice(path, brace, path.len);
    size_t end = view_find(rest, '/');
    if (!view_equal(view_slice(rest, end, rest.len), after))
        return PATH_OTHER;
    enum id_kind kind = view_starts_with(p, VIEW("/v1/webhook_endpoints/")) ? ID_ENDPOINT
                        : view_starts_with(p, VIEW("/v1/events/"))          ? ID_EVENT
                                                                            : ID_PAYMENT;
    return id_parse(kind, view_slice(rest, 0, end), id) == STATUS_OK ? PATH_MATCHES : PATH_BAD_ID;
}

void run_route(struct call *call)
{
    struct view name;
    const char *known = call->route->query;
    enum http_query_names names = http_query_names(http_query(call->http), known, &name);
    if (names == HTTP_NAMES_GOOD) {
        call->route->run(call);
        return;
    }
    struct view told = redact_copy(&call->arena, view_slice(name, 0, NAME_TOLD_MAX));
    if (names == HTTP_NAME_TWICE)
        reply_problem(call, PROBLEM_INVALID_PARAMETER, "The parameter `%.*s` is given twice.",
                      (int)told.len, (const char *)told.ptr);
    else
        reply_problem(call, PROBLEM_INVALID_PARAMETER, "There is no parameter `%.*s` here.%s%s",
                      (int)told.len, (const char *)told.ptr, known[0] != '\0' ? " Known: " : "",
                      known);
}

static void dispatch(struct call *call)
{
    struct view path = http_path(call->http);
    bool bad_id = false;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        enum path_match match = path_matches(routes[i].path, path, &call->payment);
        if (match == PATH_OTHER)
            continue;
        if (!view_is(http_method(call->http), routes[i].method)) {
            call->allow[call->allow_count++] = routes[i].method;
            continue;
        }
        if (match == PATH_BAD_ID) {
            bad_id = true;
            continue;
        }
        call->route = &routes[i];
        if (routes[i].scope == 0)
            run_route(call);
        else
            authenticate(call);
        return;
    }
    if (bad_id)
        reply_problem(call, PROBLEM_NOT_FOUND, "There is nothing with this id.");
    else if (call->allow_count > 0)
        reply_problem(call, PROBLEM_METHOD_NOT_ALLOWED,
                      "See GET /v1/openapi.json for what this path takes.");
    else
        reply_problem(call, PROBLEM_NOT_FOUND,
                      "There is no such path. The API begins at /v1/payments.");
}

/* Not even for a call: the document is made on the stack. */
static void answer_without_memory(struct http_request *http)
{
    static const struct http_header later[] = { { VIEW("Retry-After"), VIEW("1") } };
    uint8_t text[512];
    struct writer w = writer_over(text, sizeof text);
    problem_write(&w, PROBLEM_OVERLOADED, VIEW("Memory is out. " DID_NOTHING), NULL, 0);
    http_respond(http, problem_status(PROBLEM_OVERLOADED), "application/problem+json", later,
                 COUNT_OF(later), writer_done(&w));
}

static void handle(struct http_request *http, void *arg)
{
    struct api *api = arg;
    ENSURE_MAGIC(api, API_MAGIC);
    api->stats.requests++;
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        answer_without_memory(http);
        return;
    }
    call->magic = CALL_MAGIC;
    call->api = api;
    call->http = http;
    arena_init(&call->arena, (size_t)4 * 1024 * 1024);
    list_append(&api->calls, &call->link);
    dispatch(call);
}

static struct http_limits limits_of(const struct settings *s)
{
    return (struct http_limits){ .header_bytes_max = (size_t)s->limit_header_bytes,
                                 .body_bytes_max = (size_t)s->limit_body_bytes,
                                 .header_timeout_us = s->limit_header_time_us,
                                 .body_timeout_us = s->limit_body_time_us,
                                 .conns_max = (size_t)s->limit_connections };
}

/* Reading a request leaves card data in frames that are gone; see payment/room.c. */
static void scrub(struct task *task)
{
    (void)task;
    vault_scrub_stack();
}

enum status api_open(struct api **out, const struct api_options *options)
{
    *out = NULL;
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return STATUS_NO_MEMORY;
    api->magic = API_MAGIC;
    api->o = *options;
    api->scrub.run = scrub;
    list_init(&api->calls);
    list_init(&api->keys_known);
    list_init(&api->keys_unknown);
    api->key_hash = secret_find(options->secrets, "host.api_keys");
    api->idem = secret_find(options->secrets, "host.idempotency");
    api->seal = secret_find(options->secrets, "host.seal");
    id_source_init(&api->ids, store_last_id(options->store));
    ENSURE(api->key_hash != NULL && api->idem != NULL && api->seal != NULL);
    api->keys = map_open(KEYS_CACHED_MAX, loop_random_u64(options->loop));
    struct http_server_options server = { .tls = options->tls,
                                          .limits = limits_of(options->settings),
                                          .handler = handle,
                                          .refusal = refuse_http,
                                          .arg = api,
                                          .log = options->log,
                                          .owner = options->owner };
    enum status status = api->keys == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    if (status == STATUS_OK)
        status = endpoint_parse(view_text(options->settings->api_listen), &server.at);
    if (status == STATUS_OK)
        status = streams_open(api);
    if (status == STATUS_OK)
        status = http_server_open(&api->server, options->wire, options->loop, &server);
    if (status != STATUS_OK) {
        streams_unwatch(api);
        streams_close(api);
        map_close(api->keys);
        free(api);
        return status;
    }
    *out = api;
    return STATUS_OK;
}

const struct endpoint *api_endpoint(const struct api *api)
{
    return http_server_endpoint(api->server);
}

void api_drain(struct api *api)
{
    http_server_drain(api->server);
    streams_drain(api); /* they have no end of their own */
}

size_t api_running(const struct api *api)
{
    return http_server_running(api->server);
}

void api_stats(const struct api *api, struct api_stats *out)
{
    *out = api->stats;
    out->streams = streams_count(api);
}

void api_close(struct api *api)
{
    if (api == NULL)
        return;
    ENSURE_MAGIC(api, API_MAGIC);
    streams_close(api);
    http_server_close(api->server);
    loop_forget(api->o.loop, &api->scrub);
    struct list *item;
    while ((item = list_take_first(&api->calls)) != NULL) {
        struct call *call = CONTAINER_OF(item, struct call, link);
        arena_reset(&call->arena);
        free(call);
    }
    while ((item = list_take_first(&api->keys_known)) != NULL ||
           (item = list_take_first(&api->keys_unknown)) != NULL)
        free(CONTAINER_OF(item, struct cached_key, link));
    map_close(api->keys);
    api->magic = 0;
    free(api);
}
