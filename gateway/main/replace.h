/* replace.h - small files, whole: read, and written so that a reader sees the old or the new one,
 * never a part, also when the power fails. Blocks. */
#ifndef MAIN_REPLACE_H
#define MAIN_REPLACE_H

#include "base/arena.h"

/* "-": standard input. NOT_FOUND, DENIED, RANGE (more than bytes_max), IO, NO_MEMORY. */
enum status file_read(const char *path, size_t bytes_max, struct arena *arena, struct view *out);
/* Written beside it, flushed, renamed; the rights of the file that was there stay. */
enum status file_replace(const char *path, struct view bytes);
/* A second name for a file in the same file system: the bytes stay there when `path` is replaced.
 * EXISTS when there is one of that name; DENIED also where files have one name only. */
enum status file_keep(const char *path, const char *name);
/* Mode 0644; EXISTS when there is one. */
enum status file_create(const char *path, struct view bytes);

#endif
