/* wire_memory.c - the in-memory network: pairs of connections, pieces in flight, accidents.
 *
 * What one end flushes becomes pieces in the other end's inbox, each with the time at which it
 * arrives. Arrival times within one inbox never decrease (a connection is a stream), so a piece
 * that stalls holds what follows. FIN, RESET and the answer to a connect are pieces as well and
 * keep their place among the bytes. One timer per end stands at its first piece.
 *
 * As with TCP, a sender is held back when the receiver does not read (WINDOW_BYTES in flight or
 * unread), and bytes for an end that is gone bring back a reset.
 *
 * A crash (wire_crash) turns ends and listeners of one owner DEAD: nothing of theirs is called,
 * what they had flushed still arrives, then the other end sees a reset. Their memory is kept until
 * wire_close, because their owner, who was not told, may still name them.
 *
 * All choices come from the loop's dice, and no choice depends on an address in memory.
 */
#include "wire/conn_int.h"
#include "wire/memory.h"

#include "base/ensure.h"
#include "base/vault.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW_BYTES ((size_t)256 << 10)
#define CUTS_MAX     16
#define PER_MILLION  1000000u

enum piece_kind { PIECE_OPEN = 1, PIECE_BYTES, PIECE_FIN, PIECE_RESET };

struct piece {
    struct list link;
    enum piece_kind kind;
    int64_t due_us;
    size_t len;
    uint8_t bytes[];
};

struct memory_wire {
    struct wire base; /* first */
    struct memory_faults faults;
    struct memory_counts counts;
    struct list dead; /* conns and listeners that crashed, by their link */
    struct list dead_listeners;
    uint64_t conns_made;
};

struct memory_conn {
    struct conn base;         /* first */
    struct memory_conn *peer; /* NULL: the other end is gone */
    struct list inbox;
    size_t inbox_bytes;
    int64_t last_due_us;
    struct timer arrive; /* outgoing and not yet connected: when the request reaches the listener */
    struct task gone;    /* deferred: the closed event, then free */
    struct listener *listener;
    struct endpoint to;
};

static struct memory_conn *memory_of(struct conn *conn)
{
    return (struct memory_conn *)conn;
}

static struct memory_wire *wire_of(const struct memory_conn *c)
{
    return (struct memory_wire *)c->base.wire;
}

/* --- dice -------------------------------------------------------------------------------- */
static bool happens(struct memory_wire *wire, uint32_t per_million, uint64_t *count)
{
    /* No throw when it cannot happen: turning one accident off must not shift all others. */
    bool does = per_million > 0 && loop_random_u64(wire->base.loop) % PER_MILLION < per_million;
    *count += does;
    return does;
}

static uint64_t below(struct memory_wire *wire, uint64_t limit)
{
    return limit <= 1 ? 0 : loop_random_u64(wire->base.loop) % limit;
}

static int64_t delay_us(struct memory_wire *wire)
{
    const struct memory_faults *faults = &wire->faults;
    int64_t spread = faults->delay_us_max - faults->delay_us_min;
    return faults->delay_us_min + (int64_t)below(wire, spread > 0 ? (uint64_t)spread + 1 : 1);
}

/* --- pieces ------------------------------------------------------------------------------ */
static void inbox_arm(struct memory_conn *c)
{
    if (list_empty(&c->inbox))
        return;
    const struct piece *first = CONTAINER_OF(c->inbox.next, struct piece, link);
    bool held = c->base.paused && c->base.state == CONN_OPEN && first->kind == PIECE_BYTES;
    if (!held)
        timer_start(&c->arrive, first->due_us - loop_now_us(c->base.wire->loop));
}

