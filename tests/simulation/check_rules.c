/* check_rules.c - were the figures of the profiles kept? Every sum is made anew from the journal,
 * in its order, by nothing that the gateway uses to make it.
 *
 *   - A payment is decided by a version that was in force at that moment, and says which: profile,
 *     version, hash. The text of every version that decided one is in the history.
 *   - Every single figure and every sum fires exactly when it has to: nothing is ever over a figure
 *     that denies, and nothing is stopped by a sum of payments that have failed, were canceled or
 *     reversed (they have given back).
 *   - The verdict is the strictest of what fired; what is denied is sent nowhere.
 *   - What waits for a payer or an operator is not sent before each of them has said yes, and a
 *     payer's yes is counted once.
 *   - An exemption is used as long as its counter allows; an authentication lets it begin anew.
 *   - What crosses a figure to be reported is reported, and nothing else.
 *
 * A sum belongs to one counter: limit, kind of window, currency, whose. It counts the payments that
 * were decided by a version that has the limit; what was decided by one without it is not in it (so
 * the first hours of a new limit know nothing of the time before). A sliding window holds what is
 * stamped after its beginning, also what is stamped later than now: the clock was set back then.
 *
 * One excuse, tallied: the gateway forgets what lies two windows behind the newest payment of a
 * counter. When the clock jumped forward by more than a window and then back, the forgotten part
 * may be missing; the sum without exactly that part is allowed as well.
 */
#include "sim.h"

#include "base/ensure.h"
#include "base/map.h"
#include "domain/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ARENA_MAX   ((size_t)16 * 1024 * 1024)
#define MARKS_MAX   STORE_SPENDS_MAX
#define DAY_S       86400
#define US_PER_S    LOOP_US_PER_S
#define BACK_MAX_US (2 * 3600 * US_PER_S) /* the clock never jumps back further */

/* One payment's part of a sum. */
struct part {
    int64_t at_us, amount;
    bool gone;
};

struct counter {
    struct part *parts; /* of a sliding window, in the order of their commits */
    size_t count, room;
    int64_t forgot_us;  /* two windows behind the newest */
    int64_t sum, times; /* of a period, or since an authentication */
    uint32_t resets;
};

struct mark {
    struct counter *counter;
    size_t part; /* SIZE_MAX: not of a sliding window */
    uint32_t resets;
};

/* What is known of one payment. */
struct seen {
    const struct region_settings *profile;
    bool created, spent, needs_payer, needs_operator, denied, captured;
    bool of_payer, of_operator;  /* a yes was needed at first */
    struct counter *begins_anew; /* when the payer says yes */
    size_t reports;              /* that must follow */
    size_t attempts;             /* as rows */
    struct held_seen held;
    int64_t sent_us; /* of check_not_too_soon */
    size_t mark_count;
    struct mark marks[MARKS_MAX];
};

struct rules_check {
    struct world *world;
    struct map *stories;  /* payment id -> number plus one */
    struct map *counters; /* see key_of */
    struct seen *seen;    /* by story */
    struct map *used;     /* hashes of texts that have decided something -> the first payment */
};

/* --- the calendar ------------------------------------------------------------------------------
 */

/* None of these moves its clocks in the years of a run. */
static int64_t offset_s(const char *zone)
{
    if (strcmp(zone, "America/Sao_Paulo") == 0)
        return -3 * 3600;
    if (strcmp(zone, "Asia/Kolkata") == 0)
        return 5 * 3600 + 1800;
    ENSURE(strcmp(zone, "UTC") == 0);
    return 0;
}

static int64_t start_s(const struct region_settings *profile, enum settings_window_kind kind,
                       int64_t at_us)
{
    int64_t offset = offset_s(profile->time_zone);
    time_t local = (time_t)(at_us / US_PER_S + offset);
    int64_t day = (int64_t)local / DAY_S;
    struct tm tm;
    ENSURE(gmtime_r(&local, &tm) != NULL);
    switch (kind) {
    case SETTINGS_WINDOW_DAY: break;
    case SETTINGS_WINDOW_WEEK: day -= (tm.tm_wday + 6) % 7; break;
    case SETTINGS_WINDOW_MONTH: day -= tm.tm_mday - 1; break;
    case SETTINGS_WINDOW_YEAR: day -= tm.tm_yday; break;
    default: ENSURE(!"a window of the calendar");
    }
    return day * DAY_S - offset;
}

