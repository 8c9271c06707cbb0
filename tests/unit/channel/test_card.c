/* test_card.c - the channel room, the real card adapter and the card host's brain, over the
 * in-memory network on virtual time: signing on, MACs, a key change, and what the books say
 * afterwards. Contains test card numbers from published ranges. Keys are the simulator's published
 * test keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vault.h"
#include "card/card_host.h"
#include "channel/channel.h"
#include "channel/follow.h"
#include "wire/memory.h"

#include <railgate/adapter.h>

#define START_WALL 1795352400000000 /* 2026-11-22T13:00:00Z */
#define LINKS_MAX  32
#define TERMINAL   "TERM0001"

struct world {
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct log log;
    struct settings settings;
    struct channel_settings channel_settings;
    const char *endpoint;
    struct channels *channels;
    struct channel *channel;
    struct card_host *host;
    struct listener *listener;
    struct conn *links[LINKS_MAX + 1]; /* the host's numbers begin with 1 */
    uint64_t links_count;
    struct timer host_timer;
    int late;
    enum outcome late_outcome;
    int64_t attempts;
};

/* --- the card host on the network ---------------------------------------------------------------
 */

static void host_turn(struct world *w)
{
    struct card_action action;
    int64_t now = loop_now_us(w->loop);
    while (card_host_take(w->host, now, &action)) {
        struct conn *conn = w->links[action.link];
        if (conn == NULL)
            continue;
        if (action.kind == CARD_ACTION_SEND)
            assert_int_equal(conn_write(conn, action.bytes), STATUS_OK);
        else if (action.kind == CARD_ACTION_RESET)
            conn_abort(conn);
        else
            conn_close(conn);
    }
    int64_t next = card_host_next_us(w->host);
    if (next != INT64_MAX)
        timer_start(&w->host_timer, next - now);
}

static void host_timed(struct timer *timer, void *arg)
{
    (void)timer;
    host_turn(arg);
}

static uint64_t link_of(struct world *w, const struct conn *conn)
{
    for (uint64_t i = 1; i <= w->links_count; i++)
        if (w->links[i] == conn)
            return i;
    return 0;
}

static void host_bytes(struct conn *conn, void *arg, struct view bytes)
{
    struct world *w = arg;
    card_host_receive(w->host, link_of(w, conn), bytes, loop_now_us(w->loop));
    host_turn(w);
}

static void host_closed(struct conn *conn, void *arg, enum status why)
{
    (void)why;
    struct world *w = arg;
    uint64_t link = link_of(w, conn);
    card_host_link_closed(w->host, link);
    w->links[link] = NULL;
}

static const struct conn_events host_events = { .bytes = host_bytes, .closed = host_closed };

static void host_accept(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener;
    struct world *w = arg;
    assert_true(w->links_count < LINKS_MAX);
    w->links[++w->links_count] = conn;
    assert_int_equal(card_host_link_open(w->host, w->links_count, loop_now_us(w->loop)), STATUS_OK);
    conn_set_events(conn, &host_events, w);
}

/* --- the gateway's side
 * --------------------------------------------------------------------------- */

static void take_traces(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                        void *taken_arg)
{
    (void)arg;
    (void)name;
    taken(taken_arg, 1, count, STATUS_OK);
}

static enum status on_late(void *arg, struct channel *channel, const struct exchange_command *asked,
                           const struct exchange_result *result)
{
    (void)channel;
    (void)asked;
    struct world *w = arg;
    w->late++;
    w->late_outcome = result->outcome;
    return STATUS_OK;
}

static adapter_entry_fn *builtin(void *arg, const char *adapter)
{
    (void)arg;
    (void)adapter;
    return rg_adapter_get;
}

#define RAW(n, t)                                                                                  \
    {                                                                                              \
        .name = (n), .text = (t), .file = "card.yaml"                                              \
    }
static const struct raw_setting raw[] = {
    RAW("packaging", "iso87-bcd"),
    RAW("framing", "len2_tpdu"),
    RAW("terminal_id", TERMINAL),
    RAW("merchant_id", "MERCHANT0000001"),
    RAW("merchant_name_location", "Example Shop, Berlin DE"),
    RAW("merchant_category", "5999"),
    RAW("acquirer_id", "123456"),
    RAW("country", "276"),
    RAW("mac_key", "mac"),
    RAW("zone_key", "zone"),
};

static void run(struct world *w, int64_t ms)
{
    int64_t until = loop_now_us(w->loop) + ms * LOOP_US_PER_MS;
    while (loop_step(w->loop, until)) {
    }
}

