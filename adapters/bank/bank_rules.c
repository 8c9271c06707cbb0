/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_rules.c - rules that no schema checks, each with the reason code that a bank would give.
 * What is refused here never left: the merchant hears at once what would come back after hours.
 *
 * Lengths are counted in characters, not bytes; the schemas do the same.
 */
#include "bank_int.h"

#include <string.h>

static struct bank_refusal refuse(const char *code, const char *sentence)
{
    return (struct bank_refusal){ code, sentence };
}

static const struct bank_refusal good = { NULL, NULL };

/* --- amounts --------------------------------------------------------------------------------- */

static uint32_t currency_allowed(const struct bank_profile *profile, const char *code)
{
    struct rg_bytes list = text_of(profile->currencies != NULL ? profile->currencies : code);
    for (uint64_t i = 0; i + 3 <= list.len; i += 4)
        if (text_is(text_slice(list, i, 3), code))
            return 1;
    return 0;
}

struct bank_refusal bank_check_amount(const struct bank_instance *bank,
                                      const struct bank_profile *profile,
                                      const struct rg_command *command)
{
    uint32_t number, exponent;
    char code[4] = { command->currency_code[0], command->currency_code[1],
                     command->currency_code[2], '\0' };
    if (command->amount_minor == 0)
        return refuse("AM01", "The amount is zero.");
    if (!iso_currency(code, &number, &exponent) || number != command->currency_number)
        return refuse("AM03", "This currency is not one that banks transfer.");
    if (exponent != command->currency_exponent)
        return refuse("AM12", "The amount has more or fewer digits than its currency.");
    if (!currency_allowed(profile, code))
        return refuse("AM03", "This scheme does not carry this currency.");
    if (command->amount_minor > bank->amount_max || command->amount_minor > profile->amount_max)
        return refuse("AM02", "The amount is over what this channel or its scheme carries.");
    return good;
}

/* --- texts ----------------------------------------------------------------------------------- */

static uint32_t code_point(struct rg_bytes text, uint32_t letter)
{
    static const uint8_t mask[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t value = text.ptr[0] & mask[letter];
    for (uint32_t i = 1; i < letter; i++)
        value = value << 6 | (text.ptr[i] & 0x3Fu);
    return value;
}

/* SEPA: a-z A-Z 0-9 / - ? : ( ) . , ' + and blank. Latin: what the Swiss standard allows (Latin-1
 * and Latin Extended-A, the comma-below letters of Romanian, the euro sign). Never control
 * characters. */
static uint32_t letter_allowed(uint32_t charset, uint32_t c)
{
    if (c < 0x20 || c == 0x7F || (c >= 0x80 && c < 0xA0) || c == 0xFFFE || c == 0xFFFF)
        return 0;
    if (charset == CHARSET_SEPA)
        return c < 0x7F && ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                            (c >= 'a' && c <= 'z') || strchr("/-?:().,'+ ", (int)c) != NULL);
    if (charset == CHARSET_LATIN)
        return c <= 0x17F || (c >= 0x218 && c <= 0x21B) || c == 0x20AC;
    return 1;
}

/* Characters of a text that the scheme allows; `longest` + 1 when it has too many. *bad: it is not
 * UTF-8 or has others. */
static uint64_t letters_of(uint32_t charset, struct rg_bytes text, uint64_t longest, uint32_t *bad)
{
    uint64_t count = 0;
    while (text.len > 0 && count <= longest) {
        uint32_t letter = text_letter(text);
        if (letter == 0 || !letter_allowed(charset, code_point(text, letter))) {
            *bad = 1;
            return 0;
        }
        text = text_slice(text, letter, text.len);
        count++;
    }
    return count;
}

static struct bank_refusal check_texts(const struct bank_profile *profile,
                                       const struct iso_order *order)
{
    const struct {
        const struct rg_bytes *text;
        uint64_t longest;
    } rows[] = {
        { &order->debtor.name, profile->name_max },
        { &order->creditor.name, profile->name_max },
        { &order->creditor.street, 70 },
        { &order->creditor.building, 16 },
        { &order->creditor.postcode, 16 },
        { &order->creditor.town, 35 },
        { &order->creditor.lines[0], 70 },
        { &order->creditor.lines[1], 70 },
        { &order->creditor.account, 34 },
        { &order->creditor.id, 35 },
        { &order->creditor.proxy, 140 },
        { &order->debtor.account, 34 },
        { &order->purpose, 35 },
        { &order->remittance, 140 },
        { &order->reference, 35 },
        { &order->debtor.id, 35 },
        { &order->debtor.lines[0], 70 },
        { &order->debtor.lines[1], 70 },
    };
    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t bad = 0;
        uint64_t count = letters_of(profile->charset, *rows[i].text, rows[i].longest, &bad);
        if (bad != 0)
            return refuse("RR10", "A text has characters that the scheme does not allow.");
        if (count > rows[i].longest)
            return refuse("CH16", "A text is longer than the scheme allows.");
    }
    return good;
}

/* A slash at an end, or two together: banks use these for structure (CBPR+ and SEPA alike). */
static uint32_t slashes_good(struct rg_bytes text)
{
    if (text.len == 0)
        return 1;
    if (text.ptr[0] == '/' || text.ptr[text.len - 1] == '/')
        return 0;
    for (uint64_t i = 1; i < text.len; i++)
        if (text.ptr[i] == '/' && text.ptr[i - 1] == '/')
            return 0;
    return 1;
}

