/* fault_vfs.c - see fault_vfs.h. A shim: its files hold a file of the real layer behind them. The
 * countdown is this process's (tests run one thing at a time). */
#include "fault_vfs.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sqlite3.h>

struct fault_state {
    int countdown; /* operations until the failure; 0: disarmed */
    int failures;
    enum fault_kind kind;
    bool lasting, failing, flush_only;
    int64_t log_written, log_flushed; /* from its beginning on, without a gap */
};
static struct fault_state fault;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    bool is_log;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs fault_vfs;

void fault_vfs_arm(int nth, enum fault_kind kind, enum fault_span span)
{
    fault =
        (struct fault_state){ .countdown = nth, .kind = kind, .lasting = span == FAULT_LASTING };
}

void fault_vfs_arm_flush(int nth, enum fault_span span)
{
    fault = (struct fault_state){
        .countdown = nth, .kind = FAULT_IO, .lasting = span == FAULT_LASTING, .flush_only = true
    };
}

int fault_vfs_failures(void)
{
    return fault.failures;
}

int64_t fault_vfs_log_flushed(void)
{
    return fault.log_flushed;
}

static bool fails(bool flush)
{
    if (fault.flush_only && !flush)
        return false;
    bool now = fault.failing;
    if (fault.countdown > 0 && --fault.countdown == 0) {
        now = true;
        fault.failing = fault.lasting;
    }
    fault.failures += now;
    return now;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}
#define REAL(file, call, ...) real_of(file)->pMethods->call(real_of(file), ##__VA_ARGS__)

static int fault_close(sqlite3_file *file)
{
    return REAL(file, xClose);
}
static int fault_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    return REAL(file, xRead, out, len, at);
}
static int fault_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (!fails(false)) {
        if (((struct fault_file *)file)->is_log && at <= fault.log_written &&
            at + len > fault.log_written)
            fault.log_written = at + len;
        return REAL(file, xWrite, bytes, len, at);
    }
    (void)REAL(file, xWrite, bytes, len / 2, at);
    return fault.kind == FAULT_DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}
static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails(false) ? SQLITE_IOERR_TRUNCATE : REAL(file, xTruncate, size);
}
static int fault_sync(sqlite3_file *file, int flags)
{
    if (fails(true))
        return SQLITE_IOERR_FSYNC;
    if (((struct fault_file *)file)->is_log)
        fault.log_flushed = fault.log_written;
    return REAL(file, xSync, flags);
}
static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file, xFileSize, size);
}
static int fault_lock(sqlite3_file *file, int level)
{
    return REAL(file, xLock, level);
}
static int fault_unlock(sqlite3_file *file, int level)
{
    return REAL(file, xUnlock, level);
}
static int fault_check_lock(sqlite3_file *file, int *out)
{
    return REAL(file, xCheckReservedLock, out);
}
static int fault_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file, xFileControl, op, arg);
}
static int fault_sector(sqlite3_file *file)
{
    return REAL(file, xSectorSize);
}
static int fault_traits(sqlite3_file *file)
{
    return REAL(file, xDeviceCharacteristics);
}
static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return REAL(file, xShmMap, page, size, extend, out);
}
static int fault_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file, xShmLock, offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *file)
{
    REAL(file, xShmBarrier);
}
static int fault_shm_unmap(sqlite3_file *file, int del)
{
    return REAL(file, xShmUnmap, del);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_traits,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    (void)vfs;
    struct fault_file *f = (struct fault_file *)file;
    f->real = (sqlite3_file *)(void *)(f + 1);
    f->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    int code = real_vfs->xOpen(real_vfs, name, f->real, flags, out_flags);
    f->base.pMethods = f->real->pMethods != NULL ? &fault_methods : NULL;
    return code;
}

void fault_vfs_install(void)
{
    if (real_vfs != NULL)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *real_vfs;
    fault_vfs.pNext = NULL;
    fault_vfs.zName = "fault";
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
    fault_vfs.xOpen = fault_open;
    (void)sqlite3_vfs_register(&fault_vfs, 1);
}
