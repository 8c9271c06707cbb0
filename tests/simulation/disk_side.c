/* disk_side.c - the disk under the gateway's database: a file layer of SQLite in this process, on
 * platters that lose what was not flushed (platter.h), and its accidents.
 *
 * The power fails in the middle of any operation; a machine that lost its power comes up with what
 * was flushed and with any part of the rest. A process that was killed finds everything that it
 * wrote, flushed or not. What the disk may do besides:
 *
 *     once       an operation fails: a read, a write (a part of it may be done), a flush
 *     forget     a flush fails, and what was to be flushed is thrown away: the next one succeeds
 *     full       nothing can be written any more, or no file can grow, for a while
 *     sick       operations fail for a while: some or all, those that write or all kinds
 *
 * How often, and which of these, is drawn once for a run. After a power failure the handles that
 * were open are dead: whatever is asked of them fails, until the gateway that held them is gone.
 *
 * One process uses the files at a time, with one connection: locks are always granted, and the
 * shared index of the log is memory of the handle.
 */
#include "platter.h"

#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#define DISK_SIDE_MAGIC 0x4449534bu
#define FILES_MAX       4
#define MAPS_MAX        64
#define SECTOR_BYTES    4096 /* as SQLite's own layer tells */

enum disk_op { OP_OPEN = 1, OP_READ, OP_WRITE, OP_TRUNCATE, OP_FLUSH, OP_REMOVE };
enum mishap { MISHAP_ONCE = 1, MISHAP_FORGET, MISHAP_FULL, MISHAP_SICK, MISHAP_COUNT };
enum fate { FATE_FINE = 1, FATE_FAILS, FATE_FORGETS, FATE_FULL, FATE_DIES };

struct disk_side {
    uint32_t magic;
    struct world *world;
    sqlite3_vfs vfs;
    char vfs_name[48];
    struct platter files[FILES_MAX];
    size_t file_count;
    struct dice dice;
    bool powered;
    bool struck;    /* something has failed since the last start */
    bool unflushed; /* PLANT_NO_SYNC: a flush was not made */
    unsigned life;  /* handles of earlier ones are dead */
    unsigned handles;
    /* Drawn once for a run; 0: never. In operations, on average. */
    uint64_t mishap_every, power_every;
    unsigned kinds; /* set of 1 << enum mishap */
    /* Operations until the next one; 0: none will come. */
    uint64_t mishap_in, power_in;
    enum mishap armed; /* waits for an operation that it can hit; 0: none */
    enum disk_op armed_for;
    int64_t full_until_us, sick_until_us;
    bool full_for_all; /* else only for what makes a file grow */
    unsigned sick_percent;
    bool sick_for_all; /* else for what changes something */
};

struct disk_handle {
    sqlite3_file base;
    struct disk_side *side;
    struct platter *file;
    unsigned life;
    void *maps[MAPS_MAX];
};

static const char *const op_words[] = { "open", "read", "write", "truncate", "flush", "remove" };

static void happened(struct disk_side *side, const char *what, enum disk_op op)
{
    char text[48];
    (void)snprintf(text, sizeof text, "disk %s, %s", what, op_words[op - 1]);
    world_trace(side->world, "disk", view_text(text));
    world_tally(side->world, "%s", text);
}

/* --- what befalls an operation -----------------------------------------------------------------
 */

static uint64_t about(struct dice *dice, uint64_t every)
{
    return every == 0 ? 0 : 1 + dice_below(dice, 2 * every);
}

static void power_fails(struct disk_side *side)
{
    static const enum platter_loss losses[] = { LOSS_OF_ALL, LOSS_OF_NONE, LOSS_OF_WRITES,
                                                LOSS_OF_SECTORS, LOSS_OF_SECTORS };
    enum platter_loss loss = losses[dice_below(&side->dice, COUNT_OF(losses))];
    bool lost = false;
    if (side->unflushed)
        loss = LOSS_OF_ALL;
    for (size_t i = 0; i < side->file_count; i++)
        lost = platter_power_fails(&side->files[i], loss, &side->dice) || lost;
    if (side->unflushed && lost)
        side->world->planted = true;
    side->powered = false;
    world_tally(side->world, "disk without power%s", lost ? ", writes were lost" : "");
}

