/* compile_lists.c - the entries of a profile's lists -> rules with their conditions read, their
 * rails as bits, and their ids as they are told.
 *
 * The order is that of evaluation. What could not mean anything (a limit without a figure, one that
 * sums but has no window, hours of no length, an id given twice) is an error at the entry.
 */
#include "base/ensure.h"
#include "base/map.h"
#include "compliance/compile_int.h"

/* Where an entry was written; made from each list's own struct. */
struct place {
    const char *file;
    uint32_t line, column;
};
#define PLACE(s)                                                                                   \
    ((struct place){                                                                               \
        .file = (s)->file != NULL ? (s)->file : "", .line = (s)->line, .column = (s)->column })

#define COMPLAIN(c, place, id, ...)                                                                \
    finding_add((c)->findings, FINDING_ERROR, (place).file, (place).line, (place).column, (id),    \
                __VA_ARGS__)

/* What all rules have. name: NULL: the prefix is the whole id. */
static enum status head_make(const struct compiler *c, struct rule_head *head, struct place place,
                             const char *prefix, const char *name, const char *source,
                             const struct settings_list *rails, const struct settings_clauses *when)
{
    struct view id =
        name != NULL ? arena_format(c->arena, "%s.%s", prefix, name) : view_text(prefix);
    char *text = arena_text(c->arena, id);
    if (text == NULL)
        return STATUS_NO_MEMORY;
    *head = (struct rule_head){ .id = text,
                                .source = source != NULL ? source : "",
                                .verdict = VERDICT_DENY };
    if (!rails_read(rails, &head->rails))
        COMPLAIN(c, place, "profile.rail", "%s: a rail is one of card, qr, bank, cbdc", text);
    if (when == NULL)
        return STATUS_OK;
    return clauses_read(when, place.file, c->arena, c->findings, &head->when);
}

static void hours_check(const struct compiler *c, struct place place, const char *id,
                        const struct settings_hours *hours)
{
    if (hours->given && hours->from_s == hours->until_s)
        COMPLAIN(c, place, "profile.hours",
                 "%s: hours that begin and end at the same time have no length; leave `hours` out "
                 "if it always counts",
                 id);
}

static void then_apply(struct rule_head *head, int then)
{
    switch (then) {
    case SETTINGS_THEN_REVIEW: head->verdict = VERDICT_REVIEW; break;
    case SETTINGS_THEN_CHALLENGE: head->verdict = VERDICT_CHALLENGE; break;
    default: head->verdict = VERDICT_DENY; break;
    }
}

/* Heads of one list lie `step` bytes apart. */
static void ids_check(const struct compiler *c, const struct rule_head *heads, size_t step,
                      size_t count, struct place (*place)(const struct compiler *, size_t))
{
    for (size_t i = 1; i < count; i++) {
        const struct rule_head *later = (const void *)((const uint8_t *)heads + i * step);
        for (size_t j = 0; j < i; j++) {
            const struct rule_head *earlier = (const void *)((const uint8_t *)heads + j * step);
            if (strcmp(earlier->id, later->id) != 0)
                continue;
            COMPLAIN(c, place(c, i), "profile.id_twice", "there is a %s already, at line %u",
                     later->id, (unsigned)place(c, j).line);
            break;
        }
    }
}

/* --- kyc.tiers ----------------------------------------------------------------------------- */

/* Which payments a tier's sums are over: all with the same rails and conditions, so that a payer
 * who is moved to another tier in the middle of a day keeps what was spent. Stable over versions.
 */
static uint64_t tier_scope(const struct tier_settings *s)
{
    uint64_t scope = 0;
    for (size_t i = 0; i < s->rails.count; i++)
        scope += siphash(1, 0, view_text(s->rails.items[i])); /* in any order */
    for (size_t i = 0; i < s->when.count; i++)
        scope += siphash(2, 0, view_text(s->when.items[i].text));
    return scope;
}

static const char *tier_counter(const struct compiler *c, const char *window, uint64_t scope)
{
    return arena_text(c->arena, scope == 0 ? view_text(window)
                                           : arena_format(c->arena, "%s.%08x", window,
                                                          (unsigned)(scope ^ (scope >> 32))));
}

static void tier_twice(const struct compiler *c, size_t at)
{
    const struct tier_settings *later = &c->region->tiers[at];
    for (size_t i = 0; i < at; i++) {
        const struct tier_settings *earlier = &c->region->tiers[i];
        if (earlier->tier == later->tier && tier_scope(earlier) == tier_scope(later)) {
            COMPLAIN(c, PLACE(later), "profile.id_twice",
                     "there is a tier %d with the same rails and conditions already, at line %u",
                     (int)later->tier, (unsigned)earlier->line);
            return;
        }
    }
}

