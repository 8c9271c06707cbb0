/* http_host.c - see http_host.h.
 *
 * Three queues by time. A request is handled at once, or waits in `requests` (late_booking,
 * reorder); its answer goes through `answers`; what the brain sends unasked through `notices`. Time
 * runs forward for the brain: before anything new is handled, http_host_settle lets happen what was
 * due earlier, each thing at its own time. http_host_take gives out the earlier of the first answer
 * and the first notice.
 *
 * The accidents of a message are decided in two steps, because what a request is about is known
 * only once the brain has handled it: those that keep it from being handled before, those of its
 * answer afterwards. Those of a notice are decided when it is due, for each sending anew. */
#include "http_host_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define AGAIN_US_MAX 3600000000 /* between two sendings of a notice, however often it doubled */
#define AT_ONE_TIME  100000     /* ticks without time going on: a brain that runs in circles */

struct view sim_header(struct view headers, const char *name)
{
    struct view key = view_text(name);
    while (headers.len > 0) {
        size_t end = view_find(headers, '\n');
        struct view line = view_slice(headers, 0, end);
        headers = view_slice(headers, end + 1, headers.len);
        if (line.len > key.len && line.ptr[key.len] == ':' && view_starts_with(line, key))
            return view_trim(view_slice(line, key.len + 1, line.len));
    }
    return VIEW_EMPTY;
}

static bool is_down(const struct http_host *h, int64_t now_us)
{
    return now_us < h->down_until_us;
}

static size_t waiting(const struct http_host *h)
{
    return h->requests.count + h->answers.count + h->notices.count;
}

static struct view path_of_url(struct view url)
{
    for (size_t i = 0; i + 2 < url.len; i++)
        if (memcmp(url.ptr + i, "://", 3) == 0) {
            struct view rest = view_slice(url, i + 3, url.len);
            return view_slice(rest, view_find(rest, '/'), rest.len);
        }
    return url;
}

/* --- the log ----------------------------------------------------------------------------- */
static void tell(struct http_host *h, const char *what, struct view method, struct view target,
                 int http_status, uint32_t faults)
{
    char note[512] = "";
    struct writer w = writer_over(note, sizeof note - 1);
    if (h->config.saw == NULL)
        return;
    for (unsigned f = 1; f < HTTP_FAULT_COUNT; f++)
        if (faults >> f & 1u)
            writer_format(&w, "%s%s", w.len > 0 ? "," : "", http_fault_name((enum http_fault)f));
    note[w.len] = '\0';
    h->config.saw(h->config.saw_arg, what, method, target, http_status, note);
}

/* --- requests and answers ---------------------------------------------------------------- */
static void answer_as(struct http_host *h, uint64_t id, struct http_item *item, int64_t at_us,
                      uint64_t order)
{
    item->id = id;
    item->at_us = at_us;
    item->order = order;
    http_queue_push(&h->answers, item);
}

static void answer(struct http_host *h, uint64_t id, struct http_item *item, int64_t at_us)
{
    answer_as(h, id, item, at_us, ++h->order);
}

static void answer_without_words(struct http_host *h, uint64_t id, enum http_host_how how,
                                 int64_t at_us)
{
    struct http_item *item = http_item_new(VIEW_EMPTY, VIEW_EMPTY, VIEW_EMPTY, VIEW_EMPTY);
    item->how = how;
    h->stats.closed++;
    answer(h, id, item, at_us);
}

