/* wallet_phones.c - what happens without a request: phones that scan, orders that expire, payments
 * and refunds that settle later. Everything that waits is a job in a heap by time. */
#include "wallet_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define MAGIC_PHONE   "phone-1"
#define MAGIC_SCAN_US 50000
#define AFTER_LIFE_US 1000000 /* how long after the end of an order a late phone pays */
#define TOKEN_DIGITS  12

/* --- jobs -------------------------------------------------------------------------------- */
static bool before(const struct job *a, const struct job *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void wallet_job_add(struct wallet *w, const struct job *job)
{
    struct job own = *job;
    if (w->job_count == w->job_room) {
        size_t room = w->job_room > 0 ? w->job_room * 2 : 64;
        struct job *jobs = realloc(w->jobs, room * sizeof *jobs);
        ENSURE(jobs != NULL);
        w->jobs = jobs;
        w->job_room = room;
    }
    own.order = ++w->job_order;
    size_t at = w->job_count++;
    for (; at > 0 && before(&own, &w->jobs[(at - 1) / 2]); at = (at - 1) / 2)
        w->jobs[at] = w->jobs[(at - 1) / 2];
    w->jobs[at] = own;
}

static struct job take_job(struct wallet *w)
{
    struct job first = w->jobs[0], last = w->jobs[--w->job_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < w->job_count && before(&w->jobs[child + 1], &w->jobs[child]))
            child++;
        if (child >= w->job_count || !before(&w->jobs[child], &last))
            break;
        w->jobs[at] = w->jobs[child];
        at = child;
    }
    if (w->job_count > 0)
        w->jobs[at] = last;
    return first;
}

void wallet_jobs_clear(struct wallet *w)
{
    for (size_t i = 0; i < w->job_count; i++)
        free(w->jobs[i].scan.code);
    w->job_count = 0;
}

int64_t wallet_next_us(const void *brain)
{
    const struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    return w->job_count > 0 ? w->jobs[0].at_us : INT64_MAX;
}

/* --- scanning ---------------------------------------------------------------------------- */
static void write_result(struct json_out *out, const char *refusal, const struct deal *deal)
{
    if (out == NULL)
        return;
    json_open_object(out, NULL);
    json_put_text(out, "state", refusal == NULL ? VIEW("paid") : VIEW("refused"));
    if (refusal != NULL)
        json_put_text(out, "reason", view_text(refusal));
    else
        wallet_write_deal(out, "payment", deal);
    json_close_object(out);
}

static const char *pay_static(struct wallet *w, const struct scan *scan, int64_t amount_minor,
                              const struct merchant_code *code, struct deal **out)
{
    struct deal deal = { .kind = DEAL_STATIC,
                         .state = DEAL_OPEN,
                         .merchant = scan->merchant,
                         .code = scan->code,
                         .notice_url = w->settings.notice_url,
                         .currency = code->currency,
                         .amount_minor = code->amount_minor > 0 ? code->amount_minor : amount_minor,
                         .expires_us = INT64_MAX,
                         .read = *code };
    if (code->reference_count > 0)
        ENSURE(view_to_text(code->references[0], deal.reference, sizeof deal.reference) ==
               STATUS_OK);
    /* Asked first: a refused payment leaves no deal behind. */
    const char *why = book_phone_refusal(w->book, scan->phone, amount_minor);
    if (why != NULL)
        return why;
    if (book_add_deal(w->book, &deal, out) != STATUS_OK)
        return "full";
    return book_pay(w->book, *out, scan->phone, amount_minor, false, wallet_wall_us(w));
}

