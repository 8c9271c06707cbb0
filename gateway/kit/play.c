/* play.c - plays a transcript: a command and what was answered to it become run->take, and each
 * event a step that is checked from all sides before the next line is read. */
#include "conformance_int.h"

#include "base/ensure.h"
#include "domain/time.h"
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

int64_t civil_us(const struct rg_civil *civil)
{
    struct civil c = { .year = (int32_t)civil->year,
                       .month = (int32_t)civil->month,
                       .day = (int32_t)civil->day,
                       .hour = (int32_t)civil->hour,
                       .minute = (int32_t)civil->minute,
                       .second = (int32_t)civil->second };
    return civil_to_us(&c);
}

static enum status set_part(struct rg_command *c, struct view key, struct view value)
{
    size_t len = 0;
    if (view_is(key, "attempt") || view_is(key, "notice_url")) {
        struct rg_bytes *text = view_is(key, "attempt") ? &c->attempt_id : &c->notice_url;
        *text = (struct rg_bytes){ value.ptr, value.len };
        return STATUS_OK;
    }
    if (view_is(key, "random"))
        return hex_decode(value, c->random, sizeof c->random, &len);
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

/* A step that nothing looked at would test nothing. */
static void end_step(struct run *run)
{
    if (run->live && !run->looked)
        check_fail(run, CHECK_EXPECTED, "nothing was expected of the step before");
    run->live = false;
    expect_notice_end(run);
}

static enum status do_command(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    enum operation operation;
    TRY(operation_parse(script_word(&rest), &operation));
    end_step(run);
    run->take = (struct host_take){ .command = {
                                        .size = sizeof run->take.command,
                                        .operation = (uint32_t)operation,
                                        .attempt_id = { (const uint8_t *)"attempt-1", 9 },
                                    } };
    for (struct view pair = script_word(&rest); pair.len > 0; pair = script_word(&rest)) {
        size_t at = view_find(pair, '=');
        TRY(set_part(&run->take.command, view_slice(pair, 0, at),
                     view_slice(pair, at + 1, pair.len)));
    }
    const struct rg_command *c = &run->take.command;
    if (c->utc.year != 0)
        run->take.command.time_unix_us = run->take.command.now_unix_us = civil_us(&c->utc);
    if (run->names_count < NAMES_MAX)
        run->names[run->names_count++] = view_of(c->attempt_id.ptr, c->attempt_id.len);
    return STATUS_OK;
}

static enum status do_detail(struct run *run, const struct script_line *line)
{
    struct cursor rest = cursor_over(line->rest);
    struct view name = script_word(&rest);
    struct view value = line->has_body ? line->body : view_trim(cursor_rest(&rest));
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

enum status line_bytes(struct run *run, const struct script_line *line, struct view text,
                       struct view body, struct view *out)
{
    size_t size = text.len + line->body.len + 4 * body.len + 64;
    uint8_t *room = arena_alloc(&run->arena, size);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, size);
    TRY(script_bytes(text, body, &w));
    writer_view(&w, line->body);
    *out = writer_done(&w);
    return writer_status(&w);
}

static enum status do_begin(struct run *run)
{
    end_step(run);
    run->take.events_count = 0;
    run->sent.count = 0;
    run->live = true;
    run_take(run);
    return STATUS_OK;
}

static enum status add_event(struct run *run, const struct host_event *event)
{
    uint32_t due = event->kind == RG_EVENT_REPLY ? RG_STEP_SEND : RG_STEP_SIGN;
    if (!run->live || run->host.step.kind != due) {
        check_fail(run, CHECK_EXPECTED, "nothing waits for this event");
        run->live = false;
        return STATUS_OK;
    }
    if (!run->looked)
        check_fail(run, CHECK_EXPECTED, "nothing was expected of the step before");
    if (run->take.events_count == HOST_EVENTS)
        return STATUS_FULL;
    run->take.events[run->take.events_count++] = *event;
    run_take(run);
    return STATUS_OK;
}

/* signature BYTES; sign: what the adapter asked for, under the transcript's key of that name. */
static enum status do_signature(struct run *run, const struct script_line *line)
{
    struct host_event event = { .kind = RG_EVENT_SIGNED };
    TRY(line_bytes(run, line, line->rest, VIEW_EMPTY, &event.bytes));
    return add_event(run, &event);
}

static enum status do_sign(struct run *run)
{
    const struct rg_out *out = &run->host.step.out;
    struct host_event event = { .kind = RG_EVENT_SIGNED };
    uint8_t *room = arena_alloc(&run->arena, 256);
    if (room == NULL)
        return STATUS_NO_MEMORY;
    struct writer w = writer_over(room, 256);
    if (run->live && run->host.step.kind == RG_STEP_SIGN)
        TRY(signer_sign(run->signer, buffer_view(&out->sign_key), buffer_view(&out->bytes), &w));
    event.bytes = writer_done(&w);
    return add_event(run, &event);
}

/* Framed: reply BYTES. HTTP: reply STATUS, headers and a body. */
static enum status do_reply(struct run *run, const struct script_line *line)
{
    struct host_event event = { .kind = RG_EVENT_REPLY };
    if (run->adapter->api.transport != RG_TRANSPORT_HTTP) {
        TRY(line_bytes(run, line, line->rest, VIEW_EMPTY, &event.bytes));
    } else {
        struct cursor rest = cursor_over(line->parts[0]);
        TRY(parse_u32(script_word(&rest), &event.http_status));
        TRY(line_bytes(run, line, cursor_rest(&rest), VIEW_EMPTY, &event.bytes));
        TRY(message_headers(run, line, event.bytes, &event.headers));
    }
    TRY(add_event(run, &event));
    /* What was understood as a reply must be one on the stream as well. */
    if (run->live && run->host.step.kind != RG_STEP_FAIL && run->adapter->api.frame != NULL &&
        run->options->depth != CONFORMANCE_PLAY)
        check_frame(run, event.bytes, true);
    return STATUS_OK;
}

static enum status do_frame(struct run *run, const struct script_line *line)
{
    struct view bytes = VIEW_EMPTY;
    TRY(line_bytes(run, line, line->rest, VIEW_EMPTY, &bytes));
    if (run->adapter->api.frame == NULL)
        return STATUS_UNSUPPORTED;
    run->frame_answer = host_frame(&run->host, bytes, &run->frame, run->frame_key);
    if (run->frame_answer == RG_FRAME_COMPLETE && run->frame.kind == RG_FRAME_UNSOLICITED &&
        run->options->depth != CONFORMANCE_PLAY)
        check_frame(run, bytes, false);
    return STATUS_OK;
}

/* --- notices --------------------------------------------------------------------------------- */

/* HTTP: METHOD PATH, headers and a body. The path may be left out. */
static enum status read_notice(struct run *run, const struct script_line *line,
                               struct host_message *message)
{
    *message = (struct host_message){ .utc = run->now, .time_unix_us = civil_us(&run->now) };
    if (run->adapter->api.transport != RG_TRANSPORT_HTTP)
        return line_bytes(run, line, line->rest, VIEW_EMPTY, &message->bytes);
    struct cursor rest = cursor_over(line->parts[0]);
    message->http_method = message_method(script_word(&rest));
    message->path = script_word(&rest);
    message->bytes = line->body;
    return message->http_method != 0 ? message_headers(run, line, line->body, &message->headers)
                                     : STATUS_NOT_FOUND;
}

/* What the adapter wants verified is verified, when the transcript has the key. */
static void verify(struct run *run)
{
    struct played_notice *notice = &run->notice;
    const struct rg_notice_out *out = &notice->verify->out;
    notice->signature = signer_verify(run->signer, buffer_view(&out->sign_key),
                                      buffer_view(&out->bytes), buffer_view(&out->signature));
    host_notice(&run->host, &notice->message, true, 0, notice->entry);
}

static enum status do_notice(struct run *run, const struct script_line *line)
{
    struct host_message message;
    if (run->adapter->api.notice == NULL)
        return STATUS_UNSUPPORTED;
    TRY(read_notice(run, line, &message));
    end_step(run);
    if (run->options->depth != CONFORMANCE_PLAY)
        check_notice(run, &message);
    struct host_notice *first = host_notice_open(&run->host, &run->arena);
    struct host_notice *entry = host_notice_open(&run->host, &run->arena);
    if (first == NULL || entry == NULL)
        return STATUS_NO_MEMORY;
    run->notice =
        (struct played_notice){ .message = message, .entry = first, .signature = STATUS_NOT_FOUND };
    host_notice(&run->host, &message, false, 0, first);
    if (first->answer != RG_NOTICE_VERIFY)
        return STATUS_OK;
    run->notice.verify = first;
    run->notice.entry = entry;
    verify(run);
    return STATUS_OK;
}

/* --- settings -------------------------------------------------------------------------------- */

/* A FILE is named as in a channel's file, here from the transcript's own folder. */
static enum status read_setting(struct run *run, struct view name, struct view *value)
{
    char path[4096];
    struct writer w = writer_over(path, sizeof path);
    const char *slash = strrchr(run->where, '/');
    if (slash != NULL && value->len > 0 && value->ptr[0] != '/')
        writer_bytes(&w, run->where, (size_t)(slash - run->where) + 1);
    writer_view(&w, *value);
    TRY(writer_terminate(&w));
    return host_read_file(&run->arena, path, value) == STATUS_OK
               ? STATUS_OK
               : (check_fail(run, CHECK_SETTINGS, "%s of %.*s cannot be read", path, (int)name.len,
                             (const char *)name.ptr),
                  STATUS_IO);
}

static enum status do_set(struct run *run, const struct script_line *line)
{
    char text[300];
    struct writer why = writer_over(text, sizeof text);
    struct cursor rest = cursor_over(line->rest);
    struct view name = script_word(&rest);
    struct view value = line->has_body ? line->body : view_trim(cursor_rest(&rest));
    if (!line->has_body && host_setting_is_file(&run->host, name))
        TRY(read_setting(run, name, &value));
    enum status status = host_set(&run->host, name, value, &why);
    bool unknown = status == STATUS_NOT_FOUND && view_starts_with(writer_done(&why), VIEW("this"));
    if (unknown || status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        run->bad_setting = name; /* the host refuses it by its row, before configure() is called */
    else if (view_equal(run->bad_setting, name))
        run->bad_setting = VIEW_EMPTY;
    return STATUS_OK;
}

/* key NAME KIND BYTES */
static enum status do_key(struct run *run, const struct script_line *line)
{
    struct cursor rest = cursor_over(line->rest);
    struct view name = script_word(&rest), kind = script_word(&rest), bytes = VIEW_EMPTY;
    TRY(line_bytes(run, line, cursor_rest(&rest), VIEW_EMPTY, &bytes));
    return signer_key(run->signer, name, kind, bytes);
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

static enum status play_event(struct run *run, const struct script_line *line)
{
    if (view_is(line->verb, "begin"))
        return do_begin(run);
    if (view_is(line->verb, "signature"))
        return do_signature(run, line);
    if (view_is(line->verb, "sign"))
        return do_sign(run);
    if (view_is(line->verb, "reply"))
        return do_reply(run, line);
    if (view_is(line->verb, "frame"))
        return do_frame(run, line);
    if (view_is(line->verb, "notice"))
        return do_notice(run, line);
    if (!view_is(line->verb, "expect"))
        return STATUS_NOT_FOUND;
    expect_line(run, line);
    return STATUS_OK;
}

static enum status play_line(struct run *run, const struct script_line *line)
{
    if (view_is(line->verb, "set"))
        return do_set(run, line);
    if (view_is(line->verb, "key"))
        return do_key(run, line);
    if (view_is(line->verb, "now"))
        return parse_civil(line->rest, &run->now);
    if (view_is(line->verb, "configure"))
        return do_configure(run, line->rest);
    if (view_is(line->verb, "command"))
        return do_command(run, line->rest);
    if (view_is(line->verb, "detail"))
        return do_detail(run, line);
    if (view_is(line->verb, "refs"))
        return do_refs(run, line->rest);
    if (view_is(line->verb, "keep"))
        return do_keep(run, line->rest);
    return play_event(run, line);
}

static enum status play_lines(struct run *run, const struct script *script)
{
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

enum status play_script(struct run *run, const struct script *script)
{
    run->where = script->path;
    run->live = false;
    run->kept_count = run->names_count = run->grants_count = 0;
    run->expectations = 0;
    run->bad_setting = VIEW_EMPTY;
    run->notice.entry = NULL;
    run->now = (struct rg_civil){ 2026, 1, 2, 3, 4, 5 };
    enum status status = signer_open(&run->signer);
    if (status == STATUS_OK)
        status = play_lines(run, script);
    signer_close(run->signer);
    run->signer = NULL;
    TRY(status);
    end_step(run);
    if (run->expectations == 0)
        check_fail(run, CHECK_EXPECTED, "nothing is expected: the transcript tests nothing");
    return STATUS_OK;
}
