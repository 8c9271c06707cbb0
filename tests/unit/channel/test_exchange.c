/* test_exchange.c - the life of an exchange: sent or not sent, in time or late, once or twice. */
#include "channel_fixture.h"

#include "base/vault.h"
#include "channel/channel_int.h"
#include "domain/refs.h"
#include "tiny_adapter.h"

#include <stdio.h>
#include <unistd.h>

/* There is no memory while an answer is judged. */
static struct {
    bool without, now;
} memory;

void *__real_vault_alloc(size_t size);
void *__wrap_vault_alloc(size_t size);
void __real_judge_done(struct exchange *exchange);
void __wrap_judge_done(struct exchange *exchange);

void *__wrap_vault_alloc(size_t size)
{
    return memory.now ? NULL : __real_vault_alloc(size);
}

void __wrap_judge_done(struct exchange *exchange)
{
    memory.now = memory.without;
    __real_judge_done(exchange);
    memory.now = false;
}

static const struct raw_setting raw[] = {
    { .name = "terminal", .text = "T1", .file = "f", .line = 1, .column = 1 },
};
#define PLAN(...) (&(struct fixture_plan){ .raw = raw, .raw_count = 1, __VA_ARGS__ })

static void open_ready(struct fixture *f, const struct fixture_plan *plan)
{
    assert_true(fixture_open(f, plan));
    f_until_ready(f);
}

static void test_approved(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.sign_on = true));
    assert_int_equal(f.sign_ons, 1);
    struct call *c;
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 1234, ""), STATUS_OK);
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 0); /* nothing leaves before start */
    struct view refs = exchange_refs(c->exchange);
    assert_int_equal(refs_check(refs), STATUS_OK);
    assert_true(view_is(refs_find(refs, "trace"), "500000"));
    f_start(c);
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 1);
    assert_string_equal(f.frames[0].text, "Q015000000000000012340");
    assert_int_equal(f_health(&f).in_flight, 1);
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    assert_int_equal(c->result.category, CATEGORY_NONE);
    assert_int_equal(c->result.amount_minor, 1234);
    assert_string_equal(c->code, "00");
    assert_string_equal(c->reference, "REF1");
    assert_true(view_is(refs_find(view_of(c->refs, c->refs_len), "approval"), "123456"));
    assert_true(view_is(refs_find(view_of(c->extra, c->extra_len), "approval_code"), "123456"));
    struct channel_health h = f_health(&f);
    assert_int_equal(h.in_flight, 0);
    assert_int_equal(h.sent, 1);
    assert_int_equal(h.approved, 1);
    assert_string_equal(h.state, "ready");
    fixture_close(&f);
    assert_int_equal(f.sign_offs, 1);
}

static void test_second_copy_of_an_answer_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    f_answer(&f, 0, "A");
    f_answer(&f, 0, "D");
    f_run(&f, 5);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    assert_int_equal(f_health(&f).unmatched, 1);
    assert_int_equal(f.late_count, 0);
    fixture_close(&f);
}

static void test_deadline_then_late_answer(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5); /* buffers of both ends have their size after one exchange */
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    f.frames_count = 0;
    size_t vault_before = vault_in_use();
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 999);
    assert_int_equal(c->done, 0);
    f_run(&f, 2);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_UNKNOWN);
    assert_string_equal(c->diagnosis, "no answer came in time");
    f_run(&f, 1000);
    f_answer(&f, 0, "A"); /* its owner has dropped it long ago */
    f_run(&f, 5);
    assert_int_equal(c->done, 1);
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f.late[0].attempt_id, 1002);
    assert_int_equal(f.late[0].operation, OPERATION_AUTHORISE);
    assert_int_equal(f.late[0].outcome, OUTCOME_APPROVED);
    assert_true(f.late[0].late);
    f_answer(&f, 0, "A"); /* and once only */
    f_run(&f, 5);
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f_health(&f).unmatched, 1);
    assert_int_equal(f_health(&f).late, 1);
    assert_int_equal(vault_in_use(), vault_before); /* nothing of it is kept */
    fixture_close(&f);
}

static void test_after_the_window_an_answer_is_unmatched(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    c->keep = true;  /* held by its owner all the time */
    f_run(&f, 6100); /* deadline 1 s, window 5 s */
    assert_int_equal(c->done, 1);
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(f.late_count, 0);
    assert_int_equal(f_health(&f).unmatched, 1);
    fixture_close(&f);
}

