/* reconcile.c - the order of things:
 *
 *     1. the record's digest
 *     2. read the record, line by line, into a sort on disk; a record that is not whole ends here
 *     3. the period: as asked for, as the record says, or the UTC days that its lines touch; was
 *        this very file reconciled before for the same one?
 *     4. our attempts of the channel into the same sort, page by page; from some time before the
 *        period, since what was asked for yesterday may be booked today; and those that earlier
 *        reconciliations carried over, however old
 *     5. everything under one name comes out of the sort together and is judged; what differs goes
 *        into a second sort, in the order of the record, and what is carried over into a third
 *     6. is it likely that the record belongs to the channel at all? Then into the journal
 */
#include "reconcile/reconcile_int.h"

#include "base/ensure.h"
#include "store/store_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES    ((size_t)8 * 1024 * 1024)
#define FILE_BYTES_MAX (UINT64_C(64) << 30)
#define PROGRESS_EVERY 20000
#define DAY_US         (86400 * LOOP_US_PER_S)
#define ID_MS_MAX      ((INT64_C(1) << 43) - 1)
#define ID_COUNT_BITS  20
#define ID_LAG_US      (3600 * LOOP_US_PER_S) /* made that long before its attempt is begun */

struct run {
    const struct reconcile_options *o;
    struct reconcile_report *report;
    struct writer *why;
    struct record record;
    struct period period;
    uint64_t party_key[2];
    bool not_over;                  /* the period goes on; now ends what is compared */
    bool within;                    /* a line of the record is of the period that was asked for */
    struct store_sort *names;       /* both sides, by name */
    struct store_sort *differences; /* struct found, in the order of the record */
    struct store_sort *carried;     /* struct carried_row */
    int64_t newest;    /* of the channel's finished reconciliations; 0: there is none */
    struct span *seen; /* see struct period */
    size_t seen_room;
};

static void on_read(struct store_read *read, void *arg)
{
    (void)read;
    loop_stop(arg);
}

enum status reconcile_ask(struct loop *loop, struct store *store, struct store_read *read)
{
    read->done = on_read;
    read->arg = loop;
    TRY(store_ask(store, read));
    loop_run(loop);
    return read->result;
}

static enum status say(struct run *run, enum status status, const char *what)
{
    if (run->why->len == 0)
        writer_format(run->why, "%s", what);
    return status;
}

static enum status sort_failed(struct run *run, const struct store_sort *sort, enum status status)
{
    struct view why = store_sort_why(sort);
    if (run->why->len == 0)
        writer_format(run->why, "%.*s", (int)why.len, (const char *)why.ptr);
    return status;
}

static void progress(const struct run *run, enum reconcile_phase phase, int64_t count)
{
    if (run->o->progress != NULL && count % PROGRESS_EVERY == 0)
        run->o->progress(phase, count, run->o->arg);
}

/* --- the record --------------------------------------------------------------------------------
 */

