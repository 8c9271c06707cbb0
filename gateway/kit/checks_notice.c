/* checks_notice.c - a stream in pieces, and a notice cut, changed and delivered again. */
#include "conformance_int.h"

#define NOTICE_ENTRIES_MAX 4096 /* as in channel/channel.h */

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

/* --- notices --------------------------------------------------------------------------------- */

static bool same_notice(const struct host_notice *a, const struct host_notice *b)
{
    return a->answer == b->answer && a->out.outcome == b->out.outcome &&
           a->out.category == b->out.category && a->out.amount_minor == b->out.amount_minor &&
           a->out.currency_number == b->out.currency_number &&
           a->out.reference.len == b->out.reference.len &&
           a->out.acknowledgement.len == b->out.acknowledgement.len &&
           a->out.about == b->out.about && a->out.more == b->out.more &&
           a->out.attempt_id.len == b->out.attempt_id.len &&
           a->out.ack_status == b->out.ack_status && a->out.bytes.len == b->out.bytes.len &&
           memcmp(a->bytes, b->bytes, a->out.bytes.len) == 0 &&
           memcmp(a->rooms, b->rooms, sizeof a->rooms) == 0;
}

struct notices {
    struct run *run;
    const struct host_message *message;
    struct host_notice *first, *again;
    bool verify; /* the message as it stands must be verified */
};

/* An entry names an attempt of ours, by the name that its command had. */
static void check_attempt(struct run *run, const struct rg_notice_out *out)
{
    bool ours = out->about == RG_ABOUT_STATUS || out->about == RG_ABOUT_RETURN;
    if (out->attempt_id.len == 0 || !ours)
        return;
    for (size_t i = 0; i < run->names_count; i++)
        if (view_equal(run->names[i], view_of(out->attempt_id.ptr, out->attempt_id.len)))
            return;
    check_fail(run, CHECK_NOTICE, "it names attempt %.*s, which is none of the transcript's",
               (int)out->attempt_id.len, (const char *)out->attempt_id.ptr);
}

static void check_entry(struct run *run, const struct host_notice *notice)
{
    const struct rg_notice_out *out = &notice->out;
    const char *fault = host_notice_fault(notice);
    if (fault != NULL)
        check_fail(run, CHECK_NOTICE, "what it writes into %s does not fit there", fault);
    if (out->about > RG_ABOUT_LINK)
        check_fail(run, CHECK_NOTICE, "about %u is nothing", (unsigned)out->about);
    if (out->outcome > RG_OUTCOME_REJECTED || out->category > RG_CATEGORY_OTHER)
        check_fail(run, CHECK_NOTICE, "outcome %u or category %u is not an adapter's to give",
                   (unsigned)out->outcome, (unsigned)out->category);
    if (out->about == RG_ABOUT_STATUS &&
        (out->outcome < RG_OUTCOME_APPROVED || out->outcome > RG_OUTCOME_REJECTED))
        check_fail(run, CHECK_NOTICE, "about a status, but with outcome %u",
                   (unsigned)out->outcome);
    if ((out->about == RG_ABOUT_RETURN || out->about == RG_ABOUT_CREDIT) &&
        (out->amount_minor <= 0 || out->currency_number == 0 || out->reference.len == 0))
        check_fail(run, CHECK_NOTICE,
                   "money moved, but without amount, currency or the movement's own reference");
    if (out->amount_minor < -1)
        check_fail(run, CHECK_NOTICE, "a negative amount other than -1");
    if (out->ack_status != 0 && (out->ack_status < 200 || out->ack_status > 299))
        check_fail(run, CHECK_NOTICE, "an acknowledgement with status %u is none",
                   (unsigned)out->ack_status);
    check_attempt(run, out);
}

/* Every entry, delivered twice. */
static void check_entries(const struct notices *n)
{
    struct run *run = n->run;
    for (uint32_t index = 0; index < NOTICE_ENTRIES_MAX; index++) {
        check_case(run, CHECK_NOTICE);
        host_notice(&run->host, n->message, n->verify, index, n->first);
        host_notice(&run->host, n->message, n->verify, index, n->again);
        if (!same_notice(n->first, n->again))
            check_fail(run, CHECK_NOTICE, "delivered twice, entry %u is another", (unsigned)index);
        if (n->first->answer == RG_NOTICE_VERIFY)
            check_fail(run, CHECK_NOTICE, "asks again for what was verified");
        if (n->first->answer != RG_NOTICE_DONE)
            return;
        check_entry(run, n->first);
        if (n->first->out.more == 0)
            return;
    }
    check_fail(run, CHECK_NOTICE, "has more than %u entries", NOTICE_ENTRIES_MAX);
}

