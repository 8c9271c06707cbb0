/* explain.c - `railgate explain`: a request is decided as the gateway would, and every rule that
 * was looked at is shown with its facts, its figure, its source and what became of it.
 *
 * Nothing is recorded and nothing is sent. What depends on other payments is told as "counted": it
 * is decided when the payment is recorded.
 *
 * The rules are collected while compliance_decide runs (compliance_watch), the channels are opened
 * as `check` opens them (dry.h); all of them are taken as healthy, since whether one is can only
 * the running gateway say.
 */
#include "main/cli.h"

#include "base/ensure.h"
#include "base/json_out.h"
#include "domain/refs.h"
#include "domain/time.h"
#include "main/deciding.h"
#include "main/dry.h"
#include "main/paint.h"
#include "main/policy.h"
#include "main/replace.h"
#include "route/route.h"

#include <stdlib.h>

#define REQUEST_BYTES_MAX ((size_t)256 * 1024)
#define OUT_BYTES         ((size_t)1024 * 1024)
#define SEEN_MAX          1024
#define DETAILS_BYTES     8192

struct explain {
    const char *config, *region, *at;
    bool json;
    struct arena arena;
    struct settings *settings;
    struct policy *policy;
    struct dry dry;
    const struct profile *profile;
    struct compliance_facts facts;
    struct screened screened;
    struct decision decision;
    struct rule_seen *seen;
    size_t seen_count;
    struct route route;
    struct route_candidate candidates[ROUTE_CANDIDATES_MAX];
    struct route_question question;
};

/* --- deciding -------------------------------------------------------------------------------- */

static const char *kept(struct explain *e, const char *text)
{
    const char *copy = arena_text(&e->arena, view_text(text));
    return copy != NULL ? copy : "";
}

static void saw(void *arg, const struct rule_seen *seen)
{
    struct explain *e = arg;
    if (e->seen_count == SEEN_MAX)
        return;
    struct rule_seen *row = &e->seen[e->seen_count++];
    *row = *seen;
    row->section = kept(e, seen->section);
    row->rule = kept(e, seen->rule);
    row->figure = kept(e, seen->figure);
    row->facts = kept(e, seen->facts);
    row->source = kept(e, seen->source);
}

/* What the request says of the method, under the names that the adapters know where these are the
 * same. The others are as good as not asked for (ROUTE_DETAILS_SOME). */
static struct view details_of(struct explain *e, const struct json_node *root)
{
    const struct json_node *method = json_member(root, "method");
    const struct json_node *body = json_member(method, rail_word(e->facts.rail));
    uint8_t *room = arena_alloc(&e->arena, DETAILS_BYTES);
    struct writer w = writer_over(room, room != NULL ? DETAILS_BYTES : 0);
    for (const struct json_node *at = body != NULL ? body->first : NULL; at != NULL; at = at->next)
        if ((at->kind == JSON_TEXT || at->kind == JSON_NUMBER) && at->key.len > 0 &&
            at->key.len <= REFS_NAME_MAX && at->text.len <= REFS_VALUE_MAX)
            refs_put(&w, at->key, at->text, 0);
    return w.overflow ? VIEW_EMPTY : writer_done(&w);
}

static void pick_channel(struct explain *e, const struct json_node *root)
{
    struct view capture = VIEW_EMPTY;
    IGNORE_STATUS(json_text(json_member(root, "capture"), &capture));
    e->question =
        (struct route_question){ .operation = view_is(capture, "manual") ? OPERATION_AUTHORISE
                                                                         : OPERATION_SALE,
                                 .rail = e->facts.rail,
                                 .amount = e->facts.amount,
                                 .region = view_text(e->decision.profile),
                                 .details_are = ROUTE_DETAILS_SOME,
                                 .details = details_of(e, root) };
    size_t count = channels_count(e->dry.channels);
    count = count > ROUTE_CANDIDATES_MAX ? ROUTE_CANDIDATES_MAX : count;
    for (size_t i = 0; i < count; i++) {
        const struct channel *channel = channels_at(e->dry.channels, i);
        struct channel_ability ability;
        struct channel_health health;
        channel_ability(channel, e->question.operation, &ability);
        channel_health(channel, &health);
        e->candidates[i] = (struct route_candidate){
            .settings = channel_settings_of(channel),
            .able = ability.able && channel_takes_currency(channel, e->question.operation,
                                                           e->facts.amount.currency->code),
            .amount_minor_max = ability.amount_minor_max,
            .healthy = true,
            .in_flight_max = health.in_flight_max > 0 ? health.in_flight_max : 1
        };
    }
    route_pick(&e->question, e->candidates, count, &e->route);
}

