/* test_reconcile_run.c - the whole on a store in memory: a channel's attempts, a record of them
 * with faults, and what comes out: counts, differences, the journal, the same file twice, another's
 * file, a person's word. And that nobody's merchant sees an event of it.
 */
#include "reconcile/reconcile_int.h"

#include "../../support/scratch.h"

#include "base/ensure.h"
#include "domain/refs.h"
#include "domain/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#define NOON_US     INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */
#define MERCHANT    77
#define ROWS_MAX    40
#define DIFFERS_MAX 200
#define DAY_US      INT64_C(86400000000)
#define MINUTE_US   INT64_C(60000000)

struct line {
    unsigned number; /* of the attempt */
    int64_t minor;
};
struct booking {
    unsigned number; /* of the attempt; of a reversal: of what it reverses */
    int64_t minor, at_us;
    bool reversal;
};
struct stage {
    struct loop *loop;
    struct store *store;
    struct arena arena;
    char folder[SCRATCH_MAX], file[SCRATCH_FILE_MAX], lock[SCRATCH_FILE_MAX];
    struct difference_row rows[DIFFERS_MAX];
    char names[DIFFERS_MAX][NAME_MAX_BYTES + 1], here[DIFFERS_MAX][40];
    size_t found;
    struct reconcile_report report;
    char why[1024];
    int64_t ids_ahead_us; /* of the clock */
};

static int64_t id_at(unsigned number, int64_t created_us)
{
    return ((created_us / 1000) << 20) + (int64_t)number * 10;
}

static int64_t id_of(unsigned number)
{
    return id_at(number, NOON_US);
}

static void on_txn(struct store_txn *txn, void *arg)
{
    (void)txn;
    loop_stop(arg);
}

static void commit(struct stage *s, struct store_txn *txn)
{
    txn->arena = &s->arena;
    txn->done = on_txn;
    txn->arg = s->loop;
    assert_int_equal(store_commit(s->store, txn), STATUS_OK);
    loop_run(s->loop);
    assert_int_equal(txn->result, STORE_COMMITTED);
}

/* Attempt `number` of channel `channel`, with the refs of a card message. */
static void add_attempt_at(struct stage *s, unsigned number, const char *channel,
                           enum attempt_state state, int64_t minor, int64_t created_us,
                           int64_t updated_us)
{
    uint8_t room[256];
    char stan[8];
    struct writer refs = writer_over(room, sizeof room);
    (void)snprintf(stan, sizeof stan, "%06u", number);
    refs_put(&refs, VIEW("stan"), view_text(stan), 0);
    refs_put(&refs, VIEW("time"), VIEW("1122120000"), 0);
    refs_put(&refs, VIEW("terminal"), VIEW("TERM1   "), 0);
    int64_t id = id_at(number, created_us + s->ids_ahead_us);
    struct store_txn txn = { .merchant = MERCHANT };
    txn.payment = (struct payment_row){ .id = id,
                                        .merchant = MERCHANT,
                                        .status = PAYMENT_SUCCEEDED,
                                        .capture = CAPTURE_AUTOMATIC,
                                        .kind = PAYMENT_KIND_PURCHASE,
                                        .rail = RAIL_CARD,
                                        .currency = "EUR",
                                        .amount = minor,
                                        .created_us = NOON_US,
                                        .updated_us = NOON_US };
    txn.operation = (struct operation_row){ .id = id + 1,
                                            .payment = id,
                                            .merchant = MERCHANT,
                                            .kind = OPERATION_SALE,
                                            .status = OPERATION_STATUS_FAILED,
                                            .amount = minor,
                                            .created_us = NOON_US,
                                            .updated_us = NOON_US };
    txn.attempt = (struct attempt_row){ .id = id + 2,
                                        .payment = id,
                                        .operation = id + 1,
                                        .merchant = MERCHANT,
                                        .verb = OPERATION_SALE,
                                        .state = state,
                                        .amount = minor,
                                        .currency = "EUR",
                                        .channel = view_text(channel),
                                        .created_us = created_us,
                                        .updated_us = updated_us,
                                        .refs = writer_done(&refs) };
    txn.write_payment = txn.write_operation = txn.write_attempt = STORE_INSERT;
    commit(s, &txn);
}

static void add_attempt(struct stage *s, unsigned number, const char *channel,
                        enum attempt_state state, int64_t minor)
{
    add_attempt_at(s, number, channel, state, minor, NOON_US, NOON_US + 1000);
}

static enum status judge_approve(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->attempt.state = ATTEMPT_APPROVED;
    txn->attempt.updated_us = txn->spend_now_us;
    txn->write_attempt = STORE_UPDATE;
    return STATUS_OK;
}

static void approve(struct stage *s, unsigned number, int64_t created_us, int64_t at_us)
{
    struct store_txn txn = { .merchant = MERCHANT,
                             .load_attempt = id_at(number, created_us) + 2,
                             .judge = judge_approve,
                             .spend_now_us = at_us };
    commit(s, &txn);
}

