/* sqlite_idem.c - idempotency rows, their answers, and the two indexes that are built behind the
 * commit.
 *
 * Within a commit rows are only appended. An index by key, by reference or by merchant would touch
 * a page here and a page there for every row; such indexes are tables of their own (idem_lookup,
 * payments_of_merchant, ...), filled later, many sorted entries in one transaction, together with
 * the watermark in meta that says how far they reach. Whoever looks something up uses the index up
 * to the watermark and looks at the rows after it by other means (recent.c for keys, reading them
 * for the rest: there are never many). Entries and watermark commit together, so there is no moment
 * at which a row is found by neither.
 *
 * The hash is keyed by a random number of this database, so nobody can choose colliding keys; the
 * full text is compared all the same.
 */
#include "sqlite_int.h"

#include "base/map.h"

#include <stdio.h>

uint64_t lookup_hash(const uint64_t hash_key[2], int64_t merchant, struct view text)
{
    return siphash(hash_key[0] ^ (uint64_t)merchant, hash_key[1], text);
}

/* --- marks ------------------------------------------------------------------------------- */

enum status db_marks_read(struct db *db, struct db_marks *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_MARKS);
    enum status status = db_next(db, s);
    if (status == STATUS_OK) {
        *out = (struct db_marks){ .journal_seq = sqlite3_column_int64(s, 0),
                                  .idem_seq = sqlite3_column_int64(s, 1),
                                  .keys_indexed = sqlite3_column_int64(s, 2),
                                  .payments_indexed = sqlite3_column_int64(s, 3),
                                  .events_indexed = sqlite3_column_int64(s, 4) };
        db->payments_indexed = out->payments_indexed;
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_IO : status;
}

void db_hash_key(const struct db *db, uint64_t out[2])
{
    out[0] = db->hash_key[0];
    out[1] = db->hash_key[1];
}

static enum status one_number(struct db *db, sqlite3_stmt *s, int64_t *out)
{
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        *out = sqlite3_column_int64(s, 0);
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_IO : status;
}

enum status db_last_id(struct db *db, int64_t *out)
{
    return one_number(db, db_statement(db, SQL_LAST_ID), out);
}

enum status db_journal_check(struct db *db)
{
    int64_t gaps;
    TRY(one_number(db, db_statement(db, SQL_JOURNAL_GAPS), &gaps));
    return gaps == 0 ? STATUS_OK : STATUS_MALFORMED;
}

/* --- rows and answers -------------------------------------------------------------------- */

enum status db_idem_append(struct db *db, const struct idem_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_IDEM_APPEND);
    bind_i64(s, 1, row->seq);
    bind_i64(s, 2, row->merchant);
    bind_text_present(s, 3, row->key);
    bind_blob(s, 4, view_of(row->mac, sizeof row->mac));
    bind_i64(s, 5, row->payment);
    bind_i64(s, 6, row->operation);
    bind_i64(s, 7, row->created_us);
    return db_run(db, s);
}

/* OK when the row that the statement stands on is the one that was asked for. */
static enum status idem_compare(sqlite3_stmt *s, int64_t merchant, struct view key,
                                struct idem_row *out)
{
    if (sqlite3_column_int64(s, 1) != merchant || !view_equal(column_view(s, 2), key))
        return STATUS_NOT_FOUND;
    struct view mac = column_view(s, 3);
    if (mac.len != sizeof out->mac)
        return STATUS_IO;
    *out = (struct idem_row){ .seq = sqlite3_column_int64(s, 0),
                              .merchant = merchant,
                              .payment = sqlite3_column_int64(s, 4),
                              .operation = sqlite3_column_int64(s, 5),
                              .created_us = sqlite3_column_int64(s, 6) };
    memcpy(out->mac, mac.ptr, sizeof out->mac);
    return STATUS_OK;
}

static enum status idem_first_match(struct db *db, sqlite3_stmt *s, int64_t merchant,
                                    struct view key, struct idem_row *out)
{
    enum status status;
    while ((status = db_next(db, s)) == STATUS_OK) {
        status = idem_compare(s, merchant, key, out);
        if (status != STATUS_NOT_FOUND)
            break;
    }
    db_end(s);
    return status;
}

enum status db_idem_match(struct db *db, int64_t seq, int64_t merchant, struct view key,
                          struct idem_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_IDEM_LOAD);
    bind_i64(s, 1, seq);
    return idem_first_match(db, s, merchant, key, out);
}

enum status db_idem_lookup(struct db *db, uint64_t hash, int64_t merchant, struct view key,
                           struct idem_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_IDEM_LOOKUP);
    bind_i64(s, 1, (int64_t)hash);
    return idem_first_match(db, s, merchant, key, out);
}

enum status db_answer_append(struct db *db, int64_t seq, uint32_t status, struct view body)
{
    sqlite3_stmt *s = db_statement(db, SQL_ANSWER_APPEND);
    bind_i64(s, 1, seq);
    bind_i64(s, 2, status);
    bind_blob(s, 3, body);
    return db_run(db, s);
}