/* Short ones are over before anybody notices, in long ones people come to look. */
static int64_t spell_us(struct dice *dice)
{
    unsigned kind = (unsigned)dice_below(dice, 20);
    return kind < 12   ? dice_between(dice, 100, LOOP_US_PER_S)
           : kind < 19 ? dice_between(dice, LOOP_US_PER_S, 15 * LOOP_US_PER_S)
                       : dice_between(dice, 15 * LOOP_US_PER_S, 200 * LOOP_US_PER_S);
}

static void arm(struct disk_side *side)
{
    struct dice *dice = &side->dice;
    static const enum disk_op ops[] = { OP_OPEN,     OP_READ,  OP_WRITE, OP_WRITE, OP_WRITE,
                                        OP_TRUNCATE, OP_FLUSH, OP_FLUSH, OP_REMOVE };
    do {
        side->armed = (enum mishap)(1 + dice_below(dice, MISHAP_COUNT - 1));
    } while ((side->kinds >> side->armed & 1u) == 0);
    side->armed_for = side->armed == MISHAP_ONCE     ? ops[dice_below(dice, COUNT_OF(ops))]
                      : side->armed == MISHAP_FORGET ? OP_FLUSH
                                                     : OP_WRITE;
    side->mishap_in = about(dice, side->mishap_every);
}

static bool is_change(enum disk_op op)
{
    return op != OP_READ && op != OP_OPEN;
}

static enum fate in_a_spell(struct disk_side *side, enum disk_op op, bool grows)
{
    int64_t now_us = loop_now_us(side->world->loop);
    if (now_us >= side->full_until_us)
        side->full_until_us = 0;
    if (now_us >= side->sick_until_us)
        side->sick_until_us = 0;
    if (op == OP_WRITE && now_us < side->full_until_us && (grows || side->full_for_all))
        return FATE_FULL;
    if (now_us < side->sick_until_us && (side->sick_for_all || is_change(op)) &&
        dice_percent(&side->dice, side->sick_percent))
        return op == OP_FLUSH && dice_percent(&side->dice, 50) ? FATE_FORGETS : FATE_FAILS;
    return FATE_FINE;
}

static enum fate strike(struct disk_side *side)
{
    struct dice *dice = &side->dice;
    enum mishap mishap = side->armed;
    int64_t now_us = loop_now_us(side->world->loop);
    side->armed = 0;
    switch (mishap) {
    case MISHAP_FORGET: return FATE_FORGETS;
    case MISHAP_FULL:
        side->full_until_us = now_us + spell_us(dice);
        side->full_for_all = dice_percent(dice, 50);
        return FATE_FINE; /* the next look tells whether it hits this one */
    case MISHAP_SICK:
        side->sick_until_us = now_us + spell_us(dice);
        side->sick_for_all = dice_percent(dice, 50);
        side->sick_percent = dice_percent(dice, 40) ? 100 : (unsigned)dice_between(dice, 1, 60);
        return FATE_FINE;
    default: return FATE_FAILS;
    }
}

static enum fate fate_of(struct disk_side *side, enum disk_op op, bool grows)
{
    enum fate fate = FATE_FINE;
    bool in_spell = side->full_until_us != 0 || side->sick_until_us != 0;
    /* Most operations are reads of a process that starts; a few power failures there will do. */
    bool counts = is_change(op) || dice_percent(&side->dice, 10);
    if (counts && side->power_in > 1) {
        side->power_in--;
    } else if (counts && side->power_in == 1 && world_may_crash(side->world)) {
        side->power_in = about(&side->dice, side->power_every);
        return FATE_DIES;
    }
    if (!in_spell && side->mishap_in > 0 && --side->mishap_in == 0)
        arm(side);
    if (side->armed != 0 && side->armed_for == op)
        fate = strike(side);
    if (fate == FATE_FINE && (side->full_until_us != 0 || side->sick_until_us != 0))
        fate = in_a_spell(side, op, grows);
    if (fate != FATE_FINE) {
        side->struck = true;
        world_fault(side->world, fate == FATE_FULL ? FAULT_DISK_FULL : FAULT_DISK_ERROR, "disk", 1);
        happened(side,
                 fate == FATE_FULL      ? "is full"
                 : fate == FATE_FORGETS ? "forgets"
                                        : "fails",
                 op);
    }
    return fate;
}

