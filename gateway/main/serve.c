/* serve.c - `railgate serve`: load the configuration, run the gateway until a signal.
 *
 *     SIGTERM, SIGINT   no new requests, running ones are answered (at most shutdown.drain_time),
 *                       exit 0
 *     a second one      exit at once; what is open is taken up at the next start
 *     SIGHUP            region profiles and lists are loaded anew (reload.h); the log tells what
 *                       came of it
 *
 * In mode sandbox, RAILGATE_CRASH_AT=step[:n] kills the process the n-th time a payment reaches
 * that step: the crash tests use it. Mode live ignores it.
 */
#include "main/cli.h"
#include "main/gateway.h"
#include "main/signals.h"

#include "base/ensure.h"
#include "wire/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPEN_FILES 65536

struct serve {
    struct settings *settings;
    struct loop *loop;
    struct wire *wire;
    struct gateway *gateway;
    struct log log;
    const char *ready_file;
    struct signals signals;
    int exit_code;
    /* RAILGATE_CRASH_AT */
    char crash_step[32];
    uint64_t crash_count;
};

static int64_t wall_us(void *loop)
{
    return loop_wall_us(loop);
}

/* --- crash points
 * ------------------------------------------------------------------------------------ */

static void crash_read(struct serve *serve)
{
    const char *text = getenv("RAILGATE_CRASH_AT");
    if (text == NULL || serve->settings->mode != SETTINGS_SANDBOX)
        return;
    struct view v = view_text(text);
    size_t colon = view_find(v, ':');
    serve->crash_count = 1;
    if (view_to_text(view_slice(v, 0, colon), serve->crash_step, sizeof serve->crash_step) !=
        STATUS_OK)
        return;
    if (colon < v.len &&
        view_to_u64(view_slice(v, colon + 1, v.len), UINT32_MAX, &serve->crash_count) != STATUS_OK)
        serve->crash_count = 1;
}

static void crash_step(void *arg, const char *name)
{
    struct serve *serve = arg;
    if (strcmp(name, serve->crash_step) == 0 && --serve->crash_count == 0)
        (void)kill(getpid(), SIGKILL);
}

/* --- signals
 * ------------------------------------------------------------------------------------------- */

static void drained(void *arg)
{
    struct serve *serve = arg;
    loop_stop(serve->loop);
}

static void on_stop(void *arg)
{
    struct serve *serve = arg;
    LOG(&serve->log, LOG_INFO, "gateway.stopping",
        LOG_INT("waiting", payments_waiting(gateway_payments(serve->gateway))));
    gateway_drain(serve->gateway, serve->settings->shutdown_drain_us, drained, serve);
}

static void on_hup(void *arg)
{
    struct serve *serve = arg;
    reload_ask(gateway_reload(serve->gateway), NULL, NULL);
}

/* --- ready
 * -----------------------------------------------------------------------------------------------
 */

static void write_ready(struct serve *serve)
{
    char text[1024], temporary[1024];
    struct writer w = writer_over(text, sizeof text);
    bool tls = serve->settings->api_tls_certificate[0] != '\0';
    writer_format(&w, "{\"api\":\"%s://", tls ? "https" : "http");
    endpoint_format(&w, gateway_api(serve->gateway));
    if (gateway_notices(serve->gateway)[0] != '\0')
        writer_format(&w, "\",\"notices\":\"%s", gateway_notices(serve->gateway));
    writer_text(&w, "\",\"ops\":\"http://");
    endpoint_format(&w, gateway_ops(serve->gateway));
    writer_format(&w, "\",\"pid\":%ld}\n", (long)getpid());
    (void)snprintf(temporary, sizeof temporary, "%s.new", serve->ready_file);
    /* Made anew: what lies there under this name, perhaps a link of somebody else's, is not used.
     */
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text, w.len) == (ssize_t)w.len;
    if (fd >= 0)
        (void)close(fd);
    if (!good || rename(temporary, serve->ready_file) != 0)
        LOG(&serve->log, LOG_ERROR, "gateway.ready_file", LOG_TEXT("path", serve->ready_file),
            LOG_TEXT("error", strerror(errno)));
}

static void ready(void *arg, enum status status)
{
    struct serve *serve = arg;
    char api[300], ops[300];
    struct writer a = writer_over(api, sizeof api), o = writer_over(ops, sizeof ops);
    if (status != STATUS_OK) {
        serve->exit_code = EXIT_COULD_NOT;
        loop_stop(serve->loop);
        return;
    }
    endpoint_format(&a, gateway_api(serve->gateway));
    endpoint_format(&o, gateway_ops(serve->gateway));
    LOG(&serve->log, LOG_INFO, "gateway.ready", LOG_VIEW("api", writer_done(&a)),
        LOG_VIEW("ops", writer_done(&o)),
        LOG_INT("channels", channels_count(gateway_channels(serve->gateway))));
    if (serve->ready_file != NULL)
        write_ready(serve);
}

/* --- the process
 * ------------------------------------------------------------------------------------------- */