static bool decide(struct explain *e, const char *path, int64_t at_us)
{
    struct view text, region = view_text(e->region);
    const struct json_node *root = NULL;
    struct json_error error;
    char sentence[512];
    struct writer why = writer_over(sentence, sizeof sentence);
    enum status status = file_read(path, REQUEST_BYTES_MAX, &e->arena, &text);
    if (status != STATUS_OK) {
        fprintf(stderr, "railgate explain: %s cannot be read: %s\n", path, status_text(status));
        return false;
    }
    if (json_read(text, NULL, &e->arena, &root, &error) != STATUS_OK) {
        fprintf(stderr, "railgate explain: %s is not acceptable JSON, at byte %zu: %s\n", path,
                error.offset, error.message);
        return false;
    }
    if (deciding_facts(root, e->settings, at_us, &e->facts, &why) != STATUS_OK) {
        fprintf(stderr, "railgate explain: %s: %.*s\n", path, (int)why.len, sentence);
        return false;
    }
    if (region.len == 0)
        IGNORE_STATUS(json_text(json_member(root, "region"), &region));
    e->profile = policy_profile(e->policy, region);
    e->seen = arena_alloc(&e->arena, SEEN_MAX * sizeof *e->seen);
    if (e->seen == NULL)
        return false;
    struct compliance_watch watch = { .saw = saw, .arg = e };
    policy_look_up(e->policy, e->profile, &e->facts, &e->screened);
    compliance_decide(e->profile, &e->facts, &watch, &e->decision);
    pick_channel(e, root);
    return true;
}

/* --- words ----------------------------------------------------------------------------------- */

static const char *state_word(enum rule_state state)
{
    switch (state) {
    case RULE_FIRED: return "fired";
    case RULE_NOT_FIRED: return "not fired";
    case RULE_NOT_ABOUT_IT: return "not about it";
    case RULE_UNKNOWN: return "fact missing";
    case RULE_RESERVES: return "counted";
    }
    return "?";
}

static enum colour state_colour(const struct rule_seen *seen)
{
    switch (seen->state) {
    case RULE_FIRED: return colour_of_verdict(seen->verdict);
    case RULE_UNKNOWN: return COLOUR_RED;
    case RULE_RESERVES: return COLOUR_BLUE;
    case RULE_NOT_FIRED: return COLOUR_GREEN;
    case RULE_NOT_ABOUT_IT: return COLOUR_DIM;
    }
    return COLOUR_DIM;
}

static const char *per_word(enum settings_per per)
{
    static const char *const words[] = { "?",       "payment", "payer",   "payee",
                                         "account", "device",  "merchant" };
    return (size_t)per < COUNT_OF(words) ? words[per] : "?";
}