static enum status compile_tiers(const struct compiler *c)
{
    size_t count = c->region->tiers_count;
    struct tier_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct tier_settings *s = &c->region->tiers[i];
        rules[i].s = s;
        TRY(head_make(c, &rules[i].head, PLACE(s), "kyc.tier", NULL, s->source, &s->rails,
                      &s->when));
        rules[i].head.verify = s->verify;
        uint64_t scope = tier_scope(s);
        rules[i].counter_day = tier_counter(c, "kyc.tier_day", scope);
        rules[i].counter_month = tier_counter(c, "kyc.tier_month", scope);
        rules[i].counter_year = tier_counter(c, "kyc.tier_year", scope);
        if (rules[i].counter_day == NULL || rules[i].counter_month == NULL ||
            rules[i].counter_year == NULL)
            return STATUS_NO_MEMORY;
        c->profile->tier_rails |= rules[i].head.rails;
        tier_twice(c, i);
    }
    c->profile->tiers = rules;
    c->profile->tiers_count = count;
    return STATUS_OK;
}

/* --- limits -------------------------------------------------------------------------------- */

static enum fact subject_of(enum settings_per per)
{
    switch (per) {
    case SETTINGS_PER_PAYMENT: return FACT_NONE;
    case SETTINGS_PER_PAYER: return FACT_PAYER_ID;
    case SETTINGS_PER_PAYEE: return FACT_PAYEE_ID;
    case SETTINGS_PER_ACCOUNT: return FACT_PAYER_ACCOUNT;
    case SETTINGS_PER_DEVICE: return FACT_DEVICE_ID;
    case SETTINGS_PER_MERCHANT: return FACT_MERCHANT;
    }
    ENSURE(false);
}

static void limit_check(const struct compiler *c, const struct limit_rule *rule)
{
    const struct limit_settings *s = rule->s;
    const char *id = rule->head.id;
    struct place place = PLACE(s);
    if (s->max.count + s->from.count + s->min.count == 0 && s->count == 0)
        COMPLAIN(c, place, "profile.limit", "%s has no figure: give max, from, min or count", id);
    if (s->per == SETTINGS_PER_PAYMENT) {
        if (s->window.kind != SETTINGS_WINDOW_NONE)
            COMPLAIN(c, place, "profile.limit",
                     "%s has a window but looks at each payment by itself; add per: payer (or "
                     "payee, account, device, merchant)",
                     id);
        if (s->count > 0)
            COMPLAIN(c, place, "profile.limit",
                     "%s has a count but looks at each payment by itself; add per and window", id);
    } else {
        if (s->window.kind == SETTINGS_WINDOW_NONE)
            COMPLAIN(c, place, "profile.limit",
                     "%s sums the payments of a %s: say how far back with window", id,
                     per_word((enum settings_per)s->per));
        if (s->min.count > 0)
            COMPLAIN(c, place, "profile.limit", "%s: min is for single payments (per: payment)",
                     id);
        if (s->window.kind == SETTINGS_WINDOW_SLIDING && s->window.us <= 0)
            COMPLAIN(c, place, "profile.limit", "%s: a window of no length", id);
    }
    hours_check(c, place, id, &s->hours);
}

static struct place limit_place(const struct compiler *c, size_t at)
{
    return PLACE(&c->region->limits[at]);
}

static enum status compile_limits(const struct compiler *c)
{
    size_t count = c->region->limits_count;
    struct limit_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct limit_settings *s = &c->region->limits[i];
        struct limit_rule *rule = &rules[i];
        rule->s = s;
        TRY(head_make(c, &rule->head, PLACE(s), "limit", s->id, s->source, &s->rails, &s->when));
        rule->head.verify = s->verify;
        rule->head.report = s->then == SETTINGS_THEN_LAST;
        then_apply(&rule->head, s->then);
        if (rule->head.report)
            rule->head.verdict = VERDICT_ALLOW;
        rule->any_currency = s->max.count + s->from.count + s->min.count == 0;
        rule->subject = subject_of((enum settings_per)s->per);
        limit_check(c, rule);
    }
    ids_check(c, &rules[0].head, sizeof *rules, count, limit_place);
    c->profile->limits = rules;
    c->profile->limits_count = count;
    return STATUS_OK;
}

/* --- authentication.exemptions ------------------------------------------------------------- */

static struct place exemption_place(const struct compiler *c, size_t at)
{
    /* Ids are compared in the order of evaluation, so the place goes by the rule's own settings. */
    return PLACE(c->profile->exemptions[at].s);
}