static void inbox_put(struct memory_conn *to, enum piece_kind kind, struct view bytes)
{
    struct memory_wire *wire = wire_of(to);
    struct piece *piece = vault_alloc(sizeof *piece + bytes.len);
    ENSURE(piece != NULL); /* simulation only */
    piece->kind = kind;
    piece->len = bytes.len;
    if (bytes.len > 0)
        memcpy(piece->bytes, bytes.ptr, bytes.len);
    piece->due_us = loop_now_us(wire->base.loop) + delay_us(wire);
    if (kind == PIECE_BYTES && happens(wire, wire->faults.stall_per_million, &wire->counts.stalled))
        piece->due_us += wire->faults.stall_us;
    if (kind == PIECE_BYTES && happens(wire, wire->faults.flip_per_million, &wire->counts.flipped))
        piece->bytes[below(wire, bytes.len)] ^= (uint8_t)(1 + below(wire, 255));
    if (piece->due_us < to->last_due_us)
        piece->due_us = to->last_due_us;
    to->last_due_us = piece->due_us;
    to->inbox_bytes += bytes.len;
    bool first = list_empty(&to->inbox);
    list_append(&to->inbox, &piece->link);
    if (first)
        inbox_arm(to);
}

static void inbox_drop(struct memory_conn *c)
{
    for (struct list *item; (item = list_take_first(&c->inbox)) != NULL;)
        vault_free(CONTAINER_OF(item, struct piece, link));
    c->inbox_bytes = 0;
}

/* --- the end ----------------------------------------------------------------------------- */
enum farewell { FAREWELL_NONE = 1, FAREWELL_RESET };

static void part(struct memory_conn *c, enum farewell farewell)
{
    struct memory_conn *peer = c->peer;
    c->peer = NULL;
    timer_stop(&c->arrive);
    timer_stop(&c->base.deadline);
    inbox_drop(c);
    if (peer == NULL)
        return;
    peer->peer = NULL;
    if (farewell == FAREWELL_RESET)
        inbox_put(peer, PIECE_RESET, VIEW_EMPTY);
    if (conn_out_pending(&peer->base) > 0)
        loop_defer(peer->base.wire->loop, &peer->base.flush);
}

static void finish(struct memory_conn *c, enum status why, enum farewell farewell)
{
    if (c->base.state == CONN_CLOSED || c->base.state == CONN_DEAD)
        return;
    c->base.state = CONN_CLOSED;
    c->base.why = why;
    part(c, farewell);
    loop_defer(c->base.wire->loop, &c->gone);
}

static void memory_free(struct memory_conn *c)
{
    inbox_drop(c);
    timer_stop(&c->arrive);
    if (c->gone.queued)
        loop_forget(c->base.wire->loop, &c->gone);
    if (c->listener != NULL && c->base.state != CONN_DEAD)
        c->listener->conns--;
    conn_fini(&c->base);
    c->base.magic = 0;
    free(c);
}

static void tell_closed_and_free(struct memory_conn *c)
{
    const struct conn_events *events = c->base.events;
    if (events != NULL)
        events->closed(&c->base, c->base.arg, c->base.why);
    memory_free(c);
}

static void on_gone(struct task *task)
{
    struct memory_conn *c = CONTAINER_OF(task, struct memory_conn, gone);
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    tell_closed_and_free(c);
}

static void memory_abort(struct conn *conn)
{
    finish(memory_of(conn), conn->why, FAREWELL_RESET);
}

static void on_deadline(struct timer *timer, void *arg)
{
    struct memory_conn *c = arg;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    (void)timer;
    bool closing = c->base.state == CONN_CLOSING;
    finish(c, closing ? c->base.why : STATUS_TIMEOUT, FAREWELL_RESET);
}

/* --- sending ----------------------------------------------------------------------------- */
static void send_cut(struct memory_conn *c, struct view bytes)
{
    struct memory_wire *wire = wire_of(c);
    for (int cuts = 0; cuts < CUTS_MAX && bytes.len > 1; cuts++) {
        if (!happens(wire, wire->faults.cut_per_million, &wire->counts.cut))
            break;
        size_t len = 1 + (size_t)below(wire, bytes.len - 1);
        inbox_put(c->peer, PIECE_BYTES, view_slice(bytes, 0, len));
        bytes = view_slice(bytes, len, bytes.len);
    }
    inbox_put(c->peer, PIECE_BYTES, bytes);
}

