/* http_shell.c - see http_shell.h.
 *
 * Requests go into the host, actions come out: http_shell_pump asks for it, and at the end of the
 * turn everything that is due is done and a timer set for the rest. */
#include "http_shell.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_MAX_BYTES (4 * SIM_HTTP_BODY_MAX)

/* --- the pump ---------------------------------------------------------------------------- */
static void pump(struct http_shell *shell)
{
    struct http_host_action action;
    int64_t now_us = loop_now_us(shell->loop);
    while (http_host_take(shell->host, now_us, &action)) {
        if (action.what == HTTP_HOST_ANSWER)
            http_link_answer(shell, &action);
        else
            http_notice_send(shell, &action);
    }
    int64_t next_us = http_host_next_us(shell->host);
    if (next_us == INT64_MAX)
        timer_stop(&shell->pump_timer);
    else
        timer_start(&shell->pump_timer, next_us - now_us);
}

static void pump_task(struct task *task)
{
    struct http_shell *shell = CONTAINER_OF(task, struct http_shell, pump_task);
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    pump(shell);
}

static void pump_later(struct timer *timer, void *arg)
{
    struct http_shell *shell = arg;
    (void)timer;
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    pump(shell);
}

void http_shell_pump(struct http_shell *shell)
{
    loop_defer(shell->loop, &shell->pump_task);
}

/* --- the log ----------------------------------------------------------------------------- */
static void saw(void *arg, const char *what, struct view method, struct view target,
                int http_status, const char *note)
{
    struct http_shell *shell = arg;
    char id[64];
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    (void)snprintf(id, sizeof id, "%s.%s", shell->options.brain->name, what);
    LOG(&shell->log, LOG_INFO, id, LOG_VIEW("method", method), LOG_VIEW("target", target),
        LOG_INT("status", http_status), LOG_TEXT("faults", note));
}

static int64_t log_wall_us(void *loop)
{
    return loop_wall_us(loop);
}

/* --- control port ------------------------------------------------------------------------ */
static enum status apply_start(struct http_shell *shell, struct writer *why)
{
    int64_t now_us = loop_now_us(shell->loop);
    if (shell->scenario != NULL)
        TRY(http_host_set(shell->host, view_of(shell->scenario, shell->scenario_len), now_us, why));
    if (shell->options.knobs_json != NULL)
        TRY(http_host_set(shell->host, view_text(shell->options.knobs_json), now_us, why));
    return STATUS_OK;
}

static void give_settlement(struct http_shell *shell, struct http_request *request)
{
    uint8_t why[512], text[1024];
    struct writer w = writer_over(why, sizeof why), body = writer_over(text, sizeof text);
    struct settlement *settlement = NULL;
    struct json_out j;
    enum status s = http_host_settlement(shell->host, http_query(request), loop_now_us(shell->loop),
                                         &settlement, &w);
    if (s == STATUS_OK) {
        downloads_start(&shell->downloads, request, settlement);
        return;
    }
    json_out_init(&j, &body);
    json_open_object(&j, NULL);
    json_put_text(&j, "error", w.len > 0 ? writer_done(&w) : view_text(status_text(s)));
    json_close_object(&j);
    writer_text(&body, "\n");
    http_respond(request,
                 s == STATUS_NOT_FOUND   ? 404
                 : s == STATUS_NO_MEMORY ? 500
                                         : 400,
                 "application/json", NULL, 0, writer_done(&body));
}

static void control(struct http_request *request, void *arg)
{
    struct http_shell *shell = arg;
    struct view method = http_method(request), path = http_path(request);
    struct view query = http_query(request);
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    if (view_is(method, "GET") && view_is(path, "/settlement")) {
        give_settlement(shell, request);
        http_shell_pump(shell); /* what was due is done by now */
        return;
    }
    size_t room = http_host_control_room(shell->host, method, path, query);
    uint8_t *text = malloc(room);
    char why[512];
    struct writer w = writer_over(text, room), reason = writer_over(why, sizeof why);
    int http_status = 500;
    if (text != NULL)
        http_status = http_host_control(shell->host, method, path, query, http_body(request),
                                        loop_now_us(shell->loop), &w);
    if (http_status == 200 && view_is(path, "/reset") && apply_start(shell, &reason) != STATUS_OK) {
        http_status = 500; /* it could be applied when the program started */
        w.len = 0;
        writer_text(&w, "{\"error\":\"the scenario cannot be applied again\"}\n");
    }
    http_respond(request, http_status, "application/json", NULL, 0,
                 text != NULL ? writer_done(&w) : VIEW("{\"error\":\"out of memory\"}\n"));
    free(text);
    http_shell_pump(shell);
}

