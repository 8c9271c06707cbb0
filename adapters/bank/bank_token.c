/* SPDX-License-Identifier: Apache-2.0
 *
 * bank_token.c - the access token: client credentials with a signed assertion (RFC 7523). The
 * assertion is `header.claims.signature`; the host signs what stands before the last point. The
 * token goes back to the host as the grant "access_token", sensitive, and is never kept here.
 */
#include "bank_int.h"
#include "kits/json_lite.h"

#include <string.h>

#define ASSERTION_LIFE_S 300

/* x->body holds what was signed until the signature comes. */
uint32_t bank_begin_token(const struct bank_instance *bank, struct bank_exchange *x,
                          const struct rg_command *command, struct rg_out *out)
{
    uint8_t room[1024];
    struct rg_buffer json = { room, sizeof room, 0, 0, 0 };
    struct rg_buffer text = { x->body, sizeof x->body, 0, 0, 0 };
    int64_t now_s = command->now_unix_us / 1000000;
    char name[ACCOUNT_UETR_LEN];
    struct rg_buffer jti = { (uint8_t *)name, sizeof name, 0, 0, 0 };
    if (bank->use_token == 0)
        return bank_fail(x, out, "this channel uses no token");
    account_put_uetr(&jti, command->random);
    jl_open(&json, NULL);
    jl_put_literal(&json, "alg", bank->es256 != 0 ? "ES256" : "EdDSA");
    jl_put_literal(&json, "typ", "JWT");
    jl_put_text(&json, "kid", bank_view(&bank->sign_key_id));
    jl_close(&json);
    bank_put_base64url(&text, (struct rg_bytes){ json.ptr, json.len });
    rg_put_u8(&text, '.');
    uint32_t overflow = json.overflow;
    json.len = 0;
    jl_open(&json, NULL);
    jl_put_text(&json, "iss", bank_view(&bank->client_id));
    jl_put_text(&json, "sub", bank_view(&bank->client_id));
    jl_put_text(&json, "aud", bank_view(&bank->token_audience));
    jl_put_text(&json, "jti", (struct rg_bytes){ jti.ptr, jti.len });
    jl_put_integer(&json, "iat", now_s);
    jl_put_integer(&json, "exp", now_s + ASSERTION_LIFE_S);
    jl_close(&json);
    bank_put_base64url(&text, (struct rg_bytes){ json.ptr, json.len });
    rg_put(&out->bytes, text.ptr, text.len);
    rg_put_text(&out->sign_key, bank_settings[SET_SIGN_KEY].name);
    if (overflow + json.overflow + text.overflow + out->bytes.overflow + out->sign_key.overflow !=
        0)
        return bank_fail(x, out, "there is no room for the assertion");
    x->body_len = (uint32_t)text.len;
    x->stage = STAGE_SIGN;
    return RG_STEP_SIGN;
}

/* Form encoding: what is not a letter, a digit or one of -._~ is percent-encoded. */
static void put_form(struct rg_buffer *b, struct rg_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            rg_put_u8(b, c);
        } else {
            rg_put_u8(b, '%');
            rg_put_u8(b, (uint8_t)("0123456789ABCDEF"[c >> 4]));
            rg_put_u8(b, (uint8_t)("0123456789ABCDEF"[c & 15]));
        }
    }
}

uint32_t bank_token_signed(const struct bank_instance *bank, struct bank_exchange *x,
                           struct rg_bytes signature, struct rg_out *out)
{
    rg_put_text(&out->bytes, "grant_type=client_credentials&client_id=");
    put_form(&out->bytes, bank_view(&bank->client_id));
    rg_put_text(&out->bytes, "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                             "client-assertion-type%3Ajwt-bearer&client_assertion=");
    rg_put(&out->bytes, x->body, x->body_len);
    rg_put_u8(&out->bytes, '.');
    bank_put_base64url(&out->bytes, signature);
    rg_put_bytes(&out->path, bank_view(&bank->token_path));
    rg_table_put_text(&out->headers, "content-type", "application/x-www-form-urlencoded");
    rg_table_put_text(&out->headers, "accept", "application/json");
    out->http_method = RG_HTTP_POST;
    out->expects_reply = 1;
    if (out->bytes.overflow + out->path.overflow + out->headers.text.overflow != 0)
        return bank_fail(x, out, "there is no room for the request of a token");
    x->stage = STAGE_WAIT_REPLY;
    return RG_STEP_SEND;
}

uint32_t bank_token_reply(struct bank_exchange *x, const struct rg_event *event, struct rg_out *out)
{
    struct jl_value root, token, expires;
    uint8_t room[2048];
    uint64_t len = 0;
    int64_t expires_s = 0;
    if (event->http_status != 200)
        return bank_fail(x, out, "the bank gave no token");
    if (!jl_read(event->bytes, &root) ||
        !text_same_nocase(jl_plain(&root, "token_type"), text_of("bearer")) ||
        !jl_member(&root, "access_token", &token) || !jl_text(&token, room, sizeof room, &len) ||
        len == 0)
        return bank_fail(x, out, "the answer to the request of a token cannot be read");
    for (uint64_t i = 0; i < len; i++)
        if (room[i] < 0x21 || room[i] > 0x7E)
            return bank_fail(x, out, "the token has characters that no header can carry");
    if (jl_member(&root, "expires_in", &expires) &&
        (!jl_integer(&expires, &expires_s) || expires_s < 1 || expires_s > 31536000))
        return bank_fail(x, out, "the token's lifetime is not a number of seconds");
    out->outcome = RG_OUTCOME_APPROVED;
    out->amount_minor = -1;
    out->grants_lifetime_s = (uint32_t)expires_s;
    rg_table_put(&out->grants, "access_token", room, len, RG_NAMED_SENSITIVE);
    volatile uint8_t *wipe = room; /* our stack is nobody's */
    for (uint64_t i = 0; i < len; i++)
        wipe[i] = 0;
    return RG_STEP_DONE;
}
