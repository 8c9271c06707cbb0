/* real_int.h - the wire on libuv: what its two files share.
 *
 *     wire_real.c     the wire, listeners, resolving and connecting, the end of a connection
 *     real_stream.c   bytes of an open connection: reading, writing, TLS
 *     real_local.c    the file of a Unix socket that is listened on
 *     real_lookup.c   names that strangers chose, looked up without a thread
 */
#ifndef WIRE_REAL_INT_H
#define WIRE_REAL_INT_H

#include "wire/conn_int.h"
#include "wire/tls_session.h"

#include <uv.h>

/* One read fills at most this; shared by all connections of a wire, as a read is handled at once.
 */
#define REAL_READ_BYTES 65536u
/* Plaintext of one TLS record (RFC 8446 5.1). */
#define REAL_PLAIN_BYTES   16384u
#define REAL_ADDRESSES_MAX 8

struct real_wire {
    struct wire base; /* first */
    uv_loop_t *uv;
    size_t handles; /* connections, listeners, sockets of lookups that libuv or we still hold */
    uint8_t *read_buffer, *plain_buffer;
};

struct real_listener {
    struct listener base; /* first */
    union {
        uv_tcp_t tcp;
        uv_pipe_t pipe; /* local */
    };
    union { /* a connection for which there was no memory, while it is being closed */
        uv_tcp_t refused;
        uv_pipe_t refused_pipe;
    };
    bool local; /* a Unix socket */
    bool refusing, another_waits;
    bool handle_gone;
};

struct real_conn {
    struct conn base; /* first */
    union {
        uv_tcp_t tcp;
        uv_pipe_t pipe; /* local */
    };
    bool local; /* a Unix socket */
    uv_connect_t connecting;
    uv_write_t writing;
    uv_shutdown_t shutting;
    uv_getaddrinfo_t resolving;
    struct real_lookup *lookup; /* instead of `resolving`; NULL: none is under way */
    bool is_resolving, is_writing, is_shutting, retrying, reading, handle_gone;
    bool tls_open;            /* handshake done */
    bool tls_broken;          /* what comes in is thrown away unread */
    struct tls_session *tls;  /* NULL: plain */
    struct out_buffer cipher; /* TLS: encrypted, on its way to the kernel */
    struct out_buffer flight; /* libuv is writing these; they must not move */
    struct task pump;         /* deferred: deliver plaintext that waits inside the TLS session */
    struct real_listener *listener; /* NULL: outgoing */
    struct endpoint to;
    struct sockaddr_storage addresses[REAL_ADDRESSES_MAX];
    int address_count, address_next;
    bool address_denied; /* it has one that is not allowed */
    address_allowed_fn *allowed;
};

static inline struct real_conn *real_of(struct conn *conn)
{
    return (struct real_conn *)conn;
}
static inline struct real_wire *real_wire_of(const struct real_conn *c)
{
    return (struct real_wire *)c->base.wire;
}

/* wire_real.c */
/* Ends the connection now; the closed event follows when libuv has let go. */
void real_finish(struct real_conn *c, enum status why);
/* Reset instead of FIN. */
void real_reset(struct real_conn *c, enum status why);
/* TLS handshake (if any) is done: tells the listener's owner or the one who connected. */
void real_opened(struct real_conn *c);
enum status real_status(int uv_error);
/* An address of the host, with the port; taken when it is allowed and there is room. */
void real_found(struct real_conn *c, const struct sockaddr *address, size_t len);
/* There are no more; when there is none at all, `status` says why. Connects, or ends it. */
void real_resolved(struct real_conn *c, enum status status);

/* real_local.c: an endpoint whose host begins with '/' is a Unix socket. */
static inline bool real_is_local(const struct endpoint *at)
{
    return at->host[0] == '/';
}
/* Before listening: RANGE for a path that is too long, EXISTS when somebody listens there or when
 * the file is no socket. The socket of a process that is gone is removed. */
enum status real_local_vacate(const char *path);

/* real_lookup.c: what lookups need in the process; for each wire once. */
enum status real_lookups_open(void);
void real_lookups_close(void);
/* The host's addresses from DNS; real_found and real_resolved follow, maybe from
 * within. name_servers: as in conn_options, not NULL. Only when this is OK. */
enum status real_lookup_start(struct real_conn *c, const char *name_servers);
/* Gives it up, if there is one. */
void real_lookup_end(struct real_conn *c);

/* real_stream.c */
void real_start_reading(struct real_conn *c);
void real_flush(struct conn *conn);
void real_resume(struct conn *conn);
void real_start_close(struct conn *conn);
/* Starts TLS when there is any, else reports the connection open. */
void real_established(struct real_conn *c);
void real_pump_task(struct task *task);

#endif
