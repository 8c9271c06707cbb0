/* channel_fixture.c - see channel_fixture.h. Keys are from published examples: the wrapping key and
 * the wrapped key of RFC 3394, section 4.1; the MAC key of NIST SP 800-38B, appendix D.1. */
#include "channel_fixture.h"

#include "base/ensure.h"
#include "base/vault.h"
#include "domain/refs.h"
#include "tiny_adapter.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t zone_key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t mac_key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                     0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };

/* --- the counterpart ------------------------------------------------------------------------- */

static void side_write(struct fixture *f, size_t side, const char *text, size_t len)
{
    uint8_t bytes[512] = { (uint8_t)(len >> 8), (uint8_t)len };
    ENSURE(len + 2 <= sizeof bytes);
    memcpy(bytes + 2, text, len);
    if (f->sides[side] != NULL)
        IGNORE_STATUS(conn_write(f->sides[side], view_of(bytes, len + 2)));
}

static void answer_link(struct fixture *f, size_t side, const char *frame, int operation)
{
    f->sign_ons += operation == OPERATION_SIGN_ON;
    f->sign_offs += operation == OPERATION_SIGN_OFF;
    f->echoes += operation == OPERATION_ECHO;
    f->key_changes += operation == OPERATION_KEY_CHANGE;
    if (f->mute)
        return;
    char text[64] = "R";
    memcpy(text + 1, frame + 1, 8);
    text[9] = f->link_letter != 0 ? f->link_letter : 'A';
    size_t len = 10;
    if (operation == OPERATION_KEY_CHANGE && f->key_answer != NULL) {
        memcpy(text + 9, f->key_answer, f->key_answer_len);
        len = 9 + f->key_answer_len;
    }
    side_write(f, side, text, len);
}

static void side_frame(struct fixture *f, size_t side, const char *frame, size_t len)
{
    if (frame[0] == 'A') {
        f->acks++;
        return;
    }
    assert_int_equal(frame[0], 'Q');
    int operation = (frame[1] - '0') * 10 + frame[2] - '0';
    if (operation >= OPERATION_SIGN_ON && operation <= OPERATION_TOKEN) {
        answer_link(f, side, frame, operation);
        return;
    }
    assert_true(f->frames_count < FRAMES_MAX && len < sizeof f->frames[0].text);
    struct frame_in *in = &f->frames[f->frames_count++];
    in->side = side;
    in->len = len;
    memcpy(in->text, frame, len);
    in->text[len] = '\0';
}

static void side_bytes(struct conn *conn, void *arg, struct view bytes)
{
    (void)conn;
    struct side_arg *a = arg;
    struct fixture *f = a->f;
    assert_true(bytes.len <= sizeof f->in - f->in_len);
    memcpy(f->in + f->in_len, bytes.ptr, bytes.len);
    f->in_len += bytes.len;
    size_t at = 0;
    while (f->in_len - at >= 2) {
        size_t len = (size_t)f->in[at] << 8 | f->in[at + 1];
        if (f->in_len - at < len + 2)
            break;
        side_frame(f, a->side, (const char *)f->in + at + 2, len);
        at += len + 2;
    }
    memmove(f->in, f->in + at, f->in_len - at);
    f->in_len -= at;
}

static void side_closed(struct conn *conn, void *arg, enum status why)
{
    (void)conn;
    (void)why;
    struct side_arg *a = arg;
    a->f->sides[a->side] = NULL;
}

static const struct conn_events side_events = { .bytes = side_bytes, .closed = side_closed };

static void side_accept(struct listener *listener, void *arg, struct conn *conn)
{
    (void)listener;
    struct fixture *f = arg;
    assert_true(f->sides_count < SIDES_MAX);
    f->side_args[f->sides_count] = (struct side_arg){ f, f->sides_count };
    f->sides[f->sides_count] = conn;
    conn_set_events(conn, &side_events, &f->side_args[f->sides_count]);
    f->sides_count++;
}

void f_listen(struct fixture *f)
{
    struct endpoint at;
    assert_int_equal(endpoint_parse(VIEW("card:1"), &at), STATUS_OK);
    struct listen_options options = { .accept = side_accept, .arg = f };
    assert_int_equal(listen_open(f->wire, &at, &options, &f->listener), STATUS_OK);
}

void f_answer(struct fixture *f, size_t index, const char *letter_and_rest)
{
    assert_true(index < f->frames_count);
    const struct frame_in *in = &f->frames[index];
    char text[128];
    (void)snprintf(text, sizeof text, "R%.8s%s", in->text + 1, letter_and_rest);
    side_write(f, in->side, text, strlen(text));
}