static enum status open_record(struct run *run)
{
    struct stat info;
    uint8_t digest[SECRET_SHA256_SIZE];
    int fd =
        open(run->o->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe's, at once */
    if (fd < 0 || fstat(fd, &info) != 0) {
        writer_format(run->why, "%s: %s", run->o->path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return STATUS_IO;
    }
    run->record.file = fdopen(fd, "rb");
    if (run->record.file == NULL) {
        (void)close(fd);
        return STATUS_NO_MEMORY;
    }
    if (!S_ISREG(info.st_mode))
        return record_refuse(&run->record, STATUS_UNSUPPORTED, 0,
                             "it is no file: a record is read twice, first for its digest");
    enum status status = secret_sha256_fd(fd, FILE_BYTES_MAX, digest);
    if (status != STATUS_OK)
        return record_refuse(&run->record, status, 0,
                             status == STATUS_RANGE ? "it is larger than 64 GiB"
                                                    : "it cannot be read");
    struct writer w = writer_over(run->report->file_hash, sizeof run->report->file_hash);
    writer_hex_lower(&w, view_of(digest, sizeof digest));
    return writer_terminate(&w);
}

/* Whether an earlier one compared the same period. Two that both ended when they ran, before the
 * period was over, are the same: the record says nothing of the time after the first. */
static bool period_is_that_of(const struct run *run, const struct reconciliation_row *row)
{
    const struct period *p = &run->period;
    return p->from_us == row->from_us &&
           (p->until_us == row->until_us || (run->not_over && row->until_us == row->started_us));
}

static enum status is_still_open(struct run *run, struct arena *arena)
{
    struct store_read read = { .question = STORE_DIFFERENCES,
                               .arena = arena,
                               .reconciliation = run->report->known,
                               .open_only = true };
    arena_reset(arena);
    enum status status = reconcile_ask(run->o->loop, run->o->store, &read);
    run->report->known_open = status == STATUS_OK && read.count > 0;
    return status;
}

/* An earlier reconciliation of the same bytes with the same channel and period. */
static enum status find_earlier(struct run *run)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    int64_t after = 0;
    bool more = true;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more && run->report->known == 0) {
        struct store_read read = { .question = STORE_RECONCILIATIONS,
                                   .arena = &arena,
                                   .after = after,
                                   .file_hash = view_text(run->report->file_hash) };
        arena_reset(&arena);
        status = reconcile_ask(run->o->loop, run->o->store, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++) {
            const struct reconciliation_row *row = &read.reconciliations[i];
            after = row->id;
            if (row->state == RECONCILIATION_FINISHED &&
                view_equal(row->channel, run->o->channel) && period_is_that_of(run, row) &&
                run->report->known == 0)
                run->report->known = row->id;
        }
        more = read.more;
    }
    if (status == STATUS_OK && run->report->known != 0)
        status = is_still_open(run, &arena);
    arena_reset(&arena);
    return status == STATUS_OK ? status : say(run, status, "the records cannot be read");
}

static enum status take_line(const struct record_line *line, void *arg)
{
    struct run *run = arg;
    struct there there = { .amount_minor = line->amount_minor,
                           .at_us = line->at_us,
                           .line = (int64_t)line->line,
                           .from = reconcile_party(run->party_key, line->from),
                           .to = reconcile_party(run->party_key, line->to),
                           .what = line->what,
                           .of = line->of,
                           .role = (uint8_t)line->role,
                           .beside = line->beside };
    memcpy(there.currency, line->currency, sizeof there.currency);
    /* One that is too long is none of ours, and no attempt is called so. */
    if (view_to_text(line->original, there.original, sizeof there.original) != STATUS_OK)
        memcpy(there.original, "too long", sizeof "too long");
    const struct reconcile_options *o = run->o;
    there.outside = (o->from_us != 0 && line->at_us < record_add(o->from_us, -o->tolerance_us)) ||
                    (o->until_us != 0 && line->at_us >= record_add(o->until_us, o->tolerance_us));
    run->report->outside += there.outside != 0 && !line->beside;
    run->within |= there.outside == 0; /* an expiry stands only beside, and is a line as well */
    progress(run, RECONCILE_READING, run->record.lines);
    /* Ours come first under a name, then lines in the order of the record. */
    enum status status =
        store_sort_put(run->names, line->name, there.line, view_of(&there, sizeof there));
    return status == STATUS_OK ? status : sort_failed(run, run->names, status);
}

static enum status read_record(struct run *run)
{
    run->record.take = take_line;
    run->record.arg = run;
    enum status status = STATUS_UNSUPPORTED;
    switch (run->o->rail) {
    case RAIL_CARD: status = record_read_card(&run->record); break;
    case RAIL_QR: status = record_read_wallet(&run->record); break;
    case RAIL_BANK: status = record_read_camt(&run->record); break;
    case RAIL_CBDC: status = record_read_ledger(&run->record); break;
    }
    run->report->format = run->record.format;
    run->report->lines = run->record.lines;
    return status == STATUS_OK ? status : say(run, status, status_text(status));
}

