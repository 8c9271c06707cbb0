/* sqlite_rows.c - payments, operations, attempts, events, counters and API keys: one binder and one
 * reader for each type of row.
 *
 * Binders number the parameters as the columns stand in the table; an update leaves some of them
 * out (statements.def). Readers do not trust the file: a number that is no value of its enum, or a
 * blob of the wrong size, is IO ("the row cannot be what we wrote"), never an enum value.
 */
#include "sqlite_int.h"

#include <stdio.h>

enum status db_row_broken(struct db *db, const char *table)
{
    snprintf(db->why, sizeof db->why, "a row of %s is damaged", table);
    return STATUS_IO;
}

enum status db_row_end(struct db *db, bool full, bool valid, const char *table)
{
    if (full) {
        snprintf(db->why, sizeof db->why, "the request's memory is full");
        return STATUS_RANGE;
    }
    return valid ? STATUS_OK : db_row_broken(db, table);
}

static bool column_currency(sqlite3_stmt *s, int at, char out[4])
{
    return view_to_text(column_view(s, at), out, 4) == STATUS_OK;
}

static bool column_u32(sqlite3_stmt *s, int at, uint32_t *out)
{
    int64_t value = sqlite3_column_int64(s, at);
    *out = (uint32_t)value;
    return value >= 0 && value <= UINT32_MAX;
}

static struct view text_of(const char *text, size_t room)
{
    return view_of(text, strnlen(text, room));
}

enum status db_one_row(struct db *db, enum status status)
{
    if (status == STATUS_OK && sqlite3_changes(db->sqlite) != 1) {
        snprintf(db->why, sizeof db->why, "the row to update is not there");
        return STATUS_NOT_FOUND;
    }
    return status;
}

/* --- payments ---------------------------------------------------------------------------- */

enum status row_payment(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct payment_row *out)
{
    bool full = false;
    int64_t status = sqlite3_column_int64(s, 2), capture = sqlite3_column_int64(s, 3),
            kind = sqlite3_column_int64(s, 4), rail = sqlite3_column_int64(s, 5);
    bool valid = payment_status_valid(status) && capture_mode_valid(capture) &&
                 payment_kind_valid(kind) && rail_valid(rail);
    *out = (struct payment_row){ .id = sqlite3_column_int64(s, 0),
                                 .merchant = sqlite3_column_int64(s, 1),
                                 .status = (enum payment_status)status,
                                 .capture = (enum capture_mode)capture,
                                 .kind = (enum payment_kind)kind,
                                 .rail = (enum rail)rail,
                                 .amount = sqlite3_column_int64(s, 7),
                                 .authorized = sqlite3_column_int64(s, 8),
                                 .capturing = sqlite3_column_int64(s, 9),
                                 .captured = sqlite3_column_int64(s, 10),
                                 .releasing = sqlite3_column_int64(s, 11),
                                 .released = sqlite3_column_int64(s, 12),
                                 .refunding = sqlite3_column_int64(s, 13),
                                 .refunded = sqlite3_column_int64(s, 14),
                                 .created_us = sqlite3_column_int64(s, 15),
                                 .updated_us = sqlite3_column_int64(s, 16),
                                 .channel = column_copy(s, 17, arena, &full),
                                 .reference = column_copy(s, 18, arena, &full),
                                 .facts_json = column_copy(s, 19, arena, &full),
                                 .outcome_json = column_copy(s, 20, arena, &full),
                                 .refs = column_copy(s, 21, arena, &full),
                                 .spends = column_copy(s, 22, arena, &full) };
    valid = column_currency(s, 6, out->currency) && valid && out->id > 0 && out->merchant > 0;
    return db_row_end(db, full, valid, "payments");
}

enum status db_payment_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                            struct payment_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_PAYMENT_LOAD);
    bind_i64(s, 1, id);
    bind_i64(s, 2, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_payment(db, s, arena, out);
    db_end(s);
    return status;
}

/* A payment that comes after its neighbours were put into the lasting indexes (ids of several loops
 * may overtake each other) is entered here and now. */
static enum status payment_late(struct db *db, const struct payment_row *row)
{
    if (row->id > db->payments_indexed)
        return STATUS_OK;
    const struct lookup_entry of_merchant = { row->merchant, row->id };
    TRY(db_lookup_add(db, DB_LOOKUP_PAYMENTS, &of_merchant, row->merchant != 0));
    const struct lookup_entry of_reference = {
        (int64_t)lookup_hash(db->hash_key, row->merchant, row->reference), row->id
    };
    return db_lookup_add(db, DB_LOOKUP_REFERENCES, &of_reference, row->reference.len > 0);
}

