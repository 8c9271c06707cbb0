/* conn.c - the door of every connection, real or in memory: states, limits, the out-buffer.
 *
 * What moves bytes is behind struct wire_ops (wire_real.c, wire_memory.c). Writing only appends to
 * the out-buffer and defers one flush to the end of the turn: ten answers on one connection in one
 * turn are one system call.
 */
#include "wire/conn_int.h"

#include "base/ensure.h"

#include <arpa/inet.h>

/* --- endpoints --------------------------------------------------------------------------- */
/* "host:port" or "[v6]:port": where the host ends and the port begins. */
static enum status endpoint_split(struct view text, struct view *host, struct view *port)
{
    size_t colon = text.len;
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t bracket = view_find(text, ']');
        if (bracket + 1 >= text.len || text.ptr[bracket + 1] != ':')
            return STATUS_MALFORMED;
        *host = view_slice(text, 1, bracket - 1);
        colon = bracket + 1;
    } else {
        colon = view_find(text, ':');
        *host = view_slice(text, 0, colon);
    }
    if (colon >= text.len)
        return STATUS_MALFORMED;
    *port = view_slice(text, colon + 1, text.len);
    return STATUS_OK;
}

enum status endpoint_parse(struct view text, struct endpoint *out)
{
    struct view host, port;
    uint64_t number = 0;
    *out = (struct endpoint){ 0 };
    TRY(endpoint_split(text, &host, &port));
    if (host.len == 0 || host.len >= sizeof out->host || memchr(host.ptr, 0, host.len) != NULL)
        return STATUS_MALFORMED;
    /* view_to_u64 refuses signs, blanks and leading zeros, and with them a second colon. */
    if (view_to_u64(port, UINT16_MAX, &number) != STATUS_OK)
        return STATUS_MALFORMED;
    TRY(view_to_text(host, out->host, sizeof out->host));
    out->port = (uint16_t)number;
    return STATUS_OK;
}

void endpoint_format(struct writer *w, const struct endpoint *endpoint)
{
    bool bracket = strchr(endpoint->host, ':') != NULL;
    writer_text(w, bracket ? "[" : "");
    writer_text(w, endpoint->host);
    writer_text(w, bracket ? "]:" : ":");
    writer_u64_text(w, endpoint->port);
}

/* --- wires ------------------------------------------------------------------------------- */
void wire_init(struct wire *wire, const struct wire_ops *ops, struct loop *loop)
{
    wire->magic = WIRE_MAGIC;
    wire->ops = ops;
    wire->loop = loop;
    list_init(&wire->conns);
    list_init(&wire->listeners);
}

void wire_close(struct wire *wire)
{
    if (wire == NULL)
        return;
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    wire->closing = true;
    wire->ops->close(wire);
}

void wire_crash(struct wire *wire, const void *owner)
{
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    ENSURE(loop_kind_of(wire->loop) == LOOP_VIRTUAL);
    wire->ops->crash(wire, owner);
}

/* --- listeners --------------------------------------------------------------------------- */
void listener_init(struct listener *listener, struct wire *wire, const struct endpoint *at,
                   const struct listen_options *options)
{
    listener->magic = LISTENER_MAGIC;
    listener->wire = wire;
    listener->options = *options;
    if (listener->options.conns_max == 0)
        listener->options.conns_max = WIRE_CONNS_MAX_DEFAULT;
    if (listener->options.out_max == 0)
        listener->options.out_max = WIRE_OUT_MAX_DEFAULT;
    if (listener->options.handshake_timeout_us == 0)
        listener->options.handshake_timeout_us = WIRE_HANDSHAKE_US_DEFAULT;
    listener->at = *at;
    list_append(&wire->listeners, &listener->link);
}

enum status listen_open(struct wire *wire, const struct endpoint *at,
                        const struct listen_options *options, struct listener **out)
{
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    ENSURE(options->accept != NULL);
    *out = NULL;
    if (wire->closing)
        return STATUS_CLOSED;
    return wire->ops->listen(wire, at, options, out);
}

const struct endpoint *listener_endpoint(const struct listener *listener)
{
    ENSURE_MAGIC(listener, LISTENER_MAGIC);
    return &listener->at;
}

void listen_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    ENSURE_MAGIC(listener, LISTENER_MAGIC);
    listener->wire->ops->listen_close(listener);
}

