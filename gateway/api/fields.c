/* fields.c - typed reading of a JSON body. Every error is noted with its JSON pointer and reading
 * goes on, so a merchant sees all of them at once. */
#include "api/api_int.h"

#include "base/ensure.h"

#include <stdio.h>

static struct problem_error *error_next(struct fields *f)
{
    return f->count < PROBLEM_ERRORS_MAX ? &f->errors[f->count++] : NULL;
}

/* A member may be named like a card number; then the pointer ends before it. */
struct view pointer_without_pan(struct arena *arena, struct view pointer)
{
    size_t segment = 0;
    for (size_t i = 0; i <= pointer.len; i++) {
        if (i < pointer.len && pointer.ptr[i] != '/')
            continue;
        if (looks_like_pan(view_slice(pointer, segment, i - segment)))
            return arena_copy(arena, view_slice(pointer, 0, segment > 0 ? segment - 1 : 0));
        segment = i + 1;
    }
    return arena_copy(arena, pointer);
}

static struct view pointer_of(struct fields *f, const struct json_node *node, const char *name)
{
    char text[512];
    struct writer w = writer_over(text, sizeof text);
    if (node != NULL)
        json_pointer(&w, node);
    if (name != NULL)
        writer_format(&w, "/%s", name);
    return pointer_without_pan(f->arena, writer_done(&w));
}

__attribute__((format(printf, 4, 0))) static void
note(struct fields *f, struct view pointer, const char *code, const char *format, va_list args)
{
    char text[256];
    struct problem_error *error = error_next(f);
    if (error == NULL)
        return;
    (void)vsnprintf(text, sizeof text, format, args);
    *error = (struct problem_error){ .pointer = pointer,
                                     .code = code,
                                     .detail = arena_copy(f->arena, view_text(text)) };
}

void field_error(struct fields *f, const struct json_node *node, const char *code,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(f, pointer_of(f, node, NULL), code, format, args);
    va_end(args);
}

static void note_at(struct fields *f, struct view pointer, const char *code, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
static void note_at(struct fields *f, struct view pointer, const char *code, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    note(f, pointer, code, format, args);
    va_end(args);
}

void field_missing(struct fields *f, const struct json_node *parent, const char *name,
                   const char *what)
{
    note_at(f, pointer_of(f, parent, name), "required", "%s is required here.", what);
}

static bool has_control(struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ||
            (text.ptr[i] == 0xC2 && i + 1 < text.len && text.ptr[i + 1] < 0xA0)) /* U+0080..9F */
            return true;
    return false;
}

size_t characters(struct view text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += (text.ptr[i] & 0xC0) != 0x80; /* not a byte that goes on */
    return count;
}

/* What field_text and field_lines share: all but the control characters. */
static struct view text_read(struct fields *f, const struct json_node *parent, const char *name,
                             size_t min, size_t max, bool required)
{
    const struct json_node *node = json_member(parent, name);
    struct view text = VIEW_EMPTY;
    if (node == NULL) {
        if (required)
            field_missing(f, parent, name, "A text");
        return VIEW_EMPTY;
    }
    if (json_text(node, &text) != STATUS_OK) {
        field_error(f, node, "not_a_text", "A text in double quotes is expected.");
        return VIEW_EMPTY;
    }
    size_t count = characters(text);
    if (count < min || count > max) {
        field_error(f, node, "wrong_length", "%zu to %zu characters are expected, this has %zu.",
                    min, max, count);
        return VIEW_EMPTY;
    }
    return text;
}

struct view field_text(struct fields *f, const struct json_node *parent, const char *name,
                       size_t min, size_t max, bool required)
{
    struct view text = text_read(f, parent, name, min, max, required);
    if (!has_control(text))
        return text;
    field_error(f, json_member(parent, name), "control_character",
                "Control characters are not accepted.");
    return VIEW_EMPTY;
}