/* What the brain says; `out` lies in the host's rooms until its next use. */
static void ask_brain(struct http_host *h, const struct sim_request *request, int64_t at_us,
                      struct sim_answer *out)
{
    *out = (struct sim_answer){ .http_status = 200,
                                .headers = writer_over(h->headers_room, SIM_HTTP_HEADERS_MAX),
                                .body = writer_over(h->body_room, SIM_HTTP_BODY_MAX),
                                .amount_minor = -1 };
    h->stats.handled++;
    h->type->request(h->brain, request, at_us, out);
    if (!out->headers.overflow && !out->body.overflow)
        return;
    out->http_status = 500;
    out->headers = writer_over(h->headers_room, SIM_HTTP_HEADERS_MAX);
    out->body = writer_over(h->body_room, SIM_HTTP_BODY_MAX);
    writer_text(&out->headers, "content-type: application/json\n");
    writer_text(&out->body, "{\"error\":\"too_long\",\"message\":\"the answer does not fit\"}");
}

static void garble(struct http_host *h, uint8_t *bytes, size_t len, int64_t count)
{
    size_t at = len > 0 ? (size_t)(http_faults_random(&h->faults) % len) : 0;
    for (size_t i = 0; i < len && i < (size_t)count; i++)
        bytes[(at + i) % len] ^= (uint8_t)(1 + http_faults_random(&h->faults) % 255);
}

static enum http_host_how how_of(const struct http_plan *plan)
{
    static const struct {
        enum http_fault fault;
        enum http_host_how how;
    } ROWS[] = { { HTTP_FAULT_RESET, HTTP_HOST_RESET },
                 { HTTP_FAULT_DROP_AFTER_BOOKING, HTTP_HOST_CLOSE },
                 { HTTP_FAULT_HALF_CLOSE, HTTP_HOST_HALF_CLOSE },
                 { HTTP_FAULT_CUT, HTTP_HOST_CUT } };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        if (http_plan_has(plan, ROWS[i].fault))
            return ROWS[i].how;
    return HTTP_HOST_WHOLE;
}

static void handle(struct http_host *h, uint64_t id, const struct sim_request *request,
                   uint32_t faults_before, int64_t at_us)
{
    struct sim_answer said;
    struct http_plan plan = { 0 };
    uint64_t order = ++h->order; /* before the notices that it may send: they do not overtake it */
    ask_brain(h, request, at_us, &said);
    http_faults_plan(&h->faults, HTTP_PHASE_AFTER, request->method, request->target,
                     said.amount_minor, &plan);
    if (http_plan_has(&plan, HTTP_FAULT_GARBLE))
        garble(h, said.body.ptr, said.body.len, plan.garble_bytes);
    struct http_item *item =
        http_item_new(VIEW_EMPTY, VIEW_EMPTY, writer_done(&said.headers), writer_done(&said.body));
    item->http_status = said.http_status;
    item->how = how_of(&plan);
    item->cut_bytes = item->how == HTTP_HOST_CUT ? (size_t)plan.cut_bytes : 0;
    if (item->how != HTTP_HOST_WHOLE)
        h->stats.closed++;
    int64_t delay_us = (said.delay_us > 0 ? said.delay_us : 0) + plan.wait_us;
    answer_as(h, id, item, at_us + delay_us, order);
    tell(h, "request", request->method, request->target, item->http_status,
         plan.faults | faults_before);
    if (http_plan_has(&plan, HTTP_FAULT_DUPLICATE))
        ask_brain(h, request, at_us, &said); /* what it says now reaches nobody */
}

static void answer_status(struct http_host *h, uint64_t id, int http_status, int64_t at_us)
{
    struct http_item *item =
        http_item_new(VIEW_EMPTY, VIEW_EMPTY, VIEW("content-type: application/json\n"),
                      VIEW("{\"error\":\"fault\",\"message\":\"told to answer so\"}"));
    item->http_status = http_status;
    answer(h, id, item, at_us);
}

