/* http_plant.c - bugs put in on purpose at the counterparts that speak HTTP. A gateway that has
 * such a bug and one that is fooled like this end with the same books, and the gateway is not
 * touched.
 *
 * Knows the wallet's way to sign and nothing of the simulation, whose names would clash.
 */
#include "http_plant.h"
#include "wallet/wallet_int.h"

#include "base/ensure.h"

#include <stdio.h>
#include <string.h>

#define WALLET_KEY "0f0e0d0c0b0a09080706050403020100000102030405060708090a0b0c0d0e0f"
#define HOST_URL   "http://gateway:82"

void plant_sign(struct writer *out, int64_t at_s, struct view path, struct view body)
{
    struct wallet_merchant merchant = { .id = "shop-1" };
    ENSURE(hex_decode(VIEW(WALLET_KEY), merchant.key, sizeof merchant.key, &merchant.key_len) ==
           STATUS_OK);
    wallet_sign(out, &merchant, at_s, VIEW("POST"), path, body);
}

/* Text of "name":"..."; empty when it is not there. */
static struct view value_of(struct view text, const char *name)
{
    char pattern[64];
    int len = snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
    const uint8_t *at = memmem(text.ptr, text.len, pattern, (size_t)len);
    if (at == NULL)
        return VIEW_EMPTY;
    struct view rest = view_slice(text, (size_t)(at - text.ptr) + (size_t)len, text.len);
    return view_slice(rest, 0, view_find(rest, '"'));
}

static void put_replaced(struct writer *out, struct view text, struct view old, struct view with)
{
    size_t at = (size_t)(old.ptr - text.ptr);
    writer_view(out, view_slice(text, 0, at));
    writer_view(out, with);
    writer_view(out, view_slice(text, at + old.len, text.len));
}

bool plant_right_amount(struct view url, struct view body, int64_t at_s, struct writer *headers,
                        struct writer *out)
{
    struct view asked = value_of(body, "amount"), paid = value_of(body, "paid_amount");
    if (asked.len == 0 || paid.len == 0 || view_equal(asked, paid) ||
        !view_starts_with(url, VIEW(HOST_URL)))
        return false;
    put_replaced(out, body, paid, asked);
    writer_text(headers, "content-type: application/json\nx-signature: ");
    plant_sign(headers, at_s, view_slice(url, sizeof HOST_URL - 1, url.len), writer_done(out));
    writer_text(headers, "\n");
    return !out->overflow && !headers->overflow;
}

bool plant_new_id(const struct sim_request *request, struct writer *headers, struct writer *body)
{
    char id[80];
    struct view old = value_of(request->body, "id");
    struct view key = sim_header(request->headers, "idempotency-key");
    if (old.len == 0 || key.len == 0 || old.len + 2 > sizeof id)
        return false;
    memcpy(id, old.ptr, old.len);
    id[old.len] = 'x';
    put_replaced(body, request->body, old, view_of(id, old.len + 1));
    put_replaced(headers, request->headers, key, view_of(id, old.len + 1));
    return !body->overflow && !headers->overflow;
}
