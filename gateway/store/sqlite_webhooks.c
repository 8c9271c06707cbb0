/* sqlite_webhooks.c - rows of webhook endpoints, and of the last tries to deliver to them. */
#include "sqlite_int.h"

enum status row_endpoint(struct db *db, sqlite3_stmt *s, struct arena *arena,
                         struct endpoint_row *out)
{
    bool full = false;
    int64_t status = sqlite3_column_int64(s, 2);
    *out = (struct endpoint_row){ .id = sqlite3_column_int64(s, 0),
                                  .merchant = sqlite3_column_int64(s, 1),
                                  .status = (enum endpoint_status)status,
                                  .url = column_copy(s, 3, arena, &full),
                                  .kinds = column_copy(s, 4, arena, &full),
                                  .description = column_copy(s, 5, arena, &full),
                                  .secret = column_copy(s, 6, arena, &full),
                                  .old_secret = column_copy(s, 7, arena, &full),
                                  .old_until_us = sqlite3_column_int64(s, 8),
                                  .created_us = sqlite3_column_int64(s, 9),
                                  .updated_us = sqlite3_column_int64(s, 10),
                                  .cursor = sqlite3_column_int64(s, 11),
                                  .next_us = sqlite3_column_int64(s, 12),
                                  .failures = sqlite3_column_int64(s, 13),
                                  .failing_since_us = sqlite3_column_int64(s, 14),
                                  .tries = sqlite3_column_int64(s, 15),
                                  .why = column_copy(s, 16, arena, &full) };
    bool valid = (status == ENDPOINT_ENABLED || status == ENDPOINT_DISABLED) && out->id > 0 &&
                 out->merchant > 0 && out->cursor >= 0 && out->failures >= 0 &&
                 (full || (out->url.len > 0 && out->secret.len > 0));
    return db_row_end(db, full, valid, "webhook_endpoints");
}

enum status db_endpoint_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                             struct endpoint_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_ENDPOINT_LOAD);
    bind_i64(s, 1, id);
    bind_i64(s, 2, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_endpoint(db, s, arena, out);
    db_end(s);
    return status;
}

enum status db_endpoint_count(struct db *db, int64_t merchant, int64_t *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_ENDPOINT_COUNT);
    bind_i64(s, 1, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        *out = sqlite3_column_int64(s, 0);
    db_end(s);
    return status;
}

static enum status endpoint_delete(struct db *db, const struct endpoint_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_DELIVERIES_DELETE);
    bind_i64(s, 1, row->id);
    TRY(db_run(db, s));
    s = db_statement(db, SQL_ENDPOINT_DELETE);
    bind_i64(s, 1, row->id);
    bind_i64(s, 2, row->merchant);
    return db_one_row(db, db_run(db, s));
}

enum status db_endpoint_write(struct db *db, enum store_write write, const struct endpoint_row *row)
{
    if (write == STORE_DELETE)
        return endpoint_delete(db, row);
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    sqlite3_stmt *s =
        db_statement(db, write == STORE_INSERT ? SQL_ENDPOINT_INSERT : SQL_ENDPOINT_UPDATE);
    bind_i64(s, 1, row->id);
    bind_i64(s, 2, row->merchant);
    bind_i64(s, 3, row->status);
    bind_text_present(s, 4, row->url);
    bind_text_present(s, 5, row->kinds);
    bind_text(s, 6, row->description);
    bind_blob(s, 7, row->secret);
    bind_blob(s, 8, row->old_secret);
    bind_i64(s, 9, row->old_until_us);
    if (write == STORE_INSERT)
        bind_i64(s, 10, row->created_us);
    bind_i64(s, 11, row->updated_us);
    bind_i64(s, 12, row->cursor);
    bind_i64(s, 13, row->next_us);
    bind_i64(s, 14, row->failures);
    bind_i64(s, 15, row->failing_since_us);
    bind_i64(s, 16, row->tries);
    bind_text(s, 17, row->why);
    enum status status = db_run(db, s);
    return write == STORE_INSERT ? status : db_one_row(db, status);
}

enum status row_delivery(struct db *db, sqlite3_stmt *s, struct arena *arena,
                         struct delivery_row *out)
{
    bool full = false;
    *out = (struct delivery_row){ .endpoint = sqlite3_column_int64(s, 0),
                                  .number = sqlite3_column_int64(s, 1),
                                  .event = sqlite3_column_int64(s, 2),
                                  .at_us = sqlite3_column_int64(s, 3),
                                  .latency_us = sqlite3_column_int64(s, 4),
                                  .http_status = sqlite3_column_int64(s, 5),
                                  .next_us = sqlite3_column_int64(s, 6),
                                  .result = column_copy(s, 7, arena, &full) };
    return db_row_end(db, full, out->endpoint > 0 && out->event > 0, "webhook_deliveries");
}

enum status db_delivery_insert(struct db *db, const struct delivery_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_DELIVERY_INSERT);
    bind_i64(s, 1, row->endpoint);
    bind_i64(s, 2, row->number % STORE_DELIVERIES_KEPT);
    bind_i64(s, 3, row->number);
    bind_i64(s, 4, row->event);
    bind_i64(s, 5, row->at_us);
    bind_i64(s, 6, row->latency_us);
    bind_i64(s, 7, row->http_status);
    bind_i64(s, 8, row->next_us);
    bind_text_present(s, 9, row->result);
    return db_run(db, s);
}