static bool in_hours(const struct region_settings *profile, const struct settings_hours *hours,
                     int64_t at_us)
{
    int64_t second = (at_us / US_PER_S + offset_s(profile->time_zone)) % DAY_S;
    bool inside = second >= hours->from_s && second < hours->until_s;
    if (hours->from_s > hours->until_s)
        inside = second >= hours->from_s || second < hours->until_s;
    return !hours->given || inside;
}

/* --- counters ----------------------------------------------------------------------------------
 */

/* Whose sum it is: what a merchant calls somebody is that merchant's. */
struct subject {
    const char *name;
    long long scope; /* merchant, or 0 */
};

static struct counter *counter_of(struct rules_check *check, const char *id, const char *kind,
                                  int64_t since_s, const char *currency, struct subject subject)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%s %s %s %llx %llx %s", id, kind, currency,
                       (long long)since_s, subject.scope & 0xffff, subject.name);
    uint64_t hash[2] = { siphash(1, 2, view_of(text, (size_t)len)),
                         siphash(3, 4, view_of(text, (size_t)len)) };
    ENSURE(len > 0 && (size_t)len < sizeof text);
    struct view key = view_of(hash, sizeof hash);
    struct counter *counter = map_get(check->counters, key);
    if (counter == NULL) {
        counter = calloc(1, sizeof *counter);
        ENSURE(counter != NULL && map_put(check->counters, key, counter) == STATUS_OK);
    }
    return counter;
}

struct sum {
    int64_t minor, times;
};

/* What is stamped after from_us. Commits come nearly in the order of their stamps. */
static struct sum sum_after(const struct counter *counter, int64_t from_us, bool all)
{
    struct sum sum = { 0 };
    for (size_t i = counter->count; i > 0; i--) {
        const struct part *part = &counter->parts[i - 1];
        if (part->at_us < from_us - BACK_MAX_US)
            break;
        if (part->gone || part->at_us <= from_us || (!all && part->at_us <= counter->forgot_us))
            continue;
        sum.minor += part->amount;
        sum.times++;
    }
    return sum;
}

static size_t part_add(struct counter *counter, int64_t at_us, int64_t amount, int64_t window_us)
{
    if (counter->count == counter->room) {
        counter->room = counter->room > 0 ? 2 * counter->room : 8;
        counter->parts = realloc(counter->parts, counter->room * sizeof *counter->parts);
        ENSURE(counter->parts != NULL);
    }
    counter->parts[counter->count] = (struct part){ .at_us = at_us, .amount = amount };
    if (at_us - 2 * window_us > counter->forgot_us)
        counter->forgot_us = at_us - 2 * window_us;
    return counter->count++;
}

static void spend(struct seen *seen, struct counter *counter, size_t part, int64_t amount)
{
    ENSURE(seen->mark_count < MARKS_MAX);
    seen->marks[seen->mark_count++] =
        (struct mark){ .counter = counter, .part = part, .resets = counter->resets };
    if (part != SIZE_MAX)
        return;
    counter->sum += amount;
    counter->times++;
}

static void give_back(struct seen *seen, int64_t amount)
{
    for (size_t i = 0; i < seen->mark_count; i++) {
        const struct mark *mark = &seen->marks[i];
        if (mark->part != SIZE_MAX) {
            mark->counter->parts[mark->part].gone = true;
        } else if (mark->resets == mark->counter->resets) {
            mark->counter->sum -= amount;
            mark->counter->times--;
        }
    }
    seen->mark_count = 0;
    seen->spent = false;
}

/* --- what a payment's story says ---------------------------------------------------------------
 */

static bool about_rail(const struct settings_list *rails, enum rail rail)
{
    bool any = rails->count == 0;
    for (size_t i = 0; i < rails->count; i++)
        any = any || strcmp(rails->items[i], rail_word(rail)) == 0;
    return any;
}

