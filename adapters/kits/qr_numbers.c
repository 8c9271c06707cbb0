/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_numbers.c - check digits of the numbers in transfer codes (qr_transfer.h): ISO 7064 mod 97-10
 * for IBAN and RF, mod 10 recursive for the Swiss QR reference. Also the form of a BIC.
 */
#include "kits/qr_transfer.h"

#include "kits/text.h"

static uint32_t is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static uint32_t is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Goes on with a remainder mod 97; letters count as 10 to 35. */
static uint32_t mod97(uint32_t rest, struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        rest = is_digit(c) ? (rest * 10 + (uint32_t)(c - '0')) % 97
                           : (rest * 100 + (uint32_t)(c - 'A') + 10) % 97;
    }
    return rest;
}

static uint32_t upper_and_digits(struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (!is_upper(text.ptr[i]) && !is_digit(text.ptr[i]))
            return 0;
    return 1;
}

/* Lengths of the IBAN register for the SEPA countries and territories. */
static uint32_t iban_length(struct rg_bytes country)
{
    static const char rows[] = "AD24AL28AT20BE16BG22CH21CY28CZ24DE22DK18EE20ES24FI18FR27GB22GI23"
                               "GR27HR21HU28IE22IS26IT27LI21LT20LU20LV21MC27MD24ME22MK19MT31NL18"
                               "NO15PL28PT25RO24RS22SE24SI19SK24SM27VA22";
    for (uint64_t i = 0; i + 4 < sizeof rows; i += 4)
        if (country.ptr[0] == (uint8_t)rows[i] && country.ptr[1] == (uint8_t)rows[i + 1])
            return (uint32_t)(rows[i + 2] - '0') * 10 + (uint32_t)(rows[i + 3] - '0');
    return 0;
}

uint32_t iban_valid(struct rg_bytes iban)
{
    if (iban.len < 15 || iban.len > 34 || !upper_and_digits(iban) || !is_upper(iban.ptr[0]) ||
        !is_upper(iban.ptr[1]) || !is_digit(iban.ptr[2]) || !is_digit(iban.ptr[3]))
        return 0;
    uint32_t length = iban_length(iban);
    uint32_t check = (uint32_t)(iban.ptr[2] - '0') * 10 + (uint32_t)(iban.ptr[3] - '0');
    if ((length != 0 && iban.len != length) || check < 2 || check > 98)
        return 0;
    return mod97(mod97(0, text_slice(iban, 4, iban.len)), text_slice(iban, 0, 4)) == 1;
}

uint32_t iban_is_qr(struct rg_bytes iban)
{
    if (iban.len != 21 || (!text_starts(iban, "CH") && !text_starts(iban, "LI")))
        return 0;
    struct rg_bytes institution = text_slice(iban, 4, 5);
    return text_digits(institution) && institution.ptr[0] == '3' &&
           (institution.ptr[1] == '0' || institution.ptr[1] == '1');
}

uint32_t reference_rf_valid(struct rg_bytes reference)
{
    if (reference.len < 5 || reference.len > 25 || !text_starts(reference, "RF") ||
        !upper_and_digits(reference) || !text_digits(text_slice(reference, 2, 2)))
        return 0;
    uint32_t rest = mod97(0, text_slice(reference, 4, reference.len));
    return mod97(rest, text_slice(reference, 0, 4)) == 1;
}

uint64_t reference_rf_make(struct rg_bytes text, uint8_t out[25])
{
    if (text.len < 1 || text.len > 21 || !upper_and_digits(text))
        return 0;
    uint32_t check = 98 - mod97(mod97(0, text), text_of("RF00"));
    out[0] = 'R';
    out[1] = 'F';
    out[2] = (uint8_t)('0' + check / 10);
    out[3] = (uint8_t)('0' + check % 10);
    for (uint64_t i = 0; i < text.len; i++)
        out[4 + i] = text.ptr[i];
    return 4 + text.len;
}

uint32_t reference_mod10_recursive(struct rg_bytes digits)
{
    static const uint8_t table[10] = { 0, 9, 4, 6, 8, 2, 7, 1, 3, 5 };
    uint32_t carry = 0;
    for (uint64_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.ptr[i]))
            return 10;
        carry = table[(carry + (uint32_t)(digits.ptr[i] - '0')) % 10];
    }
    return (10 - carry) % 10;
}

uint32_t reference_qrr_valid(struct rg_bytes reference)
{
    if (reference.len != 27 || !text_digits(reference))
        return 0;
    return reference_mod10_recursive(text_slice(reference, 0, 26)) ==
           (uint32_t)(reference.ptr[26] - '0');
}

uint32_t bic_valid(struct rg_bytes bic)
{
    if ((bic.len != 8 && bic.len != 11) || !upper_and_digits(bic))
        return 0;
    for (uint64_t i = 0; i < 6; i++)
        if (!is_upper(bic.ptr[i]))
            return 0;
    return 1;
}
