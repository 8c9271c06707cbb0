/* inject.c - a library for LD_PRELOAD that makes the n-th call of a kind fail, and moves the wall
 * clock.
 *
 * The file named by RAILGATE_INJECT is mapped and shared with the test (inject.py), which arms and
 * reads it while the program runs:
 *
 *     kinds          which calls count, a bit for each kind below; 0: nothing counts and nothing
 *                    fails
 *     first, last    the calls that fail: from the first-th to the last-th that counts, from 1
 *     error          errno of the failure; SHORT: what is written, sent or read is cut to half, at
 *                    least a byte
 *     calls, fired   how many counted and how many failed since it was armed
 *     function, frames, offsets, objects
 *                    what failed last, and who called it (for the report of a failing test)
 *     clock_us       added to CLOCK_REALTIME
 *
 * Without the variable, or not armed, every call goes straight on. A call's kind goes by its
 * descriptor: FILE calls are those on regular files (SQLite's), LOG those on standard output and
 * error, SOCKET those on sockets; pipes, eventfds and epoll's own waiting are never touched. The
 * counting is one atomic addition, so with several threads each failure still happens exactly once.
 *
 * `inject_vault` is asked by railgate-torture (vault.c beside this file), whose memory for requests
 * does not come from malloc.
 */
#include "preload.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC      UINT32_C(0x6E6A6563)
#define SHORT      (-1)
#define FRAMES_MAX 24

/* The same bits in inject.py. */
enum kind {
    KIND_MALLOC = 1 << 0,
    KIND_VAULT = 1 << 1,
    KIND_FILE_WRITE = 1 << 2,
    KIND_FILE_SYNC = 1 << 3,
    KIND_FILE_TRUNCATE = 1 << 4,
    KIND_FILE_OPEN = 1 << 5,
    KIND_FILE_READ = 1 << 6,
    KIND_LOG = 1 << 7,
    KIND_SOCKET = 1 << 8,
    KIND_CONNECT = 1 << 9,
    KIND_ACCEPT = 1 << 10,
    KIND_SEND = 1 << 11,
    KIND_RECEIVE = 1 << 12,
    KIND_OPTION = 1 << 13,
    KIND_EPOLL = 1 << 14,
};

struct control {
    uint32_t magic;
    _Atomic uint32_t attached; /* the process that mapped it last */
    _Atomic uint32_t kinds;
    _Atomic int32_t error;
    _Atomic int64_t first, last;
    _Atomic int64_t calls, fired;
    _Atomic int64_t clock_us;
    char function[32];
    uint64_t depth;
    uint64_t frames[FRAMES_MAX];  /* addresses... */
    uint64_t offsets[FRAMES_MAX]; /* ...less where their object was mapped, */
    char objects[FRAMES_MAX][96]; /* and the end of its path */
};
_Static_assert(sizeof(struct control) <= 4096, "one page");

static struct control *control;
static _Thread_local bool inside; /* what we call ourselves does not count */

/* --- counting ---------------------------------------------------------------------------- */

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("RAILGATE_INJECT");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (at == MAP_FAILED || ((struct control *)at)->magic != MAGIC)
        return;
    void *first[1];
    (void)backtrace(first, 1); /* its own library is loaded now, not in the middle of something */
    struct control *found = at;
    atomic_store(&found->attached, (uint32_t)getpid());
    control = found;
}

__attribute__((noinline)) static void remember(const char *function)
{
    void *frames[FRAMES_MAX];
    int depth = backtrace(frames, FRAMES_MAX);
    size_t length = strlen(function);
    memset(control->function, 0, sizeof control->function);
    memcpy(control->function, function,
           length < sizeof control->function ? length : sizeof control->function - 1);
    for (int i = 0; i < depth; i++) {
        Dl_info about = { 0 };
        control->frames[i] = (uint64_t)(uintptr_t)frames[i];
        control->offsets[i] = 0;
        memset(control->objects[i], 0, sizeof control->objects[i]);
        if (dladdr(frames[i], &about) == 0 || about.dli_fname == NULL)
            continue;
        control->offsets[i] = (uint64_t)((uintptr_t)frames[i] - (uintptr_t)about.dli_fbase);
        size_t name = strlen(about.dli_fname), room = sizeof control->objects[i] - 1;
        const char *from = name > room ? about.dli_fname + name - room : about.dli_fname;
        memcpy(control->objects[i], from, strlen(from));
    }
    control->depth = (uint64_t)depth;
}

