/* sqlite_open.c - the connection: file, pragmas, schema, transactions, and what errors mean.
 *
 * The file is in WAL mode with synchronous=FULL: a commit is an append to the log and one flush.
 * The log is moved into the database in small steps (db_checkpoint), when we choose: SQLite's own
 * checkpoint would run inside the commit that happens to cross the line. Pages are read by read(2),
 * never mapped: an error of the disk must be a status here, not a signal.
 *
 * "memory:NAME" is SQLite's memdb: one database per process and name, that lives as long as
 * somebody has it open. It has no log; a commit is simply done.
 *
 * Schema: `schema[]` holds one script for each version; a database of version n gets the scripts
 * from n on, each in a transaction of its own. Scripts are never edited once they have been
 * released.
 *
 * When a flush fails, the frames of that commit may still be in the log. While we live, SQLite does
 * not see them, and the next commit is written over them; but a crash before that could bring them
 * back. So after such a failure db_settle_doubt writes a small commit over them at once.
 *
 * When the process was killed between writing the log and flushing it, SQLite finds that commit at
 * the next start, though only the system's memory may hold it. It counts as done from then on, so
 * db_open makes it last before anybody is told of it. A flush alone is not enough: if one failed in
 * the process that died, the system shows what it could not write and believes that it is written;
 * the next flush succeeds, and a power failure leaves a hole in the log that cuts off every commit
 * after it. So the log is written over itself, and then flushed (db_log_again). Until then nothing
 * is moved into the database, not even at close: with a hole in the log, what had been moved would
 * be half of something.
 */
#include "sqlite_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x72676174 /* "rgat" */
#define BUSY_WAIT_MS   1000
#define BUSY_WAITS     30
/* Of SQLite's write-ahead log; a frame is a page and its header. */
#define LOG_HEADER_BYTES 32
#define LOG_FRAME_BYTES  (24 + 4096)

static const char *const sql_texts[SQL_COUNT] = {
#define SQL(name, text) [SQL_##name] = (text),
#include "statements.def"
#undef SQL
};

/* A rowid table's index ends with the rowid, so (payment) is (payment, id). The CREATE INDEXes here
 * are those that are appended to, more or less: their new entries lie together at the end. An index
 * by merchant would touch a page for every merchant in a commit; those are the tables at the end,
 * which sqlite_idem.c fills behind the commit. */
