/* store_sort.c - see store_sort.h. A database without a name: SQLite keeps its pages in a file that
 * it has unlinked, and sorts with runs in such files, merged as they are read. Nothing of it has to
 * survive, so there is no journal and no flush.
 */
#include "store/store_sort.h"

#include "base/ensure.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define SORT_MAGIC UINT32_C(0x536F7274)

struct store_sort {
    uint32_t magic;
    sqlite3 *sqlite;
    sqlite3_stmt *put, *all;
    char why[240];
};

static enum status sort_fault(struct store_sort *sort)
{
    bool full = sqlite3_errcode(sort->sqlite) == SQLITE_FULL;
    (void)snprintf(sort->why, sizeof sort->why, "the temporary file for sorting (see TMPDIR): %s",
                   full ? "the disk is full" : sqlite3_errmsg(sort->sqlite));
    return STATUS_IO;
}

static enum status sort_script(struct store_sort *sort, const char *script)
{
    return sqlite3_exec(sort->sqlite, script, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK
                                                                             : sort_fault(sort);
}

static enum status sort_prepare(struct store_sort *sort)
{
    char cache[64];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", STORE_SORT_CACHE_KIB);
    TRY(sort_script(sort, cache));
    TRY(sort_script(sort, "PRAGMA temp_store = FILE; PRAGMA journal_mode = OFF;"
                          " PRAGMA synchronous = OFF; PRAGMA mmap_size = 0;"
                          "CREATE TABLE rows (key BLOB NOT NULL, nth INTEGER NOT NULL,"
                          " payload BLOB NOT NULL); BEGIN"));
    if (sqlite3_prepare_v2(sort->sqlite, "INSERT INTO rows VALUES (?1, ?2, ?3)", -1, &sort->put,
                           NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(sort->sqlite, "SELECT key, payload FROM rows ORDER BY key, nth", -1,
                           &sort->all, NULL) != SQLITE_OK)
        return sort_fault(sort);
    return STATUS_OK;
}

enum status store_sort_open(struct store_sort **out)
{
    *out = NULL;
    struct store_sort *sort = calloc(1, sizeof *sort);
    if (sort == NULL)
        return STATUS_NO_MEMORY;
    sort->magic = SORT_MAGIC;
    enum status status = STATUS_NO_MEMORY;
    if (sqlite3_open_v2("", &sort->sqlite,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK)
        status = sort_prepare(sort);
    if (status != STATUS_OK) {
        store_sort_close(sort);
        return status;
    }
    *out = sort;
    return STATUS_OK;
}

enum status store_sort_put(struct store_sort *sort, struct view key, int64_t order,
                           struct view payload)
{
    ENSURE_MAGIC(sort, SORT_MAGIC);
    if (key.len == 0 || key.len > STORE_SORT_KEY_MAX || payload.len > STORE_SORT_PAYLOAD_MAX)
        return STATUS_RANGE;
    sqlite3_stmt *s = sort->put;
    const void *bytes = payload.len > 0 ? (const void *)payload.ptr : "";
    ENSURE(sqlite3_bind_blob64(s, 1, key.ptr, key.len, SQLITE_STATIC) == SQLITE_OK);
    ENSURE(sqlite3_bind_int64(s, 2, order) == SQLITE_OK);
    ENSURE(sqlite3_bind_blob64(s, 3, bytes, payload.len, SQLITE_STATIC) == SQLITE_OK);
    int code = sqlite3_step(s);
    enum status status = code == SQLITE_DONE ? STATUS_OK : sort_fault(sort);
    (void)sqlite3_reset(s);
    return status;
}

enum status store_sort_turn(struct store_sort *sort)
{
    ENSURE_MAGIC(sort, SORT_MAGIC);
    return sort_script(sort, "COMMIT");
}

enum status store_sort_next(struct store_sort *sort, struct view *key, struct view *payload)
{
    ENSURE_MAGIC(sort, SORT_MAGIC);
    int code = sqlite3_step(sort->all);
    if (code == SQLITE_DONE)
        return STATUS_NOT_FOUND;
    if (code != SQLITE_ROW)
        return sort_fault(sort);
    *key = view_of(sqlite3_column_blob(sort->all, 0), (size_t)sqlite3_column_bytes(sort->all, 0));
    *payload =
        view_of(sqlite3_column_blob(sort->all, 1), (size_t)sqlite3_column_bytes(sort->all, 1));
    return STATUS_OK;
}

struct view store_sort_why(const struct store_sort *sort)
{
    return view_text(sort->why);
}

void store_sort_close(struct store_sort *sort)
{
    if (sort == NULL)
        return;
    ENSURE_MAGIC(sort, SORT_MAGIC);
    (void)sqlite3_finalize(sort->put);
    (void)sqlite3_finalize(sort->all);
    (void)sqlite3_close(sort->sqlite);
    sort->magic = 0;
    free(sort);
}