static void test_late_answer_while_the_owner_still_holds_it(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    c->keep = true;
    f_run(&f, 1100);
    f_answer(&f, 0, "D");
    f_run(&f, 5);
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f.late[0].outcome, OUTCOME_DECLINED);
    fixture_close(&f);
}

static void late_and_untold(struct fixture *f, unsigned refused)
{
    f->late_refused = refused;
    (void)f_call(f, OPERATION_AUTHORISE, 100, "");
    f_run(f, 1100);
    f_answer(f, f->frames_count - 1, "A");
    f_run(f, 5);
    assert_int_equal(f->late_count, 0);
    assert_int_equal(f_health(f).late, 1);
}

/* Nobody says it again, so it waits; also when its window is over by then. */
static void test_a_late_answer_waits_until_it_is_taken(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    late_and_untold(&f, 7);
    assert_int_equal(channels_untold(f.channels), 1);
    f_run(&f, 6500);
    assert_int_equal(f.late_count, 0);
    f_answer(&f, 0, "D"); /* another copy, that says something else: nobody waits for it */
    f_run(&f, 1000);
    assert_int_equal(f_health(&f).unmatched, 1);
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f.late[0].outcome, OUTCOME_APPROVED);
    assert_true(f.late[0].late);
    assert_int_equal(channels_untold(f.channels), 0);
    f_run(&f, 10000);
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f_health(&f).late, 1);
    fixture_close(&f);
}

static void assert_lost(FILE *log, const char *why)
{
    char text[16384];
    ssize_t got = pread(fileno(log), text, sizeof text - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    static const char id[] = "\"id\":\"channel.late_reply_lost\"";
    const char *line = strstr(text, id);
    assert_non_null(line);
    assert_null(strstr(line + 1, id)); /* once */
    assert_non_null(strstr(line, why));
    assert_non_null(strstr(line, "\"attempt\":\"att_"));
    assert_non_null(strstr(line, "\"asked_amount\":100,"));
    assert_non_null(strstr(line, "\"outcome\":\"approved\""));
    assert_non_null(strstr(line, "\"reference\":\"REF1\""));
}

static void test_a_late_answer_that_nobody_took_is_logged(void **state)
{
    (void)state;
    struct fixture f;
    FILE *log = tmpfile();
    assert_non_null(log);
    open_ready(&f, PLAN(0));
    f.log.fd = fileno(log);
    late_and_untold(&f, 1000);
    fixture_close(&f);
    assert_lost(log, "the gateway ended");
    (void)fclose(log);
}

static void test_a_late_answer_for_which_there_is_no_place_is_logged(void **state)
{
    (void)state;
    struct fixture f;
    FILE *log = tmpfile();
    assert_non_null(log);
    open_ready(&f, PLAN(0));
    f.channel->late_max = 1;
    f.log.fd = fileno(log);
    late_and_untold(&f, 1000);
    (void)f_call(&f, OPERATION_AUTHORISE, 200, "");
    f_run(&f, 1100);
    assert_lost(log, "too many late answers");
    f.late_refused = 0;
    f_run(&f, 2000);
    assert_int_equal(f.late_count, 0); /* it is told to people, and not once more */
    fixture_close(&f);
    (void)fclose(log);
}

static void test_a_late_answer_that_cannot_be_read_names_its_attempt(void **state)
{
    (void)state;
    struct fixture f;
    char text[16384];
    FILE *log = tmpfile();
    assert_non_null(log);
    open_ready(&f, PLAN(0));
    f.log.fd = fileno(log);
    (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 1100);
    f_answer(&f, 0, "?");
    f_run(&f, 5);
    assert_int_equal(f_health(&f).unmatched, 1);
    fixture_close(&f);
    ssize_t got = pread(fileno(log), text, sizeof text - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    const char *line = strstr(text, "\"id\":\"channel.late_reply_unreadable\"");
    assert_non_null(line);
    assert_non_null(strstr(line, "\"attempt\":\"att_"));
    (void)fclose(log);
}

/* There is no memory for its texts; what it says of money is kept. */
static void test_a_late_answer_needs_no_memory_to_be_read(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 1100);
    assert_int_equal(c->result.outcome, OUTCOME_UNKNOWN);
    f_answer(&f, 0, "A");
    memory.without = true;
    f_run(&f, 5);
    memory.without = false;
    assert_int_equal(f.late_count, 1);
    assert_int_equal(f.late[0].outcome, OUTCOME_APPROVED);
    fixture_close(&f);
}

static void test_dropped_in_flight_its_answer_is_late(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    exchange_drop(c->exchange);
    c->exchange = NULL;
    assert_int_equal(f_health(&f).in_flight, 0);
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(c->done, 0);
    assert_int_equal(f.late_count, 1);
    fixture_close(&f);
}

static void test_no_link_is_not_sent(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.no_listener = true)));
    f_run(&f, 100);
    assert_false(channel_ready(f.channel));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 990);
    assert_int_equal(c->done, 0); /* waits a little for a link */
    f_run(&f, 20);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_NOT_SENT);
    assert_string_equal(c->diagnosis, "no link of the channel became ready in time");
    fixture_close(&f);
}

