/* SPDX-License-Identifier: Apache-2.0
 *
 * json_lite_fuzz.c - any bytes as JSON, and any text through the writer and back.
 */
#include "kits/json_lite.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
    if (!good)
        abort();
}

static void visit(const struct jl_value *value, unsigned depth)
{
    static uint8_t room[1 << 20];
    struct jl_value inside;
    uint64_t len = 0;
    must(depth <= JL_DEPTH_MAX + 1);
    if (value->kind == JL_TEXT)
        must(jl_text(value, room, sizeof room, &len) && len <= value->raw.len);
    for (uint64_t i = 0; i < 8 && jl_element(value, i, &inside); i++)
        visit(&inside, depth + 1);
    static const char *const names[] = { "a", "data", "state", "payments", "order_id" };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (jl_member(value, names[i], &inside))
            visit(&inside, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[1 << 20], back[1 << 18];
    struct jl_value root, member;
    uint64_t len = 0;
    if (jl_read((struct rg_bytes){ data, size }, &root))
        visit(&root, 1);
    if (size > sizeof back)
        return 0;
    struct rg_buffer b = { out, sizeof out, 0, 0, 0 };
    jl_open(&b, NULL);
    jl_put_integer(&b, "n", (int64_t)size - 5);
    jl_put_text(&b, "a", (struct rg_bytes){ data, size });
    jl_close(&b);
    if (b.overflow != 0)
        return 0;
    /* A zero byte is written as an escape that the reader refuses. */
    uint32_t zero = size > 0 && memchr(data, 0, size) != NULL;
    must(jl_read((struct rg_bytes){ out, b.len }, &root) == !zero);
    if (zero)
        return 0;
    must(jl_member(&root, "a", &member) && jl_text(&member, back, sizeof back, &len));
    must(len == size && (size == 0 || memcmp(back, data, size) == 0));
    return 0;
}
