/* conn_int.h - what the real and the in-memory wire share.
 *
 * A `struct conn` is the common part of a connection; each kind of wire embeds it as the first
 * member of its own and fills a table of functions (struct wire_ops). conn.c is the door: it checks
 * states and limits and keeps the out-buffer; the kinds move bytes.
 *
 * States of a connection:
 *     CONNECTING  resolving, connecting, TLS handshake         -> OPEN or CLOSED
 *     OPEN        both sides may talk                          -> CLOSING or CLOSED
 *     CLOSING     conn_close: what is pending goes out, then FIN; what still comes in is thrown
 *                 away until the peer's FIN, so that the peer can read our last bytes (closing a
 *                 socket with unread input would reset it)     -> CLOSED
 *     CLOSED      nothing more will happen but the closed event
 *     DEAD        crashed (virtual only): calls do nothing; the memory lives until wire_close, so
 *                 that a holder who has not been told may still name it
 */
#ifndef WIRE_CONN_INT_H
#define WIRE_CONN_INT_H

#include "wire/conn.h"
#include "wire/out_buffer.h"

#include "base/list.h"

#define WIRE_MAGIC     0x57495245u
#define CONN_MAGIC     0x434f4e4eu
#define LISTENER_MAGIC 0x4c53544eu

#define WIRE_OUT_MAX_DEFAULT      ((size_t)1 << 20)
#define WIRE_CONNS_MAX_DEFAULT    10000
#define WIRE_CONNECT_US_DEFAULT   (10 * LOOP_US_PER_S)
#define WIRE_HANDSHAKE_US_DEFAULT (5 * LOOP_US_PER_S)
#define WIRE_CLOSE_US             (5 * LOOP_US_PER_S)
#define WIRE_PEER_TEXT_MAX        272

enum conn_state { CONN_CONNECTING = 1, CONN_OPEN, CONN_CLOSING, CONN_CLOSED, CONN_DEAD };

struct wire_ops {
    enum status (*connect)(struct wire *wire, const struct endpoint *to,
                           const struct conn_options *options, struct conn **out);
    enum status (*listen)(struct wire *wire, const struct endpoint *at,
                          const struct listen_options *options, struct listener **out);
    void (*listen_close)(struct listener *listener);
    void (*flush)(struct conn *conn);  /* at the end of a turn in which something was written */
    void (*resume)(struct conn *conn); /* conn->paused has just changed */
    void (*start_close)(struct conn *conn); /* state is CLOSING now */
    void (*abort)(struct conn *conn);
    const char *(*tls_version)(const struct conn *conn);
    const char *(*tls_peer_name)(const struct conn *conn);
    void (*crash)(struct wire *wire, const void *owner);
    void (*close)(struct wire *wire);
};

struct wire {
    uint32_t magic;
    const struct wire_ops *ops;
    struct loop *loop;
    struct list conns;     /* struct conn.link */
    struct list listeners; /* struct listener.link */
    bool closing;
};

struct listener {
    uint32_t magic;
    struct wire *wire;
    struct list link;
    struct listen_options options;
    struct endpoint at;
    size_t conns;
    bool closed;
};

struct conn {
    uint32_t magic;
    enum conn_state state;
    struct wire *wire;
    struct list link;
    const struct conn_events *events; /* NULL until accepted */
    void *arg;
    const void *owner;
    enum status why; /* what the closed event will say */
    bool paused;     /* by conn_pause */
    bool fin_wanted; /* FIN after what is pending */
    bool fin_sent;
    bool peer_ended; /* the peer's FIN has come */
    struct out_buffer out;
    size_t flight_len; /* bytes taken out of `out` and not yet taken by the kernel or network */
    size_t out_max;
    struct task flush; /* deferred while something waits to go out */
    struct timer deadline;
    char peer[WIRE_PEER_TEXT_MAX];
};

void wire_init(struct wire *wire, const struct wire_ops *ops, struct loop *loop);
/* Fills the common part; the state is CONNECTING. */
void conn_init(struct conn *conn, struct wire *wire, const struct conn_options *options,
               timer_fn *on_deadline);
/* Takes it out of everything that could call it, and wipes its buffer. */
void conn_fini(struct conn *conn);
/* For accept: what conn_init did not know. */
void listener_init(struct listener *listener, struct wire *wire, const struct endpoint *at,
                   const struct listen_options *options);

/* From inside the room: compose an answer in place. NULL when not open, over out_max or out of
 * memory; then conn_took says how much was written. */
uint8_t *conn_room(struct conn *conn, size_t len);
void conn_took(struct conn *conn, size_t len);
/* Like conn_close, but the closed event says `why`. */
void conn_close_why(struct conn *conn, enum status why);

#endif