/* --- start and stop ---------------------------------------------------------------------- */
static bool complain(const struct http_shell *shell, const char *what, const char *why)
{
    fprintf(stderr, "railgate-sim %s: %s: %s\n", shell->options.brain->name, what, why);
    return false;
}

static bool read_scenario(struct http_shell *shell)
{
    FILE *file = fopen(shell->options.scenario_path, "rb");
    if (file == NULL)
        return false;
    shell->scenario = malloc(HTTP_SCENARIO_BYTES_MAX);
    if (shell->scenario != NULL)
        shell->scenario_len = fread(shell->scenario, 1, HTTP_SCENARIO_BYTES_MAX, file);
    bool ok = shell->scenario != NULL && feof(file) && !ferror(file);
    fclose(file);
    return ok;
}

static bool say_ready(struct http_shell *shell)
{
    char listen[300], at[320], text[1024], path[4096];
    struct writer l = writer_over(listen, sizeof listen), c = writer_over(at, sizeof at);
    struct writer w = writer_over(text, sizeof text), p = writer_over(path, sizeof path);
    struct json_out j;
    endpoint_format(&l, listener_endpoint(shell->listener));
    writer_text(&c, "http://");
    endpoint_format(&c, http_server_endpoint(shell->control));
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "listen", writer_done(&l));
    json_put_text(&j, "control", writer_done(&c));
    json_put_i64(&j, "pid", getpid());
    json_close_object(&j);
    writer_text(&w, "\n");
    /* The file first: whoever reads the line finds it. And nobody sees half of it. */
    if (shell->options.ready_path != NULL) {
        writer_format(&p, "%s.new", shell->options.ready_path);
        if (writer_terminate(&p) != STATUS_OK)
            return false;
        FILE *file = fopen(path, "wb");
        bool ok = file != NULL && fwrite(text, 1, w.len, file) == w.len;
        ok = file != NULL && fclose(file) == 0 && ok;
        if (!ok || rename(path, shell->options.ready_path) != 0)
            return false;
    }
    return fwrite(text, 1, w.len, stdout) == w.len && fflush(stdout) == 0;
}

static bool open_host(struct http_shell *shell)
{
    struct http_options *o = &shell->options;
    char why[512] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    struct http_host_config config = { .brain = o->brain, .seed = o->seed };
    config.wall_offset_us = loop_wall_us(shell->loop) - loop_now_us(shell->loop);
    if (o->log_level <= LOG_INFO) {
        config.saw = saw;
        config.saw_arg = shell;
    }
    if ((shell->host = http_host_open(&config)) == NULL)
        return complain(shell, "host", "out of memory");
    if (o->scenario_path != NULL && !read_scenario(shell))
        return complain(shell, o->scenario_path, "cannot be read, or is longer than 256 KiB");
    if (apply_start(shell, &w) != STATUS_OK)
        return complain(shell, "scenario or knobs", why);
    return true;
}

