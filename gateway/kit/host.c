/* host.c - a host small enough to be cruel. Interface: host.h. */
#include "kit/host.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GUARD          0xC5
#define GUARD_LEN      16
#define POISON         0xA5
#define FILE_MAX       (1u << 20)
#define BYTES_ROOM_MIN 8192

/* As large as the gateway's own (channel/channel_int.h): what fits here fits there. */
static const struct {
    const char *name;
    size_t size; /* 0: what the adapter says its largest request needs */
} rooms[HOST_ROOMS] = {
    [ROOM_BYTES] = { "bytes", 0 },
    [ROOM_CORRELATION] = { "correlation", 64 },
    [ROOM_SIGN_KEY] = { "sign_key", 64 },
    [ROOM_REFS] = { "refs", 8192 },
    [ROOM_GRANTS] = { "grants", 8192 },
    [ROOM_REFERENCE] = { "reference", 128 },
    [ROOM_RAIL_CODE] = { "rail_code", 32 },
    [ROOM_MESSAGE] = { "message", 256 },
    [ROOM_DIAGNOSIS] = { "diagnosis", 256 },
    [ROOM_EXTRA] = { "extra", 8192 },
    [ROOM_PATH] = { "path", 2048 },
    [ROOM_HEADERS] = { "headers", 16384 },
    [ROOM_ACTION_VALUES] = { "action_values", 8192 },
};
static const uint64_t table_rows[HOST_TABLES] = { 64, 8, 32, 32, 16 };

const char *host_room_name(enum host_room room)
{
    return rooms[room].name;
}

static size_t room_size(const struct host *host, int room)
{
    if (rooms[room].size != 0)
        return rooms[room].size;
    /* SIGN hands out what is signed in the same room; it may be more than what is sent */
    uint64_t request = host->adapter->api.request_max;
    return request > BYTES_ROOM_MIN ? (size_t)request : BYTES_ROOM_MIN;
}

/* --- life ------------------------------------------------------------------------------------ */

enum status host_open(struct host *host, const struct loaded_adapter *adapter)
{
    *host = (struct host){ .adapter = adapter };
    arena_init(&host->arena, 4u << 20);
    size_t total = 0;
    for (int i = 0; i < HOST_ROOMS; i++)
        total += room_size(host, i) + GUARD_LEN;
    size_t instance_size = adapter->api.instance_size;
    host->instance = calloc(1, instance_size + GUARD_LEN);
    host->instance_copy = calloc(1, instance_size + 1);
    host->step.memory = calloc(1, total);
    bool done = host->instance != NULL && host->instance_copy != NULL && host->step.memory != NULL;
    for (int i = 0; i < HOST_TABLES; i++) {
        host->step.rows[i] = calloc(HOST_ROWS, sizeof(struct rg_named));
        done = done && host->step.rows[i] != NULL;
    }
    return done ? STATUS_OK : STATUS_NO_MEMORY;
}

void host_close(struct host *host)
{
    free(host->instance);
    free(host->instance_copy);
    free(host->notice_memory);
    free(host->step.memory);
    for (int i = 0; i < HOST_TABLES; i++)
        free(host->step.rows[i]);
    arena_reset(&host->arena);
}

enum status host_rows_copy(struct arena *arena, const struct rg_named *rows, uint64_t count,
                           struct host_rows *out)
{
    for (uint64_t i = 0; i < count; i++) {
        if (out->count == HOST_ROWS)
            return STATUS_FULL;
        struct view name = arena_copy(arena, view_of(rows[i].name.ptr, rows[i].name.len));
        struct view value = arena_copy(arena, view_of(rows[i].value.ptr, rows[i].value.len));
        if (arena->overflow)
            return STATUS_NO_MEMORY;
        out->rows[out->count++] = (struct rg_named){ .name = { name.ptr, name.len },
                                                     .value = { value.ptr, value.len },
                                                     .flags = rows[i].flags };
    }
    return STATUS_OK;
}

/* --- settings -------------------------------------------------------------------------------- */

