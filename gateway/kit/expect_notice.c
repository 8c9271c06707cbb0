/* expect_notice.c - the expect lines about a notice: what must be verified, each of its entries,
 * and what goes back.
 *
 *     expect verify KEY BYTES
 *     expect notice about=status attempt=... outcome=...     the next entry; it was verified
 *     expect hint about=status attempt=...                   the same of one that nobody signed
 *     expect ack 200 application/json                        and a body
 *     expect refused                                         the signature is wrong: 401
 *     expect notice broken WORDS
 */
#include "conformance_int.h"

#include "domain/words.h"

static const char *const abouts[] = { "none", "status", "return", "credit", "link" };

static bool is_entry(const struct run *run)
{
    return run->notice.entry != NULL && run->notice.entry->answer == RG_NOTICE_DONE;
}

void expect_verify(struct run *run, const struct script_line *line, struct view text)
{
    const struct host_notice *verify = run->notice.verify;
    struct cursor rest = cursor_over(text);
    struct view key = script_word(&rest), wanted = VIEW_EMPTY;
    if (verify == NULL) {
        check_fail(run, CHECK_EXPECTED, "nothing was to be verified");
        return;
    }
    if (line_bytes(run, line, cursor_rest(&rest), run->notice.message.bytes, &wanted) !=
        STATUS_OK) {
        check_fail(run, CHECK_EXPECTED, "the expected bytes cannot be read");
        return;
    }
    expect_equal(run, "the key", buffer_view(&verify->out.sign_key), key);
    expect_bytes(run, "what is verified", buffer_view(&verify->out.bytes), wanted);
}

void expect_refused(struct run *run)
{
    run->notice.looked = true;
    if (run->notice.verify == NULL || run->notice.signature != STATUS_MISMATCH)
        check_fail(run, CHECK_EXPECTED, "the notice's signature was %s",
                   run->notice.verify == NULL                  ? "not asked for"
                   : run->notice.signature == STATUS_NOT_FOUND ? "not checked: no such key"
                                                               : "right");
}

/* --- entries --------------------------------------------------------------------------------- */

/* Goes to the entry after the one that was looked at. */
static bool next_entry(struct run *run)
{
    struct played_notice *notice = &run->notice;
    if (!notice->looked)
        return true;
    if (notice->entry->out.more == 0) {
        check_fail(run, CHECK_EXPECTED, "the notice has no more entries than %u",
                   (unsigned)notice->index + 1);
        return false;
    }
    notice->index++;
    host_notice(&run->host, &notice->message, notice->verify != NULL, notice->index, notice->entry);
    return true;
}

static void expect_number(struct run *run, const char *what, int64_t seen, struct view wanted)
{
    char text[32];
    struct writer w = writer_over(text, sizeof text);
    writer_i64_text(&w, seen);
    expect_equal(run, what, writer_done(&w), wanted);
}

static void expect_pair(struct run *run, const struct rg_notice_out *out, struct view key,
                        struct view value)
{
    if (view_is(key, "about"))
        expect_equal(run, "about", view_text(abouts[out->about < 5 ? out->about : 0]), value);
    else if (view_is(key, "attempt"))
        expect_equal(run, "the attempt", buffer_view(&out->attempt_id), value);
    else if (view_is(key, "outcome"))
        expect_equal(
            run, "the outcome",
            view_text(out->outcome == 0 ? "none" : outcome_word((enum outcome)out->outcome)),
            value);
    else if (view_is(key, "category"))
        expect_equal(run, "the category",
                     view_text(category_words[out->category < 12 ? out->category : 0]), value);
    else if (view_is(key, "amount"))
        expect_number(run, "the amount", out->amount_minor, value);
    else if (view_is(key, "currency"))
        expect_number(run, "the currency", out->currency_number, value);
    else if (view_is(key, "reference"))
        expect_equal(run, "the reference", buffer_view(&out->reference), value);
    else if (view_is(key, "code"))
        expect_equal(run, "the code", buffer_view(&out->rail_code), value);
    else if (view_is(key, "more"))
        expect_number(run, "more", out->more, value);
    else
        check_fail(run, CHECK_EXPECTED, "%.*s of a notice cannot be expected", (int)key.len,
                   (const char *)key.ptr);
}

