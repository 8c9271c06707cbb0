/* http_side.c - wallet provider, bank and central bank's ledger on the memory network: what
 * simulators/shell does with sockets, and the accidents of one run.
 *
 * Connections and notices are the shell's own (http_links.c, http_notices.c), only wire and loop
 * are virtual; the pump is here. For the shell's files the host is this side (CMakeLists.txt
 * renames the two functions of http_host.h that they call), so requests pass by here on their way
 * into the host: into the trace and a list for tell.c. So does what the host sends.
 *
 * Which kinds of accident a run has is drawn once, as for the card host. Some take away what no
 * gateway can do without; the checks ask for these:
 *
 *     a notice that is dropped, or comes unsigned and counts as a hint: money that comes in without
 *     our asking (bank) may never be heard of
 *     a garbled answer that can still be read: another amount is a conflict
 */
#include "sim.h"

#include "bank/bank_brain.h"
#include "base/ensure.h"
#include "base/map.h"
#include "cbdc/cbdc_brain.h"
#include "http_plant.h"
#include "http_shell.h"

#include <stdio.h>
#include <stdlib.h>

#define HTTP_SIDE_MAGIC 0x48535445u
#define KNOBS_BYTES     8192
#define SAID_MAX        60000 /* lines for tell.c; later ones are not kept */
#define SAID_BYTES_MAX  6000
#define TOLD_BYTES_MAX  1500

extern const struct sim_brain wallet_brain;

struct said {
    int64_t at_us;
    char *text;
};

struct http_side {
    uint32_t magic;
    struct http_shell shell; /* its host is not one: see behind() */
    struct http_host *host;
    struct world *world;
    enum rail rail;
    struct dice dice;
    bool loses, garbles;
    unsigned planted;
    struct said *said;
    size_t said_count;
    uint64_t own_request; /* ids of requests that no connection waits for */
};

static int64_t now_us(const struct http_side *side)
{
    return loop_now_us(side->world->loop);
}

static struct http_side *side_of(struct http_shell *shell)
{
    struct http_side *side = CONTAINER_OF(shell, struct http_side, shell);
    ENSURE_MAGIC(side, HTTP_SIDE_MAGIC);
    return side;
}

/* --- what was said ------------------------------------------------------------------------------
 */

static void note(struct http_side *side, const char *what, struct view first, struct view second)
{
    char text[SAID_BYTES_MAX];
    struct writer w = writer_over(text, sizeof text - 1);
    writer_text(&w, what);
    writer_text(&w, " ");
    writer_view(&w, view_slice(first, 0, 300));
    writer_text(&w, " ");
    writer_view(&w, view_slice(second, 0, sizeof text - 400));
    text[w.len] = '\0';
    world_trace(side->world, side->shell.options.brain->name, writer_done(&w));
    if (side->said_count == SAID_MAX)
        return;
    char *copy = malloc(w.len + 1);
    ENSURE(copy != NULL);
    memcpy(copy, text, w.len + 1);
    side->said[side->said_count++] = (struct said){ .at_us = now_us(side), .text = copy };
}

void http_side_tell(struct http_side *side, const char *const *names, size_t count)
{
    for (size_t i = 0; i < side->said_count; i++) {
        bool about = false;
        for (size_t k = 0; k < count; k++)
            about = about || (names[k][0] != '\0' && strstr(side->said[i].text, names[k]) != NULL);
        if (!about)
            continue;
        tell_time(side->world, side->said[i].at_us);
        printf("%s %.*s\n", side->shell.options.brain->name, TOLD_BYTES_MAX, side->said[i].text);
    }
}

static void saw(void *arg, const char *what, struct view method, struct view target,
                int http_status, const char *faults)
{
    struct http_side *side = arg;
    char text[600];
    struct writer w = writer_over(text, sizeof text);
    (void)method;
    ENSURE_MAGIC(side, HTTP_SIDE_MAGIC);
    writer_format(&w, "%d %s", http_status, faults);
    note(side, what, target, writer_done(&w));
    world_faults(side->world, side->shell.options.brain->name, faults);
}

/* --- requests in ---------------------------------------------------------------------------------
 */

static void plant_on_request(struct http_side *side, const struct sim_request *request)
{
    char headers[2048], body[2048];
    struct writer h = writer_over(headers, sizeof headers), b = writer_over(body, sizeof body);
    if (side->world->options->plant != PLANT_NEW_ID || side->planted > 0 ||
        !view_is(request->target, "/v1/transfers") || !plant_new_id(request, &h, &b))
        return;
    struct sim_request again = *request;
    again.headers = writer_done(&h);
    again.body = writer_done(&b);
    side->planted++;
    http_host_request(side->host, UINT64_MAX - ++side->own_request, &again, now_us(side));
}

