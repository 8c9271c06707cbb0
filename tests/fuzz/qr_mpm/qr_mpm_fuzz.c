/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_mpm_fuzz.c - any bytes as a merchant-presented code, in both modes. What was cut lies inside
 * of the text and its lengths are right; the masked text is as long as the text; strict never finds
 * fewer errors than lenient; a scheme can be looked for in anything. The same bytes as a schemes
 * file.
 */
#include "kits/qr_schemes.h"
#include "kits/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

static void look(const struct qr_code *code)
{
    static uint8_t room[QR_TEXT_MAX];
    struct rg_buffer masked = { room, sizeof room, 0, 0, 0 };
    must(code->count <= QR_OBJECTS_MAX && code->findings_count <= QR_FINDINGS_MAX);
    for (uint32_t i = 0; i < code->count; i++) {
        const struct qr_object *o = &code->objects[i];
        uint32_t good;
        must(o->tag <= 99 && o->parent < (int32_t)i && o->depth <= 3);
        must(text_letters(o->value, &good) == o->letters && good);
        must(o->at_byte + 4 + o->value.len <= code->text.len);
        must(o->value.len == 0 || o->value.ptr == code->text.ptr + o->at_byte + 4);
    }
    for (uint32_t i = 0; i < code->findings_count; i++)
        must(code->findings[i].at_byte <= code->text.len &&
             code->findings[i].at_letter <= code->findings[i].at_byte);
    if (code->text.len <= QR_TEXT_MAX) {
        qr_put_masked_code(&masked, code);
        must(masked.overflow == 0 && masked.len == code->text.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct qr_schemes builtin, any;
    static struct qr_code strict, lenient;
    static uint8_t reason[256];
    struct rg_buffer why = { reason, sizeof reason, 0, 0, 0 };
    struct rg_bytes text = { data, size }, value;
    uint32_t account = 0;
    int64_t minor;
    uint64_t attempt;
    if (builtin.count == 0)
        must((int)qr_schemes_read(qr_schemes_builtin(), &builtin, &why));
    qr_mpm_read(text, QR_STRICT, &strict);
    qr_mpm_read(text, QR_LENIENT, &lenient);
    must(strict.errors >= lenient.errors && strict.count == lenient.count);
    look(&strict);
    const struct qr_scheme *scheme = qr_scheme_of(&builtin, &lenient, &account);
    if (scheme != NULL)
        qr_scheme_check(&lenient, scheme, account, 1767225600);
    look(&lenient);
    for (uint32_t exponent = 0; exponent <= 4; exponent++)
        (void)qr_mpm_amount(&lenient, exponent, &minor);
    (void)qr_mpm_value(&lenient, "62.50.00", &value);
    (void)qr_reference_read(text, &attempt);
    (void)qr_schemes_read(text, &any, &why);
    return 0;
}
