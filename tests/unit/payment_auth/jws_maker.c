/* jws_maker.c - see jws_maker.h. */
#include "jws_maker.h"

#include "base/ensure.h"

void base64url_write(struct writer *out, struct view bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.ptr[i];
        for (held += 8; held >= 6; held -= 6)
            writer_u8(out, (uint8_t)letters[bits >> (held - 6) & 63]);
    }
    if (held > 0)
        writer_u8(out, (uint8_t)letters[bits << (6 - held) & 63]);
}

void jws_make(struct writer *out, struct secret_key *key, const char *header, const char *claims)
{
    uint8_t signature[SECRET_SIGNATURE_MAX];
    size_t len = 0;
    base64url_write(out, view_text(header));
    writer_text(out, ".");
    base64url_write(out, view_text(claims));
    ENSURE(!out->overflow);
    ENSURE(secret_sign(key, writer_done(out), signature, &len) == STATUS_OK);
    writer_text(out, ".");
    base64url_write(out, view_of(signature, len));
    ENSURE(!out->overflow);
}