static void write_record(struct stage *s, const char *time, const struct line *lines, size_t count)
{
    static char body[65536];
    struct writer w = writer_over(body, sizeof body);
    int64_t sum = 0;
    uint8_t digest[SECRET_SHA256_SIZE];
    writer_text(&w, "record,direction,stan,transmitted,terminal,booked_at,amount_minor,currency,"
                    "original_stan,original_transmitted\n");
    for (size_t i = 0; i < count; i++) {
        writer_format(&w, "SALE,C,%06u,%s,TERM1,2026-11-22T12:00:00.500Z,%lld,EUR,,\n",
                      lines[i].number, time, (long long)lines[i].minor);
        sum += lines[i].minor;
    }
    assert_false(w.overflow);
    assert_int_equal(secret_sha256(writer_done(&w), digest), STATUS_OK);
    writer_format(&w, "TRAILER,%zu,%lld,0,", count, (long long)sum);
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    writer_text(&w, "\n");
    FILE *file = fopen(s->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(w.ptr, 1, w.len, file), w.len);
    assert_int_equal(fclose(file), 0);
}

/* What was booked from `from_us` on, for a day. */
static void write_day(struct stage *s, int64_t from_us, const struct booking *bookings,
                      size_t count)
{
    static char body[65536];
    struct writer w = writer_over(body, sizeof body);
    int64_t credit = 0, debit = 0;
    size_t lines = 0;
    uint8_t digest[SECRET_SHA256_SIZE];
    writer_text(&w, "record,direction,stan,transmitted,terminal,booked_at,amount_minor,currency,"
                    "original_stan,original_transmitted\n");
    for (size_t i = 0; i < count; i++) {
        const struct booking *b = &bookings[i];
        if (b->at_us < from_us || b->at_us >= from_us + DAY_US)
            continue;
        if (b->reversal)
            writer_format(&w, "REVERSAL,D,%06u,1122120001,TERM1,", 500000 + b->number);
        else
            writer_format(&w, "SALE,C,%06u,1122120000,TERM1,", b->number);
        time_format(&w, b->at_us);
        writer_format(&w, ",%lld,EUR,", (long long)b->minor);
        if (b->reversal)
            writer_format(&w, "%06u,1122120000\n", b->number);
        else
            writer_text(&w, ",\n");
        *(b->reversal ? &debit : &credit) += b->minor;
        lines++;
    }
    assert_false(w.overflow);
    assert_int_equal(secret_sha256(writer_done(&w), digest), STATUS_OK);
    writer_format(&w, "TRAILER,%zu,%lld,%lld,", lines, (long long)credit, (long long)debit);
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    writer_text(&w, "\n");
    FILE *file = fopen(s->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(w.ptr, 1, w.len, file), w.len);
    assert_int_equal(fclose(file), 0);
}

static void open_stage(struct stage *s, const char *name)
{
    *s = (struct stage){ .loop = loop_open_virtual(1, NOON_US) };
    char path[64], why[200];
    struct writer w = writer_over(why, sizeof why);
    scratch_folder(s->folder, "reconcile");
    (void)snprintf(s->file, sizeof s->file, "%s/day.csv", s->folder);
    (void)snprintf(s->lock, sizeof s->lock, "%s/lock", s->folder);
    (void)snprintf(path, sizeof path, "memory:%s", name);
    struct store_options options = { .path = path };
    assert_int_equal(store_open(&s->store, s->loop, &options, &w), STATUS_OK);
    arena_init(&s->arena, (size_t)16 << 20);
}

static void close_stage(struct stage *s)
{
    store_close(s->store);
    loop_close(s->loop);
    arena_reset(&s->arena);
    (void)unlink(s->file);
    (void)unlink(s->lock);
    assert_int_equal(rmdir(s->folder), 0);
}

static void on_found(const struct difference_row *row, void *arg)
{
    struct stage *s = arg;
    assert_true(s->found < DIFFERS_MAX);
    s->rows[s->found] = *row;
    assert_int_equal(view_to_text(row->identity, s->names[s->found], NAME_MAX_BYTES + 1),
                     STATUS_OK);
    assert_int_equal(view_to_text(row->here, s->here[s->found], sizeof s->here[0]), STATUS_OK);
    s->rows[s->found].here = view_text(s->here[s->found]);
    s->found++;
}

static enum status run(struct stage *s, struct reconcile_options options)
{
    struct writer why = writer_over(s->why, sizeof s->why - 1);
    s->found = 0;
    options.loop = s->loop;
    options.store = s->store;
    options.lock_path = s->lock;
    if (options.channel.len == 0)
        options.channel = VIEW("card_demo");
    if (options.rail == 0)
        options.rail = RAIL_CARD;
    options.path = s->file;
    if (options.now_us == 0)
        options.now_us = NOON_US + INT64_C(10000000);
    options.found = on_found;
    options.arg = s;
    memset(s->why, 0, sizeof s->why);
    return reconcile_run(&options, &s->report, &why);
}

