/* never.c - rules that can never fire: what an operator wrote and what no payment can meet.
 *
 * Of the conditions of a rule, those on one fact are looked at together. Whether a value meets all
 * of them is tried out with the few values that can make a difference: those that are written, for
 * numbers also their neighbours, for words all choices. Values that the profile does not allow
 * (rails, currencies) are not tried. So a warning is never wrong; that there is none proves
 * nothing, since facts are looked at one by one.
 */
#include "base/ensure.h"
#include "compliance/compile_int.h"
#include "domain/time.h"

/* What is checked: one rule of the profile. */
struct subject {
    const struct profile *profile;
    struct findings *findings;
    const struct rule_head *head;
    const char *file;
    uint32_t line, column;
    enum settings_scope scope; /* of fields; ANY for others */
};

#define WARN(s, ...)                                                                               \
    finding_add((s)->findings, FINDING_WARNING, (s)->file, (s)->line, (s)->column,                 \
                "profile.never_fires", __VA_ARGS__)

/* --- values that make a difference --------------------------------------------------------- */

/* A value that a fact might have. */
struct candidate {
    struct view text;
    bool prefix; /* any text that begins so */
    int64_t number;
    const struct currency *currency;
};

static int64_t date_number(struct view text)
{
    uint64_t year = 0, month = 0, day = 0;
    /* It was checked when it was read; "08" is no decimal number to view_to_u64. */
    for (size_t i = 0; i < 4; i++)
        year = year * 10 + (uint64_t)(text.ptr[i] - '0');
    month = (uint64_t)(text.ptr[5] - '0') * 10 + (uint64_t)(text.ptr[6] - '0');
    day = (uint64_t)(text.ptr[8] - '0') * 10 + (uint64_t)(text.ptr[9] - '0');
    const struct civil c = { .year = (int32_t)year, .month = (int32_t)month, .day = (int32_t)day };
    return civil_to_us(&c) / INT64_C(86400000000);
}

static int64_t value_number(enum fact_type type, const struct clause_value *value)
{
    return type == FACT_TYPE_DATE ? date_number(value->text) : value->number;
}

static bool text_fits(const struct clause_value *value, const struct candidate *candidate)
{
    if (value->prefix)
        return view_starts_with(candidate->text, value->text);
    return !candidate->prefix && view_equal(candidate->text, value->text);
}

static bool number_fits(const struct clause *clause, enum fact_type type,
                        const struct candidate *candidate)
{
    const struct clause_value *value = &clause->values[0];
    int64_t limit = value_number(type, value);
    if (type == FACT_TYPE_MONEY && value->currency != candidate->currency)
        return false;
    switch (clause->op) {
    case CLAUSE_GREATER: return candidate->number > limit;
    case CLAUSE_GREATER_EQUAL: return candidate->number >= limit;
    case CLAUSE_LESS: return candidate->number < limit;
    case CLAUSE_LESS_EQUAL: return candidate->number <= limit;
    default: ENSURE(false);
    }
}

static bool listed_fits(const struct clause *clause, enum fact_type type,
                        const struct candidate *candidate)
{
    bool is_text = type == FACT_TYPE_TEXT || type == FACT_TYPE_COUNTRY || type == FACT_TYPE_WORD;
    bool comparable = type != FACT_TYPE_MONEY;
    for (uint32_t i = 0; i < clause->count; i++) {
        const struct clause_value *value = &clause->values[i];
        bool same_currency = type != FACT_TYPE_MONEY || value->currency == candidate->currency;
        comparable = comparable || same_currency;
        bool same = is_text ? text_fits(value, candidate)
                            : same_currency && value_number(type, value) == candidate->number;
        if (same)
            return clause->op == CLAUSE_EQUAL;
    }
    return clause->op == CLAUSE_NOT_EQUAL && comparable;
}

