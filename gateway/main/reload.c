/* reload.c - new profiles for a running gateway; see reload.h.
 *
 *     reload_ask -> [waiting] -> begin -> worker: settings_load, policy_open -> loaded (loop)
 *         -> history_record -> recorded: apply                                   -> answer -> begin
 *                           -> not recorded: keep the old one, put the file back -> answer -> begin
 *         -> errors: keep the old one                                            -> answer -> begin
 *
 * A run takes the first request that waits, and with it all plain ones behind it up to the next
 * rollback. A rollback first writes the region's file, on the worker, and puts the old bytes back
 * when the result cannot be loaded: a gateway that was restarted then would not start. What the
 * file held stays beside it, under a name with the time, unless it is in force and so in the
 * history; a file that cannot be read is not written over.
 *
 * The new versions are on disk before the first payment is decided by them: after a crash the file
 * may be another one, and then no other place holds the words. While the store does not work, the
 * run waits, and what was in force before stays so; no payment can be recorded then either. But not
 * for ever: requests wait for its end, and the operators' socket has few places.
 *
 * The worker's thread is started at the first request; a gateway that never reloads has none.
 */
#include "main/reload.h"

#include "base/ensure.h"
#include "base/list.h"
#include "main/change.h"
#include "main/gateway.h"
#include "main/history.h"
#include "main/replace.h"
#include "payment/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RELOAD_MAGIC   0x52454c4fu
#define WAITING_MAX    64
#define ANSWER_BYTES   ((size_t)256 * 1024)
#define LOG_TEXT_BYTES 2048
#define FILE_BYTES_MAX ((size_t)256 * 1024)
#define BY_BYTES_MAX   80

#define KEPT_PER_SECOND_MAX 100

struct request {
    struct list link;
    bool rollback;
    int64_t seq;
    char region[33], by[BY_BYTES_MAX + 1];
    reload_done_fn *done;
    void *arg;
};

enum run_state {
    RUN_IDLE = 1,
    RUN_FINDING /* the version to go back to */,
    RUN_LOADING,
    RUN_RECORDING,
    RUN_PUTTING_BACK /* the file of a rollback whose version could not be recorded */
};

struct reload {
    uint32_t magic;
    struct gateway *gateway;
    struct loop *loop;
    const struct log *log;
    const struct settings *first;
    struct history *history;
    struct worker *worker;
    struct list waiting, served; /* struct request; served: by the run under way */
    size_t waiting_count;
    enum run_state state;
    bool stopping;
    struct reload_stats stats;
    void (*started)(void *arg, enum status status);
    void *started_arg;
    /* the run */
    struct job job;
    struct arena arena;
    struct store_read read;
    char path[4096];          /* rollback: the file; else "" */
    char kept[4096 + 64];     /* where its bytes from before stay; "": nowhere */
    struct view text, before; /* what the file is to hold, and what it held */
    struct view in_force;     /* the words of the region, empty: there are none */
    enum status before_read;  /* NOT_FOUND: there was none */
    enum status not_recorded;
    char by[HISTORY_BY_MAX + 1];
    struct findings findings;
    struct settings *settings;
    struct policy *policy;
    int64_t wall_us;
    uint8_t *answer;
    size_t answer_len;
};

static void begin(struct reload *r);

/* --- answers --------------------------------------------------------------------------------- */

static void answer_list(struct list *requests, int http_status, struct view body)
{
    struct list *item;
    while ((item = list_take_first(requests)) != NULL) {
        struct request *request = CONTAINER_OF(item, struct request, link);
        if (request->done != NULL)
            request->done(request->arg, http_status, body);
        free(request);
    }
}

