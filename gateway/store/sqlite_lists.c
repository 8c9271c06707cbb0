/* sqlite_lists.c - answers questions: each is one statement, and a list of rows in the arena.
 *
 * A list asks for one row more than its limit, to know whether there are more, and grows its array
 * by doubling (arena memory is not given back, so an array of the largest size for each question
 * would be the greater waste).
 *
 * Rows are as large as merchants make them, so a page is also over when its rows have taken a third
 * of the arena (the rest is for whoever renders them); it then says that there are more.
 *
 * A filter may fit no row of very many, and whoever asks holds up the commits. So a page is over,
 * too, when STORE_LOOK_MAX rows of a lasting index were looked at; `through` tells how far it came.
 * Rows behind the index are few (upkeep.c), and looked at by SQLite alone.
 */
#include "sqlite_int.h"

#define LIST_ROWS_FIRST  8
#define LIST_ARENA_SHARE 3

typedef enum status row_fn(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out);

struct list_type {
    size_t row_size;
    row_fn *row;
};

static enum status list_payment(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_payment(db, s, arena, out);
}
static enum status list_operation(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_operation(db, s, arena, out);
}
static enum status list_attempt(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_attempt(db, s, arena, out);
}

static enum status list_event(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    (void)db;
    bool full = false;
    struct event_row *row = out;
    *row = (struct event_row){ .seq = sqlite3_column_int64(s, 0),
                               .time_us = sqlite3_column_int64(s, 1),
                               .merchant = sqlite3_column_int64(s, 2),
                               .payment = sqlite3_column_int64(s, 3),
                               .kind = column_copy(s, 4, arena, &full),
                               .data_json = column_copy(s, 5, arena, &full) };
    if (row->seq <= 0 || row->payment < 0)
        return STATUS_IO;
    return full ? STATUS_RANGE : STATUS_OK;
}

static enum status list_key(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    (void)db;
    bool full = false;
    struct key_row *row = out;
    *row = (struct key_row){ .id = sqlite3_column_int64(s, 0),
                             .merchant = sqlite3_column_int64(s, 1),
                             .live = sqlite3_column_int64(s, 3) != 0,
                             .scopes = (uint32_t)sqlite3_column_int64(s, 4),
                             .rate_per_s = (uint32_t)sqlite3_column_int64(s, 5),
                             .created_us = sqlite3_column_int64(s, 6),
                             .revoked_us = sqlite3_column_int64(s, 7),
                             .name = column_copy(s, 8, arena, &full) };
    struct view hash = column_view(s, 2);
    /* Merchant 0 means all merchants in a question; no key may ask it. */
    if (hash.len != sizeof row->hash || row->id <= 0 || row->merchant <= 0)
        return STATUS_IO;
    memcpy(row->hash, hash.ptr, sizeof row->hash);
    return full ? STATUS_RANGE : STATUS_OK;
}

/* A payment that is held, with its row of `held`; taken apart at the end (split_held). */
struct held_payment {
    struct payment_row payment;
    struct held_row held;
};
static enum status list_held(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    struct held_payment *row = out;
    TRY(row_payment(db, s, arena, &row->payment));
    return row_held(db, s, PAYMENT_COLUMN_COUNT, arena, &row->held);
}
static enum status list_profile(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_profile(db, s, arena, out);
}
static enum status list_endpoint(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_endpoint(db, s, arena, out);
}
static enum status list_delivery(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_delivery(db, s, arena, out);
}

static enum status list_reconciliation(struct db *db, sqlite3_stmt *s, struct arena *arena,
                                       void *out)
{
    return row_reconciliation(db, s, arena, out);
}
static enum status list_channel_attempt(struct db *db, sqlite3_stmt *s, struct arena *arena,
                                        void *out)
{
    struct channel_attempt_row *row = out;
    bool full = false;
    TRY(row_attempt(db, s, arena, &row->attempt));
    row->approved = sqlite3_column_int64(s, ATTEMPT_COLUMN_COUNT);
    row->refunded = sqlite3_column_int64(s, ATTEMPT_COLUMN_COUNT + 1);
    row->carried = sqlite3_column_int64(s, ATTEMPT_COLUMN_COUNT + 2);
    row->carried_minor = sqlite3_column_int64(s, ATTEMPT_COLUMN_COUNT + 3);
    row->original = column_copy(s, ATTEMPT_COLUMN_COUNT + 4, arena, &full);
    return db_row_end(db, full, true, "payments");
}
static enum status list_difference(struct db *db, sqlite3_stmt *s, struct arena *arena, void *out)
{
    return row_difference(db, s, arena, out);
}

