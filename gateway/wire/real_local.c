/* real_local.c - whether the path of a Unix socket may be listened on.
 *
 * The file outlives a process that was killed. So somebody is asked for: who answers lives, and the
 * path is taken; where nobody listens (ECONNREFUSED) the file is a left-over and goes. Anything
 * that is no socket stays where it is: it is not ours.
 *
 * Between asking and binding another process could take the path; binding is then EXISTS, and
 * nothing of the other's is lost. (`railgate serve` also holds a lock on its database.)
 */
#include "wire/real_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCAL_PATH_MAX 100 /* sun_path has 108 bytes on Linux and fewer elsewhere */

static enum status ask_whether_alive(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return STATUS_IO;
    int error = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    (void)close(fd);
    if (error != ECONNREFUSED)
        return error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_EXISTS;
    return unlink(path) == 0 || errno == ENOENT ? STATUS_OK : STATUS_DENIED;
}

enum status real_local_vacate(const char *path)
{
    struct stat found;
    if (strlen(path) > LOCAL_PATH_MAX)
        return STATUS_RANGE;
    if (lstat(path, &found) != 0)
        return STATUS_OK; /* binding says what is wrong, if anything is */
    return S_ISSOCK(found.st_mode) ? ask_whether_alive(path) : STATUS_EXISTS;
}