/* "per payer, 24 h, at most 1000.00 EUR, at most 5 payments" */
static void reservation_words(struct writer *w, const struct explain *e,
                              const struct reservation *r)
{
    const struct currency *currency = e->facts.amount.currency;
    if (r->kind == RESERVE_RESET) {
        writer_text(w, "begins anew when the payment goes ahead");
        return;
    }
    writer_format(w, "per %s", per_word(r->per));
    if (r->kind == RESERVE_SLIDING && r->window_us > 86400 * LOOP_US_PER_S &&
        r->window_us % (86400 * LOOP_US_PER_S) == 0)
        writer_format(w, ", the last %lld days",
                      (long long)(r->window_us / (86400 * LOOP_US_PER_S)));
    else if (r->kind == RESERVE_SLIDING && r->window_us % (3600 * LOOP_US_PER_S) == 0)
        writer_format(w, ", the last %lld hours",
                      (long long)(r->window_us / (3600 * LOOP_US_PER_S)));
    else if (r->kind == RESERVE_SLIDING)
        writer_format(w, ", the last %lld minutes",
                      (long long)(r->window_us / (60 * LOOP_US_PER_S)));
    else if (r->kind == RESERVE_SINCE_AUTHENTICATION)
        writer_text(w, ", since the last authentication");
    else {
        writer_text(w, ", since ");
        time_format(w, r->start_us);
    }
    if (r->amount_max >= 0) {
        writer_text(w, ", at most ");
        money_format(w, (struct money){ r->amount_max, currency });
    }
    if (r->amount_from >= 0) {
        writer_text(w, ", fires from ");
        money_format(w, (struct money){ r->amount_from, currency });
    }
    if (r->count_max > 0)
        writer_format(w, ", at most %lld payments", (long long)r->count_max);
}

/* --- text ------------------------------------------------------------------------------------ */

static void print_line(const char *name, struct view value)
{
    printf("  %-10s ", name);
    print_safe(stdout, value);
    printf("\n");
}

static void print_head(const struct explain *e)
{
    struct paint paint = paint_for(stdout);
    char text[256];
    struct writer w = writer_over(text, sizeof text);
    money_format(&w, e->facts.amount);
    printf("%s%s%s%s%s  %s  %.*s\n", paint_begin(&paint, COLOUR_BOLD),
           e->profile != NULL ? e->decision.profile : "no profile", paint_end(&paint),
           e->profile != NULL ? " version " : "", e->profile != NULL ? e->decision.version : "",
           rail_word(e->facts.rail), (int)w.len, text);
    w.len = 0;
    time_format(&w, e->facts.wall_us);
    print_line("at", writer_done(&w));
    if (e->profile != NULL) {
        print_line("profile", view_text(profile_settings(e->profile)->file));
        print_line("hash", view_text(e->decision.content_hash));
    }
}

static void print_rules(const struct explain *e)
{
    struct paint paint = paint_for(stdout);
    size_t width = 0;
    for (size_t i = 0; i < e->seen_count; i++)
        width = strlen(e->seen[i].rule) > width ? strlen(e->seen[i].rule) : width;
    const char *section = "";
    for (size_t i = 0; i < e->seen_count; i++) {
        const struct rule_seen *seen = &e->seen[i];
        if (strcmp(section, seen->section) != 0)
            printf("\n%s%s%s\n", paint_begin(&paint, COLOUR_BOLD), seen->section,
                   paint_end(&paint));
        section = seen->section;
        bool last = i + 1 == e->seen_count || strcmp(e->seen[i + 1].section, section) != 0;
        bool says = seen->state == RULE_FIRED || seen->state == RULE_UNKNOWN;
        printf("%s %-*s  %s%s%s", last ? "`-" : "|-", (int)width, seen->rule,
               paint_begin(&paint, state_colour(seen)), state_word(seen->state), paint_end(&paint));
        if (says || seen->figure[0] != '\0') {
            int gap = 12 - (int)strlen(state_word(seen->state));
            printf("%*s %s", gap, "", says ? verdict_word(seen->verdict) : "");
        }
        if (seen->figure[0] != '\0') {
            int gap = 10 - (int)(says ? strlen(verdict_word(seen->verdict)) : 0);
            printf("%*s", gap > 0 ? gap : 1, "");
            print_safe(stdout, view_text(seen->figure));
        }
        printf("\n");
        if (seen->state == RULE_NOT_ABOUT_IT ||
            (seen->state == RULE_NOT_FIRED && seen->figure[0] == '\0'))
            continue;
        const char *stem = last ? " " : "|";
        printf("%s", paint_begin(&paint, COLOUR_DIM));
        if (seen->facts[0] != '\0') {
            printf("%s    facts   ", stem);
            print_safe(stdout, view_text(seen->facts));
            printf("\n");
        }
        if (seen->source[0] != '\0' || seen->verify) {
            printf("%s    source  ", stem);
            print_safe(stdout, view_text(seen->source));
            printf("%s\n", seen->verify ? " (to be verified)" : "");
        }
        printf("%s", paint_end(&paint));
    }
}