enum status db_payment_write(struct db *db, enum store_write write, bool with_spends,
                             const struct payment_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    with_spends = with_spends || write == STORE_INSERT;
    sqlite3_stmt *s = db_statement(db, write == STORE_INSERT ? SQL_PAYMENT_INSERT
                                       : with_spends         ? SQL_PAYMENT_UPDATE_SPENDS
                                                             : SQL_PAYMENT_UPDATE);
    const int64_t numbers[] = { row->id,      row->merchant, row->status,
                                row->capture, row->kind,     row->rail };
    for (int i = 0; i < (int)COUNT_OF(numbers); i++)
        bind_i64(s, i + 1, numbers[i]);
    bind_text_present(s, 7, text_of(row->currency, sizeof row->currency));
    const int64_t sums[] = { row->amount,     row->authorized, row->capturing, row->captured,
                             row->releasing,  row->released,   row->refunding, row->refunded,
                             row->created_us, row->updated_us };
    for (int i = 0; i < (int)COUNT_OF(sums); i++)
        bind_i64(s, i + 8, sums[i]);
    bind_text(s, 18, row->channel);
    bind_text(s, 19, row->reference);
    bind_text(s, 20, row->facts_json);
    bind_text(s, 21, row->outcome_json);
    bind_blob(s, 22, row->refs);
    if (with_spends)
        bind_blob(s, 23, row->spends);
    TRY(db_one_row(db, db_run(db, s)));
    return write == STORE_INSERT ? payment_late(db, row) : STATUS_OK;
}

/* --- operations -------------------------------------------------------------------------- */

enum status row_operation(struct db *db, sqlite3_stmt *s, struct arena *arena,
                          struct operation_row *out)
{
    bool full = false;
    int64_t kind = sqlite3_column_int64(s, 3), status = sqlite3_column_int64(s, 4);
    *out = (struct operation_row){ .id = sqlite3_column_int64(s, 0),
                                   .payment = sqlite3_column_int64(s, 1),
                                   .merchant = sqlite3_column_int64(s, 2),
                                   .kind = (enum operation)kind,
                                   .status = (enum operation_status)status,
                                   .amount = sqlite3_column_int64(s, 5),
                                   .created_us = sqlite3_column_int64(s, 6),
                                   .updated_us = sqlite3_column_int64(s, 7),
                                   .facts_json = column_copy(s, 8, arena, &full),
                                   .outcome_json = column_copy(s, 9, arena, &full) };
    return db_row_end(db, full, operation_valid(kind) && operation_status_valid(status),
                      "operations");
}

enum status db_operation_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                              struct operation_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_OPERATION_LOAD);
    bind_i64(s, 1, id);
    bind_i64(s, 2, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_operation(db, s, arena, out);
    db_end(s);
    return status;
}

enum status db_operation_write(struct db *db, enum store_write write,
                               const struct operation_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    sqlite3_stmt *s =
        db_statement(db, write == STORE_INSERT ? SQL_OPERATION_INSERT : SQL_OPERATION_UPDATE);
    const int64_t numbers[] = { row->id,     row->payment, row->merchant,   row->kind,
                                row->status, row->amount,  row->created_us, row->updated_us };
    for (int i = 0; i < (int)COUNT_OF(numbers); i++)
        bind_i64(s, i + 1, numbers[i]);
    bind_text(s, 9, row->facts_json);
    bind_text(s, 10, row->outcome_json);
    return db_one_row(db, db_run(db, s));
}

/* --- attempts ---------------------------------------------------------------------------- */

enum status row_attempt(struct db *db, sqlite3_stmt *s, struct arena *arena,
                        struct attempt_row *out)
{
    bool full = false;
    int64_t verb = sqlite3_column_int64(s, 4), state = sqlite3_column_int64(s, 5);
    struct view random = column_view(s, 13);
    bool valid =
        operation_valid(verb) && attempt_state_valid(state) && random.len == sizeof out->random;
    *out = (struct attempt_row){ .id = sqlite3_column_int64(s, 0),
                                 .payment = sqlite3_column_int64(s, 1),
                                 .operation = sqlite3_column_int64(s, 2),
                                 .merchant = sqlite3_column_int64(s, 3),
                                 .verb = (enum operation)verb,
                                 .state = (enum attempt_state)state,
                                 .parent = sqlite3_column_int64(s, 6),
                                 .amount = sqlite3_column_int64(s, 7),
                                 .original = sqlite3_column_int64(s, 8),
                                 .time_us = sqlite3_column_int64(s, 12),
                                 .next_us = sqlite3_column_int64(s, 15),
                                 .created_us = sqlite3_column_int64(s, 16),
                                 .updated_us = sqlite3_column_int64(s, 17) };
    if (valid)
        memcpy(out->random, random.ptr, sizeof out->random);
    valid = column_currency(s, 9, out->currency) && column_u32(s, 11, &out->trace) &&
            column_u32(s, 14, &out->tries) && valid;
    out->channel = column_copy(s, 10, arena, &full);
    out->refs = column_copy(s, 18, arena, &full);
    out->outcome_json = column_copy(s, 19, arena, &full);
    return db_row_end(db, full, valid, "attempts");
}

