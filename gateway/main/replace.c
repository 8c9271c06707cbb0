/* replace.c - see replace.h. */
#include "main/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return STATUS_NOT_FOUND;
    case EACCES:
    case EPERM: return STATUS_DENIED;
    case EEXIST: return STATUS_EXISTS;
    default: return STATUS_IO;
    }
}

enum status file_read(const char *path, size_t bytes_max, struct arena *arena, struct view *out)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_of(errno);
    enum status status = STATUS_OK;
    uint8_t *bytes = arena_alloc(arena, bytes_max + 1);
    size_t len = 0;
    ssize_t got = 1;
    while (bytes != NULL && got > 0 && len <= bytes_max) {
        got = read(fd, bytes + len, bytes_max + 1 - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (bytes == NULL)
        status = STATUS_NO_MEMORY;
    else if (got < 0)
        status = status_of(errno);
    else if (len > bytes_max)
        status = STATUS_RANGE;
    if (!standard)
        (void)close(fd);
    *out = status == STATUS_OK ? view_of(bytes, len) : VIEW_EMPTY;
    return status;
}

static enum status write_all(int fd, struct view bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return STATUS_IO;
        bytes = view_slice(bytes, (size_t)wrote, bytes.len);
    }
    return fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
}

/* The rename is durable only when the folder is. */
static void flush_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) >= sizeof folder)
        return;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    int fd = open(folder[0] != '\0' ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

enum status file_replace(const char *path, struct view bytes)
{
    char temporary[4096];
    struct stat old;
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 07777 : 0644;
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return STATUS_RANGE;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return status_of(errno);
    enum status status = write_all(fd, bytes);
    if (status == STATUS_OK && fchmod(fd, mode) != 0)
        status = STATUS_IO;
    if (close(fd) != 0 && status == STATUS_OK)
        status = STATUS_IO;
    if (status == STATUS_OK && rename(temporary, path) != 0)
        status = status_of(errno);
    if (status != STATUS_OK)
        (void)unlink(temporary);
    else
        flush_folder(path);
    return status;
}

enum status file_keep(const char *path, const char *name)
{
    return link(path, name) == 0 ? STATUS_OK : status_of(errno);
}

enum status file_create(const char *path, struct view bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return status_of(errno);
    enum status status = write_all(fd, bytes);
    if (close(fd) != 0 && status == STATUS_OK)
        status = STATUS_IO;
    if (status != STATUS_OK)
        (void)unlink(path);
    return status;
}
