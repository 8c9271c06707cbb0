/* SPDX-License-Identifier: Apache-2.0
 *
 * tlv_fuzz.c - any bytes as BER-TLV. The objects of the top level, written again, must read as the
 * same objects, and without filler between them must be the same bytes.
 */
#include "kits/tlv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 20];
    struct rg_buffer out = { again, sizeof again, 0, 0, 0 };
    struct tlv_reader in = tlv_reader(data, size);
    struct tlv_object object;
    enum tlv_result result;
    uint64_t covered = 0;
    for (unsigned depth = 0; depth <= TLV_DEPTH_MAX + 1; depth++)
        (void)tlv_check(data, size, depth);
    while ((result = tlv_next(&in, &object)) == TLV_OK) {
        uint64_t before = out.len;
        must(object.value >= data && object.value + object.len <= data + size);
        tlv_put(&out, object.tag, object.value, object.len);
        must(out.overflow == 0);
        covered += out.len - before;
    }
    must(result >= TLV_END && result <= TLV_BAD_LENGTH);
    must(covered <= size);
    struct tlv_reader one = tlv_reader(data, size);
    struct tlv_reader two = tlv_reader(again, out.len);
    struct tlv_object a, b;
    while (tlv_next(&two, &b) == TLV_OK) {
        must(tlv_next(&one, &a) == TLV_OK);
        must(a.tag == b.tag && a.len == b.len && a.constructed == b.constructed);
        must(a.len == 0 || memcmp(a.value, b.value, a.len) == 0);
    }
    if (result == TLV_END && covered == size)
        must(size == 0 || memcmp(again, data, size) == 0);
    return 0;
}