static const char *const schema[] = {
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), hash_key BLOB NOT NULL"
    " CHECK (length(hash_key) = 16), keys_indexed INTEGER NOT NULL,"
    " payments_indexed INTEGER NOT NULL, events_indexed INTEGER NOT NULL, doubts INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE payments (id INTEGER PRIMARY KEY CHECK (id > 0), merchant INTEGER NOT NULL,"
    " status INTEGER NOT NULL CHECK (status > 0), capture INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " rail INTEGER NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount >= 0),"
    " authorized INTEGER NOT NULL CHECK (authorized >= 0),"
    " capturing INTEGER NOT NULL CHECK (capturing >= 0),"
    " captured INTEGER NOT NULL CHECK (captured >= 0),"
    " releasing INTEGER NOT NULL CHECK (releasing >= 0),"
    " released INTEGER NOT NULL CHECK (released >= 0),"
    " refunding INTEGER NOT NULL CHECK (refunding >= 0),"
    " refunded INTEGER NOT NULL CHECK (refunded >= 0), created_us INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL, channel TEXT, reference TEXT, facts_json TEXT,"
    " outcome_json TEXT, refs BLOB) STRICT;"
    "CREATE TABLE operations (id INTEGER PRIMARY KEY CHECK (id > 0), payment INTEGER NOT NULL,"
    " merchant INTEGER NOT NULL, kind INTEGER NOT NULL, status INTEGER NOT NULL"
    " CHECK (status > 0), amount INTEGER NOT NULL CHECK (amount >= 0),"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, facts_json TEXT,"
    " outcome_json TEXT) STRICT;"
    "CREATE INDEX operations_of_payment ON operations (payment);"
    "CREATE TABLE attempts (id INTEGER PRIMARY KEY CHECK (id > 0), payment INTEGER NOT NULL,"
    " operation INTEGER NOT NULL, merchant INTEGER NOT NULL, verb INTEGER NOT NULL,"
    " state INTEGER NOT NULL CHECK (state > 0), parent INTEGER NOT NULL, amount INTEGER NOT NULL"
    " CHECK (amount >= 0), original INTEGER NOT NULL, currency TEXT NOT NULL, channel TEXT,"
    " trace INTEGER NOT NULL, time_us INTEGER NOT NULL, random BLOB NOT NULL"
    " CHECK (length(random) = 16), tries INTEGER NOT NULL, next_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, refs BLOB, outcome_json TEXT)"
    " STRICT;"
    "CREATE INDEX attempts_of_payment ON attempts (payment);"
    "CREATE INDEX attempts_open ON attempts (id)"
    " WHERE state = 1 OR state = 4 OR state = 8 OR state = 9;"
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY CHECK (seq > 0), time_us INTEGER NOT NULL,"
    " merchant INTEGER NOT NULL, payment INTEGER NOT NULL, kind TEXT NOT NULL, data_json TEXT)"
    " STRICT;"
    "CREATE INDEX journal_of_payment ON journal (payment);"
    "CREATE TABLE counters (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE api_keys (id INTEGER PRIMARY KEY CHECK (id > 0), merchant INTEGER NOT NULL,"
    " hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), live INTEGER NOT NULL,"
    " scopes INTEGER NOT NULL, rate_per_s INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " revoked_us INTEGER NOT NULL, name TEXT) STRICT;"
    "CREATE TABLE idem (seq INTEGER PRIMARY KEY, merchant INTEGER NOT NULL, key TEXT NOT NULL,"
    " mac BLOB NOT NULL CHECK (length(mac) = 32), payment INTEGER NOT NULL,"
    " operation INTEGER NOT NULL, created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE answers (idem_seq INTEGER PRIMARY KEY, status INTEGER NOT NULL"
    " CHECK (status > 0), body BLOB) STRICT;"
    "CREATE TABLE idem_lookup (hash INTEGER, seq INTEGER, PRIMARY KEY (hash, seq))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE payments_of_merchant (merchant INTEGER, payment INTEGER,"
    " PRIMARY KEY (merchant, payment)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE payments_of_reference (hash INTEGER, payment INTEGER,"
    " PRIMARY KEY (hash, payment)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE journal_of_merchant (merchant INTEGER, seq INTEGER,"
    " PRIMARY KEY (merchant, seq)) STRICT, WITHOUT ROWID;",
    /* 2: counters over many payments, payments that wait, profiles that were in force. The rows of
     * one counter lie together; of SLIDING each payment has one, of the other kinds all share one.
     * at_us: SLIDING the payment's time, PERIOD the period's start, SINCE_RESET 0 (since_us has the
     * time of the last reset). */
    "ALTER TABLE payments ADD COLUMN spends BLOB;"
    "CREATE TABLE spent (counter BLOB NOT NULL CHECK (length(counter) = 16), kind INTEGER NOT NULL"
    " CHECK (kind > 0), at_us INTEGER NOT NULL, payment INTEGER NOT NULL, amount INTEGER NOT NULL"
    " CHECK (amount >= 0), count INTEGER NOT NULL CHECK (count >= 0), since_us INTEGER NOT NULL,"
    " PRIMARY KEY (counter, kind, at_us, payment)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE held (payment INTEGER PRIMARY KEY CHECK (payment > 0), merchant INTEGER NOT NULL,"
    " kind INTEGER NOT NULL CHECK (kind > 0), created_us INTEGER NOT NULL,"
    " until_us INTEGER NOT NULL, wrong INTEGER NOT NULL CHECK (wrong >= 0), data BLOB) STRICT;"
    "CREATE INDEX held_until ON held (until_us);"
    "CREATE TABLE profiles (seq INTEGER PRIMARY KEY CHECK (seq > 0), at_us INTEGER NOT NULL,"
    " region TEXT NOT NULL, version TEXT NOT NULL, content_hash TEXT NOT NULL, text BLOB,"
    " who TEXT) STRICT;",
    /* 3: attempts that wait for a person, few of many. */
    "CREATE INDEX attempts_stuck ON attempts (id) WHERE state = 11 OR state = 12;",
    /* 4: where webhooks go. A delivery takes the place (slot) of one that is older. */
    "CREATE TABLE webhook_endpoints (id INTEGER PRIMARY KEY CHECK (id > 0),"
    " merchant INTEGER NOT NULL CHECK (merchant > 0), status INTEGER NOT NULL CHECK (status > 0),"
    " url TEXT NOT NULL, kinds TEXT NOT NULL, description TEXT, secret BLOB NOT NULL,"
    " old_secret BLOB, old_until_us INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL, cursor INTEGER NOT NULL CHECK (cursor >= 0),"
    " next_us INTEGER NOT NULL, failures INTEGER NOT NULL CHECK (failures >= 0),"
    " failing_since_us INTEGER NOT NULL, tries INTEGER NOT NULL, why TEXT) STRICT;"
    "CREATE INDEX webhook_endpoints_of_merchant ON webhook_endpoints (merchant);"
    "CREATE TABLE webhook_deliveries (endpoint INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " number INTEGER NOT NULL, event INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " latency_us INTEGER NOT NULL, http_status INTEGER NOT NULL, next_us INTEGER NOT NULL,"
    " result TEXT NOT NULL, PRIMARY KEY (endpoint, slot)) STRICT, WITHOUT ROWID;",
    /* 5: comparisons with the counterparts' own records, and what they found. */
    "CREATE TABLE reconciliations (id INTEGER PRIMARY KEY CHECK (id > 0),"
    " state INTEGER NOT NULL CHECK (state > 0), started_us INTEGER NOT NULL,"
    " finished_us INTEGER NOT NULL, from_us INTEGER NOT NULL, until_us INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, differences INTEGER NOT NULL, channel TEXT NOT NULL,"
    " format TEXT NOT NULL, file TEXT NOT NULL, file_hash TEXT NOT NULL, summary_json TEXT) STRICT;"
    "CREATE INDEX reconciliations_of_file ON reconciliations (file_hash);"
    "CREATE TABLE differences (id INTEGER PRIMARY KEY CHECK (id > 0),"
    " reconciliation INTEGER NOT NULL CHECK (reconciliation > 0),"
    " kind INTEGER NOT NULL CHECK (kind > 0), status INTEGER NOT NULL CHECK (status > 0),"
    " attempt INTEGER NOT NULL, payment INTEGER NOT NULL, merchant INTEGER NOT NULL,"
    " line INTEGER NOT NULL, here_minor INTEGER NOT NULL, there_minor INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, created_us INTEGER NOT NULL, resolved_us INTEGER NOT NULL,"
    " currency TEXT NOT NULL, channel TEXT NOT NULL, identity TEXT NOT NULL, here TEXT,"
    " there TEXT, who TEXT, why TEXT, evidence TEXT) STRICT;"
    "CREATE INDEX differences_of ON differences (reconciliation);"
    "CREATE INDEX differences_open ON differences (id) WHERE status = 1;",
    /* 6: attempts that one comparison hands on to the next. Those of before handed on none. */
    "ALTER TABLE reconciliations ADD COLUMN tolerance_us INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE reconciliations ADD COLUMN currency TEXT;"
    "CREATE TABLE carried (attempt INTEGER NOT NULL CHECK (attempt > 0),"
    " reconciliation INTEGER NOT NULL CHECK (reconciliation > 0), there_minor INTEGER NOT NULL,"
    " ended INTEGER NOT NULL, PRIMARY KEY (attempt, reconciliation)) STRICT, WITHOUT ROWID;",
};
enum { SCHEMA_VERSION = COUNT_OF(schema) };

