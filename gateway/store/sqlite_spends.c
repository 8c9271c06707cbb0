/* sqlite_spends.c - the table of counters: reading sums, adding to them, taking back.
 *
 * One table for the three kinds of sums (statements.def names them by number):
 *
 *     SLIDING      a row for each payment, found by (counter, time); the sum is made by reading
 *                  those inside the window, so its cost grows with them
 *     PERIOD       one row for each period, by its start
 *     SINCE_RESET  one row; a reset zeroes it and moves since_us on, so that what was spent before
 *                  is not taken back from what was spent after
 *
 * Counters are random keys: each touches a page of its own. That is the price of a limit; a request
 * without spends runs no statement of this file.
 *
 * Rows of SLIDING that no window reaches are deleted by the next payment of the same counter, and
 * those of counters that nobody uses any more by db_spent_purge, which walks through the table with
 * a cursor: an index by time would cost every payment a write.
 */
#include "sqlite_int.h"

#include <stdio.h>

enum { OLD_ROWS_MAX = 256 }; /* deleted by one payment */

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* For times: how far a window reaches back. */
static int64_t before(int64_t time_us, int64_t window_us)
{
    int64_t out;
    return __builtin_sub_overflow(time_us, window_us, &out) ? INT64_MIN : out;
}

static void bind_key(sqlite3_stmt *s, const uint8_t key[16])
{
    bind_blob(s, 1, view_of(key, 16));
}

/* --- reading ------------------------------------------------------------------------------- */

static enum status read_sliding(struct db *db, const struct store_spend *spend, int64_t now_us,
                                struct spent *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_SLIDING);
    bind_key(s, spend->key);
    bind_i64(s, 2, before(now_us, spend->window_us));
    bind_i64(s, 3, STORE_SPEND_ROWS_MAX + 1);
    enum status status;
    for (size_t rows = 0; (status = db_next(db, s)) == STATUS_OK; rows++) {
        if (rows == STORE_SPEND_ROWS_MAX) {
            out->too_many = true;
            break;
        }
        out->amount = add_saturating(out->amount, sqlite3_column_int64(s, 0));
        out->count = add_saturating(out->count, sqlite3_column_int64(s, 1));
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The one row of PERIOD or SINCE_RESET. */
static enum status read_one(struct db *db, const uint8_t key[16], enum store_spend_kind kind,
                            int64_t at_us, struct spent *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_ONE);
    bind_key(s, key);
    bind_i64(s, 2, kind);
    bind_i64(s, 3, at_us);
    enum status status = db_next(db, s);
    if (status == STATUS_OK) {
        out->amount = sqlite3_column_int64(s, 0);
        out->count = sqlite3_column_int64(s, 1);
        out->since_us = sqlite3_column_int64(s, 2);
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status db_spent_read(struct db *db, const struct store_spend *spend, int64_t now_us,
                          struct spent *out)
{
    *out = (struct spent){ 0 };
    switch (spend->kind) {
    case STORE_SPEND_SLIDING: return read_sliding(db, spend, now_us, out);
    case STORE_SPEND_PERIOD: return read_one(db, spend->key, spend->kind, spend->start_us, out);
    case STORE_SPEND_SINCE_RESET: return read_one(db, spend->key, spend->kind, 0, out);
    case STORE_SPEND_RESET: return STATUS_OK;
    }
    ENSURE(!"a kind of the list");
    return STATUS_MALFORMED;
}

/* --- spending ------------------------------------------------------------------------------ */

static enum status add_row(struct db *db, const struct store_spend *spend, int64_t at_us,
                           int64_t payment)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_ADD);
    bind_key(s, spend->key);
    bind_i64(s, 2, spend->kind);
    bind_i64(s, 3, at_us);
    bind_i64(s, 4, payment);
    bind_i64(s, 5, spend->amount);
    return db_run(db, s);
}

/* Deletes the oldest rows that lie a whole window behind the window. Mostly there is none, and the
 * look costs one visit of a page that is at hand. */
static enum status forget_old(struct db *db, const struct store_spend *spend, int64_t now_us)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_OLD);
    bind_key(s, spend->key);
    bind_i64(s, 2, before(before(now_us, spend->window_us), spend->window_us));
    bind_i64(s, 3, OLD_ROWS_MAX);
    enum status status;
    bool any = false;
    int64_t last_us = 0;
    while ((status = db_next(db, s)) == STATUS_OK) {
        any = true;
        last_us = sqlite3_column_int64(s, 0);
    }
    db_end(s);
    if (status != STATUS_NOT_FOUND || !any)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    s = db_statement(db, SQL_SPENT_FORGET);
    bind_key(s, spend->key);
    bind_i64(s, 2, last_us);
    return db_run(db, s);
}

