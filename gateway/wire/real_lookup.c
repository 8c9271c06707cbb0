/* real_lookup.c - the addresses of a host from DNS, each name asked for by itself (c-ares).
 *
 * For names that strangers chose (docs/decisions/0024-names-of-strangers.md). getaddrinfo holds a
 * thread until it is done, libuv gives it two for all that connect, and a name whose servers do not
 * answer keeps one for ten seconds and more: a few such names hold up every other. Here a lookup is
 * a socket and a timer of the loop. Any number run at once and none knows of another; one that is
 * given up is gone at once.
 *
 *     real_lookup_start -> [on_ready, on_timer] -> settle -> real_found ..., real_resolved
 *     real_lookup_end: it is given up, nobody hears of it any more
 *
 * c-ares answers (on_answer) from inside our own calls of it, where nothing may be freed; so the
 * answer is kept, and settle tells it when c-ares has returned. Each lookup has a channel of its
 * own: it reads the system's configuration anew, has ports of its own (which a forger would have to
 * guess), and destroying it ends this lookup and no other. That is about 75 KB while it lasts; how
 * many last is bounded by who connects (webhooks.connections).
 *
 * Neither search domains nor HOSTALIASES are used: a stranger's name is meant whole. /etc/hosts is.
 */
#include "wire/real_int.h"

#include "base/ensure.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKUP_MAGIC 0x4c4f4f4bu
/* A server may take so long at first, twice as long when all were asked once, and so on. What the
 * connection may take as a whole is its own matter. */
#define FIRST_WAIT_MS 2000
#define ROUNDS        3

struct real_lookup {
    uint32_t magic;
    struct real_conn *conn;
    ares_channel channel;
    struct timer timer;  /* c-ares wants to look at its clock */
    struct list sockets; /* struct lookup_socket */
    bool answered;
    int error; /* ARES_SUCCESS and others */
    struct ares_addrinfo *found;
};

/* Lives until libuv has let go of it, which may be after its lookup. */
struct lookup_socket {
    uv_poll_t poll;
    struct list link;
    struct real_wire *wire;
    struct real_lookup *lookup;
    ares_socket_t fd;
};

static enum status status_of(int error)
{
    switch (error) {
    case ARES_SUCCESS: return STATUS_OK;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME: return STATUS_NOT_FOUND;
    case ARES_ETIMEOUT: return STATUS_TIMEOUT;
    case ARES_ENOMEM: return STATUS_NO_MEMORY;
    default: return STATUS_IO;
    }
}

/* --- the end ----------------------------------------------------------------------------- */
static void on_socket_closed(uv_handle_t *handle)
{
    struct lookup_socket *socket = handle->data;
    socket->wire->handles--;
    free(socket);
}

static void socket_close(struct lookup_socket *socket)
{
    list_remove(&socket->link);
    socket->lookup = NULL;
    uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
}

void real_lookup_end(struct real_conn *c)
{
    struct real_lookup *lookup = c->lookup;
    if (lookup == NULL)
        return;
    ENSURE_MAGIC(lookup, LOOKUP_MAGIC);
    c->lookup = NULL;
    timer_stop(&lookup->timer);
    ares_destroy(lookup->channel); /* tells on_wanted of every socket, on_answer of the question */
    ENSURE(list_empty(&lookup->sockets));
    if (lookup->found != NULL)
        ares_freeaddrinfo(lookup->found);
    lookup->magic = 0;
    free(lookup);
}

/* After every call of c-ares: tells what came, or waits on. The lookup may be gone afterwards. */
static void settle(struct real_lookup *lookup)
{
    if (!lookup->answered) {
        struct timeval room;
        const struct timeval *left = ares_timeout(lookup->channel, NULL, &room);
        if (left != NULL) /* cut to whole milliseconds, so one more */
            timer_start(&lookup->timer,
                        left->tv_sec * LOOP_US_PER_S + left->tv_usec + LOOP_US_PER_MS);
        return;
    }
    struct real_conn *c = lookup->conn;
    enum status status = status_of(lookup->error);
    if (lookup->found != NULL)
        for (const struct ares_addrinfo_node *at = lookup->found->nodes; at != NULL;
             at = at->ai_next)
            real_found(c, at->ai_addr, at->ai_addrlen);
    real_lookup_end(c);
    real_resolved(c, status);
}

