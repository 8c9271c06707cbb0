/* money.c - see money.h. */
#include "money.h"

#include "base/ensure.h"

#include <ctype.h>

static const struct {
    char code[4];
    int8_t digits;
} CURRENCIES[] = {
    { "EUR", 2 }, { "GBP", 2 }, { "USD", 2 }, { "CHF", 2 }, { "NOK", 2 }, { "SEK", 2 },
    { "DKK", 2 }, { "PLN", 2 }, { "CZK", 2 }, { "HUF", 2 }, { "RON", 2 }, { "BGN", 2 },
    { "ISK", 0 }, { "BRL", 2 }, { "JPY", 0 }, { "KRW", 0 }, { "VND", 0 }, { "IDR", 2 },
    { "SGD", 2 }, { "HKD", 2 }, { "MYR", 2 }, { "THB", 2 }, { "PHP", 2 }, { "INR", 2 },
    { "AUD", 2 }, { "NZD", 2 }, { "CAD", 2 }, { "MXN", 2 }, { "ZAR", 2 }, { "AED", 2 },
    { "SAR", 2 }, { "KWD", 3 }, { "BHD", 3 }, { "JOD", 3 }, { "TND", 3 }, { "TRY", 2 },
    { "CLP", 0 }, { "NGN", 2 }, { "KES", 2 }, { "CNY", 2 }, { "KHR", 2 },
};

_Static_assert(COUNT_OF(CURRENCIES) <= 64, "a set of currencies is 64 bits");

int currency_index(struct view currency)
{
    for (size_t i = 0; i < COUNT_OF(CURRENCIES); i++)
        if (view_is(currency, CURRENCIES[i].code))
            return (int)i;
    return -1;
}

const char *currency_code(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(CURRENCIES) ? CURRENCIES[index].code : NULL;
}

int currency_digits(struct view currency)
{
    int index = currency_index(currency);
    return index >= 0 ? CURRENCIES[index].digits : -1;
}

enum status money_read(struct view text, struct view currency, int64_t *amount_minor)
{
    int digits = currency_digits(currency);
    if (digits < 0)
        return STATUS_UNSUPPORTED;
    int64_t value = 0;
    int after = -1; /* digits after the point; -1 before it */
    bool any = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.' && after < 0 && any) {
            after = 0;
            continue;
        }
        if (c < '0' || c > '9')
            return STATUS_MALFORMED;
        any = true;
        if (after >= 0 && ++after > digits)
            return STATUS_RANGE;
        value = value * 10 + (c - '0');
        if (value > MONEY_MINOR_MAX)
            return STATUS_RANGE;
    }
    if (!any || after == 0)
        return STATUS_MALFORMED;
    for (int i = after < 0 ? 0 : after; i < digits; i++)
        if ((value *= 10) > MONEY_MINOR_MAX)
            return STATUS_RANGE;
    *amount_minor = value;
    return STATUS_OK;
}

void money_write(struct writer *w, int64_t amount_minor, const char *currency)
{
    int digits = currency_digits(view_text(currency));
    uint64_t unit = 1, value = (uint64_t)(amount_minor < 0 ? -amount_minor : amount_minor);
    for (int i = 0; i < (digits < 0 ? 2 : digits); i++)
        unit *= 10;
    if (amount_minor < 0)
        writer_u8(w, '-');
    writer_u64_text(w, value / unit);
    if (unit > 1) {
        writer_u8(w, '.');
        writer_u64_padded(w, value % unit, (unsigned)(digits < 0 ? 2 : digits));
    }
}

/* --- time: days by the civil calendar ------------------------------------------------------- */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    /* Years that begin in March, so that the leap day is the last one. */
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool number(struct view *text, size_t digits, char after, unsigned *out)
{
    struct view part = view_slice(*text, 0, digits);
    uint64_t value = 0;
    for (size_t i = 0; i < part.len; i++)
        value = value * 10 + (uint64_t)(part.ptr[i] - '0');
    if (part.len != digits || !view_is_digits(part) ||
        (after != 0 && (text->len == digits || text->ptr[digits] != (uint8_t)after)))
        return false;
    *out = (unsigned)value;
    *text = view_slice(*text, digits + (after != 0), text->len);
    return true;
}

static bool read_offset(struct view text, int64_t *seconds)
{
    unsigned hours = 0, minutes = 0;
    *seconds = 0;
    if (text.len == 0 || view_is(text, "Z"))
        return true;
    bool minus = text.ptr[0] == '-';
    if (!minus && text.ptr[0] != '+')
        return false;
    text = view_slice(text, 1, text.len);
    if (!number(&text, 2, ':', &hours) || !number(&text, 2, 0, &minutes) || text.len != 0 ||
        hours > 14 || minutes > 59)
        return false;
    *seconds = (minus ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

enum status wall_read(struct view text, int64_t *wall_us)
{
    unsigned year, month, day, hour = 0, minute = 0, second = 0;
    int64_t micros = 0, offset_s = 0;
    if (!number(&text, 4, '-', &year) || !number(&text, 2, '-', &month) ||
        !number(&text, 2, 0, &day) || year < 1 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month))
        return STATUS_MALFORMED;
    if (text.len > 0 && text.ptr[0] == 'T') {
        text = view_slice(text, 1, text.len);
        if (!number(&text, 2, ':', &hour) || !number(&text, 2, ':', &minute) ||
            !number(&text, 2, 0, &second) || hour > 23 || minute > 59 || second > 59)
            return STATUS_MALFORMED;
        if (text.len > 0 && text.ptr[0] == '.') {
            size_t i = 1;
            int64_t unit = 100000;
            for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++, unit /= 10)
                micros += unit * (text.ptr[i] - '0');
            if (i == 1)
                return STATUS_MALFORMED;
            text = view_slice(text, i, text.len);
        }
    }
    if (!read_offset(text, &offset_s))
        return STATUS_MALFORMED;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *wall_us = (seconds - offset_s) * 1000000 + micros;
    return STATUS_OK;
}

