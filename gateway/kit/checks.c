/* checks.c - repeats one step of an exchange with everything changed that may change.
 *
 * A step is the last call of run->take: begin() or one event. Because an adapter is a function,
 * replaying the calls before it must lead to the same place, so each variation starts afresh. The
 * order here is the order of the report. */
#include "conformance_int.h"

#include "domain/words.h"

#include <limits.h>
#include <stdarg.h>

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

/* --- well formed ----------------------------------------------------------------------------- */

static bool readable(const struct rg_buffer *b)
{
    struct view text = view_of(b->ptr, b->len);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return view_is_utf8(text);
}

static void check_table(struct run *run, const struct rg_table *table, const char *name)
{
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &table->rows[i];
        const uint8_t *from = table->text.ptr, *to = from + table->text.len;
        if (row->name.ptr < from || row->name.ptr > to ||
            row->name.len > (uint64_t)(to - row->name.ptr) || row->value.ptr < from ||
            row->value.ptr > to || row->value.len > (uint64_t)(to - row->value.ptr)) {
            check_fail(run, CHECK_WELL_FORMED, "%s: a row points outside of its table", name);
            return;
        }
        bool good = row->name.len >= 1 && row->name.len <= 32 && row->value.len <= 1024;
        for (uint64_t k = 0; good && k < row->name.len; k++)
            good = row->name.ptr[k] >= 0x21 && row->name.ptr[k] <= 0x7e &&
                   !(row->name.ptr[k] >= 'A' && row->name.ptr[k] <= 'Z');
        if (!good)
            check_fail(run, CHECK_WELL_FORMED,
                       "%s: a name is not 1 to 32 lower-case characters or a value is over 1024 "
                       "bytes",
                       name);
    }
}

static void check_key_name(struct run *run, const struct rg_buffer *key)
{
    for (uint64_t i = 0; i < run->adapter->api.settings_count; i++) {
        const struct rg_setting *row = adapter_setting(run->adapter, i);
        if (row->type == RG_SETTING_KEY && view_is(view_of(key->ptr, key->len), row->name))
            return;
    }
    check_fail(run, CHECK_WELL_FORMED, "SIGN: sign_key names no setting of type KEY");
}

static void check_send(struct run *run, const struct rg_out *out)
{
    const struct rg_adapter *api = &run->adapter->api;
    if (api->transport == RG_TRANSPORT_LOCAL)
        check_fail(run, CHECK_WELL_FORMED, "SEND from an adapter without transport");
    if (out->bytes.len < 1 || out->bytes.len > api->request_max)
        check_fail(run, CHECK_WELL_FORMED, "SEND: %llu bytes; 1 to request_max (%llu) are allowed",
                   (unsigned long long)out->bytes.len, (unsigned long long)api->request_max);
    if (out->expects_reply != 1 && out->expects_reply != 2)
        check_fail(run, CHECK_WELL_FORMED, "SEND: expects_reply is %u; it must be 1 or 2",
                   (unsigned)out->expects_reply);
    if (api->transport == RG_TRANSPORT_FRAMED && out->expects_reply == 1 &&
        out->correlation.len == 0)
        check_fail(run, CHECK_WELL_FORMED, "SEND: no correlation key, so no reply can be matched");
}

static void check_done(struct run *run, const struct rg_out *out)
{
    bool money = run->take.command.operation <= RG_OP_REFUND;
    if (out->outcome < RG_OUTCOME_APPROVED || out->outcome > RG_OUTCOME_NOT_FOUND)
        check_fail(run, CHECK_WELL_FORMED, "DONE: outcome %u is not an adapter's to give",
                   (unsigned)out->outcome);
    if (out->category > RG_CATEGORY_OTHER)
        check_fail(run, CHECK_WELL_FORMED, "DONE: category %u is not known",
                   (unsigned)out->category);
    if (out->outcome == RG_OUTCOME_DECLINED && out->category == RG_CATEGORY_NONE)
        check_fail(run, CHECK_WELL_FORMED, "DONE: declined without a category");
    if (out->outcome == RG_OUTCOME_NOT_FOUND && money)
        check_fail(run, CHECK_WELL_FORMED, "DONE: not found answers only inquire and reverse");
    if (out->amount_minor < -1)
        check_fail(run, CHECK_WELL_FORMED, "DONE: a negative amount other than -1");
    if (out->outcome == RG_OUTCOME_APPROVED && money && out->amount_minor < 0)
        check_fail(run, CHECK_WELL_FORMED,
                   "DONE: approved, but not for how much; the host has nothing to compare");
    if (!readable(&out->message) || !readable(&out->rail_code) || !readable(&out->reference))
        check_fail(run, CHECK_WELL_FORMED,
                   "DONE: message, rail_code or reference is not readable text");
}