/* How many events of a kind merchant `merchant` (0: the operator) sees; the journal has no gap. */
static size_t events_of(struct stage *s, int64_t merchant, const char *kind)
{
    size_t count = 0;
    int64_t after = 0;
    struct store_read read = { .more = true };
    while (read.more) {
        read = (struct store_read){
            .question = STORE_EVENTS, .arena = &s->arena, .merchant = merchant, .after = after
        };
        assert_int_equal(reconcile_ask(s->loop, s->store, &read), STATUS_OK);
        for (size_t i = 0; i < read.count; i++) {
            if (merchant == 0)
                assert_int_equal(read.events[i].seq, after + 1);
            after = read.events[i].seq;
            count += view_starts_with(read.events[i].kind, view_text(kind));
        }
    }
    return count;
}

static void a_day_with_every_difference(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_day");
    for (unsigned i = 1; i <= 30; i++)
        add_attempt(&s, i, "card_demo", ATTEMPT_APPROVED, 1000 + i);
    add_attempt(&s, 31, "card_demo", ATTEMPT_DECLINED, 2000);
    add_attempt(&s, 32, "card_demo", ATTEMPT_PARKED, 2000);
    add_attempt(&s, 33, "card_demo", ATTEMPT_PENDING, 2000);
    add_attempt(&s, 34, "another", ATTEMPT_APPROVED, 2000);
    struct line lines[ROWS_MAX];
    size_t count = 0;
    for (unsigned i = 1; i <= 30; i++)
        if (i != 7) /* missing there */
            lines[count++] = (struct line){ i, i == 9 ? 5 : 1000 + i };
    lines[count++] = (struct line){ 11, 1011 };
    lines[count++] = (struct line){ 31, 2000 };
    lines[count++] = (struct line){ 32, 2000 };
    lines[count++] = (struct line){ 999, 4711 };
    write_record(&s, "1122120000", lines, count);

    assert_int_equal(run(&s, (struct reconcile_options){ .dry_run = true }), STATUS_OK);
    assert_int_equal(s.report.id, 0);
    assert_int_equal(s.report.differences, 6);
    assert_int_equal(events_of(&s, 0, "reconciliation."), 0);

    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    assert_int_equal(s.report.lines, count);
    assert_int_equal(s.report.attempts, 33);
    assert_int_equal(s.report.matched, 27);
    assert_int_equal(s.report.waiting, 1);
    assert_int_equal(s.report.differences, 6);
    static const struct {
        enum difference_kind kind;
        unsigned attempt;
        int64_t here, there;
    } expected[] = {
        { DIFFERENCE_AMOUNT, 9, 1009, 5 },       { DIFFERENCE_TWICE, 11, 1011, 2022 },
        { DIFFERENCE_FAILED_HERE, 31, 0, 2000 }, { DIFFERENCE_UNKNOWN_HERE, 32, 2000, 2000 },
        { DIFFERENCE_MISSING_HERE, 0, 0, 4711 }, { DIFFERENCE_MISSING_THERE, 7, 1007, 0 },
    };
    assert_int_equal(s.found, COUNT_OF(expected));
    for (size_t i = 0; i < s.found; i++) {
        const struct difference_row *row = &s.rows[i];
        assert_string_equal(difference_kind_word(row->kind),
                            difference_kind_word(expected[i].kind));
        assert_int_equal(row->here_minor, expected[i].here);
        assert_int_equal(row->there_minor, expected[i].there);
        assert_int_equal(row->attempt,
                         expected[i].attempt > 0 ? id_of(expected[i].attempt) + 2 : 0);
    }
    assert_string_equal(s.names[4], "000999/1122120000/TERM1");
    assert_int_equal(events_of(&s, 0, "reconciliation.difference"), 6);
    assert_int_equal(events_of(&s, 0, "reconciliation.finished"), 1);
    assert_int_equal(events_of(&s, MERCHANT, "reconciliation."), 0); /* the operator's matter */

    /* The same bytes again say so, and write nothing. */
    int64_t first = s.report.id;
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    assert_int_equal(s.report.known, first);
    assert_int_equal(s.report.id, 0);
    assert_int_equal(s.found, 0);
    assert_int_equal(events_of(&s, 0, "reconciliation.finished"), 1);
    assert_int_equal(run(&s, (struct reconcile_options){ .again = true }), STATUS_OK);
    assert_int_equal(s.report.known, first);
    assert_true(s.report.id > first);
    assert_int_equal(events_of(&s, 0, "reconciliation.finished"), 2);
    close_stage(&s);
}

static void what_matches_leaves_no_difference(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_good");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    assert_int_equal(s.report.matched, 1);
    assert_int_equal(s.report.differences, 0);
    assert_true(s.report.id > 0);
    assert_int_equal(s.report.currency_count, 1);
    assert_int_equal(s.report.currencies[0].matched.here_minor, 1000);
    close_stage(&s);
}

