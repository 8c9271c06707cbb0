/* sse.h - reads server-sent events (WHATWG HTML 9.2) from pieces as they come off a connection.
 *
 *     sse_init -> sse_feed ... -> sse_free
 *
 * Lines may end in LF, CR LF or CR, and pieces may break anywhere. `retry` and unknown fields are
 * passed over. Pure; one thread.
 */
#ifndef MAIN_SSE_H
#define MAIN_SSE_H

#include "base/bytes.h"

#define SSE_EVENT_BYTES_MAX ((size_t)1 << 20) /* of one event, all its lines together */

struct sse_event {
    struct view id;   /* the last one told, also by an earlier event; empty: none yet */
    struct view kind; /* empty: "message" */
    struct view data; /* empty: only the id is told */
};
/* The views live during the call only. */
typedef void sse_event_fn(void *arg, const struct sse_event *event);

struct sse {
    sse_event_fn *event;
    void *arg;
    uint8_t *line, *data; /* grow up to the limit */
    size_t line_len, line_room, data_len, data_room;
    bool after_cr;
    bool has_data, has_id;
    char id[128], kind[128];
    size_t id_len, kind_len;
};

void sse_init(struct sse *sse, sse_event_fn *event, void *arg);
/* Calls event for each that is complete. FULL: a line or an event is larger than the limit;
 * NO_MEMORY. After either: sse_reset. */
enum status sse_feed(struct sse *sse, struct view bytes);
/* For a new connection: what was begun is forgotten. */
void sse_reset(struct sse *sse);
void sse_free(struct sse *sse);

#endif
