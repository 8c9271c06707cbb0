/* wallet_sign.c - the signature of requests and notices (docs/rails/qr-wire.md), by OpenSSL. */
#include "wallet_int.h"

#include "base/ensure.h"

#include <openssl/evp.h>

#define MAC_SIZE 32

static void mac_of(const struct wallet_merchant *m, struct view t, struct view method,
                   struct view path, struct view body, uint8_t out[static MAC_SIZE])
{
    struct view parts[] = { t, VIEW("."), method, VIEW("."), path, VIEW("."), body };
    char digest[] = "SHA256";
    OSSL_PARAM params[] = { { "digest", OSSL_PARAM_UTF8_STRING, digest, 6, 0 },
                            { NULL, 0, NULL, 0, 0 } };
    size_t len = 0;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    ENSURE(context != NULL && EVP_MAC_init(context, m->key, m->key_len, params) == 1);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        ENSURE(EVP_MAC_update(context, parts[i].ptr, parts[i].len) == 1);
    ENSURE(EVP_MAC_final(context, out, &len, MAC_SIZE) == 1 && len == MAC_SIZE);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}

void wallet_sign(struct writer *out, const struct wallet_merchant *m, int64_t at_s,
                 struct view method, struct view path, struct view body)
{
    uint8_t text[24], mac[MAC_SIZE];
    struct writer t = writer_over(text, sizeof text);
    writer_i64_text(&t, at_s);
    mac_of(m, writer_done(&t), method, path, body, mac);
    writer_text(out, "t=");
    writer_view(out, writer_done(&t));
    writer_text(out, ",v1=");
    writer_hex_lower(out, view_of(mac, sizeof mac));
}

const char *wallet_check(const struct wallet_merchant *m, struct view header, int64_t now_s,
                         int64_t window_s, struct view method, struct view path, struct view body)
{
    size_t comma = view_find(header, ',');
    struct view t = view_slice(header, 2, comma > 2 ? comma - 2 : 0);
    struct view v1 = view_slice(header, comma + 4, header.len);
    uint8_t sent[MAC_SIZE], right[MAC_SIZE];
    size_t len = 0;
    int64_t at_s = 0;
    if (!view_starts_with(header, VIEW("t=")) ||
        !view_starts_with(view_slice(header, comma, header.len), VIEW(",v1=")) ||
        view_to_i64(t, &at_s) != STATUS_OK ||
        hex_decode(v1, sent, sizeof sent, &len) != STATUS_OK || len != MAC_SIZE)
        return "signature";
    mac_of(m, t, method, path, body, right);
    if (!view_equal_constant_time(view_of(sent, sizeof sent), view_of(right, sizeof right)))
        return "signature";
    if (at_s < now_s - window_s || at_s > now_s + window_s)
        return "timestamp";
    return NULL;
}
