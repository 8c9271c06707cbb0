/* downloads.h - records on their way to whoever asked for them on a control port.
 *
 *     downloads_init
 *     downloads_start      answers a request with a record, piece by piece
 *     downloads_drop_all   before the counterpart whose record it is, and the control port, are
 *                          closed
 *
 * A piece is written when the reader has taken most of what was written before, so a slow reader
 * costs no memory. The HTTP server does not tell when that is: a timer looks. Loop thread only.
 */
#ifndef SIM_SHELL_DOWNLOADS_H
#define SIM_SHELL_DOWNLOADS_H

#include "loop/loop.h"
#include "settle/settle.h"
#include "wire/http_server.h"

struct download;

struct downloads {
    struct loop *loop;
    struct download *first;
};

void downloads_init(struct downloads *all, struct loop *loop);
/* Takes the settlement; answers the request now or over time. */
void downloads_start(struct downloads *all, struct http_request *request,
                     struct settlement *settlement);
/* Connections are closed in the middle. */
void downloads_drop_all(struct downloads *all);
/* Takes the settlement and writes all of it; false: the file could not be written. */
bool downloads_to_file(struct settlement *settlement, const char *path);

#endif