/* 0, or the error with which this call must fail. */
static int failure(uint32_t kind, const char *function)
{
    if (control == NULL || inside || (atomic_load(&control->kinds) & kind) == 0)
        return 0;
    int64_t number = atomic_fetch_add(&control->calls, 1) + 1;
    if (number < atomic_load(&control->first) || number > atomic_load(&control->last))
        return 0;
    if (atomic_fetch_add(&control->fired, 1) == 0) {
        inside = true;
        remember(function);
        inside = false;
    }
    return atomic_load(&control->error);
}

static bool is_armed(uint32_t kinds)
{
    return control != NULL && !inside && (atomic_load(&control->kinds) & kinds) != 0;
}

/* The kind of a call on this descriptor, or 0. */
static uint32_t kind_of(int fd, uint32_t on_file, uint32_t on_socket)
{
    if (!is_armed(on_file | on_socket | KIND_LOG))
        return 0;
    int kept = errno;
    struct stat about;
    uint32_t kind = 0;
    if (fstat(fd, &about) == 0) {
        if (S_ISSOCK(about.st_mode))
            kind = on_socket;
        else if (S_ISREG(about.st_mode))
            kind = fd <= 2 ? on_file == KIND_FILE_WRITE ? KIND_LOG : 0 : on_file;
    }
    errno = kept;
    return kind;
}

/* True: the call fails with -1 and errno is set. Otherwise *length is what it may take. */
static bool fails(uint32_t kind, const char *function, size_t *length)
{
    int error = kind == 0 ? 0 : failure(kind, function);
    if (error == 0)
        return false;
    if (error == SHORT && length != NULL) {
        *length = *length > 1 ? *length / 2 : *length;
        return false;
    }
    errno = error == SHORT ? EINTR : error;
    return true;
}

/* --- memory ------------------------------------------------------------------------------ */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

PUBLIC void *malloc(size_t size)
{
    return fails(KIND_MALLOC, "malloc", NULL) ? NULL : __libc_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
    return fails(KIND_MALLOC, "calloc", NULL) ? NULL : __libc_calloc(count, size);
}

PUBLIC void *realloc(void *block, size_t size)
{
    return fails(KIND_MALLOC, "realloc", NULL) ? NULL : __libc_realloc(block, size);
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(KIND_MALLOC, "aligned_alloc", NULL) ? NULL : __libc_memalign(alignment, size);
}

PUBLIC int posix_memalign(void **to, size_t alignment, size_t size)
{
    void *block =
        fails(KIND_MALLOC, "posix_memalign", NULL) ? NULL : __libc_memalign(alignment, size);
    if (block == NULL)
        return ENOMEM;
    *to = block;
    return 0;
}

PUBLIC bool inject_vault(void);
PUBLIC bool inject_vault(void)
{
    return fails(KIND_VAULT, "vault", NULL);
}

/* --- files ------------------------------------------------------------------------------- */

PUBLIC ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    REAL(pwrite);
    if (fails(kind_of(fd, KIND_FILE_WRITE, 0), "pwrite", &length))
        return -1;
    return real(fd, bytes, length, at);
}

PUBLIC ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    REAL(pwrite64);
    if (fails(kind_of(fd, KIND_FILE_WRITE, 0), "pwrite64", &length))
        return -1;
    return real(fd, bytes, length, at);
}