static void test_waits_for_the_link_to_come_up(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.sign_on = true)));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, ""); /* before anything is connected */
    f_run(&f, 50);
    assert_int_equal(f.frames_count, 1);
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    fixture_close(&f);
}

static void test_dropped_while_waiting(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.no_listener = true)));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    exchange_drop(c->exchange);
    c->exchange = NULL;
    f_run(&f, 3000);
    assert_int_equal(c->done, 0);
    assert_int_equal(f_health(&f).in_flight, 0);
    fixture_close(&f);
}

static void test_link_breaks_in_flight(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct call *a = f_call(&f, OPERATION_AUTHORISE, 100, "");
    struct call *b = f_call(&f, OPERATION_CAPTURE, 100, "");
    f_run(&f, 5);
    conn_abort(f.sides[0]);
    f_run(&f, 5);
    assert_int_equal(a->done, 1);
    assert_int_equal(a->result.outcome, OUTCOME_UNKNOWN);
    assert_string_equal(a->diagnosis, "the link broke before an answer came");
    assert_int_equal(b->result.outcome, OUTCOME_UNKNOWN);
    f_until_ready(&f); /* comes back by itself */
    assert_int_equal(f.sides_count, 2);
    f.frames[0].side = 1; /* the other side answers on the new connection */
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(f.late_count, 1);
    fixture_close(&f);
}

static void test_taken_bytes_are_sent_even_if_nothing_left(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    conn_abort(f.sides[0]); /* the reset is on its way; this side does not know yet */
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 100);
    assert_int_equal(f.frames_count, 0); /* in truth nothing arrived */
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_UNKNOWN); /* but who could have known */
    fixture_close(&f);
}

static void test_in_flight_has_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.in_flight_max = 2));
    struct call *a = f_call(&f, OPERATION_AUTHORISE, 100, "");
    (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    assert_false(channel_ready(f.channel));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    assert_int_equal(c->result.outcome, OUTCOME_NOT_SENT);
    assert_int_equal(f.frames_count, 2);
    f_answer(&f, 0, "A");
    f_run(&f, 5);
    assert_int_equal(a->done, 1);
    assert_true(channel_ready(f.channel));
    fixture_close(&f);
}

static void test_dropped_before_its_not_sent_was_told(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.in_flight_max = 1));
    (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    exchange_drop(c->exchange);
    c->exchange = NULL;
    f_run(&f, 5);
    assert_int_equal(c->done, 0);
    assert_int_equal(f_health(&f).in_flight, 1);
    fixture_close(&f);
}

static enum status prepare_with(struct fixture *f, const struct exchange_command *base,
                                struct exchange **out)
{
    struct writer why = writer_over(f->why, sizeof f->why);
    return exchange_prepare(f->channel, base, out, &why);
}

static void on_second(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    *(enum outcome *)arg = result->outcome;
    exchange_drop(exchange);
}

