/* fact.c - what can be known of a payment: names and types from fact.def, values by name and text.
 *
 * facts_text, facts_number and facts_flag are for our own readers and trust their types (ENSURE);
 * facts_parse is for what people write in test cases and on the command line and trusts nothing.
 */
#include "base/ensure.h"
#include "compliance/compliance_int.h"

#define FACT_MISSING_UNKNOWN true
#define FACT_MISSING_ABSENT  false

static const struct fact_row rows[FACT_END] = {
#define FACT(code, name_, type_, missing, choices_, sentence_)                                     \
    [FACT_##code] = { .name = (name_),                                                             \
                      .type = FACT_TYPE_##type_,                                                   \
                      .unknown_when_missing = FACT_MISSING_##missing,                              \
                      .choices = (choices_),                                                       \
                      .sentence = (sentence_) },
#include "compliance/fact.def"
#undef FACT
};
_Static_assert(FACT_END <= 64, "struct evaluation has one bit per fact");

const struct fact_row *fact_row(enum fact fact)
{
    ENSURE(fact > FACT_NONE && fact < FACT_END);
    return &rows[fact];
}

enum fact fact_by_name(struct view name)
{
    for (enum fact fact = 1; fact < FACT_END; fact++) {
        if (view_is(name, rows[fact].name))
            return fact;
    }
    return FACT_NONE;
}

const char *fact_near(struct view written)
{
    const char *names[FACT_END];
    for (enum fact fact = 1; fact < FACT_END; fact++)
        names[fact - 1] = rows[fact].name;
    return finding_did_you_mean(written, names, FACT_END - 1);
}

struct view choice_find(const char *choices, struct view word)
{
    struct view rest = view_text(choices);
    while (rest.len > 0) {
        size_t end = view_find(rest, '|');
        struct view choice = view_slice(rest, 0, end);
        if (view_equal(choice, word) && word.len > 0)
            return choice;
        rest = view_slice(rest, end + 1, SIZE_MAX);
    }
    return VIEW_EMPTY;
}

/* --- values as people write them ----------------------------------------------------------- */

bool country_valid(struct view text)
{
    return text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' && text.ptr[1] >= 'A' &&
           text.ptr[1] <= 'Z';
}

bool date_valid(struct view text)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        !view_is_digits(view_slice(text, 0, 4)) || !view_is_digits(view_slice(text, 5, 2)) ||
        !view_is_digits(view_slice(text, 8, 2)))
        return false;
    int year = (text.ptr[0] - '0') * 1000 + (text.ptr[1] - '0') * 100 + (text.ptr[2] - '0') * 10 +
               (text.ptr[3] - '0');
    int month = (text.ptr[5] - '0') * 10 + (text.ptr[6] - '0');
    int day = (text.ptr[8] - '0') * 10 + (text.ptr[9] - '0');
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month != 2 || day < 29 || leap;
}

enum status fact_money_read(struct view text, struct money *out)
{
    text = view_trim(text);
    if (text.len < 5)
        return STATUS_MALFORMED;
    struct view code = view_slice(text, text.len - 3, 3);
    struct view number = view_slice(text, 0, text.len - 3);
    if (number.ptr[number.len - 1] != ' ')
        return STATUS_MALFORMED;
    number = view_trim(number);
    const struct currency *currency;
    TRY(currency_by_code(code, &currency));
    size_t point = view_find(number, '.');
    struct view whole = view_slice(number, 0, point);
    struct view decimals = view_slice(number, point + 1, SIZE_MAX);
    if (point < number.len && !view_is_digits(decimals))
        return STATUS_MALFORMED;
    if (decimals.len > currency->exponent)
        return STATUS_MALFORMED;
    uint64_t minor = 0;
    TRY(view_to_u64(whole, INT64_MAX, &minor));
    for (size_t i = 0; i < currency->exponent; i++) {
        uint64_t digit = i < decimals.len ? (uint64_t)(decimals.ptr[i] - '0') : 0;
        if (__builtin_mul_overflow(minor, UINT64_C(10), &minor) ||
            __builtin_add_overflow(minor, digit, &minor))
            return STATUS_RANGE;
    }
    if (minor > INT64_MAX)
        return STATUS_RANGE;
    *out = (struct money){ .minor = (int64_t)minor, .currency = currency };
    return STATUS_OK;
}

/* --- setting ------------------------------------------------------------------------------- */

void facts_start(struct compliance_facts *facts, enum rail rail, enum payment_kind kind,
                 struct money amount, int64_t wall_us)
{
    ENSURE(rail_valid(rail) && payment_kind_valid(kind) && amount.currency != NULL);
    *facts = (struct compliance_facts){
        .rail = rail, .kind = kind, .amount = amount, .wall_us = wall_us, .lists = LISTS_NOT_ASKED
    };
    facts_text(facts, FACT_RAIL, view_text(rail_word(rail)));
    facts_text(facts, FACT_KIND, view_text(payment_kind_word(kind)));
    facts_text(facts, FACT_CURRENCY, view_text(amount.currency->code));
    facts->values[FACT_AMOUNT] = (struct fact_value){ .given = true, .number = amount.minor };
}