static const struct list_type payments = { sizeof(struct payment_row), list_payment };
static const struct list_type operations = { sizeof(struct operation_row), list_operation };
static const struct list_type attempts = { sizeof(struct attempt_row), list_attempt };
static const struct list_type events = { sizeof(struct event_row), list_event };
static const struct list_type keys = { sizeof(struct key_row), list_key };
static const struct list_type held = { sizeof(struct held_payment), list_held };
static const struct list_type profiles = { sizeof(struct profile_row), list_profile };

static const struct list_type endpoints = { sizeof(struct endpoint_row), list_endpoint };
static const struct list_type deliveries = { sizeof(struct delivery_row), list_delivery };

static const struct list_type reconciliations = { sizeof(struct reconciliation_row),
                                                  list_reconciliation };
static const struct list_type channel_attempts = { sizeof(struct channel_attempt_row),
                                                   list_channel_attempt };
static const struct list_type differences = { sizeof(struct difference_row), list_difference };

struct list_out {
    const struct list_type *type;
    struct arena *arena;
    uint8_t *rows;
    size_t count, room, limit;
    bool more;
    int fits_at;     /* column that says whether the row fits; 0: all do, and none is counted */
    size_t looked;   /* rows, fitting or not */
    int64_t through; /* id of the last row that was given or passed over */
    int64_t given;   /* of the last that was given */
    int64_t at;      /* of the last that the statement gave: it may not be taken any more */
};

/* NULL: the arena is full. */
static void *list_next_row(struct list_out *out)
{
    if (out->count == out->room) {
        size_t room = out->room == 0 ? LIST_ROWS_FIRST : out->room * 2;
        if (room > out->limit)
            room = out->limit;
        uint8_t *rows = arena_alloc(out->arena, room * out->type->row_size);
        if (rows == NULL)
            return NULL;
        if (out->count > 0)
            memcpy(rows, out->rows, out->count * out->type->row_size);
        out->rows = rows;
        out->room = room;
    }
    return out->rows + out->count * out->type->row_size;
}

static enum status list_take(struct db *db, sqlite3_stmt *s, struct list_out *out)
{
    void *row = list_next_row(out);
    if (row == NULL)
        return STATUS_RANGE;
    TRY(out->type->row(db, s, out->arena, row));
    out->count++;
    out->given = out->at;
    return STATUS_OK;
}

/* Whether the page is over before this row. A full one ends with its last row, not with what was
 * passed over after that: so cursors are ids of rows that the caller knows. */
static bool list_over(struct list_out *out, bool fits)
{
    bool large = out->count > 0 && out->arena->used > out->arena->limit / LIST_ARENA_SHARE;
    bool full = fits && (out->count == out->limit || large);
    if (full && out->count > 0)
        out->through = out->given;
    return full || (out->fits_at != 0 && out->looked >= STORE_LOOK_MAX);
}