static void test_a_repeat_takes_the_place_of_the_first(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct exchange_command command = { .operation = OPERATION_CAPTURE,
                                        .amount_minor = 100,
                                        .trace = 77,
                                        .time_us = START_WALL,
                                        .attempt_id = 5 };
    assert_int_equal(currency_by_code(VIEW("EUR"), &command.currency), STATUS_OK);
    struct exchange *first = NULL, *second = NULL;
    enum outcome one = 0, two = 0;
    assert_int_equal(prepare_with(&f, &command, &first), STATUS_OK);
    exchange_start(first, 0, on_second, &one);
    f_run(&f, 5);
    command.repeat = 1;
    assert_int_equal(prepare_with(&f, &command, &second), STATUS_BUSY); /* the first is not done */
    f_run(&f, 1000);
    assert_int_equal(one, OUTCOME_UNKNOWN);
    assert_int_equal(prepare_with(&f, &command, &second), STATUS_OK);
    exchange_start(second, 0, on_second, &two);
    f_run(&f, 5);
    assert_int_equal(f.frames_count, 2);
    f_answer(&f, 0, "A"); /* to the first sending, in truth */
    f_run(&f, 5);
    assert_int_equal(two, OUTCOME_APPROVED);
    f_answer(&f, 1, "A");
    f_run(&f, 5);
    assert_int_equal(f.late_count, 0);
    assert_int_equal(f_health(&f).unmatched, 1);
    /* Another attempt with that trace number must wait. */
    command.repeat = 0;
    assert_int_equal(prepare_with(&f, &command, &first), STATUS_OK);
    exchange_start(first, 0, on_second, &one);
    f_run(&f, 1100);
    command.attempt_id = 6;
    assert_int_equal(prepare_with(&f, &command, &second), STATUS_BUSY);
    fixture_close(&f);
}

static void test_what_the_adapter_cannot(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(0));
    struct exchange_command command = { .operation = OPERATION_AUTHORISE,
                                        .amount_minor = 1000000000000, /* field is 12 digits */
                                        .trace = 77,
                                        .attempt_id = 5 };
    struct exchange *x = NULL;
    assert_int_equal(currency_by_code(VIEW("EUR"), &command.currency), STATUS_OK);
    assert_int_equal(prepare_with(&f, &command, &x), STATUS_UNSUPPORTED);
    command.amount_minor = 1;
    command.operation = OPERATION_REFUND; /* has no row */
    assert_int_equal(prepare_with(&f, &command, &x), STATUS_UNSUPPORTED);
    command.operation = OPERATION_ECHO; /* is the link's */
    assert_int_equal(prepare_with(&f, &command, &x), STATUS_UNSUPPORTED);
    command.operation = OPERATION_AUTHORISE;
    command.repeat = 1; /* is not repeatable */
    assert_int_equal(prepare_with(&f, &command, &x), STATUS_UNSUPPORTED);
    command.repeat = 0;
    assert_int_equal(currency_by_code(VIEW("JPY"), &command.currency), STATUS_OK);
    assert_int_equal(prepare_with(&f, &command, &x), STATUS_UNSUPPORTED);
    assert_null(x);
    fixture_close(&f);
}

static void test_local_adapter(void **state)
{
    (void)state;
    struct fixture f;
    assert_true(fixture_open(&f, PLAN(.entry = tiny_local_adapter)));
    assert_true(channel_ready(f.channel));
    struct call *c = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 1);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.outcome, OUTCOME_APPROVED);
    assert_int_equal(c->result.amount_minor, 100);
    fixture_close(&f);
}

static void test_circuit_opens_and_probes(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.circuit_failures = 2));
    for (int i = 0; i < 2; i++) {
        (void)f_call(&f, OPERATION_AUTHORISE, 100, "");
        f_run(&f, 1100);
    }
    assert_true(f_health(&f).circuit_open);
    assert_string_equal(f_health(&f).state, "circuit_open");
    assert_false(channel_ready(f.channel));
    f_run(&f, 10000);
    assert_true(channel_ready(f.channel));
    struct call *probe = f_call(&f, OPERATION_AUTHORISE, 100, "");
    f_run(&f, 5);
    assert_false(channel_ready(f.channel)); /* one probe is enough */
    f_answer(&f, 2, "D");                   /* a decline is an answer */
    f_run(&f, 5);
    assert_int_equal(probe->result.outcome, OUTCOME_DECLINED);
    assert_true(channel_ready(f.channel));
    assert_false(f_health(&f).circuit_open);
    fixture_close(&f);
}

