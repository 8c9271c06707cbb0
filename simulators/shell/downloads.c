/* downloads.c - see downloads.h. */
#include "downloads.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#define DOWNLOAD_MAGIC 0x646f776eu
#define CHUNK_BYTES    (4 * SETTLE_PIECE_MAX)
#define UNREAD_BYTES   (4 * CHUNK_BYTES) /* then it waits for the reader */
#define LOOK_AGAIN_US  2000

struct download {
    uint32_t magic;
    struct downloads *all;
    struct download *next;
    struct http_request *request;
    struct settlement *settlement;
    struct timer timer;
    bool ended; /* all of it was written */
    uint8_t chunk[CHUNK_BYTES];
};

enum download_end { DOWNLOAD_WHOLE = 1, DOWNLOAD_BROKEN };

/* It is in no list any more. */
static void download_end(struct download *d, enum download_end how)
{
    timer_stop(&d->timer);
    if (how == DOWNLOAD_WHOLE)
        http_stream_end(d->request);
    else
        http_stream_drop(d->request);
    settlement_close(d->settlement);
    d->magic = 0;
    free(d);
}

static void download_close(struct download *d, enum download_end how)
{
    struct download **place = &d->all->first;
    while (*place != d)
        place = &(*place)->next;
    *place = d->next;
    download_end(d, how);
}

static void download_go_on(struct timer *timer, void *arg)
{
    struct download *d = arg;
    (void)timer;
    ENSURE_MAGIC(d, DOWNLOAD_MAGIC);
    while (!http_client_gone(d->request)) {
        struct writer w = writer_over(d->chunk, sizeof d->chunk);
        /* A connection that is closed has five seconds to send what waits: so nothing may. */
        if (http_stream_pending(d->request) > (d->ended ? 0 : UNREAD_BYTES)) {
            timer_start(&d->timer, LOOK_AGAIN_US);
            return;
        }
        if (d->ended) {
            download_close(d, DOWNLOAD_WHOLE);
            return;
        }
        d->ended = !settlement_read(d->settlement, &w);
        if (w.len > 0 && http_stream_write(d->request, writer_done(&w)) != STATUS_OK)
            break;
    }
    download_close(d, DOWNLOAD_BROKEN);
}

void downloads_init(struct downloads *all, struct loop *loop)
{
    *all = (struct downloads){ .loop = loop };
}

void downloads_start(struct downloads *all, struct http_request *request,
                     struct settlement *settlement)
{
    struct download *d = malloc(sizeof *d);
    if (d == NULL) {
        settlement_close(settlement);
        http_respond(request, 500, "application/json", NULL, 0,
                     VIEW("{\"error\":\"out of memory\"}\n"));
        return;
    }
    d->magic = DOWNLOAD_MAGIC;
    d->all = all;
    d->next = all->first;
    d->request = request;
    d->settlement = settlement;
    d->ended = false;
    all->first = d;
    timer_init(&d->timer, all->loop, download_go_on, d);
    http_stream_start(request, 200, settlement_type(settlement), NULL, 0);
    timer_start(&d->timer, 0); /* not inside the handler of the request */
}

void downloads_drop_all(struct downloads *all)
{
    struct download *next = all->first;
    all->first = NULL;
    while (next != NULL) {
        struct download *d = next;
        next = d->next;
        download_end(d, DOWNLOAD_BROKEN);
    }
}

bool downloads_to_file(struct settlement *settlement, const char *path)
{
    uint8_t chunk[SETTLE_PIECE_MAX * 2];
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL, more = ok;
    while (more) {
        struct writer w = writer_over(chunk, sizeof chunk);
        more = settlement_read(settlement, &w);
        ok = ok && fwrite(chunk, 1, w.len, file) == w.len;
    }
    ok = file != NULL && fclose(file) == 0 && ok;
    settlement_close(settlement);
    return ok;
}