static void put_key(struct world *w, const char *name, enum secret_kind kind, const char *hex)
{
    uint8_t bytes[16];
    size_t len = 0;
    assert_int_equal(hex_decode(view_text(hex), bytes, sizeof bytes, &len), STATUS_OK);
    assert_int_equal(secret_put(w->secrets, name, kind, view_of(bytes, len)), STATUS_OK);
}

static void world_open(struct world *w, bool key_change)
{
    *w = (struct world){ .endpoint = "card:1", .log = { .fd = -1 } };
    w->loop = loop_open_virtual(7, START_WALL);
    struct memory_faults faults = { .delay_us_min = 100,
                                    .delay_us_max = 2000,
                                    .cut_per_million = 300000 };
    assert_int_equal(wire_open_memory(&w->wire, w->loop, &faults), STATUS_OK);
    struct card_config config = { .packaging = ISO_BCD,
                                  .framing = FRAMING_LEN2_TPDU,
                                  .seed = 1,
                                  .wall_offset_us = START_WALL - loop_now_us(w->loop) };
    w->host = card_host_open(&config);
    assert_non_null(w->host);
    timer_init(&w->host_timer, w->loop, host_timed, w);
    struct endpoint at;
    assert_int_equal(endpoint_parse(VIEW("card:1"), &at), STATUS_OK);
    struct listen_options listen = { .accept = host_accept, .arg = w };
    assert_int_equal(listen_open(w->wire, &at, &listen, &w->listener), STATUS_OK);
    assert_int_equal(secrets_open(&w->secrets, w->loop), STATUS_OK);
    put_key(w, "zone", SECRET_WRAP_TDES, "0123456789ABCDEFFEDCBA9876543210");
    put_key(w, "mac", SECRET_RETAIL_MAC, "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB");
    w->channel_settings = (struct channel_settings){
        .name = "card",
        .adapter = "/builtin/card.so",
        .sha256 = "",
        .rail = RAIL_CARD,
        .endpoints = { &w->endpoint, 1 },
        .links = 2,
        .tls_ca = "",
        .tls_certificate = "",
        .tls_key = "",
        .tls_server_name = "",
        .connect_timeout_us = LOOP_US_PER_S,
        .echo_every_us = 30 * LOOP_US_PER_S,
        .sign_on = true,
        .key_change = key_change,
        .reversal_max_age_us = 3600 * LOOP_US_PER_S,
        .in_flight_max = 64,
        .circuit_failures = 1000,
        .circuit_open_for_us = LOOP_US_PER_S,
        .deadline_us = 2 * LOOP_US_PER_S,
        .file = "card.yaml",
        .settings = raw,
        .settings_count = sizeof raw / sizeof raw[0],
    };
    w->settings = (struct settings){ .channels = &w->channel_settings, .channels_count = 1 };
    struct channels_options options = { .settings = &w->settings,
                                        .wire = w->wire,
                                        .loop = w->loop,
                                        .secrets = w->secrets,
                                        .log = &w->log,
                                        .take_traces = take_traces,
                                        .late = on_late,
                                        .builtin = builtin,
                                        .arg = w };
    char text[1000] = "";
    struct writer why = writer_over(text, sizeof text - 1);
    assert_int_equal(channels_open(&w->channels, &options, &why), STATUS_OK);
    if (why.len > 0)
        fail_msg("%s", text);
    w->channel = channels_at(w->channels, 0);
    run(w, 200);
    struct channel_health health;
    channel_health(w->channel, &health);
    assert_int_equal(health.links_ready, 2);
}

static void world_close(struct world *w)
{
    assert_int_equal(card_ledger_sums(card_host_ledger(w->host))->booked_more_than_once, 0);
    channels_close(w->channels);
    run(w, 1000);
    timer_stop(&w->host_timer);
    wire_close(w->wire);
    card_host_close(w->host);
    secrets_close(w->secrets);
    loop_close(w->loop);
}

static void host_set(struct world *w, const char *json)
{
    char text[300] = "";
    struct writer why = writer_over(text, sizeof text - 1);
    if (card_host_set(w->host, view_text(json), CARD_KNOBS_REPLACE, loop_now_us(w->loop), &why) !=
        STATUS_OK)
        fail_msg("%s", text);
}

/* --- one attempt
 * ------------------------------------------------------------------------------------ */

struct attempt {
    struct exchange_command command;
    uint8_t details[256], refs[2048];
    size_t refs_len;
    int done;
    struct exchange_result result;
    char diagnosis[257];
};