struct view field_lines(struct fields *f, const struct json_node *parent, const char *name,
                        size_t min, size_t max, bool required)
{
    struct view text = text_read(f, parent, name, min, max, required);
    size_t begin = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n' && text.ptr[i] != '\r')
            continue;
        if (has_control(view_slice(text, begin, i - begin))) {
            field_error(f, json_member(parent, name), "control_character",
                        "No control characters but line ends are accepted.");
            return VIEW_EMPTY;
        }
        begin = i + 1;
    }
    return text;
}

struct view field_code(struct fields *f, const struct json_node *parent, const char *name,
                       char kind, size_t min, size_t max, bool required)
{
    struct view text = field_text(f, parent, name, min, max, required);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool digit = c >= '0' && c <= '9';
        bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (kind == 'd' ? !digit : !hex) {
            field_error(f, json_member(parent, name), "wrong_letters", "Only %s are expected.",
                        kind == 'd' ? "digits" : "hexadecimal digits");
            return VIEW_EMPTY;
        }
    }
    return text;
}

const struct json_node *field_object(struct fields *f, const struct json_node *parent,
                                     const char *name, bool required)
{
    const struct json_node *node = json_member(parent, name);
    if (node == NULL) {
        if (required)
            field_missing(f, parent, name, "An object");
        return NULL;
    }
    if (node->kind != JSON_OBJECT) {
        field_error(f, node, "not_an_object", "An object in braces is expected.");
        return NULL;
    }
    return node;
}

/* Why a value is not an amount, each case with its own words: this is money. least: 0 or 1. */
static bool read_minor(struct fields *f, const struct json_node *amount, int64_t least,
                       int64_t *out)
{
    const struct json_node *node = json_member(amount, "value");
    switch (json_i64(node, out)) {
    case STATUS_OK: break;
    case STATUS_NOT_FOUND:
        field_missing(f, amount, "value", "An integer of minor units");
        return false;
    case STATUS_MALFORMED:
        field_error(f, node, "not_an_integer",
                    "An integer of minor units is expected, written without exponent or fraction.");
        return false;
    case STATUS_RANGE:
        field_error(f, node, "out_of_range", "The integer does not fit in 64 bits.");
        return false;
    default:
        field_error(f, node, "not_an_integer",
                    "An integer of minor units is expected, not a text.");
        return false;
    }
    if (*out < least) {
        field_error(f, node, "not_positive", "The amount must be %s zero.",
                    least > 0 ? "larger than" : "at least");
        return false;
    }
    return true;
}

static bool read_money(struct fields *f, const struct json_node *amount, int64_t least,
                       struct money *out)
{
    static const char *const known[] = { "value", "currency" };
    fields_known(f, amount, known, COUNT_OF(known));
    bool good = read_minor(f, amount, least, &out->minor);
    struct view code = field_text(f, amount, "currency", 3, 3, true);
    if (code.len == 0)
        return false;
    if (currency_by_code(code, &out->currency) != STATUS_OK) {
        field_error(f, json_member(amount, "currency"), "unknown_currency",
                    "An ISO 4217 code in capital letters is expected.");
        return false;
    }
    return good;
}

bool field_amount(struct fields *f, const struct json_node *parent, const char *name, bool required,
                  struct money *out)
{
    const struct json_node *amount = field_object(f, parent, name, required);
    return amount != NULL && read_money(f, amount, 1, out);
}

bool field_balance(struct fields *f, const struct json_node *parent, const char *name,
                   struct money *out)
{
    const struct json_node *amount = field_object(f, parent, name, false);
    return amount != NULL && read_money(f, amount, 0, out);
}

void fields_known(struct fields *f, const struct json_node *object, const char *const *names,
                  size_t count)
{
    for (const struct json_node *node = json_unknown(object, names, count, NULL); node != NULL;
         node = json_unknown(object, names, count, node)) {
        f->unknown = true;
        field_error(f, node, "unknown_field", "There is no such field here.");
    }
}

/* --- card numbers in the wrong place ------------------------------------------------------------
 */