/* True when an accident ended the connection. */
static bool send_bytes(struct memory_conn *c, struct view bytes)
{
    struct memory_wire *wire = wire_of(c);
    if (!happens(wire, wire->faults.reset_per_million, &wire->counts.reset)) {
        send_cut(c, bytes);
        return false;
    }
    /* The sender cannot know which of the three it was; that is the point. */
    uint64_t which = below(wire, 3);
    if (which == 1 && bytes.len > 1) {
        bytes = view_slice(bytes, 0, 1 + (size_t)below(wire, bytes.len - 1));
        wire->counts.truncated++;
    }
    if (which > 0)
        send_cut(c, bytes);
    inbox_put(c->peer, PIECE_RESET, VIEW_EMPTY);
    c->peer->peer = NULL;
    c->peer = NULL;
    inbox_put(c, PIECE_RESET, VIEW_EMPTY);
    return true;
}

static void send_fin(struct memory_conn *c)
{
    c->base.fin_sent = true;
    if (c->peer != NULL)
        inbox_put(c->peer, PIECE_FIN, VIEW_EMPTY);
    if (c->base.state == CONN_CLOSING && (c->base.peer_ended || c->peer == NULL))
        finish(c, c->base.why, FAREWELL_NONE);
}

static void memory_flush(struct conn *conn)
{
    struct memory_conn *c = memory_of(conn);
    size_t len = out_buffer_len(&conn->out);
    if (len > 0 && c->peer == NULL) {
        out_buffer_consume(&conn->out, len);
        inbox_put(c, PIECE_RESET, VIEW_EMPTY);
    } else if (len > 0) {
        size_t unread = c->peer->inbox_bytes;
        size_t window = unread < WINDOW_BYTES ? WINDOW_BYTES - unread : 0;
        size_t taken = len < window ? len : window;
        if (taken == 0)
            return; /* the receiver's next read defers us again */
        (void)send_bytes(c, view_slice(out_buffer_view(&conn->out), 0, taken));
        out_buffer_consume(&conn->out, taken);
        if (taken < len)
            return;
    }
    if (conn->fin_wanted && !conn->fin_sent)
        send_fin(c);
    else if (conn->state == CONN_CLOSING && (conn->peer_ended || c->peer == NULL))
        finish(c, conn->why, FAREWELL_NONE);
    else if (len > 0 && conn->state == CONN_OPEN && conn->events != NULL &&
             conn->events->drained != NULL)
        conn->events->drained(conn, conn->arg);
}

static void memory_resume(struct conn *conn)
{
    struct memory_conn *c = memory_of(conn);
    if (conn->paused)
        timer_stop(&c->arrive);
    inbox_arm(c);
}

static void memory_start_close(struct conn *conn)
{
    inbox_arm(memory_of(conn)); /* a paused end reads again, to throw away */
}

/* --- arriving ---------------------------------------------------------------------------- */
static void take_bytes(struct memory_conn *c, struct piece *piece)
{
    struct conn *conn = &c->base;
    if (conn->state == CONN_OPEN)
        conn->events->bytes(conn, conn->arg, view_of(piece->bytes, piece->len));
    if (c->peer != NULL && out_buffer_len(&c->peer->base.out) > 0)
        loop_defer(conn->wire->loop, &c->peer->base.flush);
}

static void take_fin(struct memory_conn *c)
{
    struct conn *conn = &c->base;
    conn->peer_ended = true;
    if (conn->state == CONN_CLOSING) {
        if (conn->fin_sent)
            finish(c, conn->why, FAREWELL_NONE);
    } else if (conn->events->ended != NULL) {
        conn->events->ended(conn, conn->arg);
    } else {
        conn_close_why(conn, STATUS_CLOSED);
    }
}

static void take_piece(struct memory_conn *c, struct piece *piece)
{
    struct conn *conn = &c->base;
    switch (piece->kind) {
    case PIECE_OPEN:
        timer_stop(&conn->deadline);
        conn->state = CONN_OPEN;
        if (conn->events->opened != NULL)
            conn->events->opened(conn, conn->arg);
        break;
    case PIECE_BYTES: take_bytes(c, piece); break;
    case PIECE_FIN: take_fin(c); break;
    case PIECE_RESET:
        finish(c, conn->state == CONN_CLOSING ? conn->why : STATUS_CLOSED, FAREWELL_NONE);
        break;
    }
}

