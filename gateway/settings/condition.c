/* condition.c - reading, checking and matching rows of `takes`.
 *
 * A field that no payment has would silently turn every payment away, so names are checked against
 * the list of those that the merchant API fills in. Of a card number only the beginning can be
 * asked for (eight digits are what PCI DSS 3.4.1 lets be shown of it), and no field that is secret
 * as a whole.
 */
#include "settings/condition.h"

#include "settings/finding.h"

#include <stdio.h>

#define PAN_PREFIX_MAX 8

/* Details of the methods that a choice of channel may look at; docs/operator.md lists them. */
static const char *const fields[] = {
    "kind",
    "purpose",
    "payer_country",
    "payee_country",
    "payer_alias",
    "payee_alias",
    "payer_account",
    "payee_account",
    "entry",
    "pan",
    "mode",
    "scheme",
    "code_type",
    "format",
    "direction",
    "speed",
    "creditor_country",
    "creditor_bic",
    "creditor_iban",
    "creditor_agent",
    "creditor_alias",
    "creditor_account",
    "debtor_country",
    "debtor_bic",
    "debtor_iban",
    "debtor_agent",
    "debtor_alias",
    "debtor_account",
    "execution_date",
    "structured_reference",
    "action",
    "payer_wallet",
    "payee_wallet",
    "lock_purpose",
};

bool condition_split(struct view text, struct condition *out)
{
    size_t at = view_find(text, '=');
    if (at == text.len)
        return false;
    out->field = view_slice(text, 0, at);
    out->patterns = view_slice(text, at + 1, SIZE_MAX);
    return true;
}

static struct view pattern_next(struct view *patterns)
{
    size_t len = view_find(*patterns, '|');
    struct view pattern = view_slice(*patterns, 0, len);
    *patterns = view_slice(*patterns, len + 1, SIZE_MAX);
    return pattern;
}

static bool pattern_matches(struct view pattern, struct view value, bool present)
{
    if (view_is(pattern, "-"))
        return !present;
    if (!present)
        return false;
    if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
        return view_starts_with(value, view_slice(pattern, 0, pattern.len - 1));
    return view_equal(pattern, value);
}

bool condition_matches(const struct condition *condition, struct view value, bool present)
{
    struct view rest = condition->patterns;
    while (rest.len > 0) {
        if (pattern_matches(pattern_next(&rest), value, present))
            return true;
    }
    return false;
}

static bool pattern_fine(struct view pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];
        if (c <= 0x20 || c == 0x7f || c == '=' || (c == '*' && i + 1 < pattern.len))
            return false;
    }
    return pattern.len > 0;
}

static bool pan_prefix_fine(struct view pattern)
{
    if (view_is(pattern, "-"))
        return true;
    return pattern.len >= 2 && pattern.len <= PAN_PREFIX_MAX + 1 &&
           pattern.ptr[pattern.len - 1] == '*' &&
           view_is_digits(view_slice(pattern, 0, pattern.len - 1));
}

static const char *field_wrong(struct view field, char *room, size_t room_size)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (view_is(field, fields[i]))
            return NULL;
    }
    const char *near = finding_did_you_mean(field, fields, sizeof fields / sizeof fields[0]);
    (void)snprintf(room, room_size,
                   "a condition on a field that payments have, like scheme, mode, direction, entry "
                   "or pan%s%s%s",
                   near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                   near != NULL ? "`?" : "");
    return room;
}

const char *condition_wrong(struct view text, char *room, size_t room_size)
{
    struct condition condition;
    if (text.len > CONDITION_BYTES_MAX || !condition_split(text, &condition) ||
        condition.field.len == 0)
        return "a condition like scheme=pix|promptpay, at most 256 bytes";
    const char *wrong = field_wrong(condition.field, room, room_size);
    if (wrong != NULL)
        return wrong;
    struct view rest = condition.patterns;
    if (rest.len == 0 || rest.ptr[rest.len - 1] == '|')
        return "complete: at least one letter stands on both sides of each `|` and behind `=`";
    while (rest.len > 0) {
        struct view pattern = pattern_next(&rest);
        if (!pattern_fine(pattern))
            return "a condition whose patterns are divided by `|`, have no blank and no `=`, and "
                   "have `*` only as the last letter (`-` alone: the payment has no such field)";
        if (view_is(condition.field, "pan") && !pan_prefix_fine(pattern))
            return "a condition on the beginning of a card number: 1 to 8 digits and `*`, like "
                   "pan=4*|51*";
    }
    return NULL;
}
