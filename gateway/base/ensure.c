/* ensure.c - the end of a process that broke its own promise. */
#include "ensure.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ensure_failed(const char *expression, const char *file, int line)
{
    /* dprintf and not stdio: whatever is broken, no buffer of ours is needed to say so. */
    (void)dprintf(STDERR_FILENO, "%s:%d: ensure failed: %s\n", file, line, expression);
    abort();
}
