/* conn.h - byte streams: TCP and TLS when real, pipes with accidents when in memory.
 *
 *     wire_open_real / wire_open_memory
 *     listen_open -> accept function gets a conn, which is open
 *     conn_connect -> events.opened or events.closed
 *     conn_write, events.bytes ..., conn_close -> events.closed exactly once, last of all
 *
 * All calls on the loop's thread. Event functions are never called from inside a call of this
 * header (a close asked for inside an event function is reported later), so no re-entry needs to be
 * feared. After events.closed returned, the conn is gone.
 *
 * Bytes handed to conn_write are copied into the connection's out-buffer (vault memory) and go out
 * with one system call per connection per loop turn. When conn_write returned STATUS_OK the bytes
 * MAY have left, whatever happens later: for money that is "sent".
 */
#ifndef WIRE_CONN_H
#define WIRE_CONN_H

#include "base/bytes.h"
#include "loop/loop.h"

struct wire;
struct conn;
struct listener;
struct tls_context; /* tls.h */

/* "127.0.0.1:8080", "[::1]:0", "host.example:443". A host that begins with '/' is the path of a
 * Unix socket (at most 100 bytes, RANGE; port 0); endpoint_parse makes none, fill `host` yourself.
 * Listening makes the file with mode 0600, removes the one of a process that is gone, and is EXISTS
 * when somebody listens there; closing removes it. Only on a real wire: UNSUPPORTED in memory. */
struct endpoint {
    char host[254];
    uint16_t port;
};
/* MALFORMED with no port, a port over 65535, an empty or too long host. */
enum status endpoint_parse(struct view text, struct endpoint *out);
/* "host:port" with brackets round an IPv6 address. */
void endpoint_format(struct writer *w, const struct endpoint *endpoint);

enum status wire_open_real(struct wire **out, struct loop *loop);
/* Closes listeners and connections still open (their closed functions are called) and frees. On a
 * real wire the loop is run until libuv has let go of its handles. */
void wire_close(struct wire *wire);
/* Virtual crash: drops every connection and listener that belongs to `owner` (see conn_owner)
 * without calling anything of theirs; the other ends see a reset. NULL owner drops all. */
void wire_crash(struct wire *wire, const void *owner);

struct conn_events {
    void (*opened)(struct conn *conn, void *arg); /* after connect and TLS handshake */
    void (*bytes)(struct conn *conn, void *arg, struct view bytes); /* valid during the call only */
    void (*ended)(struct conn *conn, void *arg);   /* peer will send no more (half-close); may be
                                                      NULL: the connection is then closed */
    void (*drained)(struct conn *conn, void *arg); /* the out-buffer became empty; may be NULL */
    void (*closed)(struct conn *conn, void *arg, enum status why); /* OK: closed by us; CLOSED: by
                                                      the peer; TIMEOUT, REFUSED, IO, TLS, ... */
};

/* Asked for each address (4 or 16 bytes, network order) that a host turned out to have, and it is
 * to these very addresses that the connection then goes: a name that resolves otherwise the next
 * time cannot lead elsewhere. */
typedef bool address_allowed_fn(struct view address);

struct conn_options {
    const struct conn_events *events;
    void *arg;
    struct tls_context *tls;     /* NULL: plain */
    int64_t connect_timeout_us;  /* connect and TLS handshake together; 0: 10 s */
    size_t out_max;              /* bytes that may wait to go out; 0: 1 MiB */
    const void *owner;           /* for wire_crash */
    address_allowed_fn *allowed; /* NULL: all. No address left: closed with DENIED. In memory there
                                    are no addresses, and nobody is asked */
    /* Who is asked for the addresses of a name. NULL: the system (getaddrinfo), a few names at a
     * time for all who connect, so one that is never answered holds others up. Else DNS, each name
     * by itself: these servers ("192.0.2.53:53,[2001:db8::53]:53"), or those of the system when "".
     * Read during the call only; in memory there are no names. */
    const char *name_servers;
};

/* Starts to connect. On STATUS_OK exactly one of opened / closed follows. */
enum status conn_connect(struct wire *wire, const struct endpoint *to,
                         const struct conn_options *options, struct conn **out);
/* FULL when out_max would be exceeded (nothing is taken), CLOSED when not open any more. */
enum status conn_write(struct conn *conn, struct view bytes);
/* Bytes taken by conn_write and not yet handed to the kernel (or to the memory network). */
size_t conn_out_pending(const struct conn *conn);
/* Stops and starts delivery of bytes (back-pressure). */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);
/* Sends what is pending, then closes in order; gives up after 5 s. `closed` follows. Idempotent. */
void conn_close(struct conn *conn);
/* Closes now (TCP reset); pending bytes are dropped. `closed` follows. Idempotent. */
void conn_abort(struct conn *conn);
/* Sends FIN after pending bytes; reading goes on. For simulators' faults. */
void conn_half_close(struct conn *conn);
/* Replaces arg and events, e.g. after accept. */
void conn_set_events(struct conn *conn, const struct conn_events *events, void *arg);
/* Peer address as text, "127.0.0.1:51234"; lives as long as the conn. */
const char *conn_peer(const struct conn *conn);
/* TLS: "TLSv1.3" or "" ; subject common name of a verified client certificate or "". */
const char *conn_tls_version(const struct conn *conn);
const char *conn_tls_peer_name(const struct conn *conn);

/* accept: called with an open conn (TLS handshake done); must call conn_set_events before it
 * returns, or conn_abort. */
typedef void accept_fn(struct listener *listener, void *arg, struct conn *conn);
struct listen_options {
    accept_fn *accept;
    void *arg;
    struct tls_context *tls;
    size_t conns_max;             /* further ones are accepted and closed at once; 0: 10,000 */
    size_t out_max;               /* per connection; 0: 1 MiB */
    int64_t handshake_timeout_us; /* TLS; 0: 5 s */
    const void *owner;
};
/* Port 0 lets the system choose; see listener_endpoint. IO with errno text in the log when it
 * fails. */
enum status listen_open(struct wire *wire, const struct endpoint *at,
                        const struct listen_options *options, struct listener **out);
/* The actual address. */
const struct endpoint *listener_endpoint(const struct listener *listener);
/* Stops listening; accepted connections live on. */
void listen_close(struct listener *listener);

#endif