static void expect_entry(struct run *run, struct view text, enum notice_word word)
{
    if (!is_entry(run)) {
        struct view why =
            run->notice.entry != NULL ? buffer_view(&run->notice.entry->out.diagnosis) : VIEW_EMPTY;
        check_fail(run, CHECK_EXPECTED, "the notice's answer is %u %.*s",
                   run->notice.entry != NULL ? (unsigned)run->notice.entry->answer : 0u,
                   (int)why.len, (const char *)why.ptr);
        return;
    }
    if ((word == NOTICE_WORD_NOTICE) != (run->notice.verify != NULL))
        check_fail(run, CHECK_EXPECTED, "the notice was %sverified",
                   run->notice.verify != NULL ? "" : "not ");
    if (run->notice.signature == STATUS_MISMATCH)
        check_fail(run, CHECK_EXPECTED, "the signature is wrong: the host would refuse the notice");
    if (!next_entry(run))
        return;
    run->notice.looked = true;
    struct cursor rest = cursor_over(text);
    for (struct view pair = script_word(&rest); pair.len > 0; pair = script_word(&rest)) {
        size_t at = view_find(pair, '=');
        expect_pair(run, &run->notice.entry->out, view_slice(pair, 0, at),
                    view_slice(pair, at + 1, pair.len));
    }
}

static void expect_broken(struct run *run, struct view words)
{
    const struct host_notice *entry = run->notice.entry;
    run->notice.looked = true;
    if (entry == NULL || entry->answer != RG_NOTICE_BROKEN) {
        check_fail(run, CHECK_EXPECTED, "the notice's answer is %u",
                   entry != NULL ? (unsigned)entry->answer : 0u);
        return;
    }
    struct view why = buffer_view(&entry->out.diagnosis);
    if (words.len > 0 && (why.len == 0 || memmem(why.ptr, why.len, words.ptr, words.len) == NULL))
        check_fail(run, CHECK_EXPECTED, "it is broken because \"%.*s\"", (int)why.len,
                   (const char *)why.ptr);
}

static void expect_ack_bytes(struct run *run, struct view wanted)
{
    if (!is_entry(run)) {
        check_fail(run, CHECK_EXPECTED, "nothing is acknowledged");
        return;
    }
    run->notice.looked = true;
    expect_bytes(run, "the acknowledgement", buffer_view(&run->notice.entry->out.acknowledgement),
                 wanted);
}

void expect_notice(struct run *run, const struct script_line *line, struct view text,
                   enum notice_word word)
{
    struct cursor rest = cursor_over(text);
    struct view first = script_word(&rest), wanted = VIEW_EMPTY;
    if (run->notice.entry == NULL)
        check_fail(run, CHECK_EXPECTED, "there was no notice");
    else if (view_is(first, "broken"))
        expect_broken(run, view_trim(cursor_rest(&rest)));
    else if (first.len > 0 && first.ptr[0] != '"' && view_find(first, '=') < first.len)
        expect_entry(run, text, word);
    else if (line_bytes(run, line, text, VIEW_EMPTY, &wanted) != STATUS_OK)
        check_fail(run, CHECK_EXPECTED, "the expected bytes cannot be read");
    else
        expect_ack_bytes(run, wanted);
}

void expect_ack(struct run *run, const struct script_line *line, struct view text)
{
    struct cursor rest = cursor_over(text);
    struct view status = script_word(&rest), type = script_word(&rest);
    if (!is_entry(run)) {
        check_fail(run, CHECK_EXPECTED, "nothing is acknowledged");
        return;
    }
    const struct rg_notice_out *out = &run->notice.entry->out;
    expect_number(run, "the status", out->ack_status == 0 ? 200 : out->ack_status, status);
    expect_equal(run, "the content type", buffer_view(&out->ack_type), type);
    expect_bytes(run, "the acknowledgement", buffer_view(&out->acknowledgement), line->body);
}

void expect_notice_end(struct run *run)
{
    struct played_notice *notice = &run->notice;
    if (notice->entry == NULL)
        return;
    if (!notice->looked)
        check_fail(run, CHECK_EXPECTED, "nothing was expected of the notice before");
    else if (is_entry(run) && notice->entry->out.more != 0)
        check_fail(run, CHECK_EXPECTED, "the notice before has more entries than were looked at");
    notice->entry = NULL;
}