static bool open_all(struct http_shell *shell)
{
    struct http_options *o = &shell->options;
    char why[512] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    enum status s;
    if ((shell->loop = loop_open_real()) == NULL)
        return complain(shell, "event loop", "cannot be opened");
    shell->log = (struct log){
        .fd = STDERR_FILENO, .level = o->log_level, .wall_us = log_wall_us, .clock = shell->loop
    };
    timer_init(&shell->pump_timer, shell->loop, pump_later, shell);
    downloads_init(&shell->downloads, shell->loop);
    if (!open_host(shell))
        return false;
    if (o->tls.certificate_path != NULL && tls_open_server(&o->tls, &shell->tls, &w) != STATUS_OK)
        return complain(shell, "TLS", why);
    if (o->notice_tls.ca_path != NULL &&
        tls_open_client(&o->notice_tls, &shell->notice_tls, &w) != STATUS_OK)
        return complain(shell, "--notice-ca", why);
    if ((s = wire_open_real(&shell->wire, shell->loop)) != STATUS_OK)
        return complain(shell, "network", status_text(s));
    struct listen_options listen = {
        .accept = http_link_accepted, .arg = shell, .tls = shell->tls, .out_max = OUT_MAX_BYTES
    };
    if ((s = listen_open(shell->wire, &o->listen, &listen, &shell->listener)) != STATUS_OK)
        return complain(shell, "--listen", status_text(s));
    struct http_server_options port = { .at = o->control,
                                        .handler = control,
                                        .arg = shell,
                                        .log = &shell->log,
                                        .limits = { .body_bytes_max = HTTP_SCENARIO_BYTES_MAX } };
    if ((s = http_server_open(&shell->control, shell->wire, shell->loop, &port)) != STATUS_OK)
        return complain(shell, "--control", status_text(s));
    http_shell_pump(shell); /* a brain may have something to do from the start */
    return say_ready(shell) || complain(shell, "--ready-file", "cannot be written");
}

static void close_all(struct http_shell *shell)
{
    if (shell->loop != NULL) {
        timer_stop(&shell->pump_timer);
        loop_forget(shell->loop, &shell->pump_task);
    }
    http_notices_close(shell);
    downloads_drop_all(&shell->downloads);
    if (shell->control != NULL)
        http_server_close(shell->control);
    if (shell->wire != NULL)
        wire_close(shell->wire); /* closes the listener and all links */
    if (shell->tls != NULL)
        tls_close(shell->tls);
    http_host_close(shell->host);
    if (shell->loop != NULL)
        loop_close(shell->loop);
    free(shell->scenario);
}

static void stop(struct task *task)
{
    struct http_shell *shell = CONTAINER_OF(task, struct http_shell, stop_task);
    ENSURE_MAGIC(shell, HTTP_SHELL_MAGIC);
    loop_stop(shell->loop);
}

/* SIGINT and SIGTERM are blocked everywhere and waited for here. */
static void *wait_for_signal(void *arg)
{
    struct http_shell *shell = arg;
    sigset_t signals;
    int got = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigwait(&signals, &got) == 0)
        loop_post(shell->loop, &shell->stop_task);
    return NULL;
}

/* What --settlement-file asks for. */
static bool keep_settlement(struct http_shell *shell)
{
    char why[512] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    struct settlement *settlement = NULL;
    if (shell->options.settlement_path == NULL)
        return true;
    if (http_host_settlement(shell->host, VIEW_EMPTY, loop_now_us(shell->loop), &settlement, &w) !=
        STATUS_OK)
        return complain(shell, "--settlement-file", why);
    return downloads_to_file(settlement, shell->options.settlement_path) ||
           complain(shell, "--settlement-file", "cannot be written");
}

static int run(struct http_shell *shell)
{
    pthread_t waiter;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    bool ok = open_all(shell) && pthread_create(&waiter, NULL, wait_for_signal, shell) == 0;
    if (ok) {
        loop_run(shell->loop); /* ends by a signal only, so the waiter is at its end as well */
        pthread_join(waiter, NULL);
        ok = keep_settlement(shell);
    }
    close_all(shell);
    return ok ? 0 : 1;
}

int http_shell_main(const struct sim_brain *brain, int argc, char **argv)
{
    struct http_options options;
    if (!http_options_read(brain, argc, argv, &options))
        return 2;
    if (options.help) {
        http_options_help(brain);
        return 0;
    }
    struct http_shell *shell = calloc(1, sizeof *shell);
    if (shell == NULL)
        return 1;
    shell->magic = HTTP_SHELL_MAGIC;
    shell->options = options;
    shell->stop_task.run = stop;
    shell->pump_task.run = pump_task;
    int code = run(shell);
    free(shell);
    return code;
}