static void scan_now(struct wallet *w, const struct scan *scan, struct json_out *out)
{
    struct merchant_code code;
    const char *why = NULL;
    struct deal *deal = scan->order;
    int64_t asked_minor = 0;
    w->scans++;
    if (deal != NULL) {
        asked_minor = deal->amount_minor;
    } else if (merchant_code_read(view_text(scan->code), &code, &why) != STATUS_OK) {
        write_result(out, why, NULL);
        return;
    } else {
        asked_minor = code.amount_minor;
    }
    int64_t amount_minor = scan->amount_minor > 0 ? scan->amount_minor : asked_minor;
    if (scan->phone->habit == HABIT_WRONG && scan->amount_minor <= 0)
        amount_minor = amount_minor > 1 ? amount_minor - 1 : amount_minor + 1;
    for (unsigned i = 0; i < scan->times; i++) {
        if (amount_minor <= 0)
            why = "amount"; /* the code leaves it open, and nobody typed one in */
        else if (scan->order != NULL)
            why = book_pay(w->book, deal, scan->phone, amount_minor, scan->late, wallet_wall_us(w));
        else
            why = pay_static(w, scan, amount_minor, &code, &deal);
        write_result(out, why, deal);
    }
}

static void scan_later(struct wallet *w, const struct scan *scan, int64_t at_us)
{
    struct job job = { .at_us = at_us, .kind = JOB_SCAN, .scan = *scan };
    job.scan.code = scan->order == NULL ? strdup(scan->code) : NULL; /* was only lent */
    ENSURE(scan->order != NULL || job.scan.code != NULL);
    wallet_job_add(w, &job);
}

void wallet_scan(struct wallet *w, const struct scan *scan, struct json_out *out)
{
    struct scan own = *scan;
    own.decided = true;
    enum wallet_habit habit = scan->phone->habit;
    int64_t at_us = w->now_us;
    own.times = habit == HABIT_TWICE && own.times < 2 ? 2 : own.times;
    own.late = own.late || habit == HABIT_LATE;
    own.never = own.never || habit == HABIT_NEVER;
    if (habit == HABIT_SLOW)
        at_us += w->settings.slow_ms * 1000;
    if (own.late && own.order != NULL && own.order->expires_us != INT64_MAX &&
        own.order->state == DEAL_OPEN)
        at_us = own.order->expires_us - w->config.wall_offset_us + AFTER_LIFE_US;
    if (own.never) {
        w->scans++;
        return;
    }
    if (at_us > w->now_us)
        scan_later(w, &own, at_us);
    else
        scan_now(w, &own, out);
}

/* --- what is due ------------------------------------------------------------------------- */
static void run_job(struct wallet *w, struct job *job)
{
    switch (job->kind) {
    case JOB_EXPIRE:
        if (job->deal->state == DEAL_OPEN)
            book_expire(w->book, job->deal);
        break;
    case JOB_SCAN:
        if (job->scan.decided)
            scan_now(w, &job->scan, NULL);
        else
            wallet_scan(w, &job->scan, NULL);
        free(job->scan.code);
        break;
    case JOB_SETTLE:
        (void)book_settle(w->book, job->deal, job->reason,
                          wallet_wall_us(w)); /* the state says it */
        wallet_tell_deal(w, job->deal);
        break;
    case JOB_SETTLE_REFUND:
        book_settle_refund(w->book, job->refund, job->reason, wallet_wall_us(w));
        wallet_tell_refund(w, job->refund);
        break;
    }
}

void wallet_tick(void *brain, int64_t now_us)
{
    struct wallet *w = brain;
    ENSURE_MAGIC(w, WALLET_MAGIC);
    w->now_us = now_us;
    while (w->job_count > 0 && w->jobs[0].at_us <= now_us) {
        struct job job = take_job(w);
        run_job(w, &job);
    }
}