void facts_text(struct compliance_facts *facts, enum fact fact, struct view value)
{
    enum fact_type type = fact_row(fact)->type;
    ENSURE(type == FACT_TYPE_TEXT || type == FACT_TYPE_COUNTRY || type == FACT_TYPE_WORD ||
           type == FACT_TYPE_DATE);
    facts->values[fact] = (struct fact_value){ .given = value.len > 0, .text = value };
}

void facts_number(struct compliance_facts *facts, enum fact fact, int64_t value)
{
    ENSURE(fact_row(fact)->type == FACT_TYPE_NUMBER);
    facts->values[fact] = (struct fact_value){ .given = true, .number = value };
}

void facts_flag(struct compliance_facts *facts, enum fact fact, bool value)
{
    ENSURE(fact_row(fact)->type == FACT_TYPE_FLAG);
    facts->values[fact] = (struct fact_value){ .given = true, .number = value ? 1 : 0 };
}

/* What rail, kind, amount and currency are besides their facts. */
static void parsed_apply(struct compliance_facts *facts, enum fact fact, struct view value,
                         struct money money)
{
    if (fact == FACT_RAIL) {
        IGNORE_STATUS(rail_parse(value, &facts->rail)); /* a choice: the same words */
    } else if (fact == FACT_KIND) {
        IGNORE_STATUS(payment_kind_parse(value, &facts->kind));
    } else if (fact == FACT_AMOUNT) {
        facts->amount = money;
        facts_text(facts, FACT_CURRENCY, view_text(money.currency->code));
    } else if (fact == FACT_CURRENCY) {
        /* Its code was looked up before. */
        IGNORE_STATUS(currency_by_code(value, &facts->amount.currency));
    }
}

static bool text_fits(enum fact fact, enum fact_type type, struct view value, struct writer *why)
{
    const struct fact_row *row = fact_row(fact);
    const struct currency *currency;
    if (type == FACT_TYPE_COUNTRY && !country_valid(value)) {
        writer_format(why, "%s is a country: two upper-case letters, e.g. DE", row->name);
        return false;
    }
    if (type == FACT_TYPE_DATE && !date_valid(value)) {
        writer_format(why, "%s is a date: YYYY-MM-DD", row->name);
        return false;
    }
    if (fact == FACT_CURRENCY && currency_by_code(value, &currency) != STATUS_OK) {
        writer_format(why, "currency is a code of ISO 4217, e.g. EUR");
        return false;
    }
    return true;
}

bool facts_parse(struct compliance_facts *facts, struct view name, struct view value,
                 struct writer *why)
{
    enum fact fact = fact_by_name(name);
    if (fact == FACT_NONE) {
        const char *near = fact_near(name);
        writer_format(why, "there is no fact %.*s", (int)(name.len < 64 ? name.len : 64),
                      (const char *)name.ptr);
        if (near != NULL)
            writer_format(why, "; did you mean %s?", near);
        return false;
    }
    const struct fact_row *row = fact_row(fact);
    struct fact_value parsed = { .given = true };
    struct money money = { 0 };
    value = view_trim(value);
    switch (row->type) {
    case FACT_TYPE_TEXT:
    case FACT_TYPE_COUNTRY:
    case FACT_TYPE_DATE:
        parsed = (struct fact_value){ .given = value.len > 0, .text = value };
        if (value.len > 0 && !text_fits(fact, row->type, value, why))
            return false;
        break;
    case FACT_TYPE_WORD:
        parsed.text = choice_find(row->choices, value);
        if (parsed.text.len == 0) {
            writer_format(why, "%s is one of %s", row->name, row->choices);
            return false;
        }
        break;
    case FACT_TYPE_NUMBER:
        if (view_to_i64(value, &parsed.number) != STATUS_OK) {
            writer_format(why, "%s is a whole number", row->name);
            return false;
        }
        break;
    case FACT_TYPE_FLAG:
        if (!view_is(value, "yes") && !view_is(value, "no")) {
            writer_format(why, "%s is yes or no", row->name);
            return false;
        }
        parsed.number = view_is(value, "yes") ? 1 : 0;
        break;
    case FACT_TYPE_MONEY:
        if (fact_money_read(value, &money) != STATUS_OK) {
            writer_format(why, "%s is an amount with its currency, e.g. 12.50 EUR", row->name);
            return false;
        }
        parsed.number = money.minor;
        break;
    }
    facts->values[fact] = parsed;
    parsed_apply(facts, fact, parsed.text, money);
    return true;
}

void facts_write(struct writer *w, const struct compliance_facts *facts, enum fact fact)
{
    const struct fact_row *row = fact_row(fact);
    const struct fact_value *value = &facts->values[fact];
    if (!value->given) {
        writer_text(w, "-");
        return;
    }
    switch (row->type) {
    case FACT_TYPE_TEXT:
    case FACT_TYPE_COUNTRY:
    case FACT_TYPE_WORD:
    case FACT_TYPE_DATE: writer_view(w, value->text); break;
    case FACT_TYPE_NUMBER: writer_i64_text(w, value->number); break;
    case FACT_TYPE_FLAG: writer_text(w, value->number != 0 ? "yes" : "no"); break;
    case FACT_TYPE_MONEY:
        money_format(w, (struct money){ value->number, facts->amount.currency });
        break;
    }
}