enum status db_answer_load(struct db *db, int64_t seq, struct arena *arena, uint32_t *status,
                           struct view *body)
{
    *status = 0;
    *body = VIEW_EMPTY;
    sqlite3_stmt *s = db_statement(db, SQL_ANSWER_LOAD);
    bind_i64(s, 1, seq);
    bool full = false;
    enum status found = db_next(db, s);
    int64_t answered = 200;
    if (found == STATUS_OK) {
        answered = sqlite3_column_int64(s, 0);
        *body = column_copy(s, 1, arena, &full);
    }
    db_end(s);
    if (full)
        return STATUS_RANGE;
    if (answered < 200 || answered > 599) { /* goes out as an HTTP status, and was none of ours */
        snprintf(db->why, sizeof db->why, "a row of answers cannot be read");
        return STATUS_MALFORMED;
    }
    if (found == STATUS_OK)
        *status = (uint32_t)answered;
    return found == STATUS_NOT_FOUND ? STATUS_OK : found;
}

/* --- the lasting indexes ----------------------------------------------------------------- */

struct lookup_statements {
    enum sql after, add, mark;
    bool hashed; /* the value is a hash of merchant and text; else it is the merchant */
};
static const struct lookup_statements lookups[] = {
    [DB_LOOKUP_KEYS] = { SQL_KEYS_AFTER, SQL_KEYS_ADD, SQL_KEYS_MARK, true },
    [DB_LOOKUP_PAYMENTS] = { SQL_PAYMENTS_AFTER, SQL_PAYMENTS_ADD, SQL_PAYMENTS_MARK, false },
    [DB_LOOKUP_REFERENCES] = { SQL_PAYMENTS_AFTER, SQL_REFERENCES_ADD, SQL_COUNT, true },
    [DB_LOOKUP_EVENTS] = { SQL_EVENTS_AFTER, SQL_EVENTS_ADD, SQL_EVENTS_MARK, false },
};

enum status db_lookup_after(struct db *db, enum db_lookup lookup, int64_t after,
                            struct lookup_entry *out, size_t max, size_t *count, int64_t *through)
{
    bool hashed = lookups[lookup].hashed;
    sqlite3_stmt *s = db_statement(db, lookups[lookup].after);
    bind_i64(s, 1, after);
    bind_i64(s, 2, (int64_t)max);
    *count = 0;
    *through = after;
    enum status status;
    while ((status = db_next(db, s)) == STATUS_OK) {
        *through = sqlite3_column_int64(s, 0);
        int64_t merchant = sqlite3_column_int64(s, 1);
        struct view text = hashed ? column_view(s, 2) : VIEW_EMPTY;
        if (hashed ? text.len == 0 : merchant == 0)
            continue;
        ENSURE(*count < max);
        int64_t value = hashed ? (int64_t)lookup_hash(db->hash_key, merchant, text) : merchant;
        out[(*count)++] = (struct lookup_entry){ .value = value, .row = *through };
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status db_lookup_add(struct db *db, enum db_lookup lookup, const struct lookup_entry *entries,
                          size_t count)
{
    sqlite3_stmt *s = db_statement(db, lookups[lookup].add);
    for (size_t i = 0; i < count; i++) {
        bind_i64(s, 1, entries[i].value);
        bind_i64(s, 2, entries[i].row);
        TRY(db_run(db, s));
    }
    return STATUS_OK;
}

enum status db_lookup_mark(struct db *db, enum db_lookup lookup, int64_t through)
{
    sqlite3_stmt *s = db_statement(db, lookups[lookup].mark);
    bind_i64(s, 1, through);
    TRY(db_run(db, s));
    if (lookup == DB_LOOKUP_PAYMENTS)
        db->payments_indexed = through;
    return STATUS_OK;
}

enum status db_payments_waiting(struct db *db, int64_t after, int64_t *count)
{
    sqlite3_stmt *s = db_statement(db, SQL_PAYMENTS_WAITING);
    bind_i64(s, 1, after);
    return one_number(db, s, count);
}

static enum status idem_delete(struct db *db, int64_t seq, uint64_t hash)
{
    sqlite3_stmt *s = db_statement(db, SQL_IDEM_UNINDEX);
    bind_i64(s, 1, (int64_t)hash);
    bind_i64(s, 2, seq);
    TRY(db_run(db, s));
    const enum sql by_seq[] = { SQL_ANSWER_DELETE, SQL_IDEM_DELETE };
    for (size_t i = 0; i < COUNT_OF(by_seq); i++) {
        s = db_statement(db, by_seq[i]);
        bind_i64(s, 1, seq);
        TRY(db_run(db, s));
    }
    return STATUS_OK;
}

enum status db_idem_purge(struct db *db, int64_t before_us, int64_t through, size_t max,
                          size_t *deleted)
{
    for (*deleted = 0; *deleted < max; (*deleted)++) {
        sqlite3_stmt *s = db_statement(db, SQL_IDEM_OLDEST);
        bind_i64(s, 1, through);
        bind_i64(s, 2, before_us);
        enum status status = db_next(db, s);
        int64_t seq = 0;
        uint64_t hash = 0;
        if (status == STATUS_OK) {
            seq = sqlite3_column_int64(s, 0);
            hash = lookup_hash(db->hash_key, sqlite3_column_int64(s, 1), column_view(s, 2));
        }
        db_end(s);
        if (status == STATUS_NOT_FOUND)
            return STATUS_OK;
        TRY(status);
        TRY(idem_delete(db, seq, hash));
    }
    return STATUS_OK;
}
