/* ensure.h - assertions that stay on in release, for what *we* promised.
 *
 * No byte from a merchant, bank, adapter or file may trip one: what the outside did is a status.
 */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#include <stddef.h>

/* Prints file, line and expression to stderr and aborts. Never prints values. */
_Noreturn void ensure_failed(const char *expression, const char *file, int line);

#define ENSURE(expression)                                                                         \
    do {                                                                                           \
        if (__builtin_expect(!(expression), 0))                                                    \
            ensure_failed(#expression, __FILE__, __LINE__);                                        \
    } while (0)

/* The first line of everything that takes a `void *`: is this the thing I think it is? */
#define ENSURE_MAGIC(object, expected) ENSURE((object) != NULL && (object)->magic == (expected))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
