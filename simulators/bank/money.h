/* money.h - amounts, dates and account numbers as a bank reads and writes them. */
#ifndef SIM_BANK_MONEY_H
#define SIM_BANK_MONEY_H

#include "base/bytes.h"

#define MONEY_MINOR_MAX ((int64_t)100000000000000000) /* 10^17: what fits 18 digits */

/* Digits after the point (ISO 4217); -1: this bank does not know the currency. */
int currency_digits(struct view currency);
/* A small number of the currency, below 64; -1: not known. And back: NULL when there is none. */
int currency_index(struct view currency);
const char *currency_code(int index);
/* "12.5" in EUR is 1250. MALFORMED: no decimal; RANGE: more fraction digits than the currency has
 * (zeros count too), or too large; UNSUPPORTED: currency not known. */
enum status money_read(struct view text, struct view currency, int64_t *amount_minor);
/* "12.50"; two digits when the currency is not known. */
void money_write(struct writer *w, int64_t amount_minor, const char *currency);

/* Microseconds since 1970 of 2026-11-22T12:00:00.123Z (offset or none allowed) or 2026-11-22. */
enum status wall_read(struct view text, int64_t *wall_us);
void wall_write(struct writer *w, int64_t wall_us, bool only_date);

/* ISO 13616: form and mod 97. */
bool iban_valid(struct view iban);
/* ISO 11649 "RF.." mod 97. */
bool creditor_reference_valid(struct view reference);
/* 27 digits, modulo 10 recursive (Swiss QR reference). */
bool qr_reference_valid(struct view reference);
/* Swiss or Liechtenstein IBAN whose institution is 30000 to 31999. */
bool iban_is_qr(struct view iban);
bool bic_valid(struct view bic);
bool uetr_valid(struct view uetr);

#endif
