/* checks.c - repeats one step of an exchange with everything changed that may change.
 *
 * A step is the last call of run->take: begin() or one event. Because an adapter is a function,
 * replaying the calls before it must lead to the same place, so each variation starts afresh. The
 * order here is the order of the report. */
#include "conformance_int.h"

#include <limits.h>
#include <stdarg.h>

#define FLIP_ALL_MAX 1024 /* bytes */

void check_case(struct run *run, enum check check)
{
    run->findings[check].cases++;
}

void check_fail(struct run *run, enum check check, const char *format, ...)
{
    struct finding *finding = &run->findings[check];
    if (finding->failures++ >= COMPLAINTS_MAX)
        return;
    char *text = finding->complaint[finding->failures - 1];
    size_t room = sizeof finding->complaint[0];
    int used = run->line > 0 ? snprintf(text, room, "%s:%u: ", run->where, run->line) : 0;
    va_list args;
    va_start(args, format);
    if (used >= 0 && (size_t)used < room)
        vsnprintf(text + used, room - (size_t)used, format, args);
    va_end(args);
}

bool run_step(struct run *run, const struct host_take *take, size_t events,
              const struct host_variation *v, const char *what)
{
    char text[200];
    struct writer why = writer_over(text, sizeof text);
    struct host_variation full;
    if (v == NULL) {
        host_variation_init(&run->host, &full);
        v = &full;
    }
    if (host_replay(&run->host, take, events, v, &why))
        return true;
    check_fail(run, CHECK_WELL_FORMED, "%s: %.*s", what, (int)why.len, text);
    return false;
}

/* --- the same again -------------------------------------------------------------------------- */

static struct view print_step(struct run *run, uint8_t *room)
{
    struct writer w = writer_over(room, PRINT_MAX);
    host_step_print(&run->host.step, &w);
    return writer_done(&w);
}

static void check_same(struct run *run)
{
    struct host_variation keep;
    host_variation_init(&run->host, &keep);
    keep.keep_inputs = true;
    size_t events = run->take.events_count;
    if (!run_step(run, &run->take, events, NULL, "first run"))
        return;
    struct view first = print_step(run, run->print_a);
    if (!run_step(run, &run->take, events, NULL, "second run"))
        return;
    check_case(run, CHECK_SAME);
    if (!view_equal(first, print_step(run, run->print_b)))
        check_fail(run, CHECK_SAME, "the second run gave something else");
    if (!run_step(run, &run->take, events, &keep, "run with inputs kept"))
        return;
    check_case(run, CHECK_POISON);
    if (!view_equal(first, print_step(run, run->print_b)))
        check_fail(run, CHECK_POISON,
                   "inputs overwritten after an earlier call changed the answer");
    struct host_variation later;
    host_variation_init(&run->host, &later);
    later.later = 64;
    if (!run_step(run, &run->take, events, &later, "a later host"))
        return;
    check_case(run, CHECK_LATER);
    if (!view_equal(first, print_step(run, run->print_b)))
        check_fail(run, CHECK_LATER, "members that it cannot know changed the answer");
}

static void check_rooms(struct run *run)
{
    struct host_variation v;
    host_variation_init(&run->host, &v);
    size_t events = run->take.events_count;
    if (!run_step(run, &run->take, events, NULL, "full rooms"))
        return;
    uint32_t kind = run->host.step.kind;
    uint64_t used[HOST_ROOMS];
    for (int i = 0; i < HOST_ROOMS; i++)
        used[i] = host_room(&run->host.step, (enum host_room)i)->len;
    struct view good = print_step(run, run->print_a);
    for (int i = 0; i < HOST_ROOMS; i++) {
        size_t full = v.room[i];
        for (size_t size = 0; size <= used[i]; size++) {
            v.room[i] = size;
            check_case(run, CHECK_ROOM);
            if (!run_step(run, &run->take, events, &v, "small room"))
                return;
            bool refused = host_step_overflowed(&run->host.step) ||
                           (run->host.step.kind == RG_STEP_FAIL && kind != RG_STEP_FAIL);
            if (size < used[i] && !refused)
                check_fail(run, CHECK_ROOM, "%s: %zu bytes of room for %llu were no overflow",
                           host_room_name(i), size, (unsigned long long)used[i]);
            if (size == used[i] && !view_equal(good, print_step(run, run->print_b)))
                check_fail(run, CHECK_ROOM, "%s: exactly enough room was not enough",
                           host_room_name(i));
        }
        v.room[i] = full;
    }
}

