/* card_shell.h - railgate-sim card: gives the card host's brain sockets, a clock and a control
 * port.
 *
 *     card_options.c   the command line
 *     card_shell.c     links, the pump of actions, start and stop
 *     card_control.c   HTTP: ledger, knobs, stats
 *
 * Everything runs on one loop thread; one more thread only waits for SIGINT and SIGTERM.
 */
#ifndef SIM_SHELL_CARD_SHELL_H
#define SIM_SHELL_CARD_SHELL_H

#include "base/arena.h"
#include "base/log.h"
#include "card/card_host.h"
#include "downloads.h"
#include "loop/loop.h"
#include "wire/conn.h"
#include "wire/http_server.h"
#include "wire/tls.h"

#define CARD_SCENARIO_BYTES_MAX 262144

struct card_options {
    struct endpoint listen, control;
    struct card_config card;
    struct tls_options tls; /* certificate_path NULL: plain */
    const char *scenario_path, *ready_path, *settlement_path;
    char keys_json[512]; /* a knobs body, "" when no key was given */
    enum log_level log_level;
    bool help;
};

struct card_shell;

struct shell_link {
    struct card_shell *shell;
    struct conn *conn;
    uint64_t id;
};

struct card_shell {
    uint32_t magic;
    struct card_options options;
    struct loop *loop;
    struct wire *wire;
    struct tls_context *tls;
    struct listener *listener;
    struct http_server *control;
    struct card_host *host;
    struct timer pump_timer;
    struct task stop_task;
    struct downloads downloads;
    struct log log;
    struct shell_link *links[CARD_LINKS_MAX];
    uint64_t next_link;
    uint8_t *scenario; /* text of the scenario file */
    size_t scenario_len;
};
#define CARD_SHELL_MAGIC 0x73686361u

/* The whole program; returns its exit code: 0 stopped as asked, 1 could not start, 2 usage. */
int card_shell_main(int argc, char **argv);

/* False, after a sentence on stderr, when the command line makes no sense. */
bool card_options_read(int argc, char **argv, struct card_options *out);
void card_options_help(void);

/* Does what the brain wants done now, and sets the timer for what it wants later. */
void card_shell_pump(struct card_shell *shell);
/* State as at the start: keys of the command line, then the scenario file. */
enum status card_shell_apply_start(struct card_shell *shell, struct writer *why);

void card_control_handle(struct http_request *request, void *arg);

#endif