static void print_hits(const char *who, const struct screened_party *party)
{
    for (size_t i = 0; i < party->count; i++) {
        const struct screening_hit *hit = &party->hits[i];
        printf("  %-6s %3u  %s ", who, hit->score, hit->list);
        print_safe(stdout, view_text(hit->entry));
        printf("  ");
        print_safe(stdout, view_text(hit->name));
        printf("%s\n              ", hit->alias ? " (alias)" : "");
        print_safe(stdout, view_text(hit->reason));
        printf("\n");
    }
}

static void print_decision(const struct explain *e)
{
    const struct decision *d = &e->decision;
    struct paint paint = paint_for(stdout);
    printf("\n%sdecision%s  %s%s%s\n", paint_begin(&paint, COLOUR_BOLD), paint_end(&paint),
           paint_begin(&paint, colour_of_verdict(d->verdict)), verdict_word(d->verdict),
           paint_end(&paint));
    for (size_t i = 0; i < d->reason_count; i++) {
        printf("  %-9s %s: ", verdict_word(d->reasons[i].verdict), d->reasons[i].rule);
        print_safe(stdout, view_text(d->reasons[i].text));
        printf("\n");
    }
    if (d->exemption[0] != '\0')
        printf("  exempt    from authentication by %s\n", d->exemption);
    for (size_t i = 0; i < d->report_count; i++) {
        printf("  report    %s: ", d->reports[i].rule);
        print_safe(stdout, view_text(d->reports[i].text));
        printf("\n");
    }
    if (d->reservation_count > 0)
        printf("\n%scounted when recorded%s\n", paint_begin(&paint, COLOUR_BOLD),
               paint_end(&paint));
    for (size_t i = 0; i < d->reservation_count; i++) {
        const struct reservation *r = &d->reservations[i];
        char text[400];
        struct writer w = writer_over(text, sizeof text);
        reservation_words(&w, e, r);
        printf("  %s: %.*s", r->rule, (int)w.len, text);
        if (r->kind != RESERVE_RESET)
            printf("; else %s",
                   r->verdict == VERDICT_ALLOW ? "a report" : verdict_word(r->verdict));
        printf("\n");
    }
    if (e->screened.payer.count + e->screened.payee.count > 0) {
        printf("\n%sscreening hits%s\n", paint_begin(&paint, COLOUR_BOLD), paint_end(&paint));
        print_hits("payer", &e->screened.payer);
        print_hits("payee", &e->screened.payee);
    }
}

static void why_picked(struct writer *w, const struct explain *e)
{
    route_explain(&e->route, &e->question, e->candidates, 0, w);
}

static const char *name_at(const struct explain *e, size_t row)
{
    return e->candidates[e->route.rows[row].index].settings->name;
}

