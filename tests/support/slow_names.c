/* slow_names.c - to be preloaded (LD_PRELOAD): the system's lookup of a name that ends in
 * .slow.example never ends, as if nobody answered and nobody lost patience. Every other name is
 * looked up as always.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    while (name != NULL && strstr(name, ".slow.example") != NULL)
        (void)pause();
    lookup_fn *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real != NULL ? real(name, service, hints, found) : EAI_SYSTEM;
}
