/* sqlite_held.c - payments that wait for somebody's word, and the profiles that were in force. */
#include "sqlite_int.h"

enum status row_held(struct db *db, sqlite3_stmt *s, int at, struct arena *arena,
                     struct held_row *out)
{
    bool full = false;
    int64_t kind = sqlite3_column_int64(s, at + 2);
    *out = (struct held_row){ .payment = sqlite3_column_int64(s, at),
                              .merchant = sqlite3_column_int64(s, at + 1),
                              .kind = (enum held_kind)kind,
                              .created_us = sqlite3_column_int64(s, at + 3),
                              .until_us = sqlite3_column_int64(s, at + 4),
                              .wrong = sqlite3_column_int64(s, at + 5),
                              .data = column_copy(s, at + 6, arena, &full) };
    bool valid = (kind == HELD_AUTHENTICATE || kind == HELD_REVIEW) && out->payment > 0 &&
                 out->merchant > 0 && out->wrong >= 0;
    return db_row_end(db, full, valid, "held");
}

enum status db_held_load(struct db *db, int64_t payment, int64_t merchant, struct arena *arena,
                         struct held_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_HELD_LOAD);
    bind_i64(s, 1, payment);
    bind_i64(s, 2, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_held(db, s, 0, arena, out);
    db_end(s);
    return status;
}

enum status db_held_write(struct db *db, enum store_write write, const struct held_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE && write != STORE_DELETE)
        return STATUS_OK;
    sqlite3_stmt *s = db_statement(db, write == STORE_INSERT   ? SQL_HELD_INSERT
                                       : write == STORE_UPDATE ? SQL_HELD_UPDATE
                                                               : SQL_HELD_DELETE);
    bind_i64(s, 1, row->payment);
    bind_i64(s, 2, row->merchant);
    if (write != STORE_DELETE) {
        bind_i64(s, 3, row->kind);
        if (write == STORE_INSERT)
            bind_i64(s, 4, row->created_us);
        bind_i64(s, 5, row->until_us);
        bind_i64(s, 6, row->wrong);
        bind_blob(s, 7, row->data);
    }
    return db_one_row(db, db_run(db, s));
}

enum status row_profile(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct profile_row *out)
{
    bool full = false;
    *out = (struct profile_row){ .seq = sqlite3_column_int64(s, 0),
                                 .at_us = sqlite3_column_int64(s, 1),
                                 .region = column_copy(s, 2, arena, &full),
                                 .version = column_copy(s, 3, arena, &full),
                                 .content_hash = column_copy(s, 4, arena, &full),
                                 .text = column_copy(s, 5, arena, &full),
                                 .by = column_copy(s, 6, arena, &full) };
    return db_row_end(db, full, out->seq > 0, "profiles");
}

enum status db_profile_insert(struct db *db, struct profile_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_PROFILE_INSERT);
    bind_i64(s, 1, row->at_us);
    bind_text_present(s, 2, row->region);
    bind_text_present(s, 3, row->version);
    bind_text_present(s, 4, row->content_hash);
    bind_blob(s, 5, row->text);
    bind_text(s, 6, row->by);
    TRY(db_run(db, s));
    row->seq = sqlite3_last_insert_rowid(db->sqlite);
    return STATUS_OK;
}
