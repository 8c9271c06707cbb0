/* sqlite_int.h - what the sqlite_*.c files share: the connection and its prepared statements. */
#ifndef STORE_SQLITE_INT_H
#define STORE_SQLITE_INT_H

#include "store_int.h"

#include <sqlite3.h>

enum sql {
#define SQL(name, text) SQL_##name,
#include "statements.def"
#undef SQL
    SQL_COUNT
};

#define DB_MAGIC UINT32_C(0x73716C33)

struct db {
    uint32_t magic;
    sqlite3 *sqlite;
    sqlite3_stmt *statements[SQL_COUNT];
    int64_t data_version;
    int64_t payments_indexed; /* as of the open transaction */
    int log_pages;            /* in the write-ahead log after the last commit */
    int checkpoint_floor;     /* pages that the last checkpoint could not move */
    uint64_t hash_key[2];
    char why[240];
};

/* Notes the reason and gives the status that the seam promises for SQLite's code. */
enum status db_fault(struct db *db, int code);

/* Statements are taken reset and unbound; db_run runs one that gives no rows and resets it. A
 * statement that gives rows is stepped with db_next and must be given back with db_end. */
sqlite3_stmt *db_statement(struct db *db, enum sql which);
enum status db_run(struct db *db, sqlite3_stmt *statement);
/* OK: a row is there; NOT_FOUND: no more. */
enum status db_next(struct db *db, sqlite3_stmt *statement);
void db_end(sqlite3_stmt *statement);

void bind_i64(sqlite3_stmt *statement, int at, int64_t value);
/* Borrowed until the statement is reset; empty becomes NULL. */
void bind_text(sqlite3_stmt *statement, int at, struct view value);
void bind_blob(sqlite3_stmt *statement, int at, struct view value);
/* The same, but an empty value stays an empty value. */
void bind_text_present(sqlite3_stmt *statement, int at, struct view value);

/* The column's bytes; valid until the next step. */
struct view column_view(sqlite3_stmt *statement, int at);
/* A copy; sets *full when the arena has no room. */
struct view column_copy(sqlite3_stmt *statement, int at, struct arena *arena, bool *full);

/* What a reader of rows says at its end. `full`: the arena had no room; not `valid`: the row cannot
 * be what we wrote. */
enum status db_row_end(struct db *db, bool full, bool valid, const char *table);
enum status db_row_broken(struct db *db, const char *table);
/* After a db_run: NOT_FOUND for an update that found nothing; the judge changed the id, or the row
 * was never there. */
enum status db_one_row(struct db *db, enum status status);

/* Rows, for loads and lists. RANGE: the arena is full; IO: the row cannot be what we wrote. */
enum status row_payment(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct payment_row *out);
enum status row_operation(struct db *db, sqlite3_stmt *s, struct arena *arena,
                          struct operation_row *out);
enum status row_attempt(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct attempt_row *out);
/* held_row: its columns stand from `at` on. */
enum status row_held(struct db *db, sqlite3_stmt *s, int at, struct arena *arena,
                     struct held_row *out);
enum status row_profile(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct profile_row *out);
enum status row_endpoint(struct db *db, sqlite3_stmt *s, struct arena *arena,
                         struct endpoint_row *out);
enum status row_delivery(struct db *db, sqlite3_stmt *s, struct arena *arena,
                         struct delivery_row *out);
enum status row_reconciliation(struct db *db, sqlite3_stmt *s, struct arena *arena,
                               struct reconciliation_row *out);
enum status row_difference(struct db *db, sqlite3_stmt *s, struct arena *arena,
                           struct difference_row *out);
enum { PAYMENT_COLUMN_COUNT = 23, ATTEMPT_COLUMN_COUNT = 20, EVENT_COLUMN_COUNT = 6 };

#endif
