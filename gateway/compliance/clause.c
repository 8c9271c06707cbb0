/* clause.c - conditions as they are written, read into what compliance_decide compares.
 *
 *     NAME OPERATOR VALUE|VALUE...        operators: = != > >= < <=
 *     NAME missing        NAME given
 *
 * Whatever is no condition is a finding at its place: an unknown fact with a near name, a word that
 * is none of the fact's choices with a near word, a value of another type, an operator that makes
 * no sense. Values are views into the settings' text, which lives as long as the profile.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

#define NAME_SHOWN_MAX 64
#define CHOICES_MAX    16

struct clause_reader {
    const struct settings_clause *written;
    const char *file;
    struct arena *arena;
    struct findings *findings;
    bool no_memory;
};

#define SHOWN(v) (int)((v).len < NAME_SHOWN_MAX ? (v).len : NAME_SHOWN_MAX), (const char *)(v).ptr

#define COMPLAIN(r, id, ...)                                                                       \
    finding_add((r)->findings, FINDING_ERROR, (r)->file, (r)->written->line, (r)->written->column, \
                (id), __VA_ARGS__)

static void complain_unknown_fact(struct clause_reader *r, struct view name)
{
    const char *near = fact_near(name);
    if (near != NULL)
        COMPLAIN(r, "profile.unknown_fact", "there is no fact `%.*s`; did you mean `%s`?",
                 SHOWN(name), near);
    else
        COMPLAIN(r, "profile.unknown_fact",
                 "there is no fact `%.*s`; the manual lists those that there are", SHOWN(name));
}

static void complain_choice(struct clause_reader *r, const struct fact_row *row, struct view word)
{
    char copies[CHOICES_MAX][32];
    const char *words[CHOICES_MAX];
    size_t count = 0;
    struct view rest = view_text(row->choices);
    while (rest.len > 0 && count < CHOICES_MAX) {
        size_t end = view_find(rest, '|');
        if (view_to_text(view_slice(rest, 0, end), copies[count], sizeof copies[0]) == STATUS_OK) {
            words[count] = copies[count];
            count++;
        }
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    const char *near = finding_did_you_mean(word, words, count);
    if (near != NULL)
        COMPLAIN(r, "profile.clause_value", "`%.*s` is no value of %s (%s); did you mean `%s`?",
                 SHOWN(word), row->name, row->choices, near);
    else
        COMPLAIN(r, "profile.clause_value", "`%.*s` is no value of %s; it is one of %s",
                 SHOWN(word), row->name, row->choices);
}

/* --- values -------------------------------------------------------------------------------- */

static bool text_value(struct clause_reader *r, enum fact fact, struct view text,
                       struct clause_value *out)
{
    const struct currency *currency;
    out->text = text;
    if (text.ptr[text.len - 1] == '*') {
        out->prefix = true;
        out->text = view_slice(text, 0, text.len - 1);
        if (out->text.len == 0) {
            COMPLAIN(r, "profile.clause_value", "`*` alone says nothing; write `%s given`",
                     fact_row(fact)->name);
            return false;
        }
    }
    if (view_find(out->text, '*') < out->text.len) {
        COMPLAIN(r, "profile.clause_value", "`%.*s`: a `*` can only stand at the end (begins with)",
                 SHOWN(text));
        return false;
    }
    if (fact == FACT_CURRENCY && !out->prefix && currency_by_code(text, &currency) != STATUS_OK) {
        COMPLAIN(r, "profile.clause_value", "`%.*s` is no currency of ISO 4217", SHOWN(text));
        return false;
    }
    return true;
}

static bool money_value(struct clause_reader *r, struct view text, struct clause_value *out)
{
    struct money money;
    enum status s = fact_money_read(text, &money);
    if (s == STATUS_OK) {
        out->number = money.minor;
        out->currency = money.currency;
        return true;
    }
    COMPLAIN(r, "profile.clause_value",
             s == STATUS_NOT_FOUND ? "`%.*s`: there is no such currency in ISO 4217"
                                   : "`%.*s` is no amount; write it like 12.50 EUR",
             SHOWN(text));
    return false;
}