/* The query of open attempts and its index name the states by number, in the same words. Not with
 * IN: for more than two values SQLite makes a table of them each time a row is written. */
_Static_assert(ATTEMPT_SENDING == 1 && ATTEMPT_PENDING == 4 && ATTEMPT_UNKNOWN == 8 &&
                   ATTEMPT_REVERSING == 9 && ATTEMPT_CONFLICT == 11 && ATTEMPT_PARKED == 12,
               "statements.def and the schema");
_Static_assert(OPERATION_STATUS_SUCCEEDED == 2 && OPERATION_CAPTURE == 3 && OPERATION_REFUND == 5 &&
                   RECONCILIATION_FINISHED == 2 && DIFFERENCE_STATUS_OPEN == 1,
               "statements.def and the schema");
_Static_assert(STORE_SPEND_SLIDING == 1 && STORE_SPEND_PERIOD == 2 && STORE_SPEND_SINCE_RESET == 3,
               "statements.def and the rows of `spent`");

/* --- errors ------------------------------------------------------------------------------ */

enum status db_fault(struct db *db, int code)
{
    /* SQLite's texts name tables, columns and files, never values. */
    snprintf(db->why, sizeof db->why, "%s (SQLite %d)", sqlite3_errmsg(db->sqlite),
             sqlite3_extended_errcode(db->sqlite));
    switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE ||
                       code == SQLITE_CONSTRAINT_ROWID
                   ? STATUS_EXISTS
                   : STATUS_MALFORMED;
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE: return STATUS_MALFORMED;
    default: return STATUS_IO;
    }
}