static void set_process_limits(const struct settings *s)
{
    struct rlimit files = { OPEN_FILES, OPEN_FILES };
    struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        (void)getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (s->core_dumps == SETTINGS_CORE_OFF) {
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

static bool open_log(struct serve *serve)
{
    const struct settings *s = serve->settings;
    serve->log = (struct log){
        .fd = 2, .level = (enum log_level)s->log_level, .wall_us = wall_us, .clock = serve->loop
    };
    if (s->log_file[0] == '\0')
        return true;
    serve->log.fd = open(s->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (serve->log.fd < 0)
        fprintf(stderr, "railgate serve: log.file %s: %s\n", s->log_file, strerror(errno));
    return serve->log.fd >= 0;
}

/* libuv, OpenSSL and our own ENSURE end the process when there is no way on (memory or the kernel's
 * tables are out in the middle of a thing that cannot be half done). Nothing is lost by that; the
 * log must tell it. Only what a signal handler may do. Then the signal comes once more, and ends
 * us: abort() would see to that, somebody else's SIGABRT would not. */
static void on_abort(int number)
{
    static const char line[] = "{\"level\":\"error\",\"id\":\"gateway.aborted\",\"text\":\"the "
                               "process ended itself; what is open is taken up at the next "
                               "start\"}\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written; /* nothing is left to tell it to */
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* when this returns */
}

static void set_signals(struct serve *serve)
{
    signals_block(&serve->signals, on_stop, on_hup, serve);
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a failed write, not the end */
}

/* Also when the start fails: what was only a warning is not why. */
static void print_lines(struct serve *serve, struct view lines, enum log_level level)
{
    static const char warning[] = ": warning: ";
    while (lines.len > 0) {
        size_t end = view_find(lines, '\n');
        struct view line = view_slice(lines, 0, end);
        bool mild = line.len > 0 && memmem(line.ptr, line.len, warning, sizeof warning - 1) != NULL;
        LOG(&serve->log, mild ? LOG_WARN : level, "gateway.configuration", LOG_VIEW("text", line));
        lines = view_slice(lines, end + 1, lines.len);
    }
}

static int run(struct serve *serve)
{
    char text[65536]; /* a warning for each thing in many profiles */
    struct writer why = writer_over(text, sizeof text);
    struct gateway_options options = { .settings = serve->settings,
                                       .loop = serve->loop,
                                       .wire = serve->wire,
                                       .log = &serve->log,
                                       .step = serve->crash_step[0] != '\0' ? crash_step : NULL,
                                       .step_arg = serve };
    enum status status = gateway_open(&serve->gateway, &options, &why);
    print_lines(serve, writer_done(&why), status == STATUS_OK ? LOG_WARN : LOG_ERROR);
    if (status != STATUS_OK) {
        LOG(&serve->log, LOG_ERROR, "gateway.cannot_start", LOG_STATUS("status", status));
        return EXIT_COULD_NOT;
    }
    status = signals_begin(&serve->signals, serve->loop);
    if (status != STATUS_OK) {
        LOG(&serve->log, LOG_ERROR, "gateway.cannot_start", LOG_STATUS("status", status));
        gateway_close(serve->gateway);
        return EXIT_COULD_NOT;
    }
    /* Before what the start asks, so that the first scrape shows it. */
    open_differences_ask(gateway_open_differences(serve->gateway), gateway_store(serve->gateway),
                         loop_wall_us(serve->loop));
    gateway_start(serve->gateway, ready, serve);
    loop_run(serve->loop);
    gateway_close(serve->gateway);
    signals_end(&serve->signals);
    LOG(&serve->log, LOG_INFO, "gateway.stopped", LOG_INT("exit", serve->exit_code));
    return serve->exit_code;
}

static int serve_with(struct serve *serve, const char *config)
{
    struct findings findings;
    findings_init(&findings);
    enum status loaded = settings_load(config, &serve->settings, &findings);
    cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    if (loaded != STATUS_OK)
        return EXIT_COULD_NOT;
    cli_make_folders(serve->settings);
    if (!cli_lock_store(serve->settings, "serve") || !cli_host_key_is_there(serve->settings)) {
        settings_free(serve->settings);
        return EXIT_COULD_NOT;
    }
    set_process_limits(serve->settings);
    set_signals(serve);
    crash_read(serve);
    int code = EXIT_COULD_NOT;
    serve->loop = loop_open_real();
    if (serve->loop != NULL && open_log(serve) &&
        wire_open_real(&serve->wire, serve->loop) == STATUS_OK) {
        code = run(serve);
        wire_close(serve->wire);
    }
    if (serve->loop != NULL)
        loop_close(serve->loop);
    settings_free(serve->settings);
    return code;
}

int command_serve(int argc, char **argv)
{
    const char *config = "config", *ready_file = NULL;
    const struct option_row rows[] = {
        OPTION_CONFIG(&config),
        { "ready-file", "PATH",
          "Written when requests are taken: {\"api\": URL, \"ops\": URL, \"pid\": N}, and "
          "\"notices\".",
          &ready_file, NULL },
    };
    const struct usage usage = { .command = "serve",
                                 .sentence =
                                     "Runs the gateway in the foreground until SIGTERM or SIGINT; "
                                     "a second one ends it at once.\nSIGHUP does what `railgate "
                                     "reload` does.",
                                 .arguments = "",
                                 .options = rows,
                                 .option_count = COUNT_OF(rows) };
    int count;
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO)
        return read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    struct serve serve = { .ready_file = ready_file, .log = { .fd = 2, .level = LOG_INFO } };
    return serve_with(&serve, config);
}
