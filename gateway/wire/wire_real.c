/* wire_real.c - the wire on libuv: listeners, connecting, and how a connection ends.
 *
 * Connecting: an address literal is used as it is; a name goes through uv_getaddrinfo, or, when its
 * lookup must hold up no other, through real_lookup.c. Its addresses are tried one after the other
 * until one connects or the time is over.
 *
 * Ending: whoever ends a connection calls real_finish (or real_reset). libuv closes the handle and
 * calls back in its closing phase; there, and only there, the closed event is given and the memory
 * freed. So the event never comes from inside one of our calls.
 *
 * `handles` counts what libuv may still call back; wire_close turns the loop until it is zero.
 */
#include "wire/real_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "loop/loop_uv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BACKLOG 1024

enum status real_status(int uv_error)
{
    switch (uv_error) {
    case UV_ECONNREFUSED: return STATUS_REFUSED;
    case UV_ECONNRESET:
    case UV_EPIPE:
    case UV_EOF: return STATUS_CLOSED;
    case UV_ETIMEDOUT: return STATUS_TIMEOUT;
    case UV_ENOMEM:
    case UV_EAI_MEMORY: return STATUS_NO_MEMORY;
    case UV_EACCES:
    case UV_EPERM: return STATUS_DENIED;
    case UV_EADDRINUSE: return STATUS_EXISTS;
    case UV_ENOENT:
    case UV_EADDRNOTAVAIL:
    case UV_EAI_NONAME:
    case UV_EAI_NODATA: return STATUS_NOT_FOUND;
    default: return STATUS_IO;
    }
}

/* --- the end ----------------------------------------------------------------------------- */
static void listener_release(struct real_listener *listener)
{
    if (listener->handle_gone && !listener->refusing && listener->base.closed &&
        listener->base.conns == 0) {
        ((struct real_wire *)listener->base.wire)->handles--;
        listener->base.magic = 0;
        free(listener);
    }
}

static void real_free(struct real_conn *c)
{
    struct conn *conn = &c->base;
    c->handle_gone = true;
    if (c->is_resolving)
        return; /* on_resolved comes back here */
    const struct conn_events *events = conn->events;
    if (events != NULL)
        events->closed(conn, conn->arg, conn->why);
    conn_fini(conn);
    if (c->pump.queued)
        loop_forget(conn->wire->loop, &c->pump);
    tls_session_close(c->tls);
    out_buffer_free(&c->cipher);
    out_buffer_free(&c->flight);
    if (c->listener != NULL) {
        c->listener->base.conns--;
        listener_release(c->listener);
    }
    real_wire_of(c)->handles--;
    conn->magic = 0;
    free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct real_conn *c = handle->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    real_free(c);
}