/* --- magic amounts ----------------------------------------------------------------------- */
enum magic_kind { MAGIC_PHONE_DOES = 1, MAGIC_DECLINE, MAGIC_OPEN };
static const struct {
    enum magic_kind kind;
    int64_t tail;
    enum wallet_habit habit;
    const char *reason;
} MAGIC[] = {
#define PHONE_DOES(tail, what) { MAGIC_PHONE_DOES, tail, HABIT_##what, NULL },
#define DECLINE(tail, reason)  { MAGIC_DECLINE, tail, HABIT_DECLINED, reason },
#define OPEN(tail, what)       { MAGIC_OPEN, tail, HABIT_##what, NULL },
#include "magic_amounts.def"
#undef PHONE_DOES
#undef DECLINE
#undef OPEN
};

void wallet_order_magic(struct wallet *w, struct deal *order)
{
    int64_t amount_minor = order->amount_minor;
    for (size_t i = 0; w->settings.magic && i < COUNT_OF(MAGIC); i++) {
        if (MAGIC[i].kind != MAGIC_PHONE_DOES || MAGIC[i].tail != amount_minor % 10000)
            continue;
        enum wallet_habit habit = MAGIC[i].habit;
        struct scan scan = { .order = order,
                             .phone = book_phone_named(w->book, VIEW(MAGIC_PHONE)),
                             .times = habit == HABIT_TWICE ? 2 : 1,
                             .late = habit == HABIT_LATE,
                             .decided = true,
                             .amount_minor = habit == HABIT_WRONG ? amount_minor - 1 : -1 };
        int64_t at_us = w->now_us + MAGIC_SCAN_US;
        if (habit == HABIT_DECLINED)
            scan.phone = book_phone_named(w->book, VIEW("phone-declined"));
        if (habit == HABIT_SLOW)
            at_us += w->settings.slow_ms * 1000;
        if (habit == HABIT_LATE && order->expires_us != INT64_MAX)
            at_us = order->expires_us - w->config.wall_offset_us + AFTER_LIFE_US;
        scan_later(w, &scan, at_us);
    }
}

bool wallet_settle_magic(struct wallet *w, int64_t amount_minor, struct deal *deal,
                         struct refund *refund, const char **reason)
{
    for (size_t i = 0; w->settings.magic && i < COUNT_OF(MAGIC); i++) {
        if (MAGIC[i].tail != amount_minor % 10000)
            continue;
        if (MAGIC[i].kind == MAGIC_DECLINE)
            *reason = MAGIC[i].reason;
        if (MAGIC[i].kind != MAGIC_OPEN)
            continue;
        struct job job = { .at_us = w->now_us + w->settings.slow_ms * 1000,
                           .kind = refund != NULL ? JOB_SETTLE_REFUND : JOB_SETTLE,
                           .deal = deal,
                           .refund = refund,
                           .reason =
                               MAGIC[i].habit == HABIT_DECLINED ? "declined_by_issuer" : NULL };
        if (MAGIC[i].habit != HABIT_NEVER)
            wallet_job_add(w, &job);
        return true;
    }
    return false;
}

/* --- consumer-presented codes ------------------------------------------------------------ */
void wallet_show(struct wallet *w, struct wallet_phone *phone, struct writer *code)
{
    struct shown *s = &w->shown[w->shown_count++ % WALLET_CODES];
    struct writer t = writer_over(s->token, sizeof s->token);
    /* No card number: too short, and of no issuer. */
    writer_text(&t, "99");
    writer_u64_padded(&t, w->shown_count % 10000000000, TOKEN_DIGITS - 2);
    ENSURE(writer_terminate(&t) == STATUS_OK);
    s->phone = phone;
    s->until_us = w->now_us + w->settings.code_valid_ms * 1000;
    consumer_code_write(code, s->token);
}

struct wallet_phone *wallet_shown_by(struct wallet *w, const char *token, const char **why)
{
    for (size_t i = 0; i < WALLET_CODES; i++) {
        if (w->shown[i].phone == NULL || strcmp(w->shown[i].token, token) != 0)
            continue;
        if (w->shown[i].until_us < w->now_us)
            *why = "code_expired";
        return w->shown[i].phone;
    }
    return book_phone_named(w->book, VIEW(MAGIC_PHONE));
}