static void anothers_record_is_refused(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_other");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1123120000", &(struct line){ 1, 1000 }, 1); /* another day's */
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_MISMATCH);
    assert_non_null(strstr(s.why, "none of the 1 lines"));
    assert_int_equal(events_of(&s, 0, "reconciliation."), 0);
    assert_int_equal(run(&s, (struct reconcile_options){ .force = true }), STATUS_OK);
    assert_int_equal(s.report.differences, 2);
    close_stage(&s);
}

static void a_cut_record_writes_nothing(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_cut");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    assert_int_equal(truncate(s.file, 200), 0);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_SHORT);
    assert_non_null(strstr(s.why, "day.csv:"));
    assert_int_equal(events_of(&s, 0, "reconciliation."), 0);
    assert_int_equal(unlink(s.file), 0);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_IO);
    close_stage(&s);
}

/* Lines and attempts outside of what was asked for are not missed. */
static void a_period_that_is_asked_for(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_period");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    add_attempt(&s, 2, "card_demo", ATTEMPT_APPROVED, 1000);
    struct line lines[] = { { 1, 1000 }, { 998, 1 } };
    write_record(&s, "1122120000", lines, 2);
    assert_int_equal(run(&s, (struct reconcile_options){ .from_us = NOON_US + 2000000,
                                                         .until_us = NOON_US + 9000000,
                                                         .lookback_us = 9000000 }),
                     STATUS_OK);
    assert_int_equal(s.report.outside, 2);
    assert_int_equal(s.report.matched, 1);
    assert_int_equal(s.report.carried_over, 0); /* both are long over */
    assert_int_equal(s.report.differences, 0);
    close_stage(&s);
}

/* "Everything matches" would be said of nothing; and the file would be known ever after. */
static void a_period_without_a_line_is_refused(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_no_line");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    struct line lines[] = { { 1, 1000 }, { 998, 1 } };
    write_record(&s, "1122120000", lines, 2);
    struct reconcile_options before = { .from_us = NOON_US - 5 * INT64_C(86400000000),
                                        .until_us = NOON_US - 4 * INT64_C(86400000000) };
    assert_int_equal(run(&s, before), STATUS_MISMATCH);
    assert_non_null(strstr(s.why, "of another day"));
    before.force = true;
    assert_int_equal(run(&s, before), STATUS_OK);
    assert_int_equal(s.report.differences, 0);
    /* Known is a file with its period. */
    before.force = false;
    assert_int_equal(run(&s, before), STATUS_OK);
    assert_true(s.report.known != 0);
    assert_false(s.report.known_open);
    struct reconcile_options day = { .from_us = NOON_US - 10000000, .until_us = NOON_US + 9000000 };
    assert_int_equal(run(&s, day), STATUS_OK);
    assert_int_equal(s.report.known, 0);
    assert_int_equal(s.report.differences, 1);
    assert_int_equal(run(&s, day), STATUS_OK);
    assert_true(s.report.known != 0);
    assert_true(s.report.known_open);
    close_stage(&s);
}

/* As an operator does it, some minutes after midnight. */
static enum status run_day(struct stage *s, int64_t from_us)
{
    return run(s, (struct reconcile_options){ .from_us = from_us,
                                              .until_us = from_us + DAY_US,
                                              .tolerance_us = 5 * MINUTE_US,
                                              .lookback_us = 7 * DAY_US,
                                              .now_us = from_us + 7 * DAY_US });
}

static const struct difference_row *difference_of(const struct stage *s, int64_t attempt)
{
    const struct difference_row *found = NULL;
    for (size_t i = 0; i < s->found; i++)
        if (s->rows[i].attempt == attempt) {
            assert_null(found);
            found = &s->rows[i];
        }
    return found;
}

static void is_told(const struct stage *s, unsigned number, int64_t created_us,
                    enum difference_kind kind, int64_t there_minor)
{
    const struct difference_row *row = difference_of(s, id_at(number, created_us) + 2);
    if (row == NULL)
        fail_msg("nothing is said of attempt %u", number);
    assert_string_equal(difference_kind_word(row->kind), difference_kind_word(kind));
    assert_int_equal(row->there_minor, there_minor);
}