void http_host_request(struct http_host *h, uint64_t id, const struct sim_request *request,
                       int64_t now_us)
{
    struct http_plan plan = { 0 };
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    http_host_settle(h, now_us);
    h->stats.requests++;
    if (is_down(h, now_us) || waiting(h) >= HTTP_HOST_WAITING_MAX) {
        h->stats.not_handled++;
        tell(h, "lost", request->method, request->target, 0, 0);
        answer_without_words(h, id, HTTP_HOST_CLOSE, now_us);
        return;
    }
    http_faults_plan(&h->faults, HTTP_PHASE_BEFORE, request->method, request->target, -1, &plan);
    if (http_plan_has(&plan, HTTP_FAULT_DROP_BEFORE_BOOKING) ||
        http_plan_has(&plan, HTTP_FAULT_STATUS)) {
        h->stats.not_handled++;
        tell(h, "lost", request->method, request->target, plan.http_status, plan.faults);
        if (http_plan_has(&plan, HTTP_FAULT_DROP_BEFORE_BOOKING))
            answer_without_words(h, id, HTTP_HOST_CLOSE, now_us);
        else
            answer_status(h, id, plan.http_status, now_us);
        return;
    }
    if (plan.wait_us == 0) {
        handle(h, id, request, plan.faults, now_us);
        return;
    }
    struct http_item *item =
        http_item_new(request->method, request->target, request->headers, request->body);
    item->id = id;
    item->at_us = now_us + plan.wait_us;
    item->order = ++h->order;
    item->plan = plan;
    http_queue_push(&h->requests, item);
}

/* --- time -------------------------------------------------------------------------------- */
static int64_t tick_us(const struct http_host *h)
{
    int64_t due_us = h->type->next_us(h->brain);
    return due_us > h->down_until_us ? due_us : h->down_until_us;
}

void http_host_settle(struct http_host *h, int64_t now_us)
{
    for (size_t spins = 0;;) {
        int64_t request_us = http_queue_at_us(&h->requests), brain_us = tick_us(h);
        int64_t at_us = request_us < brain_us ? request_us : brain_us;
        if (at_us == INT64_MAX || at_us > now_us)
            break;
        if (at_us > h->clock_us)
            spins = 0;
        h->clock_us = at_us > h->clock_us ? at_us : h->clock_us;
        ENSURE(++spins < AT_ONE_TIME);
        if (brain_us <= request_us) {
            h->type->tick(h->brain, h->clock_us);
            continue;
        }
        struct http_item *item = http_queue_take(&h->requests);
        struct sim_request request = { item->method, item->target, item->headers, item->body };
        handle(h, item->id, &request, item->plan.faults, h->clock_us);
        free(item);
    }
    h->clock_us = now_us > h->clock_us ? now_us : h->clock_us;
}

static int64_t notice_us(const struct http_host *h)
{
    int64_t due_us = http_queue_at_us(&h->notices);
    return due_us > h->down_until_us ? due_us : h->down_until_us;
}

int64_t http_host_next_us(const struct http_host *h)
{
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    int64_t rows[] = { http_queue_at_us(&h->requests), http_queue_at_us(&h->answers), tick_us(h),
                       notice_us(h) };
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        next_us = rows[i] < next_us ? rows[i] : next_us;
    return next_us;
}

/* --- notices ----------------------------------------------------------------------------- */
static void take_notice(void *arg, const struct sim_notice *notice)
{
    struct http_host *h = arg;
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    if (waiting(h) >= HTTP_HOST_WAITING_MAX || notice->url.len == 0 ||
        notice->url.len > SIM_HTTP_URL_MAX || notice->headers.len > SIM_HTTP_HEADERS_MAX ||
        notice->body.len > SIM_HTTP_BODY_MAX) {
        h->stats.notices_lost++;
        tell(h, "notice_lost", VIEW("POST"), notice->url, 0, 0);
        return;
    }
    struct http_item *item = http_item_new(VIEW_EMPTY, notice->url, notice->headers, notice->body);
    item->tag = notice->tag;
    item->again_us = h->type->notices_again_us;
    item->at_us = notice->at_us > h->clock_us ? notice->at_us : h->clock_us;
    item->order = ++h->order;
    http_queue_push(&h->notices, item);
}

