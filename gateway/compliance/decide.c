/* decide.c - the evaluation: what it knows, how it speaks, and the order in which it looks.
 *
 *     effective, abstract, rails, currencies, data.residency       (here)
 *     kyc                                                          decide_kyc.c
 *     limits                                                       decide_limits.c
 *     authentication                                               decide_authentication.c
 *     cross_border                                                 decide_border.c
 *     screening, rules                                             decide_rules.c
 *
 * Nothing ends the evaluation early: every rule that speaks is recorded. A rule can only make the
 * verdict stricter. Text is made only for rules that fire, or when somebody watches.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"
#include "domain/time.h"

/* --- speaking ------------------------------------------------------------------------------ */

enum verdict evaluation_verdict(const struct evaluation *e, enum verdict verdict)
{
    return verdict == VERDICT_CHALLENGE && e->authenticated ? VERDICT_ALLOW : verdict;
}

static void stricter(struct evaluation *e, enum verdict verdict)
{
    if (verdict > e->out->verdict) /* allow < challenge < review < deny, see words.def */
        e->out->verdict = verdict;
}

/* There is no room for what has to be said, so nothing is certain any more. Takes the last place
 * among the reasons, once. */
static void overflow(struct evaluation *e, const char *what)
{
    stricter(e, VERDICT_DENY);
    if (e->overflow)
        return;
    e->overflow = true;
    struct decision *out = e->out;
    if (out->reason_count < DECISION_REASONS_MAX)
        out->reason_count++;
    struct decision_reason *reason = &out->reasons[out->reason_count - 1];
    struct text text;
    text_start(&text);
    text_format(&text, "the profile has more %s for this payment than a decision has room for",
                what);
    reason->rule = "evaluation.limit";
    reason->verdict = VERDICT_DENY;
    reason->source = "";
    text_cut(&text, reason->text);
}

void evaluation_say(struct evaluation *e, const char *rule, enum verdict verdict,
                    const char *source, const struct text *text)
{
    struct decision *out = e->out;
    verdict = evaluation_verdict(e, verdict);
    stricter(e, verdict);
    if (e->overflow || out->reason_count == DECISION_REASONS_MAX) {
        overflow(e, "reasons");
        return;
    }
    struct decision_reason *reason = &out->reasons[out->reason_count++];
    reason->rule = rule;
    reason->verdict = verdict;
    reason->source = source != NULL ? source : "";
    text_cut(text, reason->text);
}

void evaluation_report(struct evaluation *e, const struct rule_head *head, const struct text *text)
{
    struct decision *out = e->out;
    if (out->report_count == DECISION_REPORTS_MAX) {
        overflow(e, "reports");
        return;
    }
    struct decision_report *report = &out->reports[out->report_count++];
    report->rule = head->id;
    report->source = head->source;
    text_cut(text, report->text);
}

/* One reason per fact: the first rule that needed it is named. */
void evaluation_missing(struct evaluation *e, const char *rule, const char *source, enum fact fact)
{
    stricter(e, VERDICT_DENY);
    if ((e->missing_told >> fact & 1) != 0)
        return;
    e->missing_told |= UINT64_C(1) << fact;
    struct text text;
    text_start(&text);
    text_format(&text, "fact missing: %s, which %s needs", fact_row(fact)->name, rule);
    evaluation_say(e, "fact.missing", VERDICT_DENY, source, &text);
}

struct reservation *evaluation_reserve(struct evaluation *e)
{
    if (e->out->reservation_count == DECISION_RESERVATIONS_MAX) {
        overflow(e, "counters");
        return NULL;
    }
    struct reservation *reservation = &e->out->reservations[e->out->reservation_count++];
    *reservation = (struct reservation){ .source = "",
                                         .text = "",
                                         .amount_max = -1,
                                         .amount_from = -1,
                                         .verdict = VERDICT_ALLOW,
                                         .counts = true };
    return reservation;
}

/* --- for whoever watches ------------------------------------------------------------------- */

static void facts_shown(const struct evaluation *e, const struct clauses *when, struct text *text)
{
    text_start(text);
    text_put(text, "amount=");
    text_money(text, e->facts->amount.minor, e->facts->amount.currency);
    for (size_t i = 0; i < when->count; i++) {
        enum fact fact = when->items[i].fact;
        if (fact == FACT_AMOUNT)
            continue;
        struct compliance_facts one; /* with what is derived */
        one.amount = e->facts->amount;
        one.values[fact] = *evaluation_fact(e, fact);
        char piece[200];
        struct writer w = writer_over(piece, sizeof piece);
        facts_write(&w, &one, fact);
        text_format(text, " %s=%.*s", fact_row(fact)->name, (int)w.len, piece);
    }
}

