/* guard.h - makes OpenSSL keep everything that it allocates in vault memory.
 *
 * Prepared contexts hold key schedules, TLS holds decrypted records; OpenSSL takes its memory from
 * malloc unless it is told otherwise before its first allocation. One process, one choice, so only
 * main may make it: call it first thing, before any other function that uses OpenSSL.
 */
#ifndef SECRET_GUARD_H
#define SECRET_GUARD_H

#include "base/status.h"

/* REFUSED when OpenSSL has allocated already: nothing is changed then. */
enum status secret_guard_memory(void);

#endif
