/* admin_client.h - one request to the gateway that runs on this configuration, over its Unix
 * socket.
 *
 * Blocks, with a time limit. For command-line tools.
 */
#ifndef MAIN_ADMIN_CLIENT_H
#define MAIN_ADMIN_CLIENT_H

#include "base/arena.h"

#define ADMIN_TIME_MS 60000

struct admin_answer {
    int http_status;
    struct view body; /* in the arena */
};
/* method, path, body: "POST", "/reload", "{}". NOT_FOUND: no gateway listens there; DENIED: the
 * socket is another user's; TIMEOUT; MALFORMED: not what a gateway answers; RANGE: the path is too
 * long; CLOSED. */
enum status admin_request(const char *socket_path, const char *method, const char *path,
                          struct view body, struct arena *arena, struct admin_answer *out);
/* Says on stderr what went wrong and what to do. */
void admin_complain(const char *command, const char *socket_path, enum status status);
/* detail (and findings) of a problem document, on stderr. */
void admin_print_problem(const char *command, const struct admin_answer *answer,
                         struct arena *arena);

#endif
