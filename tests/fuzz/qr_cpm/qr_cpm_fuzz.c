/* SPDX-License-Identifier: Apache-2.0
 *
 * qr_cpm_fuzz.c - any bytes as a consumer-presented code: as its base64 text, and as what such a
 * text decodes to. What was cut lies inside of what was decoded; strict never finds fewer errors.
 */
#include "kits/qr_codes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

static void look(const struct qr_code *code)
{
    must(code->count <= QR_OBJECTS_MAX && code->findings_count <= QR_FINDINGS_MAX);
    for (uint32_t i = 0; i < code->count; i++) {
        const struct qr_object *o = &code->objects[i];
        must(o->parent < (int32_t)i && o->value.ptr >= code->decoded &&
             o->value.ptr + o->value.len <= code->decoded + code->decoded_len);
    }
    for (uint32_t i = 0; i < code->findings_count; i++)
        must(code->findings[i].at_letter <= code->text.len);
}

static void read_both(struct rg_bytes text)
{
    static struct qr_code strict, lenient;
    qr_cpm_read(text, QR_STRICT, &strict);
    qr_cpm_read(text, QR_LENIENT, &lenient);
    must(strict.errors >= lenient.errors);
    look(&strict);
    look(&lenient);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static uint8_t text[QR_DECODED_MAX * 4 / 3 + 4], back[QR_DECODED_MAX];
    uint64_t len = 0, decoded = 0;
    read_both((struct rg_bytes){ data, size });
    if (size > QR_DECODED_MAX)
        return 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
                         (i + 2 < size ? data[i + 2] : 0);
        for (unsigned k = 0; k < 4; k++)
            text[len++] = k > 1 && i + k - 1 >= size ? (uint8_t)'='
                                                     : (uint8_t)letters[three >> (18 - 6 * k) & 63];
    }
    must((int)qr_base64_read((struct rg_bytes){ text, len }, back, sizeof back, &decoded));
    must(decoded == size);
    for (size_t i = 0; i < size; i++)
        must(back[i] == data[i]);
    read_both((struct rg_bytes){ text, len });
    return 0;
}
