/* test_room.c - the room itself, with a store whose reads and commits can fail, and whose commits
 * can be kept waiting.
 *
 *     a confirmation whose look at the payment fails     nobody knows: 503, never "there is none"
 *     a cancel that meets an operator's word             what is answered is kept under its key
 *     a late answer that cannot be recorded              is recorded when that works
 *     ... for which there is no memory                   is not taken, and nothing of it is left
 *     ... when the room stops                            is tried once more; else it is in the log
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payment/payment_int.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "channel/channel_int.h"
#include "domain/refs.h"

#include <stdio.h>
#include <unistd.h>

#define STORE_PATH "memory:room"
#define START_US   1700000000000000
#define READS_MOST 10 /* more than a confirmation asks */
#define MERCHANT   1
#define PAYMENT    16
#define FIRST      17 /* its operation */
#define ATTEMPT    18
#define AMOUNT     10000

/* --- a store that is told what to do -----------------------------------------------------------
 */

static struct {
    struct loop *loop;
    unsigned reads, fails; /* the n-th read from now on; 0: none */
    struct task task;
    struct store_read *failed;
    bool keep; /* the next commit waits */
    struct store_txn *kept;
    unsigned commits_fail; /* the next ones: by turns there is no place, and it does not work */
    struct task commit_task;
    struct store_txn *broken;
    bool commits_refused;                   /* there is never a place */
    unsigned allocations, allocation_fails; /* the n-th from now on; 0: none */
} told;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_vault_alloc(size_t size);
void *__wrap_vault_alloc(size_t size);