static void keep_refs(struct attempt *a, struct view set)
{
    assert_true(set.len <= sizeof a->refs - a->refs_len);
    if (set.len > 0)
        memcpy(a->refs + a->refs_len, set.ptr, set.len);
    a->refs_len += set.len;
}

static void on_done(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    struct attempt *a = arg;
    a->done++;
    a->result = *result;
    assert_true(result->diagnosis.len < sizeof a->diagnosis);
    if (result->diagnosis.len > 0)
        memcpy(a->diagnosis, result->diagnosis.ptr, result->diagnosis.len);
    keep_refs(a, result->refs);
    exchange_drop(exchange);
}

/* original: NULL for a first operation. */
static void attempt_start(struct world *w, struct attempt *a, enum operation operation,
                          int64_t amount_minor, const struct attempt *original)
{
    *a = (struct attempt){ 0 };
    struct writer details = writer_over(a->details, sizeof a->details);
    if (original == NULL) {
        refs_put(&details, VIEW("pan"), VIEW("4111111111111111"), REF_SENSITIVE);
        refs_put(&details, VIEW("expiry"), VIEW("3012"), REF_SENSITIVE);
        refs_put(&details, VIEW("entry"), VIEW("manual"), 0);
    }
    a->command = (struct exchange_command){
        .operation = operation,
        .amount_minor = amount_minor,
        .original_minor = original != NULL ? original->command.amount_minor : 0,
        .time_us = loop_wall_us(w->loop),
        .attempt_id = ++w->attempts,
        .details = writer_done(&details),
        .refs = original != NULL ? view_of(original->refs, original->refs_len) : VIEW_EMPTY,
    };
    assert_int_equal(currency_by_code(VIEW("EUR"), &a->command.currency), STATUS_OK);
    assert_int_equal(channel_trace(w->channel, &a->command.trace), STATUS_OK);
    char text[300] = "";
    struct writer why = writer_over(text, sizeof text - 1);
    struct exchange *exchange = NULL;
    if (exchange_prepare(w->channel, &a->command, &exchange, &why) != STATUS_OK)
        fail_msg("%s", text);
    keep_refs(a, exchange_refs(exchange));
    exchange_start(exchange, 0, on_done, a);
}

static void attempt_run(struct world *w, struct attempt *a, enum operation operation,
                        int64_t amount_minor, const struct attempt *original)
{
    attempt_start(w, a, operation, amount_minor, original);
    run(w, 2500);
    assert_int_equal(a->done, 1);
}

static int64_t charged(const struct world *w)
{
    return card_ledger_sums(card_host_ledger(w->host))->charged_minor;
}

static int64_t held(const struct world *w)
{
    return card_ledger_sums(card_host_ledger(w->host))->held_minor;
}

/* --- stories
 * ---------------------------------------------------------------------------------------- */

static void test_life_of_a_payment(void **state)
{
    (void)state;
    size_t vault_before = vault_in_use();
    for (int key_change = 0; key_change < 2; key_change++) {
        struct world w;
        struct attempt hold, first, second, cancel, sale, refund;
        world_open(&w, key_change == 1);
        attempt_run(&w, &hold, OPERATION_AUTHORISE, 10000, NULL);
        if (hold.result.outcome != OUTCOME_APPROVED)
            fail_msg("%s %s", outcome_word(hold.result.outcome), hold.diagnosis);
        assert_int_equal(held(&w), 10000);
        attempt_run(&w, &first, OPERATION_CAPTURE, 3000, &hold);
        assert_int_equal(first.result.outcome, OUTCOME_APPROVED);
        attempt_run(&w, &second, OPERATION_CAPTURE, 2000, &hold);
        assert_int_equal(second.result.outcome, OUTCOME_APPROVED);
        assert_int_equal(charged(&w), 5000);
        attempt_run(&w, &cancel, OPERATION_CANCEL, 5000, &hold);
        assert_int_equal(cancel.result.outcome, OUTCOME_APPROVED);
        assert_int_equal(held(&w), 0);
        attempt_run(&w, &sale, OPERATION_SALE, 700, NULL);
        assert_int_equal(sale.result.outcome, OUTCOME_APPROVED);
        attempt_run(&w, &refund, OPERATION_REFUND, 300, &sale);
        assert_int_equal(refund.result.outcome, OUTCOME_APPROVED);
        assert_int_equal(charged(&w), 5000 + 400);
        world_close(&w);
    }
    assert_int_equal(vault_in_use(), vault_before);
}

