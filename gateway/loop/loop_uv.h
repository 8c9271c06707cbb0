/* loop_uv.h - the private door for wire/: the libuv loop under a real loop.
 *
 * Only loop/ and wire/ may include this header (and uv.h). Callbacks of libuv run inside a turn of
 * the loop, so what they defer with loop_defer runs at the end of that turn.
 */
#ifndef LOOP_LOOP_UV_H
#define LOOP_LOOP_UV_H

#include "loop/loop.h"

#include <uv.h>

/* The loop must be real. Borrowed; lives as long as the loop. */
uv_loop_t *loop_uv(struct loop *loop);
/* One turn: input, posted tasks, timers, deferred tasks. may_wait: sleep until something happens.
 * For shutting down, outside loop_run only. */
void loop_uv_turn(struct loop *loop, bool may_wait);

#endif