/* In place of http_host.h's for http_links.c and http_notices.c. */
void http_side_request(struct http_host *host, uint64_t id, const struct sim_request *request,
                       int64_t at_us);
void http_side_notice_done(struct http_host *host, uint64_t id, int http_status, int64_t at_us);

static struct http_side *behind(struct http_host *host)
{
    struct http_side *side = (struct http_side *)host;
    ENSURE_MAGIC(side, HTTP_SIDE_MAGIC);
    return side;
}

void http_side_request(struct http_host *host, uint64_t id, const struct sim_request *request,
                       int64_t at_us)
{
    struct http_side *side = behind(host);
    note(side, "asked", request->target, request->body);
    plant_on_request(side, request);
    http_host_request(side->host, id, request, at_us);
}

void http_side_notice_done(struct http_host *host, uint64_t id, int http_status, int64_t at_us)
{
    http_host_notice_done(behind(host)->host, id, http_status, at_us);
}

/* --- answers and notices out ---------------------------------------------------------------------
 */

static void send_notice(struct http_side *side, struct http_host_action *action)
{
    char headers[2048], body[4096];
    struct writer h = writer_over(headers, sizeof headers), b = writer_over(body, sizeof body);
    int64_t at_s = loop_wall_us(side->world->loop) / LOOP_US_PER_S;
    /* Money that came in is told where the account's owner wants to be told of it. */
    if (side->rail == RAIL_BANK && action->body.len > 0 &&
        memmem(action->body.ptr, action->body.len, "<Ref>RF", 7) != NULL)
        action->url = VIEW("http://gateway:82/notices/bank_a");
    note(side, "tells", action->url, action->body);
    if (side->world->options->plant == PLANT_WRONG_AMOUNT && side->rail == RAIL_QR &&
        plant_right_amount(action->url, action->body, at_s, &h, &b)) {
        action->headers = writer_done(&h);
        action->body = writer_done(&b);
        side->planted++;
    }
    http_notice_send(&side->shell, action);
}

static void pump(struct http_side *side)
{
    struct http_host_action action;
    while (http_host_take(side->host, now_us(side), &action)) {
        if (action.what == HTTP_HOST_NOTICE) {
            send_notice(side, &action);
            continue;
        }
        char status[16];
        (void)snprintf(status, sizeof status, "%d/%d", action.http_status, (int)action.how);
        note(side, "answers", view_text(status), action.body);
        if (action.id <= UINT64_MAX - side->own_request - 1)
            http_link_answer(&side->shell, &action);
    }
    int64_t next_us = http_host_next_us(side->host);
    if (next_us == INT64_MAX)
        timer_stop(&side->shell.pump_timer);
    else
        timer_start(&side->shell.pump_timer, next_us - now_us(side));
}

static void pump_task(struct task *task)
{
    pump(side_of(CONTAINER_OF(task, struct http_shell, pump_task)));
}

static void pump_later(struct timer *timer, void *arg)
{
    struct http_side *side = arg;
    (void)timer;
    ENSURE_MAGIC(side, HTTP_SIDE_MAGIC);
    pump(side);
}

void http_shell_pump(struct http_shell *shell)
{
    loop_defer(shell->loop, &shell->pump_task);
}

/* --- commands ------------------------------------------------------------------------------------
 */

bool http_side_command(struct http_side *side, const char *path, const char *body, char *answer,
                       size_t room)
{
    size_t need = http_host_control_room(side->host, VIEW("POST"), view_text(path), VIEW_EMPTY);
    uint8_t *text = malloc(need);
    ENSURE(text != NULL);
    struct writer w = writer_over(text, need);
    int http_status = http_host_control(side->host, VIEW("POST"), view_text(path), VIEW_EMPTY,
                                        view_text(body), now_us(side), &w);
    note(side, path, view_text(body), writer_done(&w));
    size_t len = w.len < room - 1 ? w.len : room - 1;
    memcpy(answer, text, len);
    answer[len] = '\0';
    free(text);
    http_shell_pump(&side->shell);
    return http_status == 200;
}

void http_side_forge(struct http_side *side, const char *path, struct view headers,
                     struct view body)
{
    char url[128];
    (void)snprintf(url, sizeof url, "http://gateway:82%s", path);
    struct http_host_action action = { .what = HTTP_HOST_NOTICE,
                                       .id = UINT64_MAX - ++side->own_request, /* nobody's */
                                       .url = view_text(url),
                                       .headers = headers,
                                       .body = body };
    note(side, "is forged", action.url, body);
    world_fault(side->world, FAULT_FORGED, "notice", 1);
    http_notice_send(&side->shell, &action);
}