static bool allocation_fails(void)
{
    return told.allocation_fails != 0 && ++told.allocations == told.allocation_fails;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_vault_alloc(size_t size)
{
    return allocation_fails() ? NULL : __real_vault_alloc(size);
}

enum status __real_store_ask(struct store *store, struct store_read *read);
enum status __wrap_store_ask(struct store *store, struct store_read *read);
enum status __real_store_commit(struct store *store, struct store_txn *txn);
enum status __wrap_store_commit(struct store *store, struct store_txn *txn);

static void answer_broken(struct task *task)
{
    (void)task;
    struct store_read *read = told.failed;
    told.failed = NULL;
    read->result = STATUS_IO;
    read->done(read, read->arg);
}

enum status __wrap_store_ask(struct store *store, struct store_read *read)
{
    if (++told.reads != told.fails)
        return __real_store_ask(store, read);
    told.failed = read;
    told.task.run = answer_broken;
    loop_defer(told.loop, &told.task);
    return STATUS_OK;
}

static void break_commit(struct task *task)
{
    (void)task;
    struct store_txn *txn = told.broken;
    told.broken = NULL;
    txn->result = STORE_FAILED;
    txn->why = VIEW("the disk is full");
    txn->done(txn, txn->arg);
}

enum status __wrap_store_commit(struct store *store, struct store_txn *txn)
{
    if (told.commits_refused)
        return STATUS_BUSY;
    if (told.commits_fail > 0 && told.commits_fail-- % 2 == 0) {
        told.broken = txn;
        told.commit_task.run = break_commit;
        loop_defer(told.loop, &told.commit_task);
        return STATUS_OK;
    }
    if (told.commits_fail > 0)
        return STATUS_BUSY;
    if (!told.keep)
        return __real_store_commit(store, txn);
    told.keep = false;
    told.kept = txn;
    return STATUS_OK;
}

static void let_commit(struct store *store)
{
    struct store_txn *txn = told.kept;
    told.kept = NULL;
    assert_int_equal(__real_store_commit(store, txn), STATUS_OK);
}

/* --- the world ---------------------------------------------------------------------------------
 */

struct world {
    struct loop *loop;
    struct store *store;
    struct store_keeper *keeper;
    struct secrets *secrets;
    struct settings settings;
    struct policy policy;
    struct payments *room;
    struct log log;
    bool recovered;
};

static void on_recovered(void *arg, enum status status)
{
    assert_int_equal(status, STATUS_OK);
    ((struct world *)arg)->recovered = true;
}

static void world_open(struct world *w)
{
    static const uint8_t host_key[32] = { 1, 2, 3 };
    char text[512];
    struct writer why = writer_over(text, sizeof text);
    memset(&told, 0, sizeof told);
    *w = (struct world){ .log = { .fd = -1, .level = LOG_ERROR } };
    told.loop = w->loop = loop_open_virtual(42, START_US);
    assert_int_equal(store_keeper_open(&w->keeper, STORE_PATH), STATUS_OK);
    assert_int_equal(secrets_open(&w->secrets, w->loop), STATUS_OK);
    assert_int_equal(secret_set_host_key(w->secrets, view_of(host_key, 32)), STATUS_OK);
    struct store_options store = { .path = STORE_PATH, .log = &w->log };
    assert_int_equal(store_open(&w->store, w->loop, &store, &why), STATUS_OK);
    struct payments_options options = { .loop = w->loop,
                                        .store = w->store,
                                        .secrets = w->secrets,
                                        .settings = &w->settings,
                                        .policy = &w->policy,
                                        .log = &w->log };
    assert_int_equal(payments_open(&w->room, &options), STATUS_OK);
    payments_recover(w->room, on_recovered, w);
    while (!w->recovered)
        assert_true(loop_step(w->loop, INT64_MAX));
}

static void world_close(struct world *w)
{
    payments_stop(w->room);
    store_close(w->store);
    payments_close(w->room);
    secrets_close(w->secrets);
    store_keeper_close(w->keeper);
    loop_close(w->loop);
}

static void put_done(struct store_txn *txn, void *arg)
{
    assert_int_equal(txn->result, STORE_COMMITTED);
    *(bool *)arg = true;
}

static void put(struct world *w, struct store_txn *txn)
{
    bool done = false;
    txn->merchant = MERCHANT;
    txn->done = put_done;
    txn->arg = &done;
    assert_int_equal(store_commit(w->store, txn), STATUS_OK);
    while (!done)
        assert_true(loop_step(w->loop, INT64_MAX));
    txn->arg = NULL;
}

/* held: what is kept of it; empty: it waits for nobody. */
static void put_payment(struct world *w, struct arena *arena, struct view held)
{
    struct store_txn txn = {
        .arena = arena,
        .payment = { .id = PAYMENT,
                     .merchant = MERCHANT,
                     .status = PAYMENT_PROCESSING,
                     .capture = CAPTURE_AUTOMATIC,
                     .kind = PAYMENT_KIND_PURCHASE,
                     .rail = RAIL_BANK,
                     .currency = "EUR",
                     .amount = AMOUNT,
                     .capturing = AMOUNT,
                     .created_us = START_US,
                     .updated_us = START_US },
        .write_payment = STORE_INSERT,
        .operation = { .id = FIRST,
                       .payment = PAYMENT,
                       .merchant = MERCHANT,
                       .kind = OPERATION_SALE,
                       .status = OPERATION_STATUS_PENDING,
                       .amount = AMOUNT,
                       .created_us = START_US,
                       .updated_us = START_US },
        .write_operation = STORE_INSERT,
        .held = { .payment = PAYMENT,
                  .merchant = MERCHANT,
                  .kind = HELD_REVIEW,
                  .created_us = START_US,
                  .until_us = START_US + 3600 * LOOP_US_PER_S,
                  .data = held },
        .write_held = held.len > 0 ? STORE_INSERT : STORE_KEEP,
    };
    put(w, &txn);
}

/* One that waits for an operator, and after his yes for the payer if that is wanted. */
static void put_held(struct world *w, bool challenge_next)
{
    struct compliance_facts facts = { 0 };
    struct payment_request request = { .rail = RAIL_BANK, .facts = &facts };
    struct ruling ruling = { .verdict = VERDICT_REVIEW,
                             .authenticate_for_us = 600 * LOOP_US_PER_S };
    struct work work = { .room = w->room,
                         .request = &request,
                         .ruling = &ruling,
                         .payment = PAYMENT,
                         .operation = FIRST };
    arena_init(&work.keep, (size_t)1 << 20);
    assert_int_equal(hold_seal(&work), STATUS_OK);
    uint8_t data[4096];
    assert_in_range(ruling.held.len, 2, sizeof data);
    memcpy(data, ruling.held.ptr, ruling.held.len);
    data[0] = challenge_next; /* the judge's byte */
    put_payment(w, &work.keep, view_of(data, ruling.held.len));
    arena_reset(&work.keep);
}

/* --- requests ----------------------------------------------------------------------------------
 */

struct answer {
    int status; /* 0: not yet */
    bool replayed;
    char body[2048];
};

static void on_answer(void *arg, int http_status, struct view body, bool replayed)
{
    struct answer *answer = arg;
    answer->status = http_status;
    answer->replayed = replayed;
    assert_int_equal(view_to_text(body, answer->body, sizeof answer->body), STATUS_OK);
}

static void submit(struct world *w, bool confirm, const char *key, struct answer *answer)
{
    struct payment_request *r = payment_request_new(w->room);
    assert_non_null(r);
    r->verb = OPERATION_CANCEL;
    r->confirm = confirm;
    r->confirm_code = confirm ? VIEW("12345678") : VIEW_EMPTY;
    r->merchant = MERCHANT;
    r->payment = PAYMENT;
    r->idem_key = view_text(key);
    r->wait_us = -1;
    *answer = (struct answer){ .status = 0 };
    payment_submit(w->room, &r, on_answer, answer);
}

static void answered(struct world *w, const struct answer *answer)
{
    while (answer->status == 0)
        assert_true(loop_step(w->loop, INT64_MAX));
}

/* --- a confirmation ----------------------------------------------------------------------------
 */

static void confirm_while_the_nth_read_fails(struct world *w, int otherwise)
{
    struct answer answer;
    do {
        told.fails++;
        told.reads = 0;
        submit(w, true, "confirm", &answer);
        answered(w, &answer);
        assert_int_equal(answer.status, told.reads >= told.fails ? 503 : otherwise);
        assert_true(told.fails < READS_MOST);
    } while (answer.status == 503);
    assert_int_equal(told.fails, 3); /* who waits for it, and whether there is one */
}

static void test_a_failed_read_is_no_missing_payment(void **state)
{
    struct world world, *w = &world;
    struct arena arena;
    (void)state;
    world_open(w);
    confirm_while_the_nth_read_fails(w, 404);
    arena_init(&arena, (size_t)1 << 20);
    put_payment(w, &arena, VIEW_EMPTY);
    arena_reset(&arena);
    told.fails = 0;
    confirm_while_the_nth_read_fails(w, 409);
    world_close(w);
}

/* --- a cancel ----------------------------------------------------------------------------------
 */

static void on_reviewed(void *arg, enum status status, struct view text)
{
    (void)text;
    assert_int_equal(status, STATUS_OK);
    *(bool *)arg = true;
}

/* The cancel has read the payment; before its commit the operator's word is recorded. */
static void cancel_meets(struct world *w, enum review_word word, struct answer *answer)
{
    bool reviewed = false;
    const struct review review = {
        .payment = PAYMENT, .word = word, .by = VIEW("ops"), .why = VIEW("looked at")
    };
    told.keep = true;
    submit(w, false, "cancel", answer);
    while (told.kept == NULL)
        assert_true(loop_step(w->loop, INT64_MAX));
    payments_review(w->room, &review, on_reviewed, &reviewed);
    while (!reviewed)
        assert_true(loop_step(w->loop, INT64_MAX));
    let_commit(w->store);
    answered(w, answer);
}

static void repeat_is_the_same(struct world *w, const struct answer *first)
{
    struct answer again;
    assert_false(first->replayed);
    submit(w, false, "cancel", &again);
    answered(w, &again);
    assert_true(again.replayed);
    assert_int_equal(again.status, first->status);
    assert_string_equal(again.body, first->body);
}

static void test_a_cancel_that_comes_after_the_word_keeps_its_answer(void **state)
{
    struct world world, *w = &world;
    struct answer answer;
    (void)state;
    world_open(w);
    put_held(w, false);
    cancel_meets(w, REVIEW_REJECT, &answer);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(answer.body, "\"code\":\"wrong_status\"")); /* nothing runs: it failed */
    repeat_is_the_same(w, &answer);
    world_close(w);
}

