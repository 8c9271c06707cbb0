/* cbdc_access.c - who may speak to the ledger. A client proves that it has its key by an HMAC over
 * its name and the time, and gets a token that holds for a while. The key below is made for tests
 * and of no value anywhere else. */
#include "cbdc_int.h"

#include "base/ensure.h"
#include "base/map.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

void cbdc_clients_init(struct cbdc *c)
{
    uint8_t key[32];
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    ENSURE(cbdc_client_set(c, VIEW("railgate"), view_of(key, sizeof key)) == STATUS_OK);
}

static unsigned client_find(const struct cbdc *c, struct view name)
{
    unsigned i = 0;
    while (i < c->client_count && !view_is(name, c->clients[i].name))
        i++;
    return i;
}

enum status cbdc_client_set(struct cbdc *c, struct view name, struct view key)
{
    if (key.len < 1 || key.len > CBDC_KEY_MAX || name.len < 1 || name.len > CBDC_CLIENT_MAX)
        return STATUS_RANGE;
    unsigned at = client_find(c, name);
    if (at == CBDC_CLIENTS_MAX)
        return STATUS_FULL;
    struct cbdc_client *client = &c->clients[at];
    TRY(view_to_text(name, client->name, sizeof client->name));
    memcpy(client->key, key.ptr, key.len);
    client->key_len = key.len;
    if (at == c->client_count)
        c->client_count++;
    return STATUS_OK;
}

struct view cbdc_header(struct view headers, const char *name)
{
    while (headers.len > 0) {
        size_t end = view_find(headers, '\n');
        struct view line = view_slice(headers, 0, end);
        size_t colon = view_find(line, ':');
        if (view_is(view_slice(line, 0, colon), name))
            return view_trim(view_slice(line, colon + 1, line.len));
        headers = view_slice(headers, end + 1, headers.len);
    }
    return VIEW_EMPTY;
}

void cbdc_sha256(struct view bytes, uint8_t out[static 32])
{
    unsigned len = 32;
    ENSURE(EVP_Digest(bytes.ptr, bytes.len, out, &len, EVP_sha256(), NULL) == 1 && len == 32);
}

static bool proves(const struct cbdc_client *client, int64_t time_s, struct view proof_hex)
{
    uint8_t text[CBDC_CLIENT_MAX + 24], mac[32], hex[64];
    unsigned len = sizeof mac;
    struct writer w = writer_over(text, sizeof text), out = writer_over(hex, sizeof hex);
    writer_text(&w, client->name);
    writer_u8(&w, '.');
    writer_i64_text(&w, time_s);
    ENSURE(!w.overflow &&
           HMAC(EVP_sha256(), client->key, (int)client->key_len, text, w.len, mac, &len) != NULL);
    writer_hex_lower(&out, view_of(mac, len));
    return view_equal_constant_time(writer_done(&out), proof_hex);
}

enum cbdc_refusal cbdc_token_give(struct cbdc *c, struct view client_id, int64_t time_s,
                                  struct view proof_hex, int64_t now_us,
                                  const struct cbdc_token **token)
{
    uint8_t seed[16];
    int64_t now_s = cbdc_wall_us(c, now_us) / 1000000, apart_s = 0;
    unsigned client = client_find(c, client_id);
    if (client == c->client_count || __builtin_sub_overflow(now_s, time_s, &apart_s) ||
        apart_s > CBDC_TIME_WINDOW_S || apart_s < -CBDC_TIME_WINDOW_S ||
        !proves(&c->clients[client], time_s, proof_hex))
        return CBDC_CLIENT;
    struct cbdc_token *t = &c->tokens[c->token_next++ % CBDC_TOKENS_MAX];
    struct writer w = writer_over(t->text, sizeof t->text), s = writer_over(seed, sizeof seed);
    writer_u64_be(&s, ++c->random);
    writer_u64_be(&s, (uint64_t)now_us);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t part[8];
        struct writer p = writer_over(part, sizeof part);
        writer_u64_be(&p, siphash(c->seed, i, writer_done(&s)));
        writer_hex_lower(&w, view_of(part, i < 2 ? 8 : 4));
    }
    ENSURE(w.len == CBDC_TOKEN_LEN);
    t->text[w.len] = '\0';
    t->client = client;
    t->until_us = now_us + c->settings.token_s * 1000000;
    *token = t;
    c->stats.tokens++;
    return CBDC_FINE;
}

enum cbdc_refusal cbdc_token_check(const struct cbdc *c, struct view headers, int64_t now_us,
                                   unsigned *client)
{
    struct view given = cbdc_header(headers, "authorization");
    *client = 0;
    if (!c->settings.token_required)
        return CBDC_FINE;
    if (!view_starts_with(given, VIEW("Bearer ")))
        return CBDC_TOKEN;
    given = view_slice(given, 7, given.len);
    for (unsigned i = 0; i < CBDC_TOKENS_MAX; i++) {
        const struct cbdc_token *t = &c->tokens[i];
        if (t->text[0] != '\0' && now_us < t->until_us && view_is(given, t->text)) {
            *client = t->client;
            return CBDC_FINE;
        }
    }
    return CBDC_TOKEN;
}