struct view db_why(const struct db *db)
{
    return view_text(db->why);
}

/* --- statements -------------------------------------------------------------------------- */

sqlite3_stmt *db_statement(struct db *db, enum sql which)
{
    ENSURE_MAGIC(db, DB_MAGIC);
    ENSURE((unsigned)which < SQL_COUNT && db->statements[which] != NULL);
    return db->statements[which];
}

void db_end(sqlite3_stmt *statement)
{
    /* The code repeats what the step said already. Bindings stay: each use binds all it needs. */
    (void)sqlite3_reset(statement);
}

enum status db_next(struct db *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return STATUS_OK;
    return code == SQLITE_DONE ? STATUS_NOT_FOUND : db_fault(db, code);
}

enum status db_run(struct db *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    enum status status = code == SQLITE_DONE ? STATUS_OK : db_fault(db, code);
    db_end(statement);
    return status;
}

/* Values are borrowed, so binding allocates nothing; texts are bounded before they come here. What
 * cannot be bound is a mistake of ours. */
void bind_i64(sqlite3_stmt *statement, int at, int64_t value)
{
    ENSURE(sqlite3_bind_int64(statement, at, value) == SQLITE_OK);
}

void bind_text_present(sqlite3_stmt *statement, int at, struct view value)
{
    const char *ptr = value.len > 0 ? (const char *)value.ptr : "";
    ENSURE(sqlite3_bind_text64(statement, at, ptr, value.len, SQLITE_STATIC, SQLITE_UTF8) ==
           SQLITE_OK);
}

void bind_text(sqlite3_stmt *statement, int at, struct view value)
{
    if (value.len == 0)
        ENSURE(sqlite3_bind_null(statement, at) == SQLITE_OK);
    else
        bind_text_present(statement, at, value);
}

void bind_blob(sqlite3_stmt *statement, int at, struct view value)
{
    if (value.len == 0)
        ENSURE(sqlite3_bind_null(statement, at) == SQLITE_OK);
    else
        ENSURE(sqlite3_bind_blob64(statement, at, value.ptr, value.len, SQLITE_STATIC) ==
               SQLITE_OK);
}

struct view column_view(sqlite3_stmt *statement, int at)
{
    const void *ptr = sqlite3_column_blob(statement, at);
    return view_of(ptr, ptr != NULL ? (size_t)sqlite3_column_bytes(statement, at) : 0);
}

struct view column_copy(sqlite3_stmt *statement, int at, struct arena *arena, bool *full)
{
    struct view bytes = column_view(statement, at);
    if (bytes.len == 0)
        return VIEW_EMPTY;
    struct view copy = arena_copy(arena, bytes);
    if (copy.len == 0)
        *full = true;
    return copy;
}

/* --- transactions ------------------------------------------------------------------------ */

static enum status db_do(struct db *db, enum sql which)
{
    return db_run(db, db_statement(db, which));
}

enum status db_begin(struct db *db)
{
    ENSURE(!db_in_transaction(db));
    for (int waits = 1;; waits++) {
        int code = sqlite3_step(db_statement(db, SQL_BEGIN)); /* waits BUSY_WAIT_MS by itself */
        enum status status = code == SQLITE_DONE ? STATUS_OK : db_fault(db, code);
        db_end(db_statement(db, SQL_BEGIN));
        if ((code & 0xFF) != SQLITE_BUSY || waits == BUSY_WAITS)
            return status;
    }
}

enum status db_begin_read(struct db *db)
{
    ENSURE(!db_in_transaction(db));
    return db_do(db, SQL_BEGIN_READ);
}

enum status db_commit(struct db *db)
{
    if (!db_in_transaction(db)) {
        snprintf(db->why, sizeof db->why, "the transaction was lost");
        return STATUS_IO;
    }
    return db_do(db, SQL_COMMIT);
}