void evaluation_saw(struct evaluation *e, const char *section, const struct rule_head *head,
                    enum rule_state state, enum verdict verdict, struct text *figure)
{
    struct text facts;
    facts_shown(e, &head->when, &facts);
    const struct rule_seen seen = { .section = section,
                                    .rule = head->id,
                                    .state = state,
                                    .verdict = verdict,
                                    .figure = figure != NULL ? text_done(figure) : "",
                                    .facts = text_done(&facts),
                                    .source = head->source,
                                    .verify = head->verify };
    e->watch->saw(e->watch->arg, &seen);
}

void evaluation_saw_plain(struct evaluation *e, const char *section, const char *rule,
                          enum rule_state state, enum verdict verdict, const char *source,
                          const char *figure)
{
    if (e->watch == NULL)
        return;
    const struct rule_head head = { .id = rule, .source = source != NULL ? source : "" };
    struct text text;
    text_start(&text);
    text_put(&text, figure);
    evaluation_saw(e, section, &head, state, verdict, &text);
}

/* --- the profile as a whole ---------------------------------------------------------------- */

static void put_time(struct text *text, int64_t wall_us)
{
    char piece[40];
    struct writer w = writer_over(piece, sizeof piece);
    time_format(&w, wall_us);
    text_format(text, "%.*s", (int)w.len, piece);
}

static void check(struct evaluation *e, const char *rule, bool fires, const char *source,
                  const struct text *text)
{
    if (fires)
        evaluation_say(e, rule, VERDICT_DENY, source, text);
    if (e->watch == NULL)
        return;
    const char *section = strcmp(rule, "data.residency") == 0 ? "data" : "region";
    evaluation_saw_plain(e, section, rule, fires ? RULE_FIRED : RULE_NOT_FIRED, VERDICT_DENY,
                         source, "");
}

static void decide_effective(struct evaluation *e)
{
    const struct region_settings *s = e->profile->s;
    bool early = e->facts->wall_us < s->effective_from_us;
    bool late = s->effective_until_us != 0 && e->facts->wall_us >= s->effective_until_us;
    struct text text;
    text_start(&text);
    if (early || late) {
        text_format(&text, "profile %s version %s is not in force ", s->region, s->version);
        text_put(&text, early ? "before " : "from ");
        put_time(&text, early ? s->effective_from_us : s->effective_until_us);
        text_put(&text, early ? "" : " on");
    }
    check(e, "region.effective_from", early, "", &text);
    check(e, "region.effective_until", late, "", &text);
}

static bool currency_allowed(const struct profile *profile, const struct currency *currency)
{
    for (size_t i = 0; i < profile->currencies_count; i++) {
        if (profile->currencies[i] == currency)
            return true;
    }
    return profile->currencies_count == 0;
}

static void decide_region(struct evaluation *e)
{
    const struct profile *p = e->profile;
    const struct compliance_facts *facts = e->facts;
    struct text text;
    text_start(&text);
    if (p->s->abstract)
        text_format(&text, "profile %s is abstract: it is only there to be extended", p->s->region);
    check(e, "region.abstract", p->s->abstract, "", &text);
    bool rail_refused = (p->rails & e->rail_bit) == 0;
    text_start(&text);
    if (rail_refused)
        text_format(&text, "rail %s is not allowed in region %s", rail_word(facts->rail),
                    p->s->region);
    check(e, "region.rails", rail_refused, p->s->source, &text);
    bool currency_refused = !currency_allowed(p, facts->amount.currency);
    text_start(&text);
    if (currency_refused)
        text_format(&text, "currency %s is not allowed in region %s", facts->amount.currency->code,
                    p->s->region);
    check(e, "region.currencies", currency_refused, p->s->source, &text);
}

static void decide_residency(struct evaluation *e)
{
    const struct profile *p = e->profile;
    if (p->residency.any)
        return;
    struct view country = e->facts->store_country;
    bool refused = !country_set_has(&p->residency, country);
    struct text text;
    text_start(&text);
    if (refused && country.len == 0)
        text_put(&text, "records may live only in some countries, and store.country is not given");
    else if (refused)
        text_format(&text, "records live in %.*s, where data.residency does not allow it",
                    (int)(country.len < 8 ? country.len : 8), (const char *)country.ptr);
    check(e, "data.residency", refused, p->s->data_source, &text);
}

