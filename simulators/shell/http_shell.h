/* http_shell.h - railgate-sim wallet, bank, cbdc: gives a brain that speaks HTTP sockets, a clock
 * and a control port. The same for all of them; only the brain differs.
 *
 *     http_options.c   the command line
 *     http_links.c     connections of gateways: bytes to requests, answers to bytes
 *     http_notices.c   notices out, over pooled connections
 *     http_shell.c     the pump of actions, control port, log, start and stop
 *
 * Everything runs on one loop thread; one more thread only waits for SIGINT and SIGTERM.
 */
#ifndef SIM_SHELL_HTTP_SHELL_H
#define SIM_SHELL_HTTP_SHELL_H

#include "base/log.h"
#include "downloads.h"
#include "http/http_host.h"
#include "loop/loop.h"
#include "wire/conn.h"
#include "wire/http_client.h"
#include "wire/http_server.h"
#include "wire/tls.h"

#define HTTP_SCENARIO_BYTES_MAX 262144
#define HTTP_LINKS_MAX          4096
#define HTTP_ORIGINS_MAX        64 /* different hosts that notices go to */

struct http_options {
    const struct sim_brain *brain;
    struct endpoint listen, control;
    struct tls_options tls, notice_tls; /* tls.certificate_path NULL: plain */
    const char *scenario_path, *ready_path, *knobs_json, *settlement_path;
    uint64_t seed;
    enum log_level log_level;
    bool help;
};

struct http_link;

/* A host that notices go to. */
struct http_origin {
    bool tls;
    struct endpoint at;
    struct http_client *client;
};

struct http_shell {
    uint32_t magic;
    struct http_options options;
    struct loop *loop;
    struct wire *wire;
    struct tls_context *tls, *notice_tls;
    struct listener *listener;
    struct http_server *control;
    struct http_host *host;
    struct timer pump_timer;
    struct task stop_task, pump_task;
    struct downloads downloads;
    struct log log;
    struct http_link *links[HTTP_LINKS_MAX];
    uint64_t request_serial;
    struct http_origin origins[HTTP_ORIGINS_MAX];
    size_t origin_count;
    uint8_t *scenario; /* text of the scenario file */
    size_t scenario_len;
};
#define HTTP_SHELL_MAGIC 0x73686874u

/* The whole program; returns its exit code: 0 stopped as asked, 1 could not start, 2 usage. */
int http_shell_main(const struct sim_brain *brain, int argc, char **argv);

/* False, after a sentence on stderr, when the command line makes no sense. */
bool http_options_read(const struct sim_brain *brain, int argc, char **argv,
                       struct http_options *out);
void http_options_help(const struct sim_brain *brain);

/* For listen_options.accept; arg: the shell. */
void http_link_accepted(struct listener *listener, void *arg, struct conn *conn);
/* An ANSWER action of the host. */
void http_link_answer(struct http_shell *shell, const struct http_host_action *action);

/* A NOTICE action of the host: http_host_notice_done follows, at once or later. */
void http_notice_send(struct http_shell *shell, const struct http_host_action *action);
void http_notices_close(struct http_shell *shell);

/* Has the host's actions done at the end of this turn of the loop. */
void http_shell_pump(struct http_shell *shell);

#endif