void db_rollback(struct db *db)
{
    /* SQLite has rolled back by itself after some errors; a rollback cannot fail to undo. */
    if (db_in_transaction(db))
        IGNORE_STATUS(db_do(db, SQL_ROLLBACK));
    ENSURE(!db_in_transaction(db));
}

bool db_in_transaction(const struct db *db)
{
    return sqlite3_get_autocommit(db->sqlite) == 0;
}

enum status db_savepoint(struct db *db)
{
    return db_do(db, SQL_SAVEPOINT);
}

enum status db_savepoint_keep(struct db *db)
{
    return db_do(db, SQL_SAVEPOINT_KEEP);
}

enum status db_savepoint_undo(struct db *db)
{
    TRY(db_do(db, SQL_SAVEPOINT_UNDO));
    return db_do(db, SQL_SAVEPOINT_KEEP);
}

enum status db_settle_doubt(struct db *db)
{
    enum status status = db_begin(db);
    if (status == STATUS_OK)
        status = db_do(db, SQL_DOUBT);
    if (status == STATUS_OK)
        status = db_commit(db);
    if (status != STATUS_OK)
        db_rollback(db);
    return status;
}

enum status db_changed_elsewhere(struct db *db, bool *changed)
{
    sqlite3_stmt *s = db_statement(db, SQL_DATA_VERSION);
    TRY(db_next(db, s));
    int64_t version = sqlite3_column_int64(s, 0);
    db_end(s);
    *changed = version != db->data_version;
    db->data_version = version;
    return STATUS_OK;
}

static int on_commit_to_log(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
    struct db *db = arg;
    ENSURE_MAGIC(db, DB_MAGIC);
    (void)sqlite;
    (void)name;
    if (pages < db->log_pages)
        db->checkpoint_floor = 0; /* the log began anew */
    db->log_pages = pages;
    return SQLITE_OK;
}

void db_checkpoint(struct db *db, int pages)
{
    if (db->log_pages - db->checkpoint_floor < pages)
        return;
    /* Passive: waits for nobody. What readers or a failing disk keep it from moving stays in the
     * log, which is as durable; the next try comes after as many pages again. */
    int in_log = 0, moved = 0;
    (void)sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    db->checkpoint_floor = db->log_pages;
}

/* --- opening ----------------------------------------------------------------------------- */

static enum status db_script(struct db *db, const char *script)
{
    int code = sqlite3_exec(db->sqlite, script, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : db_fault(db, code);
}

static enum status db_pragma(struct db *db, const char *text, int64_t *value)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    enum status status = code == SQLITE_ROW ? STATUS_OK : db_fault(db, code);
    if (status == STATUS_OK)
        *value = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return status;
}

static bool is_memory(const char *path)
{
    return strncmp(path, "memory:", 7) == 0;
}

/* The file is made by us, so that it is nobody else's from the first moment; log and index inherit
 * its mode. */
static enum status db_create_file(const char *path, struct writer *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return STATUS_OK;
    if (fd < 0) {
        writer_format(why, "cannot create %s: %s", path, strerror(errno));
        return STATUS_IO;
    }
    (void)close(fd);
    return STATUS_OK;
}

