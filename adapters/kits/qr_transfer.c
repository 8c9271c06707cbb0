/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_transfer.c - EPC069-12 and Swiss QR-bill codes, see qr_transfer.h.
 *
 * Both are lines. cut_lines() cuts once and checks what concerns the text as a whole; then one
 * function per standard takes the lines by number, as the standard's table has them, and stops at
 * the first fault.
 */
#include "kits/qr_transfer.h"

#include "kits/text.h"

#define LINES_MAX 34u /* SPC: 31, bill information, two alternatives, 34 in all */

struct lines {
    struct rg_bytes line[LINES_MAX + 1]; /* from 1 */
    uint64_t at[LINES_MAX + 1];
    uint32_t count;
    struct rg_bytes text;
};

struct reading {
    struct lines lines;
    struct qr_transfer *out;
    struct qr_transfer_fault *fault;
};

const char *qr_transfer_fault_text(uint32_t kind)
{
#define QR_TRANSFER_FAULT(name, text)                                                              \
    if (kind == QR_TRANSFER_##name)                                                                \
        return text;
#include "kits/qr_transfer_faults.def"
#undef QR_TRANSFER_FAULT
    return "nothing is wrong with it";
}

uint32_t qr_transfer_looks_like(struct rg_bytes text)
{
    struct rg_bytes end = text_slice(text, 3, 2);
    if (end.len < 1 || (end.ptr[0] != '\n' && !text_is(end, "\r\n")))
        return 0;
    return text_starts(text, "BCD")   ? QR_TRANSFER_EPC
           : text_starts(text, "SPC") ? QR_TRANSFER_SPC
                                      : 0;
}

static uint32_t fault_at(struct reading *r, uint32_t kind, uint32_t line)
{
    r->fault->kind = kind;
    r->fault->line = line;
    r->fault->at = line <= LINES_MAX ? r->lines.at[line] : 0;
    return 0;
}

static uint64_t letters_of(struct rg_bytes text)
{
    uint32_t good;
    return text_letters(text, &good);
}

static uint32_t upper_or_digit(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static uint32_t country_like(struct rg_bytes text)
{
    return text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' && text.ptr[1] >= 'A' &&
           text.ptr[1] <= 'Z';
}

/* --- lines ----------------------------------------------------------------------------------- */

static uint32_t add_line(struct lines *lines, uint64_t begin, uint64_t end)
{
    if (lines->count >= LINES_MAX)
        return 0;
    lines->count++;
    lines->line[lines->count] = text_slice(lines->text, begin, end - begin);
    lines->at[lines->count] = begin;
    return 1;
}

/* A line end behind the last line is tolerated: scanners add it. */
static uint32_t cut_lines(struct reading *r, struct rg_bytes text)
{
    struct lines *lines = &r->lines;
    uint64_t begin = 0, with_cr = 0, without = 0;
    lines->text = text;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n')
            continue;
        if (c != '\n') {
            if (c < 0x20 || c == 0x7F)
                return fault_at(r, QR_TRANSFER_LINE_ENDS, 0);
            continue;
        }
        uint32_t cr = i > begin && text.ptr[i - 1] == '\r';
        with_cr += cr;
        without += !cr;
        if (!add_line(lines, begin, i - cr))
            return fault_at(r, QR_TRANSFER_LINES, 0);
        begin = i + 1;
    }
    if (begin < text.len && !add_line(lines, begin, text.len))
        return fault_at(r, QR_TRANSFER_LINES, 0);
    if (with_cr > 0 && without > 0)
        return fault_at(r, QR_TRANSFER_LINE_ENDS, 0);
    return 1;
}

/* Empty when the text ends before it. */
static struct rg_bytes line_of(const struct reading *r, uint32_t number)
{
    return number <= r->lines.count ? r->lines.line[number] : (struct rg_bytes){ NULL, 0 };
}

/* "12.5" to 1250: digits without leading zeros, then at most (exactly) two decimals. */
static uint32_t take_amount(struct rg_bytes text, uint32_t exactly_two, int64_t *minor)
{
    uint64_t dot = 0, whole = 0, cents = 0;
    while (dot < text.len && text.ptr[dot] != '.')
        dot++;
    struct rg_bytes decimals = text_slice(text, dot + 1, text.len);
    if (!text_number(text_slice(text, 0, dot), 999999999, &whole))
        return 0;
    if (exactly_two ? decimals.len != 2 : decimals.len > 2)
        return 0;
    if (dot < text.len && !text_digits(decimals))
        return 0;
    for (uint64_t i = 0; i < 2; i++)
        cents = cents * 10 + (i < decimals.len ? (uint64_t)(decimals.ptr[i] - '0') : 0);
    *minor = (int64_t)(whole * 100 + cents);
    return *minor > 0;
}

/* --- EPC069-12 ------------------------------------------------------------------------------- */

enum epc_line {
    EPC_TAG = 1,
    EPC_VERSION,
    EPC_CHARSET,
    EPC_SERVICE,
    EPC_BIC,
    EPC_NAME,
    EPC_IBAN,
    EPC_AMOUNT,
    EPC_PURPOSE,
    EPC_REFERENCE,
    EPC_MESSAGE,
    EPC_INFORMATION,
};

static uint32_t epc_remittance(struct reading *r)
{
    struct qr_transfer *out = r->out;
    out->purpose = line_of(r, EPC_PURPOSE);
    if (out->purpose.len > 4)
        return fault_at(r, QR_TRANSFER_PURPOSE, EPC_PURPOSE);
    for (uint64_t i = 0; i < out->purpose.len; i++)
        if (!upper_or_digit(out->purpose.ptr[i]))
            return fault_at(r, QR_TRANSFER_PURPOSE, EPC_PURPOSE);
    out->reference = line_of(r, EPC_REFERENCE);
    out->message = line_of(r, EPC_MESSAGE);
    out->information = line_of(r, EPC_INFORMATION);
    out->reference_kind = out->reference.len == 0             ? QR_REFERENCE_NONE
                          : text_starts(out->reference, "RF") ? QR_REFERENCE_SCOR
                                                              : QR_REFERENCE_OTHER;
    if (out->reference_kind == QR_REFERENCE_SCOR ? !reference_rf_valid(out->reference)
                                                 : letters_of(out->reference) > 35)
        return fault_at(r, QR_TRANSFER_REFERENCE, EPC_REFERENCE);
    if (out->reference.len > 0 && out->message.len > 0)
        return fault_at(r, QR_TRANSFER_TWO_REFERENCES, EPC_MESSAGE);
    if (letters_of(out->message) > 140)
        return fault_at(r, QR_TRANSFER_MESSAGE, EPC_MESSAGE);
    if (letters_of(out->information) > 70)
        return fault_at(r, QR_TRANSFER_INFORMATION, EPC_INFORMATION);
    return 1;
}

static uint32_t epc_read(struct reading *r)
{
    struct qr_transfer *out = r->out;
    struct rg_bytes charset = line_of(r, EPC_CHARSET), amount = line_of(r, EPC_AMOUNT);
    out->version = line_of(r, EPC_VERSION);
    if (!text_is(out->version, "001") && !text_is(out->version, "002"))
        return fault_at(r, QR_TRANSFER_VERSION, EPC_VERSION);
    if (charset.len != 1 || charset.ptr[0] < '1' || charset.ptr[0] > '8')
        return fault_at(r, QR_TRANSFER_CODING, EPC_CHARSET);
    /* Only 1 is UTF-8; in 2 to 8 a letter was one byte before the scanner read it. */
    uint64_t size = charset.ptr[0] == '1' ? r->lines.text.len : letters_of(r->lines.text);
    if (size > 331)
        return fault_at(r, QR_TRANSFER_TOO_LONG, 0);
    if (!text_is(line_of(r, EPC_SERVICE), "SCT"))
        return fault_at(r, QR_TRANSFER_SERVICE, EPC_SERVICE);
    if (r->lines.count < EPC_IBAN || r->lines.count > EPC_INFORMATION)
        return fault_at(r, QR_TRANSFER_LINES, 0);
    out->bic = line_of(r, EPC_BIC);
    if (out->bic.len == 0 ? text_is(out->version, "001") : !bic_valid(out->bic))
        return fault_at(r, QR_TRANSFER_BIC, EPC_BIC);
    out->creditor.name = line_of(r, EPC_NAME);
    if (out->creditor.name.len == 0 || letters_of(out->creditor.name) > 70)
        return fault_at(r, QR_TRANSFER_NAME, EPC_NAME);
    out->iban = line_of(r, EPC_IBAN);
    if (!iban_valid(out->iban))
        return fault_at(r, QR_TRANSFER_IBAN, EPC_IBAN);
    if (amount.len > 0 && !text_starts(amount, "EUR"))
        return fault_at(r, QR_TRANSFER_CURRENCY, EPC_AMOUNT);
    if (amount.len > 0 && !take_amount(text_slice(amount, 3, amount.len), 0, &out->amount_minor))
        return fault_at(r, QR_TRANSFER_AMOUNT, EPC_AMOUNT);
    for (uint32_t i = 0; i < 3; i++)
        out->currency[i] = "EUR"[i];
    return epc_remittance(r);
}

/* --- Swiss QR-bill --------------------------------------------------------------------------- */

enum spc_line {
    SPC_TAG = 1,
    SPC_VERSION,
    SPC_CODING,
    SPC_IBAN,
    SPC_CREDITOR,      /* 7 lines */
    SPC_ULTIMATE = 12, /* 7 lines */
    SPC_AMOUNT = 19,
    SPC_CURRENCY,
    SPC_DEBTOR, /* 7 lines */
    SPC_REFERENCE_TYPE = 28,
    SPC_REFERENCE,
    SPC_MESSAGE,
    SPC_TRAILER,
    SPC_BILL_INFORMATION,
    SPC_ALTERNATIVE, /* 2 lines */
};

/* The Latin letters of the Swiss implementation guidelines 2.3, section 4.1.1. */
static uint32_t spc_letters(struct rg_bytes text)
{
    while (text.len > 0) {
        uint32_t len = text_letter(text), c = text.ptr[0];
        if (len == 2)
            c = (c & 0x1Fu) << 6 | (text.ptr[1] & 0x3Fu);
        else if (len == 3)
            c = (c & 0x0Fu) << 12 | (text.ptr[1] & 0x3Fu) << 6 | (text.ptr[2] & 0x3Fu);
        else if (len != 1)
            return 0;
        uint32_t good = (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0x17F) ||
                        (c >= 0x218 && c <= 0x21B) || c == 0x20AC;
        if (!good)
            return 0;
        text = text_slice(text, len, text.len);
    }
    return 1;
}

static uint32_t spc_party(struct reading *r, uint32_t first, struct qr_transfer_party *party)
{
    struct rg_bytes type = line_of(r, first);
    struct rg_bytes three = line_of(r, first + 2), four = line_of(r, first + 3);
    party->name = line_of(r, first + 1);
    party->postcode = line_of(r, first + 4);
    party->town = line_of(r, first + 5);
    party->country = line_of(r, first + 6);
    if (!text_is(type, "S") && !text_is(type, "K"))
        return fault_at(r, QR_TRANSFER_ADDRESS_TYPE, first);
    if (party->name.len == 0 || letters_of(party->name) > 70)
        return fault_at(r, QR_TRANSFER_NAME, first + 1);
    if (letters_of(three) > 70)
        return fault_at(r, QR_TRANSFER_ADDRESS, first + 2);
    party->combined = text_is(type, "K");
    if (party->combined) {
        party->line1 = three;
        party->line2 = four;
        if (four.len == 0 || letters_of(four) > 70)
            return fault_at(r, QR_TRANSFER_ADDRESS, first + 3);
        if (party->postcode.len > 0 || party->town.len > 0)
            return fault_at(r, QR_TRANSFER_ADDRESS, first + 4);
    } else {
        party->street = three;
        party->house = four;
        if (letters_of(four) > 16)
            return fault_at(r, QR_TRANSFER_ADDRESS, first + 3);
        if (party->postcode.len == 0 || letters_of(party->postcode) > 16)
            return fault_at(r, QR_TRANSFER_ADDRESS, first + 4);
        if (party->town.len == 0 || letters_of(party->town) > 35)
            return fault_at(r, QR_TRANSFER_ADDRESS, first + 5);
    }
    return country_like(party->country) ? 1 : fault_at(r, QR_TRANSFER_COUNTRY, first + 6);
}

static uint32_t all_empty(const struct reading *r, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (line_of(r, first + i).len > 0)
            return 0;
    return 1;
}

static uint32_t spc_reference(struct reading *r)
{
    struct qr_transfer *out = r->out;
    struct rg_bytes type = line_of(r, SPC_REFERENCE_TYPE);
    out->reference = line_of(r, SPC_REFERENCE);
    out->reference_kind = text_is(type, "QRR")    ? QR_REFERENCE_QRR
                          : text_is(type, "SCOR") ? QR_REFERENCE_SCOR
                          : text_is(type, "NON")  ? QR_REFERENCE_NONE
                                                  : 0;
    if (out->reference_kind == 0)
        return fault_at(r, QR_TRANSFER_REFERENCE_TYPE, SPC_REFERENCE_TYPE);
    if (iban_is_qr(out->iban) != (out->reference_kind == QR_REFERENCE_QRR))
        return fault_at(r, QR_TRANSFER_QR_IBAN, SPC_REFERENCE_TYPE);
    uint32_t good = out->reference_kind == QR_REFERENCE_QRR    ? reference_qrr_valid(out->reference)
                    : out->reference_kind == QR_REFERENCE_SCOR ? reference_rf_valid(out->reference)
                                                               : out->reference.len == 0;
    return good ? 1 : fault_at(r, QR_TRANSFER_REFERENCE, SPC_REFERENCE);
}

static uint32_t spc_tail(struct reading *r)
{
    struct qr_transfer *out = r->out;
    out->message = line_of(r, SPC_MESSAGE);
    out->bill_information = line_of(r, SPC_BILL_INFORMATION);
    if (letters_of(out->message) + letters_of(out->bill_information) > 140)
        return fault_at(r, QR_TRANSFER_MESSAGE, SPC_MESSAGE);
    if (!text_is(line_of(r, SPC_TRAILER), "EPD"))
        return fault_at(r, QR_TRANSFER_TRAILER, SPC_TRAILER);
    for (uint32_t i = 0; i < 2; i++) {
        out->alternative[i] = line_of(r, SPC_ALTERNATIVE + i);
        if (letters_of(out->alternative[i]) > 100)
            return fault_at(r, QR_TRANSFER_INFORMATION, SPC_ALTERNATIVE + i);
    }
    return 1;
}

static uint32_t spc_read(struct reading *r)
{
    struct qr_transfer *out = r->out;
    struct rg_bytes amount = line_of(r, SPC_AMOUNT), currency = line_of(r, SPC_CURRENCY);
    out->version = line_of(r, SPC_VERSION);
    if (out->version.len != 4 || !text_digits(out->version) || !text_starts(out->version, "02"))
        return fault_at(r, QR_TRANSFER_VERSION, SPC_VERSION);
    if (!text_is(line_of(r, SPC_CODING), "1"))
        return fault_at(r, QR_TRANSFER_CODING, SPC_CODING);
    if (letters_of(r->lines.text) > 997)
        return fault_at(r, QR_TRANSFER_TOO_LONG, 0);
    for (uint32_t i = 1; i <= r->lines.count; i++)
        if (!spc_letters(r->lines.line[i]))
            return fault_at(r, QR_TRANSFER_LETTERS, i);
    if (r->lines.count < SPC_TRAILER)
        return fault_at(r, QR_TRANSFER_LINES, 0);
    out->iban = line_of(r, SPC_IBAN);
    if (!iban_valid(out->iban) || (!text_starts(out->iban, "CH") && !text_starts(out->iban, "LI")))
        return fault_at(r, QR_TRANSFER_IBAN, SPC_IBAN);
    if (!spc_party(r, SPC_CREDITOR, &out->creditor))
        return 0;
    if (!all_empty(r, SPC_ULTIMATE, 7))
        return fault_at(r, QR_TRANSFER_ULTIMATE, SPC_ULTIMATE);
    if (amount.len > 0 && !take_amount(amount, 1, &out->amount_minor))
        return fault_at(r, QR_TRANSFER_AMOUNT, SPC_AMOUNT);
    if (!text_is(currency, "CHF") && !text_is(currency, "EUR"))
        return fault_at(r, QR_TRANSFER_CURRENCY, SPC_CURRENCY);
    for (uint32_t i = 0; i < 3; i++)
        out->currency[i] = (char)currency.ptr[i];
    if (!all_empty(r, SPC_DEBTOR, 7) && !spc_party(r, SPC_DEBTOR, &out->debtor))
        return 0;
    return spc_reference(r) && spc_tail(r);
}

uint32_t qr_transfer_read(struct rg_bytes text, struct qr_transfer *out,
                          struct qr_transfer_fault *fault)
{
    struct reading r = { .out = out, .fault = fault };
    uint32_t good = 0, format = qr_transfer_looks_like(text);
    *out = (struct qr_transfer){ .format = format };
    *fault = (struct qr_transfer_fault){ 0 };
    if (format == 0)
        return fault_at(&r, QR_TRANSFER_NOT_ONE, 0);
    if (text.len > 4096)
        return fault_at(&r, QR_TRANSFER_TOO_LONG, 0);
    (void)text_letters(text, &good);
    if (!good)
        return fault_at(&r, QR_TRANSFER_NOT_UTF8, 0);
    if (!cut_lines(&r, text))
        return 0;
    return format == QR_TRANSFER_EPC ? epc_read(&r) : spc_read(&r);
}
