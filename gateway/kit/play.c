/* play.c - plays a transcript: a command and what was answered to it become run->take, and each
 * event a step that is checked from all sides before the next line is read. */
#include "conformance_int.h"

#include "base/ensure.h"
#include "domain/words.h"

/* --- commands -------------------------------------------------------------------------------- */

/* "2026-11-22T13:14:15" */
static enum status parse_civil(struct view text, struct rg_civil *out)
{
    static const uint8_t from[] = { 0, 5, 8, 11, 14, 17 }, len[] = { 4, 2, 2, 2, 2, 2 };
    uint32_t *parts[] = {
        &out->year, &out->month, &out->day, &out->hour, &out->minute, &out->second
    };
    if (text.len != 19)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < 6; i++) {
        struct view digits = view_slice(text, from[i], len[i]);
        if (!view_is_digits(digits))
            return STATUS_MALFORMED;
        *parts[i] = 0;
        for (size_t k = 0; k < digits.len; k++)
            *parts[i] = *parts[i] * 10 + (uint32_t)(digits.ptr[k] - '0');
    }
    return STATUS_OK;
}

static enum status parse_u32(struct view text, uint32_t *out)
{
    uint64_t value = 0;
    TRY(view_to_u64(text, UINT32_MAX, &value));
    *out = (uint32_t)value;
    return STATUS_OK;
}

static enum status set_part(struct rg_command *c, struct view key, struct view value)
{
    if (view_is(key, "amount"))
        return view_to_i64(value, &c->amount_minor);
    if (view_is(key, "original"))
        return view_to_i64(value, &c->original_minor);
    if (view_is(key, "currency"))
        return parse_u32(value, &c->currency_number);
    if (view_is(key, "exponent"))
        return parse_u32(value, &c->currency_exponent);
    if (view_is(key, "code"))
        return view_to_text(value, c->currency_code, sizeof c->currency_code);
    if (view_is(key, "trace"))
        return parse_u32(value, &c->trace);
    if (view_is(key, "repeat"))
        return parse_u32(value, &c->repeat);
    if (view_is(key, "utc"))
        return parse_civil(value, &c->utc);
    if (view_is(key, "local"))
        return parse_civil(value, &c->local);
    return STATUS_NOT_FOUND;
}

static enum status do_command(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    enum operation operation;
    TRY(operation_parse(script_word(&rest), &operation));
    run->live = false;
    run->take = (struct host_take){ .command = {
                                        .size = sizeof run->take.command,
                                        .operation = (uint32_t)operation,
                                        .attempt_id = { (const uint8_t *)"attempt-1", 9 },
                                    } };
    for (;;) {
        struct view pair = script_word(&rest);
        if (pair.len == 0)
            return STATUS_OK;
        size_t at = view_find(pair, '=');
        TRY(set_part(&run->take.command, view_slice(pair, 0, at),
                     view_slice(pair, at + 1, pair.len)));
    }
}

static enum status do_detail(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    struct view name = script_word(&rest);
    struct view value = view_trim(cursor_rest(&rest));
    struct rg_named row = { .name = { name.ptr, name.len }, .value = { value.ptr, value.len } };
    return host_rows_copy(&run->arena, &row, 1, &run->take.details);
}