/* The power fails before or after what is done here; the process is gone at the next thing that
 * happens. */
static bool dies_before(struct disk_side *side, enum disk_op op)
{
    side->struck = true;
    world_fault(side->world, FAULT_POWER_LOST, "disk", 1);
    happened(side, "loses power", op);
    timer_start(&side->world->aimed, 0);
    return dice_percent(&side->dice, 50);
}

/* --- files -------------------------------------------------------------------------------------
 */

static struct platter *file_of(struct disk_side *side, const char *name)
{
    for (size_t i = 0; i < side->file_count; i++)
        if (strcmp(side->files[i].name, name) == 0)
            return &side->files[i];
    ENSURE(side->file_count < FILES_MAX);
    struct platter *file = &side->files[side->file_count++];
    ENSURE(strlen(name) < sizeof file->name);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    return file;
}

static struct disk_handle *handle_of(sqlite3_file *base)
{
    struct disk_handle *handle = (struct disk_handle *)base;
    ENSURE_MAGIC(handle->side, DISK_SIDE_MAGIC);
    return handle;
}

static bool is_dead(const struct disk_handle *handle)
{
    return !handle->side->powered || handle->life != handle->side->life;
}

static int disk_unmap(sqlite3_file *base, int remove)
{
    struct disk_handle *handle = handle_of(base);
    (void)remove;
    for (size_t i = 0; i < MAPS_MAX; i++) {
        free(handle->maps[i]);
        handle->maps[i] = NULL;
    }
    return SQLITE_OK;
}