static void problem(struct writer *w, const char *code, const char *title, int http_status,
                    const char *detail, const struct findings *findings)
{
    char type[96];
    (void)snprintf(type, sizeof type, "urn:railgate:problem:%s", code);
    struct json_out j;
    json_out_init(&j, w);
    json_open_object(&j, NULL);
    json_put_text(&j, "type", view_text(type));
    json_put_text(&j, "title", view_text(title));
    json_put_i64(&j, "status", http_status);
    json_put_text(&j, "code", view_text(code));
    json_put_text(&j, "detail", view_text(detail));
    if (findings != NULL) {
        json_open_array(&j, "findings");
        for (size_t i = 0; i < findings->count; i++) {
            const struct finding *row = &findings->rows[i];
            json_open_object(&j, NULL);
            json_put_text(&j, "file", view_text(row->file));
            json_put_i64(&j, "line", row->line);
            json_put_i64(&j, "column", row->column);
            json_put_text(&j, "severity",
                          row->severity == FINDING_ERROR ? VIEW("error") : VIEW("warning"));
            json_put_text(&j, "id", view_text(row->id));
            json_put_text(&j, "message", view_text(row->message));
            json_close_object(&j);
        }
        json_close_array(&j);
    }
    json_close_object(&j);
}

static void answer_problem(struct list *requests, const char *code, const char *title,
                           int http_status, const char *detail)
{
    uint8_t room[2048];
    struct writer w = writer_over(room, sizeof room);
    problem(&w, code, title, http_status, detail, NULL);
    answer_list(requests, http_status, w.overflow ? VIEW("{}") : writer_done(&w));
}

/* --- the worker ------------------------------------------------------------------------------ */

static bool only_warnings(struct reload *r)
{
    if (r->policy == NULL)
        return false;
    /* A list that became stale is no reason to keep an older one; one that cannot be read is. */
    policy_check_lists(r->policy, r->settings, r->wall_us, &r->findings);
    size_t stale = 0;
    for (size_t i = 0; i < r->findings.count; i++)
        stale += r->findings.rows[i].severity == FINDING_ERROR &&
                 strcmp(r->findings.rows[i].id, "lists.stale") == 0;
    return r->findings.errors == stale; /* one for which there was no memory is counted, too */
}

static void drop_loaded(struct reload *r)
{
    policy_free(r->policy);
    settings_free(r->settings);
    r->policy = NULL;
    r->settings = NULL;
}

static void load(struct reload *r)
{
    if (settings_load(r->first->file, &r->settings, &r->findings) == STATUS_OK &&
        policy_open(r->settings, &r->findings, NULL, &r->policy) != STATUS_OK &&
        r->findings.errors == 0)
        finding_add(&r->findings, FINDING_ERROR, r->first->file, 0, 0, "reload.memory",
                    "the profiles could not be prepared: memory is out");
    if (!only_warnings(r))
        drop_loaded(r);
}

static void put_back(struct reload *r)
{
    bool done = r->before_read == STATUS_NOT_FOUND
                    ? unlink(r->path) == 0
                    : r->before_read == STATUS_OK && file_replace(r->path, r->before) == STATUS_OK;
    if (!done)
        finding_add(&r->findings, FINDING_ERROR, r->path, 0, 0, "reload.not_put_back",
                    "the file could not be put back as it was; it holds the older version%s%s",
                    r->kept[0] != '\0' ? ", and what it held is in " : "", r->kept);
    else if (r->kept[0] != '\0')
        (void)unlink(r->kept);
}