PUBLIC ssize_t pread64(int fd, void *bytes, size_t length, off64_t at)
{
    REAL(pread64);
    if (fails(kind_of(fd, KIND_FILE_READ, 0), "pread64", NULL))
        return -1;
    return real(fd, bytes, length, at);
}

PUBLIC int fdatasync(int fd)
{
    REAL(fdatasync);
    return fails(kind_of(fd, KIND_FILE_SYNC, 0), "fdatasync", NULL) ? -1 : real(fd);
}

PUBLIC int fsync(int fd)
{
    REAL(fsync);
    return fails(kind_of(fd, KIND_FILE_SYNC, 0), "fsync", NULL) ? -1 : real(fd);
}

PUBLIC int ftruncate64(int fd, off64_t length)
{
    REAL(ftruncate64);
    return fails(kind_of(fd, KIND_FILE_TRUNCATE, 0), "ftruncate64", NULL) ? -1 : real(fd, length);
}

PUBLIC int open64(const char *path, int flags, ...)
{
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(KIND_FILE_OPEN, "open64", NULL) ? -1 : real(path, flags, mode);
}

/* --- files and sockets ------------------------------------------------------------------- */

PUBLIC ssize_t write(int fd, const void *bytes, size_t length)
{
    REAL(write);
    if (fails(kind_of(fd, KIND_FILE_WRITE, KIND_SEND), "write", &length))
        return -1;
    return real(fd, bytes, length);
}

PUBLIC ssize_t read(int fd, void *bytes, size_t length)
{
    REAL(read);
    size_t cut = length > 64 ? 64 : length; /* half of the room would hold a whole message */
    size_t asked = cut;
    if (fails(kind_of(fd, KIND_FILE_READ, KIND_RECEIVE), "read", &cut))
        return -1;
    return real(fd, bytes, cut < asked ? cut : length);
}

/* Only the first buffer, half of it. */
static void shorten(struct iovec *one, const struct iovec *all, size_t length)
{
    *one = (struct iovec){ .iov_base = all[0].iov_base, .iov_len = length };
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    size_t length = count > 0 ? parts[0].iov_len : 0, cut = length;
    if (fails(kind_of(fd, KIND_FILE_WRITE, KIND_SEND), "writev", &cut))
        return -1;
    if (cut == length)
        return real(fd, parts, count);
    struct iovec one;
    shorten(&one, parts, cut);
    return real(fd, &one, 1);
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    size_t length = message->msg_iovlen > 0 ? message->msg_iov[0].iov_len : 0, cut = length;
    if (fails(kind_of(fd, 0, KIND_SEND), "sendmsg", &cut))
        return -1;
    if (cut == length)
        return real(fd, message, flags);
    struct iovec one;
    struct msghdr shorter = *message;
    shorten(&one, message->msg_iov, cut);
    shorter.msg_iov = &one;
    shorter.msg_iovlen = 1;
    return real(fd, &shorter, flags);
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    return fails(kind_of(fd, 0, KIND_RECEIVE), "recvmsg", NULL) ? -1 : real(fd, message, flags);
}

PUBLIC int socket(int domain, int type, int protocol)
{
    REAL(socket);
    return fails(KIND_SOCKET, "socket", NULL) ? -1 : real(domain, type, protocol);
}

PUBLIC int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    REAL(connect);
    return fails(KIND_CONNECT, "connect", NULL) ? -1 : real(fd, to, length);
}

PUBLIC int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags)
{
    REAL(accept4);
    return fails(KIND_ACCEPT, "accept4", NULL) ? -1 : real(fd, from, length, flags);
}

PUBLIC int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    REAL(setsockopt);
    return fails(KIND_OPTION, "setsockopt", NULL) ? -1 : real(fd, level, name, value, length);
}

PUBLIC int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    return fails(KIND_EPOLL, "epoll_ctl", NULL) ? -1 : real(epoll, operation, fd, event);
}

/* --- the clock --------------------------------------------------------------------------- */

static int64_t moved_us(void)
{
    return control == NULL ? 0 : atomic_load(&control->clock_us);
}