/* --- accidents -----------------------------------------------------------------------------------
 */

static void set_knobs(struct http_side *side, struct view json)
{
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    enum status status = http_host_set(side->host, json, now_us(side), &why);
    if (status != STATUS_OK)
        fprintf(stderr, "%s: knobs: %.*s: %.*s\n", side->shell.options.brain->name, (int)json.len,
                (const char *)json.ptr, (int)why.len, text);
    ENSURE(status == STATUS_OK);
    note(side, "knobs", json, VIEW_EMPTY);
    http_shell_pump(&side->shell);
}

/* name; least and most of `ms`, when it has any */
static const struct {
    const char *name;
    int64_t ms_min, ms_max;
    unsigned percent; /* of runs */
} accidents[] = {
    { "drop_before_booking", 0, 0, 50 },
    { "drop_after_booking", 0, 0, 50 },
    { "delay", 1, 14000, 50 },
    { "late_booking", 100, 40000, 40 },
    { "duplicate", 0, 0, 50 },
    { "reorder", 50, 2000, 50 },
    { "garble", 0, 0, 20 },
    { "cut", 0, 0, 50 },
    { "half_close", 0, 0, 40 },
    { "reset", 0, 0, 50 },
    { "status", 0, 0, 50 },
    { "notice_drop", 0, 0, 30 },
    { "notice_delay", 1, 30000, 50 },
    { "notice_duplicate", 0, 0, 50 },
    { "notice_reorder", 50, 4000, 50 },
    { "notice_garble", 0, 0, 40 },
    { "notice_unsigned", 0, 0, 30 },
};

static void put_accident(struct json_out *j, struct dice *dice, size_t which)
{
    static const int statuses[] = { 500, 502, 503, 504, 429 };
    const char *name = accidents[which].name;
    json_open_object(j, NULL);
    json_put_text(j, "fault", view_text(name));
    json_put_i64(j, "per_million", dice_between(dice, 1000, 80000));
    if (accidents[which].ms_max > 0)
        json_put_i64(j, "ms", dice_between(dice, accidents[which].ms_min, accidents[which].ms_max));
    if (strcmp(name, "garble") == 0 || strcmp(name, "notice_garble") == 0)
        json_put_i64(j, "bytes", dice_between(dice, 1, 4));
    if (strcmp(name, "cut") == 0)
        json_put_i64(j, "bytes", dice_between(dice, 1, 300));
    if (strcmp(name, "status") == 0)
        json_put_i64(j, "status", statuses[dice_below(dice, COUNT_OF(statuses))]);
    json_close_object(j);
}

/* No notice, and no answer to who asks; the rest works. */
static const char silent[] =
    "{\"faults\":[{\"fault\":\"notice_drop\",\"next\":-1},{\"fault\":\"status\",\"status\":503,"
    "\"method\":\"GET\",\"path\":\"/v1/orders\",\"next\":-1}],\"down_ms\":0}";

static bool is_silent(const struct http_side *side)
{
    return side->world->options->plant == PLANT_NO_INQUIRY && side->rail == RAIL_QR;
}

void http_side_trouble(struct http_side *side)
{
    char room[KNOBS_BYTES];
    struct writer w = writer_over(room, sizeof room);
    struct json_out j;
    if (is_silent(side)) {
        set_knobs(side, view_text(silent));
        return;
    }
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_open_array(&j, "faults");
    for (size_t i = 0; i < COUNT_OF(accidents); i++) {
        if (!dice_percent(&side->dice, accidents[i].percent))
            continue;
        const char *name = accidents[i].name;
        bool late = strcmp(name, "late_booking") == 0 || strcmp(name, "reorder") == 0;
        if (late && side->world->clock_jumps)
            continue;
        put_accident(&j, &side->dice, i);
        side->garbles |= strcmp(name, "garble") == 0;
        side->loses |= strcmp(name, "notice_drop") == 0 || strcmp(name, "notice_unsigned") == 0;
    }
    json_close_array(&j);
    json_close_object(&j);
    ENSURE(!w.overflow);
    set_knobs(side, writer_done(&w));
}

void http_side_calm(struct http_side *side)
{
    if (is_silent(side))
        set_knobs(side, view_text(silent));
    else
        set_knobs(side, VIEW("{\"faults\":[],\"down_ms\":0}"));
}

