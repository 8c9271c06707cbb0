/* sqlite_reconcile.c - rows of reconciliations, of the differences that they found, and of the
 * attempts that they carry over. */
#include "sqlite_int.h"

enum status row_reconciliation(struct db *db, sqlite3_stmt *s, struct arena *arena,
                               struct reconciliation_row *out)
{
    bool full = false;
    int64_t state = sqlite3_column_int64(s, 1);
    *out = (struct reconciliation_row){ .id = sqlite3_column_int64(s, 0),
                                        .state = (enum reconciliation_state)state,
                                        .started_us = sqlite3_column_int64(s, 2),
                                        .finished_us = sqlite3_column_int64(s, 3),
                                        .from_us = sqlite3_column_int64(s, 4),
                                        .until_us = sqlite3_column_int64(s, 5),
                                        .lines = sqlite3_column_int64(s, 6),
                                        .differences = sqlite3_column_int64(s, 7),
                                        .channel = column_copy(s, 8, arena, &full),
                                        .format = column_copy(s, 9, arena, &full),
                                        .file = column_copy(s, 10, arena, &full),
                                        .file_hash = column_copy(s, 11, arena, &full),
                                        .summary_json = column_copy(s, 12, arena, &full),
                                        .tolerance_us = sqlite3_column_int64(s, 13) };
    bool valid = state >= RECONCILIATION_WRITING && state <= RECONCILIATION_ABANDONED &&
                 out->id > 0 && out->lines >= 0 && out->differences >= 0 &&
                 view_to_text(column_view(s, 14), out->currency, 4) == STATUS_OK;
    return db_row_end(db, full, valid, "reconciliations");
}

enum status db_reconciliation_write(struct db *db, enum store_write write,
                                    const struct reconciliation_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    bool insert = write == STORE_INSERT;
    sqlite3_stmt *s =
        db_statement(db, insert ? SQL_RECONCILIATION_INSERT : SQL_RECONCILIATION_UPDATE);
    bind_i64(s, 1, row->id);
    bind_i64(s, 2, row->state);
    bind_i64(s, 4, row->finished_us);
    bind_i64(s, 8, row->differences);
    bind_text(s, 13, row->summary_json);
    if (insert) {
        bind_i64(s, 3, row->started_us);
        bind_i64(s, 5, row->from_us);
        bind_i64(s, 6, row->until_us);
        bind_i64(s, 7, row->lines);
        bind_text_present(s, 9, row->channel);
        bind_text_present(s, 10, row->format);
        bind_text_present(s, 11, row->file);
        bind_text_present(s, 12, row->file_hash);
        bind_i64(s, 14, row->tolerance_us);
        bind_text(s, 15, view_text(row->currency));
    }
    enum status status = db_run(db, s);
    return insert ? status : db_one_row(db, status);
}

enum status db_carried_write(struct db *db, const struct carried_row *row)
{
    if (row->earlier != 0) {
        sqlite3_stmt *end = db_statement(db, SQL_CARRIED_END);
        bind_i64(end, 1, row->attempt);
        bind_i64(end, 2, row->reconciliation);
        bind_i64(end, 4, row->earlier);
        TRY(db_one_row(db, db_run(db, end)));
    }
    if (!row->insert)
        return STATUS_OK;
    sqlite3_stmt *s = db_statement(db, SQL_CARRIED_INSERT);
    bind_i64(s, 1, row->attempt);
    bind_i64(s, 2, row->reconciliation);
    bind_i64(s, 3, row->there_minor);
    return db_run(db, s);
}

enum status row_difference(struct db *db, sqlite3_stmt *s, struct arena *arena,
                           struct difference_row *out)
{
    bool full = false;
    int64_t kind = sqlite3_column_int64(s, 2), status = sqlite3_column_int64(s, 3);
    *out = (struct difference_row){ .id = sqlite3_column_int64(s, 0),
                                    .reconciliation = sqlite3_column_int64(s, 1),
                                    .kind = (enum difference_kind)kind,
                                    .status = (enum difference_status)status,
                                    .attempt = sqlite3_column_int64(s, 4),
                                    .payment = sqlite3_column_int64(s, 5),
                                    .merchant = sqlite3_column_int64(s, 6),
                                    .line = sqlite3_column_int64(s, 7),
                                    .here_minor = sqlite3_column_int64(s, 8),
                                    .there_minor = sqlite3_column_int64(s, 9),
                                    .at_us = sqlite3_column_int64(s, 10),
                                    .created_us = sqlite3_column_int64(s, 11),
                                    .resolved_us = sqlite3_column_int64(s, 12),
                                    .channel = column_copy(s, 14, arena, &full),
                                    .identity = column_copy(s, 15, arena, &full),
                                    .here = column_copy(s, 16, arena, &full),
                                    .there = column_copy(s, 17, arena, &full),
                                    .by = column_copy(s, 18, arena, &full),
                                    .why = column_copy(s, 19, arena, &full),
                                    .evidence = column_copy(s, 20, arena, &full) };
    bool valid = difference_kind_valid(kind) && out->id > 0 && out->reconciliation > 0 &&
                 (status == DIFFERENCE_STATUS_OPEN || status == DIFFERENCE_STATUS_RESOLVED) &&
                 view_to_text(column_view(s, 13), out->currency, 4) == STATUS_OK;
    return db_row_end(db, full, valid, "differences");
}

enum status db_difference_load(struct db *db, int64_t id, struct arena *arena,
                               struct difference_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_DIFFERENCE_LOAD);
    bind_i64(s, 1, id);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_difference(db, s, arena, out);
    db_end(s);
    return status;
}

enum status db_difference_write(struct db *db, enum store_write write,
                                const struct difference_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    bool insert = write == STORE_INSERT;
    sqlite3_stmt *s = db_statement(db, insert ? SQL_DIFFERENCE_INSERT : SQL_DIFFERENCE_UPDATE);
    bind_i64(s, 1, row->id);
    bind_i64(s, 4, row->status);
    bind_i64(s, 13, row->resolved_us);
    bind_text(s, 19, row->by);
    bind_text(s, 20, row->why);
    bind_text(s, 21, row->evidence);
    if (insert) {
        bind_i64(s, 2, row->reconciliation);
        bind_i64(s, 3, row->kind);
        bind_i64(s, 5, row->attempt);
        bind_i64(s, 6, row->payment);
        bind_i64(s, 7, row->merchant);
        bind_i64(s, 8, row->line);
        bind_i64(s, 9, row->here_minor);
        bind_i64(s, 10, row->there_minor);
        bind_i64(s, 11, row->at_us);
        bind_i64(s, 12, row->created_us);
        bind_text_present(s, 14, view_text(row->currency));
        bind_text_present(s, 15, row->channel);
        bind_text_present(s, 16, row->identity);
        bind_text(s, 17, row->here);
        bind_text(s, 18, row->there);
    }
    enum status status = db_run(db, s);
    return insert ? status : db_one_row(db, status);
}