/* Not refused: a group that makes backups may be wanted. But nobody should find out by a leak. */
static void db_warn_of_mode(const char *path, struct writer *why)
{
    struct stat info;
    if (stat(path, &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        writer_format(why, "%s: others than its owner may use it (mode %04o); chmod 600 it\n", path,
                      (unsigned)(info.st_mode & 07777));
}

static enum status db_connect(struct db *db, const char *path, const char *vfs, bool read_only,
                              struct writer *why)
{
    char uri[600];
    int flags = SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (is_memory(path)) {
        int len = snprintf(uri, sizeof uri, "file:/%s?vfs=memdb", path + 7);
        if (len < 0 || (size_t)len >= sizeof uri) {
            writer_text(why, "the name of the database is too long");
            return STATUS_RANGE;
        }
        flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
        path = uri;
    } else if (vfs != NULL) {
        flags |= read_only ? 0 : SQLITE_OPEN_CREATE;
    } else if (!read_only) {
        TRY(db_create_file(path, why));
    }
    /* Counting every allocation costs a lock each. Refused when SQLite runs already: no matter. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int code = sqlite3_open_v2(path, &db->sqlite, flags, vfs);
    if (code != SQLITE_OK) {
        writer_format(why, "cannot open %s: %s", path,
                      db->sqlite != NULL ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(code));
        return STATUS_IO;
    }
    (void)sqlite3_extended_result_codes(db->sqlite, 1);
    (void)sqlite3_busy_timeout(db->sqlite, BUSY_WAIT_MS);
    return STATUS_OK;
}

/* page_size and auto_vacuum count only before the first table. secure_delete FAST: wiped where that
 * costs no page more. */
static enum status db_settings(struct db *db, bool memory, bool read_only)
{
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    TRY(db_script(db, "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;"
                      " PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF;"
                      " PRAGMA cell_size_check = ON;"));
    if (read_only)
        return STATUS_OK;
    TRY(db_script(db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE;"));
    if (!memory) {
        TRY(db_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          " PRAGMA journal_size_limit = 67108864;"));
        (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        int64_t level = 0;
        TRY(db_pragma(db, "PRAGMA synchronous", &level));
        ENSURE(level == 2); /* FULL: every commit is flushed */
    }
    (void)sqlite3_wal_hook(db->sqlite, on_commit_to_log, db);
    return db_script(db, "PRAGMA secure_delete = FAST;");
}

static enum status db_is_ours(struct db *db, int64_t *version, bool *fresh, struct writer *why)
{
    int64_t application = 0, tables = 0;
    TRY(db_pragma(db, "PRAGMA application_id", &application));
    TRY(db_pragma(db, "PRAGMA user_version", version));
    TRY(db_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables));
    *fresh = application == 0 && *version == 0 && tables == 0;
    if (!*fresh && application != APPLICATION_ID) {
        writer_text(why, "the file is a database of another program");
        return STATUS_DENIED;
    }
    if (*version > SCHEMA_VERSION) {
        writer_format(why,
                      "the database has schema version %lld, this program knows %d: use a "
                      "newer railgate",
                      (long long)*version, (int)SCHEMA_VERSION);
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

static enum status db_log_fault(struct db *db, int code)
{
    snprintf(db->why, sizeof db->why, "the log could not be written again (SQLite %d)", code);
    return STATUS_IO;
}

/* After a commit, which tells how long the log is. Nobody else may write to it meanwhile. */
static enum status db_log_again(struct db *db)
{
    uint8_t part[4 * LOG_FRAME_BYTES];
    sqlite3_file *log = NULL;
    int64_t end = LOG_HEADER_BYTES + (int64_t)db->log_pages * LOG_FRAME_BYTES;
    ENSURE(db_in_transaction(db));
    int code = sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code != SQLITE_OK || log == NULL || log->pMethods == NULL)
        return db_log_fault(db, code);
    for (int64_t at = 0; at < end; at += (int64_t)sizeof part) {
        int len = end - at < (int64_t)sizeof part ? (int)(end - at) : (int)sizeof part;
        code = log->pMethods->xRead(log, part, len, at);
        if (code == SQLITE_OK)
            code = log->pMethods->xWrite(log, part, len, at);
        if (code != SQLITE_OK)
            return db_log_fault(db, code);
    }
    code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return code == SQLITE_OK ? STATUS_OK : db_log_fault(db, code);
}

/* What was found in the log lasts from here on. */
static enum status db_make_last(struct db *db)
{
    TRY(db_settle_doubt(db));
    TRY(db_begin(db));
    enum status status = db_log_again(db);
    db_rollback(db);
    if (status == STATUS_OK)
        (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return status;
}

static enum status db_create_meta(struct db *db, const uint8_t hash_key[DB_HASH_KEY_BYTES])
{
    sqlite3_stmt *s = NULL;
    int code =
        sqlite3_prepare_v2(db->sqlite, "INSERT INTO meta VALUES (1, ?1, 0, 0, 0, 0)", -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_blob(s, 1, hash_key, DB_HASH_KEY_BYTES, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    enum status status = code == SQLITE_DONE ? STATUS_OK : db_fault(db, code);
    (void)sqlite3_finalize(s);
    return status;
}

/* One version up. Another process may be doing the same: look again inside the transaction. */
static enum status db_upgrade_step(struct db *db, const uint8_t *hash_key, struct writer *why)
{
    int64_t version;
    bool fresh;
    TRY(db_is_ours(db, &version, &fresh, why));
    if (version == SCHEMA_VERSION)
        return STATUS_OK;
    TRY(db_script(db, schema[version]));
    if (fresh)
        TRY(db_create_meta(db, hash_key));
    char text[96];
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %lld;",
             APPLICATION_ID, (long long)version + 1);
    return db_script(db, text);
}

static enum status db_upgrade(struct db *db, bool read_only, const uint8_t *hash_key,
                              struct writer *why)
{
    int64_t version;
    bool fresh;
    TRY(db_is_ours(db, &version, &fresh, why));
    if (read_only && version < SCHEMA_VERSION) {
        writer_text(why, fresh ? "the database is empty"
                               : "the database is of an older version: start the server once");
        return STATUS_DENIED;
    }
    for (; version < SCHEMA_VERSION; version++) {
        TRY(db_script(db, "BEGIN IMMEDIATE"));
        enum status status = db_upgrade_step(db, hash_key, why);
        if (status == STATUS_OK)
            status = db_script(db, "COMMIT");
        if (status != STATUS_OK) {
            if (db_in_transaction(db))
                (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
            return status;
        }
    }
    return STATUS_OK;
}

static enum status db_prepare(struct db *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        int code = sqlite3_prepare_v3(db->sqlite, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->statements[i], NULL);
        if (code != SQLITE_OK)
            return db_fault(db, code);
    }
    return STATUS_OK;
}

static enum status db_read_hash_key(struct db *db)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, "SELECT hash_key FROM meta", -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    enum status status = code == SQLITE_ROW ? STATUS_OK : db_fault(db, code);
    if (status == STATUS_OK) {
        struct view key = column_view(s, 0);
        if (key.len == sizeof db->hash_key)
            memcpy(db->hash_key, key.ptr, sizeof db->hash_key);
        else
            status = STATUS_IO;
    }
    (void)sqlite3_finalize(s);
    return status;
}

enum status db_open(struct db **out, const char *path, const char *vfs, bool read_only,
                    const uint8_t hash_key[DB_HASH_KEY_BYTES], struct writer *why)
{
    *out = NULL;
    /* Without its memory statistics SQLite takes no lock for an allocation. Counts only before its
     * first use in the process; later it is refused, and nothing depends on it. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->magic = DB_MAGIC;
    enum status status = db_connect(db, path, vfs, read_only, why);
    if (status == STATUS_OK)
        status = db_settings(db, is_memory(path), read_only);
    if (status == STATUS_OK)
        status = db_upgrade(db, read_only, hash_key, why);
    if (status == STATUS_OK)
        status = db_prepare(db);
    if (status == STATUS_OK)
        status = db_read_hash_key(db);
    if (status == STATUS_OK && !read_only && !is_memory(path))
        status = db_make_last(db);
    if (status != STATUS_OK) {
        if (why->len == 0)
            writer_format(why, "%s: %s", path, db->why);
        db_close(db);
        return status;
    }
    if (!read_only && vfs == NULL && !is_memory(path))
        db_warn_of_mode(path, why);
    *out = db;
    return STATUS_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    ENSURE_MAGIC(db, DB_MAGIC);
    for (size_t i = 0; i < SQL_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    /* The last one to close moves the log into the database and removes it. */
    ENSURE(db->sqlite == NULL || sqlite3_close(db->sqlite) == SQLITE_OK);
    db->magic = 0;
    free(db);
}

/* --- keeper ------------------------------------------------------------------------------ */

struct store_keeper {
    sqlite3 *sqlite;
};

enum status store_keeper_open(struct store_keeper **out, const char *path)
{
    *out = NULL;
    if (!is_memory(path))
        return STATUS_UNSUPPORTED;
    char uri[600];
    int len = snprintf(uri, sizeof uri, "file:/%s?vfs=memdb", path + 7);
    if (len < 0 || (size_t)len >= sizeof uri)
        return STATUS_RANGE;
    struct store_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return STATUS_NO_MEMORY;
    int code = sqlite3_open_v2(uri, &keeper->sqlite,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL);
    if (code != SQLITE_OK) {
        store_keeper_close(keeper);
        return STATUS_IO;
    }
    *out = keeper;
    return STATUS_OK;
}

void store_keeper_close(struct store_keeper *keeper)
{
    if (keeper == NULL)
        return;
    (void)sqlite3_close(keeper->sqlite);
    free(keeper);
}