static int64_t day_of(int64_t us)
{
    int64_t rest = us % DAY_US;
    return us - (rest < 0 ? rest + DAY_US : rest);
}

static enum status find_period(struct run *run)
{
    struct period *p = &run->period;
    const struct record *r = &run->record;
    bool lines = r->lines > 0;
    if (p->from_us == 0)
        p->from_us = r->from_us != 0 ? r->from_us : lines ? day_of(r->first_us) : 0;
    if (p->until_us == 0)
        p->until_us = r->until_us != 0 ? r->until_us
                      : lines          ? record_add(day_of(r->last_us), DAY_US)
                                       : 0;
    if (p->until_us == 0)
        return record_refuse(r, STATUS_MALFORMED, 0,
                             "it has no lines and names no period: give --from and --to");
    run->not_over = p->until_us > run->o->now_us;
    if (run->not_over) /* what comes is in no record yet */
        p->until_us = run->o->now_us;
    if (p->from_us >= p->until_us)
        return say(run, STATUS_RANGE, "the period ends before it begins");
    return STATUS_OK;
}

/* --- what earlier ones saw ---------------------------------------------------------------------
 */

/* Newest first: in a row of days each begins where the one before in the list ends. */
static bool join(struct span *last, struct span span)
{
    if (span.from_us > last->until_us || span.until_us < last->from_us)
        return false;
    last->from_us = span.from_us < last->from_us ? span.from_us : last->from_us;
    last->until_us = span.until_us > last->until_us ? span.until_us : last->until_us;
    return true;
}

static enum status add_seen(struct run *run, const struct reconciliation_row *row)
{
    struct period *p = &run->period;
    int64_t until_us = record_add(row->until_us, row->tolerance_us);
    struct span span = { record_add(row->from_us, -row->tolerance_us),
                         row->started_us < until_us ? row->started_us : until_us };
    if (row->from_us < p->known.from_us)
        p->known.from_us = row->from_us;
    if (row->until_us > p->known.until_us)
        p->known.until_us = row->until_us;
    if (p->seen_count > 0 && join(&run->seen[p->seen_count - 1], span))
        return STATUS_OK;
    if (p->seen_count == run->seen_room) {
        size_t room = run->seen_room * 2 + 16;
        struct span *seen = reallocarray(run->seen, room, sizeof *seen);
        if (seen == NULL)
            return STATUS_NO_MEMORY;
        run->seen = seen;
        run->seen_room = room;
        p->seen = seen;
    }
    run->seen[p->seen_count++] = span;
    return STATUS_OK;
}

/* A statement of one currency told nothing of the others. */
static bool saw_the_same(const struct run *run, const struct reconciliation_row *row)
{
    return row->state == RECONCILIATION_FINISHED && view_equal(row->channel, run->o->channel) &&
           row->tolerance_us >= 0 &&
           (row->currency[0] == '\0' || strcmp(row->currency, run->record.currency) == 0);
}

static enum status find_seen(struct run *run)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_read read = { .more = true };
    int64_t after = 0;
    enum status status = STATUS_OK;
    run->period.known = (struct span){ run->period.from_us, run->period.until_us };
    while (status == STATUS_OK && read.more) {
        arena_reset(&arena);
        read = (struct store_read){ .question = STORE_RECONCILIATIONS,
                                    .arena = &arena,
                                    .after = after };
        status = reconcile_ask(run->o->loop, run->o->store, &read);
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++) {
            const struct reconciliation_row *row = &read.reconciliations[i];
            after = row->id;
            if (run->newest == 0 && row->state == RECONCILIATION_FINISHED &&
                view_equal(row->channel, run->o->channel))
                run->newest = row->id;
            if (saw_the_same(run, row))
                status = add_seen(run, row);
        }
    }
    arena_reset(&arena);
    return status == STATUS_OK ? status : say(run, status, "the records cannot be read");
}

/* --- our side ----------------------------------------------------------------------------------
 */

