/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_jws.c - JWS with detached payload (RFC 7515 appendix F), EdDSA (RFC 8037) or ES256. The
 * adapter only says which bytes are signed and takes signatures apart; keys and curves are the
 * host's. A signature is the 64 bytes that stand in a JWS: Ed25519's, or r and s of ES256 side by
 * side.
 */
#include "bank_int.h"
#include "kits/json_lite.h"

#include <string.h>

#define SIGNATURE_LEN 64u

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void bank_put_base64url(struct rg_buffer *out, struct rg_bytes bytes)
{
    for (uint64_t i = 0; i < bytes.len; i += 3) {
        uint64_t left = bytes.len - i;
        uint32_t word = (uint32_t)bytes.ptr[i] << 16;
        word |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        word |= left > 2 ? (uint32_t)bytes.ptr[i + 2] : 0;
        uint8_t four[4] = { (uint8_t)letters[word >> 18], (uint8_t)letters[word >> 12 & 63],
                            (uint8_t)letters[word >> 6 & 63], (uint8_t)letters[word & 63] };
        rg_put(out, four, left > 2 ? 4 : left + 1);
    }
}

static int letter_value(uint8_t c)
{
    for (int i = 0; i < 64; i++)
        if ((uint8_t)letters[i] == c)
            return i;
    return -1;
}

uint32_t bank_read_base64url(struct rg_bytes text, struct rg_buffer *out)
{
    uint32_t word = 0, bits = 0;
    if (text.len % 4 == 1)
        return 0;
    for (uint64_t i = 0; i < text.len; i++) {
        int value = letter_value(text.ptr[i]);
        if (value < 0)
            return 0;
        word = (word << 6 | (uint32_t)value) & 0xFFFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            rg_put_u8(out, (uint8_t)(word >> bits));
        }
    }
    /* Left-over bits must be zero: one signature, one spelling. */
    return (word & ((1u << bits) - 1)) == 0 && out->overflow == 0;
}

static const char *alg_of(const struct bank_instance *bank)
{
    return bank->es256 != 0 ? "ES256" : "EdDSA";
}

void bank_put_protected(const struct bank_instance *bank, int64_t time_unix_s,
                        struct rg_buffer *out)
{
    uint8_t room[192];
    struct rg_buffer json = { room, sizeof room, 0, 0, 0 };
    jl_open(&json, NULL);
    jl_put_literal(&json, "alg", alg_of(bank));
    jl_put_text(&json, "kid", bank_view(&bank->sign_key_id));
    jl_put_integer(&json, "iat", time_unix_s);
    jl_close(&json);
    if (json.overflow != 0)
        out->overflow = 1;
    bank_put_base64url(out, (struct rg_bytes){ json.ptr, json.len });
}

/* {"alg","kid","iat"}: the algorithm is ours to choose and never the message's (RFC 8725 3.1); old
 * and future signatures are refused, so that a notice cannot be played again for ever. */
static const char *check_protected(const struct bank_instance *bank, struct rg_bytes encoded,
                                   int64_t now_s)
{
    uint8_t room[512];
    struct rg_buffer json = { room, sizeof room, 0, 0, 0 };
    struct jl_value root, iat, crit;
    int64_t at_s = 0;
    if (!bank_read_base64url(encoded, &json) ||
        !jl_read((struct rg_bytes){ json.ptr, json.len }, &root))
        return "the protected header of the signature cannot be read";
    if (!text_is(jl_plain(&root, "alg"), alg_of(bank)))
        return "the signature is of another algorithm than this channel's";
    if (bank->bank_key_id.len > 0 &&
        !text_same(jl_plain(&root, "kid"), bank_view(&bank->bank_key_id)))
        return "the signature names another key than this channel's bank_key_id";
    if (jl_member(&root, "crit", &crit))
        return "the signature asks for an extension that is not known";
    if (!jl_member(&root, "iat", &iat) || !jl_integer(&iat, &at_s))
        return "the signature does not say when it was made";
    if (at_s < now_s - BANK_JWS_AGE_S || at_s > now_s + BANK_JWS_AGE_S)
        return "the signature is too old or from the future";
    return NULL;
}

const char *bank_take_signature(const struct bank_instance *bank, const struct rg_notice *in,
                                struct rg_bytes value, struct rg_notice_out *out)
{
    uint64_t dot = 0;
    while (dot < value.len && value.ptr[dot] != '.')
        dot++;
    struct rg_bytes encoded = text_slice(value, 0, dot);
    struct rg_bytes rest = text_slice(value, dot, value.len);
    uint8_t signature[SIGNATURE_LEN];
    struct rg_buffer raw = { signature, sizeof signature, 0, 0, 0 };
    if (!text_starts(rest, "..") || !bank_read_base64url(text_slice(rest, 2, rest.len), &raw) ||
        raw.len != SIGNATURE_LEN)
        return "the signature is not a detached JWS";
    const char *why = check_protected(bank, encoded, in->time_unix_us / 1000000);
    if (why != NULL)
        return why;
    rg_put_bytes(&out->bytes, encoded);
    rg_put_u8(&out->bytes, '.');
    bank_put_base64url(&out->bytes, in->bytes);
    rg_put(&out->signature, signature, raw.len);
    rg_put_text(&out->sign_key, bank_settings[SET_BANK_KEY].name);
    return NULL;
}
