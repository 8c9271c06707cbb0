/* platter.c - see platter.h. Changes keep a copy of their bytes: of two writes to one place the
 * first alone may reach the platter. */
#include "platter.h"

#include "base/ensure.h"

#include <stdlib.h>

static void bytes_room(struct platter_bytes *bytes, size_t len)
{
    if (len <= bytes->room)
        return;
    size_t room = bytes->room > 0 ? bytes->room : 64 * 1024;
    while (room < len)
        room *= 2;
    bytes->ptr = realloc(bytes->ptr, room);
    ENSURE(bytes->ptr != NULL);
    bytes->room = room;
}

static void bytes_resize(struct platter_bytes *bytes, size_t len)
{
    bytes_room(bytes, len);
    if (len > bytes->len)
        memset(bytes->ptr + bytes->len, 0, len - bytes->len); /* a hole reads as zeros */
    bytes->len = len;
}

static void bytes_put(struct platter_bytes *bytes, size_t at, struct view from)
{
    if (from.len == 0)
        return;
    if (at > bytes->len)
        bytes_resize(bytes, at);
    bytes_room(bytes, at + from.len);
    memcpy(bytes->ptr + at, from.ptr, from.len);
    if (at + from.len > bytes->len)
        bytes->len = at + from.len;
}

void platter_fini(struct platter *file)
{
    free(file->seen.ptr);
    free(file->safe.ptr);
    free(file->log.ptr);
    free(file->changes);
    *file = (struct platter){ 0 };
}

/* --- changes -----------------------------------------------------------------------------------
 */

static void note(struct platter *file, struct platter_change change, struct view bytes)
{
    if (file->count == file->room) {
        file->room = file->room > 0 ? 2 * file->room : 256;
        file->changes = realloc(file->changes, file->room * sizeof *file->changes);
        ENSURE(file->changes != NULL);
    }
    change.in_log = file->log.len;
    bytes_put(&file->log, file->log.len, bytes);
    file->changes[file->count++] = change;
}

static void drop_changes(struct platter *file)
{
    file->count = 0;
    file->log.len = 0;
}

void platter_create(struct platter *file)
{
    if (file->listed)
        return;
    file->listed = true;
    note(file, (struct platter_change){ .kind = CHANGED_CREATED }, VIEW_EMPTY);
}

void platter_remove(struct platter *file)
{
    ENSURE(file->listed);
    file->listed = false;
    file->seen.len = 0;
    file->apart = true;
    note(file, (struct platter_change){ .kind = CHANGED_REMOVED }, VIEW_EMPTY);
}

void platter_write(struct platter *file, size_t at, struct view bytes)
{
    bytes_put(&file->seen, at, bytes);
    note(file, (struct platter_change){ .kind = CHANGED_BYTES, .at = at, .len = bytes.len }, bytes);
}

void platter_truncate(struct platter *file, size_t size)
{
    if (size == file->seen.len)
        return;
    bytes_resize(&file->seen, size);
    file->apart = true;
    note(file, (struct platter_change){ .kind = CHANGED_SIZE, .at = size }, VIEW_EMPTY);
}

size_t platter_read(const struct platter *file, size_t at, void *out, size_t len)
{
    if (at >= file->seen.len)
        return 0;
    size_t have = file->seen.len - at < len ? file->seen.len - at : len;
    memcpy(out, file->seen.ptr + at, have);
    return have;
}

/* --- what becomes safe -------------------------------------------------------------------------
 */

static struct view change_bytes(const struct platter *file, const struct platter_change *change)
{
    return view_of(file->log.ptr + change->in_log, change->len);
}

static void make_safe(struct platter *file, const struct platter_change *change)
{
    switch (change->kind) {
    case CHANGED_BYTES: bytes_put(&file->safe, change->at, change_bytes(file, change)); break;
    case CHANGED_SIZE: bytes_resize(&file->safe, change->at); break;
    case CHANGED_CREATED:
    case CHANGED_REMOVED:
        file->listed_safe = change->kind == CHANGED_CREATED;
        file->safe.len = 0;
        break;
    }
}