static void dial(struct memory_conn *c);

static void on_arrive(struct timer *timer, void *arg)
{
    struct memory_conn *c = arg;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    (void)timer;
    if (list_empty(&c->inbox)) {
        dial(c);
        return;
    }
    struct piece *piece = CONTAINER_OF(list_take_first(&c->inbox), struct piece, link);
    c->inbox_bytes -= piece->len;
    take_piece(c, piece);
    vault_free(piece);
    bool over = c->base.state == CONN_CLOSED || c->base.state == CONN_DEAD;
    if (!over && !timer_is_armed(&c->arrive))
        inbox_arm(c);
}

/* --- connecting -------------------------------------------------------------------------- */
static struct memory_conn *memory_new(struct memory_wire *wire, const struct conn_options *options)
{
    struct memory_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    conn_init(&c->base, &wire->base, options, on_deadline);
    list_init(&c->inbox);
    timer_init(&c->arrive, wire->base.loop, on_arrive, c);
    c->gone.run = on_gone;
    return c;
}

static enum status memory_connect(struct wire *base, const struct endpoint *to,
                                  const struct conn_options *options, struct conn **out)
{
    struct memory_wire *wire = (struct memory_wire *)base;
    if (options->tls != NULL || to->host[0] == '/')
        return STATUS_UNSUPPORTED;
    struct memory_conn *c = memory_new(wire, options);
    if (c == NULL)
        return STATUS_NO_MEMORY;
    c->to = *to;
    struct writer peer = writer_over(c->base.peer, sizeof c->base.peer);
    endpoint_format(&peer, to);
    IGNORE_STATUS(writer_terminate(&peer)); /* a host's longest name fits */
    timer_start(&c->base.deadline, options->connect_timeout_us > 0 ? options->connect_timeout_us
                                                                   : WIRE_CONNECT_US_DEFAULT);
    timer_start(&c->arrive, delay_us(wire));
    *out = &c->base;
    return STATUS_OK;
}

static struct listener *find_listener(struct memory_wire *wire, const struct endpoint *at)
{
    for (struct list *item = wire->base.listeners.next; item != &wire->base.listeners;
         item = item->next) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        if (listener->at.port == at->port && strcmp(listener->at.host, at->host) == 0)
            return listener;
    }
    return NULL;
}

/* The request to connect reaches the other side. */
static void dial(struct memory_conn *c)
{
    struct memory_wire *wire = wire_of(c);
    struct listener *listener = find_listener(wire, &c->to);
    if (listener == NULL || listener->conns >= listener->options.conns_max ||
        happens(wire, wire->faults.connect_refused_per_million, &wire->counts.refused)) {
        finish(c, STATUS_REFUSED, FAREWELL_NONE);
        return;
    }
    struct conn_options options = { .out_max = listener->options.out_max,
                                    .owner = listener->options.owner };
    struct memory_conn *other = memory_new(wire, &options);
    if (other == NULL) {
        finish(c, STATUS_NO_MEMORY, FAREWELL_NONE);
        return;
    }
    (void)snprintf(other->base.peer, sizeof other->base.peer, "memory:%llu",
                   (unsigned long long)++wire->conns_made);
    other->peer = c;
    c->peer = other;
    other->listener = listener;
    listener->conns++;
    other->base.state = CONN_OPEN;
    inbox_put(c, PIECE_OPEN, VIEW_EMPTY);
    listener->options.accept(listener, listener->options.arg, &other->base);
    ENSURE(other->base.events != NULL || other->base.state == CONN_CLOSED);
}

/* --- listeners --------------------------------------------------------------------------- */
static enum status memory_listen(struct wire *base, const struct endpoint *at,
                                 const struct listen_options *options, struct listener **out)
{
    struct memory_wire *wire = (struct memory_wire *)base;
    if (options->tls != NULL || at->host[0] == '/')
        return STATUS_UNSUPPORTED;
    if (find_listener(wire, at) != NULL)
        return STATUS_EXISTS;
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return STATUS_NO_MEMORY;
    listener_init(listener, base, at, options);
    while (listener->at.port == 0 ||
           (at->port == 0 && find_listener(wire, &listener->at) != listener))
        listener->at.port = (uint16_t)(1024 + below(wire, 60000));
    *out = listener;
    return STATUS_OK;
}