/* Two days, and what lies on both sides of the midnight between them. */
static void what_lies_near_midnight(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_midnight");
    const int64_t day = NOON_US - DAY_US / 2, midnight = day + DAY_US, second = 1000000;
    const int64_t before = midnight - 60 * second, after = midnight + 10 * second;
    static const enum attempt_state states[] = { ATTEMPT_APPROVED, ATTEMPT_APPROVED,
                                                 ATTEMPT_APPROVED, ATTEMPT_PARKED };
    for (unsigned i = 0; i < 4; i++) /* 1: booked after midnight, 2: before, 3: never */
        add_attempt_at(&s, i + 1, "card_demo", states[i], 1000, before, before + second);
    add_attempt_at(&s, 5, "card_demo", ATTEMPT_APPROVED, 1000, after, after + second); /* before */
    add_attempt_at(&s, 6, "card_demo", ATTEMPT_APPROVED, 1000, after, after + second); /* never */
    for (unsigned i = 7; i < 9; i++) /* 7: reversed after midnight, 8: not in any record */
        add_attempt_at(&s, i, "card_demo", ATTEMPT_REVERSED, 1000, before, after);
    for (unsigned i = 9; i < 11; i++) /* 9: booked when it has its outcome, 10: never */
        add_attempt_at(&s, i, "card_demo", ATTEMPT_PENDING, 1000, NOON_US, NOON_US);
    for (unsigned i = 0; i < 3; i++)
        add_attempt_at(&s, 20 + i, "card_demo", ATTEMPT_APPROVED, 1000, NOON_US + i * DAY_US,
                       NOON_US + i * DAY_US + second);
    const struct booking bookings[] = {
        { 1, 1000, midnight + second, false },
        { 2, 1000, midnight - second, false },
        { 5, 1000, midnight - second, false },
        { 7, 1000, before, false },
        { 7, 1000, after, true },
        { 8, 1000, before, false },
        { 9, 1000, NOON_US + DAY_US, false },
        { 20, 1000, NOON_US, false },
        { 21, 1000, NOON_US + DAY_US, false },
        { 22, 1000, NOON_US + 2 * DAY_US, false },
    };
    write_day(&s, day, bookings, COUNT_OF(bookings));
    assert_int_equal(run_day(&s, day), STATUS_OK);
    assert_int_equal(s.report.matched, 3); /* 2, 5, 20 */
    assert_int_equal(s.report.differences, 0);
    assert_int_equal(s.report.carried_over, 6); /* 1, 3, 4, 6, 7, 8 */
    assert_int_equal(s.report.waiting, 2);
    assert_int_equal(s.report.taken_up, 0);

    for (unsigned i = 9; i < 11; i++)
        approve(&s, i, NOON_US, NOON_US + DAY_US);
    write_day(&s, midnight, bookings, COUNT_OF(bookings));
    assert_int_equal(run_day(&s, midnight), STATUS_OK);
    assert_int_equal(s.report.matched, 4); /* 1, 7, 9, 21 */
    assert_int_equal(s.report.differences, 5);
    is_told(&s, 3, before, DIFFERENCE_MISSING_THERE, 0);
    is_told(&s, 4, before, DIFFERENCE_UNKNOWN_HERE, 0);
    is_told(&s, 6, after, DIFFERENCE_MISSING_THERE, 0);
    is_told(&s, 8, before, DIFFERENCE_FAILED_HERE, 1000);
    is_told(&s, 10, NOON_US, DIFFERENCE_MISSING_THERE, 0);
    assert_true(
        view_is(difference_of(&s, id_at(3, before) + 2)->here, "sale approved, carried over"));
    assert_int_equal(s.report.carried_over, 0);
    assert_int_equal(s.report.taken_up, 8);

    write_day(&s, midnight + DAY_US, bookings, COUNT_OF(bookings));
    assert_int_equal(run_day(&s, midnight + DAY_US), STATUS_OK);
    assert_int_equal(s.report.matched, 1);
    assert_int_equal(s.report.differences, 0);
    assert_int_equal(s.report.taken_up, 0);
    close_stage(&s);
}

/* The same numbers at every run. */
static int64_t dice(uint64_t *seed, int64_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((*seed >> 33) % (uint64_t)below);
}

#define DAYS 5
#define MANY 150
/* Whether attempt was among attempts; it is not any more. */
static bool struck_off(int64_t attempts[MANY], int64_t attempt)
{
    for (size_t i = 0; i < MANY; i++) {
        if (attempts[i] == attempt) {
            attempts[i] = 0;
            return true;
        }
    }
    return false;
}

/* Attempts around all midnights, some booked on the other side of one, some never: whatever the
 * order in which the days are compared, each is matched once or missed once. */
