/* expect.c - the expect lines of a transcript, held against the last step, frame or notice. */
#include "conformance_int.h"

#include "domain/words.h"

#define TEXT_MAX 65536

static const char *const step_words[] = { "nothing", "send", "sign", "done", "fail" };

static struct view buffer_view(const struct rg_buffer *b)
{
    return view_of(b->ptr, b->len);
}

static void expect_equal(struct run *run, const char *what, struct view seen, struct view wanted)
{
    if (!view_equal(seen, wanted))
        check_fail(run, CHECK_EXPECTED, "%s is \"%.*s\"", what, (int)seen.len,
                   (const char *)seen.ptr);
}

static void expect_bytes(struct run *run, const char *what, struct view seen, struct view text)
{
    uint8_t *room = arena_alloc(&run->arena, TEXT_MAX);
    if (room == NULL)
        return;
    struct writer w = writer_over(room, TEXT_MAX);
    if (script_bytes(text, &w) != STATUS_OK) {
        check_fail(run, CHECK_EXPECTED, "the expected bytes cannot be read");
        return;
    }
    struct view wanted = writer_done(&w);
    size_t same = 0;
    while (same < seen.len && same < wanted.len && seen.ptr[same] == wanted.ptr[same])
        same++;
    if (same < seen.len || same < wanted.len)
        check_fail(run, CHECK_EXPECTED, "%s differs from byte %zu on (%zu bytes, %zu expected)",
                   what, same, seen.len, wanted.len);
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

static void expect_done(struct run *run, struct cursor *rest)
{
    static const char *const categories[] = { "none",        "funds",          "limit",
                                              "credential",  "authentication", "restricted",
                                              "fraud",       "request",        "duplicate",
                                              "unavailable", "security",       "other" };
    const struct rg_out *out = &run->host.step.out;
    if (!expect_step(run, RG_STEP_DONE))
        return;
    struct view word = script_word(rest);
    if (!view_is(word, outcome_word((enum outcome)out->outcome)))
        check_fail(run, CHECK_EXPECTED, "the outcome is %s",
                   outcome_word((enum outcome)out->outcome));
    for (struct view pair = script_word(rest); pair.len > 0; pair = script_word(rest)) {
        size_t at = view_find(pair, '=');
        struct view key = view_slice(pair, 0, at), value = view_slice(pair, at + 1, pair.len);
        char text[32];
        struct writer w = writer_over(text, sizeof text);
        if (view_is(key, "amount")) {
            writer_i64_text(&w, out->amount_minor);
            expect_equal(run, "the amount", writer_done(&w), value);
        } else if (view_is(key, "currency")) {
            writer_u64_text(&w, out->currency_number);
            expect_equal(run, "the currency", writer_done(&w), value);
        } else if (view_is(key, "category") && out->category < 12) {
            expect_equal(run, "the category", view_text(categories[out->category]), value);
        } else if (view_is(key, "code")) {
            expect_equal(run, "the code", buffer_view(&out->rail_code), value);
        } else if (view_is(key, "reference")) {
            expect_equal(run, "the reference", buffer_view(&out->reference), value);
        } else {
            check_fail(run, CHECK_EXPECTED, "%.*s cannot be expected", (int)pair.len,
                       (const char *)pair.ptr);
        }
    }
}

static void expect_row(struct run *run, const struct rg_table *table, struct cursor *rest, bool hex)
{
    struct view name = script_word(rest), wanted = view_trim(cursor_rest(rest));
    for (uint64_t i = 0; i < table->count; i++) {
        const struct rg_named *row = &table->rows[i];
        if (!view_equal(view_of(row->name.ptr, row->name.len), name))
            continue;
        if (hex)
            expect_bytes(run, "the row", view_of(row->value.ptr, row->value.len), wanted);
        else
            expect_equal(run, "the row", view_of(row->value.ptr, row->value.len), wanted);
        return;
    }
    check_fail(run, CHECK_EXPECTED, "there is no row %.*s", (int)name.len, (const char *)name.ptr);
}

/* no-ref: must not be there. sensitive: must be there, with the flag. */
static void expect_flag(struct run *run, struct view name, bool sensitive)
{
    const struct rg_table *refs = &run->host.step.out.refs;
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

static void expect_notice(struct run *run, struct view text)
{
    const struct host_notice *notice = run->notice;
    if (notice == NULL)
        check_fail(run, CHECK_EXPECTED, "there was no notice");
    else if (view_is(text, "broken") != (notice->answer == RG_NOTICE_BROKEN))
        check_fail(run, CHECK_EXPECTED, "the notice's answer is %u", (unsigned)notice->answer);
    else if (notice->answer != RG_NOTICE_BROKEN)
        expect_bytes(run, "the acknowledgement", buffer_view(&notice->out.acknowledgement), text);
}

/* After a notice, ref lines are about its refs. */
static const struct rg_table *refs_in_view(const struct run *run)
{
    return run->notice != NULL ? &run->notice->out.refs : &run->host.step.out.refs;
}

void expect_line(struct run *run, struct view line)
{
    struct cursor rest = cursor_over(line);
    struct view what = script_word(&rest);
    const struct rg_out *out = &run->host.step.out;
    struct view text = view_trim(cursor_rest(&rest));
    check_case(run, CHECK_EXPECTED);
    if (view_is(what, "send")) {
        if (expect_step(run, RG_STEP_SEND))
            expect_bytes(run, "the message", buffer_view(&out->bytes), text);
    } else if (view_is(what, "sign")) {
        struct view key = script_word(&rest);
        if (expect_step(run, RG_STEP_SIGN)) {
            expect_equal(run, "the key", buffer_view(&out->sign_key), key);
            expect_bytes(run, "what is signed", buffer_view(&out->bytes), cursor_rest(&rest));
        }
    } else if (view_is(what, "fail")) {
        struct view reason = buffer_view(&out->diagnosis);
        if (expect_step(run, RG_STEP_FAIL) &&
            memmem(reason.ptr, reason.len, text.ptr, text.len) == NULL)
            check_fail(run, CHECK_EXPECTED, "it fails because \"%.*s\"", (int)reason.len,
                       (const char *)reason.ptr);
    } else if (view_is(what, "done")) {
        expect_done(run, &rest);
    } else if (view_is(what, "correlation")) {
        expect_equal(run, "the correlation", buffer_view(&out->correlation), text);
    } else if (view_is(what, "ref")) {
        expect_row(run, refs_in_view(run), &rest, false);
    } else if (view_is(what, "no-ref")) {
        if (run->notice == NULL)
            expect_flag(run, text, false);
    } else if (view_is(what, "sensitive")) {
        expect_flag(run, text, true);
    } else if (view_is(what, "extra")) {
        expect_row(run, &out->extra, &rest, false);
    } else if (view_is(what, "grant")) {
        expect_row(run, &out->grants, &rest, true);
    } else if (view_is(what, "frame")) {
        expect_frame(run, &rest);
    } else if (view_is(what, "notice")) {
        expect_notice(run, text);
    } else {
        check_fail(run, CHECK_EXPECTED, "this cannot be expected: %.*s", (int)what.len,
                   (const char *)what.ptr);
    }
}