/* Ids begin with the time of their making, or run ahead of it (domain/ids.h). */
static int64_t id_at(int64_t wall_us)
{
    int64_t ms = wall_us > 0 ? wall_us / 1000 : 0;
    return (ms < ID_MS_MAX ? ms : ID_MS_MAX) << ID_COUNT_BITS;
}

static enum status put_attempt(struct run *run, const struct channel_attempt_row *row)
{
    uint8_t room[NAME_MAX_BYTES];
    struct writer name = writer_over(room, sizeof room);
    struct here here;
    if (!reconcile_here(run->o->rail, row, &name, &here))
        return STATUS_OK;
    if (run->record.currency[0] != '\0' && strcmp(run->record.currency, here.currency) != 0)
        return STATUS_OK; /* a statement of one currency says nothing of the others */
    struct view from, to;
    reconcile_own_wallet(run->o->rail, &row->attempt, &from, &to);
    here.from = reconcile_party(run->party_key, from);
    here.to = reconcile_party(run->party_key, to);
    run->report->attempts++;
    progress(run, RECONCILE_COLLECTING, run->report->attempts);
    enum status status =
        store_sort_put(run->names, writer_done(&name), 0, view_of(&here, sizeof here));
    return status == STATUS_OK ? status : sort_failed(run, run->names, status);
}

/* From behind the id `after`, up to an id or a time. */
static enum status collect_some(struct run *run, enum store_question question, int64_t after,
                                int64_t until, int64_t before_us)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct store_read read = { .more = true };
    enum status status = STATUS_OK;
    while (status == STATUS_OK && read.more) {
        arena_reset(&arena);
        read = (struct store_read){ .question = question,
                                    .arena = &arena,
                                    .channel = run->o->channel,
                                    .after = after,
                                    .until = until,
                                    .before_us = before_us };
        status = reconcile_ask(run->o->loop, run->o->store, &read);
        if (status != STATUS_OK)
            status = say(run, status, "the records cannot be read");
        for (size_t i = 0; status == STATUS_OK && i < read.count; i++)
            status = put_attempt(run, &read.channel_attempts[i]);
        after = read.through;
    }
    arena_reset(&arena);
    return status;
}

/* No id is behind its attempt's time by more than ID_LAG_US, so ids say where to begin. How far
 * they are ahead nobody knows: when a clock is set back they go on from where they were. So only
 * the time says where to end, and all that came later is passed over. */
static enum status collect(struct run *run)
{
    const struct period *p = &run->period;
    int64_t back_us = record_add(run->o->lookback_us, p->tolerance_us + ID_LAG_US);
    int64_t after = id_at(record_add(p->from_us, -back_us)) - 1;
    int64_t before_us = record_add(p->until_us, p->tolerance_us + LOOP_US_PER_S);
    if (after < 0)
        after = 0;
    TRY(collect_some(run, STORE_ATTEMPTS_CARRIED, 0, after + 1, 0));
    return collect_some(run, STORE_ATTEMPTS_OF_CHANNEL, after, 0, before_us);
}

/* --- comparing ---------------------------------------------------------------------------------
 */

/* A currency beyond the last row is counted there: sums of more are of no use to anybody. */
static struct reconcile_currency *currency_row(struct reconcile_report *report, const char *code)
{
    for (size_t i = 0; i < report->currency_count; i++)
        if (strcmp(report->currencies[i].code, code) == 0)
            return &report->currencies[i];
    if (report->currency_count == RECONCILE_CURRENCIES_MAX)
        return &report->currencies[RECONCILE_CURRENCIES_MAX - 1];
    struct reconcile_currency *row = &report->currencies[report->currency_count++];
    memcpy(row->code, code, sizeof row->code);
    return row;
}

static void add_sum(struct reconcile_sum *sum, int64_t here, int64_t there)
{
    sum->count++;
    sum->here_minor = record_add(sum->here_minor, here);
    sum->there_minor = record_add(sum->there_minor, there);
}