void http_side_incident(struct http_side *side)
{
    char text[64], answer[128];
    struct writer w = writer_over(text, sizeof text);
    if (side->rail == RAIL_CBDC && dice_percent(&side->dice, 40)) {
        (void)http_side_command(side, "/tokens/drop", "", answer, sizeof answer);
        world_fault(side->world, FAULT_RESTARTED, "cbdc", 1);
        return;
    }
    writer_format(&w, "{\"down_ms\":%lld}", (long long)dice_between(&side->dice, 100, 20000));
    set_knobs(side, writer_done(&w));
    world_fault(side->world, FAULT_DOWN, side->shell.options.brain->name, 1);
}

bool http_side_garbles(const struct http_side *side)
{
    return side->garbles;
}

static uint64_t counted(const uint8_t *stats, const char *name)
{
    const char *at = strstr((const char *)stats, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Also by trying so often that the counterpart gave up, or before it knew where to. */
bool http_side_lost_notices(struct http_side *side)
{
    uint8_t text[8192];
    struct writer w = writer_over(text, sizeof text - 1);
    int http_status = http_host_control(side->host, VIEW("GET"), VIEW("/stats"), VIEW_EMPTY,
                                        VIEW_EMPTY, now_us(side), &w);
    ENSURE(http_status == 200 && !w.overflow);
    text[w.len] = '\0';
    return side->loses || counted(text, "\"notices_given_up\":") > 0 ||
           counted(text, "\"notices_waiting\":") > 0 || /* for so long that it is not believed */
           counted(text, "\"notices_without_url\":") > 0;
}

struct http_host *http_side_host(struct http_side *side)
{
    return side->host;
}

/* --- open, close ---------------------------------------------------------------------------------
 */

static enum status open_host(struct http_side *side)
{
    static const char *const notices[] = {
        [RAIL_QR] = "{\"settings\":{\"notice_url\":\"http://gateway:82/notices/qr_a\"}}",
        [RAIL_BANK] = "{\"settings\":{\"tokens_required\":false}}",
        [RAIL_CBDC] = "{\"settings\":{\"slow_ms\":30000}}"
    };
    struct http_host_config config = { .brain = side->shell.options.brain,
                                       .seed = side->world->options->seed,
                                       .wall_offset_us =
                                           loop_wall_us(side->world->loop) - now_us(side),
                                       .saw = saw,
                                       .saw_arg = side };
    side->host = http_host_open(&config);
    if (side->host == NULL)
        return STATUS_NO_MEMORY;
    set_knobs(side, view_text(notices[side->rail]));
    return STATUS_OK;
}

enum status http_side_open(struct http_side **out, struct world *world, enum rail rail)
{
    static const struct {
        const struct sim_brain *brain;
        const char *at;
    } rows[] = { [RAIL_QR] = { &wallet_brain, "wallet:1" },
                 [RAIL_BANK] = { &bank_brain, "bank:1" },
                 [RAIL_CBDC] = { &cbdc_brain, "cbdc:1" } };
    struct http_side *side = calloc(1, sizeof *side);
    *out = side;
    if (side == NULL)
        return STATUS_NO_MEMORY;
    side->magic = HTTP_SIDE_MAGIC;
    side->world = world;
    side->rail = rail;
    side->dice.state = world->options->seed ^ (0x4177u + (uint64_t)rail);
    side->said = calloc(SAID_MAX, sizeof *side->said);
    if (side->said == NULL)
        return STATUS_NO_MEMORY;
    struct http_shell *shell = &side->shell;
    shell->magic = HTTP_SHELL_MAGIC;
    shell->options.brain = rows[rail].brain;
    shell->loop = world->loop;
    shell->wire = world->wire;
    shell->log = (struct log){ .fd = -1 };
    shell->host = (struct http_host *)side;
    shell->pump_task.run = pump_task;
    timer_init(&shell->pump_timer, world->loop, pump_later, side);
    TRY(open_host(side));
    struct endpoint at;
    struct listen_options listen = {
        .accept = http_link_accepted, .arg = shell, .owner = side, .out_max = 4 * SIM_HTTP_BODY_MAX
    };
    TRY(endpoint_parse(view_text(rows[rail].at), &at));
    TRY(listen_open(world->wire, &at, &listen, &shell->listener));
    return STATUS_OK;
}

void http_side_stop(struct http_side *side)
{
    if (side == NULL)
        return;
    timer_stop(&side->shell.pump_timer);
    loop_forget(side->shell.loop, &side->shell.pump_task);
    http_notices_close(&side->shell);
}

void http_side_close(struct http_side *side)
{
    if (side == NULL)
        return;
    loop_forget(side->shell.loop, &side->shell.pump_task);
    timer_stop(&side->shell.pump_timer);
    http_host_close(side->host);
    for (size_t i = 0; i < side->said_count; i++)
        free(side->said[i].text);
    free(side->said);
    side->magic = 0;
    free(side);
}
