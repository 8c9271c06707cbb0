/* codes.h - a reader of payment codes of its own, as a phone has it: EMVCo merchant-presented text,
 * consumer-presented base64, amounts and currencies. Shares nothing with the adapters. */
#ifndef SIM_WALLET_CODES_H
#define SIM_WALLET_CODES_H

#include "base/bytes.h"

#define CODE_TEXT_MAX       1024
#define CODE_REFERENCE_MAX  64
#define CODE_REFERENCES_MAX 6

struct wallet_currency {
    char code[4];
    unsigned number, digits;
};
const struct wallet_currency *currency_named(struct view code);
const struct wallet_currency *currency_numbered(unsigned number);

/* "12.50" with exactly the currency's digits, more than zero; at most 12 digits in all. */
enum status amount_read(struct view text, const struct wallet_currency *currency,
                        int64_t *amount_minor);
/* The same as codes have it: fewer digits behind the point, or none. */
enum status amount_read_loose(struct view text, const struct wallet_currency *currency,
                              int64_t *amount_minor);
void amount_write(struct writer *w, const struct wallet_currency *currency, int64_t amount_minor);

/* A merchant-presented code (EMV QRCPS-MPM 1.1). Views lie in the text that was read. */
struct merchant_code {
    bool dynamic;                                /* 01 is "12" */
    const struct wallet_currency *currency;      /* 53 */
    int64_t amount_minor;                        /* 54; -1: the payer is asked */
    struct view name;                            /* 59 */
    struct view references[CODE_REFERENCES_MAX]; /* what the payee may know it by; the best first */
    size_t reference_count;
};
/* MALFORMED and a word in `*why` ("crc", "length", "missing_53", ...) when a phone would not pay.
 */
enum status merchant_code_read(struct view text, struct merchant_code *out, const char **why);
uint16_t code_crc(struct view bytes);

/* A consumer-presented code (EMV QRCPS-CPM 1.1): the token of its first application, as hex digits.
 */
struct consumer_code {
    char token[21]; /* tag 5A (or 57 up to its separator), without padding */
};
enum status consumer_code_read(struct view base64, struct consumer_code *out, const char **why);
/* Writes such a code, base64, for a token of digits. */
void consumer_code_write(struct writer *w, const char *token);

#endif