static enum status compile_exemptions(const struct compiler *c)
{
    size_t count = c->region->exemptions_count, filled = 0;
    struct exemption_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (int counting = 0; counting < 2; counting++) {
        for (size_t i = 0; i < count; i++) {
            const struct exemption_settings *s = &c->region->exemptions[i];
            bool counts = s->total.count > 0 || s->count > 0;
            if (counts != (counting == 1))
                continue;
            struct exemption_rule *rule = &rules[filled++];
            rule->s = s;
            rule->counts = counts;
            rule->subject =
                s->per == SETTINGS_EXEMPTION_PER_ACCOUNT ? FACT_PAYER_ACCOUNT : FACT_PAYER_ID;
            TRY(head_make(c, &rule->head, PLACE(s), "exemption", s->id, s->source, &s->rails,
                          &s->when));
            rule->head.verify = s->verify;
            rule->head.verdict = VERDICT_CHALLENGE; /* when its counters are used up */
        }
    }
    c->profile->exemptions = rules;
    c->profile->exemptions_count = count;
    ids_check(c, &rules[0].head, sizeof *rules, count, exemption_place);
    return STATUS_OK;
}

/* --- cross_border -------------------------------------------------------------------------- */

static struct place corridor_place(const struct compiler *c, size_t at)
{
    return PLACE(&c->region->corridors[at]);
}

static enum status compile_corridors(const struct compiler *c)
{
    size_t count = c->region->corridors_count;
    struct corridor_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct corridor_settings *s = &c->region->corridors[i];
        rules[i].s = s;
        TRY(head_make(c, &rules[i].head, PLACE(s), "corridor", s->id, s->source, &s->rails, NULL));
        rules[i].head.verify = s->verify;
        rules[i].head.verdict = (enum verdict)s->then;
        country_set_fill(&rules[i].from, &s->from);
        country_set_fill(&rules[i].to, &s->to);
    }
    ids_check(c, &rules[0].head, sizeof *rules, count, corridor_place);
    c->profile->corridors = rules;
    c->profile->corridors_count = count;
    return STATUS_OK;
}

static struct place field_place(const struct compiler *c, size_t at)
{
    return PLACE(&c->region->fields[at]);
}

static enum status compile_fields(const struct compiler *c)
{
    size_t count = c->region->fields_count;
    struct field_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct field_settings *s = &c->region->fields[i];
        struct place place = PLACE(s);
        rules[i].s = s;
        TRY(head_make(c, &rules[i].head, place, "field", s->id, s->source, &s->rails, &s->when));
        rules[i].head.verify = s->verify;
        then_apply(&rules[i].head, s->then);
        TRY(needs_read(&s->needs, place.file, c->arena, c->findings, &rules[i].needs,
                       &rules[i].needs_count));
        if (s->needs.count == 0)
            COMPLAIN(c, place, "profile.field", "%s needs nothing: name facts in `needs`",
                     rules[i].head.id);
    }
    ids_check(c, &rules[0].head, sizeof *rules, count, field_place);
    c->profile->fields = rules;
    c->profile->fields_count = count;
    return STATUS_OK;
}

/* --- rules --------------------------------------------------------------------------------- */

static struct place rule_place(const struct compiler *c, size_t at)
{
    return PLACE(&c->region->rules[at]);
}

static enum status compile_rules(const struct compiler *c)
{
    size_t count = c->region->rules_count;
    struct extra_rule *rules = arena_alloc(c->arena, (count + 1) * sizeof *rules);
    if (rules == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct rule_settings *s = &c->region->rules[i];
        struct rule_head *head = &rules[i].head;
        rules[i].s = s;
        TRY(head_make(c, head, PLACE(s), "rule", s->id, s->source, &s->rails, &s->when));
        head->verify = s->verify;
        head->report = s->then == SETTINGS_THEN_RULE_REPORT;
        then_apply(head, s->then);
        if (s->then == SETTINGS_THEN_LAST || head->report)
            head->verdict = VERDICT_ALLOW;
        hours_check(c, PLACE(s), head->id, &s->hours);
    }
    ids_check(c, &rules[0].head, sizeof *rules, count, rule_place);
    c->profile->rules = rules;
    c->profile->rules_count = count;
    return STATUS_OK;
}

enum status compile_lists(const struct compiler *c)
{
    TRY(compile_tiers(c));
    TRY(compile_limits(c));
    TRY(compile_exemptions(c));
    TRY(compile_corridors(c));
    TRY(compile_fields(c));
    return compile_rules(c);
}