/* May a payment of this rule and profile have the value at all? */
static bool allowed(const struct subject *s, enum fact fact, const struct candidate *candidate)
{
    const struct profile *p = s->profile;
    enum rail rail;
    if (fact_row(fact)->type == FACT_TYPE_FLAG && (candidate->number < 0 || candidate->number > 1))
        return false;
    if (fact == FACT_RAIL)
        return rail_parse(candidate->text, &rail) == STATUS_OK &&
               (p->rails & s->head->rails & RAIL_BIT(rail)) != 0;
    if (fact == FACT_CROSS_BORDER && s->scope != SETTINGS_ANY_SCOPE)
        return (candidate->number != 0) == (s->scope == SETTINGS_CROSS_BORDER);
    if (fact == FACT_AMOUNT && candidate->number < 0)
        return false;
    if ((fact != FACT_AMOUNT && fact != FACT_CURRENCY) || p->currencies_count == 0)
        return true;
    for (size_t i = 0; i < p->currencies_count; i++) {
        struct view code = view_text(p->currencies[i]->code);
        if (fact == FACT_AMOUNT ? p->currencies[i] == candidate->currency
                                : (candidate->prefix ? view_starts_with(code, candidate->text)
                                                     : view_equal(code, candidate->text)))
            return true;
    }
    return false;
}

static bool meets_all(const struct subject *s, const struct clauses *clauses, enum fact fact,
                      const struct candidate *candidate)
{
    enum fact_type type = fact_row(fact)->type;
    if (!allowed(s, fact, candidate))
        return false;
    for (size_t i = 0; i < clauses->count; i++) {
        const struct clause *clause = &clauses->items[i];
        if (clause->fact != fact || clause->op == CLAUSE_GIVEN)
            continue;
        bool listed = clause->op == CLAUSE_EQUAL || clause->op == CLAUSE_NOT_EQUAL;
        if (clause->op == CLAUSE_MISSING ||
            !(listed ? listed_fits(clause, type, candidate) : number_fits(clause, type, candidate)))
            return false;
    }
    return true;
}

/* Tries every value that one clause speaks of, and for numbers its neighbours. */
static bool clause_met(const struct subject *s, const struct clauses *clauses,
                       const struct clause *clause)
{
    enum fact_type type = fact_row(clause->fact)->type;
    bool text = type == FACT_TYPE_TEXT || type == FACT_TYPE_COUNTRY || type == FACT_TYPE_WORD;
    for (uint32_t i = 0; i < clause->count; i++) {
        const struct clause_value *value = &clause->values[i];
        struct candidate candidate = { value->text, value->prefix, 0, value->currency };
        if (text) {
            if (meets_all(s, clauses, clause->fact, &candidate))
                return true;
            continue;
        }
        int64_t number = value_number(type, value);
        for (int64_t step = -1; step <= 1; step++) {
            if (__builtin_add_overflow(number, step, &candidate.number))
                continue;
            if (meets_all(s, clauses, clause->fact, &candidate))
                return true;
        }
    }
    return false;
}