static enum status reset(struct db *db, const struct store_spend *spend, int64_t now_us)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_RESET);
    bind_key(s, spend->key);
    bind_i64(s, 2, now_us);
    return db_run(db, s);
}

enum status db_spent_add(struct db *db, const struct store_spend *spend, int64_t payment,
                         int64_t now_us, struct spend_mark *mark)
{
    *mark = (struct spend_mark){ .kind = spend->kind, .amount = spend->amount };
    memcpy(mark->key, spend->key, sizeof mark->key);
    struct spent now = { 0 };
    switch (spend->kind) {
    case STORE_SPEND_SLIDING:
        mark->at_us = now_us;
        TRY(add_row(db, spend, now_us, payment));
        return forget_old(db, spend, now_us);
    case STORE_SPEND_PERIOD:
        mark->at_us = spend->start_us;
        return add_row(db, spend, spend->start_us, 0);
    case STORE_SPEND_SINCE_RESET:
        TRY(read_one(db, spend->key, spend->kind, 0, &now));
        mark->at_us = now.since_us;
        return add_row(db, spend, 0, 0);
    case STORE_SPEND_RESET: return reset(db, spend, now_us);
    }
    ENSURE(!"a kind of the list");
    return STATUS_MALFORMED;
}

/* --- taking back --------------------------------------------------------------------------- */

static enum status delete_row(struct db *db, const struct spent_cursor *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_DELETE);
    bind_key(s, row->key);
    bind_i64(s, 2, row->kind);
    bind_i64(s, 3, row->at_us);
    bind_i64(s, 4, row->payment);
    return db_run(db, s);
}

enum status db_spent_take_back(struct db *db, const struct spend_mark *mark, int64_t payment)
{
    if (mark->kind == STORE_SPEND_SLIDING) {
        struct spent_cursor row = { .kind = mark->kind, .at_us = mark->at_us, .payment = payment };
        memcpy(row.key, mark->key, sizeof row.key);
        return delete_row(db, &row);
    }
    bool period = mark->kind == STORE_SPEND_PERIOD;
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_SUBTRACT);
    bind_key(s, mark->key);
    bind_i64(s, 2, mark->kind);
    bind_i64(s, 3, period ? mark->at_us : 0);
    bind_i64(s, 4, period ? 0 : mark->at_us);
    bind_i64(s, 5, mark->amount);
    return db_run(db, s);
}

/* --- housekeeping -------------------------------------------------------------------------- */

/* SINCE_RESET has no end. */
static bool row_is_over(const struct spent_cursor *row, int64_t before_us)
{
    return (row->kind == STORE_SPEND_SLIDING || row->kind == STORE_SPEND_PERIOD) &&
           row->at_us < before_us;
}

enum status db_spent_purge(struct db *db, struct spent_cursor *cursor, int64_t before_us,
                           size_t max, bool *end)
{
    struct spent_cursor over[SPENT_WALK_MAX], row = *cursor;
    size_t looked = 0, count = 0;
    ENSURE(max > 0 && max <= SPENT_WALK_MAX);
    sqlite3_stmt *s = db_statement(db, SQL_SPENT_WALK);
    bind_key(s, cursor->key);
    bind_i64(s, 2, cursor->kind);
    bind_i64(s, 3, cursor->at_us);
    bind_i64(s, 4, cursor->payment);
    bind_i64(s, 5, (int64_t)max);
    enum status status;
    while ((status = db_next(db, s)) == STATUS_OK) {
        struct view key = column_view(s, 0);
        if (key.len != sizeof row.key) {
            status = db_row_broken(db, "spent");
            break;
        }
        memcpy(row.key, key.ptr, sizeof row.key);
        row.kind = sqlite3_column_int64(s, 1);
        row.at_us = sqlite3_column_int64(s, 2);
        row.payment = sqlite3_column_int64(s, 3);
        looked++;
        ENSURE(looked <= max);
        if (row_is_over(&row, before_us))
            over[count++] = row;
    }
    db_end(s);
    if (status != STATUS_NOT_FOUND)
        return status;
    for (size_t i = 0; i < count; i++)
        TRY(delete_row(db, &over[i]));
    *end = looked < max;
    *cursor = row;
    if (*end)
        memset(cursor, 0, sizeof *cursor);
    return STATUS_OK;
}