static void test_answers_by_amount(void **state)
{
    (void)state;
    struct world w;
    struct attempt a;
    world_open(&w, true);
    attempt_run(&w, &a, OPERATION_SALE, 9051, NULL);
    assert_int_equal(a.result.outcome, OUTCOME_DECLINED);
    assert_int_equal(a.result.category, CATEGORY_FUNDS);
    attempt_run(&w, &a, OPERATION_SALE, 9010, NULL);
    assert_int_equal(a.result.outcome, OUTCOME_APPROVED);
    assert_int_equal(a.result.amount_minor, 4505);
    attempt_run(&w, &a, OPERATION_SALE, 9105, NULL); /* the answer names another amount */
    assert_int_equal(a.result.outcome, OUTCOME_UNKNOWN);
    assert_true(a.result.conflict);
    world_close(&w);
}

static void test_lost_answer_is_reversed(void **state)
{
    (void)state;
    struct world w;
    struct attempt a, undo;
    world_open(&w, true);
    host_set(&w, "{\"faults\":[{\"fault\":\"drop_after_booking\",\"mti\":\"0200\",\"next\":1}]}");
    attempt_run(&w, &a, OPERATION_SALE, 1500, NULL);
    assert_int_equal(a.result.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(charged(&w), 1500); /* it was booked */
    struct channel_ability able;
    channel_ability(w.channel, OPERATION_SALE, &able);
    struct follow_facts facts = { .verb = OPERATION_SALE,
                                  .outcome = a.result.outcome,
                                  .can_inquire = able.inquire,
                                  .can_repeat = able.repeat,
                                  .can_reverse = able.reverse,
                                  .tries = 1 };
    const char *reason;
    assert_int_equal(follow_attempt(&facts, &reason), FOLLOW_REVERSE);
    /* From what was recorded before the bytes left, and nothing else. */
    attempt_run(&w, &undo, OPERATION_REVERSE, 1500, &a);
    assert_int_equal(undo.result.outcome, OUTCOME_APPROVED);
    assert_int_equal(charged(&w), 0);
    world_close(&w);
}

static void test_reversal_of_what_never_arrived(void **state)
{
    (void)state;
    struct world w;
    struct attempt a, undo;
    world_open(&w, false);
    host_set(&w, "{\"faults\":[{\"fault\":\"drop_before_booking\",\"mti\":\"0200\",\"next\":1}]}");
    attempt_run(&w, &a, OPERATION_SALE, 1500, NULL);
    assert_int_equal(a.result.outcome, OUTCOME_UNKNOWN);
    attempt_run(&w, &undo, OPERATION_REVERSE, 1500, &a);
    assert_int_equal(undo.result.outcome, OUTCOME_NOT_FOUND);
    assert_int_equal(charged(&w), 0);
    world_close(&w);
}

static void test_late_answer(void **state)
{
    (void)state;
    struct world w;
    struct attempt a;
    world_open(&w, true);
    host_set(&w, "{\"settings\":{\"late_ms\":10000},"
                 "\"faults\":[{\"fault\":\"late\",\"mti\":\"0200\",\"next\":1}]}");
    attempt_run(&w, &a, OPERATION_SALE, 1500, NULL);
    assert_int_equal(a.result.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(w.late, 0);
    run(&w, 10000);
    assert_int_equal(w.late, 1);
    assert_int_equal(w.late_outcome, OUTCOME_APPROVED);
    assert_int_equal(a.done, 1);
    world_close(&w);
}

static void test_key_change_under_load(void **state)
{
    (void)state;
    static struct attempt a[40];
    struct world w;
    world_open(&w, true);
    for (size_t i = 0; i < 40; i++) {
        attempt_start(&w, &a[i], OPERATION_SALE, 100, NULL);
        run(&w, 1);
        if (i % 10 == 5) {
            assert_int_equal(card_host_send(w.host, VIEW("101"), 0, loop_now_us(w.loop)),
                             STATUS_OK);
            host_turn(&w);
        }
    }
    run(&w, 3000);
    for (size_t i = 0; i < 40; i++) {
        if (a[i].result.outcome != OUTCOME_APPROVED)
            fail_msg("%zu: %s %s", i, outcome_word(a[i].result.outcome), a[i].diagnosis);
    }
    assert_int_equal(charged(&w), 4000);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_payment),
        cmocka_unit_test(test_answers_by_amount),
        cmocka_unit_test(test_lost_answer_is_reversed),
        cmocka_unit_test(test_reversal_of_what_never_arrived),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_key_change_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