static bool any_choice_met(const struct subject *s, const struct clauses *clauses, enum fact fact)
{
    struct view rest = view_text(fact_row(fact)->choices);
    while (rest.len > 0) {
        size_t end = view_find(rest, '|');
        const struct candidate candidate = { .text = view_slice(rest, 0, end) };
        if (meets_all(s, clauses, fact, &candidate))
            return true;
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    return false;
}

/* --- the conditions on one fact ------------------------------------------------------------ */

struct asked {
    bool missing, given, equal, not_equal, sized;
};

static struct asked what_is_asked(const struct clauses *clauses, enum fact fact)
{
    struct asked asked = { 0 };
    for (size_t i = 0; i < clauses->count; i++) {
        if (clauses->items[i].fact != fact)
            continue;
        switch (clauses->items[i].op) {
        case CLAUSE_MISSING: asked.missing = true; break;
        case CLAUSE_GIVEN: asked.given = true; break;
        case CLAUSE_EQUAL: asked.equal = true; break;
        case CLAUSE_NOT_EQUAL: asked.not_equal = true; break;
        default: asked.sized = true; break;
        }
    }
    return asked;
}

static bool has_default(enum fact fact)
{
    return fact == FACT_INITIATOR || fact == FACT_CASH || fact == FACT_AUTHENTICATED;
}

static bool can_hold(const struct subject *s, const struct clauses *clauses, enum fact fact)
{
    const struct fact_row *row = fact_row(fact);
    struct asked asked = what_is_asked(clauses, fact);
    if (asked.missing)
        return !asked.given &&
               (has_default(fact) ||
                (!asked.equal && !asked.sized && (!asked.not_equal || !row->unknown_when_missing)));
    /* Whoever says nothing is not what `!=` names. */
    if (!asked.equal && !asked.sized && !asked.given && !row->unknown_when_missing &&
        !has_default(fact))
        return true;
    if (!asked.equal && !asked.sized && !asked.not_equal)
        return true;
    if (row->type == FACT_TYPE_WORD)
        return any_choice_met(s, clauses, fact);
    if (!asked.equal && !asked.sized && row->type != FACT_TYPE_FLAG && row->type != FACT_TYPE_MONEY)
        return true; /* there is always a text or a number that is not named */
    for (size_t i = 0; i < clauses->count; i++) {
        if (clauses->items[i].fact == fact && clause_met(s, clauses, &clauses->items[i]))
            return true;
    }
    return false;
}

/* "`amount>100.00 EUR` and `amount<50.00 EUR`" */
static const struct settings_clause *name_clauses(const struct clauses *clauses, enum fact fact,
                                                  struct text *text)
{
    const struct settings_clause *last = NULL;
    text_start(text);
    for (size_t i = 0; i < clauses->count; i++) {
        if (clauses->items[i].fact != fact)
            continue;
        text_put(text, last != NULL ? " and `" : "`");
        text_put(text, clauses->items[i].written->text);
        text_put(text, "`");
        last = clauses->items[i].written;
    }
    return last;
}

static void check_conditions(const struct subject *s, const struct clauses *clauses)
{
    uint64_t looked_at = 0;
    for (size_t i = 0; i < clauses->count; i++) {
        enum fact fact = clauses->items[i].fact;
        if ((looked_at >> fact & 1) != 0)
            continue;
        looked_at |= UINT64_C(1) << fact;
        if (can_hold(s, clauses, fact))
            continue;
        struct text text;
        struct subject at = *s;
        const struct settings_clause *last = name_clauses(clauses, fact, &text);
        at.line = last->line;
        at.column = last->column;
        WARN(&at, "%s can never fire: no payment of this profile meets %s", s->head->id,
             text_done(&text));
    }
}

/* --- what the profile allows --------------------------------------------------------------- */

static void check_head(const struct subject *s)
{
    if ((s->head->rails & s->profile->rails) == 0)
        WARN(s, "%s can never fire: the profile allows none of its rails", s->head->id);
    else
        check_conditions(s, &s->head->when);
}

static void check_currencies(const struct subject *s, const struct settings_moneys *moneys)
{
    const struct profile *p = s->profile;
    for (size_t i = 0; i < moneys->count; i++) {
        bool known = p->currencies_count == 0;
        for (size_t j = 0; j < p->currencies_count; j++)
            known = known || p->currencies[j] == moneys->items[i].currency;
        if (known)
            continue;
        struct text text;
        text_start(&text);
        text_money(&text, moneys->items[i].minor, moneys->items[i].currency);
        WARN(s, "%s can never fire for %s: the profile does not allow %s", s->head->id,
             text_done(&text), moneys->items[i].currency->code);
    }
}

#define SUBJECT(profile_, findings_, rule)                                                         \
    ((struct subject){ .profile = (profile_),                                                      \
                       .findings = (findings_),                                                    \
                       .head = &(rule)->head,                                                      \
                       .file = (rule)->s->file != NULL ? (rule)->s->file : "",                     \
                       .line = (rule)->s->line,                                                    \
                       .column = (rule)->s->column,                                                \
                       .scope = SETTINGS_ANY_SCOPE })

static void check_tiers(const struct profile *p, struct findings *findings)
{
    for (size_t i = 0; i < p->tiers_count; i++) {
        const struct tier_settings *s = p->tiers[i].s;
        const struct subject subject = SUBJECT(p, findings, &p->tiers[i]);
        if (!entry_is_own(p->s, s->file))
            continue;
        check_head(&subject);
        check_currencies(&subject, &s->single);
        check_currencies(&subject, &s->day);
        check_currencies(&subject, &s->month);
        check_currencies(&subject, &s->year);
        check_currencies(&subject, &s->balance);
    }
}

static void check_limits(const struct profile *p, struct findings *findings)
{
    for (size_t i = 0; i < p->limits_count; i++) {
        const struct limit_settings *s = p->limits[i].s;
        const struct subject subject = SUBJECT(p, findings, &p->limits[i]);
        if (!entry_is_own(p->s, s->file))
            continue;
        check_head(&subject);
        check_currencies(&subject, &s->max);
        check_currencies(&subject, &s->from);
        check_currencies(&subject, &s->min);
    }
}

static void check_exemptions(const struct profile *p, struct findings *findings)
{
    for (size_t i = 0; i < p->exemptions_count; i++) {
        const struct exemption_settings *s = p->exemptions[i].s;
        const struct subject subject = SUBJECT(p, findings, &p->exemptions[i]);
        if (!entry_is_own(p->s, s->file))
            continue;
        if (!p->s->authentication_required) {
            WARN(&subject, "%s can never hold: authentication.required is no", subject.head->id);
            continue;
        }
        if ((subject.head->rails & p->authentication_rails) == 0)
            WARN(&subject, "%s can never hold: authentication is needed on none of its rails",
                 subject.head->id);
        /* 100% is a rate that nobody measured yet: profiles are shipped so. */
        if (p->s->authentication_fraud_rate_ppm < 1000000 &&
            s->fraud_rate_max_ppm < p->s->authentication_fraud_rate_ppm)
            WARN(&subject,
                 "%s can never hold: its fraud_rate_max is below authentication.fraud_rate",
                 subject.head->id);
        check_head(&subject);
        check_currencies(&subject, &s->max);
        check_currencies(&subject, &s->total);
    }
}

/* Are there two countries, one of each side, with a border between them? */
static bool crosses(const struct profile *p, const struct corridor_rule *rule)
{
    for (size_t i = 0; i < rule->s->from.count; i++) {
        for (size_t j = 0; j < rule->s->to.count; j++) {
            struct view from = view_text(rule->s->from.items[i]);
            struct view to = view_text(rule->s->to.items[j]);
            bool inside = country_set_has(&p->domestic, from) && country_set_has(&p->domestic, to);
            if (!view_equal(from, to) && !inside)
                return true;
        }
    }
    return rule->from.any || rule->to.any;
}

static void check_border(const struct profile *p, struct findings *findings)
{
    for (size_t i = 0; i < p->corridors_count; i++) {
        const struct subject subject = SUBJECT(p, findings, &p->corridors[i]);
        if (!entry_is_own(p->s, p->corridors[i].s->file))
            continue;
        check_head(&subject);
        if (!crosses(p, &p->corridors[i]))
            WARN(&subject, "%s can never fire: there is no border between its countries",
                 subject.head->id);
    }
    for (size_t i = 0; i < p->fields_count; i++) {
        const struct field_settings *s = p->fields[i].s;
        struct subject subject = SUBJECT(p, findings, &p->fields[i]);
        subject.scope = (enum settings_scope)s->scope;
        if (!entry_is_own(p->s, s->file))
            continue;
        check_head(&subject);
        check_currencies(&subject, &s->from);
        check_currencies(&subject, &s->over);
    }
}

/* --- rules --------------------------------------------------------------------------------- */

static bool values_same(const struct clause *a, const struct clause *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < b->count && !found; j++) {
            const struct clause_value *x = &a->values[i], *y = &b->values[j];
            found = view_equal(x->text, y->text) && x->prefix == y->prefix &&
                    x->number == y->number && x->currency == y->currency;
        }
        if (!found)
            return false;
    }
    return true;
}

