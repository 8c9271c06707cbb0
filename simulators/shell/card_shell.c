/* card_shell.c - see card_shell.h.
 *
 * A connection is a link of the brain. Bytes go in with card_host_receive; card_shell_pump takes
 * out what is due and sets a timer for the rest. conn_write gathers what is written in one turn of
 * the loop into one system call. */
#include "card_shell.h"

#include "base/ensure.h"
#include "base/json_out.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Answers waiting to go out on a link: reading pauses; the link is given up. The second is for many
 * delayed answers that fall due together. */
#define OUT_PAUSE_BYTES 262144
#define OUT_MAX_BYTES   (32u << 20)

/* --- links ------------------------------------------------------------------------------- */
static struct shell_link **place_of(struct card_shell *shell, uint64_t id)
{
    for (size_t i = 0; i < CARD_LINKS_MAX; i++)
        if (shell->links[i] != NULL && shell->links[i]->id == id)
            return &shell->links[i];
    return NULL;
}

static void act(struct card_shell *shell, const struct card_action *action)
{
    struct shell_link **place = place_of(shell, action->link);
    if (place == NULL)
        return; /* gone meanwhile */
    struct conn *conn = (*place)->conn;
    switch (action->kind) {
    case CARD_ACTION_SEND:
        if (conn_write(conn, action->bytes) == STATUS_FULL)
            conn_abort(conn);
        break;
    case CARD_ACTION_CLOSE: conn_close(conn); break;
    case CARD_ACTION_HALF_CLOSE: conn_half_close(conn); break;
    case CARD_ACTION_RESET: conn_abort(conn); break;
    }
}

void card_shell_pump(struct card_shell *shell)
{
    struct card_action action;
    int64_t now_us = loop_now_us(shell->loop);
    while (card_host_take(shell->host, now_us, &action))
        act(shell, &action);
    int64_t next_us = card_host_next_us(shell->host);
    if (next_us == INT64_MAX)
        timer_stop(&shell->pump_timer);
    else
        timer_start(&shell->pump_timer, next_us - now_us);
}

static void pump_later(struct timer *timer, void *arg)
{
    struct card_shell *shell = arg;
    (void)timer;
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    card_shell_pump(shell);
}

static void link_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct shell_link *link = arg;
    ENSURE_MAGIC(link->shell, CARD_SHELL_MAGIC);
    card_host_receive(link->shell->host, link->id, bytes, loop_now_us(link->shell->loop));
    card_shell_pump(link->shell);
    /* A gateway that asks faster than it reads answers is made to wait. */
    if (conn_out_pending(conn) > OUT_PAUSE_BYTES)
        conn_pause(conn);
}

static void link_drained(struct conn *conn, void *arg)
{
    (void)arg;
    conn_resume(conn);
}

static void link_closed(struct conn *conn, void *arg, enum status why)
{
    struct shell_link *link = arg;
    struct card_shell *shell = link->shell;
    (void)conn;
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    LOG(&shell->log, LOG_INFO, "card.link_closed", LOG_INT("link", link->id),
        LOG_STATUS("why", why));
    card_host_link_closed(shell->host, link->id);
    *place_of(shell, link->id) = NULL;
    free(link);
}

static const struct conn_events LINK_EVENTS = { .bytes = link_bytes,
                                                .drained = link_drained,
                                                .closed = link_closed };

static void accepted(struct listener *listener, void *arg, struct conn *conn)
{
    struct card_shell *shell = arg;
    (void)listener;
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    size_t place = 0;
    while (place < CARD_LINKS_MAX && shell->links[place] != NULL)
        place++;
    struct shell_link *link = place < CARD_LINKS_MAX ? calloc(1, sizeof *link) : NULL;
    uint64_t id = ++shell->next_link;
    enum status s =
        link != NULL ? card_host_link_open(shell->host, id, loop_now_us(shell->loop)) : STATUS_FULL;
    if (s != STATUS_OK) {
        LOG(&shell->log, LOG_INFO, "card.link_refused", LOG_STATUS("why", s));
        free(link);
        conn_abort(conn);
        return;
    }
    *link = (struct shell_link){ .shell = shell, .conn = conn, .id = id };
    shell->links[place] = link;
    conn_set_events(conn, &LINK_EVENTS, link);
    LOG(&shell->log, LOG_INFO, "card.link_open", LOG_INT("link", id),
        LOG_TEXT("peer", conn_peer(conn)), LOG_TEXT("tls", conn_tls_version(conn)),
        LOG_TEXT("peer_name", conn_tls_peer_name(conn)));
}