/* --- what follows from the facts ----------------------------------------------------------- */

/* Different countries, unless the profile says that there is no border between them. */
static void derive_cross_border(struct evaluation *e)
{
    const struct fact_value *payer = &e->facts->values[FACT_PAYER_COUNTRY];
    const struct fact_value *payee = &e->facts->values[FACT_PAYEE_COUNTRY];
    e->cross_border = e->facts->values[FACT_CROSS_BORDER]; /* of a test case */
    if (!payer->given || !payee->given)
        return;
    const struct country_set *domestic = &e->profile->domestic;
    bool inside = country_set_has(domestic, payer->text) && country_set_has(domestic, payee->text);
    bool crosses = !inside && !view_equal(payer->text, payee->text);
    e->cross_border = (struct fact_value){ .given = true, .number = crosses ? 1 : 0 };
}

static int64_t digits(struct view text, size_t from, size_t len)
{
    uint64_t number = 0;
    for (size_t i = from; i < from + len; i++)
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    return (int64_t)number;
}

/* Full years in the profile's own zone; who is born on 29 February is a year older on 1 March. */
static void derive_age(struct evaluation *e)
{
    e->payer_age = e->facts->values[FACT_PAYER_AGE];
    const struct fact_value *birth = &e->facts->values[FACT_PAYER_BIRTH_DATE];
    if (e->payer_age.given || !birth->given || !date_valid(birth->text))
        return;
    int64_t offset_us = (int64_t)zone_offset_s(e->profile->zone, e->facts->wall_us) * 1000000;
    struct civil now;
    civil_from_us(e->facts->wall_us + offset_us, 0, &now);
    int64_t age = now.year - digits(birth->text, 0, 4);
    int64_t month = digits(birth->text, 5, 2), day = digits(birth->text, 8, 2);
    if (now.month < month || (now.month == month && now.day < day))
        age--;
    if (age >= 0) /* a date of birth in the future says nothing */
        e->payer_age = (struct fact_value){ .given = true, .number = age };
}

static void derive(struct evaluation *e)
{
    const struct fact_value *values = e->facts->values;
    derive_cross_border(e);
    derive_age(e);
    e->initiator = values[FACT_INITIATOR].given
                       ? values[FACT_INITIATOR]
                       : (struct fact_value){ .given = true, .text = VIEW("payer") };
    e->cash =
        (struct fact_value){ .given = true,
                             .number = values[FACT_CASH].given ? values[FACT_CASH].number : 0 };
    e->authenticated = values[FACT_AUTHENTICATED].given && values[FACT_AUTHENTICATED].number != 0;
    e->authenticated_value =
        (struct fact_value){ .given = true, .number = e->authenticated ? 1 : 0 };
    e->second_of_day = zone_second_of_day(e->profile->zone, e->facts->wall_us);
}

/* --- all of it ----------------------------------------------------------------------------- */

void compliance_decide(const struct profile *profile, const struct compliance_facts *facts,
                       const struct compliance_watch *watch, struct decision *out)
{
    ENSURE(facts->amount.currency != NULL);
    ENSURE(rail_valid(facts->rail) && payment_kind_valid(facts->kind));
    *out = (struct decision){
        .verdict = VERDICT_ALLOW, .profile = "", .version = "", .content_hash = "", .exemption = ""
    };
    struct evaluation e = { .profile = profile,
                            .facts = facts,
                            .watch = watch,
                            .out = out,
                            .rail_bit = RAIL_BIT(facts->rail) };
    if (profile == NULL) {
        struct text text;
        text_start(&text);
        text_put(&text, "no region profile that this merchant may use matches this payment");
        check(&e, "region.none", true, "", &text);
        return;
    }
    ENSURE_MAGIC(profile, PROFILE_MAGIC);
    const struct region_settings *s = profile->s;
    out->profile = s->region;
    out->version = s->version;
    out->content_hash = s->content_hash;
    out->retention_days = s->data_retention_days;
    out->residency = s->data_residency;
    out->valid_for_us = s->authentication_valid_for_us;
    out->wrong_max = s->authentication_wrong_max;
    derive(&e);
    decide_effective(&e);
    decide_region(&e);
    decide_residency(&e);
    decide_kyc(&e);
    decide_limits(&e);
    decide_authentication(&e);
    decide_cross_border(&e);
    decide_screening(&e);
    decide_rules(&e);
    decide_resets(&e);
    if (out->verdict == VERDICT_REVIEW)
        out->valid_for_us = s->review_valid_for_us;
    ENSURE(verdict_valid(out->verdict));
}