static int disk_close(sqlite3_file *base)
{
    (void)disk_unmap(base, 0);
    ENSURE(handle_of(base)->side->handles > 0);
    handle_of(base)->side->handles--;
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
    struct disk_handle *handle = handle_of(base);
    if (is_dead(handle))
        return SQLITE_IOERR_READ;
    enum fate fate = fate_of(handle->side, OP_READ, false);
    if (fate == FATE_DIES) {
        (void)dies_before(handle->side, OP_READ);
        power_fails(handle->side);
    }
    if (fate != FATE_FINE)
        return SQLITE_IOERR_READ;
    size_t have = platter_read(handle->file, (size_t)at, out, (size_t)len);
    if (have == (size_t)len)
        return SQLITE_OK;
    memset((uint8_t *)out + have, 0, (size_t)len - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    struct disk_handle *handle = handle_of(base);
    if (is_dead(handle))
        return SQLITE_IOERR_WRITE;
    struct disk_side *side = handle->side;
    struct view all = view_of(bytes, (size_t)len);
    bool grows = (size_t)at + all.len > handle->file->seen.len;
    enum fate fate = fate_of(side, OP_WRITE, grows);
    if (fate == FATE_FINE || (fate == FATE_DIES && !dies_before(side, OP_WRITE))) {
        platter_write(handle->file, (size_t)at, all);
    } else if (fate != FATE_DIES && dice_percent(&side->dice, 50)) {
        /* Some of it was written. */
        struct view part = view_slice(all, 0, dice_below(&side->dice, all.len));
        if (part.len > 0)
            platter_write(handle->file, (size_t)at, part);
    }
    if (fate == FATE_DIES)
        power_fails(side);
    return fate == FATE_FINE ? SQLITE_OK : fate == FATE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct disk_handle *handle = handle_of(base);
    if (is_dead(handle))
        return SQLITE_IOERR_TRUNCATE;
    enum fate fate = fate_of(handle->side, OP_TRUNCATE, false);
    if (fate == FATE_FINE || (fate == FATE_DIES && !dies_before(handle->side, OP_TRUNCATE)))
        platter_truncate(handle->file, (size_t)size);
    if (fate == FATE_DIES)
        power_fails(handle->side);
    return fate == FATE_FINE ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static void flush(struct disk_side *side, struct platter *file)
{
    for (size_t i = 0; i < side->file_count; i++)
        platter_flush_name(&side->files[i]);
    platter_flush(file);
}

static void flush_fails(struct disk_side *side, struct platter *file)
{
    switch (dice_below(&side->dice, 3)) {
    case 0: break; /* the next one may do it */
    case 1: platter_flush_some(file, &side->dice); break;
    default: flush(side, file); break; /* it was done, and the answer was lost */
    }
}

static int disk_sync(sqlite3_file *base, int flags)
{
    struct disk_handle *handle = handle_of(base);
    struct disk_side *side = handle->side;
    (void)flags;
    if (is_dead(handle))
        return SQLITE_IOERR_FSYNC;
    enum fate fate = fate_of(side, OP_FLUSH, false);
    bool plant = side->world->options->plant == PLANT_NO_SYNC && side->power_in > 0;
    if (plant)
        side->unflushed = true;
    else if (fate == FATE_FINE || (fate == FATE_DIES && !dies_before(side, OP_FLUSH)))
        flush(side, handle->file);
    else if (fate == FATE_FORGETS)
        platter_forget(handle->file, dice_percent(&side->dice, 50) ? FORGET_ALL : FORGET_BUT_SEEN);
    else if (fate == FATE_FAILS)
        flush_fails(side, handle->file);
    if (fate == FATE_DIES)
        power_fails(side);
    return fate == FATE_FINE ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct disk_handle *handle = handle_of(base);
    if (is_dead(handle))
        return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64)handle->file->seen.len;
    return SQLITE_OK;
}

/* --- what is always granted --------------------------------------------------------------------
 */

static int disk_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int disk_is_locked(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int op, void *arg)
{
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *base)
{
    (void)base;
    return SECTOR_BYTES;
}

/* Of SQLite's own layer: a write that is torn does not reach beyond its bytes. */
static int disk_traits(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int disk_map(sqlite3_file *base, int which, int size, int extend, void volatile **out)
{
    struct disk_handle *handle = handle_of(base);
    *out = NULL;
    if (is_dead(handle))
        return SQLITE_IOERR_SHMMAP;
    ENSURE(which < MAPS_MAX);
    if (handle->maps[which] == NULL && extend != 0) {
        handle->maps[which] = calloc(1, (size_t)size);
        ENSURE(handle->maps[which] != NULL);
    }
    *out = handle->maps[which];
    return SQLITE_OK;
}

static int disk_map_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void disk_map_barrier(sqlite3_file *base)
{
    (void)base;
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_lock,
    .xCheckReservedLock = disk_is_locked,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
    .xShmMap = disk_map,
    .xShmLock = disk_map_lock,
    .xShmBarrier = disk_map_barrier,
    .xShmUnmap = disk_unmap,
};

/* --- the directory -----------------------------------------------------------------------------
 */

static struct disk_side *side_of(sqlite3_vfs *vfs)
{
    struct disk_side *side = vfs->pAppData;
    ENSURE_MAGIC(side, DISK_SIDE_MAGIC);
    return side;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                     int *out_flags)
{
    struct disk_side *side = side_of(vfs);
    struct disk_handle *handle = (struct disk_handle *)base;
    *handle = (struct disk_handle){ .side = side, .life = side->life };
    if (!side->powered || name == NULL) /* no temporary files: temp_store is memory */
        return SQLITE_CANTOPEN;
    struct platter *file = file_of(side, name);
    enum fate fate = fate_of(side, OP_OPEN, false);
    if (fate == FATE_DIES) {
        (void)dies_before(side, OP_OPEN);
        power_fails(side);
    }
    if (fate != FATE_FINE || (!file->listed && (flags & SQLITE_OPEN_CREATE) == 0))
        return SQLITE_CANTOPEN;
    platter_create(file);
    handle->file = file;
    handle->base.pMethods = &disk_methods;
    side->handles++;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int flush_too)
{
    struct disk_side *side = side_of(vfs);
    struct platter *file = file_of(side, name);
    if (!side->powered)
        return SQLITE_IOERR_DELETE;
    if (!file->listed)
        return SQLITE_IOERR_DELETE_NOENT;
    enum fate fate = fate_of(side, OP_REMOVE, false);
    if (fate == FATE_FINE || (fate == FATE_DIES && !dies_before(side, OP_REMOVE)))
        platter_remove(file);
    if (fate == FATE_FINE && flush_too != 0)
        platter_flush_name(file);
    if (fate == FATE_DIES)
        power_fails(side);
    return fate == FATE_FINE ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

/* As SQLite's own layer: an empty file does not exist. */
static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct platter *file = file_of(side_of(vfs), name);
    (void)flags;
    *out = file->listed && (flags != SQLITE_ACCESS_EXISTS || file->seen.len > 0);
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int room, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)room, "%s", name) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* --- interface ---------------------------------------------------------------------------------
 */

enum status disk_side_open(struct disk_side **out, struct world *world)
{
    const sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    struct disk_side *side = calloc(1, sizeof *side);
    *out = side;
    if (side == NULL || real == NULL)
        return STATUS_NO_MEMORY;
    side->magic = DISK_SIDE_MAGIC;
    side->world = world;
    side->dice.state = world->options->seed ^ 0xd15c;
    side->powered = true;
    (void)snprintf(side->vfs_name, sizeof side->vfs_name, "simulation-%llu",
                   (unsigned long long)world->options->seed);
    side->vfs = *real; /* for its dice and clocks */
    side->vfs.pNext = NULL;
    side->vfs.pAppData = side;
    side->vfs.zName = side->vfs_name;
    side->vfs.szOsFile = (int)sizeof(struct disk_handle);
    side->vfs.xOpen = disk_open;
    side->vfs.xDelete = disk_delete;
    side->vfs.xAccess = disk_access;
    side->vfs.xFullPathname = disk_full_path;
    return sqlite3_vfs_register(&side->vfs, 0) == SQLITE_OK ? STATUS_OK : STATUS_NO_MEMORY;
}

void disk_side_close(struct disk_side *side)
{
    ENSURE_MAGIC(side, DISK_SIDE_MAGIC);
    ENSURE(side->handles == 0);
    ENSURE(sqlite3_vfs_unregister(&side->vfs) == SQLITE_OK);
    for (size_t i = 0; i < side->file_count; i++)
        platter_fini(&side->files[i]);
    side->magic = 0;
    free(side);
}

const char *disk_side_vfs(const struct disk_side *side)
{
    return side->vfs_name;
}

void disk_side_trouble(struct disk_side *side, bool with_errors)
{
    struct dice *dice = &side->dice;
    side->power_every = (uint64_t)512 << dice_below(dice, 8);
    side->power_in = about(dice, side->power_every);
    if (!with_errors)
        return;
    side->mishap_every = (uint64_t)256 << dice_below(dice, 9);
    side->mishap_in = about(dice, side->mishap_every);
    do {
        side->kinds = (unsigned)dice_below(dice, 1u << MISHAP_COUNT) & ~1u;
    } while (side->kinds == 0);
}

void disk_side_calm(struct disk_side *side)
{
    side->mishap_in = side->power_in = 0;
    side->armed = 0;
    side->full_until_us = side->sick_until_us = 0;
}

void disk_side_start(struct disk_side *side)
{
    ENSURE(side->handles == 0);
    side->powered = true;
    side->struck = false;
}

void disk_side_crash(struct disk_side *side)
{
    side->life++;
    if (side->powered && dice_percent(&side->dice, 60))
        power_fails(side);
    else if (side->powered)
        world_tally(side->world, "disk lives on after a crash");
}

bool disk_side_powered(const struct disk_side *side)
{
    return side->powered;
}

bool disk_side_struck(const struct disk_side *side)
{
    return side->struck;
}

void disk_side_wipe(struct disk_side *side)
{
    ENSURE(side->handles == 0);
    for (size_t i = 0; i < side->file_count; i++)
        platter_fini(&side->files[i]);
    side->file_count = 0;
}