static int64_t choice_index(const char *choices, struct view word)
{
    struct view rest = view_text(choices);
    for (int64_t index = 0;; index++) {
        size_t end = view_find(rest, '|');
        if (view_equal(view_slice(rest, 0, end), word))
            return index;
        if (end == rest.len)
            return -1;
        rest = view_slice(rest, end + 1, rest.len);
    }
}

static enum status parse_value(const struct rg_setting *row, struct view text,
                               struct rg_value *value)
{
    switch (row->type) {
    case RG_SETTING_NUMBER:
        TRY(view_to_i64(text, &value->number));
        return value->number < row->min || value->number > row->max ? STATUS_RANGE : STATUS_OK;
    case RG_SETTING_TEXT:
    case RG_SETTING_FILE:
        return (int64_t)text.len < row->min || (int64_t)text.len > row->max ? STATUS_RANGE
                                                                            : STATUS_OK;
    case RG_SETTING_CHOICE:
        value->number = choice_index(row->choices, text);
        return value->number < 0 ? STATUS_NOT_FOUND : STATUS_OK;
    case RG_SETTING_FLAG:
        value->number = view_is(text, "yes");
        return view_is(text, "yes") || view_is(text, "no") ? STATUS_OK : STATUS_MALFORMED;
    default: return text.len < 1 || text.len > 64 ? STATUS_RANGE : STATUS_OK;
    }
}

static enum status set_row(struct host *host, uint64_t index, struct view text, struct writer *why)
{
    const struct rg_setting *row = adapter_setting(host->adapter, index);
    struct rg_value value = { .present = 1 };
    enum status status = parse_value(row, text, &value);
    if (status != STATUS_OK) {
        writer_format(why, "setting %s: \"%.*s\": %s", row->name,
                      (int)(text.len > 100 ? 100 : text.len), (const char *)text.ptr,
                      status_text(status));
        return status;
    }
    struct view copy = arena_copy(&host->arena, text);
    if (host->arena.overflow)
        return STATUS_NO_MEMORY;
    value.text = (struct rg_bytes){ copy.ptr, copy.len };
    host->values[index] = value;
    return STATUS_OK;
}

enum status host_set(struct host *host, struct view name, struct view value, struct writer *why)
{
    for (uint64_t i = 0; i < host->adapter->api.settings_count; i++)
        if (view_is(name, adapter_setting(host->adapter, i)->name))
            return set_row(host, i, value, why);
    writer_format(why, "this adapter has no setting %.*s", (int)name.len, (const char *)name.ptr);
    return STATUS_NOT_FOUND;
}

bool host_setting_is_file(const struct host *host, struct view name)
{
    for (uint64_t i = 0; i < host->adapter->api.settings_count; i++)
        if (view_is(name, adapter_setting(host->adapter, i)->name))
            return adapter_setting(host->adapter, i)->type == RG_SETTING_FILE;
    return false;
}

enum status host_read_file(struct arena *arena, const char *path, struct view *out)
{
    FILE *file = fopen(path, "re");
    uint8_t *room = arena_alloc(arena, FILE_MAX);
    size_t len = file != NULL && room != NULL ? fread(room, 1, FILE_MAX, file) : FILE_MAX;
    if (file != NULL)
        fclose(file);
    *out = view_of(room, len);
    arena_trim(arena, room, len);
    return len < FILE_MAX ? STATUS_OK : STATUS_IO;
}

enum status host_configure(struct host *host, uint32_t *row, struct writer *why)
{
    const struct rg_adapter *api = &host->adapter->api;
    uint8_t text[512];
    *row = 0xffffffff;
    for (uint64_t i = 0; i < api->settings_count; i++) {
        const struct rg_setting *setting = adapter_setting(host->adapter, i);
        if (host->values[i].present == 0 && setting->fallback != NULL)
            TRY(set_row(host, i, view_text(setting->fallback), why));
        if (host->values[i].present == 0 && setting->required != 0) {
            *row = (uint32_t)i;
            writer_format(why, "setting %s is required", setting->name);
            return STATUS_REFUSED;
        }
    }
    struct rg_diag diag = { .size = sizeof diag,
                            .row = 0xffffffff,
                            .text = { text, sizeof text, 0, 0, 0 } };
    memset(host->instance, 0, api->instance_size);
    memset((uint8_t *)host->instance + api->instance_size, GUARD, GUARD_LEN);
    uint32_t answer = api->configure(host->instance, host->values, &diag);
    memcpy(host->instance_copy, host->instance, api->instance_size);
    if (answer == 1)
        return STATUS_OK;
    *row = diag.row;
    writer_bytes(why, text, diag.text.len <= sizeof text ? diag.text.len : 0);
    return STATUS_REFUSED;
}

