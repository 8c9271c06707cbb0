/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_amount.c - decimal amounts of codes and of providers, to and from minor units; never a float.
 */
#include "qr_codes_int.h"

#include "kits/text.h"

uint32_t qr_amount_read(struct rg_bytes text, uint32_t exponent, int64_t *minor)
{
    uint64_t value = 0, dot = 0;
    while (dot < text.len && text.ptr[dot] != '.')
        dot++;
    struct rg_bytes decimals = text_slice(text, dot + 1, text.len);
    if (exponent > 6 || !text_digits(text_slice(text, 0, dot)) ||
        (decimals.len > 0 && !text_digits(decimals)))
        return 0;
    for (uint64_t i = 0; i < dot + (exponent > decimals.len ? exponent : decimals.len); i++) {
        uint64_t digit = i < dot                  ? (uint64_t)(text.ptr[i] - '0')
                         : i - dot < decimals.len ? (uint64_t)(decimals.ptr[i - dot] - '0')
                                                  : 0;
        if (i >= dot && i - dot >= exponent) {
            if (digit != 0)
                return 0;
            continue;
        }
        if (value > (INT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *minor = (int64_t)value;
    return 1;
}

void qr_amount_put(struct rg_buffer *b, int64_t minor, uint32_t exponent)
{
    uint64_t unit = 1, value = minor < 0 ? 0 : (uint64_t)minor;
    unsigned digits = 1;
    if (minor < 0 || exponent > 6) {
        b->overflow = 1;
        return;
    }
    for (uint32_t i = 0; i < exponent; i++)
        unit *= 10;
    for (uint64_t rest = value / unit; rest >= 10; rest /= 10)
        digits++;
    rg_put_digits(b, value / unit, digits);
    if (exponent == 0)
        return;
    rg_put_u8(b, '.');
    rg_put_digits(b, value % unit, exponent);
}

uint32_t qr_mpm_amount(const struct qr_code *code, uint32_t exponent, int64_t *minor)
{
    struct rg_bytes amount, tip, fee;
    int64_t fixed = 0;
    *minor = 0;
    if (!qr_mpm_value(code, "54", &amount))
        return 0;
    if (!qr_amount_read(amount, exponent, minor))
        return 2;
    if (!qr_mpm_value(code, "55", &tip) || text_is(tip, "01"))
        return *minor > 0 ? 1 : 0;
    if (!text_is(tip, "02") || !qr_mpm_value(code, "56", &fee) ||
        !qr_amount_read(fee, exponent, &fixed) || fixed > INT64_MAX - *minor)
        return 2;
    *minor += fixed;
    return *minor > 0 ? 1 : 0;
}
