/* money.h - money is a signed 64-bit count of the currency's smallest unit, plus the currency.
 * Never a float. Currencies are ISO 4217 rows (currency.def): code, number, exponent, name. */
#ifndef DOMAIN_MONEY_H
#define DOMAIN_MONEY_H

#include "base/bytes.h"

struct currency {
    char code[4];     /* "EUR" */
    uint16_t number;  /* 978 */
    uint8_t exponent; /* 2 */
    const char *name; /* "Euro" */
};

struct money {
    int64_t minor;
    const struct currency *currency; /* a row of the constant table; NULL is no money at all */
};

/* NOT_FOUND for anything but three upper-case letters of a current ISO 4217 currency. */
enum status currency_by_code(struct view code, const struct currency **out);
enum status currency_by_number(uint16_t number, const struct currency **out);
/* RANGE when the sum leaves int64. */
enum status money_add(int64_t a, int64_t b, int64_t *out);
/* "12.50 EUR", "500 JPY", "-0.005 KWD"; for people only. */
void money_format(struct writer *w, struct money money);

#endif
