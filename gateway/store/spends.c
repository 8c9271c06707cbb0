/* spends.c - what one request spends of counters, and giving it back.
 *
 * Three moments of txn_run:
 *
 *     spends_fill      before the judge: the sums as they are, without this payment
 *     spends_settle    after it: first what the payment had spent is given back (spends_release),
 *                      then each spend with its write mark is carried out
 *     the payment row  keeps the marks of what was spent, in its column `spends`, written by the
 *                      same commit; giving back empties it, so it happens once
 *
 * The column is a row of marks of equal size, in the order in which they were made:
 *
 *     kind (1)  key (16)  at_us (8)  amount (8)      numbers big-endian
 *
 * It is the store's own: what a judge puts there is not looked at.
 */
#include "store_int.h"

enum {
    MARK_BYTES = 1 + 16 + 8 + 8,
    MARKS_MAX = 8 * STORE_SPENDS_MAX, /* over all commits of one payment */
};

/* --- the column ---------------------------------------------------------------------------- */

static void mark_write(struct writer *w, const struct spend_mark *mark)
{
    writer_u8(w, (uint8_t)mark->kind);
    writer_bytes(w, mark->key, sizeof mark->key);
    writer_u64_be(w, (uint64_t)mark->at_us);
    writer_u64_be(w, (uint64_t)mark->amount);
}

/* SHORT at the end; MALFORMED: not what we wrote. */
static enum status mark_read(struct cursor *c, struct spend_mark *out)
{
    uint8_t kind;
    struct view key;
    uint64_t at, amount;
    TRY(cursor_u8(c, &kind));
    if (cursor_take(c, sizeof out->key, &key) != STATUS_OK || cursor_u64_be(c, &at) != STATUS_OK ||
        cursor_u64_be(c, &amount) != STATUS_OK || kind < STORE_SPEND_SLIDING ||
        kind > STORE_SPEND_SINCE_RESET || amount > INT64_MAX)
        return STATUS_MALFORMED;
    *out = (struct spend_mark){ .kind = (enum store_spend_kind)kind,
                                .at_us = (int64_t)at,
                                .amount = (int64_t)amount };
    memcpy(out->key, key.ptr, sizeof out->key);
    return STATUS_OK;
}

/* --- before the judge ---------------------------------------------------------------------- */

const char *spends_wrong(const struct store_spend *spends, size_t count, int64_t now_us)
{
    if (count > 0 && now_us <= 0)
        return "spends have no time";
    for (size_t i = 0; i < count; i++) {
        if (spends[i].kind < STORE_SPEND_SLIDING || spends[i].kind > STORE_SPEND_RESET)
            return "a spend is of no kind";
        if (spends[i].amount < 0)
            return "a spend is negative";
        if (spends[i].kind == STORE_SPEND_SLIDING && spends[i].window_us <= 0)
            return "a sliding window has no length";
    }
    return NULL;
}

/* Is what the mark says inside the sum that was read? */
static bool mark_is_in(const struct spend_mark *mark, const struct store_spend *spend,
                       int64_t now_us, const struct spent *read)
{
    if (mark->kind != spend->kind || memcmp(mark->key, spend->key, sizeof mark->key) != 0)
        return false;
    switch (mark->kind) {
    case STORE_SPEND_SLIDING: {
        int64_t from_us;
        return __builtin_sub_overflow(now_us, spend->window_us, &from_us) || mark->at_us > from_us;
    }
    case STORE_SPEND_PERIOD: return mark->at_us == spend->start_us;
    case STORE_SPEND_SINCE_RESET: return mark->at_us == read->since_us;
    case STORE_SPEND_RESET: break;
    }
    return false;
}

static enum status without_itself(struct store_spend *spend, int64_t now_us,
                                  const struct spent *read, struct view marks)
{
    struct cursor c = cursor_over(marks);
    struct spend_mark mark;
    enum status status;
    while ((status = mark_read(&c, &mark)) == STATUS_OK) {
        if (!mark_is_in(&mark, spend, now_us, read))
            continue;
        spend->spent = spend->spent > mark.amount ? spend->spent - mark.amount : 0;
        spend->count = spend->count > 0 ? spend->count - 1 : 0;
    }
    return status == STATUS_SHORT ? STATUS_OK : status;
}

enum status spends_fill(struct db *db, struct store_spend *spends, size_t count, int64_t now_us,
                        const struct spends_before *before)
{
    for (size_t i = 0; i < count; i++) {
        struct spent read;
        TRY(db_spent_read(db, &spends[i], now_us, &read));
        spends[i].spent = read.amount;
        spends[i].count = read.count;
        spends[i].too_many = read.too_many;
        TRY(without_itself(&spends[i], now_us, &read, before->marks));
    }
    return STATUS_OK;
}

/* --- after the judge ----------------------------------------------------------------------- */

bool spends_any(const struct store_txn *txn, const struct spends_before *before)
{
    bool any = txn->spends_release && before->marks.len > 0;
    for (size_t i = 0; i < txn->spend_count; i++)
        any = any || txn->spends[i].write;
    return any;
}

static enum status give_back(struct db *db, const struct spends_before *before)
{
    struct cursor c = cursor_over(before->marks);
    struct spend_mark mark;
    enum status status;
    while ((status = mark_read(&c, &mark)) == STATUS_OK)
        TRY(db_spent_take_back(db, &mark, before->payment));
    return status == STATUS_SHORT ? STATUS_OK : status;
}

static enum status carry_out(struct db *db, const struct store_txn *txn, struct writer *marks)
{
    for (size_t i = 0; i < txn->spend_count; i++) {
        const struct store_spend *spend = &txn->spends[i];
        if (!spend->write)
            continue;
        struct spend_mark mark;
        TRY(db_spent_add(db, spend, txn->payment.id, txn->spend_now_us, &mark));
        if (mark.kind != STORE_SPEND_RESET)
            mark_write(marks, &mark);
    }
    return STATUS_OK;
}

enum status spends_settle(struct db *db, struct store_txn *txn, const struct spends_before *before,
                          bool *changed)
{
    *changed = spends_any(txn, before);
    txn->payment.spends = before->marks;
    if (!*changed)
        return STATUS_OK;
    struct view kept = before->marks;
    if (txn->spends_release) {
        TRY(give_back(db, before));
        kept = VIEW_EMPTY;
    }
    size_t room = kept.len + txn->spend_count * MARK_BYTES;
    if (room > (size_t)MARKS_MAX * MARK_BYTES)
        return STATUS_RANGE;
    uint8_t *bytes = arena_alloc(txn->arena, room);
    if (bytes == NULL)
        return STATUS_RANGE;
    struct writer marks = writer_over(bytes, room);
    writer_view(&marks, kept);
    TRY(carry_out(db, txn, &marks));
    ENSURE(!marks.overflow);
    txn->payment.spends = writer_done(&marks);
    return STATUS_OK;
}
