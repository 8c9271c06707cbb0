/* SPDX-License-Identifier: Apache-2.0
 *
 * kits/account.h - names of accounts, references and transactions on the bank rail. What IBANs,
 * BICs and structured references are made of is in qr_transfer.h, which needs it for codes; here is
 * what a transfer needs beside it:
 *
 *     account_iban_read()   an IBAN as people write it, with the length of its country (the whole
 *                           registry: iban_lengths.def) as well as its check digits
 *     account_put_qrr()     a Swiss QR reference from its 26 digits
 *     UETR                  a UUID of version 4 in lower case: made from random bytes, checked
 *
 * Pure; nothing is kept. Answers are 1 (good) or 0.
 */
#ifndef KITS_ACCOUNT_H
#define KITS_ACCOUNT_H

#include "kits/qr_transfer.h"
#include <railgate/writer.h>

#define ACCOUNT_IBAN_MAX 34
#define ACCOUNT_QRR_LEN  27
#define ACCOUNT_UETR_LEN 36

/* 0 when the country has no IBAN that we know of. */
static inline uint32_t account_iban_length(uint8_t c1, uint8_t c2)
{
    static const struct {
        char country[3];
        uint8_t length;
    } rows[] = {
#define IBAN_LENGTH(country, length) { country, length },
#include "iban_lengths.def"
#undef IBAN_LENGTH
    };
    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((uint8_t)rows[i].country[0] == c1 && (uint8_t)rows[i].country[1] == c2)
            return rows[i].length;
    return 0;
}

/* Strict: as it stands on the wire. */
static inline uint32_t account_iban_valid(struct rg_bytes iban)
{
    return iban.len >= 5 && account_iban_length(iban.ptr[0], iban.ptr[1]) == iban.len &&
           iban_valid(iban);
}

/* Blanks go, letters become upper-case; `iban` is what is left, *len its length. */
static inline uint32_t account_iban_read(struct rg_bytes text, uint8_t iban[ACCOUNT_IBAN_MAX],
                                         uint64_t *len)
{
    *len = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == ' ')
            continue;
        if (*len == ACCOUNT_IBAN_MAX)
            return 0;
        iban[(*len)++] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    }
    return account_iban_valid((struct rg_bytes){ iban, *len });
}

/* 26 digits and their check; anything else latches. */
static inline void account_put_qrr(struct rg_buffer *out, struct rg_bytes digits)
{
    uint32_t check = reference_mod10_recursive(digits);
    if (digits.len != ACCOUNT_QRR_LEN - 1 || check > 9) {
        out->overflow = 1;
        return;
    }
    rg_put_bytes(out, digits);
    rg_put_digits(out, check, 1);
}

static inline uint32_t account_uetr_valid(struct rg_bytes uetr)
{
    if (uetr.len != ACCOUNT_UETR_LEN)
        return 0;
    for (uint64_t i = 0; i < uetr.len; i++) {
        uint8_t c = uetr.ptr[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return 0;
        } else if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return 0;
        }
    }
    uint8_t variant = uetr.ptr[19];
    return uetr.ptr[14] == '4' &&
           (variant == '8' || variant == '9' || variant == 'a' || variant == 'b');
}

/* 16 random bytes as a UUID of version 4. */
static inline void account_put_uetr(struct rg_buffer *out, const uint8_t random[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uint8_t byte = random[i];
        if (i == 6)
            byte = (uint8_t)((byte & 0x0F) | 0x40);
        if (i == 8)
            byte = (uint8_t)((byte & 0x3F) | 0x80);
        if (i == 4 || i == 6 || i == 8 || i == 10)
            rg_put_u8(out, '-');
        rg_put_u8(out, (uint8_t)("0123456789abcdef"[byte >> 4]));
        rg_put_u8(out, (uint8_t)("0123456789abcdef"[byte & 15]));
    }
}

#endif
