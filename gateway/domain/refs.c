/* refs.c - reading and writing a set of named values (layout in refs.h).
 *
 * Sets come back from disk and from adapters, so every length is checked on the way in and out.
 */
#include "domain/refs.h"

#define FLAGS_KNOWN (REF_SENSITIVE | REF_SEALED)

void refs_put(struct writer *w, struct view name, struct view value, uint32_t flags)
{
    if (name.len < 1 || name.len > REFS_NAME_MAX || value.len > REFS_VALUE_MAX ||
        (flags & ~FLAGS_KNOWN) != 0) {
        w->overflow = true;
        return;
    }
    writer_u8(w, (uint8_t)flags);
    writer_u8(w, (uint8_t)name.len);
    writer_u16_be(w, (uint16_t)value.len);
    writer_view(w, name);
    writer_view(w, value);
}

static enum status row_read(struct cursor *c, struct ref *out)
{
    uint8_t flags = 0, name_len = 0;
    uint16_t value_len = 0;
    TRY(cursor_u8(c, &flags));
    TRY(cursor_u8(c, &name_len));
    TRY(cursor_u16_be(c, &value_len));
    if ((flags & ~FLAGS_KNOWN) != 0 || name_len < 1 || name_len > REFS_NAME_MAX ||
        value_len > REFS_VALUE_MAX)
        return STATUS_MALFORMED;
    TRY(cursor_take(c, name_len, &out->name));
    TRY(cursor_take(c, value_len, &out->value));
    out->flags = flags;
    return STATUS_OK;
}

bool refs_next(struct cursor *c, struct ref *out, bool *broken)
{
    *broken = false;
    if (cursor_left(c) == 0)
        return false;
    if (row_read(c, out) == STATUS_OK)
        return true;
    *broken = true;
    return false;
}

struct view refs_find(struct view set, const char *name)
{
    struct cursor c = cursor_over(set);
    struct view found = VIEW_EMPTY;
    struct ref row;
    bool broken;
    while (refs_next(&c, &row, &broken)) {
        if (view_is(row.name, name))
            found = row.value;
    }
    return found;
}

enum status refs_check(struct view set)
{
    struct cursor c = cursor_over(set);
    struct ref row;
    bool broken = false;
    size_t rows = 0;
    while (refs_next(&c, &row, &broken)) {
        if (++rows > REFS_ROWS_MAX)
            return STATUS_FULL;
    }
    return broken ? STATUS_MALFORMED : STATUS_OK;
}