static bool value_of(struct clause_reader *r, enum fact fact, struct view text,
                     struct clause_value *out)
{
    const struct fact_row *row = fact_row(fact);
    if (text.len == 0) {
        COMPLAIN(r, "profile.clause_value", "a value of %s is missing", row->name);
        return false;
    }
    switch (row->type) {
    case FACT_TYPE_TEXT: return text_value(r, fact, text, out);
    case FACT_TYPE_COUNTRY:
        out->text = text;
        if (country_valid(text))
            return true;
        COMPLAIN(r, "profile.clause_value",
                 "`%.*s` is no country; write two upper-case letters of ISO 3166, e.g. DE",
                 SHOWN(text));
        return false;
    case FACT_TYPE_WORD:
        out->text = choice_find(row->choices, text);
        if (out->text.len > 0)
            return true;
        complain_choice(r, row, text);
        return false;
    case FACT_TYPE_NUMBER:
        if (view_to_i64(text, &out->number) == STATUS_OK)
            return true;
        COMPLAIN(r, "profile.clause_value", "`%.*s`: %s is a whole number", SHOWN(text), row->name);
        return false;
    case FACT_TYPE_FLAG:
        out->number = view_is(text, "yes") ? 1 : 0;
        if (out->number == 1 || view_is(text, "no"))
            return true;
        COMPLAIN(r, "profile.clause_value", "`%.*s`: %s is yes or no", SHOWN(text), row->name);
        return false;
    case FACT_TYPE_MONEY: return money_value(r, text, out);
    case FACT_TYPE_DATE:
        out->text = text;
        if (date_valid(text))
            return true;
        COMPLAIN(r, "profile.clause_value", "`%.*s`: %s is a date, YYYY-MM-DD", SHOWN(text),
                 row->name);
        return false;
    }
    ENSURE(false);
}

/* --- a condition --------------------------------------------------------------------------- */

static bool has_size(enum fact_type type)
{
    return type == FACT_TYPE_NUMBER || type == FACT_TYPE_MONEY || type == FACT_TYPE_DATE;
}

/* The operator at the front of `rest`, which loses it; 0: none. */
static enum clause_operator operator_take(struct view *rest)
{
    static const struct {
        const char *sign;
        enum clause_operator op;
    } operators[] = { { "!=", CLAUSE_NOT_EQUAL },  { ">=", CLAUSE_GREATER_EQUAL },
                      { "<=", CLAUSE_LESS_EQUAL }, { "=", CLAUSE_EQUAL },
                      { ">", CLAUSE_GREATER },     { "<", CLAUSE_LESS } };
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        struct view sign = view_text(operators[i].sign);
        if (view_starts_with(*rest, sign)) {
            *rest = view_slice(*rest, sign.len, SIZE_MAX);
            return operators[i].op;
        }
    }
    return 0;
}

