/* counter_brain.c - see counter_brain.h. */
#include "counter_brain.h"

#include "base/ensure.h"

#include <stdlib.h>

static void *counter_open(const struct sim_config *config)
{
    struct counter *c = malloc(sizeof *c);
    struct counter fresh = { .config = *config, .step = 1, .next_us = INT64_MAX, .last_done = -9 };
    if (c != NULL)
        memcpy(c, &fresh, sizeof fresh);
    return c;
}

static void counter_close(void *brain)
{
    free(brain);
}

static void send(struct counter *c, int64_t at_us, struct view body)
{
    struct sim_notice notice = {
        .url = VIEW(NOTICE_URL),
        .headers = VIEW("content-type: text/plain\nx-signature: abc\n"),
        .body = body,
        .at_us = at_us,
        .tag = ++c->tags,
    };
    c->config.send(c->config.send_arg, &notice);
}

static void counter_request(void *brain, const struct sim_request *request, int64_t now_us,
                            struct sim_answer *answer)
{
    struct counter *c = brain;
    uint64_t number = 0;
    c->asked++;
    c->asked_at_us = now_us;
    writer_text(&answer->headers, "content-type: text/plain\n");
    if (view_to_u64(request->body, 1000000, &number) == STATUS_OK) {
        c->sum += (int64_t)number;
        answer->amount_minor = (int64_t)number;
    }
    if (view_is(request->target, "/later"))
        answer->delay_us = 5000;
    if (view_is(request->target, "/notice"))
        send(c, 0, request->body);
    if (view_is(request->target, "/long"))
        for (size_t i = 0; i <= SIM_HTTP_BODY_MAX; i++)
            writer_u8(&answer->body, 'x');
    answer->http_status = 201;
    writer_i64_text(&answer->body, c->sum);
}

static void counter_tick(void *brain, int64_t now_us)
{
    struct counter *c = brain;
    if (c->next_us > now_us)
        return;
    c->ticks++;
    c->next_us += 100000;
    send(c, 0, VIEW("tick"));
}

static int64_t counter_next(const void *brain)
{
    return ((const struct counter *)brain)->next_us;
}

static void counter_done(void *brain, uint64_t tag, int http_status, int64_t now_us)
{
    struct counter *c = brain;
    (void)now_us;
    c->last_tag = (int64_t)tag;
    c->last_done = http_status;
}

static enum status counter_command(void *brain, struct view method, struct view path,
                                   const struct json_node *body, int64_t now_us,
                                   struct json_out *out, struct writer *why)
{
    struct counter *c = brain;
    int64_t number = 0;
    if (!view_is(method, "POST") || !view_is(path, "/start"))
        return STATUS_NOT_FOUND;
    json_open_object(out, NULL);
    if (body != NULL && json_i64(json_member(body, "in_us"), &number) != STATUS_OK) {
        writer_text(why, "in_us must be a number");
        return STATUS_MALFORMED;
    }
    c->next_us = now_us + number;
    json_put_bool(out, "started", true);
    json_close_object(out);
    return STATUS_OK;
}

static enum status counter_set(void *brain, const struct json_node *settings,
                               const struct json_node *keys, int64_t now_us, struct writer *why)
{
    struct counter *c = brain;
    int64_t step = 0;
    (void)now_us;
    if (keys != NULL || json_i64(json_member(settings, "step"), &step) != STATUS_OK) {
        writer_text(why, "step must be a number");
        return STATUS_MALFORMED;
    }
    c->step = step;
    return STATUS_OK;
}

static void counter_settings(const void *brain, struct json_out *out)
{
    json_put_i64(out, "step", ((const struct counter *)brain)->step);
}

static void counter_ledger(const void *brain, struct json_out *out, uint64_t from, size_t limit)
{
    json_open_object(out, NULL);
    json_put_i64(out, "sum", ((const struct counter *)brain)->sum);
    json_put_i64(out, "from", (int64_t)from);
    json_put_i64(out, "limit", (int64_t)limit);
    json_close_object(out);
}