/* --- memory that is taken away --------------------------------------------------------------- */

/* What inputs live in: they end where their memory ends, so that a sanitizer sees a byte too far.
 */
struct host_block {
    struct host_block *next;
    uint64_t len; /* keeps the bytes aligned to 16 */
    uint8_t bytes[];
};

/* Memory running out ends the program: this is a tool, not the gateway. */
static void *exact(struct host *host, const void *bytes, size_t len)
{
    struct host_block *block = malloc(sizeof *block + len);
    ENSURE(block != NULL);
    block->len = len;
    block->next = host->blocks;
    host->blocks = block;
    if (len > 0)
        memcpy(block->bytes, bytes, len);
    return block->bytes;
}

/* Every input of the call that has just returned. */
static void poison(struct host *host)
{
    for (struct host_block *block = host->blocks; block != NULL; block = block->next)
        memset(block->bytes, POISON, block->len);
}

/* At the end of an exchange, not of a call: memory that was given back could hold anything, and an
 * adapter that still looks at it would sometimes get away with it. */
static void give_back(struct host *host)
{
    while (host->blocks != NULL) {
        struct host_block *block = host->blocks;
        host->blocks = block->next;
        free(block);
    }
}

static struct rg_named *copy_rows(struct host *host, const struct host_rows *from)
{
    struct rg_named *rows = exact(host, from->rows, from->count * sizeof *rows);
    for (uint64_t i = 0; i < from->count; i++) {
        rows[i].name.ptr = exact(host, rows[i].name.ptr, rows[i].name.len);
        rows[i].value.ptr = exact(host, rows[i].value.ptr, rows[i].value.len);
    }
    return rows;
}

/* --- outputs --------------------------------------------------------------------------------- */

static struct rg_buffer *room_of(struct rg_out *out, int room)
{
    struct rg_buffer *all[HOST_ROOMS] = {
        &out->bytes,
        &out->correlation,
        &out->sign_key,
        &out->refs.text,
        &out->grants.text,
        &out->reference,
        &out->rail_code,
        &out->message,
        &out->diagnosis,
        &out->extra.text,
        &out->path,
        &out->headers.text,
        &out->action_values.text,
    };
    return all[room];
}

static struct rg_table *table_of(struct rg_out *out, int table)
{
    struct rg_table *all[HOST_TABLES] = { &out->refs, &out->grants, &out->extra, &out->headers,
                                          &out->action_values };
    return all[table];
}

const struct rg_buffer *host_room(const struct host_step *step, enum host_room room)
{
    return room_of((struct rg_out *)(uintptr_t)&step->out, (int)room);
}

const struct rg_table *host_table(const struct host_step *step, int table)
{
    return table_of((struct rg_out *)(uintptr_t)&step->out, table);
}

static void reset_step(struct host *host, const struct host_variation *v)
{
    struct host_step *step = &host->step;
    uint8_t *at = step->memory;
    uint64_t used[HOST_ROOMS]; /* by the call before: rooms are large, and mostly empty */
    for (int i = 0; i < HOST_ROOMS; i++)
        used[i] = room_of(&step->out, i)->len;
    step->out = (struct rg_out){ .size = sizeof step->out, .amount_minor = -1 };
    for (int i = 0; i < HOST_TABLES; i++) {
        memset(step->rows[i], 0, HOST_ROWS * sizeof(struct rg_named));
        *table_of(&step->out, i) =
            (struct rg_table){ .rows = step->rows[i], .room = table_rows[i] };
    }
    for (int i = 0; i < HOST_ROOMS; i++) {
        *room_of(&step->out, i) = (struct rg_buffer){ at, v->room[i], 0, 0, 0 };
        uint64_t size = room_size(host, i);
        memset(at, 0, used[i] < size ? used[i] : size);
        memset(at + v->room[i], GUARD, GUARD_LEN);
        at += room_size(host, i) + GUARD_LEN;
    }
}