/* Connections that came through it still count themselves there, so it stays until wire_close. */
static void memory_listen_close(struct listener *listener)
{
    if (listener->closed)
        return;
    listener->closed = true;
    list_remove(&listener->link);
    list_append(&((struct memory_wire *)listener->wire)->dead_listeners, &listener->link);
}

/* --- the wire ---------------------------------------------------------------------------- */
static void kill_conn(struct memory_wire *wire, struct memory_conn *c)
{
    c->base.state = CONN_DEAD;
    part(c, FAREWELL_RESET);
    if (c->listener != NULL)
        c->listener->conns--;
    struct loop *loop = wire->base.loop;
    loop_forget(loop, &c->base.flush);
    loop_forget(loop, &c->gone);
    out_buffer_free(&c->base.out);
    list_remove(&c->base.link);
    list_append(&wire->dead, &c->base.link);
}

static void memory_crash(struct wire *base, const void *owner)
{
    struct memory_wire *wire = (struct memory_wire *)base;
    struct list *next;
    for (struct list *item = base->listeners.next; item != &base->listeners; item = next) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        next = item->next;
        if (owner == NULL || listener->options.owner == owner)
            memory_listen_close(listener);
    }
    for (struct list *item = base->conns.next; item != &base->conns; item = next) {
        struct conn *conn = CONTAINER_OF(item, struct conn, link);
        next = item->next;
        if (owner == NULL || conn->owner == owner)
            kill_conn(wire, memory_of(conn));
    }
}

static void memory_wire_close(struct wire *base)
{
    struct memory_wire *wire = (struct memory_wire *)base;
    while (!list_empty(&base->listeners))
        memory_listen_close(CONTAINER_OF(base->listeners.next, struct listener, link));
    while (!list_empty(&base->conns)) {
        struct conn *conn = CONTAINER_OF(base->conns.next, struct conn, link);
        finish(memory_of(conn), STATUS_OK, FAREWELL_NONE);
        tell_closed_and_free(memory_of(conn));
    }
    while (!list_empty(&wire->dead))
        memory_free(memory_of(CONTAINER_OF(wire->dead.next, struct conn, link)));
    for (struct list *item; (item = list_take_first(&wire->dead_listeners)) != NULL;)
        free(CONTAINER_OF(item, struct listener, link));
    base->magic = 0;
    free(wire);
}

static const char *memory_no_tls(const struct conn *conn)
{
    (void)conn;
    return "";
}

static const struct wire_ops memory_ops = {
    .connect = memory_connect,
    .listen = memory_listen,
    .listen_close = memory_listen_close,
    .flush = memory_flush,
    .resume = memory_resume,
    .start_close = memory_start_close,
    .abort = memory_abort,
    .tls_version = memory_no_tls,
    .tls_peer_name = memory_no_tls,
    .crash = memory_crash,
    .close = memory_wire_close,
};

enum status wire_open_memory(struct wire **out, struct loop *loop,
                             const struct memory_faults *faults)
{
    ENSURE(loop_kind_of(loop) == LOOP_VIRTUAL);
    *out = NULL;
    struct memory_wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL)
        return STATUS_NO_MEMORY;
    wire_init(&wire->base, &memory_ops, loop);
    list_init(&wire->dead);
    list_init(&wire->dead_listeners);
    if (faults != NULL)
        wire->faults = *faults;
    *out = &wire->base;
    return STATUS_OK;
}

void wire_memory_set_faults(struct wire *wire, const struct memory_faults *faults)
{
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    ENSURE(wire->ops == &memory_ops);
    ((struct memory_wire *)wire)->faults = *faults;
}

void wire_memory_counts(const struct wire *wire, struct memory_counts *out)
{
    ENSURE_MAGIC(wire, WIRE_MAGIC);
    ENSURE(wire->ops == &memory_ops);
    *out = ((const struct memory_wire *)wire)->counts;
}