static size_t counter_room(const void *brain, uint64_t from, size_t limit)
{
    (void)brain;
    (void)from;
    (void)limit;
    return 256;
}

static void counter_reset(void *brain, int64_t now_us)
{
    struct counter *c = brain;
    (void)now_us;
    c->sum = c->asked = c->ticks = 0;
    c->step = 1;
    c->next_us = INT64_MAX;
}

const struct sim_brain counter_brain = {
    .name = "counter",
    .sentence = "counts",
    .notices_again_us = 1000,
    .notices_tries = 3,
    .open = counter_open,
    .close = counter_close,
    .request = counter_request,
    .tick = counter_tick,
    .next_us = counter_next,
    .notice_done = counter_done,
    .command = counter_command,
    .set = counter_set,
    .write_settings = counter_settings,
    .write_ledger = counter_ledger,
    .ledger_room = counter_room,
    .reset = counter_reset,
};

/* --- the desk ---------------------------------------------------------------------------- */
void desk_open(struct desk *d)
{
    struct http_host_config config = { .brain = &counter_brain, .seed = 7 };
    *d = (struct desk){ .now_us = 1000000 };
    d->host = http_host_open(&config);
    assert_non_null(d->host);
    d->counter = http_host_brain(d->host);
}

void desk_close(struct desk *d)
{
    http_host_close(d->host);
}

uint64_t desk_ask(struct desk *d, const char *method, const char *target, const char *body)
{
    struct sim_request request = { .method = view_text(method),
                                   .target = view_text(target),
                                   .headers = VIEW("host: x\n"),
                                   .body = view_text(body) };
    http_host_request(d->host, ++d->asked, &request, d->now_us);
    return d->asked;
}

bool desk_take(struct desk *d)
{
    return http_host_take(d->host, d->now_us, &d->last);
}

bool desk_wait(struct desk *d)
{
    if (desk_take(d))
        return true;
    int64_t next_us = http_host_next_us(d->host);
    if (next_us == INT64_MAX)
        return false;
    assert_true(next_us > d->now_us);
    d->now_us = next_us;
    return desk_take(d);
}

void desk_set(struct desk *d, const char *json)
{
    struct writer w = writer_over(d->text, sizeof d->text - 1);
    enum status s = http_host_set(d->host, view_text(json), d->now_us, &w);
    d->text[w.len] = '\0';
    if (s != STATUS_OK)
        fail_msg("%s: %s", json, (const char *)d->text);
}

const char *desk_control(struct desk *d, const char *method, const char *path, const char *query,
                         const char *body)
{
    struct writer w = writer_over(d->text, sizeof d->text - 1);
    d->http_status = http_host_control(d->host, view_text(method), view_text(path),
                                       view_text(query), view_text(body), d->now_us, &w);
    d->text[w.len] = '\0';
    return (const char *)d->text;
}

static void expect_view(struct view got, const char *wanted)
{
    if (!view_is(got, wanted))
        fail_msg("got '%.*s', wanted '%s'", (int)got.len, (const char *)got.ptr, wanted);
}

void desk_expect(struct desk *d, uint64_t id, int http_status, const char *body)
{
    assert_int_equal(d->last.what, HTTP_HOST_ANSWER);
    assert_int_equal(d->last.how, HTTP_HOST_WHOLE);
    assert_int_equal(d->last.id, id);
    assert_int_equal(d->last.http_status, http_status);
    expect_view(d->last.body, body);
}

void desk_expect_how(struct desk *d, uint64_t id, enum http_host_how how)
{
    assert_int_equal(d->last.what, HTTP_HOST_ANSWER);
    assert_int_equal(d->last.id, id);
    assert_int_equal(d->last.how, how);
}

void desk_expect_notice(struct desk *d, const char *body)
{
    assert_int_equal(d->last.what, HTTP_HOST_NOTICE);
    expect_view(d->last.url, NOTICE_URL);
    expect_view(d->last.body, body);
}