/* --- connections ------------------------------------------------------------------------- */
static void on_flush(struct task *task)
{
    struct conn *conn = CONTAINER_OF(task, struct conn, flush);
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state == CONN_OPEN || conn->state == CONN_CLOSING)
        conn->wire->ops->flush(conn);
}

void conn_init(struct conn *conn, struct wire *wire, const struct conn_options *options,
               timer_fn *on_deadline)
{
    conn->magic = CONN_MAGIC;
    conn->state = CONN_CONNECTING;
    conn->wire = wire;
    conn->events = options->events;
    conn->arg = options->arg;
    conn->owner = options->owner;
    conn->why = STATUS_OK;
    conn->out_max = options->out_max != 0 ? options->out_max : WIRE_OUT_MAX_DEFAULT;
    conn->flush.run = on_flush;
    timer_init(&conn->deadline, wire->loop, on_deadline, conn);
    list_append(&wire->conns, &conn->link);
}

void conn_fini(struct conn *conn)
{
    timer_stop(&conn->deadline);
    if (conn->flush.queued)
        loop_forget(conn->wire->loop, &conn->flush);
    list_remove(&conn->link);
    out_buffer_free(&conn->out);
}

enum status conn_connect(struct wire *wire, const struct endpoint *to,
                         const struct conn_options *options, struct conn **out)
{
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    ENSURE(options->events != NULL && options->events->bytes != NULL &&
           options->events->closed != NULL);
    *out = NULL;
    if (wire->closing)
        return STATUS_CLOSED;
    return wire->ops->connect(wire, to, options, out);
}

size_t conn_out_pending(const struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    return out_buffer_len(&conn->out) + conn->flight_len;
}

static enum status may_write(const struct conn *conn, size_t len)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state != CONN_OPEN || conn->fin_wanted)
        return STATUS_CLOSED;
    size_t pending = conn_out_pending(conn);
    return pending > conn->out_max || len > conn->out_max - pending ? STATUS_FULL : STATUS_OK;
}

enum status conn_write(struct conn *conn, struct view bytes)
{
    TRY(may_write(conn, bytes.len));
    TRY(out_buffer_append(&conn->out, bytes));
    loop_defer(conn->wire->loop, &conn->flush);
    return STATUS_OK;
}

uint8_t *conn_room(struct conn *conn, size_t len)
{
    return may_write(conn, len) == STATUS_OK ? out_buffer_room(&conn->out, len) : NULL;
}

void conn_took(struct conn *conn, size_t len)
{
    out_buffer_took(&conn->out, len);
    loop_defer(conn->wire->loop, &conn->flush);
}

void conn_pause(struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state != CONN_OPEN || conn->paused)
        return;
    conn->paused = true;
    conn->wire->ops->resume(conn);
}

void conn_resume(struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state != CONN_OPEN || !conn->paused)
        return;
    conn->paused = false;
    conn->wire->ops->resume(conn);
}

void conn_close_why(struct conn *conn, enum status why)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state == CONN_CONNECTING) {
        conn->why = why;
        conn->wire->ops->abort(conn);
    }
    if (conn->state != CONN_OPEN)
        return;
    conn->state = CONN_CLOSING;
    conn->why = why;
    conn->fin_wanted = true;
    timer_start(&conn->deadline, WIRE_CLOSE_US);
    conn->wire->ops->start_close(conn);
    loop_defer(conn->wire->loop, &conn->flush);
}

void conn_close(struct conn *conn)
{
    conn_close_why(conn, STATUS_OK);
}

void conn_abort(struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state == CONN_CLOSED || conn->state == CONN_DEAD)
        return;
    conn->wire->ops->abort(conn);
}

void conn_half_close(struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    if (conn->state != CONN_OPEN || conn->fin_wanted)
        return;
    conn->fin_wanted = true;
    loop_defer(conn->wire->loop, &conn->flush);
}

void conn_set_events(struct conn *conn, const struct conn_events *events, void *arg)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    ENSURE(events != NULL && events->bytes != NULL && events->closed != NULL);
    conn->events = events;
    conn->arg = arg;
}

const char *conn_peer(const struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    return conn->peer;
}

const char *conn_tls_version(const struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    return conn->wire->ops->tls_version(conn);
}

const char *conn_tls_peer_name(const struct conn *conn)
{
    ENSURE_MAGIC(conn, CONN_MAGIC);
    return conn->wire->ops->tls_peer_name(conn);
}
