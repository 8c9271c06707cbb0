/* SPDX-License-Identifier: Apache-2.0
 *
 * iso8583_fuzz.c - any bytes as an ISO 8583 message. The first byte picks the packaging (modulo 3).
 * What reads as a message must write back as the same bytes, and the MAC offset must lie inside.
 */
#include "kits/iso8583.h"

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
    static const enum iso_builtin builtins[] = { ISO87_ASCII, ISO87_BCD, ISO87_BINARY };
    static struct iso_packaging packaging;
    static struct iso_message m;
    static uint8_t again[2 * ISO_MESSAGE_MAX];
    if (size < 1)
        return 0;
    iso_packaging_init(&packaging, builtins[data[0] % 3]);
    enum iso_result result = iso_unpack(&packaging, data + 1, size - 1, &m);
    must(result >= ISO_OK && result <= ISO_NO_ROOM);
    must(m.mac_at < size);
    if (result != ISO_OK)
        return 0;
    /* A secondary bitmap may be empty and is then kept; it may never be missing. */
    uint32_t needs_secondary = 0;
    for (unsigned n = 66; n <= ISO_FIELD_MAX; n++)
        needs_secondary |= iso_get(&m, n).ptr != NULL;
    struct rg_buffer out = { again, sizeof again, 0, 0, 0 };
    must(iso_pack(&packaging, &m, &out) == ISO_OK);
    must(m.secondary != 0 || needs_secondary == 0);
    must(out.len == size - 1);
    must(memcmp(again, data + 1, out.len) == 0);
    return 0;
}
