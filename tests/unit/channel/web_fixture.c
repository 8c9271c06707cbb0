/* web_fixture.c - see web_fixture.h. The keys are made up; the Ed25519 seed is that of RFC 8032,
 * section 7.1, test 1. */
#include "web_fixture.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "domain/refs.h"
#include "web_adapter.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

/* --- the other side -------------------------------------------------------------------------- */

static void copy(char *out, size_t room, struct view text)
{
    assert_true(text.len < room);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static void respond(struct web_server *s, struct http_request *request, int status,
                    const char *body)
{
    char big[9000];
    memset(big, 'x', sizeof big);
    struct http_header headers[3] = { { VIEW("X-Test"), VIEW("Yes") },
                                      { VIEW("x-big-1"), view_of(big, sizeof big) },
                                      { VIEW("x-big-2"), view_of(big, sizeof big) } };
    http_respond(request, status, "text/plain", headers, s->big_head ? 3 : 1, view_text(body));
}

static void on_request(struct http_request *request, void *arg)
{
    struct web_server *s = arg;
    struct web *w = s->w;
    assert_true(w->requests_count < WEB_REQUESTS_MAX);
    struct web_request *r = &w->requests[w->requests_count++];
    struct view path = http_path(request), query = http_query(request);
    (void)snprintf(r->line, sizeof r->line, "%.*s %.*s%s%.*s", (int)http_method(request).len,
                   (const char *)http_method(request).ptr, (int)path.len, (const char *)path.ptr,
                   query.len > 0 ? "?" : "", (int)query.len,
                   query.len > 0 ? (const char *)query.ptr : "");
    copy(r->body, sizeof r->body, http_body(request));
    copy(r->authorization, sizeof r->authorization, http_header(request, "authorization"));
    copy(r->api_key, sizeof r->api_key, http_header(request, "x-api-key"));
    copy(r->notice, sizeof r->notice, http_header(request, "x-notice"));
    bool token = view_is(path, "/token");
    s->tokens += token;
    s->payments += !token;
    const char *answer = token ? s->token : s->answer;
    int status = token ? s->token_status : s->status;
    char wanted[80];
    (void)snprintf(wanted, sizeof wanted, "Bearer %s", s->good_token != NULL ? s->good_token : "");
    if (!token && s->good_token != NULL && strcmp(r->authorization, wanted) != 0) {
        answer = "no";
        status = 401;
    }
    if (answer == NULL)
        r->request = request;
    else
        respond(s, request, status == 0 ? 200 : status, answer);
}

void web_answer(struct web *w, size_t index, int http_status, const char *body)
{
    assert_true(index < w->requests_count && w->requests[index].request != NULL);
    respond(&w->servers[0], w->requests[index].request, http_status, body);
    w->requests[index].request = NULL;
}

void web_listen(struct web *w, size_t server)
{
    struct http_server_options o = {
        .tls = w->tls, .handler = on_request, .arg = &w->servers[server], .log = &w->log
    };
    assert_int_equal(endpoint_parse(view_text(w->endpoint_texts[server]), &o.at), STATUS_OK);
    assert_int_equal(http_server_open(&w->servers[server].server, w->wire, w->loop, &o), STATUS_OK);
    struct writer text = writer_over(w->endpoint_texts[server], sizeof w->endpoint_texts[server]);
    endpoint_format(&text, http_server_endpoint(w->servers[server].server));
    assert_int_equal(writer_terminate(&text), STATUS_OK);
}

/* --- what the channel asks of its owner ------------------------------------------------------ */

static void give_traces(struct timer *timer, void *arg)
{
    (void)timer;
    web_give_traces(arg);
}

void web_give_traces(struct web *w)
{
    trace_taken_fn *taken = w->taken;
    w->taken = NULL;
    if (taken != NULL)
        taken(w->taken_arg, 1, 1000, STATUS_OK);
}

static void take_traces(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                        void *taken_arg)
{
    struct web *w = arg;
    (void)name, (void)count;
    w->taken = taken;
    w->taken_arg = taken_arg;
    if (w->next_trace == 0)
        timer_start(&w->trace_timer, 10);
}

static enum status on_late(void *arg, struct channel *channel, const struct exchange_command *asked,
                           const struct exchange_result *result)
{
    struct web *w = arg;
    assert_ptr_equal(channel, w->channel);
    assert_int_equal(asked->operation, OPERATION_SALE);
    if (w->late_refused > 0) {
        w->late_refused--;
        return STATUS_NO_MEMORY;
    }
    assert_true(result->late && w->late_count < COUNT_OF(w->late));
    w->late[w->late_count++] = (struct web_late){ asked->attempt_id, result->outcome };
    return STATUS_OK;
}

static adapter_entry_fn *builtin(void *arg, const char *adapter)
{
    (void)arg, (void)adapter;
    return web_adapter;
}

/* --- open and close -------------------------------------------------------------------------- */

static void fill_settings(struct web *w, const struct web_plan *plan)
{
    int64_t endpoints = plan->endpoints == 0 ? 1 : plan->endpoints < 0 ? 0 : plan->endpoints;
    for (int64_t i = 0; i < 2; i++)
        w->endpoints[i] = w->endpoint_texts[i];
    w->channel_settings = (struct channel_settings){
        .name = "bank_test",
        .adapter = "/nowhere/web.so",
        .sha256 = "",
        .rail = RAIL_BANK,
        .endpoints = { w->endpoints, (size_t)endpoints },
        .links = 1,
        .connections = plan->connections != 0 ? plan->connections : 8,
        .tls_use = plan->certificate != NULL,
        .tls_ca = plan->ca != NULL ? plan->ca : "",
        .tls_certificate = "",
        .tls_key = "",
        .tls_server_name = plan->server_name != NULL ? plan->server_name : "",
        .tls_min_version = 12,
        .connect_timeout_us = LOOP_US_PER_S,
        .reversal_max_age_us = 3600 * LOOP_US_PER_S,
        .in_flight_max = plan->in_flight_max != 0 ? plan->in_flight_max : 64,
        .circuit_failures = plan->circuit_failures != 0 ? plan->circuit_failures : 1000,
        .circuit_open_for_us = 10 * LOOP_US_PER_S,
        .file = "bank_test.yaml",
        .settings = plan->raw,
        .settings_count = plan->raw_count,
    };
    w->settings = (struct settings){ .channels = &w->channel_settings,
                                     .channels_count = 1,
                                     .folder = plan->folder };
}

static void open_world(struct web *w, const struct web_plan *plan)
{
    struct memory_faults faults = { .delay_us_min = 100, .delay_us_max = 500 };
    w->loop = plan->real ? loop_open_real() : loop_open_virtual(7, WEB_WALL);
    assert_non_null(w->loop);
    assert_int_equal(plan->real ? wire_open_real(&w->wire, w->loop)
                                : wire_open_memory(&w->wire, w->loop, &faults),
                     STATUS_OK);
    assert_int_equal(secrets_open(&w->secrets, w->loop), STATUS_OK);
    char text[200];
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(secret_put(w->secrets, "api", SECRET_TOKEN, VIEW("api-key-bytes")), STATUS_OK);
    assert_int_equal(secret_put_hex(w->secrets, "sign", SECRET_SIGN_ED25519, VIEW(SEED), &why),
                     STATUS_OK);
    timer_init(&w->trace_timer, w->loop, give_traces, w);
    struct tls_options tls = { .certificate_path = plan->certificate, .key_path = plan->key };
    if (plan->certificate != NULL)
        assert_int_equal(tls_open_server(&tls, &w->tls, &why), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        w->servers[i].w = w;
        (void)snprintf(w->endpoint_texts[i], sizeof w->endpoint_texts[i], "%s",
                       plan->real ? "127.0.0.1:0"
                       : i == 0   ? "bank:1"
                                  : "bank:2");
        if ((int)i < plan->servers)
            web_listen(w, i);
    }
}

bool web_open(struct web *w, const struct web_plan *plan)
{
    *w = (struct web){ .vault_before = vault_in_use() };
    w->log = (struct log){ .fd = getenv("CHANNEL_TEST_LOG") != NULL ? 2 : -1, .level = LOG_DEBUG };
    w->next_trace = plan->no_traces ? 1 : 0;
    open_world(w, plan);
    fill_settings(w, plan);
    struct channels_options options = { .settings = &w->settings,
                                        .wire = w->wire,
                                        .loop = w->loop,
                                        .secrets = w->secrets,
                                        .log = &w->log,
                                        .take_traces = take_traces,
                                        .late = on_late,
                                        .builtin = builtin,
                                        .notice_base = plan->notice_base,
                                        .arg = w,
                                        .owner = w };
    struct writer why = writer_over(w->why, sizeof w->why - 1);
    assert_int_equal(channels_open(&w->channels, &options, &why), STATUS_OK);
    w->why[why.len] = '\0';
    w->channel = channels_find(w->channels, VIEW("bank_test"));
    if (w->channel != NULL && !plan->real && !plan->no_traces)
        web_run(w, 1);
    return w->channel != NULL;
}

static void close_rest(struct web *w)
{
    timer_stop(&w->trace_timer);
    for (size_t i = 0; i < w->requests_count; i++)
        if (w->requests[i].request != NULL)
            http_respond(w->requests[i].request, 200, NULL, NULL, 0, VIEW_EMPTY);
    for (size_t i = 0; i < 2; i++)
        if (w->servers[i].server != NULL)
            http_server_close(w->servers[i].server);
    wire_close(w->wire);
    if (loop_kind_of(w->loop) == LOOP_VIRTUAL)
        web_run(w, 10000);
    secrets_close(w->secrets);
    loop_close(w->loop);
    if (w->tls != NULL)
        tls_close(w->tls);
    assert_int_equal(vault_in_use(), w->vault_before);
}

void web_close(struct web *w)
{
    for (size_t i = 0; i < w->calls_count; i++)
        exchange_drop(w->calls[i].exchange);
    channels_close(w->channels);
    web_give_traces(w); /* after the close: must do no harm */
    close_rest(w);
}

void web_crash(struct web *w)
{
    wire_crash(w->wire, w);
    channels_abandon(w->channels);
    w->taken = NULL;
    close_rest(w);
}

void web_run(struct web *w, int64_t ms)
{
    int64_t until = loop_now_us(w->loop) + ms * LOOP_US_PER_MS;
    while (loop_step(w->loop, until)) {
    }
}

void web_run_until_done(struct web *w)
{
    for (size_t i = 0; i < w->calls_count; i++)
        while (w->calls[i].done == 0)
            loop_run(w->loop);
}

struct channel_health web_health(struct web *w)
{
    struct channel_health health;
    channel_health(w->channel, &health);
    return health;
}

/* --- calls ----------------------------------------------------------------------------------- */

static void on_done(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    struct web_call *c = arg;
    assert_ptr_equal(exchange, c->exchange);
    if (!c->keep) { /* at once: the views must live on until this function returns */
        c->exchange = NULL;
        exchange_drop(exchange);
    }
    c->done++;
    c->result = *result;
    copy(c->code, sizeof c->code, result->rail_code);
    copy(c->reference, sizeof c->reference, result->reference);
    copy(c->diagnosis, sizeof c->diagnosis, result->diagnosis);
    copy(c->action, sizeof c->action, refs_find(result->action_values, "payload"));
    if (loop_kind_of(c->w->loop) == LOOP_REAL)
        loop_stop(c->w->loop);
}

enum status web_prepare(struct web *w, struct web_call **out, const char *begin)
{
    assert_true(w->calls_count < WEB_CALLS_MAX);
    struct web_call *c = &w->calls[w->calls_count++];
    *c = (struct web_call){ .w = w };
    *out = c;
    struct writer details = writer_over(c->details, sizeof c->details);
    if (begin[0] != '\0')
        refs_put(&details, VIEW("begin"), view_text(begin), 0);
    struct exchange_command command = {
        .operation = OPERATION_SALE,
        .amount_minor = 1000,
        .original_minor = 1000,
        .trace = (uint32_t)w->calls_count,
        .time_us = WEB_WALL,
        .attempt_id = 1000 + (int64_t)w->calls_count,
        .details = writer_done(&details),
    };
    assert_int_equal(currency_by_code(VIEW("EUR"), &command.currency), STATUS_OK);
    struct writer why = writer_over(w->why, sizeof w->why - 1);
    enum status s = exchange_prepare(w->channel, &command, &c->exchange, &why);
    w->why[why.len] = '\0';
    return s;
}

void web_start(struct web_call *c)
{
    exchange_start(c->exchange, c->w->deadline_us, on_done, c);
    assert_int_equal(c->done, 0); /* never from inside */
}

struct web_call *web_call(struct web *w, const char *begin)
{
    struct web_call *c;
    enum status s = web_prepare(w, &c, begin);
    if (s != STATUS_OK)
        fail_msg("%s", w->why);
    web_start(c);
    return c;
}