static void test_a_cancel_takes_what_waits_for_the_payer_by_now(void **state)
{
    struct world world, *w = &world;
    struct answer answer;
    (void)state;
    world_open(w);
    put_held(w, true);
    cancel_meets(w, REVIEW_APPROVE, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "\"status\":\"canceled\""));
    repeat_is_the_same(w, &answer);
    world_close(w);
}

/* --- a late answer -----------------------------------------------------------------------------
 */

static void put_attempt(struct world *w, enum attempt_state state)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    put_payment(w, &arena, VIEW_EMPTY);
    struct store_txn txn = { .arena = &arena,
                             .attempt = { .id = ATTEMPT,
                                          .payment = PAYMENT,
                                          .operation = FIRST,
                                          .merchant = MERCHANT,
                                          .verb = OPERATION_SALE,
                                          .state = state,
                                          .currency = "EUR",
                                          .amount = AMOUNT,
                                          .channel = VIEW("bank"),
                                          .tries = 1,
                                          .created_us = START_US,
                                          .updated_us = START_US },
                             .write_attempt = STORE_INSERT };
    put(w, &txn);
    arena_reset(&arena);
}

static enum status late_approval(struct world *w)
{
    static const struct channel_settings settings = { .name = "bank" };
    static struct channel channel = { .settings = &settings };
    const struct currency *euro = NULL;
    uint8_t refs[64];
    struct writer said = writer_over(refs, sizeof refs);
    refs_put(&said, VIEW("stan"), VIEW("000123"), 0);
    refs_put(&said, VIEW("track"), VIEW("not to be seen"), REF_SENSITIVE);
    assert_int_equal(currency_by_code(VIEW("EUR"), &euro), STATUS_OK);
    const struct exchange_command asked = { .operation = OPERATION_SALE,
                                            .attempt_id = ATTEMPT,
                                            .payment_id = PAYMENT,
                                            .amount_minor = AMOUNT,
                                            .currency = euro };
    const struct exchange_result result = { .outcome = OUTCOME_APPROVED,
                                            .amount_minor = AMOUNT,
                                            .rail_code = VIEW("ACSC"),
                                            .reference = VIEW("BANK-77"),
                                            .refs = writer_done(&said) };
    return payments_late_answer(w->room, &channel, &asked, &result);
}