static void print_route(const struct explain *e)
{
    struct paint paint = paint_for(stdout);
    printf("\n%schannel%s  ", paint_begin(&paint, COLOUR_BOLD), paint_end(&paint));
    if (e->route.usable > 0) {
        char text[ROUTE_WHY_MAX];
        struct writer w = writer_over(text, sizeof text);
        why_picked(&w, e);
        printf("%s: %.*s%s\n", name_at(e, 0), (int)w.len, text,
               e->decision.verdict == VERDICT_DENY ? " (were it not denied)" : "");
    } else {
        printf("none can carry it\n");
    }
    for (size_t i = e->route.usable; i < e->route.count; i++)
        printf("  %s %s\n", name_at(e, i), e->route.rows[i].reason);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_rules(struct json_out *j, const struct explain *e)
{
    json_open_array(j, "rules");
    for (size_t i = 0; i < e->seen_count; i++) {
        const struct rule_seen *seen = &e->seen[i];
        json_open_object(j, NULL);
        json_put_text(j, "section", view_text(seen->section));
        json_put_text(j, "rule", view_text(seen->rule));
        json_put_text(j, "state", view_text(state_word(seen->state)));
        json_put_text(j, "says", view_text(verdict_word(seen->verdict)));
        json_put_text_if(j, "figure", view_text(seen->figure));
        json_put_text_if(j, "facts", view_text(seen->facts));
        json_put_text_if(j, "source", view_text(seen->source));
        if (seen->verify)
            json_put_bool(j, "verify", true);
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_decision(struct json_out *j, const struct explain *e)
{
    const struct decision *d = &e->decision;
    json_put_text(j, "result", view_text(verdict_word(d->verdict)));
    json_open_array(j, "reasons");
    for (size_t i = 0; i < d->reason_count; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "rule", view_text(d->reasons[i].rule));
        json_put_text(j, "result", view_text(verdict_word(d->reasons[i].verdict)));
        json_put_text(j, "text", view_text(d->reasons[i].text));
        json_put_text_if(j, "source", view_text(d->reasons[i].source));
        json_close_object(j);
    }
    json_close_array(j);
    json_put_text_if(j, "exemption", view_text(d->exemption));
    json_put_bool(j, "authentication_needed", d->authentication_needed);
    json_open_array(j, "reports");
    for (size_t i = 0; i < d->report_count; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "rule", view_text(d->reports[i].rule));
        json_put_text(j, "text", view_text(d->reports[i].text));
        json_close_object(j);
    }
    json_close_array(j);
    json_open_array(j, "counted_when_recorded");
    for (size_t i = 0; i < d->reservation_count; i++) {
        char text[400];
        struct writer w = writer_over(text, sizeof text);
        reservation_words(&w, e, &d->reservations[i]);
        json_open_object(j, NULL);
        json_put_text(j, "rule", view_text(d->reservations[i].rule));
        json_put_text(j, "figure", writer_done(&w));
        if (d->reservations[i].kind != RESERVE_RESET)
            json_put_text(j, "else", view_text(verdict_word(d->reservations[i].verdict)));
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_hits(struct json_out *j, const char *who, const struct screened_party *party)
{
    for (size_t i = 0; i < party->count; i++) {
        const struct screening_hit *hit = &party->hits[i];
        json_open_object(j, NULL);
        json_put_text(j, "party", view_text(who));
        json_put_text(j, "list", view_text(hit->list));
        json_put_text(j, "entry", view_text(hit->entry));
        json_put_text(j, "name", view_text(hit->name));
        json_put_i64(j, "score", hit->score);
        json_put_text(j, "reason", view_text(hit->reason));
        json_close_object(j);
    }
}

static bool print_json(struct explain *e)
{
    char *text = arena_alloc(&e->arena, OUT_BYTES), why[ROUTE_WHY_MAX];
    struct writer w = writer_over(text, text != NULL ? OUT_BYTES : 0);
    struct writer route = writer_over(why, sizeof why);
    struct json_out j;
    json_out_init(&j, &w);
    json_open_object(&j, NULL);
    json_put_text(&j, "profile", view_text(e->decision.profile));
    json_put_text(&j, "version", view_text(e->decision.version));
    json_put_text(&j, "content_hash", view_text(e->decision.content_hash));
    json_put_time(&j, "at", e->facts.wall_us);
    put_decision(&j, e);
    put_rules(&j, e);
    json_open_array(&j, "screening_hits");
    put_hits(&j, "payer", &e->screened.payer);
    put_hits(&j, "payee", &e->screened.payee);
    json_close_array(&j);
    if (e->route.usable > 0) {
        why_picked(&route, e);
        json_open_object(&j, "channel");
        json_put_text(&j, "name", view_text(name_at(e, 0)));
        json_put_text(&j, "why", writer_done(&route));
        json_close_object(&j);
    } else {
        json_put_null(&j, "channel");
    }
    json_open_array(&j, "channels_passed_over");
    for (size_t i = e->route.usable; i < e->route.count; i++) {
        json_open_object(&j, NULL);
        json_put_text(&j, "name", view_text(name_at(e, i)));
        json_put_text(&j, "why", view_text(e->route.rows[i].reason));
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
    writer_text(&w, "\n");
    cli_print(writer_done(&w));
    return !w.overflow;
}

/* --- the command ----------------------------------------------------------------------------- */

static bool prepare(struct explain *e)
{
    char *text = arena_alloc(&e->arena, 65536);
    struct writer why = writer_over(text, text != NULL ? 65536 : 0);
    struct findings findings;
    e->settings = cli_settings_load(e->config);
    if (e->settings == NULL)
        return false;
    findings_init(&findings);
    enum status status = policy_open(e->settings, &findings, NULL, &e->policy);
    if (status != STATUS_OK)
        cli_print_findings(&findings, stderr);
    findings_clear(&findings);
    if (status != STATUS_OK)
        return false;
    if (dry_open(&e->dry, e->settings, &why) != STATUS_OK)
        return false;
    fprintf(stderr, "%.*s", (int)why.len, text); /* the decision can be shown all the same */
    return true;
}

static int explain(struct explain *e, const char *path, int64_t at_us)
{
    if (!prepare(e) || !decide(e, path, at_us))
        return EXIT_COULD_NOT;
    if (e->json)
        return print_json(e) ? EXIT_GOOD : EXIT_COULD_NOT;
    print_head(e);
    print_rules(e);
    print_decision(e);
    print_route(e);
    return EXIT_GOOD;
}

int command_explain(int argc, char **argv)
{
    struct explain *e = calloc(1, sizeof *e);
    if (e == NULL)
        return EXIT_COULD_NOT;
    e->config = "config";
    e->region = "";
    const struct option_row rows[] = {
        OPTION_CONFIG(&e->config),
        { "region", "NAME", "Profile to decide by. Default: the request's, else the configured one",
          &e->region, NULL },
        { "at", "TIME", "Decide as of then, e.g. 2026-03-01T21:30:00Z. Default: now", &e->at,
          NULL },
        { "json", NULL, "Print one JSON object.", NULL, &e->json },
    };
    const struct usage usage = {
        .command = "explain",
        .sentence = "Decides a request (the body of POST /v1/payments; - reads standard input) and "
                    "shows every rule that\nwas looked at. Nothing is recorded or sent.",
        .arguments = "REQUEST.json",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .arguments_max = 1
    };
    int count, code;
    int64_t at_us = deciding_now();
    enum options_result read = options_read(&usage, argc, argv, &count);
    if (read != OPTIONS_GO) {
        code = read == OPTIONS_HELP ? EXIT_GOOD : EXIT_COULD_NOT;
    } else if (count != 1) {
        fprintf(stderr, "railgate explain: give a file with a request, or - for standard input.\n");
        code = EXIT_COULD_NOT;
    } else if (e->at != NULL && !deciding_time(e->at, &at_us)) {
        fprintf(stderr, "railgate explain: --at takes a time like 2026-03-01T21:30:00Z.\n");
        code = EXIT_COULD_NOT;
    } else {
        arena_init(&e->arena, (size_t)32 * 1024 * 1024);
        code = explain(e, argv[1], at_us);
        dry_close(&e->dry);
        policy_free(e->policy);
        arena_reset(&e->arena);
        settings_free(e->settings);
    }
    free(e);
    return code;
}