static void answered_with(struct fixture *f, const char *answer, bool conflict)
{
    struct call *c = f_call(f, OPERATION_AUTHORISE, 100, "");
    f_run(f, 5);
    f_answer(f, f->frames_count - 1, answer);
    f_run(f, 5);
    assert_int_equal(c->done, 1);
    assert_int_equal(c->result.conflict, conflict);
}

/* A contradiction now and then is for a person; a channel that says nothing else gets no payment.
 */
static void test_contradictions_in_a_row_open_the_circuit(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.circuit_failures = 3));
    for (int i = 0; i < 10; i++) {
        answered_with(&f, "d999", true);
        answered_with(&f, "c840", true);
        assert_true(channel_ready(f.channel));
        answered_with(&f, i % 2 == 0 ? "A" : "D", false);
    }
    for (int i = 0; i < 3; i++) {
        assert_false(f_health(&f).circuit_open);
        answered_with(&f, "a1001", true);
    }
    assert_true(f_health(&f).circuit_open);
    assert_false(channel_ready(f.channel));
    f_run(&f, 10000);
    assert_true(channel_ready(f.channel));
    answered_with(&f, "a1001", true); /* it has not changed */
    assert_false(channel_ready(f.channel));
    f_run(&f, 10000);
    answered_with(&f, "A", false);
    assert_true(channel_ready(f.channel));
    assert_false(f_health(&f).circuit_open);
    fixture_close(&f);
}

static void test_closing_with_everything_open(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.in_flight_max = 3));
    struct call *c;
    assert_int_equal(f_prepare(&f, &c, OPERATION_AUTHORISE, 1, ""), STATUS_OK); /* prepared */
    c->exchange = NULL;
    for (int i = 0; i < 4; i++) /* three sent, one with its end queued */
        f_call(&f, OPERATION_AUTHORISE, 100, "")->exchange = NULL;
    fixture_close(&f); /* and nothing is left in the vault */
}

static void test_abandon(void **state)
{
    (void)state;
    struct fixture f;
    open_ready(&f, PLAN(.sign_on = true));
    for (int i = 0; i < 3; i++)
        f_call(&f, OPERATION_AUTHORISE, 100, "")->exchange = NULL;
    f_run(&f, 5);
    wire_crash(f.wire, &f);
    timer_stop(&f.trace_timer);
    f.taken = NULL;
    channels_abandon(f.channels);
    f.channels = NULL;
    f_run(&f, 10);
    assert_null(f.sides[0]); /* the other side saw a reset */
    assert_int_equal(f.sign_offs, 0);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approved),
        cmocka_unit_test(test_second_copy_of_an_answer_changes_nothing),
        cmocka_unit_test(test_deadline_then_late_answer),
        cmocka_unit_test(test_after_the_window_an_answer_is_unmatched),
        cmocka_unit_test(test_late_answer_while_the_owner_still_holds_it),
        cmocka_unit_test(test_a_late_answer_waits_until_it_is_taken),
        cmocka_unit_test(test_a_late_answer_that_nobody_took_is_logged),
        cmocka_unit_test(test_a_late_answer_for_which_there_is_no_place_is_logged),
        cmocka_unit_test(test_a_late_answer_that_cannot_be_read_names_its_attempt),
        cmocka_unit_test(test_a_late_answer_needs_no_memory_to_be_read),
        cmocka_unit_test(test_dropped_in_flight_its_answer_is_late),
        cmocka_unit_test(test_no_link_is_not_sent),
        cmocka_unit_test(test_waits_for_the_link_to_come_up),
        cmocka_unit_test(test_dropped_while_waiting),
        cmocka_unit_test(test_link_breaks_in_flight),
        cmocka_unit_test(test_taken_bytes_are_sent_even_if_nothing_left),
        cmocka_unit_test(test_in_flight_has_a_limit),
        cmocka_unit_test(test_dropped_before_its_not_sent_was_told),
        cmocka_unit_test(test_a_repeat_takes_the_place_of_the_first),
        cmocka_unit_test(test_what_the_adapter_cannot),
        cmocka_unit_test(test_local_adapter),
        cmocka_unit_test(test_circuit_opens_and_probes),
        cmocka_unit_test(test_contradictions_in_a_row_open_the_circuit),
        cmocka_unit_test(test_closing_with_everything_open),
        cmocka_unit_test(test_abandon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