/* Runs a bound statement to its end and appends what it gives. */
static enum status list_run(struct db *db, sqlite3_stmt *s, struct list_out *out)
{
    enum status status;
    while ((status = db_next(db, s)) == STATUS_OK) {
        bool fits = out->fits_at == 0 || sqlite3_column_int64(s, out->fits_at) != 0;
        out->at = sqlite3_column_int64(s, 0);
        if (list_over(out, fits)) {
            out->more = true;
            status = STATUS_NOT_FOUND;
            break;
        }
        if (fits)
            status = list_take(db, s, out);
        if (status != STATUS_OK)
            break;
        out->looked++;
        out->through = out->at;
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status list_payments(struct db *db, const struct store_read *read, struct list_out *out)
{
    /* Of one merchant: first those that the lasting index does not hold yet, which are the newer
     * ones, then those that it does. */
    enum sql parts[2] = { SQL_PAYMENTS_NEW, SQL_PAYMENTS_OLD };
    if (read->merchant == 0) {
        parts[0] = SQL_PAYMENTS_OF_ALL;
        parts[1] = SQL_COUNT;
    } else if (read->reference.len > 0) {
        parts[1] = SQL_PAYMENTS_OLD_REFERENCE;
    }
    for (size_t i = 0; i < COUNT_OF(parts) && parts[i] != SQL_COUNT && !out->more; i++) {
        sqlite3_stmt *s = db_statement(db, parts[i]);
        bool old = parts[i] == SQL_PAYMENTS_OLD || parts[i] == SQL_PAYMENTS_OLD_REFERENCE;
        out->fits_at = old ? PAYMENT_COLUMN_COUNT : 0;
        bind_i64(s, 2, read->after > 0 ? read->after : INT64_MAX);
        bind_i64(s, 3, read->status);
        if (!old)
            bind_i64(s, 4, (int64_t)(out->limit - out->count) + 1);
        if (parts[i] != SQL_PAYMENTS_OF_ALL)
            bind_i64(s, 1, read->merchant);
        if (parts[i] != SQL_PAYMENTS_OLD)
            bind_text(s, 5, read->reference);
        if (parts[i] == SQL_PAYMENTS_OLD_REFERENCE)
            bind_i64(s, 6, (int64_t)lookup_hash(db->hash_key, read->merchant, read->reference));
        TRY(list_run(db, s, out));
    }
    return STATUS_OK;
}

static enum status payment_is_theirs(struct db *db, const struct store_read *read)
{
    sqlite3_stmt *s = db_statement(db, SQL_PAYMENT_OWNED);
    bind_i64(s, 1, read->payment);
    bind_i64(s, 2, read->merchant);
    enum status status = db_next(db, s);
    db_end(s);
    return status;
}

/* A list of what belongs to `owner` (a payment or a merchant), after a cursor. */
static enum status list_of(struct db *db, enum sql which, int64_t owner,
                           const struct store_read *read, struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, which);
    if (which != SQL_ATTEMPTS_OPEN && which != SQL_ATTEMPTS_UNSETTLED && which != SQL_EVENTS_OF_ALL)
        bind_i64(s, 1, owner);
    bind_i64(s, 2, read->after);
    if (which == SQL_OPERATIONS_OF_PAYMENT)
        bind_i64(s, 3, read->kind);
    if (which == SQL_EVENTS_OF_PAYMENT) /* those of merchant 0 are for operators */
        bind_i64(s, 3, read->merchant);
    if (which == SQL_ENDPOINTS || which == SQL_ENDPOINTS_OF_MERCHANT)
        bind_i64(s, 3, read->endpoint);
    if (which == SQL_EVENTS_OLD)
        bind_text(s, 5, read->event_kind);
    if (which == SQL_ATTEMPTS_UNSETTLED)
        bind_i64(s, 3, read->states);
    bind_i64(s, 4, (int64_t)(out->limit - out->count) + 1);
    return list_run(db, s, out);
}

static enum status list_key_by_hash(struct db *db, const struct store_read *read,
                                    struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_KEY_BY_HASH);
    bind_blob(s, 1, view_of(read->key_hash, sizeof read->key_hash));
    TRY(list_run(db, s, out));
    return out->count == 0 ? STATUS_NOT_FOUND : STATUS_OK;
}

/* In the order of payments; those whose time is over by an index of its own, so that looking for
 * them often costs nothing while there are none. */
static enum status list_held_payments(struct db *db, const struct store_read *read,
                                      struct list_out *out)
{
    bool over = read->held_until_us != 0;
    sqlite3_stmt *s = db_statement(db, over ? SQL_HELD_OVER : SQL_HELD);
    int64_t after = read->after;
    if (read->payment > 0 && after < read->payment - 1)
        after = read->payment - 1;
    bind_i64(s, 1, read->merchant);
    bind_i64(s, 2, after);
    bind_i64(s, 3, read->held_kind);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    bind_i64(s, 5, read->payment > 0 ? read->payment : INT64_MAX);
    if (over)
        bind_i64(s, 6, read->held_until_us);
    return list_run(db, s, out);
}

static enum status split_held(struct store_read *read, const struct list_out *out)
{
    const struct held_payment *rows = (const struct held_payment *)(const void *)out->rows;
    read->payments = arena_alloc(out->arena, out->count * sizeof read->payments[0]);
    read->held = arena_alloc(out->arena, out->count * sizeof read->held[0]);
    if (read->payments == NULL || read->held == NULL)
        return STATUS_RANGE;
    for (size_t i = 0; i < out->count; i++) {
        read->payments[i] = rows[i].payment;
        read->held[i] = rows[i].held;
    }
    return STATUS_OK;
}

static enum status list_profiles(struct db *db, const struct store_read *read, struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_PROFILES);
    bind_text(s, 1, read->region);
    bind_i64(s, 2, read->after > 0 ? read->after : INT64_MAX);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    return list_run(db, s, out);
}