/* -1: nothing is said of this currency. */
static int64_t figure(const struct settings_moneys *moneys, const char *currency)
{
    for (size_t i = 0; i < moneys->count; i++)
        if (strcmp(moneys->items[i].currency->code, currency) == 0)
            return moneys->items[i].minor;
    return -1;
}

static struct subject subject_of(const struct story *story, enum settings_per per)
{
    const struct story_hold *h = &story->hold;
    long long merchant = (long long)(story->merchant - story->world->merchants) + 1;
    switch (per) {
    case SETTINGS_PER_PAYER: return (struct subject){ h->payer, merchant };
    case SETTINGS_PER_PAYEE: return (struct subject){ h->payee, merchant };
    case SETTINGS_PER_DEVICE: return (struct subject){ h->device, merchant };
    case SETTINGS_PER_ACCOUNT: return (struct subject){ h->account, 0 };
    case SETTINGS_PER_MERCHANT: return (struct subject){ "self", merchant };
    default: ENSURE(!"whose sum");
    }
    return (struct subject){ "", 0 };
}

/* `when` of limits may only say that their subject is named; of rules, what is said here. */
static bool rule_holds(const struct story_hold *h, const struct settings_clauses *when)
{
    bool holds = true;
    for (size_t i = 0; i < when->count; i++) {
        const char *text = when->items[i].text;
        if (strcmp(text, "payer.country=KP") == 0)
            holds = holds && h->watched;
        else if (strcmp(text, "payee.mcc=7995") == 0)
            holds = holds && h->gambling;
        else if (strcmp(text, "risk=high") == 0)
            holds = holds && strcmp(h->risk, "high") == 0;
        else if (strcmp(text, "risk=high|medium") == 0)
            holds = holds && (strcmp(h->risk, "high") == 0 || strcmp(h->risk, "medium") == 0);
        else
            ENSURE(strstr(text, " given") != NULL);
    }
    return holds;
}

/* --- one decision ------------------------------------------------------------------------------
 */

/* What the journal says of it. */
struct told {
    struct view data;
    struct view reasons;
    enum verdict verdict;
    bool no_channel;
};

struct deciding {
    struct rules_check *check;
    const struct story *story;
    struct seen *seen;
    struct told told;
    int64_t at_us;
    enum verdict plain, all; /* strictest so far: without sums, with them */
    bool challenged;
    size_t fired;    /* reasons that must be there */
    bool by_figures; /* the sums were not asked: denied before, or no channel */
};

