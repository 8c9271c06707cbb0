/* host.h - a host small enough to be cruel: it calls an adapter and watches what it does.
 *
 * Every call gets its inputs in heap memory of their exact size, which is overwritten and given
 * back when the call returns, and its outputs in rooms with a guard behind them. Calls are replayed
 * from the start of the exchange each time, in fresh memory, so that any of them can be repeated
 * with other rooms or other bytes. Single-threaded.
 */
#ifndef KIT_HOST_H
#define KIT_HOST_H

#include "base/arena.h"
#include "channel/loader.h"

#define HOST_ROWS   64
#define HOST_EVENTS 64
#define HOST_ROOMS  10

/* The rooms of struct rg_out, in its order. */
enum host_room {
    ROOM_BYTES,
    ROOM_CORRELATION,
    ROOM_SIGN_KEY,
    ROOM_REFS,
    ROOM_GRANTS,
    ROOM_REFERENCE,
    ROOM_RAIL_CODE,
    ROOM_MESSAGE,
    ROOM_DIAGNOSIS,
    ROOM_EXTRA,
};
const char *host_room_name(enum host_room room);

/* Named values that are kept: copies in an arena. */
struct host_rows {
    struct rg_named rows[HOST_ROWS];
    uint64_t count;
};
enum status host_rows_copy(struct arena *arena, const struct rg_named *rows, uint64_t count,
                           struct host_rows *out); /* appends */

/* One exchange: its command and everything that was answered to it so far. */
struct host_take {
    struct rg_command command; /* details and refs are set from the two below */
    struct host_rows details, refs;
    struct {
        uint32_t kind; /* RG_EVENT_... */
        struct view bytes;
    } events[HOST_EVENTS];
    size_t events_count;
};

struct host_step {
    uint32_t kind; /* RG_STEP_... as the adapter returned it */
    struct rg_out out;
    uint8_t *memory; /* of the rooms */
    struct rg_named *rows[3];
};

struct host {
    const struct loaded_adapter *adapter;
    void *instance;
    uint8_t *instance_copy; /* as configure() left it: it must stay so */
    struct rg_value values[64];
    struct arena arena;        /* texts of values; lives as long as the instance */
    struct host_step step;     /* where host_replay puts its result */
    struct host_block *blocks; /* inputs of the exchange that is being replayed */
    int64_t slowest_ns;        /* CPU time of the slowest call so far */
    uint64_t calls;
};

enum status host_open(struct host *host, const struct loaded_adapter *adapter);
void host_close(struct host *host);

/* One value, by the type and range of its row. `why`: one sentence that names the setting. */
enum status host_set(struct host *host, struct view name, struct view value, struct writer *why);
/* Fills defaults and calls configure(). REFUSED with `why`; `row`: which setting, or 0xffffffff. */
enum status host_configure(struct host *host, uint32_t *row, struct writer *why);

struct host_variation {
    size_t room[HOST_ROOMS]; /* sizes of the rooms in the last call */
    bool keep_inputs;        /* do not overwrite inputs after the calls */
    const struct view *last; /* bytes of the last event instead of those in the take, or NULL */
};
/* As large as anything may need. */
void host_variation_init(const struct host *host, struct host_variation *v);

/* begin() and the first `events` events of the take, in fresh exchange memory. The result is in
 * host->step. False when the adapter did what it must never do (wrote beyond a room or its exchange
 * memory, changed its instance, ended before the last event): `why` says what. */
bool host_replay(struct host *host, const struct host_take *take, size_t events,
                 const struct host_variation *v, struct writer *why);
/* Copies a step's outputs into `out`, so that two runs can be compared byte by byte. */
void host_step_print(const struct host_step *step, struct writer *out);
/* Any room of the step overflowed. */
bool host_step_overflowed(const struct host_step *step);

/* frame() and notice(); inputs and rooms are treated in the same way. */
uint32_t host_frame(struct host *host, struct view bytes, struct rg_frame *out, uint8_t key[64]);
struct host_notice {
    uint32_t answer;
    struct rg_notice_out out;
    uint8_t rooms[6][2048];
    uint8_t refs_text[4096];
    struct rg_named rows[HOST_ROWS];
};
void host_notice(struct host *host, struct view bytes, bool verified, struct host_notice *out);

#endif