/* --- accounts and references ------------------------------------------------------------------ */

static struct bank_refusal check_account(const struct bank_profile *profile,
                                         const struct iso_party *party)
{
    if (party->iban.len > 0) {
        if (profile->account == ACCOUNT_OTHER)
            return refuse("AC01", "This scheme does not use IBANs: give creditor_account.");
        if (!account_iban_valid(party->iban))
            return refuse("AC01", "This is not an IBAN: its length or check digits are wrong.");
        return good;
    }
    if (profile->account == ACCOUNT_IBAN)
        return refuse("AC01", "This scheme needs the creditor's IBAN.");
    if (party->account.len == 0 && party->proxy.len == 0)
        return refuse("AC01", "The creditor's account is missing.");
    return good;
}

static struct bank_refusal check_agent(const struct bank_profile *profile,
                                       const struct iso_party *party)
{
    if (party->agent.bic.len > 0 && !bic_valid(party->agent.bic))
        return refuse("RC01", "This is not a BIC.");
    if (party->agent.member.len == 0)
        return (profile->flags & PROFILE_NEEDS_MEMBER) != 0 && party->iban.len == 0
                   ? refuse("RC10", "The clearing number of the creditor's bank is missing.")
                   : good;
    if (profile->member_digits != 0 &&
        (party->agent.member.len != profile->member_digits || !text_digits(party->agent.member)))
        return refuse("RC10", "The scheme's clearing numbers have another length.");
    uint32_t bad = 0;
    if (letters_of(CHARSET_SEPA, party->agent.member, 35, &bad) > 35 || bad != 0)
        return refuse("RC10", "The clearing number of the creditor's bank is not valid.");
    return good;
}

static struct bank_refusal check_reference(const struct bank_profile *profile,
                                           const struct iso_order *order)
{
    uint32_t is_qrr = order->reference_own != NULL;
    if (order->reference_code != NULL && !reference_rf_valid(order->reference))
        return refuse("CH16", "The creditor reference's check digits are wrong.");
    if (is_qrr && !reference_qrr_valid(order->reference))
        return refuse("CH16", "The QR reference's check digit is wrong.");
    if (is_qrr && (profile->flags & PROFILE_QR_IBAN) == 0)
        return refuse("CH16", "This scheme has no QR references.");
    if ((profile->flags & PROFILE_QR_IBAN) != 0 && order->creditor.iban.len > 0 &&
        is_qrr != iban_is_qr(order->creditor.iban))
        return refuse("CH16", is_qrr ? "A QR reference needs a QR-IBAN."
                                     : "A QR-IBAN needs a QR reference.");
    if (!slashes_good(order->reference) || !slashes_good(order->debtor.id) ||
        !slashes_good(order->creditor.id))
        return refuse("CH16", "A reference begins or ends with '/', or has two of them together.");
    return good;
}

static uint32_t date_good(struct rg_bytes date)
{
    uint64_t year, month, day;
    static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (date.len != 10 || date.ptr[4] != '-' || date.ptr[7] != '-' ||
        !text_digits(text_slice(date, 0, 4)) || !text_digits(text_slice(date, 5, 2)) ||
        !text_digits(text_slice(date, 8, 2)))
        return 0;
    year = (uint64_t)(date.ptr[0] - '0') * 1000 + (uint64_t)(date.ptr[1] - '0') * 100 +
           (uint64_t)(date.ptr[2] - '0') * 10 + (uint64_t)(date.ptr[3] - '0');
    month = (uint64_t)(date.ptr[5] - '0') * 10 + (uint64_t)(date.ptr[6] - '0');
    day = (uint64_t)(date.ptr[8] - '0') * 10 + (uint64_t)(date.ptr[9] - '0');
    uint32_t leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year >= 2000 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
           (month != 2 || day <= 28 || leap != 0);
}

static uint32_t country_good(struct rg_bytes country)
{
    return country.len == 0 ||
           (country.len == 2 && country.ptr[0] >= 'A' && country.ptr[0] <= 'Z' &&
            country.ptr[1] >= 'A' && country.ptr[1] <= 'Z');
}

struct bank_refusal bank_check_order(const struct bank_profile *profile,
                                     const struct iso_order *order)
{
    if ((profile->flags & PROFILE_NEEDS_NAME) != 0 && order->creditor.name.len == 0)
        return refuse("RR03", "The creditor's name is missing.");
    struct bank_refusal found = check_account(profile, &order->creditor);
    if (found.code == NULL)
        found = check_agent(profile, &order->creditor);
    if (found.code == NULL)
        found = check_reference(profile, order);
    if (found.code == NULL)
        found = check_texts(profile, order);
    if (found.code != NULL)
        return found;
    if (order->debtor.iban.len > 0 && !account_iban_valid(order->debtor.iban))
        return refuse("AC02", "The debtor's IBAN is not valid.");
    if (!country_good(order->creditor.country) || !country_good(order->debtor.country))
        return refuse("BE04", "A country is not two upper-case letters.");
    if (!date_good(order->date))
        return refuse("DT01", "The date is not valid.");
    return good;
}