/* A message that is not the one that was signed: it must not be taken without a look at its
 * signature, and what is to be verified must then be something else. */
static void check_changed(const struct notices *n, const struct host_message *changed,
                          struct host_notice *verify)
{
    struct run *run = n->run;
    check_case(run, CHECK_NOTICE);
    host_notice(&run->host, changed, false, 0, n->again);
    uint32_t answer = n->again->answer;
    if (answer < RG_NOTICE_VERIFY || answer > RG_NOTICE_BROKEN)
        check_fail(run, CHECK_NOTICE, "answer %u is none of a notice", (unsigned)answer);
    if (!n->verify)
        return;
    if (answer == RG_NOTICE_DONE && n->again->out.outcome == RG_OUTCOME_APPROVED)
        check_fail(run, CHECK_NOTICE, "changed, it is approved without being verified");
    bool same = answer == RG_NOTICE_VERIFY && n->again->out.bytes.len == verify->out.bytes.len &&
                memcmp(n->again->bytes, verify->bytes, verify->out.bytes.len) == 0 &&
                memcmp(n->again->rooms, verify->rooms, sizeof verify->rooms) == 0;
    /* The same bytes and signature verify; then the changed byte must not matter. */
    if (!same)
        return;
    host_notice(&run->host, n->message, true, 0, n->first);
    host_notice(&run->host, changed, true, 0, n->again);
    if (!same_notice(n->first, n->again) && n->again->answer != RG_NOTICE_BROKEN)
        check_fail(run, CHECK_NOTICE,
                   "a changed byte that the signature does not cover changes what it says");
}

static void check_cut(const struct notices *n, struct host_notice *verify)
{
    struct run *run = n->run;
    struct view whole = n->message->bytes;
    for (size_t len = 0; len < whole.len; len++) {
        struct host_message cut = *n->message;
        cut.bytes = view_slice(whole, 0, len);
        check_changed(n, &cut, verify);
        if (n->verify || cut.http_method != 0)
            continue; /* the host sees the signature fail; a hint over HTTP moves nothing */
        host_notice(&run->host, &cut, true, 0, n->again);
        if (n->again->answer == RG_NOTICE_DONE && n->again->out.outcome == RG_OUTCOME_APPROVED &&
            !lost_nothing(whole, len))
            check_fail(run, CHECK_NOTICE, "approved by %zu of %zu bytes", len, whole.len);
    }
}

static void check_flipped(const struct notices *n, struct host_notice *verify)
{
    static const uint8_t masks[] = { 0x01, 0x80 };
    struct view whole = n->message->bytes;
    uint8_t *copy = arena_alloc(&n->run->arena, whole.len + 1);
    for (size_t at = 0; copy != NULL && at < whole.len; at++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            struct host_message changed = *n->message;
            memcpy(copy, whole.ptr, whole.len);
            copy[at] ^= masks[m];
            changed.bytes = view_of(copy, whole.len);
            check_changed(n, &changed, verify);
        }
    }
}

void check_notice(struct run *run, const struct host_message *message)
{
    struct notices n = { .run = run,
                         .message = message,
                         .first = host_notice_open(&run->host, &run->arena),
                         .again = host_notice_open(&run->host, &run->arena) };
    struct host_notice *verify = host_notice_open(&run->host, &run->arena);
    if (n.first == NULL || n.again == NULL || verify == NULL)
        return;
    check_case(run, CHECK_NOTICE);
    host_notice(&run->host, message, false, 0, verify);
    host_notice(&run->host, message, false, 0, n.again);
    if (!same_notice(verify, n.again))
        check_fail(run, CHECK_NOTICE, "delivered twice, it gave something else");
    n.verify = verify->answer == RG_NOTICE_VERIFY;
    if (n.verify)
        check_key_name(run, &verify->out.sign_key, "VERIFY");
    if (n.verify && (verify->out.bytes.len == 0 || verify->out.signature.len == 0))
        check_fail(run, CHECK_NOTICE, "VERIFY without bytes or without a signature");
    check_entries(&n);
    check_cut(&n, verify);
    check_flipped(&n, verify);
}