static void finish(struct real_conn *c, enum status why, bool reset)
{
    struct conn *conn = &c->base;
    if (conn->state == CONN_CLOSED)
        return;
    conn->state = CONN_CLOSED;
    conn->why = why;
    timer_stop(&conn->deadline);
    real_lookup_end(c);
    if (c->is_resolving)
        (void)uv_cancel((uv_req_t *)&c->resolving);
    if (c->retrying)
        return; /* the handle is closing already; on_retry_closed goes on */
    /* A reset is refused while a shutdown is under way; then an ordinary close must do. */
    if (!reset || c->local || uv_tcp_close_reset(&c->tcp, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

void real_finish(struct real_conn *c, enum status why)
{
    finish(c, why, false);
}

void real_reset(struct real_conn *c, enum status why)
{
    finish(c, why, true);
}

static void real_abort(struct conn *conn)
{
    real_reset(real_of(conn), conn->why);
}

static void on_deadline(struct timer *timer, void *arg)
{
    struct real_conn *c = arg;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    (void)timer;
    /* Closing took too long: closed by us all the same. Connecting or shaking hands did: time-out.
     */
    if (c->base.state == CONN_CLOSING)
        real_reset(c, c->base.why);
    else
        real_finish(c, STATUS_TIMEOUT);
}

/* --- creation ---------------------------------------------------------------------------- */
static void peer_text(const struct sockaddr_storage *address, char *out, size_t room)
{
    char host[64] = "?";
    unsigned port = 0;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)uv_ip4_name(v4, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        (void)uv_ip6_name(v6, host, sizeof host);
        port = ntohs(v6->sin6_port);
    }
    bool bracket = address->ss_family == AF_INET6;
    (void)snprintf(out, room, "%s%s%s:%u", bracket ? "[" : "", host, bracket ? "]" : "", port);
}

static struct real_conn *real_new(struct real_wire *wire, const struct conn_options *options,
                                  struct tls_context *tls, enum tls_side side, const char *host,
                                  bool local)
{
    struct real_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    if (tls != NULL && tls_session_open(&c->tls, tls, side, host) != STATUS_OK)
        goto failed;
    c->local = local;
    if ((local ? uv_pipe_init(wire->uv, &c->pipe, 0) : uv_tcp_init(wire->uv, &c->tcp)) != 0)
        goto failed;
    ((uv_handle_t *)&c->tcp)->data = c;
    c->pump.run = real_pump_task;
    conn_init(&c->base, &wire->base, options, on_deadline);
    wire->handles++;
    return c;

failed:
    tls_session_close(c->tls);
    free(c);
    return NULL;
}

/* --- accepting --------------------------------------------------------------------------- */
void real_opened(struct real_conn *c)
{
    struct conn *conn = &c->base;
    timer_stop(&conn->deadline);
    conn->state = CONN_OPEN;
    if (c->listener == NULL) {
        if (conn->events->opened != NULL)
            conn->events->opened(conn, conn->arg);
        return;
    }
    struct listener *listener = &c->listener->base;
    if (listener->closed) {
        real_finish(c, STATUS_OK);
        return;
    }
    listener->options.accept(listener, listener->options.arg, conn);
    ENSURE(conn->events != NULL || conn->state == CONN_CLOSED);
}

static void on_incoming(uv_stream_t *stream, int error);

static void on_refused(uv_handle_t *handle)
{
    struct real_listener *listener = handle->data;
    ENSURE_MAGIC(&listener->base, LISTENER_MAGIC);
    bool another_waits = listener->another_waits && !listener->base.closed;
    listener->refusing = listener->another_waits = false;
    if (another_waits)
        on_incoming((uv_stream_t *)&listener->tcp, 0);
    else
        listener_release(listener);
}

/* There is no memory for a connection: it is taken and closed, with what the listener has. If it
 * were not taken, libuv would never offer one again. */
static void refuse_incoming(struct real_listener *listener)
{
    if (listener->refusing) {
        listener->another_waits = true; /* libuv keeps it and offers nothing more until then */
        return;
    }
    uv_loop_t *uv = ((struct real_wire *)listener->base.wire)->uv;
    ENSURE((listener->local ? uv_pipe_init(uv, &listener->refused_pipe, 0)
                            : uv_tcp_init(uv, &listener->refused)) == 0);
    ((uv_handle_t *)&listener->refused)->data = listener;
    listener->refusing = true;
    (void)uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&listener->refused);
    uv_close((uv_handle_t *)&listener->refused, on_refused);
}

static void on_incoming(uv_stream_t *stream, int error)
{
    struct real_listener *listener = stream->data;
    ENSURE_MAGIC(&listener->base, LISTENER_MAGIC);
    struct listen_options *options = &listener->base.options;
    if (error != 0)
        return; /* out of descriptors and the like: libuv goes on listening */
    struct conn_options conn_options = { .out_max = options->out_max, .owner = options->owner };
    struct real_conn *c = real_new((struct real_wire *)listener->base.wire, &conn_options,
                                   options->tls, TLS_SERVER, NULL, listener->local);
    if (c == NULL) {
        refuse_incoming(listener); /* running payments go on */
        return;
    }
    c->listener = listener;
    listener->base.conns++;
    struct sockaddr_storage address = { 0 };
    int len = sizeof address;
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 ||
        listener->base.conns > options->conns_max || listener->base.closed) {
        real_finish(c, STATUS_FULL);
        return;
    }
    if (c->local)
        (void)snprintf(c->base.peer, sizeof c->base.peer, "local");
    else if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &len) == 0)
        peer_text(&address, c->base.peer, sizeof c->base.peer);
    if (!c->local)
        (void)uv_tcp_nodelay(&c->tcp, 1);
    if (c->tls != NULL)
        timer_start(&c->base.deadline, options->handshake_timeout_us);
    real_established(c);
}

static bool literal_address(const struct endpoint *at, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){ 0 };
    return uv_ip4_addr(at->host, at->port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(at->host, at->port, (struct sockaddr_in6 *)out) == 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct real_listener *listener = handle->data;
    ENSURE_MAGIC(&listener->base, LISTENER_MAGIC);
    listener->handle_gone = true;
    listener_release(listener);
}

static void real_listen_close(struct listener *listener)
{
    struct real_listener *real = (struct real_listener *)listener;
    if (listener->closed)
        return;
    listener->closed = true;
    list_remove(&listener->link);
    uv_close((uv_handle_t *)&real->tcp, on_listener_closed);
}