static void put_words(const struct group *g, struct found *out)
{
    const char *what = g->there.what != NULL ? g->there.what : "";
    if (out->here.attempt != 0)
        (void)snprintf(out->here_words, sizeof out->here_words, "%s %s%s",
                       operation_word((enum operation)out->here.verb),
                       attempt_state_word((enum attempt_state)out->here.state),
                       out->here.carried != 0 ? ", carried over" : "");
    if (g->own_lines > 1)
        (void)snprintf(out->there_words, sizeof out->there_words, "%s and %lld more", what,
                       (long long)g->own_lines - 1);
    else if (g->own_lines == 1)
        (void)snprintf(out->there_words, sizeof out->there_words, "%s", what);
}

static enum status put_difference(struct run *run, const struct group *g,
                                  const struct finding *finding, const char *name)
{
    struct reconcile_report *report = run->report;
    struct found out;
    memset(&out, 0, sizeof out); /* padding too: it is written as bytes */
    out.finding = *finding;
    out.here = g->here_count > 0 ? g->here : g->remedy.attempt != 0 ? g->remedy : g->recall;
    out.line = g->own_lines > 0 ? g->there.line : 0;
    out.at_us = g->own_lines > 0 ? g->there.at_us : out.here.created_us;
    memcpy(out.currency, g->own_lines > 0 ? g->there.currency : out.here.currency,
           sizeof out.currency);
    /* What somebody else wrote into a file must not bring a card number into the journal. */
    struct writer w = writer_over(out.name, sizeof out.name - 1);
    redact_text(&w, view_text(name));
    put_words(g, &out);
    report->differences++;
    add_sum(&currency_row(report, out.currency)->kinds[finding->kind], finding->here_minor,
            finding->there_minor);
    /* In the order of lines; then those without one, in the order of attempts. */
    uint8_t key[9];
    w = writer_over(key, sizeof key);
    writer_u8(&w, out.line == 0);
    writer_u64_be(&w, (uint64_t)(out.line != 0 ? out.line : out.here.attempt));
    enum status status = store_sort_put(run->differences, writer_done(&w), report->differences,
                                        view_of(&out, sizeof out));
    return status == STATUS_OK ? status : sort_failed(run, run->differences, status);
}

/* What becomes of an attempt that is carried over, or is to be from now on. */
static enum status carry(struct run *run, const struct here *here, bool on, int64_t told_minor)
{
    struct carried_row row;
    memset(&row, 0, sizeof row); /* padding too: it is put as bytes */
    row.attempt = here->attempt;
    row.earlier = here->carried;
    row.insert = on;
    row.there_minor = told_minor;
    if (on ? here->carried != 0 && here->carried_minor == told_minor : here->carried == 0)
        return STATUS_OK; /* it is so already */
    uint8_t key[8];
    struct writer w = writer_over(key, sizeof key);
    writer_u64_be(&w, (uint64_t)here->attempt);
    enum status status =
        store_sort_put(run->carried, writer_done(&w), 0, view_of(&row, sizeof row));
    return status == STATUS_OK ? status : sort_failed(run, run->carried, status);
}

static enum status carry_group(struct run *run, const struct group *g,
                               const struct finding *finding)
{
    struct reconcile_report *report = run->report;
    const struct period *p = &run->period;
    if (g->here_count > 0) {
        bool on = finding->verdict == FOUND_CARRIED ||
                  (finding->verdict == FOUND_WAITING && reconcile_due(&g->here, p) == DUE_LATER);
        /* One that waits for the record before the first one is told once. */
        report->carried_over += finding->verdict == FOUND_CARRIED &&
                                (g->here.carried == 0 ||
                                 g->here.updated_us >= record_add(p->from_us, -p->tolerance_us));
        report->taken_up += !on && g->here.carried != 0;
        TRY(carry(run, &g->here, on,
                  finding->verdict == FOUND_CARRIED ? finding->there_minor
                                                    : g->here.carried_minor));
    }
    if (g->recall.attempt == 0)
        return STATUS_OK;
    bool waits = reconcile_recall_waits(g);
    report->carried_over += waits;
    report->taken_up += !waits && g->recall.carried != 0;
    return carry(run, &g->recall, waits, 0);
}

