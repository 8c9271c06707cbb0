/* kinds.c - values that several methods have: words, dates, identifiers, accounts.
 *
 * Only what is cheap and never changes is checked here; check digits, bank directories and what a
 * scheme allows are the adapter's.
 */
#include "api/api_int.h"

#include "base/ensure.h"
#include "domain/refs.h"

struct view field_word(struct fields *f, const struct json_node *parent, const char *name,
                       const char *const *words, size_t count, bool required)
{
    struct view text = field_text(f, parent, name, 1, 32, required);
    if (text.len == 0)
        return VIEW_EMPTY;
    char list[128];
    struct writer w = writer_over(list, sizeof list - 1);
    for (size_t i = 0; i < count; i++) {
        if (view_is(text, words[i]))
            return text;
        writer_text(&w, i == 0 ? "" : i + 1 < count ? ", " : " or ");
        writer_text(&w, words[i]);
    }
    ENSURE(!w.overflow);
    field_error(f, json_member(parent, name), "unknown_value", "%.*s is expected.", (int)w.len,
                list);
    return VIEW_EMPTY;
}

int64_t field_number(struct fields *f, const struct json_node *parent, const char *name,
                     int64_t min, int64_t max)
{
    const struct json_node *node = json_member(parent, name);
    int64_t number = 0;
    if (node == NULL)
        return -1;
    enum status status = json_i64(node, &number);
    if (status == STATUS_OK && number >= min && number <= max)
        return number;
    field_error(f, node, status == STATUS_OK ? "out_of_range" : "not_an_integer",
                "An integer from %lld to %lld is expected.", (long long)min, (long long)max);
    return -1;
}

bool field_flag(struct fields *f, const struct json_node *parent, const char *name, bool *out)
{
    const struct json_node *node = json_member(parent, name);
    if (node == NULL)
        return false;
    if (json_bool(node, out) == STATUS_OK)
        return true;
    field_error(f, node, "not_a_flag", "true or false is expected.");
    return false;
}

static bool is_capital(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_number(uint8_t c)
{
    return c >= '0' && c <= '9';
}

struct view field_country(struct fields *f, const struct json_node *parent, const char *name)
{
    struct view country = field_text(f, parent, name, 2, 2, false);
    for (size_t i = 0; i < country.len; i++) {
        if (!is_capital(country.ptr[i])) {
            field_error(f, json_member(parent, name), "wrong_letters",
                        "Two capital letters (ISO 3166 alpha-2) are expected.");
            return VIEW_EMPTY;
        }
    }
    return country;
}

static int32_t digits_at(struct view text, size_t at, size_t count)
{
    int32_t number = 0;
    for (size_t i = at; i < at + count; i++)
        number = number * 10 + (text.ptr[i] - '0');
    return number;
}

static bool date_exists(struct view text, int32_t year_min)
{
    static const char pattern[] = "dddd-dd-dd";
    static const int32_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    for (size_t i = 0; i < sizeof pattern - 1; i++) {
        if (pattern[i] == 'd' ? !is_number(text.ptr[i]) : text.ptr[i] != (uint8_t)pattern[i])
            return false;
    }
    int32_t year = digits_at(text, 0, 4), month = digits_at(text, 5, 2),
            day = digits_at(text, 8, 2);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year >= year_min && month >= 1 && month <= 12 && day >= 1 &&
           (day <= days[month - 1] || (month == 2 && day == 29 && leap));
}

struct view field_date(struct fields *f, const struct json_node *parent, const char *name,
                       int32_t year_min)
{
    struct view text = field_text(f, parent, name, 10, 10, false);
    if (text.len == 0 || (text.len == 10 && date_exists(text, year_min)))
        return text;
    field_error(f, json_member(parent, name), "wrong_date",
                "A day that exists is expected, written YYYY-MM-DD.");
    return VIEW_EMPTY;
}

struct view field_identifier(struct fields *f, const struct json_node *parent, const char *name,
                             size_t min, size_t max)
{
    struct view text = field_text(f, parent, name, 1, 2 * max, false);
    uint8_t *room = text.len > 0 ? arena_alloc(f->arena, text.len) : NULL;
    size_t len = 0;
    if (room == NULL)
        return VIEW_EMPTY;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (is_capital(c) || is_number(c)) {
            room[len++] = c;
        } else if (c != ' ') {
            field_error(f, json_member(parent, name), "wrong_letters",
                        "Only capital letters and digits are expected.");
            return VIEW_EMPTY;
        }
    }
    if (len >= min && len <= max)
        return view_of(room, len);
    field_error(f, json_member(parent, name), "wrong_length",
                "%zu to %zu letters and digits are expected, this has %zu.", min, max, len);
    return VIEW_EMPTY;
}

struct view field_iban(struct fields *f, const struct json_node *parent, const char *name)
{
    struct view iban = field_identifier(f, parent, name, 15, 34);
    if (iban.len == 0 || (is_capital(iban.ptr[0]) && is_capital(iban.ptr[1]) &&
                          is_number(iban.ptr[2]) && is_number(iban.ptr[3])))
        return iban;
    field_error(f, json_member(parent, name), "wrong_iban",
                "An IBAN begins with two letters and two digits (ISO 13616).");
    return VIEW_EMPTY;
}

struct view field_bic(struct fields *f, const struct json_node *parent, const char *name)
{
    struct view bic = field_identifier(f, parent, name, 8, 11);
    if (bic.len == 0 ||
        ((bic.len == 8 || bic.len == 11) && is_capital(bic.ptr[4]) && is_capital(bic.ptr[5])))
        return bic;
    field_error(f, json_member(parent, name), "wrong_bic",
                "A BIC has 8 or 11 letters and digits, the fifth and sixth are a country (ISO "
                "9362).");
    return VIEW_EMPTY;
}

void put_account(struct json_out *facts, const char *name, struct view value)
{
    if (!looks_like_pan(value)) {
        json_put_text_if(facts, name, value);
        return;
    }
    uint8_t last[4] = { 0 };
    for (size_t i = value.len, left = sizeof last; i > 0 && left > 0; i--) {
        if (is_number(value.ptr[i - 1]))
            last[--left] = value.ptr[i - 1];
    }
    char text[16];
    struct writer w = writer_over(text, sizeof text);
    writer_text(&w, "...");
    writer_bytes(&w, last, sizeof last);
    json_put_text(facts, name, writer_done(&w));
}

void put_detail(struct writer *details, const char *prefix, const char *name, struct view value)
{
    char full[REFS_NAME_MAX + 1];
    struct writer w = writer_over(full, sizeof full);
    if (value.len == 0)
        return;
    writer_text(&w, prefix);
    writer_text(&w, prefix[0] != '\0' ? "_" : "");
    writer_text(&w, name);
    ENSURE(!w.overflow);
    refs_put(details, writer_done(&w), value, looks_like_pan(value) ? REF_SENSITIVE : 0);
}