static bool values_read(struct clause_reader *r, struct view rest, struct clause *out)
{
    const struct fact_row *row = fact_row(out->fact);
    size_t count = 1;
    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == '|';
    bool by_size = out->op != CLAUSE_EQUAL && out->op != CLAUSE_NOT_EQUAL;
    if (by_size && !has_size(row->type)) {
        COMPLAIN(r, "profile.clause", "%s has no size: only =, !=, missing and given make sense",
                 row->name);
        return false;
    }
    if (by_size && count > 1) {
        COMPLAIN(r, "profile.clause", "a comparison by size takes one value");
        return false;
    }
    if (count > CLAUSE_VALUES_MAX) {
        COMPLAIN(r, "profile.clause", "a condition may name at most %d values", CLAUSE_VALUES_MAX);
        return false;
    }
    struct clause_value *values = arena_alloc(r->arena, count * sizeof *values);
    if (values == NULL) {
        r->no_memory = true;
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        size_t end = view_find(rest, '|');
        good = value_of(r, out->fact, view_trim(view_slice(rest, 0, end)), &values[i]) && good;
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    out->values = values;
    out->count = (uint32_t)count;
    return good;
}

static bool name_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool clause_read(struct clause_reader *r, struct clause *out)
{
    struct view text = view_trim(view_text(r->written->text));
    size_t end = 0;
    while (end < text.len && name_letter(text.ptr[end]))
        end++;
    struct view name = view_slice(text, 0, end);
    struct view rest = view_trim(view_slice(text, end, SIZE_MAX));
    *out = (struct clause){ .written = r->written };
    if (name.len == 0) {
        COMPLAIN(r, "profile.clause", "`%.*s` is no condition; write it like payer.country=DE|FR",
                 SHOWN(text));
        return false;
    }
    out->fact = fact_by_name(name);
    if (out->fact == FACT_NONE) {
        complain_unknown_fact(r, name);
        return false;
    }
    if (view_is(rest, "missing") || view_is(rest, "given")) {
        out->op = view_is(rest, "given") ? CLAUSE_GIVEN : CLAUSE_MISSING;
        return true;
    }
    out->op = operator_take(&rest);
    if (out->op == 0) {
        COMPLAIN(r, "profile.clause", "after `%s` comes one of =, !=, >, >=, <, <=, missing, given",
                 fact_row(out->fact)->name);
        return false;
    }
    return values_read(r, view_trim(rest), out);
}

enum status clauses_read(const struct settings_clauses *written, const char *file,
                         struct arena *arena, struct findings *findings, struct clauses *out)
{
    *out = (struct clauses){ 0 };
    if (written->count == 0)
        return STATUS_OK;
    struct clause_reader r = { .file = file, .arena = arena, .findings = findings };
    size_t count = written->count;
    if (count > CLAUSES_MAX) {
        r.written = &written->items[CLAUSES_MAX];
        COMPLAIN(&r, "profile.clause", "a rule may have at most %d conditions", CLAUSES_MAX);
        count = CLAUSES_MAX;
    }
    struct clause *items = arena_alloc(arena, count * sizeof *items);
    if (items == NULL)
        return STATUS_NO_MEMORY;
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        r.written = &written->items[i];
        if (clause_read(&r, &items[good]))
            good++;
        if (r.no_memory)
            return STATUS_NO_MEMORY;
    }
    *out = (struct clauses){ .items = items, .count = good };
    return STATUS_OK;
}

static bool need_read(struct clause_reader *r, struct need *out)
{
    struct view rest = view_trim(view_text(r->written->text));
    size_t count = 1;
    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == '|';
    if (count > FACT_END)
        count = FACT_END;
    enum fact *facts = arena_alloc(r->arena, count * sizeof *facts);
    if (facts == NULL) {
        r->no_memory = true;
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        size_t end = view_find(rest, '|');
        struct view name = view_trim(view_slice(rest, 0, end));
        facts[i] = fact_by_name(name);
        if (facts[i] == FACT_NONE) {
            complain_unknown_fact(r, name);
            good = false;
        }
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    *out = (struct need){ .facts = facts, .count = count };
    return good;
}

enum status needs_read(const struct settings_clauses *written, const char *file,
                       struct arena *arena, struct findings *findings, const struct need **out,
                       size_t *count)
{
    struct clause_reader r = { .file = file, .arena = arena, .findings = findings };
    struct need *needs = arena_alloc(arena, (written->count + 1) * sizeof *needs);
    if (needs == NULL)
        return STATUS_NO_MEMORY;
    size_t good = 0;
    for (size_t i = 0; i < written->count; i++) {
        r.written = &written->items[i];
        if (need_read(&r, &needs[good]))
            good++;
        if (r.no_memory)
            return STATUS_NO_MEMORY;
    }
    *out = needs;
    *count = good;
    return STATUS_OK;
}
