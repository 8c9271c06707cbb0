/* out_buffer.h - bytes on their way out, in vault memory.
 *
 * Grows by doubling up to what the caller allows, is consumed from the front, and is wiped as it is
 * consumed. Small ones are kept for the next message, large ones are given back.
 */
#ifndef WIRE_OUT_BUFFER_H
#define WIRE_OUT_BUFFER_H

#include "base/bytes.h"

struct out_buffer {
    uint8_t *ptr;
    size_t room, start, end; /* bytes wait in [start, end) */
};

static inline size_t out_buffer_len(const struct out_buffer *out)
{
    return out->end - out->start;
}
static inline struct view out_buffer_view(const struct out_buffer *out)
{
    return view_of(out->ptr != NULL ? out->ptr + out->start : NULL, out_buffer_len(out));
}
/* A place for `len` more bytes behind what is there; NULL when memory is out. Then say with
 * out_buffer_took how many were written. */
uint8_t *out_buffer_room(struct out_buffer *out, size_t len);
static inline void out_buffer_took(struct out_buffer *out, size_t len)
{
    out->end += len;
}
enum status out_buffer_append(struct out_buffer *out, struct view bytes);
/* The first `len` bytes have left: wipes them. */
void out_buffer_consume(struct out_buffer *out, size_t len);
void out_buffer_free(struct out_buffer *out);

#endif