static bool guarded(const uint8_t *at)
{
    for (size_t i = 0; i < GUARD_LEN; i++)
        if (at[i] != GUARD)
            return false;
    return true;
}

/* What must be true after every call, whatever it answered. */
static bool rooms_intact(struct host *host, const struct host_variation *v, struct writer *why)
{
    uint8_t *at = host->step.memory;
    for (int i = 0; i < HOST_ROOMS; i++) {
        struct rg_buffer *b = room_of(&host->step.out, i);
        if (b->ptr != at || b->room != v->room[i] || b->len > b->room) {
            writer_format(why, "the room %s is not as the host gave it", rooms[i].name);
            return false;
        }
        if (!guarded(at + v->room[i])) {
            writer_format(why, "wrote beyond the room %s of %zu bytes", rooms[i].name, v->room[i]);
            return false;
        }
        at += room_size(host, i) + GUARD_LEN;
    }
    for (int i = 0; i < HOST_TABLES; i++) {
        const struct rg_table *table = table_of(&host->step.out, i);
        if (table->rows != host->step.rows[i] || table->count > table_rows[i]) {
            writer_text(why, "a table is not as the host gave it");
            return false;
        }
    }
    if (memcmp(host->instance, host->instance_copy, host->adapter->api.instance_size) != 0) {
        writer_text(why, "changed its instance memory after configure");
        return false;
    }
    return true;
}

void host_variation_init(const struct host *host, struct host_variation *v)
{
    *v = (struct host_variation){ .last = NULL };
    for (int i = 0; i < HOST_ROOMS; i++)
        v->room[i] = room_size(host, i);
}

bool host_step_overflowed(const struct host_step *step)
{
    for (int i = 0; i < HOST_ROOMS; i++)
        if (host_room(step, (enum host_room)i)->overflow != 0)
            return true;
    return false;
}

static void print_table(const struct rg_table *table, struct writer *out)
{
    for (uint64_t i = 0; i < table->count; i++) {
        writer_u32_be(out, table->rows[i].flags);
        writer_u64_be(out, table->rows[i].name.len);
        writer_u64_be(out, table->rows[i].value.len);
    }
}

void host_step_print(const struct host_step *step, struct writer *out)
{
    const struct rg_out *o = &step->out;
    writer_u32_be(out, step->kind);
    for (int i = 0; i < HOST_ROOMS; i++) {
        const struct rg_buffer *b = host_room(step, (enum host_room)i);
        writer_u64_be(out, b->len);
        writer_bytes(out, b->ptr, b->len);
        writer_u32_be(out, b->overflow);
    }
    for (int i = 0; i < HOST_TABLES; i++)
        print_table(host_table(step, i), out);
    writer_u32_be(out, o->expects_reply);
    writer_u32_be(out, o->outcome);
    writer_u32_be(out, o->category);
    writer_u32_be(out, o->currency_number);
    writer_u64_be(out, (uint64_t)o->amount_minor);
    writer_u32_be(out, o->http_method);
    writer_u32_be(out, o->grants_lifetime_s);
    writer_u32_be(out, o->action);
    writer_u32_be(out, o->expires_in_s);
}

/* --- calls ----------------------------------------------------------------------------------- */

/* CPU time of this thread: a busy machine must not make an adapter look slow. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    ENSURE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void note_time(struct host *host, int64_t start_ns)
{
    int64_t took = cpu_ns() - start_ns;
    host->calls++;
    if (took > host->slowest_ns)
        host->slowest_ns = took;
}

/* A struct as a later host would give it: with members behind those that are known. */
static void *exact_later(struct host *host, const void *from, size_t size, size_t later)
{
    uint8_t bytes[512];
    ENSURE(size + later <= sizeof bytes);
    memcpy(bytes, from, size);
    memset(bytes + size, 0xEE, later);
    uint8_t *own = exact(host, bytes, size + later);
    uint64_t whole = size + later;
    memcpy(own, &whole, sizeof whole); /* every struct begins with its size */
    return own;
}

