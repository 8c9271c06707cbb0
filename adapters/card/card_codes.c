/* SPDX-License-Identifier: Apache-2.0
 *
 * card_codes.c - response_codes.def as a table; the reasons stand there.
 */
#include "card_int.h"

static const struct card_code codes[] = {
#define CODE(code, request, capture, reversal, category, message, source)                          \
    { code,   VERDICT_##request, VERDICT_##capture, VERDICT_##reversal, RG_CATEGORY_##category,    \
      message },
#include "response_codes.def"
#undef CODE
};

static const struct card_code other = {
    "",           VERDICT_DECLINED,  VERDICT_OPEN,
    VERDICT_OPEN, RG_CATEGORY_OTHER, "The issuer declined with a code of its own."
};

const struct card_code *card_code_of(struct rg_bytes code)
{
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (code.len == 2 && code.ptr[0] == (uint8_t)codes[i].code[0] &&
            code.ptr[1] == (uint8_t)codes[i].code[1])
            return &codes[i];
    return &other;
}