void f_raw(struct fixture *f, const void *bytes, size_t len)
{
    assert_true(f->sides_count > 0 && f->sides[f->sides_count - 1] != NULL);
    assert_int_equal(conn_write(f->sides[f->sides_count - 1], view_of(bytes, len)), STATUS_OK);
}

void f_notice(struct fixture *f, const char *word)
{
    char text[128];
    (void)snprintf(text, sizeof text, "N%s", word);
    side_write(f, f->sides_count - 1, text, strlen(text));
}

/* --- what the channel asks of its owner ------------------------------------------------------ */

static void give_traces(struct timer *timer, void *arg)
{
    (void)timer;
    struct fixture *f = arg;
    trace_taken_fn *taken = f->taken;
    f->taken = NULL;
    uint64_t first = f->trace_next;
    f->trace_next += 1000;
    taken(f->taken_arg, first, 1000, STATUS_OK);
}

static void take_traces(void *arg, const char *name, uint64_t count, trace_taken_fn *taken,
                        void *taken_arg)
{
    struct fixture *f = arg;
    assert_string_equal(name, "trace:card_test");
    assert_int_equal(count, 1000);
    assert_null(f->taken);
    f->taken = taken;
    f->taken_arg = taken_arg;
    f->trace_asked++;
    if (!f->hold_traces)
        timer_start(&f->trace_timer, 100);
}

static enum status on_late(void *arg, struct channel *channel, const struct exchange_command *asked,
                           const struct exchange_result *result)
{
    struct fixture *f = arg;
    assert_ptr_equal(channel, f->channel);
    if (f->late_refused > 0) {
        f->late_refused--;
        return STATUS_NO_MEMORY;
    }
    assert_true(f->late_count < LATE_MAX);
    f->late[f->late_count++] =
        (struct late_call){ asked->attempt_id, asked->operation, result->outcome, result->late };
    return STATUS_OK;
}

static adapter_entry_fn *builtin(void *arg, const char *adapter)
{
    struct fixture *f = arg;
    assert_string_equal(adapter, "/nowhere/tiny.so");
    return f->entry;
}

/* --- open and close -------------------------------------------------------------------------- */

static void fill_settings(struct fixture *f, const struct fixture_plan *plan)
{
    f->endpoints[0] = "card:1";
    f->channel_settings = (struct channel_settings){
        .name = "card_test",
        .adapter = "/nowhere/tiny.so",
        .sha256 = "",
        .rail = RAIL_CARD,
        .endpoints = { f->endpoints, 1 },
        .links = plan->links != 0 ? plan->links : 1,
        .tls_ca = "",
        .tls_certificate = "",
        .tls_key = "",
        .tls_server_name = "",
        .connect_timeout_us = LOOP_US_PER_S,
        .echo_every_us = plan->echo_every_us,
        .sign_on = plan->sign_on,
        .key_change = plan->key_change,
        .reversal_max_age_us = 3600 * LOOP_US_PER_S,
        .in_flight_max = plan->in_flight_max != 0 ? plan->in_flight_max : 16,
        .circuit_failures = plan->circuit_failures != 0 ? plan->circuit_failures : 1000,
        .circuit_open_for_us = 10 * LOOP_US_PER_S,
        .file = "card_test.yaml",
        .settings = plan->raw,
        .settings_count = plan->raw_count,
    };
    f->settings = (struct settings){ .channels = &f->channel_settings, .channels_count = 1 };
}

bool fixture_open(struct fixture *f, const struct fixture_plan *plan)
{
    *f = (struct fixture){ .vault_before = vault_in_use(), .trace_next = 1 };
    f->log = (struct log){ .fd = getenv("CHANNEL_TEST_LOG") != NULL ? 2 : -1, .level = LOG_DEBUG };
    f->entry = plan->entry != NULL ? plan->entry : tiny_adapter;
    f->hold_traces = plan->hold_traces;
    f->loop = loop_open_virtual(42, START_WALL);
    assert_non_null(f->loop);
    struct memory_faults faults = { .delay_us_min = plan->real_delay ? 1000 : 10,
                                    .delay_us_max = plan->real_delay ? 3000 : 10 };
    assert_int_equal(wire_open_memory(&f->wire, f->loop, &faults), STATUS_OK);
    assert_int_equal(secrets_open(&f->secrets, f->loop), STATUS_OK);
    assert_int_equal(secret_put(f->secrets, "zone", SECRET_WRAP_AES, view_of(zone_key, 16)),
                     STATUS_OK);
    assert_int_equal(secret_put(f->secrets, "mac", SECRET_AES_CMAC, view_of(mac_key, 16)),
                     STATUS_OK);
    timer_init(&f->trace_timer, f->loop, give_traces, f);
    fill_settings(f, plan);
    if (!plan->no_listener)
        f_listen(f);
    struct channels_options options = { .settings = &f->settings,
                                        .wire = f->wire,
                                        .loop = f->loop,
                                        .secrets = f->secrets,
                                        .log = &f->log,
                                        .take_traces = take_traces,
                                        .late = on_late,
                                        .builtin = builtin,
                                        .arg = f,
                                        .owner = f };
    struct writer why = writer_over(f->why, sizeof f->why - 1);
    assert_int_equal(channels_open(&f->channels, &options, &why), STATUS_OK);
    f->why[why.len] = '\0';
    f->channel = channels_find(f->channels, VIEW("card_test"));
    return f->channel != NULL;
}

