/* expect.c - the expect lines of a transcript, held against the last step, frame or notice. */
#include "conformance_int.h"

#include "domain/words.h"

static const char *const step_words[] = { "nothing", "send", "sign", "done", "fail" };
const char *const category_words[12] = { "none",           "funds",       "limit",    "credential",
                                         "authentication", "restricted",  "fraud",    "request",
                                         "duplicate",      "unavailable", "security", "other" };
static const char *const action_words[] = { "none", "show_code", "authenticate", "redirect",
                                            "transfer" };

struct view buffer_view(const struct rg_buffer *b)
{
    return view_of(b->ptr, b->len);
}

void expect_equal(struct run *run, const char *what, struct view seen, struct view wanted)
{
    if (!view_equal(seen, wanted))
        check_fail(run, CHECK_EXPECTED, "%s is \"%.*s\"", what, (int)seen.len,
                   (const char *)seen.ptr);
}

void expect_bytes(struct run *run, const char *what, struct view seen, struct view wanted)
{
    size_t same = 0;
    while (same < seen.len && same < wanted.len && seen.ptr[same] == wanted.ptr[same])
        same++;
    if (same == seen.len && same == wanted.len)
        return;
    struct view rest = view_slice(seen, same, 60);
    bool text = view_is_utf8(rest);
    check_fail(run, CHECK_EXPECTED, "%s differs from byte %zu on (%zu bytes, %zu expected)%s%.*s",
               what, same, seen.len, wanted.len, text ? ": " : "", text ? (int)rest.len : 0,
               (const char *)rest.ptr);
}

static void expect_text_bytes(struct run *run, const char *what, struct view seen,
                              const struct script_line *line, struct view text)
{
    struct view wanted = VIEW_EMPTY;
    if (line_bytes(run, line, text, VIEW_EMPTY, &wanted) != STATUS_OK)
        check_fail(run, CHECK_EXPECTED, "the expected bytes cannot be read");
    else
        expect_bytes(run, what, seen, wanted);
}

static bool expect_step(struct run *run, uint32_t kind)
{
    const struct host_step *step = &run->host.step;
    if (run->live && step->kind == kind)
        return true;
    struct view why = run->live ? buffer_view(&step->out.diagnosis) : VIEW_EMPTY;
    check_fail(run, CHECK_EXPECTED, "the step is %s, not %s %.*s",
               run->live && step->kind <= RG_STEP_FAIL ? step_words[step->kind] : "nothing",
               step_words[kind], (int)why.len, (const char *)why.ptr);
    return false;
}

static void expect_number(struct run *run, const char *what, int64_t seen, struct view wanted)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, seen);
    expect_equal(run, what, writer_done(&w), wanted);
}

const struct rg_named *row_named(const struct rg_table *table, struct view name)
{
    for (uint64_t i = 0; i < table->count; i++)
        if (view_equal(view_of(table->rows[i].name.ptr, table->rows[i].name.len), name))
            return &table->rows[i];
    return NULL;
}

static void expect_done_pair(struct run *run, struct view key, struct view value)
{
    const struct rg_out *out = &run->host.step.out;
    const struct rg_named *row = row_named(&out->action_values, key);
    if (view_is(key, "amount"))
        expect_number(run, "the amount", out->amount_minor, value);
    else if (view_is(key, "currency"))
        expect_number(run, "the currency", out->currency_number, value);
    else if (view_is(key, "category"))
        expect_equal(run, "the category",
                     view_text(category_words[out->category < 12 ? out->category : 0]), value);
    else if (view_is(key, "code"))
        expect_equal(run, "the code", buffer_view(&out->rail_code), value);
    else if (view_is(key, "reference"))
        expect_equal(run, "the reference", buffer_view(&out->reference), value);
    else if (view_is(key, "lifetime"))
        expect_number(run, "the lifetime of the grants", out->grants_lifetime_s, value);
    else if (view_is(key, "action"))
        expect_equal(run, "the action", view_text(action_words[out->action < 5 ? out->action : 0]),
                     value);
    else if (view_is(key, "expires"))
        expect_number(run, "the expiry", out->expires_in_s, value);
    else if (row != NULL)
        expect_equal(run, "the value", view_of(row->value.ptr, row->value.len), value);
    else
        check_fail(run, CHECK_EXPECTED, "there is no %.*s here", (int)key.len,
                   (const char *)key.ptr);
}