static void call_begin(struct host *host, const struct host_take *take,
                       const struct host_variation *v, void *exchange)
{
    struct rg_command *command = exact_later(host, &take->command, sizeof *command, v->later);
    struct rg_bytes id = take->command.attempt_id;
    command->attempt_id.ptr = exact(host, id.ptr, id.len);
    struct rg_bytes url = take->command.notice_url;
    command->notice_url.ptr = exact(host, url.ptr, url.len);
    command->details = copy_rows(host, &take->details);
    command->details_count = take->details.count;
    command->refs = copy_rows(host, &take->refs);
    command->refs_count = take->refs.count;
    int64_t start = cpu_ns();
    host->step.kind = host->adapter->api.begin(host->instance, exchange, command, &host->step.out);
    note_time(host, start);
}

static void call_resume(struct host *host, void *exchange, const struct host_event *given,
                        size_t later)
{
    struct rg_event event = { .size = sizeof event,
                              .kind = given->kind,
                              .http_status = given->http_status };
    event.bytes =
        (struct rg_bytes){ exact(host, given->bytes.ptr, given->bytes.len), given->bytes.len };
    event.headers = (struct rg_bytes){ exact(host, given->headers.ptr, given->headers.len),
                                       given->headers.len };
    struct rg_event *own = exact_later(host, &event, sizeof event, later);
    int64_t start = cpu_ns();
    host->step.kind = host->adapter->api.resume(host->instance, exchange, own, &host->step.out);
    note_time(host, start);
}

static bool replay(struct host *host, const struct host_take *take, size_t events,
                   const struct host_variation *v, uint8_t *exchange, struct writer *why)
{
    struct host_variation full;
    host_variation_init(host, &full);
    for (size_t i = 0; i <= events; i++) {
        const struct host_variation *now = i == events ? v : &full;
        const struct host_event *event = i > 0 ? &take->events[i - 1] : NULL;
        if (i == events && i > 0 && v->last != NULL)
            event = v->last;
        if (i > 0 && host->step.kind != RG_STEP_SEND && host->step.kind != RG_STEP_SIGN) {
            writer_format(why, "ended after %zu of %zu events", i - 1, events);
            return false;
        }
        reset_step(host, now);
        if (i == 0)
            call_begin(host, take, v, exchange);
        else
            call_resume(host, exchange, event, v->later);
        if (!v->keep_inputs)
            poison(host);
        if (!rooms_intact(host, now, why))
            return false;
    }
    return true;
}

bool host_replay(struct host *host, const struct host_take *take, size_t events,
                 const struct host_variation *v, struct writer *why)
{
    size_t size = host->adapter->api.exchange_size;
    ENSURE(events <= take->events_count);
    uint8_t *exchange = calloc(1, size + GUARD_LEN);
    ENSURE(exchange != NULL);
    memset(exchange + size, GUARD, GUARD_LEN);
    bool good = replay(host, take, events, v, exchange, why);
    if (good && !guarded(exchange + size)) {
        writer_text(why, "wrote beyond its exchange memory");
        good = false;
    }
    free(exchange);
    give_back(host);
    return good;
}

uint32_t host_frame(struct host *host, struct view bytes, struct rg_frame *out, uint8_t key[64])
{
    struct rg_bytes in = { exact(host, bytes.ptr, bytes.len), bytes.len };
    *out = (struct rg_frame){ .size = sizeof *out, .correlation = { key, 64, 0, 0, 0 } };
    int64_t start = cpu_ns();
    uint32_t answer = host->adapter->api.frame(host->instance, exact(host, &in, sizeof in), out);
    note_time(host, start);
    give_back(host);
    return answer;
}