/* default.yaml.kept-20260301T213000Z: no profile by its name. */
static enum status keep(struct reload *r)
{
    char stamp[32];
    struct tm utc;
    time_t at_s = r->wall_us / LOOP_US_PER_S;
    (void)gmtime_r(&at_s, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    enum status status = STATUS_EXISTS;
    for (int i = 1; status == STATUS_EXISTS && i <= KEPT_PER_SECOND_MAX; i++) {
        int len = snprintf(r->kept, sizeof r->kept, "%s.kept-%s", r->path, stamp);
        if (i > 1)
            (void)snprintf(r->kept + len, sizeof r->kept - (size_t)len, "-%d", i);
        status = file_keep(r->path, r->kept);
    }
    if (status != STATUS_OK)
        r->kept[0] = '\0';
    return status;
}

/* An operator's words that were never in force are nowhere else. False: they would be lost. */
static bool save_before(struct reload *r)
{
    r->before_read = file_read(r->path, FILE_BYTES_MAX, &r->arena, &r->before);
    if (r->before_read == STATUS_NOT_FOUND ||
        (r->before_read == STATUS_OK &&
         (view_equal(r->before, r->in_force) || view_equal(r->before, r->text))))
        return true;
    if (r->before_read != STATUS_OK) {
        finding_add(&r->findings, FINDING_ERROR, r->path, 0, 0, "reload.unreadable",
                    "what the file holds cannot be read (%s), so it is not written over; move it "
                    "away or make it readable, and go back again",
                    status_text(r->before_read));
        return false;
    }
    enum status status = keep(r);
    if (status != STATUS_OK)
        finding_add(&r->findings, FINDING_ERROR, r->path, 0, 0, "reload.not_kept",
                    "what the file holds was never in force, and cannot be kept beside it (%s), so "
                    "it is not written over; move it away, and go back again",
                    status_text(status));
    return status == STATUS_OK;
}

static void run_job(void *ctx, struct job *first, size_t count)
{
    struct reload *r = ctx;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    ENSURE(count == 1 && first == &r->job);
    if (r->state == RUN_PUTTING_BACK) {
        put_back(r);
        return;
    }
    if (r->path[0] == '\0') {
        load(r);
        return;
    }
    if (!save_before(r))
        return;
    if (file_replace(r->path, r->text) != STATUS_OK) {
        finding_add(&r->findings, FINDING_ERROR, r->path, 0, 0, "reload.write",
                    "the file could not be written; look at its folder's rights and at the disk");
        if (r->kept[0] != '\0')
            (void)unlink(r->kept); /* it is where it was */
        return;
    }
    load(r);
    if (r->policy == NULL)
        put_back(r);
}

/* --- what came of it ------------------------------------------------------------------------- */

struct notes {
    struct writer text;
    struct json_out *j;
};

static void note_restart(void *arg, const char *what)
{
    struct notes *notes = arg;
    writer_format(&notes->text, "%s%s", notes->text.len > 0 ? ", " : "", what);
    json_put_text(notes->j, NULL, view_text(what));
}

/* Of every list how it stands; what may not be used denies the payments that need it. */
static void put_lists(const struct reload *r, struct json_out *j)
{
    const struct screening *all = r->policy->screening;
    json_open_array(j, "lists");
    for (size_t i = 0; all != NULL && i < screening_count(all); i++) {
        const struct screening_list *list = screening_at(all, i);
        json_open_object(j, NULL);
        json_put_text(j, "list", view_text(list->name));
        json_put_bool(j, "usable", screening_fresh(list, r->wall_us));
        json_put_i64(j, "entries", (int64_t)list->entries);
        json_put_i64(j, "days_old", (r->wall_us - list->published_us) / (86400 * LOOP_US_PER_S));
        json_close_object(j);
    }
    json_close_array(j);
}

static void compose(struct reload *r, const struct settings *old)
{
    char changed[LOG_TEXT_BYTES], restart[LOG_TEXT_BYTES];
    struct writer c = writer_over(changed, sizeof changed);
    struct writer w = writer_over(r->answer, r->answer != NULL ? ANSWER_BYTES : 0);
    struct json_out j;
    json_out_init(&j, &w);
    change_regions_text(&c, old, r->settings);
    json_open_object(&j, NULL);
    json_put_text(&j, "result", VIEW("reloaded"));
    change_regions_json(&j, old, r->settings);
    put_lists(r, &j);
    json_open_array(&j, "needs_restart");
    struct notes notes = { .text = writer_over(restart, sizeof restart), .j = &j };
    change_needs_restart(r->first, r->settings, note_restart, &notes);
    json_close_array(&j);
    json_put_text_if(&j, "kept", view_text(r->kept));
    json_put_i64(&j, "warnings", (int64_t)r->findings.warnings);
    json_close_object(&j);
    r->answer_len = w.overflow ? 0 : w.len;
    LOG(r->log, LOG_INFO, "profile.reloaded", LOG_VIEW("changed", writer_done(&c)),
        LOG_TEXT("by", r->by), LOG_INT("warnings", r->findings.warnings),
        LOG_VIEW("needs_restart", writer_done(&notes.text)));
}

static void end_run(struct reload *r, int http_status)
{
    r->state = RUN_IDLE;
    struct view body = r->answer_len > 0 ? view_of(r->answer, r->answer_len) : VIEW("{}");
    answer_list(&r->served, http_status, body);
    findings_clear(&r->findings);
    arena_reset(&r->arena);
    if (!r->stopping)
        begin(r);
}

static void answer_not_recorded(struct reload *r)
{
    bool later = r->not_recorded == STATUS_IO;
    const char *detail =
        later
            ? "The new versions could not be recorded: the store did not work, or memory was out. "
              "The profiles from before are still in force; reload again when it works."
            : "The store refuses to record a new version, and would again; the log says why. The "
              "profiles from before are still in force.";
    int http_status = later ? 503 : 500;
    struct writer a = writer_over(r->answer, r->answer != NULL ? ANSWER_BYTES : 0);
    r->stats.failures++;
    LOG(r->log, LOG_ERROR, "profile.reload_failed", LOG_TEXT("by", r->by),
        LOG_TEXT("reason", detail));
    problem(&a, later ? "store_failed" : "internal", "Nothing was reloaded", http_status, detail,
            &r->findings);
    r->answer_len = a.overflow ? 0 : a.len;
    end_run(r, http_status);
}

static void was_put_back(struct job *job)
{
    struct reload *r = CONTAINER_OF(job, struct reload, job);
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    ENSURE(r->state == RUN_PUTTING_BACK);
    if (r->stopping) {
        findings_clear(&r->findings);
        r->state = RUN_IDLE;
        return;
    }
    answer_not_recorded(r);
}

static void recorded(void *arg, enum status status)
{
    struct reload *r = arg;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    ENSURE(r->state == RUN_RECORDING && r->policy != NULL);
    if (status != STATUS_OK) {
        drop_loaded(r);
        r->not_recorded = status;
        r->job = (struct job){ .done = was_put_back };
        r->state = RUN_PUTTING_BACK;
        if (r->path[0] == '\0')
            answer_not_recorded(r);
        else
            ENSURE(worker_submit(r->worker, &r->job) == STATUS_OK); /* it has nothing to do */
        return;
    }
    r->stats.reloads++;
    r->stats.loaded_us = r->wall_us;
    compose(r, gateway_settings(r->gateway));
    gateway_use_policy(r->gateway, &r->settings, &r->policy);
    end_run(r, 200);
}

static void failed(struct reload *r)
{
    char text[LOG_TEXT_BYTES];
    struct writer w = writer_over(text, sizeof text);
    r->stats.failures++;
    findings_write(&w, &r->findings);
    LOG(r->log, LOG_ERROR, "profile.reload_failed", LOG_TEXT("by", r->by),
        LOG_INT("errors", r->findings.errors), LOG_VIEW("findings", writer_done(&w)),
        LOG_TEXT("what_to_do", "the profiles from before are still in force; `railgate check` "
                               "shows everything that is wrong"));
    struct writer a = writer_over(r->answer, r->answer != NULL ? ANSWER_BYTES : 0);
    problem(&a, "reload_failed", "The configuration has errors", 422,
            "Nothing was changed: the profiles from before are still in force.", &r->findings);
    r->answer_len = a.overflow ? 0 : a.len;
    end_run(r, 422);
}

static void loaded(struct job *job)
{
    struct reload *r = CONTAINER_OF(job, struct reload, job);
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    ENSURE(r->state == RUN_LOADING);
    if (r->stopping) {
        drop_loaded(r);
        findings_clear(&r->findings);
        r->state = RUN_IDLE;
        return;
    }
    if (r->policy == NULL) {
        failed(r);
        return;
    }
    r->state = RUN_RECORDING;
    history_record(r->history, r->settings, r->by, recorded, r);
}

/* --- beginning ------------------------------------------------------------------------------- */

static bool start_loading(struct reload *r)
{
    struct worker_options options = {
        .name = "reload", .run = run_job, .ctx = r, .queue_max = 1, .batch_max = 1
    };
    if (r->worker == NULL && worker_open(&r->worker, r->loop, &options) != STATUS_OK)
        return false;
    if (r->answer == NULL && (r->answer = malloc(ANSWER_BYTES)) == NULL)
        return false;
    findings_init(&r->findings);
    r->settings = NULL;
    r->policy = NULL;
    r->answer_len = 0;
    r->wall_us = loop_wall_us(r->loop);
    r->job = (struct job){ .done = loaded };
    r->state = RUN_LOADING;
    if (worker_submit(r->worker, &r->job) == STATUS_OK)
        return true;
    findings_clear(&r->findings);
    r->state = RUN_IDLE;
    return false;
}

static void cannot(struct reload *r, const char *code, int http_status, const char *detail)
{
    r->state = RUN_IDLE;
    r->stats.failures++;
    LOG(r->log, LOG_ERROR, "profile.reload_failed", LOG_TEXT("by", r->by),
        LOG_TEXT("reason", detail));
    arena_reset(&r->arena);
    answer_problem(&r->served, code, "Nothing was reloaded", http_status, detail);
    if (!r->stopping)
        begin(r);
}

/* Where the region's file is; one that was removed comes back under its own name. */
static bool path_of(struct reload *r, const char *region)
{
    const struct settings *now = gateway_settings(r->gateway);
    r->in_force = VIEW_EMPTY;
    for (size_t i = 0; i < now->regions_count; i++)
        if (!now->regions[i].shadow && strcmp(now->regions[i].region, region) == 0) {
            r->in_force = arena_copy(&r->arena, now->regions[i].text);
            return snprintf(r->path, sizeof r->path, "%s", now->regions[i].file) <
                   (int)sizeof r->path;
        }
    return snprintf(r->path, sizeof r->path, "%s/%s.yaml", now->regions_folder, region) <
           (int)sizeof r->path;
}

static void version_found(struct store_read *read, void *arg)
{
    struct reload *r = arg;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    const struct request *request = CONTAINER_OF(r->served.next, struct request, link);
    if (r->stopping) {
        r->state = RUN_IDLE;
        return;
    }
    /* Without a number the second newest is meant: the newest is in force. */
    size_t at = request->seq == 0 ? 1 : 0;
    char region[sizeof request->region]; /* as it was recorded: the name asked for may be in
                                            capitals */
    if (read->result != STATUS_OK)
        cannot(r, "store_failed", 503, "The history could not be read; try again.");
    else if (read->count <= at || (request->seq != 0 && read->profiles[0].seq != request->seq))
        cannot(r, "not_found", 404,
               "There is no such version of this region; see `railgate profile history`.");
    else if (view_to_text(read->profiles[at].region, region, sizeof region) != STATUS_OK ||
             !path_of(r, region))
        cannot(r, "internal", 500, "The path of the region's file is too long.");
    else {
        r->text = read->profiles[at].text; /* lives in the arena until the run ends */
        if (!start_loading(r))
            cannot(r, "overloaded", 503, "Memory or threads are out; try again.");
    }
}

static void find_version(struct reload *r, const struct request *request)
{
    r->state = RUN_FINDING;
    if (request->region[0] == '\0') { /* to the store that would mean: of all regions */
        cannot(r, "not_found", 404, "There is no such region.");
        return;
    }
    r->read = (struct store_read){ .question = STORE_PROFILES,
                                   .arena = &r->arena,
                                   .region = view_text(request->region),
                                   .after = request->seq != 0 ? request->seq + 1 : 0,
                                   .limit = request->seq != 0 ? 1 : 2,
                                   .done = version_found,
                                   .arg = r };
    struct store *store = gateway_store(r->gateway);
    if (store == NULL || store_ask(store, &r->read) != STATUS_OK)
        cannot(r, "overloaded", 503, "The store is busy; try again.");
}

static void begin(struct reload *r)
{
    if (r->state != RUN_IDLE || list_empty(&r->waiting))
        return;
    struct request *first = CONTAINER_OF(list_take_first(&r->waiting), struct request, link);
    list_append(&r->served, &first->link);
    r->waiting_count--;
    r->path[0] = '\0';
    r->kept[0] = '\0';
    if (first->rollback) {
        (void)snprintf(r->by, sizeof r->by, "rollback by %s", first->by);
        find_version(r, first);
        return;
    }
    (void)snprintf(r->by, sizeof r->by, "reload");
    while (!list_empty(&r->waiting)) {
        struct request *next = CONTAINER_OF(r->waiting.next, struct request, link);
        if (next->rollback)
            break;
        list_remove(&next->link);
        list_append(&r->served, &next->link);
        r->waiting_count--;
    }
    if (!start_loading(r))
        cannot(r, "overloaded", 503, "Memory or threads are out; try again.");
}

static struct request *request_new(struct reload *r, reload_done_fn *done, void *arg)
{
    struct request *request =
        r->stopping || r->waiting_count >= WAITING_MAX ? NULL : calloc(1, sizeof *request);
    if (request == NULL) {
        if (done != NULL)
            done(arg, 503,
                 VIEW("{\"type\":\"urn:railgate:problem:overloaded\",\"title\":\"The gateway is "
                      "busy, try again\",\"status\":503,\"code\":\"overloaded\"}"));
        return NULL;
    }
    request->done = done;
    request->arg = arg;
    r->waiting_count++;
    list_append(&r->waiting, &request->link);
    return request;
}

void reload_ask(struct reload *r, reload_done_fn *done, void *arg)
{
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    /* Nobody waits for the answer of a signal: one that waits already does for both. */
    if (done == NULL && !list_empty(&r->waiting) &&
        !CONTAINER_OF(r->waiting.prev, struct request, link)->rollback)
        return;
    if (request_new(r, done, arg) != NULL)
        begin(r);
}

void reload_rollback(struct reload *r, struct view region, int64_t seq, struct view by,
                     reload_done_fn *done, void *arg)
{
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    struct request *request = request_new(r, done, arg);
    if (request == NULL)
        return;
    request->rollback = true;
    request->seq = seq;
    /* Too long for a name: then it is empty, and found to be none (find_version). */
    IGNORE_STATUS(view_to_text(region, request->region, sizeof request->region));
    IGNORE_STATUS(view_to_text(view_slice(by, 0, BY_BYTES_MAX), request->by, sizeof request->by));
    begin(r);
}

/* --- life ------------------------------------------------------------------------------------ */

enum status reload_open(struct reload **out, struct gateway *gateway, struct loop *loop,
                        const struct log *log, const struct settings *first)
{
    struct reload *r = *out = calloc(1, sizeof *r);
    if (r == NULL)
        return STATUS_NO_MEMORY;
    r->magic = RELOAD_MAGIC;
    r->gateway = gateway;
    r->loop = loop;
    r->log = log;
    r->first = first;
    r->state = RUN_IDLE;
    r->stats.loaded_us = loop_wall_us(loop);
    list_init(&r->waiting);
    list_init(&r->served);
    arena_init(&r->arena, (size_t)8 * 1024 * 1024);
    return history_open(&r->history, gateway_store(gateway), loop, log);
}

static void start_recorded(void *arg, enum status status)
{
    struct reload *r = arg;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    if (status != STATUS_OK) { /* the gateway ends, and reload_stop answers whoever waits */
        r->started(r->started_arg, status);
        return;
    }
    r->state = RUN_IDLE;
    r->started(r->started_arg, status);
    begin(r);
}

void reload_record_start(struct reload *r, void (*done)(void *arg, enum status status), void *arg)
{
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    ENSURE(r->state == RUN_IDLE);
    r->started = done;
    r->started_arg = arg;
    r->state = RUN_RECORDING; /* requests wait for its end */
    history_record(r->history, r->first, "start", start_recorded, r);
}

void reload_stop(struct reload *r)
{
    if (r == NULL)
        return;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    r->stopping = true;
    if (r->history != NULL)
        history_stop(r->history);
    if (r->worker != NULL)
        worker_close(r->worker);
    r->worker = NULL;
    const char *why = "The gateway stops; nothing is known of the reload. Look at its log.";
    answer_problem(&r->waiting, "starting", "The gateway is stopping", 503, why);
    if (r->state != RUN_FINDING) /* version_found still looks at it */
        answer_problem(&r->served, "starting", "The gateway is stopping", 503, why);
}

void reload_close(struct reload *r)
{
    if (r == NULL)
        return;
    ENSURE_MAGIC(r, RELOAD_MAGIC);
    if (r->worker != NULL) { /* a crash: nobody is told */
        worker_abandon(r->worker);
        worker_close(r->worker);
    }
    struct list *item;
    while ((item = list_take_first(&r->waiting)) != NULL ||
           (item = list_take_first(&r->served)) != NULL)
        free(CONTAINER_OF(item, struct request, link));
    history_close(r->history);
    drop_loaded(r);
    arena_reset(&r->arena);
    free(r->answer);
    r->magic = 0;
    free(r);
}

void reload_stats(const struct reload *r, struct reload_stats *out)
{
    *out = r->stats;
}