/* Listening is for start-up, so a name may be resolved while everybody waits. */
static int listen_address(struct real_wire *wire, const struct endpoint *at,
                          struct sockaddr_storage *out)
{
    if (literal_address(at, out))
        return 0;
    uv_getaddrinfo_t request;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    char port[8];
    (void)snprintf(port, sizeof port, "%u", at->port);
    int error = uv_getaddrinfo(wire->uv, &request, NULL, at->host, port, &hints);
    if (error != 0)
        return error;
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

/* The socket gets its rights before anybody can connect: that is from uv_listen on. libuv removes
 * the file when the handle is closed. */
static enum status listen_local(struct real_wire *wire, const struct endpoint *at,
                                const struct listen_options *options, struct listener **out)
{
    TRY(real_local_vacate(at->host));
    struct real_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return STATUS_NO_MEMORY;
    if (uv_pipe_init(wire->uv, &listener->pipe, 0) != 0) {
        free(listener);
        return STATUS_NO_MEMORY;
    }
    listener->local = true;
    listener->pipe.data = listener;
    listener_init(&listener->base, &wire->base, at, options);
    wire->handles++;
    int error = uv_pipe_bind(&listener->pipe, at->host);
    if (error == 0 && chmod(at->host, S_IRUSR | S_IWUSR) != 0)
        error = uv_translate_sys_error(errno);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&listener->pipe, BACKLOG, on_incoming);
    if (error != 0) {
        real_listen_close(&listener->base);
        return real_status(error);
    }
    *out = &listener->base;
    return STATUS_OK;
}

static enum status real_listen(struct wire *base, const struct endpoint *at,
                               const struct listen_options *options, struct listener **out)
{
    struct real_wire *wire = (struct real_wire *)base;
    if (real_is_local(at))
        return listen_local(wire, at, options, out);
    struct sockaddr_storage address;
    int error = listen_address(wire, at, &address);
    if (error != 0)
        return real_status(error);
    struct real_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return STATUS_NO_MEMORY;
    if (uv_tcp_init(wire->uv, &listener->tcp) != 0) {
        free(listener);
        return STATUS_NO_MEMORY;
    }
    listener->tcp.data = listener;
    listener_init(&listener->base, base, at, options);
    wire->handles++;
    error = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_incoming);
    if (error != 0) {
        real_listen_close(&listener->base);
        return real_status(error);
    }
    int len = sizeof address;
    if (uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&address, &len) == 0)
        listener->base.at.port = address.ss_family == AF_INET6
                                     ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                     : ntohs(((struct sockaddr_in *)&address)->sin_port);
    *out = &listener->base;
    return STATUS_OK;
}

/* --- connecting -------------------------------------------------------------------------- */
static void connect_next(struct real_conn *c);

static void on_retry_closed(uv_handle_t *handle)
{
    struct real_conn *c = handle->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    c->retrying = false;
    if (c->base.state == CONN_CLOSED) {
        real_free(c);
        return;
    }
    ENSURE(uv_tcp_init(real_wire_of(c)->uv, &c->tcp) == 0);
    c->tcp.data = c;
    connect_next(c);
}

static void connect_failed(struct real_conn *c, int error)
{
    if (c->address_next >= c->address_count) {
        real_finish(c, real_status(error));
        return;
    }
    /* A socket that failed to connect cannot try again; the next address needs a new one. */
    c->retrying = true;
    uv_close((uv_handle_t *)&c->tcp, on_retry_closed);
}

static void on_connected(uv_connect_t *request, int error)
{
    struct real_conn *c = request->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    if (c->base.state != CONN_CONNECTING || error == UV_ECANCELED)
        return;
    if (error != 0) {
        connect_failed(c, error);
        return;
    }
    if (!c->local)
        (void)uv_tcp_nodelay(&c->tcp, 1);
    real_established(c);
}

static void connect_next(struct real_conn *c)
{
    struct sockaddr_storage *address = &c->addresses[c->address_next++];
    peer_text(address, c->base.peer, sizeof c->base.peer);
    c->connecting.data = c;
    int error = uv_tcp_connect(&c->connecting, &c->tcp, (struct sockaddr *)address, on_connected);
    if (error != 0)
        connect_failed(c, error);
}

static bool address_allowed(const struct real_conn *c, const struct sockaddr_storage *address)
{
    if (c->allowed == NULL)
        return true;
    if (address->ss_family == AF_INET)
        return c->allowed(view_of(&((const struct sockaddr_in *)address)->sin_addr, 4));
    return address->ss_family == AF_INET6 &&
           c->allowed(view_of(&((const struct sockaddr_in6 *)address)->sin6_addr, 16));
}

void real_found(struct real_conn *c, const struct sockaddr *address, size_t len)
{
    if (c->address_count >= REAL_ADDRESSES_MAX || len > sizeof c->addresses[0])
        return;
    memcpy(&c->addresses[c->address_count], address, len);
    if (address_allowed(c, &c->addresses[c->address_count]))
        c->address_count++;
    else
        c->address_denied = true;
}

void real_resolved(struct real_conn *c, enum status status)
{
    if (c->address_count > 0)
        connect_next(c);
    else if (c->address_denied)
        real_finish(c, STATUS_DENIED);
    else
        real_finish(c, status != STATUS_OK ? status : STATUS_NOT_FOUND);
}

