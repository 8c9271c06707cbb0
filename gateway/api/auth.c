/* auth.c - who asks, may they, and how often.
 *
 * A key is sent as `Authorization: Bearer rg_...`. Only its keyed hash is stored and looked up.
 * What was read is remembered for a second, so a revoked key works for at most a second longer. A
 * key that does not exist is remembered too, so that repeating it does not reach the database; but
 * only in room that existing keys do not need: who sends made-up keys must not make the gateway
 * forget real ones, and with them what is left of their rate.
 */
#include "api/api_int.h"

#include "base/ensure.h"

#include <stdlib.h>

#define KEY_FRESH_US (1 * LOOP_US_PER_S)

/* --- the key's text --------------------------------------------------------------------------- */

static const char *const scope_words[] = { "payments:read", "payments:write", "refunds:write",
                                           "webhooks:write" };

enum status scopes_parse(struct view text, uint32_t *out)
{
    *out = 0;
    if (view_is(text, "all")) {
        *out = SCOPE_ALL;
        return STATUS_OK;
    }
    while (text.len > 0) {
        size_t end = view_find(text, ',');
        struct view word = view_trim(view_slice(text, 0, end));
        uint32_t bit = 0;
        for (size_t i = 0; i < COUNT_OF(scope_words); i++)
            if (view_is(word, scope_words[i]))
                bit = 1u << i;
        if (bit == 0)
            return STATUS_NOT_FOUND;
        *out |= bit;
        text = view_slice(text, end + 1, text.len);
    }
    return *out != 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

void scopes_write(struct writer *w, uint32_t scopes)
{
    bool comma = false;
    for (size_t i = 0; i < COUNT_OF(scope_words); i++) {
        if ((scopes & 1u << i) == 0)
            continue;
        writer_text(w, comma ? "," : "");
        writer_text(w, scope_words[i]);
        comma = true;
    }
}

void api_key_draw(struct loop *loop, bool live, char out[API_KEY_TEXT_MAX])
{
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* 32: five bits each */
    uint8_t random[32];
    loop_random(loop, random, sizeof random);
    struct writer w = writer_over(out, API_KEY_TEXT_MAX);
    writer_text(&w, live ? "rg_live_" : "rg_test_");
    for (size_t i = 0; i < sizeof random; i++)
        writer_u8(&w, (uint8_t)letters[random[i] & 31]);
    ENSURE(writer_terminate(&w) == STATUS_OK);
}

enum status api_key_hash(struct secrets *secrets, struct view text, uint8_t out[32])
{
    size_t len;
    struct secret_key *key = secret_find(secrets, "host.api_keys");
    return key == NULL ? STATUS_NOT_FOUND : secret_mac(key, text, out, &len);
}

/* --- rate ---------------------------------------------------------------------------------------
 */

/* A bucket that fills with `rate` tokens a second and holds a second's worth. */
static bool take_token(struct cached_key *key, int64_t rate, int64_t now_us)
{
    if (rate == 0)
        return true;
    int64_t passed_us = now_us - key->filled_us;
    if (passed_us > LOOP_US_PER_S)
        passed_us = LOOP_US_PER_S;
    key->filled_us = now_us;
    key->tokens_micro += passed_us * rate;
    if (key->tokens_micro > rate * LOOP_US_PER_S)
        key->tokens_micro = rate * LOOP_US_PER_S;
    if (key->tokens_micro < LOOP_US_PER_S)
        return false;
    key->tokens_micro -= LOOP_US_PER_S;
    return true;
}

static void proceed(struct call *call, struct cached_key *key)
{
    struct api *api = call->api;
    bool sandbox = api->o.settings->mode == SETTINGS_SANDBOX;
    if (!key->known || key->row.revoked_us != 0 || key->row.live == sandbox) {
        api->stats.unauthorized++;
        reply_problem(call, PROBLEM_UNAUTHORIZED, "%s",
                      !key->known                ? "This API key does not exist."
                      : key->row.revoked_us != 0 ? "This API key was revoked."
                      : sandbox ? "This gateway is a sandbox and takes rg_test_ keys."
                                : "This gateway is live and takes rg_live_ keys.");
        return;
    }
    int64_t rate = key->row.rate_per_s != 0 ? key->row.rate_per_s
                                            : api->o.settings->limit_requests_per_second_per_key;
    if (!take_token(key, rate, loop_now_us(api->o.loop))) {
        api->stats.limited++;
        reply_problem(call, PROBLEM_RATE_LIMITED, "This API key may send %lld requests a second.",
                      (long long)rate);
        return;
    }
    if ((key->row.scopes & call->route->scope) == 0) {
        struct writer w;
        char need[64];
        w = writer_over(need, sizeof need);
        scopes_write(&w, call->route->scope);
        IGNORE_STATUS(writer_terminate(&w)); /* the room is ample */
        reply_problem(call, PROBLEM_FORBIDDEN, "This API key has no scope %s.", need);
        return;
    }
    call->merchant = key->row.merchant;
    run_route(call);
}

/* --- the cache
 * ------------------------------------------------------------------------------------ */

/* Makes room for one. False: there is none for a key that does not exist. */
static bool cache_forget_one(struct api *api, bool for_known)
{
    struct list *oldest = list_take_first(&api->keys_unknown);
    if (oldest == NULL && for_known)
        oldest = list_take_first(&api->keys_known);
    if (oldest == NULL)
        return false;
    struct cached_key *gone = CONTAINER_OF(oldest, struct cached_key, link);
    (void)map_take(api->keys, view_of(gone->hash, 32));
    free(gone);
    return true;
}

/* The entry of what was just read; NULL when it cannot be remembered. */
static struct cached_key *cache_entry(struct api *api, const uint8_t hash[32], bool known)
{
    struct cached_key *key = map_get(api->keys, view_of(hash, 32));
    if (key == NULL) {
        if (map_count(api->keys) >= KEYS_CACHED_MAX && !cache_forget_one(api, known))
            return NULL;
        key = calloc(1, sizeof *key);
        if (key == NULL)
            return NULL;
        memcpy(key->hash, hash, 32);
        if (map_put(api->keys, view_of(hash, 32), key) != STATUS_OK) {
            free(key);
            return NULL;
        }
    }
    list_remove(&key->link); /* to the end: it was used */
    list_append(known ? &api->keys_known : &api->keys_unknown, &key->link);
    key->known = known;
    return key;
}

static void key_read(struct store_read *read, void *arg)
{
    struct call *call = arg;
    ENSURE_MAGIC(call, CALL_MAGIC);
    call->reading = false;
    if (read->result != STATUS_OK && read->result != STATUS_NOT_FOUND) {
        reply_problem(call, PROBLEM_STORE_FAILED, "The API keys cannot be read.");
        return;
    }
    struct cached_key nobody = { 0 };
    bool known = read->result == STATUS_OK;
    struct cached_key *key = cache_entry(call->api, call->key_hash, known);
    if (key == NULL && known) {
        reply_problem(call, PROBLEM_OVERLOADED, "Out of memory.");
        return;
    }
    if (key == NULL)
        key = &nobody;
    key->read_us = loop_now_us(call->api->o.loop);
    if (known) {
        key->row = read->keys[0];
        key->row.name = VIEW_EMPTY; /* lives in the call's arena */
    }
    proceed(call, key);
}

void authenticate(struct call *call)
{
    struct api *api = call->api;
    struct view header = http_header(call->http, "authorization");
    struct view scheme = view_slice(header, 0, 7);
    struct view text = view_slice(header, 7, header.len);
    size_t len;
    if (http_header_count(call->http, "authorization") != 1 ||
        !view_equal_nocase(scheme, VIEW("bearer ")) || text.len == 0 ||
        text.len >= API_KEY_TEXT_MAX) {
        api->stats.unauthorized++;
        reply_problem(call, PROBLEM_UNAUTHORIZED,
                      "Send the API key as `Authorization: Bearer rg_...`.");
        return;
    }
    if (secret_mac(api->key_hash, text, call->key_hash, &len) != STATUS_OK) {
        reply_problem(call, PROBLEM_OVERLOADED, "Memory is out. " DID_NOTHING);
        return;
    }
    struct cached_key *key = map_get(api->keys, view_of(call->key_hash, 32));
    if (key != NULL && loop_now_us(api->o.loop) - key->read_us < KEY_FRESH_US) {
        proceed(call, key);
        return;
    }
    call->read = (struct store_read){
        .question = STORE_KEY_BY_HASH, .arena = &call->arena, .done = key_read, .arg = call
    };
    memcpy(call->read.key_hash, call->key_hash, sizeof call->key_hash);
    call->reading = true;
    if (store_ask(api->o.store, &call->read) != STATUS_OK) {
        call->reading = false;
        reply_problem(call, PROBLEM_OVERLOADED, DID_NOTHING);
    }
}