static enum status close_group(struct run *run, const struct group *g, const char *name)
{
    struct reconcile_report *report = run->report;
    struct finding finding = reconcile_judge(g, &run->period);
    TRY(carry_group(run, g, &finding));
    switch (finding.verdict) {
    case FOUND_MATCHED:
        report->matched++;
        /* What failed here has cancelled out there; what came back of the rest is told by itself.
         */
        add_sum(&currency_row(report, g->here.currency)->matched, g->approved_minor,
                g->approved_minor > 0 ? g->forward_minor : 0);
        return STATUS_OK;
    case FOUND_WAITING: report->waiting++; return STATUS_OK;
    case FOUND_DIFFERENCE: return put_difference(run, g, &finding, name);
    case FOUND_CARRIED:
    case FOUND_ELSEWHERE:
    case FOUND_NOTHING: return STATUS_OK;
    }
    return STATUS_OK;
}

static void add_to_group(struct group *g, struct view payload, const struct period *period)
{
    /* The sides are told apart by the sizes of what they put. */
    _Static_assert(sizeof(struct here) != sizeof(struct there), "by which a row is known");
    if (payload.len == sizeof(struct here)) {
        struct here here;
        memcpy(&here, payload.ptr, sizeof here);
        reconcile_add_here(g, &here, period);
    } else {
        struct there there;
        ENSURE(payload.len == sizeof there);
        memcpy(&there, payload.ptr, sizeof there);
        reconcile_add_there(g, &there);
    }
}

static enum status compare(struct run *run)
{
    struct group group = { .rail = run->o->rail };
    char name[NAME_MAX_BYTES + 1] = "";
    struct view key, payload;
    int64_t rows = 0;
    enum status status = store_sort_turn(run->names);
    while (status == STATUS_OK) {
        status = store_sort_next(run->names, &key, &payload);
        if (status == STATUS_OK && view_is(key, name)) {
            add_to_group(&group, payload, &run->period);
        } else if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
            enum status closed = rows > 0 ? close_group(run, &group, name) : STATUS_OK;
            if (closed != STATUS_OK || status == STATUS_NOT_FOUND)
                return closed;
            group = (struct group){ .rail = run->o->rail };
            add_to_group(&group, payload, &run->period);
            ENSURE(view_to_text(key, name, sizeof name) == STATUS_OK);
        }
        progress(run, RECONCILE_COMPARING, ++rows);
    }
    return sort_failed(run, run->names, status);
}

/* --- what becomes of it ------------------------------------------------------------------------
 */

static enum status check_likely(struct run *run)
{
    const struct reconcile_report *report = run->report;
    char what[400];
    if (run->o->force)
        return STATUS_OK;
    if (report->lines > 0 && report->matched == 0 && !run->within) {
        (void)snprintf(what, sizeof what,
                       "none of the %lld lines of %s is of the period: is it the record of another "
                       "day? --force compares all the same",
                       (long long)report->lines, run->o->path);
        return say(run, STATUS_MISMATCH, what);
    }
    if (report->matched == 0 && report->lines > 0 && report->differences > 0) {
        (void)snprintf(what, sizeof what,
                       "none of the %lld lines of %s matches an attempt of channel %.*s (%lld in "
                       "the period): is it the record of another channel, or of another day? "
                       "--force compares all the same",
                       (long long)report->lines, run->o->path, (int)run->o->channel.len,
                       (const char *)run->o->channel.ptr, (long long)report->attempts);
        return say(run, STATUS_MISMATCH, what);
    }
    if (report->differences > RECONCILE_DIFFERENCES_MAX) {
        (void)snprintf(what, sizeof what,
                       "%lld differences: that is no record of channel %.*s and this period. "
                       "Nothing was written; --force writes them all",
                       (long long)report->differences, (int)run->o->channel.len,
                       (const char *)run->o->channel.ptr);
        return say(run, STATUS_FULL, what);
    }
    return STATUS_OK;
}

