/* test_reconcile_run.c - the whole on a store in memory: a channel's attempts, a record of them
 * with faults, and what comes out: counts, differences, the journal, the same file twice, another's
 * file, a person's word. And that nobody's merchant sees an event of it.
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"
#include "domain/refs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#define NOON_US     INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */
#define MERCHANT    77
#define ROWS_MAX    40
#define DIFFERS_MAX 40

struct line {
    unsigned number; /* of the attempt */
    int64_t minor;
};
struct stage {
    struct loop *loop;
    struct store *store;
    struct arena arena;
    char folder[64], file[96], lock[96];
    struct difference_row rows[DIFFERS_MAX];
    char names[DIFFERS_MAX][NAME_MAX_BYTES + 1];
    size_t found;
    struct reconcile_report report;
    char why[1024];
};

static int64_t id_of(unsigned number)
{
    return ((NOON_US / 1000) << 20) + (int64_t)number * 10;
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
static void add_attempt(struct stage *s, unsigned number, const char *channel,
                        enum attempt_state state, int64_t minor)
{
    uint8_t room[256];
    char stan[8];
    struct writer refs = writer_over(room, sizeof room);
    (void)snprintf(stan, sizeof stan, "%06u", number);
    refs_put(&refs, VIEW("stan"), view_text(stan), 0);
    refs_put(&refs, VIEW("time"), VIEW("1122120000"), 0);
    refs_put(&refs, VIEW("terminal"), VIEW("TERM1   "), 0);
    int64_t id = id_of(number);
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
                                        .created_us = NOON_US,
                                        .updated_us = NOON_US + 1000,
                                        .refs = writer_done(&refs) };
    txn.write_payment = txn.write_operation = txn.write_attempt = STORE_INSERT;
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

static void open_stage(struct stage *s, const char *name)
{
    *s = (struct stage){ .folder = "/tmp/railgate-reconcile-XXXXXX" };
    char path[64], why[200];
    struct writer w = writer_over(why, sizeof why);
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->file, sizeof s->file, "%s/day.csv", s->folder);
    (void)snprintf(s->lock, sizeof s->lock, "%s/lock", s->folder);
    (void)snprintf(path, sizeof path, "memory:%s", name);
    s->loop = loop_open_virtual(1, NOON_US);
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
    options.rail = RAIL_CARD;
    options.path = s->file;
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
    assert_int_equal(s.report.at_the_edge, 1);
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
        cmocka_unit_test(what_was_left_unfinished_is_abandoned),
        cmocka_unit_test(a_persons_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
