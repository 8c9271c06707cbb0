/* admin_client.c - a blocking HTTP client of one request; see admin_client.h.
 *
 * The other side is our own gateway (wire/http_server), which answers with Content-Length and,
 * asked to with Connection: close, closes. So what it says is read to its end and then taken apart.
 */
#include "main/admin_client.h"

#include "main/paint.h"
#include "json/json_read.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static enum status wait_for(int fd, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms - now_ms();
        struct pollfd row = { .fd = fd, .events = events };
        int ready = left > 0 ? poll(&row, 1, (int)left) : 0;
        if (ready > 0)
            return STATUS_OK;
        if (ready == 0)
            return STATUS_TIMEOUT;
        if (errno != EINTR)
            return STATUS_IO;
    }
}

static enum status connect_to(const char *path, int *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return STATUS_RANGE;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return STATUS_IO;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        (void)close(fd);
        return error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_NOT_FOUND;
    }
    *out = fd;
    return STATUS_OK;
}

static enum status send_all(int fd, struct view bytes, int64_t until_ms)
{
    while (bytes.len > 0) {
        TRY(wait_for(fd, POLLOUT, until_ms));
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return STATUS_CLOSED;
        bytes = view_slice(bytes, (size_t)sent, bytes.len);
    }
    return STATUS_OK;
}

static enum status read_to_end(int fd, uint8_t *room, int64_t until_ms, size_t *len)
{
    for (*len = 0;;) {
        TRY(wait_for(fd, POLLIN, until_ms));
        ssize_t got = recv(fd, room + *len, ANSWER_BYTES - *len, 0);
        if (got == 0)
            return STATUS_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_CLOSED;
        *len += (size_t)got;
        if (*len == ANSWER_BYTES)
            return STATUS_RANGE;
    }
}

/* "HTTP/1.1 200 OK ... \r\n\r\n body" */
static enum status take_apart(struct view bytes, struct admin_answer *out)
{
    const struct view end = VIEW("\r\n\r\n");
    uint64_t code = 0;
    if (bytes.len == 0)
        return STATUS_CLOSED;
    if (!view_starts_with(bytes, VIEW("HTTP/1.1 ")) ||
        view_to_u64(view_slice(bytes, 9, 3), 599, &code) != STATUS_OK)
        return STATUS_MALFORMED;
    for (size_t i = 0; i + end.len <= bytes.len; i++)
        if (view_equal(view_slice(bytes, i, end.len), end)) {
            out->http_status = (int)code;
            out->body = view_slice(bytes, i + end.len, bytes.len);
            return STATUS_OK;
        }
    return STATUS_MALFORMED;
}

static enum status exchange(int fd, const char *method, const char *path, struct view body,
                            struct arena *arena, struct admin_answer *out)
{
    int64_t until_ms = now_ms() + ADMIN_TIME_MS;
    struct view head = arena_format(arena,
                                    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                                    method, path, body.len);
    uint8_t *room = arena_alloc(arena, ANSWER_BYTES);
    size_t len = 0;
    if (head.len == 0 || room == NULL)
        return STATUS_NO_MEMORY;
    TRY(send_all(fd, head, until_ms));
    TRY(send_all(fd, body, until_ms));
    TRY(read_to_end(fd, room, until_ms, &len));
    return take_apart(view_of(room, len), out);
}

enum status admin_request(const char *socket_path, const char *method, const char *path,
                          struct view body, struct arena *arena, struct admin_answer *out)
{
    int fd = -1;
    TRY(connect_to(socket_path, &fd));
    enum status status = exchange(fd, method, path, body, arena, out);
    (void)close(fd);
    return status;
}

void admin_complain(const char *command, const char *socket_path, enum status status)
{
    fprintf(stderr, "railgate %s: ", command);
    if (status == STATUS_NOT_FOUND)
        fprintf(stderr,
                "no gateway runs here: nobody listens on %s. Start one with `railgate serve`, or "
                "name its configuration with --config.\n",
                socket_path);
    else if (status == STATUS_DENIED)
        fprintf(stderr, "%s belongs to the gateway's user; run this as that user.\n", socket_path);
    else if (status == STATUS_TIMEOUT)
        fprintf(stderr,
                "the gateway did not answer within %d s; whether it did what was asked stands in "
                "its log.\n",
                ADMIN_TIME_MS / 1000);
    else
        fprintf(stderr, "%s: %s. Look at the gateway's log.\n", socket_path, status_text(status));
}

void admin_print_problem(const char *command, const struct admin_answer *answer,
                         struct arena *arena)
{
    const struct json_node *root = NULL;
    struct json_limits limits = { .bytes_max = ANSWER_BYTES, .nodes_max = 65536, .depth_max = 16 };
    struct view detail = VIEW_EMPTY;
    if (json_read(answer->body, &limits, arena, &root, NULL) != STATUS_OK ||
        json_text(json_member(root, "detail"), &detail) != STATUS_OK)
        detail = VIEW("the gateway refused");
    const struct json_node *findings = json_member(root, "findings");
    for (const struct json_node *row = findings != NULL ? findings->first : NULL; row != NULL;
         row = row->next) {
        struct view file = VIEW_EMPTY, severity = VIEW_EMPTY, message = VIEW_EMPTY;
        int64_t line = 0, column = 0;
        IGNORE_STATUS(json_text(json_member(row, "file"), &file));
        IGNORE_STATUS(json_text(json_member(row, "severity"), &severity));
        IGNORE_STATUS(json_text(json_member(row, "message"), &message));
        IGNORE_STATUS(json_i64(json_member(row, "line"), &line));
        IGNORE_STATUS(json_i64(json_member(row, "column"), &column));
        print_safe(stderr, file); /* the message may quote what stands in a profile */
        fprintf(stderr, ":%lld:%lld: ", (long long)line, (long long)column);
        print_safe(stderr, severity);
        fprintf(stderr, ": ");
        print_safe(stderr, message);
        fprintf(stderr, "\n");
    }
    fprintf(stderr, "railgate %s: ", command);
    print_safe(stderr, detail);
    fprintf(stderr, "\n");
}