/* In any order. */
static bool conditions_same(const struct clauses *a, const struct clauses *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct clause *x = &a->items[i];
        bool found = false;
        for (size_t j = 0; j < b->count && !found; j++) {
            const struct clause *y = &b->items[j];
            found = x->fact == y->fact && x->op == y->op && values_same(x, y) && values_same(y, x);
        }
        if (!found)
            return false;
    }
    return true;
}

static bool hours_same(const struct settings_hours *a, const struct settings_hours *b)
{
    return a->given == b->given &&
           (!a->given || (a->from_s == b->from_s && a->until_s == b->until_s));
}

/* Says nothing that an earlier rule with the same conditions does not say at least as strictly. */
static bool covered(const struct extra_rule *later, const struct extra_rule *earlier)
{
    return later->head.rails == earlier->head.rails && later->head.report == earlier->head.report &&
           later->head.verdict <= earlier->head.verdict &&
           hours_same(&later->s->hours, &earlier->s->hours) &&
           conditions_same(&later->head.when, &earlier->head.when) &&
           conditions_same(&earlier->head.when, &later->head.when);
}

static void check_rules(const struct profile *p, struct findings *findings)
{
    for (size_t i = 0; i < p->rules_count; i++) {
        const struct subject subject = SUBJECT(p, findings, &p->rules[i]);
        if (!entry_is_own(p->s, p->rules[i].s->file))
            continue;
        check_head(&subject);
        for (size_t j = 0; j < i; j++) {
            if (!covered(&p->rules[i], &p->rules[j]))
                continue;
            WARN(&subject,
                 "%s never decides anything: %s has the same conditions and is at least as strict",
                 subject.head->id, p->rules[j].head.id);
            break;
        }
    }
}