/* strict: an action that the line does not name is a mistake. */
enum done_word { DONE_WORD_DONE = 1, DONE_WORD_PENDING };

static void expect_done(struct run *run, struct cursor *rest, enum done_word word)
{
    const struct rg_out *out = &run->host.step.out;
    bool action = false;
    if (!expect_step(run, RG_STEP_DONE))
        return;
    struct view outcome = word == DONE_WORD_PENDING ? VIEW("pending") : script_word(rest);
    expect_equal(run, "the outcome", view_text(outcome_word((enum outcome)out->outcome)), outcome);
    for (struct view pair = script_word(rest); pair.len > 0; pair = script_word(rest)) {
        size_t at = view_find(pair, '=');
        struct view key = view_slice(pair, 0, at);
        action = action || view_is(key, "action");
        expect_done_pair(run, key, view_slice(pair, at + 1, pair.len));
    }
    if (word == DONE_WORD_PENDING && out->action != 0 && !action)
        check_fail(run, CHECK_EXPECTED, "the action is %s",
                   action_words[out->action < 5 ? out->action : 0]);
}

/* NAME VALUE, or NAME and a body. BYTES: the value is BYTES. */
enum row_value { ROW_TEXT = 1, ROW_BYTES };

static void expect_row(struct run *run, const struct rg_table *table,
                       const struct script_line *line, struct cursor rest, enum row_value kind)
{
    struct view name = script_word(&rest), wanted = view_trim(cursor_rest(&rest));
    const struct rg_named *row = row_named(table, name);
    if (row == NULL)
        check_fail(run, CHECK_EXPECTED, "there is no row %.*s", (int)name.len,
                   (const char *)name.ptr);
    else if (kind == ROW_BYTES)
        expect_text_bytes(run, "the row", view_of(row->value.ptr, row->value.len), line, wanted);
    else
        expect_equal(run, "the row", view_of(row->value.ptr, row->value.len),
                     line->has_body ? line->body : wanted);
}

/* After a notice, ref lines are about its refs. */
static const struct rg_table *refs_in_view(const struct run *run)
{
    return run->notice.entry != NULL ? &run->notice.entry->out.refs : &run->host.step.out.refs;
}

/* no-ref: must not be there. sensitive: must be there, with the flag. */
static void expect_flag(struct run *run, struct view name, bool sensitive)
{
    const struct rg_table *refs = refs_in_view(run);
    for (uint64_t i = 0; i < refs->count; i++) {
        if (!view_equal(view_of(refs->rows[i].name.ptr, refs->rows[i].name.len), name))
            continue;
        if (!sensitive || (refs->rows[i].flags & RG_NAMED_SENSITIVE) == 0)
            check_fail(run, CHECK_EXPECTED, "ref %.*s is there%s", (int)name.len,
                       (const char *)name.ptr, sensitive ? ", but is not sensitive" : "");
        return;
    }
    if (sensitive)
        check_fail(run, CHECK_EXPECTED, "there is no ref %.*s", (int)name.len,
                   (const char *)name.ptr);
}

static void expect_frame(struct run *run, struct cursor *rest)
{
    struct view word = script_word(rest);
    uint32_t answer = run->frame_answer, kind = run->frame.kind;
    bool good = false;
    if (view_is(word, "broken")) {
        good = answer == RG_FRAME_BROKEN;
    } else if (view_is(word, "unsolicited")) {
        good = answer == RG_FRAME_COMPLETE && kind == RG_FRAME_UNSOLICITED;
    } else if (view_is(word, "need")) {
        uint64_t need = 0;
        good = view_to_u64(script_word(rest), UINT32_MAX, &need) == STATUS_OK &&
               answer == RG_FRAME_NEED && run->frame.length == need;
    } else if (view_is(word, "reply")) {
        good = answer == RG_FRAME_COMPLETE && kind == RG_FRAME_REPLY &&
               view_equal(view_of(run->frame_key, run->frame.correlation.len),
                          view_trim(cursor_rest(rest)));
    }
    if (!good)
        check_fail(run, CHECK_EXPECTED, "the frame is answer %u, kind %u, length %llu",
                   (unsigned)answer, (unsigned)kind, (unsigned long long)run->frame.length);
}

