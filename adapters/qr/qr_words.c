/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_words.c - the provider's words as the host's numbers.
 */
#include "qr_int.h"

uint32_t qr_outcome_of(struct rg_bytes state)
{
    static const struct {
        const char *word;
        uint32_t outcome;
    } rows[] = {
        { "open", RG_OUTCOME_PENDING },      { "paid", RG_OUTCOME_APPROVED },
        { "done", RG_OUTCOME_APPROVED },     { "declined", RG_OUTCOME_DECLINED },
        { "canceled", RG_OUTCOME_DECLINED }, { "expired", RG_OUTCOME_DECLINED },
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_is(state, rows[i].word))
            return rows[i].outcome;
    return 0;
}

struct rg_bytes qr_amount_of(const struct jl_value *entry)
{
    return jl_plain(entry, text_is(jl_plain(entry, "state"), "paid") ? "paid_amount" : "amount");
}

const struct qr_reason *qr_reason_of(struct rg_bytes word)
{
    static const struct qr_reason rows[] = {
#define REASON(word, category, message) { word, RG_CATEGORY_##category, message },
#include "reasons.def"
#undef REASON
    };
    const uint32_t last = sizeof rows / sizeof rows[0] - 1;
    for (uint32_t i = 0; i < last; i++)
        if (text_is(word, rows[i].word))
            return &rows[i];
    return &rows[last];
}

uint32_t qr_currency_of(struct rg_bytes code, uint32_t *number, uint32_t *exponent)
{
    static const struct {
        char code[4];
        uint32_t number, exponent;
    } rows[] = {
#define ISO4217(code, number, exponent) { code, number, exponent },
#include "kits/iso4217.def"
#undef ISO4217
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_is(code, rows[i].code)) {
            *number = rows[i].number;
            *exponent = rows[i].exponent;
            return 1;
        }
    return 0;
}

uint32_t qr_plain_id(struct rg_bytes id)
{
    for (uint64_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (!((c >= '0' && c <= '9') || (text_lower(c) >= 'a' && text_lower(c) <= 'z') ||
              c == '_' || c == '-' || c == '.'))
            return 0;
    }
    return id.len >= 1 && id.len <= QR_ID_MAX;
}