static enum status sums(struct db *db, const struct store_read *read, struct list_out *out)
{
    if (spends_wrong(read->spends, read->spend_count, read->spend_now_us) != NULL)
        return STATUS_MALFORMED;
    const struct spends_before nothing = { 0 };
    TRY(spends_fill(db, read->spends, read->spend_count, read->spend_now_us, &nothing));
    out->count = read->spend_count;
    return STATUS_OK;
}

static enum status list_deliveries(struct db *db, const struct store_read *read,
                                   struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_DELIVERIES);
    bind_i64(s, 1, read->endpoint);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    return list_run(db, s, out);
}

static enum status list_reconciliations(struct db *db, const struct store_read *read,
                                        struct list_out *out)
{
    bool of_file = read->file_hash.len > 0;
    sqlite3_stmt *s = db_statement(db, of_file ? SQL_RECONCILIATIONS_OF_FILE : SQL_RECONCILIATIONS);
    bind_i64(s, 1, read->reconciliation);
    bind_i64(s, 2, read->after > 0 ? read->after : INT64_MAX);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    if (of_file)
        bind_text(s, 5, read->file_hash);
    return list_run(db, s, out);
}

static enum status one_difference(struct db *db, const struct store_read *read,
                                  struct list_out *out)
{
    struct difference_row *row = arena_alloc(out->arena, sizeof *row);
    if (row == NULL)
        return STATUS_RANGE;
    TRY(db_difference_load(db, read->difference, out->arena, row));
    out->rows = (uint8_t *)row;
    out->count = 1;
    return STATUS_OK;
}

static enum status list_differences(struct db *db, const struct store_read *read,
                                    struct list_out *out)
{
    if (read->difference != 0)
        return one_difference(db, read, out);
    bool of_one = read->reconciliation != 0, open = read->open_only;
    sqlite3_stmt *s = db_statement(db, of_one ? SQL_DIFFERENCES_OF
                                       : open ? SQL_DIFFERENCES_STILL_OPEN
                                              : SQL_DIFFERENCES);
    if (of_one)
        bind_i64(s, 1, read->reconciliation);
    bind_i64(s, 2, read->after);
    if (of_one || !open)
        bind_i64(s, 3, open);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    return list_run(db, s, out);
}

/* There may be very many: so page by page, like a list. */
static enum status count_differences(struct db *db, struct store_read *read, struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_DIFFERENCES_TO_COUNT);
    enum status status;
    read->open_count = read->open_since_us = 0;
    bind_i64(s, 2, read->after);
    bind_i64(s, 4, STORE_LOOK_MAX + 1);
    while ((status = db_next(db, s)) == STATUS_OK) {
        out->more = out->looked == STORE_LOOK_MAX;
        if (out->more)
            break;
        out->looked++;
        out->through = sqlite3_column_int64(s, 0);
        if (sqlite3_column_int64(s, 2) == 0)
            continue;
        int64_t since_us = sqlite3_column_int64(s, 1);
        if (read->open_count++ == 0 || since_us < read->open_since_us)
            read->open_since_us = since_us;
    }
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The last attempt that a question from behind `after` on looks at: those of other channels, and of
 * a later time, may be very many. INT64_MAX: there are fewer. */