static void each_is_judged_once(void **state)
{
    (void)state;
    static const unsigned orders[][DAYS] = { { 0, 1, 2, 3, 4 },
                                             { 4, 3, 2, 1, 0 },
                                             { 2, 0, 4, 1, 3 } };
    const int64_t day = NOON_US - DAY_US / 2;
    for (size_t order = 0; order < COUNT_OF(orders); order++) {
        static struct booking bookings[MANY];
        int64_t attempts[MANY];
        size_t booked = 0, never = 0, matched = 0, missed = 0;
        uint64_t seed = order + 1;
        char name[40];
        struct stage s;
        (void)snprintf(name, sizeof name, "reconcile_once_%zu", order);
        open_stage(&s, name);
        for (unsigned i = 0; i < MANY; i++) {
            int64_t near = day + (1 + dice(&seed, DAYS - 1)) * DAY_US;
            int64_t created_us = i < DAYS ? NOON_US + i * DAY_US
                                          : near + dice(&seed, 24 * MINUTE_US) - 12 * MINUTE_US;
            int64_t took_us = dice(&seed, 10) == 0 ? dice(&seed, DAY_US) : dice(&seed, MINUTE_US);
            if (created_us + took_us + 10 * MINUTE_US > day + DAYS * DAY_US)
                took_us = 0;
            add_attempt_at(&s, i, "card_demo", ATTEMPT_APPROVED, 1000, created_us,
                           created_us + took_us);
            attempts[i] = 0;
            if (i >= DAYS && dice(&seed, 5) == 0) {
                attempts[i] = id_at(i, created_us) + 2;
                never++;
                continue;
            }
            bookings[booked++] = (struct booking){
                i, 1000, created_us + dice(&seed, took_us + 8 * MINUTE_US) - 4 * MINUTE_US, false
            };
        }
        for (size_t n = 0; n < DAYS; n++) {
            write_day(&s, day + orders[order][n] * DAY_US, bookings, booked);
            assert_int_equal(run_day(&s, day + orders[order][n] * DAY_US), STATUS_OK);
            matched += (size_t)s.report.matched;
            for (size_t i = 0; i < s.found; i++) {
                assert_int_equal(s.rows[i].kind, DIFFERENCE_MISSING_THERE);
                /* one that was never booked, and not told before */
                assert_true(struck_off(attempts, s.rows[i].attempt));
                missed++;
            }
        }
        assert_int_equal(matched, booked);
        assert_int_equal(missed, never);
        assert_true(never > 10);
        close_stage(&s);
    }
}

/* What a reconciliation carried over or took up that was never finished does not count. */
static void carrying_is_whole_or_not_at_all(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_carried_killed");
    const int64_t day = NOON_US - DAY_US / 2, midnight = day + DAY_US;
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    add_attempt_at(&s, 2, "card_demo", ATTEMPT_APPROVED, 1000, midnight - 1000000, midnight);
    add_attempt_at(&s, 3, "card_demo", ATTEMPT_APPROVED, 1000, NOON_US + DAY_US, NOON_US + DAY_US);
    const struct booking bookings[] = { { 1, 1000, NOON_US, false },
                                        { 3, 1000, NOON_US + DAY_US, false } };
    write_day(&s, day, bookings, 2);
    assert_int_equal(run_day(&s, day), STATUS_OK);
    assert_int_equal(s.report.carried_over, 1);
    /* Another one took it up and handed it on, and was killed. */
    struct carried_row row = { .attempt = id_at(2, midnight - 1000000) + 2,
                               .reconciliation = s.report.id + 1000,
                               .earlier = s.report.id,
                               .insert = true,
                               .there_minor = 5 };
    struct store_txn txn = { .reconciliation = { .id = row.reconciliation,
                                                 .state = RECONCILIATION_WRITING,
                                                 .channel = VIEW("card_demo"),
                                                 .format = VIEW("card settlement"),
                                                 .file = VIEW("day.csv"),
                                                 .file_hash = VIEW("00") },
                             .write_reconciliation = STORE_INSERT,
                             .carried = &row,
                             .carried_count = 1 };
    commit(&s, &txn);
    write_day(&s, midnight, bookings, 2);
    assert_int_equal(run_day(&s, midnight), STATUS_OK);
    assert_int_equal(s.report.differences, 1);
    is_told(&s, 2, midnight - 1000000, DIFFERENCE_MISSING_THERE, 0);
    assert_int_equal(s.report.taken_up, 1);
    close_stage(&s);
}

/* Another record of the channel was finished between reading and writing. */
static void what_was_overtaken_writes_nothing(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_overtaken");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    const int64_t newest[] = { 0, s.report.id };
    for (size_t i = 0; i < 2; i++) {
        struct reconcile_options options = { .loop = s.loop,
                                             .store = s.store,
                                             .lock_path = s.lock,
                                             .channel = VIEW("card_demo"),
                                             .now_us = NOON_US + 20000000 };
        struct reconcile_report report = { .format = "card settlement" };
        struct reconcile_journal journal;
        struct writer why = writer_over(s.why, sizeof s.why);
        assert_int_equal(reconcile_journal_begin(&journal, &options, &report, VIEW("day.csv"), "",
                                                 newest[i], &why),
                         i == 0 ? STATUS_BUSY : STATUS_OK);
        assert_int_equal(report.id > 0, i);
        reconcile_journal_end(&journal);
    }
    close_stage(&s);
}

/* A bank is asked to give back a payment that is older than what is looked at, and agrees: of the
 * payment nothing is at hand, and what is missed is told by the refund. */
