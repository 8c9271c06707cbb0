/* out_buffer.c - see out_buffer.h. */
#include "wire/out_buffer.h"

#include "base/ensure.h"
#include "base/vault.h"

#define OUT_FIRST_BYTES 2048u
#define OUT_KEEP_BYTES  16384u /* an empty buffer above this size is given back */

uint8_t *out_buffer_room(struct out_buffer *out, size_t len)
{
    if (out->room - out->end >= len && out->ptr != NULL)
        return out->ptr + out->end;
    size_t have = out_buffer_len(out);
    if (out->start > 0 && out->room - have >= len) {
        memmove(out->ptr, out->ptr + out->start, have);
    } else {
        size_t room = out->room == 0 ? OUT_FIRST_BYTES : out->room;
        while (room - have < len)
            room *= 2;
        uint8_t *ptr = vault_alloc(room);
        if (ptr == NULL)
            return NULL;
        if (have > 0)
            memcpy(ptr, out->ptr + out->start, have);
        vault_free(out->ptr);
        out->ptr = ptr;
        out->room = room;
    }
    out->start = 0;
    out->end = have;
    return out->ptr + out->end;
}

enum status out_buffer_append(struct out_buffer *out, struct view bytes)
{
    if (bytes.len == 0)
        return STATUS_OK;
    uint8_t *to = out_buffer_room(out, bytes.len);
    if (to == NULL)
        return STATUS_NO_MEMORY;
    memcpy(to, bytes.ptr, bytes.len);
    out_buffer_took(out, bytes.len);
    return STATUS_OK;
}

void out_buffer_consume(struct out_buffer *out, size_t len)
{
    ENSURE(len <= out_buffer_len(out));
    if (len == 0)
        return;
    vault_wipe(out->ptr + out->start, len);
    out->start += len;
    if (out->start < out->end)
        return;
    out->start = out->end = 0;
    if (out->room > OUT_KEEP_BYTES)
        out_buffer_free(out);
}

void out_buffer_free(struct out_buffer *out)
{
    vault_free(out->ptr);
    *out = (struct out_buffer){ 0 };
}
