/* memory.h - the in-memory network: same connections, no kernel, all accidents under a seed.
 *
 * Endpoints are names ("card:1", "gateway:80"). Time passes on the loop, which must be virtual.
 * Bytes written arrive after a delay drawn from the seed, in order within one connection (it is a
 * stream), cut into pieces at places the seed decides.
 */
#ifndef WIRE_MEMORY_H
#define WIRE_MEMORY_H

#include "wire/conn.h"

struct memory_faults {
    int64_t delay_us_min, delay_us_max; /* per piece */
    uint32_t stall_per_million;         /* a piece is held for stall_us (and what follows it) */
    int64_t stall_us;
    uint32_t reset_per_million; /* per write: the connection breaks, before or after delivery, or
                                   when a part of it was delivered */
    uint32_t connect_refused_per_million;
    uint32_t cut_per_million;  /* a write is cut in two pieces with a delay between */
    uint32_t flip_per_million; /* one byte of a piece is changed */
};

/* How often what happened so far. */
struct memory_counts {
    uint64_t stalled, reset, refused, cut, truncated, flipped;
};

/* faults NULL: none, and no delay. The loop must be virtual. TLS is UNSUPPORTED here. */
enum status wire_open_memory(struct wire **out, struct loop *loop,
                             const struct memory_faults *faults);
/* Changes the accidents from now on. */
void wire_memory_set_faults(struct wire *wire, const struct memory_faults *faults);
void wire_memory_counts(const struct wire *wire, struct memory_counts *out);

#endif