void fixture_close(struct fixture *f)
{
    for (size_t i = 0; i < f->calls_count; i++)
        exchange_drop(f->calls[i].exchange);
    channels_close(f->channels);
    f_run(f, 10000);
    if (f->taken != NULL && !timer_is_armed(&f->trace_timer))
        give_traces(NULL, f); /* after the close: must do no harm */
    timer_stop(&f->trace_timer);
    wire_close(f->wire);
    f_run(f, 1000);
    secrets_close(f->secrets);
    loop_close(f->loop);
    assert_int_equal(vault_in_use(), f->vault_before);
}

void f_run(struct fixture *f, int64_t ms)
{
    int64_t until = loop_now_us(f->loop) + ms * LOOP_US_PER_MS;
    while (loop_step(f->loop, until)) {
    }
}

struct channel_health f_health(struct fixture *f)
{
    struct channel_health health;
    channel_health(f->channel, &health);
    return health;
}

void f_until_ready(struct fixture *f)
{
    for (int i = 0; i < 200; i++) {
        struct channel_health health = f_health(f);
        if (health.links_ready == health.links)
            return;
        f_run(f, 10);
    }
    fail_msg("the channel did not become ready: %s", f_health(f).state);
}

/* --- calls ----------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t room, struct view text)
{
    assert_true(text.len < room);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static void on_done(struct exchange *exchange, void *arg, const struct exchange_result *result)
{
    struct call *c = arg;
    assert_ptr_equal(exchange, c->exchange);
    if (!c->keep) { /* at once: the views must live on until this function returns */
        c->exchange = NULL;
        exchange_drop(exchange);
    }
    c->done++;
    c->result = *result;
    copy_text(c->code, sizeof c->code, result->rail_code);
    copy_text(c->reference, sizeof c->reference, result->reference);
    copy_text(c->diagnosis, sizeof c->diagnosis, result->diagnosis);
    assert_true(result->refs.len <= sizeof c->refs && result->extra.len <= sizeof c->extra);
    if (result->refs.len > 0)
        memcpy(c->refs, result->refs.ptr, result->refs.len);
    if (result->extra.len > 0)
        memcpy(c->extra, result->extra.ptr, result->extra.len);
    c->refs_len = result->refs.len;
    c->extra_len = result->extra.len;
}

enum status f_prepare(struct fixture *f, struct call **out, enum operation operation,
                      int64_t amount_minor, const char *begin)
{
    assert_true(f->calls_count < CALLS_MAX);
    struct call *c = &f->calls[f->calls_count++];
    *c = (struct call){ .f = f };
    *out = c;
    struct writer details = writer_over(c->details, sizeof c->details);
    if (begin[0] != '\0')
        refs_put(&details, VIEW("begin"), view_text(begin), 0);
    refs_put(&details, VIEW("pan"), VIEW("secret"), REF_SENSITIVE);
    struct exchange_command command = {
        .operation = operation,
        .amount_minor = amount_minor,
        .original_minor = amount_minor,
        .trace = 500000 + f->next_trace++,
        .time_us = START_WALL,
        .attempt_id = 1000 + (int64_t)f->calls_count,
        .details = writer_done(&details),
    };
    assert_int_equal(currency_by_code(VIEW("EUR"), &command.currency), STATUS_OK);
    struct writer why = writer_over(f->why, sizeof f->why - 1);
    enum status s = exchange_prepare(f->channel, &command, &c->exchange, &why);
    f->why[why.len] = '\0';
    return s;
}

void f_start(struct call *c)
{
    exchange_start(c->exchange, 0, on_done, c);
    assert_int_equal(c->done, 0); /* never from inside */
}

struct call *f_call(struct fixture *f, enum operation operation, int64_t amount_minor,
                    const char *begin)
{
    struct call *c;
    assert_int_equal(f_prepare(f, &c, operation, amount_minor, begin), STATUS_OK);
    f_start(c);
    return c;
}