static void notice_over(struct http_host *h, const struct http_item *item, int http_status)
{
    if (h->type->notice_done != NULL)
        h->type->notice_done(h->brain, item->tag, http_status, h->clock_us);
}

static void without_signatures(struct writer *w, struct view headers)
{
    while (headers.len > 0) {
        size_t end = view_find(headers, '\n');
        struct view line = view_slice(headers, 0, end);
        struct view name = view_slice(line, 0, view_find(line, ':'));
        headers = view_slice(headers, end + 1, headers.len);
        if (name.len < 9 || memmem(name.ptr, name.len, "signature", 9) == NULL) {
            writer_view(w, line);
            writer_text(w, "\n");
        }
    }
}

/* A notice is due: true when it is to be sent now. */
static bool plan_notice(struct http_host *h, struct http_item *item)
{
    if (item->planned)
        return true;
    item->plan = (struct http_plan){ 0 };
    item->planned = true;
    http_faults_plan(&h->faults, HTTP_PHASE_NOTICE, VIEW("POST"), path_of_url(item->target), -1,
                     &item->plan);
    if (http_plan_has(&item->plan, HTTP_FAULT_NOTICE_DROP)) {
        h->stats.notices_dropped++;
        tell(h, "notice_lost", VIEW("POST"), item->target, 0, item->plan.faults);
        notice_over(h, item, -1);
        free(item);
        return false;
    }
    if (http_plan_has(&item->plan, HTTP_FAULT_NOTICE_DUPLICATE)) {
        struct http_item *copy = http_item_new(VIEW_EMPTY, item->target, item->headers, item->body);
        copy->planned = copy->duplicate = true;
        copy->plan = item->plan;
        copy->at_us = item->at_us + item->plan.wait_us;
        copy->order = ++h->order;
        http_queue_push(&h->notices, copy);
    }
    if (item->plan.wait_us == 0)
        return true;
    item->at_us = h->clock_us + item->plan.wait_us;
    item->order = ++h->order;
    http_queue_push(&h->notices, item);
    return false;
}

static void send_notice(struct http_host *h, struct http_item *item, struct http_host_action *out)
{
    struct writer headers = writer_over(h->headers_room, SIM_HTTP_HEADERS_MAX);
    struct writer body = writer_over(h->body_room, SIM_HTTP_BODY_MAX);
    if (http_plan_has(&item->plan, HTTP_FAULT_NOTICE_UNSIGNED))
        without_signatures(&headers, item->headers);
    else
        writer_view(&headers, item->headers);
    writer_view(&body, item->body);
    if (http_plan_has(&item->plan, HTTP_FAULT_NOTICE_GARBLE))
        garble(h, body.ptr, body.len, item->plan.garble_bytes);
    item->id = ++h->notice_id;
    item->tries++;
    item->next = h->in_flight;
    h->in_flight = item;
    h->stats.notices++;
    *out = (struct http_host_action){ .what = HTTP_HOST_NOTICE,
                                      .id = item->id,
                                      .url = item->target,
                                      .headers = writer_done(&headers),
                                      .body = writer_done(&body) };
    tell(h, "notice", VIEW("POST"), item->target, 0, item->plan.faults);
}

void http_host_notice_done(struct http_host *h, uint64_t id, int http_status, int64_t now_us)
{
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    http_host_settle(h, now_us);
    struct http_item **at = &h->in_flight;
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    struct http_item *item = *at;
    if (item == NULL)
        return; /* forgotten by a reset */
    *at = item->next;
    bool acknowledged = http_status >= 200 && http_status < 300;
    tell(h, "notice_done", VIEW("POST"), item->target, http_status, 0);
    if (item->duplicate) {
        free(item);
    } else if (acknowledged || item->tries >= h->type->notices_tries) {
        if (acknowledged)
            h->stats.notices_acknowledged++;
        else
            h->stats.notices_given_up++;
        notice_over(h, item, http_status);
        free(item);
    } else {
        item->planned = false;
        item->at_us = now_us + item->again_us;
        item->again_us = item->again_us * 2 < AGAIN_US_MAX ? item->again_us * 2 : AGAIN_US_MAX;
        item->order = ++h->order;
        http_queue_push(&h->notices, item);
    }
}

