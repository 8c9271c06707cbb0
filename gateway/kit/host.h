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
#define HOST_ROOMS  13
#define HOST_TABLES 5

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
    ROOM_PATH,
    ROOM_HEADERS,
    ROOM_ACTION_VALUES,
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
    struct host_event {
        uint32_t kind;        /* RG_EVENT_... */
        uint32_t http_status; /* REPLY over HTTP */
        struct view headers;  /* the same: "name: value\n" lines */
        struct view bytes;
    } events[HOST_EVENTS];
    size_t events_count;
};

struct host_step {
    uint32_t kind; /* RG_STEP_... as the adapter returned it */
    struct rg_out out;
    uint8_t *memory; /* of the rooms */
    struct rg_named *rows[HOST_TABLES];
};
/* The tables of struct rg_out: refs, grants, extra, headers, action_values. */
const struct rg_table *host_table(const struct host_step *step, int table);
/* What a room of the step holds so far. */
const struct rg_buffer *host_room(const struct host_step *step, enum host_room room);

struct host {
    const struct loaded_adapter *adapter;
    void *instance;
    uint8_t *instance_copy; /* as configure() left it: it must stay so */
    struct rg_value values[64];
    struct arena arena;        /* texts of values; lives as long as the instance */
    struct host_step step;     /* where host_replay puts its result */
    struct host_block *blocks; /* inputs of the exchange that is being replayed */
    void *notice_memory;       /* the adapter's, for the message that is being read */
    int64_t slowest_ns;        /* CPU time of the slowest call so far */
    uint64_t calls;
};

enum status host_open(struct host *host, const struct loaded_adapter *adapter);
void host_close(struct host *host);

/* One value, by the type and range of its row; of a FILE its content. `why`: one sentence that
 * names the setting. */
enum status host_set(struct host *host, struct view name, struct view value, struct writer *why);
bool host_setting_is_file(const struct host *host, struct view name);
/* What a FILE setting holds; at most 1 MiB. */
enum status host_read_file(struct arena *arena, const char *path, struct view *out);
/* Fills defaults and calls configure(). REFUSED with `why`; `row`: which setting, or 0xffffffff. */
enum status host_configure(struct host *host, uint32_t *row, struct writer *why);

struct host_variation {
    size_t room[HOST_ROOMS];       /* sizes of the rooms in the last call */
    bool keep_inputs;              /* do not overwrite inputs after the calls */
    size_t later;                  /* so many bytes more in each input struct, as of a later host */
    const struct host_event *last; /* instead of the last event in the take, or NULL */
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

/* A message that the channel sent unasked. Over HTTP method, path and headers are set. */
struct host_message {
    uint32_t http_method;
    struct view path, headers, bytes;
    struct rg_civil utc; /* when it came */
    int64_t time_unix_us;
};
#define HOST_NOTICE_ROOMS 10
#define HOST_NOTICE_ROWS  16
struct host_notice {
    uint32_t answer;
    struct rg_notice_out out;
    uint8_t rooms[24576]; /* of all buffers but out.bytes */
    uint8_t *bytes;       /* room of out.bytes */
    size_t bytes_room;
    struct rg_named rows[HOST_NOTICE_ROWS];
};
/* In the arena. NULL: no memory. */
struct host_notice *host_notice_open(struct host *host, struct arena *arena);
/* The name of a room that was too small, or NULL. */
const char *host_notice_fault(const struct host_notice *notice);
/* index: entry of the message, from 0 on. */
void host_notice(struct host *host, const struct host_message *message, bool verified,
                 uint32_t index, struct host_notice *out);

#endif