static void a_recall_of_an_old_payment_is_missed(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_recall");
    uint8_t room[256];
    struct writer refs = writer_over(room, sizeof room);
    refs_put(&refs, VIEW("of_message"), VIEW("RGM1"), 0);
    refs_put(&refs, VIEW("end_to_end"), VIEW("RGE1"), 0);
    struct store_txn txn = { .merchant = MERCHANT,
                             .write_operation = STORE_INSERT,
                             .write_attempt = STORE_INSERT };
    txn.operation = (struct operation_row){ .id = id_of(1) + 1,
                                            .payment = id_of(1) - 2000,
                                            .merchant = MERCHANT,
                                            .kind = OPERATION_REFUND,
                                            .status = OPERATION_STATUS_SUCCEEDED,
                                            .amount = 1250,
                                            .created_us = NOON_US,
                                            .updated_us = NOON_US };
    txn.attempt = (struct attempt_row){ .id = id_of(1),
                                        .payment = id_of(1) - 2000,
                                        .operation = id_of(1) + 1,
                                        .merchant = MERCHANT,
                                        .verb = OPERATION_REFUND,
                                        .state = ATTEMPT_APPROVED,
                                        .amount = 1250,
                                        .currency = "EUR",
                                        .channel = VIEW("bank_demo"),
                                        .created_us = NOON_US,
                                        .updated_us = NOON_US + 1000,
                                        .refs = writer_done(&refs) };
    commit(&s, &txn);
    FILE *file = fopen(s.file, "wb");
    assert_non_null(file);
    assert_true(fputs("<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">"
                      "<BkToCstmrStmt><Stmt><FrToDt><FrDtTm>2026-11-22T00:00:00Z</FrDtTm>"
                      "<ToDtTm>2026-11-23T00:00:00Z</ToDtTm></FrToDt><Acct><Ccy>EUR</Ccy></Acct>"
                      "</Stmt></BkToCstmrStmt></Document>\n",
                      file) >= 0);
    assert_int_equal(fclose(file), 0);
    const struct reconcile_options options = { .rail = RAIL_BANK, .channel = VIEW("bank_demo") };
    assert_int_equal(run(&s, options), STATUS_OK);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.rows[0].kind, DIFFERENCE_MISSING_THERE);
    assert_int_equal(s.rows[0].attempt, id_of(1));
    assert_int_equal(s.rows[0].here_minor, -1250);
    assert_string_equal(s.rows[0].currency, "EUR");
    assert_int_equal(s.rows[0].at_us, NOON_US);
    assert_int_equal(s.report.currency_count, 1);
    assert_string_equal(s.report.currencies[0].code, "EUR");
    close_stage(&s);
}

/* After a clock that was three hours ahead is set right, ids stay ahead: those of the evening are
 * of tomorrow. And an id is made a moment before its attempt. */
static void ids_are_not_times(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_ids");
    const int64_t day = NOON_US - DAY_US / 2, midnight = day + DAY_US, hour = 60 * MINUTE_US;
    const int64_t evening = midnight - hour, next = midnight + DAY_US / 2;
    s.ids_ahead_us = 3 * hour;
    add_attempt_at(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000, NOON_US, NOON_US);
    add_attempt_at(&s, 2, "card_demo", ATTEMPT_APPROVED, 1000, evening, evening);
    add_attempt_at(&s, 3, "card_demo", ATTEMPT_APPROVED, 1000, evening, evening); /* never booked */
    add_attempt_at(&s, 4, "card_demo", ATTEMPT_APPROVED, 1000, next, next);
    const struct booking bookings[] = { { 1, 1000, NOON_US, false },
                                        { 2, 1000, evening, false },
                                        { 4, 1000, next, false } };
    write_day(&s, day, bookings, 3);
    assert_int_equal(run_day(&s, day), STATUS_OK);
    assert_int_equal(s.report.attempts, 3);
    assert_int_equal(s.report.matched, 2);
    assert_int_equal(s.report.differences, 1);
    is_told(&s, 3, evening + s.ids_ahead_us, DIFFERENCE_MISSING_THERE, 0);
    write_day(&s, midnight, bookings, 3);
    assert_int_equal(run_day(&s, midnight), STATUS_OK);
    assert_int_equal(s.report.matched, 1);
    assert_int_equal(s.report.differences, 0);

    s.ids_ahead_us = -1000000;
    add_attempt_at(&s, 5, "card_demo", ATTEMPT_APPROVED, 1000, next + DAY_US, next + DAY_US);
    const struct booking later = { 5, 1000, next + DAY_US, false };
    write_day(&s, midnight + DAY_US, &later, 1);
    assert_int_equal(run(&s, (struct reconcile_options){ .from_us = next + DAY_US,
                                                         .until_us = midnight + 2 * DAY_US,
                                                         .now_us = midnight + 3 * DAY_US }),
                     STATUS_OK);
    assert_int_equal(s.report.matched, 1);
    close_stage(&s);
}

/* A file is known for a period that was compared, and for no other: neither for more of the day,
 * nor for the rest of one that was not over. */