/* --- the log ----------------------------------------------------------------------------- */
static void saw(void *arg, const struct card_sight *s)
{
    struct card_shell *shell = arg;
    static const char *const WHAT[] = { "card.none", "card.request", "card.answer", "card.lost",
                                        "card.garbage" };
    char faults[256] = "";
    struct writer w = writer_over(faults, sizeof faults - 1);
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    for (unsigned f = 1; f < CARD_FAULT_COUNT && s->faults != 0; f++)
        if (s->faults >> f & 1u)
            writer_format(&w, "%s%s", w.len > 0 ? "," : "", card_fault_name((enum card_fault)f));
    faults[w.len] = '\0';
    LOG(&shell->log, LOG_INFO, WHAT[s->what], LOG_INT("link", s->link), LOG_TEXT("mti", s->mti),
        LOG_VIEW("stan", s->stan), LOG_VIEW("terminal", s->terminal), LOG_VIEW("rrn", s->rrn),
        LOG_VIEW("pan", s->pan_masked), LOG_INT("amount_minor", s->amount_minor),
        LOG_VIEW("response", s->response), LOG_TEXT("faults", faults), LOG_TEXT("note", s->note));
}

static int64_t log_wall_us(void *loop)
{
    return loop_wall_us(loop);
}

/* --- start and stop ---------------------------------------------------------------------- */
static bool read_scenario(struct card_shell *shell)
{
    FILE *file = fopen(shell->options.scenario_path, "rb");
    if (file == NULL)
        return false;
    shell->scenario = malloc(CARD_SCENARIO_BYTES_MAX);
    if (shell->scenario != NULL)
        shell->scenario_len = fread(shell->scenario, 1, CARD_SCENARIO_BYTES_MAX, file);
    bool ok = shell->scenario != NULL && feof(file) && !ferror(file);
    fclose(file);
    return ok;
}

enum status card_shell_apply_start(struct card_shell *shell, struct writer *why)
{
    int64_t now_us = loop_now_us(shell->loop);
    if (shell->options.keys_json[0] != '\0')
        TRY(card_host_set(shell->host, view_text(shell->options.keys_json), CARD_KNOBS_REPLACE,
                          now_us, why));
    if (shell->scenario != NULL)
        TRY(card_host_set(shell->host, view_of(shell->scenario, shell->scenario_len),
                          CARD_KNOBS_REPLACE, now_us, why));
    return STATUS_OK;
}

static bool say_ready(struct card_shell *shell)
{
    char listen[300], control[320], text[1024], path[4096];
    struct writer l = writer_over(listen, sizeof listen), c = writer_over(control, sizeof control);
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

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "railgate-sim card: %s: %s\n", what, why);
    return false;
}