/* --- replies that are wrong ------------------------------------------------------------------ */

/* Goes on with signatures, real ones where the transcript has the key, until the exchange ends. */
static void play_to_end(struct run *run, struct host_take *take)
{
    static const uint8_t mac[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    while (run->host.step.kind == RG_STEP_SIGN && take->events_count < HOST_EVENTS &&
           take->events_count + 1 < run->adapter->api.steps_max) {
        const struct rg_out *out = &run->host.step.out;
        uint8_t text[256];
        struct writer real = writer_over(text, sizeof text);
        struct host_event *event = &take->events[take->events_count++];
        *event = (struct host_event){ .kind = RG_EVENT_SIGNED, .bytes = view_of(mac, sizeof mac) };
        if (run->signer != NULL && signer_sign(run->signer, buffer_view(&out->sign_key),
                                               buffer_view(&out->bytes), &real) == STATUS_OK)
            event->bytes = arena_copy(&run->arena, writer_done(&real));
        if (!run_step(run, take, take->events_count, NULL, "signing"))
            return;
        check_well_formed(run);
    }
}

static bool approved(const struct run *run)
{
    return run->host.step.kind == RG_STEP_DONE && run->host.step.out.outcome == RG_OUTCOME_APPROVED;
}

/* Only white space was cut off: that is no loss in a text protocol. */
bool lost_nothing(struct view whole, size_t kept)
{
    for (size_t i = kept; i < whole.len; i++)
        if (whole.ptr[i] != ' ' && whole.ptr[i] != '\r' && whole.ptr[i] != '\n')
            return false;
    return true;
}

void check_with_reply(struct run *run, const struct host_event *reply, const char *what)
{
    struct host_take take = run->take;
    take.events[take.events_count - 1] = *reply;
    if (!run_step(run, &take, take.events_count, NULL, what))
        return;
    check_well_formed(run);
    play_to_end(run, &take);
}

static void with_reply(struct run *run, struct view bytes, const char *what)
{
    struct host_event reply = run->take.events[run->take.events_count - 1];
    reply.bytes = bytes;
    check_with_reply(run, &reply, what);
}

static void check_bad_replies(struct run *run)
{
    struct view whole = run->take.events[run->take.events_count - 1].bytes;
    for (size_t len = 0; len < whole.len; len++) {
        check_case(run, CHECK_CUT);
        with_reply(run, view_slice(whole, 0, len), "cut reply");
        if (approved(run) && !lost_nothing(whole, len))
            check_fail(run, CHECK_CUT, "approved by %zu of %zu bytes", len, whole.len);
    }
    uint8_t *copy = arena_alloc(&run->arena, whole.len + 1);
    if (copy == NULL)
        return;
    static const uint8_t masks[] = { 0x01, 0x10, 0x80, 0xff };
    /* each byte; in a long message with one of the masks in turn, in a short one with all */
    size_t masks_each = whole.len <= FLIP_ALL_MAX ? sizeof masks : 1;
    for (size_t at = 0; at < whole.len; at++) {
        for (size_t m = 0; m < masks_each; m++) {
            memcpy(copy, whole.ptr, whole.len);
            copy[at] ^= masks[(m + at) % sizeof masks];
            check_case(run, CHECK_FLIP);
            uint64_t before = run->findings[CHECK_WELL_FORMED].failures;
            with_reply(run, view_of(copy, whole.len), "changed reply");
            if (run->findings[CHECK_WELL_FORMED].failures != before)
                check_fail(run, CHECK_FLIP, "byte %zu as %02x: not well formed", at, copy[at]);
        }
    }
    memcpy(copy, whole.ptr, whole.len);
    copy[whole.len] = 'x'; /* a byte too many */
    check_case(run, CHECK_CUT);
    with_reply(run, view_of(copy, whole.len + 1), "longer reply");
    if (approved(run))
        check_fail(run, CHECK_CUT, "approved with a byte after the end");
}

static void check_wrong_event(struct run *run)
{
    struct host_take take = run->take;
    if (!run_step(run, &take, take.events_count, NULL, "before a wrong event"))
        return;
    uint32_t kind = run->host.step.kind;
    if ((kind != RG_STEP_SEND && kind != RG_STEP_SIGN) || run->host.step.out.expects_reply == 2 ||
        take.events_count == HOST_EVENTS)
        return;
    const uint32_t wrong[] = { kind == RG_STEP_SEND ? RG_EVENT_SIGNED : RG_EVENT_REPLY, 0, 99 };
    for (size_t i = 0; i < 3; i++) {
        take.events[take.events_count++] =
            (struct host_event){ .kind = wrong[i], .bytes = VIEW("12345678") };
        check_case(run, CHECK_WRONG_EVENT);
        if (run_step(run, &take, take.events_count, NULL, "wrong event")) {
            check_well_formed(run);
            if (run->host.step.kind != RG_STEP_FAIL)
                check_fail(run, CHECK_WRONG_EVENT, "event kind %u was taken where %s was due",
                           (unsigned)wrong[i], kind == RG_STEP_SEND ? "a reply" : "a signature");
        }
        take.events_count--;
    }
}

/* --- commands that are unusual --------------------------------------------------------------- */

static bool begin_with(struct run *run, const struct rg_command *command, const char *what)
{
    struct host_take take = run->take;
    take.command = *command;
    take.events_count = 0;
    if (!run_step(run, &take, 0, NULL, what))
        return false;
    check_well_formed(run);
    play_to_end(run, &take);
    return true;
}

static void check_amounts(struct run *run)
{
    const struct rg_ability *able = adapter_ability_of(run->adapter, run->take.command.operation);
    if (able == NULL || run->take.command.operation > RG_OP_REVERSE)
        return;
    const int64_t amounts[] = { 0, 1, able->amount_minor_max };
    static const uint32_t exponents[] = { 0, 2, 3 };
    for (size_t e = 0; e < 3; e++) {
        bool carried_one = false;
        for (size_t a = 0; a < 3; a++) {
            struct rg_command command = run->take.command;
            command.amount_minor = amounts[a];
            command.currency_exponent = exponents[e];
            check_case(run, CHECK_AMOUNTS);
            bool carried =
                begin_with(run, &command, "unusual amount") && run->host.step.kind != RG_STEP_FAIL;
            /* Some details hold the amount as well (a chip's cryptogram); then no other fits, not
             * even 1, and nothing can be said. Later operations are bounded by the first. */
            if (a == 1)
                carried_one = carried;
            else if (a == 2 && carried_one && !carried && command.operation <= RG_OP_SALE &&
                     run->adapter->api.transport != RG_TRANSPORT_LOCAL)
                check_fail(run, CHECK_AMOUNTS, "carries 1 but not its own largest amount, %lld",
                           (long long)amounts[a]);
        }
    }
    static const int64_t impossible[] = { -1, INT64_MIN };
    /* What refers to an earlier attempt may go by that one's amount alone. */
    for (size_t i = 0; i < 2 && run->take.command.operation <= RG_OP_REFUND; i++) {
        struct rg_command command = run->take.command;
        command.amount_minor = impossible[i];
        check_case(run, CHECK_AMOUNTS);
        if (begin_with(run, &command, "negative amount") && run->host.step.kind != RG_STEP_FAIL)
            check_fail(run, CHECK_AMOUNTS, "took the amount %lld", (long long)impossible[i]);
    }
}

static void check_unusual(struct run *run)
{
    struct rg_command command = run->take.command;
    command.currency_number = 963; /* XTS, ISO 4217's own code for tests */
    memcpy(command.currency_code, "XTS", 4);
    check_case(run, CHECK_CURRENCY);
    uint64_t before = run->findings[CHECK_WELL_FORMED].failures;
    (void)begin_with(run, &command, "foreign currency");
    if (run->findings[CHECK_WELL_FORMED].failures != before)
        check_fail(run, CHECK_CURRENCY, "currency 963: not well formed");
    static const uint32_t unknown[] = { 0, 13, 255, UINT32_MAX };
    for (size_t i = 0; i < 4; i++) {
        command = run->take.command;
        command.operation = unknown[i];
        check_case(run, CHECK_UNKNOWN_OPERATION);
        if (begin_with(run, &command, "unknown operation") && run->host.step.kind != RG_STEP_FAIL)
            check_fail(run, CHECK_UNKNOWN_OPERATION, "did not answer FAIL to operation %u",
                       (unsigned)unknown[i]);
    }
}

/* After a crash there are the refs that were stored before the bytes left, and nothing else. */
static void check_reversal(struct run *run)
{
    const struct rg_ability *able = adapter_ability_of(run->adapter, run->take.command.operation);
    static const struct {
        uint32_t flag, operation;
    } ways[] = { { RG_ABLE_REVERSE, RG_OP_REVERSE }, { RG_ABLE_INQUIRE, RG_OP_INQUIRE } };
    for (size_t i = 0; able != NULL && i < 2; i++) {
        if ((able->flags & ways[i].flag) == 0)
            continue;
        struct host_take take = { .command = run->take.command, .refs = run->sent };
        take.command.operation = ways[i].operation;
        take.command.original_minor = run->take.command.amount_minor;
        take.command.trace = run->take.command.trace % 999999 + 1;
        take.command.repeat = 0;
        check_case(run, CHECK_REVERSAL);
        if (!run_step(run, &take, 0, NULL, "reversal"))
            continue;
        struct host_take kept = run->take;
        run->take.command = take.command;
        check_well_formed(run);
        play_to_end(run, &take);
        run->take = kept;
        const struct rg_buffer *reason = &run->host.step.out.diagnosis;
        if (run->host.step.kind != RG_STEP_SEND && run->host.step.kind != RG_STEP_DONE)
            check_fail(run, CHECK_REVERSAL, "%s of an unanswered attempt failed: %.*s",
                       ways[i].operation == RG_OP_REVERSE ? "reverse" : "inquire", (int)reason->len,
                       (const char *)reason->ptr);
    }
}

/* --- the whole step -------------------------------------------------------------------------- */

static bool holds(const struct rg_buffer *text, struct rg_bytes value)
{
    struct view left = view_of(text->ptr, text->len);
    for (size_t i = 0; value.len <= left.len && i + value.len <= left.len; i++)
        if (memcmp(left.ptr + i, value.ptr, value.len) == 0)
            return true;
    return false;
}

static void check_quiet(struct run *run)
{
    check_case(run, CHECK_QUIET);
    for (uint64_t i = 0; i < run->take.details.count; i++) {
        const struct rg_named *row = &run->take.details.rows[i];
        if (row->value.len < 8) /* a short one may well be a word of the sentence */
            continue;
        if (holds(&run->host.step.out.diagnosis, row->value) ||
            holds(&run->host.step.out.message, row->value))
            check_fail(run, CHECK_QUIET, "the value of %.*s is in a text for people",
                       (int)row->name.len, (const char *)row->name.ptr);
    }
}

void check_step(struct run *run)
{
    size_t events = run->take.events_count;
    check_well_formed(run);
    check_quiet(run);
    bool sent = run->host.step.kind == RG_STEP_SEND;
    check_same(run);
    check_rooms(run);
    check_wrong_event(run);
    if (events == 0) {
        check_amounts(run);
        check_unusual(run);
    }
    if (sent && run->take.command.repeat == 0)
        check_reversal(run);
    if (events > 0 && run->take.events[events - 1].kind == RG_EVENT_REPLY)
        check_bad_replies(run);
    if (events > 0 && run->take.events[events - 1].kind == RG_EVENT_REPLY &&
        run->adapter->api.transport == RG_TRANSPORT_HTTP)
        check_http_reply(run);
}

void check_step_quick(struct run *run)
{
    check_well_formed(run);
    check_quiet(run);
    check_same(run);
}