static void a_file_is_known_with_its_period(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_known");
    const int64_t day = NOON_US - DAY_US / 2, second = 1000000;
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    add_attempt_at(&s, 2, "card_demo", ATTEMPT_APPROVED, 1000, NOON_US + 5 * second,
                   NOON_US + 6 * second);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    struct reconcile_options morning = { .from_us = day, .until_us = NOON_US + 2 * second };
    assert_int_equal(run(&s, morning), STATUS_OK);
    assert_int_equal(s.report.matched, 1);
    assert_int_equal(s.report.differences, 0);
    int64_t first = s.report.id;

    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK); /* the day, until now */
    assert_int_equal(s.report.known, 0);
    assert_int_equal(s.report.differences, 1);
    is_told(&s, 2, NOON_US + 5 * second, DIFFERENCE_MISSING_THERE, 0);
    int64_t until_now = s.report.id;
    assert_int_equal(run(&s, morning), STATUS_OK);
    assert_int_equal(s.report.known, first);
    assert_int_equal(run(&s, (struct reconcile_options){ .now_us = NOON_US + 20 * second }),
                     STATUS_OK);
    assert_int_equal(s.report.known, until_now);
    assert_true(s.report.known_open);

    struct reconcile_options later = { .now_us = day + 2 * DAY_US };
    assert_int_equal(run(&s, later), STATUS_OK);
    assert_int_equal(s.report.known, 0);
    assert_int_equal(s.report.until_us, day + DAY_US);
    assert_int_equal(run(&s, later), STATUS_OK);
    assert_true(s.report.known > until_now);
    close_stage(&s);
}

/* Whoever wrote the one before was killed in the middle of it. */
static void what_was_left_unfinished_is_abandoned(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_killed");
    struct store_txn txn = { .reconciliation = { .id = id_of(500),
                                                 .state = RECONCILIATION_WRITING,
                                                 .channel = VIEW("card_demo"),
                                                 .format = VIEW("card settlement"),
                                                 .file = VIEW("day.csv"),
                                                 .file_hash = VIEW("00") },
                             .write_reconciliation = STORE_INSERT };
    commit(&s, &txn);
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    assert_int_equal(events_of(&s, 0, "reconciliation.abandoned"), 1);
    assert_int_equal(events_of(&s, 0, "reconciliation.finished"), 1);
    close_stage(&s);
}

static void a_persons_word(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "reconcile_word");
    add_attempt(&s, 1, "card_demo", ATTEMPT_APPROVED, 1000);
    add_attempt(&s, 2, "card_demo", ATTEMPT_APPROVED, 1000);
    write_record(&s, "1122120000", &(struct line){ 1, 1000 }, 1);
    assert_int_equal(run(&s, (struct reconcile_options){ 0 }), STATUS_OK);
    assert_int_equal(s.found, 1);
    struct reconcile_resolution word = { .difference = s.rows[0].id,
                                         .by = VIEW("ops"),
                                         .why = VIEW("card 4111 1111 1111 1111 called"),
                                         .now_us = NOON_US + 1 };
    struct difference_row row;
    char text[200];
    for (int time = 0; time < 2; time++) {
        struct writer why = writer_over(text, sizeof text);
        assert_int_equal(reconcile_resolve(s.loop, s.store, &s.arena, &word, &row, &why),
                         time == 0 ? STATUS_OK : STATUS_REFUSED);
        assert_true(view_is(row.by, "ops"));
    }
    /* Whoever typed it, it is not written. */
    for (size_t i = 0; i + 4 <= row.why.len; i++)
        assert_false(view_is(view_slice(row.why, i, 9), "1111 1111"));
    assert_int_equal(events_of(&s, 0, "reconciliation.resolved"), 1);
    assert_int_equal(events_of(&s, MERCHANT, "reconciliation."), 0);
    word.difference++;
    struct writer why = writer_over(text, sizeof text);
    assert_int_equal(reconcile_resolve(s.loop, s.store, &s.arena, &word, &row, &why),
                     STATUS_NOT_FOUND);
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_with_every_difference),
        cmocka_unit_test(what_matches_leaves_no_difference),
        cmocka_unit_test(anothers_record_is_refused),
        cmocka_unit_test(a_cut_record_writes_nothing),
        cmocka_unit_test(a_period_that_is_asked_for),
        cmocka_unit_test(a_period_without_a_line_is_refused),
        cmocka_unit_test(what_lies_near_midnight),
        cmocka_unit_test(each_is_judged_once),
        cmocka_unit_test(carrying_is_whole_or_not_at_all),
        cmocka_unit_test(what_was_overtaken_writes_nothing),
        cmocka_unit_test(a_recall_of_an_old_payment_is_missed),
        cmocka_unit_test(ids_are_not_times),
        cmocka_unit_test(a_file_is_known_with_its_period),
        cmocka_unit_test(what_was_left_unfinished_is_abandoned),
        cmocka_unit_test(a_persons_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