enum status db_attempt_load(struct db *db, int64_t id, int64_t merchant, struct arena *arena,
                            struct attempt_row *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_ATTEMPT_LOAD);
    bind_i64(s, 1, id);
    bind_i64(s, 2, merchant);
    enum status status = db_next(db, s);
    if (status == STATUS_OK)
        status = row_attempt(db, s, arena, out);
    db_end(s);
    return status;
}

enum status db_attempt_write(struct db *db, enum store_write write, const struct attempt_row *row)
{
    if (write != STORE_INSERT && write != STORE_UPDATE)
        return STATUS_OK;
    sqlite3_stmt *s =
        db_statement(db, write == STORE_INSERT ? SQL_ATTEMPT_INSERT : SQL_ATTEMPT_UPDATE);
    const int64_t numbers[] = { row->id,    row->payment, row->operation, row->merchant, row->verb,
                                row->state, row->parent,  row->amount,    row->original };
    for (int i = 0; i < (int)COUNT_OF(numbers); i++)
        bind_i64(s, i + 1, numbers[i]);
    bind_text_present(s, 10, text_of(row->currency, sizeof row->currency));
    bind_text(s, 11, row->channel);
    bind_i64(s, 12, row->trace);
    bind_i64(s, 13, row->time_us);
    bind_blob(s, 14, view_of(row->random, sizeof row->random));
    bind_i64(s, 15, row->tries);
    bind_i64(s, 16, row->next_us);
    bind_i64(s, 17, row->created_us);
    bind_i64(s, 18, row->updated_us);
    bind_blob(s, 19, row->refs);
    bind_text(s, 20, row->outcome_json);
    return db_one_row(db, db_run(db, s));
}

/* --- journal, counters, API keys --------------------------------------------------------- */

enum status db_event_append(struct db *db, const struct event_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_EVENT_APPEND);
    bind_i64(s, 1, row->seq);
    bind_i64(s, 2, row->time_us);
    bind_i64(s, 3, row->merchant);
    bind_i64(s, 4, row->payment);
    bind_text(s, 5, row->kind);
    bind_text(s, 6, row->data_json);
    return db_run(db, s);
}

enum status db_counter_take(struct db *db, const char *name, uint64_t count, uint64_t *first)
{
    if (count == 0 || count >= INT64_MAX)
        return STATUS_MALFORMED;
    sqlite3_stmt *s = db_statement(db, SQL_COUNTER_TAKE);
    bind_text_present(s, 1, view_text(name));
    bind_i64(s, 2, (int64_t)count);
    enum status status = db_next(db, s);
    if (status == STATUS_OK) {
        *first = (uint64_t)sqlite3_column_int64(s, 0);
        /* To its end: the row is changed when the statement is done. */
        status = db_next(db, s);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : STATUS_IO;
    } else if (status == STATUS_NOT_FOUND) {
        snprintf(db->why, sizeof db->why, "the counter is used up");
        status = STATUS_MALFORMED;
    }
    db_end(s);
    return status;
}

enum status db_key_insert(struct db *db, const struct key_row *row)
{
    sqlite3_stmt *s = db_statement(db, SQL_KEY_INSERT);
    bind_i64(s, 1, row->id);
    bind_i64(s, 2, row->merchant);
    bind_blob(s, 3, view_of(row->hash, sizeof row->hash));
    bind_i64(s, 4, row->live);
    bind_i64(s, 5, row->scopes);
    bind_i64(s, 6, row->rate_per_s);
    bind_i64(s, 7, row->created_us);
    bind_i64(s, 8, row->revoked_us);
    bind_text(s, 9, row->name);
    return db_run(db, s);
}

enum status db_key_revoke(struct db *db, int64_t id, int64_t revoked_us)
{
    sqlite3_stmt *s = db_statement(db, SQL_KEY_REVOKE);
    bind_i64(s, 1, id);
    bind_i64(s, 2, revoked_us);
    return db_one_row(db, db_run(db, s));
}