static bool open_all(struct card_shell *shell)
{
    struct card_options *o = &shell->options;
    char why[512] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    enum status s;
    if ((shell->loop = loop_open_real()) == NULL)
        return complain("event loop", "cannot be opened");
    shell->log = (struct log){
        .fd = STDERR_FILENO, .level = o->log_level, .wall_us = log_wall_us, .clock = shell->loop
    };
    o->card.wall_offset_us = loop_wall_us(shell->loop) - loop_now_us(shell->loop);
    if (o->log_level <= LOG_INFO) {
        o->card.saw = saw;
        o->card.saw_arg = shell;
    }
    timer_init(&shell->pump_timer, shell->loop, pump_later, shell);
    downloads_init(&shell->downloads, shell->loop);
    if ((shell->host = card_host_open(&o->card)) == NULL)
        return complain("card host", "out of memory");
    if (o->scenario_path != NULL && !read_scenario(shell))
        return complain(o->scenario_path, "cannot be read, or is longer than 256 KiB");
    if (card_shell_apply_start(shell, &w) != STATUS_OK)
        return complain(o->scenario_path != NULL ? o->scenario_path : "keys", why);
    if (o->tls.certificate_path != NULL && tls_open_server(&o->tls, &shell->tls, &w) != STATUS_OK)
        return complain("TLS", why);
    if ((s = wire_open_real(&shell->wire, shell->loop)) != STATUS_OK)
        return complain("network", status_text(s));
    struct listen_options listen = {
        .accept = accepted, .arg = shell, .tls = shell->tls, .out_max = OUT_MAX_BYTES
    };
    if ((s = listen_open(shell->wire, &o->listen, &listen, &shell->listener)) != STATUS_OK)
        return complain("--listen", status_text(s));
    struct http_server_options control = { .at = o->control,
                                           .handler = card_control_handle,
                                           .arg = shell,
                                           .log = &shell->log,
                                           .limits = { .body_bytes_max =
                                                           CARD_SCENARIO_BYTES_MAX } };
    if ((s = http_server_open(&shell->control, shell->wire, shell->loop, &control)) != STATUS_OK)
        return complain("--control", status_text(s));
    return say_ready(shell) || complain("--ready-file", "cannot be written");
}

/* What --settlement-file asks for. */
static bool keep_settlement(struct card_shell *shell)
{
    char why[512] = "";
    struct writer w = writer_over(why, sizeof why - 1);
    struct settlement *settlement = NULL;
    if (shell->options.settlement_path == NULL)
        return true;
    if (card_host_settlement(shell->host, VIEW_EMPTY, loop_now_us(shell->loop), &settlement, &w) !=
        STATUS_OK)
        return complain("--settlement-file", why);
    return downloads_to_file(settlement, shell->options.settlement_path) ||
           complain("--settlement-file", "cannot be written");
}

static void close_all(struct card_shell *shell)
{
    if (shell->loop != NULL)
        timer_stop(&shell->pump_timer);
    downloads_drop_all(&shell->downloads);
    if (shell->control != NULL)
        http_server_close(shell->control);
    if (shell->wire != NULL)
        wire_close(shell->wire); /* closes the listener and all links */
    if (shell->tls != NULL)
        tls_close(shell->tls);
    card_host_close(shell->host);
    if (shell->loop != NULL)
        loop_close(shell->loop);
    free(shell->scenario);
}

static void stop(struct task *task)
{
    struct card_shell *shell = CONTAINER_OF(task, struct card_shell, stop_task);
    ENSURE_MAGIC(shell, CARD_SHELL_MAGIC);
    loop_stop(shell->loop);
}

/* SIGINT and SIGTERM are blocked everywhere and waited for here. */
static void *wait_for_signal(void *arg)
{
    struct card_shell *shell = arg;
    sigset_t signals;
    int got = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigwait(&signals, &got) == 0)
        loop_post(shell->loop, &shell->stop_task);
    return NULL;
}

int card_shell_main(int argc, char **argv)
{
    struct card_shell shell = { .magic = CARD_SHELL_MAGIC, .stop_task = { .run = stop } };
    pthread_t waiter;
    sigset_t signals;
    if (!card_options_read(argc, argv, &shell.options))
        return 2;
    if (shell.options.help) {
        card_options_help();
        return 0;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    bool ok = open_all(&shell) && pthread_create(&waiter, NULL, wait_for_signal, &shell) == 0;
    if (ok) {
        loop_run(shell.loop); /* ends by a signal only, so the waiter is at its end as well */
        pthread_join(waiter, NULL);
        ok = keep_settlement(&shell);
    }
    close_all(&shell);
    return ok ? 0 : 1;
}