static bool has(struct view text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static struct view text_after(struct view text, const char *name)
{
    const uint8_t *at = text.len > 0 ? memmem(text.ptr, text.len, name, strlen(name)) : NULL;
    if (at == NULL)
        return VIEW_EMPTY;
    at += strlen(name);
    struct view rest = view_of(at, text.len - (size_t)(at - text.ptr));
    return view_slice(rest, 0, view_find(rest, '"'));
}

static bool is_told(const struct deciding *d, const char *section, const char *id)
{
    char rule[96];
    (void)snprintf(rule, sizeof rule, "\"rule\":\"%s.%s\"", section, id);
    return has(d->told.reasons, rule);
}

static void must_say(struct deciding *d, const char *section, const char *id, enum verdict verdict)
{
    d->fired++;
    d->all = verdict > d->all ? verdict : d->all;
    d->challenged = d->challenged || verdict == VERDICT_CHALLENGE;
    world_tally(d->check->world, "rule %s.%s %s", section, id, verdict_word(verdict));
    if (!is_told(d, section, id))
        wrong(d->check->world, d->story->payment, "%s.%s fires and is not told: %.*s", section, id,
              (int)d->told.data.len, (const char *)d->told.data.ptr);
}

static enum verdict verdict_of(int64_t then)
{
    return then == SETTINGS_THEN_DENY     ? VERDICT_DENY
           : then == SETTINGS_THEN_REVIEW ? VERDICT_REVIEW
                                          : VERDICT_CHALLENGE;
}

static void decide_figures(struct deciding *d)
{
    const struct region_settings *profile = d->seen->profile;
    for (size_t i = 0; i < profile->limits_count; i++) {
        const struct limit_settings *l = &profile->limits[i];
        int64_t max = figure(&l->max, d->story->currency),
                min = figure(&l->min, d->story->currency);
        if (l->per != SETTINGS_PER_PAYMENT || !about_rail(&l->rails, d->story->rail) ||
            !in_hours(profile, &l->hours, d->at_us))
            continue;
        if ((max >= 0 && d->story->amount > max) || (min >= 0 && d->story->amount < min))
            must_say(d, "limit", l->id, verdict_of(l->then));
    }
    for (size_t i = 0; i < profile->rules_count; i++) {
        const struct rule_settings *r = &profile->rules[i];
        if (rule_holds(&d->story->hold, &r->when))
            must_say(d, "rule", r->id, verdict_of(r->then));
    }
    d->plain = d->all;
}

static bool fires(const struct limit_settings *l, const char *currency, struct sum sum)
{
    int64_t max = figure(&l->max, currency), from = figure(&l->from, currency);
    return (max >= 0 && sum.minor > max) || (from >= 0 && sum.minor >= from) ||
           (l->count > 0 && sum.times > l->count);
}

struct found {
    struct counter *counter;
    struct sum before;
};

static struct found find(struct deciding *d, const struct limit_settings *l)
{
    bool only_counts = l->max.count == 0 && l->from.count == 0;
    const char *currency = only_counts ? "*" : d->story->currency;
    struct subject subject = subject_of(d->story, (enum settings_per)l->per);
    struct found found;
    if (l->window.kind == SETTINGS_WINDOW_SLIDING) {
        found.counter = counter_of(d->check, l->id, "s", 0, currency, subject);
        found.before = sum_after(found.counter, d->at_us - l->window.us, true);
    } else {
        int64_t since_s = start_s(d->seen->profile, l->window.kind, d->at_us);
        found.counter = counter_of(d->check, l->id, "p", since_s, currency, subject);
        found.before = (struct sum){ found.counter->sum, found.counter->times };
    }
    return found;
}

static bool is_about(const struct deciding *d, const struct limit_settings *l)
{
    bool says = (l->max.count == 0 && l->from.count == 0) ||
                figure(&l->max, d->story->currency) >= 0 ||
                figure(&l->from, d->story->currency) >= 0;
    return l->per != SETTINGS_PER_PAYMENT && says && about_rail(&l->rails, d->story->rail) &&
           in_hours(d->seen->profile, &l->hours, d->at_us) &&
           subject_of(d->story, (enum settings_per)l->per).name[0] != '\0';
}

static struct sum with(struct sum sum, int64_t amount)
{
    return (struct sum){ sum.minor + amount, sum.times + 1 };
}

static void decide_sum(struct deciding *d, const struct limit_settings *l)
{
    struct world *world = d->check->world;
    const char *currency = d->story->currency;
    struct found found = find(d, l);
    bool over = fires(l, currency, with(found.before, d->story->amount));
    if (l->then == SETTINGS_THEN_LAST) {
        d->seen->reports += over && !fires(l, currency, found.before);
        return;
    }
    if (l->window.kind == SETTINGS_WINDOW_SLIDING && over != is_told(d, "limit", l->id)) {
        struct sum known = sum_after(found.counter, d->at_us - l->window.us, false);
        bool over_by_known = fires(l, currency, with(known, d->story->amount));
        if (over_by_known != over && world_clock_wrong(world))
            world_tally(world, "excused: a sum was forgotten");
        over = world_clock_wrong(world) ? over_by_known : over;
    }
    if (over)
        must_say(d, "limit", l->id, verdict_of(l->then));
    else if (is_told(d, "limit", l->id))
        wrong(world, d->story->payment,
              "limit.%s is told, but the sum before is %lld of %lld payments: %.*s", l->id,
              (long long)found.before.minor, (long long)found.before.times, (int)d->told.data.len,
              (const char *)d->told.data.ptr);
    if (over && l->then == SETTINGS_THEN_DENY && d->told.verdict != VERDICT_DENY)
        wrong(world, d->story->payment, "limit.%s is exceeded: %lld in %lld payments with this one",
              l->id, (long long)(found.before.minor + d->story->amount),
              (long long)found.before.times + 1);
}

/* The counter of the exemption that is used; NULL: none is. */
static struct counter *decide_authentication(struct deciding *d)
{
    const struct region_settings *profile = d->seen->profile;
    struct subject payer = subject_of(d->story, SETTINGS_PER_PAYER);
    if (!profile->authentication_required)
        return NULL;
    ENSURE(profile->exemptions_count == 1);
    const struct exemption_settings *x = &profile->exemptions[0];
    struct counter *counter = payer.name[0] != '\0'
                                  ? counter_of(d->check, x->id, "x", 0, d->story->currency, payer)
                                  : NULL;
    bool needed = rule_holds(&d->story->hold, &profile->authentication_when);
    bool exempt =
        needed && counter != NULL && d->story->amount <= figure(&x->max, d->story->currency);
    if (needed && !exempt) {
        must_say(d, "authentication", "required", VERDICT_CHALLENGE);
        d->plain = d->all;
    }
    if (d->plain == VERDICT_CHALLENGE) { /* the payer will be asked: nothing is used up */
        d->seen->begins_anew = counter;
        return NULL;
    }
    return exempt ? counter : NULL;
}

static void decide_exemption(struct deciding *d, struct counter *counter)
{
    if (counter == NULL || d->by_figures)
        return;
    const struct exemption_settings *x = &d->seen->profile->exemptions[0];
    if (counter->sum + d->story->amount > figure(&x->total, d->story->currency) ||
        counter->times + 1 > x->count)
        must_say(d, "exemption", x->id, VERDICT_CHALLENGE);
    else if (is_told(d, "exemption", x->id))
        wrong(d->check->world, d->story->payment,
              "exemption.%s is told to be used up after %lld in %lld payments", x->id,
              (long long)counter->sum, (long long)counter->times);
    d->seen->begins_anew = counter;
}

static void spend_all(struct deciding *d, struct counter *exemption)
{
    const struct region_settings *profile = d->seen->profile;
    int64_t amount = d->story->amount;
    for (size_t i = 0; i < profile->limits_count; i++) {
        const struct limit_settings *l = &profile->limits[i];
        if (!is_about(d, l))
            continue;
        struct found found = find(d, l);
        bool sliding = l->window.kind == SETTINGS_WINDOW_SLIDING;
        spend(d->seen, found.counter,
              sliding ? part_add(found.counter, d->at_us, amount, l->window.us) : SIZE_MAX, amount);
    }
    if (exemption != NULL && !d->challenged)
        spend(d->seen, exemption, SIZE_MAX, amount);
    d->seen->spent = true;
}

static size_t reasons_in(struct view reasons)
{
    size_t count = 0;
    for (;; count++) {
        const uint8_t *at =
            reasons.len > 0 ? memmem(reasons.ptr, reasons.len, "{\"rule\":", 8) : NULL;
        if (at == NULL)
            return count;
        size_t past = (size_t)(at - reasons.ptr) + 8;
        reasons = view_slice(reasons, past, reasons.len);
    }
}

static void decide(struct deciding *d)
{
    struct world *world = d->check->world;
    struct seen *seen = d->seen;
    decide_figures(d);
    struct counter *exemption = decide_authentication(d);
    d->by_figures = d->plain == VERDICT_DENY || d->told.no_channel;
    for (size_t i = 0; !d->by_figures && i < seen->profile->limits_count; i++)
        if (is_about(d, &seen->profile->limits[i]))
            decide_sum(d, &seen->profile->limits[i]);
    decide_exemption(d, exemption);
    if (d->told.verdict != d->all)
        wrong(world, d->story->payment, "it was decided %s, and not %s: %.*s",
              verdict_word(d->told.verdict), verdict_word(d->all), (int)d->told.data.len,
              (const char *)d->told.data.ptr);
    if (reasons_in(d->told.reasons) != d->fired)
        wrong(world, d->story->payment, "%zu reasons are told, and %zu have fired: %.*s",
              reasons_in(d->told.reasons), d->fired, (int)d->told.data.len,
              (const char *)d->told.data.ptr);
    world_tally(world, "%s decided %s", rail_word(d->story->rail), verdict_word(d->all));
    seen->denied = d->all == VERDICT_DENY || d->told.no_channel;
    seen->needs_operator = !seen->denied && d->all == VERDICT_REVIEW;
    seen->needs_payer = !seen->denied && d->challenged;
    seen->of_operator = seen->needs_operator;
    seen->of_payer = seen->needs_payer;
    if (!seen->denied)
        spend_all(d, exemption);
}

static void created(struct rules_check *check, const struct story *story, struct seen *seen,
                    const struct event_row *e)
{
    struct world *world = check->world;
    const struct rulebook *book = world->options->rules;
    struct view version = text_after(e->data_json, "\"version\":\"");
    enum rules_text text = rulebook_by_version(book, version);
    struct view word = text_after(e->data_json, "\"decision\":{\"result\":\"");
    const uint8_t *reasons = memmem(e->data_json.ptr, e->data_json.len, "\"reasons\":[", 11);
    struct deciding d = { .check = check,
                          .story = story,
                          .seen = seen,
                          .at_us = e->time_us,
                          .plain = VERDICT_ALLOW,
                          .all = VERDICT_ALLOW,
                          .told.data = e->data_json,
                          .told.no_channel = has(e->data_json, "\"code\":\"no_channel_ready\"") };
    seen->created = true;
    if (text == 0 || reasons == NULL || verdict_parse(word, &d.told.verdict) != STATUS_OK) {
        wrong(world, e->payment, "it does not say how it was decided: %.*s", (int)e->data_json.len,
              (const char *)e->data_json.ptr);
        return;
    }
    d.told.reasons = view_slice(e->data_json, (size_t)(reasons - e->data_json.ptr), SIZE_MAX);
    seen->profile = rulebook_region(book, text);
    struct view hash = text_after(e->data_json, "\"content_hash\":\"");
    if (map_put(check->used, hash, (void *)(uintptr_t)e->payment) == STATUS_RANGE)
        wrong(world, e->payment, "it does not say by which text it was decided");
    if (rules_side_on(world->rules) && !rules_side_in_force(world->rules, text, e->time_us))
        wrong(world, e->payment, "it was decided by %s, which was not in force",
              seen->profile->version);
    decide(&d);
}

/* --- what comes after --------------------------------------------------------------------------
 */

static void sent(struct rules_check *check, const struct seen *seen, int64_t payment)
{
    if (seen->denied)
        wrong(check->world, payment, "it was denied, and something is sent");
    if (seen->needs_payer || seen->needs_operator)
        wrong(check->world, payment, "it is sent before %s has said yes",
              seen->needs_payer ? "its payer" : "an operator");
}

static void said_yes(struct rules_check *check, struct seen *seen, int64_t payment, bool payer)
{
    bool *needed = payer ? &seen->needs_payer : &seen->needs_operator;
    if (!*needed || (payer && seen->needs_operator))
        wrong(check->world, payment, "a yes that nothing waits for");
    *needed = false;
    if (!payer || seen->begins_anew == NULL)
        return;
    seen->begins_anew->sum = seen->begins_anew->times = 0;
    seen->begins_anew->resets++;
}

static void reported(struct rules_check *check, struct seen *seen, const struct event_row *e)
{
    size_t count = reasons_in(e->data_json);
    if (count != seen->reports)
        wrong(check->world, e->payment, "%zu reports, and %zu are due", count, seen->reports);
    seen->reports = 0;
}

static void ended(struct seen *seen, const struct story *story)
{
    if (seen->spent && !seen->captured)
        give_back(seen, story->amount);
}

void rules_check_event(struct rules_check *check, const struct event_row *e)
{
    size_t number = (size_t)(uintptr_t)map_get(check->stories, view_of(&e->payment, 8));
    if (number == 0)
        return;
    const struct story *story = &check->world->stories[number - 1];
    struct seen *seen = &check->seen[number - 1];
    if (view_is(e->kind, "payment.created"))
        created(check, story, seen, e);
    else if (view_is(e->kind, "attempt.sending"))
        sent(check, seen, e->payment);
    else if (view_is(e->kind, "payment.confirmed"))
        said_yes(check, seen, e->payment, true);
    else if (view_is(e->kind, "compliance.review_approved"))
        said_yes(check, seen, e->payment, false);
    else if (view_is(e->kind, "compliance.report"))
        reported(check, seen, e);
    else if (view_is(e->kind, "payment.failed") || view_is(e->kind, "payment.canceled") ||
             view_is(e->kind, "payment.reversed"))
        ended(seen, story);
    seen->held.profile = seen->profile;
    held_check_event(check->world, &seen->held, e);
    check_not_too_soon(check->world, story, &seen->sent_us, e);
}

void rules_check_payment(struct rules_check *check, const struct story *story,
                         const struct payment_row *p, size_t attempts)
{
    if (story == NULL)
        return;
    struct seen *seen = &check->seen[story->number];
    seen->captured = p->captured > 0;
    seen->attempts = attempts;
    if (!has(p->facts_json, "\"decision\":{\"result\":\""))
        wrong(check->world, p->id, "its row does not say how it was decided");
}

/* --- open, close -------------------------------------------------------------------------------
 */

struct rules_check *rules_check_open(struct world *world)
{
    struct rules_check *check = calloc(1, sizeof *check);
    size_t payments = world->options->payments;
    ENSURE(check != NULL);
    check->world = world;
    check->stories = map_open(payments + 16, 1);
    check->counters = map_open(payments * MARKS_MAX + 64, 1);
    check->used = map_open(payments + 16, 1);
    check->seen = calloc(payments, sizeof *check->seen);
    ENSURE(check->stories != NULL && check->counters != NULL && check->used != NULL &&
           check->seen != NULL);
    for (size_t i = 0; i < payments; i++)
        if (world->stories[i].payment != 0)
            IGNORE_STATUS(map_put(check->stories, view_of(&world->stories[i].payment, 8),
                                  (void *)(uintptr_t)(i + 1)));
    return check;
}

/* The words that decided a payment can be read, and the newest are those in force. */
static void check_history(struct rules_check *check)
{
    struct world *world = check->world;
    const struct rulebook *book = world->options->rules;
    int64_t after = 0;
    bool more = true;
    while (more) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        struct store_read page = { .question = STORE_PROFILES, .arena = &arena, .after = after };
        ENSURE(world_read(world, &page) == STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            enum rules_text text = rulebook_by_version(book, page.profiles[i].version);
            if (after == 0 && i == 0 && text != rules_side_now(world->rules))
                wrong(
                    world, 0, "the newest version in the history is %.*s, and another is in force",
                    (int)page.profiles[i].version.len, (const char *)page.profiles[i].version.ptr);
            (void)map_take(check->used, page.profiles[i].content_hash);
        }
        after = page.count > 0 ? page.profiles[page.count - 1].seq : 0;
        more = page.more;
        arena_reset(&arena);
    }
    size_t position = 0;
    struct view hash;
    void *payment;
    while (map_next(check->used, &position, &hash, &payment))
        wrong(world, (int64_t)(uintptr_t)payment,
              "the text that decided it, %.*s, is not in the history", (int)hash.len,
              (const char *)hash.ptr);
}

void rules_check_close(struct rules_check *check)
{
    struct world *world = check->world;
    size_t position = 0;
    struct view key;
    void *value;
    for (uint32_t i = 0; i < world->options->payments; i++) {
        const struct seen *seen = &check->seen[i];
        const struct story *story = &world->stories[i];
        if (seen->reports > 0)
            wrong(world, story->payment, "%zu reports are missing", seen->reports);
        if (seen->attempts > 0 && seen->of_payer && !story->hold.said_yes)
            wrong(world, story->payment, "it was sent, and its payer has not said yes");
        if (seen->attempts > 0 && seen->of_operator &&
            !rules_side_approved(world->rules, story->payment))
            wrong(world, story->payment, "it was sent, and no operator has said yes");
        world_tally(world, "%s%s", seen->of_payer || seen->of_operator ? "held" : "not held",
                    seen->attempts > 0 ? " and sent" : "");
    }
    check_history(check);
    while (map_next(check->counters, &position, &key, &value)) {
        free(((struct counter *)value)->parts);
        free(value);
    }
    map_close(check->counters);
    map_close(check->stories);
    map_close(check->used);
    free(check->seen);
    free(check);
}