static void for_a_minute(struct world *w)
{
    int64_t until_us = loop_now_us(w->loop) + 60 * LOOP_US_PER_S;
    while (loop_step(w->loop, until_us))
        ;
}

static uint64_t conflicts(struct world *w)
{
    struct payments_stats stats;
    payments_stats(w->room, &stats);
    return stats.conflicts;
}

static void test_a_late_answer_is_kept_until_it_is_recorded(void **state)
{
    struct world world, *w = &world;
    (void)state;
    world_open(w);
    put_attempt(w, ATTEMPT_REVERSED);
    told.commits_fail = 5;
    assert_int_equal(late_approval(w), STATUS_OK);
    assert_int_equal(payments_lates(w->room), 1);
    for_a_minute(w);
    assert_int_equal(told.commits_fail, 0);
    assert_int_equal(payments_lates(w->room), 0);
    assert_int_equal(conflicts(w), 1);
    assert_int_equal(late_approval(w), STATUS_OK); /* what is a conflict already is none again */
    for_a_minute(w);
    assert_int_equal(conflicts(w), 1);
    world_close(w);
}

static void test_without_memory_a_late_answer_is_not_taken(void **state)
{
    struct world world, *w = &world;
    (void)state;
    world_open(w);
    put_attempt(w, ATTEMPT_REVERSED);
    size_t before = vault_in_use();
    enum status status;
    told.commits_refused = true; /* the room's own memory, not the store's */
    do {
        told.allocations = 0;
        told.allocation_fails++;
        status = late_approval(w);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(payments_lates(w->room), 0);
            assert_int_equal(vault_in_use(), before);
        }
        assert_true(told.allocation_fails < 100);
    } while (status != STATUS_OK);
    assert_in_range(told.allocation_fails, 3, 99); /* its place and what it said */
    assert_true(told.allocations < told.allocation_fails);
    told.allocation_fails = 0;
    told.commits_refused = false;
    for_a_minute(w);
    assert_int_equal(conflicts(w), 1);
    world_close(w);
}