struct host_notice *host_notice_open(struct host *host, struct arena *arena)
{
    size_t size = (size_t)host->adapter->api.answer_max * 3 / 2 + 8192;
    struct host_notice *notice = arena_alloc(arena, sizeof *notice);
    uint8_t *bytes = arena_alloc(arena, size);
    if (notice == NULL || bytes == NULL)
        return NULL;
    notice->bytes = bytes;
    notice->bytes_room = size;
    return notice;
}

static void reset_notice(struct host_notice *notice)
{
    uint8_t *bytes = notice->bytes;
    size_t room = notice->bytes_room;
    memset(notice, 0, sizeof *notice);
    notice->bytes = bytes;
    notice->bytes_room = room;
    struct rg_notice_out *out = &notice->out;
    struct {
        struct rg_buffer *buffer;
        size_t size; /* as large as the gateway's own, channel/notice.c */
    } all[HOST_NOTICE_ROOMS] = {
        { &out->signature, 64 },          { &out->sign_key, 64 },  { &out->reference, 128 },
        { &out->acknowledgement, 16384 }, { &out->rail_code, 32 }, { &out->attempt_id, 24 },
        { &out->message, 256 },           { &out->ack_type, 64 },  { &out->diagnosis, 256 },
        { &out->refs.text, 4096 },
    };
    uint8_t *at = notice->rooms;
    for (size_t i = 0; i < HOST_NOTICE_ROOMS; i++) {
        *all[i].buffer = (struct rg_buffer){ at, all[i].size, 0, 0, 0 };
        at += all[i].size;
        ENSURE(at <= notice->rooms + sizeof notice->rooms);
    }
    out->size = sizeof *out;
    out->amount_minor = -1;
    out->bytes = (struct rg_buffer){ bytes, room, 0, 0, 0 };
    out->refs.rows = notice->rows;
    out->refs.room = HOST_NOTICE_ROWS;
}

const char *host_notice_fault(const struct host_notice *notice)
{
    const struct rg_notice_out *o = &notice->out;
    const struct rg_buffer *all[] = { &o->bytes,      &o->signature,       &o->sign_key,
                                      &o->reference,  &o->acknowledgement, &o->rail_code,
                                      &o->attempt_id, &o->message,         &o->ack_type,
                                      &o->diagnosis,  &o->refs.text };
    static const char *const names[] = { "bytes",           "signature", "sign_key",   "reference",
                                         "acknowledgement", "rail_code", "attempt_id", "message",
                                         "ack_type",        "diagnosis", "refs" };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i]->overflow != 0 || all[i]->len > all[i]->room)
            return names[i];
    return o->refs.count > HOST_NOTICE_ROWS ? "refs" : NULL;
}

static struct rg_bytes exact_view(struct host *host, struct view bytes)
{
    return (struct rg_bytes){ exact(host, bytes.ptr, bytes.len), bytes.len };
}

/* What the adapter keeps of a message from call to call. NULL when there is none, or no memory. */
static void *notice_memory(struct host *host, bool keep)
{
    size_t size = (size_t)host->adapter->api.notice_size;
    if (size == 0)
        return NULL;
    if (host->notice_memory == NULL)
        host->notice_memory = calloc(1, size);
    else if (!keep)
        memset(host->notice_memory, 0, size);
    return host->notice_memory;
}

void host_notice(struct host *host, const struct host_message *message, bool verified,
                 uint32_t index, struct host_notice *out)
{
    reset_notice(out);
    struct rg_notice in = { .size = sizeof in,
                            .verified = verified,
                            .utc = message->utc,
                            .time_unix_us = message->time_unix_us,
                            .index = index,
                            .http_method = message->http_method,
                            .memory = notice_memory(host, verified || index > 0) };
    in.bytes = exact_view(host, message->bytes);
    in.headers = exact_view(host, message->headers);
    in.path = exact_view(host, message->path);
    struct rg_notice *own = exact(host, &in, sizeof in);
    int64_t start = cpu_ns();
    out->answer = host->adapter->api.notice(host->instance, own, &out->out);
    note_time(host, start);
    give_back(host);
}