void check_well_formed(struct run *run)
{
    const struct host_step *step = &run->host.step;
    const struct rg_out *out = &step->out;
    check_case(run, CHECK_WELL_FORMED);
    if (host_step_overflowed(step))
        return; /* the host treats it as FAIL */
    check_table(run, &out->refs, "refs");
    check_table(run, &out->grants, "grants");
    check_table(run, &out->extra, "extra");
    switch (step->kind) {
    case RG_STEP_SEND: check_send(run, out); break;
    case RG_STEP_SIGN:
        if (out->bytes.len == 0)
            check_fail(run, CHECK_WELL_FORMED, "SIGN: nothing to sign");
        check_key_name(run, &out->sign_key);
        break;
    case RG_STEP_DONE: check_done(run, out); break;
    case RG_STEP_FAIL:
        if (out->diagnosis.len == 0 || !readable(&out->diagnosis))
            check_fail(run, CHECK_WELL_FORMED, "FAIL without a readable diagnosis");
        break;
    default:
        check_fail(run, CHECK_WELL_FORMED, "returned %u, which is no step", (unsigned)step->kind);
    }
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
}

static uint64_t room_used(const struct host_step *step, int room)
{
    const struct rg_out *o = &step->out;
    const uint64_t used[HOST_ROOMS] = {
        o->bytes.len,     o->correlation.len, o->sign_key.len, o->refs.text.len, o->grants.text.len,
        o->reference.len, o->rail_code.len,   o->message.len,  o->diagnosis.len, o->extra.text.len,
    };
    return used[room];
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
        used[i] = room_used(&run->host.step, i);
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

/* Goes on with signatures of the transcript's kind until the exchange ends. */
static void play_to_end(struct run *run, struct host_take *take)
{
    static const uint8_t mac[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    while (run->host.step.kind == RG_STEP_SIGN && take->events_count < HOST_EVENTS &&
           take->events_count + 1 < run->adapter->api.steps_max) {
        take->events[take->events_count].kind = RG_EVENT_SIGNED;
        take->events[take->events_count++].bytes = view_of(mac, sizeof mac);
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
static bool lost_nothing(struct view whole, size_t kept)
{
    for (size_t i = kept; i < whole.len; i++)
        if (whole.ptr[i] != ' ' && whole.ptr[i] != '\r' && whole.ptr[i] != '\n')
            return false;
    return true;
}

/* The reply at the end of the take is replaced; what follows is signed by anybody. */
static void with_reply(struct run *run, struct view bytes, const char *what)
{
    struct host_take take = run->take;
    take.events[take.events_count - 1].bytes = bytes;
    if (!run_step(run, &take, take.events_count, NULL, what))
        return;
    check_well_formed(run);
    play_to_end(run, &take);
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
    for (size_t at = 0; at < whole.len; at++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            memcpy(copy, whole.ptr, whole.len);
            copy[at] ^= masks[m];
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
        take.events[take.events_count].kind = wrong[i];
        take.events[take.events_count].bytes = VIEW("12345678");
        take.events_count++;
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
}

/* --- streams and notices --------------------------------------------------------------------- */

void check_frame(struct run *run, struct view bytes, bool reply)
{
    struct rg_frame frame;
    uint8_t key[64];
    for (size_t len = 0; len < bytes.len; len++) {
        check_case(run, CHECK_FRAME);
        uint32_t answer = host_frame(&run->host, view_slice(bytes, 0, len), &frame, key);
        if (answer != RG_FRAME_NEED)
            check_fail(run, CHECK_FRAME, "%zu of %zu bytes are not NEED but %u", len, bytes.len,
                       (unsigned)answer);
        else if (frame.length != 0 && (frame.length <= len || frame.length > bytes.len))
            check_fail(run, CHECK_FRAME, "after %zu bytes it needs %llu", len,
                       (unsigned long long)frame.length);
    }
    uint8_t *twice = arena_alloc(&run->arena, 2 * bytes.len + 1);
    if (twice == NULL)
        return;
    memcpy(twice, bytes.ptr, bytes.len);
    memcpy(twice + bytes.len, bytes.ptr, bytes.len);
    const size_t lengths[] = { bytes.len, bytes.len + 1, 2 * bytes.len };
    for (size_t i = 0; i < 3; i++) { /* more may have come already; it must not matter */
        check_case(run, CHECK_FRAME);
        uint32_t answer = host_frame(&run->host, view_of(twice, lengths[i]), &frame, key);
        if (answer != RG_FRAME_COMPLETE || frame.length != bytes.len)
            check_fail(run, CHECK_FRAME, "answer %u with length %llu to a whole message of %zu",
                       (unsigned)answer, (unsigned long long)frame.length, bytes.len);
        else if (frame.kind != (reply ? RG_FRAME_REPLY : RG_FRAME_UNSOLICITED))
            check_fail(run, CHECK_FRAME, "is of kind %u", (unsigned)frame.kind);
        else if (reply && (frame.correlation.len != run->correlation_len ||
                           memcmp(key, run->correlation, run->correlation_len) != 0))
            check_fail(run, CHECK_FRAME, "the reply's key is not the one that was sent");
    }
}

static bool same_notice(const struct host_notice *a, const struct host_notice *b)
{
    return a->answer == b->answer && a->out.outcome == b->out.outcome &&
           a->out.category == b->out.category && a->out.amount_minor == b->out.amount_minor &&
           a->out.currency_number == b->out.currency_number &&
           a->out.reference.len == b->out.reference.len &&
           a->out.acknowledgement.len == b->out.acknowledgement.len &&
           memcmp(a->rooms, b->rooms, sizeof a->rooms) == 0 &&
           memcmp(a->refs_text, b->refs_text, sizeof a->refs_text) == 0;
}

void check_notice(struct run *run, struct view bytes)
{
    struct host_notice *first = arena_alloc(&run->arena, sizeof *first);
    struct host_notice *again = arena_alloc(&run->arena, sizeof *again);
    if (first == NULL || again == NULL)
        return;
    check_case(run, CHECK_NOTICE);
    host_notice(&run->host, bytes, false, first);
    host_notice(&run->host, bytes, false, again);
    if (!same_notice(first, again))
        check_fail(run, CHECK_NOTICE, "delivered twice, it gave something else");
    if (first->answer < RG_NOTICE_VERIFY || first->answer > RG_NOTICE_BROKEN)
        check_fail(run, CHECK_NOTICE, "answer %u is none of a notice", (unsigned)first->answer);
    if (first->answer == RG_NOTICE_VERIFY) {
        check_key_name(run, &first->out.sign_key);
        host_notice(&run->host, bytes, true, again);
        if (again->answer == RG_NOTICE_VERIFY)
            check_fail(run, CHECK_NOTICE, "asks again for what was verified");
    }
    for (size_t len = 0; len < bytes.len; len++) {
        check_case(run, CHECK_NOTICE);
        host_notice(&run->host, view_slice(bytes, 0, len), true, again);
        if (again->answer == RG_NOTICE_DONE && again->out.outcome == RG_OUTCOME_APPROVED &&
            !lost_nothing(bytes, len))
            check_fail(run, CHECK_NOTICE, "approved by %zu of %zu bytes", len, bytes.len);
    }
}
