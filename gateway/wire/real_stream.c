/* real_stream.c - bytes of an open connection: reading, writing, TLS.
 *
 * Reading: libuv fills the wire's one read buffer; plain bytes are delivered straight from it, TLS
 * bytes are fed to the session and its plaintext is delivered from a second buffer. Both are wiped
 * after each use: raw card data flows here.
 *
 * Writing, once per turn (real_flush): everything in the out-buffer is tried at once; what the
 * kernel does not take is handed to libuv as `flight`, which must not move, while new bytes gather
 * in the out-buffer. With TLS the same happens one step later, to the ciphertext.
 *
 * A paused TLS connection may hold plaintext inside the session, which no read event will announce;
 * resuming therefore defers `pump`.
 */
#include "wire/real_int.h"

#include "base/ensure.h"
#include "base/vault.h"

/* --- writing ----------------------------------------------------------------------------- */
static struct out_buffer *net_buffer(struct real_conn *c)
{
    return c->tls != NULL ? &c->cipher : &c->base.out;
}

static void note_flight(struct real_conn *c)
{
    c->base.flight_len = out_buffer_len(&c->flight) + out_buffer_len(&c->cipher);
}

/* Moves plaintext into the session and ciphertext out of it. */
static enum status encrypt(struct real_conn *c)
{
    struct out_buffer *out = &c->base.out;
    if (c->tls_open && !c->tls_broken && out_buffer_len(out) > 0) {
        TRY(tls_session_write(c->tls, out_buffer_view(out)));
        out_buffer_consume(out, out_buffer_len(out));
    }
    if (c->tls_open && !c->tls_broken && c->base.fin_wanted && !c->base.fin_sent)
        tls_session_end(c->tls);
    size_t len = tls_session_output(c->tls);
    if (len == 0)
        return STATUS_OK;
    uint8_t *to = out_buffer_room(&c->cipher, len);
    if (to == NULL)
        return STATUS_NO_MEMORY;
    out_buffer_took(&c->cipher, tls_session_take(c->tls, to, len));
    return STATUS_OK;
}

static void on_written(uv_write_t *request, int error)
{
    struct real_conn *c = request->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    c->is_writing = false;
    out_buffer_consume(&c->flight, out_buffer_len(&c->flight));
    note_flight(c);
    if (c->base.state == CONN_CLOSED)
        return;
    if (error != 0)
        real_finish(c, real_status(error));
    else
        real_flush(&c->base);
}