static enum status do_refs(struct run *run, struct view label)
{
    for (size_t i = 0; i < run->kept_count; i++) {
        if (view_equal(run->kept[i].label, label)) {
            run->take.refs = run->kept[i].rows;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status do_keep(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    if (run->kept_count == KEPT_MAX)
        return STATUS_FULL;
    struct kept_refs *kept = &run->kept[run->kept_count];
    kept->label = script_word(&rest);
    kept->rows = run->sent;
    if (view_is(script_word(&rest), "all"))
        TRY(host_rows_copy(&run->arena, run->host.step.out.refs.rows, run->host.step.out.refs.count,
                           &kept->rows));
    run->kept_count++;
    return STATUS_OK;
}

/* --- events ---------------------------------------------------------------------------------- */

static enum status line_bytes(struct run *run, struct view text, struct view *out)
{
    uint8_t *room = arena_alloc(&run->arena, 65536);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, 65536);
    TRY(script_bytes(text, &w));
    *out = writer_done(&w);
    return STATUS_OK;
}

static enum status do_begin(struct run *run)
{
    run->take.events_count = 0;
    run->sent.count = 0;
    run->live = true;
    run_take(run);
    return STATUS_OK;
}

static enum status do_event(struct run *run, uint32_t kind, struct view text)
{
    uint32_t due = kind == RG_EVENT_REPLY ? RG_STEP_SEND : RG_STEP_SIGN;
    struct view bytes = VIEW_EMPTY;
    TRY(line_bytes(run, text, &bytes));
    if (!run->live || run->host.step.kind != due) {
        check_fail(run, CHECK_EXPECTED, "nothing waits for this event");
        run->live = false;
        return STATUS_OK;
    }
    if (run->take.events_count == HOST_EVENTS)
        return STATUS_FULL;
    run->take.events[run->take.events_count].kind = kind;
    run->take.events[run->take.events_count++].bytes = bytes;
    run_take(run);
    /* What was understood as a reply must be one on the stream as well. */
    if (kind == RG_EVENT_REPLY && run->host.step.kind != RG_STEP_FAIL &&
        run->adapter->api.frame != NULL)
        check_frame(run, bytes, true);
    return STATUS_OK;
}

static enum status do_frame(struct run *run, struct view text)
{
    struct view bytes = VIEW_EMPTY;
    TRY(line_bytes(run, text, &bytes));
    if (run->adapter->api.frame == NULL)
        return STATUS_UNSUPPORTED;
    run->frame_answer = host_frame(&run->host, bytes, &run->frame, run->frame_key);
    if (run->frame_answer == RG_FRAME_COMPLETE && run->frame.kind == RG_FRAME_UNSOLICITED)
        check_frame(run, bytes, false);
    return STATUS_OK;
}

static enum status do_notice(struct run *run, struct view text)
{
    struct view bytes = VIEW_EMPTY;
    TRY(line_bytes(run, text, &bytes));
    if (run->adapter->api.notice == NULL)
        return STATUS_UNSUPPORTED;
    check_notice(run, bytes);
    run->notice = arena_alloc(&run->arena, sizeof *run->notice);
    if (run->notice == NULL)
        return STATUS_NO_MEMORY;
    host_notice(&run->host, bytes, false, run->notice);
    if (run->notice->answer == RG_NOTICE_VERIFY)
        host_notice(&run->host, bytes, true, run->notice);
    return STATUS_OK;
}

/* --- settings -------------------------------------------------------------------------------- */

static enum status do_set(struct run *run, struct view line)
{
    char text[300];
    struct writer why = writer_over(text, sizeof text);
    struct cursor rest = cursor_over(line);
    struct view name = script_word(&rest);
    enum status status = host_set(&run->host, name, view_trim(cursor_rest(&rest)), &why);
    bool unknown = status == STATUS_NOT_FOUND && view_starts_with(writer_done(&why), VIEW("this"));
    if (unknown || status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        run->bad_setting = name; /* the host refuses it by its row, before configure() is called */
    else if (view_equal(run->bad_setting, name))
        run->bad_setting = VIEW_EMPTY;
    return STATUS_OK;
}

static enum status do_configure(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    bool refused = view_is(script_word(&rest), "refused");
    struct view name = script_word(&rest), found = run->bad_setting;
    char text[600];
    struct writer why = writer_over(text, sizeof text);
    uint32_t row = 0xffffffff;
    enum status status = STATUS_REFUSED;
    if (found.len == 0) {
        status = host_configure(&run->host, &row, &why);
        if (status == STATUS_REFUSED && row < run->adapter->api.settings_count)
            found = view_text(adapter_setting(run->adapter, row)->name);
    }
    check_case(run, CHECK_SETTINGS);
    if (!refused && status != STATUS_OK)
        check_fail(run, CHECK_SETTINGS, "configure refused %.*s: %.*s", (int)found.len,
                   (const char *)found.ptr, (int)why.len, text);
    else if (refused && (status == STATUS_OK || !view_equal(found, name)))
        check_fail(run, CHECK_SETTINGS, "configure did not refuse %.*s", (int)name.len,
                   (const char *)name.ptr);
    else if (refused && run->bad_setting.len == 0 && why.len == 0)
        check_fail(run, CHECK_SETTINGS, "configure refused without a reason");
    return STATUS_OK;
}

/* --- lines ----------------------------------------------------------------------------------- */

static enum status play_line(struct run *run, const struct script_line *line)
{
    struct view rest = line->rest;
    if (view_is(line->verb, "set"))
        return do_set(run, rest);
    if (view_is(line->verb, "configure"))
        return do_configure(run, rest);
    if (view_is(line->verb, "command"))
        return do_command(run, rest);
    if (view_is(line->verb, "detail"))
        return do_detail(run, rest);
    if (view_is(line->verb, "refs"))
        return do_refs(run, rest);
    if (view_is(line->verb, "keep"))
        return do_keep(run, rest);
    if (view_is(line->verb, "begin"))
        return do_begin(run);
    if (view_is(line->verb, "signature"))
        return do_event(run, RG_EVENT_SIGNED, rest);
    if (view_is(line->verb, "reply"))
        return do_event(run, RG_EVENT_REPLY, rest);
    if (view_is(line->verb, "frame"))
        return do_frame(run, rest);
    if (view_is(line->verb, "notice"))
        return do_notice(run, rest);
    if (!view_is(line->verb, "expect"))
        return STATUS_NOT_FOUND;
    expect_line(run, rest);
    return STATUS_OK;
}

enum status play_script(struct run *run, const struct script *script)
{
    run->where = script->path;
    run->live = false;
    run->kept_count = 0;
    run->bad_setting = VIEW_EMPTY;
    run->notice = NULL;
    for (size_t i = 0; i < script->count; i++) {
        run->line = script->lines[i].number;
        enum status status = play_line(run, &script->lines[i]);
        if (status != STATUS_OK) {
            fprintf(run->options->report, "%s:%u: cannot be played: %s\n", run->where, run->line,
                    status_text(status));
            return status;
        }
    }
    return STATUS_OK;
}
