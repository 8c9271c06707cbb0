/* holds.c - conditions, answered for one payment: false, unknown or true (Kleene).
 *
 * Of the conditions of a rule all must hold; one that is false beats one that cannot be answered,
 * so a missing fact only matters to a rule that would depend on it.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

static size_t country_index(struct view code)
{
    ENSURE(code.ptr != NULL && code.len == 2);
    return (size_t)(code.ptr[0] - 'A') * 26 + (size_t)(code.ptr[1] - 'A');
}

bool country_set_has(const struct country_set *set, struct view code)
{
    if (!country_valid(code))
        return false;
    size_t index = country_index(code);
    return (set->bits[index / 64] >> (index % 64) & 1) != 0;
}

void country_set_fill(struct country_set *set, const struct settings_list *codes)
{
    *set = (struct country_set){ .any = codes->count == 0 };
    for (size_t i = 0; i < codes->count; i++) {
        struct view code = view_text(codes->items[i]);
        if (country_valid(code))
            set->bits[country_index(code) / 64] |= UINT64_C(1) << (country_index(code) % 64);
    }
}

const struct money *moneys_find(const struct settings_moneys *moneys,
                                const struct currency *currency)
{
    for (size_t i = 0; i < moneys->count; i++) {
        if (moneys->items[i].currency == currency)
            return &moneys->items[i];
    }
    return NULL;
}

const struct fact_value *evaluation_fact(const struct evaluation *e, enum fact fact)
{
    switch ((int)fact) {
    case FACT_CROSS_BORDER: return &e->cross_border;
    case FACT_PAYER_AGE: return &e->payer_age;
    case FACT_INITIATOR: return &e->initiator;
    case FACT_CASH: return &e->cash;
    case FACT_AUTHENTICATED: return &e->authenticated_value;
    default: return &e->facts->values[fact];
    }
}

static bool size_fits(enum clause_operator op, int order)
{
    switch (op) {
    case CLAUSE_GREATER: return order > 0;
    case CLAUSE_GREATER_EQUAL: return order >= 0;
    case CLAUSE_LESS: return order < 0;
    case CLAUSE_LESS_EQUAL: return order <= 0;
    default: ENSURE(false);
    }
}

static bool text_is(const struct clause_value *value, struct view text)
{
    return value->prefix ? view_starts_with(text, value->text) : view_equal(text, value->text);
}

static bool value_is(enum fact_type type, const struct clause_value *value,
                     const struct fact_value *fact, const struct currency *currency)
{
    switch (type) {
    case FACT_TYPE_NUMBER:
    case FACT_TYPE_FLAG: return value->number == fact->number;
    case FACT_TYPE_MONEY: return value->currency == currency && value->number == fact->number;
    default: return text_is(value, fact->text);
    }
}

static bool sized_holds(const struct evaluation *e, const struct clause *clause,
                        enum fact_type type, const struct fact_value *fact)
{
    const struct clause_value *value = &clause->values[0];
    if (type == FACT_TYPE_DATE) /* ten bytes each, largest unit first */
        return size_fits(clause->op, memcmp(fact->text.ptr, value->text.ptr, 10));
    if (type == FACT_TYPE_MONEY && value->currency != e->facts->amount.currency)
        return false;
    return size_fits(clause->op,
                     fact->number < value->number ? -1 : (fact->number > value->number ? 1 : 0));
}

static bool listed_holds(const struct evaluation *e, const struct clause *clause,
                         enum fact_type type, const struct fact_value *fact)
{
    const struct currency *currency = e->facts->amount.currency;
    bool comparable = type != FACT_TYPE_MONEY;
    for (size_t i = 0; i < clause->count; i++) {
        if (value_is(type, &clause->values[i], fact, currency))
            return clause->op == CLAUSE_EQUAL;
        comparable = comparable || clause->values[i].currency == currency;
    }
    return clause->op == CLAUSE_NOT_EQUAL && comparable;
}

static enum kleene clause_holds(const struct evaluation *e, const struct clause *clause)
{
    /* What is taken for granted when nothing is said is not `given`. */
    if (clause->op == CLAUSE_MISSING || clause->op == CLAUSE_GIVEN) {
        bool derived = clause->fact == FACT_CROSS_BORDER || clause->fact == FACT_PAYER_AGE;
        bool given = derived ? evaluation_fact(e, clause->fact)->given
                             : e->facts->values[clause->fact].given;
        return given == (clause->op == CLAUSE_GIVEN) ? KLEENE_TRUE : KLEENE_FALSE;
    }
    const struct fact_row *row = fact_row(clause->fact);
    const struct fact_value *fact = evaluation_fact(e, clause->fact);
    bool readable = fact->given && (row->type != FACT_TYPE_DATE || date_valid(fact->text));
    if (!readable) {
        if (row->unknown_when_missing)
            return KLEENE_UNKNOWN;
        return clause->op == CLAUSE_NOT_EQUAL ? KLEENE_TRUE : KLEENE_FALSE;
    }
    bool listed = clause->op == CLAUSE_EQUAL || clause->op == CLAUSE_NOT_EQUAL;
    bool holds =
        listed ? listed_holds(e, clause, row->type, fact) : sized_holds(e, clause, row->type, fact);
    return holds ? KLEENE_TRUE : KLEENE_FALSE;
}

enum kleene clauses_hold(const struct evaluation *e, const struct clauses *clauses,
                         enum fact *missing)
{
    enum kleene all = KLEENE_TRUE;
    for (size_t i = 0; i < clauses->count; i++) {
        enum kleene one = clause_holds(e, &clauses->items[i]);
        if (one == KLEENE_FALSE)
            return KLEENE_FALSE;
        if (one == KLEENE_UNKNOWN && all == KLEENE_TRUE) {
            all = KLEENE_UNKNOWN;
            *missing = clauses->items[i].fact;
        }
    }
    return all;
}

bool hours_hold(const struct settings_hours *hours, int32_t second_of_day)
{
    if (!hours->given)
        return true;
    if (hours->from_s <= hours->until_s)
        return second_of_day >= hours->from_s && second_of_day < hours->until_s;
    return second_of_day >= hours->from_s || second_of_day < hours->until_s;
}