static void write_rest(struct real_conn *c, struct out_buffer *net)
{
    struct out_buffer spare = c->flight;
    c->flight = *net;
    *net = spare;
    struct view rest = out_buffer_view(&c->flight);
    uv_buf_t buf = uv_buf_init((char *)rest.ptr, (unsigned)rest.len);
    c->writing.data = c;
    int error = uv_write(&c->writing, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
    if (error != 0)
        real_finish(c, real_status(error));
    else
        c->is_writing = true;
}

static void on_fin_sent(uv_shutdown_t *request, int error)
{
    struct real_conn *c = request->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    c->is_shutting = false;
    (void)error; /* a peer that is gone shows when reading */
    if (c->base.state == CONN_CLOSING && c->base.peer_ended)
        real_finish(c, c->base.why);
}

static void send_fin(struct real_conn *c)
{
    c->base.fin_sent = c->is_shutting = true;
    c->shutting.data = c;
    if (uv_shutdown(&c->shutting, (uv_stream_t *)&c->tcp, on_fin_sent) != 0)
        real_finish(c, c->base.state == CONN_CLOSING ? c->base.why : STATUS_CLOSED);
}

/* True when all that waited was taken by the kernel. */
static bool write_all(struct real_conn *c)
{
    struct out_buffer *net = net_buffer(c);
    while (out_buffer_len(net) > 0) {
        struct view waiting = out_buffer_view(net);
        uv_buf_t buf = uv_buf_init((char *)waiting.ptr, (unsigned)waiting.len);
        int taken = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
        if (taken > 0)
            out_buffer_consume(net, (size_t)taken);
        if (taken == (int)waiting.len)
            continue;
        if (taken < 0 && taken != UV_EAGAIN)
            real_finish(c, real_status(taken));
        else
            write_rest(c, net);
        note_flight(c);
        return false;
    }
    return true;
}

void real_flush(struct conn *conn)
{
    struct real_conn *c = real_of(conn);
    if (c->is_writing || conn->state == CONN_CLOSED)
        return;
    bool had = out_buffer_len(&conn->out) > 0 || conn->flight_len > 0;
    if (c->tls != NULL && encrypt(c) != STATUS_OK) {
        real_finish(c, STATUS_TLS);
        return;
    }
    if (!write_all(c))
        return;
    note_flight(c);
    if (conn->fin_wanted && !conn->fin_sent && conn->state != CONN_CONNECTING) {
        send_fin(c);
        return;
    }
    if (conn->state == CONN_CLOSING && conn->peer_ended && conn->fin_sent && !c->is_shutting) {
        real_finish(c, conn->why); /* both sides had half-closed before conn_close */
        return;
    }
    bool tell = had && conn->state == CONN_OPEN && !conn->wire->closing;
    if (tell && conn->events != NULL && conn->events->drained != NULL)
        conn->events->drained(conn, conn->arg);
}

/* --- reading ----------------------------------------------------------------------------- */
static void deliver(struct real_conn *c, struct view bytes)
{
    if (c->base.state == CONN_OPEN)
        c->base.events->bytes(&c->base, c->base.arg, bytes);
}

/* The peer will send no more, and said so properly. */
static void peer_ended(struct real_conn *c)
{
    struct conn *conn = &c->base;
    if (conn->peer_ended)
        return;
    conn->peer_ended = true;
    if (conn->state == CONN_CLOSING) {
        if (conn->fin_sent)
            real_finish(c, conn->why);
    } else if (conn->state == CONN_CONNECTING) {
        real_finish(c, c->tls != NULL ? STATUS_TLS : STATUS_CLOSED);
    } else if (conn->state == CONN_OPEN) {
        if (conn->events->ended != NULL)
            conn->events->ended(conn, conn->arg);
        else
            conn_close_why(conn, STATUS_CLOSED);
    }
}

/* The alert must still go out, and the peer must be able to read it: an orderly close. */
static void tls_failed(struct real_conn *c)
{
    c->tls_broken = true;
    if (c->base.state == CONN_CONNECTING)
        c->base.state = CONN_OPEN;
    timer_stop(&c->base.deadline);
    if (c->base.state == CONN_CLOSING)
        c->base.why = STATUS_TLS;
    else
        conn_close_why(&c->base, STATUS_TLS);
}

static bool wants_plaintext(const struct real_conn *c)
{
    return c->base.state == CONN_CLOSING || (c->base.state == CONN_OPEN && !c->base.paused);
}

static void pump_plaintext(struct real_conn *c)
{
    uint8_t *plain = real_wire_of(c)->plain_buffer;
    while (c->tls_open && !c->tls_broken && wants_plaintext(c)) {
        size_t len = 0;
        switch (tls_session_read(c->tls, plain, REAL_PLAIN_BYTES, &len)) {
        case TLS_STEP_DONE:
            deliver(c, view_of(plain, len));
            vault_wipe(plain, len);
            break;
        case TLS_STEP_MORE: return;
        case TLS_STEP_ENDED: peer_ended(c); return;
        case TLS_STEP_FAILED: tls_failed(c); return;
        }
    }
}

static void pump(struct real_conn *c)
{
    if (!c->tls_open && !c->tls_broken && c->base.state == CONN_CONNECTING) {
        enum tls_step step = tls_session_handshake(c->tls);
        if (step == TLS_STEP_DONE) {
            c->tls_open = true;
            real_opened(c);
        } else if (step != TLS_STEP_MORE) {
            tls_failed(c);
        }
    }
    pump_plaintext(c);
    if (c->base.state != CONN_CLOSED && tls_session_output(c->tls) > 0)
        real_flush(&c->base);
}

void real_pump_task(struct task *task)
{
    struct real_conn *c = CONTAINER_OF(task, struct real_conn, pump);
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    if (c->base.state != CONN_CLOSED)
        pump(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct real_conn *c = handle->data;
    (void)suggested;
    *out = uv_buf_init((char *)real_wire_of(c)->read_buffer, REAL_READ_BYTES);
}

static void on_eof(struct real_conn *c)
{
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    if (c->base.peer_ended) {
        if (c->base.state == CONN_CLOSING && c->base.fin_sent)
            real_finish(c, c->base.why);
    } else if (c->tls == NULL || c->base.state != CONN_OPEN) {
        peer_ended(c);
    } else {
        real_finish(c, STATUS_CLOSED); /* TLS without close_notify may be somebody's cut */
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct real_conn *c = stream->data;
    ENSURE_MAGIC(&c->base, CONN_MAGIC);
    if (got == 0)
        return;
    if (got == UV_EOF) {
        on_eof(c);
        return;
    }
    if (got < 0) {
        enum status why = real_status((int)got);
        real_finish(c, c->base.state == CONN_CLOSING ? c->base.why : why);
        return;
    }
    struct view bytes = view_of(buf->base, (size_t)got);
    if (c->tls == NULL) {
        deliver(c, bytes);
    } else if (!c->tls_broken) {
        if (tls_session_feed(c->tls, bytes) == STATUS_OK)
            pump(c);
        else
            real_finish(c, STATUS_NO_MEMORY);
    }
    vault_wipe(buf->base, (size_t)got);
}

void real_start_reading(struct real_conn *c)
{
    bool want = c->base.state == CONN_CONNECTING || c->base.state == CONN_CLOSING ||
                (c->base.state == CONN_OPEN && !c->base.paused);
    if (want == c->reading || c->base.peer_ended || c->base.state == CONN_CLOSED)
        return;
    int error = want ? uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read)
                     : uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = want;
    if (error != 0)
        real_finish(c, real_status(error));
}

void real_resume(struct conn *conn)
{
    struct real_conn *c = real_of(conn);
    real_start_reading(c);
    if (!conn->paused && c->tls != NULL)
        loop_defer(conn->wire->loop, &c->pump);
}

void real_start_close(struct conn *conn)
{
    struct real_conn *c = real_of(conn);
    real_start_reading(c);
    if (c->tls != NULL)
        loop_defer(conn->wire->loop, &c->pump);
}

void real_established(struct real_conn *c)
{
    if (c->tls == NULL)
        real_opened(c);
    else
        pump(c); /* the client speaks first; the server only gets ready */
    real_start_reading(c);
}