static void expect_send(struct run *run, const struct script_line *line, struct view text)
{
    struct cursor rest = cursor_over(text);
    struct view method = script_word(&rest);
    if (!expect_step(run, RG_STEP_SEND))
        return;
    if (message_method(method) != 0)
        message_expect(run, line, method);
    else
        expect_text_bytes(run, "the message", buffer_view(&run->host.step.out.bytes), line, text);
}

static void expect_sign(struct run *run, const struct script_line *line, struct cursor rest)
{
    const struct rg_out *out = &run->host.step.out;
    struct view key = script_word(&rest);
    if (!expect_step(run, RG_STEP_SIGN))
        return;
    expect_equal(run, "the key", buffer_view(&out->sign_key), key);
    expect_text_bytes(run, "what is signed", buffer_view(&out->bytes), line, cursor_rest(&rest));
}

static void expect_fail_words(struct run *run, struct view words)
{
    struct view why = buffer_view(&run->host.step.out.diagnosis);
    if (expect_step(run, RG_STEP_FAIL) && words.len > 0 &&
        memmem(why.ptr, why.len, words.ptr, words.len) == NULL)
        check_fail(run, CHECK_EXPECTED, "it fails because \"%.*s\"", (int)why.len,
                   (const char *)why.ptr);
}

/* The lines about the step itself; false: it is none of them. */
static bool expect_of_step(struct run *run, const struct script_line *line, struct view what,
                           struct cursor rest)
{
    const struct rg_out *out = &run->host.step.out;
    struct view text = view_trim(cursor_rest(&rest));
    if (view_is(what, "send"))
        expect_send(run, line, text);
    else if (view_is(what, "sign"))
        expect_sign(run, line, rest);
    else if (view_is(what, "fail"))
        expect_fail_words(run, text);
    else if (view_is(what, "done"))
        expect_done(run, &rest, DONE_WORD_DONE);
    else if (view_is(what, "pending"))
        expect_done(run, &rest, DONE_WORD_PENDING);
    else if (view_is(what, "correlation"))
        expect_equal(run, "the correlation", buffer_view(&out->correlation), text);
    else if (view_is(what, "message"))
        expect_equal(run, "the message", buffer_view(&out->message), text);
    else if (view_is(what, "sensitive"))
        expect_flag(run, text, true);
    else if (view_is(what, "extra"))
        expect_row(run, &out->extra, line, rest, ROW_TEXT);
    else if (view_is(what, "value"))
        expect_row(run, &out->action_values, line, rest, ROW_TEXT);
    else if (view_is(what, "grant"))
        expect_row(run, &out->grants, line, rest, ROW_BYTES);
    else
        return false;
    return true;
}

void expect_line(struct run *run, const struct script_line *line)
{
    struct cursor rest = cursor_over(line->rest);
    struct view what = script_word(&rest);
    struct view text = view_trim(cursor_rest(&rest));
    check_case(run, CHECK_EXPECTED);
    run->expectations++;
    if (expect_of_step(run, line, what, rest))
        run->looked = true;
    else if (view_is(what, "ref"))
        expect_row(run, refs_in_view(run), line, rest, ROW_TEXT);
    else if (view_is(what, "no-ref"))
        expect_flag(run, text, false);
    else if (view_is(what, "frame"))
        expect_frame(run, &rest);
    else if (view_is(what, "verify"))
        expect_verify(run, line, text);
    else if (view_is(what, "notice"))
        expect_notice(run, line, text, NOTICE_WORD_NOTICE);
    else if (view_is(what, "hint"))
        expect_notice(run, line, text, NOTICE_WORD_HINT);
    else if (view_is(what, "ack"))
        expect_ack(run, line, text);
    else if (view_is(what, "refused"))
        expect_refused(run);
    else
        check_fail(run, CHECK_EXPECTED, "this cannot be expected: %.*s", (int)what.len,
                   (const char *)what.ptr);
}