/* To whoever watches, and into the journal unless it is a dry run. */
static enum status tell_differences(struct run *run, struct reconcile_journal *journal)
{
    struct view key, payload;
    enum status status = store_sort_turn(run->differences);
    while (status == STATUS_OK) {
        struct found found;
        status = store_sort_next(run->differences, &key, &payload);
        if (status == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (status != STATUS_OK)
            return sort_failed(run, run->differences, status);
        ENSURE(payload.len == sizeof found);
        memcpy(&found, payload.ptr, sizeof found);
        int64_t id = 0;
        if (journal != NULL)
            status = reconcile_journal_add(journal, &found, &id);
        if (status == STATUS_OK && run->o->found != NULL) {
            struct difference_row row;
            reconcile_found_row(run->o, &found, id, &row);
            run->o->found(&row, run->o->arg);
        }
    }
    return status;
}

static enum status write_carried(struct run *run, struct reconcile_journal *journal)
{
    struct view key, payload;
    enum status status = store_sort_turn(run->carried);
    while (status == STATUS_OK) {
        struct carried_row row;
        status = store_sort_next(run->carried, &key, &payload);
        if (status == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (status != STATUS_OK)
            return sort_failed(run, run->carried, status);
        ENSURE(payload.len == sizeof row);
        memcpy(&row, payload.ptr, sizeof row);
        status = reconcile_journal_carry(journal, &row);
    }
    return status;
}

static struct view file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return view_text(slash != NULL ? slash + 1 : path);
}

static enum status write_down(struct run *run)
{
    if (run->o->dry_run)
        return tell_differences(run, NULL);
    struct reconcile_journal journal;
    enum status status =
        reconcile_journal_begin(&journal, run->o, run->report, file_name(run->o->path),
                                run->record.currency, run->newest, run->why);
    if (status == STATUS_OK)
        status = tell_differences(run, &journal);
    if (status == STATUS_OK)
        status = write_carried(run, &journal);
    if (status == STATUS_OK)
        status = reconcile_journal_finish(&journal);
    reconcile_journal_end(&journal);
    return status;
}

static enum status run_all(struct run *run)
{
    TRY(open_record(run));
    if (store_sort_open(&run->names) != STATUS_OK ||
        store_sort_open(&run->differences) != STATUS_OK ||
        store_sort_open(&run->carried) != STATUS_OK)
        return say(run, STATUS_IO, "a temporary file for sorting cannot be made; see TMPDIR");
    TRY(read_record(run));
    TRY(find_period(run));
    TRY(find_earlier(run));
    if (run->report->known != 0 && !run->o->again && !run->o->dry_run)
        return STATUS_OK;
    run->report->from_us = run->period.from_us;
    run->report->until_us = run->period.until_us;
    TRY(find_seen(run));
    TRY(collect(run));
    TRY(compare(run));
    TRY(check_likely(run));
    return write_down(run);
}

enum status reconcile_run(const struct reconcile_options *options, struct reconcile_report *report,
                          struct writer *why)
{
    struct run run = { .o = options,
                       .report = report,
                       .why = why,
                       .record = { .path = options->path, .why = why },
                       .period = { .from_us = options->from_us,
                                   .until_us = options->until_us,
                                   .tolerance_us = options->tolerance_us,
                                   .lookback_us = options->lookback_us,
                                   .now_us = options->now_us } };
    *report = (struct reconcile_report){ .format = "" };
    loop_random(options->loop, run.party_key, sizeof run.party_key);
    enum status status = run_all(&run);
    if (status != STATUS_OK && why->len == 0)
        writer_text(why, status_text(status));
    store_sort_close(run.names);
    store_sort_close(run.differences);
    store_sort_close(run.carried);
    free(run.seen);
    if (run.record.file != NULL)
        (void)fclose(run.record.file); /* was only read */
    return status;
}