/* Each sector of the write or not. True when one is missing. */
static bool make_sectors_safe(struct platter *file, const struct platter_change *change,
                              struct dice *dice)
{
    struct view bytes = change_bytes(file, change);
    bool missing = false;
    uint64_t coins = 0;
    unsigned left = 0;
    for (size_t done = 0; done < bytes.len;) {
        size_t part = PLATTER_SECTOR_BYTES - (change->at + done) % PLATTER_SECTOR_BYTES;
        if (part > bytes.len - done)
            part = bytes.len - done;
        if (left-- == 0) {
            coins = dice_next(dice);
            left = 63;
        }
        if ((coins & 1) != 0)
            bytes_put(&file->safe, change->at + done, view_slice(bytes, done, done + part));
        else
            missing = true;
        coins >>= 1;
        done += part;
    }
    return missing;
}

void platter_flush(struct platter *file)
{
    for (size_t i = 0; i < file->count; i++)
        make_safe(file, &file->changes[i]);
    drop_changes(file);
    file->apart = false;
}

static bool is_of_name(const struct platter_change *change)
{
    return change->kind == CHANGED_CREATED || change->kind == CHANGED_REMOVED;
}

/* What was written to a file that has been removed since is of no interest. */
void platter_flush_name(struct platter *file)
{
    size_t through = file->count;
    while (through > 0 && !is_of_name(&file->changes[through - 1]))
        through--;
    if (through == 0)
        return;
    make_safe(file, &file->changes[through - 1]);
    memmove(file->changes, file->changes + through,
            (file->count - through) * sizeof *file->changes);
    file->count -= through;
    if (file->count == 0)
        file->log.len = 0;
}

void platter_flush_some(struct platter *file, struct dice *dice)
{
    platter_flush_name(file);
    for (size_t i = 0; i < file->count; i++)
        if (file->changes[i].kind == CHANGED_BYTES)
            (void)make_sectors_safe(file, &file->changes[i], dice);
}

void platter_forget(struct platter *file, enum platter_forget how)
{
    platter_flush_name(file);
    for (size_t i = 0; i < file->count && how == FORGET_ALL; i++) {
        const struct platter_change *change = &file->changes[i];
        if (change->kind != CHANGED_BYTES)
            continue;
        for (size_t at = change->at; at < change->at + change->len && at < file->seen.len; at++)
            file->seen.ptr[at] = at < file->safe.len ? file->safe.ptr[at] : 0;
    }
    file->forgotten = true;
    drop_changes(file);
}

/* --- the power ---------------------------------------------------------------------------------
 */

/* Programs will see what is safe. */
static void see_again(struct platter *file)
{
    file->listed = file->listed_safe;
    if (file->apart || file->forgotten) {
        bytes_resize(&file->seen, file->safe.len);
        if (file->safe.len > 0)
            memcpy(file->seen.ptr, file->safe.ptr, file->safe.len);
        file->apart = file->forgotten = false;
        return;
    }
    size_t len = file->safe.len;
    ENSURE(file->seen.len >= len);
    file->seen.len = len;
    for (size_t i = 0; i < file->count; i++) {
        const struct platter_change *change = &file->changes[i];
        if (change->kind != CHANGED_BYTES || change->at >= len)
            continue;
        size_t part = change->len < len - change->at ? change->len : len - change->at;
        memcpy(file->seen.ptr + change->at, file->safe.ptr + change->at, part);
    }
}

bool platter_power_fails(struct platter *file, enum platter_loss loss, struct dice *dice)
{
    bool lost = false;
    bool name_is_safe = loss == LOSS_OF_NONE || (loss != LOSS_OF_ALL && dice_percent(dice, 50));
    if (name_is_safe)
        platter_flush_name(file);
    for (size_t i = 0; i < file->count; i++) {
        const struct platter_change *change = &file->changes[i];
        if (is_of_name(change)) { /* nothing of the file that has this name from here on */
            lost = true;
            file->apart = true;
            break;
        }
        bool whole = loss == LOSS_OF_NONE || (loss != LOSS_OF_ALL && dice_percent(dice, 50));
        if (whole)
            make_safe(file, change);
        else if (loss == LOSS_OF_SECTORS && change->kind == CHANGED_BYTES)
            lost = make_sectors_safe(file, change, dice) || lost;
        else
            lost = true;
    }
    see_again(file);
    drop_changes(file);
    return lost;
}