void wall_write(struct writer *w, int64_t wall_us, bool only_date)
{
    int64_t seconds = wall_us / 1000000, days = seconds / 86400, of_day = seconds % 86400;
    /* Years from 1970 are few: counting is simpler than turning days_of round. */
    unsigned year = 1970 + (unsigned)(days / 366), month = 1;
    while (days_of(year + 1, 1, 1) <= days)
        year++;
    while (month < 12 && days_of(year, month + 1, 1) <= days)
        month++;
    writer_u64_padded(w, year, 4);
    writer_u8(w, '-');
    writer_u64_padded(w, month, 2);
    writer_u8(w, '-');
    writer_u64_padded(w, (uint64_t)(days - days_of(year, month, 1)) + 1, 2);
    if (only_date)
        return;
    writer_u8(w, 'T');
    writer_u64_padded(w, (uint64_t)(of_day / 3600), 2);
    writer_u8(w, ':');
    writer_u64_padded(w, (uint64_t)(of_day / 60 % 60), 2);
    writer_u8(w, ':');
    writer_u64_padded(w, (uint64_t)(of_day % 60), 2);
    writer_u8(w, '.');
    writer_u64_padded(w, (uint64_t)(wall_us / 1000 % 1000), 3);
    writer_u8(w, 'Z');
}

/* --- numbers with check digits -------------------------------------------------------------- */
/* ISO 7064 mod 97-10 with the first four letters moved to the end. */
static bool mod97_good(struct view text)
{
    unsigned rest = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[(i + 4) % text.len];
        if (c >= '0' && c <= '9')
            rest = (rest * 10 + (c - '0')) % 97;
        else if (isupper(c))
            rest = (rest * 100 + (c - 'A' + 10u)) % 97;
        else if (islower(c))
            rest = (rest * 100 + (c - 'a' + 10u)) % 97;
        else
            return false;
    }
    return rest == 1;
}

/* Lengths of ISO 13616 registry entries (others: only the check digits are looked at). */
static size_t iban_length(struct view iban)
{
    static const struct {
        char country[3];
        uint8_t length;
    } known[] = { { "DE", 22 }, { "GB", 22 }, { "CH", 21 }, { "LI", 21 }, { "NO", 15 },
                  { "FR", 27 }, { "NL", 18 }, { "IT", 27 }, { "ES", 24 }, { "BE", 16 },
                  { "AT", 20 }, { "SE", 24 }, { "DK", 18 }, { "FI", 18 }, { "PL", 28 },
                  { "PT", 25 }, { "IE", 22 }, { "LU", 20 }, { "BR", 29 }, { "EE", 20 } };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (view_is(view_slice(iban, 0, 2), known[i].country))
            return known[i].length;
    return 0;
}

bool iban_valid(struct view iban)
{
    size_t length = iban_length(iban);
    if (iban.len < 5 || iban.len > 34 || (length != 0 && iban.len != length))
        return false;
    return isupper(iban.ptr[0]) && isupper(iban.ptr[1]) && isdigit(iban.ptr[2]) &&
           isdigit(iban.ptr[3]) && mod97_good(iban);
}

bool creditor_reference_valid(struct view reference)
{
    return reference.len >= 5 && reference.len <= 25 && view_starts_with(reference, VIEW("RF")) &&
           mod97_good(reference);
}

bool qr_reference_valid(struct view reference)
{
    static const uint8_t table[] = { 0, 9, 4, 6, 8, 2, 7, 1, 3, 5 };
    unsigned carry = 0;
    if (reference.len != 27 || !view_is_digits(reference))
        return false;
    for (size_t i = 0; i < 26; i++)
        carry = table[(carry + (reference.ptr[i] - '0')) % 10];
    return (10 - carry) % 10 == (unsigned)(reference.ptr[26] - '0');
}

bool iban_is_qr(struct view iban)
{
    bool swiss = view_starts_with(iban, VIEW("CH")) || view_starts_with(iban, VIEW("LI"));
    return swiss && iban.len == 21 && iban.ptr[4] == '3' &&
           (iban.ptr[5] == '0' || iban.ptr[5] == '1');
}

bool bic_valid(struct view bic)
{
    if (bic.len != 8 && bic.len != 11)
        return false;
    for (size_t i = 0; i < bic.len; i++) {
        bool country = i == 4 || i == 5; /* letters only */
        if (!isupper(bic.ptr[i]) && (country || !isdigit(bic.ptr[i])))
            return false;
    }
    return true;
}

bool uetr_valid(struct view uetr)
{
    if (uetr.len != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        uint8_t c = uetr.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool good = dash      ? c == '-'
                    : i == 14 ? c == '4'
                    : i == 19 ? c == '8' || c == '9' || c == 'a' || c == 'b'
                              : isdigit(c) || (c >= 'a' && c <= 'f');
        if (!good)
            return false;
    }
    return true;
}