static enum status attempts_look(struct db *db, int64_t after, int64_t *last)
{
    sqlite3_stmt *s = db_statement(db, SQL_ATTEMPTS_LOOK);
    bind_i64(s, 1, after);
    bind_i64(s, 2, STORE_LOOK_MAX - 1);
    enum status status = db_next(db, s);
    *last = status == STATUS_OK ? sqlite3_column_int64(s, 0) : INT64_MAX;
    db_end(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status list_attempts_of_channel(struct db *db, const struct store_read *read,
                                            struct list_out *out)
{
    int64_t last;
    TRY(attempts_look(db, read->after, &last));
    sqlite3_stmt *s = db_statement(db, SQL_ATTEMPTS_OF_CHANNEL);
    bind_text_present(s, 1, read->channel);
    bind_i64(s, 2, read->after);
    bind_i64(s, 3, read->before_us > 0 ? read->before_us : INT64_MAX);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    bind_i64(s, 5, last);
    TRY(list_run(db, s, out));
    if (!out->more && last != INT64_MAX) {
        out->more = true;
        out->through = last;
    }
    return STATUS_OK;
}

static enum status list_attempts_carried(struct db *db, const struct store_read *read,
                                         struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_ATTEMPTS_CARRIED);
    bind_text_present(s, 1, read->channel);
    bind_i64(s, 2, read->after);
    bind_i64(s, 3, read->until > 0 ? read->until : INT64_MAX);
    bind_i64(s, 4, (int64_t)out->limit + 1);
    return list_run(db, s, out);
}

static enum status list_event_at(struct db *db, const struct store_read *read, struct list_out *out)
{
    sqlite3_stmt *s = db_statement(db, SQL_EVENT_AT);
    bind_i64(s, 1, read->merchant);
    bind_i64(s, 2, read->after);
    TRY(list_run(db, s, out));
    return out->count == 0 ? STATUS_NOT_FOUND : STATUS_OK;
}

static enum status journal_ends(struct db *db, struct store_read *read)
{
    sqlite3_stmt *s = db_statement(db, SQL_JOURNAL_ENDS);
    enum status status = db_next(db, s);
    if (status == STATUS_OK) {
        read->journal_seq = sqlite3_column_int64(s, 0);
        read->journal_indexed = sqlite3_column_int64(s, 1);
    }
    db_end(s);
    return status;
}

/* Those that the lasting index does not hold: looked at one by one, but there are few of them. The
 * journal has no gaps behind the index, so how many they are is known. */
static enum status list_new_events(struct db *db, const struct store_read *read,
                                   struct list_out *out)
{
    int64_t from = out->through, to = read->journal_seq;
    size_t before = out->looked;
    if (from >= to)
        return STATUS_OK;
    if (to - from > LOOK_UNINDEXED_MAX)
        to = from + LOOK_UNINDEXED_MAX;
    sqlite3_stmt *s = db_statement(db, SQL_EVENTS_NEW);
    bind_i64(s, 1, read->merchant);
    bind_i64(s, 2, from);
    bind_i64(s, 3, to);
    bind_i64(s, 4, (int64_t)(out->limit - out->count) + 1);
    bind_text(s, 5, read->event_kind);
    out->fits_at = 0;
    TRY(list_run(db, s, out));
    out->looked = before + (size_t)((out->more ? out->at : to) - from);
    if (!out->more) {
        out->through = to;
        out->more = to < read->journal_seq;
    }
    return STATUS_OK;
}

static enum status list_events(struct db *db, struct store_read *read, struct list_out *out)
{
    if (read->merchant == 0)
        return list_of(db, SQL_EVENTS_OF_ALL, 0, read, out);
    TRY(journal_ends(db, read));
    out->fits_at = EVENT_COLUMN_COUNT;
    TRY(list_of(db, SQL_EVENTS_OLD, read->merchant, read, out));
    if (out->more)
        return STATUS_OK;
    if (out->through < read->journal_indexed)
        out->through = read->journal_indexed;
    return read->indexed_only ? STATUS_OK : list_new_events(db, read, out);
}

static enum status one_payment(struct db *db, const struct store_read *read, struct list_out *out)
{
    struct payment_row *row = arena_alloc(out->arena, sizeof *row);
    if (row == NULL)
        return STATUS_RANGE;
    TRY(db_payment_load(db, read->payment, read->merchant, out->arena, row));
    out->rows = (uint8_t *)row;
    out->count = 1;
    return STATUS_OK;
}

static enum status one_attempt(struct db *db, const struct store_read *read, struct list_out *out)
{
    struct attempt_row *row = arena_alloc(out->arena, sizeof *row);
    if (row == NULL)
        return STATUS_RANGE;
    TRY(db_attempt_load(db, read->attempt, read->merchant, out->arena, row));
    out->rows = (uint8_t *)row;
    out->count = 1;
    return STATUS_OK;
}

static enum status ask(struct db *db, struct store_read *read, struct list_out *out)
{
    switch (read->question) {
    case STORE_ONE_PAYMENT: out->type = &payments; return one_payment(db, read, out);
    case STORE_PAYMENTS: out->type = &payments; return list_payments(db, read, out);
    case STORE_OPERATIONS:
        out->type = &operations;
        TRY(payment_is_theirs(db, read));
        return list_of(db, SQL_OPERATIONS_OF_PAYMENT, read->payment, read, out);
    case STORE_ATTEMPTS:
        out->type = &attempts;
        TRY(payment_is_theirs(db, read));
        return list_of(db, SQL_ATTEMPTS_OF_PAYMENT, read->payment, read, out);
    case STORE_ATTEMPTS_OPEN:
        out->type = &attempts;
        return list_of(db, SQL_ATTEMPTS_OPEN, 0, read, out);
    case STORE_ATTEMPTS_UNSETTLED:
        out->type = &attempts;
        return list_of(db, SQL_ATTEMPTS_UNSETTLED, 0, read, out);
    case STORE_ONE_ATTEMPT: out->type = &attempts; return one_attempt(db, read, out);
    case STORE_EVENTS_OF_PAYMENT:
        out->type = &events;
        TRY(payment_is_theirs(db, read));
        return list_of(db, SQL_EVENTS_OF_PAYMENT, read->payment, read, out);
    case STORE_EVENTS: out->type = &events; return list_events(db, read, out);
    case STORE_EVENT: out->type = &events; return list_event_at(db, read, out);
    case STORE_JOURNAL_ENDS: return journal_ends(db, read);
    case STORE_ENDPOINTS:
        out->type = &endpoints;
        return list_of(db, read->merchant != 0 ? SQL_ENDPOINTS_OF_MERCHANT : SQL_ENDPOINTS,
                       read->merchant, read, out);
    case STORE_DELIVERIES: out->type = &deliveries; return list_deliveries(db, read, out);
    case STORE_KEYS: out->type = &keys; return list_of(db, SQL_KEYS, read->merchant, read, out);
    case STORE_KEY_BY_HASH: out->type = &keys; return list_key_by_hash(db, read, out);
    case STORE_HELD: out->type = &held; return list_held_payments(db, read, out);
    case STORE_PROFILES: out->type = &profiles; return list_profiles(db, read, out);
    case STORE_RECONCILIATIONS:
        out->type = &reconciliations;
        return list_reconciliations(db, read, out);
    case STORE_DIFFERENCES: out->type = &differences; return list_differences(db, read, out);
    case STORE_DIFFERENCES_OPEN: return count_differences(db, read, out);
    case STORE_ATTEMPTS_OF_CHANNEL:
        out->type = &channel_attempts;
        return list_attempts_of_channel(db, read, out);
    case STORE_ATTEMPTS_CARRIED:
        out->type = &channel_attempts;
        return list_attempts_carried(db, read, out);
    case STORE_SPENT: return sums(db, read, out);
    }
    ENSURE(!"a question of the list");
    return STATUS_UNSUPPORTED;
}

enum status db_ask(struct db *db, struct store_read *read)
{
    uint32_t limit = read->limit;
    struct list_out out = { .arena = read->arena,
                            .through = read->after,
                            .limit =
                                limit == 0 || limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : limit };
    read->held = NULL;
    read->payments = NULL;
    enum status status = ask(db, read, &out);
    if (status == STATUS_OK && out.type == &held)
        status = split_held(read, &out);
    if (status != STATUS_OK)
        out = (struct list_out){ .type = out.type, .through = read->after };
    read->count = out.count;
    read->more = out.more;
    read->through = out.through;
    /* To other questions every row that is looked at is an answer. */
    bool searches = read->question == STORE_PAYMENTS || read->question == STORE_EVENTS ||
                    read->question == STORE_DIFFERENCES_OPEN;
    read->looked = searches ? out.looked : 0;
    if (out.type == &payments)
        read->payments = (struct payment_row *)(void *)out.rows;
    read->operations = out.type == &operations ? (struct operation_row *)(void *)out.rows : NULL;
    read->attempts = out.type == &attempts ? (struct attempt_row *)(void *)out.rows : NULL;
    read->events = out.type == &events ? (struct event_row *)(void *)out.rows : NULL;
    read->keys = out.type == &keys ? (struct key_row *)(void *)out.rows : NULL;
    read->endpoints = out.type == &endpoints ? (struct endpoint_row *)(void *)out.rows : NULL;
    read->deliveries = out.type == &deliveries ? (struct delivery_row *)(void *)out.rows : NULL;
    read->channel_attempts =
        out.type == &channel_attempts ? (struct channel_attempt_row *)(void *)out.rows : NULL;
    read->reconciliations =
        out.type == &reconciliations ? (struct reconciliation_row *)(void *)out.rows : NULL;
    read->differences = out.type == &differences ? (struct difference_row *)(void *)out.rows : NULL;
    read->profiles = out.type == &profiles ? (struct profile_row *)(void *)out.rows : NULL;
    return status;
}