/* What was logged, in one piece. */
static const char *log_of(struct world *w, char *text, size_t size)
{
    ssize_t got = pread(w->log.fd, text, size - 1, 0);
    assert_in_range(got, 0, size - 2);
    text[got] = '\0';
    return text;
}

/* It waits to be recorded, and commits fail; what is logged goes into the file (to be closed). */
static FILE *world_with_a_late_answer(struct world *w)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    world_open(w);
    w->log.fd = fileno(file);
    put_attempt(w, ATTEMPT_REVERSED);
    told.commits_refused = true;
    assert_int_equal(late_approval(w), STATUS_OK);
    return file;
}

static void test_a_stop_records_what_waits(void **state)
{
    struct world world, *w = &world;
    char text[16384];
    (void)state;
    FILE *file = world_with_a_late_answer(w);
    assert_int_equal(payments_lates(w->room), 1);
    told.commits_refused = false;
    payments_stop(w->room); /* before a second is over */
    store_close(w->store);
    assert_int_equal(payments_lates(w->room), 0);
    assert_int_equal(conflicts(w), 1);
    assert_non_null(strstr(log_of(w, text, sizeof text), "payment.conflict"));
    assert_null(strstr(text, "late_answer_lost"));
    assert_int_equal(late_approval(w), STATUS_BUSY); /* nobody would record it */
    payments_close(w->room);
    secrets_close(w->secrets);
    store_keeper_close(w->keeper);
    loop_close(w->loop);
    (void)fclose(file);
}

static void test_what_a_stop_cannot_record_is_logged(void **state)
{
    struct world world, *w = &world;
    char text[16384];
    (void)state;
    FILE *file = world_with_a_late_answer(w);
    world_close(w);
    const char *line = strstr(log_of(w, text, sizeof text), "\"id\":\"payment.late_answer_lost\"");
    assert_non_null(line);
    static const char *const facts[] = {
        "\"channel\":\"bank\"",
        "\"payment\":\"pay_",
        "\"attempt\":\"att_",
        "\"operation\":\"sale\"",
        "\"asked_amount\":10000",
        "\"currency\":\"EUR\"",
        "\"outcome\":\"approved\"",
        "\"amount\":10000",
        "\"code\":\"ACSC\"",
        "\"reference\":\"BANK-77\"",
        "stan=000123",
    };
    for (size_t i = 0; i < COUNT_OF(facts); i++)
        if (strstr(line, facts[i]) == NULL)
            fail_msg("%s is not in %s", facts[i], line);
    assert_null(strstr(text, "not to be seen"));
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_read_is_no_missing_payment),
        cmocka_unit_test(test_a_cancel_that_comes_after_the_word_keeps_its_answer),
        cmocka_unit_test(test_a_cancel_takes_what_waits_for_the_payer_by_now),
        cmocka_unit_test(test_a_late_answer_is_kept_until_it_is_recorded),
        cmocka_unit_test(test_without_memory_a_late_answer_is_not_taken),
        cmocka_unit_test(test_a_stop_records_what_waits),
        cmocka_unit_test(test_what_a_stop_cannot_record_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
