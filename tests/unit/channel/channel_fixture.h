/* channel_fixture.h - one channel with the tiny adapter, its counterpart, and virtual time.
 *
 *     fixture_open(&f, &(struct fixture_plan){ ... });
 *     f_until_ready(&f);
 *     struct call *c = f_call(&f, OPERATION_AUTHORISE, 1000, "");    prepared and started
 *     f_run(&f, 50);                                                 time passes
 *     f_answer(&f, 0, "A");                                          to the first payment message
 *     assert c->done ...
 *     fixture_close(&f);                                             nothing may be left over
 */
#ifndef CHANNEL_FIXTURE_H
#define CHANNEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/channel.h"
#include "wire/memory.h"

#define CALLS_MAX  64
#define FRAMES_MAX 256
#define SIDES_MAX  64
#define LATE_MAX   8
#define START_WALL 1795352400000000 /* 2026-11-22T13:00:00Z */

/* An exchange as its owner sees it. */
struct call {
    struct fixture *f;
    struct exchange *exchange;
    uint8_t details[256];
    size_t details_len;
    int done;
    bool keep;                     /* do not drop within done */
    struct exchange_result result; /* views emptied */
    char code[33], reference[129], diagnosis[257];
    uint8_t refs[256], extra[256];
    size_t refs_len, extra_len;
};

/* A message that the counterpart got. */
struct frame_in {
    size_t side;
    size_t len;
    char text[160];
};

struct late_call {
    int64_t attempt_id;
    enum operation operation;
    enum outcome outcome;
    bool late;
};

struct fixture_plan {
    const struct raw_setting *raw;
    size_t raw_count;
    int64_t links; /* 0: 1 */
    int64_t echo_every_us;
    bool sign_on, key_change;
    int64_t in_flight_max;    /* 0: 16 */
    int64_t circuit_failures; /* 0: 1000 */
    bool no_listener;
    bool hold_traces;
    bool real_delay; /* pieces take 1 to 3 ms */
    const struct rg_adapter *(*entry)(uint32_t);
};

struct fixture {
    struct loop *loop;
    struct wire *wire;
    struct secrets *secrets;
    struct log log;
    struct settings settings;
    struct channel_settings channel_settings;
    const char *endpoints[1];
    adapter_entry_fn *entry;
    struct channels *channels;
    struct channel *channel;
    char why[1000];
    size_t vault_before;

    struct listener *listener;
    struct conn *sides[SIDES_MAX]; /* NULL: closed */
    struct side_arg {
        struct fixture *f;
        size_t side;
    } side_args[SIDES_MAX];
    size_t sides_count;
    uint8_t in[512];
    size_t in_len;
    bool mute;              /* the counterpart answers no link operations */
    char link_letter;       /* 0: 'A' */
    const char *key_answer; /* the rest of the answer to a key change */
    size_t key_answer_len;
    struct frame_in frames[FRAMES_MAX]; /* payments' messages only */
    size_t frames_count;
    int sign_ons, sign_offs, echoes, key_changes, acks;

    struct timer trace_timer;
    trace_taken_fn *taken;
    void *taken_arg;
    uint64_t trace_next;
    uint64_t trace_asked; /* how often */
    bool hold_traces;

    struct late_call late[LATE_MAX];
    size_t late_count;
    unsigned late_refused; /* so many late answers are not taken */
    struct call calls[CALLS_MAX];
    size_t calls_count;
    uint32_t next_trace;
};

/* False when channels_open left the channel out; f->why says why. */
bool fixture_open(struct fixture *f, const struct fixture_plan *plan);
void fixture_close(struct fixture *f);
void f_run(struct fixture *f, int64_t ms);
void f_until_ready(struct fixture *f);
void f_listen(struct fixture *f);
/* Prepared only; begin: the detail "begin", "" for none. */
enum status f_prepare(struct fixture *f, struct call **out, enum operation operation,
                      int64_t amount_minor, const char *begin);
struct call *f_call(struct fixture *f, enum operation operation, int64_t amount_minor,
                    const char *begin);
void f_start(struct call *c);
/* The counterpart's answer to its index-th payment message. */
void f_answer(struct fixture *f, size_t index, const char *letter_and_rest);
/* Raw bytes from the counterpart on its newest connection. */
void f_raw(struct fixture *f, const void *bytes, size_t len);
void f_notice(struct fixture *f, const char *word);
struct channel_health f_health(struct fixture *f);

#endif