/* --- sections ------------------------------------------------------------------------------ */

/* The place is that of the setting; what is taken over from another profile is not warned of. */
static bool section_at(struct subject *s, enum region_setting setting)
{
    s->file = region_file(s->profile->s, setting);
    s->line = region_line(s->profile->s, setting);
    return entry_is_own(s->profile->s, s->file);
}

static void check_sections(const struct profile *p, struct findings *findings)
{
    const struct region_settings *r = p->s;
    static const struct rule_head authentication = { .id = "authentication", .rails = RAILS_ALL };
    struct subject s = { .profile = p,
                         .findings = findings,
                         .head = &authentication,
                         .column = 1,
                         .scope = SETTINGS_ANY_SCOPE };
    if (section_at(&s, REGION_authentication_rails) && r->authentication_required &&
        (p->authentication_rails & p->rails) == 0)
        WARN(&s, "authentication is never needed: the profile allows none of its rails");
    if (section_at(&s, REGION_authentication_when) && r->authentication_required)
        check_conditions(&s, &p->authentication_when);
    if (section_at(&s, REGION_screening_lists) && r->screening_lists.count > 0 &&
        !r->screening_payer && !r->screening_payee)
        WARN(&s, "screening never happens: neither payer nor payee is looked up");
    if (section_at(&s, REGION_screening_rails) && p->screening_rails != 0 &&
        (p->screening_rails & p->rails) == 0)
        WARN(&s, "screening never happens: the profile allows none of its rails");
}

void never_find(const struct profile *profile, struct findings *findings)
{
    check_sections(profile, findings);
    check_tiers(profile, findings);
    check_limits(profile, findings);
    check_exemptions(profile, findings);
    check_border(profile, findings);
    check_rules(profile, findings);
}