/* --- what to do now ---------------------------------------------------------------------- */
static void give_answer(struct http_host *h, struct http_host_action *out)
{
    struct http_item *item = http_queue_take(&h->answers);
    h->given = item;
    *out = (struct http_host_action){ .what = HTTP_HOST_ANSWER,
                                      .id = item->id,
                                      .how = item->how,
                                      .cut_bytes = item->cut_bytes,
                                      .http_status = item->http_status,
                                      .headers = item->headers,
                                      .body = item->body };
}

bool http_host_take(struct http_host *h, int64_t now_us, struct http_host_action *out)
{
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    free(h->given);
    h->given = NULL;
    http_host_settle(h, now_us);
    for (;;) {
        bool answer_due = http_queue_at_us(&h->answers) <= now_us && h->answers.count > 0;
        bool notice_due = h->notices.count > 0 && notice_us(h) <= now_us;
        if (answer_due && !(notice_due && http_queue_before(&h->notices, &h->answers))) {
            give_answer(h, out);
            return true;
        }
        if (!notice_due)
            return false;
        struct http_item *item = http_queue_take(&h->notices);
        if (plan_notice(h, item)) {
            send_notice(h, item, out);
            return true;
        }
    }
}

/* Everything that waits for an answer is closed at once. */
void http_host_forget_waiting(struct http_host *h, int64_t now_us)
{
    struct http_queue *from[] = { &h->requests, &h->answers };
    struct http_queue closed = { 0 };
    for (size_t i = 0; i < COUNT_OF(from); i++)
        for (struct http_item *item; (item = http_queue_take(from[i])) != NULL; free(item)) {
            struct http_item *close = http_item_new(VIEW_EMPTY, VIEW_EMPTY, VIEW_EMPTY, VIEW_EMPTY);
            close->id = item->id;
            close->how = HTTP_HOST_CLOSE;
            close->at_us = now_us;
            close->order = ++h->order;
            http_queue_push(&closed, close);
            h->stats.closed++;
        }
    http_queue_fini(&h->answers);
    h->answers = closed;
}

/* --- open and close ---------------------------------------------------------------------- */
struct http_host *http_host_open(const struct http_host_config *config)
{
    struct http_host *h = calloc(1, sizeof *h);
    ENSURE(config->brain != NULL);
    if (h == NULL)
        return NULL;
    h->magic = HTTP_HOST_MAGIC;
    h->config = *config;
    h->type = config->brain;
    h->faults.dice = config->seed;
    h->clock_us = INT64_MIN;
    h->down_until_us = INT64_MIN;
    h->headers_room = malloc(SIM_HTTP_HEADERS_MAX);
    h->body_room = malloc(SIM_HTTP_BODY_MAX);
    struct sim_config brain = { .seed = config->seed,
                                .wall_offset_us = config->wall_offset_us,
                                .send = take_notice,
                                .send_arg = h };
    if (h->headers_room != NULL && h->body_room != NULL)
        h->brain = h->type->open(&brain);
    if (h->brain == NULL) {
        http_host_close(h);
        return NULL;
    }
    return h;
}

void http_host_close(struct http_host *h)
{
    if (h == NULL)
        return;
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    if (h->brain != NULL)
        h->type->close(h->brain);
    http_queue_fini(&h->requests);
    http_queue_fini(&h->answers);
    http_queue_fini(&h->notices);
    for (struct http_item *item = h->in_flight, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    free(h->given);
    free(h->headers_room);
    free(h->body_room);
    h->magic = 0;
    free(h);
}

void *http_host_brain(struct http_host *h)
{
    ENSURE_MAGIC(h, HTTP_HOST_MAGIC);
    return h->brain;
}
