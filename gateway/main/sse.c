/* sse.c - see sse.h. A line is gathered, then read as a whole; an empty one ends the event. */
#include "main/sse.h"

#include <stdlib.h>

void sse_init(struct sse *sse, sse_event_fn *event, void *arg)
{
    *sse = (struct sse){ .event = event, .arg = arg };
}

static enum status append(uint8_t **at, size_t *len, size_t *room, struct view bytes)
{
    if (bytes.len > SSE_EVENT_BYTES_MAX - *len)
        return STATUS_FULL;
    if (*room - *len < bytes.len) {
        size_t wanted = *room == 0 ? 1024 : *room;
        while (wanted - *len < bytes.len)
            wanted *= 2;
        uint8_t *more = realloc(*at, wanted);
        if (more == NULL)
            return STATUS_NO_MEMORY;
        *at = more;
        *room = wanted;
    }
    if (bytes.len > 0)
        memcpy(*at + *len, bytes.ptr, bytes.len);
    *len += bytes.len;
    return STATUS_OK;
}

static void dispatch(struct sse *sse)
{
    if (sse->has_data || sse->has_id) {
        struct sse_event event = { .id = view_of(sse->id, sse->id_len),
                                   .kind = view_of(sse->kind, sse->kind_len),
                                   .data = view_of(sse->data, sse->data_len) };
        sse->event(sse->arg, &event);
    }
    sse->data_len = sse->kind_len = 0;
    sse->has_data = sse->has_id = false;
}

static enum status read_line(struct sse *sse)
{
    struct view line = view_of(sse->line, sse->line_len);
    sse->line_len = 0;
    if (line.len == 0) {
        dispatch(sse);
        return STATUS_OK;
    }
    size_t colon = view_find(line, ':');
    struct view name = view_slice(line, 0, colon), value = view_slice(line, colon + 1, line.len);
    if (value.len > 0 && value.ptr[0] == ' ')
        value = view_slice(value, 1, value.len);
    if (view_is(name, "data")) {
        if (sse->has_data)
            TRY(append(&sse->data, &sse->data_len, &sse->data_room, VIEW("\n")));
        sse->has_data = true;
        return append(&sse->data, &sse->data_len, &sse->data_room, value);
    }
    bool is_id = view_is(name, "id");
    if (is_id && view_find(value, '\0') < value.len)
        return STATUS_OK; /* such an id is to be ignored */
    if (is_id || view_is(name, "event")) {
        if (value.len > sizeof sse->id)
            return STATUS_FULL;
        if (value.len > 0)
            memcpy(is_id ? sse->id : sse->kind, value.ptr, value.len);
        *(is_id ? &sse->id_len : &sse->kind_len) = value.len;
        sse->has_id |= is_id;
    }
    return STATUS_OK;
}

enum status sse_feed(struct sse *sse, struct view bytes)
{
    while (bytes.len > 0) {
        if (sse->after_cr && bytes.ptr[0] == '\n')
            bytes = view_slice(bytes, 1, bytes.len);
        sse->after_cr = false;
        size_t len = 0;
        while (len < bytes.len && bytes.ptr[len] != '\n' && bytes.ptr[len] != '\r')
            len++;
        TRY(append(&sse->line, &sse->line_len, &sse->line_room, view_slice(bytes, 0, len)));
        if (len == bytes.len)
            return STATUS_OK;
        sse->after_cr = bytes.ptr[len] == '\r';
        bytes = view_slice(bytes, len + 1, bytes.len);
        TRY(read_line(sse));
    }
    return STATUS_OK;
}

void sse_reset(struct sse *sse)
{
    sse->line_len = sse->data_len = sse->kind_len = 0;
    sse->after_cr = sse->has_data = sse->has_id = false;
}

void sse_free(struct sse *sse)
{
    free(sse->line);
    free(sse->data);
    *sse = (struct sse){ 0 };
}