/* --- what c-ares and the loop tell ------------------------------------------------------- */
static void on_ready(uv_poll_t *poll, int error, int events)
{
    const struct lookup_socket *socket = poll->data;
    struct real_lookup *lookup = socket->lookup;
    ENSURE_MAGIC(lookup, LOOKUP_MAGIC);
    /* What went wrong with it c-ares finds out by reading. */
    bool readable = error != 0 || (events & UV_READABLE) != 0;
    bool writable = error != 0 || (events & UV_WRITABLE) != 0;
    ares_socket_t fd = socket->fd;
    ares_process_fd(lookup->channel, readable ? fd : ARES_SOCKET_BAD,
                    writable ? fd : ARES_SOCKET_BAD);
    settle(lookup);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct real_lookup *lookup = arg;
    ENSURE_MAGIC(lookup, LOOKUP_MAGIC);
    (void)timer;
    ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(lookup);
}

/* NULL: memory is out. Then nobody listens on it, and the time of the question runs out. */
static struct lookup_socket *socket_open(struct real_lookup *lookup, ares_socket_t fd)
{
    struct real_wire *wire = real_wire_of(lookup->conn);
    struct lookup_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return NULL;
    if (uv_poll_init_socket(wire->uv, &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }
    socket->poll.data = socket;
    socket->wire = wire;
    socket->lookup = lookup;
    socket->fd = fd;
    wire->handles++;
    list_append(&lookup->sockets, &socket->link);
    return socket;
}

static struct lookup_socket *socket_of(const struct real_lookup *lookup, ares_socket_t fd)
{
    for (struct list *at = lookup->sockets.next; at != &lookup->sockets; at = at->next) {
        struct lookup_socket *socket = CONTAINER_OF(at, struct lookup_socket, link);
        if (socket->fd == fd)
            return socket;
    }
    return NULL;
}

/* c-ares wants to hear of this socket; of neither direction any more: it is about to close it. */
static void on_wanted(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct real_lookup *lookup = arg;
    ENSURE_MAGIC(lookup, LOOKUP_MAGIC);
    struct lookup_socket *socket = socket_of(lookup, fd);
    bool wanted = readable != 0 || writable != 0;
    if (socket == NULL && wanted)
        socket = socket_open(lookup, fd);
    if (socket == NULL)
        return;
    int events = (readable != 0 ? UV_READABLE : 0) | (writable != 0 ? UV_WRITABLE : 0);
    if (!wanted || uv_poll_start(&socket->poll, events, on_ready) != 0)
        socket_close(socket);
}

static void on_answer(void *arg, int error, int timeouts, struct ares_addrinfo *found)
{
    struct real_lookup *lookup = arg;
    ENSURE_MAGIC(lookup, LOOKUP_MAGIC);
    (void)timeouts;
    lookup->answered = true;
    lookup->error = error;
    lookup->found = found;
}

/* --- the beginning ----------------------------------------------------------------------- */
enum status real_lookups_open(void)
{
    return status_of(ares_library_init(ARES_LIB_INIT_ALL)); /* c-ares counts */
}

void real_lookups_close(void)
{
    ares_library_cleanup();
}

enum status real_lookup_start(struct real_conn *c, const char *name_servers)
{
    struct real_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return STATUS_NO_MEMORY;
    lookup->magic = LOOKUP_MAGIC;
    lookup->conn = c;
    list_init(&lookup->sockets);
    timer_init(&lookup->timer, c->base.wire->loop, on_timer, lookup);
    struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
                                    .timeout = FIRST_WAIT_MS,
                                    .tries = ROUNDS,
                                    .ndomains = 0, /* not every version heeds NOSEARCH */
                                    .sock_state_cb = on_wanted,
                                    .sock_state_cb_data = lookup };
    int error = ares_init_options(&lookup->channel, &options,
                                  ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                      ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB);
    if (error != ARES_SUCCESS) {
        free(lookup);
        return status_of(error);
    }
    c->lookup = lookup;
    if (name_servers[0] != '\0') {
        error = ares_set_servers_ports_csv(lookup->channel, name_servers);
        if (error != ARES_SUCCESS) {
            real_lookup_end(c);
            return status_of(error);
        }
    }
    char port[8];
    (void)snprintf(port, sizeof port, "%u", c->to.port);
    struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NUMERICSERV,
                                         .ai_family = AF_UNSPEC,
                                         .ai_socktype = SOCK_STREAM };
    ares_getaddrinfo(lookup->channel, c->to.host, port, &hints, on_answer, lookup);
    settle(lookup);
    return STATUS_OK;
}
