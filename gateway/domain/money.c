/* money.c - the table of currencies and exact arithmetic on minor units.
 *
 * Looking a currency up happens once per request: by code with a search by halves in the sorted
 * table, by number with a walk (only when a channel's answer is decoded).
 */
#include "domain/money.h"

#include "base/ensure.h"

static const struct currency currencies[] = {
#define CURRENCY(code_, number_, exponent_, name_)                                                 \
    { .code = code_, .number = (number_), .exponent = (exponent_), .name = (name_) },
#include "domain/currency.def"
#undef CURRENCY
};
_Static_assert(sizeof(currencies) / sizeof(currencies[0]) == 165, "a currency came or went");

enum status currency_by_code(struct view code, const struct currency **out)
{
    if (code.len != 3)
        return STATUS_NOT_FOUND;
    size_t low = 0, high = COUNT_OF(currencies);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(code.ptr, currencies[middle].code, 3);
        if (order == 0) {
            *out = &currencies[middle];
            return STATUS_OK;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return STATUS_NOT_FOUND;
}

enum status currency_by_number(uint16_t number, const struct currency **out)
{
    for (size_t i = 0; i < COUNT_OF(currencies); i++) {
        if (currencies[i].number == number) {
            *out = &currencies[i];
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

enum status money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return STATUS_RANGE;
    *out = sum;
    return STATUS_OK;
}

void money_format(struct writer *w, struct money money)
{
    if (money.currency == NULL) {
        writer_text(w, "no money");
        return;
    }
    /* Unsigned, because the smallest int64 has no positive counterpart. */
    uint64_t minor = (uint64_t)money.minor;
    if (money.minor < 0) {
        writer_text(w, "-");
        minor = 0 - minor;
    }
    uint64_t unit = 1;
    for (unsigned i = 0; i < money.currency->exponent; i++)
        unit *= 10;
    writer_u64_text(w, minor / unit);
    if (money.currency->exponent > 0) {
        writer_text(w, ".");
        writer_u64_padded(w, minor % unit, money.currency->exponent);
    }
    writer_text(w, " ");
    writer_text(w, money.currency->code);
}
