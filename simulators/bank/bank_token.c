/* bank_token.c - access tokens: client credentials with a signed assertion (RFC 6749 4.4, RFC
 * 7523).
 */
#include "bank_int.h"

#include "json/json_read.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define LIFE_MAX_S     3600 /* of an assertion */

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* application/x-www-form-urlencoded; empty when absent or malformed. */
static struct view form_value(struct bank_call *call, const char *name)
{
    for (struct view rest = call->request->body; rest.len > 0;) {
        struct view pair = view_slice(rest, 0, view_find(rest, '&'));
        rest = view_slice(rest, pair.len + 1, rest.len);
        size_t equal = view_find(pair, '=');
        if (!view_is(view_slice(pair, 0, equal), name))
            continue;
        struct view raw = view_slice(pair, equal + 1, pair.len);
        uint8_t *out = arena_alloc(call->arena, raw.len);
        size_t len = 0;
        for (size_t i = 0; out != NULL && i < raw.len; i++) {
            out[len] = raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
            if (raw.ptr[i] == '%') {
                bool two = raw.len - i > 2;
                int high = two ? hex_digit(raw.ptr[i + 1]) : -1;
                int low = two ? hex_digit(raw.ptr[i + 2]) : -1;
                if (high < 0 || low < 0)
                    return VIEW_EMPTY;
                out[len] = (uint8_t)(high << 4 | low);
                i += 2;
            }
            len++;
        }
        return view_of(out, len);
    }
    return VIEW_EMPTY;
}

static void refuse(struct bank_call *call, int http_status, const char *error, const char *sentence)
{
    struct json_out out;
    if (http_status == 401)
        call->b->stats.wrong_tokens++;
    call->answer->http_status = http_status;
    json_out_init(&out, &call->answer->body);
    json_open_object(&out, NULL);
    json_put_text(&out, "error", view_text(error));
    json_put_text(&out, "error_description", view_text(sentence));
    json_close_object(&out);
}

/* NULL when the claims are good. */
static const char *wrong_claim(struct bank_call *call, const struct json_node *claims,
                               struct view client_id)
{
    struct view iss = VIEW_EMPTY, sub = VIEW_EMPTY;
    int64_t exp_s = 0, now_s = call->wall_us / 1000000;
    const char *expected = call->b->settings.client_id;
    if (json_text(json_member(claims, "iss"), &iss) != STATUS_OK ||
        json_text(json_member(claims, "sub"), &sub) != STATUS_OK || !view_equal(iss, sub))
        return "iss and sub have to be the client";
    if ((client_id.len > 0 && !view_equal(iss, client_id)) ||
        (expected[0] != '\0' && !view_is(iss, expected)))
        return "another client";
    if (json_member(claims, "aud") == NULL)
        return "aud is missing";
    if (json_i64(json_member(claims, "exp"), &exp_s) != STATUS_OK || exp_s <= now_s ||
        exp_s > now_s + LIFE_MAX_S)
        return "exp is missing, has passed or is too far away";
    return NULL;
}

static void give(struct bank_call *call)
{
    struct bank *b = call->b;
    size_t place = b->token_count++ % BANK_TOKENS_MAX;
    struct writer w = writer_over(b->tokens[place].text, sizeof b->tokens[place].text);
    writer_format(&w, "tok_%016llx%016llx", (unsigned long long)bank_random(b),
                  (unsigned long long)bank_random(b));
    b->tokens[place].text[w.len] = '\0';
    b->tokens[place].until_us = call->wall_us + b->settings.token_ttl_s * 1000000;
    b->stats.tokens_given++;
    struct json_out out;
    json_out_init(&out, &call->answer->body);
    json_open_object(&out, NULL);
    json_put_text(&out, "access_token", writer_done(&w));
    json_put_text(&out, "token_type", VIEW("Bearer"));
    json_put_i64(&out, "expires_in", b->settings.token_ttl_s);
    json_close_object(&out);
}

void bank_token_request(struct bank_call *call)
{
    struct bank *b = call->b;
    uint8_t text[JOSE_TEXT_MAX];
    struct writer payload = writer_over(text, sizeof text);
    const struct json_node *claims = NULL;
    writer_text(&call->answer->headers,
                "content-type: application/json\ncache-control: no-store\n");
    if (!view_is(form_value(call, "grant_type"), "client_credentials")) {
        refuse(call, 400, "unsupported_grant_type", "client_credentials");
        return;
    }
    struct view assertion = form_value(call, "client_assertion");
    if (!view_is(form_value(call, "client_assertion_type"), ASSERTION_TYPE) || assertion.len == 0) {
        refuse(call, 400, "invalid_request", "client_assertion or its type is missing");
        return;
    }
    if (jose_verify_token(b->keys.channel, 2, b->keys.channel_kid, assertion, &payload) !=
            STATUS_OK ||
        json_read(writer_done(&payload), NULL, call->arena, &claims, NULL) != STATUS_OK) {
        refuse(call, 401, "invalid_client", "the assertion's signature is not good");
        return;
    }
    const char *wrong = wrong_claim(call, claims, form_value(call, "client_id"));
    if (wrong != NULL)
        refuse(call, 401, "invalid_client", wrong);
    else
        give(call);
}

bool bank_token_good(const struct bank *b, struct view headers, int64_t wall_us)
{
    struct view value = sim_header(headers, "authorization");
    if (!view_equal_nocase(view_slice(value, 0, 7), VIEW("Bearer ")))
        return false;
    struct view token = view_slice(value, 7, value.len);
    bool good = false;
    for (size_t i = 0; i < BANK_TOKENS_MAX; i++)
        good |= b->tokens[i].text[0] != '\0' && b->tokens[i].until_us > wall_us &&
                view_equal_constant_time(token, view_text(b->tokens[i].text));
    return good;
}