/* Prefixes of the card schemes (ISO/IEC 7812 issuer numbers, as far as they are public). */
static bool has_card_prefix(const char *digits)
{
    int two = (digits[0] - '0') * 10 + (digits[1] - '0');
    int four = two * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
    return digits[0] == '4' || (two >= 51 && two <= 55) || (four >= 2221 && four <= 2720) ||
           two == 34 || two == 37 || two == 62 || two == 65 || four == 6011 ||
           (four >= 6440 && four <= 6499) || (four >= 3528 && four <= 3589) || two == 36 ||
           two == 38;
}

static bool window_is_pan(const char *digits, size_t count)
{
    return has_card_prefix(digits) && luhn_valid(view_of(digits, count));
}

/* How card numbers are printed: 4-4-4-4(-1..3), 4-6-5, 4-6-4. A UUID has groups of other lengths,
 * so digits are joined over blanks and dashes only in these groupings. */
static bool is_card_grouping(const uint8_t *groups, size_t count)
{
    if (count == 3)
        return groups[0] == 4 && groups[1] == 6 && (groups[2] == 4 || groups[2] == 5);
    if (count != 4 && count != 5)
        return false;
    for (size_t i = 0; i < 4; i++)
        if (groups[i] != 4)
            return false;
    return count == 4 || groups[4] <= 3;
}

static bool is_digit(struct view text, size_t at)
{
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

/* What could go on an identifier: then it is no card number standing by itself. */
static bool is_word(struct view text, size_t at)
{
    if (at >= text.len)
        return false;
    uint8_t c = text.ptr[at];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Looks at the run of digit groups from `at` on; returns where it ends. */
static size_t look_at_run(struct view text, size_t at, bool *found)
{
    char digits[20];
    uint8_t groups[6] = { 0 };
    size_t count = 0, group = 0, begin = at;
    for (;;) {
        size_t group_begin = at;
        for (; is_digit(text, at); at++, count++)
            if (count < sizeof digits)
                digits[count] = (char)text.ptr[at];
        size_t len = at - group_begin;
        if (len >= 13 && len <= 19 && window_is_pan((const char *)text.ptr + group_begin, len))
            *found = true; /* undivided */
        if (group < sizeof groups)
            groups[group] = (uint8_t)(len < 255 ? len : 255);
        group++;
        if (!(at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '-') &&
              is_digit(text, at + 1)))
            break;
        at++;
    }
    bool alone = (begin == 0 || !is_word(text, begin - 1)) && !is_word(text, at);
    if (alone && group <= sizeof groups && count <= 19 && is_card_grouping(groups, group) &&
        window_is_pan(digits, count))
        *found = true;
    return at;
}

/* Digits that begin like a card and pass the Luhn check: 13 to 19 in a row, or in the groups in
 * which cards are printed. */
bool looks_like_pan(struct view text)
{
    bool found = false;
    for (size_t at = 0; at < text.len && !found;)
        at = is_digit(text, at) ? look_at_run(text, at, &found) : at + 1;
    return found;
}

void field_no_pan(struct fields *f, const struct json_node *node)
{
    if (node == NULL)
        return;
    if (looks_like_pan(node->key)) {
        field_error(f, node->parent, "card_number", "A name in here looks like a card number.");
        return;
    }
    if ((node->kind == JSON_TEXT || node->kind == JSON_NUMBER) && looks_like_pan(node->text))
        field_error(f, node, "card_number",
                    "This looks like a card number; it would be stored in the clear.");
    if (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY)
        for (JSON_EACH(item, node))
            field_no_pan(f, item);
}

void field_no_pan_but(struct fields *f, const struct json_node *object, const char *const *names,
                      size_t count)
{
    for (JSON_EACH(item, object)) {
        bool named = false;
        for (size_t i = 0; i < count; i++)
            named = named || view_is(item->key, names[i]);
        if (!named)
            field_no_pan(f, item);
    }
}