static void on_resolved(uv_getaddrinfo_t *request, int error, struct addrinfo *found)
{
    struct real_conn *c = request->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    c->is_resolving = false;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
        real_found(c, at->ai_addr, at->ai_addrlen);
    uv_freeaddrinfo(found);
    if (c->base.state != CONN_CLOSED)
        real_resolved(c, error != 0 ? real_status(error) : STATUS_OK);
    else if (c->handle_gone)
        real_free(c);
}

static enum status resolve(struct real_conn *c, const char *name_servers)
{
    if (name_servers != NULL)
        return real_lookup_start(c, name_servers);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    char port[8];
    (void)snprintf(port, sizeof port, "%u", c->to.port);
    c->resolving.data = c;
    if (uv_getaddrinfo(real_wire_of(c)->uv, &c->resolving, on_resolved, c->to.host, port, &hints) !=
        0)
        return STATUS_IO;
    c->is_resolving = true;
    return STATUS_OK;
}

static enum status real_connect(struct wire *base, const struct endpoint *to,
                                const struct conn_options *options, struct conn **out)
{
    struct real_conn *c = real_new((struct real_wire *)base, options, options->tls, TLS_CLIENT,
                                   to->host, real_is_local(to));
    if (c == NULL)
        return STATUS_NO_MEMORY;
    c->to = *to;
    c->allowed = options->allowed;
    timer_start(&c->base.deadline, options->connect_timeout_us > 0 ? options->connect_timeout_us
                                                                   : WIRE_CONNECT_US_DEFAULT);
    if (c->local) { /* on_connected tells of every failure */
        (void)snprintf(c->base.peer, sizeof c->base.peer, "%s", to->host);
        c->connecting.data = c;
        uv_pipe_connect(&c->connecting, &c->pipe, to->host, on_connected);
    } else if (literal_address(to, &c->addresses[0])) {
        c->address_count = 1;
        if (address_allowed(c, &c->addresses[0]))
            connect_next(c);
        else
            real_finish(c, STATUS_DENIED);
    } else {
        enum status status = resolve(c, options->name_servers);
        if (status != STATUS_OK)
            real_finish(c, status);
    }
    *out = &c->base;
    return STATUS_OK;
}

/* --- the wire ---------------------------------------------------------------------------- */
static const char *real_tls_version(const struct conn *conn)
{
    const struct real_conn *c = (const struct real_conn *)conn;
    return c->tls != NULL ? tls_session_version(c->tls) : "";
}

static const char *real_tls_peer_name(const struct conn *conn)
{
    const struct real_conn *c = (const struct real_conn *)conn;
    return c->tls != NULL ? tls_session_peer_name(c->tls) : "";
}

static void real_wire_close(struct wire *base)
{
    struct real_wire *wire = (struct real_wire *)base;
    while (!list_empty(&base->listeners))
        real_listen_close(CONTAINER_OF(base->listeners.next, struct listener, link));
    for (struct list *at = base->conns.next; at != &base->conns; at = at->next) {
        struct conn *conn = CONTAINER_OF(at, struct conn, link);
        if (conn->state == CONN_OPEN || conn->state == CONN_CLOSING)
            real_flush(conn); /* what the kernel takes at once still leaves */
        real_finish(real_of(conn), STATUS_OK);
    }
    while (wire->handles > 0)
        loop_uv_turn(base->loop, true);
    vault_free(wire->read_buffer);
    vault_free(wire->plain_buffer);
    real_lookups_close();
    base->magic = 0;
    free(wire);
}

static const struct wire_ops real_ops = {
    .connect = real_connect,
    .listen = real_listen,
    .listen_close = real_listen_close,
    .flush = real_flush,
    .resume = real_resume,
    .start_close = real_start_close,
    .abort = real_abort,
    .tls_version = real_tls_version,
    .tls_peer_name = real_tls_peer_name,
    .crash = NULL, /* wire_crash is refused on a loop that is not virtual */
    .close = real_wire_close,
};

enum status wire_open_real(struct wire **out, struct loop *loop)
{
    *out = NULL;
    struct real_wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL)
        return STATUS_NO_MEMORY;
    wire->uv = loop_uv(loop);
    wire->read_buffer = vault_alloc(REAL_READ_BYTES);
    wire->plain_buffer = vault_alloc(REAL_PLAIN_BYTES);
    enum status status = wire->read_buffer != NULL && wire->plain_buffer != NULL
                             ? real_lookups_open()
                             : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        vault_free(wire->read_buffer);
        vault_free(wire->plain_buffer);
        free(wire);
        return status;
    }
    wire_init(&wire->base, &real_ops, loop);
    *out = &wire->base;
    return STATUS_OK;
}
